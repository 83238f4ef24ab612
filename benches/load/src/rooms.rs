//! Rooms: how fast participants connect, and what they cost the server.

use std::time::Duration;

use anyhow::{Context, Result, ensure};
use queqiao_load::options::Ramp;
use queqiao_load::{Options, Report};

use crate::server::Server;
use crate::{Bench, stats};

/// Fills rooms of `server`. Nobody may fail.
async fn fill(server: &Server, options: Options) -> Result<Report> {
    let (url, pid) = server.target();
    let report = queqiao_load::run(&Options { server: url, pid: Some(pid), ..options }).await?;
    ensure!(report.failed() == 0, "participants failed: {:?}", report.failures);
    Ok(report)
}

pub(crate) async fn connect(bench: &Bench) -> Result<()> {
    let server = bench.server("room-connect").await?;
    let rooms = u32::try_from(bench.count(15, 60))?;
    let options = Options::new(String::new())?;
    // Slowly enough that handshakes do not meet.
    let (ramp, duration) = (Ramp::PerSecond(4.0), Duration::from_secs(1));
    let report = fill(&server, Options { rooms, participants: 2, ramp, duration, ..options }).await?;
    stats::report("room_connect", &report.connect_ms, "offer received to DTLS done, calls of two")?;
    server.stop().await
}

pub(crate) async fn joins(bench: &Bench) -> Result<()> {
    let server = bench.server("room-joins").await?;
    let rooms = u32::try_from(bench.count(5, 20))?;
    let options = Options::new(String::new())?;
    let (ramp, duration) = (Ramp::Max, Duration::ZERO);
    let options = Options { rooms, participants: 100, no_media: true, ramp, duration, ..options };
    let report = fill(&server, options).await?;
    let joins = report.joins.latency_ms.count;
    ensure!(
        report.joins.told == u64::from(rooms) * 100 * 99 / 2,
        "not everybody was told of everybody: {}",
        report.joins.told
    );
    let cost = report.joins.server_cpu_us.context("the server's CPU is not known")?;
    let rate = report.joins.per_second.unwrap_or_default();
    let note = format!(
        "{cost:.0} us of the server's CPU from the TCP connection until all are told; {rate:.0} a second by the clock, \
         the client on the same machine"
    );
    stats::single("room_joins", 1e6 / cost, usize::try_from(joins)?, &note)?;
    server.stop().await
}

pub(crate) async fn thirty(bench: &Bench) -> Result<()> {
    const PARTICIPANTS: u32 = 30;
    let server = bench.server("room-of-thirty").await?;
    let duration = bench.duration(8, 30);
    let options = Options { participants: PARTICIPANTS, duration, ..Options::new(String::new())? };
    let report = fill(&server, options).await?;
    let lost = report.packets.lost_percent;
    ensure!(lost < 1.0, "{lost:.1} % of the packets did not arrive: the machine is too slow for the figure");
    let usage = report.server.as_ref().context("the server's CPU is not known")?;
    let cost = usage.cpu_us_per_packet.context("no packets")?;
    let note = format!(
        "{} packets in {:.0} s, {:.3} % lost; server {:.2} cores, load client {:.2}; delay p95 {:.1} ms",
        report.packets.received,
        report.seconds,
        report.packets.lost_percent,
        usage.cores,
        report.client.cores,
        report.delay_ms.p95.unwrap_or_default()
    );
    stats::single("room_of_thirty", cost, usize::try_from(PARTICIPANTS)?, &note)?;
    server.stop().await
}
