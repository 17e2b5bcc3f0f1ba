//! Mattermost's Plugin API over the wall.

use std::time::Duration;

use tonic::{IntoRequest, Request};
use tonic_web::GrpcWebClientService;

use super::{
    Bot, Channel, ChannelBy, Dialog, Group, GroupBy, HostError, LogLevel, Mattermost, Membership, Post, Session, Swap,
    Team, User, UserBy,
};
use crate::proto::mattermost as wire;
use crate::proto::mattermost::mattermost_client::MattermostClient;
use crate::wall::{self, WallChannel};

/// How long Mattermost may take to answer a call.
const CALL_TIMEOUT: Duration = Duration::from_secs(15);
/// Largest message that is taken: a listing of a busy channel's posts.
const MAX_MESSAGE: usize = 64 << 20;

/// The Mattermost that hosts the plugin.
#[derive(Debug, Clone)]
pub(crate) struct WallMattermost {
    client: MattermostClient<GrpcWebClientService<WallChannel>>,
}

impl WallMattermost {
    /// The one behind the wall.
    pub(crate) fn new() -> Self {
        let channel = GrpcWebClientService::new(WallChannel::new("host"));
        Self { client: MattermostClient::new(channel).max_decoding_message_size(MAX_MESSAGE) }
    }
}

/// A call with its deadline.
fn timed<T>(message: T) -> Request<T> {
    let mut request = message.into_request();
    request.set_timeout(CALL_TIMEOUT);
    request
}

impl Mattermost for WallMattermost {
    async fn create_post(&self, post: Post, pending_id: String) -> Result<Post, HostError> {
        let request = wire::CreatePostRequest { post: Some(post), pending_post_id: pending_id };
        Ok(self.client.clone().create_post(timed(request)).await?.into_inner())
    }

    async fn update_post(&self, post: Post) -> Result<Post, HostError> {
        Ok(self.client.clone().update_post(timed(wire::UpdatePostRequest { post: Some(post) })).await?.into_inner())
    }

    async fn get_post(&self, id: &str) -> Result<Post, HostError> {
        Ok(self.client.clone().get_post(timed(wire::GetPostRequest { id: id.to_owned() })).await?.into_inner())
    }

    async fn delete_post(&self, id: &str) -> Result<(), HostError> {
        self.client.clone().delete_post(timed(wire::DeletePostRequest { id: id.to_owned() })).await?;
        Ok(())
    }

    async fn list_bot_posts(&self, channel_id: &str, since: i64, author: &str) -> Result<Vec<Post>, HostError> {
        let (channel_id, user_id) = (channel_id.to_owned(), author.to_owned());
        let request = wire::ListBotPostsRequest { channel_id, since, user_id };
        Ok(self.client.clone().list_bot_posts(timed(request)).await?.into_inner().posts)
    }

    async fn send_ephemeral(&self, user_id: &str, post: Post) -> Result<(), HostError> {
        let request = wire::SendEphemeralPostRequest { user_id: user_id.to_owned(), post: Some(post) };
        self.client.clone().send_ephemeral_post(timed(request)).await?;
        Ok(())
    }

    async fn open_dialog(&self, trigger_id: &str, url: String, dialog: Dialog) -> Result<(), HostError> {
        let request = wire::OpenDialogRequest { trigger_id: trigger_id.to_owned(), url, dialog: Some(dialog) };
        self.client.clone().open_dialog(timed(request)).await?;
        Ok(())
    }

    async fn get_user(&self, by: UserBy) -> Result<User, HostError> {
        Ok(self.client.clone().get_user(timed(wire::GetUserRequest { by: Some(by) })).await?.into_inner())
    }

    async fn system_admins(&self) -> Result<Vec<User>, HostError> {
        Ok(self.client.clone().list_system_admins(timed(wire::ListSystemAdminsRequest {})).await?.into_inner().users)
    }

    async fn get_channel(&self, by: ChannelBy) -> Result<Channel, HostError> {
        Ok(self.client.clone().get_channel(timed(wire::GetChannelRequest { by: Some(by) })).await?.into_inner())
    }

    async fn channel_membership(&self, channel_id: &str, user_id: &str) -> Result<Membership, HostError> {
        let request = wire::GetChannelMemberRequest { channel_id: channel_id.to_owned(), user_id: user_id.to_owned() };
        let answer = self.client.clone().get_channel_member(timed(request)).await?.into_inner();
        Ok(Membership { member: answer.is_member, admin: answer.is_admin })
    }

    async fn team_membership(&self, team_id: &str, user_id: &str) -> Result<Membership, HostError> {
        let request = wire::GetTeamMemberRequest { team_id: team_id.to_owned(), user_id: user_id.to_owned() };
        let answer = self.client.clone().get_team_member(timed(request)).await?.into_inner();
        Ok(Membership { member: answer.is_member, admin: answer.is_admin })
    }

    async fn get_team(&self, id: &str) -> Result<Team, HostError> {
        Ok(self.client.clone().get_team(timed(wire::GetTeamRequest { id: id.to_owned() })).await?.into_inner())
    }

    async fn get_bot(&self, user_id: &str) -> Result<Bot, HostError> {
        let request = wire::GetBotRequest { user_id: user_id.to_owned() };
        Ok(self.client.clone().get_bot(timed(request)).await?.into_inner())
    }

    async fn get_group(&self, by: GroupBy) -> Result<Group, HostError> {
        Ok(self.client.clone().get_group(timed(wire::GetGroupRequest { by: Some(by) })).await?.into_inner())
    }

    async fn is_group_member(&self, group_id: &str, user_id: &str) -> Result<bool, HostError> {
        let request = wire::GetGroupMemberRequest { group_id: group_id.to_owned(), user_id: user_id.to_owned() };
        Ok(self.client.clone().get_group_member(timed(request)).await?.into_inner().is_member)
    }

    async fn group_users(&self, group_id: &str, page: i32, per_page: i32) -> Result<Vec<User>, HostError> {
        let request = wire::ListGroupUsersRequest { group_id: group_id.to_owned(), page, per_page };
        Ok(self.client.clone().list_group_users(timed(request)).await?.into_inner().users)
    }

    async fn channel_users(&self, channel_id: &str, page: i32, per_page: i32) -> Result<Vec<User>, HostError> {
        let request = wire::ListChannelUsersRequest { channel_id: channel_id.to_owned(), page, per_page };
        Ok(self.client.clone().list_channel_users(timed(request)).await?.into_inner().users)
    }

    async fn roles_grant(&self, roles: &[&str], permission: &str) -> Result<bool, HostError> {
        let roles = roles.iter().map(|role| (*role).to_owned()).collect();
        let request = wire::RolesGrantRequest { roles, permission: permission.to_owned() };
        Ok(self.client.clone().roles_grant(timed(request)).await?.into_inner().granted)
    }

    async fn get_session(&self, id: &str) -> Result<Session, HostError> {
        let request = wire::GetSessionRequest { session_id: id.to_owned() };
        Ok(self.client.clone().get_session(timed(request)).await?.into_inner())
    }

    async fn kv_get(&self, key: &str) -> Result<Option<Vec<u8>>, HostError> {
        Ok(self.client.clone().kv_get(timed(wire::KvGetRequest { key: key.to_owned() })).await?.into_inner().value)
    }

    async fn kv_swap(&self, swap: Swap) -> Result<bool, HostError> {
        let request = wire::KvSetRequest {
            key: swap.key,
            value: swap.new,
            atomic: true,
            old_value: swap.old,
            expire_seconds: swap.expire_seconds,
        };
        Ok(self.client.clone().kv_set(timed(request)).await?.into_inner().stored)
    }

    async fn kv_list(&self, page: i32, per_page: i32) -> Result<Vec<String>, HostError> {
        Ok(self.client.clone().kv_list(timed(wire::KvListRequest { page, per_page })).await?.into_inner().keys)
    }

    fn log(&self, level: LogLevel, message: String, fields: Vec<(String, String)>) {
        let fields = fields.into_iter().map(|(name, value)| wire::LogField { name, value }).collect();
        let request = wire::LogRequest { level: level.into(), message, fields };
        let mut client = self.client.clone();
        wall::spawn(async move {
            // Where even the log fails there is nobody left to tell.
            let _ = client.log(timed(request)).await;
        });
    }
}
