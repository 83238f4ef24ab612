//! For the fuzz harness: genuine tokens that say anything.

use super::{Format, agora, volcengine, zego};
use crate::Secret;

/// Signs what a vendor's format signs, whatever it is. `None` if the format is our own or the bytes do not go into it.
///
/// For ZEGO the bytes are the end in eight bytes and then the JSON, in GCM if the end is odd and in CBC if it is even.
#[must_use]
pub fn seal(
    format: Format,
    secret: &Secret,
    (app, room, uid): (&str, &str, &str),
    signed: &[u8],
) -> Option<String> {
    let key = secret.as_bytes();
    match format {
        Format::Jwt => None,
        Format::Agora006 => agora::seal_006(key, app, room, uid, signed).ok(),
        Format::Agora007 => agora::seal_007(key, signed).ok(),
        Format::Volcengine001 => volcengine::seal(key, app, signed).ok(),
        Format::Zego04 => {
            let (end, text) = signed.split_first_chunk()?;
            let end = i64::from_be_bytes(*end);
            if end % 2 == 0 {
                zego::seal_cbc(key, [7; 16], end, text.to_vec()).ok()
            } else {
                zego::seal_gcm(key, [7; 12], end, text.to_vec()).ok()
            }
        }
    }
}
