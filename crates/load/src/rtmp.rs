//! RTMP publishers and players.

use std::sync::Arc;
use std::time::Instant;

use queqiao_rtmp::chunk::MediaKind;
use queqiao_rtmp::client::{Config, Event, Purpose, Session};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::sleep_until;

use crate::Error;
use crate::media::{AAC_SAMPLES, Due, FPS, GOP, Media, Pace, RATE};

const READ_BUFFER: usize = 64 * 1024;

struct Connection {
    socket: TcpStream,
    session: Session,
    buffer: Vec<u8>,
}

impl Connection {
    async fn open(purpose: Purpose, url: &str) -> Result<Self, Error> {
        let config = Config::from_url(purpose, url)
            .map_err(|_| Error::Url("not an RTMP URL of the form rtmp://host[:port]/app/name"))?;
        let socket = TcpStream::connect(config.authority()).await.map_err(Error::Connect)?;
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
    async fn read(&mut self) -> Result<Instant, Error> {
        let count = self.socket.read(&mut self.buffer).await?;
        let now = Instant::now();
        let Some(bytes @ [_, ..]) = self.buffer.get(..count) else { return Err(Error::Closed("rtmp")) };
        self.session.handle_input(bytes)?;
        Ok(now)
    }

    async fn flush(&mut self) -> Result<(), Error> {
        while let Some(bytes) = self.session.poll_output() {
            self.socket.write_all(&bytes).await?;
        }
        Ok(())
    }
}

/// Publishes until `sent` says that it is enough, or the task is dropped, from GOP number `first_gop` of the loop on. `sent`
/// is told of every frame just before it is written: once the write returns, the server may have been at work for a while.
///
/// # Errors
///
/// When the server refuses, or the connection breaks.
pub async fn publish(
    media: Arc<Media>,
    url: String,
    first_gop: u64,
    mut sent: impl FnMut(Due, Instant) -> bool + Send,
) -> Result<(), Error> {
    let mut connection = Connection::open(Purpose::Publish, &url).await?;
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
                let now = Instant::now();
                queue(&mut connection.session, &media, first_gop, due, now)?;
                let more = sent(due, now);
                if !more {
                    connection.session.stop();
                }
                connection.flush().await?;
                if !more {
                    return Ok(());
                }
                pace.advance(due);
            }
            read = connection.read() => {
                read?;
                connection.flush().await?;
            }
        }
    }
}

fn queue(session: &mut Session, media: &Media, first_gop: u64, due: Due, now: Instant) -> Result<(), Error> {
    // RTMP's clock wraps after 49 days.
    #[allow(clippy::cast_possible_truncation)]
    match due {
        Due::Video(number) => {
            let [head, sei, picture] = media.video_tag(first_gop * GOP + number, number as u32, now);
            let time = (number * 1000 / FPS) as u32;
            session.send_media(MediaKind::Video, time, &[&head, &sei, &picture])?;
        }
        Due::Audio(number) => {
            let time = (number * AAC_SAMPLES * 1000 / RATE) as u32;
            session.send_media(MediaKind::Audio, time, &[&[0xaf, 1], &media.aac(number)])?;
        }
    }
    Ok(())
}

/// Plays until `each` says that it is enough, or the task is dropped. `each` gets every event with its arrival.
///
/// # Errors
///
/// When the server refuses, or the connection breaks.
pub async fn play(url: String, mut each: impl FnMut(Instant, Event) -> bool + Send) -> Result<(), Error> {
    let mut connection = Connection::open(Purpose::Play, &url).await?;
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
