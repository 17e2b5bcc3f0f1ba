//! An access request in the core's own words.

use std::collections::BTreeMap;

use prost::Message as _;
use serde::{Deserialize, Serialize};

use super::raw::{self, AccessRequestV3};

use crate::messages::DECIDER_ANNOTATION;
use crate::proto::{types, wrappers};
use crate::time::Time;

/// Where a request stands in Teleport.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum State {
    /// Nobody has decided yet.
    #[default]
    Pending,
    /// Granted.
    Approved,
    /// Refused.
    Denied,
    /// Turned into an access list membership.
    Promoted,
    /// Some state that this version does not know: nobody decides anything about it here.
    Other,
}

/// What a request is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum Kind {
    /// Access for a while, or a request that does not say.
    #[default]
    ShortTerm,
    /// Lasting access, which takes an access list: it can be denied here, but not approved.
    LongTerm,
    /// Some kind that this version does not know, by Teleport's number.
    Unknown(i32),
}

impl Kind {
    /// Whether it is access for a while.
    #[must_use]
    pub fn is_short_term(&self) -> bool {
        *self == Self::ShortTerm
    }
}

impl From<i32> for Kind {
    fn from(number: i32) -> Self {
        match types::AccessRequestKind::try_from(number) {
            Ok(types::AccessRequestKind::Undefined | types::AccessRequestKind::ShortTerm) => Self::ShortTerm,
            Ok(types::AccessRequestKind::LongTerm) => Self::LongTerm,
            Err(_) => Self::Unknown(number),
        }
    }
}

impl From<Kind> for i32 {
    fn from(kind: Kind) -> Self {
        match kind {
            Kind::ShortTerm => types::AccessRequestKind::ShortTerm.into(),
            Kind::LongTerm => types::AccessRequestKind::LongTerm.into(),
            Kind::Unknown(number) => number,
        }
    }
}

impl Serialize for Kind {
    /// As Teleport's number.
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_i32((*self).into())
    }
}

impl<'de> Deserialize<'de> for Kind {
    /// From Teleport's number, or from what earlier versions kept: whether it is lasting access.
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        #[derive(Deserialize)]
        #[serde(untagged)]
        enum Stored {
            Number(i32),
            LongTerm(bool),
        }
        Ok(match Stored::deserialize(deserializer)? {
            Stored::Number(number) => number.into(),
            Stored::LongTerm(true) => Self::LongTerm,
            Stored::LongTerm(false) => Self::ShortTerm,
        })
    }
}

/// One person's verdict.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Review {
    /// The reviewing Teleport user.
    pub author: String,
    /// The verdict.
    pub state: State,
    /// The reviewer's words.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub reason: String,
    /// When.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub created: Option<Time>,
    /// The Mattermost user whose verdict the plugin submitted as its own; empty where it is the author's own.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub decider: String,
}

/// How many reviews decide.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Threshold {
    /// Its name; may be empty.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub name: String,
    /// Which reviews count, in Teleport's language of conditions; empty: all.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub filter: String,
    /// Approvals needed. With 0, which is also what a threshold has that does not say, no number of them is enough.
    pub approve: u32,
    /// Denials needed; with 0 no number of them is enough.
    pub deny: u32,
}

/// One requested resource.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Resource {
    /// The cluster it is in.
    pub cluster: String,
    /// Such as `node` or `db`.
    pub kind: String,
    /// Its name; a node's is a UUID.
    pub name: String,
    /// What is meant inside it; may be empty.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub sub_resource: String,
    /// What the access is restricted to, in words such as `login root`; empty: it is not restricted.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub constraints: Vec<String>,
}

/// An access request.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct AccessRequest {
    /// Its id.
    pub id: String,
    /// The Teleport user who asks.
    pub user: String,
    /// The roles asked for.
    pub roles: Vec<String>,
    /// Where it stands.
    pub state: State,
    /// When it was filed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub created: Option<Time>,
    /// When the pending request vanishes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub expires: Option<Time>,
    /// Until when the access would last.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub access_until: Option<Time>,
    /// The requester's words.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub reason: String,
    /// The decider's words.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub resolve_reason: String,
    /// What the decider left with the request.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub resolve_annotations: BTreeMap<String, Vec<String>>,
    /// How many reviews decide; empty where reviews do not exist.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub thresholds: Vec<Threshold>,
    /// The thresholds that each role takes: of every set of indexes of `thresholds`, one must be met. Empty where Teleport
    /// does not say.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub role_thresholds: BTreeMap<String, Vec<Vec<u32>>>,
    /// The verdicts so far.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub reviews: Vec<Review>,
    /// Who might review.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub suggested_reviewers: Vec<String>,
    /// The resources asked for.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub resources: Vec<Resource>,
    /// Not before this the access begins, where it was granted or asked for from a later time on.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub starts: Option<Time>,
    /// What it is for.
    #[serde(default, skip_serializing_if = "Kind::is_short_term", alias = "long_term")]
    pub kind: Kind,
    /// Fields with a value that this version does not know, by their numbers from the outside in, such as `spec.27`. What
    /// they say may be part of what would be granted.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub unknown_fields: Vec<String>,
    /// Title of the access list that it was promoted to.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub promoted_to: String,
}

impl AccessRequest {
    /// Whether it may be approved here at all, whoever asks: it is of a known kind and state, and all that it says is known.
    #[must_use]
    pub fn is_approvable(&self) -> bool {
        self.is_approvable_with(&[])
    }

    /// The same where an admin has accepted some unknown fields.
    #[must_use]
    pub fn is_approvable_with(&self, accepted: &[String]) -> bool {
        self.kind == Kind::ShortTerm
            && self.state != State::Other
            && self.unknown_fields.iter().all(|field| accepted.contains(field))
    }
}

/// Why a request on the wire is none.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Malformed {
    /// It has no metadata or no spec.
    #[error("an access request without {0}")]
    Missing(&'static str),
    /// Its id would not fit where it must go.
    #[error("an access request whose id has {0} bytes, more than {MAX_ID}")]
    LongId(usize),
    /// The bytes of its spec are none.
    #[error("access request {0} cannot be read: {1}")]
    Spec(String, prost::DecodeError),
}

/// Longest request id in bytes; Teleport's are UUIDs of 36.
const MAX_ID: usize = 64;

impl TryFrom<AccessRequestV3> for AccessRequest {
    type Error = Malformed;

    fn try_from(wire: AccessRequestV3) -> Result<Self, Malformed> {
        let metadata = wire.metadata.ok_or(Malformed::Missing("metadata"))?;
        if wire.spec.is_empty() {
            return Err(Malformed::Missing("spec"));
        }
        if metadata.name.is_empty() {
            return Err(Malformed::Missing("id"));
        }
        if metadata.name.len() > MAX_ID {
            return Err(Malformed::LongId(metadata.name.len()));
        }
        let bytes = wire.spec.concat();
        let unreadable = |error| Malformed::Spec(metadata.name.clone(), error);
        let spec = types::AccessRequestSpecV3::decode(bytes.as_slice()).map_err(unreadable)?;
        let unknown_fields = raw::unknown_fields(&bytes).map_err(unreadable)?;
        let access_until = moment(spec.max_duration).or(moment(spec.expires));
        Ok(Self {
            id: metadata.name,
            user: spec.user,
            roles: spec.roles,
            state: spec.state.into(),
            created: moment(spec.created),
            // Teleport 18 says so in a field of its own.
            expires: moment(spec.resource_expiry).or(moment(metadata.expires)),
            access_until,
            reason: spec.request_reason,
            resolve_reason: spec.resolve_reason,
            resolve_annotations: labels(spec.resolve_annotations),
            thresholds: spec
                .thresholds
                .into_iter()
                .map(|threshold| Threshold {
                    name: threshold.name,
                    filter: threshold.filter,
                    approve: threshold.approve,
                    deny: threshold.deny,
                })
                .collect(),
            role_thresholds: spec
                .role_threshold_mapping
                .into_iter()
                .map(|(role, sets)| (role, sets.sets.into_iter().map(|set| set.indexes).collect()))
                .collect(),
            reviews: spec
                .reviews
                .into_iter()
                .map(|review| Review {
                    state: match review.proposed_state {
                        // A review that proposes nothing is a comment.
                        0 => State::Pending,
                        state => state.into(),
                    },
                    author: review.author,
                    reason: review.reason,
                    created: moment(review.created),
                    decider: labels(review.annotations)
                        .remove(DECIDER_ANNOTATION)
                        .and_then(|names| names.into_iter().next())
                        .unwrap_or_default(),
                })
                .collect(),
            suggested_reviewers: spec.suggested_reviewers,
            resources: resources(spec.requested_resource_ids, spec.requested_resource_access_ids),
            starts: moment(spec.assume_start_time),
            kind: spec.request_kind.into(),
            unknown_fields,
            promoted_to: spec
                .access_list
                .map(|list| if list.title.is_empty() { list.name } else { list.title })
                .unwrap_or_default(),
        })
    }
}

impl From<State> for types::RequestState {
    fn from(state: State) -> Self {
        match state {
            State::Pending => Self::Pending,
            State::Approved => Self::Approved,
            State::Denied => Self::Denied,
            State::Promoted => Self::Promoted,
            State::Other => Self::None,
        }
    }
}

impl From<i32> for State {
    fn from(number: i32) -> Self {
        match types::RequestState::try_from(number) {
            Ok(types::RequestState::Pending) => Self::Pending,
            Ok(types::RequestState::Approved) => Self::Approved,
            Ok(types::RequestState::Denied) => Self::Denied,
            Ok(types::RequestState::Promoted) => Self::Promoted,
            Ok(types::RequestState::None) | Err(_) => Self::Other,
        }
    }
}

/// The resources of both lists: first those that are in the plain one only, then those that may be restricted, which count
/// where a resource is in both.
fn resources(plain: Vec<types::ResourceId>, restricted: Vec<types::ResourceAccessId>) -> Vec<Resource> {
    let resource = |id: types::ResourceId, constraints| Resource {
        cluster: id.cluster_name,
        kind: id.kind,
        name: id.name,
        sub_resource: id.sub_resource_name,
        constraints,
    };
    let is_restricted = |id: &types::ResourceId| restricted.iter().any(|other| other.id.as_ref() == Some(id));
    let mut found: Vec<Resource> =
        plain.into_iter().filter(|id| !is_restricted(id)).map(|id| resource(id, Vec::new())).collect();
    found.extend(restricted.into_iter().map(|restricted| {
        resource(restricted.id.unwrap_or_default(), restricted.constraints.map(constraints).unwrap_or_default())
    }));
    found
}

/// What says that access is restricted in a way that cannot be read here.
const RESTRICTED: &str = "restricted";

/// Constraints in words; never none, as nobody must take the access for an unrestricted one.
fn constraints(constraints: types::ResourceConstraints) -> Vec<String> {
    use types::resource_constraints::Details;
    let (what, values) = match constraints.details {
        Some(Details::AwsConsole(aws)) => ("as role ARN", aws.role_arns),
        Some(Details::Ssh(ssh)) => ("login", ssh.logins),
        Some(Details::WindowsDesktop(windows)) => ("login", windows.logins),
        None => ("", Vec::new()),
    };
    let mut words: Vec<String> = values.into_iter().map(|value| format!("{what} {value}")).collect();
    // A later version may mean something else by the same fields.
    if words.is_empty() || !matches!(constraints.version.as_str(), "" | "v1") {
        words.push(RESTRICTED.to_owned());
    }
    words
}

fn moment(timestamp: Option<prost_types::Timestamp>) -> Option<Time> {
    timestamp.as_ref().and_then(Time::from_timestamp)
}

fn labels(values: Option<wrappers::LabelValues>) -> BTreeMap<String, Vec<String>> {
    values.map(|values| values.values.into_iter().map(|(name, list)| (name, list.values)).collect()).unwrap_or_default()
}

#[cfg(test)]
mod tests;
