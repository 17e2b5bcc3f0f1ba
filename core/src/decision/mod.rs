//! A click on Approve or Deny: checked, asked for a reason where that is wanted, sent to Teleport, answered.

mod claim;
mod dialog;
mod refusal;

use std::collections::BTreeMap;
use std::rc::Rc;

use serde::{Deserialize, Serialize};

pub use claim::Claims;
pub use dialog::{Answer, Submission};
pub use refusal::Refused;

use crate::app::{App, NoWay};
use crate::audit::{self, Entry};
use crate::authority;
use crate::cluster::Lane;
use crate::config::{AskReason, Authority};
use crate::desk;
use crate::identity::{self, Identity, Unclear};
use crate::ledger;
use crate::mattermost::{Mattermost as _, User, UserBy};
use crate::messages::{self, context};
use crate::policy;
use crate::session::{self, Way};
use crate::teleport::{AccessRequest, Decision, State, Teleport as _, TeleportError, Verdict};
use crate::time::Time;
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

/// Somebody who may decide as far as is known without asking Teleport for the request, and all that it takes.
struct Admitted<W: World> {
    user: User,
    channel_id: String,
    lane: Lane<W>,
    way: Rc<Way<W>>,
    /// `Teleport`, `Approvers` or `Reviewer`.
    authority: Authority,
    identity: Identity,
}

/// What is decided besides the verdict.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
struct Details {
    /// The decider's words.
    reason: String,
    /// The roles that are granted, where fewer than asked for.
    roles: Vec<String>,
    /// When the access begins, where that is later than now.
    starts: Option<Time>,
}

/// Handles a click; answers what only the clicker reads.
pub async fn click<W: World>(app: &Rc<App<W>>, click: Click) -> String {
    let began = app.world.now();
    let answer = match take_click(app, &click).await {
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
            refusal::note_refused(app, entry, &refused).await;
            refused.to_string()
        }
    };
    app.counters.click_answered(app.world.now().since(began));
    answer
}

/// Handles a submitted dialog.
pub async fn submit_dialog<W: World>(app: &Rc<App<W>>, submission: Submission) -> Answer {
    let began = app.world.now();
    let answer = match dialog::take(app, &submission).await {
        Ok(answer) => answer,
        Err(refused) => {
            let entry = Entry::new(app.world.now(), &submission.user_id, audit::Result::Refused);
            refusal::note_refused(app, entry, &refused).await;
            Answer { error: refused.to_string(), ..Default::default() }
        }
    };
    app.counters.click_answered(app.world.now().since(began));
    answer
}

fn verdict(text: &str) -> Option<State> {
    match text {
        context::APPROVE => Some(State::Approved),
        context::DENY => Some(State::Denied),
        _ => None,
    }
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
    let ask = match app.settings().ask_reason {
        AskReason::Never => false,
        AskReason::Deny => wish.state == State::Denied,
        AskReason::Both => true,
    };
    if ask {
        dialog::open(app, &wish, &admitted, &click.trigger_id).await?;
        return Ok(String::new());
    }
    carry_out(app, &wish, &admitted, Details::default()).await
}

/// Whether the one who wishes may decide, as far as is known here: those who may not learn nothing from what Teleport says
/// of the request.
async fn admit<W: World>(app: &Rc<App<W>>, wish: &Wish) -> Result<Admitted<W>, Refused> {
    let mattermost = app.world.mattermost();
    let settings = app.settings();
    let user = mattermost.get_user(UserBy::Id(wish.user_id.clone())).await.map_err(Refused::Mattermost)?;
    let stored = ledger::load(mattermost, &wish.cluster, &wish.request_id).await.map_err(|error| match error {
        ledger::LedgerError::Host(error) => Refused::Mattermost(error),
        other => Refused::NotConnected(other.to_string()),
    })?;
    let stored = stored.ok_or(Refused::OtherPost)?;
    // A post that is not written down yet may be the one that is being made.
    let its = |post_id: Option<&str>| post_id.is_none_or(|post_id| post_id == wish.post_id);
    let mut postings = stored.record.postings.iter().filter(|posting| !posting.requester);
    let posting = postings.find(|posting| its(posting.post_id.as_deref()));
    let channel_id = posting.ok_or(Refused::OtherPost)?.channel_id.clone();
    policy::is_fit(&settings, &user)?;

    let (lane, way) = app.way(&wish.cluster).await.map_err(|none| match none {
        NoWay::Unknown => Refused::OtherCluster(wish.cluster.clone()),
        NoWay::Down(trouble) => Refused::NotConnected(trouble),
    })?;
    let authority = authority::in_force(settings.authority, &way.server)?;
    let identity = identity::of(&settings, &lane.cluster.directory, &way.teleport, &user, app.world.now())
        .await
        .map_err(|error| Refused::NoIdentity(explain(&lane, error)))?;
    let admitted = Admitted { user, channel_id, lane, way, authority, identity };
    may_decide(app, &admitted, &stored.record.request).await?;
    Ok(admitted)
}

/// Whether the one who was admitted may decide this request. Answers the Teleport user whose review it would be; empty
/// where it would be none's.
async fn may_decide<W: World>(
    app: &Rc<App<W>>,
    admitted: &Admitted<W>,
    request: &AccessRequest,
) -> Result<String, Refused> {
    // In every authority, and whatever points to the requester.
    if admitted.identity.may_be(&request.user) {
        return Err(policy::Refusal::OwnRequest.into());
    }
    let known = match (admitted.identity.user(), admitted.authority) {
        (Ok(user), _) => Some(user.to_owned()),
        (Err(Unclear::Unmapped), Authority::Approvers | Authority::Reviewer) => None,
        (Err(unclear), _) => return Err(unclear.into()),
    };
    if admitted.authority != Authority::Teleport {
        let settings = app.settings();
        policy::may_decide(app.world.mattermost(), &settings, &admitted.user, &admitted.channel_id, request).await?;
    }
    if request.long_term && request.state == State::Pending {
        return Err(Refused::LongTerm);
    }
    let author = match admitted.authority {
        Authority::Approvers => return Ok(String::new()),
        Authority::Reviewer => admitted.way.credentials.as_ref().map(|usable| usable.user.clone()),
        Authority::Teleport | Authority::Auto => known,
    };
    let author = author.ok_or(Refused::Identity(Unclear::Unmapped))?;
    if request.reviews.iter().any(|review| review.author == author) {
        return Err(Refused::AlreadyReviewed(match admitted.authority {
            Authority::Reviewer => "the plugin".to_owned(),
            _ => format!("Teleport user {}", messages::code(&author)),
        }));
    }
    Ok(author)
}

/// The request as Teleport has it, and whose review it would be, if it is still pending and the person may decide it.
async fn pending<W: World>(
    app: &Rc<App<W>>,
    wish: &Wish,
    admitted: &Admitted<W>,
) -> Result<(AccessRequest, String), Refused> {
    let request = match admitted.way.teleport.get(&wish.request_id).await {
        Ok(Some(request)) => request,
        Ok(None) => return Err(Refused::Gone),
        Err(error) => return Err(Refused::NotConnected(explain(&admitted.lane, error))),
    };
    if request.state != State::Pending {
        return Err(Refused::AlreadySettled(settled(&request)));
    }
    let author = may_decide(app, admitted, &request).await?;
    Ok((request, author))
}

fn explain<W: World>(lane: &Lane<W>, error: TeleportError) -> String {
    match &lane.cluster.settings().address {
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
    let claim = claim::claim(app, &wish.cluster, &wish.request_id, &admitted.user).await?;
    let result = submit(app, wish, admitted, details).await;
    let uncertain = |refused: &Refused| matches!(refused, Refused::Uncertain(_));
    if !matches!(&result, Err(Refused::Carried(refused)) if uncertain(refused)) {
        claim::release(app, &wish.cluster, &wish.request_id, claim).await;
    }
    // Whatever came of it, the posts had better say what Teleport says.
    desk::decided(&admitted.lane, &wish.cluster, &wish.request_id);
    result
}

/// Checks once more with what Teleport says now, writes down who wants what, and decides.
async fn submit<W: World>(
    app: &Rc<App<W>>,
    wish: &Wish,
    admitted: &Admitted<W>,
    details: Details,
) -> Result<String, Refused> {
    let (request, author) = pending(app, wish, admitted).await?;
    let (id, user) = (&wish.request_id, &admitted.user);
    let granted = if details.roles.is_empty() { request.roles.clone() } else { details.roles.clone() };
    let entry = Entry {
        username: user.username.clone(),
        email: user.email.clone(),
        teleport_user: admitted.identity.user().unwrap_or_default().to_owned(),
        authority: admitted.authority.name().to_owned(),
        cluster: wish.cluster.clone(),
        request_id: id.clone(),
        requester: request.user.clone(),
        roles: granted.clone(),
        verdict: Some(wish.state),
        reason: details.reason.clone(),
        ..Entry::new(app.world.now(), &user.id, audit::Result::Begun)
    };
    let begun = audit::begin(app, entry).await.map_err(Refused::NotRecorded)?;
    // Reviews take no annotations. A person's own needs no word of who they are in Mattermost, the plugin's does.
    let on_behalf = admitted.authority == Authority::Teleport;
    let annotations = if admitted.authority == Authority::Approvers {
        BTreeMap::from([(messages::DECIDER_ANNOTATION.to_owned(), vec![user.username.clone()])])
    } else {
        BTreeMap::new()
    };
    let reason = match admitted.authority {
        Authority::Reviewer => messages::reason_of(&user.username, &details.reason),
        _ => details.reason,
    };
    let decision = Decision {
        request_id: id.clone(),
        state: wish.state,
        delegator: format!("mattermost:{}", user.email),
        reason,
        annotations,
        roles: details.roles,
        starts: details.starts,
    };
    let teleport = &admitted.way.teleport;
    let answer = if admitted.authority == Authority::Approvers {
        teleport.decide(decision).await.map(|()| None)
    } else {
        let created = app.world.now();
        teleport.review(Verdict { author: author.clone(), on_behalf, created, decision }).await.map(Some)
    };
    let refused = match answer {
        Ok(reviewed) => {
            audit::complete(app, begun, audit::Result::Decided, String::new()).await;
            return Ok(done(
                wish.state,
                &AccessRequest { roles: granted, ..request },
                reviewed.as_ref(),
                details.starts,
            ));
        }
        Err(TeleportError::AlreadyDecided(_)) => match teleport.get(id).await {
            Ok(Some(request)) => Refused::AlreadySettled(settled(&request)),
            _ => Refused::AlreadySettled("decided".to_owned()),
        },
        Err(error) => refusal::of_teleport(admitted.lane.cluster.settings().address.as_ref(), &author, error),
    };
    let result =
        if matches!(refused, Refused::Uncertain(_)) { audit::Result::Uncertain } else { audit::Result::Failed };
    audit::complete(app, begun, result, refused.to_string()).await;
    Err(Refused::Carried(Box::new(refused)))
}

/// What the person reads who decided, or reviewed.
fn done(state: State, request: &AccessRequest, reviewed: Option<&AccessRequest>, starts: Option<Time>) -> String {
    let what = format!("the request of {} for {}", messages::code(&request.user), messages::wish(request));
    let verdict = if state == State::Approved { "approved" } else { "denied" };
    let begins = starts.map(|starts| format!(" The access begins on {starts}.")).unwrap_or_default();
    match reviewed {
        Some(now) if now.state == State::Pending => {
            let counted = now.reviews.iter().filter(|review| review.state == state).count();
            let needs = |threshold: &crate::teleport::Threshold| match state {
                State::Denied => threshold.deny,
                _ => threshold.approve,
            };
            let needed = now.thresholds.iter().map(needs).max().unwrap_or(1);
            let noun = if state == State::Approved { "approvals" } else { "denials" };
            format!(
                "You {verdict} {what}. That makes {counted} of {needed} {noun}: the request is still pending.{begins}"
            )
        }
        Some(now) if now.state != state => {
            format!("You {verdict} {what}, and it is {}.", settled(now))
        }
        _ => format!("You {verdict} {what}.{begins}"),
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
