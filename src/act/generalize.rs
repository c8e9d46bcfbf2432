/*!
Says less of a value: fewer decimals, the year of a date, the family of a user
agent.

Each is cut, not rounded, so that doing it twice changes nothing. What is not
written in a way that is understood for certain is left to others: they redact.
*/

/// Appends coordinates with at most so many decimals. `false`, and nothing appended, if they are none.
pub(super) fn write_coordinates(plain: &[u8], decimals: u8, out: &mut Vec<u8>) -> bool {
    let from = out.len();
    let mut rest = plain;
    for place in 0..2 {
        if place == 1 {
            let gap = rest.iter().take_while(|b| b", ;".contains(b)).count();
            if rest.is_empty() || gap == 0 {
                break;
            }
            out.extend_from_slice(&rest[..gap]);
            rest = &rest[gap..];
        }
        let Some(after) = write_degrees(rest, decimals, out) else { break };
        rest = after;
        if rest.is_empty() {
            return true;
        }
    }
    out.truncate(from);
    false
}

/// Appends the number at the start of `text`; returns what comes after it.
fn write_degrees<'a>(text: &'a [u8], decimals: u8, out: &mut Vec<u8>) -> Option<&'a [u8]> {
    let digits = |text: &[u8]| text.iter().take_while(|b| b.is_ascii_digit()).count();
    let sign = usize::from(matches!(text.first(), Some(b'-' | b'+')));
    let whole = digits(&text[sign..]);
    if !(1..=3).contains(&whole) {
        return None;
    }
    let end = sign + whole;
    out.extend_from_slice(&text[..end]);
    let Some(fraction) = text[end..].strip_prefix(b".") else { return Some(&text[end..]) };
    let given = digits(fraction);
    if given == 0 {
        return None;
    }
    let kept = given.min(decimals.into());
    if kept > 0 {
        out.push(b'.');
        out.extend_from_slice(&fraction[..kept]);
    }
    Some(&fraction[given..])
}

/// Appends the year of a date. `false`, and nothing appended, if there is no year of four digits, or more than one.
pub(super) fn write_year(plain: &[u8], out: &mut Vec<u8>) -> bool {
    let is_year = |digits: &[u8]| matches!(digits, [b'1', b'8' | b'9', _, _] | [b'2', b'0', _, _]);
    let groups = plain.split(|b| !b.is_ascii_digit()).filter(|group| !group.is_empty());
    let year = match plain {
        // 19900312: the only order in which eight digits begin with a year and go on with a month and a day.
        [year @ .., _, _, _, _] if year.len() == 4 && plain.iter().all(u8::is_ascii_digit) => {
            let number = |at: usize| (plain[at] - b'0') * 10 + (plain[at + 1] - b'0');
            let dated = (1..=12).contains(&number(4)) && (1..=31).contains(&number(6));
            let other_way =
                is_year(&plain[4..]) && (1..=31).contains(&number(0)) && (1..=12).contains(&number(2));
            (is_year(year) && dated && !other_way).then_some(year)
        }
        _ => {
            let mut years = groups.filter(|group| is_year(group));
            years.next().filter(|_| years.next().is_none())
        }
    };
    year.map(|year| out.extend_from_slice(year)).is_some()
}

/// Products that say what a browser is, most telling first: each of them calls itself some of those below it, too.
const FAMILIES: &[(&[u8], &[u8])] = &[
    (b"Edg/", b"Edge"),
    (b"EdgA/", b"Edge"),
    (b"EdgiOS/", b"Edge"),
    (b"Edge/", b"Edge"),
    (b"OPR/", b"Opera"),
    (b"YaBrowser/", b"YaBrowser"),
    (b"Vivaldi/", b"Vivaldi"),
    (b"SamsungBrowser/", b"SamsungBrowser"),
    (b"UCBrowser/", b"UCBrowser"),
    (b"FxiOS/", b"Firefox"),
    (b"CriOS/", b"Chrome"),
    (b"HeadlessChrome/", b"HeadlessChrome"),
    (b"Googlebot/", b"Googlebot"),
    (b"bingbot/", b"bingbot"),
    (b"YandexBot/", b"YandexBot"),
    (b"Firefox/", b"Firefox"),
    (b"Chrome/", b"Chrome"),
    (b"MSIE ", b"MSIE"),
];

/// Longest name of a program that stays, in bytes.
const FAMILY_BYTES_MAX: usize = 32;

/// Appends family and major version, as `Firefox/128`. `false`, and nothing appended, if none can be told.
pub(super) fn write_agent(plain: &[u8], out: &mut Vec<u8>) -> bool {
    for (product, family) in FAMILIES {
        if let Some(at) = memchr::memmem::find(plain, product) {
            return write_product(family, &plain[at + product.len()..], out);
        }
    }
    let version = memchr::memmem::find(plain, b"Version/")
        .filter(|_| memchr::memmem::find(plain, b"Safari/").is_some());
    if let Some(at) = version {
        return write_product(b"Safari", &plain[at + b"Version/".len()..], out);
    }
    let len = plain.iter().take_while(|b| b.is_ascii_alphabetic() || matches!(b, b'-' | b'_')).count();
    let named = (1..=FAMILY_BYTES_MAX).contains(&len) && plain.get(len) == Some(&b'/');
    named && write_product(&plain[..len], &plain[len + 1..], out)
}

fn write_product(family: &[u8], version: &[u8], out: &mut Vec<u8>) -> bool {
    let version = version.strip_prefix(b"v").unwrap_or(version);
    let major = version.iter().take(6).take_while(|b| b.is_ascii_digit()).count();
    // A number of six digits and more is no version that many share.
    if !(1..6).contains(&major) {
        return false;
    }
    out.extend_from_slice(family);
    out.push(b'/');
    out.extend_from_slice(&version[..major]);
    true
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(write: impl Fn(&[u8], &mut Vec<u8>) -> bool, plain: &str, expected: Option<&str>) {
        let mut out = Vec::new();
        let written = write(plain.as_bytes(), &mut out);
        assert_eq!(written.then(|| String::from_utf8_lossy(&out)).as_deref(), expected, "{plain}");
        assert!(written || out.is_empty());
        if written {
            let mut again = Vec::new();
            assert!(write(&out, &mut again), "{plain}");
            assert_eq!(again, out, "{plain}: twice");
        }
    }

    #[test]
    fn coordinates_lose_decimals() {
        let two = |plain: &[u8], out: &mut Vec<u8>| write_coordinates(plain, 2, out);
        check(two, "52.520008", Some("52.52"));
        check(two, "-0.049", Some("-0.04"));
        check(two, "52.520008, -13.404954", Some("52.52, -13.40"));
        check(two, "52", Some("52"));
        check(|plain, out| write_coordinates(plain, 0, out), "52.9;13.9", Some("52;13"));
        for text in ["", "north", "52.", "52.5 13.4 7.0", "5200.1", "52.5N", "52.5,", "1e9"] {
            check(two, text, None);
        }
    }

    #[test]
    fn of_a_date_the_year_stays() {
        for text in ["1990-03-12", "12.03.1990", "3/12/1990", "12 March 1990", "19900312", "1990"] {
            check(write_year, text, Some("1990"));
        }
        check(write_year, "1990-03-12T00:00:00.000Z", Some("1990"));
        for text in ["12.03.90", "637200000", "-12345678", "1990-1991", "12101990", "20101990", "soon", "90"]
        {
            check(write_year, text, None);
        }
    }

    #[test]
    fn of_a_user_agent_family_and_major_version_stay() {
        let chrome = "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/126.0.0.0 Safari/537.36";
        check(write_agent, chrome, Some("Chrome/126"));
        check(write_agent, &format!("{chrome} Edg/126.0.2592.87"), Some("Edge/126"));
        check(
            write_agent,
            "Mozilla/5.0 (X11; Linux x86_64; rv:128.0) Gecko/20100101 Firefox/128.0",
            Some("Firefox/128"),
        );
        let safari = "Mozilla/5.0 (iPhone; CPU iPhone OS 17_5 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) \
                      Version/17.5 Mobile/15E148 Safari/604.1";
        check(write_agent, safari, Some("Safari/17"));
        check(write_agent, "curl/8.5.0", Some("curl/8"));
        check(write_agent, "Go-http-client/1.1", Some("Go-http-client/1"));
        check(write_agent, "Mozilla/5.0 (compatible; unknown)", Some("Mozilla/5"));
        for text in ["", "curl", "jane@example.com/1", "app/build", "app/20240101", "/1.0"] {
            check(write_agent, text, None);
        }
    }
}
