//! Memory that is shared: by all connections of a listener, and by all who make batches.

use std::sync::Arc;

use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use super::Refused;

/// Bytes that connections may hold together, in KiB.
#[derive(Clone, Debug)]
pub struct Room(Arc<Semaphore>);

impl Room {
    /// Room for so many bytes.
    pub fn new(bytes_max: usize) -> Room {
        Room(Arc::new(Semaphore::new((bytes_max / KIB).min(Semaphore::MAX_PERMITS))))
    }

    /// The share of somebody who holds nothing yet.
    pub fn share(&self) -> Share {
        Share { room: self.clone(), permit: None, bytes: 0 }
    }
}

/// What one connection or request holds of the room; given back when it is dropped.
#[derive(Debug)]
pub struct Share {
    room: Room,
    permit: Option<OwnedSemaphorePermit>,
    bytes: usize,
}

impl Share {
    /// Holds so many bytes more. To wait for room could be to wait for each other, so it is there or it is not.
    pub fn grow(&mut self, bytes: usize) -> Result<(), Refused> {
        let before = self.bytes.div_ceil(KIB);
        let more = (self.bytes + bytes).div_ceil(KIB) - before;
        let more = u32::try_from(more).map_err(|_| Refused::Full)?;
        let more = Arc::clone(&self.room.0).try_acquire_many_owned(more).map_err(|_| Refused::Full)?;
        self.bytes += bytes;
        match &mut self.permit {
            Some(permit) => permit.merge(more),
            None => self.permit = Some(more),
        }
        Ok(())
    }

    /// Holds exactly so many bytes; what it held beyond them is given back.
    pub fn hold(&mut self, bytes: usize) -> Result<(), Refused> {
        if let Some(more) = bytes.checked_sub(self.bytes) {
            return self.grow(more);
        }
        let less = self.bytes.div_ceil(KIB) - bytes.div_ceil(KIB);
        drop(self.permit.as_mut().and_then(|permit| permit.split(less)));
        self.bytes = bytes;
        Ok(())
    }
}

/// Turns to make batches, of all sources of the program.
///
/// What connections read, cut and hand on at the same time is what takes memory: whoever does holds a turn, and others
/// wait with a small buffer each. A turn lasts until what was read is in the queues, so it is never waited for by
/// somebody who has one.
#[derive(Clone, Debug)]
pub struct Turns(Arc<Semaphore>);

/// One of the [`Turns`]; given back when it is dropped.
#[derive(Debug)]
pub struct Turn {
    _permit: OwnedSemaphorePermit,
}

impl Turns {
    /// So many at the same time.
    pub fn new(turns: usize) -> Turns {
        Turns(Arc::new(Semaphore::new(turns)))
    }

    /// The next one, in order of asking.
    pub async fn take(&self) -> Turn {
        let permit = Arc::clone(&self.0).acquire_owned().await;
        Turn { _permit: permit.expect("nobody closes the semaphore") }
    }
}

const KIB: usize = 1024;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_given_back_is_free_for_others() {
        let room = Room::new(10 * KIB);
        let (mut one, mut other) = (room.share(), room.share());
        one.hold(9 * KIB + 1).unwrap();
        assert_eq!(other.grow(1), Err(Refused::Full));
        one.hold(9 * KIB).unwrap();
        other.grow(1).unwrap();
        other.grow(KIB - 1).unwrap();
        assert_eq!(other.grow(1), Err(Refused::Full));
        one.hold(0).unwrap();
        other.grow(9 * KIB).unwrap();
        drop(other);
        one.hold(10 * KIB).unwrap();
    }
}
