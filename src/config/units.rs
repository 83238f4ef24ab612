//! Durations, sizes and bit rates as people write them: `"5s"`, `"64KB"`, `"48kbps"`.
//!
//! Each submodule is for `#[serde(with = "…")]`.

use std::fmt;
use std::time::Duration;

use serde::de::{self, Deserializer, Visitor};

/// A unit and how many base units it holds.
type Unit = (&'static str, u64);

const DURATION: [Unit; 5] = [("d", 86_400_000), ("h", 3_600_000), ("m", 60_000), ("s", 1_000), ("ms", 1)];
const BYTES: [Unit; 7] = [
    ("GiB", 1 << 30),
    ("MiB", 1 << 20),
    ("KiB", 1 << 10),
    ("GB", 1_000_000_000),
    ("MB", 1_000_000),
    ("KB", 1_000),
    ("B", 1),
];
const BITS: [Unit; 3] = [("Mbps", 1_000_000), ("kbps", 1_000), ("bps", 1)];

/// Reads a sum of numbers with units, largest first as one writes them: `90s`, `1h30m`.
pub(crate) fn parse_duration(text: &str) -> Result<Duration, String> {
    let fault =
        || format!("{text:?} is not a duration: write a number with d, h, m, s or ms, such as \"5s\"");
    let mut total = 0_u64;
    let mut rest = text.trim();
    if rest.is_empty() {
        return Err(fault());
    }
    while !rest.is_empty() {
        let (value, tail) = parse_term(rest, &DURATION).ok_or_else(fault)?;
        total = total.checked_add(value).ok_or_else(fault)?;
        rest = tail;
    }
    Ok(Duration::from_millis(total))
}

fn parse_single(text: &str, units: &[Unit], what: &str, example: &str) -> Result<u64, String> {
    match parse_term(text.trim(), units) {
        Some((value, "")) => Ok(value),
        _ => {
            let names: Vec<_> = units.iter().map(|(name, _)| *name).collect();
            Err(format!(
                "{text:?} is not a {what}: write a number with {}, such as {example:?}",
                names.join(", ")
            ))
        }
    }
}

/// Takes one number and its unit off the front.
fn parse_term<'a>(text: &'a str, units: &[Unit]) -> Option<(u64, &'a str)> {
    let (digits, rest) = text.split_at(text.find(|character: char| !character.is_ascii_digit())?);
    let rest = rest.trim_start();
    let end = rest.find(|character: char| !character.is_ascii_alphabetic()).unwrap_or(rest.len());
    let (name, rest) = rest.split_at(end);
    let (_, scale) = units.iter().find(|(unit, _)| unit.eq_ignore_ascii_case(name))?;
    Some((digits.parse::<u64>().ok()?.checked_mul(*scale)?, rest.trim_start()))
}

/// Writes a value in the largest unit that divides it.
fn format(value: u64, units: &[Unit]) -> String {
    let fits = |unit: &&Unit| value >= unit.1 && value.is_multiple_of(unit.1);
    match units.iter().filter(fits).max_by_key(|unit| unit.1).or(units.last()) {
        Some((name, scale)) => format!("{}{name}", value / scale),
        None => value.to_string(),
    }
}

/// Reads text with `parse`, or a whole number where a bare one is understood.
struct Quantity {
    expected: &'static str,
    parse: fn(&str) -> Result<u64, String>,
    bare_numbers: bool,
}

impl Visitor<'_> for Quantity {
    type Value = u64;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.expected)
    }

    fn visit_str<E: de::Error>(self, text: &str) -> Result<u64, E> {
        (self.parse)(text).map_err(E::custom)
    }

    fn visit_u64<E: de::Error>(self, number: u64) -> Result<u64, E> {
        if self.bare_numbers {
            Ok(number)
        } else {
            Err(E::invalid_type(de::Unexpected::Unsigned(number), &self))
        }
    }

    fn visit_i64<E: de::Error>(self, number: i64) -> Result<u64, E> {
        match u64::try_from(number) {
            Ok(number) => self.visit_u64(number),
            Err(_) => Err(E::invalid_type(de::Unexpected::Signed(number), &self)),
        }
    }
}

fn narrow<'de, D: Deserializer<'de>, T: TryFrom<u64>>(value: u64) -> Result<T, D::Error> {
    T::try_from(value).map_err(|_| de::Error::custom(format!("{value} is too large")))
}

/// A [`Duration`], to the millisecond.
pub(super) mod duration {
    use super::{DURATION, Deserializer, Duration, Quantity, format, narrow, parse_duration};

    pub(in super::super) fn serialize<S: serde::Serializer>(
        value: &Duration,
        serializer: S,
    ) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&format(u64::try_from(value.as_millis()).unwrap_or(u64::MAX), &DURATION))
    }

    pub(in super::super) fn deserialize<'de, D: Deserializer<'de>>(
        deserializer: D,
    ) -> Result<Duration, D::Error> {
        let quantity = Quantity {
            expected: "a duration with its unit, such as \"5s\"",
            parse: |text| {
                parse_duration(text).map(|span| u64::try_from(span.as_millis()).unwrap_or(u64::MAX))
            },
            bare_numbers: false,
        };
        let millis = deserializer.deserialize_any(quantity)?;
        Ok(Duration::from_millis(narrow::<D, u64>(millis)?))
    }
}

/// A size in bytes.
pub(super) mod bytes {
    use super::{BYTES, Deserializer, Quantity, format, narrow, parse_single};

    pub(in super::super) fn serialize<S: serde::Serializer>(
        value: &usize,
        serializer: S,
    ) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&format(*value as u64, &BYTES))
    }

    pub(in super::super) fn deserialize<'de, D: Deserializer<'de>>(
        deserializer: D,
    ) -> Result<usize, D::Error> {
        let quantity = Quantity {
            expected: "a size, such as \"64KB\"",
            parse: |text| parse_single(text, &BYTES, "size", "64KB"),
            bare_numbers: true,
        };
        narrow::<D, usize>(deserializer.deserialize_any(quantity)?)
    }
}

/// A bit rate in bit/s.
pub(super) mod bit_rate {
    use super::{BITS, Deserializer, Quantity, format, narrow, parse_single};

    pub(in super::super) fn serialize<S: serde::Serializer>(
        value: &u32,
        serializer: S,
    ) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&format(u64::from(*value), &BITS))
    }

    pub(in super::super) fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<u32, D::Error> {
        let quantity = Quantity {
            expected: "a bit rate, such as \"48kbps\"",
            parse: |text| parse_single(text, &BITS, "bit rate", "48kbps"),
            bare_numbers: true,
        };
        narrow::<D, u32>(deserializer.deserialize_any(quantity)?)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_are_sums_of_numbers_with_units() {
        for (text, millis) in
            [("5s", 5_000), ("250ms", 250), ("1h30m", 5_400_000), ("1d", 86_400_000), ("0s", 0)]
        {
            assert_eq!(parse_duration(text), Ok(Duration::from_millis(millis)), "{text}");
        }
        for text in
            ["", "5", "s", "5 parsecs", "-5s", "1.5s", "5s6", "99999999999999999999s", "300000000000d"]
        {
            let message = parse_duration(text).unwrap_err();
            assert!(message.starts_with(&format!("{text:?} is not a duration")), "{message}");
        }
    }

    #[test]
    fn sizes_tell_decimal_from_binary_units() {
        let parse = |text| parse_single(text, &BYTES, "size", "64KB").ok();
        assert_eq!(parse("64KB"), Some(64_000));
        assert_eq!(parse("64 kib"), Some(65_536));
        assert_eq!(parse("1B"), Some(1));
        assert_eq!(parse("64"), None);
        assert_eq!(parse("64KB 1B"), None);
        assert_eq!(parse("64XB"), None);
    }

    #[test]
    fn a_value_is_written_as_it_would_be_read() {
        for (value, text) in [(5_000, "5s"), (5_400_000, "90m"), (1, "1ms"), (0, "0ms")] {
            assert_eq!(format(value, &DURATION), text);
        }
        for (value, text) in [(4_000_000, "4MB"), (65_536, "64KiB"), (1_001, "1001B")] {
            assert_eq!(format(value, &BYTES), text);
        }
        assert_eq!(format(48_000, &BITS), "48kbps");
    }
}
