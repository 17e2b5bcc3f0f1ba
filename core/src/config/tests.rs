use super::*;

fn parse_text(json: &str) -> (Settings, Vec<Problem>) {
    parse(json.as_bytes())
}

fn settings_with_a_problem(problems: &[Problem]) -> Vec<&str> {
    problems.iter().map(|problem| problem.setting.as_ref()).collect()
}

fn first(settings: &Settings) -> Cluster {
    settings.clusters.first().cloned().unwrap_or_default()
}

fn rule(roles: &str, who: Vec<Approver>) -> Rule {
    Rule { cluster: String::new(), roles: roles.into(), approve: 1, deny: 1, who }
}

#[test]
fn an_empty_page_says_what_is_missing_in_its_own_order() {
    for json in ["", "{}", "null-ish", r#"{"teleportaddress":"","Recipients":null}"#] {
        let (settings, problems) = parse_text(json);
        assert_eq!(settings, Settings::default());
        assert!(
            settings_with_a_problem(&problems).ends_with(&[key::TELEPORT_ADDRESS, key::IDENTITY, key::RECIPIENTS]),
            "{json}"
        );
    }
}

#[test]
fn keys_are_found_whatever_their_case() {
    let (settings, problems) = parse_text(
        r#"{"teleportaddress":" tp:3025 ","IDENTITY":"/etc/identity","recipients":"ops/access","approvers":"* = @Alice, bob"}"#,
    );
    assert_eq!(problems, []);
    assert_eq!(first(&settings).address, Some(Address::Teleport("tp:3025".into())));
    assert_eq!(first(&settings).credentials, Some(CredentialSource::Identity(Source::Path("/etc/identity".into()))));
    assert_eq!(settings.recipients, [Recipient::Channel { team: "ops".into(), channel: "access".into() }]);
    let who = vec![Approver::Username("alice".into()), Approver::Username("bob".into())];
    assert_eq!(settings.approvers, [rule("*", who)]);
}

#[test]
fn a_masked_secret_that_was_never_set_is_no_secret() {
    let (settings, _) = parse_text(r#"{"Identity":"/etc/identity","ClientKey":"********************************"}"#);
    assert_eq!(first(&settings).credentials, Some(CredentialSource::Identity(Source::Path("/etc/identity".into()))));
}

#[test]
fn an_address_is_taken_as_people_write_it() {
    for (text, address) in [
        ("teleport.example.com", "teleport.example.com:443"),
        ("teleport.example.com:3080", "teleport.example.com:3080"),
        ("https://teleport.example.com", "teleport.example.com:443"),
        ("https://teleport.example.com:8443/web/login", "teleport.example.com:8443"),
        ("[2001:db8::1]", "[2001:db8::1]:443"),
        ("[2001:db8::1]:3025", "[2001:db8::1]:3025"),
        ("10.0.0.5:3025", "10.0.0.5:3025"),
    ] {
        assert_eq!(address::parse_address(text), Ok(Address::Teleport(address.into())), "{text}");
    }
    assert_eq!(
        address::parse_address("grpc-web+https://gw.example.com/tp/"),
        Ok(Address::Gateway("https://gw.example.com/tp".into()))
    );
    assert_eq!(
        address::parse_address("grpc-web+http://127.0.0.1:8080"),
        Ok(Address::Gateway("http://127.0.0.1:8080".into()))
    );
}

#[test]
fn what_is_no_address_is_refused_with_a_cure() {
    for text in [
        "",
        "a b",
        "http://tp:3080",
        "tp:0",
        "tp:70000",
        "tp:x",
        "::1",
        ":443",
        "grpc-web+ftp://x",
        "grpc-web+https://",
        "t$p:1",
    ] {
        let problem = address::parse_address(text).err();
        assert_eq!(problem.map(|problem| problem.setting), Some(key::TELEPORT_ADDRESS.into()), "{text}");
    }
}

#[test]
fn credentials_are_one_identity_or_three_files() {
    let with = |json: &str| {
        let (settings, problems) = parse_text(json);
        (
            first(&settings).credentials.clone(),
            problems.into_iter().find(|problem| {
                [key::IDENTITY, key::CLIENT_CERTIFICATE, key::CLIENT_KEY, key::CLUSTER_CA]
                    .contains(&problem.setting.as_ref())
            }),
        )
    };
    let (credentials, problem) = with(r#"{"ClientCertificate":"/a","ClientKey":"/b","ClusterCA":"/c"}"#);
    assert!(matches!(credentials, Some(CredentialSource::Files { .. })) && problem.is_none());
    for (json, setting) in [
        (r#"{"ClientKey":"/b","ClusterCA":"/c"}"#, key::CLIENT_CERTIFICATE),
        (r#"{"ClientCertificate":"/a","ClusterCA":"/c"}"#, key::CLIENT_KEY),
        (r#"{"ClientCertificate":"/a","ClientKey":"/b"}"#, key::CLUSTER_CA),
        (r#"{"Identity":"/i","ClientKey":"/b"}"#, key::IDENTITY),
    ] {
        let (credentials, problem) = with(json);
        assert_eq!(
            (credentials, problem.map(|problem| problem.setting.into_owned())),
            (None, Some(setting.to_owned())),
            "{json}"
        );
    }
}

#[test]
fn a_path_is_told_from_a_pasted_text() {
    assert_eq!(source("/etc/x".into()), Some(Source::Path("/etc/x".into())));
    assert_eq!(source("C:\\teleport\\identity".into()), Some(Source::Path("C:\\teleport\\identity".into())));
    assert_eq!(source("-----BEGIN X-----".into()), Some(Source::Text("-----BEGIN X-----".into())));
    assert_eq!(source(String::new()), None);
}

#[test]
fn recipients_come_in_every_form_that_people_know() {
    let mut problems = Vec::new();
    let recipients = recipients::parse_recipients(
        "ops/access-requests; ~bad/~x/y, Team/Channel\n@Ann, ann@example.com, abcdefghijklmnopqrstuvwxyz; https://mm.example.com/sub/ops/channels/town-square, ops/access-requests, nonsense",
        key::RECIPIENTS,
        &mut problems,
    );
    let shown: Vec<String> = recipients.iter().map(ToString::to_string).collect();
    assert_eq!(
        shown,
        [
            "ops/access-requests",
            "team/channel",
            "@ann",
            "ann@example.com",
            "abcdefghijklmnopqrstuvwxyz",
            "ops/town-square"
        ]
    );
    assert_eq!(settings_with_a_problem(&problems), [key::RECIPIENTS, key::RECIPIENTS]);
}

#[test]
fn an_approver_that_is_nobody_does_not_open_the_door_to_the_admins() {
    let (settings, problems) = parse_text(r#"{"Approvers":"!!!"}"#);
    assert_eq!(settings.approvers, [rule("*", vec![Approver::Nobody("!!!".into())])]);
    assert!(settings_with_a_problem(&problems).contains(&key::APPROVERS));
    let (settings, problems) = parse_text(r#"{"Approvers":["alice"]}"#);
    assert_eq!(settings.approvers, []);
    assert!(settings_with_a_problem(&problems).contains(&key::APPROVERS));
}

#[test]
fn recipients_that_blanks_separate_are_of_earlier_versions() {
    let mut problems = Vec::new();
    let recipients = recipients::parse_recipients("ops/one @ann\nops/two", key::RECIPIENTS, &mut problems);
    assert_eq!(recipients.len(), 3);
    assert_eq!(problems.iter().map(|problem| problem.severity).collect::<Vec<_>>(), [Severity::Outdated]);
    // A channel's display name is not taken for a channel and something else.
    assert_eq!(recipients::parse_recipients("ops/Access Requests", key::RECIPIENTS, &mut problems), []);
    assert_eq!(problems.last().map(|problem| problem.severity), Some(Severity::Wrong));
}

/// Rules as they were read, and how severe each problem is.
fn rules(text: &str) -> (Vec<String>, Vec<Severity>) {
    let mut problems = Vec::new();
    let rules = approvers::parse_approvers(text, &mut problems);
    let shown = rules
        .iter()
        .map(|rule| {
            let who = rule.who.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ");
            format!("{} = {} of {who}; deny {}", about(&rule.cluster, &rule.roles), rule.approve, rule.deny)
        })
        .collect();
    (shown, problems.iter().map(|problem| problem.severity).collect())
}

#[test]
fn rules_are_lines_of_a_role_and_who() {
    let (shown, problems) = rules(
        "# production\nprod-* = @Alice, group:SRE; channel-admins\n\ndba = team-admins\ndba = bob; system-admins\nchannel-members",
    );
    assert_eq!(
        shown,
        [
            "prod-* = 1 of alice, group:sre, channel-admins; deny 1",
            "dba = 1 of team-admins, bob, system-admins; deny 1",
            "* = 1 of channel-members; deny 1"
        ]
    );
    // A line that does not say for which roles.
    assert_eq!(problems, [Severity::Outdated]);
}

#[test]
fn rules_say_how_many_people_it_takes() {
    let (shown, problems) = rules(
        "a = 2 of group:sre, @carol\nb = group:sre; deny 2\nc = 3 OF group:sre, carol; Deny 2\nc = 1 of bob; deny 3\nd=20 of group:x\ne = 2 of group:x, deny 2\ndeny = deny, of",
    );
    assert_eq!(
        shown,
        [
            "a = 2 of group:sre, carol; deny 1",
            "b = 1 of group:sre; deny 2",
            // Of two lines about the same the larger number counts.
            "c = 3 of group:sre, carol, bob; deny 3",
            "d = 20 of group:x; deny 1",
            "e = 2 of group:x; deny 2",
            // Users may be called like that.
            "deny = 1 of deny, of; deny 1",
        ]
    );
    assert_eq!(problems, []);
}

#[test]
fn a_number_that_is_none_lets_nobody_decide() {
    for line in [
        "a = 0 of bob",
        "a = 21 of bob",
        "a = 99999999999 of bob",
        "a = bob; deny 0",
        "a = bob; deny 21",
        "a = bob, 2 of carol",
    ] {
        let mut problems = Vec::new();
        let rules = approvers::parse_approvers(line, &mut problems);
        let who = rules.iter().flat_map(|rule| &rule.who);
        let numbered = |who: &&Approver| !matches!(who, Approver::Nobody(_));
        let left = who.filter(numbered).count();
        // What stands before a number in the middle goes on to count.
        assert_eq!(left, usize::from(line.contains("bob, 2 of")), "{line}");
        assert!(problems.iter().any(|problem| problem.severity == Severity::Wrong), "{line}");
        assert!(problems.iter().all(|problem| problem.message.contains("2 of alice, bob, carol")), "{problems:?}");
    }
    // None of these is a smaller number than was meant.
    for line in ["a = -1 of bob", "a = two of bob", "a = 2of bob", "a = 2 of", "a = 1.5 of bob", "a = bob; deny x"] {
        let mut problems = Vec::new();
        let rules = approvers::parse_approvers(line, &mut problems);
        assert!(problems.iter().any(|problem| problem.severity <= Severity::Outdated), "{line}");
        let sure = |who: &Approver| matches!(who, Approver::Username(_));
        assert!(rules.iter().all(|rule| !rule.who.iter().any(sure) || line.contains("deny x")), "{line}: {rules:?}");
    }
}

#[test]
fn a_rule_that_can_never_be_met_is_warned_of() {
    for (line, warnings) in [
        ("a = 2 of bob", 1),
        ("a = 2 of bob, @Bob", 1),
        ("a = bob; deny 2", 1),
        ("a = 2 of bob, carol", 0),
        ("a = 3 of bob, group:sre", 0),
    ] {
        assert_eq!(rules(line).1, vec![Severity::Warning; warnings], "{line}");
    }
}

#[test]
fn rules_of_a_cluster_stand_apart() {
    let (shown, problems) = rules(
        "prod.example.com/dba = bob\ndba = carol\ncluster:tp/dba = dave\nprod.example.com/dba = erin\nteam/dba = frank",
    );
    assert_eq!(
        shown,
        [
            "prod.example.com/dba = 1 of bob, erin; deny 1",
            "dba = 1 of carol; deny 1",
            "cluster:tp/dba = 1 of dave; deny 1",
            "team/dba = 1 of frank; deny 1"
        ]
    );
    assert_eq!(problems, []);
    assert_eq!(rules("prod.example.com/ = bob\ncluster:tp = bob"), (Vec::new(), vec![Severity::Wrong; 2]));
}

#[test]
fn names_are_not_split_at_blanks() {
    // Words of an earlier version, which count if each is somebody, and are told of.
    assert_eq!(rules("a = Bob @carol"), (vec!["a = 1 of bob carol; deny 1".to_owned()], vec![Severity::Outdated]));
    for line in ["a = group:Domain Admins", "a = bob channel-members", "a = bob group:sre", "a = bob !!"] {
        let mut problems = Vec::new();
        let rules = approvers::parse_approvers(line, &mut problems);
        assert!(rules.iter().all(|rule| matches!(rule.who.as_slice(), [Approver::Nobody(_)])), "{rules:?}");
        assert_eq!(problems.first().map(|problem| problem.severity), Some(Severity::Wrong), "{line}");
    }
}

#[test]
fn people_and_recipients_can_be_of_one_cluster() {
    let mut problems = Vec::new();
    let people = people::parse_people("a.b/alice = Ann\nalice = Alice\ncluster:tp/alice = A", &mut problems);
    let of = |cluster: &str| people.iter().filter(|person| person.is_of(cluster)).count();
    assert_eq!((of("a.b"), of("tp"), of("x")), (2, 2, 1));
    people::parse_people("a.b/ = Ann", &mut problems);
    assert_eq!(problems.len(), 1);
    let rules = recipients::parse_role_recipients("a.b/dba = ops/x\ndba = ops/y\na.b/dba = ops/z", &mut problems);
    let shown: Vec<_> = rules.iter().map(|rule| (rule.cluster.as_str(), rule.recipients.len())).collect();
    assert_eq!(shown, [("a.b", 2), ("", 1)]);
}

#[test]
fn a_rule_that_names_nobody_lets_nobody_decide_and_says_so() {
    let mut problems = Vec::new();
    let rules = approvers::parse_approvers("dba =\n= alice\nops = group:", &mut problems);
    assert_eq!(rules.len(), 2);
    assert!(rules.iter().all(|rule| rule.who.iter().all(|who| matches!(who, Approver::Nobody(_)))));
    assert_eq!(problems.len(), 3);
}

#[test]
fn denials_are_asked_for_a_reason_unless_set_otherwise() {
    for (json, asked) in [
        ("{}", AskReason::Deny),
        (r#"{"AskReason":"never"}"#, AskReason::Never),
        (r#"{"askreason":"both"}"#, AskReason::Both),
        (r#"{"AskReason":"sometimes"}"#, AskReason::Both),
    ] {
        assert_eq!(parse_text(json).0.ask_reason, asked, "{json}");
    }
}

#[test]
fn a_flag_that_is_none_counts_as_the_stricter_way() {
    let (settings, problems) = parse_text(r#"{"RequireMFA":"maybe","AllowGuests":3}"#);
    assert!(settings.require_mfa && !settings.allow_guests);
    let named = settings_with_a_problem(&problems);
    assert!(named.contains(&key::REQUIRE_MFA) && named.contains(&key::ALLOW_GUESTS));
    let (settings, _) = parse_text(r#"{"requiremfa":true,"allowguests":"true"}"#);
    assert!(settings.require_mfa && settings.allow_guests);
}

#[test]
fn the_manifest_has_the_same_settings_in_the_same_order_with_the_same_defaults() {
    let manifest: Value = serde_json::from_str(include_str!("../../../plugin.json")).unwrap_or_default();
    let listed = manifest.pointer("/settings_schema/settings").and_then(Value::as_array).cloned().unwrap_or_default();
    let keys: Vec<&str> = listed.iter().filter_map(|setting| setting.get("key")?.as_str()).collect();
    assert_eq!(keys, key::ALL);
    let defaults: BTreeMap<String, Value> = listed
        .iter()
        .filter_map(|setting| Some((setting.get("key")?.as_str()?.to_owned(), setting.get("default")?.clone())))
        .collect();
    let (settings, problems) = parse(&serde_json::to_vec(&defaults).unwrap_or_default());
    assert_eq!(settings, Settings::default());
    assert!(problems.iter().all(|problem| problem.severity == Severity::Missing), "{problems:?}");
    let secret = |setting: &&Value| setting.get("secret").and_then(Value::as_bool) == Some(true);
    let secrets: Vec<&str> = listed.iter().filter(secret).filter_map(|setting| setting.get("key")?.as_str()).collect();
    assert_eq!(secrets, [key::IDENTITY, key::CLIENT_KEY, key::MORE_CLUSTERS, key::SEALING_KEY]);
}

#[test]
fn further_clusters_are_a_list_with_settings_of_their_own() {
    let (settings, problems) = parse_text(
        r#"{"teleportaddress":"one:443","identity":"/one","recipients":"ops/access",
            "moreclusters":"[{\"TeleportAddress\":\"two:443\",\"identity\":\"sealed:v1:abc\",\"Recipients\":\"ops/two\"},{\"Adress\":\"three\"}]"}"#,
    );
    assert_eq!(settings.clusters.len(), 3);
    let second = settings.clusters.get(1).cloned().unwrap_or_default();
    assert_eq!(second.address, Some(Address::Teleport("two:443".into())));
    assert_eq!(second.credentials, Some(CredentialSource::Identity(Source::Sealed("sealed:v1:abc".into()))));
    assert_eq!(second.recipients.len(), 1);
    assert!(problems.iter().all(|problem| problem.setting == key::MORE_CLUSTERS), "{problems:?}");
    assert!(problems.iter().all(|problem| problem.message.starts_with("Cluster 3")), "{problems:?}");
    let (settings, problems) = parse_text(r#"{"moreclusters":"{"}"#);
    assert_eq!(settings.clusters.len(), 1);
    assert!(problems.iter().any(|problem| problem.setting == key::MORE_CLUSTERS));
}

#[test]
fn a_misspelt_key_is_a_warning_with_a_suggestion() {
    let (_, problems) = parse_text(r#"{"Recipient":"ops/x","colour":"red"}"#);
    let warnings: Vec<_> = problems.iter().filter(|problem| problem.severity == Severity::Warning).collect();
    assert_eq!(warnings.len(), 2, "{warnings:?}");
    assert!(warnings.iter().any(|warning| warning.message.contains("Is Recipients meant?")));
}

#[test]
fn reminders_are_spans_and_days_are_numbers() {
    let (settings, problems) =
        parse_text(r#"{"Reminders":"15m, 2h 90","AuditRetentionDays":"30","RequestRetentionDays":7}"#);
    let minutes: Vec<u64> = settings.reminders.iter().map(|span| span.as_secs() / 60).collect();
    assert_eq!(minutes, [120, 90, 15]);
    assert_eq!((settings.audit_days, settings.request_days), (30, 7));
    assert!(problems.iter().all(|problem| problem.severity == Severity::Missing));
    let (settings, problems) = parse_text(
        r#"{"Reminders":"soon, 0m, 99999999999999999999h","AuditRetentionDays":0,"RequestRetentionDays":"x"}"#,
    );
    assert_eq!(settings.reminders, []);
    assert_eq!(problems.iter().filter(|problem| problem.severity == Severity::Wrong).count(), 5, "{problems:?}");
    assert_eq!(parse_text(r#"{"Reminders":""}"#).0.reminders, []);
}

#[test]
fn what_somebody_deletes_is_posted_again_only_where_that_is_set() {
    let is_set = |text: &str| parse_text(text).0.repost_deleted;
    assert!(is_set(r#"{"RepostDeleted":true}"#) && is_set(r#"{"repostdeleted":"true"}"#));
    assert!(!is_set("{}") && !is_set(r#"{"RepostDeleted":false}"#));
}

#[test]
fn an_authority_that_is_none_is_the_one_that_lets_nobody_around_teleport() {
    let (settings, problems) = parse_text(r#"{"Authority":"Aproovers"}"#);
    assert_eq!(settings.authority, Authority::Teleport);
    assert!(settings_with_a_problem(&problems).contains(&key::AUTHORITY));
    for (name, authority) in Authority::ALL {
        assert_eq!(parse_text(&format!(r#"{{"Authority":"{name}"}}"#)).0.authority, authority);
        assert_eq!(authority.name(), name);
    }
}

#[test]
fn accounts_are_mapped_line_by_line() {
    let mut problems = Vec::new();
    let people =
        people::parse_people("# staff\n@Alice = alice@corp\nbob@example.com = Robert\n\nbob2 = Robert", &mut problems);
    let shown: Vec<_> = people.iter().map(|person| (person.mattermost.as_str(), person.teleport.as_str())).collect();
    assert_eq!(shown, [("alice", "alice@corp"), ("bob@example.com", "Robert"), ("bob2", "Robert")]);
    assert_eq!(problems, []);
    people::parse_people("nobody\n= x\na b = c\nx = y\nx = z", &mut problems);
    assert_eq!(problems.len(), 4, "{problems:?}");
}

#[test]
fn recipients_by_role_are_lines_of_a_role_and_where_to() {
    let mut problems = Vec::new();
    let rules =
        recipients::parse_role_recipients("dba = ops/db, @ann\nprod-* = ops/prod\ndba = ops/more", &mut problems);
    let shown: Vec<_> = rules.iter().map(|rule| (rule.roles.as_str(), rule.recipients.len())).collect();
    assert_eq!(shown, [("dba", 3), ("prod-*", 1)]);
    assert_eq!(problems, []);
    recipients::parse_role_recipients("just-text\n= ops/x\ndba =", &mut problems);
    assert_eq!(problems.len(), 3);
}

const KEY_LINE: &str = "MIIEpAIBAAKCAQEAx3xGx0c0b/4Zq+8Q2v0q7u1n5o5Jr3Yk0JmZ0C7oQk1w0m3a";

fn key_block() -> String {
    format!("-----BEGIN RSA PRIVATE KEY-----\n{KEY_LINE}\n-----END RSA PRIVATE KEY-----\n")
}

fn said(problems: &[Problem]) -> String {
    problems.iter().map(|problem| format!("{}: {}\n", problem.setting, problem.message)).collect()
}

#[test]
fn a_private_key_is_refused_in_every_setting_that_is_none_for_it_and_never_shown() {
    let rightful = [key::IDENTITY, key::CLIENT_KEY, key::MORE_CLUSTERS];
    for setting in key::ALL.into_iter().filter(|setting| !rightful.contains(setting)).chain(["Unheard"]) {
        for value in [
            Value::from(key_block()),
            Value::from(key_block().replace('\n', " ")),
            serde_json::json!([key_block()]),
            serde_json::json!({ "a": key_block() }),
        ] {
            let json = serde_json::json!({ setting.to_lowercase(): value }).to_string();
            let (_, problems) = parse_text(&json);
            let wrong = problems.iter().any(|problem| {
                problem.setting.eq_ignore_ascii_case(setting)
                    && problem.severity == Severity::Wrong
                    && problem.message.contains("private key")
            });
            assert!(wrong, "{setting}: {problems:?}");
            assert!(!said(&problems).contains("MIIE"), "{setting}: {problems:?}");
        }
    }
    let of_cluster = |key: &str| {
        let more = serde_json::json!([{ "TeleportAddress": "two:443", key: key_block() }]).to_string();
        let (_, problems) = parse_text(&serde_json::json!({ "MoreClusters": more }).to_string());
        assert!(!said(&problems).contains("MIIE"), "{problems:?}");
        problems.iter().any(|problem| problem.message.contains("There is a private key"))
    };
    for key in [key::TELEPORT_ADDRESS, key::CLIENT_CERTIFICATE, key::CLUSTER_CA, key::RECIPIENTS, "Other"] {
        assert!(of_cluster(key), "{key}");
    }
    assert!(!of_cluster(key::IDENTITY) && !of_cluster(key::CLIENT_KEY));
}

#[test]
fn no_message_tells_a_value_that_cannot_be_read() {
    let long = format!("{}!", "who-is-it ".repeat(30));
    let more = serde_json::json!([key_block()]).to_string();
    for setting in key::ALL {
        for text in [KEY_LINE, &long, &more, &format!("[{{\"Identity\": \"{}", key_block()), &format!("= {KEY_LINE}")] {
            let (_, problems) = parse_text(&serde_json::json!({ setting: text }).to_string());
            let said = said(&problems);
            assert!(!said.contains("MIIE"), "{setting}: {said}");
            assert!(!said.contains(&long.chars().take(42).collect::<String>()), "{setting}: {said}");
        }
    }
    let (_, problems) = parse_text(&format!("{{\"Identity\": \"{}", key_block()));
    assert!(!said(&problems).contains("MIIE"), "{problems:?}");
}

#[test]
fn a_list_of_clusters_that_stays_as_it_is_is_no_problem() {
    for stands_for_one in ["********************************", "sealed:v1:saved"] {
        let (settings, problems) = parse_text(
            &serde_json::json!({ "MoreClusters": stands_for_one, "SealingKey": stands_for_one }).to_string(),
        );
        assert_eq!(settings.clusters.len(), 1);
        assert!(problems.iter().all(|problem| problem.severity == Severity::Missing), "{problems:?}");
    }
}

#[test]
fn plain_http_is_for_a_gateway_on_this_machine_only() {
    for (address, fits) in [
        ("grpc-web+http://localhost:8080", true),
        ("grpc-web+http://LOCALHOST", true),
        ("grpc-web+http://127.0.0.1:8080/teleport", true),
        ("grpc-web+http://127.8.9.1", true),
        ("grpc-web+http://[::1]:8080", true),
        ("grpc-web+https://gateway.example.com", true),
        ("grpc-web+http://gateway.example.com", false),
        ("grpc-web+http://10.0.0.1:8080", false),
        ("grpc-web+http://127.0.0.1.example.com", false),
        ("grpc-web+http://localhost.example.com", false),
        ("grpc-web+http://0.0.0.0:8080", false),
        ("grpc-web+http://", false),
        ("grpc-web+https:///x", false),
        ("grpc-web+ftp://localhost", false),
    ] {
        assert_eq!(address::parse_address(address).is_ok(), fits, "{address}");
    }
    let encrypted = |text: &str| address::parse_address(text).map(|address| address.is_encrypted()).ok();
    assert_eq!(encrypted("grpc-web+http://localhost"), Some(false));
    assert_eq!((encrypted("grpc-web+https://x"), encrypted("tp:443")), (Some(true), Some(true)));
}

#[test]
fn user_info_in_an_address_is_wrong_and_not_told() {
    for address in [
        "https://user:hunter2@tp.example.com",
        "user@tp:443",
        "grpc-web+https://user:hunter2@gateway",
        "grpc-web+http://user:hunter2@localhost",
        "http://user:hunter2@tp",
    ] {
        let problem = address::parse_address(address).err();
        let message = problem.map(|problem| problem.message).unwrap_or_default();
        assert!(message.contains("user name or password") && !message.contains("hunter2"), "{address}: {message}");
    }
}

#[test]
fn the_audit_trails_key_is_a_file() {
    let wrong = |text: &str| {
        let (_, problems) = parse_text(&serde_json::json!({ "AuditSigningKey": text }).to_string());
        problems.iter().any(|problem| problem.setting == key::AUDIT_SIGNING_KEY)
    };
    assert!(!wrong("") && !wrong("/etc/mattermost/audit.key") && !wrong("C:\\keys\\audit.key"));
    assert!(wrong("audit.key") && wrong("sealed:v2:x"));
}

#[test]
fn roles_that_no_recipient_fits_are_told_of() {
    let problem = |recipients: &str, by_role: &str| {
        let json = serde_json::json!({ "Recipients": recipients, "RoleRecipients": by_role }).to_string();
        let problems = parse_text(&json).1;
        problems.into_iter().find(|problem| problem.setting == key::RECIPIENTS).map(|problem| problem.message)
    };
    assert!(problem("", "").is_some_and(|text| text.starts_with("No recipient yet")));
    let gap = problem("", "dba = ops/dba\na.b/web = ops/web").unwrap_or_default();
    assert!(gap.contains("other roles than dba, a.b/web: requests for those are posted nowhere"), "{gap}");
    assert!(problem("", "a.b/* = ops/all").is_some(), "only of one cluster");
    assert_eq!(problem("", "dba = ops/dba\n* = ops/all"), None);
    assert_eq!(problem("ops/all", "dba = ops/dba"), None);
}
