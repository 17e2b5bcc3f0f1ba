//! Writes a request's post, reads it back, and offers only what the post shows as it was written; repairs what others
//! have changed.

use crate::authority;
use crate::cluster::Lane;
use crate::config::{self, Authority};
use crate::decision::{Needed, has_two_denials, of_thresholds, take_back};
use crate::desk;
use crate::ledger::{Offers, Outcome, Part, Posting, Record, Retired};
use crate::mattermost::{HostError, LogLevel, Mattermost as _, Post};
use crate::messages::{self, News, Site};
use crate::notices;
use crate::requests::digest::{self, Altered};
use crate::requests::resting::{self, Rest};
use crate::teleport::{AccessRequest, Kind};
use crate::time::Time;
use crate::world::World;

/// Why there is no Approve button, where another plugin changes posts.
const OTHER_PLUGIN: &str = "Another plugin of this Mattermost server changes what this post says. A system admin sees more with `/teleport status`.";
/// Why there is no Approve button, where a name cannot be shown.
const INEXACT: &str = "A name in this request has characters that cannot be shown here as they are.";
/// Why there is no Approve button, where the request is too large.
const TOO_MUCH: &str = "This request is too large to be shown here.";
/// Why there is no Approve button yet.
const NOT_YET: &str = "You can approve this as soon as all of it is in the thread.";

/// What the posts must know besides the record.
pub(crate) fn site<W: World>(lane: &Lane<W>, record: &Record) -> Site {
    let way = lane.cluster.way.borrow().clone();
    let id: String =
        record.request.id.chars().filter(|letter| letter.is_ascii_alphanumeric() || *letter == '-').collect();
    let settings = lane.settings();
    let cluster = lane.cluster.desk.cluster.borrow().clone();
    let has_rule = |role: &&String| config::is_named(&settings.approvers, &cluster, role);
    Site {
        plugin_id: lane.host.borrow().plugin_id.clone(),
        page: way.map(|way| way.server.page(&format!("requests/{id}"))).unwrap_or_default(),
        ruled: record.request.roles.iter().filter(has_rule).cloned().collect(),
        cluster,
        needed: needed(lane, record),
        ..Default::default()
    }
}

/// By which authority decisions are made now; none while the server is not known.
fn authority<W: World>(lane: &Lane<W>) -> Option<Authority> {
    let way = lane.cluster.way.borrow().clone()?;
    authority::in_force(lane.settings().authority, &way.server).ok()
}

/// How many people must agree; none where Teleport counts.
fn needed<W: World>(lane: &Lane<W>, record: &Record) -> Option<Needed> {
    let authority = authority(lane)?;
    if authority == Authority::Teleport {
        return None;
    }
    let settings = lane.settings();
    let cluster = lane.cluster.desk.cluster.borrow().clone();
    let mut needed = config::needed(&settings.approvers, &cluster, &record.request.roles);
    if authority == Authority::Approvers && !settings.overrule_thresholds {
        needed = needed.and(of_thresholds(&record.request).unwrap_or(Needed::ONE));
    }
    if authority == Authority::Reviewer {
        // Once the plugin has reviewed, or where one person is enough for that, what counts is what Teleport counts.
        let plugin = lane.cluster.way.borrow().as_ref().and_then(|way| Some(way.credentials.as_ref()?.user.clone()));
        let has_reviewed = record.request.reviews.iter().any(|review| Some(&review.author) == plugin.as_ref());
        return (needed.approve > 1 && !has_reviewed).then_some(needed);
    }
    Some(needed)
}

/// What a post's buttons may let people do, and why that is less than usual.
fn offer<W: World>(lane: &Lane<W>, record: &Record, posting: &Posting) -> (Offers, String) {
    let deny = Offers { deny: true, deny_with_reason: has_two_denials(&lane.settings()), ..Default::default() };
    let both = Offers { approve: true, ..deny };
    if record.outcome != Outcome::Pending {
        return (Offers::default(), String::new());
    }
    let request = &record.request;
    if authority(lane) == Some(Authority::Approvers)
        && !lane.settings().overrule_thresholds
        && let Err(unmeetable) = of_thresholds(request)
    {
        return (Offers::default(), format!("It can only be decided there: {unmeetable}."));
    }
    match posting.altered {
        Altered::Buttons => return (Offers::default(), OTHER_PLUGIN.to_owned()),
        Altered::Text => return (deny, OTHER_PLUGIN.to_owned()),
        Altered::No => {}
    }
    if request.kind == Kind::LongTerm {
        return (deny, messages::LONG_TERM.to_owned());
    }
    if !request.is_approvable_with(&lane.cluster.accepted_fields.borrow()) {
        return (deny, messages::UNKNOWN.to_owned());
    }
    if !messages::is_exact(request) {
        return (deny, INEXACT.to_owned());
    }
    match messages::parts(record) {
        Err(_) => (deny, TOO_MUCH.to_owned()),
        Ok(parts) if !all_shown(&parts, posting) => (deny, NOT_YET.to_owned()),
        Ok(_) => (both, String::new()),
    }
}

/// Whether each of these parts of a request is in the post's thread, as it was written.
pub(crate) fn all_shown(parts: &[News], posting: &Posting) -> bool {
    let is_shown = |part: &News| posting.parts.iter().any(|shown| shown.key == part.key && !shown.altered);
    parts.iter().all(is_shown)
}

/// Whether a post offers something else than it may now.
pub(crate) fn offers_less<W: World>(lane: &Lane<W>, record: &Record, posting: &Posting) -> bool {
    let there = posting.post_id.is_some() && !posting.hash.is_empty() && !posting.gone && !posting.requester;
    let there = there && posting.rests.is_none();
    there && offer(lane, record, posting).0 != posting.offers
}

/// Whether a posting of a record that was read at the start needs nobody's attention.
pub(crate) fn is_settled<W: World>(lane: &Lane<W>, record: &Record, posting: &Posting) -> bool {
    // Where another plugin was at it, it may be gone since.
    let settled = posting.altered == Altered::No && !is_foreign(lane, posting) && !offers_less(lane, record, posting);
    posting.gone || posting.requester || posting.rests.is_some() || settled
}

/// Makes the post, or writes it again, and reads it back. Where what stands there is not what was sent, it offers less.
pub(crate) async fn write<W: World>(
    lane: &Lane<W>,
    cluster: &str,
    record: &Record,
    posting: &mut Posting,
) -> Result<(), HostError> {
    let mattermost = lane.world.mattermost();
    loop {
        // Settings that were saved in this moment begin everything anew: what would be written now would name no cluster, or
        // another one, and nobody would find it again.
        if *lane.cluster.desk.cluster.borrow() != cluster {
            return Err(HostError::Unavailable("the settings have changed meanwhile".to_owned()));
        }
        let (offers, why) = offer(lane, record, posting);
        let site = Site { offers, why, ..site(lane, record) };
        // What was settled before another bot could post it anew is told by the post that there is, in its author's name.
        let is_left = record.outcome != Outcome::Pending && is_foreign(lane, posting);
        let user_id = if is_left { posting.bot.clone() } else { String::new() };
        let sent = Post { channel_id: posting.channel_id.clone(), user_id, ..messages::post(&site, record) };
        let post_id = match posting.post_id.clone() {
            None => {
                // Mattermost drops a repeat of the same id, which covers an answer that got lost.
                let bot = lane.host.borrow().bot_user_id.clone();
                // In place of one that somebody deleted a moment ago, it is no repeat.
                let anew = if posting.repairs.is_empty() { String::new() } else { format!(":{}", posting.intent_at.0) };
                let pending_id = format!("{}:{}:{bot}{anew}", record.request.id, posting.channel_id);
                let made = mattermost.create_post(sent.clone(), pending_id).await?;
                posting.post_id = Some(made.id.clone());
                lane.counters.request_posted();
                made.id
            }
            Some(id) => match mattermost.update_post(Post { id: id.clone(), ..sent.clone() }).await {
                Ok(_) => id,
                Err(error @ HostError::Unavailable(_)) => return Err(error),
                // Somebody may have deleted the post: then it is let be.
                Err(error) => match mattermost.get_post(&id).await {
                    Ok(post) if post.delete_at == 0 => {
                        // Perhaps the bot is another one now: a new post takes its place then.
                        posting.bot = post.user_id;
                        return Err(error);
                    }
                    Ok(_) | Err(HostError::NotFound(_)) => {
                        posting.gone = true;
                        return Ok(());
                    }
                    Err(unknown) => return Err(unknown),
                },
            },
        };
        let read = mattermost.get_post(&post_id).await?;
        lane.cluster.desk.changes.read_back(&read);
        let altered = digest::altered(&sent, &read);
        let worse = altered > posting.altered;
        posting.altered = posting.altered.max(altered);
        posting.bot.clone_from(&read.user_id);
        if worse {
            continue;
        }
        posting.offers = if altered == Altered::Buttons { Offers::default() } else { offers };
        posting.hash = digest::of_post(&read);
        posting.shown = record.revision;
        return Ok(());
    }
}

/// Writes down a post of the thread that shows part of the request, after reading it back.
pub(crate) async fn keep_part<W: World>(
    lane: &Lane<W>,
    posting: &mut Posting,
    key: &str,
    post_id: &str,
    sent: Post,
) -> Result<(), HostError> {
    let mattermost = lane.world.mattermost();
    let mut read = mattermost.get_post(post_id).await?;
    if digest::altered(&sent, &read) != Altered::No {
        mattermost.update_post(Post { id: post_id.to_owned(), ..sent.clone() }).await?;
        read = mattermost.get_post(post_id).await?;
    }
    lane.cluster.desk.changes.read_back(&read);
    let altered = digest::altered(&sent, &read);
    posting.altered = posting.altered.max(altered);
    posting.parts.retain(|part| part.key != key);
    let (key, post_id, hash) = (key.to_owned(), post_id.to_owned(), digest::of_post(&read));
    posting.parts.push(Part { key, post_id, hash, altered: !altered.is_no() });
    Ok(())
}

/// Deletes the posts of the thread that show an earlier version of the request.
pub(crate) async fn drop_stale_parts<W: World>(
    lane: &Lane<W>,
    record: &Record,
    posting: &mut Posting,
) -> Result<(), HostError> {
    if record.outcome != Outcome::Pending || posting.parts.is_empty() {
        return Ok(());
    }
    let now = messages::parts(record).unwrap_or_default();
    let stale: Vec<Part> =
        posting.parts.iter().filter(|part| now.iter().all(|news| news.key != part.key)).cloned().collect();
    for part in stale {
        match lane.world.mattermost().delete_post(&part.post_id).await {
            Ok(()) | Err(HostError::NotFound(_)) => {}
            Err(error) => return Err(error),
        }
        posting.parts.retain(|other| other.key != part.key);
        posting.told.retain(|key| *key != part.key);
    }
    Ok(())
}

/// Compares a post and the parts in its thread with what was read back when they were written; has written again what
/// differs, a few times. The error is for the status.
pub(crate) async fn mend<W: World>(
    lane: &Lane<W>,
    record: &Record,
    posting: &mut Posting,
    now: Time,
) -> Result<(), String> {
    let Some(post_id) = posting.post_id.clone() else { return Ok(()) };
    if posting.gone || posting.requester || record.outcome != Outcome::Pending || posting.hash.is_empty() {
        return Ok(());
    }
    if !posting.altered.is_no() {
        // Perhaps whoever changed it does so no more: it is written once as it should be, and so is what the thread shows.
        if posting.take_repair(now) {
            (posting.altered, posting.shown) = (Altered::No, 0);
            let altered: Vec<(Part, bool)> =
                posting.parts.iter().filter(|part| part.altered).map(|part| (part.clone(), true)).collect();
            write_parts_again(lane, posting, altered).await?;
        }
        return Ok(());
    }
    let mattermost = lane.world.mattermost();
    let changed = match mattermost.get_post(&post_id).await {
        Ok(post) if post.delete_at == 0 => digest::of_post(&post) != posting.hash,
        // Whoever deleted the post meant it. Whether another takes its place is a setting.
        Ok(_) | Err(HostError::NotFound(_)) => {
            posting.gone = true;
            return Ok(());
        }
        Err(error) => return Err(error.to_string()),
    };
    let mut missing = Vec::new();
    for part in &posting.parts {
        match mattermost.get_post(&part.post_id).await {
            Ok(post) if post.delete_at == 0 && digest::of_post(&post) == part.hash => {}
            Ok(post) => missing.push((part.clone(), post.delete_at == 0)),
            Err(HostError::NotFound(_)) => missing.push((part.clone(), false)),
            Err(error) => return Err(error.to_string()),
        }
    }
    if !changed && missing.is_empty() {
        return Ok(());
    }
    if !posting.take_repair(now) {
        let text = format!(
            "⚠️ Somebody or something keeps changing the post of access request {} after the plugin has written it, so nobody can decide it there. It is repaired at most three times in ten minutes. Look for another plugin or a script that edits posts.",
            messages::code(&record.request.id)
        );
        notices::tell_admins(lane, &format!("edited:{}:{}", record.request.id, posting.channel_id), &text).await;
        return Err("its post is changed again and again by somebody or something else".to_owned());
    }
    if changed {
        posting.shown = 0;
    }
    write_parts_again(lane, posting, missing).await
}

/// Has parts of a request written into the thread again; those that are still there are deleted first.
async fn write_parts_again<W: World>(
    lane: &Lane<W>,
    posting: &mut Posting,
    parts: Vec<(Part, bool)>,
) -> Result<(), String> {
    for (part, there) in parts {
        posting.parts.retain(|other| other.key != part.key);
        posting.told.retain(|key| *key != part.key);
        posting.telling.push(part.key);
        if there {
            // What was made of it is no use to anybody.
            lane.world.mattermost().delete_post(&part.post_id).await.map_err(|error| error.to_string())?;
        }
    }
    Ok(())
}

/// Takes back what Teleport granted and nobody decided. Says whether Teleport has denied it; where it cannot be denied from
/// here, the admins have been told, and nothing more can be done.
///
/// # Errors
/// Where it is to be tried again.
pub(crate) async fn undo<W: World>(lane: &Lane<W>, granted: &AccessRequest) -> Result<bool, String> {
    let way = lane.cluster.way.borrow().clone();
    let (Some(way), Some(authority)) = (way, authority(lane)) else { return Ok(false) };
    match take_back(lane, &way, authority, granted).await {
        true => Ok(true),
        false if authority == Authority::Approvers => {
            Err("what Teleport granted was not decided here, and could not be denied".to_owned())
        }
        false => Ok(false),
    }
}

/// Whether a posting's post is of a bot that the plugin does not post with any more.
fn is_foreign<W: World>(lane: &Lane<W>, posting: &Posting) -> bool {
    posting.post_id.is_some() && is_of_other_bot(lane, posting)
}

/// Whether another bot has posted it, or was about to.
fn is_of_other_bot<W: World>(lane: &Lane<W>, posting: &Posting) -> bool {
    let bot = lane.host.borrow().bot_user_id.clone();
    !bot.is_empty() && !posting.bot.is_empty() && posting.bot != bot
}

/// Resolves on new posts in place of those of a bot that the plugin does not post with any more. Says whether there are any.
pub(crate) fn retire<W: World>(lane: &Lane<W>, record: &mut Record, now: Time) -> bool {
    let pending = record.outcome == Outcome::Pending;
    let mut retired = Vec::new();
    let is_there = |posting: &&mut Posting| !posting.requester && !posting.gone && posting.rests.is_none();
    for posting in record.postings.iter_mut().filter(is_there) {
        // A post that is written down is told the outcome in its author's name.
        if !is_of_other_bot(lane, posting) || (!pending && posting.post_id.is_some()) {
            continue;
        }
        retired.push(Retired {
            post_id: posting.post_id.clone().unwrap_or_default(),
            bot: posting.bot.clone(),
            channel_id: posting.channel_id.clone(),
            since: Some(posting.intent_at),
            rests: None,
        });
        posting.begin_anew(now);
        posting.bot.clone_from(&lane.host.borrow().bot_user_id);
        // What is settled needs no post any more.
        posting.gone = !pending;
    }
    let any = !retired.is_empty();
    record.retired.append(&mut retired);
    any
}

/// Resolves on new posts in place of those that somebody deleted, where the settings say so: a few times. Says whether there
/// are any.
pub(crate) fn replace_deleted<W: World>(lane: &Lane<W>, record: &mut Record, now: Time) -> bool {
    if !lane.settings().repost_deleted || record.outcome != Outcome::Pending {
        return false;
    }
    let mut any = false;
    for posting in record.postings.iter_mut().filter(|posting| posting.is_deleted()) {
        if posting.take_repair(now) {
            posting.begin_anew(now);
            posting.bot.clone_from(&lane.host.borrow().bot_user_id);
            any = true;
        }
    }
    any
}

/// Whether posts were found deleted that others are to take the place of.
pub(crate) fn has_to_replace<W: World>(lane: &Lane<W>, record: &Record) -> bool {
    let pending = record.outcome == Outcome::Pending;
    lane.settings().repost_deleted && pending && record.postings.iter().any(Posting::is_deleted)
}

/// Whether a post was found deleted just now that another one may take the place of.
pub(crate) fn is_to_be_replaced<W: World>(lane: &Lane<W>, before: &Record, now: &Record) -> bool {
    let deleted = |record: &Record| record.postings.iter().filter(|posting| posting.is_deleted()).count();
    lane.settings().repost_deleted && now.outcome == Outcome::Pending && deleted(now) > deleted(before)
}

/// Takes the buttons away from posts of an earlier bot, once the new ones are there.
pub(crate) async fn disarm<W: World>(lane: &Lane<W>, record: &mut Record) -> Result<(), HostError> {
    let mattermost = lane.world.mattermost();
    for retired in record.retired.clone().into_iter().filter(|retired| retired.rests.is_none()) {
        // Beside the post that is written down there may be copies that are not.
        let mut posts = match retired.since {
            Some(_) => left_by(lane, record, &retired).await?,
            None => Vec::new(),
        };
        if !retired.post_id.is_empty() && posts.iter().all(|post| post.id != retired.post_id) {
            match mattermost.get_post(&retired.post_id).await {
                Ok(post) => posts.push(post),
                Err(HostError::NotFound(_)) => {}
                Err(error) => return Err(error),
            }
        }
        let mut rests = None;
        for post in posts.into_iter().filter(|post| post.delete_at == 0) {
            rests = take_buttons(lane, &retired, post).await?.or(rests);
        }
        record.retired.retain(|other| *other != retired);
        if let Some(why) = rests {
            lane.cluster.desk.resting.add(&retired.channel_id, why, &record.request.id);
            record.retired.push(Retired { rests, ..retired });
        }
    }
    Ok(())
}

/// Takes the buttons away from a post of an earlier bot. Answers why that has to wait, where its channel takes no changes now.
async fn take_buttons<W: World>(lane: &Lane<W>, retired: &Retired, post: Post) -> Result<Option<Rest>, HostError> {
    let mattermost = lane.world.mattermost();
    let mut bare = Post { user_id: retired.bot.clone(), ..post };
    bare.attachments.iter_mut().for_each(|attachment| attachment.actions.clear());
    let mut again = true;
    let error = loop {
        let error = match mattermost.update_post(bare.clone()).await {
            Ok(_) => return Ok(None),
            Err(error @ HostError::Unavailable(_)) => return Err(error),
            Err(error) => error,
        };
        if !retired.channel_id.is_empty()
            && let Some(why) = resting::of_channel(mattermost, &retired.channel_id).await?
        {
            return Ok(Some(why));
        }
        // Its channel may have come back in this moment.
        if !std::mem::take(&mut again) {
            break error;
        }
    };
    // It keeps buttons that decide nothing, as its author is not the bot any more.
    lane.log(
        LogLevel::Warn,
        "A post of an earlier bot keeps its buttons, which decide nothing.",
        &[("post", &retired.post_id), ("error", &error.to_string())],
    );
    Ok(None)
}

/// The posts of a request that an earlier bot has made and nobody has written down.
async fn left_by<W: World>(lane: &Lane<W>, record: &Record, retired: &Retired) -> Result<Vec<Post>, HostError> {
    let since = retired.since.unwrap_or(Time(0)).minus(desk::CLOCK_SKEW);
    let cluster = lane.cluster.desk.cluster.borrow().clone();
    let posts = lane.world.mattermost().list_bot_posts(&retired.channel_id, since.0, &retired.bot).await?;
    let says = |post: &Post, prop: &str, value: &str| post.props.get(prop).is_some_and(|held| held == value);
    let is_its = |post: &Post| {
        says(post, messages::REQUEST_PROP, &record.request.id)
            && says(post, messages::CLUSTER_PROP, &cluster)
            && !post.props.contains_key(messages::NEWS_PROP)
    };
    Ok(posts.into_iter().filter(is_its).collect())
}
