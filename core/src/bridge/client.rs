//! The bridge over the wall.

use tonic_web::GrpcWebClientService;

use super::{Bridge, CredentialFacts, Credentials, Endpoint, RouteFacts, Signature};
use crate::mattermost::HostError;
use crate::proto::bridge as wire;
use crate::proto::bridge::bridge_client::BridgeClient;
use crate::wall::WallChannel;

/// The bridge that the shim serves.
#[derive(Debug, Clone)]
pub(crate) struct WallBridge {
    client: BridgeClient<GrpcWebClientService<WallChannel>>,
}

impl WallBridge {
    /// The one behind the wall.
    pub(crate) fn new() -> Self {
        Self { client: BridgeClient::new(GrpcWebClientService::new(WallChannel::new("host"))) }
    }
}

impl Bridge for WallBridge {
    async fn inspect(&self, credentials: Credentials) -> Result<CredentialFacts, HostError> {
        Ok(self.client.clone().inspect_credentials(credentials).await?.into_inner())
    }

    async fn set_endpoint(&self, endpoint: Endpoint) -> Result<(), HostError> {
        self.client.clone().set_endpoint(endpoint).await?;
        Ok(())
    }

    async fn describe_endpoint(&self, cluster: &str) -> Result<RouteFacts, HostError> {
        let request = wire::DescribeEndpointRequest { cluster: cluster.to_owned() };
        Ok(self.client.clone().describe_endpoint(request).await?.into_inner())
    }

    async fn forget_endpoint(&self, cluster: &str) -> Result<(), HostError> {
        self.client.clone().forget_endpoint(wire::ForgetEndpointRequest { cluster: cluster.to_owned() }).await?;
        Ok(())
    }

    async fn seal(&self, text: &str, usage: &str) -> Result<String, HostError> {
        let request = wire::SealRequest { text: text.to_owned(), r#use: usage.to_owned() };
        Ok(self.client.clone().seal(request).await?.into_inner().sealed)
    }

    async fn unseal(&self, sealed: &str, usage: &str) -> Result<String, HostError> {
        let request = wire::UnsealRequest { sealed: sealed.to_owned(), r#use: usage.to_owned() };
        Ok(self.client.clone().unseal(request).await?.into_inner().text)
    }

    async fn sign(&self, message: &[u8]) -> Result<Signature, HostError> {
        Ok(self.client.clone().sign(wire::SignRequest { message: message.to_owned() }).await?.into_inner())
    }

    async fn read_file(&self, path: &str) -> Result<Vec<u8>, HostError> {
        Ok(self.client.clone().read_file(wire::ReadFileRequest { path: path.to_owned() }).await?.into_inner().content)
    }
}
