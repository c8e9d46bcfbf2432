/*!
MessagePack, read where it stands: heads of values one by one, nothing built, so that a message costs what its bytes do.
*/

use super::document;
use crate::limit::JSON_DEPTH_MAX;

/// The head of a value; of an array or a map what it holds follows.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Head<'a> {
    /// Nothing.
    Nil,
    /// `true` or `false`.
    Boolean(bool),
    /// A number that is not below zero.
    Unsigned(u64),
    /// A number below zero.
    Signed(i64),
    /// A number with decimals.
    Float(f64),
    /// Text, or bytes.
    Text(&'a [u8]),
    /// So many values.
    Array(u64),
    /// So many pairs of values.
    Map(u64),
    /// A type of somebody's own.
    Extension(i8, &'a [u8]),
}

/// Why a value is not there.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Fault {
    /// The text ends before it does.
    #[error("it ends early")]
    Short,
    /// It is none.
    #[error("it is no MessagePack")]
    Malformed,
    /// It nests too deeply.
    #[error("it nests too deeply")]
    TooDeep,
}

/// Takes the next head off `rest`.
pub fn head<'a>(rest: &mut &'a [u8]) -> Result<Head<'a>, Fault> {
    let first = take(rest, 1)?[0];
    Ok(match first {
        0x00..=0x7f => Head::Unsigned(first.into()),
        0x80..=0x8f => Head::Map(u64::from(first & 15)),
        0x90..=0x9f => Head::Array(u64::from(first & 15)),
        0xa0..=0xbf => Head::Text(take(rest, u64::from(first & 31))?),
        0xc0 => Head::Nil,
        0xc1 => return Err(Fault::Malformed),
        0xc2 | 0xc3 => Head::Boolean(first == 0xc3),
        0xc4..=0xc6 => counted(rest, 1 << (first - 0xc4))?,
        0xc7..=0xc9 => {
            let len = number(rest, 1 << (first - 0xc7))?;
            extension(rest, len)?
        }
        0xca => Head::Float(f32::from_bits(number(rest, 4)? as u32).into()),
        0xcb => Head::Float(f64::from_bits(number(rest, 8)?)),
        0xcc..=0xcf => Head::Unsigned(number(rest, 1 << (first - 0xcc))?),
        0xd0..=0xd3 => {
            let bytes = 1 << (first - 0xd0);
            let shift = 64 - 8 * bytes as u32;
            signed((number(rest, bytes)? << shift).cast_signed() >> shift)
        }
        0xd4..=0xd8 => extension(rest, 1 << (first - 0xd4))?,
        0xd9..=0xdb => counted(rest, 1 << (first - 0xd9))?,
        0xdc | 0xdd => Head::Array(number(rest, 2 << (first - 0xdc))?),
        0xde | 0xdf => Head::Map(number(rest, 2 << (first - 0xde))?),
        0xe0..=0xff => Head::Signed(i64::from(first.cast_signed())),
    })
}

fn signed(value: i64) -> Head<'static> {
    u64::try_from(value).map_or(Head::Signed(value), Head::Unsigned)
}

fn take<'a>(rest: &mut &'a [u8], len: u64) -> Result<&'a [u8], Fault> {
    let len = usize::try_from(len).map_err(|_| Fault::Short)?;
    rest.split_off(..len).ok_or(Fault::Short)
}

/// A big-endian number.
fn number(rest: &mut &[u8], bytes: u64) -> Result<u64, Fault> {
    Ok(take(rest, bytes)?.iter().fold(0, |value, byte| value << 8 | u64::from(*byte)))
}

fn counted<'a>(rest: &mut &'a [u8], bytes: u64) -> Result<Head<'a>, Fault> {
    let len = number(rest, bytes)?;
    Ok(Head::Text(take(rest, len)?))
}

fn extension<'a>(rest: &mut &'a [u8], len: u64) -> Result<Head<'a>, Fault> {
    let kind = take(rest, 1)?[0].cast_signed();
    Ok(Head::Extension(kind, take(rest, len)?))
}

/// Looks for the end of a value that comes in pieces. Each byte is looked at once.
#[derive(Clone, Debug)]
pub struct Scanner {
    at: usize,
    /// Values that are still to come.
    left: u64,
}

impl Default for Scanner {
    fn default() -> Scanner {
        Scanner { at: 0, left: 1 }
    }
}

impl Scanner {
    /// Where the value ends that `text` begins with; [`Fault::Short`] if it must be shown again with more behind it.
    pub fn end(&mut self, text: &[u8]) -> Result<usize, Fault> {
        while self.left > 0 {
            let mut rest = text.get(self.at..).unwrap_or_default();
            let inside = match head(&mut rest)? {
                Head::Array(count) => count,
                Head::Map(count) => count * 2,
                _ => 0,
            };
            self.at = text.len() - rest.len();
            self.left = self.left - 1 + inside;
        }
        Ok(self.at)
    }
}

/// Takes a whole value off `rest`; its text.
pub fn value<'a>(rest: &mut &'a [u8]) -> Result<&'a [u8], Fault> {
    let end = Scanner::default().end(rest)?;
    take(rest, end as u64)
}

/// Takes a value off `rest` and appends it as JSON. Keys become text; bytes are taken for text, and what is not UTF-8
/// becomes U+FFFD.
pub fn write_json(rest: &mut &[u8], out: &mut Vec<u8>) -> Result<(), Fault> {
    write(rest, out, 0)
}

fn write(rest: &mut &[u8], out: &mut Vec<u8>, depth: usize) -> Result<(), Fault> {
    if depth > JSON_DEPTH_MAX {
        return Err(Fault::TooDeep);
    }
    match head(rest)? {
        Head::Array(count) => {
            out.push(b'[');
            for place in 0..count {
                if place > 0 {
                    out.push(b',');
                }
                write(rest, out, depth + 1)?;
            }
            out.push(b']');
        }
        Head::Map(count) => {
            out.push(b'{');
            for place in 0..count {
                if place > 0 {
                    out.push(b',');
                }
                key(rest, out, depth)?;
                out.push(b':');
                write(rest, out, depth + 1)?;
            }
            out.push(b'}');
        }
        scalar => write_scalar(scalar, out),
    }
    Ok(())
}

/// A key is a string in JSON, whatever it was.
fn key(rest: &mut &[u8], out: &mut Vec<u8>, depth: usize) -> Result<(), Fault> {
    let mut text = Vec::new();
    write(rest, &mut text, depth + 1)?;
    if text.first() == Some(&b'"') {
        out.extend_from_slice(&text);
    } else {
        document::write_string(&text, out);
    }
    Ok(())
}

fn write_scalar(scalar: Head<'_>, out: &mut Vec<u8>) {
    match scalar {
        Head::Boolean(true) => out.extend_from_slice(b"true"),
        Head::Boolean(false) => out.extend_from_slice(b"false"),
        Head::Unsigned(value) => out.extend_from_slice(value.to_string().as_bytes()),
        Head::Signed(value) => out.extend_from_slice(value.to_string().as_bytes()),
        Head::Float(value) if value.is_finite() => out.extend_from_slice(value.to_string().as_bytes()),
        Head::Float(value) => document::write_string(value.to_string().as_bytes(), out),
        Head::Text(text) | Head::Extension(_, text) => document::write_string(text, out),
        Head::Nil | Head::Array(_) | Head::Map(_) => out.extend_from_slice(b"null"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use rmpv::Value;

    fn values() -> impl Strategy<Value = Value> {
        let leaf = prop_oneof![
            Just(Value::Nil),
            any::<bool>().prop_map(Value::from),
            any::<i64>().prop_map(Value::from),
            any::<u64>().prop_map(Value::from),
            (-1_000_000..1_000_000_i32).prop_map(|n| Value::from(f64::from(n) / 4.0)),
            ".{0,40}".prop_map(Value::from),
        ];
        leaf.prop_recursive(4, 40, 20, |inner| {
            prop_oneof![
                prop::collection::vec(inner.clone(), 0..20).prop_map(Value::Array),
                prop::collection::btree_map("[a-z]{0,40}", inner, 0..20).prop_map(|map| {
                    Value::Map(map.into_iter().map(|(key, value)| (Value::from(key), value)).collect())
                }),
            ]
        })
    }

    fn json(value: &Value) -> serde_json::Value {
        match value {
            Value::Boolean(value) => (*value).into(),
            Value::Integer(value) if value.is_u64() => value.as_u64().into(),
            Value::Integer(value) => value.as_i64().into(),
            Value::F64(value) if value.fract() == 0.0 => (*value as i64).into(),
            Value::F64(value) => (*value).into(),
            Value::String(value) => value.as_str().into(),
            Value::Array(list) => list.iter().map(json).collect(),
            Value::Map(map) => {
                map.iter().map(|(key, value)| (key.as_str().unwrap().to_owned(), json(value))).collect()
            }
            _ => serde_json::Value::Null,
        }
    }

    proptest! {
        #[test]
        fn says_in_json_what_another_wrote(value in values()) {
            let mut text = Vec::new();
            rmpv::encode::write_value(&mut text, &value).unwrap();
            let (mut out, mut rest) = (Vec::new(), &text[..]);
            write_json(&mut rest, &mut out).unwrap();
            prop_assert!(rest.is_empty());
            let read: serde_json::Value = serde_json::from_slice(&out).unwrap();
            prop_assert_eq!(read, json(&value));
        }

        /// However it comes in pieces, a value ends where it ends.
        #[test]
        fn finds_the_end_of_a_value(value in values(), pieces in prop::collection::vec(1..9_usize, 0..20)) {
            let mut text = Vec::new();
            rmpv::encode::write_value(&mut text, &value).unwrap();
            let whole = text.len();
            text.extend_from_slice(&[0x93, 1]);
            let (mut scanner, mut shown) = (Scanner::default(), 0);
            for piece in pieces {
                shown += piece;
                if shown < whole {
                    prop_assert_eq!(scanner.end(&text[..shown]), Err(Fault::Short));
                }
            }
            prop_assert_eq!(scanner.end(&text), Ok(whole));
        }

        #[test]
        fn nothing_makes_it_panic(text in prop::collection::vec(any::<u8>(), 0..40)) {
            let _ = write_json(&mut &text[..], &mut Vec::new());
            let _ = Scanner::default().end(&text);
        }
    }

    #[test]
    fn nesting_ends_at_its_limit() {
        let deep = [vec![0x91; 200_000], vec![1]].concat();
        assert_eq!(write_json(&mut &deep[..], &mut Vec::new()), Err(Fault::TooDeep));
        assert_eq!(Scanner::default().end(&deep), Ok(deep.len()));
    }
}
