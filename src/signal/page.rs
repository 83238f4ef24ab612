//! The page and what it needs to know of the server.

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use axum::http::{HeaderName, HeaderValue, Method, Uri, header};
use axum::response::{IntoResponse, Response};
use include_dir::{Dir, include_dir};
use serde_json::{Value, json};

use super::{ApiError, Server};

/// The web client, as it is in the repository.
static WEB_CLIENT: Dir<'_> = include_dir!("$CARGO_MANIFEST_DIR/web-client");

/// Scripts and styles of the server alone. Media and connections may go anywhere the user says.
const POLICY: &str = "default-src 'self'; connect-src *; media-src 'self' blob: mediastream:; img-src 'self' data:; \
                      worker-src 'self'; \
                      base-uri 'none'; form-action 'none'; frame-ancestors 'none'";

/// `GET /config.json`.
pub(super) async fn config(State(server): State<Arc<Server>>) -> Json<Value> {
    Json(json!({"rtmp_port": server.rtmp_port, "version": env!("CARGO_PKG_VERSION")}))
}

/// `GET` of anything else.
pub(super) async fn file(method: Method, uri: Uri) -> Result<Response, ApiError> {
    if method != Method::GET && method != Method::HEAD {
        return Err(ApiError::NotFound);
    }
    let path = uri.path().trim_start_matches('/');
    let path = if path.is_empty() { "index.html" } else { path };
    let file = WEB_CLIENT.get_file(path).filter(|_| is_public(path)).ok_or(ApiError::NotFound)?;
    let media_type = mime_guess::from_path(path).first_or_octet_stream();
    let headers = [
        (header::CONTENT_TYPE, HeaderValue::from_str(media_type.as_ref()).map_err(|_| ApiError::NotFound)?),
        (header::CACHE_CONTROL, HeaderValue::from_static("no-cache")),
        (header::CONTENT_SECURITY_POLICY, HeaderValue::from_static(POLICY)),
        (header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff")),
        (HeaderName::from_static("referrer-policy"), HeaderValue::from_static("no-referrer")),
    ];
    Ok((headers, file.contents()).into_response())
}

/// The page and the modules that it is made of: neither tests nor what belongs to packages.
fn is_public(path: &str) -> bool {
    let is_module = ["page/", "sdk/", "core/"].iter().any(|folder| path.starts_with(folder))
        && [".js", ".css", ".svg"].iter().any(|extension| path.ends_with(extension))
        && !path.contains(".test.")
        && !path.split('/').any(|folder| folder == "test" || folder == "tests");
    matches!(path, "index.html" | "style.css") || is_module
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_page_is_public_and_tests_and_packages_are_not() {
        for path in
            ["index.html", "style.css", "page/main.js", "page/i18n/zh.js", "core/client.js", "sdk/index.js"]
        {
            assert!(is_public(path), "{path}");
        }
        for path in [
            "package.json",
            "core/package.json",
            "test/core-world.mjs",
            "sdk/test/a.js",
            "page/a.test.js",
            "core/types.d.ts",
        ] {
            assert!(!is_public(path), "{path}");
        }
    }
}
