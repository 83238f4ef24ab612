//! The privileges in tokens of Agora and Volcengine, each with an end of its own, and the role that they amount to.

use std::collections::BTreeMap;

use super::reader::{Reader, Writer};
use super::{Role, UnixSeconds};
use crate::Error;

/// The most privileges in a map: twice as many as any version of either vendor's generators knows.
const MAX_PRIVILEGES: u16 = 64;

/// Privileges by their number. What the value means is the format's affair.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Privileges(BTreeMap<u16, u32>);

impl Privileges {
    /// `values` for each privilege of `keys`.
    pub(super) fn all(keys: &[u16], value: u32) -> Self {
        Self(keys.iter().map(|&key| (key, value)).collect())
    }

    /// A count, then pairs of number and value, each number once.
    pub(super) fn read(reader: &mut Reader<'_>) -> Result<Self, Error> {
        let count = reader.u16_le()?;
        if count > MAX_PRIVILEGES {
            return Err(Error::MalformedToken);
        }
        let mut privileges = BTreeMap::new();
        for _ in 0..count {
            if privileges.insert(reader.u16_le()?, reader.u32_le()?).is_some() {
                return Err(Error::MalformedToken);
            }
        }
        Ok(Self(privileges))
    }

    pub(super) fn write(&self, writer: &mut Writer) -> Result<(), Error> {
        writer.u16_le(u16::try_from(self.0.len()).map_err(|_| Error::Signing)?);
        for (&key, &value) in &self.0 {
            writer.u16_le(key).u32_le(value);
        }
        Ok(())
    }

    pub(super) fn get(&self, key: u16) -> Option<u32> {
        self.0.get(&key).copied()
    }
}

/// When a right ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum End {
    At(UnixSeconds),
    /// Not before the token does.
    WithToken,
}

impl End {
    /// Of a value in Unix seconds, where zero sets no end.
    pub(super) fn absolute(seconds: u32) -> Self {
        if seconds == 0 { Self::WithToken } else { Self::At(UnixSeconds(seconds.into())) }
    }

    /// Of a value in seconds from `start`, where zero sets no end.
    pub(super) fn relative(start: u32, seconds: u32) -> Self {
        if seconds == 0 {
            Self::WithToken
        } else {
            Self::At(UnixSeconds(u64::from(start) + u64::from(seconds)))
        }
    }

    pub(super) fn is_over(self, now: UnixSeconds) -> bool {
        matches!(self, Self::At(end) if end.is_over(now))
    }
}

/// The role and the end of a token. It holds until the first of what it `needs` ends, or of the rights to publish that
/// it still gives: who loses one has to bring a new token, and becomes what that one says.
pub(super) fn standing(
    needs: impl IntoIterator<Item = End>,
    publish: impl IntoIterator<Item = End>,
    now: UnixSeconds,
) -> (Role, Option<UnixSeconds>) {
    let held: Vec<End> = publish.into_iter().filter(|end| !end.is_over(now)).collect();
    let role = if held.is_empty() { Role::Audience } else { Role::Host };
    let first = needs.into_iter().chain(held).min();
    let exp = match first {
        Some(End::At(end)) => Some(end),
        Some(End::WithToken) | None => None,
    };
    (role, exp)
}
