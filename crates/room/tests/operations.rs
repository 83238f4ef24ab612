//! What each operation does, tells and refuses.
#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "helpers of tests, outside #[test] functions"
)]

mod support;

use std::time::Duration;

use queqiao_room::machine::{
    By, CHANGE_BURST, CloseReason, ConnectionId, Detach, Effect, Entered, Hook, JoinRequest, Limits,
    MAX_ATTRIBUTE_KEY_BYTES, MAX_ATTRIBUTE_VALUE_BYTES, MAX_BAN, MAX_BANS, MAX_CONTENT_BYTES,
    MAX_FAREWELL_BYTES, MAX_LEGS, MAX_REPLAY_EVENTS, MAX_ROOM_ATTRIBUTES, MAX_STREAM_ATTRIBUTES,
    MAX_SUBSCRIPTIONS, Operator, Order, Refusal, Revocation, Room, RoomKey, Rooms, Seat, TALK_BURST,
};
use queqiao_room::signal::{
    Attributes, Content, EndReason, Event, LeaveReason, MediaKind, Platform, Presence, SessionId, TrackState,
    Tracks, UserId,
};
use queqiao_room::{Apps, Demo, Error, Loopback, Pass, Permission, Role, StreamKind, UnixSeconds};
use support::{CAMERA, HOUR, SCREEN, START, Stage, grant, key, pass, uid};

fn enter_as(
    stage: &mut Stage,
    pass: Pass,
    platform: Platform,
    role: Option<Role>,
) -> Result<Entered, Refusal> {
    let connection = stage.connection();
    let request = JoinRequest { id: pass.uid().clone().into(), platform, role };
    stage.room.join(pass, request, connection, Stage::secret(connection), stage.clock.now())
}

fn host(who: &str) -> Pass {
    pass(who, Role::Host, false, START, HOUR)
}

fn publish(stage: &mut Stage, seat: &Seat, kind: StreamKind) {
    let now = stage.now();
    stage.room.publish(seat, kind, Tracks::Both, Attributes::new(), now).unwrap();
}

fn code<T: std::fmt::Debug>(result: Result<T, Refusal>) -> &'static str {
    result.unwrap_err().code()
}

fn attributes(count: usize) -> Attributes {
    (0..count).map(|number| (format!("k{number}"), String::new())).collect()
}

const OPERATOR: By<'static> = By::Operator(Operator::vouched());

#[test]
fn who_joins_learns_who_is_there_and_the_others_learn_of_it() {
    let mut stage = Stage::new();
    let ann = stage.join("ann");
    publish(&mut stage, &ann, CAMERA);
    stage.forget();
    let bob = stage.enter(host("bob"));
    assert_eq!(bob.reply.participants, vec![stage.room.participant(&uid("ann")).unwrap()]);
    assert_eq!(bob.reply.token_expires, Some(UnixSeconds(START.0 + 3600)));
    let participant = stage.room.participant(&uid("bob")).unwrap();
    assert_eq!(stage.told(&ann), [Event::ParticipantJoined { participant }]);
}

#[test]
fn a_numeric_uid_is_told_as_a_number_and_is_the_same_uid_as_its_digits() {
    let mut stage = Stage::new();
    let ann = stage.join("ann");
    stage.forget();
    let connection = stage.connection();
    let request =
        JoinRequest { id: UserId::from_number(42).unwrap(), platform: Platform::Miniprogram, role: None };
    let now = stage.now();
    stage.room.join(host("42"), request, connection, [7; 16], now).unwrap();
    let told = serde_json::to_value(stage.told(&ann)).unwrap();
    assert_eq!(told[0]["participant"]["uid"], 42);
    assert!(stage.room.participant(&uid("42")).is_some());
}

#[test]
fn a_pass_opens_its_own_room_under_its_own_uid_alone() {
    let mut stage = Stage::new();
    let now = stage.now();
    let other = support::apps().admit(
        Some(&support::token("r2", "ann", Role::Host, false, START, HOUR)),
        &key("r2").app,
        &key("r2").room,
        &uid("ann"),
        START,
    );
    assert_eq!(code(enter_as(&mut stage, other.unwrap(), Platform::Web, None)), "wrong_room");
    let request = JoinRequest { id: uid("bob").into(), platform: Platform::Web, role: None };
    let refused = stage.room.join(host("ann"), request, ConnectionId(99), [0; 16], now);
    assert_eq!(code(refused), "wrong_uid");
    let audience = pass("ann", Role::Audience, false, START, HOUR);
    assert_eq!(code(enter_as(&mut stage, audience, Platform::Web, Some(Role::Host))), "role_not_allowed");
    assert_eq!(stage.room.participants().len(), 0);
    assert!(stage.effects().is_empty());
}

#[test]
fn a_token_admits_to_what_it_names_and_the_admin_claim_is_part_of_it() {
    let token = support::token("r1", "ann", Role::Audience, true, START, HOUR);
    let ask = |room: &str, who: &str, now| {
        support::apps().admit(Some(&token), &key(room).app, &key(room).room, &uid(who), now)
    };
    let pass = ask("r1", "ann", START).unwrap();
    assert_eq!((pass.role(), pass.is_admin()), (Role::Audience, true));
    assert_eq!(ask("r2", "ann", START).unwrap_err(), Error::WrongRoom);
    assert_eq!(ask("r1", "bob", START).unwrap_err(), Error::WrongUid);
    assert!(matches!(ask("r1", "ann", UnixSeconds(START.0 + 4000)), Err(Error::TokenExpired { .. })));
    let key = key("r1");
    let none = support::apps().admit(None, &key.app, &key.room, &uid("ann"), START);
    assert_eq!(none.unwrap_err(), Error::MissingToken(key.app));
}

#[test]
fn a_full_room_lets_in_only_who_is_in_it() {
    let mut stage = Stage::with(Limits { max_participants: 2, ..Limits::default() });
    stage.join("ann");
    stage.join("bob");
    assert_eq!(code(enter_as(&mut stage, host("cid"), Platform::Web, None)), "room_full");
    assert!(enter_as(&mut stage, host("bob"), Platform::Web, None).is_ok());
    let direct = grant("cid", "ann", Permission::Play, START, HOUR);
    let now = stage.now();
    assert_eq!(code(stage.room.attach(&direct, &uid("g"), ConnectionId(9), now)), "room_full");
}

#[test]
fn one_connection_holds_one_seat() {
    let mut stage = Stage::new();
    let ann = stage.join("ann");
    let request = JoinRequest { id: uid("bob").into(), platform: Platform::Web, role: None };
    let now = stage.now();
    let refused = stage.room.join(host("bob"), request, ann.connection(), [0; 16], now);
    assert_eq!(code(refused), "already_joined");
}

#[test]
fn the_newer_of_two_sessions_of_a_uid_wins_and_the_others_see_no_leave() {
    let mut stage = Stage::new();
    let ann = stage.join("ann");
    let bob = stage.join("bob");
    publish(&mut stage, &ann, CAMERA);
    let now = stage.now();
    stage.room.mute(&ann, CAMERA, MediaKind::Audio, true, now).unwrap();
    stage.forget();
    let newer = stage.join("ann");
    let effects = stage.effects();
    assert_eq!(support::events(&effects, bob.connection()), []);
    let ended = Event::SessionEnded { ended: EndReason::Replaced.into() };
    assert_eq!(support::events(&effects, ann.connection()), [ended]);
    let reason = CloseReason::Ended(EndReason::Replaced);
    assert!(effects.contains(&Effect::Close { connection: ann.connection(), reason }));
    assert!(effects.contains(&Effect::Order(Order::CloseMedia { uid: uid("ann") })));
    assert_eq!(code(stage.room.leave(&ann)), "not_joined");

    publish(&mut stage, &newer, CAMERA);
    let info = stage.room.participant(&uid("ann")).unwrap().streams[0].clone();
    assert_eq!(info.audio, TrackState::Live, "what is published anew is not muted");
    assert_eq!(stage.told(&bob), [Event::StreamChanged { uid: uid("ann").into(), info }]);
}

#[test]
fn a_stream_that_a_newer_session_does_not_take_up_ends_with_the_grace_time() {
    let mut stage = Stage::new();
    let ann = stage.join("ann");
    let bob = stage.join("bob");
    publish(&mut stage, &ann, CAMERA);
    stage.join("ann");
    stage.forget();
    stage.advance(19_999);
    assert_eq!(stage.told(&bob), []);
    stage.advance(1);
    let gone = Event::StreamUnpublished { uid: uid("ann").into(), stream: CAMERA };
    assert_eq!(stage.told(&bob), [gone]);
}

#[test]
fn a_lost_connection_is_told_and_leaves_only_after_the_grace_time() {
    let mut stage = Stage::new();
    let (ann, bob) = (stage.join("ann"), stage.join("bob"));
    publish(&mut stage, &ann, CAMERA);
    stage.forget();
    let now = stage.now();
    stage.room.lost(&ann, now);
    assert_eq!(stage.told(&bob), [Event::ParticipantReconnecting { uid: uid("ann").into() }]);
    let info = stage.room.participant(&uid("ann")).unwrap();
    assert_eq!((info.state, info.streams.len()), (Presence::Reconnecting, 1));
    assert_eq!(code(stage.room.unpublish(&ann, CAMERA)), "not_joined");
    stage.advance(19_999);
    assert_eq!(stage.effects(), []);
    stage.advance(1);
    let effects = stage.effects();
    let left = Event::ParticipantLeft { uid: uid("ann").into(), reason: LeaveReason::TimedOut };
    assert_eq!(support::events(&effects, bob.connection()), [left]);
    for order in [
        Order::StopStream { uid: uid("ann"), stream: CAMERA },
        Order::CloseMedia { uid: uid("ann") },
        Order::RevokeTickets { uid: uid("ann"), which: Revocation::All },
    ] {
        assert!(effects.contains(&Effect::Order(order.clone())), "{order:?}");
    }
}

fn session(stage: &mut Stage, who: &str) -> (Seat, SessionId) {
    let entered = stage.enter(host(who));
    (entered.seat, entered.reply.session)
}

#[test]
fn a_session_is_resumed_with_what_it_missed_and_nothing_happens_to_media() {
    let mut stage = Stage::new();
    let (ann, secret) = session(&mut stage, "ann");
    let bob = stage.join("bob");
    publish(&mut stage, &ann, CAMERA);
    let now = stage.now();
    stage.room.lost(&ann, now);
    publish(&mut stage, &bob, CAMERA);
    publish(&mut stage, &bob, SCREEN);
    stage.forget();
    let connection = stage.connection();
    let resumed = stage.room.resume(&secret, 1, connection).unwrap();
    assert_eq!(resumed.missed.iter().map(|event| event.seq()).collect::<Vec<_>>(), [2, 3]);
    let effects = stage.effects();
    assert!(!effects.iter().any(|effect| matches!(effect, Effect::Order(_))), "{effects:?}");
    let back = Event::ParticipantReconnected { uid: uid("ann").into() };
    assert_eq!(support::events(&effects, bob.connection()), [back]);
    stage.room.unpublish(&resumed.seat, CAMERA).unwrap();
    stage.advance(60_000);
    assert!(stage.room.participant(&uid("ann")).is_some());
}

#[test]
fn a_session_is_resumed_before_the_server_saw_its_older_connection_go() {
    let mut stage = Stage::new();
    let (ann, secret) = session(&mut stage, "ann");
    let bob = stage.join("bob");
    stage.forget();
    let connection = stage.connection();
    let resumed = stage.room.resume(&secret, 1, connection).unwrap();
    let reason = CloseReason::Resumed;
    assert_eq!(stage.effects(), [Effect::Close { connection: ann.connection(), reason }]);
    let now = stage.now();
    stage.room.lost(&ann, now);
    assert!(stage.told(&bob).is_empty(), "the older connection matters to nobody any longer");
    assert!(stage.room.leave(&resumed.seat).is_ok());
}

#[test]
fn a_session_is_not_resumed_by_a_guess_from_the_future_too_late_or_after_too_much() {
    let mut stage = Stage::new();
    let (ann, secret) = session(&mut stage, "ann");
    let bob = stage.join("bob");
    let resume = |stage: &mut Stage, secret: &SessionId, last| {
        let connection = stage.connection();
        stage.room.resume(secret, last, connection)
    };
    let text = serde_json::to_value(&secret).unwrap().as_str().unwrap().to_owned();
    let guess = serde_json::from_value(format!("{}f", &text[..47]).into()).unwrap();
    let other_room = serde_json::from_value(format!("f{}", &text[1..]).into()).unwrap();
    assert_eq!(code(resume(&mut stage, &guess, 0)), "resume_impossible");
    assert_eq!(code(resume(&mut stage, &other_room, 0)), "resume_impossible");
    assert_eq!(code(resume(&mut stage, &secret, 2)), "resume_impossible");
    for _ in 0..MAX_REPLAY_EVENTS {
        stage.advance(1000);
        let now = stage.now();
        stage.room.send_message(&bob, None, Content::Text("hi".into()), now).unwrap();
    }
    assert_eq!(code(resume(&mut stage, &secret, 0)), "resume_impossible");
    let now = stage.now();
    stage.room.lost(&ann, now);
    stage.advance(20_000);
    assert_eq!(code(resume(&mut stage, &secret, 100)), "resume_impossible");
}

#[test]
fn who_leaves_takes_everything_along() {
    let mut stage = Stage::new();
    let (ann, bob) = (stage.join("ann"), stage.join("bob"));
    publish(&mut stage, &ann, CAMERA);
    stage.room.subscribe(&bob, &uid("ann"), CAMERA, Tracks::Both).unwrap();
    stage.forget();
    stage.room.leave(&ann).unwrap();
    let left = Event::ParticipantLeft { uid: uid("ann").into(), reason: LeaveReason::Left };
    assert_eq!(stage.told(&bob), [left]);
    assert_eq!(stage.room.subscriptions(&uid("bob")).count(), 0);
    stage.room.leave(&bob).unwrap();
    assert!(stage.effects().contains(&Effect::Hook(Hook::RoomClosed)));
    assert!(stage.room.is_vacant());
}

#[test]
fn the_audience_does_not_publish_and_who_becomes_audience_stops() {
    let mut stage = Stage::new();
    let ann = stage.join("ann");
    let (bob, cid) = (stage.join_audience("bob"), stage.join_audience("cid"));
    let now = stage.now();
    let refused = stage.room.publish(&bob, CAMERA, Tracks::Both, Attributes::new(), now);
    assert_eq!(code(refused), "not_host");
    assert_eq!(code(stage.room.set_role(&bob, Role::Host, now)), "role_not_allowed");
    assert_eq!(code(stage.room.set_room_attribute(&bob, "k".into(), None, now)), "not_host");
    publish(&mut stage, &ann, CAMERA);
    stage.forget();
    stage.room.set_role(&ann, Role::Audience, now).unwrap();
    let id: UserId = uid("ann").into();
    let events = [
        Event::StreamUnpublished { uid: id.clone(), stream: CAMERA },
        Event::RoleChanged { uid: id, role: Role::Audience },
    ];
    assert_eq!(stage.told(&cid), events);
    let refused = stage.room.publish(&ann, CAMERA, Tracks::Both, Attributes::new(), now);
    assert_eq!(code(refused), "not_host");
    stage.room.set_role(&ann, Role::Host, now).unwrap();
    publish(&mut stage, &ann, CAMERA);
}

#[test]
fn a_publication_gives_the_right_to_one_stream_and_a_subscription_to_another() {
    let mut stage = Stage::new();
    let (ann, bob) = (stage.join("ann"), stage.join_audience("bob"));
    let now = stage.now();
    let published = stage.room.publish(&ann, SCREEN, Tracks::Video, Attributes::new(), now).unwrap();
    assert_eq!(published.grant.stream().to_string(), "live/r1/ann~screen");
    assert_eq!(published.grant.permission(), Permission::Publish);
    let subscribed = stage.room.subscribe(&bob, &uid("ann"), SCREEN, Tracks::Both).unwrap();
    assert_eq!(
        (subscribed.grant.stream(), subscribed.tracks),
        (published.grant.stream(), Some(Tracks::Video))
    );
    assert_eq!(subscribed.grant.permission(), Permission::Play);
    let none = stage.room.subscribe(&bob, &uid("ann"), SCREEN, Tracks::Audio).unwrap();
    assert_eq!(none.tracks, None);
}

#[test]
fn subscribing_needs_a_stream_and_unsubscribing_a_subscription() {
    let mut stage = Stage::new();
    let (ann, bob) = (stage.join("ann"), stage.join("bob"));
    let subscribe = |stage: &mut Stage, of: &str| stage.room.subscribe(&bob, &uid(of), CAMERA, Tracks::Both);
    assert_eq!(code(subscribe(&mut stage, "nobody")), "no_such_participant");
    assert_eq!(code(subscribe(&mut stage, "ann")), "no_such_stream");
    assert_eq!(code(stage.room.unsubscribe(&bob, &uid("ann"), CAMERA)), "not_subscribed");
    publish(&mut stage, &ann, CAMERA);
    subscribe(&mut stage, "ann").unwrap();
    stage.forget();
    stage.room.unsubscribe(&bob, &uid("ann"), CAMERA).unwrap();
    let which = Revocation::Play(uid("ann"), CAMERA);
    assert_eq!(stage.effects(), [Effect::Order(Order::RevokeTickets { uid: uid("bob"), which })]);
    subscribe(&mut stage, "ann").unwrap();
    stage.room.unpublish(&ann, CAMERA).unwrap();
    assert_eq!(code(stage.room.unpublish(&ann, CAMERA)), "not_published");
    assert_eq!(code(stage.room.unsubscribe(&bob, &uid("ann"), CAMERA)), "not_subscribed");
}

#[test]
fn a_participant_receives_a_bounded_number_of_streams() {
    let mut stage = Stage::new();
    let bob = stage.join("bob");
    for number in 0..=MAX_SUBSCRIPTIONS {
        let seat = stage.join(&format!("p{number}"));
        publish(&mut stage, &seat, CAMERA);
    }
    let subscribe = |stage: &mut Stage, n: usize| {
        stage.room.subscribe(&bob, &uid(&format!("p{n}")), CAMERA, Tracks::Both)
    };
    for number in 0..MAX_SUBSCRIPTIONS {
        subscribe(&mut stage, number).unwrap();
    }
    assert_eq!(code(subscribe(&mut stage, MAX_SUBSCRIPTIONS)), "too_many_subscriptions");
    subscribe(&mut stage, 0).unwrap();
}

#[test]
fn muting_is_told_once_and_orders_the_media_held_back() {
    let mut stage = Stage::new();
    let (ann, bob) = (stage.join("ann"), stage.join("bob"));
    let now = stage.now();
    let mute = |stage: &mut Stage, media, muted| stage.room.mute(&ann, CAMERA, media, muted, now);
    assert_eq!(code(mute(&mut stage, MediaKind::Audio, true)), "not_published");
    stage.room.publish(&ann, CAMERA, Tracks::Audio, Attributes::new(), now).unwrap();
    assert_eq!(code(mute(&mut stage, MediaKind::Video, true)), "no_such_track");
    stage.forget();
    assert_eq!(mute(&mut stage, MediaKind::Audio, true), Ok(TrackState::Muted));
    assert_eq!(mute(&mut stage, MediaKind::Audio, true), Ok(TrackState::Muted));
    let effects = stage.effects();
    let (kind, state) = (MediaKind::Audio, TrackState::Muted);
    let muted = Event::Muted { uid: uid("ann").into(), stream: CAMERA, kind, state, by: None };
    assert_eq!(support::events(&effects, bob.connection()), [muted]);
    assert_eq!(
        effects[0],
        Effect::Order(Order::Forward { uid: uid("ann"), stream: CAMERA, kind, on: false })
    );
    assert_eq!(mute(&mut stage, MediaKind::Audio, false), Ok(TrackState::Live));
}

#[test]
fn what_an_admin_holds_back_stays_so_until_an_admin_lets_it_go() {
    let mut stage = Stage::new();
    let (ann, bob, cid) = (stage.join("ann"), stage.join("bob"), stage.join_admin("cid"));
    publish(&mut stage, &ann, CAMERA);
    let now = stage.now();
    let audio = MediaKind::Audio;
    let block = |stage: &mut Stage, by: &Seat, who: &str, on| {
        stage.room.block(By::Seat(by), &uid(who), CAMERA, audio, on)
    };
    assert_eq!(code(block(&mut stage, &bob, "ann", true)), "not_admin");
    assert_eq!(code(block(&mut stage, &cid, "dan", true)), "no_such_participant");
    assert_eq!(code(block(&mut stage, &cid, "bob", true)), "no_such_stream");
    stage.forget();
    assert_eq!(block(&mut stage, &cid, "ann", true), Ok(TrackState::Blocked));
    let by = Some(uid("cid").into());
    let state = TrackState::Blocked;
    let event = Event::Muted { uid: uid("ann").into(), stream: CAMERA, kind: audio, state, by };
    let effects = stage.effects();
    for seat in [&ann, &bob, &cid] {
        assert_eq!(support::events(&effects, seat.connection()), std::slice::from_ref(&event));
    }
    assert_eq!(code(stage.room.mute(&ann, CAMERA, audio, false, now)), "blocked");
    stage.room.unpublish(&ann, CAMERA).unwrap();
    stage.forget();
    publish(&mut stage, &ann, CAMERA);
    let off = Order::Forward { uid: uid("ann"), stream: CAMERA, kind: audio, on: false };
    assert!(stage.effects().contains(&Effect::Order(off)));
    stage.room.mute(&ann, CAMERA, audio, true, now).unwrap();
    assert_eq!(block(&mut stage, &cid, "ann", false), Ok(TrackState::Muted));
    assert_eq!(stage.room.mute(&ann, CAMERA, audio, false, now), Ok(TrackState::Live));
}

#[test]
fn who_is_kicked_is_told_why_and_may_come_back() {
    let mut stage = Stage::new();
    let (ann, bob) = (stage.join_admin("ann"), stage.join("bob"));
    assert_eq!(code(stage.room.kick(By::Seat(&bob), &uid("ann"), None)), "not_admin");
    assert_eq!(code(stage.room.kick(By::Seat(&ann), &uid("cid"), None)), "no_such_participant");
    let long = Some("x".repeat(MAX_FAREWELL_BYTES + 1));
    assert_eq!(code(stage.room.kick(By::Seat(&ann), &uid("bob"), long)), "text_too_large");
    stage.forget();
    stage.room.kick(By::Seat(&ann), &uid("bob"), Some("bye".into())).unwrap();
    let effects = stage.effects();
    let told = serde_json::to_value(support::events(&effects, bob.connection())).unwrap();
    assert_eq!(told[0]["message"], "bye");
    let close = effects.iter().position(|effect| matches!(effect, Effect::Close { .. })).unwrap();
    let send = effects.iter().position(|effect| matches!(effect, Effect::Send { .. })).unwrap();
    assert!(send < close);
    stage.join("bob");
}

#[test]
fn who_is_banned_stays_out_until_the_ban_ends_or_is_lifted() {
    let mut stage = Stage::new();
    let ann = stage.join_admin("ann");
    stage.join("bob");
    let now = stage.now();
    let minute = Duration::from_secs(60);
    stage.room.ban(By::Seat(&ann), &uid("bob"), minute, None, now).unwrap();
    let refused = enter_as(&mut stage, host("bob"), Platform::Web, None).unwrap_err();
    assert_eq!(refused, Refusal::Banned { remaining: minute });
    let direct = grant("bob", "bob", Permission::Publish, START, HOUR);
    assert_eq!(code(stage.room.attach(&direct, &uid("g"), ConnectionId(90), now)), "banned");
    stage.advance(60_000);
    let bob = stage.join("bob");
    let now = stage.now();
    assert_eq!(code(stage.room.ban(By::Seat(&bob), &uid("ann"), minute, None, now)), "not_admin");
    stage.room.ban(OPERATOR, &uid("cid"), minute, None, now).unwrap();
    stage.room.ban(OPERATOR, &uid("cid"), Duration::ZERO, None, now).unwrap();
    stage.join("cid");
}

#[test]
fn bans_are_bounded_in_length_and_number() {
    let mut stage = Stage::new();
    let now = stage.now();
    let ban = |stage: &mut Stage, who: &str, length| stage.room.ban(OPERATOR, &uid(who), length, None, now);
    assert_eq!(code(ban(&mut stage, "bob", MAX_BAN + Duration::from_secs(1))), "ban_too_long");
    for number in 0..MAX_BANS {
        ban(&mut stage, &format!("p{number}"), Duration::from_secs(60)).unwrap();
    }
    assert_eq!(code(ban(&mut stage, "bob", Duration::from_secs(60))), "too_many_bans");
    assert!(!stage.room.is_vacant());
    stage.advance(60_000);
    assert!(stage.room.is_vacant());
}

#[test]
fn a_closed_room_is_empty_and_can_be_opened_again() {
    let mut stage = Stage::new();
    let (ann, bob) = (stage.join_admin("ann"), stage.join("bob"));
    let now = stage.now();
    stage.room.set_room_attribute(&ann, "k".into(), Some("v".into()), now).unwrap();
    assert_eq!(code(stage.room.close(By::Seat(&bob))), "not_admin");
    stage.forget();
    stage.room.close(By::Seat(&ann)).unwrap();
    let effects = stage.effects();
    let ended = Event::SessionEnded { ended: EndReason::RoomClosed.into() };
    for seat in [&ann, &bob] {
        assert_eq!(support::events(&effects, seat.connection()), std::slice::from_ref(&ended));
    }
    let again = stage.enter(host("ann"));
    assert_eq!((again.reply.participants.len(), again.reply.attributes.len()), (0, 0));
}

#[test]
fn a_token_is_warned_of_and_removes_its_bearer_unless_it_is_renewed() {
    let mut stage = Stage::new();
    let pass_for = |now: UnixSeconds| pass("ann", Role::Host, false, now, Duration::from_secs(60));
    let ann = stage.enter(pass_for(START)).seat;
    let bob = stage.join("bob");
    stage.forget();
    stage.advance(29_999);
    assert_eq!(stage.told(&ann), []);
    stage.advance(1);
    assert_eq!(stage.told(&ann), [Event::TokenExpiring { seconds: 30 }]);
    let now = stage.now();
    assert_eq!(stage.room.renew(&ann, pass_for(now.unix), now), Ok(Role::Host));
    stage.advance(30_000);
    assert_eq!(stage.told(&ann), [Event::TokenExpiring { seconds: 30 }]);
    stage.advance(34_999);
    assert_eq!(stage.effects(), [], "five seconds of leeway");
    stage.advance(1);
    let effects = stage.effects();
    let ended = Event::SessionEnded { ended: EndReason::TokenExpired.into() };
    assert_eq!(support::events(&effects, ann.connection()), [ended]);
    let left = Event::ParticipantLeft { uid: uid("ann").into(), reason: LeaveReason::TokenExpired };
    assert_eq!(support::events(&effects, bob.connection()), [left]);
}

#[test]
fn a_clock_that_jumps_changes_nothing_for_who_is_in() {
    let mut stage = Stage::new();
    let ann = stage.enter(pass("ann", Role::Host, false, START, Duration::from_secs(60))).seat;
    let mut now = stage.now();
    now.unix = UnixSeconds(START.0 + 100_000);
    stage.room.handle_timeout(now);
    assert!(stage.room.leave(&ann).is_ok());
}

#[test]
fn a_renewed_token_for_somebody_else_is_refused_and_a_lesser_one_takes_the_role_along() {
    let mut stage = Stage::new();
    let (ann, bob) = (stage.join("ann"), stage.join("bob"));
    publish(&mut stage, &ann, CAMERA);
    let now = stage.now();
    assert_eq!(code(stage.room.renew(&ann, host("bob"), now)), "wrong_uid");
    stage.forget();
    let lesser = pass("ann", Role::Audience, false, START, HOUR);
    assert_eq!(stage.room.renew(&ann, lesser, now), Ok(Role::Audience));
    assert_eq!(stage.told(&bob).len(), 2);
    assert_eq!(code(stage.room.set_role(&ann, Role::Host, now)), "role_not_allowed");
}

#[test]
fn a_message_reaches_one_or_all_others() {
    let mut stage = Stage::new();
    let (ann, bob, cid) = (stage.join("ann"), stage.join_audience("bob"), stage.join("cid"));
    stage.forget();
    let now = stage.now();
    let text = || Content::Text("hi".into());
    assert_eq!(stage.room.send_message(&bob, None, text(), now), Ok(1));
    assert_eq!(stage.room.send_message(&bob, Some(&uid("ann")), text(), now), Ok(2));
    let effects = stage.effects();
    let count = |seat: &Seat| support::events(&effects, seat.connection()).len();
    assert_eq!((count(&ann), count(&bob), count(&cid)), (2, 0, 1));
    assert_eq!(code(stage.room.send_message(&bob, Some(&uid("dan")), text(), now)), "no_such_participant");
    let large = Content::Text("x".repeat(MAX_CONTENT_BYTES + 1));
    assert_eq!(code(stage.room.send_message(&bob, None, large, now)), "content_too_large");
}

#[test]
fn talking_and_changing_too_much_has_to_wait() {
    let mut stage = Stage::new();
    let ann = stage.join("ann");
    let now = stage.now();
    for _ in 0..TALK_BURST {
        stage.room.send_message(&ann, None, Content::Text("hi".into()), now).unwrap();
    }
    let refused = stage.room.send_message(&ann, None, Content::Text("hi".into()), now).unwrap_err();
    assert_eq!(refused, Refusal::RateLimited { retry_after: Duration::from_millis(100) });
    assert_eq!(code(stage.room.set_room_attribute(&ann, "k".into(), None, now)), "rate_limited");
    for _ in 0..CHANGE_BURST {
        publish(&mut stage, &ann, CAMERA);
    }
    assert_eq!(code(stage.room.mute(&ann, CAMERA, MediaKind::Audio, true, now)), "rate_limited");
    assert_eq!(code(stage.room.set_role(&ann, Role::Audience, now)), "rate_limited");
    stage.room.unpublish(&ann, CAMERA).unwrap();
}

#[test]
fn attributes_are_told_and_bounded() {
    let mut stage = Stage::new();
    let (ann, bob) = (stage.join("ann"), stage.join("bob"));
    let set = |stage: &mut Stage, key: String, value: Option<String>| {
        stage.advance(1000);
        let now = stage.now();
        stage.room.set_room_attribute(&ann, key, value, now)
    };
    assert_eq!(code(set(&mut stage, String::new(), None)), "attribute_key_size");
    assert_eq!(code(set(&mut stage, "k".repeat(MAX_ATTRIBUTE_KEY_BYTES + 1), None)), "attribute_key_size");
    let large = Some("v".repeat(MAX_ATTRIBUTE_VALUE_BYTES + 1));
    assert_eq!(code(set(&mut stage, "k".into(), large)), "attribute_too_large");
    for number in 0..MAX_ROOM_ATTRIBUTES {
        set(&mut stage, format!("k{number}"), Some("v".into())).unwrap();
    }
    assert_eq!(code(set(&mut stage, "one more".into(), Some("v".into()))), "too_many_attributes");
    set(&mut stage, "k0".into(), Some("w".into())).unwrap();
    set(&mut stage, "k0".into(), None).unwrap();
    assert_eq!(stage.room.attributes().len(), MAX_ROOM_ATTRIBUTES - 1);

    let now = stage.now();
    let too_many = stage.room.publish(&ann, CAMERA, Tracks::Both, attributes(MAX_STREAM_ATTRIBUTES + 1), now);
    assert_eq!(code(too_many), "too_many_attributes");
    assert_eq!(code(stage.room.set_stream_attribute(&ann, CAMERA, "k".into(), None, now)), "not_published");
    stage.room.publish(&ann, CAMERA, Tracks::Both, attributes(MAX_STREAM_ATTRIBUTES), now).unwrap();
    let refused = stage.room.set_stream_attribute(&ann, CAMERA, "k".into(), Some("v".into()), now);
    assert_eq!(code(refused), "too_many_attributes");
    stage.forget();
    stage.room.set_stream_attribute(&ann, CAMERA, "k1".into(), None, now).unwrap();
    let (uid, key) = (uid("ann").into(), "k1".to_owned());
    assert_eq!(stage.told(&bob), [Event::StreamAttribute { uid, stream: CAMERA, key, value: None }]);
}

#[test]
fn an_encoder_is_a_participant_like_any_other() {
    let mut stage = Stage::new();
    let bob = stage.join("bob");
    stage.forget();
    let now = stage.now();
    let grant = grant("obs", "obs", Permission::Publish, START, HOUR);
    let leg = stage.room.attach(&grant, &uid("g"), ConnectionId(50), now).unwrap();
    let told = serde_json::to_value(stage.told(&bob)).unwrap();
    assert_eq!(
        (&told[0]["participant"]["platform"], &told[1]["event"]),
        (&"encoder".into(), &"stream_published".into())
    );
    stage.room.observe_tracks(&uid("obs"), CAMERA, Tracks::Video);
    assert_eq!(stage.room.participant(&uid("obs")).unwrap().streams[0].audio, TrackState::Absent);
    assert_eq!(code(stage.room.attach(&grant, &uid("g"), ConnectionId(50), now)), "already_joined");
    stage.room.subscribe(&bob, &uid("obs"), CAMERA, Tracks::Both).unwrap();
    stage.forget();
    stage.room.detach(&leg, Detach::Left, now);
    let left = Event::ParticipantLeft { uid: uid("obs").into(), reason: LeaveReason::Left };
    assert_eq!(stage.told(&bob), [left]);
}

#[test]
fn an_encoder_whose_connection_breaks_comes_back_within_the_grace_time() {
    let mut stage = Stage::new();
    let bob = stage.join("bob");
    let now = stage.now();
    let grant = grant("obs", "obs", Permission::Publish, START, HOUR);
    let leg = stage.room.attach(&grant, &uid("g"), ConnectionId(50), now).unwrap();
    stage.room.subscribe(&bob, &uid("obs"), CAMERA, Tracks::Both).unwrap();
    stage.forget();
    stage.room.detach(&leg, Detach::Lost, now);
    stage.advance(9_000);
    let now = stage.now();
    let leg = stage.room.attach(&grant, &uid("g"), ConnectionId(51), now).unwrap();
    let id: UserId = uid("obs").into();
    let events = [
        Event::ParticipantReconnecting { uid: id.clone() },
        Event::ParticipantReconnected { uid: id.clone() },
    ];
    assert_eq!(stage.told(&bob), events);
    assert_eq!(stage.room.subscriptions(&uid("bob")).count(), 1);
    stage.room.detach(&leg, Detach::Lost, now);
    stage.forget();
    stage.advance(20_000);
    assert_eq!(stage.told(&bob), [Event::ParticipantLeft { uid: id, reason: LeaveReason::TimedOut }]);
}

#[test]
fn a_newer_encoder_replaces_an_older_one_and_neither_touches_what_a_session_publishes() {
    let mut stage = Stage::new();
    let bob = stage.join("bob");
    let now = stage.now();
    let direct = grant("obs", "obs", Permission::Publish, START, HOUR);
    let older = stage.room.attach(&direct, &uid("g"), ConnectionId(50), now).unwrap();
    stage.forget();
    stage.room.attach(&direct, &uid("g"), ConnectionId(51), now).unwrap();
    let reason = CloseReason::Ended(EndReason::Replaced);
    assert_eq!(stage.effects(), [Effect::Close { connection: ConnectionId(50), reason }]);
    stage.room.detach(&older, Detach::Lost, now);
    assert_eq!(stage.effects(), []);

    publish(&mut stage, &bob, CAMERA);
    let mine = grant("bob", "bob", Permission::Publish, START, HOUR);
    assert_eq!(code(stage.room.attach(&mine, &uid("g"), ConnectionId(60), now)), "stream_in_use");
    stage.room.unpublish(&bob, CAMERA).unwrap();
    stage.room.attach(&mine, &uid("g"), ConnectionId(60), now).unwrap();
    let refused = stage.room.publish(&bob, CAMERA, Tracks::Both, Attributes::new(), now);
    assert_eq!(code(refused), "stream_in_use");
    assert_eq!(code(stage.room.unpublish(&bob, CAMERA)), "not_published");
    stage.room.leave(&bob).unwrap();
    let info = stage.room.participant(&uid("bob")).unwrap();
    assert_eq!((info.platform, info.streams.len()), (Platform::Encoder, 1));
}

#[test]
fn encoders_obey_roles_and_kicks() {
    let mut stage = Stage::new();
    let ann = stage.join("ann");
    let now = stage.now();
    stage.room.set_role(&ann, Role::Audience, now).unwrap();
    let direct = grant("ann", "ann", Permission::Publish, START, HOUR);
    assert_eq!(code(stage.room.attach(&direct, &uid("g"), ConnectionId(50), now)), "not_host");
    stage.room.set_role(&ann, Role::Host, now).unwrap();
    stage.room.attach(&direct, &uid("g"), ConnectionId(50), now).unwrap();
    stage.forget();
    stage.room.set_role(&ann, Role::Audience, now).unwrap();
    let reason = CloseReason::RoleChanged;
    assert!(stage.effects().contains(&Effect::Close { connection: ConnectionId(50), reason }));
    let player = grant("eve", "ann", Permission::Play, START, HOUR);
    stage.room.attach(&player, &uid("g"), ConnectionId(51), now).unwrap();
    assert_eq!(stage.room.participant(&uid("eve")).unwrap().role, Role::Audience);
    stage.room.kick(OPERATOR, &uid("eve"), None).unwrap();
    let reason = CloseReason::Ended(EndReason::Kicked);
    assert!(stage.effects().contains(&Effect::Close { connection: ConnectionId(51), reason }));
}

#[test]
fn who_plays_in_the_demo_app_is_a_guest() {
    let loopback = Loopback::prove(["127.0.0.1:80".parse().unwrap()]).unwrap();
    let apps = Apps::new([], Demo::Present(loopback)).unwrap();
    let stream = "demo/r1/ann".parse().unwrap();
    let play = apps.authorize(None, &stream, Permission::Play, START).unwrap();
    let publish = apps.authorize(None, &stream, Permission::Publish, START).unwrap();
    let stage = Stage::new();
    let mut rooms = Rooms::new(Limits::default());
    let demo = RoomKey::from(&play.pass(&uid("guest-1")));
    for (grant, connection) in [(play, 1), (publish, 2)] {
        let attach =
            |room: &mut Room| room.attach(&grant, &uid("guest-1"), ConnectionId(connection), stage.now());
        rooms.enter(&demo, attach).unwrap();
    }
    let uids = rooms.get(&demo).unwrap().participants().map(|info| info.uid.to_string());
    assert_eq!(uids.collect::<Vec<_>>(), ["ann", "guest-1"]);
}

#[test]
fn the_media_connections_of_a_uid_are_bounded_and_its_last_one_takes_it_along() {
    let mut stage = Stage::new();
    let now = stage.now();
    let player = grant("eve", "ann", Permission::Play, START, HOUR);
    let legs: Vec<_> = (0..MAX_LEGS)
        .map(|number| {
            let connection = ConnectionId(u64::try_from(number).unwrap());
            stage.room.attach(&player, &uid("g"), connection, now).unwrap()
        })
        .collect();
    assert_eq!(code(stage.room.attach(&player, &uid("g"), ConnectionId(999), now)), "too_many_connections");
    for leg in &legs {
        assert!(stage.room.participant(&uid("eve")).is_some());
        stage.room.detach(leg, Detach::Lost, now);
    }
    assert!(stage.room.participant(&uid("eve")).is_none());
}

#[test]
fn rooms_come_and_go_with_their_participants_and_are_bounded() {
    let limits = Limits { max_rooms: 1, ..Limits::default() };
    let (mut rooms, stage) = (Rooms::new(limits), Stage::new());
    let now = stage.now();
    let request = || JoinRequest { id: uid("ann").into(), platform: Platform::Web, role: None };
    let join = |rooms: &mut Rooms, connection| {
        rooms.enter(&key("r1"), |room| room.join(host("ann"), request(), connection, [1; 16], now))
    };
    let first = join(&mut rooms, ConnectionId(1)).unwrap();
    let refused = rooms.enter(&key("r2"), |room| room.leave(&first.seat));
    assert_eq!(refused.unwrap_err().code(), "too_many_rooms");
    rooms.within(&key("r1"), |room| room.lost(&first.seat, now));
    let (room, resumed) = rooms.resume(&first.reply.session, 0, ConnectionId(2)).unwrap();
    assert_eq!(room, key("r1"));
    rooms.within(&room, |room| room.lost(&resumed.seat, now));
    let at = rooms.poll_timeout().unwrap();
    assert_eq!(at - now.instant, limits.grace);
    rooms.handle_timeout(queqiao_room::machine::Now { instant: at, ..now });
    assert!(rooms.is_empty() && rooms.poll_timeout().is_none());
    let hooks =
        std::iter::from_fn(|| rooms.poll_effect()).filter(|(_, effect)| matches!(effect, Effect::Hook(_)));
    assert_eq!(hooks.last().unwrap().1, Effect::Hook(Hook::RoomClosed));
    let again = join(&mut rooms, ConnectionId(3)).unwrap();
    assert_eq!(code(rooms.resume(&first.reply.session, 0, ConnectionId(4))), "resume_impossible");
    assert_ne!(again.reply.session, first.reply.session, "a room that is made again has another number");
}

#[test]
fn an_operation_that_is_refused_leaves_no_room_behind() {
    let mut rooms = Rooms::new(Limits::default());
    let stage = Stage::new();
    let request = JoinRequest { id: uid("ann").into(), platform: Platform::Web, role: Some(Role::Host) };
    let audience = pass("ann", Role::Audience, false, START, HOUR);
    let refused =
        rooms.enter(&key("r1"), |room| room.join(audience, request, ConnectionId(1), [1; 16], stage.now()));
    assert_eq!(code(refused), "role_not_allowed");
    assert!(rooms.is_empty());
}

#[test]
fn the_streams_that_the_server_makes_are_received_under_ones_own_uid_and_published_by_nobody() {
    let mut stage = Stage::new();
    let (ann, _bob) = (stage.join("ann"), stage.join("bob"));
    let now = stage.now();
    let subscribe =
        |stage: &mut Stage, of: &str, kind| code(stage.room.subscribe(&ann, &uid(of), kind, Tracks::Both));
    assert_eq!(subscribe(&mut stage, "bob", StreamKind::Speaker), "no_such_stream");
    assert_eq!(subscribe(&mut stage, "ann", StreamKind::Mix), "only_by_address", "a browser mixes by itself");
    let published = stage.room.publish(&ann, StreamKind::Mix, Tracks::Audio, Attributes::new(), now);
    assert_eq!(code(published), "made_by_server");
    stage.room.subscribe(&ann, &uid("ann"), StreamKind::Speaker, Tracks::Both).unwrap();
    stage.room.unsubscribe(&ann, &uid("ann"), StreamKind::Speaker).unwrap();
}

#[test]
fn only_those_who_follow_the_speaker_hear_who_it_is() {
    let mut stage = Stage::new();
    let (ann, _bob) = (stage.join("ann"), stage.join("bob"));
    stage.room.subscribe(&ann, &uid("ann"), StreamKind::Speaker, Tracks::Both).unwrap();
    stage.effects();
    stage.room.tell_speaker(&uid("bob"));
    stage.room.tell_speaker(&uid("nobody"));
    let told: Vec<_> = stage
        .effects()
        .into_iter()
        .filter_map(|effect| match effect {
            Effect::Send { connection, event } => Some((connection, event.text())),
            _ => None,
        })
        .collect();
    assert_eq!(told.len(), 1);
    assert_eq!(told[0].0, ann.connection());
    assert!(told[0].1.contains(r#""event":"speaker","uid":"bob""#), "{}", told[0].1);
}
