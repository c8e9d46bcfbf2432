/*!
How much goes to a store at once: in a request, and in how many of them.
*/

use std::time::Duration;

use super::Delivery;
use crate::act::Envelope;
use crate::limit::{ENVELOPE_BYTES, QUEUE_WINDOW_BYTES, REQUEST_BYTES, REQUEST_RECORDS, REQUESTS};

/// The bounds of one request, and how many there are at the same time. A record that is longer by itself goes alone.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Batch {
    /// Bytes of encoded records. Default [`REQUEST_BYTES`].
    pub bytes_max: usize,
    /// Records. Default [`REQUEST_RECORDS`].
    pub records_max: usize,
    /// How long a delivery that is not full waits for more. Default nothing: it leaves as soon as the sink is free.
    pub age_max: Duration,
    /// Requests at the same time. Default [`REQUESTS`].
    pub requests_max: usize,
}

impl Default for Batch {
    fn default() -> Batch {
        Batch {
            bytes_max: REQUEST_BYTES,
            records_max: REQUEST_RECORDS,
            age_max: Duration::ZERO,
            requests_max: REQUESTS,
        }
    }
}

impl Batch {
    /// Clean bytes that stand before a sink which is fed from the disk: what it may have under way, and one request more.
    pub fn window(self) -> usize {
        QUEUE_WINDOW_BYTES.max(self.bytes_max.saturating_mul(self.requests_max + 1))
    }

    /// Limits a delivery to the first records that may go together, for sinks that encode all of them at once: their
    /// text, and a little for each.
    pub(super) fn bound(self, delivery: &mut Delivery<'_>) {
        let mut bytes = 0;
        let fits = delivery.iter().take(self.records_max).take_while(|envelope| {
            let parts = [envelope.host, envelope.app, envelope.procid, envelope.msgid, envelope.structured];
            let text: usize = parts.into_iter().map(<[u8]>::len).sum();
            bytes += text + envelope.message.len() + ENVELOPE_BYTES;
            bytes <= self.bytes_max
        });
        let records = fits.count().max(1);
        delivery.limit(records);
    }

    /// Encodes the first records of a delivery with `push`, as many as may go together, one at least; the delivery is
    /// limited to these.
    pub(super) fn fill(
        self,
        delivery: &mut Delivery<'_>,
        out: &mut Vec<u8>,
        mut push: impl FnMut(&Envelope<'_>, &mut Vec<u8>),
    ) {
        for (records, envelope) in delivery.iter().enumerate() {
            let start = out.len();
            if records < self.records_max {
                push(&envelope, out);
            }
            if records > 0 && (records >= self.records_max || out.len() > self.bytes_max) {
                out.truncate(start);
                delivery.limit(records);
                return;
            }
        }
    }
}
