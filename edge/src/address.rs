//! Where a request comes from: the other end of the connection or, behind proxies that the operator named, whom they say.
//!
//! `X-Forwarded-For` is a claim. Each proxy appends whom it was asked by, so only what trusted proxies appended counts: the list is read from its
//! end, and the first address that is no trusted proxy's is the client. What stands before it may be the client's invention.

use http::HeaderMap;
use std::{
    fmt,
    net::{IpAddr, Ipv4Addr, Ipv6Addr},
    str::FromStr,
};

/// Entries of `X-Forwarded-For` that are read. Chains of proxies are short; a longer list is a client's play, and its last entry stands.
const HOPS_MAX: usize = 16;

/// A network: an address and how many of its leading bits count.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct Network {
    address: IpAddr,
    bits: u8,
}

/// Why a text is no network.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
#[error("not an IP address or a network such as 10.0.0.0/8, with no bits set behind its prefix")]
pub struct NoNetwork;

impl Network {
    /// The network of `ip` with so many leading bits; all of them where the address has fewer.
    #[must_use]
    pub fn of(ip: IpAddr, bits: u8) -> Self {
        let ip = ip.to_canonical();
        let width = width(ip);
        let bits = bits.min(width);
        let masked = number(ip) & mask(width, bits);
        let address = match ip {
            // The number has 32 bits: it was made of an address of the fourth version.
            IpAddr::V4(_) => Ipv4Addr::from_bits(u32::try_from(masked).unwrap_or_default()).into(),
            IpAddr::V6(_) => Ipv6Addr::from_bits(masked).into(),
        };
        Self { address, bits }
    }

    /// Whether `ip` is in it. An IPv4 address that came in an IPv6 one is an IPv4 address.
    #[must_use]
    pub fn holds(&self, ip: IpAddr) -> bool {
        Self::of(ip, self.bits).address == self.address
    }
}

impl FromStr for Network {
    type Err = NoNetwork;

    fn from_str(text: &str) -> Result<Self, NoNetwork> {
        let (address, bits) = text.split_once('/').map_or((text, None), |(address, bits)| (address, Some(bits)));
        let address: IpAddr = address.parse().map_err(|_| NoNetwork)?;
        let bits = match bits {
            // "+8" and "08" parse as numbers, too.
            Some(bits) => bits.parse().ok().filter(|n: &u8| n.to_string() == bits && *n <= width(address)).ok_or(NoNetwork)?,
            None => width(address),
        };
        let network = Self { address, bits };
        // "10.1.0.0/8" may be meant as 10.0.0.0/8 or as 10.1.0.0/16; who is trusted is not guessed.
        if number(address) & mask(width(address), bits) == number(address) { Ok(network) } else { Err(NoNetwork) }
    }
}

impl fmt::Display for Network {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.bits == width(self.address) { self.address.fmt(f) } else { write!(f, "{}/{}", self.address, self.bits) }
    }
}

const fn width(ip: IpAddr) -> u8 {
    if ip.is_ipv4() { 32 } else { 128 }
}

fn number(ip: IpAddr) -> u128 {
    match ip {
        IpAddr::V4(ip) => ip.to_bits().into(),
        IpAddr::V6(ip) => ip.to_bits(),
    }
}

/// The leading `bits` of `width`.
fn mask(width: u8, bits: u8) -> u128 {
    let all = if width == 32 { u128::from(u32::MAX) } else { u128::MAX };
    // Shifting by the whole width is no shift at all.
    all & !all.checked_shr(bits.into()).unwrap_or(0)
}

/// The client of a request that came from `peer`, canonical: an IPv4 address is never in its IPv6 form.
///
/// Without `trusted` proxies it is the peer, and no header is looked at.
#[must_use]
pub fn client(peer: IpAddr, headers: &HeaderMap, trusted: &[Network]) -> IpAddr {
    let peer = peer.to_canonical();
    let is_proxy = |ip: IpAddr| trusted.iter().any(|network| network.holds(ip));
    if !is_proxy(peer) {
        return peer;
    }
    let mut client = peer;
    // Several headers are one list (RFC 9110, 5.3).
    let lists = headers.get_all("x-forwarded-for").iter().rev();
    for entry in lists.flat_map(|list| list.as_bytes().rsplit(|b| *b == b',')).take(HOPS_MAX) {
        // What is no address was not written by a proxy of ours: the last one that spoke sensibly stands.
        let Some(address) = forwarded(entry) else { break };
        client = address;
        if !is_proxy(address) {
            break;
        }
    }
    client
}

/// One entry: an address, perhaps with a port, which some proxies add.
fn forwarded(entry: &[u8]) -> Option<IpAddr> {
    let text = std::str::from_utf8(entry).ok()?.trim();
    let address = text.parse::<IpAddr>().ok().or_else(|| text.parse().ok().map(|socket: std::net::SocketAddr| socket.ip()));
    address.or_else(|| text.strip_prefix('[')?.strip_suffix(']')?.parse().ok()).map(|ip| ip.to_canonical())
}

/// Whose limits a client's requests count against: one IPv4 address, or the /64 that a provider gives to one IPv6 customer.
#[must_use]
pub fn counted(client: IpAddr) -> Network {
    Network::of(client, if client.to_canonical().is_ipv4() { 32 } else { 64 })
}

/// What is kept and shown of a client: the neighbourhood (/24 or /48), which tells its owner one place from another and nobody who exactly it was.
#[must_use]
pub fn neighbourhood(client: IpAddr) -> Network {
    Network::of(client, if client.to_canonical().is_ipv4() { 24 } else { 48 })
}

#[cfg(test)]
mod tests {
    use super::*;
    use http::HeaderValue;
    use proptest::prelude::*;

    fn ip(text: &str) -> IpAddr {
        text.parse().expect("an address")
    }

    fn networks(texts: &[&str]) -> Vec<Network> {
        texts.iter().map(|text| text.parse().expect("a network")).collect()
    }

    fn seen(peer: &str, lists: &[&str], trusted: &[&str]) -> String {
        let mut headers = HeaderMap::new();
        for list in lists {
            headers.append("x-forwarded-for", HeaderValue::from_str(list).expect("a header"));
        }
        client(ip(peer), &headers, &networks(trusted)).to_string()
    }

    #[test]
    fn a_stranger_says_what_they_like() {
        assert_eq!(seen("203.0.113.9", &["198.51.100.1"], &[]), "203.0.113.9");
        assert_eq!(seen("203.0.113.9", &["198.51.100.1"], &["10.0.0.0/8"]), "203.0.113.9");
    }

    #[test]
    fn trusted_proxies_are_believed_from_the_end_on() {
        let trusted = ["10.0.0.0/8", "fd00::/8"];
        assert_eq!(seen("10.0.0.1", &["198.51.100.1"], &trusted), "198.51.100.1");
        assert_eq!(seen("10.0.0.1", &["6.6.6.6, 198.51.100.1, 10.0.0.2"], &trusted), "198.51.100.1");
        assert_eq!(seen("10.0.0.1", &["6.6.6.6", "198.51.100.1", "fd00::1"], &trusted), "198.51.100.1");
        assert_eq!(seen("::ffff:10.0.0.1", &["::ffff:198.51.100.1"], &trusted), "198.51.100.1");
        assert_eq!(seen("10.0.0.1", &["198.51.100.1:4711"], &trusted), "198.51.100.1");
        assert_eq!(seen("10.0.0.1", &["[2001:db8::1]:4711"], &trusted), "2001:db8::1");
        assert_eq!(seen("10.0.0.1", &["[2001:db8::1]"], &trusted), "2001:db8::1");
        assert_eq!(seen("10.0.0.1", &["10.0.0.7"], &trusted), "10.0.0.7", "a client within the network");
        assert_eq!(seen("10.0.0.1", &[], &trusted), "10.0.0.1");
        assert_eq!(seen("10.0.0.1", &["198.51.100.1, unknown"], &trusted), "10.0.0.1", "nothing behind nonsense counts");
    }

    #[test]
    fn a_network_is_written_as_it_is_meant() {
        for text in ["10.0.0.0/8", "203.0.113.9", "fd00::/8", "::1", "0.0.0.0/0", "::/0"] {
            assert_eq!(text.parse::<Network>().expect("a network").to_string(), text);
        }
        for text in ["", "10.0.0.0/33", "10.1.0.0/8", "::/129", "10.0.0.0/", "10.0.0.0/+8", "10.0.0.0/08", "localhost", "10.0.0.0/8/8"] {
            assert_eq!(text.parse::<Network>(), Err(NoNetwork), "{text}");
        }
        assert!(networks(&["0.0.0.0/0"])[0].holds(ip("255.255.255.255")) && !networks(&["0.0.0.0/0"])[0].holds(ip("::2")));
    }

    #[test]
    fn neighbours_are_counted_apart_and_shown_alike() {
        let (a, b) = (ip("203.0.113.9"), ip("203.0.113.10"));
        assert_ne!(counted(a), counted(b));
        assert_eq!(neighbourhood(a).to_string(), "203.0.113.0/24");
        let (a, b) = (ip("2001:db8:1:2::9"), ip("2001:db8:1:2:ffff::1"));
        assert_eq!(counted(a), counted(b));
        assert_eq!(neighbourhood(a).to_string(), "2001:db8:1::/48");
    }

    proptest! {
        #[test]
        fn any_list_names_somebody(list in "[ -~]{0,80}", trust_all: bool) {
            let trusted: &[&str] = if trust_all { &["0.0.0.0/0", "::/0"] } else { &["127.0.0.0/8"] };
            seen("127.0.0.1", &[&list], trusted);
        }

        #[test]
        fn a_network_holds_its_own(bits: u128, prefix in 0..=128u8) {
            let ip = IpAddr::V6(Ipv6Addr::from_bits(bits)).to_canonical();
            prop_assert!(Network::of(ip, prefix).holds(ip));
        }
    }
}
