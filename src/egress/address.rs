//! Tells the addresses of the public internet from all others: an address comes in, the name of its special block
//! goes out. After IANA's registries of special-purpose addresses (RFC 6890) and the habits of clouds.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use super::cidr::Cidr;

const fn v4(a: u8, b: u8, c: u8, d: u8, bits: u32) -> Cidr {
    Cidr::V4(Ipv4Addr::new(a, b, c, d), bits)
}

const fn v6(a: u16, b: u16, c: u16, d: u16, bits: u32) -> Cidr {
    Cidr::V6(Ipv6Addr::new(a, b, c, d, 0, 0, 0, 0), bits)
}

/// IPv4 that is not public. All else is.
const SPECIAL_V4: [(Cidr, &str); 17] = [
    (v4(0, 0, 0, 0, 8), "this network"),
    (v4(10, 0, 0, 0, 8), "private"),
    (v4(100, 64, 0, 0, 10), "shared by carriers"),
    (v4(127, 0, 0, 0, 8), "loopback"),
    // Azure's platform, with the tokens of its machines, stands on this one.
    (v4(168, 63, 129, 16, 32), "of a cloud's platform"),
    // The metadata of most clouds: 169.254.169.254.
    (v4(169, 254, 0, 0, 16), "link-local"),
    (v4(172, 16, 0, 0, 12), "private"),
    (v4(192, 0, 0, 0, 24), "of protocols"),
    (v4(192, 0, 2, 0, 24), "of documentation"),
    (v4(192, 88, 99, 0, 24), "of 6to4 relays"),
    (v4(192, 168, 0, 0, 16), "private"),
    (v4(198, 18, 0, 0, 15), "of benchmarks"),
    (v4(198, 51, 100, 0, 24), "of documentation"),
    (v4(203, 0, 113, 0, 24), "of documentation"),
    (v4(224, 0, 0, 0, 4), "multicast"),
    (v4(255, 255, 255, 255, 32), "broadcast"),
    (v4(240, 0, 0, 0, 4), "reserved"),
];

/// IPv6 that has a name of its own, for the log. What is outside of [`UNICAST`] is never public.
const SPECIAL_V6: [(Cidr, &str); 11] = [
    (v6(0, 0, 0, 0, 128), "unspecified"),
    (Cidr::V6(Ipv6Addr::LOCALHOST, 128), "loopback"),
    (v6(0, 0, 0, 0, 96), "an IPv4 address in an old dress"),
    (v6(0x100, 0, 0, 0, 64), "discarded"),
    (v6(0x2001, 0, 0, 0, 23), "of protocols"),
    (v6(0x2001, 0xdb8, 0, 0, 32), "of documentation"),
    (v6(0x3fff, 0, 0, 0, 20), "of documentation"),
    (v6(0xfc00, 0, 0, 0, 7), "private"),
    (v6(0xfe80, 0, 0, 0, 10), "link-local"),
    (v6(0xfec0, 0, 0, 0, 10), "site-local"),
    (v6(0xff00, 0, 0, 0, 8), "multicast"),
];

/// All that is given out as global unicast today.
const UNICAST: Cidr = v6(0x2000, 0, 0, 0, 3);

const NAT64: Cidr = v6(0x64, 0xff9b, 0, 0, 96);
const SIX_TO_FOUR: Cidr = v6(0x2002, 0, 0, 0, 16);
const TEREDO: Cidr = v6(0x2001, 0, 0, 0, 32);

/// The special block that an address is of; nothing when it is a public one.
///
/// IPv6 addresses that lead on to an IPv4 one (`::ffff:a.b.c.d`, NAT64, 6to4, Teredo) are what the IPv4 address is.
pub fn special(address: IpAddr) -> Option<&'static str> {
    match address.to_canonical() {
        IpAddr::V4(address) => special_v4(address),
        IpAddr::V6(address) => special_v6(address),
    }
}

fn special_v4(address: Ipv4Addr) -> Option<&'static str> {
    name(&SPECIAL_V4, IpAddr::V4(address))
}

fn special_v6(address: Ipv6Addr) -> Option<&'static str> {
    let as_ip = IpAddr::V6(address);
    let [_, b, c, d, .., g, h] = address.segments();
    if NAT64.contains(as_ip) {
        return special_v4(joined(g, h));
    }
    if SIX_TO_FOUR.contains(as_ip) {
        return special_v4(joined(b, c));
    }
    if TEREDO.contains(as_ip) {
        // RFC 4380 §4: the server, and the client's address with all bits turned.
        return special_v4(joined(c, d)).or_else(|| special_v4(joined(!g, !h)));
    }
    name(&SPECIAL_V6, as_ip).or_else(|| (!UNICAST.contains(as_ip)).then_some("reserved"))
}

fn name(table: &[(Cidr, &'static str)], address: IpAddr) -> Option<&'static str> {
    table.iter().find(|(block, _)| block.contains(address)).map(|(_, name)| *name)
}

fn joined(high: u16, low: u16) -> Ipv4Addr {
    Ipv4Addr::from_bits(u32::from(high) << 16 | u32::from(low))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn special_addresses_have_a_name() {
        for (address, name) in [
            ("0.0.0.0", "this network"),
            ("0.255.255.255", "this network"),
            ("10.0.0.0", "private"),
            ("10.255.255.255", "private"),
            ("100.64.0.0", "shared by carriers"),
            ("100.100.100.200", "shared by carriers"),
            ("100.127.255.255", "shared by carriers"),
            ("127.0.0.1", "loopback"),
            ("127.255.255.254", "loopback"),
            ("168.63.129.16", "of a cloud's platform"),
            ("169.254.0.0", "link-local"),
            ("169.254.169.254", "link-local"),
            ("169.254.170.2", "link-local"),
            ("172.16.0.0", "private"),
            ("172.31.255.255", "private"),
            ("192.0.0.192", "of protocols"),
            ("192.0.2.1", "of documentation"),
            ("192.88.99.1", "of 6to4 relays"),
            ("192.168.0.1", "private"),
            ("198.18.0.1", "of benchmarks"),
            ("198.19.255.255", "of benchmarks"),
            ("198.51.100.1", "of documentation"),
            ("203.0.113.255", "of documentation"),
            ("224.0.0.1", "multicast"),
            ("239.255.255.255", "multicast"),
            ("240.0.0.1", "reserved"),
            ("255.255.255.254", "reserved"),
            ("255.255.255.255", "broadcast"),
            ("::", "unspecified"),
            ("::1", "loopback"),
            ("::2", "an IPv4 address in an old dress"),
            ("::127.0.0.1", "an IPv4 address in an old dress"),
            ("::8.8.8.8", "an IPv4 address in an old dress"),
            ("::ffff:127.0.0.1", "loopback"),
            ("::ffff:169.254.169.254", "link-local"),
            ("::ffff:0:127.0.0.1", "reserved"),
            ("64:ff9b::10.0.0.1", "private"),
            ("64:ff9b::169.254.169.254", "link-local"),
            ("64:ff9b:1::8.8.8.8", "reserved"),
            ("64:ff9b:0:0:0:1::", "reserved"),
            ("100::1", "discarded"),
            ("2001:2::1", "of protocols"),
            ("2001:1ff::1", "of protocols"),
            ("2001:db8::1", "of documentation"),
            ("2002:7f00:1::", "loopback"),
            ("2002:a00:1::1", "private"),
            ("2002:c0a8:101::1", "private"),
            // Teredo: a private server; a public server with a private client (10.0.0.1 turned).
            ("2001:0:c0a8:101::f7f7:f7f7", "private"),
            ("2001:0:808:808:0:0:f5ff:fffe", "private"),
            ("3fff::1", "of documentation"),
            ("4000::1", "reserved"),
            ("5f00::1", "reserved"),
            ("fc00::1", "private"),
            ("fd00:ec2::254", "private"),
            ("fe80::1", "link-local"),
            ("febf::1", "link-local"),
            ("fec0::1", "site-local"),
            ("ff02::1", "multicast"),
        ] {
            assert_eq!(special(address.parse().unwrap()), Some(name), "{address}");
        }
    }

    #[test]
    fn public_addresses_have_none() {
        for address in [
            "1.0.0.0",
            "1.1.1.1",
            "8.8.8.8",
            "9.255.255.255",
            "11.0.0.0",
            "100.63.255.255",
            "100.128.0.0",
            "126.255.255.255",
            "128.0.0.0",
            "168.63.129.15",
            "169.253.255.255",
            "169.255.0.0",
            "172.15.255.255",
            "172.32.0.0",
            "192.0.1.0",
            "192.0.3.0",
            "192.167.255.255",
            "192.169.0.0",
            "198.17.255.255",
            "198.20.0.0",
            "223.255.255.255",
            "2000::1",
            "2001:200::1",
            "2001:4860:4860::8888",
            "2001:db7::1",
            "2001:db9::1",
            "2606:4700::1111",
            "2a00:1450::1",
            "3ffe:ffff::1",
            "::ffff:8.8.8.8",
            "64:ff9b::8.8.8.8",
            "2002:808:808::1",
            "2001:0:808:808:0:0:f7f7:f7f7",
        ] {
            assert_eq!(special(address.parse().unwrap()), None, "{address}");
        }
    }
}
