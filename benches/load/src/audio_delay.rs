//! How much later sound comes out of the server than it went in, codecs included.
//!
//! The source beeps once a second. What is sent and what arrives are both decoded, and the onset of every beep is found in
//! both. An onset happens when the packet that yields it is sent or arrives, plus its place in that packet: both sides
//! play every packet as it comes. So the waits for whole frames, the encoder's delay and the time in the server count; the
//! delay that the source's encoder has put into its frames does not, because it is on both sides. AAC is decoded by
//! ffmpeg and Opus by libopus, one packet in, one packet out: neither adds a delay of its own.

use std::process::Stdio;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use bytes::Bytes;
use queqiao_rtmp::client::Event;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::process::Command;

use crate::sent::Sent;
use crate::sent::Times;
use crate::{Bench, stats};
use queqiao_load::media::{AAC_SAMPLES, OPUS_SAMPLES, RATE};
use queqiao_load::whip::Received;
use queqiao_load::{rtmp, whip};

/// Nothing but a beep is as loud as this.
const LOUD: f32 = 0.35;
/// Beeps are a second apart.
const QUIET: usize = 24_000;
/// The beginning, in which transcoders start, does not count.
const SETTLE: Duration = Duration::from_secs(3);
/// A beep later than this is another one.
const LATEST: f64 = 500.0;

/// Packets with the time at which each was sent or came.
type Packets = Vec<(Instant, Bytes)>;

pub(crate) async fn run(bench: &Bench) -> Result<()> {
    aac_to_opus(bench).await?;
    opus_to_aac(bench).await
}

async fn aac_to_opus(bench: &Bench) -> Result<()> {
    let server = bench.server("audio-delay-opus").await?;
    let mut tasks = bench.tasks();
    let sent = Sent::default();
    let media = bench.media();
    tasks.spawn(rtmp::publish(media.clone(), server.rtmp("a"), 0, sent.observer()));
    bench.until_published(&sent).await?;
    let arrived: Arc<Mutex<Packets>> = Arc::default();
    let sink = Arc::clone(&arrived);
    tasks.spawn(whip::watch(server.whep("a"), move |received| {
        if let Received::Audio(packet) = received {
            let packet = (packet.timestamp, Bytes::copy_from_slice(&packet.payload));
            sink.lock().unwrap_or_else(PoisonError::into_inner).push(packet);
        }
        true
    }));
    tokio::time::sleep(bench.duration(20, 70)).await;
    tasks.healthy()?;
    let near = of(&sent.audio, |index| media.aac(index));
    let near = onsets(&near, &decode_aac(&near).await?, AAC_SAMPLES);
    let arrived = std::mem::take(&mut *arrived.lock().unwrap_or_else(PoisonError::into_inner));
    let far = onsets(&arrived, &decode_opus(&arrived)?, OPUS_SAMPLES);
    let note =
        "beep by beep, both sides play each packet as it comes; Opus decoded by libopus, AAC by ffmpeg";
    stats::spread("audio_aac_to_opus", delays(&near, &far)?, note)?;
    drop(tasks);
    server.stop().await
}

async fn opus_to_aac(bench: &Bench) -> Result<()> {
    let server = bench.server("audio-delay-aac").await?;
    let mut tasks = bench.tasks();
    let sent = Sent::default();
    let media = bench.media();
    tasks.spawn(whip::publish(media.clone(), server.whip("a"), 0, sent.observer()));
    bench.until_published(&sent).await?;
    let arrived: Arc<Mutex<Packets>> = Arc::default();
    let sink = Arc::clone(&arrived);
    tasks.spawn(rtmp::play(server.rtmp("a"), move |now, event| {
        if let Event::Audio { payload, .. } = event
            && payload.get(1) == Some(&1)
        {
            sink.lock().unwrap_or_else(PoisonError::into_inner).push((now, payload.slice(2..)));
        }
        true
    }));
    tokio::time::sleep(bench.duration(20, 70)).await;
    tasks.healthy()?;
    let near = of(&sent.audio, |index| media.opus(index));
    let near = onsets(&near, &decode_opus(&near)?, OPUS_SAMPLES);
    let arrived = std::mem::take(&mut *arrived.lock().unwrap_or_else(PoisonError::into_inner));
    let far = onsets(&arrived, &decode_aac(&arrived).await?, AAC_SAMPLES);
    let note =
        "beep by beep, both sides play each packet as it comes; AAC decoded by ffmpeg, Opus by libopus";
    stats::spread("audio_opus_to_aac", delays(&near, &far)?, note)?;
    drop(tasks);
    server.stop().await
}

/// What was sent, in order.
fn of(times: &Times, packet: impl Fn(u64) -> Bytes) -> Packets {
    let mut sent: Vec<_> = times.copy().into_iter().collect();
    sent.sort_unstable();
    sent.into_iter().map(|(index, at)| (at, packet(index))).collect()
}

/// When each beep begins.
fn onsets(packets: &Packets, pcm: &[f32], samples: u64) -> Vec<Instant> {
    let mut found = Vec::new();
    let mut next = 0;
    for (index, _) in pcm.iter().enumerate().filter(|(_, level)| level.abs() > LOUD) {
        if index >= next {
            let within = Duration::from_nanos(index as u64 % samples * 1_000_000_000 / RATE);
            let packet = usize::try_from(index as u64 / samples).ok().and_then(|packet| packets.get(packet));
            found.extend(packet.map(|(at, _)| *at + within));
            next = index + QUIET;
        }
    }
    found
}

/// Milliseconds from each beep that went in to the same beep that came out.
fn delays(near: &[Instant], far: &[Instant]) -> Result<Vec<f64>> {
    let begin = *far.first().context("no beep arrived")? + SETTLE;
    let delay = |heard: &Instant| {
        let late = |said: &Instant| {
            let late = heard.saturating_duration_since(*said).as_secs_f64();
            (late - said.saturating_duration_since(*heard).as_secs_f64()) * 1e3
        };
        near.iter().map(late).min_by(|a, b| a.abs().total_cmp(&b.abs())).filter(|late| late.abs() < LATEST)
    };
    let delays: Vec<f64> = far.iter().filter(|heard| **heard > begin).filter_map(delay).collect();
    ensure!(delays.len() >= 5, "only {} beeps came through", delays.len());
    Ok(delays)
}

fn decode_opus(packets: &Packets) -> Result<Vec<f32>> {
    let mut decoder = opus::Decoder::new(48_000, opus::Channels::Mono)?;
    let mut pcm = Vec::new();
    let mut buffer = [0.0; 5760];
    for (_, packet) in packets {
        let count = decoder.decode_float(packet, &mut buffer, false)?;
        ensure!(count as u64 == OPUS_SAMPLES, "an Opus packet of {count} samples");
        pcm.extend(buffer.iter().take(count));
    }
    Ok(pcm)
}

/// Decodes AAC-LC, 48 kHz, mono.
async fn decode_aac(packets: &Packets) -> Result<Vec<f32>> {
    let mut adts = Vec::new();
    for (_, frame) in packets {
        let [.., high, middle, low] = u32::try_from(frame.len() + 7)?.to_be_bytes();
        // ISO/IEC 14496-3 section 1.A.2.2: no CRC, LC, index 3 for 48 kHz, one channel, one raw data block.
        adts.extend([
            0xff,
            0xf1,
            0x4c,
            0x40 | high << 5 | middle >> 3,
            middle << 5 | low >> 3,
            low << 5 | 0x1f,
            0xfc,
        ]);
        adts.extend(frame);
    }
    let mut ffmpeg = Command::new("ffmpeg")
        .args(["-v", "error", "-f", "aac", "-i", "pipe:0", "-ac", "1", "-f", "f32le", "pipe:1"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .kill_on_drop(true)
        .spawn()?;
    let mut input = ffmpeg.stdin.take().context("no pipe")?;
    let mut output = ffmpeg.stdout.take().context("no pipe")?;
    let feeder = tokio::spawn(async move { input.write_all(&adts).await });
    let mut bytes = Vec::new();
    output.read_to_end(&mut bytes).await?;
    feeder.await??;
    ensure!(ffmpeg.wait().await?.success(), "ffmpeg does not decode the AAC");
    let pcm: Vec<f32> =
        bytes.chunks_exact(4).filter_map(|sample| sample.try_into().ok().map(f32::from_le_bytes)).collect();
    let expected = packets.len() * usize::try_from(AAC_SAMPLES)?;
    ensure!(pcm.len() == expected, "ffmpeg made {} samples of {} frames", pcm.len(), packets.len());
    Ok(pcm)
}
