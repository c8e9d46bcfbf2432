/*!
The age of a store's oldest record over time, against the limit, as SVG.
*/

use plotters::backend::DrawingBackend;
use plotters::prelude::SVGBackend;
use plotters::style::text_anchor::{HPos, Pos, VPos};
use plotters::style::{Color, IntoFont, RGBColor, TextStyle};

use crate::cli::scan::charts::{INK, PALETTE, RULE};

/// One class's course: seconds since the epoch, age in seconds.
pub(super) struct Course {
    pub points: Vec<(i64, u64)>,
    /// The limit of the class, in seconds.
    pub limit: u64,
}

const HEIGHT_PX: u32 = 240;
const FONT_PX: i32 = 15;
const DAY_S: u64 = 86_400;

/// The colour of a limit's line.
const LIMIT: RGBColor = PALETTE[1];

/// Draws the courses in one chart of this width; the labels under it say where time begins and ends.
pub(super) fn ages(courses: &[Course], (begin, end): (&str, &str), width: u32) -> String {
    let points = || courses.iter().flat_map(|course| &course.points);
    let first = points().map(|(at, _)| *at).min().unwrap_or(0);
    let last = points().map(|(at, _)| *at).max().unwrap_or(0).max(first + 1);
    let tallest = points().map(|(_, age)| *age).chain(courses.iter().map(|course| course.limit)).max();
    let tallest = tallest.unwrap_or(1).max(1);
    let (left, right, floor) = (64, width as i32 - 8, HEIGHT_PX as i32 - 30);
    let x = |at: i64| {
        left + ((at - first) as f64 / (last - first) as f64 * f64::from(right - left)).round() as i32
    };
    let y = |age: u64| floor - (age as f64 / tallest as f64 * f64::from(floor - 16)).round() as i32;
    let mut svg = String::new();
    let mut backend = SVGBackend::with_string(&mut svg, (width, HEIGHT_PX));
    let text = |backend: &mut SVGBackend, text: &str, at, side| {
        let style = TextStyle::from(("sans-serif", FONT_PX).into_font())
            .color(&INK)
            .pos(Pos::new(side, VPos::Center));
        let _ = backend.draw_text(text, &style, at);
    };
    for age in [0, tallest / 2, tallest] {
        let _ = backend.draw_rect((left, y(age)), (right, y(age) + 1), &RULE.filled(), true);
        text(&mut backend, &days(age), (left - 8, y(age)), HPos::Right);
    }
    for (at, course) in courses.iter().enumerate() {
        let _ = backend.draw_rect(
            (left, y(course.limit) - 1),
            (right, y(course.limit) + 1),
            &LIMIT.filled(),
            true,
        );
        let colour = PALETTE[[0, 2, 3, 4, 5][at % 5]];
        let line: Vec<(i32, i32)> = course.points.iter().map(|(at, age)| (x(*at), y(*age))).collect();
        let _ = backend.draw_path(line.iter().copied(), &colour.stroke_width(2));
        for (x, y) in line {
            let _ = backend.draw_rect((x - 2, y - 2), (x + 2, y + 2), &colour.filled(), true);
        }
    }
    text(&mut backend, begin, (left, floor + 18), HPos::Left);
    text(&mut backend, end, (right, floor + 18), HPos::Right);
    let _ = backend.present();
    drop(backend);
    svg
}

fn days(seconds: u64) -> String {
    match seconds {
        0 => "0".to_owned(),
        _ if seconds < 2 * DAY_S => format!("{} h", seconds / 3600),
        _ => format!("{} d", seconds / DAY_S),
    }
}
