//! `queqiao-link`: a bad network between a client and a server, on loopback.
//!
//!     queqiao-link udp|tcp ADDRESS [SEED]
//!
//! It listens on a free port of 127.0.0.1, says `{"port":…}`, and carries what comes there to ADDRESS and back. Each line of
//! JSON on standard input is an order, and is answered by one line with the counters of both directions, or an `error`.
//! It ends with its input. [`control::Order`] says what may be ordered.

mod control;
mod tcp;
mod udp;

use std::net::SocketAddr;
use std::process::ExitCode;
use std::time::{Duration, Instant};

use mio::{Events, Poll, Registry, Token};

use control::{Answer, Control, Order};

/// Wakes the loop for orders.
const CONTROL: Token = Token(0);
/// The socket that clients reach.
const FRONT: Token = Token(1);
/// The first of the sockets that belong to single clients.
const FIRST_CLIENT: usize = 2;

/// How many clients one link serves; what it is for has one or two.
const MAX_CLIENTS: usize = 256;

/// Events taken at once; more wait for the next turn.
const EVENTS: usize = 256;

/// What carries packets or bytes.
trait Link {
    /// Something can be read, written or accepted.
    fn ready(&mut self, registry: &Registry, token: Token, now: Duration) -> std::io::Result<()>;
    /// Hands over what is due.
    fn release(&mut self, registry: &Registry, now: Duration) -> std::io::Result<()>;
    /// When to be called again, at the latest.
    fn next_due(&self) -> Option<Duration>;
    /// Carries out an order.
    fn obey(&mut self, registry: &Registry, order: Order, now: Duration) -> Result<Answer, control::Error>;
}

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    match run(&arguments) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            control::complain(&*error);
            ExitCode::FAILURE
        }
    }
}

fn run(arguments: &[String]) -> Result<(), Box<dyn std::error::Error>> {
    let (kind, address, seed) = match arguments {
        [kind, address] => (kind, address, 1),
        [kind, address, seed] => (kind, address, seed.parse()?),
        _ => return Err("usage: queqiao-link udp|tcp ADDRESS [SEED]".into()),
    };
    let server: SocketAddr = address.parse()?;
    let mut poll = Poll::new()?;
    let (port, mut link): (u16, Box<dyn Link>) = match kind.as_str() {
        "udp" => {
            let link = udp::Udp::listen(poll.registry(), server, seed)?;
            (link.port()?, Box::new(link))
        }
        "tcp" => {
            let link = tcp::Tcp::listen(poll.registry(), server, seed)?;
            (link.port()?, Box::new(link))
        }
        _ => return Err(format!("{kind} is neither udp nor tcp").into()),
    };
    let control = Control::start(poll.registry(), CONTROL)?;
    control::say(&control::Ready { port })?;
    carry(&mut poll, link.as_mut(), &control)
}

fn carry(poll: &mut Poll, link: &mut dyn Link, control: &Control) -> Result<(), Box<dyn std::error::Error>> {
    let start = Instant::now();
    let mut events = Events::with_capacity(EVENTS);
    loop {
        let wait = link.next_due().map(|due| due.saturating_sub(start.elapsed()));
        if let Err(error) = poll.poll(&mut events, wait)
            && error.kind() != std::io::ErrorKind::Interrupted
        {
            return Err(error.into());
        }
        for event in &events {
            if event.token() != CONTROL {
                link.ready(poll.registry(), event.token(), start.elapsed())?;
            }
        }
        while let Some(line) = control.next() {
            let Some(line) = line else { return Ok(()) };
            let answer = control::parse(&line)
                .and_then(|order| link.obey(poll.registry(), order, start.elapsed()))
                .unwrap_or_else(Answer::from);
            control::say(&answer)?;
        }
        link.release(poll.registry(), start.elapsed())?;
    }
}
