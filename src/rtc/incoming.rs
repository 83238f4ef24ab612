//! A stream that the peer of a session publishes.

use std::sync::Arc;
use std::time::Instant;

use queqiao_room::{Grant, StreamKind};
use str0m::Rtc;
use str0m::media::Mid;
use tracing::debug;

use super::control::Control;
use super::directory::SessionId;
use super::ended::Ended;
use super::ingest::Ingest;
use super::worker::Shared;
use super::{Notice, Notices};
use crate::hub::{NativeForm, PublisherControl};

/// A stream that the peer publishes.
pub(super) struct Incoming {
    pub(super) grant: Grant,
    /// Once there is a section for it.
    pub(super) ingest: Option<Ingest>,
}

impl Incoming {
    pub(super) fn new(grant: Grant) -> Self {
        Self { grant, ingest: None }
    }

    /// Takes media from these sections from now on, and publishes the stream if it is not published yet.
    pub(super) fn carry(
        &mut self,
        (audio, video): (Option<Mid>, Option<Mid>),
        session: &SessionId,
        shared: &Shared,
        rtc: &mut Rtc,
        now: Instant,
    ) -> Result<(), Ended> {
        if let Some(ingest) = &mut self.ingest {
            ingest.carry((audio, video), now, rtc);
        } else if audio.is_some() || video.is_some() {
            let kind = self.grant.stream().kind;
            let control = Arc::new(Control::new(session.clone(), kind, Arc::clone(&shared.inbox)));
            let as_control = Arc::clone(&control) as Arc<dyn PublisherControl>;
            let publication = shared.hub.publish(&self.grant, NativeForm::Rtp, as_control);
            let publication = publication.map_err(Ended::Hub)?;
            self.ingest = Some(Ingest::new(publication, control, (audio, video), now, rtc));
        }
        Ok(())
    }
}

/// What takes in a stream of the peer's, once media flow.
pub(super) fn ingest_of(all: &mut [Incoming], stream: StreamKind) -> Option<&mut Ingest> {
    all.iter_mut().find(|incoming| incoming.grant.stream().kind == stream)?.ingest.as_mut()
}

/// Tells the peer which layers to send, where that has changed.
pub(super) fn tell_layers(all: &mut [Incoming], session: &SessionId, notices: &Notices) {
    for incoming in all {
        let Some(layers) = incoming.ingest.as_mut().and_then(Ingest::take_asked) else { continue };
        let stream = incoming.grant.stream().kind;
        debug!(?stream, ?layers, "other layers are wanted");
        let _ = notices.send(Notice::Layers { session: session.clone(), stream, layers });
    }
}
