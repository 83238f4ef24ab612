//! The TCP socket of a connection, attached to its thread's reactor or detached from it.
//!
//! An attached socket wakes its thread for every segment that arrives. A publisher that nobody plays is detached
//! and read now and then instead.

use std::future::poll_fn;
use std::io::{self, ErrorKind, IoSlice, Read};
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use queqiao_media::governor::Probe;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWriteExt, ReadBuf};
use tokio::net::TcpStream;

use crate::tcp;

enum State {
    Attached(TcpStream),
    Detached(std::net::TcpStream),
    /// A move from one to the other has failed.
    Broken,
}

/// The socket.
pub(super) struct Socket {
    state: State,
    /// Bytes that the kernel has taken.
    written: u64,
}

/// What an attached socket is ready for.
pub(super) enum Ready {
    /// This many bytes were read; none at the end of the stream.
    Read(usize),
    Write,
}

impl Socket {
    pub(super) fn new(stream: TcpStream) -> Self {
        Self { state: State::Attached(stream), written: 0 }
    }

    /// Bytes that the kernel has taken since the connection was opened.
    pub(super) fn written(&self) -> u64 {
        self.written
    }

    /// What the client's kernel has acknowledged; `None` where ours does not say.
    pub(super) fn probe(&self) -> Option<Probe> {
        match &self.state {
            State::Attached(stream) => tcp::probe(stream),
            State::Detached(_) | State::Broken => None,
        }
    }

    /// Lets what cannot be sent yet wait with us.
    pub(super) fn keep_little_unsent(&mut self) -> io::Result<()> {
        tcp::keep_little_unsent(self.attached()?)
    }

    /// Takes the socket out of the reactor: from now on only [`Self::read_waiting`] works.
    pub(super) fn detach(&mut self) -> io::Result<()> {
        if let State::Attached(stream) = std::mem::replace(&mut self.state, State::Broken) {
            self.state = State::Detached(stream.into_std()?);
        }
        Ok(())
    }

    /// Gives the socket back to the reactor.
    pub(super) fn attach(&mut self) -> io::Result<()> {
        if let State::Detached(stream) = std::mem::replace(&mut self.state, State::Broken) {
            self.state = State::Attached(TcpStream::from_std(stream)?);
        }
        Ok(())
    }

    /// Reads what has arrived at a detached socket: `None` where nothing has.
    pub(super) fn read_waiting(&mut self, buffer: &mut [u8]) -> io::Result<Option<usize>> {
        let State::Detached(stream) = &mut self.state else { return Err(not_connected()) };
        match stream.read(buffer) {
            Ok(count) => Ok(Some(count)),
            Err(error) if matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::Interrupted) => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// Reads into `buffer`, or waits until something can be written if that is wanted; whatever is possible first.
    pub(super) async fn ready(&mut self, buffer: &mut [u8], write: bool) -> io::Result<Ready> {
        let stream = self.attached()?;
        poll_fn(|cx| {
            if write && let Poll::Ready(result) = stream.poll_write_ready(cx) {
                return Poll::Ready(result.map(|()| Ready::Write));
            }
            poll_read(stream, cx, buffer).map_ok(Ready::Read)
        })
        .await
    }

    /// Writes what the kernel takes without waiting; `None` where it takes nothing.
    pub(super) fn try_write(&mut self, slices: &[IoSlice<'_>]) -> io::Result<Option<usize>> {
        match self.attached()?.try_write_vectored(slices) {
            Ok(count) => {
                self.written += count as u64;
                Ok(Some(count))
            }
            Err(error) if error.kind() == ErrorKind::WouldBlock => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// Writes all of `bytes`.
    pub(super) async fn write_all(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.attached()?.write_all(bytes).await?;
        self.written += bytes.len() as u64;
        Ok(())
    }

    /// Ends the stream, and reads what is still on its way: unread input would make the kernel reset the connection,
    /// and the client lose our last words.
    pub(super) async fn close(&mut self) -> io::Result<()> {
        let stream = self.attached()?;
        stream.shutdown().await?;
        let mut rest = [0; 1024];
        while stream.read(&mut rest).await? > 0 {}
        Ok(())
    }

    fn attached(&mut self) -> io::Result<&mut TcpStream> {
        match &mut self.state {
            State::Attached(stream) => Ok(stream),
            State::Detached(_) | State::Broken => Err(not_connected()),
        }
    }
}

fn poll_read(stream: &mut TcpStream, cx: &mut Context<'_>, buffer: &mut [u8]) -> Poll<io::Result<usize>> {
    let mut buffer = ReadBuf::new(buffer);
    ready!(Pin::new(stream).poll_read(cx, &mut buffer))?;
    Poll::Ready(Ok(buffer.filled().len()))
}

fn not_connected() -> io::Error {
    ErrorKind::NotConnected.into()
}

#[cfg(test)]
mod tests {
    use tokio::net::TcpListener;

    use super::*;

    async fn pair() -> (TcpStream, Socket) {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let client = TcpStream::connect(listener.local_addr().unwrap()).await.unwrap();
        (client, Socket::new(listener.accept().await.unwrap().0))
    }

    async fn read(socket: &mut Socket) -> Vec<u8> {
        let mut buffer = [0; 16];
        let Ok(Ready::Read(count)) = socket.ready(&mut buffer, false).await else { panic!("not read") };
        buffer[..count].to_vec()
    }

    #[tokio::test]
    async fn what_arrives_at_a_detached_socket_waits_and_is_read_once_attached() {
        let (mut client, mut socket) = pair().await;
        socket.detach().unwrap();
        let mut buffer = [0; 16];
        assert_eq!(socket.read_waiting(&mut buffer).unwrap(), None);
        client.write_all(b"frame").await.unwrap();
        socket.attach().unwrap();
        assert_eq!(read(&mut socket).await, b"frame");
        assert!(socket.read_waiting(&mut buffer).is_err(), "attached");
    }

    #[tokio::test]
    async fn a_detached_socket_yields_what_has_arrived_and_then_the_end() {
        let (mut client, mut socket) = pair().await;
        client.write_all(b"frame").await.unwrap();
        drop(client);
        // The end has arrived once the reactor says so.
        assert_eq!(read(&mut socket).await, b"frame");
        assert_eq!(read(&mut socket).await, b"");
        socket.detach().unwrap();
        assert_eq!(socket.read_waiting(&mut [0; 16]).unwrap(), Some(0));
        assert!(socket.try_write(&[IoSlice::new(b"x")]).is_err(), "detached");
    }
}
