//! The desk: puts requests into posts and keeps the posts true. Only the leader has one at work, so posts have one writer.
//!
//! News about a request makes it due; a few workers take what is due, one request at a time. A worker reads the record,
//! learns what Teleport says, writes what it is about to do into the ledger, does it, and writes that it is done. Cut
//! short anywhere, the record tells the next one what may be half done.

use std::cell::{Cell, RefCell};
use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet, VecDeque};
use std::ops::Bound;
use std::rc::Rc;
use std::time::Duration;

use futures::StreamExt;
use futures::stream;

use crate::app::App;
use crate::audit;
use crate::cluster::Lane;
use crate::config::Recipient;
use crate::decision::{Ballot, UnreadableBallot, load_ballot};
use crate::identity;
use crate::ledger::{self, LedgerError, Outcome, Posting, Record, Stored};
use crate::mattermost::{ChannelBy, HostError, LogLevel, Mattermost, Post, Swap};
use crate::messages;
use crate::notices;
use crate::recipients::Unreachable;
use crate::requests::changed::{self, Change, Changes};
use crate::requests::footing::{self, Footing};
use crate::requests::open::OpenIndex;
use crate::requests::resting::{self, Rest, Resting};
use crate::requests::{self, deliver, digest, expiry};
use crate::rules::links;
use crate::session::not_shown;
use crate::teleport::{AccessRequest, Event, State, Teleport as _, TeleportError};
use crate::time::Time;
use crate::world::World;

/// Requests worked on at once: Mattermost posts fastest with four.
const WORKERS: usize = 4;
/// Records read at once when the desk is opened.
const READERS: usize = 8;
/// The first wait after a failure; it doubles up to the longest.
const FIRST_WAIT: Duration = Duration::from_secs(1);
/// The longest wait after a failure.
const LONGEST_WAIT: Duration = Duration::from_secs(300);
/// How much earlier than its intent a post may seem to be made, where two servers' clocks differ.
pub(crate) const CLOCK_SKEW: Duration = Duration::from_secs(300);
/// How long after an unseen answer a call may still take effect. Longer than any call's deadline.
pub(crate) const LANDING: Duration = Duration::from_secs(60);
/// How long a request that should have expired is left alone before Teleport is asked again.
const EXPIRY_PAUSE: Duration = Duration::from_secs(30);

/// What the desk remembers. Cleared with every epoch, but for what is in a worker's hands.
#[derive(Debug, Default)]
pub struct Desk {
    /// Every request that is open, or has something to be done.
    cases: RefCell<BTreeMap<String, Case>>,
    /// What the requests came to that are finished: Teleport may still change its mind.
    settled: RefCell<BTreeMap<String, Outcome>>,
    /// Ids that are due, each once, in order.
    due: RefCell<Queue>,
    /// Ids in a worker's hands, whatever the epoch: no two workers ever have the same one.
    busy: RefCell<HashSet<String>>,
    workers: Cell<usize>,
    /// The cluster whose requests these are; empty until the desk is opened.
    pub(crate) cluster: RefCell<String>,
    epoch: Cell<u64>,
    /// Whether the records that seemed finished at first have been read again in this epoch.
    pub(crate) reread: Cell<bool>,
    /// Which records may not be finished, as it is stored.
    open: OpenIndex,
    /// Where posts rest.
    pub(crate) resting: Resting,
    /// What is remembered of changes to posts.
    pub(crate) changes: Changes,
}

/// A queue in which everything stands once.
#[derive(Debug, Default)]
struct Queue {
    order: VecDeque<String>,
    standing: HashSet<String>,
}

impl Queue {
    fn push(&mut self, id: String) {
        if self.standing.insert(id.clone()) {
            self.order.push_back(id);
        }
    }

    /// Takes the first that `fits`.
    fn take(&mut self, fits: impl Fn(&String) -> bool) -> Option<String> {
        let place = self.order.iter().position(fits)?;
        let id = self.order.remove(place)?;
        self.standing.remove(&id);
        Some(id)
    }

    fn clear(&mut self) {
        self.order.clear();
        self.standing.clear();
    }
}

/// A request on the desk.
#[derive(Debug, Default)]
struct Case {
    /// Its record as last read or written; none where it must be read.
    stored: Option<Stored>,
    /// What was heard since it was last worked on.
    news: Option<News>,
    /// Failures in a row.
    failures: u32,
    /// What the last one was.
    trouble: Option<String>,
    /// When Teleport was last asked about an expiry that is overdue.
    expiry_asked: Option<Time>,
    /// Counts the waits for calls that may yet take effect; only the end of the last one counts.
    wait: u64,
    /// Whether there is such a wait.
    waiting: bool,
    /// Whether it is over.
    waited: bool,
    /// Whether the posts are to be compared with what was written.
    check: bool,
    /// Changes to posts that were heard of while it was worked on: they may be the worker's own.
    heard: Vec<Change>,
    /// Where it stood when it was last worked on, for as long as its record must be read.
    footing: Option<Footing>,
}

/// What was heard of a request.
#[derive(Debug)]
enum News {
    /// What it is now, from the watch or a listing.
    Put(Box<AccessRequest>),
    /// Something changed, or work was left over: ask Teleport.
    Ask,
}

/// A request that could not be put into posts as it should, for the status.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Undelivered {
    /// The request's id.
    pub request_id: String,
    /// Why.
    pub trouble: String,
}

/// Why a case could not be finished now.
#[derive(Debug, thiserror::Error)]
enum Failure {
    /// The epoch is over: somebody else goes on.
    #[error("superseded")]
    Superseded,
    /// In a moment it is known whose decision it was.
    #[error("a decision is being carried out")]
    Early,
    #[error(transparent)]
    Ledger(#[from] LedgerError),
    #[error(transparent)]
    Ballot(#[from] UnreadableBallot),
    #[error(transparent)]
    Teleport(#[from] TeleportError),
    #[error("{0}")]
    Posting(String),
}

impl Desk {
    /// Forgets everything but what is in a worker's hands.
    pub(crate) fn clear(&self) {
        self.cases.borrow_mut().clear();
        self.reread.set(false);
        self.settled.borrow_mut().clear();
        self.open.clear();
        self.due.borrow_mut().clear();
        self.cluster.borrow_mut().clear();
        self.resting.clear();
        self.changes.clear();
    }

    /// Something of each pending request behind an id, so many of them, and then from the beginning.
    pub(crate) fn of_pending<T>(&self, after: &str, most: usize, of: impl Fn(&Record) -> T) -> Vec<(String, T)> {
        let cases = self.cases.borrow();
        let is_pending = |record: &&Record| record.outcome == Outcome::Pending;
        let first = cases.range::<str, _>((Bound::Excluded(after), Bound::Unbounded));
        let then = cases.range::<str, _>((Bound::Unbounded, Bound::Included(after)));
        let pending = first.chain(then).filter_map(|(id, case)| Some((id, &case.stored.as_ref()?.record)));
        let pending = pending.filter(|(_, record)| is_pending(record));
        pending.take(most).map(|(id, record)| (id.clone(), of(record))).collect()
    }

    /// Pending requests of whose posts somebody has deleted one.
    pub(crate) fn deleted(&self) -> Vec<String> {
        let deleted = self.of_pending("", usize::MAX, |record| record.postings.iter().any(Posting::is_deleted));
        deleted.into_iter().filter(|(_, is_deleted)| *is_deleted).map(|(id, _)| id).collect()
    }

    /// The channels of pending requests' posts, and the requests' ids.
    pub(crate) fn pending_places(&self) -> BTreeMap<String, BTreeSet<String>> {
        let channels = |record: &Record| -> Vec<String> {
            let there = record.postings.iter().filter(|posting| !posting.requester && !posting.gone);
            there.map(|posting| posting.channel_id.clone()).collect()
        };
        let mut places: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
        for (id, channels) in self.of_pending("", usize::MAX, channels) {
            for channel in channels {
                places.entry(channel).or_default().insert(id.clone());
            }
        }
        places
    }

    /// Requests that are pending, as far as the desk knows.
    pub(crate) fn pending(&self) -> usize {
        let is_pending =
            |case: &Case| case.stored.as_ref().is_some_and(|stored| stored.record.outcome == Outcome::Pending);
        self.cases.borrow().values().filter(|case| is_pending(case)).count()
    }

    /// Requests whose posts are to be brought up to date.
    pub(crate) fn due(&self) -> usize {
        self.due.borrow().order.len() + self.busy.borrow().len()
    }

    /// Requests that the ledger tells of.
    pub(crate) fn known(&self) -> usize {
        self.cases.borrow().len() + self.settled.borrow().len()
    }

    /// Who asks, as far as is known now: a few of the Teleport users.
    pub(crate) fn requesters(&self) -> Vec<String> {
        const MOST: usize = 50;
        let cases = self.cases.borrow();
        let stored = cases.values().filter_map(|case| case.stored.as_ref());
        stored.take(MOST).map(|stored| stored.record.request.user.clone()).collect()
    }

    /// Pending requests whose posts offer less because another plugin changes them.
    pub(crate) fn altered(&self) -> Vec<String> {
        let is_altered = |case: &Case| {
            let stored = case.stored.as_ref().filter(|stored| stored.record.outcome == Outcome::Pending);
            stored.is_some_and(|stored| stored.record.postings.iter().any(|posting| !posting.altered.is_no()))
        };
        self.cases.borrow().iter().filter(|(_, case)| is_altered(case)).map(|(id, _)| id.clone()).collect()
    }

    /// Pending requests that suggest reviewers.
    pub(crate) fn suggesting(&self) -> usize {
        let suggests = |case: &Case| {
            let stored = case.stored.as_ref().filter(|stored| stored.record.outcome == Outcome::Pending);
            stored.is_some_and(|stored| !stored.record.request.suggested_reviewers.is_empty())
        };
        self.cases.borrow().values().filter(|case| suggests(case)).count()
    }

    /// Where the pending requests stand.
    pub(crate) fn footings(&self) -> Vec<Footing> {
        let footing = |case: &Case| match &case.stored {
            Some(stored) => Footing::of(&stored.record, Vec::new()),
            None => case.footing.clone(),
        };
        self.cases.borrow().values().filter_map(footing).collect()
    }

    /// What could not be done, and is being tried again.
    pub(crate) fn undelivered(&self) -> Vec<Undelivered> {
        let cases = self.cases.borrow();
        let troubled = cases.iter().filter_map(|(id, case)| Some((id, case.trouble.as_ref()?)));
        troubled.map(|(id, trouble)| Undelivered { request_id: id.clone(), trouble: trouble.clone() }).collect()
    }
}

/// Reads the open records of a cluster, unless that was done in this epoch.
pub(crate) async fn open<W: World>(lane: &Lane<W>, cluster: &str, epoch: u64) -> Result<(), LedgerError> {
    if lane.cluster.desk.epoch.get() == epoch && *lane.cluster.desk.cluster.borrow() == cluster {
        return Ok(());
    }
    let mattermost = lane.world.mattermost();
    // Looked up once, whether or not they are found.
    let mut channels: HashMap<Recipient, Option<String>> = HashMap::new();
    let complete = lane.cluster.desk.open.open(mattermost, cluster).await?;
    let read = stream::iter(lane.cluster.desk.open.ids())
        .map(|id| async move { (ledger::load(mattermost, cluster, &id).await, id) })
        .buffer_unordered(READERS);
    let mut read = std::pin::pin!(read);
    let mut cases = BTreeMap::new();
    let mut settled = BTreeMap::new();
    let mut left_over = Vec::new();
    lane.cluster.desk.resting.clear();
    while let Some((stored, id)) = read.next().await {
        if let Ok(Some(stored)) = &stored {
            lane.cluster.desk.resting.remember(&stored.record);
        }
        match stored {
            Ok(Some(stored)) if stored.record.is_finished() => {
                settled.insert(id, stored.record.outcome);
            }
            Ok(Some(stored)) => {
                // What is half done is read again by the worker that takes it up.
                let record = &stored.record;
                let known = record.requester_known || record.outcome != Outcome::Pending;
                let whole = known
                    && record.is_shown()
                    && !record.look_again
                    && !record.requester_due
                    && !record.digest.is_empty()
                    && record.is_disarmed()
                    && !deliver::has_to_replace(lane, record)
                    && record.postings.iter().all(|posting| deliver::is_settled(lane, record, posting));
                let mut everywhere = true;
                if stored.record.outcome == Outcome::Pending {
                    for recipient in lane.recipients_of(&stored.record.request) {
                        if !channels.contains_key(&recipient) {
                            let found = lane.recipients.channel(mattermost, &recipient).await;
                            let found = found.map_or_else(|error| error.archived, Some);
                            channels.insert(recipient.clone(), found);
                        }
                        let channel = channels.get(&recipient).and_then(Option::as_ref);
                        everywhere &= channel.is_some_and(|channel| stored.record.stands_in(channel));
                    }
                }
                if !whole || !everywhere {
                    left_over.push(id.clone());
                }
                cases.insert(id, Case { stored: whole.then_some(stored), ..Default::default() });
            }
            Ok(None) => {}
            // One bad record must not keep all others from being seen.
            Err(error @ LedgerError::Unreadable { .. }) => {
                lane.log(LogLevel::Error, &error.to_string(), &[("request", &id)])
            }
            Err(error) => return Err(error),
        }
    }
    lane.cluster.desk.due.borrow_mut().clear();
    *lane.cluster.desk.cases.borrow_mut() = cases;
    *lane.cluster.desk.settled.borrow_mut() = settled;
    *lane.cluster.desk.cluster.borrow_mut() = cluster.to_owned();
    lane.cluster.desk.epoch.set(epoch);
    for id in left_over {
        note(lane, &id, News::Ask);
    }
    if !complete {
        lane.world.spawn(Box::pin(adopt(lane.clone(), cluster.to_owned(), epoch)));
    }
    Ok(())
}

/// Puts the records of versions that had no index into it, once, by listing the store. Nothing waits for it: what Teleport
/// lists is taken up at once.
async fn adopt<W: World>(lane: Lane<W>, cluster: String, epoch: u64) {
    loop {
        let adopted = adopt_once(&lane, &cluster, epoch).await;
        let Err(error) = adopted else { return };
        let error = error.to_string();
        lane.log(LogLevel::Warn, "Records of an earlier version could not be read.", &[("error", &error)]);
        lane.world.sleep(LONGEST_WAIT).await;
        if lane.epoch.get() != epoch {
            return;
        }
    }
}

async fn adopt_once<W: World>(lane: &Lane<W>, cluster: &str, epoch: u64) -> Result<(), LedgerError> {
    let (mattermost, desk) = (lane.world.mattermost(), &lane.cluster.desk);
    let mut open = Vec::new();
    for id in ledger::ids(mattermost, cluster).await? {
        match ledger::load(mattermost, cluster, &id).await {
            Ok(Some(stored)) if !stored.record.is_finished() || stored.record.rests() => open.push(id),
            Ok(_) => {}
            Err(error @ LedgerError::Unreadable { .. }) => {
                lane.log(LogLevel::Error, &error.to_string(), &[("request", &id)])
            }
            Err(error) => return Err(error),
        }
        if lane.epoch.get() != epoch {
            return Ok(());
        }
    }
    desk.open.add(mattermost, &open).await?;
    if lane.epoch.get() != epoch {
        return Ok(());
    }
    let unknown = open.iter().filter(|id| !desk.cases.borrow().contains_key(*id)).cloned().collect::<Vec<_>>();
    unknown.iter().for_each(|id| note(lane, id, News::Ask));
    requests::open::set_complete(mattermost, cluster, true).await?;
    Ok(())
}

/// Compares a listing of all requests with what the desk knows. What is known and unchanged is not touched.
pub(crate) fn reconcile<W: World>(lane: &Lane<W>, requests: Vec<AccessRequest>) {
    let now = lane.world.now();
    let mut missing: HashSet<String> = {
        let cases = lane.cluster.desk.cases.borrow();
        let open = cases
            .iter()
            .filter(|(_, case)| case.stored.as_ref().is_some_and(|stored| stored.record.outcome == Outcome::Pending));
        open.map(|(id, _)| id.clone()).collect()
    };
    let listed: HashSet<String> = requests.iter().map(|request| request.id.clone()).collect();
    // Teleport does not change its mind about what it has forgotten.
    lane.cluster.desk.settled.borrow_mut().retain(|id, _| listed.contains(id));
    let mut decided = Vec::new();
    for request in requests {
        missing.remove(&request.id);
        let known = lane.cluster.desk.cases.borrow().get(&request.id).map(|case| {
            let same = |stored: &Stored| {
                let outcome = expiry::outcome(&request, Some(stored.record.outcome), now);
                stored.record.request == request && stored.record.outcome == outcome
            };
            case.stored.as_ref().is_some_and(same)
        });
        let settled = lane.cluster.desk.settled.borrow().get(&request.id).copied();
        let outcome = expiry::outcome(&request, settled, now);
        match (known, settled) {
            (Some(true), _) => {}
            // The watch may have told something newer than the listing.
            (Some(false), _) => note(lane, &request.id, News::Ask),
            (None, Some(settled)) if settled == outcome => {}
            (None, Some(_)) => note(lane, &request.id, News::Ask),
            (None, None) if outcome != Outcome::Pending => decided.push(request),
            (None, None) => note(lane, &request.id.clone(), News::Put(Box::new(request))),
        }
    }
    // Decided, expired or deleted while nobody looked: only Teleport can say which.
    for id in missing {
        note(lane, &id, News::Ask);
    }
    if !decided.is_empty() {
        lane.world.spawn(Box::pin(compare_decided(lane.clone(), decided, lane.epoch.get())));
    }
}

/// Looks whether decided requests are what their records say. What was decided before anybody saw it needs nobody's
/// attention.
async fn compare_decided<W: World>(lane: Lane<W>, decided: Vec<AccessRequest>, epoch: u64) {
    let (mattermost, desk) = (lane.world.mattermost(), &lane.cluster.desk);
    let cluster = desk.cluster.borrow().clone();
    let cluster = cluster.as_str();
    let read = stream::iter(decided)
        .map(|request| async move { (ledger::load(mattermost, cluster, &request.id).await, request) })
        .buffer_unordered(READERS);
    let mut read = std::pin::pin!(read);
    while let Some((stored, request)) = read.next().await {
        if lane.epoch.get() != epoch {
            return;
        }
        // The next listing comes soon where it cannot be read.
        let Ok(stored) = stored else { continue };
        let before = stored.as_ref().map(|stored| stored.record.outcome);
        let outcome = expiry::outcome(&request, before, lane.world.now());
        if stored.is_some_and(|stored| !stored.record.is_finished() || stored.record.outcome != outcome) {
            note(&lane, &request.id, News::Ask);
        } else {
            desk.settled.borrow_mut().insert(request.id, outcome);
        }
    }
}

/// Takes up records that the desk does not know of: a write whose answer was never seen may have landed since.
pub(crate) async fn rescan<W: World>(lane: &Lane<W>) -> Result<(), LedgerError> {
    reread(lane).await?;
    // Another plugin that changed posts may be gone by now.
    let altered = lane.cluster.desk.altered();
    // Other ones each time, where there are many.
    let begin = usize::try_from(lane.world.random()).unwrap_or_default() % altered.len().max(1);
    altered.iter().cycle().skip(begin).take(MOST_RETRIED.min(altered.len())).for_each(|id| check_posts(lane, id));
    refresh(lane);
    Ok(())
}

/// Has posts written again whose buttons are not those that they may have now: settings, thresholds or what admins have
/// accepted may have changed.
pub(crate) fn refresh<W: World>(lane: &Lane<W>) {
    let outdated: Vec<String> = {
        let cases = lane.cluster.desk.cases.borrow();
        let is_outdated = |case: &Case| {
            case.stored.as_ref().is_some_and(|stored| {
                let record = &stored.record;
                record.postings.iter().any(|posting| deliver::offers_less(lane, record, posting))
            })
        };
        cases.iter().filter(|(_, case)| is_outdated(case)).map(|(id, _)| id.clone()).collect()
    };
    outdated.iter().for_each(|id| note(lane, id, News::Ask));
}

/// Most posts changed by other plugins that are tried again at once.
const MOST_RETRIED: usize = 20;

/// Reads the records again that the index names and that the desk has no work with: a write of a process that died may have
/// landed since. Those that are finished leave the index, when such writes have had their time.
pub(crate) async fn reread<W: World>(lane: &Lane<W>) -> Result<(), LedgerError> {
    let (mattermost, desk) = (lane.world.mattermost(), &lane.cluster.desk);
    let cluster = desk.cluster.borrow().clone();
    let cluster = cluster.as_str();
    let is_known = |id: &str| desk.cases.borrow().contains_key(id);
    // Another process may have written the index.
    desk.open.refresh(mattermost).await?;
    let ids: Vec<String> = desk.open.ids().into_iter().filter(|id| !is_known(id)).collect();
    let read = stream::iter(ids)
        .map(|id| async move { (ledger::load(mattermost, cluster, &id).await, id) })
        .buffer_unordered(READERS);
    let mut read = std::pin::pin!(read);
    let mut finished = Vec::new();
    while let Some((stored, id)) = read.next().await {
        match stored {
            Ok(Some(stored)) if !stored.record.is_finished() => note(lane, &id, News::Ask),
            // Its posts are brought up to date when the channel is back.
            Ok(Some(stored)) if stored.record.rests() => {}
            Ok(_) => finished.push(id),
            Err(LedgerError::Unreadable { .. }) => {}
            Err(error) => return Err(error),
        }
    }
    desk.open.remove(mattermost, &finished, is_known).await?;
    // What was changed while nobody was there to hear of it.
    changed::look(lane);
    Ok(())
}

/// Has the index name a request before its record is written, and with it all that wait for the same.
async fn put_into_index<W: World>(lane: &Lane<W>, id: &str) -> Result<(), LedgerError> {
    let desk = &lane.cluster.desk;
    if desk.open.has(id) {
        return Ok(());
    }
    let mut ids: Vec<String> = desk.due.borrow().order.iter().cloned().collect();
    ids.push(id.to_owned());
    Ok(desk.open.add(lane.world.mattermost(), &ids).await?)
}

/// Writes a record, which the index names before. One that was `finished` may be on its way out of it.
async fn save<W: World>(lane: &Lane<W>, epoch: u64, stored: &mut Stored, finished: bool) -> Result<(), Failure> {
    let (mattermost, desk) = (lane.world.mattermost(), &lane.cluster.desk);
    let cluster = desk.cluster.borrow().clone();
    let id = stored.record.request.id.clone();
    put_into_index(lane, &id).await?;
    if finished {
        desk.open.reopen(mattermost, &id, lane.world.random()).await.map_err(LedgerError::from)?;
    }
    check(lane, epoch)?;
    Ok(ledger::save(mattermost, &cluster, stored, lane.settings().request_days).await?)
}

/// Takes an event of the watch.
pub(crate) fn hear<W: World>(lane: &Lane<W>, event: Event) {
    match event {
        Event::Init => {}
        Event::Put(request) => note(lane, &request.id.clone(), News::Put(request)),
        Event::Delete(id) => note(lane, &id, News::Ask),
    }
}

/// Takes notice of a decision made here, before the watch tells of it.
pub(crate) fn decided<W: World>(lane: &Lane<W>, cluster: &str, id: &str) {
    if *lane.cluster.desk.cluster.borrow() == cluster {
        note(lane, id, News::Ask);
    }
}

/// Where other nodes say which requests the leader should look at.
fn attention_key(cluster: &str) -> String {
    format!("attention:{cluster}")
}

/// Most requests that wait for attention; what is more is looked at with the next listing.
const MOST_ATTENTION: usize = 1_000;
/// When a call for attention is too old.
const ATTENTION_SECONDS: i64 = 3_600;

/// Has the leader compare a request's posts with what was written, and write them again where they differ.
pub(crate) async fn look_at<W: World>(app: &Rc<App<W>>, cluster: &str, id: &str) {
    // Written down in any case: settings that are saved in this moment begin everything anew.
    call_attention(app, cluster, id).await;
    let here = app.lanes().into_iter().find(|lane| app.leader.get() && *lane.cluster.desk.cluster.borrow() == cluster);
    if let Some(lane) = here {
        check_posts(&lane, id);
    }
}

/// Writes down that a request is to be looked at by whoever leads.
async fn call_attention<W: World>(app: &App<W>, cluster: &str, id: &str) {
    let mattermost = app.world.mattermost();
    for _ in 0..3 {
        let key = attention_key(cluster);
        let Ok(old) = mattermost.kv_get(&key).await else { return };
        let mut ids: Vec<String> = old.as_deref().and_then(|raw| serde_json::from_slice(raw).ok()).unwrap_or_default();
        if ids.len() >= MOST_ATTENTION || ids.iter().any(|waiting| waiting == id) {
            return;
        }
        ids.push(id.to_owned());
        let new = serde_json::to_vec(&ids).ok();
        if let Ok(true) = mattermost.kv_swap(Swap { key, old, new, expire_seconds: ATTENTION_SECONDS }).await {
            return;
        }
    }
}

/// Takes up what other nodes have called attention to, and posts whose channels are back.
pub(crate) async fn attend<W: World>(lane: &Lane<W>) {
    resting::look(lane);
    let mattermost = lane.world.mattermost();
    let key = attention_key(&lane.cluster.desk.cluster.borrow());
    let Ok(Some(old)) = mattermost.kv_get(&key).await else { return };
    let ids: Vec<String> = serde_json::from_slice(&old).unwrap_or_default();
    if let Ok(true) = mattermost.kv_swap(Swap { key, old: Some(old), new: None, expire_seconds: 0 }).await {
        ids.iter().for_each(|id| check_posts(lane, id));
    }
}

/// Hears of a change to a post, which may be of the request with this id.
pub(crate) fn heard<W: World>(lane: &Lane<W>, id: &str, change: &Change) {
    if lane.cluster.desk.busy.borrow().contains(id) {
        if let Some(case) = lane.cluster.desk.cases.borrow_mut().get_mut(id)
            && case.heard.len() < MOST_HEARD
        {
            case.heard.push(change.clone());
        }
        return;
    }
    let changes = &lane.cluster.desk.changes;
    let is_foreign =
        |case: &Case| case.stored.as_ref().is_some_and(|stored| changes.is_foreign(&stored.record, change));
    let found = {
        let cases = lane.cluster.desk.cases.borrow();
        match cases.get(id) {
            Some(case) => is_foreign(case).then(|| id.to_owned()),
            // Whoever changed it may have taken its props away.
            None => cases.iter().find(|(_, case)| is_foreign(case)).map(|(id, _)| id.clone()),
        }
    };
    if let Some(id) = found {
        check_posts(lane, &id);
    }
}

/// Takes up the changes that were heard of while a request was worked on.
fn take_heard<W: World>(lane: &Lane<W>, id: &str) {
    let heard = lane.cluster.desk.cases.borrow_mut().get_mut(id).map(|case| std::mem::take(&mut case.heard));
    heard.iter().flatten().for_each(|change| self::heard(lane, id, change));
}

/// Most changes to a request's posts that are kept while it is worked on.
const MOST_HEARD: usize = 20;

/// Tries again what could not be posted, without waiting for its turn.
pub(crate) fn try_again<W: World>(lane: &Lane<W>, id: &str) {
    if let Some(footing) = lane.cluster.desk.cases.borrow_mut().get_mut(id).and_then(|case| case.footing.as_mut()) {
        footing.refused.clear();
    }
    note(lane, id, News::Ask);
}

/// Has a request's posts compared with what was written.
pub(crate) fn check_posts<W: World>(lane: &Lane<W>, id: &str) {
    note(lane, id, News::Ask);
    if let Some(case) = lane.cluster.desk.cases.borrow_mut().get_mut(id) {
        case.check = true;
    }
}

/// Takes up what has become due by time alone: requests that should have expired, and reminders.
pub(crate) fn tick<W: World>(lane: &Lane<W>) {
    let now = lane.world.now();
    let settings = lane.settings();
    let overdue: Vec<String> = {
        let mut cases = lane.cluster.desk.cases.borrow_mut();
        let mut overdue = Vec::new();
        for (id, case) in cases.iter_mut() {
            let Some(stored) = &case.stored else { continue };
            let asked_lately = case.expiry_asked.is_some_and(|asked| now.since(asked) < EXPIRY_PAUSE && asked <= now);
            let expired = stored.record.request.expires.is_some_and(|expires| expires <= now);
            if stored.record.outcome == Outcome::Pending && expired && !asked_lately {
                case.expiry_asked = Some(now);
                overdue.push(id.clone());
            } else if stored.record.reminder_due(&settings.reminders, now).is_some() {
                overdue.push(id.clone());
            }
        }
        overdue
    };
    for id in overdue {
        note(lane, &id, News::Ask);
    }
    resting::look_at_all(lane);
}

/// Has a request looked at.
pub(crate) fn ask_for<W: World>(lane: &Lane<W>, id: &str) {
    note(lane, id, News::Ask);
}

/// Makes a request due.
fn note<W: World>(lane: &Lane<W>, id: &str, news: News) {
    {
        let mut cases = lane.cluster.desk.cases.borrow_mut();
        let case = cases.entry(id.to_owned()).or_default();
        // Asking is never wrong, and the answer may be newer than what is told.
        case.news = Some(if matches!(case.news, Some(News::Ask)) { News::Ask } else { news });
    }
    make_due(lane, id.to_owned());
}

fn make_due<W: World>(lane: &Lane<W>, id: String) {
    lane.cluster.desk.due.borrow_mut().push(id);
    if lane.cluster.desk.workers.get() < WORKERS {
        lane.cluster.desk.workers.set(lane.cluster.desk.workers.get() + 1);
        lane.world.spawn(Box::pin(work(lane.clone())));
    }
}

/// Works until nothing is due.
async fn work<W: World>(lane: Lane<W>) {
    while let Some(id) = take(&lane) {
        let epoch = lane.epoch.get();
        let done = handle(&lane, &id, epoch).await;
        lane.cluster.desk.busy.borrow_mut().remove(&id);
        if lane.epoch.get() == epoch {
            finish(&lane, &id, done);
            take_heard(&lane, &id);
        } else if lane.cluster.desk.cases.borrow().get(&id).is_some_and(|case| case.news.is_some()) {
            // The new epoch wanted it while it was in our hands.
            make_due(&lane, id);
        }
    }
    lane.cluster.desk.workers.set(lane.cluster.desk.workers.get() - 1);
}

/// The next request that is due and in nobody's hands.
fn take<W: World>(lane: &Lane<W>) -> Option<String> {
    let mut busy = lane.cluster.desk.busy.borrow_mut();
    let id = lane.cluster.desk.due.borrow_mut().take(|id| !busy.contains(id))?;
    busy.insert(id.clone());
    Some(id)
}

/// Takes a worker's result to the case.
fn finish<W: World>(lane: &Lane<W>, id: &str, done: Result<(), Failure>) {
    let retry = {
        let mut cases = lane.cluster.desk.cases.borrow_mut();
        let Some(case) = cases.get_mut(id) else { return };
        match done {
            Ok(()) => {
                case.failures = 0;
                case.trouble = None;
                let over = case.stored.as_ref().is_none_or(|stored| stored.record.is_finished());
                if case.news.is_some() {
                    Some(Duration::ZERO)
                } else {
                    if over {
                        let settled = cases.remove(id).and_then(|case| case.stored);
                        if let Some(settled) = settled {
                            lane.cluster.desk.changes.forget(&settled.record);
                            lane.cluster.desk.settled.borrow_mut().insert(id.to_owned(), settled.record.outcome);
                        }
                    }
                    None
                }
            }
            Err(Failure::Superseded) => return,
            Err(Failure::Early) => {
                case.news.get_or_insert(News::Ask);
                Some(FIRST_WAIT)
            }
            Err(failure) => {
                case.failures = case.failures.saturating_add(1);
                // What stands in the store may be different from what we think.
                case.stored = None;
                case.news.get_or_insert(News::Ask);
                let text = failure.to_string();
                if case.trouble.as_ref() != Some(&text) {
                    lane.log(LogLevel::Warn, &text, &[("request", id)]);
                }
                case.trouble = Some(text);
                let wait = FIRST_WAIT.saturating_mul(1 << case.failures.saturating_sub(1).min(16)).min(LONGEST_WAIT);
                Some(wait)
            }
        }
    };
    match retry {
        None => {}
        Some(Duration::ZERO) => make_due(lane, id.to_owned()),
        Some(wait) => {
            let (lane, id, epoch) = (lane.clone(), id.to_owned(), lane.epoch.get());
            let jitter = Duration::from_millis(lane.world.random() % 250);
            let sleep = lane.world.sleep(wait + jitter);
            let world = lane.clone();
            world.world.spawn(Box::pin(async move {
                sleep.await;
                if lane.epoch.get() == epoch {
                    make_due(&lane, id);
                }
            }));
        }
    }
}

/// Fails once the epoch is over. Asked before every effect.
fn check<W: World>(lane: &Lane<W>, epoch: u64) -> Result<(), Failure> {
    if lane.epoch.get() == epoch && lane.leader.get() { Ok(()) } else { Err(Failure::Superseded) }
}

/// Brings one request's posts in line with what Teleport says.
async fn handle<W: World>(lane: &Lane<W>, id: &str, epoch: u64) -> Result<(), Failure> {
    check(lane, epoch)?;
    let cluster = lane.cluster.desk.cluster.borrow().clone();
    let (news, stored, check_posts) = {
        let mut cases = lane.cluster.desk.cases.borrow_mut();
        let case = cases.entry(id.to_owned()).or_default();
        (case.news.take(), case.stored.clone(), std::mem::take(&mut case.check))
    };
    let mattermost = lane.world.mattermost();
    let seems_new = matches!(&news, Some(News::Put(request)) if request.state == State::Pending);
    let (stored, half_done) = match stored {
        Some(stored) => (Some(stored), false),
        None => {
            // What seems new is mostly new: both are done at once.
            let index = async { if seems_new { put_into_index(lane, id).await } else { Ok(()) } };
            let (stored, indexed) = futures::join!(ledger::load(mattermost, &cluster, id), index);
            let stored = stored?;
            indexed?;
            // Somebody was at it before, and calls of theirs may still be on their way.
            let half_done = stored.as_ref().is_some_and(|stored| !stored.record.is_shown());
            (stored, half_done)
        }
    };
    check(lane, epoch)?;
    let Some((request, outcome)) = learn(lane, id, news, stored.as_ref()).await? else { return Ok(()) };
    // Nobody can have voted on what stands nowhere.
    let ballot = match &stored {
        Some(_) => load_ballot(mattermost, &cluster, id).await?.ballot,
        None => Ballot::default(),
    };
    check(lane, epoch)?;
    if ballot.is_about_to_be_known(&request, lane.world.now()) {
        return Err(Failure::Early);
    }
    if ballot.is_betrayed(&cluster, &request) && deliver::undo(lane, &request).await.map_err(Failure::Posting)? {
        // Looked at again after a while, whatever Teleport says that it has done.
        return Err(Failure::Posting("what Teleport granted was not decided here, and was denied".to_owned()));
    }
    check(lane, epoch)?;

    let mut stored = match stored {
        Some(stored) => stored,
        // What was decided before anybody saw it needs nobody's attention.
        None if outcome != Outcome::Pending => return Ok(()),
        None => {
            lane.counters.request_seen();
            Stored::from(Record::new(request.clone()))
        }
    };
    let was_finished = stored.record.is_finished();
    let now = lane.world.now();
    let settings = lane.settings();
    let record = &mut stored.record;
    // What is decided was decided on what was shown: that stays its digest, whatever the decision made of the request.
    let shown = match outcome {
        Outcome::Pending => digest::of_request(&cluster, &request),
        _ => record.digest.clone(),
    };
    let mut changed =
        record.request != request || record.outcome != outcome || record.ballot != ballot || record.digest != shown;
    let resolved = record.outcome != outcome && outcome != Outcome::Pending;
    if changed {
        (record.ballot, record.digest) = (ballot, shown);
        if outcome != record.outcome {
            lane.counters.request_settled(outcome);
        }
        record.requester_known &= record.request.user == request.user;
        record.take_request(request, outcome);
        record.revision += 1;
        record.settled_at = (outcome != Outcome::Pending).then(|| record.settled_at.unwrap_or(now));
    }
    let look = (record.look_again || half_done) && waited(lane, id, half_done);
    if look {
        record.look_again = false;
        // A post that somebody deleted may have a copy that stands.
        record.postings.iter_mut().for_each(|posting| (posting.shown, posting.gone) = (0, false));
    } else if half_done {
        record.look_again = true;
    }
    changed |= look || half_done;
    // What is back is there again for all that follows: an earlier bot may have posted it.
    let mut rested = lane.cluster.desk.resting.settle(record);
    changed |= deliver::retire(lane, record, now);
    changed |= deliver::replace_deleted(lane, record, now);
    let (fresh, unreachable) =
        if outcome == Outcome::Pending { intend(lane, record, now).await } else { Default::default() };
    rested.add(lane.cluster.desk.resting.settle(record));
    changed |= !fresh.is_empty() || rested.changed;
    if let Some(minutes) = record.reminder_due(&settings.reminders, now) {
        record.reminded.push(minutes);
        changed = true;
    }
    let before = (record.postings.len(), record.requester_due);
    let untold = intend_telling(lane, record, now).await.err();
    changed |= before != (record.postings.len(), record.requester_due);
    let site = deliver::site(lane, record);
    let (in_threads, to_requester) = (messages::news(record), messages::news_for_requester(&site, record));
    let unheard =
        |posting: &Posting| posting.requester && to_requester.iter().any(|news| !posting.told.contains(&news.key));
    // Whoever turned the messages off after the first hears no more, also not later of what happened meanwhile.
    if record.postings.len() == before.0 && record.postings.iter().any(unheard) && has_muted(lane, record).await {
        for posting in record.postings.iter_mut().filter(|posting| posting.requester) {
            let unheard = to_requester.iter().filter(|news| !posting.told.contains(&news.key));
            let keys: Vec<String> = unheard.map(|news| news.key.clone()).collect();
            posting.told.extend(keys);
        }
        changed = true;
    }
    for posting in &mut record.postings {
        let news = if posting.requester { &to_requester } else { &in_threads };
        // At the second look all of it is looked for, lest it stands there twice.
        let untold = news.iter().map(|news| &news.key).filter(|key| look || !posting.told.contains(key));
        let telling: Vec<String> = untold.cloned().collect();
        changed |= telling != posting.telling;
        // What was about to be told before Teleport changed its mind may stand there.
        let overtaken = std::mem::replace(&mut posting.telling, telling);
        for key in overtaken {
            if !posting.telling.contains(&key) && !posting.told.contains(&key) {
                posting.told.push(key);
            }
        }
    }
    check(lane, epoch)?;
    if resolved {
        audit::outcome(lane, &cluster, &stored.record).await.map_err(LedgerError::from)?;
        check(lane, epoch)?;
    }
    if changed {
        save(lane, epoch, &mut stored, was_finished).await?;
    }
    keep(lane, id, epoch, &stored);

    let mut failed = unreachable;
    failed.extend(untold);
    let mut refused = Vec::new();
    let before = stored.record.clone();
    for index in 0..stored.record.postings.len() {
        check(lane, epoch)?;
        let record = stored.record.clone();
        let Some(posting) = stored.record.postings.get_mut(index) else { break };
        if posting.rests.is_some() {
            continue;
        }
        let look = look || rested.back.contains(&posting.channel_id);
        if check_posts && let Err(error) = deliver::mend(lane, &record, posting, now).await {
            failed.push(error);
            if let Some(case) = lane.cluster.desk.cases.borrow_mut().get_mut(id) {
                case.check = true;
            }
        }
        let known = if fresh.contains(&posting.channel_id) {
            Known::Nothing
        } else if look || posting.post_id.is_none() {
            Known::Maybe
        } else {
            Known::All
        };
        let mut done = show(lane, &cluster, &record, posting, known).await;
        if done.is_ok() {
            done = tell(lane, &cluster, &record, posting, look || half_done).await;
        }
        // What had to be shown in the thread first may be approved now.
        if done.is_ok() && !posting.requester && !posting.gone && deliver::offers_less(lane, &record, posting) {
            posting.shown = 0;
            done = show(lane, &cluster, &record, posting, Known::All).await;
        }
        if done.is_ok() && look {
            done = thin_out(lane, &cluster, &record, posting).await;
        }
        // What was not answered may have been done.
        if let Err(error) = done
            && (matches!(error, HostError::Unavailable(_)) || !resting::lies_down(lane, id, posting).await)
        {
            refused.extend(footing::refused(posting, &error));
            failed.push(error.to_string());
        }
    }
    if deliver::is_to_be_replaced(lane, &before, &stored.record) {
        ask_for(lane, id);
    }
    let nowhere = resting::stands_nowhere(&stored.record);
    failed.extend(nowhere.map(|why| format!("it can be seen nowhere: {}", why.in_words())));
    check(lane, epoch)?;
    if let Some(case) = lane.cluster.desk.cases.borrow_mut().get_mut(id) {
        case.footing = Footing::of(&stored.record, refused);
    }
    if failed.is_empty()
        && let Err(error) = deliver::disarm(lane, &mut stored.record).await
    {
        failed.push(error.to_string());
    }
    // After the posts: they do not wait for it, and a click meanwhile asks itself.
    failed.extend(links::first_seen(lane, &mut stored.record).await.err());
    check(lane, epoch)?;
    if stored.record != before {
        save(lane, epoch, &mut stored, false).await?;
    }
    keep(lane, id, epoch, &stored);
    if failed.is_empty() { Ok(()) } else { Err(Failure::Posting(failed.join("; "))) }
}

/// Resolves on telling the requester, as soon as there is something to tell and where they want to hear it. Whether that
/// can be done must not keep the posts from being made. The error is one that may pass.
async fn intend_telling<W: World>(lane: &Lane<W>, record: &mut Record, now: Time) -> Result<(), String> {
    let settings = lane.settings();
    let anything = !record.request.reviews.is_empty() || !matches!(record.outcome, Outcome::Pending | Outcome::Deleted);
    if !settings.notify_requesters || !anything || record.postings.iter().any(|posting| posting.requester) {
        record.requester_due = false;
        return Ok(());
    }
    let found = requesters_channel(lane, record).await;
    record.requester_due = matches!(&found, Err(error) if error.may_pass());
    match found {
        Ok(None) => Ok(()),
        Ok(Some(channel_id)) => {
            record.postings.push(Posting { requester: true, ..Posting::new(channel_id, now) });
            Ok(())
        }
        Err(error) if record.requester_due => Err(format!("the requester cannot be told: {error}")),
        Err(error) => {
            lane.log(LogLevel::Warn, "The requester cannot be told.", &[("error", &error.to_string())]);
            Ok(())
        }
    }
}

/// The requester's direct channel with the bot; none where they are not known here, or do not want to hear.
async fn requesters_channel<W: World>(lane: &Lane<W>, record: &Record) -> Result<Option<String>, identity::Unknown> {
    match requester(lane, record).await? {
        Some((user_id, true)) => {
            Ok(Some(lane.world.mattermost().get_channel(ChannelBy::DirectUserId(user_id)).await?.id))
        }
        _ => Ok(None),
    }
}

/// Whether the requester is known and does not want to hear.
async fn has_muted<W: World>(lane: &Lane<W>, record: &Record) -> bool {
    matches!(requester(lane, record).await, Ok(Some((_, false))))
}

/// The id of the requester's account, and whether they want to hear; none where they are not known here.
async fn requester<W: World>(lane: &Lane<W>, record: &Record) -> Result<Option<(String, bool)>, identity::Unknown> {
    let Some(way) = lane.cluster.way.borrow().clone() else { return Ok(None) };
    let (settings, mattermost) = (lane.settings(), lane.world.mattermost());
    let (directory, now) = (&lane.cluster.directory, lane.world.now());
    let place = identity::Place { settings: &settings, cluster: &way.cluster, directory, now };
    match identity::account(mattermost, &way.teleport, &place, &record.request.user).await? {
        Some(account) => Ok(Some((account.id.clone(), notices::wants(lane, &account.id).await?))),
        None => Ok(None),
    }
}

/// Whether calls that were under way when nobody saw their answers have had their time. The first question starts the
/// wait, and so does every `anew`. Counted in the process's own time: clocks jump.
fn waited<W: World>(lane: &Lane<W>, id: &str, anew: bool) -> bool {
    let wait = {
        let mut cases = lane.cluster.desk.cases.borrow_mut();
        let Some(case) = cases.get_mut(id) else { return false };
        if !anew && case.waited {
            (case.waiting, case.waited) = (false, false);
            return true;
        }
        if !anew && case.waiting {
            return false;
        }
        (case.waiting, case.waited) = (true, false);
        case.wait += 1;
        case.wait
    };
    let (lane, id, epoch) = (lane.clone(), id.to_owned(), lane.epoch.get());
    let world = lane.clone();
    world.world.spawn(Box::pin(async move {
        lane.world.sleep(LANDING).await;
        if lane.epoch.get() != epoch {
            return;
        }
        let over = lane.cluster.desk.cases.borrow_mut().get_mut(&id).is_some_and(|case| {
            case.waited = case.waiting && case.wait == wait;
            case.waited
        });
        if over {
            note(&lane, &id, News::Ask);
        }
    }));
    false
}

/// Keeps the record as it now stands in the store.
fn keep<W: World>(lane: &Lane<W>, id: &str, epoch: u64, stored: &Stored) {
    if lane.epoch.get() == epoch
        && let Some(case) = lane.cluster.desk.cases.borrow_mut().get_mut(id)
    {
        case.stored = Some(stored.clone());
    }
}

/// What the request is and has come to; none where there is nothing to do.
async fn learn<W: World>(
    lane: &Lane<W>,
    id: &str,
    news: Option<News>,
    stored: Option<&Stored>,
) -> Result<Option<(AccessRequest, Outcome)>, Failure> {
    let known = stored.map(|stored| &stored.record);
    let told = match news {
        None => return Ok(None),
        // A listing or a late event may be older than what is known: decided requests do not become pending again.
        Some(News::Put(request)) => {
            let stale =
                request.state == State::Pending && known.is_some_and(|record| record.outcome != Outcome::Pending);
            let fewer = known.is_some_and(|record| record.request.reviews.len() > request.reviews.len());
            if stale || fewer { None } else { Some(request) }
        }
        Some(News::Ask) => None,
    };
    let before = known.map(|record| record.outcome);
    if let Some(request) = told {
        let outcome = expiry::outcome(&request, before, lane.world.now());
        return Ok(Some((*request, outcome)));
    }
    let way = lane.cluster.way.borrow().clone();
    let Some(way) = way else { return Err(Failure::Superseded) };
    if let Some(request) = way.teleport.get(id).await? {
        let outcome = expiry::outcome(&request, before, lane.world.now());
        return Ok(Some((request, outcome)));
    }
    let is_over = |record: &Record| expiry::vanished(&record.request, lane.world.now()) == Outcome::Expired;
    // What Teleport does not show is gone only where it would be shown.
    if known.is_some_and(|record| record.outcome == Outcome::Pending && !is_over(record))
        && let Some(cure) = not_shown(&way.teleport).await?
    {
        return Err(TeleportError::Denied(cure.to_owned()).into());
    }
    Ok(known.map(|record| {
        let outcome = match record.outcome {
            Outcome::Pending => expiry::vanished(&record.request, lane.world.now()),
            // A deletion after a decision keeps the decision.
            settled => settled,
        };
        (record.request.clone(), outcome)
    }))
}

/// Adds a posting for every recipient that has none. Answers the channels added, and what cannot be reached.
async fn intend<W: World>(lane: &Lane<W>, record: &mut Record, now: Time) -> (HashSet<String>, Vec<String>) {
    let mut fresh = HashSet::new();
    let mut unreachable = Vec::new();
    let recipients = lane.recipients_of(&record.request);
    for recipient in &recipients {
        match lane.recipients.channel(lane.world.mattermost(), recipient).await {
            Ok(channel_id) => {
                if !record.stands_in(&channel_id) {
                    fresh.insert(channel_id.clone());
                    let bot = lane.host.borrow().bot_user_id.clone();
                    record.postings.push(Posting { bot, ..Posting::new(channel_id, now) });
                }
            }
            // Its post rests from the start.
            Err(Unreachable { archived: Some(channel_id), .. }) => {
                lane.cluster.desk.resting.add(&channel_id, Rest::Archived, &record.request.id);
                if !record.stands_in(&channel_id) {
                    let bot = lane.host.borrow().bot_user_id.clone();
                    record.postings.push(Posting { bot, ..Posting::new(channel_id, now) });
                }
            }
            Err(error) => unreachable.push(error.to_string()),
        }
    }
    if recipients.is_empty() {
        unreachable.push("no recipients are set".to_owned());
    }
    (fresh, unreachable)
}

/// What may stand in a channel for a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Known {
    /// Nobody has tried to post there.
    Nothing,
    /// Somebody may have: look.
    Maybe,
    /// The one post that is written down.
    All,
}

/// Makes one post exist and show the record.
async fn show<W: World>(
    lane: &Lane<W>,
    cluster: &str,
    record: &Record,
    posting: &mut Posting,
    known: Known,
) -> Result<(), HostError> {
    // Where only the thread lags behind, the post is let be.
    if posting.gone || (posting.post_id.is_some() && posting.shown == record.revision) {
        return Ok(());
    }
    if posting.requester {
        // Nothing stands for the request there but what is told.
        posting.shown = record.revision;
        return Ok(());
    }
    if known == Known::Maybe {
        let found = sole(lane, cluster, record, posting, None).await?;
        if found.is_some() && found != posting.post_id {
            // A copy takes the place of a post that somebody deleted: its thread is another.
            posting.told.clear();
            posting.parts.clear();
        }
        posting.post_id = found.or(posting.post_id.take());
    }
    if posting.post_id.is_none() && record.outcome != Outcome::Pending {
        // It was settled before it could be posted: there is nothing left to decide. But a post that somebody tried to
        // make may still appear, so it is written off only at the second look.
        posting.gone = !record.look_again;
        return Ok(());
    }
    deliver::write(lane, cluster, record, posting).await
}

/// Puts the news that are to be told into the post's thread, or tells the requester. `maybe`: they may stand there already.
async fn tell<W: World>(
    lane: &Lane<W>,
    cluster: &str,
    record: &Record,
    posting: &mut Posting,
    maybe: bool,
) -> Result<(), HostError> {
    if posting.gone {
        posting.telling.clear();
        return Ok(());
    }
    let (root_id, all) = match &posting.post_id {
        _ if posting.requester => (String::new(), messages::news_for_requester(&deliver::site(lane, record), record)),
        Some(post_id) => (post_id.clone(), messages::news(record)),
        None => return Ok(()),
    };
    for news in all {
        if !posting.telling.contains(&news.key) {
            continue;
        }
        let found = if maybe { sole(lane, cluster, record, posting, Some(&news.key)).await? } else { None };
        let reply = messages::reply(cluster, record, &news);
        let reply = Post { channel_id: posting.channel_id.clone(), root_id: root_id.clone(), ..reply };
        let is_part = news.key.starts_with(messages::PART);
        if let Some(post_id) = found {
            if is_part {
                deliver::keep_part(lane, posting, &news.key, &post_id, reply).await?;
            }
        } else if !posting.told.contains(&news.key) {
            // What was told and is not there any more was deleted by somebody, and only parts of the request come again.
            let again = posting.repairs.len();
            // In each thread: the one before may have been told the same a moment ago, under another bot.
            let pending_id = format!("{}:{}:{root_id}:{}:{again}", record.request.id, posting.channel_id, news.key);
            match lane.world.mattermost().create_post(reply.clone(), pending_id).await {
                Ok(made) if is_part => deliver::keep_part(lane, posting, &news.key, &made.id, reply).await?,
                Ok(_) => {}
                Err(error @ HostError::Unavailable(_)) => return Err(error),
                // The post may have been deleted since, and its thread with it. A requester that cannot be told is let be.
                Err(error) if !posting.requester && !is_deleted(lane.world.mattermost(), &root_id).await? => {
                    return Err(error);
                }
                Err(_) => {
                    posting.gone = true;
                    posting.telling.clear();
                    return Ok(());
                }
            }
        }
        posting.telling.retain(|key| *key != news.key);
        if !posting.told.contains(&news.key) {
            posting.told.push(news.key);
        }
    }
    posting.telling.clear();
    deliver::drop_stale_parts(lane, record, posting).await
}

/// Whether a post is not there any more.
pub(crate) async fn is_deleted<M: Mattermost>(mattermost: &M, post_id: &str) -> Result<bool, HostError> {
    match mattermost.get_post(post_id).await {
        Ok(post) => Ok(post.delete_at != 0),
        Err(HostError::NotFound(_)) => Ok(true),
        Err(unknown) => Err(unknown),
    }
}

/// Takes away copies of news that are of the past, because Teleport changed its mind.
async fn thin_out<W: World>(
    lane: &Lane<W>,
    cluster: &str,
    record: &Record,
    posting: &Posting,
) -> Result<(), HostError> {
    let news = messages::news(record);
    let stale = |key: &&String| !key.starts_with(messages::PART) && news.iter().all(|news| news.key != **key);
    for key in posting.told.iter().filter(stale) {
        sole(lane, cluster, record, posting, Some(key)).await?;
    }
    Ok(())
}

/// Finds the one post that stands for the request in a channel, or that tells certain news in its thread, made by this
/// process or by one that did not live to write it down. Should there be several, one stays: the one that is written
/// down, else the oldest.
async fn sole<W: World>(
    lane: &Lane<W>,
    cluster: &str,
    record: &Record,
    posting: &Posting,
    news: Option<&str>,
) -> Result<Option<String>, HostError> {
    let mattermost = lane.world.mattermost();
    let since = posting.intent_at.minus(CLOCK_SKEW);
    let mut found: Vec<Post> = mattermost
        .list_bot_posts(&posting.channel_id, since.0, "")
        .await?
        .into_iter()
        .filter(|post| {
            let prop = |name: &str| post.props.get(name).map(String::as_str);
            post.delete_at == 0
                && prop(messages::REQUEST_PROP) == Some(&record.request.id)
                && prop(messages::CLUSTER_PROP) == Some(cluster)
                && prop(messages::NEWS_PROP) == news
                && (news.is_none() || posting.post_id.as_deref().unwrap_or_default() == post.root_id)
        })
        .collect();
    found.sort_by_key(|post| (posting.post_id.as_ref() != Some(&post.id), post.create_at, post.id.clone()));
    let mut found = found.into_iter().map(|post| post.id);
    let stays = found.next();
    for copy in found {
        mattermost.delete_post(&copy).await?;
    }
    Ok(stays)
}
