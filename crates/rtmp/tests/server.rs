//! The server session against single commands and messages.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

mod support;

use bytes::Bytes;
use queqiao_rtmp::Error;
use queqiao_rtmp::amf0::{Object, Value};
use queqiao_rtmp::chunk::Packet;
use queqiao_rtmp::message::{self, Command, Message, UserControl, data_body, kind};
use queqiao_rtmp::server::{
    Event, Level, MAX_COMMANDS_BEFORE_ACCEPT, MAX_MESSAGE_BEFORE_PUBLISH, MAX_STREAMS,
};
use support::{Raw, connect_object, hello};

fn packet(message_type: u8, payload: &[u8]) -> Packet {
    Packet { timestamp: 3, stream_id: 1, message_type, payload: Bytes::copy_from_slice(payload) }
}

#[test]
fn connect_is_answered_in_the_order_that_clients_expect() {
    let mut raw = Raw::new();
    raw.send("connect", 1.0, connect_object(), vec![], 0).unwrap();
    assert_eq!(
        raw.summaries(),
        [
            "WindowAckSize(2500000)",
            "SetPeerBandwidth { size: 2500000, limit: 2 }",
            "UserControl(StreamBegin(0))",
            "_result NetConnection.Connect.Success",
        ]
    );
    assert_eq!(raw.server.chunk_size(), 60_000);
    let Some(Event::Connected(connect)) = raw.server.poll_event() else { panic!() };
    assert_eq!((connect.app.as_str(), connect.flash_ver.as_str()), ("demo/room", "test"));
}

#[test]
fn connect_in_amf3_form_is_answered_with_the_same_encoding() {
    let mut raw = Raw::new();
    let object = Object::new().with("app", "demo").with("objectEncoding", 3.0);
    let command = Command {
        name: "connect".into(),
        transaction: 1.0,
        object: Value::Object(object),
        arguments: vec![],
    };
    let body = [&[0][..], &command.packet(0).payload].concat();
    raw.packet(&packet(kind::COMMAND_AMF3, &body)).unwrap();
    let answers = raw.answers();
    let Some(Message::Command(answer)) = answers.last() else { panic!() };
    assert_eq!(answer.argument(0).unwrap().as_object().unwrap().number("objectEncoding"), Some(3.0));
}

#[test]
fn connect_without_an_object_is_rejected_with_a_reason() {
    let mut raw = Raw::new();
    let result = raw.send("connect", 1.0, Value::Null, vec![], 0);
    assert!(matches!(result, Err(Error::ConnectRejected(_))));
    assert_eq!(raw.summaries(), ["_error NetConnection.Connect.Rejected"]);
}

#[test]
fn a_command_before_connect_ends_the_session() {
    let mut raw = Raw::new();
    assert!(matches!(raw.send("publish", 1.0, Value::Null, vec![], 1), Err(Error::NotConnected { .. })));
    assert_eq!(raw.server.handle_input(&[0]), Err(Error::Closed));
}

#[test]
fn each_command_gets_the_answer_that_clients_know() {
    let mut raw = Raw::connected();
    assert_eq!(raw.call("releaseStream", vec!["x".into()]), ["_result Undefined"]);
    assert_eq!(
        raw.call("FCPublish", vec!["x".into()]),
        ["_result Undefined", "onFCPublish NetStream.Publish.Start"]
    );
    assert_eq!(
        raw.call("FCSubscribe", vec!["x".into()]),
        ["_result Undefined", "onFCSubscribe NetStream.Play.Start"]
    );
    assert_eq!(raw.call("getStreamLength", vec!["x".into()]), ["_result Number(0.0)"]);
    assert_eq!(raw.call("_checkbw", vec![]), ["_result Null"]);
    assert_eq!(raw.call("checkBandwidth", vec![]), ["_result Null"]);
    assert_eq!(raw.call("connect", vec![]), ["_error NetConnection.Connect.Rejected"]);
    assert_eq!(raw.call("seek", vec![0.0.into()]), ["onStatus NetStream.Seek.Failed"]);
    assert_eq!(raw.call("pause", vec![true.into()]), ["onStatus NetStream.Failed"]);
    assert_eq!(raw.call("somethingElse", vec![]), ["_error NetConnection.Call.Failed"]);
    raw.send("somethingElse", 0.0, Value::Null, vec![], 0).unwrap();
    assert!(raw.answers().is_empty());
    assert!(raw.server.poll_event().is_none());
}

#[test]
fn several_streams_may_be_created_and_deleted() {
    let mut raw = Raw::connected();
    for id in 2..=MAX_STREAMS {
        assert_eq!(raw.call("createStream", vec![]), [format!("_result Number({id}.0)")]);
    }
    assert_eq!(raw.call("createStream", vec![]), ["_error NetConnection.Call.Failed"]);
    assert!(raw.call("deleteStream", vec![3.0.into()]).is_empty());
    assert_eq!(raw.call("createStream", vec![]), ["_result Number(3.0)"]);
    let bad = [Value::Null, Value::Number(f64::NAN), Value::Number(-1.0), Value::Number(1e300)];
    for id in bad {
        assert!(raw.call("deleteStream", vec![id]).is_empty());
    }
}

#[test]
fn publish_starts_and_stops_in_good_order() {
    let mut raw = Raw::connected();
    let request = raw.publish("uid?token=T");
    assert_eq!(format!("{request:?}").find("token=T"), None);
    raw.server.accept_publish(request);
    assert_eq!(raw.summaries(), ["UserControl(StreamBegin(1))", "onStatus NetStream.Publish.Start"]);
    assert_eq!(
        raw.call("FCUnpublish", vec!["uid".into()]),
        [
            "_result Undefined",
            "onFCUnpublish NetStream.Unpublish.Success",
            "onStatus NetStream.Unpublish.Success",
        ]
    );
    assert!(matches!(raw.server.poll_event(), Some(Event::PublishStopped)));
    assert!(raw.call("deleteStream", vec![1.0.into()]).is_empty());
    assert!(raw.server.poll_event().is_none());
    // The connection may publish again.
    let request = raw.publish("uid");
    raw.server.accept_publish(request);
    assert!(raw.server.is_publishing());
}

#[test]
fn play_is_started_the_way_players_need() {
    let mut raw = Raw::connected();
    let request = raw.play("uid");
    raw.server.accept_play(request);
    assert_eq!(
        raw.summaries(),
        [
            "UserControl(StreamBegin(1))",
            "onStatus NetStream.Play.Reset",
            "onStatus NetStream.Play.Start",
            "data |RtmpSampleAccess",
            "data onStatus",
        ]
    );
}

#[test]
fn play2_names_its_stream_in_an_object() {
    let mut raw = Raw::connected();
    let object = Object::new().with("streamName", "uid");
    raw.send("play2", 0.0, Value::Null, vec![Value::Object(object)], 1).unwrap();
    let Some(Event::Play(request)) = raw.server.poll_event() else { panic!() };
    assert_eq!(request.address().path(), ["demo", "room", "uid"]);
}

#[test]
fn a_player_pauses_switches_tracks_and_stops() {
    let mut raw = Raw::playing();
    assert_eq!(raw.call("pause", vec![true.into(), 0.0.into()]), ["onStatus NetStream.Pause.Notify"]);
    assert_eq!(raw.call("pause", vec![false.into()]), ["onStatus NetStream.Unpause.Notify"]);
    raw.call("receiveAudio", vec![false.into()]);
    raw.call("receiveVideo", vec![true.into()]);
    let buffer = UserControl::SetBufferLength { stream_id: 1, millis: 300 };
    raw.packet(&buffer.into()).unwrap();
    assert_eq!(raw.server.buffer_length(), Some(300));
    assert_eq!(raw.call("closeStream", vec![]), ["onStatus NetStream.Play.Stop"]);
    let events: Vec<_> =
        std::iter::from_fn(|| raw.server.poll_event()).map(|event| format!("{event:?}")).collect();
    assert_eq!(
        events,
        ["Paused(true)", "Paused(false)", "ReceiveAudio(false)", "ReceiveVideo(true)", "PlayStopped"]
    );
}

#[test]
fn a_second_publish_or_play_is_an_error_and_harms_nothing() {
    let mut raw = Raw::publishing();
    assert_eq!(raw.call("publish", vec!["other".into()]), ["onStatus NetStream.Publish.BadName"]);
    assert_eq!(raw.call("play", vec!["other".into()]), ["onStatus NetStream.Play.Failed"]);
    assert!(raw.server.is_publishing() && raw.server.poll_event().is_none());
}

#[test]
fn media_counts_only_after_the_publish_was_accepted() {
    let mut raw = Raw::connected();
    raw.packet(&packet(kind::VIDEO, b"early")).unwrap();
    let request = raw.publish("uid");
    raw.packet(&packet(kind::VIDEO, b"early")).unwrap();
    raw.server.accept_publish(request);
    raw.packet(&packet(kind::VIDEO, b"frame")).unwrap();
    raw.packet(&packet(kind::AUDIO, b"")).unwrap();
    raw.packet(&Packet { stream_id: 2, ..packet(kind::AUDIO, b"other stream") }).unwrap();
    let Some(Event::Video { timestamp: 3, payload }) = raw.server.poll_event() else { panic!() };
    assert_eq!(payload[..], b"frame"[..]);
    assert!(raw.server.poll_event().is_none());
    assert_eq!(raw.server.stats().ignored_messages, 4);
}

#[test]
fn a_request_that_was_withdrawn_cannot_be_accepted() {
    let mut raw = Raw::connected();
    let request = raw.publish("uid");
    raw.call("closeStream", vec![]);
    assert!(matches!(raw.server.poll_event(), Some(Event::PublishStopped)));
    raw.server.accept_publish(request);
    assert!(!raw.server.is_publishing() && raw.answers().is_empty());
    // Nor does it stand for a later one.
    let stale = raw.publish("one");
    raw.call("closeStream", vec![]);
    raw.server.poll_event();
    let _fresh = raw.publish("two");
    raw.server.accept_publish(stale);
    assert!(!raw.server.is_publishing());
}

#[test]
fn a_request_withdrawn_before_it_was_seen_leaves_no_event() {
    let mut raw = Raw::connected();
    raw.send("publish", 0.0, Value::Null, vec!["uid".into()], 1).unwrap();
    raw.call("closeStream", vec![]);
    assert!(raw.server.poll_event().is_none());
}

#[test]
fn metadata_is_understood_in_every_form_and_a_lone_set_data_frame_ignored() {
    let mut raw = Raw::publishing();
    let object = || Object::new().with("width", 160.0);
    let names: [&[&str]; 2] = [&["@setDataFrame", "onMetaData"], &["onMetaData"]];
    for names in names {
        for value in [Value::Object(object()), Value::EcmaArray(object())] {
            let mut values: Vec<Value> = names.iter().map(|name| Value::from(*name)).collect();
            values.push(value);
            raw.packet(&packet(kind::DATA_AMF0, &data_body(&values))).unwrap();
            let Some(Event::Metadata(metadata)) = raw.server.poll_event() else { panic!() };
            assert_eq!(metadata, object());
        }
    }
    let amf3 = [&[0][..], &data_body(&["onMetaData".into(), Value::Object(object())])].concat();
    raw.packet(&packet(kind::DATA_AMF3, &amf3)).unwrap();
    assert!(matches!(raw.server.poll_event(), Some(Event::Metadata(_))));
    for lone in
        [&["@setDataFrame"][..], &["onMetaData"], &["@setDataFrame", "onMetaData"], &["@clearDataFrame"], &[]]
    {
        let values: Vec<Value> = lone.iter().map(|name| Value::from(*name)).collect();
        raw.packet(&packet(kind::DATA_AMF0, &data_body(&values))).unwrap();
        assert!(raw.server.poll_event().is_none());
    }
}

#[test]
fn an_aggregate_becomes_single_frames() {
    let mut raw = Raw::publishing();
    let body = [
        &[9, 0, 0, 1, 0, 0, 10, 0, 0, 0, 0, 0x17, 0, 0, 0, 12][..],
        &[8, 0, 0, 1, 0, 0, 30, 0, 0, 0, 0, 0xaf],
    ];
    raw.packet(&Packet { timestamp: 1000, ..packet(kind::AGGREGATE, &body.concat()) }).unwrap();
    assert!(matches!(raw.server.poll_event(), Some(Event::Video { timestamp: 1000, .. })));
    assert!(matches!(raw.server.poll_event(), Some(Event::Audio { timestamp: 1020, .. })));
}

#[test]
fn pings_go_both_ways() {
    let mut raw = Raw::publishing();
    raw.packet(&UserControl::PingRequest(77).into()).unwrap();
    assert_eq!(raw.answers(), [Message::UserControl(UserControl::PingResponse(77))]);
    raw.server.ping(78);
    assert_eq!(raw.answers(), [Message::UserControl(UserControl::PingRequest(78))]);
    raw.packet(&UserControl::PingResponse(78).into()).unwrap();
    assert!(matches!(raw.server.poll_event(), Some(Event::PingResponse(78))));
}

#[test]
fn a_changed_peer_bandwidth_is_answered_with_the_window() {
    let mut raw = Raw::connected();
    raw.packet(&message::set_peer_bandwidth(2_500_000)).unwrap();
    assert!(raw.answers().is_empty());
    raw.packet(&message::set_peer_bandwidth(1_000_000)).unwrap();
    assert_eq!(raw.answers(), [Message::WindowAckSize(1_000_000)]);
}

#[test]
fn a_small_window_is_acknowledged_with_the_total() {
    let mut raw = Raw::publishing();
    raw.packet(&message::control_u32(kind::WINDOW_ACK_SIZE, 1000)).unwrap();
    raw.answers();
    raw.packet(&packet(kind::AUDIO, &[1; 400])).unwrap();
    assert!(raw.answers().is_empty());
    raw.packet(&packet(kind::AUDIO, &[1; 700])).unwrap();
    let total = u32::try_from(raw.server.stats().bytes_received).unwrap();
    assert_eq!(raw.answers(), [Message::Acknowledgement(total)]);
}

#[test]
fn an_error_tells_a_connected_client_why() {
    let mut raw = Raw::connected();
    let result = raw.packet(&packet(kind::VIDEO, &[0; MAX_MESSAGE_BEFORE_PUBLISH + 1]));
    assert!(matches!(result, Err(Error::MessageTooLong { limit: MAX_MESSAGE_BEFORE_PUBLISH, .. })));
    assert_eq!(raw.summaries(), ["onStatus NetStream.Failed"]);
}

#[test]
fn a_publisher_may_send_large_messages() {
    let mut raw = Raw::publishing();
    raw.packet(&packet(kind::VIDEO, &vec![0; 4 * 1024 * 1024])).unwrap();
    assert!(matches!(raw.server.poll_event(), Some(Event::Video { .. })));
    let result = raw.packet(&packet(kind::VIDEO, &vec![0; 4 * 1024 * 1024 + 1]));
    assert!(matches!(result, Err(Error::MessageTooLong { .. })));
}

#[test]
fn a_warning_reaches_the_publisher_on_its_stream() {
    let mut raw = Raw::publishing();
    raw.server.status(Level::Warning, "NetStream.Publish.BFrames", "B-frames are dropped for browsers.");
    let answers = raw.answers();
    let Message::Command(command) = &answers[0] else { panic!() };
    assert_eq!(command.argument(0).unwrap().as_object().unwrap().text("level"), Some("warning"));
}

#[test]
fn a_client_that_only_sends_commands_is_stopped() {
    let mut raw = Raw::connected();
    let results = (0..MAX_COMMANDS_BEFORE_ACCEPT).map(|_| raw.send("_checkbw", 0.0, Value::Null, vec![], 0));
    let errors: Vec<_> = results.filter_map(Result::err).collect();
    assert!(matches!(errors[0], Error::TooManyCommands { .. }));
}

#[test]
fn a_flood_of_pings_in_one_piece_is_stopped() {
    let mut raw = Raw::connected();
    let mut flood = Vec::new();
    for timestamp in 0..5000 {
        flood.extend_from_slice(&raw.serialize(&UserControl::PingRequest(timestamp).into()));
    }
    assert!(matches!(raw.server.handle_input(&flood), Err(Error::OutputBacklog { .. })));
}

#[test]
fn nothing_of_a_session_prints_a_secret() {
    let mut raw = Raw::new();
    let object = Object::new().with("app", "demo?token=sesame").with("tcUrl", "rtmp://h/demo?token=sesame");
    raw.send("connect", 1.0, Value::Object(object), vec![], 0).unwrap();
    let connected = format!("{:?}", raw.server.poll_event());
    let request = format!("{:?}", raw.publish("room/uid?token=sesame"));
    assert!(!connected.contains("sesame"), "{connected}");
    assert!(!request.contains("sesame"), "{request}");
    let session = format!("{:?}", raw.server);
    assert!(!session.contains("sesame"), "{session}");
}

#[test]
fn a_stalled_handshake_holds_less_than_its_packets() {
    let hello = hello();
    let mut session = queqiao_rtmp::server::Session::new(queqiao_rtmp::server::Config::default());
    for (index, byte) in hello.iter().enumerate() {
        session.handle_input(&[*byte]).unwrap();
        assert_eq!(session.is_handshake_done(), index + 1 == hello.len());
    }
    let answer: usize = std::iter::from_fn(|| session.poll_output()).map(|bytes| bytes.len()).sum();
    assert_eq!(answer, 1 + 2 * 1536);
}
