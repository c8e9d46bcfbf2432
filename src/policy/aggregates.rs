/*!
What a policy counts beyond the limits of its records.

```yaml
aggregates:
  classes: [access, activity]        # all, if left out
  least: 10                          # cells of fewer records are not shown, nor to be computed
  retention: 5y                      # of the counts
  words: [createTask, getTaskResult] # parts of paths that may be shown, beside the built-in ones
  cites: ["8.4"]
```
*/

use super::read::Reader;
use super::section;
use crate::limit::{AGGREGATE_LEAST_MAX, ROUTE_WORD_BYTES_MAX, ROUTE_WORDS_MAX};
use crate::ttl::Ttl;
use crate::yaml::Field;

/// What is counted, and how it may be shown.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Aggregates {
    /// The classes; empty is all of them.
    pub classes: Vec<String>,
    /// The smallest number of records that is shown: 2 or more.
    pub least: u64,
    /// How long counts live.
    pub ttl: Ttl,
    /// Parts of paths that may be shown, beside the built-in ones.
    pub words: Vec<String>,
}

/// What `least` is where nothing says otherwise.
const LEAST: u64 = 10;

impl Aggregates {
    /// Whether records of this class are counted.
    pub fn counts(&self, class: &str) -> bool {
        self.classes.is_empty() || self.classes.iter().any(|known| known == class)
    }
}

impl std::fmt::Display for Aggregates {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let classes =
            if self.classes.is_empty() { "every class".to_owned() } else { self.classes.join(", ") };
        let Aggregates { least, ttl, .. } = self;
        write!(f, "{classes}: counts by hour, route and status for {ttl}, none below {least}")
    }
}

/// Reads the table; what is wrong goes to the field's report.
pub(super) fn read<'a>(reader: &mut Reader<'_, 'a>, field: &Field<'a>) -> Option<Aggregates> {
    let table = field.table(&["classes", "least", "retention", "words", "cites"])?;
    let mut classes = Vec::new();
    for member in table.find("classes").map_or(Some(Vec::new()), Field::list)? {
        let name = member.text()?;
        reader.is_class(name, &member)?;
        classes.push(name.to_owned());
    }
    let least = table.find("least").map_or(Some(LEAST), |field| field.count(2..=AGGREGATE_LEAST_MAX))?;
    let ttl = table.need("retention", "a limit such as 24mo or 5y").and_then(section::ttl)?;
    let words = table.find("words").map_or(Some(Vec::new()), Field::list)?;
    if words.len() > ROUTE_WORDS_MAX {
        return table
            .find("words")?
            .refuse(format!("holds {} words, and may hold {ROUTE_WORDS_MAX}", words.len()));
    }
    let words = words.iter().map(word).collect::<Option<Vec<String>>>()?;
    let aggregates = Aggregates { classes, least, ttl, words };
    if let Some(cites) = table.find("cites") {
        reader.cited("aggregates", &aggregates.to_string(), &cites.texts()?, cites);
    }
    Some(aggregates)
}

/// A part of a path, as somebody wrote it who knows that it is nobody's.
fn word(field: &Field<'_>) -> Option<String> {
    let is_word = |text: &str| {
        let sign = |b: u8| b.is_ascii_alphanumeric() || b"-_.".contains(&b);
        (1..=ROUTE_WORD_BYTES_MAX).contains(&text.len())
            && text.bytes().all(sign)
            && text.bytes().any(|b| b.is_ascii_alphabetic())
    };
    field.parse("part of a path: up to 40 letters, digits, `-`, `_` and `.`, a letter among them", |text| {
        is_word(text).then(|| text.to_owned())
    })
}
