//! What system admins are told by themselves, once each, in a direct message.

mod causes;
mod keep;
mod nowhere;

use serde::{Deserialize, Serialize};

use crate::app::App;
use crate::credentials::Usable;
use crate::mattermost::{ChannelBy, HostError, LogLevel, Mattermost as _, Post, Swap};
use crate::messages::code;
use crate::time::{Time, in_words};
use crate::world::World;

pub use keep::NOTICE_PROP;
pub(crate) use keep::keep;

/// How many days before the expiry of credentials a notice goes out; 0: when they have expired.
const DAYS: [i64; 4] = [0, 1, 7, 30];
/// A day in milliseconds.
const DAY: i64 = 86_400_000;
/// When Mattermost clears a note away.
const EXPIRES_SECONDS: i64 = 400 * 86_400;

/// After how long something that was told once is told again, if it is still so.
const ONCE_SECONDS: i64 = 7 * 86_400;

/// What was told of the credentials of one cluster.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
struct Told {
    /// Which credentials: when they expire.
    not_after: i64,
    /// The notice that went out last, in days before.
    days: i64,
}

/// The notice that is due now, in days before the expiry; none where there is time.
fn due(usable: &Usable, now: Time) -> Option<i64> {
    let (left, life) = (usable.not_after.0 - now.0, usable.not_after.0 - usable.not_before.0);
    // Credentials that never were to live so long are renewed by a machine: no warning, but word when that fails.
    DAYS.into_iter().find(|days| left <= days * DAY && (*days == 0 || life > 2 * days * DAY))
}

/// Tells the system admins if the credentials are about to expire, or have.
pub(crate) async fn credentials<W: World>(app: &App<W>, usable: &Usable) {
    let now = app.world.now();
    let Some(days) = due(usable, now) else { return };
    if let Err(error) = tell(app, usable, days, now).await {
        let error = error.to_string();
        app.log(LogLevel::Warn, "The system admins could not be told about the credentials.", &[("error", &error)]);
    }
}

async fn tell<W: World>(app: &App<W>, usable: &Usable, days: i64, now: Time) -> Result<(), HostError> {
    let mattermost = app.world.mattermost();
    let key = format!("notice:credentials:{}", usable.cluster);
    let old = mattermost.kv_get(&key).await?;
    let told: Option<Told> = old.as_deref().and_then(|bytes| serde_json::from_slice(bytes).ok());
    if told.is_some_and(|told| told.not_after == usable.not_after.0 && told.days <= days) {
        return Ok(());
    }
    let new = serde_json::to_vec(&Told { not_after: usable.not_after.0, days })
        .map_err(|error| HostError::Invalid(error.to_string()))?;
    // Written down first: once too few is better than every half minute, and the status says it anyway.
    let swap = Swap { key, old, new: Some(new), expire_seconds: EXPIRES_SECONDS };
    if !mattermost.kv_swap(swap).await? {
        return Ok(());
    }
    let text = text(usable, now);
    app.log(LogLevel::Warn, &text, &[]);
    each_admin(app, &format!("{}:{days}", usable.not_after.0), &text).await
}

/// Tells every system admin. `what` tells this notice from others: Mattermost makes each no more than once.
async fn each_admin<W: World>(app: &App<W>, what: &str, text: &str) -> Result<(), HostError> {
    let mattermost = app.world.mattermost();
    let mut failed = None;
    for admin in mattermost.system_admins().await? {
        let told = async {
            let channel = mattermost.get_channel(ChannelBy::DirectUserId(admin.id)).await?;
            let post = Post { channel_id: channel.id.clone(), message: text.to_owned(), ..Default::default() };
            mattermost.create_post(post, format!("notice:{what}:{}", channel.id)).await
        };
        // One who cannot be told must not keep the others from hearing.
        failed = told.await.err().or(failed);
    }
    failed.map_or(Ok(()), Err)
}

/// Tells the system admins something in a direct message, once for each `key`.
pub(crate) async fn tell_admins<W: World>(app: &App<W>, key: &str, text: &str) {
    if let Err(error) = tell_once(app, key, text).await {
        let error = error.to_string();
        app.log(LogLevel::Warn, "The system admins could not be told.", &[("what", text), ("error", &error)]);
    }
}

async fn tell_once<W: World>(app: &App<W>, key: &str, text: &str) -> Result<(), HostError> {
    let mattermost = app.world.mattermost();
    let swap =
        Swap { key: format!("notice:{key}"), old: None, new: Some(b"told".to_vec()), expire_seconds: ONCE_SECONDS };
    if !mattermost.kv_swap(swap).await? {
        return Ok(());
    }
    each_admin(app, key, text).await
}

/// Under which key it stands that somebody does not want to hear of their own requests.
fn muted_key(user_id: &str) -> String {
    format!("muted:{user_id}")
}

/// Whether somebody wants to hear what becomes of their own requests.
pub(crate) async fn wants<W: World>(app: &App<W>, user_id: &str) -> Result<bool, HostError> {
    Ok(app.world.mattermost().kv_get(&muted_key(user_id)).await?.is_none())
}

/// Turns the messages about somebody's own requests on or off.
pub(crate) async fn set_wants<W: World>(app: &App<W>, user_id: &str, wants: bool) -> Result<(), HostError> {
    let mattermost = app.world.mattermost();
    let key = muted_key(user_id);
    let old = mattermost.kv_get(&key).await?;
    if old.is_none() == wants {
        return Ok(());
    }
    let new = (!wants).then(|| b"muted".to_vec());
    // Whoever was faster wanted the same, or the other thing at the same moment.
    mattermost.kv_swap(Swap { key, old, new, expire_seconds: 0 }).await.map(|_| ())
}

fn text(usable: &Usable, now: Time) -> String {
    let when = if now >= usable.not_after {
        format!(
            "expired on {}, so access requests are neither shown nor decided here until they are renewed",
            usable.not_after
        )
    } else {
        let left = in_words(usable.not_after.since(now));
        format!(
            "expire in {left}, on {}. From then on access requests are neither shown nor decided here",
            usable.not_after
        )
    };
    format!(
        "⚠️ The credentials with which Mattermost signs in to Teleport cluster {} {when}.\nTo renew them, run `tctl auth sign --user={} --format=file --ttl=8760h --out=identity` and put the file in place of the old one, in the plugin's settings or where their path points.",
        code(&usable.cluster),
        usable.user.replace('`', "'"),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn notices_are_due_in_steps_that_fit_the_credentials_life() {
        let usable = |life: i64| Usable {
            setting: crate::config::key::IDENTITY,
            credentials: Default::default(),
            user: "access-plugin".into(),
            cluster: "tp".into(),
            not_before: Time(0),
            not_after: Time(life),
        };
        let year = usable(365 * DAY);
        for (left, days) in [
            (40 * DAY, None),
            (30 * DAY, Some(30)),
            (8 * DAY, Some(30)),
            (7 * DAY, Some(7)),
            (DAY, Some(1)),
            (1, Some(1)),
            (0, Some(0)),
            (-DAY, Some(0)),
        ] {
            assert_eq!(due(&year, Time(365 * DAY - left)), days, "{left}");
        }
        let hour = usable(3_600_000);
        assert_eq!(due(&hour, Time(3_599_999)), None);
        assert_eq!(due(&hour, Time(3_600_000)), Some(0));
        let month = usable(30 * DAY);
        assert_eq!(due(&month, Time(10 * DAY)), None);
        assert_eq!(due(&month, Time(24 * DAY)), Some(7));
    }
}
