//! Which kind of session may decide: a person's own login, and nothing that acts in a person's name.

use std::time::Duration;

use crate::mattermost::Session;
use crate::time::{Time, in_words};

/// Why a session decides nothing.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Unfit {
    /// Mattermost named no session, or does not know it any more.
    #[error("Mattermost does not know your session any more. Sign in again, then click again")]
    Unknown,
    /// The session is of another account.
    #[error("this session is not yours. Sign in again")]
    Foreign,
    /// An OAuth app acts for the person.
    #[error(
        "an OAuth app cannot decide access requests for you. Sign in to Mattermost yourself and use the buttons in the post"
    )]
    OAuthApp,
    /// A token acts for the person, or a bot.
    #[error(
        "an access token cannot decide access requests. Sign in to Mattermost yourself and use the buttons in the post"
    )]
    Token,
    /// It is older than the settings allow.
    #[error(
        "you signed in more than {0} ago, and deciding needs a newer session. Sign out and in again, then click again"
    )]
    TooOld(String),
}

/// How somebody signed in, for the audit trail.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SessionKind {
    /// With a password, or by LDAP.
    Login,
    /// By SAML, OpenID or GitLab.
    SingleSignOn,
}

impl SessionKind {
    /// Its name in the audit trail.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Login => "login",
            Self::SingleSignOn => "single sign-on",
        }
    }
}

/// Whether a session may decide in the name of this account. `most`: the greatest age, where there is one.
///
/// # Errors
/// The first reason against it.
pub(super) fn judge(session: &Session, user_id: &str, most: Option<Duration>, now: Time) -> Result<SessionKind, Unfit> {
    if session.user_id != user_id || user_id.is_empty() {
        return Err(Unfit::Foreign);
    }
    if session.is_oauth {
        return Err(Unfit::OAuthApp);
    }
    // Every type is of something that is no login: personal access tokens, cloud keys, remote clusters, and whatever comes.
    if !session.r#type.is_empty() || session.is_bot {
        return Err(Unfit::Token);
    }
    if session.expires_at > 0 && session.expires_at <= now.0 {
        return Err(Unfit::Unknown);
    }
    if let Some(most) = most
        && now.since(Time(session.create_at)) > most
    {
        return Err(Unfit::TooOld(in_words(most)));
    }
    Ok(if session.is_sso { SessionKind::SingleSignOn } else { SessionKind::Login })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_persons_own_login_decides() {
        let login = Session { id: "s".into(), user_id: "ann".into(), create_at: 1_000, ..Default::default() };
        let judge = |session: Session| judge(&session, "ann", Some(Duration::from_secs(60)), Time(50_000));
        assert_eq!(judge(login.clone()), Ok(SessionKind::Login));
        assert_eq!(judge(Session { is_sso: true, ..login.clone() }), Ok(SessionKind::SingleSignOn));
        for (session, expected) in [
            (Session { user_id: "bob".into(), ..login.clone() }, Unfit::Foreign),
            (Session { is_oauth: true, ..login.clone() }, Unfit::OAuthApp),
            (Session { is_oauth: true, is_sso: true, ..login.clone() }, Unfit::OAuthApp),
            (Session { r#type: "UserAccessToken".into(), ..login.clone() }, Unfit::Token),
            (Session { r#type: "CloudKey".into(), ..login.clone() }, Unfit::Token),
            (Session { is_bot: true, ..login.clone() }, Unfit::Token),
            (Session { expires_at: 50_000, ..login.clone() }, Unfit::Unknown),
            (Session { create_at: -20_000, ..login.clone() }, Unfit::TooOld("a minute".into())),
        ] {
            let age = in_words(Duration::from_secs(60));
            let expected = if matches!(expected, Unfit::TooOld(_)) { Unfit::TooOld(age) } else { expected };
            assert_eq!(judge(session.clone()), Err(expected), "{session:?}");
        }
    }

    #[test]
    fn nobody_has_no_session() {
        assert_eq!(judge(&Session::default(), "", None, Time(0)), Err(Unfit::Foreign));
    }
}
