//! Everything that people read in posts.

use std::collections::HashMap;
use std::fmt::Write as _;

use crate::decision::{Needed, OwnDecision, largest, tally};
use crate::ledger::{Offers, Outcome, Record};
use crate::mattermost::{Action, Attachment, AttachmentField, Post};
use crate::teleport::{AccessRequest, Review, State};
pub use crate::text::markdown::code;
pub(crate) use crate::text::markdown::mention;
use crate::text::markdown::{named, plain, quoted, words};
pub(crate) use crate::text::{clip, clip_bytes};
use crate::time::{Time, in_words};

mod parts;
pub(crate) mod roles;

pub(crate) use parts::{PART, is_exact, parts, unseen};

/// The prop of a post that holds the id of its request.
pub const REQUEST_PROP: &str = "teleport_access_request";
/// The prop of a post that holds the name of its request's cluster.
pub const CLUSTER_PROP: &str = "teleport_cluster";
/// The prop of a post in a thread that holds the key of the news it tells.
pub const NEWS_PROP: &str = "teleport_news";
/// The resolve annotation with the username of whoever decided in Mattermost.
pub const DECIDER_ANNOTATION: &str = "mattermost-user";

/// Most roles, resources or reviews listed.
const MAX_LISTED: usize = 25;
/// Most characters shown of a reviewer's words where reviews are listed; the thread has them in full.
const MAX_REMARK: usize = 500;
/// Most characters shown of a resource's kind.
const MAX_KIND: usize = 50;

/// What a button's context holds.
pub mod context {
    /// The request's id.
    pub const REQUEST: &str = "request";
    /// The name of its cluster.
    pub const CLUSTER: &str = "cluster";
    /// The digest of the request that the post shows.
    pub const DIGEST: &str = "digest";
    /// The verdict: see below.
    pub const VERDICT: &str = "verdict";
    /// Value of [`VERDICT`].
    pub const APPROVE: &str = "approve";
    /// Value of [`VERDICT`].
    pub const DENY: &str = "deny";
    /// What the button asks for besides the verdict; absent: nothing.
    pub const ASKS: &str = "asks";
    /// Value of [`ASKS`].
    pub const REASON: &str = "reason";
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
    /// What the buttons let people do.
    pub offers: Offers,
    /// Why there is a button less than usual, in a sentence; empty where there is none.
    pub why: String,
    /// Roles that the settings have rules of their own about: they come first.
    pub ruled: Vec<String>,
    /// How many people must agree; none where Teleport counts.
    pub needed: Option<Needed>,
}

/// The post that shows a request, without id and channel.
#[must_use]
pub fn post(site: &Site, record: &Record) -> Post {
    let request = &record.request;
    Post {
        message: headline(record),
        attachments: vec![Attachment {
            fallback: fallback(request),
            color: color(record.outcome).to_owned(),
            fields: fields(site, record),
            footer: format!("Teleport cluster {}", plain(&site.cluster)),
            actions: if record.outcome == Outcome::Pending { buttons(site, record) } else { Vec::new() },
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
    /// Somebody's words, as a quotation, or the request itself; empty where there are none. It stands in an attachment.
    pub quote: String,
}

/// What begins the keys of reminders.
const REMINDER: &str = "reminder:";

/// What there is to tell of a request so far, in order: each review, reminders, and the decision.
#[must_use]
pub fn news(record: &Record) -> Vec<News> {
    let request = &record.request;
    let mut news = if record.outcome == Outcome::Pending { parts(record).unwrap_or_default() } else { Vec::new() };
    news.extend(votes(record));
    news.extend(request.reviews.iter().map(|review| {
        let verb = match review.state {
            State::Approved => "approved",
            State::Denied => "denied",
            State::Promoted => "promoted",
            State::Pending | State::Other => "commented",
        };
        News {
            key: format!("review:{}", review.author),
            text: format!("{} {} {verb}", sign(review.state), reviewer(review)),
            quote: quoted(&review.reason),
        }
    }));
    news.extend(record.reminded.iter().map(|minutes| News {
        key: format!("{REMINDER}{minutes}"),
        text: match request.expires {
            Some(expires) => format!("⏰ Nobody has decided yet, and the request expires on {expires}."),
            None => "⏰ Nobody has decided yet.".to_owned(),
        },
        quote: String::new(),
    }));
    if matches!(record.outcome, Outcome::Approved | Outcome::Denied | Outcome::Promoted) {
        news.push(News {
            key: format!("outcome:{:?}", record.outcome).to_lowercase(),
            text: format!("**{}**{}{}", status(record.outcome), by(request, own(record)), roles::split(record)),
            quote: quoted(&resolve_reason(record)),
        });
    }
    news
}

/// The votes that did not decide by themselves.
fn votes(record: &Record) -> Vec<News> {
    let alone = |user_id: &str| {
        let decision = record.ballot.decision.as_ref();
        decision.is_some_and(|decision| matches!(decision.voters.as_slice(), [one] if one.user_id == user_id))
    };
    let votes = record.ballot.votes.iter().filter(|vote| vote.digest == record.digest && !alone(&vote.user_id));
    votes
        .map(|vote| {
            let verdict = if vote.state == State::Denied { "denied" } else { "approved" };
            News {
                key: format!("vote:{}:{verdict}", vote.user_id),
                text: format!("{} {} voted: {verdict}", sign(vote.state), named(&vote.username)),
                quote: quoted(&vote.reason),
            }
        })
        .collect()
}

/// The roles that were asked for and not granted, for the end of a line.
fn less(record: &Record) -> String {
    roles::without(&roles::refused(record))
}

/// When the access begins, where that is later than at once: as Teleport says, or as was decided here.
fn starts(record: &Record) -> Option<Time> {
    record.request.starts.or_else(|| own(record)?.starts)
}

/// The decision, if it was made here.
fn own(record: &Record) -> Option<&OwnDecision> {
    record.ballot.decided(&record.request)
}

/// The deciders' words: Teleport's, or where it keeps none, the plugin's own.
pub(crate) fn resolve_reason(record: &Record) -> String {
    let kept = &record.request.resolve_reason;
    if kept.is_empty() { own(record).map(|decision| decision.reason.clone()).unwrap_or_default() } else { kept.clone() }
}

/// The news that the requester is told, too: all but the reminders, with what to do with a decision.
#[must_use]
pub fn news_for_requester(site: &Site, record: &Record) -> Vec<News> {
    let asked = AccessRequest { roles: roles::asked(record), ..record.request.clone() };
    let mine = format!("Your access request for {}", wish(&asked));
    let told = news(record).into_iter().filter(|news| !news.key.starts_with(REMINDER) && !news.key.starts_with(PART));
    let told = told.map(|news| {
        let text = if news.key.starts_with("review:") || news.key.starts_with("vote:") {
            format!("{mine} was reviewed.\n{}", news.text)
        } else {
            let mut text = format!("{mine}: {}", news.text);
            if record.outcome == Outcome::Approved {
                text.push_str(&usage(site, record));
            }
            text
        };
        News { text, ..news }
    });
    let expired = (record.outcome == Outcome::Expired).then(|| News {
        key: "outcome:expired".to_owned(),
        text: format!("{mine} expired: nobody decided in time."),
        quote: String::new(),
    });
    told.chain(expired).collect()
}

/// How a granted request is used.
fn usage(site: &Site, record: &Record) -> String {
    let (request, starts) = (&record.request, starts(record));
    let id: String = request.id.chars().filter(|letter| letter.is_ascii_alphanumeric() || *letter == '-').collect();
    let mut text = String::from("\n\n");
    if let Some(starts) = starts {
        let _ = write!(text, "The access begins on {starts}. Then ");
    }
    let _ = write!(text, "{} it with `tsh login --request-id={id}`", if starts.is_some() { "use" } else { "Use" });
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

/// The post that tells news, in a thread or to the requester, without its channel and root. Words of people stand in an
/// attachment, because Mattermost loads what a message links to, to show a preview, but nothing that an attachment links to.
#[must_use]
pub fn reply(cluster: &str, record: &Record, news: &News) -> Post {
    let quote = (!news.quote.is_empty()).then(|| Attachment { text: news.quote.clone(), ..Default::default() });
    Post {
        message: news.text.clone(),
        attachments: quote.into_iter().collect(),
        props: HashMap::from([
            (REQUEST_PROP.to_owned(), record.request.id.clone()),
            (CLUSTER_PROP.to_owned(), cluster.to_owned()),
            (NEWS_PROP.to_owned(), news.key.clone()),
        ]),
        ..Default::default()
    }
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
        Outcome::Other => "❔ In a state that this version of the plugin does not know",
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
        State::Pending | State::Other => "💬",
    }
}

fn color(outcome: Outcome) -> &'static str {
    match outcome {
        Outcome::Pending => "#1c58d9",
        Outcome::Approved => "#3db887",
        Outcome::Denied => "#d24b4e",
        Outcome::Promoted => "#7a5fd3",
        Outcome::Other | Outcome::Expired | Outcome::Deleted => "#8d94a3",
    }
}

/// One line that says it all, for notifications and for those who skim.
fn headline(record: &Record) -> String {
    let request = &record.request;
    let user = code(&request.user);
    let wish = wish(request);
    match record.outcome {
        Outcome::Pending => format!("{user} requests {wish}"),
        Outcome::Approved => format!("{user} was granted {wish}{}{}", by(request, own(record)), less(record)),
        Outcome::Denied => format!("{user} was denied {wish}{}", by(request, own(record))),
        Outcome::Promoted => {
            format!("{user}'s request for {wish} became an access list membership{}", by(request, None))
        }
        Outcome::Other => {
            format!("{user}'s request for {wish} is in a state that this version does not know: look in Teleport")
        }
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

/// Who decided: the people whose votes the plugin counted; else what Teleport says, which others may have written there.
pub(crate) fn by(request: &AccessRequest, own: Option<&OwnDecision>) -> String {
    if let Some(decision) = own.filter(|decision| !decision.voters.is_empty()) {
        let names = decision.voters.iter().map(|voter| named(&voter.username)).take(MAX_LISTED);
        return format!(" by {}", names.collect::<Vec<_>>().join(", "));
    }
    if let Some(username) = request.resolve_annotations.get(DECIDER_ANNOTATION).and_then(|names| names.first()) {
        return format!(" in Teleport (says {})", code(username));
    }
    let reviewers: Vec<String> =
        request.reviews.iter().filter(|review| review.state == request.state).map(reviewer).take(MAX_LISTED).collect();
    if reviewers.is_empty() { " in Teleport".to_owned() } else { format!(" by {}", reviewers.join(", ")) }
}

/// Who a review is of: its author, and the Mattermost user whose verdict the author passed on.
fn reviewer(review: &Review) -> String {
    // People here are called like that: no user of Teleport is taken for one of them.
    let whose = if review.author.starts_with('@') { "Teleport user " } else { "" };
    if review.decider.is_empty() {
        return format!("{whose}{}", code(&review.author));
    }
    // Whoever reviews can write that: it is no word of the plugin's, and calls nobody.
    format!("{whose}{} (says for {})", code(&review.author), code(&review.decider))
}

/// The words of a review that the plugin submits as its own, which say whose verdict it is.
pub(crate) fn reason_of(usernames: &[&str], reason: &str) -> String {
    let names: Vec<String> = usernames.iter().map(|name| mention(name)).collect();
    let who = format!("{} in Mattermost", names.join(", "));
    if reason.is_empty() { who } else { format!("{who}: {reason}") }
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
    let refused = roles::refused(record);
    if refused.is_empty() {
        add(if request.roles.len() == 1 { "Role" } else { "Roles" }, listed(&in_order(site, request)), true);
    } else {
        add("Roles granted", listed(&roles::granted(record)), true);
        add("Roles not granted", listed(&refused), true);
    }
    add("Resources", resources(request), false);
    add("Reason", quoted(&request.reason), false);
    if record.outcome == Outcome::Pending && parts::are_needed(request) {
        add("All of it", parts::NOTE.to_owned(), false);
    }
    add("Status", status_line(site, record), true);
    match record.outcome {
        Outcome::Pending => {
            add("Request expires", request.expires.map(|time| time.to_string()).unwrap_or_default(), true)
        }
        Outcome::Expired => {
            add("Request expired", request.expires.map(|time| time.to_string()).unwrap_or_default(), true)
        }
        Outcome::Approved | Outcome::Denied | Outcome::Promoted | Outcome::Other | Outcome::Deleted => {
            add("When", record.settled_at.map(|time| time.to_string()).unwrap_or_default(), true);
        }
    }
    if matches!(record.outcome, Outcome::Pending | Outcome::Approved) {
        add("Access until", access_until(request), true);
        add("Access begins", starts(record).map(|time| time.to_string()).unwrap_or_default(), true);
    }
    add("Reviews", reviews(request), false);
    add("Comment", quoted(&resolve_reason(record)), false);
    if record.outcome == Outcome::Pending {
        add("Decide in Teleport", site.why.clone(), false);
    }
    let page = if site.page.is_empty() { String::new() } else { format!(" ([open in Teleport]({}))", site.page) };
    add("Request ID", format!("{}{page}", code(&request.id)), false);
    fields
}

/// The roles, those with rules of their own first.
fn in_order(site: &Site, request: &AccessRequest) -> Vec<String> {
    let (mut first, then): (Vec<_>, Vec<_>) = request.roles.iter().cloned().partition(|role| site.ruled.contains(role));
    first.extend(then);
    first
}

fn status_line(site: &Site, record: &Record) -> String {
    let request = &record.request;
    match record.outcome {
        Outcome::Pending => {
            let mut line = status(Outcome::Pending).to_owned();
            let approvals = request.reviews.iter().filter(|review| review.state == State::Approved).count();
            let votes = tally(&record.ballot.votes, State::Approved, &record.digest, 0).votes;
            if let Some(counted) = site.needed.filter(|needed| needed.approve > 1 || !votes.is_empty()) {
                // Reviews in Teleport may count, so this is what was said, not a promise of what is missing.
                let reviews = request.reviews.iter().filter(|review| review.state == State::Approved);
                let said = votes.iter().map(|vote| named(&vote.username)).chain(reviews.map(reviewer));
                let said: Vec<String> = said.take(MAX_LISTED).collect();
                let names = if said.is_empty() { String::new() } else { format!(": {}", said.join(", ")) };
                let _ = write!(line, " ({} of {} approvals{names})", said.len(), counted.approve);
                return line;
            }
            let needed = largest(&request.thresholds);
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
            format!("{}{}{}", status(outcome), by(request, own(record)), less(record))
        }
        outcome @ (Outcome::Other | Outcome::Expired | Outcome::Deleted) => status(outcome).to_owned(),
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
            let name = code(&parts::whole_name(resource));
            let cluster = match resource.cluster.as_str() {
                "" => String::new(),
                cluster => format!(" in cluster {}", code(cluster)),
            };
            format!("{} {name}{cluster}", words(&resource.kind, MAX_KIND)).trim_start().to_owned()
        })
        .collect();
    lines(&names)
}

fn reviews(request: &AccessRequest) -> String {
    let reviews: Vec<String> = request
        .reviews
        .iter()
        .map(|review| {
            let remark = words(&review.reason, MAX_REMARK);
            let reason = if remark.is_empty() { remark } else { format!(": {remark}") };
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
pub(crate) const UNKNOWN: &str = "This request says something that this version of the plugin does not know, and that may be part of what would be granted: it can be approved in Teleport, or here once a system admin has accepted it on the plugin's settings page.";
/// What is said of requests for lasting access.
pub(crate) const LONG_TERM: &str = "This asks for lasting access, which Teleport grants by adding the user to an access list: only its web UI can do that.";

fn buttons(site: &Site, record: &Record) -> Vec<Action> {
    let request = &record.request;
    let button = |id: &str, name: &str, style: &str| Action {
        id: id.to_owned(),
        name: name.to_owned(),
        style: style.to_owned(),
        url: format!("/plugins/{}/click", site.plugin_id),
        context: HashMap::from([
            (context::REQUEST.to_owned(), request.id.clone()),
            (context::CLUSTER.to_owned(), site.cluster.clone()),
            (context::DIGEST.to_owned(), record.digest.clone()),
            (context::VERDICT.to_owned(), id.to_owned()),
        ]),
        ..Default::default()
    };
    let approve = site.offers.approve.then(|| button(context::APPROVE, "Approve", "good"));
    let deny = site.offers.deny.then(|| button(context::DENY, "Deny", "danger"));
    let with_reason = (site.offers.deny && site.offers.deny_with_reason).then(|| {
        let mut action = button(context::DENY, "Deny with reason…", "default");
        "denywithreason".clone_into(&mut action.id);
        action.context.insert(context::ASKS.to_owned(), context::REASON.to_owned());
        action
    });
    approve.into_iter().chain(deny).chain(with_reason).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::decision::{Ballot, Vote, Voter};
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
        let site = Site {
            plugin_id: "the.plugin".into(),
            cluster: "tp".into(),
            offers: Offers { approve: true, deny: true, deny_with_reason: true },
            ..Default::default()
        };
        let post = post(&site, record);
        let attachment = post.attachments.first().cloned().unwrap_or_default();
        (post, attachment)
    }

    /// What is known here of an approval, on a server that keeps no annotations.
    fn decided_by(username: &str, refused: &[&str]) -> Ballot {
        let decision = OwnDecision {
            state: State::Approved,
            voters: vec![Voter { user_id: "id".into(), username: username.into() }],
            roles: Vec::new(),
            refused_roles: refused.iter().map(|role| (*role).to_owned()).collect(),
            starts: None,
            reason: "my own words".into(),
            grant: String::new(),
            entry: "e".into(),
            annotated: false,
            asked: true,
            time: Time(1),
        };
        Ballot { votes: Vec::new(), decision: Some(decision) }
    }

    #[test]
    fn what_teleport_does_not_keep_is_told_from_what_is_known_here() {
        let mut decided = Record { outcome: Outcome::Approved, ..record() };
        decided.request.state = State::Approved;
        decided.ballot = decided_by("bob", &["db-read"]);
        let (post, attachment) = shown(&decided);
        assert_eq!(post.message, "`ann@example.com` was granted `dba` by `@bob`, without `db-read`");
        assert_eq!(field(&attachment, "Comment").as_deref(), Some("> my own words"));
    }

    fn vote(user: &str, digest: &str) -> Vote {
        Vote {
            user_id: user.into(),
            username: user.into(),
            state: State::Approved,
            digest: digest.into(),
            channel_id: "c".into(),
            roles: Vec::new(),
            starts: None,
            reason: String::new(),
            time: Time(1),
        }
    }

    #[test]
    fn votes_are_counted_in_the_post_and_told_in_the_thread() {
        let mut record = record();
        record.digest = "d".into();
        record.ballot.votes = vec![vote("bob", "d"), vote("eve", "of another request")];
        let site = Site { needed: Some(Needed { approve: 2, deny: 1 }), ..Default::default() };
        let status = fields(&site, &record).into_iter().find(|field| field.title == "Status").map(|field| field.value);
        assert_eq!(status.as_deref(), Some("⏳ Pending (1 of 2 approvals: `@bob`)"));
        let told: Vec<String> = news(&record).into_iter().map(|news| news.key).collect();
        assert_eq!(told, ["vote:bob:approved"]);
    }

    #[test]
    fn a_post_has_the_buttons_that_it_may_offer_and_says_why_one_is_missing() {
        let offers = Offers { deny: true, ..Default::default() };
        let site = Site { offers, why: "Because.".into(), ..Default::default() };
        let attachment = post(&site, &record()).attachments.into_iter().next().unwrap_or_default();
        let buttons: Vec<String> = attachment.actions.iter().map(|action| action.name.clone()).collect();
        assert_eq!(buttons, ["Deny"], "where a denial is always asked for a reason, or never, there is one button");
        assert_eq!(field(&attachment, "Decide in Teleport").as_deref(), Some("Because."));
    }

    #[test]
    fn roles_with_rules_of_their_own_come_first() {
        let request = AccessRequest { roles: vec!["a".into(), "prod".into(), "b".into()], ..Default::default() };
        let site = Site { ruled: vec!["prod".into()], ..Default::default() };
        assert_eq!(in_order(&site, &request), ["prod", "a", "b"]);
    }

    fn field(attachment: &Attachment, title: &str) -> Option<String> {
        attachment.fields.iter().find(|field| field.title == title).map(|field| field.value.clone())
    }

    #[test]
    fn a_pending_request_shows_what_is_asked_and_has_three_buttons() {
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
        assert_eq!(buttons, [("Approve", "good"), ("Deny", "danger"), ("Deny with reason…", "default")]);
        let said = |name: &str| -> Vec<Option<&str>> {
            attachment.actions.iter().map(|action| action.context.get(name).map(String::as_str)).collect()
        };
        assert_eq!(said(context::ASKS), [None, None, Some(context::REASON)]);
        assert_eq!(said(context::VERDICT), [Some(context::APPROVE), Some(context::DENY), Some(context::DENY)]);
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
        decided.request.state = State::Approved;
        decided.request.resolve_annotations.insert(DECIDER_ANNOTATION.into(), vec!["bob".into()]);
        let claimed = "`ann@example.com` was granted `dba` in Teleport (says `bob`)";
        assert_eq!(shown(&decided).0.message, claimed, "anybody who may update requests can write that there");
        decided.ballot = decided_by("bob", &[]);
        let (post, attachment) = shown(&decided);
        assert_eq!(post.message, "`ann@example.com` was granted `dba` by `@bob`");
        assert_eq!(field(&attachment, "Status").as_deref(), Some("✅ Approved by `@bob`"));
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
    fn no_user_of_teleport_is_taken_for_somebody_here() {
        let review = |author: &str, decider: &str| Review {
            author: author.into(),
            state: State::Denied,
            reason: String::new(),
            created: None,
            decider: decider.into(),
        };
        assert_eq!(reviewer(&review("@bob", "")), "Teleport user `@bob`");
        assert_eq!(reviewer(&review("@bob", "eve")), "Teleport user `@bob` (says for `eve`)");
        assert_eq!(reviewer(&review("bob", "")), "`bob`");
        let mut denied = Record { outcome: Outcome::Denied, ..record() };
        denied.request.state = State::Denied;
        denied.request.reviews = vec![review("@bob", "")];
        assert_eq!(shown(&denied).0.message, "`ann@example.com` was denied `dba` by Teleport user `@bob`");
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
        let told = news(&record);
        let said: Vec<_> =
            told.iter().map(|news| (news.key.as_str(), news.text.as_str(), news.quote.as_str())).collect();
        assert_eq!(
            said,
            [
                ("review:bob", "✅ `bob` approved", "> fine"),
                ("review:eve", "❌ `eve` denied", "> fine"),
                ("outcome:denied", "**❌ Denied** by `eve`", ""),
            ]
        );
        let posts: Vec<Post> = told.iter().map(|news| reply("tp", &record, news)).collect();
        let attached = posts.iter().map(|post| {
            post.attachments.iter().map(|attachment| attachment.text.as_str()).collect::<Vec<_>>().join("\n")
        });
        assert_eq!(attached.collect::<Vec<_>>(), ["> fine", "> fine", ""]);
    }

    #[test]
    fn words_of_people_never_stand_in_a_message_where_mattermost_would_load_what_they_link_to() {
        let mut record = Record { outcome: Outcome::Denied, digest: "d".into(), ..record() };
        record.request.reason = "see https://asked.example/".into();
        record.request.resolve_reason = "see https://decided.example/".into();
        record.request.reviews = vec![Review {
            author: "bob".into(),
            state: State::Denied,
            reason: "see https://reviewed.example/".into(),
            created: None,
            decider: String::new(),
        }];
        record.ballot.votes = vec![vote("carol", "d")];
        record.ballot.votes.iter_mut().for_each(|vote| vote.reason = "see https://voted.example/".into());
        let mut large = self::record();
        large.request.reason = format!("see https://asked.example/ {}", "x ".repeat(3_000));
        let site = Site::default();
        let replies = |record: &Record| -> Vec<Post> {
            let told = [news(record), news_for_requester(&site, record)].concat();
            told.iter().map(|news| reply("tp", record, news)).collect()
        };
        let (told, parts) = (replies(&record), replies(&large));
        assert_eq!((told.len(), parts.len()), (6, 1));
        for post in told.iter().chain(&parts).chain([&shown(&record).0]) {
            assert!(!post.message.contains(".example/"), "{}", post.message);
            assert_eq!(post.attachments.len(), 1, "{}", post.message);
        }
        for name in ["reviewed", "decided", "voted"] {
            let address = format!("https://{name}.example/");
            let stands = |post: &&Post| post.attachments.iter().any(|attachment| attachment.text.contains(&address));
            assert_eq!(told.iter().filter(stands).count(), 2, "{address}");
        }
    }

    #[test]
    fn approvals_are_counted_where_more_than_one_is_needed() {
        let mut record = record();
        record.request.thresholds = vec![Threshold { name: String::new(), filter: String::new(), approve: 2, deny: 1 }];
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
            constraints: Vec::new(),
        }];
        let (post, attachment) = shown(&record);
        assert_eq!(post.message, "`ann@example.com` requests `dba` on 1 resource");
        assert_eq!(field(&attachment, "Resources").as_deref(), Some("node `n1` in cluster `tp`"));
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
            "> @\u{200b}channel\n> \\# ✅ Approved\n> \\[safe\\](http&#58;//evil) \\!\\[\\](http&#58;//pixel)\n> \\`\\`\\`\n> xy"
        );
        record.request.user = "a`b\n@all".into();
        assert!(shown(&record).0.message.starts_with("`a�b�@all` requests"));
        record.request.resolve_annotations.insert(DECIDER_ANNOTATION.into(), vec!["x](http://evil)".into()]);
        record.outcome = Outcome::Approved;
        assert!(shown(&record).0.message.ends_with(" in Teleport (says `x](http://evil)`)"));
        record.request.state = State::Approved;
        record.ballot = decided_by("x](http://evil)", &[]);
        assert!(shown(&record).0.message.ends_with(" by `@x](http://evil)`"));
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
