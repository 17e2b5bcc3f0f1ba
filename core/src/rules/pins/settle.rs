//! How entries come by their pins: once a save that brought them is through, or when they are seen for the first time.

use std::rc::Rc;
use std::time::Duration;

use futures::StreamExt as _;
use futures::stream;

use super::store::{self, Through};
use super::{Entry, How, Kind, Meaning, Named, Pin, Pins, entries, meaning};
use crate::app::App;
use crate::config::{Problem, Settings, key};
use crate::mattermost::{HostError, LogLevel, Mattermost};
use crate::messages::code;
use crate::notices;
use crate::time::Time;
use crate::world::World;

/// How often the pins are looked at, for what another node accepted.
const PAUSE: Duration = Duration::from_secs(60);
/// The pause where Mattermost could not be asked.
const SOON: Duration = Duration::from_secs(5);
/// How many entries are looked up at once.
const READERS: usize = 8;
/// How often pins are written while others write them.
const TRIES: u32 = 8;
/// Most entries that a message to the admins lists.
const MOST_TOLD: usize = 30;

/// What became of the entries.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Settled {
    /// The pins as they stand.
    pub pins: Pins,
    /// Those that were pinned just now without a save that was seen.
    pub first_seen: Vec<(Entry, Pin)>,
    /// Entries that could not be looked up: they are to be tried again.
    pub open: usize,
}

/// Pins the entries that have none: as what the save that brought them saw, else as what they mean now. An entry that has
/// a pin keeps it, unless a save has just brought it anew.
///
/// # Errors
/// Where the store cannot be read or written.
pub async fn settle<M: Mattermost>(mattermost: &M, now: Time, entries: &[Entry]) -> Result<Settled, HostError> {
    let present: Vec<String> = entries.iter().map(Entry::key).collect();
    for _ in 0..TRIES {
        let (old, mut pins) = store::read(mattermost).await?;
        let (_, through) = store::saving(mattermost, now).await?;
        let saved = |key: &String| through.iter().find(|through| through.key == *key);
        let mut changed = false;
        let mut unseen: Vec<&Entry> = Vec::new();
        for (entry, key) in entries.iter().zip(&present) {
            match (pins.entries.get(key), saved(key)) {
                (Some(pin), Some(Through { pin: brought, .. })) if pin.at >= brought.at => {}
                (_, Some(Through { pin: brought, .. })) => {
                    pins.entries.insert(key.clone(), brought.clone());
                    changed = true;
                }
                (Some(_), None) => {}
                (None, None) => unseen.push(entry),
            }
        }
        let upgrade = old.is_none();
        let mut settled = Settled::default();
        for (entry, meaning) in meanings(mattermost, unseen).await {
            let Ok(meaning) = meaning else {
                settled.open += 1;
                continue;
            };
            let pin = meaning.pin(entry, How::FirstSeen, now, upgrade);
            pins.entries.insert(entry.key(), pin.clone());
            settled.first_seen.push((entry.clone(), pin));
            changed = true;
        }
        store::prune(&mut pins, &present);
        if !changed || store::write(mattermost, old, &pins).await? {
            return Ok(Settled { pins, ..settled });
        }
    }
    Err(HostError::Unavailable("the pins are being changed by others".to_owned()))
}

/// What entries mean now, several looked up at once.
pub(super) async fn meanings<'a, M: Mattermost>(
    mattermost: &M,
    entries: Vec<&'a Entry>,
) -> Vec<(&'a Entry, Result<Meaning, HostError>)> {
    let look = |entry: &'a Entry| async move { (entry, meaning(mattermost, entry).await) };
    stream::iter(entries).map(look).buffered(READERS).collect().await
}

/// What a save would bring: the entries that the saved settings do not have, with what they mean; and what is wrong with
/// them. Entries that were there before are not looked at: what has become of them must not keep anybody from saving.
pub async fn added<M: Mattermost>(
    mattermost: &M,
    now: Time,
    before: &Settings,
    new: &Settings,
) -> (Vec<(Entry, Pin)>, Vec<Problem>) {
    let known = entries(before);
    let all = entries(new);
    let fresh: Vec<&Entry> = all.iter().filter(|entry| !known.contains(entry)).collect();
    let (mut brought, mut problems) = (Vec::new(), Vec::new());
    for (entry, meaning) in meanings(mattermost, fresh).await {
        // Where Mattermost cannot tell, the entry is looked at again when it is in force.
        let Ok(meaning) = meaning else { continue };
        problems.extend(wrong(entry, &meaning, new));
        brought.push((entry.clone(), meaning.pin(entry, How::Saved, now, false)));
    }
    (brought, problems)
}

/// What is wrong with an approver or recipient that a save brings.
fn wrong(entry: &Entry, meaning: &Meaning, new: &Settings) -> Option<Problem> {
    let text = match (meaning, entry.kind) {
        (Meaning::Custom(_), _) => format!(
            "`{entry}` is a custom group, and by default every user may create and join those. Write `custom-group:{}` if its members are to decide, or name a synchronised group.",
            entry.text
        ),
        (Meaning::Nobody, Kind::Group) => {
            format!("There is no synchronised group @{}. Check the spelling.", entry.text)
        }
        (Meaning::Nobody, Kind::CustomGroup) => {
            format!("There is no custom group @{}. Check the spelling.", entry.text)
        }
        (Meaning::Nobody, Kind::Channel) => format!(
            "There is no channel {}. Write team/channel as in the channel's address in the browser, not as its display name.",
            entry.text
        ),
        (Meaning::Nobody, Kind::User | Kind::Words | Kind::Email) => {
            format!("There is no active user {}. Check the spelling.", entry.text)
        }
        (Meaning::One(_) | Meaning::Unverified(_), _) => return None,
    };
    // Nobody is kept from mapping people who have yet to come.
    let setting = setting_of(entry, new);
    (setting != key::USER_MAPPING).then(|| Problem::new(setting, text))
}

/// The setting in which an entry stands.
pub(super) fn setting_of(entry: &Entry, settings: &Settings) -> &'static str {
    if !entry.is_destination() {
        return entry.setting;
    }
    let is = |recipient| Entry::of_recipient(recipient).as_ref() == Some(entry);
    if settings.recipients.iter().any(is) {
        key::RECIPIENTS
    } else if settings.role_recipients.iter().flat_map(|rule| &rule.recipients).any(is) {
        key::ROLE_RECIPIENTS
    } else if settings.audit_channel.iter().any(is) {
        key::AUDIT_CHANNEL
    } else {
        key::MORE_CLUSTERS
    }
}

/// Pins what has no pin yet, now and as long as these settings are in force, and tells the admins what was pinned without
/// a save.
pub(crate) async fn keep_settled<W: World>(app: Rc<App<W>>, epoch: u64) {
    let mut last: Option<Pins> = None;
    while app.epoch.get() == epoch {
        let settings = app.settings();
        let pause = match settle(app.world.mattermost(), app.world.now(), &entries(&settings)).await {
            Ok(settled) => {
                if last.as_ref() != Some(&settled.pins) {
                    // Recipients may be others now.
                    app.recipients.forget();
                    last = Some(settled.pins);
                }
                tell(&app, &settings, settled.first_seen).await;
                if settled.open == 0 { PAUSE } else { SOON }
            }
            Err(error) => {
                let error = error.to_string();
                app.log(
                    LogLevel::Warn,
                    "What the names in the settings mean could not be looked up.",
                    &[("error", &error)],
                );
                SOON
            }
        };
        app.world.sleep(pause).await;
    }
}

/// Tells the admins what was pinned.
async fn tell<W: World>(app: &App<W>, settings: &Settings, pinned: Vec<(Entry, Pin)>) {
    if pinned.is_empty() {
        return;
    }
    let text = told(settings, &pinned);
    app.log(LogLevel::Warn, &text, &[]);
    // Whoever wrote the pins tells of them, and each node has its own random number.
    notices::tell_admins(app, &format!("pins:{}:{:016x}", app.world.now().0, app.world.random()), &text).await;
}

/// The message about entries that were seen for the first time.
fn told(settings: &Settings, pinned: &[(Entry, Pin)]) -> String {
    let mut text = String::from(
        "The settings of Teleport access requests name accounts, groups or channels that the plugin has not seen being saved (an upgrade, a configuration file, or a save while it was not running). It has noted what each name means now. If a name changes hands later, it counts for nobody until a system admin accepts it. Check the list:\n",
    );
    for (entry, pin) in pinned.iter().take(MOST_TOLD) {
        let setting = setting_of(entry, settings);
        let entry = code(&entry.to_string());
        text.push_str(&match pin.id.as_str() {
            "" => format!("- {setting}: {entry} is nobody, or cannot be taken for certain. It counts for nobody: see the plugin's page in System Console.\n"),
            id => format!("- {setting}: {entry} is {} (id {})\n", code(&pin.name), code(id)),
        });
    }
    if pinned.len() > MOST_TOLD {
        text.push_str(&format!("- and {} more\n", pinned.len() - MOST_TOLD));
    }
    text
}

/// What an admin accepted, as a pin.
pub(super) fn accepted(meaning: &Meaning, named: &Named, admin_id: &str, at: Time) -> Pin {
    Pin {
        id: named.id.clone(),
        name: named.name.clone(),
        at,
        how: How::Accepted,
        by: admin_id.to_owned(),
        custom: matches!(meaning, Meaning::Custom(_)),
    }
}
