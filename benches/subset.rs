//! Some of the built-in rules, to see what more of them cost.

use logveil::bench::pack;
use logveil::detect::Rules;
use logveil::detect::pack::BUILTIN;

/// What peers are measured with: it comes first.
const CORE: [&str; 5] = ["email", "ipv4", "ipv6", "jwt", "card"];

/// So many rules: the core, then as many of the others from all packs, evenly.
pub fn rules(count: usize) -> Rules {
    let all = Rules::builtin();
    let others: Vec<&str> =
        all.rules().map(|(_, rule)| &*rule.name).filter(|name| !CORE.contains(name)).collect();
    let wanted = count - CORE.len();
    let kept: Vec<&str> =
        (0..wanted).map(|place| others[place * others.len() / wanted]).chain(CORE).collect();
    let cut = |(file, text): &(&'static str, &str)| (*file, pack::keep(text, |name| kept.contains(&name)));
    let packs: Vec<(&str, String)> = BUILTIN.iter().map(cut).collect();
    let packs: Vec<(&str, &str)> = packs.iter().map(|(file, text)| (*file, &text[..])).collect();
    let rules = Rules::load(&packs).expect("they are packs");
    assert_eq!(rules.rules().len(), count, "so many were asked for");
    rules
}
