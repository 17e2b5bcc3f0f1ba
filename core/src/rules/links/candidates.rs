//! Whose request is one's own: the accounts that could be the requester's when their request is first seen, and what is asked
//! of each clicker.

use std::collections::BTreeSet;

use super::{Remembered, Seen, could_be, key, remember, removal};
use crate::app::App;
use crate::cluster::Lane;
use crate::config::Person;
use crate::identity::{Identity, Kept, Place, Unknown};
use crate::ledger::{Outcome, Record};
use crate::mattermost::{HostError, LogLevel, Mattermost, User, UserBy};
use crate::rules::pins::{self, Entry};
use crate::teleport::{AccessRequest, Teleport};
use crate::world::World;

/// Most names that are looked up for one requester.
const MOST_LOOKED_UP: usize = 50;

/// Names and addresses of Mattermost that could be a Teleport user's: by the table and the trait, the user's own name, and
/// what that is without domain and tag.
fn names_of(rows: &[&Person], teleport_user: &str, trait_values: &[String]) -> BTreeSet<String> {
    let lower = teleport_user.to_lowercase();
    let mut names: BTreeSet<String> = rows.iter().map(|person| person.mattermost.clone()).collect();
    names.extend(trait_values.iter().map(|value| value.trim().trim_start_matches('@').to_lowercase()));
    if let Some((_, domain)) = lower.rsplit_once('@') {
        names.insert(format!("{}@{domain}", key(&lower)));
    }
    names.insert(key(&lower));
    names.insert(lower);
    names.retain(|name| !name.trim_matches('@').is_empty() && !name.contains(char::is_whitespace));
    names
}

/// The lines of the table that are about a Teleport user of a cluster, whose name counts in either case.
fn rows_of<'a>(place: &Place<'a>, teleport_user: &str) -> Vec<&'a Person> {
    let lower = teleport_user.to_lowercase();
    let is_theirs = |person: &&Person| person.is_of(place.cluster) && person.teleport.to_lowercase() == lower;
    place.settings.people.iter().filter(is_theirs).collect()
}

/// The ids of all accounts that could be a Teleport user's: that have one of the names now, verified or not, active or not,
/// or that the table or the trait meant when they were set.
///
/// # Errors
/// Where somebody who must be asked does not answer. Then nobody knows.
pub(super) async fn candidates<M: Mattermost, T: Teleport>(
    mattermost: &M,
    teleport: &T,
    place: &Place<'_>,
    teleport_user: &str,
) -> Result<Vec<String>, Unknown> {
    let user_trait = &place.settings.user_trait;
    let values = if user_trait.is_empty() { Vec::new() } else { teleport.trait_of(teleport_user, user_trait).await? };
    let rows = rows_of(place, teleport_user);
    let names = names_of(&rows, teleport_user, &values);
    if names.len() > MOST_LOOKED_UP {
        return Err(HostError::Invalid("too many accounts are named for this Teleport user".to_owned()).into());
    }
    let pins = pins::load(mattermost).await?;
    let of_trait = pins::of_trait(mattermost, place.cluster, place.now, values.iter().map(String::as_str)).await?;
    let of_rows = rows.iter().filter_map(|person| pins.get(&Entry::of_person(person))).map(|pin| pin.id.as_str());
    let pinned = of_rows.chain(values.iter().filter_map(|value| of_trait.id(value)));
    let mut ids: BTreeSet<String> = pinned.filter(|id| !id.is_empty()).map(str::to_owned).collect();
    for name in names {
        let by = if name.contains('@') { UserBy::Email(name) } else { UserBy::Username(name) };
        match mattermost.get_user(by).await {
            Ok(user) => {
                ids.insert(user.id);
            }
            Err(HostError::NotFound(_) | HostError::Invalid(_)) => {}
            Err(error) => return Err(error.into()),
        }
    }
    Ok(ids.into_iter().collect())
}

/// Notes with the record of a pending request whose accounts the requester's could be, unless that was done. Those that were
/// noted before stay. The error says why it is still to be done.
pub(crate) async fn first_seen<W: World>(lane: &Lane<W>, record: &mut Record) -> Result<(), String> {
    if record.requester_known || record.outcome != Outcome::Pending {
        return Ok(());
    }
    let unknown = |error: String| format!("nobody knows yet whose accounts the requester's could be: {error}");
    let Some(way) = lane.cluster.way.borrow().clone() else { return Err(unknown("no connection to Teleport".into())) };
    let (settings, mattermost, user) = (lane.settings(), lane.world.mattermost(), record.request.user.clone());
    let (directory, now) = (&lane.cluster.directory, lane.world.now());
    let place = Place { settings: &settings, cluster: &way.cluster, directory, now };
    let ids = candidates(mattermost, &way.teleport, &place, &user).await;
    let ids = ids.map_err(|error| unknown(error.to_string()))?;
    let seen = Seen { users: vec![(way.cluster.as_str(), user.as_str())], ..Seen::default() };
    for id in &ids {
        let done = remember(mattermost, id, &seen, now).await;
        done.map_err(|error| unknown(error.to_string()))?;
    }
    let all: BTreeSet<String> = record.requester_accounts.drain(..).chain(ids).collect();
    record.requester_accounts = all.into_iter().collect();
    record.requester_known = true;
    Ok(())
}

/// Somebody who wants to decide, with all that speaks against it.
pub(crate) struct Clicker<'a> {
    pub(crate) user: &'a User,
    /// Who they are in Teleport now, and by what is remembered.
    pub(crate) identity: &'a Identity,
    pub(crate) kept: &'a Kept,
    /// The record of the request.
    pub(crate) record: &'a Record,
}

/// Why a request may be the clicker's own.
#[derive(Debug, thiserror::Error)]
pub enum Against {
    /// Something points to that.
    #[error("this looks like your own request, and nobody decides their own")]
    Own,
    /// More is remembered of the account than can be.
    #[error(
        "your account has had more names and addresses than can be remembered, so nobody can tell whose requests are not your own. A system admin can remove what is remembered on the plugin's settings page"
    )]
    Full,
    /// The account was taken for more users of this cluster than can be.
    #[error(
        "your account was taken for more Teleport users of cluster {} than can be remembered, so nobody can tell whose requests there are not your own. A system admin can remove what is remembered on the plugin's settings page",
        crate::messages::code(.0)
    )]
    FullCluster(String),
    /// Nobody knows.
    #[error(transparent)]
    Unknown(#[from] Unknown),
}

/// Whether a request, as Teleport has it now, is surely not the clicker's own.
pub(crate) async fn not_own<M: Mattermost, T: Teleport>(
    mattermost: &M,
    teleport: &T,
    place: &Place<'_>,
    clicker: &Clicker<'_>,
    request: &AccessRequest,
) -> Result<(), Against> {
    let Clicker { user, identity, kept, record } = *clicker;
    if record.requester_accounts.contains(&user.id) {
        return Err(Against::Own);
    }
    // Not looked up yet, or not for this user: then it is done now.
    if !record.requester_known || record.request.user != request.user {
        let ids = candidates(mattermost, teleport, place, &request.user).await?;
        if ids.contains(&user.id) {
            return Err(Against::Own);
        }
    }
    let too_much = kept.book.too_much(place.cluster);
    let refusal = match &too_much {
        Some(Remembered::Cluster(cluster)) => Against::FullCluster(cluster.clone()),
        Some(_) => Against::Full,
        None => Against::Own,
    };
    let in_the_way = if let Some(too_much) = too_much {
        vec![too_much]
    } else if identity.may_be(&request.user) {
        kept.book.pointing_to(place.cluster, &request.user)
    } else {
        return Ok(());
    };
    // What is remembered, and only that, can be removed.
    if ![&user.username, &user.email].into_iter().any(|name| could_be(&request.user, name)) {
        removal::note(mattermost, user, &request.user, in_the_way).await;
    }
    Err(refusal)
}

/// Remembers the names of somebody who may decide, and who they are in Teleport. That it fails keeps nobody from deciding:
/// they are remembered every hour, too.
pub(crate) async fn note_clicker<W: World>(app: &App<W>, user: &User, identity: &Identity, cluster: &str) {
    let users: Vec<(&str, &str)> = identity.is_taken_for().map(|name| (cluster, name)).collect();
    let seen = Seen { names: vec![&user.username, &user.email], users };
    if let Err(error) = remember(app.world.mattermost(), &user.id, &seen, app.world.now()).await {
        let error = error.to_string();
        app.log(LogLevel::Warn, "The names of an account could not be remembered.", &[("error", &error)]);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::Settings;
    use crate::identity::Directory;
    use crate::time::Time;

    #[test]
    fn everything_that_could_name_the_requesters_account_is_looked_up() {
        let person = |cluster: &str, mattermost: &str, teleport: &str| Person {
            cluster: cluster.into(),
            mattermost: mattermost.into(),
            teleport: teleport.into(),
        };
        let people = vec![
            person("", "annie", "ANN@corp.com"),
            person("tp", "anna", "ann@corp.com"),
            person("other", "elsewhere", "ann@corp.com"),
            person("", "bob", "bob"),
        ];
        let (settings, directory) = (Settings { people, ..Settings::default() }, Directory::default());
        let place = Place { settings: &settings, cluster: "tp", directory: &directory, now: Time(0) };
        let names = names_of(&[], "Ann+7@corp.com", &["@Trait.Name ".to_owned(), "x@corp.com".to_owned()]);
        let expected = ["ann", "ann+7@corp.com", "ann@corp.com", "trait.name", "x@corp.com"];
        assert_eq!(names.iter().map(String::as_str).collect::<Vec<_>>(), expected);
        let names = names_of(&rows_of(&place, "ann@corp.com"), "ann@corp.com", &[]);
        assert_eq!(names.iter().map(String::as_str).collect::<Vec<_>>(), ["ann", "ann@corp.com", "anna", "annie"]);
        assert_eq!(names_of(&[], "", &[String::new(), "@".to_owned()]), BTreeSet::new());
    }
}
