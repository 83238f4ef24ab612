//! `/metrics`: what there is and what has been counted, in the text format of Prometheus (version 0.0.4).

use std::fmt::{Display, Write};
use std::sync::Arc;

use axum::extract::State;
use axum::http::header;
use axum::response::IntoResponse;

use super::api::Ops;
use super::webhooks::Counts;
use crate::hub::{Delivered, LAG_BUCKETS, MixCounts};

/// Name, help and value of what is counted for each endpoint.
type Counter = (&'static str, &'static str, fn(&Counts) -> u64);

/// Text with one family of metrics after the other.
#[derive(Default)]
struct Page(String);

impl Page {
    fn family(&mut self, name: &str, kind: &str, help: &str) {
        let _ = writeln!(self.0, "# HELP queqiao_{name} {help}\n# TYPE queqiao_{name} {kind}");
    }

    fn gauge(&mut self, name: &str, help: &str, value: impl Display) {
        self.family(name, "gauge", help);
        let _ = writeln!(self.0, "queqiao_{name} {value}");
    }

    fn counter(&mut self, name: &str, help: &str, value: u64) {
        self.family(name, "counter", help);
        let _ = writeln!(self.0, "queqiao_{name} {value}");
    }

    /// How far players over TCP were behind, and what they had to do without.
    fn delivery(&mut self, Delivered { seconds, sum, counts }: Delivered) {
        const LAG: &str = "player_lag_seconds";
        self.family(
            LAG,
            "histogram",
            "Seconds of RTMP and HTTP-FLV players by how far they were behind live.",
        );
        let mut total = 0;
        let bounds = LAG_BUCKETS.iter().map(|bound| bound.as_secs_f64().to_string());
        for (bound, count) in bounds.chain([String::from("+Inf")]).zip(seconds) {
            total += count;
            let _ = writeln!(self.0, "queqiao_{LAG}_bucket{{le=\"{bound}\"}} {total}");
        }
        let _ = writeln!(self.0, "queqiao_{LAG}_sum {}\nqueqiao_{LAG}_count {total}", sum as f64 / 1_000.0);
        for (name, help, value) in [
            (
                "player_pictures_dropped_total",
                "Pictures that paths were too slow for.",
                counts.disposable + counts.pictures,
            ),
            ("player_groups_cut_total", "Groups of pictures that were cut short.", counts.groups),
            ("player_audio_dropped_total", "Frames of sound left out after a standstill.", counts.audio),
            ("player_rebases_total", "Timelines moved after a standstill.", counts.rebases),
        ] {
            self.counter(name, help, value);
        }
    }

    /// The rooms that are mixed for those who can play one stream.
    fn mixes(&mut self, MixCounts { rooms, blocks, left_out, encoded, dropped }: MixCounts) {
        self.gauge("mixed_rooms", "Rooms whose sound is mixed.", rooms);
        for (name, help, value) in [
            ("mix_blocks_total", "Blocks of 21 ms that rooms were mixed for.", blocks),
            ("mix_blocks_left_out_total", "Blocks that the mixer was too late for.", left_out),
            ("mix_frames_encoded_total", "AAC frames that mixes were encoded to, silence excepted.", encoded),
            ("mix_sound_dropped_total", "Packets of sound that the mixer was too slow for.", dropped),
        ] {
            self.counter(name, help, value);
        }
    }

    fn sample(&mut self, name: &str, endpoint: &str, value: u64) {
        let endpoint = endpoint.replace('\\', "\\\\").replace('"', "\\\"").replace('\n', "\\n");
        let _ = writeln!(self.0, "queqiao_{name}{{endpoint=\"{endpoint}\"}} {value}");
    }
}

/// `GET /metrics`.
pub(super) async fn show(State(ops): State<Arc<Ops>>) -> impl IntoResponse {
    ([(header::CONTENT_TYPE, "text/plain; version=0.0.4; charset=utf-8")], page(&ops))
}

fn page(ops: &Ops) -> String {
    let totals = ops.rooms.totals();
    let mut page = Page::default();
    page.gauge("uptime_seconds", "Since the server started.", ops.started.elapsed().as_secs());
    page.gauge("rooms", "Rooms with somebody in them or kept out of them.", totals.rooms);
    page.gauge("participants", "Participants of all rooms.", totals.participants);
    page.gauge("streams", "Streams that participants publish.", totals.streams);
    page.gauge("streams_steered", "Streams whose encoders are told what to send at most.", totals.steered);
    let sei = ops.hub.sei_counts();
    page.counter("sei_untold_total", "User data of pictures that was not told: too much of it.", sei.untold);
    page.counter("sei_unsent_total", "User data that found no picture to go into.", sei.unsent);
    page.gauge("webrtc_sessions", "WebRTC sessions.", ops.rtc.sessions());
    page.delivery(ops.hub.delivery().read());
    page.mixes(ops.hub.mix_counts());
    let viewers = ops.rtc.counts();
    page.counter(
        "webrtc_pictures_left_out_total",
        "Pictures that the paths to WebRTC viewers were too narrow for.",
        viewers.pictures_left_out,
    );
    page.counter("webrtc_nacks_total", "Reports of lost packets by WebRTC viewers.", viewers.nacks);
    page.counter("webrtc_plis_total", "Reports of lost pictures by WebRTC viewers.", viewers.plis);
    let counts: Vec<_> = ops.webhooks.iter().map(|endpoint| (endpoint.name(), endpoint.counts())).collect();
    let counters: [Counter; 3] = [
        ("webhooks_delivered_total", "Webhooks that their endpoint took.", |counts| counts.delivered),
        ("webhooks_failed_total", "Attempts to deliver a webhook that failed.", |counts| counts.failed),
        ("webhooks_dropped_total", "Webhooks that were given up.", |counts| counts.dropped),
    ];
    for (name, help, value) in counters {
        page.family(name, "counter", help);
        for (endpoint, counts) in &counts {
            page.sample(name, endpoint, value(counts));
        }
    }
    page.family("webhooks_waiting", "gauge", "Webhooks that are not delivered yet.");
    for endpoint in ops.webhooks.iter() {
        page.sample("webhooks_waiting", &endpoint.name(), endpoint.waiting() as u64);
    }
    page.0
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::hub::Delivery;

    #[test]
    fn every_count_of_the_mixes_has_its_name() {
        let mut page = Page::default();
        page.mixes(MixCounts { rooms: 1, blocks: 2, left_out: 3, encoded: 4, dropped: 5 });
        let samples: Vec<_> = page.0.lines().filter(|line| !line.starts_with('#')).collect();
        let expected = [
            "queqiao_mixed_rooms 1",
            "queqiao_mix_blocks_total 2",
            "queqiao_mix_blocks_left_out_total 3",
            "queqiao_mix_frames_encoded_total 4",
            "queqiao_mix_sound_dropped_total 5",
        ];
        assert_eq!(samples, expected);
    }

    #[test]
    fn the_buckets_of_the_lag_are_cumulative_and_end_with_the_count() {
        let delivery = Delivery::default();
        delivery.observe(Duration::from_millis(20), 7);
        delivery.observe(Duration::from_millis(480), 2);
        delivery.observe(Duration::from_secs(9), 1);
        let mut page = Page::default();
        page.delivery(delivery.read());
        for line in [
            "# TYPE queqiao_player_lag_seconds histogram",
            "queqiao_player_lag_seconds_bucket{le=\"0.05\"} 7",
            "queqiao_player_lag_seconds_bucket{le=\"0.3\"} 7",
            "queqiao_player_lag_seconds_bucket{le=\"0.5\"} 9",
            "queqiao_player_lag_seconds_bucket{le=\"5\"} 9",
            "queqiao_player_lag_seconds_bucket{le=\"+Inf\"} 10",
            "queqiao_player_lag_seconds_sum 10.1",
            "queqiao_player_lag_seconds_count 10",
            "queqiao_player_groups_cut_total 0",
        ] {
            assert!(page.0.lines().any(|other| other == line), "{line} in\n{}", page.0);
        }
    }
}
