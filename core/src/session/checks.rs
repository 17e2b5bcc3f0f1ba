//! What is looked at besides on a connection: whose it is, and what the requests say that is not known.

use super::{Place, Trouble, Way};
use crate::authority;
use crate::cluster::Lane;
use crate::mattermost::LogLevel;
use crate::messages::code;
use crate::teleport::{AccessRequest, Rights, ServerInfo, Teleport, TeleportError, fields};
use crate::world::World;

/// Whether the server is of the cluster whose certificate authority we trust. TLS proves it only where Teleport itself is
/// at the other end: a gateway may lead anywhere.
pub(crate) fn check_cluster(trusted: &str, server: &ServerInfo) -> Result<(), Trouble> {
    if server.cluster == trusted {
        return Ok(());
    }
    Err(Trouble::new(
        Place::Connection,
        format!(
            "The server says that it is of cluster {}, but the credentials and their certificate authority are of cluster {}. Check the address, or take the credentials from the cluster that is meant.",
            code(&server.cluster),
            code(trusted),
        ),
    ))
}

/// Whether what Teleport does not show may be there all the same, because the role of the plugin's user lost the right to see
/// requests: what to do about it then.
pub(crate) async fn not_shown<T: Teleport>(teleport: &T) -> Result<Option<&'static str>, TeleportError> {
    match teleport.rights().await {
        Ok(rights) => Ok(authority::blind(&rights)),
        // What servers do not tell of rights shows when one is used.
        Err(TeleportError::Unimplemented(_)) => match super::refused(teleport.may_list().await) {
            Ok(()) => Ok(None),
            Err(TeleportError::Denied(_)) => Ok(authority::blind(&Rights::default())),
            Err(error) => Err(error),
        },
        Err(error) => Err(error),
    }
}

/// Remembers unknown fields of requests for an admin's word, and looks which have been accepted. Where that fails they are seen
/// again with the next listing.
pub(super) async fn note_fields<'a, W: World>(
    lane: &Lane<W>,
    way: &Way<W>,
    requests: impl IntoIterator<Item = &'a AccessRequest>,
) {
    let mut requests = requests.into_iter().filter(|request| !request.unknown_fields.is_empty()).peekable();
    if requests.peek().is_none() {
        return;
    }
    let mattermost = lane.world.mattermost();
    let looked = async {
        fields::note(mattermost, &way.cluster, &way.server.version, requests).await?;
        fields::accepted(mattermost, &way.cluster).await
    };
    match looked.await {
        Ok(accepted) => *lane.cluster.accepted_fields.borrow_mut() = accepted,
        Err(error) => {
            lane.log(LogLevel::Warn, "Unknown fields could not be remembered.", &[("error", &error.to_string())])
        }
    }
}

/// Looks which unknown fields have been accepted.
pub(super) async fn load_accepted_fields<W: World>(lane: &Lane<W>, way: &Way<W>) {
    match fields::accepted(lane.world.mattermost(), &way.cluster).await {
        Ok(accepted) => *lane.cluster.accepted_fields.borrow_mut() = accepted,
        Err(error) => {
            lane.log(LogLevel::Warn, "Accepted fields could not be looked up.", &[("error", &error.to_string())])
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_server_of_another_cluster_is_no_connection() {
        let server = |cluster: &str| ServerInfo {
            cluster: cluster.into(),
            version: "18.0.0".into(),
            reviews: false,
            web: String::new(),
        };
        assert_eq!(check_cluster("one", &server("one")), Ok(()));
        for other in ["two", "One", "one ", ""] {
            let trouble = check_cluster("one", &server(other)).err();
            let cures = |trouble: Trouble| trouble.place == Place::Connection && trouble.message.contains("`one`");
            assert!(trouble.is_some_and(cures), "{other}");
        }
    }
}
