//! Posts that somebody else has edited or deleted. The host tells of each change as it happens; what it could not tell of is
//! found by looking at the posts now and then. What is as it was written needs nothing.

use std::cell::{Cell, RefCell};
use std::collections::{BTreeMap, HashMap};
use std::rc::Rc;

use futures::StreamExt as _;
use futures::stream;

use super::digest;
use crate::app::App;
use crate::cluster::Lane;
use crate::desk;
use crate::ledger::{self, Outcome, Record};
use crate::mattermost::{HostError, Mattermost, Post};
use crate::messages::{CLUSTER_PROP, REQUEST_PROP};
use crate::world::World;

/// Most posts that are looked at in one round.
const MOST_LOOKED_AT: usize = 1_000;
/// How many of them at once: people's clicks come first.
const READERS: usize = 2;
/// Longest id that is looked up.
const MOST_LETTERS: usize = 64;

/// What the host heard of a post of the bot: somebody wrote it, edited it or deleted it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Change {
    /// The post.
    pub post_id: String,
    /// When it was changed.
    pub update_at: i64,
    /// Whether it was deleted.
    pub deleted: bool,
    /// Its props, also those that it had before.
    pub props: BTreeMap<String, String>,
}

/// What is remembered of changes. Cleared with every epoch.
#[derive(Debug, Default)]
pub struct Changes {
    /// By post: when it had been changed for the last time as it was read back.
    read: RefCell<HashMap<String, i64>>,
    /// Where the last look at the posts ended.
    cursor: RefCell<String>,
    /// Whether the posts are being looked at.
    looking: Cell<bool>,
}

impl Changes {
    pub(crate) fn clear(&self) {
        self.read.borrow_mut().clear();
        self.cursor.borrow_mut().clear();
    }

    /// Takes note of a post as it was read back after it was written.
    pub(crate) fn read_back(&self, post: &Post) {
        self.read.borrow_mut().insert(post.id.clone(), post.update_at);
    }

    /// Forgets the posts of a request that is finished.
    pub(crate) fn forget(&self, record: &Record) {
        let mut read = self.read.borrow_mut();
        for posting in &record.postings {
            let parts = posting.parts.iter().map(|part| &part.post_id);
            for post_id in posting.post_id.iter().chain(parts) {
                read.remove(post_id);
            }
        }
    }

    /// Whether a post that this record shows was changed by somebody else, as far as can be told without looking at it.
    pub(crate) fn is_foreign(&self, record: &Record, change: &Change) -> bool {
        let is_own = || self.read.borrow().get(&change.post_id) == Some(&change.update_at);
        shown(record).any(|(post_id, _)| post_id == change.post_id) && (change.deleted || !is_own())
    }
}

/// The posts that show a pending request, each with the hash of what was written.
fn shown(record: &Record) -> impl Iterator<Item = (&str, &str)> {
    let pending = record.outcome == Outcome::Pending;
    let postings = record.postings.iter().filter(move |posting| {
        pending && !posting.requester && !posting.gone && posting.rests.is_none() && !posting.hash.is_empty()
    });
    postings.flat_map(|posting| {
        let root = posting.post_id.as_deref().map(|post_id| (post_id, posting.hash.as_str()));
        root.into_iter().chain(posting.parts.iter().map(|part| (part.post_id.as_str(), part.hash.as_str())))
    })
}

/// Hears of a change. The node that leads has the request looked at; any other one first looks whether the post is as it was
/// written, and then calls for attention.
pub async fn hear<W: World>(app: &Rc<App<W>>, change: Change) {
    let named = |prop: &str| change.props.get(prop).filter(|value| !value.is_empty() && value.len() <= MOST_LETTERS);
    let request_id = named(REQUEST_PROP).map(String::as_str).unwrap_or_default();
    if app.leader.get() {
        app.lanes().iter().for_each(|lane| desk::heard(lane, request_id, &change));
        return;
    }
    let Some(cluster) = named(CLUSTER_PROP).filter(|_| !request_id.is_empty()) else { return };
    let mattermost = app.world.mattermost();
    let Ok(Some(stored)) = ledger::load(mattermost, cluster, request_id).await else { return };
    let Some((post_id, hash)) = shown(&stored.record).find(|(post_id, _)| *post_id == change.post_id) else { return };
    if is_changed(mattermost, post_id, hash).await == Ok(true) {
        desk::look_at(app, cluster, request_id).await;
    }
}

/// Whether a post is not as it was written, or not there any more.
async fn is_changed<M: Mattermost>(mattermost: &M, post_id: &str, hash: &str) -> Result<bool, HostError> {
    match mattermost.get_post(post_id).await {
        Ok(post) => Ok(post.delete_at != 0 || digest::of_post(&post) != hash),
        Err(HostError::NotFound(_)) => Ok(true),
        Err(error) => Err(error),
    }
}

/// Looks at the posts of pending requests in the background, the next ones each time where there are many, and has those
/// requests looked at whose posts are not as they were written.
pub(crate) fn look<W: World>(lane: &Lane<W>) {
    let changes = &lane.cluster.desk.changes;
    if changes.looking.replace(true) {
        return;
    }
    let mut posts = lane.cluster.desk.of_pending(&changes.cursor.borrow(), MOST_LOOKED_AT, |record| {
        shown(record).map(|(post_id, hash)| (post_id.to_owned(), hash.to_owned())).collect::<Vec<_>>()
    });
    *changes.cursor.borrow_mut() = posts.last().map(|(id, _)| id.clone()).unwrap_or_default();
    let (lane, epoch) = (lane.clone(), lane.epoch.get());
    let world = lane.clone();
    world.world.spawn(Box::pin(async move {
        let mattermost = lane.world.mattermost();
        let posts = posts.drain(..).flat_map(|(id, posts)| posts.into_iter().map(move |post| (id.clone(), post)));
        let look = |(id, (post_id, hash)): (String, (String, String))| async move {
            (is_changed(mattermost, &post_id, &hash).await == Ok(true)).then_some(id)
        };
        let changed: Vec<Option<String>> = stream::iter(posts).map(look).buffer_unordered(READERS).collect().await;
        lane.cluster.desk.changes.looking.set(false);
        if lane.epoch.get() == epoch {
            changed.iter().flatten().for_each(|id| desk::check_posts(&lane, id));
        }
    }));
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ledger::{Part, Posting};
    use crate::teleport::AccessRequest;
    use crate::time::Time;

    fn record() -> Record {
        let part = Part { key: "part:1".into(), post_id: "part".into(), hash: "h".into(), altered: false };
        let posting = Posting {
            post_id: Some("root".into()),
            hash: "h".into(),
            parts: vec![part],
            ..Posting::new("c".into(), Time(1))
        };
        Record { postings: vec![posting], ..Record::new(AccessRequest::default()) }
    }

    fn change(post_id: &str, update_at: i64) -> Change {
        Change { post_id: post_id.into(), update_at, ..Default::default() }
    }

    #[test]
    fn what_was_read_back_is_no_change_of_anybody_else() {
        let changes = Changes::default();
        changes.read_back(&Post { id: "root".into(), update_at: 5, ..Default::default() });
        assert!(!changes.is_foreign(&record(), &change("root", 5)));
        // Another server's clock may be behind.
        for foreign in [change("root", 6), change("root", 4), change("part", 5)] {
            assert!(changes.is_foreign(&record(), &foreign), "{foreign:?}");
        }
        assert!(changes.is_foreign(&record(), &Change { deleted: true, ..change("root", 5) }));
        assert!(!changes.is_foreign(&record(), &change("a thread's other post", 6)));
        changes.forget(&record());
        assert!(changes.is_foreign(&record(), &change("root", 5)));
    }

    #[test]
    fn posts_that_need_not_be_true_any_more_are_not_looked_at() {
        let changed = |change: fn(&mut Record)| {
            let mut record = record();
            change(&mut record);
            shown(&record).count()
        };
        assert_eq!(changed(|_| {}), 2);
        let changes: [fn(&mut Record); 4] = [
            |record| record.outcome = Outcome::Denied,
            |record| record.postings.iter_mut().for_each(|posting| posting.gone = true),
            |record| record.postings.iter_mut().for_each(|posting| posting.hash.clear()),
            |record| {
                record
                    .postings
                    .iter_mut()
                    .for_each(|posting| posting.rests = Some(super::super::resting::Rest::Archived))
            },
        ];
        assert_eq!(changes.map(changed), [0, 0, 0, 0]);
    }
}
