use super::*;
use crate::config;

fn pin(id: &str, how: How) -> Pin {
    Pin { id: id.into(), name: String::new(), at: Time(0), how, by: String::new(), custom: false }
}

fn pinned(pins: &[(&str, Pin)]) -> Pins {
    let entries = pins.iter().map(|(key, pin)| ((*key).to_owned(), pin.clone())).collect();
    Pins { entries, ..Pins::default() }
}

fn user(id: &str, username: &str) -> User {
    let email = format!("{username}@example.com");
    User { id: id.into(), username: username.into(), email, ..Default::default() }
}

fn person(mattermost: &str) -> Person {
    Person { cluster: String::new(), mattermost: mattermost.into(), teleport: "tp".into() }
}

fn named(id: &str) -> Named {
    Named { id: id.into(), name: String::new() }
}

#[test]
fn each_name_in_the_settings_is_an_entry_once() {
    let json = serde_json::json!({
        "Approvers": "* = @Bob, group:sre, custom-group:crew, channel-members\na = bob erin\nb = bob",
        "UserMapping": "bob = b\nAnn@example.com = a\na.b/bob = c",
        "Recipients": "ops/one, @bob, abcdefghijklmnopqrstuvwxyz",
        "RoleRecipients": "a = ops/one, ops/two",
        "MoreClusters": "[{\"TeleportAddress\":\"two:443\",\"Identity\":\"/id\",\"Recipients\":\"ops/three, x@example.com\"}]",
    });
    let (settings, _) = config::parse(json.to_string().as_bytes());
    let mut keys: Vec<String> = entries(&settings).iter().map(Entry::key).collect();
    keys.sort();
    assert_eq!(
        keys,
        [
            "Approvers|custom-group|crew",
            "Approvers|group|sre",
            "Approvers|user|bob",
            "Approvers|words|bob erin",
            "Recipients|channel|ops/one",
            "Recipients|channel|ops/three",
            "Recipients|channel|ops/two",
            "Recipients|email|x@example.com",
            "Recipients|user|bob",
            "UserMapping|email|ann@example.com",
            "UserMapping|user|bob",
        ]
    );
}

#[test]
fn an_approver_counts_by_name_and_id() {
    let pins = pinned(&[
        ("Approvers|user|bob", pin("b0b", How::Saved)),
        ("Approvers|user|new", pin("", How::FirstSeen)),
        ("Approvers|words|bob erin", pin("b0b er1n", How::FirstSeen)),
        ("Recipients|user|carol", pin("ca", How::Saved)),
    ]);
    let name = |name: &str| Approver::Username(name.into());
    assert!(pins.names(&name("bob"), &user("b0b", "Bob")));
    assert!(!pins.names(&name("bob"), &user("b0b", "bobby")), "renamed");
    assert!(!pins.names(&name("bob"), &user("other", "bob")), "taken over");
    assert!(!pins.names(&name("new"), &user("", "new")), "an account without an id is nobody");
    assert!(!pins.names(&name("new"), &user("n3w", "new")), "nobody's then");
    assert!(!pins.names(&name("carol"), &user("ca", "carol")), "pinned for something else");
    let words = Approver::Words(vec!["bob".into(), "erin".into()]);
    assert!(pins.names(&words, &user("b0b", "bob")) && pins.names(&words, &user("er1n", "erin")));
    assert!(!pins.names(&words, &user("er1n", "bob")) && !pins.names(&words, &user("b0b er1n", "bob")));
}

#[test]
fn a_row_of_the_user_table_counts_for_by_both_and_against_by_either() {
    let pins = pinned(&[
        ("UserMapping|user|bob", pin("b0b", How::Saved)),
        ("UserMapping|email|bob@example.com", pin("b0b", How::Saved)),
        ("UserMapping|email|carol@example.com", pin("ca", How::Accepted)),
    ]);
    let verified = |id: &str, name: &str| User { email_verified: true, ..user(id, name) };
    for (row, user, expected) in [
        ("bob", user("b0b", "bob"), Row::For),
        ("bob", user("b0b", "renamed"), Row::Against),
        ("bob", user("other", "bob"), Row::Against),
        ("bob", user("other", "carol"), Row::Other),
        ("bob@example.com", verified("b0b", "bob"), Row::For),
        ("bob@example.com", user("b0b", "bob"), Row::Against),
        ("bob@example.com", verified("b0b", "renamed"), Row::Against),
        ("bob@example.com", verified("other", "bob"), Row::Against),
        // An admin vouched for the address.
        ("carol@example.com", user("ca", "carol"), Row::For),
        // Never looked up.
        ("erin", user("er1n", "erin"), Row::Against),
    ] {
        assert_eq!(pins.row(&person(row), &user), expected, "{row} {user:?}");
    }
}

#[test]
fn what_an_entry_means_is_compared_with_its_pin() {
    let entry = |kind| Entry::new(key::APPROVERS, kind, "x");
    let one = || Meaning::One(named("a"));
    let custom_pin = Pin { custom: true, ..pin("a", How::Accepted) };
    for (kind, pin, meaning, expected) in [
        (Kind::User, None, one(), Standing::Unseen),
        (Kind::User, Some(pin("a", How::FirstSeen)), one(), Standing::Good),
        (Kind::User, Some(pin("b", How::Accepted)), one(), Standing::Another(named("a"))),
        (Kind::User, Some(pin("", How::Saved)), one(), Standing::Another(named("a"))),
        (Kind::User, Some(pin("", How::Saved)), Meaning::Nobody, Standing::Nobody),
        (Kind::User, Some(pin("a", How::Saved)), Meaning::Nobody, Standing::Gone),
        (Kind::Words, Some(pin("a", How::FirstSeen)), one(), Standing::Doubtful(named("a"))),
        (Kind::Words, Some(pin("a", How::Accepted)), one(), Standing::Good),
        (Kind::Email, Some(pin("a", How::Saved)), Meaning::Unverified(named("a")), Standing::Doubtful(named("a"))),
        (Kind::Email, Some(pin("", How::Saved)), Meaning::Unverified(named("a")), Standing::Doubtful(named("a"))),
        (Kind::Email, Some(pin("a", How::Accepted)), Meaning::Unverified(named("a")), Standing::Good),
        (Kind::Email, Some(pin("b", How::Accepted)), Meaning::Unverified(named("a")), Standing::Another(named("a"))),
        (Kind::Group, Some(pin("", How::FirstSeen)), Meaning::Custom(named("a")), Standing::Doubtful(named("a"))),
        // Synchronised when it was pinned.
        (Kind::Group, Some(pin("a", How::Saved)), Meaning::Custom(named("a")), Standing::Doubtful(named("a"))),
        (Kind::Group, Some(custom_pin), Meaning::Custom(named("a")), Standing::Good),
    ] {
        assert_eq!(judge(&entry(kind), pin.as_ref(), &meaning), expected, "{kind:?} {pin:?} {meaning:?}");
    }
}

#[test]
fn an_entry_gets_a_pin_by_itself_only_for_what_is_certain() {
    let recipient = Entry::new(key::RECIPIENTS, Kind::Email, "x@y");
    let mapped = Entry::new(key::USER_MAPPING, Kind::Email, "x@y");
    let unverified = Meaning::Unverified(named("a"));
    let id = |meaning: &Meaning, entry: &Entry, upgrade| meaning.pin(entry, How::FirstSeen, Time(0), upgrade).id;
    assert_eq!(id(&Meaning::One(named("a")), &mapped, false), "a");
    assert_eq!(id(&Meaning::Custom(named("a")), &mapped, true), "");
    assert_eq!(id(&Meaning::Nobody, &mapped, true), "");
    // Earlier versions posted there.
    assert_eq!(id(&unverified, &recipient, true), "a");
    assert_eq!(id(&unverified, &recipient, false), "");
    assert_eq!(id(&unverified, &mapped, true), "");
}

#[test]
fn what_is_stored_reads_back_and_stays_as_it_is() {
    let accepted = Pin { by: "adm1n".into(), custom: true, ..pin("g", How::Accepted) };
    let text = serde_json::to_string(&accepted).unwrap_or_default();
    assert_eq!(text, r#"{"id":"g","name":"","at":0,"how":"accepted","by":"adm1n","custom":true}"#);
    assert_eq!(serde_json::from_str::<Pin>(&text).ok(), Some(accepted));
    assert_eq!(serde_json::to_string(&How::FirstSeen).ok().as_deref(), Some("\"first-seen\""));
}

#[test]
fn pins_of_entries_that_are_gone_make_room_and_others_never_do() {
    let all: Vec<(String, Pin)> =
        (0..6_010).map(|number| (format!("k{number:05}"), Pin { at: Time(number), ..pin("a", How::Saved) })).collect();
    let mut pins = Pins { entries: all.into_iter().collect(), ..Pins::default() };
    let present: Vec<String> = (0..5).map(|number| format!("k{number:05}")).collect();
    store::prune(&mut pins, &present);
    assert_eq!(pins.entries.len(), 6_000);
    assert!(present.iter().all(|key| pins.entries.contains_key(key)));
    assert!(!pins.entries.contains_key("k00005") && !pins.entries.contains_key("k00014"));
}
