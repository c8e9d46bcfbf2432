/*!
Elasticsearch's bulk request, a line of action and a line of document in turn, to records.

The document is the message, in place. Where it says so in the common schema, its `host.name`, `service.name` and
`@timestamp` are host, app and time, too. What the action says (index, id, routing) is structured data: searched as all
else, and never a name of ours.
*/

use std::borrow::Cow;

use super::syslog::time::rfc3339;
use super::{Element, Parts};
use crate::structure::document::{Kind, Value, unescaped};

/// What is to be done with a document.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verb {
    /// Store it.
    Index,
    /// Store it, if it is new. To a log it is the same.
    Create,
    /// Change what is stored, which a log does not.
    Update,
    /// Delete what is stored, which a log does not.
    Delete,
}

impl Verb {
    /// As the request calls it.
    pub fn name(self) -> &'static str {
        match self {
            Verb::Index => "index",
            Verb::Create => "create",
            Verb::Update => "update",
            Verb::Delete => "delete",
        }
    }

    fn named(name: &[u8]) -> Option<Verb> {
        [Verb::Index, Verb::Create, Verb::Update, Verb::Delete]
            .into_iter()
            .find(|verb| verb.name().as_bytes() == name)
    }
}

/// Line of the request, from 1, that is no action.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("line {0} is no action with an object of its metadata")]
pub struct Malformed(pub usize);

/// What became of an item.
pub enum Item<'a> {
    /// A document; boxed by nobody: it is handed on at once.
    Document(Parts<'a>),
    /// Its document is no JSON object.
    NoObject,
    /// A log takes no such action.
    Refused,
}

/// Gives each item of a request to `take`, in its order. What a malformed one gave is to be thrown away.
pub fn read(body: &[u8], index: Option<&str>, take: &mut dyn FnMut(Verb, Item<'_>)) -> Result<(), Malformed> {
    let mut lines = body.split(|b| *b == b'\n').map(<[u8]>::trim_ascii).enumerate();
    while let Some((number, line)) = lines.next() {
        if line.is_empty() {
            continue;
        }
        let malformed = Malformed(number + 1);
        let action = Value::whole(line).ok_or(malformed)?;
        let mut members = action.members();
        let (Some((name, metadata)), None) = (members.next(), members.next()) else { return Err(malformed) };
        let verb = Verb::named(&unescaped(name)).ok_or(malformed)?;
        if metadata.kind() != Kind::Object {
            return Err(malformed);
        }
        if verb == Verb::Delete {
            take(verb, Item::Refused);
            continue;
        }
        let (_, document) = lines.next().filter(|(_, line)| !line.is_empty()).ok_or(malformed)?;
        let item = match verb {
            Verb::Index | Verb::Create => item(metadata, document, index),
            Verb::Update | Verb::Delete => Item::Refused,
        };
        take(verb, item);
    }
    Ok(())
}

fn item<'a>(metadata: Value<'_>, document: &'a [u8], index: Option<&str>) -> Item<'a> {
    let Some(value) = Value::whole(document).filter(|value| value.kind() == Kind::Object) else {
        return Item::NoObject;
    };
    let mut element = Element::new("bulk");
    if metadata.get("_index").is_none() {
        element.push(b"index", index.unwrap_or_default().as_bytes());
    }
    for (name, value) in metadata.members() {
        element.push(unescaped(name).trim_ascii_start().strip_prefix(b"_").unwrap_or(name), &value.plain());
    }
    let mut parts =
        Parts { message: value.text().into(), structured: element.finish().into(), ..Parts::default() };
    let (mut host, mut app) = (None, None);
    for (key, value) in value.members() {
        match &*unescaped(key) {
            b"@timestamp" => {
                parts.time = value.string().and_then(|text| rfc3339(&text).map(|(time, _)| time));
            }
            b"host" => host = name(value).or(host),
            b"host.name" => host = value.string(),
            b"service" => app = name(value).or(app),
            b"service.name" => app = value.string(),
            _ => {}
        }
    }
    parts.host = host.unwrap_or_default();
    parts.app = app.unwrap_or_default();
    Item::Document(parts)
}

/// A string, or the member `name` of an object.
fn name(value: Value<'_>) -> Option<Cow<'_, [u8]>> {
    value.string().or_else(|| value.get("name")?.string())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read_all(body: &str, index: Option<&str>) -> (Result<(), Malformed>, Vec<String>) {
        let mut items = Vec::new();
        let told = read(body.as_bytes(), index, &mut |verb, item| {
            let text = |part: &[u8]| String::from_utf8_lossy(part).into_owned();
            items.push(match item {
                Item::Document(parts) => format!(
                    "{} {} {} {} {:?} {}",
                    verb.name(),
                    text(&parts.host),
                    text(&parts.app),
                    text(&parts.structured),
                    parts.time.map(|time| time.to_string()),
                    text(&parts.message)
                ),
                Item::NoObject => format!("{} no object", verb.name()),
                Item::Refused => format!("{} refused", verb.name()),
            });
        });
        (told, items)
    }

    #[test]
    fn a_document_is_a_record_as_it_stands() {
        let body = concat!(
            "{\"index\":{\"_index\":\"logs\",\"_id\":\"7\"}}\n",
            "{\"@timestamp\":\"2026-01-02T03:04:05Z\", \"host\":{\"name\":\"web1\"},\"service.name\":\"shop\"}\r\n",
            "{\"create\":{}}\n{ \"a\" : 1.50 }\n\n",
        );
        let (told, items) = read_all(body, Some("other"));
        assert_eq!(told, Ok(()));
        assert_eq!(
            items,
            [
                "index web1 shop [bulk@32473 index=\"logs\" id=\"7\"] Some(\"2026-01-02T03:04:05Z\") \
             {\"@timestamp\":\"2026-01-02T03:04:05Z\", \"host\":{\"name\":\"web1\"},\"service.name\":\"shop\"}",
                "create   [bulk@32473 index=\"other\"] None { \"a\" : 1.50 }",
            ]
        );
    }

    #[test]
    fn each_item_has_its_own_answer() {
        let body = "{\"index\":{}}\nnone\n{\"delete\":{\"_id\":\"1\"}}\n{\"update\":{}}\n{\"doc\":{}}\n{\"index\":{}}\n[1]\n{\"index\":{}}\n{}";
        let (told, items) = read_all(body, None);
        assert_eq!(told, Ok(()));
        assert_eq!(
            items,
            ["index no object", "delete refused", "update refused", "index no object", "index    None {}"]
        );
    }

    #[test]
    fn a_line_that_is_no_action_ends_the_request() {
        for (body, line) in [
            ("x\n", 1),
            ("{}\n", 1),
            ("{\"index\":{},\"create\":{}}\n{}\n", 1),
            ("{\"index\":1}\n{}\n", 1),
            ("{\"index\":{}}\n{}\n{\"other\":{}}\n{}\n", 3),
            ("{\"index\":{}}\n", 1),
            ("{\"index\":{}}\n\n{}\n", 1),
        ] {
            assert_eq!(read_all(body, None).0, Err(Malformed(line)), "{body}");
        }
    }
}
