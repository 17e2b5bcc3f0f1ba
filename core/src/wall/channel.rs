//! A tower service that sends HTTP requests over the wall.

use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll};

use bytes::Bytes;
use http_body::Body;
use http_body_util::BodyExt;

use super::exchange::{self, Cancelled, WallBody};
use super::{executor, imports};
use crate::proto::wall::RequestHead;

/// Sends requests to one destination: `host`, or `teleport/<cluster>`.
#[derive(Debug, Clone)]
pub(crate) struct WallChannel {
    destination: String,
}

impl WallChannel {
    /// A channel to `destination`, see `proto/wall/wall.proto`.
    pub(crate) fn new(destination: impl Into<String>) -> Self {
        Self { destination: destination.into() }
    }
}

impl<B> tower_service::Service<http::Request<B>> for WallChannel
where
    B: Body<Data = Bytes> + Unpin + 'static,
{
    type Response = http::Response<WallBody>;
    type Error = Cancelled;
    type Future = Pin<Box<dyn Future<Output = Result<Self::Response, Cancelled>>>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Cancelled>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: http::Request<B>) -> Self::Future {
        let (parts, mut body) = request.into_parts();
        let (id, head, answer) = exchange::open();
        imports::begin(
            id,
            &RequestHead {
                destination: self.destination.clone(),
                method: parts.method.as_str().to_owned(),
                path: parts.uri.path().to_owned(),
                headers: exchange::to_wall(&parts.headers),
            },
        );
        executor::spawn(async move {
            while let Some(frame) = body.frame().await {
                match frame.map(http_body::Frame::into_data) {
                    Ok(Ok(chunk)) if chunk.is_empty() => {}
                    Ok(Ok(chunk)) => imports::body(id, &chunk),
                    // gRPC-web requests have no trailers.
                    Ok(Err(_)) => {}
                    Err(_) => {
                        exchange::cancel(id);
                        return imports::cancel(id);
                    }
                }
            }
            imports::end(id);
        });
        Box::pin(async move {
            // `answer` rides along: dropped early, it gives the exchange up.
            let head = head.await.map_err(|_| Cancelled)?;
            let mut response = http::Response::new(answer);
            *response.status_mut() = u16::try_from(head.status)
                .ok()
                .and_then(|status| http::StatusCode::from_u16(status).ok())
                .ok_or(Cancelled)?;
            *response.headers_mut() = exchange::from_wall(head.headers);
            Ok(response)
        })
    }
}
