//! The types of values that are our own: what they accept is judged once, when they are read.

use std::fmt;

use hyper::Uri;
use tracing_subscriber::EnvFilter;

use super::value::{Raw, Refusal, Shown, Value};

/// The address under which clients reach the gateway: `http` or `https`, a host, perhaps a port, nothing more.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum PublicUrl {
    /// `http://localhost` (with a certificate: `https`) and the port that the gateway listens on.
    Auto,
    /// A stated origin, without a slash at its end.
    Origin(String),
}

const AUTO: &str = "auto";

impl Value for PublicUrl {
    type Limits = ();

    fn read(raw: Raw<'_>, (): &()) -> Result<Self, Refusal> {
        let text = raw.text()?;
        if text == AUTO {
            return Ok(PublicUrl::Auto);
        }
        origin(text).map(PublicUrl::Origin)
    }

    fn accepted((): &()) -> String {
        format!("an origin such as \"https://connect.example.org\", or \"{AUTO}\"")
    }

    fn show(&self, (): &()) -> Shown {
        match self {
            PublicUrl::Auto => Shown::text(AUTO),
            PublicUrl::Origin(origin) => Shown::text(origin),
        }
    }
}

/// Reads the origin of a web site, and takes the slash from its end.
fn origin(text: &str) -> Result<String, Refusal> {
    let refusal = Refusal("is not the origin of a web site");
    let uri: Uri = text.parse().map_err(|_| refusal)?;
    let (Some("http" | "https"), Some(authority)) = (uri.scheme_str(), uri.authority()) else {
        return Err(refusal);
    };
    let bare = uri.path() == "/" && uri.query().is_none() && !text.contains('#');
    // An authority may also hold a user and password, which would then stand in every answer.
    if !bare || authority.host().is_empty() || authority.as_str().contains('@') {
        return Err(refusal);
    }
    Ok(text.trim_end_matches('/').to_owned())
}

/// The origin of another web site, as browsers send it: in lower case, without the scheme's own port.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Origin(String);

impl Origin {
    /// Returns the origin as it stands in a request's `Origin`.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl Value for Origin {
    type Limits = ();

    fn read(raw: Raw<'_>, (): &()) -> Result<Self, Refusal> {
        let text = raw.text()?;
        if text == "*" {
            return Err(Refusal("would let every web site act with its visitors' sessions"));
        }
        let origin = origin(text)?.to_ascii_lowercase();
        let usual_port = if origin.starts_with("https:") { ":443" } else { ":80" };
        Ok(Origin(origin.strip_suffix(usual_port).unwrap_or(&origin).to_owned()))
    }

    fn accepted((): &()) -> String {
        "an origin such as \"https://app.example.org\"".to_owned()
    }

    fn show(&self, (): &()) -> Shown {
        Shown::text(&self.0)
    }
}

/// A secret: between 32 and 256 visible ASCII characters. It is shown nowhere, not even by `Debug`.
#[derive(Clone, PartialEq, Eq)]
pub struct Secret(String);

impl Secret {
    /// Returns the secret itself. Compare it in constant time, and never log it.
    pub fn expose(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret(redacted)")
    }
}

impl Value for Secret {
    type Limits = ();
    const SECRET: bool = true;

    fn read(raw: Raw<'_>, (): &()) -> Result<Self, Refusal> {
        let text = raw.text()?;
        // A line break at the end is what files of secrets usually bring along, and what no header can carry.
        if !text.bytes().all(|byte| byte.is_ascii_graphic()) {
            return Err(Refusal("contains a space, a line break or another character that is not visible ASCII"));
        }
        if !(32..=256).contains(&text.len()) {
            return Err(Refusal("is too short or too long"));
        }
        Ok(Secret(text.to_owned()))
    }

    fn accepted((): &()) -> String {
        "32 to 256 visible ASCII characters".to_owned()
    }

    fn show(&self, (): &()) -> Shown {
        Shown::Redacted
    }
}

/// A sender of mail, such as `Let's Connect <no-reply@example.org>`; known to parse.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Sender(String);

impl Sender {
    /// Returns the sender as it was written.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl Default for Sender {
    fn default() -> Self {
        Self("Let's Connect <no-reply@localhost>".to_owned())
    }
}

impl Value for Sender {
    type Limits = ();

    fn read(raw: Raw<'_>, (): &()) -> Result<Self, Refusal> {
        let text = raw.text()?;
        let mailbox = text.parse::<lettre::message::Mailbox>();
        if mailbox.is_ok() { Ok(Sender(text.to_owned())) } else { Err(Refusal("is not an address for mail")) }
    }

    fn accepted((): &()) -> String {
        "an address such as \"Let's Connect <no-reply@example.org>\"".to_owned()
    }

    fn show(&self, (): &()) -> Shown {
        Shown::text(&self.0)
    }
}

/// Which events are logged, in the syntax of `tracing_subscriber::EnvFilter`; known to parse.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LogFilter(String);

impl LogFilter {
    /// Longer filters are refused: each directive costs time at every call site.
    const CHARS_MAX: usize = 1000;

    /// Reads a filter such as `info,edge=debug`; nothing if it does not parse or is longer than 1000 characters.
    pub fn parse(text: &str) -> Option<LogFilter> {
        let sound = !text.trim().is_empty() && text.len() <= Self::CHARS_MAX && EnvFilter::try_new(text).is_ok();
        sound.then(|| LogFilter(text.to_owned()))
    }

    /// Returns the filter as it was written.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Returns what a filter looks like.
    pub fn form() -> String {
        Self::accepted(&())
    }
}

impl Value for LogFilter {
    type Limits = ();

    fn read(raw: Raw<'_>, (): &()) -> Result<Self, Refusal> {
        LogFilter::parse(raw.text()?).ok_or(Refusal("is not a log filter"))
    }

    fn accepted((): &()) -> String {
        "a level (error, warn, info, debug, trace, off) or directives such as \"info,edge=debug\"".to_owned()
    }

    fn show(&self, (): &()) -> Shown {
        Shown::text(&self.0)
    }
}

/// The form of log lines.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LogFormat {
    /// Human when standard error is a terminal, JSON otherwise.
    Auto,
    /// One line for a reader's eyes.
    Human,
    /// One JSON object a line, with the field names of the Elastic Common Schema.
    Json,
}

impl LogFormat {
    const NAMES: [(&str, LogFormat); 3] = [(AUTO, LogFormat::Auto), ("human", LogFormat::Human), ("json", LogFormat::Json)];
}

impl Value for LogFormat {
    type Limits = ();

    fn read(raw: Raw<'_>, (): &()) -> Result<Self, Refusal> {
        let text = raw.text()?;
        let known = Self::NAMES.into_iter().find(|(name, _)| *name == text);
        known.map(|(_, format)| format).ok_or(Refusal("is not a log format"))
    }

    fn accepted((): &()) -> String {
        "\"auto\", \"human\" or \"json\"".to_owned()
    }

    fn show(&self, (): &()) -> Shown {
        let name = Self::NAMES.into_iter().find(|(_, format)| format == self).map_or(AUTO, |(name, _)| name);
        Shown::text(name)
    }
}

/// Declares a part of a node's address. It is sound if it makes one together with what `$whole` puts around it, so that links are who judges.
macro_rules! address_part {
    ($(#[$doc:meta])* $name:ident, $whole:literal, $refusal:literal, $accepted:literal) => {
        $(#[$doc])*
        #[derive(Debug, Clone, PartialEq, Eq)]
        pub struct $name(String);

        impl $name {
            /// Returns it as it is written.
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl Value for $name {
            type Limits = ();

            fn read(raw: Raw<'_>, (): &()) -> Result<Self, Refusal> {
                let text = raw.text()?;
                let sound = format!($whole, text).parse::<links::Address>().is_ok();
                if sound { Ok(Self(text.to_owned())) } else { Err(Refusal($refusal)) }
            }

            fn accepted((): &()) -> String {
                $accepted.to_owned()
            }

            fn show(&self, (): &()) -> Shown {
                Shown::text(&self.0)
            }
        }
    };
}

address_part! {
    /// A node's name, as its certificate has it.
    NodeName, "{}@localhost:1", "is not the name of a host",
    "the name of a host, such as \"node-1\" or \"lets-connect-0.nodes.prod.svc.cluster.local\""
}

address_part! {
    /// Where others reach something: a host's name or address, and a port.
    HostPort, "node@{}", "is not a host and a port", "a host and a port, such as \"lets-connect-0.nodes:7400\" or \"10.0.0.5:7400\""
}

/// Something that a node does for its cluster.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Role {
    /// It answers clients.
    Edge,
    /// It owns entities.
    Entity,
    /// It works on images.
    Media,
}

impl Role {
    const NAMES: [(&str, Role); 3] = [("edge", Role::Edge), ("entity", Role::Entity), ("media", Role::Media)];

    /// Every role: what a node does unless it is told otherwise.
    pub fn all() -> Vec<Role> {
        Self::NAMES.into_iter().map(|(_, role)| role).collect()
    }
}

impl Value for Role {
    type Limits = ();

    fn read(raw: Raw<'_>, (): &()) -> Result<Self, Refusal> {
        let text = raw.text()?;
        let known = Self::NAMES.into_iter().find(|(name, _)| *name == text);
        known.map(|(_, role)| role).ok_or(Refusal("is not a role"))
    }

    fn accepted((): &()) -> String {
        "\"edge\", \"entity\" or \"media\"".to_owned()
    }

    fn show(&self, (): &()) -> Shown {
        let name = Self::NAMES.into_iter().find(|(_, role)| role == self).map_or("", |(name, _)| name);
        Shown::text(name)
    }
}
