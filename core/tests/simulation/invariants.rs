//! What must hold, whatever happens.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use teleport_access_core::audit::{self, Entry};
use teleport_access_core::ledger::Record;
use teleport_access_core::mattermost::Post;
use teleport_access_core::messages::{CLUSTER_PROP, NEWS_PROP, REQUEST_PROP};
use teleport_access_core::requests::digest;
use teleport_access_core::teleport::{AccessRequest, State};

use crate::notices;
use crate::script::{Script, Wish, requests};
use crate::servers::Applied;

/// Documents that are kept for ever.
const FOR_GOOD: [&str; 5] = ["accepted_emails", "authority:", "links", "mapping_required", "pins"];

/// After every step.
pub fn always(script: &Script) {
    let server = script.sim.teleport.borrow();
    let before = script.looked_at.replace(server.applied.len());
    for (index, applied) in server.applied.iter().enumerate().skip(before) {
        // What somebody slipped in between the look and the call is taken back by the plugin itself.
        if applied.by == "mattermost" && script.betrayed.borrow().contains(&applied.request_id) {
            continue;
        }
        let mut wishes = wishes(script, applied);
        if !wishes.any(|wish| script.signature(&wish.user) == applied.signer() && script.is_good(wish)) {
            script.sim.violation(format!("decided without an allowed click: {applied:?}"));
        }
        agreed(script, applied);
        // Several people may review one request, each once; outright it is decided once.
        let twice = |earlier: &Applied| {
            earlier.request_id == applied.request_id
                && earlier.digest == applied.digest
                && (script.authority != "teleport" || earlier.by == applied.by)
        };
        if server.applied.iter().take(index).any(twice) {
            script.sim.violation(format!("decided twice through the plugin: {}", applied.request_id));
        }
    }
}

/// What people wanted who may decide, of this request and to this effect.
fn wishes<'a>(script: &'a Script, applied: &Applied) -> impl Iterator<Item = &'a Wish> {
    script.wanted.get(&(applied.request_id.clone(), applied.state)).into_iter().flatten()
}

/// Nothing is approved by fewer different people than the rule and Teleport's thresholds say, and nothing that they did not
/// see.
fn agreed(script: &Script, applied: &Applied) {
    let wanted: Vec<&Wish> = wishes(script, applied).filter(|wish| wish.digest == applied.digest).collect();
    // By account, whatever it is called, and only those that have what gives them the right.
    let people: BTreeSet<&str> =
        wanted.iter().filter(|wish| script.is_good(wish)).map(|wish| wish.user.as_str()).collect();
    let needed = match (script.authority, applied.state) {
        ("approvers", State::Approved) => script.needed.max(applied.threshold),
        ("reviewer", State::Approved) => script.needed,
        _ => 1,
    };
    if wanted.is_empty() && applied.state == State::Approved {
        script.betrayed.borrow_mut().insert(applied.request_id.clone());
    } else if people.len() < needed as usize && applied.state == State::Approved {
        script.sim.violation(format!("approved by {people:?}, where it takes {needed}: {applied:?}"));
    }
}

/// Requests that were filed in a calm world stand in their channels soon.
pub fn prompt(script: &Script) {
    let mattermost = script.sim.mattermost.borrow();
    for number in 0..4 {
        let id = format!("prompt-{number}");
        for channel in script.channels() {
            let stands = |post: &&Post| post.props.get(REQUEST_PROP) == Some(&id) && post.channel_id == channel;
            if !mattermost.posts.values().any(|post| stands(&post)) {
                script.sim.violation(format!("{id} is not posted to {channel} in time"));
            }
        }
    }
}

/// When nothing has gone wrong for a long while.
pub fn at_rest(script: &Script) {
    let sim = &script.sim;
    if script.unanswered() > 0 {
        sim.violation(format!("{} clicks were never answered", script.unanswered()));
    }
    hints(script);
    let mattermost = sim.mattermost.borrow();
    let mut posts: HashMap<&str, Vec<&Post>> = HashMap::new();
    for post in mattermost.posts.values() {
        posts.entry(post.props.get(REQUEST_PROP).map_or("", String::as_str)).or_default().push(post);
    }
    notices::at_rest(script);
    for id in script.betrayed.borrow().iter() {
        let granted = sim.teleport.borrow().requests.get(id).is_some_and(|request| request.state == State::Approved);
        if granted {
            sim.violation(format!("{id} took the place of another request and stays granted"));
        }
    }
    for (id, (there, request)) in requests(sim) {
        let of_request = posts.get(id.as_str()).cloned().unwrap_or_default();
        let (all, news): (Vec<&Post>, Vec<&Post>) =
            of_request.into_iter().partition(|post| !post.props.contains_key(NEWS_PROP));
        let (told, replies): (Vec<&Post>, Vec<&Post>) = news.into_iter().partition(|post| post.root_id.is_empty());
        requester(script, &id, &told, there.then_some(&request));
        for channel in script.channels() {
            let (in_channel, former): (Vec<&&Post>, Vec<&&Post>) =
                all.iter().filter(|post| post.channel_id == channel).partition(|post| post.user_id == script.bot);
            former_bots(script, &former);
            let live: Vec<&&&Post> = in_channel.iter().filter(|post| post.delete_at == 0).collect();
            let by_hand = in_channel.iter().chain(&former).any(|post| script.deleted_by_hand.contains(&post.id));
            if live.len() > 1 {
                sim.violation(format!("{id} has {} posts in {channel}", live.len()));
            }
            // What is edited or deleted again and again is not always written again.
            let may_be_gone = by_hand && (!script.repost || script.edits + script.deleted_by_hand.len() > 3);
            if there && request.state == State::Pending && live.is_empty() && !may_be_gone {
                sim.violation(format!("{id} is pending but has no post in {channel}"));
            }
            for post in live {
                let status = status(post);
                let says = |state: State| status.contains(&format!("{state:?}"));
                let right = if there {
                    says(request.state)
                } else {
                    // What Teleport has forgotten, it cannot tell: a decision that the post saw stays, even one that was
                    // overturned while nobody looked.
                    let had = sim.teleport.borrow().had.get(&id).cloned().unwrap_or_default();
                    had.into_iter().any(says) || status.contains("Expired") || status.contains("Deleted")
                };
                if !right {
                    sim.violation(format!(
                        "{} says {status:?}, but {id} is {:?}, there: {there}",
                        post.id, request.state
                    ));
                }
                if there && request.state == State::Pending {
                    as_written(script, &id, post);
                }
                thread(script, post, &replies, there.then_some(&request));
                let buttons = post.attachments.iter().any(|attachment| !attachment.actions.is_empty());
                if buttons != status.contains("Pending") {
                    sim.violation(format!("{} says {status:?} and has buttons: {buttons}", post.id));
                }
            }
        }
    }
    let entries: Vec<Entry> = mattermost.kv.iter().flat_map(|(key, (value, _))| audit::stored(key, value)).collect();
    let old = sim.teleport.borrow().version.starts_with("4.");
    for applied in &sim.teleport.borrow().applied {
        let tells = |entry: &&Entry| {
            entry.request_id == applied.request_id
                && entry.verdict == Some(applied.state)
                && applied.by
                    == match script.authority {
                        "teleport" => entry.teleport_user.clone(),
                        "reviewer" => "access-plugin".to_owned(),
                        // All who agreed, where Teleport keeps no annotations.
                        _ if old => entry
                            .voters
                            .iter()
                            .filter(|voter| voter.user_id != entry.user_id)
                            .fold(format!("mattermost:{}", entry.email), |by, voter| {
                                format!("{by},{}", voter.username)
                            }),
                        _ => format!("mattermost:{}", entry.email),
                    }
                && entry.authority == script.authority
                && entry.result != audit::Result::Refused
        };
        if !entries.iter().any(|entry| tells(&entry)) {
            sim.violation(format!("the audit trail does not tell of {applied:?}"));
        }
    }
    for entry in entries.iter().filter(|entry| entry.result == audit::Result::Decided) {
        if !sim.teleport.borrow().applied.iter().any(|applied| applied.request_id == entry.request_id) {
            sim.violation(format!("the audit trail tells of a decision that never was: {entry:?}"));
        }
    }
    let nameless = |post: &&Post| {
        post.user_id == script.bot
            && post.props.contains_key(REQUEST_PROP)
            && post.props.get(CLUSTER_PROP).is_none_or(String::is_empty)
    };
    if let Some(post) = mattermost.posts.values().find(nameless) {
        sim.violation(format!("{} does not say of which cluster its request is", post.id));
    }
    let index: String = mattermost
        .kv
        .iter()
        .filter(|(key, _)| key.starts_with("open:"))
        .map(|(_, (value, _))| String::from_utf8_lossy(value).into_owned())
        .collect();
    for (key, (value, expires)) in &mattermost.kv {
        const PASSING: [&str; 9] = [
            "claim:",
            "dialog:",
            "dialog-hint:",
            "votes:",
            "attention:",
            "notice:",
            "trail:",
            "trail-day:",
            "outcome:",
        ];
        if PASSING.iter().any(|prefix| key.starts_with(prefix)) {
            if *expires == 0 {
                sim.violation(format!("{key} never goes away"));
            }
        } else if FOR_GOOD.iter().any(|prefix| key.starts_with(prefix)) {
            if *expires != 0 {
                sim.violation(format!("{key} goes away, and with it what speaks against somebody"));
            }
        } else if key.starts_with("open:")
            || key.starts_with("open-complete:")
            || ["trail-checkpoint", "trail-old-done", "trail-settings"].contains(&key.as_str())
        {
            // One of each, for ever.
        } else if let Ok(record) = serde_json::from_slice::<Record>(value) {
            if record.is_finished() && *expires == 0 {
                sim.violation(format!("{key} is finished but never goes away"));
            }
            let pending = sim
                .teleport
                .borrow()
                .requests
                .get(&record.request.id)
                .is_some_and(|request| request.state == State::Pending);
            if !record.is_finished() && !index.contains(&format!("\"{}\"", record.request.id)) {
                sim.violation(format!("{key} is not finished, and the index does not name it"));
            }
            if !pending && !record.is_finished() {
                sim.violation(format!("{key} is never finished: {record:?}"));
            }
        } else {
            sim.violation(format!("{key} is no record"));
        }
    }
}

/// The post of a pending request is as it was written: whoever edited it was not the last one.
fn as_written(script: &Script, id: &str, post: &Post) {
    let server = script.sim.mattermost.borrow();
    let record = server.kv.get(&format!("request:tp:{id}"));
    let record = record.and_then(|(value, _)| serde_json::from_slice::<Record>(value).ok());
    let postings = record.map(|record| record.postings).unwrap_or_default();
    let mut postings = postings.iter().filter(|posting| posting.post_id.as_ref() == Some(&post.id));
    if !postings.all(|posting| posting.hash == digest::of_post(post)) {
        script.sim.violation(format!("{} is not as it was written", post.id));
    }
}

/// Whoever is told about a dialog that never came back has opened one in that post, and is told once a day.
fn hints(script: &Script) {
    let server = script.sim.mattermost.borrow();
    let mut told = BTreeSet::new();
    for (user, post) in &server.hints {
        if !server.dialogs.iter().any(|opened| opened.user == *user && opened.post == post.root_id) {
            script.sim.violation(format!("{user} is told about a dialog in {} and has opened none", post.root_id));
        }
        if !told.insert(user) {
            script.sim.violation(format!("{user} is told about dialogs twice a day"));
        }
    }
}

/// Posts of a bot that is the plugin's no more have no buttons.
fn former_bots(script: &Script, posts: &[&&Post]) {
    for post in posts.iter().filter(|post| post.delete_at == 0) {
        if post.attachments.iter().any(|attachment| !attachment.actions.is_empty()) {
            script.sim.violation(format!("{} of the former bot has buttons", post.id));
        }
    }
}

/// The requester is told each review and the decision exactly once, and nobody else is.
fn requester(script: &Script, id: &str, told: &[&Post], request: Option<&AccessRequest>) {
    let mut stands: BTreeMap<&str, usize> = BTreeMap::new();
    let mut by_hand = Vec::new();
    for post in told {
        let key = post.props.get(NEWS_PROP).map_or("", String::as_str);
        *stands.entry(key).or_default() += usize::from(post.delete_at == 0);
        if post.channel_id != "direct-requester" {
            script.sim.violation(format!("{} tells {key} in {}", post.id, post.channel_id));
        }
        if key.starts_with("reminder:") {
            script.sim.violation(format!("{} reminds the requester", post.id));
        }
        if script.deleted_by_hand.contains(&post.id) {
            by_hand.push(key);
        }
    }
    for (key, count) in &stands {
        if *count > authors(told) {
            script.sim.violation(format!("the requester of {id} is told {key} {count} times"));
        }
    }
    // What was decided before anybody saw it has no post, and needs nobody's attention.
    let known =
        script.sim.mattermost.borrow().kv.contains_key(&format!("request:tp:{id}")) && !script.requester_was_renamed;
    for key in request.filter(|_| known).map(due).unwrap_or_default() {
        if stands.get(key.as_str()).copied().unwrap_or(0) == 0 && !by_hand.contains(&key.as_str()) {
            script.sim.violation(format!("the requester of {id} is not told {key}"));
        }
    }
}

/// How many bots wrote these: a new bot cannot see what the one before wrote without having been answered.
fn authors(posts: &[&Post]) -> usize {
    posts.iter().map(|post| post.user_id.as_str()).collect::<BTreeSet<_>>().len()
}

/// Keys of what there is to tell of a request.
fn due(request: &AccessRequest) -> Vec<String> {
    let mut due: Vec<String> = request.reviews.iter().map(|review| format!("review:{}", review.author)).collect();
    if request.state != State::Pending {
        due.push(format!("outcome:{:?}", request.state).to_lowercase());
    }
    due
}

/// Each review and the decision stand in the post's thread exactly once.
fn thread(script: &Script, root: &Post, replies: &[&Post], request: Option<&AccessRequest>) {
    let mut stands: BTreeMap<&str, usize> = BTreeMap::new();
    let mut by_hand = Vec::new();
    for reply in replies.iter().filter(|reply| reply.root_id == root.id) {
        let key = reply.props.get(NEWS_PROP).map_or("", String::as_str);
        *stands.entry(key).or_default() += usize::from(reply.delete_at == 0);
        if script.deleted_by_hand.contains(&reply.id) {
            by_hand.push(key);
        }
    }
    for (key, count) in &stands {
        if *count > authors(replies) {
            script.sim.violation(format!("{} tells {key} {count} times", root.id));
        }
    }
    for key in request.map(due).unwrap_or_default() {
        if stands.get(key.as_str()).copied().unwrap_or(0) == 0 && !by_hand.contains(&key.as_str()) {
            script.sim.violation(format!("{} does not tell {key}", root.id));
        }
    }
}

fn status(post: &Post) -> String {
    let fields = post.attachments.iter().flat_map(|attachment| &attachment.fields);
    fields.filter(|field| field.title == "Status").map(|field| field.value.clone()).collect()
}
