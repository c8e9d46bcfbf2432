/*!
Keeps structured data (RFC 5424, section 6.3) well-formed.

In a parameter's value a quote, a backslash and a closing bracket are written
with a backslash before them, labels' brackets too; in a name they cannot
stand at all. What comes out of form all the same, because a finding went over
a border, is withheld whole.
*/

use std::io::Write as _;

/// Reads along and knows whether it stands inside a parameter's value. Linear over all of its calls.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Reader {
    at: usize,
    inside: bool,
    escaped: bool,
}

impl Reader {
    /// Reads on to `at`, which never goes back.
    fn read(&mut self, haystack: &[u8], at: usize) {
        for &byte in &haystack[self.at..at] {
            self.inside ^= byte == b'"' && !self.escaped;
            self.escaped = self.inside && byte == b'\\' && !self.escaped;
        }
        self.at = at;
    }

    /// Writes what `out` holds from `from` on as it must be written at `at` of `haystack`.
    pub(super) fn fit(
        &mut self,
        haystack: &[u8],
        at: usize,
        out: &mut Vec<u8>,
        from: usize,
        spare: &mut Vec<u8>,
    ) {
        self.read(haystack, at);
        spare.clear();
        spare.extend_from_slice(&out[from..]);
        out.truncate(from);
        if !self.inside {
            let name =
                spare.iter().map(|&b| if matches!(b, b'[' | b']' | b'=' | b' ' | b'"') { b'_' } else { b });
            out.extend(name);
            return;
        }
        for &byte in &*spare {
            if matches!(byte, b'"' | b'\\' | b']') {
                out.push(b'\\');
            }
            out.push(byte);
        }
    }
}

/// Puts a well-formed element that tells its length in the place of what `out` holds from `from` on, if that is out
/// of form and `haystack` was not.
pub(super) fn mend(haystack: &[u8], out: &mut Vec<u8>, from: usize) {
    if !is_well_formed(&out[from..]) && is_well_formed(haystack) {
        out.truncate(from);
        write!(out, "[logveil withheld=\"{}\"]", haystack.len()).expect("a vector takes every write");
    }
}

/// Whether `text` is empty, `-`, or one element after the other.
fn is_well_formed(text: &[u8]) -> bool {
    let mut rest = if text == b"-" { b"" } else { text };
    while !rest.is_empty() {
        match after_element(rest) {
            Some(after) => rest = after,
            None => return false,
        }
    }
    true
}

/// What comes after the element at the start of `text`: `[id name="value" …]`.
fn after_element(text: &[u8]) -> Option<&[u8]> {
    let mut rest = after_name(text.strip_prefix(b"[")?)?;
    loop {
        match rest {
            [b']', after @ ..] => return Some(after),
            [b' ', param @ ..] => rest = after_value(after_name(param)?.strip_prefix(b"=\"")?)?,
            _ => return None,
        }
    }
}

/// What comes after the name at the start of `text`.
fn after_name(text: &[u8]) -> Option<&[u8]> {
    let is_name = |b: &&u8| b.is_ascii_graphic() && !matches!(b, b'=' | b']' | b'"');
    let len = text.iter().take_while(is_name).count();
    (len > 0).then(|| &text[len..])
}

/// What comes after the value, and the quote that ends it.
fn after_value(text: &[u8]) -> Option<&[u8]> {
    let mut at = 0;
    loop {
        match *text.get(at)? {
            b'"' => return Some(&text[at + 1..]),
            b']' => return None,
            b'\\' => at += 2,
            _ => at += 1,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(haystack: &str, value: &str, replacement: &str, expected: &str) {
        let at = haystack.find(value).expect("the value is there");
        let mut out = haystack.as_bytes()[..at].to_vec();
        out.extend_from_slice(replacement.as_bytes());
        Reader::default().fit(haystack.as_bytes(), at, &mut out, at, &mut Vec::new());
        out.extend_from_slice(&haystack.as_bytes()[at + value.len()..]);
        mend(haystack.as_bytes(), &mut out, 0);
        assert_eq!(String::from_utf8_lossy(&out), expected);
        assert!(is_well_formed(&out) || !is_well_formed(haystack.as_bytes()));
    }

    #[test]
    fn labels_are_written_as_their_place_demands() {
        check(r#"[a@1 ip="1.2.3.4"]"#, "1.2.3.4", "[ipv4]", r#"[a@1 ip="[ipv4\]"]"#);
        check(r#"[a@1 ip="x\" 1.2.3.4"]"#, "1.2.3.4", "[ipv4]", r#"[a@1 ip="x\" [ipv4\]"]"#);
        check(r#"[a@example.com x="y"]"#, "a@example.com", "[email]", r#"[_email_ x="y"]"#);
    }

    #[test]
    fn what_comes_out_of_form_is_withheld() {
        check(r#"[a@1 k="secret" l="x"]"#, r#"secret" l="#, "[password]", r#"[logveil withheld="22"]"#);
        check(r#"[a@1 k=unquoted]"#, "unquoted", "[password]", "[a@1 k=_password_]");
    }

    #[test]
    fn knows_the_form_of_rfc_5424() {
        for text in ["", "-", "[a]", r#"[a@32473 b="c\"\\\]"][d e="" f="g"]"#] {
            assert!(is_well_formed(text.as_bytes()), "{text}");
        }
        for text in ["[", "[]", "x", "[a b]", r#"[a b="c]"]"#, r#"[a b="c"#, r#"[a b="c\"#, r#"[a  b="c"]"#] {
            assert!(!is_well_formed(text.as_bytes()), "{text}");
        }
    }
}
