/*!
How a policy says which records end a session.

```yaml
logout:
  - { field: { event: logout, ok: true } }   # a JSON object in which each of these members has this value
  - { text: "POST /api/logout " }            # a message that holds this text
```
*/

use crate::act::{Logout, Logouts};
use crate::yaml::Field;

/// Reads the list; what is wrong goes to the field's report.
pub(super) fn logouts(field: &Field<'_>) -> Option<Logouts> {
    let one_of: Vec<Option<Logout>> = field.list()?.iter().map(logout).collect();
    one_of.into_iter().collect::<Option<_>>().map(Logouts::new)
}

fn logout(field: &Field<'_>) -> Option<Logout> {
    let table = field.table(&["field", "text"])?;
    match (table.find("field"), table.find("text")) {
        (Some(fields), None) => {
            let member = |(key, value): (String, Field<'_>)| Some((key, value.text()?.to_owned()));
            fields.entries()?.into_iter().map(member).collect::<Option<_>>().map(Logout::Fields)
        }
        (None, Some(text)) => text.text().map(|text| Logout::Text(text.to_owned())),
        _ => field.refuse("has to hold either `field: { KEY: VALUE }` or `text`"),
    }
}
