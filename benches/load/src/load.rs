//! What clients cost the server: processor time and resident memory, as differences between two states of it.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use anyhow::{Result, ensure};
use queqiao_rtmp::client::Event;
use tokio::time::sleep;

use crate::sent::Sent;
use crate::server::Server;
use crate::{Bench, Tasks, stats};
use queqiao_load::media::{AAC_SAMPLES, FPS, RATE};
use queqiao_load::whip::Received;
use queqiao_load::{rtmp, whip};

/// Clients start this far apart: their frames and keyframes do not fall together, and neither do their handshakes.
const STAGGER: Duration = Duration::from_millis(47);
/// How long the server is left alone before it is measured.
const SETTLE: Duration = Duration::from_secs(5);
/// The 24 s loop has eight GOPs.
const GOPS: u64 = 8;
/// A client that receives less than this share of the pictures is not served.
const SERVED: f64 = 0.97;

/// Pictures received by all players.
type Count = Arc<AtomicU64>;

/// What the server uses in one state.
struct Usage {
    /// Percent of one core.
    cpu: f64,
    /// KB.
    rss: f64,
}

/// Measures, and makes sure that `players` are served meanwhile.
async fn usage(
    bench: &Bench,
    server: &Server,
    tasks: &mut Tasks,
    players: u64,
    count: &Count,
) -> Result<Usage> {
    #[allow(clippy::cast_precision_loss)]
    usage_at(bench, server, tasks, (players * FPS) as f64, count).await
}

/// Measures, and makes sure that players receive `per_second` pictures or frames of sound meanwhile.
async fn usage_at(
    bench: &Bench,
    server: &Server,
    tasks: &mut Tasks,
    per_second: f64,
    count: &Count,
) -> Result<Usage> {
    sleep(SETTLE).await;
    let duration = bench.duration(8, 30);
    let (cpu, pictures) = (server.cpu()?, count.load(Ordering::Relaxed));
    let begin = tokio::time::Instant::now();
    sleep(duration).await;
    let used = (server.cpu()? - cpu).as_secs_f64();
    let elapsed = begin.elapsed().as_secs_f64();
    tasks.healthy()?;
    #[allow(clippy::cast_precision_loss)]
    let share = (count.load(Ordering::Relaxed) - pictures) as f64 / (per_second.max(1.0) * elapsed);
    ensure!(per_second == 0.0 || share > SERVED, "players received {:.0} % of what was due", share * 100.0);
    Ok(Usage { cpu: used / elapsed * 100.0, rss: server.rss()? })
}

async fn publish_rtmp(bench: &Bench, server: &Server, tasks: &mut Tasks, count: u64) -> Result<()> {
    for index in 0..count {
        let sent = Sent::default();
        let url = server.rtmp(&format!("p{index}"));
        tasks.spawn(rtmp::publish(bench.media(), url, index % GOPS, sent.observer()));
        sleep(STAGGER).await;
        if index + 1 == count {
            bench.until_published(&sent).await?;
        }
    }
    Ok(())
}

async fn watch_webrtc(server: &Server, tasks: &mut Tasks, name: &str, count: &Count) {
    let count = Arc::clone(count);
    tasks.spawn(whip::watch(server.whep(name), move |received| {
        if matches!(received, Received::Video(packet) if packet.header.marker) {
            count.fetch_add(1, Ordering::Relaxed);
        }
        true
    }));
    sleep(STAGGER).await;
}

async fn play_rtmp(server: &Server, tasks: &mut Tasks, name: &str, count: &Count) {
    let count = Arc::clone(count);
    tasks.spawn(rtmp::play(server.rtmp(name), move |_, event| {
        if matches!(event, Event::Video { payload, .. } if payload.get(1) == Some(&1)) {
            count.fetch_add(1, Ordering::Relaxed);
        }
        true
    }));
    sleep(STAGGER).await;
}

#[allow(clippy::cast_precision_loss)]
fn each(difference: f64, count: u64) -> f64 {
    difference / count as f64
}

fn row(id: &str, value: f64, count: u64, note: &str) -> Result<()> {
    stats::single(id, value, usize::try_from(count)?, note)
}

/// The number of publishers in the CPU rows: a server that does next to nothing runs on cold caches, and wakes up for
/// every packet on its own.
const PUBLISHERS: u64 = 50;

pub(crate) async fn rtmp(bench: &Bench) -> Result<()> {
    let server = bench.server("cpu-rtmp").await?;
    let (mut tasks, none) = (bench.tasks(), Count::default());
    let idle = usage(bench, &server, &mut tasks, 0, &none).await?;
    publish_rtmp(bench, &server, &mut tasks, PUBLISHERS).await?;
    let busy = usage(bench, &server, &mut tasks, 0, &none).await?;
    let note = format!("idle: {:.2} % of a core, {:.0} KB", idle.cpu, idle.rss);
    row("cpu_rtmp", each(busy.cpu - idle.cpu, PUBLISHERS), PUBLISHERS, &note)?;
    drop(tasks);
    server.stop().await
}

pub(crate) async fn rtmp_to_webrtc(bench: &Bench) -> Result<()> {
    let server = bench.server("cpu-rtmp-to-webrtc").await?;
    let (mut tasks, count) = (bench.tasks(), Count::default());
    let idle = usage(bench, &server, &mut tasks, 0, &count).await?;
    publish_rtmp(bench, &server, &mut tasks, PUBLISHERS).await?;
    for index in 0..PUBLISHERS {
        watch_webrtc(&server, &mut tasks, &format!("p{index}"), &count).await;
    }
    let busy = usage(bench, &server, &mut tasks, PUBLISHERS, &count).await?;
    let note = "publisher, AAC to Opus and viewer together";
    row("cpu_rtmp_to_webrtc", each(busy.cpu - idle.cpu, PUBLISHERS), PUBLISHERS, note)?;
    drop(tasks);
    server.stop().await
}

pub(crate) async fn webrtc_to_rtmp(bench: &Bench) -> Result<()> {
    const PAIRS: u64 = 40;
    let server = bench.server("cpu-webrtc-to-rtmp").await?;
    let (mut tasks, count) = (bench.tasks(), Count::default());
    let idle = usage(bench, &server, &mut tasks, 0, &count).await?;
    for index in 0..PAIRS {
        let sent = Sent::default();
        let name = format!("p{index}");
        tasks.spawn(whip::publish(bench.media(), server.whip(&name), index % GOPS, sent.observer()));
        bench.until_published(&sent).await?;
        play_rtmp(&server, &mut tasks, &name, &count).await;
    }
    let busy = usage(bench, &server, &mut tasks, PAIRS, &count).await?;
    let note = "publisher, Opus to AAC and player together";
    row("cpu_webrtc_to_rtmp", each(busy.cpu - idle.cpu, PAIRS), PAIRS, note)?;
    drop(tasks);
    server.stop().await
}

pub(crate) async fn more_webrtc(bench: &Bench) -> Result<()> {
    const MORE: u64 = 100;
    let server = bench.server("more-webrtc").await?;
    let (mut tasks, count) = (bench.tasks(), Count::default());
    publish_rtmp(bench, &server, &mut tasks, 1).await?;
    watch_webrtc(&server, &mut tasks, "p0", &count).await;
    let one = usage(bench, &server, &mut tasks, 1, &count).await?;
    for _ in 0..MORE {
        watch_webrtc(&server, &mut tasks, "p0", &count).await;
    }
    let many = usage(bench, &server, &mut tasks, 1 + MORE, &count).await?;
    row(
        "more_webrtc_cpu",
        each(many.cpu - one.cpu, MORE),
        MORE,
        "1 to 101 viewers of one stream with sound",
    )?;
    row("more_webrtc_memory", each(many.rss - one.rss, MORE), MORE, "resident memory, 1 to 101 viewers")?;
    drop(tasks);
    server.stop().await
}

pub(crate) async fn more_rtmp(bench: &Bench) -> Result<()> {
    const MORE: u64 = 200;
    let server = bench.server("more-rtmp").await?;
    let (mut tasks, count) = (bench.tasks(), Count::default());
    publish_rtmp(bench, &server, &mut tasks, 1).await?;
    play_rtmp(&server, &mut tasks, "p0", &count).await;
    let one = usage(bench, &server, &mut tasks, 1, &count).await?;
    for _ in 0..MORE {
        play_rtmp(&server, &mut tasks, "p0", &count).await;
    }
    let many = usage(bench, &server, &mut tasks, 1 + MORE, &count).await?;
    let note =
        format!("1 to 201 players of one stream with sound; {:.0} KB each", each(many.rss - one.rss, MORE));
    row("more_rtmp_cpu", each(many.cpu - one.cpu, MORE), MORE, &note)?;
    drop(tasks);
    server.stop().await
}

pub(crate) async fn memory_rtmp(bench: &Bench) -> Result<()> {
    const PUBLISHERS: u64 = 100;
    let server = bench.server("memory-rtmp").await?;
    let (mut tasks, none) = (bench.tasks(), Count::default());
    let idle = usage(bench, &server, &mut tasks, 0, &none).await?;
    publish_rtmp(bench, &server, &mut tasks, PUBLISHERS).await?;
    let busy = usage(bench, &server, &mut tasks, 0, &none).await?;
    let note = format!(
        "resident memory, nobody watches; {:.3} % of a core each",
        each(busy.cpu - idle.cpu, PUBLISHERS)
    );
    row("memory_rtmp", each(busy.rss - idle.rss, PUBLISHERS), PUBLISHERS, &note)?;
    drop(tasks);
    server.stop().await
}

async fn hear_mix(server: &Server, tasks: &mut Tasks, name: &str, count: &Count) {
    let count = Arc::clone(count);
    tasks.spawn(rtmp::play(server.rtmp(&format!("{name}~mix")), move |_, event| {
        if matches!(event, Event::Audio { payload, .. } if payload.get(1) == Some(&1)) {
            count.fetch_add(1, Ordering::Relaxed);
        }
        true
    }));
    sleep(STAGGER).await;
}

/// Twenty phones in a room in which six of them speak, all at the same time: seven mixes.
pub(crate) async fn mix_room(bench: &Bench) -> Result<()> {
    const SPEAKERS: u64 = 6;
    const PHONES: u64 = 20;
    let server = bench.server("mix-room").await?;
    let (mut tasks, count) = (bench.tasks(), Count::default());
    publish_rtmp(bench, &server, &mut tasks, SPEAKERS).await?;
    let alone = usage(bench, &server, &mut tasks, 0, &count).await?;
    for index in 0..PHONES {
        hear_mix(&server, &mut tasks, &format!("p{index}"), &count).await;
    }
    #[allow(clippy::cast_precision_loss)]
    let frames = (PHONES * RATE) as f64 / AAC_SAMPLES as f64;
    let busy = usage_at(bench, &server, &mut tasks, frames, &count).await?;
    let note = format!(
        "six decoders, seven mixes and encoders, twenty players; the six publishers alone take {:.2} %",
        alone.cpu
    );
    row("mix_room", busy.cpu - alone.cpu, PHONES, &note)?;
    drop(tasks);
    server.stop().await
}
