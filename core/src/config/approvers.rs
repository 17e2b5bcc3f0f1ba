//! Who may decide, as people write it.

use std::fmt;

use super::{Problem, key, parts};

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
    /// The Teleport cluster whose requests it is about; empty: all.
    pub cluster: String,
    /// A role's name, or a pattern with `*` and `?`.
    pub roles: String,
    /// How many different people must approve; at least 1.
    pub approve: u32,
    /// How many different people must deny; at least 1.
    pub deny: u32,
    /// Any of these.
    pub who: Vec<Approver>,
}

/// Reads lines of `role = who, who`; a line without `=` is about all roles.
pub(super) fn parse_approvers(text: &str, problems: &mut Vec<Problem>) -> Vec<Rule> {
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
            None => rules.push(Rule { cluster: String::new(), roles: roles.to_owned(), approve: 1, deny: 1, who }),
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
