//! The checks that settings page, self-test, status and the messages to admins share: whether the bot can post, whether
//! there is anybody who can decide, and whether requesters hear anything.

use std::rc::Rc;

use crate::app::App;
use crate::authority;
use crate::config::{Approver, Authority, Problem, Recipient, Rule, Settings, about, key};
use crate::mattermost::{HostError, Mattermost};
use crate::messages::code;
use crate::policy;
use crate::proto::panel::{Check, Outcome};
use crate::rules::pins::{self, Entry, Pin, Pins};
use crate::status::check;
use crate::time::Time;
use crate::world::World;

/// Most rules that a check names.
const MOST_NAMED: usize = 10;

/// All of them, for settings that need not be saved: `fresh` are entries that are not, with what they mean.
pub(crate) async fn all<W: World>(app: &Rc<App<W>>, settings: &Settings, fresh: Vec<(Entry, Pin)>) -> Vec<Check> {
    let mut checks = vec![bot(app).await];
    checks.extend(multi_factor(settings));
    checks.push(deciders(app, settings, fresh).await);
    checks.push(requesters(app, settings));
    checks
}

/// Whether the bot is there, the plugin's own, and enabled.
async fn bot<W: World>(app: &App<W>) -> Check {
    const NAME: &str = "Bot account";
    let (id, plugin, failure) = {
        let host = app.host.borrow();
        (host.bot_user_id.clone(), host.plugin_id.clone(), host.failures.first().cloned())
    };
    if id.is_empty() {
        return check(NAME, Outcome::Failed, failure.unwrap_or_else(|| "there is none yet".to_owned()));
    }
    match app.world.mattermost().get_bot(&id).await {
        Ok(bot) if bot.owner_id != plugin => check(
            NAME,
            Outcome::Failed,
            format!(
                "@{} is not this plugin's any more: somebody else owns it. The plugin makes another bot within a minute.",
                bot.username
            ),
        ),
        Ok(bot) if bot.delete_at != 0 => check(
            NAME,
            Outcome::Failed,
            format!(
                "@{} is disabled, so nothing can be posted. Enable it under System Console > Integrations > Bot Accounts, or with `mmctl bot enable {}`.",
                bot.username, bot.username
            ),
        ),
        Ok(bot) => check(NAME, Outcome::Ok, format!("@{}", bot.username)),
        Err(HostError::NotFound(_)) => {
            check(NAME, Outcome::Failed, "it is not there any more. The plugin makes another bot within a minute.")
        }
        Err(error) => check(NAME, Outcome::Failed, format!("Mattermost could not be asked: {error}.")),
    }
}

/// Whether anybody can have the multi-factor authentication that deciding takes; none where it takes none.
fn multi_factor(settings: &Settings) -> Option<Check> {
    const NAME: &str = "Multi-factor authentication";
    if !settings.require_mfa {
        return None;
    }
    Some(match mfa_problem(settings) {
        Some(text) if settings.sso_is_mfa => check(NAME, Outcome::Warning, text),
        Some(text) => check(NAME, Outcome::Failed, text),
        None if settings.sso_is_mfa => {
            check(NAME, Outcome::Ok, "deciding takes it, in Mattermost or at the identity provider")
        }
        None => check(
            NAME,
            Outcome::Ok,
            "deciding takes it, in Mattermost: people who sign in by SAML, OpenID or GitLab cannot set it up, and cannot decide",
        ),
    })
}

/// What is wrong where deciding takes what the server does not have.
fn mfa_problem(settings: &Settings) -> Option<&'static str> {
    match (settings.require_mfa && settings.multi_factor_off, settings.sso_is_mfa) {
        (false, _) => None,
        (true, false) => Some(
            "Nobody can decide: deciding takes MFA, which is switched off on this Mattermost server. Switch it on under System Console > Authentication > MFA, turn on \"Single sign-on counts as MFA\" if your identity provider asks for it, or turn off \"Deciding takes MFA\".",
        ),
        (true, true) => Some(
            "Only people who sign in by single sign-on can decide: MFA is switched off on this Mattermost server. Switch it on under System Console > Authentication > MFA if others are to decide.",
        ),
    }
}

/// A rule that nobody can be found for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Nobody {
    /// What the rule is about; empty: everything.
    pub(crate) about: String,
    /// What follows, in few words.
    pub(crate) title: String,
    /// Why, and what to do.
    pub(crate) text: String,
}

impl Nobody {
    fn of_rule(rule: &Rule, reasons: &[String]) -> Self {
        let about = about(&rule.cluster, &rule.roles);
        let title = format!("nobody can decide requests for {}", code(&about));
        let text = format!("{}. Name somebody else under Approvers on the settings page.", reasons.join("; "));
        Self { about, title, text }
    }

    /// All of it, as a sentence.
    fn sentence(&self) -> String {
        let mut letters = self.title.chars();
        let first: String = letters.next().map(|letter| letter.to_uppercase().collect()).unwrap_or_default();
        format!("{first}{}: {}", letters.as_str(), self.text)
    }
}

/// The rules that nobody can be found for.
async fn without_anybody<M: Mattermost>(
    mattermost: &M,
    settings: &Settings,
    pins: &Pins,
    is_asked: impl Fn(&Rule) -> bool,
) -> Result<Vec<Nobody>, HostError> {
    let admins =
        Rule { cluster: String::new(), roles: "*".to_owned(), approve: 1, deny: 1, who: vec![Approver::SystemAdmins] };
    let fallback = [admins];
    let rules = if settings.approvers.is_empty() { fallback.as_slice() } else { &settings.approvers };
    let is_channel = |recipient: &Recipient| matches!(recipient, Recipient::Channel { .. } | Recipient::ChannelId(_));
    let of_clusters = settings.clusters.iter().flat_map(|cluster| &cluster.recipients);
    let of_roles = settings.role_recipients.iter().flat_map(|rule| &rule.recipients);
    let mut recipients = settings.recipients.iter().chain(of_clusters).chain(of_roles).peekable();
    // Where there are none yet, nobody knows.
    let in_channels = recipients.peek().is_none() || recipients.any(is_channel);
    let mut nobody = Vec::new();
    for rule in rules.iter().filter(|rule| is_asked(rule)) {
        if let Some(reasons) = policy::missing(mattermost, settings, pins, rule, in_channels).await? {
            nobody.push(Nobody::of_rule(rule, &reasons));
        }
    }
    Ok(nobody)
}

/// Whether the approvers of the settings count anywhere: with Teleport's own authority they do not.
pub(crate) fn approvers_count<W: World>(app: &App<W>, settings: &Settings) -> bool {
    if settings.authority != Authority::Auto {
        return settings.authority != Authority::Teleport;
    }
    let clusters = app.clusters.borrow();
    let by_teleport = clusters.iter().map(|cluster| {
        let way = cluster.way.borrow();
        way.as_ref().is_some_and(|way| authority::in_force(Authority::Auto, &way.server) == Ok(Authority::Teleport))
    });
    let by_teleport: Vec<bool> = by_teleport.collect();
    by_teleport.is_empty() || by_teleport.contains(&false)
}

/// What nobody can decide with the settings in force, for the messages to admins.
///
/// # Errors
/// Where Mattermost cannot be asked.
pub(crate) async fn nobody_can_decide<W: World>(app: &App<W>) -> Result<Vec<Nobody>, HostError> {
    let settings = app.settings();
    if let Some(text) = mfa_problem(&settings).filter(|_| !settings.sso_is_mfa) {
        let title = "nobody can decide access requests".to_owned();
        return Ok(vec![Nobody { about: String::new(), title, text: text.to_owned() }]);
    }
    if !approvers_count(app, &settings) {
        return Ok(Vec::new());
    }
    let mattermost = app.world.mattermost();
    let pins = pins::load(mattermost).await?;
    // What has not been looked up yet means nobody for a moment only.
    let all_known =
        |rule: &Rule| rule.who.iter().all(|who| Entry::of_approver(who).is_none_or(|entry| pins.knows(&entry)));
    without_anybody(mattermost, &settings, &pins, all_known).await
}

/// Whether there is somebody for each rule.
async fn deciders<W: World>(app: &App<W>, settings: &Settings, fresh: Vec<(Entry, Pin)>) -> Check {
    const NAME: &str = "Deciders";
    if !approvers_count(app, settings) {
        return check(NAME, Outcome::Ok, "Teleport says who may decide");
    }
    let mattermost = app.world.mattermost();
    let found = match pins::load(mattermost).await {
        Ok(pins) => without_anybody(mattermost, settings, &pins.with(fresh), |_| true).await,
        Err(error) => Err(error),
    };
    match found {
        Err(error) => check(NAME, Outcome::Failed, format!("Mattermost could not be asked: {error}.")),
        Ok(nobody) if nobody.is_empty() => check(NAME, Outcome::Ok, "there is somebody for each rule"),
        Ok(nobody) => {
            let mut lines: Vec<String> = nobody.iter().take(MOST_NAMED).map(Nobody::sentence).collect();
            if nobody.len() > MOST_NAMED {
                lines.push(format!("and {} more rules", nobody.len() - MOST_NAMED));
            }
            check(NAME, Outcome::Failed, lines.join("\n"))
        }
    }
}

/// What a save would bring about that nobody can decide. What was so before keeps nobody from saving the rest, and people
/// who have yet to set up multi-factor authentication may do so later.
pub(crate) async fn on_save<M: Mattermost>(
    mattermost: &M,
    before: &Settings,
    new: &Settings,
    fresh: Vec<(Entry, Pin)>,
) -> Vec<Problem> {
    let mut problems = Vec::new();
    let off = |settings: &Settings| mfa_problem(settings).filter(|_| !settings.sso_is_mfa);
    if let Some(text) = off(new).filter(|_| off(before).is_none()) {
        problems.push(Problem::new(key::REQUIRE_MFA, text));
    }
    if new.authority == Authority::Teleport {
        return problems;
    }
    // Where Mattermost cannot tell, the status does later.
    let Ok(pins) = pins::load(mattermost).await else { return problems };
    let lenient = Settings { require_mfa: false, ..new.clone() };
    let is_new = |rule: &Rule| new.approvers.contains(rule) && !before.approvers.contains(rule);
    let nobody = without_anybody(mattermost, &lenient, &pins.with(fresh), is_new).await.unwrap_or_default();
    problems.extend(nobody.iter().map(|nobody| Problem::new(key::APPROVERS, nobody.sentence())));
    problems
}

/// Entries that the settings bring and the saved ones do not have, with what they mean now.
pub(crate) async fn fresh<M: Mattermost>(
    mattermost: &M,
    now: Time,
    saved: &Settings,
    new: &Settings,
) -> Vec<(Entry, Pin)> {
    pins::added(mattermost, now, saved, new).await.0
}

/// Whether requesters and those whom they suggest hear anything.
fn requesters<W: World>(app: &Rc<App<W>>, settings: &Settings) -> Check {
    let suggesting = app.lanes().iter().map(|lane| lane.cluster.desk.suggesting()).sum();
    let (outcome, text) = heard(settings.notify_requesters, settings.is_mapped(), suggesting);
    check("Requesters", outcome, text)
}

/// What requesters, and those whom they suggest, hear.
fn heard(notify: bool, mapped: bool, suggesting: usize) -> (Outcome, String) {
    let (outcome, told) = match (notify, mapped) {
        (false, _) => (Outcome::Ok, "they get no direct messages about their requests, as the settings say"),
        (true, true) => (Outcome::Ok, "they get direct messages about their requests, where their account is known"),
        (true, false) => (
            Outcome::Warning,
            "they get no direct messages about their requests, as nothing says which Mattermost account a Teleport user has. Fill in Users, Users by trait or Users by e-mail address on the settings page.",
        ),
    };
    match suggesting {
        0 => (outcome, format!("{told}\nReviewers whom requesters suggest are not told of requests.")),
        count => (
            Outcome::Warning,
            format!(
                "{told}\nReviewers whom requesters suggest are not told of requests: {count} pending request{} some. Name them under Recipients if they are to be told.",
                if count == 1 { " suggests" } else { "s suggest" }
            ),
        ),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn where_the_server_has_no_mfa_nobody_can_decide_unless_single_sign_on_counts() {
        let outcome = |require_mfa, multi_factor_off, sso_is_mfa| {
            let settings = Settings { require_mfa, multi_factor_off, sso_is_mfa, ..Settings::default() };
            multi_factor(&settings).map(|check| check.outcome())
        };
        assert_eq!(outcome(false, true, false), None);
        assert_eq!(outcome(true, true, false), Some(Outcome::Failed));
        assert_eq!(outcome(true, true, true), Some(Outcome::Warning));
        assert_eq!(outcome(true, false, false), Some(Outcome::Ok));
        assert_eq!(outcome(true, false, true), Some(Outcome::Ok));
    }

    #[test]
    fn requesters_of_whom_nobody_knows_who_they_are_hear_nothing_and_that_is_said() {
        assert_eq!(heard(true, false, 0).0, Outcome::Warning);
        assert!(heard(true, false, 0).1.contains("Users by trait"));
        assert_eq!(heard(true, true, 0).0, Outcome::Ok);
        assert_eq!(heard(false, false, 0).0, Outcome::Ok);
        let (outcome, text) = heard(true, true, 2);
        assert!(outcome == Outcome::Warning && text.contains("2 pending requests suggest some"), "{text}");
        assert!(heard(true, true, 1).1.contains("1 pending request suggests some"));
    }
}
