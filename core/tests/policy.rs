//! Who may decide: every kind of rule and of clicker, with the outcome that is expected.
#![allow(missing_docs, unreachable_pub, dead_code, clippy::unwrap_used, clippy::indexing_slicing)]

#[path = "simulation/ports.rs"]
mod ports;
#[path = "simulation/servers.rs"]
mod servers;
#[path = "simulation/sim.rs"]
mod sim;
#[path = "simulation/teleport.rs"]
mod teleport;

use std::future::Future;
use std::rc::Rc;

use futures::executor::LocalPool;
use futures::task::LocalSpawnExt;
use teleport_access_core::config::{self, Settings};
use teleport_access_core::decision::Needed;
use teleport_access_core::mattermost::{Channel, Group, Membership, User};
use teleport_access_core::policy::{self, Refusal};
use teleport_access_core::rules::pins::{self, Pins};
use teleport_access_core::teleport::AccessRequest;
use teleport_access_core::time::Time;

use crate::ports::SimMattermost;
use crate::sim::Sim;

fn settings(approvers: &str) -> Settings {
    let (settings, _) = config::parse(serde_json::json!({ "Approvers": approvers }).to_string().as_bytes());
    settings
}

fn user(name: &str) -> User {
    let email = format!("{name}@example.com");
    User { id: name.into(), username: name.into(), email, is_system_admin: name == "root", ..Default::default() }
}

fn request(roles: &[&str]) -> AccessRequest {
    let roles = roles.iter().map(|role| (*role).to_owned()).collect();
    AccessRequest { user: "ann@example.com".into(), roles, ..Default::default() }
}

/// The channel of the posts: a private one of the team, or a direct one.
fn channel(id: &str) -> Channel {
    let (team_id, kind) = if id.starts_with("direct-") { ("", "D") } else { ("team", "P") };
    Channel { id: id.into(), team_id: team_id.into(), r#type: kind.into(), ..Default::default() }
}

fn group(name: &str, is_synced: bool) -> Group {
    let source = if is_synced { "ldap" } else { "custom" };
    Group { id: format!("group:{name}"), name: name.into(), source: source.into(), is_synced, ..Default::default() }
}

/// A Mattermost where bob is a member of the channel, carol its admin, dave an admin of its team, erin in the synchronised
/// group `sre`, and frank in the custom group `crew`.
fn server() -> Rc<Sim> {
    let sim = Sim::new(0, false);
    {
        let mut server = sim.mattermost.borrow_mut();
        for name in ["ann", "bob", "carol", "dave", "erin", "frank", "root"] {
            server.users.insert(name.into(), user(name));
        }
        for (place, name, admin) in [
            ("channel", "bob", false),
            ("channel", "carol", true),
            ("direct-bob", "bob", true),
            ("team", "dave", true),
            ("group:sre", "erin", false),
            ("group:crew", "frank", false),
        ] {
            server.memberships.insert((place.into(), name.into()), Membership { member: true, admin });
        }
        server.groups.extend([group("sre", true), group("crew", false)]);
    }
    sim
}

/// Runs something in the simulated world to its end.
fn run<T: 'static>(sim: &Rc<Sim>, work: impl AsyncFnOnce(SimMattermost) -> T + 'static) -> T {
    let mattermost = SimMattermost { sim: Rc::clone(sim), node: 0 };
    let mut pool = LocalPool::new();
    let future: std::pin::Pin<Box<dyn Future<Output = T>>> = Box::pin(async move { work(mattermost).await });
    let mut answer = pool.spawner().spawn_local_with_handle(future).unwrap();
    loop {
        pool.run_until_stalled();
        if let Some(answer) = futures::FutureExt::now_or_never(&mut answer) {
            return answer;
        }
        assert!(sim.step(i64::MAX), "it waits for nothing");
    }
}

/// Pins what the settings name, as what it means now.
fn settle(sim: &Rc<Sim>, settings: &Settings) -> Pins {
    let entries = pins::entries(settings);
    run(sim, async move |mattermost| pins::settle(&mattermost, Time(1), &entries).await).unwrap().pins
}

/// Asks the policy of a server whose pins are set.
fn decide(
    sim: &Rc<Sim>,
    settings: &Settings,
    user: &User,
    place: &str,
    cluster: &'static str,
    request: &AccessRequest,
) -> Result<Needed, Refusal> {
    let (settings, user, channel, request) = (settings.clone(), user.clone(), channel(place), request.clone());
    run(sim, async move |mattermost| {
        let pins = pins::load(&mattermost).await?;
        policy::may_decide(&mattermost, &settings, &pins, &user, &channel, cluster, &request).await
    })
}

/// Asks the policy of a fresh server.
fn ask(settings: &Settings, user: &User, channel: &str, request: &AccessRequest) -> Result<(), Refusal> {
    let sim = server();
    settle(&sim, settings);
    decide(&sim, settings, user, channel, "tp", request).map(|_| ())
}

/// Changes an account.
fn change(sim: &Rc<Sim>, id: &str, change: impl FnOnce(&mut User)) -> User {
    let mut server = sim.mattermost.borrow_mut();
    let user = server.users.entry(id.to_owned()).or_insert_with(|| user(id));
    change(user);
    user.clone()
}

#[test]
fn rules_let_in_whom_they_mean_and_nobody_else() {
    let everybody = ["bob", "carol", "dave", "erin", "frank", "root"];
    for (rules, roles, allowed) in [
        ("", &["dba"][..], &["root"][..]),
        ("frank", &["dba"], &["frank"]),
        ("@Frank, root", &["dba"], &["frank", "root"]),
        ("channel-members", &["dba"], &["bob", "carol"]),
        ("channel-admins", &["dba"], &["carol"]),
        ("team-admins", &["dba"], &["dave"]),
        ("group:sre", &["dba"], &["erin"]),
        // A custom group needs the word of its own.
        ("group:crew", &["dba"], &[]),
        ("custom-group:crew", &["dba"], &["frank"]),
        ("custom-group:sre", &["dba"], &[]),
        // As earlier versions separated names, where each of them is somebody.
        ("dba = bob erin", &["dba"], &["bob", "erin"]),
        ("dba = Bob Stone", &["dba"], &[]),
        ("dba = group:Domain carol", &["dba"], &[]),
        ("dba = 2 of bob, carol; deny 1", &["dba"], &["bob", "carol"]),
        ("group:unknown", &["dba"], &[]),
        ("system-admins", &["dba"], &["root"]),
        ("!!!", &["dba"], &[]),
        // The rule that names the role counts, not the wider ones.
        ("dba = bob\nd* = carol\n* = dave", &["dba"], &["bob"]),
        ("dba = bob\nd* = carol\n* = dave", &["dev"], &["carol"]),
        ("dba = bob\nd* = carol\n* = dave", &["ops"], &["dave"]),
        ("dba = bob\ndba = erin", &["dba"], &["bob", "erin"]),
        ("d?? = bob\n*a = carol", &["dba"], &["bob", "carol"]),
        ("d* = bob\ndb* = carol", &["dba"], &["carol"]),
        ("cluster:tp/dba = bob\ndba = carol\ncluster:other/dba = dave", &["dba"], &["bob"]),
        ("other.example.com/dba = bob\n* = carol", &["dba"], &["carol"]),
        ("other.example.com/dba = bob", &["dba"], &["root"]),
        ("dba =", &["dba"], &[]),
        // Roles that no rule is about are for system admins.
        ("dba = bob", &["ops"], &["root"]),
        ("dba = bob, root", &["dba", "ops"], &["root"]),
        // All roles must be covered.
        ("dba = bob, carol\nops = carol, dave", &["dba", "ops"], &["carol"]),
        // A request without roles is under the rule about all of them.
        ("* = bob", &[], &["bob"]),
        ("dba = bob", &[], &["root"]),
    ] {
        let settings = settings(rules);
        let may = |name: &&&str| ask(&settings, &user(name), "channel", &request(roles)).is_ok();
        let let_in: Vec<&str> = everybody.iter().filter(may).copied().collect();
        assert_eq!(let_in, allowed, "rules {rules:?}, roles {roles:?}");
    }
}

#[test]
fn nobody_decides_their_own_request() {
    let settings = settings("ann, root");
    assert_eq!(ask(&settings, &user("ann"), "channel", &request(&["dba"])), Err(Refusal::OwnRequest));
    let named = AccessRequest { user: "Ann".into(), ..request(&["dba"]) };
    let other_address = User { email: "x@example.com".into(), ..user("ann") };
    assert_eq!(ask(&settings, &other_address, "channel", &named), Err(Refusal::OwnRequest));
    let admin = User { email: "ANN@example.com".into(), ..user("root") };
    assert_eq!(ask(&settings, &admin, "channel", &request(&["dba"])), Err(Refusal::OwnRequest));
}

#[test]
fn an_account_must_be_fit_to_decide() {
    let settings = settings("bob");
    let bob = user("bob");
    let with = |settings: &Settings, bob: User| ask(settings, &bob, "channel", &request(&["dba"]));
    assert_eq!(with(&settings, User { is_bot: true, ..bob.clone() }), Err(Refusal::NotAPerson));
    assert_eq!(with(&settings, User { delete_at: 1, ..bob.clone() }), Err(Refusal::NotAPerson));
    assert_eq!(with(&settings, User { is_guest: true, ..bob.clone() }), Err(Refusal::Guest));
    let open = Settings { allow_guests: true, ..settings.clone() };
    assert_eq!(with(&open, User { is_guest: true, ..bob.clone() }), Ok(()));
    let strict = Settings { require_mfa: true, ..settings.clone() };
    assert_eq!(with(&strict, bob.clone()), Err(Refusal::NoMfa));
    assert_eq!(with(&strict, User { mfa_active: true, ..bob }), Ok(()));
}

#[test]
fn where_the_server_has_no_mfa_only_single_sign_on_can_count() {
    let bob = User { mfa_active: true, ..user("bob") };
    let saml = User { auth_service: "saml".into(), ..user("bob") };
    let with = |settings: &Settings, bob: &User| ask(settings, bob, "channel", &request(&["dba"]));
    let off = Settings { require_mfa: true, multi_factor_off: true, ..settings("bob") };
    // Once set up, it is asked for no more.
    assert_eq!(with(&off, &bob), Err(Refusal::MfaIsOff));
    assert!(Refusal::MfaIsOff.to_string().contains("switched off on this Mattermost server"));
    assert_eq!(with(&off, &saml), Err(Refusal::SsoIsNotMfa));
    let words = Refusal::SsoIsNotMfa.to_string();
    assert!(words.contains("you cannot set up in Mattermost") && !words.contains("under Security"), "{words}");
    let sso = Settings { sso_is_mfa: true, ..off };
    assert_eq!(with(&sso, &saml), Ok(()));
    assert_eq!(with(&sso, &bob), Err(Refusal::MfaIsOff));
    // Whoever needs none is asked for none.
    let free = Settings { multi_factor_off: true, ..settings("bob") };
    assert_eq!(with(&free, &user("bob")), Ok(()));
}

/// What keeps the first rule of these settings from being met, on a server in which something has changed since they were
/// saved.
fn missing(
    rules: &str,
    in_channels: bool,
    lenient: impl FnOnce(Settings) -> Settings,
    change: impl FnOnce(&mut servers::MattermostServer),
) -> Option<Vec<String>> {
    let (sim, settings) = (server(), lenient(settings(rules)));
    let pins = settle(&sim, &settings);
    change(&mut sim.mattermost.borrow_mut());
    run(&sim, async move |mattermost| {
        policy::missing(&mattermost, &settings, &pins, &settings.approvers[0], in_channels).await
    })
    .unwrap()
}

#[test]
fn rules_that_nobody_can_meet_are_found_with_the_reason() {
    let deactivate = |name: &'static str| {
        move |server: &mut servers::MattermostServer| {
            server.users.entry(name.into()).and_modify(|user| user.delete_at = 1);
        }
    };
    let same = |settings: Settings| settings;
    let nothing = |_: &mut servers::MattermostServer| {};
    for rules in [
        "* = bob",
        "* = group:sre",
        "* = custom-group:crew",
        "* = system-admins",
        "* = channel-members",
        "* = 2 of bob, erin",
    ] {
        assert_eq!(missing(rules, true, same, nothing), None, "{rules}");
    }
    let says = |found: Option<Vec<String>>, words: &str| {
        let found = found.unwrap_or_default().join("; ");
        assert!(found.contains(words), "want {words:?}, it says {found:?}");
    };
    says(missing("* = bob", true, same, deactivate("bob")), "`@bob` is deactivated");
    says(missing("* = nosuchuser", true, same, nothing), "`nosuchuser` is no account");
    says(missing("* = group:nosuchgroup", true, same, nothing), "there is no `group:nosuchgroup`");
    says(missing("* = group:sre", true, same, deactivate("erin")), "`group:sre` has no member who can decide");
    let gone = |server: &mut servers::MattermostServer| server.groups[0].delete_at = 1;
    says(missing("* = group:sre", true, same, gone), "there is no `group:sre`");
    let renamed = |server: &mut servers::MattermostServer| {
        server.users.entry("bob".into()).and_modify(|user| user.username = "robert".into());
    };
    says(missing("* = bob", true, same, renamed), "does not mean the account any more");
    says(missing("* = channel-admins", false, same, nothing), "posted to no channel");
    says(missing("* = 2 of bob, carol", true, same, deactivate("carol")), "2 people must approve, and only 1 can");
    says(missing("* = system-admins", true, same, deactivate("root")), "`system-admins`");
    let strict = |settings: Settings| Settings { require_mfa: true, ..settings };
    says(missing("* = bob", true, strict, nothing), "`@bob` has no multi-factor authentication");
    // One who can is enough, in whatever place.
    assert_eq!(missing("* = bob, erin", true, same, deactivate("bob")), None);
    assert_eq!(missing("* = bob, channel-members", true, same, deactivate("bob")), None);
}

#[test]
fn channel_rules_do_not_count_in_direct_channels() {
    for rule in ["channel-members", "channel-admins"] {
        let refused = ask(&settings(rule), &user("bob"), "direct-bob", &request(&["dba"]));
        assert_eq!(refused, Err(Refusal::NotAnApprover { role: "dba".into() }), "{rule}");
    }
}

#[test]
fn the_largest_number_of_all_roles_is_needed() {
    let rules = settings("dba = 2 of bob, erin\nops = 1 of bob; deny 3\nops = 2 of carol\n* = root");
    let sim = server();
    settle(&sim, &rules);
    let needed = |name: &str, roles: &[&str]| decide(&sim, &rules, &user(name), "channel", "tp", &request(roles));
    assert_eq!(needed("bob", &["dba"]), Ok(Needed { approve: 2, deny: 1 }));
    assert_eq!(needed("bob", &["ops"]), Ok(Needed { approve: 2, deny: 3 }));
    assert_eq!(needed("bob", &["dba", "ops"]), Ok(Needed { approve: 2, deny: 3 }));
    assert_eq!(needed("root", &["web"]), Ok(Needed { approve: 1, deny: 1 }));
    // Every role must let them in.
    assert_eq!(needed("erin", &["dba", "ops"]), Err(Refusal::NotAnApprover { role: "ops".into() }));
}

#[test]
fn a_username_that_changes_hands_takes_no_right_with_it() {
    let rules = settings("* = bob");
    let sim = server();
    settle(&sim, &rules);
    let may = |user: &User| decide(&sim, &rules, user, "channel", "tp", &request(&["dba"])).is_ok();
    assert!(may(&user("bob")));
    // Bob is renamed, and mallory takes the name.
    let bob = change(&sim, "bob", |bob| bob.username = "bob2".into());
    let mallory = change(&sim, "mallory", |mallory| mallory.username = "bob".into());
    assert!(!may(&bob), "the name does not agree");
    assert!(!may(&mallory), "the id does not agree");
    // Neither a restart nor another save renews the pin.
    settle(&sim, &rules);
    assert!(!may(&mallory));
}

#[test]
fn a_username_that_nobody_had_is_nobodys_until_accepted() {
    let rules = settings("* = newbie");
    let sim = server();
    settle(&sim, &rules);
    let newbie = change(&sim, "newbie", |_| {});
    settle(&sim, &rules);
    assert!(decide(&sim, &rules, &newbie, "channel", "tp", &request(&["dba"])).is_err());
}

#[test]
fn a_group_is_meant_by_its_id_name_and_kind() {
    let rules = settings("* = group:sre, custom-group:crew");
    let sim = server();
    settle(&sim, &rules);
    let may = |name: &str| decide(&sim, &rules, &user(name), "channel", "tp", &request(&["dba"])).is_ok();
    assert!(may("erin") && may("frank"));
    let edit = |name: &str, edit: &dyn Fn(&mut Group)| {
        let mut server = sim.mattermost.borrow_mut();
        server.groups.iter_mut().filter(|group| group.id == format!("group:{name}")).for_each(edit);
    };
    edit("sre", &|group| group.is_synced = false);
    assert!(!may("erin"), "not synchronised any more");
    edit("sre", &|group| (group.is_synced, group.name) = (true, "other".into()));
    assert!(!may("erin"), "of another name");
    edit("sre", &|group| (group.name, group.delete_at) = ("sre".into(), 1));
    assert!(!may("erin"), "deleted");
    edit("crew", &|group| group.name = "old".into());
    let mut taken = group("crew", false);
    taken.id = "group:taken".into();
    sim.mattermost.borrow_mut().groups.push(taken);
    let membership = Membership { member: true, admin: false };
    sim.mattermost.borrow_mut().memberships.insert(("group:taken".into(), "bob".into()), membership);
    assert!(!may("bob") && !may("frank"), "another group of the name");
}

#[test]
fn without_readable_pins_nobody_decides() {
    let rules = settings("* = bob");
    let sim = server();
    assert!(decide(&sim, &rules, &user("bob"), "channel", "tp", &request(&["dba"])).is_err(), "none yet");
    for broken in ["{", "{\"version\":2,\"pins\":{}}"] {
        sim.mattermost.borrow_mut().kv.insert("pins".into(), (broken.into(), 0));
        let refused = decide(&sim, &rules, &user("bob"), "channel", "tp", &request(&["dba"]));
        assert!(matches!(refused, Err(Refusal::Unknown(_))), "{refused:?}");
    }
}

#[test]
fn those_who_may_decide_are_counted() {
    for (rules, roles, expected) in [
        ("", &["dba"][..], &["root"][..]),
        ("* = bob, erin, ann, nobody-there", &["dba"], &["bob", "erin"]),
        ("* = group:sre, custom-group:crew, group:crew", &["dba"], &["erin", "frank"]),
        ("* = channel-members", &["dba"], &["bob", "carol"]),
        ("* = channel-admins", &["dba"], &["carol"]),
        ("* = bob carol", &["dba"], &["bob", "carol"]),
        ("dba = bob, carol\nops = carol, dave", &["dba", "ops"], &["carol"]),
        ("dba = bob, root", &["dba", "ops"], &["root"]),
        ("cluster:other/* = bob\n* = carol", &["dba"], &["carol"]),
    ] {
        let sim = server();
        let rules_of = settings(rules);
        let pins = settle(&sim, &rules_of);
        change(&sim, "dave", |dave| dave.delete_at = 1);
        let request = request(roles);
        let permitted = run(&sim, async move |mattermost| {
            policy::permitted_ids(&mattermost, &rules_of, &pins, &channel("channel"), "tp", &request).await
        })
        .unwrap();
        assert!(permitted.complete);
        assert_eq!(permitted.ids.iter().map(String::as_str).collect::<Vec<_>>(), expected, "{rules:?}");
    }
}

#[test]
fn a_large_group_is_counted_up_to_a_bound() {
    let sim = server();
    for number in 0..1_500 {
        let name = format!("user{number:04}");
        let mut server = sim.mattermost.borrow_mut();
        server.memberships.insert(("group:sre".into(), name.clone()), Membership { member: true, admin: false });
        server.users.insert(name.clone(), user(&name));
    }
    let rules = settings("* = group:sre");
    let pins = settle(&sim, &rules);
    let request = request(&["dba"]);
    let permitted = run(&sim, async move |mattermost| {
        policy::permitted_ids(&mattermost, &rules, &pins, &channel("channel"), "tp", &request).await
    })
    .unwrap();
    assert_eq!((permitted.ids.len(), permitted.complete), (1_000, false));
}

#[test]
fn a_direct_channel_has_no_team_whose_admins_could_decide() {
    let settings = settings("team-admins");
    let refused = ask(&settings, &user("dave"), "direct-dave", &request(&["dba"]));
    assert_eq!(refused, Err(Refusal::NotAnApprover { role: "dba".into() }));
}
