//! The work: requests as a gateway logs them, in RFC 5424 and all of one length. Each names its client's address, every
//! tenth its user's e-mail address.

/// Bytes of a line, its line feed included.
pub const LINE_BYTES: usize = 250;

/// Lines that differ; then they come again, under other numbers.
const POOL: usize = 16_384;

/// Letters of a number: of a dozen digits a rule could think that they are somebody's.
const NUMBER_LETTERS: usize = 10;

/// What stands before a line's number, and between it and the moment at which it was sent.
const NUMBER: &[u8] = b" no:";
const MOMENT: &[u8] = b" on:";

/// What stands at the end of each line.
const TAIL_BYTES: usize = NUMBER.len() + NUMBER_LETTERS + MOMENT.len() + NUMBER_LETTERS + 1;

/// What stands before the client's address, and behind it.
const CLIENT: &[u8] = b" client ";
const BEHIND: u8 = b';';

/// Fills lines up: what a gateway says of a request and nobody's business.
const FILLING: &str = "; answered by the second of three, body kept whole, nothing cached, nothing tried again, \
                       header order as it came, no upgrade asked for, connection left open";

/// Lines, the same in every run.
pub struct Lines(Vec<u8>);

impl Lines {
    /// Makes them. Addresses are of RFC 2544, none of which ends in a zero.
    pub fn new() -> Lines {
        let mut random = Random(2_611);
        let mut text = Vec::with_capacity(POOL * LINE_BYTES);
        for place in 0..POOL {
            let start = text.len();
            text.extend_from_slice(line(place, &mut random).as_bytes());
            text.extend_from_slice(FILLING.as_bytes());
            text.truncate(start + LINE_BYTES - TAIL_BYTES);
            for before in [NUMBER, MOMENT] {
                text.extend_from_slice(before);
                text.extend_from_slice(&letters(0));
            }
            text.push(b'\n');
            assert_eq!(text.len() - start, LINE_BYTES, "the filling is short");
        }
        Lines(text)
    }

    /// Appends line `number`, sent `micros` after the start.
    pub fn push(&self, number: u64, micros: u64, out: &mut Vec<u8>) {
        let at = usize::try_from(number).expect("a number of a line") % POOL * LINE_BYTES;
        let tail = out.len() + LINE_BYTES - TAIL_BYTES;
        out.extend_from_slice(&self.0[at..at + LINE_BYTES]);
        let (first, second) = places();
        out[tail + first..][..NUMBER_LETTERS].copy_from_slice(&letters(number));
        out[tail + second..][..NUMBER_LETTERS].copy_from_slice(&letters(micros));
    }
}

/// Where in a line's tail its number stands, and where its moment does.
fn places() -> (usize, usize) {
    let first = NUMBER.len();
    (first, first + NUMBER_LETTERS + MOMENT.len())
}

fn line(place: usize, random: &mut Random) -> String {
    const SHOPS: [&str; 5] = ["lamps", "chairs", "rugs", "shelves", "mirrors"];
    const PROGRAMS: [&str; 3] = ["Lynx/2.9.2", "HTTPie/3.2.4", "Mozilla/5.0 (Windows NT 10.0; rv:140.0)"];
    let method = ["GET", "GET", "GET", "PUT"][random.below(4)];
    let status = [200, 200, 200, 204, 304, 404, 503][random.below(7)];
    let user = match place % 10 {
        3 => format!("buyer{}@example.net", random.below(5_000)),
        _ => "nobody".to_owned(),
    };
    format!(
        "<142>1 2026-11-28T09:15:{:02}.{:03}Z edge{} gateway {} request - {method} /{}/{} gave {status}, {} bytes in \
         {} ms, client 198.{}.{}.{}; for {user}; by {}",
        random.below(60),
        random.below(1_000),
        1 + random.below(9),
        300 + random.below(5),
        SHOPS[random.below(5)],
        random.below(10_000),
        random.below(60_000),
        random.below(400),
        18 + random.below(2),
        random.below(256),
        1 + random.below(254),
        PROGRAMS[random.below(3)],
    )
}

/// What stands at a line's end, as it arrives: its number, and when it was sent.
pub fn tail(line: &[u8]) -> Option<(u64, u64)> {
    let tail = &line[memchr::memmem::rfind(line, NUMBER)?..];
    let (first, second) = places();
    let of = |at: usize| number(tail.get(at..at + NUMBER_LETTERS)?);
    Some((of(first)?, of(second)?))
}

/// Whether a line as it arrives shows nobody's address: of those that are sent none ends in a zero, and each relay ends
/// it in one.
pub fn is_clean(line: &[u8]) -> bool {
    memchr::memmem::find(line, CLIENT).is_some_and(|at| {
        let address = line[at + CLIENT.len()..].split(|&byte| byte == BEHIND).next();
        address.is_some_and(|address| address.ends_with(b".0"))
    })
}

fn letters(number: u64) -> [u8; NUMBER_LETTERS] {
    std::array::from_fn(|place| b'a' + (number >> (4 * (NUMBER_LETTERS - 1 - place)) & 15) as u8)
}

fn number(letters: &[u8]) -> Option<u64> {
    letters.iter().try_fold(0, |number, letter| {
        matches!(letter, b'a'..=b'p').then(|| number << 4 | u64::from(letter - b'a'))
    })
}

/// A linear congruence with Knuth's constants for MMIX, of which the upper half is used: lines need no better chance.
struct Random(u64);

impl Random {
    fn below(&mut self, bound: usize) -> usize {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 32) as usize % bound
    }
}
