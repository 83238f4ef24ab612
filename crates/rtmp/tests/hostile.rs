//! Hostile input: nothing panics, and memory before authentication stays below 64 KB.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

mod support;

use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;

use bytes::{Bytes, BytesMut};
use proptest::prelude::*;
use queqiao_rtmp::Error;
use queqiao_rtmp::amf0::{self, Object, Value};
use queqiao_rtmp::chunk::{Packet, Writer};
use queqiao_rtmp::message::{Command, UserControl, control_u32, data_body, kind};
use queqiao_rtmp::server::{Config, Event, Session};
use support::{connect_object, hello};

/// What one connection may hold before anyone is authenticated.
const MEMORY_LIMIT: usize = 64 * 1024;

/// Counts the bytes that the current thread holds, and their peak.
struct Counting;

thread_local! {
    static HELD: Cell<isize> = const { Cell::new(0) };
    static PEAK: Cell<isize> = const { Cell::new(0) };
}

fn count(change: isize) {
    // The thread may be ending, when nothing is measured any more.
    let _ = HELD.try_with(|held| {
        held.set(held.get() + change);
        let _ = PEAK.try_with(|peak| peak.set(peak.get().max(held.get())));
    });
}

// SAFETY: every call goes to the system allocator unchanged; counting does not allocate.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        count(layout.size().cast_signed());
        // SAFETY: as the caller promises.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        count(-layout.size().cast_signed());
        // SAFETY: as the caller promises.
        unsafe { System.dealloc(pointer, layout) }
    }

    unsafe fn realloc(&self, pointer: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        // Old and new exist side by side while the bytes move.
        count(size.cast_signed());
        count(-layout.size().cast_signed());
        // SAFETY: as the caller promises.
        unsafe { System.realloc(pointer, layout, size) }
    }
}

#[global_allocator]
static ALLOCATOR: Counting = Counting;

/// Feeds `wire` in pieces of `size` to a fresh session, accepting requests if told so. Returns the peak of memory and how
/// the session ended.
fn feed(wire: &[u8], size: usize, accept: bool) -> (usize, Result<(), Error>) {
    let before = HELD.get();
    PEAK.set(before);
    let mut session = Session::new(Config::default());
    let mut result = Ok(());
    for piece in wire.chunks(size) {
        result = session.handle_input(piece);
        while let Some(event) = session.poll_event() {
            match event {
                Event::Publish(request) if accept => session.accept_publish(request),
                Event::Play(request) if accept => session.accept_play(request),
                _ => {}
            }
        }
        while session.poll_output().is_some() {}
        if result.is_err() {
            break;
        }
    }
    (usize::try_from(PEAK.get() - before).unwrap(), result)
}

fn wire(packets: &[(u8, Packet)]) -> BytesMut {
    let mut wire = hello();
    let mut writer = Writer::default();
    packets.iter().for_each(|(stream, packet)| writer.write(*stream, packet, &mut wire).unwrap());
    wire
}

fn command(name: &str, object: Value, arguments: Vec<Value>) -> (u8, Packet) {
    (3, Command { name: name.to_owned(), transaction: 1.0, object, arguments }.packet(1))
}

fn raw(message_type: u8, payload: Vec<u8>) -> (u8, Packet) {
    (4, Packet { timestamp: 0, stream_id: 1, message_type, payload: Bytes::from(payload) })
}

fn assert_frugal(name: &str, wire: &[u8]) {
    for size in [wire.len(), 65_536, 1000] {
        let (peak, _) = feed(wire, size, false);
        assert!(peak < MEMORY_LIMIT, "{name}: {peak} bytes in pieces of {size}");
    }
}

#[test]
fn memory_before_authentication_stays_below_64_kilobytes() {
    let connect = || command("connect", connect_object(), vec![]);
    let long = |length: usize| Value::String("x".repeat(length));
    let after_connect = |rest: Vec<(u8, Packet)>| wire(&[&[connect()][..], &rest].concat());

    let big_connect =
        Object::new().with("app", long(3000)).with("tcUrl", long(1000)).with("swfUrl", long(3900));
    assert_frugal("long connect", &wire(&[command("connect", Value::Object(big_connect), vec![])]));

    let nulls = vec![Value::Null; 8000];
    assert_frugal("many values", &after_connect(vec![command("publish", Value::Null, nulls)]));
    let empty = (0..127).fold(Object::new(), |object, _| object.with("", Value::Object(Object::new())));
    assert_frugal("empty objects", &after_connect(vec![command("publish", Value::Object(empty), vec![])]));

    let segments = "a/".repeat(2000);
    assert_frugal(
        "segments",
        &after_connect(vec![command("publish", Value::Null, vec![segments.as_str().into()])]),
    );
    let parameters = format!("x?{}", "a&".repeat(2000));
    assert_frugal(
        "parameters",
        &after_connect(vec![command("play", Value::Null, vec![parameters.as_str().into()])]),
    );

    let again = (0..60).flat_map(|i| {
        let name = Value::String(format!("{i}{}", "x".repeat(3900)));
        [command("publish", Value::Null, vec![name]), command("closeStream", Value::Null, vec![])]
    });
    assert_frugal("publish and close", &after_connect(again.collect()));

    let pings = (0..20_000).map(|i| (2, Packet::from(UserControl::PingRequest(i))));
    assert_frugal("pings", &after_connect(pings.collect()));
    let buffers =
        (0..20_000).map(|millis| (2, Packet::from(UserControl::SetBufferLength { stream_id: 1, millis })));
    assert_frugal("buffer lengths", &after_connect(buffers.collect()));
    let responses = (0..20_000).map(|i| (2, Packet::from(UserControl::PingResponse(i))));
    assert_frugal("ping responses", &after_connect(responses.collect()));
    assert_frugal("empty messages", &after_connect(vec![raw(8, vec![]); 60_000]));
    assert_frugal("media", &after_connect(vec![raw(9, vec![1; 8000]); 100]));
    let data = data_body(&[Value::StrictArray(vec![Value::Null; 120]), long(7000)]);
    assert_frugal("data", &after_connect(vec![raw(kind::DATA_AMF0, data.to_vec()); 100]));
}

#[test]
fn partial_messages_and_chunk_streams_stay_within_the_same_limit() {
    let mut interleaved = wire(&[command("connect", connect_object(), vec![])]);
    for stream in 0..100u8 {
        interleaved.extend_from_slice(&[0, stream, 0, 0, 0, 0, 0, 0, 9, 0, 0, 0, 0]);
    }
    for stream in 10..14u8 {
        interleaved.extend_from_slice(&[stream, 0, 0, 0, 0, 0x1f, 0x40, 9, 1, 0, 0, 0]);
        interleaved.extend_from_slice(&[0; 128]);
    }
    for _ in 0..60 {
        for stream in 10..14u8 {
            interleaved.extend_from_slice(&[0xc0 | stream]);
            interleaved.extend_from_slice(&[0; 128]);
        }
    }
    assert_frugal("interleaved", &interleaved);

    let mut one_chunk = wire(&[(2, control_u32(kind::SET_CHUNK_SIZE, 0x7fff_ffff))]);
    one_chunk.extend_from_slice(&[5, 0, 0, 0, 0, 0x20, 0, 20, 0, 0, 0, 0]);
    one_chunk.extend_from_slice(&[0xff; 8191]);
    assert_frugal("one chunk", &one_chunk);
}

#[test]
fn amf0_nested_a_hundred_thousand_deep_ends_only_the_session() {
    let nested = [2, 0, 1, b'x'].into_iter().chain([10, 0, 0, 0, 1].repeat(1600)).collect();
    assert_frugal("nested", &wire(&[raw(kind::COMMAND_AMF0, nested)]));
    let deep = [3, 0, 1, b'a'].repeat(100_000);
    let connect = command("connect", connect_object(), vec![]);
    let publish = command("publish", Value::Null, vec!["uid".into()]);
    let wire = wire(&[connect, publish, raw(kind::DATA_AMF0, deep.clone()), raw(kind::COMMAND_AMF0, deep)]);
    // The deep messages must arrive after the publish was accepted, else their size alone ends the session.
    let (_, result) = feed(&wire, 1, true);
    assert!(matches!(result, Err(Error::Amf0 { source: amf0::Error::TooDeep(_), .. })), "{result:?}");
}

/// A session as a real encoder sends it.
fn valid_session() -> Vec<u8> {
    include_bytes!("fixtures/ffmpeg-5.1-publish-extended-timestamps.bin").to_vec()
}

#[derive(Clone, Debug)]
enum Mutation {
    Set(prop::sample::Index, u8),
    Flip(prop::sample::Index, u8),
    Remove(prop::sample::Index, usize),
    Insert(prop::sample::Index, Vec<u8>),
    Repeat(prop::sample::Index, usize),
}

fn mutation() -> impl Strategy<Value = Mutation> {
    let index = any::<prop::sample::Index>;
    prop_oneof![
        (index(), any::<u8>()).prop_map(|(at, byte)| Mutation::Set(at, byte)),
        (index(), 0u8..8).prop_map(|(at, bit)| Mutation::Flip(at, bit)),
        (index(), 1usize..40).prop_map(|(at, count)| Mutation::Remove(at, count)),
        (index(), prop::collection::vec(any::<u8>(), 1..40))
            .prop_map(|(at, bytes)| Mutation::Insert(at, bytes)),
        (index(), 1usize..400).prop_map(|(at, count)| Mutation::Repeat(at, count)),
    ]
}

/// Changes `wire` behind the handshake, most often in the commands at its start.
fn mutate(wire: &mut Vec<u8>, mutation: &Mutation, early: bool) {
    let start = 1 + 2 * 1536;
    let span = if early { 700.min(wire.len() - start) } else { wire.len() - start };
    match mutation {
        Mutation::Set(at, byte) => wire[start + at.index(span)] = *byte,
        Mutation::Flip(at, bit) => wire[start + at.index(span)] ^= 1 << bit,
        Mutation::Remove(at, count) => {
            let at = start + at.index(span);
            wire.drain(at..(at + count).min(wire.len() - 1));
        }
        Mutation::Insert(at, bytes) => {
            let at = start + at.index(span);
            wire.splice(at..at, bytes.iter().copied());
        }
        Mutation::Repeat(at, count) => {
            let at = start + at.index(span);
            let part = wire[at..(at + count).min(wire.len())].to_vec();
            wire.splice(at..at, part);
        }
    }
}

/// Everything a session reports, in text, so that two runs can be compared.
fn transcript(wire: &[u8], size: usize) -> Vec<String> {
    let mut session = Session::new(Config::default());
    let mut lines = Vec::new();
    for piece in wire.chunks(size) {
        let result = session.handle_input(piece);
        while let Some(event) = session.poll_event() {
            lines.push(format!("{event:?}"));
        }
        while session.poll_output().is_some() {}
        if let Err(error) = result {
            lines.push(error.to_string());
            break;
        }
    }
    lines
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(400))]

    #[test]
    fn any_bytes_after_the_handshake_neither_panic_nor_take_memory(
        bytes in prop::collection::vec(any::<u8>(), 0..3000),
        size in 1usize..3000,
    ) {
        let wire = [&hello()[..], &bytes].concat();
        prop_assert!(feed(&wire, size, false).0 < MEMORY_LIMIT);
    }

    #[test]
    fn mutated_sessions_neither_panic_nor_take_memory(
        mutations in prop::collection::vec((mutation(), any::<bool>()), 1..8),
        size in 1usize..3000,
        accept in any::<bool>(),
    ) {
        let mut wire = valid_session();
        mutations.iter().for_each(|(mutation, early)| mutate(&mut wire, mutation, *early));
        let (peak, _) = feed(&wire, size, accept);
        prop_assert!(accept || peak < MEMORY_LIMIT, "{} bytes", peak);
    }

    #[test]
    fn the_way_the_bytes_are_cut_changes_nothing(
        mutations in prop::collection::vec((mutation(), any::<bool>()), 0..3),
        size in 1usize..200,
    ) {
        let mut wire = valid_session();
        mutations.iter().for_each(|(mutation, early)| mutate(&mut wire, mutation, *early));
        prop_assert_eq!(transcript(&wire, size), transcript(&wire, 1));
    }
}
