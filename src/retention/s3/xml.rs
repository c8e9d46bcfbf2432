//! As much of the XML of S3 as its answers have: elements without attributes that matter, five entities.

/// What stands in the elements of this name, none of which holds one of its own name.
pub(super) fn of<'a>(text: &'a str, tag: &str) -> Vec<&'a str> {
    let (open, close) = (format!("<{tag}>"), format!("</{tag}>"));
    let mut found = Vec::new();
    let mut rest = text;
    while let Some((_, after)) = rest.split_once(&open) {
        let Some((inside, behind)) = after.split_once(&close) else { break };
        found.push(inside);
        rest = behind;
    }
    found
}

const ENTITIES: [(&str, &str); 5] =
    [("&lt;", "<"), ("&gt;", ">"), ("&quot;", "\""), ("&apos;", "'"), ("&amp;", "&")];

pub(super) fn unescaped(text: &str) -> String {
    ENTITIES.iter().fold(text.to_owned(), |text, (entity, sign)| text.replace(entity, sign))
}

pub(super) fn escaped(text: &str) -> String {
    ENTITIES.iter().rev().fold(text.to_owned(), |text, (entity, sign)| text.replace(sign, entity))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_are_escaped_and_read_back() {
        for text in ["a&lt;b", "<&>\"'", "plain"] {
            assert_eq!(unescaped(&escaped(text)), text);
        }
    }
}
