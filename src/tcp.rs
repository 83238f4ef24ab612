//! What all TCP connections of clients have in common, and what the kernel does with their bytes.

use std::io;
use std::os::fd::AsFd;
use std::time::Duration;

use queqiao_media::governor::Probe;
use socket2::{SockRef, TcpKeepalive};
use tokio::net::TcpStream;

/// How long a connection is silent before the kernel asks whether its client is still there. A phone that has lost its
/// network says nothing, and a player that is sent nothing would never be missed.
const KEEPALIVE_AFTER: Duration = Duration::from_secs(15);

/// How long the kernel waits for each answer, and how often it asks.
const KEEPALIVE_INTERVAL: Duration = Duration::from_secs(5);
const KEEPALIVE_PROBES: u32 = 3;

/// How long what was sent may stay unacknowledged. The kernel's own limit is a quarter of an hour; after these seconds
/// a participant has left its room.
const USER_TIMEOUT: Duration = Duration::from_secs(20);

/// Prepares a connection that was accepted: what is written goes out at once, and a client that is gone is missed.
pub(crate) fn prepare(socket: &TcpStream) -> io::Result<()> {
    socket.set_nodelay(true)?;
    let socket = SockRef::from(socket);
    let keepalive = TcpKeepalive::new()
        .with_time(KEEPALIVE_AFTER)
        .with_interval(KEEPALIVE_INTERVAL)
        .with_retries(KEEPALIVE_PROBES);
    socket.set_tcp_keepalive(&keepalive)?;
    #[cfg(any(target_os = "linux", target_os = "android"))]
    socket.set_tcp_user_timeout(Some(USER_TIMEOUT))?;
    Ok(())
}

/// Bytes that the kernel takes beyond those that it can send at once. What waits in the kernel cannot be left out any
/// more; this is a tenth of a second of a phone's stream, and enough for the time until more is written.
const UNSENT: u32 = 8 * 1024;

/// Lets what cannot be sent yet wait with us.
pub(crate) fn keep_little_unsent(socket: &impl AsFd) -> io::Result<()> {
    SockRef::from(socket).set_tcp_notsent_lowat(UNSENT)
}

/// What the other end has acknowledged; `None` where the kernel does not say.
pub(crate) fn probe(socket: &impl AsFd) -> Option<Probe> {
    kernel::probe(socket)
}

#[cfg(target_os = "linux")]
mod kernel {
    use std::os::fd::AsFd;
    use std::time::Duration;

    use nix::getsockopt_impl;
    use nix::sys::socket::getsockopt;
    use nix::sys::socket::sockopt::GetStruct;
    use queqiao_media::governor::Probe;

    /// The beginning of `struct tcp_info` as Linux has it since version 4.6; later ones only append to it.
    #[repr(C)]
    #[derive(Clone, Copy, Debug)]
    struct TcpInfo {
        /// State, retransmissions, options and window scales.
        _state: [u8; 8],
        /// Timeouts, segment sizes and counts, times, windows: from `tcpi_rto` to `tcpi_total_retrans`.
        _segments: [u32; 24],
        /// `tcpi_pacing_rate` and `tcpi_max_pacing_rate`.
        _pacing: [u64; 2],
        /// `tcpi_bytes_acked`.
        bytes_acked: u64,
        /// `tcpi_bytes_received`.
        _bytes_received: u64,
        /// `tcpi_segs_out`, `tcpi_segs_in` and `tcpi_notsent_bytes`.
        _counts: [u32; 3],
        /// `tcpi_min_rtt`, in microseconds; all ones until there is one.
        min_rtt: u32,
    }

    #[derive(Clone, Copy, Debug)]
    struct Info;

    getsockopt_impl!(Info, libc::IPPROTO_TCP, libc::TCP_INFO, TcpInfo, GetStruct<TcpInfo>);

    pub(super) fn probe(socket: &impl AsFd) -> Option<Probe> {
        let info = getsockopt(socket, Info).ok()?;
        let rtt = if info.min_rtt == u32::MAX { 0 } else { info.min_rtt };
        Some(Probe { acked: info.bytes_acked, min_rtt: Duration::from_micros(rtt.into()) })
    }
}

#[cfg(not(target_os = "linux"))]
mod kernel {
    use std::os::fd::AsFd;

    use queqiao_media::governor::Probe;

    /// Other systems say it each in their own way; there only what waits with us is governed.
    pub(super) fn probe(_: &impl AsFd) -> Option<Probe> {
        None
    }
}

#[cfg(test)]
mod tests {
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    use tokio::net::TcpListener;

    use super::*;

    #[tokio::test]
    async fn a_client_that_is_gone_without_a_word_is_missed_within_half_a_minute() {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let _client = TcpStream::connect(listener.local_addr().unwrap()).await.unwrap();
        let (socket, _) = listener.accept().await.unwrap();
        prepare(&socket).unwrap();
        let socket = SockRef::from(&socket);
        let asked = socket.tcp_keepalive_interval().unwrap() * socket.tcp_keepalive_retries().unwrap();
        assert!(socket.keepalive().unwrap() && socket.tcp_nodelay().unwrap());
        assert!(socket.tcp_keepalive_time().unwrap() + asked <= Duration::from_secs(30));
        #[cfg(target_os = "linux")]
        assert_eq!(socket.tcp_user_timeout().unwrap(), Some(USER_TIMEOUT));
    }

    #[cfg(target_os = "linux")]
    #[tokio::test]
    async fn the_kernel_tells_what_the_other_end_has_acknowledged() {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let mut client = TcpStream::connect(listener.local_addr().unwrap()).await.unwrap();
        let (mut server, _) = listener.accept().await.unwrap();
        keep_little_unsent(&server).unwrap();
        server.write_all(&[7; 5_000]).await.unwrap();
        client.read_exact(&mut [0; 5_000]).await.unwrap();
        let probe = probe(&server).unwrap();
        assert_eq!(probe.acked, 5_000, "on loopback it is acknowledged as it is taken");
        assert!(probe.min_rtt < Duration::from_secs(1));
    }
}
