use std::collections::BTreeMap;
use std::{env, fs};

use serde::Serialize;

use super::hostile;
use super::markdown::{code, code_whole, is_shown_as_it_is, mention, plain, quoted, words};
use super::{characters, clip, clip_bytes};

/// A hostile text and what is made of it.
#[derive(Serialize)]
struct Shown<'a> {
    tries: &'a str,
    text: &'a str,
    /// What people are to read of it.
    readable: String,
    words: String,
    quoted: String,
    code: String,
    mention: String,
    posts: Vec<String>,
}

/// Everything that is made of the hostile texts, one text a line, as the shim's tests read it.
fn rendered() -> String {
    let entries = hostile::TEXTS.iter().map(|(tries, text)| Shown {
        tries,
        text,
        readable: characters::line(text).split_whitespace().collect::<Vec<_>>().join(" "),
        words: words(text, 2_000),
        quoted: quoted(text),
        code: code(text),
        mention: mention(text),
        posts: hostile::shown(text),
    });
    let lines: Vec<String> = entries.filter_map(|entry| serde_json::to_string(&entry).ok()).collect();
    in_ascii(&format!("[\n{}\n]\n", lines.join(",\n")))
}

/// JSON in which nothing hides from whoever reads it.
fn in_ascii(json: &str) -> String {
    let mut text = String::with_capacity(json.len());
    for letter in json.chars() {
        if letter.is_ascii() {
            text.push(letter);
        } else {
            text.extend(letter.encode_utf16(&mut [0; 2]).iter().map(|unit| format!("\\u{unit:04x}")));
        }
    }
    text
}

/// `UPDATE_FIXTURES=1 cargo test -p teleport-access-core hostile` writes the file anew; the shim's test then judges it.
#[test]
fn what_is_made_of_hostile_texts_is_what_mattermosts_parser_is_shown() {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/fixtures/hostile.json");
    let rendered = rendered();
    if env::var_os("UPDATE_FIXTURES").is_some() {
        assert!(fs::write(path, &rendered).is_ok());
    }
    assert!(hostile::TEXTS.len() >= 60);
    assert_eq!(rendered.lines().count(), hostile::TEXTS.len() + 2);
    assert!(
        fs::read_to_string(path).is_ok_and(|kept| kept == rendered),
        "tests/fixtures/hostile.json is not what the core writes now. Write it anew with UPDATE_FIXTURES=1."
    );
}

#[test]
fn a_name_is_shown_as_it_is() {
    for name in
        ["ann@example.com", "Ann Smith", "日本語", "Łódź", "हिन्दी", "ann_x#EXT#@x.onmicrosoft.com", "a/b:c$d*e|f<g>"]
    {
        assert_eq!(code(name), format!("`{name}`"));
    }
}

#[test]
fn what_is_not_shown_of_a_name_leaves_a_mark() {
    let shown = [
        ("dba\u{200b}", "`dba�`"),
        ("d\u{ad}ba", "`d�ba`"),
        ("dba ", "`dba�`"),
        (" dba", "`�dba`"),
        ("d  ba", "`d �ba`"),
        ("d\u{a0}ba", "`d�ba`"),
        ("d\nba", "`d�ba`"),
        ("d`ba", "`d�ba`"),
        ("dba\u{3164}", "`dba�`"),
        ("dba\u{e0061}", "`dba�`"),
        ("dba\u{fe0f}", "`dba�`"),
        ("db\u{2424}a", "`db�a`"),
        // Two ways to write one letter look the same: this one is not the one that systems make.
        ("e\u{301}ve", "`e�ve`"),
        ("\u{5d0}\u{5b0}\u{5b1}\u{5b2}\u{5b3}", "`\u{5d0}\u{5b0}\u{5b1}\u{5b2}�`"),
    ];
    let by_look: BTreeMap<String, &str> = shown.iter().map(|(name, _)| (code(name), *name)).collect();
    for (name, expected) in shown {
        assert_eq!(code(name), expected, "{name:?}");
    }
    for plain in ["dba", "d ba", "d'ba", "éve"] {
        assert!(!by_look.contains_key(&code(plain)), "{plain}");
    }
}

#[test]
fn a_name_that_cannot_be_read_is_said_in_words_that_no_name_can_be() {
    assert_eq!(code(""), "(none)");
    for name in ["\u{200b}", " ", "\u{3164}\u{2800}", "\u{e000}", "\n\n", "\u{301}", "\u{fffd}"] {
        assert_eq!(code(name), "(unreadable)", "{name:?}");
        assert_eq!(plain(name), "(unreadable)", "{name:?}");
    }
    assert_eq!(code("(none)"), "`(none)`");
    assert_eq!(code("(unreadable)"), "`(unreadable)`");
    assert_eq!(plain(""), "");
}

#[test]
fn only_a_username_is_a_mention_and_never_one_that_calls_everybody() {
    for name in ["bob", "bob.smith", "b-o_b2", "allan", "here2", "all.hands", "channels", "x_all"] {
        assert_eq!(mention(name), format!("@{name}"));
    }
    let names = ["all", "channel", "here", "ALL", "Here", "all.", "channel-", "here_", "all._-", "b b", "bøb", "x](y)"];
    for name in names {
        assert_eq!(mention(name), code(name), "{name:?}");
    }
    assert_eq!(mention(""), "(none)");
    assert_eq!(mention("\u{200b}"), "(unreadable)");
    assert_eq!(mention(&"b".repeat(65)), format!("`{}`", "b".repeat(65)));
}

#[test]
fn words_say_what_they_say_and_stay_on_one_line() {
    let cases = [
        ("disk full, see https://t.example/T_1.", "disk full, see https://t.example/T_1."),
        ("a\nb\t c", "a b c"),
        ("1. first", "1\\. first"),
        ("at 10:30", "at 10&#58;30"),
        ("50% & more; 3 = 2 + 1 - x", "50% & more; 3 = 2 + 1 - x"),
        ("= x", "&#61; x"),
        ("C:\\temp", "C&#58;\\temp"),
        ("e\u{301}\u{302}\u{303}\u{304}\u{305}", "e\u{301}\u{302}\u{303}"),
        ("\u{301}x \u{301}y", "x y"),
        ("क्\u{200d}ष", "क्ष"),
    ];
    for (text, expected) in cases {
        assert_eq!(words(text, 100), expected, "{text:?}");
    }
}

#[test]
fn only_links_that_show_where_they_lead_stay_links() {
    for link in ["https://t.example", "http://wiki:8080/a_b?c=d&e#f", "https://a-b.c.example/x%20y+z,"] {
        assert_eq!(words(link, 100), link);
    }
    let not = [
        "https://a@b.example",
        "https://a:b@c.example",
        "https://",
        "https:///x",
        "https://a..b",
        "https://.a",
        "https://a:",
        "https://a:x/",
        "https://a:123456",
        "https://a\u{430}",
        "https://a/<b>",
        "https://a/(b)",
        "https://a/~b",
        "https://a/&lt;",
        "https://a/\"",
        "HTTPS://a",
        "(https://a)",
        "www.a.example",
        "ftp://a",
    ];
    for text in not {
        assert_ne!(words(text, 100), text);
        assert!(!words(text, 100).contains("://"), "{text}");
    }
}

#[test]
fn a_quotation_is_marked_on_each_line_and_begins_no_line_with_anything_else() {
    assert_eq!(quoted("a\n\n\n\nb\r\nc\u{2028}d"), "> a\n> \n> b\n> c d");
    assert_eq!(quoted("  \n\t\n\u{200b}\n"), "");
    assert_eq!(quoted("x\n===\n---\n\u{200b}# y"), "> x\n> &#61;==\n> \\---\n> \\# y");
}

#[test]
fn a_text_is_cut_between_what_is_seen_as_letters_and_never_longer_than_its_bound() {
    assert_eq!(clip("abc", 3), "abc");
    assert_eq!(clip("abcd", 3), "ab…");
    assert_eq!(clip("abcd", 1), "…");
    assert_eq!(clip("abcd", 0), "");
    // A family is one picture of five characters, a flag one of two.
    assert_eq!(clip("ab👨\u{200d}👩\u{200d}👧cd", 6), "ab…");
    assert_eq!(clip("a🇩🇪b🇩🇪", 4), "a🇩🇪…");
    assert_eq!(clip("ne\u{301}e\u{301}", 4), "ne\u{301}…");
    for most in 0..40 {
        for text in ["e\u{301}".repeat(40), "🇩🇪".repeat(40), format!("a{}", "\u{301}".repeat(99)), "x".repeat(41)]
        {
            assert!(clip(&text, most).chars().count() <= most, "{most}: {text}");
        }
    }
}

#[test]
fn a_text_is_cut_by_bytes_between_what_is_seen_as_letters() {
    assert_eq!(clip_bytes("aé日", 6), "aé日");
    assert_eq!(clip_bytes("aé日", 5), "aé");
    assert_eq!(clip_bytes("a🇩🇪b", 8), "a");
    assert_eq!(clip_bytes("日a", 2), "");
}

#[test]
fn a_name_that_shows_as_something_else_is_found() {
    for name in ["dba", "d ba", "~dba", "#dba", "prod/*", "é", "हिन्दी", &"x".repeat(1_000)] {
        assert!(is_shown_as_it_is(name), "{name}");
        assert_eq!(code_whole(name).replace('\u{200b}', ""), format!("`{name}`"));
    }
    for name in ["", " dba", "dba ", "d  ba", "d`ba", "dba\u{200b}", "e\u{301}", "dba\u{fffd}", "\u{3164}", "d\nba"] {
        assert!(!is_shown_as_it_is(name), "{name:?}");
    }
}

#[test]
fn nothing_gets_longer_than_its_bound() {
    // The longest form of a character is an entity of six.
    for letter in ["~", "\u{301}", "x\u{301}", "\n", "a\n", "\u{e000}", "日", "@", "- ", "#x"] {
        let flood = letter.repeat(100_000);
        assert!(code(&flood).chars().count() <= 3 * 200 + 2, "{letter:?}");
        assert!(plain(&flood).chars().count() <= 200, "{letter:?}");
        assert!(words(&flood, 50).chars().count() <= 6 * 50, "{letter:?}");
        assert!(quoted(&flood).chars().count() <= 6 * 2_000, "{letter:?}");
        assert!(mention(&flood).chars().count() <= 3 * 200 + 2, "{letter:?}");
    }
}
