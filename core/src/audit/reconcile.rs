//! Attempts of which the trail does not say what came of them: the plugin died, or never heard. Teleport is asked what the
//! request is now.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::rc::Rc;
use std::time::Duration;

use super::entry::{Entry, Result};
use super::{chain, index, log, write};
use crate::app::{App, NoWay};
use crate::mattermost::HostError;
use crate::messages;
use crate::session::not_shown;
use crate::teleport::{AccessRequest, State, Teleport as _};
use crate::time::Time;
use crate::world::World;

/// How long an attempt may be under way. Longer than any decision takes.
const UNDER_WAY: Duration = Duration::from_secs(600);
/// Days that are looked at.
const DAYS: i64 = 3;
/// Pages of one chain that are looked at, from its end.
const MOST_PAGES: u64 = 2_000;
/// Attempts that Teleport is asked about at a time.
const MOST_ASKED: usize = 20;

/// What was read so far.
#[derive(Debug, Default)]
pub(super) struct Open {
    /// The next page by chain.
    next: BTreeMap<String, u64>,
    /// Attempts without an end, by their ids, and when they were written.
    open: HashMap<String, (Time, Entry)>,
    /// Ends whose beginnings have not been read yet.
    ended: HashSet<String>,
}

impl Open {
    fn take(&mut self, at: Time, entry: Entry) {
        if entry.id.is_empty() || self.ended.contains(&entry.id) {
            return;
        }
        match entry.result {
            Result::Begun | Result::Uncertain => {
                self.open.insert(entry.id.clone(), (at, entry));
            }
            Result::Reconciled => {
                self.open.remove(&entry.id);
                self.ended.insert(entry.id);
            }
            Result::Decided | Result::Voted | Result::Failed => {
                if self.open.remove(&entry.id).is_none() {
                    self.ended.insert(entry.id);
                }
            }
            Result::Refused | Result::Settled | Result::Noted | Result::Started | Result::Checkpoint => {}
        }
    }

    /// Reads what was written since the last time.
    async fn read<W: World>(&mut self, app: &App<W>) -> core::result::Result<(), HostError> {
        let mattermost = app.world.mattermost();
        let today = index::day_of(app.world.now());
        for day in today - DAYS + 1..=today + 1 {
            for (name, first) in index::day(mattermost, day).await?.chains {
                if self.next.contains_key(&name) {
                    continue;
                }
                let last = index::head(mattermost, &name, first).await?.map_or(first, |(_, page)| page);
                self.next.insert(name, first.max(last.saturating_sub(MOST_PAGES)));
            }
        }
        for (name, next) in self.next.clone() {
            let mut number = next;
            while let Some(lines) = index::page(mattermost, &name, number).await? {
                for (text, link) in lines.iter().filter_map(|line| chain::split(line)) {
                    if let Ok(entry) = serde_json::from_str(&text) {
                        self.take(link.at, entry);
                    }
                }
                number += 1;
                self.next.insert(name.clone(), number);
            }
        }
        let oldest = Time((today - DAYS + 1) * index::DAY);
        self.open.retain(|_, (at, _)| *at >= oldest);
        Ok(())
    }
}

/// Writes down what became of attempts that have no end.
pub(super) async fn run<W: World>(
    app: &Rc<App<W>>,
    seen: &mut Open,
    epoch: u64,
) -> core::result::Result<(), HostError> {
    seen.read(app).await?;
    let now = app.world.now();
    let is_left = |at: Time| at.plus(UNDER_WAY) <= now;
    let left = seen.open.values().filter(|(at, _)| is_left(*at)).map(|(_, entry)| entry.clone());
    for entry in left.take(MOST_ASKED).collect::<Vec<_>>() {
        let Some(detail) = ask(app, &entry).await else { continue };
        if app.epoch.get() != epoch || !app.leader.get() {
            return Ok(());
        }
        let entry = Entry { result: Result::Reconciled, detail, ..entry };
        log(app, &entry);
        write(app, &entry).await?;
        seen.take(now, entry);
    }
    Ok(())
}

/// What Teleport says of an attempt's request; none while it cannot be asked.
async fn ask<W: World>(app: &Rc<App<W>>, entry: &Entry) -> Option<String> {
    let way = match app.way(&entry.cluster).await {
        Ok((_, way)) => way,
        Err(NoWay::Unknown) => {
            return Some(
                "The plugin is not connected to this cluster any more, so Teleport could not be asked.".to_owned(),
            );
        }
        Err(NoWay::Down(_)) => return None,
    };
    let request = way.teleport.get(&entry.request_id).await.ok()?;
    // Asked again later, while the plugin's user may not see requests.
    if request.is_none() && not_shown(&way.teleport).await.ok()?.is_some() {
        return None;
    }
    Some(says(request.as_ref()))
}

fn says(request: Option<&AccessRequest>) -> String {
    match request {
        None => "Asked later, Teleport has no such request any more: it has expired or was deleted.".to_owned(),
        Some(request) if request.state == State::Pending => {
            format!("Asked later, Teleport says that the request is pending, with {} reviews.", request.reviews.len())
        }
        Some(request) => {
            let verdict = format!("{:?}", request.state).to_lowercase();
            format!("Asked later, Teleport says that the request is {verdict}{}.", messages::by(request, None))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn entry(id: &str, result: Result) -> Entry {
        Entry { id: id.into(), ..Entry::new(Time(0), "bob", result) }
    }

    #[test]
    fn an_attempt_is_open_until_its_end_is_read_whichever_comes_first() {
        let mut seen = Open::default();
        seen.take(Time(0), entry("a", Result::Begun));
        seen.take(Time(0), entry("b", Result::Begun));
        seen.take(Time(0), entry("a", Result::Decided));
        // The end is in a chain that is read earlier.
        seen.take(Time(0), entry("c", Result::Reconciled));
        seen.take(Time(0), entry("c", Result::Begun));
        seen.take(Time(0), entry("c", Result::Uncertain));
        seen.take(Time(0), entry("", Result::Begun));
        assert_eq!(seen.open.keys().collect::<Vec<_>>(), ["b"]);
        // That nobody knows is not an end.
        seen.take(Time(0), entry("b", Result::Uncertain));
        assert_eq!(seen.open.len(), 1);
        seen.take(Time(0), entry("b", Result::Reconciled));
        assert!(seen.open.is_empty());
    }
}
