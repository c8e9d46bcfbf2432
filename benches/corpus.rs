//! Log lines of three kinds, made by a seeded generator: the same bytes on every machine.

/// A small linear congruential generator (Knuth, MMIX); good enough to vary lines, and the same everywhere.
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        self.0 >> 33
    }

    fn below(&mut self, bound: u64) -> u64 {
        self.next() % bound
    }

    fn hex(&mut self, len: usize) -> String {
        (0..len).map(|_| char::from(b"0123456789abcdef"[self.below(16) as usize])).collect()
    }

    fn address(&mut self) -> String {
        format!("203.0.{}.{}", self.below(256), self.below(256))
    }

    fn email(&mut self) -> String {
        format!("user{}@mail{}.example.com", self.below(20_000), self.below(40))
    }
}

/// Kinds of corpus.
pub const KINDS: &[&str] = &["access", "json", "clean"];

/// About `byte_len` bytes of whole lines of `kind`.
pub fn make(kind: &str, byte_len: usize) -> Vec<u8> {
    let mut random = Random(20_261_122);
    let mut out = String::with_capacity(byte_len + 512);
    while out.len() < byte_len {
        let line = match kind {
            "access" => access(&mut random),
            "json" => json(&mut random),
            _ => clean(&mut random),
        };
        out.push_str(&line);
        out.push('\n');
    }
    out.into_bytes()
}

fn access(random: &mut Random) -> String {
    let query = match random.below(50) {
        0 => format!("?email={}&src=nl", random.email().replace('@', "%40")),
        1 => format!("?token={}", random.hex(32)),
        2..=12 => format!("?q=shoes&page={}", random.below(40)),
        _ => String::new(),
    };
    format!(
        "{} - - [22/Nov/2026:10:{:02}:{:02} +0000] \"GET /api/v2/orders/{}{query} HTTP/1.1\" 200 {} \"-\" \"Mozilla/5.0 \
         (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/126.0.0.0 Safari/537.36\"",
        random.address(),
        random.below(60),
        random.below(60),
        random.below(1_000_000),
        random.below(90_000),
    )
}

fn json(random: &mut Random) -> String {
    let user = match random.below(10) {
        0..=2 => format!(",\"user\":{{\"id\":{},\"email\":\"{}\"}}", random.below(1_000_000), random.email()),
        3 => format!(",\"client_ip\":\"{}\"", random.address()),
        _ => String::new(),
    };
    format!(
        "{{\"ts\":\"2026-11-22T10:{:02}:{:02}.{:03}Z\",\"level\":\"INFO\",\"service\":\"checkout\",\"trace_id\":\"{}\",\"span_id\":\"{}\",\
         \"thread\":\"http-nio-8080-exec-{}\"{user},\"msg\":\"request completed\",\"duration_ms\":{}.{},\"status\":200}}",
        random.below(60),
        random.below(60),
        random.below(1000),
        random.hex(32),
        random.hex(16),
        random.below(200),
        random.below(900),
        random.below(1000),
    )
}

fn clean(random: &mut Random) -> String {
    format!(
        "2026-11-22T10:{:02}:{:02}.{:03}Z INFO [worker-{}] c.a.s.Scheduler - job {} finished in {}.{:03} s, build 1.{}.{}, \
         etag={} std::collections::hash::map",
        random.below(60),
        random.below(60),
        random.below(1000),
        random.below(64),
        random.hex(12),
        random.below(90),
        random.below(1000),
        random.below(30),
        random.below(30),
        random.hex(32),
    )
}
