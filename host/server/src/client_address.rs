//! The address a request came from, and the host it was sent to. A forwarding
//! header is believed only as far as configured proxies vouch for it.

use http::{HeaderMap, HeaderValue, Request, Uri, header, uri::Authority};
use ipnet::IpNet;
use std::net::{IpAddr, SocketAddr};

/// The address a request came from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct ClientAddress(pub(crate) IpAddr);

/// The header in which a proxy says which host it was asked for.
const FORWARDED_HOST: &str = "x-forwarded-host";

/// Puts the host that a trusted proxy was asked for in place of the one under
/// which it asks. Proxies that add to the header add at its end: the last
/// name is the one that the nearest of them has seen.
pub(crate) fn believe_host<B>(request: &mut Request<B>, peer: SocketAddr, proxies: &[IpNet]) {
    if !is_trusted(&peer.ip().to_canonical(), proxies) {
        return;
    }
    let told = request.headers().get_all(FORWARDED_HOST);
    let told = told.iter().next_back().and_then(|all| all.to_str().ok());
    let last = told.and_then(|all| all.rsplit(',').next()).map(str::trim);
    let Some(host) = last
        .filter(|host| !host.contains('@'))
        .and_then(|host| host.parse::<Authority>().ok())
    else {
        return;
    };
    let Ok(value) = HeaderValue::from_str(host.as_str()) else {
        return;
    };
    request.headers_mut().insert(header::HOST, value);
    if request.uri().authority().is_some() {
        let mut parts = request.uri().clone().into_parts();
        parts.authority = Some(host);
        if let Ok(uri) = Uri::from_parts(parts) {
            *request.uri_mut() = uri;
        }
    }
}

fn is_trusted(address: &IpAddr, proxies: &[IpNet]) -> bool {
    proxies.iter().any(|network| network.contains(address))
}

/// Finds the client of a connection from `peer`: walks `x-forwarded-for` from
/// its end for as long as the last address is a trusted proxy.
pub(crate) fn resolve(peer: SocketAddr, headers: &HeaderMap, proxies: &[IpNet]) -> ClientAddress {
    let trusted = |ip: &IpAddr| is_trusted(ip, proxies);
    let mut address = peer.ip().to_canonical();
    if !trusted(&address) {
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
    fn host(peer: &str, uri: &str, forwarded: &[&str]) -> (String, Option<String>) {
        let mut request = Request::get(uri).header("host", "inner.test");
        for value in forwarded {
            request = request.header(FORWARDED_HOST, *value);
        }
        let mut request = request.body(()).unwrap();
        let proxies = ["10.0.0.0/8".parse().unwrap()];
        believe_host(&mut request, peer.parse().unwrap(), &proxies);
        let header = request.headers()["host"].to_str().unwrap().to_owned();
        (header, request.uri().host().map(str::to_owned))
    }

    #[test]
    fn only_a_proxy_says_which_host_was_meant() {
        let inner = ("inner.test".to_owned(), None);
        let shop = ("shop.test".to_owned(), None);
        assert_eq!(host("192.0.2.1:1", "/", &["shop.test"]), inner);
        assert_eq!(host("10.0.0.1:1", "/", &["shop.test"]), shop);
        assert_eq!(host("[::ffff:10.0.0.1]:1", "/", &["shop.test"]), shop);
        for told in [
            &["forged.test, shop.test"][..],
            &["forged.test", "shop.test"],
        ] {
            assert_eq!(host("10.0.0.1:1", "/", told), shop);
        }
        for nonsense in ["", "a@b", "a b", "shop.test,", "http://shop.test"] {
            assert_eq!(host("10.0.0.1:1", "/", &[nonsense]), inner, "{nonsense:?}");
        }
        let (header, uri) = host("10.0.0.1:1", "http://inner.test/x", &["shop.test:8443"]);
        assert_eq!(header, "shop.test:8443");
        assert_eq!(uri.as_deref(), Some("shop.test"));
    }
}
