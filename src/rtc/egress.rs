//! From the hub's RTP to a WebRTC viewer.

use std::sync::Arc;
use std::time::{Duration, Instant};

use queqiao_media::frame::{AccessUnit, RtpPacket};
use queqiao_media::layers::{Admission, Layer, LayerSelector, LayerSet};
use queqiao_media::rtp::{DEFAULT_MAX_PAYLOAD, H264Packetizer};
use queqiao_media::thin::Verdict;
use queqiao_media::time::{StreamTime, Ticks, VideoTicks};
use str0m::Rtc;
use str0m::media::{MediaKind, Mid};
use tracing::debug;

use super::counters::{Counters, Counts};
use super::redundancy::Redundancy;
use super::smoothing::Smoothing;
use super::thinning::Thinning;
use super::track::{Idle, Track, exchange};
use super::wire::Sent;
use crate::hub::{Frame, Media, RtpUnit, RtpVideo, Seat, Stream, WebRtcVideo};

/// How often a viewer may be caught up: browsers repeat their picture loss indications about this often.
const CATCH_UP_INTERVAL: Duration = Duration::from_millis(500);

/// Who has lost even the cached pictures waits for the next keyframe for so long: again and again, they would be all that
/// its path carries.
const REPLAY_INTERVAL: Duration = Duration::from_millis(1_500);

/// The distance of cached pictures that are sent to a viewer who joins. Small, so that a whole GOP ends at live;
/// not zero, because a receiver tells pictures apart by their timestamps.
const SQUEEZED_STEP: StreamTime = Ticks::new(50);

/// A stream whose latest picture is older than this stands still. It is not shown again to those who have it, but asked for a
/// new one: browsers, which ask after 3 s, would take its age for jitter and hold all that comes later by a second.
const STILL: Duration = Duration::from_secs(2);

/// How often a viewer's layer is thought over: soon enough for a path that becomes narrow, and seldom enough to cost nothing.
const CHOICE_INTERVAL: Duration = Duration::from_millis(250);

/// A path that carries so many times the video does not matter to its publisher. One that carries little more does: it
/// says how much more the publisher can try.
const MATTERS: u64 = 2;

/// The picture of a viewer would freeze: B pictures are left out for WebRTC, and others refer to them.
#[derive(Clone, Copy, Debug)]
pub(super) struct Unplayable;

/// What a viewer's video is doing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Playing {
    /// Nothing until a keyframe.
    AwaitingKeyframe,
    /// Live, but for the pictures up to this number, which were replayed.
    After(Option<u64>),
}

/// A viewer of one stream.
pub(super) struct Egress {
    seat: Seat,
    /// Whether the worker subscribes the session to the stream.
    joined: bool,
    /// Whether the video is given up.
    unplayable: bool,
    video: Option<Track<90_000>>,
    audio: Option<Track<48_000>>,
    playing: Playing,
    layer: LayerSelector,
    next_choice: Option<Instant>,
    catch_up_wanted: bool,
    last_catch_up: Option<Instant>,
    last_replay: Option<Instant>,
    thinning: Thinning,
    redundancy: Redundancy,
    smoothing: Smoothing,
    counted: Counts,
}

impl Egress {
    /// A viewer without sections so far.
    pub(super) fn new(seat: Seat, now: Instant) -> Self {
        Self {
            layer: LayerSelector::new(seat.max_layer()).estimated(),
            next_choice: None,
            seat,
            joined: false,
            unplayable: false,
            video: None,
            audio: None,
            playing: Playing::AwaitingKeyframe,
            catch_up_wanted: false,
            last_catch_up: None,
            last_replay: None,
            thinning: Thinning::new(now),
            redundancy: Redundancy::default(),
            smoothing: Smoothing::default(),
            counted: Counts::default(),
        }
    }

    /// The viewer reports that it lost this fraction of its video, and the round trip.
    pub(super) fn video_reported(&mut self, loss: f32, rtt: Option<Duration>, now: Instant) {
        self.smoothing.reported(loss, rtt, self.thinning.is_limited(), now);
        if let Some(video) = &mut self.video {
            video.playout_delay = self.smoothing.delay();
        }
    }

    /// Whether the path of the video loses packets by chance.
    pub(super) fn is_lossy(&self) -> bool {
        self.smoothing.is_lossy()
    }

    /// The viewer reports that it lost this fraction of a track.
    pub(super) fn reported(&mut self, loss: f32, now: Instant) {
        // Whoever gets sound more than once needs no encoder that spends bits on loss, of which all others hear less.
        if self.audio.as_ref().is_some_and(|audio| audio.red.is_none()) {
            self.stream().note_loss(loss, now);
        }
        self.redundancy.reported(loss, self.thinning.is_limited(), now);
    }

    /// Adds what was counted of the video since the last time to the counters of all. `nacks` and `plis` are those of the
    /// section since it was made.
    pub(super) fn count(&mut self, nacks: u64, plis: u64, counters: &Counters) {
        let counts = Counts { pictures_left_out: self.thinning.left_out(), nacks, plis };
        counters.add(std::mem::replace(&mut self.counted, counts), counts);
    }

    /// So much of the track in the section `mid` has gone out by now.
    pub(super) fn note_sent(&mut self, mid: Mid, sent: Sent, rtc: &mut Rtc, now: Instant) {
        match (&mut self.video, &mut self.audio) {
            (Some(video), _) if video.mid == mid => video.note_sent(sent, rtc, now),
            (_, Some(audio)) if audio.mid == mid => audio.note_sent(sent, rtc, now),
            _ => {}
        }
    }

    /// Bit/s of the video that go out, those that are sent again included.
    pub(super) fn video_rate(&self) -> u64 {
        self.video.as_ref().map_or(0, |video| video.wire.rate())
    }

    /// Bit/s of sound that go out.
    pub(super) fn sound(&self) -> u64 {
        self.audio.as_ref().map_or(0, |audio| audio.wire.rate())
    }

    /// Bit/s of the video that are sent again.
    pub(super) fn sent_again(&self) -> u64 {
        self.video.as_ref().map_or(0, |video| video.wire.again())
    }

    /// Bit/s that the video would take whole; none without one, and in its first second.
    pub(super) fn demand(&self) -> Option<u64> {
        self.thinning.demand().filter(|_| self.video.is_some())
    }

    /// The path carries `share` bit/s of the video from now on, and `present` as long as others are sent again; `None`
    /// where nothing is known of it. Returns whether that is less than the video has.
    pub(super) fn grant(&mut self, share: Option<u64>, present: Option<u64>, now: Instant) -> bool {
        let limit = self.thinning.grant(present, now);
        if limit.is_some() {
            self.redundancy.narrow();
        }
        let demand = self.demand().unwrap_or_default();
        let matters = |share: &u64| limit.is_some() || *share < demand.saturating_mul(MATTERS);
        self.seat.capacity().note(share.filter(matters));
        if let Some(video) = &mut self.video {
            video.pace(present, limit.is_some());
        }
        limit.is_some()
    }

    /// When the next packet may leave that waits.
    pub(super) fn poll_timeout(&self) -> Option<Instant> {
        let video = self.video.as_ref().and_then(Track::poll_timeout);
        video.into_iter().chain(self.audio.as_ref().and_then(Track::poll_timeout)).min()
    }

    /// Lets packets leave whose time has come.
    pub(super) fn timeout(&mut self, now: Instant, rtc: &mut Rtc) {
        if let Some(video) = &mut self.video {
            video.timeout(now, rtc);
        }
        if let Some(audio) = &mut self.audio {
            audio.timeout(now, rtc);
        }
    }

    pub(super) fn stream(&self) -> &Arc<Stream> {
        self.seat.stream()
    }

    /// The viewer wishes for no larger layer than this from now on.
    pub(super) fn set_max_layer(&mut self, max: Layer) {
        self.layer.set_cap(max);
        self.next_choice = None;
    }

    /// Thinks the layer over, where the publisher has several.
    fn choose_layer(&mut self, now: Instant) {
        if self.video.is_none() || self.next_choice.is_some_and(|next| now < next) {
            return;
        }
        self.next_choice = Some(now + CHOICE_INTERVAL);
        let stream = self.seat.stream();
        if stream.offered_layers() == LayerSet::SINGLE {
            return;
        }
        self.layer.update(now, self.seat.capacity().get(), &stream.ladder());
        self.seat.need(self.layer.needed());
        if let Some(layer) = self.layer.awaits_keyframe() {
            stream.request_layer(layer);
        }
    }

    /// Sends in these sections from now on. Returns whether the session has to be subscribed to the stream now.
    pub(super) fn carry(
        &mut self,
        (audio, video): (Option<Mid>, Option<Mid>),
        idle: &mut Idle,
        rtc: &mut Rtc,
        now: Instant,
    ) -> bool {
        let profile = self.stream().description().params.map(|params| {
            let [profile, constraints, level] = params.profile_level_id();
            u32::from_be_bytes([0, profile, constraints, level])
        });
        let video = video.filter(|_| !self.unplayable);
        let had_video = self.video.is_some();
        exchange(&mut self.video, video, MediaKind::Video, profile, &mut idle.video, rtc, now);
        exchange(&mut self.audio, audio, MediaKind::Audio, None, &mut idle.audio, rtc, now);
        if self.video.is_none() {
            self.seat.need(LayerSet::EMPTY);
        }
        if self.video.is_some() && !had_video {
            self.begin_anew();
            // Before the subscription is there, what is cached now would be sent twice.
            if self.joined {
                self.request_catch_up(now);
            }
        }
        let joins = !self.joined && (self.audio.is_some() || self.video.is_some());
        self.joined |= joins;
        joins
    }

    /// The next picture is a keyframe.
    fn begin_anew(&mut self) {
        self.playing = Playing::AwaitingKeyframe;
        self.layer.show(None);
        self.next_choice = None;
    }

    /// Whether this viewer's video goes out in the section `mid`.
    pub(super) fn shows_in(&self, mid: Mid) -> bool {
        self.video.as_ref().is_some_and(|video| video.mid == mid)
    }

    /// Whether one of this viewer's tracks goes out in the section `mid`.
    pub(super) fn is_in(&self, mid: Mid) -> bool {
        self.shows_in(mid) || self.audio.as_ref().is_some_and(|audio| audio.mid == mid)
    }

    pub(super) fn wants_catch_up(&self) -> bool {
        self.catch_up_wanted
    }

    /// Leaves the video out from now on.
    pub(super) fn give_up_video(&mut self, idle: &mut Idle, now: Instant) {
        self.unplayable = true;
        self.seat.need(LayerSet::EMPTY);
        if let Some(video) = self.video.take() {
            video.retire(&mut idle.video, now);
        }
    }

    /// Ends, and leaves the numbers of its sections to what comes after.
    pub(super) fn retire(self, idle: &mut Idle, now: Instant) {
        if let Some(video) = self.video {
            video.retire(&mut idle.video, now);
        }
        if let Some(audio) = self.audio {
            audio.retire(&mut idle.audio, now);
        }
    }

    /// The viewer lost the picture, or has not seen one yet. Returns whether it is to be caught up.
    pub(super) fn request_catch_up(&mut self, now: Instant) -> bool {
        let recent = self.last_catch_up.is_some_and(|last| now.duration_since(last) < CATCH_UP_INTERVAL);
        // The browser repeats its request for as long as it needs to.
        self.catch_up_wanted |= self.video.is_some() && !recent;
        self.catch_up_wanted
    }

    /// Sends the cached GOP where one was wanted and is there. Returns whether packets were written.
    pub(super) fn catch_up(&mut self, rtc: &mut Rtc, now: Instant) -> Result<bool, Unplayable> {
        if !std::mem::take(&mut self.catch_up_wanted) {
            return Ok(false);
        }
        self.check_video()?;
        self.last_catch_up = Some(now);
        // Whoever asks because the path is narrow would make it narrower.
        if self.thinning.is_limited() && !self.seat.stream().may_refresh(now) {
            return Ok(false);
        }
        if self.seat.stream().offered_layers().len() > 1 {
            self.request_keyframe(now);
            return Ok(false);
        }
        let cached = self.seat.stream().catch_up();
        let pictures: Vec<_> = cached.iter().filter_map(|frame| picture(frame)).collect();
        let (Some(newest), Some((_, last)), Some(track)) = (cached.last(), pictures.last(), &mut self.video)
        else {
            return Ok(false);
        };
        let same_source = track.last_source == Some(newest.source);
        let has_all = same_source && track.last.is_some_and(|(_, sent)| sent >= last.pts);
        let age = now.saturating_duration_since(self.seat.stream().epoch() + last.pts.to_duration());
        if has_all && age > STILL {
            self.request_keyframe(now);
            return Ok(false);
        }
        let bytes = pictures.iter().flat_map(|(_, unit)| unit.nals.iter().map(bytes::Bytes::len)).sum();
        let recent = self.last_replay.is_some_and(|last| now.duration_since(last) < REPLAY_INTERVAL);
        if recent && same_source || !self.thinning.replays(bytes, now) {
            return Ok(false);
        }
        self.last_replay = Some(now);
        let count = i64::try_from(pictures.len()).unwrap_or(i64::MAX);
        let mut time = match track.last {
            Some((time, _)) if same_source => time.rescale() + SQUEEZED_STEP,
            _ => last.pts - StreamTime::new(SQUEEZED_STEP.get().saturating_mul(count - 1)),
        };
        let mut packetizer = H264Packetizer::new(DEFAULT_MAX_PAYLOAD);
        let mut packets = Vec::new();
        for (_, unit) in &pictures {
            packets.clear();
            packetizer.packetize(unit, &mut packets);
            let mut step = match track.last {
                Some((_, before)) if track.last_source != Some(newest.source) => {
                    (time - before).rescale().max(VideoTicks::new(1))
                }
                Some(_) => SQUEEZED_STEP.rescale::<90_000>(),
                None => track.rest.max(SQUEEZED_STEP.rescale()),
            };
            for packet in &mut packets {
                let (seq, out) = track.rewriter.fresh(std::mem::replace(&mut step, VideoTicks::ZERO));
                packet.time = time;
                track.send(track.pt, seq, out, packet, self.seat.stream().epoch(), true, rtc, now);
            }
            track.last_source = Some(newest.source);
            track.last = Some((time.rescale(), time));
            time += SQUEEZED_STEP;
        }
        track.run = None;
        self.playing = Playing::After(Some(newest.index));
        self.layer.show(Some(newest.layer));
        debug!(pictures = pictures.len(), "sent the cached GOP");
        Ok(true)
    }

    /// Asks for a keyframe of the layer that is shown, or is to be.
    fn request_keyframe(&mut self, now: Instant) {
        self.next_choice = None;
        self.choose_layer(now);
        if self.layer.awaits_keyframe().is_none() {
            let layer = self.layer.shown().unwrap_or(self.layer.wanted());
            self.seat.stream().request_layer(layer);
        }
    }

    /// Sends what the hub delivered. Returns whether anything of it was for this viewer.
    pub(super) fn write(
        &mut self,
        units: &[RtpUnit],
        rtc: &mut Rtc,
        now: Instant,
    ) -> Result<bool, Unplayable> {
        self.choose_layer(now);
        let epoch = self.seat.stream().epoch();
        let mut written = false;
        for unit in units {
            match unit {
                RtpUnit::Video(video) => written |= self.write_video(video, epoch, rtc, now)?,
                RtpUnit::Audio { source, packet } => {
                    if let Some(track) = &mut self.audio {
                        track.hold = self.smoothing.sound(now);
                        if track.run.is_none_or(|(running, _)| running != *source) {
                            track.start_run(*source, Layer::High, packet);
                        }
                        let redundant =
                            track.red.and_then(|red| Some((red, self.redundancy.add(packet, *track.pt)?)));
                        match redundant {
                            Some((red, payload)) => {
                                let packet = RtpPacket { payload, ..packet.clone() };
                                track.write_as(red, &packet, epoch, false, rtc, now);
                            }
                            None => track.write(packet, epoch, false, rtc, now),
                        }
                        written = true;
                    }
                }
            }
        }
        Ok(written)
    }

    fn write_video(
        &mut self,
        unit: &RtpVideo,
        epoch: Instant,
        rtc: &mut Rtc,
        now: Instant,
    ) -> Result<bool, Unplayable> {
        let Some(track) = &self.video else { return Ok(false) };
        let waiting = track.pacer.waiting();
        let runs = track.run.is_some_and(|(running, _)| running == unit.source);
        if track.last_source.is_some_and(|last| last != unit.source) && !runs {
            self.begin_anew();
        }
        if self.layer.shown() == Some(unit.layer) {
            self.thinning.count(unit, now);
        }
        match self.playing {
            Playing::AwaitingKeyframe if !unit.keyframe => {
                if self.thinning.is_cut() && self.layer.shown() == Some(unit.layer) {
                    self.thinning.judge(unit, waiting, now);
                }
                // Only a publisher of RTP can be asked.
                if unit.index.is_none()
                    && self.thinning.wants_keyframe(now)
                    && self.seat.stream().may_refresh(now)
                {
                    self.request_keyframe(now);
                }
                return Ok(false);
            }
            Playing::After(Some(replayed)) if unit.index.is_some_and(|index| index <= replayed) => {
                return Ok(false);
            }
            Playing::AwaitingKeyframe | Playing::After(_) => {}
        }
        if self.layer.admit(unit.layer, unit.keyframe) == Admission::Drop {
            return Ok(false);
        }
        let (Some(track), Some(first)) = (&mut self.video, unit.packets.first()) else { return Ok(false) };
        let verdict = self.thinning.judge(unit, waiting, now);
        if verdict != Verdict::Send {
            // What follows joins on without a gap in numbers, which the viewer would take for loss.
            track.run = None;
            if verdict == Verdict::Cut {
                self.playing = Playing::AwaitingKeyframe;
                // What was sent before and is lost would only delay the keyframe with which the picture goes on.
                track.forget(rtc);
            }
            return Ok(false);
        }
        if self.playing == Playing::AwaitingKeyframe {
            self.playing = Playing::After(None);
            track.run = None;
        }
        if track.run != Some((unit.source, unit.layer)) {
            track.start_run(unit.source, unit.layer, first);
            // Sound of a publisher of RTP is passed on as it is.
            self.smoothing.accompany(self.audio.is_some() && unit.index.is_some());
            track.playout_delay = self.smoothing.delay();
        }
        for packet in unit.packets.iter() {
            track.write(packet, epoch, true, rtc, now);
        }
        self.thinning.sent(unit, now);
        if unit.keyframe {
            self.check_video()?;
        }
        Ok(true)
    }

    /// Ends the session of a viewer whose picture would freeze.
    fn check_video(&self) -> Result<(), Unplayable> {
        match self.seat.stream().webrtc_video() {
            WebRtcVideo::ReferenceBPictures => Err(Unplayable),
            WebRtcVideo::Whole | WebRtcVideo::WithoutBPictures => Ok(()),
        }
    }
}

/// The picture in `frame`, unless it may be dropped for a viewer who decodes in order of arrival.
fn picture(frame: &Frame) -> Option<(u64, &AccessUnit)> {
    match &frame.media {
        Media::Video { unit, droppable: false } => Some((frame.index, unit)),
        Media::Video { .. } | Media::Audio(_) => None,
    }
}
