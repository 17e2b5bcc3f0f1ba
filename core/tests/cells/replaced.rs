//! The request became another one under the same id: before the click, while a dialog was open, or between the look and the
//! call to Teleport.

use serde_json::json;
use teleport_access_core::teleport::{AccessRequest, Kind, State};
use teleport_access_core::time::Time;

use crate::cells;
use crate::stage::{DECIDED, DENIED, Seen, Stage, TAKEN_BACK, account, play_table, request, resource};

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum What {
    Nothing,
    /// Teleport moves it itself.
    Expires,
    MoreRoles,
    OtherRoles,
    OrderOfRoles,
    User,
    Reason,
    End,
    Start,
    Created,
    Resources,
    Constraints,
    LongTerm,
    UnknownKind,
    UnknownField,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum When {
    /// Nobody has told the plugin.
    BeforeClick,
    /// The plugin knows, and has written the post anew; the click comes from the post as it was.
    BeforeClickAndTold,
    WhileDialogIsOpen,
    /// After the plugin has looked for the last time.
    BetweenLookAndCall,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Verdict {
    Approve,
    Deny,
}

/// Whether the server is told which roles are approved; older ones keep clients' ids as well.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Server {
    /// 4.3: no field for roles.
    Four,
    Thirteen,
    Eighteen,
}

use What::{Constraints, Created, End, Expires, MoreRoles, Nothing, OrderOfRoles, OtherRoles, Start, UnknownField};
use When::{BeforeClick, BeforeClickAndTold, BetweenLookAndCall, WhileDialogIsOpen};

const ALL: &[What] = &[
    Nothing,
    Expires,
    MoreRoles,
    OtherRoles,
    OrderOfRoles,
    What::User,
    What::Reason,
    End,
    Start,
    Created,
    What::Resources,
    Constraints,
    What::LongTerm,
    What::UnknownKind,
    UnknownField,
];
const TIMES: &[When] = &[BeforeClick, BeforeClickAndTold, WhileDialogIsOpen, BetweenLookAndCall];
const VERDICTS: &[Verdict] = &[Verdict::Approve, Verdict::Deny];
const SERVERS: &[Server] = &[Server::Four, Server::Thirteen, Server::Eighteen];
const REPLACED: &str = "no longer what this post showed";

type Row = (&'static [What], &'static [When], &'static [Verdict], &'static [Server], &'static str);

const TABLE: &[Row] = &[
    (&[Nothing, Expires], TIMES, &[Verdict::Approve], SERVERS, DECIDED),
    (&[Nothing, Expires], TIMES, &[Verdict::Deny], SERVERS, DENIED),
    // Whoever denies what took the place of something that they would have denied grants nothing.
    (ALL, &[BetweenLookAndCall], &[Verdict::Deny], SERVERS, DENIED),
    // Start and end are Teleport's to move when it approves, and what a later one writes then is not known. What is filed
    // anew has another time of filing.
    (&[End, Start, OrderOfRoles, UnknownField], &[BetweenLookAndCall], VERDICTS, SERVERS, "You approved"),
    // The server is told which roles are meant, and the new request does not have them.
    (&[OtherRoles], &[BetweenLookAndCall], VERDICTS, &[Server::Thirteen, Server::Eighteen], "Teleport did not accept"),
    // It grants the roles that were shown, and no more.
    (&[MoreRoles], &[BetweenLookAndCall], VERDICTS, &[Server::Thirteen, Server::Eighteen], DECIDED),
    (ALL, &[BetweenLookAndCall], VERDICTS, SERVERS, TAKEN_BACK),
    (ALL, TIMES, VERDICTS, SERVERS, REPLACED),
];

fn change(request: &mut AccessRequest, what: What) {
    let later = |time: Option<Time>| time.map(|time| Time(time.0 + 7_200_000));
    match what {
        Nothing => {}
        Expires => request.expires = later(request.expires),
        MoreRoles => request.roles.push("root".into()),
        OtherRoles => request.roles = vec!["root".into()],
        OrderOfRoles => request.roles.reverse(),
        What::User => request.user = "mallory".into(),
        What::Reason => request.reason = "lunch".into(),
        End => request.access_until = later(request.expires),
        Start => request.starts = later(request.created),
        Created => request.created = request.created.map(|created| Time(created.0 + 1_000)),
        What::Resources => request.resources.push(resource()),
        Constraints => request.resources.iter_mut().for_each(|resource| resource.constraints.clear()),
        What::LongTerm => request.kind = Kind::LongTerm,
        What::UnknownKind => request.kind = Kind::Unknown(9),
        UnknownField => request.unknown_fields.push("spec.99".into()),
    }
}

type ReplacedCell = (What, When, Verdict, Server);

fn play(&(what, when, verdict, server): &ReplacedCell) -> Seen {
    let ask = if when == WhileDialogIsOpen { "both" } else { "never" };
    let mut stage = Stage::new(json!({ "approvers": "bob", "askreason": ask }), |sim| {
        sim.mattermost.borrow_mut().users.insert("b0b".into(), account("b0b", "bob", "bob@corp.com"));
        sim.teleport.borrow_mut().version = match server {
            Server::Four => "4.3.10",
            Server::Thirteen => "13.3.8",
            Server::Eighteen => "18.10.0",
        }
        .into();
    });
    stage.pass(1_000);
    let mut filed = request(&stage.sim, &["dba", "reader"]);
    filed.resources.push(resource());
    filed.reason = "an incident".into();
    let mut other = filed.clone();
    change(&mut other, what);
    stage.file(filed);
    let mut click = stage.click_of("b0b", if verdict == Verdict::Approve { "approve" } else { "deny" }, &stage.post());
    if when == WhileDialogIsOpen {
        // On the button that asks for a reason.
        click.context.insert("asks".to_owned(), "reason".to_owned());
    }
    let session = click.session_id.clone();
    let answer = match when {
        BeforeClick => {
            stage.in_teleport(|request| *request = other);
            stage.send(click)
        }
        BeforeClickAndTold => {
            stage.file(other);
            stage.send(click)
        }
        WhileDialogIsOpen => {
            assert_eq!(stage.send(click), "", "the dialog does not open");
            stage.in_teleport(|request| *request = other);
            stage.submit("b0b", &session)
        }
        BetweenLookAndCall => {
            *stage.sim.before_decision.borrow_mut() = Some(other);
            stage.send(click)
        }
    };
    let mut seen = Seen::of(&stage, "b0b", 0, answer);
    if seen.answer.contains(TAKEN_BACK) {
        assert_eq!(stage.state(), Some(State::Denied), "{what:?} {server:?} stays granted");
        seen.carried_out = false;
    }
    // Nobody granted what nobody saw.
    let granted = stage.state() == Some(State::Approved);
    let roles = stage.sim.teleport.borrow().requests[crate::stage::REQUEST].roles.clone();
    assert!(!granted || !roles.contains(&"root".to_owned()), "{what:?} {when:?} {server:?} grants {roles:?}");
    seen
}

#[test]
fn what_took_the_place_of_what_was_shown_is_not_granted() {
    play_table(cells!(ALL, TIMES, VERDICTS, SERVERS), TABLE, play);
}
