/*!
Bytes and times as people write them.
*/

use std::time::Duration;

/// `4096`, `64KiB`, `16MiB`, `8GiB`; `kB`, `MB` and `GB` are powers of ten.
pub(super) fn bytes(text: &str) -> Option<u64> {
    let (count, unit) = split(text)?;
    let unit = match unit {
        "" | "B" => 1,
        "KiB" => 1 << 10,
        "MiB" => 1 << 20,
        "GiB" => 1 << 30,
        "kB" => 1_000,
        "MB" => 1_000_000,
        "GB" => 1_000_000_000,
        _ => return None,
    };
    count.checked_mul(unit)
}

/// `500ms`, `30s`, `5m`, `24h`, `7d`.
pub(super) fn duration(text: &str) -> Option<Duration> {
    let (count, unit) = split(text)?;
    let unit_ms = match unit {
        "ms" => 1,
        "s" => 1_000,
        "m" => 60_000,
        "h" => 3_600_000,
        "d" => 86_400_000,
        _ => return None,
    };
    count.checked_mul(unit_ms).map(Duration::from_millis)
}

fn split(text: &str) -> Option<(u64, &str)> {
    let digits = text.bytes().take_while(u8::is_ascii_digit).count();
    let (count, unit) = text.split_at(digits);
    Some((count.parse().ok()?, unit.trim_start()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_bytes() {
        let cases = [("1", 1), ("64KiB", 65_536), ("16 MiB", 1 << 24), ("8GiB", 8 << 30), ("2MB", 2_000_000)];
        for (text, expected) in cases {
            assert_eq!(bytes(text), Some(expected), "{text}");
        }
        for text in ["", "KiB", "1TiB!", "-1", "1.5GiB", "99999999999GiB"] {
            assert_eq!(bytes(text), None, "{text}");
        }
    }

    #[test]
    fn reads_times() {
        let cases =
            [("500ms", 500), ("30s", 30_000), ("5m", 300_000), ("24h", 86_400_000), ("7d", 604_800_000)];
        for (text, expected) in cases {
            assert_eq!(duration(text), Some(Duration::from_millis(expected)), "{text}");
        }
        for text in ["", "5", "s", "-1s", "1w", "99999999999999999d"] {
            assert_eq!(duration(text), None, "{text}");
        }
    }
}
