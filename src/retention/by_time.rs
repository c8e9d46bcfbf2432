/*!
Pages of stores that give out records by time and number alone.

Where a page is full there may be more records of its last moment, so these are
left to the next page, which begins with them.
*/

use super::driver::{Stored, Unknown};
use crate::clock::Timestamp;

/// What of `records` is whole, and from when the next page goes on if this one was full.
pub fn cut(mut records: Vec<Stored>, most: usize) -> Result<(Vec<Stored>, Option<Timestamp>), Unknown> {
    let moment = |stored: &Stored| {
        stored.received.ok_or_else(|| Unknown::new("it gives out records without a moment"))
    };
    if records.len() < most {
        return Ok((records, None));
    }
    let mut last = Timestamp::MIN;
    for stored in &records {
        last = last.max(moment(stored)?);
    }
    records.retain(|stored| stored.received < Some(last));
    match records.is_empty() {
        true => Err(Unknown(format!(
            "it has {most} records or more of one moment, and gives out no more at once"
        ))),
        false => Ok((records, Some(last))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// All records with a moment from `from` on, by time, `most` of them.
    fn store(all: &[i64], from: Timestamp, most: usize) -> Vec<Stored> {
        let of = |(at, second): (usize, &i64)| Stored {
            mark: at.to_string(),
            text: Vec::new(),
            received: Timestamp::from_second(*second).ok(),
        };
        let there = all.iter().enumerate().map(of).filter(|stored| stored.received >= Some(from));
        there.take(most).collect()
    }

    proptest! {
        /// Page by page each record is given once, or it is told that it cannot be.
        #[test]
        fn each_record_is_given_once(mut all in prop::collection::vec(0..40_i64, 0..60), most in 1..12_usize) {
            all.sort_unstable();
            let (mut from, mut given) = (Timestamp::UNIX_EPOCH, Vec::new());
            loop {
                match cut(store(&all, from, most), most) {
                    Ok((records, next)) => {
                        given.extend(records.into_iter().map(|stored| stored.mark));
                        let Some(next) = next else { break };
                        prop_assert!(next > from);
                        from = next;
                    }
                    Err(_) => {
                        let behind = |second: &&i64| Timestamp::from_second(**second).is_ok_and(|at| at >= from);
                        let first = all.iter().find(behind);
                        let crowd = all.iter().filter(|second| Some(*second) == first).count();
                        prop_assert!(crowd >= most, "{} of {}", crowd, most);
                        return Ok(());
                    }
                }
            }
            let expected: Vec<String> = (0..all.len()).map(|at| at.to_string()).collect();
            prop_assert_eq!(given, expected);
        }
    }
}
