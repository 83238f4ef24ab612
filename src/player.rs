//! What a player over TCP is sent: headers where they are due, the cached GOP squeezed to live, then live frames.
//!
//! RTMP and HTTP-FLV differ only in how they wrap the tags that come out here. What the path does not carry in time is
//! left out by the [`Governor`].

mod report;

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::{Duration, Instant};

use bytes::Bytes;
use queqiao_media::aac;
use queqiao_media::flv::{self, TagKind};
use queqiao_media::frame::AccessUnit;
use queqiao_media::gop::squeeze;
use queqiao_media::governor::{Governor, Next, Outgoing, PROBE_INTERVAL, Part, Probe};
use queqiao_media::h264::ParameterSets;
use queqiao_media::layers::{Admission, LayerSelector, LayerSet};
use queqiao_media::time::{Millis, StreamTime};
use queqiao_room::signal::MediaKind;
use tokio::time::{sleep, timeout};

use crate::hub::{Consumer, Frame, Media, Seat, SourceId};
use report::Report;
pub(crate) use report::{Departure, Summary};

/// The distance of cached pictures that are sent to a player who joins: one tick of the RTMP clock.
const SQUEEZED_STEP: StreamTime = StreamTime::new(1_000);

/// How often the layer of a player is thought over, where the publisher has several.
const CHOICE_INTERVAL: Duration = Duration::from_millis(250);

/// How long a client may leave what it is sent unread.
pub(crate) const WRITE_TIMEOUT: Duration = Duration::from_secs(10);

/// A tag to send.
pub(crate) enum Tag {
    /// Made for this player alone.
    Own { kind: TagKind, time: Millis, body: Bytes },
    /// The same for every player.
    Shared { frame: Arc<Frame>, kind: TagKind, time: Millis },
}

/// The body of a tag with `media`, without its header.
pub(crate) fn body(media: &Media) -> Bytes {
    match media {
        Media::Video { unit, .. } => flv::video(unit),
        Media::Audio(frame) => flv::audio(frame),
    }
}

/// What a player is to do.
pub(crate) enum Step {
    /// Send this.
    Tag(Tag),
    /// [Look](Player::look) at what has become of what was sent.
    Look,
}

/// One player's place in a stream.
pub(crate) struct Player {
    seat: Arc<Seat>,
    consumer: Consumer<Arc<Frame>>,
    governor: Governor<Arc<Frame>>,
    tags: VecDeque<Tag>,
    begun: bool,
    source: Option<SourceId>,
    params: Option<Arc<ParameterSets>>,
    config: Option<Arc<aac::Config>>,
    /// Pictures up to this number of `source` were replayed from the cache.
    replayed: Option<u64>,
    /// Knows which layer is shown: none until a keyframe.
    layer: LayerSelector,
    /// The layers that are received.
    accepted: LayerSet,
    next_choice: Option<Instant>,
    /// Since when nothing is sent because nothing is acknowledged.
    held_since: Option<Instant>,
    report: Report,
}

impl Player {
    /// Joins the stream: the cached GOP comes out first where there is one, else the publisher is asked for a keyframe.
    pub(crate) fn join(seat: &Arc<Seat>) -> Self {
        let stream = seat.stream();
        // Subscribed before the cache is read: what comes in between is in both, and told apart by its number.
        let consumer = stream.subscribe_frames();
        let now = Instant::now();
        let mut player = Self {
            seat: Arc::clone(seat),
            consumer,
            governor: Governor::new(seat.max_lag()),
            tags: VecDeque::new(),
            begun: false,
            source: None,
            params: None,
            config: None,
            replayed: None,
            layer: LayerSelector::new(seat.max_layer()),
            accepted: LayerSet::SINGLE,
            next_choice: None,
            held_since: None,
            report: Report::new(seat, now),
        };
        player.choose_layer(now);
        if seat.tracks().has(MediaKind::Video) {
            player.replay(&stream.catch_up(), now);
        }
        player
    }

    /// What to do next. To be [looked](Self::look) after before each call.
    pub(crate) async fn next(&mut self) -> Step {
        loop {
            if let Some(tag) = self.tags.pop_front() {
                return Step::Tag(tag);
            }
            if self.governor.is_idle() {
                self.held_since = None;
                self.receive().await;
                if self.governor.is_probe_due(Instant::now()) {
                    return Step::Look;
                }
            } else {
                while let Some((arrived, frame)) = self.consumer.take() {
                    self.accept(arrived, frame);
                }
            }
            let now = Instant::now();
            self.choose_layer(now);
            let next = self.governor.next(now);
            if self.governor.take_wish(now) {
                self.request_keyframe();
            }
            match next {
                Next::Send(Outgoing { frame, time }) => {
                    self.held_since = None;
                    self.prepare(frame, time);
                }
                Next::Nothing => {}
                Next::Hold => {
                    self.held_since.get_or_insert(now);
                    sleep(PROBE_INTERVAL).await;
                    return Step::Look;
                }
            }
        }
    }

    /// Waits until there is something to send, and returns whether it had to.
    pub(crate) async fn ready(&mut self) -> bool {
        if !self.tags.is_empty() || !self.governor.is_idle() {
            return false;
        }
        if let Some((arrived, frame)) = self.consumer.take() {
            self.accept(arrived, frame);
            return false;
        }
        self.receive().await;
        true
    }

    /// Waits for a frame, or until the layer should be thought over.
    async fn receive(&mut self) {
        let arrival = if self.accepted == LayerSet::SINGLE {
            Some(self.consumer.arrival().await)
        } else {
            // The layer that is received may have stopped coming.
            timeout(CHOICE_INTERVAL, self.consumer.arrival()).await.ok()
        };
        if let Some((arrived, frame)) = arrival {
            self.accept(arrived, frame);
        }
    }

    /// Thinks the layer over, where the publisher has several.
    fn choose_layer(&mut self, now: Instant) {
        if self.next_choice.is_some_and(|next| now < next) {
            return;
        }
        self.next_choice = Some(now + CHOICE_INTERVAL);
        let stream = self.seat.stream();
        let single = stream.offered_layers() == LayerSet::SINGLE && self.accepted == LayerSet::SINGLE;
        if single || !self.seat.tracks().has(MediaKind::Video) {
            return;
        }
        self.layer.update(now, self.seat.capacity().get(), &stream.ladder());
        let (needed, awaited) = (self.layer.needed(), self.layer.awaits_keyframe());
        self.seat.need(needed);
        let accepted = awaited.map_or(needed, |layer| needed.with(layer));
        if self.accepted != accepted {
            self.accepted = accepted;
            self.consumer.accept(accepted);
        }
        if let Some(layer) = awaited {
            stream.request_layer(layer);
        }
    }

    /// Asks for a keyframe of the layer that is shown.
    fn request_keyframe(&self) {
        match self.layer.shown() {
            Some(layer) => self.seat.stream().request_layer(layer),
            None => self.seat.stream().request_keyframe(),
        }
    }

    /// The socket takes no more for now.
    pub(crate) fn note_blocked(&self) {
        self.report.stuck(self.governor.oldest());
    }

    /// Takes what has become of what was sent: the connection's bytes so far, if the kernel has taken all of them, and,
    /// where it matters, what `probe` says. Returns what had to be left out since, if anything.
    pub(crate) fn look(
        &mut self,
        now: Instant,
        written: Option<u64>,
        probe: impl FnOnce() -> Option<Probe>,
    ) -> Option<Departure> {
        match written {
            Some(end) if self.tags.is_empty() => self.governor.wrote(now, end),
            // Only what goes before the frame has been written.
            Some(_) => {}
            None => self.note_blocked(),
        }
        if self.governor.is_probe_due(now) {
            self.governor.probed(now, probe());
            self.report.lag(now, self.governor.lag(now));
            self.seat.capacity().note(self.governor.video_bitrate(now));
        }
        self.report.left_out(self.governor.counts())
    }

    /// Since when nothing is sent because nothing of what was sent is acknowledged.
    pub(crate) fn held_since(&self) -> Option<Instant> {
        self.held_since
    }

    /// How the player fared.
    pub(crate) fn summary(&self) -> Summary {
        self.report.summary(self.consumer.skipped())
    }

    fn replay(&mut self, cached: &[Arc<Frame>], now: Instant) {
        let Some(newest) = cached.last() else { return };
        let pictures: Vec<_> = cached
            .iter()
            .filter_map(|frame| match &frame.media {
                Media::Video { unit, .. } => Some((frame, unit)),
                Media::Audio(_) => None,
            })
            .collect();
        let mut times: Vec<StreamTime> = pictures.iter().map(|(_, unit)| unit.dts).collect();
        squeeze(&mut times, SQUEEZED_STEP, None);
        let pictures = pictures.into_iter().zip(times);
        self.governor.begin(
            now,
            pictures.map(|((frame, unit), time)| (part(unit), time, size(unit), Arc::clone(frame))),
        );
        self.source = Some(newest.source);
        self.replayed = Some(newest.index);
        self.layer.show(Some(newest.layer));
    }

    /// Gives a frame of the stream to the governor, if this player wants it.
    fn accept(&mut self, arrived: Instant, frame: Arc<Frame>) {
        if self.source != Some(frame.source) {
            self.source = Some(frame.source);
            self.replayed = None;
            self.layer.show(None);
            self.governor.await_keyframe();
        }
        let wanted = self.seat.tracks();
        let (part, time, bytes) = match &frame.media {
            Media::Audio(_) if !wanted.has(MediaKind::Audio) => return,
            Media::Video { .. } if !wanted.has(MediaKind::Video) => return,
            Media::Audio(audio) => (Part::Audio, audio.time, audio.data.len()),
            Media::Video { .. } if self.replayed.is_some_and(|last| frame.index <= last) => return,
            Media::Video { unit, .. } => {
                match self.layer.admit(frame.layer, unit.keyframe) {
                    Admission::Drop => return,
                    // The layer before is received no longer.
                    Admission::Switch => self.next_choice = None,
                    Admission::Pass => {}
                }
                (part(unit), unit.dts, size(unit))
            }
        };
        self.governor.push(arrived, part, time, bytes, frame);
    }

    /// Puts a frame, and what has to come before it, among the tags.
    fn prepare(&mut self, frame: Arc<Frame>, time: StreamTime) {
        let wire = wire_time(time);
        self.begin(wire);
        let (kind, own) = match &frame.media {
            Media::Audio(audio) => {
                self.announce_audio(&audio.config, wire);
                (TagKind::Audio, audio.time)
            }
            Media::Video { unit, .. } => {
                self.announce_video(&unit.params, wire);
                (TagKind::Video, unit.dts)
            }
        };
        self.tags.push_back(if own == time {
            Tag::Shared { frame, kind, time: wire }
        } else {
            Tag::Own { kind, time: wire, body: body(&frame.media) }
        });
    }

    /// Sends the sequence header before the first picture, and whenever the parameter sets change.
    fn announce_video(&mut self, params: &Arc<ParameterSets>, time: Millis) {
        if !is_known(self.params.as_ref(), params) {
            self.params = Some(Arc::clone(params));
            let body = flv::video_sequence_header(params);
            self.tags.push_back(Tag::Own { kind: TagKind::Video, time, body });
        }
    }

    /// Sends the sequence header before the first frame, and whenever the configuration changes.
    fn announce_audio(&mut self, config: &Arc<aac::Config>, time: Millis) {
        if !is_known(self.config.as_ref(), config) {
            self.config = Some(Arc::clone(config));
            let body = flv::audio_sequence_header(config);
            self.tags.push_back(Tag::Own { kind: TagKind::Audio, time, body });
        }
    }

    /// Describes the stream before its first frame. Players look for the tracks that are named here, and wait for
    /// them: both have to be named, and with their headers, before a burst of pictures without sound.
    fn begin(&mut self, time: Millis) {
        if std::mem::replace(&mut self.begun, true) {
            return;
        }
        let description = self.seat.description();
        let body = crate::rtmp::metadata(&description);
        // ffmpeg takes metadata at any other time for a text track.
        self.tags.push_back(Tag::Own { kind: TagKind::Script, time: Millis::ZERO, body });
        if let Some(params) = &description.params {
            self.announce_video(params, time);
        }
        if let Some(config) = &description.config {
            self.announce_audio(config, time);
        }
    }
}

/// What others need of a picture.
fn part(unit: &AccessUnit) -> Part {
    match unit {
        AccessUnit { keyframe: true, .. } => Part::Keyframe,
        unit if unit.is_disposable() => Part::Disposable,
        _ => Part::Reference,
    }
}

/// About the bytes of a picture on the wire.
fn size(unit: &AccessUnit) -> usize {
    unit.nals.iter().map(Bytes::len).sum()
}

/// A time of the stream on the wire. Sound that was made out of the very first packets lies before the stream's epoch.
fn wire_time(time: StreamTime) -> Millis {
    time.rescale().max(Millis::ZERO)
}

/// Whether what was announced still holds.
fn is_known<T: PartialEq>(announced: Option<&Arc<T>>, current: &Arc<T>) -> bool {
    announced.is_some_and(|announced| Arc::ptr_eq(announced, current) || announced == current)
}

#[cfg(test)]
mod tests {
    use std::future::Future;
    use std::pin::pin;
    use std::task::{Context, Poll, Waker};

    use queqiao_room::signal::Tracks;

    use queqiao_media::layers::Layer;
    use smallvec::smallvec;

    use super::*;
    use crate::hub::testing::{Probe, aac_frame, picture};
    use crate::hub::{NativeForm, Passed, Source};

    /// What a player sends whose path takes everything at once.
    fn tags(player: &mut Player) -> Vec<Tag> {
        let cx = &mut Context::from_waker(Waker::noop());
        std::iter::from_fn(|| {
            player.look(Instant::now(), Some(0), || None);
            match pin!(player.next()).poll(cx) {
                Poll::Ready(Step::Tag(tag)) => Some(tag),
                Poll::Ready(Step::Look) | Poll::Pending => None,
            }
        })
        .collect()
    }

    /// Kind, time in milliseconds, and the packet type: 0 for a sequence header, 1 for media.
    fn summary(tags: &[Tag]) -> Vec<(TagKind, i64, u8)> {
        tags.iter()
            .map(|tag| match tag {
                Tag::Own { kind, time, body } if *kind == TagKind::Script => (*kind, time.get(), body[0]),
                Tag::Own { kind, time, body } => (*kind, time.get(), body[1]),
                Tag::Shared { kind, time, .. } => (*kind, time.get(), 1),
            })
            .collect()
    }

    #[test]
    fn a_player_who_waited_gets_metadata_and_headers_before_the_first_frames() {
        let probe = Probe::new();
        let mut player = Player::join(&probe.seat());
        let publication = probe.publish();
        let now = Instant::now();
        publication.source().push_frame(now, aac_frame(10));
        publication.source().push_frame(now, picture(20, false));
        publication.source().push_frame(now, picture(60, true));
        publication.source().push_frame(now, picture(100, false));
        assert_eq!(
            summary(&tags(&mut player)),
            [
                (TagKind::Script, 0, 2),
                (TagKind::Video, 10, 0),
                (TagKind::Audio, 10, 0),
                (TagKind::Audio, 10, 1),
                (TagKind::Video, 60, 1),
                (TagKind::Video, 100, 1),
            ],
            "pictures before the first keyframe are of no use"
        );
    }

    #[test]
    fn a_player_who_joins_gets_the_cached_pictures_squeezed_to_live_and_each_only_once() {
        let probe = Probe::new();
        let publication = probe.publish();
        let now = Instant::now();
        publication.source().push_frame(now, aac_frame(0));
        for (time, keyframe) in [(0, true), (1_000, false), (2_000, false)] {
            publication.source().push_frame(now, picture(time, keyframe));
        }
        let mut player = Player::join(&probe.seat());
        publication.source().push_frame(now, picture(2_066, false));
        assert_eq!(
            summary(&tags(&mut player)),
            [
                (TagKind::Script, 0, 2),
                (TagKind::Video, 1_998, 0),
                (TagKind::Audio, 1_998, 0),
                (TagKind::Video, 1_998, 1),
                (TagKind::Video, 1_999, 1),
                (TagKind::Video, 2_000, 1),
                (TagKind::Video, 2_066, 1),
            ]
        );
    }

    #[test]
    fn a_player_gets_the_tracks_that_it_wants_and_is_told_of_no_other() {
        for (tracks, expected) in [
            (Tracks::Audio, vec![(TagKind::Script, 0, 2), (TagKind::Audio, 0, 0), (TagKind::Audio, 20, 1)]),
            (
                Tracks::Video,
                vec![
                    (TagKind::Script, 0, 2),
                    (TagKind::Video, 0, 0),
                    (TagKind::Video, 0, 1),
                    (TagKind::Video, 40, 1),
                ],
            ),
        ] {
            let probe = Probe::new();
            let publication = probe.publish();
            let now = Instant::now();
            publication.source().push_frame(now, aac_frame(0));
            publication.source().push_frame(now, picture(0, true));
            let mut player = Player::join(&probe.seat_for(tracks));
            publication.source().push_frame(now, aac_frame(20));
            publication.source().push_frame(now, picture(40, false));
            let all = tags(&mut player);
            let times: Vec<_> = summary(&all)
                .into_iter()
                .map(|(kind, time, form)| (kind, if form == 0 { 0 } else { time }, form))
                .collect();
            assert_eq!(times, expected);
            let Some(Tag::Own { body, .. }) = all.first() else { panic!("metadata first") };
            let named = |name: &[u8]| body.windows(name.len()).any(|window| window == name);
            assert_eq!(
                (named(b"audiocodecid"), named(b"videocodecid")),
                (tracks == Tracks::Audio, tracks == Tracks::Video)
            );
        }
    }

    /// Pictures of both layers of a publisher that has two, every 33 ms up to `until`, a keyframe of both at each of
    /// `keyframes`.
    fn push_layers(source: &Source, millis: std::ops::Range<i64>, keyframes: &[i64]) {
        for time in millis.step_by(33) {
            for layer in [Layer::Low, Layer::High] {
                let Media::Video { mut unit, droppable } = picture(time, keyframes.contains(&time)) else {
                    unreachable!()
                };
                if layer == Layer::Low {
                    let sps = Bytes::from_static(&[0x67, 66, 0xe0, 12]);
                    let params = ParameterSets { sps: smallvec![sps], ..(*unit.params).clone() };
                    unit.params = Arc::new(params);
                }
                let now = Instant::now();
                let keyframe = unit.keyframe;
                source.count_rtp(now, Passed::Video { layer, bytes: 100, packets: 1, frames: 1, keyframe });
                source.push_layer(now, layer, Media::Video { unit, droppable });
            }
        }
    }

    #[test]
    fn a_player_changes_to_another_layer_at_its_keyframe_with_a_header_of_its_own() {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap();
        let _within = runtime.enter();
        let probe = Probe::new();
        let publication = probe.publish_as(NativeForm::Rtp);
        publication.source().offer_layers(LayerSet::of_count(2));
        let seat = probe.seat();
        let mut player = Player::join(&seat);
        push_layers(publication.source(), 0..100, &[0]);
        let shown = |tags: &[Tag]| {
            let kinds = tags.iter().filter_map(|tag| match tag {
                Tag::Own { kind: TagKind::Video, body, .. } if body[1] == 0 => Some(format!("{}", body[8])),
                Tag::Shared { frame, .. } => Some(frame.layer.name().to_owned()),
                Tag::Own { .. } => None,
            });
            kinds.collect::<Vec<_>>()
        };
        assert_eq!(shown(&tags(&mut player)), ["31", "h", "h", "h", "h"]);
        player.layer.set_cap(Layer::Low);
        player.next_choice = None;
        player.choose_layer(Instant::now());
        assert_eq!(probe.layer_requests(), [Layer::Low]);
        push_layers(publication.source(), 132..250, &[198]);
        assert_eq!(shown(&tags(&mut player)), ["h", "h", "12", "l", "l"]);
    }

    #[test]
    fn a_publisher_that_comes_back_goes_on_with_its_first_keyframe() {
        let probe = Probe::new();
        let first = probe.publish();
        let mut player = Player::join(&probe.seat());
        let now = Instant::now();
        first.source().push_frame(now, picture(0, true));
        let second = probe.publish();
        assert!(probe.was_replaced(), "the publisher before is told");
        first.source().push_frame(now, picture(40, false));
        second.source().push_frame(now, picture(80, false));
        second.source().push_frame(now, picture(120, true));
        let times: Vec<_> =
            summary(&tags(&mut player)).into_iter().filter(|tag| tag.2 == 1).map(|tag| tag.1).collect();
        assert_eq!(
            times,
            [0, 120],
            "neither a stale publisher nor an undecodable picture reaches the player"
        );
        drop(first);
        assert!(probe.seat().stream().is_published(), "the end of the replaced publisher ends nothing");
        drop(second);
        assert!(!probe.seat().stream().is_published());
    }
}
