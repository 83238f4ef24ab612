//! The jitter buffer in virtual time.

#![allow(clippy::indexing_slicing, clippy::panic, clippy::unwrap_used)]

use std::time::{Duration, Instant};

use proptest::collection::vec;
use proptest::prelude::*;
use queqiao_media::frame::RtpPacket;
use queqiao_media::rtp::{Item, JitterBuffer, Waits};
use queqiao_media::time::{StreamTime, VideoTicks};

type Buffer = JitterBuffer<90_000>;

fn packet(seq: u64, size: usize) -> RtpPacket<90_000> {
    let payload = vec![0; size].into();
    RtpPacket { seq, rtp_time: VideoTicks::ZERO, time: StreamTime::ZERO, marker: false, payload }
}

/// What an item says, in short.
#[derive(Debug, PartialEq, Eq)]
enum Out {
    Packet(u64),
    Lost(u64, u64),
    Doubtful,
    Restart,
}

fn drain(buffer: &mut Buffer, now: Instant) -> Vec<Out> {
    std::iter::from_fn(|| buffer.poll(now))
        .map(|item| match item {
            Item::Packet(packet) => Out::Packet(packet.seq),
            Item::Lost { first, count } => Out::Lost(first, count),
            Item::Doubtful => Out::Doubtful,
            Item::Restart => Out::Restart,
        })
        .collect()
}

fn push(buffer: &mut Buffer, now: Instant, seqs: &[u64]) -> Vec<Out> {
    seqs.iter()
        .flat_map(|&seq| {
            buffer.push(now, packet(seq, 1));
            drain(buffer, now)
        })
        .collect()
}

fn packets(seqs: impl IntoIterator<Item = u64>) -> Vec<Out> {
    seqs.into_iter().map(Out::Packet).collect()
}

fn ms(count: u64) -> Duration {
    Duration::from_millis(count)
}

/// A wait that nothing changes.
const fn exactly(wait: Duration) -> Waits {
    Waits { least: wait, most: wait, first: wait, share: 1.0, repairs: 1, doubted_after: None }
}

#[test]
fn packets_in_order_come_out_at_once() {
    let (mut buffer, now) = (Buffer::new(exactly(ms(200))), Instant::now());
    for seq in 70_000..70_500 {
        assert_eq!(push(&mut buffer, now, &[seq]), [Out::Packet(seq)]);
        assert_eq!(buffer.poll_timeout(), None);
    }
}

#[test]
fn packets_out_of_order_are_put_in_order_and_repeated_ones_left_out() {
    let (mut buffer, now) = (Buffer::new(exactly(ms(200))), Instant::now());
    let out = push(&mut buffer, now, &[1, 4, 4, 3, 1, 5, 2, 2, 6]);
    assert_eq!(out, packets(1..=6));
    assert_eq!(buffer.counters().duplicate, 3);
    assert_eq!(buffer.counters().late, 0);
}

#[test]
fn a_gap_is_given_up_after_exactly_the_longest_wait() {
    let (mut buffer, start) = (Buffer::new(exactly(ms(200))), Instant::now());
    assert_eq!(push(&mut buffer, start, &[1]), [Out::Packet(1)]);
    assert_eq!(push(&mut buffer, start + ms(10), &[4]), []);
    assert_eq!(push(&mut buffer, start + ms(90), &[5]), []);
    assert_eq!(buffer.poll_timeout(), Some(start + ms(210)));
    assert_eq!(drain(&mut buffer, start + ms(210) - Duration::from_nanos(1)), []);
    assert_eq!(drain(&mut buffer, start + ms(210)), [Out::Lost(2, 2), Out::Packet(4), Out::Packet(5)]);
    assert_eq!(buffer.poll_timeout(), None);

    assert_eq!(push(&mut buffer, start + ms(220), &[3, 6, 6]), [Out::Packet(6)]);
    let counters = buffer.counters();
    assert_eq!((counters.lost, counters.late, counters.duplicate), (2, 1, 1));
}

#[test]
fn every_gap_has_its_own_time() {
    let (mut buffer, start) = (Buffer::new(exactly(ms(200))), Instant::now());
    push(&mut buffer, start, &[1, 3]);
    // The second gap is shown by 7, although 6 comes later and lies before it.
    push(&mut buffer, start + ms(50), &[7]);
    push(&mut buffer, start + ms(80), &[6]);
    assert_eq!(push(&mut buffer, start + ms(100), &[2]), packets(2..=3));
    assert_eq!(buffer.poll_timeout(), Some(start + ms(250)));
    assert_eq!(drain(&mut buffer, start + ms(250)), [Out::Lost(4, 2), Out::Packet(6), Out::Packet(7)]);
}

#[test]
fn what_is_sent_again_in_vain_is_doubted_once_and_still_waited_for() {
    let waits = Waits {
        least: ms(10),
        most: ms(700),
        first: ms(200),
        share: 0.5,
        repairs: 4,
        doubted_after: Some(3),
    };
    let (mut buffer, mut now) = (Buffer::new(waits), Instant::now());
    let mut gap = |buffer: &mut Buffer, seq: u64| {
        now += ms(1_000);
        assert_eq!(push(buffer, now, &[seq, seq + 2]), [Out::Packet(seq)]);
        now
    };
    // How long a repair takes is not known yet.
    let unknown = gap(&mut buffer, 0);
    let end = buffer.poll_timeout().unwrap();
    assert_eq!(drain(&mut buffer, end), [Out::Lost(1, 1), Out::Packet(2)]);
    assert!(end - unknown >= ms(190));
    for seq in (3..300).step_by(3) {
        let shown = gap(&mut buffer, seq);
        assert_eq!(push(&mut buffer, shown + ms(100), &[seq + 1]), packets(seq + 1..=seq + 2));
    }
    for comes in [true, false] {
        let seq = if comes { 300 } else { 303 };
        let shown = gap(&mut buffer, seq);
        let doubted = buffer.poll_timeout().unwrap();
        assert!((ms(300)..=ms(340)).contains(&(doubted - shown)), "{:?}", doubted - shown);
        assert_eq!(drain(&mut buffer, doubted - ms(1)), []);
        assert_eq!(drain(&mut buffer, doubted), [Out::Doubtful]);
        let end = buffer.poll_timeout().unwrap();
        assert!((ms(400)..=ms(450)).contains(&(end - shown)), "{:?}", end - shown);
        if comes {
            assert_eq!(push(&mut buffer, end - ms(1), &[seq + 1]), packets(seq + 1..=seq + 2));
        } else {
            assert_eq!(drain(&mut buffer, end), [Out::Lost(seq + 1, 1), Out::Packet(seq + 2)]);
        }
    }
}

#[test]
fn a_full_buffer_gives_up_the_gap_early() {
    let (mut buffer, now) = (Buffer::new(exactly(ms(200))), Instant::now());
    push(&mut buffer, now, &[0]);
    let out = push(&mut buffer, now, &(2..=1025).collect::<Vec<_>>());
    assert_eq!(out.first(), Some(&Out::Lost(1, 1)));
    assert_eq!(out[1..], packets(2..=1025));

    for seq in 1027..1029 {
        buffer.push(now, packet(seq, 1024 * 1024));
    }
    assert_eq!(drain(&mut buffer, now), [Out::Lost(1026, 1), Out::Packet(1027), Out::Packet(1028)]);
}

#[test]
fn packets_that_nobody_polls_do_not_pile_up() {
    let (mut buffer, now) = (Buffer::new(exactly(ms(200))), Instant::now());
    (0..2_900).for_each(|seq| buffer.push(now, packet(seq, 1)));
    assert_eq!(buffer.counters().overflowed, 2_900 - 1024);
    assert_eq!(drain(&mut buffer, now), packets(0..1024));
}

#[test]
fn a_jump_of_the_numbers_is_a_restart_in_either_direction() {
    let (mut buffer, now) = (Buffer::new(exactly(ms(200))), Instant::now());
    push(&mut buffer, now, &[10_000, 10_002]);
    let out = push(&mut buffer, now, &[50_000, 50_001, 7, 8, u64::MAX, 3]);
    let restarted = |seq| [Out::Restart, Out::Packet(seq)];
    assert_eq!(out[..3], [Out::Restart, Out::Packet(50_000), Out::Packet(50_001)]);
    assert_eq!(out[3..6], [Out::Restart, Out::Packet(7), Out::Packet(8)]);
    assert_eq!(out[6..8], restarted(u64::MAX));
    assert_eq!(out[8..], restarted(3));
    assert_eq!(buffer.counters().restarts, 4);
}

proptest! {
    #[test]
    fn any_disorder_comes_out_in_order_with_every_number_told_once(
        steps in vec((0_u64..12, 0_u64..40, any::<bool>()), 1..300),
    ) {
        let (mut buffer, mut now) = (Buffer::new(exactly(ms(60))), Instant::now());
        let mut next = 100;
        let mut told = 100;
        buffer.push(now, packet(100, 1));
        let mut items = drain(&mut buffer, now);
        for (behind, wait, lost) in steps {
            now += ms(wait);
            next += 1;
            if !lost {
                buffer.push(now, packet(next - behind.min(next - 100), 1));
            }
            items.extend(drain(&mut buffer, now));
            prop_assert!(buffer.poll_timeout().is_none_or(|at| at > now && at <= now + ms(60)));
        }
        items.extend(drain(&mut buffer, now + ms(60)));
        for item in items {
            let (first, count) = match item {
                Out::Packet(seq) => (seq, 1),
                Out::Lost(first, count) => (first, count),
                Out::Doubtful | Out::Restart => panic!("no jump was made, and nothing is doubted by itself"),
            };
            prop_assert!(first == told && count > 0);
            told += count;
        }
    }
}
