/*!
A rule's regular expression, compiled when it is first needed: few of some hundred rules ever are in one kind of log.
*/

use std::sync::OnceLock;

use regex_automata::meta::Regex;
use regex_automata::util::primitives::NonMaxUsize;
use regex_automata::util::syntax;
use regex_automata::{Input, MatchKind};
use regex_syntax::ParserBuilder;
use regex_syntax::hir::{Class, Hir, HirKind};

use crate::span::Span;

/// Memory that one compiled pattern may take, in bytes.
const BYTES_MAX: usize = 256 * 1024;

/// Groups of a pattern that are told: all of it, and those up to `secret`.
const GROUPS: usize = 8;

/// Whether somebody has compiled the patterns of a text before.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Trust {
    /// Tests have: it is compiled when it is needed.
    Tested,
    /// Nobody has: it is compiled now, so that a mistake is told now.
    Unknown,
}

/// A regular expression over bytes, with Rust's syntax; `.` and classes know no Unicode.
pub struct Pattern {
    text: Box<str>,
    compiled: OnceLock<Compiled>,
}

impl std::fmt::Debug for Pattern {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Pattern({})", self.text)
    }
}

#[derive(Debug)]
struct Compiled {
    regex: Regex,
    /// Number of the group `secret`.
    secret: Option<usize>,
}

impl Pattern {
    /// Takes the text of a pattern.
    ///
    /// # Errors
    ///
    /// What is wrong with it, unless it is trusted.
    pub fn new(text: &str, trust: Trust) -> Result<Pattern, String> {
        let pattern = Pattern { text: text.into(), compiled: OnceLock::new() };
        if trust == Trust::Unknown {
            let compiled = compile(text)?;
            // Nobody else has it yet, so it is empty.
            let _ = pattern.compiled.set(compiled);
        }
        Ok(pattern)
    }

    /// The text, as packs write it.
    pub fn text(&self) -> &str {
        &self.text
    }

    /// Bytes of letters, digits, `_` and `-` that every match begins with at least.
    pub fn leading_run(&self) -> usize {
        let parsed = ParserBuilder::new().unicode(false).utf8(false).build().parse(&self.text);
        parsed.map_or(0, |hir| leading_run(&hir).0)
    }

    fn compiled(&self) -> &Compiled {
        self.compiled.get_or_init(|| compile(&self.text).expect("tests compile the built-in patterns"))
    }

    /// Whether `text` holds a match.
    pub fn is_match(&self, text: &[u8]) -> bool {
        self.compiled().regex.is_match(text)
    }

    /// The first match, and its group `secret` if it has one. Allocates nothing once the pattern is warm.
    pub fn find(&self, input: &Input) -> Option<(Span, Option<Span>)> {
        let Compiled { regex, secret } = self.compiled();
        let mut slots: [Option<NonMaxUsize>; 2 * GROUPS] = [None; 2 * GROUPS];
        let asked = secret.map_or(2, |group| 2 * group + 2);
        regex.search_slots(input, &mut slots[..asked])?;
        let group = |group: usize| {
            let [start, end] = [slots[2 * group]?, slots[2 * group + 1]?];
            Some(Span::new(start.get(), end.get()))
        };
        Some((group(0)?, secret.and_then(group)))
    }

    /// Bytes that the compiled pattern holds; 0 before it is needed.
    pub fn memory(&self) -> usize {
        self.compiled.get().map_or(0, |compiled| compiled.regex.memory_usage())
    }
}

fn compile(text: &str) -> Result<Compiled, String> {
    let config = Regex::config()
        .match_kind(MatchKind::LeftmostFirst)
        .nfa_size_limit(Some(BYTES_MAX))
        .hybrid_cache_capacity(BYTES_MAX);
    let regex = Regex::builder()
        .configure(config)
        .syntax(syntax::Config::new().unicode(false).utf8(false))
        .build(text)
        .map_err(|err| match err.syntax_error() {
            Some(syntax) => format!("pattern: {}", syntax.to_string().replace('\n', " ")),
            None => {
                format!("pattern takes more than {BYTES_MAX} bytes when compiled; make its counts smaller")
            }
        })?;
    let secret = regex.group_info().to_index(regex_automata::PatternID::ZERO, "secret");
    match secret {
        Some(group) if group >= GROUPS => Err(format!(
            "group secret is number {group} of its pattern; {} is the last that is told",
            GROUPS - 1
        )),
        _ => Ok(Compiled { regex, secret }),
    }
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
            assert_eq!(
                Pattern::new(text, Trust::Tested).expect("it is trusted").leading_run(),
                run,
                "{text}"
            );
        }
    }
}
