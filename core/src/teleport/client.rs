//! Teleport's auth service over the wall.

use std::cell::Cell;
use std::collections::BTreeMap;
use std::pin::Pin;
use std::rc::Rc;
use std::time::Duration;

use futures::{Stream, StreamExt};
use prost::Message;
use tonic::{Code, IntoRequest, Request, Response, Status};
use tonic_web::GrpcWebClientService;

use super::{AccessRequest, Decision, Event, NO_REQUEST, Rights, ServerInfo, Teleport, TeleportError, Verdict};
use crate::proto::proto::auth_service_client::AuthServiceClient;
use crate::proto::proto::{self as auth, event::Resource};
use crate::proto::teleport::users::v1 as users;
use crate::proto::teleport::users::v1::users_service_client::UsersServiceClient;
use crate::proto::{types, wrappers};
use crate::time::Time;
use crate::wall::WallChannel;

/// How long Teleport may take to answer a call.
const CALL_TIMEOUT: Duration = Duration::from_secs(10);
/// Requests or users a page of a listing. A page of large ones must be within the bounds of a message.
const PAGE: i32 = 100;
/// Most users of a cluster that are listed.
const MOST_USERS: usize = 100_000;
/// Largest message that is taken: a whole unpaged listing arrives as one on the oldest servers. All clusters share the
/// memory of the module, and a message takes several times its length there.
const MAX_MESSAGE: usize = 8 << 20;
/// Most requests of a listing, and most bytes of them: without a bound, one cluster could fill the memory of all.
const MAX_LISTED: usize = 20_000;
const MAX_LISTED_BYTES: usize = 16 << 20;

/// The methods that list requests, newest first.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Listing {
    /// Teleport 15 and later.
    Paged,
    /// Some time after Teleport 6.2, which does not have it.
    Streamed,
    /// Before Teleport 13.
    Whole,
}

impl Listing {
    /// The method to try where a server does not have this one.
    fn older(self) -> Option<Self> {
        match self {
            Self::Paged => Some(Self::Streamed),
            Self::Streamed => Some(Self::Whole),
            Self::Whole => None,
        }
    }
}

/// The requests of a listing, within bounds.
#[derive(Default)]
struct Listed {
    all: Vec<types::AccessRequestV3>,
    bytes: usize,
    pages: usize,
}

impl Listed {
    /// Fails where there is always a further page: empty ones are within the other bounds for ever.
    fn next_page(&mut self) -> Result<(), Status> {
        self.pages += 1;
        if self.pages >= MAX_LISTED {
            return Err(Status::resource_exhausted("the list of the cluster's access requests does not end"));
        }
        Ok(())
    }

    fn push(&mut self, request: types::AccessRequestV3) -> Result<(), Status> {
        self.bytes = self.bytes.saturating_add(request.encoded_len());
        if self.all.len() >= MAX_LISTED || self.bytes > MAX_LISTED_BYTES {
            return Err(Status::resource_exhausted(format!(
                "the cluster has more than {MAX_LISTED} access requests, or more than {} MiB of them",
                MAX_LISTED_BYTES >> 20
            )));
        }
        self.all.push(request);
        Ok(())
    }
}

/// The Teleport of one cluster.
#[derive(Debug, Clone)]
pub(crate) struct WallTeleport {
    client: AuthServiceClient<GrpcWebClientService<WallChannel>>,
    users: UsersServiceClient<GrpcWebClientService<WallChannel>>,
    /// The newest method that this server may have, as far as we know.
    listing: Rc<Cell<Listing>>,
}

impl WallTeleport {
    /// The Teleport that the bridge knows under this cluster's name.
    pub(crate) fn new(cluster: &str) -> Self {
        let channel = GrpcWebClientService::new(WallChannel::new(format!("teleport/{cluster}")));
        let client = AuthServiceClient::new(channel.clone()).max_decoding_message_size(MAX_MESSAGE);
        let users = UsersServiceClient::new(channel).max_decoding_message_size(MAX_MESSAGE);
        Self { client, users, listing: Rc::new(Cell::new(Listing::Paged)) }
    }

    /// All requests that match, by the newest method that the server has.
    async fn list_by(&self, filter: types::AccessRequestFilter) -> Result<Vec<types::AccessRequestV3>, Status> {
        let mut listing = self.listing.get();
        loop {
            let answer = match listing {
                Listing::Paged => self.list_paged(filter.clone()).await,
                Listing::Streamed => self.list_streamed(filter.clone()).await,
                Listing::Whole => self.list_whole(filter.clone()).await,
            };
            match (answer, listing.older()) {
                (Err(status), Some(older)) if status.code() == Code::Unimplemented => listing = older,
                (answer, _) => {
                    if answer.is_ok() {
                        self.listing.set(listing);
                    }
                    return answer;
                }
            }
        }
    }

    async fn list_paged(&self, filter: types::AccessRequestFilter) -> Result<Vec<types::AccessRequestV3>, Status> {
        let mut requests = Listed::default();
        let mut start_key = String::new();
        loop {
            let page = auth::ListAccessRequestsRequest {
                filter: Some(filter.clone()),
                limit: PAGE,
                start_key,
                ..Default::default()
            };
            let page = self.client.clone().list_access_requests(timed(page)).await?.into_inner();
            for request in page.access_requests {
                requests.push(request)?;
            }
            if page.next_key.is_empty() {
                return Ok(requests.all);
            }
            requests.next_page()?;
            start_key = page.next_key;
        }
    }

    async fn list_streamed(&self, filter: types::AccessRequestFilter) -> Result<Vec<types::AccessRequestV3>, Status> {
        let mut stream = self.client.clone().get_access_requests_v2(timed(filter)).await?.into_inner();
        let mut requests = Listed::default();
        while let Some(request) = stream.message().await? {
            requests.push(request)?;
        }
        Ok(requests.all)
    }

    async fn list_whole(&self, filter: types::AccessRequestFilter) -> Result<Vec<types::AccessRequestV3>, Status> {
        Ok(self.client.clone().get_access_requests(timed(filter)).await?.into_inner().access_requests)
    }
}

impl WallTeleport {
    async fn users_paged(&self) -> Result<Vec<types::UserV2>, Status> {
        let mut found = Vec::new();
        let mut page_token = String::new();
        loop {
            // No filter: servers that know it look at names only, and what they leave out could be somebody's second user.
            let page = users::ListUsersRequest { page_size: PAGE, page_token, ..Default::default() };
            let page = self.users.clone().list_users(timed(page)).await?.into_inner();
            found.extend(page.users);
            bounded(&found)?;
            if page.next_page_token.is_empty() {
                return Ok(found);
            }
            page_token = page.next_page_token;
        }
    }

    async fn users_streamed(&self) -> Result<Vec<types::UserV2>, Status> {
        let request = auth::GetUsersRequest { with_secrets: false };
        let mut stream = self.client.clone().get_users(timed(request)).await?.into_inner();
        let mut found = Vec::new();
        while let Some(user) = stream.message().await? {
            found.push(user);
            bounded(&found)?;
        }
        Ok(found)
    }

    /// All users, by the newest method that the server has.
    async fn all_users(&self) -> Result<Vec<types::UserV2>, Status> {
        match self.users_paged().await {
            Err(status) if status.code() == Code::Unimplemented => self.users_streamed().await,
            users => users,
        }
    }
}

/// Fails where a listing of users goes on and on: what is left out could be somebody's second user, so a part of it is of
/// no use.
fn bounded(users: &[types::UserV2]) -> Result<(), Status> {
    if users.len() > MOST_USERS {
        return Err(Status::resource_exhausted(format!("the cluster has more than {MOST_USERS} users")));
    }
    Ok(())
}

/// A user's name with the values of a trait; none where they do not have it.
fn named_trait(user: types::UserV2, name: &str) -> Option<(String, Vec<String>)> {
    let mut traits = user.spec?.traits?.values;
    let values = traits.remove(name)?.values;
    Some((user.metadata?.name, values))
}

fn label_values(labels: BTreeMap<String, Vec<String>>) -> wrappers::LabelValues {
    let values = labels.into_iter().map(|(name, values)| (name, wrappers::StringValues { values })).collect();
    wrappers::LabelValues { values }
}

/// A call with its deadline.
fn timed<T>(message: T) -> Request<T> {
    let mut request = message.into_request();
    request.set_timeout(CALL_TIMEOUT);
    request
}

impl Teleport for WallTeleport {
    type Events = Pin<Box<dyn Stream<Item = Result<Event, TeleportError>>>>;

    async fn ping(&self) -> Result<ServerInfo, TeleportError> {
        let answer = self.client.clone().ping(timed(auth::PingRequest {})).await?.into_inner();
        Ok(ServerInfo {
            cluster: answer.cluster_name,
            version: answer.server_version,
            reviews: answer.server_features.is_some_and(|features| features.advanced_access_workflows),
            web: answer.proxy_public_addr,
        })
    }

    async fn watch(&self) -> Result<Self::Events, TeleportError> {
        let kind = types::WatchKind { kind: "access_request".to_owned(), ..Default::default() };
        let watch = auth::Watch { kinds: vec![kind], allow_partial_success: false };
        let events = self.client.clone().watch_events(watch).await.map(Response::into_inner)?;
        Ok(Box::pin(events.filter_map(|event| async move {
            match event {
                Err(status) => Some(Err(TeleportError::from(status))),
                Ok(event) => read(event).map(Ok),
            }
        })))
    }

    async fn list(&self) -> Result<Vec<AccessRequest>, TeleportError> {
        let requests = self.list_by(types::AccessRequestFilter::default()).await?;
        Ok(requests.into_iter().filter_map(|request| AccessRequest::try_from(request).ok()).collect())
    }

    async fn get(&self, id: &str) -> Result<Option<AccessRequest>, TeleportError> {
        let filter = types::AccessRequestFilter { id: id.to_owned(), ..Default::default() };
        let requests = match self.list_by(filter).await.map_err(TeleportError::from) {
            Err(TeleportError::NotFound(_)) => return Ok(None),
            answer => answer?,
        };
        let found =
            requests.into_iter().find(|request| request.metadata.as_ref().is_some_and(|metadata| metadata.name == id));
        match found.map(AccessRequest::try_from) {
            None => Ok(None),
            Some(Ok(request)) => Ok(Some(request)),
            Some(Err(malformed)) => Err(TeleportError::Other(malformed.to_string())),
        }
    }

    async fn decide(&self, decision: Decision) -> Result<(), TeleportError> {
        let setter = auth::RequestStateSetter {
            id: decision.request_id,
            state: types::RequestState::from(decision.state).into(),
            delegator: decision.delegator,
            reason: decision.reason,
            annotations: Some(label_values(decision.annotations)),
            roles: decision.roles,
            assume_start_time: decision.starts.map(Time::to_timestamp),
        };
        self.client.clone().set_access_request_state(timed(setter)).await?;
        Ok(())
    }

    async fn review(&self, verdict: Verdict) -> Result<AccessRequest, TeleportError> {
        // The server would put its caller in the place of an empty author.
        if verdict.author.is_empty() {
            return Err(TeleportError::Invalid("a review without an author".to_owned()));
        }
        let decision = verdict.decision;
        let review = types::AccessReview {
            author: verdict.author,
            roles: decision.roles,
            proposed_state: types::RequestState::from(decision.state).into(),
            reason: decision.reason,
            created: Some(verdict.created.to_timestamp()),
            annotations: Some(label_values(decision.annotations)),
            assume_start_time: decision.starts.map(Time::to_timestamp),
            submitted_on_behalf_of_author: verdict.on_behalf,
            ..Default::default()
        };
        let submission = types::AccessReviewSubmission { request_id: decision.request_id, review: Some(review) };
        let request = self.client.clone().submit_access_review(timed(submission)).await?.into_inner();
        AccessRequest::try_from(request).map_err(|malformed| TeleportError::Other(malformed.to_string()))
    }

    async fn users_with_trait(&self, name: &str) -> Result<Vec<(String, Vec<String>)>, TeleportError> {
        let users = self.all_users().await?;
        Ok(users.into_iter().filter_map(|user| named_trait(user, name)).collect())
    }

    async fn user_names(&self) -> Result<Vec<String>, TeleportError> {
        let users = self.all_users().await?;
        Ok(users.into_iter().filter_map(|user| user.metadata.map(|metadata| metadata.name)).collect())
    }

    async fn trait_of(&self, user: &str, name: &str) -> Result<Vec<String>, TeleportError> {
        let request = users::GetUserRequest { name: user.to_owned(), ..Default::default() };
        let found = match self.users.clone().get_user(timed(request)).await {
            Err(status) if status.code() == Code::Unimplemented => {
                let request = auth::GetUserRequest { name: user.to_owned(), with_secrets: false };
                self.client.clone().get_user(timed(request)).await.map(|answer| Some(answer.into_inner()))
            }
            answer => answer.map(|answer| answer.into_inner().user),
        };
        match found {
            Err(status) if status.code() == Code::NotFound => Ok(Vec::new()),
            found => Ok(found?.and_then(|user| named_trait(user, name)).map(|(_, values)| values).unwrap_or_default()),
        }
    }

    async fn rights(&self) -> Result<Rights, TeleportError> {
        let mut roles = self.client.clone().get_current_user_roles(timed(())).await?.into_inner();
        let mut rights = Rights::default();
        while let Some(role) = roles.message().await? {
            let Some(allow) = role.spec.and_then(|spec| spec.allow) else { continue };
            for rule in allow.rules {
                let about = |kind: &str| rule.resources.iter().any(|resource| resource == kind || resource == "*");
                if about("access_request") {
                    rights.requests.extend(rule.verbs.iter().cloned());
                }
                if about("user") {
                    rights.users.extend(rule.verbs.iter().cloned());
                }
            }
            if let Some(review) = allow.review_requests {
                rights.reviews |= !review.roles.is_empty();
                rights.review_for.extend(review.submit_for_users);
            }
        }
        Ok(rights)
    }

    async fn may_list(&self) -> Result<(), TeleportError> {
        let filter = types::PluginDataFilter { kind: "access_request".to_owned(), ..Default::default() };
        let filter = types::PluginDataFilter { resource: NO_REQUEST.to_owned(), ..filter };
        self.client.clone().get_plugin_data(timed(filter)).await?;
        Ok(())
    }
}

/// An event in the core's words; none where it says nothing about an access request.
fn read(event: auth::Event) -> Option<Event> {
    match (event.r#type(), event.resource) {
        (auth::Operation::Init, _) => Some(Event::Init),
        (auth::Operation::Put, Some(Resource::AccessRequest(request))) => {
            AccessRequest::try_from(request).ok().map(|request| Event::Put(Box::new(request)))
        }
        (auth::Operation::Delete, Some(Resource::ResourceHeader(header))) if header.kind == "access_request" => {
            header.metadata.map(|metadata| Event::Delete(metadata.name))
        }
        _ => None,
    }
}
