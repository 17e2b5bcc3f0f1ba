//! What keeps people from seeing or deciding requests now: recipients that nobody can be reached by, posts that Mattermost
//! does not take, and approvers that nobody can be.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::rc::Rc;

use super::causes::{Present, View, Waiting};
use crate::app::App;
use crate::checks;
use crate::cluster::Lane;
use crate::config::{Recipient, Settings};
use crate::desk::Undelivered;
use crate::messages::code;
use crate::recipients::{Closed, Unreachable, is_open};
use crate::requests::footing::Footing;
use crate::session::Link;
use crate::teleport::AccessRequest;
use crate::world::World;

/// Keys of causes: by recipient, by channel, one where there are no recipients, and by rule.
const RECIPIENT: &str = "recipient:";
const REFUSED: &str = "refused:";
const NO_RECIPIENTS: &str = "recipients";
const DECIDERS: &str = "deciders:";
/// Every how many rounds channels and accounts are looked at afresh: twice a minute.
const AFRESH: u64 = 2;
/// Every how many rounds it is asked whether there is anybody who can decide.
const DECIDERS_ROUNDS: u64 = 4;

/// Requests that stand nowhere though their recipients can be reached: their turn has yet to come.
pub(super) type Free<W> = Vec<(Lane<W>, String)>;

/// What was looked up in this round, each once.
struct Look<'a, W: World> {
    app: &'a Rc<App<W>>,
    /// The causes that admins have been told of.
    told: &'a BTreeSet<String>,
    channels: HashMap<Recipient, Result<String, Unreachable>>,
    open: HashMap<String, Result<(), Closed>>,
    view: View,
    free: Free<W>,
}

/// Looks at what holds. `open`: the causes that admins have been told of.
pub(super) async fn look<W: World>(app: &Rc<App<W>>, open: &BTreeSet<String>, round: u64) -> (View, Free<W>) {
    if round.is_multiple_of(AFRESH) {
        app.recipients.forget();
    }
    let mut look = Look {
        app,
        told: open,
        channels: HashMap::new(),
        open: HashMap::new(),
        view: View::default(),
        free: Vec::new(),
    };
    look.view.all_clusters = true;
    for lane in app.lanes() {
        look.lane(&lane).await;
    }
    look.still(open).await;
    look.deciders(open, round).await;
    (look.view, look.free)
}

impl<W: World> Look<'_, W> {
    /// The requests of one cluster.
    async fn lane(&mut self, lane: &Lane<W>) {
        let watches = matches!(*lane.cluster.link.borrow(), Link::Up(Some(_)));
        let cluster = lane.cluster.desk.cluster.borrow().clone();
        if !watches || cluster.is_empty() {
            self.view.all_clusters = false;
            return;
        }
        let mut known = true;
        let mut nowhere = Vec::new();
        for footing in lane.cluster.desk.footings() {
            match self.stands(lane, &footing).await {
                Stands::Somewhere => {}
                Stands::Unknown => known = false,
                Stands::Nowhere(causes) if causes.is_empty() => self.free.push((lane.clone(), footing.id)),
                Stands::Nowhere(causes) => {
                    let troubles: Vec<String> = causes.iter().map(|(_, cause)| cause.cause.text.clone()).collect();
                    nowhere.push(Undelivered { request_id: footing.id.clone(), trouble: troubles.join("; ") });
                    for (key, cause) in causes {
                        let present = self.view.present.entry(key).or_insert(cause);
                        let waiting = Waiting { id: footing.id.clone(), user: footing.user.clone() };
                        present.waiting.entry(cluster.clone()).or_default().insert(waiting);
                    }
                }
            }
        }
        *lane.cluster.nowhere.borrow_mut() = nowhere;
        if known {
            self.view.clusters.insert(cluster);
        } else {
            self.view.all_clusters = false;
        }
    }

    /// Whether anybody can see a request, and what is in the way.
    async fn stands(&mut self, lane: &Lane<W>, footing: &Footing) -> Stands {
        let request = AccessRequest { roles: footing.roles.clone(), ..AccessRequest::default() };
        let recipients = lane.recipients_of(&request);
        let mut causes = Vec::new();
        let mut may_pass = false;
        let mut reached = BTreeMap::new();
        for recipient in &recipients {
            match self.channel(recipient).await {
                Ok(channel) if footing.channels.contains(&channel) => return Stands::Somewhere,
                Ok(channel) => drop(reached.insert(channel, recipient.clone())),
                Err(unreachable) if unreachable.may_pass => may_pass = true,
                Err(unreachable) => causes.push(not_reached(&unreachable)),
            }
        }
        for channel in &footing.channels {
            match self.is_open(channel).await {
                Ok(()) => return Stands::Somewhere,
                Err(closed) => may_pass |= closed.may_pass,
            }
        }
        if may_pass {
            return Stands::Unknown;
        }
        // Whoever deleted a post wanted that, and nobody is told.
        if footing.deleted {
            return Stands::Somewhere;
        }
        for (channel, why) in &footing.refused {
            let Some(recipient) = reached.get(channel) else { continue };
            match self.is_open(channel).await {
                // What was refused while it was closed is tried again first.
                Ok(()) if self.told.contains(&format!("{RECIPIENT}{recipient}")) => {}
                Ok(()) => causes.push(not_taken(channel, recipient, why)),
                Err(closed) if closed.may_pass => return Stands::Unknown,
                // Since it was found, it has been archived, or the like: that is the cause, and not the refusal.
                Err(closed) => {
                    let unreachable = closed.of(recipient);
                    causes.push(not_reached(&unreachable));
                    self.app.recipients.forget();
                    self.channels.insert(recipient.clone(), Err(unreachable));
                }
            }
        }
        if recipients.is_empty() {
            causes.push(no_recipients());
        }
        Stands::Nowhere(causes)
    }

    async fn channel(&mut self, recipient: &Recipient) -> Result<String, Unreachable> {
        if let Some(known) = self.channels.get(recipient) {
            return known.clone();
        }
        let found = self.app.recipients.channel(self.app.world.mattermost(), recipient).await;
        self.channels.insert(recipient.clone(), found.clone());
        found
    }

    async fn is_open(&mut self, channel: &str) -> Result<(), Closed> {
        if let Some(known) = self.open.get(channel) {
            return known.clone();
        }
        let bot = self.app.host.borrow().bot_user_id.clone();
        let found = is_open(self.app.world.mattermost(), &bot, channel).await;
        self.open.insert(channel.to_owned(), found.clone());
        found
    }

    /// Which of the causes that admins know of still hold, although no request waits because of them.
    async fn still(&mut self, open: &BTreeSet<String>) {
        let settings = self.app.settings();
        for key in open.iter().filter(|key| !self.view.present.contains_key(*key)).cloned().collect::<Vec<_>>() {
            if let Some(name) = key.strip_prefix(RECIPIENT) {
                let recipient = all_recipients(&settings).find(|recipient| recipient.to_string() == name).cloned();
                let Some(recipient) = recipient else { continue };
                match self.channel(&recipient).await {
                    Ok(_) => {}
                    Err(unreachable) if unreachable.may_pass => drop(self.view.unjudged.insert(key)),
                    Err(unreachable) => {
                        let (key, present) = not_reached(&unreachable);
                        self.view.present.insert(key, present);
                    }
                }
            } else if key == NO_RECIPIENTS && all_recipients(&settings).next().is_none() {
                let (key, present) = no_recipients();
                self.view.present.insert(key, present);
            } else if !key.starts_with(DECIDERS) && !self.view.all_clusters {
                self.view.unjudged.insert(key);
            }
        }
    }

    /// Whether there is anybody who can decide.
    async fn deciders(&mut self, open: &BTreeSet<String>, round: u64) {
        let of_deciders = open.iter().filter(|key| key.starts_with(DECIDERS)).cloned();
        if round % DECIDERS_ROUNDS != 1 {
            return self.view.unjudged.extend(of_deciders);
        }
        match checks::nobody_can_decide(self.app).await {
            Err(_) => self.view.unjudged.extend(of_deciders),
            Ok(nobody) => {
                for missing in nobody {
                    let present = Present { by_itself: true, ..Present::new(missing.title, missing.text) };
                    self.view.present.insert(format!("{DECIDERS}{}", missing.about), present);
                }
            }
        }
    }
}

/// How a request stands.
enum Stands {
    /// Somebody can see it.
    Somewhere,
    /// Nobody can; these are in the way. None: nothing is.
    Nowhere(Vec<(String, Present)>),
    /// Mattermost cannot say now.
    Unknown,
}

/// All recipients that the settings name.
fn all_recipients(settings: &Settings) -> impl Iterator<Item = &Recipient> {
    let of_clusters = settings.clusters.iter().flat_map(|cluster| &cluster.recipients);
    let of_roles = settings.role_recipients.iter().flat_map(|rule| &rule.recipients);
    settings.recipients.iter().chain(of_clusters).chain(of_roles)
}

fn not_reached(unreachable: &Unreachable) -> (String, Present) {
    let title = format!("nobody sees the access requests for {}", code(&unreachable.recipient));
    let text = format!("{}: {}", code(&unreachable.recipient), unreachable.reason);
    (format!("{RECIPIENT}{}", unreachable.recipient), Present::new(title, text))
}

fn not_taken(channel: &str, recipient: &Recipient, why: &str) -> (String, Present) {
    let name = code(&recipient.to_string());
    let title = format!("access requests cannot be posted to {name}");
    let text = format!(
        "{name}: Mattermost refuses the plugin's posts there ({}). Let the plugin's bot post there, or name another recipient in the plugin's settings.",
        code(why)
    );
    (format!("{REFUSED}{channel}"), Present::new(title, text))
}

fn no_recipients() -> (String, Present) {
    let text =
        "The plugin's settings name no recipient for them. Fill in Recipients on the plugin's page in System Console.";
    (NO_RECIPIENTS.to_owned(), Present::new("access requests are posted nowhere", text))
}
