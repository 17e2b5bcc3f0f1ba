//! Fields of access requests that this version does not know: which were seen, and which an admin has accepted. What such a
//! field says may be part of what would be granted, so nothing that has one is approved before.
//!
//! All of it is one document in the key-value store.

use serde::{Deserialize, Serialize};

use super::AccessRequest;
use super::raw::AND_MORE;
use crate::confirmations::kind;
use crate::mattermost::{HostError, Mattermost, Swap};
use crate::messages::code;
use crate::proto::panel::Confirmation;
use crate::time::Time;

/// Where the document is.
const KEY: &str = "accepted_fields";
/// Most fields of a cluster that are remembered; a server that makes up more gets no more of them accepted.
const MAX_FIELDS: usize = 50;
/// Longest version of a server that is remembered, in characters.
const MAX_VERSION: usize = 40;
/// How often a write is tried again that another node was faster with.
const TRIES: usize = 5;

/// A field that was seen in a request.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Field {
    /// The Teleport cluster of the request.
    pub cluster: String,
    /// The numbers of the field, from the outside in, such as `spec.27`.
    pub field: String,
    /// The version of Teleport that it was first seen with.
    pub teleport: String,
    /// The request that it was first seen in.
    pub request: String,
    /// Id of the admin who accepted it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub accepted_by: Option<String>,
    /// When it was accepted.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub accepted_at: Option<Time>,
}

impl Field {
    fn is_accepted(&self) -> bool {
        self.accepted_by.is_some()
    }

    /// What the settings page calls it.
    fn id(&self) -> String {
        format!("{}:{}:{}:{}", kind::WIRE, self.cluster, self.teleport, self.field)
    }
}

#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
struct Document {
    fields: Vec<Field>,
}

impl Document {
    /// Takes in fields that were seen. Says whether any was new.
    fn note(&mut self, seen: &[Field]) -> bool {
        let before = self.fields.len();
        for field in seen {
            let known = self.fields.iter().any(|known| known.cluster == field.cluster && known.field == field.field);
            let of_cluster = self.fields.iter().filter(|known| known.cluster == field.cluster).count();
            if !known && of_cluster < MAX_FIELDS {
                self.fields.push(field.clone());
            }
        }
        self.fields.len() > before
    }

    /// The fields that admins have accepted in requests of a cluster.
    fn accepted(self, cluster: &str) -> Vec<String> {
        let of_cluster = |field: &Field| field.is_accepted() && field.cluster == cluster;
        self.fields.into_iter().filter(of_cluster).map(|field| field.field).collect()
    }

    /// Accepts the field of a confirmation. Answers which; none where it does not wait.
    fn accept(&mut self, admin_id: &str, id: &str, now: Time) -> Option<&Field> {
        let field = self.fields.iter_mut().find(|field| !field.is_accepted() && field.id() == id)?;
        field.accepted_by = Some(admin_id.to_owned());
        field.accepted_at = Some(now);
        Some(field)
    }
}

/// The fields that these requests have and that nobody knows, each once.
fn unknown_in<'a>(cluster: &str, teleport: &str, requests: impl IntoIterator<Item = &'a AccessRequest>) -> Vec<Field> {
    let mut seen: Vec<Field> = Vec::new();
    for request in requests {
        for field in request.unknown_fields.iter().filter(|field| *field != AND_MORE) {
            if seen.len() < MAX_FIELDS && !seen.iter().any(|seen| seen.field == *field) {
                seen.push(Field {
                    cluster: cluster.to_owned(),
                    field: field.clone(),
                    teleport: teleport.chars().take(MAX_VERSION).collect(),
                    request: request.id.clone(),
                    accepted_by: None,
                    accepted_at: None,
                });
            }
        }
    }
    seen
}

/// The document, and its bytes in the store.
async fn load<M: Mattermost>(mattermost: &M) -> Result<(Document, Option<Vec<u8>>), HostError> {
    let raw = mattermost.kv_get(KEY).await?;
    let document = match &raw {
        None => Document::default(),
        Some(raw) => serde_json::from_slice(raw)
            .map_err(|error| HostError::Unavailable(format!("{KEY} cannot be read ({error})")))?,
    };
    Ok((document, raw))
}

/// Changes the document with compare-and-set. `change` says whether it changed anything.
async fn change<M: Mattermost>(
    mattermost: &M,
    mut change: impl FnMut(&mut Document) -> bool,
) -> Result<bool, HostError> {
    for _ in 0..TRIES {
        let (mut document, old) = load(mattermost).await?;
        if !change(&mut document) {
            return Ok(false);
        }
        let new = serde_json::to_vec(&document).map_err(|error| HostError::Invalid(error.to_string()))?;
        if mattermost.kv_swap(Swap { key: KEY.to_owned(), old, new: Some(new), expire_seconds: 0 }).await? {
            return Ok(true);
        }
    }
    Err(HostError::Unavailable("other nodes keep changing what is to be changed".to_owned()))
}

/// Remembers the unknown fields of requests, so that an admin can accept them. Costs nothing where there are none.
///
/// # Errors
/// Where the store fails.
pub async fn note<M: Mattermost>(
    mattermost: &M,
    cluster: &str,
    teleport: &str,
    requests: impl IntoIterator<Item = &AccessRequest>,
) -> Result<(), HostError> {
    let seen = unknown_in(cluster, teleport, requests);
    if seen.is_empty() {
        return Ok(());
    }
    change(mattermost, |document| document.note(&seen)).await?;
    Ok(())
}

/// The fields that admins have accepted in requests of a cluster.
///
/// # Errors
/// Where the store fails: then nothing counts as accepted.
pub async fn accepted<M: Mattermost>(mattermost: &M, cluster: &str) -> Result<Vec<String>, HostError> {
    Ok(load(mattermost).await?.0.accepted(cluster))
}

/// Whether a request may be approved here at all, with what admins have accepted.
///
/// # Errors
/// Where the store fails.
pub async fn is_approvable<M: Mattermost>(
    mattermost: &M,
    cluster: &str,
    request: &AccessRequest,
) -> Result<bool, HostError> {
    if request.unknown_fields.is_empty() {
        return Ok(request.is_approvable());
    }
    Ok(request.is_approvable_with(&accepted(mattermost, cluster).await?))
}

/// The fields that wait for an admin's word.
///
/// # Errors
/// Where the store fails.
pub async fn waiting<M: Mattermost>(mattermost: &M) -> Result<Vec<Confirmation>, HostError> {
    let fields = load(mattermost).await?.0.fields.into_iter();
    Ok(fields
        .filter(|field| !field.is_accepted())
        .map(|field| Confirmation {
            id: field.id(),
            setting: String::new(),
            message: format!(
                "Access requests of Teleport cluster {} (version {}) have a field that this version of the plugin does not know: {}, first seen in request {}. What it says is not shown and may be part of what would be granted, so these requests cannot be approved here. Update the plugin. Or, if you know what the field means, accept it: requests with it can be approved then.",
                code(&field.cluster),
                code(&field.teleport),
                code(&field.field),
                code(&field.request),
            ),
            action: "Accept".to_owned(),
            urgent: true,
        })
        .collect())
}

/// Accepts the field of a confirmation in an admin's name. Answers what was done; none where it does not wait (any more).
///
/// # Errors
/// Where the store fails: nothing is accepted then.
pub async fn accept<M: Mattermost>(
    mattermost: &M,
    admin_id: &str,
    id: &str,
    now: Time,
) -> Result<Option<String>, HostError> {
    let mut text = None;
    let done = change(mattermost, |document| {
        text = document.accept(admin_id, id, now).map(|field| {
            format!(
                "Requests of cluster {} that have the field {} can be approved. Their posts offer it within five minutes.",
                code(&field.cluster),
                code(&field.field)
            )
        });
        text.is_some()
    })
    .await?;
    Ok(text.filter(|_| done))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn request(id: &str, fields: &[&str]) -> AccessRequest {
        let unknown_fields = fields.iter().map(|field| (*field).to_owned()).collect();
        AccessRequest { id: id.into(), unknown_fields, ..Default::default() }
    }

    fn noted(document: &mut Document, cluster: &str, requests: &[AccessRequest]) -> bool {
        document.note(&unknown_in(cluster, "19.0.0", requests))
    }

    #[test]
    fn a_field_waits_once_for_each_cluster_and_counts_once_it_is_accepted() {
        let mut document = Document::default();
        let requests = [request("a", &["spec.27"]), request("b", &["spec.27", "spec.26.2.14"]), request("c", &[])];
        assert!(noted(&mut document, "one", &requests));
        assert!(!noted(&mut document, "one", &requests), "nothing is written for nothing");
        assert!(noted(&mut document, "two", &requests));
        let ids: Vec<String> = document.fields.iter().map(Field::id).collect();
        let expected = [
            "wire:one:19.0.0:spec.27",
            "wire:one:19.0.0:spec.26.2.14",
            "wire:two:19.0.0:spec.27",
            "wire:two:19.0.0:spec.26.2.14",
        ];
        assert_eq!(ids, expected);
        assert_eq!(document.clone().accepted("one"), Vec::<String>::new());
        let named = document.accept("admin", "wire:one:19.0.0:spec.27", Time(5)).map(|field| field.request.clone());
        assert_eq!(named.as_deref(), Some("a"));
        assert_eq!(document.clone().accepted("one"), ["spec.27"]);
        assert_eq!(document.clone().accepted("two"), Vec::<String>::new(), "another cluster's is another field");
        assert!(document.accept("admin", "wire:one:19.0.0:spec.27", Time(6)).is_none(), "it was accepted before");
        assert!(document.accept("admin", "wire:one:18.0.0:spec.26.2.14", Time(6)).is_none(), "not what was shown");
        assert!(!noted(&mut document, "one", &requests), "it stays accepted");
        let text = serde_json::to_string(&document).unwrap_or_default();
        assert_eq!(serde_json::from_str(&text).ok(), Some(document));
    }

    #[test]
    fn a_server_that_makes_up_fields_fills_nothing() {
        let mut document = Document::default();
        for number in 0..30 {
            let fields: Vec<String> = (0..20).map(|field| format!("spec.{}", number * 100 + field)).collect();
            let fields: Vec<&str> = fields.iter().map(String::as_str).collect();
            noted(&mut document, &"c".repeat(64), &[request("x", &fields)]);
        }
        assert_eq!(document.fields.len(), MAX_FIELDS);
        assert!(noted(&mut document, "other", &[request("x", &["spec.27"])]), "another cluster has room of its own");
        let long = unknown_in("one", &"9".repeat(500), &[request("x", &["spec.27"])]);
        assert!(long.iter().all(|field| field.teleport.len() == MAX_VERSION));
    }
}
