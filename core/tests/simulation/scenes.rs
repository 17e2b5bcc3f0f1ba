//! Worlds that are not made up by chance: each shows one thing that must work.

use std::rc::Rc;

use teleport_access_core::messages::REQUEST_PROP;

use crate::script::Script;
use crate::sim::{DAWN, Sim};
use crate::{invariants, teleport};

/// Plays a scene and tells what went wrong.
type Scene = fn() -> Vec<String>;

/// The scenes by their names.
pub const SCENES: &[(&str, Scene)] = &[
    ("a request filed while the plugin was down is posted", filed_while_down),
    ("a failed post is made later", failed_post),
    ("an expiry is shown although Teleport never says so", silent_expiry),
    ("the admins hear once of each stage of expiring credentials", expiring_credentials),
    ("ten thousand known requests are reconciled without touching a post", ten_thousand),
];

const HOUR: i64 = 3_600_000;

fn begin() -> (Script, Rc<Sim>) {
    let mut script = Script::new(1, false);
    let sim = Rc::clone(&script.sim);
    script.start(0);
    script.run_until(DAWN + 2_000);
    (script, sim)
}

fn posts(sim: &Sim, id: &str) -> usize {
    let server = sim.mattermost.borrow();
    server.posts.values().filter(|post| post.props.get(REQUEST_PROP).is_some_and(|of| of == id)).count()
}

fn end(script: &Script, sim: &Sim) -> Vec<String> {
    invariants::at_rest(script);
    sim.violations.borrow().clone()
}

fn filed_while_down() -> Vec<String> {
    let (mut script, sim) = begin();
    script.crash(0);
    teleport::file(&sim, "missed".into(), 10 * HOUR);
    script.run_until(DAWN + 60_000);
    script.start(0);
    script.run_until(DAWN + 65_000);
    if posts(&sim, "missed") != script.channels().len() {
        sim.violation("not posted within five seconds of the start".into());
    }
    end(&script, &sim)
}

fn failed_post() -> Vec<String> {
    let (mut script, sim) = begin();
    sim.mattermost.borrow_mut().archived = true;
    teleport::file(&sim, "unlucky".into(), 10 * HOUR);
    script.run_until(DAWN + 60_000);
    if sim.mattermost.borrow().posts.values().any(|post| !post.channel_id.starts_with("direct-")) {
        sim.violation("posted to an archived channel".into());
    }
    sim.mattermost.borrow_mut().archived = false;
    script.run_until(DAWN + 400_000);
    if posts(&sim, "unlucky") != script.channels().len() {
        sim.violation("never posted".into());
    }
    end(&script, &sim)
}

fn silent_expiry() -> Vec<String> {
    let (mut script, sim) = begin();
    teleport::file(&sim, "short".into(), 60_000);
    script.run_until(DAWN + 10_000);
    for watcher in &mut sim.teleport.borrow_mut().watchers {
        watcher.stalled = true;
    }
    script.run_until(DAWN + 120_000);
    let server = sim.mattermost.borrow();
    if !server.posts.values().all(|post| post.message.contains("expired")) {
        sim.violation("the posts do not say that the request has expired".into());
    }
    drop(server);
    end(&script, &sim)
}

fn expiring_credentials() -> Vec<String> {
    const DAY: i64 = 24 * HOUR;
    let mut script = Script::new(1, false);
    let sim = Rc::clone(&script.sim);
    sim.credentials_end.set(DAWN + 8 * DAY);
    script.start(0);
    for day in 0..10 {
        // Restarts must not repeat what was told.
        script.crash(0);
        script.start(0);
        script.run_until(DAWN + day * DAY + 60_000);
    }
    let told: Vec<String> = {
        let server = sim.mattermost.borrow();
        server
            .posts
            .values()
            .filter(|post| post.channel_id == "direct-requester")
            .map(|post| post.message.clone())
            .collect()
    };
    let stages = ["expire in 8 days", "expire in 6 days", "expire in 23 hours", "expired on"];
    if told.len() != stages.len() || !told.iter().zip(stages).all(|(text, stage)| text.contains(stage)) {
        sim.violation(format!("the admin was told {told:#?}"));
    }
    sim.violations.borrow().clone()
}

fn ten_thousand() -> Vec<String> {
    const MANY: usize = 10_000;
    let (mut script, sim) = begin();
    for number in 0..MANY {
        teleport::file(&sim, format!("request-{number:05}"), 10 * HOUR);
    }
    script.run_until(DAWN + 300_000);
    let made = sim.mattermost.borrow().posts.len();
    if made != MANY * script.channels().len() {
        sim.violation(format!("{made} posts for {MANY} requests"));
    }
    script.crash(0);
    sim.calls.borrow_mut().clear();
    script.start(0);
    script.run_until(DAWN + 600_000);
    for call in ["create_post", "update_post", "delete_post", "kv_swap"] {
        if let Some(times) = sim.calls.borrow().get(call) {
            sim.violation(format!("{call} was called {times} times"));
        }
    }
    end(&script, &sim)
}
