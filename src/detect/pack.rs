/*!
Packs: rules as people write them, in YAML. The format is told in `patterns/README.md`.

Text becomes [`Raw`], `Raw` becomes [`Rule`]s; whatever is wrong with a rule is
said with the pack and the rule's name, all at once.
*/

use serde::Deserialize;

use super::check::Check;
use super::leading;
use super::pattern::{Pattern, Trust};
use super::rule::{
    Alone, Begins, Beside, Example, FieldRule, FieldValue, Kind, Loose, NearRule, Nested, Numbers, Parser,
    PatternRule, Reach, Rule, Tied,
};
use super::service;
use super::validator::Validator;
use crate::entity::Entities;
use crate::{limit, mark};

macro_rules! builtin {
    ($($name:literal),* $(,)?) => {
        /// The packs that are compiled into the binary: file name and text.
        pub const BUILTIN: &[(&str, &str)] =
            &[$((concat!($name, ".yaml"), include_str!(concat!("../../patterns/", $name, ".yaml")))),*];

        /// The same as JSON, without descriptions and examples.
        const SHORT: &[(&str, &str)] =
            &[$((concat!($name, ".yaml"), include_str!(concat!(env!("OUT_DIR"), "/", $name, ".json")))),*];
    };
}

builtin! {
    "network",
    "contact",
    "money",
    "sessions",
    "connections",
    "secrets",
    "vendors-a-f",
    "vendors-g-m",
    "vendors-n-s",
    "vendors-t-z",
    "people",
    "devices",
    "place",
    "ai",
    "identity",
}

/// Shortest anchor, in bytes: a shorter one would stop the search at every turn.
const ANCHOR_BYTES_MIN: usize = 3;

/// What is wrong with a pack.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub enum PackError {
    /// No YAML, or a key that packs do not have; the text has line and column.
    #[error("{pack}: {problem}")]
    Syntax {
        /// The file.
        pack: String,
        /// What the parser says.
        problem: String,
    },
    /// A rule that cannot be one.
    #[error("{pack}: rule {rule}: {problem}")]
    Rule {
        /// The file.
        pack: String,
        /// The rule's name.
        rule: String,
        /// What is wrong and what may stand there.
        problem: String,
    },
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Raw {
    #[serde(default)]
    entities: Vec<String>,
    #[serde(default)]
    except_keys: Vec<String>,
    rules: Vec<RawRule>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawRule {
    name: String,
    entity: String,
    #[serde(default)]
    description: String,
    parser: Option<Parser>,
    #[serde(default)]
    keys: Vec<String>,
    #[serde(default)]
    glued_keys: Vec<String>,
    #[serde(default)]
    value: FieldValue,
    #[serde(default)]
    length_min: usize,
    #[serde(default)]
    numbers: Numbers,
    #[serde(default)]
    loose: Loose,
    #[serde(default)]
    nested: Nested,
    #[serde(default)]
    prefixed: bool,
    #[serde(default)]
    random: bool,
    #[serde(default)]
    anchors: Vec<String>,
    pattern: Option<String>,
    value_pattern: Option<String>,
    #[serde(default)]
    begins: Begins,
    #[serde(default)]
    not_after: Vec<String>,
    #[serde(default)]
    service: Vec<String>,
    validator: Option<Validator>,
    beside: Option<Beside>,
    #[serde(default)]
    alone: Alone,
    /// Written by the build, and by nobody else.
    leading_run: Option<usize>,
    #[serde(default)]
    lookback: usize,
    #[serde(default)]
    entropy_min: f32,
    #[serde(default)]
    digits_min: usize,
    #[serde(default)]
    tied: Tied,
    check: Option<Check>,
    #[serde(default)]
    examples: Vec<String>,
    #[serde(default)]
    counter_examples: Vec<String>,
    /// Written by the reader of policies, and by nobody else.
    #[serde(default)]
    line: bool,
}

/// What a pack adds.
#[derive(Debug, Default)]
pub struct Pack {
    /// Its rules, in order.
    pub rules: Vec<Rule>,
    /// Names of its field rules that count inside longer words, with their rules' places in `rules`.
    pub glued: Vec<(String, usize)>,
    /// Names that no rule shall have.
    pub excepted: Vec<String>,
}

/// Reads the packs that are compiled into the binary, without their descriptions and examples. Each comes with its file's
/// name; the entities that they declare are added to `entities`.
pub(super) fn builtin(
    entities: &mut Entities,
) -> impl Iterator<Item = (&'static str, Result<Pack, Vec<PackError>>)> {
    SHORT.iter().map(|&(file, json)| {
        let syntax = |err: serde_json::Error| {
            vec![PackError::Syntax { pack: file.to_owned(), problem: err.to_string() }]
        };
        let raw = serde_json::from_str(json).map_err(syntax);
        (file, raw.and_then(|raw| compile_all(file, raw, Trust::Tested, Proof::Elsewhere, entities)))
    })
}

/// Reads a pack. Entities that it declares are added to `entities`.
pub fn parse(pack: &str, text: &str, entities: &mut Entities) -> Result<Pack, Vec<PackError>> {
    let raw = serde_saphyr::from_str(text).map_err(|err| {
        // The parser's message quotes the pack, never a record.
        let problem = err.to_string().lines().next().unwrap_or("not YAML").to_owned();
        vec![PackError::Syntax { pack: pack.to_owned(), problem }]
    })?;
    compile_all(pack, raw, Trust::Unknown, Proof::Asked, entities)
}

/// Reads what a policy declares, as JSON: rules like those of a pack, which need no examples, and its lines for fields.
pub(super) fn declared(pack: &str, text: &str, entities: &mut Entities) -> Result<Pack, Vec<PackError>> {
    let raw = serde_json::from_str(text)
        .map_err(|err| vec![PackError::Syntax { pack: pack.to_owned(), problem: err.to_string() }])?;
    compile_all(pack, raw, Trust::Unknown, Proof::Elsewhere, entities)
}

/// Whether a rule proves itself by examples in its pack.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Proof {
    Asked,
    /// By tests, or by whoever writes a policy.
    Elsewhere,
}

fn compile_all(
    pack: &str,
    raw: Raw,
    trust: Trust,
    proof: Proof,
    entities: &mut Entities,
) -> Result<Pack, Vec<PackError>> {
    let mut read = Pack { excepted: raw.except_keys, ..Pack::default() };
    let mut errors = declare(pack, &raw.entities, entities);
    for rule in raw.rules {
        let name = rule.name.clone();
        read.glued.extend(rule.glued_keys.iter().map(|key| (key.clone(), read.rules.len())));
        match compile(pack, rule, trust, proof, entities) {
            Ok(rule) => read.rules.push(rule),
            Err(problem) => errors.push(PackError::Rule { pack: pack.to_owned(), rule: name, problem }),
        }
    }
    if errors.is_empty() { Ok(read) } else { Err(errors) }
}

/// Adds the entities that a pack declares; what is wrong with their names.
fn declare(pack: &str, names: &[String], entities: &mut Entities) -> Vec<PackError> {
    let mut errors = Vec::new();
    for name in names {
        let is_sign = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'_';
        // Labels and tags hold it, and are known by it.
        let is_name = (1..=mark::NAME_BYTES_MAX).contains(&name.len()) && name.bytes().all(is_sign);
        let problem = if !is_name {
            format!(
                "entity {name:?} is no name; it may hold a-z, 0-9 and _, and {} of them",
                mark::NAME_BYTES_MAX
            )
        } else if entities.find(name).is_none() && entities.len() >= limit::ENTITIES_MAX {
            format!("entity {name} is one too many; there may be {}", limit::ENTITIES_MAX)
        } else {
            entities.declare(name);
            continue;
        };
        errors.push(PackError::Syntax { pack: pack.to_owned(), problem });
    }
    errors
}

fn compile(
    pack: &str,
    raw: RawRule,
    trust: Trust,
    proof: Proof,
    entities: &Entities,
) -> Result<Rule, String> {
    let entity = entities
        .find(&raw.entity)
        .ok_or_else(|| format!("entity {} is not known; declare it under `entities:`", raw.entity))?;
    let examples = if proof == Proof::Elsewhere { Vec::new() } else { examples(&raw)? };
    let (name, description) = (raw.name.clone().into(), raw.description.clone().into());
    let fields = raw.keys.len() + raw.glued_keys.len();
    let kind = match (raw.parser, fields, raw.pattern.as_deref(), raw.validator) {
        (Some(parser), 0, None, None) => Kind::Parser(parser),
        (None, 0, None, None) if raw.line && proof == Proof::Elsewhere => Kind::Line,
        (None, 1.., pattern, _) => Kind::Field(field_rule(&raw, pattern, trust)?),
        (None, 0, pattern, None) if !raw.service.is_empty() => {
            Kind::Pattern(service_rule(&raw, pattern, trust)?)
        }
        (None, 0, Some(pattern), None) => Kind::Pattern(pattern_rule(&raw, pattern, trust)?),
        (None, 0, None, Some(validator)) => Kind::Near(near_rule(&raw, validator)?),
        _ => {
            return Err(
                "needs one of `parser`, `keys` (with or without `pattern` and `validator`), `pattern` \
                        with `anchors`, `validator` with `anchors`"
                    .into(),
            );
        }
    };
    Ok(Rule { name, entity, description, kind, examples, pack: pack.into() })
}

fn examples(raw: &RawRule) -> Result<Vec<Example>, String> {
    if raw.examples.is_empty() {
        return Err("has no `examples`; a rule proves itself by at least one".into());
    }
    let parse = |marked: &String, counter: bool| {
        let example = Example::parse(marked).ok_or("an example's « and » do not pair")?;
        match (example.expected.is_empty(), counter) {
            (true, false) => Err("an example marks no value with « and »".to_owned()),
            (false, true) => Err("a counter-example marks a value".to_owned()),
            _ => Ok(example),
        }
    };
    let examples = raw.examples.iter().map(|marked| parse(marked, false));
    examples.chain(raw.counter_examples.iter().map(|marked| parse(marked, true))).collect()
}

fn field_rule(raw: &RawRule, pattern: Option<&str>, trust: Trust) -> Result<FieldRule, String> {
    let pattern = pattern.map(|pattern| Pattern::new(&format!("^(?:{pattern})$"), trust)).transpose()?;
    Ok(FieldRule {
        keys: raw.keys.iter().chain(&raw.glued_keys).map(|key| key.as_str().into()).collect(),
        value: raw.value,
        length_min: raw.length_min.max(1),
        numbers: raw.numbers,
        loose: raw.loose,
        nested: raw.nested,
        pattern,
        check: raw.check,
        prefixed: raw.prefixed,
        random: raw.random,
        validator: raw.validator,
        beside: raw.beside.clone(),
    })
}

/// A rule for tokens that a service's name before them gives away.
fn service_rule(raw: &RawRule, shape: Option<&str>, trust: Trust) -> Result<PatternRule, String> {
    if !raw.anchors.is_empty() || raw.lookback > 0 {
        return Err("`service` names the anchors; it takes none and no `lookback`".into());
    }
    let is_part = |byte: u8| byte.is_ascii_alphanumeric() || b" ._-".contains(&byte);
    if let Some(name) = raw.service.iter().find(|name| !name.bytes().all(is_part)) {
        return Err(format!("service {name} has more in it than letters, digits, ` ._-`"));
    }
    let (pattern, entropy_min) = service::pattern(shape, raw.tied);
    Ok(PatternRule {
        anchors: anchors(&raw.service)?,
        pattern: Pattern::new(&pattern, trust)?,
        leading_run: 0,
        lookback: 0,
        reach: Reach::Behind,
        begins: Begins::Part,
        entropy_min: if raw.entropy_min > 0.0 { raw.entropy_min } else { entropy_min },
        digits_min: raw.digits_min,
        check: raw.check,
        not_after: Vec::new(),
        follows: None,
    })
}

fn near_rule(raw: &RawRule, validator: Validator) -> Result<NearRule, String> {
    if raw.anchors.is_empty() && raw.alone == Alone::Ignore {
        return Err("a validator needs `keys`, or `anchors`: the words near which a value stands".into());
    }
    // A phrase is also a name, as in `{"name":"tax_id","value":…}`.
    let names = raw.anchors.iter().filter(|words| words.contains(' ')).map(|words| words.replace(' ', "_"));
    let words: Vec<String> = raw.anchors.iter().cloned().chain(names).collect();
    Ok(NearRule { anchors: anchors(&words)?, validator, alone: raw.alone })
}

fn anchors(anchors: &[String]) -> Result<Vec<Box<str>>, String> {
    if let Some(short) = anchors.iter().find(|anchor| anchor.len() < ANCHOR_BYTES_MIN) {
        return Err(format!("anchor {short} is shorter than {ANCHOR_BYTES_MIN} bytes"));
    }
    Ok(anchors.iter().map(|anchor| anchor.as_str().into()).collect())
}

fn pattern_rule(raw: &RawRule, pattern: &str, trust: Trust) -> Result<PatternRule, String> {
    if trust == Trust::Unknown && raw.leading_run.is_some() {
        return Err("`leading_run` is told by the pattern itself; leave it out".into());
    }
    if raw.anchors.is_empty() {
        return Err("a pattern needs `anchors`, literals one of which every match holds".into());
    }
    if raw.lookback > limit::PATTERN_BYTES_MAX {
        return Err(format!("lookback is more than {} bytes", limit::PATTERN_BYTES_MAX));
    }
    Ok(PatternRule {
        anchors: anchors(&raw.anchors)?,
        pattern: Pattern::new(pattern, trust)?,
        leading_run: raw.leading_run.unwrap_or_else(|| leading::of_pattern(pattern)),
        lookback: raw.lookback,
        reach: Reach::Over,
        begins: raw.begins,
        entropy_min: raw.entropy_min,
        digits_min: raw.digits_min,
        check: raw.check,
        not_after: raw.not_after.iter().map(|word| word.as_str().into()).collect(),
        follows: follows(raw, trust)?,
    })
}

/// What is asked of the value that a pattern introduces.
fn follows(raw: &RawRule, trust: Trust) -> Result<Option<FieldRule>, String> {
    (raw.value == FieldValue::Follows)
        .then(|| field_rule(raw, raw.value_pattern.as_deref(), trust))
        .transpose()
}
