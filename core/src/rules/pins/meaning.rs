//! What an entry means now, and how that stands to its pin.

use super::{Entry, How, Kind, Pin};
use crate::mattermost::{ChannelBy, Group, GroupBy, HostError, Mattermost, User, UserBy};
use crate::proto::mattermost::ChannelName;
use crate::time::Time;

/// Something of an id and a name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Named {
    /// Its id; several with blanks between them.
    pub id: String,
    /// What it is called.
    pub name: String,
}

/// What an entry means now.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Meaning {
    /// Exactly this.
    One(Named),
    /// An account whose e-mail address nobody has verified.
    Unverified(Named),
    /// A custom group, though the entry is about a synchronised one.
    Custom(Named),
    /// Nothing.
    Nobody,
}

impl Meaning {
    /// What it is, certain or not.
    #[must_use]
    pub fn named(&self) -> Option<&Named> {
        match self {
            Self::One(named) | Self::Unverified(named) | Self::Custom(named) => Some(named),
            Self::Nobody => None,
        }
    }

    /// The pin that an entry gets by itself. `upgrade`: the entry was posted to before there were pins.
    #[must_use]
    pub fn pin(&self, entry: &Entry, how: How, at: Time, upgrade: bool) -> Pin {
        let certain = match self {
            Self::One(named) => Some(named),
            Self::Unverified(named) if upgrade && entry.is_destination() => Some(named),
            _ => None,
        };
        let (id, name) = certain.map(|named| (named.id.clone(), named.name.clone())).unwrap_or_default();
        Pin { id, name, at, how, by: String::new(), custom: false }
    }
}

/// How an entry stands to its pin.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Standing {
    /// It means what it meant.
    Good,
    /// It has not been looked at yet.
    Unseen,
    /// It meant nobody and still does.
    Nobody,
    /// It means nobody any more.
    Gone,
    /// It means this now, and meant something else, or nobody.
    Another(Named),
    /// It is what it was, and counts only once an admin has accepted it; or goes on, red.
    Doubtful(Named),
}

/// Compares what an entry means with its pin.
#[must_use]
pub fn judge(entry: &Entry, pin: Option<&Pin>, meaning: &Meaning) -> Standing {
    let Some(pin) = pin else { return Standing::Unseen };
    let accepted = pin.how == How::Accepted;
    match meaning {
        Meaning::Nobody if pin.id.is_empty() => Standing::Nobody,
        Meaning::Nobody => Standing::Gone,
        Meaning::One(named) if named.id != pin.id => Standing::Another(named.clone()),
        Meaning::One(named) if entry.kind == Kind::Words && !accepted => Standing::Doubtful(named.clone()),
        Meaning::One(_) => Standing::Good,
        Meaning::Unverified(named) | Meaning::Custom(named) if !pin.id.is_empty() && named.id != pin.id => {
            Standing::Another(named.clone())
        }
        // Whoever accepted it vouched for the address, or for the group.
        Meaning::Unverified(_) if !pin.id.is_empty() && accepted => Standing::Good,
        Meaning::Custom(_) if !pin.id.is_empty() && pin.custom => Standing::Good,
        Meaning::Unverified(named) | Meaning::Custom(named) => Standing::Doubtful(named.clone()),
    }
}

fn found<T>(answer: Result<T, HostError>) -> Result<Option<T>, HostError> {
    match answer {
        Ok(found) => Ok(Some(found)),
        Err(HostError::NotFound(_) | HostError::Invalid(_)) => Ok(None),
        Err(error) => Err(error),
    }
}

/// The active account of a username.
async fn user<M: Mattermost>(mattermost: &M, name: &str) -> Result<Option<User>, HostError> {
    let user = found(mattermost.get_user(UserBy::Username(name.to_owned())).await)?;
    // What is asked for is not always what is answered: letters count in any case there.
    Ok(user.filter(|user| user.delete_at == 0 && user.username.to_lowercase() == name))
}

fn account(user: User) -> Named {
    Named { name: format!("@{}", user.username), id: user.id }
}

/// What an entry means now.
///
/// # Errors
/// Where Mattermost cannot be asked.
pub async fn meaning<M: Mattermost>(mattermost: &M, entry: &Entry) -> Result<Meaning, HostError> {
    match entry.kind {
        Kind::User => {
            Ok(user(mattermost, &entry.text).await?.map_or(Meaning::Nobody, |user| Meaning::One(account(user))))
        }
        Kind::Words => {
            let mut all: Vec<Named> = Vec::new();
            for word in entry.text.split(' ') {
                match user(mattermost, word).await? {
                    Some(user) => all.push(account(user)),
                    None => return Ok(Meaning::Nobody),
                }
            }
            let joined = |part: fn(&Named) -> &str| all.iter().map(part).collect::<Vec<_>>().join(" ");
            Ok(Meaning::One(Named { id: joined(|named| &named.id), name: joined(|named| &named.name) }))
        }
        Kind::Email => {
            let user = found(mattermost.get_user(UserBy::Email(entry.text.clone())).await)?;
            Ok(match user.filter(|user| user.delete_at == 0 && user.email.to_lowercase() == entry.text) {
                Some(user) if user.email_verified => Meaning::One(account(user)),
                Some(user) => Meaning::Unverified(account(user)),
                None => Meaning::Nobody,
            })
        }
        Kind::Group | Kind::CustomGroup => {
            let group = found(mattermost.get_group(GroupBy::Name(entry.text.clone())).await)?;
            Ok(of_group(entry.kind, group.filter(|group| group.delete_at == 0)))
        }
        Kind::Channel => {
            let (team, channel) = entry.text.split_once('/').unwrap_or_default();
            let name = ChannelName { team: team.to_owned(), channel: channel.to_owned() };
            let channel = found(mattermost.get_channel(ChannelBy::Name(name)).await)?;
            Ok(channel.map_or(Meaning::Nobody, |channel| {
                Meaning::One(Named { name: format!("~{}", channel.name), id: channel.id })
            }))
        }
    }
}

fn of_group(kind: Kind, group: Option<Group>) -> Meaning {
    match group {
        Some(group) if group.is_synced == (kind == Kind::Group) => {
            Meaning::One(Named { name: format!("@{}", group.name), id: group.id })
        }
        Some(group) if kind == Kind::Group => Meaning::Custom(Named { name: format!("@{}", group.name), id: group.id }),
        _ => Meaning::Nobody,
    }
}
