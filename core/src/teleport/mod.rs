//! Teleport: what the core asks of it, and what an access request is.

#[cfg(target_os = "wasi")]
mod client;
mod error;
mod request;

use std::collections::BTreeMap;
use std::future::Future;

use futures::Stream;

#[cfg(target_os = "wasi")]
pub(crate) use client::WallTeleport;
pub use error::{Failure, TeleportError};
pub use request::{AccessRequest, Resource, Review, State, Threshold};

/// Who a Teleport server is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ServerInfo {
    /// Name of the cluster.
    pub cluster: String,
    /// Version, such as `13.3.8`.
    pub version: String,
    /// Whether reviews and thresholds exist there (Enterprise).
    pub reviews: bool,
}

/// What a watch tells.
#[derive(Debug, Clone, PartialEq)]
pub enum Event {
    /// The watch stands: from here on nothing is missed.
    Init,
    /// A request is new or has changed.
    Put(Box<AccessRequest>),
    /// A request is gone; its id.
    Delete(String),
}

/// A decision to make outright, with `SetAccessRequestState`.
#[derive(Debug, Clone, PartialEq)]
pub struct Decision {
    /// Which request.
    pub request_id: String,
    /// Approved or denied.
    pub state: State,
    /// On whose behalf, for Teleport's audit log.
    pub delegator: String,
    /// The decider's words; may be empty.
    pub reason: String,
    /// Kept with the request.
    pub annotations: BTreeMap<String, Vec<String>>,
    /// The roles that are granted, where fewer than asked for; else empty.
    pub roles: Vec<String>,
}

/// The calls of Teleport's auth service that the core makes.
pub trait Teleport: 'static {
    /// A running watch.
    type Events: Stream<Item = Result<Event, TeleportError>> + Unpin + 'static;

    /// Who the server is. Proves no credentials: the server answers strangers too.
    fn ping(&self) -> impl Future<Output = Result<ServerInfo, TeleportError>>;

    /// Opens a watch of access requests; it has begun when its first event, `Init`, arrives.
    fn watch(&self) -> impl Future<Output = Result<Self::Events, TeleportError>>;

    /// All requests that Teleport still has, pending and decided.
    fn list(&self) -> impl Future<Output = Result<Vec<AccessRequest>, TeleportError>>;

    /// One request as it is now; none where there is no such request (any more).
    fn get(&self, id: &str) -> impl Future<Output = Result<Option<AccessRequest>, TeleportError>>;

    /// Decides a request outright.
    fn decide(&self, decision: Decision) -> impl Future<Output = Result<(), TeleportError>>;
}
