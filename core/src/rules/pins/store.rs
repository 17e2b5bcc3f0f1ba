//! Where pins are kept: one document, changed by compare-and-set, and for a moment the entries that a save brings.

use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

use super::{Pin, Pins};
use crate::mattermost::{HostError, Mattermost, Swap};
use crate::time::Time;

/// Where all pins stand.
const KEY: &str = "pins";
/// Where entries stand that a save has just brought.
const SAVING: &str = "pins:saving";
/// How long the settings may take from the check to all nodes.
const SAVING_SECONDS: i64 = 120;
/// The version of the document.
const VERSION: u32 = 1;
/// Most pins that are kept, those of entries that are gone included.
const MOST_PINS: usize = 6_000;
/// How often a change is tried while others change the same.
const TRIES: u32 = 8;

#[derive(Debug, Serialize, Deserialize)]
struct Document {
    version: u32,
    pins: BTreeMap<String, Pin>,
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    renamed: BTreeMap<String, String>,
}

/// An entry that a save brings, and what it means.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Through {
    pub(super) key: String,
    pub(super) pin: Pin,
}

/// The pins as they stand; none where nothing has been pinned ever.
pub(super) async fn read<M: Mattermost>(mattermost: &M) -> Result<(Option<Vec<u8>>, Pins), HostError> {
    let raw = mattermost.kv_get(KEY).await?;
    let Some(bytes) = &raw else { return Ok((None, Pins::default())) };
    let unreadable = |why: String| HostError::Invalid(format!("the pins cannot be read ({why})"));
    let document: Document = serde_json::from_slice(bytes).map_err(|error| unreadable(error.to_string()))?;
    if document.version > VERSION {
        return Err(unreadable("a newer version of the plugin wrote them".to_owned()));
    }
    Ok((raw, Pins { entries: document.pins, renamed: document.renamed }))
}

/// The pins as they stand now.
///
/// # Errors
/// Where they cannot be read: nobody counts then.
pub async fn load<M: Mattermost>(mattermost: &M) -> Result<Pins, HostError> {
    read(mattermost).await.map(|(_, pins)| pins)
}

/// Writes changed pins if nobody else was faster.
pub(super) async fn write<M: Mattermost>(mattermost: &M, old: Option<Vec<u8>>, pins: &Pins) -> Result<bool, HostError> {
    let document = Document { version: VERSION, pins: pins.entries.clone(), renamed: pins.renamed.clone() };
    let new = serde_json::to_vec(&document).map_err(|error| HostError::Invalid(error.to_string()))?;
    mattermost.kv_swap(Swap { key: KEY.to_owned(), old, new: Some(new), expire_seconds: 0 }).await
}

/// Drops pins of entries that are gone, oldest first, until the rest fits.
pub(super) fn prune(pins: &mut Pins, present: &[String]) {
    pins.renamed.retain(|key, _| present.contains(key));
    let excess = pins.entries.len().saturating_sub(MOST_PINS);
    if excess == 0 {
        return;
    }
    let mut gone: Vec<(Time, String)> =
        pins.entries.iter().filter(|(key, _)| !present.contains(key)).map(|(key, pin)| (pin.at, key.clone())).collect();
    gone.sort();
    for (_, key) in gone.into_iter().take(excess) {
        pins.entries.remove(&key);
    }
}

/// Changes the pins; `change` says whether there is anything to change, and is asked again where somebody was faster.
pub(super) async fn change<M: Mattermost>(
    mattermost: &M,
    mut change: impl FnMut(&mut Pins) -> bool,
) -> Result<bool, HostError> {
    for _ in 0..TRIES {
        let (old, mut pins) = read(mattermost).await?;
        if !change(&mut pins) {
            return Ok(false);
        }
        if write(mattermost, old, &pins).await? {
            return Ok(true);
        }
    }
    Err(HostError::Unavailable("the pins are being changed by others".to_owned()))
}

/// The entries that saves of the last two minutes brought.
pub(super) async fn saving<M: Mattermost>(
    mattermost: &M,
    now: Time,
) -> Result<(Option<Vec<u8>>, Vec<Through>), HostError> {
    let raw = mattermost.kv_get(SAVING).await?;
    let mut through: Vec<Through> =
        raw.as_deref().and_then(|bytes| serde_json::from_slice(bytes).ok()).unwrap_or_default();
    // The store clears it away late.
    through.retain(|through| now.since(through.pin.at).as_secs() < SAVING_SECONDS.unsigned_abs());
    Ok((raw, through))
}

/// Remembers for a moment what the entries mean that are about to be saved, so that they are pinned once they are.
///
/// # Errors
/// Where it could not be written: the entries are then pinned when they are seen.
pub async fn let_through<M: Mattermost>(
    mattermost: &M,
    now: Time,
    brought: Vec<(super::Entry, Pin)>,
) -> Result<(), HostError> {
    if brought.is_empty() {
        return Ok(());
    }
    for _ in 0..TRIES {
        let (old, mut through) = saving(mattermost, now).await?;
        for (entry, pin) in &brought {
            let key = entry.key();
            through.retain(|through| through.key != key);
            through.push(Through { key, pin: pin.clone() });
        }
        let excess = through.len().saturating_sub(super::MOST_ENTRIES);
        let new = through.split_off(excess.min(through.len()));
        let new = serde_json::to_vec(&new).map_err(|error| HostError::Invalid(error.to_string()))?;
        let swap = Swap { key: SAVING.to_owned(), old, new: Some(new), expire_seconds: SAVING_SECONDS };
        if mattermost.kv_swap(swap).await? {
            return Ok(());
        }
    }
    Err(HostError::Unavailable("others are saving at the same time".to_owned()))
}
