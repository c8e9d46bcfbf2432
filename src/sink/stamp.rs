/*!
The time under which a store files a record.

Stores keep a record from its own time on, and sort it into partitions by it.
An outsider writes that time. So it is taken only as far as it lies within a day
before the receipt: a later one would make the record stay beyond its limit, an
earlier one would make it vanish at once, or make partitions without number.
The time as it was written stands in the record beside it.
*/

use crate::act::Envelope;
use crate::clock::Timestamp;
use crate::limit::EVENT_AGE_MAX;

/// The record's own time where it can be believed, else the nearest that can: never later than its receipt.
pub(super) fn stamp(envelope: &Envelope<'_>) -> Timestamp {
    let time = envelope.time.unwrap_or(envelope.received);
    let earliest = envelope.received.checked_sub(EVENT_AGE_MAX).unwrap_or(Timestamp::MIN);
    time.clamp(earliest, envelope.received)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sink::sample::envelope;

    proptest::proptest! {
        /// Law: received - EVENT_AGE_MAX <= stamp <= received, and it is the record's own time where that lies between.
        #[test]
        fn nobody_outside_makes_a_record_live_longer(second in -100_000_000_000_i64..200_000_000_000) {
            let mut envelope = envelope(b"m");
            let time = Timestamp::from_second(second).unwrap();
            envelope.time = Some(time);
            let (stamp, received) = (stamp(&envelope), envelope.received);
            let earliest = received - EVENT_AGE_MAX;
            proptest::prop_assert!(earliest <= stamp && stamp <= received);
            proptest::prop_assert_eq!(stamp == time, earliest <= time && time <= received);
        }
    }
}
