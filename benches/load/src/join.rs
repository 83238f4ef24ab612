//! How long a newcomer waits for the first picture, and how far behind live it is then.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use anyhow::{Context, Result};
use queqiao_rtmp::client::Event;
use rand::Rng;
use tokio::time::{sleep, timeout};

use crate::sent::Sent;
use crate::{Bench, stats};
use queqiao_load::whip::{Pictures, Received};
use queqiao_load::{rtmp, whip};

/// A newcomer who has seen nothing by then will not.
const PATIENCE: Duration = Duration::from_secs(10);

/// How long an RTMP player stays, to learn how late live pictures are.
const STAY: Duration = Duration::from_millis(2500);

/// What live is taken from: the pictures after this time.
const SETTLED: Duration = Duration::from_millis(1200);

/// Up to one GOP, so that newcomers come at any point of it.
async fn pause() {
    let wait = rand::rng().random_range(0..3000);
    sleep(Duration::from_millis(wait)).await;
}

pub(crate) async fn webrtc(bench: &Bench) -> Result<()> {
    let server = bench.server("join-webrtc").await?;
    let mut tasks = bench.tasks();
    let sent = Sent::default();
    tasks.spawn(rtmp::publish(bench.media(), server.rtmp("a"), 0, sent.observer()));
    bench.until_published(&sent).await?;
    let mut waits = Vec::new();
    for _ in 0..bench.count(20, 60) {
        pause().await;
        let asked = Instant::now();
        let mut pictures = Pictures::default();
        let mut shown = None;
        let viewer = whip::watch(server.whep("a"), |received| {
            if let Received::Video(packet) = received
                && let Some((_, true)) = pictures.push(packet)
            {
                shown = Some(packet.timestamp);
            }
            shown.is_none()
        });
        timeout(PATIENCE, viewer).await.context("no keyframe")??;
        waits.extend(shown.map(|at| at.duration_since(asked).as_secs_f64() * 1e3));
    }
    tasks.healthy()?;
    let note = "POST to the last packet of the first keyframe, at any point of a 3 s GOP, no decoder";
    stats::spread("first_webrtc_wire", waits, note)?;
    drop(tasks);
    server.stop().await
}

pub(crate) async fn rtmp(bench: &Bench, url: &str) -> Result<()> {
    let (mut waits, mut backlogs) = (Vec::new(), Vec::new());
    for _ in 0..bench.count(8, 40) {
        pause().await;
        let asked = Instant::now();
        let seen: Arc<Mutex<Vec<(Instant, u32)>>> = Arc::default();
        let note = Arc::clone(&seen);
        let player = rtmp::play(url.to_owned(), move |now, event| {
            let mut seen = note.lock().unwrap_or_else(PoisonError::into_inner);
            if let Event::Video { timestamp, payload } = event
                && is_picture(&payload, seen.is_empty())
            {
                seen.push((now, timestamp));
            }
            seen.first().is_none_or(|(first, _)| now.duration_since(*first) < STAY)
        });
        timeout(PATIENCE, player).await.context("no keyframe")??;
        let seen = seen.lock().unwrap_or_else(PoisonError::into_inner);
        let (first, _) = *seen.first().context("no picture")?;
        waits.push(first.duration_since(asked).as_secs_f64() * 1e3);
        backlogs.push(backlog(&seen).context("no live pictures")?);
    }
    stats::spread("first_rtmp", waits, "TCP connect to the last byte of the first keyframe")?;
    stats::spread(
        "first_rtmp_backlog",
        backlogs,
        "how much older the first picture is than live ones on arrival",
    )
}

/// Whether a video tag is a picture, and one that a player may begin with.
fn is_picture(payload: &[u8], keyframe: bool) -> bool {
    matches!(payload, [kind, 1, ..] if !keyframe || kind >> 4 == 1)
}

/// Milliseconds by which the first picture is older than those that come live.
fn backlog(seen: &[(Instant, u32)]) -> Option<f64> {
    let (first, _) = *seen.first()?;
    let late = |(at, time): &(Instant, u32)| at.duration_since(first).as_secs_f64() * 1e3 - f64::from(*time);
    let mut live: Vec<f64> =
        seen.iter().filter(|(at, _)| at.duration_since(first) > SETTLED).map(late).collect();
    Some((late(seen.first()?) - stats::percentile(&mut live, 0.5)?).max(0.0))
}
