//! Reading the configuration from its three sources: a TOML file, environment variables, flags.

use std::net::{IpAddr, SocketAddr};
use std::path::PathBuf;

use serde::Deserialize;
use toml::{Table, Value};

use super::{Config, ConfigError};

/// What the names of our environment variables begin with.
pub(super) const PREFIX: &str = "QUEQIAO_";

/// The variable that names the file.
pub(super) const CONFIG_VARIABLE: &str = "QUEQIAO_CONFIG";

/// Variables with a short name of their own, and the keys they stand for.
const SHORT_NAMES: [(&str, &str); 4] = [
    ("QUEQIAO_HTTP", "listen.http"),
    ("QUEQIAO_RTMP", "listen.rtmp"),
    ("QUEQIAO_RTC", "listen.rtc"),
    ("QUEQIAO_PUBLIC_IP", "rtc.public_ip"),
];

/// The flags that override file and environment.
#[derive(Clone, Debug, Default, clap::Args)]
pub(crate) struct Flags {
    /// Address for HTTP: the page, WHIP, WHEP, HTTP-FLV [default: 127.0.0.1:8080]
    #[arg(long, value_name = "ADDR")]
    pub(crate) http: Option<SocketAddr>,
    /// Address for RTMP [default: 127.0.0.1:1935]
    #[arg(long, value_name = "ADDR")]
    pub(crate) rtmp: Option<SocketAddr>,
    /// UDP address for WebRTC media [default: 127.0.0.1:7800]
    #[arg(long, value_name = "ADDR")]
    pub(crate) rtc: Option<SocketAddr>,
    /// Address at which WebRTC peers reach this server if it is behind NAT; may be repeated
    #[arg(long, value_name = "IP")]
    pub(crate) public_ip: Vec<IpAddr>,
    #[command(flatten)]
    pub(crate) file: FileFlag,
}

/// The flag that names the configuration file.
#[derive(Clone, Debug, Default, clap::Args)]
pub(crate) struct FileFlag {
    /// Configuration file in TOML (or QUEQIAO_CONFIG)
    #[arg(long = "config", value_name = "FILE")]
    pub(crate) path: Option<PathBuf>,
}

impl Flags {
    pub(super) fn apply(&self, config: &mut Config) {
        let listen = &mut config.listen;
        listen.http = self.http.unwrap_or(listen.http);
        listen.rtmp = self.rtmp.unwrap_or(listen.rtmp);
        listen.rtc = self.rtc.unwrap_or(listen.rtc);
        if !self.public_ip.is_empty() {
            config.rtc.public_ip.clone_from(&self.public_ip);
        }
    }
}

/// A configuration file that has been read.
#[derive(Clone, Copy, Debug)]
pub(crate) struct File<'a> {
    /// Its name in error messages.
    pub(crate) name: &'a str,
    /// Its text.
    pub(crate) text: &'a str,
}

impl File<'_> {
    /// The values in the file, known to fit.
    pub(super) fn table(self) -> Result<Table, ConfigError> {
        toml::from_str::<Config>(self.text).map_err(|error| self.fault(&error))?;
        self.text.parse().map_err(|error| self.fault(&error))
    }

    /// The library's own rendering shows the line, which may hold a secret.
    fn fault(self, error: &toml::de::Error) -> ConfigError {
        let before = error.span().and_then(|span| self.text.get(..span.start)).unwrap_or_default();
        let line = before.bytes().filter(|byte| *byte == b'\n').count() + 1;
        ConfigError::Toml { file: self.name.to_owned(), line, message: explain(error) }
    }
}

/// Puts one environment variable over the values in `table`, if it is one of ours.
///
/// The value is text, a TOML value or a list separated by commas: the first that fits the key. One variable at a time, so
/// that an error can name it.
pub(super) fn apply_variable(table: &mut Table, name: &str, value: &str) -> Result<(), ConfigError> {
    // Set but empty is how compose files and service managers write "not set".
    if !name.starts_with(PREFIX) || name == CONFIG_VARIABLE || value.is_empty() {
        return Ok(());
    }
    let path = key_path(name);
    let mut failure: Option<String> = None;
    for candidate in candidates(value) {
        let mut attempt = table.clone();
        set(&mut attempt, &path, candidate);
        match Config::deserialize(Value::Table(attempt.clone())) {
            Ok(_) => {
                *table = attempt;
                return Ok(());
            }
            Err(error) => {
                let message = explain(&error);
                if message.starts_with("unknown key") {
                    return Err(ConfigError::UnknownVariable { name: name.to_owned(), message });
                }
                let is_better =
                    |old: &String| old.starts_with("invalid type") && !message.starts_with("invalid type");
                if failure.as_ref().is_none_or(is_better) {
                    failure = Some(message);
                }
            }
        }
    }
    Err(ConfigError::Variable { name: name.to_owned(), message: failure.unwrap_or_default() })
}

fn key_path(name: &str) -> Vec<String> {
    if let Some((_, key)) = SHORT_NAMES.iter().find(|(short, _)| *short == name) {
        return key.split('.').map(str::to_owned).collect();
    }
    let rest = name.strip_prefix(PREFIX).unwrap_or(name);
    rest.split("__").map(str::to_ascii_lowercase).collect()
}

fn candidates(value: &str) -> impl Iterator<Item = Value> {
    let literal = format!("v = {value}").parse::<Table>().ok();
    let literal = literal.filter(|table| table.len() == 1).and_then(|mut table| table.remove("v"));
    let list = value.split(',').map(|item| Value::String(item.trim().to_owned())).collect();
    [Some(Value::String(value.to_owned())), literal, Some(Value::Array(list))].into_iter().flatten()
}

fn set(table: &mut Table, path: &[String], value: Value) {
    match path {
        [] => {}
        [key] => {
            table.insert(key.clone(), value);
        }
        [key, rest @ ..] => {
            let entry = table.entry(key.clone()).or_insert_with(|| Value::Table(Table::new()));
            match entry {
                Value::Table(inner) => set(inner, rest, value),
                Value::String(_)
                | Value::Integer(_)
                | Value::Float(_)
                | Value::Boolean(_)
                | Value::Datetime(_)
                | Value::Array(_) => {
                    let mut inner = Table::new();
                    set(&mut inner, rest, value);
                    *entry = Value::Table(inner);
                }
            }
        }
    }
}

/// The library's message in our words, without the text that was found: it may be a secret.
fn explain(error: &toml::de::Error) -> String {
    let message = error.message();
    if let Some(rest) = message.strip_prefix("unknown field ") {
        return format!("unknown key {rest}");
    }
    let unknown = message.strip_prefix("unknown variant ").and_then(|rest| rest.rsplit_once("`, expected "));
    if let Some((_, expected)) = unknown {
        return format!("unknown value, expected {expected}");
    }
    match (message.split_once(" string \""), message.rsplit_once("\", expected ")) {
        (Some((before, _)), Some((_, expected))) if message.starts_with("invalid ") => {
            format!("{before} string, expected {expected}")
        }
        _ => message.to_owned(),
    }
}
