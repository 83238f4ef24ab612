//! What of the OpenAPI document the handlers do not say themselves.

use utoipa::ToSchema;
use utoipa::openapi::security::{HttpAuthScheme, HttpBuilder, SecurityRequirement, SecurityScheme};
use utoipa::openapi::{ComponentsBuilder, InfoBuilder, LicenseBuilder, OpenApi, RefOr, Schema};

use super::PREFIX;
use super::error::ErrorBody;
use super::types::TrackName;

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
    // The library finds the types of bodies, but not those of refusals and of the last parameter of a path.
    components.schemas.extend(described::<ErrorBody>());
    components.schemas.extend(described::<TrackName>());
    components.add_security_scheme(SCHEME, SecurityScheme::Http(bearer));
    document.security = Some(vec![SecurityRequirement::new(SCHEME, Vec::<String>::new())]);
    document
}

/// A type and those that it is made of, by name.
fn described<T: ToSchema>() -> Vec<(String, RefOr<Schema>)> {
    let mut schemas = vec![(T::name().into_owned(), T::schema())];
    T::schemas(&mut schemas);
    schemas
}
