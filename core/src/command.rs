//! The slash command `/teleport`.

use std::rc::Rc;

use crate::app::App;
use crate::audit::{self, chain::Head};
use crate::authority;
use crate::config::Address;
use crate::mattermost::{HostError, Mattermost as _, UserBy};
use crate::messages::code;
use crate::notices;
use crate::setup::{self, Wish};
use crate::status;
use crate::text::{MOST_OF_POST, clip, fitting};
use crate::world::World;

/// Shown for `help`, and for what is not known.
const HELP: &str = "#### /teleport
- `/teleport status`: whether everything works, and what to do where it does not (system admins)
- `/teleport audit [number]`: who tried to decide what, and what came of it, newest first (system admins)
- `/teleport audit verify [heads]`: whether anything is missing from the audit trail or was changed, against heads that you have noted too (system admins)
- `/teleport setup`: what to run on the Teleport side, for your server's version (system admins)
- `/teleport notifications on|off`: whether you get direct messages about your own access requests
- `/teleport help`: this text

Access requests are approved and denied with the buttons in their posts.";

/// Most characters of an unknown word that come back.
const MOST_ECHOED: usize = 40;

/// Answers a command line for the user who typed it, in no more than a post holds.
pub async fn run<W: World>(app: &Rc<App<W>>, user_id: &str, line: &str) -> String {
    fitting(&answer(app, user_id, line).await, MOST_OF_POST)
}

async fn answer<W: World>(app: &Rc<App<W>>, user_id: &str, line: &str) -> String {
    let mut words = line.split_whitespace().skip(1);
    let first = words.next();
    match first.map(str::to_lowercase).as_deref() {
        None | Some("help") => HELP.to_owned(),
        Some("status") => match is_system_admin(app, user_id).await {
            Ok(true) => {
                let version = app.host.borrow().version.clone();
                status::in_markdown(&version, &status::checks(app).await)
            }
            answer => not_an_admin(answer, "see the status"),
        },
        Some("audit") => match is_system_admin(app, user_id).await {
            Ok(true) => match words.next() {
                Some(word) if word.eq_ignore_ascii_case("verify") => verify_audit(app, words).await,
                number => audit_trail(app, number).await,
            },
            answer => not_an_admin(answer, "see the audit trail"),
        },
        Some("setup") => match is_system_admin(app, user_id).await {
            Ok(true) => help_with_setup(app),
            answer => not_an_admin(answer, "see how to set up"),
        },
        Some("notifications") => notifications(app, user_id, words.next()).await,
        Some(_) => unknown(first.unwrap_or_default()),
    }
}

/// What somebody reads who typed a word that is no command.
fn unknown(word: &str) -> String {
    format!("There is no command {}.\n\n{HELP}", code(&clip(word, MOST_ECHOED)))
}

/// What to do on the Teleport side of the first cluster.
fn help_with_setup<W: World>(app: &Rc<App<W>>) -> String {
    let settings = app.settings();
    let address = match settings.clusters.first().and_then(|cluster| cluster.address.as_ref()) {
        Some(Address::Teleport(address)) => address.as_str(),
        // A gateway's address is none of Teleport's.
        Some(Address::Gateway(_)) | None => "",
    };
    let lanes = app.lanes();
    let way = lanes.first().and_then(|lane| lane.cluster.way.borrow().clone());
    let way = way.as_deref();
    // What the server's edition lacks is known once it is connected.
    let in_force = way.and_then(|way| authority::in_force(settings.authority, &way.server).ok());
    setup::in_markdown(&setup::guide(&Wish {
        teleport_version: way.map_or("", |way| way.server.version.as_str()),
        authority: in_force.unwrap_or(settings.authority),
        user_trait: !settings.user_trait.is_empty(),
        teleport_address: address,
    }))
}

async fn notifications<W: World>(app: &App<W>, user_id: &str, wanted: Option<&str>) -> String {
    let wanted = match wanted.map(str::to_lowercase).as_deref() {
        Some("on") => true,
        Some("off") => false,
        _ => return "Type `/teleport notifications on` or `/teleport notifications off`.".to_owned(),
    };
    if user_id.is_empty() {
        return "Sign in to Mattermost first.".to_owned();
    }
    match notices::set_wants(app, user_id, wanted).await {
        Ok(()) if wanted => "You get a direct message for each review of your access requests, and for the decision.".to_owned(),
        Ok(()) => "You get no more direct messages about your access requests. `/teleport notifications on` turns them on again.".to_owned(),
        Err(error) => format!("This could not be written down: {error}. Try again."),
    }
}

fn not_an_admin(answer: Result<bool, HostError>, what: &str) -> String {
    match answer {
        Ok(_) => format!("Only system admins may {what}: ask one of them."),
        Err(error) => format!("Mattermost could not be asked who you are: {error}. Try again."),
    }
}

/// Most entries that one answer shows, and how many it shows unless asked for more.
const MOST_ENTRIES: usize = 100;
const USUAL_ENTRIES: usize = 20;

async fn audit_trail<W: World>(app: &App<W>, number: Option<&str>) -> String {
    let number = match number.map(str::parse::<usize>) {
        None => USUAL_ENTRIES,
        Some(Ok(number)) if (1..=MOST_ENTRIES).contains(&number) => number,
        Some(_) => {
            return format!("Give a number from 1 to {MOST_ENTRIES}, such as `/teleport audit {USUAL_ENTRIES}`.");
        }
    };
    match audit::newest(app, number).await {
        Ok(entries) => {
            let (site, id) = (app.host.borrow().site_url.clone(), app.host.borrow().plugin_id.clone());
            let path = format!("{}/plugins/{id}", site.trim_end_matches('/'));
            // The way to all of it must not be what is cut.
            let table = fitting(&audit::export::in_markdown(&entries), MOST_OF_POST - 1_000);
            format!(
                "{table}\nAll of it: [CSV]({path}/audit.csv), [JSON lines]({path}/audit.jsonl). For a period, add `?from=2026-01-01&to=2026-01-31`."
            )
        }
        Err(error) => format!("The audit trail cannot be read: {error}. Try again."),
    }
}

fn no_head(word: &str) -> String {
    format!("{} is not a head. Write it as it was posted: chain:number:time:hash.", code(&clip(word, MOST_ECHOED)))
}

/// Whether anything is missing from the audit trail, against heads as they were posted.
async fn verify_audit<W: World>(app: &App<W>, words: impl Iterator<Item = &str>) -> String {
    let parsed = words.map(|word| word.parse().map_err(|_| no_head(word)));
    let heads: Result<Vec<Head>, String> = parsed.collect();
    let heads = match heads {
        Ok(heads) => heads,
        Err(error) => return error,
    };
    match audit::export::verify(app, heads).await {
        Ok(report) => {
            let heads: String = report.heads.iter().map(|head| format!("{head}\n")).collect();
            format!("{report}\nNote these heads elsewhere, to compare later:\n```\n{heads}```")
        }
        Err(error) => format!("The audit trail cannot be verified: {error}."),
    }
}

/// Whether the user is a system admin of Mattermost.
pub(crate) async fn is_system_admin<W: World>(app: &App<W>, user_id: &str) -> Result<bool, HostError> {
    if user_id.is_empty() {
        return Ok(false);
    }
    let user = app.world.mattermost().get_user(UserBy::Id(user_id.to_owned())).await?;
    Ok(user.is_system_admin && user.delete_at == 0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_unknown_word_comes_back_short_and_shows_what_it_is() {
        for (word, shown) in [
            ("stats", "`stats`"),
            ("`x`", "`�x�`"),
            ("a\u{202e}b", "`a�b`"),
            (&*"w".repeat(200_000), &*format!("`{}…`", "w".repeat(MOST_ECHOED - 1))),
        ] {
            let text = unknown(word);
            assert!(text.starts_with(&format!("There is no command {shown}.\n")), "{}", clip(&text, 100));
        }
    }
}
