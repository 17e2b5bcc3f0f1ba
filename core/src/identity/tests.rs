//! Who is taken for whom, for and against.

use super::*;

fn settings(people: &[(&str, &str, &str)], match_email: bool) -> Settings {
    let people = people.iter().map(|(cluster, mattermost, teleport)| Person {
        cluster: (*cluster).to_owned(),
        mattermost: (*mattermost).to_owned(),
        teleport: (*teleport).to_owned(),
    });
    Settings { people: people.collect(), match_email, ..Settings::default() }
}

fn user(username: &str, email: &str, email_verified: bool) -> User {
    User { id: "id".into(), username: username.into(), email: email.into(), email_verified, ..User::default() }
}

fn traited(users: &[(&str, &[&str])], pinned: &[(&str, &str)]) -> Traited {
    let values = |values: &[&str]| values.iter().map(|value| (*value).to_owned()).collect();
    let users = users.iter().map(|(user, all)| ((*user).to_owned(), values(all))).collect();
    let pinned = TraitPins::of_values(pinned);
    Traited { users: Rc::new(users), all: Rc::new(pinned.clone()), fresh: pinned }
}

#[test]
fn what_is_remembered_and_what_is_alike_counts_against_only() {
    let settings = settings(&[("", "annie", "ann-tp"), ("", "ann@corp.com", "ann2-tp")], false);
    let book = r#"{"names":[{"name":"annie","seen":1}],"users":[{"cluster":"tp","user":"Old-TP","seen":1},{"cluster":"other","user":"far-tp","seen":1}]}"#;
    let kept = Kept { book: serde_json::from_str(book).unwrap_or_default(), ..Kept::default() };
    let traited = traited(
        &[("trait-tp", &["ann+x@home.net"]), ("pinned-tp", &["was-ann"]), ("none-tp", &["", "bob"])],
        &[("was-ann", "id")],
    );
    let identity = judge(&settings, "tp", &traited, &user("ann", "", false), &kept);
    assert_eq!(identity.user(), Err(Unclear::Unmapped));
    for (name, expected) in [
        ("ann-tp", true),
        ("ann2-tp", true),
        ("trait-tp", true),
        ("pinned-tp", true),
        ("old-tp", true),
        ("old-tp+1@x.com", true),
        ("Annie@corp.com", true),
        ("ann", true),
        ("far-tp", false),
        ("none-tp", false),
        ("bob", false),
        ("", false),
    ] {
        assert_eq!(identity.may_be(name), expected, "{name:?}");
    }
}

#[test]
fn a_line_of_the_table_counts_for_whom_it_meant_and_against_whoever_else_has_the_name() {
    let settings = settings(&[("", "ann", "ann-tp"), ("tp", "ann", "ann-of-tp"), ("other", "ann", "far-tp")], false);
    let of = |pinned: &str| {
        let kept = Kept { pins: Pins::of_people(&[("ann", pinned)]), ..Kept::default() };
        judge(&settings, "tp", &Traited::default(), &user("ann", "", false), &kept)
    };
    assert_eq!(of("id").user(), Ok("ann-of-tp"), "a line about the cluster counts before one about all");
    assert!(of("id").may_be("ann-tp") && !of("id").may_be("far-tp"));
    assert_eq!(of("else").user(), Err(Unclear::Unmapped));
    assert!(of("else").may_be("ann-tp") && of("else").may_be("ann-of-tp"));
}

#[test]
fn an_address_counts_for_somebody_once_it_is_verified_or_accepted() {
    let settings = settings(&[], true);
    let of = |verified, address_accepted| {
        let kept = Kept { address_accepted, ..Kept::default() };
        let ann = user("x", "Ann@corp.com", verified);
        judge(&settings, "tp", &Traited::default(), &ann, &kept).user().map(str::to_owned)
    };
    assert_eq!(of(false, false), Err(Unclear::Unmapped));
    assert_eq!(of(true, false), Ok("ann@corp.com".into()));
    assert_eq!(of(false, true), Ok("ann@corp.com".into()));
}

#[test]
fn teleports_capitals_are_found_by_an_address_in_lower_case() {
    let settings = settings(&[], true);
    let robin = user("robin", "robin@example.com", true);
    let by_trait = traited(&[("Robin@Example.com", &["@robin"])], &[("robin", "id")]);
    let by_trait = judge(&settings, "tp", &by_trait, &robin, &Kept::default());
    assert_eq!(by_trait.user(), Ok("Robin@Example.com"), "the trait and the address are one user");
    let names = |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect::<Vec<_>>();
    for (known, expected) in [
        (names(&["Robin@Example.com", "Robina@Example.com"]), Ok("Robin@Example.com")),
        (names(&["robin@example.com"]), Ok("robin@example.com")),
        // People who sign in by single sign-on need not exist there at every moment.
        (names(&["else"]), Ok("robin@example.com")),
    ] {
        let mut identity = judge(&settings, "tp", &Traited::default(), &robin, &Kept::default());
        identity.restore_capitals(&known);
        assert_eq!(identity.user(), expected, "{known:?}");
    }
    let mut identity = judge(&settings, "tp", &Traited::default(), &robin, &Kept::default());
    identity.restore_capitals(&names(&["Robin@Example.com", "robin@example.com"]));
    assert!(matches!(identity.user(), Err(Unclear::Ambiguous(_))), "of two that differ in capitals none is meant");
}
