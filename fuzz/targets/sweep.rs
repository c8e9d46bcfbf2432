//! The fast matcher finds what the plain one finds, however a text is cut into haystacks.

#![no_main]

use std::sync::LazyLock;

use libfuzzer_sys::fuzz_target;
use logveil::detect::{Finding, Rules, Scratch, Wanted};

static RULES: LazyLock<Rules> = LazyLock::new(Rules::builtin);

fuzz_target!(|data: &[u8]| {
    let Some(haystacks) = logveil_fuzz::read(data) else { return };
    let wanted = Wanted::new(vec![1; RULES.entities().len()]);
    let mut all: Vec<Vec<Finding>> = vec![Vec::new(); haystacks.spans.len()];
    let take = |place: usize, found: &[Finding]| all[place].extend_from_slice(found);
    RULES.find_all(&wanted, &mut Scratch::default(), &haystacks.buffer, &haystacks.spans, take);
    for (haystack, found) in haystacks.each().zip(all) {
        let mut expected = Vec::new();
        RULES.find_plainly(&wanted, haystack, &mut expected);
        assert_eq!(found, expected, "in {:?}", String::from_utf8_lossy(haystack));
        if opens_armour(haystack) {
            // It may go on in the next haystack, of which the plain matcher knows nothing.
            break;
        }
    }
});

fn opens_armour(haystack: &[u8]) -> bool {
    haystack.windows(5).any(|window| window == b"-----")
}
