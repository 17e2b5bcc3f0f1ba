//! The core's ports on simulated servers.

use std::cell::Cell;
use std::future::Future;
use std::rc::Rc;
use std::time::Duration;

use futures::channel::{mpsc, oneshot};
use futures::executor::LocalSpawner;
use futures::future::{FutureExt, LocalBoxFuture};
use futures::task::LocalSpawnExt;
use teleport_access_core::bridge::{Bridge, CredentialFacts, Credentials, Endpoint, RouteFacts, Signature};
use teleport_access_core::mattermost::{
    Bot, Channel, ChannelBy, Dialog, Group, GroupBy, HostError, LogLevel, Mattermost, Membership, Post, Session, Swap,
    Team, User, UserBy,
};
use teleport_access_core::proto::bridge::Route;
use teleport_access_core::requests::digest;
use teleport_access_core::teleport::{
    AccessRequest, Decision, Event, Failure, Review, Rights, ServerInfo, State, Teleport, TeleportError, Threshold,
    Verdict,
};
use teleport_access_core::time::Time;
use teleport_access_core::world::World;

use crate::servers::{Applied, Opened, Watcher};
use crate::sim::{HOST_TIMEOUT, Reached, Sim, TELEPORT_TIMEOUT};

/// One node's view of the world.
pub struct NodeWorld {
    pub sim: Rc<Sim>,
    pub mattermost: SimMattermost,
    pub bridge: SimBridge,
    pub node: usize,
    /// How far this node's clock is off.
    pub skew: Rc<Cell<i64>>,
    pub spawner: LocalSpawner,
}

impl World for NodeWorld {
    type Mattermost = SimMattermost;
    type Teleport = SimTeleport;
    type Bridge = SimBridge;

    fn mattermost(&self) -> &SimMattermost {
        &self.mattermost
    }

    fn bridge(&self) -> &SimBridge {
        &self.bridge
    }

    fn teleport(&self, destination: &str) -> SimTeleport {
        SimTeleport { sim: Rc::clone(&self.sim), node: self.node, destination: destination.to_owned() }
    }

    fn now(&self) -> Time {
        Time(self.sim.now() + self.skew.get())
    }

    fn sleep(&self, span: Duration) -> LocalBoxFuture<'static, ()> {
        let (wake, woken) = oneshot::channel();
        self.sim.later(span.as_millis() as i64, move || {
            let _ = wake.send(());
        });
        woken.map(|_| ()).boxed_local()
    }

    fn random(&self) -> u64 {
        self.sim.random(|rng| rng.u64(..))
    }

    fn secret(&self) -> Option<u64> {
        (!self.sim.no_chance.get()).then(|| self.sim.random(|rng| rng.u64(..)))
    }

    fn spawn(&self, task: LocalBoxFuture<'static, ()>) {
        let _ = self.spawner.spawn_local(task);
    }
}

/// Mattermost, as one node reaches it.
pub struct SimMattermost {
    pub sim: Rc<Sim>,
    pub node: usize,
}

impl SimMattermost {
    fn call<T: 'static>(
        &self,
        what: &'static str,
        effect: impl FnOnce(&Sim) -> Result<T, HostError> + 'static,
    ) -> impl Future<Output = Result<T, HostError>> + 'static {
        let unavailable = |text: &str| HostError::Unavailable(text.to_owned());
        self.sim.call(what, HOST_TIMEOUT, unavailable, unavailable, effect)
    }
}

impl Mattermost for SimMattermost {
    async fn create_post(&self, post: Post, pending_id: String) -> Result<Post, HostError> {
        let key = (self.node, pending_id);
        self.call("create_post", move |sim| {
            let now = sim.now();
            let mut server = sim.mattermost.borrow_mut();
            // Direct channels cannot be archived.
            if server.archived && !post.channel_id.starts_with("direct-") {
                return Err(HostError::Invalid("the channel is archived".to_owned()));
            }
            if server.refuses_posts && !post.channel_id.starts_with("direct-") {
                return Err(HostError::Denied("the bot may not post there".to_owned()));
            }
            if let Some((id, at)) = server.pending_ids.get(&key).cloned()
                && now - at < 30_000
                && let Some(post) = server.posts.get(&id)
            {
                return Ok(post.clone());
            }
            let made = server.create(now, post);
            server.pending_ids.insert(key, (made.id.clone(), now));
            let id = made.props.get("teleport_access_request").cloned().unwrap_or_default();
            sim.note(|| format!("{} is created for {id} in {}", made.id, made.channel_id));
            Ok(made)
        })
        .await
    }

    async fn update_post(&self, post: Post) -> Result<Post, HostError> {
        self.call("update_post", move |sim| {
            let now = sim.now();
            let mut server = sim.mattermost.borrow_mut();
            let mut post = post;
            server.rewrite(&mut post);
            let author = if post.user_id.is_empty() { server.bot().to_owned() } else { post.user_id.clone() };
            let archived = server.archived;
            let (id, mut written) = (post.id.clone(), false);
            let answer = match server.posts.get_mut(&post.id) {
                Some(stands) if stands.user_id != author => {
                    Err(HostError::Denied("the post is not the bot's".to_owned()))
                }
                Some(stands) if archived && !stands.channel_id.starts_with("direct-") => {
                    Err(HostError::Invalid("posts in archived channels cannot be edited".to_owned()))
                }
                Some(stands) if stands.delete_at == 0 => {
                    stands.message = post.message;
                    stands.attachments = post.attachments;
                    stands.props = post.props;
                    stands.file_ids = post.file_ids;
                    stands.update_at = now;
                    written = true;
                    sim.note(|| format!("{} now says {:?}", stands.id, stands.message));
                    Ok(stands.clone())
                }
                Some(_) => Err(HostError::Invalid("the post is deleted".to_owned())),
                None => Err(HostError::NotFound("no such post".to_owned())),
            };
            if written {
                server.written.insert(id, now);
            }
            answer
        })
        .await
    }

    async fn get_post(&self, id: &str) -> Result<Post, HostError> {
        let id = id.to_owned();
        self.call("get_post", move |sim| {
            sim.mattermost.borrow().posts.get(&id).cloned().ok_or(HostError::NotFound("no such post".to_owned()))
        })
        .await
    }

    async fn delete_post(&self, id: &str) -> Result<(), HostError> {
        let id = id.to_owned();
        self.call("delete_post", move |sim| {
            let now = sim.now();
            let mut server = sim.mattermost.borrow_mut();
            let archived = server.archived;
            if let Some(post) = server.posts.get_mut(&id) {
                if archived && !post.channel_id.starts_with("direct-") {
                    return Err(HostError::Invalid("posts in archived channels cannot be deleted".to_owned()));
                }
                sim.note(|| format!("{id} is deleted as a copy"));
                post.delete_at = now;
            }
            Ok(())
        })
        .await
    }

    async fn list_bot_posts(&self, channel_id: &str, since: i64, author: &str) -> Result<Vec<Post>, HostError> {
        let (channel_id, author) = (channel_id.to_owned(), author.to_owned());
        self.call("list_bot_posts", move |sim| {
            let server = sim.mattermost.borrow();
            let there = |post: &&Post| {
                post.user_id == if author.is_empty() { server.bot() } else { author.as_str() }
                    && post.channel_id == channel_id
                    && post.create_at >= since
                    && post.delete_at == 0
            };
            Ok(server.posts.values().filter(there).cloned().collect())
        })
        .await
    }

    async fn send_ephemeral(&self, user_id: &str, post: Post) -> Result<(), HostError> {
        let user = user_id.to_owned();
        self.call("send_ephemeral", move |sim| {
            sim.note(|| format!("{user} reads: {}", post.message));
            if post.root_id.is_empty() {
                sim.mattermost.borrow_mut().whispers.push(post.message);
            } else {
                sim.mattermost.borrow_mut().hints.push((user, post));
            }
            Ok(())
        })
        .await
    }

    async fn open_dialog(&self, trigger_id: &str, _: String, dialog: Dialog) -> Result<(), HostError> {
        let mut words = trigger_id.split('|').map(str::to_owned);
        let mut word = || words.next().unwrap_or_default();
        let opened = Opened { user: word(), request: word(), digest: word(), post: word(), dialog };
        self.call("open_dialog", move |sim| {
            sim.note(|| format!("{} sees the dialog {}", opened.user, opened.dialog.title));
            sim.mattermost.borrow_mut().dialogs.push(opened);
            Ok(())
        })
        .await
    }

    async fn get_user(&self, by: UserBy) -> Result<User, HostError> {
        self.call("get_user", move |sim| {
            let server = sim.mattermost.borrow();
            let matches = |user: &&User| match &by {
                UserBy::Id(id) => user.id == *id,
                UserBy::Username(name) => user.username == *name,
                UserBy::Email(email) => user.email == *email,
            };
            server.users.values().find(matches).cloned().ok_or(HostError::NotFound("no such user".to_owned()))
        })
        .await
    }

    async fn system_admins(&self) -> Result<Vec<User>, HostError> {
        self.call("system_admins", |sim| {
            Ok(sim.mattermost.borrow().users.values().filter(|user| user.is_system_admin).cloned().collect())
        })
        .await
    }

    async fn get_channel(&self, by: ChannelBy) -> Result<Channel, HostError> {
        self.call("get_channel", move |sim| {
            let server = sim.mattermost.borrow();
            let id = match by {
                ChannelBy::Id(id) => id,
                ChannelBy::Name(name) => match server.renamed_channels.get(&name.channel) {
                    Some(id) if id.is_empty() => return Err(HostError::NotFound("no such channel".to_owned())),
                    Some(id) => id.clone(),
                    None => format!("channel-{}", name.channel),
                },
                ChannelBy::DirectUserId(user) => format!("direct-{user}"),
            };
            let (team_id, kind) = match id.starts_with("direct-") {
                true => ("", "D"),
                false if server.public => ("team", "O"),
                false => ("team", "P"),
            };
            let other = id.strip_prefix("direct-");
            let called = server.called.get(&id).cloned();
            let name = called.unwrap_or_else(|| match other {
                Some(other) => format!("{}__{other}", server.bot()),
                None => id.trim_start_matches("channel-").to_owned(),
            });
            let delete_at = i64::from(server.archived && other.is_none());
            let (team_id, r#type) = (team_id.to_owned(), kind.to_owned());
            Ok(Channel { id, team_id, name, r#type, delete_at, ..Default::default() })
        })
        .await
    }

    async fn channel_membership(&self, channel_id: &str, user_id: &str) -> Result<Membership, HostError> {
        let key = (channel_id.to_owned(), user_id.to_owned());
        self.call("channel_membership", move |sim| {
            Ok(sim.mattermost.borrow().memberships.get(&key).copied().unwrap_or_default())
        })
        .await
    }

    async fn team_membership(&self, team_id: &str, user_id: &str) -> Result<Membership, HostError> {
        self.channel_membership(team_id, user_id).await
    }

    async fn get_team(&self, id: &str) -> Result<Team, HostError> {
        let id = id.to_owned();
        self.call("get_team", move |sim| {
            let server = sim.mattermost.borrow();
            let name = server.called.get(&id).cloned().unwrap_or_else(|| "ops".to_owned());
            Ok(Team { id, name, delete_at: i64::from(server.team_archived), ..Default::default() })
        })
        .await
    }

    async fn get_bot(&self, user_id: &str) -> Result<Bot, HostError> {
        let user_id = user_id.to_owned();
        self.call("get_bot", move |sim| {
            let server = sim.mattermost.borrow();
            let owner = if server.bot_owner.is_empty() { "the.plugin" } else { server.bot_owner };
            let (owner_id, delete_at) = (owner.to_owned(), i64::from(server.bot_disabled));
            Ok(Bot { username: user_id.clone(), user_id, owner_id, delete_at })
        })
        .await
    }

    async fn get_group(&self, by: GroupBy) -> Result<Group, HostError> {
        self.call("get_group", move |sim| {
            let server = sim.mattermost.borrow();
            let matches = |group: &&Group| match &by {
                GroupBy::Id(id) => group.id == *id,
                GroupBy::Name(name) => group.name == *name,
            };
            server.groups.iter().find(matches).cloned().ok_or(HostError::NotFound("no such group".to_owned()))
        })
        .await
    }

    async fn is_group_member(&self, group_id: &str, user_id: &str) -> Result<bool, HostError> {
        let key = (group_id.to_owned(), user_id.to_owned());
        self.call("is_group_member", move |sim| Ok(sim.mattermost.borrow().memberships.contains_key(&key))).await
    }

    async fn group_users(&self, group_id: &str, page: i32, per_page: i32) -> Result<Vec<User>, HostError> {
        self.channel_users(group_id, page, per_page).await
    }

    async fn channel_users(&self, channel_id: &str, page: i32, per_page: i32) -> Result<Vec<User>, HostError> {
        let channel_id = channel_id.to_owned();
        self.call("members", move |sim| {
            let server = sim.mattermost.borrow();
            let mut ids: Vec<&String> =
                server.memberships.keys().filter(|(place, _)| *place == channel_id).map(|(_, user)| user).collect();
            ids.sort();
            let ids = ids.into_iter().skip((page * per_page) as usize).take(per_page as usize);
            Ok(ids.filter_map(|id| server.users.get(id).cloned()).collect())
        })
        .await
    }

    async fn roles_grant(&self, _: &[&str], _: &str) -> Result<bool, HostError> {
        self.call("roles_grant", |sim| Ok(sim.mattermost.borrow().users_manage_groups)).await
    }

    async fn get_session(&self, id: &str) -> Result<Session, HostError> {
        let id = id.to_owned();
        self.call("get_session", move |sim| {
            sim.mattermost.borrow().sessions.get(&id).cloned().ok_or(HostError::NotFound("no such session".to_owned()))
        })
        .await
    }

    async fn kv_get(&self, key: &str) -> Result<Option<Vec<u8>>, HostError> {
        let key = key.to_owned();
        self.call("kv_get", move |sim| Ok(standing(sim, &key))).await
    }

    async fn kv_swap(&self, swap: Swap) -> Result<bool, HostError> {
        self.call("kv_swap", move |sim| {
            if standing(sim, &swap.key) != swap.old {
                sim.note(|| format!("{} has changed meanwhile", swap.key));
                return Ok(false);
            }
            let expires = if swap.expire_seconds > 0 { sim.now() + swap.expire_seconds * 1_000 } else { 0 };
            let mut server = sim.mattermost.borrow_mut();
            match swap.new {
                Some(value) => server.kv.insert(swap.key, (value, expires)),
                None => server.kv.remove(&swap.key),
            };
            Ok(true)
        })
        .await
    }

    async fn kv_list(&self, page: i32, per_page: i32) -> Result<Vec<String>, HostError> {
        self.call("kv_list", move |sim| {
            let server = sim.mattermost.borrow();
            let mut keys: Vec<String> = server.kv.keys().cloned().collect();
            keys.sort();
            Ok(keys.into_iter().skip((page * per_page) as usize).take(per_page as usize).collect())
        })
        .await
    }

    fn log(&self, _: LogLevel, message: String, fields: Vec<(String, String)>) {
        self.sim.note(|| format!("node {} logs: {message} {fields:?}", self.node));
    }
}

/// What stands in the store under a key.
fn standing(sim: &Sim, key: &str) -> Option<Vec<u8>> {
    let now = sim.now();
    let server = sim.mattermost.borrow();
    server.kv.get(key).filter(|(_, expires)| *expires == 0 || *expires > now).map(|(value, _)| value.clone())
}

/// Teleport, as one node reaches it.
pub struct SimTeleport {
    pub sim: Rc<Sim>,
    pub node: usize,
    /// The name that the bridge knows it by.
    pub destination: String,
}

fn broken(text: &str) -> TeleportError {
    TeleportError::Unreachable { failure: Failure::from_name("broken"), detail: text.to_owned() }
}

fn refused(text: &str) -> TeleportError {
    unreachable("refused", text)
}

fn unreachable(failure: &str, text: &str) -> TeleportError {
    TeleportError::Unreachable { failure: Failure::from_name(failure), detail: text.to_owned() }
}

impl SimTeleport {
    /// Where the bridge leads now.
    fn reached(&self) -> Option<Reached> {
        self.sim.endpoints.borrow().get(&(self.node, self.destination.clone())).cloned()
    }

    fn call<T: 'static>(
        &self,
        what: &'static str,
        effect: impl FnOnce(&Sim) -> Result<T, TeleportError> + 'static,
    ) -> impl Future<Output = Result<T, TeleportError>> + 'static {
        // A call ends on the generation that it began on.
        let reached = self.reached();
        self.sim.call(what, TELEPORT_TIMEOUT, broken, refused, move |sim| {
            let Some(reached) = reached else { return Err(unreachable("no_endpoint", "no endpoint is set")) };
            if sim.teleport.borrow().down {
                return Err(refused("Teleport is down"));
            }
            if what != "ping" && sim.teleport.borrow().refuses.contains(&reached.key) {
                return Err(unreachable("certificate_refused", "bad certificate"));
            }
            if ["decide", "review"].contains(&what) {
                sim.teleport.borrow_mut().decided_at.push(reached.address);
            }
            effect(sim)
        })
    }
}

impl Teleport for SimTeleport {
    type Events = mpsc::UnboundedReceiver<Result<Event, TeleportError>>;

    async fn ping(&self) -> Result<ServerInfo, TeleportError> {
        let slow = self.sim.slow_ping.get();
        if slow > 0 {
            let (wake, woken) = oneshot::channel();
            self.sim.later(slow, move || {
                let _ = wake.send(());
            });
            let _ = woken.await;
        }
        self.call("ping", |sim| {
            let version = sim.teleport.borrow().version.clone();
            let version = if version.is_empty() { "13.3.8".to_owned() } else { version };
            Ok(ServerInfo { cluster: "tp".into(), version, reviews: true, web: "tp.example.com:443".into() })
        })
        .await
    }

    async fn watch(&self) -> Result<Self::Events, TeleportError> {
        let node = self.node;
        let over = (self.destination.clone(), self.reached().map(|reached| reached.generation).unwrap_or_default());
        self.call("watch", move |sim| {
            let (events, stream) = mpsc::unbounded();
            let mut watcher = Watcher { node, over, events, last: 0, stalled: false };
            crate::teleport::send(sim, &mut watcher, Event::Init);
            sim.teleport.borrow_mut().watchers.push(watcher);
            Ok(stream)
        })
        .await
    }

    async fn list(&self) -> Result<Vec<AccessRequest>, TeleportError> {
        self.call("list", |sim| {
            let server = sim.teleport.borrow();
            if server.lists_nothing {
                return Ok(Vec::new());
            }
            Ok(server.requests.values().filter(|_| !server.hides).cloned().collect())
        })
        .await
    }

    async fn get(&self, id: &str) -> Result<Option<AccessRequest>, TeleportError> {
        let id = id.to_owned();
        self.call("get", move |sim| {
            let server = sim.teleport.borrow();
            Ok(server.requests.get(&id).filter(|_| !server.hides).cloned())
        })
        .await
    }

    async fn decide(&self, decision: Decision) -> Result<(), TeleportError> {
        self.call("decide", move |sim| {
            if let Some(other) = sim.before_decision.borrow_mut().take() {
                sim.teleport.borrow_mut().requests.insert(other.id.clone(), other);
            }
            let changed = {
                let mut server = sim.teleport.borrow_mut();
                let old = server.version.starts_with("4.");
                let hides = server.hides;
                let Some(request) = server.requests.get_mut(&decision.request_id).filter(|_| !hides) else {
                    return Err(TeleportError::NotFound("no such request".to_owned()));
                };
                // As Teleport 13 and 14 do: a denied request stays denied, an approved one can be decided again.
                if request.state == State::Denied {
                    return Err(TeleportError::AlreadyDecided("already denied".to_owned()));
                }
                let was_pending = request.state == State::Pending;
                let digest = digest::of_request("tp", request);
                let threshold = request.thresholds.iter().map(|threshold| threshold.approve).max().unwrap_or(1);
                if decision.roles.iter().any(|role| !request.roles.contains(role)) {
                    return Err(TeleportError::Invalid("roles outside the request".to_owned()));
                }
                request.state = decision.state;
                // The first servers know no such fields.
                if !old {
                    if !decision.roles.is_empty() {
                        request.roles = decision.roles;
                    }
                    request.resolve_reason = decision.reason;
                    request.resolve_annotations = decision.annotations;
                }
                let changed = request.clone();
                server.had.entry(decision.request_id.clone()).or_default().push(decision.state);
                server.applied.push(Applied {
                    request_id: decision.request_id,
                    state: decision.state,
                    by: decision.delegator,
                    was_pending,
                    digest,
                    threshold,
                });
                changed
            };
            sim.note(|| format!("{} is {:?} through the plugin", changed.id, changed.state));
            crate::teleport::tell(sim, Event::Put(Box::new(changed)));
            Ok(())
        })
        .await
    }

    async fn review(&self, verdict: Verdict) -> Result<AccessRequest, TeleportError> {
        self.call("review", move |sim| Self::reviewed(sim, verdict)).await
    }

    async fn users_with_trait(&self, _: &str) -> Result<Vec<(String, Vec<String>)>, TeleportError> {
        self.call("users", |sim| Ok(sim.teleport.borrow().traits.clone())).await
    }

    async fn user_names(&self) -> Result<Vec<String>, TeleportError> {
        self.call("users", |sim| Ok(sim.teleport.borrow().traits.iter().map(|(name, _)| name.clone()).collect())).await
    }

    async fn trait_of(&self, user: &str, _: &str) -> Result<Vec<String>, TeleportError> {
        let user = user.to_owned();
        self.call("user", move |sim| {
            let server = sim.teleport.borrow();
            Ok(server
                .traits
                .iter()
                .find(|(name, _)| *name == user)
                .map(|(_, values)| values.clone())
                .unwrap_or_default())
        })
        .await
    }

    async fn rights(&self) -> Result<Rights, TeleportError> {
        self.call("rights", |sim| {
            // What the servers of the first years have no call for.
            if sim.teleport.borrow().version.starts_with("6.") {
                return Err(TeleportError::Unimplemented("unknown method GetCurrentUserRoles".to_owned()));
            }
            let all = vec!["*".to_owned()];
            let review_for = if sim.teleport.borrow().submits_for_nobody { Vec::new() } else { all.clone() };
            let requests = if sim.teleport.borrow().hides { vec!["update".to_owned()] } else { all.clone() };
            Ok(Rights { requests, users: all, review_for, reviews: true })
        })
        .await
    }

    async fn may_list(&self) -> Result<(), TeleportError> {
        self.call("may list", |sim| match sim.teleport.borrow().lists_nothing {
            true => Err(TeleportError::Denied("access denied to perform action \"list\"".to_owned())),
            false => Ok(()),
        })
        .await
    }
}

impl SimTeleport {
    fn reviewed(sim: &Sim, verdict: Verdict) -> Result<AccessRequest, TeleportError> {
        let changed = {
            let mut server = sim.teleport.borrow_mut();
            let plugin_user = server.plugin_user;
            let on_behalf = verdict.author != plugin_user;
            if on_behalf != verdict.on_behalf || (on_behalf && !server.version.starts_with("18.11")) {
                return Err(TeleportError::NotOnBehalf(verdict.author));
            }
            let decision = verdict.decision;
            let Some(request) = server.requests.get_mut(&decision.request_id) else {
                return Err(TeleportError::NotFound("no such request".to_owned()));
            };
            if request.state != State::Pending {
                return Err(TeleportError::AlreadyDecided("has been already decided".to_owned()));
            }
            if request.user == verdict.author {
                return Err(TeleportError::OwnRequest("your own access request".to_owned()));
            }
            if request.reviews.iter().any(|review| review.author == verdict.author) {
                return Err(TeleportError::AlreadyReviewed("has already reviewed".to_owned()));
            }
            let digest = digest::of_request("tp", request);
            request.reviews.push(Review {
                author: verdict.author.clone(),
                state: decision.state,
                reason: decision.reason,
                created: Some(verdict.created),
                decider: String::new(),
            });
            let count = request.reviews.iter().filter(|review| review.state == decision.state).count();
            let needs = |threshold: &Threshold| match decision.state {
                State::Denied => threshold.deny,
                _ => threshold.approve,
            };
            if count >= request.thresholds.iter().map(needs).max().unwrap_or(1) as usize {
                request.state = decision.state;
            }
            let changed = request.clone();
            if changed.state != State::Pending {
                server.had.entry(changed.id.clone()).or_default().push(changed.state);
            }
            server.applied.push(Applied {
                request_id: changed.id.clone(),
                state: decision.state,
                by: verdict.author,
                was_pending: true,
                digest,
                threshold: 1,
            });
            changed
        };
        sim.note(|| format!("{} is reviewed through the plugin: {:?}", changed.id, changed.state));
        crate::teleport::tell(sim, Event::Put(Box::new(changed.clone())));
        Ok(changed)
    }
}

/// The bridge: credentials are good until the moment that the world says.
pub struct SimBridge {
    pub sim: Rc<Sim>,
    pub node: usize,
}

/// How long the bridge lets calls go on over an endpoint that was replaced.
const RETIRED_AFTER: i64 = 60_000;

/// An identity file, as it is after so many renewals.
pub fn identity(renewed: u32) -> String {
    let block = |label: &str, text: &str| format!("-----BEGIN {label}-----\n{text}-----END {label}-----\n");
    let key = block("RSA PRIVATE KEY", &format!("{renewed}\n"));
    let certificate = block("CERTIFICATE", "");
    format!("{key}{certificate}{certificate}")
}

impl Bridge for SimBridge {
    async fn inspect(&self, _: Credentials) -> Result<CredentialFacts, HostError> {
        Ok(CredentialFacts {
            user: "access-plugin".into(),
            not_before: 0,
            not_after: self.sim.credentials_end.get() / 1_000,
            clusters: vec!["tp".into()],
            ..Default::default()
        })
    }

    async fn set_endpoint(&self, endpoint: Endpoint) -> Result<(), HostError> {
        *self.sim.calls.borrow_mut().entry("set_endpoint").or_default() += 1;
        let (node, destination) = (self.node, endpoint.cluster);
        let mut endpoints = self.sim.endpoints.borrow_mut();
        let before = endpoints.get(&(node, destination.clone())).map(|reached| reached.generation);
        let generation = before.unwrap_or_default() + 1;
        let key = endpoint.credentials.map(|credentials| credentials.private_key).unwrap_or_default();
        self.sim.note(|| format!("node {node} reaches {destination} by generation {generation}"));
        endpoints.insert((node, destination.clone()), Reached { address: endpoint.address, key, generation });
        let later = Rc::clone(&self.sim);
        self.sim.later(RETIRED_AFTER, move || {
            let is_old = |watcher: &Watcher| {
                watcher.node == node && watcher.over.0 == destination && watcher.over.1 < generation
            };
            crate::teleport::cut_where(&later, is_old);
        });
        Ok(())
    }

    async fn describe_endpoint(&self, _: &str) -> Result<RouteFacts, HostError> {
        Ok(RouteFacts { route: Route::Direct.into(), ..Default::default() })
    }

    async fn forget_endpoint(&self, destination: &str) -> Result<(), HostError> {
        self.sim.endpoints.borrow_mut().remove(&(self.node, destination.to_owned()));
        crate::teleport::cut_where(&self.sim, |watcher| watcher.node == self.node && watcher.over.0 == destination);
        Ok(())
    }

    async fn seal(&self, text: &str, usage: &str) -> Result<String, HostError> {
        Ok(format!("sealed:v2:{usage}:{text}"))
    }

    async fn unseal(&self, sealed: &str, usage: &str) -> Result<String, HostError> {
        let v1 = sealed.strip_prefix("sealed:v1:");
        let text = v1.or_else(|| sealed.strip_prefix(format!("sealed:v2:{usage}:").as_str()));
        text.map(str::to_owned).ok_or(HostError::Invalid("not sealed".to_owned()))
    }

    async fn sign(&self, message: &[u8]) -> Result<Signature, HostError> {
        let key = ed25519_compact::KeyPair::from_seed(ed25519_compact::Seed::new([7; 32]));
        Ok(Signature { signature: key.sk.sign(message, None).to_vec(), public_key: key.pk.to_vec() })
    }

    async fn read_file(&self, _: &str) -> Result<Vec<u8>, HostError> {
        Ok(identity(self.sim.renewed.get()).into_bytes())
    }
}
