//! A hub with one stream, for tests of what hangs on it.

use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use bytes::Bytes;
use queqiao_media::aac;
use queqiao_media::frame::{AacFrame, AccessUnit};
use queqiao_media::h264::ParameterSets;
use queqiao_media::layers::Layer;
use queqiao_media::time::StreamTime;
use queqiao_room::signal::Tracks;
use queqiao_room::{Apps, Demo, Grant, Loopback, Permission, UnixSeconds};
use smallvec::smallvec;

use super::{Hub, Media, NativeForm, Publication, PublisherControl, Seat, Settings, transcode};

/// The hub and its stream.
pub(crate) struct Probe {
    hub: Arc<Hub>,
    grant: Grant,
    control: Arc<Control>,
}

/// The way back to a publisher, which notes what it is told.
#[derive(Default)]
pub(crate) struct Control {
    replaced: AtomicBool,
    keyframe_requests: AtomicUsize,
    layer_requests: Mutex<Vec<Layer>>,
}

impl PublisherControl for Control {
    fn request_keyframe(&self) {
        self.keyframe_requests.fetch_add(1, Ordering::Relaxed);
    }

    fn request_layer(&self, layer: Layer) {
        self.layer_requests.lock().unwrap().push(layer);
    }

    fn watched(&self) {}

    fn replaced(&self) {
        self.replaced.store(true, Ordering::Relaxed);
    }
}

impl Probe {
    pub(crate) fn new() -> Self {
        let hub = Hub::new(
            Settings { max_streams: 2, max_players: 2, ..settings() },
            transcode::Pool::start(1).unwrap(),
        )
        .unwrap();
        let demo = Demo::Present(Loopback::prove([]).unwrap());
        let apps = Apps::new([], demo).unwrap();
        let grant = apps
            .authorize(None, &"demo/room/uid".parse().unwrap(), Permission::Publish, UnixSeconds(0))
            .unwrap();
        Self { hub, grant, control: Arc::default() }
    }

    pub(crate) fn publish(&self) -> Publication {
        self.publish_as(NativeForm::Frames)
    }

    pub(crate) fn publish_as(&self, form: NativeForm) -> Publication {
        let control = Arc::clone(&self.control) as Arc<dyn PublisherControl>;
        self.hub.publish(&self.grant, form, control).unwrap()
    }

    pub(crate) fn seat(&self) -> Arc<Seat> {
        self.seat_for(Tracks::Both)
    }

    pub(crate) fn seat_for(&self, tracks: Tracks) -> Arc<Seat> {
        Arc::new(self.hub.play(&self.grant.clone().only(tracks)).unwrap())
    }

    pub(crate) fn hub(&self) -> (&Arc<Hub>, &Grant) {
        (&self.hub, &self.grant)
    }

    pub(crate) fn was_replaced(&self) -> bool {
        self.control.replaced.load(Ordering::Relaxed)
    }

    pub(crate) fn layer_requests(&self) -> Vec<Layer> {
        self.control.layer_requests.lock().unwrap().clone()
    }

    pub(crate) fn keyframe_requests(&self) -> usize {
        self.control.keyframe_requests.load(Ordering::Relaxed)
    }
}

/// What a hub needs to know.
pub(crate) fn settings() -> Settings {
    Settings {
        max_streams: 100,
        max_players: 100,
        gop_bytes: 1_000_000,
        gop_frames: 100,
        max_lag: Duration::from_millis(500),
        opus: queqiao_transcode::OpusSettings::default(),
        aac: queqiao_transcode::AacSettings::default(),
    }
}

/// A picture at `millis`. Its parameter sets are always the same.
pub(crate) fn picture(millis: i64, keyframe: bool) -> Media {
    let params = ParameterSets {
        sps: smallvec![Bytes::from_static(&[0x67, 66, 0xe0, 31])],
        pps: smallvec![Bytes::from_static(&[0x68, 1])],
    };
    let nal = if keyframe { &[0x65, 0x88, 1][..] } else { &[0x41, 0x9a, 1][..] };
    let time = StreamTime::new(millis * 1_000);
    let nals = smallvec![Bytes::from_static(nal)];
    let unit = AccessUnit { dts: time, pts: time, keyframe, params: Arc::new(params), nals };
    Media::Video { unit, droppable: false }
}

/// An AAC frame at `millis`.
pub(crate) fn aac_frame(millis: i64) -> Media {
    let config = Arc::new(aac::Config::lc(48_000, 1).unwrap());
    Media::Audio(AacFrame {
        time: StreamTime::new(millis * 1_000),
        config,
        data: Bytes::from_static(&[0x21]),
    })
}
