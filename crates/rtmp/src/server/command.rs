//! What a session does about each command of the client (RTMP 1.0 section 7.2, and what clients send besides).

use super::event::{Connect, Event, PlayRequest, PublishKind, PublishRequest};
use super::reply::{self, Level};
use super::{Activity, MAX_COMMANDS_BEFORE_ACCEPT, MAX_STREAMS, Session};
use crate::Error;
use crate::address::{Address, AddressError, MAX_ADDRESS_BYTES};
use crate::amf0::Value;
use crate::message::{Command, UserControl};

impl Session {
    pub(super) fn handle_command(&mut self, command: Command, stream_id: u32) -> Result<(), Error> {
        self.count_command()?;
        if self.connect.is_none() {
            if command.name != "connect" {
                return Err(Error::NotConnected { offset: self.link.offset() });
            }
            return self.on_connect(&command);
        }
        let transaction = command.transaction;
        match command.name.as_str() {
            "connect" => {
                self.answer_error(transaction, "NetConnection.Connect.Rejected", "Already connected.")
            }
            "createStream" => self.on_create_stream(transaction),
            "releaseStream" => self.answer(transaction, Value::Undefined),
            "FCPublish" => {
                self.answer(transaction, Value::Undefined);
                self.send(&reply::on_fc("onFCPublish", "NetStream.Publish.Start", "Ready to publish."), 0);
            }
            "FCUnpublish" => self.on_fc_unpublish(transaction),
            "FCSubscribe" => {
                self.answer(transaction, Value::Undefined);
                self.send(&reply::on_fc("onFCSubscribe", "NetStream.Play.Start", "Ready to play."), 0);
            }
            "publish" => self.on_publish(&command, stream_id),
            "play" => self.on_play(&command, stream_id),
            "play2" => self.on_play2(&command, stream_id),
            "pause" | "pauseRaw" => self.on_pause(&command, stream_id),
            "receiveAudio" => self.on_receive(&command, Event::ReceiveAudio),
            "receiveVideo" => self.on_receive(&command, Event::ReceiveVideo),
            "seek" => {
                self.status_on(stream_id, Level::Error, "NetStream.Seek.Failed", "A live stream cannot seek.")
            }
            "deleteStream" => self.on_delete_stream(&command),
            "closeStream" => self.stop(stream_id),
            "getStreamLength" => self.answer(transaction, Value::Number(0.0)),
            "_checkbw" | "checkBandwidth" => self.answer(transaction, Value::Null),
            // Answers to calls, which this side never makes, and notices.
            "_result" | "_error" | "onStatus" => self.ignored += 1,
            _ => self.answer_error(transaction, "NetConnection.Call.Failed", "Unknown command."),
        }
        Ok(())
    }

    fn count_command(&mut self) -> Result<(), Error> {
        if self.is_accepted() {
            return Ok(());
        }
        self.commands += 1;
        if self.commands > MAX_COMMANDS_BEFORE_ACCEPT {
            return Err(Error::TooManyCommands { offset: self.link.offset() });
        }
        Ok(())
    }

    /// The transaction id 0 says that no answer is wanted.
    fn answer(&mut self, transaction: f64, value: Value) {
        if transaction != 0.0 {
            self.send(&reply::result(transaction, value), 0);
        }
    }

    fn answer_error(&mut self, transaction: f64, code: &str, description: &str) {
        if transaction != 0.0 {
            self.send(&reply::error(transaction, code, description), 0);
        }
    }

    fn on_connect(&mut self, command: &Command) -> Result<(), Error> {
        let connect = Connect::from_object(&command.object);
        let reason = if command.object.as_object().is_none() {
            Some("connect has no command object")
        } else if connect.app.len() + connect.tc_url.len() + connect.flash_ver.len() > MAX_ADDRESS_BYTES {
            Some("application or URL too long")
        } else {
            None
        };
        if let Some(reason) = reason {
            self.send(&reply::error(command.transaction, "NetConnection.Connect.Rejected", reason), 0);
            return Err(Error::ConnectRejected(reason));
        }
        self.link.announce_window(self.config.window_ack_size)?;
        self.link.send_control(crate::message::set_peer_bandwidth(self.config.peer_bandwidth))?;
        self.link.announce_chunk_size(self.config.chunk_size)?;
        self.control(UserControl::StreamBegin(0));
        self.send(&reply::connect_result(command.transaction, connect.object_encoding), 0);
        self.connect = Some(connect.clone());
        self.events.push_back(Event::Connected(connect));
        Ok(())
    }

    fn on_create_stream(&mut self, transaction: f64) {
        match (1..=MAX_STREAMS).find(|id| self.streams & (1 << id) == 0) {
            Some(id) => {
                self.streams |= 1 << id;
                self.answer(transaction, Value::Number(f64::from(id)));
            }
            None => self.answer_error(transaction, "NetConnection.Call.Failed", "Too many streams."),
        }
    }

    fn on_publish(&mut self, command: &Command, stream_id: u32) {
        if !matches!(self.activity, Activity::Idle) {
            let text = "A connection carries one stream.";
            return self.status_on(stream_id, Level::Error, "NetStream.Publish.BadName", text);
        }
        let kind = match command.argument(1).and_then(Value::as_str) {
            Some("record") => PublishKind::Record,
            Some("append") => PublishKind::Append,
            _ => PublishKind::Live,
        };
        match self.address(command.argument(0)) {
            Ok(address) => {
                self.tickets += 1;
                let ticket = self.tickets;
                self.activity = Activity::PublishAsked { ticket, stream_id };
                self.events.push_back(Event::Publish(PublishRequest { ticket, address, kind }));
            }
            Err(error) => {
                self.status_on(stream_id, Level::Error, "NetStream.Publish.BadName", &error.to_string());
            }
        }
    }

    fn on_play(&mut self, command: &Command, stream_id: u32) {
        let reset = command.argument(3).and_then(Value::as_bool).unwrap_or(true);
        self.ask_play(command.argument(0), reset, stream_id);
    }

    /// RTMP 1.0 section 7.2.2.2: like play, with its arguments in an object.
    fn on_play2(&mut self, command: &Command, stream_id: u32) {
        let name = command.argument(0).and_then(Value::as_object).and_then(|object| object.get("streamName"));
        self.ask_play(name, false, stream_id);
    }

    fn ask_play(&mut self, name: Option<&Value>, reset: bool, stream_id: u32) {
        if !matches!(self.activity, Activity::Idle) {
            let text = "A connection carries one stream.";
            return self.status_on(stream_id, Level::Error, "NetStream.Play.Failed", text);
        }
        match self.address(name) {
            Ok(address) => {
                self.tickets += 1;
                let ticket = self.tickets;
                self.activity = Activity::PlayAsked { ticket, stream_id };
                self.events.push_back(Event::Play(PlayRequest { ticket, address, reset }));
            }
            Err(error) => {
                self.status_on(stream_id, Level::Error, "NetStream.Play.StreamNotFound", &error.to_string());
            }
        }
    }

    /// A missing name is an empty one: the whole address may be in the application.
    fn address(&self, name: Option<&Value>) -> Result<Address, AddressError> {
        let name = name.and_then(Value::as_str).unwrap_or_default();
        let (app, tc_url) = self.connect.as_ref().map_or(("", ""), |connect| (&connect.app, &connect.tc_url));
        Address::join(app, tc_url, name)
    }

    fn on_pause(&mut self, command: &Command, stream_id: u32) {
        let paused = command.argument(0).and_then(Value::as_bool).unwrap_or(true);
        if !self.is_playing() {
            return self.status_on(stream_id, Level::Error, "NetStream.Failed", "Nothing is playing.");
        }
        let (code, text) = match paused {
            true => ("NetStream.Pause.Notify", "Paused."),
            false => ("NetStream.Unpause.Notify", "Resumed."),
        };
        self.status(Level::Status, code, text);
        self.events.push_back(Event::Paused(paused));
    }

    fn on_receive(&mut self, command: &Command, event: impl FnOnce(bool) -> Event) {
        if self.is_playing() {
            self.events.push_back(event(command.argument(0).and_then(Value::as_bool).unwrap_or(true)));
        }
    }

    fn on_fc_unpublish(&mut self, transaction: f64) {
        self.answer(transaction, Value::Undefined);
        if let Activity::Publishing { stream_id } | Activity::PublishAsked { stream_id, .. } = self.activity {
            self.send(
                &reply::on_fc("onFCUnpublish", "NetStream.Unpublish.Success", "Stopped publishing."),
                0,
            );
            self.stop(stream_id);
        }
    }

    fn on_delete_stream(&mut self, command: &Command) {
        let id = command.argument(0).and_then(Value::as_number);
        if let Some(created) = (1..=MAX_STREAMS).find(|created| Some(f64::from(*created)) == id) {
            self.streams &= !(1 << created);
        }
        if let Some(stream_id) = self.stream_id().filter(|stream_id| Some(f64::from(*stream_id)) == id) {
            self.stop(stream_id);
        }
    }

    /// Ends what goes on on a message stream at the client's wish.
    fn stop(&mut self, stream_id: u32) {
        if self.stream_id() != Some(stream_id) {
            return;
        }
        match self.activity {
            Activity::Idle => {}
            Activity::PublishAsked { .. } | Activity::Publishing { .. } => {
                self.status(Level::Status, "NetStream.Unpublish.Success", "Stopped publishing.");
                self.withdraw(Event::PublishStopped);
            }
            Activity::PlayAsked { .. } | Activity::Playing { .. } => {
                self.status(Level::Status, "NetStream.Play.Stop", "Stopped playing.");
                self.withdraw(Event::PlayStopped);
            }
        }
        self.activity = Activity::Idle;
    }

    /// Reports the end, or takes back a request that nobody has seen, so that a client cannot pile requests up.
    fn withdraw(&mut self, stopped: Event) {
        let unseen = self.events.iter().position(|event| matches!(event, Event::Publish(_) | Event::Play(_)));
        match unseen {
            Some(index) => {
                self.events.remove(index);
            }
            None => self.events.push_back(stopped),
        }
    }
}
