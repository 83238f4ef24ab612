//! The configuration: a TOML file, then `QUEQIAO_…` environment variables, then flags, each over the one before.
//!
//! `docs/configuration.md` describes every key; a test compares it with the structs here.

mod error;
mod ops;
mod sections;
mod sources;
mod units;

use std::env;
use std::fs;
use std::net::SocketAddr;

use queqiao_room::{Apps, Demo, Loopback};
use serde::{Deserialize, Serialize};

pub(crate) use error::ConfigError;
pub(crate) use ops::{Admin, Webhook, WebhookUrl};
pub(crate) use sections::{App, Gop, Http, Limits, Listen, Public, Rooms, Rtc, Transcode};
pub(crate) use sources::{File, FileFlag, Flags};
pub(crate) use units::parse_duration;

/// All that the server can be told. Prints without its secrets.
#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct Config {
    /// What is logged: a level, or directives such as `info,queqiao=debug`.
    pub(crate) log: String,
    /// Whether the app `demo` exists. Absent: if every listener is on a loopback address.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) demo: Option<bool>,
    pub(crate) listen: Listen,
    pub(crate) rtc: Rtc,
    pub(crate) http: Http,
    pub(crate) public: Public,
    pub(crate) rooms: Rooms,
    pub(crate) limits: Limits,
    pub(crate) gop: Gop,
    pub(crate) transcode: Transcode,
    pub(crate) admin: Admin,
    pub(crate) apps: Vec<App>,
    pub(crate) webhooks: Vec<Webhook>,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            log: String::from("info"),
            demo: None,
            listen: Listen::default(),
            rtc: Rtc::default(),
            http: Http::default(),
            public: Public::default(),
            rooms: Rooms::default(),
            limits: Limits::default(),
            gop: Gop::default(),
            transcode: Transcode::default(),
            admin: Admin::default(),
            apps: Vec::new(),
            webhooks: Vec::new(),
        }
    }
}

impl Config {
    /// Reads the configuration of this process: the file that `--config` or `QUEQIAO_CONFIG` names, if any, its
    /// environment, and `flags`.
    pub(crate) fn load(flags: &Flags) -> Result<Self, ConfigError> {
        let path = match &flags.file.path {
            Some(path) => Some(path.clone()),
            None => env::var_os(sources::CONFIG_VARIABLE).filter(|path| !path.is_empty()).map(Into::into),
        };
        let text = match &path {
            Some(path) => Some(
                fs::read_to_string(path)
                    .map_err(|source| ConfigError::File { path: path.clone(), source })?,
            ),
            None => None,
        };
        let name = path.as_ref().map(|path| path.display().to_string()).unwrap_or_default();
        let file = text.as_ref().map(|text| File { name: &name, text });
        let environment = env::vars_os()
            .filter_map(|(name, value)| Some((name.into_string().ok()?, value.to_string_lossy().into())));
        Self::from_sources(file, environment, flags)
    }

    /// Puts the sources together. Variables that are not ours are passed over.
    ///
    /// The result is complete and consistent: [`Config::apps`] cannot fail on it.
    pub(crate) fn from_sources(
        file: Option<File<'_>>,
        environment: impl IntoIterator<Item = (String, String)>,
        flags: &Flags,
    ) -> Result<Self, ConfigError> {
        let mut table = file.map(File::table).transpose()?.unwrap_or_default();
        let mut variables: Vec<_> =
            environment.into_iter().filter(|(name, _)| name.starts_with(sources::PREFIX)).collect();
        variables.sort();
        for (name, value) in &variables {
            sources::apply_variable(&mut table, name, value)?;
        }
        let mut config = Self::deserialize(toml::Value::Table(table)).map_err(|error| {
            ConfigError::Invalid { key: "configuration", message: error.message().to_owned() }
        })?;
        flags.apply(&mut config);
        sections::check(&config)?;
        config.apps()?;
        Ok(config)
    }

    /// The apps that may be used, with or without the app `demo` among them.
    pub(crate) fn apps(&self) -> Result<Apps, ConfigError> {
        let apps = self.apps.iter().map(|app| (app.id.clone(), app.access()));
        Apps::new(apps, self.demo()?).map_err(ConfigError::Apps)
    }

    /// The configuration as TOML, with secrets left out.
    pub(crate) fn to_toml(&self) -> Result<String, toml::ser::Error> {
        toml::to_string(self)
    }

    fn demo(&self) -> Result<Demo, ConfigError> {
        let all = self.listen.all();
        match (self.demo, Loopback::prove(all.iter().map(|(_, address)| *address))) {
            (None | Some(true), Some(loopback)) => Ok(Demo::Present(loopback)),
            (Some(true), None) => Err(ConfigError::DemoInPublic { listeners: self.public_listeners() }),
            (Some(false), _) | (None, None) if !self.apps.is_empty() => Ok(Demo::Absent),
            (Some(false), _) => Err(ConfigError::NoApp { listeners: Vec::new() }),
            (None, None) => Err(ConfigError::NoApp { listeners: self.public_listeners() }),
        }
    }

    fn public_listeners(&self) -> Vec<(&'static str, SocketAddr)> {
        let is_public = |listener: &(&str, SocketAddr)| Loopback::prove([listener.1]).is_none();
        self.listen.all().into_iter().filter(is_public).collect()
    }
}

#[cfg(test)]
mod tests;
