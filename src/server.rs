//! Puts the parts together, and takes them apart again.

use std::io::Write;
use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::{Context, Result};
use queqiao_room::Apps;
use queqiao_transcode::{AacSettings, OpusSettings};
use tokio::net::TcpListener;
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;
use tracing::{info, warn};

use crate::config::Config;
use crate::hub::{self, Hub, transcode};
use crate::ops::webhooks::{self, Webhooks};
use crate::rooms::{self, PublicAddresses, RoomService};
use crate::{ops, rtc, rtmp, signal as http};

/// How long connections may take to close before they are cut. The promise is five seconds for everything.
const SHUTDOWN_TIMEOUT: Duration = Duration::from_secs(3);

/// Runs the server until it is told to end.
pub(crate) fn run(config: Config) -> Result<()> {
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    let result = runtime.block_on(serve(config));
    runtime.shutdown_timeout(Duration::from_millis(500));
    result
}

async fn serve(config: Config) -> Result<()> {
    let apps = Arc::new(config.apps()?);
    warn_of_open_apps(&apps);
    let pool = transcode::Pool::start(threads(config.transcode.threads))?;
    let hub = Hub::new(hub_settings(&config), pool)?;
    let (notices, told) = mpsc::unbounded_channel();
    let rtc = rtc::Service::start(&rtc_config(&config), &hub, notices)
        .with_context(|| format!("cannot listen for WebRTC on {}", config.listen.rtc))?;
    let rtmp_listener = TcpListener::bind(config.listen.rtmp)
        .await
        .with_context(|| format!("cannot listen for RTMP on {}", config.listen.rtmp))?;
    let http_listener = TcpListener::bind(config.listen.http)
        .await
        .with_context(|| format!("cannot listen for HTTP on {}", config.listen.http))?;
    let (http_address, rtmp_address) = (http_listener.local_addr()?, rtmp_listener.local_addr()?);
    let shutdown = CancellationToken::new();
    let rooms = RoomService::new(
        room_settings(&config, rtmp_address.port()),
        Arc::clone(&apps),
        Arc::clone(&hub),
        Arc::clone(&rtc),
    );
    let webhooks = start_webhooks(&config, &rooms)?;
    tokio::spawn(rooms::run(Arc::clone(&rooms), told, shutdown.clone()));
    let admin = ops::router(Arc::new(ops::Ops {
        secret: config.admin.secret.clone(),
        apps: Arc::clone(&apps),
        hub: Arc::clone(&hub),
        rooms: Arc::clone(&rooms),
        rtc: Arc::clone(&rtc),
        webhooks: webhooks.as_ref().map(Webhooks::endpoints).unwrap_or_default(),
        limits: shown_limits(&config),
        started: Instant::now(),
    }));
    let rtmp = tokio::spawn(rtmp::serve(
        rtmp_listener,
        rtmp::Threads::start()?,
        Arc::new(rtmp::Shared {
            hub: Arc::clone(&hub),
            rooms: Arc::clone(&rooms),
            handshake_timeout: config.limits.handshake_timeout,
            idle_timeout: config.limits.idle_timeout,
            play_wait: config.limits.play_wait,
            max_connections: config.limits.max_connections,
            epoch: Instant::now(),
            shutdown: shutdown.clone(),
        }),
    ));
    let router = http::router(Arc::new(http::Server {
        hub,
        rtc: Arc::clone(&rtc),
        apps,
        rooms,
        http_address,
        play_wait: config.limits.play_wait,
        rtmp_port: rtmp_address.port(),
        cors_allow_origin: config.http.cors_allow_origin.clone(),
        shutdown: shutdown.clone(),
    }));
    let limits = http::Limits {
        max_connections: config.limits.max_connections,
        header_timeout: config.limits.handshake_timeout,
    };
    let http = tokio::spawn(http::serve(http_listener, router.merge(admin), limits, shutdown.clone()));

    announce(&format!("ready http={http_address} rtmp={rtmp_address} rtc={}", rtc.local_addr()))?;
    wait_for_signal().await?;
    info!("shutting down");
    shutdown.cancel();
    let peers = tokio::task::spawn_blocking(move || rtc.shutdown());
    let all = async {
        let _ = tokio::join!(rtmp, http, peers);
    };
    if tokio::time::timeout(SHUTDOWN_TIMEOUT, all).await.is_err() {
        warn!("some connections did not close in time and were cut");
    }
    if let Some(webhooks) = webhooks {
        webhooks.finish().await;
    }
    Ok(())
}

/// An open app is what one tries things out with, and easily forgotten.
fn warn_of_open_apps(apps: &Apps) {
    let count = apps.open_apps().count();
    if count > 0 {
        warn!(count, "there are open apps: whoever knows the id of one is a host in all its rooms");
    }
}

/// Nothing is kept for back ends unless one of them wants to be told.
fn start_webhooks(config: &Config, rooms: &RoomService) -> Result<Option<Webhooks>> {
    if config.webhooks.is_empty() {
        return Ok(None);
    }
    let endpoint = |webhook: &crate::config::Webhook| webhooks::Settings {
        url: webhook.url.clone(),
        secret: webhook.secret.clone(),
        apps: webhook.apps.clone(),
        events: webhook.events.clone(),
    };
    let endpoints = config.webhooks.iter().map(endpoint).collect();
    let Some(events) = rooms.take_hooks() else { return Ok(None) };
    Webhooks::start(endpoints, events).context("webhooks cannot be sent").map(Some)
}

fn shown_limits(config: &Config) -> ops::Limits {
    ops::Limits {
        rooms: config.limits.max_rooms,
        participants_per_room: config.rooms.max_participants,
        streams: config.limits.max_streams,
        players_per_stream: config.limits.max_players_per_stream,
        connections: config.limits.max_connections,
    }
}

/// Whoever started the server waits for this line.
fn announce(line: &str) -> std::io::Result<()> {
    let mut out = std::io::stdout().lock();
    writeln!(out, "{line}")?;
    out.flush()
}

async fn wait_for_signal() -> std::io::Result<()> {
    let mut terminate = signal(SignalKind::terminate())?;
    let mut interrupt = signal(SignalKind::interrupt())?;
    tokio::select! {
        _ = terminate.recv() => {}
        _ = interrupt.recv() => {}
    }
    Ok(())
}

fn threads(configured: usize) -> usize {
    if configured == 0 { std::thread::available_parallelism().map_or(1, usize::from) } else { configured }
}

fn hub_settings(config: &Config) -> hub::Settings {
    let transcode = &config.transcode;
    hub::Settings {
        max_streams: config.limits.max_streams,
        max_players: config.limits.max_players_per_stream,
        gop_bytes: config.gop.max_bytes,
        gop_frames: config.gop.max_frames,
        max_lag: config.limits.play_lag,
        opus: OpusSettings {
            complexity: transcode.opus_complexity,
            bitrate_mono: transcode.opus_bitrate,
            bitrate_stereo: transcode.opus_bitrate.saturating_mul(3) / 2,
            ..OpusSettings::default()
        },
        aac: AacSettings {
            bitrate_mono: transcode.aac_bitrate,
            bitrate_stereo: transcode.aac_bitrate.saturating_mul(3) / 2,
            ..AacSettings::default()
        },
    }
}

fn room_settings(config: &Config, rtmp_port: u16) -> rooms::Settings {
    let public = config.public.clone();
    rooms::Settings {
        limits: queqiao_room::machine::Limits {
            max_rooms: config.limits.max_rooms,
            max_participants: config.rooms.max_participants,
            grace: config.rooms.grace,
        },
        joins_per_second: config.limits.joins_per_second,
        public: PublicAddresses { rtmp: public.rtmp, http: public.http, rtmp_port },
    }
}

fn rtc_config(config: &Config) -> rtc::Config {
    rtc::Config {
        listen: config.listen.rtc,
        public_ips: config.rtc.public_ip.clone(),
        workers: config.rtc.workers,
        max_sessions: config.limits.max_connections,
    }
}
