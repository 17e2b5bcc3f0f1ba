//! Everything the core needs from outside. On the server that is the wall; in tests a simulated world.

use std::future::Future;
use std::time::Duration;

use futures::future::{Either, LocalBoxFuture, select};

use crate::bridge::Bridge;
use crate::mattermost::Mattermost;
use crate::teleport::Teleport;
use crate::time::Time;

/// The core's only way out.
pub trait World: 'static {
    /// How Mattermost is reached.
    type Mattermost: Mattermost;
    /// How Teleport is reached.
    type Teleport: Teleport;
    /// How certificates and files are reached.
    type Bridge: Bridge;

    /// Mattermost.
    fn mattermost(&self) -> &Self::Mattermost;

    /// The bridge.
    fn bridge(&self) -> &Self::Bridge;

    /// The Teleport that the bridge was told about under this cluster's name.
    fn teleport(&self, cluster: &str) -> Self::Teleport;

    /// What time it is.
    fn now(&self) -> Time;

    /// Resolves after a time.
    fn sleep(&self, span: Duration) -> LocalBoxFuture<'static, ()>;

    /// A number for spreading load. Where chance fails it may be guessed: nothing that guards anything comes from it.
    fn random(&self) -> u64;

    /// A number that nobody can guess; none where the host has no chance to give. Nothing is decided then.
    fn secret(&self) -> Option<u64>;

    /// Runs a task beside everything else.
    fn spawn(&self, task: LocalBoxFuture<'static, ()>);
}

/// The result of `work`, or none if it takes longer than `span`; it is dropped then.
pub(crate) async fn within<W: World, T>(world: &W, span: Duration, work: impl Future<Output = T>) -> Option<T> {
    let work = std::pin::pin!(work);
    match select(work, world.sleep(span)).await {
        Either::Left((done, _)) => Some(done),
        Either::Right(((), _)) => None,
    }
}
