//! The laws of all framers, each against a naive twin, and the inputs that broke others.

use proptest::prelude::*;

use super::*;

const LIMIT: usize = 12;

/// What a stream comes to: frames as bytes, the rest as it is.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Out {
    Frame(Vec<u8>),
    Cut(u64, Why),
    Lost,
}

/// Shows a stream to a framer in the given pieces, as a connection does.
fn frames(framer: &mut dyn Framer, pieces: &[&[u8]]) -> Vec<Out> {
    let mut out = Vec::new();
    let mut unspent = Vec::new();
    for piece in pieces {
        unspent.extend_from_slice(piece);
        loop {
            let (step, spent) = framer.step(&unspent);
            match step {
                Step::Frame(frame) => out.push(Out::Frame(unspent[frame.range()].to_vec())),
                Step::Cut(cut) => out.push(Out::Cut(cut.byte_len, cut.why)),
                Step::Lost => {
                    out.push(Out::Lost);
                    return out;
                }
                Step::More => {}
            }
            unspent.drain(..spent);
            assert!(unspent.len() <= LIMIT + 16 || step != Step::More, "unspent bytes are bounded");
            if step == Step::More {
                break;
            }
        }
    }
    match framer.finish(&unspent) {
        Step::Frame(frame) => out.push(Out::Frame(unspent[frame.range()].to_vec())),
        Step::Cut(cut) => out.push(Out::Cut(cut.byte_len, cut.why)),
        Step::More | Step::Lost => {}
    }
    out
}

fn frame(text: &str) -> Out {
    Out::Frame(text.as_bytes().to_vec())
}

fn too_long(byte_len: u64) -> Out {
    Out::Cut(byte_len, Why::TooLong)
}

/// Lines by the definition: split at line feeds, less a carriage return, none empty, none over the limit.
fn naive_lines(stream: &[u8]) -> Vec<Out> {
    let mut out = Vec::new();
    for line in stream.split(|b| *b == b'\n') {
        let text = line.strip_suffix(b"\r").unwrap_or(line);
        if text.len() > LIMIT {
            out.push(too_long(line.len() as u64));
        } else if !text.is_empty() {
            out.push(Out::Frame(text.to_vec()));
        }
    }
    out
}

/// Counted frames by the definition, one after the other from the whole stream.
fn naive_octets(mut stream: &[u8]) -> Vec<Out> {
    let mut out = Vec::new();
    loop {
        while let [b'\n', rest @ ..] = stream {
            stream = rest;
        }
        if stream.is_empty() {
            return out;
        }
        let digits: String = stream.iter().map(|b| *b as char).take_while(char::is_ascii_digit).collect();
        let is_count = !digits.is_empty() && digits.len() <= 9 && !digits.starts_with('0');
        match stream.get(digits.len()) {
            None if is_count => return [out, vec![Out::Cut(stream.len() as u64, Why::Truncated)]].concat(),
            Some(b' ') if is_count => {}
            _ => return [out, vec![Out::Lost]].concat(),
        }
        let octets: usize = digits.parse().unwrap();
        let body = &stream[digits.len() + 1..];
        let Some((message, rest)) = body.split_at_checked(octets) else {
            // The header of a frame that fits is unspent, too; that of one beyond the limit is gone.
            let unspent = if octets > LIMIT { body.len() } else { stream.len() };
            return [out, vec![Out::Cut(unspent as u64, Why::Truncated)]].concat();
        };
        let text = message.strip_suffix(b"\0").unwrap_or(message);
        let text = text.strip_suffix(b"\n").unwrap_or(text);
        let text = text.strip_suffix(b"\r").unwrap_or(text);
        if octets > LIMIT {
            out.push(too_long(octets as u64));
        } else if !text.is_empty() {
            out.push(Out::Frame(text.to_vec()));
        }
        stream = rest;
    }
}

fn pieces<'a>(stream: &'a [u8], cuts: &[usize]) -> Vec<&'a [u8]> {
    let mut at: Vec<usize> = cuts.iter().map(|cut| cut % (stream.len() + 1)).collect();
    at.extend([0, stream.len()]);
    at.sort_unstable();
    at.windows(2).map(|pair| &stream[pair[0]..pair[1]]).collect()
}

/// Streams made of what framers look at.
fn stream() -> impl Strategy<Value = Vec<u8>> {
    let part = prop_oneof![
        4 => Just(b"a".to_vec()),
        2 => Just(b"\n".to_vec()),
        2 => Just(b"\r".to_vec()),
        2 => Just(b"\0".to_vec()),
        2 => Just(b"<1".to_vec()),
        1 => Just(b" ".to_vec()),
        2 => Just(b"3 <1>".to_vec()),
        2 => Just(b"12 ".to_vec()),
        1 => Just(b"13 <0123456789ab".to_vec()),
        2 => Just(b"long enough".to_vec()),
        1 => proptest::collection::vec(any::<u8>(), 0..4),
    ];
    proptest::collection::vec(part, 0..24).prop_map(|parts| parts.concat())
}

fn framers() -> Vec<(&'static str, Box<dyn Framer>)> {
    vec![
        ("feed", Box::new(Lines::new(Ends::Feed, LIMIT))),
        ("feed or nul", Box::new(Lines::new(Ends::FeedOrNul, LIMIT))),
        ("nul", Box::new(Lines::new(Ends::Nul, LIMIT))),
        ("unsettled", Box::new(Lines::new(Ends::Unsettled, LIMIT))),
        ("octets", Box::new(Octets::new(LIMIT))),
        ("syslog", Box::new(Syslog::new(LIMIT))),
    ]
}

proptest! {
    /// The chunking law: frames(a ++ b) = frames(a, b) for every split and every framer.
    #[test]
    fn any_split_gives_the_same_frames(stream in stream(), cuts in proptest::collection::vec(any::<usize>(), 0..8)) {
        for ((name, mut whole), (_, mut split)) in framers().into_iter().zip(framers()) {
            let expected = frames(&mut *whole, &[&stream]);
            prop_assert_eq!(frames(&mut *split, &pieces(&stream, &cuts)), expected, "{}", name);
        }
    }

    /// The same with the smallest pieces there are.
    #[test]
    fn byte_by_byte_gives_the_same_frames(stream in stream()) {
        let bytes: Vec<&[u8]> = stream.chunks(1).collect();
        for ((name, mut whole), (_, mut split)) in framers().into_iter().zip(framers()) {
            let expected = frames(&mut *whole, &[&stream]);
            prop_assert_eq!(frames(&mut *split, &bytes), expected, "{}", name);
        }
    }

    #[test]
    fn lines_agree_with_their_naive_twin(stream in stream()) {
        prop_assert_eq!(frames(&mut Lines::new(Ends::Feed, LIMIT), &[&stream]), naive_lines(&stream));
    }

    #[test]
    fn octets_agree_with_their_naive_twin(stream in stream()) {
        prop_assert_eq!(frames(&mut Octets::new(LIMIT), &[&stream]), naive_octets(&stream));
    }

    /// Frames are what the twin is made of: a stream of whole counted frames comes out whole.
    #[test]
    fn counted_frames_come_out_whole(texts in proptest::collection::vec("[a-z\n]{0,10}[a-z]", 1..9)) {
        let stream: String = texts.iter().map(|text| format!("{} {text}", text.len())).collect();
        let expected: Vec<Out> = texts.iter().map(|text| frame(text)).collect();
        prop_assert_eq!(frames(&mut Octets::new(LIMIT), &[stream.as_bytes()]), expected);
    }
}

#[track_caller]
fn check(stream: &[u8], expected: &[Out]) {
    assert_eq!(frames(&mut Syslog::new(LIMIT), &[stream]), expected);
}

#[test]
fn the_first_record_settles_the_framing() {
    check(b"<1>a\n<1>b\r\n", &[frame("<1>a"), frame("<1>b")]);
    check(b"4 <1>a5 <1>\nb", &[frame("<1>a"), frame("<1>\nb")]);
    check(b"4 lines\n5 more\n", &[frame("4 lines"), frame("5 more")]);
    check(b"\n\n4 <1>a", &[frame("<1>a")]);
    check(b"no priority", &[frame("no priority")]);
    check(b"12", &[frame("12")]);
}

#[test]
fn python_ends_records_with_nul() {
    check(b"<1>a\0<1>b\nmore\0", &[frame("<1>a"), frame("<1>b\nmore")]);
    check(b"<1>a\n<1>b\0<1>c\n", &[frame("<1>a"), frame("<1>b"), frame("<1>c")]);
    // A stray NUL at the head glues no lines together.
    check(b"\0\0a\0<1>b\n<1>c\n", &[frame("a"), frame("<1>b"), frame("<1>c")]);
}

#[test]
fn a_line_is_cut_above_the_limit_alone() {
    let line = |len: usize| "x".repeat(len);
    check(format!("{}\na\n", line(LIMIT - 1)).as_bytes(), &[frame(&line(LIMIT - 1)), frame("a")]);
    check(format!("{}\r\na\n", line(LIMIT)).as_bytes(), &[frame(&line(LIMIT)), frame("a")]);
    check(format!("{}\na\n", line(LIMIT + 1)).as_bytes(), &[too_long(13), frame("a")]);
    check(format!("{}\na\n", line(1000)).as_bytes(), &[too_long(1000), frame("a")]);
    check(line(1000).as_bytes(), &[too_long(1000)]);
}

/// Others looked for a header within what they skipped, and took payload for records.
#[test]
fn a_long_counted_frame_is_spent_to_its_count() {
    check(b"12 <1>012345678", &[frame("<1>012345678")]);
    check(b"19 <1>0123\n9 <1>forged4 <1>a", &[too_long(19), frame("<1>a")]);
    check(b"21 <1>0123", &[Out::Cut(7, Why::Truncated)]);
    check(b"8 <1>0123", &[Out::Cut(9, Why::Truncated)]);
}

/// Others overran a heap with these (CVE-2022-24903).
#[test]
fn a_nonsensical_count_loses_the_stream() {
    for count in
        ["0", "012", "2147483648", "18446744073709551616", "1234567890123456789012345678901234567890"]
    {
        check(format!("{count} <1>a").as_bytes(), &[Out::Lost]);
        check(format!("4 <1>a{count} <1>a").as_bytes(), &[frame("<1>a"), Out::Lost]);
    }
    check(b"4 <1>a12x <1>a", &[frame("<1>a"), Out::Lost]);
    check(b"4 <1>a<1>b", &[frame("<1>a"), Out::Lost]);
    check(b"4 <1>a4", &[frame("<1>a"), Out::Cut(1, Why::Truncated)]);
}

#[test]
fn a_datagram_is_one_frame() {
    for (bytes, len) in [
        (&b"<1>a"[..], 4),
        (b"<1>a\n", 4),
        (b"<1>a\0", 4),
        (b"<1>a\r\n\0", 4),
        (b"<1>a\nb", 6),
        (b"\n", 0),
        (b"", 0),
    ] {
        assert_eq!(datagram(bytes), Span::new(0, len));
    }
}
