//! What proves to a back end that a webhook comes from this server, and when it was sent.

use std::fmt::Write;

use aws_lc_rs::hmac;
use queqiao_room::{Secret, UnixSeconds};

/// `v1=` and the HMAC-SHA256 (RFC 2104) of the timestamp, a dot and the body, in hexadecimal digits.
///
/// The timestamp is signed with the body, so that a message cannot be shown again later.
pub(super) fn sign(secret: &Secret, timestamp: UnixSeconds, body: &[u8]) -> String {
    let key = hmac::Key::new(hmac::HMAC_SHA256, secret.as_bytes());
    let mut context = hmac::Context::with_key(&key);
    context.update(timestamp.0.to_string().as_bytes());
    context.update(b".");
    context.update(body);
    context.sign().as_ref().iter().fold(String::from("v1="), |mut text, byte| {
        let _ = write!(text, "{byte:02x}");
        text
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    /// `printf '1800000000.{"id":"e1"}' | openssl dgst -sha256 -hmac 4f1c9a0b7de2583c61d0a8e3`
    #[test]
    fn a_signature_is_what_any_hmac_of_timestamp_dot_body_gives() {
        let secret: Secret = "4f1c9a0b7de2583c61d0a8e3".parse().unwrap();
        let signature = sign(&secret, UnixSeconds(1_800_000_000), br#"{"id":"e1"}"#);
        assert_eq!(signature, "v1=a5cac6ba1f185194d5f0fd3679029e470275f9ca908b73db8584bf599c2c9a23");
    }
}
