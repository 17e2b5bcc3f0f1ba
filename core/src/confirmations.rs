//! What waits for a system admin's word: listed on the settings page and in the status, given on the settings page, and
//! written into the audit trail with the admin's name.
//!
//! Each kind of thing belongs to a part of its own, which lists what waits and does what is confirmed. An id is the kind, a
//! colon, and whatever that part needs to know exactly what was shown: where the thing has changed since, the id is found no
//! more.

use std::rc::Rc;

use crate::app::App;
use crate::audit;
use crate::authority;
use crate::mattermost::HostError;
pub use crate::proto::panel::Confirmation;
use crate::rules::{addresses, links, mapping, pins};
use crate::teleport::fields;
use crate::world::World;

/// Why nothing was confirmed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum NotConfirmed {
    /// The id is of nothing that waits now.
    #[error("This has changed, or was confirmed already. Look at the list again.")]
    Changed,
    /// The store, or a look-up, failed.
    #[error("This could not be confirmed: {0}. Try again.")]
    Host(#[from] HostError),
}

/// The kinds of things that wait: the part of an id before its first colon.
pub(crate) mod kind {
    /// Who checks decisions, where another server version would change it.
    pub(crate) const AUTHORITY: &str = "authority";
    /// An account's e-mail address that nobody has verified.
    pub(crate) const EMAIL: &str = "email";
    /// What is remembered of an account, and keeps it from deciding.
    pub(crate) const LINK: &str = "link";
    /// Whether accounts that are nobody in Teleport decide nothing.
    pub(crate) const MAPPING: &str = "mapping";
    /// A field of access requests that this version does not know.
    pub(crate) const WIRE: &str = "wire";
    /// A name in the settings, and the account, group or channel that it means.
    pub(crate) const PIN: &str = "pin";
}

/// The kind of thing that an id is of, and the rest of the id.
pub(crate) fn kind_of(id: &str) -> (&str, &str) {
    id.split_once(':').unwrap_or((id, ""))
}

/// Everything that waits, urgent things first.
///
/// # Errors
/// Where the store or Mattermost cannot be asked.
pub async fn list<W: World>(app: &Rc<App<W>>) -> Result<Vec<Confirmation>, HostError> {
    // What an earlier version left is written down before anything is offered.
    mapping::settle(app).await?;
    // One line for each part that has something to confirm.
    let mut waiting = authority::waiting(app).await?;
    waiting.extend(mapping::waiting(app).await?);
    waiting.extend(pins::waiting(app).await?);
    waiting.extend(addresses::waiting(app).await?);
    waiting.extend(links::waiting(app).await?);
    waiting.extend(fields::waiting(app.world.mattermost()).await?);
    waiting.sort_by_key(|confirmation: &Confirmation| !confirmation.urgent);
    Ok(waiting)
}

/// Confirms one thing in an admin's name. Answers what was done, for the admin to read.
///
/// # Errors
/// Where it does not wait any more as it was listed, or the store fails; nothing has been changed then.
pub async fn confirm<W: World>(app: &Rc<App<W>>, admin_id: &str, id: &str) -> Result<String, NotConfirmed> {
    let waiting = list(app).await?.into_iter().find(|waiting| waiting.id == id).ok_or(NotConfirmed::Changed)?;
    audit::noted(app, admin_id, "confirmed", &waiting.id).await?;
    // Each kind of thing is confirmed by the part that it belongs to, which looks again whether it is still as listed.
    match kind_of(&waiting.id).0 {
        kind::AUTHORITY => authority::confirm(app, &waiting.id).await,
        kind::EMAIL => addresses::confirm(app, &waiting.id).await,
        kind::LINK => links::confirm(app, &waiting.id).await,
        kind::MAPPING => mapping::confirm(app, &waiting.id).await,
        kind::PIN => pins::confirm(app, admin_id, &waiting.id).await,
        kind::WIRE => fields::accept(app.world.mattermost(), admin_id, &waiting.id, app.world.now())
            .await?
            .ok_or(NotConfirmed::Changed),
        _ => Err(NotConfirmed::Changed),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_id_is_its_kind_and_what_the_kind_knows() {
        assert_eq!(kind_of("pin:Approvers|user|bob:b0b"), (kind::PIN, "Approvers|user|bob:b0b"));
        assert_eq!(kind_of("pin"), (kind::PIN, ""));
    }
}
