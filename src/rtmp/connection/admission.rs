//! Who may publish or play, and what a connection does from then on.

use std::sync::Arc;

use queqiao_room::{Error as RoomError, Grant, Permission, StreamKey};
use queqiao_rtmp::address::Address;
use queqiao_rtmp::server::{PlayRequest, PublishRequest};
use tracing::{info, info_span};

use super::super::closed::Closed;
use super::super::control::Control;
use super::super::denial::Denial;
use super::super::egress::Egress;
use super::super::ingest::Ingest;
use super::super::observed::Observed;
use super::{Connection, Publisher, Role};
use crate::hub::{NativeForm, PublisherControl};
use crate::rooms::{Credential, Link, Protocol};

impl Connection {
    pub(super) fn publish(&mut self, request: PublishRequest) -> Result<(), Closed> {
        let control = Arc::new(Control::default());
        let publication = self.admit(request.address(), Permission::Publish).and_then(|(grant, mut link)| {
            let hub = &self.shared.hub;
            let control = Arc::clone(&control) as Arc<dyn PublisherControl>;
            let publication = hub.publish(&grant, NativeForm::Frames, control);
            let publication = publication.inspect_err(|_| link.leave())?;
            Ok((publication, link))
        });
        match publication {
            Ok((publication, link)) => {
                self.span =
                    info_span!("publisher", protocol = "rtmp", stream = %publication.source().stream().key());
                self.span.in_scope(|| info!("publishing"));
                let (ingest, tracks) = (Ingest::new(publication), Observed::default());
                self.role = Role::Publishing(Publisher { ingest, control, link, tracks });
                self.session.accept_publish(request);
                Ok(())
            }
            Err(denial) => {
                self.session.reject_publish(request, denial.refusal, &denial.message);
                Err(Closed::Refused { code: denial.code, message: denial.message })
            }
        }
    }

    pub(super) fn play(&mut self, request: PlayRequest) -> Result<(), Closed> {
        let seat = self
            .admit(request.address(), Permission::Play)
            .and_then(|(grant, link)| Ok((self.shared.hub.play(&grant)?, link)));
        match seat {
            Ok((seat, link)) => {
                self.span = info_span!("player", protocol = "rtmp", stream = %seat.stream().key());
                self.span.in_scope(|| info!("playing"));
                self.session.accept_play(request);
                self.socket.keep_little_unsent()?;
                let egress = Egress::new(seat, self.session.stream_id().unwrap_or(1));
                self.role = Role::Playing { egress, link };
                Ok(())
            }
            Err(denial) => {
                self.session.reject_play(request, denial.refusal, &denial.message);
                Err(Closed::Refused { code: denial.code, message: denial.message })
            }
        }
    }

    fn admit(&self, address: &Address, permission: Permission) -> Result<(Grant, Link), Denial> {
        let [app, room, stream] = address.path() else {
            return Err(RoomError::InvalidAddress { segments: address.path().len() }.into());
        };
        let key = StreamKey::from_segments(app, room, stream)?;
        let credential = Credential::of(address.parameter("ticket"), address.parameter("token"));
        Ok(self.shared.rooms.admit(&key, permission, credential, Protocol::Rtmp)?)
    }
}
