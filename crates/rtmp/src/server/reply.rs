//! The answers, in the shapes that clients look for.

use bytes::Bytes;

use crate::amf0::{Object, Value};
use crate::message::{Command, data_body};

/// Level of a status.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Level {
    /// Things go as asked.
    Status,
    /// Worth showing to the user; the stream goes on.
    Warning,
    /// What was asked for does not happen. Most clients close the connection on it.
    Error,
}

impl Level {
    fn as_str(self) -> &'static str {
        match self {
            Self::Status => "status",
            Self::Warning => "warning",
            Self::Error => "error",
        }
    }
}

/// Why a publish or play is refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Refusal {
    /// The token or the role does not allow it.
    Denied,
    /// The address names nothing that exists, or cannot be used.
    NotFound,
    /// The name is taken.
    InUse,
    /// The server cannot do it now.
    Failed,
}

impl Refusal {
    pub(super) fn publish_code(self) -> &'static str {
        match self {
            Self::Denied => "NetStream.Publish.Denied",
            Self::NotFound | Self::InUse => "NetStream.Publish.BadName",
            Self::Failed => "NetStream.Publish.Failed",
        }
    }

    /// librtmp knows only `StreamNotFound` and `Failed`, and would wait on with any other code.
    pub(super) fn play_code(self) -> &'static str {
        match self {
            Self::NotFound => "NetStream.Play.StreamNotFound",
            Self::Denied | Self::InUse | Self::Failed => "NetStream.Play.Failed",
        }
    }
}

fn info(level: Level, code: &str, description: &str) -> Object {
    Object::new().with("level", level.as_str()).with("code", code).with("description", description)
}

fn command(name: &str, transaction: f64, object: Value, arguments: Vec<Value>) -> Command {
    Command { name: name.to_owned(), transaction, object, arguments }
}

pub(super) fn on_status(level: Level, code: &str, description: &str) -> Command {
    let info = info(level, code, description).with("clientid", "0");
    command("onStatus", 0.0, Value::Null, vec![Value::Object(info)])
}

/// `onFCPublish`, `onFCUnpublish`, `onFCSubscribe`.
pub(super) fn on_fc(name: &str, code: &str, description: &str) -> Command {
    command(name, 0.0, Value::Null, vec![Value::Object(info(Level::Status, code, description))])
}

pub(super) fn result(transaction: f64, value: Value) -> Command {
    command("_result", transaction, Value::Null, vec![value])
}

pub(super) fn error(transaction: f64, code: &str, description: &str) -> Command {
    command("_error", transaction, Value::Null, vec![Value::Object(info(Level::Error, code, description))])
}

/// RTMP 1.0 section 7.2.1.1. The version is one that clients compare with what they need.
pub(super) fn connect_result(transaction: f64, object_encoding: f64) -> Command {
    let properties =
        Object::new().with("fmsVer", "FMS/3,5,7,7009").with("capabilities", 31.0).with("mode", 1.0);
    let info = info(Level::Status, "NetConnection.Connect.Success", "Connection succeeded.")
        .with("objectEncoding", object_encoding);
    command("_result", transaction, Value::Object(properties), vec![Value::Object(info)])
}

/// Allows scripts in players to read samples; without it some players mute themselves.
pub(super) fn sample_access() -> Bytes {
    data_body(&[Value::from("|RtmpSampleAccess"), Value::from(true), Value::from(true)])
}

/// The data form of a status, which announces that media follows.
pub(super) fn data_start() -> Bytes {
    let info = Object::new().with("code", "NetStream.Data.Start");
    data_body(&[Value::from("onStatus"), Value::Object(info)])
}
