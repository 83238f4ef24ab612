//! What a session description says of the streams that it offers.

use str0m::media::Mid;

/// One media section whose sender named its sources (RFC 5576).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Section {
    pub(crate) mid: Mid,
    pub(crate) ssrc: u32,
    /// The source of retransmissions (RFC 4588 section 8.8).
    pub(crate) repair: Option<u32>,
}

/// The sections of `sdp` with a source.
pub(crate) fn sections(sdp: &str) -> Vec<Section> {
    sdp.split("\nm=").skip(1).filter_map(section).collect()
}

fn section(text: &str) -> Option<Section> {
    let value = |name: &str| text.lines().find_map(|line| line.trim_end().strip_prefix(name));
    let mid = Mid::from(value("a=mid:")?);
    if let Some(group) = value("a=ssrc-group:FID ") {
        let mut group = group.split(' ').map(str::parse);
        let (ssrc, repair) = (group.next()?.ok()?, group.next().and_then(Result::ok));
        return Some(Section { mid, ssrc, repair });
    }
    let ssrc = value("a=ssrc:")?.split(' ').next()?.parse().ok()?;
    Some(Section { mid, ssrc, repair: None })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sources_are_found_with_their_sections() {
        let sdp = "v=0\r\na=group:BUNDLE 0 1 2\r\nm=audio 9 UDP/TLS/RTP/SAVPF 111\r\na=mid:0\r\na=ssrc:11 cname:x\r\n\
                   m=video 9 UDP/TLS/RTP/SAVPF 108 109\r\na=mid:1\r\na=ssrc-group:FID 21 22\r\na=ssrc:21 cname:x\r\n\
                   a=ssrc:22 cname:x\r\nm=video 9 UDP/TLS/RTP/SAVPF 108\r\na=mid:2\r\na=recvonly\r\n";
        let expected = [
            Section { mid: Mid::from("0"), ssrc: 11, repair: None },
            Section { mid: Mid::from("1"), ssrc: 21, repair: Some(22) },
        ];
        assert_eq!(sections(sdp), expected);
    }
}
