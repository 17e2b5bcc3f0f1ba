//! Which Mattermost account is which Teleport user: by the settings' table, by a trait of Teleport users, or by verified
//! e-mail address. Whatever is not certain counts against a decision, never for it.

use std::cell::RefCell;
use std::collections::BTreeSet;
use std::rc::Rc;
use std::time::Duration;

use crate::config::{Person, Settings};
use crate::mattermost::{HostError, Mattermost, User, UserBy};
use crate::rules::addresses;
use crate::rules::links::{self, Book};
use crate::rules::pins::{self, Pins, Row, TraitPins};
use crate::teleport::{Teleport, TeleportError};
use crate::time::Time;

/// How long the users of a cluster that have the trait are remembered.
const REMEMBERED: Duration = Duration::from_secs(60);
/// Most users that are remembered.
const MOST_REMEMBERED: usize = 20_000;

/// Users of Teleport with what their trait says.
pub(crate) type Traits = Rc<Vec<(String, Vec<String>)>>;

/// Names of all users of Teleport.
type Names = Rc<Vec<String>>;

/// What a cluster said lately of its users.
#[derive(Debug, Default)]
pub struct Directory {
    traits: Lately<Traits>,
    names: Lately<Names>,
    pinned: Lately<Rc<TraitPins>>,
}

/// Something that was said lately.
#[derive(Debug)]
struct Lately<T>(RefCell<Option<(Time, T)>>);

impl<T> Default for Lately<T> {
    fn default() -> Self {
        Self(RefCell::new(None))
    }
}

impl<T: Clone> Lately<T> {
    fn get(&self, now: Time) -> Option<T> {
        let fresh = |at: Time| at <= now && now.since(at) < REMEMBERED;
        self.0.borrow().as_ref().filter(|(at, _)| fresh(*at)).map(|(_, said)| said.clone())
    }

    fn set(&self, said: &T, now: Time) {
        *self.0.borrow_mut() = Some((now, said.clone()));
    }
}

impl Directory {
    /// Forgets it.
    pub(crate) fn forget(&self) {
        *self.traits.0.borrow_mut() = None;
        *self.names.0.borrow_mut() = None;
        *self.pinned.0.borrow_mut() = None;
    }

    /// The users that have the trait.
    pub(crate) async fn users<T: Teleport>(
        &self,
        teleport: &T,
        name: &str,
        now: Time,
    ) -> Result<Traits, TeleportError> {
        if let Some(users) = self.traits.get(now) {
            return Ok(users);
        }
        let users = Rc::new(teleport.users_with_trait(name).await?);
        if users.len() <= MOST_REMEMBERED {
            self.traits.set(&users, now);
        }
        Ok(users)
    }

    /// Whom all the values of the trait meant when they were first read. That a value does not mean an account any more is
    /// known a minute late; what counts for somebody is asked afresh.
    pub(crate) async fn pinned<M: Mattermost>(
        &self,
        mattermost: &M,
        cluster: &str,
        users: &[(String, Vec<String>)],
        now: Time,
    ) -> Result<Rc<TraitPins>, HostError> {
        if let Some(pinned) = self.pinned.get(now) {
            return Ok(pinned);
        }
        let values = users.iter().flat_map(|(_, values)| values).map(String::as_str);
        let pinned = Rc::new(pins::of_trait(mattermost, cluster, now, values).await?);
        self.pinned.set(&pinned, now);
        Ok(pinned)
    }

    /// The names of all users.
    async fn names<T: Teleport>(&self, teleport: &T, now: Time) -> Result<Names, TeleportError> {
        if let Some(names) = self.names.get(now) {
            return Ok(names);
        }
        let names = Rc::new(teleport.user_names().await?);
        if names.len() <= MOST_REMEMBERED {
            self.names.set(&names, now);
        }
        Ok(names)
    }
}

/// What is kept of an account besides what Mattermost says of it now.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Kept {
    /// What it was called, and whom it was taken for: counts against only.
    pub book: Book,
    /// Whether an admin has accepted its e-mail address, which then counts like a verified one.
    pub address_accepted: bool,
    /// What the names in the settings meant.
    pub pins: Pins,
}

/// Reads what is kept of an account.
///
/// # Errors
/// Where the store does not answer. Then nobody knows what speaks against it.
pub async fn kept<M: Mattermost>(mattermost: &M, user: &User) -> Result<Kept, HostError> {
    Ok(Kept {
        book: links::load(mattermost, &user.id).await?,
        address_accepted: addresses::is_accepted(mattermost, user).await?,
        pins: pins::load(mattermost).await?,
    })
}

/// Who a Mattermost account is in Teleport.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Identity {
    /// The users that the settings' table names.
    named: BTreeSet<String>,
    /// The users that trait and e-mail address point to.
    found: BTreeSet<String>,
    /// The users that it might be, were addresses that nobody has verified, names that it does not have any more and
    /// names that are alike to count: never for it, only against.
    suspected: BTreeSet<String>,
    /// What its names and addresses are compared by, those that it once had among them.
    keys: BTreeSet<String>,
    /// Its e-mail address, where that is among `found` only because it is an address: Teleport's user may be written
    /// with capitals.
    by_address: Option<String>,
}

/// Why somebody is no Teleport user that could be named.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Unclear {
    /// Nothing points to one.
    #[error(
        "no Teleport user is known for your account. A system admin can name yours under Users in the plugin's settings"
    )]
    Unmapped,
    /// More than one.
    #[error(
        "your account could be any of the Teleport users {}, so nobody can say whose decision it would be. A system admin can name yours under Users in the plugin's settings",
        .0.iter().map(|name| crate::messages::code(name)).collect::<Vec<_>>().join(", ")
    )]
    Ambiguous(Vec<String>),
}

impl Identity {
    /// The one Teleport user that it is. The table counts before all else.
    pub fn user(&self) -> Result<&str, Unclear> {
        let users = if self.named.is_empty() { &self.found } else { &self.named };
        let mut all = users.iter();
        match (all.next(), all.next()) {
            (None, _) => Err(Unclear::Unmapped),
            (Some(user), None) => Ok(user),
            _ => Err(Unclear::Ambiguous(users.iter().cloned().collect())),
        }
    }

    /// Whether it might be this Teleport user, by whatever points to them or once did. Letters count in either case.
    #[must_use]
    pub fn may_be(&self, user: &str) -> bool {
        let lower = user.to_lowercase();
        let known = [&self.named, &self.found, &self.suspected].into_iter().flatten();
        self.keys.contains(&links::key(user)) || known.into_iter().any(|known| known.to_lowercase() == lower)
    }

    /// The users that it is taken for, one or more.
    pub(crate) fn is_taken_for(&self) -> impl Iterator<Item = &str> {
        self.named.iter().chain(&self.found).map(String::as_str)
    }

    /// Puts the name that Teleport has in the place of an address, which Mattermost keeps in lower case: a review needs its
    /// author's name to the letter. Where two users' names differ in nothing but capitals, both are meant, and so is none.
    pub(crate) fn restore_capitals(&mut self, names: &[String]) {
        let Some(address) = &self.by_address else { return };
        let same: Vec<&String> = names.iter().filter(|name| name.to_lowercase() == *address).collect();
        if !same.is_empty() {
            self.found.retain(|name| name != address);
            self.found.extend(same.into_iter().cloned());
        }
    }
}

/// Finds the exact name of a user who was found by their address, where Teleport tells its users' names. Where it does not let
/// the plugin ask, the address stays as it is.
pub(crate) async fn with_exact_name<T: Teleport>(
    identity: &mut Identity,
    directory: &Directory,
    teleport: &T,
    now: Time,
) -> Result<(), TeleportError> {
    if identity.by_address.is_none() || !identity.named.is_empty() {
        return Ok(());
    }
    match directory.names(teleport, now).await {
        Ok(names) => identity.restore_capitals(&names),
        Err(TeleportError::Denied(_) | TeleportError::Unimplemented(_)) => {}
        Err(error) => return Err(error),
    }
    Ok(())
}

/// Where somebody is looked for.
#[derive(Debug, Clone, Copy)]
pub struct Place<'a> {
    /// The settings.
    pub settings: &'a Settings,
    /// The cluster's name.
    pub cluster: &'a str,
    /// What the cluster said lately.
    pub directory: &'a Directory,
    /// What time it is.
    pub now: Time,
}

/// The users of a cluster that have the trait, and whom its values mean.
#[derive(Debug, Default)]
pub(crate) struct Traited {
    users: Traits,
    /// All values, as read lately.
    all: Rc<TraitPins>,
    /// Those that name the account, as they are now.
    fresh: TraitPins,
}

/// A trait's value as it is compared.
fn plain(value: &str) -> String {
    value.trim().trim_start_matches('@').to_lowercase()
}

/// What the trait says in a cluster. Where an account is given, the values that name it are read afresh.
pub(crate) async fn traited<M: Mattermost, T: Teleport>(
    mattermost: &M,
    teleport: &T,
    place: &Place<'_>,
    user: Option<&User>,
) -> Result<Traited, Unknown> {
    if place.settings.user_trait.is_empty() {
        return Ok(Traited::default());
    }
    let users = place.directory.users(teleport, &place.settings.user_trait, place.now).await?;
    let all = place.directory.pinned(mattermost, place.cluster, &users, place.now).await?;
    let fresh = match user {
        None => TraitPins::clone(&all),
        Some(user) => {
            let names = [user.username.to_lowercase(), user.email.to_lowercase()];
            let values = users.iter().flat_map(|(_, values)| values).filter(|value| names.contains(&plain(value)));
            pins::of_trait(mattermost, place.cluster, place.now, values.map(String::as_str)).await?
        }
    };
    Ok(Traited { users, all, fresh })
}

/// Finds out who an account is in a cluster. Fails where somebody must be asked and does not answer.
pub async fn of<M: Mattermost, T: Teleport>(
    mattermost: &M,
    teleport: &T,
    place: &Place<'_>,
    user: &User,
    kept: &Kept,
) -> Result<Identity, Unknown> {
    let traited = traited(mattermost, teleport, place, Some(user)).await?;
    let names = [user.username.to_lowercase(), user.email.to_lowercase()];
    for value in traited.users.iter().flat_map(|(_, values)| values).filter(|value| names.contains(&plain(value))) {
        if traited.fresh.row(value, user) == Row::Against {
            // So that an admin sees that somebody else has the name now. The refusal stands without it.
            let _ = traited.fresh.claimed(mattermost, value, user).await;
        }
    }
    Ok(judge(place.settings, place.cluster, &traited, user, kept))
}

/// Who an account is, by what is known of all.
fn judge(settings: &Settings, cluster: &str, traited: &Traited, user: &User, kept: &Kept) -> Identity {
    let (username, email) = (user.username.to_lowercase(), user.email.to_lowercase());
    let verified = !email.is_empty() && (user.email_verified || kept.address_accepted);
    // Whoever has the name of a Teleport user, or their address, or once had it, had better not decide that user's requests.
    let mut identity = Identity { keys: kept.book.keys(cluster), ..Identity::default() };
    identity.keys.extend([&username, &email].into_iter().map(|name| links::key(name)).filter(|key| !key.is_empty()));
    identity.suspected.extend([&username, &email].into_iter().filter(|name| !name.is_empty()).cloned());
    let rows = || settings.people.iter().filter(|person| person.is_of(cluster));
    let means = |person: &Person| kept.pins.row(person, user) == Row::For;
    // A line about this very cluster counts before one about all.
    let of_its_own = rows().any(|person| !person.cluster.is_empty() && means(person));
    for person in rows() {
        if means(person) && (!of_its_own || !person.cluster.is_empty()) {
            identity.named.insert(person.teleport.clone());
        } else if kept.pins.row(person, user) != Row::Other || identity.keys.contains(&links::key(&person.mattermost)) {
            identity.suspected.insert(person.teleport.clone());
        }
    }
    for (name, values) in traited.users.iter() {
        for value in values.iter().filter(|value| !plain(value).is_empty()) {
            match traited.fresh.row(value, user) {
                Row::For => drop(identity.found.insert(name.clone())),
                Row::Other
                    if traited.all.row(value, user) == Row::Other && !identity.keys.contains(&links::key(value)) => {}
                Row::Against | Row::Other => drop(identity.suspected.insert(name.clone())),
            }
        }
    }
    // A trait may have told the same user already, with their capitals.
    if settings.match_email && verified && !identity.found.iter().any(|name| name.to_lowercase() == email) {
        identity.by_address = Some(email.clone());
        identity.found.insert(email);
    }
    identity
}

/// Whether an account is anybody in Teleport, by what the mapping says of it now: for telling an admin whom a mapping leaves
/// out.
pub(crate) fn is_somebody(settings: &Settings, cluster: &str, traited: &Traited, user: &User, kept: &Kept) -> bool {
    judge(settings, cluster, traited, user, kept).user() != Err(Unclear::Unmapped)
}

/// Why the Mattermost account of a Teleport user is not known.
#[derive(Debug, thiserror::Error)]
pub enum Unknown {
    /// Teleport did not answer.
    #[error("{0}")]
    Teleport(#[from] TeleportError),
    /// Mattermost did not.
    #[error("{0}")]
    Mattermost(#[from] HostError),
}

impl Unknown {
    /// Whether asking again may help.
    pub(crate) fn may_pass(&self) -> bool {
        match self {
            Self::Teleport(error) => {
                matches!(
                    error,
                    TeleportError::Unreachable { .. } | TeleportError::Unavailable(_) | TeleportError::Other(_)
                )
            }
            Self::Mattermost(error) => matches!(error, HostError::Unavailable(_)),
        }
    }
}

/// The Mattermost account of a Teleport user of a cluster; none where there is none, or more than one.
pub(crate) async fn account<M: Mattermost, T: Teleport>(
    mattermost: &M,
    teleport: &T,
    place: &Place<'_>,
    teleport_user: &str,
) -> Result<Option<User>, Unknown> {
    let settings = place.settings;
    let is_theirs = |person: &&Person| person.teleport == teleport_user && person.is_of(place.cluster);
    let rows: Vec<&Person> = settings.people.iter().filter(is_theirs).collect();
    let mut accounts: Vec<User> = Vec::new();
    let mut add = |user: User| {
        if user.delete_at == 0 && !user.is_bot && accounts.iter().all(|known| known.id != user.id) {
            accounts.push(user);
        }
    };
    if !rows.is_empty() {
        let pins = pins::load(mattermost).await?;
        for person in &rows {
            if let Some(user) = called(mattermost, &person.mattermost).await?
                && pins.row(person, &user) == Row::For
            {
                add(user);
            }
        }
    } else if !settings.user_trait.is_empty() {
        let values = teleport.trait_of(teleport_user, &settings.user_trait).await?;
        let pinned = pins::of_trait(mattermost, place.cluster, place.now, values.iter().map(String::as_str)).await?;
        for value in &values {
            if let Some(user) = called(mattermost, &plain(value)).await?
                && pinned.row(value, &user) == Row::For
            {
                add(user);
            }
        }
    }
    if rows.is_empty()
        && settings.match_email
        && let Some(user) = called(mattermost, &teleport_user.to_lowercase()).await?
        && user.email.to_lowercase() == teleport_user.to_lowercase()
        && addresses::counts(mattermost, &user).await?
    {
        add(user);
    }
    Ok(if accounts.len() == 1 { accounts.pop() } else { None })
}

/// The account of a username or an address; none where there is none.
async fn called<M: Mattermost>(mattermost: &M, name: &str) -> Result<Option<User>, HostError> {
    let by = if name.contains('@') { UserBy::Email(name.to_owned()) } else { UserBy::Username(name.to_owned()) };
    match mattermost.get_user(by).await {
        Ok(user) => Ok(Some(user)),
        Err(HostError::NotFound(_) | HostError::Invalid(_)) => Ok(None),
        Err(error) => Err(error),
    }
}

#[cfg(test)]
mod tests;
