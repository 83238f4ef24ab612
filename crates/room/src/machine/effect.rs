use super::{ConnectionId, Sealed};
use crate::signal::{Content, EndReason, LeaveReason, MediaKind, Platform, SeiType};
use crate::{StreamKind, Uid};

/// What the shell has to do, in this order.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Effect {
    /// Send an event.
    Send {
        /// On this WebSocket.
        connection: ConnectionId,
        /// What.
        event: Sealed,
    },
    /// Close a connection: a WebSocket once what was sent is out, or a media connection without signalling. The room has
    /// forgotten it.
    Close {
        /// Which.
        connection: ConnectionId,
        /// Why.
        reason: CloseReason,
    },
    /// Do something about media.
    Order(Order),
    /// Tell the app's back end.
    Hook(Hook),
}

/// Why a connection is closed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CloseReason {
    /// The participant is out.
    Ended(EndReason),
    /// The session goes on with a newer connection.
    Resumed,
    /// Its owner may not publish any longer.
    RoleChanged,
}

/// Something to do about media.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Order {
    /// Nobody may receive this stream any longer, and its publisher's session no longer sends it. Subscriptions to it
    /// are gone.
    StopStream {
        /// Whose.
        uid: Uid,
        /// Which.
        stream: StreamKind,
    },
    /// End the WebRTC session, and media connections with tickets, of a participant whose signalling session is over.
    CloseMedia {
        /// Whose.
        uid: Uid,
    },
    /// Tickets of a participant hold no longer.
    RevokeTickets {
        /// Whose.
        uid: Uid,
        /// Which.
        which: Revocation,
    },
    /// Pass a track on, or hold it back: until said otherwise or the stream is stopped, whatever connection sends it.
    /// Tracks of a new stream are passed on.
    Forward {
        /// Whose.
        uid: Uid,
        /// Which stream.
        stream: StreamKind,
        /// Which track.
        kind: MediaKind,
        /// Whether it is passed on.
        on: bool,
    },
    /// Put user data into the next picture of a stream, for players without signalling.
    InsertSei {
        /// Whose.
        uid: Uid,
        /// Which stream.
        stream: StreamKind,
        /// As which type of SEI message.
        sei_type: SeiType,
        /// What.
        content: Content,
    },
}

/// Which tickets.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Revocation {
    /// All.
    All,
    /// To publish this stream.
    Publish(StreamKind),
    /// To play this stream.
    Play(Uid, StreamKind),
}

/// What an app's back end may want to know.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Hook {
    /// The first participant came.
    RoomOpened,
    /// The last one is gone.
    RoomClosed,
    /// Somebody came.
    ParticipantJoined {
        /// Who.
        uid: Uid,
        /// On what.
        platform: Platform,
    },
    /// Somebody is gone.
    ParticipantLeft {
        /// Who.
        uid: Uid,
        /// Why; none if the room was closed.
        reason: Option<LeaveReason>,
    },
    /// A stream is there.
    StreamPublished {
        /// Whose.
        uid: Uid,
        /// Which.
        stream: StreamKind,
    },
    /// A stream is gone.
    StreamUnpublished {
        /// Whose.
        uid: Uid,
        /// Which.
        stream: StreamKind,
    },
}
