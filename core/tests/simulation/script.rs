//! What happens in one world: made up from its seed.

use std::cell::{Cell, RefCell};
use std::collections::{BTreeMap, HashMap, HashSet};
use std::rc::Rc;

use futures::executor::LocalPool;
use futures::task::LocalSpawnExt;
use teleport_access_core::app::{App, Host};
use teleport_access_core::decision::{self, Click, Submission};
use teleport_access_core::mattermost::{Action, Attachment, Membership, Post, User};
use teleport_access_core::messages::{CLUSTER_PROP, NEWS_PROP, REQUEST_PROP};
use teleport_access_core::proto::panel::Outcome;
use teleport_access_core::requests::changed::{self, Change};
use teleport_access_core::status;
use teleport_access_core::teleport::State;

use crate::invariants;
use crate::ports::{NodeWorld, SimBridge, SimMattermost, identity};
use crate::servers::{BOT, Opened};
use crate::sim::{DAWN, Faults, Sim};
use crate::teleport;

/// How long a world is troubled, and how long it then has to come to rest. The slowest healing takes a listing
/// (5 minutes) and the longest wait after a failure (5 minutes).
const TROUBLED: i64 = 120_000;
const REST: i64 = 900_000;
/// When everything is connected again, and how long news may take then: the longest wait before a connection is made.
const CALM: i64 = 100_000;
const PROMPT: i64 = 70_000;

/// One plugin process.
struct Node {
    pool: LocalPool,
    app: Rc<App<NodeWorld>>,
}

/// How the plugin is set up.
pub struct Setting {
    pub recipients: Vec<&'static str>,
    pub ask_reason: &'static str,
    pub authority: &'static str,
    /// How many people must approve.
    pub needed: u32,
}

/// Where the plugin's credentials are kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kept {
    Pasted,
    Sealed,
    InFile,
}

/// That somebody who may decide wants a verdict.
pub struct Wish {
    pub user: String,
    /// Digest of the request that they saw.
    pub digest: String,
    /// The post that they saw, whether somebody had edited it, and when they clicked or submitted.
    pub post: String,
    edited: bool,
    /// Its channel was archived.
    archived: bool,
    at: i64,
}

/// A world and its plugin processes.
pub struct Script {
    pub sim: Rc<Sim>,
    nodes: Vec<Option<Node>>,
    skews: Vec<Rc<Cell<i64>>>,
    leader: Rc<Cell<Option<usize>>>,
    pub recipients: Vec<&'static str>,
    /// Where Teleport is.
    pub address: &'static str,
    /// How the settings say the plugin's credentials.
    pub credentials: Kept,
    pub reminders: &'static str,
    pub log_level: &'static str,
    ask_reason: &'static str,
    /// Whether a reason must be given where one is asked for.
    requires_reason: bool,
    /// By which authority decisions are made.
    pub authority: &'static str,
    /// How many people must approve.
    pub needed: u32,
    /// The approvers of the settings; empty: the usual ones.
    pub approvers: &'static str,
    /// The plugin's bot.
    pub bot: &'static str,
    /// Whether posts that somebody deletes are posted again.
    pub repost: bool,
    /// What clickers read, in order.
    pub answers: Rc<RefCell<Vec<String>>>,
    /// Who wanted which verdict on what, by request and verdict.
    pub wanted: HashMap<(String, State), Vec<Wish>>,
    /// Since when people do not have the name that gives them their right.
    renamed: HashMap<String, i64>,
    /// Whether the requester ever had another name: then not everything could be told.
    pub requester_was_renamed: bool,
    /// When somebody edited a post.
    edited: HashMap<String, i64>,
    /// How often somebody edited posts.
    pub edits: usize,
    /// How long a decision may take after what it rests on was looked up.
    pub grace: i64,
    /// Requests that took the place of others while these were being approved.
    pub betrayed: RefCell<HashSet<String>>,
    /// Clicks that wait for an answer, and the node that has them.
    waiting: Rc<RefCell<BTreeMap<u64, usize>>>,
    clicks: u64,
    /// Posts that a person deleted.
    pub deleted_by_hand: HashSet<String>,
    /// How many of the decisions have been looked at.
    pub looked_at: Cell<usize>,
    /// Whether Teleport was ever out of reach: else nobody reads that it is.
    pub out_of_reach: Rc<Cell<bool>>,
}

impl Script {
    /// A world that is set up by chance.
    pub fn new(seed: u64, traced: bool) -> Self {
        Self::made(Sim::new(seed, traced), None)
    }

    /// A world that is set up like this, on one node.
    pub fn with(seed: u64, setting: Setting) -> Self {
        Self::made(Sim::new(seed, false), Some(setting))
    }

    fn made(sim: Rc<Sim>, fixed: Option<Setting>) -> Self {
        for (id, admin) in [("alice", false), ("bob", false), ("erin", false), ("mallory", false), ("requester", true)]
        {
            let user = User {
                id: id.into(),
                username: id.into(),
                email: format!("{id}@example.com"),
                email_verified: true,
                is_system_admin: admin,
                ..Default::default()
            };
            sim.mattermost.borrow_mut().users.insert(id.into(), user);
            sim.mattermost.borrow_mut().sign_in(id);
        }
        for user in ["alice", "bob"] {
            for channel in ["channel-one", "direct-bob"] {
                let member = Membership { member: true, admin: false };
                sim.mattermost.borrow_mut().memberships.insert((channel.into(), user.into()), member);
            }
        }
        let nodes = sim.random(|rng| if rng.u8(0..3) == 0 { 2 } else { 1 });
        let recipients = if sim.random(|rng| rng.bool()) { vec!["ops/one"] } else { vec!["ops/one", "@bob"] };
        let ask_reason = sim.random(|rng| ["never", "deny", "both"][rng.usize(0..3)]);
        let authority = sim.random(|rng| ["approvers", "approvers", "teleport", "reviewer"][rng.usize(0..4)]);
        let needed = sim.random(|rng| [1, 1, 2][rng.usize(0..3)]);
        let repost = fixed.is_none() && sim.random(|rng| rng.u8(0..4) == 0);
        let requires_reason = fixed.is_none() && sim.random(|rng| rng.u8(0..3) == 0);
        let chosen = Setting { recipients, ask_reason, authority, needed };
        let nodes = if fixed.is_some() { 1 } else { nodes };
        let Setting { recipients, ask_reason, authority, needed } = fixed.unwrap_or(chosen);
        {
            let mut server = sim.teleport.borrow_mut();
            // Servers before 14 keep the ids that clients choose.
            let version = if authority == "teleport" {
                "18.11.2"
            } else if authority == "approvers" {
                // The oldest keep nothing of a decision but the state.
                sim.random(|rng| ["4.3.10", "13.3.8", "18.10.0"][rng.usize(0..3)])
            } else {
                "18.10.0"
            };
            server.version = version.to_owned();
            server.plugin_user = "access-plugin";
            // Bob is mapped by the table, the others by their trait.
            for name in ["alice", "erin", "requester"] {
                let user = if name == "requester" { name.to_owned() } else { format!("{name}-tp") };
                server.traits.push((user, vec![format!("@{name}")]));
            }
        }
        Self {
            ask_reason,
            address: "tp:443",
            credentials: if sim.random(|rng| rng.bool()) { Kept::Pasted } else { Kept::InFile },
            reminders: "1m",
            log_level: "info",
            requires_reason,
            authority,
            needed,
            approvers: "",
            bot: BOT,
            repost,
            answers: Rc::default(),
            nodes: (0..nodes).map(|_| None).collect(),
            skews: (0..nodes).map(|_| Rc::new(Cell::new(0))).collect(),
            leader: Rc::default(),
            recipients,
            wanted: HashMap::new(),
            renamed: HashMap::new(),
            requester_was_renamed: false,
            edited: HashMap::new(),
            edits: 0,
            grace: 2_000,
            betrayed: RefCell::default(),
            waiting: Rc::default(),
            clicks: 0,
            deleted_by_hand: HashSet::new(),
            looked_at: Cell::new(0),
            out_of_reach: Rc::default(),
            sim,
        }
    }

    /// Who Teleport is told when this person decides.
    pub fn signature(&self, user: &str) -> String {
        match self.authority {
            "teleport" => format!("{user}-tp"),
            "reviewer" => "access-plugin".to_owned(),
            _ => format!("mattermost:{user}@example.com"),
        }
    }

    /// Channels that every pending request must stand in.
    pub fn channels(&self) -> Vec<&'static str> {
        self.recipients
            .iter()
            .map(|recipient| if *recipient == "@bob" { "direct-bob" } else { "channel-one" })
            .collect()
    }

    pub fn start(&mut self, node: usize) {
        if self.nodes[node].is_some() {
            return;
        }
        self.sim.note(|| format!("node {node} starts"));
        let pool = LocalPool::new();
        let world = NodeWorld {
            sim: Rc::clone(&self.sim),
            mattermost: SimMattermost { sim: Rc::clone(&self.sim), node },
            bridge: SimBridge { sim: Rc::clone(&self.sim), node },
            node,
            skew: Rc::clone(&self.skews[node]),
            spawner: pool.spawner(),
        };
        let app = App::new(world);
        app.configure(self.host(), self.settings().to_string().as_bytes());
        self.nodes[node] = Some(Node { pool, app });
        if self.leader.get().is_none() {
            self.lead(node);
        }
    }

    fn host(&self) -> Host {
        Host { plugin_id: "the.plugin".into(), bot_user_id: self.bot.into(), ..Host::default() }
    }

    fn settings(&self) -> serde_json::Value {
        let identity = match self.credentials {
            Kept::Pasted => identity(0),
            Kept::Sealed => format!("sealed:v2:Identity:{}", identity(0)),
            Kept::InFile => "/var/lib/identity".to_owned(),
        };
        serde_json::json!({
            "teleportaddress": self.address,
            "identity": identity,
            "recipients": self.recipients.join(","),
            "approvers": match self.approvers {
                "" => format!("* = {} of channel-members, requester, erin", self.needed),
                approvers => approvers.to_owned(),
            },
            "askreason": self.ask_reason,
            "requirereason": self.requires_reason,
            "authority": self.authority,
            "usermapping": "bob = bob-tp",
            "usertrait": "mattermost",
            "reminders": self.reminders,
            "loglevel": self.log_level,
            "repostdeleted": self.repost,
        })
    }

    /// All nodes hear the settings as they are now.
    pub fn save(&self) {
        self.sim.note(|| "settings are saved".to_owned());
        for node in self.nodes.iter().flatten() {
            node.app.configure(self.host(), self.settings().to_string().as_bytes());
        }
    }

    /// A node hears whether it leads.
    pub fn hears_lead(&self, node: usize, leads: bool) {
        if let Some(node) = &self.nodes[node] {
            node.app.lead(leads);
        }
    }

    /// Somebody saves settings that change nothing about the way to Teleport, or pasted credentials are saved sealed.
    fn save_something(&mut self) {
        match self.sim.random(|rng| rng.u8(0..4)) {
            0 => self.reminders = if self.reminders == "1m" { "1m, 2m" } else { "1m" },
            1 => self.log_level = if self.log_level == "info" { "debug" } else { "info" },
            2 if self.credentials == Kept::Pasted => self.credentials = Kept::Sealed,
            2 if self.credentials == Kept::Sealed => self.credentials = Kept::Pasted,
            _ => {}
        }
        self.save();
    }

    /// Makes a node the leader. The one before may notice later than that.
    fn lead(&mut self, node: usize) {
        let before = self.leader.replace(Some(node));
        self.sim.note(|| format!("node {node} leads"));
        if let Some(before) = before.filter(|before| *before != node)
            && let Some(old) = &self.nodes[before]
        {
            let old = Rc::clone(&old.app);
            let notices = self.sim.random(|rng| if rng.bool() { 0 } else { rng.i64(0..10_000) });
            let sim = Rc::clone(&self.sim);
            let leader = Rc::clone(&self.leader);
            self.sim.later(notices, move || {
                if leader.get() != Some(before) {
                    sim.note(|| format!("node {before} notices"));
                    old.lead(false);
                }
            });
        }
        if let Some(node) = &self.nodes[node] {
            node.app.lead(true);
        }
    }

    pub fn crash(&mut self, node: usize) {
        if self.nodes[node].take().is_none() {
            return;
        }
        self.sim.note(|| format!("node {node} is killed"));
        self.sim.endpoints.borrow_mut().retain(|(at, _), _| *at != node);
        // Mattermost answers the clicks of a dead plugin itself.
        self.waiting.borrow_mut().retain(|_, at| *at != node);
        if self.leader.get() == Some(node) {
            self.leader.set(None);
            let other = (0..self.nodes.len()).find(|other| self.nodes[*other].is_some());
            if let Some(other) = other {
                self.lead(other);
            }
        }
    }

    /// Somebody clicks, or sends what looks like a click.
    fn click(&mut self) {
        let user = self.sim.random(|rng| ["alice", "bob", "erin", "mallory", "requester", ""][rng.usize(0..6)]);
        let target = {
            let server = self.sim.mattermost.borrow();
            let count = server.posts.len();
            if count == 0 {
                return;
            }
            let pick = self.sim.random(|rng| rng.usize(0..count));
            server.posts.values().nth(pick).cloned()
        };
        let Some(post) = target else { return };
        let approve = self.sim.random(|rng| rng.bool());
        let mut request = post.props.get(REQUEST_PROP).cloned().unwrap_or_default();
        let cluster = post.props.get(CLUSTER_PROP).cloned().unwrap_or_default();
        let forged = self.sim.random(|rng| rng.u8(0..10) == 0);
        if forged {
            request = "made-up".to_owned();
        }
        let verdict = if approve { "approve" } else { "deny" };
        // Or the button that denies with a reason.
        let for_reason = !approve && self.sim.random(|rng| rng.bool());
        let asks = if for_reason { "reason" } else { "" };
        let actions = post.attachments.iter().flat_map(|attachment| &attachment.actions);
        let digest = actions.filter_map(|action| action.context.get("digest").cloned()).next().unwrap_or_default();
        let click = Click {
            user_id: user.to_owned(),
            session_id: format!("session-{user}"),
            ip_address: "192.0.2.1".to_owned(),
            trigger_id: format!("{user}|{request}|{digest}|{}", post.id),
            post_id: post.id.clone(),
            context: BTreeMap::from([
                ("request".to_owned(), request.clone()),
                ("cluster".to_owned(), cluster),
                ("verdict".to_owned(), verdict.to_owned()),
                ("digest".to_owned(), digest.clone()),
                ("asks".to_owned(), asks.to_owned()),
            ]),
        };
        // Both nodes may be clicked at the same moment.
        let times = self.sim.random(|rng| rng.usize(1..3));
        for _ in 0..times {
            let node = self.sim.random(|rng| rng.usize(0..self.nodes.len()));
            let Some(at) = &self.nodes[node] else { continue };
            // A click that is asked for a reason decides nothing by itself: the submission does.
            if PERMITTED.contains(&user) && !forged && !self.asks(approve, for_reason) {
                let state = if approve { State::Approved } else { State::Denied };
                wants(&mut self.wanted, &self.edited, &self.sim, (user, state), (&request, &digest, &post.id));
            }
            self.clicks += 1;
            let (number, waiting, sim) = (self.clicks, Rc::clone(&self.waiting), Rc::clone(&self.sim));
            waiting.borrow_mut().insert(number, node);
            self.sim.note(|| format!("{user} clicks {verdict} for {request} on node {node}"));
            let asked = self.asks(approve, for_reason);
            let (app, click, user) = (Rc::clone(&at.app), click.clone(), user.to_owned());
            let out_of_reach = Rc::clone(&self.out_of_reach);
            let _ = at.pool.spawner().spawn_local(async move {
                let answer = decision::click(&app, click).await;
                waiting.borrow_mut().remove(&number);
                sim.note(|| format!("{user} reads: {answer}"));
                in_reach(&sim, &out_of_reach, &answer);
                // Who is asked for a reason reads nothing yet.
                if answer.trim().is_empty() && !asked {
                    sim.violation("a click was answered with nothing".to_owned());
                }
            });
        }
    }

    /// Somebody clicks a button of a post as it is now; the answer is kept.
    pub fn click_on(&mut self, user: &str, post: &Post, button: &str) {
        let mut actions = post.attachments.iter().flat_map(|attachment| &attachment.actions);
        let Some(action) = actions.find(|action| action.name == button) else {
            self.answers.borrow_mut().push(format!("there is no button {button}"));
            return;
        };
        let context: BTreeMap<String, String> = action.context.clone().into_iter().collect();
        let request = context.get("request").cloned().unwrap_or_default();
        let digest = context.get("digest").cloned().unwrap_or_default();
        for state in [State::Approved, State::Denied] {
            wants(&mut self.wanted, &self.edited, &self.sim, (user, state), (&request, &digest, &post.id));
        }
        let click = Click {
            user_id: user.to_owned(),
            session_id: format!("session-{user}"),
            trigger_id: format!("{user}|{request}|{digest}|{}", post.id),
            post_id: post.id.clone(),
            context,
            ..Default::default()
        };
        let Some(at) = &self.nodes[0] else { return };
        let (app, answers, sim) = (Rc::clone(&at.app), Rc::clone(&self.answers), Rc::clone(&self.sim));
        let _ = at.pool.spawner().spawn_local(async move {
            let answer = decision::click(&app, click).await;
            sim.note(|| format!("the answer is {answer}"));
            answers.borrow_mut().push(answer);
        });
    }

    /// Somebody, or without an author the bot, makes a post in a direct channel that looks like the plugin's.
    pub fn forge(&self, author: &str, request: &str, digest: &str) -> Post {
        let context = [("request", request), ("cluster", "tp"), ("verdict", "approve"), ("digest", digest)];
        let action = Action {
            id: "approve".into(),
            name: "Approve".into(),
            url: "/plugins/the.plugin/click".into(),
            context: context.into_iter().map(|(name, value)| (name.to_owned(), value.to_owned())).collect(),
            ..Default::default()
        };
        let props = [(REQUEST_PROP, request), (CLUSTER_PROP, "tp")];
        let post = Post {
            channel_id: "direct-alice".into(),
            user_id: author.to_owned(),
            message: "Lunch?".into(),
            attachments: vec![Attachment { actions: vec![action], ..Default::default() }],
            props: props.into_iter().map(|(name, value)| (name.to_owned(), value.to_owned())).collect(),
            ..Default::default()
        };
        self.sim.mattermost.borrow_mut().create(self.sim.now(), post)
    }

    /// Whether a wish may count towards a decision that was carried out just now.
    pub fn is_good(&self, wish: &Wish) -> bool {
        let now = self.sim.now();
        // Decisions are made with what was looked up a moment ago.
        let had_the_right = self.renamed.get(&wish.user).is_none_or(|since| now - since <= self.grace);
        let repaired = || self.sim.mattermost.borrow().written.get(&wish.post).is_some_and(|at| *at >= wish.at);
        let is_back = || self.sim.mattermost.borrow().back >= wish.at;
        had_the_right && (!wish.edited || repaired()) && (!wish.archived || is_back())
    }

    /// Somebody gets another name, or their own one again; Mallory takes what becomes free.
    fn rename(&mut self) {
        let sim = Rc::clone(&self.sim);
        let mut server = sim.mattermost.borrow_mut();
        // What names meant before the plugin saw them, it cannot know.
        let seen = |key: &str, part: &str| {
            server
                .kv
                .iter()
                .any(|(held, (value, _))| held.starts_with(key) && String::from_utf8_lossy(value).contains(part))
        };
        if !["alice", "erin", "requester"].iter().all(|name| seen("pins:trait:", &format!("\"{name}\":")))
            || !["Approvers|user|erin", "UserMapping|user|bob"].iter().all(|entry| seen("pins", entry))
            || (self.recipients.contains(&"@bob") && !seen("pins", "Recipients|user|bob"))
        {
            return;
        }
        let id = ["alice", "bob", "erin", "requester"][sim.random(|rng| rng.usize(0..4))];
        let is_own = |server: &crate::servers::MattermostServer, id: &str| server.users[id].username == id;
        let call = |server: &mut crate::servers::MattermostServer, id: &str, name: &str| {
            sim.note(|| format!("{id} is called {name} now"));
            server.users.entry(id.to_owned()).and_modify(|user| user.username = name.to_owned());
        };
        if is_own(&server, id) {
            call(&mut server, id, &format!("{id}-was"));
            self.renamed.insert(id.to_owned(), sim.now());
            self.requester_was_renamed |= id == "requester";
            // A stranger takes the name, or an approver takes the requester's.
            let taker = if id == "requester" && sim.random(|rng| rng.bool()) { "alice" } else { "mallory" };
            if is_own(&server, taker) && sim.random(|rng| rng.bool()) {
                call(&mut server, taker, id);
                self.renamed.insert(taker.to_owned(), sim.now());
            }
        } else {
            let holder = server.users.values().find(|user| user.username == id).map(|user| user.id.clone());
            if let Some(holder) = holder {
                call(&mut server, &holder, &format!("{holder}-was"));
            }
            call(&mut server, id, id);
            self.renamed.remove(id);
            if !server.users.values().any(|user| user.username == "mallory") {
                call(&mut server, "mallory", "mallory");
            }
        }
    }

    /// Bob is deactivated: requests for him reach nobody, and he decides nothing. Or he is back.
    fn deactivate(&mut self) {
        let now = self.sim.now();
        let mut server = self.sim.mattermost.borrow_mut();
        let seen = server.kv.get("pins").is_some_and(|(pins, _)| {
            let pins = String::from_utf8_lossy(pins);
            pins.contains("UserMapping|user|bob")
                && (self.recipients.len() == 1 || pins.contains("Recipients|user|bob"))
        });
        let Some(bob) = server.users.get_mut("bob").filter(|_| seen) else { return };
        bob.delete_at = if bob.delete_at == 0 { now } else { 0 };
        let (active, own) = (bob.delete_at == 0, bob.username == "bob");
        self.sim.note(|| format!("bob is active: {active}"));
        if !active {
            self.renamed.entry("bob".to_owned()).or_insert(now);
        } else if own {
            self.renamed.remove("bob");
        }
    }

    /// An admin edits a post, as far as Mattermost lets anybody: its text, its fields and its buttons.
    fn edit(&mut self) {
        let sim = Rc::clone(&self.sim);
        let mut server = sim.mattermost.borrow_mut();
        let of_request =
            |post: &&mut Post| post.props.contains_key(REQUEST_PROP) && !post.props.contains_key(NEWS_PROP);
        let mut posts: Vec<&mut Post> = server.posts.values_mut().filter(of_request).collect();
        if posts.is_empty() {
            return;
        }
        let pick = sim.random(|rng| rng.usize(0..posts.len()));
        let post = &mut posts[pick];
        let fields = post.attachments.iter_mut().flat_map(|attachment| &mut attachment.fields);
        match sim.random(|rng| rng.u8(0..3)) {
            0 => post.message.push_str(" for lunch"),
            1 => fields.filter(|field| field.title == "User").for_each(|field| field.value = "`somebody`".into()),
            _ => {
                let actions = post.attachments.iter_mut().flat_map(|attachment| &mut attachment.actions);
                actions.for_each(|action| drop(action.context.insert("verdict".into(), "approve".into())));
                // Where there are no buttons, nothing was edited.
                post.message.push(' ');
            }
        }
        sim.note(|| format!("somebody edits {}", post.id));
        post.update_at = sim.now();
        let post = post.clone();
        self.edited.insert(post.id.clone(), sim.now());
        self.edits += 1;
        drop(server);
        // Now and then nobody hears of it.
        if sim.random(|rng| rng.bool()) {
            let node = sim.random(|rng| rng.usize(0..self.nodes.len()));
            self.hear(node, &post);
        }
    }

    /// A node hears that a post was edited or deleted.
    pub fn hear(&self, node: usize, post: &Post) {
        let Some(at) = &self.nodes[node] else { return };
        let change = Change {
            post_id: post.id.clone(),
            update_at: post.update_at,
            deleted: post.delete_at != 0,
            props: post.props.clone().into_iter().collect(),
        };
        let app = Rc::clone(&at.app);
        let _ = at.pool.spawner().spawn_local(async move { changed::hear(&app, change).await });
    }

    /// The plugin finds its bot gone, and makes another one, when it starts the next time.
    fn replace_bot(&mut self) {
        if self.bot != BOT {
            return;
        }
        self.sim.note(|| "there is another bot".to_owned());
        self.bot = "another-bot";
        self.sim.mattermost.borrow_mut().bot = self.bot;
        let running: Vec<usize> = (0..self.nodes.len()).filter(|node| self.nodes[*node].is_some()).collect();
        running.iter().for_each(|node| self.crash(*node));
        running.iter().for_each(|node| self.start(*node));
    }

    /// Whether a click opens a dialog.
    fn asks(&self, approve: bool, for_reason: bool) -> bool {
        match approve {
            true => self.ask_reason == "both",
            false => for_reason || (self.requires_reason && self.ask_reason != "never"),
        }
    }

    /// Somebody submits the dialog that was opened last, or closes it; the answer is kept.
    pub fn submit_last(&mut self, user: &str, reason: &str, cancelled: bool) {
        let Some(Opened { request, digest, post, dialog, .. }) = self.sim.mattermost.borrow().dialogs.last().cloned()
        else {
            return;
        };
        let verdict = if dialog.title.starts_with("Approve") { State::Approved } else { State::Denied };
        wants(&mut self.wanted, &self.edited, &self.sim, (user, verdict), (&request, &digest, &post));
        let boxes = dialog.elements.iter().filter(|element| element.r#type == "bool");
        let values = boxes.map(|element| (element.name.clone(), "true".to_owned()));
        let submission = Submission {
            user_id: user.to_owned(),
            session_id: format!("session-{user}"),
            state: dialog.state.clone(),
            cancelled,
            values: values.chain([("reason".to_owned(), reason.to_owned())]).collect(),
            ..Default::default()
        };
        let Some(at) = &self.nodes[0] else { return };
        let (app, answers) = (Rc::clone(&at.app), Rc::clone(&self.answers));
        let _ = at.pool.spawner().spawn_local(async move {
            let answer = decision::submit_dialog(&app, submission).await;
            answers.borrow_mut().push(answer.error);
        });
    }

    /// Somebody submits a dialog: their own, somebody else's, one again, or one that never was.
    fn submit(&mut self) {
        let sim = Rc::clone(&self.sim);
        let dialog = {
            let server = sim.mattermost.borrow();
            let count = server.dialogs.len();
            (count > 0).then(|| server.dialogs[sim.random(|rng| rng.usize(0..count))].clone())
        };
        let Some(Opened { user: opener, request, digest, post, dialog }) = dialog else { return };
        let (by, cancelled, made_up) = sim.random(|rng| (rng.u8(0..4), rng.u8(0..8) == 0, rng.u8(0..10) == 0));
        let user = if by == 0 { "mallory".to_owned() } else { opener.clone() };
        let state = if made_up { "0123456789abcdef0123456789abcdef".to_owned() } else { dialog.state };
        if user == opener && !cancelled && !made_up {
            let verdict = if dialog.title.starts_with("Approve") { State::Approved } else { State::Denied };
            wants(&mut self.wanted, &self.edited, &self.sim, (&user, verdict), (&request, &digest, &post));
        }
        let submission = Submission {
            user_id: user.clone(),
            session_id: format!("session-{user}"),
            ip_address: "192.0.2.1".to_owned(),
            state,
            cancelled,
            values: BTreeMap::from([("reason".to_owned(), "because".to_owned())]),
        };
        for _ in 0..sim.random(|rng| rng.usize(1..3)) {
            let node = sim.random(|rng| rng.usize(0..self.nodes.len()));
            let Some(at) = &self.nodes[node] else { continue };
            self.clicks += 1;
            let (number, waiting, sim) = (self.clicks, Rc::clone(&self.waiting), Rc::clone(&self.sim));
            waiting.borrow_mut().insert(number, node);
            sim.note(|| format!("{user} submits {:?} on node {node}, cancelled: {cancelled}", dialog.title));
            let (app, submission) = (Rc::clone(&at.app), submission.clone());
            let out_of_reach = Rc::clone(&self.out_of_reach);
            let _ = at.pool.spawner().spawn_local(async move {
                let answer = decision::submit_dialog(&app, submission).await;
                waiting.borrow_mut().remove(&number);
                sim.note(|| format!("the dialog answers {answer:?}"));
                in_reach(&sim, &out_of_reach, &answer.error);
            });
        }
    }

    /// Lets everything go on that can, up to a moment.
    pub fn run_until(&mut self, until: i64) {
        loop {
            for node in self.nodes.iter_mut().flatten() {
                node.pool.run_until_stalled();
            }
            invariants::always(self);
            if !self.sim.step(until) {
                return;
            }
        }
    }

    /// One random thing.
    fn happen(&mut self, filed: &mut usize) {
        let sim = Rc::clone(&self.sim);
        let any_request = |sim: &Sim| {
            let ids: Vec<String> = sim.teleport.borrow().requests.keys().cloned().collect();
            if ids.is_empty() { None } else { Some(ids[sim.random(|rng| rng.usize(0..ids.len()))].clone()) }
        };
        let node = sim.random(|rng| rng.usize(0..self.nodes.len()));
        match sim.random(|rng| rng.u32(0..100)) {
            0..22 => {
                *filed += 1;
                let lives = sim.random(|rng| if rng.u8(0..4) == 0 { rng.i64(5_000..120_000) } else { 3_600_000 });
                teleport::file(&sim, format!("request-{filed}"), lives);
            }
            22..44 => self.click(),
            44..50 => self.submit(),
            50 => self.save_something(),
            51 => {
                sim.renewed.set(sim.renewed.get() + 1);
                sim.note(|| "the credentials in the file are renewed".to_owned());
            }
            52..53 => self.rename(),
            53..54 => self.edit(),
            54..55 => {
                if let Some(id) = any_request(&sim) {
                    teleport::review(&sim, &id);
                }
            }
            55..58 => {
                if let Some(id) = any_request(&sim) {
                    let state = if sim.random(|rng| rng.bool()) { State::Approved } else { State::Denied };
                    teleport::decide(&sim, &id, state);
                }
            }
            58..60 => {
                if let Some(id) = any_request(&sim) {
                    teleport::remove(&sim, &id);
                }
            }
            60 => {
                if let Some(id) = any_request(&sim) {
                    teleport::replace(&sim, &id);
                }
            }
            61..63 => self.rename(),
            63..65 => self.edit(),
            65 if sim.random(|rng| rng.u8(0..3) == 0) => self.replace_bot(),
            65..70 => self.crash(node),
            70..79 => self.start(node),
            79..83 => teleport::cut(&sim, None),
            83..85 => {
                sim.note(|| "watches stall".to_owned());
                for watcher in &mut sim.teleport.borrow_mut().watchers {
                    watcher.stalled = true;
                }
                // The keepalive of the connection finds out.
                let later = Rc::clone(&sim);
                sim.later(25_000, move || teleport::cut(&later, None));
            }
            85..88 => {
                let down = !sim.teleport.borrow().down;
                sim.note(|| format!("Teleport is {}", if down { "down" } else { "up" }));
                sim.teleport.borrow_mut().down = down;
                self.out_of_reach.set(true);
                if down {
                    teleport::cut(&sim, None);
                }
            }
            88..91 => {
                let archived = !sim.mattermost.borrow().archived;
                sim.note(|| format!("the channels are {}", if archived { "archived" } else { "back" }));
                archive(&sim, archived);
                match sim.random(|rng| rng.u8(0..4)) {
                    0 => self.deactivate(),
                    1 => sim.mattermost.borrow_mut().team_archived = archived,
                    2 => sim.mattermost.borrow_mut().refuses_posts = archived,
                    _ => {}
                }
            }
            91..94 => {
                let skew = sim.random(|rng| rng.i64(-120_000..120_000));
                sim.note(|| format!("the clock of node {node} jumps to {skew} ms"));
                self.skews[node].set(skew);
            }
            94..98 => {
                if self.nodes[node].is_some() {
                    self.lead(node);
                }
            }
            _ => {
                let deleted = {
                    let server = sim.mattermost.borrow();
                    let count = server.posts.len();
                    (count > 0)
                        .then(|| sim.random(|rng| server.posts.keys().nth(rng.usize(0..count)).cloned()))
                        .flatten()
                };
                if let Some(id) = deleted {
                    sim.note(|| format!("somebody deletes {id}"));
                    let now = sim.now();
                    let deleted = sim.mattermost.borrow_mut().posts.get_mut(&id).map(|post| {
                        post.delete_at = now;
                        post.clone()
                    });
                    if let Some(post) = deleted.filter(|_| sim.random(|rng| rng.bool())) {
                        self.hear(node, &post);
                    }
                    self.deleted_by_hand.insert(id);
                }
            }
        }
    }

    /// Sets how many nodes there are, before any has started.
    pub fn nodes_are(&mut self, count: usize) {
        self.nodes = (0..count).map(|_| None).collect();
        self.skews = (0..count).map(|_| Rc::new(Cell::new(0))).collect();
    }

    /// Sets a node's clock so far off.
    pub fn skew(&self, node: usize, millis: i64) {
        self.skews[node].set(millis);
    }

    /// A line of the status of the first node.
    pub fn status(&mut self, name: &str) -> (Outcome, String) {
        let answer = Rc::new(RefCell::new((Outcome::Unspecified, String::new())));
        if let Some(at) = &self.nodes[0] {
            let (app, into, name) = (Rc::clone(&at.app), Rc::clone(&answer), name.to_owned());
            let _ = at.pool.spawner().spawn_local(async move {
                let checks = status::checks(&app).await;
                let found = checks.into_iter().find(|check| check.name == name);
                *into.borrow_mut() = found.map(|check| (check.outcome(), check.message)).unwrap_or_default();
            });
        }
        self.run_until(self.sim.now() + 1_000);
        answer.take()
    }

    /// Clicks whose node lives but that were never answered.
    pub fn unanswered(&self) -> usize {
        self.waiting.borrow().len()
    }
}

/// Nobody reads that Teleport is out of reach where it never was: saved settings, renewed credentials and changes of
/// leadership cut off nothing that somebody waits for.
fn in_reach(sim: &Sim, was_out: &Cell<bool>, answer: &str) {
    let cut = answer.contains("no connection to Teleport") || answer.contains("Teleport did not answer");
    if cut && !was_out.get() {
        sim.violation(format!("Teleport was always in reach, but somebody reads: {answer}"));
    }
}

/// Who may decide, as long as they have their names.
const PERMITTED: [&str; 3] = ["alice", "bob", "erin"];

/// Notes that somebody wants a verdict on a request, by its id and digest, in a post.
fn wants(
    wanted: &mut HashMap<(String, State), Vec<Wish>>,
    edited: &HashMap<String, i64>,
    sim: &Sim,
    (user, state): (&str, State),
    (request, digest, post): (&str, &str, &str),
) {
    let written = sim.mattermost.borrow().written.get(post).copied().unwrap_or_default();
    let archived = {
        let server = sim.mattermost.borrow();
        server.archived && server.posts.get(post).is_some_and(|post| !post.channel_id.starts_with("direct-"))
    };
    let wish = Wish {
        archived,
        user: user.to_owned(),
        digest: digest.to_owned(),
        post: post.to_owned(),
        edited: edited.get(post).is_some_and(|at| *at > written),
        at: sim.now(),
    };
    wanted.entry((request.to_owned(), state)).or_default().push(wish);
}

/// Archives the channels, or brings them back.
pub fn archive(sim: &Sim, archived: bool) {
    let mut server = sim.mattermost.borrow_mut();
    server.archived = archived;
    if !archived {
        server.back = sim.now();
    }
}

/// Runs a world and tells what went wrong in it.
pub fn run(seed: u64, traced: bool) -> (Vec<String>, Vec<String>) {
    let mut script = Script::new(seed, traced);
    let sim = Rc::clone(&script.sim);
    let level = sim.random(|rng| [0, 5, 20, 60][rng.usize(0..4)]);
    let chance = |sim: &Sim| sim.random(|rng| rng.u32(0..=level));
    // Some of Teleport's stores go on listing what has expired.
    let lingers = sim.random(|rng| if rng.bool() { 0 } else { rng.i64(0..300_000) });
    sim.teleport.borrow_mut().lingers = lingers;
    let faults = Faults { refused: chance(&sim), answer_lost: chance(&sim), late: chance(&sim), slow: chance(&sim) };
    sim.faults.set(faults);
    if faults.answer_lost + faults.late + faults.slow > 0 {
        script.grace = 120_000;
    }
    script.out_of_reach.set(faults.refused + faults.answer_lost + faults.late + faults.slow > 0);
    script.start(0);
    let things = sim.random(|rng| rng.usize(4..30));
    let mut moments: Vec<i64> = (0..things).map(|_| sim.random(|rng| rng.i64(0..TROUBLED))).collect();
    moments.sort_unstable();
    let mut filed = 0;
    for moment in moments {
        script.run_until(DAWN + moment);
        script.happen(&mut filed);
    }
    script.run_until(DAWN + TROUBLED);

    sim.note(|| "the world comes to rest".to_owned());
    sim.faults.set(Faults::NONE);
    sim.teleport.borrow_mut().down = false;
    archive(&sim, false);
    {
        let mut server = sim.mattermost.borrow_mut();
        (server.archived, server.team_archived, server.refuses_posts) = (false, false, false);
        server.users.entry("bob".to_owned()).and_modify(|bob| bob.delete_at = 0);
    }
    for node in 0..script.nodes.len() {
        script.skews[node].set(0);
        script.start(node);
    }
    // In a calm world nothing waits for the next listing, not even what is filed while a watch is opened again.
    script.run_until(DAWN + TROUBLED + CALM);
    let lives = 3_600_000;
    teleport::file(&sim, "prompt-0".to_owned(), lives);
    script.run_until(DAWN + TROUBLED + CALM + 5_000);
    teleport::cut(&sim, None);
    for number in 1..4 {
        let later = Rc::clone(&sim);
        let wait = sim.random(|rng| rng.i64(0..1_500));
        sim.later(wait, move || teleport::file(&later, format!("prompt-{number}"), lives));
    }
    script.run_until(DAWN + TROUBLED + CALM + PROMPT);
    invariants::prompt(&script);
    script.run_until(DAWN + TROUBLED + REST);
    invariants::at_rest(&script);
    let trace = sim.trace.as_ref().map(|trace| trace.borrow().clone()).unwrap_or_default();
    let violations = sim.violations.borrow().clone();
    (violations, trace)
}

/// What is known of a request in the end, by id.
pub fn requests(sim: &Sim) -> HashMap<String, (bool, teleport_access_core::teleport::AccessRequest)> {
    let server = sim.teleport.borrow();
    let there = server.requests.iter().map(|(id, request)| (id.clone(), (true, request.clone())));
    there.chain(server.gone.iter().map(|(id, request)| (id.clone(), (false, request.clone())))).collect()
}
