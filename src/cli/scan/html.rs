/*!
The report as one page: style and charts within it, nothing from elsewhere, no scripts.

Values stand in it only if they are to be shown; every text is escaped, so that
a log line cannot write the page.
*/

use std::cmp::Reverse;
use std::fmt::Write;

use super::charts::{INK, PALETTE, RULE, bars, columns};
use super::count::{Counts, named};
use super::{Examples, Values};
use crate::cli::output::{counted, grouped, printable, sized};
use crate::detect::Rules;
use crate::entity::Entity;
use crate::policy::Policy;

/// The whole page.
pub(super) fn page(counts: &Counts, examples: &Examples, policy: &Policy, values: Values) -> String {
    let rules = policy.rules();
    let mut sections = String::new();
    sections.push_str(&cards(counts));
    sections.push_str(&notes(counts));
    if counts.findings > 0 {
        let entities = named(&counts.entities, |entity| rules.entities().name(entity).to_owned());
        sections.push_str(&course(counts, rules));
        sections.push_str("<div class=\"two\">");
        sections.push_str(&chart("Findings by entity", HALF_PX, &folded(entities)));
        sections.push_str(&by_rule(counts, rules));
        sections.push_str("</div>");
        sections.push_str(&by_file(counts));
        sections.push_str(&listed(counts, examples, rules, values));
    }
    let style = style();
    let told = match values {
        Values::Hidden => "Values are not part of this page.",
        Values::Shown => "This page shows values: keep it where the logs are kept.",
    };
    let head = match counts.findings {
        0 => "Nothing was found.".to_owned(),
        findings => format!("{} in {}", counted(findings, "finding"), inputs(counts)),
    };
    format!(
        "<!DOCTYPE html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n\
         <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n\
         <meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; style-src 'unsafe-inline'\">\n\
         <title>logveil scan</title>\n<style>\n{style}</style>\n</head>\n<body>\n<main>\n\
         <h1>What is in these logs</h1>\n<p>{head}. Policy <code>{policy}</code>.</p>\n\
         {sections}\n<footer>{told} Made by logveil {version}.</footer>\n</main>\n</body>\n</html>\n",
        head = escaped(head.trim_end_matches('.')),
        policy = escaped(&policy.names().policy),
        version = env!("CARGO_PKG_VERSION"),
    )
}

fn inputs(counts: &Counts) -> String {
    match counts.files.as_slice() {
        [only] if only.name == "-" => "standard input".to_owned(),
        [only] => only.name.clone(),
        files => format!("{} files", files.len()),
    }
}

/// The page's own style, and the charts' colours in the dark.
pub(in crate::cli) fn style() -> String {
    let mut style = include_str!("page.css").to_owned();
    for (at, colour) in PALETTE.iter().enumerate() {
        writeln!(style, ".c{at} {{ background: {}; }}", hex(colour)).expect("a string takes all");
    }
    style.push_str("@media (prefers-color-scheme: dark) {\n");
    for (at, (light, dark)) in PALETTE.iter().zip(DARK).enumerate() {
        writeln!(
            style,
            "  .c{at} {{ background: {dark}; }} rect[fill=\"{}\"] {{ fill: {dark}; }}",
            hex(light)
        )
        .expect("a string takes all");
    }
    writeln!(style, "  rect[fill=\"{}\"] {{ fill: var(--rule); }}\n}}", hex(&RULE))
        .expect("a string takes all");
    debug_assert!(style.contains(&hex(&INK).to_lowercase()), "ink of page and charts is one");
    style
}

/// [`PALETTE`] on a dark sheet.
const DARK: [&str; PALETTE.len()] = ["#58a6ff", "#f0994a", "#3fbf8f", "#e478b4", "#ab8cf0", "#8b97a4"];

/// As plotters writes it.
fn hex(colour: &plotters::style::RGBColor) -> String {
    format!("#{:02X}{:02X}{:02X}", colour.0, colour.1, colour.2)
}

fn cards(counts: &Counts) -> String {
    let share = counts.records_with_findings as f64 * 100.0 / counts.records.max(1) as f64;
    let share = match counts.records_with_findings {
        0 => "none".to_owned(),
        _ if share < 0.1 => "under 0.1 %".to_owned(),
        _ => format!("{share:.1} %"),
    };
    let mut html = String::from("<dl class=\"cards\">");
    for (name, value) in [
        ("Records", grouped(counts.records)),
        ("Size", sized(counts.bytes)),
        ("Findings", grouped(counts.findings)),
        ("Records with findings", share),
    ] {
        write!(html, "<div><dt>{name}</dt><dd>{value}</dd></div>").expect("a string takes all");
    }
    html + "</dl>\n"
}

/// What the numbers do not cover.
fn notes(counts: &Counts) -> String {
    let mut notes = String::new();
    if counts.unsearched > 0 {
        let records = counted(counts.unsearched, "record");
        write!(notes, "<p>{records} could not be searched: over 1 MiB, or a mistake of ours.</p>")
            .expect("a string takes all");
    }
    if counts.unreadable > 0 {
        let files = counted(counts.unreadable, "file");
        write!(notes, "<p>{files} could not be read to the end.</p>").expect("a string takes all");
    }
    if notes.is_empty() { notes } else { format!("<section class=\"note\">{notes}</section>\n") }
}

/// The course of the largest entities, the others as one.
fn course(counts: &Counts, rules: &Rules) -> String {
    let mut largest: Vec<(Entity, u64)> =
        counts.entities.iter().map(|(entity, count)| (*entity, *count)).collect();
    largest.sort_by_key(|(entity, count)| (Reverse(*count), *entity));
    let named = if largest.len() <= PALETTE.len() { largest.len() } else { PALETTE.len() - 1 };
    let place = |entity: Entity| largest[..named].iter().position(|(one, _)| *one == entity).unwrap_or(named);
    let steps_count = counts.records.div_ceil(counts.course.width) as usize;
    let mut steps = vec![vec![0; named + 1]; steps_count.max(counts.course.steps.len())];
    for (step, found) in steps.iter_mut().zip(&counts.course.steps) {
        for (entity, count) in found {
            step[place(*entity)] += count;
        }
    }
    let mut legend = String::new();
    for (at, (entity, _)) in largest[..named].iter().enumerate() {
        let name = escaped(rules.entities().name(*entity));
        write!(legend, "<li><i class=\"c{at}\"></i>{name}</li>").expect("a string takes all");
    }
    if named < largest.len() {
        write!(legend, "<li><i class=\"c{named}\"></i>{} others</li>", largest.len() - named)
            .expect("a string takes all");
    }
    let each = match counts.course.width {
        1 => "each record".to_owned(),
        width => format!("each {} records", grouped(width)),
    };
    let drawn = |width| columns(&steps, counts.records, width);
    let figure = figure("Findings over the course of the input", WIDE_PX, drawn);
    format!(
        "<section><h2>Over the course of the input</h2><p>Findings in {each}, in order of input.</p>\
         {figure}<ul class=\"legend\">{legend}</ul></section>\n"
    )
}

fn by_rule(counts: &Counts, rules: &Rules) -> String {
    let mut rows: Vec<_> = counts.rules.iter().collect();
    rows.sort_by_key(|(key, count)| (Reverse(**count), **key));
    let mut html = String::from(
        "<section><h2>Top rules</h2><table><thead><tr><th>Rule</th><th>Entity</th>\
         <th class=\"number\">Findings</th></tr></thead><tbody>",
    );
    for ((entity, rule), count) in rows.iter().take(ROWS_MAX) {
        let (rule, entity) = (escaped(rules.rule_name(*rule)), escaped(rules.entities().name(*entity)));
        let count = grouped(**count);
        write!(
            html,
            "<tr><td><code>{rule}</code></td><td>{entity}</td><td class=\"number\">{count}</td></tr>"
        )
        .expect("a string takes all");
    }
    html + "</tbody></table></section>\n"
}

fn by_file(counts: &Counts) -> String {
    if counts.files.len() < 2 {
        return String::new();
    }
    let mut rows: Vec<(String, u64)> =
        counts.files.iter().map(|file| (file.name.clone(), file.findings)).collect();
    rows.sort_by_key(|(_, count)| Reverse(*count));
    chart("Findings by file", WIDE_PX, &folded(rows))
}

fn listed(counts: &Counts, examples: &Examples, rules: &Rules, values: Values) -> String {
    let value_head = if values == Values::Shown { "<th>Value</th>" } else { "" };
    let mut html = format!(
        "<section><h2>Where</h2><p>The first few of each rule in each file.</p><div class=\"wide-table\"><table><thead><tr>\
         <th>File and line</th><th>Bytes</th><th>Entity</th><th>Rule</th>{value_head}</tr></thead><tbody>",
    );
    for (input, hit) in &examples.hits {
        let file = escaped(&counts.files[*input].name);
        let (entity, rule) = (rules.entities().name(hit.entity), rules.rule_name(hit.rule));
        let (line, start, end) = (hit.line, hit.span.start, hit.span.end);
        let (entity, rule) = (escaped(entity), escaped(rule));
        write!(
            html,
            "<tr><td><code>{file}:{line}</code></td><td>{start}–{end}</td><td>{entity}</td><td><code>{rule}</code></td>"
        )
        .expect("a string takes all");
        if let Some(value) = &hit.value {
            write!(html, "<td><code>{}</code></td>", escaped(&printable(value.bytes())))
                .expect("a string takes all");
        }
        html.push_str("</tr>\n");
    }
    html + "</tbody></table></div></section>\n"
}

fn chart(title: &str, wide_px: u32, rows: &[(String, u64)]) -> String {
    let figure = figure(title, wide_px, |width| bars(rows, width));
    format!("<section><h2>{title}</h2>{figure}</section>\n")
}

/// A chart for wide and one for narrow pages; the style shows one of them.
pub(in crate::cli) fn figure(title: &str, wide_px: u32, draw: impl Fn(u32) -> String) -> String {
    let drawn = |class: &str, width: u32| {
        draw(width).replacen(
            "<svg ",
            &format!("<svg class=\"{class}\" role=\"img\" aria-label=\"{title}\" "),
            1,
        )
    };
    format!("<figure>{}{}</figure>", drawn("wide", wide_px), drawn("narrow", NARROW_PX))
}

/// The largest rows, the rest as one.
fn folded(mut rows: Vec<(String, u64)>) -> Vec<(String, u64)> {
    if rows.len() > ROWS_MAX {
        let rest = rows.split_off(ROWS_MAX - 1);
        rows.push((format!("{} others", rest.len()), rest.iter().map(|(_, count)| count).sum()));
    }
    rows
}

/// Rows of a chart or table.
const ROWS_MAX: usize = 16;

/// Widths for which charts are drawn, near to those at which they are seen.
const WIDE_PX: u32 = 1000;
const HALF_PX: u32 = 480;
const NARROW_PX: u32 = 360;

/// Text that is no markup (HTML, section 13.3).
pub(in crate::cli) fn escaped(text: &str) -> String {
    let mut html = String::with_capacity(text.len());
    for sign in text.chars() {
        match sign {
            '&' => html.push_str("&amp;"),
            '<' => html.push_str("&lt;"),
            '>' => html.push_str("&gt;"),
            '"' => html.push_str("&quot;"),
            '\'' => html.push_str("&#39;"),
            sign => html.push(sign),
        }
    }
    html
}
