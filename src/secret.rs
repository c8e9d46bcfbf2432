/*!
Types whose content cannot be printed.

Neither type has `Display`; their `Debug` shows a length. So neither a log
line, nor an error, nor a panic can carry what they hold.
*/

use std::fmt;

use zeroize::{Zeroize, Zeroizing};

/// Bytes of records before `act` has been at them.
#[derive(Default, PartialEq, Eq)]
pub struct Raw(Vec<u8>);

impl Raw {
    /// Wraps bytes as they came.
    pub fn new(bytes: Vec<u8>) -> Raw {
        Raw(bytes)
    }

    /// The bytes, for those who search and replace in them.
    pub fn bytes(&self) -> &[u8] {
        &self.0
    }

    /// Appends bytes as they came and returns where they stand.
    pub fn push(&mut self, bytes: &[u8]) -> crate::span::Span {
        let start = self.0.len();
        self.0.extend_from_slice(bytes);
        crate::span::Span::new(start, self.0.len())
    }

    /// Number of bytes held.
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Whether no byte is held.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Gives the buffer back for reuse.
    pub fn into_inner(self) -> Vec<u8> {
        self.0
    }
}

impl fmt::Debug for Raw {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Raw({} bytes)", self.0.len())
    }
}

/// Key material: wiped when dropped.
pub struct Secret(Zeroizing<Vec<u8>>);

impl Secret {
    /// Takes the bytes over; the caller keeps no copy.
    pub fn new(bytes: Vec<u8>) -> Secret {
        Secret(Zeroizing::new(bytes))
    }

    /// The bytes, for those who compute with them.
    pub fn expose(&self) -> &[u8] {
        &self.0
    }

    /// Wipes the bytes now.
    pub fn wipe(&mut self) {
        self.0.zeroize();
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Secret({} bytes)", self.0.len())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn debug_shows_lengths_alone() {
        assert_eq!(format!("{:?}", Raw::new(b"jane@example.com".to_vec())), "Raw(16 bytes)");
        assert_eq!(format!("{:?}", Secret::new(b"0123456789".to_vec())), "Secret(10 bytes)");
    }
}
