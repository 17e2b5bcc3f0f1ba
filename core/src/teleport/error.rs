//! What can go wrong with Teleport, told apart by what one would do about it.

use crate::proto::bridge;
use crate::text::markdown;

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
    /// The author has reviewed the request before.
    #[error("the author has reviewed the request already: {0}")]
    AlreadyReviewed(String),
    /// It is the author's own request.
    #[error("nobody decides their own request: {0}")]
    OwnRequest(String),
    /// The plugin's user may not submit reviews on behalf of the author, or the server does not know such reviews.
    #[error("Teleport takes no review on behalf of this user: {0}")]
    NotOnBehalf(String),
    /// The author may not review, or this edition has no reviews.
    #[error("Teleport takes no review of this user: {0}")]
    MayNotReview(String),
    /// Changes by an administrator take multi-factor authentication there, which only some certificates are excused from.
    #[error("Teleport asks for multi-factor authentication: {0}")]
    MfaRequired(String),
    /// There is no such Teleport user.
    #[error("Teleport does not know the user: {0}")]
    UnknownUser(String),
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
    /// The same, with Teleport's own words as Markdown that does nothing: they may hold whatever somebody has put into a name,
    /// or a server that is not Teleport at all.
    #[must_use]
    pub fn in_markdown(mut self) -> Self {
        let detail = match &mut self {
            Self::Unreachable { detail, .. }
            | Self::Unavailable(detail)
            | Self::Denied(detail)
            | Self::AlreadyDecided(detail)
            | Self::AlreadyReviewed(detail)
            | Self::OwnRequest(detail)
            | Self::NotOnBehalf(detail)
            | Self::MayNotReview(detail)
            | Self::MfaRequired(detail)
            | Self::UnknownUser(detail)
            | Self::NotFound(detail)
            | Self::Invalid(detail)
            | Self::Unimplemented(detail)
            | Self::Other(detail) => detail,
        };
        *detail = markdown::program_text(detail);
        self
    }

    /// Whether the call may have taken effect all the same.
    #[must_use]
    pub fn is_uncertain(&self) -> bool {
        match self {
            Self::Unreachable { failure, .. } => {
                matches!(
                    failure.0,
                    // A gateway's own page, such as 502 or 504, says nothing about what is behind it.
                    bridge::Failure::Broken
                        | bridge::Failure::Unspecified
                        | bridge::Failure::Unreachable
                        | bridge::Failure::NotGrpc
                )
            }
            Self::Unavailable(_) | Self::Other(_) => true,
            Self::Denied(_)
            | Self::AlreadyDecided(_)
            | Self::AlreadyReviewed(_)
            | Self::OwnRequest(_)
            | Self::NotOnBehalf(_)
            | Self::MayNotReview(_)
            | Self::MfaRequired(_)
            | Self::UnknownUser(_)
            | Self::NotFound(_)
            | Self::Invalid(_)
            | Self::Unimplemented(_) => false,
        }
    }
}

/// What the oldest servers say, of anything, to those who lack a right to it. What does not exist they call by its name.
const HIDDEN_DENIAL: &str = "object not found";

impl From<tonic::Status> for TeleportError {
    fn from(status: tonic::Status) -> Self {
        let detail = status.message().to_owned();
        if let Some(failure) = status.metadata().get("bridge-failure").and_then(|value| value.to_str().ok()) {
            return Self::Unreachable { failure: Failure::from_name(failure), detail };
        }
        if let Some(told) = by_text(&detail) {
            return told;
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
            tonic::Code::NotFound if detail == HIDDEN_DENIAL => {
                Self::Denied(format!("{detail} (that is how Teleport 4.3 and older say that a right is missing)"))
            }
            tonic::Code::NotFound if detail.contains("user") && !detail.contains("request") => {
                Self::UnknownUser(detail)
            }
            tonic::Code::NotFound => Self::NotFound(detail),
            tonic::Code::InvalidArgument | tonic::Code::FailedPrecondition | tonic::Code::OutOfRange => {
                Self::Invalid(detail)
            }
            tonic::Code::Unimplemented => Self::Unimplemented(detail),
            code => Self::Other(format!("{code:?} {detail}")),
        }
    }
}

/// What Teleport says in words only, under codes that mean many things.
fn by_text(detail: &str) -> Option<TeleportError> {
    type Kind = fn(String) -> TeleportError;
    let words: [(&str, Kind); 7] = [
        ("already reviewed", TeleportError::AlreadyReviewed),
        ("your own access request", TeleportError::OwnRequest),
        ("own access request", TeleportError::OwnRequest),
        ("reviews on behalf of", TeleportError::NotOnBehalf),
        ("cannot submit reviews", TeleportError::MayNotReview),
        ("cannot review", TeleportError::MayNotReview),
        // The whole of it: roles and users may have such words in their names.
        ("admin-level API request requires MFA verification", TeleportError::MfaRequired),
    ];
    words.iter().find(|(words, _)| detail.contains(words)).map(|(_, kind)| kind(detail.to_owned()))
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
    fn a_missing_right_that_the_oldest_servers_call_a_missing_thing_is_a_missing_right() {
        let of = |text: &str| TeleportError::from(tonic::Status::not_found(text));
        assert!(matches!(of("object not found"), TeleportError::Denied(text) if text.contains("Teleport 4.3")));
        for missing in [
            "cannot set state of access request \"x\" (not found)",
            "access request \"object not found\" not found",
            "not found",
            "",
        ] {
            assert!(matches!(of(missing), TeleportError::NotFound(_)), "{missing}");
        }
    }

    #[test]
    fn what_teleport_says_in_words_is_told_apart() {
        let denied = |text: &str| TeleportError::from(tonic::Status::permission_denied(text));
        let of = |text: &str| std::mem::discriminant(&denied(text));
        let kind = |kind: fn(String) -> TeleportError| std::mem::discriminant(&kind(String::new()));
        for (text, expected) in [
            ("user \"a\" cannot submit reviews on behalf of \"b\"", kind(TeleportError::NotOnBehalf)),
            ("user \"a\" cannot submit reviews", kind(TeleportError::MayNotReview)),
            ("user \"a\" has already reviewed this request", kind(TeleportError::AlreadyReviewed)),
            (
                "directly updating the state of your own access requests is not permitted",
                kind(TeleportError::OwnRequest),
            ),
            ("admin-level API request requires MFA verification", kind(TeleportError::MfaRequired)),
            ("access denied to perform action \"update\" on \"access_request\"", kind(TeleportError::Denied)),
            ("role \"MFA multi-factor verification\" does not allow that", kind(TeleportError::Denied)),
            ("the access request has been already denied", kind(TeleportError::AlreadyDecided)),
        ] {
            assert_eq!(of(text), expected, "{text}");
        }
        let user = TeleportError::from(tonic::Status::not_found("user \"b\" not found"));
        assert!(matches!(user, TeleportError::UnknownUser(_)));
        let request = TeleportError::from(tonic::Status::not_found("access request not found"));
        assert!(matches!(request, TeleportError::NotFound(_)));
    }

    #[test]
    fn the_bridges_failures_are_recognised_by_name() {
        assert_eq!(Failure::from_name("unknown_authority").0, bridge::Failure::UnknownAuthority);
        assert_eq!(Failure::from_name("something_new").0, bridge::Failure::Unspecified);
    }

    #[test]
    fn teleports_own_words_are_shown_as_code() {
        let error =
            TeleportError::from(tonic::Status::internal("role `x` of @all:\n# see [here](https://evil)\u{202e}"));
        let shown = "Teleport failed: `Internal role 'x' of @all: # see [here](https://evil)`";
        assert_eq!(error.in_markdown().to_string(), shown);
        let long = TeleportError::Denied("x".repeat(100_000)).in_markdown().to_string();
        assert!(long.chars().count() < 600 && long.ends_with("…`"), "{}", long.len());
    }

    #[test]
    fn only_a_call_that_never_left_or_was_answered_is_certain() {
        let of = |failure| TeleportError::Unreachable { failure: Failure(failure), detail: String::new() };
        assert!(!of(bridge::Failure::Refused).is_uncertain());
        assert!(of(bridge::Failure::Broken).is_uncertain());
        assert!(of(bridge::Failure::NotGrpc).is_uncertain(), "a gateway's 502 or 504");
        assert!(TeleportError::Unavailable(String::new()).is_uncertain());
        assert!(!TeleportError::Denied(String::new()).is_uncertain());
    }
}
