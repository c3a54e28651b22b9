//! The picture in the README: per figure a bar for each language, in proportion, so that the shorter one is better.

use std::fmt::Write as _;

use crate::figures::{Figure, Unit};
use crate::process::Client;
use crate::report::times;

const WIDTH: usize = 720;
const ROW: usize = 48;
const HEAD: usize = 72;
const FOOT: usize = 34;
/// Where bars begin.
const LEFT: usize = 262;
/// The length of the longest bar of a row.
const LONGEST: f64 = 310.0;

/// It must be readable on any page: it has a background of its own, for light and dark surroundings.
const STYLE: &str = "text{font:13px system-ui,-apple-system,'Segoe UI',Helvetica,Arial,sans-serif;fill:#1f2328}\
.t{font-size:15px;font-weight:600}.b{font-weight:600}.s{font-size:11.5px;fill:#59636e}.n{font-size:12px}\
.c{fill:#fff;stroke:#d1d9e0}.r{fill:#c2410c}.p{fill:#9aa4b0}.l{stroke:#d1d9e0}\
@media(prefers-color-scheme:dark){text{fill:#f0f6fc}.s{fill:#9aa4b0}.c{fill:#0d1117;stroke:#3d444d}\
.r{fill:#f97316}.p{fill:#6b7480}.l{stroke:#3d444d}}";

/// A row of the picture: a figure, and what makes it one of which less is better.
pub struct Row<'a> {
    pub name: &'static str,
    pub note: &'static str,
    pub figure: &'a Figure,
    /// A rate becomes the time for this many.
    pub count: f64,
}

impl Row<'_> {
    fn value(&self, client: Client) -> (f64, String) {
        let median = self.figure.median(client);
        let (value, unit) = match self.figure.unit {
            Unit::PerSecond => (self.count / median, Unit::Seconds),
            unit => (median, unit),
        };
        (value, unit.write(value))
    }
}

pub fn draw(title: &str, foot: &str, rows: &[Row]) -> String {
    let height = HEAD + rows.len() * ROW + FOOT;
    let mut body = String::new();
    let mut description = String::new();
    for (at, row) in rows.iter().enumerate() {
        let y = HEAD + at * ROW;
        let Row { name, note, .. } = row;
        let ratio = times(row.figure.ratio());
        let [ours, theirs] =
            [Client::Sdk, row.figure.better_python()].map(|client| row.value(client));
        let longest = ours.0.max(theirs.0);
        body += &format!(
            "<text class=\"b\" x=\"20\" y=\"{}\">{name}</text><text class=\"s\" x=\"20\" y=\"{}\">{note}</text>",
            y + 14,
            y + 30
        );
        for ((value, text), class, y) in [(&ours, "r", y + 2), (&theirs, "p", y + 19)] {
            // A bar that is too short to be seen would look like a missing one.
            let length = (value / longest * LONGEST).max(2.0);
            body += &format!(
                "<rect class=\"{class}\" x=\"{LEFT}\" y=\"{y}\" width=\"{length:.1}\" height=\"13\"/>\
                <text class=\"n\" x=\"{:.1}\" y=\"{}\">{text}</text>",
                LEFT as f64 + length + 6.0,
                y + 11
            );
        }
        body += &format!(
            "<text class=\"t\" x=\"{}\" y=\"{}\" text-anchor=\"end\">{ratio}</text>\n",
            WIDTH - 20,
            y + 22
        );
        // This cannot fail.
        let _ = write!(
            description,
            "{name}, {note}: {} against {}, {ratio}. ",
            ours.1, theirs.1
        );
    }
    format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"{WIDTH}\" height=\"{height}\" viewBox=\"0 0 {WIDTH} {height}\" \
        role=\"img\" aria-labelledby=\"title desc\">\n\
        <title id=\"title\">{title}</title>\n<desc id=\"desc\">{description}</desc>\n<style>{STYLE}</style>\n\
        <rect class=\"c\" x=\".5\" y=\".5\" width=\"{}\" height=\"{}\" rx=\"8\"/>\n\
        <text class=\"t\" x=\"20\" y=\"28\">{title}</text>\n\
        <rect class=\"r\" x=\"20\" y=\"42\" width=\"11\" height=\"11\"/><text class=\"n\" x=\"37\" y=\"52\">prefect-sdk (Rust)</text>\
        <rect class=\"p\" x=\"160\" y=\"42\" width=\"11\" height=\"11\"/><text class=\"n\" x=\"177\" y=\"52\">Prefect’s Python client</text>\
        <text class=\"n s\" x=\"{}\" y=\"52\" text-anchor=\"end\">shorter is better</text>\n\
        {body}<text class=\"s\" x=\"20\" y=\"{}\">{foot}</text>\n</svg>\n",
        WIDTH - 1,
        height - 1,
        WIDTH - 20,
        height - 16
    )
}
