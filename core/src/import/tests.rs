use fastrand::Rng;
use serde_json::json;

use super::*;
use crate::config::{self, Severity, Source, is_mask};

const HYPHENS: &str = include_str!("../../tests/fixtures/2020-01-hyphens.toml");
const TEAM: &str = include_str!("../../tests/fixtures/2020-03-team.toml");
const UNDERSCORES: &str = include_str!("../../tests/fixtures/2020-08-underscores.toml");
const NOTIFY: &str = include_str!("../../tests/fixtures/2021-notify.toml");
const ROLES: &str = include_str!("../../tests/fixtures/2023-role-to-recipients.toml");
const OURS: &str = include_str!("../../tests/fixtures/ours.toml");
const ALL: [&str; 6] = [HYPHENS, TEAM, UNDERSCORES, NOTIFY, ROLES, OURS];

/// The settings of a file that can be read.
fn settings(text: &str) -> Value {
    import(text).map(|imported| Value::Object(imported.settings)).unwrap_or_else(|errors| json!(errors))
}

fn setting(text: &str, setting: &str) -> Value {
    settings(text).get(setting).cloned().unwrap_or_default()
}

/// What a file gives that must be readable.
fn read(text: &str, context: &str) -> Imported {
    let imported = import(text);
    assert!(imported.is_ok(), "{context}: {imported:?}\n{text}");
    imported.unwrap_or_default()
}

fn notes(text: &str) -> Vec<(Option<usize>, String)> {
    let imported = import(text).map(|imported| imported.notes).unwrap_or_default();
    imported.into_iter().map(|note| (note.line, note.text)).collect()
}

/// Errors as `line key`.
fn places(text: &str) -> Vec<String> {
    let errors = import(text).err().unwrap_or_default();
    errors.iter().map(|error| format!("{} {}", error.line.unwrap_or(0), error.key)).collect()
}

fn errors(text: &str) -> String {
    import(text).err().unwrap_or_default().iter().map(|error| format!("{error}\n")).collect()
}

#[test]
fn files_of_every_time_give_the_settings_that_they_mean() {
    assert_eq!(
        settings(HYPHENS),
        json!({
            "TeleportAddress": "teleport.example.com:3025",
            "ClientKey": "/var/lib/teleport/plugins/mattermost/auth.key",
            "ClientCertificate": "/var/lib/teleport/plugins/mattermost/auth.crt",
            "ClusterCA": "/var/lib/teleport/plugins/mattermost/auth.cas",
            "LogLevel": "info",
        })
    );
    assert_eq!(
        settings(TEAM),
        json!({
            "TeleportAddress": "auth.corp.example.com:3025",
            "ClientKey": "/etc/teleport-mattermost/auth.key",
            "ClientCertificate": "/etc/teleport-mattermost/auth.crt",
            "ClusterCA": "/etc/teleport-mattermost/auth.cas",
            "Recipients": "operations/town-square",
            "LogLevel": "debug",
        })
    );
    assert_eq!(
        settings(UNDERSCORES),
        json!({
            "TeleportAddress": "auth.corp.example.com:3025",
            "ClientKey": "/var/lib/teleport/plugins/mattermost/auth.key",
            "ClientCertificate": "/var/lib/teleport/plugins/mattermost/auth.crt",
            "ClusterCA": "/var/lib/teleport/plugins/mattermost/auth.cas",
            "Recipients": "operations/access-requests",
            "LogLevel": "warn",
        })
    );
    assert_eq!(
        settings(NOTIFY),
        json!({
            "TeleportAddress": "teleport.example.com:443",
            "Identity": "/var/lib/teleport/plugins/mattermost/auth_id",
            "Recipients": "operations/access-requests, alice@example.com",
            "LogLevel": "error",
        })
    );
    assert_eq!(
        settings(ROLES),
        json!({
            "TeleportAddress": "teleport.example.com:443",
            "Identity": "/opt/machine-id/identity",
            "Recipients": "operations/access-requests",
            "RoleRecipients": "dba = data/db-access, carol@example.com\neditor = content/editors",
            "LogLevel": "info",
        })
    );
}

#[test]
fn our_own_files_may_be_written_freely() {
    let settings = settings(OURS);
    let (parsed, problems) = config::parse(settings.to_string().as_bytes());
    assert_eq!(problems, []);
    assert_eq!(parsed.clusters.len(), 2);
    assert_eq!((parsed.recipients.len(), parsed.role_recipients.len()), (2, 2));
    assert_eq!((parsed.approvers.len(), parsed.people.len(), parsed.reminders.len()), (2, 2, 2));
    assert_eq!((parsed.audit_days, parsed.request_days), (90, 14));
    assert!(parsed.require_mfa && parsed.require_reason && !parsed.notify_requesters);
    let ways: Vec<_> =
        parsed.clusters.iter().map(|cluster| (cluster.upgrade, cluster.balancer_authorities.clone())).collect();
    let authority = Source::Path("/etc/leaf/web.pem".to_owned());
    assert_eq!(ways, [(config::Upgrade::Never, None), (config::Upgrade::Always, Some(authority))]);
    // Keys are found in whatever section they stand, and by the settings' own names.
    assert_eq!(setting("TeleportAddress = 'a:1'\n[log]\nRequireMFA = 'true'", key::REQUIRE_MFA), json!(true));
    assert_eq!(setting("teleport-address = 'a:1'", key::TELEPORT_ADDRESS), json!("a:1"));
}

#[test]
fn what_is_not_needed_any_more_is_told_line_by_line() {
    let about = |word: &str| {
        let found = notes(UNDERSCORES).into_iter().find(|(_, text)| text.starts_with(word));
        found.and_then(|(line, _)| line)
    };
    for (word, line) in [
        ("`mattermost.url` is not needed: ", 9),
        ("`mattermost.token` is not needed: ", 12),
        ("`mattermost.secret` is not needed: ", 13),
        ("`[http]` is not needed: nothing listens any more.", 15),
        ("`log.output` is not needed: ", 29),
        ("`teleport.client_key`: the Mattermost server must be able to read", 4),
    ] {
        assert_eq!(about(word), Some(line), "{word}");
    }
    let refreshing = notes(ROLES).into_iter().filter(|(_, text)| text.starts_with("`teleport.refresh_identity"));
    assert_eq!(refreshing.map(|(line, _)| line).collect::<Vec<_>>(), [Some(5), Some(6)]);
    // Only where the file says nothing of it.
    let approvers =
        |text: &str| notes(text).iter().filter(|(_, text)| text.starts_with("Approvers is not set")).count();
    assert_eq!((approvers(ROLES), approvers(OURS)), (1, 0));
    assert_eq!(approvers(&format!("{ROLES}\n[decisions]\napprovers = 'alice'")), 0);
}

#[test]
fn a_channel_without_its_team_is_told_and_not_guessed() {
    assert_eq!(settings(HYPHENS).get("Recipients"), None);
    assert!(notes(HYPHENS).iter().any(|(line, text)| *line == Some(11) && text.contains("access-requests")));
    assert!(notes("[mattermost]\nteam = 'ops'").iter().any(|(line, text)| *line == Some(2) && text.contains("team/")));
    assert_eq!(setting("[mattermost]\nteam = 'ops'\nchannel = '~x'", key::RECIPIENTS), json!("ops/x"));
    assert_eq!(places("[mattermost]\nteam = 'ops'\nchannel = 'Town Square!'"), ["3 mattermost.channel"; 1]);
}

#[test]
fn recipients_replace_those_by_role_as_they_do_in_teleports_own_plugin() {
    let both = "[mattermost]\nrecipients = ['ops/all']\n[role_to_recipients]\n'*' = 'ops/other'\ndba = 'ops/db'\n";
    assert_eq!(settings(both), json!({ "Recipients": "ops/all" }));
    assert!(notes(both).iter().any(|(line, text)| *line == Some(3) && text.contains("replaces all of it")));
    let empty = both.replace("['ops/all']", "[]");
    assert_eq!(settings(&empty), json!({ "Recipients": "ops/other", "RoleRecipients": "dba = ops/db" }));
    let old = "[mattermost]\nteam = 'ops'\nchannel = 'old'\nrecipients = 'ops/new'";
    assert_eq!(settings(old), json!({ "Recipients": "ops/new" }));
    assert!(notes(old).iter().any(|(line, text)| *line == Some(3) && text.contains("no effect")));
}

#[test]
fn roles_become_lines_and_those_that_cannot_are_errors() {
    let roles = "[role-to-recipients]\n'prod-*' = 'a/b'\n'x y' = ['a/b', 'c@d.e']\nnobody = []\n";
    assert_eq!(settings(roles), json!({ "RoleRecipients": "prod-* = a/b\nx y = a/b, c@d.e" }));
    assert!(notes(roles).iter().any(|(line, text)| *line == Some(2) && text.contains("pattern")));
    assert!(notes(roles).iter().any(|(line, text)| *line == Some(4) && text.contains("left out")));
    let bad = "[role_to_recipients]\n'a=b' = 'a/b'\n'#c' = 'a/b'\n' ' = 'a/b'\nd = 'a/b, c/d'\ne = 3\nf = ['a/b',\n 'no']\n\"g\\nh\" = 'a/b'";
    assert_eq!(import(bad).err().map_or(0, |errors| errors.len()), 7);
    assert_eq!(
        places(bad).iter().filter_map(|place| place.split(' ').next()).collect::<Vec<_>>(),
        ["2", "3", "4", "5", "6", "8", "9"]
    );
}

#[test]
fn what_is_unknown_is_a_note_with_a_suggestion() {
    let text = "[teleport]\nadress = 'x'\nidentty = '/x'\n[matermost]\nurl = 'x'\n[log]\nseveritty = 'info'\n[quite.other]\nx = 1\n";
    let found = notes(text);
    for (line, suggestion) in [(3, "Is `identity` meant?"), (4, "Is `mattermost` meant?"), (7, "Is `severity` meant?")]
    {
        let found = found.iter().any(|(at, text)| *at == Some(line) && text.contains(suggestion));
        assert!(found, "{suggestion}");
    }
    assert!(found.iter().any(|(line, text)| *line == Some(8) && text.contains("can be taken out")), "{found:?}");
}

#[test]
fn all_that_is_wrong_is_told_at_once_with_its_line_its_key_and_a_cure() {
    let text = "[teleport]
addr = 'a b'
client_key = 3
client_crt = 'auth.crt'
[mattermost]
recipients = ['Town Square/x',
  'nonsense', 3]
[log]
severity = 'loud'
[decisions]
authority = 'nobody'
require_mfa = 'yes'
[retention]
audit_retention_days = 0
request_retention_days = 1.5
[notifications]
reminders = 'soon'
[users]
user_mapping = 'nobody'
[http]
whatever = 1
[[more_clusters]]
addr = 'b:99999'
identity = 'relative/path'
recipients = 'no'
connection_upgrade = 'perhaps'
load_balancer_ca = 'web.pem'
";
    assert_eq!(
        places(text),
        [
            "2 teleport.addr",
            "3 teleport.client_key",
            "4 teleport.client_crt",
            "6 mattermost.recipients",
            "7 mattermost.recipients",
            "7 mattermost.recipients",
            "9 log.severity",
            "11 decisions.authority",
            "12 decisions.require_mfa",
            "14 retention.audit_retention_days",
            "15 retention.request_retention_days",
            "17 notifications.reminders",
            "19 users.user_mapping",
            "23 more_clusters.addr",
            "24 more_clusters.identity",
            "25 more_clusters.recipients",
            "26 more_clusters.connection_upgrade",
            "27 more_clusters.load_balancer_ca",
        ],
        "{}",
        errors(text)
    );
    for error in import(text).err().unwrap_or_default() {
        assert!(says_what_to_do(&error.message), "{error}");
    }
}

#[test]
fn a_load_balancers_authority_is_a_file_or_a_certificate_and_none_is_fine() {
    let pasted = "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----";
    let file = |text: &str| format!("[teleport]\nteleport_address = 'a:1'\nload_balancer_ca = \"\"\"{text}\"\"\"");
    assert_eq!(setting(&file(pasted), key::LOAD_BALANCER_CA), json!(pasted));
    assert_eq!(setting(&file("/etc/web.pem"), key::LOAD_BALANCER_CA), json!("/etc/web.pem"));
    assert_eq!(setting(&file(""), key::LOAD_BALANCER_CA), Value::Null);
    assert!(notes(&file("")).iter().all(|(_, note)| !note.contains("load_balancer_ca")), "{:?}", notes(&file("")));
    for wrong in ["sealed:v2:AAAA", "-----BEGIN X-----\nAAAA\n-----END X-----"] {
        assert_eq!(places(&file(wrong)), ["3 teleport.load_balancer_ca"], "{wrong}");
    }
}

#[test]
fn credentials_that_do_not_fit_together_are_errors() {
    let both = "[teleport]\naddr = 'a:1'\nidentity = '/i'\nclient_key = '/k'\nclient_crt = '/c'\nroot_cas = '/r'";
    assert_eq!(places(both), ["3 teleport.identity"]);
    assert_eq!(places("[teleport]\naddr = 'a:1'\nclient_crt = '/c'\nroot_cas = '/r'"), ["3 ClientKey"]);
    let empty = "[teleport]\naddr = 'a:1'\nclient_key = ''\nclient_crt = '/c'\nroot_cas = '/r'";
    assert!(notes(empty).iter().any(|(line, text)| *line == Some(3) && text.contains("Fill in ClientKey")));
    // What is wrong by itself is not told as missing, too.
    let wrong = "[teleport]\naddr = 'a:1'\nclient_key = 'k'\nclient_crt = '/c'\nroot_cas = '/r'";
    assert_eq!(places(wrong), ["3 teleport.client_key"]);
    assert_eq!(places("[teleport]\nidentity = 'sealed:v1:abc'"), ["2 teleport.identity"]);
    let pasted = "[teleport]\naddr = 'a:1'\nidentity = '''\n-----BEGIN RSA PRIVATE KEY-----\nx\n-----END RSA PRIVATE KEY-----\n'''";
    assert!(setting(pasted, key::IDENTITY).as_str().is_some_and(|text| text.starts_with("-----BEGIN")));
}

#[test]
fn the_later_name_of_the_address_counts_and_two_of_one_kind_are_an_error() {
    for text in
        ["[teleport]\nauth_server = 'old:1'\naddr = 'new:1'", "[teleport]\naddr = 'new:1'\nauth-server = 'old:1'"]
    {
        assert_eq!(settings(text), json!({ "TeleportAddress": "new:1" }));
        assert!(notes(text).iter().any(|(_, text)| text.contains("no effect, because `teleport.addr`")));
    }
    assert_eq!(
        places("[teleport]\nroot-cas = '/a'\nroot_cas = '/b'\nclient_key = '/c'\nclient_crt = '/d'").first(),
        Some(&"3 teleport.root_cas".to_owned())
    );
    assert_eq!(settings("[teleport]\nidentity = '/a'\nIDENTITY = '/a'"), json!({ "Identity": "/a" }));
}

#[test]
fn levels_go_by_all_their_names() {
    for (severity, level) in [
        ("INFO", "info"),
        ("warning", "warn"),
        ("Warn", "warn"),
        ("err", "error"),
        ("ERROR", "error"),
        ("debug", "debug"),
        ("trace", "debug"),
    ] {
        assert_eq!(settings(&format!("[log]\nseverity = '{severity}'")), json!({ "LogLevel": level }));
    }
}

#[test]
fn every_fault_of_form_is_told_with_its_line() {
    assert_eq!(places("[teleport]\naddr = \n[x\ny = 1\n"), ["2 ", "3 "]);
    assert_eq!(places("a = 1\na = 2\n"), ["2 "]);
    assert_eq!(places("[a]\n[a]\n"), ["2 "]);
    assert_eq!(places("x = 'a\0b'\n"), ["1 "]);
    assert_eq!(places("\u{feff}\r\n\r\nx =\r\n"), ["3 "]);
    assert_eq!(places("teleport = 1\nlog = []"), ["1 teleport", "2 log"]);
    for text in ["[teleport]\naddr = \n[x\ny = 1\n", "a = 1\na = 2\n"] {
        for error in import(text).err().unwrap_or_default() {
            assert!(says_what_to_do(&error.message), "{error}");
        }
    }
}

#[test]
fn a_file_may_come_from_any_editor() {
    for text in ALL {
        let plain = settings(text);
        assert_eq!(settings(&format!("\u{feff}{text}")), plain);
        assert_eq!(settings(&text.replace('\n', "\r\n")).to_string().replace("\\r", ""), plain.to_string());
        assert_eq!(import_bytes(text.as_bytes()), import(text));
    }
    let utf16: Vec<u8> = [0xff, 0xfe].into_iter().chain(TEAM.encode_utf16().flat_map(u16::to_le_bytes)).collect();
    for bytes in [utf16.as_slice(), b"[log]\nseverity = \"\xc3\x28\"", &[0xff; 9]] {
        let errors = import_bytes(bytes).err().unwrap_or_default();
        assert!(matches!(errors.as_slice(), [error] if error.line.is_some() && error.message.contains("UTF-8")));
    }
}

#[test]
fn a_hostile_file_is_refused_and_harms_nothing() {
    let deep = 40_000;
    for text in [
        format!("x = {}", "[".repeat(deep)),
        "[".repeat(200_000),
        "=\n".repeat(100_000),
        "=\n".repeat(16_000),
        format!("[role_to_recipients]\n{}", (0..20_000).map(|role| format!("r{role} = 3\n")).collect::<String>()),
        format!("x = {}{}", "[".repeat(deep), "]".repeat(deep)),
        format!("x = {}", "{a=".repeat(deep)),
        format!("{}x = 1", "a.".repeat(deep)),
        format!("[{}]", vec!["a"; deep].join(".")),
        format!("[[{}]]", vec!["a"; deep].join(".")),
        "x".repeat(2 << 20),
        format!("[posts]\nrecipients = [{}]", "'a/b',".repeat(10_000)),
        format!("[posts]\nrecipients = '{}'", "a/b,".repeat(10_000)),
        format!("[users]\nuser_mapping = '''{}'''", "a=b\n".repeat(20_000)),
        format!("[decisions]\napprovers = '''{}'''", "a=b\n".repeat(20_000)),
        format!("more_clusters = [{}]", "{},".repeat(50_000)),
        "[[more_clusters]]\n".repeat(10_000),
        format!("[teleport]\naddr = '{}'", "a".repeat(200_000) + " b"),
    ] {
        let found = import(&text).err().unwrap_or_default();
        assert!(!found.is_empty(), "{}", text.chars().take(40).collect::<String>());
    }
    let many: String = (0..10_000).map(|number| format!("key{number} = 1\n")).collect();
    assert!((90..200).contains(&notes(&many).len()));
}

#[test]
fn secrets_of_a_file_are_shown_nowhere() {
    for text in ALL {
        let shown = import(text).map(|imported| serde_json::to_string(&imported).unwrap_or_default());
        let shown = shown.unwrap_or_else(|errors| format!("{errors:?}"));
        for secret in ["bot-token-1f0", "signing-secret-2e1", "callback-password-3d2"] {
            assert!(!shown.contains(secret), "{shown}");
        }
    }
    let misplaced = errors("[teleport]\nclient_key = 'MIIEowIBAAKCAQEA'\nidentity = 'hunter2'");
    assert!(!misplaced.is_empty() && !misplaced.contains("MIIE") && !misplaced.contains("hunter2"), "{misplaced}");
}

#[test]
fn an_export_holds_paths_and_no_secrets() {
    let pem = "-----BEGIN RSA PRIVATE KEY-----\nSECRET\n-----END RSA PRIVATE KEY-----";
    let settings = json!({
        "teleportaddress": "a:1",
        "Identity": pem,
        "ClientCertificate": "/etc/auth.crt",
        "ClientKey": "sealed:v1:SECRET",
        "ClusterCA": "********",
        "SealingKey": "SECRET",
        "MoreClusters": json!([
            { "TeleportAddress": "grpc-web+https://me:SECRET@b", "Identity": pem },
            { "TeleportAddress": "c:1", "identity": "/c", "Other": "SECRET" },
        ]).to_string(),
        "Unknown": "SECRET",
    });
    let file = export(settings.as_object().unwrap_or(&Map::new()));
    assert!(!file.contains("SECRET"), "{file}");
    for line in [
        "client_certificate = \"/etc/auth.crt\"",
        "identity = \"/c\"",
        "identity = \"\"",
        "client_key = \"\"",
        "cluster_ca = \"\"",
    ] {
        assert!(file.contains(line), "{line} in {file}");
    }
    assert_eq!(file.matches("# Was pasted").count(), 4, "{file}");
    let broken = json!({ "MoreClusters": "[{\"Identity\": \"SECRET" });
    let file = export(broken.as_object().unwrap_or(&Map::new()));
    assert!(!file.contains("SECRET") && file.contains("is no list of clusters"), "{file}");
}

#[test]
fn an_export_can_be_read_by_people() {
    let imported = read(OURS, "ours");
    let file = export(&imported.settings);
    for line in [
        "# Who may approve and deny.\n[decisions]\nauthority = \"approvers\"\napprovers = \"\"\"\n# Everybody on call.\n* = group:on-call\ndba = dave, channel-admins\"\"\"\nrequire_mfa = true\n",
        "\n[[more_clusters]]\nteleport_address = \"leaf.example.com:443\"\n",
        "recipients = [\"operations/access-requests\", \"@carol\"]\n",
        "audit_retention_days = 90\n",
    ] {
        assert!(file.contains(line), "{line}\nin\n{file}");
    }
    assert_eq!(import(&file).map(|again| again.settings), Ok(imported.settings));
}

/// Takes out what an export leaves out, in a cluster's settings.
fn without_secrets(settings: &Map<String, Value>) -> Map<String, Value> {
    let mut settings = settings.clone();
    settings.retain(|setting, value| {
        let pasted = [key::IDENTITY, key::CLIENT_CERTIFICATE, key::CLIENT_KEY, key::CLUSTER_CA, key::LOAD_BALANCER_CA];
        let credential = pasted.contains(&setting.as_str());
        let text = value.as_str().unwrap_or_default();
        !credential || is_mask(text) || matches!(config::source(text.to_owned()), Some(Source::Path(_)))
    });
    settings
}

/// Settings that an admin may have saved.
fn random_settings(rng: &mut Rng) -> Map<String, Value> {
    let mut settings = random_cluster(rng);
    settings.remove(key::RECIPIENTS);
    let mut set = |rng: &mut Rng, setting: &str, value: Value| {
        if rng.u8(..4) != 0 {
            settings.insert(setting.to_owned(), value);
        }
    };
    let recipients = random_recipients(rng);
    set(rng, key::RECIPIENTS, json!(recipients));
    let lines = random_lines(rng, random_recipients);
    set(rng, key::ROLE_RECIPIENTS, json!(lines));
    let names = |rng: &mut Rng| {
        let separator = pick(rng, &[", ", " ", ";"]);
        // Blanks separated only usernames without doubt.
        let known: &[&str] = match separator {
            " " => &["alice", "@Bob"],
            _ => &["alice", "@Bob", "group:sre", "custom-group:crew", "channel-admins", "team-admins"],
        };
        let names: Vec<&str> = (0..rng.usize(1..4)).map(|_| pick(rng, known)).collect();
        let number = pick(rng, &["", "1 of ", "2 of "]);
        format!("{number}{}", names.join(separator))
    };
    let lines = random_lines(rng, names);
    set(rng, key::APPROVERS, json!(lines));
    let people: Vec<String> =
        (0..rng.usize(..4)).map(|number| format!("user{number} = {}", random_word(rng))).collect();
    let end = pick(rng, &["\n", "\r\n", "\n\n# \"more\" \\ '''\n"]);
    set(rng, key::USER_MAPPING, json!(people.join(end)));
    let word = random_word(rng);
    set(rng, key::USER_TRAIT, json!(word));
    for flag in [key::REQUIRE_MFA, key::ALLOW_GUESTS, key::MATCH_EMAIL, key::REQUIRE_REASON, key::NOTIFY_REQUESTERS] {
        let value = if rng.bool() { json!(rng.bool()) } else { json!(rng.bool().to_string()) };
        set(rng, flag, value);
    }
    for days in [key::AUDIT_DAYS, key::REQUEST_DAYS] {
        let number = rng.u32(1..=3_660);
        let value = if rng.bool() { json!(number) } else { json!(format!("{number}")) };
        set(rng, days, value);
    }
    let choice = pick(rng, &["", "15m", "1h, 15m", "2h 30 90m", "1d"]);
    set(rng, key::REMINDERS, json!(choice));
    let choice = pick(rng, &["auto", "teleport", "Approvers", "reviewer", ""]);
    set(rng, key::AUTHORITY, json!(choice));
    let choice = pick(rng, &["never", "deny", "both"]);
    set(rng, key::ASK_REASON, json!(choice));
    let choice = pick(rng, &["debug", "info", "warn", "error"]);
    set(rng, key::LOG_LEVEL, json!(choice));
    set(rng, key::SEALING_KEY, json!("key"));
    let clusters: Vec<Map<String, Value>> = (0..rng.usize(..4)).map(|_| random_cluster(rng)).collect();
    let clusters = if rng.bool() { json!(clusters) } else { json!(json!(clusters).to_string()) };
    set(rng, key::MORE_CLUSTERS, clusters);
    settings
}

fn random_cluster(rng: &mut Rng) -> Map<String, Value> {
    let mut cluster = Map::new();
    let address = format!(
        "{}{}",
        pick(rng, &["tp.example.com", "https://tp.example.com", "[::1]", "10.0.0.1"]),
        pick(rng, &["", ":443", ":3025"])
    );
    cluster.insert(key::TELEPORT_ADDRESS.to_owned(), json!(address));
    let credentials: &[&str] =
        if rng.bool() { &[key::IDENTITY] } else { &[key::CLIENT_CERTIFICATE, key::CLIENT_KEY, key::CLUSTER_CA] };
    for setting in credentials {
        let path = format!("/etc/{}", random_word(rng));
        let pem = "-----BEGIN X-----\nAAAA\n-----END X-----\n";
        let value = pick(rng, &[path.as_str(), path.as_str(), "C:\\tp\\auth.key", pem, "sealed:v1:AAAA"]);
        cluster.insert((*setting).to_owned(), json!(value));
    }
    if rng.bool() {
        cluster.insert(key::RECIPIENTS.to_owned(), json!(random_recipients(rng)));
    }
    if rng.bool() {
        cluster.insert(key::CONNECTION_UPGRADE.to_owned(), json!(pick(rng, &["", "auto", "always", "never"])));
        let authority = "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n";
        cluster.insert(key::LOAD_BALANCER_CA.to_owned(), json!(pick(rng, &["", "/etc/ssl/web.pem", authority])));
    }
    cluster
}

fn random_recipients(rng: &mut Rng) -> String {
    let known = [
        "ops/access",
        "Team/~channel",
        "@carol",
        "dave@example.com",
        "abcdefghijklmnopqrstuvwxyz",
        "https://mm.example.com/a/channels/b",
    ];
    let listed: Vec<&str> = (0..rng.usize(1..5)).map(|_| pick(rng, &known)).collect();
    listed.join(pick(rng, &[", ", "\n", ";", "  "]))
}

fn random_lines(rng: &mut Rng, what: impl Fn(&mut Rng) -> String) -> String {
    let ends = ["\n", "\r\n", "\n# a comment with \"quotes\", \\ and '''\n", "\n\n"];
    let mut text = String::new();
    for _ in 0..rng.usize(..5) {
        let what = what(rng).replace('\n', ", ");
        text.push_str(&format!("{} = {what}{}", random_word(rng), pick(rng, &ends)));
    }
    text
}

/// A name with whatever people put into names.
fn random_word(rng: &mut Rng) -> String {
    let letters =
        ['a', 'Z', '7', '-', '_', '.', '*', '?', '"', '\'', '\\', '`', '$', '{', 'é', '漢', '\u{1}', '\u{7f}'];
    let word: String =
        (0..rng.usize(1..8)).map(|_| letters.get(rng.usize(..letters.len())).copied().unwrap_or('x')).collect();
    format!("w{word}")
}

fn pick<'a>(rng: &mut Rng, choices: &[&'a str]) -> &'a str {
    choices.get(rng.usize(..choices.len())).copied().unwrap_or_default()
}

#[test]
fn whatever_is_exported_imports_back_to_the_same_settings() {
    for seed in 0..3_000 {
        let settings = random_settings(&mut Rng::with_seed(seed));
        let (_, problems) = config::parse(json!(settings).to_string().as_bytes());
        assert!(problems.iter().all(|problem| problem.severity != Severity::Wrong), "{seed}: {problems:?}");
        let file = export(&settings);
        let imported = read(&file, &seed.to_string());
        let mut expected = without_secrets(&settings);
        if let Some(clusters) = expected.get_mut(key::MORE_CLUSTERS) {
            let listed: Vec<Map<String, Value>> = match &*clusters {
                Value::String(text) => serde_json::from_str(text).unwrap_or_default(),
                listed => serde_json::from_value(listed.clone()).unwrap_or_default(),
            };
            *clusters = listed.iter().map(without_secrets).map(Value::Object).collect();
        }
        let parsed = |settings: &Map<String, Value>| config::parse(json!(settings).to_string().as_bytes()).0;
        assert_eq!(parsed(&imported.settings), parsed(&expected), "{seed}:\n{file}");
        assert_eq!(export(&imported.settings).replace(" = \"\"\n", ""), without_placeholders(&file), "{seed}");
    }
}

/// A file without its places for pasted credentials.
fn without_placeholders(file: &str) -> String {
    let mut kept = String::new();
    let mut lines = file.lines();
    while let Some(line) = lines.next() {
        if line.starts_with("# Was pasted") {
            lines.next();
        } else {
            kept.push_str(line);
            kept.push('\n');
        }
    }
    kept.replace(" = \"\"\n", "")
}

/// Whether a message has a sentence on what to do in it.
fn says_what_to_do(message: &str) -> bool {
    let cures = [
        "Correct ",
        "Write ",
        "Give ",
        "Take ",
        "Put ",
        "Keep ",
        "Save ",
        "Use ",
        "Begin ",
        "must be a number of days from",
        "Ports are ",
        "are needed",
    ];
    cures.iter().any(|cure| message.contains(cure))
}

/// One of the known files, with a few things done to it.
fn mutated(rng: &mut Rng) -> Vec<u8> {
    let pieces = [
        "\n",
        "\"",
        "'",
        "'''",
        "\"\"\"",
        "[",
        "]",
        "[[",
        "]]",
        "{",
        "}",
        "=",
        ",",
        ".",
        "#",
        "\0",
        "\\",
        "\r",
        "\u{feff}",
        "\u{202e}",
        "é",
        "*",
        "3",
        "true",
        "[]",
        "{}",
        "1979-05-27",
        "0x_",
        "-",
        "[teleport]\n",
        "[mattermost]\n",
        "[role_to_recipients]\n",
        "[[more_clusters]]\n",
        "[http]\n",
        "recipients = ",
        "identity = ",
        "addr = ",
        "approvers = ",
        "severity = ",
        "-----BEGIN ",
        "sealed:v1:",
        "nan",
        "99999999999999999999",
    ];
    let mut bytes = pick(rng, &ALL).as_bytes().to_vec();
    for _ in 0..rng.usize(1..6) {
        let at = rng.usize(..=bytes.len());
        let end = (at + rng.usize(..40)).min(bytes.len());
        match rng.u8(..7) {
            0 => bytes.truncate(at),
            1 => drop(bytes.drain(at..end)),
            2 => bytes.insert(at, rng.u8(..)),
            3 => drop(bytes.splice(at..at, pick(rng, &pieces).bytes())),
            4 => drop(bytes.splice(at..end, pick(rng, &pieces).bytes())),
            5 => {
                // Two lines change places, or one comes twice.
                let mut lines: Vec<Vec<u8>> = bytes.split(|byte| *byte == b'\n').map(<[u8]>::to_vec).collect();
                let (one, other) = (rng.usize(..lines.len()), rng.usize(..lines.len()));
                if rng.bool() {
                    lines.swap(one, other);
                } else if let Some(line) = lines.get(one).cloned() {
                    lines.insert(other, line);
                }
                bytes = lines.join(&b'\n');
            }
            _ => {
                let other = pick(rng, &ALL).as_bytes();
                bytes.extend_from_slice(other.get(rng.usize(..other.len())..).unwrap_or_default());
            }
        }
    }
    bytes
}

#[test]
fn whatever_comes_is_read_or_refused_with_what_to_do() {
    let (mut accepted, mut refused) = (0, 0);
    for seed in 0..8_000 {
        let bytes = mutated(&mut Rng::with_seed(seed));
        match import_bytes(&bytes) {
            Ok(imported) => {
                accepted += 1;
                let (_, problems) = config::parse(json!(imported.settings).to_string().as_bytes());
                // Only what is still to be filled in may be left.
                for problem in problems.iter().filter(|problem| problem.severity == Severity::Wrong) {
                    let credential = [key::CLIENT_CERTIFICATE, key::CLIENT_KEY, key::CLUSTER_CA, key::MORE_CLUSTERS];
                    assert!(credential.contains(&problem.setting.as_ref()), "{seed}: {problem:?}");
                }
                assert!(
                    imported.notes.iter().all(|note| !note.text.is_empty() && !note.text.contains(['\n', '\0'])),
                    "{seed}"
                );
                read(&export(&imported.settings), &seed.to_string());
            }
            Err(errors) => {
                refused += 1;
                assert!(!errors.is_empty(), "{seed}");
                for error in errors {
                    assert!(says_what_to_do(&error.message), "{seed}: {error}");
                    let lines = bytes.iter().filter(|byte| **byte == b'\n').count() + 1;
                    assert!(error.line.is_none_or(|line| (1..=lines).contains(&line)), "{seed}: {error}");
                }
            }
        }
    }
    // Both happen often, or this would show little.
    assert!(accepted > 1_000 && refused > 1_000, "{accepted} {refused}");
}

#[test]
fn whatever_the_settings_hold_an_export_is_a_file() {
    for seed in 0..1_000 {
        let mut rng = Rng::with_seed(seed);
        let mut settings = random_settings(&mut rng);
        for _ in 0..rng.usize(1..6) {
            let setting = pick(&mut rng, &key::ALL);
            let word = random_word(&mut rng);
            let odd = [
                json!(null),
                json!(word),
                json!([1, {"a": word}]),
                json!({}),
                json!(-1),
                json!(1.5),
                json!("\n\r\n"),
                json!("********"),
                json!(u64::MAX),
            ];
            let value = odd.get(rng.usize(..odd.len())).cloned().unwrap_or_default();
            settings.insert(setting.to_owned(), value);
        }
        let file = export(&settings);
        assert!(file.parse::<toml::Table>().is_ok(), "{seed}:\n{file}");
    }
}
