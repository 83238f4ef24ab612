//! The socket under an HTTP connection, seen from a response: hyper takes what it is given and says nothing of what has
//! become of it.

use std::future::poll_fn;
use std::io::{self, ErrorKind, IoSlice};
use std::net::Shutdown;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::task::{Context, Poll, ready};

use futures_util::task::AtomicWaker;
use queqiao_media::governor::Probe;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;

use crate::tcp;

/// What a handler sees of its connection's socket.
#[derive(Debug)]
pub(super) struct Outlet {
    stream: TcpStream,
    /// Bytes that the kernel has taken.
    written: AtomicU64,
    /// Set while the kernel takes no more.
    blocked: AtomicBool,
    waiting: AtomicWaker,
}

impl Outlet {
    /// Bytes that the kernel has taken since the connection was opened.
    pub(super) fn written(&self) -> u64 {
        self.written.load(Ordering::Relaxed)
    }

    /// Whether there is something that the kernel does not take.
    pub(super) fn is_blocked(&self) -> bool {
        self.blocked.load(Ordering::Relaxed)
    }

    /// Waits until the kernel has taken more.
    pub(super) async fn unblocked(&self) {
        poll_fn(|cx| {
            self.waiting.register(cx.waker());
            if self.is_blocked() { Poll::Pending } else { Poll::Ready(()) }
        })
        .await;
    }

    /// What the client's kernel has acknowledged; `None` where ours does not say.
    pub(super) fn probe(&self) -> Option<Probe> {
        tcp::probe(&self.stream)
    }

    /// Lets what cannot be sent yet wait with us.
    pub(super) fn keep_little_unsent(&self) -> io::Result<()> {
        tcp::keep_little_unsent(&self.stream)
    }

    /// Ends the connection of a client that does not read.
    pub(super) fn cut(&self) {
        // Whoever has gone already need not be cut.
        let _ = socket2::SockRef::from(&self.stream).shutdown(Shutdown::Both);
    }

    fn poll_write(
        &self,
        cx: &mut Context<'_>,
        mut write: impl FnMut(&TcpStream) -> io::Result<usize>,
    ) -> Poll<io::Result<usize>> {
        loop {
            let Poll::Ready(ready) = self.stream.poll_write_ready(cx) else {
                self.blocked.store(true, Ordering::Relaxed);
                return Poll::Pending;
            };
            ready?;
            match write(&self.stream) {
                Err(error) if error.kind() == ErrorKind::WouldBlock => {}
                result => {
                    self.written
                        .fetch_add(result.as_ref().map_or(0, |count| *count as u64), Ordering::Relaxed);
                    if self.blocked.swap(false, Ordering::Relaxed) {
                        self.waiting.wake();
                    }
                    return Poll::Ready(result);
                }
            }
        }
    }
}

/// The connection's end of an [`Outlet`].
pub(super) struct Tap(Arc<Outlet>);

impl Tap {
    pub(super) fn new(stream: TcpStream) -> (Self, Arc<Outlet>) {
        let (written, blocked, waiting) = (AtomicU64::new(0), AtomicBool::new(false), AtomicWaker::new());
        let outlet = Arc::new(Outlet { stream, written, blocked, waiting });
        (Self(Arc::clone(&outlet)), outlet)
    }
}

impl AsyncRead for Tap {
    fn poll_read(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let stream = &self.0.stream;
        loop {
            ready!(stream.poll_read_ready(cx))?;
            match stream.try_read_buf(buffer) {
                Err(error) if error.kind() == ErrorKind::WouldBlock => {}
                result => return Poll::Ready(result.map(|_| ())),
            }
        }
    }
}

impl AsyncWrite for Tap {
    fn poll_write(self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        self.0.poll_write(cx, |stream| stream.try_write(bytes))
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        slices: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        self.0.poll_write(cx, |stream| stream.try_write_vectored(slices))
    }

    fn is_write_vectored(&self) -> bool {
        true
    }

    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(match socket2::SockRef::from(&self.0.stream).shutdown(Shutdown::Write) {
            Err(error) if error.kind() != ErrorKind::NotConnected => Err(error),
            _ => Ok(()),
        })
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    use tokio::net::TcpListener;
    use tokio::time::timeout;

    use super::*;

    #[tokio::test]
    async fn a_response_learns_that_its_socket_is_blocked_and_when_it_goes_on() {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let mut client = TcpStream::connect(listener.local_addr().unwrap()).await.unwrap();
        let (mut tap, outlet) = Tap::new(listener.accept().await.unwrap().0);
        tap.write_all(b"0123456789").await.unwrap();
        assert_eq!((outlet.written(), outlet.is_blocked()), (10, false));
        outlet.unblocked().await;
        let rest = tokio::spawn(async move {
            tap.write_all(&[1; 32 << 20]).await.unwrap();
            tap.shutdown().await.unwrap();
            tap
        });
        while !outlet.is_blocked() {
            tokio::task::yield_now().await;
        }
        let reader = tokio::spawn(async move {
            let mut all = Vec::new();
            client.read_to_end(&mut all).await.unwrap();
            all.len()
        });
        timeout(Duration::from_secs(10), outlet.unblocked()).await.unwrap();
        assert_eq!(reader.await.unwrap(), 10 + (32 << 20));
        assert_eq!(outlet.written(), 10 + (32 << 20));
        drop(rest.await.unwrap());
    }
}
