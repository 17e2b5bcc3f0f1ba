//! From recipients in the settings to channels: by their pins, so that a name that changes hands takes no requests with it.

use std::cell::RefCell;
use std::collections::HashMap;

use crate::config::Recipient;
use crate::mattermost::{ChannelBy, HostError, Mattermost, UserBy};
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
        let unreachable = |reason: String| Unreachable { recipient: recipient.to_string(), reason, archived: None };
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
        match mattermost.get_channel(by).await {
            Ok(channel) if channel.delete_at != 0 => {
                let reason = Rest::Archived.in_words().to_owned();
                Err(Unreachable { archived: Some(channel.id), ..unreachable(reason) })
            }
            Ok(channel) => {
                self.known.borrow_mut().insert(recipient.clone(), channel.id.clone());
                Ok(channel.id)
            }
            Err(HostError::NotFound(_) | HostError::Invalid(_)) => Err(unreachable(NO_CHANNEL.to_owned())),
            Err(error) => Err(unreachable(error.to_string())),
        }
    }
}

const NO_CHANNEL: &str =
    "there is no such channel. Write team/channel as in the channel's address in the browser, not as its display name.";
const NO_USER: &str = "there is no such user. Check the spelling.";

/// The id that an entry meant when it was entered.
async fn pinned<M: Mattermost>(mattermost: &M, entry: &Entry) -> Result<String, String> {
    let pins = pins::load(mattermost).await.map_err(|error| error.to_string())?;
    match pins.get(entry) {
        Some(pin) if !pin.id.is_empty() => Ok(pin.id.clone()),
        Some(_) => Err(format!(
            "{} A name that was nobody's when it was entered, or an address that nobody has verified, waits until a system admin accepts it on the plugin's page in System Console.",
            if entry.kind == Kind::Channel { NO_CHANNEL } else { NO_USER }
        )),
        None => Err("it has not been looked up yet. That is done within a minute.".to_owned()),
    }
}

/// The id that an entry means now.
async fn meant<M: Mattermost>(mattermost: &M, entry: &Entry) -> Result<String, String> {
    match meaning(mattermost, entry).await {
        Ok(Meaning::One(named) | Meaning::Unverified(named)) => Ok(named.id),
        Ok(Meaning::Nobody | Meaning::Custom(_)) if entry.kind == Kind::Channel => Err(NO_CHANNEL.to_owned()),
        Ok(Meaning::Nobody | Meaning::Custom(_)) => Err(NO_USER.to_owned()),
        Err(error) => Err(error.to_string()),
    }
}

/// Whether somebody can be written to.
async fn active<M: Mattermost>(mattermost: &M, user_id: &str) -> Result<(), String> {
    match mattermost.get_user(UserBy::Id(user_id.to_owned())).await {
        Ok(user) if user.delete_at != 0 => Err("this account is deactivated. Name somebody else.".to_owned()),
        Ok(_) => Ok(()),
        Err(HostError::NotFound(_) | HostError::Invalid(_)) => Err(NO_USER.to_owned()),
        Err(error) => Err(error.to_string()),
    }
}
