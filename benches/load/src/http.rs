//! As much HTTP as WHIP and WHEP need: one request, one answer, one connection.

use anyhow::{Context, Result, ensure};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

/// Posts an offer; returns the answer.
pub(crate) async fn post_sdp(url: &str, offer: &str) -> Result<String> {
    let rest = url.strip_prefix("http://").context("not an http URL")?;
    let (host, path) = rest.split_once('/').context("no path")?;
    let mut socket = TcpStream::connect(host).await?;
    let request = format!(
        "POST /{path} HTTP/1.1\r\nhost: {host}\r\ncontent-type: application/sdp\r\ncontent-length: {}\r\n\
         connection: close\r\n\r\n{offer}",
        offer.len()
    );
    socket.write_all(request.as_bytes()).await?;
    let mut answer = String::new();
    socket.read_to_string(&mut answer).await?;
    let (head, body) = answer.split_once("\r\n\r\n").context("no HTTP answer")?;
    ensure!(head.starts_with("HTTP/1.1 201 "), "{url}: {head} {body}");
    Ok(body.to_owned())
}
