//! Help with setting up: what to run on the Teleport side, for the server that is there and the authority that is wanted.

use serde_json::json;

use crate::authority;
use crate::config::{self, Address, Authority, key};
use crate::teleport::ServerInfo;

/// What is to be set up.
#[derive(Debug, Clone, Copy)]
pub struct Wish<'a> {
    /// The Teleport server's version, such as `18.11.0`; empty: not known.
    pub teleport_version: &'a str,
    /// By which authority decisions are to be made.
    pub authority: Authority,
    /// Whether users are to be found by a trait.
    pub user_trait: bool,
    /// The server's address as in the settings; empty: not known.
    pub teleport_address: &'a str,
}

/// One thing to do.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Step {
    /// What it is.
    pub title: String,
    /// What to know about it, in Markdown.
    pub text: String,
    /// What to run, perhaps several lines; may be empty.
    pub command: String,
}

/// Where Machine ID writes credentials on the Mattermost server.
const MACHINE_DIRECTORY: &str = "/var/lib/teleport/access-plugin";

/// All there is to do, in order.
#[must_use]
pub fn guide(wish: &Wish<'_>) -> Vec<Step> {
    let server = ServerInfo {
        cluster: String::new(),
        version: wish.teleport_version.trim().to_owned(),
        // Who knows that it has none wishes for another authority.
        reviews: true,
        web: String::new(),
    };
    let (authority, too_old) = match authority::in_force(wish.authority, &server) {
        Ok(authority) => (authority, None),
        Err(error) => (Authority::Teleport, Some(error)),
    };
    let mut steps = Vec::new();
    if let Some(error) = too_old.filter(|_| !server.version.is_empty()) {
        steps.push(Step {
            title: "Update Teleport, or choose another authority".to_owned(),
            text: format!("{error}."),
            command: String::new(),
        });
    }
    steps.push(Step {
        title: "Write down a role and a user for the plugin".to_owned(),
        text: about_the_role(wish, authority),
        command: format!("cat > access-plugin.yaml <<'EOF'\n{}EOF", resources(wish, authority, &server)),
    });
    steps.push(Step {
        title: "Create them".to_owned(),
        text: "Where `tctl` may edit roles and users.".to_owned(),
        command: "tctl create -f access-plugin.yaml".to_owned(),
    });
    steps.push(Step {
        title: "Sign in, with one identity file".to_owned(),
        text: "One of three ways; `tctl` runs where the file above was created. The file is valid for a year. System admins are told before it expires; then sign another one. Keep the file secret."
            .to_owned(),
        command: "tctl auth sign --user=access-plugin --format=file --ttl=8760h --out=identity".to_owned(),
    });
    steps.push(Step {
        title: "Or: sign in, with three files".to_owned(),
        text: "The same as `auth.crt`, `auth.key` and `auth.cas`. They are valid for a year, too.".to_owned(),
        command: "tctl auth sign --user=access-plugin --format=tls --ttl=8760h --out=auth".to_owned(),
    });
    steps.extend(machine_id(wish, &server));
    steps.push(settings(wish, authority));
    steps
}

fn about_the_role(wish: &Wish<'_>, authority: Authority) -> String {
    let mut text = match authority {
        Authority::Teleport => {
            "The role lets the plugin read access requests, and submit reviews on behalf of others: Teleport checks what those may review. This takes Teleport Enterprise; on the open source edition, let the approvers of the settings decide. To let it review for some people only, name their Teleport users in place of `*`."
        }
        Authority::Reviewer => {
            "The role lets the plugin read access requests, and review them as its own user. This takes Teleport Enterprise; on the open source edition, let the approvers of the settings decide. To let it review requests for some roles only, name them in place of `*`."
        }
        Authority::Auto | Authority::Approvers => {
            "The role lets the plugin read access requests, and approve and deny them. It opens no door to any server."
        }
    }
    .to_owned();
    if wish.user_trait {
        text.push_str(" It may read users, to find their traits.");
    }
    if wish.teleport_version.is_empty() {
        text.push_str(" The version of your Teleport server is not known here, so this is a role that most take.");
    }
    text
}

/// The version of roles that a server takes, and that opens the least.
fn role_version(server: &ServerInfo) -> &'static str {
    match () {
        () if server.version.is_empty() => "v5",
        () if server.is_at_least(15, 0) => "v7",
        () if server.is_at_least(9, 0) => "v5",
        () => "v3",
    }
}

/// Whether the server signs credentials for those only who may log in somewhere.
fn needs_login(server: &ServerInfo) -> bool {
    role_version(server) == "v3" && !server.is_at_least(5, 0)
}

/// The role and the user, as YAML.
fn resources(wish: &Wish<'_>, authority: Authority, server: &ServerInfo) -> String {
    let verbs = match authority {
        Authority::Teleport | Authority::Reviewer => "list, read",
        Authority::Auto | Authority::Approvers => "list, read, update",
    };
    let version = role_version(server);
    let login = if needs_login(server) { "    logins: [access-plugin]\n" } else { "" };
    let mut yaml = format!(
        "kind: role
version: {version}
metadata:
  name: access-plugin
spec:
  allow:
{login}    rules:
      - resources: [access_request]
        verbs: [{verbs}]
"
    );
    if wish.user_trait {
        yaml.push_str("      - resources: [user]\n        verbs: [list, read]\n");
    }
    match authority {
        Authority::Teleport => yaml.push_str("    review_requests:\n      submit_for_users: ['*']\n"),
        Authority::Reviewer => yaml.push_str("    review_requests:\n      roles: ['*']\n"),
        Authority::Auto | Authority::Approvers => {}
    }
    // A login would open all nodes.
    if needs_login(server) {
        yaml.push_str("  deny:\n    node_labels: {'*': '*'}\n");
    }
    // Roles of version 3 open all applications, clusters and databases that they do not mention.
    if version == "v3" && server.is_at_least(5, 0) {
        yaml.push_str("  deny:\n    app_labels: {'*': '*'}\n    kubernetes_labels: {'*': '*'}\n");
        if server.is_at_least(6, 0) {
            yaml.push_str("    db_labels: {'*': '*'}\n");
        }
    }
    yaml.push_str(
        "---
kind: user
version: v2
metadata:
  name: access-plugin
spec:
  roles: [access-plugin]
",
    );
    yaml
}

/// The server's address, where it is one.
fn address(wish: &Wish<'_>) -> Option<String> {
    let settings = json!({ key::TELEPORT_ADDRESS: wish.teleport_address });
    let (settings, _) = config::parse(settings.to_string().as_bytes());
    match settings.clusters.into_iter().next()?.address? {
        Address::Teleport(address) => Some(address),
        Address::Gateway(_) => None,
    }
}

/// Machine ID, on servers that have it.
fn machine_id(wish: &Wish<'_>, server: &ServerInfo) -> Option<Step> {
    if !server.version.is_empty() && !server.is_at_least(10, 0) {
        return None;
    }
    let address = address(wish).unwrap_or_else(|| "teleport.example.com:443".to_owned());
    let of_auth_server = address.ends_with(":3025");
    let join = "onboarding:\n  join_method: token\n  token: PUT-THE-TOKEN-HERE\n";
    let configuration = if server.version.is_empty() || server.is_at_least(14, 0) {
        let server_key = if of_auth_server { "auth_server" } else { "proxy_server" };
        let outputs = if server.is_at_least(18, 0) { "services" } else { "outputs" };
        format!(
            "version: v2
{server_key}: {address}
{join}storage:
  type: directory
  path: /var/lib/teleport/bot
{outputs}:
  - type: identity
    destination:
      type: directory
      path: {MACHINE_DIRECTORY}
"
        )
    } else {
        format!(
            "auth_server: {address}
{join}storage:
  directory: /var/lib/teleport/bot
destinations:
  - directory: {MACHINE_DIRECTORY}
"
        )
    };
    Some(Step {
        title: "Or: sign in with Machine ID, which renews by itself".to_owned(),
        text: format!(
            "Its credentials live for an hour and are renewed by `tbot`, so nobody needs to think of them, and a stolen copy is soon worthless. A cluster that asks for MFA for administrative actions takes only this way. The first command runs where `tctl` is, and prints a token for the file; everything else runs on the Mattermost server, as a service and as the user that Mattermost runs as. The setting Identity is `{MACHINE_DIRECTORY}/identity` then."
        ),
        command: format!(
            "tctl bots add access-plugin --roles=access-plugin\n\ncat > tbot.yaml <<'EOF'\n{configuration}EOF\ntbot start -c tbot.yaml"
        ),
    })
}

fn settings(wish: &Wish<'_>, authority: Authority) -> Step {
    let address = match address(wish) {
        Some(address) => format!("`{address}`"),
        None => "host:port of the Teleport proxy (with TLS routing), or of the auth server".to_owned(),
    };
    let checks = match authority {
        Authority::Teleport => {
            "**Who checks decisions**: Teleport. **Users**, or one of the two settings below it, say which Mattermost account is which Teleport user; who is nobody there reviews nothing."
        }
        Authority::Reviewer => {
            "**Who checks decisions**: the approvers below, the plugin reviews. **Approvers**: who may decide."
        }
        Authority::Auto | Authority::Approvers => "**Approvers**: who may decide; empty: Mattermost system admins.",
    };
    let users = if wish.user_trait { "\n- **Users by trait**: the name of the trait" } else { "" };
    Step {
        title: "Fill in the settings".to_owned(),
        text: format!(
            "In **System Console > Plugins > Teleport Access Requests**:
- **Teleport address**: {address}
- **Identity file**, or the three files: paste them, or give their paths on the Mattermost server; a file that is given by its path is read again when it changes
- **Recipients**: where requests are posted, such as `ops/access-requests`
- {checks}{users}

Save, and type `/teleport status`: every line should have a tick."
        ),
        command: String::new(),
    }
}

/// The steps as an answer to a command.
#[must_use]
pub fn in_markdown(steps: &[Step]) -> String {
    let mut text = "#### Setting up Teleport for this plugin\n".to_owned();
    for (number, step) in steps.iter().enumerate() {
        text.push_str(&format!("\n##### {}. {}\n{}\n", number + 1, step.title, step.text));
        if !step.command.is_empty() {
            text.push_str(&format!("```\n{}\n```\n", step.command));
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    fn wish(teleport_version: &str, authority: Authority) -> Wish<'_> {
        Wish { teleport_version, authority, user_trait: false, teleport_address: "teleport.example.com:443" }
    }

    fn all(wish: &Wish<'_>) -> String {
        guide(wish).iter().map(|step| format!("{}\n{}\n{}\n", step.title, step.text, step.command)).collect()
    }

    /// The lines of YAML between the marks of a here-document, as (depth, key or item, value).
    fn yaml(command: &str) -> Vec<(usize, String, String)> {
        let lines =
            command.lines().skip_while(|line| !line.ends_with("<<'EOF'")).skip(1).take_while(|line| *line != "EOF");
        lines
            .map(|line| {
                let depth = line.len() - line.trim_start().len();
                assert_eq!(depth % 2, 0, "{line:?}");
                assert!(!line.contains('\t'), "{line:?}");
                let line = line.trim_start();
                let (item, line) = line.strip_prefix("- ").map_or((0, line), |line| (2, line));
                let (key, value) = line.split_once(':').unwrap_or((line, ""));
                let value = value.trim();
                assert!(
                    value.starts_with('[') == value.ends_with(']') && value.starts_with('{') == value.ends_with('}')
                );
                (depth + item, key.to_owned(), value.to_owned())
            })
            .collect()
    }

    fn role(wish: &Wish<'_>) -> Vec<(usize, String, String)> {
        let steps = guide(wish);
        let step = steps.iter().find(|step| step.command.contains("kind: role")).cloned();
        yaml(&step.map(|step| step.command).unwrap_or_default())
    }

    fn values<'a>(yaml: &'a [(usize, String, String)], key: &str) -> Vec<&'a str> {
        yaml.iter().filter(|(_, this, _)| this == key).map(|(_, _, value)| value.as_str()).collect()
    }

    #[test]
    fn the_role_has_the_version_that_the_server_takes() {
        for (version, expected) in [
            ("4.2.8", "v3"),
            ("6.2.31", "v3"),
            ("8.3.1", "v3"),
            ("9.0.0", "v5"),
            ("13.3.8", "v5"),
            ("14.3.1", "v5"),
            ("15.0.0-rc.1", "v7"),
            ("v18.11.0", "v7"),
            ("", "v5"),
            ("nonsense", "v3"),
        ] {
            let role = role(&wish(version, Authority::Auto));
            assert_eq!(values(&role, "version"), [expected, "v2"], "{version}");
            assert_eq!(values(&role, "kind"), ["role", "user"]);
            assert_eq!(values(&role, "name"), ["access-plugin", "access-plugin"]);
        }
    }

    #[test]
    fn the_role_allows_what_the_authority_takes_and_no_more() {
        let verbs = |version, authority| values(&role(&wish(version, authority)), "verbs").join(" ");
        assert_eq!(verbs("13.3.8", Authority::Auto), "[list, read, update]");
        assert_eq!(verbs("18.11.0", Authority::Auto), "[list, read]");
        assert_eq!(verbs("18.11.0", Authority::Approvers), "[list, read, update]");
        assert_eq!(verbs("17.0.0", Authority::Reviewer), "[list, read]");
        for (version, authority, allowed) in [
            ("18.11.0", Authority::Auto, Some("submit_for_users")),
            ("18.10.0", Authority::Auto, None),
            ("", Authority::Auto, None),
            ("18.11.0", Authority::Teleport, Some("submit_for_users")),
            ("17.0.0", Authority::Reviewer, Some("roles")),
            ("17.0.0", Authority::Approvers, None),
        ] {
            let role = role(&wish(version, authority));
            let at = role.iter().position(|(_, key, _)| key == "review_requests");
            assert_eq!(at.and_then(|at| Some(role.get(at + 1)?.1.as_str())), allowed, "{version} {authority:?}");
        }
    }

    #[test]
    fn no_guide_ever_allows_all_verbs_or_all_resources() {
        for version in ["", "4.2.8", "5.0.0", "7.3.0", "13.3.8", "16.0.0", "18.11.0", "19.1.0"] {
            for (_, authority) in Authority::ALL {
                for user_trait in [false, true] {
                    let role = role(&Wish { user_trait, ..wish(version, authority) });
                    for key in ["verbs", "resources"] {
                        assert!(values(&role, key).iter().all(|value| !value.contains('*')), "{role:?}");
                    }
                    assert_eq!(values(&role, "resources").contains(&"[user]"), user_trait);
                    assert_eq!(values(&role, "roles").last(), Some(&"[access-plugin]"));
                    // An allowance that is indented wrongly would be another key's.
                    let depths: Vec<usize> = role.iter().map(|(depth, _, _)| *depth).collect();
                    assert!(depths.windows(2).all(|pair| matches!(pair, [one, next] if *next <= one + 4)), "{role:?}");
                }
            }
        }
    }

    #[test]
    fn an_old_role_denies_what_it_would_open_by_saying_nothing() {
        let denied = |version| values(&role(&wish(version, Authority::Approvers)), "app_labels").len();
        assert_eq!((denied("4.4.0"), denied("5.0.0"), denied("8.0.0"), denied("13.3.8")), (0, 1, 1, 0));
        assert_eq!(values(&role(&wish("5.0.0", Authority::Approvers)), "db_labels").len(), 0);
        assert_eq!(values(&role(&wish("6.0.0", Authority::Approvers)), "db_labels").len(), 1);
    }

    #[test]
    fn where_credentials_take_a_login_the_role_has_one_that_opens_no_node() {
        for (version, expected) in
            [("4.2.8", 1), ("4.3.10", 1), ("5.0.0", 0), ("6.2.1", 0), ("13.3.8", 0), ("18.11.0", 0), ("", 0)]
        {
            let role = role(&wish(version, Authority::Approvers));
            assert_eq!(values(&role, "logins").len(), expected, "{version}");
            assert_eq!(values(&role, "node_labels").len(), expected, "{version}");
        }
    }

    #[test]
    fn a_server_that_cannot_review_on_behalf_is_told_before_anything_is_made() {
        let first = |version| guide(&wish(version, Authority::Teleport)).into_iter().next();
        assert!(first("17.0.0").is_some_and(|step| step.text.contains("18.11") && step.command.is_empty()));
        assert!(first("18.11.2").is_some_and(|step| step.command.contains("kind: role")));
        assert!(first("").is_some_and(|step| step.command.contains("kind: role")));
    }

    #[test]
    fn credentials_are_signed_in_each_of_the_ways() {
        let text = all(&wish("18.11.0", Authority::Auto));
        for command in [
            "tctl create -f access-plugin.yaml",
            "tctl auth sign --user=access-plugin --format=file --ttl=8760h --out=identity",
            "tctl auth sign --user=access-plugin --format=tls --ttl=8760h --out=auth",
            "tctl bots add access-plugin --roles=access-plugin",
            "/var/lib/teleport/access-plugin/identity",
        ] {
            assert!(text.contains(command), "{command}");
        }
        assert!(!all(&wish("9.3.0", Authority::Auto)).contains("tbot"));
    }

    #[test]
    fn machine_id_is_configured_the_way_that_the_version_reads() {
        let configuration = |version, teleport_address| {
            let steps = guide(&Wish { teleport_address, ..wish(version, Authority::Auto) });
            let step = steps.iter().find(|step| step.command.contains("tbot start")).cloned();
            yaml(&step.map(|step| step.command).unwrap_or_default())
        };
        let new = configuration("14.0.0", "https://tp.example.com:3080/web");
        assert_eq!(values(&new, "proxy_server"), ["tp.example.com:3080"]);
        assert_eq!((values(&new, "version"), values(&new, "outputs").len()), (vec!["v2"], 1));
        assert_eq!(values(&configuration("18.0.0", ""), "services").len(), 1);
        assert_eq!(values(&configuration("16.0.0", "auth.example.com:3025"), "auth_server"), ["auth.example.com:3025"]);
        let old = configuration("13.3.8", "tp.example.com");
        assert_eq!(values(&old, "auth_server"), ["tp.example.com:443"]);
        assert_eq!((values(&old, "version").len(), values(&old, "destinations").len()), (0, 1));
    }

    #[test]
    fn an_address_that_is_none_goes_into_no_command() {
        for teleport_address in ["a\nEOF\nrm -rf /", "$(reboot)", "`x`", "grpc-web+https://u:p@gw/x", "", "a b"] {
            let text = all(&Wish { teleport_address, ..wish("18.0.0", Authority::Auto) });
            assert!(text.contains("proxy_server: teleport.example.com:443"), "{teleport_address}");
            assert!(teleport_address.is_empty() || !text.contains(teleport_address));
        }
    }

    #[test]
    fn the_answer_fits_into_one_post_and_closes_its_blocks() {
        for (_, authority) in Authority::ALL {
            let text = in_markdown(&guide(&Wish { user_trait: true, ..wish("5.0.0", authority) }));
            assert!(text.chars().count() < 16_000);
            assert_eq!(text.matches("```").count() % 2, 0);
        }
    }
}
