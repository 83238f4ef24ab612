//! As much HTTP as a client of the server needs: one request, one answer, one connection.

use std::net::SocketAddr;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpStream, lookup_host};

use crate::Error;

/// Posts an offer; returns the answer.
pub(crate) async fn post_sdp(url: &str, offer: &str) -> Result<String, Error> {
    let rest = url.strip_prefix("http://").ok_or(Error::Url("not an http URL"))?;
    let (host, path) = rest.split_once('/').ok_or(Error::Url("the URL has no path"))?;
    let mut socket = TcpStream::connect(host).await.map_err(Error::Connect)?;
    let request = format!(
        "POST /{path} HTTP/1.1\r\nhost: {host}\r\ncontent-type: application/sdp\r\ncontent-length: {}\r\n\
         connection: close\r\n\r\n{offer}",
        offer.len()
    );
    socket.write_all(request.as_bytes()).await?;
    let mut answer = String::new();
    socket.read_to_string(&mut answer).await?;
    let (head, body) = answer.split_once("\r\n\r\n").ok_or_else(|| Error::Http("no answer".to_owned()))?;
    if !head.starts_with("HTTP/1.1 201 ") {
        let status = head.lines().next().unwrap_or_default();
        return Err(Error::Http(format!("{status} {body}")));
    }
    Ok(body.to_owned())
}

/// Gets a small document.
pub(crate) async fn get(authority: &str, path: &str) -> Result<String, Error> {
    let mut socket = TcpStream::connect(authority).await.map_err(Error::Connect)?;
    let request = format!("GET {path} HTTP/1.1\r\nhost: {authority}\r\nconnection: close\r\n\r\n");
    socket.write_all(request.as_bytes()).await?;
    let mut answer = String::new();
    // The server is the one that is tested, yet another program may listen there.
    socket.take(64 * 1024).read_to_string(&mut answer).await?;
    let (head, body) = answer.split_once("\r\n\r\n").ok_or_else(|| Error::Http("no answer".to_owned()))?;
    if !head.starts_with("HTTP/1.1 200 ") {
        return Err(Error::Http(head.lines().next().unwrap_or_default().to_owned()));
    }
    Ok(body.to_owned())
}

/// The address behind `host:port`.
pub(crate) async fn resolve(authority: &str) -> Result<SocketAddr, Error> {
    lookup_host(authority).await.map_err(Error::Connect)?.next().ok_or(Error::Url("the host has no address"))
}
