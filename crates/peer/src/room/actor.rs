//! The task of a stay: brings together the state machine, its socket and its media.

use std::collections::HashMap;
use std::net::SocketAddr;
use std::time::Instant;

use queqiao_room::signal::{Join, ParticipantInfo, Publish, Request, Subscribe};
use queqiao_room::{StreamKind, Uid};
use serde_json::Value;
use tokio::sync::{mpsc, oneshot};
use tokio::time::sleep_until;
use tracing::{debug, trace};

use super::socket::{self, SocketEvent};
use crate::error::{Error, Result};
use crate::event::Event;
use crate::media::publication::PublisherEnd;
use crate::media::reception::SubscriptionEnd;
use crate::media::{self, Era, MediaEvent};
use crate::signalling::Link;
use crate::stay::{Me, Output, Stay};

/// How many messages of sockets wait to be looked at.
const MAX_MESSAGES: usize = 64;

/// Where an answer goes.
pub(super) type ReplyTo = oneshot::Sender<Result<Value>>;

/// What the application asks for.
pub(super) enum Command {
    Ask(Request, ReplyTo),
    Publish(u64, Publish, PublisherEnd, ReplyTo),
    Subscribe(u64, Subscribe, SubscriptionEnd, ReplyTo),
    Participants(oneshot::Sender<Vec<ParticipantInfo>>),
    Me(oneshot::Sender<Me>),
    Leave(oneshot::Sender<()>),
}

/// A handle that the application has let go of, by the number of the publication or subscription.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Dropped {
    Publisher(StreamKind, u64),
    Subscription(Uid, StreamKind, u64),
}

/// Who waits for an answer, and the handle that is given out with it.
struct Waiting {
    reply: ReplyTo,
    handle: Option<Dropped>,
}

/// What the application's end of a stay holds.
pub(super) struct Ends {
    pub(super) commands: mpsc::Receiver<Command>,
    pub(super) dropped: mpsc::UnboundedReceiver<Dropped>,
    pub(super) events: mpsc::Sender<Event>,
    pub(super) joined: oneshot::Sender<Result<()>>,
}

pub(super) struct Actor {
    url: String,
    stay: Stay,
    socket: Option<(Link, mpsc::Sender<String>)>,
    messages: mpsc::Sender<(Link, SocketEvent)>,
    media: mpsc::Sender<media::Command>,
    era: Era,
    /// Who waits for the answer to which request; as many as the session lets wait.
    replies: HashMap<u64, Waiting>,
    publishers: HashMap<StreamKind, u64>,
    subscriptions: HashMap<(Uid, StreamKind), u64>,
    events: mpsc::Sender<Event>,
    missed: u64,
    joined: Option<oneshot::Sender<Result<()>>>,
    leaving: Vec<oneshot::Sender<()>>,
    over: bool,
}

/// Runs a stay until it ends.
pub(super) async fn run(url: String, join: Join, bind: Vec<SocketAddr>, ends: Ends) {
    let Ends { mut commands, mut dropped, events, joined } = ends;
    let (messages, mut incoming) = mpsc::channel(MAX_MESSAGES);
    let (media, mut media_events) = media::start(join.uid.uid().clone(), bind);
    let mut actor = Actor {
        url,
        stay: Stay::new(join, Instant::now(), rand::random()),
        socket: None,
        messages,
        media,
        era: 0,
        replies: HashMap::new(),
        publishers: HashMap::new(),
        subscriptions: HashMap::new(),
        events,
        missed: 0,
        joined: Some(joined),
        leaving: Vec::new(),
        over: false,
    };
    actor.settle().await;
    while !actor.over {
        let timeout = actor.stay.poll_timeout();
        tokio::select! {
            command = commands.recv() => match command {
                Some(command) => actor.command(command).await,
                // Nobody holds the room any more.
                None => actor.stay.leave(Instant::now()),
            },
            Some(handle) = dropped.recv() => actor.let_go(handle),
            Some((link, event)) = incoming.recv() => actor.message(link, event),
            Some(event) = media_events.recv() => actor.media_event(event),
            () = until(timeout) => actor.stay.handle_timeout(Instant::now()),
        }
        actor.settle().await;
        if commands.is_closed() && !actor.over && commands.is_empty() {
            actor.wind_up(&mut incoming).await;
        }
    }
    for waiting in actor.leaving {
        let _ = waiting.send(());
    }
}

impl Actor {
    async fn command(&mut self, command: Command) {
        let now = Instant::now();
        match command {
            Command::Ask(request, reply) => self.ask(now, request, Waiting { reply, handle: None }).await,
            Command::Publish(number, request, publisher, reply) => {
                if self.publishers.contains_key(&request.stream) {
                    return refuse(reply, Error::AlreadyPublished);
                }
                self.publishers.insert(request.stream, number);
                self.to_media(media::Command::Publish(request.stream, publisher)).await;
                let handle = Some(Dropped::Publisher(request.stream, number));
                self.ask(now, Request::Publish(request), Waiting { reply, handle }).await;
            }
            Command::Subscribe(number, request, subscription, reply) => {
                let key = (request.uid.clone(), request.stream);
                if self.subscriptions.contains_key(&key) {
                    return refuse(reply, Error::AlreadySubscribed);
                }
                self.subscriptions.insert(key, number);
                let (uid, stream) = (request.uid.clone(), request.stream);
                self.to_media(media::Command::Subscribe(uid.clone(), stream, subscription)).await;
                let handle = Some(Dropped::Subscription(uid, stream, number));
                self.ask(now, Request::Subscribe(request), Waiting { reply, handle }).await;
            }
            Command::Participants(reply) => {
                let _ = reply.send(self.stay.participants().cloned().collect());
            }
            Command::Me(reply) => {
                let _ = reply.send(self.stay.me().clone());
            }
            Command::Leave(done) => {
                self.leaving.push(done);
                self.stay.leave(now);
            }
        }
    }

    async fn ask(&mut self, now: Instant, request: Request, waiting: Waiting) {
        match self.stay.request(now, request) {
            Ok(id) => {
                self.replies.insert(id, waiting);
            }
            Err(error) => self.reply(waiting, Err(error)).await,
        }
    }

    async fn reply(&mut self, Waiting { reply, handle }: Waiting, result: Result<Value>) {
        let refused = result.is_err();
        let unheard = reply.send(result).is_err();
        match handle {
            Some(Dropped::Publisher(stream, _)) if refused => {
                self.publishers.remove(&stream);
                self.to_media(media::Command::Unpublish(stream)).await;
            }
            Some(Dropped::Subscription(uid, stream, _)) if refused => {
                self.subscriptions.remove(&(uid.clone(), stream));
                self.to_media(media::Command::Unsubscribe(uid, stream)).await;
            }
            // Whoever asked has stopped waiting: nobody holds what the server granted.
            Some(handle) if unheard => self.let_go(handle),
            _ => {}
        }
    }

    fn let_go(&mut self, handle: Dropped) {
        let request = match handle {
            Dropped::Publisher(stream, number) if self.publishers.get(&stream) == Some(&number) => {
                Request::Unpublish { stream }
            }
            Dropped::Subscription(uid, stream, number)
                if self.subscriptions.get(&(uid.clone(), stream)) == Some(&number) =>
            {
                Request::Unsubscribe { uid, stream }
            }
            // It had ended before.
            Dropped::Publisher(..) | Dropped::Subscription(..) => return,
        };
        // Fails when the stay is about to end, and the stream with it.
        let _ = self.stay.request(Instant::now(), request);
    }

    fn message(&mut self, link: Link, event: SocketEvent) {
        let now = Instant::now();
        match event {
            SocketEvent::Opened => self.stay.opened(now, link),
            SocketEvent::Text(text) => self.stay.received(now, link, &text),
            SocketEvent::Closed => self.stay.closed(now, link),
        }
    }

    fn media_event(&mut self, event: MediaEvent) {
        let now = Instant::now();
        match event {
            MediaEvent::Connected(connected) => self.tell(Event::Media { connected }),
            MediaEvent::Answer(era, revision, sdp) if era == self.era => self.stay.answer(now, revision, sdp),
            MediaEvent::RestartIce(era) if era == self.era => self.stay.ice_restart(now),
            MediaEvent::Lost(era) if era == self.era => self.stay.rejoin(now),
            MediaEvent::Answer(..) | MediaEvent::RestartIce(_) | MediaEvent::Lost(_) => {}
        }
    }

    /// Does all that the state machine wants.
    async fn settle(&mut self) {
        while let Some(output) = self.stay.poll(Instant::now()) {
            match output {
                Output::Open(link) => {
                    let socket = socket::open(self.url.clone(), link, self.messages.clone());
                    self.socket = Some((link, socket));
                }
                Output::Send(link, text) => self.send(link, text),
                Output::Close(link) => {
                    self.socket.take_if(|(current, _)| *current == link);
                }
                Output::Tell(event) => self.tell(event),
                Output::Joined => {
                    if let Some(joined) = self.joined.take() {
                        let _ = joined.send(Ok(()));
                    }
                }
                Output::MediaLost => {
                    self.era += 1;
                    self.to_media(media::Command::Reset(self.era)).await;
                }
                Output::Offer(offer) => self.to_media(media::Command::Offer(offer)).await,
                Output::Unpublished(stream) => {
                    self.publishers.remove(&stream);
                    self.to_media(media::Command::Unpublish(stream)).await;
                }
                Output::Unsubscribed(uid, stream) => {
                    self.subscriptions.remove(&(uid.clone(), stream));
                    self.to_media(media::Command::Unsubscribe(uid, stream)).await;
                }
                Output::Reply(id, result) => {
                    if let Some(waiting) = self.replies.remove(&id) {
                        self.reply(waiting, result).await;
                    }
                }
                Output::Closed(error) => {
                    self.over = true;
                    if let Some(joined) = self.joined.take() {
                        let _ = joined.send(Err(error));
                    }
                }
            }
        }
    }

    fn send(&mut self, link: Link, text: String) {
        trace!(bytes = text.len(), "to the server");
        let current = self.socket.as_ref().filter(|(current, _)| *current == link);
        if current.is_none_or(|(_, socket)| socket.try_send(text).is_err()) {
            debug!("the server does not read");
            self.stay.closed(Instant::now(), link);
        }
    }

    async fn to_media(&self, command: media::Command) {
        // The media task lives as long as this end.
        let _ = self.media.send(command).await;
    }

    fn tell(&mut self, event: Event) {
        if self.missed > 0 && self.events.try_send(Event::Missed { events: self.missed }).is_ok() {
            self.missed = 0;
        }
        if self.missed > 0 || self.events.try_send(event).is_err() {
            self.missed += 1;
        }
    }

    /// Nobody holds the room any more: says so to the server, and waits for nothing else.
    async fn wind_up(&mut self, incoming: &mut mpsc::Receiver<(Link, SocketEvent)>) {
        self.stay.leave(Instant::now());
        self.settle().await;
        while !self.over {
            tokio::select! {
                Some((link, event)) = incoming.recv() => self.message(link, event),
                () = until(self.stay.poll_timeout()) => self.stay.handle_timeout(Instant::now()),
            }
            self.settle().await;
        }
    }
}

fn refuse(reply: ReplyTo, error: Error) {
    // Fails when whoever asked has stopped waiting.
    let _ = reply.send(Err(error));
}

async fn until(at: Option<Instant>) {
    match at {
        Some(at) => sleep_until(at.into()).await,
        None => std::future::pending().await,
    }
}
