//! Where Teleport is, as people write it.

use std::fmt;
use std::net::IpAddr;

use super::{Problem, key, shown};

/// Where Teleport is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Address {
    /// `host:port` of a proxy with TLS routing, or of an auth server.
    Teleport(String),
    /// URL of a gateway that speaks gRPC-web.
    Gateway(String),
}

impl Address {
    /// Whether the way there is encrypted: all but plain HTTP, which leads to a gateway on the same machine only.
    #[must_use]
    pub fn is_encrypted(&self) -> bool {
        !matches!(self, Self::Gateway(url) if url.starts_with("http://"))
    }
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
        return wrong(format!("{} is no address: it has spaces in it. Give one host:port.", shown(text)));
    }
    if text.contains('@') {
        // Not shown: it may be a password.
        return wrong(
            "A user name or password has no place in an address. Give host:port only; the plugin signs in with its certificate.".to_owned(),
        );
    }
    if let Some(url) = text.strip_prefix("grpc-web+") {
        return gateway(url).map(|()| Address::Gateway(url.trim_end_matches('/').to_owned())).or_else(wrong);
    }
    if text.starts_with("http://") {
        return wrong(format!(
            "{} is plain HTTP, and Teleport speaks TLS only. Give host:port of the proxy, without http://.",
            shown(text)
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
                "{} is no address. Write an IPv6 address in brackets, such as [2001:db8::1]:443.",
                shown(text)
            ));
        }
        None => (authority, None),
    };
    if host.is_empty() || !host.chars().all(|letter| letter.is_alphanumeric() || ".-_[]:%".contains(letter)) {
        return wrong(format!("{} is no address. Give host:port of the Teleport proxy or auth server.", shown(text)));
    }
    match port.map(str::parse::<u16>) {
        None => Ok(Address::Teleport(format!("{host}:443"))),
        Some(Ok(port)) if port > 0 => Ok(Address::Teleport(format!("{host}:{port}"))),
        Some(_) => wrong(format!(
            "{} has no usable port. Ports are numbers from 1 to 65535, such as 443 or 3025.",
            shown(text)
        )),
    }
}

/// What is wrong with a gateway's URL.
fn gateway(url: &str) -> Result<(), String> {
    let no_gateway =
        || format!("{} is no gateway address. Write grpc-web+https:// and the gateway's host.", shown(url));
    let (scheme, rest) = url.split_once("://").ok_or_else(no_gateway)?;
    let authority = rest.split(['/', '?', '#']).next().unwrap_or_default();
    match scheme {
        "https" if !authority.is_empty() => Ok(()),
        "http" if is_loopback(authority) => Ok(()),
        "http" if !authority.is_empty() => Err(format!(
            "{} is plain HTTP: everybody on the way could read and change what is decided. Write grpc-web+https://; plain HTTP is for a gateway on this machine (localhost) only.",
            shown(url)
        )),
        _ => Err(no_gateway()),
    }
}

/// Whether `host[:port]` is this machine itself.
fn is_loopback(authority: &str) -> bool {
    let host = match authority.rsplit_once(':') {
        Some((host, port)) if port.chars().all(|letter| letter.is_ascii_digit()) => host,
        _ => authority,
    };
    let address = host.strip_prefix('[').and_then(|host| host.strip_suffix(']')).unwrap_or(host);
    host.eq_ignore_ascii_case("localhost") || address.parse::<IpAddr>().is_ok_and(|address| address.is_loopback())
}
