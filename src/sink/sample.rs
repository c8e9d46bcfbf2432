//! A record for tests of sinks.

use crate::act::Envelope;
use crate::clock::Timestamp;
use crate::record::RecordId;

/// An access record of `web 1` and `shop`, received at 2027-01-15T08:00:00Z, with a limit of 90 days.
pub(super) fn envelope(message: &[u8]) -> Envelope<'_> {
    let received = Timestamp::from_second(1_800_000_000).expect("a moment");
    Envelope {
        id: RecordId { run: 7, sequence: 9 },
        received,
        time: None,
        class: "access",
        expires_at: received + std::time::Duration::from_secs(90 * 86_400),
        stream: "access",
        policy: "default@1",
        priority: Some(190),
        host: b"web 1",
        app: b"shop",
        procid: b"7",
        msgid: b"",
        structured: b"",
        message,
    }
}
