//! Which roles were asked for, which were granted, and which were not: Teleport keeps only those that were granted.

use super::{listed, own};
use crate::ledger::{Outcome, Record};
use crate::teleport::State;

/// All roles that were asked for.
pub(crate) fn asked(record: &Record) -> Vec<String> {
    let mut asked =
        if record.asked_roles.is_empty() { record.request.roles.clone() } else { record.asked_roles.clone() };
    // Decisions of earlier versions say it alone.
    let refused = own(record).map(|decision| decision.refused_roles.as_slice()).unwrap_or_default();
    asked.extend(refused.iter().filter(|role| !asked.contains(role)).cloned().collect::<Vec<_>>());
    asked
}

/// The roles that were granted; none where nothing was.
pub(crate) fn granted(record: &Record) -> Vec<String> {
    if record.outcome != Outcome::Approved {
        return Vec::new();
    }
    match own(record) {
        Some(decision) if decision.state == State::Approved && !decision.roles.is_empty() => decision.roles.clone(),
        _ => record.request.roles.clone(),
    }
}

/// The roles that were asked for and not granted, where others were.
pub(crate) fn refused(record: &Record) -> Vec<String> {
    if record.outcome != Outcome::Approved {
        return Vec::new();
    }
    let granted = granted(record);
    asked(record).into_iter().filter(|role| !granted.contains(role)).collect()
}

/// The same for the end of a sentence that names the roles that were granted. Markdown.
pub(crate) fn without(refused: &[String]) -> String {
    if refused.is_empty() { String::new() } else { format!(", without {}", listed(refused)) }
}

/// Both, for the end of a line that names none. Markdown.
pub(super) fn split(record: &Record) -> String {
    let refused = refused(record);
    if refused.is_empty() {
        return String::new();
    }
    format!(": granted {}, not granted {}", listed(&granted(record)), listed(&refused))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::teleport::AccessRequest;

    fn roles(names: &[&str]) -> Vec<String> {
        names.iter().map(|name| (*name).to_owned()).collect()
    }

    fn decided(asked: &[&str], now: &[&str], state: State) -> Record {
        let request = |names| AccessRequest { id: "r".into(), roles: roles(names), ..Default::default() };
        let mut record = Record::new(request(asked));
        record.take_request(AccessRequest { state, ..request(now) }, state.into());
        record
    }

    #[test]
    fn fewer_roles_are_known_wherever_they_were_granted() {
        let record = decided(&["a", "b", "c"], &["b"], State::Approved);
        assert_eq!(asked(&record), roles(&["a", "b", "c"]));
        assert_eq!((granted(&record), refused(&record)), (roles(&["b"]), roles(&["a", "c"])));
        assert_eq!(split(&record), ": granted `b`, not granted `a`, `c`");
    }

    #[test]
    fn all_of_them_or_none_need_no_word() {
        for record in
            [decided(&["a", "b"], &["a", "b"], State::Approved), decided(&["a", "b"], &["a", "b"], State::Denied)]
        {
            assert_eq!((asked(&record), split(&record).as_str()), (roles(&["a", "b"]), ""));
            assert_eq!(refused(&record), Vec::<String>::new());
        }
    }

    #[test]
    fn another_request_under_the_same_id_is_not_one_with_fewer_roles() {
        let record = decided(&["a", "b"], &["c"], State::Approved);
        assert_eq!((asked(&record), refused(&record)), (roles(&["c"]), Vec::new()));
        let mut again = decided(&["a", "b"], &["a"], State::Approved);
        again.take_request(
            AccessRequest { id: "r".into(), roles: roles(&["a"]), ..Default::default() },
            Outcome::Pending,
        );
        assert_eq!(asked(&again), roles(&["a"]), "it was filed anew");
    }
}
