//! Worlds that are not made up by chance: each shows one thing that must work.

use std::rc::Rc;

use teleport_access_core::mattermost::{Post, Session};
use teleport_access_core::messages::{NEWS_PROP, REQUEST_PROP};
use teleport_access_core::requests::digest;
use teleport_access_core::teleport::{AccessRequest, State};
use teleport_access_core::time::Time;

use crate::script::{Script, Setting};
use crate::sim::{DAWN, Sim};
use crate::{invariants, notices, teleport};

/// Plays a scene and tells what went wrong.
type Scene = fn() -> Vec<String>;

/// The scenes by their names.
pub const SCENES: &[(&str, Scene)] = &[
    ("a request filed while the plugin was down is posted", filed_while_down),
    ("a failed post is made later", failed_post),
    ("an expiry is shown although Teleport never says so", silent_expiry),
    ("the admins hear once of each stage of expiring credentials", expiring_credentials),
    ("ten thousand known requests are reconciled without touching a post", ten_thousand),
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
    ("without chance nothing is decided", no_chance),
    ("a personal access token and an OAuth app decide nothing", foreign_sessions),
    (
        "three hundred requests for an archived channel are one message to each admin, and a line when it is over",
        notices::burst,
    ),
    ("a message about a cause is never made twice, whenever the plugin is killed", notices::killed),
    ("a recipient who was deactivated after the first post does not count as reached", notices::deactivated),
    ("an archived team and posts that are refused are causes of their own, and an outage is none", notices::causes),
    ("admins are told once that nobody can decide", notices::deciders),
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

/// A world whose approvals need no dialog, in one channel.
fn plain() -> (Script, Rc<Sim>) {
    let setting = Setting { recipients: vec!["ops/one"], ask_reason: "never", authority: "approvers", needed: 1 };
    let mut script = Script::with(1, setting);
    let sim = Rc::clone(&script.sim);
    sim.teleport.borrow_mut().version = "13.3.8".to_owned();
    script.start(0);
    script.run_until(DAWN + 2_000);
    (script, sim)
}

fn request(sim: &Sim, id: &str, roles: &[&str]) -> AccessRequest {
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
fn roots(sim: &Sim, id: &str) -> Vec<Post> {
    let server = sim.mattermost.borrow();
    let is_root =
        |post: &&Post| post.props.get(REQUEST_PROP).is_some_and(|of| of == id) && !post.props.contains_key(NEWS_PROP);
    server.posts.values().filter(is_root).cloned().collect()
}

fn root(sim: &Sim, id: &str) -> Post {
    roots(sim, id).into_iter().next().unwrap_or_default()
}

fn buttons(post: &Post) -> Vec<String> {
    post.attachments.iter().flat_map(|attachment| &attachment.actions).map(|action| action.name.clone()).collect()
}

fn status(post: &Post) -> String {
    let mut fields = post.attachments.iter().flat_map(|attachment| &attachment.fields);
    fields.find(|field| field.title == "Status").map(|field| field.value.clone()).unwrap_or_default()
}

fn state(sim: &Sim, id: &str) -> Option<State> {
    sim.teleport.borrow().requests.get(id).map(|request| request.state)
}

/// Somebody clicks a button of a post, and reads the answer.
fn click(script: &mut Script, user: &str, post: &Post, button: &str) -> String {
    let until = script.sim.now() + 30_000;
    script.click_on(user, post, button);
    script.run_until(until);
    script.answers.borrow().last().cloned().unwrap_or_default()
}

fn expect(sim: &Sim, what: &str, is: bool) {
    if !is {
        sim.violation(what.to_owned());
    }
}

fn forged_post() -> Vec<String> {
    let (mut script, sim) = plain();
    sim.mattermost.borrow_mut().archived = true;
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
    sim.mattermost.borrow_mut().archived = true;
    for _ in 0..3 {
        let answer = click(&mut script, "alice", &shown, "Approve");
        expect(&sim, &format!("it was answered {answer:?}"), answer.contains("missing there or was changed"));
    }
    expect(&sim, "nobody was shown all of it, and it was approved", state(&sim, "large") == Some(State::Pending));
    let asked = sim.mattermost.borrow().dialogs.len();
    expect(&sim, &format!("{asked} dialogs were opened"), asked == 0);
    sim.mattermost.borrow_mut().archived = false;
    script.run_until(sim.now() + 700_000);
    end(&script, &sim)
}
