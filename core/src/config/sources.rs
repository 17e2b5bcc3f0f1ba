//! Where the plugin's Teleport credentials are.

use std::fmt;

use super::{Problem, key};

/// A text that was pasted, or the path of the file that holds it.
#[derive(Clone, PartialEq, Eq)]
pub enum Source {
    /// The text itself.
    Text(String),
    /// An absolute path on the Mattermost server.
    Path(String),
    /// A text that was pasted, sealed by the bridge.
    Sealed(String),
}

impl fmt::Debug for Source {
    /// Keeps pasted secrets out of logs.
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Text(text) => write!(formatter, "Text({} bytes)", text.len()),
            Self::Path(path) => write!(formatter, "Path({path})"),
            Self::Sealed(sealed) => write!(formatter, "Sealed({} bytes)", sealed.len()),
        }
    }
}

/// Where the plugin's Teleport credentials are.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum CredentialSource {
    /// One identity file.
    Identity(Source),
    /// `auth.crt`, `auth.key` and `auth.cas`.
    Files {
        /// The client certificate.
        certificate: Source,
        /// Its key.
        key: Source,
        /// The cluster's certificate authority.
        authorities: Source,
    },
}

impl CredentialSource {
    /// Whether any of it is a file on the server, which may change by itself.
    #[must_use]
    pub fn is_in_files(&self) -> bool {
        let is_path = |source: &Source| matches!(source, Source::Path(_));
        match self {
            Self::Identity(source) => is_path(source),
            Self::Files { certificate, key, authorities } => [certificate, key, authorities].into_iter().any(is_path),
        }
    }
}

/// What sealed texts begin with.
pub const SEALED_PREFIX: &str = "sealed:v2:";
/// What those begin with that earlier versions sealed; they open for any use.
pub const SEALED_PREFIX_V1: &str = "sealed:v1:";

/// What a setting holds.
pub fn source(text: String) -> Option<Source> {
    // PEM starts with dashes, so a slash or a drive letter can only start a path.
    let windows = text.get(1..3) == Some(":\\") || text.get(1..3) == Some(":/");
    match text {
        _ if text.is_empty() => None,
        _ if text.starts_with(SEALED_PREFIX) || text.starts_with(SEALED_PREFIX_V1) => Some(Source::Sealed(text)),
        _ if (text.starts_with('/') || windows) && !text.contains('\n') => Some(Source::Path(text)),
        _ => Some(Source::Text(text)),
    }
}

/// Puts the four settings together.
pub(crate) fn credential_source(
    [identity, certificate, key, authorities]: [Option<Source>; 4],
) -> Result<CredentialSource, Problem> {
    if let Some(identity) = identity {
        if certificate.is_none() && key.is_none() && authorities.is_none() {
            return Ok(CredentialSource::Identity(identity));
        }
        return Err(Problem::new(
            key::IDENTITY,
            "Both an identity file and separate files are given. Keep the identity file and empty the other three fields, or the other way round.",
        ));
    }
    match (certificate, key, authorities) {
        (Some(certificate), Some(key), Some(authorities)) => {
            Ok(CredentialSource::Files { certificate, key, authorities })
        }
        (None, None, None) => Err(Problem::missing(
            key::IDENTITY,
            "No credentials yet. Run `tctl auth sign --user=access-plugin --format=file --out=identity` and paste the file here, or give its path on the Mattermost server.",
        )),
        (certificate, key, _) => {
            let (setting, file) = match (certificate, key) {
                (None, _) => (key::CLIENT_CERTIFICATE, "auth.crt"),
                (_, None) => (key::CLIENT_KEY, "auth.key"),
                _ => (key::CLUSTER_CA, "auth.cas"),
            };
            Err(Problem::new(
                setting,
                format!(
                    "{file} is missing. `tctl auth sign --user=access-plugin --format=tls --out=auth` writes auth.crt, auth.key and auth.cas: all three are needed."
                ),
            ))
        }
    }
}
