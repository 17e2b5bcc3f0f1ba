// Shows that the simulation's rules catch bugs: each mutant below is a way to break the core, made in a copy of the
// sources and run until a world breaks a rule. mutants.mjs [NAME…] runs only those.
import { spawnSync } from 'node:child_process';
import { cpSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join, resolve } from 'node:path';

// [name, file, what stands there, what is put there, and so on]
const mutants = [
  ['post without writing the intent first', 'desk.rs',
    'if changed {\n        ledger::save(mattermost, &cluster, &mut stored, settings.request_days).await?;', 'if changed && stored.record.revision > 1 {\n        ledger::save(mattermost, &cluster, &mut stored, settings.request_days).await?;'],
  ['post again without looking for a post', 'desk.rs',
    '} else if look || posting.post_id.is_none() {\n            Known::Maybe', '} else if false {\n            Known::Maybe'],
  ['never look a second time', 'desk.rs',
    'let look = (record.look_again || half_done) && waited(lane, id, half_done);', 'let look = false;'],
  ['look a second time at once', 'desk.rs',
    'const LANDING: Duration = Duration::from_secs(60);', 'const LANDING: Duration = Duration::from_secs(1);'],
  ['write the ledger without comparing', 'ledger.rs',
    'Ok(false) => return Err(LedgerError::Conflict),', 'Ok(false) => {}'],
  ['take a lost answer for a failed write', 'decision/refusal.rs',
    'error if error.is_uncertain() => Refused::Uncertain(error.to_string()),', ''],
  ['decide what is not written down', 'decision/mod.rs',
    'let begun = audit::begin(app, entry).await.map_err(Refused::NotRecorded)?;', 'let begun = match audit::begin(app, entry).await { Ok(begun) => begun, Err(_) => { let _ = admitted.way.teleport.decide(Decision { request_id: id.clone(), state: wish.state, delegator: format!("mattermost:{}", user.email), reason: String::new(), annotations: BTreeMap::new(), roles: Vec::new(), starts: None }).await; return Err(Refused::Gone); } };'],
  ['let a dialog be submitted by anybody', 'decision/dialog.rs',
    'if wish.user_id != submission.user_id {', 'if false {'],
  ['let a dialog decide without checking again', 'decision/mod.rs',
    'let (request, author) = pending(app, wish, admitted).await?;\n    let (id, user)', 'let request = admitted.way.teleport.get(&wish.request_id).await.ok().flatten().ok_or(Refused::Gone)?;\n    let author = admitted.identity.user().unwrap_or_default().to_owned();\n    let (id, user)'],
  ['tell news twice', 'desk.rs',
    "let stands = maybe && sole(lane, cluster, record, posting, Some(&news.key)).await?.is_some();", 'let stands = false;'],
  ['list before the watch stands', 'session.rs',
    'let mut events = way.teleport.watch().await.map_err(explain_here)?;', 'let listed = way.teleport.list().await.map_err(explain_here)?;\n    let mut events = way.teleport.watch().await.map_err(explain_here)?;',
    'let requests = way.teleport.list().await.map_err(explain_here)?;', 'let requests = listed;'],
  ['do not list on connecting', 'session.rs',
    'desk::reconcile(lane, requests);', 'drop(requests);'],
  ['forget what vanished while away', 'desk.rs',
    'for id in missing {\n        note(lane, &id, News::Ask);', 'for id in missing.into_iter().take(0) {\n        note(lane, &id, News::Ask);'],
  ['believe late news', 'desk.rs',
    'if stale || fewer { None } else { Some(request) }', 'if stale && fewer { None } else { Some(request) }'],
  ['ignore the watch', 'desk.rs',
    'Event::Put(request) => note(lane, &request.id.clone(), News::Put(request)),', 'Event::Put(_) => {}'],
  ['do not retry a failed post', 'desk.rs',
    'case.failures = case.failures.saturating_add(1);', 'return;'],
  ['decide without asking Teleport first', 'decision/mod.rs',
    'if request.state != State::Pending {', 'if false {'],
  ['decide without a claim', 'decision/claim.rs',
    'Ok(true) => Ok(bytes),\n        Ok(false) => {', 'Ok(_) => Ok(bytes),\n        #[allow(unreachable_patterns)]\n        Ok(false) => {'],
  ['break a claim at first sight', 'decision/claim.rs',
    'seen.insert(claim.to_vec(), false);', 'seen.insert(claim.to_vec(), true); return true;'],
  ['let everybody decide', 'policy.rs',
    'if !allowed {', 'if false {'],
  ['let requesters decide their own', 'policy.rs',
    'if is_requester(user, request) {', 'if false {'],
  ['let requesters review their own', 'decision/mod.rs',
    'if admitted.identity.may_be(&request.user) {', 'if false {'],
  ['take the request from the click alone', 'decision/mod.rs',
    'may_decide(app, &admitted, &stored.record.request).await?;\n    Ok(admitted)', 'Ok(admitted)'],
  ['let everybody review', 'decision/mod.rs',
    '(Err(unclear), _) => return Err(unclear.into()),', '(Err(_), _) => Some(admitted.user.username.clone() + "-tp"),'],
  ['review twice', 'decision/mod.rs',
    'if request.reviews.iter().any(|review| review.author == author) {', 'if false {'],
  ['tell the requester without writing it down first', 'desk.rs',
    'record.requester_due = matches!(&found, Err(error) if error.may_pass());', 'record.requester_due = false;'],
  ['remind again and again', 'desk.rs',
    'record.reminded.push(minutes);', 'record.reminded.push(minutes + now.0.unsigned_abs());'],
  ['let two workers have one request', 'desk.rs',
    'busy.insert(id.clone());', ''],
  ['go on after losing the lead', 'desk.rs',
    'if lane.epoch.get() == epoch && lane.leader.get() { Ok(()) }', 'if true { Ok(()) }'],
  ['keep finished records for ever', 'ledger.rs',
    'if stored.record.is_finished() { i64::from(days)', 'if false { i64::from(days)'],
  ['keep the buttons', 'messages.rs',
    'actions: if decidable {', 'actions: if true {'],
];

const seeds = 200_000;
const wanted = process.argv.slice(2);
const room = resolve('build', 'mutants');
rmSync(join(room, 'core'), { recursive: true, force: true });
mkdirSync(room, { recursive: true });
for (const part of ['Cargo.toml', 'Cargo.lock', 'rust-toolchain.toml', 'plugin.json', 'proto', 'core', 'webapp/wasm', 'webapp/bindgen']) {
  cpSync(part, join(room, part), { recursive: true });
}

// Mutants that no world can tell from the original, each with the reason: they are shown, not counted.
const harmless = {
  'believe late news': 'a watch keeps its order, so what is newer follows at once; the post would only flicker',
  'take the request from the click alone': 'the same rule is asked again with the request as Teleport has it',
  'let requesters review their own': 'Teleport refuses such a review, and the policy knows the requester by name; core/tests/cells.rs tells the difference',
  'go on after losing the lead': 'compare-and-set in the ledger and the second look mend what two leaders do',
};
let escaped = 0;
for (const [name, file, ...changes] of mutants) {
  if (wanted.length > 0 && !wanted.some((word) => name.includes(word))) continue;
  const path = join(room, 'core', 'src', file);
  const source = readFileSync(path, 'utf8');
  let broken = source;
  for (let at = 0; at < changes.length; at += 2) {
    if (broken.split(changes[at]).length !== 2) {
      console.error(`mutant "${name}": its place in ${file} is not there, or not alone: mend scripts/mutants.mjs`);
      process.exit(1);
    }
    broken = broken.replace(changes[at], () => changes[at + 1]);
  }
  writeFileSync(path, broken);
  const run = spawnSync(
    'cargo',
    ['test', '--quiet', '--locked', '--profile', 'simulate', '--package', 'teleport-access-core', '--test', 'simulation', '--', String(seeds)],
    { cwd: room, encoding: 'utf8', env: { ...process.env, RUSTFLAGS: '--cap-lints warn', CARGO_TARGET_DIR: join(room, 'target'), RUST_BACKTRACE: '0' } },
  );
  writeFileSync(path, source);
  const caught = /seed (\d+) breaks a rule: (.*)/.exec(run.stdout);
  const scene = /scene: (.*) \.\.\. FAILED/.exec(run.stdout);
  if (scene) console.log(`caught by a scene:    ${name}  (${scene[1]})`);
  else if (caught) console.log(`caught by seed ${caught[1].padStart(6)}: ${name}  (${caught[2].slice(0, 90)})`);
  else if (/could not compile/.test(run.stderr)) {
    console.error(`mutant "${name}" does not compile:\n${run.stderr.slice(-1_500)}`);
    process.exit(1);
  } else if (run.status !== 0 || !/ passed, 0 failed/.test(run.stdout)) {
    console.error(`mutant "${name}" could not be run:\n${run.stdout.slice(-500)}${run.stderr.slice(-1_500)}`);
    process.exit(1);
  } else if (harmless[name]) console.log(`survives, and may:    ${name}  (${harmless[name]})`);
  else {
    console.log(`NOT CAUGHT in ${seeds}: ${name}`);
    escaped += 1;
  }
}
console.log(escaped === 0 ? 'every bug was caught' : `${escaped} bugs were not caught`);
process.exit(escaped === 0 ? 0 : 1);
