//! Whether anything is missing from the audit trail or was changed. No I/O: lines come in the order of an export.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::time::Duration;

use super::chain::{self, Head, Link};
use super::entry::{Entry, Result};
use crate::time::Time;

/// Most findings that are listed; there may be one a link.
const MOST_FINDINGS: usize = 50;

/// What the trail is compared with.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Against {
    /// Heads that were noted elsewhere. Each must stand in the trail.
    pub heads: Vec<Head>,
    /// The key that checkpoints must be signed with, in hex; empty: any.
    pub key: String,
    /// The file is the export of a period: what is before and after it is not missing.
    pub is_part: bool,
}

/// What was found.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Report {
    /// Links that were read.
    pub links: u64,
    /// Chains that they belong to.
    pub chains: usize,
    /// Entries of versions that had no chains yet: nothing protects them.
    pub unchained: u64,
    /// What is wrong. Empty: nothing is missing, and nothing was changed.
    pub findings: Vec<String>,
    /// Findings that are not listed.
    pub more_findings: usize,
    /// The keys that checkpoints were signed with.
    pub keys: Vec<String>,
    /// Checkpoints without a signature.
    pub unsigned: u64,
    /// The ends of the chains, to be noted elsewhere.
    pub heads: Vec<Head>,
}

impl fmt::Display for Report {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { links, chains, .. } = self;
        if self.findings.is_empty() {
            writeln!(formatter, "Nothing is missing and nothing was changed: {links} entries in {chains} chains.")?;
        } else {
            writeln!(formatter, "Something is missing or was changed ({links} entries in {chains} chains):")?;
        }
        self.findings.iter().try_for_each(|finding| writeln!(formatter, "- {finding}"))?;
        if self.more_findings > 0 {
            writeln!(formatter, "- and {} more", self.more_findings)?;
        }
        if self.unchained > 0 {
            writeln!(formatter, "{} entries are from versions without chains; nothing protects them.", self.unchained)?;
        }
        if self.unsigned > 0 {
            writeln!(formatter, "{} checkpoints are not signed.", self.unsigned)?;
        }
        for key in &self.keys {
            writeln!(formatter, "Signed with the key {key}. Compare it with the one that you have noted.")?;
        }
        Ok(())
    }
}

/// What was read of one chain.
#[derive(Debug, Default)]
struct Seen {
    /// Numbers and hashes of its links, ascending.
    links: Vec<(u64, [u8; 32])>,
    /// The last link.
    last: Option<Link>,
    /// Numbers that are missing: from the first to before the second.
    gaps: Vec<(u64, u64)>,
}

/// A head that somebody named.
struct Claim {
    head: Head,
    /// Who, for the finding.
    by: &'static str,
    /// Whether it stands for what is gone before it, once that has been kept for long enough: it is signed.
    is_checkpoint: bool,
    /// How long what was written then is kept, where that is known.
    kept: Option<Duration>,
}

/// Reads a trail line by line.
pub struct Verifier {
    against: Against,
    chains: BTreeMap<String, Seen>,
    claims: Vec<Claim>,
    keys: BTreeSet<String>,
    /// How long entries are kept, as the last checkpoint says.
    kept: Option<Duration>,
    report: Report,
}

fn bytes(hash: &str) -> [u8; 32] {
    chain::unhex(hash).and_then(|bytes| bytes.try_into().ok()).unwrap_or_default()
}

impl Verifier {
    /// One that has read nothing yet.
    #[must_use]
    pub fn new(against: Against) -> Self {
        let noted = |head: &Head| Claim { head: head.clone(), by: "noted elsewhere", is_checkpoint: false, kept: None };
        let claims = against.heads.iter().map(noted).collect();
        let (chains, keys) = (BTreeMap::new(), BTreeSet::new());
        Self { against, chains, claims, keys, kept: None, report: Report::default() }
    }

    fn find(&mut self, finding: String) {
        if self.report.findings.len() < MOST_FINDINGS {
            self.report.findings.push(finding);
        } else {
            self.report.more_findings += 1;
        }
    }

    /// Takes the next line of an export.
    pub fn read(&mut self, line: &str) {
        if line.trim().is_empty() {
            return;
        }
        let Some((text, link)) = chain::split(line) else {
            if serde_json::from_str::<Entry>(line).is_ok_and(|entry| entry.id.is_empty()) {
                self.report.unchained += 1;
            } else {
                let shown: String = line.chars().take(80).collect();
                self.find(format!("A line is not an entry of the trail: {shown}"));
            }
            return;
        };
        self.report.links += 1;
        let place = format!("Link {} of chain {} ({})", link.seq, link.chain, link.at);
        if !chain::is_intact(&text, &link) {
            self.find(format!("{place} was changed."));
        }
        match serde_json::from_str::<Entry>(&text) {
            Ok(entry) => self.heads_of(entry, &place),
            Err(error) => self.find(format!("{place} cannot be read: {error}.")),
        }
        if let Some(finding) = self.chains.entry(link.chain.clone()).or_default().take(link) {
            self.find(format!("{place} {finding}"));
        }
    }

    /// Takes the heads that an entry names.
    fn heads_of(&mut self, entry: Entry, place: &str) {
        let mut is_checkpoint = false;
        if entry.result == Result::Checkpoint {
            if entry.signature.is_empty() {
                self.report.unsigned += 1;
            } else if !chain::is_signed(
                &chain::to_sign(entry.time, entry.kept_days, &entry.heads),
                &entry.signature,
                &entry.public_key,
            ) {
                self.find(format!("{place} is a checkpoint whose signature is wrong."));
            } else if !self.against.key.is_empty() && !self.against.key.eq_ignore_ascii_case(&entry.public_key) {
                self.find(format!("{place} is a checkpoint that was signed with another key, {}.", entry.public_key));
            } else {
                self.keys.insert(entry.public_key);
                is_checkpoint = true;
            }
        }
        let kept = (entry.kept_days > 0).then(|| Duration::from_secs(u64::from(entry.kept_days) * 86_400));
        if is_checkpoint {
            self.kept = kept;
        }
        let by = if entry.result == Result::Checkpoint { "named by a checkpoint" } else { "named by another chain" };
        self.claims.extend(entry.heads.into_iter().map(|head| Claim { head, by, is_checkpoint, kept }));
    }

    /// Whether what was written then may be gone by now.
    fn is_past(&self, claim: &Claim, now: Time) -> bool {
        claim.kept.or(self.kept).is_some_and(|kept| claim.head.time <= now.minus(kept))
    }

    /// Whether links before this one of a chain may be gone: a checkpoint stands for them that is old enough.
    fn is_excused(&self, chain: &str, before: u64, now: Time) -> bool {
        let stands_for = |claim: &Claim| {
            let covers = claim.head.chain == chain && claim.head.seq + 1 >= before;
            claim.is_checkpoint && covers && self.is_past(claim, now)
        };
        self.claims.iter().any(stands_for)
    }

    /// What was found, when everything has been read.
    #[must_use]
    pub fn finish(mut self, now: Time) -> Report {
        let chains = std::mem::take(&mut self.chains);
        for (name, seen) in &chains {
            for (from, to) in &seen.gaps {
                let is_before = self.against.is_part && *from == 1;
                if !is_before && !self.is_excused(name, *to, now) {
                    self.find(format!("Links {from} to {} of chain {name} are missing.", to - 1));
                }
            }
        }
        let mut claims: Vec<Claim> = std::mem::take(&mut self.claims);
        claims.sort_by(|one, other| one.head.cmp(&other.head));
        claims.dedup_by(|one, other| one.head == other.head);
        let mut noted = Vec::new();
        for claim in claims {
            match self.compare(&claim, chains.get(&claim.head.chain), now) {
                // What somebody noted comes first, and is never cut off.
                Some(finding) if self.against.heads.contains(&claim.head) => noted.push(finding),
                Some(finding) => self.find(finding),
                None => {}
            }
        }
        noted.append(&mut self.report.findings);
        self.report.findings = noted;
        let last = |seen: &Seen| seen.last.clone();
        self.report.chains = chains.len();
        self.report.keys = self.keys.into_iter().collect();
        self.report.heads = chains
            .values()
            .filter_map(last)
            .map(|link| Head { chain: link.chain, seq: link.seq, time: link.at, hash: link.hash })
            .collect();
        self.report
    }

    /// What is wrong with the chain, if it is not as somebody says it was.
    fn compare(&self, claim: &Claim, seen: Option<&Seen>, now: Time) -> Option<String> {
        let Head { chain, seq, time, hash } = &claim.head;
        let noted = self.against.heads.contains(&claim.head);
        let outside = self.against.is_part && !noted;
        let may_be_gone = outside || self.is_past(claim, now);
        let found = seen.and_then(|seen| {
            let at = seen.links.binary_search_by_key(seq, |(seq, _)| *seq).ok()?;
            seen.links.get(at)
        });
        match (seen, found) {
            (_, Some((_, found))) if *found == bytes(hash) => None,
            (_, Some(_)) => Some(format!("Link {seq} of chain {chain} is not the one that was {} ({time}).", claim.by)),
            (_, None) if may_be_gone => None,
            (None, None) => Some(format!("Chain {chain} is missing. Its link {seq} ({time}) was {}.", claim.by)),
            (Some(seen), None) if seen.last.as_ref().is_some_and(|last| last.seq < *seq) => {
                Some(format!("The end of chain {chain} is missing. Its link {seq} ({time}) was {}.", claim.by))
            }
            // It is in a gap, which is a finding already; unless what was noted elsewhere is older than the file.
            (Some(_), None) => {
                noted.then(|| format!("Link {seq} of chain {chain} ({time}) is missing. It was {}.", claim.by))
            }
        }
    }
}

impl Seen {
    /// Takes the next link; answers what is wrong with its place.
    fn take(&mut self, link: Link) -> Option<&'static str> {
        let (expected, prev) = self.last.as_ref().map_or((1, String::new()), |last| (last.seq + 1, last.hash.clone()));
        if link.seq < expected {
            let known = self.links.binary_search_by_key(&link.seq, |(seq, _)| *seq).ok();
            // What was missing so far may only be in the wrong place, and that is enough of a finding.
            self.gaps.retain(|(from, to)| !(*from <= link.seq && link.seq < *to && to - from == 1));
            let twice = known.is_some();
            return Some(if twice { "is there twice." } else { "is not in its place." });
        }
        let wrong = if link.seq > expected {
            self.gaps.push((expected, link.seq));
            None
        } else if link.prev != prev {
            Some("does not follow the link before it.")
        } else {
            None
        };
        self.links.push((link.seq, bytes(&link.hash)));
        self.last = Some(link);
        wrong
    }
}

#[cfg(test)]
mod tests;
