//! `/metrics`: what there is and what has been counted, in the text format of Prometheus (version 0.0.4).

use std::fmt::{Display, Write};
use std::sync::Arc;

use axum::extract::State;
use axum::http::header;
use axum::response::IntoResponse;

use super::api::Ops;
use super::webhooks::Counts;

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
