//! Valid JSON stays valid JSON, and says the same but for what was found.

use serde_json::{Map, Value};

use super::*;

/// A JSON document some of whose leaves are findings.
#[derive(Clone, Debug)]
enum Json {
    Number(i64, Option<usize>),
    Text(String, Option<usize>),
    List(Vec<Json>),
    Object(Vec<Json>),
    /// A document in a string.
    Nested(Box<Json>),
}

/// Any document; the number in a leaf is the place of its entity in [`ENTITIES`].
fn json() -> impl Strategy<Value = Json> {
    let found = || proptest::option::of(0..ENTITIES.len());
    let text = prop_oneof![
        any::<String>(),
        "[0-9]{1,3}(\\.[0-9]{1,3}){3}",
        "[a-z]{0,8}[\\\\\"/=&,{}:]{1,3}[a-z]{0,8}"
    ];
    let leaf = prop_oneof![
        (any::<i64>(), found()).prop_map(|(number, found)| Json::Number(number, found)),
        (text, found()).prop_map(|(text, found)| Json::Text(text, found)),
    ];
    let inner = leaf.prop_recursive(5, 32, 6, |inner| {
        prop_oneof![
            proptest::collection::vec(inner.clone(), 0..5).prop_map(Json::List),
            proptest::collection::vec(inner.clone(), 0..5).prop_map(Json::Object),
            proptest::collection::vec(inner, 0..4)
                .prop_map(|members| Json::Nested(Box::new(Json::Object(members)))),
        ]
    });
    proptest::collection::vec(inner, 0..6).prop_map(Json::Object)
}

/// A document as text, with its findings.
#[derive(Default)]
struct Written {
    text: String,
    findings: Vec<Finding>,
}

impl Written {
    fn write(&mut self, json: &Json, space: &str) {
        match json {
            Json::Number(number, found) => self.leaf(&number.to_string(), *found, true),
            Json::Text(text, found) => {
                self.text.push('"');
                let quoted = Value::from(text.as_str()).to_string();
                self.leaf(&quoted[1..quoted.len() - 1], *found, false);
                self.text.push('"');
            }
            Json::List(elements) => {
                self.text.push('[');
                for (at, element) in elements.iter().enumerate() {
                    self.text.push_str(if at == 0 { "" } else { "," });
                    self.text.push_str(space);
                    self.write(element, space);
                }
                self.text.push(']');
            }
            Json::Object(members) => {
                self.text.push('{');
                for (at, member) in members.iter().enumerate() {
                    let comma = if at == 0 { "" } else { "," };
                    self.text.push_str(&format!("{comma}{space}\"k\\\"{at}\"{space}:{space}"));
                    self.write(member, space);
                    self.text.push_str(space);
                }
                self.text.push('}');
            }
            Json::Nested(document) => {
                let mut inner = Written::default();
                inner.write(document, space);
                self.nest(&inner);
            }
        }
    }

    fn leaf(&mut self, text: &str, found: Option<usize>, bare: bool) {
        let start = self.text.len();
        self.text.push_str(text);
        if let Some(entity) = found {
            let form = Form { json: 1, bare, percent: 0 };
            self.findings.push(finding(start..self.text.len(), ENTITIES[entity], form));
        }
    }

    /// Writes a document as a string; its findings are one level deeper.
    fn nest(&mut self, inner: &Written) {
        self.text.push('"');
        let mut places = Vec::new();
        for char in inner.text.chars() {
            places.resize(places.len() + char.len_utf8(), self.text.len());
            let quoted = Value::from(char.to_string()).to_string();
            self.text.push_str(&quoted[1..quoted.len() - 1]);
        }
        places.push(self.text.len());
        for found in &inner.findings {
            let form = Form { json: found.form.json + 1, ..found.form };
            self.findings.push(finding(places[found.span.start]..places[found.span.end], found.entity, form));
        }
        self.text.push('"');
    }
}

/// What the document says.
fn value(json: &Json) -> Value {
    meaning(json, &|leaf, _| Some(leaf))
}

/// What the document says if `change` is applied to each found leaf; `None` takes the member out.
fn meaning(json: &Json, change: &dyn Fn(Value, usize) -> Option<Value>) -> Value {
    let changed = |json: &Json| match json {
        Json::Number(number, Some(found)) => change(Value::from(*number), *found),
        Json::Text(text, Some(found)) => change(Value::from(text.as_str()), *found),
        Json::Number(number, None) => Some(Value::from(*number)),
        Json::Text(text, None) => Some(Value::from(text.as_str())),
        _ => Some(meaning(json, change)),
    };
    match json {
        Json::List(elements) => elements.iter().map(|element| changed(element).unwrap_or(label())).collect(),
        Json::Object(members) => {
            let member = |(at, member)| Some((format!("k\"{at}"), changed(member)?));
            Value::Object(members.iter().enumerate().filter_map(member).collect::<Map<_, _>>())
        }
        Json::Nested(document) => meaning(document, change),
        Json::Number(..) | Json::Text(..) => changed(json).unwrap_or(label()),
    }
}

/// The label that stands where a dropped value was in no member.
fn label() -> Value {
    Value::from("[label]")
}

/// Opens the documents in strings where `json` has some.
fn opened(mut parsed: Value, json: &Json) -> Value {
    match json {
        Json::Nested(document) => {
            let inner =
                parsed.as_str().map(|text| serde_json::from_str(text).expect("the inner text is JSON"));
            opened(inner.expect("a string stays one"), document)
        }
        Json::List(elements) => {
            for (place, element) in parsed.as_array_mut().into_iter().flatten().zip(elements) {
                *place = opened(place.take(), element);
            }
            parsed
        }
        Json::Object(members) => {
            for (at, member) in members.iter().enumerate() {
                if let Some(place) = parsed.get_mut(format!("k\"{at}")) {
                    *place = opened(place.take(), member);
                }
            }
            parsed
        }
        Json::Number(..) | Json::Text(..) => parsed,
    }
}

fn space() -> impl Strategy<Value = &'static str> {
    prop_oneof![Just(""), Just(" "), Just("\t \n")]
}

proptest! {
    #![proptest_config(config(512))]

    /// For all documents d and actions a: splice(d, a) parses, at every level of documents in strings.
    #[test]
    fn valid_json_stays_valid_json(json in json(), actions in proptest::collection::vec(action(), ENTITIES.len())) {
        let mut written = Written::default();
        written.write(&json, "");
        let out = spliced(written.text.as_bytes(), &written.findings, &actions);
        let parsed: Value = serde_json::from_slice(&out).expect("the output is JSON");
        opened(parsed, &json);
    }

    /// For all documents d: what drop_field leaves of d is d without the members found; elements become labels.
    #[test]
    fn a_dropped_member_takes_nothing_along(json in json(), space in space()) {
        // White space other than as it stands is no white space to the search: members next to it are redacted.
        let space = if written_deep(&json) && space.contains('\t') { "" } else { space };
        let mut written = Written::default();
        written.write(&json, space);
        let out = spliced(written.text.as_bytes(), &written.findings, &[Action::DropField; ENTITIES.len()]);
        let parsed: Value = serde_json::from_slice(&out).expect("the output is JSON");
        let names = ENTITIES.map(|entity| Value::from(format!("[{}]", rules().entities().name(entity))));
        let relabelled = relabel(opened(parsed, &json), &names);
        prop_assert_eq!(relabelled, meaning(&json, &|_, _| None));
    }

    /// For all documents d: with one label for every finding, d says the same as if its leaves had been replaced.
    #[test]
    fn what_was_not_found_says_the_same(json in json(), space in space()) {
        let mut written = Written::default();
        written.write(&json, space);
        let out = spliced(written.text.as_bytes(), &written.findings, &[REDACT; ENTITIES.len()]);
        let parsed: Value = serde_json::from_slice(&out).expect("the output is JSON");
        let label = |_, found: usize| Some(Value::from(format!("[{}]", rules().entities().name(ENTITIES[found]))));
        prop_assert_eq!(opened(parsed, &json), meaning(&json, &label));
        let kept = spliced(written.text.as_bytes(), &written.findings, &[Action::Keep; ENTITIES.len()]);
        prop_assert_eq!(kept, written.text.as_bytes());
        let parsed: Value = serde_json::from_str(&written.text).expect("the input is JSON");
        prop_assert_eq!(opened(parsed, &json), value(&json));
    }
}

/// Whether there is a document in a string.
fn written_deep(json: &Json) -> bool {
    match json {
        Json::Nested(_) => true,
        Json::List(inner) | Json::Object(inner) => inner.iter().any(written_deep),
        Json::Number(..) | Json::Text(..) => false,
    }
}

/// Puts [`label`] in the place of every label of an entity.
fn relabel(value: Value, names: &[Value]) -> Value {
    match value {
        Value::Array(elements) => elements.into_iter().map(|element| relabel(element, names)).collect(),
        Value::Object(members) => {
            members.into_iter().map(|(key, member)| (key, relabel(member, names))).collect()
        }
        leaf if names.contains(&leaf) => label(),
        leaf => leaf,
    }
}
