//! The exchanges that are under way, by id.

use std::cell::RefCell;
use std::collections::HashMap;
use std::pin::Pin;
use std::task::{Context, Poll};

use bytes::Bytes;
use futures::Stream;
use futures::channel::{mpsc, oneshot};
use futures::future::AbortHandle;
use http_body::Frame;
use prost::Message;

use super::{executor, imports, server};
use crate::proto::wall::{Header, RequestHead, ResponseHead};

/// The other side gave the exchange up.
#[derive(Debug, Clone, Copy, thiserror::Error)]
#[error("the exchange was cancelled")]
pub(crate) struct Cancelled;

/// What we hold of an exchange whose peer has not finished.
struct Exchange {
    /// Where the response's head goes, for an exchange that we opened and that has none yet.
    head: Option<oneshot::Sender<ResponseHead>>,
    /// Where the peer's body goes, until its end.
    body: Option<mpsc::UnboundedSender<Result<Bytes, Cancelled>>>,
    /// Ends the task that answers, for an exchange that the host opened.
    task: Option<AbortHandle>,
}

#[derive(Default)]
struct Exchanges {
    open: HashMap<u32, Exchange>,
    /// Id of the exchange that we opened last; even.
    last: u32,
}

thread_local! {
    static EXCHANGES: RefCell<Exchanges> = RefCell::new(Exchanges::default());
}

fn with<T>(work: impl FnOnce(&mut Exchanges) -> T) -> T {
    EXCHANGES.with(|exchanges| work(&mut exchanges.borrow_mut()))
}

/// Opens an exchange of ours: its id, and where head and body of the answer arrive.
pub(super) fn open() -> (u32, oneshot::Receiver<ResponseHead>, WallBody) {
    let (head, head_arrives) = oneshot::channel();
    let (body, body_arrives) = mpsc::unbounded();
    let id = with(|exchanges| {
        exchanges.last += 2;
        let exchange = Exchange { head: Some(head), body: Some(body), task: None };
        exchanges.open.insert(exchanges.last, exchange);
        exchanges.last
    });
    (id, head_arrives, WallBody { id, chunks: body_arrives, finished: false, ours: true })
}

/// Forgets an exchange. Returns whether it was still under way.
pub(super) fn forget(id: u32) -> bool {
    with(|exchanges| exchanges.open.remove(&id)).is_some()
}

/// A head arrives: a request of the host's, or the answer to one of ours.
pub(super) fn begin(id: u32, bytes: Bytes) {
    if id.is_multiple_of(2) {
        let Ok(head) = ResponseHead::decode(bytes) else { return cancel(id) };
        let waiting = with(|exchanges| exchanges.open.get_mut(&id).and_then(|exchange| exchange.head.take()));
        if let Some(waiting) = waiting {
            let _ = waiting.send(head);
        }
        return;
    }
    let Ok(head) = RequestHead::decode(bytes) else { return imports::cancel(id) };
    let (body, chunks) = mpsc::unbounded();
    let (answer, task) =
        futures::future::abortable(server::answer(id, head, WallBody { id, chunks, finished: false, ours: false }));
    with(|exchanges| exchanges.open.insert(id, Exchange { head: None, body: Some(body), task: Some(task) }));
    executor::spawn(async move {
        let _ = answer.await;
    });
}

/// A piece of the peer's body arrives.
pub(super) fn body(id: u32, bytes: Bytes) {
    with(|exchanges| {
        if let Some(body) = exchanges.open.get(&id).and_then(|exchange| exchange.body.as_ref()) {
            let _ = body.unbounded_send(Ok(bytes));
        }
    });
}

/// The peer's body is complete.
pub(super) fn end(id: u32) {
    let dropped = with(|exchanges| {
        let exchange = exchanges.open.get_mut(&id)?;
        // An answer of ours may still be on its way; an answer to us is complete with its body.
        if exchange.task.is_some() { exchange.body.take().map(|_| None) } else { Some(exchanges.open.remove(&id)) }
    });
    drop(dropped);
}

/// The host gave the exchange up.
pub(super) fn cancel(id: u32) {
    let Some(exchange) = with(|exchanges| exchanges.open.remove(&id)) else { return };
    if let Some(body) = exchange.body {
        let _ = body.unbounded_send(Err(Cancelled));
    }
    if let Some(task) = exchange.task {
        task.abort();
    }
}

/// The peer's body, piece by piece. Dropped before its end, it gives up an exchange that we opened.
pub(crate) struct WallBody {
    id: u32,
    chunks: mpsc::UnboundedReceiver<Result<Bytes, Cancelled>>,
    finished: bool,
    ours: bool,
}

impl http_body::Body for WallBody {
    type Data = Bytes;
    type Error = Cancelled;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Cancelled>>> {
        let next = Pin::new(&mut self.chunks).poll_next(context);
        if let Poll::Ready(None | Some(Err(_))) = next {
            self.finished = true;
        }
        next.map(|chunk| chunk.map(|chunk| chunk.map(Frame::data)))
    }
}

impl Drop for WallBody {
    fn drop(&mut self) {
        if self.ours && !self.finished && forget(self.id) {
            imports::cancel(self.id);
        }
    }
}

/// Header fields as the wall carries them.
pub(super) fn to_wall(headers: &http::HeaderMap) -> Vec<Header> {
    headers
        .iter()
        .map(|(name, value)| Header { name: name.as_str().to_owned(), value: value.as_bytes().to_vec() })
        .collect()
}

/// Header fields as the `http` crate holds them; what it would not take is left out.
pub(super) fn from_wall(headers: Vec<Header>) -> http::HeaderMap {
    headers
        .into_iter()
        .filter_map(|header| {
            let name = http::HeaderName::from_bytes(header.name.as_bytes()).ok()?;
            Some((name, http::HeaderValue::from_bytes(&header.value).ok()?))
        })
        .collect()
}
