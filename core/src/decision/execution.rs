//! The decision itself: the vote is counted, and once enough people agree Teleport is asked, under a lock.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::rc::Rc;

use super::admission::{Authorized, Current, in_time, pending};
use super::ballot::{self, Ballot, Decision as OwnDecision, ENTRY_ANNOTATION, Voter};
use super::count::count;
use super::votes::{Vote, agreed};
use super::{Attempt, Details, Refused, lock, refusal};
use crate::app::App;
use crate::audit::{self, Begun, Entry};
use crate::config::Authority;
use crate::desk;
use crate::mattermost::{LogLevel, User};
use crate::messages;
use crate::notices;
use crate::requests::digest;
use crate::session::Way;
use crate::teleport::{AccessRequest, Decision, State, Teleport as _, TeleportError, Verdict};
use crate::time::Time;
use crate::world::{World, within};

/// The resolve annotation with the user ids of the deciders.
const USER_ID_ANNOTATION: &str = "mattermost-user-id";
/// Why a grant is taken back that is not what was decided.
const NOT_AS_DECIDED: &str = "The request was replaced by another one while it was being approved in Mattermost.";

/// What came of the checks under the lock.
enum Prepared {
    /// The vote was counted, and more are needed. What the voter reads.
    Voted(String),
    /// Teleport is to be asked.
    Ready(Box<Ready>),
}

/// All that it takes to ask Teleport.
struct Ready {
    current: Current,
    begun: Begun,
    decision: Decision,
    /// What was recorded of it; none where Teleport keeps count.
    ballot: Option<ballot::Stored>,
    granted: Vec<String>,
}

/// Decides, once, or counts a vote.
pub(super) async fn carry_out<W: World>(
    app: &Rc<App<W>>,
    attempt: &Attempt,
    authorized: &Authorized<W>,
    details: Details,
) -> Result<String, Refused> {
    let slot = RefCell::new(None);
    // The lock's time begins before it is taken: nobody knows when it was, where the answer is slow.
    let work = async {
        let held = lock::take(app, &attempt.cluster, &attempt.request_id, &authorized.user).await?;
        slot.replace(Some(held.clone()));
        prepare(app, attempt, authorized, details, &held).await
    };
    let prepared = within(&app.world, lock::HELD, work).await;
    let result = match prepared {
        None => {
            forget_decision(app, attempt).await;
            Err(Refused::TooSlow)
        }
        Some(Err(refused)) => Err(refused),
        Some(Ok(Prepared::Voted(text))) => {
            desk::look_at(app, &attempt.cluster, &attempt.request_id).await;
            Ok(text)
        }
        Some(Ok(Prepared::Ready(ready))) => ask_teleport(app, attempt, authorized, *ready).await,
    };
    let uncertain =
        matches!(&result, Err(Refused::AfterTeleport(refused)) if matches!(**refused, Refused::Uncertain(_)));
    if let Some(held) = slot.take().filter(|_| !uncertain) {
        lock::release(app, held).await;
    }
    // Whatever came of it, the posts had better say what Teleport says.
    desk::decided(&authorized.lane, &attempt.cluster, &attempt.request_id);
    result
}

/// Takes back that Teleport was to be asked, where it was not: what was never asked for must not be told of as done.
async fn forget_decision<W: World>(app: &App<W>, attempt: &Attempt) {
    let mattermost = app.world.mattermost();
    let Ok(mut stored) = ballot::load(mattermost, &attempt.cluster, &attempt.request_id).await else { return };
    if stored.ballot.decision.take().is_some() {
        let _ = ballot::save(mattermost, &attempt.cluster, &attempt.request_id, &mut stored).await;
    }
}

/// Says in the audit trail that nothing came of what was begun.
async fn failed<W: World>(app: &App<W>, begun: Begun, refused: Refused) -> Refused {
    audit::complete(app, begun, audit::Result::Failed, refused.to_string()).await;
    Refused::AfterTeleport(Box::new(refused))
}

/// Checks once more with what Teleport says now, counts the vote, and writes down who wants what.
async fn prepare<W: World>(
    app: &Rc<App<W>>,
    attempt: &Attempt,
    authorized: &Authorized<W>,
    details: Details,
    held: &lock::Held,
) -> Result<Prepared, Refused> {
    let current = pending(app, attempt, authorized).await?;
    let chosen = match attempt.state {
        State::Approved if details.roles.is_empty() => current.request.roles.clone(),
        State::Approved => details.roles,
        _ => Vec::new(),
    };
    let (reason, starts) = (details.reason, details.starts);
    let noted = Noted { granted: &chosen, reason: &reason, starts, ..Default::default() };
    if authorized.authority == Authority::Teleport {
        // It counts by itself.
        let begun = begin(app, attempt, authorized, &current, noted).await?;
        let decision = decision(attempt, authorized, &begun, &[], reason, Vec::new(), starts);
        let ready = lock::is_held(app, held).await.and_then(|()| in_time(app, attempt, authorized, &current.request));
        return match ready {
            Ok(()) => Ok(Prepared::Ready(Box::new(Ready { current, begun, decision, ballot: None, granted: chosen }))),
            Err(refused) => Err(failed(app, begun, refused).await),
        };
    }
    let loaded = ballot::load(app.world.mattermost(), &attempt.cluster, &attempt.request_id).await;
    let mut stored = loaded.map_err(|error| match error {
        ballot::Unreadable::Host(error) => Refused::Mattermost(error),
        votes @ ballot::Unreadable::Votes(_) => Refused::Unreadable(votes.to_string()),
    })?;
    let again = is_again(&stored.ballot, attempt);
    stored.ballot.cast(Vote {
        user_id: authorized.user.id.clone(),
        username: authorized.user.username.clone(),
        state: attempt.state,
        digest: attempt.digest.clone(),
        channel_id: authorized.channel_id.clone(),
        roles: chosen.clone(),
        starts,
        reason: reason.clone(),
        time: app.world.now(),
    });
    let needed = current.needed.for_state(attempt.state);
    let counted = count(app, attempt, authorized, &current, &mut stored.ballot).await?;
    if counted.count >= needed {
        return resolve(app, attempt, authorized, held, current, stored, &counted.votes).await;
    }
    if again {
        return Err(Refused::AlreadyVoted { count: counted.count, needed });
    }
    let begun = begin(app, attempt, authorized, &current, noted).await?;
    if let Err(error) = save_ballot(app, attempt, &mut stored).await {
        return Err(failed(app, begun, error).await);
    }
    audit::complete(app, begun, audit::Result::Voted, format!("{} of {needed}", counted.count)).await;
    Ok(Prepared::Voted(voted(attempt.state, &current.request, counted.count, needed)))
}

/// Writes down what enough people agreed on, right before Teleport is asked for it.
async fn resolve<W: World>(
    app: &Rc<App<W>>,
    attempt: &Attempt,
    authorized: &Authorized<W>,
    held: &lock::Held,
    current: Current,
    mut stored: ballot::Stored,
    votes: &[Vote],
) -> Result<Prepared, Refused> {
    let approve = attempt.state == State::Approved;
    let asked = &current.request.roles;
    let (granted, starts) = if approve { agreed(&current.request, votes) } else { (Vec::new(), None) };
    if approve && granted.is_empty() && !asked.is_empty() {
        return Err(Refused::NothingAgreed);
    }
    let reason = reasons(votes);
    let noted = Noted { granted: &granted, reason: &reason, starts, voters: voters(votes) };
    let begun = begin(app, attempt, authorized, &current, noted).await?;
    let roles = if authorized.way.server.takes_roles() { granted.clone() } else { Vec::new() };
    let decision = decision(attempt, authorized, &begun, votes, reason.clone(), roles, starts);
    stored.ballot.decision = Some(OwnDecision {
        state: attempt.state,
        voters: voters(votes),
        roles: granted.clone(),
        refused_roles: asked.iter().filter(|role| approve && !granted.contains(role)).cloned().collect(),
        starts,
        reason,
        grant: if approve { digest::of_grant(&attempt.cluster, &current.request) } else { String::new() },
        entry: begun.id().to_owned(),
        asked: false,
        annotated: !decision.annotations.is_empty() && authorized.way.server.keeps_annotations(),
        time: app.world.now(),
    });
    let ready = async {
        save_ballot(app, attempt, &mut stored).await?;
        lock::is_held(app, held).await?;
        in_time(app, attempt, authorized, &current.request)
    };
    if let Err(refused) = ready.await {
        // Read anew: nobody knows what is stored where the answer to the write was lost.
        forget_decision(app, attempt).await;
        return Err(failed(app, begun, refused).await);
    }
    Ok(Prepared::Ready(Box::new(Ready { current, begun, decision, ballot: Some(stored), granted })))
}

async fn save_ballot<W: World>(app: &App<W>, attempt: &Attempt, stored: &mut ballot::Stored) -> Result<(), Refused> {
    let saved = ballot::save(app.world.mattermost(), &attempt.cluster, &attempt.request_id, stored).await;
    saved.map_err(Refused::Mattermost)
}

/// Whether the same person has said the same of the same request before.
fn is_again(ballot: &Ballot, attempt: &Attempt) -> bool {
    ballot
        .votes
        .iter()
        .any(|vote| vote.user_id == attempt.user_id && vote.state == attempt.state && vote.digest == attempt.digest)
}

fn voters(votes: &[Vote]) -> Vec<Voter> {
    votes.iter().map(|vote| Voter { user_id: vote.user_id.clone(), username: vote.username.clone() }).collect()
}

/// The voters' words; whose they are where several have written some.
fn reasons(votes: &[Vote]) -> String {
    let given: Vec<&Vote> = votes.iter().filter(|vote| !vote.reason.is_empty()).collect();
    match given.as_slice() {
        [] => String::new(),
        [one] => one.reason.clone(),
        several => {
            let lines = several.iter().map(|vote| format!("{}: {}", vote.username, vote.reason));
            messages::clip_bytes(&lines.collect::<Vec<_>>().join("\n"), MOST_REASON)
        }
    }
}

/// Most bytes of a reason that Teleport takes.
const MOST_REASON: usize = 4_000;

/// What is written into the audit trail besides who decides what.
#[derive(Default)]
struct Noted<'a> {
    /// The roles that are granted, or voted for.
    granted: &'a [String],
    reason: &'a str,
    starts: Option<Time>,
    voters: Vec<Voter>,
}

/// Writes into the audit trail that somebody is about to decide, or to vote.
async fn begin<W: World>(
    app: &App<W>,
    attempt: &Attempt,
    authorized: &Authorized<W>,
    current: &Current,
    noted: Noted<'_>,
) -> Result<Begun, Refused> {
    let user = &authorized.user;
    let asked = &current.request.roles;
    let approve = attempt.state == State::Approved;
    let entry = Entry {
        username: user.username.clone(),
        email: user.email.clone(),
        session: authorized.session.name().to_owned(),
        address: attempt.origin.ip_address.clone(),
        teleport_user: authorized.identity.user().unwrap_or_default().to_owned(),
        authority: authorized.authority.name().to_owned(),
        cluster: attempt.cluster.clone(),
        request_id: attempt.request_id.clone(),
        requester: current.request.user.clone(),
        roles: asked.clone(),
        granted_roles: noted.granted.to_vec(),
        refused_roles: asked.iter().filter(|role| approve && !noted.granted.contains(role)).cloned().collect(),
        starts: noted.starts,
        digest: attempt.digest.clone(),
        voters: noted.voters,
        verdict: Some(attempt.state),
        reason: noted.reason.to_owned(),
        ..Entry::new(app.world.now(), &user.id, audit::Result::Begun)
    };
    audit::begin(app, entry).await.map_err(Refused::NotRecorded)
}

/// What Teleport is asked for.
fn decision<W: World>(
    attempt: &Attempt,
    authorized: &Authorized<W>,
    begun: &Begun,
    votes: &[Vote],
    reason: String,
    roles: Vec<String>,
    starts: Option<Time>,
) -> Decision {
    let list = |value: fn(&Vote) -> &String| votes.iter().map(|vote| value(vote).clone()).collect::<Vec<_>>();
    // Reviews take no annotations. A person's own needs no word of who they are in Mattermost, the plugin's does.
    let annotations = if authorized.authority == Authority::Approvers {
        BTreeMap::from([
            (messages::DECIDER_ANNOTATION.to_owned(), list(|vote| &vote.username)),
            (USER_ID_ANNOTATION.to_owned(), list(|vote| &vote.user_id)),
            (ENTRY_ANNOTATION.to_owned(), vec![begun.id().to_owned()]),
        ])
    } else {
        BTreeMap::new()
    };
    let names: Vec<&str> = votes.iter().map(|vote| vote.username.as_str()).collect();
    let reason = match authorized.authority {
        Authority::Reviewer => messages::reason_of(&names, &reason),
        _ => reason,
    };
    let others = votes.iter().filter(|vote| vote.user_id != authorized.user.id).map(|vote| vote.username.as_str());
    let mut delegator = format!("mattermost:{}", name_for_teleport(&authorized.user));
    // Where there are no annotations, this is all that says who agreed.
    if !authorized.way.server.keeps_annotations() {
        others.for_each(|other| delegator.push_str(&format!(",{other}")));
    }
    Decision {
        request_id: attempt.request_id.clone(),
        state: attempt.state,
        delegator,
        reason,
        annotations,
        roles,
        starts,
    }
}

/// What Teleport's audit log calls somebody: by an address only where it is verified.
fn name_for_teleport(user: &User) -> &str {
    if user.email_verified && !user.email.is_empty() { &user.email } else { &user.username }
}

/// Asks Teleport, reads back what was granted, and writes down what came of it.
async fn ask_teleport<W: World>(
    app: &Rc<App<W>>,
    attempt: &Attempt,
    authorized: &Authorized<W>,
    ready: Ready,
) -> Result<String, Refused> {
    let Ready { current, begun, decision, mut ballot, granted } = ready;
    let teleport = &authorized.way.teleport;
    let starts = decision.starts;
    let answer = if authorized.authority == Authority::Approvers {
        teleport.decide(decision).await.map(|()| None)
    } else {
        let on_behalf = authorized.authority == Authority::Teleport;
        let created = app.world.now();
        let author = current.author.clone();
        teleport.review(Verdict { author, on_behalf, created, decision }).await.map(Some)
    };
    if let Some(stored) = &mut ballot {
        note_asked(app, attempt, stored, answer.as_ref().err()).await;
    }
    let refused = match answer {
        Ok(reviewed) => {
            let own = ballot.as_ref().map(|stored| &stored.ballot);
            if let Some(own) = own
                && let Err(refused) = as_decided(app, attempt, authorized, own, reviewed.as_ref()).await
            {
                return Err(failed(app, begun, refused).await);
            }
            audit::complete(app, begun, audit::Result::Decided, String::new()).await;
            let roles = if granted.is_empty() { current.request.roles.clone() } else { granted };
            let refused: Vec<String> =
                current.request.roles.iter().filter(|role| !roles.contains(role)).cloned().collect();
            let request = AccessRequest { roles, ..current.request };
            return Ok(done(attempt.state, &request, &refused, reviewed.as_ref(), starts));
        }
        Err(TeleportError::AlreadyDecided(_)) => match teleport.get(&attempt.request_id).await {
            Ok(Some(request)) => Refused::AlreadySettled(settled(app, &attempt.cluster, &request).await),
            _ => Refused::AlreadySettled("decided".to_owned()),
        },
        Err(TeleportError::NotFound(_)) => super::admission::gone(authorized).await,
        Err(error) => refusal::of_teleport(authorized.lane.cluster.settings().address.as_ref(), &current.author, error),
    };
    let uncertain = matches!(refused, Refused::Uncertain(_));
    let result = if uncertain { audit::Result::Uncertain } else { audit::Result::Failed };
    audit::complete(app, begun, result, refused.to_string()).await;
    Err(Refused::AfterTeleport(Box::new(refused)))
}

/// Writes down what Teleport made of a decision, where that is not to be read from what it keeps: what it did not do must not
/// be told of as done.
async fn note_asked<W: World>(
    app: &App<W>,
    attempt: &Attempt,
    stored: &mut ballot::Stored,
    refused: Option<&TeleportError>,
) {
    let Some(decision) = &mut stored.ballot.decision else { return };
    match refused {
        Some(error) if !error.is_uncertain() => stored.ballot.decision = None,
        _ if decision.annotated => return,
        _ => decision.asked = true,
    }
    let _ = ballot::save(app.world.mattermost(), &attempt.cluster, &attempt.request_id, stored).await;
}

/// Whether Teleport granted what was decided, read back from it. Where it cannot be asked now, the watch tells, and whoever
/// leads looks again.
async fn as_decided<W: World>(
    app: &Rc<App<W>>,
    attempt: &Attempt,
    authorized: &Authorized<W>,
    ballot: &Ballot,
    reviewed: Option<&AccessRequest>,
) -> Result<(), Refused> {
    let now = match reviewed {
        Some(request) => Some(request.clone()),
        None => authorized.way.teleport.get(&attempt.request_id).await.ok().flatten(),
    };
    match now {
        Some(now) if ballot.is_betrayed(&attempt.cluster, &now) => {
            let authority = authorized.authority;
            let denied = take_back(app, &authorized.way, authority, &now).await;
            Err(Refused::GrantedOther(taken_back(denied).to_owned()))
        }
        _ => Ok(()),
    }
}

/// What became of a grant that nobody decided.
fn taken_back(denied: bool) -> &'static str {
    if denied { "It was denied at once" } else { "It could not be denied from here: deny it in Teleport now" }
}

/// Denies at once what was granted and not decided, and tells the admins. Says whether Teleport denied it.
pub(crate) async fn take_back<W: World>(
    app: &App<W>,
    way: &Way<W>,
    authority: Authority,
    granted: &AccessRequest,
) -> bool {
    let denial = Decision {
        request_id: granted.id.clone(),
        state: State::Denied,
        delegator: "mattermost".to_owned(),
        reason: NOT_AS_DECIDED.to_owned(),
        annotations: BTreeMap::new(),
        roles: Vec::new(),
        starts: None,
    };
    let denied = authority == Authority::Approvers && way.teleport.decide(denial).await.is_ok();
    let what = taken_back(denied);
    let id = &granted.id;
    app.log(LogLevel::Error, "Teleport granted something else than was decided.", &[("request", id), ("now", what)]);
    let text = format!(
        "🚨 Access request {} was replaced by another one under the same id while it was being approved here. {what}. It is of {}: look into it.",
        messages::code(id),
        messages::code(&granted.user),
    );
    notices::tell_admins(app, &format!("replaced:{}:{id}", way.cluster), &text).await;
    denied
}

/// What somebody reads whose vote was counted.
fn voted(state: State, request: &AccessRequest, count: u32, needed: u32) -> String {
    let what = format!("the request of {} for {}", messages::code(&request.user), messages::wish(request));
    let noun = if state == State::Approved { "approvals" } else { "denials" };
    let verdict = if state == State::Approved { "approval" } else { "denial" };
    format!("Your {verdict} of {what} was counted: {count} of {needed} {noun}. The request is still pending.")
}

/// What the person reads who decided, or reviewed.
fn done(
    state: State,
    request: &AccessRequest,
    refused: &[String],
    reviewed: Option<&AccessRequest>,
    starts: Option<Time>,
) -> String {
    let without = if state == State::Approved { messages::roles::without(refused) } else { String::new() };
    let what = format!("the request of {} for {}{without}", messages::code(&request.user), messages::wish(request));
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
            format!("You {verdict} {what}, and it is {}{}.", verdict_of(now), messages::by(now, None))
        }
        _ => format!("You {verdict} {what}.{begins}"),
    }
}

/// What became of a request, in a few words, and by whom.
pub(super) async fn settled<W: World>(app: &App<W>, cluster: &str, request: &AccessRequest) -> String {
    let own = ballot::load(app.world.mattermost(), cluster, &request.id).await.map(|stored| stored.ballot);
    let own = own.unwrap_or_default();
    format!("{}{}", verdict_of(request), messages::by(request, own.decided(request)))
}

/// What became of a request, in a word or two.
fn verdict_of(request: &AccessRequest) -> &'static str {
    match request.state {
        State::Pending => "decided",
        State::Approved => "approved",
        State::Denied => "denied",
        State::Promoted => "promoted to an access list",
        State::Other => "in a state that this version of the plugin does not know",
    }
}
