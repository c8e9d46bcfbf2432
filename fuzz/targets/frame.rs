//! The chunking law: any split of a stream gives the same frames, and what is unspent stays bounded.

#![no_main]

use libfuzzer_sys::fuzz_target;
use logveil::frame::{Ends, Framer, Lines, Octets, Step, Syslog};
use logveil::span::Span;

const LIMIT: usize = 32;

/// A whole frame with its count, or the digits that may yet become a count.
const UNSPENT_MAX: usize = 80;

fuzz_target!(|input: (u8, Vec<u8>, &[u8])| {
    let (kind, splits, stream) = input;
    assert_eq!(steps(kind, &[], stream), steps(kind, &splits, stream));
});

/// Frames and cuts, each with its bytes, when a stream comes in pieces of these lengths.
fn steps(kind: u8, splits: &[u8], stream: &[u8]) -> Vec<(Step, Vec<u8>)> {
    let mut framer = framer(kind);
    let mut out = Vec::new();
    let mut unspent = Vec::new();
    let mut rest = stream;
    for split in splits.iter().map(|len| usize::from(*len)).chain([usize::MAX]) {
        let (piece, behind) = rest.split_at(split.min(rest.len()));
        rest = behind;
        unspent.extend_from_slice(piece);
        loop {
            let (step, spent) = framer.step(&unspent);
            out.extend(kept(step, &unspent));
            unspent.drain(..spent);
            match step {
                Step::Frame(_) | Step::Cut(_) => {}
                Step::More => break,
                Step::Lost => return out,
            }
        }
        assert!(unspent.len() <= UNSPENT_MAX);
    }
    out.extend(kept(framer.finish(&unspent), &unspent));
    out
}

fn kept(step: Step, haystack: &[u8]) -> Option<(Step, Vec<u8>)> {
    match step {
        Step::Frame(frame) => {
            assert!(!frame.is_empty() && frame.len() <= LIMIT);
            // Where it stands depends on the split; what it is does not.
            Some((Step::Frame(Span::new(0, frame.len())), haystack[frame.range()].to_vec()))
        }
        Step::Cut(_) | Step::Lost => Some((step, Vec::new())),
        Step::More => None,
    }
}

fn framer(kind: u8) -> Box<dyn Framer> {
    match kind % 6 {
        0 => Box::new(Lines::new(Ends::Feed, LIMIT)),
        1 => Box::new(Lines::new(Ends::FeedOrNul, LIMIT)),
        2 => Box::new(Lines::new(Ends::Nul, LIMIT)),
        3 => Box::new(Lines::new(Ends::Unsettled, LIMIT)),
        4 => Box::new(Octets::new(LIMIT)),
        _ => Box::new(Syslog::new(LIMIT)),
    }
}
