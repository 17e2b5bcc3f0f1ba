//! Whether an account must be somebody in Teleport to decide anything. Where the settings say which account is which
//! Teleport user, one that is nobody could be the requester's second account.
//!
//! A new installation begins with the check on. After an upgrade from a version that did not have it, it is off where a
//! mapping was set already, and red, until an admin switches it on: it may shut out people who decide every day.

use std::rc::Rc;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::links::people;
use super::{addresses, documents, earlier, pins};
use crate::app::App;
use crate::config::{Settings, key};
use crate::confirmations::{Confirmation, NotConfirmed};
use crate::identity::{self, Kept};
use crate::mattermost::HostError;
use crate::messages::code;
use crate::proto::panel::{Check, Outcome};
use crate::status::check;
use crate::world::World;

/// What waits: the kind, and that it be switched on.
const ID: &str = "mapping:require";
const KEY: &str = "mapping_required";
/// How long after a failure it is tried again.
const PAUSE: Duration = Duration::from_secs(5);
/// Most approvers that are counted.
const MOST_COUNTED: usize = 200;
/// Most of them that are named.
const MOST_NAMED: usize = 20;

/// Whether a mapping binds, once there is one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
struct Required {
    required: bool,
}

/// Writes down, once in the life of an installation and before anything else is, what holds on it because of what was there
/// before. Answers whether a mapping binds.
///
/// # Errors
/// Where Mattermost cannot be asked. Then nothing may be posted or decided yet.
pub(crate) async fn settle<W: World>(app: &App<W>) -> Result<bool, HostError> {
    let (mattermost, settings) = (app.world.mattermost(), app.settings());
    if let Some(Required { required }) = documents::read(mattermost, KEY).await? {
        return Ok(required);
    }
    let upgraded = earlier::version_was_here(mattermost, app.started).await?;
    let first = Required { required: !(upgraded && settings.is_mapped()) };
    let stands =
        documents::change(mattermost, KEY, |stands: Option<&Required>| stands.is_none().then_some(first)).await?;
    Ok(stands.unwrap_or(first).required)
}

/// Settles it as soon as there are settings, connected or not: whoever makes an attempt to decide before that, in vain, leaves
/// a trace that a later process would take for an earlier version's.
pub(crate) async fn settle_soon<W: World>(app: Rc<App<W>>, epoch: u64) {
    while app.epoch.get() == epoch && settle(&app).await.is_err() {
        app.world.sleep(PAUSE).await;
    }
}

/// Whether an account that is nobody in this Teleport cluster decides nothing there now.
///
/// # Errors
/// Where the store does not answer.
pub(crate) async fn required<W: World>(app: &App<W>, cluster: &str) -> Result<bool, HostError> {
    Ok(app.settings().is_mapped_in(cluster) && settle(app).await?)
}

/// The approvers whom the check would shut out, by username, of how many; at most so many are looked at.
async fn shut_out<W: World>(app: &Rc<App<W>>) -> Result<(Vec<String>, usize), HostError> {
    let (mattermost, settings) = (app.world.mattermost(), app.settings());
    let unavailable = |text: String| HostError::Unavailable(text);
    let mut clusters = Vec::new();
    for lane in app.lanes() {
        let way = lane.cluster.good_way(app).ok_or_else(|| unavailable("a cluster is not connected".to_owned()))?;
        let (directory, now) = (&lane.cluster.directory, app.world.now());
        let place = identity::Place { settings: &settings, cluster: &way.cluster, directory, now };
        let traited = identity::traited(mattermost, &way.teleport, &place, None).await;
        clusters.push((way.cluster.clone(), traited.map_err(|error| unavailable(error.to_string()))?));
    }
    let people = people(mattermost, &settings, &app.recipients, MOST_COUNTED).await;
    let pins = pins::load(mattermost).await?;
    let mut nobody = Vec::new();
    for user in people.users.iter().filter(|user| user.delete_at == 0) {
        let address_accepted = addresses::is_accepted(mattermost, user).await?;
        let kept = Kept { address_accepted, pins: pins.clone(), ..Kept::default() };
        // Nobody in one cluster decides nothing there.
        let is_nobody = |(cluster, traited): &(String, identity::Traited)| {
            settings.is_mapped_in(cluster) && !identity::is_somebody(&settings, cluster, traited, user, &kept)
        };
        if clusters.iter().any(is_nobody) {
            nobody.push(user.username.clone());
        }
    }
    Ok((nobody, people.users.len()))
}

/// Whom the check would shut out, in words.
fn in_words(counted: Result<(Vec<String>, usize), HostError>) -> String {
    match counted {
        Err(error) => format!("How many approvers that would shut out cannot be told now: {error}."),
        Ok((nobody, of)) if nobody.is_empty() => {
            format!("It would shut out none of the {of} approvers that are known now.")
        }
        Ok((nobody, of)) => {
            let mut names: Vec<String> = nobody.iter().take(MOST_NAMED).map(|name| format!("@{name}")).collect();
            if nobody.len() > MOST_NAMED {
                names.push(format!("and {} more", nobody.len() - MOST_NAMED));
            }
            format!(
                "It would shut out {} of the {of} approvers that are known now: {}.",
                nobody.len(),
                names.join(", ")
            )
        }
    }
}

/// Switching the check on, where it is off.
pub(crate) async fn waiting<W: World>(app: &Rc<App<W>>) -> Result<Vec<Confirmation>, HostError> {
    if !app.settings().is_mapped() || settle(app).await? {
        return Ok(Vec::new());
    }
    let message = format!(
        "Accounts that are nobody in Teleport may still decide, and one of them could be a requester's second account. Switch on that they decide nothing. {}",
        in_words(shut_out(app).await)
    );
    Ok(vec![Confirmation {
        id: ID.to_owned(),
        setting: key::USER_MAPPING.to_owned(),
        message,
        action: "Switch on".to_owned(),
        urgent: false,
    }])
}

/// Switches the check on.
pub(crate) async fn confirm<W: World>(app: &Rc<App<W>>, id: &str) -> Result<String, NotConfirmed> {
    if id != ID {
        return Err(NotConfirmed::Changed);
    }
    let on = Required { required: true };
    documents::change(app.world.mattermost(), KEY, |stands| (stands != Some(&on)).then_some(on)).await?;
    Ok("From now on accounts that are nobody in Teleport decide nothing.".to_owned())
}

/// What the settings leave open about who is who.
pub(crate) async fn users_check<W: World>(app: &Rc<App<W>>) -> Check {
    const NAME: &str = "Users";
    if !app.settings().is_mapped() {
        let requesters: Vec<String> = app.lanes().iter().flat_map(|lane| lane.cluster.desk.requesters()).collect();
        return check(NAME, Outcome::Warning, unmapped(&requesters));
    }
    match settle(app).await {
        Err(error) => check(NAME, Outcome::Failed, format!("Mattermost could not be asked: {error}.")),
        Ok(true) => check(NAME, Outcome::Ok, "accounts that are nobody in Teleport decide nothing"),
        Ok(false) => check(
            NAME,
            Outcome::Failed,
            format!(
                "Accounts that are nobody in Teleport may still decide, as in earlier versions: one of them could be a requester's second account. Switch that off on the settings page. {}",
                in_words(shut_out(app).await)
            ),
        ),
    }
}

/// What stays open without a mapping, and which one fits users of these names.
fn unmapped(requesters: &[String]) -> String {
    let addresses = requesters.iter().filter(|name| name.contains('@')).count();
    let offer = if requesters.is_empty() {
        "Set Users by e-mail address if Teleport's users are named by their addresses, else Users by trait.".to_owned()
    } else if addresses * 2 > requesters.len() {
        let example = requesters.iter().find(|name| name.contains('@')).map(|name| code(name)).unwrap_or_default();
        format!(
            "Teleport's users here are named by addresses, such as {example}: turn on Users by e-mail address. Where Mattermost does not verify addresses, accept those of your approvers on the settings page."
        )
    } else {
        let example = requesters.first().map(|name| code(name)).unwrap_or_default();
        format!(
            "Teleport's users here are not named by addresses, such as {example}: give them a trait with their Mattermost username and name it in Users by trait."
        )
    };
    format!(
        "Nothing says which Mattermost account is which Teleport user. Somebody's own request is known by equal names and addresses only, so an approver with a second account under another name could approve their own. {offer}"
    )
}

impl Settings {
    /// Whether something says which account is which Teleport user of a cluster.
    #[must_use]
    pub fn is_mapped_in(&self, cluster: &str) -> bool {
        self.people.iter().any(|person| person.is_of(cluster)) || !self.user_trait.is_empty() || self.match_email
    }

    /// Whether something says which account is which Teleport user, of any cluster.
    #[must_use]
    pub fn is_mapped(&self) -> bool {
        !self.people.is_empty() || !self.user_trait.is_empty() || self.match_email
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn without_a_mapping_the_one_that_fits_is_offered() {
        let names = |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect::<Vec<_>>();
        assert!(unmapped(&names(&["ann@corp.com", "bob@corp.com", "ci"])).contains("turn on Users by e-mail address"));
        assert!(unmapped(&names(&["ann", "bob", "x@corp.com"])).contains("name it in Users by trait"));
        let unknown = unmapped(&[]);
        assert!(unknown.contains("Users by e-mail address") && unknown.contains("Users by trait"));
    }

    #[test]
    fn whom_the_check_would_shut_out_is_named_and_bounded() {
        let names = |count: usize| (0..count).map(|number| format!("user{number}")).collect::<Vec<_>>();
        assert!(in_words(Ok((names(0), 7))).contains("none of the 7"));
        assert!(in_words(Ok((names(2), 7))).contains("2 of the 7 approvers that are known now: @user0, @user1."));
        assert!(in_words(Ok((names(30), 40))).contains("@user19, and 10 more"));
        assert!(in_words(Err(HostError::Unavailable("down".into()))).contains("cannot be told now"));
    }
}
