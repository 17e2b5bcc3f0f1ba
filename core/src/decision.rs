//! A click on Approve or Deny: checked, sent to Teleport, answered.

use std::cell::RefCell;
use std::collections::{BTreeMap, HashMap};
use std::rc::Rc;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::app::App;
use crate::desk;
use crate::ledger;
use crate::mattermost::{HostError, LogLevel, Mattermost, Swap, User, UserBy};
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

/// Handles a click; answers what only the clicker reads.
pub async fn click<W: World>(app: &Rc<App<W>>, click: Click) -> String {
    match decide(app, &click).await {
        Ok(text) => text,
        Err(refused) => {
            let request = click.context.get(context::REQUEST).map_or("", String::as_str);
            app.log(
                LogLevel::Info,
                "A click decided nothing.",
                &[("user_id", &click.user_id), ("request", request), ("cause", &refused.to_string())],
            );
            refused.to_string()
        }
    }
}

async fn decide<W: World>(app: &Rc<App<W>>, click: &Click) -> Result<String, Refused> {
    if click.user_id.is_empty() {
        return Err(Refused::NoSession);
    }
    let claimed = |name: &str| click.context.get(name).filter(|value| !value.is_empty() && value.len() <= 64);
    let id = claimed(context::REQUEST).ok_or(Refused::NotAButton)?;
    let cluster = claimed(context::CLUSTER).ok_or(Refused::NotAButton)?;
    let state = match claimed(context::VERDICT).map(String::as_str) {
        Some(context::APPROVE) => State::Approved,
        Some(context::DENY) => State::Denied,
        _ => return Err(Refused::NotAButton),
    };
    let mattermost = app.world.mattermost();
    let user = mattermost.get_user(UserBy::Id(click.user_id.clone())).await.map_err(Refused::Mattermost)?;
    // The first look is at what is known here, so that those who may not decide learn nothing from Teleport's answers.
    let stored = ledger::load(mattermost, cluster, id).await.map_err(|error| match error {
        ledger::LedgerError::Host(error) => Refused::Mattermost(error),
        other => Refused::NotConnected(other.to_string()),
    })?;
    let stored = stored.ok_or(Refused::OtherPost)?;
    // A post that is not written down yet may be the one that is being made.
    let its = |post_id: Option<&str>| post_id.is_none_or(|post_id| post_id == click.post_id);
    let posting = stored.record.postings.iter().find(|posting| its(posting.post_id.as_deref()));
    let channel_id = posting.ok_or(Refused::OtherPost)?.channel_id.clone();
    let settings = app.settings();
    policy::may_decide(mattermost, &settings, &user, &channel_id, &stored.record.request).await?;

    let Some(way) = app.way().await else {
        let trouble = match &*app.link.borrow() {
            session::Link::Down(trouble) => trouble.message.clone(),
            _ => "It is being made.".to_owned(),
        };
        return Err(Refused::NotConnected(trouble));
    };
    if way.cluster != *cluster {
        return Err(Refused::OtherCluster(cluster.clone()));
    }
    let claim = claim(app, cluster, id, &user).await?;
    let result = submit(app, &way, id, state, &user, &channel_id).await;
    if !matches!(result, Err(Refused::Uncertain(_))) {
        release(app, cluster, id, claim).await;
    }
    // Whatever came of it, the posts had better say what Teleport says.
    desk::decided(app, cluster, id);
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

/// Checks once more with what Teleport says now, and decides.
async fn submit<W: World>(
    app: &App<W>,
    way: &Way<W>,
    id: &str,
    state: State,
    user: &User,
    channel_id: &str,
) -> Result<String, Refused> {
    let settings = app.settings();
    let explain = |error: TeleportError| match &settings.address {
        Some(address) => session::explain(address, error).message,
        None => error.to_string(),
    };
    let request = match way.teleport.get(id).await {
        Ok(Some(request)) => request,
        Ok(None) => return Err(Refused::Gone),
        Err(error) => return Err(Refused::NotConnected(explain(error))),
    };
    if request.state != State::Pending {
        return Err(Refused::AlreadySettled(settled(&request)));
    }
    policy::may_decide(app.world.mattermost(), &settings, user, channel_id, &request).await?;
    let decision = Decision {
        request_id: id.to_owned(),
        state,
        delegator: format!("mattermost:{}", user.email),
        reason: String::new(),
        annotations: BTreeMap::from([(messages::DECIDER_ANNOTATION.to_owned(), vec![user.username.clone()])]),
    };
    let verdict = if state == State::Approved { "approved" } else { "denied" };
    match way.teleport.decide(decision).await {
        Ok(()) => {
            app.log(
                LogLevel::Info,
                "An access request was decided.",
                &[
                    ("request", id),
                    ("verdict", verdict),
                    ("user_id", &user.id),
                    ("username", &user.username),
                    ("requester", &request.user),
                ],
            );
            Ok(format!(
                "You {verdict} the request of {} for {}.",
                messages::code(&request.user),
                messages::wish(&request)
            ))
        }
        Err(TeleportError::AlreadyDecided(_)) => Err(match way.teleport.get(id).await {
            Ok(Some(request)) => Refused::AlreadySettled(settled(&request)),
            _ => Refused::AlreadySettled("decided".to_owned()),
        }),
        Err(TeleportError::NotFound(_)) => Err(Refused::Gone),
        Err(error) if error.is_uncertain() => Err(Refused::Uncertain(error.to_string())),
        Err(error) => Err(Refused::Teleport(explain(error))),
    }
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
