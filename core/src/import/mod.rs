//! Settings from and to TOML files: those of Teleport's own Mattermost plugin, of every version, and our own.

mod export;
mod file;
mod reader;

use std::fmt;

use serde::Serialize;
use serde_json::{Map, Value};

use crate::config::key;

pub use export::export;

/// What an import gives.
#[derive(Debug, Clone, Default, PartialEq, Serialize)]
pub struct Imported {
    /// The settings, by the names in `plugin.json`.
    pub settings: Map<String, Value>,
    /// What an admin should know about it, in the order of the file.
    pub notes: Vec<Note>,
}

/// Something that an admin should know about an import: a key that is not needed any more, or one that is still missing.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Note {
    /// The line of the file that it is about, counted from 1; none: the whole file.
    pub line: Option<usize>,
    /// The note.
    pub text: String,
}

/// Something in the file that cannot be used.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct ImportError {
    /// The line of the file, counted from 1; none: the whole file.
    pub line: Option<usize>,
    /// The key with its section, such as `teleport.addr`; empty where the file's form is wrong.
    pub key: String,
    /// What is wrong and what to do.
    pub message: String,
}

impl fmt::Display for ImportError {
    /// `line 3: teleport.addr: what is wrong`, without what is not known.
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(line) = self.line {
            write!(formatter, "line {line}: ")?;
        }
        if !self.key.is_empty() {
            write!(formatter, "{}: ", self.key)?;
        }
        formatter.write_str(&self.message)
    }
}

/// Reads a configuration file. Either all of it can be used, or all that is wrong is told.
pub fn import(text: &str) -> Result<Imported, Vec<ImportError>> {
    reader::settings(file::read(text)?)
}

/// Reads a configuration file from its bytes.
pub fn import_bytes(bytes: &[u8]) -> Result<Imported, Vec<ImportError>> {
    match std::str::from_utf8(bytes) {
        Ok(text) => import(text),
        Err(error) => {
            let before = bytes.get(..error.valid_up_to()).unwrap_or_default();
            let line = before.iter().filter(|byte| **byte == b'\n').count() + 1;
            let message = "This is no UTF-8 text. Save the file as UTF-8, without anything else in it.".to_owned();
            Err(vec![ImportError { line: Some(line), key: String::new(), message }])
        }
    }
}

/// A section of our own files: its name, what it is about, and the settings in it.
struct Section {
    name: &'static str,
    about: &'static str,
    keys: &'static [(&'static str, &'static str)],
}

/// The keys of a cluster, with their settings.
const CLUSTER: [(&str, &str); 7] = [
    ("teleport_address", key::TELEPORT_ADDRESS),
    ("connection_upgrade", key::CONNECTION_UPGRADE),
    ("load_balancer_ca", key::LOAD_BALANCER_CA),
    ("identity", key::IDENTITY),
    ("client_certificate", key::CLIENT_CERTIFICATE),
    ("client_key", key::CLIENT_KEY),
    ("cluster_ca", key::CLUSTER_CA),
];

/// Name of the tables of further clusters.
const MORE_CLUSTERS: &str = "more_clusters";

/// The sections of our own files.
const SECTIONS: [Section; 8] = [
    Section { name: "teleport", about: "Where Teleport is, and how the plugin signs in there.", keys: &CLUSTER },
    Section {
        name: "posts",
        about: "Where access requests are posted.",
        keys: &[("recipients", key::RECIPIENTS), ("role_recipients", key::ROLE_RECIPIENTS)],
    },
    Section {
        name: "decisions",
        about: "Who may approve and deny.",
        keys: &[
            ("authority", key::AUTHORITY),
            ("approvers", key::APPROVERS),
            ("require_mfa", key::REQUIRE_MFA),
            ("allow_guests", key::ALLOW_GUESTS),
            ("ask_reason", key::ASK_REASON),
            ("require_reason", key::REQUIRE_REASON),
        ],
    },
    Section {
        name: "users",
        about: "Which Mattermost account is which Teleport user.",
        keys: &[
            ("user_mapping", key::USER_MAPPING),
            ("user_trait", key::USER_TRAIT),
            ("match_email", key::MATCH_EMAIL),
        ],
    },
    Section {
        name: "notifications",
        about: "What people are told by themselves.",
        keys: &[("notify_requesters", key::NOTIFY_REQUESTERS), ("reminders", key::REMINDERS)],
    },
    Section {
        name: "retention",
        about: "How many days things are kept.",
        keys: &[("audit_retention_days", key::AUDIT_DAYS), ("request_retention_days", key::REQUEST_DAYS)],
    },
    Section {
        name: "audit",
        about: "Where the ends of the audit trail are noted, and with which key they are signed.",
        keys: &[("audit_channel", key::AUDIT_CHANNEL), ("audit_signing_key", key::AUDIT_SIGNING_KEY)],
    },
    Section { name: "log", about: "What goes to the server's log.", keys: &[("log_level", key::LOG_LEVEL)] },
];

#[cfg(test)]
mod tests;
