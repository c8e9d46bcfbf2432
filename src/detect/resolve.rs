/*!
From candidates to findings that do not overlap.

The longest candidate wins over what it overlaps; of equally long ones the one
whose action is stronger, then the rule that stands first. Where two overlap
only in part the winner takes the whole of both, so that no byte of the loser
is left in the text.
*/

use super::{Finding, Wanted};

/// Sorts `findings[from..]` and merges what overlaps. What was merged away is given to `lost`.
pub fn resolve(wanted: &Wanted, findings: &mut Vec<Finding>, from: usize, mut lost: impl FnMut(Finding)) {
    let found = &mut findings[from..];
    if found.is_empty() {
        return;
    }
    found.sort_unstable_by_key(|finding| (finding.span, finding.rule));
    let mut kept = from;
    for next in from + 1..findings.len() {
        let (last, next) = (findings[kept], findings[next]);
        if !last.span.overlaps(next.span) {
            kept += 1;
            findings[kept] = next;
            continue;
        }
        let (mut winner, loser) = if beats(wanted, next, last) { (next, last) } else { (last, next) };
        winner.span.start = winner.span.start.min(loser.span.start);
        winner.span.end = winner.span.end.max(loser.span.end);
        findings[kept] = winner;
        if loser != winner {
            lost(loser);
        }
    }
    findings.truncate(kept + 1);
}

fn beats(wanted: &Wanted, a: Finding, b: Finding) -> bool {
    let rank = |finding: Finding| {
        (finding.span.len(), wanted.strength(finding.entity), std::cmp::Reverse(finding.rule))
    };
    rank(a) > rank(b)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::detect::RuleId;
    use crate::entity::Entity;
    use crate::span::Span;
    use crate::structure::Form;

    fn finding(start: usize, end: usize, entity: Entity, rule: u16) -> Finding {
        Finding { span: Span::new(start, end), entity, rule: RuleId(rule), form: Form::PLAIN }
    }

    #[track_caller]
    fn check(mut found: Vec<Finding>, expected: &[Finding]) {
        let mut strength = vec![1; 32];
        strength[Entity::PASSWORD.index()] = 4;
        resolve(&Wanted::new(strength), &mut found, 0, |_| ());
        assert_eq!(found, expected);
    }

    #[test]
    fn the_longest_wins() {
        let long = finding(0, 9, Entity::EMAIL, 1);
        check(vec![finding(2, 5, Entity::PASSWORD, 0), long], &[long]);
    }

    #[test]
    fn of_equal_spans_the_stronger_action_wins_then_the_first_rule() {
        let strong = finding(0, 5, Entity::PASSWORD, 2);
        check(vec![finding(0, 5, Entity::EMAIL, 1), strong], &[strong]);
        let first = finding(0, 5, Entity::EMAIL, 1);
        check(vec![finding(0, 5, Entity::USERNAME, 2), first], &[first]);
    }

    #[test]
    fn the_winner_takes_what_sticks_out() {
        let found = vec![finding(0, 6, Entity::EMAIL, 1), finding(4, 8, Entity::PASSWORD, 0)];
        check(found, &[finding(0, 8, Entity::EMAIL, 1)]);
    }

    #[test]
    fn neighbours_stay_apart() {
        let found = [finding(0, 4, Entity::EMAIL, 1), finding(4, 8, Entity::EMAIL, 1)];
        check(vec![found[1], found[0]], &found);
    }
}
