//! One entry of the audit trail: what is written down of an attempt, an outcome, or anything else that was done.

use serde::{Deserialize, Serialize};

use super::chain::Head;
use crate::decision::Voter;
use crate::teleport::State;
use crate::time::Time;

/// What an entry is about, and what came of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Result {
    /// Teleport was about to be asked. The entry with the same id says what came of it.
    Begun,
    /// Teleport carried it out.
    Decided,
    /// The vote was counted, and more are needed.
    Voted,
    /// The plugin said no, and Teleport was not asked to decide.
    Refused,
    /// Teleport said no.
    Failed,
    /// Teleport did not answer.
    Uncertain,
    /// The plugin died before it could say what came of an attempt, or never heard: what Teleport said later.
    Reconciled,
    /// What a request came to, wherever that was decided.
    Settled,
    /// Something was done other than deciding: an export, a self-test, a change of settings, a confirmation.
    Noted,
    /// A process began to write, and names the ends of the chains that it found.
    Started,
    /// The ends of all chains at one moment, signed.
    Checkpoint,
}

impl Result {
    /// Its name, as it is stored.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Begun => "begun",
            Self::Decided => "decided",
            Self::Voted => "voted",
            Self::Refused => "refused",
            Self::Failed => "failed",
            Self::Uncertain => "uncertain",
            Self::Reconciled => "reconciled",
            Self::Settled => "settled",
            Self::Noted => "noted",
            Self::Started => "started",
            Self::Checkpoint => "checkpoint",
        }
    }

    /// Whether somebody's attempt to decide is told, not what happened otherwise.
    #[must_use]
    pub fn is_attempt(self) -> bool {
        match self {
            Self::Begun
            | Self::Decided
            | Self::Voted
            | Self::Refused
            | Self::Failed
            | Self::Uncertain
            | Self::Reconciled => true,
            Self::Settled | Self::Noted | Self::Started | Self::Checkpoint => false,
        }
    }
}

/// One entry.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Entry {
    /// When. What came of an attempt carries the time of the attempt.
    pub time: Time,
    /// Ties together what is about the same attempt or event; empty in entries of earlier versions.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub id: String,
    /// The Mattermost user's id; empty where it was nobody.
    pub user_id: String,
    /// Their username and e-mail address then, where they were looked up.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub username: String,
    /// See `username`.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub email: String,
    /// What kind of session they came with.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub session: String,
    /// The network address that they came from.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub address: String,
    /// The Teleport user that they were taken for; empty where none was needed.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub teleport_user: String,
    /// By which authority it was decided, or was to be.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub authority: String,
    /// The Teleport cluster, as far as known.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub cluster: String,
    /// The request's id, as claimed where the attempt was refused.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub request_id: String,
    /// The Teleport user who asks.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub requester: String,
    /// The roles in question.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub roles: Vec<String>,
    /// The roles that were granted, where the decider could choose.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub granted_roles: Vec<String>,
    /// The roles that were asked for and not granted.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub refused_roles: Vec<String>,
    /// When the access begins, where that was said.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub starts: Option<Time>,
    /// The digest of what was decided, in hex.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub digest: String,
    /// Everybody whose vote counted.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub voters: Vec<Voter>,
    /// Approved or denied; none where it was not even said.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub verdict: Option<State>,
    /// The approver's words.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub reason: String,
    /// What came of it.
    pub result: Result,
    /// Why not, where it was not decided.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub cause: String,
    /// What was done, or what a request came to: a short fixed word.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub what: String,
    /// More about it.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub detail: String,
    /// How many attempts the entry stands for, where it stands for several; `time` is the last one's.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub count: u64,
    /// The first one's time, where it stands for several.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub first: Option<Time>,
    /// Ends of chains that were known.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub heads: Vec<Head>,
    /// How many days entries are kept that were written at that time, where heads are named.
    #[serde(default, skip_serializing_if = "is_no_day")]
    pub kept_days: u32,
    /// The signature over the heads, in hex.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub signature: String,
    /// The key that it was signed with, in hex.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub public_key: String,
}

fn is_zero(count: &u64) -> bool {
    *count == 0
}

fn is_no_day(days: &u32) -> bool {
    *days == 0
}

impl Entry {
    /// An entry about somebody, with nothing else known.
    #[must_use]
    pub fn new(time: Time, user_id: &str, result: Result) -> Self {
        Self {
            time,
            id: String::new(),
            user_id: user_id.to_owned(),
            username: String::new(),
            email: String::new(),
            session: String::new(),
            address: String::new(),
            teleport_user: String::new(),
            authority: String::new(),
            cluster: String::new(),
            request_id: String::new(),
            requester: String::new(),
            roles: Vec::new(),
            granted_roles: Vec::new(),
            refused_roles: Vec::new(),
            starts: None,
            digest: String::new(),
            voters: Vec::new(),
            verdict: None,
            reason: String::new(),
            result,
            cause: String::new(),
            what: String::new(),
            detail: String::new(),
            count: 0,
            first: None,
            heads: Vec::new(),
            kept_days: 0,
            signature: String::new(),
            public_key: String::new(),
        }
    }

    /// The verdict as a word; empty where none was said.
    #[must_use]
    pub fn verdict_name(&self) -> String {
        self.verdict.map(|verdict| format!("{verdict:?}").to_lowercase()).unwrap_or_default()
    }
}

/// Entries with what came of each attempt in place of its beginning: of those with the same id, the last.
#[must_use]
pub fn merged(entries: impl IntoIterator<Item = Entry>) -> Vec<Entry> {
    let mut places = std::collections::HashMap::new();
    let mut merged: Vec<Entry> = Vec::new();
    for entry in entries {
        let place = places.get(&entry.id).copied().filter(|_| !entry.id.is_empty());
        match place.and_then(|place: usize| merged.get_mut(place)) {
            // The beginning is never what came of it, whichever was read first.
            Some(stands) if entry.result != Result::Begun => *stands = entry,
            Some(_) => {}
            None => {
                places.insert(entry.id.clone(), merged.len());
                merged.push(entry);
            }
        }
    }
    merged
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_entry_of_an_earlier_version_can_still_be_read() {
        let text =
            r#"{"time":60000,"user_id":"b0b","username":"bob","request_id":"r","verdict":"denied","result":"decided"}"#;
        let entry = serde_json::from_str::<Entry>(text).ok();
        let expected = Entry {
            username: "bob".into(),
            request_id: "r".into(),
            verdict: Some(State::Denied),
            ..Entry::new(Time(60_000), "b0b", Result::Decided)
        };
        assert_eq!(entry, Some(expected));
    }

    #[test]
    fn what_came_of_an_attempt_stands_in_the_place_of_its_beginning() {
        let entry = |id: &str, result| Entry { id: id.into(), ..Entry::new(Time(1), "u", result) };
        let all = [
            entry("a", Result::Begun),
            entry("", Result::Refused),
            entry("b", Result::Decided),
            entry("a", Result::Failed),
            entry("", Result::Refused),
            entry("b", Result::Begun),
        ];
        let results: Vec<Result> = merged(all).iter().map(|entry| entry.result).collect();
        assert_eq!(results, [Result::Failed, Result::Refused, Result::Decided, Result::Refused]);
    }
}
