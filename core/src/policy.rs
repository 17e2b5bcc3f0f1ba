//! Who may decide.

use crate::mattermost::User;
use crate::teleport::AccessRequest;

/// Why somebody may not decide.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// The account is a bot, or is deactivated.
    #[error("this account cannot decide access requests: only active accounts of people can")]
    NotAPerson,
    /// Not among the approvers, or, where none are named, not a system admin.
    #[error("you are not allowed to decide access requests{}", hint(*.named))]
    NotAnApprover {
        /// Whether approvers are named in the settings.
        named: bool,
    },
    /// One's own request.
    #[error("this looks like your own request, and nobody decides their own")]
    OwnRequest,
}

fn hint(named: bool) -> &'static str {
    if named {
        ": ask a system admin to add you to the plugin's approvers"
    } else {
        ": no approvers are named in the plugin's settings, so only system admins may"
    }
}

/// Whether `user` may decide `request`, where `approvers` are the usernames in the settings.
///
/// # Errors
/// The first reason against it.
pub fn may_decide(user: &User, approvers: &[String], request: &AccessRequest) -> Result<(), Refusal> {
    if user.is_bot || user.delete_at != 0 {
        return Err(Refusal::NotAPerson);
    }
    let allowed =
        if approvers.is_empty() { user.is_system_admin } else { approvers.contains(&user.username.to_lowercase()) };
    if !allowed {
        return Err(Refusal::NotAnApprover { named: !approvers.is_empty() });
    }
    if is_requester(user, request) {
        return Err(Refusal::OwnRequest);
    }
    Ok(())
}

/// Whether the account could be the requester's: its username or e-mail address is the Teleport user's name. An address
/// that nobody has verified counts too, for here a false match only refuses.
fn is_requester(user: &User, request: &AccessRequest) -> bool {
    let requester = request.user.to_lowercase();
    requester == user.username.to_lowercase() || requester == user.email.to_lowercase()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn user(username: &str) -> User {
        User { username: username.into(), email: format!("{username}@example.com"), ..Default::default() }
    }

    fn request() -> AccessRequest {
        AccessRequest { user: "Ann@Example.com".into(), ..Default::default() }
    }

    #[test]
    fn with_approvers_named_only_they_may() {
        let approvers = ["bob".to_owned(), "ann".to_owned()];
        assert_eq!(may_decide(&user("bob"), &approvers, &request()), Ok(()));
        assert_eq!(may_decide(&user("Bob"), &approvers, &request()), Ok(()));
        let admin = User { is_system_admin: true, ..user("root") };
        assert_eq!(may_decide(&admin, &approvers, &request()), Err(Refusal::NotAnApprover { named: true }));
    }

    #[test]
    fn with_nobody_named_only_system_admins_may() {
        assert_eq!(may_decide(&user("bob"), &[], &request()), Err(Refusal::NotAnApprover { named: false }));
        assert_eq!(may_decide(&User { is_system_admin: true, ..user("root") }, &[], &request()), Ok(()));
    }

    #[test]
    fn nobody_decides_their_own_request() {
        let approvers = ["ann".to_owned()];
        assert_eq!(may_decide(&user("ann"), &approvers, &request()), Err(Refusal::OwnRequest));
        let named = AccessRequest { user: "ann".into(), ..Default::default() };
        let other_address = User { email: "x@example.com".into(), ..user("Ann") };
        assert_eq!(may_decide(&other_address, &approvers, &named), Err(Refusal::OwnRequest));
    }

    #[test]
    fn bots_and_deactivated_accounts_may_not() {
        let approvers = ["bob".to_owned()];
        for account in [User { is_bot: true, ..user("bob") }, User { delete_at: 1, ..user("bob") }] {
            assert_eq!(may_decide(&account, &approvers, &request()), Err(Refusal::NotAPerson));
        }
    }
}
