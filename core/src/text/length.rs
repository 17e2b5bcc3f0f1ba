//! Answers that fit into a post.

/// Most characters of a post, as Mattermost takes them.
pub(crate) const MOST_OF_POST: usize = 16_383;
/// What begins and ends a block of code.
const FENCE: &str = "```";

/// Markdown of so many characters at most, cut at the end of a line, and with a word about it where it was cut. A block of code
/// that was cut ends there.
#[must_use]
pub(crate) fn fitting(text: &str, most: usize) -> String {
    let all = text.chars().count();
    if all <= most {
        return text.to_owned();
    }
    let room = most.saturating_sub(100);
    let mut kept = String::new();
    let (mut size, mut in_code) = (0, false);
    for line in text.split_inclusive('\n') {
        let length = line.chars().count();
        if size + length > room {
            if kept.is_empty() {
                kept.extend(line.chars().take(room));
                size = room;
            }
            break;
        }
        in_code ^= line.starts_with(FENCE);
        kept.push_str(line);
        size += length;
    }
    let fence = if in_code { format!("{FENCE}\n") } else { String::new() };
    let end = if kept.ends_with('\n') { "" } else { "\n" };
    format!("{kept}{end}{fence}\n*{} more characters do not fit here.*", all - size)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_fits_stays_as_it_is() {
        let text = "é".repeat(MOST_OF_POST);
        assert_eq!(fitting(&text, MOST_OF_POST), text);
    }

    #[test]
    fn what_does_not_fit_ends_at_a_line_and_says_how_much_is_missing() {
        let text = "a line\n".repeat(10_000);
        let cut = fitting(&text, MOST_OF_POST);
        assert!(cut.chars().count() <= MOST_OF_POST, "{}", cut.chars().count());
        let kept = cut.lines().take_while(|line| !line.is_empty());
        assert!(kept.clone().all(|line| line == "a line"));
        let missing = 70_000 - 7 * kept.count();
        assert!(cut.ends_with(&format!("*{missing} more characters do not fit here.*")), "{cut}");
        assert!(fitting(&"é".repeat(200_000), MOST_OF_POST).chars().count() <= MOST_OF_POST, "one line alone");
    }

    #[test]
    fn a_block_of_code_that_is_cut_ends() {
        let cut = fitting(&format!("heads:\n```\n{}```", "a head\n".repeat(10_000)), MOST_OF_POST);
        assert_eq!(cut.lines().filter(|line| line.starts_with(FENCE)).count(), 2);
        assert!(cut.chars().count() <= MOST_OF_POST);
    }
}
