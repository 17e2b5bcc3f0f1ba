//! The audit trail: every attempt to decide a request, whoever made it and whatever came of it; what each request came to;
//! and whatever else people did with the plugin.
//!
//! An entry is written before Teleport is asked, and another one afterwards, so that no decision is without one. Where the
//! plugin dies in between, the leader asks Teleport later what became of it. Entries are never changed: each is a link of
//! a hash chain ([`chain`]). Each is also one line in the server's log, whatever its level.

pub mod chain;
mod duties;
mod entry;
pub mod export;
mod index;
mod old;
mod outcome;
mod reconcile;
mod refusals;
mod trail;
pub mod verify;

use std::time::Duration;

pub use entry::{Entry, Result, merged};
pub use outcome::outcome;
use refusals::Refusals;
use trail::Trail;

pub(crate) use duties::keep;

use crate::app::App;
use crate::mattermost::{HostError, LogLevel, Mattermost as _, UserBy};
use crate::time::Time;
use crate::world::{World, within};

/// How long it may take to write an entry down: somebody waits for it.
const TIMEOUT: Duration = Duration::from_secs(10);
/// How often what came of an attempt is tried to be written down.
const TRIES: u32 = 3;
const PAUSE: Duration = Duration::from_millis(500);

/// What this process knows of the trail.
#[derive(Default)]
pub struct Audit {
    trail: Trail,
    refusals: Refusals,
}

/// An attempt that has been begun.
pub(crate) struct Begun {
    entry: Entry,
}

impl Begun {
    /// The entry's id. It also ties it to what Teleport keeps of the decision.
    pub(crate) fn id(&self) -> &str {
        &self.entry.id
    }
}

/// An id that no other entry has.
fn new_id<W: World>(app: &App<W>) -> core::result::Result<String, HostError> {
    trail::name(&app.world)
}

/// Writes a line to the server's log, whatever its level is set to: it is a copy of the trail that nobody can change
/// through the database.
fn log<W: World>(app: &App<W>, entry: &Entry) {
    let count = if entry.count == 0 { String::new() } else { entry.count.to_string() };
    let voters: Vec<&str> = entry.voters.iter().map(|voter| voter.username.as_str()).collect();
    let starts = entry.starts.map(|starts| starts.to_string()).unwrap_or_default();
    let fields = [
        ("result", entry.result.name()),
        ("id", &entry.id),
        ("user_id", &entry.user_id),
        ("username", &entry.username),
        ("session", &entry.session),
        ("address", &entry.address),
        ("teleport_user", &entry.teleport_user),
        ("authority", &entry.authority),
        ("cluster", &entry.cluster),
        ("request", &entry.request_id),
        ("requester", &entry.requester),
        ("roles", &entry.roles.join(", ")),
        ("granted_roles", &entry.granted_roles.join(", ")),
        ("refused_roles", &entry.refused_roles.join(", ")),
        ("starts", &starts),
        ("voters", &voters.join(", ")),
        ("verdict", &entry.verdict_name()),
        ("reason", &entry.reason),
        ("cause", &entry.cause),
        ("what", &entry.what),
        ("detail", &entry.detail),
        ("count", &count),
    ];
    let told = fields.iter().filter(|(_, value)| !value.is_empty());
    let told = told.map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
    let message = if entry.result.is_attempt() { "Attempt to decide an access request." } else { "Audit trail." };
    app.world.mattermost().log(LogLevel::Info, message.to_owned(), told);
}

async fn write<W: World>(app: &App<W>, entry: &Entry) -> core::result::Result<(), HostError> {
    let written = app.audit.trail.append(&app.world, app.settings().audit_days, entry);
    let late = || Err(HostError::Unavailable("it took too long".to_owned()));
    within(&app.world, TIMEOUT, written).await.unwrap_or_else(late)
}

/// Writes an entry down that cannot be made good any more; it is tried several times as long as there is time.
async fn write_surely<W: World>(app: &App<W>, entry: &Entry) -> core::result::Result<(), HostError> {
    let began = app.world.now();
    let mut last = write(app, entry).await;
    for _ in 1..TRIES {
        if last.is_ok() || app.world.now().since(began) >= TIMEOUT {
            break;
        }
        app.world.sleep(PAUSE).await;
        last = write(app, entry).await;
    }
    last
}

/// Writes down that Teleport is about to be asked. Where that fails, it must not be asked.
pub(crate) async fn begin<W: World>(app: &App<W>, entry: Entry) -> core::result::Result<Begun, HostError> {
    let entry = Entry { id: new_id(app)?, ..entry };
    write(app, &entry).await?;
    Ok(Begun { entry })
}

/// Writes down what came of an attempt.
pub(crate) async fn complete<W: World>(app: &App<W>, begun: Begun, result: Result, cause: String) {
    let entry = Entry { result, cause, ..begun.entry };
    app.counters.attempt(entry.result);
    log(app, &entry);
    if let Err(error) = write_surely(app, &entry).await {
        let error = error.to_string();
        let fields = [("id", entry.id.as_str()), ("error", &error)];
        app.log(
            LogLevel::Error,
            "The audit trail does not say what came of an attempt. Teleport will be asked.",
            &fields,
        );
    }
}

/// Writes down an attempt that Teleport never heard of.
pub(crate) async fn refused<W: World>(app: &App<W>, entry: Entry) {
    let entry = Entry { id: new_id(app).unwrap_or_default(), ..entry };
    app.counters.attempt(entry.result);
    log(app, &entry);
    // Attempts without a session could be made up without end.
    if entry.user_id.is_empty() {
        return;
    }
    let Some(entry) = app.audit.refusals.take(entry) else { return };
    if let Err(error) = write(app, &entry).await {
        let error = error.to_string();
        app.log(LogLevel::Error, "A refused attempt is missing in the audit trail.", &[("error", &error)]);
    }
}

/// Writes down something that was done other than deciding: `what` is a short fixed word, `detail` what it was done to.
///
/// # Errors
/// Where it could not be written; the caller then had better not do it.
pub(crate) async fn noted<W: World>(
    app: &App<W>,
    user_id: &str,
    what: &str,
    detail: &str,
) -> core::result::Result<(), HostError> {
    let mut entry = Entry {
        id: new_id(app)?,
        what: what.to_owned(),
        detail: detail.to_owned(),
        ..Entry::new(app.world.now(), user_id, Result::Noted)
    };
    if !user_id.is_empty()
        && let Ok(user) = app.world.mattermost().get_user(UserBy::Id(user_id.to_owned())).await
    {
        (entry.username, entry.email) = (user.username, user.email);
    }
    log(app, &entry);
    write(app, &entry).await
}

/// From when on entries are kept.
fn oldest<W: World>(app: &App<W>) -> Time {
    app.world.now().minus(Duration::from_secs(u64::from(app.settings().audit_days) * 86_400))
}

/// The newest entries, newest first.
pub(crate) async fn newest<W: World>(app: &App<W>, most: usize) -> core::result::Result<Vec<Entry>, HostError> {
    index::newest(app.world.mattermost(), app.world.now(), oldest(app), most).await
}

/// The entries of one value of the key-value store, in their order; none where it holds none. For those who look at the
/// store as a whole.
#[must_use]
pub fn stored(key: &str, value: &[u8]) -> Vec<Entry> {
    let text = String::from_utf8_lossy(value);
    if key.strip_prefix(index::OLD).is_some() {
        return serde_json::from_str(&text).into_iter().collect();
    }
    if key.strip_prefix("trail:").is_none() {
        return Vec::new();
    }
    let entries = text.lines().filter_map(chain::split);
    entries.filter_map(|(entry, _)| serde_json::from_str(&entry).ok()).collect()
}
