//! Small documents in Mattermost's key-value store, read whole and changed with compare-and-set.

use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::mattermost::{HostError, Mattermost, Swap};

/// How often a change is tried while others change the same document.
const TRIES: u32 = 5;

/// Reads a document; none where there is none. One that cannot be read is an error: what it says may stand against
/// somebody.
pub(crate) async fn read<M: Mattermost, D: DeserializeOwned>(
    mattermost: &M,
    key: &str,
) -> Result<Option<D>, HostError> {
    mattermost.kv_get(key).await?.map(|raw| parse(key, &raw)).transpose()
}

/// Changes a document, or makes it: `edit` answers what shall stand there, or none where it may stay as it is. Answers
/// what stands there then.
pub(crate) async fn change<M: Mattermost, D: DeserializeOwned + Serialize>(
    mattermost: &M,
    key: &str,
    mut edit: impl FnMut(Option<&D>) -> Option<D>,
) -> Result<Option<D>, HostError> {
    for _ in 0..TRIES {
        let old = mattermost.kv_get(key).await?;
        let stands: Option<D> = old.as_deref().map(|raw| parse(key, raw)).transpose()?;
        let Some(new) = edit(stands.as_ref()) else { return Ok(stands) };
        let raw = serde_json::to_vec(&new).map_err(|error| HostError::Invalid(error.to_string()))?;
        let swap = Swap { key: key.to_owned(), old, new: Some(raw), expire_seconds: 0 };
        if mattermost.kv_swap(swap).await? {
            return Ok(Some(new));
        }
    }
    Err(HostError::Unavailable(format!("{key} is being changed by others")))
}

fn parse<D: DeserializeOwned>(key: &str, raw: &[u8]) -> Result<D, HostError> {
    serde_json::from_slice(raw).map_err(|error| HostError::Invalid(format!("{key} cannot be read ({error})")))
}
