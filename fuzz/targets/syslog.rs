//! No frame panics the codec; the parts stand in order and the message reaches to the frame's end.

#![no_main]

use libfuzzer_sys::fuzz_target;
use logveil::clock::Timestamp;
use logveil::codec::syslog;
use logveil::span::Span;

fuzz_target!(|input: (i64, &[u8])| {
    let (seconds, frame) = input;
    let Ok(received) = Timestamp::from_second(seconds % 200_000_000_000) else { return };
    let mut record = syslog::parse(frame, Span::new(0, frame.len()), received);
    assert_eq!(record.message.end, frame.len());
    let mut at = 0;
    for part in record.parts_mut().into_iter().filter(|part| !part.is_empty()) {
        assert!(at <= part.start);
        at = part.end;
    }
});
