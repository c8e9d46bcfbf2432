use std::time::Duration;

use super::*;

fn everything(rules: &Rules) -> Wanted {
    Wanted::new(vec![4; rules.entities().len()])
}

#[track_caller]
fn check(text: &str, expected: &[(&str, &str)]) {
    let rules = Rules::builtin();
    let mut findings = Vec::new();
    rules.find(&everything(&rules), &mut Scratch::default(), text.as_bytes(), &mut findings);
    let found: Vec<_> =
        findings.iter().map(|f| (rules.entities().name(f.entity), &text[f.span.range()])).collect();
    assert_eq!(found, expected, "{text}");
}

#[test]
fn every_rule_passes_its_own_examples() {
    let rules = Rules::builtin_in_full();
    assert!(rules.rules().all(|(_, rule)| !rule.examples.is_empty()), "there is something to pass");
    for (id, rule) in rules.rules() {
        let failing = rules.failing_examples(id);
        let texts: Vec<_> = failing.iter().map(|example| String::from_utf8_lossy(&example.text)).collect();
        assert!(texts.is_empty(), "{}: {} fails {texts:#?}", rule.pack, rule.name);
    }
}

/// For all examples: what is suppressed lies in a finding, and it is that finding's rule which is named.
#[test]
fn what_suppressed_a_value_is_found_in_its_place() {
    let rules = Rules::builtin_in_full();
    let wanted = everything(&rules);
    let mut suppressed = 0;
    for example in rules.rules().flat_map(|(_, rule)| &rule.examples) {
        let mut findings = Vec::new();
        rules.find(&wanted, &mut Scratch::default(), &example.text, &mut findings);
        for miss in rules.near_misses(&wanted, &example.text) {
            let Why::Suppressed { by } = miss.why else { continue };
            suppressed += 1;
            let covers = |finding: &Finding| {
                finding.rule == by
                    && finding.span.start <= miss.span.start
                    && miss.span.end <= finding.span.end
            };
            assert!(findings.iter().any(covers), "{:?}", String::from_utf8_lossy(&example.text));
        }
    }
    assert!(suppressed > 0, "rules compete");
}

#[test]
fn takes_the_secret_alone() {
    check("dsn postgres://app:s3cr3tPw@db.internal:5432/o", &[("url_credentials", "s3cr3tPw")]);
    check("Cookie: sid=8f14; theme=dark", &[("cookie", "8f14"), ("cookie", "dark")]);
    check("Authorization: Basic dXNlcjpwYXNzd29yZA== x", &[("basic_auth", "dXNlcjpwYXNzd29yZA==")]);
    check(r#"{"authorization":"Bearer mF_9.B5f"}"#, &[("bearer", "mF_9.B5f")]);
}

#[test]
fn sees_keys_in_every_notation() {
    for text in [
        r#"{"password":"hunter2"}"#,
        r#"{"p":"{\"password\":\"hunter2\"}"}"#,
        "password=hunter2 ok",
        "{'password': 'hunter2'}",
        r#"{"password"=>"hunter2"}"#,
        "User(password=hunter2, age=3)",
        "deploy --password hunter2 --region eu",
        "<password>hunter2</password>",
        "GET /?%70assword=hunter2&x=1",
        r#"{"pass\u0077ord":"hunter2"}"#,
        "dbPassword: hunter2",
        r#"password := "hunter2""#,
        "password:: hunter2",
    ] {
        check(text, &[("password", "hunter2")]);
    }
}

#[test]
fn reads_arrays_and_numbers_under_a_secret_key() {
    check(r#"{"password":["alpha7",12345],"id":7}"#, &[("password", "alpha7"), ("password", "12345")]);
    let rules = Rules::builtin();
    let mut findings = Vec::new();
    let text = br#"{"password":123456}"#;
    rules.find(&everything(&rules), &mut Scratch::default(), text, &mut findings);
    assert_eq!(findings[0].form, Form { json: 1, bare: true, percent: 0 });
}

#[test]
fn leaves_its_own_marks_alone() {
    check("password=[password] x=[email] token=api_key_k7f3a.mfrggzdfmztwq2lkmfrg", &[]);
    check("password=[x]", &[("password", "[x]")]);
}

#[test]
fn an_anchor_that_begins_another_hides_nothing() {
    let pack = "entities: [t]\nrules:\n\
        - {name: a, entity: t, description: d, anchors: [sk-live], pattern: 'sk-live', examples: ['«sk-live»']}\n\
        - {name: b, entity: t, description: d, anchors: [sk-live-1], pattern: 'sk-live-[0-9]+', examples: ['«sk-live-12345»']}\n";
    let rules = Rules::load(&[("p.yaml", pack)]).expect("a valid pack");
    let mut findings = Vec::new();
    rules.find(&everything(&rules), &mut Scratch::default(), b"x sk-live-12345 y", &mut findings);
    assert_eq!(findings.iter().map(|f| f.span).collect::<Vec<_>>(), [Span::new(2, 15)]);
}

#[test]
fn a_wrong_pack_is_told_with_pack_and_rule() {
    let told = |text: &str| {
        let errors = Rules::load(&[("p.yaml", text)]).expect_err("a wrong pack");
        errors.iter().map(ToString::to_string).collect::<Vec<_>>().join("; ")
    };
    let rule = |rest: &str| format!("rules:\n- {{name: a, entity: email, description: d, {rest}}}\n");
    assert!(told("rules: [").starts_with("p.yaml: "));
    assert!(told(&rule("parser: email")).contains("p.yaml: rule a: has no `examples`"));
    assert!(told(&rule("pattern: '(', anchors: [abc], examples: ['«x»']")).contains("rule a: pattern:"));
    assert!(told(&rule("pattern: 'abc', examples: ['«x»']")).contains("needs `anchors`"));
    assert!(told(&rule("parser: email, examples: ['x']")).contains("marks no value"));
    assert!(
        told("rules:\n- {name: a, entity: nope, description: d, parser: email, examples: ['«x»']}\n")
            .contains("entity nope")
    );
}

#[test]
fn an_escape_before_an_address_hides_nothing() {
    check(r#"{"m":"{\u0022ip\u0022:\u0022203.0.113.7\u0022}"}"#, &[("ipv4", "203.0.113.7")]);
    check(r#"{"m":"\u00224012888888881881\u0022"}"#, &[("card", "4012888888881881")]);
    check(r#"{"m":"\u003c2001:db8::17\u003e"}"#, &[("ipv6", "2001:db8::17")]);
}

#[test]
fn sees_headers_in_lists_and_pairs() {
    check(r#"[["Cookie","a=c1; b=c2"]]"#, &[("cookie", "c1"), ("cookie", "c2")]);
    check(r#"{"name":"Set-Cookie","value":"a=c1; Path=/"}"#, &[("cookie", "c1")]);
    check(r#"["Authorization","Bearer mF_9.B5f"]"#, &[("bearer", "mF_9.B5f")]);
    check("('authorization', 'Token s3cr3t')", &[("api_key", "s3cr3t")]);
    check(r#"{"Cookie":["a=c1; b=c2","d=c3"]}"#, &[("cookie", "c1"), ("cookie", "c2"), ("cookie", "c3")]);
    check(
        r#"{"Authorization":["Bearer mF_9.B5f","Token s3cr3t"]}"#,
        &[("bearer", "mF_9.B5f"), ("api_key", "s3cr3t")],
    );
    check(r#"{"vary":["Cookie","Authorization","Accept"]}"#, &[]);
}

#[test]
fn checks_what_an_encoded_value_means() {
    check("GET /?card_number=4111%204111%20x&pan=4111%2B1111", &[]);
    check("GET /?card_number=4111+1111+1111%201111&x=1", &[("card", "4111+1111+1111%201111")]);
    check("mac=00%201a%202b%203c%204d%205e x", &[("mac", "00%201a%202b%203c%204d%205e")]);
}

#[test]
fn sees_json_in_a_form() {
    check(
        "data=%7B%22user%22%3A%22bob%22%2C%22password%22%3A%22hunter2%22%7D&x=1",
        &[("username", "bob"), ("password", "hunter2")],
    );
    check("d=%257B%2522password%2522%253A%2522hunter2%2522%257D", &[("password", "hunter2")]);
    check("d=%7B%22password%22%3A+123456%2C%22a%22%3A1%7D", &[("password", "123456")]);
    check("d=%7B%22password%22%3A%22a%5C%22b%22%7D", &[("password", "a%5C%22b")]);
    check("d=%7B%22p%22%3A%22%7B%5C%22password%5C%22%3A%5C%22a%5C%22%7D%22%7D", &[("password", "a")]);
}

#[test]
fn a_value_in_brackets_is_a_value() {
    check(r#"{"password":"<hunter2>"}"#, &[("password", "<hunter2>")]);
    check(r#"{"password":"${MyS3cret!}"}"#, &[("password", "${MyS3cret!}")]);
    check("api_key=$(s3cret99)", &[("api_key", "$(s3cret99)")]);
    check("password=${DB_PASSWORD}", &[]);
}

#[test]
fn an_unknown_scheme_hides_its_parameters() {
    check("Authorization: Custom id=1:SECRET99 next", &[("api_key", "Custom id=1:SECRET99")]);
    check("Authorization: Token id=1:SECRET99 next", &[("api_key", "id=1:SECRET99")]);
    check(r#"{"Authorization":"CDgQmaDXzF x"}"#, &[("api_key", "CDgQmaDXzF x")]);
    let digest = r#"username="u", realm="r", response="0123abcd""#;
    check(&format!("Authorization: Digest {digest}"), &[("api_key", digest)]);
}

#[test]
fn sees_a_key_through_percent_encoding() {
    check("next=%2Flogin%3Ftoken%3DSECRET99%26a%3Db", &[("api_key", "SECRET99")]);
}

/// No bound of the search lets the rest of a long value through.
#[test]
fn long_values_are_found_to_their_end() {
    let long = |unit: &str| unit.repeat(100_000 / unit.len());
    let rules = Rules::builtin();
    for (before, value, after) in [
        ("Authorization: Bearer ", long("abc1"), " next"),
        ("a -----BEGIN PRIVATE KEY-----", long("TUlJ"), ""),
        ("postgres://app:", long("pass"), "@db/x"),
        ("{\"password\":[", long("\"abcd1234\","), "\"z\"]}"),
        ("<password>", long("abcd"), "</password>"),
        ("Cookie: a=", long("abcd"), " next"),
        ("\"token_", format!("{}_password\":\"hunter2", long("a_")), "\""),
        ("X-Amz-Signature=", format!("{}{}", "1".repeat(2_000), "9f8e7d6c5b4a3928"), " next"),
        ("session=", format!("{}{}", "a".repeat(2_000), long("9f8e7d6c5b4a3928")), " next"),
    ] {
        let text = format!("{before}{value}{after}");
        let mut findings = Vec::new();
        rules.find(&everything(&rules), &mut Scratch::default(), text.as_bytes(), &mut findings);
        let last = findings.last().expect("a finding");
        let end = text.len() - after.len();
        assert!(last.span.end + 16 >= end, "{before}: found to {}, the value ends at {end}", last.span.end);
    }
}

/// Time of this thread alone that a search takes: neither other programs nor other tests count.
fn search_time(rules: &Rules, wanted: &Wanted, text: &str) -> Duration {
    let now = || {
        let time = rustix::time::clock_gettime(rustix::time::ClockId::ThreadCPUTime);
        Duration::new(time.tv_sec as u64, time.tv_nsec as u32)
    };
    let mut scratch = Scratch::default();
    let begun = now();
    rules.find(wanted, &mut scratch, text.as_bytes(), &mut Vec::new());
    now() - begun
}

/// A law of linearity, no measure of speed: text of four times the length takes four times as long, where a search that reads
/// anything twice per candidate takes sixteen times as long.
#[test]
fn adversarial_input_takes_linear_time() {
    let rules = Rules::builtin();
    let wanted = everything(&rules);
    let heads =
        ["", "password=", "password=a", "ssn=a", "Authorization: X ", "\"password\":\"", "{\"password\":["];
    for unit in [
        "password=",
        "password=\"",
        "{\"password\":[",
        "basic+",
        "bearer ",
        "eyJ-",
        "://a:",
        "a@",
        "%40",
        "token%3D",
        "-----BEGIN PRIVATE KEY-----\"",
        "\\",
        "sk-",
        "1.1.1.1",
        "::",
        "<password>",
        "</password",
        "--password ",
        "cookie=",
        "cookie=;",
        "authorization=",
        "authorization: x ",
        "user:",
        "\"\\\"\\\\\\\"",
        "00-",
        "4111 ",
        ")",
        "ssn=a)",
        ",a",
        "%25",
        "%3A",
        r"\u0022a\u0022:",
        r"\u0022sid\u0022:1",
        "%22sid%22%3A1",
        "%22password%22%3A%22%5C",
        "\"cookie\",\"a",
        "\\\"cookie\\\",",
        "\"a\"@",
        "a'a@",
        "<a=a@",
        "1.1.1.1 - a ",
        "iban a",
        "user id=a",
        "for user a",
        " //a:",
        "fooo_key=",
        "fooo-key-",
        "fooo_key:[",
        "fooo_key=[a",
        "okta key ",
        "key=a&amp;",
        "&amp;amp;",
    ] {
        for head in heads {
            let time = |bytes: usize| {
                search_time(&rules, &wanted, &format!("{head}{}", unit.repeat(bytes / unit.len())))
            };
            let (short, long) = (time(25_000), time(100_000));
            // What takes next to no time is not told apart from chance.
            let linear = short * 8 + Duration::from_millis(20);
            assert!(long < linear, "{head}{unit}…: {short:?} and then {long:?}, quadratic time");
        }
    }
}

/// Built-in patterns are compiled when they are needed, and nobody could be told then.
#[test]
fn the_builtin_packs_are_valid_and_their_short_form_is_theirs() {
    let (full, short) = (Rules::builtin_in_full(), Rules::builtin());
    assert_eq!(full.rules().len(), short.rules().len());
    for ((_, full), (_, short)) in full.rules().zip(short.rules()) {
        assert_eq!((&full.name, full.entity), (&short.name, short.entity));
        // A pattern's text is told, and whether it is compiled.
        let told = |kind: &super::rule::Kind| format!("{kind:?}");
        assert_eq!(told(&full.kind), told(&short.kind), "{}", full.name);
    }
}
