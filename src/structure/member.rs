/*!
Looks up a member of a message's outermost JSON object, without decoding the rest.

One pass, no recursion, and no demand that what is skipped be valid. Whatever
is not an object, or ends too early, has no members. Of members of one name
the first counts.
*/

use memchr::memchr2;

use super::Form;

/// Whether the message is a JSON object with a member `key` whose value is this text, number or word. Linear.
pub fn has(message: &[u8], key: &[u8], value: &[u8]) -> bool {
    let mut reader = Reader { rest: message };
    reader.find(key).is_some_and(|found| found.is(value))
}

/// A scalar as it is written.
enum Scalar<'a> {
    /// Between its quotes, escapes undone nowhere.
    Text(&'a [u8]),
    /// A number, `true`, `false` or `null`.
    Bare(&'a [u8]),
}

impl Scalar<'_> {
    fn is(&self, value: &[u8]) -> bool {
        match self {
            Scalar::Text(text) => is_text(text, value),
            Scalar::Bare(text) => *text == value,
        }
    }
}

fn is_text(text: &[u8], value: &[u8]) -> bool {
    if !text.contains(&b'\\') {
        return text == value;
    }
    let mut plain = Vec::new();
    super::decode(text, Form::json(1), &mut plain);
    plain == value
}

struct Reader<'a> {
    rest: &'a [u8],
}

impl<'a> Reader<'a> {
    /// The value of the first member `key` of the object that stands here.
    fn find(&mut self, key: &[u8]) -> Option<Scalar<'a>> {
        self.expect(b'{')?;
        loop {
            let name = self.string()?;
            self.expect(b':')?;
            let value = self.value()?;
            if is_text(name, key) {
                return value;
            }
            self.expect(b',')?;
        }
    }

    fn skip_space(&mut self) {
        self.rest = self.rest.trim_ascii_start();
    }

    fn expect(&mut self, byte: u8) -> Option<()> {
        self.skip_space();
        self.rest = self.rest.strip_prefix(&[byte])?;
        Some(())
    }

    /// What stands between the quotes of a string.
    fn string(&mut self) -> Option<&'a [u8]> {
        self.expect(b'"')?;
        let all = self.rest;
        let mut at = 0;
        loop {
            at += memchr2(b'"', b'\\', all.get(at..)?)?;
            if all[at] == b'"' {
                self.rest = &all[at + 1..];
                return Some(&all[..at]);
            }
            at += 2;
        }
    }

    /// A value; of an object or array only its end matters, so it is `Some(None)`.
    fn value(&mut self) -> Option<Option<Scalar<'a>>> {
        self.skip_space();
        match self.rest.first()? {
            b'"' => self.string().map(|text| Some(Scalar::Text(text))),
            b'{' | b'[' => self.skip_nested().map(|()| None),
            _ => {
                let is_end = |b: &u8| matches!(b, b',' | b'}' | b']') || b.is_ascii_whitespace();
                let len = self.rest.iter().position(is_end)?;
                let (text, rest) = self.rest.split_at(len);
                self.rest = rest;
                Some(Some(Scalar::Bare(text)))
            }
        }
    }

    /// Goes to the end of the object or array that stands here, whatever its depth.
    fn skip_nested(&mut self) -> Option<()> {
        let mut depth = 0_usize;
        loop {
            let at = self.rest.iter().position(|b| matches!(b, b'"' | b'{' | b'[' | b'}' | b']'))?;
            let (byte, rest) = (self.rest[at], &self.rest[at + 1..]);
            match byte {
                b'"' => {
                    self.rest = &self.rest[at..];
                    self.string()?;
                    continue;
                }
                b'{' | b'[' => depth += 1,
                _ => depth -= 1,
            }
            self.rest = rest;
            if depth == 0 {
                return Some(());
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(message: &str, expected: bool) {
        assert_eq!(has(message.as_bytes(), b"kind", b"payment"), expected, "{message}");
    }

    #[test]
    fn finds_members_of_the_outermost_object() {
        check(r#"{"kind":"payment"}"#, true);
        check(r#" { "a" : [ {"kind":"x"} , "]" ] , "kind" : "payment" , "#, true);
        check(r#"{"a":{"b":"}\""},"c":1.5,"kind":"pay\u006dent"}"#, true);
        check(r#"{"\u006bind":"payment"}"#, true);
        assert!(has(br#"{"code":402}"#, b"code", b"402"));
        assert!(has(br#"{"ok":true}"#, b"ok", b"true"));
    }

    #[test]
    fn finds_nothing_elsewhere() {
        for message in [
            "",
            "kind=payment",
            r#"["kind","payment"]"#,
            r#"{"a":{"kind":"payment"}}"#,
            r#"{"kind":"x","kind":"payment"}"#,
            r#"{"kind":["payment"]}"#,
            r#"{"kind":"payment"#,
            r#"{"a":"kind\":\"payment"}"#,
            r#"{"kind":}"#,
            r#"{"a":]"#,
            r#"{"a\"#,
        ] {
            check(message, false);
        }
    }

    #[test]
    fn depth_costs_no_stack() {
        let deep = format!("{{\"a\":{}{},\"kind\":\"payment\"}}", "[".repeat(500_000), "]".repeat(500_000));
        check(&deep, true);
        check(&deep[..500_000], false);
    }
}
