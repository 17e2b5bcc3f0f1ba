//! Entries that earlier versions wrote, each under a key of its own with its time. They are found once, by listing the
//! store slowly in the background, and from then on through an index by days.

use std::collections::BTreeMap;
use std::time::Duration;

use super::index;
use crate::app::App;
use crate::mattermost::{self, HostError, LogLevel, Mattermost as _, Swap};
use crate::world::World;

/// Stands in the store once all of them are in the index.
const DONE: &str = "trail-old-done";
/// Keys that are listed at once, as many as a page of the store has. Each page costs the database as much as all pages before it.
const LISTED: i32 = 1_000;
/// The pause after each page, in which clicks and posts have the database to themselves.
const PAUSE: Duration = Duration::from_millis(250);
/// Keys that are remembered before they are written.
const REMEMBERED: usize = 20_000;
/// Keys in one part of the index.
const PART: usize = 2_000;

/// Puts the entries of earlier versions into the index, unless that has been done. Begins again where it was cut short;
/// keys that stand in the index twice do no harm.
///
/// # Errors
/// Where the store cannot be read or written.
pub(super) async fn index<W: World>(app: &App<W>, epoch: u64) -> Result<(), HostError> {
    let store = app.world.mattermost();
    if store.kv_get(DONE).await?.is_some() {
        return Ok(());
    }
    let (mut found, mut remembered, mut all) = (BTreeMap::<i64, Vec<String>>::new(), 0, 0_u64);
    for page in 0.. {
        let keys = store.kv_list(page, LISTED).await?;
        let is_last =
            keys.len() < usize::try_from(LISTED).unwrap_or_default() || mattermost::is_past(&keys, index::OLD);
        for rest in keys.iter().filter_map(|key| key.strip_prefix(index::OLD)) {
            if let Some(time) = index::old_time(rest) {
                found.entry(index::day_of(time)).or_default().push(rest.to_owned());
                (remembered, all) = (remembered + 1, all + 1);
            }
        }
        if remembered >= REMEMBERED || is_last {
            for (day, keys) in std::mem::take(&mut found) {
                for part in keys.chunks(PART) {
                    write(app, day, part).await?;
                }
            }
            remembered = 0;
        }
        if is_last {
            break;
        }
        app.world.sleep(PAUSE).await;
        if app.epoch.get() != epoch {
            return Ok(());
        }
    }
    let swap = Swap { key: DONE.to_owned(), old: None, new: Some(b"done".to_vec()), expire_seconds: 0 };
    // Another leader may have been at it as well.
    store.kv_swap(swap).await?;
    if all > 0 {
        let all = all.to_string();
        app.log(LogLevel::Info, "Audit entries of an earlier version are indexed.", &[("entries", &all)]);
    }
    Ok(())
}

/// Writes keys of one day as its next part.
async fn write<W: World>(app: &App<W>, day: i64, keys: &[String]) -> Result<(), HostError> {
    let raw = serde_json::to_vec(keys).map_err(|error| HostError::Invalid(error.to_string()))?;
    let expire_seconds = index::kept_seconds(app.settings().audit_days);
    for part in 0.. {
        let key = index::old_key(day, part);
        match app.world.mattermost().kv_get(&key).await? {
            // What was written before it was cut short.
            Some(stands) if stands == raw => return Ok(()),
            Some(_) => continue,
            None => {}
        }
        let swap = Swap { key, old: None, new: Some(raw.clone()), expire_seconds };
        if app.world.mattermost().kv_swap(swap).await? {
            return Ok(());
        }
    }
    Ok(())
}
