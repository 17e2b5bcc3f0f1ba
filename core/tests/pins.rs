//! Pins: what the names in the settings meant, through saves, upgrades, renames and system admins' words.
#![allow(missing_docs, unreachable_pub, dead_code, clippy::unwrap_used, clippy::indexing_slicing)]

#[path = "simulation/ports.rs"]
mod ports;
#[path = "simulation/servers.rs"]
mod servers;
#[path = "simulation/sim.rs"]
mod sim;
#[path = "simulation/teleport.rs"]
mod teleport;

use std::cell::Cell;
use std::future::Future;
use std::pin::Pin;
use std::rc::Rc;

use futures::executor::LocalPool;
use futures::future::FutureExt as _;
use futures::task::LocalSpawnExt;
use serde_json::{Value, json};
use teleport_access_core::app::{App, Host};
use teleport_access_core::config::{self, Approver, Problem, Settings};
use teleport_access_core::confirmations::{self, NotConfirmed};
use teleport_access_core::mattermost::{Group, User};
use teleport_access_core::proto::panel::{Check, Outcome};
use teleport_access_core::rules::pins::{self, How, Pins, Row, TraitPins};
use teleport_access_core::save;
use teleport_access_core::selftest;
use teleport_access_core::status;
use teleport_access_core::time::Time;

use crate::ports::{NodeWorld, SimBridge, SimMattermost};
use crate::sim::{DAWN, Sim};

fn user(id: &str, name: &str) -> User {
    let email = format!("{name}@example.com");
    User { id: id.into(), username: name.into(), email, is_system_admin: name == "root", ..Default::default() }
}

/// A Mattermost with bob, carol and the admin root, whose ids are not their names.
fn server() -> Rc<Sim> {
    let sim = Sim::new(0, false);
    {
        let mut server = sim.mattermost.borrow_mut();
        for (id, name) in [("b0b", "bob"), ("car0l", "carol"), ("r00t", "root")] {
            server.users.insert(id.into(), user(id, name));
        }
        for (name, is_synced) in [("sre", true), ("crew", false)] {
            let id = format!("group:{name}");
            server.groups.push(Group { id, name: name.into(), is_synced, ..Default::default() });
        }
    }
    sim
}

/// Renames an account, or makes one.
fn rename(sim: &Rc<Sim>, id: &str, name: &str) -> User {
    let renamed = user(id, name);
    sim.mattermost.borrow_mut().users.insert(id.into(), renamed.clone());
    renamed
}

/// bob is renamed, and mallory takes the name.
fn take_bobs_name(sim: &Rc<Sim>) -> User {
    rename(sim, "b0b", "robert");
    rename(sim, "mall0ry", "bob")
}

/// Runs something in the simulated world to its end.
fn run<T: 'static>(sim: &Rc<Sim>, work: impl AsyncFnOnce(SimMattermost) -> T + 'static) -> T {
    let mattermost = SimMattermost { sim: Rc::clone(sim), node: 0 };
    let mut pool = LocalPool::new();
    let future: Pin<Box<dyn Future<Output = T>>> = Box::pin(async move { work(mattermost).await });
    let mut answer = pool.spawner().spawn_local_with_handle(future).unwrap();
    loop {
        pool.run_until_stalled();
        if let Some(answer) = (&mut answer).now_or_never() {
            return answer;
        }
        assert!(sim.step(i64::MAX), "it waits for nothing");
    }
}

fn parsed(settings: &Value) -> Settings {
    config::parse(settings.to_string().as_bytes()).0
}

/// The settings are in force at this second.
fn in_force(sim: &Rc<Sim>, second: i64, settings: &Value) -> pins::Settled {
    let entries = pins::entries(&parsed(settings));
    run(sim, async move |mattermost| pins::settle(&mattermost, Time(second * 1_000), &entries).await).unwrap()
}

/// The settings are about to be saved at this second.
fn checked(sim: &Rc<Sim>, second: i64, old: &Value, new: &Value) -> Result<(), Vec<Problem>> {
    let (old, new) = (old.as_object().cloned().unwrap(), new.as_object().cloned().unwrap());
    run(sim, async move |mattermost| save::check_names(&mattermost, &new, &old, false, Time(second * 1_000)).await)
}

fn approvers(text: &str) -> Value {
    json!({ "Approvers": text })
}

/// Whom a username among the approvers means.
fn meant(pins: &Pins, name: &str) -> Option<(String, How)> {
    pins.approver(&Approver::Username(name.into())).map(|pin| (pin.id.clone(), pin.how))
}

#[test]
fn a_save_pins_what_it_adds_and_renews_nothing_else() {
    let sim = server();
    let (empty, old, new) = (json!({}), approvers("* = bob"), approvers("* = bob, carol"));
    assert_eq!(checked(&sim, 1, &empty, &old), Ok(()));
    let settled = in_force(&sim, 2, &old);
    assert_eq!(meant(&settled.pins, "bob"), Some(("b0b".into(), How::Saved)));
    assert_eq!(settled.first_seen, []);
    take_bobs_name(&sim);
    assert_eq!(checked(&sim, 3, &old, &new), Ok(()));
    let pins = in_force(&sim, 4, &new).pins;
    assert_eq!(meant(&pins, "bob"), Some(("b0b".into(), How::Saved)));
    assert_eq!(meant(&pins, "carol"), Some(("car0l".into(), How::Saved)));
    // Taken out and entered again: now the admin means who has the name now.
    assert_eq!(checked(&sim, 5, &new, &approvers("* = carol")), Ok(()));
    assert_eq!(meant(&in_force(&sim, 6, &approvers("* = carol")).pins, "bob"), Some(("b0b".into(), How::Saved)));
    assert_eq!(checked(&sim, 7, &approvers("* = carol"), &new), Ok(()));
    assert_eq!(meant(&in_force(&sim, 8, &new).pins, "bob"), Some(("mall0ry".into(), How::Saved)));
}

#[test]
fn a_save_after_which_nobody_could_decide_is_refused_and_what_was_so_before_is_not() {
    let sim = server();
    sim.mattermost.borrow_mut().users.entry("car0l".into()).and_modify(|carol| carol.is_guest = true);
    let refused = |old: &Value, new: &Value| -> Vec<String> {
        let problems = checked(&sim, 1, old, new).err().unwrap_or_default();
        problems.into_iter().map(|problem| format!("{}: {}", problem.setting, problem.message)).collect()
    };
    let guest = json!({ "Approvers": "dba = carol\n* = bob" });
    let problems = refused(&json!({}), &guest);
    assert!(
        problems[0].starts_with("Approvers: Nobody can decide requests for `dba`: `@carol` is a guest"),
        "{problems:?}"
    );
    let group = refused(&json!({}), &json!({ "Approvers": "dba = group:sre\n* = bob" }));
    assert!(group[0].contains("Nobody can decide requests for `dba`: `group:sre` has no member"), "{group:?}");
    let direct = json!({ "Approvers": "dba = channel-admins", "Recipients": "@bob" });
    assert!(refused(&json!({}), &direct).iter().any(|problem| problem.contains("direct messages")));
    let somewhere = json!({ "Approvers": "dba = channel-admins", "Recipients": "@bob, ops/one" });
    assert_eq!(refused(&json!({}), &somewhere), Vec::<String>::new());
    // What was saved keeps nobody from saving the rest, and by Teleport's authority the rules do not count.
    assert_eq!(
        refused(&guest, &json!({ "Approvers": "dba = carol\n* = bob", "LogLevel": "debug" })),
        Vec::<String>::new()
    );
    let by_teleport = json!({ "Approvers": "dba = carol\n* = bob", "Authority": "teleport" });
    assert_eq!(refused(&json!({}), &by_teleport), Vec::<String>::new());
}

#[test]
fn mfa_is_not_saved_where_the_server_has_it_switched_off() {
    let sim = server();
    let refused = |old: Value, new: Value, off: bool| {
        let (old, new) = (old.as_object().cloned().unwrap(), new.as_object().cloned().unwrap());
        let check = async move |mattermost| save::check_names(&mattermost, &new, &old, off, Time(1)).await;
        let problems = run(&sim, check).err().unwrap_or_default();
        problems.into_iter().map(|problem| problem.setting.into_owned()).collect::<Vec<_>>()
    };
    let on = || json!({ "RequireMFA": true });
    assert_eq!(refused(json!({}), on(), true), ["RequireMFA"]);
    assert_eq!(refused(json!({}), on(), false), [""; 0]);
    assert_eq!(refused(json!({}), json!({ "RequireMFA": true, "SSOCountsAsMFA": true }), true), [""; 0]);
    assert_eq!(refused(on(), json!({ "RequireMFA": true, "LogLevel": "debug" }), true), [""; 0]);
    assert_eq!(refused(json!({ "RequireMFA": true, "SSOCountsAsMFA": true }), on(), true), ["RequireMFA"]);
}

#[test]
fn a_bot_that_is_disabled_or_somebody_elses_is_red() {
    let sim = server();
    let mut core = Core::new(&sim);
    let host = Host { plugin_id: "the.plugin".into(), bot_user_id: "bot".into(), ..Host::default() };
    core.app.configure(host, b"{}");
    assert_eq!(core.check("Bot account"), (Outcome::Ok, "@bot".to_owned()));
    sim.mattermost.borrow_mut().bot_disabled = true;
    let (outcome, text) = core.check("Bot account");
    assert!(outcome == Outcome::Failed && text.contains("mmctl bot enable bot"), "{text}");
    sim.mattermost.borrow_mut().bot_disabled = false;
    sim.mattermost.borrow_mut().bot_owner = "mallory";
    let (outcome, text) = core.check("Bot account");
    assert!(outcome == Outcome::Failed && text.contains("somebody else owns it"), "{text}");
}

#[test]
fn status_and_self_test_say_the_same_of_what_nobody_can_do() {
    let sim = server();
    let mut core = Core::new(&sim);
    core.configure(&json!({ "Approvers": "dba = bob\n* = root", "Recipients": "ops/one", "RequireMFA": true }));
    sim.mattermost.borrow_mut().users.entry("b0b".into()).and_modify(|bob| bob.delete_at = 1);
    let host =
        Host { plugin_id: "the.plugin".into(), bot_user_id: "bot".into(), multi_factor_off: true, ..Host::default() };
    let settings =
        json!({ "Approvers": "dba = bob\n* = root", "Recipients": "ops/one", "RequireMFA": true }).to_string();
    core.app.configure(host, settings.as_bytes());
    core.wait(2);
    let in_status: Vec<_> = ["Bot account", "Multi-factor authentication", "Deciders", "Requesters"]
        .into_iter()
        .map(|name| (name.to_owned(), core.check(name)))
        .collect();
    assert!(in_status[1].1.0 == Outcome::Failed && in_status[1].1.1.contains("switched off"), "{in_status:?}");
    assert!(in_status[2].1.1.contains("Nobody can decide requests for `dba`: `@bob` is deactivated"), "{in_status:?}");
    assert!(in_status[3].1.0 == Outcome::Warning && in_status[3].1.1.contains("no direct messages"), "{in_status:?}");
    let tested = core.ask(async move |app| {
        let shown = std::cell::RefCell::new(Vec::new());
        selftest::run(&app, settings.as_bytes(), &|check: Check| shown.borrow_mut().push(check)).await;
        shown.take()
    });
    for (name, (outcome, message)) in in_status {
        let of_name = tested.iter().rfind(|check| check.name == name).unwrap();
        assert_eq!((of_name.outcome(), &of_name.message), (outcome, &message), "{name}");
    }
}

#[test]
fn what_comes_back_without_a_save_keeps_the_pin_that_it_had() {
    let sim = server();
    in_force(&sim, 1, &approvers("* = bob"));
    take_bobs_name(&sim);
    in_force(&sim, 2, &json!({}));
    let settled = in_force(&sim, 3, &approvers("* = bob"));
    assert_eq!(meant(&settled.pins, "bob"), Some(("b0b".into(), How::FirstSeen)));
}

#[test]
fn a_save_that_is_refused_after_the_check_pins_nothing() {
    let sim = server();
    let (old, new) = (approvers("* = bob"), approvers("* = bob, carol"));
    in_force(&sim, 1, &old);
    assert_eq!(checked(&sim, 2, &old, &new), Ok(()));
    assert_eq!(meant(&in_force(&sim, 3, &old).pins, "carol"), None);
    // Much later the same name comes another way, and means somebody else.
    rename(&sim, "car0l", "caroline");
    rename(&sim, "mall0ry", "carol");
    let settled = in_force(&sim, 200, &new);
    assert_eq!(meant(&settled.pins, "carol"), Some(("mall0ry".into(), How::FirstSeen)));
    assert_eq!(settled.first_seen.len(), 1);
}

#[test]
fn a_name_that_changes_hands_between_the_check_and_the_save_means_who_was_checked() {
    let sim = server();
    assert_eq!(checked(&sim, 1, &json!({}), &approvers("* = bob")), Ok(()));
    take_bobs_name(&sim);
    assert_eq!(meant(&in_force(&sim, 5, &approvers("* = bob")).pins, "bob"), Some(("b0b".into(), How::Saved)));
}

#[test]
fn two_saves_at_the_same_moment_both_bring_their_names() {
    let sim = server();
    let both = approvers("* = bob, carol");
    assert_eq!(checked(&sim, 1, &json!({}), &approvers("* = bob")), Ok(()));
    assert_eq!(checked(&sim, 2, &json!({}), &approvers("* = carol")), Ok(()));
    let settled = in_force(&sim, 3, &both);
    assert_eq!((settled.first_seen.len(), meant(&settled.pins, "bob").map(|(_, how)| how)), (0, Some(How::Saved)));
}

#[test]
fn an_approver_or_recipient_that_a_save_adds_must_mean_somebody() {
    let sim = server();
    let settings = |problems: Result<(), Vec<Problem>>| -> Vec<String> {
        problems.err().into_iter().flatten().map(|problem| problem.setting.into_owned()).collect()
    };
    for (setting, text, wrong) in [
        ("Approvers", "* = nobody-there", true),
        ("Approvers", "* = group:nobody-there", true),
        ("Approvers", "* = group:crew", true),
        ("Approvers", "* = custom-group:crew, group:sre, bob, channel-admins", false),
        ("Approvers", "* = custom-group:sre", true),
        ("Recipients", "@nobody-there", true),
        ("Recipients", "nobody@example.com", true),
        ("Recipients", "ops/one, @bob, bob@example.com", false),
        ("RoleRecipients", "dba = @nobody-there", true),
        ("MoreClusters", "[{\"Recipients\": \"@nobody-there\"}]", true),
        // Somebody who has yet to come.
        ("UserMapping", "nobody-there = x", false),
    ] {
        let new = json!({ setting: text });
        // That it means nobody, and that nobody can decide then.
        let count = if setting == "Approvers" { 2 } else { 1 };
        let expected = vec![setting; if wrong { count } else { 0 }];
        assert_eq!(settings(checked(&sim, 1, &json!({}), &new)), expected, "{text}");
        // What was there before is not looked at: somebody left, and the credentials are to be changed.
        assert_eq!(checked(&sim, 1, &new, &new), Ok(()), "{text}");
    }
}

#[test]
fn a_custom_group_is_refused_with_the_word_that_it_needs() {
    let sim = server();
    let problems = checked(&sim, 1, &json!({}), &approvers("* = group:crew")).err().unwrap_or_default();
    assert!(problems[0].message.contains("custom-group:crew"), "{problems:?}");
}

#[test]
fn old_words_between_blanks_count_where_each_is_somebody() {
    let sim = server();
    let pins = in_force(&sim, 1, &approvers("dba = Bob carol\nops = bob stone")).pins;
    let words = |words: &[&str]| Approver::Words(words.iter().map(|word| (*word).to_owned()).collect());
    assert!(pins.names(&words(&["bob", "carol"]), &user("b0b", "bob")));
    assert!(!pins.names(&words(&["bob", "stone"]), &user("b0b", "bob")));
    let stone = rename(&sim, "st0ne", "stone");
    let pins = in_force(&sim, 2, &approvers("ops = bob stone")).pins;
    assert!(!pins.names(&words(&["bob", "stone"]), &stone));
}

#[test]
fn an_unverified_address_is_posted_to_only_where_it_was_before() {
    let sim = server();
    let recipient = config::Recipient::Email("bob@example.com".into());
    let settings = json!({ "Recipients": "bob@example.com" });
    let upgraded = in_force(&sim, 1, &settings).pins;
    assert_eq!(upgraded.destination(&recipient), Some("b0b"));
    let sim = server();
    in_force(&sim, 1, &approvers("* = bob"));
    assert_eq!(in_force(&sim, 2, &settings).pins.destination(&recipient), None);
}

#[test]
fn what_cannot_be_looked_up_is_neither_pinned_nor_taken_for_nobody() {
    let sim = server();
    let settings = approvers("* = bob, carol");
    let faults = sim::Faults { refused: 300, ..sim::Faults::NONE };
    let mut settled = None;
    for second in 1..100 {
        sim.faults.set(faults);
        let entries = pins::entries(&parsed(&settings));
        let answer = run(&sim, async move |mattermost| pins::settle(&mattermost, Time(second * 1_000), &entries).await);
        match answer {
            Ok(done) if done.open == 0 => {
                settled = Some(done.pins);
                break;
            }
            _ => {}
        }
    }
    let pins = settled.unwrap();
    assert_eq!(meant(&pins, "bob").map(|(id, _)| id), Some("b0b".into()));
    assert_eq!(meant(&pins, "carol").map(|(id, _)| id), Some("car0l".into()));
}

fn of_trait_in(cluster: &'static str, sim: &Rc<Sim>, values: Vec<String>) -> TraitPins {
    let work =
        async move |mattermost| pins::of_trait(&mattermost, cluster, Time(1), values.iter().map(String::as_str)).await;
    run(sim, work).unwrap()
}

fn of_trait(sim: &Rc<Sim>, values: &[&str]) -> TraitPins {
    of_trait_in("tp", sim, values.iter().map(|value| (*value).to_owned()).collect())
}

#[test]
fn what_one_clusters_trait_says_counts_in_that_cluster_only() {
    let sim = server();
    // It names a username that nobody has yet, and as much as fits where `bob` would be kept: twice the same digit changes
    // nothing of that.
    let twice = |number: usize| number.to_string().chars().flat_map(|digit| [digit, digit]).collect::<String>();
    let names = |from: usize| (from..from + 500).map(move |number| format!("bob{}", twice(number)));
    of_trait_in("hostile", &sim, vec!["newbie".to_owned()]);
    for round in 0..6 {
        of_trait_in("hostile", &sim, names(round * 500).collect());
    }
    let newbie = rename(&sim, "n3w", "newbie");
    assert_eq!(of_trait(&sim, &["newbie"]).row("newbie", &newbie), Row::For);
    assert_eq!(of_trait_in("hostile", &sim, vec!["newbie".to_owned()]).row("newbie", &newbie), Row::Against);
    let late = of_trait_in("hostile", &sim, vec!["bob".to_owned()]);
    assert_eq!(late.id("bob"), None, "the hostile one is full");
    assert_eq!(of_trait(&sim, &["bob"]).id("bob"), Some("b0b"));
}

#[test]
fn a_traits_value_means_who_had_the_name_when_it_was_first_read() {
    let sim = server();
    let first = of_trait(&sim, &[" @Bob", "newbie", "carol@example.com", ""]);
    assert_eq!(first.row("bob", &user("b0b", "bob")), Row::For);
    assert_eq!(first.row("carol@example.com", &user("car0l", "carol")), Row::Against);
    let mallory = take_bobs_name(&sim);
    let newbie = rename(&sim, "n3w", "newbie");
    let later = of_trait(&sim, &["bob", "newbie", "carol"]);
    assert_eq!(later.row("Bob", &mallory), Row::Against);
    assert_eq!(later.row("bob", &user("b0b", "robert")), Row::Against);
    assert_eq!(later.row("newbie", &newbie), Row::Against);
    assert_eq!(later.row("carol", &user("car0l", "carol")), Row::For);
    assert_eq!((later.id("bob"), later.id("newbie"), later.id("unread")), (Some("b0b"), None, None));
}

/// The whole core on this server.
struct Core {
    sim: Rc<Sim>,
    pool: LocalPool,
    app: Rc<App<NodeWorld>>,
}

impl Core {
    fn new(sim: &Rc<Sim>) -> Self {
        let pool = LocalPool::new();
        let world = NodeWorld {
            sim: Rc::clone(sim),
            mattermost: SimMattermost { sim: Rc::clone(sim), node: 0 },
            bridge: SimBridge { sim: Rc::clone(sim), node: 0 },
            node: 0,
            skew: Rc::new(Cell::new(0)),
            spawner: pool.spawner(),
        };
        Self { sim: Rc::clone(sim), pool, app: App::new(world) }
    }

    fn configure(&mut self, settings: &Value) {
        let mut whole = json!({
            "teleportaddress": "tp:443",
            "identity": concat!("-----BEGIN RSA PRIVATE KEY-----\n-----END RSA PRIVATE KEY-----\n",
                "-----BEGIN CERTIFICATE-----\n-----END CERTIFICATE-----\n-----BEGIN CERTIFICATE-----\n-----END CERTIFICATE-----\n"),
            "notifyrequesters": false,
        });
        for (key, value) in settings.as_object().unwrap() {
            whole[key.to_lowercase()] = value.clone();
        }
        self.app.configure(Host { plugin_id: "the.plugin".into(), ..Host::default() }, whole.to_string().as_bytes());
        self.app.lead(true);
        self.wait(2);
    }

    fn wait(&mut self, seconds: i64) {
        let moment = self.sim.now() + seconds * 1_000;
        loop {
            self.pool.run_until_stalled();
            if !self.sim.step(moment) {
                self.pool.run_until_stalled();
                return;
            }
        }
    }

    fn ask<T: 'static>(&mut self, work: impl AsyncFnOnce(Rc<App<NodeWorld>>) -> T + 'static) -> T {
        let app = Rc::clone(&self.app);
        let future: Pin<Box<dyn Future<Output = T>>> = Box::pin(async move { work(app).await });
        let mut answer = self.pool.spawner().spawn_local_with_handle(future).unwrap();
        loop {
            self.pool.run_until_stalled();
            if let Some(answer) = (&mut answer).now_or_never() {
                return answer;
            }
            assert!(self.sim.step(i64::MAX), "it waits for nothing");
        }
    }

    /// What waits, by id, and whether it is urgent.
    fn waiting(&mut self) -> Vec<(String, bool)> {
        let listed = self.ask(async |app| confirmations::list(&app).await).unwrap();
        listed.into_iter().map(|confirmation| (confirmation.id, confirmation.urgent)).collect()
    }

    fn confirm(&mut self, id: &str) -> Result<String, NotConfirmed> {
        let id = id.to_owned();
        self.ask(async move |app| confirmations::confirm(&app, "r00t", &id).await)
    }

    /// The check of this name: its outcome and words.
    fn check(&mut self, name: &'static str) -> (Outcome, String) {
        let checks = self.ask(async |app| status::checks(&app).await);
        let check = checks.into_iter().find(|check| check.name == name).unwrap();
        (check.outcome(), check.message)
    }

    fn pins(&self) -> Pins {
        run(&self.sim, async |mattermost| pins::load(&mattermost).await).unwrap()
    }

    /// What stands in a direct channel.
    fn told(&self, user_id: &str) -> Vec<String> {
        let channel = format!("direct-{user_id}");
        let server = self.sim.mattermost.borrow();
        server.posts.values().filter(|post| post.channel_id == channel).map(|post| post.message.clone()).collect()
    }
}

#[test]
fn admins_get_one_list_of_what_was_pinned_without_a_save() {
    let sim = server();
    let mut core = Core::new(&sim);
    let settings = json!({ "Recipients": "ops/one", "Approvers": "* = bob, nobody-there" });
    core.configure(&settings);
    let told = core.told("r00t");
    assert_eq!(told.len(), 1, "{told:?}");
    for word in ["`@bob`", "`b0b`", "`ops/one`", "`@nobody-there` is nobody"] {
        assert!(told[0].contains(word), "{word} in {told:?}");
    }
    core.configure(&settings);
    core.wait(600);
    Core::new(&sim).configure(&settings);
    assert_eq!(core.told("r00t").len(), 1);
}

#[test]
fn what_was_saved_is_told_to_nobody() {
    let sim = server();
    let settings = json!({ "Recipients": "ops/one", "Approvers": "* = bob" });
    checked(&sim, DAWN / 1_000, &json!({}), &settings).unwrap();
    let mut core = Core::new(&sim);
    core.configure(&settings);
    assert_eq!(core.told("r00t"), [""; 0]);
    assert_eq!(core.waiting(), []);
    assert_eq!(core.check("Names").0, Outcome::Ok);
}

#[test]
fn a_name_that_means_another_account_is_red_until_an_admin_accepts_it() {
    let sim = server();
    let mut core = Core::new(&sim);
    core.configure(&json!({ "Recipients": "ops/one", "Approvers": "* = bob" }));
    take_bobs_name(&sim);
    let id = "pin:Approvers|user|bob:mall0ry";
    assert_eq!(core.waiting(), [(id.to_owned(), true)]);
    let (outcome, text) = core.check("Names");
    assert_eq!(outcome, Outcome::Failed);
    assert!(text.contains("`@bob` now means `@bob` (id `mall0ry`)") && text.contains("counts for nobody"), "{text}");
    assert_eq!(core.confirm("pin:Approvers|user|bob:b0b"), Err(NotConfirmed::Changed), "it means somebody else");
    // The name changes hands once more while the admin looks at the list.
    rename(&sim, "mall0ry", "mallory");
    rename(&sim, "er1n", "bob");
    assert_eq!(core.confirm(id), Err(NotConfirmed::Changed));
    assert_eq!(meant(&core.pins(), "bob"), Some(("b0b".into(), How::FirstSeen)));
    let id = "pin:Approvers|user|bob:er1n";
    assert!(core.confirm(id).is_ok());
    assert_eq!(meant(&core.pins(), "bob"), Some(("er1n".into(), How::Accepted)));
    assert_eq!(core.confirm(id), Err(NotConfirmed::Changed), "once");
    assert_eq!((core.waiting(), core.check("Names").0), (Vec::new(), Outcome::Ok));
}

#[test]
fn a_name_that_means_nobody_is_red_and_cannot_be_accepted() {
    let sim = server();
    let mut core = Core::new(&sim);
    core.configure(&json!({ "Recipients": "ops/one", "Approvers": "* = bob, nobody-there" }));
    rename(&sim, "b0b", "robert");
    assert_eq!(core.waiting(), []);
    let (outcome, text) = core.check("Names");
    assert_eq!(outcome, Outcome::Failed);
    assert!(text.contains("there is no `@nobody-there`.") && text.contains("there is no `@bob` any more"), "{text}");
}

#[test]
fn a_custom_group_under_an_old_word_is_accepted_with_one_click() {
    let sim = server();
    let mut core = Core::new(&sim);
    core.configure(&json!({ "Recipients": "ops/one", "Approvers": "* = group:crew" }));
    let crew = Approver::Group("crew".into());
    assert!(core.pins().approver(&crew).is_none());
    assert_eq!(core.waiting(), [("pin:Approvers|group|crew:group:crew".to_owned(), true)]);
    assert!(core.confirm("pin:Approvers|group|crew:group:crew").is_ok());
    assert!(core.pins().approver(&crew).is_some_and(|pin| pin.custom && pin.by == "r00t"));
    assert_eq!(core.waiting(), []);
    // It is one that everybody may fill, as on a default server.
    assert_eq!(core.check("Names").0, Outcome::Ok);
    sim.mattermost.borrow_mut().users_manage_groups = true;
    let (outcome, text) = core.check("Names");
    assert!(outcome == Outcome::Failed && text.contains("manage_custom_group_members"), "{text}");
}

#[test]
fn custom_groups_are_red_where_everybody_may_fill_them() {
    let sim = server();
    let mut core = Core::new(&sim);
    core.configure(&json!({ "Recipients": "ops/one", "Approvers": "* = custom-group:crew" }));
    assert_eq!(core.check("Names").0, Outcome::Ok);
    sim.mattermost.borrow_mut().users_manage_groups = true;
    let (outcome, text) = core.check("Names");
    assert!(outcome == Outcome::Failed && text.contains("`custom-group:crew`"), "{text}");
}

#[test]
fn old_words_between_blanks_are_red_until_accepted_and_go_on_to_count() {
    let sim = server();
    let mut core = Core::new(&sim);
    core.configure(&json!({ "Recipients": "ops/one", "Approvers": "* = bob carol" }));
    let id = "pin:Approvers|words|bob carol:b0b car0l";
    assert_eq!(core.waiting(), [(id.to_owned(), false)]);
    assert!(core.check("Names").1.contains("goes on to count"));
    assert!(core.confirm(id).is_ok());
    assert_eq!(core.check("Names").0, Outcome::Ok);
}

#[test]
fn requests_go_on_to_who_was_meant_until_an_admin_accepts_another() {
    let sim = server();
    let mut core = Core::new(&sim);
    core.configure(&json!({ "Recipients": "@bob", "Approvers": "* = carol" }));
    core.wait(120);
    take_bobs_name(&sim);
    // Another node, without anything in memory.
    core = Core::new(&sim);
    core.configure(&json!({ "Recipients": "@bob", "Approvers": "* = carol" }));
    teleport::file(&sim, "one".into(), 3_600_000);
    core.wait(120);
    assert_eq!((core.told("b0b").len(), core.told("mall0ry").len()), (1, 0));
    let id = "pin:Recipients|user|bob:mall0ry";
    assert_eq!(core.waiting(), [(id.to_owned(), false)]);
    assert!(core.check("Names").1.contains("Requests go on to what it meant"));
    assert!(core.confirm(id).is_ok());
    teleport::file(&sim, "two".into(), 3_600_000);
    core.wait(300);
    let (before, now) = (core.told("b0b").len(), core.told("mall0ry").len());
    assert!(before == 1 && now >= 1, "{before} {now}");
}

#[test]
fn a_channel_that_is_renamed_silences_no_requests() {
    let sim = server();
    let settings = json!({ "Recipients": "ops/one", "Approvers": "* = carol" });
    Core::new(&sim).configure(&settings);
    let mut core = Core::new(&sim);
    let posted = |place: &str| sim.mattermost.borrow().posts.values().filter(|post| post.channel_id == place).count();
    // A member renames it; then somebody makes another one of the old name.
    for (number, taken) in ["", "channel-mallory"].iter().enumerate() {
        sim.mattermost.borrow_mut().renamed_channels.insert("one".into(), (*taken).into());
        core.configure(&settings);
        teleport::file(&sim, format!("request{number}"), 3_600_000);
        core.wait(120);
        assert_eq!((posted("channel-one") > number, posted("channel-mallory")), (true, 0));
        let (outcome, text) = core.check("Names");
        assert!(outcome == Outcome::Failed && text.contains("Requests go on to what it meant"), "{text}");
    }
    assert_eq!(core.waiting(), [("pin:Recipients|channel|ops/one:channel-mallory".to_owned(), false)]);
}

#[test]
fn members_of_a_public_channel_as_approvers_are_warned_of() {
    let sim = server();
    let mut core = Core::new(&sim);
    core.configure(&json!({ "Recipients": "ops/one", "Approvers": "* = channel-members" }));
    assert_eq!(core.check("Approvers").0, Outcome::Ok);
    sim.mattermost.borrow_mut().public = true;
    let (outcome, text) = core.check("Approvers");
    assert!(outcome == Outcome::Warning && text.contains("`ops/one`"), "{text}");
    core.configure(&json!({ "Recipients": "ops/one", "Approvers": "* = channel-admins" }));
    assert_eq!(core.check("Approvers").0, Outcome::Ok);
}

#[test]
fn another_node_follows_what_an_admin_accepted() {
    let sim = server();
    let settings = json!({ "Recipients": "@bob", "Approvers": "* = carol" });
    let mut leader = Core::new(&sim);
    leader.configure(&settings);
    leader.wait(120);
    take_bobs_name(&sim);
    let mut other = Core::new(&sim);
    other.configure(&settings);
    assert!(other.confirm("pin:Recipients|user|bob:mall0ry").is_ok());
    leader.wait(120);
    teleport::file(&sim, "one".into(), 3_600_000);
    leader.wait(120);
    assert_eq!((leader.told("b0b").len(), !leader.told("mall0ry").is_empty()), (0, true));
}

#[test]
fn nobody_is_posted_to_who_was_nobody_when_the_recipient_was_first_seen() {
    let sim = server();
    let mut core = Core::new(&sim);
    core.configure(&json!({ "Recipients": "@newbie", "Approvers": "* = carol" }));
    rename(&sim, "n3w", "newbie");
    teleport::file(&sim, "one".into(), 3_600_000);
    core.wait(300);
    assert_eq!(core.told("n3w").len(), 0);
    assert_eq!(core.waiting(), [("pin:Recipients|user|newbie:n3w".to_owned(), true)]);
    assert!(core.confirm("pin:Recipients|user|newbie:n3w").is_ok());
    core.wait(300);
    assert_eq!(core.told("n3w").len(), 1);
}

#[test]
fn an_account_that_comes_under_a_traits_value_is_accepted_by_an_admin() {
    let sim = server();
    let mut core = Core::new(&sim);
    core.configure(&json!({ "Recipients": "ops/one", "Approvers": "* = carol", "UserTrait": "mattermost" }));
    let pins = of_trait(&sim, &["bob", "newbie"]);
    let mallory = take_bobs_name(&sim);
    let newbie = rename(&sim, "n3w", "newbie");
    // Somebody who has no such name is not listed.
    let stranger = user("x", "stranger");
    run(&sim, async move |mattermost| {
        for (value, user) in [("bob", &mallory), ("newbie", &newbie), ("bob", &stranger)] {
            pins.claimed(&mattermost, value, user).await.unwrap();
        }
    });
    let mut waiting: Vec<String> = core.waiting().into_iter().map(|(id, _)| id).collect();
    waiting.sort();
    assert_eq!(waiting, ["pin:tp|UserTrait|user|bob:mall0ry", "pin:tp|UserTrait|user|newbie:n3w"]);
    assert!(core.confirm("pin:tp|UserTrait|user|newbie:n3w").is_ok());
    assert_eq!(core.waiting().len(), 1);
    let pins = of_trait(&sim, &["bob", "newbie"]);
    assert_eq!(pins.row("newbie", &user("n3w", "newbie")), Row::For);
    assert_eq!(pins.row("bob", &user("mall0ry", "bob")), Row::Against);
    // The name goes on to somebody else while the admin looks at the list.
    rename(&sim, "mall0ry", "mallory");
    assert_eq!(core.confirm("pin:tp|UserTrait|user|bob:mall0ry"), Err(NotConfirmed::Changed));
}

#[test]
fn the_status_names_roles_that_only_the_rule_about_all_covers() {
    let sim = server();
    let mut core = Core::new(&sim);
    core.configure(&json!({ "Recipients": "ops/one", "Approvers": "prod-* = carol\n* = bob" }));
    teleport::file(&sim, "one".into(), 3_600_000);
    let roles = sim.teleport.borrow().requests.values().next().map(|request| request.roles.clone()).unwrap();
    core.wait(60);
    let (outcome, text) = core.check("Approvers");
    assert_eq!(outcome, Outcome::Warning, "{text}");
    assert!(text.contains(&roles[0]), "{text}");
}
