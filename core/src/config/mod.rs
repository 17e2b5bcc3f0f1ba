//! The settings: their names, what they mean, and what is said when they are wrong. The one source of all of that: the
//! settings page, the plugin and the import of configuration files go through here.

mod address;
mod approvers;
mod bound;
mod host_keys;
mod people;
mod recipients;
mod shown;
mod sources;
mod upgrade;

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::time::Duration;

use serde_json::Value;

pub use address::Address;
pub use approvers::{Approver, MAX_NEEDED, Rule};
pub(crate) use bound::{about, is_named, rules_for};
pub(crate) use host_keys::{MIN_SEALING_KEY, is_weak_sealing_key};
pub use people::Person;
pub use recipients::{Recipient, RoleRecipients};
pub(crate) use shown::{cut, shown, shown_path, value_holds_key};
pub(crate) use sources::credential_source;
pub use sources::{CredentialSource, SEALED_PREFIX, SEALED_PREFIX_V1, Source, source};
pub use upgrade::Upgrade;

use crate::decision::Needed;
use crate::mattermost::LogLevel;

/// Names of the settings, as in `plugin.json`.
pub mod key {
    /// Where Teleport is.
    pub const TELEPORT_ADDRESS: &str = "TeleportAddress";
    /// Whether Teleport's connection upgrade is used, which gets past a load balancer that ends TLS.
    pub const CONNECTION_UPGRADE: &str = "ConnectionUpgrade";
    /// The authority of such a load balancer's certificate, or its path.
    pub const LOAD_BALANCER_CA: &str = "LoadBalancerCA";
    /// An identity file, or its path.
    pub const IDENTITY: &str = "Identity";
    /// `auth.crt`, or its path.
    pub const CLIENT_CERTIFICATE: &str = "ClientCertificate";
    /// `auth.key`, or its path.
    pub const CLIENT_KEY: &str = "ClientKey";
    /// `auth.cas`, or its path.
    pub const CLUSTER_CA: &str = "ClusterCA";
    /// Further Teleport clusters: a JSON list of objects with the keys above, and `Recipients`.
    pub const MORE_CLUSTERS: &str = "MoreClusters";
    /// Where requests are posted.
    pub const RECIPIENTS: &str = "Recipients";
    /// Where requests for certain roles are posted instead.
    pub const ROLE_RECIPIENTS: &str = "RoleRecipients";
    /// By which authority decisions are made.
    pub const AUTHORITY: &str = "Authority";
    /// Who may decide.
    pub const APPROVERS: &str = "Approvers";
    /// Whether only accounts with multi-factor authentication may decide.
    pub const REQUIRE_MFA: &str = "RequireMFA";
    /// Whether single sign-on counts as multi-factor authentication.
    pub const SSO_IS_MFA: &str = "SSOCountsAsMFA";
    /// How old a session may be that decides, in hours.
    pub const SESSION_HOURS: &str = "SessionMaxHours";
    /// Whether the plugin's approvers overrule Teleport's own thresholds.
    pub const OVERRULE: &str = "OverruleThresholds";
    /// Whether guests may decide.
    pub const ALLOW_GUESTS: &str = "AllowGuests";
    /// Which Mattermost account is which Teleport user.
    pub const USER_MAPPING: &str = "UserMapping";
    /// The trait of Teleport users that names their Mattermost account.
    pub const USER_TRAIT: &str = "UserTrait";
    /// Whether a verified e-mail address that is a Teleport user's name makes the account that user's.
    pub const MATCH_EMAIL: &str = "MatchEmail";
    /// Which decisions are asked for a reason.
    pub const ASK_REASON: &str = "AskReason";
    /// Whether a reason must be given where it is asked for.
    pub const REQUIRE_REASON: &str = "RequireReason";
    /// Whether requesters are told what becomes of their requests.
    pub const NOTIFY_REQUESTERS: &str = "NotifyRequesters";
    /// How long before a request expires its thread is reminded.
    pub const REMINDERS: &str = "Reminders";
    /// Whether posts of pending requests that somebody deletes are posted again.
    pub const REPOST_DELETED: &str = "RepostDeleted";
    /// Days that entries of the audit trail are kept.
    pub const AUDIT_DAYS: &str = "AuditRetentionDays";
    /// Where the ends of the audit trail are posted daily.
    pub const AUDIT_CHANNEL: &str = "AuditChannel";
    /// A file with the key that the ends of the audit trail are signed with. The host's own: the core never reads it.
    pub const AUDIT_SIGNING_KEY: &str = "AuditSigningKey";
    /// Days that records of finished requests are kept.
    pub const REQUEST_DAYS: &str = "RequestRetentionDays";
    /// How much is logged.
    pub const LOG_LEVEL: &str = "LogLevel";
    /// What pasted credentials are sealed with. The host's own: the core looks at nothing but its length.
    pub const SEALING_KEY: &str = "SealingKey";

    /// All of them, in the order of the settings page.
    pub const ALL: [&str; 31] = [
        TELEPORT_ADDRESS,
        CONNECTION_UPGRADE,
        LOAD_BALANCER_CA,
        IDENTITY,
        CLIENT_CERTIFICATE,
        CLIENT_KEY,
        CLUSTER_CA,
        MORE_CLUSTERS,
        RECIPIENTS,
        ROLE_RECIPIENTS,
        AUTHORITY,
        APPROVERS,
        OVERRULE,
        REQUIRE_MFA,
        SSO_IS_MFA,
        SESSION_HOURS,
        ALLOW_GUESTS,
        USER_MAPPING,
        USER_TRAIT,
        MATCH_EMAIL,
        ASK_REASON,
        REQUIRE_REASON,
        NOTIFY_REQUESTERS,
        REMINDERS,
        REPOST_DELETED,
        AUDIT_DAYS,
        AUDIT_CHANNEL,
        AUDIT_SIGNING_KEY,
        REQUEST_DAYS,
        LOG_LEVEL,
        SEALING_KEY,
    ];
}

/// How much a problem matters.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Severity {
    /// What is set cannot be used. It is not saved.
    Wrong,
    /// Something is not set yet. It may be saved, and the plugin waits.
    Missing,
    /// Earlier versions took it, so it goes on working where it is saved. In new settings it is refused.
    Outdated,
    /// It works, but is perhaps not what was meant.
    Warning,
}

/// Something wrong with a setting: which, and what to do, for an admin to read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Problem {
    /// The setting's name.
    pub setting: Cow<'static, str>,
    /// What is wrong and what to do.
    pub message: String,
    /// How much it matters.
    pub severity: Severity,
}

impl Problem {
    pub(crate) fn new(setting: impl Into<Cow<'static, str>>, message: impl Into<String>) -> Self {
        Self { setting: setting.into(), message: message.into(), severity: Severity::Wrong }
    }

    pub(crate) fn missing(setting: &'static str, message: impl Into<String>) -> Self {
        Self { severity: Severity::Missing, ..Self::new(setting, message) }
    }

    pub(crate) fn outdated(setting: impl Into<Cow<'static, str>>, message: impl Into<String>) -> Self {
        Self { severity: Severity::Outdated, ..Self::new(setting, message) }
    }

    pub(crate) fn warning(setting: impl Into<Cow<'static, str>>, message: impl Into<String>) -> Self {
        Self { severity: Severity::Warning, ..Self::new(setting, message) }
    }

    /// The same problem, told as one of the cluster at this place of the list; the first is the page's own.
    #[must_use]
    pub(crate) fn of_cluster(self, place: usize) -> Self {
        if place == 0 {
            return self;
        }
        Self {
            message: format!("Cluster {}, {}: {}", place + 1, self.setting, self.message),
            setting: key::MORE_CLUSTERS.into(),
            severity: self.severity,
        }
    }
}

/// By which authority decisions are made.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Authority {
    /// By Teleport's where the server can, else by the approvers'.
    #[default]
    Auto,
    /// A review on behalf of the clicker's Teleport user: Teleport's own rules and thresholds count.
    Teleport,
    /// The plugin sets the request's state: the approvers of the settings count.
    Approvers,
    /// A review as the plugin's own Teleport user: the approvers of the settings count, and Teleport's thresholds.
    Reviewer,
}

impl Authority {
    /// All of them, with their names in the settings.
    pub const ALL: [(&'static str, Self); 4] = [
        ("auto", Self::Auto),
        ("teleport", Self::Teleport),
        ("approvers", Self::Approvers),
        ("reviewer", Self::Reviewer),
    ];

    /// Its name in the settings.
    #[must_use]
    pub fn name(self) -> &'static str {
        Self::ALL.iter().find(|(_, authority)| *authority == self).map_or("auto", |(name, _)| name)
    }
}

/// Which decisions are asked for a reason, in a dialog.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum AskReason {
    /// None: a click decides.
    Never,
    /// Denials.
    #[default]
    Deny,
    /// Both.
    Both,
}

/// One Teleport cluster.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Cluster {
    /// Where it is.
    pub address: Option<Address>,
    /// Whether Teleport's connection upgrade is used.
    pub upgrade: Upgrade,
    /// The authorities of the load balancer's certificate; none: the system's.
    pub balancer_authorities: Option<Source>,
    /// How the plugin signs in there.
    pub credentials: Option<CredentialSource>,
    /// Where its requests are posted; empty: where all are.
    pub recipients: Vec<Recipient>,
}

impl Cluster {
    /// Whether another one is reached in the same way, with the same credentials.
    #[must_use]
    pub fn is_reached_as(&self, other: &Self) -> bool {
        self.address == other.address && self.credentials == other.credentials
    }
}

/// What an admin has set.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Settings {
    /// The clusters; there is always a first.
    pub clusters: Vec<Cluster>,
    /// Where requests are posted.
    pub recipients: Vec<Recipient>,
    /// Where requests for certain roles are posted instead.
    pub role_recipients: Vec<RoleRecipients>,
    /// By which authority decisions are made.
    pub authority: Authority,
    /// Who may decide; empty: system admins only.
    pub approvers: Vec<Rule>,
    /// Whether only accounts with multi-factor authentication may decide.
    pub require_mfa: bool,
    /// Whether single sign-on counts as multi-factor authentication.
    pub sso_is_mfa: bool,
    /// Whether the Mattermost server has multi-factor authentication switched off. Not a setting of the plugin: the host
    /// says so.
    pub multi_factor_off: bool,
    /// The greatest age of a session that decides; none: any.
    pub session_max_age: Option<Duration>,
    /// Whether the approvers overrule Teleport's own thresholds.
    pub overrule_thresholds: bool,
    /// Whether guests may decide.
    pub allow_guests: bool,
    /// Which Mattermost account is which Teleport user.
    pub people: Vec<Person>,
    /// The trait of Teleport users that names their Mattermost account; empty: none.
    pub user_trait: String,
    /// Whether a verified e-mail address that is a Teleport user's name makes the account that user's.
    pub match_email: bool,
    /// Which decisions are asked for a reason.
    pub ask_reason: AskReason,
    /// Whether a reason must be given where it is asked for.
    pub require_reason: bool,
    /// Whether requesters are told what becomes of their requests.
    pub notify_requesters: bool,
    /// How long before a request expires its thread is reminded, longest first.
    pub reminders: Vec<Duration>,
    /// Whether posts of pending requests that somebody deletes are posted again.
    pub repost_deleted: bool,
    /// Days that entries of the audit trail are kept.
    pub audit_days: u32,
    /// Where the ends of the audit trail are posted daily; none: nowhere.
    pub audit_channel: Option<Recipient>,
    /// Days that records of finished requests are kept.
    pub request_days: u32,
    /// What is less than this is not logged.
    pub log_level: LogLevel,
}

impl Settings {
    /// Whether all that is done goes on as before: what is logged changes nothing.
    #[must_use]
    pub fn is_as(&self, other: &Self) -> bool {
        *self == Self { log_level: self.log_level, ..other.clone() }
    }
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            clusters: vec![Cluster::default()],
            recipients: Vec::new(),
            role_recipients: Vec::new(),
            authority: Authority::default(),
            approvers: Vec::new(),
            require_mfa: false,
            sso_is_mfa: false,
            multi_factor_off: false,
            session_max_age: None,
            overrule_thresholds: false,
            allow_guests: false,
            people: Vec::new(),
            user_trait: String::new(),
            match_email: false,
            ask_reason: AskReason::default(),
            require_reason: false,
            notify_requesters: true,
            reminders: vec![Duration::from_secs(900)],
            repost_deleted: false,
            audit_days: 365,
            audit_channel: None,
            request_days: 30,
            log_level: LogLevel::Info,
        }
    }
}

/// Most clusters that are watched at once.
pub const MAX_CLUSTERS: usize = 20;
/// Most reminders of one request.
const MAX_REMINDERS: usize = 5;
/// Longest age of a session that can be asked for: a year.
const MAX_HOURS: u64 = 8_784;
/// Longest retention: ten years.
const MAX_DAYS: u32 = 3_660;

/// Reads the settings as Mattermost keeps them: a JSON object whose keys may have lost their capitals. What is missing or
/// wrong is left out and said in the problems, in the order of the settings page.
#[must_use]
pub fn parse(json: &[u8]) -> (Settings, Vec<Problem>) {
    let mut problems = Vec::new();
    let values: BTreeMap<String, Value> = if json.is_empty() {
        BTreeMap::new()
    } else {
        serde_json::from_slice::<BTreeMap<String, Value>>(json).unwrap_or_else(|error| {
            problems.push(Problem::new(
                key::TELEPORT_ADDRESS,
                // Not the parser's words: they quote what they are about.
                format!("The settings cannot be read (line {}). Save the settings page again.", error.line()),
            ));
            BTreeMap::new()
        })
    };
    let mut values = Values::new(values);
    values.drop_keys(&[key::IDENTITY, key::CLIENT_KEY, key::MORE_CLUSTERS]);
    let mut clusters = vec![cluster(&mut values, false, &mut problems)];
    clusters.extend(more_clusters(&values, &mut problems));

    let recipients_text = values.text(key::RECIPIENTS);
    let recipients = recipients::parse_recipients(&recipients_text, key::RECIPIENTS, &mut problems);
    let role_recipients = recipients::parse_role_recipients(&values.text(key::ROLE_RECIPIENTS), &mut problems);
    let somewhere = !recipients.is_empty() || clusters.iter().all(|cluster| !cluster.recipients.is_empty());
    if recipients_text.is_empty() && !somewhere {
        problems.extend(recipients::nowhere(&role_recipients));
    }
    let choices = Authority::ALL.map(|(name, _)| name);
    let authority = match values.choice(key::AUTHORITY, &choices, "auto") {
        Some(name) => {
            Authority::ALL.iter().find(|(known, _)| *known == name).map_or(Authority::Auto, |(_, known)| *known)
        }
        // The one that nobody gets around: where Teleport does not take it, nothing is decided.
        None => Authority::Teleport,
    };
    let approvers = approvers::parse_approvers(&values.text(key::APPROVERS), &mut problems);
    let (require_mfa, allow_guests) = (values.flag(key::REQUIRE_MFA, false), values.flag(key::ALLOW_GUESTS, false));
    let sso_is_mfa = values.flag(key::SSO_IS_MFA, false);
    let session_max_age = values.hours(key::SESSION_HOURS);
    let overrule_thresholds = values.flag(key::OVERRULE, false);
    let people = people::parse_people(&values.text(key::USER_MAPPING), &mut problems);
    let user_trait = values.text(key::USER_TRAIT);
    if user_trait.contains(char::is_whitespace) {
        problems.push(Problem::new(
            key::USER_TRAIT,
            format!(
                "{} is no trait: it has spaces in it. Give one trait's name, such as mattermost.",
                shown(&user_trait)
            ),
        ));
    }
    let match_email = values.flag(key::MATCH_EMAIL, false);
    let ask_reason = match values.choice(key::ASK_REASON, &["never", "deny", "both"], "deny").as_deref() {
        Some("never") => AskReason::Never,
        Some("deny") => AskReason::Deny,
        _ => AskReason::Both,
    };
    let require_reason = values.flag(key::REQUIRE_REASON, false);
    let notify_requesters = values.flag(key::NOTIFY_REQUESTERS, true);
    let reminders = match values.get(key::REMINDERS) {
        None => Settings::default().reminders,
        Some(_) => parse_reminders(&values.text(key::REMINDERS), &mut problems),
    };
    let repost_deleted = values.flag(key::REPOST_DELETED, false);
    let defaults = Settings::default();
    let audit_days = values.days(key::AUDIT_DAYS, defaults.audit_days);
    let audit_channel = audit_channel(&values.text(key::AUDIT_CHANNEL), &mut problems);
    let signing_key = values.text(key::AUDIT_SIGNING_KEY);
    if !signing_key.is_empty() && !matches!(source(signing_key), Some(Source::Path(_))) {
        problems.push(Problem::new(
            key::AUDIT_SIGNING_KEY,
            "Give the absolute path of a file on the Mattermost server that holds the key, such as /etc/mattermost/audit.key.",
        ));
    }
    let request_days = values.days(key::REQUEST_DAYS, defaults.request_days);
    let log_level = match values.choice(key::LOG_LEVEL, &["debug", "info", "warn", "error"], "info").as_deref() {
        Some("debug") => LogLevel::Debug,
        Some("warn") => LogLevel::Warn,
        Some("error") => LogLevel::Error,
        _ => LogLevel::Info,
    };
    host_keys::check(&mut values, &mut problems);
    problems.append(&mut values.problems);
    problems.extend(values.unknown(&key::ALL));
    let place = |problem: &Problem| key::ALL.iter().position(|key| *key == problem.setting).unwrap_or(key::ALL.len());
    problems.sort_by_key(place);
    let settings = Settings {
        clusters,
        recipients,
        role_recipients,
        authority,
        approvers,
        require_mfa,
        sso_is_mfa,
        multi_factor_off: false,
        session_max_age,
        overrule_thresholds,
        allow_guests,
        people,
        user_trait,
        match_email,
        ask_reason,
        require_reason,
        notify_requesters,
        reminders,
        repost_deleted,
        audit_days,
        audit_channel,
        request_days,
        log_level,
    };
    (settings, problems)
}

/// The one channel where the ends of the audit trail are posted.
fn audit_channel(text: &str, problems: &mut Vec<Problem>) -> Option<Recipient> {
    let mut found = recipients::parse_recipients(text, key::AUDIT_CHANNEL, problems);
    if found.len() > 1 || found.iter().any(|one| !matches!(one, Recipient::Channel { .. } | Recipient::ChannelId(_))) {
        problems.push(Problem::new(
            key::AUDIT_CHANNEL,
            "Give one channel: team/channel as in the channel's address, such as ops/audit, or a channel's id.",
        ));
        return None;
    }
    found.pop()
}

/// A cluster's own settings.
fn cluster(values: &mut Values, with_recipients: bool, problems: &mut Vec<Problem>) -> Cluster {
    let address =
        address::parse_address(&values.text(key::TELEPORT_ADDRESS)).map_err(|problem| problems.push(problem)).ok();
    let (upgrade, balancer_authorities) = upgrade::parse(values, problems);
    let sources =
        [key::IDENTITY, key::CLIENT_CERTIFICATE, key::CLIENT_KEY, key::CLUSTER_CA].map(|key| source(values.text(key)));
    let gateway = matches!(address, Some(Address::Gateway(_))) && sources.iter().all(Option::is_none);
    let credentials = match credential_source(sources) {
        Ok(credentials) => Some(credentials),
        // A gateway may sign in for us.
        Err(_) if gateway => None,
        Err(problem) => {
            problems.push(problem);
            None
        }
    };
    let recipients = if with_recipients {
        recipients::parse_recipients(&values.text(key::RECIPIENTS), key::RECIPIENTS, problems)
    } else {
        Vec::new()
    };
    Cluster { address, upgrade, balancer_authorities, credentials, recipients }
}

/// Keys that a further cluster may have.
const CLUSTER_KEYS: [&str; 8] = [
    key::TELEPORT_ADDRESS,
    key::CONNECTION_UPGRADE,
    key::LOAD_BALANCER_CA,
    key::IDENTITY,
    key::CLIENT_CERTIFICATE,
    key::CLIENT_KEY,
    key::CLUSTER_CA,
    key::RECIPIENTS,
];

/// The clusters besides the first. They may come as a list, or as the text of one.
fn more_clusters(values: &Values, problems: &mut Vec<Problem>) -> Vec<Cluster> {
    let wrong = |detail: String| {
        Problem::new(
            key::MORE_CLUSTERS,
            format!(
                "This is no list of clusters ({detail}). Write it as `[{{\"TeleportAddress\": \"…\", \"Identity\": \"…\"}}]`, or empty it."
            ),
        )
    };
    let listed = match values.get(key::MORE_CLUSTERS) {
        None | Some(Value::Null) => return Vec::new(),
        Some(Value::String(text)) if text.trim().is_empty() => return Vec::new(),
        // On the page something stands for the list that is saved.
        Some(Value::String(text)) if is_mask(text) || text.starts_with(SEALED_PREFIX_V1) => return Vec::new(),
        Some(Value::String(text)) => serde_json::from_str::<Vec<BTreeMap<String, Value>>>(text),
        Some(value) => serde_json::from_value(value.clone()),
    };
    let listed = match listed {
        Ok(listed) => listed,
        Err(error) => {
            // Not the parser's words: they quote what they are about, and it may be a key.
            let what = if error.is_syntax() || error.is_eof() { "no JSON" } else { "no list of objects" };
            let place = if error.line() > 0 {
                format!(", line {}, column {}", error.line(), error.column())
            } else {
                String::new()
            };
            problems.push(wrong(format!("{what}{place}")));
            return Vec::new();
        }
    };
    if listed.len() >= MAX_CLUSTERS {
        problems.push(Problem::new(
            key::MORE_CLUSTERS,
            format!("At most {MAX_CLUSTERS} clusters are watched. Take some out of the list."),
        ));
    }
    let mut clusters = Vec::new();
    for (index, values) in listed.into_iter().take(MAX_CLUSTERS - 1).enumerate() {
        let mut values = Values::new(values);
        values.drop_keys(&[key::IDENTITY, key::CLIENT_KEY]);
        let mut found = Vec::new();
        let cluster = cluster(&mut values, true, &mut found);
        found.append(&mut values.problems);
        found.extend(values.unknown(&CLUSTER_KEYS));
        // In a list there is no half-filled form: what is missing is wrong.
        let severe = |problem: Problem| match problem.severity {
            Severity::Missing => Problem { severity: Severity::Wrong, ..problem },
            _ => problem,
        };
        problems.extend(found.into_iter().map(|problem| severe(problem).of_cluster(index + 1)));
        clusters.push(cluster);
    }
    clusters
}

/// Spans such as `15m`, `2h` or `90` (minutes), the longest first.
fn parse_reminders(text: &str, problems: &mut Vec<Problem>) -> Vec<Duration> {
    let mut reminders = Vec::new();
    for part in parts(text) {
        let (number, unit) = match part.char_indices().find(|(_, letter)| !letter.is_ascii_digit()) {
            Some((at, _)) => part.split_at(at),
            None => (part, "m"),
        };
        let minutes = match unit {
            "m" | "min" => 1,
            "h" => 60,
            "d" => 1_440,
            _ => 0,
        };
        match number
            .parse::<u64>()
            .ok()
            .and_then(|number| number.checked_mul(minutes))
            .filter(|minutes| (1..=525_600).contains(minutes))
        {
            Some(minutes) => reminders.push(Duration::from_secs(minutes * 60)),
            None => problems.push(Problem::new(
                key::REMINDERS,
                format!(
                    "{} is no span of time. Write minutes or hours before the expiry, such as `15m` or `2h, 30m`.",
                    shown(part)
                ),
            )),
        }
    }
    reminders.sort_unstable_by(|one, other| other.cmp(one));
    reminders.dedup();
    if reminders.len() > MAX_REMINDERS {
        problems
            .push(Problem::new(key::REMINDERS, format!("At most {MAX_REMINDERS} reminders are sent. Take some away.")));
        reminders.truncate(MAX_REMINDERS);
    }
    reminders
}

/// How many people must agree on a request for these roles of a cluster, by the rules alone.
pub(crate) fn needed(rules: &[Rule], cluster: &str, roles: &[String]) -> Needed {
    let unnamed = [String::new()];
    let roles = if roles.is_empty() { unnamed.as_slice() } else { roles };
    let all = roles.iter().flat_map(|role| rules_for(rules, cluster, role));
    all.map(Rule::needed).fold(Needed::ONE, Needed::and)
}

/// The parts of a list that people separate with commas, semicolons or white space.
pub(crate) fn parts(text: &str) -> impl Iterator<Item = &str> {
    text.split(|letter: char| letter == ',' || letter == ';' || letter.is_whitespace()).filter(|part| !part.is_empty())
}

/// The parts of a list that people separate with commas, semicolons or new lines: names may have blanks in them.
pub(crate) fn listed(text: &str) -> impl Iterator<Item = &str> {
    text.split([',', ';', '\n']).map(str::trim).filter(|part| !part.is_empty())
}

/// Values by their keys in lower case, and what is wrong with their form.
struct Values {
    values: BTreeMap<String, (String, Value)>,
    problems: Vec<Problem>,
}

impl Values {
    fn new(values: BTreeMap<String, Value>) -> Self {
        let values = values.into_iter().map(|(key, value)| (key.to_lowercase(), (key, value))).collect();
        Self { values, problems: Vec::new() }
    }

    /// Takes out every value that holds a private key in a setting that is none for it, so that nothing else speaks of it.
    fn drop_keys(&mut self, rightful: &[&str]) {
        for (name, (written, value)) in &mut self.values {
            if value_holds_key(value) && !rightful.iter().any(|rightful| rightful.eq_ignore_ascii_case(name)) {
                let known = key::ALL.iter().find(|known| known.eq_ignore_ascii_case(name));
                let setting = known.map_or_else(|| cut(written), |known| (*known).to_owned());
                self.problems.push(Problem::new(
                    setting,
                    "There is a private key in this setting, where everybody who sees the settings can read it. Empty it. Keys belong into Identity or ClientKey only. If it was saved, sign new credentials.",
                ));
                *value = Value::Null;
            }
        }
    }

    fn get(&self, key: &str) -> Option<&Value> {
        self.values.get(&key.to_lowercase()).map(|(_, value)| value).filter(|value| !value.is_null())
    }

    fn text(&mut self, key: &'static str) -> String {
        match self.get(key) {
            None => String::new(),
            // Asterisks are what Mattermost shows in place of a secret; stored, they stand for one that was never set.
            Some(Value::String(text)) if is_mask(text) => String::new(),
            Some(Value::String(text)) => text.trim().to_owned(),
            Some(_) => {
                self.problems.push(Problem::new(key, "This setting must be a text. Save the settings page again."));
                String::new()
            }
        }
    }

    fn flag(&mut self, key: &'static str, default: bool) -> bool {
        match self.get(key) {
            None => default,
            Some(Value::Bool(flag)) => *flag,
            Some(Value::String(text)) if text.is_empty() => default,
            Some(Value::String(text)) if text == "true" || text == "false" => text == "true",
            Some(_) => {
                self.problems
                    .push(Problem::new(key, "This setting must be true or false. Save the settings page again."));
                // The stricter way.
                key == key::REQUIRE_MFA
            }
        }
    }

    /// One of `choices`; none where it is another.
    fn choice(&mut self, key: &'static str, choices: &[&str], default: &str) -> Option<String> {
        let text = self.text(key).to_lowercase();
        if text.is_empty() {
            return Some(default.to_owned());
        }
        if choices.contains(&text.as_str()) {
            return Some(text);
        }
        self.problems
            .push(Problem::new(key, format!("{} is no choice. Take one of {}.", shown(&text), choices.join(", "))));
        None
    }

    /// Hours; none where there are none. What is wrong is the strictest: one hour.
    fn hours(&mut self, key: &'static str) -> Option<Duration> {
        let number = match self.get(key) {
            None => return None,
            Some(Value::String(text)) if text.trim().is_empty() => return None,
            Some(Value::String(text)) => text.trim().parse::<u64>().ok(),
            Some(value) => value.as_u64(),
        };
        let hours = match number {
            Some(0) => return None,
            Some(number) if number <= MAX_HOURS => number,
            _ => {
                self.problems.push(Problem::new(
                    key,
                    format!("This must be a number of hours from 1 to {MAX_HOURS}, or empty for no limit."),
                ));
                1
            }
        };
        Some(Duration::from_secs(hours * 3_600))
    }

    fn days(&mut self, key: &'static str, default: u32) -> u32 {
        let number = match self.get(key) {
            None => return default,
            Some(Value::String(text)) if text.trim().is_empty() => return default,
            Some(Value::String(text)) => text.trim().parse::<u32>().ok(),
            Some(value) => value.as_u64().and_then(|number| u32::try_from(number).ok()),
        };
        match number {
            Some(number) if (1..=MAX_DAYS).contains(&number) => number,
            _ => {
                self.problems.push(Problem::new(key, format!("This must be a number of days from 1 to {MAX_DAYS}.")));
                default
            }
        }
    }

    /// Warnings about keys that are none of `known`.
    fn unknown(&self, known: &[&str]) -> Vec<Problem> {
        let is_known = |key: &str| known.iter().any(|known| known.eq_ignore_ascii_case(key));
        let strangers = self.values.iter().filter(|(key, _)| !is_known(key));
        strangers
            .map(|(_, (key, _))| {
                let cure = closest(key, known).map_or_else(
                    || "It has no effect, and can be taken out.".to_owned(),
                    |known| format!("Is {known} meant? As it is, it has no effect."),
                );
                Problem::warning(cut(key), format!("There is no setting of this name. {cure}"))
            })
            .collect()
    }
}

/// Whether a text is what Mattermost shows in place of a secret.
#[must_use]
pub fn is_mask(text: &str) -> bool {
    !text.is_empty() && text.chars().all(|letter| letter == '*')
}

/// The known name that a misspelt one is most like, if it is like any.
pub(crate) fn closest<'a>(name: &str, known: &[&'a str]) -> Option<&'a str> {
    let name = name.to_lowercase();
    let likeness = |known: &str| strsim::jaro_winkler(&name, &known.to_lowercase());
    known
        .iter()
        .map(|known| (likeness(known), *known))
        .filter(|(likeness, _)| *likeness > 0.85)
        .max_by(|(one, _), (other, _)| one.total_cmp(other))
        .map(|(_, known)| known)
}

#[cfg(test)]
mod tests;
