#![allow(clippy::unwrap_used, clippy::indexing_slicing)]

use super::*;

const PACKET: usize = 1000;

fn ms(ms: u64) -> Duration {
    Duration::from_millis(ms)
}

fn path(conditions: Conditions) -> Path<u32> {
    Path::new(Discipline::Drop, 7, conditions).unwrap()
}

/// Sends a packet each `every` and looks each millisecond until all has arrived: what came, and when.
fn run(path: &mut Path<u32>, count: u32, every: Duration) -> Vec<(u32, Duration)> {
    let mut arrived = Vec::new();
    let mut sent = 0;
    let mut now = Duration::ZERO;
    while sent < count || path.next_due().is_some() {
        while sent < count && every * sent <= now {
            path.send(now, PACKET, sent);
            sent += 1;
        }
        while let Some(packet) = path.receive(now) {
            arrived.push((packet, now));
        }
        now += ms(1);
    }
    arrived
}

/// The numbers alone.
fn numbers(arrived: &[(u32, Duration)]) -> Vec<u32> {
    arrived.iter().map(|(number, _)| *number).collect()
}

/// How long each travelled, in milliseconds, when one was sent each `every`.
fn delays(arrived: &[(u32, Duration)], every: Duration) -> Vec<u64> {
    arrived.iter().map(|(number, at)| (*at - every * *number).as_millis() as u64).collect()
}

#[test]
fn a_path_without_conditions_passes_everything_at_once_and_in_order() {
    let arrived = run(&mut path(Conditions::default()), 1000, ms(1));
    assert_eq!(numbers(&arrived), (0..1000).collect::<Vec<_>>());
    assert!(delays(&arrived, ms(1)).iter().all(|delay| *delay == 0));
}

#[test]
fn the_share_that_is_lost_is_what_was_asked_for() {
    let mut lossy = path(Conditions { loss: 0.05, ..Conditions::default() });
    let arrived = run(&mut lossy, 40_000, ms(1));
    let lost = lossy.counters().lost;
    assert!((1850..2150).contains(&lost), "{lost} of 40000");
    assert_eq!(arrived.len() as u64 + lost, 40_000);
}

#[test]
fn bursts_take_their_share_and_have_their_length() {
    let burst = Some(Burst { share: 0.05, length: 8.0 });
    let arrived = numbers(&run(&mut path(Conditions { burst, ..Conditions::default() }), 200_000, ms(1)));
    let gaps: Vec<u32> =
        arrived.windows(2).map(|pair| pair[1] - pair[0] - 1).filter(|gap| *gap > 0).collect();
    let lost: u32 = gaps.iter().sum();
    let mean = f64::from(lost) / gaps.len() as f64;
    assert!((8_500..11_500).contains(&lost), "{lost} of 200000");
    assert!((7.3..8.7).contains(&mean), "{mean} packets a burst");
}

#[test]
fn the_same_seed_repeats_everything_and_another_one_does_not() {
    let conditions = Conditions {
        loss: 0.1,
        delay_ms: 20.0,
        jitter_ms: 10.0,
        reorder: 0.1,
        reorder_ms: 15.0,
        duplicate: 0.1,
        spike: Some(Spike { every_ms: 300.0, ms: 50.0 }),
        ..Conditions::default()
    };
    let with = |seed| {
        let mut path = Path::new(Discipline::Drop, seed, conditions.clone()).unwrap();
        run(&mut path, 2000, ms(5))
    };
    assert_eq!(with(1), with(1));
    assert_ne!(with(1), with(2));
}

#[test]
fn jitter_does_not_change_which_packets_are_lost() {
    let calm = run(&mut path(Conditions { loss: 0.1, ..Conditions::default() }), 2000, ms(5));
    let jittery =
        run(&mut path(Conditions { loss: 0.1, jitter_ms: 20.0, ..Conditions::default() }), 2000, ms(5));
    assert_eq!(numbers(&calm), numbers(&jittery));
}

#[test]
fn jitter_spreads_delays_around_the_delay_and_keeps_the_order() {
    let conditions = Conditions { delay_ms: 50.0, jitter_ms: 10.0, ..Conditions::default() };
    let arrived = run(&mut path(conditions), 2000, ms(20));
    let delays = delays(&arrived, ms(20));
    assert!(delays.iter().all(|delay| (40..=61).contains(delay)), "{delays:?}");
    assert!(delays.iter().min().unwrap() < &43 && delays.iter().max().unwrap() > &57);
    assert!(numbers(&arrived).is_sorted());
}

#[test]
fn a_reordered_packet_is_overtaken_by_those_sent_within_its_lag() {
    let conditions = Conditions { reorder: 0.05, reorder_ms: 25.0, ..Conditions::default() };
    let mut swapping = path(conditions);
    let arrived = run(&mut swapping, 1000, ms(10));
    let overtaken = arrived.windows(2).filter(|pair| pair[1].0 < pair[0].0).count();
    assert!((25..75).contains(&overtaken), "{overtaken} overtaken");
    assert!(swapping.counters().reordered >= overtaken as u64);
    let delays = delays(&arrived, ms(10));
    assert!(delays.iter().all(|delay| matches!(delay, 0 | 25)), "{delays:?}");
}

#[test]
fn duplicates_come_twice_and_are_counted() {
    let mut doubling = path(Conditions { duplicate: 0.1, ..Conditions::default() });
    let arrived = numbers(&run(&mut doubling, 1000, ms(1)));
    let twice = arrived.windows(2).filter(|pair| pair[0] == pair[1]).count() as u64;
    assert!((60..140).contains(&twice), "{twice}");
    assert_eq!(doubling.counters().duplicated, twice);
    assert_eq!(doubling.counters().passed, 1000 + twice);
}

#[test]
fn a_rate_is_kept_and_what_the_queue_cannot_hold_is_lost() {
    // 1000 bytes each 5 ms are 1600 kbit/s.
    let conditions = Conditions { rate_kbps: Some(800), queue_ms: Some(100.0), ..Conditions::default() };
    let mut narrow = path(conditions);
    let arrived = run(&mut narrow, 2000, ms(5));
    let seconds = arrived.last().unwrap().1.as_secs_f64();
    let kbps = arrived.len() as f64 * 8.0 * PACKET as f64 / 1000.0 / seconds;
    assert!((790.0..=805.0).contains(&kbps), "{kbps} kbit/s");
    assert!((950..1000).contains(&narrow.counters().overflowed), "{:?}", narrow.counters());
    assert!(delays(&arrived, ms(5)).iter().all(|delay| *delay <= 110));
}

#[test]
fn a_queue_that_is_limited_in_bytes_holds_no_more() {
    let conditions =
        Conditions { rate_kbps: Some(80), queue_bytes: Some(5 * PACKET), ..Conditions::default() };
    let mut narrow = path(Conditions { queue_ms: Some(10_000.0), ..conditions });
    for number in 0..20 {
        narrow.send(Duration::ZERO, PACKET, number);
    }
    assert_eq!(narrow.counters().overflowed, 15);
}

#[test]
fn a_rate_that_is_lifted_lets_the_queue_out_at_once() {
    let mut narrow =
        path(Conditions { rate_kbps: Some(80), queue_ms: Some(5000.0), ..Conditions::default() });
    for number in 0..10 {
        narrow.send(Duration::ZERO, PACKET, number);
    }
    assert_eq!(narrow.receive(ms(50)), None);
    narrow.change(ms(50), Conditions::default()).unwrap();
    let out: Vec<u32> = std::iter::from_fn(|| narrow.receive(ms(50))).collect();
    assert_eq!(out, (0..10).collect::<Vec<_>>());
}

#[test]
fn what_meets_a_spike_arrives_together_at_its_end() {
    let spike = Some(Spike { every_ms: 1000.0, ms: 200.0 });
    let arrived = run(&mut path(Conditions { spike, ..Conditions::default() }), 3000, ms(10));
    let delays = delays(&arrived, ms(10));
    assert!(delays.iter().all(|delay| *delay <= 201));
    let late = delays.iter().filter(|delay| **delay > 0).count();
    // 200 ms of every 1200 on average.
    assert!((300..700).contains(&late), "{late} of 3000 were late");
    assert!(delays.iter().max().unwrap() > &180);
    assert!(numbers(&arrived).is_sorted());
}

#[test]
fn a_cut_loses_packets_and_what_travels_still_arrives() {
    let mut path = path(Conditions { delay_ms: 50.0, ..Conditions::default() });
    path.send(ms(0), PACKET, 0);
    path.change(ms(10), Conditions { cut: true, delay_ms: 50.0, ..Conditions::default() }).unwrap();
    path.send(ms(20), PACKET, 1);
    path.change(ms(30), Conditions::default()).unwrap();
    path.send(ms(40), PACKET, 2);
    assert_eq!(path.receive(ms(50)), Some(0));
    assert_eq!(path.receive(ms(50)), Some(2));
    assert_eq!(path.counters().cut, 1);
}

#[test]
fn bytes_that_must_arrive_wait_while_the_path_is_cut() {
    let mut stream = Path::new(Discipline::Hold, 1, Conditions::default()).unwrap();
    stream.send(ms(0), PACKET, 0);
    assert_eq!(stream.receive(ms(0)), Some(0));
    stream.send(ms(1), PACKET, 1);
    stream.change(ms(1), Conditions { cut: true, ..Conditions::default() }).unwrap();
    assert_eq!(stream.room(ms(2)), 0);
    assert_eq!(stream.next_due(), None);
    assert_eq!(stream.receive(ms(9000)), None);
    stream.change(ms(9000), Conditions::default()).unwrap();
    assert_eq!(stream.receive(ms(9000)), Some(1));
}

#[test]
fn a_sender_that_keeps_to_the_room_loses_nothing_and_gets_the_rate() {
    let conditions =
        Conditions { rate_kbps: Some(400), queue_ms: Some(100.0), delay_ms: 30.0, ..Conditions::default() };
    let mut stream = Path::new(Discipline::Hold, 1, conditions).unwrap();
    let mut sent = 0;
    let mut received = 0;
    for at in 0..10_000 {
        while stream.room(ms(at)) >= PACKET {
            stream.send(ms(at), PACKET, sent);
            sent += 1;
        }
        while let Some(number) = stream.receive(ms(at)) {
            assert_eq!(number, received);
            received += 1;
        }
    }
    // 10 s less the delay, at 50 bytes a millisecond.
    assert!((496..=499).contains(&received), "{received}");
    assert!(sent - received <= 8, "{} are on the way", sent - received);
}

#[test]
fn a_path_says_when_to_look_again() {
    let mut path = path(Conditions { delay_ms: 40.0, rate_kbps: Some(800), ..Conditions::default() });
    assert_eq!(path.next_due(), None);
    path.send(ms(0), PACKET, 0);
    assert_eq!(path.next_due(), Some(ms(10)), "the hop has sent it");
    assert_eq!(path.receive(ms(10)), None);
    assert_eq!(path.next_due(), Some(ms(50)), "it arrives");
    assert_eq!(path.receive(ms(53)), Some(0));
    assert_eq!(path.counters().late_ms, 3);
}

#[test]
fn conditions_that_cannot_be_are_refused() {
    let default = Conditions::default;
    let refused = |conditions| Path::<u32>::new(Discipline::Drop, 1, conditions).unwrap_err();
    assert_eq!(refused(Conditions { loss: 1.5, ..default() }), Error::Share { name: "loss", value: 1.5 });
    assert!(matches!(refused(Conditions { loss: f64::NAN, ..default() }), Error::Share { .. }));
    assert!(matches!(
        refused(Conditions { delay_ms: -1.0, ..default() }),
        Error::Time { name: "delay_ms", .. }
    ));
    assert_eq!(refused(Conditions { rate_kbps: Some(0), ..default() }), Error::NoRate);
    let burst = Some(Burst { share: 0.9, length: 1.0 });
    assert!(matches!(refused(Conditions { burst, ..default() }), Error::Burst { .. }));
    let lossy = Conditions { loss: 0.1, ..default() };
    let error = Path::<u32>::new(Discipline::Hold, 1, lossy).unwrap_err();
    assert_eq!(error, Error::Unreliable { name: "loss" });
}
