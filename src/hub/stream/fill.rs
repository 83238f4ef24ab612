//! Tracks of a stream that are held back, or that do not come, go on for players of its frames.

use std::sync::atomic::Ordering;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Arc, LazyLock, Weak};
use std::time::{Duration, Instant};

use queqiao_media::aac;
use queqiao_media::filler::{Filler, Need};
use queqiao_media::frame::AacFrame;
use queqiao_media::layers::Layer;
use queqiao_media::time::StreamTime;

use super::{Frame, Media, Passed, Source, Stream, lock, note};
use crate::hub::gate::Form;

/// How often streams are looked after: two frames of sound, which the shortest buffer of a player bridges.
const TICK: Duration = Duration::from_millis(50);

/// Sound as the transcoder makes it, and phones publish it: where a publisher's own is not known yet, players probably
/// need no other header later.
static FALLBACK: LazyLock<Option<Arc<aac::Config>>> =
    LazyLock::new(|| aac::Config::lc(queqiao_transcode::SAMPLE_RATE, 1).ok().map(Arc::new));

/// The thread that looks after all streams whose frames somebody plays. It sleeps while there is none.
pub(in crate::hub) struct Attendant(Sender<Weak<Stream>>);

impl Attendant {
    /// Starts the thread, which ends when the last stream and this are gone.
    pub(in crate::hub) fn start() -> std::io::Result<Self> {
        let (sender, receiver) = channel();
        std::thread::Builder::new().name("attendant".to_owned()).spawn(move || run(&receiver))?;
        Ok(Self(sender))
    }
}

/// A stream is in the list once at most, so that is as short as the list of streams.
fn run(new: &Receiver<Weak<Stream>>) {
    let mut attended = Vec::<Weak<Stream>>::new();
    loop {
        if attended.is_empty() {
            let Ok(stream) = new.recv() else { return };
            attended.push(stream);
        } else {
            std::thread::sleep(TICK);
        }
        attended.extend(new.try_iter());
        let now = Instant::now();
        attended.retain(|stream| stream.upgrade().is_some_and(|stream| stream.attend(now)));
    }
}

impl Stream {
    /// A player of frames has come: the stream is looked after until the last one has left.
    pub(super) fn be_attended(&self) {
        // What the server makes misses nothing.
        if !self.key.kind.is_made() && !self.attended.swap(true, Ordering::AcqRel) {
            // The thread lives as long as the hub, and so does this stream's reference to it.
            let _ = self.hub.attendant.0.send(Weak::clone(&self.me));
        }
    }

    /// Looks after the stream. Returns whether to come again.
    fn attend(&self, now: Instant) -> bool {
        if !self.frames.is_wanted() {
            self.attended.store(false, Ordering::Release);
            // Who came in between has found the stream attended.
            if !self.frames.is_wanted() || self.attended.swap(true, Ordering::AcqRel) {
                return false;
            }
        }
        let source = lock(&self.publisher).as_ref().map(|publisher| Arc::clone(&publisher.source));
        if let Some(source) = source {
            self.fill(&source, now);
        }
        true
    }

    /// Sends players what takes the place of missing tracks.
    pub(super) fn fill(&self, source: &Source, now: Instant) {
        let Some(fallback) = &*FALLBACK else { return };
        let time = source.time_at(now);
        let (audio, video) = {
            let known = lock(&self.description);
            (known.audio, known.video)
        };
        let need = |present: bool, passes: bool| match (present, passes) {
            (false, _) => Need::None,
            (true, true) => Need::Live,
            (true, false) => Need::Held,
        };
        // Held to the end: a frame that passes now must not come in between.
        let mut filler = lock(&self.filler);
        if !source.is_current() {
            return;
        }
        let mut silence = Vec::new();
        filler.fill_sound(time, need(audio, self.gate.audio()), fallback, &mut silence);
        self.send_silence(source, now, silence);
        let wanted = self.keyframe_wanted.load(Ordering::Acquire);
        for layer in self.frames.accepted().iter() {
            let picture = need(video, !self.gate.holds(Form::Frames, layer));
            let Some(unit) = filler.fill_picture(time, layer, picture, wanted) else { continue };
            if unit.keyframe {
                self.keyframe_wanted.store(false, Ordering::Release);
            }
            self.send_filling(source, now, layer, Media::Video { unit, droppable: false });
        }
    }

    /// Sends what is missing between silence and a frame of the publisher at `time`.
    pub(super) fn bridge(&self, source: &Source, filler: &mut Filler, now: Instant, time: StreamTime) {
        let mut silence = Vec::new();
        filler.bridge_sound(time, &mut silence);
        self.send_silence(source, now, silence);
    }

    fn send_silence(&self, source: &Source, now: Instant, silence: Vec<AacFrame>) {
        for frame in silence {
            note(&mut lock(&self.description), |known| (&mut known.audio, &mut known.config), &frame.config);
            self.send_filling(source, now, Layer::High, Media::Audio(frame));
        }
    }

    fn send_filling(&self, source: &Source, now: Instant, layer: Layer, media: Media) {
        let index = source.next_index.fetch_add(1, Ordering::Relaxed);
        let frame = Arc::new(Frame::new(source.id, index, layer, media));
        source.note_time(frame.time());
        let pushed = self.frames.push(now, &frame);
        let passed = Passed::of_frame(&frame.media, layer);
        lock(&self.meter).sent(now, passed, pushed.receivers, pushed.skipped);
        if pushed.keyframe_needed {
            self.keyframe_wanted.store(true, Ordering::Release);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::task::{Context, Poll, Waker};

    use queqiao_room::signal::MediaKind;

    use super::super::super::testing::{Probe, aac_frame, picture};
    use super::super::{Consumer, Publication};
    use super::*;

    /// What came: the time in milliseconds, and whether it is sound, a keyframe or another picture.
    fn drain(consumer: &Consumer<Arc<Frame>>) -> Vec<(i64, char)> {
        let cx = Context::from_waker(Waker::noop());
        std::iter::from_fn(|| match consumer.poll_next(&cx) {
            Poll::Ready(frame) => Some((
                frame.time().get() / 1_000,
                match &frame.media {
                    Media::Audio(_) => 'a',
                    Media::Video { unit, .. } if unit.keyframe => 'K',
                    Media::Video { .. } => 'p',
                },
            )),
            Poll::Pending => None,
        })
        .collect()
    }

    struct Muted {
        probe: Probe,
        publication: Publication,
        consumer: Consumer<Arc<Frame>>,
    }

    impl Muted {
        /// A publisher of sound and pictures for 200 ms, then muted.
        fn new() -> Self {
            let probe = Probe::new();
            let publication = probe.publish();
            let stream = publication.source().stream();
            // The tests look after it themselves, in a time of their own.
            stream.attended.store(true, Ordering::Release);
            let muted = Self { consumer: stream.subscribe_frames(), probe, publication };
            for time in (0..200).step_by(20) {
                muted.push(time, aac_frame(time));
                muted.push(time, picture(time, time == 0));
            }
            drain(&muted.consumer);
            muted.hold(true);
            muted
        }

        fn hold(&self, hold: bool) {
            let (hub, grant) = self.probe.hub();
            hub.forward(grant.stream(), MediaKind::Audio, !hold);
            hub.forward(grant.stream(), MediaKind::Video, !hold);
        }

        fn at(&self, millis: i64) -> Instant {
            let epoch = self.publication.source().stream().epoch();
            epoch + Duration::from_millis(u64::try_from(millis).unwrap())
        }

        fn push(&self, arrival: i64, media: Media) {
            self.publication.source().push_frame(self.at(arrival), media);
        }

        fn fill(&self, millis: std::ops::Range<i64>) {
            let source = self.publication.source();
            millis.step_by(50).for_each(|now| source.stream().fill(source, self.at(now)));
        }
    }

    #[test]
    fn players_of_a_muted_stream_get_silence_and_black_in_order_and_then_the_publisher_again() {
        let muted = Muted::new();
        muted.push(210, aac_frame(210));
        let mut filled = Vec::new();
        for from in [250, 1_250] {
            muted.fill(from..from + 1_000);
            filled.extend(drain(&muted.consumer));
        }
        let times = |kind: char| filled.iter().filter(move |frame| frame.1 == kind).map(|frame| frame.0);
        assert!(times('a').count() > 85 && times('a').is_sorted(), "{filled:?}");
        assert_eq!((times('K').count(), times('p').count()), (1, 1), "{filled:?}");
        muted.hold(false);
        let black = times('p').max().unwrap();
        muted.push(2_260, picture(black - 1, true));
        muted.push(2_270, picture(2_270, false));
        muted.push(2_270, aac_frame(2_270));
        let back = drain(&muted.consumer);
        let (bridge, real): (Vec<_>, Vec<_>) =
            back.into_iter().partition(|&(time, kind)| kind == 'a' && time < 2_270);
        assert_eq!(real, [(black + 1, 'K'), (2_270, 'p'), (2_270, 'a')]);
        let last = bridge.iter().chain(&filled).filter(|frame| frame.1 == 'a').map(|frame| frame.0).max();
        assert!(last.is_some_and(|last| 2_270 - last <= 43), "no hole is left before it: {last:?}");
        muted.fill(2_300..3_000);
        assert!(drain(&muted.consumer).is_empty(), "what comes from the publisher is not filled");
    }

    #[test]
    fn the_picture_stays_black_until_the_keyframe_with_which_it_goes_on() {
        let muted = Muted::new();
        muted.hold(false);
        muted.push(1_000, picture(1_000, false));
        muted.fill(1_000..1_050);
        assert!(drain(&muted.consumer).iter().any(|frame| frame.1 == 'K'));
    }

    #[test]
    fn who_joins_a_muted_stream_gets_a_black_keyframe_at_once() {
        let muted = Muted::new();
        muted.fill(250..500);
        let joined = muted.publication.source().stream().subscribe_frames();
        assert!(muted.publication.source().stream().catch_up().is_empty());
        muted.fill(850..900);
        let kinds: Vec<_> = drain(&joined).into_iter().filter(|frame| frame.1 != 'a').collect();
        assert!(matches!(kinds[..], [(_, 'K')]), "{kinds:?}");
    }

    #[test]
    fn a_stream_is_attended_while_somebody_plays_it() {
        let muted = Muted::new();
        let stream = Arc::clone(muted.publication.source().stream());
        let Muted { publication: _publication, consumer, probe: _probe } = muted;
        assert!(stream.attended.load(Ordering::Acquire) && stream.attend(Instant::now()));
        drop(consumer);
        assert!(!stream.attend(Instant::now()));
        let _consumer = stream.subscribe_frames();
        assert!(stream.attended.load(Ordering::Acquire));
    }
}
