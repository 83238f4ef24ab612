//! What the sections of a signalled session carry, and the offers that change them: one at a time.
//!
//! A section stays in the description for good (RFC 8829 section 5.2.2). One that carries nothing is inactive, and is used
//! again for another stream. Sound and pictures of a stream are in a pair of sections with one stream id, because browsers
//! keep lips in sync only within one.

use std::time::Instant;

use queqiao_media::layers::LayerSet;
use queqiao_room::StreamKey;
use queqiao_room::signal::{MediaKind, Tracks};
use str0m::Rtc;
use str0m::change::{SdpAnswer, SdpPendingOffer};
use str0m::media::{Direction, Mid};

use super::negotiate::{Flow, with_one_estimator};
use super::{Carried, Error, OFFER_TIMEOUT, Offer, simulcast};

const KINDS: [MediaKind; 2] = [MediaKind::Audio, MediaKind::Video];

struct Section {
    mid: Mid,
    kind: MediaKind,
    flow: Flow,
    pair: u32,
    /// The layers that it can carry, for good: browsers make their encodings of a section once.
    layers: LayerSet,
    carries: Option<StreamKey>,
    /// Whether the peer has answered an offer that says so.
    answered: bool,
}

struct Wanted {
    flow: Flow,
    stream: StreamKey,
    tracks: Tracks,
    layers: LayerSet,
}

impl Wanted {
    /// The layers of one of its tracks.
    fn layers_of(&self, kind: MediaKind) -> LayerSet {
        match kind {
            MediaKind::Audio => LayerSet::SINGLE,
            MediaKind::Video => self.layers,
        }
    }
}

struct Open {
    revision: u64,
    pending: SdpPendingOffer,
    until: Instant,
}

/// The sections of one session.
#[derive(Default)]
pub(super) struct Sections {
    wanted: Vec<Wanted>,
    sections: Vec<Section>,
    revision: u64,
    open: Option<Open>,
    /// Whether something has changed since the last offer was made.
    changed: bool,
    restart_ice: bool,
}

/// An offer that was made.
pub(super) struct Made {
    pub(super) offer: Offer,
    /// The server's new ICE user name fragment, if ICE restarts with this offer.
    pub(super) ufrag: Option<String>,
}

impl Sections {
    /// Carries these tracks of a stream from the next offer on, the video in these layers.
    pub(super) fn want(&mut self, flow: Flow, stream: &StreamKey, tracks: Tracks, layers: LayerSet) {
        self.changed = true;
        match self.wanted.iter_mut().find(|wanted| wanted.flow == flow && wanted.stream == *stream) {
            Some(wanted) => (wanted.tracks, wanted.layers) = (tracks, layers),
            None => self.wanted.push(Wanted { flow, stream: stream.clone(), tracks, layers }),
        }
    }

    /// Carries a stream no longer.
    pub(super) fn drop_stream(&mut self, flow: Flow, stream: &StreamKey) {
        self.changed = true;
        self.wanted.retain(|wanted| wanted.flow != flow || wanted.stream != *stream);
    }

    /// Asks for new ICE credentials.
    pub(super) fn restart_ice(&mut self) {
        self.restart_ice = true;
    }

    /// When the open offer has to be answered.
    pub(super) fn deadline(&self) -> Option<Instant> {
        self.open.as_ref().map(|open| open.until)
    }

    /// Makes an offer, if something has changed and none is open.
    pub(super) fn negotiate(&mut self, rtc: &mut Rtc, now: Instant) -> Option<Made> {
        if self.open.is_some() || !(self.changed || self.restart_ice) {
            return None;
        }
        self.changed = false;
        let mut api = rtc.sdp_api();
        let ufrag = std::mem::take(&mut self.restart_ice).then(|| api.ice_restart(true).ufrag);
        for section in &mut self.sections {
            let keep = section.carries.as_ref().is_none_or(|stream| {
                self.wanted.iter().any(|wanted| {
                    wanted.flow == section.flow
                        && wanted.stream == *stream
                        && wanted.tracks.has(section.kind)
                        && wanted.layers_of(section.kind) == section.layers
                })
            });
            if !keep {
                section.carries = None;
                section.answered = false;
                api.set_direction(section.mid, Direction::Inactive);
            }
        }
        for index in 0..self.wanted.len() {
            for kind in KINDS {
                self.place(index, kind, &mut api);
            }
        }
        let (offer, pending) = api.apply()?;
        self.revision += 1;
        self.open = Some(Open { revision: self.revision, pending, until: now + OFFER_TIMEOUT });
        let sdp = with_one_estimator(&offer.to_sdp_string());
        Some(Made { offer: Offer { revision: self.revision, sdp, sections: self.carried() }, ufrag })
    }

    /// Gives a wanted track a section, if it has none.
    fn place(&mut self, index: usize, kind: MediaKind, api: &mut str0m::change::SdpApi<'_>) {
        let Some(wanted) = self.wanted.get(index) else { return };
        let (flow, stream, layers) = (wanted.flow, wanted.stream.clone(), wanted.layers_of(kind));
        if !wanted.tracks.has(kind) || self.find(flow, &stream, kind).is_some() {
            return;
        }
        let direction = match flow {
            Flow::In => Direction::RecvOnly,
            Flow::Out => Direction::SendOnly,
        };
        let pair = self.pair(wanted);
        let free = self.sections.iter_mut().find(|section| {
            section.pair == pair
                && section.kind == kind
                && section.layers == layers
                && section.carries.is_none()
        });
        if let Some(section) = free {
            section.carries = Some(stream);
            api.set_direction(section.mid, direction);
            return;
        }
        let media_kind = match kind {
            MediaKind::Audio => str0m::media::MediaKind::Audio,
            MediaKind::Video => str0m::media::MediaKind::Video,
        };
        let stream_id = Some(format!("queqiao-{pair}"));
        let mid = api.add_media(media_kind, direction, stream_id, None, simulcast::offered(layers));
        self.sections.push(Section { mid, kind, flow, pair, layers, carries: Some(stream), answered: false });
    }

    /// The pair in which a stream is, one that is free, or a new one.
    fn pair(&self, wanted: &Wanted) -> u32 {
        let flow = wanted.flow;
        let of_stream =
            |section: &&Section| section.flow == flow && section.carries.as_ref() == Some(&wanted.stream);
        if let Some(section) = self.sections.iter().find(of_stream) {
            return section.pair;
        }
        let is_free = |pair| {
            self.sections
                .iter()
                .filter(|section| section.pair == pair)
                .all(|section| section.carries.is_none())
        };
        // The one that needs the fewest new sections.
        let fitting = |pair| {
            let has = |kind| {
                self.sections.iter().any(|section| {
                    section.pair == pair && section.kind == kind && section.layers == wanted.layers_of(kind)
                })
            };
            KINDS.into_iter().filter(|kind| wanted.tracks.has(*kind) && has(*kind)).count()
        };
        let free = self
            .sections
            .iter()
            .filter(|section| section.flow == flow && is_free(section.pair))
            .max_by_key(|section| fitting(section.pair));
        match free {
            Some(section) => section.pair,
            None => self.sections.iter().map(|section| section.pair).max().unwrap_or_default() + 1,
        }
    }

    fn find(&self, flow: Flow, stream: &StreamKey, kind: MediaKind) -> Option<&Section> {
        self.sections.iter().find(|section| {
            section.flow == flow && section.kind == kind && section.carries.as_ref() == Some(stream)
        })
    }

    fn carried(&self) -> Vec<Carried> {
        let carried = self.sections.iter().filter_map(|section| {
            let stream = section.carries.clone()?;
            Some(Carried { mid: section.mid.to_string(), stream, kind: section.kind })
        });
        carried.collect()
    }

    /// Takes the answer to the open offer.
    ///
    /// An answer that cannot be read leaves the offer open; one that does not fit is [`Error::Unfit`], and the end of the
    /// session, which the offer has changed halfway.
    pub(super) fn answer(&mut self, rtc: &mut Rtc, revision: u64, sdp: &str) -> Result<(), Error> {
        if self.open.as_ref().is_none_or(|open| open.revision != revision) {
            return Err(Error::StaleRevision);
        }
        let answer = SdpAnswer::from_sdp_string(sdp).map_err(|error| Error::Sdp(error.to_string()))?;
        let Some(open) = self.open.take() else { return Err(Error::StaleRevision) };
        rtc.sdp_api().accept_answer(open.pending, answer).map_err(|error| Error::Unfit(error.to_string()))?;
        for section in &mut self.sections {
            section.answered = section.carries.is_some();
        }
        Ok(())
    }

    /// The sections of a stream's sound and pictures in which media can flow, as far as the peer has answered.
    pub(super) fn mids(&self, rtc: &Rtc, flow: Flow, stream: &StreamKey) -> (Option<Mid>, Option<Mid>) {
        let mid = |kind| {
            let section = self.find(flow, stream, kind).filter(|section| section.answered)?;
            let direction = rtc.media(section.mid)?.direction();
            let flows = match flow {
                Flow::In => direction.is_receiving(),
                Flow::Out => direction.is_sending(),
            };
            flows.then_some(section.mid)
        };
        (mid(MediaKind::Audio), mid(MediaKind::Video))
    }
}

#[cfg(test)]
mod tests {
    use std::net::SocketAddr;

    use str0m::change::SdpOffer;

    use super::super::negotiate::Negotiator;
    use super::*;

    /// A session between the server and a peer that answers whatever it is offered.
    struct Talk {
        server: Rtc,
        sections: Sections,
        peer: Rtc,
        now: Instant,
    }

    impl Talk {
        fn new() -> Self {
            let now = Instant::now();
            let negotiator = Negotiator::new(vec![SocketAddr::from(([127, 0, 0, 1], 7800))]).unwrap();
            let server = negotiator.offerer(now).unwrap();
            Self { server, sections: Sections::default(), peer: str0m::RtcConfig::new().build(now), now }
        }

        fn offer(&mut self) -> Option<Offer> {
            self.sections.negotiate(&mut self.server, self.now).map(|made| made.offer)
        }

        fn answer(&mut self, offer: &Offer) {
            let sdp = SdpOffer::from_sdp_string(&offer.sdp).unwrap();
            let answer = self.peer.sdp_api().accept_offer(sdp).unwrap().to_sdp_string();
            self.sections.answer(&mut self.server, offer.revision, &answer).unwrap();
        }

        /// Offers what has changed, and takes the answer.
        fn settle(&mut self) -> Offer {
            let offer = self.offer().expect("something has changed");
            self.answer(&offer);
            offer
        }
    }

    fn stream(text: &str) -> StreamKey {
        text.parse().unwrap()
    }

    fn carried(offer: &Offer) -> Vec<(String, MediaKind)> {
        offer.sections.iter().map(|section| (section.stream.to_string(), section.kind)).collect()
    }

    #[test]
    fn changes_while_an_offer_is_open_go_into_the_next() {
        let mut talk = Talk::new();
        let (alice, bob) = (stream("app/room/alice"), stream("app/room/bob"));
        assert!(talk.offer().is_none(), "nothing to say");
        talk.sections.want(Flow::In, &alice, Tracks::Both, LayerSet::SINGLE);
        let first = talk.offer().unwrap();
        talk.sections.want(Flow::Out, &bob, Tracks::Audio, LayerSet::SINGLE);
        assert!(talk.offer().is_none(), "one is open");
        talk.answer(&first);
        let second = talk.settle();
        assert_eq!((first.revision, second.revision), (1, 2));
        assert_eq!(carried(&second).len(), 3);
        assert!(talk.offer().is_none(), "everything is said");
    }

    #[test]
    fn media_flow_in_a_section_once_it_is_answered_and_until_it_is_given_up() {
        let mut talk = Talk::new();
        let alice = stream("app/room/alice");
        talk.sections.want(Flow::Out, &alice, Tracks::Both, LayerSet::SINGLE);
        let offer = talk.offer().unwrap();
        assert_eq!(talk.sections.mids(&talk.server, Flow::Out, &alice), (None, None));
        talk.answer(&offer);
        let (audio, video) = talk.sections.mids(&talk.server, Flow::Out, &alice);
        assert!(audio.is_some() && video.is_some() && audio != video);
        talk.sections.want(Flow::Out, &alice, Tracks::Audio, LayerSet::SINGLE);
        talk.settle();
        assert_eq!(talk.sections.mids(&talk.server, Flow::Out, &alice), (audio, None));
    }

    #[test]
    fn the_sections_of_a_stream_that_ended_are_used_again() {
        let mut talk = Talk::new();
        let (alice, bob) = (stream("app/room/alice"), stream("app/room/bob"));
        talk.sections.want(Flow::Out, &alice, Tracks::Both, LayerSet::SINGLE);
        talk.settle();
        let before = talk.sections.mids(&talk.server, Flow::Out, &alice);
        for turn in 0..50 {
            let (old, new) = if turn % 2 == 0 { (&alice, &bob) } else { (&bob, &alice) };
            talk.sections.drop_stream(Flow::Out, old);
            talk.sections.want(Flow::Out, new, Tracks::Both, LayerSet::SINGLE);
            let offer = talk.settle();
            assert_eq!(offer.sdp.matches("\r\nm=").count(), 2);
            assert_eq!(talk.sections.mids(&talk.server, Flow::Out, new), before);
        }
    }

    #[test]
    fn sound_and_pictures_of_a_stream_belong_together_and_to_no_other() {
        let mut talk = Talk::new();
        for name in ["app/room/alice", "app/room/bob"] {
            talk.sections.want(Flow::Out, &stream(name), Tracks::Both, LayerSet::SINGLE);
        }
        let offer = talk.settle();
        let ids: Vec<&str> =
            offer.sdp.lines().filter_map(|line| line.strip_prefix("a=msid:")?.split(' ').next()).collect();
        let [a, b, c, d] = ids[..] else { panic!("four tracks, not {ids:?}") };
        assert!(a == b && c == d && a != c, "{ids:?}");
    }

    /// What a peer would answer that sends all layers that it is asked for.
    fn with_layers(answer: &str) -> String {
        let layers = ["l", "h"].map(|rid| format!("a=rid:{rid} send\r\n")).concat();
        answer.replace("a=sendonly\r\n", &format!("a=sendonly\r\n{layers}a=simulcast:send l;h\r\n"))
    }

    #[test]
    fn a_stream_in_layers_is_taken_in_layers_by_who_agrees_and_in_one_from_who_does_not() {
        for agrees in [true, false] {
            let mut talk = Talk::new();
            let alice = stream("app/room/alice");
            talk.sections.want(Flow::In, &alice, Tracks::Video, LayerSet::of_count(2));
            let offer = talk.offer().unwrap();
            assert!(offer.sdp.contains("a=simulcast:recv l;h\r\n") && offer.sdp.contains("a=rid:l recv\r\n"));
            let sdp = SdpOffer::from_sdp_string(&offer.sdp).unwrap();
            let answer = talk.peer.sdp_api().accept_offer(sdp).unwrap().to_sdp_string();
            let plain: String = answer
                .split_inclusive("\r\n")
                .filter(|line| !line.starts_with("a=rid:") && !line.starts_with("a=simulcast:"))
                .map(|line| if line.starts_with("a=recvonly") { "a=sendonly\r\n" } else { line })
                .collect();
            let answer = if agrees { with_layers(&plain) } else { plain };
            talk.sections.answer(&mut talk.server, offer.revision, &answer).unwrap();
            let (_, video) = talk.sections.mids(&talk.server, Flow::In, &alice);
            let layers = simulcast::negotiated(&talk.server, video.unwrap());
            assert_eq!(layers, if agrees { LayerSet::of_count(2) } else { LayerSet::SINGLE });
        }
    }

    #[test]
    fn a_stream_with_other_layers_than_before_has_another_section_for_its_pictures() {
        let mut talk = Talk::new();
        let alice = stream("app/room/alice");
        let sections = |offer: &Offer| offer.sdp.matches("\r\nm=").count();
        for (layers, expected) in [(1, 2), (3, 3), (1, 3), (3, 3)] {
            talk.sections.want(Flow::In, &alice, Tracks::Both, LayerSet::of_count(layers));
            let offer = talk.settle();
            assert_eq!(sections(&offer), expected);
            assert_eq!(carried(&offer).len(), 2, "the others carry nothing");
        }
    }

    #[test]
    fn an_answer_to_another_offer_or_beside_the_point_leaves_the_offer_open() {
        let mut talk = Talk::new();
        talk.sections.want(Flow::In, &stream("app/room/alice"), Tracks::Both, LayerSet::SINGLE);
        let offer = talk.offer().unwrap();
        let stale = talk.sections.answer(&mut talk.server, 2, "v=0");
        assert!(matches!(stale, Err(Error::StaleRevision)));
        let garbage = talk.sections.answer(&mut talk.server, 1, "garbage");
        assert!(matches!(garbage, Err(Error::Sdp(_))));
        talk.answer(&offer);
        let twice = talk.sections.answer(&mut talk.server, 1, "v=0");
        assert!(matches!(twice, Err(Error::StaleRevision)));
    }

    #[test]
    fn an_ice_restart_offers_other_credentials_and_keeps_the_sections() {
        let mut talk = Talk::new();
        talk.sections.want(Flow::In, &stream("app/room/alice"), Tracks::Both, LayerSet::SINGLE);
        let before = talk.settle();
        talk.sections.restart_ice();
        let made = talk.sections.negotiate(&mut talk.server, talk.now).unwrap();
        let ufrag = made.ufrag.unwrap();
        assert!(made.offer.sdp.contains(&ufrag) && !before.sdp.contains(&ufrag));
        assert_eq!(made.offer.sections, before.sections);
        talk.answer(&made.offer);
        assert_eq!(talk.server.direct_api().local_ice_credentials().ufrag, ufrag);
    }
}
