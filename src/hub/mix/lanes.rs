//! Every mix that is listened to as AAC, encoded once.

use std::collections::BTreeMap;
use std::sync::Arc;

use bytes::Bytes;
use queqiao_media::aac;
use queqiao_media::frame::AacFrame;
use queqiao_media::time::{AudioTicks, StreamTime};
use queqiao_mix::{Lane, MAX_MIXED, Mixer, PRIMING, Rendered, block_time};
use queqiao_transcode::{AacEncoder, AacSettings, Error};

use super::Tally;

struct Encoding {
    encoder: AacEncoder,
    /// The block that it made last.
    last: u64,
}

/// The encoders of a room.
pub(super) struct Lanes {
    settings: AacSettings,
    encodings: BTreeMap<Lane, Encoding>,
    /// Encoders of mixes that are gone, for those to come.
    spare: Vec<AacEncoder>,
    config: Arc<aac::Config>,
    /// What stands for silence; none if the encoder has to make it.
    silence: Option<Bytes>,
    delay: StreamTime,
}

impl Lanes {
    /// Encodes nothing yet but silence.
    pub(super) fn new(settings: AacSettings) -> Result<Self, Error> {
        let encoder = AacEncoder::new(&settings, 1)?;
        let delay = i64::try_from(encoder.delay()).unwrap_or_default();
        Ok(Self {
            settings,
            encodings: BTreeMap::new(),
            config: Arc::clone(encoder.config()),
            silence: encoder.config().silence(),
            delay: AudioTicks::new(delay).rescale(),
            spare: vec![encoder],
        })
    }

    /// The frame of a mix at block `block`; none if there is no such mix.
    ///
    /// Silence is encoded until the encoder has forgotten everything else, and then no more.
    pub(super) fn encode(
        &mut self,
        mixing: &Tally,
        mixer: &Mixer,
        lane: Lane,
        block: u64,
    ) -> Result<Option<AacFrame>, Error> {
        let Some(rendered) = mixer.rendered(lane) else { return Ok(None) };
        let data = match &self.silence {
            Some(silence) if rendered.silent_for > PRIMING as u64 => silence.clone(),
            _ => {
                let data = self.encode_sound(&rendered, lane, block)?;
                mixing.encoded();
                data
            }
        };
        Ok(Some(AacFrame { time: block_time(block) - self.delay, config: Arc::clone(&self.config), data }))
    }

    fn encode_sound(&mut self, rendered: &Rendered<'_>, lane: Lane, block: u64) -> Result<Bytes, Error> {
        let mut encoding = match self.encodings.remove(&lane) {
            Some(encoding) => encoding,
            None => {
                let encoder = self.spare.pop().map_or_else(|| AacEncoder::new(&self.settings, 1), Ok)?;
                Encoding { encoder, last: 0 }
            }
        };
        if encoding.last + 1 != block {
            // What its listeners heard before came from another encoder, or was silence.
            for earlier in &rendered.earlier {
                encoding.encoder.encode(&earlier[..])?;
            }
        }
        let data = encoding.encoder.encode(&rendered.block[..])?;
        encoding.last = block;
        self.encodings.insert(lane, encoding);
        Ok(data)
    }

    /// Lets encoders go that made nothing at block `block`.
    pub(super) fn settle(&mut self, block: u64) {
        for (_, unused) in self.encodings.extract_if(.., |_, encoding| encoding.last != block) {
            if self.spare.len() <= MAX_MIXED {
                self.spare.push(unused.encoder);
            }
        }
    }
}
