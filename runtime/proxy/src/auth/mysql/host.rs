//! Which clients an account is for: the host behind the `@`.
//!
//! <https://dev.mysql.com/doc/refman/9.7/en/account-names.html>

use std::cmp::Reverse;
use std::net::IpAddr;

/// How exactly a host names a client; what is less goes first.
pub(super) type Rank = (u8, Reverse<usize>);

/// `None` if the host does not name this client. Names are not looked up.
pub(super) fn rank(host: &str, client: Option<IpAddr>) -> Option<Rank> {
    if matches!(host, "%" | "") {
        return Some((4, Reverse(0)));
    }
    let client = client?.to_canonical();
    let text = client.to_string();
    if host.parse().is_ok_and(|host: IpAddr| host.to_canonical() == client) {
        return Some((0, Reverse(0)));
    }
    if host.eq_ignore_ascii_case("localhost") {
        return client.is_loopback().then_some((1, Reverse(0)));
    }
    if let Some((network, mask)) = host.split_once('/') {
        let bits = prefix(mask)?;
        return contains(network.parse().ok()?, bits, client).then_some((2, Reverse(bits)));
    }
    let literal = host.find(['%', '_']).unwrap_or(host.len());
    is_like(host.as_bytes(), text.as_bytes()).then_some((3, Reverse(literal)))
}

/// `24`, or `255.255.255.0`.
fn prefix(mask: &str) -> Option<usize> {
    if let Ok(bits) = mask.parse() {
        return Some(bits);
    }
    let mask: std::net::Ipv4Addr = mask.parse().ok()?;
    let ones = mask.to_bits().leading_ones();
    (mask.to_bits().count_ones() == ones).then(|| usize::try_from(ones).ok())?
}

fn contains(network: IpAddr, bits: usize, client: IpAddr) -> bool {
    fn same<const N: usize>(left: [u8; N], right: [u8; N], bits: usize) -> bool {
        let bit = |bytes: [u8; N], at: usize| bytes[at / 8] >> (7 - at % 8) & 1;
        bits <= 8 * N && (0..bits).all(|at| bit(left, at) == bit(right, at))
    }
    match (network, client) {
        (IpAddr::V4(network), IpAddr::V4(client)) => same(network.octets(), client.octets(), bits),
        (IpAddr::V6(network), IpAddr::V6(client)) => same(network.octets(), client.octets(), bits),
        _ => false,
    }
}

/// As `LIKE` has it: `%` for any letters, `_` for one.
fn is_like(pattern: &[u8], text: &[u8]) -> bool {
    let (mut at, mut from) = (0, 0);
    let mut retry: Option<(usize, usize)> = None;
    while from < text.len() {
        match pattern.get(at) {
            Some(b'%') => {
                retry = Some((at + 1, from));
                at += 1;
            }
            Some(letter) if *letter == b'_' || letter.eq_ignore_ascii_case(&text[from]) => {
                (at, from) = (at + 1, from + 1);
            }
            _ => match retry {
                Some((after, matched)) => {
                    retry = Some((after, matched + 1));
                    (at, from) = (after, matched + 1);
                }
                None => return false,
            },
        }
    }
    pattern[at..].iter().all(|letter| *letter == b'%')
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The host that is taken of several.
    fn taken<'a>(hosts: &[&'a str], client: &str) -> Option<&'a str> {
        let client = client.parse().ok();
        let ranked = hosts.iter().filter_map(|host| Some((rank(host, client)?, *host)));
        ranked.min().map(|(_, host)| host)
    }

    #[test]
    fn the_most_specific_host_wins() {
        let hosts = ["%", "10.1.%", "10.1.2.%", "10.1.2.3", "localhost", "10.9.0.0/255.255.0.0"];
        for (client, host) in [
            ("10.1.2.3", "10.1.2.3"),
            ("10.1.2.4", "10.1.2.%"),
            ("10.1.9.9", "10.1.%"),
            ("10.9.8.7", "10.9.0.0/255.255.0.0"),
            ("10.2.9.9", "%"),
            ("127.0.0.1", "localhost"),
            ("::1", "localhost"),
            ("::ffff:10.1.2.3", "10.1.2.3"),
        ] {
            assert_eq!(taken(&hosts, client), Some(host), "{client}");
        }
        assert_eq!(taken(&hosts[1..], "192.168.0.1"), None);
        assert_eq!(taken(&["db.example.com"], "10.0.0.1"), None, "names are not looked up");
    }

    #[test]
    fn networks_have_masks_of_either_kind() {
        let is_in = |host: &str, client: &str| taken(&[host], client).is_some();
        assert!(is_in("10.1.2.0/24", "10.1.2.255") && !is_in("10.1.2.0/24", "10.1.3.0"));
        assert!(is_in("10.1.2.0/255.255.254.0", "10.1.3.1"));
        assert!(is_in("2001:db8::/32", "2001:db8:1::1") && !is_in("2001:db8::/32", "2001:db9::1"));
        assert!(is_in("10.0.0.0/0", "1.2.3.4") && !is_in("10.0.0.0/33", "10.0.0.0"));
        for nonsense in ["10.0.0.0/255.0.255.0", "10.0.0.0/x", "x/8", "/", "10.0.0.0/8/8"] {
            assert!(!is_in(nonsense, "10.0.0.0"), "{nonsense}");
        }
    }

    #[test]
    fn patterns_match_as_like_does() {
        for (pattern, client, matches) in [
            ("10.%", "10.1.2.3", true),
            ("10._.2.3", "10.1.2.3", true),
            ("10._.2.3", "10.11.2.3", false),
            ("%.3", "10.1.2.3", true),
            ("1%2%3", "10.1.2.3", true),
            ("%1.2%", "10.11.2.3", true),
            ("%4", "10.1.2.3", false),
            ("10.1.2.3%", "10.1.2.3", true),
            ("10.1.2.3_", "10.1.2.3", false),
        ] {
            assert_eq!(taken(&[pattern], client).is_some(), matches, "{pattern}");
        }
    }
}
