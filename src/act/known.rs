/*!
Words in records' headers that were searched and have no findings.

Host, program and process are the same in most records of a stream. What is in a word depends on the word and on what is
looked for, on nothing around it, so a word that is known need not be searched again.
*/

use zeroize::Zeroize;

use crate::record::{ClassId, Record, Tracking};

/// Some words, for each at most one place: a new one takes the place of an old one.
#[derive(Default)]
pub(super) struct Known(Vec<Word>);

#[derive(Clone, Copy)]
struct Word {
    class: ClassId,
    tracking: Tracking,
    len: u8,
    bytes: [u8; WORD_BYTES_MAX],
}

/// Longest word that is remembered, in bytes.
const WORD_BYTES_MAX: usize = 43;

/// Places for words: a power of two. 24 KiB in all.
const WORDS: usize = 512;

impl Known {
    /// Whether a word of a record of that class is known to be clean.
    pub(super) fn is_clean(&self, record: &Record, word: &[u8]) -> bool {
        self.0.get(place(word)).is_some_and(|known| {
            known.bytes.get(..usize::from(known.len)) == Some(word)
                && !word.is_empty()
                && (known.class, known.tracking) == (record.class, record.tracking)
        })
    }

    /// Remembers that a word has no findings.
    pub(super) fn add(&mut self, record: &Record, word: &[u8]) {
        let mut bytes = [0; WORD_BYTES_MAX];
        let Some(room) = bytes.get_mut(..word.len()) else { return };
        room.copy_from_slice(word);
        if self.0.is_empty() {
            let nothing =
                Word { class: ClassId(0), tracking: Tracking::Unsaid, len: 0, bytes: [0; WORD_BYTES_MAX] };
            self.0.resize(WORDS, nothing);
        }
        let (class, tracking, len) = (record.class, record.tracking, word.len() as u8);
        self.0[place(word)] = Word { class, tracking, len, bytes };
    }
}

/// FNV-1a: who finds words that share a place makes them be searched as if there were no memory.
fn place(word: &[u8]) -> usize {
    let hash = word.iter().fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| {
        (hash ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01b3)
    });
    (hash ^ hash >> 32) as usize % WORDS
}

impl Drop for Known {
    fn drop(&mut self) {
        self.0.iter_mut().for_each(|word| word.bytes.zeroize());
    }
}

impl std::fmt::Debug for Known {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Known")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_word_is_known_for_its_class_alone() {
        let (one, other) = (Record::default(), Record { class: ClassId(1), ..Record::default() });
        let mut known = Known::default();
        assert!(!known.is_clean(&one, b"web-1"));
        known.add(&one, b"web-1");
        assert!(known.is_clean(&one, b"web-1"));
        assert!(!known.is_clean(&other, b"web-1"));
        assert!(!known.is_clean(&one, b"web-"));
        let long = [b'x'; WORD_BYTES_MAX + 1];
        known.add(&one, &long);
        assert!(!known.is_clean(&one, &long));
        assert!(!known.is_clean(&one, b""));
    }
}
