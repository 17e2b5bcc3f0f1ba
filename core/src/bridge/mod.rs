//! The bridge: certificates, files and the way to Teleport, in the terms of `proto/bridge/bridge.proto`.

#[cfg(target_os = "wasi")]
mod client;

use std::future::Future;

#[cfg(target_os = "wasi")]
pub(crate) use client::WallBridge;

pub use crate::proto::bridge::{
    CredentialProblem, Credentials, DescribeEndpointResponse as RouteFacts, EndpointKind,
    InspectCredentialsResponse as CredentialFacts, SetEndpointRequest as Endpoint, SignResponse as Signature,
};

use crate::mattermost::HostError;

/// The calls of the bridge that the core makes.
pub trait Bridge: 'static {
    /// Reads certificates without connecting anywhere.
    fn inspect(&self, credentials: Credentials) -> impl Future<Output = Result<CredentialFacts, HostError>>;

    /// Makes calls of a cluster's Teleport go to this endpoint from now on.
    fn set_endpoint(&self, endpoint: Endpoint) -> impl Future<Output = Result<(), HostError>>;

    /// Which way connections to a cluster take.
    fn describe_endpoint(&self, cluster: &str) -> impl Future<Output = Result<RouteFacts, HostError>>;

    /// Closes the connection to a cluster, and forgets where it is.
    fn forget_endpoint(&self, cluster: &str) -> impl Future<Output = Result<(), HostError>>;

    /// Reads a file on the Mattermost server.
    fn read_file(&self, path: &str) -> impl Future<Output = Result<Vec<u8>, HostError>>;

    /// Encrypts a text for the settings. It can be decrypted for the same use only.
    fn seal(&self, text: &str, usage: &str) -> impl Future<Output = Result<String, HostError>>;

    /// Decrypts what [`Bridge::seal`] made; `Invalid` where it is none of that, or was sealed for another use.
    fn unseal(&self, sealed: &str, usage: &str) -> impl Future<Output = Result<String, HostError>>;

    /// Signs bytes with the plugin's own Ed25519 key.
    fn sign(&self, message: &[u8]) -> impl Future<Output = Result<Signature, HostError>>;
}
