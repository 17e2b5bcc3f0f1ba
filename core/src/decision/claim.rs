//! The right to decide a request, which one click at a time has: a claim in the key-value store.

use std::cell::RefCell;
use std::collections::HashMap;
use std::rc::Rc;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::Refused;
use crate::app::App;
use crate::mattermost::{HostError, Mattermost as _, Swap, User};
use crate::world::World;

/// How long one decision may take. Longer than Teleport's deadline: a claim that is older is of somebody who is not there
/// any more.
const CLAIM_LASTS: Duration = Duration::from_secs(30);
/// When Mattermost clears away what nobody else did.
const CLAIM_EXPIRES_SECONDS: i64 = 86_400;

/// A note in the store that somebody is deciding a request, so that two clicks never both do. It holds no time: clocks of
/// two nodes may differ. Whoever finds one times it by themselves.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
struct Claim {
    /// Who.
    username: String,
    /// Tells two claims of the same person apart.
    nonce: u64,
}

/// Claims of others that were found standing, and whether they have stood for too long.
#[derive(Debug, Default)]
pub struct Claims(RefCell<HashMap<Vec<u8>, bool>>);

fn claim_key(cluster: &str, id: &str) -> String {
    format!("claim:{cluster}:{id}")
}

/// Takes the right to decide, which one click at a time has.
pub(super) async fn claim<W: World>(
    app: &Rc<App<W>>,
    cluster: &str,
    id: &str,
    user: &User,
) -> Result<Vec<u8>, Refused> {
    let mattermost = app.world.mattermost();
    let key = claim_key(cluster, id);
    let old = mattermost.kv_get(&key).await.map_err(Refused::Mattermost)?;
    if let Some(other) = &old
        && !is_abandoned(app, other)
    {
        return Err(Refused::Busy(owner(other)));
    }
    let claim = Claim { username: user.username.clone(), nonce: app.world.random() };
    let bytes =
        serde_json::to_vec(&claim).map_err(|error| Refused::Mattermost(HostError::Invalid(error.to_string())))?;
    let swap = Swap { key: key.clone(), old, new: Some(bytes.clone()), expire_seconds: CLAIM_EXPIRES_SECONDS };
    match mattermost.kv_swap(swap).await {
        Ok(true) => Ok(bytes),
        Ok(false) => {
            let winner = mattermost.kv_get(&key).await.ok().flatten();
            Err(Refused::Busy(winner.map_or_else(|| "somebody else".to_owned(), |winner| owner(&winner))))
        }
        Err(error) => Err(Refused::Mattermost(error)),
    }
}

/// Whose claim it is.
fn owner(claim: &[u8]) -> String {
    serde_json::from_slice::<Claim>(claim).map_or_else(|_| "somebody else".to_owned(), |claim| claim.username)
}

/// Whether a claim that was found has stood, seen from here, longer than any decision takes. The first look starts the
/// clock; a process that died in the middle of a decision leaves such a claim behind.
fn is_abandoned<W: World>(app: &Rc<App<W>>, claim: &[u8]) -> bool {
    let mut seen = app.claims.0.borrow_mut();
    if let Some(abandoned) = seen.get(claim) {
        return *abandoned;
    }
    seen.insert(claim.to_vec(), false);
    let (later, claim) = (Rc::clone(app), claim.to_vec());
    app.world.spawn(Box::pin(async move {
        later.world.sleep(CLAIM_LASTS).await;
        later.claims.0.borrow_mut().insert(claim.clone(), true);
        later.world.sleep(CLAIM_LASTS * 20).await;
        later.claims.0.borrow_mut().remove(&claim);
    }));
    false
}

/// Gives the right back. Should that fail, it ends by itself.
pub(super) async fn release<W: World>(app: &App<W>, cluster: &str, id: &str, claim: Vec<u8>) {
    let swap = Swap { key: claim_key(cluster, id), old: Some(claim), new: None, expire_seconds: 0 };
    let _ = app.world.mattermost().kv_swap(swap).await;
}
