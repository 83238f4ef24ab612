use std::net::SocketAddr;
use std::path::PathBuf;

/// Why there is no configuration. No text quotes a value that could be a secret.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ConfigError {
    /// The file could not be read.
    #[error("cannot read the configuration file {}", path.display())]
    File {
        path: PathBuf,
        #[source]
        source: std::io::Error,
    },
    /// The file is not TOML, has an unknown key or a value of the wrong kind.
    #[error("{file}, line {line}: {message}")]
    Toml { file: String, line: usize, message: String },
    /// A `QUEQIAO_…` variable that no key belongs to.
    #[error("environment variable {name}: {message}")]
    UnknownVariable { name: String, message: String },
    /// A `QUEQIAO_…` variable whose value does not fit its key.
    #[error("environment variable {name}: {message}")]
    Variable { name: String, message: String },
    /// A value out of its range.
    #[error("{key}: {message}")]
    Invalid { key: &'static str, message: String },
    /// A contradiction among the configured apps.
    #[error("apps: {0}")]
    Apps(#[source] queqiao_room::Error),
    /// The demo app was asked for where others than this machine could use it.
    #[error(
        "demo = true, but {} can be reached from other machines.\n\n\
         The app \"demo\" lets everybody in without a token, so it exists only while every listener is on a\n\
         loopback address. Take out demo = true, and create an app instead:\n\n{HOW_TO_CREATE_AN_APP}",
        list(listeners)
    )]
    DemoInPublic { listeners: Vec<(&'static str, SocketAddr)> },
    /// Nobody could get in.
    #[error("no app is configured{}.\n\nCreate one:\n\n{HOW_TO_CREATE_AN_APP}", why(listeners))]
    NoApp { listeners: Vec<(&'static str, SocketAddr)> },
}

const HOW_TO_CREATE_AN_APP: &str = "    # queqiao.toml\n    \
    [[apps]]\n    \
    id = \"myapp\"\n    \
    secrets = [\"…\"]    # the output of: openssl rand -hex 32\n\n\
and give every user a token:\n\n    \
queqiao token --config queqiao.toml --app myapp --room r1 --uid alice --role host --ttl 1h";

fn list(listeners: &[(&'static str, SocketAddr)]) -> String {
    let texts: Vec<_> =
        listeners.iter().map(|(name, address)| format!("listen.{name} = {address}")).collect();
    texts.join(" and ")
}

fn why(listeners: &[(&'static str, SocketAddr)]) -> String {
    if listeners.is_empty() {
        return String::from(" and demo = false");
    }
    format!(
        ", and the app \"demo\", which needs no token, does not exist because {} can be reached from other machines",
        list(listeners)
    )
}
