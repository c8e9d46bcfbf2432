/*!
Names of indices, tables and objects, made from what no outsider chooses.

A placeholder is one of a fixed list: `{class}`, `{stream}`, `{date}`. No field
of a record is among them: whoever writes a log line must not choose where it
is kept, nor how many places there are.
*/

use crate::act::Envelope;

/// A name with placeholders.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Template {
    parts: Vec<Part>,
    written: String,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Part {
    Text(String),
    Class,
    Stream,
    Date,
}

impl Template {
    /// The name of an index: lower case, and no sign that Elasticsearch and OpenSearch refuse.
    ///
    /// # Errors
    ///
    /// What is wrong with it.
    pub fn index(text: &str) -> Result<Template, String> {
        let template = Template::parse(text)?;
        let plain = |text: &str| text.bytes().all(|byte| is_plain(byte) && byte.to_ascii_lowercase() == byte);
        let texts = template.parts.iter().filter_map(|part| match part {
            Part::Text(text) => Some(text.as_str()),
            Part::Class | Part::Stream | Part::Date => None,
        });
        if texts.into_iter().any(|text| !plain(text)) || text.starts_with(['-', '_', '.']) {
            return Err(
                "may hold a-z, 0-9, -, _ and ., and begins with a letter, a digit or a placeholder".into()
            );
        }
        Ok(template)
    }

    /// Any name, for stores that take any.
    ///
    /// # Errors
    ///
    /// Names a placeholder that is none.
    pub fn parse(text: &str) -> Result<Template, String> {
        let mut parts = Vec::new();
        let mut rest = text;
        while let Some((before, after)) = rest.split_once('{') {
            let Some((inside, behind)) = after.split_once('}') else {
                return Err("holds { without its }".into());
            };
            parts.push(Part::Text(before.to_owned()));
            parts.push(match inside {
                "class" => Part::Class,
                "stream" => Part::Stream,
                "date" => Part::Date,
                _ => {
                    return Err(format!(
                        "holds {{{inside}}}, and may hold {{class}}, {{stream}} and {{date}}"
                    ));
                }
            });
            rest = behind;
        }
        parts.push(Part::Text(rest.to_owned()));
        parts.retain(|part| !matches!(part, Part::Text(text) if text.is_empty()));
        if parts.is_empty() {
            return Err("is empty, and may hold a name such as logs-{class}".into());
        }
        Ok(Template { parts, written: text.to_owned() })
    }

    /// As it is written.
    pub fn written(&self) -> &str {
        &self.written
    }

    /// Appends the name for a record. Signs of classes and streams that names may not have become `_`.
    pub(super) fn push(&self, envelope: &Envelope<'_>, out: &mut Vec<u8>) {
        let plain = |byte: u8| if is_plain(byte) { byte.to_ascii_lowercase() } else { b'_' };
        for part in &self.parts {
            match part {
                Part::Text(text) => out.extend_from_slice(text.as_bytes()),
                Part::Class => out.extend(envelope.class.bytes().map(plain)),
                Part::Stream => out.extend(envelope.stream.bytes().map(plain)),
                Part::Date => {
                    out.extend_from_slice(envelope.received.strftime("%Y.%m.%d").to_string().as_bytes());
                }
            }
        }
    }
}

fn is_plain(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || b"-_.".contains(&byte)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fields_of_records_name_nothing() {
        for (text, expected) in [
            ("logs-{host}", "holds {host}, and may hold {class}, {stream} and {date}"),
            ("logs-{class", "holds { without its }"),
            ("", "is empty, and may hold a name such as logs-{class}"),
            ("Logs", "may hold a-z, 0-9, -, _ and ."),
            ("_logs", "may hold a-z, 0-9, -, _ and ."),
            ("a/b", "may hold a-z, 0-9, -, _ and ."),
        ] {
            let error = Template::index(text).unwrap_err();
            assert!(error.starts_with(expected), "{text}: {error}");
        }
        assert_eq!(Template::index("{class}").unwrap().written(), "{class}");
    }
}
