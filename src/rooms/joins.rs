//! How often one address may join: a token bucket for each, in a map that does not grow without bound.

use std::collections::HashMap;
use std::net::{IpAddr, Ipv6Addr};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

/// Addresses that are remembered at once. Those that have not joined for a while are forgotten first; if all of them
/// are busy, newcomers share one bucket.
const MAX_SOURCES: usize = 16_384;

/// How many seconds' worth may come at once: a class that opens the same page.
const BURST_SECONDS: u32 = 2;

/// This machine's own address gets so much more than others: load tests come from it, and reverse proxies.
const LOOPBACK_FACTOR: u32 = 20;

/// The limiter.
#[derive(Debug)]
pub(crate) struct JoinLimiter {
    per_second: u32,
    sources: Mutex<Sources>,
}

#[derive(Debug, Default)]
struct Sources {
    /// When the bucket of each address will be empty.
    empty_at: HashMap<IpAddr, Instant>,
    /// That of everybody for whom there was no room.
    others: Option<Instant>,
}

impl JoinLimiter {
    /// Lets each address join `per_second` times a second.
    pub(crate) fn new(per_second: u32) -> Self {
        Self { per_second: per_second.max(1), sources: Mutex::default() }
    }

    /// Counts a join, or says how long to wait before the next.
    pub(crate) fn take(&self, source: IpAddr, now: Instant) -> Result<(), Duration> {
        let source = network(source);
        let per_second = if source.is_loopback() {
            self.per_second.saturating_mul(LOOPBACK_FACTOR)
        } else {
            self.per_second
        };
        let interval = Duration::from_secs(1) / per_second;
        let room = Duration::from_secs(BURST_SECONDS.into()).saturating_sub(interval);
        let mut sources = self.sources.lock().unwrap_or_else(PoisonError::into_inner);
        if sources.empty_at.len() >= MAX_SOURCES && !sources.empty_at.contains_key(&source) {
            sources.empty_at.retain(|_, empty_at| *empty_at > now);
        }
        let full = sources.empty_at.len() >= MAX_SOURCES && !sources.empty_at.contains_key(&source);
        let Sources { empty_at, others } = &mut *sources;
        let bucket = if full { others.get_or_insert(now) } else { empty_at.entry(source).or_insert(now) };
        let level = bucket.saturating_duration_since(now);
        if level > room {
            return Err(level.saturating_sub(room));
        }
        *bucket = (*bucket).max(now) + interval;
        Ok(())
    }
}

/// Who counts as one: an IPv4 address, or the /64 that an IPv6 client chooses its addresses from.
fn network(address: IpAddr) -> IpAddr {
    match address.to_canonical() {
        IpAddr::V6(address) if !address.is_loopback() => {
            IpAddr::V6(Ipv6Addr::from_bits(address.to_bits() >> 64 << 64))
        }
        address => address,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ip(text: &str) -> IpAddr {
        text.parse().unwrap()
    }

    fn passed(limiter: &JoinLimiter, source: &str, tries: u32, now: Instant) -> u32 {
        (0..tries).map(|_| u32::from(limiter.take(ip(source), now).is_ok())).sum()
    }

    #[test]
    fn an_address_has_two_seconds_worth_at_once_and_its_rate_from_then_on() {
        let (limiter, start) = (JoinLimiter::new(10), Instant::now());
        assert_eq!(passed(&limiter, "203.0.113.7", 100, start), 20);
        assert_eq!(limiter.take(ip("203.0.113.7"), start), Err(Duration::from_millis(100)));
        assert_eq!(passed(&limiter, "203.0.113.8", 100, start), 20, "another address");
        let later = start + Duration::from_secs(1);
        assert_eq!(passed(&limiter, "203.0.113.7", 100, later), 10);
    }

    #[test]
    fn this_machine_gets_more() {
        let (limiter, start) = (JoinLimiter::new(50), Instant::now());
        assert_eq!(passed(&limiter, "127.0.0.1", 5_000, start), 2_000);
        assert_eq!(passed(&limiter, "::ffff:127.0.0.1", 10, start), 0, "the same address");
    }

    #[test]
    fn the_addresses_of_one_ipv6_network_count_as_one() {
        let (limiter, start) = (JoinLimiter::new(1), Instant::now());
        assert_eq!(passed(&limiter, "2001:db8::1", 9, start), 2);
        assert_eq!(passed(&limiter, "2001:db8::ffff:2", 9, start), 0);
        assert_eq!(passed(&limiter, "2001:db8:0:1::1", 9, start), 2);
    }

    #[test]
    fn more_addresses_than_are_remembered_share_what_is_left_and_old_ones_make_room() {
        let (limiter, start) = (JoinLimiter::new(1), Instant::now());
        let source = |number: u32| IpAddr::V4((0x0a00_0000 + number).into());
        for number in 0..u32::try_from(MAX_SOURCES).unwrap() {
            limiter.take(source(number), start).unwrap();
        }
        let beyond = (0..10).filter(|extra| limiter.take(source(0xff_0000 + extra), start).is_ok()).count();
        assert_eq!(beyond, 2);
        assert!(limiter.take(source(0xff_ffff), start + Duration::from_secs(5)).is_ok());
        assert_eq!(limiter.sources.lock().unwrap().empty_at.len(), 1);
    }
}
