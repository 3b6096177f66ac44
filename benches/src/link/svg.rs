//! Goodput, window and queue over time, drawn.

use std::fmt::Write as _;

use super::{Outcome, Scenario};

const WIDTH: f64 = 900.0;
const HEIGHT: f64 = 200.0;
const COLOURS: [&str; 4] = ["#0b6", "#c50", "#06c", "#a0a"];

/// One chart above the other: goodput in Mbit/s, window in kB (a line for each flow), queue in kB.
pub fn draw(title: &str, scenario: &Scenario, outcome: &Outcome) -> String {
    let flows = outcome.goodput.len();
    let mut out = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"{}\" height=\"{}\" font-family=\"sans-serif\" font-size=\"12\">\n\
         <rect width=\"100%\" height=\"100%\" fill=\"#fff\"/>\n<text x=\"10\" y=\"18\" font-size=\"14\">{title}</text>\n",
        WIDTH + 90.0,
        3.0 * (HEIGHT + 40.0) + 30.0
    );
    let line = |value: &dyn Fn(usize, usize) -> f64| -> Vec<Vec<(f64, f64)>> {
        (0..flows)
            .map(|flow| outcome.series.iter().enumerate().map(|(n, point)| (point.at, value(n, flow))).collect())
            .collect()
    };
    let point = |n: usize| outcome.series.get(n);
    let goodput = line(&|n, flow| {
        point(n).and_then(|p| p.delivered.get(flow)).map_or(0.0, |bytes| *bytes as f64 * 8.0 / 0.05 / 1e6)
    });
    let window = line(&|n, flow| point(n).and_then(|p| p.window.get(flow)).map_or(0.0, |w| *w as f64 / 1e3));
    let queue = vec![outcome.series.iter().map(|p| (p.at, p.queue as f64 / 1e3)).collect()];
    let until = scenario.until.as_secs_f64();
    for (at, (name, lines)) in
        [("goodput, Mbit/s", goodput), ("window, kB", window), ("queue, kB", queue)].iter().enumerate()
    {
        chart(&mut out, at as f64, name, until, lines);
    }
    out.push_str("</svg>\n");
    out
}

fn chart(out: &mut String, at: f64, name: &str, until: f64, lines: &[Vec<(f64, f64)>]) {
    let top = 40.0 + at * (HEIGHT + 40.0);
    let most = lines.iter().flatten().map(|(_, y)| *y).fold(1.0, f64::max);
    let _ = writeln!(
        out,
        "<text x=\"60\" y=\"{}\">{name} (up to {most:.0}; {until:.0} s)</text>\n<rect x=\"60\" y=\"{top}\" width=\"{WIDTH}\" \
         height=\"{HEIGHT}\" fill=\"none\" stroke=\"#999\"/>",
        top - 6.0
    );
    for (n, points) in lines.iter().enumerate() {
        let colour = COLOURS.get(n % COLOURS.len()).copied().unwrap_or("#000");
        let _ = write!(out, "<polyline fill=\"none\" stroke=\"{colour}\" points=\"");
        for (x, y) in points {
            let _ = write!(out, "{:.1},{:.1} ", 60.0 + x / until * WIDTH, top + HEIGHT - y / most * HEIGHT);
        }
        out.push_str("\"/>\n");
    }
}
