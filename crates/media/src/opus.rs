//! What an Opus packet says about itself (RFC 6716 section 3), without decoding it.

use crate::error::Error;

/// The longest packet: 120 ms at 48 kHz (RFC 6716 section 3.2.5).
pub const MAX_SAMPLES: u32 = 5760;

/// The longest frame of a packet (RFC 6716 section 3.2.1).
const MAX_FRAME_BYTES: usize = 1275;

/// Frames, duration and channels of an Opus packet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PacketInfo {
    /// How many frames it holds: 1 to 48.
    pub frames: u8,
    /// Its duration in samples at 48 kHz, at most [`MAX_SAMPLES`].
    pub samples: u32,
    /// One or two.
    pub channels: u8,
}

impl PacketInfo {
    /// Reads a packet and checks that its frames fit it (requirements R1 to R7 of RFC 6716 section 3.4).
    ///
    /// # Errors
    ///
    /// If the packet is empty, its frames do not fit, or it lasts longer than 120 ms.
    pub fn parse(packet: &[u8]) -> Result<Self, Error> {
        let (&toc, rest) = packet.split_first().ok_or(truncated(0))?;
        let frames = match toc & 3 {
            0 => {
                check_frame(rest.len(), 1)?;
                1
            }
            1 => {
                check_equal(rest.len(), 2)?;
                2
            }
            2 => {
                let (first, prefix) = frame_length(rest, 1)?;
                let second = rest.len().checked_sub(prefix + first).ok_or(truncated(packet.len()))?;
                check_frame(second, 1 + prefix + first)?;
                2
            }
            _ => check_many(rest)?,
        };
        let samples = u32::from(frames) * frame_samples(toc >> 3);
        if samples > MAX_SAMPLES {
            return Err(Error::Invalid {
                what: "duration of an Opus packet",
                value: samples.into(),
                offset: 1,
            });
        }
        Ok(Self { frames, samples, channels: if toc & 4 == 0 { 1 } else { 2 } })
    }
}

/// Samples of one frame at 48 kHz by configuration number (RFC 6716 table 2).
const fn frame_samples(config: u8) -> u32 {
    match config {
        0..=11 => match config % 4 {
            0 => 480,
            1 => 960,
            2 => 1920,
            _ => 2880,
        },
        12..=15 => 480 << (config % 2),
        _ => 120 << (config % 4),
    }
}

const fn truncated(offset: usize) -> Error {
    Error::Truncated { what: "Opus packet", offset }
}

const fn check_frame(length: usize, offset: usize) -> Result<(), Error> {
    if length > MAX_FRAME_BYTES {
        return Err(Error::Invalid { what: "length of an Opus frame", value: length as u64, offset });
    }
    Ok(())
}

/// Checks that `length` bytes are `count` frames of one length.
fn check_equal(length: usize, count: usize) -> Result<(), Error> {
    if count == 0 || !length.is_multiple_of(count) {
        return Err(Error::Invalid { what: "length of equal Opus frames", value: length as u64, offset: 1 });
    }
    check_frame(length / count, 1)
}

/// Reads the length of a frame (RFC 6716 section 3.2.1) and how many bytes it takes.
fn frame_length(bytes: &[u8], offset: usize) -> Result<(usize, usize), Error> {
    match *bytes {
        [first @ 0..=251, ..] => Ok((first.into(), 1)),
        [first, second, ..] => Ok((usize::from(second) * 4 + usize::from(first), 2)),
        _ => Err(truncated(offset + bytes.len())),
    }
}

/// Checks a packet of code 3 behind its TOC byte (RFC 6716 section 3.2.5). Returns the count of frames.
fn check_many(rest: &[u8]) -> Result<u8, Error> {
    let (&header, mut rest) = rest.split_first().ok_or(truncated(1))?;
    let total = rest.len() + 2;
    let count = header & 0x3f;
    if count == 0 || count > 48 {
        return Err(Error::Invalid { what: "count of Opus frames", value: count.into(), offset: 1 });
    }
    let mut padding = 0;
    let mut padded = header & 0x40 != 0;
    while padded {
        let (&length, after) = rest.split_first().ok_or(truncated(total))?;
        padding += usize::from(length.min(254));
        padded = length == 255;
        rest = after;
    }
    let mut payload = rest.len().checked_sub(padding).ok_or(truncated(total))?;
    if header & 0x80 == 0 {
        check_equal(payload, count.into())?;
        return Ok(count);
    }
    let mut frames = 0;
    for _ in 1..count {
        let offset = total - rest.len();
        let (length, prefix) = frame_length(rest.get(..payload).unwrap_or_default(), offset)?;
        frames += length;
        payload -= prefix;
        rest = rest.get(prefix..).unwrap_or_default();
    }
    let last = payload.checked_sub(frames).ok_or(truncated(total))?;
    check_frame(last, total - rest.len() + frames)?;
    Ok(count)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn info(packet: &[u8]) -> (u8, u32, u8) {
        let info = PacketInfo::parse(packet).unwrap();
        (info.frames, info.samples, info.channels)
    }

    #[test]
    fn the_toc_byte_gives_duration_and_channels() {
        assert_eq!(info(&[31 << 3 | 4, 1]), (1, 960, 2));
        assert_eq!(info(&[28 << 3, 1]), (1, 120, 1));
        assert_eq!(info(&[15 << 3, 1]), (1, 960, 1));
        assert_eq!(info(&[12 << 3, 1]), (1, 480, 1));
        assert_eq!(info(&[3 << 3, 1]), (1, 2880, 1));
        assert_eq!(info(&[8 << 3]), (1, 480, 1));
    }

    #[test]
    fn two_frames_may_be_equal_or_not() {
        assert_eq!(info(&[1 << 3 | 1, 1, 2]), (2, 1920, 1));
        assert_eq!(info(&[1 << 3 | 2, 1, 9, 9, 9]), (2, 1920, 1));
        assert!(matches!(PacketInfo::parse(&[1 << 3 | 1, 1, 2, 3]), Err(Error::Invalid { .. })));
        assert!(matches!(PacketInfo::parse(&[1 << 3 | 2, 5, 9]), Err(Error::Truncated { .. })));
        assert!(matches!(PacketInfo::parse(&[1 << 3 | 2, 252]), Err(Error::Truncated { .. })));
    }

    #[test]
    fn many_frames_with_padding_of_constant_and_variable_length() {
        assert_eq!(info(&[1 << 3 | 3, 3, 1, 2, 3]), (3, 2880, 1));
        assert_eq!(info(&[1 << 3 | 3, 0x40 | 2, 1, 1, 2, 0]), (2, 1920, 1));
        assert_eq!(info(&[1 << 3 | 3, 0x80 | 3, 1, 0, 9, 8, 8]), (3, 2880, 1));
        let mut padded = vec![1 << 3 | 3, 0x40 | 1, 255, 0, 7];
        padded.extend([0; 254]);
        assert_eq!(info(&padded), (1, 960, 1));
        padded.truncate(200);
        assert!(matches!(PacketInfo::parse(&padded), Err(Error::Truncated { .. })));
    }

    #[test]
    fn malformed_code_three_packets_are_refused() {
        for packet in
            [&[11][..], &[11, 0], &[11, 49], &[11, 0x40 | 1], &[11, 0x40 | 1, 255], &[11, 0x80 | 2, 5, 1]]
        {
            assert!(PacketInfo::parse(packet).is_err(), "{packet:?}");
        }
        assert!(PacketInfo::parse(&[11, 2, 1, 2, 3]).is_err(), "three bytes are not two equal frames");
        assert!(PacketInfo::parse(&[]).is_err());
        assert!(PacketInfo::parse(&[8; 1300]).is_err(), "a frame has at most 1275 bytes");
    }

    #[test]
    fn more_than_120_ms_is_refused() {
        assert_eq!(info(&[3 << 3 | 3, 2, 1, 2]), (2, 5760, 1));
        assert!(matches!(
            PacketInfo::parse(&[3 << 3 | 3, 3, 1, 2, 3]),
            Err(Error::Invalid { value: 8640, .. })
        ));
    }
}
