//! Why nothing was decided, for the person who wanted it to read: what happened, and what to do.

use super::session::Unfit;
use super::votes::Unmeetable;
use crate::app::App;
use crate::audit::{self, Entry};
use crate::authority::{TooOld, Unsettled};
use crate::identity::Unclear;
use crate::mattermost::{HostError, Mattermost as _, UserBy};
use crate::messages::{self, code};
use crate::policy;
use crate::rules::links::Against;
use crate::session;
use crate::teleport::TeleportError;
use crate::text::markdown::program_text;
use crate::time::Time;
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
    /// Nobody knows whose request it is.
    #[error(
        "It cannot be found out now whether this is your own request, so nothing was changed. {0}. Click again in a moment."
    )]
    NoRequester(String),
    /// More is remembered of the account than can be.
    #[error("You cannot decide this: {0}.")]
    TooManyNames(String),
    /// The authority that was chosen cannot be had.
    #[error("Nothing was changed. {0}.")]
    Authority(#[from] TooOld),
    /// Another authority would decide than before.
    #[error("Nothing was changed. {0}.")]
    AuthorityChanged(String),
    /// Lasting access is asked for.
    #[error("Nothing was changed. {}", messages::LONG_TERM)]
    LongTerm,
    /// It says something that this version does not know.
    #[error("Nothing was changed. {}", messages::UNKNOWN)]
    Unknown,
    /// The person, or the plugin for somebody else, has reviewed it.
    #[error("Nothing was changed: {0} has already reviewed this request, and everybody reviews once.")]
    AlreadyReviewed(String),
    /// It has been decided.
    #[error("Nothing was changed: the request was already {0}.")]
    AlreadySettled(String),
    /// It is gone.
    #[error("Nothing was changed: Teleport has no such request any more. It has expired or was deleted.")]
    Gone,
    /// Teleport does not show it, which may only be for want of a right.
    #[error("Nothing was changed: Teleport does not show this request to the plugin, though it may be there. {0}")]
    NotShown(&'static str),
    /// Somebody else is at it.
    #[error("@{0} is deciding this request right now. If it is still pending in 30 seconds, click again.")]
    Busy(String),
    /// The session is none of a person's own.
    #[error("Nothing was changed: {0}.")]
    Session(#[from] Unfit),
    /// The plugin's bot is not known.
    #[error("Nothing was changed: the plugin has no bot account now. A system admin sees why with `/teleport status`.")]
    NoBot,
    /// The post is still being written.
    #[error("Nothing was changed: this post is still being written. Click again in a few seconds.")]
    NotReady,
    /// The post does not say any more what the plugin wrote.
    #[error(
        "Nothing was changed: somebody or something has changed this post since the plugin wrote it. It is being restored. Read it again, then click again."
    )]
    PostChanged,
    /// A part of what is asked for is not in the thread any more as it was written.
    #[error(
        "Nothing was changed: part of what is requested was in this post's thread, and is missing there or was changed. It is being restored. Read it, then click again."
    )]
    PartsChanged,
    /// The request is not the one that was shown.
    #[error(
        "Nothing was changed: the request is no longer what this post showed you. The post is being updated. Read it again, then decide."
    )]
    Replaced,
    /// The post has no such button.
    #[error("Nothing was changed: this post does not offer that. Decide the request in Teleport.")]
    NotOffered,
    /// The post is where nothing can be written any more.
    #[error(
        "Nothing was changed: this channel is archived, so its post cannot show what becomes of the request. Decide it in another channel, or in Teleport."
    )]
    Archived,
    /// It has expired, whether or not Teleport still lists it.
    #[error("Nothing was changed: the request expired on {0}. Ask the requester to file it again.")]
    Expired(Time),
    /// Too close to the expiry.
    #[error("Nothing was changed: the request expires in a few seconds. Ask the requester to file it again.")]
    TooLate,
    /// The checks took too long.
    #[error("Nothing was changed: the checks took too long. Click again in a moment.")]
    TooSlow,
    /// There is no chance to be had.
    #[error("Nothing was changed: the Mattermost server gives no random numbers. Tell a system admin.")]
    NoChance,
    /// The person has voted.
    #[error("You have voted already: {count} of {needed} votes. Other people must decide too.")]
    AlreadyVoted {
        /// Votes so far.
        count: u32,
        /// Votes that it takes.
        needed: u32,
    },
    /// The voters grant no role in common.
    #[error(
        "Nothing was changed: there is no role that all voters grant. Agree on the roles, vote again, or deny the request."
    )]
    NothingAgreed,
    /// Teleport's own thresholds cannot be met from here.
    #[error("Nothing was changed: {0}. Decide the request in Teleport.")]
    Thresholds(#[from] Unmeetable),
    /// The record cannot be read.
    #[error("Nothing was changed: what the plugin knows of this request cannot be read. Tell a system admin: {0}.")]
    Unreadable(String),
    /// Teleport granted something else.
    #[error("The request was replaced by another one while you approved it. {0}. The system admins were told.")]
    GrantedOther(String),
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
    /// It is in the audit trail already, with what came of it.
    #[error(transparent)]
    AfterTeleport(Box<Refused>),
    /// Nobody knows whether it took effect.
    #[error(
        "Teleport did not answer, so it is not certain whether your decision took effect. The post will show it. Should the request still be pending in half a minute, click again. ({0})"
    )]
    Uncertain(String),
}

impl Refused {
    /// Whether the post is not as it was written, or just being written: it is looked at again, and repaired.
    pub(super) fn is_of_the_post(&self) -> bool {
        matches!(self, Self::NotReady | Self::PostChanged | Self::PartsChanged | Self::Replaced)
    }
}

impl From<Unsettled> for Refused {
    fn from(unsettled: Unsettled) -> Self {
        match unsettled {
            Unsettled::TooOld(too_old) => too_old.into(),
            Unsettled::Host(error) => Self::Mattermost(error),
            changed @ Unsettled::Changed { .. } => Self::AuthorityChanged(changed.to_string()),
        }
    }
}

impl From<Against> for Refused {
    fn from(against: Against) -> Self {
        match against {
            Against::Own => policy::Refusal::OwnRequest.into(),
            full @ (Against::Full | Against::FullCluster(_)) => Self::TooManyNames(full.to_string()),
            Against::Unknown(unknown) => Self::NoRequester(unknown.to_string()),
        }
    }
}

/// Writes down what was refused before Teleport was to decide; what came after that is written down already.
pub(super) async fn note_refused<W: World>(app: &App<W>, mut entry: Entry, refused: &Refused) {
    if matches!(refused, Refused::AfterTeleport(_)) {
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
            "It takes no review from the plugin on behalf of {author}: the role of the plugin's user needs `review_requests: {{submit_for_users: ['*']}}`, and the server must be 18.11 or later ({}).",
            program_text(&detail)
        )),
        TeleportError::MayNotReview(detail) => Refused::Teleport(format!(
            "Its own rules do not let {author} review this request: one of their roles needs `review_requests` for the roles that are asked for. Teleport's open source edition has no reviews at all; there, set \"Who checks decisions\" to the approvers ({}).",
            program_text(&detail)
        )),
        TeleportError::UnknownUser(detail) => Refused::Teleport(format!(
            "There is no {author}. A system admin can correct it under Users in the plugin's settings; people who sign in by single sign-on exist in Teleport only after they have signed in ({}).",
            program_text(&detail)
        )),
        // Nobody tries these again: the clicker has to do something else.
        TeleportError::Invalid(detail) | TeleportError::Unimplemented(detail) => {
            Refused::Teleport(format!("{}.", program_text(&detail)))
        }
        error if error.is_uncertain() => Refused::Uncertain(error.in_markdown().to_string()),
        error => Refused::Teleport(match address {
            Some(address) => session::explain(address, error).message,
            None => error.in_markdown().to_string(),
        }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn whatever_teleport_says_is_shown_to_the_clicker_as_code() {
        const HOSTILE: &str = "@all: [here](https://evil.example)";
        let address = Some(crate::config::Address::Teleport("tp.example.com:443".into()));
        let kinds: [fn(String) -> TeleportError; 10] = [
            TeleportError::Unavailable,
            TeleportError::Denied,
            TeleportError::AlreadyDecided,
            TeleportError::NotOnBehalf,
            TeleportError::MayNotReview,
            TeleportError::MfaRequired,
            TeleportError::UnknownUser,
            TeleportError::Invalid,
            TeleportError::Unimplemented,
            TeleportError::Other,
        ];
        for kind in kinds {
            for address in [None, address.as_ref()] {
                let shown = of_teleport(address, "ann", kind(HOSTILE.into())).to_string();
                assert!(shown.contains(&format!("`{HOSTILE}`")), "{shown}");
                assert_eq!(shown.matches("evil").count(), 1, "{shown}");
            }
        }
    }
}
