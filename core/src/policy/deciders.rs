//! Whether there is anybody who can decide: rules whose groups are gone, whose people were deactivated, and the like.

use std::collections::BTreeSet;

use super::{Refusal, group, is_fit};
use crate::config::{Approver, Rule, Settings};
use crate::mattermost::{HostError, Mattermost, User, UserBy};
use crate::messages::code;
use crate::rules::pins::Pins;

/// Most members of a group that are looked at.
const MOST_MEMBERS: usize = 1_000;
/// Members that a page has.
const PAGE: i32 = 200;

/// What keeps a rule from being met, for each of its entries; none where enough people can be found, or where that
/// depends on the channel that a request is in. `in_channels`: whether any requests are posted to channels.
///
/// # Errors
/// Where Mattermost cannot be asked.
pub async fn missing<M: Mattermost>(
    mattermost: &M,
    settings: &Settings,
    pins: &Pins,
    rule: &Rule,
    in_channels: bool,
) -> Result<Option<Vec<String>>, HostError> {
    let enough = usize::try_from(rule.approve).unwrap_or(usize::MAX);
    let mut search = Search { mattermost, settings, pins, enough, people: BTreeSet::new(), reasons: Vec::new() };
    for approver in &rule.who {
        if is_of_channel(approver) && in_channels {
            return Ok(None);
        }
        search.look(approver).await?;
        if search.people.len() >= enough {
            return Ok(None);
        }
    }
    let found = search.people.len();
    if found > 0 {
        search.reasons.push(format!("{enough} people must approve, and only {found} can"));
    }
    if search.reasons.is_empty() {
        search.reasons.push("it names nobody".to_owned());
    }
    Ok(Some(search.reasons))
}

/// Whether it depends on the channel whom an entry means.
fn is_of_channel(approver: &Approver) -> bool {
    matches!(approver, Approver::ChannelMembers | Approver::ChannelAdmins | Approver::TeamAdmins)
}

struct Search<'a, M> {
    mattermost: &'a M,
    settings: &'a Settings,
    pins: &'a Pins,
    enough: usize,
    /// The people found who can decide, by id.
    people: BTreeSet<String>,
    reasons: Vec<String>,
}

impl<M: Mattermost> Search<'_, M> {
    async fn look(&mut self, approver: &Approver) -> Result<(), HostError> {
        let name = code(&approver.to_string());
        match approver {
            Approver::Nobody(_) => self.reasons.push(format!("{name} is not an approver")),
            Approver::Username(_) | Approver::Words(_) => self.accounts(approver, &name).await?,
            Approver::Group(_) | Approver::CustomGroup(_) => self.members(approver, &name).await?,
            Approver::SystemAdmins => {
                let admins = self.mattermost.system_admins().await?;
                self.take(admins);
                if self.people.is_empty() {
                    self.reasons.push(format!("no account of {name} can decide"));
                }
            }
            Approver::ChannelMembers | Approver::ChannelAdmins | Approver::TeamAdmins => self
                .reasons
                .push(format!("{name} means nobody in direct messages, and requests are posted to no channel")),
        }
        Ok(())
    }

    /// Those who can decide.
    fn take(&mut self, users: Vec<User>) {
        let fit = users.into_iter().filter(|user| is_fit(self.settings, user).is_ok());
        self.people.extend(fit.map(|user| user.id));
    }

    async fn accounts(&mut self, approver: &Approver, name: &str) -> Result<(), HostError> {
        let ids = self.pins.approver(approver).map(|pin| pin.id.clone()).unwrap_or_default();
        if ids.is_empty() {
            self.reasons.push(format!("{name} is no account, or waits for a system admin to accept it"));
        }
        for id in ids.split(' ').filter(|id| !id.is_empty()) {
            let user = match self.mattermost.get_user(UserBy::Id(id.to_owned())).await {
                Ok(user) if self.pins.names(approver, &user) => user,
                Ok(_) | Err(HostError::NotFound(_) | HostError::Invalid(_)) => {
                    self.reasons.push(format!("{name} does not mean the account any more that it meant"));
                    continue;
                }
                Err(error) => return Err(error),
            };
            match is_fit(self.settings, &user) {
                Ok(()) => drop(self.people.insert(user.id)),
                Err(refusal) => {
                    self.reasons.push(format!(
                        "{} {}",
                        code(&format!("@{}", user.username)),
                        in_short(&refusal, &user)
                    ));
                }
            }
        }
        Ok(())
    }

    async fn members(&mut self, approver: &Approver, name: &str) -> Result<(), HostError> {
        let Some(group) = group(self.mattermost, self.pins, approver).await? else {
            self.reasons.push(format!("there is no {name}, or it is not the group any more that it was"));
            return Ok(());
        };
        let before = self.people.len();
        let mut seen = 0;
        for page in 0.. {
            let members = self.mattermost.group_users(&group.id, page, PAGE).await?;
            let last = members.len() < PAGE as usize;
            seen += members.len();
            self.take(members);
            if self.people.len() >= self.enough || last || seen >= MOST_MEMBERS {
                break;
            }
        }
        if self.people.len() == before {
            self.reasons.push(format!("{name} has no member who can decide"));
        }
        Ok(())
    }
}

/// Why an account cannot decide, in few words.
fn in_short(refusal: &Refusal, user: &User) -> &'static str {
    match refusal {
        Refusal::NotAPerson if user.delete_at != 0 => "is deactivated",
        Refusal::NotAPerson => "is a bot",
        Refusal::Guest => "is a guest",
        _ => "has no multi-factor authentication",
    }
}
