/*!
Clean records sealed for a disk, and opened again.

It stands in `act` because [`Redacted`] does: what comes out of [`Thaw`] was
sealed from one, under a key that the bytes on the disk do not hold. Bytes that
somebody else wrote do not open, so nothing unclean can become clean on its way
through a file.

Each record is sealed by itself (ChaCha20-Poly1305, RFC 8439): what damages one
costs no other. Its nonce is its sequence: of what a [`Seal`] makes of one sequence, one
thing alone may be written anywhere.
*/

use std::sync::Arc;

use chacha20poly1305::aead::{AeadInOut, KeyInit};
use chacha20poly1305::{ChaCha20Poly1305, Key, Nonce, Tag};

use super::Redacted;
use crate::clock::Timestamp;
use crate::record::{ClassId, HomeId, Names, Record, RecordId, StreamId};
use crate::span::Span;
use crate::ttl::Ttl;

/// Bytes that a seal adds to a record.
pub const TAG_BYTES: usize = 16;

/// What a record has, in a byte of flags. The last three came with the second version of the format.
const PRIORITY: u8 = 1;
const TIME: u8 = 2;
/// It may be kept in these regions alone: `eea,us`; in none if the list is empty.
const REGIONS: u8 = 4;
/// Its id is not made of run and sequence.
const ID: u8 = 8;
/// A sink refused it, and why.
const REFUSAL: u8 = 16;
const KNOWN: u8 = PRIORITY | TIME | REGIONS | ID | REFUSAL;

/// What seals the records of one run and one key.
pub struct Seal(ChaCha20Poly1305);

impl Seal {
    /// From a key that no other run has.
    pub fn new(key: &[u8; 32]) -> Seal {
        Seal(ChaCha20Poly1305::new(&Key::from(*key)))
    }
}

impl std::fmt::Debug for Seal {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Seal")
    }
}

fn nonce(sequence: u64) -> Nonce {
    let mut nonce = [0; 12];
    nonce[4..].copy_from_slice(&sequence.to_le_bytes());
    Nonce::from(nonce)
}

impl Redacted {
    /// Appends a record of this batch to `out`, sealed, behind the head that `head` makes of the sealed length.
    /// The head is authenticated with it. False, and nothing appended, if the record is too long for any head.
    pub fn seal<const N: usize>(
        &self,
        record: &Record,
        sequence: u64,
        seal: &Seal,
        head: impl FnOnce(u32) -> [u8; N],
        out: &mut Vec<u8>,
    ) -> bool {
        let start = out.len();
        out.extend([0; N]);
        self.encode(record, out);
        let body = start + N;
        let Ok(length) = u32::try_from(out.len() - body + TAG_BYTES) else {
            out.truncate(start);
            return false;
        };
        let head = head(length);
        out[start..body].copy_from_slice(&head);
        let tag = seal.0.encrypt_inout_detached(&nonce(sequence), &head, out[body..].as_mut().into());
        match tag {
            Ok(tag) => out.extend_from_slice(&tag),
            Err(_) => out.truncate(start),
        }
        out.len() > start
    }

    fn encode(&self, record: &Record, out: &mut Vec<u8>) {
        let (class, ttl) = &self.names.classes[usize::from(record.class.0)];
        push_moment(self.received, out);
        push_number(ttl.duration().as_secs() / 3600, out);
        let priority = record.priority.map_or(0, |_| PRIORITY);
        let time = record.time.map_or(0, |_| TIME);
        let regions = self.names.allowed(record.class, record.home);
        let bound = regions.as_ref().map_or(0, |_| REGIONS);
        let refused = self.refusal.as_ref().map_or(0, |_| ID | REFUSAL);
        out.push(priority | time | bound | refused);
        out.extend(record.priority);
        if let Some(time) = record.time {
            push_moment(time, out);
        }
        if let Some(regions) = regions {
            push_text(regions.join(",").as_bytes(), out);
        }
        if let Some(why) = &self.refusal {
            let RecordId { run, sequence } = self.first;
            out.extend_from_slice(&run.to_le_bytes());
            push_number(sequence.wrapping_add(u64::from(record.place)), out);
            push_text(why.as_bytes(), out);
        }
        let stream = &self.names.streams[usize::from(record.stream.0)];
        for text in [class, stream, &self.names.policy] {
            push_text(text.as_bytes(), out);
        }
        let mut record = *record;
        for part in record.parts_mut() {
            push_text(&self.bytes[part.range()], out);
        }
    }
}

/// Gathers sealed records of one run into batches again, in the order in which they come.
#[derive(Debug)]
pub struct Thaw {
    run: u64,
    batches: Vec<Redacted>,
    names: Names,
    plain: Vec<u8>,
}

impl Thaw {
    /// Begins with nothing of the run of that number.
    pub fn new(run: u64) -> Thaw {
        Thaw { run, batches: Vec::new(), names: Names::default(), plain: Vec::new() }
    }

    /// Opens a record that was sealed behind `head`. False if it is not what was sealed.
    pub fn push(&mut self, sequence: u64, seal: &Seal, head: &[u8], sealed: &[u8]) -> bool {
        let Some((body, tag)) = sealed.split_last_chunk::<TAG_BYTES>() else { return false };
        let mut plain = std::mem::take(&mut self.plain);
        plain.clear();
        plain.extend_from_slice(body);
        let nonce = nonce(sequence);
        let opened =
            seal.0.decrypt_inout_detached(&nonce, head, plain.as_mut_slice().into(), &Tag::from(*tag));
        let taken = opened.is_ok() && self.take(sequence, &plain).is_some();
        self.plain = plain;
        taken
    }

    /// The batches, each with records of one receive time.
    pub fn finish(mut self) -> Vec<Redacted> {
        self.close();
        self.batches
    }

    fn take(&mut self, sequence: u64, mut bytes: &[u8]) -> Option<()> {
        let bytes = &mut bytes;
        let received = moment(bytes)?;
        let ttl = Ttl::hours(u32::try_from(number(bytes)?).ok()?);
        let [flags] = *take(bytes, 1)? else { return None };
        if flags & !KNOWN != 0 {
            return None;
        }
        let priority = if flags & PRIORITY != 0 { Some(take(bytes, 1)?[0]) } else { None };
        let time = if flags & TIME != 0 { Some(moment(bytes)?) } else { None };
        let regions = if flags & REGIONS != 0 { Some(std::str::from_utf8(text(bytes)?).ok()?) } else { None };
        let mut id = RecordId { run: self.run, sequence };
        if flags & ID != 0 {
            let run = u64::from_le_bytes(*take(bytes, 8)?.first_chunk()?);
            id = RecordId { run, sequence: number(bytes)? };
        }
        let refusal = if flags & REFUSAL != 0 { Some(std::str::from_utf8(text(bytes)?).ok()?) } else { None };
        let [class, stream, policy] = [text(bytes)?, text(bytes)?, text(bytes)?].map(std::str::from_utf8);
        let (class, stream, policy) = (class.ok()?, stream.ok()?, policy.ok()?);
        self.begin(received, policy, id, refusal);
        let class = self.class(class, ttl)?;
        let stream = self.stream(stream)?;
        let home = match regions {
            Some(regions) => self.home(regions)?,
            None => HomeId::default(),
        };
        let batch = self.batches.last_mut()?;
        let place = u32::try_from(id.sequence - batch.first.sequence).ok()?;
        let mut record = Record { priority, time, class, stream, place, home, ..Record::default() };
        for part in record.parts_mut() {
            let start = batch.bytes.len();
            batch.bytes.extend_from_slice(text(bytes)?);
            *part = Span::new(start, batch.bytes.len());
        }
        batch.records.push(record);
        Some(())
    }

    /// Begins a batch unless the last one may take a record of this time, policy, id and refusal.
    fn begin(&mut self, received: Timestamp, policy: &str, id: RecordId, refusal: Option<&str>) {
        let goes_on = self.batches.last().is_some_and(|batch| {
            let place = id.sequence.checked_sub(batch.first.sequence);
            batch.received == received
                && batch.first.run == id.run
                && place.is_some_and(|place| place < u64::from(u32::MAX))
                && batch.refusal.as_deref() == refusal
        });
        if goes_on && self.names.policy == policy {
            return;
        }
        self.close();
        policy.clone_into(&mut self.names.policy);
        self.batches.push(Redacted {
            bytes: Vec::new(),
            are_lines: false,
            separators: 0,
            records: Vec::new(),
            received,
            names: Arc::default(),
            first: id,
            refusal: refusal.map(Arc::from),
        });
    }

    fn close(&mut self) {
        if let Some(last) = self.batches.last_mut() {
            // The names of the batches before are the same in most cases; they are a few words each.
            let classes = self.names.classes.clone();
            let streams = self.names.streams.clone();
            let homes = self.names.homes.clone();
            let regions = Vec::new();
            last.names =
                Arc::new(Names { policy: self.names.policy.clone(), classes, streams, regions, homes });
        }
    }

    fn class(&mut self, class: &str, ttl: Ttl) -> Option<ClassId> {
        let classes = &mut self.names.classes;
        let same = |(name, limit): &(String, Ttl)| name == class && limit.duration() == ttl.duration();
        let at = classes.iter().position(same).unwrap_or_else(|| {
            classes.push((class.to_owned(), ttl));
            classes.len() - 1
        });
        u16::try_from(at).ok().map(ClassId)
    }

    /// What a record's class allowed when it came is part of its home here.
    fn home(&mut self, regions: &str) -> Option<HomeId> {
        let regions: Vec<String> =
            regions.split(',').filter(|region| !region.is_empty()).map(str::to_owned).collect();
        let homes = &mut self.names.homes;
        let at = homes.iter().position(|home| *home == regions).unwrap_or_else(|| {
            homes.push(regions);
            homes.len() - 1
        });
        u16::try_from(at + 1).ok().map(HomeId)
    }

    fn stream(&mut self, stream: &str) -> Option<StreamId> {
        let streams = &mut self.names.streams;
        let at = streams.iter().position(|name| name == stream).unwrap_or_else(|| {
            streams.push(stream.to_owned());
            streams.len() - 1
        });
        u16::try_from(at).ok().map(StreamId)
    }
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

fn push_text(text: &[u8], out: &mut Vec<u8>) {
    push_number(text.len() as u64, out);
    out.extend_from_slice(text);
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
    use crate::act::{Envelope, Pass, Tally};
    use crate::secret::Raw;
    use proptest::prelude::*;

    fn batch(received: i64, records: &[(u8, Option<u8>, Option<i64>)]) -> Redacted {
        let classes = vec![("app".to_owned(), Ttl::days(90)), ("access".to_owned(), Ttl::hours(36))];
        let streams = vec!["one".to_owned(), "two".to_owned()];
        let regions = vec![None, Some(vec!["eea".to_owned(), "us".to_owned()])];
        let homes = vec![vec!["us".to_owned(), "ru".to_owned()]];
        let names = Arc::new(Names { policy: "p@1".to_owned(), classes, streams, regions, homes });
        let mut raw = Raw::default();
        let host = raw.push(b"web-1");
        let received = Timestamp::from_second(received).unwrap();
        let mut pass = Pass::new(&raw, received, names);
        for (class, priority, time) in records {
            let record = Record {
                host,
                class: ClassId(u16::from(class % 2)),
                stream: StreamId(u16::from(class / 2 % 2)),
                home: HomeId(u16::from(class / 4 % 2)),
                priority: *priority,
                time: time.map(|time| Timestamp::from_second(time).unwrap()),
                ..Record::plain(Span::new(0, usize::from(*class)))
            };
            pass.withhold(&record, "of the test", &mut Tally::default());
        }
        let mut batch = pass.finish();
        batch.number(RecordId { run: 3, sequence: 100 });
        batch
    }

    fn allowed(batch: &Redacted, record: &Record) -> Option<Vec<String>> {
        let allowed = batch.names().allowed(record.class, record.home);
        allowed.map(|list| list.into_iter().map(str::to_owned).collect())
    }

    fn head(length: u32) -> [u8; 4] {
        length.to_le_bytes()
    }

    fn sealed(batch: &Redacted, seal: &Seal) -> Vec<(u64, Vec<u8>)> {
        let one = |record: &Record| {
            let mut out = Vec::new();
            let sequence = 100 + u64::from(record.place);
            assert!(batch.seal(record, sequence, seal, head, &mut out));
            (sequence, out)
        };
        batch.records().iter().map(one).collect()
    }

    proptest! {
        /// Law: what is opened is what was sealed, each record with all that is known of it.
        #[test]
        fn opening_undoes_sealing(
            received in 0..4_000_000_000i64,
            records in prop::collection::vec(
                (any::<u8>(), prop::option::of(0..192u8), prop::option::of(0..4_000_000_000i64)), 1..20),
        ) {
            let (batch, seal) = (batch(received, &records), Seal::new(&[7; 32]));
            let mut thaw = Thaw::new(3);
            for (sequence, bytes) in sealed(&batch, &seal) {
                prop_assert!(thaw.push(sequence, &seal, &bytes[..4], &bytes[4..]));
            }
            let batches = thaw.finish();
            let opened: Vec<Envelope<'_>> = batches.iter().flat_map(Redacted::iter).collect();
            prop_assert_eq!(opened, batch.iter().collect::<Vec<_>>());
            // What a record's class and its home allow together, as it was allowed when it was sealed.
            let opened = batches.iter().flat_map(|batch| batch.records().iter().map(|record| allowed(batch, record)));
            let sealed = batch.records().iter().map(|record| allowed(&batch, record));
            prop_assert_eq!(opened.collect::<Vec<_>>(), sealed.collect::<Vec<_>>());
        }

        /// Law: what was refused keeps its ids and the reason, under whatever sequence it is sealed.
        #[test]
        fn what_was_refused_keeps_its_ids(
            run in 1..u64::MAX,
            first in 0..u64::MAX / 2,
            kept in prop::collection::vec(any::<bool>(), 1..20),
        ) {
            let records: Vec<_> = (0..kept.len()).map(|class| (class as u8, None, None)).collect();
            let mut batch = batch(1, &records);
            batch.number(RecordId { run, sequence: first });
            let whole = batch;
            let batch = whole.only(|record| kept[record.place as usize]).refused("answer 400".into());
            let same = whole.iter().zip(&kept).filter(|(_, kept)| **kept).map(|(envelope, _)| envelope);
            prop_assert_eq!(batch.iter().collect::<Vec<_>>(), same.collect::<Vec<_>>());
            let seal = Seal::new(&[7; 32]);
            let mut thaw = Thaw::new(3);
            for (record, sequence) in batch.records().iter().zip(500..) {
                let mut out = Vec::new();
                prop_assert!(batch.seal(record, sequence, &seal, head, &mut out));
                prop_assert!(thaw.push(sequence, &seal, &out[..4], &out[4..]));
            }
            let batches = thaw.finish();
            prop_assert!(batches.iter().all(|batch| batch.refusal() == Some("answer 400")));
            let opened: Vec<Envelope<'_>> = batches.iter().flat_map(Redacted::iter).collect();
            prop_assert_eq!(opened, batch.iter().collect::<Vec<_>>());
        }

        /// Law: a record with any bit changed, under another sequence or another key, does not open.
        #[test]
        fn what_was_not_sealed_does_not_open(class in any::<u8>(), bit in any::<prop::sample::Index>()) {
            let (batch, seal) = (batch(1, &[(class, Some(1), None)]), Seal::new(&[7; 32]));
            let (sequence, mut bytes) = sealed(&batch, &seal).pop().unwrap();
            let mut thaw = Thaw::new(3);
            prop_assert!(!thaw.push(sequence + 1, &seal, &bytes[..4], &bytes[4..]));
            prop_assert!(!thaw.push(sequence, &Seal::new(&[8; 32]), &bytes[..4], &bytes[4..]));
            let bit = bit.index(bytes.len() * 8);
            bytes[bit / 8] ^= 1 << (bit % 8);
            prop_assert!(!thaw.push(sequence, &seal, &bytes[..4], &bytes[4..]));
            prop_assert!(thaw.finish().is_empty());
        }
    }
}
