//! A client that says exactly what a test wants, and reads what the server answers.

// Each test binary uses a part of it.
#![allow(dead_code, unreachable_pub, missing_docs)]

use bytes::BytesMut;
use queqiao_rtmp::amf0::{Object, Value};
use queqiao_rtmp::chunk::{Limits, Packet, Reader, Writer};
use queqiao_rtmp::message::{Command, Message};
use queqiao_rtmp::server::{Config, Event, PlayRequest, PublishRequest, Session};
use queqiao_rtmp::{Error, handshake};

pub struct Raw {
    pub server: Session,
    writer: Writer,
    reader: Reader,
    handshake_left: usize,
}

impl Raw {
    /// Past the handshake.
    pub fn new() -> Self {
        let mut server = Session::new(Config::default());
        server.handle_input(&hello()).unwrap();
        let reader = Reader::new(Limits { message: 1 << 20, partial_total: 4 << 20 });
        Self { server, writer: Writer::default(), reader, handshake_left: 1 + 2 * handshake::PACKET_SIZE }
    }

    /// Past `connect` and `createStream`.
    pub fn connected() -> Self {
        let mut raw = Self::new();
        raw.send("connect", 1.0, connect_object(), vec![], 0).unwrap();
        raw.send("createStream", 2.0, Value::Null, vec![], 0).unwrap();
        assert!(matches!(raw.server.poll_event(), Some(Event::Connected(_))));
        raw.answers();
        raw
    }

    pub fn publishing() -> Self {
        let mut raw = Self::connected();
        let request = raw.publish("uid");
        raw.server.accept_publish(request);
        raw.answers();
        raw
    }

    pub fn playing() -> Self {
        let mut raw = Self::connected();
        let request = raw.play("uid");
        raw.server.accept_play(request);
        raw.answers();
        raw
    }

    pub fn publish(&mut self, name: &str) -> PublishRequest {
        self.send("publish", 0.0, Value::Null, vec![name.into(), "live".into()], 1).unwrap();
        match self.server.poll_event() {
            Some(Event::Publish(request)) => request,
            other => panic!("{other:?}"),
        }
    }

    pub fn play(&mut self, name: &str) -> PlayRequest {
        self.send("play", 0.0, Value::Null, vec![name.into()], 1).unwrap();
        match self.server.poll_event() {
            Some(Event::Play(request)) => request,
            other => panic!("{other:?}"),
        }
    }

    pub fn send(
        &mut self,
        name: &str,
        transaction: f64,
        object: Value,
        arguments: Vec<Value>,
        stream_id: u32,
    ) -> Result<(), Error> {
        let command = Command { name: name.to_owned(), transaction, object, arguments };
        self.packet(&command.packet(stream_id))
    }

    pub fn packet(&mut self, packet: &Packet) -> Result<(), Error> {
        let wire = self.serialize(packet);
        self.server.handle_input(&wire)
    }

    pub fn serialize(&mut self, packet: &Packet) -> BytesMut {
        let mut wire = BytesMut::new();
        self.writer.write(3, packet, &mut wire).unwrap();
        wire
    }

    /// Everything that the server has to say.
    pub fn answers(&mut self) -> Vec<Message> {
        let bytes: Vec<u8> = std::iter::from_fn(|| self.server.poll_output()).flatten().collect();
        let skipped = self.handshake_left.min(bytes.len());
        self.handshake_left -= skipped;
        let mut input = &bytes[skipped..];
        std::iter::from_fn(|| self.reader.read(&mut input).unwrap())
            .map(|packet| Message::parse(packet, 0, 100).unwrap())
            .collect()
    }

    /// A command with transaction 9 on message stream 1, and the name and first code or value of each answer.
    pub fn call(&mut self, name: &str, arguments: Vec<Value>) -> Vec<String> {
        self.send(name, 9.0, Value::Null, arguments, 1).unwrap();
        self.summaries()
    }

    pub fn summaries(&mut self) -> Vec<String> {
        self.answers().iter().map(summary).collect()
    }
}

/// C0, C1 and C2 of a plain handshake.
pub fn hello() -> BytesMut {
    let mut hello = BytesMut::new();
    let _ = handshake::Client::new(None, &mut hello);
    hello.extend_from_slice(&[0; handshake::PACKET_SIZE]);
    hello
}

pub fn connect_object() -> Value {
    Value::Object(
        Object::new().with("app", "demo/room").with("tcUrl", "rtmp://h/demo/room").with("flashVer", "test"),
    )
}

fn summary(message: &Message) -> String {
    match message {
        Message::Command(command) => {
            let what = match command.argument(0) {
                Some(Value::Object(info)) => info.text("code").unwrap_or_default().to_owned(),
                Some(value) => format!("{value:?}"),
                None => String::new(),
            };
            format!("{} {what}", command.name)
        }
        Message::Data(values) => format!("data {}", values[0].as_str().unwrap_or_default()),
        other => format!("{other:?}"),
    }
}
