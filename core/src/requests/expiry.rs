//! When a pending request is over. Teleport says until when it may be decided, and the clock here says whether that has
//! passed: some of Teleport's stores list requests for hours after that.

use std::time::Duration;

use crate::ledger::Outcome;
use crate::teleport::AccessRequest;
use crate::time::Time;

/// How far the clocks of two servers may be apart without anybody being told something wrong.
const TOLERANCE: Duration = Duration::from_secs(60);

/// Whether a pending request must not be decided any more. `known`: what it had come to before, if anything.
#[must_use]
pub fn is_over(request: &AccessRequest, known: Option<Outcome>, now: Time) -> bool {
    // What was told as expired does not come to life again because another server's clock is a little behind.
    let ahead = if known == Some(Outcome::Expired) { TOLERANCE } else { Duration::ZERO };
    request.expires.is_some_and(|expires| expires <= now.plus(ahead))
}

/// What a request has come to that Teleport still has.
#[must_use]
pub fn outcome(request: &AccessRequest, known: Option<Outcome>, now: Time) -> Outcome {
    match request.state.into() {
        Outcome::Pending if is_over(request, known, now) => Outcome::Expired,
        outcome => outcome,
    }
}

/// What a pending request has come to that Teleport does not have any more: it expired, or somebody withdrew it. So close to
/// its expiry that the clocks may be apart, it has expired.
#[must_use]
pub fn vanished(request: &AccessRequest, now: Time) -> Outcome {
    let expired = request.expires.is_some_and(|expires| expires <= now.plus(TOLERANCE));
    if expired { Outcome::Expired } else { Outcome::Deleted }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::teleport::State;

    fn expiring(second: i64) -> AccessRequest {
        AccessRequest { expires: Some(at(second)), ..Default::default() }
    }

    fn at(second: i64) -> Time {
        Time(second * 1_000)
    }

    #[test]
    fn what_teleport_still_lists_is_over_at_its_expiry() {
        let request = expiring(1_000);
        assert_eq!(outcome(&request, None, at(999)), Outcome::Pending);
        assert_eq!(outcome(&request, Some(Outcome::Pending), at(1_000)), Outcome::Expired);
        assert_eq!(outcome(&AccessRequest::default(), None, at(1_000)), Outcome::Pending, "it never expires");
    }

    #[test]
    fn what_was_decided_does_not_expire() {
        for state in [State::Approved, State::Denied, State::Promoted, State::Other] {
            let decided = AccessRequest { state, ..expiring(1_000) };
            assert_eq!(outcome(&decided, Some(Outcome::Pending), at(2_000)), state.into());
        }
    }

    #[test]
    fn what_was_told_as_expired_stays_so_while_clocks_are_a_minute_apart() {
        let request = expiring(1_000);
        assert_eq!(outcome(&request, Some(Outcome::Expired), at(940)), Outcome::Expired);
        assert_eq!(outcome(&request, Some(Outcome::Expired), at(939)), Outcome::Pending, "a clock was far ahead");
    }

    #[test]
    fn what_vanishes_within_a_minute_of_its_expiry_has_expired() {
        let request = expiring(1_000);
        for (second, outcome) in
            [(939, Outcome::Deleted), (940, Outcome::Expired), (998, Outcome::Expired), (1_500, Outcome::Expired)]
        {
            assert_eq!(vanished(&request, at(second)), outcome, "{second}");
        }
        assert_eq!(vanished(&AccessRequest::default(), at(1_000)), Outcome::Deleted);
    }
}
