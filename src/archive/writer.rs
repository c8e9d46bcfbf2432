/*!
Appending: records are grouped by partition, packed into blocks, written, and
synced once per touched file. All of an append is there, or nothing of it.

Per byte of a message: one copy into the block, one pass of zstd, one of ChaCha20,
one write. Per append: one `fdatasync` a partition, usually one or two.
*/

use std::collections::HashSet;
use std::sync::Arc;

use super::block::{Pending, compressor};
use super::name::Name;
use super::partition::{Opened, Opening, Partition, purpose};
use super::record::encode;
use super::{Appended, Archive, Error, rewrite};
use crate::act::Redacted;
use crate::clock::Timestamp;
use crate::keys::schedule::Schedule;
use crate::limit::{ARCHIVE_BLOCK_BYTES, ARCHIVE_BLOCK_BYTES_MAX, ARCHIVE_OPEN_MAX};
use crate::ttl::Ttl;
use crate::vault;

/// Parts of one class and time at most; each stands for something that could not be continued.
const PARTS_MAX: u32 = 99;

/// What is open for writing. Behind a lock in [`Archive`].
pub(crate) struct Writer {
    open: Vec<Partition>,
    /// Partitions that a failed sync made untrustworthy.
    given_up: HashSet<Name>,
    compressor: zstd::bulk::Compressor<'static>,
    sequence: u64,
}

/// What is to be appended to one partition.
struct Group {
    partition: Partition,
    /// Index of the first block, to go back to.
    first: u32,
    pending: Pending,
    out: Vec<u8>,
}

impl Writer {
    pub(crate) fn new() -> Result<Writer, Error> {
        let compressor = compressor()?;
        Ok(Writer { open: Vec::new(), given_up: HashSet::new(), compressor, sequence: 0 })
    }

    /// Closes a partition that is about to be destroyed.
    pub(crate) fn close(&mut self, name: &Name) {
        self.open.retain(|partition| partition.name != *name);
        self.given_up.remove(name);
    }

    pub(crate) fn append(
        &mut self,
        archive: &Archive,
        batches: &[Arc<Redacted>],
        now: Timestamp,
    ) -> Result<Appended, Error> {
        self.close_replaced(archive, now)?;
        let mut groups = Vec::new();
        let mut appended = Appended::default();
        let written = self
            .fill(archive, batches, now, &mut groups, &mut appended)
            .and_then(|()| self.write(archive, &mut groups));
        match written {
            Ok(bytes) => {
                appended.bytes = bytes;
                self.settle(groups);
                Ok(appended)
            }
            Err(error) => {
                self.roll_back(archive, groups);
                Err(error)
            }
        }
    }

    /// Closes what a verb by hand purged or wrote anew: it would be appended to a file that nobody reads.
    fn close_replaced(&mut self, archive: &Archive, now: Timestamp) -> Result<(), Error> {
        let mut at = 0;
        while let Some(partition) = self.open.get(at) {
            let name = &partition.name;
            if rewrite::finish(&archive.destruction(now), &archive.root, name)? || !partition.is_linked() {
                self.open.remove(at);
            } else {
                at += 1;
            }
        }
        Ok(())
    }

    /// Encodes every record into the group of its partition.
    fn fill(
        &mut self,
        archive: &Archive,
        batches: &[Arc<Redacted>],
        now: Timestamp,
        groups: &mut Vec<Group>,
        appended: &mut Appended,
    ) -> Result<(), Error> {
        for batch in batches {
            // All records of a batch have one receive time, so a class has one place in it.
            let mut places: Vec<Option<Place>> = vec![None; batch.names().classes.len()];
            let received = batch.received().as_microsecond();
            for (record, envelope) in batch.records().iter().zip(batch.iter()) {
                let class = usize::from(record.class.0);
                let place = match places[class] {
                    Some(place) => place,
                    None => {
                        let (name, ttl) = &batch.names().classes[class];
                        let target = Target { class: name, ttl: *ttl, policy: &batch.names().policy };
                        let place = self.place(archive, &target, batch.received(), now, groups, appended)?;
                        places[class] = Some(place);
                        place
                    }
                };
                let Place::Group(at) = place else {
                    appended.overdue += 1;
                    continue;
                };
                let group = &mut groups[at];
                let before = group.pending.raw.len();
                encode(&envelope, self.sequence, &mut group.pending.raw);
                let bytes = group.pending.raw.len() - before;
                if bytes > ARCHIVE_BLOCK_BYTES_MAX - ARCHIVE_BLOCK_BYTES {
                    return Err(Error::RecordTooLong { bytes });
                }
                self.sequence += 1;
                appended.records += 1;
                group.pending.count(received);
                if group.pending.raw.len() >= ARCHIVE_BLOCK_BYTES {
                    self.seal(group)?;
                }
            }
        }
        for group in groups {
            self.seal(group)?;
        }
        Ok(())
    }

    /// The group of a class's records received at `received`; made, and its partition opened, if it is the first.
    fn place(
        &mut self,
        archive: &Archive,
        target: &Target<'_>,
        received: Timestamp,
        now: Timestamp,
        groups: &mut Vec<Group>,
        appended: &mut Appended,
    ) -> Result<Place, Error> {
        let class = target.class;
        if !vault::is_class_name(class) {
            return Err(vault::Error::ClassName { class: class.to_owned() }.into());
        }
        let schedule = Schedule::try_new(target.ttl.duration())
            .map_err(|source| Error::TtlTooShort { class: class.to_owned(), source })?;
        let span = schedule.partition(received);
        if schedule.deadline(span.0) <= now {
            return Ok(Place::Overdue);
        }
        let is = |name: &Name| name.class == class && name.from == span.0;
        if let Some(at) = groups.iter().position(|group| is(&group.partition.name)) {
            return Ok(Place::Group(at));
        }
        let partition = match self.open.iter().position(|partition| is(&partition.name)) {
            Some(at) => self.open.remove(at),
            None => self.open(archive, target, span, now, appended)?,
        };
        let first = partition.next;
        groups.push(Group { partition, first, pending: Pending::default(), out: Vec::new() });
        Ok(Place::Group(groups.len() - 1))
    }

    fn open(
        &mut self,
        archive: &Archive,
        target: &Target<'_>,
        span: (Timestamp, Timestamp),
        now: Timestamp,
        appended: &mut Appended,
    ) -> Result<Partition, Error> {
        let policy = target.policy.split('@').next().unwrap_or(target.policy);
        for part in 1..=PARTS_MAX {
            let name = Name { class: target.class.to_owned(), from: span.0, part };
            if self.given_up.contains(&name) {
                continue;
            }
            let id = name.id();
            let purpose = purpose(&id, policy, target.class, span, target.ttl.duration());
            let opening = Opening { root: &archive.root, kek: &archive.kek, purpose, now };
            match Partition::open(&name, &opening, &archive.destruction(now))? {
                Opened::Ready(partition, cut) => {
                    appended.cut += cut;
                    return Ok(*partition);
                }
                Opened::Unusable => {}
            }
        }
        Err(Error::Seal)
    }

    fn seal(&mut self, group: &mut Group) -> Result<(), Error> {
        if group.pending.count == 0 {
            return Ok(());
        }
        let partition = &mut group.partition;
        partition.sealer.seal(&mut self.compressor, partition.next, &group.pending, &mut group.out)?;
        partition.next += 1;
        group.pending.clear();
        Ok(())
    }

    /// Writes all groups, then syncs all of them. Returns the bytes.
    fn write(&mut self, archive: &Archive, groups: &mut [Group]) -> Result<u64, Error> {
        let disk = archive.dir.disk();
        let mut bytes = 0;
        for group in groups.iter_mut() {
            let Group { partition, out, .. } = group;
            disk.append(&mut partition.file, out).map_err(vault::Error::io(&partition.path))?;
            bytes += out.len() as u64;
        }
        for group in groups.iter() {
            let Group { partition, .. } = group;
            let synced = disk.sync_data(&partition.file);
            if synced.is_err() || !partition.is_linked() {
                // What a failed sync left in memory is never trusted again; what a purge took away is not there.
                self.given_up.insert(partition.name.clone());
            }
            synced.map_err(vault::Error::io(&partition.path))?;
            if !partition.is_linked() {
                return Err(vault::Error::io(&partition.path)(std::io::ErrorKind::NotFound.into()).into());
            }
        }
        Ok(bytes)
    }

    fn settle(&mut self, groups: Vec<Group>) {
        for mut group in groups {
            group.partition.keep(group.out.len() as u64);
            self.open.push(group.partition);
        }
        // The one that was written to longest ago stands first.
        while self.open.len() > ARCHIVE_OPEN_MAX {
            self.open.remove(0);
        }
    }

    fn roll_back(&mut self, archive: &Archive, groups: Vec<Group>) {
        for mut group in groups {
            let whole = group.partition.roll_back(archive.dir.disk(), group.first);
            if whole && !self.given_up.contains(&group.partition.name) && group.partition.is_linked() {
                self.open.push(group.partition);
            }
        }
    }
}

impl std::fmt::Debug for Writer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Writer").field("open", &self.open.len()).finish_non_exhaustive()
    }
}

/// A class as a batch knows it.
struct Target<'a> {
    class: &'a str,
    ttl: Ttl,
    policy: &'a str,
}

/// Where a class's records of one batch go.
#[derive(Clone, Copy)]
enum Place {
    Group(usize),
    /// Nowhere: they are due already.
    Overdue,
}

impl Pending {
    pub(crate) fn count(&mut self, received: i64) {
        let first = self.count == 0;
        self.min = if first { received } else { self.min.min(received) };
        self.max = if first { received } else { self.max.max(received) };
        self.count += 1;
    }

    pub(crate) fn clear(&mut self) {
        self.raw.clear();
        self.count = 0;
    }
}
