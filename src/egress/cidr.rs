//! Blocks of addresses: text such as `10.0.0.0/8` comes in, and what goes out is whether an address is of the block.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// A block of IPv4 or of IPv6 addresses.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Cidr {
    /// The first address, and how many leading bits all of the block have in common, 0 to 32.
    V4(Ipv4Addr, u32),
    /// The same, 0 to 128.
    V6(Ipv6Addr, u32),
}

impl Cidr {
    /// Reads an address, which is a block of one, or `address/bits`. IPv4 inside of IPv6 (`::ffff:a.b.c.d`) is read
    /// as IPv4.
    ///
    /// # Errors
    /// What is wrong with it, as the end of a sentence that begins with the text itself.
    pub fn parse(text: &str) -> Result<Self, &'static str> {
        let (address, bits) = match text.split_once('/') {
            Some((address, bits)) => (address, Some(bits)),
            None => (text, None),
        };
        let address: IpAddr = address.parse().map_err(|_| "has no IP address before its slash")?;
        let width = if address.is_ipv4() { 32 } else { 128 };
        let bits = match bits {
            None => width,
            Some(bits) if !bits.is_empty() && bits.bytes().all(|digit| digit.is_ascii_digit()) => {
                bits.parse().map_err(|_| "has too long a prefix")?
            }
            Some(_) => return Err("has no number after its slash"),
        };
        if bits > width {
            return Err("has too long a prefix");
        }
        let block = match address {
            IpAddr::V4(first) => Self::V4(first, bits),
            IpAddr::V6(first) => match first.to_ipv4_mapped() {
                Some(inner) if bits >= 96 => Self::V4(inner, bits - 96),
                Some(_) | None => Self::V6(first, bits),
            },
        };
        if block.is_aligned() { Ok(block) } else { Err("has an address with bits beyond its prefix") }
    }

    /// Whether the address is of this block. IPv4 inside of IPv6 (`::ffff:a.b.c.d`) counts as IPv4.
    pub const fn contains(&self, address: IpAddr) -> bool {
        match (self, address.to_canonical()) {
            (Self::V4(first, bits), IpAddr::V4(address)) => {
                (first.to_bits() ^ address.to_bits()) & mask4(*bits) == 0
            }
            (Self::V6(first, bits), IpAddr::V6(address)) => {
                (first.to_bits() ^ address.to_bits()) & mask6(*bits) == 0
            }
            (Self::V4(..), IpAddr::V6(_)) | (Self::V6(..), IpAddr::V4(_)) => false,
        }
    }

    const fn is_aligned(&self) -> bool {
        match self {
            Self::V4(first, bits) => first.to_bits() & !mask4(*bits) == 0,
            Self::V6(first, bits) => first.to_bits() & !mask6(*bits) == 0,
        }
    }
}

const fn mask4(bits: u32) -> u32 {
    match u32::MAX.checked_shr(bits) {
        Some(rest) => !rest,
        None => u32::MAX,
    }
}

const fn mask6(bits: u32) -> u128 {
    match u128::MAX.checked_shr(bits) {
        Some(rest) => !rest,
        None => u128::MAX,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn blocks_have_two_ends() {
        for (block, inside, outside) in [
            (
                "10.0.0.0/8",
                vec!["10.0.0.0", "10.255.255.255", "::ffff:10.1.2.3"],
                vec!["9.255.255.255", "11.0.0.0"],
            ),
            ("172.16.0.0/12", vec!["172.16.0.0", "172.31.255.255"], vec!["172.15.255.255", "172.32.0.0"]),
            ("192.0.2.7", vec!["192.0.2.7"], vec!["192.0.2.6", "192.0.2.8"]),
            ("0.0.0.0/0", vec!["0.0.0.0", "255.255.255.255"], vec!["::", "::1"]),
            ("fd00::/8", vec!["fd00::", "fdff:ffff::1"], vec!["fc00::1", "fe00::"]),
            ("::1", vec!["::1"], vec!["::", "::2", "127.0.0.1"]),
            ("::/0", vec!["::1", "2a00::1"], vec!["127.0.0.1", "::ffff:127.0.0.1"]),
            ("::ffff:127.0.0.0/104", vec!["127.0.0.1", "::ffff:127.9.9.9"], vec!["128.0.0.0", "::1"]),
        ] {
            let cidr = Cidr::parse(block).unwrap();
            for address in inside {
                assert!(cidr.contains(address.parse().unwrap()), "{address} in {block}");
            }
            for address in outside {
                assert!(!cidr.contains(address.parse().unwrap()), "{address} not in {block}");
            }
        }
    }

    #[test]
    fn what_is_not_a_block_is_told() {
        for bad in [
            "",
            "/8",
            "10.0.0.0/",
            "10.0.0.0/33",
            "10.0.0.0/-1",
            "10.0.0.0/+8",
            "10.0.0.0/8/8",
            "10.0.0.1/8",
            "10.0/8",
            "010.0.0.0/8",
            "fd00::/129",
            "fd00::1/64",
            "fd00::/x",
            "fe80::1%eth0",
            "10.0.0.0/99999999999",
        ] {
            assert!(Cidr::parse(bad).is_err(), "{bad}");
        }
    }
}
