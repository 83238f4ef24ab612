//! One attempt: a request to an endpoint and the status of its answer.

use std::time::Duration;

use bytes::Bytes;
use http_body_util::{BodyExt, Full, Limited};
use hyper::{Method, Request, StatusCode, Uri, header};
use hyper_rustls::{ConfigBuilderExt, HttpsConnector, HttpsConnectorBuilder};
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::{TokioExecutor, TokioTimer};
use queqiao_room::{Secret, UnixSeconds};
use rustls::crypto::aws_lc_rs;
use rustls::{ClientConfig, RootCertStore};

use super::queue::Delivery;
use super::signature::sign;

/// How long one attempt may take, the answer included. Nothing else goes to the endpoint meanwhile.
const TIMEOUT: Duration = Duration::from_secs(10);

/// How long a connection may take to open.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);

/// How long a connection is kept for the next event.
const IDLE_TIMEOUT: Duration = Duration::from_secs(30);

/// What is read of an answer's body, so that the connection can be used again. Its content does not matter.
const MAX_ANSWER: usize = 16 * 1024;

/// Why an attempt failed. Addresses are not in the text: they may hold secrets.
#[derive(Debug, thiserror::Error)]
pub(super) enum Failure {
    #[error("the answer was {0}")]
    Status(StatusCode),
    #[error("no answer within {} s", TIMEOUT.as_secs())]
    Timeout,
    #[error("{0}")]
    Connection(String),
}

/// Why no requests can be made.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ClientError {
    #[error("the system's certificate authorities cannot be read")]
    Roots(#[source] std::io::Error),
    #[error("TLS cannot be set up")]
    Tls(#[source] rustls::Error),
}

/// Makes requests to all endpoints. Redirects are not followed: an address that has moved is a mistake to be corrected.
#[derive(Clone)]
pub(super) struct Poster {
    client: Client<HttpsConnector<HttpConnector>, Full<Bytes>>,
}

impl Poster {
    /// `tls` where an endpoint has an `https` address: then the system's certificate authorities are needed.
    pub(super) fn new(tls: bool) -> Result<Self, ClientError> {
        let provider = std::sync::Arc::new(aws_lc_rs::default_provider());
        let config = ClientConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .map_err(ClientError::Tls)?;
        let config = if tls {
            config.with_native_roots().map_err(ClientError::Roots)?
        } else {
            config.with_root_certificates(RootCertStore::empty())
        };
        let mut http = HttpConnector::new();
        http.enforce_http(false);
        http.set_nodelay(true);
        http.set_connect_timeout(Some(CONNECT_TIMEOUT));
        let https = HttpsConnectorBuilder::new()
            .with_tls_config(config.with_no_client_auth())
            .https_or_http()
            .enable_http1()
            .wrap_connector(http);
        let client = Client::builder(TokioExecutor::new())
            .pool_timer(TokioTimer::new())
            .pool_idle_timeout(IDLE_TIMEOUT)
            .pool_max_idle_per_host(1)
            .build(https);
        Ok(Self { client })
    }

    /// Sends a delivery. Any status but 2xx is a failure.
    pub(super) async fn post(
        &self,
        url: &Uri,
        secret: &Secret,
        delivery: &Delivery,
        now: UnixSeconds,
    ) -> Result<(), Failure> {
        let request = Request::builder()
            .method(Method::POST)
            .uri(url)
            .header(header::CONTENT_TYPE, "application/json")
            .header(header::USER_AGENT, concat!("Queqiao/", env!("CARGO_PKG_VERSION")))
            .header("Queqiao-Timestamp", now.0)
            .header("Queqiao-Signature", sign(secret, now, &delivery.body))
            .header("Queqiao-Delivery", &delivery.id)
            .header("Queqiao-Attempt", delivery.attempt)
            .body(Full::new(delivery.body.clone()))
            .map_err(|error| Failure::Connection(error.to_string()))?;
        let status = tokio::time::timeout(TIMEOUT, self.exchange(request)).await;
        match status.map_err(|_| Failure::Timeout)?? {
            status if status.is_success() => Ok(()),
            status => Err(Failure::Status(status)),
        }
    }

    async fn exchange(&self, request: Request<Full<Bytes>>) -> Result<StatusCode, Failure> {
        let answer =
            self.client.request(request).await.map_err(|error| Failure::Connection(explain(&error)))?;
        let status = answer.status();
        // The status has been said; a body that is too long or breaks off costs the connection and nothing else.
        let _ = Limited::new(answer.into_body(), MAX_ANSWER).collect().await;
        Ok(status)
    }
}

/// The chain of causes: the outermost says no more than that there was an error.
fn explain(error: &hyper_util::client::legacy::Error) -> String {
    let mut text = error.to_string();
    let mut cause = std::error::Error::source(error);
    while let Some(inner) = cause {
        text = format!("{text}: {inner}");
        cause = inner.source();
    }
    text
}
