//! `POST /qr`: a text as a QR code, for phones that are to join what a screen shows.

use axum::body::Bytes;
use axum::extract::rejection::BytesRejection;
use axum::http::header;
use axum::response::{IntoResponse, Response};
use qrcode::render::svg;
use qrcode::{EcLevel, QrCode};

use super::ApiError;

/// The longest text: an RTMP address with its token. A code holds little more.
const MAX_TEXT: usize = 2 * 1024;

/// The smallest width of the picture, in its own units: it scales.
const MIN_SIZE: u32 = 256;

/// Draws the text of the body.
pub(super) async fn draw(body: Result<Bytes, BytesRejection>) -> Result<Response, ApiError> {
    let text = body.map_err(|rejection| ApiError::Body(rejection.to_string()))?;
    let picture = svg_of(&text).ok_or(ApiError::QrText { limit: MAX_TEXT })?;
    let headers = [
        (header::CONTENT_TYPE, "image/svg+xml"),
        (header::CACHE_CONTROL, "no-store"),
        (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
    ];
    Ok((headers, picture).into_response())
}

fn svg_of(text: &[u8]) -> Option<String> {
    if text.is_empty() || text.len() > MAX_TEXT {
        return None;
    }
    let code = QrCode::with_error_correction_level(text, EcLevel::L).ok()?;
    Some(code.render::<svg::Color<'_>>().min_dimensions(MIN_SIZE, MIN_SIZE).build())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_text_of_1_to_2048_bytes_is_drawn() {
        for length in [1, MAX_TEXT] {
            let picture = svg_of(&vec![b'x'; length]).unwrap();
            assert!(picture.contains("<svg") && !picture.contains("script"));
        }
        assert_eq!(svg_of(b""), None);
        assert_eq!(svg_of(&vec![b'x'; MAX_TEXT + 1]), None);
    }
}
