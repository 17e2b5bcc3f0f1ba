//! From recipients in the settings to channels.

use std::cell::RefCell;
use std::collections::HashMap;

use crate::config::Recipient;
use crate::mattermost::{ChannelBy, HostError, Mattermost, UserBy};
use crate::proto::mattermost::ChannelName;

/// The channels found so far.
#[derive(Debug, Default)]
pub struct Recipients {
    known: RefCell<HashMap<Recipient, String>>,
}

/// A recipient that nothing can be posted to, and why.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{recipient}: {reason}")]
pub struct Unreachable {
    /// The recipient as written in the settings.
    pub recipient: String,
    /// What is wrong and what to do.
    pub reason: String,
}

impl Recipients {
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
        let unreachable = |reason: String| Unreachable { recipient: recipient.to_string(), reason };
        let by = match recipient {
            Recipient::Channel { team, channel } => {
                ChannelBy::Name(ChannelName { team: team.clone(), channel: channel.clone() })
            }
            Recipient::ChannelId(id) => ChannelBy::Id(id.clone()),
            Recipient::Username(_) | Recipient::Email(_) => {
                let by = match recipient {
                    Recipient::Username(name) => UserBy::Username(name.clone()),
                    _ => UserBy::Email(recipient.to_string()),
                };
                match mattermost.get_user(by).await {
                    Ok(user) if user.delete_at != 0 => {
                        return Err(unreachable("this account is deactivated. Name somebody else.".into()));
                    }
                    Ok(user) => ChannelBy::DirectUserId(user.id),
                    Err(HostError::NotFound(_) | HostError::Invalid(_)) => {
                        return Err(unreachable("there is no such user. Check the spelling.".into()));
                    }
                    Err(error) => return Err(unreachable(error.to_string())),
                }
            }
        };
        match mattermost.get_channel(by).await {
            Ok(channel) if channel.delete_at != 0 => {
                Err(unreachable("this channel is archived. Unarchive it, or name another in the plugin's settings.".into()))
            }
            Ok(channel) => {
                self.known.borrow_mut().insert(recipient.clone(), channel.id.clone());
                Ok(channel.id)
            }
            Err(HostError::NotFound(_) | HostError::Invalid(_)) => Err(unreachable(
                "there is no such channel. Write team/channel as in the channel's address in the browser, not as its display name.".into(),
            )),
            Err(error) => Err(unreachable(error.to_string())),
        }
    }
}
