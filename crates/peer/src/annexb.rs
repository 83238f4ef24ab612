use std::sync::Arc;

use bytes::Bytes;
use queqiao_media::frame::{AccessUnit, Nals};
use queqiao_media::h264::{NalType, ParameterTracker, annexb};
use queqiao_media::time::StreamTime;

use crate::error::Result;

/// Makes a picture of one access unit in Annex B form, as encoders put it out. `parameters` follows the SPS and PPS of
/// the stream: use one for all of it.
///
/// None until both have come.
///
/// # Errors
///
/// If it has too many NAL units, or a parameter set cannot be read.
pub fn access_unit(
    parameters: &mut ParameterTracker,
    data: &Bytes,
    time: StreamTime,
) -> Result<Option<AccessUnit>> {
    let mut nals = Nals::new();
    let mut keyframe = false;
    for nal in annexb::split(data)? {
        match NalType::of(&nal) {
            Some(kind) if kind.is_sps() || kind.is_pps() => parameters.push(&nal)?,
            Some(kind) => {
                keyframe |= kind.is_idr();
                nals.push(nal);
            }
            None => {}
        }
    }
    parameters.commit(keyframe)?;
    let Some(params) = parameters.current().filter(|_| !nals.is_empty()) else { return Ok(None) };
    Ok(Some(AccessUnit { dts: time, pts: time, keyframe, params: Arc::clone(params), nals }))
}

#[cfg(test)]
mod tests {
    use super::*;

    const SETS: &[u8] = &[0, 0, 0, 1, 0x67, 66, 0, 30, 0x80, 0, 0, 0, 1, 0x68, 0xc0];

    #[test]
    fn a_picture_needs_parameter_sets_which_may_come_before() {
        let mut parameters = ParameterTracker::default();
        let slice = Bytes::from_static(&[0, 0, 1, 0x41, 0x9a, 1]);
        let mut unit = |data: Bytes| access_unit(&mut parameters, &data, StreamTime::ZERO).unwrap();
        assert!(unit(slice.clone()).is_none());
        assert!(unit(Bytes::from_static(SETS)).is_none(), "sets alone are no picture");
        assert!(!unit(slice).unwrap().keyframe);
    }

    #[test]
    fn parameter_sets_are_taken_out_of_a_keyframe() {
        let data = [SETS, &[0, 0, 1, 0x65, 0x88, 1]].concat();
        let unit = access_unit(&mut ParameterTracker::default(), &data.into(), StreamTime::ZERO);
        let unit = unit.unwrap().unwrap();
        assert!(unit.keyframe);
        assert_eq!(unit.nals.as_slice(), [Bytes::from_static(&[0x65, 0x88, 1])]);
        assert_eq!(unit.params.sps.len(), 1);
    }
}
