//! Why nothing was decided, for the person who wanted it to read: what happened, and what to do.

use crate::app::App;
use crate::audit::{self, Entry};
use crate::authority::TooOld;
use crate::identity::Unclear;
use crate::mattermost::{HostError, Mattermost as _, UserBy};
use crate::messages::{self, code};
use crate::policy;
use crate::session;
use crate::teleport::TeleportError;
use crate::world::World;

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
    /// Nobody knows which Teleport user it is.
    #[error("You cannot decide this: {0}.")]
    Identity(#[from] Unclear),
    /// Whoever it is cannot be found out now.
    #[error("Teleport could not be asked which of its users you are, so nothing was changed. {0}")]
    NoIdentity(String),
    /// The authority that was chosen cannot be had.
    #[error("Nothing was changed. {0}.")]
    Authority(#[from] TooOld),
    /// Lasting access is asked for.
    #[error("Nothing was changed. {}", messages::LONG_TERM)]
    LongTerm,
    /// The person, or the plugin for somebody else, has reviewed it.
    #[error("Nothing was changed: {0} has already reviewed this request, and everybody reviews once.")]
    AlreadyReviewed(String),
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

/// Writes down what was refused before Teleport was to decide; what came after that is written down already.
pub(super) async fn note_refused<W: World>(app: &App<W>, mut entry: Entry, refused: &Refused) {
    if matches!(refused, Refused::Carried(_)) {
        return;
    }
    entry.cause = refused.to_string();
    if let Ok(user) = app.world.mattermost().get_user(UserBy::Id(entry.user_id.clone())).await {
        (entry.username, entry.email) = (user.username, user.email);
    }
    audit::refused(app, entry).await;
}

/// What a refusal of Teleport's means for the person whose review it would have been, `author`.
pub(super) fn of_teleport(address: Option<&crate::config::Address>, author: &str, error: TeleportError) -> Refused {
    let author = if author.is_empty() { "the plugin".to_owned() } else { format!("Teleport user {}", code(author)) };
    match error {
        TeleportError::NotFound(_) => Refused::Gone,
        TeleportError::AlreadyReviewed(_) => Refused::AlreadyReviewed(author),
        TeleportError::OwnRequest(_) => Refused::Policy(policy::Refusal::OwnRequest),
        TeleportError::NotOnBehalf(detail) => Refused::Teleport(format!(
            "It takes no review from the plugin on behalf of {author}: the role of the plugin's user needs `review_requests: {{submit_for_users: ['*']}}`, and the server must be 18.11 or later ({detail})."
        )),
        TeleportError::MayNotReview(detail) => Refused::Teleport(format!(
            "Its own rules do not let {author} review this request: one of their roles needs `review_requests` for the roles that are asked for. Teleport's open source edition has no reviews at all; there, set \"Who checks decisions\" to the approvers ({detail})."
        )),
        TeleportError::UnknownUser(detail) => Refused::Teleport(format!(
            "There is no {author}. A system admin can correct it under Users in the plugin's settings; people who sign in by single sign-on exist in Teleport only after they have signed in ({detail})."
        )),
        // Nobody tries these again: the clicker has to do something else.
        TeleportError::Invalid(detail) | TeleportError::Unimplemented(detail) => {
            Refused::Teleport(format!("{detail}."))
        }
        error if error.is_uncertain() => Refused::Uncertain(error.to_string()),
        error => Refused::Teleport(match address {
            Some(address) => session::explain(address, error).message,
            None => error.to_string(),
        }),
    }
}
