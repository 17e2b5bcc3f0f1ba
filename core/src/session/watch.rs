//! The watch: opened, listened to, moved over to another connection.

use std::cell::RefCell;
use std::convert::Infallible;
use std::future::poll_fn;
use std::rc::Rc;
use std::task::Poll;
use std::time::Duration;

use futures::{FutureExt, StreamExt};

use super::checks::{load_accepted_fields, note_fields};
use super::renewal::{Moved, Moving, move_over, renewed};
use super::{Link, Place, Trouble, Way, check_rights, explain};
use crate::authority;
use crate::cluster::Lane;
use crate::config::{Address, Settings};
use crate::desk;
use crate::mattermost::LogLevel;
use crate::rules::mapping;
use crate::teleport::{Event, State, Teleport, TeleportError};
use crate::time::Time;
use crate::world::{World, within};

/// How long the first event of a watch may take.
const INIT_TIMEOUT: Duration = Duration::from_secs(30);
/// How often all requests are listed besides the watch, in case it has lost something.
const RELIST: Duration = Duration::from_secs(300);
/// How often files with credentials are looked at again, and expiry times checked.
const TICK: Duration = Duration::from_secs(30);
/// How often it is looked whether other nodes have called attention to a request.
const ATTEND: Duration = Duration::from_secs(5);

/// A watch that stands. It outlives the task that listens to it: changed settings do not end it.
pub(crate) struct Watch<W: World> {
    /// Name of the cluster that is watched.
    cluster: String,
    /// The generation of the endpoint that it goes over.
    generation: u64,
    since: Time,
    events: RefCell<<W::Teleport as Teleport>::Events>,
}

/// Opens a watch, and waits until Teleport has begun it: from then on nothing is missed.
pub(super) async fn open_watch<W: World>(
    lane: &Lane<W>,
    way: &Way<W>,
    address: &Address,
) -> Result<Rc<Watch<W>>, Trouble> {
    let mut events = way.teleport.watch().await.map_err(|error| explain(address, error))?;
    let silent =
        || Trouble::new(Place::Watch, "Teleport opened the watch but does not send anything. It is tried again.");
    loop {
        match within(&lane.world, INIT_TIMEOUT, events.next()).await.ok_or_else(silent)? {
            Some(Ok(Event::Init)) => break,
            Some(Ok(_)) => {}
            Some(Err(error)) => return Err(explain(address, error)),
            None => return Err(silent()),
        }
    }
    let (cluster, since) = (way.cluster.clone(), lane.world.now());
    Ok(Rc::new(Watch { cluster, generation: way.generation, since, events: RefCell::new(events) }))
}

/// What comes next.
enum Next<W: World> {
    Event(Option<Result<Event, TeleportError>>),
    Moved(Moved<W>),
    /// Nothing for a while.
    Time,
}

impl<W: World> Watch<W> {
    /// What comes next. Where this is given up, nothing of the watch is lost.
    async fn next(&self, lane: &Lane<W>, moving: &mut Option<Moving<W>>) -> Next<W> {
        let mut sleep = lane.world.sleep(ATTEND);
        poll_fn(|context| {
            if let Poll::Ready(event) = self.events.borrow_mut().poll_next_unpin(context) {
                return Poll::Ready(Next::Event(event));
            }
            if let Some(Poll::Ready(moved)) = moving.as_mut().map(|moving| moving.poll_unpin(context)) {
                *moving = None;
                return Poll::Ready(Next::Moved(moved));
            }
            sleep.poll_unpin(context).map(|()| Next::Time)
        })
        .await
    }

    /// Takes what this watch still tells after another one has taken its place.
    async fn hear_out(&self, lane: &Lane<W>, way: &Way<W>) {
        if self.cluster != way.cluster {
            return;
        }
        loop {
            let Some(Some(Ok(event))) = self.events.borrow_mut().next().now_or_never() else { return };
            hear(lane, way, event).await;
        }
    }
}

async fn hear<W: World>(lane: &Lane<W>, way: &Way<W>, event: Event) {
    if let Event::Put(request) = &event {
        note_fields(lane, way, [&**request]).await;
    }
    desk::hear(lane, event);
}

/// Lists all requests and hands them to the desk; answers how many are pending.
async fn list<W: World>(lane: &Lane<W>, way: &Way<W>, address: &Address) -> Result<usize, Trouble> {
    let requests = way.teleport.list().await.map_err(|error| explain(address, error))?;
    note_fields(lane, way, &requests).await;
    let pending = requests.iter().filter(|request| request.state == State::Pending).count();
    desk::reconcile(lane, requests);
    Ok(pending)
}

/// Watches Teleport and hands everything to the desk. A watch that stands on this way already goes on.
pub(super) async fn watch<W: World>(lane: &Lane<W>, way: &Rc<Way<W>>, epoch: u64) -> Result<Infallible, Trouble> {
    let settings = lane.cluster.settings();
    let Some(address) = &settings.address else {
        return Err(Trouble::new(Place::Watch, "No Teleport address is set."));
    };
    // What holds because of earlier versions, before anything new is written.
    let settled = mapping::settle(lane).await;
    settled.map_err(|error| Trouble::new(Place::Watch, format!("Mattermost could not be asked: {error}.")))?;
    // A role that has what was needed until now goes on watching while an admin is asked about what would be needed.
    let authority = authority::settle(lane, way).await;
    let asked = Settings { authority, ..Settings::clone(&lane.settings()) };
    check_rights(&way.teleport, &way.server, &asked, address).await?;
    let before = lane.cluster.watch.borrow().clone();
    let (watch, before) = match before {
        Some(stands) if stands.generation == way.generation => (stands, None),
        before => (open_watch(lane, way, address).await?, before),
    };
    *lane.cluster.watch.borrow_mut() = Some(Rc::clone(&watch));
    // From here on nothing is missed; what was there before comes with the listing. What admins have accepted is known before
    // any post is written.
    load_accepted_fields(lane, way).await;
    desk::open(lane, &way.cluster, epoch).await.map_err(|error| Trouble::new(Place::Watch, error.to_string()))?;
    let pending = list(lane, way, address).await?;
    if let Some(before) = before {
        before.hear_out(lane, way).await;
    }
    lane.log(
        LogLevel::Info,
        "Watching Teleport for access requests.",
        &[("cluster", &way.cluster), ("version", &way.server.version), ("pending", &pending.to_string())],
    );
    *lane.cluster.link.borrow_mut() = Link::Up(Some(watch.since));
    listen(lane, address, Rc::clone(way), watch).await
}

/// Listens to a watch until it ends, or moves over to another one.
async fn listen<W: World>(
    lane: &Lane<W>,
    address: &Address,
    mut way: Rc<Way<W>>,
    mut watch: Rc<Watch<W>>,
) -> Result<Infallible, Trouble> {
    let mut moving: Option<Moving<W>> = None;
    let mut told: Option<Trouble> = None;
    let mut relisted = lane.world.now();
    let mut ticked = lane.world.now();
    // Counted in rounds, not by the clock, which may jump.
    let mut rounds: u32 = 0;
    let mut attended = lane.world.now();
    loop {
        match watch.next(lane, &mut moving).await {
            Next::Event(Some(Ok(event))) => hear(lane, &way, event).await,
            Next::Event(Some(Err(error))) => return Err(explain(address, error)),
            Next::Event(None) => {
                return Err(Trouble::new(Place::Watch, "Teleport ended the watch. It is opened again."));
            }
            Next::Moved(Moved::To(to, stands)) => {
                way = to;
                if let Some(stands) = stands {
                    let before = std::mem::replace(&mut watch, stands);
                    *lane.cluster.watch.borrow_mut() = Some(Rc::clone(&watch));
                    before.hear_out(lane, &way).await;
                    list(lane, &way, address).await?;
                }
                lane.log(LogLevel::Info, "The credentials were renewed.", &[("cluster", &way.cluster)]);
            }
            Next::Moved(Moved::Not(trouble)) => {
                if told.as_ref() != Some(&trouble) {
                    let what = "Renewed credentials do not work: the ones before are still used.";
                    lane.log(LogLevel::Warn, what, &[("cluster", &way.cluster), ("error", &trouble.message)]);
                }
                told = Some(trouble);
            }
            Next::Moved(Moved::Broken(trouble)) => return Err(trouble),
            Next::Time => {}
        }
        let now = lane.world.now();
        if now.since(attended) >= ATTEND || now < attended {
            attended = now;
            desk::attend(lane).await;
        }
        // A clock that was set back must not stop the rounds.
        if now.since(ticked) >= TICK || now < ticked {
            ticked = now;
            rounds += 1;
            if TICK * rounds > desk::LANDING && !lane.cluster.desk.reread.get() {
                desk::reread(lane).await.map_err(|error| Trouble::new(Place::Watch, error.to_string()))?;
                lane.cluster.desk.reread.set(true);
            }
            if let Some(usable) = renewed(lane, &way).await?
                && moving.is_none()
            {
                moving = Some(move_over(lane, &way, usable));
            }
            desk::tick(lane);
        }
        if now.since(relisted) >= RELIST || now < relisted {
            relisted = now;
            list(lane, &way, address).await?;
            desk::rescan(lane).await.map_err(|error| Trouble::new(Place::Watch, error.to_string()))?;
        }
    }
}

/// Keeps the way ready for clicks while another node watches.
pub(super) async fn stand_by<W: World>(lane: &Lane<W>, way: Rc<Way<W>>) -> Result<Infallible, Trouble> {
    let mut way = way;
    loop {
        lane.world.sleep(TICK).await;
        let Some(usable) = renewed(lane, &way).await? else { continue };
        match move_over(lane, &way, usable).await {
            Moved::To(to, _) => way = to,
            // It is tried again with the next round; when the old ones have expired, it is said.
            Moved::Not(_) => {}
            Moved::Broken(trouble) => return Err(trouble),
        }
    }
}
