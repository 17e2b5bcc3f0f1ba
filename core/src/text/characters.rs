//! Which characters are shown. It is a list of what may be seen, by Unicode's general categories, and not of what is known
//! to be bad: whatever a later Unicode brings is hidden until somebody has looked at it.

use unicode_properties::{GeneralCategory, UnicodeGeneralCategory};
use unicode_segmentation::UnicodeSegmentation;

/// Stands for what is not shown, so that its absence can be seen.
pub(super) const REPLACED: char = '\u{fffd}';

/// Most combining marks on one letter. Scripts that are in use need no more; a flood of them covers the lines around it.
const MAX_MARKS: usize = 3;

/// What a character is to a reader.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    /// Something to be seen.
    Visible,
    /// Changes the letter before it.
    Mark,
    /// Any kind of blank, or the end of a line.
    Space,
    /// Nothing to be seen: controls, joiners, marks of direction, and letters without a shape.
    Invisible,
    /// Nobody knows what is seen: not assigned, or for private use.
    Unknown,
}

fn kind(letter: char) -> Kind {
    use GeneralCategory as Category;
    if is_blank_letter(letter) {
        return Kind::Invisible;
    }
    match letter.general_category() {
        // Mattermost's web app takes this picture of a line's end for the end itself.
        _ if letter == '\u{2424}' => Kind::Unknown,
        _ if letter.is_whitespace() => Kind::Space,
        Category::UppercaseLetter
        | Category::LowercaseLetter
        | Category::TitlecaseLetter
        | Category::ModifierLetter
        | Category::OtherLetter
        | Category::DecimalNumber
        | Category::LetterNumber
        | Category::OtherNumber
        | Category::ConnectorPunctuation
        | Category::DashPunctuation
        | Category::OpenPunctuation
        | Category::ClosePunctuation
        | Category::InitialPunctuation
        | Category::FinalPunctuation
        | Category::OtherPunctuation
        | Category::MathSymbol
        | Category::CurrencySymbol
        | Category::ModifierSymbol
        | Category::OtherSymbol => Kind::Visible,
        Category::NonspacingMark | Category::SpacingMark => Kind::Mark,
        Category::SpaceSeparator | Category::LineSeparator | Category::ParagraphSeparator => Kind::Space,
        // Enclosing marks draw a box around what is not theirs.
        Category::EnclosingMark | Category::Control | Category::Format | Category::Surrogate => Kind::Invisible,
        Category::PrivateUse | Category::Unassigned => Kind::Unknown,
    }
}

/// Characters that count as letters, symbols or marks, and show nothing.
fn is_blank_letter(letter: char) -> bool {
    matches!(letter,
        // The combining grapheme joiner, Hangul fillers, and Khmer's inherent vowels.
        '\u{34f}' | '\u{115f}' | '\u{1160}' | '\u{3164}' | '\u{ffa0}' | '\u{17b4}' | '\u{17b5}'
        // Variation selectors.
        | '\u{180b}'..='\u{180f}' | '\u{fe00}'..='\u{fe0f}' | '\u{e0100}'..='\u{e01ef}'
        // The blank Braille pattern, joiners of numbers and consonants, and the place of an object that is not there.
        | '\u{2800}' | '\u{2d7f}' | '\u{1107f}' | '\u{fffc}'
        // Blanks of hieroglyphs and of Khitan script, and a note without a head.
        | '\u{13441}' | '\u{13442}' | '\u{16fe4}' | '\u{1d159}')
}

/// Words on one line: what cannot be seen is left out, blanks become spaces, and what nobody knows is marked.
pub(super) fn line(text: &str) -> String {
    let mut line = String::with_capacity(text.len());
    // None: nothing stands there that a mark could change.
    let mut marks = None;
    for letter in text.chars() {
        let kind = kind(letter);
        match kind {
            Kind::Visible => line.push(letter),
            Kind::Mark => {
                if let Some(count @ 0..MAX_MARKS) = marks {
                    marks = Some(count + 1);
                    line.push(letter);
                }
                continue;
            }
            Kind::Space => line.push(' '),
            Kind::Invisible => continue,
            Kind::Unknown => line.push(REPLACED),
        }
        marks = (kind == Kind::Visible).then_some(0);
    }
    line.trim().to_owned()
}

/// A name on one line. Whatever is not shown as it is leaves a mark, so that two names that differ never look the same
/// unnoticed. Nothing where there is nothing to be read in it.
pub(super) fn name(text: &str) -> Option<String> {
    let mut name = String::with_capacity(text.len());
    let mut marks = None;
    let mut letters = text.chars().peekable();
    while let Some(letter) = letters.next() {
        let (last, follows) = (name.chars().next_back(), letters.peek());
        let shown = match kind(letter) {
            Kind::Visible => true,
            // Where a letter and its mark are a letter of their own, a name has that: two ways to write it look the same.
            Kind::Mark => {
                !matches!(letter, '\u{300}'..='\u{36f}') && marks.is_some_and(|count: usize| count < MAX_MARKS)
            }
            // At the ends and after another, nobody sees a space.
            Kind::Space => letter == ' ' && last.is_some_and(|last| last != ' ') && follows.is_some(),
            Kind::Invisible | Kind::Unknown => false,
        };
        marks = match (kind(letter), marks) {
            (Kind::Visible, _) => Some(0),
            (Kind::Mark, Some(count)) => Some(count + 1),
            _ => None,
        };
        name.push(if shown { letter } else { REPLACED });
    }
    name.chars().any(|letter| letter != REPLACED && letter != ' ').then_some(name)
}

/// A text cut where it is longer than `most` characters, with a sign that it was cut. What is seen as one letter is kept
/// whole, unless it alone is too long.
#[must_use]
pub(crate) fn clip(text: &str, most: usize) -> String {
    if text.chars().nth(most).is_none() {
        return text.to_owned();
    }
    let mut room = most.saturating_sub(1);
    let mut kept = String::new();
    for cluster in text.graphemes(true) {
        let size = cluster.chars().count();
        if size > room {
            if kept.is_empty() {
                kept.extend(cluster.chars().take(room));
            }
            break;
        }
        kept.push_str(cluster);
        room -= size;
    }
    kept.extend((most > 0).then_some('…'));
    kept
}

/// A text cut where it has more bytes. What is seen as one letter is kept whole or left out.
#[must_use]
pub(crate) fn clip_bytes(text: &str, most: usize) -> String {
    let mut room = most;
    let fits = text.graphemes(true).take_while(|cluster| {
        let rest = room.checked_sub(cluster.len());
        room = rest.unwrap_or_default();
        rest.is_some()
    });
    fits.collect()
}
