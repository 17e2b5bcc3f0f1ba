use super::*;

fn waiting(ids: std::ops::Range<usize>) -> BTreeMap<String, BTreeSet<Waiting>> {
    let one = |number: usize| Waiting { id: format!("r{number:03}"), user: "ann".into() };
    BTreeMap::from([("tp".to_owned(), ids.map(one).collect())])
}

fn archived(ids: std::ops::Range<usize>) -> View {
    let present = Present { waiting: waiting(ids), ..Present::new("`ops/access` is not seen", "It is archived.") };
    View {
        present: BTreeMap::from([("recipient:ops/access".to_owned(), present)]),
        clusters: BTreeSet::from(["tp".to_owned()]),
        all_clusters: true,
        ..View::default()
    }
}

fn cured() -> View {
    View { clusters: BTreeSet::from(["tp".to_owned()]), all_clusters: true, ..View::default() }
}

/// Plans, and writes everything that is due. Answers what is written.
fn play(state: &mut State, view: &View) -> Vec<String> {
    let mut number = state.notices.len();
    state.plan(view, &["root".to_owned()], Time(0), || {
        number += 1;
        format!("n{number}")
    });
    write(state)
}

fn write(state: &mut State) -> Vec<String> {
    let mut written = Vec::new();
    for notice in &mut state.notices {
        for index in 0..notice.sent.len() {
            // The line that says that it is over comes after the message.
            let said = notice.clone();
            let Some(sent) = notice.sent.get_mut(index).filter(|sent| said.is_due(sent)) else { continue };
            let edits = if sent.post_id.is_some() { "edit: " } else { "" };
            written.push(format!("{edits}{}", said.message(sent.over)));
            (sent.post_id, sent.shown) = (Some("post".into()), said.revision_of(sent));
        }
    }
    written
}

/// The text at a place.
fn at(texts: &[String], place: usize) -> &str {
    texts.get(place).map_or("", String::as_str)
}

/// What the first admin gets of the first message.
fn first_sent(state: &mut State) -> Option<&mut Sent> {
    state.notices.first_mut().and_then(|notice| notice.sent.first_mut())
}

#[test]
fn a_burst_is_one_message_that_lists_ten_and_counts_the_rest() {
    let mut state = State::default();
    let first = play(&mut state, &archived(0..1));
    assert_eq!(first.len(), 1);
    assert!(at(&first, 0).contains("It is archived.") && at(&first, 0).contains("`r000` of `ann`"), "{first:?}");
    for so_far in [20, 150, 300] {
        let edits = play(&mut state, &archived(0..so_far));
        assert_eq!(edits.len(), 1);
        assert!(
            at(&edits, 0).starts_with("edit: ") && at(&edits, 0).contains(&format!("and {} more", so_far - 10)),
            "{edits:?}"
        );
        assert_eq!(at(&edits, 0).matches("of `ann`").count(), 10);
    }
    assert_eq!(play(&mut state, &archived(0..300)), Vec::<String>::new(), "nothing has changed");
}

#[test]
fn those_that_were_listed_stay_listed_while_they_wait() {
    let mut state = State::default();
    play(&mut state, &archived(5..30));
    let edits = play(&mut state, &archived(0..14));
    assert!(at(&edits, 0).contains("`r013`") && at(&edits, 0).contains("`r005`"), "{edits:?}");
    assert!(at(&edits, 0).contains("`r000`") && !at(&edits, 0).contains("`r001`"), "{edits:?}");
}

#[test]
fn the_end_is_one_line_and_the_same_cause_later_is_a_new_message() {
    let mut state = State::default();
    play(&mut state, &archived(0..3));
    let end = play(&mut state, &cured());
    assert_eq!(end.len(), 2, "{end:?}");
    assert!(at(&end, 0).starts_with("edit: ✅ Over") && at(&end, 1).starts_with("✅ This is over"), "{end:?}");
    assert_eq!(play(&mut state, &cured()), Vec::<String>::new());
    assert_eq!(state, State::default(), "nothing is kept of what is over");
    let again = play(&mut state, &archived(0..1));
    assert_eq!(again.len(), 1);
    assert!(at(&again, 0).starts_with("⚠️"));
}

#[test]
fn a_cause_holds_on_while_nobody_waits_or_nobody_can_say() {
    let mut state = State::default();
    play(&mut state, &archived(0..3));
    let idle = play(&mut state, &archived(0..0));
    assert!(idle.len() == 1 && at(&idle, 0).starts_with("edit: ⚠️") && !at(&idle, 0).contains("r000"), "{idle:?}");
    let unknown = View { unjudged: BTreeSet::from(["recipient:ops/access".to_owned()]), ..cured() };
    assert_eq!(play(&mut state, &unknown), Vec::<String>::new());
    assert_eq!(state.open().len(), 1);
    // And none begins without a request, unless it is one by itself.
    let mut fresh = State::default();
    assert_eq!(play(&mut fresh, &archived(0..0)), Vec::<String>::new());
    let mut alone = archived(0..0);
    alone.present.values_mut().for_each(|present| present.by_itself = true);
    assert_eq!(play(&mut fresh, &alone).len(), 1);
}

#[test]
fn requests_of_a_cluster_that_does_not_answer_stay_listed() {
    let mut state = State::default();
    let mut both = archived(0..2);
    both.clusters.insert("two".into());
    let more = waiting(7..8).remove("tp").unwrap_or_default();
    both.present.values_mut().for_each(|present| drop(present.waiting.insert("two".into(), more.clone())));
    let first = play(&mut state, &both);
    assert!(at(&first, 0).contains("`r007` of `ann` in `two`"), "{first:?}");
    let away = View { all_clusters: false, ..archived(0..1) };
    let edits = play(&mut state, &away);
    assert!(at(&edits, 0).contains("`r007`") && !at(&edits, 0).contains("`r001`"), "{edits:?}");
    let gone = play(&mut state, &archived(0..1));
    assert!(gone.len() == 1 && !at(&gone, 0).contains("`r007`"), "the cluster is not in the settings any more");
}

#[test]
fn whom_nothing_has_reached_hears_of_no_end() {
    let mut state = State::default();
    let mut number = 0;
    let mut id = || {
        number += 1;
        number.to_string()
    };
    state.plan(&archived(0..1), &["root".to_owned(), "away".to_owned()], Time(0), &mut id);
    first_sent(&mut state).into_iter().for_each(|sent| sent.post_id = Some("post".into()));
    assert!(state.plan(&cured(), &[], Time(0), &mut id));
    let written = write(&mut state);
    assert_eq!(written.iter().filter(|text| text.starts_with("✅ This is over")).count(), 1, "{written:?}");
    // What may have reached somebody is looked for first.
    let mut state = State::default();
    state.plan(&archived(0..1), &["root".to_owned()], Time(0), &mut id);
    first_sent(&mut state).into_iter().for_each(|sent| sent.maybe = true);
    state.plan(&cured(), &[], Time(0), &mut id);
    let due = state.notices.iter().flat_map(|notice| notice.sent.iter().map(|sent| notice.is_due(sent)));
    let due: Vec<bool> = due.collect();
    assert_eq!(due, [true, false], "the message, and then the line");
}

#[test]
fn without_admins_nothing_is_begun_and_nothing_is_lost() {
    let mut state = State::default();
    state.plan(&archived(0..1), &[], Time(0), || "id".into());
    assert!(state.notices.is_empty() && state.has_news(&archived(0..1)));
    assert_eq!(play(&mut state, &archived(0..1)).len(), 1);
    assert!(!state.has_news(&archived(0..2)));
}
