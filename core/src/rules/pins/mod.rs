//! Pins: what the names in the settings meant when an admin entered them.
//!
//! Usernames, groups' names, channels' addresses and e-mail addresses change hands. So each entry of the settings has a pin,
//! the id that its name meant when it was entered. Where somebody gets a right from an entry, name and id must agree; where
//! a request is posted, the id decides; and what counts against somebody counts by either.

mod accept;
mod meaning;
mod renamed;
mod settle;
mod store;
mod traits;

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use serde::{Deserialize, Serialize};

pub(crate) use accept::{check, confirm, waiting};
pub use meaning::{Meaning, Named, Standing, judge, meaning};
pub(crate) use settle::keep_settled;
pub use settle::{Settled, added, settle};
pub use store::{let_through, load};
pub use traits::{TraitPins, of_trait};

use crate::config::{Approver, Person, Recipient, Settings, key};
use crate::mattermost::User;
use crate::time::Time;

/// Most entries of the settings that are looked at; those beyond count for nobody.
const MOST_ENTRIES: usize = 2_000;

/// What an entry names.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Kind {
    /// An account by its username.
    User,
    /// Accounts by their usernames, which only blanks separate.
    Words,
    /// An account by its e-mail address.
    Email,
    /// A synchronised group.
    Group,
    /// A group that is made in Mattermost.
    CustomGroup,
    /// A channel by team and name.
    Channel,
}

impl Kind {
    /// Its name in the store.
    fn name(self) -> &'static str {
        match self {
            Self::User => "user",
            Self::Words => "words",
            Self::Email => "email",
            Self::Group => "group",
            Self::CustomGroup => "custom-group",
            Self::Channel => "channel",
        }
    }
}

/// A name in the settings.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Entry {
    /// The setting; for all recipients, wherever they are named, that of the recipients.
    pub setting: &'static str,
    /// What it names.
    pub kind: Kind,
    /// The name, in lower case.
    pub text: String,
}

impl Entry {
    fn new(setting: &'static str, kind: Kind, text: &str) -> Self {
        Self { setting, kind, text: text.to_owned() }
    }

    /// What it is stored under.
    #[must_use]
    pub fn key(&self) -> String {
        format!("{}|{}|{}", self.setting, self.kind.name(), self.text)
    }

    /// Whether requests are posted there: then the id decides.
    #[must_use]
    pub fn is_destination(&self) -> bool {
        self.setting == key::RECIPIENTS
    }

    pub(crate) fn of_approver(approver: &Approver) -> Option<Self> {
        let (kind, text) = match approver {
            Approver::Username(name) => (Kind::User, name.clone()),
            Approver::Words(words) => (Kind::Words, words.join(" ")),
            Approver::Group(name) => (Kind::Group, name.clone()),
            Approver::CustomGroup(name) => (Kind::CustomGroup, name.clone()),
            _ => return None,
        };
        Some(Self::new(key::APPROVERS, kind, &text))
    }

    pub(crate) fn of_person(person: &Person) -> Self {
        let kind = if person.mattermost.contains('@') { Kind::Email } else { Kind::User };
        Self::new(key::USER_MAPPING, kind, &person.mattermost)
    }

    /// None for a recipient that is an id already.
    pub(crate) fn of_recipient(recipient: &Recipient) -> Option<Self> {
        let (kind, text) = match recipient {
            Recipient::Channel { team, channel } => (Kind::Channel, format!("{team}/{channel}")),
            Recipient::ChannelId(_) => return None,
            Recipient::Username(name) => (Kind::User, name.clone()),
            Recipient::Email(email) => (Kind::Email, email.clone()),
        };
        Some(Self::new(key::RECIPIENTS, kind, &text))
    }
}

impl fmt::Display for Entry {
    /// Writes it the way it is given in the settings.
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.kind {
            Kind::User => write!(formatter, "@{}", self.text),
            Kind::Group | Kind::CustomGroup => write!(formatter, "{}:{}", self.kind.name(), self.text),
            Kind::Words | Kind::Email | Kind::Channel => formatter.write_str(&self.text),
        }
    }
}

/// All entries of the settings that name somebody or something, each once.
#[must_use]
pub fn entries(settings: &Settings) -> Vec<Entry> {
    let who = settings.approvers.iter().flat_map(|rule| &rule.who).filter_map(Entry::of_approver);
    let people = settings.people.iter().map(Entry::of_person);
    let of_clusters = settings.clusters.iter().flat_map(|cluster| &cluster.recipients);
    let of_roles = settings.role_recipients.iter().flat_map(|rule| &rule.recipients);
    let recipients = settings.recipients.iter().chain(of_clusters).chain(of_roles).chain(&settings.audit_channel);
    let recipients = recipients.filter_map(Entry::of_recipient);
    let all: BTreeSet<Entry> = recipients.chain(who).chain(people).take(MOST_ENTRIES).collect();
    all.into_iter().collect()
}

/// How an entry came by its pin.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum How {
    /// An admin saved the entry.
    Saved,
    /// The plugin saw the entry for the first time without having seen it saved.
    FirstSeen,
    /// A system admin accepted what it means.
    Accepted,
}

/// What an entry meant.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Pin {
    /// The id that the name meant; empty: nobody's. Several, with blanks between them, for several names.
    pub id: String,
    /// What that was called then.
    #[serde(default)]
    pub name: String,
    /// When.
    pub at: Time,
    /// How it came.
    pub how: How,
    /// The admin who accepted it.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub by: String,
    /// Whether it is a custom group that was accepted for an entry `group:name`.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub custom: bool,
}

/// How a row of the user table, or a trait, stands to an account.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Row {
    /// Name and id agree: the account is meant.
    For,
    /// Only one of them does, or nobody has verified the address: it counts against the account, never for it.
    Against,
    /// The account is not meant.
    Other,
}

/// All pins.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Pins {
    entries: BTreeMap<String, Pin>,
    /// By an entry's key: which other name of it the admins were told.
    renamed: BTreeMap<String, String>,
}

impl Pins {
    /// Pins of lines of the user table: name and id.
    #[cfg(test)]
    pub(crate) fn of_people(people: &[(&str, &str)]) -> Self {
        let pin = |id: &str| Pin {
            id: id.to_owned(),
            name: String::new(),
            at: Time(0),
            how: How::Saved,
            by: String::new(),
            custom: false,
        };
        let entry = |name: &str| {
            let person = Person { cluster: String::new(), mattermost: name.to_owned(), teleport: String::new() };
            Entry::of_person(&person).key()
        };
        let entries = people.iter().map(|(name, id)| (entry(name), pin(id))).collect();
        Self { entries, ..Self::default() }
    }

    /// These pins, with those of entries that are not saved yet.
    #[must_use]
    pub(crate) fn with(mut self, fresh: Vec<(Entry, Pin)>) -> Self {
        self.entries.extend(fresh.into_iter().map(|(entry, pin)| (entry.key(), pin)));
        self
    }

    /// The pin of an entry, also if it is nobody's.
    #[must_use]
    pub fn get(&self, entry: &Entry) -> Option<&Pin> {
        self.entries.get(&entry.key())
    }

    /// The pin of an entry that means something.
    fn meaning_of(&self, entry: &Entry) -> Option<&Pin> {
        self.get(entry).filter(|pin| !pin.id.is_empty())
    }

    /// The pin of an approver's entry; none where the approver is not a name or means nobody.
    #[must_use]
    pub fn approver(&self, approver: &Approver) -> Option<&Pin> {
        self.meaning_of(&Entry::of_approver(approver)?)
    }

    /// Whether an approver that names accounts means this one: by name and id.
    #[must_use]
    pub fn names(&self, approver: &Approver, user: &User) -> bool {
        let Some(pin) = self.approver(approver) else { return false };
        let username = user.username.to_lowercase();
        match approver {
            Approver::Username(name) => pin.id == user.id && username == *name,
            Approver::Words(words) => {
                let mut pairs = words.iter().zip(pin.id.split(' '));
                pairs.any(|(word, id)| id == user.id && username == *word)
            }
            _ => false,
        }
    }

    /// How a row of the user table stands to an account, whatever cluster the row is about.
    #[must_use]
    pub fn row(&self, person: &Person, user: &User) -> Row {
        let pin = self.get(&Entry::of_person(person));
        row(pin, &person.mattermost, user)
    }

    /// The id that requests for this recipient are posted to: a channel's, or an account's for a direct message.
    #[must_use]
    pub fn destination(&self, recipient: &Recipient) -> Option<&str> {
        self.meaning_of(&Entry::of_recipient(recipient)?).map(|pin| pin.id.as_str())
    }

    /// Whether this entry has been looked at, whatever came of it.
    #[must_use]
    pub fn knows(&self, entry: &Entry) -> bool {
        self.get(entry).is_some()
    }
}

/// How a name, a username or an e-mail address in lower case, and its pin stand to an account.
fn row(pin: Option<&Pin>, name: &str, user: &User) -> Row {
    let by_email = name.contains('@');
    let called = if by_email { user.email.to_lowercase() } else { user.username.to_lowercase() };
    let same_name = called == name;
    let same_id = pin.is_some_and(|pin| !user.id.is_empty() && pin.id == user.id);
    let vouched = !by_email || user.email_verified || pin.is_some_and(|pin| pin.how == How::Accepted);
    match (same_name, same_id) {
        (true, true) if vouched => Row::For,
        (false, false) => Row::Other,
        _ => Row::Against,
    }
}

#[cfg(test)]
mod tests;
