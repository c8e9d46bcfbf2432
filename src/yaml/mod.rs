/*!
YAML text as a tree in which every key and value knows its line.

serde's derives stop at the first error and lose the line of an unknown key; an
operator wants them all at once. So the text is read once into [`Node`]s, and
[`Report`] gathers what is wrong while settings or a policy are made from them.
*/

mod unit;

use std::cell::RefCell;
use std::collections::BTreeSet;
use std::fmt;

use serde::de::{Deserialize, Deserializer, MapAccess, SeqAccess, Visitor};
use serde_saphyr::Spanned;

/// A value and the line it stands on.
pub type Node = Spanned<Value>;

/// What YAML can hold.
#[derive(Clone, Debug, PartialEq)]
pub enum Value {
    /// Nothing, `null` or `~`.
    Null,
    /// `true` or `false`.
    Bool(bool),
    /// A number, whole or not.
    Number(f64),
    /// Text, quoted or not.
    Text(String),
    /// A list.
    List(Vec<Node>),
    /// A table, in the order of the file.
    Map(Vec<(Spanned<String>, Node)>),
}

impl Value {
    /// What it is, for error texts: never the text itself.
    fn kind(&self) -> String {
        match self {
            Value::Null => "nothing".into(),
            Value::Bool(value) => format!("{value}"),
            Value::Number(number) => format!("the number {number}"),
            Value::Text(_) => "text".into(),
            Value::List(_) => "a list".into(),
            Value::Map(_) => "a table".into(),
        }
    }
}

/// Reads one YAML document. The error is one line: where, and what.
pub fn parse(text: &str) -> Result<Node, (u64, String)> {
    let options = serde_saphyr::options! { with_snippet: false, };
    serde_saphyr::from_str_with_options::<Node>(text, options).map_err(|err| {
        let line = err.location().map_or(1, |at| at.line());
        let what = err.to_string();
        (line, what.lines().next().unwrap_or("is no YAML").to_owned())
    })
}

impl<'de> Deserialize<'de> for Value {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Value, D::Error> {
        deserializer.deserialize_any(ValueVisitor)
    }
}

struct ValueVisitor;

impl<'de> Visitor<'de> for ValueVisitor {
    type Value = Value;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a value")
    }

    fn visit_unit<E>(self) -> Result<Value, E> {
        Ok(Value::Null)
    }

    fn visit_none<E>(self) -> Result<Value, E> {
        Ok(Value::Null)
    }

    fn visit_some<D: Deserializer<'de>>(self, deserializer: D) -> Result<Value, D::Error> {
        deserializer.deserialize_any(self)
    }

    fn visit_bool<E>(self, value: bool) -> Result<Value, E> {
        Ok(Value::Bool(value))
    }

    fn visit_i64<E>(self, number: i64) -> Result<Value, E> {
        Ok(Value::Number(number as f64))
    }

    fn visit_u64<E>(self, number: u64) -> Result<Value, E> {
        Ok(Value::Number(number as f64))
    }

    fn visit_f64<E>(self, number: f64) -> Result<Value, E> {
        Ok(Value::Number(number))
    }

    fn visit_str<E>(self, text: &str) -> Result<Value, E> {
        Ok(Value::Text(text.to_owned()))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<Value, A::Error> {
        let mut nodes = Vec::new();
        while let Some(node) = list.next_element()? {
            nodes.push(node);
        }
        Ok(Value::List(nodes))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Value, A::Error> {
        let mut entries = Vec::new();
        while let Some(entry) = map.next_entry()? {
            entries.push(entry);
        }
        Ok(Value::Map(entries))
    }
}

/// One thing that is wrong.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Problem {
    line: u64,
    key: String,
    what: Said,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Said {
    /// By us, of a key.
    Here(String),
    /// By another file's reader, which names the place itself.
    Elsewhere(String),
}

impl Problem {
    /// The problem in one line.
    pub fn line(&self, file: &str) -> String {
        match &self.what {
            Said::Here(what) if self.key.is_empty() => format!("{file}:{}: {what}", self.line),
            Said::Here(what) => format!("{file}:{}: {}: {what}", self.line, self.key),
            Said::Elsewhere(whole) => whole.clone(),
        }
    }
}

/// Gathers what is wrong.
#[derive(Debug, Default)]
pub struct Report {
    problems: RefCell<Vec<Problem>>,
}

impl Report {
    /// Adds what is wrong with a key.
    pub fn add(&self, line: u64, key: &str, what: impl Into<String>) {
        let what = Said::Here(what.into());
        self.problems.borrow_mut().push(Problem { line, key: key.to_owned(), what });
    }

    /// What is wrong, by line.
    pub fn into_problems(self) -> Vec<Problem> {
        let mut problems = self.problems.into_inner();
        problems.sort_by_key(|problem| problem.line);
        problems
    }
}

/// A value with its full key, and where to report what is wrong with it.
#[derive(Clone, Debug)]
pub struct Field<'a> {
    /// The full key, such as `sinks.local.kind`.
    pub key: String,
    /// The line it stands on, from 1.
    pub line: u64,
    value: &'a Value,
    report: &'a Report,
}

impl<'a> Field<'a> {
    /// The whole document.
    pub fn root(node: &'a Node, report: &'a Report) -> Field<'a> {
        Field { key: String::new(), line: node.defined.line().max(1), value: &node.value, report }
    }

    fn child(&self, key: String, line: u64, node: &'a Node) -> Field<'a> {
        Field { key, line, value: &node.value, report: self.report }
    }

    /// Reports `what` of this value and gives nothing.
    pub fn refuse<T>(&self, what: impl Into<String>) -> Option<T> {
        self.report.add(self.line, &self.key, what);
        None
    }

    /// Reports a line that names its own place.
    pub fn pass_on(&self, whole: &str) {
        let what = Said::Elsewhere(whole.to_owned());
        self.report.problems.borrow_mut().push(Problem { line: self.line, key: self.key.clone(), what });
    }

    /// Whether it holds a table.
    pub fn is_table(&self) -> bool {
        matches!(self.value, Value::Map(_))
    }

    /// Whether it holds nothing: an empty file is a configuration, too.
    pub fn is_nothing(&self) -> bool {
        *self.value == Value::Null
    }

    fn refuse_kind<T>(&self, want: &str) -> Option<T> {
        self.refuse(format!("holds {}, and may hold {want}", self.value.kind()))
    }

    /// Text.
    pub fn text(&self) -> Option<&'a str> {
        match self.value {
            Value::Text(text) => Some(text),
            Value::Null | Value::Bool(_) | Value::Number(_) | Value::List(_) | Value::Map(_) => {
                self.refuse_kind("text (numbers go in quotes)")
            }
        }
    }

    /// Text that `read` turns into a value; `want` says what it may be.
    pub fn parse<T>(&self, want: &str, read: impl FnOnce(&str) -> Option<T>) -> Option<T> {
        let text = self.text()?;
        read(text).or_else(|| self.refuse(format!("holds {text:?}, and may hold {want}")))
    }

    /// `true` or `false`.
    pub fn boolean(&self) -> Option<bool> {
        match self.value {
            Value::Bool(value) => Some(*value),
            Value::Null | Value::Text(_) | Value::Number(_) | Value::List(_) | Value::Map(_) => {
                self.refuse_kind("true or false")
            }
        }
    }

    /// A whole number within `range`.
    pub fn count(&self, range: std::ops::RangeInclusive<u64>) -> Option<u64> {
        let want = format!("a whole number from {} to {}", range.start(), range.end());
        let Value::Number(number) = *self.value else { return self.refuse_kind(&want) };
        let whole = number.fract() == 0.0 && number >= 0.0 && number <= u64::MAX as f64;
        if whole && range.contains(&(number as u64)) {
            return Some(number as u64);
        }
        self.refuse_kind(&want)
    }

    /// Bytes: a whole number, or text such as `16MiB`.
    pub fn bytes(&self, range: std::ops::RangeInclusive<u64>) -> Option<u64> {
        let bytes = match self.value {
            Value::Number(number) if number.fract() == 0.0 && *number >= 0.0 => *number as u64,
            Value::Text(text) => match unit::bytes(text) {
                Some(bytes) => bytes,
                None => {
                    return self
                        .refuse(format!("holds {text:?}, and may hold bytes such as 64KiB, 16MiB or 8GiB"));
                }
            },
            Value::Null | Value::Bool(_) | Value::Number(_) | Value::List(_) | Value::Map(_) => {
                return self.refuse_kind("bytes such as 64KiB, 16MiB or 8GiB");
            }
        };
        if range.contains(&bytes) {
            return Some(bytes);
        }
        let (least, most) = (range.start(), range.end());
        self.refuse(format!("holds {bytes} bytes, and may hold {least} to {most}"))
    }

    /// A length of time, such as `10s`.
    pub fn duration(&self) -> Option<std::time::Duration> {
        self.parse("a time such as 500ms, 30s, 5m, 24h or 7d", unit::duration)
    }

    /// The members of a list; one text alone is a list of one.
    pub fn list(&self) -> Option<Vec<Field<'a>>> {
        match self.value {
            Value::List(nodes) => {
                let member = |(at, node): (usize, &'a Node)| {
                    self.child(format!("{}[{at}]", self.key), node.defined.line(), node)
                };
                Some(nodes.iter().enumerate().map(member).collect())
            }
            Value::Text(_) => Some(vec![self.clone()]),
            Value::Null | Value::Bool(_) | Value::Number(_) | Value::Map(_) => self.refuse_kind("a list"),
        }
    }

    /// A list of texts.
    pub fn texts(&self) -> Option<Vec<String>> {
        self.list()?.iter().map(|member| member.text().map(str::to_owned)).collect()
    }

    /// A table whose keys the user chooses.
    pub fn entries(&self) -> Option<Vec<(String, Field<'a>)>> {
        let Value::Map(entries) = self.value else { return self.refuse_kind("a table") };
        let entry = |(key, node): &'a (Spanned<String>, Node)| {
            (key.value.clone(), self.child(self.path_of(&key.value), key.defined.line(), node))
        };
        Some(entries.iter().map(entry).collect())
    }

    /// A table whose keys are known: `known` says all of them. Others are reported.
    pub fn table(&self, known: &[&str]) -> Option<Table<'a>> {
        let entries = self.entries()?;
        let names: BTreeSet<&str> = known.iter().copied().collect();
        for (key, field) in &entries {
            if !names.contains(key.as_str()) {
                field.refuse::<()>(unknown(key, known));
            }
        }
        Some(Table { of: self.clone(), entries })
    }

    fn path_of(&self, key: &str) -> String {
        if self.key.is_empty() { key.to_owned() } else { format!("{}.{key}", self.key) }
    }
}

/// The entries of a table with known keys.
#[derive(Debug)]
pub struct Table<'a> {
    /// The table itself.
    pub of: Field<'a>,
    entries: Vec<(String, Field<'a>)>,
}

impl<'a> Table<'a> {
    /// The value of a key, if the key is there and holds something.
    pub fn find(&self, key: &str) -> Option<&Field<'a>> {
        let (_, field) = self.entries.iter().find(|(name, _)| name == key)?;
        (*field.value != Value::Null).then_some(field)
    }

    /// The value of a key that has no default; its absence is reported as what it is for.
    pub fn need(&self, key: &str, want: &str) -> Option<&Field<'a>> {
        self.find(key).or_else(|| {
            let path = self.of.path_of(key);
            self.of.report.add(
                self.of.line,
                &path,
                format!("is not set, has no default, and may hold {want}"),
            );
            None
        })
    }
}

/// Says that a key is unknown, which one was meant perhaps, and which there are.
fn unknown(key: &str, known: &[&str]) -> String {
    format!("is no key of this table; it may hold {}{}", known.join(", "), nearest(key, known))
}

/// `; did you mean NAME?`, if one of the names is near enough to be a slip of the finger.
pub fn nearest(text: &str, known: &[&str]) -> String {
    let near = known.iter().map(|name| (distance(text, name), name)).min();
    match near {
        Some((edits, name)) if edits <= 1 + name.len() / 3 => format!("; did you mean {name}?"),
        Some(_) | None => String::new(),
    }
}

/// Edits between two names (Levenshtein, 1966); names are short, so the plain table does.
fn distance(one: &str, other: &str) -> usize {
    let mut row: Vec<usize> = (0..=other.chars().count()).collect();
    for (i, a) in one.chars().take(64).enumerate() {
        let mut diagonal = row[0];
        row[0] = i + 1;
        for (j, b) in other.chars().enumerate() {
            let replaced = diagonal + usize::from(a != b);
            diagonal = row[j + 1];
            row[j + 1] = replaced.min(row[j] + 1).min(diagonal + 1);
        }
    }
    row[row.len() - 1]
}
