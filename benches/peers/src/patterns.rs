//! The five patterns that every peer searches for: fewer than logveil does, and plain, as people write them.

/// What is put in the place of a match, and the pattern. ASCII only, so that each engine takes its fast path.
pub const ALL: [(&str, &str); 5] = [
    ("[email]", r"[A-Za-z0-9._%+-]+@[A-Za-z0-9.-]+\.[A-Za-z]{2,}"),
    ("[ipv4]", r"\b(?:(?:25[0-5]|2[0-4][0-9]|1?[0-9]?[0-9])\.){3}(?:25[0-5]|2[0-4][0-9]|1?[0-9]?[0-9])\b"),
    (
        "[ipv6]",
        r"\b(?:(?:[0-9a-f]{1,4}:){7}[0-9a-f]{1,4}|(?:[0-9a-f]{1,4}:){1,6}:(?:[0-9a-f]{1,4}:){0,5}[0-9a-f]{1,4})\b",
    ),
    ("[jwt]", r"eyJ[A-Za-z0-9_-]+\.[A-Za-z0-9_-]+\.[A-Za-z0-9_-]+"),
    ("[card]", r"\b(?:[0-9]{4}[ -]?){3}[0-9]{3,4}\b"),
];
