//! Whether this person may decide this request: what the click shows of itself, who clicked, and what the rules say.

use std::rc::Rc;
use std::time::Duration;

use super::session::{self, SessionKind};
use super::votes::{Needed, of_thresholds};
use super::{Attempt, Refused};
use crate::app::{App, NoWay};
use crate::authority;
use crate::cluster::Lane;
use crate::config::Authority;
use crate::desk;
use crate::identity::{self, Identity, Kept, Unclear};
use crate::ledger::{self, Offers, Outcome, Posting, Record};
use crate::mattermost::{ChannelBy, HostError, Mattermost, Post, User, UserBy};
use crate::messages::{self, CLUSTER_PROP, REQUEST_PROP};
use crate::policy;
use crate::requests::{deliver, digest, expiry, resting};
use crate::rules::{links, mapping, pins};
use crate::session::{self as connection, Way};
use crate::teleport::{AccessRequest, Kind, State, Teleport as _, TeleportError, fields};
use crate::world::World;

/// How long before a request expires nothing is approved any more on servers where somebody may file another one under the
/// same id: the check and the call are not one.
const LAST_MOMENTS: Duration = Duration::from_secs(10);

/// Somebody who may decide as far as is known without asking Teleport for the request, and all that it takes.
pub(super) struct Authorized<W: World> {
    pub(super) user: User,
    /// How they signed in.
    pub(super) session: SessionKind,
    /// The channel of the post that they saw.
    pub(super) channel_id: String,
    pub(super) lane: Lane<W>,
    pub(super) way: Rc<Way<W>>,
    /// `Teleport`, `Approvers` or `Reviewer`.
    pub(super) authority: Authority,
    pub(super) identity: Identity,
    /// What is remembered of the account.
    kept: Kept,
    /// The record of the request.
    record: Record,
    /// What the buttons of the post that they saw let people do.
    pub(super) offers: Offers,
    /// Part of what is asked for is shown in the post's thread.
    pub(super) has_parts: bool,
}

/// The request as Teleport has it now, and what it takes to decide it.
pub(super) struct Current {
    pub(super) request: AccessRequest,
    /// The Teleport user whose review it would be; empty where it would be none's.
    pub(super) author: String,
    /// How many people must agree.
    pub(super) needed: Needed,
}

/// What a click shows of itself, before anybody asks what it is about.
struct Seen {
    user: User,
    session: SessionKind,
    record: Record,
    posting: Posting,
    /// Part of what is asked for does not fit into the post.
    has_parts: bool,
}

/// How often, and after which pause, a click is looked at again whose post is just being written: the post and what is known
/// of it are not changed at once.
const LOOKS: u32 = 4;
const LOOK_PAUSE: Duration = Duration::from_millis(250);

/// Whether the one who attempts may decide, as far as is known here: those who may not learn nothing from what Teleport
/// says of the request.
pub(super) async fn admit<W: World>(app: &Rc<App<W>>, attempt: &Attempt) -> Result<Authorized<W>, Refused> {
    let Seen { user, session, record, posting, has_parts } = seen(app, attempt).await?;
    let (lane, way) = app.way(&attempt.cluster).await.map_err(|none| match none {
        NoWay::Unknown => Refused::OtherCluster(attempt.cluster.clone()),
        NoWay::Down(trouble) => Refused::NotConnected(trouble),
    })?;
    let (mattermost, settings) = (app.world.mattermost(), app.settings());
    let authority = authority::settled(mattermost, settings.authority, &way.cluster, &way.server).await?;
    let (kept, identity) = who_is(app, &lane, &way, authority, &user).await?;
    let (channel_id, offers) = (posting.channel_id, posting.offers);
    let authorized =
        Authorized { user, session, channel_id, lane, way, authority, identity, kept, record, offers, has_parts };
    may_decide(app, &authorized, &authorized.record.request, attempt.state).await?;
    if resting::of_channel(mattermost, &authorized.channel_id).await.map_err(Refused::Mattermost)?.is_some() {
        return Err(Refused::Archived);
    }
    links::note_clicker(app, &authorized.user, &authorized.identity, &authorized.way.cluster).await;
    // What has been decided is told by what Teleport says.
    if authorized.record.outcome == Outcome::Pending && !offers.has(attempt.state) {
        return Err(Refused::NotOffered);
    }
    Ok(authorized)
}

/// Looks until the post is not just being written. What then is not as it was written is written again.
async fn seen<W: World>(app: &Rc<App<W>>, attempt: &Attempt) -> Result<Seen, Refused> {
    let mut looks = 1;
    loop {
        match look(app, attempt).await {
            Err(refused) if refused.is_of_the_post() && looks < LOOKS => {
                looks += 1;
                app.world.sleep(LOOK_PAUSE).await;
            }
            Err(refused) if refused.is_of_the_post() => {
                desk::look_at(app, &attempt.cluster, &attempt.request_id).await;
                return Err(refused);
            }
            answer => return answer,
        }
    }
}

async fn look<W: World>(app: &Rc<App<W>>, attempt: &Attempt) -> Result<Seen, Refused> {
    let mattermost = app.world.mattermost();
    let settings = app.settings();
    // Four looks that do not depend on each other.
    let (user, signed_in, stored, post) = futures::join!(
        mattermost.get_user(UserBy::Id(attempt.user_id.clone())),
        session_of(mattermost, &attempt.origin.session_id),
        ledger::load(mattermost, &attempt.cluster, &attempt.request_id),
        find_post(mattermost, &attempt.post_id),
    );
    let user = user.map_err(Refused::Mattermost)?;
    let session = session::judge(&signed_in?, &user.id, settings.session_max_age, app.world.now())?;
    let stored = stored.map_err(|error| match error {
        ledger::LedgerError::Host(error) => Refused::Mattermost(error),
        other => Refused::Unreadable(other.to_string()),
    })?;
    let record = stored.ok_or(Refused::OtherPost)?.record;
    let post = post?.ok_or(Refused::OtherPost)?;
    let bot = app.host.borrow().bot_user_id.clone();
    let posting = posting_of(&record, &post, &bot, attempt)?.clone();
    policy::is_fit(&settings, &user)?;
    what_was_seen(&record, &posting, &post, attempt)?;
    let parts = messages::parts(&record).unwrap_or_default();
    if attempt.state == State::Approved && record.outcome == Outcome::Pending {
        if !deliver::all_shown(&parts, &posting) {
            return Err(Refused::PartsChanged);
        }
        parts_as_shown(mattermost, &posting).await?;
    }
    Ok(Seen { user, session, record, posting, has_parts: !parts.is_empty() })
}

/// Who somebody is in Teleport, and what is remembered of them.
async fn who_is<W: World>(
    app: &Rc<App<W>>,
    lane: &Lane<W>,
    way: &Way<W>,
    authority: Authority,
    user: &User,
) -> Result<(Kept, Identity), Refused> {
    let (settings, directory, now) = (app.settings(), &lane.cluster.directory, app.world.now());
    let (mattermost, teleport) = (app.world.mattermost(), &way.teleport);
    let no_identity = |error| Refused::NoIdentity(explain(lane, error));
    let kept = identity::kept(mattermost, user).await.map_err(Refused::Mattermost)?;
    let place = identity::Place { settings: &settings, cluster: &way.cluster, directory, now };
    let mut identity = match identity::of(mattermost, teleport, &place, user, &kept).await {
        Ok(identity) => identity,
        Err(identity::Unknown::Teleport(error)) => return Err(no_identity(error)),
        Err(identity::Unknown::Mattermost(error)) => return Err(Refused::Mattermost(error)),
    };
    if authority == Authority::Teleport {
        identity::with_exact_name(&mut identity, directory, teleport, now).await.map_err(no_identity)?;
    }
    Ok((kept, identity))
}

/// Which Teleport user somebody is whose request this surely is not; none where they are nobody and need not be anybody.
async fn somebody_else<W: World>(
    app: &Rc<App<W>>,
    authorized: &Authorized<W>,
    (user, kept, identity): (&User, &Kept, &Identity),
    request: &AccessRequest,
) -> Result<Option<String>, Refused> {
    let Authorized { way, authority, record, .. } = authorized;
    let clicker = links::Clicker { user, identity, kept, record };
    // In every authority, and whatever points to the requester, or once did.
    let (settings, directory, now) = (app.settings(), &authorized.lane.cluster.directory, app.world.now());
    let place = identity::Place { settings: &settings, cluster: &way.cluster, directory, now };
    links::not_own(app.world.mattermost(), &way.teleport, &place, &clicker, request).await?;
    match identity.user() {
        Ok(user) => Ok(Some(user.to_owned())),
        Err(Unclear::Unmapped)
            if *authority != Authority::Teleport
                && !mapping::required(app, &way.cluster).await.map_err(Refused::Mattermost)? =>
        {
            Ok(None)
        }
        Err(unclear) => Err(unclear.into()),
    }
}

async fn session_of<M: Mattermost>(mattermost: &M, id: &str) -> Result<crate::mattermost::Session, Refused> {
    if id.is_empty() {
        return Err(session::Unfit::Unknown.into());
    }
    match mattermost.get_session(id).await {
        Ok(session) => Ok(session),
        Err(HostError::NotFound(_) | HostError::Invalid(_)) => Err(session::Unfit::Unknown.into()),
        Err(error) => Err(Refused::Mattermost(error)),
    }
}

/// The post; none where there is none of this id.
async fn find_post<M: Mattermost>(mattermost: &M, id: &str) -> Result<Option<Post>, Refused> {
    if id.is_empty() {
        return Ok(None);
    }
    match mattermost.get_post(id).await {
        Ok(post) => Ok(Some(post)),
        Err(HostError::NotFound(_) | HostError::Invalid(_)) => Ok(None),
        Err(error) => Err(Refused::Mattermost(error)),
    }
}

/// The posting that a post stands for. Only a root post that this plugin's bot wrote, that is not deleted, says that it is
/// about this request, and is the one in its channel that is written down.
fn posting_of<'a>(record: &'a Record, post: &Post, bot: &str, attempt: &Attempt) -> Result<&'a Posting, Refused> {
    if bot.is_empty() {
        return Err(Refused::NoBot);
    }
    let says = |prop: &str, value: &str| post.props.get(prop).is_some_and(|held| held == value);
    let genuine = post.id == attempt.post_id
        && post.user_id == bot
        && post.root_id.is_empty()
        && post.delete_at == 0
        && says(REQUEST_PROP, &attempt.request_id)
        && says(CLUSTER_PROP, &attempt.cluster)
        && !post.props.contains_key(messages::NEWS_PROP);
    let mut postings = record.postings.iter().filter(|posting| !posting.requester);
    let posting = postings.find(|posting| posting.channel_id == post.channel_id);
    match posting {
        Some(posting) if genuine && posting.post_id.as_ref() == Some(&post.id) => Ok(posting),
        Some(posting) if genuine && posting.post_id.is_none() => Err(Refused::NotReady),
        _ => Err(Refused::OtherPost),
    }
}

/// Whether the post still says what was written, and is about the request that is known.
fn what_was_seen(record: &Record, posting: &Posting, post: &Post, attempt: &Attempt) -> Result<(), Refused> {
    if posting.hash.is_empty() {
        return Err(Refused::NotReady);
    }
    if digest::of_post(post) != posting.hash {
        return Err(Refused::PostChanged);
    }
    if attempt.digest.is_empty() || attempt.digest != record.digest {
        return Err(Refused::Replaced);
    }
    Ok(())
}

/// Whether what did not fit into the post is still in its thread as it was written.
async fn parts_as_shown<M: Mattermost>(mattermost: &M, posting: &Posting) -> Result<(), Refused> {
    for part in &posting.parts {
        let as_written = |post: &Post| post.delete_at == 0 && digest::of_post(post) == part.hash;
        if !find_post(mattermost, &part.post_id).await?.is_some_and(|post| as_written(&post)) {
            return Err(Refused::PartsChanged);
        }
    }
    Ok(())
}

/// Whether somebody may decide this request, whoever asks. Answers the Teleport user whose review it would be (empty where
/// it would be none's), and how many people must agree.
pub(super) async fn may_decide<W: World>(
    app: &Rc<App<W>>,
    authorized: &Authorized<W>,
    request: &AccessRequest,
    state: State,
) -> Result<(String, Needed), Refused> {
    let clicker = (&authorized.user, &authorized.kept, &authorized.identity);
    let known = somebody_else(app, authorized, clicker, request).await?;
    let mut needed = Needed::ONE;
    if authorized.authority != Authority::Teleport {
        needed = rules_let(app, &authorized.user, &authorized.channel_id, &authorized.way.cluster, request).await?;
    }
    if request.state == State::Pending && state == State::Approved {
        if request.kind == Kind::LongTerm {
            return Err(Refused::LongTerm);
        }
        let approvable = fields::is_approvable(app.world.mattermost(), &authorized.way.cluster, request).await;
        if !approvable.map_err(Refused::Mattermost)? {
            return Err(Refused::Unknown);
        }
    }
    let author = match authorized.authority {
        Authority::Approvers => {
            if !app.settings().overrule_thresholds {
                needed = needed.and(of_thresholds(request)?);
            }
            return Ok((String::new(), needed));
        }
        Authority::Reviewer => authorized.way.credentials.as_ref().map(|usable| usable.user.clone()),
        Authority::Teleport | Authority::Auto => known,
    };
    let author = author.ok_or(Refused::Identity(Unclear::Unmapped))?;
    if request.reviews.iter().any(|review| review.author == author) {
        return Err(Refused::AlreadyReviewed(match authorized.authority {
            Authority::Reviewer => "the plugin".to_owned(),
            _ => format!("Teleport user {}", messages::code(&author)),
        }));
    }
    Ok((author, needed))
}

/// Whether the rules of the settings let somebody decide, and how many people must agree. What the names in the settings
/// mean, and what the channel is, is read afresh.
async fn rules_let<W: World>(
    app: &App<W>,
    user: &User,
    channel_id: &str,
    cluster: &str,
    request: &AccessRequest,
) -> Result<Needed, policy::Refusal> {
    let (settings, mattermost) = (app.settings(), app.world.mattermost());
    let (pins, channel) =
        futures::join!(pins::load(mattermost), mattermost.get_channel(ChannelBy::Id(channel_id.to_owned())));
    policy::may_decide(mattermost, &settings, &pins?, user, &channel?, cluster, request).await
}

/// Who somebody is who voted before, or who reviewed in Teleport, if they could decide now: the same questions as for a
/// clicker, except for the click itself.
pub(super) async fn could_decide<W: World>(
    app: &Rc<App<W>>,
    authorized: &Authorized<W>,
    user: User,
    channel_id: &str,
    request: &AccessRequest,
) -> Result<Option<Identity>, Refused> {
    let settings = app.settings();
    if policy::is_fit(&settings, &user).is_err() {
        return Ok(None);
    }
    let (lane, way) = (&authorized.lane, &authorized.way);
    let (kept, identity) = who_is(app, lane, way, authorized.authority, &user).await?;
    match somebody_else(app, authorized, (&user, &kept, &identity), request).await {
        Ok(_) => {}
        Err(Refused::Policy(_) | Refused::Identity(_) | Refused::TooManyNames(_)) => return Ok(None),
        Err(unknown) => return Err(unknown),
    }
    match rules_let(app, &user, channel_id, &way.cluster, request).await {
        Ok(_) => Ok(Some(identity)),
        Err(unknown @ policy::Refusal::Unknown(_)) => Err(unknown.into()),
        Err(_) => Ok(None),
    }
}

/// The request as Teleport has it, if it is still pending, is what was shown, and the person may decide it.
pub(super) async fn pending<W: World>(
    app: &Rc<App<W>>,
    attempt: &Attempt,
    authorized: &Authorized<W>,
) -> Result<Current, Refused> {
    let request = match authorized.way.teleport.get(&attempt.request_id).await {
        Ok(Some(request)) => request,
        Ok(None) => return Err(gone(authorized).await),
        Err(error) => return Err(Refused::NotConnected(explain(&authorized.lane, error))),
    };
    if digest::of_request(&attempt.cluster, &request) != attempt.digest && request.state == State::Pending {
        desk::look_at(app, &attempt.cluster, &attempt.request_id).await;
        return Err(Refused::Replaced);
    }
    if request.state != State::Pending {
        return Err(Refused::AlreadySettled(super::execution::settled(app, &attempt.cluster, &request).await));
    }
    let (author, needed) = may_decide(app, authorized, &request, attempt.state).await?;
    let timely = in_time(app, attempt, authorized, &request);
    if matches!(timely, Err(Refused::Expired(_))) {
        desk::look_at(app, &attempt.cluster, &attempt.request_id).await;
    }
    timely?;
    Ok(Current { request, author, needed })
}

/// Why Teleport does not know a request: it is gone, or the plugin's user may not see it any more.
pub(super) async fn gone<W: World>(authorized: &Authorized<W>) -> Refused {
    match connection::not_shown(&authorized.way.teleport).await {
        Ok(Some(cure)) => Refused::NotShown(cure),
        Ok(None) => Refused::Gone,
        Err(error) => Refused::NotConnected(explain(&authorized.lane, error)),
    }
}

/// Whether a request has not expired, whatever Teleport still lists; and whether one that is to be approved does not expire in
/// the next moments, where another one could take its id.
pub(super) fn in_time<W: World>(
    app: &App<W>,
    attempt: &Attempt,
    authorized: &Authorized<W>,
    request: &AccessRequest,
) -> Result<(), Refused> {
    let now = app.world.now();
    let known = authorized.record.outcome;
    if let Some(expires) = request.expires
        && (known == Outcome::Expired || expiry::is_over(request, Some(known), now))
    {
        return Err(Refused::Expired(expires));
    }
    let soon = now.plus(LAST_MOMENTS);
    let ends_soon = request.expires.is_some_and(|expires| expires <= soon);
    if attempt.state == State::Approved && ends_soon && !authorized.way.server.assigns_ids() {
        return Err(Refused::TooLate);
    }
    Ok(())
}

/// What a failure of Teleport's means, in words.
pub(super) fn explain<W: World>(lane: &Lane<W>, error: TeleportError) -> String {
    match &lane.cluster.settings().address {
        Some(address) => connection::explain(address, error).message,
        None => error.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::time::Time;

    fn record() -> Record {
        let mut record = Record::new(AccessRequest { id: "r".into(), ..Default::default() });
        record.digest = "d".into();
        record.postings.push(Posting { post_id: Some("p".into()), ..Posting::new("c".into(), Time(1)) });
        record
    }

    fn post() -> Post {
        Post {
            id: "p".into(),
            channel_id: "c".into(),
            user_id: "bot".into(),
            props: [(REQUEST_PROP.to_owned(), "r".to_owned()), (CLUSTER_PROP.to_owned(), "tp".to_owned())].into(),
            ..Default::default()
        }
    }

    fn attempt() -> Attempt {
        Attempt {
            user_id: "u".into(),
            post_id: "p".into(),
            cluster: "tp".into(),
            request_id: "r".into(),
            state: State::Approved,
            digest: "d".into(),
            origin: Default::default(),
        }
    }

    #[test]
    fn only_the_bots_own_post_of_the_request_counts() {
        let judge =
            |post: Post| posting_of(&record(), &post, "bot", &attempt()).map(|posting| posting.channel_id.clone());
        assert_eq!(judge(post()), Ok("c".into()));
        let changes: [fn(&mut Post); 8] = [
            |post| post.user_id = "mallory".into(),
            |post| post.root_id = "root".into(),
            |post| post.delete_at = 1,
            |post| post.channel_id = "other".into(),
            |post| post.id = "other".into(),
            |post| drop(post.props.insert(REQUEST_PROP.into(), "other".into())),
            |post| drop(post.props.remove(CLUSTER_PROP)),
            |post| drop(post.props.insert(messages::NEWS_PROP.into(), "outcome".into())),
        ];
        for (number, change) in changes.iter().enumerate() {
            let mut post = post();
            change(&mut post);
            assert_eq!(judge(post), Err(Refused::OtherPost), "change {number}");
        }
        assert_eq!(posting_of(&record(), &post(), "", &attempt()), Err(Refused::NoBot));
    }

    #[test]
    fn while_a_posting_has_no_post_id_no_claimed_one_is_taken_for_it() {
        let mut record = record();
        record.postings.iter_mut().for_each(|posting| posting.post_id = None);
        assert_eq!(posting_of(&record, &post(), "bot", &attempt()), Err(Refused::NotReady));
        let forged = Post { user_id: "mallory".into(), ..post() };
        assert_eq!(posting_of(&record, &forged, "bot", &attempt()), Err(Refused::OtherPost));
    }

    #[test]
    fn a_click_counts_for_what_was_written_and_shown() {
        let mut record = record();
        let shown = post();
        let hash = digest::of_post(&shown);
        let posting = Posting { hash, ..Posting::new("c".into(), Time(1)) };
        let seen = |record: &Record, posting: &Posting, post: &Post, attempt: &Attempt| {
            what_was_seen(record, posting, post, attempt)
        };
        assert_eq!(seen(&record, &posting, &shown, &attempt()), Ok(()));
        let edited = Post { message: "lunch?".into(), ..shown.clone() };
        assert_eq!(seen(&record, &posting, &edited, &attempt()), Err(Refused::PostChanged));
        let unread = Posting { hash: String::new(), ..posting.clone() };
        assert_eq!(seen(&record, &unread, &shown, &attempt()), Err(Refused::NotReady));
        let old = Attempt { digest: String::new(), ..attempt() };
        assert_eq!(seen(&record, &posting, &shown, &old), Err(Refused::Replaced));
        record.digest = "another".into();
        assert_eq!(seen(&record, &posting, &shown, &attempt()), Err(Refused::Replaced));
    }
}
