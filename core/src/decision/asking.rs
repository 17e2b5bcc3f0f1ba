//! When a click opens a dialog that asks for a reason, and when it decides at once.
//!
//! Mattermost's web clients submit dialogs from the Threads view without a channel, and the server refuses that. So where a
//! reason may be left out, denying must not take a dialog.

use crate::config::{AskReason, Settings};
use crate::ledger::Offers;
use crate::teleport::State;

/// Whether posts have one button that denies at once, and one that asks for a reason first.
pub(crate) fn has_two_denials(settings: &Settings) -> bool {
    settings.ask_reason != AskReason::Never && !settings.require_reason
}

/// Whether a click opens a dialog. `for_reason`: on the button that says so. `offers`: what the post that was clicked has, for
/// posts of earlier versions, or of settings before, have one button for both.
pub(super) fn opens_dialog(settings: &Settings, verdict: State, for_reason: bool, offers: Offers) -> bool {
    match (settings.ask_reason, verdict) {
        (_, State::Denied) if for_reason => true,
        (AskReason::Never, _) => false,
        (AskReason::Deny | AskReason::Both, State::Denied) => settings.require_reason || !offers.deny_with_reason,
        (AskReason::Deny, _) => false,
        (AskReason::Both, _) => true,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn settings(ask_reason: AskReason, require_reason: bool) -> Settings {
        Settings { ask_reason, require_reason, ..Default::default() }
    }

    #[test]
    fn a_reason_that_may_be_left_out_has_a_button_of_its_own() {
        assert!(has_two_denials(&Settings::default()), "by default");
        assert!(has_two_denials(&settings(AskReason::Both, false)));
        assert!(!has_two_denials(&settings(AskReason::Deny, true)), "who must give one is always asked");
        assert!(!has_two_denials(&settings(AskReason::Never, false)), "nobody is ever asked");
    }

    #[test]
    fn a_denial_takes_a_dialog_only_where_a_reason_is_wanted() {
        let two = Offers { approve: true, deny: true, deny_with_reason: true };
        let one = Offers { deny_with_reason: false, ..two };
        use State::{Approved, Denied};
        for (ask, required, verdict, for_reason, offers, opens) in [
            (AskReason::Deny, false, Denied, false, two, false),
            (AskReason::Deny, false, Denied, true, two, true),
            (AskReason::Deny, false, Approved, false, two, false),
            (AskReason::Both, false, Denied, false, two, false),
            (AskReason::Both, false, Approved, false, two, true),
            // The post is of an earlier version, or the settings have changed since it was written.
            (AskReason::Deny, false, Denied, false, one, true),
            (AskReason::Deny, true, Denied, false, two, true),
            (AskReason::Deny, true, Denied, false, one, true),
            (AskReason::Never, false, Denied, false, two, false),
            (AskReason::Never, false, Denied, true, two, true),
            (AskReason::Never, true, Denied, false, one, false),
        ] {
            let settings = settings(ask, required);
            let got = opens_dialog(&settings, verdict, for_reason, offers);
            assert_eq!(got, opens, "{ask:?} {required} {verdict:?} {for_reason} {offers:?}");
        }
    }
}
