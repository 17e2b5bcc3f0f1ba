//! What a person saw, as hashes: of a request's immutable part, and of what stands in a post.
//!
//! A decision counts only for the request whose digest was shown. The post's hash is taken from what Mattermost answered
//! when the post was read back, and never from a new rendering: time, language or an upgrade would change that.

use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};

use crate::mattermost::{Action, Attachment, Post};
use crate::teleport::AccessRequest;
use crate::time::Time;

/// Fields one after the other, each with its length, so that no two different lists are the same bytes.
struct Writer(Sha256);

impl Writer {
    fn new(label: &str) -> Self {
        let mut writer = Self(Sha256::new());
        writer.text(label);
        writer
    }

    fn text(&mut self, text: &str) {
        self.number(text.len() as u64);
        self.0.update(text.as_bytes());
    }

    fn number(&mut self, number: u64) {
        self.0.update(number.to_be_bytes());
    }

    fn list(&mut self, texts: &[String]) {
        self.number(texts.len() as u64);
        texts.iter().for_each(|text| self.text(text));
    }

    fn moment(&mut self, moment: Option<Time>) {
        self.number(u64::from(moment.is_some()));
        self.number(moment.map_or(0, |moment| moment.0.unsigned_abs()));
    }

    fn hex(self) -> String {
        self.0.finalize().iter().map(|byte| format!("{byte:02x}")).collect()
    }
}

/// The digest of what a request asks for, as 64 hexadecimal digits. What happens to a request later (its state, reviews,
/// the resolution) is not in it, and neither is when the pending request expires, which Teleport moves on approval.
#[must_use]
pub fn of_request(cluster: &str, request: &AccessRequest) -> String {
    let mut writer = Writer::new("teleport-access request 1");
    writer.text(cluster);
    writer.text(&request.id);
    writer.text(&request.user);
    writer.list(&request.roles);
    writer.number(request.resources.len() as u64);
    for resource in &request.resources {
        writer.text(&resource.cluster);
        writer.text(&resource.kind);
        writer.text(&resource.name);
        writer.text(&resource.sub_resource);
        writer.list(&resource.constraints);
    }
    writer.moment(request.created);
    writer.moment(request.access_until);
    writer.moment(request.starts);
    writer.text(&i32::from(request.kind).to_string());
    writer.list(&request.unknown_fields);
    writer.text(&request.reason);
    writer.hex()
}

/// The digest of what must be as it was when an approval is read back: who was granted what. Roles are compared apart,
/// because fewer may have been granted than asked for; start and end are Teleport's to move on approval.
#[must_use]
pub fn of_grant(cluster: &str, request: &AccessRequest) -> String {
    let grant = AccessRequest {
        roles: Vec::new(),
        access_until: None,
        starts: None,
        // What a later server writes on approval is no other request.
        unknown_fields: Vec::new(),
        ..request.clone()
    };
    of_request(cluster, &grant)
}

/// The hash of what stands in a post, as 64 hexadecimal digits: all that somebody who looks at it could see, and all that
/// its buttons do. Reactions, pins and replies do not count.
#[must_use]
pub fn of_post(post: &Post) -> String {
    let mut writer = Writer::new("teleport-access post 1");
    for text in [&post.channel_id, &post.user_id, &post.root_id, &post.r#type, &post.message] {
        writer.text(text);
    }
    writer.list(&post.file_ids);
    for props in [&post.props, &post.other_props] {
        let mut props: Vec<_> = props.iter().collect();
        props.sort();
        writer.number(props.len() as u64);
        for (name, value) in props {
            writer.text(name);
            writer.text(value);
        }
    }
    writer.number(post.attachments.len() as u64);
    post.attachments.iter().for_each(|attachment| write_attachment(&mut writer, attachment));
    writer.hex()
}

fn write_attachment(writer: &mut Writer, attachment: &Attachment) {
    for text in [
        &attachment.fallback,
        &attachment.color,
        &attachment.pretext,
        &attachment.title,
        &attachment.title_link,
        &attachment.text,
        &attachment.footer,
        &attachment.author_name,
        &attachment.author_link,
        &attachment.author_icon,
        &attachment.image_url,
        &attachment.thumb_url,
        &attachment.footer_icon,
        &attachment.timestamp,
    ] {
        writer.text(text);
    }
    writer.number(attachment.fields.len() as u64);
    for field in &attachment.fields {
        writer.text(&field.title);
        writer.text(&field.value);
        writer.number(u64::from(field.short));
    }
    writer.number(attachment.actions.len() as u64);
    for action in &attachment.actions {
        write_action(writer, action);
    }
}

fn write_action(writer: &mut Writer, action: &Action) {
    for text in [&action.id, &action.name, &action.style, &action.url, &action.r#type, &action.other] {
        writer.text(text);
    }
    writer.number(u64::from(action.disabled));
    let mut context: Vec<_> = action.context.iter().collect();
    context.sort();
    writer.number(context.len() as u64);
    for (name, value) in context {
        writer.text(name);
        writer.text(value);
    }
}

/// Titles of the fields with people's words, in which other plugins may make links or mask words. What is granted does not
/// stand there.
const FREE: [&str; 3] = ["Reason", "Comment", "Reviews"];

/// How what was read back of a post differs from what was sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Altered {
    /// It says what was sent.
    #[default]
    No,
    /// It says something else of what is granted.
    Text,
    /// Its buttons are others, or do something else.
    Buttons,
}

impl Altered {
    /// Whether it does not differ.
    #[must_use]
    pub fn is_no(&self) -> bool {
        *self == Self::No
    }
}

/// Compares what was read back with what was sent, as far as it says what is granted: the message, the fields with their
/// titles and order, and the buttons with all that they do. People's words may have been touched.
#[must_use]
pub fn altered(sent: &Post, read: &Post) -> Altered {
    let buttons = |post: &Post| -> Vec<Action> {
        post.attachments.iter().flat_map(|attachment| attachment.actions.clone()).collect()
    };
    if !same_actions(&buttons(sent), &buttons(read)) {
        return Altered::Buttons;
    }
    if is_text_as_sent(sent, read) { Altered::No } else { Altered::Text }
}

fn is_text_as_sent(sent: &Post, read: &Post) -> bool {
    sent.message == read.message
        && read.r#type.is_empty()
        && read.file_ids.is_empty()
        && sent.props.iter().all(|(name, value)| read.props.get(name) == Some(value))
        && sent.attachments.len() == read.attachments.len()
        && sent.attachments.iter().zip(&read.attachments).all(|(sent, read)| is_attachment_as_sent(sent, read))
}

fn is_attachment_as_sent(sent: &Attachment, read: &Attachment) -> bool {
    let same_text = sent.text == read.text && sent.title == read.title && sent.pretext == read.pretext;
    let same_text = same_text && sent.fallback == read.fallback && sent.footer == read.footer;
    let added = [&read.author_name, &read.author_link, &read.author_icon, &read.image_url, &read.thumb_url];
    let added = added.into_iter().chain([&read.title_link, &read.footer_icon, &read.timestamp]);
    let nothing_added = added.into_iter().all(String::is_empty);
    let same_fields = sent.fields.len() == read.fields.len()
        && sent.fields.iter().zip(&read.fields).all(|(sent, read)| {
            // Words may be touched, but not be gone.
            let touched = FREE.contains(&sent.title.as_str()) && !is_bare(&read.value);
            sent.title == read.title && (sent.value == read.value || touched)
        });
    same_text && nothing_added && same_fields
}

/// Whether nothing is left of somebody's words but the signs of a quotation.
fn is_bare(quotation: &str) -> bool {
    quotation.chars().all(|letter| letter == '>' || letter.is_whitespace())
}

fn same_actions(sent: &[Action], read: &[Action]) -> bool {
    let same = |sent: &Action, read: &Action| {
        sent.id == read.id
            && sent.name == read.name
            && sent.style == read.style
            && sent.url == read.url
            && sent.context == read.context
            && read.other.is_empty()
            && !read.disabled
            && (read.r#type.is_empty() || read.r#type == "button")
    };
    sent.len() == read.len() && sent.iter().zip(read).all(|(sent, read)| same(sent, read))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::mattermost::AttachmentField;
    use crate::teleport::{Kind, Resource, Review, State};

    fn request() -> AccessRequest {
        AccessRequest {
            id: "id".into(),
            user: "ann".into(),
            roles: vec!["a".into(), "b".into()],
            resources: vec![Resource {
                cluster: "c".into(),
                kind: "db".into(),
                name: "n".into(),
                sub_resource: String::new(),
                constraints: Vec::new(),
            }],
            created: Some(Time(1)),
            access_until: Some(Time(2)),
            reason: "why".into(),
            ..Default::default()
        }
    }

    #[test]
    fn every_immutable_part_of_a_request_changes_its_digest() {
        let digest = of_request("tp", &request());
        assert_eq!(digest.len(), 64);
        let changes: [fn(&mut AccessRequest); 13] = [
            |request| request.id = "other".into(),
            |request| request.user = "bob".into(),
            |request| request.roles.reverse(),
            |request| request.roles = vec!["ab".into()],
            |request| request.resources.clear(),
            |request| request.created = Some(Time(3)),
            |request| request.access_until = None,
            |request| request.starts = Some(Time(2)),
            |request| request.reason.clear(),
            |request| request.kind = Kind::LongTerm,
            |request| request.kind = Kind::Unknown(3),
            |request| request.unknown_fields.push("spec.27".into()),
            |request| request.resources.iter_mut().for_each(|resource| resource.constraints.push("login root".into())),
        ];
        for (number, change) in changes.iter().enumerate() {
            let mut changed = request();
            change(&mut changed);
            assert_ne!(of_request("tp", &changed), digest, "change {number}");
        }
        assert_ne!(of_request("other", &request()), digest);
    }

    #[test]
    fn what_happens_to_a_request_later_leaves_its_digest_alone() {
        let later = AccessRequest {
            state: State::Approved,
            resolve_reason: "fine".into(),
            expires: Some(Time(9)),
            reviews: vec![Review {
                author: "x".into(),
                state: State::Approved,
                reason: String::new(),
                created: None,
                decider: String::new(),
            }],
            ..request()
        };
        assert_eq!(of_request("tp", &later), of_request("tp", &request()));
    }

    #[test]
    fn a_grant_of_fewer_roles_is_still_the_same_grant_and_one_to_somebody_else_is_not() {
        let fewer = AccessRequest { roles: vec!["a".into()], starts: Some(Time(5)), ..request() };
        assert_eq!(of_grant("tp", &fewer), of_grant("tp", &request()));
        let other = AccessRequest { user: "bob".into(), ..request() };
        assert_ne!(of_grant("tp", &other), of_grant("tp", &request()));
    }

    fn post() -> Post {
        let field =
            |title: &str, value: &str| AttachmentField { title: title.into(), value: value.into(), short: false };
        let action = Action {
            id: "approve".into(),
            name: "Approve".into(),
            url: "/plugins/p/click".into(),
            context: [("verdict".to_owned(), "approve".to_owned())].into(),
            ..Default::default()
        };
        Post {
            message: "`ann` requests `a`".into(),
            attachments: vec![Attachment {
                fields: vec![field("Role", "`a`"), field("Reason", "> why")],
                actions: vec![action],
                ..Default::default()
            }],
            ..Default::default()
        }
    }

    fn changed(change: impl FnOnce(&mut Post, &mut Attachment)) -> Post {
        let mut changed = post();
        let mut attachment = changed.attachments.pop().unwrap_or_default();
        change(&mut changed, &mut attachment);
        changed.attachments.push(attachment);
        changed
    }

    #[test]
    fn whatever_somebody_changes_in_a_post_changes_its_hash() {
        let changes: [fn(&mut Post, &mut Attachment); 7] = [
            |post, _| post.message.push('!'),
            |post, _| drop(post.props.insert("card".into(), "x".into())),
            |_, attachment| attachment.image_url = "https://evil".into(),
            |_, attachment| attachment.fields.iter_mut().for_each(|field| field.value.push('b')),
            |_, attachment| attachment.fields.reverse(),
            |_, attachment| attachment.actions.clear(),
            |_, attachment| {
                attachment
                    .actions
                    .iter_mut()
                    .for_each(|action| drop(action.context.insert("verdict".into(), "deny".into())));
            },
        ];
        for (number, change) in changes.iter().enumerate() {
            assert_ne!(of_post(&changed(change)), of_post(&post()), "change {number}");
        }
    }

    #[test]
    fn a_post_is_as_sent_where_only_peoples_words_were_touched() {
        assert_eq!(altered(&post(), &post()), Altered::No);
        let linked = changed(|_, attachment| {
            attachment
                .fields
                .iter_mut()
                .filter(|field| field.title == "Reason")
                .for_each(|field| field.value = "> [w](x)".into());
        });
        assert_eq!(altered(&post(), &linked), Altered::No);
        let texts: [fn(&mut Post, &mut Attachment); 5] = [
            |_, attachment| {
                let reasons = attachment.fields.iter_mut().filter(|field| field.title == "Reason");
                reasons.for_each(|field| field.value = "> ".into());
            },
            |_, attachment| attachment.fields.iter_mut().for_each(|field| field.value = "`read-only`".into()),
            |_, attachment| attachment.fields.iter_mut().for_each(|field| field.title = "Reason".into()),
            |_, attachment| attachment.text = "Also: harmless".into(),
            |post, _| post.message = "`ann` requests `read-only`".into(),
        ];
        for (number, change) in texts.iter().enumerate() {
            assert_eq!(altered(&post(), &changed(change)), Altered::Text, "change {number}");
        }
        let buttons: [fn(&mut Post, &mut Attachment); 4] = [
            |_, attachment| attachment.actions.clear(),
            |_, attachment| attachment.actions.iter_mut().for_each(|action| action.name = "Deny".into()),
            |_, attachment| attachment.actions.iter_mut().for_each(|action| action.url = "/elsewhere".into()),
            |_, attachment| attachment.actions.iter_mut().for_each(|action| action.context.clear()),
        ];
        for (number, change) in buttons.iter().enumerate() {
            assert_eq!(altered(&post(), &changed(change)), Altered::Buttons, "change {number}");
        }
    }
}
