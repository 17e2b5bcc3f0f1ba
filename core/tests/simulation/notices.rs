//! Messages to system admins about what keeps requests from being seen or decided: their rules, and scenes of their own.

use std::collections::BTreeMap;
use std::rc::Rc;

use teleport_access_core::mattermost::Post;
use teleport_access_core::notices::NOTICE_PROP;

use crate::script::{Script, Setting};
use crate::sim::{DAWN, Faults, Sim};
use crate::teleport;

const HOUR: i64 = 3_600_000;

/// The messages about causes that the admin has, by age.
fn told(sim: &Sim) -> Vec<Post> {
    let server = sim.mattermost.borrow();
    let is_told = |post: &&Post| post.props.contains_key(NOTICE_PROP) && post.delete_at == 0;
    server.posts.values().filter(is_told).cloned().collect()
}

/// No message is there twice, and where all is well nothing stays open: each has its end, unless somebody deleted it.
pub fn at_rest(script: &Script) {
    let posts = told(&script.sim);
    let mut by_mark: BTreeMap<(&str, &str), usize> = BTreeMap::new();
    for post in &posts {
        let mark = post.props.get(NOTICE_PROP).map_or("", String::as_str);
        *by_mark.entry((mark, &post.channel_id)).or_default() += 1;
        if post.channel_id != "direct-requester" {
            script.sim.violation(format!("{} tells {} of {:?}", post.id, post.channel_id, post.message));
        }
        if ["not available", "not been looked up"].iter().any(|passing| post.message.contains(passing)) {
            script.sim.violation(format!("{} tells of what passes by itself: {:?}", post.id, post.message));
        }
        if post.message.starts_with("⚠️ **Attention:**") && post.user_id == script.bot {
            script.sim.violation(format!("{} says what is over: {:?}", post.id, post.message));
        }
    }
    for ((mark, channel), count) in by_mark {
        if count > 1 {
            script.sim.violation(format!("{mark} was told {count} times in {channel}"));
        }
    }
}

fn expect(sim: &Sim, what: String, is: bool) {
    if !is {
        sim.violation(what);
    }
}

fn begin(recipients: Vec<&'static str>) -> (Script, Rc<Sim>) {
    let setting = Setting { recipients, ask_reason: "never", authority: "approvers", needed: 1 };
    let mut script = Script::with(1, setting);
    let sim = Rc::clone(&script.sim);
    sim.teleport.borrow_mut().version = "13.3.8".to_owned();
    script.start(0);
    script.run_until(DAWN + 2_000);
    (script, sim)
}

fn wait(script: &mut Script, seconds: i64) {
    script.run_until(script.sim.now() + seconds * 1_000);
}

/// What the admin reads, for the message of a violation.
fn texts(sim: &Sim) -> Vec<String> {
    told(sim).into_iter().map(|post| post.message).collect()
}

fn end(script: &Script, sim: &Sim) -> Vec<String> {
    crate::invariants::at_rest(script);
    sim.violations.borrow().clone()
}

pub fn burst() -> Vec<String> {
    let (mut script, sim) = begin(vec!["ops/one"]);
    wait(&mut script, 25);
    // The channel is known already when it is archived: what is refused there then is no cause of its own.
    teleport::file(&sim, "request-first".into(), 10 * HOUR);
    wait(&mut script, 2);
    sim.mattermost.borrow_mut().archived = true;
    teleport::file(&sim, "request-000".into(), 10 * HOUR);
    wait(&mut script, 60);
    let first = texts(&sim);
    let right = first.len() == 1 && first[0].contains("archived") && first[0].contains("request-000");
    expect(&sim, format!("within a minute the admin reads {first:?}"), right);
    for number in 1..300 {
        teleport::file(&sim, format!("request-{number:03}"), 10 * HOUR);
        wait(&mut script, 1);
    }
    wait(&mut script, 60);
    let many = texts(&sim);
    let right = many.len() == 1 && many[0].contains("and 291 more") && many[0].matches("`request-").count() == 10;
    expect(&sim, format!("of three hundred the admin reads {many:?}"), right);
    // A restart tells nothing again.
    script.crash(0);
    script.start(0);
    wait(&mut script, 180);
    expect(&sim, format!("after a restart the admin reads {:?}", texts(&sim)), texts(&sim) == many);
    sim.mattermost.borrow_mut().archived = false;
    wait(&mut script, 90);
    let over = texts(&sim);
    let right = over.len() == 2 && over[0].starts_with("✅ Over") && over[1].starts_with("✅ This is over");
    expect(&sim, format!("when it is over the admin reads {over:?}"), right);
    let posted = sim.mattermost.borrow().posts.values().filter(|post| post.channel_id == "channel-one").count();
    expect(&sim, format!("{posted} requests are posted within a minute and a half"), posted == 301);
    wait(&mut script, 600);
    expect(&sim, format!("later the admin reads {:?}", texts(&sim)), texts(&sim) == over);
    end(&script, &sim)
}

pub fn killed() -> Vec<String> {
    let mut violations = Vec::new();
    // Killed at every half second of a round in which it begins, grows and ends, with answers that are lost, too.
    for (moment, faults) in (0..34).flat_map(|number| [(number * 500, 0), (number * 500, 300)]) {
        let (mut script, sim) = begin(vec!["ops/one"]);
        sim.mattermost.borrow_mut().archived = true;
        teleport::file(&sim, "one".into(), 10 * HOUR);
        let kill = |script: &mut Script, moment: i64| {
            sim.faults.set(Faults { answer_lost: faults, late: faults / 2, ..Faults::NONE });
            script.run_until(sim.now() + moment);
            script.crash(0);
            sim.faults.set(Faults::NONE);
            script.start(0);
            wait(script, 150);
        };
        kill(&mut script, moment);
        let begun = texts(&sim);
        expect(&sim, format!("killed after {moment} ms, the admin reads {begun:?}"), begun.len() == 1);
        teleport::file(&sim, "two".into(), 10 * HOUR);
        kill(&mut script, moment);
        let grown = texts(&sim);
        let right = grown.len() == 1 && grown[0].contains("`two`");
        expect(&sim, format!("killed while it grows, after {moment} ms, the admin reads {grown:?}"), right);
        sim.mattermost.borrow_mut().archived = false;
        kill(&mut script, moment);
        wait(&mut script, 400);
        let over = texts(&sim);
        let right = over.len() == 2 && over[1].starts_with("✅ This is over");
        expect(&sim, format!("killed at its end, after {moment} ms, the admin reads {over:?}"), right);
        violations.extend(end(&script, &sim));
    }
    violations
}

pub fn deactivated() -> Vec<String> {
    let (mut script, sim) = begin(vec!["@bob"]);
    wait(&mut script, 20);
    teleport::file(&sim, "for-bob".into(), 10 * HOUR);
    wait(&mut script, 10);
    let there = sim.mattermost.borrow().posts.values().any(|post| post.channel_id == "direct-bob");
    expect(&sim, "it is not posted to bob".into(), there);
    set_active(&sim, false);
    wait(&mut script, 65);
    let first = texts(&sim);
    let right = first.len() == 1 && first[0].contains("deactivated") && first[0].contains("`for-bob`");
    expect(&sim, format!("the admin reads {first:?}"), right);
    let (_, status) = script.status("Posts");
    expect(&sim, format!("the status says {status:?}"), status.contains("for-bob") && status.contains("deactivated"));
    set_active(&sim, true);
    wait(&mut script, 65);
    let over = texts(&sim);
    expect(&sim, format!("when he is back the admin reads {over:?}"), over.len() == 2);
    end(&script, &sim)
}

fn set_active(sim: &Sim, active: bool) {
    let delete_at = if active { 0 } else { sim.now() };
    if let Some(bob) = sim.mattermost.borrow_mut().users.get_mut("bob") {
        bob.delete_at = delete_at;
    }
}

pub fn causes() -> Vec<String> {
    let (mut script, sim) = begin(vec!["ops/one"]);
    wait(&mut script, 20);
    sim.mattermost.borrow_mut().team_archived = true;
    teleport::file(&sim, "team".into(), 10 * HOUR);
    wait(&mut script, 65);
    let first = texts(&sim);
    let right = first.len() == 1 && first[0].contains("team is archived") && first[0].contains("`team`");
    expect(&sim, format!("of the archived team the admin reads {first:?}"), right);
    sim.mattermost.borrow_mut().team_archived = false;
    wait(&mut script, 90);
    sim.mattermost.borrow_mut().refuses_posts = true;
    teleport::file(&sim, "refused".into(), 10 * HOUR);
    wait(&mut script, 65);
    let second = texts(&sim);
    let right = second.len() == 3 && second[2].contains("may not post there") && !second[2].contains("`team`");
    expect(&sim, format!("of the refused post the admin reads {second:?}"), right);
    // Mattermost that does not answer is no cause.
    sim.mattermost.borrow_mut().refuses_posts = false;
    wait(&mut script, 400);
    let third = texts(&sim);
    expect(&sim, format!("when it is over the admin reads {third:?}"), third.len() == 4);
    sim.faults.set(Faults { refused: 1_000, ..Faults::NONE });
    wait(&mut script, 120);
    sim.faults.set(Faults::NONE);
    wait(&mut script, 400);
    expect(&sim, format!("after an outage the admin reads {:?}", texts(&sim)), texts(&sim) == third);
    end(&script, &sim)
}

pub fn deciders() -> Vec<String> {
    let (mut script, sim) = begin(vec!["ops/one"]);
    script.approvers = "* = erin";
    script.crash(0);
    script.start(0);
    wait(&mut script, 200);
    expect(&sim, format!("while erin is active the admin reads {:?}", texts(&sim)), texts(&sim).is_empty());
    let deactivate = |delete_at: i64| {
        sim.mattermost.borrow_mut().users.entry("erin".into()).and_modify(|erin| erin.delete_at = delete_at);
    };
    deactivate(1);
    wait(&mut script, 150);
    let first = texts(&sim);
    let right = first.len() == 1
        && first[0].contains("nobody can decide requests for `*`")
        && first[0].contains("`@erin` is deactivated");
    expect(&sim, format!("when erin is gone the admin reads {first:?}"), right);
    let (_, status) = script.status("Deciders");
    expect(&sim, format!("the status says {status:?}"), status.contains("Nobody can decide requests for `*`"));
    script.crash(0);
    script.start(0);
    wait(&mut script, 300);
    expect(&sim, format!("after a restart the admin reads {:?}", texts(&sim)), texts(&sim) == first);
    deactivate(0);
    wait(&mut script, 150);
    let over = texts(&sim);
    expect(&sim, format!("when erin is back the admin reads {over:?}"), over.len() == 2);
    end(&script, &sim)
}
