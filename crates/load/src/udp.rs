//! One UDP socket per WebRTC client, read and written in batches (`recvmmsg`, GRO, GSO), with the kernel's time of arrival.

use std::cell::RefCell;
use std::collections::VecDeque;
use std::io::{self, IoSliceMut};
use std::net::SocketAddr;
use std::time::{Duration, Instant, SystemTime};

use quinn_udp::{BATCH_SIZE, RecvMeta, Transmit, UdpSockRef, UdpSocketState};
use str0m::net::DatagramSend;
use tokio::io::Interest;

/// Room for the largest datagram, or for a train of smaller ones that the kernel hands over in one piece.
const RECEIVE_BUFFER: usize = 65_535;

/// Kernel buffer: keyframes of a room of thirty that come together have to fit until they are read.
const KERNEL_BUFFER: usize = 4 * 1024 * 1024;

/// How often a paced socket is read. Being woken by every datagram costs more than all that is done with it; arrival is
/// measured by the kernel. The server notices at most that feedback comes so much later.
const PACE: Duration = Duration::from_millis(4);

/// Batches read before others get their turn.
const MAX_BATCHES: usize = 16;

/// The longest train: the kernel's limit for one datagram.
const MAX_TRAIN: usize = 60_000;

thread_local! {
    /// Where datagrams are read into. Nothing stays in it from one read to the next.
    static BUFFERS: RefCell<Vec<Vec<u8>>> = RefCell::new(vec![vec![0; RECEIVE_BUFFER]; BATCH_SIZE]);
}

enum Readiness {
    /// Woken when something comes.
    Woken(tokio::net::UdpSocket),
    /// Looked at now and then.
    Paced { socket: std::net::UdpSocket, next: Instant },
}

/// The socket.
pub(crate) struct Udp {
    /// Empty only while it changes from one way to the other, and after that failed.
    readiness: Option<Readiness>,
    state: UdpSocketState,
    local: SocketAddr,
    outgoing: VecDeque<(SocketAddr, DatagramSend)>,
    train: Vec<u8>,
}

impl Udp {
    /// A socket from which `server` can be reached.
    pub(crate) fn bind(server: SocketAddr) -> io::Result<Self> {
        let any = match server {
            SocketAddr::V4(_) => SocketAddr::from(([0, 0, 0, 0], 0)),
            SocketAddr::V6(_) => SocketAddr::from(([0; 16], 0)),
        };
        // The address that packets to the server leave from; connecting UDP sends nothing.
        let probe = std::net::UdpSocket::bind(any)?;
        probe.connect(server)?;
        let socket = std::net::UdpSocket::bind((probe.local_addr()?.ip(), 0))?;
        let reference = socket2::SockRef::from(&socket);
        reference.set_nonblocking(true)?;
        // Refused where the system caps it lower; what it grants will do.
        let _ = reference.set_recv_buffer_size(KERNEL_BUFFER);
        let state = UdpSocketState::new(UdpSockRef::from(&socket))?;
        let local = socket.local_addr()?;
        let readiness = Some(Readiness::Woken(tokio::net::UdpSocket::from_std(socket)?));
        Ok(Self { readiness, state, local, outgoing: VecDeque::new(), train: Vec::new() })
    }

    pub(crate) fn local(&self) -> SocketAddr {
        self.local
    }

    /// Reads from now on at a pace instead of being woken.
    pub(crate) fn pace(&mut self, now: Instant) -> io::Result<()> {
        self.readiness = match self.readiness.take() {
            Some(Readiness::Woken(socket)) => {
                Some(Readiness::Paced { socket: socket.into_std()?, next: now })
            }
            paced => paced,
        };
        Ok(())
    }

    /// Waits until there may be something to read. Cancel safe.
    pub(crate) async fn readable(&self) -> io::Result<()> {
        match &self.readiness {
            Some(Readiness::Woken(socket)) => socket.readable().await,
            Some(Readiness::Paced { next, .. }) => {
                tokio::time::sleep_until((*next).into()).await;
                Ok(())
            }
            None => Err(io::ErrorKind::NotConnected.into()),
        }
    }

    /// Reads what is there; `each` gets every datagram with its source and arrival.
    pub(crate) fn receive(&mut self, mut each: impl FnMut(SocketAddr, &[u8], Instant)) -> io::Result<()> {
        let Self { readiness, state, .. } = self;
        let mut metas = [RecvMeta::default(); BATCH_SIZE];
        BUFFERS.with_borrow_mut(|buffers| {
            for _ in 0..MAX_BATCHES {
                let mut slices: smallvec::SmallVec<[IoSliceMut<'_>; BATCH_SIZE]> =
                    buffers.iter_mut().map(|buffer| IoSliceMut::new(buffer)).collect();
                let read = match readiness {
                    Some(Readiness::Woken(socket)) => socket.try_io(Interest::READABLE, || {
                        state.recv(UdpSockRef::from(&*socket), &mut slices, &mut metas)
                    }),
                    Some(Readiness::Paced { socket, .. }) => {
                        state.recv(UdpSockRef::from(&*socket), &mut slices, &mut metas)
                    }
                    None => Err(io::ErrorKind::NotConnected.into()),
                };
                drop(slices);
                let count = match read {
                    Ok(count) => count,
                    Err(error) if error.kind() == io::ErrorKind::WouldBlock => 0,
                    Err(error) => return Err(error),
                };
                let (now, wall) = (Instant::now(), SystemTime::now());
                let paced = matches!(readiness, Some(Readiness::Paced { .. }));
                for (meta, buffer) in metas.iter().zip(&*buffers).take(count) {
                    // Who is woken counts that as part of the way.
                    let arrival = if paced { arrival(meta.timestamp, now, wall) } else { now };
                    let data = buffer.get(..meta.len).unwrap_or_default();
                    for datagram in data.chunks(meta.stride.max(1)) {
                        each(meta.addr, datagram, arrival);
                    }
                }
                if count < BATCH_SIZE {
                    if let Some(Readiness::Paced { next, .. }) = readiness {
                        *next = now + PACE;
                    }
                    break;
                }
            }
            Ok(())
        })
    }

    /// Queues one datagram until [`Self::flush`].
    pub(crate) fn send(&mut self, destination: SocketAddr, contents: DatagramSend) {
        self.outgoing.push_back((destination, contents));
    }

    /// Sends what is queued. Runs of datagrams of equal size leave in one system call.
    pub(crate) fn flush(&mut self) -> io::Result<()> {
        while let Some((destination, first)) = self.outgoing.pop_front() {
            let size = first.len();
            self.train.clear();
            self.train.extend_from_slice(&first);
            let mut segments = 1;
            while let Some((_, next)) = self.outgoing.front().filter(|(to, next)| {
                *to == destination
                    && next.len() <= size
                    && self.train.len() == segments * size
                    && segments < self.state.max_gso_segments()
                    && self.train.len() + next.len() <= MAX_TRAIN
            }) {
                self.train.extend_from_slice(next);
                segments += 1;
                self.outgoing.pop_front();
            }
            let transmit = Transmit {
                destination,
                ecn: None,
                contents: &self.train,
                segment_size: (segments > 1).then_some(size),
                src_ip: None,
            };
            let sent = match &self.readiness {
                Some(Readiness::Woken(socket)) => socket
                    .try_io(Interest::WRITABLE, || self.state.try_send(UdpSockRef::from(socket), &transmit)),
                Some(Readiness::Paced { socket, .. }) => {
                    self.state.try_send(UdpSockRef::from(socket), &transmit)
                }
                None => Err(io::ErrorKind::NotConnected.into()),
            };
            match sent {
                // A full buffer, or nobody there yet: UDP may lose a datagram anywhere.
                Err(error)
                    if !matches!(
                        error.kind(),
                        io::ErrorKind::WouldBlock | io::ErrorKind::ConnectionRefused
                    ) =>
                {
                    return Err(error);
                }
                Ok(()) | Err(_) => {}
            }
        }
        Ok(())
    }
}

/// The kernel's time of arrival, which is one of day, on the clock that intervals are measured by.
fn arrival(timestamp: Option<Duration>, now: Instant, wall: SystemTime) -> Instant {
    timestamp
        .and_then(|since_1970| wall.duration_since(SystemTime::UNIX_EPOCH).ok()?.checked_sub(since_1970))
        .and_then(|ago| now.checked_sub(ago))
        .unwrap_or(now)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_kernels_time_of_day_becomes_an_instant() {
        let now = Instant::now();
        let wall = SystemTime::UNIX_EPOCH + Duration::from_secs(1000);
        assert_eq!(arrival(Some(Duration::from_millis(999_990)), now, wall), now - Duration::from_millis(10));
        assert_eq!(arrival(None, now, wall), now);
        assert_eq!(arrival(Some(Duration::from_secs(2000)), now, wall), now, "a clock that was set back");
    }
}
