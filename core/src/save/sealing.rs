//! Secrets of the settings, sealed: each text opens for its own setting and cluster only.

use serde_json::Value;

use super::{SECRETS, Values, clusters_in, value};
use crate::bridge::Bridge;
use crate::config::{self, Problem, Source, is_mask, key};
use crate::credentials;

/// A sealing key that is newly set and too short. One that is in use goes on opening what it sealed.
pub(super) fn weak_sealing_key(new: &Values, saved: &Values) -> Option<Problem> {
    let text = |values: &Values| value(values, key::SEALING_KEY).and_then(Value::as_str).unwrap_or_default().to_owned();
    let wanted = text(new);
    (wanted != text(saved) && config::is_weak_sealing_key(&wanted)).then(|| {
        Problem::new(
            key::SEALING_KEY,
            format!(
                "A sealing key needs at least {} characters, by chance and not by hand. Generate one, or empty the setting.",
                config::MIN_SEALING_KEY
            ),
        )
    })
}

/// What was stored as it was pasted, such as by a configuration file, or while the plugin did not run. It is sealed as soon
/// as that can be done.
#[must_use]
pub fn in_the_clear(saved: &Values) -> Vec<Problem> {
    let is_pasted = |value: &Value| {
        let text = value.as_str().unwrap_or_default().trim();
        !is_mask(text) && matches!(config::source(text.to_owned()), Some(Source::Text(_)))
    };
    let holds = |row: &Values, secret: &str, test: &dyn Fn(&Value) -> bool| {
        row.iter().any(|(name, value)| name.eq_ignore_ascii_case(secret) && test(value))
    };
    let more = value(saved, key::MORE_CLUSTERS);
    let listed = more.and_then(clusters_in);
    let mut problems = Vec::new();
    for (place, row) in std::iter::once(saved).chain(listed.iter().flatten()).enumerate() {
        for setting in SECRETS {
            if holds(row, setting, &is_pasted) {
                problems.push(Problem::warning(setting, IN_THE_CLEAR).of_cluster(place));
            }
            if holds(row, setting, &|value| !value.is_string() && config::value_holds_key(value)) {
                problems.push(Problem::warning(setting, UNSEALABLE).of_cluster(place));
            }
        }
    }
    if listed.is_none() && more.is_some_and(config::value_holds_key) {
        problems.push(Problem::warning(key::MORE_CLUSTERS, UNSEALABLE));
    }
    problems
}

/// What is said of a key that is about to be sealed.
const IN_THE_CLEAR: &str = "This is stored as it was pasted, so whoever reads the settings has the key. It is sealed in a moment. If this stays, save the settings page. If others could read it, sign new credentials.";

/// What is said of a key in a place where it is not looked for.
const UNSEALABLE: &str = "A key is stored here as it was pasted, so whoever reads the settings has it, and it cannot be sealed: the setting is not in the form that it must have. Enter it anew on the settings page, and sign new credentials.";

/// Stored settings with what is stored as it was pasted sealed; none where all is.
///
/// # Errors
/// Where it cannot be sealed now.
pub async fn sealed_at_rest<B: Bridge>(bridge: &B, saved: &Values) -> Result<Option<Values>, Problem> {
    if in_the_clear(saved).is_empty() {
        return Ok(None);
    }
    sealed(bridge, saved.clone(), saved).await.map(Some)
}

/// The cluster of one cluster's settings, for sealing its key; empty where that cannot be said (yet).
async fn cluster_of<B: Bridge>(bridge: &B, row: &Values) -> String {
    let text = value(row, key::CLUSTER_CA).and_then(Value::as_str).unwrap_or_default().trim();
    match config::source(text.to_owned()) {
        Some(authorities) if !is_mask(text) => credentials::cluster_of(bridge, &authorities).await,
        _ => String::new(),
    }
}

/// Seals a secret of one cluster's settings if it is a pasted text; says whether it was.
async fn seal_in_row<B: Bridge>(bridge: &B, name: &str, value: &mut Value, row: &Values) -> Result<bool, Problem> {
    let Some(setting) = SECRETS.into_iter().find(|secret| name.eq_ignore_ascii_case(secret)) else { return Ok(false) };
    // An identity file says itself which cluster it is good for.
    let cluster = if setting == key::CLIENT_KEY { cluster_of(bridge, row).await } else { String::new() };
    seal(bridge, value, &credentials::usage(setting, &cluster)).await
}

/// The settings with pasted secrets sealed. `whole` are the same ones without masks.
pub(super) async fn sealed<B: Bridge>(bridge: &B, mut values: Values, whole: &Values) -> Result<Values, Problem> {
    for (name, value) in &mut values {
        if SECRETS.iter().any(|secret| name.eq_ignore_ascii_case(secret)) {
            seal_in_row(bridge, name, value, whole).await?;
        } else if name.eq_ignore_ascii_case(key::MORE_CLUSTERS) {
            let Some(mut clusters) = clusters_in(value) else { continue };
            let mut changed = false;
            for cluster in &mut clusters {
                let row = cluster.clone();
                for (name, value) in cluster.iter_mut() {
                    changed |= seal_in_row(bridge, name, value, &row).await?;
                }
            }
            if changed {
                *value = Value::String(serde_json::to_string(&clusters).unwrap_or_default());
            }
        }
    }
    Ok(values)
}

/// Seals a value if it is a pasted text; says whether it was.
async fn seal<B: Bridge>(bridge: &B, value: &mut Value, usage: &str) -> Result<bool, Problem> {
    let Value::String(text) = &*value else { return Ok(false) };
    if is_mask(text) {
        return Ok(false);
    }
    let Some(Source::Text(text)) = config::source(text.trim().to_owned()) else { return Ok(false) };
    let sealed = bridge.seal(&text, usage).await.map_err(|error| {
        Problem::new(
            key::SEALING_KEY,
            format!("The credentials could not be sealed, so nothing was saved: {error}. Save again."),
        )
    })?;
    *value = Value::String(sealed);
    Ok(true)
}

#[cfg(test)]
mod tests {
    use futures::executor::block_on;
    use serde_json::json;

    use super::*;
    use crate::bridge::{CredentialFacts, Credentials, Endpoint, RouteFacts, Signature};
    use crate::config::Severity;
    use crate::mattermost::HostError;
    use crate::save::check;
    use crate::time::Time;

    const KEY: &str = "-----BEGIN RSA PRIVATE KEY-----\nc2VjcmV0\n-----END RSA PRIVATE KEY-----\n";
    const CERT: &str = "-----BEGIN CERTIFICATE-----\nY2VydA==\n-----END CERTIFICATE-----\n";
    const ONE: &str = "-----BEGIN CERTIFICATE-----\nb25l\n-----END CERTIFICATE-----\n";
    const TWO: &str = "-----BEGIN CERTIFICATE-----\ndHdv\n-----END CERTIFICATE-----\n";

    /// Seals by writing down what for. The authorities `ONE` and `TWO` are of clusters of these names.
    struct Vault;

    impl Bridge for Vault {
        async fn inspect(&self, credentials: Credentials) -> Result<CredentialFacts, HostError> {
            let authorities = credentials.certificate_authorities;
            let cluster = if authorities.contains("dHdv") { "two" } else { "one" };
            let clusters = if authorities.is_empty() { Vec::new() } else { vec![cluster.to_owned()] };
            Ok(CredentialFacts { user: "access-plugin".into(), not_after: 1_000, clusters, ..Default::default() })
        }

        async fn set_endpoint(&self, _: Endpoint) -> Result<(), HostError> {
            Ok(())
        }

        async fn describe_endpoint(&self, _: &str) -> Result<RouteFacts, HostError> {
            Ok(RouteFacts::default())
        }

        async fn forget_endpoint(&self, _: &str) -> Result<(), HostError> {
            Ok(())
        }

        async fn read_file(&self, _: &str) -> Result<Vec<u8>, HostError> {
            Err(HostError::NotFound("no file".into()))
        }

        async fn seal(&self, text: &str, usage: &str) -> Result<String, HostError> {
            Ok(format!("sealed:v2:<{usage}>{}", text.chars().rev().collect::<String>()))
        }

        async fn unseal(&self, sealed: &str, usage: &str) -> Result<String, HostError> {
            let v1 = sealed.strip_prefix("sealed:v1:");
            let text = v1.or_else(|| sealed.strip_prefix(format!("sealed:v2:<{usage}>").as_str()));
            text.map(|text| text.chars().rev().collect()).ok_or(HostError::Invalid("no".into()))
        }

        async fn sign(&self, _: &[u8]) -> Result<Signature, HostError> {
            Ok(Signature::default())
        }
    }

    fn object(value: Value) -> Values {
        value.as_object().cloned().unwrap_or_default()
    }

    fn text<'a>(values: &'a Values, key: &str) -> &'a str {
        value(values, key).and_then(Value::as_str).unwrap_or_default()
    }

    fn three_files(authorities: &str) -> Value {
        json!({"TeleportAddress": "tp:443", "ClientCertificate": CERT, "ClientKey": KEY, "ClusterCA": authorities})
    }

    fn saved(settings: Value) -> Values {
        block_on(check(&Vault, object(settings), &Values::new(), Time(0))).unwrap_or_default()
    }

    /// Whether the credentials of these settings can be used.
    fn opens(settings: &Values) -> Result<String, String> {
        let (settings, _) = config::parse(&serde_json::to_vec(settings).unwrap_or_default());
        let source = settings.clusters.first().and_then(|cluster| cluster.credentials.clone());
        let source = source.ok_or("no credentials")?;
        block_on(credentials::load(&Vault, &source, Time(0)))
            .map(|usable| usable.cluster)
            .map_err(|problem| problem.setting.into_owned())
    }

    #[test]
    fn a_key_is_sealed_for_its_setting_and_cluster_and_moves_to_no_other() {
        let (one, two) = (saved(three_files(ONE)), saved(three_files(TWO)));
        assert!(text(&one, key::CLIENT_KEY).starts_with("sealed:v2:<ClientKey of one>"));
        assert_eq!((opens(&one), opens(&two)), (Ok("one".into()), Ok("two".into())));
        let mut moved = two.clone();
        moved.insert(key::CLIENT_KEY.into(), text(&one, key::CLIENT_KEY).into());
        assert_eq!(opens(&moved), Err(key::CLIENT_KEY.to_owned()), "another cluster's");
        let identity = saved(json!({"TeleportAddress": "tp:443", "Identity": format!("{KEY}{CERT}{ONE}")}));
        assert!(text(&identity, key::IDENTITY).starts_with("sealed:v2:<Identity>"));
        assert_eq!(opens(&identity), Ok("one".into()));
        let mut moved = one.clone();
        moved.insert(key::CLIENT_KEY.into(), text(&identity, key::IDENTITY).into());
        assert_eq!(opens(&moved), Err(key::CLIENT_KEY.to_owned()), "another setting's");
    }

    #[test]
    fn what_an_earlier_version_sealed_still_opens() {
        let mut old = object(three_files(ONE));
        old.insert(key::CLIENT_KEY.into(), format!("sealed:v1:{}", KEY.chars().rev().collect::<String>()).into());
        assert_eq!(opens(&old), Ok("one".into()));
    }

    #[test]
    fn a_key_whose_authority_comes_later_opens_when_it_is_there() {
        let mut early = saved(json!({
            "TeleportAddress": "tp:443", "ClientCertificate": CERT, "ClientKey": KEY, "ClusterCA": "/not/there/yet",
        }));
        assert!(text(&early, key::CLIENT_KEY).starts_with("sealed:v2:<ClientKey>"));
        early.insert(key::CLUSTER_CA.into(), ONE.into());
        assert_eq!(opens(&early), Ok("one".into()));
    }

    #[test]
    fn what_is_stored_as_it_was_pasted_is_told_and_sealed() {
        let mut two = object(three_files(TWO));
        two.remove("TeleportAddress");
        let mut stored = object(three_files(ONE));
        stored.insert("moreclusters".into(), json!([two, {"Identity": "/a/path"}]).to_string().into());
        let places: Vec<_> =
            in_the_clear(&stored).into_iter().map(|problem| (problem.setting, problem.severity)).collect();
        let expected = [key::CLIENT_KEY, key::MORE_CLUSTERS].map(|key| (key.into(), Severity::Warning));
        assert_eq!(places, expected);
        let sealed = block_on(sealed_at_rest(&Vault, &stored)).ok().flatten().unwrap_or_default();
        assert!(text(&sealed, key::CLIENT_KEY).starts_with("sealed:v2:<ClientKey of one>"));
        assert!(text(&sealed, key::MORE_CLUSTERS).contains("sealed:v2:<ClientKey of two>"));
        assert!(!serde_json::to_string(&sealed).unwrap_or_default().contains("c2VjcmV0"));
        assert_eq!(in_the_clear(&sealed), []);
        assert_eq!(block_on(sealed_at_rest(&Vault, &sealed)), Ok(None), "nothing is saved for nothing");
        let mask = object(json!({"Identity": "********************************", "ClientKey": ""}));
        assert_eq!(in_the_clear(&mask), []);
        let twice = object(json!({"MoreClusters": [{"ClientKey": "/a/path", "clientkey": KEY}]}));
        assert_eq!(in_the_clear(&twice).len(), 1, "in any spelling");
    }

    #[test]
    fn a_list_of_clusters_that_is_no_text_is_told_and_sealed_too() {
        let mut two = object(three_files(TWO));
        two.insert("Unknown".into(), json!([1, null]));
        let list = json!([two, {"Identity": format!("{KEY}{CERT}{TWO}"), "TeleportAddress": "tp:443"}]);
        let stored = object(json!({"MoreClusters": list, "Recipients": "a/b"}));
        let told: Vec<_> = in_the_clear(&stored).into_iter().map(|problem| problem.setting).collect();
        assert_eq!(told, [key::MORE_CLUSTERS, key::MORE_CLUSTERS]);
        let sealed = block_on(sealed_at_rest(&Vault, &stored)).ok().flatten().unwrap_or_default();
        // It is the text that the settings page has: that can be saved in place of a list, and shown.
        let listed = text(&sealed, key::MORE_CLUSTERS);
        assert!(listed.contains("sealed:v2:<ClientKey of two>") && listed.contains("sealed:v2:<Identity>"), "{listed}");
        assert!(listed.contains("\"Unknown\":[1,null]"), "all else stays: {listed}");
        assert!(!serde_json::to_string(&sealed).unwrap_or_default().contains("c2VjcmV0"));
        assert_eq!(config::parse(&serde_json::to_vec(&sealed).unwrap_or_default()).0.clusters.len(), 3);
        assert_eq!((in_the_clear(&sealed), block_on(sealed_at_rest(&Vault, &sealed))), (vec![], Ok(None)));
        // One that holds nothing to seal stays as it is.
        let paths = object(json!({"MoreClusters": [{"Identity": "/a/path"}]}));
        assert_eq!(block_on(sealed_at_rest(&Vault, &paths)), Ok(None));
    }

    #[test]
    fn a_key_in_a_list_that_cannot_be_read_is_told() {
        let broken = format!("[{{\"ClientKey\": \"{}\"", KEY.replace('\n', "\\n"));
        let shapes = [
            json!(broken),
            json!({"ClientKey": KEY}),
            json!([{"ClientKey": [KEY]}]),
            json!([{"ClientKey": KEY}, "two"]),
            json!([[{"ClientKey": KEY}]]),
        ];
        for shape in shapes {
            let stored = object(json!({"MoreClusters": shape}));
            let told = in_the_clear(&stored);
            assert!(
                told.iter().any(|problem| problem.setting == key::MORE_CLUSTERS
                    && problem.severity == Severity::Warning
                    && problem.message.contains("cannot be sealed")),
                "{shape}: {told:?}"
            );
        }
        for shape in [json!(""), json!(null), json!("{"), json!("********"), json!([]), json!(3)] {
            assert_eq!(in_the_clear(&object(json!({"MoreClusters": shape}))), []);
        }
    }

    #[test]
    fn a_short_sealing_key_is_refused_when_it_is_newly_set_and_red_while_it_is_in_use() {
        let refused = |new: &str, saved: Value| {
            let answer = block_on(check(&Vault, object(json!({"SealingKey": new})), &object(saved), Time(0)));
            answer.is_err_and(|problems| problems.iter().any(|problem| problem.setting == key::SEALING_KEY))
        };
        let (short, long) = ("a".repeat(21), "a".repeat(22));
        assert!(refused(&short, json!({})) && refused(&short, json!({"sealingkey": "before"})));
        assert!(!refused(&long, json!({})) && !refused("", json!({"SealingKey": "before"})));
        assert!(!refused(&short, json!({"sealingkey": short})), "it is in use");
        assert!(!refused("****", json!({"sealingkey": short})), "it stays as it is");
        let warned = |text: &str| {
            let (_, problems) = config::parse(json!({"SealingKey": text}).to_string().as_bytes());
            problems.into_iter().find(|problem| problem.setting == key::SEALING_KEY).map(|problem| problem.severity)
        };
        assert_eq!((warned(&short), warned(&long), warned("****")), (Some(Severity::Warning), None, None));
    }
}
