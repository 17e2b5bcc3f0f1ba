//! Which messages system admins get about what keeps people from seeing or deciding access requests: one for each cause,
//! however many requests wait because of it, kept true by editing it, and a line when it is over. Decided without I/O.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};

use crate::messages::code;
use crate::time::Time;

/// Most requests that a message lists.
const MOST_LISTED: usize = 10;
/// Most messages that are kept true at once.
const MOST_NOTICES: usize = 50;

/// What keeps people from seeing or deciding requests.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Cause {
    /// What it is about, such as "access requests are not seen in `ops/access`".
    pub(crate) title: String,
    /// What is wrong and what to do.
    pub(crate) text: String,
}

/// A request that waits because of it.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub(crate) struct Waiting {
    /// Its id.
    pub(crate) id: String,
    /// Teleport's user who asks.
    pub(crate) user: String,
}

/// A cause that holds now.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Present {
    /// The cause.
    pub(crate) cause: Cause,
    /// The requests that wait because of it, by cluster.
    pub(crate) waiting: BTreeMap<String, BTreeSet<Waiting>>,
    /// Whether admins are told before any request waits.
    pub(crate) by_itself: bool,
}

impl Present {
    pub(crate) fn new(title: impl Into<String>, text: impl Into<String>) -> Self {
        let cause = Cause { title: title.into(), text: text.into() };
        Self { cause, waiting: BTreeMap::new(), by_itself: false }
    }

    fn is_worth_a_message(&self) -> bool {
        self.by_itself || self.waiting.values().any(|waiting| !waiting.is_empty())
    }
}

/// What is known now.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct View {
    /// The causes that hold, by key.
    pub(crate) present: BTreeMap<String, Present>,
    /// Keys of causes of which nobody can say now whether they hold.
    pub(crate) unjudged: BTreeSet<String>,
    /// The clusters whose requests are known now.
    pub(crate) clusters: BTreeSet<String>,
    /// Whether these are all clusters.
    pub(crate) all_clusters: bool,
}

/// What the requests of one cluster come to in a message.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
struct Listed {
    first: Vec<Waiting>,
    count: usize,
}

impl Listed {
    /// Those that were listed and still wait, then others.
    fn renewed(&self, waiting: &BTreeSet<Waiting>) -> Self {
        let mut first: Vec<Waiting> = self.first.iter().filter(|listed| waiting.contains(*listed)).cloned().collect();
        let others: Vec<Waiting> = waiting.iter().filter(|waiting| !first.contains(waiting)).cloned().collect();
        first.extend(others);
        first.truncate(MOST_LISTED);
        Self { first, count: waiting.len() }
    }
}

/// What one admin gets.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Sent {
    /// The admin's id.
    pub(crate) admin: String,
    /// Whether it is the line that says that it is over.
    #[serde(default)]
    pub(crate) over: bool,
    /// The direct channel with the bot, once known.
    #[serde(default)]
    pub(crate) channel_id: String,
    /// The post, once it is known to be there.
    #[serde(default)]
    pub(crate) post_id: Option<String>,
    /// The revision of the message that it shows.
    #[serde(default)]
    pub(crate) shown: u32,
    /// Somebody has begun to write it, and nobody has seen the answer: it may be there, or may yet appear.
    #[serde(default)]
    pub(crate) maybe: bool,
    /// It cannot be written to this admin: it is left at that.
    #[serde(default)]
    pub(crate) given_up: bool,
}

impl Sent {
    fn new(admin: &str, over: bool) -> Self {
        Self {
            admin: admin.to_owned(),
            over,
            channel_id: String::new(),
            post_id: None,
            shown: 0,
            maybe: false,
            given_up: false,
        }
    }
}

/// A message, and who has it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Notice {
    /// Tells it from all others.
    pub(crate) id: String,
    /// The cause's key.
    key: String,
    title: String,
    text: String,
    waiting: BTreeMap<String, Listed>,
    /// Counts what it said, from 1.
    pub(crate) revision: u32,
    /// The cause does not hold any more.
    over: bool,
    /// When it was begun: no post of it is older.
    pub(crate) since: Time,
    /// The admins' posts.
    pub(crate) sent: Vec<Sent>,
}

impl Notice {
    /// The message as it is now, or the line that says that it is over.
    pub(crate) fn message(&self, over: bool) -> String {
        if over {
            return format!("✅ This is over: {}.", self.title);
        }
        if self.over {
            return format!("✅ Over: {}.\n{}", self.title, self.text);
        }
        let mut message = format!("⚠️ **Attention:** {}.\n{}", self.title, self.text);
        let several = self.waiting.len() > 1;
        let all = self.waiting.iter().flat_map(|(cluster, listed)| listed.first.iter().map(move |one| (cluster, one)));
        let count: usize = self.waiting.values().map(|listed| listed.count).sum();
        if count > 0 {
            message.push_str(&format!("\nPending because of this: {count}"));
        }
        for (cluster, waiting) in all.take(MOST_LISTED) {
            let of = if several { format!(" in {}", code(cluster)) } else { String::new() };
            message.push_str(&format!("\n- {} of {}{of}", code(&waiting.id), code(&waiting.user)));
        }
        if count > MOST_LISTED {
            message.push_str(&format!("\n- and {} more", count - MOST_LISTED));
        }
        message
    }

    /// Whether there is something to write for an admin.
    pub(crate) fn is_due(&self, sent: &Sent) -> bool {
        let there = self.sent.iter().any(|main| !main.over && main.admin == sent.admin && main.post_id.is_some());
        let done = sent.post_id.is_some() && sent.shown == self.revision_of(sent);
        !sent.given_up && !done && (!sent.over || there)
    }

    /// Whether the cause does not hold any more.
    pub(crate) fn is_over(&self) -> bool {
        self.over
    }

    /// The revision that an admin's post should show.
    pub(crate) fn revision_of(&self, sent: &Sent) -> u32 {
        if sent.over { 1 } else { self.revision }
    }

    /// Takes note of what is known of the cause now.
    fn renew(&mut self, present: &Present, view: &View) {
        let mut waiting = self.waiting.clone();
        if view.all_clusters {
            waiting.retain(|cluster, _| view.clusters.contains(cluster));
        }
        for cluster in &view.clusters {
            let listed = waiting.remove(cluster).unwrap_or_default();
            if let Some(now) = present.waiting.get(cluster).filter(|now| !now.is_empty()) {
                waiting.insert(cluster.clone(), listed.renewed(now));
            }
        }
        let Cause { title, text } = &present.cause;
        if waiting != self.waiting || *title != self.title || *text != self.text {
            (self.title, self.text, self.waiting) = (title.clone(), text.clone(), waiting);
            self.revision += 1;
        }
    }

    /// Takes note that the cause does not hold any more.
    fn end(&mut self) {
        self.over = true;
        self.waiting.clear();
        self.revision += 1;
        // Whom nothing has reached needs no end of it.
        self.sent.retain(|sent| !sent.given_up && (sent.post_id.is_some() || sent.maybe));
        let lines: Vec<Sent> = self.sent.iter().map(|sent| Sent::new(&sent.admin, true)).collect();
        self.sent.extend(lines);
    }

    fn is_finished(&self) -> bool {
        let hopeless = |sent: &Sent| {
            sent.over && !self.sent.iter().any(|main| !main.over && main.admin == sent.admin && !main.given_up)
        };
        self.over
            && self
                .sent
                .iter()
                .all(|sent| !self.is_due(sent) && (sent.post_id.is_some() || sent.given_up || hopeless(sent)))
    }
}

/// The messages that are kept true, as they are stored.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct State {
    /// The oldest first.
    pub(crate) notices: Vec<Notice>,
}

impl State {
    /// The keys of the causes that hold, as far as admins were told.
    pub(crate) fn open(&self) -> BTreeSet<String> {
        self.notices.iter().filter(|notice| !notice.over).map(|notice| notice.key.clone()).collect()
    }

    /// Whether there is a cause that admins have not been told of.
    pub(crate) fn has_news(&self, view: &View) -> bool {
        let open = self.open();
        view.present.iter().any(|(key, present)| present.is_worth_a_message() && !open.contains(key))
    }

    /// Brings the messages in line with what is known: which are to be written is in them afterwards. Answers whether a
    /// cause has ended. New messages go to these admins.
    pub(crate) fn plan(
        &mut self,
        view: &View,
        admins: &[String],
        now: Time,
        mut new_id: impl FnMut() -> String,
    ) -> bool {
        let mut ended = false;
        self.notices.retain(|notice| !notice.is_finished());
        for notice in self.notices.iter_mut().filter(|notice| !notice.over) {
            match view.present.get(&notice.key) {
                Some(present) => notice.renew(present, view),
                None if view.unjudged.contains(&notice.key) => {}
                None => {
                    notice.end();
                    ended = true;
                }
            }
        }
        let open = self.open();
        for (key, present) in &view.present {
            let full = self.notices.len() >= MOST_NOTICES;
            if open.contains(key) || !present.is_worth_a_message() || admins.is_empty() || full {
                continue;
            }
            let mut notice = Notice {
                id: new_id(),
                key: key.clone(),
                title: String::new(),
                text: String::new(),
                waiting: BTreeMap::new(),
                revision: 0,
                over: false,
                since: now,
                sent: admins.iter().map(|admin| Sent::new(admin, false)).collect(),
            };
            notice.renew(present, view);
            self.notices.push(notice);
        }
        ended
    }
}

#[cfg(test)]
mod tests;
