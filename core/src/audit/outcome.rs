//! What each request came to: one entry at each change.

use serde::{Deserialize, Serialize};

use super::entry::{Entry, Result};
use super::index;
use super::{chain, log, new_id, write};
use crate::app::App;
use crate::ledger::{Outcome, Record};
use crate::mattermost::{HostError, Mattermost as _, Swap};
use crate::messages;
use crate::world::World;

/// What was last written down of a request, and from where on in which chain it stands, so that a crash in the middle
/// of it can be told.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
struct Mark {
    outcome: Outcome,
    /// The entry's id.
    id: String,
    /// The chain that it was to be written to.
    chain: String,
    /// The page that was the last one before.
    page: u64,
}

/// How many pages after the one that was the last an entry is looked for. What is written at the same time comes first.
const LOOK: usize = 200;

fn key(cluster: &str, id: &str) -> String {
    format!("outcome:{cluster}:{id}")
}

/// Writes down what a request came to, wherever that was decided: once, however often it is called. To be called before
/// the record with its new outcome is saved, and again until it has succeeded.
///
/// # Errors
/// Where it is not certain that it stands in the trail.
pub async fn outcome<W: World>(app: &App<W>, cluster: &str, record: &Record) -> core::result::Result<(), HostError> {
    let mattermost = app.world.mattermost();
    let key = key(cluster, &record.request.id);
    let old = mattermost.kv_get(&key).await?;
    let stands: Option<Mark> = old.as_deref().and_then(|raw| serde_json::from_slice(raw).ok());
    let same = stands.filter(|mark| mark.outcome == record.outcome);
    if let Some(mark) = &same
        && is_written(app, mark).await?
    {
        return Ok(());
    }
    // A request that is pending again was granted anew by a server that takes clients' ids.
    let id = match same {
        Some(mark) => mark.id,
        None => new_id(app)?,
    };
    let (chain, page) = app.audit.trail.place(&app.world).await?;
    let mark = Mark { outcome: record.outcome, id: id.clone(), chain, page };
    let new = serde_json::to_vec(&mark).map_err(|error| HostError::Invalid(error.to_string()))?;
    let swap = Swap { key, old, new: Some(new), expire_seconds: index::kept_seconds(app.settings().audit_days) };
    if !mattermost.kv_swap(swap).await? {
        return Err(HostError::Unavailable("somebody else is writing down what the request came to".to_owned()));
    }
    let name = format!("{:?}", record.outcome).to_lowercase();
    let request = &record.request;
    let decided = matches!(record.outcome, Outcome::Approved | Outcome::Denied | Outcome::Promoted);
    // The decision, if it was made here.
    let own = record.ballot.decided(request);
    let by = if decided { messages::by(request, own).trim().to_owned() } else { String::new() };
    let approved = record.outcome == Outcome::Approved;
    let entry = Entry {
        id,
        cluster: cluster.to_owned(),
        request_id: request.id.clone(),
        requester: request.user.clone(),
        roles: messages::roles::asked(record),
        starts: request.starts.or_else(|| own.filter(|_| approved)?.starts),
        reason: if decided { messages::resolve_reason(record) } else { String::new() },
        voters: own.map(|own| own.voters.clone()).unwrap_or_default(),
        granted_roles: messages::roles::granted(record),
        refused_roles: messages::roles::refused(record),
        cause: own.map(|own| format!("Decided here: see entry {}.", own.entry)).unwrap_or_default(),
        digest: record.digest.clone(),
        verdict: decided.then_some(request.state),
        what: name,
        detail: by,
        ..Entry::new(app.world.now(), "", Result::Settled)
    };
    log(app, &entry);
    write(app, &entry).await
}

/// Whether the entry of a mark stands in the trail.
async fn is_written<W: World>(app: &App<W>, mark: &Mark) -> core::result::Result<bool, HostError> {
    let mattermost = app.world.mattermost();
    let wanted = format!("\"id\":\"{}\"", mark.id);
    for number in (mark.page + 1..).take(LOOK) {
        let Some(lines) = index::page(mattermost, &mark.chain, number).await? else { break };
        let is_it = |line: &String| line.contains(&wanted) && chain::split(line).is_some();
        if lines.iter().any(is_it) {
            return Ok(true);
        }
    }
    Ok(false)
}
