//! What the plugin counts, for Prometheus.

use std::rc::Rc;
use std::time::Duration;

use prometheus_client::encoding::text::encode;
use prometheus_client::encoding::{EncodeLabelSet, EncodeLabelValue};
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::metrics::histogram::Histogram;
use prometheus_client::registry::Registry;

use crate::app::App;
use crate::audit;
use crate::ledger::Outcome;
use crate::session::Link;
use crate::world::World;

/// MIME type of what [`in_text`] writes.
pub const CONTENT_TYPE: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";

/// What every name begins with.
const PREFIX: &str = "teleport_access";

/// Bounds of the histogram of clicks, in seconds: a click takes milliseconds, and Teleport may take seconds.
const BOUNDS: [f64; 11] = [0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0];

/// The result of an attempt to decide.
#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Attempt {
    result: ResultLabel,
}

/// See [`audit::Result`].
#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelValue)]
#[allow(non_camel_case_types)]
enum ResultLabel {
    decided,
    voted,
    refused,
    failed,
    uncertain,
}

/// What a request came to.
#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Settled {
    outcome: String,
}

/// Of which cluster something is.
#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Of {
    cluster: String,
}

/// What is counted as it happens.
#[derive(Debug)]
pub struct Counters {
    seen: Counter,
    posted: Counter,
    settled: Family<Settled, Counter>,
    attempts: Family<Attempt, Counter>,
    clicks: Histogram,
}

impl Default for Counters {
    fn default() -> Self {
        Self {
            seen: Counter::default(),
            posted: Counter::default(),
            settled: Family::default(),
            attempts: Family::default(),
            clicks: Histogram::new(BOUNDS),
        }
    }
}

impl Counters {
    /// A request is new.
    pub(crate) fn request_seen(&self) {
        self.seen.inc();
    }

    /// A post was made for a request.
    pub(crate) fn request_posted(&self) {
        self.posted.inc();
    }

    /// A request has come to something.
    pub(crate) fn request_settled(&self, outcome: Outcome) {
        let outcome = format!("{outcome:?}").to_lowercase();
        self.settled.get_or_create(&Settled { outcome }).inc();
    }

    /// Somebody tried to decide.
    pub(crate) fn attempt(&self, result: audit::Result) {
        let result = match result {
            audit::Result::Decided => ResultLabel::decided,
            audit::Result::Voted => ResultLabel::voted,
            audit::Result::Refused => ResultLabel::refused,
            audit::Result::Failed => ResultLabel::failed,
            audit::Result::Begun | audit::Result::Uncertain => ResultLabel::uncertain,
            // No attempts, or such as were counted before.
            audit::Result::Reconciled
            | audit::Result::Settled
            | audit::Result::Noted
            | audit::Result::Started
            | audit::Result::Checkpoint => return,
        };
        self.attempts.get_or_create(&Attempt { result }).inc();
    }

    /// A click, or the submission of a dialog, was answered.
    pub(crate) fn click_answered(&self, took: Duration) {
        self.clicks.observe(took.as_secs_f64());
    }
}

/// What only the host knows of itself.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct HostFigures {
    /// Bytes of the module's memory.
    pub memory_bytes: u64,
    /// How often the module was lost and made again.
    pub restarts: u64,
    /// How many requests came without a session.
    pub anonymous: u64,
    /// How many requests were refused because there were too many.
    pub throttled: u64,
    /// How many requests other plugins sent.
    pub of_plugins: u64,
}

/// All figures in the text format of OpenMetrics.
pub fn in_text<W: World>(app: &Rc<App<W>>, host: HostFigures) -> String {
    let counters = &app.counters;
    let mut registry = Registry::with_prefix(PREFIX);
    registry.register("requests_seen", "Access requests that were new", counters.seen.clone());
    registry.register("requests_posted", "Posts made for access requests", counters.posted.clone());
    registry.register("requests_settled", "Access requests by what they came to", counters.settled.clone());
    registry.register("attempts", "Attempts to decide by their result", counters.attempts.clone());
    registry.register("click_seconds", "Seconds from a click to its answer", counters.clicks.clone());

    let watching = Family::<Of, Gauge>::default();
    let connected = Family::<Of, Gauge>::default();
    let connects = Family::<Of, Gauge>::default();
    let pending = Family::<Of, Gauge>::default();
    let due = Family::<Of, Gauge>::default();
    let undelivered = Family::<Of, Gauge>::default();
    let known = Family::<Of, Gauge>::default();
    let credentials = Family::<Of, Gauge>::default();
    let number = |number: usize| i64::try_from(number).unwrap_or(i64::MAX);
    for lane in app.lanes() {
        let cluster = &lane.cluster;
        let of = Of { cluster: cluster.label() };
        let link = cluster.link.borrow().clone();
        watching.get_or_create(&of).set(i64::from(matches!(link, Link::Up(Some(_)))));
        connected.get_or_create(&of).set(i64::from(matches!(link, Link::Up(_))));
        connects.get_or_create(&of).set(i64::try_from(cluster.connects.get()).unwrap_or(i64::MAX));
        pending.get_or_create(&of).set(number(cluster.desk.pending()));
        due.get_or_create(&of).set(number(cluster.desk.due()));
        undelivered.get_or_create(&of).set(number(cluster.desk.undelivered().len()));
        known.get_or_create(&of).set(number(cluster.desk.known()));
        let way = cluster.way.borrow().clone();
        if let Some(usable) = way.as_ref().and_then(|way| way.credentials.as_ref()) {
            let left = (usable.not_after.0 - app.world.now().0).div_euclid(1_000);
            credentials.get_or_create(&of).set(left);
        }
    }
    registry.register("watching", "Whether this node watches the cluster", watching);
    registry.register("connected", "Whether there is a connection to the cluster", connected);
    registry.register("connections_made", "How often the connection was made since the settings changed", connects);
    registry.register("requests_pending", "Access requests that wait for a decision", pending);
    registry.register("queue", "Access requests whose posts are to be brought up to date", due);
    registry.register(
        "requests_undelivered",
        "Access requests whose posts could not be brought up to date",
        undelivered,
    );
    registry.register("ledger_records", "Access requests that the ledger tells of", known);
    registry.register("credentials_left_seconds", "Seconds until the credentials expire", credentials);

    let leader = Gauge::<i64>::default();
    leader.set(i64::from(app.leader.get()));
    registry.register("leader", "Whether this node watches Teleport and writes posts", leader);
    let memory = Gauge::<i64>::default();
    memory.set(i64::try_from(host.memory_bytes).unwrap_or(i64::MAX));
    registry.register("wasm_memory_bytes", "Memory of the core's module", memory);
    for (name, help, count) in [
        ("wasm_restarts", "How often the core was lost and made again", host.restarts),
        ("anonymous_requests", "Requests without a session, all refused", host.anonymous),
        ("throttled_requests", "Requests refused because there were too many", host.throttled),
        ("plugin_requests", "Requests of other plugins, all refused", host.of_plugins),
    ] {
        let counter = Counter::<u64>::default();
        counter.inc_by(count);
        registry.register(name, help, counter);
    }

    let mut text = String::new();
    // Writing to a string does not fail.
    let _ = encode(&mut text, &registry);
    text
}
