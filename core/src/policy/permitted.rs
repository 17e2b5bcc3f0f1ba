//! Who may decide a request, counted: so that people see whether there are enough.

use std::collections::{BTreeMap, BTreeSet};

use super::{group, has_members, is_fit, is_requester, roles_of};
use crate::config::{self, Approver, Settings};
use crate::mattermost::{Channel, HostError, Mattermost, User, UserBy};
use crate::rules::pins::Pins;
use crate::teleport::AccessRequest;

/// Most members of a group or channel that are looked at.
const MOST_MEMBERS: usize = 1_000;
/// Most members whose standing in a channel or team is looked up one by one.
const MOST_ASKED: usize = 200;
/// Members that a page has.
const PAGE: i32 = 200;

/// The people who may decide a request.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Permitted {
    /// Their ids.
    pub ids: BTreeSet<String>,
    /// Whether these are all: a large group or channel is not read to its end.
    pub complete: bool,
}

/// The present people whom the rules let decide a request, as far as they can be listed: team admins only as members of the
/// channel. Whoever clicks is checked afresh; this is for counting.
///
/// # Errors
/// Where Mattermost cannot be asked.
pub async fn permitted_ids<M: Mattermost>(
    mattermost: &M,
    settings: &Settings,
    pins: &Pins,
    channel: &Channel,
    cluster: &str,
    request: &AccessRequest,
) -> Result<Permitted, HostError> {
    let mut count = Count { mattermost, settings, pins, channel, complete: true, lists: BTreeMap::new() };
    let mut ids: Option<BTreeSet<String>> = None;
    for role in &roles_of(request) {
        let rules = config::rules_for(&settings.approvers, cluster, role);
        let mut of_role: BTreeSet<String> = BTreeSet::new();
        let fallback = [Approver::SystemAdmins];
        let who: Vec<&Approver> = if rules.is_empty() {
            fallback.iter().collect()
        } else {
            rules.iter().flat_map(|rule| &rule.who).collect()
        };
        for approver in who {
            of_role.extend(count.of(approver, request).await?);
        }
        ids = Some(match ids {
            None => of_role,
            Some(ids) => ids.intersection(&of_role).cloned().collect(),
        });
    }
    Ok(Permitted { ids: ids.unwrap_or_default(), complete: count.complete })
}

struct Count<'a, M> {
    mattermost: &'a M,
    settings: &'a Settings,
    pins: &'a Pins,
    channel: &'a Channel,
    complete: bool,
    /// What was found for an approver.
    lists: BTreeMap<String, BTreeSet<String>>,
}

impl<M: Mattermost> Count<'_, M> {
    /// The people whom an approver means and who may decide the request.
    async fn of(&mut self, approver: &Approver, request: &AccessRequest) -> Result<BTreeSet<String>, HostError> {
        let name = approver.to_string();
        if let Some(known) = self.lists.get(&name) {
            return Ok(known.clone());
        }
        let users = self.users(approver).await?;
        let may = |user: &User| is_fit(self.settings, user).is_ok() && !is_requester(user, request);
        let ids: BTreeSet<String> = users.into_iter().filter(may).map(|user| user.id).collect();
        self.lists.insert(name, ids.clone());
        Ok(ids)
    }

    async fn users(&mut self, approver: &Approver) -> Result<Vec<User>, HostError> {
        let mattermost = self.mattermost;
        match approver {
            Approver::Nobody(_) => Ok(Vec::new()),
            Approver::SystemAdmins => mattermost.system_admins().await,
            Approver::Username(_) | Approver::Words(_) => {
                let mut users = Vec::new();
                let ids = self.pins.approver(approver).map(|pin| pin.id.clone()).unwrap_or_default();
                for id in ids.split(' ').filter(|id| !id.is_empty()) {
                    match mattermost.get_user(UserBy::Id(id.to_owned())).await {
                        Ok(user) if self.pins.names(approver, &user) => users.push(user),
                        Ok(_) | Err(HostError::NotFound(_) | HostError::Invalid(_)) => {}
                        Err(error) => return Err(error),
                    }
                }
                Ok(users)
            }
            Approver::Group(_) | Approver::CustomGroup(_) => match group(mattermost, self.pins, approver).await? {
                Some(group) => self.members(async |page| mattermost.group_users(&group.id, page, PAGE).await).await,
                None => Ok(Vec::new()),
            },
            _ if !has_members(self.channel) => Ok(Vec::new()),
            Approver::ChannelMembers => self.in_channel().await,
            Approver::ChannelAdmins | Approver::TeamAdmins => {
                let mut users = self.in_channel().await?;
                self.complete &= users.len() <= MOST_ASKED;
                users.truncate(MOST_ASKED);
                let mut admins = Vec::new();
                for user in users {
                    let membership = if *approver == Approver::TeamAdmins {
                        mattermost.team_membership(&self.channel.team_id, &user.id).await?
                    } else {
                        mattermost.channel_membership(&self.channel.id, &user.id).await?
                    };
                    if membership.admin {
                        admins.push(user);
                    }
                }
                Ok(admins)
            }
        }
    }

    async fn in_channel(&mut self) -> Result<Vec<User>, HostError> {
        let (mattermost, id) = (self.mattermost, &self.channel.id);
        self.members(async |page| mattermost.channel_users(id, page, PAGE).await).await
    }

    /// All pages of a list, up to the bound.
    async fn members(
        &mut self,
        page_of: impl AsyncFn(i32) -> Result<Vec<User>, HostError>,
    ) -> Result<Vec<User>, HostError> {
        let mut users: Vec<User> = Vec::new();
        for page in 0.. {
            let some = page_of(page).await?;
            let last = some.len() < PAGE as usize;
            users.extend(some);
            if last {
                break;
            }
            if users.len() >= MOST_MEMBERS {
                self.complete = false;
                break;
            }
        }
        Ok(users)
    }
}
