//! Worlds that are not made up by chance: each shows one thing that must work.

use std::rc::Rc;

use teleport_access_core::mattermost::{Post, Session};
use teleport_access_core::messages::{NEWS_PROP, REQUEST_PROP};
use teleport_access_core::requests::digest;
use teleport_access_core::teleport::{AccessRequest, State};
use teleport_access_core::time::Time;

use crate::script::{Kept, Script, Setting, archive};
use crate::sim::{DAWN, Sim};
use crate::{invariants, notices, teleport};

/// Plays a scene and tells what went wrong.
pub type Scene = fn() -> Vec<String>;

/// The scenes by their names.
pub const SCENES: &[(&str, Scene)] = &[
    ("a request filed while the plugin was down is posted", filed_while_down),
    ("a failed post is made later", failed_post),
    ("an expiry is shown although Teleport never says so", silent_expiry),
    ("the admins hear once of each stage of expiring credentials", expiring_credentials),
    ("ten thousand known requests are reconciled without touching a post", ten_thousand),
    ("no start and no round lists the store", never_listed),
    ("records that an earlier version wrote are found without the index", records_without_index),
    ("a button in somebody's own post decides nothing, even while the bot's post cannot be made", forged_post),
    ("a request that took the place of another under its id is not approved by a click on the old post", replaced),
    ("a request that takes the place of another between the look and the call is denied at once", replaced_in_between),
    ("an edited post decides nothing and is written again, at most three times in ten minutes", edited_post),
    ("where another plugin changes posts there is no approve button, and when it is gone there is", rewriting_plugin),
    ("what does not fit into the post must be in the thread to be approved", thread_parts),
    ("a part of a request that another plugin changed in the thread is not taken for shown", rewritten_part),
    ("while a part of a request cannot be written into the thread it cannot be approved", part_not_written),
    ("a new bot posts every open request anew, and takes the buttons from the old posts", new_bot),
    ("what was decided while another bot took over loses its buttons, and is finished", decided_under_another_bot),
    ("a copy that an earlier bot left beside its post loses its buttons as well", copy_of_another_bot),
    ("without chance nothing is decided", no_chance),
    ("a personal access token and an OAuth app decide nothing", foreign_sessions),
    ("settings that have nothing to do with the connection touch neither it nor the watch", unconcerned_settings),
    ("renewed credentials take over while the watch and the clicks go on", renewed_credentials),
    ("renewed credentials that Teleport refuses change nothing", refused_renewal),
    ("a decision ends at the address where it began, whatever is saved meanwhile", address_changed),
    ("credentials that do not work, once they are saved, are not covered up by the ones before", wrong_credentials),
    ("a right to see requests that was lost is told as that, and no request as withdrawn", blinded),
    (
        "a role that may not list is not watched with at a server that does not tell rights",
        crate::old_servers::unlisted,
    ),
    (
        "three hundred requests for an archived channel are one message to each admin, and a line when it is over",
        notices::burst,
    ),
    ("a message about a cause is never made twice, whenever the plugin is killed", notices::killed),
    ("a recipient who was deactivated after the first post does not count as reached", notices::deactivated),
    ("an archived team and posts that are refused are causes of their own, and an outage is none", notices::causes),
    ("admins are told once that nobody can decide", notices::deciders),
];

pub const HOUR: i64 = 3_600_000;

fn begin() -> (Script, Rc<Sim>) {
    let mut script = Script::new(1, false);
    let sim = Rc::clone(&script.sim);
    script.start(0);
    script.run_until(DAWN + 2_000);
    (script, sim)
}

pub fn posts(sim: &Sim, id: &str) -> usize {
    let server = sim.mattermost.borrow();
    server.posts.values().filter(|post| post.props.get(REQUEST_PROP).is_some_and(|of| of == id)).count()
}

pub fn end(script: &Script, sim: &Sim) -> Vec<String> {
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
    archive(&sim, true);
    teleport::file(&sim, "unlucky".into(), 10 * HOUR);
    script.run_until(DAWN + 60_000);
    if sim.mattermost.borrow().posts.values().any(|post| !post.channel_id.starts_with("direct-")) {
        sim.violation("posted to an archived channel".into());
    }
    archive(&sim, false);
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
    let mut of_request = server.posts.values().filter(|post| post.props.contains_key(REQUEST_PROP));
    if !of_request.all(|post| post.message.contains("expired")) {
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
    // They also get the list of names that nobody was seen saving: once, whatever restarts.
    let (lists, told): (Vec<String>, Vec<String>) =
        told.into_iter().partition(|text| text.contains("has not seen being saved"));
    if lists.len() != 1 {
        sim.violation(format!("the admin got these lists of names: {lists:#?}"));
    }
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
    let of_request = |post: &&Post| post.props.contains_key(REQUEST_PROP);
    let made = sim.mattermost.borrow().posts.values().filter(of_request).count();
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

/// A node that has worked for long enough to have found what earlier versions wrote, starts again and works on.
fn never_listed() -> Vec<String> {
    let (mut script, sim) = begin();
    teleport::file(&sim, "open".into(), 10 * HOUR);
    teleport::file(&sim, "gone".into(), 10 * HOUR);
    script.run_until(DAWN + HOUR);
    script.crash(0);
    teleport::remove(&sim, "gone");
    sim.calls.borrow_mut().clear();
    script.start(0);
    script.run_until(DAWN + HOUR + 1_500_000);
    if sim.calls.borrow().contains_key("kv_list") {
        sim.violation("the store's keys are listed".into());
    }
    let kept = |id: &str| {
        let server = sim.mattermost.borrow();
        let pages = server.kv.iter().filter(|(key, _)| key.starts_with("open:tp:"));
        pages.map(|(_, (value, _))| String::from_utf8_lossy(value).into_owned()).any(|page| page.contains(id))
    };
    if !kept("open") || kept("gone") {
        sim.violation("the index names what is finished, or does not name what is open".into());
    }
    end(&script, &sim)
}

/// What is gone from Teleport while an earlier version is replaced by this one has its buttons taken away.
fn records_without_index() -> Vec<String> {
    let (mut script, sim) = begin();
    teleport::file(&sim, "gone".into(), 10 * HOUR);
    script.run_until(DAWN + 60_000);
    script.crash(0);
    teleport::remove(&sim, "gone");
    sim.mattermost.borrow_mut().kv.retain(|key, _| !key.starts_with("open"));
    script.start(0);
    script.run_until(DAWN + 200_000);
    end(&script, &sim)
}

/// A world whose approvals need no dialog, in one channel.
pub fn plain() -> (Script, Rc<Sim>) {
    let setting = Setting { recipients: vec!["ops/one"], ask_reason: "never", authority: "approvers", needed: 1 };
    let mut script = Script::with(1, setting);
    let sim = Rc::clone(&script.sim);
    sim.teleport.borrow_mut().version = "13.3.8".to_owned();
    script.start(0);
    script.run_until(DAWN + 2_000);
    (script, sim)
}

pub fn request(sim: &Sim, id: &str, roles: &[&str]) -> AccessRequest {
    AccessRequest {
        id: id.into(),
        user: "requester".into(),
        roles: roles.iter().map(|role| (*role).to_owned()).collect(),
        created: Some(Time(sim.now())),
        expires: Some(Time(sim.now() + 10 * HOUR)),
        ..Default::default()
    }
}

/// The root posts of a request, by age.
pub fn roots(sim: &Sim, id: &str) -> Vec<Post> {
    let server = sim.mattermost.borrow();
    let is_root =
        |post: &&Post| post.props.get(REQUEST_PROP).is_some_and(|of| of == id) && !post.props.contains_key(NEWS_PROP);
    server.posts.values().filter(is_root).cloned().collect()
}

pub fn root(sim: &Sim, id: &str) -> Post {
    roots(sim, id).into_iter().next().unwrap_or_default()
}

pub fn buttons(post: &Post) -> Vec<String> {
    post.attachments.iter().flat_map(|attachment| &attachment.actions).map(|action| action.name.clone()).collect()
}

pub fn status(post: &Post) -> String {
    let mut fields = post.attachments.iter().flat_map(|attachment| &attachment.fields);
    fields.find(|field| field.title == "Status").map(|field| field.value.clone()).unwrap_or_default()
}

pub fn state(sim: &Sim, id: &str) -> Option<State> {
    sim.teleport.borrow().requests.get(id).map(|request| request.state)
}

/// Somebody clicks a button of a post, and reads the answer.
pub fn click(script: &mut Script, user: &str, post: &Post, button: &str) -> String {
    let until = script.sim.now() + 30_000;
    script.click_on(user, post, button);
    script.run_until(until);
    script.answers.borrow().last().cloned().unwrap_or_default()
}

pub fn expect(sim: &Sim, what: &str, is: bool) {
    if !is {
        sim.violation(what.to_owned());
    }
}

fn forged_post() -> Vec<String> {
    let (mut script, sim) = plain();
    archive(&sim, true);
    let filed = request(&sim, "prod", &["dba"]);
    let digest = digest::of_request("tp", &filed);
    teleport::file_as(&sim, filed, 10 * HOUR);
    script.run_until(DAWN + 10_000);
    // Whoever made the post, it names the request, and its button is the plugin's.
    for author in ["mallory", ""] {
        let lunch = script.forge(author, "prod", &digest);
        let answer = click(&mut script, "alice", &lunch, "Approve");
        expect(
            &sim,
            &format!("the forged post of {author:?} was answered {answer:?}"),
            answer.contains("does not belong"),
        );
    }
    expect(&sim, "a forged post approved", state(&sim, "prod") == Some(State::Pending));
    sim.violations.borrow().clone()
}

fn replaced() -> Vec<String> {
    let (mut script, sim) = plain();
    teleport::file_as(&sim, request(&sim, "same", &["prod-read"]), 10 * HOUR);
    script.run_until(DAWN + 10_000);
    let seen = root(&sim, "same");
    // Nobody has heard of it yet.
    let other = request(&sim, "same", &["dba"]);
    sim.teleport.borrow_mut().requests.insert("same".into(), other);
    let answer = click(&mut script, "alice", &seen, "Approve");
    expect(&sim, &format!("it was answered {answer:?}"), answer.contains("no longer what this post showed"));
    expect(&sim, "a replaced request was approved", state(&sim, "same") == Some(State::Pending));
    let now = root(&sim, "same");
    expect(&sim, "the post does not show the new request", now.message.contains("dba"));
    let answer = click(&mut script, "alice", &now, "Approve");
    let approved = state(&sim, "same") == Some(State::Approved);
    expect(&sim, &format!("the renewed post was answered {answer:?}"), approved);
    end(&script, &sim)
}

fn replaced_in_between() -> Vec<String> {
    let (mut script, sim) = plain();
    teleport::file_as(&sim, request(&sim, "same", &["dba"]), 10 * HOUR);
    script.run_until(DAWN + 10_000);
    let seen = root(&sim, "same");
    // The same roles, for somebody else: nothing in the call tells them apart.
    let other = AccessRequest { user: "mallory".into(), ..request(&sim, "same", &["dba"]) };
    *sim.before_decision.borrow_mut() = Some(other);
    let answer = click(&mut script, "alice", &seen, "Approve");
    expect(&sim, &format!("it was answered {answer:?}"), answer.contains("denied at once"));
    expect(&sim, "what nobody decided stays granted", state(&sim, "same") == Some(State::Denied));
    let told = sim.mattermost.borrow().posts.values().any(|post| post.message.contains("replaced by another one"));
    expect(&sim, "the admins were not told", told);
    Vec::from_iter(
        sim.violations
            .borrow()
            .iter()
            .filter(|text| !text.contains("decided twice") && !text.contains("by: \"mattermost\""))
            .cloned(),
    )
}

fn edited_post() -> Vec<String> {
    let (mut script, sim) = plain();
    teleport::file_as(&sim, request(&sim, "edited", &["dba"]), 10 * HOUR);
    script.run_until(DAWN + 10_000);
    let right = root(&sim, "edited");
    for round in 1..=4 {
        if let Some(post) = sim.mattermost.borrow_mut().posts.get_mut(&right.id) {
            post.message = "`requester` requests `lunch`".into();
            let actions = post.attachments.iter_mut().flat_map(|attachment| &mut attachment.actions);
            actions.for_each(|action| drop(action.context.insert("verdict".into(), "approve".into())));
        }
        let edited = root(&sim, "edited");
        let answer = click(&mut script, "alice", &edited, "Deny");
        expect(&sim, &format!("round {round} was answered {answer:?}"), answer.contains("has changed this post"));
        let now = root(&sim, "edited");
        let restored = now.message == right.message && now.attachments == right.attachments;
        expect(&sim, &format!("round {round}: restored is {restored}"), restored == (round < 4));
    }
    expect(&sim, "an edited post decided", state(&sim, "edited") == Some(State::Pending));
    let is_told = |post: &&Post| post.message.contains("keeps changing the post");
    let told = sim.mattermost.borrow().posts.values().filter(is_told).count();
    expect(&sim, &format!("the admin was told {told} times"), told == 1);
    script.run_until(sim.now() + 1_200_000);
    expect(&sim, "it is not repaired after a while", root(&sim, "edited").message == right.message);
    end(&script, &sim)
}

fn rewriting_plugin() -> Vec<String> {
    let (mut script, sim) = plain();
    sim.mattermost.borrow_mut().rewrites = Some(("dba", "read-only"));
    teleport::file_as(&sim, request(&sim, "masked", &["dba"]), 10 * HOUR);
    script.run_until(DAWN + 10_000);
    let masked = root(&sim, "masked");
    expect(&sim, &format!("it offers {:?}", buttons(&masked)), buttons(&masked) == ["Deny"]);
    sim.mattermost.borrow_mut().rewrites = None;
    script.run_until(DAWN + 700_000);
    let right = root(&sim, "masked");
    expect(&sim, &format!("later it offers {:?}", buttons(&right)), buttons(&right) == ["Approve", "Deny"]);
    expect(&sim, "it does not say the role", right.message.contains("dba"));
    end(&script, &sim)
}

fn thread_parts() -> Vec<String> {
    let (mut script, sim) = plain();
    let names: Vec<String> = (0..60).map(|number| format!("role-{number}")).collect();
    let names: Vec<&str> = names.iter().map(String::as_str).collect();
    teleport::file_as(&sim, request(&sim, "large", &names), 10 * HOUR);
    script.run_until(DAWN + 10_000);
    let large = root(&sim, "large");
    expect(&sim, &format!("it offers {:?}", buttons(&large)), buttons(&large) == ["Approve", "Deny"]);
    let part = |sim: &Sim| {
        let server = sim.mattermost.borrow();
        let names_it = |post: &Post| post.attachments.iter().any(|quote| quote.text.contains("`role-59`"));
        let is_part = |post: &&Post| post.root_id == large.id && post.delete_at == 0 && names_it(post);
        server.posts.values().find(is_part).map(|post| post.id.clone())
    };
    let Some(first) = part(&sim) else { return vec!["the thread does not name every role".to_owned()] };
    // A team admin deletes it.
    let now = sim.now();
    if let Some(post) = sim.mattermost.borrow_mut().posts.get_mut(&first) {
        post.delete_at = now;
    }
    let answer = click(&mut script, "alice", &large, "Approve");
    expect(&sim, &format!("it was answered {answer:?}"), answer.contains("missing there or was changed"));
    expect(&sim, "it is not written again", part(&sim).is_some_and(|id| id != first));
    let large = root(&sim, "large");
    click(&mut script, "alice", &large, "Approve");
    expect(&sim, "it was approved without asking", state(&sim, "large") == Some(State::Pending));
    let asked = sim.mattermost.borrow().dialogs.last().map(|opened| opened.dialog.introduction_text.clone());
    expect(&sim, "nobody was asked", asked.is_some_and(|text| text.contains("60 roles")));
    end(&script, &sim)
}

fn new_bot() -> Vec<String> {
    let (mut script, sim) = plain();
    teleport::file_as(&sim, request(&sim, "open", &["dba"]), 10 * HOUR);
    script.run_until(DAWN + 10_000);
    let old = root(&sim, "open");
    sim.mattermost.borrow_mut().bot = "another-bot";
    script.crash(0);
    script.bot = "another-bot";
    script.start(0);
    script.run_until(DAWN + 100_000);
    let all = roots(&sim, "open");
    let by = |bot: &str| all.iter().filter(|post| post.user_id == bot).cloned().collect::<Vec<_>>();
    expect(&sim, &format!("{} posts of the new bot", by("another-bot").len()), by("another-bot").len() == 1);
    expect(&sim, "the old post has buttons", by("bot").iter().all(|post| buttons(post).is_empty()));
    let answer = click(&mut script, "alice", &old, "Approve");
    let pending = state(&sim, "open") == Some(State::Pending);
    expect(&sim, &format!("the old post was answered {answer:?}"), pending);
    let new = by("another-bot").into_iter().next().unwrap_or_default();
    click(&mut script, "alice", &new, "Approve");
    expect(&sim, "the new post does not decide", state(&sim, "open") == Some(State::Approved));
    sim.violations.borrow().clone()
}

fn copy_of_another_bot() -> Vec<String> {
    let (mut script, sim) = plain();
    teleport::file_as(&sim, request(&sim, "open", &["dba"]), 10 * HOUR);
    script.run_until(DAWN + 10_000);
    script.crash(0);
    let copy = root(&sim, "open");
    sim.mattermost.borrow_mut().create(sim.now(), copy);
    sim.mattermost.borrow_mut().bot = "another-bot";
    script.bot = "another-bot";
    script.start(0);
    script.run_until(DAWN + 100_000);
    let old = roots(&sim, "open").into_iter().filter(|post| post.user_id == "bot").collect::<Vec<_>>();
    expect(&sim, &format!("{} old posts", old.len()), old.len() == 2);
    expect(&sim, "an old post has buttons", old.iter().all(|post| buttons(post).is_empty()));
    end(&script, &sim)
}

fn decided_under_another_bot() -> Vec<String> {
    let (mut script, sim) = plain();
    teleport::file_as(&sim, request(&sim, "left", &["dba"]), 10 * HOUR);
    script.run_until(DAWN + 10_000);
    script.crash(0);
    teleport::decide(&sim, "left", State::Approved);
    sim.mattermost.borrow_mut().bot = "another-bot";
    script.bot = "another-bot";
    script.start(0);
    script.run_until(DAWN + 200_000);
    let post = root(&sim, "left");
    expect(&sim, "the old post has buttons", buttons(&post).is_empty());
    expect(&sim, "the old post does not say what was decided", status(&post).contains("Approved"));
    let posts = roots(&sim, "left").len();
    expect(&sim, &format!("there are {posts} posts"), posts == 1);
    end(&script, &sim)
}

fn no_chance() -> Vec<String> {
    let (mut script, sim) = plain();
    teleport::file_as(&sim, request(&sim, "one", &["dba"]), 10 * HOUR);
    script.run_until(DAWN + 10_000);
    sim.no_chance.set(true);
    let answer = click(&mut script, "alice", &root(&sim, "one"), "Approve");
    expect(&sim, &format!("it was answered {answer:?}"), answer.contains("no random numbers"));
    expect(&sim, "it was decided without chance", state(&sim, "one") == Some(State::Pending));
    end(&script, &sim)
}

fn foreign_sessions() -> Vec<String> {
    let (mut script, sim) = plain();
    teleport::file_as(&sim, request(&sim, "one", &["dba"]), 10 * HOUR);
    script.run_until(DAWN + 10_000);
    let login = Session { id: "session-alice".into(), user_id: "alice".into(), ..Default::default() };
    for session in [
        Session { is_oauth: true, ..login.clone() },
        Session { r#type: "UserAccessToken".into(), ..login.clone() },
        Session { user_id: "bob".into(), ..login.clone() },
    ] {
        sim.mattermost.borrow_mut().sessions.insert("session-alice".into(), session.clone());
        let answer = click(&mut script, "alice", &root(&sim, "one"), "Approve");
        expect(&sim, &format!("{session:?} was answered {answer:?}"), answer.starts_with("Nothing was changed"));
    }
    expect(&sim, "something else than a login decided", state(&sim, "one") == Some(State::Pending));
    end(&script, &sim)
}

/// A request whose roles do not all fit into its post.
fn large(sim: &Sim) -> AccessRequest {
    let names: Vec<String> = (0..60).map(|number| format!("role-{number}x")).collect();
    let names: Vec<&str> = names.iter().map(String::as_str).collect();
    request(sim, "large", &names)
}

fn rewritten_part() -> Vec<String> {
    let (mut script, sim) = plain();
    // The post itself lists fewer roles than that.
    sim.mattermost.borrow_mut().rewrites = Some(("role-59x", "read-only"));
    teleport::file_as(&sim, large(&sim), 10 * HOUR);
    script.run_until(DAWN + 1_000_000);
    let masked = root(&sim, "large");
    expect(&sim, &format!("it offers {:?}", buttons(&masked)), buttons(&masked) == ["Deny"]);
    sim.mattermost.borrow_mut().rewrites = None;
    script.run_until(DAWN + 2_000_000);
    let right = root(&sim, "large");
    expect(&sim, &format!("later it offers {:?}", buttons(&right)), buttons(&right) == ["Approve", "Deny"]);
    let told = sim
        .mattermost
        .borrow()
        .posts
        .values()
        .any(|post| post.delete_at == 0 && format!("{post:?}").contains("role-59x"));
    expect(&sim, "the thread does not name the role", told);
    end(&script, &sim)
}

fn part_not_written() -> Vec<String> {
    let (mut script, sim) = plain();
    teleport::file_as(&sim, large(&sim), 10 * HOUR);
    script.run_until(DAWN + 10_000);
    let shown = root(&sim, "large");
    expect(&sim, &format!("it offers {:?}", buttons(&shown)), buttons(&shown) == ["Approve", "Deny"]);
    let now = sim.now();
    for post in sim.mattermost.borrow_mut().posts.values_mut().filter(|post| post.root_id == shown.id) {
        post.delete_at = now;
    }
    archive(&sim, true);
    for _ in 0..3 {
        let answer = click(&mut script, "alice", &shown, "Approve");
        expect(&sim, &format!("it was answered {answer:?}"), answer.contains("missing there or was changed"));
    }
    expect(&sim, "nobody was shown all of it, and it was approved", state(&sim, "large") == Some(State::Pending));
    let asked = sim.mattermost.borrow().dialogs.len();
    expect(&sim, &format!("{asked} dialogs were opened"), asked == 0);
    archive(&sim, false);
    script.run_until(sim.now() + 700_000);
    end(&script, &sim)
}

fn reached(sim: &Sim) -> [usize; 3] {
    ["set_endpoint", "ping", "watch"].map(|what| sim.called(what))
}

/// Watches that somebody still listens to.
fn watches(sim: &Sim) -> usize {
    sim.teleport.borrow().watchers.iter().filter(|watcher| !watcher.events.is_closed()).count()
}

/// A node on which one approval is enough, with credentials in a file or pasted.
fn begin_with(credentials: Kept) -> (Script, Rc<Sim>) {
    let recipients = vec!["ops/one"];
    let setting = Setting { recipients, ask_reason: "never", authority: "approvers", needed: 1 };
    let mut script = Script::with(1, setting);
    script.credentials = credentials;
    let sim = Rc::clone(&script.sim);
    script.start(0);
    script.run_until(DAWN + 2_000);
    (script, sim)
}

/// Files a request that one person may approve.
fn file_simple(sim: &Rc<Sim>, id: &str) {
    let now = sim.now();
    let request = AccessRequest {
        id: id.into(),
        user: "requester".into(),
        roles: vec!["dba".into()],
        created: Some(Time(now)),
        expires: Some(Time(now + HOUR)),
        ..Default::default()
    };
    teleport::file_as(sim, request, HOUR);
}

/// Alice approves a request in its post.
fn approve(script: &mut Script, sim: &Sim, id: &str) {
    let post = {
        let server = sim.mattermost.borrow();
        let of_request = |post: &&Post| {
            post.props.get(REQUEST_PROP).is_some_and(|of| of == id) && !post.props.contains_key(NEWS_PROP)
        };
        server.posts.values().find(of_request).cloned()
    };
    match post {
        Some(post) => script.click_on("alice", &post, "Approve"),
        None => sim.violation(format!("{id} has no post")),
    }
}

/// So many clicks were answered, each with an approval.
fn all_approved(script: &Script, sim: &Sim, count: usize) {
    let answers = script.answers.borrow();
    if answers.len() != count || !answers.iter().all(|answer| answer.starts_with("You approved")) {
        sim.violation(format!("{count} clicks were answered with {answers:#?}"));
    }
}

fn unconcerned_settings() -> Vec<String> {
    let (mut script, sim) = begin_with(Kept::Pasted);
    file_simple(&sim, "early");
    script.run_until(DAWN + 4_000);
    let before = reached(&sim);
    let mut at = DAWN + 4_000;
    let mut step = |script: &mut Script, what: &str| {
        script.save();
        at += 3_000;
        script.run_until(at);
        if reached(&sim) != before || watches(&sim) != 1 {
            sim.violation(format!("{what}: {before:?} became {:?}, {} watches", reached(&sim), watches(&sim)));
        }
    };
    script.reminders = "1m, 2m";
    step(&mut script, "reminders");
    script.log_level = "debug";
    step(&mut script, "the log level");
    script.credentials = Kept::Sealed;
    step(&mut script, "the save that seals");
    script.credentials = Kept::InFile;
    step(&mut script, "the same credentials from a file");
    script.recipients = vec!["ops/one", "@bob"];
    step(&mut script, "recipients");
    if posts(&sim, "early") != 2 {
        sim.violation("the request is not posted to the new recipient".into());
    }
    file_simple(&sim, "late");
    script.run_until(DAWN + 21_000);
    approve(&mut script, &sim, "late");
    script.save();
    // The other node takes over for a moment: clicks need no new way.
    script.hears_lead(0, false);
    script.run_until(DAWN + 23_000);
    approve(&mut script, &sim, "early");
    script.hears_lead(0, true);
    script.run_until(DAWN + 30_000);
    all_approved(&script, &sim, 2);
    if reached(&sim)[..2] != before[..2] || watches(&sim) != 1 {
        sim.violation(format!("leadership: {before:?} became {:?}", reached(&sim)));
    }
    end(&script, &sim)
}

fn renewed_credentials() -> Vec<String> {
    let (mut script, sim) = begin_with(Kept::InFile);
    let ids: Vec<String> = (0..20).map(|number| format!("request-{number}")).collect();
    ids.iter().for_each(|id| file_simple(&sim, id));
    script.run_until(DAWN + 20_000);
    let before = reached(&sim);
    sim.renewed.set(1);
    sim.delays.borrow_mut().insert("decide", 1_500);
    // They are looked at twice a minute.
    for (number, id) in ids.iter().enumerate() {
        approve(&mut script, &sim, id);
        for part in 0..100 {
            script.run_until(DAWN + 20_000 + number as i64 * 1_000 + part * 10);
            if watches(&sim) == 0 {
                sim.violation(format!("nothing is watched at {} ms", sim.now() - DAWN));
                return end(&script, &sim);
            }
        }
    }
    script.run_until(DAWN + 50_000);
    all_approved(&script, &sim, ids.len());
    let keys: Vec<String> = sim.endpoints.borrow().values().map(|reached| reached.key.clone()).collect();
    if keys.len() != 1 || !keys.iter().all(|key| key.contains("\n1\n")) || watches(&sim) != 1 {
        sim.violation(format!("the new credentials are not used: {keys:?}, {} watches", watches(&sim)));
    }
    // Once for the trial, once for good.
    if reached(&sim) != [before[0] + 2, before[1] + 1, before[2] + 1] {
        sim.violation(format!("{before:?} became {:?}", reached(&sim)));
    }
    file_simple(&sim, "afterwards");
    script.run_until(DAWN + 200_000);
    if posts(&sim, "afterwards") != 1 {
        sim.violation("nothing is posted after the move".into());
    }
    end(&script, &sim)
}

fn refused_renewal() -> Vec<String> {
    let (mut script, sim) = begin_with(Kept::InFile);
    file_simple(&sim, "one");
    file_simple(&sim, "two");
    let key = |renewed: u32| format!("-----BEGIN RSA PRIVATE KEY-----\n{renewed}\n-----END RSA PRIVATE KEY-----\n");
    sim.teleport.borrow_mut().refuses.push(key(1));
    sim.renewed.set(1);
    let watch = sim.called("watch");
    script.run_until(DAWN + 100_000);
    approve(&mut script, &sim, "one");
    script.run_until(DAWN + 105_000);
    let used = |sim: &Sim| sim.endpoints.borrow().values().map(|reached| reached.key.clone()).collect::<Vec<_>>();
    if used(&sim) != [key(0)] || sim.called("watch") != watch || watches(&sim) != 1 {
        sim.violation(format!("{:?} is used, {} watches", used(&sim), watches(&sim)));
    }
    sim.renewed.set(2);
    script.run_until(DAWN + 140_000);
    approve(&mut script, &sim, "two");
    script.run_until(DAWN + 145_000);
    if used(&sim) != [key(2)] || watches(&sim) != 1 {
        sim.violation(format!("later {:?} is used, {} watches", used(&sim), watches(&sim)));
    }
    all_approved(&script, &sim, 2);
    end(&script, &sim)
}

fn address_changed() -> Vec<String> {
    let (mut script, sim) = begin_with(Kept::Pasted);
    file_simple(&sim, "one");
    file_simple(&sim, "two");
    script.run_until(DAWN + 4_000);
    sim.delays.borrow_mut().insert("get", 2_000);
    approve(&mut script, &sim, "one");
    script.run_until(DAWN + 5_000);
    script.address = "tp:3025";
    script.save();
    script.run_until(DAWN + 15_000);
    approve(&mut script, &sim, "two");
    script.run_until(DAWN + 30_000);
    all_approved(&script, &sim, 2);
    if sim.teleport.borrow().decided_at.iter().filter(|address| *address == "tp:443").count() != 2
        || sim.teleport.borrow().decided_at.last().is_none_or(|address| address != "tp:3025")
    {
        // The first one is the trial of the rights.
        sim.violation(format!("it was decided at {:?}", sim.teleport.borrow().decided_at));
    }
    script.run_until(DAWN + 100_000);
    let left: Vec<String> = sim.endpoints.borrow().values().map(|reached| reached.address.clone()).collect();
    if left != ["tp:3025"] || watches(&sim) != 1 {
        sim.violation(format!("{left:?} are left, {} watches", watches(&sim)));
    }
    end(&script, &sim)
}

fn wrong_credentials() -> Vec<String> {
    let (mut script, sim) = begin_with(Kept::Pasted);
    file_simple(&sim, "one");
    script.run_until(DAWN + 4_000);
    sim.renewed.set(7);
    let bad = "-----BEGIN RSA PRIVATE KEY-----\n7\n-----END RSA PRIVATE KEY-----\n".to_owned();
    sim.teleport.borrow_mut().refuses.push(bad);
    script.credentials = Kept::InFile;
    script.save();
    script.run_until(DAWN + 20_000);
    approve(&mut script, &sim, "one");
    script.run_until(DAWN + 30_000);
    let answers = script.answers.borrow().clone();
    if answers.len() != 1 || !answers.iter().all(|answer| answer.contains("refuses the client certificate")) {
        sim.violation(format!("the click was answered with {answers:?}"));
    }
    script.credentials = Kept::Pasted;
    script.save();
    script.run_until(DAWN + 40_000);
    approve(&mut script, &sim, "one");
    script.run_until(DAWN + 50_000);
    if !script.answers.borrow().last().is_some_and(|answer| answer.starts_with("You approved")) {
        sim.violation(format!("afterwards the click was answered with {:?}", script.answers.borrow().last()));
    }
    end(&script, &sim)
}

fn blinded() -> Vec<String> {
    let (mut script, sim) = begin_with(Kept::Pasted);
    file_simple(&sim, "one");
    file_simple(&sim, "two");
    script.run_until(DAWN + 4_000);
    // Lost between the look and the decision, and then before the look.
    sim.delays.borrow_mut().insert("decide", 2_000);
    approve(&mut script, &sim, "one");
    script.run_until(DAWN + 5_000);
    sim.teleport.borrow_mut().hides = true;
    script.run_until(DAWN + 10_000);
    approve(&mut script, &sim, "two");
    // The next listing has none of them.
    script.run_until(DAWN + 400_000);
    let answers = script.answers.borrow().clone();
    if answers.len() != 2 || !answers.iter().all(|answer| answer.contains("verbs: [list, read, update]")) {
        sim.violation(format!("the clicks were answered with {answers:#?}"));
    }
    for post in sim.mattermost.borrow().posts.values().filter(|post| post.props.contains_key(REQUEST_PROP)) {
        if post.attachments.iter().all(|attachment| attachment.actions.is_empty()) {
            sim.violation(format!("{} has no buttons any more: {}", post.id, post.message));
        }
    }
    sim.teleport.borrow_mut().hides = false;
    script.run_until(DAWN + 1_100_000);
    approve(&mut script, &sim, "one");
    script.run_until(DAWN + 1_110_000);
    if !script.answers.borrow().last().is_some_and(|answer| answer.starts_with("You approved")) {
        sim.violation(format!("afterwards the click was answered with {:?}", script.answers.borrow().last()));
    }
    end(&script, &sim)
}
