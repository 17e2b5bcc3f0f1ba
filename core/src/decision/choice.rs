//! How a dialog offers a request's roles one by one: each with a number, because a label is short, and all of them in full
//! above.

use crate::mattermost::DialogElement;
use crate::text::clip_bytes;
use crate::text::markdown::{code_whole, plain};

/// What begins the name of a role's element; the role follows.
pub(super) const ROLE: &str = "role:";
/// Most roles that a dialog offers to choose from.
const MAX_CHOICES: usize = 8;
/// Longest name of a dialog's element in bytes, its label, and the words beside its box, as Mattermost takes them.
const MAX_NAME: usize = 290;
const MAX_LABEL: usize = 24;
const MAX_WORDS: usize = 150;

/// Whether a dialog has room for a choice among these roles.
pub(super) fn has_room(roles: &[String]) -> bool {
    let fits = |role: &String| role.len() + ROLE.len() <= MAX_NAME;
    (2..=MAX_CHOICES).contains(&roles.len()) && roles.iter().all(fits)
}

/// A box to tick for each role.
pub(super) fn elements(roles: &[String]) -> Vec<DialogElement> {
    let element = |(index, role): (usize, &String)| {
        let numbered = format!("{}. {}", index + 1, plain(role));
        DialogElement {
            name: format!("{ROLE}{role}"),
            placeholder: fitting(&format!("Grant {numbered}"), MAX_WORDS),
            display_name: fitting(&numbered, MAX_LABEL),
            r#type: "bool".to_owned(),
            default: "true".to_owned(),
            optional: true,
            ..Default::default()
        }
    };
    roles.iter().enumerate().map(element).collect()
}

/// The roles in full, by the numbers of their boxes. Markdown.
pub(super) fn in_full(roles: &[String]) -> String {
    let lines = roles.iter().enumerate().map(|(index, role)| format!("{}. {}", index + 1, code_whole(role)));
    format!("**Roles that you can grant**\n{}", lines.collect::<Vec<_>>().join("\n"))
}

/// A text of so many bytes at most, with a sign where it was cut.
fn fitting(text: &str, most: usize) -> String {
    if text.len() <= most {
        return text.to_owned();
    }
    format!("{}…", clip_bytes(text, most.saturating_sub('…'.len_utf8())).trim_end())
}

/// What a person reads who ticked nothing.
pub(super) const NONE_GRANTED: &str = "Grant at least one role, or deny the request.";

#[cfg(test)]
mod tests {
    use super::*;

    fn roles(names: &[&str]) -> Vec<String> {
        names.iter().map(|name| (*name).to_owned()).collect()
    }

    #[test]
    fn a_label_shows_nothing_but_what_can_be_seen_and_fits() {
        let long = "production-database-administrator-read-only-".repeat(5);
        let hostile =
            ["dba\nApprove all", "dba\u{202e}daer", "db\u{200b}a", "d\u{e000}\u{2028}a", "äöüäöüäöüäöüäöüäöü", &long];
        for element in elements(&roles(&hostile)) {
            let shown = [&element.display_name, &element.placeholder];
            assert!(shown.iter().all(|text| text.chars().all(|letter| !letter.is_control())), "{element:?}");
            let unseen = ['\u{202e}', '\u{200b}', '\u{2028}', '\u{e000}'];
            assert!(shown.iter().all(|text| !text.contains(unseen)), "{element:?}");
            assert!(element.display_name.len() <= 24 && element.placeholder.len() <= 150, "{element:?}");
        }
    }

    #[test]
    fn names_that_begin_alike_are_told_apart_by_their_numbers_and_stand_in_full_above() {
        let (read, write) = (format!("{}-read", "x".repeat(250)), format!("{}-write", "x".repeat(250)));
        let both = roles(&[&read, &write]);
        let labels: Vec<String> = elements(&both).into_iter().map(|element| element.display_name).collect();
        assert_ne!(labels.first(), labels.last());
        let text = in_full(&both);
        assert!(text.contains(&format!("1. `{read}`")) && text.contains(&format!("2. `{write}`")), "{text}");
    }

    #[test]
    fn there_is_a_choice_among_two_roles_to_eight_of_bearable_length() {
        assert!(!has_room(&roles(&["a"])) && has_room(&roles(&["a", "b"])));
        assert!(has_room(&roles(&["a"; 8])) && !has_room(&roles(&["a"; 9])));
        assert!(!has_room(&roles(&["a", &"b".repeat(290)])));
    }
}
