//! Tickets: one purpose, one client, a bounded life.
#![allow(clippy::unwrap_used, reason = "helpers of tests, outside #[test] functions")]

mod support;

use std::time::Duration;

use queqiao_room::machine::{ConnectionId, Revocation};
use queqiao_room::ticket::{
    MAX_TICKETS_PER_PARTICIPANT, RETRY_WINDOW, Ticket, TicketError, Tickets, UNUSED_LIFETIME,
};
use queqiao_room::{Grant, Permission, StreamKey};
use support::{CAMERA, Clock, HOUR, START, grant, key, uid};

fn publish() -> Grant {
    grant("ann", "ann", Permission::Publish, START, HOUR)
}

fn play(of: &str) -> Grant {
    grant("ann", of, Permission::Play, START, HOUR)
}

struct Desk {
    tickets: Tickets,
    clock: Clock,
    random: u128,
}

impl Desk {
    fn new(capacity: usize) -> Self {
        Self { tickets: Tickets::new(capacity), clock: Clock::new(), random: 0 }
    }

    fn issue(&mut self, grant: Grant) -> Result<(Ticket, Option<ConnectionId>), TicketError> {
        self.random += 1;
        self.tickets.issue(self.random.to_be_bytes(), &uid("ann"), grant, self.clock.now().instant)
    }

    fn show(
        &mut self,
        ticket: &Ticket,
        stream: &str,
        permission: Permission,
        connection: u64,
    ) -> Result<Option<ConnectionId>, TicketError> {
        let stream: StreamKey = stream.parse().unwrap();
        let now = self.clock.now().instant;
        let redeemed = self.tickets.redeem(ticket, &stream, permission, ConnectionId(connection), now)?;
        assert_eq!(redeemed.grant.stream(), &stream);
        Ok(redeemed.replaces)
    }

    fn publish(&mut self, ticket: &Ticket, connection: u64) -> Result<Option<ConnectionId>, TicketError> {
        self.show(ticket, "live/r1/ann", Permission::Publish, connection)
    }

    fn release(&mut self, ticket: &Ticket, connection: u64) {
        self.tickets.release(ticket, ConnectionId(connection), self.clock.now().instant);
    }

    fn wait(&mut self, time: Duration) {
        self.clock.ms += u64::try_from(time.as_millis()).unwrap();
    }
}

#[test]
fn a_ticket_is_for_one_stream_in_one_direction() {
    let mut desk = Desk::new(10);
    let (ticket, _) = desk.issue(publish()).unwrap();
    assert_eq!(desk.show(&ticket, "live/r1/ann", Permission::Play, 1), Err(TicketError::WrongDirection));
    for other in ["live/r1/bob", "live/r1/ann~screen", "live/r2/ann", "other/r1/ann"] {
        assert_eq!(
            desk.show(&ticket, other, Permission::Publish, 1),
            Err(TicketError::WrongStream),
            "{other}"
        );
    }
    assert_eq!(desk.publish(&ticket, 1), Ok(None));
}

#[test]
fn a_ticket_that_was_never_issued_is_refused() {
    let mut desk = Desk::new(10);
    let guess = Ticket::parse("qt1.00112233445566778899aabbccddeeff").unwrap();
    assert_eq!(desk.publish(&guess, 1), Err(TicketError::Invalid));
    for text in
        ["", "qt1.", "qt1.0011", "00112233445566778899aabbccddeeff", "qt1.00112233445566778899AABBCCDDEEFF"]
    {
        assert_eq!(Ticket::parse(text), None, "{text}");
    }
}

#[test]
fn a_ticket_reads_as_it_is_written_and_prints_nothing_of_itself() {
    let mut desk = Desk::new(10);
    let (ticket, _) = desk.issue(publish()).unwrap();
    assert_eq!(Ticket::parse(&ticket.expose()), Some(ticket.clone()));
    assert_eq!(format!("{ticket:?}"), "[ticket]");
    let digits = ticket.expose().split_off(4);
    assert!(!format!("{:?}", desk.tickets).contains(&digits));
}

#[test]
fn an_unused_ticket_expires() {
    let mut desk = Desk::new(10);
    let (ticket, _) = desk.issue(publish()).unwrap();
    desk.wait(UNUSED_LIFETIME - Duration::from_millis(1));
    assert_eq!(desk.publish(&ticket, 1), Ok(None));
    let (unused, _) = desk.issue(play("bob")).unwrap();
    desk.wait(UNUSED_LIFETIME);
    assert_eq!(desk.show(&unused, "live/r1/bob", Permission::Play, 2), Err(TicketError::Invalid));
    let now = desk.clock.now().instant;
    desk.tickets.sweep(now);
    assert_eq!(desk.tickets.len(), 1, "the one in use stays");
}

#[test]
fn three_tries_three_seconds_apart_find_the_ticket_valid() {
    let mut desk = Desk::new(10);
    let (ticket, _) = desk.issue(publish()).unwrap();
    desk.publish(&ticket, 1).unwrap();
    desk.wait(Duration::from_secs(600));
    desk.release(&ticket, 1);
    for attempt in 2..5 {
        desk.wait(Duration::from_secs(3));
        assert_eq!(desk.publish(&ticket, attempt), Ok(None));
        desk.release(&ticket, attempt);
    }
    desk.wait(RETRY_WINDOW);
    assert_eq!(desk.publish(&ticket, 5), Err(TicketError::Invalid));
}

#[test]
fn a_client_that_comes_back_early_replaces_its_own_connection() {
    let mut desk = Desk::new(10);
    let (ticket, _) = desk.issue(publish()).unwrap();
    desk.publish(&ticket, 1).unwrap();
    assert_eq!(desk.publish(&ticket, 2), Ok(Some(ConnectionId(1))));
    desk.release(&ticket, 1);
    desk.wait(RETRY_WINDOW * 2);
    assert_eq!(desk.publish(&ticket, 3), Ok(Some(ConnectionId(2))), "the older connection ended nothing");
}

#[test]
fn a_ticket_is_revoked_by_purpose() {
    let mut desk = Desk::new(10);
    let (mine, _) = desk.issue(publish()).unwrap();
    let (bobs, _) = desk.issue(play("bob")).unwrap();
    let (own, _) = desk.issue(play("ann")).unwrap();
    desk.publish(&mine, 1).unwrap();
    let (room, ann) = (key("r1"), uid("ann"));
    assert_eq!(desk.tickets.revoke(&room, &uid("bob"), &Revocation::All), []);
    assert_eq!(desk.tickets.revoke(&room, &ann, &Revocation::Publish(CAMERA)), [ConnectionId(1)]);
    assert_eq!(desk.publish(&mine, 2), Err(TicketError::Invalid));
    desk.show(&own, "live/r1/ann", Permission::Play, 3).unwrap();
    desk.tickets.revoke(&room, &ann, &Revocation::Play(uid("bob"), CAMERA));
    assert_eq!(desk.show(&bobs, "live/r1/bob", Permission::Play, 4), Err(TicketError::Invalid));
    assert_eq!(desk.tickets.revoke(&room, &ann, &Revocation::All), [ConnectionId(3)]);
    assert!(desk.tickets.is_empty());
}

#[test]
fn a_new_ticket_for_a_purpose_takes_the_place_of_the_old_one() {
    let mut desk = Desk::new(10);
    let (old, _) = desk.issue(publish()).unwrap();
    desk.publish(&old, 1).unwrap();
    let (new, replaced) = desk.issue(publish()).unwrap();
    assert_eq!(replaced, Some(ConnectionId(1)));
    assert_eq!(desk.publish(&old, 2), Err(TicketError::Invalid));
    assert_eq!(desk.publish(&new, 2), Ok(None));
    assert_eq!(desk.tickets.len(), 1);
}

#[test]
fn tickets_are_bounded_and_make_room_when_they_expire() {
    let mut desk = Desk::new(3);
    for of in ["a", "b", "c"] {
        desk.issue(play(of)).unwrap();
    }
    assert_eq!(desk.issue(play("d")).unwrap_err(), TicketError::TooMany);
    desk.wait(UNUSED_LIFETIME);
    desk.issue(play("d")).unwrap();
    assert_eq!(desk.tickets.len(), 1);

    let mut desk = Desk::new(1000);
    for number in 0..MAX_TICKETS_PER_PARTICIPANT {
        desk.issue(play(&format!("p{number}"))).unwrap();
    }
    assert_eq!(desk.issue(play("more")).unwrap_err(), TicketError::TooManyOfParticipant);
}
