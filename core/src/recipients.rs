//! From recipients in the settings to channels: by their pins, so that a name that changes hands takes no requests with it.

use std::cell::RefCell;
use std::collections::HashMap;

use crate::config::Recipient;
use crate::mattermost::{Channel, ChannelBy, HostError, Mattermost, UserBy};
use crate::requests::resting::Rest;
use crate::rules::pins::{self, Entry, Kind, Meaning, meaning};

/// The channels found so far.
#[derive(Debug, Default)]
pub struct Recipients {
    known: RefCell<HashMap<Recipient, String>>,
    /// Whether names count as what they mean now: for settings that nobody has saved yet.
    unsaved: bool,
}

/// A recipient that nothing can be posted to, and why.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{recipient}: {reason}")]
pub struct Unreachable {
    /// The recipient as written in the settings.
    pub recipient: String,
    /// What is wrong and what to do.
    pub reason: String,
    /// The id of its channel, where that is archived: posts rest there, and it may come back.
    pub archived: Option<String>,
    /// Whether that may pass by itself: Mattermost could not be asked.
    pub may_pass: bool,
}

impl Recipients {
    /// For settings that are not saved: their names have no pins yet.
    pub(crate) fn unsaved() -> Self {
        Self { unsaved: true, ..Self::default() }
    }

    /// Forgets what was found, so that it is looked up again.
    pub(crate) fn forget(&self) {
        self.known.borrow_mut().clear();
    }

    /// The id of the recipient's channel.
    pub(crate) async fn channel<M: Mattermost>(
        &self,
        mattermost: &M,
        recipient: &Recipient,
    ) -> Result<String, Unreachable> {
        let known = self.known.borrow().get(recipient).cloned();
        if let Some(id) = known {
            return Ok(id);
        }
        let unreachable = |closed: Closed| closed.of(recipient);
        let by = match Entry::of_recipient(recipient) {
            None => ChannelBy::Id(recipient.to_string()),
            Some(entry) => {
                let id = if self.unsaved { meant(mattermost, &entry).await } else { pinned(mattermost, &entry).await };
                let id = id.map_err(unreachable)?;
                if entry.kind == Kind::Channel {
                    ChannelBy::Id(id)
                } else {
                    active(mattermost, &id).await.map_err(unreachable)?;
                    ChannelBy::DirectUserId(id)
                }
            }
        };
        let channel = found(mattermost.get_channel(by).await, NO_CHANNEL).map_err(unreachable)?;
        not_archived(mattermost, &channel).await.map_err(unreachable)?;
        self.known.borrow_mut().insert(recipient.clone(), channel.id.clone());
        Ok(channel.id)
    }
}

/// Why nobody sees what is posted somewhere.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Closed {
    /// What is wrong and what to do.
    pub(crate) reason: String,
    /// Whether that may pass by itself.
    pub(crate) may_pass: bool,
    /// The id of the channel, where that is archived.
    pub(crate) archived: Option<String>,
}

impl Closed {
    fn for_good(reason: impl Into<String>) -> Self {
        Self { reason: reason.into(), may_pass: false, archived: None }
    }

    fn for_now(reason: impl Into<String>) -> Self {
        Self { reason: reason.into(), may_pass: true, archived: None }
    }

    /// The same, of a recipient.
    pub(crate) fn of(self, recipient: &Recipient) -> Unreachable {
        Unreachable {
            recipient: recipient.to_string(),
            reason: self.reason,
            archived: self.archived,
            may_pass: self.may_pass,
        }
    }
}

/// What was looked up; `nothing` is said where it is not there.
fn found<T>(answer: Result<T, HostError>, nothing: &str) -> Result<T, Closed> {
    match answer {
        Ok(found) => Ok(found),
        Err(HostError::NotFound(_) | HostError::Invalid(_)) => Err(Closed::for_good(nothing)),
        Err(error) => Err(Closed::for_now(error.to_string())),
    }
}

/// Whether neither the channel nor its team is archived.
async fn not_archived<M: Mattermost>(mattermost: &M, channel: &Channel) -> Result<(), Closed> {
    if channel.delete_at != 0 {
        return Err(Closed { archived: Some(channel.id.clone()), ..Closed::for_good(Rest::Archived.in_words()) });
    }
    if channel.team_id.is_empty() {
        return Ok(());
    }
    let team = found(mattermost.get_team(&channel.team_id).await, NO_TEAM)?;
    if team.delete_at != 0 {
        return Err(Closed::for_good(
            "this channel's team is archived. Unarchive the team, or name another channel in the plugin's settings.",
        ));
    }
    Ok(())
}

/// Whether people see what stands in a channel, whatever the settings name now: it is not archived, and in a direct
/// channel the other account is active.
pub(crate) async fn is_open<M: Mattermost>(mattermost: &M, bot: &str, channel_id: &str) -> Result<(), Closed> {
    let channel = found(mattermost.get_channel(ChannelBy::Id(channel_id.to_owned())).await, NO_CHANNEL)?;
    not_archived(mattermost, &channel).await?;
    match channel.name.split("__").find(|id| *id != bot) {
        Some(other) if channel.r#type == "D" => active(mattermost, other).await,
        _ => Ok(()),
    }
}

const NO_TEAM: &str = "this channel's team is not there any more. Name another channel in the plugin's settings.";
const NO_CHANNEL: &str =
    "there is no such channel. Write team/channel as in the channel's address in the browser, not as its display name.";
const NO_USER: &str = "there is no such user. Check the spelling.";

/// The id that an entry meant when it was entered.
async fn pinned<M: Mattermost>(mattermost: &M, entry: &Entry) -> Result<String, Closed> {
    let pins = pins::load(mattermost).await.map_err(|error| Closed::for_now(error.to_string()))?;
    match pins.get(entry) {
        Some(pin) if !pin.id.is_empty() => Ok(pin.id.clone()),
        Some(_) => Err(Closed::for_good(format!(
            "{} A name that was nobody's when it was entered, or an address that nobody has verified, waits until a system admin accepts it on the plugin's page in System Console.",
            if entry.kind == Kind::Channel { NO_CHANNEL } else { NO_USER }
        ))),
        None => Err(Closed::for_now("it has not been looked up yet. That is done within a minute.")),
    }
}

/// The id that an entry means now.
async fn meant<M: Mattermost>(mattermost: &M, entry: &Entry) -> Result<String, Closed> {
    match meaning(mattermost, entry).await {
        Ok(Meaning::One(named) | Meaning::Unverified(named)) => Ok(named.id),
        Ok(Meaning::Nobody | Meaning::Custom(_)) if entry.kind == Kind::Channel => Err(Closed::for_good(NO_CHANNEL)),
        Ok(Meaning::Nobody | Meaning::Custom(_)) => Err(Closed::for_good(NO_USER)),
        Err(error) => Err(Closed::for_now(error.to_string())),
    }
}

/// Whether somebody can be written to.
async fn active<M: Mattermost>(mattermost: &M, user_id: &str) -> Result<(), Closed> {
    let user = found(mattermost.get_user(UserBy::Id(user_id.to_owned())).await, NO_USER)?;
    if user.delete_at != 0 {
        return Err(Closed::for_good("this account is deactivated. Name somebody else."));
    }
    Ok(())
}
