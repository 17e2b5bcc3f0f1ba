//! Names that do not mean what they meant: told of, and accepted by system admins.

use super::settle::{accepted, meanings, setting_of};
use super::{Entry, Kind, Meaning, Named, Pin, Standing, entries, judge, renamed, store, traits};
use crate::app::App;
use crate::config::{Approver, Settings};
use crate::confirmations::{Confirmation, NotConfirmed, kind};
use crate::mattermost::{HostError, Mattermost};
use crate::messages::code;
use crate::proto::panel::{Check, Outcome};
use crate::status::check as one_check;
use crate::world::World;

/// Most names that a check lists.
const MOST_LISTED: usize = 20;
/// The roles that every user has.
const EVERYBODY: [&str; 1] = ["system_user"];
/// What it takes to become a member of a custom group by one's own doing.
const OPEN_GROUPS: [&str; 3] = ["manage_custom_group_members", "edit_custom_group", "create_custom_group"];

/// An entry that is not as it should be.
struct Red {
    entry: Entry,
    pin: Option<Pin>,
    meaning: Meaning,
    standing: Standing,
    /// What it is called now, where it only has another name.
    called: Option<String>,
}

impl Red {
    /// What there is to accept.
    fn named(&self) -> Option<&Named> {
        match &self.standing {
            Standing::Another(named) | Standing::Doubtful(named) => Some(named),
            _ => None,
        }
    }

    /// Whether something is posted to it, or somebody counts, all the same.
    fn works(&self) -> bool {
        let pinned = self.pin.as_ref().is_some_and(|pin| !pin.id.is_empty());
        let words = self.entry.kind == Kind::Words && matches!(self.standing, Standing::Doubtful(_));
        pinned && (self.entry.is_destination() || words)
    }

    /// What is wrong, and what follows from it.
    fn text(&self, settings: &Settings) -> String {
        let (setting, entry) = (setting_of(&self.entry, settings), code(&self.entry.to_string()));
        let was = self.pin.as_ref().filter(|pin| !pin.id.is_empty());
        let before = was.map_or_else(
            || "nobody, or nobody for certain, when it was entered".to_owned(),
            |pin| format!("{} (id {}) when it was entered", code(&pin.name), code(&pin.id)),
        );
        let effect = match (self.works(), self.entry.is_destination()) {
            (true, true) => "Requests go on to what it meant.",
            (true, false) => "It goes on to count.",
            (false, true) => "Nothing is posted there.",
            (false, false) => "It counts for nobody.",
        };
        match &self.standing {
            Standing::Good => format!("{setting}: {entry} is as it was."),
            Standing::Unseen => format!("{setting}: {entry} has not been looked up yet. {effect}"),
            Standing::Nobody => {
                format!("{setting}: there is no {entry}. {effect} Correct it, or take it out.")
            }
            Standing::Gone if self.is_renamed() => {
                let name = code(self.called.as_deref().unwrap_or_default());
                format!("{setting}: {entry} is called {name} now. {effect} Write the new name into the setting.")
            }
            Standing::Gone => {
                format!(
                    "{setting}: there is no {entry} any more; it meant {before}. {effect} Correct it, or take it out."
                )
            }
            Standing::Another(named) => format!(
                "{setting}: {entry} now means {} (id {}); it meant {before}{}. {effect} Accept what it means now, or correct the entry.",
                code(&named.name),
                code(&named.id),
                self.called.as_ref().map(|name| format!(", which is called {} now", code(name))).unwrap_or_default()
            ),
            Standing::Doubtful(named) => {
                let doubt = match (&self.meaning, self.entry.kind) {
                    (Meaning::Custom(_), _) => {
                        "is a custom group, and by default every user may create and join those. Accept it, write custom-group: instead, or name a synchronised group"
                    }
                    (Meaning::Unverified(_), _) => {
                        "is an e-mail address that nobody has verified. Accept the account, or have the address verified"
                    }
                    _ => {
                        "has blanks in it, and was read as several usernames. Accept them, or separate them with commas"
                    }
                };
                format!("{setting}: {entry} ({}, id {}) {doubt}. {effect}", code(&named.name), code(&named.id))
            }
        }
    }

    /// Whether all that is wrong is that it has another name now.
    fn is_renamed(&self) -> bool {
        self.standing == Standing::Gone && self.called.is_some()
    }

    fn id(&self, named: &Named) -> String {
        format!("{}:{}:{}", kind::PIN, self.entry.key(), named.id)
    }
}

/// All entries that are not as they should be.
async fn reds<M: Mattermost>(mattermost: &M, settings: &Settings) -> Result<Vec<Red>, HostError> {
    let pins = store::load(mattermost).await?;
    let all = entries(settings);
    let mut reds = Vec::new();
    for (entry, meaning) in meanings(mattermost, all.iter().collect()).await {
        let (meaning, pin) = (meaning?, pins.get(entry).cloned());
        let standing = judge(entry, pin.as_ref(), &meaning);
        if standing != Standing::Good {
            let called = renamed::called(mattermost, entry, pin.as_ref()).await?;
            reds.push(Red { entry: entry.clone(), pin, meaning, standing, called });
        }
    }
    Ok(reds)
}

/// The names of the clusters, as far as they are known.
fn clusters<W: World>(app: &App<W>) -> Vec<String> {
    app.clusters.borrow().iter().filter_map(|cluster| cluster.name.borrow().clone()).collect()
}

/// The names that an admin can accept.
///
/// # Errors
/// Where the store or Mattermost cannot be asked.
pub(crate) async fn waiting<W: World>(app: &App<W>) -> Result<Vec<Confirmation>, HostError> {
    let settings = app.settings();
    let mattermost = app.world.mattermost();
    let mut waiting = Vec::new();
    for red in reds(mattermost, &settings).await? {
        let Some(named) = red.named() else { continue };
        waiting.push(Confirmation {
            id: red.id(named),
            setting: setting_of(&red.entry, &settings).to_owned(),
            message: red.text(&settings),
            action: "Accept".to_owned(),
            urgent: !red.works(),
        });
    }
    if !settings.user_trait.is_empty() {
        waiting.extend(traits::waiting(mattermost, &clusters(app)).await?);
    }
    Ok(waiting)
}

/// Accepts a name as what it means now, if that is what was listed.
///
/// # Errors
/// Where it means something else by now, or the store fails; nothing has been changed then.
pub(crate) async fn confirm<W: World>(app: &App<W>, admin_id: &str, id: &str) -> Result<String, NotConfirmed> {
    let mattermost = app.world.mattermost();
    let settings = app.settings();
    let now = app.world.now();
    if let Some(done) = traits::confirm(mattermost, &clusters(app), (admin_id, now), id).await? {
        return Ok(done);
    }
    let reds = reds(mattermost, &settings).await?;
    let found = reds.iter().find_map(|red| red.named().filter(|named| red.id(named) == id).map(|named| (red, named)));
    let (red, named) = found.ok_or(NotConfirmed::Changed)?;
    let pin = accepted(&red.meaning, named, admin_id, now);
    let key = red.entry.key();
    store::change(mattermost, |pins| {
        // Somebody may have accepted something else at the same moment.
        let as_listed = pins.entries.get(&key) == red.pin.as_ref();
        if as_listed {
            pins.entries.insert(key.clone(), pin.clone());
        }
        as_listed
    })
    .await?
    .then_some(())
    .ok_or(NotConfirmed::Changed)?;
    app.recipients.forget();
    Ok(format!("{} now means {} (id {}).", code(&red.entry.to_string()), code(&named.name), code(&named.id)))
}

/// Whether the names in the settings mean what they meant.
pub(crate) async fn check<M: Mattermost>(mattermost: &M, settings: &Settings) -> Check {
    const NAME: &str = "Names";
    let (reds, open_groups) = match (reds(mattermost, settings).await, open_custom_groups(mattermost, settings).await) {
        (Ok(reds), Ok(open_groups)) => (reds, open_groups),
        (Err(error), _) | (_, Err(error)) => {
            return one_check(
                NAME,
                Outcome::Failed,
                format!("what the names in the settings mean could not be looked up: {error}"),
            );
        }
    };
    let mut lines: Vec<String> = reds.iter().take(MOST_LISTED).map(|red| red.text(settings)).collect();
    if reds.len() > MOST_LISTED {
        lines.push(format!("and {} more", reds.len() - MOST_LISTED));
    }
    if reds.iter().any(|red| red.named().is_some()) {
        lines.push("To accept a name, open the plugin's page in System Console.".to_owned());
    }
    let only_renamed = open_groups.is_none() && reds.iter().all(Red::is_renamed);
    lines.extend(open_groups);
    match lines.is_empty() {
        true => one_check(
            NAME,
            Outcome::Ok,
            "accounts, groups and channels are those that the names meant when they were entered",
        ),
        false if only_renamed => one_check(NAME, Outcome::Warning, lines.join("\n")),
        false => one_check(NAME, Outcome::Failed, lines.join("\n")),
    }
}

/// Says so where custom groups decide and every user may fill them.
async fn open_custom_groups<M: Mattermost>(mattermost: &M, settings: &Settings) -> Result<Option<String>, HostError> {
    let pins = store::load(mattermost).await?;
    let custom =
        |who: &&Approver| matches!(who, Approver::CustomGroup(_)) || pins.approver(who).is_some_and(|pin| pin.custom);
    let mut names: Vec<String> =
        settings.approvers.iter().flat_map(|rule| &rule.who).filter(custom).map(|who| code(&who.to_string())).collect();
    names.sort();
    names.dedup();
    if names.is_empty() {
        return Ok(None);
    }
    for permission in OPEN_GROUPS {
        if mattermost.roles_grant(&EVERYBODY, permission).await? {
            return Ok(Some(format!(
                "Approvers: every user may make themselves a member of {}, as the role `system_user` has the permission `{permission}`. Take it away under System Console > Permissions (Custom Groups), or name a synchronised group.",
                names.join(", ")
            )));
        }
    }
    Ok(None)
}
