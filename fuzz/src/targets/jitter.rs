//! The jitter buffer, against what it promises.

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::LazyLock;
use std::time::{Duration, Instant};

use queqiao_media::frame::RtpPacket;
use queqiao_media::rtp::{Item, JitterBuffer, OpusReceiver, Waits};
use queqiao_media::time::{AudioTicks, StreamTime};

use super::Target;
use crate::source::Source;
use crate::trace::Trace;

/// The most packets that the buffer may keep.
const MAX_KEPT: usize = 1024;
/// Placeholders for one loss.
const MAX_PLACEHOLDERS: usize = 10;

/// Numbers are unwrapped from 16 bits, so none comes near the end of 64.
const MAX_SEQ: u64 = 1 << 62;

/// Times are counted from here, so that a saved input stays what it is.
static EPOCH: LazyLock<Instant> = LazyLock::new(Instant::now);

pub(crate) const BUFFER: Target = Target {
    // Up to 1024 packets with their payloads, each in an allocation of its own, and the model beside them.
    memory: 2 << 20,
    max_len: 4 << 10,
    dictionary: &[&[0x80], &[0x81, 0, 0, 0x0b, 0xb8], &[0x82, 0xff, 0xff], &[1, 1, 0, 0], &[0xff, 0xff]],
    ..Target::new("jitter_buffer", "audio packets in any order, and time going by", buffer)
};

struct Model {
    buffer: JitterBuffer<48_000>,
    receiver: OpusReceiver,
    now: Instant,
    /// The number that has to come next; unknown at the start and after a restart.
    next: Option<u64>,
    /// What was pushed and has not come out: the payload's mark.
    inside: HashMap<u64, Vec<u8>>,
    lost: u64,
    out: Vec<queqiao_media::frame::OpusPacket>,
}

fn buffer(input: &[u8], trace: &mut Trace) {
    let mut source = Source::new(input);
    let mut model = Model {
        buffer: JitterBuffer::new(Waits::AUDIO),
        receiver: OpusReceiver::default(),
        now: *EPOCH,
        next: None,
        inside: HashMap::new(),
        lost: 0,
        out: Vec::new(),
    };
    let mut seq = 1_u64 << 32;
    while !source.is_empty() {
        let op = source.u8();
        model.now += Duration::from_millis(u64::from(op >> 3));
        if op & 7 == 7 {
            model.drain(trace);
            model.wait_for_timeout(trace);
            continue;
        }
        seq = seq.saturating_add_signed(source.step()).min(MAX_SEQ);
        let payload = source.take(usize::from(op & 7));
        model.push(seq, payload);
        if op & 3 != 3 {
            model.drain(trace);
        }
    }
    model.drain(trace);
    model.wait_for_timeout(trace);
    let counters = model.buffer.counters();
    assert_eq!(counters.lost, model.lost, "{counters:?}");
    trace.note("late", counters.late);
    trace.note("duplicate", counters.duplicate);
    trace.note("overflowed", counters.overflowed);
    trace.note("restarts", counters.restarts);
}

impl Model {
    fn push(&mut self, seq: u64, payload: &[u8]) {
        let ticks = seq.cast_signed().saturating_mul(960);
        let (rtp_time, time) = (AudioTicks::new(ticks), AudioTicks::new(ticks).rescale());
        let before = self.buffer.counters();
        let packet = RtpPacket { seq, rtp_time, time, marker: false, payload: Arc::from(payload) };
        self.buffer.push(self.now, packet);
        let after = self.buffer.counters();
        if after.restarts > before.restarts {
            self.inside.clear();
            self.next = Some(seq);
        }
        let refused = (after.late, after.duplicate) != (before.late, before.duplicate)
            || after.overflowed > before.overflowed && after.restarts == before.restarts;
        if !refused {
            self.next.get_or_insert(seq);
            assert_eq!(self.inside.insert(seq, payload.to_vec()), None, "{seq} is in the buffer twice");
        }
        assert!(self.inside.len() <= MAX_KEPT + 1, "{} packets wait", self.inside.len());
    }

    fn drain(&mut self, trace: &mut Trace) {
        // Every call takes something out, so as many calls as there are things are enough.
        for _ in 0..2 * self.inside.len() + 2 {
            let Some(item) = self.buffer.poll(self.now) else { break };
            self.check(&item, trace);
            let (before, out) = (self.out.len(), &mut self.out);
            self.receiver.push(item, out);
            assert!(out.len() - before <= MAX_PLACEHOLDERS + 1, "{} packets for one", out.len() - before);
        }
        assert!(self.buffer.poll(self.now).is_none(), "it never comes to an end");
        let waits = self.buffer.poll_timeout();
        assert_eq!(
            waits.is_some(),
            !self.inside.is_empty(),
            "{} packets wait until {waits:?}",
            self.inside.len()
        );
        assert!(
            waits.is_none_or(|until| until > self.now && until <= self.now + Waits::AUDIO.most),
            "{waits:?}"
        );
        let times = self.out.drain(..).map(|packet| packet.time);
        let span = StreamTime::new(1_000_000);
        times.reduce(|a, b| {
            assert!(a <= b || a - b > span, "{b:?} after {a:?}");
            b
        });
    }

    fn check(&mut self, item: &Item<48_000>, trace: &mut Trace) {
        match item {
            Item::Packet(packet) => {
                assert_eq!(self.next, Some(packet.seq), "out of order");
                let pushed = self.inside.remove(&packet.seq);
                assert_eq!(pushed.as_deref(), Some(&*packet.payload), "not what was pushed");
                self.next = Some(packet.seq + 1);
                trace.note("packet", 0);
            }
            Item::Lost { first, count } => {
                assert_eq!(self.next, Some(*first));
                let hit = self.inside.keys().any(|seq| (*first..first + count).contains(seq));
                assert!(*count > 0 && !hit, "a packet that is there is called lost");
                self.next = Some(first + count);
                self.lost += count;
                trace.note("lost", *count);
            }
            Item::Doubtful => trace.note("doubtful", 0),
            Item::Restart => trace.note("restart", 0),
        }
    }

    /// No gap is kept open for longer than was said.
    fn wait_for_timeout(&mut self, trace: &mut Trace) {
        while let Some(until) = self.buffer.poll_timeout() {
            let before = self.inside.len();
            self.now = until;
            self.drain(trace);
            assert!(self.inside.len() < before, "nothing comes out when its time has come");
        }
        assert!(self.inside.is_empty(), "{} packets are stuck", self.inside.len());
    }
}
