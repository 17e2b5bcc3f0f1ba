//! Where Teleport is, as people write it.

use std::fmt;

use super::{Problem, key};

/// Where Teleport is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Address {
    /// `host:port` of a proxy with TLS routing, or of an auth server.
    Teleport(String),
    /// URL of a gateway that speaks gRPC-web.
    Gateway(String),
}

impl fmt::Display for Address {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Teleport(address) | Self::Gateway(address) => formatter.write_str(address),
        }
    }
}

/// Reads an address.
pub(super) fn parse_address(text: &str) -> Result<Address, Problem> {
    let wrong = |message: String| Err(Problem::new(key::TELEPORT_ADDRESS, message));
    if text.is_empty() {
        return Err(Problem::missing(
            key::TELEPORT_ADDRESS,
            "No Teleport address yet. Give host:port of the Teleport proxy, such as teleport.example.com:443, or of the auth server.",
        ));
    }
    if text.contains(char::is_whitespace) {
        return wrong(format!("{text:?} is no address: it has spaces in it. Give one host:port."));
    }
    if let Some(url) = text.strip_prefix("grpc-web+") {
        return match url.split_once("://") {
            Some(("http" | "https", rest)) if !rest.is_empty() && !rest.starts_with('/') => {
                Ok(Address::Gateway(url.trim_end_matches('/').to_owned()))
            }
            _ => wrong(format!("{text:?} is no gateway address. Write grpc-web+https:// and the gateway's host.")),
        };
    }
    if text.starts_with("http://") {
        return wrong(format!(
            "{text:?} is plain HTTP, and Teleport speaks TLS only. Give host:port of the proxy, without http://."
        ));
    }
    let authority = text.strip_prefix("https://").unwrap_or(text);
    let authority = authority.split(['/', '?', '#']).next().unwrap_or_default();
    // Brackets hold an IPv6 address; everything behind the last colon outside them is a port.
    let (host, port) = match authority.rsplit_once(':') {
        Some((host, port)) if !host.contains(':') || (host.starts_with('[') && host.ends_with(']')) => {
            (host, Some(port))
        }
        Some(_) if authority.starts_with('[') && authority.ends_with(']') => (authority, None),
        Some(_) => {
            return wrong(format!(
                "{text:?} is no address. Write an IPv6 address in brackets, such as [2001:db8::1]:443."
            ));
        }
        None => (authority, None),
    };
    if host.is_empty() || !host.chars().all(|letter| letter.is_alphanumeric() || ".-_[]:%".contains(letter)) {
        return wrong(format!("{text:?} is no address. Give host:port of the Teleport proxy or auth server."));
    }
    match port.map(str::parse::<u16>) {
        None => Ok(Address::Teleport(format!("{host}:443"))),
        Some(Ok(port)) if port > 0 => Ok(Address::Teleport(format!("{host}:{port}"))),
        Some(_) => {
            wrong(format!("{text:?} has no usable port. Ports are numbers from 1 to 65535, such as 443 or 3025."))
        }
    }
}
