//! The whole core, and what it remembers.

use std::cell::{Cell, RefCell};
use std::rc::Rc;
use std::time::Duration;

use crate::audit::{self, Audit};
use crate::cluster::{self, Cluster, Lane};
use crate::config::{self, Problem, Settings};
use crate::decision::Locks;
use crate::mattermost::{LogLevel, Mattermost as _};
use crate::metrics::Counters;
use crate::notices;
use crate::recipients::Recipients;
use crate::rules::seen::RolesSeen;
use crate::rules::{links, mapping, pins};
use crate::save;
use crate::session::{self, Link, Trouble, Way};
use crate::time::Time;
use crate::world::World;

/// What the host says of itself.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Host {
    /// The plugin's id.
    pub plugin_id: String,
    /// The plugin's version and build.
    pub version: String,
    /// The plugin's bot; empty where there is none yet.
    pub bot_user_id: String,
    /// Mattermost's version.
    pub mattermost_version: String,
    /// Mattermost's SiteURL; empty where none is set.
    pub site_url: String,
    /// Name of this process.
    pub node: String,
    /// What the host wants said in the status.
    pub notes: Vec<String>,
    /// What is broken at the host, with its cure.
    pub failures: Vec<String>,
    /// Whether Mattermost has multi-factor authentication switched off.
    pub multi_factor_off: bool,
}

impl Host {
    /// Whether all that is done goes on as before. What is only said is of no account: a database that does not answer for a
    /// moment must not end every session with Teleport.
    fn is_as(&self, other: &Self) -> bool {
        // Multi-factor authentication counts with the settings.
        let without_notes = |host: &Self| Self { notes: Vec::new(), multi_factor_off: false, ..host.clone() };
        without_notes(self) == without_notes(other)
    }
}

/// How often, and with which pause, a click looks for a way that is being made: five seconds in all.
const WAY_TRIES: u32 = 100;
const WAY_PAUSE: Duration = Duration::from_millis(50);

/// The core.
pub struct App<W: World> {
    pub(crate) world: W,
    /// When this process began.
    pub(crate) started: Time,
    pub(crate) host: RefCell<Host>,
    pub(crate) settings: RefCell<Rc<Settings>>,
    /// The settings as they were handed over, secrets included.
    pub(crate) raw: RefCell<save::Values>,
    pub(crate) problems: RefCell<Vec<Problem>>,
    pub(crate) configured: Cell<bool>,
    pub(crate) leader: Cell<bool>,
    /// One for each cluster of the settings, in their order.
    pub(crate) clusters: RefCell<Vec<Rc<Cluster<W>>>>,
    /// Finds channels.
    pub(crate) recipients: Recipients,
    /// Roles that were asked for and that no rule names.
    pub(crate) roles_seen: RolesSeen,
    /// Decisions that others are making.
    pub(crate) locks: Locks,
    /// The audit trail.
    pub(crate) audit: Audit,
    /// What is counted for Prometheus.
    pub(crate) counters: Counters,
    /// Counts the changes of settings and leadership; work of an earlier epoch stops before its next effect.
    pub(crate) epoch: Cell<u64>,
}

/// What somebody reads whose click came too early for the connection.
const CONNECTING: &str = "The plugin is connecting to it right now: click again in a few seconds.";

/// Why there is no way to a cluster.
pub(crate) enum NoWay {
    /// The settings name no such cluster.
    Unknown,
    /// What is wrong, and what to do.
    Down(String),
}

impl<W: World> App<W> {
    /// A core that has heard nothing yet.
    pub fn new(world: W) -> Rc<Self> {
        Rc::new(Self {
            started: world.now(),
            world,
            host: RefCell::default(),
            settings: RefCell::default(),
            raw: RefCell::default(),
            problems: RefCell::default(),
            configured: Cell::new(false),
            leader: Cell::new(false),
            clusters: RefCell::default(),
            recipients: Recipients::default(),
            roles_seen: RolesSeen::default(),
            locks: Locks::default(),
            audit: Audit::default(),
            counters: Counters::default(),
            epoch: Cell::new(0),
        })
    }

    /// Takes new settings (a JSON object) and starts again with them. Answers what is wrong with them, worst first.
    pub fn configure(self: &Rc<Self>, host: Host, settings_json: &[u8]) -> Vec<Problem> {
        let (settings, mut problems) = config::parse(settings_json);
        let settings = Settings { multi_factor_off: host.multi_factor_off, ..settings };
        problems.extend(save::in_the_clear(&save::read(settings_json)));
        // Those that matter as much stay in the order of the settings page.
        problems.sort_by_key(|problem| problem.severity);
        let unchanged =
            self.configured.get() && self.settings.borrow().is_as(&settings) && self.host.borrow().is_as(&host);
        *self.host.borrow_mut() = host;
        *self.settings.borrow_mut() = Rc::new(settings);
        *self.raw.borrow_mut() = save::read(settings_json);
        self.problems.borrow_mut().clone_from(&problems);
        self.configured.set(true);
        for problem in &problems {
            self.log(LogLevel::Warn, &problem.message, &[("setting", &problem.setting)]);
        }
        // Saving an untouched page is how admins say "try again".
        let down = self.clusters.borrow().iter().any(|cluster| matches!(*cluster.link.borrow(), Link::Down(_)));
        if !unchanged || down {
            self.restart();
        }
        problems
    }

    /// Hears whether this node is the one that watches Teleport and writes posts.
    pub fn lead(self: &Rc<Self>, leader: bool) {
        if self.leader.replace(leader) != leader {
            self.restart();
        }
    }

    /// Begins everything anew by the settings and the leadership as they are now. Connections to Teleport stay, and watches,
    /// where they are as the settings want them.
    fn restart(self: &Rc<Self>) {
        self.epoch.set(self.epoch.get() + 1);
        self.world.spawn(Box::pin(audit::keep(Rc::clone(self), self.epoch.get())));
        let settings = self.settings();
        let wanted = if self.configured.get() { settings.clusters.as_slice() } else { &[] };
        let (clusters, gone) = cluster::arrange(std::mem::take(&mut *self.clusters.borrow_mut()), wanted);
        for destination in gone.iter().filter_map(|cluster| cluster.give_up()) {
            session::forget_later(self, destination);
        }
        self.recipients.forget();
        self.clusters.borrow_mut().clone_from(&clusters);
        if self.configured.get() {
            self.world.spawn(Box::pin(pins::keep_settled(Rc::clone(self), self.epoch.get())));
            self.world.spawn(Box::pin(mapping::settle_soon(Rc::clone(self), self.epoch.get())));
        }
        if self.leader.get() && self.configured.get() {
            self.world.spawn(Box::pin(links::keep(Rc::clone(self), self.epoch.get())));
            self.world.spawn(Box::pin(notices::keep(Rc::clone(self), self.epoch.get())));
        }
        for (place, (cluster, settings)) in clusters.iter().zip(wanted).enumerate() {
            cluster.begin_anew(place, settings.clone());
        }
        for cluster in clusters {
            let lane = Lane { app: Rc::clone(self), cluster: Rc::clone(&cluster) };
            let (task, handle) = futures::future::abortable(session::run(lane, self.epoch.get()));
            *cluster.session.borrow_mut() = Some(handle);
            self.world.spawn(Box::pin(async move {
                let _ = task.await;
            }));
        }
    }

    /// All clusters.
    pub(crate) fn lanes(self: &Rc<Self>) -> Vec<Lane<W>> {
        let lane = |cluster: &Rc<Cluster<W>>| Lane { app: Rc::clone(self), cluster: Rc::clone(cluster) };
        self.clusters.borrow().iter().map(lane).collect()
    }

    /// The way to a cluster, waited for while it is being made.
    pub(crate) async fn way(self: &Rc<Self>, cluster: &str) -> Result<(Lane<W>, Rc<Way<W>>), NoWay> {
        let mut tries = 0;
        loop {
            let mut trouble: Option<Trouble> = None;
            let mut connecting = false;
            for lane in self.lanes() {
                let name = lane.cluster.name.borrow().clone();
                if name.as_deref().is_some_and(|name| name != cluster) {
                    continue;
                }
                if name.is_some()
                    && let Some(way) = lane.cluster.good_way(self)
                {
                    return Ok((lane, way));
                }
                match &*lane.cluster.link.borrow() {
                    Link::Connecting => connecting = true,
                    Link::Down(down) => trouble = Some(down.clone()),
                    Link::Up(_) => {}
                }
            }
            tries += 1;
            if !connecting || tries >= WAY_TRIES {
                return Err(match trouble {
                    Some(trouble) => NoWay::Down(trouble.message),
                    None if connecting => NoWay::Down(CONNECTING.to_owned()),
                    None => NoWay::Unknown,
                });
            }
            self.world.sleep(WAY_PAUSE).await;
        }
    }

    /// The settings in force.
    pub(crate) fn settings(&self) -> Rc<Settings> {
        Rc::clone(&self.settings.borrow())
    }

    /// Writes to the server's log.
    pub(crate) fn log(&self, level: LogLevel, message: &str, fields: &[(&str, &str)]) {
        if (level as i32) < (self.settings.borrow().log_level as i32) {
            return;
        }
        let fields = fields.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
        self.world.mattermost().log(level, message.to_owned(), fields);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_changes_what_is_done_begins_anew() {
        let host = || Host { bot_user_id: "bot".into(), site_url: "https://chat.example".into(), ..Host::default() };
        let noted = Host { notes: vec!["The bot could not be looked at.".into()], ..host() };
        assert!(host().is_as(&noted) && noted.is_as(&host()), "a note is only said");
        for other in [
            Host { bot_user_id: String::new(), ..host() },
            Host { site_url: "https://other.example".into(), ..host() },
            Host { failures: vec!["The bot is deactivated.".into()], ..host() },
        ] {
            assert!(!host().is_as(&other) && !other.is_as(&host()), "{other:?}");
        }
    }
}
