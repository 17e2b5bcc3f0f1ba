//! Which sessions decide, with which settings, by a click and by a dialog that was opened before.

use serde_json::json;
use teleport_access_core::mattermost::Session;

use crate::cells;
use crate::stage::{DECIDED, Seen, Stage, account, play_table, request};

const HOUR: i64 = 3_600_000;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    Login,
    SingleSignOn,
    PersonalAccessToken,
    OAuthApp,
    OAuthAppOfSso,
    BotToken,
    /// Some type that has yet to come.
    OtherType,
    OfAnotherUser,
    None,
    Unknown,
    Expired,
    /// Older than what the strict setting allows.
    Old,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Setting {
    Plain,
    MaxAge,
    Mfa,
    SsoIsMfa,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Account {
    WithMfa,
    WithoutMfa,
    Sso,
    Ldap,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Way {
    Click,
    /// The dialog was opened with a login that nothing speaks against.
    Dialog,
}

use Kind::{BotToken, Login, OAuthApp, OAuthAppOfSso, Old, OtherType, PersonalAccessToken, SingleSignOn};

const KINDS: &[Kind] = &[
    Login,
    SingleSignOn,
    PersonalAccessToken,
    OAuthApp,
    OAuthAppOfSso,
    BotToken,
    OtherType,
    Kind::OfAnotherUser,
    Kind::None,
    Kind::Unknown,
    Kind::Expired,
    Old,
];
const SETTINGS: &[Setting] = &[Setting::Plain, Setting::MaxAge, Setting::Mfa, Setting::SsoIsMfa];
const ACCOUNTS: &[Account] = &[Account::WithMfa, Account::WithoutMfa, Account::Sso, Account::Ldap];
const WAYS: &[Way] = &[Way::Click, Way::Dialog];

type Row = (&'static [Kind], &'static [Setting], &'static [Account], &'static [Way], &'static str);

const TABLE: &[Row] = &[
    (&[Kind::None, Kind::Unknown, Kind::Expired], SETTINGS, ACCOUNTS, WAYS, "does not know your session"),
    (&[Kind::OfAnotherUser], SETTINGS, ACCOUNTS, WAYS, "this session is not yours"),
    (&[OAuthApp, OAuthAppOfSso], SETTINGS, ACCOUNTS, WAYS, "an OAuth app cannot decide"),
    (&[PersonalAccessToken, BotToken, OtherType], SETTINGS, ACCOUNTS, WAYS, "an access token cannot decide"),
    (&[Old], &[Setting::MaxAge], ACCOUNTS, WAYS, "needs a newer session"),
    (KINDS, &[Setting::Mfa], &[Account::Sso], WAYS, "A system admin can turn on \"Single sign-on counts as MFA\""),
    (KINDS, &[Setting::Mfa, Setting::SsoIsMfa], &[Account::WithoutMfa, Account::Ldap], WAYS, "set it up in your"),
    (KINDS, SETTINGS, ACCOUNTS, WAYS, DECIDED),
];

fn session(kind: Kind, now: i64) -> Option<Session> {
    let login = Session { id: "s".into(), user_id: "b0b".into(), create_at: now - HOUR, ..Session::default() };
    Some(match kind {
        Login => login,
        SingleSignOn => Session { is_sso: true, ..login },
        PersonalAccessToken => Session { r#type: "UserAccessToken".into(), ..login },
        OAuthApp => Session { is_oauth: true, ..login },
        OAuthAppOfSso => Session { is_oauth: true, is_sso: true, ..login },
        BotToken => Session { is_bot: true, ..login },
        OtherType => Session { r#type: "CloudKey".into(), ..login },
        Kind::OfAnotherUser => Session { user_id: "car0l".into(), ..login },
        Kind::None | Kind::Unknown => return None,
        Kind::Expired => Session { expires_at: now - 1, ..login },
        Old => Session { create_at: now - 9 * HOUR, ..login },
    })
}

type SessionCell = (Kind, Setting, Account, Way);

fn play(&(kind, setting, which, way): &SessionCell) -> Seen {
    let settings = json!({
        "approvers": "bob",
        "requiremfa": matches!(setting, Setting::Mfa | Setting::SsoIsMfa),
        "ssocountsasmfa": setting == Setting::SsoIsMfa,
        "sessionmaxhours": if setting == Setting::MaxAge { "8" } else { "" },
        "askreason": if way == Way::Dialog { "both" } else { "never" },
    });
    let mut stage = Stage::new(settings, |sim| {
        sim.mattermost.borrow_mut().users.insert("b0b".into(), account("b0b", "bob", "bob@corp.com"));
    });
    stage.pass(1_000);
    let filed = request(&stage.sim, &["dba"]);
    stage.file(filed);
    let mut click = stage.click_of("b0b", "approve", &stage.post());
    let good = Session { create_at: stage.sim.now(), user_id: "b0b".into(), ..Session::default() };
    stage.sim.mattermost.borrow_mut().sessions.insert(click.session_id.clone(), good);
    if way == Way::Dialog {
        assert_eq!(stage.send(click.clone()), "", "the dialog does not open");
    }
    stage.account("b0b", |user| {
        user.mfa_active = which == Account::WithMfa;
        user.auth_service = match which {
            Account::Sso => "saml".into(),
            Account::Ldap => "ldap".into(),
            _ => String::new(),
        };
    });
    let now = stage.sim.now();
    stage.sim.mattermost.borrow_mut().sessions.clear();
    if let Some(session) = session(kind, now) {
        stage.sim.mattermost.borrow_mut().sessions.insert("s".into(), session);
    }
    click.session_id = if kind == Kind::None { String::new() } else { "s".into() };
    let answer = match way {
        Way::Click => stage.send(click),
        Way::Dialog => stage.submit("b0b", &click.session_id),
    };
    Seen::of(&stage, "b0b", 0, answer)
}

#[test]
fn only_a_persons_own_login_decides() {
    play_table(cells!(KINDS, SETTINGS, ACCOUNTS, WAYS), TABLE, play);
}
