//! How many refused attempts are kept one by one. Further ones of the same account are counted, and the counts are kept:
//! no account can fill the store. No I/O.

use std::cell::RefCell;
use std::collections::{BTreeMap, HashMap};
use std::time::Duration;

use super::entry::Entry;
use crate::teleport::State;
use crate::time::Time;

/// Refused attempts of one account that are kept one by one within an hour.
const AN_HOUR: u32 = 60;
/// The same within a day.
const A_DAY: u32 = 120;
/// How long attempts are counted before the counts are written down.
const COUNTED_FOR: Duration = Duration::from_secs(900);
/// Accounts whose attempts are told apart; those of all others are counted together.
const MOST_ACCOUNTS: usize = 10_000;
/// Counts of one account that are told apart by what was attempted; the rest is counted together.
const MOST_SUBJECTS: usize = 3;
const HOUR: i64 = 3_600_000;

/// What was attempted, and why not.
#[derive(Debug, Clone, Default, PartialEq, Eq, PartialOrd, Ord)]
struct Subject {
    cluster: String,
    request_id: String,
    verdict: Option<u8>,
    cause: String,
}

/// Attempts of one account that are not kept one by one.
#[derive(Debug, Default)]
struct Account {
    in_hour: u32,
    in_day: u32,
    counted: BTreeMap<Subject, Entry>,
}

#[derive(Debug, Default)]
struct Counting {
    hour: i64,
    accounts: HashMap<String, Account>,
    since: Option<Time>,
}

/// Counts refused attempts by account.
#[derive(Debug, Default)]
pub(super) struct Refusals(RefCell<Counting>);

impl Counting {
    fn turn(&mut self, now: Time) {
        let hour = now.0.div_euclid(HOUR);
        if hour == self.hour {
            return;
        }
        let same_day = hour.div_euclid(24) == self.hour.div_euclid(24);
        self.hour = hour;
        for account in self.accounts.values_mut() {
            account.in_hour = 0;
            account.in_day = if same_day { account.in_day } else { 0 };
        }
        self.accounts.retain(|_, account| account.in_day > 0 || !account.counted.is_empty());
    }

    fn add(&mut self, entry: Entry) {
        self.since = Some(self.since.map_or(entry.time, |since| since.min(entry.time)));
        let user_id = entry.user_id.clone();
        let counted = &mut self.accounts.entry(user_id).or_default().counted;
        let subject = Subject {
            cluster: entry.cluster.clone(),
            request_id: entry.request_id.clone(),
            verdict: entry.verdict.map(|verdict| if verdict == State::Approved { 1 } else { 2 }),
            cause: entry.cause.clone(),
        };
        let room = counted.contains_key(&subject) || counted.len() < MOST_SUBJECTS;
        let (subject, entry) = if room {
            (subject, entry)
        } else {
            let cause = "Several attempts, refused for several reasons.".to_owned();
            let (cluster, request_id, verdict) = (String::new(), String::new(), None);
            (Subject::default(), Entry { cluster, request_id, verdict, cause, ..entry })
        };
        let first = entry.first.unwrap_or(entry.time);
        match counted.get_mut(&subject) {
            Some(stands) => {
                stands.count += entry.count.max(1);
                stands.first = Some(stands.first.map_or(first, |known| known.min(first)));
                stands.time = stands.time.max(entry.time);
            }
            None => {
                let count = entry.count.max(1);
                counted.insert(subject, Entry { first: Some(first), count, ..entry });
            }
        }
    }
}

impl Refusals {
    /// Takes an attempt; gives it back if it is to be kept by itself.
    pub(crate) fn take(&self, mut entry: Entry) -> Option<Entry> {
        let mut counting = self.0.borrow_mut();
        counting.turn(entry.time);
        let full = counting.accounts.len() >= MOST_ACCOUNTS && !counting.accounts.contains_key(&entry.user_id);
        if full {
            // Of no account: there are too many to tell apart.
            (entry.user_id, entry.username, entry.email) = Default::default();
            counting.add(entry);
            return None;
        }
        let account = counting.accounts.entry(entry.user_id.clone()).or_default();
        if account.in_hour < AN_HOUR && account.in_day < A_DAY {
            account.in_hour += 1;
            account.in_day += 1;
            return Some(entry);
        }
        counting.add(entry);
        None
    }

    /// The counts that are due to be written down. They are the caller's from now on.
    pub(crate) fn due(&self, now: Time) -> Vec<Entry> {
        let mut counting = self.0.borrow_mut();
        if counting.since.is_none_or(|since| now.since(since) < COUNTED_FOR && since <= now) {
            return Vec::new();
        }
        counting.since = None;
        counting.accounts.values_mut().flat_map(|account| std::mem::take(&mut account.counted).into_values()).collect()
    }

    /// Takes a count back that could not be written down.
    pub(crate) fn restore(&self, entry: Entry) {
        self.0.borrow_mut().add(entry);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::audit::Result;

    fn refused(time: i64, user: &str, request: &str) -> Entry {
        Entry {
            request_id: request.into(),
            cause: "You cannot decide this.".into(),
            verdict: Some(State::Approved),
            ..Entry::new(Time(time), user, Result::Refused)
        }
    }

    #[test]
    fn one_account_cannot_fill_the_store_with_refused_attempts() {
        let refusals = Refusals::default();
        let mut written = 0;
        // Once a second, a whole day long, of ever different requests.
        for second in 0..86_400 {
            let now = second * 1_000;
            written += usize::from(refusals.take(refused(now, "mallory", &format!("r{second}"))).is_some());
            written += refusals.due(Time(now)).len();
        }
        assert!(written <= 120 + 4 * (24 * 4), "{written}");
        assert!(refusals.take(refused(86_399_000, "bob", "r")).is_some(), "others are kept all the same");
    }

    #[test]
    fn attempts_that_are_not_kept_one_by_one_are_counted() {
        let refusals = Refusals::default();
        let kept = (0..1_000).filter(|time| refusals.take(refused(*time, "mallory", "r")).is_some()).count();
        assert_eq!(kept, 60);
        assert_eq!(refusals.due(Time(899_000)), []);
        let due = refusals.due(Time(960_000));
        let expected = Entry { count: 940, first: Some(Time(60)), ..refused(999, "mallory", "r") };
        assert_eq!(due, std::slice::from_ref(&expected));
        assert_eq!(refusals.due(Time(9_960_000)), [], "they are told once");
        refusals.restore(expected.clone());
        assert!(refusals.take(refused(1_000, "mallory", "r")).is_none());
        let more = Entry { count: 941, time: Time(1_000), ..expected };
        assert_eq!(refusals.due(Time(9_960_000)), [more], "unless they could not be written down");
    }

    #[test]
    fn a_crowd_of_accounts_is_counted_together() {
        let refusals = Refusals::default();
        let kept = (0..20_000).filter(|user| refusals.take(refused(5, &format!("u{user}"), "r")).is_some()).count();
        assert_eq!(kept, MOST_ACCOUNTS);
        let due = refusals.due(Time(1_000_000));
        assert_eq!(due.iter().map(|entry| (entry.user_id.as_str(), entry.count)).collect::<Vec<_>>(), [("", 10_000)]);
    }
}
