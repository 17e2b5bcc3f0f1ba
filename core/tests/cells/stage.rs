//! A whole world for one cell: a server with the plugin, one request, people who click, and what came of it.

use std::cell::{Cell, RefCell};
use std::collections::BTreeMap;
use std::fmt::Debug;
use std::future::Future;
use std::rc::Rc;

use futures::executor::LocalPool;
use futures::task::LocalSpawnExt;
use serde_json::{Value, json};
use teleport_access_core::app::{App, Host};
use teleport_access_core::audit::{self, Entry};
use teleport_access_core::decision::{self, Click, Submission};
use teleport_access_core::mattermost::{Group, Membership, Post, User};
use teleport_access_core::messages::{NEWS_PROP, REQUEST_PROP};
use teleport_access_core::requests::digest;
use teleport_access_core::teleport::{AccessRequest, Resource, State};
use teleport_access_core::time::Time;

use crate::ports::{NodeWorld, SimBridge, SimMattermost};
use crate::servers::BOT;
use crate::sim::{DAWN, Sim};
use crate::teleport;

/// The one request of a cell.
pub const REQUEST: &str = "the-request";
/// What the person reads whose click is carried out.
pub const DECIDED: &str = "You approved";
/// The same for a denial.
pub const DENIED: &str = "You denied";

/// An account with a verified address.
pub fn account(id: &str, username: &str, email: &str) -> User {
    User {
        id: id.into(),
        username: username.into(),
        email: email.into(),
        email_verified: true,
        mfa_active: true,
        ..Default::default()
    }
}

/// A request of the Teleport user `requester`, as it is filed now.
pub fn request(sim: &Sim, roles: &[&str]) -> AccessRequest {
    AccessRequest {
        id: REQUEST.into(),
        user: "requester".into(),
        roles: roles.iter().map(|role| (*role).to_owned()).collect(),
        created: Some(Time(sim.now())),
        expires: Some(Time(sim.now() + 36_000_000)),
        ..Default::default()
    }
}

/// A node, restricted to one login.
pub fn resource() -> Resource {
    Resource {
        cluster: "tp".into(),
        kind: "node".into(),
        name: "vault".into(),
        sub_resource: String::new(),
        constraints: vec!["login reader".into()],
    }
}

pub struct Stage {
    pub sim: Rc<Sim>,
    pub app: Rc<App<NodeWorld>>,
    pool: LocalPool,
    now: i64,
    settings: Value,
}

fn app(sim: &Rc<Sim>, pool: &LocalPool) -> Rc<App<NodeWorld>> {
    App::new(NodeWorld {
        sim: Rc::clone(sim),
        mattermost: SimMattermost { sim: Rc::clone(sim), node: 0 },
        bridge: SimBridge { sim: Rc::clone(sim), node: 0 },
        node: 0,
        skew: Rc::new(Cell::new(0)),
        spawner: pool.spawner(),
    })
}

impl Stage {
    /// A server whose plugin starts after `before`.
    pub fn new(settings: Value, before: impl FnOnce(&Sim)) -> Self {
        let sim = Sim::new(13, false);
        sim.teleport.borrow_mut().version = "18.10.0".into();
        sim.teleport.borrow_mut().plugin_user = "access-plugin";
        before(&sim);
        let mut whole = json!({
            "teleportaddress": "tp:443",
            "identity": concat!("-----BEGIN RSA PRIVATE KEY-----\n-----END RSA PRIVATE KEY-----\n",
                "-----BEGIN CERTIFICATE-----\n-----END CERTIFICATE-----\n-----BEGIN CERTIFICATE-----\n-----END CERTIFICATE-----\n"),
            "recipients": "ops/one",
            "authority": "approvers",
            "askreason": "never",
            "notifyrequesters": false,
        });
        whole.as_object_mut().unwrap().append(&mut settings.as_object().unwrap().clone());
        let pool = LocalPool::new();
        let app = app(&sim, &pool);
        let mut stage = Self { sim, app, pool, now: DAWN, settings: whole };
        stage.configure(json!({}));
        stage.app.lead(true);
        stage
    }

    /// Puts settings in force: those that were there, and these instead or besides.
    pub fn configure(&mut self, changed: Value) {
        self.settings.as_object_mut().unwrap().append(&mut changed.as_object().unwrap().clone());
        self.configure_as(BOT);
    }

    /// The plugin starts anew with its settings, and finds no bot.
    pub fn without_bot(&mut self) {
        self.configure_as("");
    }

    fn configure_as(&self, bot: &str) {
        let host = Host { plugin_id: "the.plugin".into(), bot_user_id: bot.into(), ..Host::default() };
        self.app.configure(host, self.settings.to_string().as_bytes());
    }

    /// The plugin's process ends, and another one begins.
    pub fn restart(&mut self) {
        self.pool = LocalPool::new();
        self.app = app(&self.sim, &self.pool);
        self.configure(json!({}));
        self.app.lead(true);
    }

    /// Lets so much time pass.
    pub fn pass(&mut self, millis: i64) {
        self.now = self.sim.now() + millis;
        loop {
            self.pool.run_until_stalled();
            if !self.sim.step(self.now) {
                self.pool.run_until_stalled();
                return;
            }
        }
    }

    /// Does something, and answers what came of it.
    pub fn await_it<T: 'static>(&mut self, work: impl Future<Output = T> + 'static) -> T {
        let answer = Rc::new(RefCell::new(None));
        let into = Rc::clone(&answer);
        self.pool.spawner().spawn_local(async move { *into.borrow_mut() = Some(work.await) }).unwrap();
        self.pass(20_000);
        answer.take().unwrap()
    }

    /// Files a request, and gives the plugin the time to post it.
    pub fn file(&mut self, request: AccessRequest) {
        teleport::file_as(&self.sim, request, 36_000_000);
        self.pass(5_000);
    }

    /// The time now.
    pub fn app_time(&self) -> Time {
        Time(self.sim.now())
    }

    /// Changes an account.
    pub fn account(&self, id: &str, change: impl FnOnce(&mut User)) {
        change(self.sim.mattermost.borrow_mut().users.get_mut(id).unwrap());
    }

    /// Changes the request as Teleport has it, of which nobody tells the plugin.
    pub fn in_teleport(&self, change: impl FnOnce(&mut AccessRequest)) {
        change(self.sim.teleport.borrow_mut().requests.get_mut(REQUEST).unwrap());
    }

    /// The request's post as it is now.
    pub fn post(&self) -> Post {
        let is_its = |post: &&Post| {
            post.props.get(REQUEST_PROP).is_some_and(|id| id == REQUEST) && !post.props.contains_key(NEWS_PROP)
        };
        self.sim.mattermost.borrow().posts.values().find(is_its).cloned().unwrap()
    }

    /// The click of a person on a button of the post, whether or not it has one: whoever knows the request can make one up.
    pub fn click_of(&self, user: &str, verdict: &str, post: &Post) -> Click {
        let actions = post.attachments.iter().flat_map(|attachment| &attachment.actions);
        let shown = actions.filter_map(|action| action.context.get("digest").cloned()).next();
        let digest = shown.unwrap_or_else(|| digest::of_request("tp", &self.sim.teleport.borrow().requests[REQUEST]));
        let context = [("request", REQUEST), ("cluster", "tp"), ("verdict", verdict), ("digest", digest.as_str())];
        Click {
            user_id: user.into(),
            session_id: self.sim.mattermost.borrow_mut().sign_in(user),
            ip_address: "192.0.2.1".into(),
            post_id: post.id.clone(),
            trigger_id: format!("{user}|{REQUEST}|{digest}"),
            context: BTreeMap::from(context.map(|(name, value)| (name.to_owned(), value.to_owned()))),
        }
    }

    /// Sends a click; answers what the clicker reads.
    pub fn send(&mut self, click: Click) -> String {
        let app = Rc::clone(&self.app);
        self.await_it(async move { decision::click(&app, click).await })
    }

    /// Somebody clicks in the post as it is.
    pub fn click(&mut self, user: &str, verdict: &str) -> String {
        let click = self.click_of(user, verdict, &self.post());
        self.send(click)
    }

    /// Submits the dialog that was opened last, with all roles granted; answers what the person reads.
    pub fn submit(&mut self, user: &str, session_id: &str) -> String {
        let dialog = self.sim.mattermost.borrow().dialogs.last().unwrap().dialog.clone();
        let roles = dialog.elements.iter().filter(|element| element.r#type == "bool");
        let values = roles.map(|element| (element.name.clone(), "true".to_owned())).collect();
        let submission = Submission {
            user_id: user.into(),
            session_id: session_id.into(),
            ip_address: "192.0.2.1".into(),
            state: dialog.state,
            values,
            ..Submission::default()
        };
        let app = Rc::clone(&self.app);
        let answer = self.await_it(async move { decision::submit_dialog(&app, submission).await });
        // What came of a dialog that closes is told in the channel.
        let whispered = || self.sim.mattermost.borrow().whispers.last().cloned().unwrap_or_default();
        if answer.error.is_empty() { whispered() } else { answer.error }
    }

    /// How often Teleport carried out what the plugin asked for.
    pub fn applied(&self) -> usize {
        self.sim.teleport.borrow().applied.len()
    }

    /// Who Teleport was told decided, the last time.
    pub fn signed(&self) -> String {
        self.sim.teleport.borrow().applied.last().map(|applied| applied.by.clone()).unwrap_or_default()
    }

    pub fn state(&self) -> Option<State> {
        self.sim.teleport.borrow().requests.get(REQUEST).map(|request| request.state)
    }

    /// What stands in the audit trail of somebody's attempts.
    pub fn attempts(&self, user: &str) -> Vec<audit::Result> {
        let server = self.sim.mattermost.borrow();
        let entries: Vec<Entry> = server.kv.iter().flat_map(|(key, (value, _))| audit::stored(key, value)).collect();
        let own = |entry: &Entry| entry.user_id == user && entry.result.is_attempt();
        audit::merged(entries).into_iter().filter(own).map(|entry| entry.result).collect()
    }
}

/// Makes a channel's or group's members.
pub fn members(sim: &Sim, place: &str, users: &[&str]) {
    let mut server = sim.mattermost.borrow_mut();
    for user in users {
        server.memberships.insert((place.to_owned(), (*user).to_owned()), Membership { member: true, admin: false });
    }
}

/// Makes a synced group with its members.
pub fn group(sim: &Sim, id: &str, name: &str, users: &[&str]) {
    let group = Group { id: id.into(), name: name.into(), is_synced: true, ..Default::default() };
    sim.mattermost.borrow_mut().groups.push(group);
    members(sim, id, users);
}

/// What came of the click that a cell is about.
pub struct Seen {
    pub answer: String,
    /// Whether Teleport carried it out.
    pub carried_out: bool,
    /// What stands in the audit trail of the clicker.
    pub attempts: Vec<audit::Result>,
}

impl Seen {
    /// What came of a click; so often had Teleport carried out something before it.
    pub fn of(stage: &Stage, user: &str, before: usize, answer: String) -> Self {
        Self { answer, carried_out: stage.applied() > before, attempts: stage.attempts(user) }
    }

    /// The reason why it is not what was expected. Whatever came of it stands in the audit trail.
    fn differs(&self, expected: &str) -> Option<String> {
        let decides = expected == DECIDED || expected == DENIED;
        let in_trail = self.attempts.iter().any(|result| match result {
            audit::Result::Decided => decides,
            audit::Result::Voted => expected.contains("was counted"),
            // What Teleport granted and nobody decided has its entry as well.
            audit::Result::Refused | audit::Result::Failed => !decides,
            _ => false,
        });
        let right =
            self.answer.contains(expected) && (self.carried_out == decides || expected == TAKEN_BACK) && in_trail;
        (!right).then(|| {
            format!(
                "expected {expected:?}, read {:?}, carried out: {}, trail: {:?}",
                self.answer, self.carried_out, self.attempts
            )
        })
    }
}

/// What is granted, and denied at once.
pub const TAKEN_BACK: &str = "denied at once";

/// A row of a table: for each fact of a cell the values that the row is about, and what is expected then.
pub trait Row<C> {
    fn fits(&self, cell: &C) -> bool;
    fn expected(&self) -> &'static str;
}

macro_rules! row {
    ($($index:tt $Fact:ident),+; $expected:tt) => {
        impl<$($Fact: PartialEq),+> Row<($($Fact,)+)> for ($(&'static [$Fact],)+ &'static str) {
            fn fits(&self, cell: &($($Fact,)+)) -> bool {
                $(self.$index.contains(&cell.$index))&&+
            }

            fn expected(&self) -> &'static str {
                self.$expected
            }
        }
    };
}

row!(0 A, 1 B, 2 C; 3);
row!(0 A, 1 B, 2 C, 3 D; 4);
row!(0 A, 1 B, 2 C, 3 D, 4 E; 5);

/// All cells of these facts.
#[macro_export]
macro_rules! cells {
    ($($facts:expr),+) => { itertools::iproduct!($($facts.iter().copied()),+) };
}

/// Plays all cells by a table that names each of their facts.
pub fn play_table<C: Debug, R: Row<C>>(cells: impl IntoIterator<Item = C>, rows: &[R], play: impl Fn(&C) -> Seen) {
    play_all(cells, rows, R::fits, R::expected, play);
}

/// Plays all cells; the first row that fits one says what is expected. Every cell has a row, and every row a cell.
pub fn play_all<C: Debug, R>(
    cells: impl IntoIterator<Item = C>,
    rows: &[R],
    fits: impl Fn(&R, &C) -> bool,
    expected: impl Fn(&R) -> &'static str,
    play: impl Fn(&C) -> Seen,
) {
    let mut used = vec![0; rows.len()];
    let mut wrong = Vec::new();
    for cell in cells {
        let Some(row) = rows.iter().position(|row| fits(row, &cell)) else {
            wrong.push(format!("{cell:?}: no row is about it; read {:?}", play(&cell).answer));
            continue;
        };
        used[row] += 1;
        if let Some(why) = play(&cell).differs(expected(&rows[row])) {
            wrong.push(format!("{cell:?}: {why}"));
        }
    }
    assert!(wrong.is_empty(), "{} cells are wrong, such as:\n{}", wrong.len(), wrong[..wrong.len().min(20)].join("\n"));
    assert!(used.iter().all(|count| *count > 0), "rows that no cell uses: {used:?}");
}
