//! What is done for the trail in the background, once a minute: by every node for its own chain, and by the leader for all.

use std::collections::BTreeMap;
use std::rc::Rc;
use std::time::Duration;

use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};

use super::chain::{self, Head};
use super::entry::{Entry, Result};
use super::{index, log, new_id, noted, old, reconcile, write};
use crate::app::App;
use crate::bridge::Bridge as _;
use crate::config::Recipient;
use crate::mattermost::{HostError, LogLevel, Mattermost as _, Post, Swap};
use crate::messages::code;
use crate::time::Time;
use crate::world::World;

/// How often it is looked what is to be done.
const ROUND: Duration = Duration::from_secs(60);
/// How often the ends of the chains are signed, where anything was written.
const CHECKPOINTS: Duration = Duration::from_secs(3_600);
/// How often it is looked for attempts without an end, in rounds.
const RECONCILED: u64 = 5;
/// Chains that one entry names.
const MOST_HEADS: usize = 200;
/// Days back in which other chains are looked for.
const DAYS: i64 = 7;

/// Where it stands which checkpoint was the last.
const CHECKPOINT: &str = "trail-checkpoint";
/// Where it stands what the settings were.
const SETTINGS: &str = "trail-settings";

/// Does it until the settings or the leadership change.
pub(crate) async fn keep<W: World>(app: Rc<App<W>>, epoch: u64) {
    let mut seen = reconcile::Open::default();
    let mut trouble = String::new();
    for round in 0_u64.. {
        app.world.sleep(ROUND).await;
        if app.epoch.get() != epoch {
            return;
        }
        let done = do_round(&app, &mut seen, epoch, round).await;
        let text = done.err().map(|error| error.to_string()).unwrap_or_default();
        if !text.is_empty() && text != trouble {
            app.log(LogLevel::Warn, "The audit trail could not be kept up. It is tried again.", &[("error", &text)]);
        }
        trouble = text;
    }
}

async fn do_round<W: World>(
    app: &Rc<App<W>>,
    seen: &mut reconcile::Open,
    epoch: u64,
    round: u64,
) -> core::result::Result<(), HostError> {
    let counted = write_counts(app).await;
    name_others(app).await?;
    if app.leader.get() {
        note_settings(app).await?;
        checkpoint(app).await?;
        if round.is_multiple_of(RECONCILED) {
            reconcile::run(app, seen, epoch).await?;
        }
        if app.epoch.get() == epoch {
            old::index(app, epoch).await?;
        }
    }
    counted
}

/// Writes down how many attempts were refused that are not kept one by one.
async fn write_counts<W: World>(app: &App<W>) -> core::result::Result<(), HostError> {
    let due = app.audit.refusals.due(app.world.now());
    // At the same time, so that they share a page.
    let written = due.into_iter().map(|entry| async move {
        let entry = Entry { id: new_id(app).unwrap_or_default(), ..entry };
        log(app, &entry);
        let written = write(app, &entry).await;
        if written.is_err() {
            app.audit.refusals.restore(entry);
        }
        written
    });
    futures::future::join_all(written).await.into_iter().collect()
}

/// The ends of the chains that were written on a day or later.
async fn heads<W: World>(app: &App<W>, since: i64) -> core::result::Result<Vec<Head>, HostError> {
    let mattermost = app.world.mattermost();
    let today = index::day_of(app.world.now());
    let mut first = BTreeMap::new();
    for day in (since..=today + 1).rev() {
        for (chain, page) in index::day(mattermost, day).await?.chains {
            if first.len() < MOST_HEADS {
                // The newest day is nearest to the end.
                first.entry(chain).or_insert(page);
            }
        }
    }
    let own = app.audit.trail.position().map(|(head, _)| head);
    let mut heads = Vec::new();
    for (chain, page) in first {
        // Nobody else writes to our own chain: what is known of it is surer than what stands in the store.
        match &own {
            Some(own) if own.chain == chain => heads.push(own.clone()),
            _ => heads.extend(index::head(mattermost, &chain, page).await?.map(|(head, _)| head)),
        }
    }
    Ok(heads)
}

/// Names the ends of the other chains in our own, once it has begun: should a whole chain be deleted, this shows it.
async fn name_others<W: World>(app: &App<W>) -> core::result::Result<(), HostError> {
    let Some((own, _)) = app.audit.trail.position() else { return Ok(()) };
    if app.audit.trail.names_others.get() {
        return Ok(());
    }
    let mut others = heads(app, index::day_of(app.world.now()) - DAYS).await?;
    others.retain(|head| head.chain != own.chain);
    let (id, kept_days) = (new_id(app)?, app.settings().audit_days);
    let entry = Entry { id, heads: others, kept_days, ..Entry::new(app.world.now(), "", Result::Started) };
    write(app, &entry).await?;
    app.audit.trail.names_others.set(true);
    Ok(())
}

/// The last checkpoint.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
struct Last {
    /// When it was written.
    time: i64,
    /// The ends that it named.
    heads: Vec<Head>,
    /// The chain that it was written to, and the last link that it wrote there.
    own: Option<Head>,
    /// The last day on which the ends were posted.
    posted: i64,
}

/// Signs the ends of all chains where anything has been written, and posts them once a day if a channel is set.
async fn checkpoint<W: World>(app: &App<W>) -> core::result::Result<(), HostError> {
    let (mattermost, now) = (app.world.mattermost(), app.world.now());
    let old = mattermost.kv_get(CHECKPOINT).await?;
    let last: Last = old.as_deref().and_then(|raw| serde_json::from_slice(raw).ok()).unwrap_or_default();
    // A clock that was set back must not keep the next one from being written.
    if (0..i64::try_from(CHECKPOINTS.as_millis()).unwrap_or(i64::MAX)).contains(&(now.0 - last.time)) {
        return Ok(());
    }
    let since = index::day_of(Time(last.time)).max(index::day_of(now) - DAYS);
    let heads = heads(app, since).await?;
    let is_new = |head: &&Head| !last.heads.contains(head) && last.own.as_ref() != Some(*head);
    if heads.iter().find(is_new).is_none() {
        return Ok(());
    }
    let (id, kept_days) = (new_id(app)?, app.settings().audit_days);
    let signed = app.world.bridge().sign(chain::to_sign(now, kept_days, &heads).as_bytes()).await;
    let mut entry = Entry { id, heads: heads.clone(), kept_days, ..Entry::new(now, "", Result::Checkpoint) };
    match signed {
        Ok(signed) => {
            (entry.signature, entry.public_key) = (chain::hex(&signed.signature), chain::hex(&signed.public_key));
        }
        Err(error) => entry.detail = format!("It could not be signed: {error}."),
    }
    write(app, &entry).await?;
    let own = app.audit.trail.position().map(|(head, _)| head);
    let mut last = Last { time: now.0, heads, own, posted: last.posted };
    let today = index::day_of(now);
    let channel = app.settings().audit_channel.clone();
    let posted = match channel {
        Some(channel) if last.posted != today => Some(post(app, &channel, &entry).await),
        _ => None,
    };
    if let Some(Ok(())) = posted {
        last.posted = today;
    }
    let new = serde_json::to_vec(&last).map_err(|error| HostError::Invalid(error.to_string()))?;
    mattermost.kv_swap(Swap { key: CHECKPOINT.to_owned(), old, new: Some(new), expire_seconds: 0 }).await?;
    posted.unwrap_or(Ok(()))
}

/// Posts the ends of the chains, so that they stand somewhere else too.
async fn post<W: World>(app: &App<W>, channel: &Recipient, entry: &Entry) -> core::result::Result<(), HostError> {
    let mattermost = app.world.mattermost();
    let channel = app.recipients.channel(mattermost, channel).await;
    let channel_id = channel.map_err(|error| HostError::Invalid(error.to_string()))?;
    let post = Post { channel_id, message: text(entry), ..Default::default() };
    mattermost.create_post(post, format!("audit:{}", entry.id)).await.map(|_| ())
}

fn text(entry: &Entry) -> String {
    let heads: String = entry.heads.iter().map(|head| format!("{head}\n")).collect();
    let signed = if entry.signature.is_empty() {
        entry.detail.clone()
    } else {
        format!("Signed with the key {}: {}", code(&entry.public_key), code(&entry.signature))
    };
    format!(
        "The audit trail of Teleport access requests ended here on {}:\n```\n{heads}```\n{signed}\nTo check that nothing before it is missing or was changed, run `/teleport audit verify` with these lines.",
        entry.time
    )
}

/// What the settings were, as hashes with a salt: a secret's value can be compared, not read.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
struct Fingerprints {
    salt: String,
    settings: BTreeMap<String, String>,
}

impl Fingerprints {
    fn of(salt: &str, settings: &crate::save::Values) -> Self {
        let hash = |(name, value): (&String, &serde_json::Value)| {
            let name = name.to_lowercase();
            let hashed = chain::hex(&Sha256::digest(format!("{salt}\n{name}\n{value}")));
            (name, hashed)
        };
        Self { salt: salt.to_owned(), settings: settings.iter().map(hash).collect() }
    }

    /// Names of the settings that are not the same, as in `plugin.json` where they are known there.
    fn differing(&self, other: &Self) -> Vec<String> {
        let names = self.settings.keys().chain(other.settings.keys());
        let mut differing: Vec<String> = names
            .filter(|name| self.settings.get(*name) != other.settings.get(*name))
            .map(|name| {
                let known = crate::config::key::ALL.iter().find(|known| known.eq_ignore_ascii_case(name));
                known.map_or_else(|| name.clone(), |known| (*known).to_owned())
            })
            .collect();
        differing.sort();
        differing.dedup();
        differing
    }
}

/// Writes down which settings have changed. The one who did it is known to Mattermost only.
async fn note_settings<W: World>(app: &App<W>) -> core::result::Result<(), HostError> {
    let mattermost = app.world.mattermost();
    let old = mattermost.kv_get(SETTINGS).await?;
    let before: Option<Fingerprints> = old.as_deref().and_then(|raw| serde_json::from_slice(raw).ok());
    let salt = match &before {
        Some(before) => before.salt.clone(),
        None => new_id(app)?,
    };
    let now = Fingerprints::of(&salt, &app.raw.borrow());
    if before.as_ref() == Some(&now) {
        return Ok(());
    }
    if let Some(before) = &before {
        let names = before.differing(&now).join(", ");
        noted(app, "", "settings changed", &format!("{names} (by whom: see Mattermost's audit log)")).await?;
    }
    let new = serde_json::to_vec(&now).map_err(|error| HostError::Invalid(error.to_string()))?;
    mattermost.kv_swap(Swap { key: SETTINGS.to_owned(), old, new: Some(new), expire_seconds: 0 }).await?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn settings_are_compared_without_their_values() {
        let values = |json: serde_json::Value| json.as_object().cloned().unwrap_or_default().into_iter().collect();
        let one = Fingerprints::of("salt", &values(json!({"identity": "SECRET", "Approvers": "bob"})));
        let other =
            Fingerprints::of("salt", &values(json!({"Identity": "OTHER", "approvers": "bob", "Reminders": "1h"})));
        assert_eq!(one.differing(&other), ["Identity", "Reminders"]);
        assert!(!serde_json::to_string(&one).unwrap_or_default().contains("SECRET"));
        assert_ne!(
            one.settings,
            Fingerprints::of("pepper", &values(json!({"identity": "SECRET", "Approvers": "bob"}))).settings
        );
    }
}
