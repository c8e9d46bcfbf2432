/*!
A rule's regular expression, compiled when it is first needed: few of some hundred rules ever are in one kind of log.
*/

use std::sync::OnceLock;

use regex_automata::meta::Regex;
use regex_automata::util::primitives::NonMaxUsize;
use regex_automata::util::syntax;
use regex_automata::{Input, MatchKind};

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
