//! What the request is, what the post offers, and what the plugin knows of the requester: each by itself, where nothing else
//! speaks against the click.

use std::rc::Rc;

use serde_json::json;
use teleport_access_core::confirmations;
use teleport_access_core::teleport::{Kind, Review, State, Threshold};
use teleport_access_core::time::Time;

use crate::cells;
use crate::sim::Sim;
use crate::stage::{DECIDED, DENIED, REQUEST, Seen, Stage, account, group, play_table, request};
use crate::teleport;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Fact {
    Plain,
    LongTerm,
    UnknownKind,
    UnknownField,
    /// An admin has accepted the field.
    AcceptedField,
    /// A threshold can be judged by Teleport only.
    FilteredThreshold,
    /// Teleport's thresholds are overruled since.
    OverruledThreshold,
    /// It is in a state that has yet to come.
    UnknownState,
    /// A name in it cannot be shown as it is, so the post offers no approval.
    Inexact,
    /// It expires in a few seconds.
    LastMoments,
    /// It expires soon, and not that soon.
    LastMinute,
    /// All that is known is that this account could have been the requester's when the request was first seen.
    OnlyNoted,
    /// The same, and nobody has looked yet: the account has the name now.
    NotNoted,
    /// Teleport's user of the clicker has reviewed.
    Reviewed,
    /// The post stands, and has not been read back yet.
    NotReadBack,
    /// The plugin has no bot.
    NoBot,
    /// No channel's post has been made yet.
    NoPostYet,
    /// Another authority would decide than before.
    OtherAuthority,
    /// The rules have no line for the role.
    NoRule,
    /// Somebody else is deciding right now.
    Busy,
    /// Somebody else takes the lock for abandoned while the decision is being made.
    LockTaken,
    /// A post of the thread, which shows what does not fit into the post, is deleted.
    PartDeleted,
    /// It is edited.
    PartEdited,
    /// What stands in the store for the request is none of this version's records.
    UnreadableRecord,
    /// The same for the votes on it.
    UnreadableVotes,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Verdict {
    Approve,
    Deny,
}

/// Whether Teleport chooses requests' ids itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Ids {
    OfClients,
    OfServer,
}

use Fact::*;
use Ids::{OfClients, OfServer};
use Verdict::{Approve, Deny};

const FACTS: &[Fact] = &[
    Plain,
    LongTerm,
    UnknownKind,
    UnknownField,
    AcceptedField,
    FilteredThreshold,
    OverruledThreshold,
    UnknownState,
    Inexact,
    LastMoments,
    LastMinute,
    OnlyNoted,
    NotNoted,
    Reviewed,
    NotReadBack,
    NoBot,
    NoPostYet,
    OtherAuthority,
    NoRule,
    Busy,
    LockTaken,
    PartDeleted,
    PartEdited,
    UnreadableRecord,
    UnreadableVotes,
];
const BOTH: &[Ids] = &[OfClients, OfServer];
const VERDICTS: &[Verdict] = &[Approve, Deny];

type Row = (&'static [Fact], &'static [Verdict], &'static [Ids], &'static str);

const TABLE: &[Row] = &[
    (&[OnlyNoted, NotNoted], VERDICTS, BOTH, "your own request"),
    (&[NotReadBack, NoPostYet], VERDICTS, BOTH, "still being written"),
    (&[NoBot], VERDICTS, BOTH, "no bot account"),
    (&[OtherAuthority], VERDICTS, BOTH, "Nothing was changed."),
    (&[NoRule], VERDICTS, BOTH, "only system admins may decide"),
    (&[PartDeleted, PartEdited], &[Approve], BOTH, "missing there or was changed"),
    (&[Busy, LockTaken], VERDICTS, BOTH, "is deciding this request right now"),
    (&[UnreadableRecord, UnreadableVotes], VERDICTS, BOTH, "what the plugin knows of this request cannot be read"),
    (&[UnknownState], VERDICTS, BOTH, "was already in a state that this version of the plugin does not know"),
    (&[LongTerm], &[Approve], BOTH, "lasting access"),
    (&[UnknownKind, UnknownField], &[Approve], BOTH, "does not know"),
    (&[FilteredThreshold], VERDICTS, BOTH, "counts only certain reviewers"),
    (&[Inexact], &[Approve], BOTH, "does not offer that"),
    (&[LastMoments], &[Approve], &[OfClients], "expires in a few seconds"),
    // Reviews in Teleport are no matter where the plugin decides with the approvers of the settings.
    (FACTS, &[Approve], BOTH, DECIDED),
    (FACTS, &[Deny], BOTH, DENIED),
];

type FactCell = (Fact, Verdict, Ids);

fn stage_for(fact: Fact, ids: Ids) -> Stage {
    let settings = json!({
        "approvers": if fact == NoRule { "other-role = group:sre" } else { "* = group:sre" },
        "authority": if fact == OtherAuthority { "auto" } else { "approvers" },
        "usermapping": if fact == Reviewed || fact == OtherAuthority { "bob = bob-tp" } else { "" },
    });
    let mut stage = Stage::new(settings, |sim| {
        let mut root = account("r00t", "root", "root@corp.com");
        root.is_system_admin = true;
        sim.mattermost.borrow_mut().users.insert("b0b".into(), account("b0b", "bob", "bob@corp.com"));
        sim.mattermost.borrow_mut().users.insert("r00t".into(), root);
        group(sim, "sre-id", "sre", &["b0b"]);
        sim.teleport.borrow_mut().version = if ids == OfClients { "13.3.8" } else { "18.10.0" }.into();
    });
    stage.pass(1_000);
    stage
}

/// Files the request, with what is so from the beginning.
fn file(stage: &mut Stage, fact: Fact) {
    let mut filed = request(&stage.sim, &["dba"]);
    match fact {
        LongTerm => filed.kind = Kind::LongTerm,
        PartDeleted | PartEdited => filed.roles = (0..60).map(|number| format!("role-{number}")).collect(),
        UnknownKind => filed.kind = Kind::Unknown(9),
        UnknownField | AcceptedField => filed.unknown_fields.push("spec.99".into()),
        FilteredThreshold | OverruledThreshold => {
            let filter = "equals(reviewer.roles, \"lead\")".into();
            filed.thresholds.push(Threshold { name: String::new(), filter, approve: 1, deny: 1 });
        }
        Inexact => filed.roles = vec!["dba\u{202e}".into()],
        OnlyNoted => stage.account("b0b", |user| user.username = "requester".into()),
        NoPostYet => stage.sim.mattermost.borrow_mut().archived = true,
        _ => {}
    }
    let lives = match fact {
        LastMoments => 12_000,
        LastMinute => 60_000,
        _ => 36_000_000,
    };
    filed.expires = Some(Time(stage.sim.now() + lives));
    teleport::file_as(&stage.sim, filed, lives);
    stage.pass(5_000);
}

/// A field of the record that stands in the store.
fn edit_record(stage: &Stage, change: impl FnOnce(&mut serde_json::Value)) {
    let mut server = stage.sim.mattermost.borrow_mut();
    let stored = server.kv.get_mut(&format!("request:tp:{REQUEST}")).unwrap();
    let mut record: serde_json::Value = serde_json::from_slice(&stored.0).unwrap();
    change(&mut record);
    stored.0 = record.to_string().into_bytes();
}

fn lock_of_carol() -> Vec<u8> {
    json!({ "username": "carol", "nonce": 1 }).to_string().into_bytes()
}

/// Puts Carol's lock in the place of any other as soon as there is one.
fn take_the_lock(sim: &Rc<Sim>) {
    let key = format!("claim:tp:{REQUEST}");
    if let Some(lock) = sim.mattermost.borrow_mut().kv.get_mut(&key) {
        lock.0 = lock_of_carol();
        return;
    }
    let later = Rc::clone(sim);
    sim.later(1, move || take_the_lock(&later));
}

/// What is so when somebody clicks.
fn settle(stage: &mut Stage, fact: Fact) {
    match fact {
        AcceptedField => {
            let app = Rc::clone(&stage.app);
            stage.await_it(async move {
                let waiting = confirmations::list(&app).await.unwrap();
                let field = waiting.iter().find(|waiting| waiting.id.starts_with("wire:")).unwrap().id.clone();
                confirmations::confirm(&app, "r00t", &field).await.unwrap();
            });
            stage.pass(400_000);
        }
        OverruledThreshold => {
            stage.configure(json!({ "overrulethresholds": true }));
            stage.pass(10_000);
        }
        UnknownState => stage.in_teleport(|request| request.state = State::Other),
        OnlyNoted => {
            stage.account("b0b", |user| user.username = "bob".into());
            stage.sim.mattermost.borrow_mut().kv.retain(|key, _| !key.starts_with("links"));
        }
        NotNoted => {
            edit_record(stage, |record| record["requester_known"] = false.into());
            stage.sim.mattermost.borrow_mut().kv.retain(|key, _| !key.starts_with("links"));
            stage.configure(json!({ "usermapping": "bob = requester" }));
            stage.pass(1_000);
        }
        Reviewed => stage.in_teleport(|request| {
            let (author, state, reason) = ("bob-tp".into(), State::Approved, String::new());
            request.reviews.push(Review { author, state, reason, created: None, decider: String::new() });
        }),
        NotReadBack => edit_record(stage, |record| record["postings"][0]["hash"] = "".into()),
        OtherAuthority => {
            // The server is upgraded, and would check by itself who may decide.
            stage.sim.teleport.borrow_mut().version = "18.11.0".into();
            teleport::cut(&stage.sim, None);
            stage.pass(30_000);
        }
        Busy => {
            stage.sim.mattermost.borrow_mut().kv.insert(format!("claim:tp:{REQUEST}"), (lock_of_carol(), 0));
        }
        LockTaken => take_the_lock(&stage.sim),
        UnreadableRecord => edit_record(stage, |record| record["version"] = 99.into()),
        UnreadableVotes => {
            let garbage = b"{\"votes\":7}".to_vec();
            stage.sim.mattermost.borrow_mut().kv.insert(format!("votes:tp:{REQUEST}"), (garbage, 0));
        }
        PartDeleted | PartEdited => {
            let root = stage.post().id;
            let now = stage.sim.now();
            let mut server = stage.sim.mattermost.borrow_mut();
            let parts = server.posts.values_mut().filter(|post| post.root_id == root && post.delete_at == 0);
            let part = parts.max_by_key(|post| post.id.clone()).unwrap();
            match fact {
                PartDeleted => part.delete_at = now,
                _ => part.message.push_str(" and lunch"),
            }
        }
        _ => {}
    }
}

fn play(&(fact, verdict, ids): &FactCell) -> Seen {
    let mut stage = stage_for(fact, ids);
    file(&mut stage, fact);
    let post = match fact {
        NoPostYet => {
            // A post of the bot that names the request, in the channel where the posting is to stand.
            let mut template = stage_for(Plain, ids);
            file(&mut template, Plain);
            let post = template.post();
            stage.sim.mattermost.borrow_mut().create(0, post)
        }
        _ => stage.post(),
    };
    settle(&mut stage, fact);
    let post = if matches!(fact, AcceptedField | OverruledThreshold) { stage.post() } else { post };
    let click = stage.click_of("b0b", if verdict == Approve { "approve" } else { "deny" }, &post);
    if fact == NoBot {
        stage.without_bot();
    }
    let answer = stage.send(click);
    Seen::of(&stage, "b0b", 0, answer)
}

#[test]
fn each_fact_that_speaks_against_a_click_is_enough() {
    play_table(cells!(FACTS, VERDICTS, BOTH), TABLE, play);
}
