/*!
How records lie in a segment.

```text
segment = header header frame*                        the header twice: one damaged copy costs nothing
header  = "logveil-queue/2\n" origin(16) number(8) first(8) expected(8) zeros(4) check(4)
frame   = mark(4) length(4) sequence(8) key(4) check(4) sealed(length)
```

Numbers are little-endian, `check` is the CRC-32 of what stands before it. A
frame is one record, so whatever damages a byte damages one record; where a
frame's head is damaged the next good one is looked for.

Version 2 has what version 1 has, and records that know where they may be kept
or that were refused; version 1 is read.
*/

/// The run that wrote a segment: random.
pub(super) type Origin = [u8; 16];

pub(super) const HEADER_BYTES: usize = 64;
pub(super) const HEADERS_BYTES: usize = 2 * HEADER_BYTES;
pub(super) const HEAD_BYTES: usize = 24;
const FORMAT: &[u8; 16] = b"logveil-queue/2\n";
const FORMATS_READ: [&[u8; 16]; 2] = [b"logveil-queue/1\n", FORMAT];
const MARK: &[u8; 4] = b"\x9eLVq";

/// What is known of a segment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Header {
    /// Who wrote it.
    pub origin: Origin,
    /// Its own number.
    pub number: u64,
    /// Sequence of its first record.
    pub first: u64,
    /// Where the run's segment before it ended: the sequence that would have come next. What lies between was never
    /// confirmed to anybody.
    pub expected: u64,
}

impl Header {
    /// Both copies.
    pub(super) fn encode(&self) -> [u8; HEADERS_BYTES] {
        let mut one = [0; HEADER_BYTES];
        one[..16].copy_from_slice(FORMAT);
        one[16..32].copy_from_slice(&self.origin);
        one[32..40].copy_from_slice(&self.number.to_le_bytes());
        one[40..48].copy_from_slice(&self.first.to_le_bytes());
        one[48..56].copy_from_slice(&self.expected.to_le_bytes());
        let check = crc32fast::hash(&one[..60]);
        one[60..].copy_from_slice(&check.to_le_bytes());
        let mut both = [0; HEADERS_BYTES];
        both[..HEADER_BYTES].copy_from_slice(&one);
        both[HEADER_BYTES..].copy_from_slice(&one);
        both
    }

    /// The first copy that is whole.
    pub(super) fn decode(both: &[u8; HEADERS_BYTES]) -> Option<Header> {
        let (copies, _) = both.as_chunks::<HEADER_BYTES>();
        copies.iter().find_map(|one| {
            let check = u32::from_le_bytes(*one.last_chunk()?);
            if FORMATS_READ.iter().all(|format| one[..16] != **format) || crc32fast::hash(&one[..60]) != check
            {
                return None;
            }
            Some(Header {
                origin: one[16..32].try_into().ok()?,
                number: u64_at(one, 32)?,
                first: u64_at(one, 40)?,
                expected: u64_at(one, 48)?,
            })
        })
    }
}

/// The head of a frame.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Head {
    /// Bytes that follow it.
    pub length: u32,
    /// The record's number in its run.
    pub sequence: u64,
    /// The key that sealed it.
    pub key: u32,
}

impl Head {
    pub(super) fn encode(&self) -> [u8; HEAD_BYTES] {
        let mut head = [0; HEAD_BYTES];
        head[..4].copy_from_slice(MARK);
        head[4..8].copy_from_slice(&self.length.to_le_bytes());
        head[8..16].copy_from_slice(&self.sequence.to_le_bytes());
        head[16..20].copy_from_slice(&self.key.to_le_bytes());
        let check = crc32fast::hash(&head[..20]);
        head[20..].copy_from_slice(&check.to_le_bytes());
        head
    }

    fn decode(head: &[u8; HEAD_BYTES]) -> Option<Head> {
        let check = u32::from_le_bytes(*head.last_chunk()?);
        if head[..4] != *MARK || crc32fast::hash(&head[..20]) != check {
            return None;
        }
        let length = u32::from_le_bytes(head[4..8].try_into().ok()?);
        let key = u32::from_le_bytes(head[16..20].try_into().ok()?);
        Some(Head { length, sequence: u64_at(head, 8)?, key })
    }
}

/// What stands at the beginning of some bytes of a segment.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Step<'a> {
    /// A frame: its head, the head's bytes, what is sealed.
    Frame(Head, &'a [u8], &'a [u8]),
    /// A frame that goes on behind the bytes; so long it is.
    Longer(usize),
    /// No frame. So many bytes are to be stepped over; a frame may stand behind them.
    Damaged(usize),
}

/// What stands at the beginning of `bytes`, of which there are `left` to the end of the segment.
pub(super) fn step(bytes: &[u8], left: u64) -> Step<'_> {
    let Some(first) = bytes.first_chunk::<HEAD_BYTES>() else {
        return if bytes.len() as u64 == left {
            Step::Damaged(bytes.len())
        } else {
            Step::Longer(HEAD_BYTES)
        };
    };
    match Head::decode(first) {
        Some(head) => {
            let end = HEAD_BYTES + head.length as usize;
            if end as u64 > left {
                // Its end was never written. Nothing of it is good, and a frame cannot stand within it.
                return Step::Damaged(bytes.len());
            }
            match bytes.get(HEAD_BYTES..end) {
                Some(sealed) => Step::Frame(head, first, sealed),
                None => Step::Longer(end),
            }
        }
        None => Step::Damaged(next_mark(bytes)),
    }
}

/// How far it is to the next good head behind the first byte, or to where one may begin at the end.
fn next_mark(bytes: &[u8]) -> usize {
    for at in memchr::memmem::find_iter(&bytes[1..], MARK) {
        match bytes[1 + at..].first_chunk::<HEAD_BYTES>() {
            Some(head) if Head::decode(head).is_none() => {}
            _ => return 1 + at,
        }
    }
    // A mark may be cut by the end of the bytes.
    (bytes.len() - (MARK.len() - 1).min(bytes.len() - 1)).max(1)
}

fn u64_at(bytes: &[u8], at: usize) -> Option<u64> {
    Some(u64::from_le_bytes(bytes.get(at..at + 8)?.try_into().ok()?))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn one_copy_of_the_header_is_enough() {
        let header = Header { origin: [5; 16], number: 7, first: 8, expected: 9 };
        for bit in 0..HEADERS_BYTES * 8 {
            let mut both = header.encode();
            both[bit / 8] ^= 1 << (bit % 8);
            assert_eq!(Header::decode(&both), Some(header), "bit {bit}");
        }
        assert_eq!(Header::decode(&[0; HEADERS_BYTES]), None);
    }

    #[test]
    fn the_version_before_is_read_and_one_to_come_is_not() {
        let header = Header { origin: [5; 16], number: 7, first: 8, expected: 9 };
        let of = |version: u8| {
            let mut both = header.encode();
            for one in both.as_chunks_mut::<HEADER_BYTES>().0 {
                one[14] = version;
                let check = crc32fast::hash(&one[..60]);
                one[60..].copy_from_slice(&check.to_le_bytes());
            }
            both
        };
        assert_eq!(Header::decode(&of(b'1')), Some(header));
        assert_eq!(of(b'2'), header.encode());
        assert_eq!(Header::decode(&of(b'3')), None);
    }

    proptest! {
        /// Law: whatever the bytes, every step goes on, and none beyond them.
        #[test]
        fn any_bytes_are_stepped_over(bytes in prop::collection::vec(any::<u8>(), 1..300), more in 0..50u64) {
            let mut rest = bytes.as_slice();
            while !rest.is_empty() {
                match step(rest, rest.len() as u64 + more) {
                    Step::Frame(_, head, sealed) => rest = &rest[head.len() + sealed.len()..],
                    Step::Longer(bytes) => {
                        prop_assert!(bytes > rest.len() && bytes as u64 <= rest.len() as u64 + more
                            || rest.len() < HEAD_BYTES);
                        break;
                    }
                    Step::Damaged(bytes) => {
                        prop_assert!(bytes >= 1 && bytes <= rest.len());
                        rest = &rest[bytes..];
                    }
                }
            }
        }

        /// Law: a frame behind any rubbish is found.
        #[test]
        fn a_frame_behind_rubbish_is_found(
            rubbish in prop::collection::vec(any::<u8>(), 0..200),
            sequence in any::<u64>(),
            key in any::<u32>(),
        ) {
            let frame = [Head { length: 5, sequence, key }.encode().as_slice(), b"12345"].concat();
            let bytes = [rubbish.as_slice(), &frame].concat();
            let mut rest = bytes.as_slice();
            let found = loop {
                match step(rest, rest.len() as u64) {
                    Step::Frame(head, _, sealed) => break (head.sequence, head.key, sealed.to_vec()),
                    Step::Damaged(bytes) => rest = &rest[bytes..],
                    Step::Longer(_) => panic!("all bytes are there"),
                }
            };
            prop_assert_eq!(found, (sequence, key, b"12345".to_vec()));
        }
    }
}
