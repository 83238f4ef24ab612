//! RTMP, from either side.

use std::time::Duration;

use bytes::{Bytes, BytesMut};
use queqiao_rtmp::amf0::{self, Object, Value};
use queqiao_rtmp::chunk::{MediaKind, Packet, Writer};
use queqiao_rtmp::handshake::{PACKET_SIZE, Scheme, VERSION};
use queqiao_rtmp::message::{Message, split_aggregate};
use queqiao_rtmp::server::{self, MAX_VALUES, MAX_VALUES_BEFORE_PUBLISH, Refusal};
use queqiao_rtmp::{Error, client};

use super::Target;
use crate::memory;
use crate::source::Source;
use crate::trace::Trace;

/// What one connection may hold before anyone is authenticated.
const MEMORY_BEFORE_ACCEPT: usize = 64 << 10;
/// What an accepted one may hold with the longest input: messages, and events of 100 bytes or so for the smallest of
/// them, up to the session's own limit.
const MEMORY: usize = 4 << 20;
/// The longest input: half of what the server reads at once.
const MAX_LEN: usize = 32 << 10;

const DICTIONARY: &[&[u8]] = &[
    b"\x02\x00\x07connect",
    b"\x02\x00\x0ccreateStream",
    b"\x02\x00\x07publish",
    b"\x02\x00\x04play",
    b"\x02\x00\x0cdeleteStream",
    b"\x02\x00\x0bcloseStream",
    b"\x02\x00\x0dreleaseStream",
    b"\x02\x00\x09FCPublish",
    b"\x02\x00\x0bFCUnpublish",
    b"\x02\x00\x0d@setDataFrame",
    b"\x02\x00\x0aonMetaData",
    b"\x02\x00\x07_result",
    b"\x02\x00\x06_error",
    b"\x02\x00\x08onStatus",
    b"\x02\x00\x05pause",
    b"\x02\x00\x05play2",
    b"\x02\x00\x04live",
    b"\x00\x03app",
    b"\x00\x05tcUrl",
    b"\x00\x04code\x02\x00\x14NetStream.Play.Start",
    b"\x00\x04code\x02\x00\x17NetStream.Publish.Start",
    b"\x00\x05level\x02\x00\x05error",
    b"\x00\x00\x09",
    &[0, 0x3f, 0xf0, 0, 0, 0, 0, 0, 0],
    &[0, 0x40, 0, 0, 0, 0, 0, 0, 0],
    &[3, 0, 1, b'a'],
    &[8, 0, 0, 0, 1],
    &[10, 0, 0, 0, 1],
    &[5],
    &[6],
    &[0x11],
    &[12, 0, 1, 0, 0],
    &[2, 0, 0, 0, 0, 0, 4, 1, 0, 0, 0, 0, 0, 0, 0, 1],
    &[2, 0, 0, 0, 0, 0, 4, 2, 0, 0, 0, 0, 0, 0, 0, 6],
    &[0xff, 0xff, 0xff],
    &[0xc3],
    &[0xc6],
    &[0x43],
    &[0x83],
    &[20],
    &[17],
    &[18],
    &[15],
    &[22],
    &[0, 3, 0, 0, 0, 1, 0, 0, 0, 100],
    &[0, 6, 0, 0, 0, 1],
];

pub(crate) const SESSION: Target = Target {
    memory: MEMORY,
    max_len: MAX_LEN,
    budget: Duration::from_millis(30),
    short: 3000,
    dictionary: DICTIONARY,
    ..Target::new("rtmp_session", "what a client sends to the server", session)
};

pub(crate) const CLIENT: Target = Target {
    memory: MEMORY,
    max_len: MAX_LEN,
    budget: Duration::from_millis(30),
    short: 3000,
    dictionary: DICTIONARY,
    ..Target::new("rtmp_client", "what a server sends to the client", client)
};

/// How an input is to be taken: its first two bytes.
struct Plan {
    /// Whether the input is a list of messages, to be cut into chunks here.
    messages: bool,
    /// Whether a handshake goes before it.
    handshake: bool,
    /// What becomes of requests; for a client, what it wants.
    answers: u8,
    /// How the bytes are cut.
    pieces: u8,
}

impl Plan {
    fn read(source: &mut Source<'_>) -> Self {
        let flags = source.u8();
        let pieces = source.u8();
        Self { messages: flags & 1 != 0, handshake: flags & 3 != 0, answers: flags >> 2, pieces }
    }

    fn wire(&self, source: &mut Source<'_>) -> Vec<u8> {
        let mut wire = Vec::new();
        if self.handshake {
            wire.push(VERSION);
            wire.resize(1 + 2 * PACKET_SIZE, 0);
        }
        if self.messages {
            wire.extend_from_slice(&messages(source));
        } else {
            wire.extend_from_slice(source.rest());
        }
        wire
    }
}

/// A list of chunk stream, type, message stream, step of time and body, as chunks.
fn messages(source: &mut Source<'_>) -> BytesMut {
    let mut writer = Writer::default();
    let mut wire = BytesMut::new();
    let mut timestamp = 0_u32;
    while !source.is_empty() {
        let chunk_stream = source.u8();
        let message_type = source.u8();
        let stream_id = u32::from(source.u8());
        timestamp = timestamp.wrapping_add(u32::from(source.u8()) << (source.u8() & 31));
        let payload = Bytes::copy_from_slice(source.block());
        let new_size =
            <[u8; 4]>::try_from(&*payload).ok().filter(|_| message_type == 1).map(u32::from_be_bytes);
        let packet = Packet { timestamp, stream_id, message_type, payload };
        // Chunk streams below 2 and above 63 are written in longer forms, or refused: both are fine.
        let _ = writer.write(chunk_stream, &packet, &mut wire);
        if let Some(size) = new_size.and_then(|size| usize::try_from(size).ok()).filter(|size| *size > 0) {
            writer.set_chunk_size(size);
        }
    }
    wire
}

/// Cuts `wire` into pieces of changing sizes, as a network does.
fn pieces(wire: &[u8], plan: u8) -> impl Iterator<Item = &[u8]> {
    let mut rest = wire;
    let mut step = usize::from(plan);
    std::iter::from_fn(move || {
        step = (step * 5 + 3) & 0xff;
        let size = match plan {
            0 => rest.len(),
            1..=31 => usize::from(plan),
            32..=127 => step + 1,
            _ => step * 16 + 1,
        };
        let (piece, after) = rest.split_at_checked(size).unwrap_or((rest, &[]));
        rest = after;
        (!piece.is_empty()).then_some(piece)
    })
}

fn session(input: &[u8], trace: &mut Trace) {
    let mut source = Source::new(input);
    let plan = Plan::read(&mut source);
    let wire = plan.wire(&mut source);
    // The bytes themselves belong to the network.
    memory::start();
    let seen = serve(&wire, plan.pieces, plan.answers, Some(trace));
    if plan.answers == 0 && plan.pieces != 0 {
        memory::start();
        assert_same(&seen, &serve(&wire, 0, 0, None));
    }
}

/// What came of a stream of bytes: events in order, and the end.
#[derive(Debug, Default, PartialEq)]
struct Outcome {
    events: Vec<String>,
    end: Option<String>,
    /// Whether it ended at a limit on what one piece may cause.
    at_limit: bool,
}

/// What is sent must not depend on how the network cuts it.
fn assert_same(in_pieces: &Outcome, whole: &Outcome) {
    if !in_pieces.at_limit && !whole.at_limit {
        assert_eq!(in_pieces, whole, "in pieces and as a whole");
    }
}

fn end(error: &Error, outcome: &mut Outcome) {
    outcome.at_limit = matches!(error, Error::TooManyEvents { .. } | Error::OutputBacklog { .. });
    outcome.end = Some(format!("{error:?}"));
}

/// Runs a server session; `answers` says what becomes of publish and play requests: left open, accepted or refused.
fn serve(wire: &[u8], plan: u8, answers: u8, mut trace: Option<&mut Trace>) -> Outcome {
    let mut session = server::Session::new(server::Config::default());
    let mut outcome = Outcome::default();
    let mut accepted = false;
    let mut output = 0;
    for piece in pieces(wire, plan) {
        let result = session.handle_input(piece);
        if !accepted {
            let peak = memory::peak();
            let kept: usize = outcome.events.iter().map(|event| event.capacity() + 24).sum();
            assert!(peak <= MEMORY_BEFORE_ACCEPT + 2 * kept, "{peak} bytes before anybody is accepted");
        }
        while let Some(event) = session.poll_event() {
            let name = name(&event);
            if let Some(trace) = trace.as_deref_mut() {
                trace.note(name, answers.into());
            }
            if answers == 0 {
                push(&mut outcome.events, format!("{event:?}"));
            }
            accepted |= answer(&mut session, event, answers);
        }
        while let Some(bytes) = session.poll_output() {
            output += bytes.len();
        }
        if let Err(error) = result {
            end(&error, &mut outcome);
            if let Some(trace) = trace.as_deref_mut() {
                trace.error(&error);
            }
            assert_eq!(session.handle_input(&[]), Err(Error::Closed));
            break;
        }
    }
    if let Some(trace) = trace {
        trace.count("output", output);
        trace.note("ignored", session.stats().ignored_messages);
        trace.note("state", u64::from(session.is_publishing()) * 2 + u64::from(session.is_playing()));
    }
    outcome
}

/// A request that is withdrawn before anybody looks is not told at all: here it is as if nobody had looked.
fn push(events: &mut Vec<String>, event: String) {
    let is_request = |event: &String| event.starts_with("Play(") || event.starts_with("Publish(");
    if event.ends_with("Stopped") && events.last().is_some_and(is_request) {
        events.pop();
    } else {
        events.push(event);
    }
}

/// True if somebody was let in.
fn answer(session: &mut server::Session, event: server::Event, answers: u8) -> bool {
    match (event, answers & 3) {
        (server::Event::Publish(request), 1) => session.accept_publish(request),
        (server::Event::Play(request), 1) => {
            session.accept_play(request);
            session.ping(1);
        }
        (server::Event::Publish(request), 2) => {
            session.reject_publish(request, Refusal::Denied, "no");
            return false;
        }
        (server::Event::Play(request), 2) => {
            session.reject_play(request, Refusal::Denied, "no");
            return false;
        }
        (server::Event::PingResponse(_), 1) => session.end_play("over"),
        _ => return false,
    }
    true
}

fn name(event: &server::Event) -> &'static str {
    match event {
        server::Event::Connected(_) => "connected",
        server::Event::Publish(_) => "publish",
        server::Event::Play(_) => "play",
        server::Event::Video { .. } => "video",
        server::Event::Audio { .. } => "audio",
        server::Event::Metadata(_) => "metadata",
        server::Event::PingResponse(_) => "ping",
        _ => "other",
    }
}

fn client(input: &[u8], trace: &mut Trace) {
    let mut source = Source::new(input);
    let plan = Plan::read(&mut source);
    let wire = plan.wire(&mut source);
    memory::start();
    let seen = converse(&wire, plan.pieces, plan.answers, Some(trace));
    if plan.pieces != 0 && plan.answers & 2 == 0 {
        assert_same(&seen, &converse(&wire, 0, plan.answers, None));
    }
}

/// Runs a client session that publishes or plays; `answers` says which, and whether it does anything by itself.
fn converse(wire: &[u8], plan: u8, answers: u8, mut trace: Option<&mut Trace>) -> Outcome {
    let purpose = if answers & 1 == 0 { client::Purpose::Play } else { client::Purpose::Publish };
    let Ok(mut config) = client::Config::from_url(purpose, "rtmp://h/demo/room/uid?token=T") else {
        unreachable!("the address has all parts")
    };
    config.handshake =
        [None, Some(Scheme::DigestFirst), Some(Scheme::KeyFirst)].get(wire.len() % 3).copied().flatten();
    let mut session = client::Session::new(config);
    let mut outcome = Outcome::default();
    for piece in pieces(wire, plan) {
        let result = session.handle_input(piece);
        while let Some(event) = session.poll_event() {
            let text = format!("{event:?}");
            if let Some(trace) = trace.as_deref_mut() {
                trace.error(&text.split(['(', ' ']).next().unwrap_or_default());
            }
            outcome.events.push(text);
        }
        if answers & 2 != 0 && session.is_running() {
            let sent = session.send_media(MediaKind::Video, 1, &[&[0x27, 1, 0, 0, 0], piece]);
            assert_eq!(sent.and(session.send_metadata(Object::new().with("a", 1.0))), Ok(()));
            session.pause(true);
            if piece.len() & 7 == 0 {
                session.stop();
            }
        }
        while session.poll_output().is_some() {}
        if let Err(error) = result {
            end(&error, &mut outcome);
            if let Some(trace) = trace {
                trace.error(&format_args!("{}", outcome.end.as_deref().unwrap_or_default()));
            }
            assert_eq!(session.handle_input(&[]), Err(Error::Closed));
            break;
        }
    }
    outcome
}

pub(crate) const AMF0: Target = Target {
    // Every value of two bytes becomes 40, in lists that double as they grow; then all of it is written and read again.
    memory: 2 << 20,
    max_len: 8 << 10,
    dictionary: DICTIONARY,
    ..Target::new("amf0", "a message body by its type: AMF0 values, control messages, aggregates", amf0)
};

fn amf0(input: &[u8], trace: &mut Trace) {
    let mut source = Source::new(input);
    let message_type = source.u8();
    let body = source.rest();
    values(body, trace);
    let payload = Bytes::copy_from_slice(body);
    for part in split_aggregate(7, 1, payload.clone()) {
        trace.note("part", part.message_type.into());
        assert!(part.payload.len() + 11 <= body.len());
    }
    match Message::parse(Packet { timestamp: 0, stream_id: 1, message_type, payload }, 0, MAX_VALUES) {
        Ok(Message::Command(command)) => trace.count("arguments", command.arguments.len()),
        Ok(Message::Data(values)) => trace.count("data", values.len()),
        Ok(message) => trace.error(&kind(&message)),
        Err(error) => trace.error(&error),
    }
}

/// The name of a message's variant.
fn kind(message: &Message) -> String {
    format!("{message:?}").split('(').next().unwrap_or_default().to_owned()
}

fn values(body: &[u8], trace: &mut Trace) {
    let values = match amf0::decode_all(body, MAX_VALUES_BEFORE_PUBLISH) {
        Ok(values) => values,
        Err(error) => return trace.error(&error),
    };
    assert!(values.len() <= MAX_VALUES_BEFORE_PUBLISH);
    trace.count("values", values.len());
    let bytes = encode(&values);
    let again = amf0::decode_all(&bytes, MAX_VALUES_BEFORE_PUBLISH);
    // Compared as bytes, because a number may be no number, which equals nothing.
    assert_eq!(
        again.map(|values| encode(&values)).as_ref(),
        Ok(&bytes),
        "values read back as they were written"
    );
}

fn encode(values: &[Value]) -> Vec<u8> {
    let mut out = Vec::new();
    values.iter().for_each(|value| amf0::encode(value, &mut out));
    out
}
