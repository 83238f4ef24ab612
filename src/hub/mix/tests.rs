use std::f32::consts::TAU;
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use queqiao_mix::{BLOCK, block_time};
use queqiao_room::{Apps, Demo, Grant, Loopback, Permission, UnixSeconds};
use queqiao_transcode::{AacEncoder, AacSettings, AacToPcm};

use super::desk::{Desk, Tick};
use super::*;
use crate::hub::testing::{picture, settings};
use crate::hub::{Consumer, Media, Seat, transcode};

/// Somebody who takes what comes as soon as it does, as players do.
struct Listener {
    _seat: Seat,
    consumer: Consumer<Arc<Frame>>,
    heard: Vec<Arc<Frame>>,
}

struct Nobody;

impl PublisherControl for Nobody {
    fn request_keyframe(&self) {}
    fn watched(&self) {}
    fn replaced(&self) {}
}

fn grant(address: &str, permission: Permission) -> Grant {
    let apps = Apps::new([], Demo::Present(Loopback::prove([]).unwrap())).unwrap();
    apps.authorize(None, &address.parse().unwrap(), permission, UnixSeconds(0)).unwrap()
}

/// Somebody who talks, and shows pictures with a keyframe each second.
struct Talker {
    publication: Publication,
    encoder: AacEncoder,
    hz: f32,
    gain: f32,
}

/// A room whose mix is made here, block by block, in made-up time.
struct Stage {
    hub: Arc<Hub>,
    mix: Arc<RoomMix>,
    desk: Desk,
    start: Instant,
    blocks: u64,
    talkers: Vec<Talker>,
    listeners: Vec<Listener>,
}

impl Stage {
    fn new() -> Self {
        let hub = Hub::new(settings(), transcode::Pool::start(1).unwrap()).unwrap();
        let key = RoomKey { app: "demo".parse().unwrap(), room: "room".parse().unwrap() };
        let mix = RoomMix::new(&hub, key.clone(), hub.next_source());
        lock(&hub.mixes).insert(key, Arc::downgrade(&mix));
        let desk = Desk::new(&mix).unwrap();
        let start = mix.epoch;
        Self { hub, mix, desk, start, blocks: 0, talkers: Vec::new(), listeners: Vec::new() }
    }

    fn talker(&mut self, uid: &str, hz: f32) {
        let grant = grant(&format!("demo/room/{uid}"), Permission::Publish);
        let publication = self.hub.publish(&grant, NativeForm::Frames, Arc::new(Nobody)).unwrap();
        let encoder = AacEncoder::new(&AacSettings::default(), 1).unwrap();
        self.talkers.push(Talker { publication, encoder, hz, gain: 0.3 });
    }

    /// A listener, with its number.
    fn listen(&mut self, address: &str) -> usize {
        let seat = self.hub.play(&grant(address, Permission::Play)).unwrap();
        let consumer = seat.stream().subscribe_frames();
        self.listeners.push(Listener { _seat: seat, consumer, heard: Vec::new() });
        self.listeners.len() - 1
    }

    /// What a listener has been given since it was asked last.
    fn heard_by(&mut self, listener: usize) -> Vec<Arc<Frame>> {
        std::mem::take(&mut self.listeners[listener].heard)
    }

    /// So many blocks, in which everybody talks.
    fn run(&mut self, blocks: u64) {
        for _ in 0..blocks {
            let time = block_time(self.blocks);
            let at = self.start + time.to_duration();
            for talker in &mut self.talkers {
                let first = self.blocks * BLOCK as u64;
                let sound: Vec<f32> = (first..first + BLOCK as u64)
                    .map(|index| talker.gain * (TAU * (index as f32 * talker.hz / 48_000.0).fract()).sin())
                    .collect();
                let data = talker.encoder.encode(&sound).unwrap();
                let frame = AacFrame { time, config: Arc::clone(talker.encoder.config()), data };
                talker.publication.source().push_frame(at, Media::Audio(frame));
                let millis = time.to_duration().as_millis();
                talker
                    .publication
                    .source()
                    .push_frame(at, picture(i64::try_from(millis).unwrap(), self.blocks.is_multiple_of(47)));
            }
            self.blocks += 1;
            assert!(matches!(self.desk.tick(at + Duration::from_millis(1), 0), Tick::Done));
            for listener in &mut self.listeners {
                listener.heard.extend(drain(&listener.consumer));
            }
        }
    }
}

fn drain(consumer: &Consumer<Arc<Frame>>) -> Vec<Arc<Frame>> {
    let cx = Context::from_waker(Waker::noop());
    std::iter::from_fn(|| match consumer.poll_next(&cx) {
        Poll::Ready(frame) => Some(frame),
        Poll::Pending => None,
    })
    .collect()
}

/// How loud the tones are in the last half of the frames.
fn heard(frames: &[Arc<Frame>], tones: &[f32]) -> Vec<f32> {
    let mut decoder = AacToPcm::default();
    let mut sound = Vec::new();
    for frame in frames {
        if let Media::Audio(frame) = &frame.media {
            sound.extend_from_slice(decoder.push(frame).unwrap().unwrap().1);
        }
    }
    let sound = &sound[sound.len() / 2..];
    tones
        .iter()
        .map(|hz| {
            let (mut re, mut im) = (0.0_f32, 0.0_f32);
            for (index, sample) in sound.iter().enumerate() {
                let angle = TAU * (index as f32 * hz / 48_000.0).fract();
                re += sample * angle.cos();
                im += sample * angle.sin();
            }
            2.0 * re.hypot(im) / sound.len() as f32
        })
        .collect()
}

fn times(frames: &[Arc<Frame>], video: bool) -> Vec<i64> {
    let wanted = frames.iter().filter(|frame| matches!(frame.media, Media::Video { .. }) == video);
    wanted.map(|frame| frame.time().get()).collect()
}

#[test]
fn everybody_hears_the_others_without_themselves_and_who_hears_the_same_shares_the_frames() {
    let mut stage = Stage::new();
    stage.talker("anna", 300.0);
    stage.talker("bea", 500.0);
    let listeners = ["anna~mix", "bea~mix", "dora~mix", "eve~mix"];
    let listeners = listeners.map(|uid| stage.listen(&format!("demo/room/{uid}")));
    stage.run(100);
    let frames = listeners.map(|listener| stage.heard_by(listener));
    for (frames, expected) in frames.iter().zip([[0.0, 0.3], [0.3, 0.0], [0.3, 0.3], [0.3, 0.3]]) {
        let heard = heard(frames, &[300.0, 500.0]);
        let near = heard.iter().zip(expected).all(|(heard, expected)| (heard - expected).abs() < 0.03);
        assert!(near, "{heard:?} {expected:?}");
        let steps: Vec<i64> = times(frames, false).windows(2).map(|pair| pair[1] - pair[0]).collect();
        assert!(steps.len() == 99 && steps.iter().all(|step| (21_333..=21_334).contains(step)));
    }
    assert!(frames[2].iter().zip(&frames[3]).all(|(one, other)| Arc::ptr_eq(one, other)));
    let MixCounts { rooms, blocks, encoded, .. } = stage.hub.mix_counts();
    assert_eq!((rooms, blocks), (1, 100));
    assert!((200..=300).contains(&encoded), "{encoded} frames: three mixes, once both talk");
}

#[test]
fn sound_goes_out_two_blocks_at_a_time_and_in_order() {
    let mut stage = Stage::new();
    stage.talker("anna", 300.0);
    let listeners = ["anna~mix", "dora~mix"].map(|uid| stage.listen(&format!("demo/room/{uid}")));
    stage.run(40);
    for block in 0..8 {
        stage.run(1);
        for listener in listeners {
            let already = stage.listeners[listener].heard.len();
            assert_eq!(already, [40, 42, 42, 44, 44, 46, 46, 48][block], "after block {block}");
            let times = times(&stage.listeners[listener].heard, false);
            assert!(times.is_sorted(), "{times:?}");
        }
    }
    stage.run(1);
    let eve = stage.listen("demo/room/eve~speaker");
    for block in 1..6 {
        stage.run(1);
        let heard = &stage.listeners[eve].heard;
        let sound = times(heard, false).len();
        assert_eq!(sound, [1, 1, 3, 3, 5][block - 1], "the first comes at once, after block {block}");
        assert!(matches!(heard[0].media, Media::Audio(_)), "and before the first picture");
    }
}

#[test]
fn sound_that_the_mixer_is_too_slow_for_is_dropped_and_counted_as_are_blocks_that_it_is_too_late_for() {
    let mut stage = Stage::new();
    stage.talker("anna", 300.0);
    stage.listen("demo/room/dora~mix");
    stage.run(10);
    let encoder = &mut stage.talkers[0].encoder;
    let (config, data) = (Arc::clone(encoder.config()), encoder.encode(&[0.0; BLOCK]).unwrap());
    let frame = AacFrame { time: block_time(10), config, data };
    for _ in 0..MAX_WAITING + 7 {
        stage.talkers[0].publication.source().push_frame(stage.start, Media::Audio(frame.clone()));
    }
    assert!(matches!(stage.desk.tick(stage.start + block_time(30).to_duration(), 20), Tick::Done));
    let MixCounts { blocks, left_out, dropped, .. } = stage.hub.mix_counts();
    assert_eq!((blocks, left_out, dropped), (11, 20, 7));
}

#[test]
fn the_sound_of_a_silent_room_goes_on_at_next_to_no_bitrate() {
    let mut stage = Stage::new();
    let dora = stage.listen("demo/room/dora~mix");
    stage.run(50);
    let frames = stage.heard_by(dora);
    assert_eq!(frames.len(), 50);
    let sizes = frames.iter().map(|frame| match &frame.media {
        Media::Audio(frame) => frame.data.len(),
        Media::Video { .. } => usize::MAX,
    });
    assert!(sizes.max().unwrap() < 20);
    let counts = MixCounts { rooms: 1, blocks: 50, ..MixCounts::default() };
    assert_eq!(stage.hub.mix_counts(), counts, "silence is not encoded");
}

#[test]
fn pictures_follow_the_speaker_from_a_keyframe_on_and_their_times_only_grow() {
    let mut stage = Stage::new();
    stage.talker("anna", 300.0);
    stage.talker("bea", 500.0);
    let mut speakers = stage.hub.take_speakers().unwrap();
    let dora = stage.listen("demo/room/dora~speaker");
    let anna = stage.listen("demo/room/anna~speaker");
    stage.talkers[1].gain = 0.0;
    stage.run(60);
    assert_eq!(speakers.try_recv().unwrap().uid.as_str(), "anna");
    assert!(times(&stage.heard_by(anna), true).len() > 50, "nobody spoke before: she sees who is there");
    (stage.talkers[0].gain, stage.talkers[1].gain) = (0.0, 0.3);
    stage.run(120);
    assert_eq!(speakers.try_recv().unwrap().uid.as_str(), "bea");
    (stage.talkers[0].gain, stage.talkers[1].gain) = (0.3, 0.0);
    stage.run(120);
    assert_eq!(speakers.try_recv().unwrap().uid.as_str(), "anna");
    assert!(speakers.try_recv().is_err());
    let frames = stage.heard_by(dora);
    let shown = times(&frames, true);
    assert!(shown.len() > 250, "{} pictures", shown.len());
    assert!(shown.windows(2).all(|pair| pair[1] - pair[0] >= 1_000), "each at a time of its own");
    let first = frames.iter().find(|frame| matches!(frame.media, Media::Video { .. })).unwrap();
    assert!(matches!(&first.media, Media::Video { unit, .. } if unit.keyframe));
    assert!(times(&stage.heard_by(anna), true).len() > 200, "who speaks sees who spoke before");
    let (sound, pictures) = (times(&frames, false), shown);
    let apart = sound.last().unwrap() - pictures.last().unwrap();
    assert!(apart.abs() < 200_000, "sound and pictures are {apart} us apart");
}

#[test]
fn a_mix_ends_with_its_last_listener() {
    let mut stage = Stage::new();
    stage.listen("demo/room/dora~mix");
    let key = stage.mix.key.clone();
    let weak = Arc::downgrade(&stage.mix);
    stage.run(2);
    let Stage { mix, mut desk, hub, listeners, .. } = stage;
    drop(mix);
    assert!(matches!(desk.tick(Instant::now(), 0), Tick::Done), "somebody listens");
    drop(listeners);
    assert!(matches!(desk.tick(Instant::now(), 0), Tick::RoomGone));
    assert_eq!(hub.mix_counts().rooms, 0);
    assert!(weak.upgrade().is_none() && !lock(&hub.mixes).contains_key(&key));
}
