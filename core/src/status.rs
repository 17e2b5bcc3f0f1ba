//! The state of everything, in checks that a person can act on.

use std::rc::Rc;

use crate::app::App;
use crate::config::{Address, Approver};
use crate::mattermost::{HostError, Mattermost as _, UserBy};
pub use crate::proto::panel::{Check, Outcome};
use crate::session::{Link, Place};
use crate::world::World;

/// Most troubled requests that are listed.
const MAX_LISTED: usize = 5;

fn check(name: &str, outcome: Outcome, message: impl Into<String>) -> Check {
    Check { name: name.to_owned(), outcome: outcome.into(), message: message.into(), ..Default::default() }
}

/// Goes along the chain from the settings to the posts.
pub async fn checks<W: World>(app: &Rc<App<W>>) -> Vec<Check> {
    let mut checks = vec![settings(app)];
    checks.extend(links(app));
    checks.push(recipients(app).await);
    checks.push(posts(app));
    checks.push(approvers(app).await);
    checks.extend(app.host.borrow().notes.iter().map(|note| check("Host", Outcome::Warning, note.as_str())));
    checks
}

fn settings<W: World>(app: &App<W>) -> Check {
    let problems = app.problems.borrow();
    if problems.is_empty() {
        return check("Settings", Outcome::Ok, "complete");
    }
    let lines: Vec<String> =
        problems.iter().map(|problem| format!("{}: {}", problem.setting, problem.message)).collect();
    check("Settings", Outcome::Failed, lines.join("\n"))
}

/// Credentials, connection, permissions and watch: fine up to where the trouble is, and waiting behind it.
fn links<W: World>(app: &App<W>) -> Vec<Check> {
    let link = app.link.borrow().clone();
    let way = app.way.borrow().clone();
    let settings = app.settings();
    let address = settings.first().address.as_ref().map(Address::to_string).unwrap_or_default();
    let trouble = match &link {
        Link::Down(trouble) => Some(trouble),
        Link::Connecting | Link::Up(_) => None,
    };
    let at = |place: Place, name: &str, fine: Option<Check>| match trouble {
        Some(trouble) if trouble.place == place => check(name, Outcome::Failed, trouble.message.as_str()),
        Some(trouble) if trouble.place < place => check(name, Outcome::Pending, "waits for the above"),
        _ => fine.unwrap_or_else(|| check(name, Outcome::Pending, "in progress")),
    };
    let credentials = way.as_ref().map(|way| match &way.credentials {
        None => check("Credentials", Outcome::Ok, "none needed: the gateway signs in"),
        Some(usable) => match usable.warning(app.world.now()) {
            Some(warning) => check("Credentials", Outcome::Warning, warning),
            None => check(
                "Credentials",
                Outcome::Ok,
                format!("Teleport user `{}`, valid until {}", usable.user, usable.not_after),
            ),
        },
    });
    let connection = way.as_ref().map(|way| {
        check(
            "Teleport",
            Outcome::Ok,
            format!("cluster `{}`, version {}, at {address}", way.server.cluster, way.server.version),
        )
    });
    let (permissions, watch) = match &link {
        Link::Up(Some(since)) => (
            Some(check("Permissions", Outcome::Ok, "may list, read and update access requests")),
            Some(check("Watch", Outcome::Ok, format!("running since {since}, {} pending", app.desk.pending()))),
        ),
        Link::Up(None) if !app.leader.get() => (
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

async fn recipients<W: World>(app: &App<W>) -> Check {
    let settings = app.settings();
    if settings.recipients.is_empty() {
        return check(
            "Recipients",
            Outcome::Failed,
            "none: access requests are posted nowhere. Set Recipients on the settings page.",
        );
    }
    // Looked up afresh: a channel may have been archived since.
    app.recipients.forget();
    let mut found = Vec::new();
    let mut troubles = Vec::new();
    for recipient in &settings.recipients {
        match app.recipients.channel(app.world.mattermost(), recipient).await {
            Ok(_) => found.push(recipient.to_string()),
            Err(error) => troubles.push(error.to_string()),
        }
    }
    if troubles.is_empty() {
        check("Recipients", Outcome::Ok, found.join(", "))
    } else {
        check("Recipients", Outcome::Failed, troubles.join("\n"))
    }
}

fn posts<W: World>(app: &App<W>) -> Check {
    if !app.leader.get() {
        return check("Posts", Outcome::Ok, "written by the node that watches");
    }
    let undelivered = app.desk.undelivered();
    if undelivered.is_empty() {
        return check("Posts", Outcome::Ok, "all up to date");
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
    check("Posts", Outcome::Failed, lines.join("\n"))
}

/// Who may decide, and whether there are such people.
async fn approvers<W: World>(app: &App<W>) -> Check {
    let settings = app.settings();
    if settings.approvers.is_empty() {
        return check("Approvers", Outcome::Ok, "Mattermost system admins, as none are named");
    }
    let mut strangers = Vec::new();
    let mut lines = Vec::new();
    for rule in &settings.approvers {
        let who: Vec<String> = rule.who.iter().map(|who| format!("`{who}`")).collect();
        lines.push(format!("`{}`: {}", rule.roles, if who.is_empty() { "nobody".to_owned() } else { who.join(", ") }));
        for approver in &rule.who {
            let Approver::Username(name) = approver else { continue };
            let user = app.world.mattermost().get_user(UserBy::Username(name.clone())).await;
            if matches!(user, Err(HostError::NotFound(_))) {
                strangers.push(format!("there is no user `{name}`"));
            }
        }
    }
    let outcome = if strangers.is_empty() { Outcome::Ok } else { Outcome::Warning };
    lines.extend(strangers);
    check("Approvers", outcome, lines.join("\n"))
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
        text.push_str(&format!("- {sign} **{}**: {message}\n", check.name));
    }
    text
}
