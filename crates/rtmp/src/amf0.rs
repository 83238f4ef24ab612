//! AMF0 values: decoding with limits, and encoding.

use bytes::BufMut;

/// Deepest nesting of objects and arrays. Real commands and metadata nest three deep; each level costs stack.
pub const MAX_DEPTH: usize = 16;

mod marker {
    pub(super) const NUMBER: u8 = 0x00;
    pub(super) const BOOLEAN: u8 = 0x01;
    pub(super) const STRING: u8 = 0x02;
    pub(super) const OBJECT: u8 = 0x03;
    pub(super) const NULL: u8 = 0x05;
    pub(super) const UNDEFINED: u8 = 0x06;
    pub(super) const REFERENCE: u8 = 0x07;
    pub(super) const ECMA_ARRAY: u8 = 0x08;
    pub(super) const OBJECT_END: u8 = 0x09;
    pub(super) const STRICT_ARRAY: u8 = 0x0a;
    pub(super) const DATE: u8 = 0x0b;
    pub(super) const LONG_STRING: u8 = 0x0c;
    pub(super) const UNSUPPORTED: u8 = 0x0d;
    pub(super) const XML: u8 = 0x0f;
    pub(super) const TYPED_OBJECT: u8 = 0x10;
    pub(super) const AVMPLUS: u8 = 0x11;
}

/// An AMF0 value.
#[derive(Clone, Debug, PartialEq)]
pub enum Value {
    /// A double.
    Number(f64),
    /// A boolean.
    Boolean(bool),
    /// A string or a long string; bytes that are not UTF-8 have been replaced by `?`.
    String(String),
    /// An anonymous object.
    Object(Object),
    /// Null.
    Null,
    /// Undefined.
    Undefined,
    /// Reference to an earlier complex value, by its index. Not resolved.
    Reference(u16),
    /// An associative array; its wire count is only a hint and is ignored.
    EcmaArray(Object),
    /// An array.
    StrictArray(Vec<Value>),
    /// Milliseconds since 1970-01-01 UTC and a time zone that should be 0.
    Date {
        /// Milliseconds since the Unix epoch.
        millis: f64,
        /// Time zone in minutes, reserved.
        zone: i16,
    },
    /// A value that its sender could not express; also stands for an AMF3 value, which ends decoding.
    Unsupported,
    /// An XML document as text.
    Xml(String),
    /// An object with a class name.
    Typed(Box<(String, Object)>),
}

impl Value {
    /// The text of a string.
    #[must_use]
    pub fn as_str(&self) -> Option<&str> {
        match self {
            Self::String(text) => Some(text),
            _ => None,
        }
    }

    /// The value of a number.
    #[must_use]
    pub fn as_number(&self) -> Option<f64> {
        match self {
            Self::Number(number) => Some(*number),
            _ => None,
        }
    }

    /// The value of a boolean; a number counts as true when it is not zero.
    #[must_use]
    pub fn as_bool(&self) -> Option<bool> {
        match self {
            Self::Boolean(boolean) => Some(*boolean),
            Self::Number(number) => Some(*number != 0.0),
            _ => None,
        }
    }

    /// The properties of an object, an associative array or a typed object.
    #[must_use]
    pub fn as_object(&self) -> Option<&Object> {
        match self {
            Self::Object(object) | Self::EcmaArray(object) => Some(object),
            Self::Typed(typed) => Some(&typed.1),
            _ => None,
        }
    }
}

impl From<f64> for Value {
    fn from(number: f64) -> Self {
        Self::Number(number)
    }
}

impl From<bool> for Value {
    fn from(boolean: bool) -> Self {
        Self::Boolean(boolean)
    }
}

impl From<&str> for Value {
    fn from(text: &str) -> Self {
        Self::String(text.to_owned())
    }
}

/// Named properties in the order of the wire; names may repeat.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Object(Vec<(String, Value)>);

impl Object {
    /// An object without properties.
    #[must_use]
    pub const fn new() -> Self {
        Self(Vec::new())
    }

    /// The same object with one more property.
    #[must_use]
    pub fn with(mut self, name: &str, value: impl Into<Value>) -> Self {
        self.0.push((name.to_owned(), value.into()));
        self
    }

    /// The first property of that name.
    #[must_use]
    pub fn get(&self, name: &str) -> Option<&Value> {
        self.0.iter().find(|(key, _)| key == name).map(|(_, value)| value)
    }

    /// The first property of that name as text.
    #[must_use]
    pub fn text(&self, name: &str) -> Option<&str> {
        self.get(name).and_then(Value::as_str)
    }

    /// The first property of that name as a number.
    #[must_use]
    pub fn number(&self, name: &str) -> Option<f64> {
        self.get(name).and_then(Value::as_number)
    }

    /// All properties in order.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &Value)> {
        self.0.iter().map(|(name, value)| (name.as_str(), value))
    }

    /// Number of properties.
    #[must_use]
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Whether there is no property.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

/// What is wrong with an AMF0 body.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The input ends inside a value.
    #[error("AMF0 value ends early at byte {0}")]
    Truncated(usize),
    /// A type marker that AMF0 does not define, or reserves.
    #[error("unknown AMF0 marker {marker:#04x} at byte {offset}")]
    Marker {
        /// The marker.
        marker: u8,
        /// Its position.
        offset: usize,
    },
    /// Deeper than [`MAX_DEPTH`].
    #[error("AMF0 nested too deep at byte {0}")]
    TooDeep(usize),
    /// More values than the caller allows.
    #[error("too many AMF0 values at byte {0}")]
    TooManyValues(usize),
}

/// Decodes all values of `input`, which together may hold at most `max_values` values, nested ones included.
///
/// Memory is taken as values are read, never from a count on the wire. An object may miss its end marker when the input
/// ends there, as some encoders send it. An AMF3 value (marker 0x11) becomes [`Value::Unsupported`] and ends the list.
///
/// # Errors
///
/// Any [`Error`], with the position in `input`.
pub fn decode_all(input: &[u8], max_values: usize) -> Result<Vec<Value>, Error> {
    let mut decoder = Decoder { input, position: 0, values_left: max_values };
    let mut values = Vec::new();
    while !decoder.at_end() {
        values.push(decoder.value(0)?);
    }
    Ok(values)
}

struct Decoder<'a> {
    input: &'a [u8],
    position: usize,
    values_left: usize,
}

impl<'a> Decoder<'a> {
    fn at_end(&self) -> bool {
        self.position >= self.input.len()
    }

    fn bytes(&mut self, count: usize) -> Result<&'a [u8], Error> {
        let end = self.position.checked_add(count).ok_or(Error::Truncated(self.position))?;
        let bytes = self.input.get(self.position..end).ok_or(Error::Truncated(self.position))?;
        self.position = end;
        Ok(bytes)
    }

    fn array<const N: usize>(&mut self) -> Result<[u8; N], Error> {
        let start = self.position;
        self.bytes(N)?.try_into().map_err(|_| Error::Truncated(start))
    }

    fn u8(&mut self) -> Result<u8, Error> {
        Ok(u8::from_be_bytes(self.array()?))
    }

    fn u16(&mut self) -> Result<u16, Error> {
        Ok(u16::from_be_bytes(self.array()?))
    }

    fn u32(&mut self) -> Result<u32, Error> {
        Ok(u32::from_be_bytes(self.array()?))
    }

    fn f64(&mut self) -> Result<f64, Error> {
        Ok(f64::from_be_bytes(self.array()?))
    }

    fn short_string(&mut self) -> Result<String, Error> {
        let length = usize::from(self.u16()?);
        Ok(text(self.bytes(length)?))
    }

    fn long_string(&mut self) -> Result<String, Error> {
        let length = usize::try_from(self.u32()?).unwrap_or(usize::MAX);
        Ok(text(self.bytes(length)?))
    }

    fn value(&mut self, depth: usize) -> Result<Value, Error> {
        let offset = self.position;
        if depth > MAX_DEPTH {
            return Err(Error::TooDeep(offset));
        }
        self.values_left = self.values_left.checked_sub(1).ok_or(Error::TooManyValues(offset))?;
        let value = match self.u8()? {
            marker::NUMBER => Value::Number(self.f64()?),
            marker::BOOLEAN => Value::Boolean(self.u8()? != 0),
            marker::STRING => Value::String(self.short_string()?),
            marker::OBJECT => Value::Object(self.object(depth)?),
            marker::NULL => Value::Null,
            marker::UNDEFINED => Value::Undefined,
            marker::REFERENCE => Value::Reference(self.u16()?),
            marker::ECMA_ARRAY => {
                self.u32()?;
                Value::EcmaArray(self.object(depth)?)
            }
            marker::STRICT_ARRAY => Value::StrictArray(self.strict_array(depth)?),
            marker::DATE => Value::Date { millis: self.f64()?, zone: self.u16()?.cast_signed() },
            marker::LONG_STRING => Value::String(self.long_string()?),
            marker::UNSUPPORTED => Value::Unsupported,
            marker::XML => Value::Xml(self.long_string()?),
            marker::TYPED_OBJECT => {
                let class = self.short_string()?;
                Value::Typed(Box::new((class, self.object(depth)?)))
            }
            marker::AVMPLUS => {
                self.position = self.input.len();
                Value::Unsupported
            }
            marker => return Err(Error::Marker { marker, offset }),
        };
        Ok(value)
    }

    fn object(&mut self, depth: usize) -> Result<Object, Error> {
        let mut properties = Vec::new();
        while !self.at_end() {
            let name = self.short_string()?;
            if name.is_empty() && self.input.get(self.position) == Some(&marker::OBJECT_END) {
                self.position += 1;
                break;
            }
            properties.push((name, self.value(depth + 1)?));
        }
        Ok(Object(properties))
    }

    fn strict_array(&mut self, depth: usize) -> Result<Vec<Value>, Error> {
        let count = self.u32()?;
        let mut values = Vec::new();
        for _ in 0..count {
            if self.at_end() {
                return Err(Error::Truncated(self.position));
            }
            values.push(self.value(depth + 1)?);
        }
        Ok(values)
    }
}

/// Text that is never longer than its bytes, so that a limit on the input is a limit on the result.
fn text(bytes: &[u8]) -> String {
    let mut text = String::with_capacity(bytes.len());
    for chunk in bytes.utf8_chunks() {
        text.push_str(chunk.valid());
        if !chunk.invalid().is_empty() {
            text.push('?');
        }
    }
    text
}

/// Appends one value. A string over 65535 bytes becomes a long string; a property name is cut to that length.
pub fn encode(value: &Value, out: &mut impl BufMut) {
    match value {
        Value::Number(number) => {
            out.put_u8(marker::NUMBER);
            out.put_f64(*number);
        }
        Value::Boolean(boolean) => {
            out.put_u8(marker::BOOLEAN);
            out.put_u8(u8::from(*boolean));
        }
        Value::String(text) => encode_str(text, out),
        Value::Object(object) => {
            out.put_u8(marker::OBJECT);
            encode_properties(object, out);
        }
        Value::Null => out.put_u8(marker::NULL),
        Value::Undefined => out.put_u8(marker::UNDEFINED),
        Value::Reference(index) => {
            out.put_u8(marker::REFERENCE);
            out.put_u16(*index);
        }
        Value::EcmaArray(object) => {
            out.put_u8(marker::ECMA_ARRAY);
            out.put_u32(u32::try_from(object.len()).unwrap_or(u32::MAX));
            encode_properties(object, out);
        }
        Value::StrictArray(values) => {
            out.put_u8(marker::STRICT_ARRAY);
            out.put_u32(u32::try_from(values.len()).unwrap_or(u32::MAX));
            values.iter().for_each(|value| encode(value, out));
        }
        Value::Date { millis, zone } => {
            out.put_u8(marker::DATE);
            out.put_f64(*millis);
            out.put_i16(*zone);
        }
        Value::Unsupported => out.put_u8(marker::UNSUPPORTED),
        Value::Xml(text) => {
            out.put_u8(marker::XML);
            encode_long(text, out);
        }
        Value::Typed(typed) => {
            out.put_u8(marker::TYPED_OBJECT);
            encode_name(&typed.0, out);
            encode_properties(&typed.1, out);
        }
    }
}

/// Appends a string value.
pub fn encode_str(text: &str, out: &mut impl BufMut) {
    if text.len() <= usize::from(u16::MAX) {
        out.put_u8(marker::STRING);
        encode_name(text, out);
    } else {
        out.put_u8(marker::LONG_STRING);
        encode_long(text, out);
    }
}

fn encode_long(text: &str, out: &mut impl BufMut) {
    let length = u32::try_from(text.len()).unwrap_or(u32::MAX);
    out.put_u32(length);
    out.put_slice(text.as_bytes().get(..length as usize).unwrap_or_default());
}

fn encode_name(name: &str, out: &mut impl BufMut) {
    let cut = name.floor_char_boundary(usize::from(u16::MAX));
    let bytes = name.as_bytes().get(..cut).unwrap_or_default();
    out.put_u16(u16::try_from(bytes.len()).unwrap_or(u16::MAX));
    out.put_slice(bytes);
}

fn encode_properties(object: &Object, out: &mut impl BufMut) {
    for (name, value) in object.iter() {
        encode_name(name, out);
        encode(value, out);
    }
    out.put_u16(0);
    out.put_u8(marker::OBJECT_END);
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn encoded(value: &Value) -> Vec<u8> {
        let mut out = Vec::new();
        encode(value, &mut out);
        out
    }

    #[test]
    fn golden_bytes_of_every_marker() {
        let object = Object::new().with("a", 1.0);
        let properties = [0, 1, b'a', 0, 0x3f, 0xf0, 0, 0, 0, 0, 0, 0, 0, 0, 9];
        let cases: Vec<(Value, Vec<u8>)> = vec![
            (Value::Number(-2.5), vec![0, 0xc0, 0x04, 0, 0, 0, 0, 0, 0]),
            (Value::Boolean(true), vec![1, 1]),
            (Value::from("live"), b"\x02\x00\x04live".to_vec()),
            (Value::Object(object.clone()), [&[3][..], &properties].concat()),
            (Value::Null, vec![5]),
            (Value::Undefined, vec![6]),
            (Value::Reference(258), vec![7, 1, 2]),
            (Value::EcmaArray(object.clone()), [&[8, 0, 0, 0, 1][..], &properties].concat()),
            (Value::StrictArray(vec![Value::Null, Value::Boolean(false)]), vec![10, 0, 0, 0, 2, 5, 1, 0]),
            (Value::Date { millis: 0.0, zone: -1 }, vec![11, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff]),
            (Value::Unsupported, vec![13]),
            (Value::Xml("<a/>".into()), b"\x0f\x00\x00\x00\x04<a/>".to_vec()),
            (Value::Typed(Box::new(("C".into(), object))), [&[16, 0, 1, b'C'][..], &properties].concat()),
        ];
        for (value, bytes) in cases {
            assert_eq!(encoded(&value), bytes, "{value:?}");
            assert_eq!(decode_all(&bytes, 10).unwrap(), vec![value]);
        }
    }

    #[test]
    fn long_strings_round_trip() {
        let value = Value::String("x".repeat(70_000));
        let bytes = encoded(&value);
        assert_eq!(bytes[..5], [12, 0, 1, 0x11, 0x70]);
        assert_eq!(decode_all(&bytes, 1).unwrap(), vec![value]);
    }

    #[test]
    fn nesting_a_hundred_thousand_deep_is_an_error_and_not_a_crash() {
        let strict = [10, 0, 0, 0, 1].repeat(100_000);
        assert_eq!(decode_all(&strict, usize::MAX), Err(Error::TooDeep(5 * (MAX_DEPTH + 1))));
        let objects = [3, 0, 1, b'a'].repeat(100_000);
        assert!(matches!(decode_all(&objects, usize::MAX), Err(Error::TooDeep(_))));
    }

    #[test]
    fn a_huge_count_on_the_wire_allocates_nothing() {
        assert_eq!(decode_all(&[10, 0xff, 0xff, 0xff, 0xff], 10), Err(Error::Truncated(5)));
        assert_eq!(decode_all(&[12, 0xff, 0xff, 0xff, 0xff, 0], 10), Err(Error::Truncated(5)));
        assert_eq!(decode_all(&[8, 0xff, 0xff, 0xff, 0xff], 10), Ok(vec![Value::EcmaArray(Object::new())]));
    }

    #[test]
    fn the_number_of_values_is_limited() {
        assert_eq!(decode_all(&[5; 4], 4).unwrap().len(), 4);
        assert_eq!(decode_all(&[5; 5], 4), Err(Error::TooManyValues(4)));
    }

    #[test]
    fn an_amf3_value_ends_the_list() {
        let values = decode_all(&[1, 1, 0x11, 0x0a, 0x0b, 0x01], 9).unwrap();
        assert_eq!(values, vec![Value::Boolean(true), Value::Unsupported]);
    }

    #[test]
    fn reserved_markers_are_named() {
        assert_eq!(decode_all(&[5, 4], 9), Err(Error::Marker { marker: 4, offset: 1 }));
        assert_eq!(decode_all(&[0x0e], 9), Err(Error::Marker { marker: 0x0e, offset: 0 }));
        assert_eq!(decode_all(&[9], 9), Err(Error::Marker { marker: 9, offset: 0 }));
    }

    #[test]
    fn text_that_is_not_utf8_does_not_grow() {
        let values = decode_all(b"\x02\x00\x03a\xff\xfe", 1).unwrap();
        assert_eq!(values, vec![Value::from("a??")]);
    }

    fn any_value() -> impl Strategy<Value = Value> {
        let leaf = prop_oneof![
            prop::num::f64::NORMAL.prop_map(Value::Number),
            any::<bool>().prop_map(Value::Boolean),
            ".{0,12}".prop_map(Value::String),
            Just(Value::Null),
            Just(Value::Undefined),
            any::<u16>().prop_map(Value::Reference),
            any::<i16>().prop_map(|zone| Value::Date { millis: 1e12, zone }),
            Just(Value::Unsupported),
            ".{0,12}".prop_map(Value::Xml),
        ];
        leaf.prop_recursive(4, 32, 6, |inner| {
            let object = prop::collection::vec(("[a-z]{1,5}", inner.clone()), 0..6).prop_map(Object);
            prop_oneof![
                object.clone().prop_map(Value::Object),
                object.clone().prop_map(Value::EcmaArray),
                ("[a-z]{0,5}", object).prop_map(|typed| Value::Typed(Box::new(typed))),
                prop::collection::vec(inner, 0..6).prop_map(Value::StrictArray),
            ]
        })
    }

    proptest! {
        #[test]
        fn what_is_encoded_decodes_to_the_same(values in prop::collection::vec(any_value(), 0..5)) {
            let mut bytes = Vec::new();
            values.iter().for_each(|value| encode(value, &mut bytes));
            prop_assert_eq!(decode_all(&bytes, usize::MAX).unwrap(), values);
        }

        #[test]
        fn any_bytes_decode_or_fail_within_the_limit(bytes in prop::collection::vec(0u8..20, 0..400)) {
            if let Ok(values) = decode_all(&bytes, 50) {
                prop_assert!(values.len() <= 50);
            }
        }
    }
}
