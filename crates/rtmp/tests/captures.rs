//! Real clients, recorded: what each sent to a server that accepted everything.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

use queqiao_rtmp::server::{Config, Event, Session};

#[derive(Debug, Default, PartialEq)]
struct Seen {
    video: Vec<u32>,
    audio: Vec<u32>,
    metadata: usize,
    bytes: usize,
    path: String,
    playing: bool,
    stopped: bool,
}

/// Replays a capture in pieces of `size`, accepting whatever is asked.
fn replay(capture: &[u8], size: usize) -> Seen {
    let mut session = Session::new(Config::default());
    let mut seen = Seen::default();
    for piece in capture.chunks(size) {
        session.handle_input(piece).unwrap();
        while let Some(event) = session.poll_event() {
            match event {
                Event::Publish(request) => {
                    seen.path = request.address().to_string();
                    session.accept_publish(request);
                }
                Event::Play(request) => {
                    seen.path = request.address().to_string();
                    session.accept_play(request);
                    seen.playing = true;
                }
                Event::Video { timestamp, payload } => {
                    assert_eq!(payload[0] & 0x0f, 7, "AVC");
                    seen.video.push(timestamp);
                    seen.bytes += payload.len();
                }
                Event::Audio { timestamp, payload } => {
                    assert_eq!(payload[0] >> 4, 10, "AAC");
                    seen.audio.push(timestamp);
                    seen.bytes += payload.len();
                }
                Event::Metadata(metadata) => {
                    assert_eq!(metadata.number("width"), Some(160.0));
                    seen.metadata += 1;
                }
                Event::PublishStopped | Event::PlayStopped => seen.stopped = true,
                _ => {}
            }
        }
        while session.poll_output().is_some() {}
    }
    assert_eq!(session.stats().ignored_messages, 0);
    assert_eq!(seen.path, if seen.playing { "/demo/room/none?token=…" } else { "/demo/room/uid?token=…" });
    seen
}

/// A client waits for answers, so a capture may not be replayed in larger pieces than it was sent in: up to the answer to
/// `publish` or `play`, so pieces stay smaller than a command.
fn replay_both_ways(capture: &[u8]) -> Seen {
    let seen = replay(capture, 16);
    assert_eq!(replay(capture, 1), seen);
    seen
}

#[test]
fn ffmpeg_publishes() {
    let seen = replay_both_ways(include_bytes!("fixtures/ffmpeg-5.1-publish.bin"));
    assert_eq!((seen.video.len(), seen.audio.len(), seen.metadata), (17, 49, 1));
    assert!(seen.video.is_sorted() && seen.audio.is_sorted() && seen.stopped);
    // The last of 15 frames, behind the 21 ms by which the AAC encoder starts early.
    assert_eq!(seen.video[16], 14 * 1000 / 15 + 21);
}

#[test]
fn ffmpeg_publishes_across_the_extended_timestamp() {
    let seen = replay_both_ways(include_bytes!("fixtures/ffmpeg-5.1-publish-extended-timestamps.bin"));
    assert_eq!((seen.video.len(), seen.audio.len()), (17, 49));
    assert!(seen.video[1] < 0xff_ffff && seen.video[16] > 0xff_ffff);
    assert!(seen.video.is_sorted() && seen.audio.is_sorted());
}

#[test]
fn gstreamer_publishes() {
    let seen = replay_both_ways(include_bytes!("fixtures/gstreamer-1.22-publish.bin"));
    assert_eq!((seen.video.len(), seen.audio.len()), (17, 47));
    assert!(seen.metadata > 0 && seen.video.is_sorted() && seen.audio.is_sorted());
}

#[test]
fn ffmpeg_rtmpdump_and_gstreamer_ask_to_play() {
    let captures: [&[u8]; 3] = [
        include_bytes!("fixtures/ffmpeg-5.1-play.bin"),
        include_bytes!("fixtures/rtmpdump-2.4-play.bin"),
        include_bytes!("fixtures/gstreamer-1.22-play.bin"),
    ];
    for capture in captures {
        assert!(replay_both_ways(capture).playing);
    }
}
