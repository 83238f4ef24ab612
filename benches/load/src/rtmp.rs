//! RTMP publishers and players.

use std::sync::Arc;
use std::time::Instant;

use anyhow::{Context, Result, bail};
use queqiao_rtmp::chunk::MediaKind;
use queqiao_rtmp::client::{Config, Event, Purpose, Session};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::sleep_until;

use crate::media::{AAC_SAMPLES, Due, FPS, GOP, Media, Pace, RATE, Times};

const READ_BUFFER: usize = 64 * 1024;

struct Connection {
    socket: TcpStream,
    session: Session,
    buffer: Vec<u8>,
}

impl Connection {
    async fn open(purpose: Purpose, url: &str) -> Result<Self> {
        let config = Config::from_url(purpose, url)?;
        let socket = TcpStream::connect(config.authority()).await?;
        socket.set_nodelay(true)?;
        let mut connection = Self { socket, session: Session::new(config), buffer: vec![0; READ_BUFFER] };
        connection.flush().await?;
        while !connection.session.is_running() {
            connection.read().await?;
            connection.flush().await?;
        }
        Ok(connection)
    }

    /// Takes what has arrived, and returns when.
    async fn read(&mut self) -> Result<Instant> {
        let count = self.socket.read(&mut self.buffer).await?;
        let now = Instant::now();
        let Some(bytes @ [_, ..]) = self.buffer.get(..count) else {
            bail!("the server closed the connection")
        };
        self.session.handle_input(bytes)?;
        Ok(now)
    }

    async fn flush(&mut self) -> Result<()> {
        while let Some(bytes) = self.session.poll_output() {
            self.socket.write_all(&bytes).await?;
        }
        Ok(())
    }
}

/// When a publisher began to write each frame.
#[derive(Clone, Default)]
pub(crate) struct Sent {
    pub(crate) video: Times,
    pub(crate) audio: Times,
}

/// Publishes until it is dropped, from GOP number `first_gop` of the loop on.
pub(crate) async fn publish(media: Arc<Media>, url: String, first_gop: u64, sent: Sent) -> Result<()> {
    let mut connection = Connection::open(Purpose::Publish, &url).await.with_context(|| url.clone())?;
    connection.session.send_media(MediaKind::Video, 0, &[&media.video_header])?;
    connection.session.send_media(MediaKind::Audio, 0, &[&media.audio_header])?;
    connection.flush().await?;
    let start = Instant::now();
    let mut pace = Pace::new(AAC_SAMPLES);
    loop {
        let (offset, due) = pace.next();
        let at = start + offset;
        tokio::select! {
            biased;
            () = sleep_until(at.into()) => {
                send(&mut connection, &media, first_gop, due, &sent).await?;
                pace.advance(due);
            }
            read = connection.read() => {
                read?;
                connection.flush().await?;
            }
        }
    }
}

async fn send(
    connection: &mut Connection,
    media: &Media,
    first_gop: u64,
    due: Due,
    sent: &Sent,
) -> Result<()> {
    let session = &mut connection.session;
    let (times, number) = match due {
        Due::Video(number) => {
            let [head, sei, picture] = media.video_tag(first_gop * GOP + number, u32::try_from(number)?);
            let time = u32::try_from(number * 1000 / FPS)?;
            session.send_media(MediaKind::Video, time, &[&head, &sei, &picture])?;
            (&sent.video, number)
        }
        Due::Audio(number) => {
            let time = u32::try_from(number * AAC_SAMPLES * 1000 / RATE)?;
            session.send_media(MediaKind::Audio, time, &[&[0xaf, 1], &media.aac(number)])?;
            (&sent.audio, number)
        }
    };
    // Before the write: once it returns, the server may have been at work for a while.
    times.note(number, Instant::now());
    connection.flush().await
}

/// Plays until `each` says that it is enough, or the task is dropped. `each` gets every event with its arrival.
pub(crate) async fn play(url: String, mut each: impl FnMut(Instant, Event) -> bool + Send) -> Result<()> {
    let mut connection = Connection::open(Purpose::Play, &url).await.with_context(|| url.clone())?;
    let mut now = Instant::now();
    loop {
        while let Some(event) = connection.session.poll_event() {
            if !each(now, event) {
                connection.session.stop();
                return connection.flush().await;
            }
        }
        connection.flush().await?;
        now = connection.read().await?;
    }
}
