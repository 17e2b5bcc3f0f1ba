//! The settings: their names, what they mean, and what is said when they are wrong.

use std::collections::BTreeMap;
use std::fmt;

use serde_json::Value;

/// Names of the settings, as in `plugin.json`.
pub mod key {
    /// Where Teleport is.
    pub const TELEPORT_ADDRESS: &str = "TeleportAddress";
    /// An identity file, or its path.
    pub const IDENTITY: &str = "Identity";
    /// `auth.crt`, or its path.
    pub const CLIENT_CERTIFICATE: &str = "ClientCertificate";
    /// `auth.key`, or its path.
    pub const CLIENT_KEY: &str = "ClientKey";
    /// `auth.cas`, or its path.
    pub const CLUSTER_CA: &str = "ClusterCA";
    /// Where requests are posted.
    pub const RECIPIENTS: &str = "Recipients";
    /// Who may decide.
    pub const APPROVERS: &str = "Approvers";
    /// Whether only accounts with multi-factor authentication may decide.
    pub const REQUIRE_MFA: &str = "RequireMFA";
    /// Whether guests may decide.
    pub const ALLOW_GUESTS: &str = "AllowGuests";
    /// Which decisions are asked for a reason.
    pub const ASK_REASON: &str = "AskReason";
    /// Whether a reason must be given where it is asked for.
    pub const REQUIRE_REASON: &str = "RequireReason";
}

/// Something wrong with a setting: which, and what to do, for an admin to read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Problem {
    /// The setting's name.
    pub setting: &'static str,
    /// What is wrong and what to do.
    pub message: String,
}

impl Problem {
    pub(crate) fn new(setting: &'static str, message: impl Into<String>) -> Self {
        Self { setting, message: message.into() }
    }
}

/// Where Teleport is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Address {
    /// `host:port` of a proxy with TLS routing, or of an auth server.
    Teleport(String),
    /// URL of a gateway that speaks gRPC-web.
    Gateway(String),
}

impl fmt::Display for Address {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Teleport(address) | Self::Gateway(address) => formatter.write_str(address),
        }
    }
}

/// A text that was pasted, or the path of the file that holds it.
#[derive(Clone, PartialEq, Eq)]
pub enum Source {
    /// The text itself.
    Text(String),
    /// An absolute path on the Mattermost server.
    Path(String),
}

impl fmt::Debug for Source {
    /// Keeps pasted secrets out of logs.
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Text(text) => write!(formatter, "Text({} bytes)", text.len()),
            Self::Path(path) => write!(formatter, "Path({path})"),
        }
    }
}

/// Where the plugin's Teleport credentials are.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum CredentialSource {
    /// One identity file.
    Identity(Source),
    /// `auth.crt`, `auth.key` and `auth.cas`.
    Files {
        /// The client certificate.
        certificate: Source,
        /// Its key.
        key: Source,
        /// The cluster's certificate authority.
        authorities: Source,
    },
}

/// Where a request is posted.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Recipient {
    /// A channel by the names in its address.
    Channel {
        /// Name of the team.
        team: String,
        /// Name of the channel.
        channel: String,
    },
    /// A channel by its id.
    ChannelId(String),
    /// A direct message to the user of this name.
    Username(String),
    /// A direct message to the user with this e-mail address.
    Email(String),
}

impl fmt::Display for Recipient {
    /// Writes it the way it is given in the settings.
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Channel { team, channel } => write!(formatter, "{team}/{channel}"),
            Self::ChannelId(id) => formatter.write_str(id),
            Self::Username(name) => write!(formatter, "@{name}"),
            Self::Email(email) => formatter.write_str(email),
        }
    }
}

/// Somebody who may decide.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Approver {
    /// The user of this name, in lower case.
    Username(String),
    /// Members of the Mattermost group of this name.
    Group(String),
    /// Members of the channel that the request stands in.
    ChannelMembers,
    /// Admins of that channel.
    ChannelAdmins,
    /// Admins of that channel's team.
    TeamAdmins,
    /// System admins.
    SystemAdmins,
    /// A word that means nobody: a list that was meant to name somebody must not fall back to a wider circle.
    Nobody(String),
}

impl fmt::Display for Approver {
    /// Writes it the way it is given in the settings.
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Username(name) | Self::Nobody(name) => formatter.write_str(name),
            Self::Group(name) => write!(formatter, "group:{name}"),
            Self::ChannelMembers => formatter.write_str("channel-members"),
            Self::ChannelAdmins => formatter.write_str("channel-admins"),
            Self::TeamAdmins => formatter.write_str("team-admins"),
            Self::SystemAdmins => formatter.write_str("system-admins"),
        }
    }
}

/// Who may decide requests for certain roles.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rule {
    /// A role's name, or a pattern with `*` and `?`.
    pub roles: String,
    /// Any of these.
    pub who: Vec<Approver>,
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

/// What an admin has set.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Settings {
    /// Where Teleport is.
    pub address: Option<Address>,
    /// How the plugin signs in there.
    pub credentials: Option<CredentialSource>,
    /// Where requests are posted.
    pub recipients: Vec<Recipient>,
    /// Who may decide; empty: system admins only.
    pub approvers: Vec<Rule>,
    /// Whether only accounts with multi-factor authentication may decide.
    pub require_mfa: bool,
    /// Whether guests may decide.
    pub allow_guests: bool,
    /// Which decisions are asked for a reason.
    pub ask_reason: AskReason,
    /// Whether a reason must be given where it is asked for.
    pub require_reason: bool,
}

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
                format!("The settings cannot be read ({error}). Save the settings page again."),
            ));
            BTreeMap::new()
        })
    };
    let values: BTreeMap<String, Value> = values.into_iter().map(|(key, value)| (key.to_lowercase(), value)).collect();
    let mut text = |key: &'static str| match values.get(&key.to_lowercase()) {
        None | Some(Value::Null) => String::new(),
        // Asterisks are what Mattermost shows in place of a secret; stored, they stand for one that was never set.
        Some(Value::String(text)) if text.chars().all(|letter| letter == '*') => String::new(),
        Some(Value::String(text)) => text.trim().to_owned(),
        Some(_) => {
            problems.push(Problem::new(key, "This setting must be a text. Save the settings page again."));
            String::new()
        }
    };
    let address = text(key::TELEPORT_ADDRESS);
    let sources =
        [key::IDENTITY, key::CLIENT_CERTIFICATE, key::CLIENT_KEY, key::CLUSTER_CA].map(|key| source(text(key)));
    let recipients = text(key::RECIPIENTS);
    let approvers = text(key::APPROVERS);
    let ask_reason = text(key::ASK_REASON);
    let mut flag = |key: &'static str| match values.get(&key.to_lowercase()) {
        None | Some(Value::Null) => false,
        Some(Value::Bool(flag)) => *flag,
        Some(Value::String(text)) if ["true", "false", ""].contains(&text.as_str()) => text == "true",
        Some(_) => {
            problems.push(Problem::new(key, "This setting must be true or false. Save the settings page again."));
            // The stricter way.
            key == key::REQUIRE_MFA
        }
    };
    let (require_mfa, allow_guests) = (flag(key::REQUIRE_MFA), flag(key::ALLOW_GUESTS));
    let require_reason = flag(key::REQUIRE_REASON);
    let ask_reason = match ask_reason.as_str() {
        "never" => AskReason::Never,
        "" | "deny" => AskReason::Deny,
        "both" => AskReason::Both,
        other => {
            problems.push(Problem::new(key::ASK_REASON, format!("{other:?} is no choice. Take never, deny or both.")));
            AskReason::Both
        }
    };

    let address = parse_address(&address).map_err(|problem| problems.push(problem)).ok();
    let credentials = credential_source(sources).map_err(|problem| problems.push(problem)).ok();
    let recipients = parse_recipients(&recipients, &mut problems);
    let approvers = parse_approvers(&approvers, &mut problems);
    let settings =
        Settings { address, credentials, recipients, approvers, require_mfa, allow_guests, ask_reason, require_reason };
    (settings, problems)
}

fn source(text: String) -> Option<Source> {
    // PEM starts with dashes, so a slash or a drive letter can only start a path.
    let windows = text.get(1..3) == Some(":\\") || text.get(1..3) == Some(":/");
    match text {
        _ if text.is_empty() => None,
        _ if (text.starts_with('/') || windows) && !text.contains('\n') => Some(Source::Path(text)),
        _ => Some(Source::Text(text)),
    }
}

fn credential_source(
    [identity, certificate, key, authorities]: [Option<Source>; 4],
) -> Result<CredentialSource, Problem> {
    if let Some(identity) = identity {
        if certificate.is_none() && key.is_none() && authorities.is_none() {
            return Ok(CredentialSource::Identity(identity));
        }
        return Err(Problem::new(
            key::IDENTITY,
            "Both an identity file and separate files are given. Keep the identity file and empty the other three fields, or the other way round.",
        ));
    }
    match (certificate, key, authorities) {
        (Some(certificate), Some(key), Some(authorities)) => {
            Ok(CredentialSource::Files { certificate, key, authorities })
        }
        (None, None, None) => Err(Problem::new(
            key::IDENTITY,
            "No credentials yet. Run `tctl auth sign --user=access-plugin --format=file --out=identity` and paste the file here, or give its path on the Mattermost server.",
        )),
        (certificate, key, _) => {
            let (setting, file) = match (certificate, key) {
                (None, _) => (key::CLIENT_CERTIFICATE, "auth.crt"),
                (_, None) => (key::CLIENT_KEY, "auth.key"),
                _ => (key::CLUSTER_CA, "auth.cas"),
            };
            Err(Problem::new(
                setting,
                format!(
                    "{file} is missing. `tctl auth sign --user=access-plugin --format=tls --out=auth` writes auth.crt, auth.key and auth.cas: all three are needed."
                ),
            ))
        }
    }
}

fn parse_address(text: &str) -> Result<Address, Problem> {
    let wrong = |message: String| Err(Problem::new(key::TELEPORT_ADDRESS, message));
    if text.is_empty() {
        return wrong("No Teleport address yet. Give host:port of the Teleport proxy, such as teleport.example.com:443, or of the auth server.".into());
    }
    if text.contains(char::is_whitespace) {
        return wrong(format!("{text:?} is no address: it has spaces in it. Give one host:port."));
    }
    if let Some(url) = text.strip_prefix("grpc-web+") {
        return match url.split_once("://") {
            Some(("http" | "https", rest)) if !rest.is_empty() && !rest.starts_with('/') => {
                Ok(Address::Gateway(url.trim_end_matches('/').to_owned()))
            }
            _ => wrong(format!("{text:?} is no gateway address. Write grpc-web+https:// and the gateway's host.")),
        };
    }
    if text.starts_with("http://") {
        return wrong(format!(
            "{text:?} is plain HTTP, and Teleport speaks TLS only. Give host:port of the proxy, without http://."
        ));
    }
    let authority = text.strip_prefix("https://").unwrap_or(text);
    let authority = authority.split(['/', '?', '#']).next().unwrap_or_default();
    // Brackets hold an IPv6 address; everything behind the last colon outside them is a port.
    let (host, port) = match authority.rsplit_once(':') {
        Some((host, port)) if !host.contains(':') || (host.starts_with('[') && host.ends_with(']')) => {
            (host, Some(port))
        }
        Some(_) if authority.starts_with('[') && authority.ends_with(']') => (authority, None),
        Some(_) => {
            return wrong(format!(
                "{text:?} is no address. Write an IPv6 address in brackets, such as [2001:db8::1]:443."
            ));
        }
        None => (authority, None),
    };
    if host.is_empty() || !host.chars().all(|letter| letter.is_alphanumeric() || ".-_[]:%".contains(letter)) {
        return wrong(format!("{text:?} is no address. Give host:port of the Teleport proxy or auth server."));
    }
    match port.map(str::parse::<u16>) {
        None => Ok(Address::Teleport(format!("{host}:443"))),
        Some(Ok(port)) if port > 0 => Ok(Address::Teleport(format!("{host}:{port}"))),
        Some(_) => {
            wrong(format!("{text:?} has no usable port. Ports are numbers from 1 to 65535, such as 443 or 3025."))
        }
    }
}

/// The parts of a list that people separate with commas, semicolons or white space.
fn parts(text: &str) -> impl Iterator<Item = &str> {
    text.split(|letter: char| letter == ',' || letter == ';' || letter.is_whitespace()).filter(|part| !part.is_empty())
}

fn parse_recipients(text: &str, problems: &mut Vec<Problem>) -> Vec<Recipient> {
    let mut recipients = Vec::new();
    for part in parts(text) {
        match parse_recipient(part) {
            Some(recipient) if recipients.contains(&recipient) => {}
            Some(recipient) => recipients.push(recipient),
            None => problems.push(Problem::new(
                key::RECIPIENTS,
                format!("{part:?} is no recipient. Write team/channel as in the channel's address, a channel id, @username or an e-mail address."),
            )),
        }
    }
    if text.is_empty() {
        problems.push(Problem::new(
            key::RECIPIENTS,
            "No recipient yet. Say where access requests are to be posted: team/channel as in the channel's address, such as ops/access-requests.",
        ));
    }
    recipients
}

fn parse_recipient(part: &str) -> Option<Recipient> {
    let is_name = |name: &str| {
        !name.is_empty() && name.chars().all(|letter| letter.is_ascii_alphanumeric() || "._-".contains(letter))
    };
    if let Some(name) = part.strip_prefix('@') {
        return is_name(name).then(|| Recipient::Username(name.to_lowercase()));
    }
    if let Some((_, path)) = part.split_once("://") {
        // A channel's address as copied from the browser: https://host[/subpath]/team/channels/name.
        let segments: Vec<&str> = path.trim_end_matches('/').split('/').collect();
        return match segments.as_slice() {
            [_, .., team, "channels", channel] if is_name(team) && is_name(channel) => {
                Some(Recipient::Channel { team: team.to_lowercase(), channel: channel.to_lowercase() })
            }
            _ => None,
        };
    }
    if let Some((team, channel)) = part.split_once('/') {
        let channel = channel.trim_start_matches('~');
        return (is_name(team) && is_name(channel))
            .then(|| Recipient::Channel { team: team.to_lowercase(), channel: channel.to_lowercase() });
    }
    if let Some((local, domain)) = part.split_once('@') {
        return (!local.is_empty() && !domain.is_empty() && !domain.contains('@'))
            .then(|| Recipient::Email(part.to_lowercase()));
    }
    let is_id = part.len() == 26 && part.chars().all(|letter| letter.is_ascii_lowercase() || letter.is_ascii_digit());
    is_id.then(|| Recipient::ChannelId(part.to_owned()))
}

/// Reads lines of `role = who, who`; a line without `=` is about all roles.
fn parse_approvers(text: &str, problems: &mut Vec<Problem>) -> Vec<Rule> {
    let mut rules: Vec<Rule> = Vec::new();
    for line in text.lines().map(str::trim).filter(|line| !line.is_empty() && !line.starts_with('#')) {
        let (roles, who) = match line.split_once('=') {
            Some((roles, who)) => (roles.trim(), who),
            None => ("*", line),
        };
        if roles.is_empty() {
            problems.push(Problem::new(
                key::APPROVERS,
                format!("{line:?} names no role. Write `role = alice, bob`, or `* = alice, bob` for all roles."),
            ));
            continue;
        }
        let mut who: Vec<Approver> = parts(who).map(|part| parse_approver(part, problems)).collect();
        if who.is_empty() {
            problems.push(Problem::new(
                key::APPROVERS,
                format!(
                    "{line:?} names nobody, so nobody may decide requests for {roles}. Write `{roles} = alice, bob`."
                ),
            ));
        }
        match rules.iter_mut().find(|rule| rule.roles == roles) {
            Some(rule) => rule.who.append(&mut who),
            None => rules.push(Rule { roles: roles.to_owned(), who }),
        }
    }
    rules
}

fn parse_approver(part: &str, problems: &mut Vec<Problem>) -> Approver {
    let is_name = |name: &str| {
        !name.is_empty() && name.chars().all(|letter| letter.is_ascii_alphanumeric() || "._-".contains(letter))
    };
    let lower = part.to_lowercase();
    let group = lower.strip_prefix("group:").map(|name| name.trim_start_matches('@'));
    let username = lower.trim_start_matches('@');
    match lower.as_str() {
        "channel-members" => Approver::ChannelMembers,
        "channel-admins" => Approver::ChannelAdmins,
        "team-admins" => Approver::TeamAdmins,
        "system-admins" => Approver::SystemAdmins,
        _ => match group {
            Some(name) if is_name(name) => Approver::Group(name.to_owned()),
            None if is_name(username) => Approver::Username(username.to_owned()),
            _ => {
                problems.push(Problem::new(
                    key::APPROVERS,
                    format!(
                        "{part:?} is nobody. Write a username, group:name, channel-members, channel-admins, team-admins or system-admins."
                    ),
                ));
                Approver::Nobody(lower)
            }
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse_text(json: &str) -> (Settings, Vec<Problem>) {
        parse(json.as_bytes())
    }

    fn settings_with_a_problem(problems: &[Problem]) -> Vec<&str> {
        problems.iter().map(|problem| problem.setting).collect()
    }

    #[test]
    fn an_empty_page_says_what_is_missing_in_its_own_order() {
        for json in ["", "{}", "null-ish", r#"{"teleportaddress":"","Recipients":null}"#] {
            let (settings, problems) = parse_text(json);
            assert_eq!(settings, Settings::default());
            assert!(
                settings_with_a_problem(&problems).ends_with(&[key::TELEPORT_ADDRESS, key::IDENTITY, key::RECIPIENTS]),
                "{json}"
            );
        }
    }

    #[test]
    fn keys_are_found_whatever_their_case() {
        let (settings, problems) = parse_text(
            r#"{"teleportaddress":" tp:3025 ","IDENTITY":"/etc/identity","recipients":"ops/access","approvers":"@Alice, bob"}"#,
        );
        assert_eq!(problems, []);
        assert_eq!(settings.address, Some(Address::Teleport("tp:3025".into())));
        assert_eq!(settings.credentials, Some(CredentialSource::Identity(Source::Path("/etc/identity".into()))));
        assert_eq!(settings.recipients, [Recipient::Channel { team: "ops".into(), channel: "access".into() }]);
        let who = vec![Approver::Username("alice".into()), Approver::Username("bob".into())];
        assert_eq!(settings.approvers, [Rule { roles: "*".into(), who }]);
    }

    #[test]
    fn a_masked_secret_that_was_never_set_is_no_secret() {
        let (settings, _) =
            parse_text(r#"{"Identity":"/etc/identity","ClientKey":"********************************"}"#);
        assert_eq!(settings.credentials, Some(CredentialSource::Identity(Source::Path("/etc/identity".into()))));
    }

    #[test]
    fn an_address_is_taken_as_people_write_it() {
        for (text, address) in [
            ("teleport.example.com", "teleport.example.com:443"),
            ("teleport.example.com:3080", "teleport.example.com:3080"),
            ("https://teleport.example.com", "teleport.example.com:443"),
            ("https://teleport.example.com:8443/web/login", "teleport.example.com:8443"),
            ("[2001:db8::1]", "[2001:db8::1]:443"),
            ("[2001:db8::1]:3025", "[2001:db8::1]:3025"),
            ("10.0.0.5:3025", "10.0.0.5:3025"),
        ] {
            assert_eq!(parse_address(text), Ok(Address::Teleport(address.into())), "{text}");
        }
        assert_eq!(
            parse_address("grpc-web+https://gw.example.com/tp/"),
            Ok(Address::Gateway("https://gw.example.com/tp".into()))
        );
        assert_eq!(
            parse_address("grpc-web+http://127.0.0.1:8080"),
            Ok(Address::Gateway("http://127.0.0.1:8080".into()))
        );
    }

    #[test]
    fn what_is_no_address_is_refused_with_a_cure() {
        for text in [
            "",
            "a b",
            "http://tp:3080",
            "tp:0",
            "tp:70000",
            "tp:x",
            "::1",
            ":443",
            "grpc-web+ftp://x",
            "grpc-web+https://",
            "t$p:1",
        ] {
            let problem = parse_address(text).err();
            assert_eq!(problem.map(|problem| problem.setting), Some(key::TELEPORT_ADDRESS), "{text}");
        }
    }

    #[test]
    fn credentials_are_one_identity_or_three_files() {
        let with = |json: &str| {
            let (settings, problems) = parse_text(json);
            (
                settings.credentials,
                problems.into_iter().find(|problem| {
                    [key::IDENTITY, key::CLIENT_CERTIFICATE, key::CLIENT_KEY, key::CLUSTER_CA]
                        .contains(&problem.setting)
                }),
            )
        };
        let (credentials, problem) = with(r#"{"ClientCertificate":"/a","ClientKey":"/b","ClusterCA":"/c"}"#);
        assert!(matches!(credentials, Some(CredentialSource::Files { .. })) && problem.is_none());
        for (json, setting) in [
            (r#"{"ClientKey":"/b","ClusterCA":"/c"}"#, key::CLIENT_CERTIFICATE),
            (r#"{"ClientCertificate":"/a","ClusterCA":"/c"}"#, key::CLIENT_KEY),
            (r#"{"ClientCertificate":"/a","ClientKey":"/b"}"#, key::CLUSTER_CA),
            (r#"{"Identity":"/i","ClientKey":"/b"}"#, key::IDENTITY),
        ] {
            let (credentials, problem) = with(json);
            assert_eq!((credentials, problem.map(|problem| problem.setting)), (None, Some(setting)), "{json}");
        }
    }

    #[test]
    fn a_path_is_told_from_a_pasted_text() {
        assert_eq!(source("/etc/x".into()), Some(Source::Path("/etc/x".into())));
        assert_eq!(source("C:\\teleport\\identity".into()), Some(Source::Path("C:\\teleport\\identity".into())));
        assert_eq!(source("-----BEGIN X-----".into()), Some(Source::Text("-----BEGIN X-----".into())));
        assert_eq!(source(String::new()), None);
    }

    #[test]
    fn recipients_come_in_every_form_that_people_know() {
        let mut problems = Vec::new();
        let recipients = parse_recipients(
            "ops/access-requests; ~bad/~x/y, Team/Channel\n@Ann ann@example.com abcdefghijklmnopqrstuvwxyz https://mm.example.com/sub/ops/channels/town-square ops/access-requests nonsense",
            &mut problems,
        );
        let shown: Vec<String> = recipients.iter().map(ToString::to_string).collect();
        assert_eq!(
            shown,
            [
                "ops/access-requests",
                "team/channel",
                "@ann",
                "ann@example.com",
                "abcdefghijklmnopqrstuvwxyz",
                "ops/town-square"
            ]
        );
        assert_eq!(settings_with_a_problem(&problems), [key::RECIPIENTS, key::RECIPIENTS]);
    }

    #[test]
    fn an_approver_that_is_nobody_does_not_open_the_door_to_the_admins() {
        let (settings, problems) = parse_text(r#"{"Approvers":"!!!"}"#);
        assert_eq!(settings.approvers, [Rule { roles: "*".into(), who: vec![Approver::Nobody("!!!".into())] }]);
        assert!(settings_with_a_problem(&problems).contains(&key::APPROVERS));
        let (settings, problems) = parse_text(r#"{"Approvers":["alice"]}"#);
        assert_eq!(settings.approvers, []);
        assert!(settings_with_a_problem(&problems).contains(&key::APPROVERS));
    }

    #[test]
    fn rules_are_lines_of_a_role_and_who() {
        let mut problems = Vec::new();
        let rules = parse_approvers(
            "# production\nprod-* = @Alice, group:SRE channel-admins\n\ndba = team-admins\ndba = bob; system-admins\nchannel-members",
            &mut problems,
        );
        let shown: Vec<String> = rules
            .iter()
            .map(|rule| {
                format!("{} = {}", rule.roles, rule.who.iter().map(ToString::to_string).collect::<Vec<_>>().join(", "))
            })
            .collect();
        assert_eq!(
            shown,
            [
                "prod-* = alice, group:sre, channel-admins",
                "dba = team-admins, bob, system-admins",
                "* = channel-members"
            ]
        );
        assert_eq!(problems, []);
    }

    #[test]
    fn a_rule_that_names_nobody_lets_nobody_decide_and_says_so() {
        let mut problems = Vec::new();
        let rules = parse_approvers("dba =\n= alice\nops = group:", &mut problems);
        assert_eq!(rules.len(), 2);
        assert!(rules.iter().all(|rule| rule.who.iter().all(|who| matches!(who, Approver::Nobody(_)))));
        assert_eq!(problems.len(), 3);
    }

    #[test]
    fn denials_are_asked_for_a_reason_unless_set_otherwise() {
        for (json, asked) in [
            ("{}", AskReason::Deny),
            (r#"{"AskReason":"never"}"#, AskReason::Never),
            (r#"{"askreason":"both"}"#, AskReason::Both),
            (r#"{"AskReason":"sometimes"}"#, AskReason::Both),
        ] {
            assert_eq!(parse_text(json).0.ask_reason, asked, "{json}");
        }
    }

    #[test]
    fn a_flag_that_is_none_counts_as_the_stricter_way() {
        let (settings, problems) = parse_text(r#"{"RequireMFA":"maybe","AllowGuests":3}"#);
        assert!(settings.require_mfa && !settings.allow_guests);
        let named = settings_with_a_problem(&problems);
        assert!(named.contains(&key::REQUIRE_MFA) && named.contains(&key::ALLOW_GUESTS));
        let (settings, _) = parse_text(r#"{"requiremfa":true,"allowguests":"true"}"#);
        assert!(settings.require_mfa && settings.allow_guests);
    }
}
