//! Client and server sessions joined in memory.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

use bytes::Bytes;
use queqiao_rtmp::Error;
use queqiao_rtmp::amf0::Object;
use queqiao_rtmp::chunk::{MediaHeader, MediaKind, media_message};
use queqiao_rtmp::client::{self, Purpose};
use queqiao_rtmp::handshake::Scheme;
use queqiao_rtmp::message::metadata_body;
use queqiao_rtmp::server::{self, Event, PublishKind, Refusal};

const URL: &str = "rtmp://localhost/demo/room/uid?token=secret";

/// Carries bytes both ways, in pieces of `size`, until nobody has anything to say.
fn exchange(client: &mut client::Session, server: &mut server::Session, size: usize) -> Result<(), Error> {
    loop {
        let mut quiet = true;
        while let Some(bytes) = client.poll_output() {
            quiet = false;
            bytes.chunks(size).try_for_each(|piece| server.handle_input(piece))?;
        }
        while let Some(bytes) = server.poll_output() {
            quiet = false;
            bytes.chunks(size).try_for_each(|piece| client.handle_input(piece))?;
        }
        if quiet {
            return Ok(());
        }
    }
}

fn client_events(client: &mut client::Session) -> Vec<client::Event> {
    std::iter::from_fn(|| client.poll_event()).collect()
}

fn pair(purpose: Purpose) -> (client::Session, server::Session) {
    let config = client::Config::from_url(purpose, URL).unwrap();
    (client::Session::new(config), server::Session::new(server::Config::default()))
}

/// The session after its first request has been answered by `answer`.
fn requested(
    purpose: Purpose,
    size: usize,
    answer: impl Fn(&mut server::Session, Event),
) -> (client::Session, server::Session, Result<(), Error>) {
    let (mut client, mut server) = pair(purpose);
    exchange(&mut client, &mut server, size).unwrap();
    assert!(matches!(server.poll_event(), Some(Event::Connected(_))));
    let request = server.poll_event().unwrap();
    answer(&mut server, request);
    let result = exchange(&mut client, &mut server, size);
    (client, server, result)
}

fn accept(server: &mut server::Session, event: Event) {
    match event {
        Event::Publish(request) => {
            assert_eq!(request.address().path(), ["demo", "room", "uid"]);
            assert_eq!(request.address().parameter("token"), Some("secret"));
            assert_eq!(request.kind(), PublishKind::Live);
            server.accept_publish(request);
        }
        Event::Play(request) => server.accept_play(request),
        other => panic!("{other:?}"),
    }
}

#[test]
fn published_media_arrives_unchanged_in_pieces_of_any_size() {
    for size in [1, 7, 1000, usize::MAX] {
        let (mut client, mut server, result) = requested(Purpose::Publish, size, accept);
        result.unwrap();
        assert_eq!(client_events(&mut client), [client::Event::Connected, client::Event::Publishing]);
        assert!(server.is_publishing() && client.is_running());

        let keyframe: Vec<u8> = (0..200_000u32).map(|i| (i % 251) as u8).collect();
        client.send_metadata(Object::new().with("width", 160.0)).unwrap();
        client.send_media(MediaKind::Video, 40, &[&keyframe[..5], &keyframe[5..]]).unwrap();
        client.send_media(MediaKind::Audio, 0xff_ffff, &[&[0xaf, 1, 2]]).unwrap();
        client.send_media(MediaKind::Audio, u32::MAX, &[&[0xaf, 1, 3]]).unwrap();
        client.stop();
        exchange(&mut client, &mut server, size).unwrap();

        let Some(Event::Metadata(metadata)) = server.poll_event() else { panic!() };
        assert_eq!(metadata.number("width"), Some(160.0));
        let Some(Event::Video { timestamp: 40, payload }) = server.poll_event() else { panic!() };
        assert_eq!(payload[..], keyframe);
        let Some(Event::Audio { timestamp: 0xff_ffff, .. }) = server.poll_event() else { panic!() };
        let Some(Event::Audio { timestamp: u32::MAX, payload }) = server.poll_event() else { panic!() };
        assert_eq!(payload[..], [0xaf, 1, 3]);
        assert!(matches!(server.poll_event(), Some(Event::PublishStopped)));
        assert!(server.poll_event().is_none() && !server.is_publishing());
        assert_eq!(server.stats().ignored_messages, 0);
    }
}

#[test]
fn one_serialised_message_serves_a_player_as_it_is() {
    let (mut client, server, result) = requested(Purpose::Play, usize::MAX, accept);
    result.unwrap();
    assert_eq!(
        client_events(&mut client)[1..],
        [
            client::Event::Status {
                code: "NetStream.Play.Reset".into(),
                description: "Playing and resetting.".into()
            },
            client::Event::Playing,
        ]
    );
    let stream_id = server.stream_id().unwrap();
    let frame = vec![7; 150_000];
    let metadata = metadata_body(Object::new().with("height", 120.0));
    for (kind, timestamp, payload) in [
        (MediaKind::Data, 0, &metadata[..]),
        (MediaKind::Video, 0x0100_0000, &frame),
        (MediaKind::Audio, 5, &[1]),
    ] {
        let header = MediaHeader { kind, timestamp, stream_id };
        let bytes = media_message(header, &[payload], server.chunk_size()).unwrap();
        client.handle_input(&bytes).unwrap();
    }
    assert_eq!(
        client_events(&mut client),
        [
            client::Event::Metadata(Object::new().with("height", 120.0)),
            client::Event::Video { timestamp: 0x0100_0000, payload: Bytes::from(frame) },
            client::Event::Audio { timestamp: 5, payload: Bytes::from_static(&[1]) },
        ]
    );
}

#[test]
fn every_handshake_leads_to_a_session() {
    for handshake in [None, Some(Scheme::DigestFirst), Some(Scheme::KeyFirst)] {
        let mut config = client::Config::from_url(Purpose::Play, URL).unwrap();
        config.handshake = handshake;
        let mut client = client::Session::new(config);
        let mut server = server::Session::new(server::Config::default());
        exchange(&mut client, &mut server, 100).unwrap();
        assert_eq!(client_events(&mut client), [client::Event::Connected]);
    }
}

#[test]
fn a_refusal_reaches_the_client_with_its_code() {
    let (_, server, result) = requested(Purpose::Publish, usize::MAX, |server, event| {
        let Event::Publish(request) = event else { panic!() };
        server.reject_publish(request, Refusal::Denied, "the token has expired");
    });
    let denied = Error::Refused {
        code: "NetStream.Publish.Denied".into(),
        description: "the token has expired".into(),
    };
    assert_eq!(result, Err(denied));
    assert!(!server.is_publishing() && server.stream_id().is_none());

    let (_, _, result) = requested(Purpose::Play, usize::MAX, |server, event| {
        let Event::Play(request) = event else { panic!() };
        server.reject_play(request, Refusal::NotFound, "no such room");
    });
    let Err(Error::Refused { code, .. }) = result else { panic!("{result:?}") };
    assert_eq!(code, "NetStream.Play.StreamNotFound");
}

#[test]
fn a_player_learns_that_the_publisher_left_for_good() {
    let (mut client, mut server, _) = requested(Purpose::Play, usize::MAX, accept);
    client_events(&mut client);
    server.end_play("over");
    exchange(&mut client, &mut server, usize::MAX).unwrap();
    let events = client_events(&mut client);
    assert_eq!(events[0], client::Event::StreamEof);
    let codes: Vec<_> = events[1..]
        .iter()
        .map(|event| match event {
            client::Event::Status { code, .. } => code.as_str(),
            other => panic!("{other:?}"),
        })
        .collect();
    assert_eq!(codes, ["NetStream.Play.UnpublishNotify", "NetStream.Play.Stop"]);
    assert!(!server.is_playing());
}

#[test]
fn acknowledgements_carry_the_total_and_follow_the_window() {
    let (mut client, mut server, _) = requested(Purpose::Publish, usize::MAX, accept);
    assert_eq!(server.stats().peer_acknowledged, None);
    // The server announces a window of 2.5 MB to the client, which asks for the same in return.
    for _ in 0..30 {
        client.send_media(MediaKind::Video, 0, &[&[1; 100_000]]).unwrap();
    }
    let mut acknowledged = Vec::new();
    while let Some(bytes) = client.poll_output() {
        server.handle_input(&bytes).unwrap();
        if let Some(answer) = server.poll_output() {
            // Chunk stream 2, type 3 message of 4 bytes.
            assert_eq!(answer.len() % 4, 0);
            acknowledged.push((server.stats().bytes_received, answer.slice(answer.len() - 4..)));
        }
    }
    let [(total, value)] = &acknowledged[..] else { panic!("{acknowledged:?}") };
    assert!(*total > 2_500_000);
    assert_eq!(u64::from(u32::from_be_bytes(value[..].try_into().unwrap())), *total);
}
