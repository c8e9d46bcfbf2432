/*!
One record inside a block: numbers as varints, texts with their length before them.
Whatever the bytes, decoding ends in a record or in `None`.
*/

use std::time::Duration;

use crate::act::Envelope;
use crate::clock::Timestamp;
use crate::keys::belief::add;
use crate::record::RecordId;

const PRIORITY: u8 = 1;
const TIME: u8 = 2;

/// Appends a record. `sequence` orders records of the same receive time.
pub(crate) fn encode(envelope: &Envelope<'_>, sequence: u64, out: &mut Vec<u8>) {
    push_moment(envelope.received, out);
    push_number(sequence, out);
    let life = envelope.expires_at.duration_since(envelope.received).as_secs();
    push_number(u64::try_from(life).unwrap_or(0), out);
    let priority = envelope.priority.map_or(0, |_| PRIORITY);
    let time = envelope.time.map_or(0, |_| TIME);
    out.push(priority | time);
    out.extend(envelope.priority);
    if let Some(time) = envelope.time {
        push_moment(time, out);
    }
    for text in [
        envelope.stream.as_bytes(),
        envelope.policy.as_bytes(),
        envelope.host,
        envelope.app,
        envelope.procid,
        envelope.msgid,
        envelope.structured,
        envelope.message,
    ] {
        push_number(text.len() as u64, out);
        out.extend_from_slice(text);
    }
}

/// Takes the first record off `bytes`; `None` if they are not what [`encode`] wrote.
pub(crate) fn decode<'a>(bytes: &mut &'a [u8], class: &'a str) -> Option<(u64, Envelope<'a>)> {
    let received = moment(bytes)?;
    let sequence = number(bytes)?;
    let life = Duration::from_secs(number(bytes)?);
    let [flags] = *take(bytes, 1)? else { return None };
    let priority = if flags & PRIORITY != 0 { Some(take(bytes, 1)?[0]) } else { None };
    let time = if flags & TIME != 0 { Some(moment(bytes)?) } else { None };
    let stream = std::str::from_utf8(text(bytes)?).ok()?;
    let policy = std::str::from_utf8(text(bytes)?).ok()?;
    let envelope = Envelope {
        id: RecordId::default(),
        received,
        time,
        class,
        expires_at: add(received, life),
        stream,
        policy,
        priority,
        host: text(bytes)?,
        app: text(bytes)?,
        procid: text(bytes)?,
        msgid: text(bytes)?,
        structured: text(bytes)?,
        message: text(bytes)?,
    };
    Some((sequence, envelope))
}

fn push_moment(at: Timestamp, out: &mut Vec<u8>) {
    out.extend_from_slice(&at.as_second().to_le_bytes());
    out.extend_from_slice(&at.subsec_nanosecond().to_le_bytes());
}

fn moment(bytes: &mut &[u8]) -> Option<Timestamp> {
    let second = i64::from_le_bytes(take(bytes, 8)?.try_into().ok()?);
    let nanosecond = i32::from_le_bytes(take(bytes, 4)?.try_into().ok()?);
    Timestamp::new(second, nanosecond).ok()
}

/// LEB128.
fn push_number(mut number: u64, out: &mut Vec<u8>) {
    while number >= 0x80 {
        out.push(number as u8 | 0x80);
        number >>= 7;
    }
    out.push(number as u8);
}

fn number(bytes: &mut &[u8]) -> Option<u64> {
    let mut number = 0u64;
    for shift in (0..64).step_by(7) {
        let byte = take(bytes, 1)?[0];
        number |= u64::from(byte & 0x7f) << shift;
        if byte < 0x80 {
            return Some(number);
        }
    }
    None
}

fn text<'a>(bytes: &mut &'a [u8]) -> Option<&'a [u8]> {
    let length = usize::try_from(number(bytes)?).ok()?;
    take(bytes, length)
}

fn take<'a>(bytes: &mut &'a [u8], length: usize) -> Option<&'a [u8]> {
    let (taken, rest) = bytes.split_at_checked(length)?;
    *bytes = rest;
    Some(taken)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn moments() -> impl Strategy<Value = Timestamp> {
        (-377_705_000_000..253_402_000_000i64, 0..1_000_000_000i32).prop_map(|(second, nanosecond)| {
            Timestamp::new(second, nanosecond).unwrap_or(Timestamp::UNIX_EPOCH)
        })
    }

    proptest! {
        /// `decode(encode(record)) = record`, whatever its bytes.
        #[test]
        fn decoding_undoes_encoding(
            received in 0..4_000_000_000i64,
            time in prop::option::of(moments()),
            priority in prop::option::of(any::<u8>()),
            sequence in any::<u64>(),
            life in 0..4_000_000_000u64,
            texts in prop::collection::vec(prop::collection::vec(any::<u8>(), 0..300), 6),
            stream in ".{0,20}",
        ) {
            let received = Timestamp::from_second(received).unwrap();
            let envelope = Envelope {
                id: RecordId::default(),
                received, time, class: "access", expires_at: add(received, Duration::from_secs(life)),
                stream: &stream, policy: "default@1", priority,
                host: &texts[0], app: &texts[1], procid: &texts[2], msgid: &texts[3],
                structured: &texts[4], message: &texts[5],
            };
            let mut bytes = Vec::new();
            encode(&envelope, sequence, &mut bytes);
            let mut rest = bytes.as_slice();
            prop_assert_eq!(decode(&mut rest, "access"), Some((sequence, envelope)));
            prop_assert!(rest.is_empty());
        }

        /// No bytes make it panic.
        #[test]
        fn survives_any_bytes(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
            let mut rest = bytes.as_slice();
            while decode(&mut rest, "access").is_some() {}
        }
    }
}
