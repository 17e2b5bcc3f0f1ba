//! What a rule is about: a role's name or a pattern, of all clusters or of one; and which rules count for a role.
//!
//! Only the rules that fit a role best count, and equally good ones together. Best is an exact name, then the pattern with
//! the most literal text, then `*`; among equally good ones a rule that is bound to the request's cluster.

use std::collections::HashSet;

use wildmatch::WildMatch;

use super::Problem;

/// Most overlaps that are warned of.
const MOST_OVERLAPS: usize = 5;
/// What a cluster's name is written after where it has no dot.
const PREFIX: &str = "cluster:";

/// Something that is about certain roles of one cluster, or of all.
pub(crate) trait Bound {
    /// The Teleport cluster; empty: all.
    fn cluster(&self) -> &str;
    /// A role's name, or a pattern with `*` and `?`.
    fn roles(&self) -> &str;
}

/// Takes the cluster off the front of what a line is about: `prod.example.com/dba`, or `cluster:prod/dba` where the
/// cluster's name has no dot. Without one it is about all clusters; `cluster:*/` says so, for roles whose own names look
/// like that. Answers cluster and rest.
pub(super) fn split_cluster(text: &str) -> (String, &str) {
    let (explicit, text) = match text.get(..PREFIX.len()) {
        Some(word) if word.eq_ignore_ascii_case(PREFIX) => (true, text.get(PREFIX.len()..).unwrap_or_default()),
        _ => (false, text),
    };
    let Some((cluster, rest)) = text.split_once('/') else {
        // What was meant for a cluster and names no role is about nothing.
        return if explicit { (text.trim().to_owned(), "") } else { (String::new(), text) };
    };
    let (cluster, rest) = (cluster.trim(), rest.trim());
    let is_name =
        !cluster.is_empty() && cluster.chars().all(|letter| letter.is_ascii_alphanumeric() || "._-".contains(letter));
    match cluster {
        "*" if explicit => (String::new(), rest),
        _ if explicit && is_name => (cluster.to_owned(), rest),
        // A cluster that could not be one: the line is about nothing, and is told of.
        _ if explicit => (cluster.to_owned(), ""),
        _ if is_name && cluster.contains('.') => (cluster.to_owned(), rest),
        _ => (String::new(), text),
    }
}

/// What a rule is about, as it is written in the settings.
pub(crate) fn about(cluster: &str, roles: &str) -> String {
    match cluster {
        "" => roles.to_owned(),
        cluster if cluster.contains('.') => format!("{cluster}/{roles}"),
        cluster => format!("{PREFIX}{cluster}/{roles}"),
    }
}

/// How well a rule fits, if it fits at all: the larger, the better.
type Fit = (u8, usize, bool);

fn is_pattern(roles: &str) -> bool {
    roles.contains(['*', '?'])
}

fn literal(roles: &str) -> usize {
    roles.chars().filter(|letter| !matches!(letter, '*' | '?')).count()
}

fn fit<R: Bound>(rule: &R, cluster: &str, role: &str) -> Option<Fit> {
    let bound = !rule.cluster().is_empty();
    if bound && rule.cluster() != cluster {
        return None;
    }
    match rule.roles() {
        roles if roles == role => Some((2, 0, bound)),
        "*" => Some((0, 0, bound)),
        roles if is_pattern(roles) && WildMatch::new(roles).matches(role) => Some((1, literal(roles), bound)),
        _ => None,
    }
}

/// The rules that count for a role of a cluster: those that fit best.
pub(crate) fn rules_for<'a, R: Bound>(rules: &'a [R], cluster: &str, role: &str) -> Vec<&'a R> {
    let fits = || rules.iter().filter_map(|rule| fit(rule, cluster, role).map(|fit| (fit, rule)));
    let best = fits().map(|(fit, _)| fit).max();
    fits().filter(|(fit, _)| Some(*fit) == best).map(|(_, rule)| rule).collect()
}

/// Whether a rule names the role, or a pattern that it fits: not only all roles.
pub(crate) fn is_named<R: Bound>(rules: &[R], cluster: &str, role: &str) -> bool {
    rules_for(rules, cluster, role).iter().any(|rule| rule.roles() != "*")
}

/// Warnings about patterns that can fit the same role: there only the one with more literal text counts.
pub(super) fn overlaps<R: Bound>(rules: &[R], setting: &'static str) -> Vec<Problem> {
    let patterns: Vec<&R> = rules.iter().filter(|rule| is_pattern(rule.roles()) && rule.roles() != "*").collect();
    let mut problems = Vec::new();
    for (place, one) in patterns.iter().enumerate() {
        for other in patterns.iter().skip(place + 1) {
            let apart = !one.cluster().is_empty() && !other.cluster().is_empty() && one.cluster() != other.cluster();
            // The same pattern with and without a cluster is how exceptions are made.
            if apart || one.roles() == other.roles() || !can_meet(one.roles(), other.roles()) {
                continue;
            }
            let names = [one, other].map(|rule| about(rule.cluster(), rule.roles()));
            let [first, second] = &names;
            let rank = |rule: &R| (literal(rule.roles()), !rule.cluster().is_empty());
            let meaning = match rank(one).cmp(&rank(other)) {
                std::cmp::Ordering::Greater => format!("only `{first}` counts, which is the more specific one"),
                std::cmp::Ordering::Less => format!("only `{second}` counts, which is the more specific one"),
                std::cmp::Ordering::Equal => "both count together".to_owned(),
            };
            problems.push(Problem::warning(
                setting,
                format!("`{first}` and `{second}` can be about the same role. For such a role {meaning}."),
            ));
            if problems.len() >= MOST_OVERLAPS {
                return problems;
            }
        }
    }
    problems
}

/// Whether there is a text that both patterns match.
fn can_meet(one: &str, other: &str) -> bool {
    let (one, other): (Vec<char>, Vec<char>) = (one.chars().collect(), other.chars().collect());
    meet(&one, &other, &mut HashSet::new())
}

/// Looks at each pair of rests once: `tried` holds those that did not lead anywhere.
fn meet(one: &[char], other: &[char], tried: &mut HashSet<(usize, usize)>) -> bool {
    if !tried.insert((one.len(), other.len())) {
        return false;
    }
    match (one.split_first(), other.split_first()) {
        (None, None) => true,
        (Some(('*', rest)), next) => {
            meet(rest, other, tried) || next.is_some_and(|(_, following)| meet(one, following, tried))
        }
        (next, Some(('*', rest))) => {
            meet(one, rest, tried) || next.is_some_and(|(_, following)| meet(following, other, tried))
        }
        (Some((first, one)), Some((second, other))) => {
            (first == second || *first == '?' || *second == '?') && meet(one, other, tried)
        }
        (None, Some(_)) | (Some(_), None) => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    struct About(&'static str, &'static str);

    impl Bound for About {
        fn cluster(&self) -> &str {
            self.0
        }

        fn roles(&self) -> &str {
            self.1
        }
    }

    fn counting(rules: &[About], cluster: &str, role: &str) -> Vec<String> {
        rules_for(rules, cluster, role).iter().map(|rule| about(rule.0, rule.1)).collect()
    }

    #[test]
    fn an_exact_name_counts_before_patterns_and_the_longest_pattern_before_shorter_ones() {
        let rules = [About("", "*"), About("", "prod-*"), About("", "prod-db-*"), About("", "prod-db-1")];
        for (role, expected) in
            [("prod-db-1", "prod-db-1"), ("prod-db-2", "prod-db-*"), ("prod-x", "prod-*"), ("dev", "*"), ("", "*")]
        {
            assert_eq!(counting(&rules, "tp", role), [expected], "{role}");
        }
        assert_eq!(counting(&rules[1..], "tp", "dev"), [""; 0]);
        assert_eq!(counting(&[About("", "d??"), About("", "???"), About("", "*")], "tp", "dba"), ["d??"]);
    }

    #[test]
    fn equally_good_rules_count_together() {
        let rules = [About("", "d?a"), About("", "*ba"), About("", "d*")];
        assert_eq!(counting(&rules, "tp", "dba"), ["d?a", "*ba"]);
    }

    #[test]
    fn a_rule_of_the_requests_cluster_counts_before_one_of_all_clusters_that_fits_as_well() {
        let rules = [About("", "dba"), About("a.b", "dba"), About("a.b", "*"), About("c", "d*")];
        assert_eq!(counting(&rules, "a.b", "dba"), ["a.b/dba"]);
        assert_eq!(counting(&rules, "c", "dba"), ["dba"]);
        assert_eq!(counting(&rules, "c", "dev"), ["cluster:c/d*"]);
        assert_eq!(counting(&rules, "a.b", "dev"), ["a.b/*"]);
        // A name of all clusters is still more specific than a pattern of one.
        assert_eq!(counting(&[About("", "dba"), About("a.b", "d*")], "a.b", "dba"), ["dba"]);
    }

    #[test]
    fn what_stands_before_the_first_slash_is_a_cluster_if_it_looks_like_one() {
        for (text, cluster, rest) in [
            ("dba", "", "dba"),
            ("prod.example.com/dba", "prod.example.com", "dba"),
            ("prod.example.com / dba", "prod.example.com", "dba"),
            ("prod.example.com/a/b", "prod.example.com", "a/b"),
            ("cluster:tp/dba", "tp", "dba"),
            ("Cluster:tp/a/b", "tp", "a/b"),
            // Roles may have slashes, and dots behind them or none before.
            ("team/dba", "", "team/dba"),
            ("team/a.b", "", "team/a.b"),
            ("*/dba", "", "*/dba"),
            ("*.x/dba", "", "*.x/dba"),
            ("cluster:*/a.b/dba", "", "a.b/dba"),
            // Nothing that could be read as all roles.
            ("prod.example.com/", "prod.example.com", ""),
            ("cluster:tp", "tp", ""),
            ("cluster:a b/dba", "a b", ""),
            ("cluster:/dba", "", ""),
        ] {
            assert_eq!(split_cluster(text), (cluster.to_owned(), rest), "{text}");
        }
    }

    #[test]
    fn patterns_that_can_meet_are_warned_of() {
        let told = |rules: &[About]| overlaps(rules, "Approvers").len();
        assert_eq!(told(&[About("", "prod-*"), About("", "*-dba")]), 1);
        assert_eq!(told(&[About("", "prod-*"), About("", "prod-db-*")]), 1);
        assert_eq!(told(&[About("", "prod-*"), About("a.b", "p*")]), 1);
        assert_eq!(told(&[About("", "prod-*"), About("", "dev-*"), About("", "*"), About("", "prod-x")]), 0);
        assert_eq!(told(&[About("a.b", "prod-*"), About("c.d", "p*")]), 0);
        assert_eq!(told(&[About("", "prod-*"), About("a.b", "prod-*")]), 0);
        assert_eq!(told(&[About("", "a?"), About("", "?b")]), 1);
        assert_eq!(told(&[About("", "a?"), About("", "?bc")]), 0);
        let many: Vec<About> = (0..9).flat_map(|_| [About("", "a*"), About("", "*b")]).collect();
        assert_eq!(told(&many), MOST_OVERLAPS);
        let long = "*a".repeat(200);
        assert!(!can_meet(&format!("{long}b"), &format!("{long}c")));
    }
}
