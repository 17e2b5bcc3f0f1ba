//! That `auto` never changes by itself who checks decisions. The authority in force is stored for each cluster; when another
//! server version would bring another one, decisions wait until an admin has confirmed it.

use std::rc::Rc;

use serde::{Deserialize, Serialize};

use super::{TooOld, in_force};
use crate::app::App;
use crate::cluster::Lane;
use crate::config::{Authority, key};
use crate::confirmations::{Confirmation, NotConfirmed, kind};
use crate::mattermost::{HostError, LogLevel, Mattermost};
use crate::messages::code;
use crate::notices;
use crate::proto::panel::{Check, Outcome};
use crate::rules::documents;
use crate::session::Way;
use crate::status::check;
use crate::teleport::ServerInfo;
use crate::world::World;

/// The authority that decisions of a cluster are made by.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
struct InForce {
    /// Its name in the settings.
    authority: String,
}

impl InForce {
    fn new(authority: Authority) -> Self {
        Self { authority: authority.name().to_owned() }
    }
}

/// Why there is no authority to decide by.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Unsettled {
    /// The server cannot do what the settings ask for.
    #[error(transparent)]
    TooOld(#[from] TooOld),
    /// Another one than before would decide, and nobody has said that it shall.
    #[error(
        "Until now {} decided about requests of cluster {cluster}; with the Teleport version that runs there now, {} would. A system admin has to confirm that on the plugin's settings page, or choose one under \"Who checks decisions\"",
        who(*.before),
        who(*.now)
    )]
    Changed {
        /// The cluster, as code.
        cluster: String,
        /// Who decided before.
        before: Authority,
        /// Who would decide now.
        now: Authority,
    },
    /// The store failed.
    #[error(transparent)]
    Host(#[from] HostError),
}

/// Who decides by an authority, in a sentence.
fn who(authority: Authority) -> &'static str {
    match authority {
        Authority::Teleport => "Teleport's own rules",
        Authority::Reviewer => "the approvers of the settings (by the plugin's own review)",
        Authority::Approvers | Authority::Auto => "the approvers of the settings",
    }
}

fn authority_key(cluster: &str) -> String {
    format!("authority:{cluster}")
}

fn parse(stands: &InForce) -> Result<Authority, HostError> {
    let known =
        Authority::ALL.iter().find(|(name, authority)| *name == stands.authority && *authority != Authority::Auto);
    let unknown = || HostError::Invalid(format!("{:?} is no authority that this version knows", stands.authority));
    known.map(|(_, authority)| *authority).ok_or_else(unknown)
}

/// What becomes of the stored authority.
#[derive(Debug, PartialEq, Eq)]
enum Step {
    /// It is as it was.
    Keep,
    /// It is written down: the first one, or one that an admin chose.
    Store,
    /// It waits for an admin's word.
    Wait(Authority),
}

fn step(chosen: Authority, now: Authority, before: Option<Authority>) -> Step {
    match before {
        Some(before) if before == now => Step::Keep,
        Some(before) if chosen == Authority::Auto => Step::Wait(before),
        _ => Step::Store,
    }
}

/// The authority in force: one of `Teleport`, `Approvers` and `Reviewer`. Fails closed where the chosen one cannot be had,
/// and where `auto` would mean another one than it did.
///
/// # Errors
/// Where there is none to decide by now.
pub async fn settled<M: Mattermost>(
    mattermost: &M,
    chosen: Authority,
    cluster: &str,
    server: &ServerInfo,
) -> Result<Authority, Unsettled> {
    let now = in_force(chosen, server)?;
    let key = authority_key(cluster);
    let before: Option<InForce> = documents::read(mattermost, &key).await?;
    let before = before.as_ref().map(parse).transpose()?;
    match step(chosen, now, before) {
        Step::Keep => Ok(now),
        Step::Wait(before) => Err(Unsettled::Changed { cluster: code(cluster), before, now }),
        Step::Store => {
            let read = before.map(InForce::new);
            let new = InForce::new(now);
            // Where somebody else has written something meanwhile, that is looked at the next time.
            let edit = |stands: Option<&InForce>| (stands == read.as_ref()).then(|| new.clone());
            let stands = documents::change(mattermost, &key, edit).await?;
            if stands.as_ref() != Some(&new) {
                return Err(HostError::Unavailable("the authority is being changed".to_owned()).into());
            }
            Ok(now)
        }
    }
}

/// Writes down by which authority a new connection decides, and tells the system admins once where they have to confirm it.
/// Answers what the settings choose; where a change waits, what was in force before.
pub(crate) async fn settle<W: World>(lane: &Lane<W>, way: &Way<W>) -> Authority {
    let (mattermost, chosen) = (lane.world.mattermost(), lane.settings().authority);
    let unsettled = match settled(mattermost, chosen, &way.cluster, &way.server).await {
        Ok(_) | Err(Unsettled::TooOld(_)) => return chosen,
        Err(unsettled) => unsettled,
    };
    if let Unsettled::Changed { before, now, .. } = &unsettled {
        let text = format!("⚠️ Access requests cannot be decided in Mattermost for now. {unsettled}.");
        let key = format!("authority:{}:{}:{}", way.cluster, before.name(), now.name());
        notices::tell_admins(lane, &key, &text).await;
        return *before;
    }
    let error = unsettled.to_string();
    lane.log(LogLevel::Warn, "Who checks decisions could not be settled.", &[("error", &error)]);
    chosen
}

/// A change that waits: from which authority, to which.
struct Change {
    cluster: String,
    before: Authority,
    now: Authority,
}

impl Change {
    fn id(&self) -> String {
        format!("{}:{}:{}:{}", kind::AUTHORITY, self.cluster, self.before.name(), self.now.name())
    }
}

/// The changes that wait, of the clusters that are connected.
async fn changes<W: World>(app: &Rc<App<W>>) -> Result<Vec<Change>, HostError> {
    let chosen = app.settings().authority;
    let mut changes = Vec::new();
    for lane in app.lanes() {
        let Some(way) = lane.cluster.way.borrow().clone() else { continue };
        let Ok(now) = in_force(chosen, &way.server) else { continue };
        let stands: Option<InForce> = documents::read(app.world.mattermost(), &authority_key(&way.cluster)).await?;
        let before = stands.as_ref().map(parse).transpose()?;
        if let Step::Wait(before) = step(chosen, now, before) {
            changes.push(Change { cluster: way.cluster.clone(), before, now });
        }
    }
    Ok(changes)
}

/// What an admin has to confirm.
pub(crate) async fn waiting<W: World>(app: &Rc<App<W>>) -> Result<Vec<Confirmation>, HostError> {
    let confirmation = |change: Change| Confirmation {
        id: change.id(),
        setting: key::AUTHORITY.to_owned(),
        message: format!(
            "Until now {} decided about requests of cluster {}. With the Teleport version that runs there now, {} would: the approvers below and the user mapping then mean something else. Nothing is decided until you accept this, or choose one yourself under \"Who checks decisions\".",
            who(change.before),
            code(&change.cluster),
            who(change.now),
        ),
        action: "Accept".to_owned(),
        urgent: true,
    };
    Ok(changes(app).await?.into_iter().map(confirmation).collect())
}

/// Lets the new authority decide.
pub(crate) async fn confirm<W: World>(app: &Rc<App<W>>, id: &str) -> Result<String, NotConfirmed> {
    let change = changes(app).await?.into_iter().find(|change| change.id() == id).ok_or(NotConfirmed::Changed)?;
    let (before, now) = (InForce::new(change.before), InForce::new(change.now));
    let edit = |stands: Option<&InForce>| (stands == Some(&before)).then(|| now.clone());
    let stands = documents::change(app.world.mattermost(), &authority_key(&change.cluster), edit).await?;
    if stands != Some(now) {
        return Err(NotConfirmed::Changed);
    }
    Ok(format!("From now on {} decide about requests of cluster {}.", who(change.now), code(&change.cluster)))
}

/// That a cluster's authority waits for an admin's word, for the status.
pub(crate) async fn change_check<W: World>(lane: &Lane<W>) -> Option<Check> {
    let way = lane.cluster.way.borrow().clone()?;
    match settled(lane.world.mattermost(), lane.settings().authority, &way.cluster, &way.server).await {
        Ok(_) | Err(Unsettled::TooOld(_)) => None,
        Err(unsettled) => {
            Some(check("Who checks decisions", Outcome::Failed, format!("Nothing is decided. {unsettled}.")))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_auto_waits_and_only_for_a_change() {
        use Authority::{Approvers, Auto, Reviewer, Teleport};
        for (chosen, now, before, expected) in [
            (Auto, Approvers, None, Step::Store),
            (Auto, Approvers, Some(Approvers), Step::Keep),
            (Auto, Teleport, Some(Approvers), Step::Wait(Approvers)),
            (Auto, Approvers, Some(Teleport), Step::Wait(Teleport)),
            (Auto, Teleport, Some(Reviewer), Step::Wait(Reviewer)),
            (Teleport, Teleport, Some(Approvers), Step::Store),
            (Approvers, Approvers, Some(Teleport), Step::Store),
            (Reviewer, Reviewer, None, Step::Store),
        ] {
            assert_eq!(step(chosen, now, before), expected, "{chosen:?} {now:?} {before:?}");
        }
    }

    #[test]
    fn what_another_version_stored_is_no_reason_to_decide() {
        assert!(parse(&InForce { authority: "auto".into() }).is_err());
        assert!(parse(&InForce { authority: "committee".into() }).is_err());
        assert_eq!(parse(&InForce::new(Authority::Reviewer)), Ok(Authority::Reviewer));
    }

    #[test]
    fn an_id_says_from_what_to_what() {
        let change = Change { cluster: "tp".into(), before: Authority::Approvers, now: Authority::Teleport };
        assert_eq!(change.id(), "authority:tp:approvers:teleport");
    }
}
