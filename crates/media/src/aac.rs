//! AAC decoder configurations (ISO/IEC 14496-3 section 1.6.2.1).

use bytes::Bytes;

use crate::bits::{BitReader, BitWriter};
use crate::error::Error;
use crate::time::StreamTime;

/// The longest AudioSpecificConfig. With a full program config element and its comment it has about 330 bytes.
pub const MAX_CONFIG_BYTES: usize = 512;

/// The highest sampling rate taken from an explicit 24-bit field: twice the highest that has an index.
pub const MAX_SAMPLE_RATE: u32 = 192_000;

const WHAT: &str = "AudioSpecificConfig";

/// Sampling rates by index (ISO/IEC 14496-3 table 1.18).
const SAMPLE_RATES: [u32; 13] =
    [96_000, 88_200, 64_000, 48_000, 44_100, 32_000, 24_000, 22_050, 16_000, 12_000, 11_025, 8_000, 7_350];

/// An AudioSpecificConfig and what it says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Config {
    /// The AudioSpecificConfig as it goes into FLV's AAC sequence header.
    pub bytes: Bytes,
    /// Samples a second of the decoded output (twice the core's rate where SBR is signalled).
    pub sample_rate: u32,
    /// Channels of the decoded output.
    pub channels: u8,
    /// The audio object type of the core (ISO/IEC 14496-3 table 1.17): 2 for AAC-LC, with or without SBR.
    pub object_type: u8,
    /// Samples a second of the core coder.
    pub core_rate: u32,
    /// Samples per channel that one frame decodes to, at `sample_rate`: 1024 for AAC-LC, 2048 with SBR.
    pub samples_per_frame: u32,
    /// Whether spectral band replication is signalled. A stream may use it without saying so.
    pub sbr: bool,
    /// Whether parametric stereo is signalled.
    pub ps: bool,
}

impl Config {
    /// Reads an AudioSpecificConfig.
    ///
    /// # Errors
    ///
    /// If it is cut short, longer than [`MAX_CONFIG_BYTES`], has a reserved sampling rate or channel layout, or is of an
    /// audio object type that is no AAC (or is USAC), which [`Error::UnsupportedCodec`] names.
    pub fn parse(bytes: Bytes) -> Result<Self, Error> {
        if bytes.len() > MAX_CONFIG_BYTES {
            return Err(Error::TooLarge { what: "AudioSpecificConfig bytes", limit: MAX_CONFIG_BYTES });
        }
        let mut bits = BitReader::new(WHAT, &bytes);
        let fields = Fields::read(&mut bits)?;
        let sample_rate = fields.sbr_rate.unwrap_or(fields.core_rate);
        // A frame lasts as long after SBR as before it.
        let samples =
            u64::from(fields.core_samples) * u64::from(sample_rate) / u64::from(fields.core_rate.max(1));
        let channels = if fields.ps && fields.channels == 1 { 2 } else { fields.channels };
        Ok(Self {
            sample_rate,
            channels,
            object_type: fields.object_type,
            core_rate: fields.core_rate,
            samples_per_frame: u32::try_from(samples).unwrap_or(u32::MAX),
            sbr: fields.sbr_rate.is_some(),
            ps: fields.ps,
            bytes,
        })
    }

    /// The configuration of plain AAC-LC with 1024 samples a frame.
    ///
    /// # Errors
    ///
    /// If `sample_rate` is zero or above [`MAX_SAMPLE_RATE`], or `channels` has no standard layout (1 to 6, or 8).
    pub fn lc(sample_rate: u32, channels: u8) -> Result<Self, Error> {
        let layout = match channels {
            1..=6 => channels,
            8 => 7,
            _ => return Err(Error::Invalid { what: "AAC channels", value: channels.into(), offset: 0 }),
        };
        check_rate(sample_rate, 0)?;
        let index = SAMPLE_RATES.iter().position(|&rate| rate == sample_rate);
        // Five bits of object type, four of index, 24 of rate if it has no index, four of layout, three of zero.
        let (value, length) = match index.and_then(|index| u64::try_from(index).ok()) {
            Some(index) => (2 << 11 | index << 7 | u64::from(layout) << 3, 2),
            None => (2 << 35 | 15 << 31 | u64::from(sample_rate) << 7 | u64::from(layout) << 3, 5),
        };
        let bytes = value.to_be_bytes();
        Self::parse(Bytes::copy_from_slice(bytes.get(8 - length..).unwrap_or_default()))
    }
}

impl Config {
    /// A frame of silence, the same for every time: no band of its spectrum is coded (ISO/IEC 14496-3 section 4.4.2.1).
    /// Between other frames it fades in and out, as all frames do.
    ///
    /// `None` where the core is not AAC-LC, or has more than two channels: neither phones nor browsers publish that.
    #[must_use]
    pub fn silence(&self) -> Option<Bytes> {
        const AAC_LC: u8 = 2;
        const SINGLE_CHANNEL: u32 = 0;
        const CHANNEL_PAIR: u32 = 1;
        const END: u32 = 7;
        let channels = if self.ps { 1 } else { self.channels };
        if self.object_type != AAC_LC || !(1..=2).contains(&channels) {
            return None;
        }
        let mut bits = BitWriter::default();
        bits.bits(if channels == 1 { SINGLE_CHANNEL } else { CHANNEL_PAIR }, 3);
        let instance_tag = 0;
        bits.bits(instance_tag, 4);
        if channels == 2 {
            let common_window = false;
            bits.bit(common_window);
        }
        for _ in 0..channels {
            let global_gain = 0;
            bits.bits(global_gain, 8);
            // One long window of sine shape with no scale factor band, hence no sections, scale factors or spectrum.
            bits.bits(0, 1 + 2 + 1 + 6);
            let (predictor, pulse, tns, gain_control) = (false, false, false, false);
            [predictor, pulse, tns, gain_control].into_iter().for_each(|flag| bits.bit(flag));
        }
        bits.bits(END, 3);
        Some(bits.finish().into())
    }

    /// How long one frame lasts.
    #[must_use]
    pub fn frame_duration(&self) -> StreamTime {
        let micros = u64::from(self.samples_per_frame) * 1_000_000 / u64::from(self.sample_rate.max(1));
        StreamTime::new(i64::try_from(micros).unwrap_or(i64::MAX))
    }
}

/// What is read from the bits before the output is worked out.
struct Fields {
    object_type: u8,
    core_rate: u32,
    channels: u8,
    core_samples: u32,
    /// The output rate, if SBR is signalled.
    sbr_rate: Option<u32>,
    ps: bool,
}

impl Fields {
    fn read(bits: &mut BitReader<'_>) -> Result<Self, Error> {
        let mut object_type = object_type(bits)?;
        let core_rate = sampling_rate(bits)?;
        let layout_at = bits.byte_offset();
        let layout = bits.small(4)?;
        let mut sbr_rate = None;
        let mut ps = false;
        let explicit = matches!(object_type, 5 | 29);
        if explicit {
            ps = object_type == 29;
            sbr_rate = Some(sampling_rate(bits)?);
            object_type = self::object_type(bits)?;
            if object_type == 22 {
                bits.skip(4)?;
            }
        }
        check_object_type(object_type)?;
        // Only the length of an ELD or error-resilient frame matters here; what follows it never signals SBR for us.
        let short = bits.bit()?;
        let core_samples = match (object_type, short) {
            (23 | 39, false) => 512,
            (23 | 39, true) => 480,
            (_, false) => 1024,
            (_, true) => 960,
        };
        let mut channels = layout_channels(layout, layout_at)?;
        if object_type != 39 {
            let counted = general_audio(bits, object_type, layout)?;
            channels = counted.unwrap_or(channels);
        }
        if channels == 0 {
            return Err(Error::Invalid {
                what: "AAC channel layout",
                value: layout.into(),
                offset: layout_at,
            });
        }
        if !explicit && object_type < 17 {
            // An extension that is cut short says nothing, and is no reason to refuse the rest.
            (sbr_rate, ps) = sync_extension(bits, core_rate).unwrap_or_default();
        }
        Ok(Self { object_type, core_rate, channels, core_samples, sbr_rate, ps })
    }
}

fn object_type(bits: &mut BitReader<'_>) -> Result<u8, Error> {
    match bits.small(5)? {
        31 => Ok(32 + bits.small(6)?),
        object_type => Ok(object_type),
    }
}

fn check_object_type(object_type: u8) -> Result<(), Error> {
    let name = match object_type {
        1..=4 | 6 | 17 | 19 | 20 | 22 | 23 | 39 => return Ok(()),
        32 => "MPEG layer 1".into(),
        33 => "MPEG layer 2".into(),
        34 => "MP3".into(),
        36 => "ALS".into(),
        42 => "xHE-AAC".into(),
        other => format!("MPEG-4 audio object type {other}").into(),
    };
    Err(Error::UnsupportedCodec { name })
}

fn sampling_rate(bits: &mut BitReader<'_>) -> Result<u32, Error> {
    let offset = bits.byte_offset();
    let index = bits.small(4)?;
    if index == 15 {
        let rate = bits.bits(24)?;
        check_rate(rate, offset)?;
        return Ok(rate);
    }
    SAMPLE_RATES.get(usize::from(index)).copied().ok_or(Error::Invalid {
        what: "AAC sampling rate index",
        value: index.into(),
        offset,
    })
}

fn check_rate(rate: u32, offset: usize) -> Result<(), Error> {
    if rate == 0 || rate > MAX_SAMPLE_RATE {
        return Err(Error::Invalid { what: "AAC sampling rate", value: rate.into(), offset });
    }
    Ok(())
}

/// Channels by channel configuration (ISO/IEC 14496-3 table 1.19); zero where a program config element says.
fn layout_channels(layout: u8, offset: usize) -> Result<u8, Error> {
    match layout {
        0..=6 => Ok(layout),
        7 | 12 | 14 => Ok(8),
        11 => Ok(7),
        13 => Ok(24),
        _ => Err(Error::Invalid { what: "AAC channel layout", value: layout.into(), offset }),
    }
}

/// The rest of GASpecificConfig (ISO/IEC 14496-3 table 4.1). Returns the channels that a program config element lists.
fn general_audio(bits: &mut BitReader<'_>, object_type: u8, layout: u8) -> Result<Option<u8>, Error> {
    let depends_on_core_coder = bits.bit()?;
    if depends_on_core_coder {
        bits.skip(14)?;
    }
    let extension = bits.bit()?;
    let channels = if layout == 0 { Some(program_config(bits)?) } else { None };
    if matches!(object_type, 6 | 20) {
        bits.skip(3)?;
    }
    if extension {
        match object_type {
            22 => bits.skip(16)?,
            17 | 19 | 20 | 23 => bits.skip(3)?,
            _ => {}
        }
        bits.skip(1)?;
    }
    Ok(channels)
}

/// A program config element (ISO/IEC 14496-3 table 4.2). Returns its count of channels.
fn program_config(bits: &mut BitReader<'_>) -> Result<u8, Error> {
    let offset = bits.byte_offset();
    bits.skip(4 + 2 + 4)?;
    let front = bits.small(4)?;
    let side = bits.small(4)?;
    let back = bits.small(4)?;
    let lfe = bits.small(2)?;
    let associated = bits.small(3)?;
    let coupling = bits.small(4)?;
    for mixdown_bits in [4, 4, 3] {
        if bits.bit()? {
            bits.skip(mixdown_bits)?;
        }
    }
    let mut channels = lfe;
    for _ in 0..front + side + back {
        let pair = bits.bit()?;
        bits.skip(4)?;
        channels += if pair { 2 } else { 1 };
    }
    bits.skip(4 * usize::from(lfe + associated) + 5 * usize::from(coupling))?;
    bits.align();
    let comment = bits.small(8)?;
    bits.skip(8 * usize::from(comment))?;
    if channels == 0 {
        return Err(Error::Invalid { what: "channels of the AAC program config", value: 0, offset });
    }
    Ok(channels)
}

/// The backward compatible signalling of SBR and PS behind the configuration (ISO/IEC 14496-3 section 1.6.5).
fn sync_extension(bits: &mut BitReader<'_>, core_rate: u32) -> Result<(Option<u32>, bool), Error> {
    if bits.remaining() < 16 || bits.bits(11)? != 0x2b7 || object_type(bits)? != 5 || !bits.bit()? {
        return Ok((None, false));
    }
    let rate = sampling_rate(bits)?;
    if bits.remaining() < 12 || bits.bits(11)? != 0x548 {
        return Ok((Some(rate.max(core_rate)), false));
    }
    Ok((Some(rate.max(core_rate)), bits.bit()?))
}

/// Takes the ADTS header off a frame that has one (ISO/IEC 13818-7 section 6.2), as some encoders send in FLV.
///
/// A raw frame never begins with the twelve sync bits: they would open it with its end element.
#[must_use]
pub fn strip_adts(frame: Bytes) -> Bytes {
    let Some(&[0xff, second, _, third, fourth, fifth, _]) = frame.first_chunk::<7>() else { return frame };
    let length = usize::from(third & 3) << 11 | usize::from(fourth) << 3 | usize::from(fifth >> 5);
    let header = if second & 1 == 0 { 9 } else { 7 };
    if second & 0xf6 != 0xf0 || length != frame.len() || length < header {
        return frame;
    }
    frame.slice(header..)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(bytes: &[u8]) -> Result<Config, Error> {
        Config::parse(Bytes::copy_from_slice(bytes))
    }

    #[test]
    fn plain_lc_configurations_say_rate_and_channels() {
        for (bytes, rate, channels) in [
            ([0x11, 0x88], 48_000, 1),
            ([0x12, 0x10], 44_100, 2),
            ([0x14, 0x08], 16_000, 1),
            ([0x11, 0xb8], 48_000, 8),
        ] {
            let config = parse(&bytes).unwrap();
            assert_eq!((config.sample_rate, config.core_rate, config.channels), (rate, rate, channels));
            assert_eq!((config.object_type, config.samples_per_frame, config.sbr), (2, 1024, false));
        }
    }

    #[test]
    fn explicit_sbr_and_ps_give_the_output_rate_and_channels() {
        // HE-AAC: type 5, 24 kHz core, stereo, 48 kHz output, core type 2.
        let he = parse(&[0x2b, 0x11, 0x88, 0x00]).unwrap();
        assert_eq!(
            (he.sample_rate, he.core_rate, he.channels, he.samples_per_frame),
            (48_000, 24_000, 2, 2048)
        );
        assert_eq!((he.object_type, he.sbr, he.ps), (2, true, false));
        // HE-AAC v2: type 29, 24 kHz core, mono.
        let v2 = parse(&[0xeb, 0x09, 0x88, 0x00]).unwrap();
        assert_eq!((v2.sample_rate, v2.core_rate, v2.channels, v2.ps), (48_000, 24_000, 2, true));
    }

    #[test]
    fn backward_compatible_sbr_and_ps_are_found_behind_the_configuration() {
        // Type 2, 22.05 kHz, mono, then 0x2b7, type 5, present, 44.1 kHz, 0x548, present.
        let config = parse(&[0x13, 0x88, 0x56, 0xe5, 0xa5, 0x48, 0x80]).unwrap();
        assert_eq!((config.sample_rate, config.core_rate, config.channels), (44_100, 22_050, 2));
        assert!(config.sbr && config.ps);
        let without_ps = parse(&[0x13, 0x88, 0x56, 0xe5, 0xa0]).unwrap();
        assert_eq!((without_ps.sample_rate, without_ps.channels, without_ps.ps), (44_100, 1, false));
        let explicitly_none = parse(&[0x13, 0x88, 0x56, 0xe5, 0x00]).unwrap();
        assert_eq!((explicitly_none.sample_rate, explicitly_none.sbr), (22_050, false));
    }

    #[test]
    fn a_program_config_element_is_counted() {
        // Layout 0, then front: one single and one pair; back: one pair; one LFE: 5.1.
        // 00010 0011 0000 | 0 0 0 | 0000 01 0011 0010 0000 0001 01 000 0000 | 0 0 0 | 0 0000 1 0000 | 1 0001 | 0000 | align | 0
        let bits = "0001000110000000\
                    0000010011001000000001010000000\
                    000000001000010001\
                    0000";
        let mut bytes = vec![0_u8; bits.len().div_ceil(8)];
        for (index, bit) in bits.bytes().enumerate() {
            bytes[index / 8] |= (bit - b'0') << (7 - index % 8);
        }
        bytes.push(0);
        assert_eq!(parse(&bytes).unwrap().channels, 6);
        bytes.pop();
        assert!(matches!(parse(&bytes), Err(Error::Truncated { .. })));
    }

    #[test]
    fn short_frames_and_low_delay_change_the_frame_length() {
        assert_eq!(parse(&[0x11, 0x8c]).unwrap().samples_per_frame, 960);
        // Type 23 (LD), 48 kHz, mono.
        assert_eq!(parse(&[0xb9, 0x88, 0x00]).unwrap().samples_per_frame, 512);
        // Type 39 (ELD) by the escape, 48 kHz, mono, 480 samples.
        assert_eq!(parse(&[0xf8, 0xe6, 0x30, 0x00]).unwrap().samples_per_frame, 480);
    }

    #[test]
    fn reserved_values_and_foreign_codecs_are_refused_by_name() {
        assert!(matches!(parse(&[0x16, 0x88]), Err(Error::Invalid { value: 13, .. })));
        assert!(matches!(parse(&[0x11, 0xc8]), Err(Error::Invalid { value: 9, .. })));
        assert!(matches!(parse(&[0x17, 0x80, 0, 0, 0x08]), Err(Error::Invalid { value: 0, .. })));
        // Type 42 by the escape.
        assert_eq!(parse(&[0xf9, 0x46, 0x20]), Err(Error::UnsupportedCodec { name: "xHE-AAC".into() }));
        assert!(matches!(parse(&[0x11]), Err(Error::Truncated { .. })));
        assert!(matches!(parse(&[0; 600]), Err(Error::TooLarge { .. })));
    }

    #[test]
    fn built_configurations_read_back_with_and_without_a_rate_index() {
        assert_eq!(Config::lc(44_100, 2).unwrap().bytes, Bytes::from_static(&[0x12, 0x10]));
        let odd = Config::lc(50_000, 8).unwrap();
        assert_eq!((odd.sample_rate, odd.channels, odd.bytes.len()), (50_000, 8, 5));
        assert!(Config::lc(48_000, 7).is_err());
        assert!(Config::lc(0, 1).is_err());
        assert!(Config::lc(500_000, 1).is_err());
    }

    #[test]
    fn an_adts_header_is_taken_off_and_anything_else_is_left() {
        let with = Bytes::from_static(&[0xff, 0xf1, 0x4c, 0x40, 0x01, 0x3f, 0xfc, 0x21, 0x17]);
        assert_eq!(strip_adts(with), Bytes::from_static(&[0x21, 0x17]));
        for frame in [&[0xff, 0xf1, 0x4c, 0x40, 0x09, 0x3f, 0xfc, 0x21, 0x17][..], &[0x21, 0x17], &[]] {
            let frame = Bytes::copy_from_slice(frame);
            assert_eq!(strip_adts(frame.clone()), frame);
        }
    }
}
