//! What of the OpenAPI document the handlers do not say themselves.

use utoipa::openapi::security::{HttpAuthScheme, HttpBuilder, SecurityRequirement, SecurityScheme};
use utoipa::openapi::{ComponentsBuilder, InfoBuilder, LicenseBuilder, OpenApi};

use super::PREFIX;

/// The name of the one way to be let in.
const SCHEME: &str = "admin";

/// Puts a head on the document, and the prefix before its paths.
pub(super) fn complete(paths: OpenApi) -> OpenApi {
    let mut document = OpenApi::default().nest(PREFIX, paths);
    document.info = InfoBuilder::new()
        .title("Queqiao admin API")
        .version(env!("CARGO_PKG_VERSION"))
        .description(Some(
            "Rooms, participants and streams of a Queqiao server, and what an operator does with them.",
        ))
        .license(Some(
            LicenseBuilder::new().name("MIT OR Apache-2.0").identifier(Some("MIT OR Apache-2.0")).build(),
        ))
        .build();
    let bearer = HttpBuilder::new()
        .scheme(HttpAuthScheme::Bearer)
        .description(Some("The admin secret of the server's configuration."))
        .build();
    let components = document.components.get_or_insert_with(|| ComponentsBuilder::new().build());
    components.add_security_scheme(SCHEME, SecurityScheme::Http(bearer));
    document.security = Some(vec![SecurityRequirement::new(SCHEME, Vec::<String>::new())]);
    document
}
