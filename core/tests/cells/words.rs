//! What people and the host read of what is wrong, in small things.

use serde_json::json;
use teleport_access_core::app::Host;
use teleport_access_core::command;
use teleport_access_core::config::Severity;

use crate::sim::Sim;
use crate::stage::{Stage, account, request};

fn stage(before: impl FnOnce(&Sim)) -> Stage {
    Stage::new(json!({ "approvers": "bob" }), |sim| {
        sim.mattermost.borrow_mut().users.insert("b0b".into(), account("b0b", "bob", "bob@corp.com"));
        before(sim);
    })
}

#[test]
fn the_host_hears_the_worst_first() {
    let stage = stage(|_| {});
    // In the order of the page a warning comes before what cannot be used.
    let settings =
        json!({ "teleportaddress": "tp:443", "approvers": "bob", "reminders": "soon", "nosuchsetting": "x" });
    let problems = stage.app.configure(Host::default(), settings.to_string().as_bytes());
    let severities: Vec<Severity> = problems.iter().map(|problem| problem.severity).collect();
    assert!(severities.is_sorted(), "{problems:?}");
    assert_eq!(severities.first(), Some(&Severity::Wrong), "{problems:?}");
    assert_ne!(severities.first(), severities.last(), "{problems:?}");
}

#[test]
fn a_click_that_comes_before_the_connection_is_told_when_to_come_again() {
    let mut stage = stage(|_| {});
    stage.pass(1_000);
    let filed = request(&stage.sim, &["dba"]);
    stage.file(filed);
    let click = stage.click_of("b0b", "deny", &stage.post());
    // Teleport takes its time, and the plugin begins anew.
    stage.sim.slow_ping.set(60_000);
    stage.restart();
    let answer = stage.send(click);
    assert!(answer.contains("is connecting to it right now: click again in a few seconds"), "{answer}");
}

#[test]
fn commands_are_understood_in_any_case() {
    let mut stage = stage(|_| {});
    for (line, says) in [
        ("/teleport STATUS", "Only system admins may see the status"),
        ("/teleport Audit VERIFY", "Only system admins may see the audit trail"),
        ("/teleport NOTIFICATIONS Off", "no more direct messages"),
        ("/teleport HELP", "#### /teleport"),
        ("/teleport stat", "There is no command `stat`."),
    ] {
        let app = std::rc::Rc::clone(&stage.app);
        let answer = stage.await_it(async move { command::run(&app, "b0b", line).await });
        assert!(answer.contains(says), "{line}: {answer}");
    }
}
