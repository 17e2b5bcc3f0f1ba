//! Worlds about what people are asked and told when they decide.

use std::rc::Rc;

use teleport_access_core::audit::{self, Entry};
use teleport_access_core::messages::NEWS_PROP;
use teleport_access_core::teleport::State;

use crate::scenes::{HOUR, Scene, buttons, click, end, expect, request, root, state};
use crate::script::{Script, Setting};
use crate::sim::{DAWN, Sim};
use crate::teleport;

/// The scenes by their names.
pub const SCENES: &[(&str, Scene)] = &[
    ("a denial takes no dialog where a reason may be left out, and has a button for one", two_denials),
    ("whoever never submits a dialog is told the way that works, in the thread, once a day", unsubmitted),
    ("a dialog that was submitted or closed, or is about a decided request, needs no word", nothing_to_tell),
    ("who decided and why is told from the plugin's own record, on a server that keeps neither", keeps_nothing),
    ("nobody is called by what they did themselves", nobody_called),
];

fn world(ask_reason: &'static str, needed: u32, version: &str) -> (Script, Rc<Sim>) {
    let setting = Setting { recipients: vec!["ops/one"], ask_reason, authority: "approvers", needed };
    let mut script = Script::with(1, setting);
    let sim = Rc::clone(&script.sim);
    version.clone_into(&mut sim.teleport.borrow_mut().version);
    script.start(0);
    script.run_until(DAWN + 2_000);
    (script, sim)
}

/// Files a request and waits for its post.
fn file(script: &mut Script, sim: &Rc<Sim>, id: &str) {
    teleport::file_as(sim, request(sim, id, &["dba"]), 10 * HOUR);
    script.run_until(sim.now() + 5_000);
}

fn dialogs(sim: &Sim) -> usize {
    sim.mattermost.borrow().dialogs.len()
}

const WITH_REASON: &str = "Deny with reason…";

fn two_denials() -> Vec<String> {
    let (mut script, sim) = world("deny", 1, "13.3.8");
    file(&mut script, &sim, "plain");
    let post = root(&sim, "plain");
    expect(&sim, &format!("it offers {:?}", buttons(&post)), buttons(&post) == ["Approve", "Deny", WITH_REASON]);
    let answer = click(&mut script, "alice", &post, "Deny");
    expect(&sim, &format!("Deny was answered {answer:?}"), answer.starts_with("You denied") && dialogs(&sim) == 0);
    expect(&sim, "Deny did not deny", state(&sim, "plain") == Some(State::Denied));
    file(&mut script, &sim, "reasoned");
    let answer = click(&mut script, "alice", &root(&sim, "reasoned"), WITH_REASON);
    expect(&sim, &format!("the other one was answered {answer:?}"), answer.is_empty() && dialogs(&sim) == 1);
    expect(&sim, "it denied before anybody gave a reason", state(&sim, "reasoned") == Some(State::Pending));
    script.submit_last("alice", "not on a Friday", false);
    script.run_until(sim.now() + 30_000);
    let given = sim.teleport.borrow().requests.get("reasoned").map(|request| request.resolve_reason.clone());
    expect(&sim, &format!("Teleport has the reason {given:?}"), given.as_deref() == Some("not on a Friday"));
    end(&script, &sim)
}

fn hints(sim: &Sim) -> usize {
    sim.mattermost.borrow().hints.len()
}

fn unsubmitted() -> Vec<String> {
    const DAY: i64 = 24 * HOUR;
    let (mut script, sim) = world("deny", 1, "13.3.8");
    file(&mut script, &sim, "first");
    let post = root(&sim, "first");
    click(&mut script, "alice", &post, WITH_REASON);
    script.run_until(sim.now() + 25_000);
    expect(&sim, "somebody was told within a minute", hints(&sim) == 0);
    script.run_until(sim.now() + 20_000);
    let told = sim.mattermost.borrow().hints.clone();
    let right = |(user, hint): &(String, teleport_access_core::mattermost::Post)| {
        user == "alice"
            && hint.root_id == post.id
            && hint.channel_id == post.channel_id
            && hint.message.contains("**Deny** button")
    };
    expect(&sim, &format!("it was told {told:?}"), told.len() == 1 && told.iter().all(right));
    // Again on the same day, and by somebody else.
    click(&mut script, "alice", &post, WITH_REASON);
    script.run_until(sim.now() + 90_000);
    expect(&sim, "the same person was told twice", hints(&sim) == 1);
    click(&mut script, "erin", &post, WITH_REASON);
    script.run_until(sim.now() + 90_000);
    expect(&sim, "another person was not told", hints(&sim) == 2);
    let before = end(&script, &sim);
    script.run_until(sim.now() + DAY);
    file(&mut script, &sim, "next");
    click(&mut script, "alice", &root(&sim, "next"), WITH_REASON);
    script.run_until(sim.now() + 90_000);
    if hints(&sim) != 3 {
        sim.violation("nobody was told on the next day".to_owned());
        return sim.violations.borrow().clone();
    }
    before
}

fn nothing_to_tell() -> Vec<String> {
    let (mut script, sim) = world("deny", 1, "13.3.8");
    file(&mut script, &sim, "closed");
    let post = root(&sim, "closed");
    click(&mut script, "alice", &post, WITH_REASON);
    let asks = sim.mattermost.borrow().dialogs.last().is_some_and(|opened| opened.dialog.notify_on_cancel);
    expect(&sim, "nobody hears that it was closed", asks);
    script.submit_last("alice", "", true);
    script.run_until(sim.now() + 100_000);
    click(&mut script, "alice", &post, WITH_REASON);
    script.submit_last("alice", "", false);
    script.run_until(sim.now() + 100_000);
    file(&mut script, &sim, "decided");
    click(&mut script, "alice", &root(&sim, "decided"), WITH_REASON);
    teleport::decide(&sim, "decided", State::Denied);
    script.run_until(sim.now() + 100_000);
    expect(&sim, &format!("{} words were said", hints(&sim)), hints(&sim) == 0);
    end(&script, &sim)
}

/// What was told of requests in their threads and to the requester, decisions alone.
fn outcomes(sim: &Sim) -> Vec<String> {
    let server = sim.mattermost.borrow();
    let told =
        server.posts.values().filter(|post| post.props.get(NEWS_PROP).is_some_and(|key| key.starts_with("outcome:")));
    told.map(|post| {
        let quotes: Vec<&str> = post.attachments.iter().map(|quote| quote.text.as_str()).collect();
        format!("{}\n{}", post.message, quotes.join("\n"))
    })
    .collect()
}

fn keeps_nothing() -> Vec<String> {
    const MANY: usize = 60;
    let (mut script, sim) = world("deny", 1, "4.3.10");
    for number in 0..MANY {
        // Teleport's word of it may come before the plugin has written down that it was asked.
        let id = format!("request-{number}");
        file(&mut script, &sim, &id);
        click(&mut script, "alice", &root(&sim, &id), WITH_REASON);
        script.submit_last("alice", "not on a Friday", false);
        script.run_until(sim.now() + 10_000);
        let post = format!("{:?}", root(&sim, &id));
        let says = post.contains("Denied by `@alice`") && post.contains("> not on a Friday");
        expect(&sim, &format!("the post says {post}"), says);
    }
    let told = outcomes(&sim);
    expect(&sim, &format!("{} messages tell of {MANY} decisions", told.len()), told.len() == 2 * MANY);
    for text in told {
        let right = text.contains("Denied** by `@alice`") && text.contains("> not on a Friday");
        expect(&sim, &format!("it was told {text:?}"), right);
    }
    let entries: Vec<Entry> =
        sim.mattermost.borrow().kv.iter().flat_map(|(key, (value, _))| audit::stored(key, value)).collect();
    let settled = entries.iter().filter(|entry| entry.result == audit::Result::Settled);
    let whole = settled.filter(|entry| entry.reason == "not on a Friday" && entry.voters.len() == 1).count();
    expect(&sim, &format!("the audit trail has {whole} of {MANY} outcomes with person and reason"), whole == MANY);
    end(&script, &sim)
}

fn nobody_called() -> Vec<String> {
    let (mut script, sim) = world("never", 2, "13.3.8");
    file(&mut script, &sim, "one");
    for user in ["alice", "erin"] {
        let post = root(&sim, "one");
        click(&mut script, user, &post, "Approve");
        script.run_until(sim.now() + 10_000);
    }
    expect(&sim, "two votes do not approve", state(&sim, "one") == Some(State::Approved));
    let server = sim.mattermost.borrow();
    for post in server.posts.values() {
        let text = format!("{post:?}");
        // In code nobody is called.
        let calls =
            |user: &str| text.matches(&format!("@{user}")).count() > text.matches(&format!("`@{user}`")).count();
        expect(&sim, &format!("it calls who decided: {text}"), !calls("alice") && !calls("erin"));
    }
    let named = server.posts.values().any(|post| post.message.contains("by `@alice`, `@erin`"));
    expect(&sim, "nobody is named", named);
    drop(server);
    end(&script, &sim)
}
