//! How many people it takes: rules of the settings, Teleport's own thresholds, and whose earlier votes and reviews count.

use serde_json::json;
use teleport_access_core::teleport::{Review, State, Threshold};
use teleport_access_core::time::Time;

use crate::cells;
use crate::stage::{DECIDED, DENIED, Seen, Stage, account, group, members, play_all, play_table, request};

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Authority {
    Approvers,
    /// With the setting that overrules Teleport's thresholds.
    Overruling,
    Reviewer,
    Teleport,
}

/// What Teleport's thresholds ask for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Thresholds {
    None,
    One,
    Two,
    Three,
    /// One that no number of approvals meets.
    Zero,
    Filtered,
}

/// What happened before Ann clicks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Earlier {
    Nothing,
    /// Bob has approved.
    Bob,
    BobTwice,
    BobAndCarol,
    /// Bob has approved, and is no approver any more.
    BobLostTheRight,
    BobWasDeactivated,
    /// He stays who he is: his id counts.
    BobWasRenamed,
    /// He is called otherwise, and nobody knows who he is in Teleport.
    BobBecameNobody,
    /// He could be the requester now.
    BobBecameTheRequester,
    /// What he approved had other roles.
    BobOnAnotherRequest,
    BobDenied,
    /// He has approved, and denied since.
    BobThoughtBetter,
    /// Ann has approved already.
    Ann,
    ReviewOfBob,
    /// In Teleport and here: he counts once.
    BobAndReviewOfBob,
    ReviewOfAnn,
    /// By somebody whose account nobody knows.
    ReviewOfNobody,
    /// By a person who is no approver.
    ReviewOfEve,
}

use Authority::{Approvers, Overruling, Reviewer};
use Earlier::*;
use Thresholds::{Filtered, One, Three, Two, Zero};

const AUTHORITIES: &[Authority] = &[Approvers, Overruling, Reviewer, Authority::Teleport];
const RULES: &[u32] = &[1, 2, 3];
const THRESHOLDS: &[Thresholds] = &[Thresholds::None, One, Two, Three, Zero, Filtered];
const EARLIER: &[Earlier] = &[
    Nothing,
    Bob,
    BobTwice,
    BobAndCarol,
    BobLostTheRight,
    BobWasDeactivated,
    BobWasRenamed,
    BobBecameNobody,
    BobBecameTheRequester,
    BobOnAnotherRequest,
    BobDenied,
    BobThoughtBetter,
    Ann,
    ReviewOfBob,
    BobAndReviewOfBob,
    ReviewOfAnn,
    ReviewOfNobody,
    ReviewOfEve,
];

/// Who counts the votes themselves, and Teleport's reviews with them.
const COUNTING: &[Authority] = &[Approvers, Overruling];
const VOTES: &[Authority] = &[Approvers, Overruling, Reviewer];
/// Bob's approval is a good one still.
const BOB_COUNTS: &[Earlier] = &[Bob, BobTwice, BobWasRenamed, BobAndReviewOfBob];
/// Bob clicked, and it counts no more.
const BOB_COUNTS_NOT: &[Earlier] = &[
    BobLostTheRight,
    BobWasDeactivated,
    BobBecameNobody,
    BobBecameTheRequester,
    BobOnAnotherRequest,
    BobDenied,
    BobThoughtBetter,
];
/// Bob, and perhaps others, approved by click.
const BOB_CLICKED: &[Earlier] = &[
    Bob,
    BobTwice,
    BobAndCarol,
    BobLostTheRight,
    BobWasDeactivated,
    BobWasRenamed,
    BobBecameNobody,
    BobBecameTheRequester,
    BobThoughtBetter,
    BobAndReviewOfBob,
];

const REVIEWED: &str = "the plugin has already reviewed";

/// How many it takes, and who has voted: by authority, the number, what happened before, and what Ann reads.
type Row = (&'static [Authority], &'static [u32], &'static [Earlier], &'static str);

const TABLE: &[Row] = &[
    // 0 stands for what no number of people reaches.
    (&[Approvers], &[0], EARLIER, "thresholds in Teleport"),
    // Where the plugin reviews, it does so once, whoever agreed.
    (&[Reviewer], &[1], BOB_CLICKED, REVIEWED),
    (&[Reviewer], &[1], &[Ann], REVIEWED),
    (&[Reviewer], &[2], &[BobAndCarol], REVIEWED),
    // Where one is enough, whoever came first has decided.
    (VOTES, &[1], BOB_CLICKED, "was already approved"),
    (VOTES, &[1], &[Ann], "was already approved"),
    (VOTES, &[1], EARLIER, DECIDED),
    // The second person.
    (VOTES, &[2], &[BobAndCarol], "was already approved"),
    (VOTES, &[2], BOB_COUNTS, DECIDED),
    (COUNTING, &[2], &[ReviewOfBob], DECIDED),
    (VOTES, &[2, 3], &[Ann], "You have voted already: 1 of"),
    (VOTES, &[2], EARLIER, "was counted: 1 of 2"),
    // The third.
    (VOTES, &[3], &[BobAndCarol], DECIDED),
    (VOTES, &[3], BOB_COUNTS, "was counted: 2 of 3"),
    (COUNTING, &[3], &[ReviewOfBob], "was counted: 2 of 3"),
    (VOTES, &[3], BOB_COUNTS_NOT, "was counted: 1 of 3"),
    (VOTES, &[3], EARLIER, "was counted: 1 of 3"),
];

type CountCell = (Authority, u32, Thresholds, Earlier);

/// How many people it takes, 0 where no number is enough.
fn needed(&(authority, rule, thresholds, _): &CountCell) -> u32 {
    match (authority, thresholds) {
        (Approvers, Two) => rule.max(2),
        (Approvers, Three) => 3,
        (Approvers, Zero | Filtered) => 0,
        _ => rule,
    }
}

fn threshold(thresholds: Thresholds) -> Vec<Threshold> {
    let (approve, filter) = match thresholds {
        Thresholds::None => return Vec::new(),
        One => (1, ""),
        Two => (2, ""),
        Three => (3, ""),
        Zero => (0, ""),
        Filtered => (1, "equals(reviewer.roles, \"lead\")"),
    };
    vec![Threshold { name: String::new(), filter: filter.into(), approve, deny: 1 }]
}

fn review(stage: &Stage, author: &str) {
    let review = Review {
        author: author.into(),
        state: State::Approved,
        reason: String::new(),
        created: Some(Time(stage.sim.now())),
        decider: String::new(),
    };
    stage.in_teleport(|request| request.reviews.push(review));
}

fn stage_for(&(authority, rule, thresholds, earlier): &CountCell) -> Stage {
    let settings = json!({
        "authority": match authority {
            Approvers | Overruling => "approvers",
            Reviewer => "reviewer",
            Authority::Teleport => "teleport",
        },
        "overrulethresholds": authority == Overruling,
        "approvers": format!("* = {rule} of group:sre, deny 2"),
        // Eve may not decide, and has a user in Teleport.
        "usermapping": "ann = ann-tp\nbob = bob-tp\ncarol = carol-tp\neve = eve-tp\nbob2 = bob-tp",
    });
    let mut stage = Stage::new(settings, |sim| {
        for (id, name) in [("4nn", "ann"), ("b0b", "bob"), ("car0l", "carol"), ("3ve", "eve")] {
            sim.mattermost.borrow_mut().users.insert(id.into(), account(id, name, &format!("{name}@corp.com")));
        }
        group(sim, "sre-id", "sre", &["4nn", "b0b", "car0l"]);
        members(sim, "channel-one", &["4nn", "b0b", "car0l", "3ve"]);
        sim.teleport.borrow_mut().version = "18.11.0".into();
    });
    stage.pass(1_000);
    let mut filed = request(&stage.sim, &["dba"]);
    filed.thresholds = threshold(thresholds);
    if earlier == BobOnAnotherRequest {
        filed.roles = vec!["reader".into()];
    }
    stage.file(filed);
    stage
}

/// What happens before Ann clicks.
fn happen(stage: &mut Stage, earlier: Earlier) {
    if BOB_CLICKED.contains(&earlier) || earlier == BobOnAnotherRequest {
        stage.click("b0b", "approve");
    }
    match earlier {
        Nothing | Bob => {}
        BobTwice => drop(stage.click("b0b", "approve")),
        BobAndCarol => drop(stage.click("car0l", "approve")),
        BobLostTheRight => drop(stage.sim.mattermost.borrow_mut().memberships.remove(&("sre-id".into(), "b0b".into()))),
        BobWasDeactivated => stage.account("b0b", |user| user.delete_at = 1),
        BobWasRenamed => {
            // The table names his other name as well, once he has it.
            stage.configure(
                json!({ "usermapping": "ann = ann-tp\nb0b@new.com = bob-tp\ncarol = carol-tp\neve = eve-tp" }),
            );
            stage.account("b0b", |user| (user.username, user.email) = ("bob2".into(), "b0b@new.com".into()));
            stage.pass(60_000);
        }
        BobBecameNobody => stage.account("b0b", |user| user.username = "robert".into()),
        BobBecameTheRequester => stage.account("b0b", |user| user.username = "requester".into()),
        BobOnAnotherRequest => {
            let mut other = request(&stage.sim, &["dba"]);
            other.thresholds = stage.sim.teleport.borrow().requests[crate::stage::REQUEST].thresholds.clone();
            stage.file(other);
        }
        BobDenied | BobThoughtBetter => drop(stage.click("b0b", "deny")),
        Ann => drop(stage.click("4nn", "approve")),
        ReviewOfBob | BobAndReviewOfBob => review(stage, "bob-tp"),
        ReviewOfAnn => review(stage, "ann-tp"),
        ReviewOfNobody => review(stage, "nobody-tp"),
        ReviewOfEve => review(stage, "eve-tp"),
    }
    stage.pass(10_000);
}

fn play(cell: &CountCell) -> Seen {
    let mut stage = stage_for(cell);
    happen(&mut stage, cell.3);
    let before = stage.applied();
    let answer = stage.click("4nn", "approve");
    Seen::of(&stage, "4nn", before, answer)
}

#[test]
fn it_takes_as_many_people_as_the_rule_and_the_thresholds_say() {
    // The plugin's one review counts for Teleport as any other does, so its thresholds are no matter of the rule.
    let cells =
        cells!(COUNTING, RULES, THRESHOLDS, EARLIER).chain(cells!([Reviewer], RULES, [Thresholds::None], EARLIER));
    let fits = |row: &Row, cell: &CountCell| {
        row.0.contains(&cell.0) && row.1.contains(&needed(cell)) && row.2.contains(&cell.3)
    };
    play_all(cells, TABLE, fits, |row| row.3, play);
}

/// Where Teleport counts, the rule's number has no effect: by threshold and what happened before.
const TELEPORTS: &[TeleportsRow] = &[
    (ONLY, RULES, &[Thresholds::None, One, Filtered], &[Bob], "was already approved"),
    (ONLY, RULES, THRESHOLDS, &[ReviewOfAnn], "has already reviewed"),
    (ONLY, RULES, THRESHOLDS, &[Nothing, Bob, ReviewOfNobody], DECIDED),
];
const ONLY: &[Authority] = &[Authority::Teleport];

type TeleportsRow = (&'static [Authority], &'static [u32], &'static [Thresholds], &'static [Earlier], &'static str);

#[test]
fn where_teleport_counts_each_click_is_a_review() {
    let earlier = [Nothing, Bob, ReviewOfAnn, ReviewOfNobody];
    play_table(cells!(ONLY, RULES, [Thresholds::None, One, Two, Three, Filtered], earlier), TELEPORTS, play);
}

/// Denials: how many the rule takes, and what happened before.
#[test]
fn a_denial_takes_as_many_people_as_the_rule_says() {
    for (deny, earlier, expected) in [
        (1, Nothing, DENIED),
        (2, Nothing, "was counted: 1 of 2"),
        (2, BobDenied, DENIED),
        (2, Bob, "was counted: 1 of 2"),
        (2, BobThoughtBetter, DENIED),
        (2, BobOnAnotherRequest, "was counted: 1 of 2"),
        (2, BobLostTheRight, "was counted: 1 of 2"),
        (3, BobDenied, "was counted: 2 of 3"),
    ] {
        let cell = (Approvers, 3, Thresholds::None, earlier);
        let mut stage = stage_for(&cell);
        stage.configure(json!({ "approvers": format!("* = 3 of group:sre, deny {deny}") }));
        stage.pass(1_000);
        happen(&mut stage, earlier);
        let before = stage.applied();
        let answer = stage.click("4nn", "deny");
        let decides = expected == DENIED;
        assert!(answer.contains(expected), "{deny} {earlier:?}: {answer}");
        assert_eq!(stage.applied() > before, decides, "{deny} {earlier:?}");
        assert_eq!(stage.state() == Some(State::Denied), decides, "{deny} {earlier:?}");
    }
}
