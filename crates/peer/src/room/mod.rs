//! What the application holds.

mod actor;
mod socket;

use queqiao_media::frame::{AccessUnit, OpusPacket};
use queqiao_media::layers::{Layer, LayerSet};
use queqiao_room::signal::{
    Attributes, Content, Hidden, MediaKind, MuteOk, ParticipantInfo, Publish, RenewTokenOk, Request,
    SendMessageOk, SetRoleOk, Subscribe, TrackState, Tracks as Kinds, UserId,
};
use queqiao_room::{Role, StreamKind, Uid, UnixSeconds};
use serde::de::DeserializeOwned;
use tokio::sync::{Mutex, mpsc, oneshot};

use crate::config::Config;
use crate::error::{Error, Result};
use crate::event::Event;
use crate::media::publication::{self, Tracks};
use crate::media::reception::{self, Frames};
use crate::media::{Frame, Statistics};
use actor::{Command, Dropped, Ends};

/// How many events wait to be pulled: everybody of a room of hundreds joins at once, with a stream each.
const MAX_EVENTS: usize = 1024;

/// How many requests wait to be looked at.
const MAX_COMMANDS: usize = 32;

/// A room that was joined. Dropping it leaves the room.
#[derive(Debug)]
pub struct Room {
    commands: mpsc::Sender<Command>,
    /// Bounded by the handles that there are: each was granted by the server.
    dropped: mpsc::UnboundedSender<Dropped>,
    events: Mutex<mpsc::Receiver<Event>>,
}

impl Room {
    /// Joins a room.
    ///
    /// # Errors
    ///
    /// [`Error::Refused`] says why the server does not let this participant in, [`Error::Unreachable`] that it was
    /// tried three times.
    pub async fn join(config: Config) -> Result<Self> {
        let (commands, command_receiver) = mpsc::channel(MAX_COMMANDS);
        let (dropped, dropped_receiver) = mpsc::unbounded_channel();
        let (event_sender, events) = mpsc::channel(MAX_EVENTS);
        let (joined_sender, joined) = oneshot::channel();
        let ends = Ends {
            commands: command_receiver,
            dropped: dropped_receiver,
            events: event_sender,
            joined: joined_sender,
        };
        let (join, bind, url) = (config.join(), config.addresses(), config.url().to_owned());
        tokio::spawn(actor::run(url, join, bind, ends));
        joined.await.map_err(|_| Error::Left)??;
        Ok(Self { commands, dropped, events: Mutex::new(events) })
    }

    /// What happens next in the room. None after [`Event::Ended`].
    ///
    /// Events are for one task: another that waits here at the same time gets those that the first does not.
    pub async fn next_event(&self) -> Option<Event> {
        self.events.lock().await.recv().await
    }

    /// Everybody else in the room as it is now, by uid.
    ///
    /// # Errors
    ///
    /// [`Error::Left`] when the session is over.
    pub async fn participants(&self) -> Result<Vec<ParticipantInfo>> {
        self.look(Command::Participants).await
    }

    /// Who this participant is in the room: its uid, its role, and whether it is an admin.
    ///
    /// # Errors
    ///
    /// [`Error::Left`] when the session is over.
    pub async fn me(&self) -> Result<(UserId, Option<Role>, bool)> {
        let me = self.look(Command::Me).await?;
        Ok((me.uid, me.role, me.admin))
    }

    /// Publishes a stream with these tracks. Dropping the publisher ends it.
    ///
    /// # Errors
    ///
    /// [`Error::AlreadyPublished`], or the server's refusal: `not_host` for the audience.
    pub async fn publish(&self, stream: StreamKind, kinds: Kinds) -> Result<Publisher> {
        let (audio, video) = (kinds.has(MediaKind::Audio), kinds.has(MediaKind::Video));
        let (end, tracks) = publication::pair(audio, video);
        let request =
            Publish { stream, audio, video, layers: LayerSet::SINGLE, attributes: Attributes::new() };
        let number = rand::random();
        let dropped = self.dropped.clone();
        self.ask_by(|reply| Command::Publish(number, request, end, reply)).await?;
        let guard = Guard { dropped, handle: Dropped::Publisher(stream, number) };
        Ok(Publisher { tracks, guard })
    }

    /// Receives a stream of somebody else. Dropping the subscription ends it.
    ///
    /// # Errors
    ///
    /// [`Error::AlreadySubscribed`], or the server's refusal: `no_such_stream` if there is none.
    pub async fn subscribe(&self, uid: &Uid, stream: StreamKind) -> Result<Subscription> {
        let (end, frames) = reception::pair();
        let request =
            Subscribe { uid: uid.clone(), stream, audio: true, video: true, max_layer: Layer::High };
        let number = rand::random();
        let dropped = self.dropped.clone();
        self.ask_by(|reply| Command::Subscribe(number, request, end, reply)).await?;
        let guard = Guard { dropped, handle: Dropped::Subscription(uid.clone(), stream, number) };
        Ok(Subscription { frames, guard })
    }

    /// Holds a track of one's own back, or lets it go. Returns how it is now: an admin may block it.
    ///
    /// # Errors
    ///
    /// The server's refusal.
    pub async fn mute(&self, stream: StreamKind, kind: MediaKind, muted: bool) -> Result<TrackState> {
        let reply: MuteOk = self.ask(Request::Mute { uid: None, stream, kind, muted }).await?;
        Ok(reply.state)
    }

    /// Holds a track of somebody else back, or lets it go. For admins.
    ///
    /// # Errors
    ///
    /// The server's refusal: `not_admin`.
    pub async fn mute_other(
        &self,
        uid: &Uid,
        stream: StreamKind,
        kind: MediaKind,
        muted: bool,
    ) -> Result<TrackState> {
        let reply: MuteOk = self.ask(Request::Mute { uid: Some(uid.clone()), stream, kind, muted }).await?;
        Ok(reply.state)
    }

    /// Becomes a host or one of the audience, which ends what is published.
    ///
    /// # Errors
    ///
    /// The server's refusal: `role_not_allowed`.
    pub async fn set_role(&self, role: Role) -> Result<Role> {
        let reply: SetRoleOk = self.ask(Request::SetRole { role }).await?;
        Ok(reply.role)
    }

    /// Shows a new token before the old one expires. Returns when it expires, if it does.
    ///
    /// # Errors
    ///
    /// The server's refusal.
    pub async fn renew_token(&self, token: impl Into<String>) -> Result<Option<UnixSeconds>> {
        let token = Hidden(token.into());
        let reply: RenewTokenOk = self.ask(Request::RenewToken { token }).await?;
        Ok(reply.token_expires)
    }

    /// Says something to one, or to all others. Returns the number of the message.
    ///
    /// # Errors
    ///
    /// The server's refusal; [`Error::OutcomeUnknown`] if the connection broke before the answer.
    pub async fn send_message(&self, content: Content, to: Option<&Uid>) -> Result<u64> {
        let request = Request::SendMessage { to: to.cloned(), content };
        let reply: SendMessageOk = self.ask(request).await?;
        Ok(reply.message_id)
    }

    /// Sets an attribute of the room, or removes it without a value.
    ///
    /// # Errors
    ///
    /// The server's refusal.
    pub async fn set_room_attribute(&self, key: &str, value: Option<&str>) -> Result<()> {
        let (key, value) = (key.to_owned(), value.map(str::to_owned));
        self.ask_by(|reply| Command::Ask(Request::SetRoomAttribute { key, value }, reply)).await.map(drop)
    }

    /// Removes a participant, which is told `message`. For admins.
    ///
    /// # Errors
    ///
    /// The server's refusal: `not_admin`.
    pub async fn kick(&self, uid: &Uid, message: Option<&str>) -> Result<()> {
        let request = Request::Kick { uid: uid.clone(), message: message.map(str::to_owned) };
        self.ask_by(|reply| Command::Ask(request, reply)).await.map(drop)
    }

    /// Leaves the room, and waits until the server knows, two seconds at most.
    pub async fn leave(self) {
        let (done, left) = oneshot::channel();
        if self.commands.send(Command::Leave(done)).await.is_ok() {
            let _ = left.await;
        }
    }

    async fn ask<T: DeserializeOwned>(&self, request: Request) -> Result<T> {
        let name = request.name();
        let ok = self.ask_by(|reply| Command::Ask(request, reply)).await?;
        serde_json::from_value(ok).map_err(|_| Error::BadReply { request: name })
    }

    async fn ask_by(&self, command: impl FnOnce(actor::ReplyTo) -> Command) -> Result<serde_json::Value> {
        let (sender, reply) = oneshot::channel();
        self.commands.send(command(sender)).await.map_err(|_| Error::Left)?;
        reply.await.map_err(|_| Error::Left)?
    }

    async fn look<T>(&self, command: impl FnOnce(oneshot::Sender<T>) -> Command) -> Result<T> {
        let (sender, reply) = oneshot::channel();
        self.commands.send(command(sender)).await.map_err(|_| Error::Left)?;
        reply.await.map_err(|_| Error::Left)
    }
}

/// Says that a handle was let go of.
#[derive(Debug)]
struct Guard {
    dropped: mpsc::UnboundedSender<Dropped>,
    handle: Dropped,
}

impl Drop for Guard {
    fn drop(&mut self) {
        // Fails when the stay is over, and everything with it.
        let _ = self.dropped.send(self.handle.clone());
    }
}

/// A stream that is published. Dropping it ends the stream.
///
/// Its methods may be called from several tasks: one for the sound, one for the pictures, one that waits for requests.
pub struct Publisher {
    tracks: Tracks,
    guard: Guard,
}

impl std::fmt::Debug for Publisher {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Publisher").field("stream", &self.guard.handle).finish_non_exhaustive()
    }
}

impl Publisher {
    /// Sends an Opus packet, now. Its time says when it is heard, on the timeline that it shares with the pictures.
    ///
    /// While there is no connection it is dropped; that is no error. An empty packet, which stands for a lost one, is
    /// not sent.
    ///
    /// # Errors
    ///
    /// [`Error::StreamEnded`], [`Error::NoSuchTrack`], or what the WebRTC stack says.
    pub async fn send_audio(&self, packet: &OpusPacket) -> Result<()> {
        self.tracks.send_audio(packet).await
    }

    /// Sends a picture, now. Its `pts` says when it is seen, on the timeline that it shares with the sound.
    ///
    /// While there is no connection it is dropped, and so is everything until the first keyframe of a connection; that
    /// is no error. B-frames that no other picture needs are left out: WebRTC receivers show pictures as they come.
    ///
    /// # Errors
    ///
    /// [`Error::StreamEnded`], [`Error::NoSuchTrack`], [`Error::Reordered`] for a stream that cannot be shown without
    /// reordering, or what the WebRTC stack says.
    pub async fn send_video(&self, picture: &AccessUnit) -> Result<()> {
        self.tracks.send_video(picture).await
    }

    /// Waits until somebody needs a keyframe: a receiver that is new, or lost something. Requests that come while
    /// nobody waits are one.
    pub async fn keyframe_requested(&self) {
        self.tracks.keyframe_requested().await;
    }

    /// Waits until what is sent has somewhere to go.
    ///
    /// # Errors
    ///
    /// [`Error::StreamEnded`].
    pub async fn connected(&self) -> Result<()> {
        self.tracks.connected().await
    }
}

/// A stream that is received. Dropping it ends that.
#[derive(Debug)]
pub struct Subscription {
    frames: Frames,
    #[expect(dead_code, reason = "its end is what matters")]
    guard: Guard,
}

impl Subscription {
    /// The next sound or picture, in the order in which they are complete. Their times are on one timeline, which
    /// begins with the first packet; a keyframe is asked for where one is needed. None when the stream has ended.
    pub async fn next_frame(&mut self) -> Option<Frame> {
        self.frames.next().await
    }

    /// How reception does so far.
    #[must_use]
    pub fn statistics(&self) -> Statistics {
        self.frames.statistics()
    }
}
