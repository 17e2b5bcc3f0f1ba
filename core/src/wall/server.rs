//! Answers the exchanges that the host opens.

use std::cell::RefCell;

use http_body_util::BodyExt;
use tonic::service::Routes;
use tonic_web::{GrpcWebLayer, GrpcWebService};
use tower_layer::Layer;
use tower_service::Service;

use super::exchange::{self, WallBody};
use super::imports;
use crate::proto::wall::{RequestHead, ResponseHead};
use crate::server;

thread_local! {
    static ROUTES: RefCell<Option<GrpcWebService<Routes>>> = const { RefCell::new(None) };
}

/// The services, started with the first request.
fn routes() -> GrpcWebService<Routes> {
    ROUTES.with(|routes| routes.borrow_mut().get_or_insert_with(|| GrpcWebLayer::new().layer(server::start())).clone())
}

/// Answers one request.
pub(super) async fn answer(id: u32, head: RequestHead, body: WallBody) {
    let response = match request(head, body) {
        Some(request) => routes().call(request).await,
        None => return give_up(id),
    };
    let Ok(response) = response;
    let (parts, mut body) = response.into_parts();
    imports::begin(
        id,
        &ResponseHead { status: u32::from(parts.status.as_u16()), headers: exchange::to_wall(&parts.headers) },
    );
    while let Some(frame) = body.frame().await {
        match frame.map(http_body::Frame::into_data) {
            Ok(Ok(chunk)) if chunk.is_empty() => {}
            Ok(Ok(chunk)) => imports::body(id, &chunk),
            Ok(Err(_)) => {}
            Err(_) => return give_up(id),
        }
    }
    imports::end(id);
    exchange::forget(id);
}

fn give_up(id: u32) {
    exchange::forget(id);
    imports::cancel(id);
}

/// The request in the `http` crate's terms; none where its head makes no sense.
fn request(head: RequestHead, body: WallBody) -> Option<http::Request<WallBody>> {
    let mut request = http::Request::new(body);
    *request.method_mut() = head.method.parse().ok()?;
    *request.uri_mut() = head.path.parse().ok()?;
    *request.headers_mut() = exchange::from_wall(head.headers);
    Some(request)
}
