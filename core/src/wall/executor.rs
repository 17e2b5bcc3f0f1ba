//! A small single-thread executor, run by the host's calls.

use std::cell::RefCell;
use std::future::Future;

use futures::executor::{LocalPool, LocalSpawner};
use futures::task::LocalSpawnExt;

use super::timer;

struct Executor {
    pool: LocalPool,
    spawner: LocalSpawner,
}

thread_local! {
    static SPAWNER: RefCell<Option<LocalSpawner>> = const { RefCell::new(None) };
    static EXECUTOR: RefCell<Executor> = RefCell::new({
        let pool = LocalPool::new();
        Executor { spawner: pool.spawner(), pool }
    });
}

/// Runs `future` beside everything else, from the next turn on.
pub(crate) fn spawn(future: impl Future<Output = ()> + 'static) {
    let spawner = SPAWNER.with(|kept| {
        kept.borrow_mut().get_or_insert_with(|| EXECUTOR.with(|executor| executor.borrow().spawner.clone())).clone()
    });
    // The pool lives as long as the thread, so spawning cannot fail; were it gone, there would be nothing to run for.
    let _ = spawner.spawn_local(future);
}

/// Runs all tasks until none can go on, then asks the host for the next wake-up.
pub(super) fn run() {
    // Makes sure that the spawner is kept before the pool is borrowed for the run.
    spawn(async {});
    EXECUTOR.with(|executor| executor.borrow_mut().pool.run_until_stalled());
    timer::arm();
}
