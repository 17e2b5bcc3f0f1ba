//! Where a pending request stands: the channels in which people can see it, as far as its record says.

use crate::ledger::{Outcome, Posting, Record};
use crate::mattermost::HostError;

/// Where a pending request stands.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(crate) struct Footing {
    /// The request's id.
    pub(crate) id: String,
    /// Teleport's user who asks.
    pub(crate) user: String,
    /// The roles that are asked for: they say who the recipients are.
    pub(crate) roles: Vec<String>,
    /// The channels that its posts are in. Whether anybody sees them there is not known here.
    pub(crate) channels: Vec<String>,
    /// Channels that Mattermost did not take its post in, and why, where trying again alone does not help.
    pub(crate) refused: Vec<(String, String)>,
    /// Somebody deleted a post of it: that is what they wanted.
    pub(crate) deleted: bool,
}

impl Footing {
    /// What a record says; none where nobody has to see the request any more.
    pub(crate) fn of(record: &Record, refused: Vec<(String, String)>) -> Option<Self> {
        let posts = || record.postings.iter().filter(|posting| !posting.requester);
        (record.outcome == Outcome::Pending).then(|| Self {
            id: record.request.id.clone(),
            user: record.request.user.clone(),
            roles: record.request.roles.clone(),
            channels: posts()
                .filter(|posting| posting.post_id.is_some() && !posting.gone)
                .map(|posting| posting.channel_id.clone())
                .collect(),
            refused,
            deleted: posts().any(|posting| posting.gone),
        })
    }
}

/// Why a post is not there, where Mattermost did not take it.
pub(crate) fn refused(posting: &Posting, error: &HostError) -> Option<(String, String)> {
    let for_good = !matches!(error, HostError::Unavailable(_));
    (for_good && !posting.requester && posting.post_id.is_none())
        .then(|| (posting.channel_id.clone(), error.to_string()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::teleport::AccessRequest;
    use crate::time::Time;

    #[test]
    fn only_posts_that_are_there_count_and_only_while_the_request_is_pending() {
        let made = Posting { post_id: Some("post".into()), ..Posting::new("made".into(), Time(0)) };
        let gone = Posting { gone: true, channel_id: "gone".into(), ..made.clone() };
        let told = Posting { requester: true, channel_id: "requester".into(), ..made.clone() };
        let mut record = Record::new(AccessRequest { id: "id".into(), ..Default::default() });
        record.postings = vec![Posting::new("meant".into(), Time(0)), told, made];
        let footing = Footing::of(&record, Vec::new());
        assert_eq!(footing.as_ref().map(|footing| footing.channels.clone()), Some(vec!["made".to_owned()]));
        assert!(footing.is_some_and(|footing| !footing.deleted));
        record.postings.push(gone);
        assert!(Footing::of(&record, Vec::new()).is_some_and(|footing| footing.deleted && footing.channels.len() == 1));
        record.outcome = Outcome::Approved;
        assert_eq!(Footing::of(&record, Vec::new()), None);
    }

    #[test]
    fn what_may_work_the_next_time_is_not_refused() {
        let meant = Posting::new("meant".into(), Time(0));
        assert_eq!(refused(&meant, &HostError::Unavailable("busy".into())), None);
        assert!(refused(&meant, &HostError::Denied("no".into())).is_some_and(|(channel, _)| channel == "meant"));
        let there = Posting { post_id: Some("post".into()), ..meant.clone() };
        assert_eq!(refused(&there, &HostError::Denied("no".into())), None);
        assert_eq!(refused(&Posting { requester: true, ..meant }, &HostError::Denied("no".into())), None);
    }
}
