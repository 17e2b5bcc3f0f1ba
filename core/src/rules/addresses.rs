//! E-mail addresses that count: those that Mattermost has verified, and those that an admin has accepted for an account.
//!
//! On servers that do not ask for verification anybody can enter anybody's address, so others count for nothing. Addresses in
//! the settings have pins of their own.

use std::rc::Rc;

use serde::{Deserialize, Serialize};

use super::documents;
use super::links::people;
use crate::app::App;
use crate::config::key;
use crate::confirmations::{Confirmation, NotConfirmed, kind};
use crate::mattermost::{HostError, Mattermost, User, UserBy};
use crate::messages::code;
use crate::world::World;

const KEY: &str = "accepted_emails";
/// Most addresses that are accepted.
const MOST: usize = 1_000;
/// Most accounts that are offered for acceptance.
const MOST_OFFERED: usize = 200;

/// An account with its address. If the address changes, it is another pair.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
struct Pair {
    account_id: String,
    /// In lower case.
    address: String,
}

impl Pair {
    fn of(user: &User) -> Self {
        Self { account_id: user.id.clone(), address: user.email.to_lowercase() }
    }

    fn id(&self) -> String {
        format!("{}:{}:{}", kind::EMAIL, self.account_id, self.address)
    }
}

/// What counts besides verified addresses.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
struct Accepted {
    /// By an admin.
    accepted: Vec<Pair>,
}

async fn load<M: Mattermost>(mattermost: &M) -> Result<Accepted, HostError> {
    Ok(documents::read(mattermost, KEY).await?.unwrap_or_default())
}

/// Whether an admin has accepted the address that the account has now.
pub(crate) async fn is_accepted<M: Mattermost>(mattermost: &M, user: &User) -> Result<bool, HostError> {
    // For a verified one nobody needs to be asked.
    Ok(!user.email_verified && !user.email.is_empty() && load(mattermost).await?.accepted.contains(&Pair::of(user)))
}

/// Whether the account's address says who it is.
pub(crate) async fn counts<M: Mattermost>(mattermost: &M, user: &User) -> Result<bool, HostError> {
    Ok(user.email_verified || is_accepted(mattermost, user).await?)
}

/// The accounts whose address an admin could accept: those that the settings let decide, where addresses say who is who.
/// Addresses in the settings themselves are accepted with their pins.
pub(crate) async fn waiting<W: World>(app: &Rc<App<W>>) -> Result<Vec<Confirmation>, HostError> {
    let (mattermost, settings) = (app.world.mattermost(), app.settings());
    if !settings.match_email {
        return Ok(Vec::new());
    }
    let known = load(mattermost).await?;
    let people = people(mattermost, &settings, &app.recipients, MOST_OFFERED).await;
    let open = |user: &&User| {
        !user.email_verified
            && !user.email.is_empty()
            && user.delete_at == 0
            && !known.accepted.contains(&Pair::of(user))
    };
    Ok(people.users.iter().filter(open).map(offer).collect())
}

/// What is offered for an account.
fn offer(user: &User) -> Confirmation {
    Confirmation {
        id: Pair::of(user).id(),
        setting: key::MATCH_EMAIL.to_owned(),
        message: format!(
            "@{} has entered the e-mail address {}, and nobody has verified it, so it does not say which Teleport user the account is. Accept it only if you know that it is theirs: without verification people can enter any address.",
            user.username,
            code(&user.email)
        ),
        action: "Accept".to_owned(),
        urgent: false,
    }
}

/// Accepts the address of an account.
pub(crate) async fn confirm<W: World>(app: &Rc<App<W>>, id: &str) -> Result<String, NotConfirmed> {
    let mattermost = app.world.mattermost();
    let account_id = id.split(':').nth(1).unwrap_or_default();
    // What the account is called now, not when it was listed.
    let user = match mattermost.get_user(UserBy::Id(account_id.to_owned())).await {
        Err(HostError::NotFound(_) | HostError::Invalid(_)) => return Err(NotConfirmed::Changed),
        user => user?,
    };
    let pair = Pair::of(&user);
    if pair.id() != id || pair.address.is_empty() {
        return Err(NotConfirmed::Changed);
    }
    let mut full = false;
    documents::change(mattermost, KEY, |stands: Option<&Accepted>| {
        let mut all = stands.cloned().unwrap_or_default();
        full = all.accepted.len() >= MOST;
        if full || all.accepted.contains(&pair) {
            return None;
        }
        // One account has one address.
        all.accepted.retain(|known| known.account_id != pair.account_id);
        all.accepted.push(pair.clone());
        Some(all)
    })
    .await?;
    if full {
        let text = format!("{MOST} addresses are accepted already; let Mattermost verify addresses instead");
        return Err(NotConfirmed::Host(HostError::Invalid(text)));
    }
    Ok(format!("The address {} counts for @{} from now on.", code(&user.email), user.username))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn user(email: &str) -> User {
        User { id: "id".into(), username: "ann".into(), email: email.into(), ..User::default() }
    }

    #[test]
    fn an_acceptance_is_of_one_account_with_one_address() {
        let accepted = Pair::of(&user("Ann@Corp.com"));
        assert_eq!(accepted, Pair::of(&user("ann@corp.com")));
        assert_ne!(accepted, Pair::of(&user("ann@home.net")));
        assert_ne!(accepted, Pair::of(&User { id: "other".into(), ..user("ann@corp.com") }));
        assert_eq!(accepted.id(), "email:id:ann@corp.com");
    }
}
