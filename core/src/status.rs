//! The state of everything, in checks that a person can act on.

use std::rc::Rc;

use crate::app::App;
use crate::authority;
use crate::checks as shared;
use crate::cluster::Lane;
use crate::config::{Address, Approver, Authority, Problem, Recipient, Rule, Settings, Severity, about};
use crate::connection::route;
use crate::desk::Undelivered;
use crate::mattermost::{ChannelBy, Mattermost};
use crate::messages::code;
pub use crate::proto::panel::{Check, Outcome};
use crate::recipients::Recipients;
use crate::rules::{mapping, pins};
use crate::session::{Link, Place};
use crate::teleport::ServerInfo;
use crate::world::World;

/// Most troubled requests that are listed.
const MAX_LISTED: usize = 5;
/// Most roles that are listed.
const MAX_ROLES: usize = 20;

pub(crate) fn check(name: &str, outcome: Outcome, message: impl Into<String>) -> Check {
    Check { name: name.to_owned(), outcome: outcome.into(), message: message.into(), ..Default::default() }
}

/// Goes along the chain from the settings to the posts.
pub async fn checks<W: World>(app: &Rc<App<W>>) -> Vec<Check> {
    let mut checks = vec![settings_check(&app.problems.borrow())];
    let lanes = app.lanes();
    for lane in &lanes {
        let mut of_cluster = links(lane);
        of_cluster.push(recipients(lane).await);
        of_cluster.push(posts(lane).await);
        of_cluster.extend(authority(lane));
        of_cluster.extend(authority::change_check(lane).await);
        if lanes.len() > 1 {
            of_cluster.iter_mut().for_each(|check| check.cluster = lane.cluster.label());
        }
        checks.append(&mut of_cluster);
    }
    let settings = app.settings();
    checks.push(approvers_check(app, &settings).await);
    checks.extend(shared::all(app, &settings, Vec::new()).await);
    checks.push(pins::check(app.world.mattermost(), &settings).await);
    checks.extend(app.host.borrow().failures.iter().map(|text| check("Host", Outcome::Failed, text.as_str())));
    checks.push(mapping::users_check(app).await);
    checks.extend(app.host.borrow().notes.iter().map(|note| check("Host", Outcome::Warning, note.as_str())));
    checks
}

/// The authority that decisions are made by; none while the server is not known.
fn authority<W: World>(lane: &Lane<W>) -> Option<Check> {
    let way = lane.cluster.way.borrow().clone()?;
    Some(decisions_check(&lane.settings(), &way.server))
}

/// The authority that decisions are made by, in words.
pub(crate) fn decisions_check(settings: &Settings, server: &ServerInfo) -> Check {
    let mapped = settings.is_mapped();
    let numbered = settings.approvers.iter().any(|rule| rule.approve > 1 || rule.deny > 1);
    match authority::in_force(settings.authority, server) {
        Err(too_old) => check("Decisions", Outcome::Failed, format!("{too_old}.")),
        Ok(Authority::Teleport) if !server.reviews => check(
            "Decisions",
            Outcome::Warning,
            "Teleport is to decide, by reviews on behalf of whoever clicks, but this server says that it has no reviews (open source). Set \"Who checks decisions\" to the approvers on the settings page.",
        ),
        Ok(Authority::Teleport) if !mapped => check(
            "Decisions",
            Outcome::Failed,
            "Teleport decides, by reviews on behalf of whoever clicks, but nothing says which Teleport user anybody is. Fill in Users, Users by trait or Users by e-mail address on the settings page.",
        ),
        Ok(Authority::Teleport) if numbered => check(
            "Decisions",
            Outcome::Warning,
            "Teleport decides, by reviews on behalf of whoever clicks. It counts reviews by its own thresholds: the numbers in Approvers have no effect.",
        ),
        Ok(Authority::Teleport) => {
            check("Decisions", Outcome::Ok, "Teleport decides, by reviews on behalf of whoever clicks")
        }
        Ok(Authority::Reviewer) if !server.reviews => check(
            "Decisions",
            Outcome::Warning,
            "the plugin reviews as its own user, but this Teleport says that it has no reviews. Set \"Who checks decisions\" to the approvers on the settings page.",
        ),
        Ok(Authority::Reviewer) => {
            check("Decisions", Outcome::Ok, "the plugin reviews as its own user for the approvers below")
        }
        Ok(_) if settings.overrule_thresholds => check(
            "Decisions",
            Outcome::Failed,
            "the plugin decides for the approvers below and overrules Teleport's own thresholds. Turn off \"Overrule Teleport's thresholds\" on the settings page if that is not meant.",
        ),
        Ok(_) => check("Decisions", Outcome::Ok, "the plugin decides for the approvers below"),
    }
}

/// What is wrong with the settings.
pub(crate) fn settings_check(problems: &[Problem]) -> Check {
    if problems.is_empty() {
        return check("Settings", Outcome::Ok, "complete");
    }
    let lines: Vec<String> =
        problems.iter().map(|problem| format!("{}: {}", problem.setting, problem.message)).collect();
    let harmless = problems.iter().all(|problem| problem.severity >= Severity::Outdated);
    check("Settings", if harmless { Outcome::Warning } else { Outcome::Failed }, lines.join("\n"))
}

/// Credentials, connection, permissions and watch: fine up to where the trouble is, and waiting behind it.
fn links<W: World>(lane: &Lane<W>) -> Vec<Check> {
    let link = lane.cluster.link.borrow().clone();
    let way = lane.cluster.way.borrow().clone();
    let settings = lane.cluster.settings();
    let address = settings.address.as_ref().map(Address::to_string).unwrap_or_default();
    let trouble = match &link {
        Link::Down(trouble) => Some(trouble),
        Link::Connecting | Link::Up(_) => None,
    };
    let at = |place: Place, name: &str, fine: Option<Check>| match trouble {
        Some(trouble) if trouble.place == place => check(name, Outcome::Failed, trouble.message.as_str()),
        Some(trouble) if trouble.place < place => check(name, Outcome::Pending, "waits for the above"),
        // What comes before the trouble has passed.
        Some(_) => fine.unwrap_or_else(|| check(name, Outcome::Ok, "fine")),
        None => fine.unwrap_or_else(|| check(name, Outcome::Pending, "in progress")),
    };
    let credentials = way.as_ref().map(|way| match &way.credentials {
        None => check("Credentials", Outcome::Ok, "none needed: the gateway signs in"),
        Some(usable) => match usable.warning(lane.world.now()) {
            Some(warning) => check("Credentials", Outcome::Warning, warning),
            None => check(
                "Credentials",
                Outcome::Ok,
                format!("Teleport user `{}`, valid until {}", usable.user, usable.not_after),
            ),
        },
    });
    let encrypted = settings.address.as_ref().is_none_or(Address::is_encrypted);
    let connection = way.as_ref().map(|way| {
        let (outcome, plain) = if encrypted {
            (Outcome::Ok, "")
        } else {
            (Outcome::Warning, ", not encrypted (plain HTTP on this machine)")
        };
        let text = format!(
            "cluster `{}`, version {}, at {address}{plain}{}",
            way.server.cluster,
            way.server.version,
            route::detour(&way.route)
        );
        check("Teleport", outcome, text)
    });
    let (permissions, watch) = match &link {
        Link::Up(Some(since)) => (
            Some(check("Permissions", Outcome::Ok, "the role allows what is needed")),
            Some(check(
                "Watch",
                Outcome::Ok,
                format!("running since {since}, {} pending", lane.cluster.desk.pending()),
            )),
        ),
        Link::Up(None) if !lane.leader.get() => (
            Some(check("Permissions", Outcome::Pending, "checked by the node that watches")),
            Some(check("Watch", Outcome::Ok, "another node of this Mattermost cluster watches; this one stands by")),
        ),
        _ => (None, None),
    };
    vec![
        at(Place::Credentials, "Credentials", credentials),
        at(Place::Connection, "Teleport", connection),
        at(Place::Permissions, "Permissions", permissions),
        at(Place::Watch, "Watch", watch),
    ]
}

async fn recipients<W: World>(lane: &Lane<W>) -> Check {
    let settings = lane.settings();
    let own = lane.cluster.settings();
    let usual = if own.recipients.is_empty() { &settings.recipients } else { &own.recipients };
    let by_role = settings.role_recipients.iter().flat_map(|rule| &rule.recipients);
    // Looked up afresh: a channel may have been archived since.
    lane.recipients.forget();
    recipients_check(lane.world.mattermost(), &lane.recipients, usual.iter().chain(by_role)).await
}

/// Whether all recipients can be posted to.
pub(crate) async fn recipients_check<M: Mattermost>(
    mattermost: &M,
    known: &Recipients,
    all: impl Iterator<Item = &Recipient>,
) -> Check {
    let mut found: Vec<String> = Vec::new();
    let mut troubles: Vec<String> = Vec::new();
    for recipient in all {
        let name = recipient.to_string();
        if found.contains(&name) {
            continue;
        }
        match known.channel(mattermost, recipient).await {
            Ok(_) => found.push(name),
            Err(error) if troubles.contains(&error.to_string()) => {}
            Err(error) => troubles.push(error.to_string()),
        }
    }
    if !troubles.is_empty() {
        check("Recipients", Outcome::Failed, troubles.join("\n"))
    } else if found.is_empty() {
        check(
            "Recipients",
            Outcome::Failed,
            "none: access requests are posted nowhere. Set Recipients on the settings page.",
        )
    } else {
        check("Recipients", Outcome::Ok, found.join(", "))
    }
}

async fn posts<W: World>(lane: &Lane<W>) -> Check {
    if !lane.leader.get() {
        return check("Posts", Outcome::Ok, "written by the node that watches");
    }
    let (mut undelivered, altered) = (lane.cluster.desk.undelivered(), lane.cluster.desk.altered());
    let nowhere = lane.cluster.nowhere.borrow().clone();
    let is_new = |nowhere: &Undelivered| undelivered.iter().all(|known| known.request_id != nowhere.request_id);
    let more: Vec<Undelivered> = nowhere.into_iter().filter(is_new).collect();
    undelivered.extend(more);
    if let Some(first) = altered.first() {
        let count = altered.len();
        return check(
            "Posts",
            Outcome::Failed,
            format!(
                "Another plugin of this Mattermost server changes what posts of access requests say, so {count} pending request{} cannot be approved there, such as {}. Look for plugins that rewrite messages (autolinks, word filters) and leave the bot's posts out there. The posts are tried again every five minutes.",
                if count == 1 { "" } else { "s" },
                code(first)
            ),
        );
    }
    let (at_rest, deleted) = (at_rest(lane).await, deleted(lane));
    if undelivered.is_empty() {
        let outcome = if deleted.is_some() { Outcome::Warning } else { Outcome::Ok };
        let lines: Vec<String> = ["all up to date".to_owned()].into_iter().chain(at_rest).chain(deleted).collect();
        return check("Posts", outcome, lines.join("\n"));
    }
    let mut lines: Vec<String> = undelivered
        .iter()
        .take(MAX_LISTED)
        .map(|undelivered| format!("request `{}`: {}", undelivered.request_id, undelivered.trouble))
        .collect();
    if undelivered.len() > MAX_LISTED {
        lines.push(format!("and {} more", undelivered.len() - MAX_LISTED));
    }
    lines.push("They are tried again by themselves.".to_owned());
    lines.extend(at_rest.into_iter().chain(deleted));
    check("Posts", Outcome::Failed, lines.join("\n"))
}

/// Which posts of pending requests somebody has deleted, in words.
fn deleted<W: World>(lane: &Lane<W>) -> Option<String> {
    let deleted = lane.cluster.desk.deleted();
    let listed: Vec<String> = deleted.iter().take(MAX_LISTED).map(|id| code(id)).collect();
    let more = deleted.len().saturating_sub(MAX_LISTED);
    let more = if more > 0 { format!(" and {more} more") } else { String::new() };
    let cure = if lane.settings().repost_deleted {
        "They were posted again three times within ten minutes, and then no more."
    } else {
        "Decide them in Teleport, or turn on \"Post again what was deleted\" on the settings page."
    };
    (!listed.is_empty())
        .then(|| format!("Somebody deleted posts of pending access requests: {}{more}. {cure}", listed.join(", ")))
}

/// Where posts rest, in words.
async fn at_rest<W: World>(lane: &Lane<W>) -> Vec<String> {
    let resting = lane.cluster.desk.resting.list();
    let mut lines = Vec::new();
    for place in resting.iter().take(MAX_LISTED) {
        let channel = lane.world.mattermost().get_channel(ChannelBy::Id(place.channel_id.clone())).await;
        let name = channel.map_or_else(|_| code(&place.channel_id), |channel| code(&format!("~{}", channel.name)));
        let posts = if place.requests == 1 { "1 post rests" } else { &format!("{} posts rest", place.requests) };
        lines.push(format!("{posts} in {name}: {}", place.why.in_words()));
    }
    if resting.len() > MAX_LISTED {
        lines.push(format!("and posts in {} more channels", resting.len() - MAX_LISTED));
    }
    lines
}

/// Who may decide, and who may without anybody having said so. Whether there are such people is the names' check.
pub(crate) async fn approvers_check<W: World>(app: &App<W>, settings: &Settings) -> Check {
    if settings.approvers.is_empty() {
        return check("Approvers", Outcome::Ok, "Mattermost system admins, as none are named");
    }
    let mut lines: Vec<String> = settings.approvers.iter().map(in_words).collect();
    let warnings = approvers_warnings(app, settings).await;
    let outcome = if warnings.is_empty() { Outcome::Ok } else { Outcome::Warning };
    lines.extend(warnings);
    check("Approvers", outcome, lines.join("\n"))
}

/// A rule, as an admin reads it.
fn in_words(rule: &Rule) -> String {
    let who: Vec<String> = rule.who.iter().map(|who| code(&who.to_string())).collect();
    let who = if who.is_empty() { "nobody".to_owned() } else { who.join(", ") };
    let number = if rule.approve > 1 { format!("{} of ", rule.approve) } else { String::new() };
    let deny = if rule.deny > 1 { format!("; {} to deny", rule.deny) } else { String::new() };
    format!("{}: {number}{who}{deny}", code(&about(&rule.cluster, &rule.roles)))
}

async fn approvers_warnings<W: World>(app: &App<W>, settings: &Settings) -> Vec<String> {
    let mut warnings = Vec::new();
    if settings.approvers.iter().any(|rule| rule.who.contains(&Approver::ChannelMembers)) {
        let open = open_channels(app, settings).await;
        if !open.is_empty() {
            warnings.push(format!(
                "`channel-members` decide in {}: these channels are public, so everybody in the team can join and decide. Make them private, or name other approvers.",
                open.join(", ")
            ));
        }
    }
    let seen = app.roles_seen.list(&settings.approvers);
    if !seen.is_empty() {
        let listed: Vec<String> = seen.iter().take(MAX_ROLES).map(|role| code(role)).collect();
        let more = seen.len().saturating_sub(MAX_ROLES);
        let more = if more > 0 { format!(" and {more} more") } else { String::new() };
        warnings.push(format!(
            "asked for since the start, and named by no rule but `*`: {}{more}. Name them in a rule if other people are to decide them.",
            listed.join(", ")
        ));
    }
    warnings
}

/// The public ones of the channels that requests are posted to.
async fn open_channels<W: World>(app: &App<W>, settings: &Settings) -> Vec<String> {
    let mattermost = app.world.mattermost();
    let unsaved = Recipients::unsaved();
    let of_clusters = settings.clusters.iter().flat_map(|cluster| &cluster.recipients);
    let of_roles = settings.role_recipients.iter().flat_map(|rule| &rule.recipients);
    let mut open = Vec::new();
    for recipient in settings.recipients.iter().chain(of_clusters).chain(of_roles) {
        if !matches!(recipient, Recipient::Channel { .. } | Recipient::ChannelId(_)) {
            continue;
        }
        // As it was when it was saved, or as it would be. What cannot be looked up is told of by the recipients' check.
        let id = match app.recipients.channel(mattermost, recipient).await {
            Ok(id) => Ok(id),
            Err(_) => unsaved.channel(mattermost, recipient).await,
        };
        let Ok(id) = id else { continue };
        let Ok(channel) = mattermost.get_channel(ChannelBy::Id(id)).await else { continue };
        let name = code(&recipient.to_string());
        if channel.r#type == "O" && !open.contains(&name) {
            open.push(name);
        }
    }
    open
}

/// The checks as markdown.
#[must_use]
pub fn in_markdown(version: &str, checks: &[Check]) -> String {
    let mut text = format!("#### Teleport access requests {version}\n");
    for check in checks {
        let sign = match check.outcome() {
            Outcome::Ok => "✅",
            Outcome::Warning => "⚠️",
            Outcome::Failed => "❌",
            Outcome::Pending | Outcome::Unspecified => "⏳",
        };
        let message = check.message.replace('\n', "\n   ");
        let cluster = if check.cluster.is_empty() { String::new() } else { format!(" of {}", code(&check.cluster)) };
        text.push_str(&format!("- {sign} **{}**{cluster}: {message}\n", check.name));
        if !check.command.is_empty() {
            text.push_str(&format!("   ```\n   {}\n   ```\n", check.command.replace('\n', "\n   ")));
        }
    }
    text
}
