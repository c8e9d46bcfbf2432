/*!
Pseudonyms of sessions and tokens: from a table of random values, not from a key.

A value's entry is a random secret; what stands in the value's place is made of
that secret, the class and the entity. Once the entry is gone, by its limit, by a
logout or with the process, nothing leads from the value to what stood in its
place: not even whoever has all of the memory can make it again, because the
generator of the secrets runs on and does not go back.

The table holds no value: it is found by a keyed hash. All workers share it, in
shards, each behind a lock of its own.
*/

use std::collections::HashMap;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;
use zeroize::{Zeroize, Zeroizing};

use super::KeyId;
use super::belief::add;
use crate::clock::Timestamp;
use crate::limit::SESSIONS_MAX;
use crate::secret::Secret;

const SHARDS: usize = 16;

/// Where a value's entry is; tells nothing of the value.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Place([u8; 16]);

/// The table.
pub struct Sessions {
    id: KeyId,
    places: Hmac<Sha256>,
    generator: Mutex<Zeroizing<[u8; 32]>>,
    shards: [Mutex<HashMap<Place, Entry>>; SHARDS],
    unremembered: AtomicU64,
    /// Entries of a shard at most.
    room: AtomicUsize,
}

struct Entry {
    secret: [u8; 32],
    made: Timestamp,
    expires: Timestamp,
}

impl Sessions {
    /// An empty table, from 64 random bytes. `id` is what its pseudonyms carry as the name of their key.
    pub fn new(id: KeyId, secret: &Secret) -> Sessions {
        let (places, generator) = secret.expose().split_at(secret.expose().len() / 2);
        let mut state = Zeroizing::new([0; 32]);
        state.copy_from_slice(&hash(generator, b"logveil sessions"));
        Sessions {
            id,
            places: Hmac::new_from_slice(places).expect("HMAC takes keys of any length"),
            generator: Mutex::new(state),
            shards: std::array::from_fn(|_| Mutex::default()),
            unremembered: AtomicU64::new(0),
            room: AtomicUsize::new(SESSIONS_MAX / SHARDS),
        }
    }

    /// Remembers so many at most from now on.
    pub fn bound(&self, entries_max: usize) {
        self.room.store(entries_max / SHARDS, Ordering::Relaxed);
    }

    /// The name that its pseudonyms carry.
    pub fn id(&self) -> KeyId {
        self.id
    }

    /// Where the entry of a value is, in whatever class and as whatever entity it was found.
    pub fn place(&self, value: &[u8]) -> Place {
        let mut mac = self.places.clone();
        mac.update(value);
        let mut place = [0; 16];
        place.copy_from_slice(&mac.finalize().into_bytes()[..16]);
        Place(place)
    }

    /// What stands for the value in this class and as this entity: the same until the entry is older than `limit`,
    /// or ended. In a full table each time another.
    pub fn tag(
        &self,
        place: Place,
        (class, entity): (u16, &str),
        now: Timestamp,
        limit: Duration,
    ) -> [u8; 12] {
        let mut shard = self.shard(place);
        if let Some(entry) = shard.get_mut(&place) {
            // The shortest limit that was asked for holds.
            entry.expires = entry.expires.min(add(entry.made, limit));
            if entry.expires > now {
                return entry.tag(class, entity);
            }
            wipe(&mut shard, place);
        }
        let entry = Entry { secret: self.draw(), made: now, expires: add(now, limit) };
        let tag = entry.tag(class, entity);
        if shard.len() < self.room.load(Ordering::Relaxed) {
            shard.insert(place, entry);
        } else {
            self.unremembered.fetch_add(1, Ordering::Relaxed);
        }
        tag
    }

    /// What stands for the value in this class and as this entity, if it has an entry. Makes none.
    pub fn known(&self, place: Place, (class, entity): (u16, &str), now: Timestamp) -> Option<[u8; 12]> {
        let shard = self.shard(place);
        shard.get(&place).filter(|entry| entry.expires > now).map(|entry| entry.tag(class, entity))
    }

    /// Removes an entry; from now on nothing leads from the value to what stood for it. Whether there was one.
    pub fn end(&self, place: Place) -> bool {
        wipe(&mut self.shard(place), place)
    }

    /// Removes the entries whose limit is reached.
    pub fn expire(&self, now: Timestamp) {
        for shard in &self.shards {
            let mut shard = shard.lock().unwrap_or_else(PoisonError::into_inner);
            shard.retain(|_, entry| {
                let stays = entry.expires > now;
                if !stays {
                    entry.secret.zeroize();
                }
                stays
            });
        }
    }

    /// How many entries there are.
    pub fn len(&self) -> usize {
        let of =
            |shard: &Mutex<HashMap<Place, Entry>>| shard.lock().unwrap_or_else(PoisonError::into_inner).len();
        self.shards.iter().map(of).sum()
    }

    /// Whether there is no entry.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// How many pseudonyms were given out of a full table, each for one record alone.
    pub fn unremembered(&self) -> u64 {
        self.unremembered.load(Ordering::Relaxed)
    }

    fn shard(&self, place: Place) -> MutexGuard<'_, HashMap<Place, Entry>> {
        let shard = &self.shards[usize::from(place.0[0]) % SHARDS];
        shard.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A secret that nobody can draw again: the state that gave it is written over.
    fn draw(&self) -> [u8; 32] {
        let mut state = self.generator.lock().unwrap_or_else(PoisonError::into_inner);
        let secret = hash(state.as_slice(), b"secret");
        let mut next = hash(state.as_slice(), b"next");
        state.copy_from_slice(&next);
        next.zeroize();
        secret
    }
}

impl Entry {
    fn tag(&self, class: u16, entity: &str) -> [u8; 12] {
        let mut mac = Hmac::<Sha256>::new_from_slice(&self.secret).expect("HMAC takes keys of any length");
        mac.update(&class.to_le_bytes());
        mac.update(entity.as_bytes());
        let mut tag = [0; 12];
        tag.copy_from_slice(&mac.finalize().into_bytes()[..12]);
        tag
    }
}

/// Writes over an entry where it lies, then removes it.
fn wipe(shard: &mut HashMap<Place, Entry>, place: Place) -> bool {
    let Some(entry) = shard.get_mut(&place) else { return false };
    entry.secret.zeroize();
    shard.remove(&place);
    true
}

fn hash(key: &[u8], text: &[u8]) -> [u8; 32] {
    let mut mac = Hmac::<Sha256>::new_from_slice(key).expect("HMAC takes keys of any length");
    mac.update(text);
    mac.finalize().into_bytes().into()
}

impl std::fmt::Debug for Sessions {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Sessions({} entries)", self.len())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::limit::SESSION_BYTES;

    const WEEK: Duration = Duration::from_secs(7 * 86_400);
    const HOUR: Duration = Duration::from_secs(3600);

    fn table() -> Sessions {
        Sessions::new(KeyId(*b"kaaaa"), &Secret::new((0..64).collect()))
    }

    fn noon() -> Timestamp {
        "2026-11-22T12:00:00Z".parse().expect("a moment")
    }

    fn tag(table: &Sessions, value: &str, now: Timestamp) -> [u8; 12] {
        table.tag(table.place(value.as_bytes()), (0, "session_id"), now, WEEK)
    }

    #[test]
    fn a_token_has_one_pseudonym_until_its_limit() {
        let table = table();
        let first = tag(&table, "a", noon());
        assert_eq!(tag(&table, "a", noon() + WEEK - HOUR), first);
        assert_ne!(tag(&table, "b", noon()), first);
        let place = table.place(b"a");
        assert_ne!(table.tag(place, (1, "session_id"), noon(), WEEK), first, "another class");
        assert_ne!(table.tag(place, (0, "bearer"), noon(), WEEK), first, "another entity");
        let second = tag(&table, "a", noon() + WEEK);
        assert_ne!(second, first, "the limit counts from the first time");
        assert_eq!(tag(&table, "a", noon() + WEEK + HOUR), second);
    }

    #[test]
    fn after_its_end_nothing_leads_from_the_token_to_its_pseudonym() {
        let table = table();
        let first = tag(&table, "a", noon());
        assert!(table.end(table.place(b"a")) && !table.end(table.place(b"a")));
        assert!(table.is_empty());
        assert_ne!(tag(&table, "a", noon()), first);
        assert_ne!(
            tag(&self::table(), "a", noon()),
            tag(&table, "a", noon()),
            "not with the first state either"
        );
    }

    #[test]
    fn the_shortest_limit_holds_and_what_is_over_goes_by_itself() {
        let table = table();
        tag(&table, "a", noon());
        tag(&table, "b", noon());
        table.tag(table.place(b"a"), (0, "session_id"), noon(), HOUR);
        table.expire(noon() + HOUR);
        assert_eq!(table.len(), 1);
        table.expire(noon() + WEEK);
        assert!(table.is_empty());
    }

    #[test]
    fn the_table_is_bounded_and_a_full_one_links_nothing() {
        let table = table();
        table.bound(64 * SHARDS);
        let values: Vec<String> = (0..2000).map(|n| n.to_string()).collect();
        values.iter().for_each(|value| drop(tag(&table, value, noon()).to_vec()));
        assert_eq!(table.len(), 64 * SHARDS);
        assert_eq!(table.unremembered(), 2000 - 64 * SHARDS as u64);
        let same = |value: &&String| tag(&table, value, noon()) == tag(&table, value, noon());
        assert_eq!(values.iter().filter(same).count(), 64 * SHARDS, "the others have another each time");
        // Full at seven eighths; one shard at a time grows, and holds its entries twice then.
        assert!((size_of::<(Place, Entry)>() + 1) * 8 * (SHARDS + 1) <= SESSION_BYTES * 7 * SHARDS);
    }

    #[test]
    fn nothing_prints_a_secret() {
        let table = table();
        tag(&table, "canary", noon());
        assert_eq!(format!("{table:?}"), "Sessions(1 entries)");
    }
}
