//! Clicks in posts that cannot show what would become of the request: in an archived channel, or after its expiry.

use serde_json::json;
use teleport_access_core::teleport::State;

use crate::stage::{DECIDED, DENIED, Stage, account, members, request};

/// A pending request's post, which bob may decide and mallory may not.
fn posted(authority: &str) -> Stage {
    let settings = json!({ "approvers": "bob", "authority": authority, "usermapping": "bob = bob-tp" });
    let mut stage = Stage::new(settings, |sim| {
        {
            let mut teleport = sim.teleport.borrow_mut();
            teleport.version = "18.11.2".into();
            teleport.traits = ["bob-tp", "requester"].map(|name| (name.to_owned(), Vec::new())).into();
        }
        members(sim, "channel-one", &["b0b", "mall0ry"]);
        let mut server = sim.mattermost.borrow_mut();
        server.users.insert("b0b".into(), account("b0b", "bob", "bob@corp.com"));
        server.users.insert("mall0ry".into(), account("mall0ry", "mallory", "mallory@corp.com"));
    });
    stage.pass(1_000);
    let filed = request(&stage.sim, &["dba"]);
    stage.file(filed);
    stage
}

#[test]
fn in_an_archived_channel_nothing_is_decided_and_strangers_do_not_learn_that_it_is() {
    for authority in ["approvers", "reviewer", "teleport"] {
        for (verdict, decided) in [("approve", DECIDED), ("deny", DENIED)] {
            let mut stage = posted(authority);
            stage.sim.mattermost.borrow_mut().archived = true;
            let answer = stage.click("b0b", verdict);
            assert!(answer.contains("this channel is archived"), "{authority} {verdict}: {answer}");
            if authority != "teleport" {
                let answer = stage.click("mall0ry", verdict);
                assert!(answer.contains("You cannot decide this"), "{authority} {verdict}: {answer}");
            }
            assert_eq!((stage.state(), stage.applied()), (Some(State::Pending), 0), "{authority} {verdict}");
            stage.sim.mattermost.borrow_mut().archived = false;
            stage.pass(60_000);
            let answer = stage.click("b0b", verdict);
            assert!(answer.contains(decided), "{authority} {verdict}, back: {answer}");
        }
    }
}

#[test]
fn what_has_expired_is_not_decided_although_teleport_would_take_it() {
    for authority in ["approvers", "reviewer", "teleport"] {
        for verdict in ["approve", "deny"] {
            let mut stage = posted(authority);
            let now = stage.app_time();
            stage.in_teleport(|request| request.expires = Some(now));
            let answer = stage.click("b0b", verdict);
            assert!(answer.contains("the request expired on"), "{authority} {verdict}: {answer}");
            if authority != "teleport" {
                let answer = stage.click("mall0ry", verdict);
                assert!(!answer.contains("expired"), "{authority} {verdict}: {answer}");
            }
            assert_eq!((stage.state(), stage.applied()), (Some(State::Pending), 0), "{authority} {verdict}");
        }
    }
}
