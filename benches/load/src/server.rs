//! The server under measurement: a process of its own on free ports of the loopback interface.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::process::Stdio;
use std::time::Duration;

use anyhow::{Context, Result, bail, ensure};
use queqiao_load::process::Process;
use tokio::io::{AsyncBufReadExt, BufReader};
use tokio::process::{Child, Command};
use tokio::time::timeout;

const START: Duration = Duration::from_secs(10);
const STOP: Duration = Duration::from_secs(6);

pub(crate) struct Server {
    child: Child,
    process: Process,
    http: SocketAddr,
    rtmp: SocketAddr,
    log: PathBuf,
}

impl Server {
    /// Starts `binary`; what it logs goes to a file `log`.
    pub(crate) async fn start(binary: &PathBuf, log: PathBuf) -> Result<Self> {
        let any = "127.0.0.1:0";
        let settings = std::env::vars_os().map(|(name, _)| name);
        let mut command = Command::new(binary);
        for name in settings.filter(|name| name.to_string_lossy().starts_with("QUEQIAO_")) {
            command.env_remove(name);
        }
        let mut child = command
            .args(["serve", "--http", any, "--rtmp", any, "--rtc", any])
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(std::fs::File::create(&log).with_context(|| log.display().to_string())?)
            .kill_on_drop(true)
            .spawn()
            .with_context(|| binary.display().to_string())?;
        let process = Process::new(child.id().context("the server has no pid")?)?;
        let mut lines = BufReader::new(child.stdout.take().context("no standard output")?).lines();
        let ready = timeout(START, lines.next_line()).await??.context("the server did not start")?;
        let field = |name: &str| -> Result<SocketAddr> {
            let value = ready.split_whitespace().find_map(|word| word.strip_prefix(name));
            Ok(value.with_context(|| format!("no {name} in {ready:?}"))?.parse()?)
        };
        let (http, rtmp) = (field("http=")?, field("rtmp=")?);
        Ok(Self { child, process, http, rtmp, log })
    }

    pub(crate) fn rtmp(&self, name: &str) -> String {
        format!("rtmp://{}/demo/bench/{name}", self.rtmp)
    }

    pub(crate) fn whip(&self, name: &str) -> String {
        format!("http://{}/whip/demo/bench/{name}", self.http)
    }

    pub(crate) fn whep(&self, name: &str) -> String {
        format!("http://{}/whep/demo/bench/{name}", self.http)
    }

    /// Its HTTP address, and its process.
    pub(crate) fn target(&self) -> (String, u32) {
        (format!("http://{}", self.http), self.process.pid())
    }

    /// Processor time used by all threads so far.
    pub(crate) fn cpu(&self) -> Result<Duration> {
        Ok(self.process.cpu()?)
    }

    /// Resident memory in KB.
    pub(crate) fn rss(&self) -> Result<f64> {
        Ok(self.process.rss()?)
    }

    /// Ends the server, and makes sure that it was in good health.
    pub(crate) async fn stop(mut self) -> Result<()> {
        ensure!(self.child.try_wait()?.is_none(), "the server ended by itself, see {}", self.log.display());
        let pid = self.process.pid().to_string();
        ensure!(Command::new("kill").args(["-TERM", &pid]).status().await?.success(), "no signal was sent");
        let status = timeout(STOP, self.child.wait()).await.context("the server did not leave")??;
        let log = std::fs::read_to_string(&self.log)?;
        if !status.success() || log.contains("panicked at") {
            bail!("the server left with {status}, see {}", self.log.display());
        }
        Ok(())
    }
}
