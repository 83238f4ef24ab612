//! What the process says by its exit code.

use std::process::ExitCode;

use queqiao_peer::Error;

/// A file that cannot be read or written.
#[derive(Debug, thiserror::Error)]
#[error("{path}")]
pub(crate) struct FileFault {
    pub(crate) path: String,
}

/// Nothing came that could be written.
#[derive(Debug, thiserror::Error)]
#[error("nothing was received")]
pub(crate) struct NothingReceived;

/// The code of an error; 2 is a wrong command line, which clap exits with.
pub(crate) fn code(error: &anyhow::Error) -> ExitCode {
    let code = if error.downcast_ref::<FileFault>().is_some() {
        5
    } else if error.downcast_ref::<NothingReceived>().is_some() {
        7
    } else {
        match error.downcast_ref::<Error>() {
            Some(Error::Refused { .. }) => 3,
            Some(Error::Unreachable) => 4,
            Some(Error::Ended(_)) => 6,
            Some(Error::Address | Error::Identifier(_)) => 2,
            _ => 1,
        }
    };
    ExitCode::from(code)
}
