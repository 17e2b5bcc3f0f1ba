//! Finds entries without listing the store's keys: a day names the chains that wrote on it and the page that each began
//! with; pages of a chain are numbered.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use futures::StreamExt;
use futures::stream;
use serde::{Deserialize, Serialize};

use super::chain::{self, Head, Link};
use super::entry::{self, Entry, Result as EntryResult};
use crate::mattermost::{HostError, Mattermost, Swap};
use crate::time::Time;

/// A day in milliseconds, and in seconds.
pub(super) const DAY: i64 = 86_400_000;
const DAY_SECONDS: i64 = 86_400;
/// Days that values are kept beyond the set ones: a day is shown as long as it is to be kept, and a checkpoint that stands
/// for what goes away is always there by then.
const SPARE_DAYS: i64 = 3;
/// Values read at once.
const READERS: usize = 8;
/// Days looked up at once.
const DAYS_AT_ONCE: usize = 16;
/// Lines that are handed over at once.
const CHUNK: usize = 256;
/// How often an entry of the index is tried against other writers.
const TRIES: u32 = 8;

const PAGE: &str = "trail:";
const DAY_INDEX: &str = "trail-day:";
const OLD_INDEX: &str = "trail-old:";
/// Keys of entries that earlier versions wrote.
pub(super) const OLD: &str = "audit:";

/// The day of a moment, counted from 1970.
pub(super) fn day_of(time: Time) -> i64 {
    time.0.div_euclid(DAY)
}

/// The name of a day, such as `2026-01-31`.
pub(super) fn day_name(day: i64) -> String {
    Time(day.saturating_mul(DAY)).to_string().chars().take_while(|letter| *letter != ' ').collect()
}

/// Where a page stands.
pub(super) fn page_key(chain: &str, page: u64) -> String {
    format!("{PAGE}{chain}:{page}")
}

/// How long a value stands that is to be kept for so many days.
pub(super) fn kept_seconds(days: u32) -> i64 {
    (i64::from(days) + SPARE_DAYS) * DAY_SECONDS
}

/// Where the keys of a day's entries of earlier versions stand, in parts.
pub(super) fn old_key(day: i64, part: u64) -> String {
    format!("{OLD_INDEX}{}:{part}", day_name(day))
}

/// What was written on a day.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Day {
    /// The first page of the day by chain.
    pub(super) chains: BTreeMap<String, u64>,
}

/// Writes down that a chain writes on a day, from this page on.
pub(super) async fn enter<M: Mattermost>(
    mattermost: &M,
    day: i64,
    chain: &str,
    page: u64,
    days: u32,
) -> Result<(), HostError> {
    let key = format!("{DAY_INDEX}{}", day_name(day));
    for _ in 0..TRIES {
        let old = mattermost.kv_get(&key).await?;
        let mut stands: Day = old.as_deref().and_then(|raw| serde_json::from_slice(raw).ok()).unwrap_or_default();
        if stands.chains.contains_key(chain) {
            return Ok(());
        }
        stands.chains.insert(chain.to_owned(), page);
        let new = serde_json::to_vec(&stands).map_err(|error| HostError::Invalid(error.to_string()))?;
        let swap = Swap { key: key.clone(), old, new: Some(new), expire_seconds: kept_seconds(days) };
        if mattermost.kv_swap(swap).await? {
            return Ok(());
        }
    }
    Err(HostError::Unavailable("the index of the day is being written by others".to_owned()))
}

/// What was written on a day.
pub(super) async fn day<M: Mattermost>(mattermost: &M, day: i64) -> Result<Day, HostError> {
    let raw = mattermost.kv_get(&format!("{DAY_INDEX}{}", day_name(day))).await?;
    Ok(raw.and_then(|raw| serde_json::from_slice(&raw).ok()).unwrap_or_default())
}

/// The lines of a page; none where it does not stand there.
pub(super) async fn page<M: Mattermost>(
    mattermost: &M,
    chain: &str,
    page: u64,
) -> Result<Option<Vec<String>>, HostError> {
    let raw = mattermost.kv_get(&page_key(chain, page)).await?;
    Ok(raw.map(|raw| String::from_utf8_lossy(&raw).lines().map(str::to_owned).collect()))
}

/// The link of a line.
fn link(line: &str) -> Option<Link> {
    chain::split(line).map(|(_, link)| link)
}

/// The last page of a chain, found from one that stands there, in few steps: as long as `fits`.
async fn last_page<M: Mattermost>(
    mattermost: &M,
    chain: &str,
    first: u64,
    fits: impl Fn(&Link) -> bool,
) -> Result<Option<(u64, Vec<String>)>, HostError> {
    let look = async |number: u64| -> Result<Option<Vec<String>>, HostError> {
        let lines = page(mattermost, chain, number).await?;
        Ok(lines.filter(|lines| lines.last().and_then(|line| link(line)).is_some_and(|link| fits(&link))))
    };
    let Some(mut lines) = look(first).await? else { return Ok(None) };
    let (mut known, mut step) = (first, 1);
    let mut beyond = loop {
        match look(known + step).await? {
            Some(found) => (known, lines, step) = (known + step, found, step * 2),
            None => break known + step,
        }
    };
    while known + 1 < beyond {
        let middle = known + (beyond - known) / 2;
        match look(middle).await? {
            Some(found) => (known, lines) = (middle, found),
            None => beyond = middle,
        }
    }
    Ok(Some((known, lines)))
}

/// The end of a chain that wrote on a day from this page on, and its page.
pub(super) async fn head<M: Mattermost>(
    mattermost: &M,
    chain: &str,
    first: u64,
) -> Result<Option<(Head, u64)>, HostError> {
    let Some((number, lines)) = last_page(mattermost, chain, first, |_| true).await? else { return Ok(None) };
    let head = |link: Link| Head { chain: link.chain, seq: link.seq, time: link.at, hash: link.hash };
    Ok(lines.last().and_then(|line| link(line)).map(|link| (head(link), number)))
}

/// The keys of a day's entries of earlier versions, oldest first.
async fn old_keys<M: Mattermost>(mattermost: &M, day: i64) -> Result<BTreeSet<String>, HostError> {
    let mut keys = BTreeSet::new();
    for part in 0.. {
        let Some(raw) = mattermost.kv_get(&old_key(day, part)).await? else { break };
        keys.extend(serde_json::from_slice::<Vec<String>>(&raw).unwrap_or_default());
    }
    Ok(keys)
}

/// Where lines come from.
enum Source {
    /// Pages of a chain from this one on, while they are of the day.
    Pages { chain: String, next: u64 },
    /// Entries of earlier versions.
    Keys(VecDeque<String>),
}

/// Lines of one source in order.
struct Cursor {
    source: Source,
    ended: bool,
    lines: VecDeque<(Time, String)>,
}

impl Cursor {
    /// Reads on where nothing is left.
    async fn fill<M: Mattermost>(&mut self, mattermost: &M, day: i64) -> Result<(), HostError> {
        while self.lines.is_empty() && !self.ended {
            match &mut self.source {
                Source::Pages { chain, next } => {
                    let (from, name) = (*next, chain.as_str());
                    *next += READERS as u64;
                    let read = stream::iter(from..*next).map(|number| page(mattermost, name, number));
                    let pages: Vec<_> = read.buffered(READERS).collect().await;
                    for read in pages {
                        let Some(lines) = read? else {
                            self.ended = true;
                            break;
                        };
                        for line in lines {
                            // What is no link was put there by somebody else, and is shown to those who verify.
                            let at = link(&line).map_or(Time(day * DAY), |link| link.at);
                            if day_of(at) > day {
                                self.ended = true;
                            } else if day_of(at) == day {
                                self.lines.push_back((at, line));
                            }
                        }
                    }
                }
                Source::Keys(keys) => {
                    let some: Vec<String> = keys.drain(..keys.len().min(READERS)).collect();
                    self.ended = keys.is_empty();
                    let read = stream::iter(some).map(|key| async move {
                        (mattermost.kv_get(&format!("{OLD}{key}")).await, old_time(&key).unwrap_or(Time(0)))
                    });
                    let values: Vec<_> = read.buffered(READERS).collect().await;
                    for (read, time) in values {
                        if let Some(raw) = read? {
                            self.lines.push_back((time, String::from_utf8_lossy(&raw).into_owned()));
                        }
                    }
                }
            }
        }
        Ok(())
    }
}

/// When an entry of an earlier version was written, by the rest of its key; none where it is no such key.
pub(super) fn old_time(rest: &str) -> Option<Time> {
    let (time, nonce) = rest.split_once(':')?;
    let digits = time.len() >= 14 && time.bytes().all(|byte| byte.is_ascii_digit());
    let hex = nonce.len() == 16 && nonce.bytes().all(|byte| byte.is_ascii_hexdigit());
    if digits && hex { time.parse().ok().map(Time) } else { None }
}

/// Reads a period, oldest lines first.
pub(super) struct Reader<'a, M: Mattermost> {
    mattermost: &'a M,
    from: Time,
    to: Time,
    day: i64,
    days: VecDeque<i64>,
    cursors: Vec<Cursor>,
}

impl<'a, M: Mattermost> Reader<'a, M> {
    /// Reads from a moment on and before another.
    pub(super) fn new(mattermost: &'a M, from: Time, to: Time) -> Self {
        let last = if to <= from { i64::MIN } else { day_of(Time(to.0.saturating_sub(1))) };
        Self { mattermost, from, to, day: day_of(from), days: (day_of(from)..=last).collect(), cursors: Vec::new() }
    }

    /// The next lines; none: that was all.
    pub(super) async fn next(&mut self) -> Result<Option<Vec<String>>, HostError> {
        loop {
            let mut chunk = Vec::new();
            while chunk.len() < CHUNK {
                for cursor in &mut self.cursors {
                    cursor.fill(self.mattermost, self.day).await?;
                }
                self.cursors.retain(|cursor| !cursor.lines.is_empty());
                let first = self.cursors.iter_mut().min_by_key(|cursor| cursor.lines.front().map(|(at, _)| *at));
                let Some((at, line)) = first.and_then(|cursor| cursor.lines.pop_front()) else { break };
                if self.from <= at && at < self.to {
                    chunk.push(line);
                }
            }
            if !chunk.is_empty() {
                return Ok(Some(chunk));
            }
            if !self.turn().await? {
                return Ok(None);
            }
        }
    }

    /// Goes to the next day with anything in it; false: there is none.
    async fn turn(&mut self) -> Result<bool, HostError> {
        while !self.days.is_empty() {
            let some: Vec<i64> = self.days.iter().copied().take(DAYS_AT_ONCE).collect();
            let looked = look(self.mattermost, &some).await?;
            for (day, found, keys) in looked {
                self.days.pop_front();
                let pages = found.chains.into_iter().map(|(chain, next)| Source::Pages { chain, next });
                let keys = (!keys.is_empty()).then(|| Source::Keys(keys.into_iter().collect()));
                let cursor = |source| Cursor { source, ended: false, lines: VecDeque::new() };
                self.cursors = pages.chain(keys).map(cursor).collect();
                if !self.cursors.is_empty() {
                    self.day = day;
                    return Ok(true);
                }
            }
        }
        Ok(false)
    }
}

/// What stands on some days, in their order.
async fn look<M: Mattermost>(mattermost: &M, days: &[i64]) -> Result<Vec<(i64, Day, BTreeSet<String>)>, HostError> {
    let read = stream::iter(days.to_vec()).map(|number| async move {
        Ok::<_, HostError>((number, day(mattermost, number).await?, old_keys(mattermost, number).await?))
    });
    let looked: Vec<Result<_, HostError>> = read.buffered(READERS).collect().await;
    looked.into_iter().collect()
}

/// The last lines of a chain on a day, at most about so many, with their times.
async fn last_lines<M: Mattermost>(
    mattermost: &M,
    day: i64,
    chain: &str,
    first: u64,
    most: usize,
) -> Result<Vec<(Time, Entry)>, HostError> {
    let mut found = Vec::new();
    let Some((mut number, mut lines)) = last_page(mattermost, chain, first, |link| day_of(link.at) <= day).await?
    else {
        return Ok(found);
    };
    loop {
        for line in lines.iter().rev() {
            let Some((text, link)) = chain::split(line) else { continue };
            let Ok(entry) = serde_json::from_str::<Entry>(&text) else { continue };
            if !matches!(entry.result, EntryResult::Started | EntryResult::Checkpoint) && day_of(link.at) == day {
                found.push((link.at, entry));
            }
        }
        if found.len() >= most || number <= first {
            return Ok(found);
        }
        number -= 1;
        match page(mattermost, chain, number).await? {
            Some(before) => lines = before,
            None => return Ok(found),
        }
    }
}

/// The newest entries of what people did and what requests came to, newest first, not older than `oldest`.
pub(super) async fn newest<M: Mattermost>(
    mattermost: &M,
    now: Time,
    oldest: Time,
    most: usize,
) -> Result<Vec<Entry>, HostError> {
    // The beginning of an attempt and what came of it are two. Other nodes' clocks may be ahead.
    let enough = most * 2;
    let days: Vec<i64> = (day_of(oldest)..=day_of(now) + 1).rev().collect();
    let mut found: Vec<(Time, Entry)> = Vec::new();
    for some in days.chunks(DAYS_AT_ONCE) {
        for (day, index, keys) in look(mattermost, some).await? {
            for (chain, first) in &index.chains {
                found.extend(last_lines(mattermost, day, chain, *first, enough).await?);
            }
            for key in keys.iter().rev().take(enough) {
                let raw = mattermost.kv_get(&format!("{OLD}{key}")).await?;
                let entry = raw.and_then(|raw| serde_json::from_slice::<Entry>(&raw).ok());
                found.extend(entry.map(|entry| (entry.time, entry)));
            }
            if found.len() >= enough {
                break;
            }
        }
        if found.len() >= enough {
            break;
        }
    }
    found.sort_by_key(|(at, _)| *at);
    let mut entries = entry::merged(found.into_iter().map(|(_, entry)| entry));
    entries.reverse();
    entries.truncate(most);
    Ok(entries)
}
