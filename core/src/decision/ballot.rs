//! The votes on a request, and the decision that was made from them: a value of its own in the store, written with
//! compare-and-set. It is what the plugin knows by itself of who decided, whatever Teleport keeps.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::votes::Vote;
use crate::mattermost::{HostError, Mattermost, Swap};
use crate::requests::digest;
use crate::teleport::{AccessRequest, State};
use crate::time::Time;

/// The resolve annotation that holds the id of the audit entry of a decision.
pub const ENTRY_ANNOTATION: &str = "mattermost-audit-entry";
/// When Mattermost clears the votes away, unless somebody votes again: no request waits that long.
const EXPIRES_SECONDS: i64 = 60 * 86_400;

/// Somebody who took part in a decision.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Voter {
    /// The Mattermost user's id.
    pub user_id: String,
    /// Their username then.
    pub username: String,
}

/// A decision that Teleport was asked to carry out. It is written down before that.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Decision {
    /// Approved or denied.
    pub state: State,
    /// Everybody whose vote counted.
    pub voters: Vec<Voter>,
    /// The roles that were granted; empty in denials.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub roles: Vec<String>,
    /// The roles that were asked for and not granted.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub refused_roles: Vec<String>,
    /// When the access begins, where that is later than at once.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub starts: Option<Time>,
    /// The deciders' words.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub reason: String,
    /// Digest of what may be granted, see [`digest::of_grant`]; empty in denials.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub grant: String,
    /// Id of the entry in the audit trail.
    pub entry: String,
    /// Whether Teleport keeps the entry's id with the request ([`ENTRY_ANNOTATION`]), so that it can be recognised.
    pub annotated: bool,
    /// Whether Teleport was asked and did not refuse. Where it keeps no id of the entry, only that makes the decision ours.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub asked: bool,
    /// When.
    pub time: Time,
}

/// How much later than a decision the request that it was about may seem to be filed: clocks differ. One that was filed later
/// has taken the id of a request that is gone.
const CLOCK_SKEW: Duration = Duration::from_secs(120);

/// How long it may take until it is written down that Teleport was asked: a write, the call, and another write.
const CARRYING_OUT: Duration = Duration::from_secs(45);

/// All that was voted on a request, and what came of it.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Ballot {
    /// The votes, one a person.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub votes: Vec<Vote>,
    /// The last decision that Teleport was asked for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub decision: Option<Decision>,
}

impl Ballot {
    /// Whether nobody has voted or decided.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.votes.is_empty() && self.decision.is_none()
    }

    /// Adds a vote in place of the person's earlier ones.
    pub fn cast(&mut self, vote: Vote) {
        self.votes.retain(|other| other.user_id != vote.user_id);
        self.votes.push(vote);
    }

    /// Whether Teleport granted something else than was decided here.
    #[must_use]
    pub fn is_betrayed(&self, cluster: &str, request: &AccessRequest) -> bool {
        let Some(decision) = self.decided(request).filter(|decision| !decision.grant.is_empty()) else { return false };
        let more = request.roles.iter().any(|role| !decision.roles.contains(role));
        request.state == State::Approved && (more || digest::of_grant(cluster, request) != decision.grant)
    }

    /// Whether the request has come to what is being carried out here in this moment, on a server that keeps nothing by which
    /// that could be told: soon it is known whose decision it was.
    #[must_use]
    pub fn is_about_to_be_known(&self, request: &AccessRequest, now: Time) -> bool {
        let Some(decision) = self.decision.as_ref().filter(|decision| !decision.annotated && !decision.asked) else {
            return false;
        };
        // Another node's clock may be ahead.
        let since = if decision.time <= now { now.since(decision.time) } else { decision.time.since(now) };
        decision.state == request.state && since < CARRYING_OUT
    }

    /// The decision that this request came to, if it was made here. What only says so in Teleport does not count.
    #[must_use]
    pub fn decided(&self, request: &AccessRequest) -> Option<&Decision> {
        let decision = self.decision.as_ref()?;
        let kept = |entry: &String| {
            request.resolve_annotations.get(ENTRY_ANNOTATION).is_some_and(|values| values.contains(entry))
        };
        let later = request.created.is_some_and(|created| created > decision.time.plus(CLOCK_SKEW));
        let ours = if decision.annotated { kept(&decision.entry) } else { decision.asked && !later };
        (decision.state == request.state && ours).then_some(decision)
    }
}

/// A ballot together with what stands in the store for it.
pub(crate) struct Stored {
    pub(crate) ballot: Ballot,
    raw: Option<Vec<u8>>,
}

/// Why a ballot cannot be read.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(crate) enum Unreadable {
    /// What is stored is no ballot of this version.
    #[error("the votes on it cannot be read ({0})")]
    Votes(String),
    /// The store failed.
    #[error(transparent)]
    Host(#[from] HostError),
}

fn key(cluster: &str, id: &str) -> String {
    format!("votes:{cluster}:{id}")
}

/// Reads the ballot of a request; an empty one where nobody has voted.
///
/// # Errors
/// Where Mattermost cannot be asked, or what is stored is no ballot.
pub(crate) async fn load<M: Mattermost>(mattermost: &M, cluster: &str, id: &str) -> Result<Stored, Unreadable> {
    let raw = mattermost.kv_get(&key(cluster, id)).await?;
    let ballot = match &raw {
        Some(raw) => serde_json::from_slice(raw).map_err(|error| Unreadable::Votes(error.to_string()))?,
        None => Ballot::default(),
    };
    Ok(Stored { ballot, raw })
}

/// Writes it where the store still holds what was read.
///
/// # Errors
/// `Unavailable` also where somebody else was faster: nothing was written then.
pub(crate) async fn save<M: Mattermost>(
    mattermost: &M,
    cluster: &str,
    id: &str,
    stored: &mut Stored,
) -> Result<(), HostError> {
    let raw = serde_json::to_vec(&stored.ballot).map_err(|error| HostError::Invalid(error.to_string()))?;
    let swap = Swap {
        key: key(cluster, id),
        old: stored.raw.clone(),
        new: Some(raw.clone()),
        expire_seconds: EXPIRES_SECONDS,
    };
    match mattermost.kv_swap(swap).await {
        Ok(true) => {}
        Ok(false) => return Err(HostError::Unavailable("somebody else voted at the same moment".to_owned())),
        // An answer that was lost says nothing about the write: look.
        Err(HostError::Unavailable(text)) => {
            if mattermost.kv_get(&key(cluster, id)).await?.as_ref() != Some(&raw) {
                return Err(HostError::Unavailable(text));
            }
        }
        Err(error) => return Err(error),
    }
    stored.raw = Some(raw);
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn decision(annotated: bool) -> Ballot {
        let decision = Decision {
            state: State::Approved,
            voters: vec![Voter { user_id: "b0b".into(), username: "bob".into() }],
            roles: vec!["a".into()],
            refused_roles: Vec::new(),
            starts: None,
            reason: String::new(),
            grant: digest::of_grant("tp", &AccessRequest::default()),
            entry: "e1".into(),
            annotated,
            asked: true,
            time: Time(1),
        };
        Ballot { votes: Vec::new(), decision: Some(decision) }
    }

    #[test]
    fn what_is_just_being_carried_out_is_not_told_before_it_is_known_whose_it_was() {
        let request = AccessRequest { state: State::Approved, ..Default::default() };
        let mut ours = decision(false);
        assert!(!ours.is_about_to_be_known(&request, Time(2)), "it is known");
        ours.decision.iter_mut().for_each(|decision| decision.asked = false);
        assert!(ours.is_about_to_be_known(&request, Time(2)) && ours.is_about_to_be_known(&request, Time(0)));
        assert!(!ours.is_about_to_be_known(&request, Time(50_000)), "whoever was at it has died");
        assert!(!ours.is_about_to_be_known(&AccessRequest::default(), Time(2)), "it is still pending");
        ours.decision.iter_mut().for_each(|decision| decision.annotated = true);
        assert!(!ours.is_about_to_be_known(&request, Time(2)), "Teleport tells it");
    }

    #[test]
    fn only_what_was_decided_here_counts_as_that() {
        let mut request = AccessRequest { state: State::Approved, ..Default::default() };
        assert!(decision(true).decided(&request).is_none(), "somebody else approved it in Teleport");
        request.resolve_annotations.insert(ENTRY_ANNOTATION.into(), vec!["forged".into()]);
        assert!(decision(true).decided(&request).is_none());
        request.resolve_annotations.insert(ENTRY_ANNOTATION.into(), vec!["e1".into()]);
        assert!(decision(true).decided(&request).is_some());
        request.state = State::Denied;
        assert!(decision(true).decided(&request).is_none(), "it was overturned in Teleport");
    }

    #[test]
    fn a_grant_of_more_or_to_somebody_else_is_found() {
        let granted = AccessRequest { state: State::Approved, roles: vec!["a".into()], ..Default::default() };
        assert!(!decision(false).is_betrayed("tp", &granted));
        assert!(!decision(false).is_betrayed("tp", &AccessRequest { roles: Vec::new(), ..granted.clone() }));
        let more = AccessRequest { roles: vec!["a".into(), "b".into()], ..granted.clone() };
        assert!(decision(false).is_betrayed("tp", &more));
        let other = AccessRequest { user: "mallory".into(), ..granted.clone() };
        assert!(decision(false).is_betrayed("tp", &other));
        assert!(!decision(false).is_betrayed("tp", &AccessRequest { state: State::Denied, ..other }));
    }

    #[test]
    fn a_server_that_keeps_no_annotations_is_believed_by_the_state() {
        let request = AccessRequest { state: State::Approved, ..Default::default() };
        assert!(decision(false).decided(&request).is_some());
        assert!(decision(false).decided(&AccessRequest::default()).is_none());
        let later = AccessRequest { created: Some(Time(1_000_000)), ..request.clone() };
        assert!(decision(false).decided(&later).is_none(), "another request took the id");
        let mut never_asked = decision(false);
        never_asked.decision.iter_mut().for_each(|decision| decision.asked = false);
        assert!(never_asked.decided(&request).is_none(), "somebody else approved it in Teleport");
    }
}
