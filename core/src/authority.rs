//! By which authority a decision is made, on the server that is there.

mod settled;

pub use settled::{Unsettled, settled};
pub(crate) use settled::{change_check, confirm, settle, waiting};

use crate::config::Authority;
use crate::messages::code;
use crate::teleport::{Rights, ServerInfo};

/// The server cannot do what the settings ask for.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "Teleport {} cannot take reviews on behalf of others: that takes 18.11 or later. Nothing is decided here until it is updated, or until \"Who checks decisions\" is set to the approvers in the plugin's settings",
    code(.0)
)]
pub struct TooOld(String);

/// The authority in force: one of `Teleport`, `Approvers` and `Reviewer`. Fails closed where the chosen one cannot be had.
pub fn in_force(chosen: Authority, server: &ServerInfo) -> Result<Authority, TooOld> {
    match chosen {
        // The open source edition has no reviews of any kind, whatever its version.
        Authority::Auto if server.reviews && server.takes_reviews_on_behalf() => Ok(Authority::Teleport),
        Authority::Auto => Ok(Authority::Approvers),
        Authority::Teleport if !server.takes_reviews_on_behalf() => Err(TooOld(server.version.clone())),
        chosen => Ok(chosen),
    }
}

/// What the role of the plugin's Teleport user lacks for an authority, with the cure; none where it has all.
#[must_use]
pub fn lacks(authority: Authority, rights: &Rights, reads_users: bool) -> Option<String> {
    let verbs: &[&str] =
        if authority == Authority::Approvers { &["list", "read", "update"] } else { &["list", "read"] };
    let rule = |resource: &str, verbs: &[&str]| {
        format!(
            "The role of the plugin's Teleport user needs the rule `resources: [{resource}], verbs: [{}]`; change it with `tctl create -f`.",
            verbs.join(", ")
        )
    };
    if !verbs.iter().all(|verb| Rights::holds(&rights.requests, verb)) {
        return Some(rule("access_request", verbs));
    }
    if reads_users && !["list", "read"].iter().all(|verb| Rights::holds(&rights.users, verb)) {
        return Some(rule("user", &["list", "read"]));
    }
    if authority == Authority::Teleport && rights.review_for.is_empty() {
        return Some(
            "The role of the plugin's Teleport user may submit reviews for nobody. It needs `review_requests: {submit_for_users: ['*']}` under `allow`; change it with `tctl create -f`."
                .to_owned(),
        );
    }
    if authority == Authority::Reviewer && !rights.reviews {
        return Some(
            "The role of the plugin's Teleport user may review nothing. It needs `review_requests: {roles: [...]}` under `allow`, with the roles that it may review requests for; change it with `tctl create -f`."
                .to_owned(),
        );
    }
    None
}

/// What to do where the role does not let its user see requests: Teleport then says of each that there is none.
#[must_use]
pub fn blind(rights: &Rights) -> Option<&'static str> {
    let sees = ["list", "read"].iter().all(|verb| Rights::holds(&rights.requests, verb));
    (!sees).then_some(
        "The role of the plugin's Teleport user may not list and read access requests, so Teleport shows it none. It needs the rule `resources: [access_request], verbs: [list, read, update]`; change it with `tctl create -f`.",
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_may_not_list_and_read_sees_no_requests() {
        let rights = |verbs: &str| Rights {
            requests: verbs.split_whitespace().map(str::to_owned).collect(),
            reviews: true,
            ..Default::default()
        };
        for sees in ["list read", "*", "list readnosecrets update"] {
            assert_eq!(blind(&rights(sees)), None, "{sees}");
        }
        for blinded in ["", "update", "list update", "read update"] {
            assert!(blind(&rights(blinded)).is_some_and(|cure| cure.contains("list, read")), "{blinded}");
        }
    }

    fn server(version: &str) -> ServerInfo {
        ServerInfo { cluster: "tp".into(), version: version.into(), reviews: true, web: String::new() }
    }

    #[test]
    fn the_authority_is_teleports_where_the_server_can_and_never_by_chance() {
        for (chosen, version, expected) in [
            (Authority::Auto, "18.11.0", Some(Authority::Teleport)),
            (Authority::Auto, "18.10.3", Some(Authority::Approvers)),
            (Authority::Auto, "", Some(Authority::Approvers)),
            (Authority::Teleport, "19.0.0", Some(Authority::Teleport)),
            (Authority::Teleport, "17.0.0", None),
            (Authority::Approvers, "18.11.0", Some(Authority::Approvers)),
            (Authority::Reviewer, "13.3.8", Some(Authority::Reviewer)),
        ] {
            assert_eq!(in_force(chosen, &server(version)).ok(), expected, "{chosen:?} {version}");
        }
    }

    #[test]
    fn the_open_source_edition_is_left_to_the_approvers() {
        let open_source = ServerInfo { reviews: false, ..server("18.11.0") };
        assert_eq!(in_force(Authority::Auto, &open_source), Ok(Authority::Approvers));
    }

    #[test]
    fn what_the_role_lacks_is_told_with_the_rule_it_needs() {
        let verbs = |verbs: &[&str]| verbs.iter().map(|verb| (*verb).to_owned()).collect::<Vec<_>>();
        let mut rights = Rights { requests: verbs(&["list", "read"]), ..Default::default() };
        assert!(lacks(Authority::Approvers, &rights, false).is_some_and(|text| text.contains("list, read, update")));
        assert!(lacks(Authority::Teleport, &rights, false).is_some_and(|text| text.contains("submit_for_users")));
        assert!(lacks(Authority::Reviewer, &rights, false).is_some_and(|text| text.contains("review_requests")));
        rights.review_for = verbs(&["*"]);
        assert_eq!(lacks(Authority::Teleport, &rights, false), None);
        assert!(lacks(Authority::Teleport, &rights, true).is_some_and(|text| text.contains("[user]")));
        rights.users = verbs(&["*"]);
        assert_eq!(lacks(Authority::Teleport, &rights, true), None);
        rights.requests = verbs(&["*"]);
        assert_eq!(lacks(Authority::Approvers, &rights, true), None);
    }
}
