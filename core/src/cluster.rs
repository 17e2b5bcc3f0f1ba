//! One Teleport cluster, as the core keeps it: how it is reached, and the desk that shows its requests.

use std::cell::{Cell, RefCell};
use std::ops::Deref;
use std::rc::Rc;

use futures::future::AbortHandle;

use crate::app::App;
use crate::bridge::Endpoint;
use crate::config::{self, Address, CredentialSource, Problem, Recipient};
use crate::credentials::{self, Usable};
use crate::desk::{Desk, Undelivered};
use crate::identity::Directory;
use crate::session::{Link, Trouble, Watch, Way};
use crate::teleport::AccessRequest;
use crate::world::World;

/// What the core remembers of one cluster. The connection stays when settings change that it does not depend on.
pub(crate) struct Cluster<W: World> {
    /// Its place in the settings' list; 0 is the first.
    pub(crate) place: Cell<usize>,
    /// What the settings say of it.
    settings: RefCell<Rc<config::Cluster>>,
    /// Its name, once the credentials have told it.
    pub(crate) name: RefCell<Option<String>>,
    /// How the connection stands.
    pub(crate) link: RefCell<Link>,
    /// The last way to Teleport that was found with these settings. A broken watch does not take it away: clicks may
    /// still get through.
    pub(crate) way: RefCell<Option<Rc<Way<W>>>>,
    /// Whether the settings have changed since in what the way depends on, and nobody knows yet whether it leads there.
    pub(crate) unproven: Cell<bool>,
    /// The watch that stands, or the last one that did, until another one takes its place.
    pub(crate) watch: RefCell<Option<Rc<Watch<W>>>>,
    /// What the bridge was last told, where it has taken that.
    pub(crate) pointed: RefCell<Option<Endpoint>>,
    /// The name that the bridge knows it by.
    pub(crate) destination: RefCell<Option<String>>,
    /// How often the bridge was pointed somewhere.
    pub(crate) generation: Cell<u64>,
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
            place: Cell::new(place),
            settings: RefCell::default(),
            name: RefCell::default(),
            link: RefCell::new(Link::Connecting),
            way: RefCell::new(None),
            unproven: Cell::new(false),
            watch: RefCell::new(None),
            pointed: RefCell::new(None),
            destination: RefCell::default(),
            generation: Cell::new(0),
            desk: Desk::default(),
            directory: Directory::default(),
            accepted_fields: RefCell::default(),
            nowhere: RefCell::default(),
            connects: Cell::new(0),
            session: RefCell::new(None),
        })
    }

    /// Takes new settings and forgets what its requests come to by them. What is in a worker's hands stays there, and so does
    /// a connection, until it is clear whether it is still the one that the settings mean: they may say the same credentials
    /// in another way. At another address it is not, but the watch goes on until another one stands.
    pub(crate) fn begin_anew(&self, place: usize, settings: config::Cluster) {
        self.end_session();
        let before = self.settings.replace(Rc::new(settings));
        let now = self.settings();
        self.place.set(place);
        if before.address != now.address {
            *self.name.borrow_mut() = None;
            *self.way.borrow_mut() = None;
        }
        self.unproven.set(self.unproven.get() || !before.is_reached_as(&now));
        if self.way.borrow().is_none() || matches!(*self.link.borrow(), Link::Down(_)) {
            *self.link.borrow_mut() = Link::Connecting;
        }
        self.forget_requests();
    }

    /// Ends everything: the settings do not name it any more. Answers the name that the bridge knows it by.
    pub(crate) fn give_up(&self) -> Option<String> {
        self.end_session();
        *self.name.borrow_mut() = None;
        *self.way.borrow_mut() = None;
        *self.watch.borrow_mut() = None;
        *self.pointed.borrow_mut() = None;
        *self.link.borrow_mut() = Link::Connecting;
        self.forget_requests();
        self.destination.borrow_mut().take()
    }

    /// Takes note that the connection broke: the next one is made from the beginning.
    pub(crate) fn broken(&self, trouble: &Trouble) {
        *self.link.borrow_mut() = Link::Down(trouble.clone());
        *self.watch.borrow_mut() = None;
        *self.pointed.borrow_mut() = None;
        if self.unproven.get() {
            *self.way.borrow_mut() = None;
        }
    }

    fn end_session(&self) {
        if let Some(session) = self.session.borrow_mut().take() {
            session.abort();
        }
    }

    fn forget_requests(&self) {
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
            .unwrap_or_else(|| format!("cluster {}", self.place.get() + 1))
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
            return Err(problem.of_cluster(self.cluster.place.get()));
        };
        credentials::load(self.world.bridge(), source, self.world.now())
            .await
            .map_err(|problem| problem.of_cluster(self.cluster.place.get()))
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

/// Which of the clusters before each of the settings' ones is: one that is reached in the same way, wherever it stood; else the
/// one in its place. None: it is new.
fn paired(before: &[Rc<config::Cluster>], wanted: &[config::Cluster]) -> Vec<Option<usize>> {
    let mut pairs = vec![None; wanted.len()];
    for same in [true, false] {
        for (place, wanted) in wanted.iter().enumerate() {
            let is_free = |index: &usize| !pairs.contains(&Some(*index));
            let fits = |index: &usize| match before.get(*index) {
                Some(before) => is_free(index) && if same { before.is_reached_as(wanted) } else { *index == place },
                None => false,
            };
            let found = std::iter::once(place).chain(0..before.len()).find(fits);
            if let Some(pair) = pairs.get_mut(place).filter(|pair| pair.is_none()) {
                *pair = found;
            }
        }
    }
    pairs
}

/// Clusters, each of which several parts hold on to.
type Clusters<W> = Vec<Rc<Cluster<W>>>;

/// The clusters that the settings want, in their order, and those that they do not want any more.
pub(crate) fn arrange<W: World>(mut before: Clusters<W>, wanted: &[config::Cluster]) -> (Clusters<W>, Clusters<W>) {
    let known: Vec<_> = before.iter().map(|cluster| cluster.settings()).collect();
    let pairs = paired(&known, wanted);
    let clusters = pairs.iter().enumerate().map(|(place, pair)| {
        let known = pair.and_then(|index| before.get(index)).map(Rc::clone);
        known.unwrap_or_else(|| Cluster::new(place))
    });
    let clusters = clusters.collect();
    let mut index = 0..;
    before.retain(|_| !index.next().is_some_and(|index| pairs.contains(&Some(index))));
    (clusters, before)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cluster_is_found_again_wherever_it_stands() {
        let cluster = |address: &str| config::Cluster {
            address: Some(Address::Teleport(format!("{address}:443"))),
            ..Default::default()
        };
        let pairs = |before: &str, wanted: &str| {
            let of = |names: &str| names.split_whitespace().map(&cluster).collect::<Vec<_>>();
            paired(&of(before).into_iter().map(Rc::new).collect::<Vec<_>>(), &of(wanted))
        };
        assert_eq!(pairs("a b", "a b"), [Some(0), Some(1)]);
        assert_eq!(pairs("a b", "b a"), [Some(1), Some(0)], "in another order");
        assert_eq!(pairs("a b", "b"), [Some(1)], "the first is gone");
        assert_eq!(pairs("a", "new a"), [None, Some(0)], "there is a new one before it");
        assert_eq!(pairs("a b", "new b"), [Some(0), Some(1)], "the first is another one");
        assert_eq!(pairs("a a", "a a"), [Some(0), Some(1)], "named twice");
        assert_eq!(pairs("", "a"), [None]);
    }
}
