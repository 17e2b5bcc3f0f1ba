//! An access request in the core's own words.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

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
    /// Approvals needed, at least 1.
    pub approve: u32,
    /// Denials needed, at least 1.
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
    /// Whether lasting access is asked for, which takes an access list.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub long_term: bool,
    /// Title of the access list that it was promoted to.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub promoted_to: String,
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
    /// Its state is none that we know.
    #[error("access request {0} is in the unknown state {1}")]
    State(String, i32),
}

/// Longest request id in bytes; Teleport's are UUIDs of 36.
const MAX_ID: usize = 64;

impl TryFrom<types::AccessRequestV3> for AccessRequest {
    type Error = Malformed;

    fn try_from(wire: types::AccessRequestV3) -> Result<Self, Malformed> {
        let metadata = wire.metadata.ok_or(Malformed::Missing("metadata"))?;
        let spec = wire.spec.ok_or(Malformed::Missing("spec"))?;
        if metadata.name.is_empty() {
            return Err(Malformed::Missing("id"));
        }
        if metadata.name.len() > MAX_ID {
            return Err(Malformed::LongId(metadata.name.len()));
        }
        let state = match types::RequestState::try_from(spec.state) {
            Ok(types::RequestState::Pending) => State::Pending,
            Ok(types::RequestState::Approved) => State::Approved,
            Ok(types::RequestState::Denied) => State::Denied,
            Ok(types::RequestState::Promoted) => State::Promoted,
            Ok(types::RequestState::None) | Err(_) => return Err(Malformed::State(metadata.name, spec.state)),
        };
        let access_until = moment(spec.max_duration).or(moment(spec.expires));
        Ok(Self {
            id: metadata.name,
            user: spec.user,
            roles: spec.roles,
            state,
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
                    approve: threshold.approve.max(1),
                    deny: threshold.deny.max(1),
                })
                .collect(),
            reviews: spec
                .reviews
                .into_iter()
                .map(|review| Review {
                    state: match review.proposed_state() {
                        types::RequestState::Approved => State::Approved,
                        types::RequestState::Denied => State::Denied,
                        types::RequestState::Promoted => State::Promoted,
                        types::RequestState::None | types::RequestState::Pending => State::Pending,
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
            resources: spec
                .requested_resource_ids
                .into_iter()
                .map(|resource| Resource {
                    cluster: resource.cluster_name,
                    kind: resource.kind,
                    name: resource.name,
                    sub_resource: resource.sub_resource_name,
                })
                .collect(),
            starts: moment(spec.assume_start_time),
            long_term: spec.request_kind == i32::from(types::AccessRequestKind::LongTerm),
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
        }
    }
}

fn moment(timestamp: Option<prost_types::Timestamp>) -> Option<Time> {
    timestamp.as_ref().and_then(Time::from_timestamp)
}

fn labels(values: Option<wrappers::LabelValues>) -> BTreeMap<String, Vec<String>> {
    values.map(|values| values.values.into_iter().map(|(name, list)| (name, list.values)).collect()).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn wire() -> types::AccessRequestV3 {
        types::AccessRequestV3 {
            metadata: Some(types::Metadata { name: "an-id".into(), ..Default::default() }),
            spec: Some(types::AccessRequestSpecV3 {
                user: "ann".into(),
                state: types::RequestState::Pending.into(),
                created: Some(prost_types::Timestamp { seconds: 5, nanos: 0 }),
                expires: Some(prost_types::Timestamp { seconds: -62_135_596_800, nanos: 0 }),
                thresholds: vec![types::AccessReviewThreshold::default()],
                ..Default::default()
            }),
            ..Default::default()
        }
    }

    #[test]
    fn a_request_is_read_with_teleports_defaults() {
        let request = AccessRequest::try_from(wire());
        let request = request.as_ref();
        assert_eq!(request.map(|request| request.created), Ok(Some(Time(5_000))));
        assert_eq!(request.map(|request| request.access_until), Ok(None));
        assert_eq!(
            request.map(|request| request.thresholds.clone()),
            Ok(vec![Threshold { name: String::new(), approve: 1, deny: 1 }])
        );
    }

    #[test]
    fn the_expiry_is_found_where_each_version_keeps_it() {
        let timestamp = |seconds| Some(prost_types::Timestamp { seconds, nanos: 0 });
        let mut wire = wire();
        if let Some(metadata) = &mut wire.metadata {
            metadata.expires = timestamp(10);
        }
        assert_eq!(AccessRequest::try_from(wire.clone()).map(|request| request.expires), Ok(Some(Time(10_000))));
        if let Some(spec) = &mut wire.spec {
            spec.resource_expiry = timestamp(20);
        }
        assert_eq!(AccessRequest::try_from(wire).map(|request| request.expires), Ok(Some(Time(20_000))));
    }

    #[test]
    fn what_is_no_request_is_refused() {
        let without = |strip: fn(&mut types::AccessRequestV3)| {
            let mut wire = wire();
            strip(&mut wire);
            AccessRequest::try_from(wire)
        };
        assert_eq!(without(|wire| wire.metadata = None), Err(Malformed::Missing("metadata")));
        assert_eq!(without(|wire| wire.spec = None), Err(Malformed::Missing("spec")));
        assert_eq!(without(|wire| wire.metadata = Some(types::Metadata::default())), Err(Malformed::Missing("id")));
        assert_eq!(
            without(|wire| wire.metadata = Some(types::Metadata { name: "x".repeat(65), ..Default::default() })),
            Err(Malformed::LongId(65))
        );
        assert_eq!(
            without(|wire| wire.spec = Some(types::AccessRequestSpecV3 { state: 9, ..Default::default() })),
            Err(Malformed::State("an-id".into(), 9))
        );
    }
}
