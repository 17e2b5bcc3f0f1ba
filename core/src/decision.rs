//! A click on Approve or Deny: checked, asked for a reason where that is wanted, sent to Teleport, answered.

use std::cell::RefCell;
use std::collections::{BTreeMap, HashMap};
use std::rc::Rc;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::app::App;
use crate::audit::{self, Entry};
use crate::config::AskReason;
use crate::desk;
use crate::ledger;
use crate::mattermost::{Dialog, DialogElement, HostError, Mattermost, Swap, User, UserBy};
use crate::messages::{self, context};
use crate::policy;
use crate::session::{self, Way};
use crate::teleport::{AccessRequest, Decision, State, Teleport as _, TeleportError};
use crate::world::World;

/// A click as it arrives. Only the user id can be trusted.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Click {
    /// Whose session clicked; empty where there was none.
    pub user_id: String,
    /// The post with the button, as claimed.
    pub post_id: String,
    /// The button's context, as claimed.
    pub context: BTreeMap<String, String>,
    /// For opening a dialog, as claimed.
    pub trigger_id: String,
}

/// A dialog as it is submitted. Only the user id can be trusted.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Submission {
    /// Whose session submitted; empty where there was none.
    pub user_id: String,
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

/// What somebody wants to be decided, whether or not they may.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
struct Wish {
    /// Who; vouched for by Mattermost.
    user_id: String,
    /// The post that they saw, as claimed.
    post_id: String,
    /// The cluster, as claimed.
    cluster: String,
    /// The request, as claimed.
    request_id: String,
    /// Approved or denied.
    state: State,
}

/// Somebody who may decide, and all that it takes.
struct Admitted<W: World> {
    user: User,
    channel_id: String,
    way: Rc<Way<W>>,
}

/// What is decided besides the verdict.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
struct Details {
    /// The decider's words.
    reason: String,
    /// The roles that are granted, where fewer than asked for.
    roles: Vec<String>,
}

/// Why a click decided nothing, for the clicker to read.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Refused {
    /// No session.
    #[error("Sign in to Mattermost to decide access requests.")]
    NoSession,
    /// The body is not what a button of ours sends.
    #[error("This is not a button of an access request. Use the buttons in the post.")]
    NotAButton,
    /// The post is none of the request's.
    #[error("This button does not belong to that access request. Use the buttons in the request's own post.")]
    OtherPost,
    /// The request is from a cluster that the plugin is not connected to.
    #[error(
        "This request is from Teleport cluster {0}, which the plugin is not connected to any more. Decide it in Teleport."
    )]
    OtherCluster(String),
    /// The clicker may not.
    #[error("You cannot decide this: {0}.")]
    Policy(#[from] policy::Refusal),
    /// It has been decided.
    #[error("Nothing was changed: the request was already {0}.")]
    AlreadySettled(String),
    /// It is gone.
    #[error("Nothing was changed: Teleport has no such request any more. It has expired or was deleted.")]
    Gone,
    /// Somebody else is at it.
    #[error(
        "@{0} is deciding this request at this very moment. Should it still be pending in half a minute, click again."
    )]
    Busy(String),
    /// No way to Teleport.
    #[error("There is no connection to Teleport, so nothing was changed. {0}")]
    NotConnected(String),
    /// Mattermost failed.
    #[error("Mattermost could not be asked, so nothing was changed: {0}. Click again in a moment.")]
    Mattermost(HostError),
    /// Teleport said no.
    #[error("Teleport did not accept the decision, so nothing was changed. {0}")]
    Teleport(String),
    /// The dialog could not be opened.
    #[error("The dialog could not be opened, so nothing was changed: {0}. Click again.")]
    NoDialog(HostError),
    /// The dialog is of another person, too old, used up, or was never opened.
    #[error("This dialog is not valid any more, so nothing was changed. Click the button in the post again.")]
    OldDialog,
    /// It could not be written down, and nothing is decided that is not.
    #[error("The audit trail cannot be written, so nothing was changed: {0}. Click again in a moment.")]
    NotRecorded(HostError),
    /// Teleport was asked, and this came of it.
    #[error(transparent)]
    Carried(Box<Refused>),
    /// Nobody knows whether it took effect.
    #[error(
        "Teleport did not answer, so it is not certain whether your decision took effect. The post will show it. Should the request still be pending in half a minute, click again. ({0})"
    )]
    Uncertain(String),
}

/// How long one decision may take. Longer than Teleport's deadline: a claim that is older is of somebody who is not there
/// any more.
const CLAIM_LASTS: Duration = Duration::from_secs(30);
/// When Mattermost clears away what nobody else did.
const CLAIM_EXPIRES_SECONDS: i64 = 86_400;

/// A note in the store that somebody is deciding a request, so that two clicks never both do. It holds no time: clocks of
/// two nodes may differ. Whoever finds one times it by themselves.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
struct Claim {
    /// Who.
    username: String,
    /// Tells two claims of the same person apart.
    nonce: u64,
}

/// Claims of others that were found standing, and whether they have stood for too long.
#[derive(Debug, Default)]
pub struct Claims(RefCell<HashMap<Vec<u8>, bool>>);

fn claim_key(cluster: &str, id: &str) -> String {
    format!("claim:{cluster}:{id}")
}

/// How long an open dialog may wait.
const DIALOG_EXPIRES_SECONDS: i64 = 900;
/// Longest reason in bytes, as Mattermost's dialogs take it; Teleport takes 4,096.
const MAX_REASON: usize = 3_000;
/// Most roles that a dialog offers to choose from.
const MAX_CHOICES: usize = 8;
/// Names of the dialog's elements.
const REASON: &str = "reason";
const ROLE: &str = "role";

fn dialog_key(nonce: &str) -> String {
    format!("dialog:{nonce}")
}

/// Handles a click; answers what only the clicker reads.
pub async fn click<W: World>(app: &Rc<App<W>>, click: Click) -> String {
    match take_click(app, &click).await {
        Ok(text) => text,
        Err(refused) => {
            let claimed =
                |name: &str| click.context.get(name).map(|value| messages::clip(value, 64)).unwrap_or_default();
            let entry = Entry {
                cluster: claimed(context::CLUSTER),
                request_id: claimed(context::REQUEST),
                verdict: verdict(&claimed(context::VERDICT)),
                ..Entry::new(app.world.now(), &click.user_id, audit::Result::Refused)
            };
            note_refused(app, entry, &refused).await;
            refused.to_string()
        }
    }
}

/// Handles a submitted dialog.
pub async fn submit_dialog<W: World>(app: &Rc<App<W>>, submission: Submission) -> Answer {
    match take_submission(app, &submission).await {
        Ok(answer) => answer,
        Err(refused) => {
            let entry = Entry::new(app.world.now(), &submission.user_id, audit::Result::Refused);
            note_refused(app, entry, &refused).await;
            Answer { error: refused.to_string(), ..Default::default() }
        }
    }
}

fn verdict(text: &str) -> Option<State> {
    match text {
        context::APPROVE => Some(State::Approved),
        context::DENY => Some(State::Denied),
        _ => None,
    }
}

/// Writes down what was refused before Teleport was to decide; what came after that is written down already.
async fn note_refused<W: World>(app: &App<W>, mut entry: Entry, refused: &Refused) {
    if matches!(refused, Refused::Carried(_)) {
        return;
    }
    entry.cause = refused.to_string();
    if let Ok(user) = app.world.mattermost().get_user(UserBy::Id(entry.user_id.clone())).await {
        (entry.username, entry.email) = (user.username, user.email);
    }
    audit::refused(app, entry).await;
}

async fn take_click<W: World>(app: &Rc<App<W>>, click: &Click) -> Result<String, Refused> {
    if click.user_id.is_empty() {
        return Err(Refused::NoSession);
    }
    let claimed = |name: &str| click.context.get(name).filter(|value| !value.is_empty() && value.len() <= 64);
    let wish = Wish {
        user_id: click.user_id.clone(),
        post_id: click.post_id.clone(),
        cluster: claimed(context::CLUSTER).ok_or(Refused::NotAButton)?.clone(),
        request_id: claimed(context::REQUEST).ok_or(Refused::NotAButton)?.clone(),
        state: claimed(context::VERDICT).and_then(|text| verdict(text)).ok_or(Refused::NotAButton)?,
    };
    let admitted = admit(app, &wish).await?;
    let settings = app.settings();
    let ask = match settings.ask_reason {
        AskReason::Never => false,
        AskReason::Deny => wish.state == State::Denied,
        AskReason::Both => true,
    };
    if ask {
        open_dialog(app, &wish, &admitted, &click.trigger_id).await?;
        return Ok(String::new());
    }
    carry_out(app, &wish, &admitted, Details::default()).await
}

/// Whether the one who wishes may decide, as far as is known without Teleport.
async fn admit<W: World>(app: &Rc<App<W>>, wish: &Wish) -> Result<Admitted<W>, Refused> {
    let mattermost = app.world.mattermost();
    let user = mattermost.get_user(UserBy::Id(wish.user_id.clone())).await.map_err(Refused::Mattermost)?;
    // The first look is at what is known here, so that those who may not decide learn nothing from Teleport's answers.
    let stored = ledger::load(mattermost, &wish.cluster, &wish.request_id).await.map_err(|error| match error {
        ledger::LedgerError::Host(error) => Refused::Mattermost(error),
        other => Refused::NotConnected(other.to_string()),
    })?;
    let stored = stored.ok_or(Refused::OtherPost)?;
    // A post that is not written down yet may be the one that is being made.
    let its = |post_id: Option<&str>| post_id.is_none_or(|post_id| post_id == wish.post_id);
    let posting = stored.record.postings.iter().find(|posting| its(posting.post_id.as_deref()));
    let channel_id = posting.ok_or(Refused::OtherPost)?.channel_id.clone();
    policy::may_decide(mattermost, &app.settings(), &user, &channel_id, &stored.record.request).await?;

    let Some(way) = app.way().await else {
        let trouble = match &*app.link.borrow() {
            session::Link::Down(trouble) => trouble.message.clone(),
            _ => "It is being made.".to_owned(),
        };
        return Err(Refused::NotConnected(trouble));
    };
    if way.cluster != wish.cluster {
        return Err(Refused::OtherCluster(wish.cluster.clone()));
    }
    Ok(Admitted { user, channel_id, way })
}

/// Asks the clicker for a reason.
async fn open_dialog<W: World>(
    app: &Rc<App<W>>,
    wish: &Wish,
    admitted: &Admitted<W>,
    trigger_id: &str,
) -> Result<(), Refused> {
    // Nobody should write a reason in vain.
    let request = pending(app, wish, admitted).await?;
    let nonce = format!("{:016x}{:016x}", app.world.random(), app.world.random());
    let state = serde_json::to_vec(wish).map_err(|error| Refused::NoDialog(HostError::Invalid(error.to_string())))?;
    let mattermost = app.world.mattermost();
    let swap = Swap { key: dialog_key(&nonce), old: None, new: Some(state), expire_seconds: DIALOG_EXPIRES_SECONDS };
    mattermost.kv_swap(swap).await.map_err(Refused::NoDialog)?;
    let settings = app.settings();
    let approve = wish.state == State::Approved;
    let mut elements = vec![DialogElement {
        name: REASON.to_owned(),
        display_name: "Reason".to_owned(),
        r#type: "textarea".to_owned(),
        help_text: "Teleport keeps it with the request, and the post shows it.".to_owned(),
        optional: !settings.require_reason,
        max_length: i32::try_from(MAX_REASON).unwrap_or(i32::MAX),
        ..Default::default()
    }];
    if approve && (2..=MAX_CHOICES).contains(&request.roles.len()) {
        elements.extend(request.roles.iter().enumerate().map(|(index, role)| DialogElement {
            name: format!("{ROLE}{index}"),
            display_name: messages::clip(role, 23),
            r#type: "bool".to_owned(),
            default: "true".to_owned(),
            placeholder: messages::clip(&format!("Grant {role}"), 140),
            optional: true,
            ..Default::default()
        }));
    }
    let verb = if approve { "Approve" } else { "Deny" };
    let dialog = Dialog {
        callback_id: "decide".to_owned(),
        title: format!("{verb} access request"),
        introduction_text: messages::summary(&request),
        elements,
        submit_label: verb.to_owned(),
        state: nonce,
    };
    let url = format!("/plugins/{}/dialog", app.host.borrow().plugin_id);
    mattermost.open_dialog(trigger_id, url, dialog).await.map_err(Refused::NoDialog)
}

async fn take_submission<W: World>(app: &Rc<App<W>>, submission: &Submission) -> Result<Answer, Refused> {
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
    let wish: Wish = serde_json::from_slice(&stored).map_err(|_| Refused::OldDialog)?;
    if wish.user_id != submission.user_id {
        return Err(Refused::OldDialog);
    }
    let use_up = Swap { key, old: Some(stored), new: None, expire_seconds: 0 };
    if submission.cancelled {
        let _ = mattermost.kv_swap(use_up).await;
        return Ok(Answer::default());
    }
    let settings = app.settings();
    let reason = submission.values.get(REASON).map_or("", |reason| reason.trim());
    let wrong = |element: &str, text: &str| {
        Ok(Answer { errors: BTreeMap::from([(element.to_owned(), text.to_owned())]), ..Default::default() })
    };
    if reason.is_empty() && settings.require_reason {
        return wrong(REASON, "A reason is required.");
    }
    if reason.len() > MAX_REASON {
        return wrong(REASON, "This is too long: at most 3,000 bytes.");
    }
    // Everything is checked again: what was true when the dialog opened may not be any more.
    let admitted = admit(app, &wish).await?;
    let request = pending(app, &wish, &admitted).await?;
    let mut details = Details { reason: reason.to_owned(), roles: Vec::new() };
    if wish.state == State::Approved && (2..=MAX_CHOICES).contains(&request.roles.len()) {
        let refused =
            |index: usize| submission.values.get(&format!("{ROLE}{index}")).is_some_and(|value| value == "false");
        let granted = request.roles.iter().enumerate().filter(|(index, _)| !refused(*index));
        details.roles = granted.map(|(_, role)| role.clone()).collect();
        if details.roles.is_empty() {
            return wrong(&format!("{ROLE}0"), "Grant at least one role, or deny the request.");
        }
        if details.roles.len() == request.roles.len() {
            details.roles.clear();
        }
    }
    // A dialog decides once. Who comes second finds it used up.
    if !mattermost.kv_swap(use_up).await.map_err(Refused::Mattermost)? {
        return Err(Refused::OldDialog);
    }
    let text = match carry_out(app, &wish, &admitted, details).await {
        Ok(text) => text,
        Err(refused) => {
            let entry = Entry {
                cluster: wish.cluster.clone(),
                request_id: wish.request_id.clone(),
                verdict: Some(wish.state),
                ..Entry::new(app.world.now(), &wish.user_id, audit::Result::Refused)
            };
            note_refused(app, entry, &refused).await;
            refused.to_string()
        }
    };
    // The dialog is used up whatever came of it, so it closes, and the person reads in the channel what happened.
    let shown = mattermost.send_ephemeral(&wish.user_id, &admitted.channel_id, text.clone()).await;
    Ok(if shown.is_ok() { Answer::default() } else { Answer { error: text, ..Default::default() } })
}

/// The request as Teleport has it, if it is still pending and the person may decide it.
async fn pending<W: World>(app: &App<W>, wish: &Wish, admitted: &Admitted<W>) -> Result<AccessRequest, Refused> {
    let request = match admitted.way.teleport.get(&wish.request_id).await {
        Ok(Some(request)) => request,
        Ok(None) => return Err(Refused::Gone),
        Err(error) => return Err(Refused::NotConnected(explain(app, error))),
    };
    if request.state != State::Pending {
        return Err(Refused::AlreadySettled(settled(&request)));
    }
    let settings = app.settings();
    policy::may_decide(app.world.mattermost(), &settings, &admitted.user, &admitted.channel_id, &request).await?;
    Ok(request)
}

fn explain<W: World>(app: &App<W>, error: TeleportError) -> String {
    match &app.settings().first().address {
        Some(address) => session::explain(address, error).message,
        None => error.to_string(),
    }
}

/// Decides, once.
async fn carry_out<W: World>(
    app: &Rc<App<W>>,
    wish: &Wish,
    admitted: &Admitted<W>,
    details: Details,
) -> Result<String, Refused> {
    let claim = claim(app, &wish.cluster, &wish.request_id, &admitted.user).await?;
    let result = submit(app, wish, admitted, details).await;
    let uncertain = |refused: &Refused| matches!(refused, Refused::Uncertain(_));
    if !matches!(&result, Err(Refused::Carried(refused)) if uncertain(refused)) {
        release(app, &wish.cluster, &wish.request_id, claim).await;
    }
    // Whatever came of it, the posts had better say what Teleport says.
    desk::decided(app, &wish.cluster, &wish.request_id);
    result
}

/// Takes the right to decide, which one click at a time has.
async fn claim<W: World>(app: &Rc<App<W>>, cluster: &str, id: &str, user: &User) -> Result<Vec<u8>, Refused> {
    let mattermost = app.world.mattermost();
    let key = claim_key(cluster, id);
    let old = mattermost.kv_get(&key).await.map_err(Refused::Mattermost)?;
    if let Some(other) = &old
        && !is_abandoned(app, other)
    {
        return Err(Refused::Busy(owner(other)));
    }
    let claim = Claim { username: user.username.clone(), nonce: app.world.random() };
    let bytes =
        serde_json::to_vec(&claim).map_err(|error| Refused::Mattermost(HostError::Invalid(error.to_string())))?;
    let swap = Swap { key: key.clone(), old, new: Some(bytes.clone()), expire_seconds: CLAIM_EXPIRES_SECONDS };
    match mattermost.kv_swap(swap).await {
        Ok(true) => Ok(bytes),
        Ok(false) => {
            let winner = mattermost.kv_get(&key).await.ok().flatten();
            Err(Refused::Busy(winner.map_or_else(|| "somebody else".to_owned(), |winner| owner(&winner))))
        }
        Err(error) => Err(Refused::Mattermost(error)),
    }
}

/// Whose claim it is.
fn owner(claim: &[u8]) -> String {
    serde_json::from_slice::<Claim>(claim).map_or_else(|_| "somebody else".to_owned(), |claim| claim.username)
}

/// Whether a claim that was found has stood, seen from here, longer than any decision takes. The first look starts the
/// clock; a process that died in the middle of a decision leaves such a claim behind.
fn is_abandoned<W: World>(app: &Rc<App<W>>, claim: &[u8]) -> bool {
    let mut seen = app.claims.0.borrow_mut();
    if let Some(abandoned) = seen.get(claim) {
        return *abandoned;
    }
    seen.insert(claim.to_vec(), false);
    let (later, claim) = (Rc::clone(app), claim.to_vec());
    app.world.spawn(Box::pin(async move {
        later.world.sleep(CLAIM_LASTS).await;
        later.claims.0.borrow_mut().insert(claim.clone(), true);
        later.world.sleep(CLAIM_LASTS * 20).await;
        later.claims.0.borrow_mut().remove(&claim);
    }));
    false
}

/// Gives the right back. Should that fail, it ends by itself.
async fn release<W: World>(app: &App<W>, cluster: &str, id: &str, claim: Vec<u8>) {
    let swap = Swap { key: claim_key(cluster, id), old: Some(claim), new: None, expire_seconds: 0 };
    let _ = app.world.mattermost().kv_swap(swap).await;
}

/// Checks once more with what Teleport says now, writes down who wants what, and decides.
async fn submit<W: World>(
    app: &App<W>,
    wish: &Wish,
    admitted: &Admitted<W>,
    details: Details,
) -> Result<String, Refused> {
    let request = pending(app, wish, admitted).await?;
    let (id, user) = (&wish.request_id, &admitted.user);
    let granted = if details.roles.is_empty() { request.roles.clone() } else { details.roles.clone() };
    let entry = Entry {
        username: user.username.clone(),
        email: user.email.clone(),
        cluster: wish.cluster.clone(),
        request_id: id.clone(),
        requester: request.user.clone(),
        roles: granted.clone(),
        verdict: Some(wish.state),
        reason: details.reason.clone(),
        ..Entry::new(app.world.now(), &user.id, audit::Result::Begun)
    };
    let begun = audit::begin(app, entry).await.map_err(Refused::NotRecorded)?;
    let decision = Decision {
        request_id: id.clone(),
        state: wish.state,
        delegator: format!("mattermost:{}", user.email),
        reason: details.reason,
        annotations: BTreeMap::from([(messages::DECIDER_ANNOTATION.to_owned(), vec![user.username.clone()])]),
        roles: details.roles,
    };
    let refused = match admitted.way.teleport.decide(decision).await {
        Ok(()) => {
            audit::complete(app, begun, audit::Result::Decided, String::new()).await;
            let verdict = if wish.state == State::Approved { "approved" } else { "denied" };
            let what = messages::wish(&AccessRequest { roles: granted, ..request.clone() });
            return Ok(format!("You {verdict} the request of {} for {what}.", messages::code(&request.user)));
        }
        Err(TeleportError::AlreadyDecided(_)) => match admitted.way.teleport.get(id).await {
            Ok(Some(request)) => Refused::AlreadySettled(settled(&request)),
            _ => Refused::AlreadySettled("decided".to_owned()),
        },
        Err(TeleportError::NotFound(_)) => Refused::Gone,
        Err(error) if error.is_uncertain() => Refused::Uncertain(error.to_string()),
        Err(error) => Refused::Teleport(explain(app, error)),
    };
    let result =
        if matches!(refused, Refused::Uncertain(_)) { audit::Result::Uncertain } else { audit::Result::Failed };
    audit::complete(app, begun, result, refused.to_string()).await;
    Err(Refused::Carried(Box::new(refused)))
}

/// What became of a request, in a few words.
fn settled(request: &AccessRequest) -> String {
    let verdict = match request.state {
        State::Pending => "decided",
        State::Approved => "approved",
        State::Denied => "denied",
        State::Promoted => "promoted to an access list",
    };
    format!("{verdict}{}", messages::by(request))
}
