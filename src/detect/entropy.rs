/*!
Shannon entropy of a text's bytes: how random it looks.
*/

/// Bits per byte, 0 for one byte repeated, at most log2 of the length and never over 8.
pub fn bits_per_byte(text: &[u8]) -> f32 {
    let mut counts = [0u32; 256];
    for &byte in text {
        counts[usize::from(byte)] += 1;
    }
    let len = text.len() as f32;
    let bits = |count: &u32| {
        let share = *count as f32 / len;
        -share * share.log2()
    };
    counts.iter().filter(|&&count| count > 0).map(bits).sum()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn knows_its_ends() {
        assert_eq!(bits_per_byte(b""), 0.0);
        assert_eq!(bits_per_byte(b"aaaa"), 0.0);
        assert!((bits_per_byte(b"abcdefgh") - 3.0).abs() < 1e-6);
    }
}
