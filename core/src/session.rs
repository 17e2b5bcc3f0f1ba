//! The connection to Teleport: made, watched, lost and made again.

mod checks;
mod endpoints;
mod renewal;
mod watch;

use std::convert::Infallible;
use std::rc::Rc;
use std::time::Duration;

use crate::app::App;
use crate::authority;
use crate::bridge::{Bridge as _, Endpoint, EndpointKind, RouteFacts};
use crate::cluster::Lane;
use crate::config::{Address, Authority, Problem, Settings, key};
use crate::connection::route;
use crate::credentials::Usable;
use crate::mattermost::LogLevel;
use crate::messages::code;
use crate::notices;
use crate::proto::bridge;
use crate::teleport::{Decision, NO_REQUEST, ServerInfo, State, Teleport, TeleportError};
use crate::time::Time;
use crate::world::World;

pub(crate) use checks::{check_cluster, not_shown};
pub(crate) use endpoints::forget_later;
pub(crate) use watch::Watch;

/// The first wait after a failure; it doubles up to the longest.
const FIRST_WAIT: Duration = Duration::from_secs(1);
/// The longest wait after a failure.
const LONGEST_WAIT: Duration = Duration::from_secs(60);

/// What keeps us from Teleport.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Trouble {
    /// The link of the chain that is broken.
    pub place: Place,
    /// What is wrong and what to do.
    pub message: String,
}

/// The links of the chain from the settings to a running watch, in order.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Place {
    /// Settings are missing or wrong.
    Settings,
    /// The credentials cannot be used.
    Credentials,
    /// There is no way to the server.
    Connection,
    /// The server lets us in but not do what is needed.
    Permissions,
    /// The watch does not stand.
    Watch,
}

impl Trouble {
    pub(crate) fn new(place: Place, message: impl Into<String>) -> Self {
        Self { place, message: message.into() }
    }
}

impl From<Problem> for Trouble {
    fn from(problem: Problem) -> Self {
        let place = match problem.setting.as_ref() {
            key::TELEPORT_ADDRESS => Place::Settings,
            _ => Place::Credentials,
        };
        Self::new(place, problem.message)
    }
}

/// A way to a Teleport cluster, ready for calls.
pub struct Way<W: World> {
    /// Name of the cluster.
    pub(crate) cluster: String,
    /// Makes the calls.
    pub(crate) teleport: W::Teleport,
    /// What we sign in with; none behind a gateway that needs nothing.
    pub(crate) credentials: Option<Usable>,
    /// The server.
    pub(crate) server: ServerInfo,
    /// The generation of the endpoint that it was made for.
    pub(crate) generation: u64,
    /// Which way the connection took.
    pub(crate) route: RouteFacts,
}

/// How the connection stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Link {
    /// Being made.
    Connecting,
    /// Ready for calls; watched since then, if it is watched.
    Up(Option<Time>),
    /// Broken.
    Down(Trouble),
}

/// Keeps the connection, for as long as this epoch lasts. What an earlier epoch has left of it goes on where it is still what
/// the settings say.
pub(crate) async fn run<W: World>(lane: Lane<W>, epoch: u64) {
    let mut wait = FIRST_WAIT;
    let mut told: Option<Trouble> = None;
    loop {
        let since = lane.world.now();
        let Err(trouble) = hold(&lane, epoch).await;
        lane.cluster.broken(&trouble);
        // One line for each new trouble, not one for each attempt.
        if told.as_ref() != Some(&trouble) {
            lane.log(LogLevel::Warn, &trouble.message, &[("at", &format!("{:?}", trouble.place))]);
        }
        told = Some(trouble);
        if lane.world.now().since(since) > LONGEST_WAIT {
            wait = FIRST_WAIT;
            told = None;
        }
        // Half of the wait is chance, so that many nodes do not come back all at once.
        let half = wait / 2;
        let chance = u64::try_from(half.as_millis()).unwrap_or(1).max(1);
        lane.world.sleep(half + Duration::from_millis(lane.world.random() % chance)).await;
        wait = (wait * 2).min(LONGEST_WAIT);
        *lane.cluster.link.borrow_mut() = Link::Connecting;
    }
}

/// Makes the connection, or takes the one that stands, and stays on it until it breaks.
async fn hold<W: World>(lane: &Lane<W>, epoch: u64) -> Result<Infallible, Trouble> {
    let way = open(lane).await?;
    *lane.cluster.way.borrow_mut() = Some(Rc::clone(&way));
    lane.cluster.unproven.set(false);
    if lane.leader.get() {
        return watch::watch(lane, &way, epoch).await;
    }
    *lane.cluster.watch.borrow_mut() = None;
    *lane.cluster.link.borrow_mut() = Link::Up(None);
    watch::stand_by(lane, way).await
}

/// Makes the way to Teleport and checks that it leads there. The one that stands is taken where it leads to the same place
/// with the same credentials, wherever these are kept now.
async fn open<W: World>(lane: &Lane<W>) -> Result<Rc<Way<W>>, Trouble> {
    let settings = lane.cluster.settings();
    let Some(address) = &settings.address else { return Err(no_address(lane)) };
    let credentials = match (address, &settings.credentials) {
        // A gateway may sign in for us.
        (Address::Gateway(_), None) => None,
        _ => {
            let usable = lane.credentials().await?;
            claim_name(lane, &usable.cluster)?;
            if lane.leader.get() {
                notices::credentials(lane, &usable).await;
            }
            if let Some(problem) = usable.expired(lane.world.now()) {
                return Err(problem.into());
            }
            Some(usable)
        }
    };
    let cluster = match &credentials {
        Some(usable) => usable.cluster.clone(),
        None => {
            let name = gateway_name(lane.cluster.place.get());
            claim_name(lane, &name)?;
            name
        }
    };
    let wanted = route::load(lane.world.bridge(), &settings).await;
    let wanted = wanted.map_err(|problem| route::trouble(problem, lane.cluster.place.get()))?;
    let endpoint = endpoints::wanted(&cluster, address, &wanted, credentials.as_ref());
    if let Some(way) = endpoints::standing(lane, &endpoint, credentials.as_ref()) {
        return Ok(way);
    }
    *lane.cluster.link.borrow_mut() = Link::Connecting;
    let destination = endpoint.cluster.clone();
    let teleport = lane.world.teleport(&destination);
    let generation = endpoints::point(lane, endpoint).await?;
    lane.log(LogLevel::Debug, "Checking Teleport's version.", &[("cluster", &cluster)]);
    let server = teleport.ping().await.map_err(|error| explain(address, error))?;
    if let Some(usable) = &credentials {
        check_cluster(&usable.cluster, &server)?;
    }
    lane.log(LogLevel::Debug, "Teleport answers.", &[("cluster", &cluster), ("version", &server.version)]);
    lane.cluster.connects.set(lane.cluster.connects.get() + 1);
    *lane.cluster.link.borrow_mut() = Link::Up(None);
    let route = route::taken(lane.world.bridge(), &destination).await;
    Ok(Rc::new(Way { cluster, teleport, credentials, server, generation, route }))
}

/// What a cluster behind a gateway that needs no credentials goes by: nothing tells its name before it is asked.
fn gateway_name(place: usize) -> String {
    if place == 0 { "gateway".to_owned() } else { format!("gateway-{}", place + 1) }
}

/// Points the bridge at an endpoint under the name `destination`.
pub(crate) async fn point<W: World>(
    app: &App<W>,
    destination: &str,
    cluster: &str,
    address: &Address,
    wanted: &route::Wanted,
    credentials: Option<&Usable>,
) -> Result<(), Trouble> {
    set(app, Endpoint { cluster: destination.to_owned(), ..endpoint(address, cluster, wanted, credentials) }).await
}

async fn set<W: World>(app: &App<W>, endpoint: Endpoint) -> Result<(), Trouble> {
    app.world
        .bridge()
        .set_endpoint(endpoint)
        .await
        .map_err(|error| Trouble::new(Place::Credentials, format!("The credentials cannot be used: {error}")))
}

fn no_address<W: World>(lane: &Lane<W>) -> Trouble {
    let problems = lane.problems.borrow();
    let first = |setting: &'static str| problems.iter().find(move |problem| problem.setting == setting);
    let setting = if lane.cluster.place.get() == 0 { key::TELEPORT_ADDRESS } else { key::MORE_CLUSTERS };
    let message = first(setting).map_or("No Teleport address is set.", |problem| problem.message.as_str());
    Trouble::new(Place::Settings, message)
}

/// Writes down which cluster it is. Nobody watches the same one twice: each request would be posted twice.
fn claim_name<W: World>(lane: &Lane<W>, name: &str) -> Result<(), Trouble> {
    let named = |other: &Lane<W>| {
        other.cluster.place.get() != lane.cluster.place.get() && other.cluster.name.borrow().as_deref() == Some(name)
    };
    if let Some(other) = lane.app.lanes().into_iter().find(named) {
        return Err(Trouble::new(
            Place::Settings,
            format!(
                "The settings name the Teleport cluster {} twice, as clusters {} and {}. Take one of them out.",
                code(name),
                other.cluster.place.get().min(lane.cluster.place.get()) + 1,
                other.cluster.place.get().max(lane.cluster.place.get()) + 1,
            ),
        ));
    }
    *lane.cluster.name.borrow_mut() = Some(name.to_owned());
    Ok(())
}

/// How the bridge gets there. Teleport's servers know each other, and are known to clients, by the name
/// `<cluster in hex>.teleport.cluster.local`; a proxy with TLS routing tells by the first protocol that its auth server is meant.
fn endpoint(address: &Address, cluster: &str, wanted: &route::Wanted, credentials: Option<&Usable>) -> Endpoint {
    let (upgrade, load_balancer_authorities) = wanted.for_bridge();
    let credentials = credentials.map(|usable| usable.credentials.clone());
    let hex: String = cluster.bytes().map(|byte| format!("{byte:02x}")).collect();
    match address {
        Address::Gateway(url) => Endpoint {
            cluster: cluster.to_owned(),
            kind: EndpointKind::Gateway.into(),
            address: url.clone(),
            credentials,
            ..Default::default()
        },
        Address::Teleport(address) => Endpoint {
            cluster: cluster.to_owned(),
            kind: EndpointKind::Teleport.into(),
            address: address.clone(),
            server_name: format!("{hex}.teleport.cluster.local"),
            alpn_protocols: vec![format!("teleport-auth@{hex}.teleport.cluster.local"), "h2".to_owned()],
            credentials,
            connection_upgrade: upgrade.into(),
            load_balancer_authorities,
        },
    }
}

/// Whether the role of the plugin's user allows what the authority takes.
pub(crate) async fn check_rights<T: Teleport>(
    teleport: &T,
    server: &ServerInfo,
    settings: &Settings,
    address: &Address,
) -> Result<(), Trouble> {
    // Where the server is too old for the chosen one, requests are shown all the same.
    let authority = authority::in_force(settings.authority, server).unwrap_or(Authority::Teleport);
    match teleport.rights().await {
        // What denies is not told: only trying shows that.
        Ok(rights) => match authority::lacks(authority, &rights, !settings.user_trait.is_empty()) {
            Some(cure) if authority::in_force(settings.authority, server).is_ok() => {
                return Err(Trouble::new(Place::Permissions, cure));
            }
            _ => {}
        },
        Err(TeleportError::Unimplemented(_)) => {
            refused(teleport.may_list().await).map_err(|error| explain(address, error))?;
        }
        Err(error) => return Err(explain(address, error)),
    }
    if authority == Authority::Approvers {
        try_update(teleport).await.map_err(|error| explain(address, error))?;
    }
    Ok(())
}

/// Whether we may update requests. Asked with one that does not exist.
async fn try_update<T: Teleport>(teleport: &T) -> Result<(), TeleportError> {
    let decision = Decision {
        request_id: NO_REQUEST.to_owned(),
        state: State::Denied,
        delegator: "mattermost".to_owned(),
        reason: "checking permissions".to_owned(),
        annotations: std::collections::BTreeMap::new(),
        roles: Vec::new(),
        starts: None,
    };
    refused(teleport.decide(decision).await)
}

/// What tells, of an answer about a request that does not exist, that we may not do this or that nobody has answered.
pub(crate) fn refused(answer: Result<(), TeleportError>) -> Result<(), TeleportError> {
    match answer {
        Err(
            error @ (TeleportError::Denied(_)
            | TeleportError::MfaRequired(_)
            | TeleportError::Unreachable { .. }
            | TeleportError::Unavailable(_)),
        ) => Err(error),
        _ => Ok(()),
    }
}

/// What an error means for the admin, and what to do about it.
pub(crate) fn explain(address: &Address, error: TeleportError) -> Trouble {
    use bridge::Failure as F;
    let at = |place, message: String| Trouble::new(place, message);
    match error.in_markdown() {
        TeleportError::Unreachable { failure, detail } => match failure.0 {
            F::Name => {
                at(Place::Connection, format!("There is no host of the name in {address}. Check the Teleport address."))
            }
            F::Refused => at(
                Place::Connection,
                format!(
                    "Nobody listens at {address} ({detail}). Check host and port: a proxy usually listens on 443 or 3080, an auth server on 3025."
                ),
            ),
            F::Unreachable => at(
                Place::Connection,
                format!(
                    "{address} does not answer. Check that the Mattermost server may reach it, firewalls included ({detail})."
                ),
            ),
            F::UnknownAuthority => at(
                Place::Connection,
                format!(
                    "The server at {address} shows a certificate of another authority. Either the address is not this cluster's (or is a proxy without TLS routing: give the auth server then), or auth.cas is from another cluster: sign the credentials again."
                ),
            ),
            F::ServerName => at(
                Place::Connection,
                format!(
                    "The server at {address} is not the auth server of this cluster ({detail}). Check the address. If it is a proxy without TLS routing, as all are before Teleport 8, give the address of the auth server, port 3025."
                ),
            ),
            F::ServerExpired => at(
                Place::Connection,
                format!(
                    "The certificate of the server at {address} has expired. Renew it in Teleport, and check both clocks."
                ),
            ),
            F::NotTls => at(
                Place::Connection,
                format!("The server at {address} does not speak TLS, so it is not Teleport. Check the port."),
            ),
            F::Protocol => at(
                Place::Connection,
                format!(
                    "The server at {address} speaks TLS but not Teleport's API. Give the proxy (with TLS routing) or the auth server, port 3025."
                ),
            ),
            F::CertificateRefused => at(
                Place::Credentials,
                format!(
                    "Teleport refuses the client certificate. It may be from another cluster, or its authority was rotated: sign the credentials again ({detail})."
                ),
            ),
            F::CertificateExpired => {
                at(Place::Credentials, "The client certificate has expired: sign the credentials again.".to_owned())
            }
            F::NotGrpc => at(
                Place::Connection,
                format!(
                    "The server at {address} answers, but not as Teleport's API does: it looks like a web page or another proxy ({detail})."
                ),
            ),
            other => route::explain(&address.to_string(), other, &detail).unwrap_or_else(|| {
                at(Place::Connection, format!("The connection to {address} broke ({detail}). It is made again."))
            }),
        },
        TeleportError::Denied(detail) => at(
            Place::Permissions,
            format!(
                "Teleport does not let the plugin's user do what is needed: {detail}. Its role needs the rule `resources: [access_request], verbs: [list, read, update]`; change it with `tctl create -f`."
            ),
        ),
        TeleportError::MfaRequired(detail) => at(
            Place::Permissions,
            format!(
                "Teleport asks for multi-factor authentication where an administrator changes something, and these credentials are not excused from it: {detail}. Two kinds are: those that Machine ID (`tbot`) writes and renews, and those that `tctl auth sign` makes on the auth server's own host. Take one of them."
            ),
        ),
        TeleportError::Unavailable(detail) => {
            at(Place::Connection, format!("Teleport at {address} does not answer now: {detail}. It is tried again."))
        }
        other => at(Place::Watch, format!("{other}. It is tried again.")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_endpoint_carries_the_names_that_teleport_goes_by() {
        let endpoint = endpoint(&Address::Teleport("tp:443".into()), "tp.example", &route::Wanted::default(), None);
        let name = "74702e6578616d706c65.teleport.cluster.local";
        assert_eq!(endpoint.server_name, name);
        assert_eq!(endpoint.connection_upgrade(), bridge::ConnectionUpgrade::Auto);
        assert_eq!(endpoint.alpn_protocols, [format!("teleport-auth@{name}"), "h2".into()]);
    }

    #[test]
    fn every_failure_names_a_place_and_a_cure() {
        let address = Address::Teleport("tp:443".into());
        for code in 0..=16 {
            let failure = bridge::Failure::try_from(code).unwrap_or_default();
            let error = TeleportError::Unreachable { failure: crate::teleport::Failure(failure), detail: "why".into() };
            let trouble = explain(&address, error);
            assert!(trouble.message.len() > 40, "{trouble:?}");
            assert_eq!(code >= 14, trouble.message.contains("such as a load balancer"), "{trouble:?}");
        }
        let denied = explain(&address, TeleportError::Denied("no".into()));
        assert_eq!(denied.place, Place::Permissions);
        assert!(denied.message.contains("list, read, update"));
        let mfa = explain(&address, TeleportError::MfaRequired("no".into()));
        assert_eq!(mfa.place, Place::Permissions);
        assert!(mfa.message.contains("`tbot`") && mfa.message.contains("on the auth server's own host"));
    }
}
