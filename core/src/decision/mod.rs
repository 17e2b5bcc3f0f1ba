//! A click on Approve or Deny: checked, asked for a reason where that is wanted, counted as a vote, sent to Teleport,
//! answered.

mod admission;
mod asking;
mod ballot;
mod choice;
mod count;
mod dialog;
mod execution;
mod lock;
mod refusal;
mod session;
mod unsubmitted;
mod votes;

use std::collections::BTreeMap;
use std::rc::Rc;

use serde::{Deserialize, Serialize};

pub(crate) use asking::has_two_denials;
pub use ballot::{Ballot, Decision as OwnDecision, ENTRY_ANNOTATION, Voter};
pub(crate) use ballot::{Unreadable as UnreadableBallot, load as load_ballot};
pub use dialog::{Answer, Submission};
pub(crate) use execution::take_back;
pub use lock::Locks;
pub use refusal::Refused;
pub use session::{SessionKind, Unfit};
pub use votes::{Needed, Unmeetable, Vote, largest, of_thresholds, tally};

use crate::app::App;
use crate::audit::{self, Entry};
use crate::messages::{self, context};
use crate::teleport::State;
use crate::time::Time;
use crate::world::World;

/// A click as it arrives. Only the user id, the session and the address can be trusted.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Click {
    /// Whose session clicked; empty where there was none.
    pub user_id: String,
    /// The session, as Mattermost vouches for it.
    pub session_id: String,
    /// The network address, as Mattermost saw it.
    pub ip_address: String,
    /// The post with the button, as claimed.
    pub post_id: String,
    /// The button's context, as claimed.
    pub context: BTreeMap<String, String>,
    /// For opening a dialog, as claimed.
    pub trigger_id: String,
}

/// Where a click or a submission came from, as Mattermost vouches for it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Origin {
    /// The session.
    session_id: String,
    /// The network address.
    ip_address: String,
}

/// What somebody wants to be decided, whether or not they may.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
struct Attempt {
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
    /// Digest of the request that they saw, as claimed.
    #[serde(default)]
    digest: String,
    /// Where it came from now; never from the store.
    #[serde(skip)]
    origin: Origin,
}

/// What is decided besides the verdict.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
struct Details {
    /// The decider's words.
    reason: String,
    /// The roles that are granted, where somebody chose among them; else empty, for all.
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
                address: click.ip_address.clone(),
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
    let mut about = Entry {
        address: submission.ip_address.clone(),
        ..Entry::new(began, &submission.user_id, audit::Result::Refused)
    };
    let answer = match dialog::take(app, &submission, &mut about).await {
        Ok(answer) => answer,
        Err(refused) => {
            refusal::note_refused(app, about, &refused).await;
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
    let claimed = |name: &str| click.context.get(name).filter(|value| !value.is_empty() && value.len() <= 64).cloned();
    let attempt = Attempt {
        user_id: click.user_id.clone(),
        post_id: click.post_id.clone(),
        cluster: claimed(context::CLUSTER).ok_or(Refused::NotAButton)?,
        request_id: claimed(context::REQUEST).ok_or(Refused::NotAButton)?,
        state: claimed(context::VERDICT).and_then(|text| verdict(&text)).ok_or(Refused::NotAButton)?,
        // Posts of earlier versions have none: they are found out of date, and renewed.
        digest: claimed(context::DIGEST).unwrap_or_default(),
        origin: Origin { session_id: click.session_id.clone(), ip_address: click.ip_address.clone() },
    };
    let authorized = admission::admit(app, &attempt).await?;
    let for_reason = click.context.get(context::ASKS).is_some_and(|asks| asks == context::REASON);
    let asks = asking::opens_dialog(&app.settings(), attempt.state, for_reason, authorized.offers);
    if asks || (attempt.state == State::Approved && authorized.has_parts) {
        dialog::open(app, &attempt, &authorized, &click.trigger_id).await?;
        return Ok(String::new());
    }
    execution::carry_out(app, &attempt, &authorized, Details::default()).await
}
