//! What callers choose, and what they can count.

/// What the Opus encoder optimises for (libopus `OPUS_APPLICATION_*`).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Application {
    /// Speech: prefers SILK at low bitrates. 6.5 ms of lookahead.
    Voip,
    /// Anything: at the bitrates of [`OpusSettings::default`] always CELT. 6.5 ms of lookahead.
    Audio,
    /// CELT alone, with 2.5 ms of lookahead.
    LowDelay,
}

/// How many channels the output has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ChannelPolicy {
    /// As many as the input.
    Follow,
    /// One: stereo is mixed down.
    Mono,
    /// Two: mono is heard on both sides.
    Stereo,
}

/// How [`AacToOpus`](crate::AacToOpus) encodes.
///
/// Bitrates are what the encoder aims at for sound that is neither hard nor easy to encode: speech takes some 60 % more, silence
/// less. At the default speech that AAC has left with a PESQ-WB of 3.95 comes out with 3.54; complexity 5 adds 0.04
/// and costs a quarter more, and everything that may use SILK costs twice to four times as much.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct OpusSettings {
    /// What to optimise for.
    pub application: Application,
    /// 0 (cheapest) to 10.
    pub complexity: u8,
    /// Bits a second of one channel.
    pub bitrate_mono: u32,
    /// Bits a second of two channels.
    pub bitrate_stereo: u32,
    /// Channels of the output.
    pub channels: ChannelPolicy,
}

impl Default for OpusSettings {
    fn default() -> Self {
        Self {
            application: Application::LowDelay,
            complexity: 2,
            bitrate_mono: 48_000,
            bitrate_stereo: 64_000,
            channels: ChannelPolicy::Follow,
        }
    }
}

/// How [`OpusToAac`](crate::OpusToAac) encodes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct AacSettings {
    /// Bits a second of one channel.
    pub bitrate_mono: u32,
    /// Bits a second of two channels.
    pub bitrate_stereo: u32,
    /// Channels of the output. [`ChannelPolicy::Follow`] starts with mono and changes to stereo, once and for good, at
    /// the first packet that is coded as stereo: players take a change of the configuration badly.
    pub channels: ChannelPolicy,
    /// FDK's analysis by synthesis. It costs nearly twice as much, and gains less than a bitrate of 96 kbit/s does.
    pub afterburner: bool,
}

impl Default for AacSettings {
    fn default() -> Self {
        Self {
            bitrate_mono: 64_000,
            bitrate_stereo: 96_000,
            channels: ChannelPolicy::Follow,
            afterburner: false,
        }
    }
}

/// What a transcoder had to put right. All counts start at zero and only grow.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counters {
    /// Input frames that could not be decoded. Silence or concealment stands in for them.
    pub bad_frames: u64,
    /// Stretches of lost Opus packets that were concealed.
    pub concealed: u64,
    /// Lost Opus packets that in-band FEC may have brought back (a following packet without FEC conceals instead).
    pub recovered: u64,
    /// Steps of 20 ms that were made up because nothing came, as in discontinuous transmission.
    pub made_up: u64,
    /// Samples of silence put in where the input's timestamps had a gap.
    pub filled_samples: u64,
    /// Samples thrown away because their time had already been heard.
    pub dropped_samples: u64,
    /// Samples put in or taken out, spread over a frame, to follow a publisher's clock.
    pub slewed_samples: u64,
    /// Jumps of the input's timestamps too large to bridge.
    pub jumps: u64,
}
