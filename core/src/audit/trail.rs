//! Writes the chain of this process: links in pages, each a value of the key-value store that is written once and never
//! changed. What is written at the same time shares a page.

use std::cell::{Cell, RefCell};
use std::collections::VecDeque;
use std::time::Duration;

use futures::channel::oneshot;
use futures::lock::Mutex;

use super::chain::{Head, Tail};
use super::entry::Entry;
use super::index;
use crate::mattermost::{HostError, Mattermost as _, Swap};
use crate::world::World;

/// Most links of a page, and about how many bytes.
const MOST_LINKS: usize = 100;
const MOST_BYTES: usize = 200_000;
/// How often a page is tried where an earlier one that was given up stands in its place.
const TRIES: u32 = 3;
/// A clock that is set back by more than that begins a new chain: in one chain, times never go back.
const SET_BACK: Duration = Duration::from_secs(3_600);

/// An entry that waits to be written.
struct Waiting {
    entry: String,
    answer: oneshot::Sender<Result<(), HostError>>,
}

/// What the writer knows of its chain.
#[derive(Default)]
struct Writer {
    tail: Option<Tail>,
    /// The last page that stands in the store.
    page: u64,
    /// The last day that the index names this chain for.
    day: Option<i64>,
}

/// The chain of this process.
#[derive(Default)]
pub(super) struct Trail {
    writer: Mutex<Writer>,
    queue: RefCell<VecDeque<Waiting>>,
    /// The end of the chain, and its last page.
    position: RefCell<Option<(Head, u64)>>,
    /// Whether the chain names the ends of the others.
    pub(super) names_others: Cell<bool>,
}

impl Trail {
    /// Writes an entry down, kept for so many days. Whoever comes first writes for all who wait.
    ///
    /// # Errors
    /// Where it is not certain that it stands in the store. It may come to stand there all the same.
    pub(super) async fn append<W: World>(&self, world: &W, days: u32, entry: &Entry) -> Result<(), HostError> {
        let entry = serde_json::to_string(entry).map_err(|error| HostError::Invalid(error.to_string()))?;
        let (answer, mut answered) = oneshot::channel();
        self.queue.borrow_mut().push_back(Waiting { entry, answer });
        loop {
            let mut writer = self.writer.lock().await;
            match answered.try_recv() {
                Ok(Some(answer)) => return answer,
                // Whoever had it went away in the middle of it.
                Err(_) => return Err(HostError::Unavailable("the write was given up".to_owned())),
                Ok(None) => {}
            }
            let batch = self.batch();
            let entries: Vec<&str> = batch.iter().map(|waiting| waiting.entry.as_str()).collect();
            let written = writer.write(world, days, &entries).await;
            *self.position.borrow_mut() = writer.tail.as_ref().and_then(Tail::head).map(|head| (head, writer.page));
            for waiting in batch {
                let _ = waiting.answer.send(written.clone());
            }
        }
    }

    /// What fits on the next page.
    fn batch(&self) -> Vec<Waiting> {
        let mut queue = self.queue.borrow_mut();
        let (mut batch, mut bytes) = (Vec::new(), 0);
        while batch.len() < MOST_LINKS && bytes < MOST_BYTES {
            let Some(next) = queue.pop_front() else { break };
            bytes += next.entry.len();
            batch.push(next);
        }
        batch
    }

    /// The name of this process's chain and its last page: what is written next comes after that.
    pub(super) async fn place<W: World>(&self, world: &W) -> Result<(String, u64), HostError> {
        let mut writer = self.writer.lock().await;
        let tail = match writer.tail.take() {
            Some(tail) => tail,
            None => Tail::new(name(world)?),
        };
        let chain = tail.chain().to_owned();
        writer.tail = Some(tail);
        Ok((chain, writer.page))
    }

    /// The end of this process's chain, and the page that it is on; none before its first link.
    pub(super) fn position(&self) -> Option<(Head, u64)> {
        self.position.borrow().clone()
    }
}

impl Writer {
    /// Writes a page.
    async fn write<W: World>(&mut self, world: &W, days: u32, entries: &[&str]) -> Result<(), HostError> {
        let mattermost = world.mattermost();
        let now = world.now();
        let tail = match self.tail.take() {
            Some(tail) if tail.at() <= now.plus(SET_BACK) => tail,
            _ => {
                *self = Self::default();
                Tail::new(name(world)?)
            }
        };
        let at = tail.at().max(now);
        let chain = tail.chain().to_owned();
        self.tail = Some(tail);
        let day = index::day_of(at);
        if self.day != Some(day) {
            index::enter(mattermost, day, &chain, self.page + 1, days).await?;
            self.day = Some(day);
        }
        for _ in 0..TRIES {
            let Some(mut tail) = self.tail.clone() else { break };
            let lines: Vec<String> = entries.iter().filter_map(|entry| tail.append(now, entry)).collect();
            let (key, raw) = (index::page_key(&chain, self.page + 1), lines.join("\n").into_bytes());
            let swap =
                Swap { key: key.clone(), old: None, new: Some(raw.clone()), expire_seconds: index::kept_seconds(days) };
            let failed = match mattermost.kv_swap(swap).await {
                Ok(true) => None,
                Ok(false) => Some("something else was written in its place".to_owned()),
                // An answer that was lost says nothing about the write: look.
                Err(HostError::Unavailable(text)) => Some(text),
                Err(error) => return Err(error),
            };
            let stands = match &failed {
                None => Some(raw.clone()),
                Some(_) => mattermost.kv_get(&key).await?,
            };
            match (stands, failed) {
                (Some(stands), _) if stands == raw => {
                    (self.tail, self.page) = (Some(tail), self.page + 1);
                    return Ok(());
                }
                // A page that was given up has landed late. It is part of the chain now.
                (Some(stands), _) => self.adopt(&stands)?,
                (None, failed) => return Err(HostError::Unavailable(failed.unwrap_or_default())),
            }
        }
        Err(HostError::Unavailable("the chain cannot be continued".to_owned()))
    }

    /// Goes on after a page that stands in the store already.
    fn adopt(&mut self, stands: &[u8]) -> Result<(), HostError> {
        let lines = String::from_utf8_lossy(stands);
        let follows = self.tail.as_mut().is_some_and(|tail| lines.lines().all(|line| tail.adopt(line)));
        if follows {
            self.page += 1;
            return Ok(());
        }
        // It is none of ours: somebody has tampered with the store. A new chain begins; this one can be seen to be broken.
        *self = Self::default();
        Err(HostError::Invalid("the chain was continued by somebody else".to_owned()))
    }
}

/// A name that nobody else has and nobody can guess.
pub(super) fn name<W: World>(world: &W) -> Result<String, HostError> {
    let number = world.secret().ok_or(HostError::Unavailable("the host has no random numbers".to_owned()))?;
    Ok(format!("{number:016x}"))
}
