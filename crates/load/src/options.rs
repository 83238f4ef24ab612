//! What to do to a server: the flags of `queqiao load`.

use std::path::PathBuf;
use std::str::FromStr;
use std::time::Duration;

use queqiao_room::{AppId, RoomId, Secret};

use crate::Error;

/// Rooms at most: more than one machine can serve.
const MAX_ROOMS: u32 = 10_000;

/// Participants of all rooms together at most: each takes two sockets of this process.
const MAX_PARTICIPANTS: u64 = 30_000;

/// Streams that one participant can subscribe to: the server's limit.
pub(crate) const MAX_SUBSCRIPTIONS: usize = 60;

/// The flags.
#[derive(Clone, Debug, PartialEq, clap::Args)]
pub struct Options {
    /// HTTP address of the server
    #[arg(long, value_name = "URL", default_value = "http://127.0.0.1:8080")]
    pub server: String,
    /// RTMP address; the server says it if this is absent
    #[arg(long, value_name = "HOST:PORT")]
    pub rtmp: Option<String>,
    /// App whose rooms are filled
    #[arg(long, default_value = "demo")]
    pub app: AppId,
    /// Secret of the app, to make tokens with; demo needs none
    #[arg(long)]
    pub secret: Option<Secret>,
    /// What the rooms are called, with a number each; random if absent
    #[arg(long, value_name = "NAME")]
    pub room: Option<RoomId>,
    /// Number of rooms
    #[arg(long, default_value_t = 1)]
    pub rooms: u32,
    /// WebRTC participants of each room
    #[arg(long, default_value_t = 4)]
    pub participants: u32,
    /// How many of them publish; all if absent
    #[arg(long)]
    pub publishers: Option<u32>,
    /// How many streams each of them receives
    #[arg(long, value_name = "all|K", default_value = "all")]
    pub subscribe: Subscribe,
    /// RTMP publishers of each room
    #[arg(long, default_value_t = 0)]
    pub rtmp_publishers: u32,
    /// RTMP players of each room; each plays one stream
    #[arg(long, default_value_t = 0)]
    pub rtmp_players: u32,
    /// How long to measure, once everybody is there: 30s, 5m
    #[arg(long, default_value = "30s", value_parser = parse_duration)]
    pub duration: Duration,
    /// How fast participants come
    #[arg(long, value_name = "N/s|max", default_value = "10/s")]
    pub ramp: Ramp,
    /// Signalling alone: participants join and are told of each other, and neither publish nor subscribe
    #[arg(long)]
    pub no_media: bool,
    /// Streams of each participant that are decrypted and looked into all the time; of the others packets are counted
    #[arg(long, value_name = "K", default_value_t = 1)]
    pub measure: u32,
    /// The server's process, for its CPU and memory; found by itself if it runs on this machine
    #[arg(long)]
    pub pid: Option<u32>,
    /// Threads of the load generator
    #[arg(long, default_value_t = 2)]
    pub threads: u32,
    /// File for the report in JSON
    #[arg(long, value_name = "FILE")]
    pub json: Option<PathBuf>,
}

/// How many streams a participant receives.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Subscribe {
    /// Every other's.
    All,
    /// So many.
    Some(u32),
}

impl FromStr for Subscribe {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        match text {
            "all" => Ok(Self::All),
            number => number.parse().map(Self::Some).map_err(|_| "write all or a number".to_owned()),
        }
    }
}

/// How fast participants come.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Ramp {
    /// So many a second.
    PerSecond(f64),
    /// As fast as they are let in.
    Max,
}

impl Ramp {
    /// How long after the first the participant with this number comes.
    #[must_use]
    pub fn delay(self, number: u32) -> Duration {
        match self {
            Self::PerSecond(rate) => {
                Duration::try_from_secs_f64(f64::from(number) / rate).unwrap_or_default()
            }
            Self::Max => Duration::ZERO,
        }
    }
}

impl FromStr for Ramp {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        if text == "max" {
            return Ok(Self::Max);
        }
        let rate = text.strip_suffix("/s").and_then(|rate| rate.parse::<f64>().ok());
        rate.filter(|rate| rate.is_finite() && *rate >= 0.01)
            .map(Self::PerSecond)
            .ok_or_else(|| "write a rate such as 10/s, or max".to_owned())
    }
}

fn parse_duration(text: &str) -> Result<Duration, String> {
    let units = [("s", 1), ("m", 60), ("h", 3600)];
    let parsed = units.iter().find_map(|(unit, seconds)| {
        let number = text.strip_suffix(unit)?.parse::<u32>().ok()?;
        Some(Duration::from_secs(u64::from(number) * seconds))
    });
    parsed.ok_or_else(|| "write a number with s, m or h, such as 30s".to_owned())
}

impl Options {
    /// What the command does to this server without any other flag.
    ///
    /// # Errors
    ///
    /// [`Error::Room`], never.
    pub fn new(server: String) -> Result<Self, Error> {
        Ok(Self {
            server,
            rtmp: None,
            app: queqiao_room::Apps::DEMO.parse()?,
            secret: None,
            room: None,
            rooms: 1,
            participants: 4,
            publishers: None,
            subscribe: Subscribe::All,
            rtmp_publishers: 0,
            rtmp_players: 0,
            duration: Duration::from_secs(30),
            ramp: Ramp::PerSecond(10.0),
            no_media: false,
            measure: 1,
            pid: None,
            threads: 2,
            json: None,
        })
    }

    /// How many of a room's WebRTC participants publish.
    #[must_use]
    pub fn web_publishers(&self) -> u32 {
        if self.no_media { 0 } else { self.publishers.unwrap_or(self.participants).min(self.participants) }
    }

    /// Makes sure that the flags fit together.
    ///
    /// # Errors
    ///
    /// [`Error::Options`], in words.
    pub fn check(&self) -> Result<(), Error> {
        let all = u64::from(self.rooms)
            * (u64::from(self.participants) + u64::from(self.rtmp_publishers) + u64::from(self.rtmp_players));
        let streams = self.web_publishers() + self.rtmp_publishers;
        let fault = if self.rooms == 0 || self.rooms > MAX_ROOMS {
            format!("--rooms is from 1 to {MAX_ROOMS}")
        } else if all == 0 || all > MAX_PARTICIPANTS {
            format!("all rooms together have from 1 to {MAX_PARTICIPANTS} participants")
        } else if self.threads == 0 || self.threads > 64 {
            "--threads is from 1 to 64".to_owned()
        } else if self.publishers.is_some_and(|publishers| publishers > self.participants) {
            "--publishers is at most --participants".to_owned()
        } else if self.rtmp_players > 0 && streams == 0 {
            "--rtmp-players need somebody who publishes".to_owned()
        } else if self.no_media && (self.rtmp_publishers > 0 || self.rtmp_players > 0) {
            "--no-media leaves nothing for RTMP to do".to_owned()
        } else if self.app.as_str() == queqiao_room::Apps::DEMO && self.secret.is_some() {
            "the app demo has no --secret".to_owned()
        } else {
            return Ok(());
        };
        Err(Error::Options(fault))
    }
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::*;

    #[derive(Parser)]
    struct Line {
        #[command(flatten)]
        options: Options,
    }

    fn parse(line: &str) -> Result<Options, String> {
        let words = std::iter::once("load").chain(line.split_whitespace());
        Line::try_parse_from(words).map(|line| line.options).map_err(|error| error.to_string())
    }

    #[test]
    fn without_flags_four_participants_hold_a_call() {
        let options = parse("").unwrap();
        options.check().unwrap();
        assert_eq!((options.rooms, options.participants, options.web_publishers()), (1, 4, 4));
        assert_eq!(options.subscribe, Subscribe::All);
        assert_eq!(options.duration, Duration::from_secs(30));
        assert_eq!(options.ramp.delay(25), Duration::from_millis(2500));
        assert_eq!(options, Options::new("http://127.0.0.1:8080".to_owned()).unwrap());
    }

    #[test]
    fn values_are_read() {
        let options = parse("--subscribe 3 --ramp max --duration 2m --publishers 1 --no-media").unwrap();
        assert_eq!(options.subscribe, Subscribe::Some(3));
        assert_eq!(options.ramp.delay(1000), Duration::ZERO);
        assert_eq!(options.duration, Duration::from_secs(120));
        assert_eq!(options.web_publishers(), 0, "without media nobody publishes");
    }

    #[test]
    fn mistakes_are_named() {
        for (line, named) in [
            ("--ramp 10", "10/s"),
            ("--ramp 0/s", "10/s"),
            ("--subscribe some", "all or a number"),
            ("--duration 30", "30s"),
            ("--room a/b", "--room"),
        ] {
            let error = parse(line).unwrap_err();
            assert!(error.contains(named), "{line}: {error}");
        }
    }

    #[test]
    fn flags_that_do_not_fit_together_are_refused() {
        for (line, named) in [
            ("--rooms 0", "--rooms"),
            ("--participants 0", "participants"),
            ("--rooms 1000 --participants 100", "participants"),
            ("--publishers 5", "--publishers"),
            ("--publishers 0 --rtmp-players 1", "--rtmp-players"),
            ("--no-media --rtmp-publishers 1", "--no-media"),
            ("--secret 4f1c9a0b7de2583c61d0a8e3", "demo"),
        ] {
            let error = parse(line).unwrap().check().unwrap_err().to_string();
            assert!(error.contains(named), "{line}: {error}");
        }
    }
}
