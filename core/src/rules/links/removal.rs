//! Taking back what is remembered: what kept somebody from deciding waits on the settings page, where a system admin can
//! remove it.

use serde::{Deserialize, Serialize};

use super::{Book, Remembered, book_key, load};
use crate::app::App;
use crate::confirmations::{Confirmation, NotConfirmed, kind};
use crate::mattermost::{HostError, Mattermost, User};
use crate::messages::code;
use crate::rules::documents;
use crate::world::World;

const KEY: &str = "links_in_the_way";
/// Most that wait, and most of one account: what is older gives way.
const MOST: usize = 50;
const MOST_OF_ONE: usize = 5;

/// Something that kept somebody from deciding.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
struct InTheWay {
    account_id: String,
    /// What the account was called then.
    username: String,
    /// Whose request it was.
    requester: String,
    what: Remembered,
}

impl InTheWay {
    fn id(&self) -> String {
        let of = &self.account_id;
        match &self.what {
            Remembered::Name(name) => format!("{}:{of}:name:{name}", kind::LINK),
            Remembered::User(cluster, user) => format!("{}:{of}:user:{cluster}:{user}", kind::LINK),
            Remembered::Cluster(cluster) => format!("{}:{of}:cluster:{cluster}", kind::LINK),
            Remembered::Everything => format!("{}:{of}:everything", kind::LINK),
        }
    }

    fn in_words(&self) -> Confirmation {
        let who = format!("@{} (account id {})", self.username, code(&self.account_id));
        let what = match &self.what {
            Remembered::Name(name) => format!("once had the name or address {}", code(name)),
            Remembered::User(cluster, user) => {
                format!("was once taken for the Teleport user {} of cluster {}", code(user), code(cluster))
            }
            Remembered::Cluster(cluster) => {
                format!("was taken for more Teleport users of cluster {} than can be remembered", code(cluster))
            }
            Remembered::Everything => "has had more names and addresses than can be remembered".to_owned(),
        };
        let then = match &self.what {
            Remembered::Cluster(cluster) => format!("it decides nothing of cluster {}", code(cluster)),
            Remembered::Everything => "it decides nothing".to_owned(),
            _ => format!("it does not decide requests of {}", code(&self.requester)),
        };
        Confirmation {
            id: self.id(),
            message: format!(
                "{who} {what}, so {then}. Remove this only if you know that they are not the same person: whoever asks for it may want to approve their own request. Requests that were filed before stay out of their hands."
            ),
            action: "Remove".to_owned(),
            ..Confirmation::default()
        }
    }
}

/// Adds to what waits; none where nothing changes.
fn add(waiting: Option<&Vec<InTheWay>>, more: &[InTheWay]) -> Option<Vec<InTheWay>> {
    let mut all = waiting.cloned().unwrap_or_default();
    let before = all.clone();
    for entry in more {
        if all.iter().any(|known| known.id() == entry.id()) {
            continue;
        }
        all.push(entry.clone());
        let of_one = |other: &InTheWay| other.account_id == entry.account_id;
        if all.iter().filter(|other| of_one(other)).count() > MOST_OF_ONE
            && let Some(oldest) = all.iter().position(of_one)
        {
            all.remove(oldest);
        }
    }
    let surplus = all.len().saturating_sub(MOST);
    all.drain(..surplus);
    (all != before).then_some(all)
}

/// Notes what kept an account from deciding a request. That it fails changes nothing: the refusal stands, and the next one
/// notes it.
pub(super) async fn note<M: Mattermost>(mattermost: &M, user: &User, requester: &str, what: Vec<Remembered>) {
    let entry = |what: Remembered| InTheWay {
        account_id: user.id.clone(),
        username: user.username.clone(),
        requester: requester.to_owned(),
        what,
    };
    let more: Vec<InTheWay> = what.into_iter().take(MOST_OF_ONE).map(entry).collect();
    if !more.is_empty() {
        let _ = documents::change(mattermost, KEY, |waiting| add(waiting, &more)).await;
    }
}

/// What can be removed.
///
/// # Errors
/// Where the store does not answer.
pub(crate) async fn waiting<W: World>(app: &App<W>) -> Result<Vec<Confirmation>, HostError> {
    let mattermost = app.world.mattermost();
    let all: Vec<InTheWay> = documents::read(mattermost, KEY).await?.unwrap_or_default();
    let mut waiting = Vec::new();
    for entry in all {
        if load(mattermost, &entry.account_id).await?.holds(&entry.what) {
            waiting.push(entry.in_words());
        }
    }
    Ok(waiting)
}

/// Removes one thing.
///
/// # Errors
/// Where it is not remembered any more, or the store fails.
pub(crate) async fn confirm<W: World>(app: &App<W>, id: &str) -> Result<String, NotConfirmed> {
    let mattermost = app.world.mattermost();
    let all: Vec<InTheWay> = documents::read(mattermost, KEY).await?.unwrap_or_default();
    let entry = all.into_iter().find(|entry| entry.id() == id).ok_or(NotConfirmed::Changed)?;
    let mut removed = false;
    documents::change(mattermost, &book_key(&entry.account_id), |book: Option<&Book>| {
        removed = book.is_some_and(|book| book.holds(&entry.what));
        let mut book = book.filter(|_| removed)?.clone();
        book.remove(&entry.what);
        Some(book)
    })
    .await?;
    if !removed {
        return Err(NotConfirmed::Changed);
    }
    // It is of no more use here; where this fails, the next look leaves it out.
    let _ = documents::change(mattermost, KEY, |waiting: Option<&Vec<InTheWay>>| {
        Some(waiting?.iter().filter(|other| other.id() != id).cloned().collect())
    })
    .await;
    Ok(format!(
        "Removed. @{} can decide requests of {} from now on, if nothing else connects them.",
        entry.username,
        code(&entry.requester)
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn entry(account: &str, name: &str) -> InTheWay {
        InTheWay {
            account_id: account.into(),
            username: account.into(),
            requester: "ann".into(),
            what: Remembered::Name(name.into()),
        }
    }

    #[test]
    fn one_account_cannot_push_out_what_waits_for_others() {
        let others: Vec<InTheWay> = (0..30).map(|number| entry(&format!("other{number}"), "ann")).collect();
        let flood: Vec<InTheWay> = (0..1_000).map(|number| entry("mallory", &format!("name{number}"))).collect();
        let all = add(Some(&others), &flood).unwrap_or_default();
        assert_eq!(all.len(), 30 + MOST_OF_ONE);
        assert!(others.iter().all(|other| all.contains(other)));
        assert_eq!(add(Some(&all), &all), None, "nothing new is nothing to write");
    }

    #[test]
    fn never_more_wait_than_can_be_listed() {
        let many: Vec<InTheWay> = (0..200).map(|number| entry(&format!("account{number}"), "ann")).collect();
        assert_eq!(add(None, &many).map(|all| all.len()), Some(MOST));
    }

    #[test]
    fn an_id_names_exactly_what_is_removed() {
        let mut ids = vec![entry("a", "ann").id(), entry("a", "ann2").id(), entry("b", "ann").id()];
        let more = [
            Remembered::User("tp".into(), "ann".into()),
            Remembered::Cluster("tp".into()),
            Remembered::Cluster("other".into()),
            Remembered::Everything,
        ];
        for what in more {
            ids.push(InTheWay { what, ..entry("a", "") }.id());
        }
        assert!(ids.iter().all(|id| id.starts_with("link:")));
        let distinct: std::collections::BTreeSet<&String> = ids.iter().collect();
        assert_eq!(distinct.len(), ids.len());
    }
}
