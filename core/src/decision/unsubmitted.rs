//! What somebody is told whose dialog never came back. A dialog that Mattermost refuses never reaches the plugin, and a click
//! does not say where it came from, so this is a guess: it is made once a day for each person.

use std::rc::Rc;
use std::time::Duration;

use super::Attempt;
use crate::app::App;
use crate::ledger::{self, Outcome};
use crate::mattermost::{LogLevel, Mattermost as _, Post, Swap};
use crate::teleport::State;
use crate::world::World;

/// After which time somebody is told.
const PATIENCE: Duration = Duration::from_secs(60);
/// How long it is before they are told again.
const DAY_SECONDS: i64 = 86_400;

/// A dialog that has opened.
pub(super) struct Opened {
    pub(super) attempt: Attempt,
    /// The channel of the post that was clicked.
    pub(super) channel_id: String,
    /// Where the store says what the dialog is about, until it is submitted or closed.
    pub(super) key: String,
    /// The post has a button that denies without a dialog.
    pub(super) has_plain_denial: bool,
}

/// Under which key it stands that somebody was told.
fn told_key(user_id: &str) -> String {
    format!("dialog-hint:{user_id}")
}

/// Waits, and tells the way that always works if nothing has been submitted, and the request is still to be decided. In the
/// thread: whoever is in the Threads view sees nothing else.
pub(super) async fn tell_if_nothing_comes<W: World>(app: Rc<App<W>>, opened: Opened) {
    app.world.sleep(PATIENCE).await;
    let mattermost = app.world.mattermost();
    let (attempt, waits) = (&opened.attempt, mattermost.kv_get(&opened.key).await);
    if !matches!(waits, Ok(Some(_))) {
        return;
    }
    let record = ledger::load(mattermost, &attempt.cluster, &attempt.request_id).await;
    if !matches!(record, Ok(Some(stored)) if stored.record.outcome == Outcome::Pending) {
        return;
    }
    let key = told_key(&attempt.user_id);
    // Written down first: once too few is better than too often.
    let told = Swap { key, old: None, new: Some(b"told".to_vec()), expire_seconds: DAY_SECONDS };
    if !matches!(mattermost.kv_swap(told).await, Ok(true)) {
        return;
    }
    let site_url = app.host.borrow().site_url.clone();
    let message = text(&site_url, &attempt.post_id, attempt.state, opened.has_plain_denial);
    let post = Post { channel_id: opened.channel_id, root_id: attempt.post_id.clone(), message, ..Default::default() };
    if let Err(error) = mattermost.send_ephemeral(&attempt.user_id, post).await {
        app.log(LogLevel::Debug, "Somebody could not be told about their dialog.", &[("error", &error.to_string())]);
    }
}

/// What they read. Markdown.
fn text(site_url: &str, post_id: &str, verdict: State, has_plain_denial: bool) -> String {
    let site = site_url.trim_end_matches('/');
    let post = if site.is_empty() {
        "Open the post in its channel".to_owned()
    } else {
        format!("[Open the post in its channel]({site}/_redirect/pl/{post_id})")
    };
    let other = if verdict == State::Denied && has_plain_denial {
        " The **Deny** button asks for no reason, and works everywhere."
    } else {
        ""
    };
    format!(
        "You opened a dialog a minute ago, and have not submitted it. If you are still writing, go on. If Mattermost did not accept it (\"Unable to find the existing channel\"): it cannot submit dialogs from Threads, Drafts or Recaps. {post} and click there: that always works.{other}"
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_way_that_always_works_is_named_and_linked() {
        let linked = text("https://chat.example.com/", "p1", State::Denied, true);
        assert!(
            linked.contains("[Open the post in its channel](https://chat.example.com/_redirect/pl/p1)"),
            "{linked}"
        );
        assert!(linked.contains("**Deny** button"), "{linked}");
        let unlinked = text("", "p1", State::Approved, true);
        assert!(
            unlinked.contains("Open the post in its channel and click") && !unlinked.contains("**Deny**"),
            "{unlinked}"
        );
        assert!(!text("", "p1", State::Denied, false).contains("**Deny**"), "there is no such button");
    }
}
