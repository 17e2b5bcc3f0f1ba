//! The sealing key, which the host uses itself. The core looks at nothing but its length.

use super::{Problem, Values, is_mask, key};

/// Fewest characters of a sealing key: 128 bits of chance take as many in base64. Nothing makes a shorter one stronger, and
/// whoever copies the database can try keys out as fast as they like.
pub(crate) const MIN_SEALING_KEY: usize = 22;

/// Whether a sealing key is too short to be a good one. Mattermost's asterisks, and what stands for them, say nothing.
pub(crate) fn is_weak_sealing_key(text: &str) -> bool {
    let text = text.trim();
    let stands_for_one = is_mask(text) || text.starts_with("sealed:");
    !text.is_empty() && !stands_for_one && text.chars().count() < MIN_SEALING_KEY
}

/// What is wrong with the sealing key.
pub(super) fn check(values: &mut Values, problems: &mut Vec<Problem>) {
    if is_weak_sealing_key(&values.text(key::SEALING_KEY)) {
        problems.push(Problem::warning(
            key::SEALING_KEY,
            format!(
                "The sealing key is shorter than {MIN_SEALING_KEY} characters and could be guessed. What it sealed still opens. Generate another key, and paste the credentials again."
            ),
        ));
    }
}
