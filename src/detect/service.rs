/*!
Tokens without a mark of their own, which the name of their service gives away: `OKTA_API_TOKEN=00a…`.

A pack names the services, and the token's shape if it is known; what stands
between the two is written here once. The name is followed by a word that says
what comes (`key`, `token`, `secret`, …), and that word is tied to the value:
by the rest of its identifier, by signs, and by one word or one open call at most. Where
the shape is known, the value may also stand directly behind the name. What is
not tied so, as a trace id further on in the line, is no token of that service.
*/

use super::rule::Tied;

/// Least entropy of a token of known shape, in bits per byte: seven different bytes.
const ENTROPY_MIN: f32 = 2.8;

/// Least entropy of a token of unknown shape, in bits per byte: ten different bytes, and more than a time in
/// milliseconds has.
const ENTROPY_MIN_UNKNOWN: f32 = 3.25;

/// What may stand between the name and the word: the rest of the name's identifier, or a few words more.
const GAP: &str = r#"[\w .:=/?&@"'\\>\[\]()-]{0,24}?"#;

/// Words that say that a secret comes.
const WORDS: &str = r"(?i:key|token|secret|access|private|auth|passw|pwd|pw\b|pass\b|pat\b|credential|client[._-]?id|app[._-]?id|sid\b)";

/// A word that says as much only where the shape is known: the names of calls follow it, too.
const WORD_API: &str = r"(?i:api\b)";

/// A sign between word and value, perhaps encoded: `%3D`, `\u003d`.
const SIGN: &str = r"(?:%[0-9A-Fa-f]{2}|\\u00[0-9A-Fa-f]{2}|[^\w\n,;{}%-])";

/// What may stand between the signs: a filling word, or a call that is opened, with its first argument.
const FILLING: &str = concat!(
    r"(?i:is|was|to|code|value|default|key|token|secret)",
    r"|[A-Za-z_.]{1,20}\((?:[\x22'][^\x22'\n,;{}]{0,40}[\x22'],)?",
);

/// The comma between two quoted arguments.
const COMMA: &str = r"[\x22'][ \t]?,[ \t]?[\x22']";

/// A dash alone, as in `okta-key-00a…`: names of machines are written so, too, so the token's shape must be known.
const DASH: &str = "(?i:key|token)?-";

/// What ties the name to the value where no word stands between.
const TIE_DIRECT: &str = r#"["'\])]{0,2}[ \t]{0,2}(?:[?:]{0,2}=>?|[:,])?[ \t("']{1,24}|=|:"#;

/// A token of unknown shape: letters and digits without a sign between them, or with signs, two digits and a place where
/// letter and digit touch, which `forecast_2024_berlin` has not.
const SHAPE: &str = r"[A-Za-z0-9]{20,}={0,2}|(?:[A-Za-z_-]*[0-9]){2}[A-Za-z0-9_-]*?(?:[A-Za-z][0-9]|[0-9][A-Za-z])[A-Za-z0-9_-]*={0,2}";

/// Where a token ends.
const END: &str = r"(?:\W|$)";

/// The pattern of what stands behind a service's name up to its token, and the least entropy of one. `shape` is the token's
/// own pattern, if it is known.
pub fn pattern(shape: Option<&str>, tied: Tied) -> (String, f32) {
    let tie = format!(r"[\w.-]{{0,20}}?(?:-{{0,2}}{SIGN}{{1,12}}(?:(?:{FILLING}){SIGN}{{1,4}})?|{COMMA})");
    let Some(shape) = shape else {
        return (format!("{GAP}{WORDS}{tie}(?P<secret>{SHAPE}){END}"), ENTROPY_MIN_UNKNOWN);
    };
    let by_word = format!("{GAP}(?:{WORDS}|{WORD_API})(?:{tie}|{DASH})");
    let tie = match tied {
        Tied::Name => format!("(?:{by_word}|{TIE_DIRECT})"),
        Tied::Word => by_word,
    };
    (format!("{tie}(?P<secret>{shape}){END}"), ENTROPY_MIN)
}

#[cfg(test)]
mod tests {
    use regex_automata::meta::Regex;
    use regex_automata::util::syntax;
    use regex_automata::{Anchored, Input};

    use super::*;

    fn secret<'t>(shape: Option<&str>, tied: Tied, text: &'t str) -> Option<&'t str> {
        let (pattern, _) = pattern(shape, tied);
        let syntax = syntax::Config::new().unicode(false).utf8(false);
        let regex = Regex::builder().syntax(syntax).build(&pattern).expect("a pattern");
        let mut captures = regex.create_captures();
        let name = text.to_ascii_lowercase().find("okta").expect("the name");
        let input = Input::new(text).range(name + 4..).anchored(Anchored::Yes);
        regex.search_captures(&input, &mut captures);
        captures.get_group_by_name("secret").map(|span| &text[span.range()])
    }

    #[track_caller]
    fn check(shape: Option<&str>, text: &str, expected: Option<&str>) {
        assert_eq!(secret(shape, Tied::Name, text), expected, "{text}");
    }

    #[test]
    fn a_word_ties_the_value_to_the_name() {
        let value = "0a1b2c3d4e5f6a7b8c9d";
        for text in [
            "OKTA_API_TOKEN=0a1b2c3d4e5f6a7b8c9d",
            "okta.token: '0a1b2c3d4e5f6a7b8c9d'",
            r#""oktaSecretKey" => "0a1b2c3d4e5f6a7b8c9d","#,
            r#"{\"okta_client_secret\":\"0a1b2c3d4e5f6a7b8c9d\"}"#,
            "okta api key is 0a1b2c3d4e5f6a7b8c9d",
            "okta_token = os.getenv(\"0a1b2c3d4e5f6a7b8c9d\")",
            "okta_token = getenv('X', '0a1b2c3d4e5f6a7b8c9d')",
            "ENV.fetch('OKTA_TOKEN', '0a1b2c3d4e5f6a7b8c9d')",
            "if okta_key == \"0a1b2c3d4e5f6a7b8c9d\"",
            "oktaSECRET 0a1b2c3d4e5f6a7b8c9d",
            "GET /?okta_token%3D0a1b2c3d4e5f6a7b8c9d%26x=1",
            r"okta_token\u003d0a1b2c3d4e5f6a7b8c9d\u0026x",
            r"{\u0022okta_key\u0022:\u00220a1b2c3d4e5f6a7b8c9d\u0022}",
        ] {
            check(None, text, Some(value));
        }
    }

    #[test]
    fn what_is_not_tied_is_no_token() {
        for text in [
            "okta login trace_id=0a1b2c3d4e5f6a7b8c9d",
            "okta token refused, trace 0a1b2c3d4e5f6a7b8c9d",
            "okta access log request 0a1b2c3d4e5f6a7b8c9d",
            "okta-token-service-7f8d9c5b6-x2x9z up",
            "okta 0a1b2c3d4e5f6a7b8c9d",
            "okta_cache_key=forecast_2024_05_01_12_berlin",
            "okta_token_expires=1732262400123",
            "okta_token_url=https://example.com/0a1b2c3d4e5f6a7b8c9d",
        ] {
            check(None, text, None);
        }
    }

    #[test]
    fn a_known_shape_may_follow_the_name() {
        let shape = Some("[0-9a-f]{20}");
        for text in
            ["okta 0a1b2c3d4e5f6a7b8c9d", "okta: '0a1b2c3d4e5f6a7b8c9d'", "okta-key-0a1b2c3d4e5f6a7b8c9d"]
        {
            check(shape, text, Some("0a1b2c3d4e5f6a7b8c9d"));
        }
        check(shape, "okta 0a1b2c3d4e5f6a7b8c9d0", None);
    }

    #[test]
    fn a_name_alone_ties_nothing_where_a_word_must() {
        let shape = Some("[0-9a-f]{20}");
        let value = "0a1b2c3d4e5f6a7b8c9d";
        assert_eq!(secret(shape, Tied::Word, "OKTA_API='0a1b2c3d4e5f6a7b8c9d'"), Some(value));
        assert_eq!(secret(shape, Tied::Word, "okta: '0a1b2c3d4e5f6a7b8c9d'"), None);
        assert_eq!(secret(shape, Tied::Word, "okta api get 0a1b2c3d4e5f6a7b8c9d"), None);
    }
}
