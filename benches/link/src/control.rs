//! Orders on standard input, answers on standard output.

use std::io::{BufRead, Write};
use std::sync::mpsc::{Receiver, sync_channel};

use mio::{Registry, Token, Waker};
use queqiao_link::{Conditions, Counters};
use serde::{Deserialize, Serialize};

/// Orders that may wait; each is answered before the next is of use.
const MAX_WAITING: usize = 64;

/// What can be ordered. An empty order asks for the counters.
#[derive(Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct Order {
    /// What is so from now on, towards the server.
    pub(crate) up: Option<Conditions>,
    /// What is so from now on, from the server.
    pub(crate) down: Option<Conditions>,
    /// UDP: packets reach the server from other ports from now on, as behind a router that has forgotten its table.
    pub(crate) rebind: bool,
    /// TCP: whether connections are refused. `true` breaks those that are there, by a reset.
    pub(crate) refuse: Option<bool>,
}

/// What is said when an order has been carried out, or has not.
#[derive(Debug, Default, Serialize)]
pub(crate) struct Answer {
    pub(crate) up: Counters,
    pub(crate) down: Counters,
    /// Clients, or connections, that are there now.
    pub(crate) open: usize,
    /// Clients, or connections, for which there was no place.
    pub(crate) refused: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) error: Option<String>,
}

impl From<Error> for Answer {
    fn from(error: Error) -> Self {
        Self { error: Some(error.to_string()), ..Self::default() }
    }
}

/// Why an order is not carried out.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Error {
    /// It is not an order.
    #[error("no order: {0}")]
    Order(#[from] serde_json::Error),
    /// There are no such conditions.
    #[error(transparent)]
    Conditions(#[from] queqiao_link::Error),
    /// This kind of link has no such order.
    #[error("{0} is not for this kind of link")]
    Kind(&'static str),
    /// The operating system refuses.
    #[error(transparent)]
    Io(#[from] std::io::Error),
}

/// The first line of output.
#[derive(Debug, Serialize)]
pub(crate) struct Ready {
    /// Where clients find the link, on 127.0.0.1.
    pub(crate) port: u16,
}

pub(crate) fn parse(line: &str) -> Result<Order, Error> {
    Ok(serde_json::from_str(line)?)
}

/// Writes one line of JSON.
pub(crate) fn say(message: &impl Serialize) -> std::io::Result<()> {
    let mut out = std::io::stdout().lock();
    serde_json::to_writer(&mut out, message)?;
    out.write_all(b"\n")?;
    out.flush()
}

/// Says why the program ends.
pub(crate) fn complain(error: &dyn std::error::Error) {
    // Nothing is left to be done when this cannot be said either.
    let _ = writeln!(std::io::stderr(), "queqiao-link: {error}");
}

/// Lines of standard input, read by a thread that wakes the loop.
pub(crate) struct Control {
    lines: Receiver<Option<String>>,
}

impl Control {
    pub(crate) fn start(registry: &Registry, token: Token) -> std::io::Result<Self> {
        let waker = Waker::new(registry, token)?;
        let (sender, lines) = sync_channel(MAX_WAITING);
        std::thread::Builder::new().name("orders".into()).spawn(move || {
            let input = std::io::stdin().lock().lines().map_while(Result::ok).map(Some);
            for line in input.chain([None]) {
                if sender.send(line).is_err() || waker.wake().is_err() {
                    return;
                }
            }
        })?;
        Ok(Self { lines })
    }

    /// The next line, if one waits; `Some(None)` at the end of the input.
    pub(crate) fn next(&self) -> Option<Option<String>> {
        self.lines.try_recv().ok()
    }
}
