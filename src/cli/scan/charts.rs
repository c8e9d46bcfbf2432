/*!
Charts as SVG without fonts, scripts or links.

Each colour is one of [`PALETTE`], so that the page's style can give it another
one in the dark. Coordinates are pixels; a chart is drawn for a width and
scales with the page.
*/

use plotters::backend::DrawingBackend;
use plotters::prelude::SVGBackend;
use plotters::style::text_anchor::{HPos, Pos, VPos};
use plotters::style::{Color, IntoFont, RGBColor, TextStyle};

/// The colours of series: the largest entity's first, the last for all others.
pub(in crate::cli) const PALETTE: [RGBColor; 6] = [
    RGBColor(0x1f, 0x6f, 0xeb),
    RGBColor(0xd9, 0x6c, 0x06),
    RGBColor(0x0f, 0x8a, 0x5f),
    RGBColor(0xb8, 0x32, 0x80),
    RGBColor(0x7a, 0x52, 0xcc),
    RGBColor(0x7d, 0x87, 0x94),
];

/// Text, and the lines of axes.
pub(in crate::cli) const INK: RGBColor = RGBColor(0x24, 0x29, 0x2f);
pub(in crate::cli) const RULE: RGBColor = RGBColor(0xd8, 0xde, 0xe4);

/// A bar for each row, the count behind it.
pub(super) fn bars(rows: &[(String, u64)], width: u32) -> String {
    let largest = rows.iter().map(|(_, count)| *count).max().unwrap_or(0).max(1);
    let longest = rows.iter().map(|(name, _)| name.chars().count()).max().unwrap_or(0);
    let labels = (longest * SIGN_PX + LABEL_GAP_PX as usize).min(width as usize * 2 / 5) as i32;
    let room = width as i32 - labels - COUNT_PX;
    draw(width, rows.len() as u32 * ROW_PX, |chart| {
        for (at, (name, count)) in rows.iter().enumerate() {
            let top = at as i32 * ROW_PX as i32;
            let middle = top + ROW_PX as i32 / 2;
            let name = shortened(name, (labels - LABEL_GAP_PX) as usize / SIGN_PX);
            let end = labels + (*count as f64 / largest as f64 * f64::from(room)).ceil() as i32;
            chart.text(&name, labels - LABEL_GAP_PX, middle, HPos::Right);
            chart.rectangle((labels, top + 5), (end, top + ROW_PX as i32 - 5), PALETTE[0]);
            chart.text(&crate::cli::output::grouped(*count), end + 8, middle, HPos::Left);
        }
    })
}

/// Stacked columns: for each step the counts of the series, drawn from the bottom. `span` is how many records all steps cover.
pub(super) fn columns(steps: &[Vec<u64>], span: u64, width: u32) -> String {
    let tallest = steps.iter().map(|step| step.iter().sum()).max().unwrap_or(0).max(1);
    let grouped = crate::cli::output::grouped;
    let left = AXIS_PX.max(SIGN_PX as i32 * grouped(tallest).len() as i32 + 12);
    let (right, floor) = (width as i32 - 4, COLUMNS_PX as i32 - 28);
    let x = |step: usize| {
        left + (step as f64 / steps.len().max(1) as f64 * f64::from(right - left)).round() as i32
    };
    let y = |count: u64| floor - (count as f64 / tallest as f64 * f64::from(floor - 12)).round() as i32;
    draw(width, COLUMNS_PX, |chart| {
        for count in [0, tallest / 2, tallest] {
            chart.rectangle((left, y(count)), (right, y(count) + 1), RULE);
            chart.text(&grouped(count), left - 8, y(count), HPos::Right);
        }
        for (at, step) in steps.iter().enumerate() {
            let gap = i32::from(x(at + 1) - x(at) > 3);
            let mut below = 0;
            for (series, count) in step.iter().enumerate().filter(|(_, count)| **count > 0) {
                let colour = PALETTE[series.min(PALETTE.len() - 1)];
                chart.rectangle(
                    (x(at), y(below + count)),
                    ((x(at + 1) - gap).max(x(at) + 1), y(below)),
                    colour,
                );
                below += count;
            }
        }
        chart.text("record 1", left, floor + 16, HPos::Left);
        chart.text(&grouped(span), right, floor + 16, HPos::Right);
    })
}

/// A drawing whose every element fits or is cut; none of its calls can fail on a string.
struct Chart<'a, 'b>(&'a mut SVGBackend<'b>);

impl Chart<'_, '_> {
    fn rectangle(&mut self, from: (i32, i32), to: (i32, i32), colour: RGBColor) {
        let _ = self.0.draw_rect(from, to, &colour.filled(), true);
    }

    fn text(&mut self, text: &str, x: i32, y: i32, side: HPos) {
        let style = TextStyle::from(("sans-serif", FONT_PX).into_font())
            .color(&INK)
            .pos(Pos::new(side, VPos::Center));
        let _ = self.0.draw_text(text, &style, (x, y));
    }
}

fn draw(width: u32, height: u32, paint: impl FnOnce(&mut Chart)) -> String {
    let mut svg = String::new();
    let mut backend = SVGBackend::with_string(&mut svg, (width, height.max(1)));
    paint(&mut Chart(&mut backend));
    let _ = backend.present();
    drop(backend);
    svg
}

/// The end of a long name, which tells more of a path than its start does.
fn shortened(name: &str, signs_max: usize) -> String {
    let count = name.chars().count();
    if count <= signs_max {
        return name.to_owned();
    }
    let end: String = name.chars().skip(count - signs_max.saturating_sub(1)).collect();
    format!("…{end}")
}

/// Pixels of a row of bars, of the columns, between a label and its bar, of the count behind a bar, of the axis, of text and of one sign of it.
const ROW_PX: u32 = 28;
const COLUMNS_PX: u32 = 240;
const LABEL_GAP_PX: i32 = 10;
const COUNT_PX: i32 = 90;
const AXIS_PX: i32 = 40;
const FONT_PX: i32 = 17;
const SIGN_PX: usize = 9;
