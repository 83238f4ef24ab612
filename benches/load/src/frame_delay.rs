//! How long a picture stays in the server: from the moment before the publisher writes it to the arrival of its last RTP
//! packet at a WebRTC viewer, or of its last byte at an RTMP player.

use std::future::Future;
use std::time::{Duration, Instant};

use anyhow::Result;
use queqiao_rtmp::client::Event;

use crate::sent::Sent;
use crate::sent::Times;
use crate::{Bench, stats};
use queqiao_load::mark::Mark;
use queqiao_load::whip::{Pictures, Received};
use queqiao_load::{rtmp, whip};

const SETTLE: Duration = Duration::from_secs(4);

const NOTE: &str = "write of the frame to arrival of its last packet at a client of the same process";

pub(crate) async fn run(bench: &Bench) -> Result<()> {
    from_rtmp(bench).await?;
    from_webrtc(bench).await
}

async fn from_rtmp(bench: &Bench) -> Result<()> {
    let server = bench.server("frame-delay-rtmp").await?;
    let mut tasks = bench.tasks();
    let sent = Sent::default();
    tasks.spawn(rtmp::publish(bench.media(), server.rtmp("a"), 0, sent.observer()));
    bench.until_published(&sent).await?;
    let (at_viewer, at_player) = (Times::default(), Times::default());
    let times = at_viewer.clone();
    let mut pictures = Pictures::default();
    tasks.spawn(whip::watch(server.whep("a"), move |received| {
        if let Received::Video(packet) = received
            && let Some((mark, _)) = pictures.push(packet)
        {
            times.note(mark.number.into(), packet.timestamp);
        }
        true
    }));
    tasks.spawn(play(server.rtmp("a"), at_player.clone()));
    let sent = live(bench, &sent).await;
    tasks.healthy()?;
    stats::spread("rtmp_to_rtp", delays(&sent, &at_viewer)?, NOTE)?;
    stats::spread("rtmp_to_rtmp", delays(&sent, &at_player)?, NOTE)?;
    drop(tasks);
    server.stop().await
}

async fn from_webrtc(bench: &Bench) -> Result<()> {
    let server = bench.server("frame-delay-webrtc").await?;
    let mut tasks = bench.tasks();
    let sent = Sent::default();
    tasks.spawn(whip::publish(bench.media(), server.whip("a"), 0, sent.observer()));
    bench.until_published(&sent).await?;
    let at_player = Times::default();
    tasks.spawn(play(server.rtmp("a"), at_player.clone()));
    let sent = live(bench, &sent).await;
    tasks.healthy()?;
    stats::spread("rtp_to_rtmp", delays(&sent, &at_player)?, NOTE)?;
    drop(tasks);
    server.stop().await
}

fn play(url: String, times: Times) -> impl Future<Output = Result<(), queqiao_load::Error>> {
    rtmp::play(url, move |now, event| {
        if let Event::Video { payload, .. } = event
            && let Some(mark) = Mark::find(&payload)
        {
            times.note(mark.number.into(), now);
        }
        true
    })
}

/// What is sent in the time of the measurement.
async fn live(bench: &Bench, sent: &Sent) -> Vec<(u64, Instant)> {
    tokio::time::sleep(SETTLE).await;
    let (from, to) = (Instant::now(), Instant::now() + bench.duration(10, 60));
    tokio::time::sleep_until(to.into()).await;
    // The last pictures need a moment to arrive.
    tokio::time::sleep(Duration::from_millis(200)).await;
    sent.video.copy().into_iter().filter(|(_, at)| (from..to).contains(at)).collect()
}

/// Milliseconds from sending to arrival.
fn delays(sent: &[(u64, Instant)], arrived: &Times) -> Result<Vec<f64>> {
    let arrived = arrived.copy();
    let delays: Vec<f64> = sent
        .iter()
        .filter_map(|(number, at)| {
            Some(arrived.get(number)?.saturating_duration_since(*at).as_secs_f64() * 1e3)
        })
        .collect();
    anyhow::ensure!(
        delays.len() * 100 >= sent.len() * 99,
        "only {} of {} pictures arrived",
        delays.len(),
        sent.len()
    );
    Ok(delays)
}
