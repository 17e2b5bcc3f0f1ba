//! Keeps the messages about causes true: looks at what holds, plans, writes down what is about to be written, writes it.
//! Only the node that leads does so. A message whose writing was cut short is looked for before it is written again.

use std::collections::HashMap;
use std::rc::Rc;
use std::time::Duration;

use super::causes::{Notice, Sent, State};
use super::{EXPIRES_SECONDS, nowhere};
use crate::app::App;
use crate::desk::{self, CLOCK_SKEW, LANDING};
use crate::mattermost::{ChannelBy, HostError, LogLevel, Mattermost as _, Post, Swap};
use crate::world::World;

/// How often it is looked what holds.
const PAUSE: Duration = Duration::from_secs(15);
/// How many rounds a call may still take effect whose answer nobody saw.
const LANDING_ROUNDS: u64 = LANDING.as_secs() / PAUSE.as_secs() + 1;
/// Where the messages stand that are kept true.
const KEY: &str = "notice:causes";
/// The prop of a message that holds its id.
pub const NOTICE_PROP: &str = "teleport_access_notice";

/// What is remembered from round to round: since which round an admin's post is waited for.
type Waits = HashMap<(String, String, bool), u64>;

/// Keeps them true for as long as these settings are in force and this node leads.
pub(crate) async fn keep<W: World>(app: Rc<App<W>>, epoch: u64) {
    let (mut waits, mut told) = (Waits::new(), None);
    for round in 1.. {
        app.world.sleep(PAUSE).await;
        if !leads(&app, epoch) {
            return;
        }
        let failed = turn(&app, epoch, round, &mut waits).await.err().map(|error| error.to_string());
        if let Some(error) = failed.as_ref().filter(|_| failed != told) {
            let text = "The system admins could not be told what keeps access requests from being seen or decided.";
            app.log(LogLevel::Warn, text, &[("error", error)]);
        }
        told = failed;
    }
}

fn leads<W: World>(app: &App<W>, epoch: u64) -> bool {
    app.epoch.get() == epoch && app.leader.get()
}

/// One round.
async fn turn<W: World>(app: &Rc<App<W>>, epoch: u64, round: u64, waits: &mut Waits) -> Result<(), HostError> {
    let mattermost = app.world.mattermost();
    let raw = mattermost.kv_get(KEY).await?;
    let before: State = match &raw {
        None => State::default(),
        Some(raw) => serde_json::from_slice(raw)
            .map_err(|error| HostError::Invalid(format!("{KEY} cannot be read ({error})")))?,
    };
    let (view, free) = nowhere::look(app, &before.open(), round).await;
    let mut admins = Vec::new();
    if before.has_news(&view) {
        admins = mattermost.system_admins().await?.into_iter().map(|admin| admin.id).collect();
    }
    let mut state = before.clone();
    let new_id = || format!("{:016x}{:016x}", app.world.random(), app.world.random());
    if state.plan(&view, &admins, app.world.now(), new_id) {
        free.iter().for_each(|(lane, id)| desk::try_again(lane, id));
    }
    let due = due(&mut state, round, waits);
    if !leads(app, epoch) || (state == before && due.is_empty()) {
        return Ok(());
    }
    let Some(raw) = save(app, raw, &state).await? else { return Ok(()) };
    for Due { notice, sent, look } in due {
        let Some(notice) = state.notices.get_mut(notice) else { continue };
        let said = notice.clone();
        let Some(sent) = notice.sent.get_mut(sent) else { continue };
        if !leads(app, epoch) {
            return Ok(());
        }
        let wait = (said.id.clone(), sent.admin.clone(), sent.over);
        match write(app, &said, sent, look).await {
            Ok(()) => {
                sent.maybe = false;
                waits.remove(&wait);
            }
            Err(error) => {
                waits.insert(wait, round);
                app.log(LogLevel::Debug, "A message to a system admin failed.", &[("error", &error.to_string())]);
            }
        }
    }
    if leads(app, epoch) {
        save(app, Some(raw), &state).await?;
    }
    Ok(())
}

/// Something to write.
struct Due {
    /// Places in the lists.
    notice: usize,
    sent: usize,
    /// Whether it may be there already.
    look: bool,
}

/// What is to be written in this round: it is marked as what may be there, from now on.
fn due(state: &mut State, round: u64, waits: &mut Waits) -> Vec<Due> {
    let mut all = Vec::new();
    for (place, notice) in state.notices.iter_mut().enumerate() {
        let said = notice.clone();
        for (index, sent) in notice.sent.iter_mut().enumerate().filter(|(_, sent)| said.is_due(sent) || sent.maybe) {
            if sent.maybe {
                // Somebody has begun, perhaps in another process: what they did has its time to show.
                let since = waits.entry((said.id.clone(), sent.admin.clone(), sent.over)).or_insert(round);
                if round < since.saturating_add(LANDING_ROUNDS) {
                    continue;
                }
            }
            all.push(Due { notice: place, sent: index, look: std::mem::replace(&mut sent.maybe, true) });
        }
    }
    all
}

/// Writes down what is kept true. Answers what stands in the store then; none where somebody else was faster.
async fn save<W: World>(app: &App<W>, old: Option<Vec<u8>>, state: &State) -> Result<Option<Vec<u8>>, HostError> {
    let new = serde_json::to_vec(state).map_err(|error| HostError::Invalid(error.to_string()))?;
    let swap = Swap { key: KEY.to_owned(), old, new: Some(new.clone()), expire_seconds: EXPIRES_SECONDS };
    Ok(app.world.mattermost().kv_swap(swap).await?.then_some(new))
}

/// Makes one admin's post say what the notice says. An error is one that leaves open what came of it.
async fn write<W: World>(app: &App<W>, notice: &Notice, sent: &mut Sent, look: bool) -> Result<(), HostError> {
    let mattermost = app.world.mattermost();
    if sent.channel_id.is_empty() {
        match mattermost.get_channel(ChannelBy::DirectUserId(sent.admin.clone())).await {
            Ok(channel) => sent.channel_id = channel.id,
            Err(error @ HostError::Unavailable(_)) => return Err(error),
            Err(_) => {
                sent.given_up = true;
                return Ok(());
            }
        }
    }
    let mark = if sent.over { format!("{}:over", notice.id) } else { notice.id.clone() };
    if look && sent.post_id.is_none() {
        sent.post_id = find(app, notice, sent, &mark).await?;
    }
    let revision = notice.revision_of(sent);
    let post = Post {
        id: sent.post_id.clone().unwrap_or_default(),
        channel_id: sent.channel_id.clone(),
        message: notice.message(sent.over),
        props: [(NOTICE_PROP.to_owned(), mark.clone())].into(),
        ..Default::default()
    };
    let written = if sent.post_id.is_some() {
        mattermost.update_post(post).await
    } else if notice.is_over() && !sent.over {
        // It is over before it was told.
        sent.given_up = true;
        return Ok(());
    } else {
        mattermost.create_post(post, format!("notice:{mark}:{}", sent.admin)).await
    };
    match written {
        Ok(post) => (sent.post_id, sent.shown) = (Some(post.id), revision),
        Err(error @ HostError::Unavailable(_)) => return Err(error),
        // Somebody deleted it, or nothing can be written to them: it is left at that.
        Err(_) if sent.post_id.is_some() => sent.shown = revision,
        Err(_) => sent.given_up = true,
    }
    Ok(())
}

/// The post that somebody made without having seen it made. Should there be several, the oldest stays.
async fn find<W: World>(app: &App<W>, notice: &Notice, sent: &Sent, mark: &str) -> Result<Option<String>, HostError> {
    let mattermost = app.world.mattermost();
    let since = notice.since.minus(CLOCK_SKEW);
    let posts = mattermost.list_bot_posts(&sent.channel_id, since.0, "").await?;
    let is_it = |post: &Post| post.delete_at == 0 && post.props.get(NOTICE_PROP).is_some_and(|is| is == mark);
    let mut found: Vec<Post> = posts.into_iter().filter(is_it).collect();
    found.sort_by_key(|post| (post.create_at, post.id.clone()));
    let mut found = found.into_iter().map(|post| post.id);
    let stays = found.next();
    for copy in found {
        mattermost.delete_post(&copy).await?;
    }
    Ok(stays)
}
