//! What an envelope says beside message, host and program, as one element of structured data (RFC 5424, section 6.3).

/// An element that grows by parameters.
#[derive(Clone)]
pub struct Element(Vec<u8>);

impl Element {
    /// An element of this protocol. 32473 is the number that RFC 5612 sets aside for those who have none.
    pub fn new(protocol: &str) -> Element {
        Element(format!("[{protocol}@32473").into_bytes())
    }

    /// Adds a parameter. What may not stand in a name becomes `_`; an empty value is left out.
    pub fn push(&mut self, name: &[u8], value: &[u8]) {
        if value.is_empty() {
            return;
        }
        let plain = |b: u8| b.is_ascii_graphic() && !matches!(b, b'=' | b']' | b'"');
        self.0.push(b' ');
        self.0.extend(name.iter().map(|&b| if plain(b) { b } else { b'_' }));
        if name.is_empty() {
            self.0.push(b'_');
        }
        self.0.extend_from_slice(b"=\"");
        for &byte in value {
            if matches!(byte, b'"' | b'\\' | b']') {
                self.0.push(b'\\');
            }
            self.0.push(byte);
        }
        self.0.push(b'"');
    }

    /// The element; nothing if it has no parameters.
    pub fn finish(mut self) -> Vec<u8> {
        if !self.0.ends_with(b"\"") {
            return Vec::new();
        }
        self.0.push(b']');
        self.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn is_well_formed_whatever_is_put_in() {
        let mut element = Element::new("loki");
        element.push(b"job", b"shop");
        element.push(b"a b=\"]\xc3\xa9", br#"q " b \ c ]"#);
        element.push(b"", b"x");
        element.push(b"none", b"");
        let expected = r#"[loki@32473 job="shop" a_b_____="q \" b \\ c \]" _="x"]"#;
        assert_eq!(String::from_utf8(element.finish()).unwrap(), expected);
        assert!(Element::new("loki").finish().is_empty());
    }
}
