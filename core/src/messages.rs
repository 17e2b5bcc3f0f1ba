//! Everything that people read in posts, and how texts from outside are made harmless.

use std::collections::HashMap;
use std::fmt::Write as _;

use crate::ledger::{Outcome, Record};
use crate::mattermost::{Action, Attachment, AttachmentField, Post};
use crate::teleport::{AccessRequest, Review, State};
use crate::time::{Time, in_words};

/// The prop of a post that holds the id of its request.
pub const REQUEST_PROP: &str = "teleport_access_request";
/// The prop of a post that holds the name of its request's cluster.
pub const CLUSTER_PROP: &str = "teleport_cluster";
/// The prop of a post in a thread that holds the key of the news it tells.
pub const NEWS_PROP: &str = "teleport_news";
/// The resolve annotation with the username of whoever decided in Mattermost.
pub const DECIDER_ANNOTATION: &str = "mattermost-user";

/// Most characters shown of a reason.
const MAX_REASON: usize = 2_000;
/// Most roles, resources or reviews listed.
const MAX_LISTED: usize = 25;
/// Most characters shown of a name.
const MAX_NAME: usize = 200;

/// What a button's context holds.
pub mod context {
    /// The request's id.
    pub const REQUEST: &str = "request";
    /// The name of its cluster.
    pub const CLUSTER: &str = "cluster";
    /// The verdict: see below.
    pub const VERDICT: &str = "verdict";
    /// Value of [`VERDICT`].
    pub const APPROVE: &str = "approve";
    /// Value of [`VERDICT`].
    pub const DENY: &str = "deny";
}

/// What posts must know besides the record.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Site {
    /// The plugin's id, which the buttons lead to.
    pub plugin_id: String,
    /// Name of the Teleport cluster.
    pub cluster: String,
    /// The request's page in Teleport's web UI; empty where it is not known.
    pub page: String,
}

/// The post that shows a request, without id and channel.
#[must_use]
pub fn post(site: &Site, record: &Record) -> Post {
    let request = &record.request;
    let decidable = record.outcome == Outcome::Pending && !request.long_term;
    Post {
        message: headline(record),
        attachments: vec![Attachment {
            fallback: fallback(request),
            color: color(record.outcome).to_owned(),
            fields: fields(site, record),
            footer: format!("Teleport cluster {}", plain(&site.cluster)),
            actions: if decidable { buttons(site, request) } else { Vec::new() },
            ..Default::default()
        }],
        props: HashMap::from([
            (REQUEST_PROP.to_owned(), request.id.clone()),
            (CLUSTER_PROP.to_owned(), site.cluster.clone()),
        ]),
        ..Default::default()
    }
}

/// Something that is told in the thread of a request's post.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct News {
    /// Tells it from all other news of the request.
    pub key: String,
    /// Markdown.
    pub text: String,
}

/// What begins the keys of reminders.
const REMINDER: &str = "reminder:";

/// What there is to tell of a request so far, in order: each review, reminders, and the decision.
#[must_use]
pub fn news(record: &Record) -> Vec<News> {
    let request = &record.request;
    let mut news: Vec<News> = request
        .reviews
        .iter()
        .map(|review| {
            let verb = match review.state {
                State::Approved => "approved",
                State::Denied => "denied",
                State::Promoted => "promoted",
                State::Pending => "commented",
            };
            News {
                key: format!("review:{}", review.author),
                text: with_quote(format!("{} {} {verb}", sign(review.state), reviewer(review)), &review.reason),
            }
        })
        .collect();
    news.extend(record.reminded.iter().map(|minutes| News {
        key: format!("{REMINDER}{minutes}"),
        text: match request.expires {
            Some(expires) => format!("⏰ Nobody has decided yet, and the request expires on {expires}."),
            None => "⏰ Nobody has decided yet.".to_owned(),
        },
    }));
    if matches!(record.outcome, Outcome::Approved | Outcome::Denied | Outcome::Promoted) {
        news.push(News {
            key: format!("outcome:{:?}", record.outcome).to_lowercase(),
            text: with_quote(format!("**{}**{}", status(record.outcome), by(request)), &request.resolve_reason),
        });
    }
    news
}

/// The news that the requester is told, too: all but the reminders, with what to do with a decision.
#[must_use]
pub fn news_for_requester(site: &Site, record: &Record) -> Vec<News> {
    let request = &record.request;
    let mine = format!("Your access request for {}", wish(request));
    let told = news(record).into_iter().filter(|news| !news.key.starts_with(REMINDER));
    let told = told.map(|news| {
        let text = if news.key.starts_with("review:") {
            format!("{mine} was reviewed.\n{}", news.text)
        } else {
            let mut text = format!("{mine}: {}", news.text);
            if record.outcome == Outcome::Approved {
                text.push_str(&usage(site, request));
            }
            text
        };
        News { text, ..news }
    });
    let expired = (record.outcome == Outcome::Expired)
        .then(|| News { key: "outcome:expired".to_owned(), text: format!("{mine} expired: nobody decided in time.") });
    told.chain(expired).collect()
}

/// How a granted request is used.
fn usage(site: &Site, request: &AccessRequest) -> String {
    let id: String = request.id.chars().filter(|letter| letter.is_ascii_alphanumeric() || *letter == '-').collect();
    let mut text = String::from("\n\n");
    if let Some(starts) = request.starts {
        let _ = write!(text, "The access begins on {starts}. Then ");
    }
    let _ =
        write!(text, "{} it with `tsh login --request-id={id}`", if request.starts.is_some() { "use" } else { "Use" });
    if !site.page.is_empty() {
        let _ = write!(text, ", or [in Teleport's web UI]({})", site.page);
    }
    let until = access_until(request);
    if !until.is_empty() {
        let _ = write!(text, ". It ends on {until}");
    }
    text.push('.');
    text.push_str("\n\nYou can turn these messages off with `/teleport notifications off`.");
    text
}

/// The post that tells news, in a thread or to the requester, without its channel and root.
#[must_use]
pub fn reply(cluster: &str, record: &Record, news: &News) -> Post {
    Post {
        message: news.text.clone(),
        props: HashMap::from([
            (REQUEST_PROP.to_owned(), record.request.id.clone()),
            (CLUSTER_PROP.to_owned(), cluster.to_owned()),
            (NEWS_PROP.to_owned(), news.key.clone()),
        ]),
        ..Default::default()
    }
}

fn with_quote(text: String, words: &str) -> String {
    let quote = quoted(words);
    if quote.is_empty() { text } else { format!("{text}\n{quote}") }
}

/// What a dialog says of a request, so that nobody decides blindly. Markdown.
#[must_use]
pub fn summary(request: &AccessRequest) -> String {
    let mut text = format!("{} requests {}", code(&request.user), wish(request));
    let mut add = |title: &str, value: String| {
        if !value.is_empty() {
            let _ = write!(text, "\n\n**{title}**\n{value}");
        }
    };
    add("Resources", resources(request));
    add("Reason", quoted(&request.reason));
    add("Access until", access_until(request));
    add("Access begins", request.starts.map(|time| time.to_string()).unwrap_or_default());
    let needed = request.thresholds.iter().map(|threshold| threshold.approve).max().unwrap_or(1);
    if needed > 1 || !request.reviews.is_empty() {
        add("Reviews", format!("{}\n{needed} approvals decide.", reviews(request)).trim_start().to_owned());
    }
    text
}

/// A word for the outcome, with its sign.
fn status(outcome: Outcome) -> &'static str {
    match outcome {
        Outcome::Pending => "⏳ Pending",
        Outcome::Approved => "✅ Approved",
        Outcome::Denied => "❌ Denied",
        Outcome::Promoted => "⤴️ Promoted to an access list",
        Outcome::Expired => "⌛ Expired",
        Outcome::Deleted => "🗑️ Deleted",
    }
}

/// A sign for a reviewer's verdict.
fn sign(verdict: State) -> &'static str {
    match verdict {
        State::Approved => "✅",
        State::Denied => "❌",
        State::Promoted => "⤴️",
        State::Pending => "💬",
    }
}

fn color(outcome: Outcome) -> &'static str {
    match outcome {
        Outcome::Pending => "#1c58d9",
        Outcome::Approved => "#3db887",
        Outcome::Denied => "#d24b4e",
        Outcome::Promoted => "#7a5fd3",
        Outcome::Expired | Outcome::Deleted => "#8d94a3",
    }
}

/// One line that says it all, for notifications and for those who skim.
fn headline(record: &Record) -> String {
    let request = &record.request;
    let user = code(&request.user);
    let wish = wish(request);
    match record.outcome {
        Outcome::Pending => format!("{user} requests {wish}"),
        Outcome::Approved => format!("{user} was granted {wish}{}", by(request)),
        Outcome::Denied => format!("{user} was denied {wish}{}", by(request)),
        Outcome::Promoted => format!("{user}'s request for {wish} became an access list membership{}", by(request)),
        Outcome::Expired => format!("{user}'s request for {wish} expired: nobody decided in time"),
        Outcome::Deleted => format!("{user}'s request for {wish} was withdrawn"),
    }
}

/// What is asked for, in short.
pub(crate) fn wish(request: &AccessRequest) -> String {
    match (request.roles.as_slice(), request.resources.len()) {
        ([], 0) => "access".to_owned(),
        ([], count) => format!("access to {count} resource{}", plural(count)),
        (roles, 0) => listed(roles),
        (roles, count) => format!("{} on {count} resource{}", listed(roles), plural(count)),
    }
}

fn plural(count: usize) -> &'static str {
    if count == 1 { "" } else { "s" }
}

/// Who decided, as far as Teleport knows: whoever clicked in Mattermost, else the reviewers who agreed.
pub(crate) fn by(request: &AccessRequest) -> String {
    if let Some(username) = request.resolve_annotations.get(DECIDER_ANNOTATION).and_then(|names| names.first()) {
        return format!(" by {}", mention(username));
    }
    let reviewers: Vec<String> =
        request.reviews.iter().filter(|review| review.state == request.state).map(reviewer).take(MAX_LISTED).collect();
    if reviewers.is_empty() { " in Teleport".to_owned() } else { format!(" by {}", reviewers.join(", ")) }
}

/// Who a review is of: its author, and the Mattermost user whose verdict the author passed on.
fn reviewer(review: &Review) -> String {
    if review.decider.is_empty() {
        return code(&review.author);
    }
    format!("{} for {}", code(&review.author), mention(&review.decider))
}

/// The words of a review that the plugin submits as its own, which say whose verdict it is.
pub(crate) fn reason_of(username: &str, reason: &str) -> String {
    let who = format!("{} in Mattermost", mention(username));
    if reason.is_empty() { who } else { format!("{who}: {reason}") }
}

/// A username as a mention, with nothing in it that is none.
fn mention(username: &str) -> String {
    let name = username.chars().filter(|letter| letter.is_ascii_alphanumeric() || "._-".contains(*letter)).take(64);
    format!("@{}", name.collect::<String>())
}

fn fallback(request: &AccessRequest) -> String {
    let roles = request.roles.iter().map(|role| plain(role)).take(MAX_LISTED).collect::<Vec<_>>().join(", ");
    format!("Access request from {} for {roles}", plain(&request.user))
}

fn fields(site: &Site, record: &Record) -> Vec<AttachmentField> {
    let request = &record.request;
    let mut fields = Vec::new();
    let mut add = |title: &str, value: String, short: bool| {
        if !value.is_empty() {
            fields.push(AttachmentField { title: title.to_owned(), value, short });
        }
    };
    add("User", code(&request.user), true);
    add(if request.roles.len() == 1 { "Role" } else { "Roles" }, listed(&request.roles), true);
    add("Resources", resources(request), false);
    add("Reason", quoted(&request.reason), false);
    add("Status", status_line(record), true);
    match record.outcome {
        Outcome::Pending => {
            add("Request expires", request.expires.map(|time| time.to_string()).unwrap_or_default(), true)
        }
        Outcome::Expired => {
            add("Request expired", request.expires.map(|time| time.to_string()).unwrap_or_default(), true)
        }
        Outcome::Approved | Outcome::Denied | Outcome::Promoted | Outcome::Deleted => {
            add("When", record.settled_at.map(|time| time.to_string()).unwrap_or_default(), true);
        }
    }
    if matches!(record.outcome, Outcome::Pending | Outcome::Approved) {
        add("Access until", access_until(request), true);
        add("Access begins", request.starts.map(|time| time.to_string()).unwrap_or_default(), true);
    }
    add("Reviews", reviews(request), false);
    add("Comment", quoted(&request.resolve_reason), false);
    if record.outcome == Outcome::Pending && request.long_term {
        add("Decide in Teleport", LONG_TERM.to_owned(), false);
    }
    let page = if site.page.is_empty() { String::new() } else { format!(" ([open in Teleport]({}))", site.page) };
    add("Request ID", format!("{}{page}", code(&request.id)), false);
    fields
}

fn status_line(record: &Record) -> String {
    let request = &record.request;
    match record.outcome {
        Outcome::Pending => {
            let approvals = request.reviews.iter().filter(|review| review.state == State::Approved).count();
            let needed = request.thresholds.iter().map(|threshold| threshold.approve).max().unwrap_or(1);
            let mut line = status(Outcome::Pending).to_owned();
            if approvals > 0 || needed > 1 {
                // Thresholds may name who counts, so this is what was said, not a promise of what is missing.
                let _ = write!(line, " ({approvals} of {needed} approvals)");
            }
            line
        }
        Outcome::Promoted if !request.promoted_to.is_empty() => {
            format!("⤴️ Promoted to access list {}", code(&request.promoted_to))
        }
        outcome @ (Outcome::Approved | Outcome::Denied | Outcome::Promoted) => {
            format!("{}{}", status(outcome), by(request))
        }
        outcome @ (Outcome::Expired | Outcome::Deleted) => status(outcome).to_owned(),
    }
}

fn access_until(request: &AccessRequest) -> String {
    let Some(until) = request.access_until else { return String::new() };
    match request.created {
        Some(created) if until > created => format!("{until} ({})", in_words(rounded(until, created))),
        _ => until.to_string(),
    }
}

/// The time between, to the nearest minute: Teleport's times are seconds apart where people meant hours.
fn rounded(until: Time, from: Time) -> std::time::Duration {
    std::time::Duration::from_secs((until.since(from).as_secs() + 30) / 60 * 60)
}

fn resources(request: &AccessRequest) -> String {
    let names: Vec<String> = request
        .resources
        .iter()
        .map(|resource| {
            let inside =
                if resource.sub_resource.is_empty() { String::new() } else { format!("/{}", resource.sub_resource) };
            format!("{} {}", plain(&resource.kind), code(&format!("{}{inside}", resource.name)))
        })
        .collect();
    lines(&names)
}

fn reviews(request: &AccessRequest) -> String {
    let reviews: Vec<String> = request
        .reviews
        .iter()
        .map(|review| {
            let reason = if review.reason.is_empty() {
                String::new()
            } else {
                format!(": {}", harmless(&one_line(&review.reason)))
            };
            format!("{} {}{reason}", sign(review.state), reviewer(review))
        })
        .collect();
    lines(&reviews)
}

fn lines(items: &[String]) -> String {
    let mut text = items.iter().take(MAX_LISTED).cloned().collect::<Vec<_>>().join("\n");
    if items.len() > MAX_LISTED {
        let _ = write!(text, "\nand {} more", items.len() - MAX_LISTED);
    }
    text
}

fn listed(names: &[String]) -> String {
    let mut text = names.iter().take(MAX_LISTED).map(|name| code(name)).collect::<Vec<_>>().join(", ");
    if names.len() > MAX_LISTED {
        let _ = write!(text, " and {} more", names.len() - MAX_LISTED);
    }
    text
}

/// Why a request for lasting access has no buttons.
pub(crate) const LONG_TERM: &str = "This asks for lasting access, which Teleport grants by adding the user to an access list: only its web UI can do that.";

fn buttons(site: &Site, request: &AccessRequest) -> Vec<Action> {
    let button = |id: &str, name: &str, style: &str| Action {
        id: id.to_owned(),
        name: name.to_owned(),
        style: style.to_owned(),
        url: format!("/plugins/{}/click", site.plugin_id),
        context: HashMap::from([
            (context::REQUEST.to_owned(), request.id.clone()),
            (context::CLUSTER.to_owned(), site.cluster.clone()),
            (context::VERDICT.to_owned(), id.to_owned()),
        ]),
        ..Default::default()
    };
    vec![button(context::APPROVE, "Approve", "good"), button(context::DENY, "Deny", "danger")]
}

/// A name as inline code, in which nothing is a mention or a link.
#[must_use]
pub fn code(text: &str) -> String {
    let text = plain(text).replace('`', "'");
    if text.is_empty() { "(none)".to_owned() } else { format!("`{text}`") }
}

/// A name on one line, cut where it is too long, without control and direction characters.
fn plain(text: &str) -> String {
    clip(&one_line(text), MAX_NAME)
}

fn one_line(text: &str) -> String {
    let visible: String = text.chars().map(|letter| if is_hidden(letter) { ' ' } else { letter }).collect();
    visible.split_whitespace().collect::<Vec<_>>().join(" ")
}

/// Characters that could make a text look like another: controls, and marks that turn the direction of writing.
fn is_hidden(letter: char) -> bool {
    letter.is_control()
        || matches!(letter, '\u{200b}'..='\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}' | '\u{feff}')
}

/// A text cut where it is too long.
pub(crate) fn clip(text: &str, most: usize) -> String {
    if text.chars().count() <= most { text.to_owned() } else { text.chars().take(most).chain(['…']).collect() }
}

/// Somebody's words as a quotation, which cannot be taken for the plugin's own.
fn quoted(text: &str) -> String {
    let text: String = text.chars().filter(|letter| *letter == '\n' || !is_hidden(*letter)).collect();
    let text = clip(text.trim(), MAX_REASON);
    text.lines().map(|line| format!("> {}", harmless(line.trim()))).collect::<Vec<_>>().join("\n")
}

/// A text that mentions nobody, hides no link target and loads no picture; plain links stay links.
fn harmless(text: &str) -> String {
    let mut safe = String::with_capacity(text.len());
    for letter in text.chars() {
        match letter {
            '\\' | '`' | '*' | '[' | ']' | '!' | '<' | '|' | '#' | '~' | '>' => safe.extend(['\\', letter]),
            // A zero-width space ends the mention before it begins.
            '@' => safe.extend(['@', '\u{200b}']),
            _ => safe.push(letter),
        }
    }
    safe
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::teleport::{Resource, Threshold};

    fn record() -> Record {
        Record::new(AccessRequest {
            id: "0b1c".into(),
            user: "ann@example.com".into(),
            roles: vec!["dba".into()],
            created: Some(Time(0)),
            expires: Some(Time(3_600_000)),
            access_until: Some(Time(28_800_000)),
            reason: "disk full, see https://tickets.example.com/T_1".into(),
            ..Default::default()
        })
    }

    fn shown(record: &Record) -> (Post, Attachment) {
        let site = Site { plugin_id: "the.plugin".into(), cluster: "tp".into(), page: String::new() };
        let post = post(&site, record);
        let attachment = post.attachments.first().cloned().unwrap_or_default();
        (post, attachment)
    }

    fn field(attachment: &Attachment, title: &str) -> Option<String> {
        attachment.fields.iter().find(|field| field.title == title).map(|field| field.value.clone())
    }

    #[test]
    fn a_pending_request_shows_what_is_asked_and_has_two_buttons() {
        let (post, attachment) = shown(&record());
        assert_eq!(post.message, "`ann@example.com` requests `dba`");
        assert_eq!(post.props.get(REQUEST_PROP).map(String::as_str), Some("0b1c"));
        assert_eq!(field(&attachment, "Role").as_deref(), Some("`dba`"));
        assert_eq!(field(&attachment, "Reason").as_deref(), Some("> disk full, see https://tickets.example.com/T_1"));
        assert_eq!(field(&attachment, "Request expires").as_deref(), Some("1970-01-01 01:00 UTC"));
        assert_eq!(field(&attachment, "Access until").as_deref(), Some("1970-01-01 08:00 UTC (8 hours)"));
        assert_eq!(field(&attachment, "Status").as_deref(), Some("⏳ Pending"));
        let buttons: Vec<_> =
            attachment.actions.iter().map(|action| (action.name.as_str(), action.style.as_str())).collect();
        assert_eq!(buttons, [("Approve", "good"), ("Deny", "danger")]);
        assert!(attachment.actions.iter().all(|action| action.url == "/plugins/the.plugin/click"));
        assert!(attachment.actions.iter().all(|action| action.id.chars().all(char::is_alphanumeric)));
    }

    #[test]
    fn a_settled_request_has_no_buttons_and_says_who_and_when() {
        for outcome in [Outcome::Approved, Outcome::Denied, Outcome::Promoted, Outcome::Expired, Outcome::Deleted] {
            let (_, attachment) = shown(&Record { outcome, ..record() });
            assert_eq!(attachment.actions, [], "{outcome:?}");
        }
        let mut decided = Record { outcome: Outcome::Approved, settled_at: Some(Time(60_000)), ..record() };
        decided.request.resolve_annotations.insert(DECIDER_ANNOTATION.into(), vec!["bob".into()]);
        let (post, attachment) = shown(&decided);
        assert_eq!(post.message, "`ann@example.com` was granted `dba` by @bob");
        assert_eq!(field(&attachment, "Status").as_deref(), Some("✅ Approved by @bob"));
        assert_eq!(field(&attachment, "When").as_deref(), Some("1970-01-01 00:01 UTC"));
    }

    #[test]
    fn a_decision_made_elsewhere_names_the_reviewers_or_teleport() {
        let mut denied = Record { outcome: Outcome::Denied, ..record() };
        denied.request.state = State::Denied;
        assert_eq!(shown(&denied).0.message, "`ann@example.com` was denied `dba` in Teleport");
        denied.request.reviews = vec![
            Review {
                author: "eve".into(),
                state: State::Approved,
                reason: String::new(),
                created: None,
                decider: String::new(),
            },
            Review {
                author: "bob".into(),
                state: State::Denied,
                reason: "not @now".into(),
                created: None,
                decider: String::new(),
            },
        ];
        let (post, attachment) = shown(&denied);
        assert_eq!(post.message, "`ann@example.com` was denied `dba` by `bob`");
        assert_eq!(field(&attachment, "Reviews").as_deref(), Some("✅ `eve`\n❌ `bob`: not @\u{200b}now"));
    }

    #[test]
    fn the_thread_tells_each_review_and_the_decision() {
        let mut record = record();
        assert_eq!(news(&record), []);
        let review = |author: &str, state| Review {
            author: author.into(),
            state,
            reason: "fine".into(),
            created: None,
            decider: String::new(),
        };
        record.request.reviews = vec![review("bob", State::Approved), review("eve", State::Denied)];
        record.request.state = State::Denied;
        record.outcome = Outcome::Denied;
        let told: Vec<_> = news(&record).into_iter().map(|news| (news.key, news.text)).collect();
        assert_eq!(
            told,
            [
                ("review:bob".to_owned(), "✅ `bob` approved\n> fine".to_owned()),
                ("review:eve".to_owned(), "❌ `eve` denied\n> fine".to_owned()),
                ("outcome:denied".to_owned(), "**❌ Denied** by `eve`".to_owned()),
            ]
        );
    }

    #[test]
    fn approvals_are_counted_where_more_than_one_is_needed() {
        let mut record = record();
        record.request.thresholds = vec![Threshold { name: String::new(), approve: 2, deny: 1 }];
        assert_eq!(field(&shown(&record).1, "Status").as_deref(), Some("⏳ Pending (0 of 2 approvals)"));
        record.request.reviews = vec![Review {
            author: "bob".into(),
            state: State::Approved,
            reason: String::new(),
            created: None,
            decider: String::new(),
        }];
        assert_eq!(field(&shown(&record).1, "Status").as_deref(), Some("⏳ Pending (1 of 2 approvals)"));
    }

    #[test]
    fn a_request_for_resources_lists_them() {
        let mut record = record();
        record.request.resources = vec![Resource {
            cluster: "tp".into(),
            kind: "node".into(),
            name: "n1".into(),
            sub_resource: String::new(),
        }];
        let (post, attachment) = shown(&record);
        assert_eq!(post.message, "`ann@example.com` requests `dba` on 1 resource");
        assert_eq!(field(&attachment, "Resources").as_deref(), Some("node `n1`"));
    }

    #[test]
    fn words_from_outside_mention_nobody_and_imitate_nothing() {
        let mut record = record();
        record.request.reason =
            "@channel\n# ✅ Approved\n[safe](http://evil) ![](http://pixel)\n```\nx\u{202e}y".into();
        let (_, attachment) = shown(&record);
        let reason = field(&attachment, "Reason").unwrap_or_default();
        assert_eq!(
            reason,
            "> @\u{200b}channel\n> \\# ✅ Approved\n> \\[safe\\](http://evil) \\!\\[\\](http://pixel)\n> \\`\\`\\`\n> xy"
        );
        record.request.user = "a`b\n@all".into();
        assert!(shown(&record).0.message.starts_with("`a'b @all` requests"));
        record.request.resolve_annotations.insert(DECIDER_ANNOTATION.into(), vec!["x](http://evil)".into()]);
        record.outcome = Outcome::Approved;
        assert!(shown(&record).0.message.ends_with(" by @xhttpevil"));
    }

    #[test]
    fn the_largest_request_fits_a_post() {
        let mut record = record();
        record.request.reason = "é".repeat(4_096);
        record.request.roles = vec!["r".repeat(500); 300];
        record.request.reviews = vec![
            Review {
                author: "a".repeat(500),
                state: State::Approved,
                reason: "!".repeat(4_096),
                created: None,
                decider: String::new()
            };
            100
        ];
        let (post, attachment) = shown(&record);
        assert!(post.message.chars().count() < 16_383, "{}", post.message.chars().count());
        let size: usize = attachment.fields.iter().map(|field| field.value.len()).sum();
        assert!(size < 400_000, "{size}");
    }
}
