//! What connects Mattermost accounts with Teleport users, remembered even where it holds no more: names and addresses change
//! hands, and whoever could change theirs away could decide their own request. What is remembered only ever counts
//! *against* somebody; a system admin can remove it.

mod candidates;
mod people;
mod removal;

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};

pub(crate) use candidates::{Against, Clicker, first_seen, not_own, note_clicker};
pub(crate) use people::{keep, people};
pub(crate) use removal::{confirm, waiting};

use super::documents;
use crate::mattermost::{HostError, Mattermost};
use crate::time::Time;

/// Most names that are remembered of one account. Names that are compared alike count once. Only the account's own holder
/// can make more, and then it decides nothing.
const MOST_NAMES: usize = 100;
/// Most Teleport users of one cluster that one account is linked with. Whoever runs a cluster can make more, and then the
/// account decides nothing there.
const MOST_USERS: usize = 100;
/// Longest name that is remembered and compared as it is; of longer ones, a digest.
const LONGEST: usize = 512;

/// What names and addresses are compared by: the part before the `@` without its `+tag`, in lower case. People have the same
/// one in several domains, and a username is often the first part of an address. Of what is very long, a digest.
#[must_use]
pub fn key(name: &str) -> String {
    let name = name.trim().trim_start_matches('@').to_lowercase();
    // Directories write DOMAIN\name.
    let name = name.rsplit('\\').next().unwrap_or_default();
    let local = match name.rsplit_once('@') {
        Some((local, _)) if !local.is_empty() => local,
        _ => name,
    };
    let plain = match local.split_once('+') {
        Some((plain, _)) if !plain.is_empty() => plain,
        _ => local,
    };
    if plain.len() <= LONGEST {
        return plain.to_owned();
    }
    Sha256::digest(plain).iter().map(|byte| format!("{byte:02x}")).collect()
}

/// A name as it is remembered: what is too long for that by what it is compared by.
fn short(name: &str) -> String {
    if name.len() > LONGEST { key(name) } else { name.to_owned() }
}

/// Whether the Teleport user `request_user` could be the person whose Mattermost name or address this is. Errs on the side of
/// yes: a false match only refuses.
#[must_use]
pub fn could_be(request_user: &str, name_or_address: &str) -> bool {
    let key_of_user = key(request_user);
    !key_of_user.is_empty() && key_of_user == key(name_or_address)
}

/// A name or an address that an account once had.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Name {
    /// As it was first seen, in lower case.
    pub name: String,
    /// When.
    pub seen: Time,
}

/// A Teleport user that an account was once taken for.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Link {
    /// The user's cluster.
    pub cluster: String,
    /// Their name there.
    pub user: String,
    /// When.
    pub seen: Time,
}

/// What is remembered of one account.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Book {
    /// Its names and addresses. Not left out where there are none: what has no such list is no such document.
    pub names: Vec<Name>,
    /// The Teleport users that it was taken for.
    #[serde(default)]
    pub users: Vec<Link>,
    /// It had more names than can be remembered: nobody can tell any more whose requests are not its own.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub full: bool,
    /// The clusters in which it was taken for more users than can be remembered: nobody can tell any more whose requests
    /// there are not its own. What one cluster says never counts in another.
    #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
    pub full_clusters: BTreeSet<String>,
}

/// Something that is remembered, as an admin removes it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum Remembered {
    /// A name or an address.
    Name(String),
    /// A Teleport user of a cluster.
    User(String, String),
    /// All Teleport users of a cluster, of which there were more than can be remembered.
    Cluster(String),
    /// That there were more names than can be remembered, and all that is remembered.
    Everything,
}

impl Book {
    /// What the names, and those of its Teleport users in a cluster, are compared by.
    pub(crate) fn keys(&self, cluster: &str) -> BTreeSet<String> {
        let names = self.names.iter().map(|name| name.name.as_str()).chain(self.users_of(cluster));
        names.map(key).filter(|key| !key.is_empty()).collect()
    }

    /// The Teleport users of a cluster that the account was taken for.
    fn users_of(&self, cluster: &str) -> impl Iterator<Item = &str> {
        self.users.iter().filter(move |link| link.cluster == cluster).map(|link| link.user.as_str())
    }

    /// What of it there was too much of to tell whose requests of a cluster are not the account's own.
    pub(crate) fn too_much(&self, cluster: &str) -> Option<Remembered> {
        if self.full {
            return Some(Remembered::Everything);
        }
        self.full_clusters.contains(cluster).then(|| Remembered::Cluster(cluster.to_owned()))
    }

    /// What of it points to a Teleport user.
    pub(crate) fn pointing_to(&self, cluster: &str, user: &str) -> Vec<Remembered> {
        let names = self.names.iter().filter(|name| could_be(user, &name.name));
        let users = self.users_of(cluster).filter(|known| could_be(user, known));
        let users = users.map(|known| Remembered::User(cluster.to_owned(), known.to_owned()));
        names.map(|name| Remembered::Name(name.name.clone())).chain(users).collect()
    }

    /// Notes a name. Says whether that changed anything.
    fn add_name(&mut self, name: &str, now: Time) -> bool {
        let name = short(&name.trim().to_lowercase());
        let key_of_name = key(&name);
        if key_of_name.is_empty() || self.names.iter().any(|known| key(&known.name) == key_of_name) {
            return false;
        }
        if self.names.len() >= MOST_NAMES {
            return !std::mem::replace(&mut self.full, true);
        }
        self.names.push(Name { name, seen: now });
        true
    }

    /// Notes a Teleport user. Says whether that changed anything.
    fn add_user(&mut self, cluster: &str, user: &str, now: Time) -> bool {
        if self.full_clusters.contains(cluster) {
            return false;
        }
        // Whoever can name Teleport users must not fill the list of an account with tags of one name.
        let key_of_user = key(user);
        if key_of_user.is_empty() || self.users_of(cluster).any(|known| key(known) == key_of_user) {
            return false;
        }
        if self.users_of(cluster).count() >= MOST_USERS {
            return self.full_clusters.insert(cluster.to_owned());
        }
        self.users.push(Link { cluster: cluster.to_owned(), user: short(user), seen: now });
        true
    }

    /// Whether it is remembered.
    fn holds(&self, what: &Remembered) -> bool {
        match what {
            Remembered::Name(name) => self.names.iter().any(|known| known.name == *name),
            Remembered::User(cluster, user) => self.users_of(cluster).any(|known| known == user),
            Remembered::Cluster(cluster) => self.full_clusters.contains(cluster),
            Remembered::Everything => self.full,
        }
    }

    /// Forgets it.
    fn remove(&mut self, what: &Remembered) {
        match what {
            Remembered::Name(name) => self.names.retain(|known| known.name != *name),
            Remembered::User(cluster, user) => {
                self.users.retain(|known| known.cluster != *cluster || known.user != *user);
            }
            Remembered::Cluster(cluster) => {
                self.users.retain(|known| known.cluster != *cluster);
                self.full_clusters.remove(cluster);
            }
            Remembered::Everything => *self = Self::default(),
        }
    }
}

fn book_key(account_id: &str) -> String {
    format!("links:{account_id}")
}

/// What is remembered of an account.
///
/// # Errors
/// Where the store does not answer, or the document cannot be read.
pub async fn load<M: Mattermost>(mattermost: &M, account_id: &str) -> Result<Book, HostError> {
    Ok(documents::read(mattermost, &book_key(account_id)).await?.unwrap_or_default())
}

/// What was seen of an account: its names and addresses, and the Teleport users (with their clusters) that it is taken for.
#[derive(Debug, Default)]
pub(crate) struct Seen<'a> {
    pub(crate) names: Vec<&'a str>,
    pub(crate) users: Vec<(&'a str, &'a str)>,
}

/// Remembers what was seen of an account. Writes only what is new.
pub(crate) async fn remember<M: Mattermost>(
    mattermost: &M,
    account_id: &str,
    seen: &Seen<'_>,
    now: Time,
) -> Result<(), HostError> {
    let add = |book: Option<&Book>| {
        let mut book = book.cloned().unwrap_or_default();
        let mut changed = false;
        seen.names.iter().for_each(|name| changed |= book.add_name(name, now));
        seen.users.iter().for_each(|(cluster, user)| changed |= book.add_user(cluster, user, now));
        changed.then_some(book)
    };
    documents::change(mattermost, &book_key(account_id), add).await.map(|_| ())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_could_be_the_requesters_where_what_stands_before_the_at_sign_is_the_same() {
        for (user, name, expected) in [
            ("ann", "ann", true),
            ("Ann", "aNN", true),
            ("ann", "@ann", true),
            ("ann@corp.com", "ann@corp.com", true),
            ("Ann@Corp.com", "ann@corp.com", true),
            // One name in two domains, or with and without one.
            ("ann@corp.com", "ann@home.net", true),
            ("ann@corp.com", "ann", true),
            ("ann", "ann@corp.com", true),
            // Tags.
            ("ann@corp.com", "ann+2@corp.com", true),
            ("ann+ops@corp.com", "ann@corp.com", true),
            ("ann+1@corp.com", "ann+2@home.net", true),
            ("ann+admin", "ann", true),
            // Dots mean something to most servers.
            ("ann.lee@corp.com", "annlee@corp.com", false),
            ("ann.lee", "ann.lee@corp.com", true),
            ("CORP\\ann", "ann", true),
            (" ann ", "ann", true),
            // Others.
            ("ann", "anna", false),
            ("ann@corp.com", "bob@corp.com", false),
            ("ann", "corp.com", false),
            ("ann-tp", "ann", false),
            // What names nobody is nobody.
            ("", "", false),
            ("", "ann", false),
            ("ann", "", false),
            ("@", "@", false),
            ("+", "+", true),
            ("+tag@corp.com", "ann@corp.com", false),
        ] {
            assert_eq!(could_be(user, name), expected, "{user:?} {name:?}");
            assert_eq!(could_be(name, user), expected, "{name:?} {user:?}");
        }
    }

    #[test]
    fn names_that_are_compared_alike_are_remembered_once() {
        let mut book = Book::default();
        assert!(book.add_name("Ann@Corp.com", Time(1)));
        assert!(!book.add_name("ann+7@home.net", Time(2)));
        assert!(!book.add_name("", Time(2)));
        assert!(book.add_name("anna", Time(2)));
        assert!(book.add_user("tp", "Ann@corp.com", Time(2)));
        assert!(!book.add_user("tp", "ann+3@corp.com", Time(2)));
        assert!(book.add_user("other", "ann@corp.com", Time(2)));
        assert_eq!((book.names.len(), book.users.len(), book.full), (2, 2, false));
    }

    #[test]
    fn more_names_than_can_be_remembered_push_out_none_but_are_noted() {
        let mut book = Book::default();
        for number in 0..MOST_NAMES {
            assert!(book.add_name(&format!("name{number}"), Time(1)));
        }
        assert!(!book.full);
        assert!(book.add_name("one-more", Time(2)), "that it is full is written down");
        assert!(!book.add_name("and-another", Time(3)), "once");
        assert!(book.full && book.names.len() == MOST_NAMES);
        assert!(!book.pointing_to("tp", "name0").is_empty());
        book.remove(&Remembered::Everything);
        assert_eq!(book, Book::default());
    }

    #[test]
    fn what_one_cluster_says_fills_nothing_of_another() {
        let mut book = Book::default();
        for number in 0..MOST_USERS {
            assert!(book.add_user("hostile", &format!("user{number}"), Time(1)));
        }
        assert_eq!(book.too_much("hostile"), None);
        assert!(book.add_user("hostile", "one-more", Time(2)), "that it is full is written down");
        assert!(!book.add_user("hostile", "and-another", Time(3)), "once");
        assert_eq!(book.too_much("hostile"), Some(Remembered::Cluster("hostile".into())));
        assert_eq!((book.too_much("tp"), book.full), (None, false));
        assert!(book.add_user("tp", "ann", Time(4)) && !book.pointing_to("tp", "ann").is_empty());
        let what = Remembered::Cluster("hostile".into());
        assert!(book.holds(&what));
        book.remove(&what);
        assert!(!book.holds(&what) && book.users.len() == 1, "those of other clusters stay");
    }

    #[test]
    fn names_of_any_length_are_remembered_and_fill_nothing() {
        let (long, other) = (format!("Ann{}", "x".repeat(100_000)), format!("bob{}", "x".repeat(100_000)));
        let mut book = Book::default();
        assert!(book.add_user("tp", &long, Time(1)));
        assert!(!book.add_user("tp", &format!("{long}+1@corp.com"), Time(1)), "the same by what it is compared by");
        assert!(book.add_user("tp", &format!("eve+{long}"), Time(1)), "a long tag");
        assert!(book.add_name(&other, Time(1)));
        assert!(book.users.iter().all(|link| link.user.len() <= LONGEST));
        assert_eq!((book.too_much("tp"), book.names.len(), book.users.len()), (None, 1, 2));
        assert!(could_be(&long.to_uppercase(), &long) && !could_be(&long, &other));
        for (user, pointing) in [(&long, 1), (&other, 1), (&"eve".to_owned(), 1), (&format!("{long}x"), 0)] {
            assert_eq!(book.pointing_to("tp", user).len(), pointing);
            assert_eq!(book.keys("tp").contains(&key(user)), pointing > 0);
        }
    }

    #[test]
    fn a_book_of_before_is_read() {
        let read = |text: &str| serde_json::from_str::<Book>(text).unwrap_or_default();
        let book =
            read(r#"{"names":[{"name":"ann","seen":1}],"users":[{"cluster":"tp","user":"ann","seen":1}],"full":true}"#);
        assert_eq!((book.names.len(), book.users.len(), book.full), (1, 1, true));
        assert_eq!(book.full_clusters, BTreeSet::new());
    }

    #[test]
    fn what_points_to_somebody_is_what_can_be_removed() {
        let mut book = Book::default();
        book.add_name("ann@corp.com", Time(1));
        book.add_name("bob", Time(1));
        book.add_user("tp", "Ann", Time(1));
        book.add_user("other", "ann", Time(1));
        let pointing = book.pointing_to("tp", "ann");
        assert_eq!(
            pointing,
            [Remembered::Name("ann@corp.com".into()), Remembered::User("tp".into(), "Ann".into())],
            "the link with another cluster's user is none with this one's"
        );
        for what in &pointing {
            assert!(book.holds(what));
            book.remove(what);
            assert!(!book.holds(what));
        }
        assert!(book.pointing_to("tp", "ann").is_empty());
        assert!(!book.pointing_to("tp", "bob").is_empty(), "the rest stays");
    }
}
