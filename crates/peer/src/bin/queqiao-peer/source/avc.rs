//! Pictures with length-prefixed NAL units, as MP4 and Matroska have them.

use std::sync::Arc;

use bytes::Bytes;
use queqiao_media::Error;
use queqiao_media::frame::{AccessUnit, Nals};
use queqiao_media::h264::avcc::{self, DecoderConfig, LengthSize};
use queqiao_media::h264::{NalType, ParameterSets, ParameterTracker};
use queqiao_media::time::StreamTime;

/// Makes pictures of samples; follows parameter sets that come in band.
#[derive(Debug)]
pub(super) struct Pictures {
    length_size: LengthSize,
    parameters: ParameterTracker,
}

impl Pictures {
    /// `record` is an AVCDecoderConfigurationRecord.
    pub(super) fn new(record: &Bytes) -> Result<Self, Error> {
        let DecoderConfig { length_size, params } = DecoderConfig::parse(record)?;
        Ok(Self::with(length_size, params))
    }

    pub(super) fn with(length_size: LengthSize, params: ParameterSets) -> Self {
        let mut parameters = ParameterTracker::default();
        parameters.replace(params);
        Self { length_size, parameters }
    }

    /// None for a sample without a picture.
    pub(super) fn picture(
        &mut self,
        sample: &Bytes,
        dts: StreamTime,
        pts: StreamTime,
    ) -> Result<Option<AccessUnit>, Error> {
        let mut nals = Nals::new();
        let mut keyframe = false;
        for nal in avcc::split(sample, self.length_size)? {
            match NalType::of(&nal) {
                Some(kind) if kind.is_sps() || kind.is_pps() => self.parameters.push(&nal)?,
                Some(kind) => {
                    keyframe |= kind.is_idr();
                    nals.push(nal);
                }
                None => {}
            }
        }
        self.parameters.commit(keyframe)?;
        let Some(params) = self.parameters.current().filter(|_| !nals.is_empty()) else { return Ok(None) };
        Ok(Some(AccessUnit { dts, pts, keyframe, params: Arc::clone(params), nals }))
    }
}
