//! The work: lines of RFC 5424 of one length, a client's address in each and an e-mail in one of ten.

/// Bytes of a line, its line feed included.
pub const LINE_BYTES: usize = 250;

/// Lines that differ; then they come again, under other numbers.
const POOL: usize = 20_000;

/// Letters of a number: of a dozen digits a rule could think that they are somebody's.
const NUMBER_LETTERS: usize = 10;

const MARK: &[u8] = b" sq=";

/// What stands at the end of each line: its number, and when it was sent.
const TAIL_BYTES: usize = MARK.len() + NUMBER_LETTERS + b" ts=".len() + NUMBER_LETTERS + 1;

const PADDING: &[u8] =
    b"trace cache miss tier edge shard blue zone west pool main retry none flag beta plan team note ok \
      session warm path fast lane open gate done";

/// Lines, the same in every run.
pub struct Lines(Vec<u8>);

impl Lines {
    /// Makes them. Addresses are of RFC 2544, none of which ends in a zero.
    pub fn new() -> Lines {
        let mut random = Random(0x9e37_79b9_7f4a_7c15);
        let mut text = Vec::with_capacity(POOL * LINE_BYTES);
        for place in 0..POOL {
            let start = text.len();
            text.extend_from_slice(line(place, &mut random).as_bytes());
            let room = LINE_BYTES - TAIL_BYTES;
            text.extend_from_slice(PADDING);
            text.truncate(start + room);
            text.extend_from_slice(MARK);
            text.extend_from_slice(&letters(0));
            text.extend_from_slice(b" ts=");
            text.extend_from_slice(&letters(0));
            text.push(b'\n');
            assert_eq!(text.len() - start, LINE_BYTES, "padding is short");
        }
        Lines(text)
    }

    /// Appends line `number`, sent `micros` after the start.
    pub fn push(&self, number: u64, micros: u64, out: &mut Vec<u8>) {
        let at = usize::try_from(number).expect("a number of a line") % POOL * LINE_BYTES;
        let start = out.len() + LINE_BYTES - TAIL_BYTES + MARK.len();
        out.extend_from_slice(&self.0[at..at + LINE_BYTES]);
        out[start..start + NUMBER_LETTERS].copy_from_slice(&letters(number));
        let start = start + NUMBER_LETTERS + 4;
        out[start..start + NUMBER_LETTERS].copy_from_slice(&letters(micros));
    }
}

fn line(place: usize, random: &mut Random) -> String {
    const AGENTS: [&str; 4] = [
        "Mozilla/5.0 (X11; Linux x86_64)",
        "Mozilla/5.0 (iPhone; CPU iPhone OS 17_4)",
        "curl/8.5.0",
        "okhttp/4.12.0 (Android 14)",
    ];
    const PATHS: [&str; 4] = ["/cart/items/", "/static/css/main.", "/find/things/", "/account/bills/"];
    let user = match place % 10 {
        0 => format!("user.no{}@example.org", random.below(8_000)),
        _ => "-".to_owned(),
    };
    format!(
        "<134>1 2026-11-22T05:40:41.{:06}Z web-{:02} nginx 2211 ID47 - 198.{}.{}.{} - {user} \
         [22/Nov/2026:05:40:41 +0000] {} {}{} HTTP/1.1 {} {} {} rt=0.{:03} ",
        random.below(1_000_000),
        random.below(20),
        18 + random.below(2),
        random.below(256),
        1 + random.below(250),
        if random.below(5) == 0 { "POST" } else { "GET" },
        PATHS[random.below(4)],
        random.below(1_000),
        if random.below(20) == 0 { 404 } else { 200 },
        random.below(90_000),
        AGENTS[random.below(4)],
        random.below(1_000),
    )
}

/// What stands at a line's end, as it arrives: its number, and when it was sent.
pub fn tail(line: &[u8]) -> Option<(u64, u64)> {
    let at = memchr::memmem::rfind(line, MARK)? + MARK.len();
    let number = number(line.get(at..at + NUMBER_LETTERS)?)?;
    let at = at + NUMBER_LETTERS + 4;
    Some((number, self::number(line.get(at..at + NUMBER_LETTERS)?)?))
}

/// Whether a line as it arrives shows nobody's address: those sent do not end in a zero, and one relay writes an `x` for
/// each digit that it hides.
pub fn is_clean(line: &[u8]) -> bool {
    [&b".0 - "[..], b"x - "].iter().any(|end| memchr::memmem::find(line, end).is_some())
}

fn letters(number: u64) -> [u8; NUMBER_LETTERS] {
    std::array::from_fn(|place| b'a' + (number >> (4 * (NUMBER_LETTERS - 1 - place)) & 15) as u8)
}

fn number(letters: &[u8]) -> Option<u64> {
    letters.iter().try_fold(0, |number, letter| {
        matches!(letter, b'a'..=b'p').then(|| number << 4 | u64::from(letter - b'a'))
    })
}

/// xorshift, for lines need no better chance.
struct Random(u64);

impl Random {
    fn below(&mut self, bound: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 >> 16) as usize % bound
    }
}
