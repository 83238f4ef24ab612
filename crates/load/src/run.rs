//! A run: participants come, are measured, and go.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use queqiao_room::RoomId;
use tokio::sync::Semaphore;
use tokio::task::JoinSet;
use tokio::time::{sleep, sleep_until};

use crate::Error;
use crate::http;
use crate::media::Media;
use crate::options::Options;
use crate::participant;
use crate::plan::Plan;
use crate::process::{Process, file_limit};
use crate::report::{Joins, Method, Packets, Report, Rtmp, Setup, Usage, percent};
use crate::shared::{Measures, Outcome, Progress, Room, Shared};
use crate::streams;

/// How long it may take, once the last participant has come, until everybody receives everything.
const SETTLE_TIMEOUT: Duration = Duration::from_secs(30);

/// What the beginning leaves behind, keyframes for newcomers above all, is not measured.
const SETTLE: Duration = Duration::from_secs(2);

/// How often the progress is looked at.
const LOOK: Duration = Duration::from_millis(20);

/// Files that a WebRTC participant takes: its WebSocket and its UDP socket.
const FILES: u64 = 2;

/// Files that this program has open besides, and some to spare.
const FILES_FOR_ITSELF: u64 = 64;

/// Participants that are on their way in at the same time at most: as many as wait in a server's backlog without harm.
const MAX_JOINING: usize = 64;

/// Fills the rooms, measures, and empties them.
///
/// # Errors
///
/// When the run cannot be made: flags that do not fit, or no server there. Participants that fail are in the report.
pub async fn run(options: &Options) -> Result<Report, Error> {
    options.check()?;
    let files = u64::from(options.rooms)
        * (FILES * u64::from(options.participants)
            + u64::from(options.rtmp_publishers + options.rtmp_players));
    if file_limit().is_some_and(|limit| limit < files + FILES_FOR_ITSELF) {
        let needed = files + FILES_FOR_ITSELF;
        return Err(Error::Options(format!(
            "{needed} files will be open at once: say ulimit -n {needed} before"
        )));
    }
    let (shared, server) = prepare(options).await?;
    let own = Process::own()?;
    let before = Snapshot::take(server.as_ref(), &own)?;
    let mut participants = start(options, &shared)?;
    let expected = participants.len();
    settle(options, &shared, expected).await;
    let told = Snapshot::take(server.as_ref(), &own)?;
    if !options.no_media {
        sleep(SETTLE).await;
    }
    let begin = Snapshot::take(server.as_ref(), &own)?;
    shared.window.open();
    sleep(options.duration).await;
    shared.window.close();
    let end = Snapshot::take(server.as_ref(), &own)?;
    shared.stop.cancel();
    let mut all = Outcome::default();
    while let Some(outcome) = participants.join_next().await {
        match outcome {
            Ok(outcome) => add(&mut all, outcome),
            Err(_) => all.fail("panicked", 1),
        }
    }
    let mut report = report(options, &shared, &all, end.at.duration_since(begin.at));
    let packets = report.packets.received + report.packets.repairs;
    report.client = Usage::between(&own, [&before.own, &begin.own, &end.own], report.seconds, packets);
    if let (Some(process), Some(before), Some(told), Some(begin), Some(end)) =
        (server, before.server, told.server, begin.server, end.server)
    {
        let joins = report.joins.latency_ms.count;
        if options.no_media && joins > 0 {
            #[allow(clippy::cast_precision_loss)]
            let each = told.cpu.saturating_sub(before.cpu).as_secs_f64() * 1e6 / joins as f64;
            report.joins.server_cpu_us = Some(each);
        }
        report.server = Some(Usage::between(&process, [&before, &begin, &end], report.seconds, packets));
    }
    Ok(report)
}

/// Finds the server and its process.
async fn prepare(options: &Options) -> Result<(Arc<Shared>, Option<Process>), Error> {
    let authority = options.server.strip_prefix("http://").map(|rest| rest.trim_end_matches('/'));
    let http = authority
        .filter(|authority| !authority.is_empty() && !authority.contains('/'))
        .ok_or(Error::Url("--server is of the form http://HOST:PORT"))?;
    let http = if http.rsplit_once(':').is_some_and(|(_, port)| port.parse::<u16>().is_ok()) {
        http.to_owned()
    } else {
        format!("{http}:80")
    };
    let address = http::resolve(&http).await?;
    let told: serde_json::Value = serde_json::from_str(&http::get(&http, "/config.json").await?)?;
    let rtmp = options.rtmp.clone().unwrap_or_else(|| {
        let host = http.rsplit_once(':').map_or(&*http, |(host, _)| host);
        let port = told.get("rtmp_port").and_then(serde_json::Value::as_u64).unwrap_or(1935);
        format!("{host}:{port}")
    });
    let server = match options.pid {
        Some(pid) => Some(Process::new(pid)?),
        None if address.ip().is_loopback() => Process::listening_on(address.port()),
        None => None,
    };
    let shared = Shared {
        http,
        rtmp,
        media: Arc::new(Media::built_in()?),
        window: Arc::default(),
        progress: Progress::default(),
        measures: std::sync::Mutex::new(Measures::default()),
        measured_streams: usize::try_from(options.measure).unwrap_or(usize::MAX),
        joining: Semaphore::new(MAX_JOINING),
        stop: tokio_util::sync::CancellationToken::new(),
    };
    Ok((Arc::new(shared), server))
}

/// Lets the participants come, each at its time.
fn start(options: &Options, shared: &Arc<Shared>) -> Result<JoinSet<Outcome>, Error> {
    let name: RoomId = match &options.room {
        Some(name) => name.clone(),
        None => format!("load-{:08x}", rand::random::<u32>()).parse()?,
    };
    let mut tasks = JoinSet::new();
    let mut arrival = 0;
    let begin = Instant::now();
    let mut next = || {
        let at = begin + options.ramp.delay(arrival);
        arrival += 1;
        async move { sleep_until(at.into()).await }
    };
    for number in 1..=options.rooms {
        let room = Arc::new(Room::new(Plan::new(options, &name, number)?));
        for number in 0..options.rtmp_publishers {
            let (shared, room, arrival) = (Arc::clone(shared), Arc::clone(&room), next());
            tasks.spawn(async move {
                arrival.await;
                streams::publish(shared, room, number).await
            });
        }
        for number in 0..options.participants {
            let (shared, room, arrival) = (Arc::clone(shared), Arc::clone(&room), next());
            let publishes = number < options.web_publishers();
            tasks.spawn(async move {
                arrival.await;
                participant::run(shared, room, number, publishes).await
            });
        }
        for number in 0..options.rtmp_players {
            let (shared, room, arrival) = (Arc::clone(shared), Arc::clone(&room), next());
            tasks.spawn(async move {
                arrival.await;
                streams::play(shared, room, number).await
            });
        }
    }
    Ok(tasks)
}

/// Waits until everybody receives everything, or has failed, or it takes too long.
async fn settle(options: &Options, shared: &Shared, expected: usize) {
    let last = u32::try_from(expected.saturating_sub(1)).unwrap_or(u32::MAX);
    let deadline = Instant::now() + options.ramp.delay(last) + SETTLE_TIMEOUT;
    // Each of a room is told of all that come after it.
    let participants = u64::from(options.participants);
    let pairs = u64::from(options.rooms) * participants * participants.saturating_sub(1) / 2;
    while Instant::now() < deadline {
        let progress = &shared.progress;
        let settled = Progress::get(&progress.ready) + Progress::get(&progress.failed) >= expected;
        let told = progress.told.load(Ordering::Relaxed) >= pairs || Progress::get(&progress.failed) > 0;
        if settled && told {
            return;
        }
        sleep(LOOK).await;
    }
}

fn add(all: &mut Outcome, one: Outcome) {
    all.received.packets += one.received.packets;
    all.received.lost += one.received.lost;
    all.received.repairs += one.received.repairs;
    all.received.tracks += one.received.tracks;
    all.received.jitter.merge(&one.received.jitter);
    all.nacks_sent += one.nacks_sent;
    all.nacks_received += one.nacks_received;
    all.measured += one.measured;
    all.streams += one.streams;
    for (reason, count) in one.failures {
        all.fail(&reason, count);
    }
}

fn report(options: &Options, shared: &Shared, all: &Outcome, measured: Duration) -> Report {
    let measures = shared.measures();
    let received = &all.received;
    let span = measures.joining.map(|(first, last)| last.saturating_duration_since(first).as_secs_f64());
    #[allow(clippy::cast_precision_loss)]
    let rate = span.filter(|span| *span > 0.0).map(|span| measures.join.count() as f64 / span);
    Report {
        setup: Setup {
            server: options.server.clone(),
            rooms: options.rooms,
            participants: options.participants,
            publishers: options.web_publishers(),
            rtmp_publishers: options.rtmp_publishers,
            rtmp_players: options.rtmp_players,
        },
        seconds: measured.as_secs_f64(),
        joins: Joins {
            asked: u64::from(options.rooms) * u64::from(options.participants),
            per_second: rate,
            latency_ms: measures.join.spread(),
            told: shared.progress.told.load(Ordering::Relaxed),
            server_cpu_us: None,
        },
        publish_to_event_ms: measures.publish_to_event.spread(),
        connect_ms: measures.connect.spread(),
        first_packet_ms: measures.first_packet.spread(),
        first_keyframe_ms: measures.first_keyframe.spread(),
        packets: Packets {
            sent: measures.sent,
            received: received.packets,
            lost: received.lost,
            lost_percent: percent(received.lost, received.packets + received.lost),
            repairs: received.repairs,
            tracks: received.tracks,
            nacks_received: all.nacks_received,
            nacks_sent: all.nacks_sent,
        },
        delay_ms: measures.delay.spread(),
        jitter_ms: received.jitter.spread(),
        rtmp: Rtmp {
            frames_sent: measures.rtmp_sent,
            frames_received: measures.rtmp_received,
            first_keyframe_ms: measures.rtmp_first_keyframe.spread(),
            delay_ms: measures.rtmp_delay.spread(),
        },
        method: Method {
            decrypted_streams: all.measured,
            counted_streams: all.streams.saturating_sub(all.measured),
        },
        failures: all.failures.clone(),
        ..Report::default()
    }
}

/// What a process has used up to a moment.
struct Used {
    cpu: Duration,
    rss: f64,
}

impl Used {
    fn by(process: &Process) -> Result<Self, Error> {
        Ok(Self { cpu: process.cpu()?, rss: process.rss()? })
    }
}

struct Snapshot {
    at: Instant,
    server: Option<Used>,
    own: Used,
}

impl Snapshot {
    fn take(server: Option<&Process>, own: &Process) -> Result<Self, Error> {
        Ok(Self { at: Instant::now(), server: server.map(Used::by).transpose()?, own: Used::by(own)? })
    }
}

impl Usage {
    #[allow(clippy::cast_precision_loss)]
    fn between(process: &Process, [before, begin, end]: [&Used; 3], seconds: f64, packets: u64) -> Self {
        let cpu = end.cpu.saturating_sub(begin.cpu).as_secs_f64();
        Self {
            pid: process.pid(),
            cores: if seconds > 0.0 { cpu / seconds } else { 0.0 },
            cpu_us_per_packet: (packets > 0).then(|| cpu * 1e6 / packets as f64),
            rss_kb: end.rss,
            rss_growth_kb: end.rss - before.rss,
        }
    }
}
