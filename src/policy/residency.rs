/*!
In which regions a record may be kept.

A class names its regions. Over that, lines for residency look into a record:
they know its home by a field, such as the country of a user, or by an address
within a network. The first line that fits decides, and the record goes to the
regions of both.

```yaml
residency:
  - { field: country, values: [RU, RUS], regions: [ru], cites: ["2.1.1"] }
  - { networks: [192.0.2.0/24], regions: [ru] }
```
*/

use super::read::{Reader, Region};
use super::section;
use crate::detect::overrule::Network;
use crate::detect::{Finding, Rules, Scratch, Wanted};
use crate::entity::Entity;
use crate::record::HomeId;
use crate::structure;
use crate::structure::field::{self, After, LastRun};
use crate::structure::path::{Path, Pattern};
use crate::yaml::Field;

/// The lines, in the order of the file.
#[derive(Clone, Debug, Default)]
pub struct Residency {
    lines: Vec<Line>,
    /// Addresses alone, where a line asks for them.
    addresses: Option<Wanted>,
}

#[derive(Clone, Debug)]
struct Line {
    known_by: KnownBy,
    regions: Vec<Region>,
    /// Where it stands in the file.
    line: u64,
}

#[derive(Clone, Debug)]
enum KnownBy {
    /// A field that has one of these values, in lower case.
    Field(Pattern, Vec<String>),
    /// An address within one of these.
    Networks(Vec<Network>),
}

impl KnownBy {
    /// Whether every record that `later` knows is known by this.
    fn covers(&self, later: &KnownBy) -> bool {
        match (self, later) {
            (KnownBy::Field(pattern, values), KnownBy::Field(later, of_later)) => {
                let takes = |value: &String| values.iter().any(|known| known.eq_ignore_ascii_case(value));
                pattern.covers(later) && of_later.iter().all(takes)
            }
            (KnownBy::Networks(networks), KnownBy::Networks(later)) => {
                later.iter().all(|later| networks.iter().any(|network| network.covers(*later)))
            }
            _ => false,
        }
    }
}

/// What is kept from record to record while homes are looked for.
#[derive(Debug, Default)]
pub struct Search {
    path: Path,
    plain: Vec<u8>,
    findings: Vec<Finding>,
    scratch: Option<Scratch>,
}

impl Residency {
    /// Whether there is no line.
    pub fn is_empty(&self) -> bool {
        self.lines.is_empty()
    }

    /// The regions of a home; none where no line decided.
    pub fn regions(&self, home: HomeId) -> Option<&[Region]> {
        let line = usize::from(home.0).checked_sub(1)?;
        self.lines.get(line).map(|line| &*line.regions)
    }

    /// Every home that a line makes, with its regions.
    pub fn homes(&self) -> impl Iterator<Item = (HomeId, &[Region])> {
        self.lines.iter().enumerate().map(|(place, line)| (HomeId(place as u16 + 1), &*line.regions))
    }

    /// The home of a record that says `message`. Linear.
    pub fn home(&self, rules: &Rules, message: &[u8], search: &mut Search) -> HomeId {
        if let Some(addresses) = &self.addresses {
            search.findings.clear();
            let scratch = search.scratch.get_or_insert_default();
            rules.find(addresses, scratch, message, &mut search.findings);
        }
        let fits = |line: &Line| match &line.known_by {
            KnownBy::Field(pattern, values) => has_field(pattern, values, message, search),
            KnownBy::Networks(networks) => has_address(networks, message, search),
        };
        let place = self.lines.iter().position({
            let mut fits = fits;
            move |line| fits(line)
        });
        place.map_or(HomeId(0), |place| HomeId(place as u16 + 1))
    }
}

/// Whether a field that fits has one of the values, in any notation.
fn has_field(pattern: &Pattern, values: &[String], message: &[u8], search: &mut Search) -> bool {
    let mut run = LastRun::default();
    let Search { path, plain, .. } = search;
    memchr::memchr2_iter(b'=', b':', message).any(|at| {
        let Some(key) = field::key_before(message, at) else { return false };
        path.clear();
        path.push(&message[key.name.range()]);
        if !pattern.is_match(path) {
            return false;
        }
        let After::One(value) = field::value_after(message, key, &mut run) else { return false };
        structure::decode(
            &message[value.span.range()],
            field::percent_form(message, value.span, value.form),
            plain,
        );
        values.iter().any(|known| plain.trim_ascii().eq_ignore_ascii_case(known.as_bytes()))
    })
}

fn has_address(networks: &[Network], message: &[u8], search: &mut Search) -> bool {
    let Search { plain, findings, .. } = search;
    findings.iter().any(|finding| {
        structure::decode(&message[finding.span.range()], finding.form, plain);
        let address = std::str::from_utf8(plain).ok().and_then(|text| text.parse().ok());
        address.is_some_and(|address| networks.iter().any(|network| network.holds(address)))
    })
}

/// Reads the lines; what is wrong goes to the field's report.
pub(super) fn read<'a>(reader: &mut Reader<'_, 'a>, field: &Field<'a>) -> Residency {
    let members = field.list().unwrap_or_default();
    let mut lines: Vec<Line> = Vec::new();
    for member in &members {
        let Some(line) = line(reader, member) else { continue };
        if let Some(place) = lines.iter().position(|earlier| earlier.known_by.covers(&line.known_by)) {
            member.refuse::<()>(format!("never holds: line {} decides before it", lines[place].line));
        }
        lines.push(line);
    }
    let asks = lines.iter().any(|line| matches!(line.known_by, KnownBy::Networks(_)));
    let addresses = asks.then(|| {
        let mut strength = vec![0; reader.rules.entities().len()];
        strength[Entity::IPV4.index()] = 1;
        strength[Entity::IPV6.index()] = 1;
        Wanted::new(strength)
    });
    Residency { lines, addresses }
}

fn line<'a>(reader: &mut Reader<'_, 'a>, field: &Field<'a>) -> Option<Line> {
    let table = field.table(&["field", "values", "networks", "regions", "cites"])?;
    let regions = table.need("regions", "a list of regions").and_then(section::region_list)?;
    let known_by = match (table.find("field"), table.find("networks")) {
        (Some(name), None) => {
            let pattern =
                name.parse("the name of a field", |text| Pattern::parse(text).filter(Pattern::is_name))?;
            let values = table.need("values", "the values that the field may have")?.texts()?;
            KnownBy::Field(pattern, values)
        }
        (None, Some(networks)) => {
            let network = |member: &Field<'_>| member.parse("a network such as 192.0.2.0/24", Network::parse);
            KnownBy::Networks(networks.list()?.iter().map(network).collect::<Option<_>>()?)
        }
        _ => return field.refuse("needs one of field (with values) and networks"),
    };
    if let Some(cites) = table.find("cites") {
        let by = if matches!(known_by, KnownBy::Field(..)) { "field" } else { "network" };
        reader.cited("*", &format!("by {by} to {} alone", regions.join(", ")), &cites.texts()?, cites);
    }
    Some(Line { known_by, regions, line: field.line })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::policy::Policy;

    #[test]
    fn the_first_line_that_fits_tells_the_home() {
        let text = "policy: p\nresidency:\n  - { field: country, values: [RU, Russia], regions: [ru] }\n  \
                    - { networks: [192.0.2.0/24, \"2001:db8::/32\"], regions: [ru, kz] }\n";
        let policy = Policy::parse("p", text).unwrap_or_else(|error| panic!("{error}"));
        let mut search = Search::default();
        for (message, expected) in [
            (r#"{"user":{"country":"ru"}}"#, Some(&["ru"][..])),
            ("country=RU ip=192.0.2.1", Some(&["ru"])),
            ("GET /?country=%52U HTTP/1.1", Some(&["ru"])),
            (r#"{"ip":"192.0.2.1"}"#, Some(&["ru", "kz"])),
            ("from 2001:db8::1", Some(&["ru", "kz"])),
            ("country=DE from 198.51.100.1", None),
            ("country RU", None),
            (r#"{"country":["RU"]}"#, None),
        ] {
            let home = policy.residency().home(policy.rules(), message.as_bytes(), &mut search);
            let regions = policy.residency().regions(home);
            assert_eq!(
                regions.map(|list| list.iter().map(String::as_str).collect::<Vec<_>>()).as_deref(),
                expected,
                "{message}"
            );
        }
    }

    #[test]
    fn a_line_that_never_decides_is_refused() {
        let check = |lines: &str, refused: bool| {
            let policy = Policy::parse("p", &format!("policy: p\nresidency:\n{lines}"));
            assert_eq!(policy.is_err(), refused, "{lines}: {policy:?}");
            if let Err(error) = policy {
                let line = "p:4: residency[1]: never holds: line 3 decides before it";
                assert!(error.to_string().contains(line), "{error}");
            }
        };
        for (earlier, later, refused) in [
            (
                "{ field: country, values: [RU, KZ], regions: [a] }",
                "{ field: country, values: [ru], regions: [b] }",
                true,
            ),
            (
                "{ field: c*, values: [RU], regions: [a] }",
                "{ field: country, values: [RU], regions: [b] }",
                true,
            ),
            (
                "{ field: country, values: [RU], regions: [a] }",
                "{ field: country, values: [RU, KZ], regions: [b] }",
                false,
            ),
            (
                "{ networks: [192.0.2.0/24], regions: [a] }",
                "{ networks: [192.0.2.128/25], regions: [b] }",
                true,
            ),
            (
                "{ networks: [192.0.2.128/25], regions: [a] }",
                "{ networks: [192.0.2.0/24], regions: [b] }",
                false,
            ),
            (
                "{ networks: [192.0.2.0/24], regions: [a] }",
                "{ field: country, values: [RU], regions: [b] }",
                false,
            ),
        ] {
            check(&format!("  - {earlier}\n  - {later}\n"), refused);
        }
    }

    #[test]
    fn a_line_that_knows_nothing_is_refused() {
        for (line, expected) in [
            ("{ regions: [ru] }", "needs one of field (with values) and networks"),
            ("{ field: country, regions: [ru] }", "values: is not set"),
            ("{ field: a.b, values: [x], regions: [ru] }", "may hold the name of a field"),
            ("{ networks: [x], regions: [ru] }", "may hold a network such as"),
            ("{ networks: [10.0.0.0/8] }", "regions: is not set"),
        ] {
            let error = Policy::parse("p", &format!("policy: p\nresidency: [{line}]\n")).expect_err(line);
            assert!(error.to_string().contains(expected), "{line}: {error}");
        }
    }
}
