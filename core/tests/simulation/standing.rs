//! Worlds in which posts would stop being true: their channel is archived, the request is over, somebody edits or deletes them.

use std::rc::Rc;

use teleport_access_core::mattermost::Post;
use teleport_access_core::messages::{NEWS_PROP, REQUEST_PROP};
use teleport_access_core::proto::panel::Outcome;
use teleport_access_core::teleport::{AccessRequest, State};
use teleport_access_core::time::Time;

use crate::scenes::{HOUR, Scene, buttons, click, end, expect, plain, posts, request, root, roots, state, status};
use crate::script::{Script, Setting, archive};
use crate::sim::{DAWN, Sim};
use crate::teleport;

/// The scenes by their names.
pub const SCENES: &[(&str, Scene)] = &[
    (
        "a post in an archived channel rests, decides nothing, and is renewed when the channel is back",
        archived_and_back,
    ),
    (
        "what is settled while its only channel is archived is finished, and its post says so once that is back",
        settled_at_rest,
    ),
    (
        "where a request stands elsewhere an archived channel is a note, and is posted to when it is back",
        archived_elsewhere,
    ),
    ("a request that Teleport still lists after its expiry has expired, and is not approved", still_listed),
    ("a request that expired is not told as withdrawn, although the clocks are two seconds apart", clocks_apart),
    ("an edited post is written again within seconds, and at the next look where nobody heard of the edit", edited),
    ("what the plugin writes itself is not looked at again", own_writes),
    ("an edit that another node hears of is mended by the one that leads", edited_elsewhere),
    ("a deleted post is let be and named in the status, or posted again where the settings say so", deleted),
    ("a post that was found deleted before a restart is posted again after it", deleted_before),
    ("what an earlier bot left in an archived channel loses its buttons when the channel is back", left_at_rest),
    ("requests are posted on to a channel or team that has another name, and the admins hear of it once", renamed),
    ("what was told as expired stays so on a node whose clock is a little behind", expired_on_both),
];

fn minute_long(sim: &Sim, id: &str) -> AccessRequest {
    AccessRequest { expires: Some(Time(sim.now() + 60_000)), ..request(sim, id, &["dba"]) }
}

/// What the requester was told of a request.
fn told(sim: &Sim, id: &str) -> Vec<String> {
    let server = sim.mattermost.borrow();
    let is_told = |post: &&Post| {
        post.channel_id == "direct-requester"
            && post.props.contains_key(NEWS_PROP)
            && post.props.get(REQUEST_PROP).is_some_and(|of| of == id)
    };
    server.posts.values().filter(is_told).map(|post| post.message.clone()).collect()
}

fn archived_and_back() -> Vec<String> {
    let (mut script, sim) = plain();
    teleport::file_as(&sim, request(&sim, "one", &["dba"]), 10 * HOUR);
    script.run_until(DAWN + 10_000);
    archive(&sim, true);
    let answer = click(&mut script, "alice", &root(&sim, "one"), "Approve");
    expect(&sim, &format!("it was answered {answer:?}"), answer.contains("archived"));
    expect(&sim, "it was approved where its post cannot show it", state(&sim, "one") == Some(State::Pending));
    script.run_until(DAWN + 100_000);
    let (outcome, said) = script.status("Posts");
    expect(
        &sim,
        &format!("the status says {outcome:?} {said}"),
        outcome == Outcome::Failed && said.contains("archived"),
    );
    teleport::review(&sim, "one");
    archive(&sim, false);
    script.run_until(DAWN + 150_000);
    let (outcome, said) = script.status("Posts");
    expect(
        &sim,
        &format!("then the status says {outcome:?} {said}"),
        (outcome, said.as_str()) == (Outcome::Ok, "all up to date"),
    );
    let answer = click(&mut script, "alice", &root(&sim, "one"), "Approve");
    expect(&sim, &format!("then it was answered {answer:?}"), state(&sim, "one") == Some(State::Approved));
    end(&script, &sim)
}

fn settled_at_rest() -> Vec<String> {
    let (mut script, sim) = plain();
    teleport::file_as(&sim, request(&sim, "one", &["dba"]), 10 * HOUR);
    script.run_until(DAWN + 10_000);
    archive(&sim, true);
    teleport::decide(&sim, "one", State::Approved);
    script.run_until(DAWN + 100_000);
    let expires = sim.mattermost.borrow().kv.get("request:tp:one").map(|(_, expires)| *expires);
    expect(&sim, &format!("its record expires {expires:?}"), expires.is_some_and(|expires| expires > 0));
    let (outcome, said) = script.status("Posts");
    expect(
        &sim,
        &format!("the status says {outcome:?} {said}"),
        outcome == Outcome::Ok && said.contains("1 post rests"),
    );
    sim.calls.borrow_mut().clear();
    script.run_until(DAWN + 400_000);
    let tried = sim.calls.borrow().get("update_post").copied().unwrap_or_default();
    expect(&sim, &format!("it was tried {tried} times"), tried == 0);
    // Another process learns from the record that there is something left to do.
    script.crash(0);
    script.start(0);
    script.run_until(DAWN + 460_000);
    archive(&sim, false);
    script.run_until(DAWN + 520_000);
    let post = root(&sim, "one");
    expect(&sim, &format!("the post says {}", status(&post)), status(&post).contains("Approved"));
    expect(&sim, "the post has buttons", buttons(&post).is_empty());
    end(&script, &sim)
}

fn archived_elsewhere() -> Vec<String> {
    let setting =
        Setting { recipients: vec!["ops/one", "@bob"], ask_reason: "never", authority: "approvers", needed: 1 };
    let mut script = Script::with(1, setting);
    let sim = Rc::clone(&script.sim);
    sim.teleport.borrow_mut().version = "13.3.8".to_owned();
    script.start(0);
    script.run_until(DAWN + 2_000);
    teleport::file_as(&sim, request(&sim, "before", &["dba"]), 10 * HOUR);
    script.run_until(DAWN + 10_000);
    archive(&sim, true);
    teleport::file_as(&sim, request(&sim, "after", &["dba"]), 10 * HOUR);
    script.run_until(DAWN + 100_000);
    expect(&sim, "it stands in one place", posts(&sim, "after") == 1);
    let (outcome, said) = script.status("Posts");
    expect(
        &sim,
        &format!("the status says {outcome:?} {said}"),
        outcome == Outcome::Ok && said.contains("2 posts rest"),
    );
    archive(&sim, false);
    script.run_until(DAWN + 150_000);
    expect(&sim, "it does not stand in both", posts(&sim, "after") == 2);
    end(&script, &sim)
}

fn still_listed() -> Vec<String> {
    let (mut script, sim) = plain();
    sim.teleport.borrow_mut().lingers = 10 * HOUR;
    teleport::file_as(&sim, minute_long(&sim, "short"), 60_000);
    script.run_until(sim.now() + 30_000);
    let pending = root(&sim, "short");
    expect(&sim, "it has no buttons before", buttons(&pending) == ["Approve", "Deny"]);
    // Its time has come, and the desk has not looked again.
    script.run_until(DAWN + 62_000);
    let answer = click(&mut script, "alice", &pending, "Approve");
    expect(&sim, &format!("it was answered {answer:?}"), answer.contains("expired"));
    let post = root(&sim, "short");
    expect(&sim, &format!("the post says {}", status(&post)), status(&post).contains("Expired"));
    expect(&sim, "the post has buttons", buttons(&post).is_empty());
    let told = told(&sim, "short");
    expect(&sim, &format!("the requester was told {told:?}"), told.len() == 1 && told[0].contains("expired"));
    expect(&sim, "it was approved", state(&sim, "short") == Some(State::Pending));
    // Another process, and what it finds listed.
    script.crash(0);
    teleport::file_as(&sim, minute_long(&sim, "missed"), 60_000);
    script.run_until(sim.now() + 100_000);
    script.start(0);
    script.run_until(sim.now() + 700_000);
    expect(&sim, "what had expired before anybody saw it was posted", posts(&sim, "missed") == 0);
    expect(&sim, "it does not stay expired", status(&root(&sim, "short")).contains("Expired"));
    sim.violations.borrow().clone()
}

fn clocks_apart() -> Vec<String> {
    let mut all = Vec::new();
    for skew in [-2_000, -40_000, 2_000] {
        let (mut script, sim) = plain();
        script.skew(0, skew);
        teleport::file_as(&sim, minute_long(&sim, "short"), 60_000);
        script.run_until(sim.now() + 200_000);
        let post = root(&sim, "short");
        expect(&sim, &format!("{skew}: the post says {}", status(&post)), status(&post).contains("Expired"));
        let told = told(&sim, "short");
        expect(
            &sim,
            &format!("{skew}: the requester was told {told:?}"),
            told.len() == 1 && told[0].contains("expired"),
        );
        all.extend(end(&script, &sim));
    }
    all
}

fn expired_on_both() -> Vec<String> {
    let (mut script, sim) = plain();
    sim.teleport.borrow_mut().lingers = 10 * HOUR;
    script.skew(0, 30_000);
    teleport::file_as(&sim, minute_long(&sim, "short"), 60_000);
    // For this clock it is over, for Teleport it is not.
    script.run_until(DAWN + 50_000);
    expect(&sim, "it has not expired by the first clock", status(&root(&sim, "short")).contains("Expired"));
    script.crash(0);
    script.skew(0, 0);
    script.start(0);
    script.run_until(DAWN + 58_000);
    expect(&sim, "it lives again", status(&root(&sim, "short")).contains("Expired"));
    script.run_until(DAWN + 100_000);
    expect(&sim, "the requester heard it twice", told(&sim, "short").len() == 1);
    sim.violations.borrow().clone()
}

/// An admin's client sends the props back without the buttons.
fn without_buttons(sim: &Sim, id: &str) -> Post {
    let now = sim.now();
    let mut post = root(sim, id);
    post.attachments.iter_mut().for_each(|attachment| attachment.actions.clear());
    post.update_at = now;
    sim.mattermost.borrow_mut().posts.insert(post.id.clone(), post.clone());
    post
}

fn edited() -> Vec<String> {
    let (mut script, sim) = plain();
    teleport::file_as(&sim, request(&sim, "one", &["dba"]), 10 * HOUR);
    script.run_until(DAWN + 10_000);
    let right = root(&sim, "one");
    for round in 1..=4 {
        let post = without_buttons(&sim, "one");
        script.hear(0, &post);
        script.run_until(sim.now() + 3_000);
        let mended = root(&sim, "one").attachments == right.attachments;
        expect(&sim, &format!("round {round}: mended is {mended}"), mended == (round < 4));
    }
    // Nobody tells of this one.
    script.run_until(sim.now() + 1_200_000);
    expect(&sim, "it is not mended once it may be", root(&sim, "one").attachments == right.attachments);
    without_buttons(&sim, "one");
    script.run_until(sim.now() + 310_000);
    expect(&sim, "the lost edit is not mended", root(&sim, "one").attachments == right.attachments);
    // Nor of this one, as the plugin is not running.
    script.crash(0);
    without_buttons(&sim, "one");
    script.start(0);
    script.run_until(sim.now() + 120_000);
    expect(&sim, "an edit before the start is not mended", root(&sim, "one").attachments == right.attachments);
    end(&script, &sim)
}

fn own_writes() -> Vec<String> {
    let (mut script, sim) = plain();
    teleport::file_as(&sim, request(&sim, "one", &["dba"]), 10 * HOUR);
    script.run_until(DAWN + 10_000);
    teleport::review(&sim, "one");
    script.run_until(DAWN + 12_000);
    let written = root(&sim, "one");
    sim.calls.borrow_mut().clear();
    script.hear(0, &written);
    script.run_until(DAWN + 14_000);
    for call in ["get", "get_post", "update_post"] {
        let times = sim.calls.borrow().get(call).copied().unwrap_or_default();
        expect(&sim, &format!("{call} was called {times} times"), times == 0);
    }
    end(&script, &sim)
}

fn edited_elsewhere() -> Vec<String> {
    let setting = Setting { recipients: vec!["ops/one"], ask_reason: "never", authority: "approvers", needed: 1 };
    let mut script = Script::with(1, setting);
    let sim = Rc::clone(&script.sim);
    script.nodes_are(2);
    script.start(0);
    script.start(1);
    script.run_until(DAWN + 2_000);
    teleport::file_as(&sim, request(&sim, "one", &["dba"]), 10 * HOUR);
    script.run_until(DAWN + 10_000);
    let right = root(&sim, "one");
    // What is as it was written calls for no attention.
    script.hear(1, &right);
    script.run_until(DAWN + 12_000);
    let calls = sim.mattermost.borrow().kv.keys().any(|key| key.starts_with("attention:"));
    expect(&sim, "what was written calls for attention", !calls);
    let post = without_buttons(&sim, "one");
    script.hear(1, &post);
    script.run_until(DAWN + 22_000);
    expect(&sim, "it is not mended", root(&sim, "one").attachments == right.attachments);
    end(&script, &sim)
}

fn delete(script: &mut Script, id: &str) {
    let sim = Rc::clone(&script.sim);
    let mut post = roots(&sim, id).into_iter().find(|post| post.delete_at == 0).unwrap_or_default();
    post.delete_at = sim.now();
    sim.mattermost.borrow_mut().posts.insert(post.id.clone(), post.clone());
    script.deleted_by_hand.insert(post.id.clone());
    script.hear(0, &post);
    script.run_until(sim.now() + 5_000);
}

fn live(sim: &Sim, id: &str) -> usize {
    roots(sim, id).iter().filter(|post| post.delete_at == 0).count()
}

fn deleted() -> Vec<String> {
    let mut all = Vec::new();
    for repost in [false, true] {
        let (mut script, sim) = plain();
        script.crash(0);
        script.repost = repost;
        script.start(0);
        teleport::file_as(&sim, request(&sim, "one", &["dba"]), 10 * HOUR);
        script.run_until(DAWN + 10_000);
        for round in 1..=4 {
            delete(&mut script, "one");
            let stands = live(&sim, "one");
            expect(
                &sim,
                &format!("{repost}, round {round}: {stands} stand"),
                stands == usize::from(repost && round < 4),
            );
            let (outcome, said) = script.status("Posts");
            let is_said = outcome == Outcome::Warning
                && said.contains("Somebody deleted posts of pending access requests: `one`");
            expect(&sim, &format!("{repost}, round {round}: the status says {said}"), is_said == (stands == 0));
            if !repost {
                break;
            }
        }
        all.extend(end(&script, &sim));
    }
    all.retain(|violation| !violation.contains("is pending but has no post"));
    all
}

fn deleted_before() -> Vec<String> {
    let (mut script, sim) = plain();
    teleport::file_as(&sim, request(&sim, "one", &["dba"]), 10 * HOUR);
    script.run_until(DAWN + 10_000);
    delete(&mut script, "one");
    expect(&sim, "it was posted again at once", live(&sim, "one") == 0);
    script.crash(0);
    script.repost = true;
    script.start(0);
    script.run_until(sim.now() + 20_000);
    expect(&sim, "it was not posted again", live(&sim, "one") == 1);
    end(&script, &sim)
}

/// It was made, and nobody lived to write that down.
fn left_at_rest() -> Vec<String> {
    let (mut script, sim) = plain();
    teleport::file_as(&sim, request(&sim, "one", &["dba"]), 10 * HOUR);
    script.run_until(DAWN + 10_000);
    script.crash(0);
    archive(&sim, true);
    {
        let mut server = sim.mattermost.borrow_mut();
        let stored = server.kv.get_mut("request:tp:one").unwrap();
        let mut record: serde_json::Value = serde_json::from_slice(&stored.0).unwrap();
        let posting = &mut record["postings"][0];
        posting["post_id"] = serde_json::Value::Null;
        posting["rests"] = "archived".into();
        stored.0 = record.to_string().into_bytes();
        server.bot = "another-bot";
    }
    script.bot = "another-bot";
    script.start(0);
    script.run_until(sim.now() + 100_000);
    archive(&sim, false);
    script.run_until(sim.now() + 100_000);
    let all = roots(&sim, "one");
    let bare = all.iter().filter(|post| buttons(post).is_empty()).count();
    expect(&sim, &format!("{bare} of {} posts have no buttons", all.len()), all.len() == 2 && bare == 1);
    end(&script, &sim)
}

fn renamed() -> Vec<String> {
    let (mut script, sim) = plain();
    // Names are looked up for the first time, and pinned.
    script.run_until(DAWN + 5_000);
    let notices = |sim: &Sim| -> Vec<String> {
        let server = sim.mattermost.borrow();
        let told = server.posts.values().map(|post| post.message.clone());
        told.filter(|text| text.contains("is called")).collect()
    };
    for (id, name, channel) in [("channel-one", "two", "ops/two"), ("team", "sre", "sre/two")] {
        sim.mattermost.borrow_mut().renamed_channels.insert("one".into(), String::new());
        sim.mattermost.borrow_mut().called.insert(id.into(), name.into());
        script.run_until(sim.now() + 200_000);
        let told = notices(&sim);
        expect(&sim, &format!("the admin was told {told:?}"), told.last().is_some_and(|text| text.contains(channel)));
        let (outcome, said) = script.status("Names");
        let is_said = outcome == Outcome::Warning && said.contains(channel);
        expect(&sim, &format!("the status says {outcome:?} {said}"), is_said);
        teleport::file_as(&sim, request(&sim, name, &["dba"]), 10 * HOUR);
        script.run_until(sim.now() + 10_000);
        expect(&sim, &format!("{name} is not posted"), live(&sim, name) == 1);
        // Another process tells it no second time.
        script.crash(0);
        script.start(0);
    }
    script.run_until(sim.now() + 200_000);
    expect(&sim, &format!("the admin was told {:?}", notices(&sim)), notices(&sim).len() == 2);
    end(&script, &sim)
}
