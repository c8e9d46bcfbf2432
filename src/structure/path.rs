/*!
Names and paths of fields, and patterns for them.

A path is what stands before a value: `user.address.city`, a segment a level.
A dot in a key divides it like a level would, so that `{"user.email": …}` and
`{"user": {"email": …}}` are one path. Elements of an array have the array's
path. Case, `-` and `_` do not matter, and keys are compared as they read, not
as they are written: `%65mail` and `\u0065mail` are `email`.

A pattern is a path in which `*` stands for any part of a segment, `?` for one
character, and `**` for any number of segments. It fits where the path ends
with it; after `$.` it fits whole paths alone.
*/

use crate::limit::{FIELD_DEPTH_MAX, KEY_BYTES_MAX};
use crate::structure::{json, percent};

/// Where a value stands. Kept from record to record for its allocations.
#[derive(Debug, Default)]
pub struct Path {
    text: Vec<u8>,
    /// Where each segment begins.
    starts: Vec<usize>,
}

/// How long a path was, to go back to.
#[derive(Clone, Copy, Debug)]
pub struct Mark {
    text: usize,
    segments: usize,
}

impl Path {
    /// Goes back to the top.
    pub fn clear(&mut self) {
        self.text.clear();
        self.starts.clear();
    }

    /// Goes down by a key, as it is written; returns the way back.
    pub fn push(&mut self, key: &[u8]) -> Mark {
        let mark = Mark { text: self.text.len(), segments: self.starts.len() };
        self.starts.push(self.text.len());
        let mut at = 0;
        while at < key.len() && self.text.len() - mark.text < KEY_BYTES_MAX {
            let (byte, len) = read(key, at);
            at += len;
            match byte {
                b'.' if self.starts.len() < 2 * FIELD_DEPTH_MAX => self.starts.push(self.text.len()),
                _ => self.text.extend(normal(byte)),
            }
        }
        // Of a key that is too long the rest is told by one sign that no pattern names.
        if at < key.len() {
            self.text.push(b'~');
        }
        mark
    }

    /// Goes back up.
    pub fn pop(&mut self, mark: Mark) {
        self.text.truncate(mark.text);
        self.starts.truncate(mark.segments);
    }

    fn len(&self) -> usize {
        self.starts.len()
    }

    fn segment(&self, place: usize) -> &[u8] {
        let end = self.starts.get(place + 1).copied().unwrap_or(self.text.len());
        &self.text[self.starts[place]..end]
    }
}

/// The byte that is meant at `at`, and how many it is written with.
fn read(key: &[u8], at: usize) -> (u8, usize) {
    if let Some(byte) = percent::unit_at(key, at) {
        return (byte, 3);
    }
    if key[at] == b'\\'
        && let Some(unit) = json::code_unit(key, at)
    {
        return (u8::try_from(unit).unwrap_or(b'~'), 6);
    }
    (key[at], 1)
}

/// A byte as it is compared; none where it does not matter.
fn normal(byte: u8) -> Option<u8> {
    (!matches!(byte, b'-' | b'_' | b' ' | b'\\')).then_some(byte.to_ascii_lowercase())
}

/// Names and paths that fit.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Pattern {
    /// The first one is `**` unless whole paths must fit.
    segments: Vec<Segment>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Segment {
    /// `**`.
    Any,
    /// One key's part between dots.
    One(Box<[u8]>),
}

impl Pattern {
    /// Reads a pattern. `None` if a segment is empty, or there are too many.
    pub fn parse(text: &str) -> Option<Pattern> {
        let (anchored, path) = text.strip_prefix("$.").map_or((false, text), |path| (true, path));
        let mut segments = if anchored { Vec::new() } else { vec![Segment::Any] };
        for part in path.split('.') {
            let segment: Box<[u8]> = part.bytes().filter_map(normal).collect();
            match part {
                _ if segment.is_empty() => return None,
                "**" if segments.last() == Some(&Segment::Any) => {}
                "**" => segments.push(Segment::Any),
                _ => segments.push(Segment::One(segment)),
            }
        }
        (segments.len() <= FIELD_DEPTH_MAX && segments.last() != Some(&Segment::Any))
            .then_some(Pattern { segments })
    }

    /// The same for whole paths alone.
    pub fn anchored(mut self) -> Pattern {
        if self.segments.first() == Some(&Segment::Any) {
            self.segments.remove(0);
        }
        self
    }

    /// Whether it fits by the last key alone, whatever stands above that.
    pub fn is_name(&self) -> bool {
        matches!(self.segments[..], [Segment::Any, Segment::One(_)])
    }

    /// Whether the path fits. At most pattern times path steps.
    pub fn is_match(&self, path: &Path) -> bool {
        self.fits(path.len(), |place| path.segment(place))
    }

    /// Whether a field below the path may fit.
    pub fn may_match_below(&self, path: &Path) -> bool {
        for (place, segment) in self.segments.iter().enumerate() {
            match segment {
                Segment::Any => return true,
                Segment::One(_) if place == path.len() => return true,
                Segment::One(glob) if !is_glob_match(glob, path.segment(place)) => return false,
                Segment::One(_) => {}
            }
        }
        false
    }

    /// Whether all that fits `other` fits this one, too, as far as it can be told: a pattern without stars is looked at as a
    /// path, one with stars must be the same.
    pub fn covers(&self, other: &Pattern) -> bool {
        if self == other {
            return true;
        }
        let ones: Vec<&[u8]> = other
            .segments
            .iter()
            .filter_map(|segment| match segment {
                Segment::Any => None,
                Segment::One(glob) => Some(&**glob),
            })
            .collect();
        let plain = ones.iter().all(|one| !one.contains(&b'*') && !one.contains(&b'?'));
        let anchored = other.segments.len() == ones.len();
        let floats = self.segments.first() == Some(&Segment::Any);
        let only_lead = other.segments.iter().skip(1).all(|segment| *segment != Segment::Any);
        plain && only_lead && (anchored || floats) && self.fits(ones.len(), |place| ones[place])
    }

    /// Glob matching over segments; `**` is the star.
    fn fits<'p>(&self, count: usize, segment: impl Fn(usize) -> &'p [u8]) -> bool {
        let (mut p, mut s) = (0, 0);
        let mut retry = None;
        while s < count {
            match self.segments.get(p) {
                Some(Segment::Any) => {
                    retry = Some((p + 1, s));
                    p += 1;
                }
                Some(Segment::One(glob)) if is_glob_match(glob, segment(s)) => {
                    p += 1;
                    s += 1;
                }
                _ => {
                    let Some((behind, from)) = retry else { return false };
                    retry = Some((behind, from + 1));
                    (p, s) = (behind, from + 1);
                }
            }
        }
        self.segments[p..].iter().all(|segment| *segment == Segment::Any)
    }
}

/// Whether all of `text` fits a pattern in which `*` is any number of characters and `?` is one. At most pattern times
/// text steps.
pub fn is_glob_match(pattern: &[u8], text: &[u8]) -> bool {
    let (mut p, mut t) = (0, 0);
    let mut retry = None;
    while t < text.len() {
        match pattern.get(p) {
            Some(b'*') => {
                retry = Some((p + 1, t));
                p += 1;
            }
            Some(&b) if b == b'?' || b == text[t] => {
                p += 1;
                t += 1;
            }
            _ => {
                // The last star takes one more character.
                let Some((after_star, from)) = retry else { return false };
                retry = Some((after_star, from + 1));
                (p, t) = (after_star, from + 1);
            }
        }
    }
    pattern[p..].iter().all(|&b| b == b'*')
}

#[cfg(test)]
mod tests {
    use super::*;

    fn path(keys: &[&str]) -> Path {
        let mut path = Path::default();
        keys.iter().for_each(|key| {
            path.push(key.as_bytes());
        });
        path
    }

    #[track_caller]
    fn check(pattern: &str, keys: &[&str], expected: bool) {
        let pattern = Pattern::parse(pattern).expect("a pattern");
        assert_eq!(pattern.is_match(&path(keys)), expected, "{pattern:?} {keys:?}");
    }

    #[test]
    fn a_pattern_fits_the_end_of_a_path_and_behind_a_dollar_the_whole() {
        check("email", &["email"], true);
        check("email", &["user", "email"], true);
        check("email", &["email", "domain"], false);
        check("$.email", &["email"], true);
        check("$.email", &["user", "email"], false);
        check("user.email", &["req", "user", "email"], true);
        check("user.email", &["user.email"], true);
        check("user.email", &["superuser", "email"], false);
        check("$.user.*", &["user", "email"], true);
        check("$.user.*", &["user", "email", "domain"], false);
        check("$.user.**.zip", &["user", "a", "b", "zip"], true);
        check("$.user.**.zip", &["user", "zip"], true);
        check("x-*-id", &["X-Request-Id"], true);
        check("x-*-id", &["y-request-id"], false);
    }

    #[test]
    fn spelling_does_not_matter() {
        for key in ["user_email", "user-email", "USER_EMAIL", "userEmail", "%75ser_email", "\\u0075ser_email"]
        {
            check("user_email", &[key], true);
        }
        let long = "a".repeat(1000);
        check(&"a".repeat(KEY_BYTES_MAX), &[&long], false);
    }

    #[test]
    fn going_back_leaves_nothing() {
        let mut path = path(&["a"]);
        let mark = path.push(b"b.c");
        assert!(Pattern::parse("$.a.b.c").unwrap().is_match(&path));
        path.pop(mark);
        assert!(Pattern::parse("$.a").unwrap().is_match(&path));
    }

    #[test]
    fn knows_what_may_come_below() {
        let below =
            |pattern: &str, keys: &[&str]| Pattern::parse(pattern).unwrap().may_match_below(&path(keys));
        assert!(below("$.user.id", &["user"]));
        assert!(!below("$.user.id", &["other"]));
        assert!(!below("$.user", &["user"]));
        assert!(below("id", &["anything"]));
    }

    #[test]
    fn knows_what_covers_another() {
        let covers =
            |one: &str, other: &str| Pattern::parse(one).unwrap().covers(&Pattern::parse(other).unwrap());
        assert!(covers("email", "email"));
        assert!(covers("email", "user.email"));
        assert!(covers("*", "email"));
        assert!(covers("user.*", "$.user.id"));
        assert!(!covers("user.email", "email"));
        assert!(!covers("$.email", "email"));
        assert!(!covers("email", "*"));
    }

    #[test]
    fn what_is_no_pattern_is_refused() {
        for text in ["", "$.", "a..b", ".a", "a.", "**", "a.**", "_"] {
            assert_eq!(Pattern::parse(text), None, "{text}");
        }
    }
}
