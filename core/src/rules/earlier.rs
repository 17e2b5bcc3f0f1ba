//! Whether an earlier version of the plugin, one that did not keep what this one keeps, has worked on this server. Some
//! checks are stricter than they were then: a new installation begins with them, and after an upgrade an admin turns them
//! on.

use serde_json::Value;

use crate::mattermost::{HostError, Mattermost};
use crate::time::Time;

/// Keys a page of the store's listing.
const PAGE: i32 = 1_000;
/// Most records of requests that are looked into.
const MOST_RECORDS: usize = 200;

/// What of the store's keys tells of an earlier version.
#[derive(Debug, PartialEq, Eq)]
enum Trace<'a> {
    /// Nothing does.
    None,
    /// An attempt to decide that was made before this process began.
    Certain,
    /// A record of a request: its layout tells.
    Record(&'a str),
}

/// What a key tells. Everything of this version is made by a process that has asked this question first, so what is
/// younger than the process proves nothing.
fn trace(key: &str, started: Time) -> Trace<'_> {
    if key.starts_with("request:") {
        return Trace::Record(key);
    }
    let time = key.strip_prefix("audit:").and_then(|rest| rest.split(':').next());
    match time.and_then(|time| time.parse::<i64>().ok()) {
        Some(time) if time > 0 && time < started.0 => Trace::Certain,
        _ => Trace::None,
    }
}

/// Whether a record was last written by a version that did not note whose accounts the requester's could be. What cannot be
/// read proves nothing.
fn is_old(raw: &[u8]) -> bool {
    let record: Option<Value> = serde_json::from_slice(raw).ok();
    record.is_some_and(|record| record.get("request").is_some() && record.get("requester_known").is_none())
}

/// Whether the store tells of an earlier version. Asked once in the life of an installation, before anything is written
/// that could be mistaken for a trace; whatever is doubtful counts as none, for then the stricter check is on.
pub(crate) async fn version_was_here<M: Mattermost>(mattermost: &M, started: Time) -> Result<bool, HostError> {
    let mut records = 0;
    for page in 0.. {
        let keys = mattermost.kv_list(page, PAGE).await?;
        for key in &keys {
            match trace(key, started) {
                Trace::None => {}
                Trace::Certain => return Ok(true),
                Trace::Record(_) if records >= MOST_RECORDS => {}
                Trace::Record(key) => {
                    records += 1;
                    if mattermost.kv_get(key).await?.is_some_and(|raw| is_old(&raw)) {
                        return Ok(true);
                    }
                }
            }
        }
        if keys.len() < PAGE as usize {
            break;
        }
    }
    Ok(false)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_an_earlier_process_wrote_is_a_trace() {
        let started = Time(1_700_000_000_000);
        for (key, expected) in [
            ("audit:01699999999999:00ff", Trace::Certain),
            ("audit:01700000000000:00ff", Trace::None),
            ("audit:01700000000001:00ff", Trace::None),
            ("audit:heads", Trace::None),
            ("audit:00000000000000:00ff", Trace::None),
            ("request:tp:id", Trace::Record("request:tp:id")),
            ("bot_picture", Trace::None),
            ("sealing_key", Trace::None),
        ] {
            assert_eq!(trace(key, started), expected, "{key}");
        }
    }

    #[test]
    fn a_record_tells_by_its_layout_which_version_wrote_it() {
        assert!(is_old(br#"{"version":1,"request":{"id":"i"},"outcome":"pending"}"#));
        assert!(!is_old(br#"{"version":1,"request":{"id":"i"},"outcome":"pending","requester_known":false}"#));
        assert!(!is_old(b"{}"));
        assert!(!is_old(b"not a record"));
    }

    #[test]
    fn every_record_of_this_version_is_told_from_an_old_one() {
        let record = crate::ledger::Record::new(crate::teleport::AccessRequest::default());
        assert!(!is_old(&serde_json::to_vec(&record).unwrap_or_default()));
    }
}
