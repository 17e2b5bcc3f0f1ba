//! Whose votes count now: of people who could still vote, and of each person one, whichever of their accounts it came from.

use std::rc::Rc;

use super::Attempt;
use super::Refused;
use super::admission::{Authorized, Current, could_decide};
use super::ballot::Ballot;
use super::votes::{Tally, Vote, tally};
use crate::app::App;
use crate::config::Authority;
use crate::identity::{self, Identity};
use crate::mattermost::{HostError, Mattermost as _, User, UserBy};
use crate::world::World;

/// Somebody whose vote, or whose review in Teleport, counts.
struct Person {
    account_id: String,
    identity: Identity,
}

impl Person {
    /// Whether it is the same person: by the account, or by the Teleport user, where that is known of both. Letters count in
    /// either case.
    fn is(&self, other: &Self) -> bool {
        let user = |person: &Self| person.identity.user().ok().map(str::to_lowercase);
        let user_of_both = user(self).filter(|name| user(other).as_ref() == Some(name));
        self.account_id == other.account_id || user_of_both.is_some()
    }
}

/// Counts the votes that are good now: those of others who could not vote any more are withdrawn, and of several by one person
/// all but the last. Where one person decides, nobody else is asked about.
pub(super) async fn count<W: World>(
    app: &Rc<App<W>>,
    attempt: &Attempt,
    authorized: &Authorized<W>,
    current: &Current,
    ballot: &mut Ballot,
) -> Result<Tally, Refused> {
    if current.needed.for_state(attempt.state) <= 1 {
        let own: Vec<Vote> = ballot.votes.iter().filter(|vote| vote.user_id == attempt.user_id).cloned().collect();
        return Ok(tally(&own, attempt.state, &attempt.digest, 0));
    }
    let mut good: Vec<(Vote, Person)> = Vec::new();
    for vote in std::mem::take(&mut ballot.votes) {
        if vote.digest != attempt.digest {
            continue;
        }
        let identity = if vote.user_id == attempt.user_id {
            Some(authorized.identity.clone())
        } else {
            match find_user(app, UserBy::Id(vote.user_id.clone())).await? {
                Some(user) => could_decide(app, authorized, user, &vote.channel_id, &current.request).await?,
                None => None,
            }
        };
        if let Some(identity) = identity {
            let person = Person { account_id: vote.user_id.clone(), identity };
            good.retain(|(_, earlier)| !earlier.is(&person));
            good.push((vote, person));
        }
    }
    let (votes, people) = good.into_iter().unzip();
    ballot.votes = votes;
    let reviews = if authorized.authority == Authority::Approvers {
        reviews_in_teleport(app, attempt, authorized, current, people).await?
    } else {
        0
    };
    Ok(tally(&ballot.votes, attempt.state, &attempt.digest, reviews))
}

/// How many people have reviewed in Teleport to the same effect whose accounts are known, who could decide here, and who
/// can be none of these, who have voted here.
async fn reviews_in_teleport<W: World>(
    app: &Rc<App<W>>,
    attempt: &Attempt,
    authorized: &Authorized<W>,
    current: &Current,
    mut people: Vec<Person>,
) -> Result<u32, Refused> {
    let (settings, mattermost) = (app.settings(), app.world.mattermost());
    let (way, directory, now) = (&authorized.way, &authorized.lane.cluster.directory, app.world.now());
    let place = identity::Place { settings: &settings, cluster: &way.cluster, directory, now };
    let mut count = 0;
    for review in current.request.reviews.iter().filter(|review| review.state == attempt.state) {
        if people.iter().any(|person| person.identity.may_be(&review.author)) {
            continue;
        }
        let account = identity::account(mattermost, &way.teleport, &place, &review.author).await;
        let account = account.map_err(|unknown| Refused::NoIdentity(unknown.to_string()))?;
        let Some(user) = account.filter(|user| people.iter().all(|person| person.account_id != user.id)) else {
            continue;
        };
        let account_id = user.id.clone();
        let identity = could_decide(app, authorized, user, &authorized.channel_id, &current.request).await?;
        let Some(identity) = identity else { continue };
        let reviewer = Person { account_id, identity };
        if !people.iter().any(|person| person.is(&reviewer)) {
            people.push(reviewer);
            count += 1;
        }
    }
    Ok(count)
}

async fn find_user<W: World>(app: &App<W>, by: UserBy) -> Result<Option<User>, Refused> {
    match app.world.mattermost().get_user(by).await {
        Ok(user) => Ok(Some(user)),
        Err(HostError::NotFound(_)) => Ok(None),
        Err(error) => Err(Refused::Mattermost(error)),
    }
}
