/*!
The report as one page: style and charts within it, nothing from elsewhere, no scripts.
*/

use std::collections::BTreeMap;
use std::fmt::Write;

use super::chart::{Course, ages};
use super::report::{Document, row};
use super::tell;
use crate::app::stores::Checked;
use crate::cli::scan::html::{escaped, figure, style};
use crate::clock::Timestamp;
use crate::retention::evidence::Did;

/// Acts that the page lists; the JSON report has all.
const ACTS_MAX: usize = 500;

/// The whole page.
pub(super) fn page(document: &Document<'_>) -> String {
    let failing = document.checked.iter().filter(|target| !target.holds()).count();
    let head = match failing {
        0 => "Every class is compliant in every store".to_owned(),
        1 => "In one place a class can outlive its limit, or that cannot be told".to_owned(),
        count => format!("In {count} places a class can outlive its limit, or that cannot be told"),
    };
    let mut sections = standing(document);
    for (name, targets) in by_store(document.checked) {
        sections += &store(&name, &targets, document);
    }
    sections += &done(document);
    format!(
        "<!DOCTYPE html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n\
         <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n\
         <meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; style-src 'unsafe-inline'\">\n\
         <title>logveil retention</title>\n<style>\n{style}</style>\n</head>\n<body>\n<main>\n\
         <h1>How long records stay</h1>\n<p>{head}. Policy <code>{policy}</code>, {made}.</p>\n\
         {sections}\n<footer>Made by logveil {version} from a chain of evidence that is whole.</footer>\n\
         </main>\n</body>\n</html>\n",
        style = style(),
        policy = escaped(document.policy),
        made = document.made.strftime("%Y-%m-%d %H:%M UTC"),
        version = env!("CARGO_PKG_VERSION"),
    )
}

fn by_store(checked: &[Checked]) -> Vec<(String, Vec<&Checked>)> {
    let mut stores: Vec<(String, Vec<&Checked>)> = Vec::new();
    for target in checked {
        match stores.iter_mut().find(|(name, _)| **name == *target.store.name) {
            Some((_, targets)) => targets.push(target),
            None => stores.push((target.store.name.to_string(), vec![target])),
        }
    }
    stores
}

fn standing(document: &Document<'_>) -> String {
    let mut html = String::from(
        "<section><h2>As it stands</h2><div class=\"wide-table\"><table><thead><tr><th>Store</th><th>Target</th>\
         <th>Class</th><th>Limit</th><th>Worst case</th><th>Oldest</th><th>Verdict</th></tr></thead><tbody>",
    );
    for target in document.checked {
        for (class, ttl, verdict) in &target.verdicts {
            let cells = [
                format!("{} ({})", target.store.name, target.store.kind.name()),
                target.target.name.clone(),
                class.clone(),
                ttl.to_string(),
                tell::worst(target),
                tell::oldest(target),
                verdict.to_string(),
            ];
            push_row(&mut html, &cells);
        }
    }
    html + "</tbody></table></div></section>\n"
}

/// A store's chart: the age of its oldest record over time, each class against its limit.
fn store(name: &str, targets: &[&Checked], document: &Document<'_>) -> String {
    let mut courses: BTreeMap<String, Course> = BTreeMap::new();
    let mut push = |class: &str, at: Timestamp, age: Option<u64>, limit: u64| {
        let course = courses.entry(class.to_owned()).or_insert_with(|| Course { points: Vec::new(), limit });
        course.limit = limit;
        course.points.extend(age.map(|age| (at.as_second(), age)));
    };
    for act in document.acts.iter().filter(|act| act.store == name && act.did == Did::Verified) {
        act.classes.iter().for_each(|class| push(class, act.at, act.oldest_s, act.limit_s));
    }
    for target in targets {
        for (class, ttl, _) in &target.verdicts {
            let age = target.oldest().map(|age| age.as_secs());
            push(class, target.at, age, ttl.duration().as_secs());
        }
    }
    let first = courses.values().flat_map(|course| course.points.first()).map(|(at, _)| *at).min();
    let begin = first.and_then(|at| Timestamp::from_second(at).ok()).unwrap_or(document.made);
    let label = |at: Timestamp| at.strftime("%Y-%m-%d %H:%M").to_string();
    let (begin, end) = (label(begin), label(document.made));
    let legend: String = courses
        .keys()
        .enumerate()
        .map(|(at, class)| {
            format!("<li><i class=\"c{}\"></i>{}</li>", [0, 2, 3, 4, 5][at % 5], escaped(class))
        })
        .collect();
    let courses: Vec<Course> = courses.into_values().collect();
    let title = format!("Age of the oldest record in {}", escaped(name));
    let chart = figure(&title, 1000, |width| ages(&courses, (&begin, &end), width));
    let mut told = String::new();
    for target in targets {
        if let Ok(reading) = &target.reading {
            let (target, sum) = (escaped(&target.target.name), escaped(&reading.effective.arithmetic()));
            write!(told, "<p><code>{target}</code>: {sum}</p>").expect("a string takes all");
        }
    }
    format!(
        "<section><h2>{title}</h2>{told}{chart}<ul class=\"legend\">{legend}<li><i class=\"c1\"></i>limit</li></ul></section>\n"
    )
}

fn done(document: &Document<'_>) -> String {
    let left = document.acts.len().saturating_sub(ACTS_MAX);
    let mut html = format!(
        "<section><h2>What was done</h2><p>{} acts{}.</p><div class=\"wide-table\"><table><tbody>",
        document.acts.len(),
        if left > 0 { format!(", the first {left} left out here") } else { String::new() }
    );
    for act in &document.acts[left..] {
        push_row(&mut html, &row(act));
    }
    html + "</tbody></table></div></section>\n"
}

fn push_row(html: &mut String, cells: &[String]) {
    html.push_str("<tr>");
    for cell in cells {
        write!(html, "<td>{}</td>", escaped(cell)).expect("a string takes all");
    }
    html.push_str("</tr>\n");
}
