/*!
Counts that may outlive the records: how many there were in an hour, of a class, by route template and status.

```text
clean records ─► facts ─► route ─► Book: an hour that is open ─► publish ─► Book: days of closed hours
                (route,  (closed                (exact)          (nothing
                 status)  words)                                  small)
```

No part of a record goes further than [`facts`]: of a route only words of a closed list are
kept ([`route`]), a status is a number, the hour is that of receipt. An hour is published
once, after it is over, and what is too small to be shown is then forgotten ([`publish`]):
what outlives the records was never more than what is shown.

Counting is part of the acknowledgement: a client hears yes once its records are counted on
disk ([`Book`]). A record is counted twice only where its client, having heard nothing,
sent it again; stores hold it twice then, too.
*/

mod book;
mod facts;
mod publish;
mod route;

pub use book::{Book, Error, Published, Tended, each};
pub use publish::{Shown, publish};
pub use route::Words;

use std::collections::{BTreeMap, HashMap};

use crate::act::Redacted;
use crate::clock::Timestamp;
use crate::policy::Aggregates;
use crate::record::ClassId;

/// What is counted apart.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Cell {
    /// The retention class.
    pub class: String,
    /// Words of the closed list and `{}`; `-` where a record has no route.
    pub route: String,
    /// 100 to 599; 0 where a record has none.
    pub status: u16,
}

impl Cell {
    /// Whatever finds no cell of its own: there are too many in the hour.
    fn rest(class: &str) -> Cell {
        Cell { class: class.to_owned(), route: REST.to_owned(), status: 0 }
    }

    fn is_rest(&self) -> bool {
        self.route == REST
    }
}

/// No route template: it begins with no slash.
const REST: &str = "*";
const NO_ROUTE: &str = "-";

/// Seconds of an hour.
const HOUR_S: i64 = 3600;

/// Hours since 1970.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Hour(i64);

impl Hour {
    /// The hour that a moment is in.
    pub fn of(at: Timestamp) -> Hour {
        Hour(at.as_second().div_euclid(HOUR_S))
    }

    /// When it begins.
    pub fn start(self) -> Timestamp {
        Timestamp::from_second(self.0.saturating_mul(HOUR_S)).unwrap_or(Timestamp::MAX)
    }

    fn next(self) -> Hour {
        Hour(self.0.saturating_add(1))
    }
}

/// How many records of each cell, by hour.
pub type Counts = BTreeMap<Hour, BTreeMap<Cell, u64>>;

/// Counts the records of the classes that a policy counts. `words` are made of its own.
pub fn count<'a>(
    batches: impl IntoIterator<Item = &'a Redacted>,
    wanted: &Aggregates,
    words: &Words,
) -> Counts {
    let mut counts = Counts::new();
    let mut route = String::new();
    for batch in batches {
        let mut gathered: HashMap<(ClassId, u16), HashMap<String, u64>> = HashMap::new();
        let counted: Vec<bool> =
            batch.names().classes.iter().map(|(class, _)| wanted.counts(class)).collect();
        for (record, envelope) in batch.records().iter().zip(batch.iter()) {
            if !counted[usize::from(record.class.0)] {
                continue;
            }
            let facts = facts::of(&envelope);
            words.template(facts.route.as_deref(), &mut route);
            let routes = gathered.entry((record.class, facts.status)).or_default();
            match routes.get_mut(route.as_str()) {
                Some(count) => *count += 1,
                None => drop(routes.insert(route.clone(), 1)),
            }
        }
        let hour = counts.entry(Hour::of(batch.received())).or_default();
        for ((class, status), routes) in gathered {
            let class = &batch.names().classes[usize::from(class.0)].0;
            for (route, count) in routes {
                *hour.entry(Cell { class: class.clone(), route, status }).or_default() += count;
            }
        }
    }
    counts.retain(|_, cells| !cells.is_empty());
    counts
}

#[cfg(test)]
mod tests;
