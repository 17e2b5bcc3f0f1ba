//! The whole core, and what it remembers.

use std::cell::{Cell, RefCell};
use std::rc::Rc;
use std::time::Duration;

use futures::future::AbortHandle;

use crate::audit::Refusals;
use crate::bridge::Bridge as _;
use crate::config::{self, Problem, Settings};
use crate::decision::Claims;
use crate::desk::Desk;
use crate::mattermost::{LogLevel, Mattermost as _};
use crate::recipients::Recipients;
use crate::session::{self, Link, Way};
use crate::world::World;

/// What the host says of itself.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Host {
    /// The plugin's id.
    pub plugin_id: String,
    /// The plugin's version and build.
    pub version: String,
    /// Mattermost's version.
    pub mattermost_version: String,
    /// Mattermost's SiteURL; empty where none is set.
    pub site_url: String,
    /// Name of this process.
    pub node: String,
    /// What the host wants said in the status.
    pub notes: Vec<String>,
}

/// How often, and with which pause, a click looks for a way that is being made: five seconds in all.
const WAY_TRIES: u32 = 100;
const WAY_PAUSE: Duration = Duration::from_millis(50);

/// The core.
pub struct App<W: World> {
    pub(crate) world: W,
    pub(crate) host: RefCell<Host>,
    pub(crate) settings: RefCell<Rc<Settings>>,
    pub(crate) problems: RefCell<Vec<Problem>>,
    pub(crate) configured: Cell<bool>,
    pub(crate) leader: Cell<bool>,
    /// How the connection to Teleport stands.
    pub(crate) link: RefCell<Link>,
    /// The last way to Teleport that was found with these settings. A broken watch does not take it away: clicks may
    /// still get through.
    pub(crate) way: RefCell<Option<Rc<Way<W>>>>,
    /// Puts requests into posts.
    pub(crate) desk: Desk,
    /// Finds channels.
    pub(crate) recipients: Recipients,
    /// Decisions that others are making.
    pub(crate) claims: Claims,
    /// Refused attempts to decide.
    pub(crate) refusals: Refusals,
    /// Counts the changes of settings and leadership; work of an earlier epoch stops before its next effect.
    pub(crate) epoch: Cell<u64>,
    session: RefCell<Option<AbortHandle>>,
}

impl<W: World> App<W> {
    /// A core that has heard nothing yet.
    pub fn new(world: W) -> Rc<Self> {
        Rc::new(Self {
            world,
            host: RefCell::default(),
            settings: RefCell::default(),
            problems: RefCell::default(),
            configured: Cell::new(false),
            leader: Cell::new(false),
            link: RefCell::new(Link::Down(session::Trouble::not_configured())),
            way: RefCell::new(None),
            desk: Desk::default(),
            recipients: Recipients::default(),
            claims: Claims::default(),
            refusals: Refusals::default(),
            epoch: Cell::new(0),
            session: RefCell::new(None),
        })
    }

    /// Takes new settings (a JSON object) and starts again with them. Answers what is wrong with them.
    pub fn configure(self: &Rc<Self>, host: Host, settings_json: &[u8]) -> Vec<Problem> {
        let (settings, problems) = config::parse(settings_json);
        for problem in &problems {
            self.log(LogLevel::Warn, &problem.message, &[("setting", &problem.setting)]);
        }
        let unchanged = self.configured.get() && **self.settings.borrow() == settings && *self.host.borrow() == host;
        *self.host.borrow_mut() = host;
        *self.settings.borrow_mut() = Rc::new(settings);
        self.problems.borrow_mut().clone_from(&problems);
        self.configured.set(true);
        // Saving an untouched page is how admins say "try again".
        let down = matches!(*self.link.borrow(), Link::Down(_));
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

    /// Ends the session with Teleport and begins a new one.
    fn restart(self: &Rc<Self>) {
        self.epoch.set(self.epoch.get() + 1);
        if let Some(session) = self.session.borrow_mut().take() {
            session.abort();
        }
        *self.way.borrow_mut() = None;
        *self.link.borrow_mut() = Link::Connecting;
        self.recipients.forget();
        self.desk.clear();
        if !self.configured.get() {
            return;
        }
        let (task, handle) = futures::future::abortable(session::run(Rc::clone(self), self.epoch.get()));
        *self.session.borrow_mut() = Some(handle);
        self.world.spawn(Box::pin(async move {
            let _ = task.await;
        }));
    }

    /// The way to Teleport, waited for while it is being made; none where there is none. A connection may outlive the
    /// credentials it was made with; it is not used for decisions then, as the status says.
    pub(crate) async fn way(&self) -> Option<Rc<Way<W>>> {
        let good =
            |way: &Rc<Way<W>>| way.credentials.as_ref().is_none_or(|usable| usable.expired(self.world.now()).is_none());
        for _ in 0..WAY_TRIES {
            let way = self.way.borrow().clone().filter(good);
            if way.is_some() || *self.link.borrow() != Link::Connecting {
                return way;
            }
            self.world.sleep(WAY_PAUSE).await;
        }
        None
    }

    /// The settings in force.
    pub(crate) fn settings(&self) -> Rc<Settings> {
        Rc::clone(&self.settings.borrow())
    }

    /// Writes to the server's log.
    pub(crate) fn log(&self, level: LogLevel, message: &str, fields: &[(&str, &str)]) {
        let fields = fields.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
        self.world.mattermost().log(level, message.to_owned(), fields);
    }

    /// Credentials as the settings name them, checked.
    pub(crate) async fn credentials(&self) -> Result<crate::credentials::Usable, Problem> {
        let settings = self.settings();
        let Some(source) = &settings.first().credentials else {
            let problems = self.problems.borrow();
            let problem = problems.iter().find(|problem| problem.setting != config::key::TELEPORT_ADDRESS);
            return Err(problem
                .cloned()
                .unwrap_or_else(|| Problem::new(config::key::IDENTITY, "No credentials are set.")));
        };
        crate::credentials::load(self.world.bridge(), source, self.world.now()).await
    }

    /// Points the bridge at Teleport.
    pub(crate) async fn set_endpoint(
        &self,
        endpoint: crate::bridge::Endpoint,
    ) -> Result<(), crate::mattermost::HostError> {
        self.world.bridge().set_endpoint(endpoint).await
    }
}
