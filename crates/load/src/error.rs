use queqiao_room::signal::ErrorBody;

/// Why a client failed, or a run could not be made.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// A socket or a file.
    #[error(transparent)]
    Io(#[from] std::io::Error),
    /// The server could not be reached.
    #[error("cannot connect: {0}")]
    Connect(std::io::Error),
    /// An address that is none.
    #[error("{0}")]
    Url(&'static str),
    /// The media file is not what this program sends.
    #[error("the media file does not fit: {0}")]
    Media(&'static str),
    /// The media file cannot be read.
    #[error("the media file: {0}")]
    Container(#[from] queqiao_media::Error),
    /// Its sound cannot be transcoded.
    #[error("the media file: {0}")]
    Transcode(#[from] queqiao_transcode::Error),
    /// HTTP said something else than expected.
    #[error("HTTP: {0}")]
    Http(String),
    /// The WebSocket broke.
    #[error("signalling: {0}")]
    Socket(#[from] Box<tokio_tungstenite::tungstenite::Error>),
    /// The server sent what is not of the protocol.
    #[error("signalling: not a message of the protocol: {0}")]
    Protocol(#[from] serde_json::Error),
    /// The server refused a request.
    #[error("{request}: {}: {}", error.code, error.message)]
    Refused {
        /// The request.
        request: &'static str,
        /// What the server said.
        error: ErrorBody,
    },
    /// The server ended the session.
    #[error("the server ended the session: {0}")]
    Ended(String),
    /// The connection closed.
    #[error("the server closed the connection: {0}")]
    Closed(&'static str),
    /// A session description that does not fit.
    #[error("SDP: {0}")]
    Sdp(String),
    /// WebRTC.
    #[error("WebRTC: {0}")]
    Rtc(#[from] Box<str0m::RtcError>),
    /// RTMP.
    #[error("RTMP: {0}")]
    Rtmp(#[from] queqiao_rtmp::Error),
    /// It took too long.
    #[error("{0}")]
    TimedOut(&'static str),
    /// A token could not be made, or a name is not valid.
    #[error(transparent)]
    Room(#[from] queqiao_room::Error),
    /// A flag has a value that does not fit the others.
    #[error("{0}")]
    Options(String),
    /// What the operating system knows of a process.
    #[error("process: {0}")]
    Process(&'static str),
}

impl Error {
    /// A word for the kind of failure, by which failures are counted.
    #[must_use]
    pub fn reason(&self) -> String {
        match self {
            Self::Refused { request, error } => format!("{request}_{}", error.code),
            Self::Rtmp(queqiao_rtmp::Error::Refused { code, .. }) => format!("rtmp_{code}"),
            Self::Connect(_) => "cannot_connect".to_owned(),
            Self::Io(_) => "io".to_owned(),
            Self::Url(_) | Self::Options(_) => "options".to_owned(),
            Self::Media(_) | Self::Container(_) | Self::Transcode(_) => "media_file".to_owned(),
            Self::Http(_) => "http".to_owned(),
            Self::Socket(_) => "signalling_broke".to_owned(),
            Self::Protocol(_) => "signalling_protocol".to_owned(),
            Self::Ended(reason) => format!("session_ended_{reason}"),
            Self::Closed(what) => format!("closed_{what}"),
            Self::Sdp(_) => "sdp".to_owned(),
            Self::Rtc(_) => "webrtc".to_owned(),
            Self::Rtmp(_) => "rtmp".to_owned(),
            Self::TimedOut(what) => (*what).to_owned(),
            Self::Room(_) => "token".to_owned(),
            Self::Process(_) => "process".to_owned(),
        }
    }
}

impl From<str0m::RtcError> for Error {
    fn from(error: str0m::RtcError) -> Self {
        Self::Rtc(Box::new(error))
    }
}

impl From<tokio_tungstenite::tungstenite::Error> for Error {
    fn from(error: tokio_tungstenite::tungstenite::Error) -> Self {
        Self::Socket(Box::new(error))
    }
}
