//! Roles that were asked for and that only the rule about all roles covers: perhaps somebody forgot them.

use std::cell::RefCell;
use std::collections::BTreeSet;

use crate::config::{Rule, about, is_named, rules_for};

/// Most roles of one cluster that are remembered: one cluster must not fill what is remembered of another.
const MOST: usize = 100;

/// The roles seen since the start that no rule names.
#[derive(Debug, Default)]
pub struct RolesSeen(RefCell<BTreeSet<(String, String)>>);

impl RolesSeen {
    /// Takes note of the roles of a cluster that only `*` covers.
    pub fn note(&self, rules: &[Rule], cluster: &str, roles: &[String]) {
        // With only one rule nobody meant to tell roles apart.
        if rules.iter().all(|rule| rule.roles == "*") {
            return;
        }
        let mut seen = self.0.borrow_mut();
        let mut room = MOST.saturating_sub(seen.iter().filter(|(of, _)| of == cluster).count());
        for role in roles {
            if room > 0 && only_all(rules, cluster, role) {
                room -= usize::from(seen.insert((cluster.to_owned(), role.clone())));
            }
        }
    }

    /// Those that the rules of now still do not name, as they would be written on a rule's left side.
    #[must_use]
    pub fn list(&self, rules: &[Rule]) -> Vec<String> {
        let seen = self.0.borrow();
        let still = seen.iter().filter(|(cluster, role)| only_all(rules, cluster, role));
        still.map(|(cluster, role)| about(cluster, role)).collect()
    }
}

fn only_all(rules: &[Rule], cluster: &str, role: &str) -> bool {
    !rules_for(rules, cluster, role).is_empty() && !is_named(rules, cluster, role)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rule(roles: &str) -> Rule {
        Rule { cluster: String::new(), roles: roles.to_owned(), approve: 1, deny: 1, who: Vec::new() }
    }

    fn roles(count: usize) -> Vec<String> {
        (0..count).map(|number| format!("role{number:03}")).collect()
    }

    #[test]
    fn roles_that_only_the_rule_about_all_covers_are_remembered_up_to_a_bound() {
        let seen = RolesSeen::default();
        let rules = [rule("*"), rule("dba"), rule("prod-*")];
        seen.note(&rules, "a.b", &["dba".to_owned(), "prod-x".to_owned(), "dev".to_owned()]);
        assert_eq!(seen.list(&rules), ["a.b/dev"]);
        // Named meanwhile.
        assert_eq!(seen.list(&[rule("*"), rule("dev")]), [""; 0]);
        seen.note(&rules, "a.b", &roles(500));
        assert_eq!(seen.list(&rules).len(), MOST);
        seen.note(&rules, "a.b", &roles(1_000));
        assert_eq!(seen.list(&rules).len(), MOST);
        seen.note(&rules, "c.d", &["forgotten".to_owned()]);
        assert!(seen.list(&rules).contains(&"c.d/forgotten".to_owned()), "another cluster's have room of their own");
    }

    #[test]
    fn where_no_rule_names_a_role_there_is_nothing_to_remember() {
        let seen = RolesSeen::default();
        seen.note(&[rule("*")], "tp", &roles(3));
        seen.note(&[rule("dba")], "tp", &roles(3));
        assert_eq!(seen.list(&[rule("*")]), [""; 0]);
    }
}
