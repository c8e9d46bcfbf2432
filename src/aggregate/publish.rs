/*!
What may be shown of an hour that is over.

A cell of fewer records than the policy's least is not shown. It must not come out as the difference of what is shown
and a sum that somebody knows (how many records of a class there were is a metric), so cells that are not shown go into
one row for the rest of their class, and where that row itself is too small the smallest cell that could be shown
goes into it, too: every row stands for the least or more, and so does what is missing from any sum. A class with
fewer records than that in an hour is not mentioned at all.
*/

use std::collections::BTreeMap;

use super::Cell;

/// One row that may be shown.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Shown {
    /// What was counted; of the rest of a class the route is `*`.
    pub cell: Cell,
    /// How many records, never fewer than the least.
    pub records: u64,
}

/// The rows of an hour, in the order of their cells.
pub fn publish(cells: &BTreeMap<Cell, u64>, least: u64) -> Vec<Shown> {
    let mut classes: BTreeMap<&str, Vec<Shown>> = BTreeMap::new();
    for (cell, &records) in cells {
        classes.entry(&cell.class).or_default().push(Shown { cell: cell.clone(), records });
    }
    let mut all = Vec::new();
    for (class, mut rows) in classes {
        rows.sort_by_key(|row| row.records);
        let is_small = |row: &Shown| row.records < least || row.cell.is_rest();
        let (mut hidden, mut shown): (Vec<Shown>, Vec<Shown>) = rows.into_iter().partition(is_small);
        let sum = |rows: &[Shown]| rows.iter().map(|row| row.records).sum::<u64>();
        while !hidden.is_empty() && sum(&hidden) < least && !shown.is_empty() {
            hidden.push(shown.remove(0));
        }
        if sum(&hidden) >= least && !hidden.is_empty() {
            shown.push(Shown { cell: Cell::rest(class), records: sum(&hidden) });
        }
        all.extend(shown);
    }
    all.sort();
    all
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn cell(class: &str, route: &str, status: u16) -> Cell {
        Cell { class: class.to_owned(), route: route.to_owned(), status }
    }

    #[track_caller]
    fn check(cells: &[(&str, u64)], shown: &[(&str, u64)]) {
        let cells = cells.iter().map(|(route, records)| (cell("access", route, 200), *records)).collect();
        let rows = publish(&cells, 10);
        let rows: Vec<_> = rows.iter().map(|row| (row.cell.route.as_str(), row.records)).collect();
        assert_eq!(rows, shown);
    }

    #[test]
    fn a_small_cell_cannot_be_told_from_any_sum() {
        check(&[("/a", 10), ("/b", 99)], &[("/a", 10), ("/b", 99)]);
        check(&[("/a", 9)], &[]);
        check(&[("/a", 4), ("/b", 5)], &[]);
        check(&[("/a", 4), ("/b", 6), ("/c", 50)], &[("*", 10), ("/c", 50)]);
        // One small cell: the next larger one is given up for it.
        check(&[("/a", 1), ("/b", 12), ("/c", 50)], &[("*", 13), ("/c", 50)]);
        check(&[("/a", 1), ("/b", 12)], &[("*", 13)]);
    }

    proptest! {
        /// Law: no row is small, all rows together are all records of a class or none of them, and whatever is not shown by
        /// itself is as many cells and records as make one not tellable.
        #[test]
        fn every_row_and_every_difference_is_large(
            cells in prop::collection::btree_map((0..3_u8, 0..6_u8), 1..40_u64, 0..15),
            least in 2..20_u64,
        ) {
            let cells: BTreeMap<Cell, u64> =
                cells.into_iter().map(|((c, r), n)| (cell(&format!("c{c}"), &format!("/{r}"), 200), n)).collect();
            let rows = publish(&cells, least);
            for class in ["c0", "c1", "c2"] {
                let of_class: Vec<&Shown> = rows.iter().filter(|row| row.cell.class == class).collect();
                let all: u64 = cells.iter().filter(|(cell, _)| cell.class == class).map(|(_, n)| n).sum();
                let shown: u64 = of_class.iter().map(|row| row.records).sum();
                prop_assert!(of_class.iter().all(|row| row.records >= least));
                prop_assert_eq!(shown, if all >= least { all } else { 0 });
                if of_class.iter().any(|row| row.cell.is_rest()) {
                    let alone = of_class.iter().filter(|row| !row.cell.is_rest()).count();
                    let hidden = cells.keys().filter(|cell| cell.class == class).count() - alone;
                    prop_assert!(hidden >= 2, "a rest of one cell is that cell");
                }
            }
        }
    }
}
