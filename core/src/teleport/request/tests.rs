use super::*;

fn metadata() -> types::Metadata {
    types::Metadata { name: "an-id".into(), ..Default::default() }
}

fn spec() -> types::AccessRequestSpecV3 {
    types::AccessRequestSpecV3 {
        user: "ann".into(),
        state: types::RequestState::Pending.into(),
        created: Some(prost_types::Timestamp { seconds: 5, nanos: 0 }),
        expires: Some(prost_types::Timestamp { seconds: -62_135_596_800, nanos: 0 }),
        ..Default::default()
    }
}

/// The request with this spec.
fn read(spec: &types::AccessRequestSpecV3) -> AccessRequest {
    AccessRequest::try_from(AccessRequestV3::new(metadata(), spec)).unwrap_or_default()
}

#[test]
fn a_request_is_read_with_teleports_defaults() {
    let request = read(&spec());
    assert_eq!((request.created, request.access_until), (Some(Time(5_000)), None));
    assert_eq!((request.kind, request.state, request.is_approvable()), (Kind::ShortTerm, State::Pending, true));
}

#[test]
fn the_expiry_is_found_where_each_version_keeps_it() {
    let timestamp = |seconds| Some(prost_types::Timestamp { seconds, nanos: 0 });
    let metadata = types::Metadata { expires: timestamp(10), ..metadata() };
    let expires = |spec: &types::AccessRequestSpecV3| {
        AccessRequest::try_from(AccessRequestV3::new(metadata.clone(), spec)).map(|request| request.expires)
    };
    assert_eq!(expires(&spec()), Ok(Some(Time(10_000))));
    assert_eq!(
        expires(&types::AccessRequestSpecV3 { resource_expiry: timestamp(20), ..spec() }),
        Ok(Some(Time(20_000)))
    );
}

#[test]
fn what_is_no_request_is_refused() {
    let without = |strip: fn(&mut AccessRequestV3)| {
        let mut wire = AccessRequestV3::new(metadata(), &spec());
        strip(&mut wire);
        AccessRequest::try_from(wire)
    };
    assert_eq!(without(|wire| wire.metadata = None), Err(Malformed::Missing("metadata")));
    assert_eq!(without(|wire| wire.spec.clear()), Err(Malformed::Missing("spec")));
    assert_eq!(without(|wire| wire.metadata = Some(types::Metadata::default())), Err(Malformed::Missing("id")));
    assert_eq!(
        without(|wire| wire.metadata = Some(types::Metadata { name: "x".repeat(65), ..Default::default() })),
        Err(Malformed::LongId(65))
    );
    assert!(matches!(without(|wire| wire.spec = vec![vec![0x0a, 9]]), Err(Malformed::Spec(id, _)) if id == "an-id"));
}

#[test]
fn an_unknown_state_is_neither_an_error_nor_pending() {
    for number in [0, 5, 9, -1] {
        let request = read(&types::AccessRequestSpecV3 { state: number, ..spec() });
        assert_eq!((request.id.as_str(), request.state, request.is_approvable()), ("an-id", State::Other, false));
    }
    let review = |state| types::AccessReview { author: "bob".into(), proposed_state: state, ..Default::default() };
    let request = read(&types::AccessRequestSpecV3 { reviews: vec![review(0), review(2), review(7)], ..spec() });
    let states: Vec<State> = request.reviews.iter().map(|review| review.state).collect();
    assert_eq!(states, [State::Pending, State::Approved, State::Other]);
}

#[test]
fn only_requests_for_a_while_can_be_approved() {
    for (number, kind) in [
        (0, Kind::ShortTerm),
        (1, Kind::ShortTerm),
        (2, Kind::LongTerm),
        (3, Kind::Unknown(3)),
        (-1, Kind::Unknown(-1)),
    ] {
        let request = read(&types::AccessRequestSpecV3 { request_kind: number, ..spec() });
        assert_eq!((request.kind, request.is_approvable()), (kind, kind == Kind::ShortTerm), "{number}");
    }
}

#[test]
fn a_field_that_nobody_knows_keeps_a_request_from_being_approved_until_it_is_accepted() {
    let mut wire = AccessRequestV3::new(metadata(), &spec());
    // A second piece of the spec counts as its continuation. Field 27, the number 1.
    wire.spec.push(vec![0xd8, 0x01, 0x01]);
    let request = AccessRequest::try_from(wire).unwrap_or_default();
    assert_eq!((request.user.as_str(), request.unknown_fields.as_slice()), ("ann", &["spec.27".to_owned()][..]));
    assert!(!request.is_approvable());
    assert!(!request.is_approvable_with(&["spec.28".to_owned()]));
    assert!(request.is_approvable_with(&["spec.27".to_owned()]));
    let long_term = AccessRequest { kind: Kind::LongTerm, ..request };
    assert!(!long_term.is_approvable_with(&["spec.27".to_owned()]));
}

#[test]
fn thresholds_are_kept_as_teleport_says_them() {
    let index = |indexes: &[u32]| types::ThresholdIndexSet { indexes: indexes.to_vec() };
    let sets = types::ThresholdIndexSets { sets: vec![index(&[0, 1]), index(&[2])] };
    let request = read(&types::AccessRequestSpecV3 {
        thresholds: vec![
            types::AccessReviewThreshold { filter: "equals(1, 1)".into(), approve: 2, ..Default::default() },
            types::AccessReviewThreshold::default(),
        ],
        role_threshold_mapping: [("dba".to_owned(), sets)].into(),
        ..spec()
    });
    let threshold = |filter: &str, approve| Threshold { name: String::new(), filter: filter.into(), approve, deny: 0 };
    assert_eq!(request.thresholds, [threshold("equals(1, 1)", 2), threshold("", 0)]);
    assert_eq!(request.role_thresholds, [("dba".to_owned(), vec![vec![0, 1], vec![2]])].into());
}

fn resource_id(name: &str) -> types::ResourceId {
    types::ResourceId { cluster_name: "tp".into(), kind: "node".into(), name: name.into(), ..Default::default() }
}

#[test]
fn the_list_with_constraints_counts_where_a_resource_is_in_both() {
    use types::resource_constraints::Details;
    let restricted = |name: &str, version: &str, details| types::ResourceAccessId {
        id: Some(resource_id(name)),
        constraints: Some(types::ResourceConstraints { version: version.into(), details }),
    };
    let ssh = |logins: &[&str]| {
        let logins = logins.iter().map(|login| (*login).to_owned()).collect();
        Some(Details::Ssh(types::SshResourceConstraints { logins }))
    };
    let arn = types::AwsConsoleResourceConstraints { role_arns: vec!["arn:aws:iam::1:role/x".into()] };
    let desktop = types::WindowsDesktopResourceConstraints { logins: vec!["Administrator".into()] };
    let request = read(&types::AccessRequestSpecV3 {
        requested_resource_ids: vec![resource_id("plain"), resource_id("both")],
        requested_resource_access_ids: vec![
            restricted("both", "v1", ssh(&["root", "ann"])),
            restricted("aws", "v1", Some(Details::AwsConsole(arn))),
            restricted("desktop", "", Some(Details::WindowsDesktop(desktop))),
            restricted("unknown", "v1", None),
            restricted("nothing", "v1", ssh(&[])),
            restricted("later", "v2", ssh(&["root"])),
            types::ResourceAccessId { id: Some(resource_id("free")), constraints: None },
        ],
        ..spec()
    });
    let shown: Vec<(&str, String)> =
        request.resources.iter().map(|resource| (resource.name.as_str(), resource.constraints.join(", "))).collect();
    let expected = [
        ("plain", ""),
        ("both", "login root, login ann"),
        ("aws", "as role ARN arn:aws:iam::1:role/x"),
        ("desktop", "login Administrator"),
        ("unknown", "restricted"),
        ("nothing", "restricted"),
        ("later", "login root, restricted"),
        ("free", ""),
    ];
    assert_eq!(shown, expected.map(|(name, constraints)| (name, constraints.to_owned())));
}

#[test]
fn what_earlier_versions_stored_is_still_read() {
    let stored = |kind: &str| format!(r#"{{"id":"i","user":"u","roles":[],"state":"pending"{kind}}}"#);
    let kind = |kind: &str| serde_json::from_str(&stored(kind)).map(|request: AccessRequest| request.kind).ok();
    assert_eq!(kind(""), Some(Kind::ShortTerm));
    assert_eq!(kind(r#","long_term":true"#), Some(Kind::LongTerm));
    assert_eq!(kind(r#","long_term":false"#), Some(Kind::ShortTerm));
    for kind in [Kind::ShortTerm, Kind::LongTerm, Kind::Unknown(7)] {
        let request = AccessRequest { kind, unknown_fields: vec!["spec.27".into()], ..Default::default() };
        let text = serde_json::to_string(&request).unwrap_or_default();
        assert_eq!(serde_json::from_str(&text).ok(), Some(request), "{text}");
    }
    let threshold: Option<Threshold> = serde_json::from_str(r#"{"approve":2,"deny":1}"#).ok();
    assert_eq!(threshold.map(|threshold| (threshold.approve, threshold.filter)), Some((2, String::new())));
}
