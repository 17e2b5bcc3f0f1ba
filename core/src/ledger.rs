//! The ledger: which posts stand for which request, and what they show. Kept in Mattermost's key-value store, one
//! record a request, written only with compare-and-set.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::decision::Ballot;
use crate::mattermost::{self, HostError, Mattermost, Swap};
use crate::requests::digest::Altered;
use crate::requests::resting::Rest;
use crate::teleport::{AccessRequest, State};
use crate::time::Time;

/// What a request has come to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Outcome {
    /// Nobody has decided yet.
    Pending,
    /// Granted.
    Approved,
    /// Refused.
    Denied,
    /// Turned into an access list membership.
    Promoted,
    /// In a state that this version does not know.
    Other,
    /// Nobody decided in time.
    Expired,
    /// Withdrawn before a decision.
    Deleted,
}

impl From<State> for Outcome {
    fn from(state: State) -> Self {
        match state {
            State::Pending => Self::Pending,
            State::Approved => Self::Approved,
            State::Denied => Self::Denied,
            State::Promoted => Self::Promoted,
            State::Other => Self::Other,
        }
    }
}

/// One post that stands, or shall stand, for a request.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Posting {
    /// The channel it is in.
    pub channel_id: String,
    /// When posting was resolved on: the post cannot be older.
    pub intent_at: Time,
    /// Its id, once known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub post_id: Option<String>,
    /// The revision of the record that it shows; 0: none yet.
    #[serde(default)]
    pub shown: u32,
    /// Somebody deleted it: it is let be.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub gone: bool,
    /// It is no post but what is told to the requester: the channel is their direct channel with the bot, and the news
    /// stand there by themselves.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub requester: bool,
    /// Keys of the news that stand in its thread.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub told: Vec<String>,
    /// Keys of the news that are about to be put there; they may stand there already.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub telling: Vec<String>,
    /// The hash of what was read back of the post after it was last written; empty until then. A click counts only while the
    /// post still has it.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub hash: String,
    /// What its buttons let people do.
    #[serde(default, skip_serializing_if = "Offers::is_none")]
    pub offers: Offers,
    /// What was read back was not what was sent, so that it offers less than it could.
    #[serde(default, skip_serializing_if = "Altered::is_no")]
    pub altered: Altered,
    /// The posts of its thread that show what does not fit into it.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub parts: Vec<Part>,
    /// When it was repaired lately, because somebody else had changed it.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub repairs: Vec<Time>,
    /// The bot that wrote it; empty in records of earlier versions.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub bot: String,
    /// Why it rests, where nobody can write in its channel. Nothing is tried there until the channel is back.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rests: Option<Rest>,
}

/// What the buttons of a post let people do.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Offers {
    /// It has an Approve button.
    #[serde(default)]
    pub approve: bool,
    /// It has a Deny button.
    #[serde(default)]
    pub deny: bool,
    /// It has a further button that denies with a reason, so that its Deny button asks for none. Posts of earlier versions have
    /// none.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub deny_with_reason: bool,
}

impl Offers {
    /// Whether there is no button at all.
    #[must_use]
    pub fn is_none(&self) -> bool {
        !self.approve && !self.deny
    }

    /// Whether a verdict can be given.
    #[must_use]
    pub fn has(self, verdict: State) -> bool {
        match verdict {
            State::Approved => self.approve,
            State::Denied => self.deny,
            _ => false,
        }
    }
}

/// A post of a thread that shows a part of what is asked for.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Part {
    /// Which part, of which version of the request.
    pub key: String,
    /// The post.
    pub post_id: String,
    /// The hash of what was read back of it.
    pub hash: String,
    /// What was read back was not what was sent, so that it shows nothing.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub altered: bool,
}

/// A post of a bot that the plugin does not post with any more.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Retired {
    /// The post, whose buttons are to be taken away; empty where nobody knows whether it was made.
    pub post_id: String,
    /// The bot that wrote it.
    pub bot: String,
    /// Where it is, or may be.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub channel_id: String,
    /// It cannot be older.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub since: Option<Time>,
    /// Why it rests, where nobody can take its buttons away now.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rests: Option<Rest>,
}

/// Within which time repairs of a post are counted, and how many are made in it.
const REPAIR_SPAN: Duration = Duration::from_secs(600);
const MOST_REPAIRS: usize = 3;

impl Posting {
    /// A posting that is resolved on, and nothing more.
    #[must_use]
    pub fn new(channel_id: String, now: Time) -> Self {
        Self {
            channel_id,
            intent_at: now,
            post_id: None,
            shown: 0,
            gone: false,
            requester: false,
            told: Vec::new(),
            telling: Vec::new(),
            hash: String::new(),
            offers: Offers::default(),
            altered: Altered::No,
            parts: Vec::new(),
            repairs: Vec::new(),
            bot: String::new(),
            rests: None,
        }
    }

    /// Whether it may be repaired once more now; where it may, that is written down.
    pub fn take_repair(&mut self, now: Time) -> bool {
        self.repairs.retain(|repair| *repair <= now && now.since(*repair) < REPAIR_SPAN);
        let may = self.repairs.len() < MOST_REPAIRS;
        if may {
            self.repairs.push(now);
        }
        may
    }

    /// Whether somebody has deleted the post of a request that is pending.
    #[must_use]
    pub fn is_deleted(&self) -> bool {
        self.gone && !self.requester
    }

    /// Forgets its post, so that another one is made.
    pub fn begin_anew(&mut self, now: Time) {
        let repairs = std::mem::take(&mut self.repairs);
        *self = Self { requester: self.requester, repairs, ..Self::new(self.channel_id.clone(), now) };
    }

    /// Whether it is as it should be at a revision of its record, or nothing can be done about it now.
    #[must_use]
    pub fn is_shown(&self, revision: u32) -> bool {
        let there = self.requester || self.post_id.is_some();
        self.gone || self.rests.is_some() || (there && self.shown == revision && self.telling.is_empty())
    }
}

/// What the ledger knows of a request.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Record {
    /// Layout of the record; see [`VERSION`].
    pub version: u32,
    /// The request as Teleport last told it.
    pub request: AccessRequest,
    /// What it has come to.
    pub outcome: Outcome,
    /// Counts the changes of `request` and `outcome`, from 1.
    pub revision: u32,
    /// The posts, one a channel.
    pub postings: Vec<Posting>,
    /// The roles that were asked for, where Teleport has granted fewer: it keeps only those.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub asked_roles: Vec<String>,
    /// The reminders that were due, in minutes before the expiry.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub reminded: Vec<u64>,
    /// There is something to tell the requester, but their account could not be looked up yet.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub requester_due: bool,
    /// The ids of the accounts that could be the requester's, as found when the request was first seen. None of them decides
    /// it, whatever they are called later.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub requester_accounts: Vec<String>,
    /// Whether they have been looked up. Records of earlier versions do not have it: it is always written.
    #[serde(default)]
    pub requester_known: bool,
    /// When it was settled.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub settled_at: Option<Time>,
    /// Whether the posts are to be looked at once more: a call whose answer was never seen may yet take effect.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub look_again: bool,
    /// Digest of the request that the posts show; empty in records of earlier versions.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub digest: String,
    /// The votes and the decision that the posts show.
    #[serde(default, skip_serializing_if = "Ballot::is_empty")]
    pub ballot: Ballot,
    /// Posts whose buttons are to be taken away.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub retired: Vec<Retired>,
}

/// The layout that this code writes.
pub const VERSION: u32 = 1;
/// A day in seconds.
const DAY: i64 = 86_400;

impl Record {
    /// A record of a pending request that stands nowhere yet.
    #[must_use]
    pub fn new(request: AccessRequest) -> Self {
        let outcome = request.state.into();
        Self {
            version: VERSION,
            request,
            outcome,
            revision: 1,
            postings: Vec::new(),
            asked_roles: Vec::new(),
            reminded: Vec::new(),
            requester_due: false,
            requester_accounts: Vec::new(),
            requester_known: false,
            settled_at: None,
            look_again: false,
            digest: String::new(),
            ballot: Ballot::default(),
            retired: Vec::new(),
        }
    }

    /// Takes what Teleport now says of the request, and keeps what it does not say any more: which roles were asked for, where
    /// fewer are granted.
    pub fn take_request(&mut self, request: AccessRequest, outcome: Outcome) {
        let fewer = request.roles.iter().all(|role| self.request.roles.contains(role))
            && request.roles.len() < self.request.roles.len();
        if outcome == Outcome::Pending {
            self.asked_roles.clear();
        } else if self.outcome == Outcome::Pending && fewer {
            self.asked_roles.clone_from(&self.request.roles);
        }
        self.request = request;
        self.outcome = outcome;
    }

    /// Whether a post stands, or shall stand, for it in a channel.
    #[must_use]
    pub fn stands_in(&self, channel_id: &str) -> bool {
        self.postings.iter().any(|posting| !posting.requester && posting.channel_id == channel_id)
    }

    /// Whether every post shows what it should.
    #[must_use]
    pub fn is_shown(&self) -> bool {
        self.postings.iter().all(|posting| posting.is_shown(self.revision))
    }

    /// The reminder that is due, in minutes before the expiry: the last of those whose time has come. What is told later
    /// than it was due says the truth all the same, and those that it overtook are not told.
    #[must_use]
    pub fn reminder_due(&self, reminders: &[Duration], now: Time) -> Option<u64> {
        let expires = self.request.expires.filter(|expires| self.outcome == Outcome::Pending && *expires > now)?;
        let due = |span: &&Duration| {
            let at = expires.minus(**span);
            // A request that lives no longer than that needs no reminder right away.
            at <= now && self.request.created.is_none_or(|created| created < at)
        };
        let minutes = reminders.iter().filter(due).map(|span| span.as_secs() / 60).min()?;
        self.reminded.iter().all(|told| *told > minutes).then_some(minutes)
    }

    /// Whether there is nothing left to do, ever, unless Teleport changes its mind.
    #[must_use]
    pub fn is_finished(&self) -> bool {
        self.outcome != Outcome::Pending
            && self.is_shown()
            && !self.look_again
            && !self.requester_due
            && self.is_disarmed()
    }

    /// Whether any of its posts rests.
    #[must_use]
    pub fn rests(&self) -> bool {
        let posts = self.postings.iter().map(|posting| posting.rests);
        posts.chain(self.retired.iter().map(|retired| retired.rests)).any(|rests| rests.is_some())
    }

    /// Whether no post of an earlier bot has buttons that could be taken away now.
    #[must_use]
    pub fn is_disarmed(&self) -> bool {
        self.retired.iter().all(|retired| retired.rests.is_some())
    }
}

/// A record together with what stands in the store for it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Stored {
    /// The record.
    pub record: Record,
    /// The bytes in the store; none where it has not been saved.
    raw: Option<Vec<u8>>,
}

impl From<Record> for Stored {
    fn from(record: Record) -> Self {
        Self { record, raw: None }
    }
}

/// A failed use of the ledger.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum LedgerError {
    /// Somebody else has written the record meanwhile.
    #[error("the record was changed by another node")]
    Conflict,
    /// What stands there is not a record that this version can read.
    #[error("the record {key} cannot be read ({detail}); it may be from a newer version of the plugin")]
    Unreadable {
        /// The store's key.
        key: String,
        /// The parser's words.
        detail: String,
    },
    /// The store failed.
    #[error("Mattermost's key-value store: {0}")]
    Host(#[from] HostError),
}

fn prefix(cluster: &str) -> String {
    format!("request:{cluster}:")
}

/// Ids of all requests of a cluster that have a record.
pub async fn ids<M: Mattermost>(mattermost: &M, cluster: &str) -> Result<Vec<String>, LedgerError> {
    Ok(mattermost::keys_after(mattermost, &prefix(cluster)).await?)
}

/// Reads a record.
pub async fn load<M: Mattermost>(mattermost: &M, cluster: &str, id: &str) -> Result<Option<Stored>, LedgerError> {
    let key = prefix(cluster) + id;
    let Some(raw) = mattermost.kv_get(&key).await? else { return Ok(None) };
    let unreadable = |detail: String| LedgerError::Unreadable { key: key.clone(), detail };
    let record: Record = serde_json::from_slice(&raw).map_err(|error| unreadable(error.to_string()))?;
    if record.version > VERSION {
        return Err(unreadable(format!("layout {}", record.version)));
    }
    Ok(Some(Stored { record, raw: Some(raw) }))
}

/// Writes a record where the store still holds what was read. A finished one is kept for so many days.
pub async fn save<M: Mattermost>(
    mattermost: &M,
    cluster: &str,
    stored: &mut Stored,
    days: u32,
) -> Result<(), LedgerError> {
    stored.record.version = VERSION;
    let key = prefix(cluster) + &stored.record.request.id;
    let raw = serde_json::to_vec(&stored.record)
        .map_err(|error| LedgerError::Unreadable { key: key.clone(), detail: error.to_string() })?;
    let expire_seconds = if stored.record.is_finished() { i64::from(days) * DAY } else { 0 };
    let swap = Swap { key: key.clone(), old: stored.raw.clone(), new: Some(raw.clone()), expire_seconds };
    match mattermost.kv_swap(swap).await {
        Ok(true) => {}
        Ok(false) => return Err(LedgerError::Conflict),
        // An answer that was lost says nothing about the write: look.
        Err(HostError::Unavailable(text)) => match mattermost.kv_get(&key).await? {
            Some(now) if now == raw => {}
            now if now == stored.raw => return Err(HostError::Unavailable(text).into()),
            _ => return Err(LedgerError::Conflict),
        },
        Err(error) => return Err(error.into()),
    }
    stored.raw = Some(raw);
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_record_reads_back_as_it_was_written() {
        let mut record = Record::new(AccessRequest { id: "id".into(), user: "ann".into(), ..Default::default() });
        record.postings.push(Posting::new("c".into(), Time(1)));
        let text = serde_json::to_string(&record).unwrap_or_default();
        assert_eq!(serde_json::from_str::<Record>(&text).ok(), Some(record));
    }

    #[test]
    fn a_record_of_the_first_layout_can_still_be_read() {
        let text = r#"{"version":1,"request":{"id":"i","user":"u","roles":["r"],"state":"pending","expires":5},"outcome":"pending",
            "revision":2,"postings":[{"channel_id":"c","intent_at":1,"post_id":"p","shown":2}]}"#;
        let record = serde_json::from_str::<Record>(text).ok();
        assert!(record.is_some_and(|record| record.is_shown() && !record.is_finished()));
    }

    #[test]
    fn a_post_is_repaired_three_times_in_ten_minutes_at_most() {
        let mut posting = Posting::new("c".into(), Time(0));
        let at = |minute: i64| Time(minute * 60_000);
        let repaired: Vec<bool> =
            [0, 1, 2, 3, 9, 10, 11].into_iter().map(|minute| posting.take_repair(at(minute))).collect();
        assert_eq!(repaired, [true, true, true, false, false, true, true]);
    }

    #[test]
    fn of_several_reminders_only_the_last_that_is_due_is_told() {
        let minutes = |count: u64| Duration::from_secs(count * 60);
        let at = |minute: i64| Time(minute * 60_000);
        let request = AccessRequest { created: Some(at(0)), expires: Some(at(120)), ..Default::default() };
        let mut record = Record::new(request);
        let reminders = [minutes(180), minutes(60), minutes(15)];
        assert_eq!(record.reminder_due(&reminders, at(59)), None, "it never lived for three hours");
        assert_eq!(record.reminder_due(&reminders, at(60)), Some(60));
        assert_eq!(record.reminder_due(&reminders, at(110)), Some(15));
        record.reminded.push(60);
        assert_eq!(record.reminder_due(&reminders, at(61)), None);
        assert_eq!(record.reminder_due(&reminders, at(105)), Some(15));
        record.reminded.push(15);
        assert_eq!(record.reminder_due(&reminders, at(119)), None);
        record.reminded.clear();
        assert_eq!(record.reminder_due(&reminders, at(120)), None, "it has expired");
        record.outcome = Outcome::Denied;
        assert_eq!(record.reminder_due(&reminders, at(110)), None);
    }

    #[test]
    fn a_record_is_finished_when_it_is_settled_and_every_post_says_so() {
        let mut record = Record::new(AccessRequest::default());
        record.postings.push(Posting { post_id: Some("p".into()), shown: 1, ..Posting::new("c".into(), Time(1)) });
        assert!(record.is_shown() && !record.is_finished());
        record.outcome = Outcome::Denied;
        assert!(record.is_finished());
        record.revision = 2;
        assert!(!record.is_finished());
        if let Some(posting) = record.postings.first_mut() {
            posting.gone = true;
        }
        assert!(record.is_finished());
    }
}
