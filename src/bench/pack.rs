/*!
Packs with some of their rules, as text: what a rule costs is known when it is left out.

The text is cut, not parsed: an item of `rules:` begins with `- name:`, as packs
are written. Whoever uses the result counts its rules, for a pack in another
style of YAML is left as it is.
*/

/// The pack with those of its rules that `keep` names; all else of it stays.
pub fn keep(pack: &str, mut keep: impl FnMut(&str) -> bool) -> String {
    let mut kept = String::with_capacity(pack.len());
    let (mut head, mut some, mut on) = (None, false, true);
    for line in pack.lines() {
        if let Some(name) = line.trim_start().strip_prefix("- name:") {
            on = keep(name.trim().trim_matches(['"', '\'']));
            some |= on;
        } else if line.starts_with(|first: char| !first.is_whitespace() && first != '#') {
            on = true;
            if line.trim_end() == "rules:" {
                head = Some(kept.len());
            }
        }
        if on {
            kept.push_str(line);
            kept.push('\n');
        }
    }
    match head {
        Some(head) if !some => {
            kept.truncate(head);
            kept.push_str("rules: []\n");
            kept
        }
        _ => kept,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::detect::Rules;
    use crate::detect::pack::BUILTIN;
    use crate::policy::Policy;

    fn cut(names: impl Fn(&str) -> bool) -> Vec<String> {
        let packs: Vec<String> = BUILTIN.iter().map(|(_, text)| keep(text, &names)).collect();
        let named: Vec<(&str, &str)> =
            BUILTIN.iter().zip(&packs).map(|((file, _), text)| (*file, &text[..])).collect();
        let rules = Rules::load(&named).expect("what is left is a pack");
        rules.rules().map(|(_, rule)| rule.name.to_string()).collect()
    }

    #[test]
    fn every_rule_of_the_built_in_packs_can_be_left_out() {
        let policy = Policy::builtin("everything").expect("it is built in");
        let rules = policy.rules();
        let all: Vec<&str> = rules.rules().map(|(_, rule)| &*rule.name).collect();
        let mut asked = Vec::new();
        for (_, text) in BUILTIN {
            let kept = keep(text, |name| {
                asked.push(name.to_owned());
                true
            });
            assert_eq!(kept.trim_end(), text.trim_end());
        }
        assert_eq!(asked, all);
        assert_eq!(cut(|name| name == "email"), ["email"]);
        assert_eq!(cut(|name| name != "email").len(), all.len() - 1);
        assert_eq!(cut(|_| false), [""; 0]);
    }
}
