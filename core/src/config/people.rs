//! Which Mattermost account is which Teleport user, as people write it.

use super::bound::{self, about};
use super::{Problem, cut, key, shown};

/// A Mattermost account and the Teleport user of the same person.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Person {
    /// The Teleport cluster that it is about; empty: all.
    pub cluster: String,
    /// Username or e-mail address in Mattermost, in lower case.
    pub mattermost: String,
    /// Name of the Teleport user, exactly.
    pub teleport: String,
}

impl Person {
    /// Whether the line is about the users of a cluster.
    #[must_use]
    pub fn is_of(&self, cluster: &str) -> bool {
        self.cluster.is_empty() || self.cluster == cluster
    }
}

/// Reads lines of `mattermost-username = teleport-user`, or `cluster/mattermost-username = teleport-user`.
pub(super) fn parse_people(text: &str, problems: &mut Vec<Problem>) -> Vec<Person> {
    let mut people: Vec<Person> = Vec::new();
    for line in text.lines().map(str::trim).filter(|line| !line.is_empty() && !line.starts_with('#')) {
        let (mattermost, teleport) = line.split_once('=').unwrap_or_default();
        let (cluster, mattermost) = bound::split_cluster(mattermost.trim());
        let person = Person {
            cluster,
            mattermost: mattermost.strip_prefix('@').unwrap_or(mattermost).to_lowercase(),
            teleport: teleport.trim().to_owned(),
        };
        let bad = |name: &str| name.is_empty() || name.contains(char::is_whitespace) || name.contains('=');
        if bad(&person.mattermost) || bad(&person.teleport) {
            problems.push(Problem::new(
                key::USER_MAPPING,
                format!("{} maps nobody. Write `mattermost-username = teleport-user`, one person a line.", shown(line)),
            ));
            continue;
        }
        let same = |other: &&Person| other.mattermost == person.mattermost && other.cluster == person.cluster;
        if let Some(other) = people.iter().find(|other| same(other) && **other != person) {
            problems.push(Problem::new(
                key::USER_MAPPING,
                format!(
                    "{} is mapped to two Teleport users, {} and {}, so this account could decide nothing. Keep one line.",
                    cut(&about(&person.cluster, &person.mattermost)),
                    cut(&other.teleport),
                    cut(&person.teleport)
                ),
            ));
        }
        if !people.contains(&person) {
            people.push(person);
        }
    }
    people
}
