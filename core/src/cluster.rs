//! One Teleport cluster, as the core keeps it: how it is reached, and the desk that shows its requests.

use std::cell::{Cell, RefCell};
use std::ops::Deref;
use std::rc::Rc;

use futures::future::AbortHandle;

use crate::app::App;
use crate::config::{self, Address, CredentialSource, Problem, Recipient};
use crate::credentials::{self, Usable};
use crate::desk::{Desk, Undelivered};
use crate::identity::Directory;
use crate::session::{Link, Way};
use crate::teleport::AccessRequest;
use crate::world::World;

/// What the core remembers of one cluster, until the settings change.
pub(crate) struct Cluster<W: World> {
    /// Its place in the settings' list; 0 is the first.
    pub(crate) place: usize,
    /// What the settings say of it.
    settings: RefCell<Rc<config::Cluster>>,
    /// Its name, once the credentials have told it.
    pub(crate) name: RefCell<Option<String>>,
    /// How the connection stands.
    pub(crate) link: RefCell<Link>,
    /// The last way to Teleport that was found with these settings. A broken watch does not take it away: clicks may
    /// still get through.
    pub(crate) way: RefCell<Option<Rc<Way<W>>>>,
    /// Puts requests into posts.
    pub(crate) desk: Desk,
    /// Who its users are in Mattermost.
    pub(crate) directory: Directory,
    /// The unknown fields of its requests that admins have accepted, as of the last look.
    pub(crate) accepted_fields: RefCell<Vec<String>>,
    /// Pending requests that nobody can see, as of the last look.
    pub(crate) nowhere: RefCell<Vec<Undelivered>>,
    /// How often the connection was made.
    pub(crate) connects: Cell<u64>,
    /// Ends what keeps the connection.
    pub(crate) session: RefCell<Option<AbortHandle>>,
}

impl<W: World> Cluster<W> {
    /// A cluster that nobody has looked for yet.
    pub(crate) fn new(place: usize) -> Rc<Self> {
        Rc::new(Self {
            place,
            settings: RefCell::default(),
            name: RefCell::default(),
            link: RefCell::new(Link::Connecting),
            way: RefCell::new(None),
            desk: Desk::default(),
            directory: Directory::default(),
            accepted_fields: RefCell::default(),
            nowhere: RefCell::default(),
            connects: Cell::new(0),
            session: RefCell::new(None),
        })
    }

    /// Forgets everything, and takes new settings. What is in a worker's hands stays there.
    pub(crate) fn begin_anew(&self, settings: config::Cluster) {
        if let Some(session) = self.session.borrow_mut().take() {
            session.abort();
        }
        *self.settings.borrow_mut() = Rc::new(settings);
        *self.name.borrow_mut() = None;
        *self.link.borrow_mut() = Link::Connecting;
        *self.way.borrow_mut() = None;
        self.desk.clear();
        self.directory.forget();
        self.accepted_fields.borrow_mut().clear();
        self.nowhere.borrow_mut().clear();
    }

    /// What the settings say of it.
    pub(crate) fn settings(&self) -> Rc<config::Cluster> {
        Rc::clone(&self.settings.borrow())
    }

    /// What people know it by: its name, else its address.
    pub(crate) fn label(&self) -> String {
        let name = self.name.borrow().clone();
        name.or_else(|| self.settings().address.as_ref().map(Address::to_string))
            .unwrap_or_else(|| format!("cluster {}", self.place + 1))
    }

    /// The way to Teleport, where there is one that may be used. A connection may outlive the credentials it was made
    /// with; it is not used for decisions then, as the status says.
    pub(crate) fn good_way(&self, app: &App<W>) -> Option<Rc<Way<W>>> {
        let way = self.way.borrow().clone()?;
        let good = way.credentials.as_ref().is_none_or(|usable| usable.expired(app.world.now()).is_none());
        good.then_some(way)
    }
}

/// A cluster together with the app that it is part of.
pub(crate) struct Lane<W: World> {
    /// The whole core.
    pub(crate) app: Rc<App<W>>,
    /// Its part for one cluster.
    pub(crate) cluster: Rc<Cluster<W>>,
}

impl<W: World> Clone for Lane<W> {
    fn clone(&self) -> Self {
        Self { app: Rc::clone(&self.app), cluster: Rc::clone(&self.cluster) }
    }
}

impl<W: World> Deref for Lane<W> {
    type Target = App<W>;

    fn deref(&self) -> &App<W> {
        &self.app
    }
}

impl<W: World> Lane<W> {
    /// Credentials as the settings name them, checked.
    pub(crate) async fn credentials(&self) -> Result<Usable, Problem> {
        let settings = self.cluster.settings();
        let Some(source) = &settings.credentials else {
            let problems = self.problems.borrow();
            let about = |problem: &&Problem| credentials::SETTINGS.contains(&problem.setting.as_ref());
            let problem = problems.iter().find(about).cloned();
            let problem = problem.unwrap_or_else(|| Problem::missing(config::key::IDENTITY, "No credentials are set."));
            return Err(problem.of_cluster(self.cluster.place));
        };
        credentials::load(self.world.bridge(), source, self.world.now())
            .await
            .map_err(|problem| problem.of_cluster(self.cluster.place))
    }

    /// Where a request is posted: to the recipients of each of its roles, else to those of the cluster, else to all
    /// requests' ones.
    pub(crate) fn recipients_of(&self, request: &AccessRequest) -> Vec<Recipient> {
        let settings = self.settings();
        let own = self.cluster.settings();
        let usual = if own.recipients.is_empty() { &settings.recipients } else { &own.recipients };
        let cluster = self.cluster.name.borrow().clone().unwrap_or_default();
        self.roles_seen.note(&settings.approvers, &cluster, &request.roles);
        let mut recipients: Vec<Recipient> = Vec::new();
        let mut add = |more: &[Recipient]| {
            for recipient in more {
                if !recipients.contains(recipient) {
                    recipients.push(recipient.clone());
                }
            }
        };
        for role in &request.roles {
            let rules = config::rules_for(&settings.role_recipients, &cluster, role);
            if rules.is_empty() {
                add(usual);
            }
            rules.iter().for_each(|rule| add(&rule.recipients));
        }
        if request.roles.is_empty() {
            add(usual);
        }
        recipients
    }

    /// Whether any of the credentials are files on the server, which may change by themselves.
    pub(crate) fn reads_files(&self) -> bool {
        self.cluster.settings().credentials.as_ref().is_some_and(CredentialSource::is_in_files)
    }
}
