//! Who may decide.

mod deciders;
mod permitted;

pub use deciders::missing;
pub use permitted::{Permitted, permitted_ids};

use crate::config::{self, Approver, Settings};
use crate::decision::Needed;
use crate::mattermost::{Channel, Group, GroupBy, HostError, Mattermost, User};
use crate::messages::code;
use crate::rules::links;
use crate::rules::pins::Pins;
use crate::teleport::AccessRequest;

/// Why somebody may not decide.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// The account is a bot, or is deactivated.
    #[error("this account cannot decide access requests: only active accounts of people can")]
    NotAPerson,
    /// The account is a guest's.
    #[error("guests cannot decide access requests")]
    Guest,
    /// The account has no multi-factor authentication.
    #[error("deciding takes multi-factor authentication: set it up in your Mattermost profile, under Security")]
    NoMfa,
    /// The server has multi-factor authentication switched off.
    #[error(
        "deciding takes multi-factor authentication, which is switched off on this Mattermost server. A system admin can switch it on under System Console > Authentication > MFA, or turn off \"Deciding takes MFA\" in the plugin's settings"
    )]
    MfaIsOff,
    /// The account signs in by single sign-on, for which Mattermost has no multi-factor authentication of its own.
    #[error(
        "deciding takes multi-factor authentication, which you cannot set up in Mattermost, as you sign in by single sign-on. A system admin can turn on \"Single sign-on counts as MFA\" in the plugin's settings, if your identity provider asks for a second factor"
    )]
    SsoIsNotMfa,
    /// Not among those who may decide requests for this role.
    #[error("you are not among the approvers of {}. A system admin can add you in the plugin's settings", code(.role))]
    NotAnApprover {
        /// The first role that stands against it.
        role: String,
    },
    /// No rule is about the role, so only system admins may.
    #[error("no approvers are named for {} in the plugin's settings, so only system admins may decide", code(.role))]
    OnlySystemAdmins {
        /// The first role that stands against it.
        role: String,
    },
    /// One's own request.
    #[error("this looks like your own request, and nobody decides their own")]
    OwnRequest,
    /// Mattermost could not tell.
    #[error("Mattermost could not be asked whether you may ({0}). Click again in a moment")]
    Unknown(#[from] HostError),
}

/// Whether the account is one that may decide at all, whatever the request and the authority.
///
/// # Errors
/// The first reason against it.
pub fn is_fit(settings: &Settings, user: &User) -> Result<(), Refusal> {
    if user.is_bot || user.delete_at != 0 {
        return Err(Refusal::NotAPerson);
    }
    if user.is_guest && !settings.allow_guests {
        return Err(Refusal::Guest);
    }
    // Where the server has it switched off, nobody is asked for it, whoever once set it up.
    if settings.require_mfa && (settings.multi_factor_off || !user.mfa_active) {
        return match signs_in_by_sso(user) {
            true if settings.sso_is_mfa => Ok(()),
            true => Err(Refusal::SsoIsNotMfa),
            false if settings.multi_factor_off => Err(Refusal::MfaIsOff),
            false => Err(Refusal::NoMfa),
        };
    }
    Ok(())
}

/// Whether the account signs in with an identity provider, so that Mattermost lets it set up no multi-factor authentication
/// of its own. LDAP accounts may.
#[must_use]
pub fn signs_in_by_sso(user: &User) -> bool {
    !matches!(user.auth_service.as_str(), "" | "email" | "ldap")
}

/// Whether the approvers of the settings let `user` decide `request` of a cluster, whose post stands in `channel`. Answers
/// how many people it takes: for every role the best rules count, and of those the largest number.
///
/// # Errors
/// The first reason against it.
pub async fn may_decide<M: Mattermost>(
    mattermost: &M,
    settings: &Settings,
    pins: &Pins,
    user: &User,
    channel: &Channel,
    cluster: &str,
    request: &AccessRequest,
) -> Result<Needed, Refusal> {
    is_fit(settings, user)?;
    if is_requester(user, request) {
        return Err(Refusal::OwnRequest);
    }
    let mut needed = Needed::ONE;
    for role in &roles_of(request) {
        let rules = config::rules_for(&settings.approvers, cluster, role);
        if rules.is_empty() {
            if !user.is_system_admin {
                return Err(Refusal::OnlySystemAdmins { role: role.clone() });
            }
            continue;
        }
        let mut allowed = false;
        for approver in rules.iter().flat_map(|rule| &rule.who) {
            if is(mattermost, pins, approver, user, channel).await? {
                allowed = true;
                break;
            }
        }
        if !allowed {
            return Err(Refusal::NotAnApprover { role: role.clone() });
        }
        needed =
            rules.iter().fold(needed, |needed, rule| needed.and(Needed { approve: rule.approve, deny: rule.deny }));
    }
    Ok(needed)
}

/// A request that names no role is still for something.
fn roles_of(request: &AccessRequest) -> Vec<String> {
    if request.roles.is_empty() { vec![String::new()] } else { request.roles.clone() }
}

/// Whether rules about the channel count there: not in direct and group messages, where nobody is ever made a member by
/// somebody who looks after the channel.
fn has_members(channel: &Channel) -> bool {
    !channel.team_id.is_empty() && !matches!(channel.r#type.as_str(), "D" | "G")
}

/// Whether the user is meant.
async fn is<M: Mattermost>(
    mattermost: &M,
    pins: &Pins,
    approver: &Approver,
    user: &User,
    channel: &Channel,
) -> Result<bool, HostError> {
    match approver {
        Approver::Username(_) | Approver::Words(_) => Ok(pins.names(approver, user)),
        Approver::SystemAdmins => Ok(user.is_system_admin),
        Approver::Nobody(_) => Ok(false),
        Approver::Group(_) | Approver::CustomGroup(_) => match group(mattermost, pins, approver).await? {
            Some(group) => mattermost.is_group_member(&group.id, &user.id).await,
            None => Ok(false),
        },
        Approver::ChannelMembers | Approver::ChannelAdmins | Approver::TeamAdmins if !has_members(channel) => Ok(false),
        Approver::ChannelMembers => Ok(mattermost.channel_membership(&channel.id, &user.id).await?.member),
        Approver::ChannelAdmins => Ok(mattermost.channel_membership(&channel.id, &user.id).await?.admin),
        Approver::TeamAdmins => Ok(mattermost.team_membership(&channel.team_id, &user.id).await?.admin),
    }
}

/// The group that an approver means: of its pin's id, and still of its name and kind.
async fn group<M: Mattermost>(mattermost: &M, pins: &Pins, approver: &Approver) -> Result<Option<Group>, HostError> {
    let (name, custom) = match approver {
        Approver::Group(name) => (name, false),
        Approver::CustomGroup(name) => (name, true),
        _ => return Ok(None),
    };
    let Some(pin) = pins.approver(approver) else { return Ok(None) };
    match mattermost.get_group(GroupBy::Id(pin.id.clone())).await {
        Ok(group) => {
            let same = group.id == pin.id && group.name.to_lowercase() == *name && group.delete_at == 0;
            Ok((same && group.is_synced != (custom || pin.custom)).then_some(group))
        }
        // A group that is not there has no members.
        Err(HostError::NotFound(_) | HostError::Invalid(_)) => Ok(None),
        Err(error) => Err(error),
    }
}

/// Whether the account could be the requester's: its username or e-mail address is like the Teleport user's name. An address
/// that nobody has verified counts too, for here a false match only refuses.
fn is_requester(user: &User, request: &AccessRequest) -> bool {
    [&user.username, &user.email].into_iter().any(|name| links::could_be(&request.user, name))
}
