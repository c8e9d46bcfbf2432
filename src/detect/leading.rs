/*!
What a pattern's matches begin with: a run of token bytes that is long enough lets its marks be looked for at such runs alone.

The build asks this for the built-in packs, so that a start need not.
*/

use regex_syntax::ParserBuilder;
use regex_syntax::hir::{Class, Hir, HirKind};

/// Bytes of letters, digits, `_` and `-` that every match of the pattern begins with at least; 0 if it is none.
pub fn of_pattern(pattern: &str) -> usize {
    let parsed = ParserBuilder::new().unicode(false).utf8(false).build().parse(pattern);
    parsed.map_or(0, |hir| leading_run(&hir).0)
}

/// How many bytes of a token every match of `hir` begins with, and whether a match has no others.
fn leading_run(hir: &Hir) -> (usize, bool) {
    match hir.kind() {
        HirKind::Empty | HirKind::Look(_) => (0, true),
        HirKind::Literal(literal) => {
            let run = literal.0.iter().take_while(|&&byte| is_token(byte)).count();
            (run, run == literal.0.len())
        }
        HirKind::Class(class) => {
            let all = class_is_token(class);
            (usize::from(all), all)
        }
        HirKind::Repetition(repetition) => {
            let (run, all) = leading_run(&repetition.sub);
            let min = repetition.min as usize;
            (if all { run.saturating_mul(min) } else { run * min.min(1) }, all)
        }
        HirKind::Capture(capture) => leading_run(&capture.sub),
        HirKind::Concat(parts) => {
            let mut total = 0;
            for part in parts {
                let (run, all) = leading_run(part);
                total += run;
                if !all {
                    return (total, false);
                }
            }
            (total, true)
        }
        HirKind::Alternation(choices) => {
            let choices = choices.iter().map(leading_run);
            choices.fold((usize::MAX, true), |(run, all), (one, of_one)| (run.min(one), all && of_one))
        }
    }
}

fn class_is_token(class: &Class) -> bool {
    match class {
        Class::Bytes(class) => class.ranges().iter().all(|range| (range.start()..=range.end()).all(is_token)),
        Class::Unicode(class) => class
            .ranges()
            .iter()
            .all(|range| range.end().is_ascii() && (range.start()..=range.end()).all(|c| is_token(c as u8))),
    }
}

/// Bytes that tokens are made of: a run of them is what is looked for.
pub fn is_token(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || byte == b'_' || byte == b'-'
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_match_begins_with_is_told() {
        for (text, run) in [
            ("ghp_[A-Za-z0-9]{36}", 40),
            ("gh[pousr]_[A-Za-z0-9]{36,255}", 40),
            (r"SG\.[a-z]{20}", 2),
            ("(?:AKIA|ASIA)[A-Z0-9]{16}", 20),
            ("(?i)sk-(?:ant|proj-)?[a-z0-9]{20}", 23),
            ("ab?[.c]d{20}", 1),
            ("(?:abc|d[.])e{20}", 1),
            ("(?P<secret>x{8}(?:-x{4}){3}-x{12})", 36),
            ("a(?:.b)?c{20}", 1),
            ("[^a]b", 0),
        ] {
            assert_eq!(of_pattern(text), run, "{text}");
        }
    }
}
