//! What has to be known of a session description (RFC 8866) beside what the WebRTC stack makes of it.

use queqiao_room::signal::MediaKind;

use crate::error::{Error, Result};

/// The most sections: two of each of the sixty streams that a participant may receive, and its own.
const MAX_SECTIONS: usize = 160;

/// The most sources of a section: media, its retransmission, and as much again.
const MAX_SOURCES: usize = 8;

/// The header extension that says which section a packet belongs to (RFC 9143).
pub(super) const MID_EXTENSION: &str = "urn:ietf:params:rtp-hdrext:sdes:mid";

/// Which way the media of a section flow, as its author sees it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Direction {
    Send,
    Receive,
    Both,
    Inactive,
}

/// A section of a description.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Section {
    pub(super) mid: String,
    pub(super) kind: MediaKind,
    /// Inactive if the section is rejected (port 0), too.
    pub(super) direction: Direction,
    /// The sources that its author declares (RFC 5576).
    pub(super) sources: Vec<u32>,
    /// The payload type of H.264 in packetization mode 1, or of Opus: the first one.
    pub(super) payload_type: Option<u8>,
    /// The number of the header extension for the mid, if there is one.
    pub(super) mid_extension: Option<u8>,
}

/// Reads the sections of sound and pictures.
pub(super) fn sections(sdp: &str) -> Result<Vec<Section>> {
    let mut sections = Vec::new();
    let mut parts = sdp.split("\nm=");
    let session = parts.next().unwrap_or_default();
    let default = direction(session).unwrap_or(Direction::Both);
    for part in parts {
        if sections.len() == MAX_SECTIONS {
            return Err(Error::Offer { what: "more than 160 sections" });
        }
        sections.extend(section(part, default)?);
    }
    Ok(sections)
}

fn section(part: &str, default: Direction) -> Result<Option<Section>> {
    let mut words = part.lines().next().unwrap_or_default().split_ascii_whitespace();
    let kind = match words.next() {
        Some("audio") => MediaKind::Audio,
        Some("video") => MediaKind::Video,
        _ => return Ok(None),
    };
    let rejected = words.next() == Some("0");
    let formats: Vec<u8> = words.skip(1).filter_map(|word| word.parse().ok()).collect();
    let mid = attributes(part, "mid:").next().ok_or(Error::Offer { what: "a section without a mid" })?;
    let direction = if rejected { Direction::Inactive } else { direction(part).unwrap_or(default) };
    let mut sources: Vec<u32> = attributes(part, "ssrc:")
        .filter_map(|line| line.split_ascii_whitespace().next()?.parse().ok())
        .collect();
    sources.dedup();
    sources.truncate(MAX_SOURCES);
    Ok(Some(Section {
        mid: mid.to_owned(),
        kind,
        direction,
        sources,
        payload_type: formats.into_iter().find(|&format| carries(part, kind, format)),
        mid_extension: extension(part, MID_EXTENSION),
    }))
}

/// The values of an attribute.
fn attributes<'a>(part: &'a str, name: &'a str) -> impl Iterator<Item = &'a str> {
    part.lines().filter_map(move |line| Some(line.strip_prefix("a=")?.strip_prefix(name)?.trim()))
}

fn direction(part: &str) -> Option<Direction> {
    part.lines().find_map(|line| match line.trim_end() {
        "a=sendonly" => Some(Direction::Send),
        "a=recvonly" => Some(Direction::Receive),
        "a=sendrecv" => Some(Direction::Both),
        "a=inactive" => Some(Direction::Inactive),
        _ => None,
    })
}

fn extension(part: &str, uri: &str) -> Option<u8> {
    attributes(part, "extmap:").find_map(|line| {
        let mut words = line.split_ascii_whitespace();
        // The number may be followed by a direction: `3/sendonly`.
        let number = words.next()?.split('/').next()?.parse().ok()?;
        (words.next() == Some(uri)).then_some(number)
    })
}

/// Whether a format is Opus, or H.264 in packetization mode 1 (RFC 6184 section 8.1).
fn carries(part: &str, kind: MediaKind, format: u8) -> bool {
    let codec = value_of(part, "rtpmap:", format).and_then(|map| map.split('/').next());
    match kind {
        MediaKind::Audio => codec.is_some_and(|name| name.eq_ignore_ascii_case("opus")),
        MediaKind::Video => {
            codec.is_some_and(|name| name.eq_ignore_ascii_case("H264"))
                && value_of(part, "fmtp:", format).is_some_and(|parameters| {
                    parameters.split(';').any(|parameter| parameter.trim() == "packetization-mode=1")
                })
        }
    }
}

/// What an attribute says of a format: `a=rtpmap:111 opus/48000/2`.
fn value_of<'a>(part: &'a str, name: &'a str, format: u8) -> Option<&'a str> {
    attributes(part, name).find_map(|line| {
        let (number, value) = line.split_once(' ')?;
        (number.parse() == Ok(format)).then_some(value)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const OFFER: &str = "v=0\r\no=- 1 2 IN IP4 0.0.0.0\r\ns=-\r\nt=0 0\r\na=group:BUNDLE 0 1 2\r\n\
        m=audio 9 UDP/TLS/RTP/SAVPF 111\r\na=mid:0\r\na=recvonly\r\na=rtpmap:111 opus/48000/2\r\n\
        a=extmap:3/sendrecv urn:ietf:params:rtp-hdrext:sdes:mid\r\n\
        m=video 9 UDP/TLS/RTP/SAVPF 96 97 108 109\r\na=mid:1\r\na=sendonly\r\na=rtpmap:96 VP8/90000\r\n\
        a=rtpmap:97 H264/90000\r\na=fmtp:97 profile-level-id=42e01f;packetization-mode=0\r\n\
        a=rtpmap:108 H264/90000\r\na=fmtp:108 level-asymmetry-allowed=1; packetization-mode=1\r\n\
        a=rtpmap:109 rtx/90000\r\na=fmtp:109 apt=108\r\n\
        a=ssrc-group:FID 11 12\r\na=ssrc:11 cname:x\r\na=ssrc:11 msid:a b\r\na=ssrc:12 cname:x\r\n\
        m=application 9 UDP/DTLS/SCTP webrtc-datachannel\r\na=mid:d\r\n\
        m=video 0 UDP/TLS/RTP/SAVPF 108\r\na=mid:2\r\na=sendonly\r\n";

    #[test]
    fn the_sections_of_an_offer_are_read() {
        let read = sections(OFFER).unwrap();
        let [audio, video, rejected] = read.as_slice() else { panic!("{read:?}") };
        assert_eq!(
            (audio.mid.as_str(), audio.kind, audio.direction),
            ("0", MediaKind::Audio, Direction::Receive)
        );
        assert_eq!((audio.payload_type, audio.mid_extension), (Some(111), Some(3)));
        assert_eq!((video.kind, video.direction), (MediaKind::Video, Direction::Send));
        assert_eq!(video.sources, [11, 12]);
        assert_eq!(video.payload_type, Some(108), "the first H.264 in packetization mode 1");
        assert_eq!(video.mid_extension, None);
        assert_eq!(rejected.direction, Direction::Inactive);
    }

    #[test]
    fn a_direction_of_the_whole_description_holds_where_a_section_has_none() {
        let sdp = "v=0\na=inactive\nm=audio 9 X 0\na=mid:0\nm=audio 9 X 0\na=mid:1\na=sendonly\n";
        let directions: Vec<_> = sections(sdp).unwrap().iter().map(|section| section.direction).collect();
        assert_eq!(directions, [Direction::Inactive, Direction::Send]);
    }

    #[test]
    fn a_description_that_makes_no_sense_is_refused() {
        assert!(matches!(sections("v=0\nm=audio 9 X 0\n"), Err(Error::Offer { .. })));
        let many = format!("v=0{}", "\nm=audio 9 X 0\na=mid:0".repeat(161));
        assert!(matches!(sections(&many), Err(Error::Offer { .. })));
        assert_eq!(sections("").unwrap(), []);
        assert_eq!(sections("\nm=\nm=audio").map_err(|_| ()), Err(()));
    }
}
