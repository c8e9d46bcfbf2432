//! Lines for fields and values over what rules find.

use super::*;
use crate::detect::Scratch as FindScratch;

fn rules() -> Rules {
    let text = r#"{"entities":["internal","unlisted"],"rules":[{"name":"line","entity":"internal","line":true},
        {"name":"only","entity":"unlisted","line":true}]}"#;
    Rules::builtin().and_declared("policy", text).expect("it is right")
}

fn line(rules: &Rules, pattern: &str, verdict: Option<Whole>) -> FieldLine {
    let (rule, entity) = ids(rules, "line", "internal");
    let pattern = Pattern::parse(pattern).expect("a pattern");
    FieldLine {
        pattern,
        verdict: verdict.map_or(Verdict::Stands, |whole| Verdict::Found { rule, entity, whole }),
    }
}

fn ids(rules: &Rules, rule: &str, entity: &str) -> (RuleId, Entity) {
    (rules.rule_named(rule).expect("a rule"), rules.entities().find(entity).expect("an entity"))
}

/// The text with every finding in marks.
fn marked(rules: &Rules, overrule: &Overrule, text: &str) -> String {
    let wanted = Wanted::new(vec![4; rules.entities().len()]).overruled(overrule.clone());
    let mut findings = Vec::new();
    rules.find(&wanted, &mut FindScratch::default(), text.as_bytes(), &mut findings);
    let mut plainly = Vec::new();
    rules.find_plainly(&wanted, text.as_bytes(), &mut plainly);
    assert_eq!(findings, plainly, "{text}");
    let mut out = String::new();
    let mut at = 0;
    for finding in findings {
        out += &text[at..finding.span.start];
        out += &format!("«{}»", &text[finding.span.range()]);
        at = finding.span.end;
    }
    out + &text[at..]
}

#[test]
fn a_field_is_found_by_its_name_in_every_notation() {
    let rules = rules();
    let overrule =
        Overrule { fields: vec![line(&rules, "x-*-ref", Some(Whole::Yes))], ..Overrule::default() };
    for (text, expected) in [
        ("a=1 x_order_ref=ab b=2", "a=1 x_order_ref=«ab» b=2"),
        ("X-Order-Ref: ab", "X-Order-Ref: «ab»"),
        ("GET /?x-order-ref=a%20b&y=1 HTTP/1.1", "GET /?x-order-ref=«a%20b»&y=1 HTTP/1.1"),
        (r#"{"a":{"xOrderRef":"a\"b"},"b":1}"#, r#"{"a":{"xOrderRef":"«a\"b»"},"b":1}"#),
        (r#"{"x_order_ref":12}"#, r#"{"x_order_ref":«12»}"#),
        (r#"{"x_order_ref":{"a":[1,"b"]},"c":1}"#, r#"{"x_order_ref":«{"a":[1,"b"]}»,"c":1}"#),
        (r#"{"msg":"x_order_ref=ab ok"}"#, r#"{"msg":"x_order_ref=«ab» ok"}"#),
        (r#"{"msg":"{\"x_order_ref\":\"ab\"}"}"#, r#"{"msg":"{\"x_order_ref\":\"«ab»\"}"}"#),
        ("x_order_ref= order_ref=ab", "x_order_ref= order_ref=ab"),
        ("x_order_ref=[internal]", "x_order_ref=[internal]"),
    ] {
        assert_eq!(marked(&rules, &overrule, text), expected);
    }
}

#[test]
fn a_path_tells_two_fields_of_one_name_apart() {
    let rules = rules();
    let overrule =
        Overrule { fields: vec![line(&rules, "$.customer.ref", Some(Whole::No))], ..Overrule::default() };
    let text = r#"{"customer":{"ref":["a",{"b":2}]},"order":{"ref":"c"},"ref":"d"}"#;
    let expected = r#"{"customer":{"ref":["«a»",{"b":«2»}]},"order":{"ref":"c"},"ref":"d"}"#;
    assert_eq!(marked(&rules, &overrule, text), expected);
    assert_eq!(marked(&rules, &overrule, "customer.ref=a ref=b"), "customer.ref=«a» ref=b");
}

#[test]
fn the_first_line_that_fits_decides() {
    let rules = rules();
    let fields = vec![line(&rules, "order.ref", None), line(&rules, "ref", Some(Whole::Yes))];
    let overrule = Overrule { fields, ..Overrule::default() };
    let text = r#"{"order":{"ref":"jane@example.com"},"ref":"d"}"#;
    assert_eq!(marked(&rules, &overrule, text), r#"{"order":{"ref":"jane@example.com"},"ref":"«d»"}"#);
}

#[test]
fn a_field_that_stands_lets_nothing_else_stand() {
    let rules = rules();
    let overrule = Overrule { fields: vec![line(&rules, "$.contact", None)], ..Overrule::default() };
    let check = |text: &str, expected: &str| assert_eq!(marked(&rules, &overrule, text), expected);
    check(
        r#"{"contact":["a@example.com",{"password":"x7"}],"by":"b@example.com"}"#,
        r#"{"contact":["a@example.com",{"password":"x7"}],"by":"«b@example.com»"}"#,
    );
    check("contact=a@example.com by=b@example.com", "contact=a@example.com by=«b@example.com»");
    check(r#"{"contact":"a@example.com"#, r#"{"contact":"«a@example.com»"#);
}

#[test]
fn values_networks_and_cards_are_left_alone() {
    let rules = rules();
    let stand = Stand {
        values: vec![b"noreply@example.com"[..].into()],
        networks: ["10.0.0.0/8", "2001:db8::/32"]
            .map(|text| Network::parse(text).expect("a network"))
            .to_vec(),
        cards: vec![b"4242424242424242"[..].into()],
    };
    let overrule = Overrule { stand, ..Overrule::default() };
    for (text, expected) in [
        ("NoReply@example.com a@example.com", "NoReply@example.com «a@example.com»"),
        (r#"{"a":"noreply\u0040example.com"}"#, r#"{"a":"noreply\u0040example.com"}"#),
        ("10.1.2.3 11.1.2.3 ::ffff:10.1.2.3", "10.1.2.3 «11.1.2.3» ::ffff:10.1.2.3"),
        ("2001:db8::1 2001:db9::1", "2001:db8::1 «2001:db9::1»"),
        ("4242 4242 4242 4242 and 4111-1111-1111-1111", "4242 4242 4242 4242 and «4111-1111-1111-1111»"),
    ] {
        assert_eq!(marked(&rules, &overrule, text), expected);
    }
}

#[test]
fn what_is_left_alone_is_told() {
    let rules = rules();
    let networks = vec![Network::parse("10.0.0.0/8").expect("a network")];
    let stand = Stand { networks, ..Stand::default() };
    let wanted =
        Wanted::new(vec![4; rules.entities().len()]).overruled(Overrule { stand, ..Overrule::default() });
    let misses = rules.near_misses(&wanted, b"10.1.2.3 11.1.2.3");
    let allowed: Vec<Span> = misses
        .iter()
        .filter(|miss| miss.why == Why::Allowed { by: Allowed::Network })
        .map(|miss| miss.span)
        .collect();
    assert_eq!(allowed, [Span::new(0, 8)]);
}

#[test]
fn a_network_is_an_address_and_a_length() {
    for text in ["", "10.0.0.0/33", "::/129", "10.0.0/8", "10.0.0.0/-1", "x/8", "10.0.0.0/"] {
        assert_eq!(Network::parse(text), None, "{text}");
    }
    let all = Network::parse("0.0.0.0/0").expect("all of IPv4");
    assert!(all.holds("255.255.255.255".parse().unwrap()) && !all.holds("2001:db8::1".parse().unwrap()));
    let one = Network::parse("192.0.2.1").expect("one address");
    assert!(one.holds("192.0.2.1".parse().unwrap()) && !one.holds("192.0.2.2".parse().unwrap()));
}

fn only(rules: &Rules) -> Overrule {
    let (rule, entity) = ids(rules, "only", "unlisted");
    let fields = ["status", "time", "http.path", "tags"];
    let fields = fields.map(|text| Pattern::parse(text).expect("a pattern").anchored()).to_vec();
    Overrule { only: Some(Only { fields, rule, entity }), ..Overrule::default() }
}

#[test]
fn only_listed_fields_pass() {
    let rules = rules();
    let overrule = only(&rules);
    for (text, expected) in [
        (r#"{"status":200,"note":"x","n":7}"#, r#"{"status":200,"note":"«x»","n":«7»}"#),
        (r#"{"tags":["a",{"b":1}],"other":["a"]}"#, r#"{"tags":["a",{"b":1}],"other":«["a"]»}"#),
        (
            r#"{"http":{"path":"/a","host":"h"},"x":{"path":"/b"}}"#,
            r#"{"http":{"path":"/a","host":"«h»"},"x":«{"path":"/b"}»}"#,
        ),
        (r#"{"http.path":"/a","path":"/b"}"#, r#"{"http.path":"/a","path":"«/b»"}"#),
        ("status=200 user=jane note=\"a b\"", "status=200 user=«jane» note=\"«a b»\""),
        (r#"{"status":"a@example.com"}"#, r#"{"status":"«a@example.com»"}"#),
    ] {
        assert_eq!(marked(&rules, &overrule, text), expected);
    }
}

#[test]
fn what_is_not_fields_from_end_to_end_passes_nothing() {
    let rules = rules();
    let overrule = only(&rules);
    for text in [
        "hello world",
        "status=200 hello",
        r#"{"status":200} hello"#,
        r#"{"status":200"#,
        r#"{"status":200,"status"}"#,
        &("[".repeat(100) + &"]".repeat(100)),
    ] {
        assert_eq!(marked(&rules, &overrule, text), format!("«{text}»"));
    }
}

#[test]
fn structured_data_has_parameters_and_words_have_none() {
    let rules = rules();
    let overrule = only(&rules);
    let wanted = Wanted::new(vec![4; rules.entities().len()]).overruled(overrule);
    let spans = |within, text: &str| {
        let mut findings = Vec::new();
        rules.overrule(&wanted, &mut FindScratch::default(), within, text.as_bytes(), &mut findings, 0);
        findings.iter().map(|finding| text[finding.span.range()].to_owned()).collect::<Vec<_>>()
    };
    assert_eq!(spans(Within::Word, "web-1"), Vec::<String>::new());
    assert_eq!(spans(Within::Structured, r#"[a@1 status="1" user="jane"]"#), ["jane"]);
    assert_eq!(spans(Within::Structured, "-"), Vec::<String>::new());
}
