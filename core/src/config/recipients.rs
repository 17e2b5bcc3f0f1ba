//! Where requests are posted, as people write it.

use std::fmt;

use super::bound::{self, Bound};
use super::{Problem, cut, key, listed, shown};

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

/// Where requests for certain roles are posted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RoleRecipients {
    /// The Teleport cluster whose requests it is about; empty: all.
    pub cluster: String,
    /// A role's name, or a pattern with `*` and `?`.
    pub roles: String,
    /// Where to.
    pub recipients: Vec<Recipient>,
}

impl Bound for RoleRecipients {
    fn cluster(&self) -> &str {
        &self.cluster
    }

    fn roles(&self) -> &str {
        &self.roles
    }
}

/// Reads a list of recipients; what is wrong is told as of the setting `key`.
pub(super) fn parse_recipients(text: &str, key: &'static str, problems: &mut Vec<Problem>) -> Vec<Recipient> {
    let mut recipients: Vec<Recipient> = Vec::new();
    for part in listed(text) {
        // As earlier versions separated them: each word is one.
        let words: Vec<Recipient> = part.split_whitespace().filter_map(parse_recipient).collect();
        let count = part.split_whitespace().count();
        if words.len() < count {
            problems.push(Problem::new(
                key,
                format!("{} is no recipient. Write team/channel as in the channel's address, a channel id, @username or an e-mail address, and separate several with commas.", shown(part)),
            ));
            continue;
        }
        if count > 1 {
            let separated = part.split_whitespace().collect::<Vec<_>>().join(", ");
            problems.push(Problem::outdated(
                key,
                format!(
                    "{} is more than one recipient. Separate them with commas: `{}`.",
                    shown(part),
                    cut(&separated)
                ),
            ));
        }
        for recipient in words {
            if !recipients.contains(&recipient) {
                recipients.push(recipient);
            }
        }
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

/// Most rules that a problem names.
const MOST_NAMED: usize = 5;

/// What is missing where no recipient is set for all requests; nothing where a rule is about all roles.
pub(super) fn nowhere(rules: &[RoleRecipients]) -> Option<Problem> {
    if rules.iter().any(|rule| rule.roles == "*" && rule.cluster.is_empty()) {
        return None;
    }
    let text = if rules.is_empty() {
        "No recipient yet. Say where access requests are to be posted: team/channel as in the channel's address, such as ops/access-requests.".to_owned()
    } else {
        let named: Vec<String> =
            rules.iter().take(MOST_NAMED).map(|rule| cut(&bound::about(&rule.cluster, &rule.roles))).collect();
        let more = if rules.len() > MOST_NAMED { " and the other rules" } else { "" };
        format!(
            "No recipient for other roles than {}{more}: requests for those are posted nowhere. Name a channel here, or add a line `* = team/channel` to the rules by role.",
            named.join(", ")
        )
    };
    Some(Problem::missing(key::RECIPIENTS, text))
}

/// Reads lines of `role = recipient, recipient`.
pub(super) fn parse_role_recipients(text: &str, problems: &mut Vec<Problem>) -> Vec<RoleRecipients> {
    let mut rules: Vec<RoleRecipients> = Vec::new();
    for line in text.lines().map(str::trim).filter(|line| !line.is_empty() && !line.starts_with('#')) {
        let (roles, listed) = line.split_once('=').unwrap_or_default();
        let (cluster, roles) = bound::split_cluster(roles.trim());
        let mut recipients = parse_recipients(listed, key::ROLE_RECIPIENTS, problems);
        if roles.is_empty() || recipients.is_empty() {
            problems.push(Problem::new(
                key::ROLE_RECIPIENTS,
                format!("{} is no rule. Write `role = team/channel, @username`, one rule a line.", shown(line)),
            ));
            continue;
        }
        match rules.iter_mut().find(|rule| rule.roles == roles && rule.cluster == cluster) {
            Some(rule) => rule.recipients.append(&mut recipients),
            None => rules.push(RoleRecipients { cluster, roles: roles.to_owned(), recipients }),
        }
    }
    problems.extend(bound::overlaps(&rules, key::ROLE_RECIPIENTS));
    rules
}
