//! From what an admin pasted to a certificate, its key and the authorities to trust.

use std::time::Duration;

use crate::bridge::{Bridge, CredentialFacts, CredentialProblem, Credentials};
use crate::config::{self, CredentialSource, Problem, Source, key};
use crate::mattermost::HostError;
use crate::time::{Time, in_words};

/// The settings that credentials are in.
pub(crate) const SETTINGS: [&str; 4] = [key::IDENTITY, key::CLIENT_CERTIFICATE, key::CLIENT_KEY, key::CLUSTER_CA];

/// Credentials that fit together, and what they say.
#[derive(Debug, Clone, PartialEq)]
pub struct Usable {
    /// The setting that holds the certificate.
    pub setting: &'static str,
    /// For the bridge.
    pub credentials: Credentials,
    /// The Teleport user that they are of.
    pub user: String,
    /// Name of the Teleport cluster.
    pub cluster: String,
    /// When they became valid.
    pub not_before: Time,
    /// When they expire.
    pub not_after: Time,
}

/// Reads, completes and checks the credentials. The error says which setting is wrong and what to do.
pub async fn load<B: Bridge>(bridge: &B, source: &CredentialSource, now: Time) -> Result<Usable, Problem> {
    let (setting, credentials) = match source {
        CredentialSource::Identity(source) => {
            // Its own certificate authority says which cluster it is good for.
            (key::IDENTITY, split_identity(&read(bridge, key::IDENTITY, source, "").await?)?)
        }
        CredentialSource::Files { certificate, key, authorities } => {
            let certificate =
                whole(key::CLIENT_CERTIFICATE, &read(bridge, key::CLIENT_CERTIFICATE, certificate, "").await?)?;
            let authorities = whole(key::CLUSTER_CA, &read(bridge, key::CLUSTER_CA, authorities, "").await?)?;
            let cluster = match key {
                Source::Sealed(_) => named_by(bridge, &authorities).await,
                Source::Text(_) | Source::Path(_) => String::new(),
            };
            let private_key = whole(key::CLIENT_KEY, &read(bridge, key::CLIENT_KEY, key, &cluster).await?)?;
            let credentials = Credentials { certificate, private_key, certificate_authorities: authorities };
            (key::CLIENT_CERTIFICATE, credentials)
        }
    };
    let facts = bridge
        .inspect(credentials.clone())
        .await
        .map_err(|error| Problem::new(setting, format!("The credentials cannot be checked: {error}")))?;
    judge(setting, credentials, facts, now)
}

/// What a text in a setting is sealed for: it opens for the same setting of the same cluster only.
#[must_use]
pub(crate) fn usage(setting: &str, cluster: &str) -> String {
    if cluster.is_empty() { setting.to_owned() } else { format!("{setting} of {cluster}") }
}

/// The cluster whose certificate authority is in the setting `ClusterCA`; empty where that cannot be said (yet).
pub(crate) async fn cluster_of<B: Bridge>(bridge: &B, authorities: &Source) -> String {
    match read(bridge, key::CLUSTER_CA, authorities, "").await {
        Ok(text) => named_by(bridge, &text).await,
        Err(_) => String::new(),
    }
}

/// The cluster that these authorities name; empty where they name none.
async fn named_by<B: Bridge>(bridge: &B, authorities: &str) -> String {
    let only = Credentials { certificate_authorities: authorities.to_owned(), ..Default::default() };
    // That there is no certificate is no matter here.
    let facts = bridge.inspect(only).await.unwrap_or_default();
    facts.clusters.into_iter().find(|cluster| !cluster.is_empty()).unwrap_or_default()
}

/// What the certificates' facts mean.
fn judge(
    setting: &'static str,
    credentials: Credentials,
    facts: CredentialFacts,
    now: Time,
) -> Result<Usable, Problem> {
    let place = |file: &'static str| if setting == key::IDENTITY { key::IDENTITY } else { file };
    match facts.problem() {
        CredentialProblem::None => {}
        CredentialProblem::Certificate => {
            return Err(Problem::new(
                place(key::CLIENT_CERTIFICATE),
                format!("The client certificate cannot be read ({}). Paste the whole file again.", facts.detail),
            ));
        }
        CredentialProblem::PrivateKey => {
            return Err(Problem::new(
                place(key::CLIENT_KEY),
                format!("The private key cannot be read ({}). Paste the whole file again.", facts.detail),
            ));
        }
        CredentialProblem::KeyMismatch => {
            return Err(Problem::new(
                place(key::CLIENT_KEY),
                "The private key does not match the certificate: the files are from two different runs of `tctl auth sign`. Take all of them from one run.",
            ));
        }
        CredentialProblem::Authorities => {
            return Err(Problem::new(
                place(key::CLUSTER_CA),
                format!(
                    "The cluster's certificate authority cannot be read ({}). Paste the whole file again.",
                    facts.detail
                ),
            ));
        }
    }
    let (not_before, not_after) =
        (Time(facts.not_before.saturating_mul(1_000)), Time(facts.not_after.saturating_mul(1_000)));
    if now < not_before.minus(CLOCK_SKEW) {
        return Err(Problem::new(
            setting,
            format!(
                "The credentials are valid only from {not_before}, and here it is {now}. Check this server's clock."
            ),
        ));
    }
    let Some(cluster) = facts.clusters.into_iter().find(|cluster| !cluster.is_empty()) else {
        return Err(Problem::new(
            place(key::CLUSTER_CA),
            "The certificate authority names no Teleport cluster. Take auth.cas (or the identity file) from `tctl auth sign`, not the certificate of the web page.",
        ));
    };
    if cluster.len() > MAX_CLUSTER {
        return Err(Problem::new(
            place(key::CLUSTER_CA),
            format!("The cluster's name is longer than {MAX_CLUSTER} bytes."),
        ));
    }
    Ok(Usable { setting, credentials, user: facts.user, cluster, not_before, not_after })
}

/// How far two clocks may be apart.
const CLOCK_SKEW: Duration = Duration::from_secs(300);
/// Longest cluster name: it is part of keys in Mattermost's store, which are bounded to 150 characters.
const MAX_CLUSTER: usize = 64;

impl Usable {
    /// What is wrong where they have expired.
    #[must_use]
    pub fn expired(&self, now: Time) -> Option<Problem> {
        (now >= self.not_after).then(|| {
            let (user, not_after) = (&self.user, self.not_after);
            Problem::new(
                self.setting,
                format!(
                    "The credentials of Teleport user {user} expired on {not_after}. Sign new ones with `tctl auth sign --user={user} --ttl=8760h …`, or let Machine ID renew a file and give its path."
                ),
            )
        })
    }

    /// A warning if they are about to expire. Those that live for hours are renewed by a machine.
    #[must_use]
    pub fn warning(&self, now: Time) -> Option<String> {
        let left = self.not_after.since(now);
        let week = Duration::from_secs(7 * 86_400);
        (left < week && self.not_after.since(self.not_before) > week).then(|| {
            format!("The credentials expire in {}, on {}. Renew them in time.", in_words(left), self.not_after)
        })
    }
}

/// Opens what was sealed for a setting of a cluster.
async fn open<B: Bridge>(bridge: &B, setting: &'static str, sealed: &str, cluster: &str) -> Result<String, Problem> {
    let mut opened = bridge.unseal(sealed, &usage(setting, cluster)).await;
    // Sealed before the cluster was known, such as with the path of an authority that was not there yet.
    if !cluster.is_empty() && matches!(opened, Err(HostError::Invalid(_))) {
        opened = bridge.unseal(sealed, &usage(setting, "")).await;
    }
    opened.map(|text| unfold(&text)).map_err(|error| match error {
        HostError::Invalid(_) => Problem::new(
            setting,
            "What is saved here cannot be opened: it was sealed with another sealing key, or for another setting or cluster. Paste it again.",
        ),
        error => Problem::new(setting, format!("What is saved here cannot be opened now: {error}")),
    })
}

/// The text that a setting holds or names.
pub(crate) async fn read<B: Bridge>(
    bridge: &B,
    setting: &'static str,
    source: &Source,
    cluster: &str,
) -> Result<String, Problem> {
    let path = match source {
        Source::Text(text) => return Ok(unfold(text)),
        Source::Path(path) => path,
        Source::Sealed(sealed) => return open(bridge, setting, sealed, cluster).await,
    };
    let shown = config::shown_path(path);
    match bridge.read_file(path).await {
        Ok(bytes) => String::from_utf8(bytes).map(|text| unfold(&text)).map_err(|_| {
            Problem::new(
                setting,
                format!("{shown} is not a text file. Give the path of a PEM file, as `tctl auth sign` writes them."),
            )
        }),
        Err(HostError::NotFound(_)) => Err(Problem::new(
            setting,
            format!("There is no file {shown} on the Mattermost server. Check the path, or paste the file's content."),
        )),
        Err(HostError::Denied(_)) => Err(Problem::new(
            setting,
            format!(
                "The Mattermost server may not read {shown}. Make it readable for the user that Mattermost runs as, or paste the file's content."
            ),
        )),
        // What the host says names the path, too.
        Err(_) => Err(Problem::new(
            setting,
            format!(
                "{shown} cannot be read. Give the absolute path of a file of at most 1 MiB, or paste the file's content."
            ),
        )),
    }
}

/// Gives PEM its lines back where a one-line field or a JSON string has taken them.
fn unfold(text: &str) -> String {
    let text = text.replace("\r\n", "\n").replace("\\n", "\n");
    if text.lines().count() > 1 || !text.contains("-----BEGIN ") {
        return text;
    }
    let mut unfolded = String::with_capacity(text.len() + 64);
    let mut rest = text.as_str();
    // Dashes bound labels, which may hold spaces; everywhere else a space was a line's end.
    while let Some((body, after)) = rest.split_once("-----") {
        let Some((label, remaining)) = after.split_once("-----") else { break };
        unfolded.push_str(&body.split_whitespace().collect::<Vec<_>>().join("\n"));
        if !unfolded.is_empty() && !unfolded.ends_with('\n') {
            unfolded.push('\n');
        }
        unfolded.push_str("-----");
        unfolded.push_str(label);
        unfolded.push_str("-----\n");
        rest = remaining;
    }
    unfolded.push_str(rest.trim());
    unfolded
}

/// A PEM block: its label, and its lines from BEGIN to END.
struct Block {
    label: String,
    text: String,
}

/// The PEM blocks of a text; the error names the block that has no end.
fn blocks(text: &str) -> Result<Vec<Block>, String> {
    let mut blocks = Vec::new();
    let mut open: Option<Block> = None;
    for line in text.lines() {
        let line = line.trim();
        let label_of = |prefix: &str| line.strip_prefix(prefix).and_then(|rest| rest.strip_suffix("-----"));
        if let Some(label) = label_of("-----BEGIN ") {
            if let Some(block) = open {
                return Err(block.label);
            }
            open = Some(Block { label: label.to_owned(), text: format!("{line}\n") });
        } else if let Some(mut block) = open.take() {
            block.text.push_str(line);
            block.text.push('\n');
            if label_of("-----END ") == Some(&block.label) {
                blocks.push(block);
            } else {
                open = Some(block);
            }
        }
    }
    open.map_or(Ok(blocks), |block| Err(block.label))
}

/// A PEM file that must be whole.
fn whole(setting: &'static str, text: &str) -> Result<String, Problem> {
    match blocks(text) {
        Err(label) => Err(cut(setting, &label)),
        Ok(found) if found.is_empty() => Err(Problem::new(
            setting,
            "This is neither PEM (it starts with -----BEGIN) nor an absolute path. Paste the file that `tctl auth sign --format=tls` wrote.",
        )),
        Ok(found) => Ok(found.into_iter().map(|block| block.text).collect()),
    }
}

fn cut(setting: &'static str, label: &str) -> Problem {
    Problem::new(
        setting,
        format!(
            "The file ends in the middle of its {}: it was cut off. Paste it again, from the first line to the last.",
            config::cut(label)
        ),
    )
}

/// Takes an identity file apart: its key, its first certificate, and its other certificates, which are the authorities.
fn split_identity(text: &str) -> Result<Credentials, Problem> {
    let found = blocks(text).map_err(|label| cut(key::IDENTITY, &label))?;
    let mut credentials = Credentials::default();
    for block in found {
        if block.label.ends_with("PRIVATE KEY") {
            credentials.private_key = block.text;
        } else if block.label == "CERTIFICATE" && credentials.certificate.is_empty() {
            credentials.certificate = block.text;
        } else if block.label == "CERTIFICATE" {
            credentials.certificate_authorities.push_str(&block.text);
        }
    }
    let missing = match &credentials {
        credentials if credentials.private_key.is_empty() => "private key",
        credentials if credentials.certificate.is_empty() => "TLS certificate",
        credentials if credentials.certificate_authorities.is_empty() => "certificate authority",
        _ => return Ok(credentials),
    };
    Err(Problem::new(
        key::IDENTITY,
        format!(
            "This identity file has no {missing}: it is not whole, or no identity file. Paste what `tctl auth sign --user=access-plugin --format=file` wrote, from the first line to the last."
        ),
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    const KEY: &str = "-----BEGIN RSA PRIVATE KEY-----\na2V5\n-----END RSA PRIVATE KEY-----\n";
    const SSH: &str = "ssh-rsa-cert-v01@openssh.com AAAA\n";
    const CERT: &str = "-----BEGIN CERTIFICATE-----\nY2VydA==\n-----END CERTIFICATE-----\n";
    const KNOWN: &str = "@cert-authority *.tp,tp ssh-rsa AAAA type=host\n";
    const CA: &str = "-----BEGIN CERTIFICATE-----\nY2E=\n-----END CERTIFICATE-----\n";

    fn identity() -> String {
        [KEY, SSH, CERT, KNOWN, CA, CA].concat()
    }

    #[test]
    fn an_identity_file_holds_all_three() {
        assert_eq!(
            split_identity(&identity()),
            Ok(Credentials {
                certificate: CERT.into(),
                private_key: KEY.into(),
                certificate_authorities: [CA, CA].concat()
            })
        );
    }

    #[test]
    fn an_identity_file_cut_anywhere_is_refused() {
        let identity = [KEY, SSH, CERT, KNOWN, CA].concat();
        for length in 0..identity.trim_end().len() {
            let cut = identity.get(..length).unwrap_or_default();
            assert_eq!(split_identity(cut).map_err(|problem| problem.setting), Err(key::IDENTITY.into()), "{length}");
        }
        assert!(split_identity(identity.trim_end()).is_ok());
    }

    #[test]
    fn lines_lost_in_a_one_line_field_are_found_again() {
        let identity = identity();
        let folded = [KEY, CERT, CA].concat();
        for lost in [folded.replace('\n', " "), folded.replace('\n', "\\n"), folded.replace('\n', "\r\n")] {
            assert_eq!(
                split_identity(&unfold(&lost)),
                Ok(Credentials {
                    certificate: CERT.into(),
                    private_key: KEY.into(),
                    certificate_authorities: CA.into()
                }),
                "{lost}"
            );
        }
        assert_eq!(unfold(&identity), identity);
    }

    #[test]
    fn a_file_that_is_no_pem_is_refused() {
        assert_eq!(whole(key::CLIENT_KEY, "hello").map_err(|problem| problem.setting), Err(key::CLIENT_KEY.into()));
        assert_eq!(whole(key::CLIENT_KEY, KEY), Ok(KEY.into()));
        assert!(whole(key::CLIENT_KEY, "-----BEGIN RSA PRIVATE KEY-----\na2V5").is_err());
    }

    fn facts() -> CredentialFacts {
        CredentialFacts {
            user: "access-plugin".into(),
            not_before: 1_000,
            not_after: 100_000,
            clusters: vec!["tp".into()],
            ..Default::default()
        }
    }

    fn verdict(facts: CredentialFacts, now: Time) -> Result<String, Problem> {
        judge(key::CLIENT_CERTIFICATE, Credentials::default(), facts, now).map(|usable| usable.cluster)
    }

    #[test]
    fn credentials_count_between_their_dates() {
        assert_eq!(verdict(facts(), Time(50_000_000)), Ok("tp".into()));
        assert_eq!(verdict(facts(), Time(900_000)), Ok("tp".into()), "a little skew is forgiven");
        let early = verdict(facts(), Time(0));
        assert!(early.is_err_and(|problem| problem.message.contains("clock")));
    }

    #[test]
    fn expiry_is_told_beforehand_and_afterwards() {
        let day = 86_400_000;
        let usable = |from: i64, to: i64| Usable {
            setting: key::CLIENT_CERTIFICATE,
            credentials: Credentials::default(),
            user: "access-plugin".into(),
            cluster: "tp".into(),
            not_before: Time(from),
            not_after: Time(to),
        };
        let yearly = usable(0, 365 * day);
        assert_eq!(yearly.warning(Time(300 * day)), None);
        assert!(yearly.warning(Time(360 * day)).is_some_and(|text| text.contains("5 days")));
        assert_eq!(yearly.expired(Time(364 * day)), None);
        let expired = yearly.expired(Time(365 * day));
        assert!(expired.is_some_and(|problem| problem.message.contains("tctl auth sign")));
        assert_eq!(usable(0, day).warning(Time(0)), None, "a machine renews these");
    }

    #[test]
    fn a_problem_lands_at_the_setting_that_has_it() {
        for (problem, setting) in [
            (CredentialProblem::Certificate, key::CLIENT_CERTIFICATE),
            (CredentialProblem::PrivateKey, key::CLIENT_KEY),
            (CredentialProblem::KeyMismatch, key::CLIENT_KEY),
            (CredentialProblem::Authorities, key::CLUSTER_CA),
        ] {
            let facts = CredentialFacts { problem: problem.into(), ..facts() };
            assert_eq!(
                verdict(facts.clone(), Time(50_000_000)).map_err(|problem| problem.setting),
                Err(setting.into())
            );
            let of_identity = judge(key::IDENTITY, Credentials::default(), facts, Time(50_000_000));
            assert_eq!(of_identity.map(|_| ()).map_err(|problem| problem.setting), Err(key::IDENTITY.into()));
        }
        let nameless = CredentialFacts { clusters: vec![], ..facts() };
        assert_eq!(verdict(nameless, Time(50_000_000)).map_err(|problem| problem.setting), Err(key::CLUSTER_CA.into()));
    }
}
