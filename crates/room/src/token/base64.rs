//! Base64 with padding (RFC 4648 section 4), as all vendors have it. A text that is not the only one for its bytes is
//! refused, so that a changed token is never the same token.

use ::base64::Engine;
use ::base64::engine::general_purpose::STANDARD;

use crate::Error;

pub(super) fn encode(bytes: &[u8]) -> String {
    STANDARD.encode(bytes)
}

pub(super) fn decode(text: &str) -> Result<Vec<u8>, Error> {
    STANDARD.decode(text).map_err(|_| Error::MalformedToken)
}
