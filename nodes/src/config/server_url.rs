//! Addresses of servers that may hold a password or a token: what they accept is judged once, when they are read, and none of them is ever shown.

use std::fmt;

use hyper::Uri;
use percent_encoding::percent_decode_str;
use store::objects::Bucket;

use super::value::{Raw, Refusal, Shown, Value};

/// Has a type not show what it holds, not even to developers.
macro_rules! redacted {
    ($name:ident) => {
        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(concat!(stringify!($name), "(redacted)"))
            }
        }
    };
}

/// Has a type that reads itself by `parse` be a secret value.
macro_rules! parsed {
    ($name:ident, $refusal:literal, $accepted:literal) => {
        redacted!($name);

        impl Value for $name {
            type Limits = ();
            const SECRET: bool = true;

            fn read(raw: Raw<'_>, (): &()) -> Result<Self, Refusal> {
                Self::parse(raw.text()?).ok_or(Refusal($refusal))
            }

            fn accepted((): &()) -> String {
                $accepted.to_owned()
            }

            fn show(&self, (): &()) -> Shown {
                Shown::Redacted
            }
        }
    };
}

/// Declares the URL of a server, which may hold a password.
macro_rules! server_url {
    ($(#[$doc:meta])* $name:ident, $schemes:expr, $refusal:literal, $accepted:literal) => {
        $(#[$doc])*
        #[derive(Clone, PartialEq, Eq)]
        pub struct $name(String);

        impl $name {
            /// Returns the URL itself. Never log it.
            pub fn expose(&self) -> &str {
                &self.0
            }

            fn parse(text: &str) -> Option<Self> {
                let is_url = $schemes.iter().any(|scheme: &&str| text.len() > scheme.len() && text.starts_with(scheme));
                (is_url && text.bytes().all(|byte| byte.is_ascii_graphic())).then(|| Self(text.to_owned()))
            }
        }

        parsed!($name, $refusal, $accepted);
    };
}

server_url! {
    /// Where a database is: `postgres://` and what PostgreSQL's own programs take behind it.
    DatabaseUrl, ["postgres://", "postgresql://"], "is not the URL of a PostgreSQL database",
    "\"postgres://role:password@host:5432/name\", with `?sslmode=…` behind it"
}

server_url! {
    /// Where Redis is.
    RedisUrl, ["redis://", "rediss://"], "is not the URL of a Redis server", "\"redis://:password@host:6379/0\", or \"rediss://…\" with TLS"
}

/// Where object storage is: `https://` (or `http://`) with key, secret, host and bucket, or `s3://` with key, secret and bucket for Amazon's own; behind
/// either `?region=…`. What has a meaning in URLs is percent-encoded in key and secret.
#[derive(Clone, PartialEq, Eq)]
pub struct ObjectsUrl(Bucket);

impl ObjectsUrl {
    /// Returns the bucket, with the secret. Never log it.
    pub fn expose(&self) -> &Bucket {
        &self.0
    }

    fn parse(text: &str) -> Option<Self> {
        let url: Uri = text.parse().ok()?;
        let (user, host) = url.authority()?.as_str().rsplit_once('@')?;
        let (key, secret) = user.split_once(':')?;
        let decoded = |part: &str| Some(percent_decode_str(part).decode_utf8().ok()?.into_owned()).filter(|part| !part.is_empty());
        let region = url.query().and_then(|query| query.split('&').find_map(|pair| pair.strip_prefix("region=")));
        let (endpoint, name) = match (url.scheme_str()?, url.path().trim_matches('/')) {
            ("s3", "") => (None, host),
            (scheme @ ("http" | "https"), name) if !name.is_empty() && !name.contains('/') => (Some(format!("{scheme}://{host}")), name),
            _ => return None,
        };
        Some(Self(Bucket {
            name: name.to_owned(),
            endpoint,
            region: region.unwrap_or("us-east-1").to_owned(),
            access_key_id: decoded(key)?,
            secret_access_key: decoded(secret)?,
        }))
    }
}

parsed! {
    ObjectsUrl, "is not the URL of a bucket",
    "\"https://key:secret@host:9000/bucket?region=…\", or \"s3://key:secret@bucket?region=…\" for Amazon's own"
}

/// Where caches in front of the platform are told what to forget; before the host may stand a token.
#[derive(Clone, PartialEq, Eq)]
pub struct PurgeUrl {
    url: String,
    token: Option<String>,
}

impl PurgeUrl {
    /// Returns the address without the token.
    pub fn url(&self) -> &str {
        &self.url
    }

    /// Returns the token. Never log it.
    pub fn expose_token(&self) -> Option<&str> {
        self.token.as_deref()
    }

    fn parse(text: &str) -> Option<Self> {
        let (scheme, rest, token) = tokened(text)?;
        matches!(&*scheme, "http" | "https").then(|| Self { url: format!("{scheme}://{rest}"), token })
    }
}

/// An address with a token before its host, or without one: the scheme, what stands behind it, and the token.
fn tokened(text: &str) -> Option<(String, String, Option<String>)> {
    let url: Uri = text.parse().ok()?;
    let authority = url.authority()?.as_str();
    let (token, host) = authority.rsplit_once('@').map_or((None, authority), |(token, host)| (Some(token.to_owned()), host));
    if token.as_ref().is_some_and(|token| token.is_empty() || token.contains(':')) {
        return None;
    }
    Some((url.scheme_str()?.to_owned(), format!("{host}{}", url.path_and_query()?), token))
}

parsed! {
    PurgeUrl, "is not the address of a cache",
    "\"https://token@cache.example.org/\", or without a token"
}

/// What takes traces by OTLP: over HTTP, or over gRPC; before the host may stand a token.
#[derive(Clone, PartialEq, Eq)]
pub struct Collector {
    url: String,
    token: Option<String>,
    is_grpc: bool,
}

impl Collector {
    /// Returns the address without the token, for a client of HTTP: over HTTP it names the path that takes traces.
    pub fn url(&self) -> &str {
        &self.url
    }

    /// Returns whether it is spoken to over gRPC.
    pub const fn is_grpc(&self) -> bool {
        self.is_grpc
    }

    /// Returns the token. Never log it.
    pub fn expose_token(&self) -> Option<&str> {
        self.token.as_deref()
    }

    fn parse(text: &str) -> Option<Self> {
        /// Where a collector takes traces unless it is told otherwise (OTLP 1.9, "OTLP/HTTP Request").
        const PATH: &str = "/v1/traces";
        let (scheme, rest, token) = tokened(text)?;
        let (scheme, is_grpc) = match &*scheme {
            "http" | "https" => (&*scheme, false),
            "grpc" => ("http", true),
            "grpcs" => ("https", true),
            _ => return None,
        };
        let bare = rest.strip_suffix('/').filter(|host| !host.contains('/'));
        let url = match (bare, is_grpc) {
            (Some(host), true) => format!("{scheme}://{host}"),
            (Some(host), false) => format!("{scheme}://{host}{PATH}"),
            (None, true) => return None,
            (None, false) => format!("{scheme}://{rest}"),
        };
        Some(Self { url, token, is_grpc })
    }
}

parsed! {
    Collector, "is not the address of what takes OTLP",
    "\"http://collector:4318\" (OTLP over HTTP) or \"grpc://collector:4317\", with TLS \"https://…\" or \"grpcs://…\"; before the host may \
         stand a token and @"
}

/// The address of an SMTP server, which may hold a password: `smtps://`, or `smtp://` with `?tls=required`. Without TLS only on this machine, since
/// mail carries tokens.
#[derive(Clone, PartialEq, Eq)]
pub struct SmtpUrl(String);

impl SmtpUrl {
    /// Returns the address itself. Never log it.
    pub fn expose(&self) -> &str {
        &self.0
    }
}

redacted!(SmtpUrl);

impl Value for SmtpUrl {
    type Limits = ();
    const SECRET: bool = true;

    fn read(raw: Raw<'_>, (): &()) -> Result<Self, Refusal> {
        let text = raw.text()?;
        let refusal = Refusal("is not the address of an SMTP server");
        let url: Uri = text.parse().map_err(|_| refusal)?;
        lettre::AsyncSmtpTransport::<lettre::Tokio1Executor>::from_url(text).map_err(|_| refusal)?;
        let host = url.host().ok_or(refusal)?;
        let is_here = host == "localhost" || host.trim_matches(['[', ']']).parse().is_ok_and(|ip: std::net::IpAddr| ip.is_loopback());
        let is_secret =
            url.scheme_str() == Some("smtps") || url.query().is_some_and(|query| query.split('&').any(|pair| pair == "tls=required"));
        if is_here || is_secret { Ok(SmtpUrl(text.to_owned())) } else { Err(Refusal("would send tokens over the network without TLS")) }
    }

    fn accepted((): &()) -> String {
        "\"smtps://user:password@mail.example.org\", or \"smtp://…?tls=required\" for STARTTLS; without TLS only to this machine".to_owned()
    }

    fn show(&self, (): &()) -> Shown {
        Shown::Redacted
    }
}
