/*!
Log lines of three kinds, made by a seeded generator: the same bytes on every machine.

- `access`: the combined format of web servers. Few clients make most of the
  requests, one in ten has an IPv6 address; three requests in a hundred carry
  an e-mail, a token or a key in their query; half of the agents are browsers,
  whose versions read like addresses.
- `json`: an object a line from services, with the usual fields and ids; one in
  three knows an e-mail, one in five an address, one in twenty a credential,
  one in fifty a card number.
- `clean`: nothing personal, and much that looks like it: versions, library
  names, hashes, serial numbers, times in nanoseconds, paths of modules.

Included by path, so that benches, tests and the package `peers` have the same.
Cost: one pass of appends to one buffer.
*/

/// Kinds of corpus.
pub const KINDS: &[&str] = &["access", "json", "clean"];

/// About `byte_len` bytes of whole lines of `kind`; unknown kinds are `clean`.
pub fn make(kind: &str, byte_len: usize) -> Vec<u8> {
    let line = match kind {
        "access" => access,
        "json" => json,
        _ => clean,
    };
    let mut maker = Maker::new(byte_len);
    while maker.out.len() < byte_len {
        line(&mut maker);
        maker.out.push(b'\n');
        maker.lines += 1;
    }
    maker.out
}

/// A small generator (SplitMix64): good enough to vary lines, and the same everywhere.
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    /// A number below `bound`.
    fn below(&mut self, bound: u64) -> u64 {
        ((u128::from(self.next()) * u128::from(bound)) >> 64) as u64
    }

    /// True in `per_mille` of a thousand cases.
    fn chance(&mut self, per_mille: u64) -> bool {
        self.below(1000) < per_mille
    }

    fn pick<'a, T: ?Sized>(&mut self, from: &[&'a T]) -> &'a T {
        from[self.below(from.len() as u64) as usize]
    }

    /// A number of up to `bits` bits, short ones as likely as long ones.
    fn size(&mut self, bits: u64) -> u64 {
        let bits = 1 + self.below(bits);
        self.below(1 << bits)
    }

    /// A place below `count`, the first ones far more often: the frequency falls with the power 0.9 of the place.
    fn rank(&mut self, count: usize) -> usize {
        // The inverse of the distribution is (1 + share * (count^0.1 - 1))^10. Products only: `powf` differs between
        // machines in its last bit.
        const REACH: f64 = 1.95; // 50,000^0.1 - 1
        let share = (self.next() >> 11) as f64 / (1u64 << 53) as f64;
        let base = 1.0 + share * REACH;
        let fourth = base * base * base * base;
        ((fourth * fourth * base * base) as usize - 1).min(count - 1)
    }
}

const CLIENTS: usize = 50_000;
const PEOPLE: usize = 20_000;

/// The text so far, and who appears in it.
struct Maker {
    random: Random,
    out: Vec<u8>,
    lines: u64,
    clients: Vec<String>,
    emails: Vec<String>,
}

impl Maker {
    fn new(byte_len: usize) -> Maker {
        let mut random = Random(20_261_122);
        let clients = (0..CLIENTS).map(|_| address(&mut random)).collect();
        let emails = (0..PEOPLE).map(|_| email(&mut random)).collect();
        Maker { random, out: Vec::with_capacity(byte_len + 2048), lines: 0, clients, emails }
    }

    fn put(&mut self, text: &str) {
        self.out.extend_from_slice(text.as_bytes());
    }

    fn number(&mut self, number: u64) {
        let mut digits = [0; 20];
        let mut at = digits.len();
        let mut rest = number;
        loop {
            at -= 1;
            digits[at] = b'0' + (rest % 10) as u8;
            rest /= 10;
            if rest == 0 {
                break;
            }
        }
        self.out.extend_from_slice(&digits[at..]);
    }

    /// A number of exactly `width` digits, zeros before it.
    fn padded(&mut self, number: u64, width: u32) {
        for place in (0..width).rev() {
            self.out.push(b'0' + (number / 10u64.pow(place) % 10) as u8);
        }
    }

    /// A random number from 0 to `bound`, exclusive.
    fn any(&mut self, bound: u64) {
        let number = self.random.below(bound);
        self.number(number);
    }

    /// Two random numbers with a point between them.
    fn decimal(&mut self, whole: u64, fraction: u64) {
        self.any(whole);
        self.put(".");
        self.any(fraction);
    }

    fn signs(&mut self, alphabet: &[u8], len: usize) {
        let mut bits = 0;
        for at in 0..len {
            if at % 8 == 0 {
                bits = self.random.next();
            }
            self.out.push(alphabet[((bits & 0xff) as usize * alphabet.len()) >> 8]);
            bits >>= 8;
        }
    }

    fn hex(&mut self, len: usize) {
        self.signs(HEX, len);
    }

    fn pick(&mut self, from: &[&str]) {
        let text = self.random.pick(from);
        self.put(text);
    }

    fn client(&mut self) {
        let at = self.random.rank(CLIENTS);
        self.out.extend_from_slice(self.clients[at].as_bytes());
    }

    /// An e-mail with this in the place of its at-sign.
    fn email(&mut self, at_sign: &str) {
        let at = self.random.rank(PEOPLE);
        let (local, domain) = self.emails[at].split_once('@').expect("it was made with one");
        self.out.extend_from_slice(local.as_bytes());
        self.out.extend_from_slice(at_sign.as_bytes());
        self.out.extend_from_slice(domain.as_bytes());
    }

    /// `2026-11-22T10:20:30.400Z`, some forty lines a second.
    fn time(&mut self) {
        let second = self.lines / 40;
        self.put("2026-11-");
        self.padded(1 + second / 86_400 % 30, 2);
        for (sign, part) in [("T", second / 3600 % 24), (":", second / 60 % 60), (":", second % 60)] {
            self.put(sign);
            self.padded(part, 2);
        }
        self.put(".");
        let fraction = self.random.below(1000);
        self.padded(fraction, 3);
        self.put("Z");
    }

    /// `22/Nov/2026:10:20:30 +0000`.
    fn access_time(&mut self) {
        let second = self.lines / 40;
        self.padded(1 + second / 86_400 % 30, 2);
        self.put("/Nov/2026");
        for part in [second / 3600 % 24, second / 60 % 60, second % 60] {
            self.put(":");
            self.padded(part, 2);
        }
        self.put(" +0000");
    }

    fn uuid(&mut self) {
        self.hex(8);
        for (before, len) in [("-", 4), ("-4", 3), ("-a", 3), ("-", 12)] {
            self.put(before);
            self.hex(len);
        }
    }

    /// A signed token (RFC 7519): the usual header, a payload with subject and time, a signature.
    fn jwt(&mut self) {
        self.put("eyJhbGciOiJIUzI1NiIsInR5cCI6IkpXVCJ9.");
        let start = self.out.len();
        self.put("{\"sub\":\"");
        self.signs(b"0123456789", 9);
        self.put("\",\"iat\":17");
        self.signs(b"0123456789", 8);
        self.put("}");
        let payload = self.out.split_off(start);
        for three in payload.chunks(3) {
            let bits = three.iter().fold(0, |bits, byte| bits << 8 | usize::from(*byte));
            self.out.extend([18, 12, 6, 0].map(|shift| BASE64[bits >> shift & 63]));
        }
        self.put(".");
        self.signs(BASE64, 43);
    }

    /// A key with the prefix of a vendor.
    fn key(&mut self) {
        match self.random.below(4) {
            0 => self.prefixed("AKIA", b"ABCDEFGHIJKLMNOPQRSTUVWXYZ234567", 16),
            1 => self.prefixed("ghp_", &BASE64[..62], 36),
            2 => self.prefixed("sk_live_", &BASE64[..62], 24),
            _ => {
                self.put("xoxb-");
                for _ in 0..2 {
                    self.signs(b"123456789", 12);
                    self.put("-");
                }
                self.signs(&BASE64[..62], 24);
            }
        }
    }

    fn prefixed(&mut self, prefix: &str, alphabet: &[u8], len: usize) {
        self.put(prefix);
        self.signs(alphabet, len);
    }

    /// A card number whose check digit holds (ISO/IEC 7812-1), half of the long ones in groups of four.
    fn card(&mut self) {
        let issuer = self.random.pick(&["4", "51", "55", "37"]);
        let len = if issuer == "37" { 15 } else { 16 };
        let mut digits: Vec<u8> = issuer.bytes().collect();
        while digits.len() < len - 1 {
            digits.push(b'0' + self.random.below(10) as u8);
        }
        digits.push(b'0' + check_digit(&digits));
        let between = match self.random.below(10) {
            0..=2 if len == 16 => "-",
            3..=4 if len == 16 => " ",
            _ => "",
        };
        for (at, digit) in digits.into_iter().enumerate() {
            if at > 0 && at % 4 == 0 {
                self.put(between);
            }
            self.out.push(digit);
        }
    }
}

/// The digit that makes the sum of ISO/IEC 7812-1 a multiple of ten.
fn check_digit(digits: &[u8]) -> u8 {
    let doubled = |digit: u8| if digit > 4 { digit * 2 - 9 } else { digit * 2 };
    let value = |(at, byte): (usize, &u8)| if at % 2 == 0 { doubled(byte - b'0') } else { byte - b'0' };
    (10 - digits.iter().rev().enumerate().map(value).sum::<u8>() % 10) % 10
}

fn address(random: &mut Random) -> String {
    let net = random.pick(&["2001:db8", "2a02:8109", "2003:e1", "2600:1700", "2a01:4f8"]);
    let mut group = || random.below(0x1_0000);
    let groups = [group(), group(), group(), group(), group(), group()];
    let (first, second, last) = (groups[0], groups[1] >> 4, groups[2] | 1);
    match random.below(100) {
        0..=5 => {
            let groups: Vec<String> = groups.iter().map(|group| format!("{group:x}")).collect();
            format!("{net}:{}", groups.join(":"))
        }
        6..=8 => format!("{net}:{first:x}:{second:x}::{last:x}"),
        9 => format!("{net}::{last:x}"),
        // Public ones: in none of the first bytes is a private or a loopback network.
        _ => {
            let first = match 1 + random.below(223) {
                private @ (10 | 127 | 172 | 192) => private + 1,
                public => public,
            };
            format!("{first}.{}.{}.{}", random.below(256), random.below(256), 1 + random.below(254))
        }
    }
}

fn email(random: &mut Random) -> String {
    let number = if random.chance(500) { random.below(99).to_string() } else { String::new() };
    let (first, last, domain) = (random.pick(FIRST), random.pick(LAST), random.pick(DOMAINS));
    format!("{first}.{last}{number}@{domain}")
}

fn access(to: &mut Maker) {
    to.client();
    to.put(" - - [");
    to.access_time();
    to.put("] \"");
    let method = to.random.below(100);
    to.put(match method {
        0..=79 => "GET",
        80..=93 => "POST",
        94..=95 => "PUT",
        96 => "DELETE",
        _ => "HEAD",
    });
    to.put(" ");
    path(to);
    query(to);
    to.pick(&[" HTTP/1.1\" ", " HTTP/1.1\" ", " HTTP/2.0\" "]);
    let status = to.random.below(100);
    to.put(match status {
        0..=77 => "200 ",
        78..=85 => "304 ",
        86..=90 => "404 ",
        91..=93 => "301 ",
        94 => "500 ",
        95..=97 => "302 ",
        _ => "401 ",
    });
    let size = to.random.size(15);
    to.number(size);
    to.put(" \"");
    to.pick(REFERERS);
    to.put("\" \"");
    let agent = to.random.below(100);
    to.put(agent_of(agent));
    to.put("\"");
}

fn path(to: &mut Maker) {
    let path = to.random.pick(PATHS);
    let Some((before, after)) = path.split_once(['#', '$']) else { return to.put(path) };
    to.put(before);
    if path.contains('#') {
        to.any(1_000_000)
    } else {
        to.hex(8)
    }
    to.put(after);
}

fn query(to: &mut Maker) {
    match to.random.below(1000) {
        0..=17 => {
            to.put("?email=");
            let at_sign = to.random.pick(&["@", "%40"]);
            to.email(at_sign);
            to.put("&src=nl");
        }
        18..=29 => {
            to.put("?token=");
            if to.random.chance(500) { to.jwt() } else { to.key() }
        }
        30..=249 => {
            to.put("?q=");
            to.pick(&["boots", "blue+shirt", "disk%202tb", "tea"]);
            to.put("&page=");
            to.any(40);
            to.put("&sort=");
            to.pick(&["asc", "desc"]);
        }
        250..=299 => {
            to.put("?v=1.");
            to.decimal(21, 21);
            to.put("&cb=17");
            to.signs(b"0123456789", 11);
        }
        _ => {}
    }
}

fn agent_of(percent: u64) -> &'static str {
    AGENTS.iter().find(|(below, _)| percent < *below).map_or("curl/8.5.0", |(_, agent)| agent)
}

fn json(to: &mut Maker) {
    to.put("{\"ts\":\"");
    to.time();
    let level = to.random.below(100);
    to.put(match level {
        0..=69 => "\",\"level\":\"INFO\",\"service\":\"",
        70..=87 => "\",\"level\":\"DEBUG\",\"service\":\"",
        88..=95 => "\",\"level\":\"WARN\",\"service\":\"",
        _ => "\",\"level\":\"ERROR\",\"service\":\"",
    });
    to.pick(SERVICES);
    to.put("\",\"host\":\"ip-node-");
    to.any(60);
    to.put("\",\"version\":\"2.");
    to.decimal(31, 10);
    to.put("\",\"trace_id\":\"");
    to.hex(32);
    to.put("\",\"span_id\":\"");
    to.hex(16);
    to.put("\",\"request_id\":\"");
    to.uuid();
    to.put("\",\"logger\":\"org.acme.");
    to.pick(SERVICES);
    to.put(".http.RequestFilter\",\"thread\":\"nio-8080-worker-");
    to.any(200);
    to.put("\"");
    let said = Said::new(&mut to.random);
    fields(to, said);
    to.put(",\"msg\":\"");
    message(to, said);
    to.put("\",\"duration_ms\":");
    let duration = to.random.size(9);
    to.number(duration);
    to.put(".");
    to.any(1000);
    to.put(",\"status\":200,\"bytes\":");
    to.any(100_000);
    to.put(",\"caller\":\"src/main/java/org/acme/http/Filter.java:");
    to.any(900);
    to.put("\"}");
}

/// What a record says of people, and in which of its parts.
#[derive(Clone, Copy)]
struct Said {
    email: Part,
    client: Part,
    credential: Credential,
    card: bool,
}

#[derive(Clone, Copy, PartialEq)]
enum Part {
    Nowhere,
    Field,
    Message,
}

#[derive(Clone, Copy, PartialEq)]
enum Credential {
    None,
    Header,
    Token,
    Key,
}

impl Said {
    fn new(random: &mut Random) -> Said {
        let part = |which, field| match which {
            false => Part::Nowhere,
            true if field => Part::Field,
            true => Part::Message,
        };
        let email = part(random.chance(300), random.chance(500));
        let client = part(random.chance(200), random.chance(600));
        let credential = match random.below(1000) {
            0..=19 => Credential::Header,
            20..=29 => Credential::Token,
            30..=49 => Credential::Key,
            _ => Credential::None,
        };
        Said { email, client, credential, card: random.chance(20) }
    }
}

fn fields(to: &mut Maker, said: Said) {
    if said.email == Part::Field {
        to.put(",\"user\":{\"id\":");
        to.any(1_000_000);
        to.put(",\"email\":\"");
        to.email("@");
        to.put("\"}");
    }
    if said.client == Part::Field {
        to.put(",\"client_ip\":\"");
        to.client();
        to.put("\"");
    }
    if said.credential == Credential::Header {
        to.put(",\"headers\":{\"authorization\":\"Bearer ");
        to.jwt();
        to.put("\",\"accept\":\"application/json\"}");
    }
}

fn message(to: &mut Maker, said: Said) {
    if said.email == Part::Message {
        to.put("login of ");
        to.email("@");
        to.put(", ");
    }
    let message = to.random.pick(MESSAGES);
    let (before, after) = message.split_once('#').unwrap_or((message, ""));
    to.put(before);
    if message.contains('#') {
        to.any(100_000);
    }
    to.put(after);
    if said.client == Part::Message {
        to.put(" from ");
        to.client();
    }
    match said.credential {
        Credential::Token => {
            to.put(" token=");
            to.jwt();
        }
        Credential::Key => {
            to.put(" api_key=");
            to.key();
        }
        Credential::None | Credential::Header => {}
    }
    if said.card {
        to.put(" card ");
        to.card();
    }
}

fn clean(to: &mut Maker) {
    match to.random.below(6) {
        0 => scheduler(to),
        1 => loader(to),
        2 => kernel(to),
        3 => compaction(to),
        4 => slow_query(to),
        _ => request(to),
    }
}

fn scheduler(to: &mut Maker) {
    to.time();
    to.put(" INFO [pool-");
    to.any(64);
    to.put("] o.a.t.Runner - task ");
    to.uuid();
    to.put(" done after ");
    to.decimal(90, 1000);
    to.put(" s, build 1.");
    to.decimal(31, 31);
    to.put("-rc");
    to.any(9);
    to.put(", heap 0x");
    to.hex(12);
}

fn loader(to: &mut Maker) {
    to.time();
    to.put(" DEBUG mapped /usr/lib/aarch64-linux-gnu/lib");
    to.pick(&["tls", "cipher", "png", "lz", "http"]);
    to.put(".so.");
    to.any(10);
    to.put(".");
    to.decimal(21, 100);
    to.put(" base=0x");
    to.hex(16);
    to.put(" length=");
    to.any(1_000_000_000);
}

fn kernel(to: &mut Maker) {
    to.put("Nov ");
    let day = 10 + to.random.below(20);
    to.number(day);
    for before in [" ", ":", ":"] {
        to.put(before);
        let part = to.random.below(24);
        to.padded(part, 2);
    }
    to.put(" rack");
    to.any(99);
    to.put(" kernel: [");
    to.decimal(1_000_000, 1_000_000);
    to.put("] usb 2-");
    to.decimal(9, 4);
    to.put(": reset SuperSpeed device number ");
    to.any(99);
    to.put(" using xhci_hcd, serial ");
    to.signs(b"0123456789ABCDEF", 20);
}

fn compaction(to: &mut Maker) {
    to.put("{\"time\":17");
    to.signs(b"0123456789", 17);
    to.put(",\"lvl\":\"info\",\"sha\":\"");
    to.hex(40);
    to.put("\",\"version\":\"");
    to.any(10);
    to.put(".");
    to.decimal(100, 100);
    to.put("\",\"path\":\"/srv/lake/");
    to.hex(6);
    to.put("/chunk-");
    to.signs(b"0123456789", 5);
    to.put(".parquet\",\"rows\":");
    to.any(100_000_000);
    to.put(",\"ratio\":");
    to.decimal(100, 10_000);
    to.put(",\"msg\":\"merge finished\"}");
}

fn slow_query(to: &mut Maker) {
    to.time();
    to.put(" WARN  statement took ");
    to.decimal(9000, 10);
    to.put(" ms: id=");
    to.any(1_000_000_000);
    to.put(" plan=");
    to.hex(8);
    to.put(" rows=");
    to.any(10_000_000);
    to.put(" table=events_202");
    to.any(7);
    to.put("_");
    let month = 1 + to.random.below(12);
    to.padded(month, 2);
    to.put(" cpu=");
    to.decimal(100, 100);
    to.put("% load=");
    for after in [",", ",", ""] {
        to.decimal(9, 100);
        to.put(after);
    }
}

fn request(to: &mut Maker) {
    to.time();
    to.put(" INFO  GET /api/v");
    to.any(4);
    to.put("/parts/");
    to.hex(24);
    to.put("/");
    to.any(100_000);
    to.put(" -> 200 in ");
    to.decimal(30, 1000);
    to.put("ms etag=");
    to.hex(32);
    to.put(" crate bar-baz v");
    to.any(4);
    to.put(".");
    to.decimal(100, 100);
    to.put(" alloc::collections::btree::node");
}

const HEX: &[u8] = b"0123456789abcdef";

/// The alphabet of RFC 4648, section 5; its first 62 signs are letters and digits.
const BASE64: &[u8] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";

const FIRST: &[&str] = &[
    "ada", "bram", "cleo", "dario", "emil", "fatma", "gino", "hana", "ivo", "jule", "kai", "lena", "milo",
    "nora", "omar", "pia", "quinn", "rita", "sami", "tessa", "ugo", "vito", "willem", "yara", "zora",
];

const LAST: &[&str] = &[
    "acker", "berg", "costa", "dahl", "evers", "fuchs", "gruber", "holm", "iversen", "jung", "kraus", "lund",
    "marino", "nagy", "olsen", "petit", "roth", "santos", "tanaka", "urban", "vogel", "zhang",
];

const DOMAINS: &[&str] = &[
    "example.com",
    "example.org",
    "mail.example.net",
    "example.co.uk",
    "post.example",
    "web.example.de",
    "shop-example.example",
    "uni.example.edu",
];

const PATHS: &[&str] = &[
    "/",
    "/index.html",
    "/api/v1/accounts",
    "/api/v2/orders/#",
    "/static/js/main.$.js",
    "/static/css/site.$.css",
    "/media/items/#.webp",
    "/login",
    "/logout",
    "/find",
    "/basket",
    "/pay",
    "/news/2026/11/what-is-new",
    "/favicon.ico",
    "/healthz",
    "/api/v1/parts/#/ratings",
    "/assets/fonts/roboto-v30-latin-regular.woff2",
];

const REFERERS: &[&str] = &[
    "-",
    "-",
    "-",
    "-",
    "https://search.example/",
    "https://store.example.com/",
    "https://store.example.com/basket",
    "https://s.example/Ab34cd",
    "https://store.example.com/find?q=boots&page=3",
];

/// Agents as clients send them, each with the percent below which it is taken.
const AGENTS: &[(u64, &str)] = &[
    (
        30,
        "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/126.0.0.0 Safari/537.36",
    ),
    (
        40,
        "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/124.0.6367.91 Safari/537.36 Edg/124.0.2478.67",
    ),
    (
        52,
        "Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/17.4.1 Safari/605.1.15",
    ),
    (
        66,
        "Mozilla/5.0 (iPhone; CPU iPhone OS 17_4 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/17.4 Mobile/15E148 Safari/604.1",
    ),
    (72, "Mozilla/5.0 (X11; Ubuntu; Linux x86_64; rv:126.0) Gecko/20100101 Firefox/126.0"),
    (
        84,
        "Mozilla/5.0 (Linux; Android 14; Pixel 8) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/125.0.6422.165 Mobile Safari/537.36",
    ),
    (88, "curl/8.5.0"),
    (91, "Go-http-client/1.1"),
    (94, "python-requests/2.31.0"),
    (97, "kube-probe/1.30"),
    (99, "Mozilla/5.0 (compatible; Googlebot/2.1; +http://www.google.com/bot.html)"),
    (100, "Mozilla/5.0 (compatible; bingbot/2.0; +http://www.bing.com/bingbot.htm)"),
];

const SERVICES: &[&str] = &["basket", "login", "stock", "billing", "mailer", "finder"];

const MESSAGES: &[&str] = &[
    "request handled",
    "no cached entry for item:#",
    "trying upstream again, attempt #",
    "task # is done",
    "statement ran for # ms",
    "wrote # rows to disk",
    "read settings from /etc/app/settings.yaml",
    "the pool has # connections",
    "flag new_basket is on for group #",
];
