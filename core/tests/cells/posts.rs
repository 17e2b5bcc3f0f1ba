//! What was done to the post, or is claimed of it, before somebody clicks in it.

use serde_json::json;
use teleport_access_core::mattermost::{Action, AttachmentField, Post};
use teleport_access_core::messages::{CLUSTER_PROP, NEWS_PROP, REQUEST_PROP};

use crate::cells;
use crate::stage::{DECIDED, DENIED, REQUEST, Seen, Stage, account, play_table, request};

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Change {
    Nothing,
    /// Reactions, pins and replies change nothing that the post says.
    OnlyReplied,
    Message,
    FieldValue,
    FieldTitle,
    FieldGone,
    ButtonContext,
    ButtonName,
    ButtonUrl,
    ButtonGone,
    FileAdded,
    OtherProp,
    OtherRequestProp,
    NoClusterProp,
    OutcomesProp,
    OtherAuthor,
    Reply,
    Deleted,
    Gone,
    OtherChannel,
}

/// What is claimed in the click.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Claim {
    Right,
    /// The same buttons in a post of somebody's own.
    OwnPost,
    /// One that the bot wrote once more, in the same channel.
    Copy,
    NoPost,
    OtherRequest,
    OtherCluster,
    NoDigest,
    OtherDigest,
    NoVerdict,
    OtherVerdict,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Verdict {
    Approve,
    Deny,
}

use Change::*;

const CHANGES: &[Change] = &[
    Nothing,
    OnlyReplied,
    Message,
    FieldValue,
    FieldTitle,
    FieldGone,
    ButtonContext,
    ButtonName,
    ButtonUrl,
    ButtonGone,
    FileAdded,
    OtherProp,
    OtherRequestProp,
    NoClusterProp,
    OutcomesProp,
    OtherAuthor,
    Reply,
    Deleted,
    Gone,
    OtherChannel,
];
const CLAIMS: &[Claim] = &[
    Claim::Right,
    Claim::OwnPost,
    Claim::Copy,
    Claim::NoPost,
    Claim::OtherRequest,
    Claim::OtherCluster,
    Claim::NoDigest,
    Claim::OtherDigest,
    Claim::NoVerdict,
    Claim::OtherVerdict,
];
const VERDICTS: &[Verdict] = &[Verdict::Approve, Verdict::Deny];

const NOT_ITS: &str = "does not belong to that access request";
const CHANGED: &str = "has changed this post";

type Row = (&'static [Change], &'static [Claim], &'static [Verdict], &'static str);

const TABLE: &[Row] = &[
    (CHANGES, &[Claim::NoVerdict, Claim::OtherVerdict], VERDICTS, "not a button of an access request"),
    (
        CHANGES,
        &[Claim::OwnPost, Claim::Copy, Claim::NoPost, Claim::OtherRequest, Claim::OtherCluster],
        VERDICTS,
        NOT_ITS,
    ),
    // Not the bot's own post of this request any more.
    (
        &[OtherRequestProp, NoClusterProp, OutcomesProp, OtherAuthor, Reply, Deleted, Gone, OtherChannel],
        CLAIMS,
        VERDICTS,
        NOT_ITS,
    ),
    (&[Nothing, OnlyReplied], &[Claim::Right], &[Verdict::Approve], DECIDED),
    (&[Nothing, OnlyReplied], &[Claim::Right], &[Verdict::Deny], DENIED),
    (&[Nothing, OnlyReplied], &[Claim::NoDigest, Claim::OtherDigest], VERDICTS, "no longer what this post showed"),
    // Whatever was changed of what it says or does.
    (CHANGES, CLAIMS, VERDICTS, CHANGED),
];

fn apply(post: &mut Post, change: Change) {
    let field = |post: &mut Post, change: fn(&mut AttachmentField)| {
        change(post.attachments.iter_mut().flat_map(|attachment| &mut attachment.fields).next().unwrap());
    };
    let action = |post: &mut Post, change: fn(&mut Action)| {
        change(post.attachments.iter_mut().flat_map(|attachment| &mut attachment.actions).next().unwrap());
    };
    match change {
        Nothing | OnlyReplied | Gone => {}
        Message => post.message.push_str(" (fine)"),
        FieldValue => field(post, |field| field.value = "lunch".into()),
        FieldTitle => field(post, |field| field.title = "Formerly".into()),
        FieldGone => drop(post.attachments.iter_mut().find_map(|attachment| attachment.fields.pop()).unwrap()),
        ButtonContext => action(post, |action| drop(action.context.insert("verdict".into(), "deny".into()))),
        ButtonName => action(post, |action| action.name = "Deny".into()),
        ButtonUrl => action(post, |action| action.url = "https://elsewhere.example.com".into()),
        ButtonGone => drop(post.attachments.iter_mut().find_map(|attachment| attachment.actions.pop()).unwrap()),
        FileAdded => post.file_ids.push("file".into()),
        OtherProp => drop(post.props.insert("override_username".into(), "root".into())),
        OtherRequestProp => drop(post.props.insert(REQUEST_PROP.into(), "other".into())),
        NoClusterProp => drop(post.props.remove(CLUSTER_PROP)),
        OutcomesProp => drop(post.props.insert(NEWS_PROP.into(), "outcome".into())),
        OtherAuthor => post.user_id = "mall0ry".into(),
        Reply => post.root_id = "some-root".into(),
        Deleted => post.delete_at = 1,
        OtherChannel => post.channel_id = "direct-b0b".into(),
    }
}

type PostCell = (Change, Claim, Verdict);

fn play(&(change, claim, verdict): &PostCell) -> Seen {
    let mut stage = Stage::new(json!({ "approvers": "bob" }), |sim| {
        let mut server = sim.mattermost.borrow_mut();
        server.users.insert("b0b".into(), account("b0b", "bob", "bob@corp.com"));
        server.users.insert("mall0ry".into(), account("mall0ry", "mallory", "mallory@corp.com"));
    });
    stage.pass(1_000);
    let filed = request(&stage.sim, &["dba"]);
    stage.file(filed);
    let post = stage.post();
    let verdict = if verdict == Verdict::Approve { "approve" } else { "deny" };
    let mut click = stage.click_of("b0b", verdict, &post);
    {
        let (now, mut server) = (stage.sim.now(), stage.sim.mattermost.borrow_mut());
        match change {
            Gone => drop(server.posts.remove(&post.id)),
            OnlyReplied => {
                let reply = Post { root_id: post.id.clone(), message: "fine".into(), ..Post::default() };
                server.create(now, Post { user_id: "mall0ry".into(), channel_id: post.channel_id.clone(), ..reply });
            }
            _ => apply(server.posts.get_mut(&post.id).unwrap(), change),
        }
        match claim {
            Claim::OwnPost => {
                let own = Post { user_id: "mall0ry".into(), channel_id: "direct-b0b".into(), ..post.clone() };
                click.post_id = server.create(now, own).id;
            }
            Claim::Copy => click.post_id = server.create(now, post.clone()).id,
            Claim::NoPost => click.post_id.clear(),
            Claim::OtherRequest => drop(click.context.insert("request".into(), "other".into())),
            Claim::OtherCluster => drop(click.context.insert("cluster".into(), "other".into())),
            Claim::NoDigest => drop(click.context.remove("digest")),
            Claim::OtherDigest => drop(click.context.insert("digest".into(), "0".repeat(64))),
            Claim::NoVerdict => drop(click.context.remove("verdict")),
            Claim::OtherVerdict => drop(click.context.insert("verdict".into(), "promote".into())),
            Claim::Right => {}
        }
    }
    let answer = stage.send(click);
    let seen = Seen::of(&stage, "b0b", 0, answer);
    // What was changed is as it was, if nothing else of it speaks against it.
    if seen.answer.contains(CHANGED) {
        stage.pass(10_000);
        let now = stage.post();
        assert_eq!((now.message, now.attachments), (post.message, post.attachments), "{change:?} is repaired");
        assert_eq!(now.props.get(REQUEST_PROP).map(String::as_str), Some(REQUEST));
    }
    seen
}

#[test]
fn only_what_the_plugin_wrote_is_decided_by_its_buttons() {
    play_table(cells!(CHANGES, CLAIMS, VERDICTS), TABLE, play);
}
