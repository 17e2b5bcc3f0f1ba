//! Settings that somebody is about to save: refused where they cannot be used, and with pasted secrets sealed.

mod sealing;

use serde_json::{Map, Value};

use crate::bridge::Bridge;
use crate::checks;
use crate::config::{self, Cluster, Problem, Severity, Source, is_mask, key};
use crate::connection::route;
use crate::credentials;
use crate::mattermost::Mattermost;
use crate::rules::pins;
use crate::time::Time;

pub use sealing::{in_the_clear, sealed_at_rest};
use sealing::{sealed, weak_sealing_key};

/// Settings by their keys, as Mattermost keeps them.
pub type Values = Map<String, Value>;

/// The settings that hold secrets: what is pasted there is sealed.
const SECRETS: [&str; 2] = [key::IDENTITY, key::CLIENT_KEY];

/// Reads a JSON object; anything else is an empty one, which [`config::parse`] then speaks of.
#[must_use]
pub fn read(json: &[u8]) -> Values {
    serde_json::from_slice(json).unwrap_or_default()
}

/// The value under a key, whatever the case of its letters.
pub(crate) fn value<'a>(values: &'a Values, key: &str) -> Option<&'a Value> {
    values.iter().find(|(name, _)| name.eq_ignore_ascii_case(key)).map(|(_, value)| value)
}

/// The settings of each further cluster, which may come as a list, or as the text of one; none where they cannot be read.
fn clusters_in(more: &Value) -> Option<Vec<Values>> {
    match more {
        Value::String(text) => serde_json::from_str(text).ok(),
        list => serde_json::from_value(list.clone()).ok(),
    }
}

/// New settings in which the masks of secrets have been replaced by what is saved.
#[must_use]
pub fn unmasked(new: &Values, saved: &Values) -> Values {
    let unmask = |(name, new): (&String, &Value)| {
        let masked = new.as_str().is_some_and(is_mask);
        let value = if masked { value(saved, name).unwrap_or(new) } else { new };
        (name.clone(), value.clone())
    };
    new.iter().map(unmask).collect()
}

/// Checks settings that are about to be saved. Answers what to save instead: the same, with pasted secrets sealed.
///
/// # Errors
/// What is wrong with them. What is only missing may be saved.
pub async fn check<B: Bridge>(bridge: &B, new: Values, saved: &Values, now: Time) -> Result<Values, Vec<Problem>> {
    let whole = unmasked(&new, saved);
    let bytes = serde_json::to_vec(&whole).unwrap_or_default();
    let (settings, mut problems) = config::parse(&bytes);
    let (before, known) = config::parse(&serde_json::to_vec(saved).unwrap_or_default());
    problems.retain(|problem| is_refused(problem, &known));
    problems.extend(weak_sealing_key(&whole, saved));
    for (place, cluster) in settings.clusters.iter().enumerate() {
        problems.extend(
            unusable_authority(bridge, cluster, before.clusters.get(place)).await.map(|it| it.of_cluster(place)),
        );
        let Some(source) = &cluster.credentials else { continue };
        let unchanged = before.clusters.get(place).is_some_and(|before| before.credentials == cluster.credentials);
        // A file may be written later, and what was fine when it was saved must not keep anybody from saving the rest.
        if unchanged || source.is_in_files() {
            continue;
        }
        let problem = match credentials::load(bridge, source, now).await {
            Ok(usable) => usable.expired(now),
            Err(problem) => Some(problem),
        };
        problems.extend(problem.map(|problem| problem.of_cluster(place)));
    }
    if !problems.is_empty() {
        return Err(problems);
    }
    sealed(bridge, new, &whole).await.map_err(|problem| vec![problem])
}

/// What is wrong with the authority of a load balancer that somebody has pasted.
async fn unusable_authority<B: Bridge>(bridge: &B, new: &Cluster, before: Option<&Cluster>) -> Option<Problem> {
    let unchanged = before.is_some_and(|before| before.balancer_authorities == new.balancer_authorities);
    if unchanged || !matches!(new.balancer_authorities, Some(Source::Text(_))) {
        return None;
    }
    route::load(bridge, new).await.err()
}

/// Settings whose lines are read one by one: what was saved in them before keeps nobody from saving the rest.
const LISTS: [&str; 4] = [key::APPROVERS, key::USER_MAPPING, key::RECIPIENTS, key::ROLE_RECIPIENTS];

/// Whether a problem keeps the settings from being saved, given the problems of those that are saved.
fn is_refused(problem: &Problem, known: &[Problem]) -> bool {
    match problem.severity {
        Severity::Wrong if LISTS.contains(&problem.setting.as_ref()) => !known.contains(problem),
        Severity::Wrong => true,
        Severity::Outdated => !known.contains(problem),
        Severity::Missing | Severity::Warning => false,
    }
}

/// Checks the approvers and recipients that a save adds or changes: they must mean somebody, and somebody must be able to
/// decide. What they mean is remembered
/// for a moment, and becomes their pin once the settings are in force.
///
/// # Errors
/// What is wrong with them.
pub async fn check_names<M: Mattermost>(
    mattermost: &M,
    new: &Values,
    saved: &Values,
    multi_factor_off: bool,
    now: Time,
) -> Result<(), Vec<Problem>> {
    let parsed = |values: &Values| {
        let settings = config::parse(&serde_json::to_vec(values).unwrap_or_default()).0;
        config::Settings { multi_factor_off, ..settings }
    };
    let (before, after) = (parsed(saved), parsed(new));
    let (brought, mut problems) = pins::added(mattermost, now, &before, &after).await;
    problems.extend(checks::on_save(mattermost, &before, &after, brought.clone()).await);
    if !problems.is_empty() {
        return Err(problems);
    }
    // Where that fails the names are pinned when they are seen, and the admins get the list.
    let _ = pins::let_through(mattermost, now, brought).await;
    Ok(())
}

/// Credentials as they were pasted: what they are, and the settings that hold them with secrets sealed.
pub struct CheckedCredentials {
    /// By setting.
    pub values: Vec<(String, String)>,
    /// What they say.
    pub usable: credentials::Usable,
}

/// Checks pasted credentials by their settings. Masks stand for what is saved of the cluster at this place.
///
/// # Errors
/// What is wrong with them.
pub async fn check_credentials<B: Bridge>(
    bridge: &B,
    pasted: Vec<(String, String)>,
    saved: &Values,
    place: usize,
    now: Time,
) -> Result<CheckedCredentials, Problem> {
    let of_cluster = if place == 0 {
        saved.clone()
    } else {
        let clusters = value(saved, key::MORE_CLUSTERS).and_then(clusters_in).unwrap_or_default();
        clusters.into_iter().nth(place - 1).unwrap_or_default()
    };
    let new: Values = pasted.iter().map(|(name, text)| (name.clone(), Value::String(text.clone()))).collect();
    let whole = unmasked(&new, &of_cluster);
    let source = |key: &str| {
        let text = value(&whole, key).and_then(Value::as_str).unwrap_or_default().trim();
        if is_mask(text) { None } else { config::source(text.to_owned()) }
    };
    let source = config::credential_source(credentials::SETTINGS.map(source))?;
    let usable = credentials::load(bridge, &source, now).await?;
    if let Some(problem) = usable.expired(now) {
        return Err(problem);
    }
    let values = sealed(bridge, new, &whole).await?;
    let values = values.into_iter().filter_map(|(name, value)| Some((name, value.as_str()?.to_owned()))).collect();
    Ok(CheckedCredentials { values, usable })
}

/// The settings for somebody who helps: no secret is in them.
#[must_use]
pub fn without_secrets(saved: &Values) -> Values {
    let hide = |name: &str, value: &Value| -> Value {
        let secret = SECRETS.iter().chain(&[key::SEALING_KEY]).any(|secret| name.eq_ignore_ascii_case(secret));
        match value.as_str() {
            Some(text) if secret => match config::source(text.trim().to_owned()) {
                None => Value::String(String::new()),
                Some(Source::Path(path)) if !name.eq_ignore_ascii_case(key::SEALING_KEY) => Value::String(path),
                Some(_) => Value::String("(set)".to_owned()),
            },
            _ if secret && !value.is_null() => Value::String("(set)".to_owned()),
            // It has no business there, and is not shown all the same.
            _ if config::value_holds_key(value) => Value::String("(set)".to_owned()),
            _ => value.clone(),
        }
    };
    saved
        .iter()
        .map(|(name, value)| {
            let shown = if name.eq_ignore_ascii_case(key::MORE_CLUSTERS) {
                match clusters_in(value) {
                    Some(clusters) => {
                        let clean = |cluster: &Values| -> Values {
                            cluster.iter().map(|(name, value)| (name.clone(), hide(name, value))).collect()
                        };
                        Value::Array(clusters.iter().map(clean).map(Value::Object).collect())
                    }
                    // What cannot be read may hold anything.
                    None => Value::String(
                        if value.as_str().is_some_and(str::is_empty) { "" } else { "(unreadable)" }.to_owned(),
                    ),
                }
            } else {
                hide(name, value)
            };
            (name.clone(), shown)
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use futures::executor::block_on;
    use serde_json::json;

    use super::*;
    use crate::bridge::{CredentialFacts, CredentialProblem, Credentials, Endpoint, RouteFacts, Signature};
    use crate::mattermost::HostError;

    const KEY: &str = "-----BEGIN RSA PRIVATE KEY-----\nc2VjcmV0\n-----END RSA PRIVATE KEY-----\n";
    const CERT: &str = "-----BEGIN CERTIFICATE-----\nY2VydA==\n-----END CERTIFICATE-----\n";

    /// Seals by turning texts around.
    struct Turned(CredentialProblem);

    impl Bridge for Turned {
        async fn inspect(&self, _: Credentials) -> Result<CredentialFacts, HostError> {
            Ok(CredentialFacts {
                problem: self.0.into(),
                user: "access-plugin".into(),
                not_after: 1_000,
                clusters: vec!["tp".into()],
                ..Default::default()
            })
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

        async fn seal(&self, text: &str, _: &str) -> Result<String, HostError> {
            Ok(format!("{}{}", config::SEALED_PREFIX, text.chars().rev().collect::<String>()))
        }

        async fn unseal(&self, sealed: &str, _: &str) -> Result<String, HostError> {
            let text = sealed.strip_prefix(config::SEALED_PREFIX).ok_or(HostError::Invalid("no".into()))?;
            Ok(text.chars().rev().collect())
        }

        async fn sign(&self, _: &[u8]) -> Result<Signature, HostError> {
            Ok(Signature::default())
        }
    }

    fn object(value: Value) -> Values {
        value.as_object().cloned().unwrap_or_default()
    }

    fn identity() -> String {
        format!("{KEY}{CERT}{CERT}")
    }

    const MASK: &str = "********************************";

    #[test]
    fn what_is_pasted_is_sealed_and_what_is_masked_stays_masked() {
        let bridge = Turned(CredentialProblem::None);
        let new = object(
            json!({"teleportaddress": "tp:443", "identity": identity(), "clientkey": "", "recipients": "ops/x"}),
        );
        let saved = block_on(check(&bridge, new, &Values::new(), Time(0))).unwrap_or_default();
        let text = serde_json::to_string(&saved).unwrap_or_default();
        assert!(!text.contains("c2VjcmV0") && text.contains(config::SEALED_PREFIX), "{text}");
        let again = object(json!({"teleportaddress": "tp:443", "identity": MASK, "recipients": "ops/y"}));
        let kept = block_on(check(&bridge, again.clone(), &saved, Time(0)));
        assert_eq!(kept, Ok(again));
    }

    #[test]
    fn further_clusters_are_sealed_too() {
        let bridge = Turned(CredentialProblem::None);
        let clusters =
            json!([{"TeleportAddress": "two:443", "Identity": identity(), "Recipients": "ops/two"}]).to_string();
        let new = object(json!({"moreclusters": clusters}));
        let saved = block_on(check(&bridge, new, &Values::new(), Time(0))).unwrap_or_default();
        let text = serde_json::to_string(&saved).unwrap_or_default();
        assert!(!text.contains("c2VjcmV0") && text.contains(config::SEALED_PREFIX), "{text}");
    }

    #[test]
    fn what_cannot_be_used_is_refused_and_what_is_missing_is_not() {
        let refused = |bridge: &Turned, new: Value, saved: Value| {
            let answer = block_on(check(bridge, object(new), &object(saved), Time(0)));
            answer
                .err()
                .map(|problems| problems.into_iter().map(|problem| problem.setting.into_owned()).collect::<Vec<_>>())
        };
        let good = Turned(CredentialProblem::None);
        assert_eq!(refused(&good, json!({}), json!({})), None);
        assert_eq!(
            refused(&good, json!({"TeleportAddress": "http://tp"}), json!({})),
            Some(vec![key::TELEPORT_ADDRESS.to_owned()])
        );
        let mismatch = Turned(CredentialProblem::KeyMismatch);
        assert_eq!(
            refused(&mismatch, json!({"Identity": identity()}), json!({})),
            Some(vec![key::IDENTITY.to_owned()])
        );
        // What was saved before must not keep anybody from saving the rest.
        assert_eq!(
            refused(&mismatch, json!({"Identity": MASK, "Recipients": "a/b"}), json!({"identity": identity()})),
            None
        );
        assert_eq!(refused(&mismatch, json!({"Identity": "/a/path"}), json!({})), None);
        let expired = block_on(check(&good, object(json!({"Identity": identity()})), &Values::new(), Time(2_000_000)));
        assert!(expired.is_err_and(|problems| problems.iter().any(|problem| problem.message.contains("expired"))));
    }

    #[test]
    fn what_was_saved_before_does_not_keep_anybody_from_saving_the_rest() {
        let bridge = Turned(CredentialProblem::None);
        let refused = |new: Value, saved: Value| {
            let answer = block_on(check(&bridge, object(new), &object(saved), Time(0)));
            answer.err().map_or(0, |problems| problems.len())
        };
        for (setting, text) in [
            ("Approvers", "alice, bob"),
            ("Approvers", "dba = Bob Stone"),
            ("Approvers", "dba = group:Domain Admins"),
            ("Approvers", "dba = 0 of bob"),
            ("Recipients", "ops/one ops/two"),
            ("Recipients", "ops/Access Requests"),
            ("RoleRecipients", "dba = @alice @bob"),
            ("UserMapping", "a b = c"),
        ] {
            let (new, again) = (json!({ setting: text }), json!({ setting: text, "LogLevel": "debug" }));
            assert_eq!(refused(new.clone(), json!({})), 1, "{text}");
            assert_eq!(refused(again, new), 0, "{text}");
        }
        // What is added beside it is looked at.
        assert_eq!(refused(json!({"Approvers": "alice\n0 of x"}), json!({"Approvers": "alice"})), 2);
        // The old entry in a new place is the old entry.
        let (new, saved) =
            (json!({"Approvers": "dba = Bob Stone\nops = alice"}), json!({"Approvers": "dba = Bob Stone"}));
        assert_eq!(refused(new, saved), 0);
    }

    #[test]
    fn a_load_balancers_authority_that_cannot_be_read_is_refused_when_it_is_new() {
        let with = |authority: &str| {
            let cluster = json!({"TeleportAddress": "tp:443", "Identity": "/a", "LoadBalancerCA": authority});
            let mut settings = object(cluster.clone());
            settings.insert(key::MORE_CLUSTERS.to_owned(), json!([cluster]));
            settings
        };
        let refused = |problem: CredentialProblem, new: &Values, saved: &Values| {
            let answer = block_on(check(&Turned(problem), new.clone(), saved, Time(0)));
            let problems = answer.err().unwrap_or_default();
            problems.into_iter().map(|problem| problem.setting.into_owned()).collect::<Vec<_>>()
        };
        let (new, none) = (with(CERT), Values::new());
        // The bridge reads certificates; that there is no key with them is no matter.
        assert_eq!(refused(CredentialProblem::PrivateKey, &new, &none), Vec::<String>::new());
        let both = [key::LOAD_BALANCER_CA, key::MORE_CLUSTERS];
        assert_eq!(refused(CredentialProblem::Certificate, &new, &none), both);
        assert_eq!(refused(CredentialProblem::Certificate, &new, &new), Vec::<String>::new(), "it is in use");
        assert_eq!(refused(CredentialProblem::Certificate, &with("/not/there/yet"), &none), Vec::<String>::new());
    }

    #[test]
    fn pasted_credentials_are_told_and_masks_stand_for_saved_ones() {
        let bridge = Turned(CredentialProblem::None);
        let pasted = vec![(key::IDENTITY.to_owned(), identity())];
        let checked = block_on(check_credentials(&bridge, pasted, &Values::new(), 0, Time(0)));
        let checked = checked.map(|checked| (checked.usable.user, checked.values));
        let (user, values) = checked.unwrap_or_default();
        assert_eq!(user, "access-plugin");
        let sealed = values.into_iter().next().map(|(_, sealed)| sealed).unwrap_or_default();
        assert!(sealed.starts_with(config::SEALED_PREFIX));
        let saved = object(json!({"identity": sealed}));
        let masked = || vec![(key::IDENTITY.to_owned(), MASK.to_owned())];
        assert!(block_on(check_credentials(&bridge, masked(), &saved, 0, Time(0))).is_ok());
        assert!(block_on(check_credentials(&bridge, masked(), &Values::new(), 0, Time(0))).is_err());
        let more = object(json!({"MoreClusters": json!([{"Identity": identity()}]).to_string()}));
        assert!(block_on(check_credentials(&bridge, masked(), &more, 1, Time(0))).is_ok());
        assert!(block_on(check_credentials(&bridge, masked(), &more, 2, Time(0))).is_err());
        let list = object(json!({"MoreClusters": [{"Identity": identity()}]}));
        assert!(block_on(check_credentials(&bridge, masked(), &list, 1, Time(0))).is_ok());
    }

    #[test]
    fn nothing_secret_is_shown_to_whoever_helps() {
        let saved = object(json!({
            "teleportaddress": "tp:443", "identity": identity(), "clientkey": "sealed:v1:abc", "SealingKey": "k",
            "moreclusters": json!([{"Identity": identity(), "TeleportAddress": "two"}, {"Identity": "/path"}]).to_string(),
        }));
        let text = serde_json::to_string(&without_secrets(&saved)).unwrap_or_default();
        for secret in ["c2VjcmV0", "sealed:v1", "\"k\""] {
            assert!(!text.contains(secret), "{text}");
        }
        assert!(text.contains("tp:443") && text.contains("/path"));
        let list = object(json!({"moreclusters": [{"Identity": identity(), "TeleportAddress": "two"}]}));
        let text = serde_json::to_string(&without_secrets(&list)).unwrap_or_default();
        assert!(text.contains("two") && !text.contains("c2VjcmV0"), "{text}");
        let broken = object(json!({"moreclusters": format!("[{{ {KEY}")}));
        assert!(!serde_json::to_string(&without_secrets(&broken)).unwrap_or_default().contains("c2VjcmV0"));
    }
}
