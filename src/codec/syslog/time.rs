//! Times as syslog writes them, from the start of a text.

use jiff::civil::DateTime;
use jiff::tz::Offset;

use crate::clock::Timestamp;

/// A time of RFC 3339 with date, `T` and zone, as RFC 5424 asks (section 6.2.3), and its length.
///
/// Up to nine decimals are taken: six are allowed, but Go writes nine.
pub fn rfc3339(text: &[u8]) -> Option<(Timestamp, usize)> {
    let shape = text.get(..19)?;
    if shape[4] != b'-' || shape[7] != b'-' || shape[10] != b'T' || shape[13] != b':' || shape[16] != b':' {
        return None;
    }
    let [year, month, day] = [digits(&shape[..4])?, digits(&shape[5..7])?, digits(&shape[8..10])?];
    let [hour, minute, second] = [digits(&shape[11..13])?, digits(&shape[14..16])?, digits(&shape[17..])?];
    let (nanos, at) = decimals(text, 19)?;
    let (offset, at) = zone(text, at)?;
    let time = civil(year, [month, day, hour, minute, second], nanos)?;
    Some((offset.to_timestamp(time).ok()?, at))
}

/// A time of RFC 3164, section 4.1.2, `Oct  9 22:14:15`, and its length; also with one space before the day, a year
/// behind it, decimals. It is taken as UTC.
pub fn rfc3164(text: &[u8], received: Timestamp) -> Option<(Timestamp, usize)> {
    let month = text.get(..3)?.to_ascii_lowercase();
    let month = 1 + MONTHS.iter().position(|name| **name == month[..])? as i16;
    let at = if text.get(3..5)? == b"  " { 5 } else { 4 };
    let (day, at) = short(text, at, 2)?;
    let (year, at) = match short(text, at + 1, 4) {
        Some((year, end)) if end == at + 5 && text[end] == b' ' => (Some(year), end),
        _ => (None, at),
    };
    let clock = text.get(at + 1..at + 9)?;
    if text[3] != b' ' || text[at] != b' ' || clock[2] != b':' || clock[5] != b':' {
        return None;
    }
    let [hour, minute, second] = [digits(&clock[..2])?, digits(&clock[3..5])?, digits(&clock[6..])?];
    let (nanos, end) = decimals(text, at + 9)?;
    let time = |year| Offset::UTC.to_timestamp(civil(year, [month, day, hour, minute, second], nanos)?).ok();
    let time = match year {
        Some(year) => time(year)?,
        None => {
            let this = Offset::UTC.to_datetime(received).year();
            let years = [this, this - 1, this + 1];
            years.into_iter().filter_map(time).min_by_key(|time| received.duration_since(*time).abs())?
        }
    };
    Some((time, end))
}

/// A number of exactly these digits; at most four are asked for.
fn digits(text: &[u8]) -> Option<i16> {
    text.iter().try_fold(0, |n, b| b.is_ascii_digit().then(|| n * 10 + i16::from(b - b'0')))
}

/// A number of 1 to `len_max` digits with a byte behind it, and where that byte stands.
fn short(text: &[u8], at: usize, len_max: usize) -> Option<(i16, usize)> {
    let len = text.get(at..)?.iter().take(len_max).take_while(|b| b.is_ascii_digit()).count();
    text.get(at + len)?;
    (len > 0).then_some((digits(&text[at..at + len])?, at + len))
}

/// A dot and up to nine digits, in nanoseconds; none if no dot stands there.
fn decimals(text: &[u8], at: usize) -> Option<(i32, usize)> {
    let Some((b'.', rest)) = text.get(at..)?.split_first() else {
        return Some((0, at));
    };
    let len = rest.iter().take_while(|b| b.is_ascii_digit()).count();
    if !(1..=9).contains(&len) {
        return None;
    }
    let value = rest[..len].iter().fold(0, |n, b| n * 10 + i32::from(b - b'0'));
    Some((value * 10i32.pow(9 - len as u32), at + 1 + len))
}

/// `Z` or `+02:00`.
fn zone(text: &[u8], at: usize) -> Option<(Offset, usize)> {
    let sign = match text.get(at)? {
        b'Z' => return Some((Offset::UTC, at + 1)),
        b'+' => 1,
        b'-' => -1,
        _ => return None,
    };
    let zone = text.get(at + 1..at + 6)?;
    let (hours, minutes) = (digits(&zone[..2])?, digits(&zone[3..])?);
    if zone[2] != b':' || hours > 23 || minutes > 59 {
        return None;
    }
    let seconds = sign * (i32::from(hours) * 3600 + i32::from(minutes) * 60);
    Some((Offset::from_seconds(seconds).ok()?, at + 6))
}

/// The date and time of day, if there is such a one.
fn civil(year: i16, rest: [i16; 5], nanos: i32) -> Option<DateTime> {
    let [month, day, hour, minute, second] = rest.map(|part| part as i8);
    DateTime::new(year, month, day, hour, minute, second, nanos).ok()
}

const MONTHS: [&[u8; 3]; 12] =
    [b"jan", b"feb", b"mar", b"apr", b"may", b"jun", b"jul", b"aug", b"sep", b"oct", b"nov", b"dec"];
