//! Settings as a TOML file of our own.

use std::fmt::Write as _;

use serde_json::{Map, Value};

use super::{CLUSTER, MORE_CLUSTERS, SECTIONS};
use crate::config::{self, Source, is_mask, key};

const HEAD: &str = "# Settings of the Mattermost plugin Teleport Access Requests.
# Import this file on its page in System Console, or keep it as a record. It holds no secrets.
";

/// What stands before a credential that is not written down.
const PASTED: &str =
    "# Was pasted, and is not exported. Put the file's path on the Mattermost server here, or paste its text again.\n";

/// Writes settings (by the names in `plugin.json`) as a file that [`import`](super::import) reads. Secrets are left out.
#[must_use]
pub fn export(settings: &Map<String, Value>) -> String {
    let mut file = HEAD.to_owned();
    for section in &SECTIONS {
        let lines: String = section.keys.iter().filter_map(|(name, setting)| line(name, setting, settings)).collect();
        if !lines.is_empty() {
            let _ = write!(file, "\n# {}\n[{}]\n{lines}", section.about, section.name);
        }
        if section.name == "teleport" {
            more_clusters(&mut file, settings);
        }
    }
    file
}

fn find<'a>(settings: &'a Map<String, Value>, setting: &str) -> Option<&'a Value> {
    // Mattermost may have taken the capitals away.
    let found = settings.get(setting);
    let found =
        found.or_else(|| settings.iter().find(|(key, _)| key.eq_ignore_ascii_case(setting)).map(|(_, value)| value));
    found.filter(|value| !value.is_null())
}

/// A setting's line; none where there is nothing to say.
fn line(name: &str, setting: &str, settings: &Map<String, Value>) -> Option<String> {
    let value = find(settings, setting)?;
    let text = value.as_str().map(str::trim);
    let secret = matches!(
        setting,
        key::IDENTITY | key::CLIENT_CERTIFICATE | key::CLIENT_KEY | key::CLUSTER_CA | key::LOAD_BALANCER_CA
    );
    let written = match (value, text) {
        // Only here an empty text means something else than none.
        (_, Some("")) if setting != key::REMINDERS => return None,
        (_, Some(text)) if secret => match config::source(text.to_owned()) {
            Some(Source::Path(path)) => string(&path),
            _ => return Some(format!("{PASTED}{name} = \"\"\n")),
        },
        (_, Some(text)) if is_mask(text) => return None,
        _ if config::value_holds_key(value) => return None,
        // A gateway's URL may carry a password.
        (_, Some(text)) if setting == key::TELEPORT_ADDRESS && text.contains('@') => {
            return Some(format!("# Had a password in it, and is not exported.\n{name} = \"\"\n"));
        }
        (_, Some(text)) if setting == key::RECIPIENTS => {
            let list: Vec<String> = config::parts(text).map(string).collect();
            format!("[{}]", list.join(", "))
        }
        (_, Some(text @ ("true" | "false"))) if is_flag(setting) => text.to_owned(),
        (_, Some(text)) if is_days(setting) && text.parse::<u32>().is_ok_and(|days| days.to_string() == text) => {
            text.to_owned()
        }
        (_, Some(text)) => string(text),
        (Value::Bool(flag), _) => flag.to_string(),
        (Value::Number(number), _) if number.is_i64() => number.to_string(),
        _ => return None,
    };
    Some(format!("{name} = {written}\n"))
}

fn is_flag(setting: &str) -> bool {
    let flags = [key::REQUIRE_MFA, key::ALLOW_GUESTS, key::MATCH_EMAIL, key::REQUIRE_REASON, key::NOTIFY_REQUESTERS];
    flags.contains(&setting)
}

fn is_days(setting: &str) -> bool {
    [key::AUDIT_DAYS, key::REQUEST_DAYS].contains(&setting)
}

/// A text as TOML writes it.
fn string(text: &str) -> String {
    toml::Value::from(text).to_string()
}

fn more_clusters(file: &mut String, settings: &Map<String, Value>) {
    let listed = match find(settings, key::MORE_CLUSTERS) {
        None => return,
        Some(Value::String(text)) if text.trim().is_empty() => return,
        Some(Value::String(text)) if is_mask(text) || text.starts_with(config::SEALED_PREFIX_V1) => {
            file.push_str("\n# Further clusters may be set. Mattermost keeps them secret, so they are not exported.\n");
            return;
        }
        Some(Value::String(text)) => serde_json::from_str::<Vec<Map<String, Value>>>(text),
        Some(value) => serde_json::from_value(value.clone()),
    };
    let Ok(listed) = listed else {
        // It is not shown: it may hold secrets.
        file.push_str("\n# \"More clusters\" is no list of clusters, and is not exported.\n");
        return;
    };
    let keys = CLUSTER.into_iter().chain([("recipients", key::RECIPIENTS)]);
    for cluster in listed {
        let lines: String = keys.clone().filter_map(|(name, setting)| line(name, setting, &cluster)).collect();
        let _ = write!(file, "\n# A further cluster.\n[[{MORE_CLUSTERS}]]\n{lines}");
    }
}
