/*!
Mutations: one planted secret in every notation, under every key, with every neighbour, is found in all of them.

The law: for each notation `n`, key `k` and value `v` that the notation can
hold, no part of `v` is left over in `n(k, v)` once what was found is taken out,
and nothing of the neighbours is taken.
*/

use super::{Rules, Wanted};

/// How a notation writes a value.
#[derive(Clone, Copy)]
enum Writes {
    /// In double quotes, backslash escapes.
    Double,
    /// In double quotes inside a string of JSON.
    Nested,
    /// In single quotes, backslash escapes.
    Single,
    /// Without quotes, up to white space.
    Word,
    /// Without quotes, where commas, semicolons and brackets end a value.
    Item,
    /// Percent-encoded.
    Percent,
    /// With references of XML.
    Reference,
}

/// Neighbours that must stay.
const BEFORE: &str = "n1=0 ";
const AFTER: &str = " n2=1";

/// `{k}` is the key, `{K}` the key without punctuation, its words capitalised, `{v}` the value.
const NOTATIONS: &[(&str, Writes)] = &[
    (r#"{"a":1,"{k}":"{v}","z":true}"#, Writes::Double),
    (r#"{ "{k}" : "{v}" }"#, Writes::Double),
    (r#"{"m":"{\"{k}\":\"{v}\",\"z\":1}"}"#, Writes::Nested),
    (r#"{"m":"in {k}={v} ok"}"#, Writes::Item),
    (r#"{"{k}":["{v}","{v}"]}"#, Writes::Double),
    ("level=info {k}={v} ok=true", Writes::Item),
    (r#"level=info {k}="{v}" ok=true"#, Writes::Double),
    (r#"{k}: "{v}""#, Writes::Double),
    ("{k}: '{v}'", Writes::Single),
    ("{k} = {v}", Writes::Item),
    ("export {k}={v}", Writes::Word),
    ("export {k}='{v}'", Writes::Single),
    (r#"$env:{k} = "{v}""#, Writes::Double),
    ("docker run -e {k}={v} img", Writes::Word),
    (r#"setx {k} "{v}""#, Writes::Double),
    ("ENV {k} {v}", Writes::Word),
    ("<cfg><{k}>{v}</{k}><b>1</b></cfg>", Writes::Reference),
    (r#"<user name="jo" {k}="{v}" n="3"/>"#, Writes::Reference),
    (r#"{"user"=>"jo", "{k}"=>"{v}", "x"=>1}"#, Writes::Double),
    (r#"{:user => "jo", :{k} => "{v}"}"#, Writes::Double),
    ("{'user': 'jo', '{k}': '{v}'}", Writes::Single),
    ("connect(host='h', {k}='{v}', port=1)", Writes::Single),
    ("User(name=x, {k}={v}, age=3)", Writes::Item),
    (r#"String {k} = "{v}";"#, Writes::Double),
    (r#"{k} := "{v}""#, Writes::Double),
    (r#"if ({k} == "{v}") return;"#, Writes::Double),
    (r#"if ({k} != "{v}") return;"#, Writes::Double),
    (r#"cfg["{k}"] = "{v}""#, Writes::Double),
    ("cfg['{k}'] = '{v}'", Writes::Single),
    (r#"cfg.set{K}("{v}");"#, Writes::Double),
    (".with{K}('{v}')", Writes::Single),
    (r#"map.put("{k}", "{v}")"#, Writes::Double),
    ("define('{k}', '{v}');", Writes::Single),
    ("${k} = '{v}';", Writes::Single),
    (r#"Cfg { {k}: "{v}", n: 1 }"#, Writes::Double),
    (r#"Cfg { {k}: Some("{v}"), n: 1 }"#, Writes::Double),
    ("GET /x?a=1&{k}={v}&b=2 HTTP/1.1", Writes::Percent),
    ("user[{k}]={v}&x=1", Writes::Percent),
    ("run --{k} {v} --region eu", Writes::Word),
    ("run --{k}={v} --region eu", Writes::Word),
    (r#"["run", "--{k}", "{v}", "-x"]"#, Writes::Double),
    ("Server=db;Port=1;{k}={v};Database=x", Writes::Item),
    (r#"{"name":"{k}","value":"{v}"}"#, Writes::Double),
    (r#"{"key":"{k}","type":"s","value":"{v}"}"#, Writes::Double),
    (r#"<add key="{k}" value="{v}"/>"#, Writes::Reference),
    (r#"<property name="{k}">{v}</property>"#, Writes::Reference),
    (r#"<input name="{k}" type="text" value="{v}">"#, Writes::Reference),
    (r#"form-data; name="{k}"\r\n\r\n{v}\r\n--b"#, Writes::Item),
    (r#"Environment="{k}={v}""#, Writes::Item),
];

/// Keys that name a secret in different ways.
const KEYS: &[&str] = &[
    "password",
    "db_password",
    "dbPassword",
    "api_key",
    "clientSecret",
    "X-Api-Key",
    "AUTH_TOKEN",
    "passphrase",
];

/// Values, most of them nothing like a machine's.
const VALUES: &[&str] = &[
    "hunter2",
    "S3cr3t!x",
    "correcthorse",
    "changeme",
    "p&ss1",
    "pa\"s1",
    "o'neil9",
    "tr0ub4dor&3",
    "pä55wort",
    "ab,cd9",
    "ab;cd9",
    "12345678",
    "$ecr3t",
    "{x}9",
    "100%sure1",
    r"back\slash9",
    "@at1x",
    "a=b9",
    "0a1b2c3d4e5f6a7b8c9d",
];

/// The value as the notation writes it; `None` if it cannot.
fn written(value: &str, writes: Writes) -> Option<String> {
    let plain = |ends: &str| (!value.contains(|c| ends.contains(c))).then(|| value.to_owned());
    match writes {
        Writes::Double => Some(value.replace('\\', r"\\").replace('"', r#"\""#)),
        Writes::Nested => Some(value.replace('\\', r"\\\\").replace('"', r#"\\\""#)),
        Writes::Single => Some(value.replace('\\', r"\\").replace('\'', r"\'")),
        Writes::Word => plain("\\"),
        Writes::Item => plain("\\\",;{})"),
        Writes::Percent => Some(value.bytes().map(percent).collect()),
        Writes::Reference => {
            Some(value.replace('&', "&amp;").replace('"', "&quot;").replace('<', "&lt;").replace('>', "&gt;"))
        }
    }
}

fn percent(byte: u8) -> String {
    if byte.is_ascii_alphanumeric() { char::from(byte).to_string() } else { format!("%{byte:02X}") }
}

/// `x_api-key` as `XApiKey`.
fn camel(key: &str) -> String {
    let words = key.split(['_', '-']).filter(|word| !word.is_empty());
    words.map(|word| word[..1].to_uppercase() + &word[1..]).collect()
}

/// The text with each finding taken out.
fn left_over(rules: &Rules, wanted: &Wanted, text: &str) -> String {
    let mut findings = Vec::new();
    rules.find(wanted, &mut super::Scratch::default(), text.as_bytes(), &mut findings);
    let mut left = Vec::new();
    let mut from = 0;
    for finding in findings {
        left.extend_from_slice(&text.as_bytes()[from..finding.span.start]);
        left.push(0);
        from = finding.span.end;
    }
    left.extend_from_slice(&text.as_bytes()[from..]);
    String::from_utf8_lossy(&left).into_owned()
}

/// Where a notation ties a value so loosely to a name that a key's must look random to be one: what `key: value` says
/// in prose.
fn is_loose(key: &str, template: &str, value: &str) -> bool {
    let named_password = key.to_ascii_lowercase().contains("pass");
    let random = value.bytes().any(|byte| byte.is_ascii_digit());
    let words = template.starts_with("ENV ") || template.contains(r"\r\n");
    !named_password && !random && words
}

#[test]
fn a_planted_secret_is_found_in_every_notation() {
    let rules = Rules::builtin();
    let wanted = Wanted::new(vec![1; rules.entities().len()]);
    let mut tried = 0;
    let mut missed = Vec::new();
    for (template, writes) in NOTATIONS {
        for key in KEYS {
            let plain = template.replace("{k}", key).replace("{K}", &camel(key));
            for value in VALUES.iter().filter(|value| !is_loose(key, template, value)) {
                let Some(secret) = written(value, *writes) else { continue };
                let text = format!("{BEFORE}{}{AFTER}", plain.replace("{v}", &secret));
                let left = left_over(&rules, &wanted, &text);
                let stays = left.starts_with(BEFORE) && left.ends_with(AFTER);
                let frame = plain.replace("{v}", "");
                let gone = left.len() <= frame.len() + BEFORE.len() + AFTER.len() + 8
                    && !left.contains(secret.as_str());
                tried += 1;
                if !stays || !gone {
                    missed.push(text);
                }
            }
        }
    }
    assert!(tried > 5000, "{tried}");
    let shown = missed.iter().take(40).cloned().collect::<Vec<_>>().join("\n");
    assert!(missed.is_empty(), "{} of {tried} missed:\n{shown}", missed.len());
}
