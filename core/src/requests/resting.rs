//! Posts that rest: their channel is archived, or gone, so nobody can write there. The record keeps them, nothing is tried
//! meanwhile, and once the channel is back they are brought up to date.

use std::cell::{Cell, RefCell};
use std::collections::{BTreeMap, BTreeSet, HashSet};

use futures::StreamExt as _;
use futures::stream;
use serde::{Deserialize, Serialize};

use crate::cluster::Lane;
use crate::desk;
use crate::ledger::{Outcome, Posting, Record};
use crate::mattermost::{ChannelBy, HostError, Mattermost};
use crate::world::World;

/// Channels looked at at once.
const READERS: usize = 8;

/// Why a post rests.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Rest {
    /// Its channel is archived.
    Archived,
    /// There is no such channel any more.
    Missing,
}

impl Rest {
    /// What is wrong, and the cure.
    #[must_use]
    pub fn in_words(self) -> &'static str {
        match self {
            Self::Archived => "this channel is archived. Unarchive it, or name another in the plugin's settings.",
            Self::Missing => "there is no such channel any more. Name another in the plugin's settings.",
        }
    }
}

/// Where posts rest. Cleared with every epoch, and filled from the records.
#[derive(Debug, Default)]
pub struct Resting {
    /// By channel: why, and the requests whose posts rest there.
    channels: RefCell<BTreeMap<String, (Rest, BTreeSet<String>)>>,
    /// Whether the channels are being looked at.
    looking: Cell<bool>,
}

/// A channel where posts rest.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RestingIn {
    /// The channel's id.
    pub channel_id: String,
    /// Why.
    pub why: Rest,
    /// How many requests have a post there.
    pub requests: usize,
}

impl Resting {
    pub(crate) fn clear(&self) {
        self.channels.borrow_mut().clear();
    }

    /// Takes note of where a record's posts rest.
    pub(crate) fn remember(&self, record: &Record) {
        for posting in &record.postings {
            if let Some(why) = posting.rests {
                self.add(&posting.channel_id, why, &record.request.id);
            }
        }
        for retired in &record.retired {
            if let Some(why) = retired.rests {
                self.add(&retired.channel_id, why, &record.request.id);
            }
        }
    }

    /// Why posts rest in a channel; none where they do not.
    fn why(&self, channel_id: &str) -> Option<Rest> {
        self.channels.borrow().get(channel_id).map(|(why, _)| *why)
    }

    /// Takes note of a request that has, or shall have, a post in a channel that takes none. Says whether that is news.
    pub(crate) fn add(&self, channel_id: &str, why: Rest, id: &str) -> bool {
        let mut channels = self.channels.borrow_mut();
        let (_, ids) = channels.entry(channel_id.to_owned()).or_insert((why, BTreeSet::new()));
        ids.insert(id.to_owned())
    }

    /// Takes a channel out that is back; answers the requests whose posts rested there.
    fn wake(&self, channel_id: &str) -> BTreeSet<String> {
        self.channels.borrow_mut().remove(channel_id).map(|(_, ids)| ids).unwrap_or_default()
    }

    /// Lets those posts of a record rest whose channel is known to take none, and wakes those whose channel is back.
    pub(crate) fn settle(&self, record: &mut Record) -> Settled {
        let mut settled = Settled::default();
        let id = record.request.id.clone();
        for posting in record.postings.iter_mut().filter(|posting| !posting.requester && !posting.gone) {
            let why = self.why(&posting.channel_id);
            if let Some(why) = why {
                self.add(&posting.channel_id, why, &id);
            }
            if why == posting.rests {
                continue;
            }
            settled.changed = true;
            posting.rests = why;
            if why.is_none() {
                // Whatever was tried before it rested may have landed.
                posting.shown = 0;
                settled.back.insert(posting.channel_id.clone());
            }
        }
        // Posts of an earlier bot have buttons to lose.
        for retired in record.retired.iter_mut().filter(|retired| retired.rests.is_some()) {
            retired.rests = self.why(&retired.channel_id);
            settled.changed |= retired.rests.is_none();
        }
        settled
    }

    /// Where posts rest now.
    pub(crate) fn list(&self) -> Vec<RestingIn> {
        let channels = self.channels.borrow();
        let each = channels.iter().map(|(channel_id, (why, ids))| RestingIn {
            channel_id: channel_id.clone(),
            why: *why,
            requests: ids.len(),
        });
        each.collect()
    }
}

/// What became of a record's posts.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Settled {
    /// Whether any came to rest, or back.
    pub(crate) changed: bool,
    /// The channels that are back: what stands there is looked for.
    pub(crate) back: HashSet<String>,
}

impl Settled {
    /// Takes what was found besides.
    pub(crate) fn add(&mut self, more: Self) {
        self.changed |= more.changed;
        self.back.extend(more.back);
    }
}

/// Why a pending request stands nowhere, where that is because all of its posts rest: nobody can decide it in Mattermost.
#[must_use]
pub fn stands_nowhere(record: &Record) -> Option<Rest> {
    let mut posts = record.postings.iter().filter(|posting| !posting.requester && !posting.gone).peekable();
    posts.peek().filter(|_| record.outcome == Outcome::Pending)?;
    posts.map(|posting| posting.rests).try_fold(None, |_, rests| rests.map(Some)).flatten()
}

/// Whether nobody can write into a channel, and why.
///
/// # Errors
/// Where Mattermost cannot say.
pub(crate) async fn of_channel<M: Mattermost>(mattermost: &M, channel_id: &str) -> Result<Option<Rest>, HostError> {
    match mattermost.get_channel(ChannelBy::Id(channel_id.to_owned())).await {
        Ok(channel) => Ok((channel.delete_at != 0).then_some(Rest::Archived)),
        Err(HostError::NotFound(_)) => Ok(Some(Rest::Missing)),
        Err(error) => Err(error),
    }
}

/// Lets a post rest that could not be written, if that is because of its channel. Says whether it does.
pub(crate) async fn lies_down<W: World>(lane: &Lane<W>, id: &str, posting: &mut Posting) -> bool {
    if posting.requester || posting.gone {
        return false;
    }
    let Ok(Some(why)) = of_channel(lane.world.mattermost(), &posting.channel_id).await else { return false };
    lane.cluster.desk.resting.add(&posting.channel_id, why, id);
    posting.rests = Some(why);
    true
}

/// Looks in the background whether channels where posts rest are back; has their requests looked at.
pub(crate) fn look<W: World>(lane: &Lane<W>) {
    if !lane.cluster.desk.resting.channels.borrow().is_empty() {
        look_at(lane, BTreeMap::new());
    }
}

/// Looks at the channels of all pending requests besides; has those looked at whose posts come to rest.
pub(crate) fn look_at_all<W: World>(lane: &Lane<W>) {
    look_at(lane, lane.cluster.desk.pending_places());
}

/// Looks at channels, and at those where posts rest, with the requests that have posts there.
fn look_at<W: World>(lane: &Lane<W>, mut places: BTreeMap<String, BTreeSet<String>>) {
    if lane.cluster.desk.resting.looking.replace(true) {
        return;
    }
    let (lane, epoch) = (lane.clone(), lane.epoch.get());
    let world = lane.clone();
    world.world.spawn(Box::pin(async move {
        for channel in lane.cluster.desk.resting.list() {
            places.entry(channel.channel_id).or_default();
        }
        let mattermost = lane.world.mattermost();
        let look = |(channel_id, ids): (String, BTreeSet<String>)| async move {
            (of_channel(mattermost, &channel_id).await, channel_id, ids)
        };
        let found: Vec<(_, String, BTreeSet<String>)> =
            stream::iter(places).map(look).buffer_unordered(READERS).collect().await;
        lane.cluster.desk.resting.looking.set(false);
        if lane.epoch.get() != epoch {
            return;
        }
        for (why, channel_id, ids) in found {
            let resting = &lane.cluster.desk.resting;
            let changed = match why {
                Ok(Some(why)) => ids.into_iter().filter(|id| resting.add(&channel_id, why, id)).collect(),
                Ok(None) => resting.wake(&channel_id),
                Err(_) => continue,
            };
            changed.iter().for_each(|id| desk::ask_for(&lane, id));
        }
    }));
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ledger::Retired;
    use crate::teleport::AccessRequest;
    use crate::time::Time;

    fn posting(channel_id: &str, rests: Option<Rest>) -> Posting {
        Posting { rests, post_id: Some("p".into()), shown: 1, ..Posting::new(channel_id.into(), Time(1)) }
    }

    fn record(postings: Vec<Posting>) -> Record {
        Record { postings, ..Record::new(AccessRequest { id: "r".into(), ..Default::default() }) }
    }

    #[test]
    fn a_request_stands_nowhere_where_all_of_its_posts_rest() {
        let archived = Some(Rest::Archived);
        let direct = Posting { requester: true, ..posting("d", None) };
        let gone = Posting { gone: true, ..posting("g", None) };
        for (postings, nowhere) in [
            (vec![], None),
            (vec![posting("a", None)], None),
            (vec![posting("a", archived)], archived),
            (vec![posting("a", archived), posting("b", None)], None),
            (vec![posting("b", None), posting("a", archived)], None),
            (vec![posting("a", archived), posting("b", Some(Rest::Missing))], Some(Rest::Missing)),
            (vec![posting("a", archived), direct, gone], archived),
        ] {
            assert_eq!(stands_nowhere(&record(postings.clone())), nowhere, "{postings:?}");
        }
        let settled = Record { outcome: Outcome::Denied, ..record(vec![posting("a", archived)]) };
        assert_eq!(stands_nowhere(&settled), None, "there is nothing to decide");
    }

    #[test]
    fn posts_rest_while_their_channel_does_and_are_written_anew_when_it_is_back() {
        let resting = Resting::default();
        resting.add("a", Rest::Archived, "another");
        let mut record = record(vec![posting("a", None), posting("b", None)]);
        let settled = resting.settle(&mut record);
        assert!(settled.changed && settled.back.is_empty());
        assert_eq!(
            record.postings.iter().map(|posting| posting.rests).collect::<Vec<_>>(),
            [Some(Rest::Archived), None]
        );
        record.revision = 2;
        record.outcome = Outcome::Denied;
        record.postings.iter_mut().filter(|posting| posting.rests.is_none()).for_each(|posting| posting.shown = 2);
        assert!(record.is_finished(), "what rests must not keep a record for ever");
        assert_eq!(resting.settle(&mut record), Settled::default());
        assert_eq!(resting.wake("a"), BTreeSet::from(["another".to_owned(), "r".to_owned()]));
        let settled = resting.settle(&mut record);
        assert_eq!((settled.changed, settled.back), (true, HashSet::from(["a".to_owned()])));
        assert!(!record.is_finished());
    }

    #[test]
    fn a_post_of_an_earlier_bot_keeps_its_buttons_while_its_channel_rests() {
        let resting = Resting::default();
        let retired = Retired { rests: Some(Rest::Archived), ..retired() };
        let mut record =
            Record { outcome: Outcome::Denied, retired: vec![retired], ..record(vec![posting("b", None)]) };
        assert!(record.is_finished());
        resting.remember(&record);
        assert_eq!(resting.settle(&mut record), Settled::default());
        assert_eq!(resting.wake("a"), BTreeSet::from(["r".to_owned()]));
        assert!(resting.settle(&mut record).changed && !record.is_finished(), "its buttons can be taken away now");
    }

    fn retired() -> Retired {
        Retired { post_id: "p".into(), bot: "earlier".into(), channel_id: "a".into(), since: None, rests: None }
    }

    #[test]
    fn the_records_say_after_a_restart_where_posts_rest() {
        let resting = Resting::default();
        resting.remember(&record(vec![posting("a", Some(Rest::Archived)), posting("b", None)]));
        let expected = RestingIn { channel_id: "a".into(), why: Rest::Archived, requests: 1 };
        assert_eq!(resting.list(), [expected]);
    }
}
