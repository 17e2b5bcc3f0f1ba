use super::*;
use crate::audit::chain::Tail;

const DAY: i64 = 86_400_000;

fn entry(number: u64) -> String {
    let entry = Entry { request_id: format!("r{number}"), ..Entry::new(Time(5), "bob", Result::Refused) };
    serde_json::to_string(&entry).unwrap_or_default()
}

/// A chain of so many links, one a day, from day 0.
fn chain(name: &str, links: u64) -> (Tail, Vec<String>) {
    let mut tail = Tail::new(name.to_owned());
    let lines = (1..=links).filter_map(|number| tail.append(Time((number as i64 - 1) * DAY), &entry(number))).collect();
    (tail, lines)
}

fn key() -> ed25519_compact::KeyPair {
    ed25519_compact::KeyPair::from_seed(ed25519_compact::Seed::new([7; 32]))
}

/// A checkpoint over heads.
fn checkpoint(tail: &mut Tail, at: i64, heads: Vec<Head>) -> String {
    let (time, key, kept_days) = (Time(at), key(), 7);
    let signature = key.sk.sign(chain::to_sign(time, kept_days, &heads), None);
    let entry = Entry {
        heads,
        kept_days,
        signature: chain::hex(signature.as_ref()),
        public_key: chain::hex(key.pk.as_ref()),
        ..Entry::new(time, "", Result::Checkpoint)
    };
    tail.append(time, &serde_json::to_string(&entry).unwrap_or_default()).unwrap_or_default()
}

fn verify(lines: &[String], against: Against, now: i64) -> Report {
    let mut verifier = Verifier::new(against);
    lines.iter().for_each(|line| verifier.read(line));
    verifier.finish(Time(now))
}

fn findings(lines: &[String]) -> Vec<String> {
    verify(lines, Against::default(), 7 * DAY).findings
}

fn head(tail: &Tail) -> Head {
    tail.head().unwrap_or(Head { chain: String::new(), seq: 0, time: Time(0), hash: String::new() })
}

#[test]
fn a_whole_chain_has_nothing_wrong() {
    let (tail, lines) = chain("aa", 5);
    let report = verify(&lines, Against { heads: vec![head(&tail)], ..Default::default() }, 0);
    assert_eq!((report.links, report.chains, report.findings), (5, 1, vec![]));
    assert_eq!(report.heads, vec![head(&tail)]);
    assert_eq!(head(&tail).to_string().parse(), Ok(head(&tail)));
}

#[test]
fn a_changed_entry_is_found() {
    let (_, mut lines) = chain("aa", 5);
    if let Some(line) = lines.get_mut(2) {
        *line = line.replace("r3", "r9");
    }
    assert!(findings(&lines).iter().any(|finding| finding.contains("Link 3") && finding.contains("was changed")));
}

#[test]
fn an_entry_that_was_changed_and_hashed_again_is_found() {
    let (tail, lines) = chain("aa", 2);
    let (_, other) = chain("aa", 3);
    let mut forged = Tail::new("aa".into());
    let mut all: Vec<String> = [7, 2].iter().filter_map(|number| forged.append(Time(0), &entry(*number))).collect();
    all.extend(other.into_iter().skip(2));
    assert!(findings(&all).iter().any(|finding| finding.contains("does not follow")), "{:?}", findings(&all));
    // Were all that follows made again, only a head that was noted elsewhere shows it.
    let mut all: Vec<String> = Vec::new();
    let mut forged = Tail::new("aa".into());
    all.extend(forged.append(Time(0), &entry(7)));
    all.extend(forged.append(Time(DAY), &entry(2)));
    assert!(findings(&all).is_empty());
    let report = verify(&all, Against { heads: vec![head(&tail)], ..Default::default() }, 0);
    assert!(report.findings.iter().any(|finding| finding.contains("not the one")), "{:?} {lines:?}", report.findings);
}

#[test]
fn a_removed_entry_is_found() {
    let (_, mut lines) = chain("aa", 5);
    lines.remove(2);
    assert_eq!(findings(&lines), ["Links 3 to 3 of chain aa are missing."]);
}

#[test]
fn entries_that_changed_places_are_found() {
    let (_, mut lines) = chain("aa", 5);
    lines.swap(1, 2);
    assert!(findings(&lines).iter().any(|finding| finding.contains("not in its place")), "{:?}", findings(&lines));
}

#[test]
fn an_inserted_entry_is_found() {
    let (_, mut lines) = chain("aa", 5);
    let twice = lines.get(2).cloned().unwrap_or_default();
    lines.insert(3, twice);
    assert!(findings(&lines).iter().any(|finding| finding.contains("there twice")), "{:?}", findings(&lines));
    // Without a link of its own it passes for one of an earlier version only if it has no id, and is counted.
    let (_, mut lines) = chain("aa", 5);
    lines.insert(3, entry(9));
    let report = verify(&lines, Against::default(), 0);
    assert_eq!((report.findings.len(), report.unchained), (0, 1));
}

#[test]
fn a_cut_tail_is_found_by_a_head_that_was_noted() {
    let (tail, mut lines) = chain("aa", 5);
    lines.pop();
    assert!(findings(&lines).is_empty(), "nothing in the file tells");
    let report = verify(&lines, Against { heads: vec![head(&tail)], ..Default::default() }, 0);
    assert!(report.findings.iter().any(|finding| finding.contains("The end of chain aa")), "{:?}", report.findings);
    // A checkpoint in another chain tells as well.
    lines.push(checkpoint(&mut Tail::new("bb".into()), 6 * DAY, vec![head(&tail)]));
    assert!(findings(&lines).iter().any(|finding| finding.contains("The end of chain aa")), "{:?}", findings(&lines));
}

#[test]
fn a_missing_chain_is_found_by_the_one_that_names_it() {
    let (tail, _) = chain("aa", 5);
    let started = Entry { heads: vec![head(&tail)], ..Entry::new(Time(6 * DAY), "", Result::Started) };
    let mut other = Tail::new("bb".into());
    let line = other.append(Time(6 * DAY), &serde_json::to_string(&started).unwrap_or_default());
    let lines: Vec<String> = line.into_iter().collect();
    assert_eq!(findings(&lines).len(), 1);
    assert!(findings(&lines).iter().any(|finding| finding.contains("Chain aa is missing")), "{:?}", findings(&lines));
}

#[test]
fn what_has_been_kept_for_long_enough_may_be_gone_where_a_checkpoint_stands_for_it() {
    let (mut tail, lines) = chain("aa", 5);
    let mut other = Tail::new("bb".into());
    let mark = checkpoint(&mut other, 5 * DAY, vec![head(&tail)]);
    let later = tail.append(Time(12 * DAY), &entry(6)).unwrap_or_default();
    let kept = Against::default();
    let left = [mark.clone(), later.clone()];
    assert!(verify(&left, kept.clone(), 12 * DAY).findings.is_empty());
    // Not while it had to be kept, and not without the checkpoint.
    assert!(!verify(&left, kept.clone(), 11 * DAY - 1).findings.is_empty());
    assert!(!verify(std::slice::from_ref(&later), kept.clone(), 12 * DAY).findings.is_empty());
    // Nor is what follows the checkpoint excused.
    let last = tail.append(Time(13 * DAY), &entry(7)).unwrap_or_default();
    assert!(!verify(&[mark.clone(), last], kept.clone(), 13 * DAY).findings.is_empty());
    // A part of what is past may still stand.
    let half: Vec<String> = lines.into_iter().skip(2).chain([mark, later]).collect();
    assert!(verify(&half, kept, 12 * DAY).findings.is_empty());
}

#[test]
fn a_checkpoint_counts_only_with_its_signature() {
    let (tail, _) = chain("aa", 5);
    let mark = checkpoint(&mut Tail::new("bb".into()), 5 * DAY, vec![head(&tail)]);
    let (text, _) = chain::split(&mark).unwrap_or_else(|| (String::new(), head_link()));
    let mut entry: Entry = serde_json::from_str(&text).unwrap_or_else(|_| Entry::new(Time(0), "", Result::Noted));
    let signed_with = entry.public_key.clone();
    let against = |key: &str| Against { key: key.to_owned(), ..Default::default() };
    assert!(verify(std::slice::from_ref(&mark), against(&signed_with), 20 * DAY).findings.is_empty());
    assert!(verify(&[mark], against("00"), 20 * DAY).findings.iter().any(|finding| finding.contains("another key")));
    entry.time = Time(4 * DAY);
    let line = Tail::new("bb".into()).append(Time(0), &serde_json::to_string(&entry).unwrap_or_default());
    let report = verify(&line.into_iter().collect::<Vec<_>>(), against(""), 20 * DAY);
    assert!(report.findings.iter().any(|finding| finding.contains("signature is wrong")), "{:?}", report.findings);
}

fn head_link() -> Link {
    Link { chain: String::new(), seq: 0, at: Time(0), prev: String::new(), hash: String::new() }
}

#[test]
fn the_export_of_a_period_lacks_neither_what_was_before_nor_what_came_after() {
    let (tail, lines) = chain("aa", 9);
    let part: Vec<String> = lines.iter().skip(3).take(3).cloned().collect();
    let against = Against { is_part: true, ..Default::default() };
    assert!(verify(&part, against.clone(), 0).findings.is_empty());
    let gap: Vec<String> =
        part.iter().enumerate().filter(|(index, _)| *index != 1).map(|(_, line)| line.clone()).collect();
    assert!(!verify(&gap, against.clone(), 0).findings.is_empty());
    let noted = Against { heads: vec![head(&tail)], ..against };
    assert!(!verify(&part, noted, 0).findings.is_empty(), "what was noted must be in it");
}

#[test]
fn two_processes_have_two_chains_in_one_export() {
    let ((_, one), (_, other)) = (chain("aa", 4), chain("bb", 4));
    let lines: Vec<String> = one.into_iter().zip(other).flat_map(|(one, other)| [one, other]).collect();
    let report = verify(&lines, Against::default(), 0);
    assert_eq!((report.findings.len(), report.chains, report.links), (0, 2, 8));
}

#[test]
fn what_people_write_does_not_end_an_entry() {
    let hostile =
        Entry { cause: "\",\"link\":{\"chain\":\"aa\"}}\n".into(), ..Entry::new(Time(0), "m", Result::Refused) };
    let line = Tail::new("aa".into()).append(Time(0), &serde_json::to_string(&hostile).unwrap_or_default());
    let lines: Vec<String> = line.into_iter().collect();
    assert!(findings(&lines).is_empty() && lines.iter().all(|line| line.lines().count() == 1), "{lines:?}");
}
