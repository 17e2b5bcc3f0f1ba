//! The self-test: the chain from the settings to a watched Teleport, tried out step by step with settings that need not be
//! saved. Nothing is posted, and no request is touched.

use std::rc::Rc;
use std::time::Duration;

use futures::StreamExt;

use crate::app::App;
use crate::authority;
use crate::bridge::Bridge as _;
use crate::checks;
use crate::config::{self, Address, Authority, Cluster, Settings, Severity};
use crate::connection::route;
use crate::credentials;
use crate::messages::code;
use crate::proto::bridge::Failure as F;
use crate::proto::panel::{Check, Outcome};
use crate::recipients::Recipients;
use crate::save;
use crate::session::{self, Place, Trouble, Way};
use crate::setup;
use crate::status;
use crate::teleport::{Event, Teleport as _, TeleportError};
use crate::world::{World, within};

/// How long the first event of a watch may take.
const INIT_TIMEOUT: Duration = Duration::from_secs(15);

/// Takes each check when it has begun, and again when it is over.
pub trait Report {
    /// Shows a check.
    fn show(&self, check: Check);
}

impl<F: Fn(Check)> Report for F {
    fn show(&self, check: Check) {
        self(check);
    }
}

/// Steps of one cluster, in order.
struct Steps<'a, R: Report> {
    report: &'a R,
    cluster: String,
}

impl<R: Report> Steps<'_, R> {
    fn begin(&self, name: &str) {
        self.end(status::check(name, Outcome::Pending, "in progress"));
    }

    fn end(&self, check: Check) {
        self.report.show(Check { cluster: self.cluster.clone(), ..check });
    }

    fn ok(&self, name: &str, message: impl Into<String>) {
        self.end(status::check(name, Outcome::Ok, message));
    }

    fn failed(&self, name: &str, trouble: &Trouble, user: &str) {
        let command = command(trouble, user);
        self.end(Check { command, ..status::check(name, Outcome::Failed, trouble.message.as_str()) });
    }

    fn waits(&self, names: &[&str]) {
        for name in names {
            self.end(status::check(name, Outcome::Pending, "waits for the above"));
        }
    }
}

/// The command that mends a trouble; empty where no one command does.
fn command(trouble: &Trouble, user: &str) -> String {
    let user: String =
        user.chars().filter(|letter| letter.is_ascii_alphanumeric() || "._@-".contains(*letter)).collect();
    let user = if user.is_empty() { "access-plugin" } else { &user };
    match trouble.place {
        Place::Credentials => format!("tctl auth sign --user={user} --format=file --ttl=8760h --out=identity"),
        Place::Settings | Place::Connection | Place::Permissions | Place::Watch => String::new(),
    }
}

/// The commands that give the plugin's role what it lacks.
fn role(settings: &Settings, version: &str, address: &Address) -> String {
    let wish = setup::Wish {
        teleport_version: version,
        authority: settings.authority,
        user_trait: !settings.user_trait.is_empty(),
        teleport_address: &address.to_string(),
    };
    let steps = setup::guide(&wish);
    let about_the_role =
        steps.iter().map(|step| step.command.as_str()).filter(|text| text.contains("access-plugin.yaml"));
    about_the_role.collect::<Vec<_>>().join("\n")
}

/// Tries everything out.
pub async fn run<W: World, R: Report>(app: &Rc<App<W>>, settings_json: &[u8], report: &R) {
    let whole = save::unmasked(&save::read(settings_json), &app.raw.borrow());
    let (settings, problems) = config::parse(&serde_json::to_vec(&whole).unwrap_or_default());
    let settings = Settings { multi_factor_off: app.host.borrow().multi_factor_off, ..settings };
    let general = Steps { report, cluster: String::new() };
    general.end(status::settings_check(&problems));
    recipients(app, &settings, &general).await;
    general.end(status::approvers_check(app, &settings).await);
    let fresh = checks::fresh(app.world.mattermost(), app.world.now(), &app.settings(), &settings).await;
    checks::all(app, &settings, fresh).await.into_iter().for_each(|check| general.end(check));
    for (place, cluster) in settings.clusters.iter().enumerate() {
        let label = match &cluster.address {
            _ if settings.clusters.len() == 1 => String::new(),
            Some(address) => address.to_string(),
            None => format!("cluster {}", place + 1),
        };
        let steps = Steps { report, cluster: label };
        let missing = problems.iter().any(|problem| problem.severity < Severity::Outdated);
        try_cluster(app, &settings, cluster, place, missing, &steps).await;
    }
    plugin(app, &general);
}

async fn recipients<W: World, R: Report>(app: &Rc<App<W>>, settings: &Settings, steps: &Steps<'_, R>) {
    steps.begin("Recipients");
    let of_clusters = settings.clusters.iter().flat_map(|cluster| &cluster.recipients);
    let of_roles = settings.role_recipients.iter().flat_map(|rule| &rule.recipients);
    let all = settings.recipients.iter().chain(of_clusters).chain(of_roles);
    let fresh = Recipients::unsaved();
    steps.end(status::recipients_check(app.world.mattermost(), &fresh, all).await);
}

fn plugin<W: World, R: Report>(app: &Rc<App<W>>, steps: &Steps<'_, R>) {
    let host = app.host.borrow();
    let role = if app.leader.get() {
        "this node watches Teleport"
    } else {
        "another node of this Mattermost cluster watches Teleport; this one stands by"
    };
    let text = format!("version {} on Mattermost {}, {role}", host.version, host.mattermost_version);
    let outcome = if host.notes.is_empty() { Outcome::Ok } else { Outcome::Warning };
    let lines: Vec<&str> = std::iter::once(text.as_str()).chain(host.notes.iter().map(String::as_str)).collect();
    steps.end(status::check("Plugin", outcome, lines.join("\n")));
}

const CREDENTIALS: &str = "Credentials";
const ADDRESS: &str = "Address";
const TLS: &str = "Secure connection";
const PLAIN: &str = "Plain connection";
const SERVER: &str = "Server";
const PERMISSIONS: &str = "Permissions";
const DECISIONS: &str = "Decisions";
const WATCH: &str = "Watch";
const USERS: &str = "Users";

async fn try_cluster<W: World, R: Report>(
    app: &Rc<App<W>>,
    settings: &Settings,
    cluster: &Cluster,
    place: usize,
    missing: bool,
    steps: &Steps<'_, R>,
) {
    let tls = cluster.address.as_ref().map_or(TLS, |address| secured(address, "").0);
    let after_credentials = [ADDRESS, tls, SERVER, PERMISSIONS, DECISIONS, WATCH];
    let (Some(address), gateway) = (&cluster.address, matches!(cluster.address, Some(Address::Gateway(_)))) else {
        steps.waits(&[CREDENTIALS]);
        steps.waits(&after_credentials);
        return;
    };
    steps.begin(CREDENTIALS);
    let usable = match &cluster.credentials {
        None if gateway => {
            steps.ok(CREDENTIALS, "none needed: the gateway signs in");
            None
        }
        None => {
            let text = if missing { "see the settings above" } else { "none" };
            steps.end(status::check(CREDENTIALS, Outcome::Failed, text));
            steps.waits(&after_credentials);
            return;
        }
        Some(source) => {
            let loaded = credentials::load(app.world.bridge(), source, app.world.now()).await;
            let loaded = loaded.and_then(|usable| match usable.expired(app.world.now()) {
                Some(problem) => Err(problem),
                None => Ok(usable),
            });
            match loaded {
                Err(problem) => {
                    steps.failed(CREDENTIALS, &problem.of_cluster(place).into(), "");
                    steps.waits(&after_credentials);
                    return;
                }
                Ok(usable) => {
                    let text = format!(
                        "Teleport user {} of cluster {}, valid until {}",
                        code(&usable.user),
                        code(&usable.cluster),
                        usable.not_after
                    );
                    match usable.warning(app.world.now()) {
                        Some(warning) => {
                            steps.end(status::check(CREDENTIALS, Outcome::Warning, format!("{text}\n{warning}")))
                        }
                        None => steps.ok(CREDENTIALS, text),
                    }
                    Some(usable)
                }
            }
        }
    };
    let wanted = match route::load(app.world.bridge(), cluster).await {
        Ok(wanted) => wanted,
        Err(problem) => {
            steps.failed(ADDRESS, &route::trouble(problem, place), "");
            steps.waits(&after_credentials[1..]);
            return;
        }
    };
    // A way of its own, so that what works now goes on working.
    let destination = format!("trial-{:016x}", app.world.random());
    try_way(app, settings, (address, &wanted), &destination, usable, steps).await;
    let _ = app.world.bridge().forget_endpoint(&destination).await;
}

/// What is known of the way to the server once it has answered: the step's name, whether all is well, and what to say. It
/// is called secure with TLS only.
fn secured(address: &Address, cluster: &str) -> (&'static str, Outcome, String) {
    match address {
        Address::Teleport(_) => (TLS, Outcome::Ok, format!("the server proved to be of cluster {}", code(cluster))),
        Address::Gateway(_) if address.is_encrypted() => {
            (TLS, Outcome::Ok, "the gateway showed a valid certificate; what is behind it, it only says".to_owned())
        }
        Address::Gateway(_) => (
            PLAIN,
            Outcome::Warning,
            "not encrypted: the gateway is on this machine, and the way to it is plain HTTP".to_owned(),
        ),
    }
}

/// Whether the server was reached at all, although it failed.
fn was_reached(error: &TeleportError) -> bool {
    match error {
        TeleportError::Unreachable { failure, .. } => {
            !matches!(failure.0, F::Name | F::Refused | F::Unreachable | F::NoEndpoint | F::Unspecified)
        }
        _ => true,
    }
}

async fn try_way<W: World, R: Report>(
    app: &Rc<App<W>>,
    settings: &Settings,
    (address, wanted): (&Address, &route::Wanted),
    destination: &str,
    usable: Option<credentials::Usable>,
    steps: &Steps<'_, R>,
) {
    let user = usable.as_ref().map(|usable| usable.user.clone()).unwrap_or_default();
    let cluster = usable.as_ref().map_or_else(|| "gateway".to_owned(), |usable| usable.cluster.clone());
    steps.begin(ADDRESS);
    let pointed = session::point(app, destination, &cluster, address, wanted, usable.as_ref()).await;
    if let Err(trouble) = pointed {
        steps.failed(CREDENTIALS, &trouble, &user);
        steps.waits(&[ADDRESS, secured(address, &cluster).0, SERVER, PERMISSIONS, DECISIONS, WATCH]);
        return;
    }
    let teleport = app.world.teleport(destination);
    // Ping answers strangers too: who we are is asked below.
    let server = match teleport.ping().await {
        Ok(server) => server,
        Err(error) => {
            let reached = was_reached(&error);
            let trouble = session::explain(address, error);
            if reached {
                steps.ok(ADDRESS, format!("{address} answers"));
                steps.failed(secured(address, &cluster).0, &trouble, &user);
                steps.waits(&[SERVER, PERMISSIONS, DECISIONS, WATCH]);
            } else {
                steps.failed(ADDRESS, &trouble, &user);
                steps.waits(&[secured(address, &cluster).0, SERVER, PERMISSIONS, DECISIONS, WATCH]);
            }
            return;
        }
    };
    steps.ok(ADDRESS, format!("{address} answers"));
    let route = route::taken(app.world.bridge(), destination).await;
    let (name, outcome, mut text) = secured(address, &cluster);
    if let Some(way) = route::in_words(&route) {
        text = format!("{text}\nThe connection goes {way}.");
    }
    steps.end(status::check(name, outcome, text));
    if let Some(Err(trouble)) = usable.as_ref().map(|usable| session::check_cluster(&usable.cluster, &server)) {
        steps.failed(SERVER, &trouble, "");
        steps.waits(&[PERMISSIONS, DECISIONS, WATCH]);
        return;
    }
    let edition = if server.reviews { "with reviews (Enterprise)" } else { "without reviews (open source)" };
    steps.ok(SERVER, format!("cluster {}, version {}, {edition}", code(&server.cluster), server.version));
    let way: Way<W> = Way { cluster, teleport, credentials: usable, server, generation: 0, route };

    steps.begin(PERMISSIONS);
    if let Err(trouble) = session::check_rights(&way.teleport, &way.server, settings, address).await {
        let command = if trouble.place == Place::Permissions {
            role(settings, &way.server.version, address)
        } else {
            command(&trouble, &user)
        };
        steps.end(Check { command, ..status::check(PERMISSIONS, Outcome::Failed, trouble.message.as_str()) });
        steps.waits(&[DECISIONS, WATCH]);
        return;
    }
    steps.ok(PERMISSIONS, "the role allows what is needed");
    steps.end(status::decisions_check(settings, &way.server));
    if !settings.user_trait.is_empty() {
        users(settings, &way, address, steps).await;
    }

    steps.begin(WATCH);
    let silent = || Trouble::new(Place::Watch, "Teleport opened the watch but does not send anything.");
    let watched = async {
        let mut events = way.teleport.watch().await.map_err(|error| session::explain(address, error))?;
        loop {
            match within(&app.world, INIT_TIMEOUT, events.next()).await.ok_or_else(silent)? {
                Some(Ok(Event::Init)) => return Ok(()),
                Some(Ok(_)) => {}
                Some(Err(error)) => return Err(session::explain(address, error)),
                None => return Err(silent()),
            }
        }
    };
    match watched.await {
        Ok(()) => steps.ok(WATCH, "opened, and Teleport confirmed it"),
        Err(trouble) => steps.failed(WATCH, &trouble, &user),
    }
}

/// Who can be told apart by the trait.
async fn users<W: World, R: Report>(settings: &Settings, way: &Way<W>, address: &Address, steps: &Steps<'_, R>) {
    steps.begin(USERS);
    let trait_name = code(&settings.user_trait);
    match way.teleport.users_with_trait(&settings.user_trait).await {
        Ok(users) if users.is_empty() => {
            let needed = authority::in_force(settings.authority, &way.server) == Ok(Authority::Teleport);
            let outcome = if needed { Outcome::Failed } else { Outcome::Warning };
            steps.end(status::check(
                USERS,
                outcome,
                format!(
                    "no Teleport user has the trait {trait_name}. Check its name, or set it with `tctl users update`."
                ),
            ));
        }
        Ok(users) => steps.ok(USERS, format!("{} Teleport users have the trait {trait_name}", users.len())),
        Err(error) => steps.failed(USERS, &session::explain(address, error), ""),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_is_encrypted_is_called_secure() {
        let step = |address: Address| {
            let (name, outcome, text) = secured(&address, "tp");
            (name, outcome, text.contains("proved"))
        };
        assert_eq!(step(Address::Teleport("tp:443".into())), (TLS, Outcome::Ok, true));
        assert_eq!(step(Address::Gateway("https://gateway".into())), (TLS, Outcome::Ok, false));
        assert_eq!(step(Address::Gateway("http://localhost".into())), (PLAIN, Outcome::Warning, false));
    }
}
