//! Mattermost: what the core asks of it, in the terms of `proto/mattermost/mattermost.proto`.

#[cfg(target_os = "wasi")]
mod client;

use std::future::Future;

#[cfg(target_os = "wasi")]
pub(crate) use client::WallMattermost;

pub use crate::proto::mattermost::{
    Action, Attachment, AttachmentField, Bot, Channel, Dialog, DialogElement, DialogOption, Group, LogLevel, Post,
    Session, Team, User, get_channel_request::By as ChannelBy, get_group_request::By as GroupBy,
    get_user_request::By as UserBy,
};

/// A failed call of the host: of Mattermost's Plugin API, or of the shim's own services.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum HostError {
    /// There is no such thing.
    #[error("not found: {0}")]
    NotFound(String),
    /// The plugin may not.
    #[error("not permitted: {0}")]
    Denied(String),
    /// Mattermost takes what we sent for wrong.
    #[error("not accepted: {0}")]
    Invalid(String),
    /// Mattermost cannot now, or did not answer in time; it may have done it all the same.
    #[error("not available: {0}")]
    Unavailable(String),
}

impl From<tonic::Status> for HostError {
    fn from(status: tonic::Status) -> Self {
        let text = status.message().to_owned();
        match status.code() {
            tonic::Code::NotFound => Self::NotFound(text),
            tonic::Code::PermissionDenied | tonic::Code::Unauthenticated => Self::Denied(text),
            tonic::Code::InvalidArgument | tonic::Code::AlreadyExists | tonic::Code::Unimplemented => {
                Self::Invalid(text)
            }
            _ => Self::Unavailable(text),
        }
    }
}

/// How somebody stands in a channel or team.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Membership {
    /// A member at all.
    pub member: bool,
    /// Its admin.
    pub admin: bool,
}

/// A conditional write to the key-value store.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Swap {
    /// Which key; at most 150 characters.
    pub key: String,
    /// What must stand there now; none: nothing.
    pub old: Option<Vec<u8>>,
    /// What shall stand there; none: nothing.
    pub new: Option<Vec<u8>>,
    /// Seconds until it goes away by itself; 0: never.
    pub expire_seconds: i64,
}

/// The calls of Mattermost's Plugin API that the core makes.
pub trait Mattermost: 'static {
    /// Creates a post as the bot; a repeat with the same `pending_id` soon after may be dropped by Mattermost.
    fn create_post(&self, post: Post, pending_id: String) -> impl Future<Output = Result<Post, HostError>>;

    /// Replaces message, attachments and props of a post.
    fn update_post(&self, post: Post) -> impl Future<Output = Result<Post, HostError>>;

    /// One post; deleted ones have `delete_at` set.
    fn get_post(&self, id: &str) -> impl Future<Output = Result<Post, HostError>>;

    /// Deletes a post of the bot.
    fn delete_post(&self, id: &str) -> impl Future<Output = Result<(), HostError>>;

    /// The posts of the bot, or of an earlier one that is named, in a channel that were created at `since` (milliseconds) or
    /// later.
    fn list_bot_posts(
        &self,
        channel_id: &str,
        since: i64,
        author: &str,
    ) -> impl Future<Output = Result<Vec<Post>, HostError>>;

    /// Shows a post to one user only. In a thread (`root_id`) phones show it nowhere else.
    fn send_ephemeral(&self, user_id: &str, post: Post) -> impl Future<Output = Result<(), HostError>>;

    /// Opens a dialog at the user whose click gave the trigger id; its submission goes to `url`.
    fn open_dialog(&self, trigger_id: &str, url: String, dialog: Dialog)
    -> impl Future<Output = Result<(), HostError>>;

    /// A user.
    fn get_user(&self, by: UserBy) -> impl Future<Output = Result<User, HostError>>;

    /// The active system admins.
    fn system_admins(&self) -> impl Future<Output = Result<Vec<User>, HostError>>;

    /// A channel.
    fn get_channel(&self, by: ChannelBy) -> impl Future<Output = Result<Channel, HostError>>;

    /// A user's standing in a channel.
    fn channel_membership(
        &self,
        channel_id: &str,
        user_id: &str,
    ) -> impl Future<Output = Result<Membership, HostError>>;

    /// A user's standing in a team.
    fn team_membership(&self, team_id: &str, user_id: &str) -> impl Future<Output = Result<Membership, HostError>>;

    /// A team; archived ones have `delete_at` set.
    fn get_team(&self, id: &str) -> impl Future<Output = Result<Team, HostError>>;

    /// A bot by its user id; disabled ones have `delete_at` set.
    fn get_bot(&self, user_id: &str) -> impl Future<Output = Result<Bot, HostError>>;

    /// A group; deleted ones have `delete_at` set.
    fn get_group(&self, by: GroupBy) -> impl Future<Output = Result<Group, HostError>>;

    /// Whether a user is in the group with this id.
    fn is_group_member(&self, group_id: &str, user_id: &str) -> impl Future<Output = Result<bool, HostError>>;

    /// A page of a group's members, from page 0; fewer than `per_page` (at most 200): it was the last.
    fn group_users(
        &self,
        group_id: &str,
        page: i32,
        per_page: i32,
    ) -> impl Future<Output = Result<Vec<User>, HostError>>;

    /// A page of a channel's members, from page 0; fewer than `per_page` (at most 200): it was the last.
    fn channel_users(
        &self,
        channel_id: &str,
        page: i32,
        per_page: i32,
    ) -> impl Future<Output = Result<Vec<User>, HostError>>;

    /// Whether any of these roles of the server grants a permission.
    fn roles_grant(&self, roles: &[&str], permission: &str) -> impl Future<Output = Result<bool, HostError>>;

    /// A session, as Mattermost keeps it.
    fn get_session(&self, id: &str) -> impl Future<Output = Result<Session, HostError>>;

    /// Reads a value of the key-value store.
    fn kv_get(&self, key: &str) -> impl Future<Output = Result<Option<Vec<u8>>, HostError>>;

    /// Writes a value if what stands there is as expected; says whether it was.
    fn kv_swap(&self, swap: Swap) -> impl Future<Output = Result<bool, HostError>>;

    /// A page of the key-value store's keys, from page 0.
    fn kv_list(&self, page: i32, per_page: i32) -> impl Future<Output = Result<Vec<String>, HostError>>;

    /// Writes a line to the server's log.
    fn log(&self, level: LogLevel, message: String, fields: Vec<(String, String)>);
}

/// Keys a page of the store's listing.
const PAGE: i32 = 1_000;

/// The first letter of the last key of a whole page; none where it is the last page, or the key begins with no letter.
fn last_letter(keys: &[String]) -> Option<u8> {
    let whole = keys.len() >= PAGE as usize;
    let letter = keys.last().filter(|_| whole)?.bytes().next()?.to_ascii_lowercase();
    letter.is_ascii_lowercase().then_some(letter)
}

/// Whether no key that begins like `prefix` can stand on a later page. Mattermost orders keys by the database's rules for
/// texts, which differ, but not in what the first letters are worth.
pub(crate) fn is_past(keys: &[String], prefix: &str) -> bool {
    last_letter(keys).zip(prefix.bytes().next()).is_some_and(|(last, first)| last > first)
}

/// All keys of the key-value store that begin with `prefix`, without it. Most keys are the audit trail's: they are skipped.
pub(crate) async fn keys_after<M: Mattermost>(mattermost: &M, prefix: &str) -> Result<Vec<String>, HostError> {
    let is_before =
        |keys: &[String]| last_letter(keys).zip(prefix.bytes().next()).is_some_and(|(last, first)| last < first);
    let mut keys = mattermost.kv_list(0, PAGE).await?;
    let mut next = 0;
    if is_before(&keys) {
        // The first page that is not before them all, found in few steps: between one that is and one that is not.
        let (mut before, mut step) = (0, 1);
        let mut beyond = loop {
            if !is_before(&mattermost.kv_list(before + step, PAGE).await?) {
                break before + step;
            }
            (before, step) = (before + step, step * 2);
        };
        while before + 1 < beyond {
            let middle = before + (beyond - before) / 2;
            if is_before(&mattermost.kv_list(middle, PAGE).await?) { before = middle } else { beyond = middle }
        }
        next = beyond;
        keys = mattermost.kv_list(next, PAGE).await?;
    }
    let mut found = Vec::new();
    loop {
        found.extend(keys.iter().filter_map(|key| key.strip_prefix(prefix)).map(str::to_owned));
        if keys.len() < PAGE as usize || is_past(&keys, prefix) {
            return Ok(found);
        }
        next += 1;
        keys = mattermost.kv_list(next, PAGE).await?;
    }
}
