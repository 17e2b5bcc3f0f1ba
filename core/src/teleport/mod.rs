//! Teleport: what the core asks of it, and what an access request is.

#[cfg(target_os = "wasi")]
mod client;
mod codec;
mod error;
pub mod fields;
mod raw;
mod request;

use std::collections::BTreeMap;
use std::future::Future;

use futures::Stream;

use crate::time::Time;

#[cfg(target_os = "wasi")]
pub(crate) use client::WallTeleport;
pub use codec::BoundedCodec;
pub use error::{Failure, TeleportError};
pub use raw::AccessRequestV3;
pub use request::{AccessRequest, Kind, Malformed, Resource, Review, State, Threshold};

/// A request id that no request has, for asking what we may do.
pub(crate) const NO_REQUEST: &str = "00000000-0000-4000-8000-000000000000";

/// Who a Teleport server is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ServerInfo {
    /// Name of the cluster.
    pub cluster: String,
    /// Version, such as `13.3.8`.
    pub version: String,
    /// Whether reviews and thresholds exist there (Enterprise).
    pub reviews: bool,
    /// `host[:port]` of the web UI; empty where the server does not say.
    pub web: String,
}

impl ServerInfo {
    /// Whether it is of this version or a later one. What comes before a release counts as the release.
    #[must_use]
    pub fn is_at_least(&self, major: u32, minor: u32) -> bool {
        let mut numbers = self.version.trim_start_matches('v').split(['.', '-', '+']).map(str::parse::<u32>);
        match (numbers.next(), numbers.next()) {
            (Some(Ok(this)), Some(Ok(its))) => (this, its) >= (major, minor),
            _ => false,
        }
    }

    /// Whether it takes reviews on behalf of other users.
    #[must_use]
    pub fn takes_reviews_on_behalf(&self) -> bool {
        self.is_at_least(18, 11)
    }

    /// Whether access can be granted from a later time on. Older servers would ignore the time, and grant at once.
    #[must_use]
    pub fn takes_start_times(&self) -> bool {
        self.is_at_least(15, 0)
    }

    /// Whether it gives requests their ids. Older servers keep those that clients choose, so that another request may be filed
    /// under the id of one that is gone.
    #[must_use]
    pub fn assigns_ids(&self) -> bool {
        self.is_at_least(14, 0)
    }

    /// Whether a decision may name the roles that are granted; it then refuses roles that the request does not ask for.
    #[must_use]
    pub fn takes_roles(&self) -> bool {
        self.is_at_least(5, 0)
    }

    /// Whether it keeps reasons and annotations of a decision.
    #[must_use]
    pub fn keeps_annotations(&self) -> bool {
        self.is_at_least(5, 0)
    }

    /// Address of a page of the web UI; empty where it is not known.
    #[must_use]
    pub fn page(&self, path: &str) -> String {
        let host = self.web.trim_end_matches(":443");
        let usable =
            !host.is_empty() && host.chars().all(|letter| letter.is_ascii_alphanumeric() || ".-:[]".contains(letter));
        if usable { format!("https://{host}/web/{path}") } else { String::new() }
    }
}

/// What the roles of the plugin's own user allow, as far as it matters here. What roles deny is not among it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Rights {
    /// Verbs on access requests; `*` stands for all.
    pub requests: Vec<String>,
    /// Verbs on users.
    pub users: Vec<String>,
    /// On whose behalf reviews may be submitted: names, or `*`.
    pub review_for: Vec<String>,
    /// Whether there are requests that it may review by itself.
    pub reviews: bool,
}

impl Rights {
    /// Whether a verb is among those that are allowed.
    #[must_use]
    pub fn holds(verbs: &[String], verb: &str) -> bool {
        // To read without secrets is enough here.
        verbs.iter().any(|held| held == "*" || held == verb || (verb == "read" && held == "readnosecrets"))
    }
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
    /// When the access begins, where that is later than now.
    pub starts: Option<Time>,
}

/// A review to submit, with `SubmitAccessReview`.
#[derive(Debug, Clone, PartialEq)]
pub struct Verdict {
    /// The Teleport user whose review it is; never empty.
    pub author: String,
    /// Whether the author is somebody else than the plugin's own user.
    pub on_behalf: bool,
    /// When it is made.
    pub created: Time,
    /// What is decided.
    pub decision: Decision,
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

    /// Submits a review; answers the request as it is then.
    fn review(&self, verdict: Verdict) -> impl Future<Output = Result<AccessRequest, TeleportError>>;

    /// All users that have a trait, with its values.
    fn users_with_trait(&self, name: &str) -> impl Future<Output = Result<Vec<(String, Vec<String>)>, TeleportError>>;

    /// The names of all users, to the letter.
    fn user_names(&self) -> impl Future<Output = Result<Vec<String>, TeleportError>>;

    /// The values of a user's trait; none where there is no such user, or they do not have it.
    fn trait_of(&self, user: &str, name: &str) -> impl Future<Output = Result<Vec<String>, TeleportError>>;

    /// What the plugin's own user may do. `Unimplemented` on servers that do not tell.
    fn rights(&self) -> impl Future<Output = Result<Rights, TeleportError>>;

    /// Whether the plugin's own user may list and read requests: `Denied` where not. For servers that do not tell rights, and
    /// some of which answer a listing without the right with fewer requests.
    fn may_list(&self) -> impl Future<Output = Result<(), TeleportError>>;
}

#[cfg(test)]
mod tests {
    use super::*;

    fn server(version: &str, web: &str) -> ServerInfo {
        ServerInfo { cluster: "tp".into(), version: version.into(), reviews: false, web: web.into() }
    }

    #[test]
    fn versions_are_compared_as_numbers_and_what_is_none_is_old() {
        for (version, on_behalf, start_times) in [
            ("18.11.0", true, true),
            ("18.11.0-dev.3", true, true),
            ("18.9.12", false, true),
            ("19.0.0", true, true),
            ("14.3.3", false, false),
            ("v15.0.0", false, true),
            ("4.2.8", false, false),
            ("", false, false),
            ("latest", false, false),
        ] {
            let server = server(version, "");
            assert_eq!(
                (server.takes_reviews_on_behalf(), server.takes_start_times()),
                (on_behalf, start_times),
                "{version}"
            );
        }
    }

    #[test]
    fn a_link_leads_to_the_web_ui_or_is_none() {
        assert_eq!(server("18.0.0", "tp.example.com:443").page("requests/x"), "https://tp.example.com/web/requests/x");
        assert_eq!(
            server("18.0.0", "tp.example.com:3080").page("requests"),
            "https://tp.example.com:3080/web/requests"
        );
        assert_eq!(server("18.0.0", "").page("requests"), "");
        assert_eq!(server("18.0.0", "evil) [x](http://y").page("requests"), "");
    }
}
