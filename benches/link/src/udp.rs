//! UDP: one port for all clients, and for each of them a socket towards the server.

use std::collections::HashMap;
use std::io::ErrorKind;
use std::net::{Ipv4Addr, SocketAddr};
use std::time::Duration;

use mio::net::UdpSocket;
use mio::{Interest, Registry, Token};
use queqiao_link::{Conditions, Discipline, Path};
use socket2::{Domain, SockAddr, Socket, Type};

use crate::control::{Answer, Error, Order};
use crate::{FIRST_CLIENT, FRONT, Link, MAX_CLIENTS};

/// The largest datagram of UDP over IPv4.
const MAX_DATAGRAM: usize = 65_507;

/// What IPv4 and UDP add to a datagram on the wire.
const HEADERS: usize = 28;

/// Datagrams read from one socket before it is another one's turn.
const BATCH: usize = 64;

/// The kernel's buffers must never be what loses packets.
const KERNEL_BUFFER: usize = 4 << 20;

struct Client {
    address: SocketAddr,
    /// Towards the server.
    socket: UdpSocket,
}

/// A datagram, and whose it is: an index into the clients.
#[derive(Clone)]
struct Datagram {
    client: usize,
    bytes: Box<[u8]>,
}

pub(crate) struct Udp {
    server: SocketAddr,
    front: UdpSocket,
    clients: Vec<Client>,
    by_address: HashMap<SocketAddr, usize>,
    up: Path<Datagram>,
    down: Path<Datagram>,
    refused: u64,
    buffer: Vec<u8>,
}

fn socket() -> std::io::Result<UdpSocket> {
    let socket = Socket::new(Domain::IPV4, Type::DGRAM, None)?;
    socket.set_nonblocking(true)?;
    socket.set_recv_buffer_size(KERNEL_BUFFER)?;
    socket.set_send_buffer_size(KERNEL_BUFFER)?;
    socket.bind(&SockAddr::from(SocketAddr::from((Ipv4Addr::LOCALHOST, 0))))?;
    Ok(UdpSocket::from_std(socket.into()))
}

impl Udp {
    /// Listens on a free port. The two directions have chances of their own.
    pub(crate) fn listen(registry: &Registry, server: SocketAddr, seed: u64) -> Result<Self, Error> {
        let mut front = socket()?;
        registry.register(&mut front, FRONT, Interest::READABLE)?;
        Ok(Self {
            server,
            front,
            clients: Vec::new(),
            by_address: HashMap::new(),
            up: Path::new(Discipline::Drop, seed, Conditions::default())?,
            down: Path::new(Discipline::Drop, !seed, Conditions::default())?,
            refused: 0,
            buffer: vec![0; MAX_DATAGRAM],
        })
    }

    pub(crate) fn port(&self) -> std::io::Result<u16> {
        Ok(self.front.local_addr()?.port())
    }

    /// The client with an address, a new one where there is none; `None` where there is no place for it.
    fn client(&mut self, registry: &Registry, address: SocketAddr) -> std::io::Result<Option<usize>> {
        if let Some(client) = self.by_address.get(&address) {
            return Ok(Some(*client));
        }
        let client = self.clients.len();
        if client == MAX_CLIENTS {
            self.refused += 1;
            return Ok(None);
        }
        let mut socket = socket()?;
        registry.register(&mut socket, Token(FIRST_CLIENT + client), Interest::READABLE)?;
        self.clients.push(Client { address, socket });
        self.by_address.insert(address, client);
        Ok(Some(client))
    }

    /// Reads what clients sent. Gives whether there may be more.
    fn read_front(&mut self, registry: &Registry, now: Duration) -> std::io::Result<bool> {
        for _ in 0..BATCH {
            let (length, from) = match self.front.recv_from(&mut self.buffer) {
                Ok(read) => read,
                Err(error) if error.kind() == ErrorKind::WouldBlock => return Ok(false),
                Err(error) if is_echo(&error) => continue,
                Err(error) => return Err(error),
            };
            let Some(client) = self.client(registry, from)? else { continue };
            let bytes = self.buffer.get(..length).unwrap_or_default().into();
            self.up.send(now, length + HEADERS, Datagram { client, bytes });
        }
        Ok(true)
    }

    /// Reads what the server sent to a client. Gives whether there may be more.
    fn read_client(&mut self, client: usize, now: Duration) -> std::io::Result<bool> {
        let Some(Client { socket, .. }) = self.clients.get(client) else { return Ok(false) };
        for _ in 0..BATCH {
            let length = match socket.recv_from(&mut self.buffer) {
                // Only the server is on the other side.
                Ok((length, from)) if from == self.server => length,
                Ok(_) => continue,
                Err(error) if error.kind() == ErrorKind::WouldBlock => return Ok(false),
                Err(error) if is_echo(&error) => continue,
                Err(error) => return Err(error),
            };
            let bytes = self.buffer.get(..length).unwrap_or_default().into();
            self.down.send(now, length + HEADERS, Datagram { client, bytes });
        }
        Ok(true)
    }
}

/// Whether an error only tells that an earlier datagram reached nobody.
fn is_echo(error: &std::io::Error) -> bool {
    matches!(error.kind(), ErrorKind::ConnectionRefused | ErrorKind::Interrupted)
}

/// What cannot be sent is lost, as on any network; the path has counted it as passed, and the kernel's buffer is larger than
/// all that a path holds.
fn tolerate(sent: std::io::Result<usize>) -> std::io::Result<()> {
    match sent {
        Ok(_) => Ok(()),
        Err(error) if error.kind() == ErrorKind::WouldBlock || is_echo(&error) => Ok(()),
        Err(error) => Err(error),
    }
}

impl Link for Udp {
    fn ready(&mut self, registry: &Registry, token: Token, now: Duration) -> std::io::Result<()> {
        loop {
            let more = match token {
                FRONT => self.read_front(registry, now)?,
                Token(client) => self.read_client(client.saturating_sub(FIRST_CLIENT), now)?,
            };
            if !more {
                return Ok(());
            }
            self.release(registry, now)?;
        }
    }

    fn release(&mut self, _: &Registry, now: Duration) -> std::io::Result<()> {
        while let Some(Datagram { client, bytes }) = self.up.receive(now) {
            if let Some(client) = self.clients.get(client) {
                tolerate(client.socket.send_to(&bytes, self.server))?;
            }
        }
        while let Some(Datagram { client, bytes }) = self.down.receive(now) {
            if let Some(client) = self.clients.get(client) {
                tolerate(self.front.send_to(&bytes, client.address))?;
            }
        }
        Ok(())
    }

    fn next_due(&self) -> Option<Duration> {
        self.up.next_due().into_iter().chain(self.down.next_due()).min()
    }

    fn obey(&mut self, registry: &Registry, order: Order, now: Duration) -> Result<Answer, Error> {
        if order.refuse.is_some() {
            return Err(Error::Kind("refuse"));
        }
        if let Some(conditions) = order.up {
            self.up.change(now, conditions)?;
        }
        if let Some(conditions) = order.down {
            self.down.change(now, conditions)?;
        }
        if order.rebind {
            for (i, client) in self.clients.iter_mut().enumerate() {
                registry.deregister(&mut client.socket)?;
                client.socket = socket()?;
                registry.register(&mut client.socket, Token(FIRST_CLIENT + i), Interest::READABLE)?;
            }
        }
        let (up, down) = (self.up.counters(), self.down.counters());
        Ok(Answer { up, down, open: self.clients.len(), refused: self.refused, ..Answer::default() })
    }
}
