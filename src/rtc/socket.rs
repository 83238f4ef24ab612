//! The UDP socket of one worker: batched reads and writes over one port that all workers share.

use std::io::{self, IoSliceMut};
use std::net::{IpAddr, SocketAddr};

use quinn_udp::{BATCH_SIZE, RecvMeta, Transmit, UdpSockRef, UdpSocketState};
use socket2::{Domain, Protocol, Socket as RawSocket, Type};
use str0m::net::DatagramSend;
use tracing::{debug, trace};

/// Room for the largest datagram, or for a train of smaller ones that the kernel hands over in one piece.
const RECEIVE_BUFFER: usize = 65_535;

/// Kernel buffers: a burst of keyframes to a hundred viewers has to fit.
const KERNEL_BUFFER: usize = 4 * 1024 * 1024;

/// Datagrams, or trains of them, read in one system call.
const BATCH: usize = if BATCH_SIZE < 8 { BATCH_SIZE } else { 8 };

/// What one read brought.
pub(super) struct Batch {
    buffers: Vec<Vec<u8>>,
    metas: [RecvMeta; BATCH],
    count: usize,
}

impl Default for Batch {
    fn default() -> Self {
        Self {
            buffers: (0..BATCH).map(|_| vec![0; RECEIVE_BUFFER]).collect(),
            metas: [RecvMeta::default(); BATCH],
            count: 0,
        }
    }
}

impl Batch {
    /// Each datagram with its source.
    pub(super) fn datagrams(&self) -> impl Iterator<Item = (SocketAddr, &[u8])> {
        self.metas.iter().zip(&self.buffers).take(self.count).flat_map(|(meta, buffer)| {
            let data = buffer.get(..meta.len).unwrap_or_default();
            data.chunks(meta.stride.max(1)).map(|datagram| (meta.addr, datagram))
        })
    }
}

/// One worker's socket.
pub(super) struct Socket {
    socket: mio::net::UdpSocket,
    state: UdpSocketState,
    local: SocketAddr,
    queue: Vec<Outgoing>,
    train: Vec<u8>,
    send_failures: u64,
}

struct Outgoing {
    source: IpAddr,
    destination: SocketAddr,
    contents: DatagramSend,
}

impl Socket {
    /// Binds `address`, shared with the sockets of the other workers.
    pub(super) fn bind(address: SocketAddr) -> io::Result<Self> {
        let socket = RawSocket::new(Domain::for_address(address), Type::DGRAM, Some(Protocol::UDP))?;
        #[cfg(all(unix, not(target_os = "solaris")))]
        socket.set_reuse_port(true)?;
        socket.set_nonblocking(true)?;
        socket.bind(&address.into())?;
        // Refused where the system caps it lower; what it grants will do.
        let _ = socket.set_recv_buffer_size(KERNEL_BUFFER);
        let _ = socket.set_send_buffer_size(KERNEL_BUFFER);
        let socket: std::net::UdpSocket = socket.into();
        let state = UdpSocketState::new(UdpSockRef::from(&socket))?;
        let local = socket.local_addr()?;
        Ok(Self {
            socket: mio::net::UdpSocket::from_std(socket),
            state,
            local,
            queue: Vec::new(),
            train: Vec::new(),
            send_failures: 0,
        })
    }

    pub(super) fn local(&self) -> SocketAddr {
        self.local
    }

    pub(super) fn source(&mut self) -> &mut mio::net::UdpSocket {
        &mut self.socket
    }

    /// Reads what is there into `batch`. Returns whether there may be more.
    pub(super) fn receive(&mut self, batch: &mut Batch) -> bool {
        let mut slices: smallvec::SmallVec<[IoSliceMut<'_>; BATCH]> =
            batch.buffers.iter_mut().map(|buffer| IoSliceMut::new(buffer)).collect();
        batch.count = match self.state.recv(UdpSockRef::from(&self.socket), &mut slices, &mut batch.metas) {
            Ok(count) => count,
            Err(error) => {
                if error.kind() != io::ErrorKind::WouldBlock {
                    debug!(%error, "UDP receive failed");
                }
                0
            }
        };
        // Fewer than there was room for: the kernel had no more, and says so when it has again.
        batch.count == BATCH
    }

    /// Queues one datagram until [`Self::flush`].
    pub(super) fn send(&mut self, source: IpAddr, destination: SocketAddr, contents: DatagramSend) {
        self.queue.push(Outgoing { source, destination, contents });
    }

    /// Sends everything queued. Runs of equal size to one peer leave in one system call.
    pub(super) fn flush(&mut self) {
        let queue = std::mem::take(&mut self.queue);
        let mut rest = queue.as_slice();
        while let Some(first) = rest.first() {
            let run = run_length(rest, self.state.max_gso_segments());
            let (head, tail) = rest.split_at(run);
            rest = tail;
            self.send_run(first, head);
        }
        self.queue = queue;
        self.queue.clear();
    }

    fn send_run(&mut self, first: &Outgoing, run: &[Outgoing]) {
        let contents: &[u8] = if run.len() == 1 {
            &first.contents
        } else {
            self.train.clear();
            for outgoing in run {
                self.train.extend_from_slice(&outgoing.contents);
            }
            &self.train
        };
        let transmit = Transmit {
            destination: first.destination,
            ecn: None,
            contents,
            segment_size: (run.len() > 1).then(|| first.contents.len()),
            src_ip: (!first.source.is_unspecified() && self.local.ip().is_unspecified())
                .then_some(first.source),
        };
        if let Err(error) = self.state.try_send(UdpSockRef::from(&self.socket), &transmit) {
            // UDP may lose a datagram anywhere: retransmission is what repairs it.
            self.send_failures += 1;
            if self.send_failures.is_power_of_two() {
                debug!(%error, failures = self.send_failures, "UDP send failed");
            }
        }
        trace!(destination = %first.destination, datagrams = run.len(), "sent");
    }
}

/// How many datagrams from the front of `queue` can leave as one train: all of one size to one peer, of which
/// only the last may be shorter.
fn run_length(queue: &[Outgoing], max_segments: usize) -> usize {
    let Some(first) = queue.first() else { return 0 };
    // The kernel refuses trains of more than a datagram's maximal size.
    let max_segments = max_segments.min(RECEIVE_BUFFER / 2 / first.contents.len().max(1)).max(1);
    let mut run = 1;
    for next in queue.iter().skip(1).take(max_segments - 1) {
        if next.destination != first.destination || next.contents.len() > first.contents.len() {
            break;
        }
        run += 1;
        if next.contents.len() < first.contents.len() {
            break;
        }
    }
    run
}

#[cfg(test)]
mod tests {
    use super::*;

    fn outgoing(port: u16, length: usize) -> Outgoing {
        Outgoing {
            source: IpAddr::from([127, 0, 0, 1]),
            destination: SocketAddr::from(([127, 0, 0, 1], port)),
            contents: vec![0; length].into(),
        }
    }

    #[test]
    fn a_train_ends_with_its_first_shorter_datagram_or_another_peer() {
        let queue = [outgoing(1, 100), outgoing(1, 100), outgoing(1, 60), outgoing(1, 100), outgoing(2, 100)];
        assert_eq!(run_length(&queue, 64), 3);
        assert_eq!(run_length(&queue[3..], 64), 1);
        assert_eq!(run_length(&queue, 2), 2);
        assert_eq!(run_length(&queue, 1), 1);
        assert_eq!(run_length(&[outgoing(1, 60), outgoing(1, 100)], 64), 1);
    }
}
