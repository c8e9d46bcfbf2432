//! Rust's regular expressions, in the three ways in which people use them.

use regex::bytes::{Captures, Regex};

use crate::patterns::ALL;
use crate::{Peer, lines};

/// A pattern without Unicode, as it was made for bytes.
fn ascii(pattern: &str) -> String {
    format!("(?-u){pattern}")
}

/// One `replace_all` after the other on each line: what is written first.
pub fn one_by_one() -> Peer {
    let all =
        ALL.map(|(label, pattern)| (label.as_bytes(), Regex::new(&ascii(pattern)).expect("it is a pattern")));
    Peer::new("regex, 5 patterns, one replace_all after the other", move |piece, out| {
        let mut found = 0;
        for line in lines(piece) {
            let mut text = std::borrow::Cow::Borrowed(line);
            for (label, regex) in &all {
                let replaced = regex.replace_all(&text, |_: &Captures| {
                    found += 1;
                    *label
                });
                if let std::borrow::Cow::Owned(replaced) = replaced {
                    text = replaced.into();
                }
            }
            out.extend_from_slice(&text);
        }
        found
    })
}

/// All as one pattern with a group each.
pub fn alternation() -> Peer {
    let groups: Vec<String> = ALL.iter().map(|(_, pattern)| format!("({pattern})")).collect();
    let regex = Regex::new(&ascii(&groups.join("|"))).expect("they are patterns");
    Peer::new("regex, one alternation, replace_all", move |piece, out| {
        let mut found = 0;
        for line in lines(piece) {
            let replaced = regex.replace_all(line, |captures: &Captures| {
                found += 1;
                let group =
                    (1..captures.len()).find(|at| captures.get(*at).is_some()).expect("one has matched");
                ALL[group - 1].0.as_bytes()
            });
            out.extend_from_slice(&replaced);
        }
        found
    })
}

/// The engine below, over the whole piece.
pub fn meta() -> Peer {
    let patterns = ALL.map(|(_, pattern)| ascii(pattern));
    let syntax = regex_automata::util::syntax::Config::new().utf8(false);
    let regex = regex_automata::meta::Regex::builder().syntax(syntax).build_many(&patterns);
    let regex = regex.expect("they are patterns");
    Peer::new("regex-automata meta, 5 patterns, whole buffer", move |piece, out| {
        let (mut found, mut at) = (0, 0);
        for hit in regex.find_iter(piece) {
            out.extend_from_slice(&piece[at..hit.start()]);
            out.extend_from_slice(ALL[hit.pattern().as_usize()].0.as_bytes());
            at = hit.end();
            found += 1;
        }
        out.extend_from_slice(&piece[at..]);
        found
    })
}
