//! Packs with any number of rules, to see what a rule costs that finds nothing.

use std::fmt::Write;

use logveil::bench::pack;
use logveil::detect::Rules;
use logveil::detect::pack::BUILTIN;

/// What peers are measured with: it comes first.
const CORE: [&str; 5] = ["email", "ipv4", "ipv6", "jwt", "card"];

/// So many rules: first the core, then the other built-in ones in the order of their packs, then made-up ones.
pub fn rules(count: usize) -> Rules {
    let all = Rules::builtin();
    let name = |place: usize| all.rules().nth(place).map(|(_, rule)| rule.name.to_string());
    let others = (0..all.rules().len()).filter_map(name).filter(|name| !CORE.contains(&name.as_str()));
    let kept: Vec<String> = CORE.map(str::to_owned).into_iter().chain(others).take(count).collect();
    let mut packs: Vec<(String, String)> = BUILTIN
        .iter()
        .map(|(file, text)| {
            ((*file).to_owned(), pack::keep(text, |name| kept.iter().any(|kept| kept == name)))
        })
        .collect();
    if kept.len() < count {
        packs.push(("synthetic.yaml".to_owned(), made_up(count - kept.len())));
    }
    let named: Vec<(&str, &str)> = packs.iter().map(|(file, text)| (&file[..], &text[..])).collect();
    let rules = Rules::load(&named).expect("they are packs");
    assert_eq!(rules.rules().len(), count, "so many were asked for");
    rules
}

/// A pack of rules like those of vendors: a prefix of its own each, and a long random part.
fn made_up(count: usize) -> String {
    let mut text = "entities: [synthetic_token]\nrules:\n".to_owned();
    for number in 0..count {
        let prefix = prefix(number);
        let value = format!("{prefix}0123456789abcdefghijABCDEFGHIJ01");
        write!(
            text,
            "  - name: synthetic-{number}\n    entity: synthetic_token\n    description: A token that nobody has.\n    \
             anchors: ['{prefix}']\n    pattern: '{prefix}[A-Za-z0-9]{{32}}'\n    examples: ['«{value}»']\n"
        )
        .expect("a string takes all");
    }
    text
}

/// Three letters that look random, then the number in two letters so that no two are alike, and an underscore.
fn prefix(number: usize) -> String {
    let letter = |of: usize| char::from(b'a' + (of % 26) as u8);
    let mixed = number.wrapping_mul(0x9e37_79b9) >> 7;
    let letters = [mixed, mixed / 26, mixed / 676, number / 26, number].map(letter);
    letters.into_iter().chain(['_']).collect()
}
