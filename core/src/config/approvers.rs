//! Who may decide, as people write it.

use std::fmt;

use super::bound::{self, Bound, about};
use super::{Problem, cut, key, listed, shown};
use crate::decision::Needed;

/// Most people that a rule may ask for.
pub const MAX_NEEDED: u32 = 20;

/// Somebody who may decide.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Approver {
    /// The user of this name, in lower case.
    Username(String),
    /// Any of these users, in lower case: an entry of an earlier version, whose names only blanks separate. It counts if
    /// each of the words is a user, and until an admin has accepted it, it is told of.
    Words(Vec<String>),
    /// Members of the synchronised group of this name.
    Group(String),
    /// Members of the custom group of this name, which is made and filled in Mattermost.
    CustomGroup(String),
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
            Self::Words(names) => formatter.write_str(&names.join(" ")),
            Self::Group(name) => write!(formatter, "group:{name}"),
            Self::CustomGroup(name) => write!(formatter, "custom-group:{name}"),
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

impl Rule {
    /// How many people it takes.
    pub(crate) fn needed(&self) -> Needed {
        Needed { approve: self.approve, deny: self.deny }
    }
}

impl Bound for Rule {
    fn cluster(&self) -> &str {
        &self.cluster
    }

    fn roles(&self) -> &str {
        &self.roles
    }
}

/// The right side of a rule.
struct Right {
    approve: u32,
    deny: u32,
    who: Vec<Approver>,
}

/// Reads lines of `role = 2 of who, who; deny 1`. The numbers may be left out: one person is enough then.
///
/// A line without `=` is about all roles: earlier versions took that.
pub(super) fn parse_approvers(text: &str, problems: &mut Vec<Problem>) -> Vec<Rule> {
    let mut rules: Vec<Rule> = Vec::new();
    for line in text.lines().map(str::trim).filter(|line| !line.is_empty() && !line.starts_with('#')) {
        let (left, right) = match line.split_once('=') {
            Some((left, right)) => (left.trim(), right),
            None => {
                problems.push(Problem::outdated(
                    key::APPROVERS,
                    format!("{} does not say for which roles. Write `* = {}` for all roles.", shown(line), cut(line)),
                ));
                ("*", line)
            }
        };
        let (cluster, roles) = bound::split_cluster(left);
        if roles.is_empty() {
            problems.push(Problem::new(
                key::APPROVERS,
                format!(
                    "{} names no role. Write `role = alice, bob`, `* = alice, bob` for all roles, or `prod.example.com/role = alice` for one cluster.", shown(line)
                ),
            ));
            continue;
        }
        let Right { approve, deny, mut who } = parse_right(right, line, problems);
        if who.is_empty() {
            problems.push(Problem::new(
                key::APPROVERS,
                format!(
                    "{} names nobody, so nobody may decide requests for {}. Write `{} = alice, bob`.",
                    shown(line),
                    cut(roles),
                    cut(left)
                ),
            ));
        }
        match rules.iter_mut().find(|rule| rule.roles == roles && rule.cluster == cluster) {
            Some(rule) => {
                rule.who.append(&mut who);
                (rule.approve, rule.deny) = (rule.approve.max(approve), rule.deny.max(deny));
            }
            None => rules.push(Rule { cluster, roles: roles.to_owned(), approve, deny, who }),
        }
    }
    problems.extend(rules.iter().filter_map(out_of_reach));
    problems.extend(bound::overlaps(&rules, key::APPROVERS));
    rules
}

/// A warning about a rule that asks for more people than it names.
fn out_of_reach(rule: &Rule) -> Option<Problem> {
    let mut names: Vec<&String> = Vec::new();
    for who in &rule.who {
        match who {
            Approver::Username(name) => names.push(name),
            Approver::Words(words) => names.extend(words),
            Approver::Nobody(_) => {}
            // How many these are changes.
            _ => return None,
        }
    }
    names.sort_unstable();
    names.dedup();
    let (needed, named) = (rule.approve.max(rule.deny), names.len());
    (named > 0 && usize::try_from(needed).is_ok_and(|needed| needed > named)).then(|| {
        let about = about(&rule.cluster, &rule.roles);
        Problem::warning(
            key::APPROVERS,
            format!("The rule for `{about}` takes {needed} people and names {named}, so it can never be met. Name more people, or take a smaller number."),
        )
    })
}

/// Reads `2 of who, who; deny 1`.
fn parse_right(text: &str, line: &str, problems: &mut Vec<Problem>) -> Right {
    let mut right = Right { approve: 1, deny: 1, who: Vec::new() };
    let mut text = text.trim();
    if let Some((number, rest)) = before_of(text) {
        right.approve = take_number(number, line, problems);
        text = rest;
    }
    for part in listed(text) {
        let mut words = part.split_whitespace();
        match (words.next(), words.next(), words.next()) {
            (Some(word), Some(number), None) if word.eq_ignore_ascii_case("deny") && is_number(number) => {
                right.deny = match (right.deny, take_number(number, line, problems)) {
                    (0, _) | (_, 0) => 0,
                    (deny, number) => deny.max(number),
                };
            }
            _ if before_of(part).is_some() => {
                problems.push(Problem::new(
                    key::APPROVERS,
                    format!(
                        "{} has its number in the middle. Write it first, as in `role = 2 of alice, bob, carol`.",
                        shown(line)
                    ),
                ));
                right.who.push(Approver::Nobody(part.to_lowercase()));
            }
            _ => right.who.push(parse_approver(part, problems)),
        }
    }
    // A number that cannot be read must not become a smaller one.
    if right.approve == 0 || right.deny == 0 {
        (right.approve, right.deny) = (right.approve.max(1), right.deny.max(1));
        right.who = vec![Approver::Nobody(line.to_lowercase())];
    }
    right
}

fn is_number(text: &str) -> bool {
    !text.is_empty() && text.chars().all(|letter| letter.is_ascii_digit())
}

/// The number of `2 of …`, and what follows.
fn before_of(text: &str) -> Option<(&str, &str)> {
    let (number, rest) = text.split_once(char::is_whitespace)?;
    let rest = rest.trim_start();
    let (of, rest) = rest.split_once(char::is_whitespace).unwrap_or((rest, ""));
    (is_number(number) && of.eq_ignore_ascii_case("of")).then_some((number, rest))
}

/// A number of people; 0, with word of it, where it is none.
fn take_number(text: &str, line: &str, problems: &mut Vec<Problem>) -> u32 {
    match text.parse::<u32>() {
        Ok(number) if (1..=MAX_NEEDED).contains(&number) => number,
        _ => {
            problems.push(Problem::new(
                key::APPROVERS,
                format!(
                    "{} asks for {} people. Write a number from 1 to {MAX_NEEDED}, as in `role = 2 of alice, bob, carol; deny 1`.", shown(line), cut(text)
                ),
            ));
            0
        }
    }
}

fn is_name(name: &str) -> bool {
    !name.is_empty() && name.chars().all(|letter| letter.is_ascii_alphanumeric() || "._-".contains(letter))
}

/// Words that mean more than one account, or none.
const KEYWORDS: [(&str, Approver); 4] = [
    ("channel-members", Approver::ChannelMembers),
    ("channel-admins", Approver::ChannelAdmins),
    ("team-admins", Approver::TeamAdmins),
    ("system-admins", Approver::SystemAdmins),
];

fn parse_approver(part: &str, problems: &mut Vec<Problem>) -> Approver {
    let lower = part.to_lowercase();
    let keyword = KEYWORDS.iter().find(|(word, _)| *word == lower);
    if let Some((_, approver)) = keyword {
        return approver.clone();
    }
    let group = |prefix| lower.strip_prefix(prefix).map(|name| name.trim_start().trim_start_matches('@'));
    let username = lower.strip_prefix('@').unwrap_or(&lower);
    match (group("group:"), group("custom-group:")) {
        (Some(name), _) if is_name(name) => return Approver::Group(name.to_owned()),
        (_, Some(name)) if is_name(name) => return Approver::CustomGroup(name.to_owned()),
        (None, None) if is_name(username) => return Approver::Username(username.to_owned()),
        _ => {}
    }
    // As earlier versions separated names. A name of a group may have gone on behind the blank.
    let words: Vec<&str> = lower.split_whitespace().map(|word| word.strip_prefix('@').unwrap_or(word)).collect();
    let plain = |word: &&str| is_name(word) && !KEYWORDS.iter().any(|(keyword, _)| keyword == word);
    if words.len() > 1 && words.iter().all(plain) {
        problems.push(Problem::outdated(
            key::APPROVERS,
            format!(
                "{} is not one username. Separate usernames with commas: `{}`.",
                shown(part),
                cut(&words.join(", "))
            ),
        ));
        return Approver::Words(words.into_iter().map(str::to_owned).collect());
    }
    problems.push(Problem::new(
        key::APPROVERS,
        format!(
            "{} is nobody. Write a username, group:name, custom-group:name, channel-members, channel-admins, team-admins or system-admins, and separate them with commas.", shown(part)
        ),
    ));
    Approver::Nobody(lower)
}
