//! What messages show of a setting's value. People send screenshots of messages around, and logs keep them: a value that
//! cannot be read may be a key that was pasted into the wrong field.

use serde_json::Value;

use super::{SEALED_PREFIX, SEALED_PREFIX_V1};

/// Most characters of a value that a message shows.
const MAX_SHOWN: usize = 40;
/// As many letters of base64 in a row are taken for key material: half a line of a PEM file. Names are shorter, or have
/// dots and dashes in them.
const BASE64_RUN: usize = 32;
/// What is shown in place of what may be secret.
const HIDDEN: &str = "(not shown)";

/// Whether a text holds a private key, whole or in part.
pub(crate) fn holds_key(text: &str) -> bool {
    text.contains("PRIVATE KEY")
}

/// The same of any value.
pub(crate) fn value_holds_key(value: &Value) -> bool {
    match value {
        Value::String(text) => holds_key(text),
        Value::Array(list) => list.iter().any(value_holds_key),
        Value::Object(entries) => entries.iter().any(|(name, value)| holds_key(name) || value_holds_key(value)),
        Value::Null | Value::Bool(_) | Value::Number(_) => false,
    }
}

/// A piece of a setting in a message, in quotes.
pub(crate) fn shown(text: &str) -> String {
    if is_hidden(text) { HIDDEN.to_owned() } else { format!("{:?}", cut(text)) }
}

/// A piece of a setting in a message, without quotes and on one line.
pub(crate) fn cut(text: &str) -> String {
    if is_hidden(text) {
        return HIDDEN.to_owned();
    }
    let mut cut: String =
        text.chars().take(MAX_SHOWN).map(|letter| if letter.is_control() { ' ' } else { letter }).collect();
    if text.chars().nth(MAX_SHOWN).is_some() {
        cut.push('…');
    }
    cut
}

/// A path in a message: its end, which says most.
pub(crate) fn shown_path(path: &str) -> String {
    let separators = ['/', '\\'];
    if holds_key(path) || path.split(separators).any(|name| longest_run(name) >= BASE64_RUN) {
        return HIDDEN.to_owned();
    }
    let count = path.chars().count();
    if count <= MAX_SHOWN {
        return path.to_owned();
    }
    std::iter::once('…').chain(path.chars().skip(count - MAX_SHOWN)).collect()
}

fn is_hidden(text: &str) -> bool {
    let text = text.trim_start();
    holds_key(text)
        || text.starts_with(SEALED_PREFIX)
        || text.starts_with(SEALED_PREFIX_V1)
        || longest_run(text) >= BASE64_RUN
}

/// How many letters of base64 follow each other at most.
fn longest_run(text: &str) -> usize {
    let is_base64 = |letter: char| letter.is_ascii_alphanumeric() || "+/=".contains(letter);
    text.split(|letter| !is_base64(letter)).map(str::len).max().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_value_is_shown_on_one_line_and_cut() {
        assert_eq!(shown("dev\nops"), "\"dev ops\"");
        assert_eq!(shown(&"ab-".repeat(20)), format!("\"{}…\"", "ab-".repeat(20).chars().take(40).collect::<String>()));
        assert_eq!(shown(&"ü".repeat(40)), format!("\"{}\"", "ü".repeat(40)));
        assert_eq!(shown_path("/etc/x"), "/etc/x");
        let long = shown_path(&format!("/{}/identity", "a-".repeat(40)));
        assert!(long.starts_with('…') && long.ends_with("/identity") && long.chars().count() == 41, "{long}");
    }

    #[test]
    fn nothing_of_a_key_is_shown_not_even_a_line_of_it() {
        let line = "MIIEpAIBAAKCAQEAx3xGx0c0b/4Zq+8Q2v0q7u1n5o5Jr3Yk0JmZ0C7oQk1w0m3a";
        for text in [
            "-----BEGIN RSA PRIVATE KEY-----",
            "PRIVATE KEY-----\nabc",
            line,
            &format!("alice, {line}"),
            "sealed:v1:abc",
            " sealed:v2:abc",
        ] {
            assert_eq!((shown(text).as_str(), cut(text).as_str()), (HIDDEN, HIDDEN), "{text}");
        }
        assert_eq!(shown_path(&format!("/{line}")), HIDDEN);
        assert!(value_holds_key(&json!([{"a": "x PRIVATE KEY x"}])) && value_holds_key(&json!({"PRIVATE KEY": 1})));
        assert!(!value_holds_key(&json!([{"a": "key"}, 1, null, true])));
    }
}
