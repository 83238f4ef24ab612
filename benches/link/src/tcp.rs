//! TCP: for each connection of a client one to the server, with buffers so small that the sender's kernel feels the path.

use std::io::{ErrorKind, Read, Write};
use std::net::{Ipv4Addr, Shutdown, SocketAddr};
use std::time::Duration;

use mio::net::{TcpListener, TcpStream};
use mio::{Interest, Registry, Token};
use queqiao_link::{Conditions, Counters, Discipline, Path};
use socket2::{Domain, SockAddr, SockRef, Socket, Type};

use crate::control::{Answer, Error, Order};
use crate::{FIRST_CLIENT, FRONT, Link, MAX_CLIENTS};

/// Bytes are carried in pieces of a segment's payload on Ethernet. The kernel is told too: by the 64 KiB of loopback it would
/// acknowledge what fills a small buffer only after a while.
const SEGMENT: usize = 1448;

/// What IPv4 and TCP with timestamps add to a segment on the wire.
const HEADERS: usize = 52;

/// What the kernel takes from a sender before the path has: it counts as delivered there, so it must be next to nothing: measured, it holds 4 KB. Linux
/// doubles the figure and uses half of it for its own records.
const KERNEL_BUFFER: usize = 4096;

/// Connections that wait to be accepted.
const BACKLOG: i32 = 64;

#[derive(Clone)]
enum Piece {
    Bytes(Box<[u8]>),
    /// The sender has no more.
    End,
}

/// One direction of a connection.
struct Way {
    path: Path<Piece>,
    /// Whether the kernel may have something to read.
    readable: bool,
    /// Whether the sender has ended.
    ended: bool,
    /// Arrived, and not yet taken by the receiver's kernel.
    arrived: Vec<u8>,
    /// Whether the receiver has been told of the end.
    closed: bool,
}

/// Both sides of a connection: the client's and the server's.
struct Connection {
    near: TcpStream,
    far: TcpStream,
    up: Way,
    down: Way,
}

pub(crate) struct Tcp {
    server: SocketAddr,
    seed: u64,
    listener: TcpListener,
    /// Two tokens each: of the client's side, and of the server's.
    connections: Vec<Option<Connection>>,
    accepted: u64,
    refusing: bool,
    refused: u64,
    up: Conditions,
    down: Conditions,
    /// Of connections that are no more.
    past: [Counters; 2],
}

fn small_buffers(socket: &SockRef<'_>) -> std::io::Result<()> {
    socket.set_tcp_mss(SEGMENT as u32)?;
    socket.set_recv_buffer_size(KERNEL_BUFFER)?;
    socket.set_send_buffer_size(KERNEL_BUFFER)
}

/// Connects, which on loopback takes no time.
fn connect(server: SocketAddr) -> std::io::Result<TcpStream> {
    let socket = Socket::new(Domain::for_address(server), Type::STREAM, None)?;
    // Before the handshake, in which the window's scale is agreed.
    small_buffers(&SockRef::from(&socket))?;
    socket.connect(&SockAddr::from(server))?;
    socket.set_nonblocking(true)?;
    socket.set_tcp_nodelay(true)?;
    Ok(TcpStream::from_std(socket.into()))
}

impl Way {
    fn new(seed: u64, conditions: Conditions) -> Result<Self, Error> {
        let path = Path::new(Discipline::Hold, seed, conditions)?;
        Ok(Self { path, readable: false, ended: false, arrived: Vec::new(), closed: false })
    }

    /// Moves what can be moved. Fails when either side is broken.
    fn carry(&mut self, from: &mut TcpStream, to: &mut TcpStream, now: Duration) -> std::io::Result<()> {
        loop {
            self.write(to, now)?;
            // What the receiver does not take must not be read from the sender either.
            if !self.arrived.is_empty() || !self.readable || self.ended || !self.read(from, now)? {
                return Ok(());
            }
        }
    }

    /// Takes a segment from the sender. Gives false when the path has no room for it.
    fn read(&mut self, from: &mut TcpStream, now: Duration) -> std::io::Result<bool> {
        let mut buffer = [0; SEGMENT];
        let room = self.path.room(now).saturating_sub(HEADERS).min(SEGMENT);
        let Some(part) = buffer.get_mut(..room).filter(|part| !part.is_empty()) else { return Ok(false) };
        match from.read(part) {
            Ok(0) => {
                self.ended = true;
                self.path.send(now, HEADERS, Piece::End);
            }
            Ok(length) => {
                let bytes = part.get(..length).unwrap_or_default().into();
                self.path.send(now, length + HEADERS, Piece::Bytes(bytes));
            }
            Err(error) if error.kind() == ErrorKind::WouldBlock => self.readable = false,
            Err(error) if error.kind() == ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
        Ok(true)
    }

    /// Takes from the path what has arrived, a piece at a time.
    fn write_due(&mut self, now: Duration) {
        while self.arrived.len() < SEGMENT {
            match self.path.receive(now) {
                Some(Piece::Bytes(bytes)) => self.arrived.extend_from_slice(&bytes),
                Some(Piece::End) => {
                    self.closed = true;
                    return;
                }
                None => return,
            }
        }
    }

    /// Hands over what is due, as far as the receiver takes it.
    fn write(&mut self, to: &mut TcpStream, now: Duration) -> std::io::Result<()> {
        loop {
            self.write_due(now);
            if self.arrived.is_empty() {
                break;
            }
            match to.write(&self.arrived) {
                Ok(length) => drop(self.arrived.drain(..length)),
                Err(error) if error.kind() == ErrorKind::WouldBlock => return Ok(()),
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
        if self.closed {
            // The receiver may have gone before it was told.
            let _ = to.shutdown(Shutdown::Write);
        }
        Ok(())
    }

    fn is_over(&self) -> bool {
        self.closed && self.arrived.is_empty()
    }

    fn next_due(&self) -> Option<Duration> {
        // While the receiver takes nothing, its kernel says when it does.
        if self.arrived.is_empty() { self.path.next_due() } else { None }
    }
}

impl Connection {
    /// Moves what can be moved in both directions.
    fn carry(&mut self, now: Duration) -> std::io::Result<()> {
        self.up.carry(&mut self.near, &mut self.far, now)?;
        self.down.carry(&mut self.far, &mut self.near, now)
    }

    fn is_over(&self) -> bool {
        self.up.is_over() && self.down.is_over()
    }

    /// Breaks both sides: whoever reads gets an error, not an end.
    fn reset(self) -> std::io::Result<()> {
        for socket in [&self.near, &self.far] {
            SockRef::from(socket).set_linger(Some(Duration::ZERO))?;
        }
        Ok(())
    }
}

fn add(to: &mut Counters, more: Counters) {
    to.passed += more.passed;
    to.bytes += more.bytes;
    to.late_ms = to.late_ms.max(more.late_ms);
}

impl Tcp {
    /// Listens on a free port.
    pub(crate) fn listen(registry: &Registry, server: SocketAddr, seed: u64) -> Result<Self, Error> {
        let socket = Socket::new(Domain::IPV4, Type::STREAM, None)?;
        // Those that are accepted inherit it.
        small_buffers(&SockRef::from(&socket))?;
        socket.set_nonblocking(true)?;
        socket.bind(&SockAddr::from(SocketAddr::from((Ipv4Addr::LOCALHOST, 0))))?;
        socket.listen(BACKLOG)?;
        let mut listener = TcpListener::from_std(socket.into());
        registry.register(&mut listener, FRONT, Interest::READABLE)?;
        Ok(Self {
            server,
            seed,
            listener,
            connections: Vec::new(),
            accepted: 0,
            refusing: false,
            refused: 0,
            up: Conditions::default(),
            down: Conditions::default(),
            past: [Counters::default(); 2],
        })
    }

    pub(crate) fn port(&self) -> std::io::Result<u16> {
        Ok(self.listener.local_addr()?.port())
    }

    fn accept(&mut self, registry: &Registry) -> std::io::Result<()> {
        loop {
            let near = match self.listener.accept() {
                Ok((near, _)) => near,
                Err(error) if error.kind() == ErrorKind::WouldBlock => return Ok(()),
                Err(error)
                    if matches!(error.kind(), ErrorKind::Interrupted | ErrorKind::ConnectionAborted) =>
                {
                    continue;
                }
                Err(error) => return Err(error),
            };
            let place = self.connections.iter().position(Option::is_none).unwrap_or(self.connections.len());
            let far = if self.refusing || place >= MAX_CLIENTS { None } else { connect(self.server).ok() };
            let Some(far) = far else {
                self.refused += 1;
                SockRef::from(&near).set_linger(Some(Duration::ZERO))?;
                continue;
            };
            self.open(registry, place, near, far)?;
        }
    }

    fn open(
        &mut self,
        registry: &Registry,
        place: usize,
        mut near: TcpStream,
        mut far: TcpStream,
    ) -> std::io::Result<()> {
        near.set_nodelay(true)?;
        let token = FIRST_CLIENT + 2 * place;
        let both = Interest::READABLE | Interest::WRITABLE;
        registry.register(&mut near, Token(token), both)?;
        registry.register(&mut far, Token(token + 1), both)?;
        // Each connection has chances of its own, in the order in which they came.
        self.accepted += 1;
        let seed = self.seed.wrapping_add(self.accepted << 1);
        let way =
            |seed, conditions: &Conditions| Way::new(seed, conditions.clone()).map_err(std::io::Error::other);
        let connection = Connection { near, far, up: way(seed, &self.up)?, down: way(!seed, &self.down)? };
        match self.connections.get_mut(place) {
            Some(free) => *free = Some(connection),
            None => self.connections.push(Some(connection)),
        }
        Ok(())
    }

    /// Moves what can be moved on one connection, and forgets it when it is over.
    fn carry(&mut self, place: usize, now: Duration) -> std::io::Result<()> {
        let Some(slot) = self.connections.get_mut(place) else { return Ok(()) };
        let Some(connection) = slot else { return Ok(()) };
        let broken = connection.carry(now).is_err();
        if !broken && !connection.is_over() {
            return Ok(());
        }
        if let Some(connection) = slot.take() {
            self.forget(connection, broken)?;
        }
        Ok(())
    }

    fn forget(&mut self, connection: Connection, broken: bool) -> std::io::Result<()> {
        let [up, down] = &mut self.past;
        add(up, connection.up.path.counters());
        add(down, connection.down.path.counters());
        if broken { connection.reset() } else { Ok(()) }
    }

    fn ways(&mut self) -> impl Iterator<Item = &mut Connection> {
        self.connections.iter_mut().flatten()
    }

    fn answer(&self) -> Answer {
        let [mut up, mut down] = self.past;
        for connection in self.connections.iter().flatten() {
            add(&mut up, connection.up.path.counters());
            add(&mut down, connection.down.path.counters());
        }
        let open = self.connections.iter().flatten().count();
        Answer { up, down, open, refused: self.refused, ..Answer::default() }
    }
}

impl Link for Tcp {
    fn ready(&mut self, registry: &Registry, token: Token, now: Duration) -> std::io::Result<()> {
        if token == FRONT {
            return self.accept(registry);
        }
        let index = token.0.saturating_sub(FIRST_CLIENT);
        if let Some(Some(connection)) = self.connections.get_mut(index / 2) {
            let way = if index.is_multiple_of(2) { &mut connection.up } else { &mut connection.down };
            way.readable = true;
        }
        self.carry(index / 2, now)
    }

    fn release(&mut self, _: &Registry, now: Duration) -> std::io::Result<()> {
        for place in 0..self.connections.len() {
            self.carry(place, now)?;
        }
        Ok(())
    }

    fn next_due(&self) -> Option<Duration> {
        let connections = self.connections.iter().flatten();
        connections
            .flat_map(|connection| [connection.up.next_due(), connection.down.next_due()])
            .flatten()
            .min()
    }

    fn obey(&mut self, _: &Registry, order: Order, now: Duration) -> Result<Answer, Error> {
        if order.rebind {
            return Err(Error::Kind("rebind"));
        }
        if let Some(conditions) = order.up {
            conditions.check_reliable()?;
            self.up = conditions.clone();
            for connection in self.ways() {
                connection.up.path.change(now, conditions.clone())?;
            }
        }
        if let Some(conditions) = order.down {
            conditions.check_reliable()?;
            self.down = conditions.clone();
            for connection in self.ways() {
                connection.down.path.change(now, conditions.clone())?;
            }
        }
        if let Some(refuse) = order.refuse {
            self.refusing = refuse;
        }
        if self.refusing {
            for place in 0..self.connections.len() {
                if let Some(connection) = self.connections.get_mut(place).and_then(Option::take) {
                    self.forget(connection, true)?;
                }
            }
        }
        Ok(self.answer())
    }
}
