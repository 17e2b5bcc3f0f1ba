//! Virtual time, a queue of things to come, and calls that may go wrong on their way.

use std::cell::{Cell, RefCell};
use std::collections::BTreeMap;
use std::future::Future;
use std::rc::Rc;

use futures::channel::oneshot;

use teleport_access_core::teleport::AccessRequest;

use crate::servers::{MattermostServer, TeleportServer};

/// What may go wrong, each as a chance in a thousand calls.
#[derive(Debug, Clone, Copy)]
pub struct Faults {
    /// The call never arrives; the caller learns so.
    pub refused: u32,
    /// The call takes effect, but its answer is lost.
    pub answer_lost: u32,
    /// The call takes effect, and long after the caller gave up.
    pub late: u32,
    /// The call takes effect, slowly, and is answered.
    pub slow: u32,
}

impl Faults {
    /// A fair world.
    pub const NONE: Self = Self { refused: 0, answer_lost: 0, late: 0, slow: 0 };
}

/// One generation of an endpoint.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reached {
    pub address: String,
    pub key: String,
    pub generation: u64,
}

type Thing = Box<dyn FnOnce()>;

/// One simulated world.
pub struct Sim {
    now: Cell<i64>,
    rng: RefCell<fastrand::Rng>,
    queue: RefCell<BTreeMap<(i64, u64), Thing>>,
    next: Cell<u64>,
    pub faults: Cell<Faults>,
    /// What takes the place of a request right before a decision about it lands.
    pub before_decision: RefCell<Option<AccessRequest>>,
    /// How long Teleport takes until it says who it is.
    pub slow_ping: Cell<i64>,
    /// Whether the host has no chance to give.
    pub no_chance: Cell<bool>,
    /// When the plugin's credentials expire.
    pub credentials_end: Cell<i64>,
    /// The plugin's credentials in the file, which are renewed now and then.
    pub renewed: Cell<u32>,
    /// Where each node's bridge leads, by node and destination.
    pub endpoints: RefCell<BTreeMap<(usize, String), Reached>>,
    /// How much longer calls take to arrive.
    pub delays: RefCell<BTreeMap<&'static str, i64>>,
    pub mattermost: RefCell<MattermostServer>,
    pub teleport: RefCell<TeleportServer>,
    /// How often each call was made.
    pub calls: RefCell<BTreeMap<&'static str, usize>>,
    /// What must never happen, but did.
    pub violations: RefCell<Vec<String>>,
    /// What happened, for whoever replays a seed.
    pub trace: Option<RefCell<Vec<String>>>,
}

/// How long callers of Mattermost wait.
pub const HOST_TIMEOUT: i64 = 15_000;
/// How long callers of Teleport wait; Teleport itself drops a call by then.
pub const TELEPORT_TIMEOUT: i64 = 10_000;
/// When a world begins: some day, so that times look like times.
pub const DAWN: i64 = 1_700_000_000_000;

impl Sim {
    pub fn new(seed: u64, traced: bool) -> Rc<Self> {
        Rc::new(Self {
            now: Cell::new(DAWN),
            rng: RefCell::new(fastrand::Rng::with_seed(seed)),
            queue: RefCell::default(),
            next: Cell::new(0),
            faults: Cell::new(Faults::NONE),
            before_decision: RefCell::default(),
            slow_ping: Cell::new(0),
            no_chance: Cell::new(false),
            credentials_end: Cell::new(i64::MAX / 10),
            renewed: Cell::new(0),
            endpoints: RefCell::default(),
            delays: RefCell::default(),
            mattermost: RefCell::default(),
            teleport: RefCell::default(),
            calls: RefCell::default(),
            violations: RefCell::default(),
            trace: traced.then(RefCell::default),
        })
    }

    pub fn now(&self) -> i64 {
        self.now.get()
    }

    pub fn random<T>(&self, pick: impl FnOnce(&mut fastrand::Rng) -> T) -> T {
        pick(&mut self.rng.borrow_mut())
    }

    pub fn note(&self, text: impl FnOnce() -> String) {
        if let Some(trace) = &self.trace {
            trace.borrow_mut().push(format!("{:>9.3}s {}", (self.now() - DAWN) as f64 / 1_000.0, text()));
        }
    }

    pub fn violation(&self, text: String) {
        self.note(|| format!("VIOLATION {text}"));
        self.violations.borrow_mut().push(text);
    }

    /// How often a call was made.
    pub fn called(&self, what: &str) -> usize {
        self.calls.borrow().get(what).copied().unwrap_or_default()
    }

    /// Does something later.
    pub fn later(&self, millis: i64, thing: impl FnOnce() + 'static) {
        let sequence = self.next.replace(self.next.get() + 1);
        self.queue.borrow_mut().insert((self.now() + millis.max(0), sequence), Box::new(thing));
    }

    /// Goes on to the next thing, unless it is later than `until`.
    pub fn step(&self, until: i64) -> bool {
        let next = {
            let mut queue = self.queue.borrow_mut();
            match queue.first_entry() {
                Some(entry) if entry.key().0 <= until => Some(entry.remove_entry()),
                _ => None,
            }
        };
        match next {
            Some(((time, _), thing)) => {
                self.now.set(time.max(self.now()));
                thing();
                true
            }
            None => {
                self.now.set(until.max(self.now()));
                false
            }
        }
    }

    /// A call over an unreliable way: `effect` happens at the server, at once or late or never.
    pub fn call<T: 'static, E: 'static>(
        self: &Rc<Self>,
        what: &'static str,
        timeout: i64,
        lost: impl Fn(&str) -> E + 'static,
        refused: impl Fn(&str) -> E + 'static,
        effect: impl FnOnce(&Sim) -> Result<T, E> + 'static,
    ) -> impl Future<Output = Result<T, E>> + 'static {
        *self.calls.borrow_mut().entry(what).or_default() += 1;
        let (answer, arrives) = oneshot::channel();
        let faults = self.faults.get();
        let (dice, there, back) = self.random(|rng| (rng.u32(0..1_000), rng.i64(0..8), rng.i64(0..8)));
        let sim = Rc::clone(self);
        let mut bound = faults.refused;
        if dice < bound {
            self.later(there, move || {
                sim.note(|| format!("{what} is refused"));
                let _ = answer.send(Err(refused("no way there")));
            });
            return receive(arrives);
        }
        bound += faults.answer_lost;
        if dice < bound {
            self.later(there, move || {
                sim.note(|| format!("{what} takes effect, its answer is lost"));
                let _ = effect(&sim);
                let _ = answer.send(Err(lost("the answer was lost")));
            });
            return receive(arrives);
        }
        bound += faults.late;
        if dice < bound {
            // Lands up to as long again after the caller gave up.
            let lands = self.random(|rng| rng.i64(timeout / 2..timeout * 2));
            let at_server = Rc::clone(&sim);
            self.later(timeout, move || {
                let _ = answer.send(Err(lost("no answer in time")));
            });
            self.later(lands, move || {
                at_server.note(|| format!("{what} takes effect late"));
                let _ = effect(&at_server);
            });
            return receive(arrives);
        }
        bound += faults.slow;
        let there = if dice < bound { self.random(|rng| rng.i64(0..timeout)) } else { there };
        let there = there + self.delays.borrow().get(what).copied().unwrap_or_default();
        self.later(there, move || {
            let done = effect(&sim);
            sim.later(back, move || {
                let _ = answer.send(done);
            });
        });
        receive(arrives)
    }
}

/// Waits for an answer. Where none ever comes, it waits for ever: the caller is gone by then.
async fn receive<T>(arrives: oneshot::Receiver<T>) -> T {
    match arrives.await {
        Ok(answer) => answer,
        Err(_) => std::future::pending().await,
    }
}
