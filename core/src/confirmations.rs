//! What waits for a system admin's word: listed on the settings page and in the status, given on the settings page, and
//! written into the audit trail with the admin's name.
//!
//! Each kind of thing belongs to a part of its own, which lists what waits and does what is confirmed. An id is the kind, a
//! colon, and whatever that part needs to know exactly what was shown: where the thing has changed since, the id is found no
//! more.

use crate::app::App;
use crate::audit;
use crate::mattermost::HostError;
pub use crate::proto::panel::Confirmation;
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

/// Everything that waits, urgent things first.
///
/// # Errors
/// Where the store or Mattermost cannot be asked.
pub(crate) async fn list<W: World>(_app: &App<W>) -> Result<Vec<Confirmation>, HostError> {
    let mut waiting = Vec::new();
    waiting.sort_by_key(|confirmation: &Confirmation| !confirmation.urgent);
    Ok(waiting)
}

/// Confirms one thing in an admin's name. Answers what was done, for the admin to read.
///
/// # Errors
/// Where it does not wait any more as it was listed, or the store fails; nothing has been changed then.
pub(crate) async fn confirm<W: World>(app: &App<W>, admin_id: &str, id: &str) -> Result<String, NotConfirmed> {
    let waiting = list(app).await?.into_iter().find(|waiting| waiting.id == id).ok_or(NotConfirmed::Changed)?;
    audit::noted(app, admin_id, "confirmed", &waiting.id).await?;
    // Each kind of thing is confirmed by the part that it belongs to.
    Err(NotConfirmed::Changed)
}
