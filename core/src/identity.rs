//! Which Mattermost account is which Teleport user: by the settings' table, by a trait of Teleport users, or by verified
//! e-mail address. Whatever is not certain counts against a decision, never for it.

use std::cell::RefCell;
use std::collections::BTreeSet;
use std::rc::Rc;
use std::time::Duration;

use crate::config::Settings;
use crate::mattermost::{HostError, Mattermost, User, UserBy};
use crate::teleport::{Teleport, TeleportError};
use crate::time::Time;

/// How long the users of a cluster that have the trait are remembered.
const REMEMBERED: Duration = Duration::from_secs(60);
/// Most users that are remembered.
const MOST_REMEMBERED: usize = 20_000;

/// Users of Teleport with what their trait says.
type Traits = Rc<Vec<(String, Vec<String>)>>;

/// What a cluster said lately of its users.
#[derive(Debug, Default)]
pub struct Directory(RefCell<Option<(Time, Traits)>>);

impl Directory {
    /// Forgets it.
    pub(crate) fn forget(&self) {
        *self.0.borrow_mut() = None;
    }

    /// The users that have the trait.
    async fn users<T: Teleport>(&self, teleport: &T, name: &str, now: Time) -> Result<Traits, TeleportError> {
        let fresh = |at: Time| at <= now && now.since(at) < REMEMBERED;
        let known = self.0.borrow().as_ref().filter(|(at, _)| fresh(*at)).map(|(_, users)| Rc::clone(users));
        if let Some(users) = known {
            return Ok(users);
        }
        let users = Rc::new(teleport.users_with_trait(name).await?);
        if users.len() <= MOST_REMEMBERED {
            *self.0.borrow_mut() = Some((now, Rc::clone(&users)));
        }
        Ok(users)
    }
}

/// Who a Mattermost account is in Teleport.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Identity {
    /// The users that the settings' table names.
    named: BTreeSet<String>,
    /// The users that trait and e-mail address point to.
    found: BTreeSet<String>,
    /// The users that it might be, were addresses that nobody has verified to count: never for it, only against.
    suspected: BTreeSet<String>,
}

/// Why somebody is no Teleport user that could be named.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Unclear {
    /// Nothing points to one.
    #[error(
        "no Teleport user is known for your account. A system admin can name yours under Users in the plugin's settings"
    )]
    Unmapped,
    /// More than one.
    #[error(
        "your account could be any of the Teleport users {}, so nobody can say whose decision it would be. A system admin can name yours under Users in the plugin's settings",
        .0.iter().map(|name| crate::messages::code(name)).collect::<Vec<_>>().join(", ")
    )]
    Ambiguous(Vec<String>),
}

impl Identity {
    /// The one Teleport user that it is. The table counts before all else.
    pub fn user(&self) -> Result<&str, Unclear> {
        let users = if self.named.is_empty() { &self.found } else { &self.named };
        let mut all = users.iter();
        match (all.next(), all.next()) {
            (None, _) => Err(Unclear::Unmapped),
            (Some(user), None) => Ok(user),
            _ => Err(Unclear::Ambiguous(users.iter().cloned().collect())),
        }
    }

    /// Whether it might be this Teleport user, by whatever points to them. Letters count in either case.
    #[must_use]
    pub fn may_be(&self, user: &str) -> bool {
        let user = user.to_lowercase();
        [&self.named, &self.found, &self.suspected].into_iter().flatten().any(|known| known.to_lowercase() == user)
    }
}

/// Finds out who an account is. Fails where Teleport must be asked and does not answer.
pub async fn of<T: Teleport>(
    settings: &Settings,
    directory: &Directory,
    teleport: &T,
    user: &User,
    now: Time,
) -> Result<Identity, TeleportError> {
    let username = user.username.to_lowercase();
    let email = user.email.to_lowercase();
    let mut identity = Identity::default();
    // Whoever has the name of a Teleport user, or their address, had better not decide that user's requests.
    identity.suspected.extend([username.clone(), email.clone()].into_iter().filter(|name| !name.is_empty()));
    for person in &settings.people {
        if person.mattermost == username || (person.mattermost == email && user.email_verified) {
            identity.named.insert(person.teleport.clone());
        } else if person.mattermost == email {
            identity.suspected.insert(person.teleport.clone());
        }
    }
    if settings.match_email && user.email_verified && !user.email.is_empty() {
        identity.found.insert(user.email.clone());
    }
    if !settings.user_trait.is_empty() {
        for (name, values) in directory.users(teleport, &settings.user_trait, now).await?.iter() {
            for value in values {
                let value = value.trim().trim_start_matches('@').to_lowercase();
                if value == username || (value == email && user.email_verified) {
                    identity.found.insert(name.clone());
                } else if value == email && !email.is_empty() {
                    identity.suspected.insert(name.clone());
                }
            }
        }
    }
    Ok(identity)
}

/// Why the Mattermost account of a Teleport user is not known.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Unknown {
    #[error("{0}")]
    Teleport(#[from] TeleportError),
    #[error("{0}")]
    Mattermost(#[from] HostError),
}

impl Unknown {
    /// Whether asking again may help.
    pub(crate) fn may_pass(&self) -> bool {
        match self {
            Self::Teleport(error) => {
                matches!(
                    error,
                    TeleportError::Unreachable { .. } | TeleportError::Unavailable(_) | TeleportError::Other(_)
                )
            }
            Self::Mattermost(error) => matches!(error, HostError::Unavailable(_)),
        }
    }
}

/// The Mattermost account of a Teleport user; none where there is none, or more than one.
pub(crate) async fn account<M: Mattermost, T: Teleport>(
    settings: &Settings,
    mattermost: &M,
    teleport: &T,
    teleport_user: &str,
) -> Result<Option<User>, Unknown> {
    let mut names: Vec<String> = settings
        .people
        .iter()
        .filter(|person| person.teleport == teleport_user)
        .map(|person| person.mattermost.clone())
        .collect();
    let named = !names.is_empty();
    if !named && !settings.user_trait.is_empty() {
        let values = teleport.trait_of(teleport_user, &settings.user_trait).await?;
        names.extend(values.iter().map(|value| value.trim().trim_start_matches('@').to_lowercase()));
    }
    if !named && settings.match_email {
        names.push(teleport_user.to_lowercase());
    }
    let mut accounts: Vec<User> = Vec::new();
    for name in names {
        let by_email = name.contains('@');
        let by = if by_email { UserBy::Email(name) } else { UserBy::Username(name) };
        match mattermost.get_user(by).await {
            Ok(user) if user.delete_at != 0 || user.is_bot || (by_email && !user.email_verified) => {}
            Ok(user) if accounts.iter().any(|known| known.id == user.id) => {}
            Ok(user) => accounts.push(user),
            Err(HostError::NotFound(_) | HostError::Invalid(_)) => {}
            Err(error) => return Err(error.into()),
        }
    }
    Ok(if accounts.len() == 1 { accounts.pop() } else { None })
}
