//! What the keys of a file mean.

use std::collections::BTreeMap;

use serde_json::{Map, Value as Json};

use super::file::{Entry, Node, Value};
use super::{CLUSTER, ImportError, Imported, MORE_CLUSTERS, Note, SECTIONS};
use crate::config::{self, Severity, Source, closest, key};

/// Most lines or parts that one setting may have.
const MAX_PARTS: usize = 5_000;
/// Most errors, and most unknown keys, that are told at once.
const MAX_TOLD: usize = 100;

/// Sections of Teleport's own plugin.
const FOREIGN_SECTIONS: [&str; 5] = ["teleport", "mattermost", "http", "role_to_recipients", "log"];
/// Their keys. Older files have hyphens in them.
const FOREIGN_TELEPORT: [&str; 8] = [
    "addr",
    "auth_server",
    "client_key",
    "client_crt",
    "root_cas",
    "identity",
    "refresh_identity",
    "refresh_identity_interval",
];
const FOREIGN_MATTERMOST: [&str; 6] = ["url", "team", "channel", "token", "secret", "recipients"];
const FOREIGN_LOG: [&str; 3] = ["output", "severity", "format"];

/// Makes settings of a file's entries.
pub(super) fn settings(entries: Vec<Entry>) -> Result<Imported, Vec<ImportError>> {
    let mut reader = Reader::default();
    for entry in &entries {
        reader.section(entry);
    }
    reader.mattermost();
    reader.finish()
}

/// Where a setting comes from.
#[derive(Clone, Default)]
struct Origin {
    line: usize,
    /// The key with its section, as in the file.
    key: String,
}

/// Settings of one cluster, or of everything.
#[derive(Default)]
struct Target {
    values: BTreeMap<&'static str, (Json, Origin)>,
    /// Credentials that are to be filled in, or are wrong by themselves.
    unsettled: Vec<&'static str>,
}

#[derive(Default)]
struct Reader {
    target: Target,
    clusters: Vec<Json>,
    /// Whether the further clusters came as tables, each of which has been looked at by itself.
    clusters_are_checked: bool,
    /// `[mattermost]`, of which some keys mean something together only.
    team: Option<(String, Origin)>,
    channel: Option<(String, Origin)>,
    recipients: Option<(Vec<String>, Origin)>,
    /// `[role_to_recipients]`: the entry for all roles, the lines of the others, and where it is.
    for_all: Option<(Vec<String>, Origin)>,
    by_role: Vec<String>,
    roles: Option<Origin>,
    /// Whether the file is one of Teleport's own plugin.
    foreign: bool,
    /// How many keys are unknown.
    strangers: usize,
    notes: Vec<Note>,
    errors: Vec<ImportError>,
}

/// A key as all of its spellings: `auth-server`, `auth_server`, `AuthServer`.
fn spelling(key: &str) -> String {
    key.chars().filter(|letter| !matches!(letter, '-' | '_')).flat_map(char::to_lowercase).collect()
}

/// The one of `known` that a key spells.
fn known<'a>(key: &str, known: &[&'a str]) -> Option<&'a str> {
    let wanted = spelling(key);
    known.iter().find(|known| spelling(known) == wanted).copied()
}

/// A piece of the file in a message.
fn shown(text: &str) -> String {
    config::cut(text).replace('`', " ")
}

impl Reader {
    fn note(&mut self, line: impl Into<Option<usize>>, text: String) {
        self.notes.push(Note { line: line.into(), text });
    }

    fn wrong(&mut self, origin: &Origin, message: impl Into<String>) {
        let line = (origin.line > 0).then_some(origin.line);
        let error = ImportError { line, key: origin.key.clone(), message: message.into() };
        if self.errors.len() < MAX_TOLD && !self.errors.contains(&error) {
            self.errors.push(error);
        }
    }

    fn not_needed(&mut self, origin: &Origin, why: &str) {
        self.note(origin.line, format!("`{}` is not needed: {why}.", origin.key));
    }

    fn unknown(&mut self, origin: &Origin, key: &str, choices: &[&str]) {
        self.strangers += 1;
        if self.strangers == MAX_TOLD {
            self.note(origin.line, "From here on, unknown keys are not listed any more.".to_owned());
        }
        if self.strangers >= MAX_TOLD {
            return;
        }
        let cure = closest(key, choices).map_or_else(
            || "It has no effect, and can be taken out.".to_owned(),
            |known| format!("Is `{known}` meant? As it is, it has no effect."),
        );
        self.note(origin.line, format!("`{}` is unknown. {cure}", origin.key));
    }

    /// Takes an entry of the outermost table.
    fn section(&mut self, entry: &Entry) {
        let sections: Vec<&str> = SECTIONS
            .iter()
            .map(|section| section.name)
            .chain(FOREIGN_SECTIONS)
            .chain([MORE_CLUSTERS, "sealing_key"])
            .collect();
        let origin = Origin { line: entry.line, key: shown(&entry.key) };
        let name = known(&entry.key, &sections);
        let entries = match (name, &entry.node.value) {
            (Some(MORE_CLUSTERS), _) => return self.more_clusters(entry, &origin),
            (Some("http"), _) => {
                self.foreign = true;
                return self.note(origin.line, format!("`[{}]` is not needed: nothing listens any more.", origin.key));
            }
            (Some(_), Value::Table(entries)) => entries,
            (Some("sealing_key"), _) => return self.sealing_key(&origin),
            (Some(_), other) => {
                let message = format!(
                    "This must be a section, not {}. Write `[{}]` on a line, and its keys on the lines below.",
                    other.kind(),
                    origin.key
                );
                return self.wrong(&origin, message);
            }
            (None, _) => {
                if !self.own(entry, &origin) {
                    let keys = SECTIONS.iter().flat_map(|section| section.keys).map(|(key, _)| *key);
                    self.unknown(&origin, &entry.key, &sections.iter().copied().chain(keys).collect::<Vec<_>>());
                }
                return;
            }
        };
        if name == Some("role_to_recipients") {
            return self.role_to_recipients(entries, &origin);
        }
        self.foreign |= name == Some("mattermost");
        for entry in entries {
            let origin = Origin { line: entry.line, key: format!("{}.{}", origin.key, shown(&entry.key)) };
            let taken = match name {
                Some("teleport") => self.foreign_teleport(entry, &origin),
                Some("mattermost") => self.foreign_mattermost(entry, &origin),
                Some("log") => self.foreign_log(entry, &origin),
                _ => false,
            };
            if !taken && !self.own(entry, &origin) {
                let own = SECTIONS.iter().filter(|section| name == Some(section.name));
                let keys = own.flat_map(|section| section.keys).map(|(key, _)| *key);
                let foreign: &[&str] = match name {
                    Some("teleport") => &FOREIGN_TELEPORT,
                    Some("mattermost") => &FOREIGN_MATTERMOST,
                    Some("log") => &FOREIGN_LOG,
                    _ => &[],
                };
                self.unknown(&origin, &entry.key, &keys.chain(foreign.iter().copied()).collect::<Vec<_>>());
            }
        }
    }

    fn foreign_teleport(&mut self, entry: &Entry, origin: &Origin) -> bool {
        let setting = match known(&entry.key, &FOREIGN_TELEPORT) {
            Some("refresh_identity" | "refresh_identity_interval") => {
                self.foreign = true;
                self.not_needed(origin, "a file that is given by its path is read again by itself when it changes");
                return true;
            }
            Some("addr" | "auth_server") => key::TELEPORT_ADDRESS,
            Some("client_crt") => key::CLIENT_CERTIFICATE,
            Some("root_cas") => key::CLUSTER_CA,
            // The others have the same names in our own files.
            _ => return false,
        };
        self.foreign = true;
        let mut target = std::mem::take(&mut self.target);
        self.cluster_key(&mut target, setting, &entry.node, origin);
        self.target = target;
        true
    }

    fn foreign_mattermost(&mut self, entry: &Entry, origin: &Origin) -> bool {
        match known(&entry.key, &FOREIGN_MATTERMOST) {
            Some("url") => self.not_needed(origin, "the plugin runs inside Mattermost"),
            Some("token") => self.not_needed(
                origin,
                "the plugin runs inside Mattermost and has a bot account of its own, so this token can be revoked",
            ),
            Some("secret") => self.not_needed(origin, "clicks are vouched for by Mattermost itself"),
            Some("team") => self.team = self.text(&entry.node, origin).map(|text| (text, origin.clone())),
            Some("channel") => self.channel = self.text(&entry.node, origin).map(|text| (text, origin.clone())),
            Some(_) => {
                self.recipients = self.recipient_list(&entry.node, origin).map(|list| (list, origin.clone()));
            }
            None => return false,
        }
        true
    }

    fn foreign_log(&mut self, entry: &Entry, origin: &Origin) -> bool {
        match known(&entry.key, &FOREIGN_LOG) {
            Some("severity") => self.log_level(&entry.node, origin),
            Some(_) => self.not_needed(origin, "what the plugin logs goes to Mattermost's log"),
            None => return false,
        }
        true
    }

    fn role_to_recipients(&mut self, entries: &[Entry], origin: &Origin) {
        self.foreign = true;
        self.roles = Some(origin.clone());
        for entry in entries {
            let origin = Origin { line: entry.line, key: format!("{}.{}", origin.key, shown(&entry.key)) };
            let Some(role) = self.role(&entry.key, &origin) else { continue };
            let list = match &entry.node.value {
                // One text is one recipient here.
                Value::Text(_) => self.recipient(&entry.node, &origin).map(|recipient| vec![recipient]),
                _ => self.recipient_list(&entry.node, &origin),
            };
            let Some(list) = list else { continue };
            if list.is_empty() {
                self.note(origin.line, format!("`{}` names no recipient, so it is left out.", origin.key));
            } else if role == "*" {
                self.for_all = Some((list, origin));
            } else {
                if role.contains(['*', '?']) {
                    let text = format!("`{}` is taken as a pattern: `*` and `?` stand for anything.", origin.key);
                    self.note(origin.line, text);
                }
                self.by_role.push(format!("{role} = {}", list.join(", ")));
            }
        }
    }

    /// Puts together what `[mattermost]` and `[role_to_recipients]` say, as Teleport's own plugin does.
    fn mattermost(&mut self) {
        let roles = self.roles.take();
        let mut by_role = std::mem::take(&mut self.by_role);
        let mut recipients = self.recipients.take().filter(|(list, _)| !list.is_empty());
        if let Some((_, origin)) = &recipients {
            let (line, key) = (origin.line, origin.key.clone());
            if let Some(roles) = roles.as_ref().filter(|_| !by_role.is_empty() || self.for_all.is_some()) {
                let text = format!(
                    "`[{}]` has no effect, because `{key}` on line {line} replaces all of it, as in Teleport's own plugin. Put its roles into \"Recipients by role\" if they are wanted.",
                    roles.key
                );
                self.note(roles.line, text);
                by_role.clear();
            }
        } else {
            recipients = self.for_all.take();
        }
        let old = match (self.team.take(), self.channel.take()) {
            (Some((team, _)), Some((channel, origin))) => {
                // Channel names were written with their tilde, or with the number sign, too.
                let channel = channel.trim_start_matches(['~', '#']);
                Some((format!("{team}/{channel}"), origin))
            }
            (Some((_, origin)), None) => {
                self.note(
                    origin.line,
                    format!("`{}` alone names no channel. Fill in Recipients: team/channel.", origin.key),
                );
                None
            }
            (None, Some((channel, origin))) => {
                let text = format!(
                    "`{}` alone names no channel. Fill in Recipients: its team, a slash, and {}.",
                    origin.key,
                    shown(&channel)
                );
                self.note(origin.line, text);
                None
            }
            (None, None) => None,
        };
        match (recipients, old) {
            (Some((list, origin)), old) => {
                if let Some((_, old)) = old {
                    self.note(old.line, format!("`{}` has no effect, because of `{}`.", old.key, origin.key));
                }
                self.set_text(key::RECIPIENTS, list.join(", "), &origin);
            }
            (None, Some((channel, origin))) => {
                if self.fits(key::RECIPIENTS, &Json::String(channel.clone()), &origin) {
                    self.set_text(key::RECIPIENTS, channel, &origin);
                }
            }
            (None, None) => {}
        }
        if let Some(roles) = roles.filter(|_| !by_role.is_empty()) {
            self.set_text(key::ROLE_RECIPIENTS, by_role.join("\n"), &roles);
        }
    }

    /// Takes a key of our own files, in whatever section it stands. Answers whether it is one.
    fn own(&mut self, entry: &Entry, origin: &Origin) -> bool {
        let wanted = spelling(&entry.key);
        let keys = SECTIONS.iter().flat_map(|section| section.keys);
        let Some(setting) = keys.map(|(_, setting)| *setting).find(|setting| spelling(setting) == wanted) else {
            let sealing_key = spelling(key::SEALING_KEY) == wanted;
            if sealing_key {
                self.sealing_key(origin);
            }
            return sealing_key;
        };
        let node = &entry.node;
        match setting {
            _ if CLUSTER.iter().any(|(_, of_cluster)| *of_cluster == setting) => {
                let mut target = std::mem::take(&mut self.target);
                self.cluster_key(&mut target, setting, node, origin);
                self.target = target;
            }
            key::RECIPIENTS => {
                if let Some(list) = self.recipient_list(node, origin) {
                    self.set_text(setting, list.join(", "), origin);
                }
            }
            key::ROLE_RECIPIENTS | key::APPROVERS | key::USER_MAPPING => {
                if let Some(lines) = self.lines(node, origin) {
                    self.set_checked(setting, Json::String(lines), origin);
                }
            }
            key::REMINDERS => {
                let text = match &node.value {
                    Value::Number(Some(minutes)) => Some(minutes.to_string()),
                    Value::List(list) => self.texts(list, origin).map(|texts| texts.join(", ")),
                    _ => self.text(node, origin),
                };
                if let Some(text) = text {
                    self.set_checked(setting, Json::String(text), origin);
                }
            }
            key::REQUIRE_MFA | key::ALLOW_GUESTS | key::MATCH_EMAIL | key::REQUIRE_REASON | key::NOTIFY_REQUESTERS => {
                match &node.value {
                    Value::Flag(flag) => self.set_checked(setting, Json::Bool(*flag), origin),
                    Value::Text(text) if text == "true" || text == "false" => {
                        self.set_checked(setting, Json::Bool(text == "true"), origin);
                    }
                    other => self.wrong(
                        origin,
                        format!("This must be true or false, not {}. Write it without quotes.", other.kind()),
                    ),
                }
            }
            key::AUDIT_DAYS | key::REQUEST_DAYS => {
                let days = match &node.value {
                    Value::Number(days) => *days,
                    Value::Text(text) => text.trim().parse().ok(),
                    _ => None,
                };
                // What is no number at all is told as a number out of range is.
                self.set_checked(setting, Json::from(days.unwrap_or(-1)), origin);
            }
            key::LOG_LEVEL => self.log_level(node, origin),
            _ => {
                if let Some(text) = self.text(node, origin) {
                    self.set_checked(setting, Json::String(text), origin);
                }
            }
        }
        true
    }

    fn sealing_key(&mut self, origin: &Origin) {
        self.note(origin.line, format!("`{}` is not taken over: every server makes its own.", origin.key));
    }

    fn log_level(&mut self, node: &Node, origin: &Origin) {
        let Some(text) = self.text(node, origin) else { return };
        let level = match text.to_lowercase().as_str() {
            "" => return,
            "trace" | "debug" => "debug",
            "info" => "info",
            "warn" | "warning" => "warn",
            "err" | "error" => "error",
            _ => {
                let message = format!("\"{}\" is no level. Take one of debug, info, warn, error.", shown(&text));
                return self.wrong(origin, message);
            }
        };
        self.set_text(key::LOG_LEVEL, level.to_owned(), origin);
    }

    fn more_clusters(&mut self, entry: &Entry, origin: &Origin) {
        let tables = match &entry.node.value {
            Value::Text(text) => {
                return self.set_text(key::MORE_CLUSTERS, text.trim().to_owned(), origin);
            }
            Value::List(tables) => tables.as_slice(),
            Value::Table(_) => std::slice::from_ref(&entry.node),
            other => {
                let message = format!(
                    "This must be tables, not {}. Begin each further cluster with a line `[[{}]]`.",
                    other.kind(),
                    origin.key
                );
                return self.wrong(origin, message);
            }
        };
        if tables.len() >= config::MAX_CLUSTERS {
            let message = format!("At most {} clusters are watched. Take some away.", config::MAX_CLUSTERS);
            return self.wrong(origin, message);
        }
        self.clusters_are_checked = true;
        for table in tables {
            let origin = Origin { line: table.line, key: origin.key.clone() };
            match &table.value {
                Value::Table(entries) => self.further_cluster(entries, &origin),
                other => {
                    let message = format!(
                        "A cluster must be a table, not {}. Begin it with a line `[[{}]]`.",
                        other.kind(),
                        origin.key
                    );
                    self.wrong(&origin, message);
                }
            }
        }
        if !self.clusters.is_empty() {
            let list = Json::Array(std::mem::take(&mut self.clusters));
            self.set_text(key::MORE_CLUSTERS, format!("{list:#}"), origin);
        }
    }

    fn further_cluster(&mut self, entries: &[Entry], place: &Origin) {
        let mut target = Target::default();
        for entry in entries {
            let origin = Origin { line: entry.line, key: format!("{}.{}", place.key, shown(&entry.key)) };
            let wanted = spelling(&entry.key);
            let setting = match known(&entry.key, &FOREIGN_TELEPORT) {
                Some("addr" | "auth_server") => Some(key::TELEPORT_ADDRESS),
                Some("client_crt") => Some(key::CLIENT_CERTIFICATE),
                Some("root_cas") => Some(key::CLUSTER_CA),
                _ => CLUSTER.iter().map(|(_, setting)| *setting).find(|setting| spelling(setting) == wanted),
            };
            match setting {
                Some(setting) => self.cluster_key(&mut target, setting, &entry.node, &origin),
                None if wanted == "recipients" => {
                    if let Some(list) = self.recipient_list(&entry.node, &origin).filter(|list| !list.is_empty()) {
                        target.values.insert(key::RECIPIENTS, (Json::String(list.join(", ")), origin));
                    }
                }
                None => {
                    let keys: Vec<&str> = CLUSTER.iter().map(|(key, _)| *key).chain(["recipients"]).collect();
                    self.unknown(&origin, &entry.key, &keys);
                }
            }
        }
        self.check_all(&target, Some(place));
        let values = target.values.into_iter().map(|(key, (value, _))| (key.to_owned(), value));
        self.clusters.push(Json::Object(values.collect()));
    }

    /// Takes where a cluster is, or one of its credentials.
    fn cluster_key(&mut self, target: &mut Target, setting: &'static str, node: &Node, origin: &Origin) {
        target.unsettled.push(setting);
        let Some(text) = self.text(node, origin) else { return };
        if matches!(setting, key::LOAD_BALANCER_CA | key::CONNECTION_UPGRADE) && text.is_empty() {
            target.unsettled.pop();
            return;
        }
        if matches!(setting, key::TELEPORT_ADDRESS | key::CONNECTION_UPGRADE) {
            if text.is_empty() || !self.fits(setting, &Json::String(text.clone()), origin) {
                return;
            }
        } else {
            match config::source(text.clone()) {
                None => {
                    let text = format!(
                        "`{}` is empty. Fill in {setting}: the path of the file on the Mattermost server, or its text.",
                        origin.key
                    );
                    return self.note(origin.line, text);
                }
                Some(Source::Path(path)) => {
                    let text = format!(
                        "`{}`: the Mattermost server must be able to read the file {}.",
                        origin.key,
                        shown(&path)
                    );
                    self.note(origin.line, text);
                }
                Some(Source::Text(_)) if setting == key::LOAD_BALANCER_CA => {
                    if !self.fits(setting, &Json::String(text.clone()), origin) {
                        return;
                    }
                }
                // What it holds is not shown: it may be a secret.
                Some(Source::Sealed(_)) => {
                    return self.wrong(
                        origin,
                        "This is sealed: only the server that sealed it can open it. Put the file's path on the Mattermost server here, or its text.",
                    );
                }
                Some(Source::Text(text)) if text.contains("-----BEGIN ") => {}
                Some(Source::Text(_)) => {
                    return self.wrong(
                        origin,
                        "This is neither a file's text nor an absolute path. Write the whole path of the file on the Mattermost server, such as /var/lib/teleport/plugins/mattermost/auth.key.",
                    );
                }
            }
        }
        target.unsettled.pop();
        self.set(target, setting, Json::String(text), origin);
    }

    /// Sets what has been looked at already.
    fn set_text(&mut self, setting: &'static str, text: String, origin: &Origin) {
        if text.is_empty() {
            return;
        }
        let mut target = std::mem::take(&mut self.target);
        self.set(&mut target, setting, Json::String(text), origin);
        self.target = target;
    }

    /// Sets what the settings themselves find right.
    fn set_checked(&mut self, setting: &'static str, value: Json, origin: &Origin) {
        // Only here an empty text means something else than none.
        let empty = value.as_str() == Some("") && setting != key::REMINDERS;
        if !empty && self.fits(setting, &value, origin) {
            let mut target = std::mem::take(&mut self.target);
            self.set(&mut target, setting, value, origin);
            self.target = target;
        }
    }

    fn set(&mut self, target: &mut Target, setting: &'static str, value: Json, origin: &Origin) {
        if value.as_str().is_some_and(|text| text.lines().count() > MAX_PARTS) {
            return self.wrong(origin, format!("This has more than {MAX_PARTS} lines. Take some away."));
        }
        let Some((other, first)) = target.values.get(setting) else {
            target.values.insert(setting, (value, origin.clone()));
            return;
        };
        if *other == value {
            return;
        }
        // Teleport's own plugin takes `addr` where both are there.
        let deprecated = |origin: &Origin| spelling(&origin.key).ends_with("authserver");
        if deprecated(origin) != deprecated(first) {
            let (loser, winner) = if deprecated(origin) { (origin, first) } else { (first, origin) };
            let text = format!("`{}` has no effect, because `{}` is there too.", loser.key, winner.key);
            let line = loser.line;
            if deprecated(first) {
                target.values.insert(setting, (value, origin.clone()));
            }
            return self.note(line, text);
        }
        let message =
            format!("This says something else than `{}` on line {}. Keep one of them.", first.key, first.line);
        self.wrong(origin, message);
    }

    /// Whether the settings themselves find a value right; what is wrong becomes errors.
    fn fits(&mut self, setting: &'static str, value: &Json, origin: &Origin) -> bool {
        if value.as_str().is_some_and(|text| text.split([',', ';', '\n']).count() > MAX_PARTS) {
            self.wrong(origin, format!("This has more than {MAX_PARTS} parts. Take some away."));
            return false;
        }
        let json = Json::Object(Map::from_iter([(setting.to_owned(), value.clone())]));
        let (_, problems) = config::parse(json.to_string().as_bytes());
        let mut fits = true;
        for problem in problems {
            if problem.severity == Severity::Wrong && problem.setting == setting {
                self.wrong(origin, problem.message);
                fits = false;
            }
        }
        fits
    }

    /// Checks settings together; `place` is where a further cluster begins.
    fn check_all(&mut self, target: &Target, place: Option<&Origin>) {
        let values = target.values.iter().map(|(key, (value, _))| ((*key).to_owned(), value.clone()));
        let (_, problems) = config::parse(Json::Object(values.collect()).to_string().as_bytes());
        for problem in problems {
            let setting = problem.setting.as_ref();
            // The recipients of a further cluster are those of all, unless it has its own. Clusters have been checked.
            let elsewhere = (place.is_some() && setting == key::RECIPIENTS && problem.severity == Severity::Missing)
                || (setting == key::MORE_CLUSTERS && self.clusters_are_checked);
            if elsewhere {
                continue;
            }
            if problem.severity != Severity::Wrong {
                let line = place.map(|place| place.line);
                let about = place.map_or_else(String::new, |place| format!("`[[{}]]`, ", place.key));
                self.note(line, format!("{about}{setting}: {}", problem.message));
                continue;
            }
            if target.unsettled.contains(&setting) || self.errors.iter().any(|error| error.message == problem.message) {
                continue;
            }
            let of_credentials = [key::CLIENT_CERTIFICATE, key::CLIENT_KEY, key::CLUSTER_CA];
            let origin = target.values.get(setting).map(|(_, origin)| origin.clone()).unwrap_or_else(|| {
                let sibling = of_credentials.iter().find_map(|key| target.values.get(key));
                let sibling = sibling.map(|(_, origin)| origin.line).filter(|_| of_credentials.contains(&setting));
                Origin { line: sibling.unwrap_or_default(), key: setting.to_owned() }
            });
            self.wrong(&origin, problem.message);
        }
    }

    fn text(&mut self, node: &Node, origin: &Origin) -> Option<String> {
        match &node.value {
            Value::Text(text) => Some(text.trim().to_owned()),
            other => {
                self.wrong(origin, format!("This must be a text, not {}. Put it in quotes.", other.kind()));
                None
            }
        }
    }

    fn texts(&mut self, list: &[Node], origin: &Origin) -> Option<Vec<String>> {
        let texts = list.iter().map(|node| self.text(node, &Origin { line: node.line, key: origin.key.clone() }));
        texts.collect::<Vec<_>>().into_iter().collect()
    }

    /// One recipient.
    fn recipient(&mut self, node: &Node, origin: &Origin) -> Option<String> {
        let origin = Origin { line: node.line, key: origin.key.clone() };
        let text = self.text(node, &origin)?;
        if text.is_empty() || text.contains([',', ';']) || text.contains(char::is_whitespace) {
            let message = format!(
                "\"{}\" is no recipient. Write each as a text of its own: team/channel with the names in the channel's address, such as ops/access-requests, or an e-mail address.",
                shown(&text)
            );
            self.wrong(&origin, message);
            return None;
        }
        self.fits(key::RECIPIENTS, &Json::String(text.clone()), &origin).then_some(text)
    }

    /// Recipients in a list, or in one text with commas.
    fn recipient_list(&mut self, node: &Node, origin: &Origin) -> Option<Vec<String>> {
        match &node.value {
            Value::List(list) if list.len() > MAX_PARTS => {
                self.wrong(origin, format!("This has more than {MAX_PARTS} recipients. Take some away."));
                None
            }
            Value::List(list) => {
                let found: Vec<_> = list.iter().map(|node| self.recipient(node, origin)).collect();
                found.into_iter().collect()
            }
            Value::Text(text) => {
                let text = text.trim().to_owned();
                let fits = self.fits(key::RECIPIENTS, &Json::String(text.clone()), origin);
                fits.then(|| if text.is_empty() { Vec::new() } else { vec![text] })
            }
            other => {
                let message =
                    format!("This must be a text or a list of texts, not {}. Write [\"team/channel\"].", other.kind());
                self.wrong(origin, message);
                None
            }
        }
    }

    /// Lines of `name = what`: as one text, as a list of lines, or as a table.
    fn lines(&mut self, node: &Node, origin: &Origin) -> Option<String> {
        match &node.value {
            Value::List(list) => self.texts(list, origin).map(|lines| lines.join("\n")),
            Value::Table(entries) => {
                let mut lines = Vec::new();
                for entry in entries {
                    let origin = Origin { line: entry.line, key: format!("{}.{}", origin.key, shown(&entry.key)) };
                    let name = self.role(&entry.key, &origin)?;
                    let what = match &entry.node.value {
                        Value::List(list) => self.texts(list, &origin)?.join(", "),
                        _ => self.text(&entry.node, &origin)?,
                    };
                    lines.push(format!("{name} = {}", what.replace(['\r', '\n'], " ")));
                }
                Some(lines.join("\n"))
            }
            _ => self.text(node, origin),
        }
    }

    /// A role's name that can stand before an equals sign.
    fn role(&mut self, name: &str, origin: &Origin) -> Option<String> {
        let fits = !name.trim().is_empty() && !name.contains(['=', '\n', '\r']) && !name.trim().starts_with('#');
        if !fits {
            self.wrong(
                origin,
                "This name cannot be used: it is empty, begins with #, or has an equals sign or a line break in it. Use a pattern with * or ? instead.",
            );
        }
        fits.then(|| name.trim().to_owned())
    }

    fn finish(mut self) -> Result<Imported, Vec<ImportError>> {
        let target = std::mem::take(&mut self.target);
        self.check_all(&target, None);
        if self.foreign && !target.values.contains_key(key::APPROVERS) {
            self.note(
                None,
                "Approvers is not set, so only Mattermost system admins may decide. Name those who else may; `channel-members` lets everybody in the channel decide, as Teleport's first plugin for Mattermost did."
                    .to_owned(),
            );
        }
        if !self.errors.is_empty() {
            if self.errors.len() >= MAX_TOLD {
                let message = "There may be more that is wrong. Correct this first, and try again.".to_owned();
                self.errors.push(ImportError { line: None, key: String::new(), message });
            }
            self.errors.sort_by_key(|error| error.line.unwrap_or(usize::MAX));
            return Err(self.errors);
        }
        self.notes.sort_by_key(|note| note.line.unwrap_or(usize::MAX));
        let settings = target.values.into_iter().map(|(key, (value, _))| (key.to_owned(), value));
        Ok(Imported { settings: settings.collect(), notes: self.notes })
    }
}
