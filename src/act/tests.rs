//! Every action on hand-made findings: what it writes in each place.

use super::*;
use crate::action::{Domain, PSEUDONYMIZE, Shape};
use crate::detect::{Form, RuleId};
use crate::keys::KeyId;
use crate::secret::Secret;

const REDACT: Action = Action::Redact { length: false };
const REDACT_LENGTH: Action = Action::Redact { length: true };
const TRUNCATE: Action = Action::Truncate { ipv4_prefix: 24, ipv6_prefix: 48 };
const MASK: Action = Action::Mask { first: 6, last: 4 };

const PLAIN: Form = Form { json: 0, bare: false, percent: 0 };
const JSON: Form = Form { json: 1, bare: false, percent: 0 };
const JSON_IN_JSON: Form = Form { json: 2, bare: false, percent: 0 };
const PERCENT: Form = Form { json: 0, bare: false, percent: 1 };

fn bare(json: u8) -> Form {
    Form { json, bare: true, percent: 0 }
}

/// What `splice` makes of `haystack` if each of `values` is a finding.
fn spliced(
    part: Part,
    haystack: &str,
    values: &[(&str, Entity, Form)],
    actions: &[(Entity, Action)],
) -> String {
    let rules = Rules::builtin();
    let mut table = vec![REDACT; rules.entities().len()];
    for (entity, action) in actions {
        table[entity.index()] = *action;
    }
    let wanted = Wanted::new(table.iter().map(|action| action.strength()).collect());
    let key = EpochKey::new(KeyId(*b"k7f3a"), &Secret::new(vec![7; 32]));
    let orders = Orders {
        class: ClassId(0),
        rules: &rules,
        wanted: &wanted,
        actions: &table,
        key: Some(&key),
        suppressed: None,
        table: None,
    };
    let mut at = 0;
    let finding = |&(value, entity, form): &(&str, Entity, Form)| {
        let start = at + haystack[at..].find(value).expect("values are in order");
        at = start + value.len();
        Finding { span: Span::new(start, at), entity, rule: RuleId(0), form }
    };
    let findings: Vec<Finding> = values.iter().map(finding).collect();
    let mut out = Vec::new();
    let fate = splice(
        &orders,
        &mut State::default(),
        part,
        haystack.as_bytes(),
        &findings,
        &mut out,
        &mut Tally::default(),
    );
    assert_eq!(fate == Fate::Dropped, actions.iter().any(|(_, action)| *action == Action::DropRecord));
    String::from_utf8(out).expect("text stays text")
}

#[track_caller]
fn check(haystack: &str, value: &str, entity: Entity, form: Form, action: Action, expected: &str) {
    let out = spliced(Part::Message, haystack, &[(value, entity, form)], &[(entity, action)]);
    assert_eq!(out, expected);
}

#[test]
fn labels_stand_in_any_place() {
    check("to a@example.org now", "a@example.org", Entity::EMAIL, PLAIN, REDACT, "to [email] now");
    check("to a@example.org now", "a@example.org", Entity::EMAIL, PLAIN, REDACT_LENGTH, "to [email 13B] now");
    check(r#"{"p":123456}"#, "123456", Entity::PASSWORD, bare(1), REDACT, r#"{"p":"[password]"}"#);
    check(r#""{\"p\":12}""#, "12", Entity::PASSWORD, bare(2), REDACT, r#""{\"p\":\"[password]\"}""#);
    check("{p:12}", "12", Entity::PASSWORD, bare(3), REDACT, r#"{p:\\\"[password]\\\"}"#);
    check("{p:12}", "12", Entity::PASSWORD, bare(200), REDACT, "{p:0}");
    check("a@example.org", "a@example.org", Entity::EMAIL, PLAIN, Action::Keep, "a@example.org");
}

#[test]
fn what_an_action_cannot_be_carried_out_on_is_redacted() {
    check("x", "x", Entity::IPV4, PLAIN, TRUNCATE, "[ipv4]");
    check("a@example.org", "a@example.org", Entity::EMAIL, PLAIN, TRUNCATE, "[email]");
    check("by a@example.org", "a@example.org", Entity::EMAIL, PLAIN, Action::DropField, "by [email]");
}

#[test]
fn addresses_are_cut_where_they_stand() {
    check("203.0.113.7:443", "203.0.113.7", Entity::IPV4, PLAIN, TRUNCATE, "203.0.113.0:443");
    check("ip=203%2E0%2e113.7", "203%2E0%2e113.7", Entity::IPV4, PERCENT, TRUNCATE, "ip=203.0.113.0");
    check(r#"["2001:db8\u003a:1"]"#, r"2001:db8\u003a:1", Entity::IPV6, JSON, TRUNCATE, r#"["2001:db8::"]"#);
    check("::ffff:198.51.100.9", "::ffff:198.51.100.9", Entity::IPV6, PLAIN, TRUNCATE, "::ffff:198.51.100.0");
    check("4012 8888 8888 1881", "4012 8888 8888 1881", Entity::CARD, PLAIN, TRUNCATE, "4012 88** **** ****");
}

#[test]
fn masks_fit_where_they_stand() {
    let card = "4111111111111111";
    check(&format!("{{\"n\":{card}}}"), card, Entity::CARD, bare(1), MASK, r#"{"n":"411111******1111"}"#);
    check(r#""abcdefgh\"\\ij""#, r#"abcdefgh\"\\ij"#, Entity::PASSWORD, JSON, MASK, r#""**********ij""#);
    check("p=abcdefghi%20%4A", "abcdefghi%20%4A", Entity::PASSWORD, PERCENT, MASK, "p=********i*J");
    check("p=secret", "secret", Entity::PASSWORD, PLAIN, MASK, "p=******");
}

#[test]
fn one_value_has_one_pseudonym_however_it_is_written() {
    let tag_of = |value: &str, entity: Entity, form: Form| {
        let out = spliced(Part::Message, value, &[(value, entity, form)], &[(entity, PSEUDONYMIZE)]);
        let rules = Rules::builtin();
        assert!(mark::is_tag(rules.entities(), out.trim_matches(['"', '\\']).as_bytes()), "{out}");
        out
    };
    let email = tag_of("jane@example.com", Entity::EMAIL, PLAIN);
    assert_eq!(email, tag_of("jane%40Example.COM", Entity::EMAIL, PERCENT));
    assert_eq!(email, tag_of(r"jane\u0040example.com", Entity::EMAIL, JSON));
    assert_eq!(email, tag_of(r"jane\\u0040example.com", Entity::EMAIL, JSON_IN_JSON));
    assert_ne!(
        email,
        tag_of("Jane@example.com", Entity::EMAIL, PLAIN),
        "the local part may tell people apart"
    );
    let address = tag_of("198.51.100.9", Entity::IPV4, PLAIN);
    assert_eq!(address, tag_of("::ffff:c633:6409", Entity::IPV6, PLAIN));
    assert_eq!(
        format!("\"{}\"", tag_of("17", Entity::USER_ID, JSON)),
        tag_of("17", Entity::USER_ID, bare(1))
    );
}

#[test]
fn shapes_fit_where_they_stand() {
    let digits = Action::Pseudonymize { shape: Shape::Digits };
    let number = spliced(
        Part::Message,
        r#"{"id":1234567}"#,
        &[("1234567", Entity::USER_ID, bare(1))],
        &[(Entity::USER_ID, digits)],
    );
    let made = number.strip_prefix(r#"{"id":"#).and_then(|rest| rest.strip_suffix('}')).expect("a number");
    assert!(made.len() == 7 && !made.starts_with('0') && made.bytes().all(|b| b.is_ascii_digit()), "{made}");
    let text = spliced(
        Part::Message,
        r#"{"id":"1234567"}"#,
        &[("1234567", Entity::USER_ID, JSON)],
        &[(Entity::USER_ID, digits)],
    );
    assert_eq!(text, format!(r#"{{"id":"{made}"}}"#), "a number and its text have one pseudonym");
    let short = spliced(
        Part::Message,
        r#"{"id":123}"#,
        &[("123", Entity::USER_ID, bare(1))],
        &[(Entity::USER_ID, digits)],
    );
    assert!(short.starts_with(r#"{"id":"user_id_k7f3a."#) && short.ends_with(r#""}"#), "{short}");
    let email = Action::Pseudonymize { shape: Shape::Email { domain: Domain::Keep } };
    let query = spliced(
        Part::Message,
        "q=jane%40example.com&p=1",
        &[("jane%40example.com", Entity::EMAIL, PERCENT)],
        &[(Entity::EMAIL, email)],
    );
    assert!(query.ends_with("%40example.com.example&p=1"), "{query}");
}

#[test]
fn numbers_that_say_less_stay_numbers() {
    let rules = Rules::builtin();
    let entity = |name| rules.entities().find(name).expect("it is an entity");
    let one = Action::Generalize { decimals: 1 };
    check(r#"{"lat":52.5200}"#, "52.5200", entity("geo_coordinates"), bare(1), one, r#"{"lat":52.5}"#);
    check(r#"{"born":19900312}"#, "19900312", entity("birth_date"), bare(1), one, r#"{"born":1990}"#);
    check("born=12.03.90", "12.03.90", entity("birth_date"), PLAIN, one, "born=[birth_date]");
    check("ua=curl/8.5.0", "curl/8.5.0", entity("user_agent"), PLAIN, one, "ua=curl/8");
}

/// PCI DSS: with both at hand, whoever can make pseudonyms can tell the digits between.
#[test]
fn a_cards_digits_and_its_pseudonym_never_stand_in_one_record() {
    let number = "4111111111111111";
    let of = |first: Entity, second: Entity| {
        let haystack = format!("{number} {number}");
        let values = [(number, first, PLAIN), (number, second, PLAIN)];
        let actions =
            [(Entity::CARD, MASK), (Entity::USER_ID, PSEUDONYMIZE), (Entity::USERNAME, Action::Encrypt)];
        spliced(Part::Message, &haystack, &values, &actions)
    };
    assert_eq!(of(Entity::CARD, Entity::USER_ID), "411111******1111 [user_id]");
    assert_eq!(of(Entity::CARD, Entity::USERNAME), "411111******1111 [username]");
    let other_way = of(Entity::USER_ID, Entity::CARD);
    assert!(
        other_way.starts_with("user_id_k7f3a.") && other_way.ends_with(" ****************"),
        "{other_way}"
    );
    let (both, _) =
        of(Entity::USER_ID, Entity::USERNAME).split_once(' ').map(|(a, b)| (a.len(), b.len())).expect("two");
    assert_eq!(both, "user_id_k7f3a.".len() + 20, "two pseudonyms show no digits");
}

#[test]
fn a_record_is_dropped_with_nothing_written() {
    check("a@example.org 1.2.3.4", "1.2.3.4", Entity::IPV4, PLAIN, Action::DropRecord, "");
}

#[test]
fn own_labels_and_tags_stay() {
    let tag = "email_k7f3a.mfrggzdfmztwq2lkmfrg";
    for action in [REDACT, REDACT_LENGTH, MASK, PSEUDONYMIZE, Action::DropField] {
        for text in ["p=[email]", "p=[email 12B]", &format!("p={tag}")] {
            check(text, &text[2..], Entity::PASSWORD, PLAIN, action, text);
        }
        check("p=[x]", "[x]", Entity::PASSWORD, PLAIN, REDACT, "p=[password]");
    }
}

#[track_caller]
fn check_drop(haystack: &str, values: &[&str], form: Form, expected: &str) {
    let values: Vec<_> = values.iter().map(|value| (*value, Entity::EMAIL, form)).collect();
    assert_eq!(spliced(Part::Message, haystack, &values, &[(Entity::EMAIL, Action::DropField)]), expected);
}

#[test]
fn json_members_go_with_one_comma() {
    let whole = r#"{"a":"1x", "b" : "2x" ,"c":"3x"}"#;
    check_drop(whole, &["1x"], JSON, r#"{"b" : "2x" ,"c":"3x"}"#);
    check_drop(whole, &["2x"], JSON, r#"{"a":"1x" ,"c":"3x"}"#);
    check_drop(whole, &["3x"], JSON, r#"{"a":"1x", "b" : "2x" }"#);
    check_drop(whole, &["1x", "2x"], JSON, r#"{"c":"3x"}"#);
    check_drop(whole, &["2x", "3x"], JSON, r#"{"a":"1x" }"#);
    check_drop(whole, &["1x", "3x"], JSON, r#"{"b" : "2x" }"#);
    check_drop(whole, &["1x", "2x", "3x"], JSON, "{}");
}

#[test]
fn json_members_go_at_any_level() {
    check_drop(r#"{"a":17,"b":18}"#, &["17"], bare(1), r#"{"b":18}"#);
    check_drop(r#"{"o":{"a":17},"b":1}"#, &["17"], bare(1), r#"{"o":{},"b":1}"#);
    check_drop(r#"{"o":"{\"a\":\"17\",\"b\":1}"}"#, &["17"], JSON_IN_JSON, r#"{"o":"{\"b\":1}"}"#);
    check_drop(r#"{"o":"{\"a\":17}"}"#, &["17"], bare(2), r#"{"o":"{}"}"#);
    check_drop(r#"{"m":"to \"17\" and 18","b":1}"#, &["17", "18"], JSON, r#"{"b":1}"#);
    check_drop(r#"{"m":"x\\","a":"17"}"#, &["17"], JSON, r#"{"m":"x\\"}"#);
}

#[test]
fn array_elements_are_redacted_instead() {
    check_drop(r#"{"a":["17","18"]}"#, &["17", "18"], JSON, r#"{"a":["[email]","[email]"]}"#);
    check_drop(r#"{"a":[17,18]}"#, &["17", "18"], bare(1), r#"{"a":["[email]","[email]"]}"#);
}

#[test]
fn pairs_go_with_their_separator() {
    check_drop("level=info user=bob ok=true", &["bob"], PLAIN, "level=info ok=true");
    check_drop("user=bob ok=true", &["bob"], PLAIN, "ok=true");
    check_drop("ok=true user=bob", &["bob"], PLAIN, "ok=true");
    check_drop(r#"a=1 user="bob b" c=2"#, &["bob b"], PLAIN, "a=1 c=2");
    check_drop("GET /x?e=bob&p=1 HTTP/1.1", &["bob"], PERCENT, "GET /x?p=1 HTTP/1.1");
    check_drop("GET /x?p=1&e=bob HTTP/1.1", &["bob"], PERCENT, "GET /x?p=1 HTTP/1.1");
    check_drop("GET /x?e=bob HTTP/1.1", &["bob"], PERCENT, "GET /x? HTTP/1.1");
    check_drop("/x?e=bob&f=eve", &["bob", "eve"], PERCENT, "/x?");
    check_drop("Cookie: sid=bob; theme=dark", &["bob"], PLAIN, "Cookie: theme=dark");
    check_drop("Cookie: theme=dark; sid=bob", &["bob"], PLAIN, "Cookie: theme=dark");
    check_drop("User(name=x, password=bob, age=3)", &["bob"], PLAIN, "User(name=x, age=3)");
    check_drop(r#"{"m":"user=bob ok=1","n":2}"#, &["bob"], JSON, r#"{"m":"ok=1","n":2}"#);
    check_drop(r#"{"m":"a=1\nuser=bob\nc"}"#, &["bob"], JSON, "{}");
    check_drop("peer=bob:80 x", &["bob"], PLAIN, "x");
}

#[test]
fn a_field_takes_its_other_findings_along() {
    let out = spliced(
        Part::Message,
        r#"{"m":"1.2.3.4 is bob 5.6.7.8","n":"9.9.9.9"}"#,
        &[
            ("1.2.3.4", Entity::IPV4, JSON),
            ("bob", Entity::USERNAME, JSON),
            ("5.6.7.8", Entity::IPV4, JSON),
            ("9.9.9.9", Entity::IPV4, JSON),
        ],
        &[(Entity::USERNAME, Action::DropField), (Entity::IPV4, TRUNCATE)],
    );
    assert_eq!(out, r#"{"n":"9.9.9.0"}"#);
}

#[test]
fn structured_data_and_headers_stay_what_they_are() {
    let structured = |haystack: &str, value: &str, action: Action| {
        spliced(Part::Structured, haystack, &[(value, Entity::EMAIL, PLAIN)], &[(Entity::EMAIL, action)])
    };
    assert_eq!(structured(r#"[a@1 u="bob" v="1"]"#, "bob", REDACT), r#"[a@1 u="[email\]" v="1"]"#);
    assert_eq!(structured(r#"[a@1 u="[email\]"]"#, r"[email\]", REDACT), r#"[a@1 u="[email\]"]"#);
    assert_eq!(structured(r#"[a@1 u="bob" v="1"]"#, "bob", Action::DropField), r#"[a@1 v="1"]"#);
    assert_eq!(structured(r#"[a@1 u="bob"]"#, r#"bob"]"#, REDACT), r#"[logveil withheld="13"]"#);
    let header = spliced(
        Part::Header,
        "10.1.2.3",
        &[("10.1.2.3", Entity::IPV4, PLAIN)],
        &[(Entity::IPV4, REDACT_LENGTH)],
    );
    assert_eq!(header, "[ipv4]", "a header is one word");
}

/// Time linear in the text: both texts make every search go far if it is not held back.
#[test]
fn many_findings_in_one_field_are_searched_once() {
    let values = vec![("bob", Entity::EMAIL, JSON); 50_000];
    let in_one_string = format!("[\"{}\"]", "bob ".repeat(50_000));
    let out = spliced(Part::Message, &in_one_string, &values, &[(Entity::EMAIL, Action::DropField)]);
    assert_eq!(out.matches("[email]").count(), 50_000);
    let in_no_string = "bob ".repeat(50_000);
    let out = spliced(Part::Message, &in_no_string, &values, &[(Entity::EMAIL, Action::DropField)]);
    assert_eq!(out.matches("[email]").count(), 50_000);
}
