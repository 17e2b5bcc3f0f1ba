// Shows that the tests catch bugs: each mutant below is a way to break the core, made in a copy of the sources and run until
// a world of the simulation breaks a rule, or until the test target that it names fails.
//
//   mutants.mjs [--seeds=N] [NAME…]  runs those whose names have one of the words in them, or all
//   mutants.mjs --check              only looks whether the place of each is in the sources, exactly once
import { spawnSync } from 'node:child_process';
import { cpSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join, resolve } from 'node:path';

// [name, file, what stands there, what is put there, and so on], caught by the simulation.
const mutants = [
  ['post without writing the intent first', 'desk.rs',
    'if changed {\n        save(lane, epoch, &mut stored, was_finished).await?;', 'if changed && stored.record.revision > 1 {\n        save(lane, epoch, &mut stored, was_finished).await?;'],
  ['post again without looking for a post', 'desk.rs',
    '} else if look || posting.post_id.is_none() {\n            Known::Maybe', '} else if false {\n            Known::Maybe'],
  ['never look a second time', 'desk.rs',
    'let look = (record.look_again || half_done) && waited(lane, id, half_done);', 'let look = false;'],
  ['look a second time at once', 'desk.rs',
    'const LANDING: Duration = Duration::from_secs(60);', 'const LANDING: Duration = Duration::from_secs(1);'],
  ['write the ledger without comparing', 'ledger.rs',
    'Ok(false) => return Err(LedgerError::Conflict),', 'Ok(false) => {}'],
  ['take a lost answer for a failed write', 'decision/refusal.rs',
    'error if error.is_uncertain() => Refused::Uncertain(error.in_markdown().to_string()),', ''],
  ['decide what is not written down', 'decision/execution.rs',
    'audit::begin(app, entry).await.map_err(Refused::NotRecorded)', 'match audit::begin(app, entry).await { Ok(begun) => Ok(begun), Err(_) => { let _ = authorized.way.teleport.decide(Decision { request_id: attempt.request_id.clone(), state: attempt.state, delegator: format!("mattermost:{}", user.email), reason: String::new(), annotations: BTreeMap::new(), roles: Vec::new(), starts: None }).await; Err(Refused::Gone) } }'],
  ['let a dialog be submitted by anybody', 'decision/dialog.rs',
    'if attempt.user_id != submission.user_id {', 'if false {'],
  ['let a decision be made without checking again', 'decision/execution.rs',
    'let current = pending(app, attempt, authorized).await?;', 'let request = authorized.way.teleport.get(&attempt.request_id).await.ok().flatten().ok_or(Refused::Gone)?;\n    let author = authorized.identity.user().unwrap_or_default().to_owned();\n    let current = Current { request, author, needed: super::votes::Needed::ONE };'],
  ['tell news twice', 'desk.rs',
    'let found = if maybe { sole(lane, cluster, record, posting, Some(&news.key)).await? } else { None };', 'let found = if maybe && false { sole(lane, cluster, record, posting, Some(&news.key)).await? } else { None };'],
  ['write records that the index does not name', 'requests/open.rs',
    'let mut new: Vec<&String> = ids.iter().filter(|id| !self.has(id)).collect();', 'let mut new: Vec<&String> = Vec::new();\n        self.place.borrow_mut().extend(ids.iter().map(|id| (id.clone(), 0)));'],
  ['forget the records of versions without an index', 'desk.rs',
    'desk.open.add(mattermost, &open).await?;', 'open.clear();'],
  ['list before the watch stands', 'session/watch.rs',
    'let before = lane.cluster.watch.borrow().clone();', 'let listed = way.teleport.list().await.map_err(|error| explain(address, error))?;\n    let before = lane.cluster.watch.borrow().clone();',
    'let pending = list(lane, way, address).await?;', 'let pending = listed.len();\n    desk::reconcile(lane, listed);'],
  ['do not list on connecting', 'session/watch.rs',
    'let pending = list(lane, way, address).await?;', 'let pending = 0;'],
  ['make the connection anew with every save', 'session.rs',
    'if let Some(way) = endpoints::standing(lane, &endpoint, credentials.as_ref()) {', 'if let Some(way) = endpoints::standing(lane, &endpoint, credentials.as_ref()).filter(|_| false) {'],
  ['make the connection anew for credentials that are sealed', 'session/endpoints.rs',
    'if way.credentials.as_ref() == credentials {\n        return Some(way);', 'if lane.cluster.unproven.get() {\n        return None;\n    }\n    if way.credentials.as_ref() == credentials {\n        return Some(way);'],
  ['open the watch anew with every save', 'session/watch.rs',
    'Some(stands) if stands.generation == way.generation => (stands, None),', 'Some(stands) if stands.generation == u64::MAX => (stands, None),'],
  ['forget the way with every save', 'cluster.rs',
    'if before.address != now.address {', 'if true {'],
  ['end the watch before another one stands', 'session/renewal.rs',
    'let endpoint = endpoints::wanted(&way.cluster, address, &wanted, Some(&usable));', '*lane.cluster.watch.borrow_mut() = None;\n        return Moved::Broken(Trouble::new(Place::Credentials, "They were renewed."));\n        #[allow(unreachable_code)]\n        let endpoint = endpoints::wanted(&way.cluster, address, Some(&usable));'],
  ['do not try renewed credentials out', 'session/renewal.rs',
    'Err(trouble) => return Moved::Not(trouble),\n        };', 'Err(_) => way.server.clone(),\n        };'],
  ['never move over to renewed credentials', 'session/renewal.rs',
    'Ok(usable) if usable.user == now.user && usable.cluster == now.cluster => Ok(Some(usable)),', 'Ok(usable) if usable.user == now.user && usable.cluster == now.cluster => Ok(None),'],
  ['forget an address at once', 'session/endpoints.rs',
    'app.world.sleep(KEPT).await;', ''],
  ['end decisions at another address', 'session/endpoints.rs',
    'cluster: format!("{cluster} {user}@{address}"),', 'cluster: cluster.to_owned(),'],
  ['never forget an address', 'session/endpoints.rs',
    'if !app.lanes().into_iter().any(is_used) {', 'if app.lanes().into_iter().all(|lane| !is_used(lane)) && app.lanes().is_empty() {'],
  ['take what is not shown for withdrawn', 'desk.rs',
    '&& let Some(cure) = not_shown(&way.teleport).await?', '&& let Some(cure) = not_shown(&way.teleport).await?.filter(|_| false)'],
  ['tell a missing right as a vanished request', 'decision/execution.rs',
    'Err(TeleportError::NotFound(_)) => super::admission::gone(authorized).await,', ''],
  ['retire posts before they wake', 'desk.rs',
    'let mut rested = lane.cluster.desk.resting.settle(record);\n    changed |= deliver::retire(lane, record, now);', 'changed |= deliver::retire(lane, record, now);\n    let mut rested = lane.cluster.desk.resting.settle(record);'],
  ['forget what was found deleted before a restart', 'desk.rs',
    '&& !deliver::has_to_replace(lane, record)', ''],
  ['take the buttons from one post of an earlier bot only', 'requests/deliver.rs',
    'Some(_) => left_by(lane, record, &retired).await?,', 'Some(_) if retired.post_id.is_empty() => left_by(lane, record, &retired).await?,\n            Some(_) => Vec::new(),'],
  ['forget what vanished while away', 'desk.rs',
    'for id in missing {\n        note(lane, &id, News::Ask);', 'for id in missing.into_iter().take(0) {\n        note(lane, &id, News::Ask);'],
  ['believe late news', 'desk.rs',
    'if stale || fewer { None } else { Some(request) }', 'if stale && fewer { None } else { Some(request) }'],
  ['ignore the watch', 'desk.rs',
    'Event::Put(request) => note(lane, &request.id.clone(), News::Put(request)),', 'Event::Put(_) => {}'],
  ['do not retry a failed post', 'desk.rs',
    'case.failures = case.failures.saturating_add(1);', 'return;'],
  ['decide without asking Teleport first', 'decision/admission.rs',
    'if request.state != State::Pending {', 'if false {'],
  ['decide without a lock', 'decision/lock.rs',
    'Ok(true) => Ok(Held { key, bytes }),\n        Ok(false) => {', 'Ok(_) => Ok(Held { key, bytes }),\n        #[allow(unreachable_patterns)]\n        Ok(false) => {',
    'Ok(Some(now)) if now == held.bytes => Ok(()),', 'Ok(_) => Ok(()),\n        #[allow(unreachable_patterns)]'],
  ['break a lock at first sight', 'decision/lock.rs',
    'seen.insert(lock.to_vec(), false);', 'seen.insert(lock.to_vec(), true); return true;'],
  ['let everybody decide', 'policy.rs',
    'if !allowed {', 'if false {'],
  ['let everybody review', 'decision/admission.rs',
    'Err(unclear) => Err(unclear.into()),', 'Err(_) => Ok(Some(user.username.clone() + "-tp")),'],
  ['review twice', 'decision/admission.rs',
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
  ['let requests live on that have expired', 'requests/expiry.rs',
    'Outcome::Pending if is_over(request, known, now) => Outcome::Expired,', 'Outcome::Pending if is_over(request, known, now) && false => Outcome::Expired,'],
  ['tell what expired as withdrawn where clocks differ', 'requests/expiry.rs',
    'let expired = request.expires.is_some_and(|expires| expires <= now.plus(TOLERANCE));', 'let expired = request.expires.is_some_and(|expires| expires <= now);'],
  ['let what expired live again where clocks differ', 'requests/expiry.rs',
    'let ahead = if known == Some(Outcome::Expired) { TOLERANCE }', 'let ahead = if known == Some(Outcome::Expired) { Duration::ZERO }'],
  ['try on in archived channels', 'desk.rs',
    '|| !resting::lies_down(lane, id, posting).await)', '|| !(false && resting::lies_down(lane, id, posting).await))'],
  ['never wake what rests', 'requests/resting.rs',
    'Ok(None) => resting.wake(&channel_id),', 'Ok(None) => continue,'],
  ['forget after a restart what rests', 'desk.rs',
    'lane.cluster.desk.resting.remember(&stored.record);', ''],
  ['decide in archived channels', 'decision/admission.rs',
    'return Err(Refused::Archived);', '{}'],
  ['pass over archived channels', 'desk.rs',
    'Err(Unreachable { archived: Some(channel_id), .. }) => {', 'Err(Unreachable { archived: Some(channel_id), .. }) if channel_id.is_empty() => {'],
  ['hear of no edits', 'requests/changed.rs',
    'app.lanes().iter().for_each(|lane| desk::heard(lane, request_id, &change));', ''],
  ['look at no posts', 'requests/changed.rs',
    'changed.iter().flatten().for_each(|id| desk::check_posts(&lane, id));', 'drop(changed);'],
  ['take own writes for edits', 'requests/changed.rs',
    '(change.deleted || !is_own())', '(change.deleted || !is_own() || true)'],
  ['call for no attention', 'requests/changed.rs',
    'if is_changed(mattermost, post_id, hash).await == Ok(true) {\n        desk', 'if is_changed(mattermost, post_id, hash).await == Ok(true) && false {\n        desk'],
  ['take deleted posts for there', 'requests/deliver.rs',
    'posting.gone = true;\n            return Ok(());\n        }\n        Err(error) => return Err(error.to_string()),', 'return Ok(());\n        }\n        Err(error) => return Err(error.to_string()),'],
  ['post again without an end', 'requests/deliver.rs',
    'if posting.take_repair(now) {\n            posting.begin_anew(now);', 'if posting.take_repair(now) || true {\n            posting.begin_anew(now);'],
  ['tell new names again and again', 'rules/pins/renamed.rs',
    'pins.renamed.insert(entry.key(), name.clone());', ''],
  ['keep the buttons', 'messages.rs',
    'actions: if record.outcome == Outcome::Pending { buttons(site, record) } else { Vec::new() },', 'actions: buttons(&Site { offers: crate::ledger::Offers { approve: true, deny: true }, ..site.clone() }, record),'],
];

// The checks of a click, one by one: [test target, name, file, what stands there, what is put there, and so on]. Each is
// caught by the target that it names, because other checks, or the world, keep the simulation from seeing it.
const admission = 'decision/admission.rs';
const checks = [
  ['lib', 'use the connection upgrade though it is never to be used', 'connection/route.rs', 'Upgrade::Never => ConnectionUpgrade::Never,', 'Upgrade::Never => ConnectionUpgrade::Auto,'],
  ['lib', 'keep the authority of the load balancer to itself', 'connection/route.rs', '(upgrade, self.authorities.clone())', '(upgrade, String::new())'],
  ['lib', 'take any text for the authority of the load balancer', 'connection/route.rs', 'if facts.problem() == CredentialProblem::Certificate {', 'if false {'],
  ['lib', 'blame the cluster for what the load balancer does', 'session.rs', 'other => route::explain(&address.to_string(), other, &detail).unwrap_or_else(|| {', 'other => None.unwrap_or_else(|| {\n                let _ = other;'],
  // Who clicks, and with what.
  ['cells', 'take any session', admission,
    'let session = session::judge(&signed_in?, &user.id, settings.session_max_age, app.world.now())?;', 'let _ = signed_in?;\n    let session = SessionKind::Login;'],
  ['cells', 'take sessions of others', 'decision/session.rs', 'if session.user_id != user_id || user_id.is_empty() {', 'if user_id.is_empty() {'],
  ['cells', 'take OAuth apps', 'decision/session.rs', 'if session.is_oauth {', 'if false {'],
  ['cells', 'take access tokens', 'decision/session.rs', '!session.r#type.is_empty() || session.is_bot', 'session.is_bot'],
  ['cells', 'take bots tokens', 'decision/session.rs', '!session.r#type.is_empty() || session.is_bot', '!session.r#type.is_empty()'],
  ['cells', 'take expired sessions', 'decision/session.rs', 'if session.expires_at > 0 && session.expires_at <= now.0 {', 'if false {'],
  ['cells', 'take sessions of any age', 'decision/session.rs', '&& now.since(Time(session.create_at)) > most', '&& now.since(Time(session.create_at)) > most * 1_000'],
  ['cells', 'let bots and guests decide', admission, '    policy::is_fit(&settings, &user)?;\n', ''],
  // The post.
  ['cells', 'take posts of anybody', admission, '&& post.user_id == bot', ''],
  ['cells', 'take replies', admission, '&& post.root_id.is_empty()', ''],
  ['cells', 'take deleted posts', admission, '&& post.delete_at == 0\n        && says(REQUEST_PROP', '&& says(REQUEST_PROP'],
  ['cells', 'take posts of another request', admission, '&& says(REQUEST_PROP, &attempt.request_id)', ''],
  ['cells', 'take posts of another cluster', admission, '&& says(CLUSTER_PROP, &attempt.cluster)', ''],
  ['cells', 'take posts that tell of outcomes', admission, '&& !post.props.contains_key(messages::NEWS_PROP)', ''],
  ['lib', 'take another post than the claimed one', admission, 'post.id == attempt.post_id\n        && ', ''],
  ['cells', 'take copies of the post', admission, 'if genuine && posting.post_id.as_ref() == Some(&post.id) =>', 'if genuine && posting.post_id.is_some() =>'],
  ['lib', 'take any post while there is none', admission, 'if genuine && posting.post_id.is_none() => Err(Refused::NotReady)', 'if genuine && posting.post_id.is_none() => Ok(posting)'],
  ['cells', 'go on without a bot', admission, 'if bot.is_empty() {', 'if false {'],
  ['cells', 'take posts that were not read back', admission, 'if posting.hash.is_empty() {', 'if false {'],
  ['cells', 'take edited posts', admission, 'if digest::of_post(post) != posting.hash {', 'if false {'],
  ['lib', 'take buttons of another request', admission, 'if attempt.digest.is_empty() || attempt.digest != record.digest {', 'if false {'],
  ['cells', 'take threads with parts missing', admission, 'if !find_post(mattermost, &part.post_id).await?.is_some_and(|post| as_written(&post)) {', 'if false {'],
  ['cells', 'take parts that were changed', admission, 'post.delete_at == 0 && digest::of_post(post) == part.hash', 'post.delete_at == 0 && !part.hash.is_empty()'],
  ['cells', 'take verdicts that are not offered', admission, 'if authorized.record.outcome == Outcome::Pending && !offers.has(attempt.state) {', 'if false {'],
  ['cells', 'leave outdated buttons', 'desk.rs', 'check_posts(lane, id));\n    refresh(lane);\n', 'check_posts(lane, id));\n'],
  // The person.
  ['cells', 'take any authority', admission,
    'authority::settled(mattermost, settings.authority, &way.cluster, &way.server).await?;', 'authority::in_force(settings.authority, &way.server)?;'],
  ['cells', 'let requesters decide by another account', 'rules/links/candidates.rs', '} else if identity.may_be(&request.user) {', '} else if false {'],
  ['cells', 'forget who could be the requester', 'rules/links/candidates.rs', 'if record.requester_accounts.contains(&user.id) {', 'if false {'],
  ['own_request', 'take an account with too many names', 'rules/links/mod.rs', 'if self.full {', 'if false {'],
  ['policy', 'let requesters decide by their name', 'policy.rs', 'if is_requester(user, request) {', 'if false {'],
  ['cells', 'let a name change hands', 'rules/pins/mod.rs', 'Approver::Username(name) => pin.id == user.id && username == *name,', 'Approver::Username(name) => username == *name,'],
  ['cells', 'let a name be kept under another', 'rules/pins/mod.rs', 'Approver::Username(name) => pin.id == user.id && username == *name,', 'Approver::Username(_) => pin.id == user.id,'],
  ['cells', 'ask nobody who it is', admission, 'let known = somebody_else(app, authorized, clicker, request).await?;', 'let known = somebody_else(app, authorized, clicker, request).await.ok().flatten();'],
  ['cells', 'let unmapped accounts decide', admission, '&& !mapping::required(app, &way.cluster).await.map_err(Refused::Mattermost)? =>', '=>'],
  ['cells', 'tell strangers what Teleport says', admission,
    '    may_decide(app, &authorized, &authorized.record.request, attempt.state).await?;\n', ''],
  // The request.
  ['cells', 'ask no rules', admission, 'if authorized.authority != Authority::Teleport {\n        needed', 'if false {\n        needed'],
  ['cells', 'approve lasting access', admission, 'if request.kind == Kind::LongTerm {', 'if false {'],
  ['cells', 'approve unknown fields', admission, 'if !approvable.map_err(Refused::Mattermost)? {', 'if !approvable.map_err(Refused::Mattermost)? && false {'],
  ['cells', 'ignore thresholds', admission, 'needed = needed.and(of_thresholds(request)?);', 'let _ = of_thresholds(request);'],
  ['cells', 'never overrule thresholds', admission, 'if !app.settings().overrule_thresholds {', 'if true {'],
  ['cells', 'review a second time', admission, 'if request.reviews.iter().any(|review| review.author == author) {', 'if false {'],
  ['cells', 'approve what was never shown', admission, 'if digest::of_request(&attempt.cluster, &request) != attempt.digest && request.state == State::Pending {', 'if false {'],
  ['cells', 'decide what is decided', admission, 'if request.state != State::Pending {', 'if false {'],
  ['cells', 'ask once only', admission, 'let (author, needed) = may_decide(app, authorized, &request, attempt.state).await?;', 'let (author, needed) = (authorized.identity.user().unwrap_or_default().to_owned(), Needed::ONE);'],
  ['simulation', 'decide what has expired', admission, 'return Err(Refused::Expired(expires));', '{}'],
  ['cells', 'approve in the last seconds', admission, 'if attempt.state == State::Approved && ends_soon && !authorized.way.server.assigns_ids() {', 'if false {'],
  ['lib', 'let a former leader close what is open again', 'requests/open.rs', 'page.mark = mark;', ''],
  ['lib', 'give up what was not written at once', 'requests/open.rs', 'page.raw.as_ref() == Some(&raw) || conflict == Conflict::GiveUp', 'true'],
  // Votes.
  ['cells', 'decide with the first vote', 'decision/execution.rs', 'if counted.count >= needed {', 'if true {'],
  ['cells', 'let people vote again and again', 'decision/execution.rs', '    if again {', '    if false {'],
  ['lib', 'count one person twice', 'decision/votes.rs', 'if seen.insert(vote.user_id.as_str()) && vote.state == state {', 'if { seen.insert(vote.user_id.as_str()); true } && vote.state == state {'],
  ['lib', 'count votes on another request', 'decision/votes.rs', 'votes.iter().rev().filter(|vote| vote.digest == digest)', 'votes.iter().rev().filter(|_| !digest.is_empty())'],
  ['lib', 'count votes of the other kind', 'decision/votes.rs', '&& vote.state == state {', '{'],
  ['cells', 'count votes of former approvers', admission, '        Err(_) => Ok(None),\n', '        Err(_) => Ok(Some(identity)),\n'],
  ['cells', 'count votes of accounts that are nobody', admission, 'Err(Refused::Policy(_) | Refused::Identity(_) | Refused::TooManyNames(_)) => return Ok(None),', 'Err(Refused::Policy(_) | Refused::Identity(_) | Refused::TooManyNames(_)) => {}'],
  ['cells', 'count a voter and their review', 'decision/count.rs', 'let mut count = 0;\n    for review in', 'people.clear();\n    let mut count = 0;\n    for review in'],
  ['cells', 'count reviews of anybody', 'decision/count.rs', 'let Some(identity) = identity else { continue };', 'let identity = identity.unwrap_or_default();'],
  // What is asked and told.
  ['simulation', 'open a dialog for every denial', 'decision/asking.rs', 'settings.require_reason || !offers.deny_with_reason,', 'settings.require_reason || !offers.deny_with_reason || !for_reason,'],
  ['lib', 'let old posts deny at once', 'decision/asking.rs', 'settings.require_reason || !offers.deny_with_reason,', 'settings.require_reason,'],
  ['simulation', 'open no dialog for a reason', 'decision/asking.rs', '(_, State::Denied) if for_reason => true,', ''],
  ['simulation', 'leave out the button for a reason', 'messages.rs', '(site.offers.deny && site.offers.deny_with_reason).then', '(site.offers.deny && false).then'],
  ['simulation', 'tell everybody about their dialogs', 'decision/unsubmitted.rs', 'if !matches!(waits, Ok(Some(_))) {', 'if false && waits.is_err() {'],
  ['simulation', 'tell about dialogs of decided requests', 'decision/unsubmitted.rs', 'stored)) if stored.record.outcome == Outcome::Pending) {', 'stored)) if stored.record.outcome == stored.record.outcome) {'],
  ['simulation', 'tell about dialogs again and again', 'decision/unsubmitted.rs', 'if !matches!(mattermost.kv_swap(told).await, Ok(true)) {', 'if mattermost.kv_swap(told).await.is_err() {'],
  ['simulation', 'tell about dialogs in the channel', 'decision/unsubmitted.rs', 'root_id: attempt.post_id.clone(), message', 'message'],
  ['simulation', 'call who decided', 'text/markdown.rs', 'code(&format!("@{username}"))', 'mention(username)'],
  ['simulation', 'tell decisions before it is known whose they were', 'desk.rs', 'if ballot.is_about_to_be_known(&request, lane.world.now()) {', 'if false {'],
  ['simulation', 'forget the reason that Teleport did not keep', 'messages.rs', 'if kept.is_empty() { own(record)', 'if kept.is_empty() && false { own(record)'],
  ['simulation', 'leave the reason out of the audit trail', 'audit/outcome.rs', 'reason: if decided { messages::resolve_reason(record) }', 'reason: if decided { request.resolve_reason.clone() }'],
  ['lib', 'forget which roles were asked for', 'ledger.rs', '} else if self.outcome == Outcome::Pending && fewer {', '} else if false && fewer {'],
  ['lib', 'take another request for one with fewer roles', 'ledger.rs', 'request.roles.iter().all(|role| self.request.roles.contains(role))\n            && ', ''],
  ['lib', 'show labels as they come', 'decision/choice.rs', 'format!("{}. {}", index + 1, plain(role))', 'format!("{}. {role}", index + 1)'],
  ['cells', 'blame Mattermost for votes that cannot be read', 'decision/execution.rs', 'Refused::Unreadable(votes.to_string())', 'Refused::Mattermost(crate::mattermost::HostError::Invalid(votes.to_string()))'],
  ['cells', 'tell problems in any order', 'app.rs', 'problems.sort_by_key(|problem| problem.severity);', 'problems.reverse();'],
  ['lib', 'echo whatever was typed', 'command.rs', 'code(&clip(word, MOST_ECHOED)))\n}\n\n/// What to do', 'word)\n}\n\n/// What to do'],
  ['lib', 'answer more than a post holds', 'text/length.rs', 'if size + length > room {', 'if size > room {'],
  // The call.
  ['cells', 'go on when the lock is lost', 'decision/lock.rs', 'Ok(Some(now)) if now == held.bytes => Ok(()),', 'Ok(Some(_)) => Ok(()),'],
  ['cells', 'do not read back what was granted', 'decision/execution.rs', 'Some(now) if ballot.is_betrayed(&attempt.cluster, &now) => {', 'Some(now) if ballot.is_betrayed(&attempt.cluster, &now) && false => {'],
  ['cells', 'take nothing back', 'decision/execution.rs', 'let denied = authority == Authority::Approvers && way.teleport.decide(denial).await.is_ok();', 'let _ = (way.teleport.ping().await, denial);\n    let denied = authority == Authority::Approvers;'],
  ['simulation', 'believe that posts stand as they were sent', 'requests/deliver.rs', 'let altered = digest::altered(&sent, &read);\n        let worse', 'let altered = Altered::No;\n        let worse'],
  ['simulation', 'leave what nobody decided to the click', 'desk.rs', 'if ballot.is_betrayed(&cluster, &request) && ', 'if false && '],
  ['simulation', 'let a former bot have buttons', 'requests/deliver.rs', 'attachment.actions.clear());', 'attachment.actions.is_empty());'],
  // Servers of the first years.
  ['simulation', 'ask no right to list', 'session.rs', 'refused(teleport.may_list().await)', 'refused(Ok(()))'],
  ['lib', 'take a hidden denial for a missing request', 'teleport/error.rs', 'tonic::Code::NotFound if detail == HIDDEN_DENIAL =>', 'tonic::Code::NotFound if detail.is_empty() && detail == HIDDEN_DENIAL =>'],
  ['lib', 'give no login to those who need one', 'setup.rs', 'let login = if needs_login(server)', 'let login = if false && needs_login(server)'],
  ['lib', 'open all nodes with a login', 'setup.rs', '    if needs_login(server) {\n        yaml', '    if false {\n        yaml'],
  ['simulation', 'forget how many the rule asks for', admission, 'let mut needed = Needed::ONE;\n    if authorized.authority != Authority::Teleport {\n        needed = rules_let(app, &authorized.user, &authorized.channel_id, &authorized.way.cluster, request).await?;', 'let needed = Needed::ONE;\n    #[allow(unused_mut)]\n    let mut needed = needed;\n    if authorized.authority != Authority::Teleport {\n        rules_let(app, &authorized.user, &authorized.channel_id, &authorized.way.cluster, request).await?;'],
  // What admins are told of by themselves.
  ['simulation', 'tell admins without writing it down first', 'notices/keep.rs', 'let Some(raw) = save(app, raw, &state).await? else { return Ok(()) };', 'let raw = raw.unwrap_or_default();'],
  ['simulation', 'tell admins again what may be there', 'notices/keep.rs', 'if look && sent.post_id.is_none() {', 'if false {'],
  ['simulation', 'look at once for what may yet appear', 'notices/keep.rs', 'if round < since.saturating_add(LANDING_ROUNDS) {', 'if round < *since {'],
  ['lib', 'tell of every request in a message of its own', 'notices/causes.rs', 'if open.contains(key) || !present.is_worth_a_message()', 'if !present.is_worth_a_message()'],
  ['lib', 'list all requests of a burst', 'notices/causes.rs', 'first.truncate(MOST_LISTED);', ''],
  ['lib', 'take what nobody can say for over', 'notices/causes.rs', 'None if view.unjudged.contains(&notice.key) => {}', 'None if false => {}'],
  ['lib', 'forget requests of a cluster that is away', 'notices/causes.rs', 'if view.all_clusters {', 'if true {'],
  ['simulation', 'look at channels and accounts once', 'notices/nowhere.rs', 'if round.is_multiple_of(AFRESH) {', 'if false {'],
  ['simulation', 'post into archived teams', 'recipients.rs', 'if team.delete_at != 0 {', 'if false {'],
  ['simulation', 'take an outage for a cause', 'notices/nowhere.rs', 'Err(unreachable) if unreachable.may_pass => may_pass = true,', ''],
  ['simulation', 'tell nobody that posts are refused', 'requests/footing.rs', '(for_good && !posting.requester && posting.post_id.is_none())', '(for_good && posting.requester && posting.post_id.is_none())'],
  ['simulation', 'tell nobody that nobody can decide', 'notices/nowhere.rs', 'Present { by_itself: true, ', 'Present { by_itself: false, '],
  // Whether anybody can decide.
  ['policy', 'take MFA for set up where the server has none', 'policy.rs', 'if settings.require_mfa && (settings.multi_factor_off || !user.mfa_active) {', 'if settings.require_mfa && !user.mfa_active {'],
  ['policy', 'count deactivated approvers', 'policy/deciders.rs', 'match is_fit(self.settings, &user) {', 'match is_fit(self.settings, &User { delete_at: 0, ..user.clone() }) {'],
  ['policy', 'count members who cannot decide', 'policy/deciders.rs', 'let fit = users.into_iter().filter(|user| is_fit(self.settings, user).is_ok());', 'let fit = users.into_iter();'],
  ['policy', 'count channel roles in direct messages', 'policy/deciders.rs', 'if is_of_channel(approver) && in_channels {', 'if is_of_channel(approver) {'],
  ['pins', 'save MFA that the server does not have', 'checks.rs', 'if let Some(text) = off(new).filter(|_| off(before).is_none()) {', 'if let Some(text) = off(new).filter(|_| off(before).is_some()) {'],
  ['pins', 'save rules that nobody can meet', 'checks.rs', 'let is_new = |rule: &Rule| new.approvers.contains(rule) && !before.approvers.contains(rule);', 'let is_new = |rule: &Rule| new.approvers.contains(rule) && before.approvers.contains(rule);'],
  ['pins', 'take a bot of somebody else', 'checks.rs', 'Ok(bot) if bot.owner_id != plugin => check(', 'Ok(bot) if bot.owner_id.is_empty() => check('],
  ['lib', 'leave roles without a recipient', 'config/recipients.rs', 'if rules.iter().any(|rule| rule.roles == "*" && rule.cluster.is_empty()) {', 'if !rules.is_empty() {'],
];

// Mutants that no test can tell from the original, each with the reason: they are shown, not counted.
const harmless = {
  'believe late news': 'a watch keeps its order, so what is newer follows at once; the post would only flicker',
  'go on after losing the lead': 'compare-and-set in the ledger and the second look mend what two leaders do',
};

const words = process.argv.slice(2);
const wanted = words.filter((word) => !word.startsWith('--'));
const seeds = Number(words.find((word) => word.startsWith('--seeds='))?.slice('--seeds='.length) ?? 200_000);
const all = [...mutants.map((mutant) => ['simulation', ...mutant]), ...checks];

// The source with its bug, or none where its place is not there, or not alone.
function broken(source, changes) {
  for (let at = 0; at < changes.length; at += 2) {
    if (source.split(changes[at]).length !== 2) return undefined;
    source = source.replace(changes[at], () => changes[at + 1]);
  }
  return source;
}

const lost = all.filter(([, , file, ...changes]) => broken(readFileSync(join('core', 'src', file), 'utf8'), changes) === undefined);
for (const [, name, file] of lost) {
  console.error(`mutant "${name}": its place in ${file} is not there, or not alone: mend scripts/mutants.mjs`);
}
const names = all.map(([, name]) => name);
const twice = names.filter((name, at) => names.indexOf(name) !== at);
if (twice.length > 0) console.error(`mutants of the same name: ${twice.join(', ')}`);
const unknown = Object.keys(harmless).filter((name) => !names.includes(name));
if (unknown.length > 0) console.error(`no such mutants: ${unknown.join(', ')}`);
if (lost.length + twice.length + unknown.length > 0) process.exit(1);
if (words.includes('--check')) {
  console.log(`the places of all ${all.length} mutants are there`);
  process.exit(0);
}

const room = resolve('build', 'mutants');
rmSync(join(room, 'core'), { recursive: true, force: true });
mkdirSync(room, { recursive: true });
for (const part of ['Cargo.toml', 'Cargo.lock', 'rust-toolchain.toml', 'plugin.json', 'proto', 'core', 'webapp/wasm', 'webapp/bindgen']) {
  cpSync(part, join(room, part), { recursive: true });
}

// The arguments of cargo for a test target. Only the simulation takes long enough to be worth optimizing.
function target(by) {
  if (by === 'simulation') return ['--profile', 'simulate', '--test', 'simulation', '--', String(seeds)];
  return by === 'lib' ? ['--lib'] : ['--test', by];
}

let escaped = 0;
for (const [by, name, file, ...changes] of all) {
  if (wanted.length > 0 && !wanted.some((word) => name.includes(word))) continue;
  const path = join(room, 'core', 'src', file);
  const source = readFileSync(path, 'utf8');
  writeFileSync(path, broken(source, changes));
  const run = spawnSync(
    'cargo',
    ['test', '--quiet', '--locked', '--package', 'teleport-access-core', ...target(by)],
    { cwd: room, encoding: 'utf8', maxBuffer: 1 << 28, env: { ...process.env, RUSTFLAGS: '--cap-lints warn', CARGO_TARGET_DIR: join(room, 'target'), RUST_BACKTRACE: '0' } },
  );
  writeFileSync(path, source);
  const caught = /seed (\d+) breaks a rule: (.*)/.exec(run.stdout);
  const scene = /scene: (.*) \.\.\. FAILED/.exec(run.stdout);
  const test = /test result: FAILED/.test(run.stdout) && /^    (\S+)$/m.exec(run.stdout.slice(run.stdout.lastIndexOf('failures:')));
  if (scene) console.log(`caught by a scene:    ${name}  (${scene[1]})`);
  else if (caught) console.log(`caught by seed ${caught[1].padStart(6)}: ${name}  (${caught[2].slice(0, 90)})`);
  else if (test) console.log(`caught by ${by.padEnd(11)}: ${name}  (${test[1]})`);
  else if (/could not compile/.test(run.stderr)) {
    console.error(`DOES NOT COMPILE:     ${name}\n${run.stderr.slice(0, 1_500)}`);
    escaped += 1;
  } else if (run.status !== 0) {
    console.error(`mutant "${name}" could not be run:\n${run.stdout.slice(-500)}${run.stderr.slice(-1_500)}`);
    process.exit(1);
  } else if (harmless[name]) console.log(`survives, and may:    ${name}  (${harmless[name]})`);
  else {
    console.log(`NOT CAUGHT by ${by === 'simulation' ? `${seeds} worlds` : by}: ${name}`);
    escaped += 1;
  }
}
console.log(escaped === 0 ? 'every bug was caught' : `${escaped} bugs were not caught`);
process.exit(escaped === 0 ? 0 : 1);
