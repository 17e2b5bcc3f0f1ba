//! The audit trail: every attempt to decide a request, whoever made it and whatever came of it.
//!
//! An entry is written before Teleport is asked and completed afterwards, so that no decision is without one: where the
//! plugin dies in between, the entry says that the attempt was begun. Each entry is also one line in the server's log.

use std::cell::RefCell;
use std::collections::HashMap;
use std::fmt::Write as _;

use futures::StreamExt;
use futures::stream;
use serde::{Deserialize, Serialize};

use crate::app::App;
use crate::mattermost::{self, HostError, LogLevel, Mattermost, Swap};
use crate::messages::code;
use crate::teleport::State;
use crate::time::Time;
use crate::world::World;

/// What came of an attempt.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Result {
    /// Teleport was about to be asked. Where it stays at that, the plugin died, and Teleport's own audit log knows.
    Begun,
    /// Teleport carried it out.
    Decided,
    /// The vote was counted, and more are needed.
    Voted,
    /// The plugin said no, and Teleport was not asked to decide.
    Refused,
    /// Teleport said no.
    Failed,
    /// Teleport did not answer.
    Uncertain,
}

impl Result {
    fn name(self) -> &'static str {
        match self {
            Self::Begun => "begun",
            Self::Decided => "decided",
            Self::Voted => "voted",
            Self::Refused => "refused",
            Self::Failed => "failed",
            Self::Uncertain => "uncertain",
        }
    }
}

/// One attempt.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Entry {
    /// When.
    pub time: Time,
    /// The Mattermost user's id.
    pub user_id: String,
    /// Their username and e-mail address then, where they were looked up.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub username: String,
    /// See `username`.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub email: String,
    /// The Teleport user that they were taken for; empty where none was needed.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub teleport_user: String,
    /// By which authority it was decided, or was to be.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub authority: String,
    /// The Teleport cluster, as far as known.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub cluster: String,
    /// The request's id, as claimed where the attempt was refused.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub request_id: String,
    /// The Teleport user who asks.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub requester: String,
    /// The roles in question.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub roles: Vec<String>,
    /// Approved or denied; none where it was not even said.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub verdict: Option<State>,
    /// The approver's words.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub reason: String,
    /// What came of it.
    pub result: Result,
    /// Why not, where it was not decided.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub cause: String,
}

impl Entry {
    /// An entry about somebody, with nothing else known.
    #[must_use]
    pub fn new(time: Time, user_id: &str, result: Result) -> Self {
        Self {
            time,
            user_id: user_id.to_owned(),
            username: String::new(),
            email: String::new(),
            teleport_user: String::new(),
            authority: String::new(),
            cluster: String::new(),
            request_id: String::new(),
            requester: String::new(),
            roles: Vec::new(),
            verdict: None,
            reason: String::new(),
            result,
            cause: String::new(),
        }
    }
}

impl Entry {
    /// The verdict as a word; empty where none was said.
    fn verdict_name(&self) -> String {
        self.verdict.map(|verdict| format!("{verdict:?}").to_lowercase()).unwrap_or_default()
    }
}

/// Refused attempts of one user that are kept within an hour; further ones are only in the log.
const REFUSED_AN_HOUR: u32 = 60;
/// An hour in milliseconds.
const HOUR: i64 = 3_600_000;
/// Users whose refused attempts are counted at once.
const MOST_COUNTED: usize = 10_000;
/// Entries read at once.
const READERS: usize = 8;
const PREFIX: &str = "audit:";

/// How many refused attempts each user has made in the hour that is counted.
#[derive(Debug, Default)]
pub struct Refusals(RefCell<(i64, HashMap<String, u32>)>);

impl Refusals {
    /// Counts one, and says whether it is to be kept.
    fn count(&self, now: Time, user_id: &str) -> bool {
        let mut counted = self.0.borrow_mut();
        let hour = now.0.div_euclid(HOUR);
        if counted.0 != hour {
            *counted = (hour, HashMap::new());
        }
        if counted.1.len() >= MOST_COUNTED && !counted.1.contains_key(user_id) {
            return false;
        }
        let count = counted.1.entry(user_id.to_owned()).or_default();
        *count = count.saturating_add(1);
        *count <= REFUSED_AN_HOUR
    }
}

/// An entry that has been begun.
pub(crate) struct Begun {
    key: String,
    raw: Vec<u8>,
    entry: Entry,
}

impl Begun {
    /// The entry's id.
    pub(crate) fn id(&self) -> &str {
        &self.key
    }
}

fn log<W: World>(app: &App<W>, entry: &Entry) {
    app.counters.attempt(entry.result);
    let verdict = entry.verdict_name();
    app.log(
        LogLevel::Info,
        "Attempt to decide an access request.",
        &[
            ("result", entry.result.name()),
            ("user_id", &entry.user_id),
            ("username", &entry.username),
            ("teleport_user", &entry.teleport_user),
            ("authority", &entry.authority),
            ("cluster", &entry.cluster),
            ("request", &entry.request_id),
            ("requester", &entry.requester),
            ("roles", &entry.roles.join(", ")),
            ("verdict", &verdict),
            ("reason", &entry.reason),
            ("cause", &entry.cause),
        ],
    );
}

async fn write<W: World>(
    app: &App<W>,
    key: &str,
    old: Option<Vec<u8>>,
    entry: &Entry,
) -> core::result::Result<Vec<u8>, HostError> {
    let raw = serde_json::to_vec(entry).map_err(|error| HostError::Invalid(error.to_string()))?;
    let expire_seconds = i64::from(app.settings().audit_days) * 86_400;
    let swap = Swap { key: key.to_owned(), old, new: Some(raw.clone()), expire_seconds };
    app.world.mattermost().kv_swap(swap).await?;
    Ok(raw)
}

/// Keys sort by time.
fn key<W: World>(app: &App<W>, entry: &Entry) -> String {
    format!("{PREFIX}{:014}:{:016x}", entry.time.0.max(0), app.world.random())
}

/// Writes down that Teleport is about to be asked. Where that fails, it must not be asked.
pub(crate) async fn begin<W: World>(app: &App<W>, entry: Entry) -> core::result::Result<Begun, HostError> {
    let key = key(app, &entry);
    let raw = write(app, &key, None, &entry).await?;
    Ok(Begun { key, raw, entry })
}

/// Completes an entry.
pub(crate) async fn complete<W: World>(app: &App<W>, begun: Begun, result: Result, cause: String) {
    let entry = Entry { result, cause, ..begun.entry };
    log(app, &entry);
    if let Err(error) = write(app, &begun.key, Some(begun.raw), &entry).await {
        let error = error.to_string();
        app.log(
            LogLevel::Error,
            "An entry of the audit trail stays incomplete.",
            &[("key", &begun.key), ("error", &error)],
        );
    }
}

/// Writes down an attempt that Teleport never heard of.
pub(crate) async fn refused<W: World>(app: &App<W>, entry: Entry) {
    log(app, &entry);
    // Attempts without a session could be made up without end.
    if entry.user_id.is_empty() || !app.refusals.count(entry.time, &entry.user_id) {
        return;
    }
    if let Err(error) = write(app, &key(app, &entry), None, &entry).await {
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
    app.log(LogLevel::Info, "Noted.", &[("user_id", user_id), ("what", what), ("detail", detail)]);
    Ok(())
}

/// The newest entries, newest first.
pub(crate) async fn newest<W: World>(app: &App<W>, most: usize) -> core::result::Result<Vec<Entry>, HostError> {
    let mattermost = app.world.mattermost();
    let mut keys = mattermost::keys_after(mattermost, PREFIX).await?;
    keys.sort_unstable_by(|one, other| other.cmp(one));
    keys.truncate(most);
    let read = stream::iter(keys)
        .map(|key| async move { mattermost.kv_get(&format!("{PREFIX}{key}")).await })
        .buffered(READERS);
    let mut read = std::pin::pin!(read);
    let mut entries = Vec::new();
    while let Some(raw) = read.next().await {
        // Gone meanwhile, or written by a newer version: the others still count.
        entries.extend(raw?.and_then(|raw| serde_json::from_slice(&raw).ok()));
    }
    Ok(entries)
}

/// Entries as a table in markdown.
#[must_use]
pub fn in_markdown(entries: &[Entry]) -> String {
    if entries.is_empty() {
        return "Nobody has tried to decide an access request yet.".to_owned();
    }
    let mut text = String::from("| Time | Who | Request of | Roles | Verdict | Result |\n|---|---|---|---|---|---|\n");
    for entry in entries {
        let who = if entry.username.is_empty() { &entry.user_id } else { &entry.username };
        let roles = entry.roles.iter().map(|role| cell(role)).collect::<Vec<_>>().join(", ");
        let cause =
            if entry.cause.is_empty() { String::new() } else { format!(": {}", entry.cause.replace(['|', '\n'], " ")) };
        let _ = writeln!(
            text,
            "| {} | {} | {} | {roles} | {} | {}{cause} |",
            entry.time,
            cell(who),
            cell(&entry.requester),
            entry.verdict_name(),
            entry.result.name(),
        );
    }
    text
}

fn cell(text: &str) -> String {
    if text.is_empty() { String::new() } else { code(text).replace('|', "/") }
}

/// Entries as JSON lines.
#[must_use]
pub fn in_json_lines(entries: &[Entry]) -> String {
    entries.iter().filter_map(|entry| serde_json::to_string(entry).ok()).map(|line| line + "\n").collect()
}

/// Entries as CSV (RFC 4180), with a header line and times in milliseconds since 1970 (UTC).
#[must_use]
pub fn in_csv(entries: &[Entry]) -> String {
    let mut text = String::from(
        "time,time_utc,result,verdict,username,email,user_id,teleport_user,authority,cluster,request_id,requester,roles,reason,cause\r\n",
    );
    for entry in entries {
        let fields = [
            entry.time.0.to_string(),
            entry.time.to_string(),
            entry.result.name().to_owned(),
            entry.verdict_name(),
            entry.username.clone(),
            entry.email.clone(),
            entry.user_id.clone(),
            entry.teleport_user.clone(),
            entry.authority.clone(),
            entry.cluster.clone(),
            entry.request_id.clone(),
            entry.requester.clone(),
            entry.roles.join(" "),
            entry.reason.clone(),
            entry.cause.clone(),
        ];
        let _ = write!(text, "{}\r\n", fields.map(|field| csv_field(&field)).join(","));
    }
    text
}

/// A field that no spreadsheet takes for a formula.
fn csv_field(text: &str) -> String {
    let formula = text.starts_with(['=', '+', '-', '@', '\t', '\r']) && text.parse::<i64>().is_err();
    let text = if formula { format!("'{text}") } else { text.to_owned() };
    if text.contains([',', '"', '\n', '\r']) { format!("\"{}\"", text.replace('"', "\"\"")) } else { text }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn entry() -> Entry {
        Entry {
            username: "bob".into(),
            roles: vec!["dba".into(), "ops".into()],
            verdict: Some(State::Denied),
            reason: "=1+1, \"no\"".into(),
            ..Entry::new(Time(60_000), "b0b", Result::Decided)
        }
    }

    #[test]
    fn an_entry_reads_back_as_it_was_written() {
        let line = in_json_lines(&[entry()]);
        assert_eq!(serde_json::from_str::<Entry>(&line).ok(), Some(entry()));
    }

    #[test]
    fn csv_quotes_what_must_be_and_runs_no_formula() {
        let csv = in_csv(&[entry()]);
        let line = csv.lines().nth(1).unwrap_or_default();
        assert_eq!(line, "60000,1970-01-01 00:01 UTC,decided,denied,bob,,b0b,,,,,,dba ops,\"'=1+1, \"\"no\"\"\",");
    }

    #[test]
    fn a_table_is_not_broken_by_what_people_write() {
        let hostile = Entry { cause: "a|b\nc".into(), requester: "x|y".into(), ..entry() };
        let table = in_markdown(&[hostile]);
        let row = table.lines().nth(2).unwrap_or_default();
        assert_eq!(row.matches('|').count(), 7, "{row}");
    }

    #[test]
    fn one_user_cannot_fill_the_store_with_refused_attempts() {
        let refusals = Refusals::default();
        let kept = (0..1_000).filter(|_| refusals.count(Time(5), "mallory")).count();
        assert_eq!(kept, REFUSED_AN_HOUR as usize);
        assert!(refusals.count(Time(5), "bob"));
        assert!(refusals.count(Time(HOUR + 5), "mallory"));
    }
}
