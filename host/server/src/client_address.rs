//! The address a request came from. A forwarding header is believed only as
//! far as configured proxies vouch for it.

use http::HeaderMap;
use ipnet::IpNet;
use std::net::{IpAddr, SocketAddr};

/// The address a request came from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct ClientAddress(pub(crate) IpAddr);

/// Finds the client of a connection from `peer`: walks `x-forwarded-for` from
/// its end for as long as the last address is a trusted proxy.
pub(crate) fn resolve(peer: SocketAddr, headers: &HeaderMap, proxies: &[IpNet]) -> ClientAddress {
    let trusted = |ip: &IpAddr| proxies.iter().any(|network| network.contains(ip));
    let mut address = peer.ip().to_canonical();
    if proxies.is_empty() || !trusted(&address) {
        return ClientAddress(address);
    }
    let values: Vec<&str> = headers
        .get_all("x-forwarded-for")
        .iter()
        .filter_map(|value| value.to_str().ok())
        .flat_map(|value| value.split(','))
        .collect();
    for text in values.into_iter().rev() {
        let Some(next) = parse(text.trim()) else {
            break;
        };
        address = next;
        if !trusted(&address) {
            break;
        }
    }
    ClientAddress(address)
}

fn parse(text: &str) -> Option<IpAddr> {
    text.parse::<IpAddr>()
        .ok()
        .or_else(|| text.parse::<SocketAddr>().ok().map(|address| address.ip()))
        .map(|ip| ip.to_canonical())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]
    use super::*;

    fn client(peer: &str, forwarded: &str) -> String {
        let mut headers = HeaderMap::new();
        headers.insert("x-forwarded-for", forwarded.parse().unwrap());
        let proxies = [
            "10.0.0.0/8".parse().unwrap(),
            "127.0.0.1/32".parse().unwrap(),
        ];
        resolve(peer.parse().unwrap(), &headers, &proxies)
            .0
            .to_string()
    }

    #[test]
    fn a_stranger_cannot_choose_its_address() {
        assert_eq!(client("192.0.2.1:1", "198.51.100.7"), "192.0.2.1");
    }

    #[test]
    fn the_last_address_that_no_proxy_owns_is_the_client() {
        assert_eq!(
            client("127.0.0.1:1", "203.0.113.9, 198.51.100.7, 10.1.1.1"),
            "198.51.100.7"
        );
        assert_eq!(
            client("[::ffff:127.0.0.1]:1", "198.51.100.7"),
            "198.51.100.7"
        );
    }

    #[test]
    fn nonsense_in_the_header_stops_the_walk() {
        assert_eq!(client("10.0.0.1:1", "198.51.100.7, nonsense"), "10.0.0.1");
    }
}
