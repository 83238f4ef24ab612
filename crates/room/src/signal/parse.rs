use serde_json::Value;

use super::fault::{BadMessage, Fault};
use super::request::{Envelope, REQUEST_NAMES, Request};
use super::{
    MAX_CANDIDATE_BYTES, MAX_CAPABILITIES, MAX_CAPABILITY_BYTES, MAX_DEPTH, MAX_MESSAGE_BYTES,
    MAX_SAFE_INTEGER, MAX_SDP_BYTES, MAX_STATS_STREAMS, MAX_UNJOINED_BYTES, VERSION,
};
use crate::{AppId, Error, RoomId, Uid};

/// Whether a connection has joined a room, which decides how long its messages may be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stage {
    /// Not yet: [`MAX_UNJOINED_BYTES`].
    Unjoined,
    /// Yes: [`MAX_MESSAGE_BYTES`].
    Joined,
}

impl Stage {
    /// How long a message may be, bytes.
    #[must_use]
    pub const fn limit(self) -> usize {
        match self {
            Self::Unjoined => MAX_UNJOINED_BYTES,
            Self::Joined => MAX_MESSAGE_BYTES,
        }
    }
}

/// Reads a request. Fields that are not known are passed over.
///
/// # Errors
///
/// What is wrong with it, and its `id` if there is one, so that the client learns which request failed.
pub fn parse(text: &str, stage: Stage) -> Result<Envelope, BadMessage> {
    let limit = stage.limit();
    if text.len() > limit {
        return Err(BadMessage { id: None, fault: Fault::TooLarge { bytes: text.len(), limit } });
    }
    if is_too_deep(text) {
        return Err(BadMessage { id: None, fault: Fault::TooDeep });
    }
    match serde_json::from_str::<Envelope>(text) {
        Ok(envelope) => match check(&envelope) {
            Ok(()) => Ok(envelope),
            Err(fault) => Err(BadMessage { id: Some(envelope.id), fault }),
        },
        Err(error) => Err(explain(text, &error)),
    }
}

/// Brackets outside strings, counted before anything is allocated for them.
fn is_too_deep(text: &str) -> bool {
    let (mut depth, mut in_string, mut escaped) = (0_usize, false, false);
    for byte in text.bytes() {
        match (in_string, byte) {
            (true, _) if escaped => escaped = false,
            (true, b'\\') => escaped = true,
            (_, b'"') => in_string = !in_string,
            (false, b'{' | b'[') => depth += 1,
            (false, b'}' | b']') => depth = depth.saturating_sub(1),
            _ => {}
        }
        if depth > MAX_DEPTH {
            return true;
        }
    }
    false
}

/// Looks a second time at a message that is not a request, to say why.
fn explain(text: &str, error: &serde_json::Error) -> BadMessage {
    let malformed = |error: &serde_json::Error| Fault::Malformed { offset: error.column() };
    let fields = match serde_json::from_str::<Value>(text) {
        Ok(Value::Object(fields)) => fields,
        Ok(_) => return BadMessage { id: None, fault: Fault::Malformed { offset: 0 } },
        Err(error) => return BadMessage { id: None, fault: malformed(&error) },
    };
    let Some(id) = fields.get("id").and_then(Value::as_u64).filter(|id| *id <= MAX_SAFE_INTEGER) else {
        return BadMessage { id: None, fault: Fault::InvalidId };
    };
    let known = fields.get("type").and_then(Value::as_str).is_some_and(|name| REQUEST_NAMES.contains(&name));
    let fault = if known {
        invalid_identifier(&fields).map_or_else(|| field_fault(error), Fault::Identifier)
    } else {
        Fault::UnknownType
    };
    BadMessage { id: Some(id), fault }
}

fn invalid_identifier(fields: &serde_json::Map<String, Value>) -> Option<Error> {
    let text = |field: &str| fields.get(field).and_then(Value::as_str);
    let app = text("app").and_then(|text| text.parse::<AppId>().err());
    let room = text("room").and_then(|text| text.parse::<RoomId>().err());
    let uid = || ["uid", "to"].into_iter().find_map(|field| text(field)?.parse::<Uid>().err());
    app.or(room).or_else(uid)
}

/// Serde names a missing field in its text alone.
fn field_fault(error: &serde_json::Error) -> Fault {
    let text = error.to_string();
    let missing = text.strip_prefix("missing field `").and_then(|rest| rest.split('`').next());
    match missing {
        Some(field) => Fault::MissingField { field: field.to_owned() },
        None if text.starts_with("no variant of enum Content") => {
            Fault::MissingField { field: "text".to_owned() }
        }
        None => Fault::InvalidField { what: shorten(text) },
    }
}

/// A message quotes what it did not expect, which may be long.
fn shorten(mut text: String) -> String {
    const MAX_CHARACTERS: usize = 200;
    if let Some((end, _)) = text.char_indices().nth(MAX_CHARACTERS) {
        text.truncate(end);
    }
    text
}

fn check(envelope: &Envelope) -> Result<(), Fault> {
    if envelope.id > MAX_SAFE_INTEGER {
        return Err(Fault::InvalidId);
    }
    match &envelope.request {
        Request::Join(join) if join.version != VERSION => Err(Fault::UnsupportedVersion),
        Request::Join(join)
            if join.capabilities.len() > MAX_CAPABILITIES
                || join.capabilities.iter().any(|word| word.len() > MAX_CAPABILITY_BYTES) =>
        {
            Err(Fault::TooManyCapabilities)
        }
        Request::Answer { sdp, .. } if sdp.0.len() > MAX_SDP_BYTES => {
            Err(Fault::SdpTooLarge { bytes: sdp.0.len() })
        }
        Request::Candidate { candidate, mid }
            if candidate.len() > MAX_CANDIDATE_BYTES
                || mid.as_ref().is_some_and(|mid| mid.len() > MAX_CANDIDATE_BYTES) =>
        {
            Err(Fault::CandidateTooLarge)
        }
        Request::Stats(stats) if stats.streams.len() > MAX_STATS_STREAMS => Err(Fault::TooManyStats),
        _ => Ok(()),
    }
}
