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

use std::rc::Rc;

use futures::executor::LocalPool;
use futures::task::LocalSpawnExt;
use teleport_access_core::config::{self, Settings};
use teleport_access_core::mattermost::{Group, Membership, User};
use teleport_access_core::policy::{self, Refusal};
use teleport_access_core::teleport::AccessRequest;

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

/// Asks the policy in a Mattermost where bob is a member of the channel, carol its admin, dave an admin of its team, and
/// erin in the group `sre`.
fn ask(settings: &Settings, user: &User, channel: &str, request: &AccessRequest) -> Result<(), Refusal> {
    let sim = Sim::new(0, false);
    for (place, name, admin) in
        [("channel", "bob", false), ("channel", "carol", true), ("team", "dave", true), ("group:sre", "erin", false)]
    {
        let membership = Membership { member: true, admin };
        sim.mattermost.borrow_mut().memberships.insert((place.into(), name.into()), membership);
    }
    let sre = Group {
        id: "group:sre".into(),
        name: "sre".into(),
        source: "ldap".into(),
        is_synced: true,
        ..Default::default()
    };
    sim.mattermost.borrow_mut().groups.push(sre);
    let mattermost = SimMattermost { sim: Rc::clone(&sim), node: 0 };
    let (settings, user, channel, request) = (settings.clone(), user.clone(), channel.to_owned(), request.clone());
    let mut pool = LocalPool::new();
    let answer = pool.spawner().spawn_local_with_handle(async move {
        policy::may_decide(&mattermost, &settings, &user, &channel, &request).await
    });
    let mut answer = answer.unwrap();
    loop {
        pool.run_until_stalled();
        if let Some(answer) = futures::FutureExt::now_or_never(&mut answer) {
            return answer;
        }
        assert!(sim.step(i64::MAX), "the policy waits for nothing");
    }
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
        ("group:unknown", &["dba"], &[]),
        ("system-admins", &["dba"], &["root"]),
        ("!!!", &["dba"], &[]),
        // The rule that names the role counts, not the wider ones.
        ("dba = bob\nd* = carol\n* = dave", &["dba"], &["bob"]),
        ("dba = bob\nd* = carol\n* = dave", &["dev"], &["carol"]),
        ("dba = bob\nd* = carol\n* = dave", &["ops"], &["dave"]),
        ("dba = bob\ndba = erin", &["dba"], &["bob", "erin"]),
        ("d?? = bob\n*a = carol", &["dba"], &["bob", "carol"]),
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
fn a_direct_channel_has_no_team_whose_admins_could_decide() {
    let settings = settings("team-admins");
    let refused = ask(&settings, &user("dave"), "direct-dave", &request(&["dba"]));
    assert_eq!(refused, Err(Refusal::NotAnApprover { role: "dba".into() }));
}
