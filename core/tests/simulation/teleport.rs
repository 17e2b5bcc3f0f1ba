//! What happens in Teleport by itself or by other hands.

use std::rc::Rc;

use teleport_access_core::teleport::{AccessRequest, Event, Failure, Review, State, TeleportError, Threshold};
use teleport_access_core::time::Time;

use crate::servers::Watcher;
use crate::sim::Sim;

/// Sends an event to one watcher, in order, after a while, now and then twice.
pub fn send(sim: &Sim, watcher: &mut Watcher, event: Event) {
    if watcher.stalled {
        return;
    }
    let arrives = (sim.now() + sim.random(|rng| rng.i64(0..200))).max(watcher.last);
    watcher.last = arrives;
    let events = watcher.events.clone();
    let times = if sim.random(|rng| rng.u8(0..50)) == 0 { 2 } else { 1 };
    sim.later(arrives - sim.now(), move || {
        for _ in 0..times {
            let _ = events.unbounded_send(Ok(event.clone()));
        }
    });
}

/// Sends an event to all watchers.
pub fn tell(sim: &Sim, event: Event) {
    let mut watchers = std::mem::take(&mut sim.teleport.borrow_mut().watchers);
    watchers.retain(|watcher| !watcher.events.is_closed());
    for watcher in &mut watchers {
        send(sim, watcher, event.clone());
    }
    sim.teleport.borrow_mut().watchers.append(&mut watchers);
}

/// Files a request that expires after `lives` milliseconds.
pub fn file(sim: &Rc<Sim>, id: String, lives: i64) {
    let now = sim.now();
    let request = AccessRequest {
        id: id.clone(),
        user: "requester".into(),
        roles: vec!["dba".into()],
        created: Some(Time(now)),
        expires: Some(Time(now + lives)),
        thresholds: sim.random(|rng| match rng.u8(0..3) {
            0 => vec![Threshold { name: String::new(), filter: String::new(), approve: 2, deny: 1 }],
            _ => Vec::new(),
        }),
        ..Default::default()
    };
    file_as(sim, request, lives);
}

/// Files a request as it is, which expires after `lives` milliseconds.
pub fn file_as(sim: &Rc<Sim>, request: AccessRequest, lives: i64) {
    let id = request.id.clone();
    sim.note(|| format!("{id} is filed, for {}s", lives / 1_000));
    sim.teleport.borrow_mut().requests.insert(id.clone(), request.clone());
    tell(sim, Event::Put(Box::new(request)));
    let later = Rc::clone(sim);
    let lingers = sim.teleport.borrow().lingers;
    sim.later(lives + lingers, move || {
        let pending = later.teleport.borrow().requests.get(&id).is_some_and(|request| request.state == State::Pending);
        if pending {
            remove(&later, &id);
        }
    });
}

/// Files another request under the id of a pending one, as somebody may once that is gone, on servers that keep clients' ids.
pub fn replace(sim: &Rc<Sim>, id: &str) {
    let other = {
        let server = sim.teleport.borrow();
        let Some(request) = server.requests.get(id) else { return };
        if request.state != State::Pending || !server.version.starts_with("13.") {
            return;
        }
        let roles = if sim.random(|rng| rng.bool()) { vec!["prod".into()] } else { request.roles.clone() };
        AccessRequest { roles, created: Some(Time(sim.now())), reviews: Vec::new(), ..request.clone() }
    };
    sim.note(|| format!("{id} is another request now, for {:?}", other.roles));
    sim.teleport.borrow_mut().requests.insert(id.to_owned(), other.clone());
    tell(sim, Event::Put(Box::new(other)));
}

/// Decides a request the way `tctl` does.
pub fn decide(sim: &Sim, id: &str, state: State) {
    let changed = {
        let mut server = sim.teleport.borrow_mut();
        let Some(request) = server.requests.get_mut(id) else { return };
        if request.state == State::Denied {
            return;
        }
        request.state = state;
        request.resolve_annotations.clear();
        let changed = request.clone();
        server.had.entry(id.to_owned()).or_default().push(state);
        changed
    };
    sim.note(|| format!("{id} is {state:?} by tctl"));
    tell(sim, Event::Put(Box::new(changed)));
}

/// Adds a review that does not decide.
pub fn review(sim: &Sim, id: &str) {
    let changed = {
        let mut server = sim.teleport.borrow_mut();
        let Some(request) = server.requests.get_mut(id) else { return };
        if request.state != State::Pending {
            return;
        }
        let author = format!("reviewer-{}", request.reviews.len());
        let state = State::Approved;
        request.reviews.push(Review {
            author,
            state,
            reason: "fine".into(),
            created: Some(Time(sim.now())),
            decider: String::new(),
        });
        request.clone()
    };
    sim.note(|| format!("{id} is reviewed"));
    tell(sim, Event::Put(Box::new(changed)));
}

/// Deletes a request.
pub fn remove(sim: &Sim, id: &str) {
    let removed = sim.teleport.borrow_mut().requests.remove(id);
    if let Some(request) = removed {
        sim.note(|| format!("{id} is gone from Teleport"));
        sim.teleport.borrow_mut().gone.insert(id.to_owned(), request);
        tell(sim, Event::Delete(id.to_owned()));
    }
}

/// Ends all watches, those of one node or everybody's.
pub fn cut(sim: &Sim, node: Option<usize>) {
    sim.note(|| "watches are cut".to_owned());
    cut_where(sim, |watcher| node.is_none_or(|node| node == watcher.node));
}

/// Ends some watches.
pub fn cut_where(sim: &Sim, which: impl Fn(&Watcher) -> bool) {
    sim.teleport.borrow_mut().watchers.retain(|watcher| {
        let cut = which(watcher);
        if cut {
            let failure = Failure::from_name("broken");
            let _ = watcher.events.unbounded_send(Err(TeleportError::Unreachable { failure, detail: "cut".into() }));
        }
        !cut
    });
}
