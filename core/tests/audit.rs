//! The audit trail on the whole core: what is written of clicks, crashes and upgrades, and whether it can be verified.
#![allow(missing_docs, unreachable_pub, dead_code, clippy::unwrap_used, clippy::indexing_slicing, clippy::panic)]

#[path = "simulation/ports.rs"]
mod ports;
#[path = "simulation/servers.rs"]
mod servers;
#[path = "simulation/sim.rs"]
mod sim;
#[path = "simulation/teleport.rs"]
mod teleport;

use std::cell::{Cell, RefCell};
use std::collections::BTreeMap;
use std::rc::Rc;

use futures::executor::LocalPool;
use futures::task::LocalSpawnExt;
use teleport_access_core::app::{App, Host};
use teleport_access_core::audit::export::{Format, export};
use teleport_access_core::audit::verify::{Against, Verifier};
use teleport_access_core::audit::{self, Entry, Result as Outcome};
use teleport_access_core::command;
use teleport_access_core::decision::{self, Click};
use teleport_access_core::ledger::{self, Record};
use teleport_access_core::mattermost::{Post, User};
use teleport_access_core::messages::REQUEST_PROP;
use teleport_access_core::teleport::{AccessRequest, State};
use teleport_access_core::time::Time;

use crate::ports::{NodeWorld, SimBridge, SimMattermost};
use crate::sim::{DAWN, Sim};

const MINUTE: i64 = 60_000;
const HOUR: i64 = 60 * MINUTE;
const DAY: i64 = 24 * HOUR;
const REQUEST: &str = "request-1";

/// One process of the plugin.
struct Node {
    app: Rc<App<NodeWorld>>,
    pool: LocalPool,
    sim: Rc<Sim>,
}

fn user(id: &str, admin: bool) -> User {
    User {
        id: id.to_owned(),
        username: id.to_owned(),
        email: format!("{id}@example.com"),
        email_verified: true,
        is_system_admin: admin,
        ..Default::default()
    }
}

fn world() -> Rc<Sim> {
    let sim = Sim::new(7, false);
    let mut server = sim.mattermost.borrow_mut();
    for (id, admin) in [("bob", false), ("mallory", false), ("root", true)] {
        server.users.insert(id.to_owned(), user(id, admin));
        server.sign_in(id);
    }
    drop(server);
    sim
}

fn settings(more: serde_json::Value) -> serde_json::Value {
    let mut settings = serde_json::json!({
        "teleportaddress": "tp:443",
        "identity": concat!("-----BEGIN RSA PRIVATE KEY-----\n-----END RSA PRIVATE KEY-----\n",
            "-----BEGIN CERTIFICATE-----\n-----END CERTIFICATE-----\n-----BEGIN CERTIFICATE-----\n-----END CERTIFICATE-----\n"),
        "recipients": "ops/one",
        "approvers": "bob",
        "askreason": "never",
        "notifyrequesters": false,
        "authority": "approvers",
        "loglevel": "error",
    });
    settings.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    settings
}

impl Node {
    fn start(sim: &Rc<Sim>, number: usize, more: serde_json::Value) -> Self {
        let pool = LocalPool::new();
        let world = NodeWorld {
            sim: Rc::clone(sim),
            mattermost: SimMattermost { sim: Rc::clone(sim), node: number },
            bridge: SimBridge { sim: Rc::clone(sim), node: number },
            node: number,
            skew: Rc::new(Cell::new(0)),
            spawner: pool.spawner(),
        };
        let app = App::new(world);
        let host = Host { plugin_id: "the.plugin".into(), bot_user_id: servers::BOT.into(), ..Host::default() };
        app.configure(host, settings(more).to_string().as_bytes());
        Self { app, pool, sim: Rc::clone(sim) }
    }

    fn run(&mut self, until: i64) {
        loop {
            self.pool.run_until_stalled();
            if !self.sim.step(until) {
                return self.pool.run_until_stalled();
            }
        }
    }

    /// Runs something to its end, for so long at most.
    fn wait<T: 'static>(&mut self, work: impl Future<Output = T> + 'static) -> T {
        let done = Rc::new(RefCell::new(None));
        let into = Rc::clone(&done);
        self.pool.spawner().spawn_local(async move { *into.borrow_mut() = Some(work.await) }).unwrap();
        for _ in 0..1_000_000 {
            self.pool.run_until_stalled();
            if let Some(done) = done.borrow_mut().take() {
                return done;
            }
            self.sim.step(self.sim.now() + 1_000);
        }
        panic!("it never ends");
    }

    fn click(&mut self, user: &str, request: &str) -> String {
        let (app, click) = (Rc::clone(&self.app), click(&self.sim, user, request));
        self.wait(async move { decision::click(&app, click).await })
    }

    fn export(&mut self, format: Format, from: i64, to: i64) -> String {
        let app = Rc::clone(&self.app);
        let bytes = self.wait(async move {
            let mut bytes = Vec::new();
            let take = async |piece: Vec<u8>| {
                bytes.extend(piece);
                true
            };
            export(&app, format, from, to, take).await.unwrap();
            bytes
        });
        String::from_utf8(bytes).unwrap()
    }

    fn entries(&mut self) -> Vec<Entry> {
        let lines = self.export(Format::JsonLines, 0, 0);
        lines.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
    }

    fn of(&mut self, result: Outcome) -> Vec<Entry> {
        self.entries().into_iter().filter(|entry| entry.result == result).collect()
    }

    fn findings(&mut self) -> Vec<String> {
        let mut verifier = Verifier::new(Against::default());
        self.export(Format::JsonLines, 0, 0).lines().for_each(|line| verifier.read(line));
        let report = verifier.finish(Time(self.sim.now()));
        assert_eq!(report.unsigned, 0);
        report.findings
    }
}

fn click(sim: &Sim, user: &str, request: &str) -> Click {
    let server = sim.mattermost.borrow();
    let post = server.posts.values().find(|post| post.props.get(REQUEST_PROP).is_some_and(|id| id == REQUEST));
    let actions = post.iter().flat_map(|post| &post.attachments).flat_map(|attachment| &attachment.actions);
    let digest = actions.filter_map(|action| action.context.get("digest").cloned()).next().unwrap_or_default();
    Click {
        user_id: user.to_owned(),
        session_id: format!("session-{user}"),
        post_id: post.map(|post| post.id.clone()).unwrap_or_default(),
        context: BTreeMap::from([
            ("request".to_owned(), request.to_owned()),
            ("cluster".to_owned(), "tp".to_owned()),
            ("verdict".to_owned(), "approve".to_owned()),
            ("digest".to_owned(), digest),
        ]),
        ..Default::default()
    }
}

/// A node that leads, with a request that waits.
fn ready(sim: &Rc<Sim>, more: serde_json::Value) -> Node {
    let mut node = Node::start(sim, 0, more);
    node.app.lead(true);
    node.run(sim.now() + 1_000);
    teleport::file(sim, REQUEST.into(), 100 * DAY);
    sim.teleport.borrow_mut().requests.get_mut(REQUEST).unwrap().thresholds.clear();
    node.run(sim.now() + 5_000);
    node
}

fn keys(sim: &Sim, prefix: &str) -> usize {
    sim.mattermost.borrow().kv.keys().filter(|key| key.starts_with(prefix)).count()
}

/// Keys of the pages of the only chain, in order.
fn audit_pages(sim: &Sim) -> Vec<String> {
    let server = sim.mattermost.borrow();
    let mut pages: Vec<String> = server.kv.keys().filter(|key| key.starts_with("trail:")).cloned().collect();
    pages.sort_by_key(|key| key.rsplit(':').next().and_then(|number| number.parse::<u64>().ok()));
    pages
}

fn calls(sim: &Sim, what: &str) -> usize {
    sim.calls.borrow().get(what).copied().unwrap_or_default()
}

fn nothing() -> serde_json::Value {
    serde_json::json!({})
}

#[test]
fn a_decision_is_two_links_that_are_tied_together_and_its_writes_are_two() {
    let sim = world();
    let mut node = ready(&sim, nothing());
    // The day's first entry of a process goes into the index, too.
    node.click("mallory", "other");
    let before = (keys(&sim, "trail:"), calls(&sim, "kv_list"));
    let answer = node.click("bob", REQUEST);
    assert!(answer.contains("You approved"), "{answer}");
    assert_eq!((keys(&sim, "trail:"), calls(&sim, "kv_list")), (before.0 + 2, before.1));
    let entries = node.entries();
    let told: Vec<_> = entries.iter().map(|entry| (entry.user_id.as_str(), entry.result)).collect();
    // What the request came to is told by whoever watches, after that.
    let attempts = [("mallory", Outcome::Refused), ("bob", Outcome::Begun), ("bob", Outcome::Decided)];
    assert_eq!(told, [attempts.as_slice(), &[("", Outcome::Settled)]].concat());
    assert!(!entries[1].id.is_empty() && entries[1].id == entries[2].id && entries[0].id != entries[1].id);
    assert_eq!(node.findings(), [""; 0]);
}

#[test]
fn clicks_at_the_same_time_share_pages_of_one_chain() {
    let sim = world();
    let mut node = ready(&sim, nothing());
    let answers = (0..50).map(|number| {
        let (app, click) = (Rc::clone(&node.app), click(&sim, "mallory", &format!("r{number}")));
        async move { decision::click(&app, click).await }
    });
    let all = futures::future::join_all(answers.collect::<Vec<_>>());
    assert_eq!(node.wait(all).len(), 50);
    let entries = node.entries();
    assert_eq!(entries.len(), 50);
    assert!(keys(&sim, "trail:") < 50);
    assert_eq!(node.findings(), [""; 0]);
}

#[test]
fn an_account_that_never_stops_clicking_is_counted() {
    let sim = world();
    let mut node = ready(&sim, nothing());
    for _ in 0..200 {
        node.click("mallory", "other");
    }
    assert_eq!(node.of(Outcome::Refused).len(), 60);
    node.run(sim.now() + 20 * MINUTE);
    let counted: Vec<Entry> = node.of(Outcome::Refused).into_iter().filter(|entry| entry.count > 0).collect();
    assert_eq!(counted.len(), 1);
    let one = &counted[0];
    assert_eq!((one.count, one.user_id.as_str(), one.request_id.as_str()), (140, "mallory", "other"));
    assert!(one.first.is_some_and(|first| first < one.time) && one.cause.contains("does not belong"));
    assert_eq!(node.findings(), [""; 0]);
}

#[test]
fn writes_whose_answers_are_lost_leave_one_whole_chain() {
    for seed in 0..40 {
        let sim = Sim::new(seed, false);
        sim.mattermost.borrow_mut().users.insert("mallory".to_owned(), user("mallory", false));
        sim.mattermost.borrow_mut().sign_in("mallory");
        let mut node = Node::start(&sim, 0, nothing());
        sim.faults.set(sim::Faults { refused: 100, answer_lost: 150, late: 150, slow: 100 });
        for number in 0..10 {
            let clicks = (0..4).map(|part| {
                let (app, click) = (Rc::clone(&node.app), click(&sim, "mallory", &format!("r{number}-{part}")));
                async move { decision::click(&app, click).await }
            });
            node.wait(futures::future::join_all(clicks.collect::<Vec<_>>()));
        }
        sim.faults.set(sim::Faults::NONE);
        node.run(sim.now() + 5 * MINUTE);
        node.click("mallory", "last");
        assert_eq!(node.findings(), [""; 0], "seed {seed}");
        let last = node.entries().into_iter().filter(|entry| entry.request_id == "last").count();
        assert_eq!(last, 1, "seed {seed}");
    }
}

#[test]
fn a_new_process_has_a_chain_of_its_own_and_names_the_one_before() {
    let sim = world();
    let mut node = ready(&sim, nothing());
    node.click("mallory", "one");
    drop(node);
    let mut node = Node::start(&sim, 1, nothing());
    node.click("mallory", "two");
    node.run(sim.now() + 3 * MINUTE);
    let started = node.of(Outcome::Started);
    assert_eq!(started.last().map(|entry| entry.heads.len()), Some(1));
    assert_eq!(node.findings(), [""; 0]);
    // Whoever deletes the whole first chain is found out.
    let first = started.last().unwrap().heads[0].chain.clone();
    sim.mattermost.borrow_mut().kv.retain(|key, _| !key.starts_with(&format!("trail:{first}:")));
    assert!(node.findings().iter().any(|finding| finding.contains(&first) && finding.contains("missing")));
}

#[test]
fn an_attempt_that_a_crash_cut_short_is_reconciled_with_teleport_once() {
    let sim = world();
    let mut node = ready(&sim, nothing());
    // The process dies between the beginning and the end.
    let (app, attempt) = (Rc::clone(&node.app), click(&sim, "bob", REQUEST));
    node.pool.spawner().spawn_local(async move { drop(decision::click(&app, attempt).await) }).unwrap();
    let begun = |sim: &Sim| {
        let server = sim.mattermost.borrow();
        let entries = server.kv.iter().flat_map(|(key, (value, _))| audit::stored(key, value));
        entries.into_iter().any(|entry| entry.result == Outcome::Begun)
    };
    while !begun(&sim) {
        node.pool.run_until_stalled();
        assert!(sim.step(sim.now() + 1_000));
    }
    drop(node);
    let mut node = Node::start(&sim, 1, nothing());
    node.app.lead(true);
    node.run(sim.now() + 30 * MINUTE);
    let reconciled = node.of(Outcome::Reconciled);
    assert_eq!(reconciled.len(), 1, "{reconciled:?}");
    assert_eq!(reconciled[0].id, node.of(Outcome::Begun)[0].id);
    assert!(reconciled[0].detail.contains("Teleport says"), "{reconciled:?}");
    drop(node);
    let mut node = Node::start(&sim, 2, nothing());
    node.app.lead(true);
    node.run(sim.now() + 30 * MINUTE);
    assert_eq!(node.of(Outcome::Reconciled).len(), 1);
    assert_eq!(node.findings(), [""; 0]);
}

#[test]
fn entries_of_an_earlier_version_are_found_and_nothing_is_listed_again() {
    let sim = world();
    for number in 0..5_000_i64 {
        let entry = Entry { username: "old".into(), ..Entry::new(Time(DAWN - number * HOUR), "old", Outcome::Decided) };
        let key = format!("audit:{:014}:{number:016x}", entry.time.0);
        sim.mattermost.borrow_mut().kv.insert(key, (serde_json::to_vec(&entry).unwrap(), 0));
    }
    let mut node = ready(&sim, nothing());
    node.run(sim.now() + 3 * MINUTE);
    let entries = node.entries();
    assert_eq!(entries.len(), 5_000);
    assert!(entries.is_sorted_by_key(|entry| entry.time));
    assert!(sim.mattermost.borrow().kv.contains_key("trail-old-done"));
    let listed = calls(&sim, "kv_list");
    let app = Rc::clone(&node.app);
    let table = node.wait(async move { command::run(&app, "root", "/teleport audit 5").await });
    assert_eq!(table.matches("`old`").count(), 5, "{table}");
    assert_eq!(node.export(Format::JsonLines, DAWN - 9 * HOUR, DAWN).lines().count(), 9);
    assert_eq!(calls(&sim, "kv_list"), listed);
}

#[test]
fn the_newest_entries_are_found_in_few_steps_however_many_there_are() {
    let sim = world();
    let mut node = ready(&sim, nothing());
    for day in 0..8 {
        for number in 0..40 {
            node.click("mallory", &format!("r{day}-{number}"));
        }
        node.run(DAWN + (day + 1) * DAY);
    }
    let (reads, lists) = (calls(&sim, "kv_get"), calls(&sim, "kv_list"));
    let app = Rc::clone(&node.app);
    let table = node.wait(async move { command::run(&app, "root", "/teleport audit 10").await });
    assert_eq!(table.matches("`mallory`").count(), 10, "{table}");
    assert!(calls(&sim, "kv_get") - reads < 120, "{}", calls(&sim, "kv_get") - reads);
    assert_eq!(calls(&sim, "kv_list"), lists);
    assert_eq!(node.export(Format::Csv, DAWN, 0).lines().filter(|line| line.contains("\"refused\"")).count(), 320);
    assert_eq!(node.findings(), [""; 0]);
}

#[test]
fn a_long_trail_does_not_make_the_start_slow() {
    let sim = world();
    let mut node = ready(&sim, nothing());
    let is_its = |post: &&Post| post.root_id.is_empty() && post.props.get(REQUEST_PROP).is_some_and(|id| id == REQUEST);
    let posts = || sim.mattermost.borrow().posts.values().filter(is_its).count();
    assert_eq!(posts(), 1);
    drop(node);
    {
        let kv = &mut sim.mattermost.borrow_mut().kv;
        kv.extend((0..20_000).map(|number| (format!("trail:aa:{number}"), (Vec::new(), i64::MAX))));
        kv.extend((0..20_000).map(|number| (format!("audit:{number:014}:{:016x}", 1), (Vec::new(), i64::MAX))));
        kv.insert("trail-old-done".to_owned(), (b"done".to_vec(), 0));
    }
    let before = calls(&sim, "kv_list");
    node = Node::start(&sim, 1, nothing());
    node.app.lead(true);
    node.run(sim.now() + 10_000);
    assert_eq!(calls(&sim, "kv_list"), before, "nothing lists the store");
    // The record was found among them all: a decision in Teleport still comes to its post.
    sim.teleport.borrow_mut().requests.get_mut(REQUEST).unwrap().state = State::Denied;
    node.run(sim.now() + 20 * MINUTE);
    assert!(sim.mattermost.borrow().posts.values().any(|post| format!("{post:?}").contains("Denied")));
    assert_eq!(posts(), 1);
}

#[test]
fn what_is_not_kept_any_longer_leaves_a_chain_that_is_still_whole() {
    let sim = world();
    let mut node = ready(&sim, serde_json::json!({"auditretentiondays": 2}));
    for day in 0..9 {
        node.click("mallory", &format!("r{day}"));
        node.run(DAWN + (day + 1) * DAY);
    }
    let now = sim.now();
    sim.mattermost.borrow_mut().kv.retain(|_, (_, expires)| *expires == 0 || *expires > now);
    let entries = node.of(Outcome::Refused);
    assert!((2..6).contains(&entries.len()), "{}", entries.len());
    assert_eq!(node.findings(), [""; 0]);
    // The checkpoints stand for what is gone, and for nothing that must still be there.
    let first = audit_pages(&sim).into_iter().next().unwrap();
    sim.mattermost.borrow_mut().kv.remove(&first);
    assert_eq!(node.findings(), [""; 0], "it is past as well");
    let pages = audit_pages(&sim);
    sim.mattermost.borrow_mut().kv.remove(&pages[pages.len() - 3]);
    assert!(node.findings().iter().any(|finding| finding.contains("missing")));
}

#[test]
fn the_end_of_the_trail_is_posted_daily_where_a_channel_is_set() {
    let sim = world();
    let mut node = ready(&sim, serde_json::json!({"auditchannel": "ops/audit"}));
    for hour in 0..50 {
        node.click("mallory", &format!("r{hour}"));
        node.run(DAWN + (hour + 1) * HOUR);
    }
    let posts: Vec<String> = {
        let server = sim.mattermost.borrow();
        let posts = server.posts.values().filter(|post| post.message.contains("audit trail"));
        posts.map(|post| post.message.clone()).collect()
    };
    assert_eq!(posts.len(), 3, "{posts:?}");
    let head = posts[2].lines().find(|line| line.matches(':').count() == 3).unwrap().to_owned();
    let app = Rc::clone(&node.app);
    let command = format!("/teleport audit verify {head}");
    let answer = node.wait(async move { command::run(&app, "root", &command).await });
    assert!(answer.starts_with("Nothing is missing and nothing was changed"), "{answer}");
    let (app, wrong) = (Rc::clone(&node.app), format!("/teleport audit verify {}", head.replacen(':', "9:", 1)));
    let answer = node.wait(async move { command::run(&app, "root", &wrong).await });
    assert!(answer.contains("is missing") && answer.contains("noted elsewhere"), "{answer}");
    let app = Rc::clone(&node.app);
    let answer = node.wait(async move { command::run(&app, "bob", "/teleport audit verify").await });
    assert!(answer.contains("Only system admins"), "{answer}");
}

#[test]
fn a_change_of_settings_is_told_without_its_values() {
    let sim = world();
    let mut node = ready(&sim, nothing());
    node.run(sim.now() + 2 * MINUTE);
    assert_eq!(node.of(Outcome::Noted).len(), 0, "the first settings are no change");
    let host = Host { plugin_id: "the.plugin".into(), bot_user_id: servers::BOT.into(), ..Host::default() };
    let changed = settings(serde_json::json!({"approvers": "bob, SECRET", "auditretentiondays": 30}));
    node.app.configure(host, changed.to_string().as_bytes());
    node.run(sim.now() + 2 * MINUTE);
    let noted = node.of(Outcome::Noted);
    assert_eq!(noted.len(), 1);
    assert!(
        noted[0].detail.starts_with("Approvers, AuditRetentionDays (by whom: see Mattermost's audit log"),
        "{noted:?}"
    );
    let stored = sim.mattermost.borrow().kv.get("trail-settings").map(|(value, _)| value.clone()).unwrap();
    assert!(!String::from_utf8_lossy(&stored).contains("SECRET"));
}

#[test]
fn what_a_request_came_to_is_told_once_whatever_crashes() {
    let sim = world();
    let mut node = ready(&sim, nothing());
    let request = AccessRequest { id: "r".into(), user: "ann".into(), state: State::Denied, ..Default::default() };
    let record = |outcome| Record { outcome, ..Record::new(request.clone()) };
    let tell = |node: &mut Node, outcome| {
        let (app, record) = (Rc::clone(&node.app), record(outcome));
        node.wait(async move { audit::outcome(&app, "tp", &record).await.unwrap() });
    };
    tell(&mut node, ledger::Outcome::Denied);
    tell(&mut node, ledger::Outcome::Denied);
    drop(node);
    let mut node = Node::start(&sim, 1, nothing());
    tell(&mut node, ledger::Outcome::Denied);
    assert_eq!(node.of(Outcome::Settled).len(), 1);
    // A crash after the mark and before the entry: it is written at the next call.
    let pages: Vec<String> =
        sim.mattermost.borrow().kv.keys().filter(|key| key.starts_with("trail:")).cloned().collect();
    let kept: Vec<_> = pages.iter().filter_map(|key| sim.mattermost.borrow_mut().kv.remove(key)).collect();
    assert!(!kept.is_empty());
    tell(&mut node, ledger::Outcome::Denied);
    assert_eq!(node.of(Outcome::Settled).len(), 1);
    tell(&mut node, ledger::Outcome::Approved);
    tell(&mut node, ledger::Outcome::Denied);
    let told: Vec<String> = node.of(Outcome::Settled).into_iter().map(|entry| entry.what).collect();
    assert_eq!(told, ["denied", "approved", "denied"]);
}
