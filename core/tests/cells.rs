//! Who may decide what: every combination of authority, clicker, mapping and state, with the outcome that is expected, on
//! the whole core. The first row of the table that fits a cell counts. Beside it there is a table for each theme whose
//! circumstances need not be multiplied with all of these.
#![allow(missing_docs, unreachable_pub, dead_code, clippy::unwrap_used, clippy::indexing_slicing, clippy::panic)]

#[path = "cells/counts.rs"]
mod counts;
#[path = "cells/facts.rs"]
mod facts;
#[path = "cells/names.rs"]
mod names;
#[path = "simulation/ports.rs"]
mod ports;
#[path = "cells/posts.rs"]
mod posts;
#[path = "cells/replaced.rs"]
mod replaced;
#[path = "simulation/servers.rs"]
mod servers;
#[path = "cells/sessions.rs"]
mod sessions;
#[path = "simulation/sim.rs"]
mod sim;
#[path = "cells/stage.rs"]
mod stage;
#[path = "cells/standing.rs"]
mod standing;
#[path = "simulation/teleport.rs"]
mod teleport;
#[path = "cells/words.rs"]
mod words;

use std::cell::Cell;
use std::collections::BTreeMap;
use std::rc::Rc;

use futures::executor::LocalPool;
use futures::task::LocalSpawnExt;
use teleport_access_core::app::{App, Host};
use teleport_access_core::audit::{self, Entry};
use teleport_access_core::decision::{self, Click};
use teleport_access_core::mattermost::User;
use teleport_access_core::messages::REQUEST_PROP;
use teleport_access_core::teleport::{AccessRequest, Kind, Review, State};
use teleport_access_core::time::Time;

use crate::ports::{NodeWorld, SimBridge, SimMattermost};
use crate::servers::BOT;
use crate::sim::{DAWN, Sim};

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Authority {
    AutoOld,
    AutoNew,
    TeleportOld,
    TeleportNew,
    Approvers,
    Reviewer,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Clicker {
    Anonymous,
    Stranger,
    Approver,
    SystemAdmin,
    Guest,
    Bot,
    Deactivated,
    /// Has the username that the requester has in Teleport.
    Requester,
}

/// What says which Teleport user the clicker is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Mapping {
    /// Nothing says which account is which Teleport user.
    Unset,
    /// Something does, and knows nothing of this account.
    Nothing,
    Table,
    TableByEmail,
    Trait,
    TraitByEmail,
    Email,
    /// Somebody else's address, which the clicker entered but never verified.
    UnverifiedEmail,
    TwoTraits,
    /// The table says who it is, which ends all doubt.
    TableOverTwoTraits,
    /// The requester's second account.
    RequesterByTable,
    RequesterByTrait,
    RequesterByUnverifiedTrait,
    /// Their own user by the table, and the requester's by a trait.
    TableAndRequesterByTrait,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Situation {
    Pending,
    Approved,
    Denied,
    Promoted,
    Gone,
    LongTerm,
    /// Whoever the review would be of has reviewed.
    Reviewed,
}

use Authority::{Approvers, AutoNew, AutoOld, Reviewer, TeleportNew, TeleportOld};
use Clicker::{Anonymous, Approver, Bot, Deactivated, Guest, Requester, Stranger, SystemAdmin};
use Mapping::{
    Email, Nothing, RequesterByTable, RequesterByTrait, RequesterByUnverifiedTrait, Table, TableAndRequesterByTrait,
    TableByEmail, TableOverTwoTraits, Trait, TraitByEmail, TwoTraits, Unset, UnverifiedEmail,
};
use Situation::{Approved, Denied, Gone, LongTerm, Pending, Promoted, Reviewed};

const AUTHORITIES: &[Authority] = &[AutoOld, AutoNew, TeleportOld, TeleportNew, Approvers, Reviewer];
const CLICKERS: &[Clicker] = &[Anonymous, Stranger, Approver, SystemAdmin, Guest, Bot, Deactivated, Requester];
const MAPPINGS: &[Mapping] = &[
    Unset,
    Nothing,
    Table,
    TableByEmail,
    Trait,
    TraitByEmail,
    Email,
    UnverifiedEmail,
    TwoTraits,
    TableOverTwoTraits,
    RequesterByTable,
    RequesterByTrait,
    RequesterByUnverifiedTrait,
    TableAndRequesterByTrait,
];
const SITUATIONS: &[Situation] = &[Pending, Approved, Denied, Promoted, Gone, LongTerm, Reviewed];

/// Any of them.
const ANY_AUTHORITY: &[Authority] = AUTHORITIES;
const ANY_CLICKER: &[Clicker] = CLICKERS;
const ANY_MAPPING: &[Mapping] = MAPPINGS;
const ANY_SITUATION: &[Situation] = SITUATIONS;
/// Where Teleport checks who may decide.
const TELEPORT: &[Authority] = &[AutoNew, TeleportNew];
/// Where the settings' approvers do.
const RULES: &[Authority] = &[AutoOld, Approvers, Reviewer];
const DECIDED: &str = "You approved";

type Row = (&'static [Authority], &'static [Clicker], &'static [Mapping], &'static [Situation], &'static str);

const TABLE: &[Row] = &[
    // Accounts that decide nothing, ever.
    (ANY_AUTHORITY, &[Anonymous], ANY_MAPPING, ANY_SITUATION, "Sign in to Mattermost"),
    (ANY_AUTHORITY, &[Bot, Deactivated], ANY_MAPPING, ANY_SITUATION, "only active accounts of people"),
    (ANY_AUTHORITY, &[Guest], ANY_MAPPING, ANY_SITUATION, "guests cannot decide"),
    // A server that cannot do what is asked for: nothing is decided in some other way.
    (&[TeleportOld], ANY_CLICKER, ANY_MAPPING, ANY_SITUATION, "takes 18.11 or later"),
    // One's own request, whatever points to it.
    (ANY_AUTHORITY, &[Requester], ANY_MAPPING, ANY_SITUATION, "your own request"),
    (
        ANY_AUTHORITY,
        ANY_CLICKER,
        &[RequesterByTable, RequesterByTrait, RequesterByUnverifiedTrait, TableAndRequesterByTrait],
        ANY_SITUATION,
        "your own request",
    ),
    // Nobody knows who it is.
    (ANY_AUTHORITY, ANY_CLICKER, &[TwoTraits], ANY_SITUATION, "could be any of the Teleport users"),
    (TELEPORT, ANY_CLICKER, &[Unset], ANY_SITUATION, "no Teleport user is known"),
    // Where there is a mapping, whoever is nobody decides nothing under any authority.
    (ANY_AUTHORITY, ANY_CLICKER, &[Nothing, UnverifiedEmail], ANY_SITUATION, "no Teleport user is known"),
    // Not among those who may.
    (RULES, &[Stranger, SystemAdmin], ANY_MAPPING, ANY_SITUATION, "not among the approvers"),
    // What nobody can decide here.
    (ANY_AUTHORITY, ANY_CLICKER, ANY_MAPPING, &[LongTerm], "lasting access"),
    (ANY_AUTHORITY, ANY_CLICKER, ANY_MAPPING, &[Approved], "was already approved"),
    (ANY_AUTHORITY, ANY_CLICKER, ANY_MAPPING, &[Denied], "was already denied"),
    (ANY_AUTHORITY, ANY_CLICKER, ANY_MAPPING, &[Promoted], "was already promoted"),
    (ANY_AUTHORITY, ANY_CLICKER, ANY_MAPPING, &[Gone], "has no such request any more"),
    (TELEPORT, ANY_CLICKER, ANY_MAPPING, &[Reviewed], "has already reviewed"),
    (&[Reviewer], ANY_CLICKER, ANY_MAPPING, &[Reviewed], "the plugin has already reviewed"),
    // All others.
    (&[AutoOld, Approvers], &[Approver], ANY_MAPPING, &[Pending, Reviewed], DECIDED),
    (&[Reviewer], &[Approver], ANY_MAPPING, &[Pending], DECIDED),
    (TELEPORT, &[Stranger, Approver, SystemAdmin], ANY_MAPPING, &[Pending], DECIDED),
];

const REQUEST: &str = "the-request";

/// The clicker's Teleport user, where there is one.
const OWN: &str = "bob-tp";

/// Plays one cell: what the clicker reads, and whether Teleport has decided.
fn play(authority: Authority, clicker: Clicker, mapping: Mapping, situation: Situation) -> (String, bool) {
    let sim = Sim::new(7, false);
    let username = if clicker == Requester { "requester" } else { "bob" };
    let unverified = matches!(mapping, UnverifiedEmail | RequesterByUnverifiedTrait);
    let user = User {
        id: "clicker".into(),
        username: username.into(),
        email: "bob@example.com".into(),
        email_verified: !unverified,
        is_bot: clicker == Bot,
        is_guest: clicker == Guest,
        is_system_admin: clicker == SystemAdmin,
        delete_at: i64::from(clicker == Deactivated),
        ..Default::default()
    };
    sim.mattermost.borrow_mut().users.insert("clicker".into(), user);
    let session_id = sim.mattermost.borrow_mut().sign_in("clicker");
    let old = matches!(authority, AutoOld | TeleportOld | Approvers | Reviewer);
    let mut table = String::new();
    let mut traits: Vec<(&str, &str)> = Vec::new();
    let mut match_email = false;
    match mapping {
        Unset | Nothing => {}
        Table => table = format!("{username} = {OWN}"),
        TableByEmail => table = format!("bob@example.com = {OWN}"),
        Trait => traits.push((OWN, username)),
        TraitByEmail => traits.push((OWN, "bob@example.com")),
        Email | UnverifiedEmail => match_email = true,
        TwoTraits => traits.extend([(OWN, username), ("robert", username)]),
        TableOverTwoTraits => {
            table = format!("{username} = {OWN}");
            traits.extend([("robert", username), ("bobby", username)]);
        }
        RequesterByTable => table = format!("{username} = requester"),
        RequesterByTrait => traits.push(("requester", username)),
        RequesterByUnverifiedTrait => traits.push(("requester", "bob@example.com")),
        TableAndRequesterByTrait => {
            table = format!("{username} = {OWN}");
            traits.push(("requester", username));
        }
    }
    {
        let mut server = sim.teleport.borrow_mut();
        server.version = if old { "18.10.9".into() } else { "18.11.0".into() };
        server.plugin_user = "access-plugin";
        server.traits = traits.into_iter().map(|(user, value)| (user.into(), vec![value.to_owned()])).collect();
    }
    let settings = serde_json::json!({
        "teleportaddress": "tp:443",
        "identity": concat!("-----BEGIN RSA PRIVATE KEY-----\n-----END RSA PRIVATE KEY-----\n",
            "-----BEGIN CERTIFICATE-----\n-----END CERTIFICATE-----\n-----BEGIN CERTIFICATE-----\n-----END CERTIFICATE-----\n"),
        "recipients": "ops/one",
        "approvers": if matches!(clicker, Stranger | SystemAdmin) { "somebody-else" } else { username },
        "askreason": "never",
        "notifyrequesters": false,
        "authority": match authority {
            AutoOld | AutoNew => "auto",
            TeleportOld | TeleportNew => "teleport",
            Approvers => "approvers",
            Reviewer => "reviewer",
        },
        "usermapping": table,
        "usertrait": if mapping == Unset { "" } else { "mattermost" },
        "matchemail": match_email,
    });
    let mut pool = LocalPool::new();
    let world = NodeWorld {
        sim: Rc::clone(&sim),
        mattermost: SimMattermost { sim: Rc::clone(&sim), node: 0 },
        bridge: SimBridge { sim: Rc::clone(&sim), node: 0 },
        node: 0,
        skew: Rc::new(Cell::new(0)),
        spawner: pool.spawner(),
    };
    let app = App::new(world);
    app.configure(
        Host { plugin_id: "the.plugin".into(), bot_user_id: BOT.into(), ..Host::default() },
        settings.to_string().as_bytes(),
    );
    app.lead(true);
    let mut run_until = |moment: i64| {
        loop {
            pool.run_until_stalled();
            if !sim.step(moment) {
                pool.run_until_stalled();
                return pool.spawner();
            }
        }
    };
    run_until(DAWN + 1_000);
    let request = AccessRequest {
        id: REQUEST.into(),
        user: "requester".into(),
        roles: vec!["dba".into()],
        created: Some(Time(sim.now())),
        expires: Some(Time(sim.now() + 3_600_000)),
        kind: if situation == LongTerm { Kind::LongTerm } else { Kind::ShortTerm },
        ..Default::default()
    };
    teleport::file_as(&sim, request, 3_600_000);
    let spawner = run_until(DAWN + 5_000);
    let post = sim
        .mattermost
        .borrow()
        .posts
        .values()
        .find(|post| post.props.get(REQUEST_PROP).is_some_and(|id| id == REQUEST))
        .cloned()
        .unwrap();
    let context = |name: &str| {
        let actions = post.attachments.iter().flat_map(|attachment| &attachment.actions);
        actions.filter_map(|action| action.context.get(name).cloned()).next().unwrap_or_default()
    };
    // What happens in Teleport now has not reached the plugin when the click does.
    let settle = |state: State| sim.teleport.borrow_mut().requests.get_mut(REQUEST).unwrap().state = state;
    match situation {
        Pending | LongTerm => {}
        Approved => settle(State::Approved),
        Denied => settle(State::Denied),
        Promoted => settle(State::Promoted),
        Gone => drop(sim.teleport.borrow_mut().requests.remove(REQUEST)),
        Reviewed => {
            let author = match (authority, mapping) {
                (Reviewer, _) => "access-plugin",
                (_, Email) => "bob@example.com",
                _ => OWN,
            };
            let review = Review {
                author: author.into(),
                state: State::Approved,
                reason: String::new(),
                created: Some(Time(DAWN)),
                decider: String::new(),
            };
            sim.teleport.borrow_mut().requests.get_mut(REQUEST).unwrap().reviews.push(review);
        }
    }
    let click = Click {
        user_id: if clicker == Anonymous { String::new() } else { "clicker".into() },
        session_id,
        ip_address: "192.0.2.1".into(),
        post_id: post.id.clone(),
        context: BTreeMap::from([
            ("request".to_owned(), REQUEST.to_owned()),
            ("cluster".to_owned(), "tp".to_owned()),
            ("verdict".to_owned(), "approve".to_owned()),
            ("digest".to_owned(), context("digest")),
        ]),
        trigger_id: String::new(),
    };
    let answer = Rc::new(std::cell::RefCell::new(String::new()));
    let (into, clicked) = (Rc::clone(&answer), Rc::clone(&app));
    spawner
        .spawn_local(async move {
            let text = decision::click(&clicked, click).await;
            *into.borrow_mut() = text;
        })
        .unwrap();
    run_until(DAWN + 20_000);
    let decided = !sim.teleport.borrow().applied.is_empty();
    // Every attempt stands in the audit trail, except those of nobody.
    let entries: Vec<Entry> = sim
        .mattermost
        .borrow()
        .kv
        .iter()
        .flat_map(|(key, (value, _))| audit::stored(key, value))
        .filter(|entry| entry.result.is_attempt())
        .collect();
    let entries = audit::merged(entries);
    assert_eq!(entries.len(), usize::from(clicker != Anonymous), "{authority:?} {clicker:?} {mapping:?} {situation:?}");
    if decided {
        let by = sim.teleport.borrow().applied[0].by.clone();
        let expected = match (authority, mapping) {
            (AutoOld | Approvers, _) if unverified => "mattermost:bob",
            (AutoOld | Approvers, _) => "mattermost:bob@example.com",
            (Reviewer, _) => "access-plugin",
            (_, Email) => "bob@example.com",
            _ => OWN,
        };
        assert_eq!(by, expected, "{authority:?} {clicker:?} {mapping:?} {situation:?}");
    }
    (answer.take(), decided)
}

#[test]
fn every_cell_has_the_outcome_that_the_table_states() {
    let mut used = vec![0; TABLE.len()];
    let mut wrong = Vec::new();
    for authority in AUTHORITIES {
        for clicker in CLICKERS {
            for mapping in MAPPINGS {
                for situation in SITUATIONS {
                    let fits = |row: &&Row| {
                        row.0.contains(authority)
                            && row.1.contains(clicker)
                            && row.2.contains(mapping)
                            && row.3.contains(situation)
                    };
                    let cell = format!("{authority:?} {clicker:?} {mapping:?} {situation:?}");
                    let row =
                        TABLE.iter().position(|row| fits(&row)).unwrap_or_else(|| panic!("no row is about {cell}"));
                    used[row] += 1;
                    let expected = TABLE[row].4;
                    let (answer, decided) = play(*authority, *clicker, *mapping, *situation);
                    if !answer.contains(expected) || decided != (expected == DECIDED) {
                        wrong.push(format!("{cell}: expected {expected:?}, read {answer:?}, decided: {decided}"));
                    }
                }
            }
        }
    }
    assert!(wrong.is_empty(), "{} cells are wrong, such as:\n{}", wrong.len(), wrong[..wrong.len().min(20)].join("\n"));
    assert!(used.iter().all(|count| *count > 0), "rows that no cell uses: {used:?}");
}
