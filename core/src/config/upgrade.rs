//! How connections get past what ends TLS before Teleport.

use super::{Problem, Source, Values, key, source};

/// Whether Teleport's connection upgrade is used, which gets past a load balancer that ends TLS.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Upgrade {
    /// If the straight way fails and something else than Teleport ends TLS.
    #[default]
    Auto,
    /// For each connection.
    Always,
    /// For none.
    Never,
}

impl Upgrade {
    /// All of them, with their names in the settings.
    pub const ALL: [(&'static str, Self); 3] = [("auto", Self::Auto), ("always", Self::Always), ("never", Self::Never)];
}

/// Reads the settings of one cluster that are about the way to it.
pub(super) fn parse(values: &mut Values, problems: &mut Vec<Problem>) -> (Upgrade, Option<Source>) {
    let name = values.choice(key::CONNECTION_UPGRADE, &Upgrade::ALL.map(|(name, _)| name), "auto");
    // What is wrong is no matter of trust: whoever answers must prove to be the cluster, on every way.
    let upgrade = Upgrade::ALL.iter().find(|(known, _)| name.as_deref() == Some(known));
    let authorities = source(values.text(key::LOAD_BALANCER_CA));
    let wrong = match &authorities {
        Some(Source::Text(text)) => !text.contains("-----BEGIN CERTIFICATE-----"),
        Some(Source::Sealed(_)) => true,
        Some(Source::Path(_)) | None => false,
    };
    if wrong {
        problems.push(Problem::new(
            key::LOAD_BALANCER_CA,
            "This is not a certificate authority. Give its PEM file (it starts with -----BEGIN CERTIFICATE-----), pasted or as an absolute path on the Mattermost server.",
        ));
    }
    (upgrade.map(|(_, upgrade)| *upgrade).unwrap_or_default(), authorities.filter(|_| !wrong))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::config::{self, Cluster, Severity};

    fn parsed(settings: serde_json::Value) -> (Cluster, Vec<(String, Severity)>) {
        let (settings, problems) = config::parse(settings.to_string().as_bytes());
        let about = [key::CONNECTION_UPGRADE, key::LOAD_BALANCER_CA, key::MORE_CLUSTERS];
        let problems = problems.into_iter().filter(|problem| about.contains(&problem.setting.as_ref()));
        let told = problems.map(|problem| (problem.setting.into_owned(), problem.severity)).collect();
        (settings.clusters.last().cloned().unwrap_or_default(), told)
    }

    #[test]
    fn the_upgrade_is_automatic_unless_set_otherwise() {
        for (text, upgrade) in
            [("", Upgrade::Auto), ("auto", Upgrade::Auto), ("Always", Upgrade::Always), (" never ", Upgrade::Never)]
        {
            let (cluster, told) = parsed(json!({"connectionupgrade": text}));
            assert_eq!((cluster.upgrade, told), (upgrade, vec![]), "{text:?}");
        }
        let (cluster, told) = parsed(json!({"ConnectionUpgrade": "sometimes"}));
        assert_eq!(cluster.upgrade, Upgrade::Auto);
        assert_eq!(told, [(key::CONNECTION_UPGRADE.to_owned(), Severity::Wrong)]);
    }

    #[test]
    fn the_load_balancers_authority_is_a_certificate_or_a_path() {
        let pem = "-----BEGIN CERTIFICATE-----\nY2E=\n-----END CERTIFICATE-----";
        let (cluster, told) = parsed(json!({"LoadBalancerCA": pem}));
        assert_eq!((cluster.balancer_authorities, told), (Some(Source::Text(pem.into())), vec![]));
        let (cluster, told) = parsed(json!({"LoadBalancerCA": "/etc/ssl/web.pem"}));
        assert_eq!((cluster.balancer_authorities, told), (Some(Source::Path("/etc/ssl/web.pem".into())), vec![]));
        for wrong in ["web.pem", "-----BEGIN PUBLIC KEY-----", "sealed:v2:abc"] {
            let (cluster, told) = parsed(json!({"LoadBalancerCA": wrong}));
            assert_eq!(cluster.balancer_authorities, None);
            assert_eq!(told, [(key::LOAD_BALANCER_CA.to_owned(), Severity::Wrong)], "{wrong}");
        }
    }

    #[test]
    fn each_further_cluster_has_its_own_way() {
        let more = json!([{
            "TeleportAddress": "tp:443", "Identity": "/a", "ConnectionUpgrade": "always", "LoadBalancerCA": "/ca",
        }]);
        let (cluster, told) = parsed(json!({"ConnectionUpgrade": "never", "MoreClusters": more}));
        assert_eq!((cluster.upgrade, told), (Upgrade::Always, vec![]));
        assert_eq!(cluster.balancer_authorities, Some(Source::Path("/ca".into())));
        let more = json!([{"TeleportAddress": "tp:443", "Identity": "/a", "ConnectionUpgrade": "x"}]);
        let (_, told) = parsed(json!({"MoreClusters": more}));
        assert_eq!(told, [(key::MORE_CLUSTERS.to_owned(), Severity::Wrong)]);
    }
}
