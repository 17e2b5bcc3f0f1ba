//! Scenes with Teleport servers of the first years.

use std::rc::Rc;

use teleport_access_core::messages::REQUEST_PROP;

use crate::script::Script;
use crate::sim::DAWN;
use crate::{invariants, teleport};

const HOUR: i64 = 3_600_000;

/// A role without the right to list, on a server that answers a listing with nothing and does not tell rights.
pub fn unlisted() -> Vec<String> {
    let mut script = Script::new(1, false);
    let sim = Rc::clone(&script.sim);
    sim.teleport.borrow_mut().version = "6.2.1".to_owned();
    sim.teleport.borrow_mut().lists_nothing = true;
    teleport::file(&sim, "early".into(), 10 * HOUR);
    script.start(0);
    script.run_until(DAWN + 30_000);
    if !sim.teleport.borrow().watchers.is_empty() {
        sim.violation("it watches, and would never hear of what was filed before".into());
    }
    sim.teleport.borrow_mut().lists_nothing = false;
    script.run_until(DAWN + 200_000);
    let server = sim.mattermost.borrow();
    if !server.posts.values().any(|post| post.props.get(REQUEST_PROP).is_some_and(|of| of == "early")) {
        sim.violation("what was filed before is not posted once it may be listed".into());
    }
    drop(server);
    invariants::at_rest(&script);
    sim.violations.borrow().clone()
}
