//! What rooms make of media connections that break, and of user data in pictures.
#![allow(clippy::unwrap_used, reason = "helpers of tests, outside #[test] functions")]

mod support;

use queqiao_room::machine::{Carrier, Effect, MAX_SEI_BYTES, Order, Refusal, Seat};
use queqiao_room::signal::{Attributes, Content, Event, LeaveReason, Presence, SeiType, Tracks};
use support::{CAMERA, SCREEN, Stage, uid};

fn publish(stage: &mut Stage, seat: &Seat, tracks: Tracks) {
    let now = stage.now();
    stage.room.publish(seat, CAMERA, tracks, Attributes::new(), now).unwrap();
}

fn carrier(stage: &mut Stage, who: &str, carrier: Carrier) {
    let now = stage.now();
    stage.room.observe_media(&uid(who), CAMERA, carrier, now);
}

fn lose(stage: &mut Stage, seat: &Seat) {
    let now = stage.now();
    stage.room.lost(seat, now);
}

fn reconnecting(who: &str) -> Event {
    Event::ParticipantReconnecting { uid: uid(who).into() }
}

fn reconnected(who: &str) -> Event {
    Event::ParticipantReconnected { uid: uid(who).into() }
}

/// Ann, who publishes over a media connection that stands, and Bob, who has been told so far.
fn call() -> (Stage, Seat, Seat) {
    let mut stage = Stage::new();
    let (ann, bob) = (stage.join("ann"), stage.join("bob"));
    publish(&mut stage, &ann, Tracks::Both);
    carrier(&mut stage, "ann", Carrier::Stands);
    stage.forget();
    (stage, ann, bob)
}

#[test]
fn a_publisher_whose_media_break_is_seen_reconnecting_until_they_are_back() {
    let (mut stage, _ann, bob) = call();
    carrier(&mut stage, "ann", Carrier::Broken);
    assert_eq!(stage.told(&bob), [reconnecting("ann")]);
    stage.advance(120_000);
    assert_eq!(stage.told(&bob), [], "its signalling says that it is there");
    carrier(&mut stage, "ann", Carrier::Stands);
    assert_eq!(stage.told(&bob), [reconnected("ann")]);
}

#[test]
fn a_publisher_that_asks_for_another_address_is_back_when_it_uses_it() {
    let (mut stage, ann, bob) = call();
    carrier(&mut stage, "ann", Carrier::Broken);
    publish(&mut stage, &ann, Tracks::Both);
    assert_eq!(stage.told(&bob), [reconnecting("ann")]);
    carrier(&mut stage, "ann", Carrier::Stands);
    assert_eq!(stage.told(&bob), [reconnected("ann")]);
}

#[test]
fn who_ends_its_media_or_its_stream_is_not_waited_for() {
    let (mut stage, ann, bob) = call();
    carrier(&mut stage, "ann", Carrier::Unknown);
    assert_eq!(stage.told(&bob), [], "a pusher that is stopped has said goodbye");
    carrier(&mut stage, "ann", Carrier::Broken);
    stage.room.unpublish(&ann, CAMERA).unwrap();
    let told = stage.told(&bob);
    assert!(
        matches!(told.as_slice(), [_, Event::StreamUnpublished { .. }, last] if *last == reconnected("ann")),
        "{told:?}"
    );
}

#[test]
fn who_loses_signalling_stays_while_its_media_stand_and_for_the_grace_time_after_them() {
    let (mut stage, ann, bob) = call();
    lose(&mut stage, &ann);
    assert_eq!(stage.told(&bob), [reconnecting("ann")]);
    stage.advance(180_000);
    assert_eq!(stage.told(&bob), [], "a phone in the background goes on pushing");
    carrier(&mut stage, "ann", Carrier::Broken);
    stage.advance(19_999);
    assert_eq!(stage.told(&bob), []);
    stage.advance(1);
    let left = Event::ParticipantLeft { uid: uid("ann").into(), reason: LeaveReason::TimedOut };
    assert_eq!(stage.told(&bob), [left]);
}

#[test]
fn who_loses_both_and_comes_back_was_only_reconnecting() {
    let (mut stage, ann, bob) = call();
    lose(&mut stage, &ann);
    carrier(&mut stage, "ann", Carrier::Broken);
    stage.advance(15_000);
    let again = stage.join("ann");
    publish(&mut stage, &again, Tracks::Both);
    carrier(&mut stage, "ann", Carrier::Stands);
    assert_eq!(stage.told(&bob), [reconnecting("ann"), reconnected("ann")]);
    stage.advance(60_000);
    assert_eq!(stage.room.participant(&uid("ann")).unwrap().state, Presence::Connected);
}

#[test]
fn an_address_that_was_replaced_keeps_nobody_in_the_room() {
    let (mut stage, ann, bob) = call();
    publish(&mut stage, &ann, Tracks::Both);
    lose(&mut stage, &ann);
    stage.advance(20_000);
    assert!(matches!(stage.told(&bob).last(), Some(Event::ParticipantLeft { .. })));
}

fn send(stage: &mut Stage, seat: &Seat, text: &str) -> Result<(), Refusal> {
    let now = stage.now();
    let kind = (SeiType::Unregistered, Some("00".repeat(16)));
    stage.room.send_sei(seat, CAMERA, kind, Content::Text(text.into()), now)
}

#[test]
fn user_data_goes_into_pictures_and_to_those_who_receive_them_and_want_to_be_told() {
    let (mut stage, ann, bob) = call();
    let (cid, dan) = (stage.join("cid"), stage.join("dan"));
    for seat in [&bob, &cid] {
        stage.room.subscribe(seat, &uid("ann"), CAMERA, Tracks::Both).unwrap();
    }
    for seat in [&ann, &bob, &dan] {
        stage.room.hear_sei(seat).unwrap();
    }
    stage.forget();
    send(&mut stage, &ann, "goal").unwrap();
    let effects = stage.effects();
    let order = Effect::Order(Order::InsertSei {
        uid: uid("ann"),
        stream: CAMERA,
        sei_type: SeiType::Unregistered,
        content: Content::Text("goal".into()),
    });
    assert_eq!(effects.iter().filter(|effect| **effect == order).count(), 1);
    let told = |seat: &Seat| support::events(&effects, seat.connection());
    let event = Event::Sei {
        uid: uid("ann").into(),
        stream: CAMERA,
        sei_type: SeiType::Unregistered,
        uuid: Some("00".repeat(16)),
        content: Content::Text("goal".into()),
    };
    assert_eq!((told(&bob), told(&ann), told(&cid), told(&dan)), (vec![event], vec![], vec![], vec![]));
}

#[test]
fn user_data_out_of_pictures_reaches_its_listeners_and_says_how_many_there_are() {
    let (mut stage, _ann, bob) = call();
    let tell = |stage: &mut Stage| {
        let content = Content::from_bytes(&[0, 255]);
        stage.room.tell_sei(&uid("ann"), CAMERA, (SeiType::Plain, None), content)
    };
    stage.room.hear_sei(&bob).unwrap();
    assert_eq!(tell(&mut stage), 0, "it does not receive the stream");
    stage.room.subscribe(&bob, &uid("ann"), CAMERA, Tracks::Both).unwrap();
    assert_eq!(tell(&mut stage), 1);
    let told = stage.told(&bob);
    assert!(
        matches!(told.as_slice(), [Event::Sei { uuid: None, content: Content::Data(data), .. }] if data.as_str() == "AP8="),
        "{told:?}"
    );
}

#[test]
fn user_data_needs_pictures_of_ones_own_and_is_bounded() {
    let (mut stage, ann, bob) = call();
    let code = |result: Result<(), Refusal>| result.unwrap_err().code();
    assert_eq!(code(send(&mut stage, &bob, "x")), "not_published");
    assert_eq!(code(send(&mut stage, &ann, &"x".repeat(MAX_SEI_BYTES + 1))), "content_too_large");
    send(&mut stage, &ann, &"x".repeat(MAX_SEI_BYTES)).unwrap();
    for _ in 0..100 {
        let _ = send(&mut stage, &ann, "x");
    }
    assert_eq!(code(send(&mut stage, &ann, "x")), "rate_limited");
    stage.advance(10_000);
    publish(&mut stage, &ann, Tracks::Audio);
    assert_eq!(code(send(&mut stage, &ann, "x")), "no_such_track");
    let now = stage.now();
    let screen = stage.room.send_sei(&ann, SCREEN, (SeiType::Plain, None), Content::Text("x".into()), now);
    assert_eq!(code(screen), "not_published");
}
