//! What can go wrong with Teleport, told apart by what one would do about it.

use crate::proto::bridge;

/// Why the bridge could not get an answer from Teleport.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Failure(pub bridge::Failure);

impl Failure {
    /// From the value of the metadata key `bridge-failure`.
    #[must_use]
    pub fn from_name(name: &str) -> Self {
        let full = format!("FAILURE_{}", name.to_ascii_uppercase());
        Self(bridge::Failure::from_str_name(&full).unwrap_or_default())
    }
}

/// A failed call of Teleport.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum TeleportError {
    /// There was no way to the server, or the way broke.
    #[error("no connection to Teleport: {detail}")]
    Unreachable {
        /// What kind of failure.
        failure: Failure,
        /// The transport's words.
        detail: String,
    },
    /// The server is there but cannot answer now, or did not answer in time.
    #[error("Teleport is not available: {0}")]
    Unavailable(String),
    /// The plugin's Teleport user may not do this.
    #[error("Teleport refuses: {0}")]
    Denied(String),
    /// The request has been decided before.
    #[error("the request is decided already: {0}")]
    AlreadyDecided(String),
    /// There is no such thing.
    #[error("Teleport knows nothing of it: {0}")]
    NotFound(String),
    /// The server takes what we sent for wrong.
    #[error("Teleport does not accept it: {0}")]
    Invalid(String),
    /// The server does not have this method.
    #[error("this Teleport cannot do it: {0}")]
    Unimplemented(String),
    /// Anything else.
    #[error("Teleport failed: {0}")]
    Other(String),
}

impl TeleportError {
    /// Whether the call may have taken effect all the same.
    #[must_use]
    pub fn is_uncertain(&self) -> bool {
        match self {
            Self::Unreachable { failure, .. } => {
                matches!(
                    failure.0,
                    bridge::Failure::Broken | bridge::Failure::Unspecified | bridge::Failure::Unreachable
                )
            }
            Self::Unavailable(_) | Self::Other(_) => true,
            Self::Denied(_)
            | Self::AlreadyDecided(_)
            | Self::NotFound(_)
            | Self::Invalid(_)
            | Self::Unimplemented(_) => false,
        }
    }
}

impl From<tonic::Status> for TeleportError {
    fn from(status: tonic::Status) -> Self {
        let detail = status.message().to_owned();
        if let Some(failure) = status.metadata().get("bridge-failure").and_then(|value| value.to_str().ok()) {
            return Self::Unreachable { failure: Failure::from_name(failure), detail };
        }
        // Teleport says "already decided" as PermissionDenied (reviews) or InvalidArgument (states): only the text tells.
        if detail.contains("has been already") || detail.contains("(already ") {
            return Self::AlreadyDecided(detail);
        }
        match status.code() {
            tonic::Code::Unavailable
            | tonic::Code::DeadlineExceeded
            | tonic::Code::ResourceExhausted
            | tonic::Code::Cancelled => Self::Unavailable(detail),
            tonic::Code::PermissionDenied | tonic::Code::Unauthenticated => Self::Denied(detail),
            tonic::Code::NotFound => Self::NotFound(detail),
            tonic::Code::InvalidArgument | tonic::Code::FailedPrecondition | tonic::Code::OutOfRange => {
                Self::Invalid(detail)
            }
            tonic::Code::Unimplemented => Self::Unimplemented(detail),
            code => Self::Other(format!("{code:?} {detail}")),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_already_decided_request_is_not_a_permission_problem() {
        let review = tonic::Status::permission_denied("the access request has been already approved");
        assert!(matches!(TeleportError::from(review), TeleportError::AlreadyDecided(_)));
        let state = tonic::Status::invalid_argument("cannot set request-state \"APPROVED\" (already denied)");
        assert!(matches!(TeleportError::from(state), TeleportError::AlreadyDecided(_)));
        let rule = tonic::Status::permission_denied("access denied to perform action \"update\" on \"access_request\"");
        assert!(matches!(TeleportError::from(rule), TeleportError::Denied(_)));
    }

    #[test]
    fn the_bridges_failures_are_recognised_by_name() {
        assert_eq!(Failure::from_name("unknown_authority").0, bridge::Failure::UnknownAuthority);
        assert_eq!(Failure::from_name("something_new").0, bridge::Failure::Unspecified);
    }

    #[test]
    fn only_a_call_that_never_left_or_was_answered_is_certain() {
        let of = |failure| TeleportError::Unreachable { failure: Failure(failure), detail: String::new() };
        assert!(!of(bridge::Failure::Refused).is_uncertain());
        assert!(of(bridge::Failure::Broken).is_uncertain());
        assert!(TeleportError::Unavailable(String::new()).is_uncertain());
        assert!(!TeleportError::Denied(String::new()).is_uncertain());
    }
}
