//! What both ends share: handshake, chunk layer, acknowledgements, pings and the output queue.

use std::collections::VecDeque;

use bytes::{Bytes, BytesMut};

use crate::Error;
use crate::chunk::{self, Limits, Packet, Reader, Writer};
use crate::handshake;
use crate::message::{self, Command, Message, UserControl, kind};

/// Window until the peer names one. Some peers wait for acknowledgements without ever having sent a window.
const DEFAULT_WINDOW: u32 = 2_500_000;

/// Unsent answers that one piece of input may cause. A whole connect sequence with its handshake takes 5 KB; beyond this
/// somebody uses us as an amplifier or does not read.
pub(crate) const MAX_PENDING_OUTPUT: usize = 8 * 1024;

enum Handshake {
    Server(handshake::Server),
    Client(handshake::Client),
    Done,
}

/// A message for the session.
pub(crate) struct Incoming {
    pub(crate) timestamp: u32,
    pub(crate) stream_id: u32,
    pub(crate) message: Message,
}

pub(crate) struct Link {
    handshake: Handshake,
    reader: Reader,
    writer: Writer,
    max_values: usize,
    pending: BytesMut,
    queue: VecDeque<Bytes>,
    received: u64,
    acknowledged: u64,
    window: u32,
    /// The window that this side last announced.
    announced: u32,
    peer_acknowledged: Option<u32>,
}

impl Link {
    pub(crate) fn server(limits: Limits, max_values: usize) -> Self {
        Self::new(Handshake::Server(handshake::Server::default()), BytesMut::new(), limits, max_values)
    }

    pub(crate) fn client(scheme: Option<handshake::Scheme>, limits: Limits, max_values: usize) -> Self {
        let mut pending = BytesMut::new();
        let client = handshake::Client::new(scheme, &mut pending);
        Self::new(Handshake::Client(client), pending, limits, max_values)
    }

    fn new(handshake: Handshake, pending: BytesMut, limits: Limits, max_values: usize) -> Self {
        Self {
            handshake,
            reader: Reader::new(limits),
            writer: Writer::default(),
            max_values,
            pending,
            queue: VecDeque::new(),
            received: 0,
            acknowledged: 0,
            window: DEFAULT_WINDOW,
            announced: 0,
            peer_acknowledged: None,
        }
    }

    pub(crate) fn set_limits(&mut self, limits: Limits, max_values: usize) {
        self.reader.set_limits(limits);
        self.max_values = max_values;
    }

    pub(crate) fn offset(&self) -> u64 {
        self.reader.offset()
    }

    pub(crate) fn handshake_done(&self) -> bool {
        matches!(self.handshake, Handshake::Done)
    }

    pub(crate) fn received(&self) -> u64 {
        self.received
    }

    pub(crate) fn peer_acknowledged(&self) -> Option<u32> {
        self.peer_acknowledged
    }

    pub(crate) fn chunk_size(&self) -> usize {
        self.writer.chunk_size()
    }

    /// Counts new input, which must then be given to [`Link::next`] until that returns `None`.
    pub(crate) fn count_input(&mut self, bytes: usize) {
        self.received += bytes as u64;
    }

    /// The next message that the link does not deal with itself.
    pub(crate) fn next(&mut self, input: &mut &[u8]) -> Result<Option<Incoming>, Error> {
        if !self.shake_hands(input)? {
            return Ok(None);
        }
        while let Some(packet) = self.reader.read(input)? {
            let (timestamp, stream_id) = (packet.timestamp, packet.stream_id);
            let message = Message::parse(packet, self.offset(), self.max_values)?;
            if let Some(message) = self.control(message)? {
                return Ok(Some(Incoming { timestamp, stream_id, message }));
            }
            if self.pending.len() > MAX_PENDING_OUTPUT {
                return Err(Error::OutputBacklog { offset: self.offset() });
            }
        }
        Ok(None)
    }

    fn shake_hands(&mut self, input: &mut &[u8]) -> Result<bool, Error> {
        let before = input.len();
        let done = match &mut self.handshake {
            Handshake::Done => return Ok(true),
            Handshake::Server(server) => server.handle_input(input, &mut self.pending)?,
            Handshake::Client(client) => client.handle_input(input, &mut self.pending)?,
        };
        self.reader.skip_offset((before - input.len()) as u64);
        if done {
            self.handshake = Handshake::Done;
        }
        Ok(done)
    }

    /// Deals with messages that concern the connection alone; gives back the others.
    fn control(&mut self, message: Message) -> Result<Option<Message>, Error> {
        match message {
            Message::Acknowledgement(total) => self.peer_acknowledged = Some(total),
            Message::WindowAckSize(size) => self.window = size.max(1),
            Message::SetPeerBandwidth { size, .. } if size != self.announced => self.announce_window(size)?,
            Message::SetPeerBandwidth { .. } => {}
            Message::UserControl(UserControl::PingRequest(timestamp)) => {
                self.send_control(UserControl::PingResponse(timestamp).into())?;
            }
            other => return Ok(Some(other)),
        }
        Ok(None)
    }

    /// Sends an acknowledgement if the peer's window is full (RTMP 1.0 section 5.4.3: the total, not what is new).
    pub(crate) fn acknowledge(&mut self) -> Result<(), Error> {
        if !self.handshake_done() || self.received - self.acknowledged < u64::from(self.window) {
            return Ok(());
        }
        self.acknowledged = self.received;
        #[allow(clippy::cast_possible_truncation)]
        let total = self.received as u32;
        self.send_control(message::control_u32(kind::ACKNOWLEDGEMENT, total))
    }

    pub(crate) fn announce_window(&mut self, size: u32) -> Result<(), Error> {
        self.announced = size;
        self.send_control(message::control_u32(kind::WINDOW_ACK_SIZE, size))
    }

    /// Tells the peer a chunk size and uses it for everything after.
    pub(crate) fn announce_chunk_size(&mut self, size: u32) -> Result<(), Error> {
        let size = size.clamp(1, 0xff_ffff);
        self.send_control(message::control_u32(kind::SET_CHUNK_SIZE, size))?;
        self.writer.set_chunk_size(size as usize);
        Ok(())
    }

    pub(crate) fn send_control(&mut self, packet: Packet) -> Result<(), Error> {
        self.writer.write(chunk::id::CONTROL, &packet, &mut self.pending)
    }

    pub(crate) fn send_command(&mut self, command: &Command, stream_id: u32) -> Result<(), Error> {
        self.writer.write(chunk::id::COMMAND, &command.packet(stream_id), &mut self.pending)
    }

    pub(crate) fn send_data(&mut self, payload: Bytes, stream_id: u32) -> Result<(), Error> {
        let packet = Packet { timestamp: 0, stream_id, message_type: kind::DATA_AMF0, payload };
        self.writer.write(chunk::id::COMMAND, &packet, &mut self.pending)
    }

    /// Queues bytes that already are whole chunks, behind everything queued so far.
    pub(crate) fn send_serialized(&mut self, bytes: Bytes) {
        if !self.pending.is_empty() {
            self.queue.push_back(self.pending.split().freeze());
        }
        self.queue.push_back(bytes);
    }

    pub(crate) fn poll_output(&mut self) -> Option<Bytes> {
        self.queue.pop_front().or_else(|| (!self.pending.is_empty()).then(|| self.pending.split().freeze()))
    }
}
