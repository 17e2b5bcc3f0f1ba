//! The two servers as they are behind their interfaces. They outlive every crash of the plugin.

use std::collections::{BTreeMap, HashMap};

use futures::channel::mpsc;
use teleport_access_core::mattermost::{Dialog, Group, Membership, Post, Session, User};
use teleport_access_core::teleport::{AccessRequest, Event, State, TeleportError};

/// A dialog that was opened.
#[derive(Debug, Clone)]
pub struct Opened {
    /// At whom.
    pub user: String,
    /// The request whose button they clicked.
    pub request: String,
    /// Its digest, as the post showed it.
    pub digest: String,
    /// The post that they clicked in.
    pub post: String,
    pub dialog: Dialog,
}

/// Mattermost.
#[derive(Default)]
pub struct MattermostServer {
    pub posts: BTreeMap<String, Post>,
    /// When the plugin wrote a post for the last time.
    pub written: HashMap<String, i64>,
    /// Value, and when it goes away (0: never).
    pub kv: HashMap<String, (Vec<u8>, i64)>,
    /// Posts made under a pending id on one node lately: the post, and when.
    pub pending_ids: HashMap<(usize, String), (String, i64)>,
    pub archived: bool,
    /// When the channels came back for the last time.
    pub back: i64,
    /// Whether the team of the channels is archived.
    pub team_archived: bool,
    /// Whether the plugin's bot is disabled, and whom it belongs to instead of the plugin; empty: the plugin.
    pub bot_disabled: bool,
    pub bot_owner: &'static str,
    /// Whether posts are refused in channels although these are there.
    pub refuses_posts: bool,
    /// The plugin's bot; empty: the usual one.
    pub bot: &'static str,
    /// A word that another plugin replaces in every post, and what it puts there.
    pub rewrites: Option<(&'static str, &'static str)>,
    /// Whether channels are public.
    pub public: bool,
    /// Names of channels that have changed hands, with the id of the channel that has the name now; empty: none has.
    pub renamed_channels: HashMap<String, String>,
    /// What channels and teams are called now, by their ids, where they have other names than at first.
    pub called: HashMap<String, String>,
    pub users: HashMap<String, User>,
    /// Dialogs that were opened.
    pub dialogs: Vec<Opened>,
    /// What was told to single people in channels.
    pub whispers: Vec<String>,
    /// What was told to single people in threads, and to whom.
    pub hints: Vec<(String, Post)>,
    /// By id of a channel, team or group, and user.
    pub memberships: HashMap<(String, String), Membership>,
    pub groups: Vec<Group>,
    /// Whether every user may manage the members of custom groups, as on a default server.
    pub users_manage_groups: bool,
    /// By id.
    pub sessions: HashMap<String, Session>,
    next: u64,
}

/// The plugin's bot.
pub const BOT: &str = "bot";

impl MattermostServer {
    /// The plugin's bot now.
    pub fn bot(&self) -> &'static str {
        if self.bot.is_empty() { BOT } else { self.bot }
    }

    /// What another plugin makes of a post before it is stored.
    pub fn rewrite(&self, post: &mut Post) {
        let Some((from, to)) = self.rewrites else { return };
        post.message = post.message.replace(from, to);
        let fields = post.attachments.iter_mut().flat_map(|attachment| &mut attachment.fields);
        fields.for_each(|field| field.value = field.value.replace(from, to));
        post.attachments.iter_mut().for_each(|attachment| attachment.text = attachment.text.replace(from, to));
    }

    /// A login session of a user, as every click comes with one.
    pub fn sign_in(&mut self, user: &str) -> String {
        let id = format!("session-{user}");
        let session = Session { id: id.clone(), user_id: user.to_owned(), ..Default::default() };
        self.sessions.insert(id.clone(), session);
        id
    }

    pub fn create(&mut self, now: i64, mut post: Post) -> Post {
        self.next += 1;
        post.id = format!("post{:05}", self.next);
        post.create_at = now;
        if post.user_id.is_empty() {
            post.user_id = self.bot().to_owned();
        }
        self.rewrite(&mut post);
        self.posts.insert(post.id.clone(), post.clone());
        post
    }
}

/// A running watch.
pub struct Watcher {
    pub node: usize,
    /// The destination and the generation of the endpoint that it goes over.
    pub over: (String, u64),
    pub events: mpsc::UnboundedSender<Result<Event, TeleportError>>,
    /// When the last event sent will have arrived: events keep their order.
    pub last: i64,
    /// Sends nothing any more, without a word.
    pub stalled: bool,
}

/// A decision that Teleport carried out.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Applied {
    pub request_id: String,
    pub state: State,
    /// The delegator of a decision, or the author of a review.
    pub by: String,
    /// Whether the request was pending before.
    pub was_pending: bool,
    /// Digest of the request that it was carried out on.
    pub digest: String,
    /// How many approvals Teleport's own thresholds asked for.
    pub threshold: u32,
}

impl Applied {
    /// Who signed it: the first of those who agreed, where all are named.
    pub fn signer(&self) -> &str {
        self.by.split(',').next().unwrap_or_default()
    }
}

/// Teleport.
#[derive(Default)]
pub struct TeleportServer {
    pub requests: BTreeMap<String, AccessRequest>,
    pub watchers: Vec<Watcher>,
    pub down: bool,
    /// How long after their expiry requests are still listed, and can be decided.
    pub lingers: i64,
    /// The role of the plugin's user does not let it review on behalf of others.
    pub submits_for_nobody: bool,
    /// It does not let it list requests either: a listing is empty then.
    pub lists_nothing: bool,
    /// Its version; empty: an old one.
    pub version: String,
    /// Traits of its users.
    pub traits: Vec<(String, Vec<String>)>,
    /// What the plugin's own user is called.
    pub plugin_user: &'static str,
    pub applied: Vec<Applied>,
    /// What became of requests that are gone: the last state they had.
    pub gone: BTreeMap<String, AccessRequest>,
    /// The role of the plugin's user may not see requests: there seem to be none.
    pub hides: bool,
    /// Private keys that it does not let in.
    pub refuses: Vec<String>,
    /// The addresses that decisions came by, in order.
    pub decided_at: Vec<String>,
    /// The decisions that a request has had, by its id.
    pub had: BTreeMap<String, Vec<State>>,
}
