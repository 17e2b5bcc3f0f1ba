//! When enough different people agree, and on what. Pure: who may vote is asked elsewhere.

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};

use crate::teleport::{AccessRequest, State, Threshold};
use crate::time::Time;

/// One person's vote. Votes are counted by user id, one each.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Vote {
    /// The Mattermost user's id.
    pub user_id: String,
    /// Their username then, for people to read.
    pub username: String,
    /// Approved or denied.
    pub state: State,
    /// Digest of the request that they saw. The vote counts for that one only.
    pub digest: String,
    /// The channel whose post they clicked: rules may be about its members.
    pub channel_id: String,
    /// The roles that they grant; empty in denials.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub roles: Vec<String>,
    /// When the access shall begin, where that is later than at once.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub starts: Option<Time>,
    /// Their words.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub reason: String,
    /// When they voted.
    pub time: Time,
}

/// How many different people must agree.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Needed {
    /// For an approval, at least 1.
    pub approve: u32,
    /// For a denial, at least 1.
    pub deny: u32,
}

impl Needed {
    /// One person decides.
    pub const ONE: Self = Self { approve: 1, deny: 1 };

    /// The larger numbers of both.
    #[must_use]
    pub fn and(self, other: Self) -> Self {
        Self { approve: self.approve.max(other.approve), deny: self.deny.max(other.deny) }
    }

    /// The number for a verdict.
    #[must_use]
    pub fn for_state(self, state: State) -> u32 {
        if state == State::Denied { self.deny } else { self.approve }
    }
}

/// Why Teleport's own thresholds cannot be met from here.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Unmeetable {
    /// A threshold counts only some reviewers, by a filter that only Teleport can read.
    #[error("one of its thresholds in Teleport counts only certain reviewers")]
    Filtered,
    /// No number of approvals is enough.
    #[error("its thresholds in Teleport can never be met")]
    Never,
}

/// What Teleport's own thresholds ask for at least. With a mapping, each set of each role must be met by one of its
/// thresholds; without one the largest number counts. A threshold of 0 approvals is never met.
///
/// # Errors
/// Where it cannot be judged here, or never be met.
pub fn of_thresholds(request: &AccessRequest) -> Result<Needed, Unmeetable> {
    let thresholds = &request.thresholds;
    if thresholds.is_empty() {
        return Ok(Needed::ONE);
    }
    if thresholds.iter().any(|threshold| !threshold.filter.is_empty()) {
        return Err(Unmeetable::Filtered);
    }
    let deny = thresholds.iter().map(|threshold| threshold.deny).max().unwrap_or(1).max(1);
    let approve = if request.role_thresholds.is_empty() {
        thresholds.iter().map(|threshold| threshold.approve).max().filter(|largest| *largest > 0)
    } else {
        let sets = request.role_thresholds.values().flatten().filter(|set| !set.is_empty());
        let easiest = |set: &Vec<u32>| {
            let its = set.iter().filter_map(|index| thresholds.get(usize::try_from(*index).ok()?));
            its.map(|threshold| threshold.approve).filter(|approve| *approve > 0).min()
        };
        sets.map(easiest).try_fold(1, |most, easiest| Some(easiest?.max(most)))
    };
    approve.map(|approve| Needed { approve, deny }).ok_or(Unmeetable::Never)
}

/// What voters agree on so far.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Tally {
    /// The votes for the verdict that count, in the order in which they were given.
    pub votes: Vec<Vote>,
    /// How many count, reviews made in Teleport included.
    pub count: u32,
}

/// The votes for a verdict on the request with this digest. Of several by one person the last counts, and it counts only if
/// it is for this verdict. `reviews`: how many people have reviewed in Teleport to the same effect, who have not voted here.
#[must_use]
pub fn tally(votes: &[Vote], state: State, digest: &str, reviews: u32) -> Tally {
    let mut seen = BTreeSet::new();
    let mut counted: Vec<Vote> = Vec::new();
    for vote in votes.iter().rev().filter(|vote| vote.digest == digest) {
        if seen.insert(vote.user_id.as_str()) && vote.state == state {
            counted.push(vote.clone());
        }
    }
    counted.reverse();
    let count = u32::try_from(counted.len()).unwrap_or(u32::MAX).saturating_add(reviews);
    Tally { votes: counted, count }
}

/// The roles that all voters grant, in the order of the request, and the latest start that any of them chose.
#[must_use]
pub(super) fn agreed(request: &AccessRequest, votes: &[Vote]) -> (Vec<String>, Option<Time>) {
    let by_all = |role: &&String| votes.iter().all(|vote| vote.roles.contains(role));
    let roles = request.roles.iter().filter(by_all).cloned().collect();
    (roles, votes.iter().filter_map(|vote| vote.starts).max())
}

/// How many people must approve as far as thresholds tell, for people to read.
#[must_use]
pub fn largest(thresholds: &[Threshold]) -> u32 {
    thresholds.iter().map(|threshold| threshold.approve).max().unwrap_or(1)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn vote(user: &str, state: State, digest: &str, roles: &[&str]) -> Vote {
        Vote {
            user_id: user.into(),
            username: user.into(),
            state,
            digest: digest.into(),
            channel_id: "c".into(),
            roles: roles.iter().map(|role| (*role).to_owned()).collect(),
            starts: None,
            reason: String::new(),
            time: Time(1),
        }
    }

    #[test]
    fn one_person_counts_once_and_only_for_what_they_saw() {
        let votes = [
            vote("ann", State::Approved, "d", &["a"]),
            vote("ann", State::Approved, "d", &["a"]),
            vote("bob", State::Approved, "other", &["a"]),
            vote("eve", State::Denied, "d", &[]),
        ];
        assert_eq!(tally(&votes, State::Approved, "d", 0).count, 1);
        assert_eq!(tally(&votes, State::Denied, "d", 0).count, 1);
        assert_eq!(tally(&votes, State::Approved, "other", 1).count, 2, "a review in Teleport counts beside it");
    }

    #[test]
    fn who_changes_their_mind_counts_for_the_last_word_only() {
        let votes = [vote("ann", State::Approved, "d", &["a"]), vote("ann", State::Denied, "d", &[])];
        assert_eq!(tally(&votes, State::Approved, "d", 0).count, 0);
        assert_eq!(tally(&votes, State::Denied, "d", 0).count, 1);
    }

    #[test]
    fn what_is_granted_is_what_all_voters_chose_from_the_latest_start_on() {
        let request = AccessRequest { roles: vec!["a".into(), "b".into(), "c".into()], ..Default::default() };
        let mut votes =
            vec![vote("ann", State::Approved, "d", &["c", "a"]), vote("bob", State::Approved, "d", &["a", "b", "c"])];
        assert_eq!(agreed(&request, &votes), (vec!["a".into(), "c".into()], None));
        votes.iter_mut().zip([5, 3]).for_each(|(vote, start)| vote.starts = Some(Time(start)));
        assert_eq!(agreed(&request, &votes).1, Some(Time(5)));
        votes.push(vote("eve", State::Approved, "d", &["b"]));
        assert_eq!(agreed(&request, &votes).0, Vec::<String>::new());
    }

    fn threshold(approve: u32, deny: u32) -> Threshold {
        Threshold { name: String::new(), filter: String::new(), approve, deny }
    }

    #[test]
    fn teleports_thresholds_are_a_minimum() {
        let of = |thresholds: &[Threshold]| {
            of_thresholds(&AccessRequest { thresholds: thresholds.to_vec(), ..Default::default() })
        };
        assert_eq!(of(&[]), Ok(Needed::ONE));
        assert_eq!(of(&[threshold(2, 1), threshold(3, 2)]), Ok(Needed { approve: 3, deny: 2 }));
        assert_eq!(of(&[threshold(0, 1)]), Err(Unmeetable::Never));
        let filtered = Threshold { filter: "equals(reviewer.name, \"x\")".into(), ..threshold(1, 1) };
        assert_eq!(of(&[threshold(1, 1), filtered]), Err(Unmeetable::Filtered));
    }

    #[test]
    fn each_set_of_each_role_must_be_met_by_one_of_its_thresholds() {
        let of = |sets: &[(&str, &[&[u32]])]| {
            let mapped = |(role, sets): &(&str, &[&[u32]])| {
                ((*role).to_owned(), sets.iter().map(|set| set.to_vec()).collect::<Vec<_>>())
            };
            of_thresholds(&AccessRequest {
                thresholds: vec![threshold(3, 1), threshold(1, 1), threshold(0, 1), threshold(2, 1)],
                role_thresholds: sets.iter().map(mapped).collect(),
                ..Default::default()
            })
            .map(|needed| needed.approve)
        };
        assert_eq!(of(&[("a", &[&[0, 1]])]), Ok(1), "the easiest of a set is enough");
        assert_eq!(of(&[("a", &[&[0, 1], &[3]])]), Ok(2), "but every set must be met");
        assert_eq!(of(&[("a", &[&[1]]), ("b", &[&[0]])]), Ok(3), "of every role");
        assert_eq!(of(&[("a", &[&[2, 3]])]), Ok(2), "0 is never met");
        assert_eq!(of(&[("a", &[&[2]])]), Err(Unmeetable::Never));
        assert_eq!(of(&[("a", &[&[9]])]), Err(Unmeetable::Never), "nobody knows such a threshold");
    }
}
