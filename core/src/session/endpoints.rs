//! Where the calls to a cluster go. Each time that the bridge is pointed somewhere is a generation: new calls use the newest
//! one, and calls that are under way end on theirs.

use std::rc::Rc;
use std::time::Duration;

use super::{Trouble, Way, endpoint, set};
use crate::app::App;
use crate::bridge::{Bridge as _, Endpoint};
use crate::cluster::Lane;
use crate::config::Address;
use crate::connection::route;
use crate::credentials::Usable;
use crate::world::World;

/// How long an endpoint stays that is not used any more: longer than a decision that began on it may take.
const KEPT: Duration = Duration::from_secs(60);

/// How to reach a cluster. What is reached at another address, or as another user, is another destination: a decision that
/// was begun at the one is not ended at the other.
pub(super) fn wanted(
    cluster: &str,
    address: &Address,
    route: &route::Wanted,
    credentials: Option<&Usable>,
) -> Endpoint {
    let user = credentials.map(|usable| usable.user.as_str()).unwrap_or_default();
    Endpoint { cluster: format!("{cluster} {user}@{address}"), ..endpoint(address, cluster, route, credentials) }
}

/// The way that there is already, where it leads to this endpoint: nothing of it is touched then.
pub(super) fn standing<W: World>(
    lane: &Lane<W>,
    endpoint: &Endpoint,
    credentials: Option<&Usable>,
) -> Option<Rc<Way<W>>> {
    if lane.cluster.pointed.borrow().as_ref() != Some(endpoint) {
        return None;
    }
    let way = lane.cluster.way.borrow().clone()?;
    if way.credentials.as_ref() == credentials {
        return Some(way);
    }
    // The same ones, from another setting.
    let same = Way {
        cluster: way.cluster.clone(),
        teleport: lane.world.teleport(&endpoint.cluster),
        credentials: credentials.cloned(),
        server: way.server.clone(),
        generation: way.generation,
        route: way.route.clone(),
    };
    Some(Rc::new(same))
}

/// Points the bridge there from now on, and answers the number of the generation.
pub(super) async fn point<W: World>(lane: &Lane<W>, endpoint: Endpoint) -> Result<u64, Trouble> {
    let cluster = &lane.cluster;
    // Not known until the bridge has said so: this may be given up in between.
    *cluster.pointed.borrow_mut() = None;
    let before = cluster.destination.replace(Some(endpoint.cluster.clone()));
    if let Some(before) = before.filter(|before| *before != endpoint.cluster) {
        forget_later(&lane.app, before);
    }
    set(lane, endpoint.clone()).await?;
    *cluster.pointed.borrow_mut() = Some(endpoint);
    cluster.generation.set(cluster.generation.get() + 1);
    Ok(cluster.generation.get())
}

/// Has the bridge forget a destination, once what was begun there has had its time, unless it is used again by then.
pub(crate) fn forget_later<W: World>(app: &Rc<App<W>>, destination: String) {
    let app = Rc::clone(app);
    let spawner = Rc::clone(&app);
    spawner.world.spawn(Box::pin(async move {
        app.world.sleep(KEPT).await;
        let is_used = |lane: Lane<W>| lane.cluster.destination.borrow().as_ref() == Some(&destination);
        if !app.lanes().into_iter().any(is_used) {
            // Where that fails, a connection stays that nobody uses.
            let _ = app.world.bridge().forget_endpoint(&destination).await;
        }
    }));
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn another_address_or_user_is_another_destination_and_renewed_credentials_are_not() {
        let usable = |user: &str, key: &str| Usable {
            setting: "Identity",
            credentials: crate::bridge::Credentials { private_key: key.into(), ..Default::default() },
            user: user.into(),
            cluster: "tp".into(),
            not_before: crate::time::Time(0),
            not_after: crate::time::Time(1),
        };
        let address = |text: &str| Address::Teleport(text.into());
        let of = |at: &str, user: &str, key: &str| {
            wanted("tp", &address(at), &route::Wanted::default(), Some(&usable(user, key)))
        };
        let first = of("tp:443", "bot", "one");
        assert_eq!(first.cluster, of("tp:443", "bot", "two").cluster);
        assert_ne!(first, of("tp:443", "bot", "two"), "but it is pointed there anew");
        assert_ne!(first.cluster, of("tp:3025", "bot", "one").cluster);
        assert_ne!(first.cluster, of("tp:443", "other", "one").cluster);
        assert!(first.server_name.starts_with("7470."), "the name in the certificate is the cluster's");
    }
}
