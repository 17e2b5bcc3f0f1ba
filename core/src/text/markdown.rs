//! Texts from outside, written as Markdown that says exactly what they say, and does nothing.
//!
//! Three readers have to agree on that: Mattermost's server (which notifies people), its web app (which has an old dialect
//! of its own, and looks for mentions, channels and emoji in what is left), and its mobile app. So a backslash is used only
//! where all three take it away, and an entity everywhere else. Nothing but a name's `@` needs an invisible character, for
//! the server looks for mentions after it has resolved entities.

use super::characters::{self, REPLACED, clip};

/// Most characters shown of a name.
pub(crate) const MAX_NAME: usize = 200;
/// Most characters of somebody's words that are quoted.
pub(crate) const MAX_QUOTED: usize = 2_000;
/// Most characters shown of what another program says.
const MAX_PROGRAM_TEXT: usize = 500;
/// Ends a mention, a hashtag or a channel's name before it begins.
const BREAK: char = '\u{200b}';

/// A name as inline code, in which nothing is a mention or a link. What is not shown as it is shows as `�`. Where nothing of
/// it can be read, the answer is in words, which no name can be: names stand in code.
#[must_use]
pub fn code(text: &str) -> String {
    if text.is_empty() {
        return "(none)".to_owned();
    }
    shown(text).map_or_else(|| "(unreadable)".to_owned(), |name| in_code(&name))
}

/// Like [`code`], however long the name is.
pub(crate) fn code_whole(text: &str) -> String {
    if text.chars().nth(MAX_NAME).is_none() {
        return code(text);
    }
    characters::name(text).map_or_else(|| "(unreadable)".to_owned(), |name| in_code(&name))
}

/// Whether a name shows as exactly what it is, letter by letter, however long it is.
pub(crate) fn is_shown_as_it_is(text: &str) -> bool {
    !text.contains(['`', REPLACED]) && characters::name(text).is_some_and(|name| name == text)
}

/// What another program says, as inline code on one line: nobody knows whose words are in it.
pub(crate) fn program_text(text: &str) -> String {
    let line = characters::line(text).replace('`', "'");
    if line.is_empty() { "(no reason was given)".to_owned() } else { in_code(&clip(&line, MAX_PROGRAM_TEXT)) }
}

fn in_code(name: &str) -> String {
    let mut code = String::with_capacity(name.len() + 2);
    code.push('`');
    let mut last = None;
    let mut letters = name.chars().peekable();
    while let Some(letter) = letters.next() {
        code.push(if letter == '`' { REPLACED } else { letter });
        // The server looks for hashtags and channels also in code, though nobody sees it.
        let begins = last.is_none_or(|last: char| !last.is_ascii_alphanumeric() && last != '_');
        let found = letters.peek().is_some_and(|next| match letter {
            '#' => next.is_alphabetic(),
            '~' => next.is_ascii_alphanumeric() || matches!(next, '-' | '_'),
            _ => false,
        });
        if begins && found {
            code.push(BREAK);
        }
        last = Some(letter);
    }
    code.push('`');
    code
}

/// A name for places that know no Markdown.
pub(crate) fn plain(text: &str) -> String {
    if text.is_empty() { String::new() } else { shown(text).unwrap_or_else(|| "(unreadable)".to_owned()) }
}

fn shown(text: &str) -> Option<String> {
    characters::name(text).map(|name| clip(&name, MAX_NAME))
}

/// A username as a mention. What cannot be one, or would call everybody in the channel, is shown as a name.
pub(crate) fn mention(username: &str) -> String {
    // What follows a name in a sentence does not keep Mattermost from finding it.
    let name = username.trim_end_matches(['.', '-', '_', ':']).to_ascii_lowercase();
    let possible = !name.is_empty()
        && username.len() <= 64
        && username.chars().all(|letter| letter.is_ascii_alphanumeric() || "._-".contains(letter));
    if possible && !matches!(name.as_str(), "all" | "channel" | "here") {
        format!("@{username}")
    } else {
        code(username)
    }
}

/// The username of somebody who did something here, so that nobody is called by what they did themselves: in code, where
/// Mattermost looks for no names.
pub(crate) fn named(username: &str) -> String {
    code(&format!("@{username}"))
}

/// Somebody's words on one line, cut where they are longer than `most` characters.
pub(crate) fn words(text: &str, most: usize) -> String {
    let line = characters::line(text);
    escaped(&clip(&line.split_whitespace().collect::<Vec<_>>().join(" "), most))
}

/// Somebody's words as a quotation, which cannot be taken for the plugin's own, cut where they are too long.
pub(crate) fn quoted(text: &str) -> String {
    as_quotation(&clip(&readable(text), MAX_QUOTED))
}

/// Like [`quoted`], however long the words are.
pub(crate) fn quoted_whole(text: &str) -> String {
    as_quotation(&readable(text))
}

/// What can be read of somebody's words.
fn readable(text: &str) -> String {
    let mut lines: Vec<String> = text.lines().map(characters::line).collect();
    // One blank line parts paragraphs as well as many do.
    lines.dedup_by(|next, last| next.is_empty() && last.is_empty());
    lines.join("\n").trim().to_owned()
}

fn as_quotation(text: &str) -> String {
    text.lines().map(|line| format!("> {}", escaped(line))).collect::<Vec<_>>().join("\n")
}

/// One line of words as they are to be read, in Markdown.
fn escaped(line: &str) -> String {
    let mut safe = String::with_capacity(line.len() * 2);
    for (place, word) in line.split(' ').enumerate() {
        if place > 0 {
            safe.push(' ');
        }
        if is_plain_link(word) { safe.push_str(word) } else { escape_word(&mut safe, word, place == 0) }
    }
    safe
}

/// Writes one word. `first`: it begins the line, where some characters make a list or a heading.
fn escape_word(safe: &mut String, word: &str, first: bool) {
    let number = word.chars().take_while(char::is_ascii_digit).count();
    let mut letters = word.chars().enumerate().peekable();
    while let Some((place, letter)) = letters.next() {
        let next = letters.peek().map(|(_, next)| *next);
        let marker = first
            && match letter {
                '=' | '-' | '+' => place == 0,
                '.' | ')' => number > 0 && place == number,
                _ => false,
            };
        match letter {
            '@' => safe.extend(['@', BREAK]),
            '<' => safe.push_str("&lt;"),
            '$' => safe.push_str("&#36;"),
            '~' => safe.push_str("&#126;"),
            '=' if marker => safe.push_str("&#61;"),
            // A hashtag, an emoji's name or a link begins with these only where something follows.
            '#' if next.is_some() => safe.push_str("&#35;"),
            ':' if next.is_some() => safe.push_str("&#58;"),
            '&' if next.is_some_and(|next| next == '#' || next.is_ascii_alphanumeric()) => safe.push_str("&amp;"),
            // The web app makes links of `www.x` and `x.com/`.
            '.' if next.is_some() => safe.push_str("\\."),
            // Before letters it is one already.
            '\\' if next.is_some_and(|next| next.is_ascii_alphanumeric()) => safe.push('\\'),
            '\\' | '`' | '*' | '_' | '[' | ']' | '!' | '|' | '#' | '>' => safe.extend(['\\', letter]),
            _ if marker => safe.extend(['\\', letter]),
            _ => safe.push(letter),
        }
    }
}

/// Whether a word is a link that shows in full where it leads, and that no reader takes for anything else: a web address of
/// plain letters without a user's name in it. Only these stay links, for tickets are what reasons mostly name.
fn is_plain_link(word: &str) -> bool {
    let word = word.trim_end_matches(['.', ',']);
    let Some(rest) = word.strip_prefix("https://").or_else(|| word.strip_prefix("http://")) else { return false };
    let end = rest.find(['/', '?', '#']).unwrap_or(rest.len());
    let (address, path) = rest.split_at(end);
    let (host, port) = address.split_once(':').unwrap_or((address, "443"));
    let is_label =
        |label: &str| !label.is_empty() && label.chars().all(|letter| letter.is_ascii_alphanumeric() || letter == '-');
    host.split('.').all(is_label)
        && (1..=5).contains(&port.len())
        && port.chars().all(|digit| digit.is_ascii_digit())
        && path.chars().all(|letter| letter.is_ascii_alphanumeric() || "-_/.%=?&#+,".contains(letter))
}
