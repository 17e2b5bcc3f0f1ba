//! Names that change hands: before the plugin sees them, before a request is filed, and before the click; and what a name in
//! the settings means after that.

use serde_json::json;
use teleport_access_core::confirmations;

use crate::cells;
use crate::stage::{DECIDED, Seen, Stage, account, group, members, play_table, request};

/// Who clicks. All but Mallory are approvers, by name and as members.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Person {
    Bob,
    /// Has the username that the requester has in Teleport.
    Requester,
    /// Has the requester's name in the address only.
    Robin,
    Mallory,
}

/// What changes about the clicker's account.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Change {
    Nothing,
    Username,
    Address,
    Both,
    /// The requester's username, which is free by then.
    TakesRequestersName,
    /// The approver's username, which is free by then.
    TakesApproversName,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum When {
    /// Before the plugin has ever seen anybody.
    Unseen,
    BeforeFiling,
    BeforeClick,
}

/// How the settings name the approvers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Rule {
    Username,
    Group,
    Channel,
}

/// What says who is which Teleport user.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Mapping {
    Unset,
    Table,
    Trait,
}

use Change::{Address, Both, Nothing, TakesApproversName, TakesRequestersName};
use Mapping::{Table, Trait, Unset};
use Person::{Bob, Mallory, Requester, Robin};
use Rule::{Channel, Group};
use When::{BeforeClick, BeforeFiling, Unseen};

const PEOPLE: &[Person] = &[Bob, Requester, Robin, Mallory];
const CHANGES: &[Change] = &[Nothing, Change::Username, Address, Both, TakesRequestersName, TakesApproversName];
const TIMES: &[When] = &[Unseen, BeforeFiling, BeforeClick];
const RULES: &[Rule] = &[Rule::Username, Group, Channel];
const MAPPINGS: &[Mapping] = &[Unset, Table, Trait];
/// When the plugin had seen what the account was called before.
const SEEN: &[When] = &[BeforeFiling, BeforeClick];
const MAPPED: &[Mapping] = &[Table, Trait];
const OWN: &str = "your own request";
const NOBODY: &str = "no Teleport user is known";
const NO_APPROVER: &str = "not among the approvers";

type Row = (&'static [Person], &'static [Change], &'static [When], &'static [Rule], &'static [Mapping], &'static str);

const TABLE: &[Row] = &[
    // Who was the requester when somebody looked stays it, and who becomes it is it.
    (&[Requester, Robin], CHANGES, SEEN, RULES, MAPPINGS, OWN),
    (PEOPLE, &[TakesRequestersName], TIMES, RULES, MAPPINGS, OWN),
    (&[Requester], &[Nothing, Address], TIMES, RULES, MAPPINGS, OWN),
    (&[Robin], &[Nothing, Change::Username, TakesApproversName], TIMES, RULES, MAPPINGS, OWN),
    // Who had the approver's name when the settings were first seen is meant by it.
    (&[Requester, Mallory], &[TakesApproversName], &[Unseen], &[Rule::Username], MAPPINGS, DECIDED),
    // Where there is a mapping, it means nobody who is called otherwise, nor whoever took a name that it knows.
    (&[Requester], &[TakesApproversName], &[Unseen], &[Group, Channel], MAPPINGS, DECIDED),
    (&[Mallory], &[TakesApproversName], &[Unseen], &[Group, Channel], MAPPINGS, NO_APPROVER),
    (&[Requester, Robin, Mallory], CHANGES, TIMES, RULES, MAPPED, NOBODY),
    (&[Bob], &[Change::Username, Both], TIMES, RULES, MAPPED, NOBODY),
    // Nobody else gets a right by taking a name, and nobody keeps one that a name gave under another name.
    (&[Mallory], CHANGES, TIMES, RULES, MAPPINGS, NO_APPROVER),
    (&[Bob, Requester], &[Change::Username, Both], TIMES, &[Rule::Username], MAPPINGS, NO_APPROVER),
    (&[Robin], &[Both], &[Unseen], &[Rule::Username], MAPPINGS, NO_APPROVER),
    // What nobody ever saw, nobody can know without a mapping; members stay members, whatever they are called.
    (&[Requester], &[Change::Username, Both], &[Unseen], &[Group, Channel], MAPPINGS, DECIDED),
    (&[Robin], &[Address, Both], &[Unseen], RULES, MAPPINGS, DECIDED),
    (&[Bob], CHANGES, TIMES, RULES, MAPPINGS, DECIDED),
];

fn apply(sim: &crate::sim::Sim, person: &str, change: Change) {
    let mut server = sim.mattermost.borrow_mut();
    let mut vacate = |name: &str, other: &str| {
        server.users.values_mut().filter(|user| user.username == name).for_each(|user| user.username = other.into());
    };
    match change {
        TakesRequestersName => vacate("requester", "former"),
        TakesApproversName => vacate("bob", "robert"),
        _ => {}
    }
    let user = server.users.get_mut(person).unwrap();
    match change {
        Nothing => {}
        Change::Username => user.username = "renamed".into(),
        Address => user.email = "renamed@corp.com".into(),
        Both => (user.username, user.email) = ("renamed".into(), "renamed@corp.com".into()),
        TakesRequestersName => user.username = "requester".into(),
        TakesApproversName => user.username = "bob".into(),
    }
}

type NameCell = (Person, Change, When, Rule, Mapping);

fn play(&(person, change, when, rule, mapping): &NameCell) -> Seen {
    let id = match person {
        Bob => "b0b",
        Requester => "r3q",
        Robin => "r0bin",
        Mallory => "mall0ry",
    };
    let settings = json!({
        "approvers": match rule {
            Rule::Username => "bob, requester, robin",
            Group => "group:sre",
            Channel => "channel-members",
        },
        "usermapping": if mapping == Table { "bob = bob-tp\nrequester = requester" } else { "" },
        "usertrait": if mapping == Trait { "mattermost" } else { "" },
    });
    let mut stage = Stage::new(settings, |sim| {
        for (id, name, email) in [
            ("b0b", "bob", "bob@corp.com"),
            ("r3q", "requester", "rq@corp.com"),
            ("r0bin", "robin", "requester@corp.com"),
            ("mall0ry", "mallory", "mallory@corp.com"),
        ] {
            sim.mattermost.borrow_mut().users.insert(id.into(), account(id, name, email));
        }
        group(sim, "sre-id", "sre", &["b0b", "r3q", "r0bin"]);
        members(sim, "channel-one", &["b0b", "r3q", "r0bin"]);
        let traits = [("bob-tp", "bob"), ("requester", "requester")];
        sim.teleport.borrow_mut().traits = traits.map(|(user, name)| (user.into(), vec![name.into()])).to_vec();
        if when == Unseen {
            apply(sim, id, change);
        }
    });
    stage.pass(60_000);
    if when == BeforeFiling {
        apply(&stage.sim, id, change);
    }
    let filed = request(&stage.sim, &["dba"]);
    stage.file(filed);
    if when == BeforeClick {
        apply(&stage.sim, id, change);
    }
    let answer = stage.click(id, "approve");
    Seen::of(&stage, id, 0, answer)
}

#[test]
fn a_name_that_changes_hands_gives_nobody_a_right() {
    play_table(cells!(PEOPLE, CHANGES, TIMES, RULES, MAPPINGS), TABLE, play);
}

/// What names somebody in the settings.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Entry {
    Approver,
    Group,
    /// A line of the user table, where Teleport checks who may decide.
    Line,
}

/// Who clicks after the name has changed hands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Holder {
    Former,
    New,
}

/// What happened since.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Since {
    Nothing,
    Restart,
    /// Other settings were saved.
    OtherSave,
    /// The entry went and came back, without anybody having entered it on the page.
    OutAndIn,
    /// A system admin accepted what the name means now.
    Accepted,
    /// The name went back to whom it meant.
    Returned,
}

const ENTRIES: &[Entry] = &[Entry::Approver, Entry::Group, Entry::Line];
const HOLDERS: &[Holder] = &[Holder::Former, Holder::New];
const SINCE: &[Since] =
    &[Since::Nothing, Since::Restart, Since::OtherSave, Since::OutAndIn, Since::Accepted, Since::Returned];

type PinRow = (&'static [Entry], &'static [Holder], &'static [Since], &'static str);

const PINNED: &[PinRow] = &[
    (ENTRIES, &[Holder::New], &[Since::Accepted], DECIDED),
    (ENTRIES, &[Holder::Former], &[Since::Returned], DECIDED),
    (&[Entry::Line], HOLDERS, SINCE, NOBODY),
    (ENTRIES, HOLDERS, SINCE, NO_APPROVER),
];

fn change_hands(stage: &Stage, entry: Entry, back: bool) {
    let (former, new) = if back { ("bob", "mallory") } else { ("robert", "bob") };
    if entry == Entry::Group {
        let mut server = stage.sim.mattermost.borrow_mut();
        let names = if back { ["sre", "other"] } else { ["sre-old", "sre"] };
        server.groups.iter_mut().zip(names).for_each(|(group, name)| group.name = name.into());
    } else {
        stage.account("b0b", |user| user.username = former.into());
        stage.account("mall0ry", |user| user.username = new.into());
    }
}

fn play_pinned(&(entry, holder, since): &(Entry, Holder, Since)) -> Seen {
    let (setting, named) = match entry {
        Entry::Approver => ("approvers", "bob"),
        Entry::Group => ("approvers", "group:sre"),
        Entry::Line => ("usermapping", "bob = bob-tp"),
    };
    let mut settings = json!({ "authority": if entry == Entry::Line { "teleport" } else { "approvers" } });
    settings[setting] = named.into();
    let mut stage = Stage::new(settings, |sim| {
        for (id, name) in [("b0b", "bob"), ("mall0ry", "mallory"), ("r00t", "root")] {
            let mut user = account(id, name, &format!("{id}@corp.com"));
            user.is_system_admin = id == "r00t";
            sim.mattermost.borrow_mut().users.insert(id.into(), user);
        }
        group(sim, "sre-id", "sre", &["b0b"]);
        group(sim, "other-id", "other", &["mall0ry"]);
        sim.teleport.borrow_mut().version = "18.11.0".into();
    });
    stage.pass(60_000);
    change_hands(&stage, entry, false);
    match since {
        Since::Nothing => {}
        Since::Restart => stage.restart(),
        Since::OtherSave => stage.configure(json!({ "reminders": "5m", "recipients": "ops/one, ops/two" })),
        Since::OutAndIn => {
            stage.configure(json!({ setting: "" }));
            stage.pass(60_000);
            stage.configure(json!({ setting: named }));
        }
        Since::Accepted => {
            stage.pass(60_000);
            let app = std::rc::Rc::clone(&stage.app);
            let confirmed = stage.await_it(async move {
                let waiting = confirmations::list(&app).await.unwrap();
                let pins = waiting.iter().filter(|waiting| waiting.id.starts_with("pin:"));
                let ids: Vec<String> = pins.map(|waiting| waiting.id.clone()).collect();
                for id in &ids {
                    confirmations::confirm(&app, "r00t", id).await.unwrap();
                }
                ids.len()
            });
            assert_eq!(confirmed, 1, "{entry:?}: the changed name is offered to be accepted, and nothing else");
        }
        Since::Returned => change_hands(&stage, entry, true),
    }
    stage.pass(60_000);
    let filed = request(&stage.sim, &["dba"]);
    stage.file(filed);
    let id = if holder == Holder::Former { "b0b" } else { "mall0ry" };
    let answer = stage.click(id, "approve");
    Seen::of(&stage, id, 0, answer)
}

#[test]
fn a_name_that_means_another_id_now_counts_for_nobody_until_an_admin_accepts_it() {
    play_table(cells!(ENTRIES, HOLDERS, SINCE), PINNED, play_pinned);
}
