//! Answers with a part for each part of their request: as long as its client wants, within bounds.

use std::time::Duration;

use bytes::Bytes;

use super::Limits;
use super::answer::{CREATED, Problem, rejected};
use crate::codec::bulk::Verb;
use crate::source::room::Share;

/// What one request may hold beside its body: as much as two bodies may have, of the room for all of them.
pub struct Purse {
    bytes_left: usize,
    share: Share,
    /// Why it pays no more.
    full: Option<Problem>,
}

impl Purse {
    /// A purse that nothing was paid from; what is paid is taken from `share`.
    pub fn new(share: Share, limits: &Limits) -> Purse {
        Purse { bytes_left: limits.body_bytes_max.saturating_mul(2), share, full: None }
    }

    /// Whether so many bytes more may be held; if not, no more are ever.
    pub fn pay(&mut self, bytes: usize) -> bool {
        if self.full.is_some() {
            return false;
        }
        match (self.bytes_left.checked_sub(bytes), self.share.grow(bytes)) {
            (None, _) => self.full = Some(Problem::TooLarge),
            (_, Err(refused)) => self.full = Some(refused.into()),
            (Some(left), Ok(())) => self.bytes_left = left,
        }
        self.full.is_none()
    }

    /// That all could be paid.
    pub fn check(&self) -> Result<(), Problem> {
        self.full.map_or(Ok(()), Err)
    }
}

/// A text whose room is given back when the last of it was sent.
struct Paid {
    text: String,
    _purse: Purse,
}

impl AsRef<[u8]> for Paid {
    fn as_ref(&self) -> &[u8] {
        self.text.as_bytes()
    }
}

fn paid(text: String, purse: Purse) -> Bytes {
    Bytes::from_owner(Paid { text, _purse: purse })
}

/// What became of an item: the batch that it is in, or why it is in none.
pub type Fate = Result<usize, &'static str>;

/// The items of a bulk request. Each has an answer, also one that is refused, and pays for it.
pub struct Items {
    items: Vec<(Verb, Fate)>,
    purse: Purse,
}

impl Items {
    /// None yet.
    pub fn new(purse: Purse) -> Items {
        Items { items: Vec::new(), purse }
    }

    /// One more.
    pub fn push(&mut self, verb: Verb, fate: Fate) {
        if self.purse.pay(ITEM_BYTES) {
            self.items.push((verb, fate));
        }
    }

    /// That each of them can be answered.
    pub fn check(&self) -> Result<(), Problem> {
        self.purse.check()
    }

    /// The answer, by what became of each batch.
    pub fn answer(self, batches: &[Result<(), Problem>], took: Duration) -> Bytes {
        let told = |fate: Fate| fate.map(|batch| batches.get(batch).copied().unwrap_or(Ok(())));
        let errors = self.items.iter().any(|&(_, fate)| told(fate) != Ok(Ok(())));
        let mut text = String::with_capacity(HEAD_BYTES + self.items.len() * ITEM_TEXT_BYTES_MAX);
        text.push_str(&format!("{{\"took\":{},\"errors\":{errors},\"items\":[", took.as_millis()));
        for (nth, &(verb, fate)) in self.items.iter().enumerate() {
            text.push_str(if nth == 0 { "{\"" } else { ",{\"" });
            text.push_str(verb.name());
            text.push_str("\":");
            match told(fate) {
                Ok(Ok(())) => text.push_str(CREATED),
                Ok(Err(problem)) => text.push_str(&problem.item()),
                Err(reason) => text.push_str(&rejected(400, "document_parsing_exception", reason)),
            }
            text.push('}');
        }
        text.push_str("]}");
        paid(text, self.purse)
    }
}

/// The answer to a question of so many acknowledgements: whether each of them was given, before `next`.
pub fn acknowledged(
    ids: impl Iterator<Item = Option<u64>> + Clone,
    next: u64,
    mut purse: Purse,
) -> Result<Bytes, Problem> {
    let bytes_max = HEAD_BYTES + ids.clone().count() * ACK_TEXT_BYTES_MAX;
    purse.pay(bytes_max);
    purse.check()?;
    let mut text = String::with_capacity(bytes_max);
    text.push_str("{\"acks\":{");
    for (nth, id) in ids.enumerate() {
        let id = id.ok_or(Problem::Content)?;
        let comma = if nth == 0 { "" } else { "," };
        text.push_str(&format!("{comma}\"{id}\":{}", id < next));
    }
    text.push_str("}}");
    Ok(paid(text, purse))
}

/// What an item holds until its answer is sent, in bytes: its text, and its place in a list that grows by doubling.
const ITEM_BYTES: usize = ITEM_TEXT_BYTES_MAX + 2 * size_of::<(Verb, Fate)>();

/// The answer of one item with a comma, in bytes at most.
const ITEM_TEXT_BYTES_MAX: usize = 208;

/// The same of an acknowledgement: a number of 20 digits.
const ACK_TEXT_BYTES_MAX: usize = 29;

/// What stands around them, in bytes at most.
const HEAD_BYTES: usize = 64;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::source::room::Room;

    #[test]
    fn no_answer_is_longer_than_what_is_paid_for_it() {
        const COUNT: usize = 1000;
        let room = Room::new(1 << 20);
        let purse = || Purse::new(room.share(), &Limits::default());
        let refused = [Problem::TooLarge, Problem::Busy, Problem::Stopping, Problem::Unconfirmed].map(Err);
        for batch in [Ok(())].into_iter().chain(refused) {
            for fate in
                [Ok(0), Err("the document is no JSON object"), Err("a log takes index and create alone")]
            {
                let mut items = Items::new(purse());
                (0..COUNT).for_each(|_| items.push(Verb::Create, fate));
                let answer = items.answer(&[batch], Duration::MAX);
                assert!(answer.len() <= HEAD_BYTES + COUNT * ITEM_TEXT_BYTES_MAX, "{batch:?} {fate:?}");
            }
        }
        let ids = std::iter::repeat_n(Some(u64::MAX), COUNT);
        let answer = acknowledged(ids, 0, purse()).unwrap();
        assert!(answer.len() <= HEAD_BYTES + COUNT * ACK_TEXT_BYTES_MAX);
        drop(answer);
        room.share().grow(1 << 20).expect("all room is given back");
    }
}
