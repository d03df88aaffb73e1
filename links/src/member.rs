//! Whom a node may link to.

use rustls::pki_types::ServerName;
use std::{fmt, str::FromStr};
use uuid::Uuid;

/// Another node of the cluster.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Member {
    /// Which life of it.
    pub boot: Uuid,
    /// Where and as whom it is reached.
    pub address: Address,
}

/// Where and as whom a node is reached: `<name>@<host>:<port>`, as it stands in the membership table.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Address {
    /// A name in its certificate (a subject alternative name).
    pub name: String,
    /// What is dialled: a name that resolves or an IP address, and a port.
    pub dial: String,
}

/// An address that names nobody.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
#[error("an address of a node is <name in its certificate>@<host>:<port>")]
pub struct AddressError;

impl FromStr for Address {
    type Err = AddressError;

    fn from_str(text: &str) -> Result<Self, AddressError> {
        let (name, dial) = text.split_once('@').ok_or(AddressError)?;
        let (host, port) = dial.rsplit_once(':').ok_or(AddressError)?;
        let sound = is_node_name(name) && !host.is_empty() && port.parse::<u16>().is_ok_and(|port| port > 0);
        sound.then(|| Self { name: name.to_owned(), dial: dial.to_owned() }).ok_or(AddressError)
    }
}

impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}@{}", self.name, self.dial)
    }
}

/// Whether a certificate can carry it as the name of a node.
pub(crate) fn is_node_name(name: &str) -> bool {
    matches!(ServerName::try_from(name), Ok(ServerName::DnsName(_)))
}

/// What a node calls itself to ractor_cluster. It is another name with every boot: an election between two sessions of one name would prefer one of
/// them, and that might be the dead one. ractor_cluster takes the part behind the `@` for a host, and two nodes with one host and port for one.
pub(crate) fn announced(name: &str, boot: Uuid) -> String {
    format!("{name}@{boot}")
}

/// The name and the boot in an announced name. There is one way to write it: to ractor_cluster, another spelling would be another node.
pub(crate) fn parse_announced(text: &str) -> Option<(&str, Uuid)> {
    let (name, boot) = text.split_once('@')?;
    let boot = Uuid::try_parse(boot).ok()?;
    (announced(name, boot) == text).then_some((name, boot))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_round_trip_and_nonsense_is_refused() {
        for text in ["node-1@10.0.0.5:7400", "node-1.nodes.svc@node-1.nodes.svc:7400", "a@[::1]:1"] {
            assert_eq!(text.parse::<Address>().expect(text).to_string(), text);
        }
        for text in
            ["", "node-1", "node-1@host", "@host:1", "node-1@:1", "node-1@host:0", "node-1@host:70000", "10.0.0.5@host:1", "a b@host:1"]
        {
            assert_eq!(text.parse::<Address>(), Err(AddressError), "{text}");
        }
    }

    #[test]
    fn announced_names_round_trip() {
        let boot = Uuid::from_u128(7);
        assert_eq!(parse_announced(&announced("node-1", boot)), Some(("node-1", boot)));
        assert_eq!(parse_announced("node-1@host"), None);
        assert_eq!(parse_announced("node-1"), None);
        assert_eq!(parse_announced(&format!("node-1@{}", boot.simple())), None);
    }
}
