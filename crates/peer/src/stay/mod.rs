//! One stay in a room: the signalling, the others, and what is published and received, without sockets and without a
//! clock.

mod ledger;
mod roster;

use std::collections::{BTreeMap, VecDeque};
use std::time::Instant;

use queqiao_room::signal::{
    Event as Signal, Hidden, Join, JoinOk, MediaKind, MidInfo, MuteOk, ParticipantInfo, RenewTokenOk,
    Request, Sdp, SetRoleOk, TrackState, UserId,
};
use queqiao_room::{Role, StreamKind, Uid};
use serde_json::Value;

use crate::error::{Error, Result};
use crate::event::Event;
use crate::signalling::{ConnectionState, Link, Output as Signalling, Session};
use ledger::Ledger;
use roster::Roster;

/// What a [`Stay`] wants done, or has to tell.
#[derive(Debug)]
pub(crate) enum Output {
    /// Open a connection for the signalling.
    Open(Link),
    /// Send a message over it.
    Send(Link, String),
    /// Close it, once what was sent is out.
    Close(Link),
    /// For the application.
    Tell(Event),
    /// The room is joined for the first time.
    Joined,
    /// The session is a new one: the media of the old one are gone.
    MediaLost,
    /// Answer this offer, with [`Stay::answer`].
    Offer(Offer),
    /// A stream of one's own is no more, whoever ended it.
    Unpublished(StreamKind),
    /// A stream is not received any longer, whoever ended it.
    Unsubscribed(Uid, StreamKind),
    /// A request is over.
    Reply(u64, Result<Value>),
    /// The end, after which nothing comes.
    Closed(Error),
}

/// An offer of the server's.
#[derive(Debug)]
pub(crate) struct Offer {
    pub(crate) revision: u64,
    pub(crate) sdp: Sdp,
    /// What its sections carry.
    pub(crate) mids: BTreeMap<String, MidInfo>,
}

/// Who one is.
#[derive(Clone, Debug)]
pub(crate) struct Me {
    pub(crate) uid: UserId,
    pub(crate) role: Option<Role>,
    pub(crate) admin: bool,
}

/// What an answer is for.
#[derive(Debug)]
enum Purpose {
    /// The application's.
    Asked(Request),
    /// Brings a new session to where the lost one was.
    Restore(Request),
    /// The answer to an offer, or a wish for one.
    Media,
}

/// See the module.
#[derive(Debug)]
pub(crate) struct Stay {
    session: Session,
    me: Me,
    roster: Roster,
    ledger: Ledger,
    /// Bounded by the requests that the session lets wait.
    purposes: BTreeMap<u64, Purpose>,
    outputs: VecDeque<Output>,
}

impl Stay {
    /// Begins to join. `seed` is for the chance in waiting times.
    pub(crate) fn new(join: Join, now: Instant, seed: u64) -> Self {
        let me = Me { uid: join.uid.clone(), role: join.role, admin: false };
        Self {
            session: Session::new(join, now, seed),
            me,
            roster: Roster::default(),
            ledger: Ledger::default(),
            purposes: BTreeMap::new(),
            outputs: VecDeque::new(),
        }
    }

    /// The next thing to do or to tell.
    pub(crate) fn poll(&mut self, now: Instant) -> Option<Output> {
        while self.outputs.is_empty() {
            let output = self.session.poll()?;
            self.take(now, output);
        }
        self.outputs.pop_front()
    }

    pub(crate) fn poll_timeout(&self) -> Option<Instant> {
        self.session.poll_timeout()
    }

    pub(crate) fn handle_timeout(&mut self, now: Instant) {
        self.session.handle_timeout(now);
    }

    pub(crate) fn opened(&mut self, now: Instant, link: Link) {
        self.session.opened(now, link);
    }

    pub(crate) fn received(&mut self, now: Instant, link: Link, text: &str) {
        self.session.received(now, link, text);
    }

    pub(crate) fn closed(&mut self, now: Instant, link: Link) {
        self.session.closed(now, link);
    }

    /// Who one is.
    pub(crate) const fn me(&self) -> &Me {
        &self.me
    }

    /// Everybody else, by uid.
    pub(crate) fn participants(&self) -> impl Iterator<Item = &ParticipantInfo> {
        self.roster.participants()
    }

    /// Asks the server; [`Output::Reply`] has the answer.
    pub(crate) fn request(&mut self, now: Instant, request: Request) -> Result<u64> {
        match &request {
            Request::Unpublish { stream } => self.drop_publication(*stream),
            Request::Unsubscribe { uid, stream } => self.drop_subscription(uid, *stream),
            _ => {}
        }
        let id = self.session.request(now, request.clone(), false)?;
        self.purposes.insert(id, Purpose::Asked(request));
        Ok(id)
    }

    /// Answers an offer.
    pub(crate) fn answer(&mut self, now: Instant, revision: u64, sdp: Sdp) {
        self.ask_for_media(now, Request::Answer { revision, sdp });
    }

    /// Asks for an offer with new ICE credentials: the path of the media is lost.
    pub(crate) fn ice_restart(&mut self, now: Instant) {
        if self.session.state() == ConnectionState::Connected {
            self.ask_for_media(now, Request::IceRestart);
        }
    }

    /// Joins anew: the media cannot be saved.
    pub(crate) fn rejoin(&mut self, now: Instant) {
        self.session.rejoin(now);
    }

    pub(crate) fn leave(&mut self, now: Instant) {
        self.session.leave(now);
    }

    fn ask_for_media(&mut self, now: Instant, request: Request) {
        if let Ok(id) = self.session.request(now, request, true) {
            self.purposes.insert(id, Purpose::Media);
        }
    }

    fn take(&mut self, now: Instant, output: Signalling) {
        match output {
            Signalling::Open(link) => self.outputs.push_back(Output::Open(link)),
            Signalling::Send(link, text) => self.outputs.push_back(Output::Send(link, text)),
            Signalling::Close(link) => self.outputs.push_back(Output::Close(link)),
            Signalling::State(state) => self.tell(Event::Connection(state)),
            Signalling::Joined { reply, again } => self.joined(now, &reply, again),
            Signalling::Resumed => self.session.flush(now),
            Signalling::Event(event) => self.event(event),
            Signalling::Reply { id, result } => self.reply(now, id, result),
            Signalling::Closed(error) => {
                self.tell(Event::Ended(error.clone()));
                self.outputs.push_back(Output::Closed(error));
            }
        }
    }

    fn joined(&mut self, now: Instant, reply: &JoinOk, again: bool) {
        self.me = Me { uid: reply.uid.clone(), role: Some(reply.role), admin: reply.admin };
        self.session.amend_role(reply.role);
        self.outputs.push_back(if again { Output::MediaLost } else { Output::Joined });
        let events = self.roster.reset(reply);
        self.tell_others(events);
        if again {
            if reply.role == Role::Audience {
                self.end_publications();
            }
            for request in self.ledger.restore() {
                if let Ok(id) = self.session.request(now, request.clone(), true) {
                    self.purposes.insert(id, Purpose::Restore(request));
                }
            }
        }
        self.session.flush(now);
    }

    fn event(&mut self, event: Signal) {
        match event {
            Signal::Offer { revision, sdp, mids } => {
                self.outputs.push_back(Output::Offer(Offer { revision, sdp, mids }));
            }
            Signal::Message { message_id: id, from, private, at, content } => {
                self.tell(Event::Message { id, from, private, at, content });
            }
            Signal::Speaker { uid } => self.tell(Event::Speaker(uid)),
            Signal::NetworkQuality { participants } => self.tell(Event::NetworkQuality(participants)),
            Signal::TokenExpiring { seconds } => self.tell(Event::TokenExpiring { seconds }),
            Signal::StreamUnpublished { uid, stream } if self.is_me(&uid) => self.end_publication(stream),
            Signal::RoleChanged { uid, role } if self.is_me(&uid) => self.set_role(role),
            Signal::Muted { uid, stream, kind, state, by } if self.is_me(&uid) => {
                self.own_track(stream, kind, state, by);
            }
            Signal::StreamChanged { uid, info } if self.is_me(&uid) => {
                self.own_track(info.stream, MediaKind::Audio, info.audio, None);
                self.own_track(info.stream, MediaKind::Video, info.video, None);
            }
            other => {
                let events = self.roster.apply(other);
                self.tell_others(events);
            }
        }
    }

    fn is_me(&self, uid: &UserId) -> bool {
        uid.uid() == self.me.uid.uid()
    }

    fn own_track(&mut self, stream: StreamKind, kind: MediaKind, state: TrackState, by: Option<UserId>) {
        if self.ledger.set_state(stream, kind, state) {
            self.tell(Event::OwnTrack { stream, kind, state, by });
        }
    }

    fn reply(&mut self, now: Instant, id: u64, result: Result<Value>) {
        let Some(purpose) = self.purposes.remove(&id) else { return };
        match purpose {
            Purpose::Asked(request) => {
                let result = self.asked(request, result);
                self.outputs.push_back(Output::Reply(id, result));
            }
            Purpose::Restore(request) => self.restored(request, result),
            Purpose::Media => {
                // What cannot be answered keeps the server waiting. A stale answer was said before a resume.
                if result.is_err_and(|error| matches!(error.code(), Some("media_lost" | "bad_sdp"))) {
                    self.session.rejoin(now);
                }
            }
        }
    }

    /// What follows from an answer, before anything that the server said after it is looked at.
    fn asked(&mut self, request: Request, result: Result<Value>) -> Result<Value> {
        let name = request.name();
        let bad = |_| Error::BadReply { request: name };
        match (request, &result) {
            (Request::Publish(request), Ok(_)) => self.ledger.published(request),
            (Request::Subscribe(request), Ok(_)) => self.ledger.subscribed(request),
            // Once more: one that was under way may have been granted in between.
            (Request::Unpublish { stream }, _) => {
                self.drop_publication(stream);
                return unless(result, &["not_published"]);
            }
            (Request::Unsubscribe { uid, stream }, _) => {
                self.drop_subscription(&uid, stream);
                return unless(result, &["not_subscribed", "no_such_stream", "no_such_participant"]);
            }
            (Request::Mute { uid, stream, kind, muted }, Ok(ok)) => {
                let reply: MuteOk = serde_json::from_value(ok.clone()).map_err(bad)?;
                if uid.is_none_or(|uid| uid == *self.me.uid.uid()) {
                    self.ledger.muted(stream, kind, muted, reply.state);
                }
            }
            (Request::SetRole { .. }, Ok(ok)) => {
                let reply: SetRoleOk = serde_json::from_value(ok.clone()).map_err(bad)?;
                self.set_role(reply.role);
            }
            (Request::RenewToken { token }, Ok(ok)) => {
                let reply: RenewTokenOk = serde_json::from_value(ok.clone()).map_err(bad)?;
                self.renewed(token, reply.role);
            }
            _ => {}
        }
        result
    }

    fn renewed(&mut self, token: Hidden, role: Role) {
        self.session.amend_token(token);
        self.set_role(role);
    }

    fn restored(&mut self, request: Request, result: Result<Value>) {
        let refused = matches!(result, Err(Error::Refused { .. }));
        match request {
            Request::Publish(request) if refused => self.end_publication(request.stream),
            Request::Subscribe(request) if refused => self.drop_subscription(&request.uid, request.stream),
            Request::Mute { stream, kind, muted, .. } => {
                if let Some(reply) = result.ok().and_then(|ok| serde_json::from_value::<MuteOk>(ok).ok()) {
                    self.ledger.muted(stream, kind, muted, reply.state);
                }
            }
            _ => {}
        }
    }

    fn set_role(&mut self, role: Role) {
        self.session.amend_role(role);
        if role == Role::Audience {
            self.end_publications();
        }
        if self.me.role.replace(role) != Some(role) {
            self.tell(Event::RoleChanged { uid: self.me.uid.clone(), role });
        }
    }

    fn end_publications(&mut self) {
        for stream in self.ledger.publications() {
            self.end_publication(stream);
        }
    }

    /// Without having been asked to.
    fn end_publication(&mut self, stream: StreamKind) {
        if self.ledger.unpublished(stream) {
            self.outputs.push_back(Output::Unpublished(stream));
            self.tell(Event::OwnStreamEnded { stream });
        }
    }

    fn drop_publication(&mut self, stream: StreamKind) {
        if self.ledger.unpublished(stream) {
            self.outputs.push_back(Output::Unpublished(stream));
        }
    }

    fn drop_subscription(&mut self, uid: &Uid, stream: StreamKind) {
        if self.ledger.unsubscribed(uid, stream) {
            self.outputs.push_back(Output::Unsubscribed(uid.clone(), stream));
        }
    }

    /// Streams that end take the subscriptions to them along.
    fn tell_others(&mut self, events: Vec<Event>) {
        for event in events {
            if let Event::StreamUnpublished { uid, stream } = &event {
                self.drop_subscription(uid.uid(), *stream);
            }
            self.tell(event);
        }
    }

    fn tell(&mut self, event: Event) {
        self.outputs.push_back(Output::Tell(event));
    }
}

/// A refusal that says that there is nothing to do is as good as done.
fn unless(result: Result<Value>, codes: &[&str]) -> Result<Value> {
    match result {
        Err(error) if error.code().is_some_and(|code| codes.contains(&code)) => Ok(Value::Null),
        other => other,
    }
}

#[cfg(test)]
mod tests;
