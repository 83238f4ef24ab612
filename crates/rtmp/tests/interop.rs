//! An independent implementation of the client against our server.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

use queqiao_rtmp::chunk::{MediaHeader, MediaKind, media_message};
use queqiao_rtmp::server::{Config, Event, Session};
use rml_rtmp::handshake::{Handshake, HandshakeProcessResult, PeerType};
use rml_rtmp::sessions::{
    ClientSession, ClientSessionConfig, ClientSessionEvent, ClientSessionResult, PublishRequestType,
};
use rml_rtmp::time::RtmpTimestamp;

struct Pair {
    client: ClientSession,
    server: Session,
    client_events: Vec<ClientSessionEvent>,
}

impl Pair {
    /// Past handshake and connect.
    fn connected() -> Self {
        let mut server = Session::new(Config::default());
        let mut handshake = Handshake::new(PeerType::Client);
        server.handle_input(&handshake.generate_outbound_p0_and_p1().unwrap()).unwrap();
        let answer: Vec<u8> = std::iter::from_fn(|| server.poll_output()).flatten().collect();
        let Ok(HandshakeProcessResult::Completed { response_bytes, remaining_bytes }) =
            handshake.process_bytes(&answer)
        else {
            panic!("the handshake is not complete")
        };
        assert!(remaining_bytes.is_empty());
        server.handle_input(&response_bytes).unwrap();
        assert!(server.is_handshake_done());

        let (client, first) = ClientSession::new(ClientSessionConfig::new()).unwrap();
        let mut pair = Self { client, server, client_events: Vec::new() };
        pair.deliver(first);
        let request = pair.client.request_connection("demo/room".to_owned()).unwrap();
        pair.deliver(vec![request]);
        assert!(matches!(pair.client_events[0], ClientSessionEvent::ConnectionRequestAccepted));
        pair
    }

    /// Carries what the client wants to send, and the answers, until both are quiet.
    fn deliver(&mut self, results: Vec<ClientSessionResult>) {
        for result in results {
            match result {
                ClientSessionResult::OutboundResponse(packet) => {
                    self.server.handle_input(&packet.bytes).unwrap()
                }
                ClientSessionResult::RaisedEvent(event) => self.client_events.push(event),
                ClientSessionResult::UnhandleableMessageReceived(_) => {}
            }
            self.answer();
        }
    }

    fn answer(&mut self) {
        while let Some(bytes) = self.server.poll_output() {
            let results = self.client.handle_input(&bytes).unwrap();
            self.deliver(results);
        }
    }

    fn next_request(&mut self) -> Event {
        std::iter::from_fn(|| self.server.poll_event())
            .find(|event| matches!(event, Event::Publish(_) | Event::Play(_)))
            .expect("a request")
    }
}

#[test]
fn rml_rtmp_publishes() {
    let mut pair = Pair::connected();
    let request = pair.client.request_publishing("uid?token=T".to_owned(), PublishRequestType::Live).unwrap();
    pair.deliver(vec![request]);
    let Event::Publish(request) = pair.next_request() else { panic!() };
    assert_eq!(request.address().path(), ["demo", "room", "uid"]);
    pair.server.accept_publish(request);
    pair.answer();
    assert!(pair.client_events.iter().any(|e| matches!(e, ClientSessionEvent::PublishRequestAccepted)));

    let frame: bytes::Bytes = vec![0x17; 10_000].into();
    let result =
        pair.client.publish_video_data(frame.clone(), RtmpTimestamp::new(0x0100_0000), false).unwrap();
    pair.deliver(vec![result]);
    let Some(Event::Video { timestamp: 0x0100_0000, payload }) = pair.server.poll_event() else { panic!() };
    assert_eq!(payload, frame);
}

#[test]
fn rml_rtmp_plays() {
    let mut pair = Pair::connected();
    let request = pair.client.request_playback("uid".to_owned()).unwrap();
    pair.deliver(vec![request]);
    let Event::Play(request) = pair.next_request() else { panic!() };
    pair.server.accept_play(request);
    pair.answer();
    assert!(pair.client_events.iter().any(|e| matches!(e, ClientSessionEvent::PlaybackRequestAccepted)));

    let header = MediaHeader { kind: MediaKind::Video, timestamp: 0x0100_0000, stream_id: 1 };
    let frame = vec![0x17; 150_000];
    let bytes = media_message(header, &[&frame], pair.server.chunk_size()).unwrap();
    let results = pair.client.handle_input(&bytes).unwrap();
    pair.deliver(results);
    let Some(ClientSessionEvent::VideoDataReceived { data, timestamp }) = pair.client_events.last() else {
        panic!()
    };
    assert_eq!((data.len(), timestamp.value), (150_000, 0x0100_0000));
}
