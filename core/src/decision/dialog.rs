//! The dialog that asks for a reason, and offers fewer roles and a later start. Its submission is a claim like a click:
//! everything is checked again.

use std::collections::BTreeMap;
use std::rc::Rc;
use std::time::Duration;

use super::admission::{self, Authorized};
use super::choice::{self, ROLE};
use super::unsubmitted::{self, Opened};
use super::{Attempt, Details, Origin, Refused, execution, refusal};
use crate::app::App;
use crate::audit::Entry;
use crate::config::Authority;
use crate::mattermost::{Dialog, DialogElement, DialogOption, HostError, Mattermost as _, Post, Swap};
use crate::messages;
use crate::session::Way;
use crate::teleport::{AccessRequest, State};
use crate::time::{Time, in_words};
use crate::world::World;

/// A dialog as it is submitted. Only the user id, the session and the address can be trusted.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Submission {
    /// Whose session submitted; empty where there was none.
    pub user_id: String,
    /// The session, as Mattermost vouches for it.
    pub session_id: String,
    /// The network address, as Mattermost saw it.
    pub ip_address: String,
    /// What the dialog was opened with, as claimed.
    pub state: String,
    /// Whether it was cancelled.
    pub cancelled: bool,
    /// The elements' values.
    pub values: BTreeMap<String, String>,
}

/// What a submitted dialog shows.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Answer {
    /// Above the dialog, which stays open; empty closes it.
    pub error: String,
    /// By element.
    pub errors: BTreeMap<String, String>,
}

/// How long an open dialog may wait.
const DIALOG_EXPIRES_SECONDS: i64 = 900;
/// Longest reason in bytes, as Mattermost's dialogs take it; Teleport takes 4,096.
const MAX_REASON: usize = 3_000;
/// Names of the dialog's elements.
const REASON: &str = "reason";
const START: &str = "start";

/// Later starts that are offered, in hours from now; Teleport takes a week at most.
const STARTS: [u64; 6] = [1, 4, 8, 24, 72, 144];
/// How much of the access must be left after a later start.
const LEFT: Duration = Duration::from_secs(900);

fn dialog_key(nonce: &str) -> String {
    format!("dialog:{nonce}")
}

/// Asks the clicker for a reason, or whether they have seen all of it.
pub(super) async fn open<W: World>(
    app: &Rc<App<W>>,
    attempt: &Attempt,
    authorized: &Authorized<W>,
    trigger_id: &str,
) -> Result<(), Refused> {
    // Nobody should write a reason in vain.
    let request = admission::pending(app, attempt, authorized).await?.request;
    let (Some(one), Some(other)) = (app.world.secret(), app.world.secret()) else { return Err(Refused::NoChance) };
    let nonce = format!("{one:016x}{other:016x}");
    let state =
        serde_json::to_vec(attempt).map_err(|error| Refused::NoDialog(HostError::Invalid(error.to_string())))?;
    let mattermost = app.world.mattermost();
    let key = dialog_key(&nonce);
    let swap = Swap { key: key.clone(), old: None, new: Some(state), expire_seconds: DIALOG_EXPIRES_SECONDS };
    if !mattermost.kv_swap(swap).await.map_err(Refused::NoDialog)? {
        return Err(Refused::NoDialog(HostError::Unavailable("a key of the store is taken".to_owned())));
    }
    let settings = app.settings();
    let approve = attempt.state == State::Approved;
    let mut elements = vec![DialogElement {
        name: REASON.to_owned(),
        display_name: "Reason".to_owned(),
        r#type: "textarea".to_owned(),
        help_text: "Teleport keeps it with the request, and the post shows it.".to_owned(),
        optional: !settings.require_reason,
        max_length: i32::try_from(MAX_REASON).unwrap_or(i32::MAX),
        ..Default::default()
    }];
    let mut introduction = messages::summary(&request);
    if approve && may_choose(authorized, &request) {
        elements.extend(choice::elements(&request.roles));
        introduction = format!("{introduction}\n\n{}", choice::in_full(&request.roles));
    }
    if approve {
        elements.extend(start_element(&starts(&authorized.way, &request, app.world.now())));
    }
    let verb = if approve { "Approve" } else { "Deny" };
    if approve && authorized.has_parts {
        introduction = format!("{}\n\n{introduction}", messages::unseen(&request));
    }
    let dialog = Dialog {
        callback_id: "decide".to_owned(),
        title: format!("{verb} access request"),
        introduction_text: introduction,
        elements,
        submit_label: verb.to_owned(),
        state: nonce,
        // Then nothing is told about a dialog that somebody closed.
        notify_on_cancel: true,
    };
    let url = format!("/plugins/{}/dialog", app.host.borrow().plugin_id);
    mattermost.open_dialog(trigger_id, url, dialog).await.map_err(Refused::NoDialog)?;
    let has_plain_denial = !approve && authorized.offers.deny_with_reason;
    let opened = Opened { attempt: attempt.clone(), channel_id: authorized.channel_id.clone(), key, has_plain_denial };
    app.world.spawn(Box::pin(unsubmitted::tell_if_nothing_comes(Rc::clone(app), opened)));
    Ok(())
}

/// Takes a submission. `about` learns what it is about, for the audit trail.
pub(super) async fn take<W: World>(
    app: &Rc<App<W>>,
    submission: &Submission,
    about: &mut Entry,
) -> Result<Answer, Refused> {
    if submission.user_id.is_empty() {
        return Err(Refused::NoSession);
    }
    let nonce = &submission.state;
    if nonce.len() != 32 || !nonce.chars().all(|letter| letter.is_ascii_hexdigit()) {
        return Err(Refused::OldDialog);
    }
    let mattermost = app.world.mattermost();
    let key = dialog_key(nonce);
    let stored = mattermost.kv_get(&key).await.map_err(Refused::Mattermost)?.ok_or(Refused::OldDialog)?;
    let attempt: Attempt = serde_json::from_slice(&stored).map_err(|_| Refused::OldDialog)?;
    if attempt.user_id != submission.user_id {
        return Err(Refused::OldDialog);
    }
    // The store's word on what the dialog was opened for, and Mattermost's on who submits it now.
    let origin = Origin { session_id: submission.session_id.clone(), ip_address: submission.ip_address.clone() };
    let attempt = Attempt { origin, ..attempt };
    about.cluster.clone_from(&attempt.cluster);
    about.request_id.clone_from(&attempt.request_id);
    about.verdict = Some(attempt.state);
    let use_up = Swap { key, old: Some(stored), new: None, expire_seconds: 0 };
    if submission.cancelled {
        let _ = mattermost.kv_swap(use_up).await;
        return Ok(Answer::default());
    }
    // Everything is checked again: what was true when the dialog opened may not be any more.
    let authorized = admission::admit(app, &attempt).await?;
    let request = admission::pending(app, &attempt, &authorized).await?.request;
    let details = match details(app, submission, &attempt, &authorized, &request) {
        Ok(details) => details,
        Err((element, text)) => return Ok(Answer { errors: BTreeMap::from([(element, text)]), ..Default::default() }),
    };
    // A dialog decides once. Who comes second finds it used up.
    if !mattermost.kv_swap(use_up).await.map_err(Refused::Mattermost)? {
        return Err(Refused::OldDialog);
    }
    let text = match execution::carry_out(app, &attempt, &authorized, details).await {
        Ok(text) => text,
        Err(refused) => {
            refusal::note_refused(app, about.clone(), &refused).await;
            refused.to_string()
        }
    };
    // The dialog is used up whatever came of it, so it closes, and the person reads in the channel what happened.
    let post = Post { channel_id: authorized.channel_id.clone(), message: text.clone(), ..Default::default() };
    let shown = mattermost.send_ephemeral(&attempt.user_id, post).await;
    Ok(if shown.is_ok() { Answer::default() } else { Answer { error: text, ..Default::default() } })
}

/// What was filled in; or which element is wrong, and how.
fn details<W: World>(
    app: &App<W>,
    submission: &Submission,
    attempt: &Attempt,
    authorized: &Authorized<W>,
    request: &AccessRequest,
) -> Result<Details, (String, String)> {
    let wrong = |element: &str, text: &str| Err((element.to_owned(), text.to_owned()));
    let reason = submission.values.get(REASON).map_or("", |reason| reason.trim());
    if reason.is_empty() && app.settings().require_reason {
        return wrong(REASON, "A reason is required.");
    }
    if reason.len() > MAX_REASON {
        return wrong(REASON, "This is too long: at most 3,000 bytes.");
    }
    let mut details = Details { reason: reason.to_owned(), ..Default::default() };
    if attempt.state != State::Approved {
        return Ok(details);
    }
    let chosen = submission.values.iter().filter_map(|(name, value)| Some((name.strip_prefix(ROLE)?, value.as_str())));
    let chosen: BTreeMap<&str, &str> = chosen.collect();
    if may_choose(authorized, request) {
        // Only an explicit word grants a role.
        let granted = |role: &&String| chosen.get(role.as_str()) == Some(&"true");
        details.roles = request.roles.iter().filter(granted).cloned().collect();
        if details.roles.is_empty() {
            let first = request.roles.first().map_or(String::new(), |role| format!("{ROLE}{role}"));
            return wrong(&first, choice::NONE_GRANTED);
        }
    } else if let Some((role, _)) = chosen.iter().find(|(_, value)| **value != "true") {
        // The choice was offered before somebody changed who decides. More than was wanted must not be granted.
        return wrong(
            &format!("{ROLE}{role}"),
            "A review grants all roles or none. Tick all of them, or deny the request.",
        );
    }
    let now = app.world.now();
    match submission.values.get(START).map_or("", |hours| hours.as_str()) {
        "" | "0" => {}
        chosen => match starts(&authorized.way, request, now).into_iter().find(|hours| hours.to_string() == chosen) {
            Some(hours) => details.starts = Some(now.plus(from_hours(hours))),
            None => return wrong(START, "The access cannot begin then. Choose an earlier start."),
        },
    }
    Ok(details)
}

/// Whether some roles can be granted without the others. Teleport's reviews are about all of them, and old servers know no
/// such choice.
fn may_choose<W: World>(authorized: &Authorized<W>, request: &AccessRequest) -> bool {
    authorized.authority == Authority::Approvers
        && authorized.way.server.takes_roles()
        && choice::has_room(&request.roles)
}

fn from_hours(hours: u64) -> Duration {
    Duration::from_secs(hours * 3_600)
}

/// The later starts that this server takes for this request, in hours from now.
fn starts<W: World>(way: &Way<W>, request: &AccessRequest, now: Time) -> Vec<u64> {
    if !way.server.takes_start_times() {
        return Vec::new();
    }
    // Without a known end there is no telling what would be left.
    let Some(until) = request.access_until else { return Vec::new() };
    STARTS.into_iter().filter(|hours| now.plus(from_hours(*hours)).plus(LEFT) <= until).collect()
}

fn start_element(starts: &[u64]) -> Option<DialogElement> {
    if starts.is_empty() {
        return None;
    }
    let later = starts
        .iter()
        .map(|hours| DialogOption { text: format!("In {}", in_words(from_hours(*hours))), value: hours.to_string() });
    let at_once = DialogOption { text: "As requested".to_owned(), value: "0".to_owned() };
    Some(DialogElement {
        name: START.to_owned(),
        display_name: "Access begins".to_owned(),
        r#type: "select".to_owned(),
        default: "0".to_owned(),
        optional: true,
        options: std::iter::once(at_once).chain(later).collect(),
        ..Default::default()
    })
}
