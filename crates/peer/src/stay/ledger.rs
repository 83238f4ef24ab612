//! What is published and received, so that a new session can be brought to where the lost one was.

use std::collections::BTreeMap;

use queqiao_room::signal::{MediaKind, Publish, Request, Subscribe, TrackState};
use queqiao_room::{StreamKind, Uid};

/// A stream of one's own that the server knows.
#[derive(Clone, Debug)]
struct Publication {
    request: Publish,
    audio: Track,
    video: Track,
}

/// A track of one's own.
#[derive(Clone, Copy, Debug)]
struct Track {
    /// What its owner wants, also while an admin blocks it.
    muted: bool,
    state: TrackState,
}

impl Track {
    const fn new(present: bool, before: Option<Self>) -> Self {
        let muted = match before {
            Some(before) => before.muted,
            None => false,
        };
        let state = match (present, before) {
            (false, _) => TrackState::Absent,
            (true, Some(Self { state: TrackState::Blocked, .. })) => TrackState::Blocked,
            (true, _) if muted => TrackState::Muted,
            (true, _) => TrackState::Live,
        };
        Self { muted, state }
    }
}

/// See the module. The server grants at most two publications and sixty subscriptions.
#[derive(Debug, Default)]
pub(crate) struct Ledger {
    publications: BTreeMap<StreamKind, Publication>,
    subscriptions: BTreeMap<(Uid, StreamKind), Subscribe>,
}

impl Ledger {
    /// The server has granted it.
    pub(crate) fn published(&mut self, request: Publish) {
        let key = request.stream;
        let before = self.publications.get(&key);
        let audio = Track::new(request.audio, before.map(|before| before.audio));
        let video = Track::new(request.video, before.map(|before| before.video));
        self.publications.insert(key, Publication { request, audio, video });
    }

    /// Returns whether there was one.
    pub(crate) fn unpublished(&mut self, stream: StreamKind) -> bool {
        self.publications.remove(&stream).is_some()
    }

    pub(crate) fn publications(&self) -> Vec<StreamKind> {
        self.publications.values().map(|publication| publication.request.stream).collect()
    }

    /// The server has granted it.
    pub(crate) fn subscribed(&mut self, request: Subscribe) {
        self.subscriptions.insert((request.uid.clone(), request.stream), request);
    }

    /// Returns whether there was one.
    pub(crate) fn unsubscribed(&mut self, uid: &Uid, stream: StreamKind) -> bool {
        self.subscriptions.remove(&(uid.clone(), stream)).is_some()
    }

    /// What the owner wants of a track, and how the server says it is.
    pub(crate) fn muted(&mut self, stream: StreamKind, kind: MediaKind, muted: bool, state: TrackState) {
        if let Some(track) = self.track(stream, kind) {
            *track = Track { muted, state };
        }
    }

    /// Notes the state of a track of one's own, and returns whether it is another than before.
    pub(crate) fn set_state(&mut self, stream: StreamKind, kind: MediaKind, state: TrackState) -> bool {
        self.track(stream, kind).is_some_and(|track| std::mem::replace(&mut track.state, state) != state)
    }

    fn track(&mut self, stream: StreamKind, kind: MediaKind) -> Option<&mut Track> {
        let publication = self.publications.get_mut(&stream)?;
        Some(match kind {
            MediaKind::Audio => &mut publication.audio,
            MediaKind::Video => &mut publication.video,
        })
    }

    /// What a new session is asked, to be where the lost one was.
    pub(crate) fn restore(&self) -> Vec<Request> {
        let mut requests = Vec::new();
        for Publication { request, audio, video } in self.publications.values() {
            requests.push(Request::Publish(request.clone()));
            for (kind, track) in [(MediaKind::Audio, audio), (MediaKind::Video, video)] {
                // A block may be over with the lost session, which only asking can tell.
                if track.state != TrackState::Absent && (track.muted || track.state == TrackState::Blocked) {
                    let (stream, muted) = (request.stream, track.muted);
                    requests.push(Request::Mute { uid: None, stream, kind, muted });
                }
            }
        }
        requests.extend(self.subscriptions.values().cloned().map(Request::Subscribe));
        requests
    }
}
