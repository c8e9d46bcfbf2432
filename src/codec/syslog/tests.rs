//! Nothing is lost and nothing panics; what real senders write is understood.

use proptest::prelude::*;

use super::*;

const RECEIVED: &str = "2026-01-02T03:04:05Z";

fn received() -> Timestamp {
    RECEIVED.parse().unwrap()
}

fn parsed(frame: &[u8]) -> Record {
    parse(frame, Span::new(0, frame.len()), received())
}

/// Parts as text: priority, time, host, app, procid, msgid, structured, message.
#[track_caller]
fn check(frame: &str, expected: [&str; 8]) {
    let record = parsed(frame.as_bytes());
    let text = |span: Span| frame[span.range()].to_string();
    let found = [
        record.priority.map_or_else(String::new, |p| p.to_string()),
        record.time.map_or_else(String::new, |t| t.to_string()),
        text(record.host),
        text(record.app),
        text(record.procid),
        text(record.msgid),
        text(record.structured),
        text(record.message),
    ];
    assert_eq!(found, expected, "{frame}");
}

#[test]
fn reads_rfc5424() {
    let time = "2003-10-11T22:14:15.003Z";
    check(
        "<34>1 2003-10-11T22:14:15.003Z mymachine.example.com su - ID47 - 'su root' failed",
        ["34", time, "mymachine.example.com", "su", "", "ID47", "", "'su root' failed"],
    );
    check(
        r#"<165>1 2003-10-11T22:14:15.003Z h evntslog 77 ID47 [a@1 i="3" j="\"\]\\\n"][b@1] text [x]"#,
        ["165", time, "h", "evntslog", "77", "ID47", r#"[a@1 i="3" j="\"\]\\\n"][b@1]"#, "text [x]"],
    );
    check("<0>1 - - - - - -", ["0", "", "", "", "", "", "", ""]);
    check("<0>1 - - - - - - ", ["0", "", "", "", "", "", "", ""]);
    check("<0>1 - - - - - -  two", ["0", "", "", "", "", "", "", " two"]);
    check("<0>1 - - - - - [a]", ["0", "", "", "", "", "", "[a]", ""]);
    check(
        "<191>1 2003-08-24T05:14:15.000003-07:00 - - - - - \u{feff}x",
        ["191", "2003-08-24T12:14:15.000003Z", "", "", "", "", "", "\u{feff}x"],
    );
}

#[test]
fn structured_data_that_is_none_begins_the_message() {
    for body in [r#"[a"#, r#"[a b="c]"#, r#"[a b=c]"#, "[]", "-x", "{} x", "[a]x", r#"[a b="c"#] {
        let frame = format!("<1>1 - h a p m {body}");
        check(&frame, ["1", "", "h", "a", "p", "m", "", body]);
    }
}

#[test]
fn reads_rfc3164_and_its_kin() {
    let time = "2025-10-09T22:14:15Z";
    check("<34>Oct  9 22:14:15 host su: a b", ["34", time, "host", "su", "", "", "", "a b"]);
    check("<34>Oct 9 22:14:15 host su[1]: a b", ["34", time, "host", "su", "1", "", "", "a b"]);
    check(
        "<34>OCT 09 22:14:15 10.0.0.1 sshd(pam)[1]: a",
        ["34", time, "10.0.0.1", "sshd(pam)", "1", "", "", "a"],
    );
    check("<34>Oct  9 22:14:15 haproxy[7]: a", ["34", time, "", "haproxy", "7", "", "", "a"]);
    check("<34>Oct  9 22:14:15 su:  a", ["34", time, "", "su", "", "", "", " a"]);
    check(
        "<34>Oct  9 22:14:15 host %PIX-7-710005: a",
        ["34", time, "host", "%PIX-7-710005", "", "", "", "a"],
    );
    check("<34>Oct  9 22:14:15 host -- MARK --", ["34", time, "host", "", "", "", "", "-- MARK --"]);
    check("<34>Oct  9 2025 22:14:15: host su: a", ["34", time, "host", "su", "", "", "", "a"]);
    check("<34> 2025-10-09T22:14:15+00:00 host su: a", ["34", time, "host", "su", "", "", "", "a"]);
    check("<34>Oct  9 22:14:15 host {\"a\": 1}", ["34", time, "host", "", "", "", "", "{\"a\": 1}"]);
    check("<34>Oct  9 22:14:15 {\"a\": 1}", ["34", time, "", "", "", "", "", "{\"a\": 1}"]);
    check("<34>Oct  9 22:14:15 host", ["34", time, "", "", "", "", "", "host"]);
    check("<34>Oct  9 22:14:15", ["34", time, "", "", "", "", "", ""]);
}

#[test]
fn what_is_not_understood_is_message() {
    for (frame, priority, message) in [
        ("no priority: x", "", "no priority: x"),
        ("<192>x", "", "<192>x"),
        ("<1921>x", "", "<1921>x"),
        ("<>x", "", "<>x"),
        ("<1x", "", "<1x"),
        ("<14>error: for 10.0.0.1", "14", "error: for 10.0.0.1"),
        ("<14> two  spaces ", "14", " two  spaces "),
        ("<14>Okt  9 22:14:15 h a: x", "14", "Okt  9 22:14:15 h a: x"),
        ("<14>Oct 32 22:14:15 h a: x", "14", "Oct 32 22:14:15 h a: x"),
        ("<14>1 2003-10-11T22:14:60Z h a p m - x", "14", "1 2003-10-11T22:14:60Z h a p m - x"),
        ("<14>1 - h a p", "14", "1 - h a p"),
        ("<14>item[a]: x", "14", "item[a]: x"),
        ("<14>item[1] x", "14", "item[1] x"),
        ("<14>", "14", ""),
    ] {
        check(frame, [priority, "", "", "", "", "", "", message]);
    }
    check("<14>sshd[42]: x", ["14", "", "", "sshd", "42", "", "", "x"]);
}

/// A sender without a year means the nearest one, over new year in both directions.
#[test]
fn the_year_is_the_nearest() {
    for (received, frame, time) in [
        ("2026-01-01T00:00:05Z", "<1>Dec 31 23:59:59 h a: x", "2025-12-31T23:59:59Z"),
        ("2025-12-31T23:59:59Z", "<1>Jan  1 00:00:05 h a: x", "2026-01-01T00:00:05Z"),
        ("2024-03-01T00:00:00Z", "<1>Feb 29 00:00:00 h a: x", "2024-02-29T00:00:00Z"),
    ] {
        let record = parse(frame.as_bytes(), Span::new(0, frame.len()), received.parse().unwrap());
        assert_eq!(record.time.map(|time| time.to_string()).as_deref(), Some(time));
    }
}

/// Frames out of what the formats are made of.
fn frame() -> impl Strategy<Value = Vec<u8>> {
    let part = proptest::sample::select(vec![
        &b"<34>"[..],
        b"1 ",
        b" ",
        b"-",
        b"2003-10-11T22:14:15.003Z",
        b"Oct  9 22:14:15",
        b"Feb 29 2025 00:00:00",
        b"host",
        b"app[1]:",
        b"app:",
        b"[a b=\"c\"]",
        b"\\]",
        b"\"",
        b"]",
        b"\xff\xfe",
        b"\xef\xbb\xbf",
        b"0",
        b"text",
        b"9999-12-31T23:59:59.999999999-23:59",
        b"0000-01-01T00:00:00+23:59",
    ]);
    (any::<bool>(), proptest::collection::vec(part, 0..14)).prop_map(|(with_header, parts)| {
        let head: &[u8] = if with_header { b"<34>1 - h a p m " } else { b"" };
        [head, &parts.concat()].concat()
    })
}

proptest! {
    /// The parts stand in order, do not overlap, and the message reaches to the frame's end.
    #[test]
    fn the_message_is_all_that_is_left(before in "[a-z]{0,3}", frame in frame()) {
        let haystack = [before.as_bytes(), &frame, b"behind"].concat();
        let span = Span::new(before.len(), before.len() + frame.len());
        let mut record = parse(&haystack, span, received());
        prop_assert_eq!(record.message.end, span.end);
        let mut at = span.start;
        for part in record.parts_mut().into_iter().filter(|part| !part.is_empty()) {
            prop_assert!(at <= part.start && part.end <= span.end);
            at = part.end;
        }
    }

    /// What goes between the parts of RFC 5424 is their delimiters alone: written again, the frame is the same.
    #[test]
    fn nothing_is_lost_of_rfc5424(
        names in proptest::array::uniform4("[!-~]{2,9}"),
        structured in prop_oneof![Just("-".to_string()), r#"(\[[a-z]{1,3}( [a-z]{1,2}="([ a-z=\[]|\\["\\\]])*"){0,2}\]){1,2}"#],
        message in "\\PC{0,12}",
    ) {
        let frame = format!("<9>1 2003-10-11T22:14:15Z {} {structured} {message}", names.join(" "));
        let record = parsed(frame.as_bytes());
        let text = |span: Span| &frame[span.range()];
        let found = [record.host, record.app, record.procid, record.msgid].map(text);
        prop_assert_eq!(found, names.each_ref().map(String::as_str));
        prop_assert_eq!(text(record.structured), if structured == "-" { "" } else { &structured });
        prop_assert_eq!(text(record.message), message);
    }

    #[test]
    fn no_bytes_panic(frame in proptest::collection::vec(any::<u8>(), 0..64)) {
        parsed(&[b"<1>", &frame[..]].concat());
        parsed(&frame);
    }
}
