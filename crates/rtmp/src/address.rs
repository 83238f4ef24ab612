//! What a client wants to publish or play, wherever it put the parts of the address.

use std::fmt;

/// Longest application, tcUrl and stream name together, in bytes: four signed tokens and their paths fit.
pub const MAX_ADDRESS_BYTES: usize = 4096;
/// Path segments of an address. Ours have three; a few more keep an error message meaningful.
pub const MAX_SEGMENTS: usize = 16;
/// Query parameters of an address. Vendors append a handful of their own.
pub const MAX_PARAMETERS: usize = 32;

/// Why an address cannot be used.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum AddressError {
    /// Longer than [`MAX_ADDRESS_BYTES`], or too many parts.
    #[error("the address is too long")]
    TooLong,
    /// A part is not UTF-8 after percent-decoding, or contains control characters.
    #[error("the address contains characters that are not allowed")]
    Characters,
}

/// A parsed address: `rtmp://HOST/a/b/c?k=v` is the path `a`, `b`, `c` and the parameter `k`.
///
/// `Debug` and `Display` leave out the values of the query, which are secrets.
#[derive(Clone, PartialEq, Eq)]
pub struct Address {
    path: Vec<String>,
    query: Vec<(String, String)>,
}

impl Address {
    /// Joins what a client sent as `app` and `tcUrl` of `connect` and as the name of `publish` or `play`.
    ///
    /// - The path is that of `app`, then that of the name. What `tcUrl` has beyond `app` is put between, unless the name
    ///   repeats it.
    /// - The query may be in any of the three. A parameter that occurs several times is kept once per value, that of the
    ///   name first, then that of `app`, then that of `tcUrl`.
    /// - Empty segments, `_definst_` and the prefixes `mp4:`, `flv:`, `f4v:`, `mp3:` of the name are dropped; percent
    ///   escapes are decoded.
    ///
    /// # Errors
    ///
    /// [`AddressError`] when a limit is exceeded or the text is not usable.
    pub fn join(app: &str, tc_url: &str, name: &str) -> Result<Self, AddressError> {
        if app.len() + tc_url.len() + name.len() > MAX_ADDRESS_BYTES {
            return Err(AddressError::TooLong);
        }
        let (app_path, app_query) = split_query(app);
        let (url_path, url_query) = split_query(url_path(tc_url));
        let (name_path, name_query) = split_query(name);

        let mut path = segments(app_path)?;
        let url_path = segments(url_path)?;
        let name_path = segments(without_prefix(name_path))?;
        if let Some(beyond) = url_path.strip_prefix(path.as_slice()) {
            let repeated = (0..=beyond.len().min(name_path.len()))
                .rev()
                .find(|count| ends_with_start(beyond, &name_path, *count));
            let kept = beyond.len() - repeated.unwrap_or_default();
            path.extend(beyond.iter().take(kept).cloned());
        }
        path.extend(name_path);
        if path.len() > MAX_SEGMENTS {
            return Err(AddressError::TooLong);
        }

        let mut query = Vec::new();
        for part in [name_query, app_query, url_query] {
            add_parameters(part, &mut query)?;
        }
        Ok(Self { path, query })
    }

    /// The path, percent-decoded, without empty segments.
    #[must_use]
    pub fn path(&self) -> &[String] {
        &self.path
    }

    /// The query, percent-decoded.
    #[must_use]
    pub fn query(&self) -> &[(String, String)] {
        &self.query
    }

    /// The first value of a parameter.
    #[must_use]
    pub fn parameter(&self, name: &str) -> Option<&str> {
        self.query.iter().find(|(key, _)| key == name).map(|(_, value)| value.as_str())
    }
}

impl fmt::Display for Address {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        for segment in &self.path {
            write!(formatter, "/{segment}")?;
        }
        for (index, (key, _)) in self.query.iter().enumerate() {
            write!(formatter, "{}{key}=…", if index == 0 { '?' } else { '&' })?;
        }
        Ok(())
    }
}

impl fmt::Debug for Address {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "Address({self})")
    }
}

/// The part of a URL or application name that may be shown: everything before its query.
pub(crate) fn without_query(text: &str) -> &str {
    split_query(text).0
}

fn split_query(text: &str) -> (&str, &str) {
    text.split_once('?').unwrap_or((text, ""))
}

/// Path and query of `scheme://authority/path?query`, empty for anything else.
fn url_path(url: &str) -> &str {
    let after_scheme = url.split_once("://").map_or("", |(_, rest)| rest);
    let start = after_scheme.find(['/', '?']).unwrap_or(after_scheme.len());
    after_scheme.get(start..).unwrap_or_default()
}

fn without_prefix(name: &str) -> &str {
    ["mp4:", "flv:", "f4v:", "mp3:"].iter().find_map(|prefix| name.strip_prefix(prefix)).unwrap_or(name)
}

fn segments(path: &str) -> Result<Vec<String>, AddressError> {
    let kept = path.split('/').filter(|segment| !segment.is_empty() && *segment != "_definst_");
    let segments: Vec<_> = kept.take(MAX_SEGMENTS + 1).map(decode).collect::<Result<_, _>>()?;
    if segments.len() > MAX_SEGMENTS {
        return Err(AddressError::TooLong);
    }
    Ok(segments)
}

/// Whether the last `count` of `left` are the first `count` of `right`.
fn ends_with_start(left: &[String], right: &[String], count: usize) -> bool {
    left.len().checked_sub(count).and_then(|start| left.get(start..)) == right.get(..count)
}

fn add_parameters(query: &str, parameters: &mut Vec<(String, String)>) -> Result<(), AddressError> {
    for pair in query.split('&').filter(|pair| !pair.is_empty()) {
        let (key, value) = pair.split_once('=').unwrap_or((pair, ""));
        let parameter = (decode(key)?, decode(value)?);
        if parameters.contains(&parameter) {
            continue;
        }
        if parameters.len() >= MAX_PARAMETERS {
            return Err(AddressError::TooLong);
        }
        parameters.push(parameter);
    }
    Ok(())
}

/// Decodes percent escapes; a percent sign that begins none stands for itself.
fn decode(text: &str) -> Result<String, AddressError> {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let Some((first, after)) = rest.split_first() {
        rest = after;
        let escape = after.first_chunk::<2>().filter(|_| *first == b'%');
        match escape.and_then(|[high, low]| Some((hex(*high)? << 4) | hex(*low)?)) {
            Some(byte) => {
                bytes.push(byte);
                rest = after.get(2..).unwrap_or_default();
            }
            None => bytes.push(*first),
        }
    }
    let text = String::from_utf8(bytes).map_err(|_| AddressError::Characters)?;
    if text.chars().any(char::is_control) {
        return Err(AddressError::Characters);
    }
    Ok(text)
}

fn hex(digit: u8) -> Option<u8> {
    char::from(digit).to_digit(16).and_then(|value| u8::try_from(value).ok())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn assert_same(app: &str, tc_url: &str, name: &str) {
        let address = Address::join(app, tc_url, name).unwrap();
        assert_eq!(address.path(), ["demo", "room", "uid"], "{app} {tc_url} {name}");
        assert_eq!(address.query(), [("token".to_owned(), "T".to_owned())], "{app} {tc_url} {name}");
    }

    #[test]
    fn every_split_of_the_same_address_is_the_same_address() {
        // ffmpeg, librtmp, VLC
        assert_same("demo/room", "rtmp://h:1935/demo/room", "uid?token=T");
        // OBS with a server of one segment
        assert_same("demo", "rtmp://h/demo", "room/uid?token=T");
        // query in the application, as Flash clients write it
        assert_same("demo?token=T", "rtmp://h/demo?token=T", "room/uid");
        assert_same("demo/room?token=T", "rtmp://h/demo/room?token=T", "uid");
        // query in tcUrl alone
        assert_same("demo/room", "rtmp://h/demo/room?token=T", "uid");
        // whole address in tcUrl
        assert_same("demo", "rtmp://h/demo/room/uid?token=T", "room/uid?token=T");
        assert_same("demo", "rtmp://h/demo/room", "uid?token=T");
        assert_same("demo/room", "rtmp://h/demo/room/uid?token=T", "uid");
        assert_same("demo/room/uid", "rtmp://h/demo/room/uid", "?token=T");
        // no application
        assert_same("", "rtmp://h/demo/room", "uid?token=T");
        assert_same("", "", "demo/room/uid?token=T");
        // noise
        assert_same("demo/room/", "rtmp://h/demo/room/", "/uid?token=T");
        assert_same("demo/_definst_/room", "rtmp://h/demo/_definst_/room", "flv:uid?token=T");
        assert_same("demo/room", "rtmp://h/demo/room", "mp4:uid?token=%54");
        assert_same("/demo//room", "rtmp://user@h", "uid?token=T&&token=T");
    }

    #[test]
    fn the_query_of_the_name_wins() {
        let address = Address::join("a?token=1", "rtmp://h/a?token=2&x", "b?token=3&y=%2F").unwrap();
        assert_eq!(address.parameter("token"), Some("3"));
        assert_eq!(address.parameter("y"), Some("/"));
        assert_eq!(address.parameter("x"), Some(""));
        assert_eq!(address.parameter("z"), None);
    }

    #[test]
    fn percent_escapes_are_decoded_once() {
        let address = Address::join("d%C3%A9mo", "", "100%/%2525").unwrap();
        assert_eq!(address.path(), ["démo", "100%", "%25"]);
    }

    #[test]
    fn limits_and_characters_are_checked() {
        let join = Address::join;
        assert_eq!(join("a", "", &"x".repeat(MAX_ADDRESS_BYTES)), Err(AddressError::TooLong));
        assert_eq!(join("a", "", &"x/".repeat(MAX_SEGMENTS)), Err(AddressError::TooLong));
        let many: String = (0..=MAX_PARAMETERS).map(|i| format!("k{i}&")).collect();
        assert_eq!(join("a", "", &format!("x?{many}")), Err(AddressError::TooLong));
        assert_eq!(join("a", "", "%ff"), Err(AddressError::Characters));
        assert_eq!(join("a", "", "x%0ay"), Err(AddressError::Characters));
    }

    #[test]
    fn secrets_are_not_printed() {
        let address = Address::join("demo", "", "room?token=secret&user=me").unwrap();
        assert_eq!(format!("{address:?}"), "Address(/demo/room?token=…&user=…)");
    }
}
