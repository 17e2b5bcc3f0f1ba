//! Whose request is one's own, on the whole core: names and addresses that change before filing and before the click, what
//! an admin has to say, and what an upgrade leaves.
#![allow(missing_docs, unreachable_pub, dead_code, clippy::unwrap_used, clippy::indexing_slicing, clippy::panic)]

#[path = "simulation/ports.rs"]
mod ports;
#[path = "simulation/servers.rs"]
mod servers;
#[path = "simulation/sim.rs"]
mod sim;
#[path = "simulation/teleport.rs"]
mod teleport;

use std::cell::{Cell, RefCell};
use std::future::Future;
use std::rc::Rc;

use futures::executor::LocalPool;
use futures::task::LocalSpawnExt;
use teleport_access_core::app::{App, Host};
use teleport_access_core::confirmations::{self, Confirmation};
use teleport_access_core::decision::{self, Click};
use teleport_access_core::mattermost::{Group, Membership, Post, User};
use teleport_access_core::messages::REQUEST_PROP;
use teleport_access_core::proto::panel::Outcome;
use teleport_access_core::status;
use teleport_access_core::teleport::{AccessRequest, Review, State};
use teleport_access_core::time::Time;

use crate::ports::{NodeWorld, SimBridge, SimMattermost};
use crate::servers::BOT;
use crate::sim::{DAWN, Sim};

/// A server with the plugin. Its requests are of the Teleport user `requester`.
struct Stage {
    sim: Rc<Sim>,
    app: Rc<App<NodeWorld>>,
    pool: LocalPool,
    now: i64,
}

fn user(id: &str, username: &str, email: &str, email_verified: bool) -> User {
    User { id: id.into(), username: username.into(), email: email.into(), email_verified, ..Default::default() }
}

impl Stage {
    /// With bob, who may decide, and an admin. `before` happens before the plugin starts.
    fn new(settings: serde_json::Value, before: impl FnOnce(&Sim)) -> Self {
        let sim = Sim::new(11, false);
        {
            let mut server = sim.mattermost.borrow_mut();
            server.users.insert("bob-id".into(), user("bob-id", "bob", "bob@corp.com", true));
            let root = User { is_system_admin: true, ..user("root-id", "root", "root@corp.com", true) };
            server.users.insert("root-id".into(), root);
        }
        sim.teleport.borrow_mut().version = "18.10.0".into();
        before(&sim);
        let mut whole = serde_json::json!({
            "teleportaddress": "tp:443",
            "identity": concat!("-----BEGIN RSA PRIVATE KEY-----\n-----END RSA PRIVATE KEY-----\n",
                "-----BEGIN CERTIFICATE-----\n-----END CERTIFICATE-----\n-----BEGIN CERTIFICATE-----\n-----END CERTIFICATE-----\n"),
            "recipients": "ops/one",
            "approvers": "bob",
            "askreason": "never",
            "notifyrequesters": false,
        });
        whole.as_object_mut().unwrap().append(&mut settings.as_object().unwrap().clone());
        let pool = LocalPool::new();
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
            whole.to_string().as_bytes(),
        );
        app.lead(true);
        Self { sim, app, pool, now: DAWN }
    }

    fn pass(&mut self, millis: i64) {
        self.now += millis;
        loop {
            self.pool.run_until_stalled();
            if !self.sim.step(self.now) {
                self.pool.run_until_stalled();
                return;
            }
        }
    }

    fn await_it<T: 'static>(&mut self, work: impl Future<Output = T> + 'static) -> T {
        let answer = Rc::new(RefCell::new(None));
        let into = Rc::clone(&answer);
        self.pool.spawner().spawn_local(async move { *into.borrow_mut() = Some(work.await) }).unwrap();
        self.pass(20_000);
        answer.take().unwrap()
    }

    fn file(&mut self, id: &str) {
        self.file_now(id);
        self.pass(5_000);
    }

    fn file_now(&self, id: &str) {
        let request = AccessRequest {
            id: id.into(),
            user: "requester".into(),
            roles: vec!["dba".into()],
            created: Some(Time(self.sim.now())),
            expires: Some(Time(self.sim.now() + 36_000_000)),
            ..Default::default()
        };
        teleport::file_as(&self.sim, request, 36_000_000);
    }

    /// Two people must agree, of bob and whoever these accounts are: the second has the username `bob2`, the third `carol`.
    fn of_two(settings: serde_json::Value, traits: &[(&str, &str)]) -> Self {
        let mut whole = serde_json::json!({ "approvers": "* = 2 of bob, bob2, carol" });
        whole.as_object_mut().unwrap().append(&mut settings.as_object().unwrap().clone());
        let mut stage = Self::new(whole, |sim| {
            let mut server = sim.mattermost.borrow_mut();
            server.users.insert("bob2-id".into(), user("bob2-id", "bob2", "second@home.net", false));
            server.users.insert("carol-id".into(), user("carol-id", "carol", "carol@corp.com", true));
            let traits = traits.iter().map(|(user, value)| ((*user).to_owned(), vec![(*value).to_owned()]));
            sim.teleport.borrow_mut().traits = traits.collect();
        });
        stage.pass(5_000);
        stage.file("one");
        stage
    }

    /// Somebody approves in Teleport.
    fn review(&self, author: &str) {
        let review = Review {
            author: author.into(),
            state: State::Approved,
            reason: String::new(),
            created: Some(Time(self.sim.now())),
            decider: String::new(),
        };
        self.sim.teleport.borrow_mut().requests.get_mut("one").unwrap().reviews.push(review);
    }

    fn click(&mut self, user_id: &str, id: &str) -> String {
        let is_its = |post: &&Post| post.props.get(REQUEST_PROP).is_some_and(|request| request == id);
        let post = self.sim.mattermost.borrow().posts.values().find(is_its).unwrap().clone();
        let mut actions = post.attachments.iter().flat_map(|attachment| &attachment.actions);
        let digest = actions.find_map(|action| action.context.get("digest").cloned()).unwrap_or_default();
        let context = [("request", id), ("cluster", "tp"), ("verdict", "approve"), ("digest", digest.as_str())];
        let click = Click {
            user_id: user_id.into(),
            session_id: self.sim.mattermost.borrow_mut().sign_in(user_id),
            post_id: post.id.clone(),
            context: context.map(|(name, value)| (name.to_owned(), value.to_owned())).into(),
            ..Click::default()
        };
        let app = Rc::clone(&self.app);
        self.await_it(async move { decision::click(&app, click).await })
    }

    fn rename(&self, user_id: &str, username: &str, email: &str) {
        let mut server = self.sim.mattermost.borrow_mut();
        let account = server.users.get_mut(user_id).unwrap();
        (account.username, account.email) = (username.into(), email.into());
    }

    fn waiting(&mut self, kind: &str) -> Vec<Confirmation> {
        let app = Rc::clone(&self.app);
        let all = self.await_it(async move { confirmations::list(&app).await }).unwrap();
        all.into_iter().filter(|waiting| waiting.id.starts_with(kind)).collect()
    }

    fn confirm(&mut self, id: &str) -> Result<String, confirmations::NotConfirmed> {
        let (app, id) = (Rc::clone(&self.app), id.to_owned());
        self.await_it(async move { confirmations::confirm(&app, "root-id", &id).await })
    }

    fn red(&mut self, name: &str) -> Option<String> {
        let app = Rc::clone(&self.app);
        let checks = self.await_it(async move { status::checks(&app).await });
        let found = checks.into_iter().find(|check| check.name == name && check.outcome() == Outcome::Failed);
        found.map(|check| check.message)
    }

    fn decided(&self) -> usize {
        self.sim.teleport.borrow().applied.len()
    }

    fn messages_to(&self, user_id: &str) -> usize {
        let channel = format!("direct-{user_id}");
        self.sim.mattermost.borrow().posts.values().filter(|post| post.channel_id == channel).count()
    }
}

const OWN: &str = "your own request";

#[test]
fn a_name_that_was_changed_before_filing_is_known_all_the_same() {
    // Approvers by name, in a channel, in a group, and with an address.
    for (approvers, username, email) in [
        ("requester, bob", "requester", "x@corp.com"),
        ("x, bob", "x", "requester+2@home.net"),
        ("channel-members", "requester", "x@corp.com"),
        ("group:sre", "requester", "x@corp.com"),
        ("system-admins, bob", "requester", "x@corp.com"),
    ] {
        let mut stage = Stage::new(serde_json::json!({ "approvers": approvers }), |sim| {
            let mut server = sim.mattermost.borrow_mut();
            let bob =
                User { is_system_admin: approvers.starts_with("system"), ..user("bob-id", username, email, true) };
            server.users.insert("bob-id".into(), bob);
            let sre = Group { id: "sre-id".into(), name: "sre".into(), is_synced: true, ..Default::default() };
            server.groups.push(sre);
            for place in ["channel-one", "sre-id"] {
                let member = Membership { member: true, admin: false };
                server.memberships.insert((place.into(), "bob-id".into()), member);
            }
        });
        stage.pass(60_000);
        stage.rename("bob-id", "bob", "bob@corp.com");
        stage.file("one");
        let answer = stage.click("bob-id", "one");
        assert!(answer.contains(OWN), "{approvers} {username} {email}: {answer}");
        assert_eq!(stage.decided(), 0);
    }
}

#[test]
fn whom_a_trait_meant_before_the_name_was_changed_is_known_all_the_same() {
    let mut stage = Stage::new(serde_json::json!({ "usertrait": "mattermost", "approvers": "bobby, bob" }), |sim| {
        sim.mattermost.borrow_mut().users.insert("bob-id".into(), user("bob-id", "bobby", "bob@corp.com", true));
        let traits = [("requester", "bobby"), ("second-tp", "bob")];
        let traits = traits.map(|(user, value)| (user.to_owned(), vec![value.to_owned()]));
        sim.teleport.borrow_mut().traits = traits.to_vec();
    });
    stage.pass(60_000);
    stage.rename("bob-id", "bob", "bob@corp.com");
    stage.file("one");
    let answer = stage.click("bob-id", "one");
    assert!(answer.contains(OWN), "{answer}");
    assert_eq!(stage.decided(), 0);
}

#[test]
fn a_line_of_the_table_counts_against_its_account_whatever_that_is_called_now() {
    let settings = serde_json::json!({ "usermapping": "bob = requester", "approvers": "channel-members" });
    let mut stage = Stage::new(settings, |sim| {
        let member = Membership { member: true, admin: false };
        sim.mattermost.borrow_mut().memberships.insert(("channel-one".into(), "bob-id".into()), member);
    });
    stage.pass(5_000);
    // Before anybody but the settings has seen his name.
    stage.sim.mattermost.borrow_mut().kv.retain(|key, _| !key.starts_with("links"));
    stage.rename("bob-id", "robert", "robert@corp.com");
    stage.file("one");
    let stored = stage.sim.mattermost.borrow().kv["request:tp:one"].0.clone();
    assert!(String::from_utf8_lossy(&stored).contains(r#""requester_accounts":["bob-id"]"#));
    let answer = stage.click("bob-id", "one");
    assert!(answer.contains(OWN), "{answer}");
    assert_eq!(stage.decided(), 0);
}

#[test]
fn a_name_that_is_changed_between_filing_and_click_is_of_no_help() {
    let mut stage = Stage::new(serde_json::json!({}), |_| {});
    stage.rename("bob-id", "requester", "x@corp.com");
    stage.pass(1_000);
    stage.file("one");
    stage.rename("bob-id", "bob", "bob@corp.com");
    let answer = stage.click("bob-id", "one");
    assert!(answer.contains(OWN), "{answer}");
    assert_eq!(stage.decided(), 0);
    let stored = stage.sim.mattermost.borrow().kv["request:tp:one"].0.clone();
    assert!(String::from_utf8_lossy(&stored).contains(r#""requester_accounts":["bob-id"]"#));
}

#[test]
fn what_cannot_be_looked_up_delays_no_post_and_is_looked_up_later() {
    let mut stage = Stage::new(serde_json::json!({ "usertrait": "mattermost" }), |sim| {
        sim.teleport.borrow_mut().traits = vec![("bob-tp".into(), vec!["bob".into()])];
    });
    stage.pass(1_000);
    // Teleport answers nothing from here on, but its watch still tells of the request.
    stage.file_now("one");
    stage.sim.teleport.borrow_mut().down = true;
    stage.pass(5_000);
    let in_channel =
        stage.sim.mattermost.borrow().posts.values().filter(|post| post.channel_id == "channel-one").count();
    assert_eq!(in_channel, 1, "the post is there");
    let known = |stage: &Stage| {
        let stored = stage.sim.mattermost.borrow().kv["request:tp:one"].0.clone();
        String::from_utf8_lossy(&stored).contains(r#""requester_known":true"#)
    };
    assert!(!known(&stage));
    assert!(stage.red("Posts").is_some(), "it is tried again");
    let answer = stage.click("bob-id", "one");
    assert!(answer.to_lowercase().contains("nothing was changed"), "{answer}");
    assert_eq!(stage.decided(), 0);
    stage.sim.teleport.borrow_mut().down = false;
    stage.pass(600_000);
    assert!(known(&stage) && stage.red("Posts").is_none());
    let answer = stage.click("bob-id", "one");
    assert!(answer.contains("You approved"), "{answer}");
}

#[test]
fn a_review_has_its_author_with_teleports_capitals() {
    let mut stage = Stage::new(serde_json::json!({ "matchemail": true }), |sim| {
        let mut server = sim.teleport.borrow_mut();
        server.version = "18.11.0".into();
        server.traits = vec![("Bob@Corp.com".into(), Vec::new())];
    });
    stage.pass(1_000);
    stage.file("one");
    let answer = stage.click("bob-id", "one");
    assert!(answer.contains("You approved"), "{answer}");
    assert_eq!(stage.sim.teleport.borrow().applied[0].by, "Bob@Corp.com");
}

#[test]
fn an_admin_removes_what_is_remembered_wrongly() {
    let mut stage = Stage::new(serde_json::json!({}), |sim| {
        // The username once was somebody else's, and bob took it before he got his own.
        sim.mattermost.borrow_mut().kv.insert(
            "links:bob-id".into(),
            (
                br#"{"names":[{"name":"requester","seen":1}],"users":[{"cluster":"tp","user":"requester","seen":1}]}"#
                    .to_vec(),
                0,
            ),
        );
    });
    stage.pass(1_000);
    stage.file("one");
    assert!(stage.waiting("link:").is_empty(), "nobody needs to look at what is in nobody's way");
    assert!(stage.click("bob-id", "one").contains(OWN));
    let waiting = stage.waiting("link:");
    assert_eq!(waiting.len(), 2, "{waiting:?}");
    assert!(stage.confirm("link:bob-id:name:else").is_err());
    for one in &waiting {
        assert!(stage.confirm(&one.id).is_ok());
        assert!(stage.confirm(&one.id).is_err(), "once");
    }
    let answer = stage.click("bob-id", "one");
    assert!(answer.contains("You approved"), "{answer}");
}

#[test]
fn an_account_with_more_names_than_can_be_remembered_decides_nothing() {
    let mut stage = Stage::new(serde_json::json!({}), |sim| {
        sim.mattermost.borrow_mut().kv.insert("links:bob-id".into(), (br#"{"names":[],"full":true}"#.to_vec(), 0));
    });
    stage.pass(1_000);
    stage.file("one");
    let answer = stage.click("bob-id", "one");
    assert!(answer.contains("more names and addresses than can be remembered"), "{answer}");
    let waiting = stage.waiting("link:");
    assert_eq!(waiting.len(), 1);
    assert!(stage.confirm(&waiting[0].id).is_ok());
    assert!(stage.click("bob-id", "one").contains("You approved"));
}

#[test]
fn what_one_cluster_says_keeps_nobody_from_deciding_in_another() {
    // As many users as can be, and very long ones, are bob in the cluster tp.
    let mut stage =
        Stage::new(serde_json::json!({ "usertrait": "mattermost", "usermapping": "bob = bob-tp" }), |sim| {
            let users = (0..300).map(|number| format!("user{number}")).chain(["x".repeat(10_000)]);
            sim.teleport.borrow_mut().traits = users.map(|user| (user, vec!["bob".to_owned()])).collect();
        });
    stage.pass(60_000);
    stage.file("one");
    let answer = stage.click("bob-id", "one");
    assert!(answer.contains("taken for more Teleport users of cluster `tp` than can be remembered"), "{answer}");
    let waiting = stage.waiting("link:");
    assert_eq!(waiting.iter().map(|one| one.id.as_str()).collect::<Vec<_>>(), ["link:bob-id:cluster:tp"]);
    let book = stage.sim.mattermost.borrow().kv["links:bob-id"].clone();
    assert!(book.0.len() < 20_000, "{}", book.0.len());
    // Bob, seen from another cluster: the same with the names changed.
    let book = String::from_utf8(book.0).unwrap().replace(r#""tp""#, r#""hostile""#);
    let mut stage = Stage::new(serde_json::json!({ "usermapping": "bob = bob-tp" }), |sim| {
        sim.mattermost.borrow_mut().kv.insert("links:bob-id".into(), (book.into_bytes(), 0));
    });
    stage.pass(1_000);
    stage.file("one");
    assert!(stage.click("bob-id", "one").contains("You approved"));
}

#[test]
fn what_is_remembered_and_cannot_be_read_decides_nothing() {
    let mut stage = Stage::new(serde_json::json!({}), |sim| {
        sim.mattermost.borrow_mut().kv.insert("links:bob-id".into(), (b"[]".to_vec(), 0));
    });
    stage.pass(1_000);
    stage.file("one");
    let answer = stage.click("bob-id", "one");
    assert!(answer.contains("nothing was changed"), "{answer}");
    assert_eq!(stage.decided(), 0);
}

#[test]
fn after_an_upgrade_a_mapping_binds_once_an_admin_has_switched_that_on() {
    let old = |sim: &Sim| {
        sim.mattermost
            .borrow_mut()
            .kv
            .insert(format!("audit:{:014}:00", DAWN - 1_000), (b"{}".to_vec(), DAWN + 1_000_000_000));
    };
    let mut stage = Stage::new(serde_json::json!({ "usermapping": "carol = carol-tp" }), old);
    stage.pass(1_000);
    stage.file("one");
    assert!(stage.click("bob-id", "one").contains("You approved"), "as before the upgrade");
    let red = stage.red("Users").unwrap();
    assert!(red.contains("1 of the 1 approvers that are known now: @bob"), "{red}");
    let waiting = stage.waiting("mapping:");
    assert_eq!(waiting.len(), 1);
    assert!(stage.confirm(&waiting[0].id).is_ok());
    assert!(stage.waiting("mapping:").is_empty() && stage.red("Users").is_none());
    stage.file("two");
    let answer = stage.click("bob-id", "two");
    assert!(answer.contains("no Teleport user is known"), "{answer}");
    assert_eq!(stage.decided(), 1);
}

#[test]
fn a_new_installation_and_a_mapping_that_is_set_later_bind_at_once() {
    let upgraded_without = |sim: &Sim| {
        let record = br#"{"version":1,"request":{"id":"old","user":"u","roles":[],"state":"denied"},"outcome":"denied","revision":1,"postings":[]}"#;
        sim.mattermost.borrow_mut().kv.insert("request:tp:old".into(), (record.to_vec(), DAWN + 1_000_000_000));
    };
    let mut fresh = Stage::new(serde_json::json!({ "usermapping": "carol = carol-tp" }), |_| {});
    fresh.pass(1_000);
    fresh.file("one");
    assert!(fresh.click("bob-id", "one").contains("no Teleport user is known"));
    let mut later = Stage::new(serde_json::json!({}), upgraded_without);
    later.pass(1_000);
    let kv = later.sim.mattermost.borrow().kv.clone();
    assert_eq!(kv["mapping_required"].0, br#"{"required":true}"#);
    // The same installation with a mapping, in another process.
    let mut mapped = Stage::new(serde_json::json!({ "usermapping": "carol = carol-tp" }), |sim| {
        sim.mattermost.borrow_mut().kv = kv;
    });
    mapped.pass(1_000);
    mapped.file("one");
    assert!(mapped.click("bob-id", "one").contains("no Teleport user is known"));
    assert!(mapped.waiting("mapping:").is_empty());
}

#[test]
fn attempts_on_an_installation_that_is_not_set_up_yet_do_not_make_it_an_old_one() {
    let mut empty = Stage::new(serde_json::json!({ "teleportaddress": "", "approvers": "" }), |_| {});
    empty.pass(1_000);
    let app = Rc::clone(&empty.app);
    let session_id = empty.sim.mattermost.borrow_mut().sign_in("bob-id");
    let context = [("request", "none"), ("cluster", "tp"), ("verdict", "approve")];
    let context = context.map(|(name, value)| (name.to_owned(), value.to_owned())).into();
    let click = Click { user_id: "bob-id".into(), session_id, post_id: "none".into(), context, ..Click::default() };
    empty.await_it(async move { decision::click(&app, click).await });
    let mut kv = empty.sim.mattermost.borrow().kv.clone();
    assert!(kv.contains_key("mapping_required"), "it is settled although nothing is connected");
    // Whatever the attempt leaves: it is older than the process that follows.
    kv.insert(format!("audit:{:014}:00", DAWN - 1_000), (b"{}".to_vec(), DAWN + 1_000_000_000));
    let mut set_up = Stage::new(serde_json::json!({ "usermapping": "carol = carol-tp" }), |sim| {
        sim.mattermost.borrow_mut().kv = kv;
    });
    set_up.pass(1_000);
    set_up.file("one");
    assert!(set_up.click("bob-id", "one").contains("no Teleport user is known"));
}

#[test]
fn an_address_counts_for_its_account_once_an_admin_has_accepted_it() {
    let mut stage = Stage::new(serde_json::json!({ "matchemail": true }), |sim| {
        sim.mattermost.borrow_mut().users.get_mut("bob-id").unwrap().email_verified = false;
    });
    stage.pass(1_000);
    stage.file("one");
    assert!(stage.click("bob-id", "one").contains("no Teleport user is known"));
    let waiting = stage.waiting("email:");
    assert_eq!(waiting.iter().map(|one| one.id.as_str()).collect::<Vec<_>>(), ["email:bob-id:bob@corp.com"]);
    // Bob changes his address after the admin has seen it.
    stage.rename("bob-id", "bob", "carol@corp.com");
    assert!(stage.confirm(&waiting[0].id).is_err(), "what was shown is not what would be accepted");
    stage.rename("bob-id", "bob", "bob@corp.com");
    assert!(stage.confirm(&waiting[0].id).is_ok());
    stage.rename("bob-id", "bob", "carol@corp.com");
    assert!(stage.click("bob-id", "one").contains("no Teleport user is known"), "another address is another matter");
    stage.rename("bob-id", "bob", "bob@corp.com");
    assert!(stage.click("bob-id", "one").contains("You approved"));
}

#[test]
fn a_new_server_version_changes_who_decides_only_with_an_admins_word() {
    let mut stage = Stage::new(serde_json::json!({ "usermapping": "bob = bob-tp" }), |_| {});
    stage.pass(1_000);
    stage.file("one");
    assert!(stage.click("bob-id", "one").contains("You approved"));
    let told = stage.messages_to("root-id");
    stage.sim.teleport.borrow_mut().version = "18.11.0".into();
    // The role is still one for the approvers: requests go on being posted.
    stage.sim.teleport.borrow_mut().submits_for_nobody = true;
    for _ in 0..3 {
        teleport::cut(&stage.sim, None);
        stage.pass(120_000);
    }
    stage.file("two");
    let answer = stage.click("bob-id", "two");
    assert!(answer.contains("Teleport's own rules would"), "{answer}");
    assert_eq!(stage.decided(), 1);
    assert_eq!(stage.messages_to("root-id"), told + 1, "admins are told once");
    assert!(stage.red("Who checks decisions").is_some());
    stage.sim.teleport.borrow_mut().submits_for_nobody = false;
    let waiting = stage.waiting("authority:");
    assert!(waiting[0].urgent);
    assert!(stage.confirm(&waiting[0].id).is_ok());
    assert!(stage.confirm(&waiting[0].id).is_err());
    assert!(stage.click("bob-id", "two").contains("You approved"));
    assert_eq!(stage.sim.teleport.borrow().applied[1].by, "bob-tp");
}

#[test]
fn two_accounts_of_one_teleport_user_are_one_person() {
    let trait_ =
        |table: &str| serde_json::json!({ "usertrait": "mattermost", "matchemail": true, "usermapping": table });
    for (settings, traits) in [
        (trait_("bob = bob-tp\nbob2 = bob-tp\ncarol = carol-tp"), vec![]),
        (trait_("carol = carol-tp"), vec![("bob@corp.com", "bob2")]),
        (trait_("carol = carol-tp\nbob2 = Bob@Corp.com"), vec![]),
        (trait_("bob = bob-tp\ncarol = carol-tp"), vec![("bob-tp", "bob2")]),
    ] {
        for (first, second) in [("bob-id", "bob2-id"), ("bob2-id", "bob-id")] {
            let mut stage = Stage::of_two(settings.clone(), &traits);
            stage.click(first, "one");
            let answer = stage.click(second, "one");
            assert_eq!(stage.decided(), 0, "{settings} {traits:?}: {answer}");
            assert!(answer.contains('1') && answer.contains('2'), "{answer}");
            // Back and forth is no way either.
            stage.click(first, "one");
            assert_eq!(stage.decided(), 0, "{settings} {traits:?}");
            let answer = stage.click("carol-id", "one");
            assert!(answer.contains("You approved"), "{answer}");
            assert_eq!(stage.decided(), 1);
        }
    }
}

#[test]
fn accounts_that_are_no_teleport_users_count_by_themselves() {
    let mut stage = Stage::of_two(serde_json::json!({}), &[]);
    stage.click("bob-id", "one");
    stage.click("bob-id", "one");
    assert_eq!(stage.decided(), 0);
    assert!(stage.click("bob2-id", "one").contains("You approved"));
}

#[test]
fn a_review_in_teleport_counts_beside_no_vote_that_could_be_the_same_persons() {
    let settings =
        |table: &str| serde_json::json!({ "authority": "approvers", "matchemail": true, "usermapping": table });
    let mapped = settings("bob = bob@corp.com\nbob2 = bob2-tp\ncarol = carol-tp");
    // Who votes, who has reviewed, and whether these are two.
    for (settings, voter, authors, two) in [
        (&mapped, "bob2-id", &["bob@corp.com"][..], true),
        (&mapped, "bob-id", &["bob@corp.com"], false),
        (&mapped, "bob-id", &["carol-tp"], true),
        // Of bob's second account, which the table takes for the same user: the review is of the first.
        (&settings("bob2 = BOB@corp.com\ncarol = carol-tp"), "bob2-id", &["bob@corp.com"], false),
        // The voter's address is the reviewer's name, although the table says that they are somebody else.
        (&settings("bob = bob-tp\nbob2 = bob@corp.com\ncarol = carol-tp"), "bob-id", &["bob@corp.com"], false),
    ] {
        let mut stage = Stage::of_two(settings.clone(), &[]);
        authors.iter().for_each(|author| stage.review(author));
        let answer = stage.click(voter, "one");
        assert_eq!(stage.decided(), usize::from(two), "{settings} {voter} {authors:?}: {answer}");
    }
}

#[test]
fn two_reviews_in_teleport_by_one_person_count_once() {
    // Three must agree: carol, and bob, whom Teleport has twice.
    let table = "bob = bob-tp\nbob2 = BOB-tp\ncarol = carol-tp";
    let settings =
        serde_json::json!({ "authority": "approvers", "approvers": "* = 3 of bob, bob2, carol", "usermapping": table });
    let mut stage = Stage::of_two(settings, &[]);
    ["bob-tp", "BOB-tp"].iter().for_each(|author| stage.review(author));
    let answer = stage.click("carol-id", "one");
    assert_eq!(stage.decided(), 0, "{answer}");
}
