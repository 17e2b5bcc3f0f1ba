//! The hash chain: each entry carries the hash of the one before it, so that none can be changed, taken out or put in
//! unnoticed. A chain belongs to one process; it has one writer and a random name.
//!
//! A link is a line: the entry as a JSON object with the link's own fields at its end. It is stored, exported and hashed
//! in exactly these bytes.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};

use crate::time::Time;

/// What is hashed begins with it, so that no other hash is ever taken for a link's.
const LINK: &str = "teleport-access audit link 1";
/// What is signed begins with it, so that no other signature of the key is ever taken for a checkpoint's.
const CHECKPOINT: &str = "teleport-access audit checkpoint 1";
/// What stands between an entry and its link.
const BETWEEN: &str = ",\"link\":";

/// The place of an entry in its chain.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Link {
    /// The chain's name, in hex.
    pub chain: String,
    /// Counts the links of the chain, from 1.
    pub seq: u64,
    /// When it was written. Never earlier than the link before it.
    pub at: Time,
    /// The hash of the link before it, in hex; empty in the first.
    pub prev: String,
    /// The hash of all of that and the entry, in hex.
    pub hash: String,
}

/// The end of a chain at some moment.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Head {
    /// The chain's name.
    pub chain: String,
    /// The last link's number.
    pub seq: u64,
    /// When it was written.
    pub time: Time,
    /// Its hash.
    pub hash: String,
}

impl fmt::Display for Head {
    /// As people note it: `chain:number:time:hash`.
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{}:{}:{}:{}", self.chain, self.seq, self.time.0, self.hash)
    }
}

impl FromStr for Head {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let parts: Vec<&str> = text.trim().split(':').collect();
        let head = match parts.as_slice() {
            [chain, seq, time, hash] if is_name(chain) && is_hash(hash) => {
                seq.parse().ok().zip(time.parse().ok()).map(|(seq, time)| Self {
                    chain: (*chain).to_owned(),
                    seq,
                    time: Time(time),
                    hash: (*hash).to_owned(),
                })
            }
            _ => None,
        };
        head.ok_or_else(|| {
            let shown: String = text.chars().take(100).collect();
            format!("{shown:?} is not a head. Write it as it was posted: chain:number:time:hash.")
        })
    }
}

/// Whether a text can be the name of a chain.
pub(super) fn is_name(text: &str) -> bool {
    (1..=32).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_hexdigit())
}

fn is_hash(text: &str) -> bool {
    text.len() == 64 && text.bytes().all(|byte| byte.is_ascii_hexdigit())
}

/// Bytes as hex digits.
pub(super) fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// Hex digits as bytes; none where they are none.
pub(super) fn unhex(text: &str) -> Option<Vec<u8>> {
    if !text.len().is_multiple_of(2) || !text.is_ascii() {
        return None;
    }
    (0..text.len()).step_by(2).map(|at| u8::from_str_radix(text.get(at..at + 2)?, 16).ok()).collect()
}

/// The hash of a link: of its place, the hash before it, and the entry's exact text.
fn hash(chain: &str, seq: u64, at: Time, prev: &str, entry: &str) -> String {
    hex(&Sha256::digest(format!("{LINK}\n{chain}\n{seq}\n{}\n{prev}\n{entry}", at.0)))
}

/// The end of a chain that is being written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Tail {
    chain: String,
    seq: u64,
    at: Time,
    hash: String,
}

impl Tail {
    /// The end of a chain without links.
    #[must_use]
    pub fn new(chain: String) -> Self {
        Self { chain, seq: 0, at: Time(i64::MIN), hash: String::new() }
    }

    /// The chain's name.
    #[must_use]
    pub fn chain(&self) -> &str {
        &self.chain
    }

    /// When the last link was written.
    #[must_use]
    pub fn at(&self) -> Time {
        self.at
    }

    /// The last link as others may note it; none where there is none.
    #[must_use]
    pub fn head(&self) -> Option<Head> {
        let head = Head { chain: self.chain.clone(), seq: self.seq, time: self.at, hash: self.hash.clone() };
        (self.seq > 0).then_some(head)
    }

    /// Adds a link: the line that is to be stored. None where the entry is not a JSON object with anything in it.
    pub fn append(&mut self, now: Time, entry: &str) -> Option<String> {
        let open = entry.strip_suffix('}').filter(|open| open.len() > 1 && open.starts_with('{'))?;
        let (seq, at) = (self.seq + 1, self.at.max(now));
        let hash = hash(&self.chain, seq, at, &self.hash, entry);
        let prev = std::mem::replace(&mut self.hash, hash.clone());
        let link = Link { chain: self.chain.clone(), seq, at, prev, hash };
        (self.seq, self.at) = (seq, at);
        Some(format!("{open}{BETWEEN}{}}}", serde_json::to_string(&link).ok()?))
    }

    /// Takes a link that stands in the store already as the last one; false where it does not follow.
    pub fn adopt(&mut self, line: &str) -> bool {
        let Some((_, link)) = split(line) else { return false };
        let follows = link.chain == self.chain && link.seq == self.seq + 1 && link.prev == self.hash;
        if follows {
            (self.seq, self.at, self.hash) = (link.seq, link.at, link.hash);
        }
        follows
    }
}

/// The entry's text and its link; none where the line is no link, as in entries of earlier versions.
#[must_use]
pub fn split(line: &str) -> Option<(String, Link)> {
    // No text within an entry has a quotation mark that is not escaped.
    let (open, link) = line.trim_end().strip_suffix('}')?.rsplit_once(BETWEEN)?;
    let link: Link = serde_json::from_str(link).ok()?;
    is_name(&link.chain).then(|| (format!("{open}}}"), link))
}

/// Whether a link's hash is that of its entry and place.
#[must_use]
pub fn is_intact(entry: &str, link: &Link) -> bool {
    hash(&link.chain, link.seq, link.at, &link.prev, entry) == link.hash
}

/// What is signed of a checkpoint.
#[must_use]
pub fn to_sign(time: Time, kept_days: u32, heads: &[Head]) -> String {
    let mut text = format!("{CHECKPOINT}\n{}\n{kept_days}\n", time.0);
    heads.iter().for_each(|head| text.push_str(&format!("{head}\n")));
    text
}

/// Whether what is to be signed of a checkpoint was signed with a key; signature and key in hex.
#[must_use]
pub fn is_signed(text: &str, signature: &str, public_key: &str) -> bool {
    let signature = unhex(signature).and_then(|bytes| ed25519_compact::Signature::from_slice(&bytes).ok());
    let key = unhex(public_key).and_then(|bytes| ed25519_compact::PublicKey::from_slice(&bytes).ok());
    key.zip(signature).is_some_and(|(key, signature)| key.verify(text, &signature).is_ok())
}
