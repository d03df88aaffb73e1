use std::net::{SocketAddr, ToSocketAddrs as _};
use std::str::FromStr;

/// A base URL that requests go to: `http://host:port`, optionally with a path prefix.
///
/// The name is resolved once, when the text is parsed, so that a run does not measure a resolver.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Edge {
    address: SocketAddr,
    authority: String,
    prefix: String,
}

impl Edge {
    /// The resolved address.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// What the `Host` header says.
    pub fn authority(&self) -> &str {
        &self.authority
    }

    /// The path prefix, without a slash at its end; empty in most cases.
    pub fn prefix(&self) -> &str {
        &self.prefix
    }
}

impl From<SocketAddr> for Edge {
    fn from(address: SocketAddr) -> Self {
        Self { address, authority: address.to_string(), prefix: String::new() }
    }
}

impl std::fmt::Display for Edge {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "http://{}{}", self.authority, self.prefix)
    }
}

impl FromStr for Edge {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let uri: http::Uri = text.parse().map_err(|fault| format!("not a URL: {fault}"))?;
        if uri.scheme_str() != Some("http") {
            return Err("only http:// is spoken: put a TLS terminator before the target, or aim behind it".to_owned());
        }
        let authority = uri.authority().ok_or("the URL names no host")?;
        let port = authority.port_u16().unwrap_or(80);
        let host = authority.host();
        let address = (host.trim_matches(['[', ']']), port)
            .to_socket_addrs()
            .map_err(|fault| format!("cannot resolve {host}: {fault}"))?
            .next()
            .ok_or_else(|| format!("{host} has no address"))?;
        let prefix = uri.path().trim_end_matches('/').to_owned();
        Ok(Self { address, authority: authority.as_str().to_owned(), prefix })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_host_port_and_prefix() {
        let edge: Edge = "http://127.0.0.1:8000/api/".parse().unwrap();
        assert_eq!(edge.address(), "127.0.0.1:8000".parse().unwrap());
        assert_eq!((edge.authority(), edge.prefix()), ("127.0.0.1:8000", "/api"));
        let v6: Edge = "http://[::1]:9".parse().unwrap();
        assert_eq!((v6.address(), v6.prefix()), ("[::1]:9".parse().unwrap(), ""));
    }

    #[test]
    fn refuses_what_it_cannot_speak() {
        for text in ["https://localhost", "localhost:80", "/path", "", "http://"] {
            assert!(text.parse::<Edge>().is_err(), "{text:?} was accepted");
        }
    }
}
