//! Channels, teams and accounts that are called something else than the settings say. Requests are posted by ids, so that goes
//! on; the admins are told once, and the settings page says the new name.

use std::collections::BTreeMap;

use sha2::{Digest as _, Sha256};

use super::{Entry, Kind, Pin, Pins, entries, store};
use crate::app::App;
use crate::mattermost::{ChannelBy, HostError, LogLevel, Mattermost, UserBy};
use crate::messages::code;
use crate::notices;
use crate::world::World;

/// What something is called that requests are posted to, where that is not what the entry says; none also where it is gone.
///
/// # Errors
/// Where Mattermost cannot be asked.
pub(super) async fn called<M: Mattermost>(
    mattermost: &M,
    entry: &Entry,
    pin: Option<&Pin>,
) -> Result<Option<String>, HostError> {
    let Some(pin) = pin.filter(|pin| entry.is_destination() && !pin.id.is_empty()) else { return Ok(None) };
    let name = match entry.kind {
        Kind::Channel => channel_name(mattermost, &pin.id).await,
        Kind::User => mattermost.get_user(UserBy::Id(pin.id.clone())).await.map(|user| {
            let is_there = user.delete_at == 0 && !user.username.is_empty();
            if is_there { format!("@{}", user.username) } else { String::new() }
        }),
        _ => return Ok(None),
    };
    match name {
        Ok(name) => Ok(Some(name).filter(|name| !name.is_empty() && name.to_lowercase() != entry.to_string())),
        Err(HostError::NotFound(_) | HostError::Invalid(_)) => Ok(None),
        Err(error) => Err(error),
    }
}

/// A channel as it is written in the settings; empty where it has no such name.
async fn channel_name<M: Mattermost>(mattermost: &M, id: &str) -> Result<String, HostError> {
    let channel = mattermost.get_channel(ChannelBy::Id(id.to_owned())).await?;
    if channel.team_id.is_empty() || channel.name.is_empty() {
        return Ok(String::new());
    }
    let team = mattermost.get_team(&channel.team_id).await?;
    Ok(if team.name.is_empty() { String::new() } else { format!("{}/{}", team.name, channel.name) })
}

/// What has changed of the names that were told, by the entries' keys: new ones, and without a name those that are as the
/// settings say again.
fn news(told: &BTreeMap<String, String>, now: &[(Entry, Option<String>)]) -> Vec<(Entry, String)> {
    let differs = |(entry, name): &&(Entry, Option<String>)| told.get(&entry.key()) != name.as_ref();
    now.iter().filter(differs).map(|(entry, name)| (entry.clone(), name.clone().unwrap_or_default())).collect()
}

/// Tells the admins of names that are others now. Whoever writes down that they were told tells them.
pub(super) async fn tell<W: World>(app: &App<W>, pins: &Pins) {
    let mattermost = app.world.mattermost();
    let mut now = Vec::new();
    for entry in entries(&app.settings()).into_iter().filter(Entry::is_destination) {
        // What cannot be asked now is asked a minute later.
        let Ok(name) = called(mattermost, &entry, pins.get(&entry)).await else { continue };
        now.push((entry, name));
    }
    if news(&pins.renamed, &now).is_empty() {
        return;
    }
    let mut told = Vec::new();
    let written = store::change(mattermost, |pins| {
        told = news(&pins.renamed, &now);
        for (entry, name) in &told {
            if name.is_empty() {
                pins.renamed.remove(&entry.key());
            } else {
                pins.renamed.insert(entry.key(), name.clone());
            }
        }
        !told.is_empty()
    });
    if !matches!(written.await, Ok(true)) {
        return;
    }
    for (entry, name) in told.iter().filter(|(_, name)| !name.is_empty()) {
        let text = format!(
            "ℹ️ The settings of Teleport access requests name {}, which is called {} now. Requests are still posted there. Write the new name into the settings when you next change them.",
            code(&entry.to_string()),
            code(name)
        );
        app.log(LogLevel::Warn, &text, &[]);
        notices::tell_admins(app, &notice_key(entry, name), &text).await;
    }
}

/// What the notice goes by: short, as the names may be longer together than a key of the store.
fn notice_key(entry: &Entry, name: &str) -> String {
    let hash = Sha256::digest(format!("{}\n{name}", entry.key()));
    let hash: String = hash.iter().take(16).map(|byte| format!("{byte:02x}")).collect();
    format!("renamed:{hash}")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::key;

    #[test]
    fn each_new_name_is_told_once() {
        let entry = Entry::new(key::RECIPIENTS, Kind::Channel, "ops/one");
        let as_told = |name: &str| BTreeMap::from([(entry.key(), name.to_owned())]);
        let now = |name: Option<&str>| vec![(entry.clone(), name.map(str::to_owned))];
        let told = |name: &str| vec![(entry.clone(), name.to_owned())];
        assert_eq!(news(&BTreeMap::new(), &now(None)), []);
        assert_eq!(news(&BTreeMap::new(), &now(Some("ops/two"))), told("ops/two"));
        assert_eq!(news(&as_told("ops/two"), &now(Some("ops/two"))), []);
        assert_eq!(news(&as_told("ops/two"), &now(Some("ops/three"))), told("ops/three"));
        assert_eq!(news(&as_told("ops/two"), &now(None)), told(""), "it has its name again");
    }

    #[test]
    fn the_longest_names_make_a_key_that_the_store_takes() {
        let name = format!("{}/{}", "t".repeat(64), "c".repeat(64));
        let entry = Entry::new(key::RECIPIENTS, Kind::Channel, &name);
        assert!(notice_key(&entry, &name).len() < 100);
        assert_ne!(notice_key(&entry, "ops/two"), notice_key(&entry, "ops/three"));
    }
}
