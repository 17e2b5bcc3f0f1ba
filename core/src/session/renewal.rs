//! Credentials that were renewed on disk: tried first, then moved over to, while all goes on with the ones before.

use std::rc::Rc;

use futures::future::LocalBoxFuture;

use super::watch::{Watch, open_watch};
use super::{Place, Trouble, Way, check_cluster, endpoints, explain, point};
use crate::bridge::Bridge as _;
use crate::cluster::Lane;
use crate::config::Address;
use crate::connection::route;
use crate::credentials::Usable;
use crate::notices;
use crate::teleport::{ServerInfo, Teleport as _, TeleportError};
use crate::world::World;

/// What became of an attempt to move over.
pub(super) enum Moved<W: World> {
    /// The new way, and its watch where this node watches.
    To(Rc<Way<W>>, Option<Rc<Watch<W>>>),
    /// The new credentials do not work: what there is stays.
    Not(Trouble),
    /// New calls use the new ones already, and what follows failed: the connection is made again.
    Broken(Trouble),
}

/// An attempt that is under way.
pub(super) type Moving<W> = LocalBoxFuture<'static, Moved<W>>;

/// Notices credentials that were renewed on disk. Those that have expired end the connection.
pub(super) async fn renewed<W: World>(lane: &Lane<W>, way: &Way<W>) -> Result<Option<Usable>, Trouble> {
    let Some(now) = &way.credentials else { return Ok(None) };
    if lane.leader.get() {
        notices::credentials(lane, now).await;
    }
    if let Some(problem) = now.expired(lane.world.now()) {
        // The next attempt reads them again, and says so while they are the same.
        return Err(problem.into());
    }
    if !lane.reads_files() {
        return Ok(None);
    }
    match lane.credentials().await {
        Ok(usable) if usable == *now || usable.expired(lane.world.now()).is_some() => Ok(None),
        Ok(usable) if usable.user == now.user && usable.cluster == now.cluster => Ok(Some(usable)),
        // Somebody else's, or another cluster's: nothing of what there is can stay.
        Ok(_) => Err(Trouble::new(Place::Credentials, "The credentials are other ones now: connecting with them.")),
        // A file in the middle of being written: what we have is still good.
        Err(_) => Ok(None),
    }
}

/// Begins to move over to renewed credentials.
pub(super) fn move_over<W: World>(lane: &Lane<W>, way: &Rc<Way<W>>, usable: Usable) -> Moving<W> {
    let (lane, way) = (lane.clone(), Rc::clone(way));
    Box::pin(async move {
        let settings = lane.cluster.settings();
        let Some(address) = &settings.address else {
            return Moved::Not(Trouble::new(Place::Settings, "No Teleport address is set."));
        };
        let wanted = match route::load(lane.world.bridge(), &settings).await {
            Ok(wanted) => wanted,
            Err(problem) => return Moved::Not(route::trouble(problem, lane.cluster.place.get())),
        };
        let server = match try_out(&lane, address, &wanted, &usable).await {
            Ok(server) => server,
            Err(trouble) => return Moved::Not(trouble),
        };
        let endpoint = endpoints::wanted(&way.cluster, address, &wanted, Some(&usable));
        let destination = endpoint.cluster.clone();
        let generation = match endpoints::point(&lane, endpoint).await {
            Ok(generation) => generation,
            Err(trouble) => return Moved::Broken(trouble),
        };
        let teleport = lane.world.teleport(&destination);
        let cluster = way.cluster.clone();
        let route = route::taken(lane.world.bridge(), &destination).await;
        let new = Rc::new(Way { cluster, teleport, credentials: Some(usable), server, generation, route });
        lane.cluster.connects.set(lane.cluster.connects.get() + 1);
        *lane.cluster.way.borrow_mut() = Some(Rc::clone(&new));
        if !lane.leader.get() {
            return Moved::To(new, None);
        }
        match open_watch(&lane, &new, address).await {
            Ok(watch) => Moved::To(new, Some(watch)),
            Err(trouble) => Moved::Broken(trouble),
        }
    })
}

/// Whether Teleport takes new credentials, found out over a way of its own: what works goes on working.
async fn try_out<W: World>(
    lane: &Lane<W>,
    address: &Address,
    wanted: &route::Wanted,
    usable: &Usable,
) -> Result<ServerInfo, Trouble> {
    let destination = format!("trial-{:016x}", lane.world.random());
    // In case that this is given up in between.
    endpoints::forget_later(&lane.app, destination.clone());
    point(lane, &destination, &usable.cluster, address, wanted, Some(usable)).await?;
    let teleport = lane.world.teleport(&destination);
    let answer = async {
        let server = teleport.ping().await?;
        // Ping answers strangers too.
        match teleport.rights().await {
            Ok(_) | Err(TeleportError::Unimplemented(_)) => Ok(server),
            Err(error) => Err(error),
        }
    };
    let answer = answer.await;
    let _ = lane.world.bridge().forget_endpoint(&destination).await;
    let server = answer.map_err(|error| explain(address, error))?;
    check_cluster(&usable.cluster, &server)?;
    Ok(server)
}
