//! What does not fit into a request's post: shown whole in its thread, in as many posts as it takes.

use super::{MAX_KIND, MAX_LISTED, News, code};
use crate::ledger::Record;
use crate::teleport::{AccessRequest, Resource};
use crate::text::markdown::{MAX_NAME, MAX_QUOTED, code_whole, is_shown_as_it_is, quoted_whole, words};

/// What begins the keys of such posts.
pub(crate) const PART: &str = "part:";
/// What the post says of them.
pub(super) const NOTE: &str = "Not all of this request fits here. **Read the rest in the thread before you approve.**";
/// Most characters of one post; Mattermost takes 16,383.
const MOST_CHARACTERS: usize = 12_000;
/// Most posts that one request takes. What needs more is decided in Teleport.
const MOST_PARTS: usize = 20;

/// Whether part of what is asked for does not fit into the post.
pub(super) fn are_needed(request: &AccessRequest) -> bool {
    let long = |text: &String| text.chars().count() > MAX_NAME;
    request.roles.len() > MAX_LISTED
        || request.resources.len() > MAX_LISTED
        || request.reason.chars().count() > MAX_QUOTED
        || request.roles.iter().any(long)
        || request.resources.iter().any(|resource| long(&whole_name(resource)) || long(&resource.cluster))
}

/// Whether every name that is granted can be shown letter by letter, so that nobody takes it for another.
pub(crate) fn is_exact(request: &AccessRequest) -> bool {
    let shown = |resource: &Resource| {
        // The kind is Teleport's own word, and short.
        let kind = is_shown_as_it_is(&resource.kind) && resource.kind.chars().count() <= MAX_KIND;
        let cluster = resource.cluster.is_empty() || is_shown_as_it_is(&resource.cluster);
        kind && cluster && is_shown_as_it_is(&whole_name(resource))
    };
    let user = is_shown_as_it_is(&request.user) && request.user.chars().count() <= MAX_NAME;
    user && request.roles.iter().all(|role| is_shown_as_it_is(role)) && request.resources.iter().all(shown)
}

/// The posts of the thread that show all of it; none where everything fits into the post.
///
/// # Errors
/// Where it is too much for a thread.
pub(crate) fn parts(record: &Record) -> Result<Vec<News>, TooMuch> {
    let request = &record.request;
    if !are_needed(request) {
        return Ok(Vec::new());
    }
    let mut lines: Vec<String> = request.roles.iter().map(|role| format!("Role {}", code_whole(role))).collect();
    lines.extend(request.resources.iter().map(resource_line));
    lines.push("Reason:".to_owned());
    lines.extend(quoted_whole(&request.reason).lines().map(str::to_owned));
    let mut texts: Vec<String> = Vec::new();
    for line in lines {
        let length = line.chars().count();
        if length > MOST_CHARACTERS {
            return Err(TooMuch);
        }
        match texts.last_mut() {
            Some(text) if text.chars().count() + length < MOST_CHARACTERS => {
                text.push('\n');
                text.push_str(&line);
            }
            _ => texts.push(line),
        }
    }
    if texts.len() > MOST_PARTS {
        return Err(TooMuch);
    }
    let version: String = record.digest.chars().take(12).collect();
    let (whose, count) = (format!("Request {} of {}", code(&request.id), code(&request.user)), texts.len());
    let numbered = texts.into_iter().enumerate().map(|(index, quote)| (index + 1, quote));
    let part = |(number, quote)| News {
        key: format!("{PART}{version}:{number}"),
        text: format!("{whose}, all of it: part {number} of {count}"),
        quote,
    };
    Ok(numbered.map(part).collect())
}

/// A request that cannot be shown whole.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct TooMuch;

/// What an approver reads who is asked before approving a request that does not fit into its post. Markdown.
#[must_use]
pub(crate) fn unseen(request: &AccessRequest) -> String {
    let count = |count: usize, what: &str| format!("{count} {what}{}", super::plural(count));
    format!(
        "**Not all of this request fits into the post.** It asks for {} and {}, with a reason of {}. All of it is in the post's thread: approve only if you have read it there.",
        count(request.roles.len(), "role"),
        count(request.resources.len(), "resource"),
        count(request.reason.chars().count(), "character"),
    )
}

fn resource_line(resource: &Resource) -> String {
    format!(
        "Resource {} {} in cluster {}",
        words(&resource.kind, MAX_KIND),
        code_whole(&whole_name(resource)),
        code_whole(&resource.cluster)
    )
}

/// A resource's name, with what is meant inside it, and what the access to it is restricted to.
pub(super) fn whole_name(resource: &Resource) -> String {
    let inside = if resource.sub_resource.is_empty() { String::new() } else { format!("/{}", resource.sub_resource) };
    let restricted =
        if resource.constraints.is_empty() { String::new() } else { format!(" ({})", resource.constraints.join(", ")) };
    format!("{}{inside}{restricted}", resource.name)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn record(request: AccessRequest) -> Record {
        let mut record = Record::new(request);
        record.digest = "0123456789abcdef".into();
        record
    }

    #[test]
    fn what_fits_into_the_post_needs_no_thread() {
        let small = AccessRequest { roles: vec!["dba".into()], reason: "why".into(), ..Default::default() };
        assert_eq!(parts(&record(small)), Ok(Vec::new()));
    }

    #[test]
    fn every_role_resource_and_word_is_in_the_thread() {
        let roles: Vec<String> = (0..60).map(|number| format!("role-{number}")).collect();
        let resource = Resource {
            cluster: "leaf".into(),
            kind: "db".into(),
            name: "x".repeat(300),
            sub_resource: "t".into(),
            constraints: Vec::new(),
        };
        let request = AccessRequest {
            roles: roles.clone(),
            resources: vec![resource],
            reason: format!("{}the end", "word ".repeat(800)),
            ..Default::default()
        };
        let shown = parts(&record(request)).unwrap_or_default();
        let text: String = shown.iter().map(|part| part.quote.clone()).collect();
        assert!(roles.iter().all(|role| text.contains(&format!("`{role}`"))));
        assert!(text.contains(&"x".repeat(300)) && text.contains("`leaf`") && text.contains("the end"));
        assert!(shown.iter().all(|part| part.quote.chars().count() <= MOST_CHARACTERS));
        assert!(shown.iter().all(|part| part.key.starts_with("part:0123456789ab:")));
    }

    #[test]
    fn what_no_thread_can_show_is_said_to_be_too_much() {
        let roles = (0..2_000).map(|number| format!("{number}-{}", "x".repeat(150))).collect();
        assert_eq!(parts(&record(AccessRequest { roles, ..Default::default() })), Err(TooMuch));
    }

    #[test]
    fn a_name_that_cannot_be_shown_letter_by_letter_is_found() {
        let of = |role: &str| {
            is_exact(&AccessRequest { user: "ann".into(), roles: vec![role.into()], ..Default::default() })
        };
        assert!(of("dba") && of("prod/*") && of("Größe") && of("~dba") && of("#dba"));
        for hostile in ["", "a`b", "dba\u{202e}", "dba\u{200b}", "a\nb", "a  b", " dba", "a\u{fffd}", "dba\u{3164}"] {
            assert!(!of(hostile), "{hostile:?}");
            assert!(!is_exact(&AccessRequest { user: hostile.into(), ..Default::default() }), "{hostile:?}");
            let leaf = Resource {
                cluster: format!("c{hostile}"),
                kind: "db".into(),
                name: "n".into(),
                sub_resource: String::new(),
                constraints: Vec::new(),
            };
            let request = AccessRequest { user: "ann".into(), resources: vec![leaf], ..Default::default() };
            assert!(hostile.is_empty() || hostile == " dba" || !is_exact(&request), "{hostile:?}");
        }
    }
}
