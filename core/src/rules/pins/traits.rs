//! Pins of the values of a trait: which account a value meant when the trait was first read.
//!
//! There may be many thousands of values, so they are kept apart from the other pins, spread over a few documents. Each cluster
//! has its own: none can fill another's, or name an account's future name first.

use std::collections::{BTreeMap, BTreeSet};

use futures::StreamExt as _;
use futures::stream;
use serde::{Deserialize, Serialize};

use super::{Entry, How, Kind, Pin, Row, meaning, row};
use crate::config::key;
use crate::confirmations::{Confirmation, kind};
use crate::mattermost::{HostError, Mattermost, Swap, User, UserBy};
use crate::messages::code;
use crate::time::Time;

/// How many documents a cluster has.
const SHARDS: u8 = 16;
/// Most values of one document.
const MOST_OF_SHARD: usize = 2_500;
/// Most values that are looked up at one reading; the rest counts for nobody until a later one.
const MOST_AT_ONCE: usize = 500;
/// How many are looked up at once.
const READERS: usize = 8;
/// How often a document is written while others write it.
const TRIES: u32 = 4;
/// Most values of a cluster that wait to be accepted, as listed.
const MOST_WAITING: usize = 100;
/// The version of the documents.
const VERSION: u32 = 1;

/// A value's pin, and who came later under its name.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
struct Value {
    pin: Pin,
    /// The id of an account that has the name and is not meant; empty: none has been seen.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    claimed: String,
}

#[derive(Debug, Serialize, Deserialize)]
struct Document {
    version: u32,
    values: BTreeMap<String, Value>,
}

/// Whom the values of a trait mean in a cluster.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct TraitPins {
    cluster: String,
    values: BTreeMap<String, Value>,
}

/// A value as it is compared: without `@` in front, in lower case.
fn plain(value: &str) -> String {
    let value = value.trim();
    value.strip_prefix('@').unwrap_or(value).to_lowercase()
}

fn shard(value: &str) -> u8 {
    value.bytes().fold(0_u8, |sum, byte| sum.wrapping_mul(31).wrapping_add(byte)) % SHARDS
}

fn shard_key(cluster: &str, shard: u8) -> String {
    format!("pins:trait:{cluster}:{shard}")
}

impl TraitPins {
    /// Values with the ids of the accounts that they mean.
    #[cfg(test)]
    pub(crate) fn of_values(values: &[(&str, &str)]) -> Self {
        let pin = |id: &str| Pin {
            id: id.to_owned(),
            name: String::new(),
            at: Time(0),
            how: How::FirstSeen,
            by: String::new(),
            custom: false,
        };
        let value = |id: &str| Value { pin: pin(id), claimed: String::new() };
        let values = values.iter().map(|(name, id)| (plain(name), value(id))).collect();
        Self { cluster: String::new(), values }
    }

    /// How a value of the trait stands to an account.
    #[must_use]
    pub fn row(&self, value: &str, user: &User) -> Row {
        let value = plain(value);
        row(self.values.get(&value).map(|value| &value.pin), &value, user)
    }

    /// The id of the account that a value means; none where it means nobody.
    #[must_use]
    pub fn id(&self, value: &str) -> Option<&str> {
        self.values.get(&plain(value)).map(|value| value.pin.id.as_str()).filter(|id| !id.is_empty())
    }

    /// Takes note, for the admins, of an account that has the name of a value without being meant by it.
    ///
    /// # Errors
    /// Where it could not be written down: then nobody is told.
    pub async fn claimed<M: Mattermost>(&self, mattermost: &M, value: &str, user: &User) -> Result<(), HostError> {
        let value = plain(value);
        let known = self.values.get(&value).is_some_and(|known| known.pin.id == user.id || known.claimed == user.id);
        if known || row(None, &value, user) != Row::Against {
            return Ok(());
        }
        change(mattermost, &self.cluster, shard(&value), |values| match values.get_mut(&value) {
            Some(known) if known.claimed != user.id => {
                known.claimed.clone_from(&user.id);
                true
            }
            _ => false,
        })
        .await
        .map(|_| ())
    }
}

async fn read<M: Mattermost>(
    mattermost: &M,
    cluster: &str,
    shard: u8,
) -> Result<(Option<Vec<u8>>, BTreeMap<String, Value>), HostError> {
    let raw = mattermost.kv_get(&shard_key(cluster, shard)).await?;
    let Some(bytes) = &raw else { return Ok((None, BTreeMap::new())) };
    let unreadable = |why: String| HostError::Invalid(format!("the pins of the trait cannot be read ({why})"));
    let document: Document = serde_json::from_slice(bytes).map_err(|error| unreadable(error.to_string()))?;
    if document.version > VERSION {
        return Err(unreadable("a newer version of the plugin wrote them".to_owned()));
    }
    Ok((raw, document.values))
}

/// Changes one document; `change` says whether there is anything to change.
async fn change<M: Mattermost>(
    mattermost: &M,
    cluster: &str,
    shard: u8,
    mut change: impl FnMut(&mut BTreeMap<String, Value>) -> bool,
) -> Result<BTreeMap<String, Value>, HostError> {
    for _ in 0..TRIES {
        let (old, mut values) = read(mattermost, cluster, shard).await?;
        if !change(&mut values) {
            return Ok(values);
        }
        let document = Document { version: VERSION, values };
        let new = serde_json::to_vec(&document).map_err(|error| HostError::Invalid(error.to_string()))?;
        let swap = Swap { key: shard_key(cluster, shard), old, new: Some(new), expire_seconds: 0 };
        if mattermost.kv_swap(swap).await? {
            return Ok(document.values);
        }
    }
    Err(HostError::Unavailable("the pins of the trait are being changed by others".to_owned()))
}

fn entry(value: &str) -> Entry {
    let kind = if value.contains('@') { Kind::Email } else { Kind::User };
    Entry { setting: key::USER_TRAIT, kind, text: value.to_owned() }
}

/// Whom the values of a trait mean in a cluster. Values that are read for the first time are pinned to the account that they mean now;
/// a value that nobody has counts for nobody until an admin accepts who comes.
///
/// # Errors
/// Where the store cannot be asked.
pub async fn of_trait<M: Mattermost>(
    mattermost: &M,
    cluster: &str,
    now: Time,
    values: impl IntoIterator<Item = &str>,
) -> Result<TraitPins, HostError> {
    let mut wanted: BTreeMap<u8, BTreeSet<String>> = BTreeMap::new();
    for value in values.into_iter().map(plain).filter(|value| !value.is_empty()) {
        wanted.entry(shard(&value)).or_default().insert(value);
    }
    let mut found = TraitPins { cluster: cluster.to_owned(), values: BTreeMap::new() };
    let mut left = MOST_AT_ONCE;
    let mut failed = None;
    for (shard, wanted) in wanted {
        let (_, mut known) = read(mattermost, cluster, shard).await?;
        let room = MOST_OF_SHARD.saturating_sub(known.len());
        let unseen: Vec<Entry> = wanted
            .iter()
            .filter(|value| !known.contains_key(*value))
            .take(left.min(room))
            .map(|value| entry(value))
            .collect();
        if !unseen.is_empty() {
            left = left.saturating_sub(unseen.len());
            let look = |entry: Entry| async move { (meaning(mattermost, &entry).await, entry) };
            let looked: Vec<_> = stream::iter(unseen).map(look).buffered(READERS).collect().await;
            let mut fresh: Vec<(String, Pin)> = Vec::new();
            for (meaning, entry) in looked {
                match meaning {
                    Ok(meaning) => fresh.push((entry.text.clone(), meaning.pin(&entry, How::FirstSeen, now, false))),
                    // What could not be looked up is not what means nobody: whoever asks has to ask again.
                    Err(error) => failed = Some(error),
                }
            }
            known = change(mattermost, cluster, shard, |values| {
                let before = values.len();
                for (value, pin) in &fresh {
                    // Somebody else may have added others meanwhile.
                    if values.len() >= MOST_OF_SHARD {
                        break;
                    }
                    values.entry(value.clone()).or_insert_with(|| Value { pin: pin.clone(), claimed: String::new() });
                }
                values.len() != before
            })
            .await?;
        }
        found.values.extend(known.into_iter().filter(|(value, _)| wanted.contains(value)));
    }
    failed.map_or(Ok(found), Err)
}

/// An account that came later under the name of a value, and still has it.
struct Claim {
    cluster: String,
    value: String,
    known: Value,
    user: User,
}

impl Claim {
    fn id(&self) -> String {
        format!("{}:{}|{}:{}", kind::PIN, self.cluster, entry(&self.value).key(), self.known.claimed)
    }

    fn in_words(&self) -> Confirmation {
        let Self { cluster, value, known, user } = self;
        let before = match known.pin.id.as_str() {
            "" => "nobody".to_owned(),
            id => format!("{} (id {})", code(&known.pin.name), code(id)),
        };
        Confirmation {
            id: self.id(),
            setting: key::USER_TRAIT.to_owned(),
            message: format!(
                "The trait's value {} of cluster {} meant {before} when it was first read. Now @{} (id {}) has that name, and counts as nobody by the trait until you accept the account.",
                code(value),
                code(cluster),
                user.username,
                code(&user.id)
            ),
            action: "Accept".to_owned(),
            urgent: false,
        }
    }
}

/// The accounts that came later under the names of a cluster's values, and still have them.
async fn claims<M: Mattermost>(mattermost: &M, cluster: &str) -> Result<Vec<Claim>, HostError> {
    let mut claims = Vec::new();
    for shard in 0..SHARDS {
        for (value, known) in read(mattermost, cluster, shard).await?.1 {
            if known.claimed.is_empty() || known.claimed == known.pin.id || claims.len() >= MOST_WAITING {
                continue;
            }
            match mattermost.get_user(UserBy::Id(known.claimed.clone())).await {
                Ok(user) if user.delete_at == 0 && row(None, &value, &user) == Row::Against => {
                    claims.push(Claim { cluster: cluster.to_owned(), value, known, user });
                }
                Ok(_) | Err(HostError::NotFound(_) | HostError::Invalid(_)) => {}
                Err(error) => return Err(error),
            }
        }
    }
    Ok(claims)
}

/// The values of these clusters whose accounts an admin can accept.
pub(super) async fn waiting<M: Mattermost>(
    mattermost: &M,
    clusters: &[String],
) -> Result<Vec<Confirmation>, HostError> {
    let mut waiting = Vec::new();
    for cluster in clusters {
        waiting.extend(claims(mattermost, cluster).await?.iter().map(Claim::in_words));
    }
    Ok(waiting)
}

/// Accepts the account of a value; none where the id is not of a value of these clusters.
pub(super) async fn confirm<M: Mattermost>(
    mattermost: &M,
    clusters: &[String],
    (admin_id, now): (&str, Time),
    id: &str,
) -> Result<Option<String>, HostError> {
    for cluster in clusters {
        if let Some(claim) = claims(mattermost, cluster).await?.into_iter().find(|claim| claim.id() == id) {
            return accept(mattermost, &claim, (admin_id, now)).await;
        }
    }
    Ok(None)
}

async fn accept<M: Mattermost>(
    mattermost: &M,
    claim: &Claim,
    (admin_id, now): (&str, Time),
) -> Result<Option<String>, HostError> {
    let Claim { cluster, value, known, user } = claim;
    let pin = Pin {
        id: user.id.clone(),
        name: format!("@{}", user.username),
        at: now,
        how: How::Accepted,
        by: admin_id.to_owned(),
        custom: false,
    };
    let values = change(mattermost, cluster, shard(value), |values| {
        let as_listed = values.get(value) == Some(known);
        if as_listed {
            values.insert(value.clone(), Value { pin: pin.clone(), claimed: String::new() });
        }
        as_listed
    })
    .await?;
    let accepted = values.get(value).is_some_and(|value| value.pin == pin);
    Ok(accepted.then(|| format!("{} now means @{}.", code(value), user.username)))
}
