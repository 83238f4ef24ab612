//! What a run found: a table for people, JSON for programs.

use std::collections::BTreeMap;
use std::fmt;

use serde::Serialize;

use crate::histogram::Spread;

/// Everything that a run found. Times are in milliseconds.
#[derive(Clone, Debug, Default, Serialize)]
pub struct Report {
    /// Who was there.
    pub setup: Setup,
    /// How long things were counted, in seconds, once everybody was there.
    pub seconds: f64,
    /// How participants came in.
    pub joins: Joins,
    /// From the request to publish to the event that another participant gets.
    pub publish_to_event_ms: Spread,
    /// From the offer to the end of the DTLS handshake.
    pub connect_ms: Spread,
    /// From the request to subscribe to the first packet of the stream.
    pub first_packet_ms: Spread,
    /// From the request to subscribe to the last packet of the first keyframe.
    pub first_keyframe_ms: Spread,
    /// WebRTC media of all participants.
    pub packets: Packets,
    /// From the publisher to the WebRTC subscriber: from just before a picture's first packet is encrypted to the arrival of
    /// its last packet in the subscriber's kernel.
    pub delay_ms: Spread,
    /// RFC 3550 jitter at the end, of every track.
    pub jitter_ms: Spread,
    /// RTMP publishers and players.
    pub rtmp: Rtmp,
    /// The server's process, if it is known.
    pub server: Option<Usage>,
    /// This process.
    pub client: Usage,
    /// What was looked into, and what was only counted.
    pub method: Method,
    /// Failures by reason; nothing if all went well.
    pub failures: BTreeMap<String, u64>,
}

/// Who was there.
#[derive(Clone, Debug, Default, Serialize)]
pub struct Setup {
    /// The server's HTTP address.
    pub server: String,
    /// Rooms.
    pub rooms: u32,
    /// WebRTC participants of each room.
    pub participants: u32,
    /// How many of them publish.
    pub publishers: u32,
    /// RTMP publishers of each room.
    pub rtmp_publishers: u32,
    /// RTMP players of each room.
    pub rtmp_players: u32,
}

/// How participants came in.
#[derive(Clone, Debug, Default, Serialize)]
pub struct Joins {
    /// Participants that tried, RTMP aside.
    pub asked: u64,
    /// From the first request to the last answer.
    pub per_second: Option<f64>,
    /// From the request to its answer; `count` is how many were let in.
    pub latency_ms: Spread,
    /// Times that somebody was told of somebody who came later.
    pub told: u64,
    /// The server's processor time from the first connection until everybody was told of everybody, over the joins. Without
    /// media alone: otherwise it would hold their cost.
    pub server_cpu_us: Option<f64>,
}

/// WebRTC media.
#[derive(Clone, Debug, Default, Serialize)]
pub struct Packets {
    /// By publishers to the server.
    pub sent: u64,
    /// By the server to subscribers, repairs aside.
    pub received: u64,
    /// Packets that did not reach a subscriber at first, whether or not they were repaired.
    pub lost: u64,
    /// The same of those that were sent to subscribers.
    pub lost_percent: f64,
    /// Packets that the server sent again.
    pub repairs: u64,
    /// Tracks of subscribers.
    pub tracks: u64,
    /// NACKs of the server to publishers, in the whole run.
    pub nacks_received: u64,
    /// NACKs to the server for the streams that are decrypted, in the whole run.
    pub nacks_sent: u64,
}

/// RTMP.
#[derive(Clone, Debug, Default, Serialize)]
pub struct Rtmp {
    /// Frames of publishers to the server.
    pub frames_sent: u64,
    /// Frames of the server to players.
    pub frames_received: u64,
    /// From the TCP connection to the last byte of the first keyframe.
    pub first_keyframe_ms: Spread,
    /// From just before a picture is written, or its first packet encrypted, to the arrival of its last byte.
    pub delay_ms: Spread,
}

/// What a process used while things were counted.
#[derive(Clone, Debug, Default, Serialize)]
pub struct Usage {
    /// The process.
    pub pid: u32,
    /// Processor time over time: 1.5 is one core and half of another.
    pub cores: f64,
    /// Processor time over the packets that the server sent to WebRTC subscribers, in microseconds.
    pub cpu_us_per_packet: Option<f64>,
    /// Resident memory at the end, in KB.
    pub rss_kb: f64,
    /// By how much it grew from before the first participant to the end.
    pub rss_growth_kb: f64,
}

/// What was looked into, and what was only counted.
#[derive(Clone, Debug, Default, Serialize)]
pub struct Method {
    /// Streams of subscribers that were decrypted all the time: the delay is theirs.
    pub decrypted_streams: u64,
    /// Streams of subscribers that were decrypted up to their first keyframe. From then on their packets were counted by
    /// their headers, which are not encrypted.
    pub counted_streams: u64,
}

impl Report {
    /// How many failures there were.
    #[must_use]
    pub fn failed(&self) -> u64 {
        self.failures.values().sum()
    }
}

/// The share of `part` in `whole`, in percent; 0 of nothing.
#[must_use]
pub fn percent(part: u64, whole: u64) -> f64 {
    #[allow(clippy::cast_precision_loss)]
    if whole == 0 { 0.0 } else { part as f64 * 100.0 / whole as f64 }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Setup { rooms, participants, publishers, rtmp_publishers, rtmp_players, .. } = self.setup;
        writeln!(
            f,
            "{rooms} rooms of {participants} ({publishers} publish), {rtmp_publishers} RTMP publishers and \
             {rtmp_players} RTMP players, measured for {:.1} s\n",
            self.seconds
        )?;
        writeln!(f, "{:<34}{:>8}{:>10}{:>10}{:>10}{:>10}", "ms", "n", "p50", "p95", "p99", "max")?;
        for (name, spread) in [
            ("join: request to answer", &self.joins.latency_ms),
            ("publish to the others' event", &self.publish_to_event_ms),
            ("offer to connected", &self.connect_ms),
            ("subscribe to first packet", &self.first_packet_ms),
            ("subscribe to first keyframe", &self.first_keyframe_ms),
            ("publisher to subscriber", &self.delay_ms),
            ("jitter of a track", &self.jitter_ms),
            ("RTMP player to first keyframe", &self.rtmp.first_keyframe_ms),
            ("publisher to RTMP player", &self.rtmp.delay_ms),
        ] {
            if spread.count > 0 {
                row(f, name, spread)?;
            }
        }
        let joins = &self.joins;
        write!(f, "\njoins: {} of {}", joins.latency_ms.count, joins.asked)?;
        if let Some(rate) = joins.per_second {
            write!(f, ", {rate:.0} a second")?;
        }
        if let Some(cpu) = joins.server_cpu_us {
            write!(f, ", {cpu:.0} us of the server's CPU each")?;
        }
        let packets = &self.packets;
        writeln!(
            f,
            "; told of later ones: {}\npackets: {} sent, {} received on {} tracks, {} lost ({:.3} %), {} sent again; NACKs: {} in, {} out",
            joins.told,
            packets.sent,
            packets.received,
            packets.tracks,
            packets.lost,
            packets.lost_percent,
            packets.repairs,
            packets.nacks_received,
            packets.nacks_sent
        )?;
        if rtmp_publishers + rtmp_players > 0 {
            let Rtmp { frames_sent, frames_received, .. } = self.rtmp;
            writeln!(f, "RTMP frames: {frames_sent} sent, {frames_received} received")?;
        }
        match &self.server {
            Some(server) => usage(f, "server", server)?,
            None => writeln!(f, "server: its process is not known, see --pid")?,
        }
        usage(f, "this program", &self.client)?;
        let Method { decrypted_streams, counted_streams } = self.method;
        writeln!(
            f,
            "streams: {decrypted_streams} decrypted, {counted_streams} counted by their packets' headers"
        )?;
        for (reason, count) in &self.failures {
            writeln!(f, "FAILED: {reason}: {count}")?;
        }
        Ok(())
    }
}

fn row(f: &mut fmt::Formatter<'_>, name: &str, spread: &Spread) -> fmt::Result {
    write!(f, "{name:<34}{:>8}", spread.count)?;
    for value in [spread.p50, spread.p95, spread.p99, spread.max] {
        write!(f, "{:>10.2}", value.unwrap_or_default())?;
    }
    writeln!(f)
}

fn usage(f: &mut fmt::Formatter<'_>, name: &str, usage: &Usage) -> fmt::Result {
    write!(f, "{name}: {:.3} cores", usage.cores)?;
    if let Some(cost) = usage.cpu_us_per_packet {
        write!(f, ", {cost:.2} us for each packet received")?;
    }
    writeln!(f, ", {:.0} KB resident ({:+.0} KB)", usage.rss_kb, usage.rss_growth_kb)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_table_says_what_was_measured_and_what_failed() {
        let spread = Spread { count: 9, p50: Some(1.5), p95: Some(2.0), p99: Some(2.5), max: Some(3.0) };
        let report = Report {
            connect_ms: spread,
            packets: Packets {
                received: 990,
                lost: 10,
                lost_percent: percent(10, 1000),
                ..Packets::default()
            },
            failures: BTreeMap::from([("join_room_full".to_owned(), 3), ("no_packets".to_owned(), 1)]),
            ..Report::default()
        };
        let text = report.to_string();
        assert!(text.contains("offer to connected") && text.contains("2.50"), "{text}");
        assert!(text.contains("10 lost (1.000 %)") && text.contains("FAILED: join_room_full: 3"), "{text}");
        assert!(!text.contains("publisher to RTMP player"), "nothing of what was not there: {text}");
        assert_eq!(report.failed(), 4);
    }

    #[test]
    fn of_nothing_nothing_is_lost() {
        assert_eq!((percent(0, 0), percent(1, 4)), (0.0, 25.0));
    }
}
