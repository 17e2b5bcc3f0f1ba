//! Which way connections to Teleport take: straight, or through a load balancer that ends TLS before the proxy.

use crate::bridge::{Bridge, Credentials, RouteFacts};
use crate::config::{self, Address, Problem, Upgrade, key};
use crate::credentials;
use crate::messages::code;
use crate::proto::bridge::{self, ConnectionUpgrade, CredentialProblem, Route};
use crate::session::{Place, Trouble};

/// What the settings say of the way to a cluster, ready for the bridge.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Wanted {
    upgrade: Upgrade,
    authorities: String,
}

impl Wanted {
    /// For the bridge: whether to use the connection upgrade, and whom to trust for the load balancer's certificate.
    pub(crate) fn for_bridge(&self) -> (ConnectionUpgrade, String) {
        let upgrade = match self.upgrade {
            Upgrade::Auto => ConnectionUpgrade::Auto,
            Upgrade::Always => ConnectionUpgrade::Always,
            Upgrade::Never => ConnectionUpgrade::Never,
        };
        (upgrade, self.authorities.clone())
    }
}

/// Reads what the settings say of the way to a cluster.
///
/// # Errors
/// Where the load balancer's authority cannot be read.
pub(crate) async fn load<B: Bridge>(bridge: &B, cluster: &config::Cluster) -> Result<Wanted, Problem> {
    let authorities = match (&cluster.address, &cluster.balancer_authorities) {
        // A gateway has a URL, and its certificate is checked like any page's.
        (Some(Address::Gateway(_)), _) | (_, None) => String::new(),
        (_, Some(source)) => authorities(bridge, source).await?,
    };
    Ok(Wanted { upgrade: cluster.upgrade, authorities })
}

/// Reads and checks the authorities of the load balancer's certificate.
async fn authorities<B: Bridge>(bridge: &B, source: &config::Source) -> Result<String, Problem> {
    let text = credentials::read(bridge, key::LOAD_BALANCER_CA, source, "").await?;
    // Certificates are certificates: the bridge reads these as it reads a client's.
    let asked = Credentials { certificate: text.clone(), ..Default::default() };
    let facts = bridge.inspect(asked).await.map_err(|error| {
        Problem::new(
            key::LOAD_BALANCER_CA,
            format!("The load balancer's certificate authority cannot be checked: {error}"),
        )
    })?;
    if facts.problem() == CredentialProblem::Certificate {
        return Err(Problem::new(
            key::LOAD_BALANCER_CA,
            format!(
                "The load balancer's certificate authority cannot be read ({}). Give the whole PEM file, or empty the setting to use the system's authorities.",
                facts.detail
            ),
        ));
    }
    Ok(text)
}

/// Which way a connection took. Only for telling: where it cannot be said, the connection is as good.
pub(crate) async fn taken<B: Bridge>(bridge: &B, destination: &str) -> RouteFacts {
    bridge.describe_endpoint(destination).await.unwrap_or_default()
}

/// What keeps a cluster's way from being known, as a link of its chain.
pub(crate) fn trouble(problem: Problem, place: usize) -> Trouble {
    let setting = problem.setting.clone();
    let told = problem.of_cluster(place);
    let message = if place == 0 { format!("{setting}: {}", told.message) } else { told.message };
    Trouble::new(Place::Connection, message)
}

/// Which way a connection took, in words; none where there is nothing to say of it.
pub(crate) fn in_words(facts: &RouteFacts) -> Option<String> {
    let upgraded = "through Teleport's connection upgrade, which gets past a load balancer that ends TLS";
    let way = match facts.route() {
        Route::Unspecified => None,
        Route::Direct => Some("straight to Teleport".to_owned()),
        Route::Websocket => Some(format!("{upgraded} (WebSocket)")),
        Route::Legacy => Some(format!("{upgraded} (the form before 15.1)")),
    };
    let proxy = (!facts.proxy.is_empty()).then(|| format!("by way of the proxy {} (HTTPS_PROXY)", code(&facts.proxy)));
    let parts: Vec<String> = way.into_iter().chain(proxy).collect();
    (!parts.is_empty()).then(|| parts.join(", "))
}

/// What is worth a word wherever the connection is told of: a way that is not the straight one.
pub(crate) fn detour(facts: &RouteFacts) -> String {
    let straight = matches!(facts.route(), Route::Direct | Route::Unspecified) && facts.proxy.is_empty();
    in_words(facts).filter(|_| !straight).map(|words| format!(", {words}")).unwrap_or_default()
}

/// What to do where there should be no load balancer.
const OTHERWISE: &str = "If there should be no load balancer, check the address: where it is a proxy without TLS routing (before Teleport 8), give the auth server, port 3025.";

/// What a failure means that is about what is before Teleport, and what to do; none for other failures. `detail` is harmless
/// Markdown.
pub(crate) fn explain(address: &str, failure: bridge::Failure, detail: &str) -> Option<Trouble> {
    let between = format!(
        "{address} is not the auth server of this cluster and not a proxy with TLS routing: something else ends TLS there, such as a load balancer or a web server"
    );
    let message = match failure {
        bridge::Failure::LoadBalancer => format!(
            "{between}. If it is a load balancer before Teleport's proxy, set \"Connection upgrade\" to auto. {OTHERWISE}"
        ),
        bridge::Failure::UpgradeRefused => format!(
            "{between}. It does not take Teleport's connection upgrade ({detail}). That needs a proxy of this cluster behind it, of Teleport 13 or later and with `proxy_listener_mode: multiplex`, and a load balancer that lets WebSockets through at /webapi/connectionupgrade. {OTHERWISE}"
        ),
        bridge::Failure::LoadBalancerCertificate => format!(
            "{between}. The Mattermost server does not trust its certificate ({detail}). If the certificate is from an authority of your own, give that in \"Load balancer certificate authority\". If it has expired or is for another name, renew it. {OTHERWISE}"
        ),
        _ => return None,
    };
    Some(Trouble::new(Place::Connection, message))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn facts(route: Route, proxy: &str) -> RouteFacts {
        RouteFacts { route: route.into(), proxy: proxy.into() }
    }

    #[test]
    fn the_bridge_hears_what_is_set() {
        let heard = |upgrade| Wanted { upgrade, authorities: "ca".into() }.for_bridge();
        assert_eq!(heard(Upgrade::Auto), (ConnectionUpgrade::Auto, "ca".into()));
        assert_eq!(heard(Upgrade::Always), (ConnectionUpgrade::Always, "ca".into()));
        assert_eq!(heard(Upgrade::Never), (ConnectionUpgrade::Never, "ca".into()));
        assert_eq!(Wanted::default().for_bridge(), (ConnectionUpgrade::Auto, String::new()));
    }

    #[test]
    fn the_way_is_told_and_a_detour_wherever_the_connection_is() {
        assert_eq!(in_words(&facts(Route::Unspecified, "")), None);
        assert_eq!(in_words(&facts(Route::Direct, "")).as_deref(), Some("straight to Teleport"));
        assert_eq!(detour(&facts(Route::Direct, "")), "");
        assert_eq!(detour(&facts(Route::Unspecified, "")), "");
        for (route, word) in [(Route::Websocket, "WebSocket"), (Route::Legacy, "before 15.1")] {
            let words = detour(&facts(route, ""));
            assert!(words.contains("load balancer") && words.contains(word), "{words}");
        }
        assert!(detour(&facts(Route::Direct, "proxy:3128")).contains("`proxy:3128`"));
    }

    #[test]
    fn each_failure_in_between_names_the_load_balancer_and_a_cure() {
        use bridge::Failure as F;
        for (failure, words) in [
            (F::LoadBalancer, ["Connection upgrade", "auto"]),
            (F::UpgradeRefused, ["why", "/webapi/connectionupgrade"]),
            (F::LoadBalancerCertificate, ["why", "Load balancer certificate authority"]),
        ] {
            let told = explain("tp:443", failure, "why");
            assert_eq!(told.as_ref().map(|trouble| trouble.place), Some(Place::Connection));
            let message = told.map(|trouble| trouble.message).unwrap_or_default();
            let all = words.into_iter().chain(["tp:443", "load balancer", "not the auth server"]);
            assert!(all.clone().all(|word| message.contains(word)), "{message}");
        }
        for failure in [F::Unspecified, F::UnknownAuthority, F::Protocol, F::Broken, F::NoEndpoint] {
            assert_eq!(explain("tp:443", failure, "why"), None);
        }
    }

    #[test]
    fn what_is_wrong_with_the_authority_is_told_with_its_setting() {
        let problem = || Problem::new(key::LOAD_BALANCER_CA, "There is no file.");
        assert_eq!(trouble(problem(), 0).message, "LoadBalancerCA: There is no file.");
        assert_eq!(trouble(problem(), 1).message, "Cluster 2, LoadBalancerCA: There is no file.");
    }
}
