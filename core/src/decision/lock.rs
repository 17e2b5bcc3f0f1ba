//! The right to decide a request, which one click at a time has: a lock in the key-value store.

use std::cell::RefCell;
use std::collections::HashMap;
use std::rc::Rc;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::Refused;
use crate::app::App;
use crate::mattermost::{HostError, Mattermost as _, Swap, User};
use crate::world::World;

/// After how long others take a lock for abandoned.
const LOCK_LASTS: Duration = Duration::from_secs(30);
/// How long a holder may take until it asks Teleport. What is left of [`LOCK_LASTS`] is longer than Teleport's deadline,
/// so that nobody is asked any more when somebody else takes the lock.
pub(super) const HELD: Duration = Duration::from_secs(15);
/// When Mattermost clears away what nobody else did.
const LOCK_EXPIRES_SECONDS: i64 = 86_400;

/// A note in the store that somebody is deciding a request, so that two clicks never both do. It holds no time: clocks of
/// two nodes may differ. Anyone who finds one times it themselves.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
struct Lock {
    /// Who.
    username: String,
    /// Tells two locks of the same person apart.
    nonce: u64,
}

/// Locks of others that were found, and whether they have been there for too long.
#[derive(Debug, Default)]
pub struct Locks(RefCell<HashMap<Vec<u8>, bool>>);

/// A lock that is held.
#[derive(Clone)]
pub(super) struct Held {
    key: String,
    bytes: Vec<u8>,
}

fn lock_key(cluster: &str, id: &str) -> String {
    format!("claim:{cluster}:{id}")
}

/// Takes the right to decide, which one click at a time has.
pub(super) async fn take<W: World>(app: &Rc<App<W>>, cluster: &str, id: &str, user: &User) -> Result<Held, Refused> {
    let mattermost = app.world.mattermost();
    let nonce = app.world.secret().ok_or(Refused::NoChance)?;
    let key = lock_key(cluster, id);
    let old = mattermost.kv_get(&key).await.map_err(Refused::Mattermost)?;
    if let Some(other) = &old
        && !is_abandoned(app, other)
    {
        return Err(Refused::Busy(owner(other)));
    }
    let lock = Lock { username: user.username.clone(), nonce };
    let bytes =
        serde_json::to_vec(&lock).map_err(|error| Refused::Mattermost(HostError::Invalid(error.to_string())))?;
    let swap = Swap { key: key.clone(), old, new: Some(bytes.clone()), expire_seconds: LOCK_EXPIRES_SECONDS };
    match mattermost.kv_swap(swap).await {
        Ok(true) => Ok(Held { key, bytes }),
        Ok(false) => {
            let winner = mattermost.kv_get(&key).await.ok().flatten();
            Err(Refused::Busy(winner.map_or_else(|| "somebody else".to_owned(), |winner| owner(&winner))))
        }
        Err(error) => Err(Refused::Mattermost(error)),
    }
}

/// Whether the lock is still ours. Asked right before Teleport is.
pub(super) async fn is_held<W: World>(app: &App<W>, held: &Held) -> Result<(), Refused> {
    match app.world.mattermost().kv_get(&held.key).await {
        Ok(Some(now)) if now == held.bytes => Ok(()),
        Ok(now) => Err(Refused::Busy(now.map_or_else(|| "somebody else".to_owned(), |now| owner(&now)))),
        Err(error) => Err(Refused::Mattermost(error)),
    }
}

/// Whose lock it is.
fn owner(lock: &[u8]) -> String {
    serde_json::from_slice::<Lock>(lock).map_or_else(|_| "somebody else".to_owned(), |lock| lock.username)
}

/// Whether a lock that was found has been there, seen from here, longer than any decision takes. The first look starts the
/// clock; a process that died in the middle of a decision leaves such a lock behind.
fn is_abandoned<W: World>(app: &Rc<App<W>>, lock: &[u8]) -> bool {
    let mut seen = app.locks.0.borrow_mut();
    if let Some(abandoned) = seen.get(lock) {
        return *abandoned;
    }
    seen.insert(lock.to_vec(), false);
    let (later, lock) = (Rc::clone(app), lock.to_vec());
    app.world.spawn(Box::pin(async move {
        later.world.sleep(LOCK_LASTS).await;
        later.locks.0.borrow_mut().insert(lock.clone(), true);
        later.world.sleep(LOCK_LASTS * 20).await;
        later.locks.0.borrow_mut().remove(&lock);
    }));
    false
}

/// Gives the right back. Should that fail, it ends by itself.
pub(super) async fn release<W: World>(app: &App<W>, held: Held) {
    let swap = Swap { key: held.key, old: Some(held.bytes), new: None, expire_seconds: 0 };
    let _ = app.world.mattermost().kv_swap(swap).await;
}
