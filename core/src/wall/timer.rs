//! Sleeping, on the one timer that the host offers.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll, Waker};
use std::time::{Duration, Instant};

use super::imports;

#[derive(Default)]
struct Timers {
    sleepers: BTreeMap<(Instant, u64), Waker>,
    next: u64,
    /// What the host was last asked for.
    armed: Option<Instant>,
}

thread_local! {
    static TIMERS: RefCell<Timers> = RefCell::new(Timers::default());
}

/// Resolves after a time.
pub(crate) struct Sleep {
    until: Instant,
    key: Option<(Instant, u64)>,
}

/// Sleeps for `duration`.
pub(crate) fn sleep(duration: Duration) -> Sleep {
    Sleep { until: Instant::now() + duration, key: None }
}

impl Future for Sleep {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<()> {
        TIMERS.with(|timers| {
            let mut timers = timers.borrow_mut();
            if let Some(key) = self.key.take() {
                timers.sleepers.remove(&key);
            }
            if Instant::now() >= self.until {
                return Poll::Ready(());
            }
            let key = (self.until, timers.next);
            timers.next += 1;
            timers.sleepers.insert(key, context.waker().clone());
            self.key = Some(key);
            Poll::Pending
        })
    }
}

impl Drop for Sleep {
    fn drop(&mut self) {
        if let Some(key) = self.key.take() {
            TIMERS.with(|timers| timers.borrow_mut().sleepers.remove(&key));
        }
    }
}

/// Wakes whoever has slept long enough.
pub(super) fn fire() {
    let now = Instant::now();
    let due: Vec<Waker> = TIMERS.with(|timers| {
        let mut timers = timers.borrow_mut();
        timers.armed = None;
        let later = timers.sleepers.split_off(&(now, u64::MAX));
        std::mem::replace(&mut timers.sleepers, later).into_values().collect()
    });
    due.into_iter().for_each(Waker::wake);
}

/// Asks the host for a call at the time the first sleeper wants to wake, unless that is what it knows already.
pub(super) fn arm() {
    TIMERS.with(|timers| {
        let mut timers = timers.borrow_mut();
        let Some(first) = timers.sleepers.keys().next().map(|(until, _)| *until) else { return };
        if timers.armed == Some(first) {
            return;
        }
        timers.armed = Some(first);
        let wait = first.saturating_duration_since(Instant::now());
        // Rounded up, so that the sleeper is due when the call comes.
        imports::wake_after(wait.as_millis() as u64 + 1);
    });
}
