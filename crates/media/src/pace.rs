//! Pacing: what goes onto a narrow path leaves at the pace that the path bears, not in bursts of whole pictures, which its
//! queues would drop, and behind which sound would wait.

use std::collections::VecDeque;
use std::time::{Duration, Instant};

/// What may leave at once: less would cost a timer for every packet.
const BURST: Duration = Duration::from_millis(5);

/// Packets that wait at most, a second of 10 Mbit/s. Beyond that the oldest leave whatever the pace.
const MAX_WAITING: usize = 1_024;

/// Lets packets leave at a pace.
#[derive(Debug)]
pub struct Pacer<T> {
    /// Bit/s; none where everything leaves at once.
    rate: Option<u64>,
    /// When what has left will be through.
    through: Option<Instant>,
    waiting: VecDeque<(T, usize)>,
    bytes: usize,
}

impl<T> Default for Pacer<T> {
    fn default() -> Self {
        Self { rate: None, through: None, waiting: VecDeque::new(), bytes: 0 }
    }
}

impl<T> Pacer<T> {
    /// From now on packets leave at so many bit/s; `None` lets everything leave at once.
    pub fn set_rate(&mut self, bits_per_second: Option<u64>) {
        self.rate = bits_per_second.map(|rate| rate.max(1));
    }

    /// Takes a packet of so many bytes. Returns it if it may leave at once.
    pub fn push(&mut self, packet: T, bytes: usize, now: Instant) -> Option<T> {
        if self.waiting.is_empty() && self.is_free(now) {
            self.leave(bytes, now);
            return Some(packet);
        }
        self.bytes = self.bytes.saturating_add(bytes);
        self.waiting.push_back((packet, bytes));
        None
    }

    /// The next packet that may leave.
    pub fn poll(&mut self, now: Instant) -> Option<T> {
        if !self.is_free(now) && self.waiting.len() <= MAX_WAITING {
            return None;
        }
        let (packet, bytes) = self.waiting.pop_front()?;
        self.bytes = self.bytes.saturating_sub(bytes);
        self.leave(bytes, now);
        Some(packet)
    }

    /// When [`Self::poll`] has the next packet; none where nothing waits.
    #[must_use]
    pub fn poll_timeout(&self) -> Option<Instant> {
        self.waiting.front()?;
        self.through.and_then(|through| through.checked_sub(BURST))
    }

    /// Bytes that wait.
    #[must_use]
    pub const fn waiting(&self) -> usize {
        self.bytes
    }

    fn is_free(&self, now: Instant) -> bool {
        self.rate.is_none() || self.through.is_none_or(|through| through <= now + BURST)
    }

    fn leave(&mut self, bytes: usize, now: Instant) {
        let Some(rate) = self.rate else {
            self.through = None;
            return;
        };
        let takes = Duration::from_secs_f64((bytes as f64 * 8.0 / rate as f64).min(1.0));
        self.through = Some(self.through.map_or(now, |through| through.max(now)) + takes);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Lets all that is due leave, as a timer would. Returns what left and when.
    fn run(pacer: &mut Pacer<u32>, start: Instant) -> Vec<(u32, Duration)> {
        let mut left = Vec::new();
        while let Some(at) = pacer.poll_timeout() {
            while let Some(packet) = pacer.poll(at.max(start)) {
                left.push((packet, at.saturating_duration_since(start)));
            }
        }
        left
    }

    #[test]
    fn without_a_rate_everything_leaves_at_once() {
        let (mut pacer, now) = (Pacer::default(), Instant::now());
        assert!((0..10_000).all(|packet| pacer.push(packet, 1_200, now) == Some(packet)));
        assert_eq!(pacer.poll_timeout(), None);
    }

    #[test]
    fn a_burst_leaves_in_order_and_at_the_pace() {
        let (mut pacer, start) = (Pacer::default(), Instant::now());
        pacer.set_rate(Some(800_000));
        let at_once = (0..20).filter(|packet| pacer.push(*packet, 1_000, start).is_some()).count();
        assert_eq!((at_once, pacer.waiting()), (1, 19_000), "10 ms each");
        let left = run(&mut pacer, start);
        assert!(left.iter().map(|(packet, _)| *packet).eq(1..20));
        assert_eq!(left.last().map(|(_, at)| at.as_millis()), Some(185));
        assert_eq!(pacer.waiting(), 0);
    }

    #[test]
    fn a_pause_earns_no_burst() {
        let (mut pacer, start) = (Pacer::default(), Instant::now());
        pacer.set_rate(Some(800_000));
        pacer.push(0, 1_000, start);
        let later = start + Duration::from_secs(10);
        let at_once = (0..20).filter(|packet| pacer.push(*packet, 1_000, later).is_some()).count();
        assert_eq!(at_once, 1);
    }

    #[test]
    fn when_the_rate_is_lifted_what_waits_leaves() {
        let (mut pacer, start) = (Pacer::default(), Instant::now());
        pacer.set_rate(Some(8_000));
        for packet in 0..5 {
            pacer.push(packet, 1_000, start);
        }
        pacer.set_rate(None);
        assert_eq!(std::iter::from_fn(|| pacer.poll(start)).count(), 4);
        assert_eq!(pacer.push(9, 1_000, start), Some(9));
    }

    #[test]
    fn the_queue_is_bounded() {
        let (mut pacer, start) = (Pacer::default(), Instant::now());
        pacer.set_rate(Some(1));
        for packet in 0..5_000 {
            pacer.push(packet, 1_000, start);
            while pacer.poll(start).is_some() {}
        }
        assert_eq!(pacer.waiting(), MAX_WAITING * 1_000);
    }
}
