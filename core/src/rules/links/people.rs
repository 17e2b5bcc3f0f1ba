//! The people whose names and addresses are remembered before they do anything: everybody whom the settings let decide, as
//! far as they can be listed. So a name that was changed before a request was filed is known all the same.

use std::collections::{HashMap, HashSet};
use std::rc::Rc;
use std::time::Duration;

use super::{Seen, remember};
use crate::app::App;
use crate::config::{Approver, Recipient, Settings};
use crate::mattermost::{HostError, LogLevel, Mattermost, User, UserBy};
use crate::recipients::Recipients;
use crate::rules::pins::{self, Entry, Pins};
use crate::world::World;

/// How long after a start the first round begins: posts come first.
const FIRST: Duration = Duration::from_secs(2);
/// How long after a whole round the next one begins.
const HOURLY: Duration = Duration::from_secs(3_600);
/// How long after a round in which something failed.
const AGAIN: Duration = Duration::from_secs(300);
/// The pause between two accounts.
const PACE: Duration = Duration::from_millis(50);
/// Most people of one round.
const MOST: usize = 2_000;
/// Members a page.
const PAGE: i32 = 200;

/// People of the settings.
#[derive(Debug, Default)]
pub(crate) struct People {
    /// Each account once.
    pub(crate) users: Vec<User>,
    /// Somebody could not be looked up, or there were more than were asked for.
    pub(crate) incomplete: bool,
    ids: HashSet<String>,
    most: usize,
}

impl People {
    fn add(&mut self, user: User) {
        if user.is_bot || self.ids.contains(&user.id) {
            return;
        }
        if self.users.len() >= self.most {
            self.incomplete = true;
            return;
        }
        self.ids.insert(user.id.clone());
        self.users.push(user);
    }

    async fn look_up<M: Mattermost>(&mut self, mattermost: &M, by: UserBy) {
        match mattermost.get_user(by).await {
            Ok(user) => self.add(user),
            Err(HostError::NotFound(_) | HostError::Invalid(_)) => {}
            Err(_) => self.incomplete = true,
        }
    }

    async fn add_system_admins<M: Mattermost>(&mut self, mattermost: &M) {
        match mattermost.system_admins().await {
            Ok(admins) => admins.into_iter().for_each(|admin| self.add(admin)),
            Err(_) => self.incomplete = true,
        }
    }

    /// Adds the members of a group or a channel, page by page.
    async fn add_members<M: Mattermost>(&mut self, mattermost: &M, id: &str, is_group: bool) {
        for page in 0.. {
            let members = if is_group {
                mattermost.group_users(id, page, PAGE).await
            } else {
                mattermost.channel_users(id, page, PAGE).await
            };
            let Ok(members) = members else {
                self.incomplete = true;
                return;
            };
            let last = members.len() < PAGE as usize;
            members.into_iter().for_each(|user| self.add(user));
            if last || self.users.len() >= self.most {
                self.incomplete |= !last;
                return;
            }
        }
    }
}

/// Everybody whom the settings let decide: by name, as an admin, in a group, in a channel that requests are posted to; and
/// whom the user table names. People by name come first, so that a crowd elsewhere does not push them out.
pub(crate) async fn people<M: Mattermost>(
    mattermost: &M,
    settings: &Settings,
    channels: &Recipients,
    most: usize,
) -> People {
    let mut people = People { most, ..People::default() };
    let pins = pins::load(mattermost).await.unwrap_or_else(|_| {
        people.incomplete = true;
        Pins::default()
    });
    let approvers: Vec<&Approver> = settings.approvers.iter().flat_map(|rule| &rule.who).collect();
    for approver in &approvers {
        let names = match approver {
            Approver::Username(name) => std::slice::from_ref(name),
            Approver::Words(names) => names.as_slice(),
            _ => continue,
        };
        // Whoever has the name now, and whoever was meant by it.
        for name in names {
            people.look_up(mattermost, UserBy::Username(name.clone())).await;
        }
        for id in pins.approver(approver).iter().flat_map(|pin| pin.id.split(' ')) {
            people.look_up(mattermost, UserBy::Id(id.to_owned())).await;
        }
    }
    for person in &settings.people {
        let name = person.mattermost.clone();
        let by = if name.contains('@') { UserBy::Email(name) } else { UserBy::Username(name) };
        people.look_up(mattermost, by).await;
        if let Some(pin) = pins.get(&Entry::of_person(person)).filter(|pin| !pin.id.is_empty()) {
            people.look_up(mattermost, UserBy::Id(pin.id.clone())).await;
        }
    }
    if approvers.is_empty() || approvers.contains(&&Approver::SystemAdmins) {
        people.add_system_admins(mattermost).await;
    }
    for approver in &approvers {
        if matches!(approver, Approver::Group(_) | Approver::CustomGroup(_))
            && let Some(pin) = pins.approver(approver)
        {
            people.add_members(mattermost, &pin.id, true).await;
        }
    }
    // The admins of a team cannot be listed; those of them who are in the channel are.
    let by_channel =
        |who: &&Approver| matches!(who, Approver::ChannelMembers | Approver::ChannelAdmins | Approver::TeamAdmins);
    if approvers.iter().any(by_channel) {
        for recipient in all_recipients(settings) {
            if matches!(recipient, Recipient::Channel { .. } | Recipient::ChannelId(_)) {
                match channels.channel(mattermost, recipient).await {
                    Ok(id) => people.add_members(mattermost, &id, false).await,
                    Err(_) => people.incomplete = true,
                }
            }
        }
    }
    people
}

/// All recipients of the settings.
fn all_recipients(settings: &Settings) -> impl Iterator<Item = &Recipient> {
    let of_clusters = settings.clusters.iter().flat_map(|cluster| &cluster.recipients);
    let of_roles = settings.role_recipients.iter().flat_map(|rule| &rule.recipients);
    settings.recipients.iter().chain(of_clusters).chain(of_roles)
}

/// Which Teleport users each Mattermost name, and each account's id, stands for, by the table and the trait: cluster and user.
#[derive(Debug, Default)]
struct Mapped {
    names: HashMap<String, Vec<(String, String)>>,
    ids: HashMap<String, Vec<(String, String)>>,
}

impl Mapped {
    fn add(&mut self, name: &str, id: Option<&str>, cluster: &str, user: &str) {
        let name = name.trim().trim_start_matches('@').to_lowercase();
        let of = (cluster.to_owned(), user.to_owned());
        if let Some(id) = id.filter(|id| !id.is_empty()) {
            self.ids.entry(id.to_owned()).or_default().push(of.clone());
        }
        self.names.entry(name).or_default().push(of);
    }

    /// Whom an account stands for.
    fn of(&self, user: &User) -> Vec<(&str, &str)> {
        let by_name = [&user.username, &user.email].map(|name| self.names.get(&name.to_lowercase()));
        let all = by_name.into_iter().chain([self.ids.get(&user.id)]).flatten().flatten();
        all.map(|(cluster, user)| (cluster.as_str(), user.as_str())).collect()
    }
}

/// What the mapping says now, of all clusters that are connected. The flag says whether all could be asked.
async fn mapped<W: World>(app: &Rc<App<W>>) -> (Mapped, bool) {
    let (mattermost, settings, now) = (app.world.mattermost(), app.settings(), app.world.now());
    let mut mapped = Mapped::default();
    let Ok(pins) = pins::load(mattermost).await else { return (mapped, false) };
    let mut whole = true;
    for lane in app.lanes() {
        let Some(way) = lane.cluster.good_way(app) else {
            whole = false;
            continue;
        };
        for person in settings.people.iter().filter(|person| person.is_of(&way.cluster)) {
            let pin = pins.get(&Entry::of_person(person)).map(|pin| pin.id.as_str());
            mapped.add(&person.mattermost, pin, &way.cluster, &person.teleport);
        }
        if settings.user_trait.is_empty() {
            continue;
        }
        let directory = &lane.cluster.directory;
        let Ok(users) = directory.users(&way.teleport, &settings.user_trait, now).await else {
            whole = false;
            continue;
        };
        let Ok(pinned) = directory.pinned(mattermost, &way.cluster, &users, now).await else {
            whole = false;
            continue;
        };
        for (user, values) in users.iter() {
            values.iter().for_each(|value| mapped.add(value, pinned.id(value), &way.cluster, user));
        }
    }
    (mapped, whole)
}

/// Remembers everybody once an hour, as long as this node leads with these settings.
pub(crate) async fn keep<W: World>(app: Rc<App<W>>, epoch: u64) {
    let mut wait = FIRST;
    loop {
        app.world.sleep(wait).await;
        match round(&app, epoch).await {
            None => return,
            Some(whole) => wait = if whole { HOURLY } else { AGAIN },
        }
    }
}

/// One round. Answers whether everybody was seen; none where it is another's turn.
async fn round<W: World>(app: &Rc<App<W>>, epoch: u64) -> Option<bool> {
    let still = || (app.epoch.get() == epoch && app.leader.get()).then_some(());
    still()?;
    let mattermost = app.world.mattermost();
    let mut people = people(mattermost, &app.settings(), &app.recipients, MOST).await;
    // Roles that no rule is about are theirs to decide.
    people.add_system_admins(mattermost).await;
    if people.users.len() >= MOST {
        app.log(
            LogLevel::Warn,
            "More people may decide than can be remembered ahead of their requests: only some are.",
            &[("most", &MOST.to_string())],
        );
    }
    let (mapped, mut whole) = mapped(app).await;
    whole &= !people.incomplete || people.users.len() >= MOST;
    for user in &people.users {
        still()?;
        let names: Vec<&str> = [&user.username, &user.email].into_iter().map(String::as_str).collect();
        let users = mapped.of(user);
        if let Err(error) = remember(mattermost, &user.id, &Seen { names, users }, app.world.now()).await {
            whole = false;
            let error = error.to_string();
            app.log(LogLevel::Debug, "The names of an account could not be remembered.", &[("error", &error)]);
        }
        app.world.sleep(PACE).await;
    }
    Some(whole)
}
