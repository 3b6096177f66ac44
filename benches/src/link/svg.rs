//! Goodput, window and queue over time, drawn.

use std::fmt::Write as _;

use super::{Outcome, SAMPLE, Scenario};

const LEFT: f64 = 60.0;
const WIDTH: f64 = 900.0;
const HEIGHT: f64 = 200.0;
const PITCH: f64 = HEIGHT + 50.0;
const COLOURS: [&str; 4] = ["#0b6", "#c50", "#06c", "#a0a"];

type Line = Vec<(f64, f64)>;

/// One chart above the other: goodput in Mbit/s, window in kB (a line for each of `flows`, by name), queue in kB.
pub fn draw(title: &str, flows: &[&str], scenario: &Scenario, outcome: &Outcome) -> String {
    let mut out = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"{}\" height=\"{}\" font-family=\"sans-serif\" font-size=\"12\">\n\
         <rect width=\"100%\" height=\"100%\" fill=\"#fff\"/>\n<text x=\"10\" y=\"18\" font-size=\"14\">{title}</text>\n",
        LEFT + WIDTH + 30.0,
        3.0 * PITCH + 40.0
    );
    for (n, name) in flows.iter().enumerate() {
        let (y, x) = (18, LEFT + WIDTH - 100.0 * (flows.len() - n) as f64);
        let _ = writeln!(
            out,
            "<rect x=\"{x}\" y=\"{}\" width=\"12\" height=\"3\" fill=\"{}\"/><text x=\"{}\" y=\"{y}\">{name}</text>",
            y - 6,
            colour(n),
            x + 18.0
        );
    }
    let line = |value: &dyn Fn(&super::Point, usize) -> f64| -> Vec<Line> {
        let points = |flow| outcome.series.iter().map(|point| (point.at, value(point, flow))).collect();
        (0..flows.len()).map(points).collect()
    };
    let sample = SAMPLE.as_secs_f64();
    let goodput = line(&|p, flow| p.delivered.get(flow).map_or(0.0, |bytes| *bytes as f64 * 8.0 / sample / 1e6));
    let window = line(&|p, flow| p.window.get(flow).map_or(0.0, |bytes| *bytes as f64 / 1e3));
    let queue = vec![outcome.series.iter().map(|p| (p.at, p.queue as f64 / 1e3)).collect()];
    let until = scenario.until.as_secs_f64();
    for (at, (name, lines)) in
        [("goodput, Mbit/s", goodput), ("window, kB", window), ("queue, kB", queue)].iter().enumerate()
    {
        chart(&mut out, 50.0 + at as f64 * PITCH, name, until, lines);
    }
    out.push_str("</svg>\n");
    out
}

fn colour(n: usize) -> &'static str {
    COLOURS.get(n % COLOURS.len()).copied().unwrap_or("#000")
}

/// 1, 2 or 5 times a power of ten: a step of which about `steps` make `most`.
fn step(most: f64, steps: f64) -> f64 {
    let raw = (most / steps).max(1e-9);
    let power = 10_f64.powf(raw.log10().floor());
    [1.0, 2.0, 5.0].into_iter().map(|n| n * power).find(|step| *step >= raw).unwrap_or(10.0 * power)
}

fn chart(out: &mut String, top: f64, name: &str, until: f64, lines: &[Line]) {
    let most = lines.iter().flatten().map(|(_, y)| *y).fold(1.0, f64::max);
    let (up, along) = (step(most, 4.0), step(until, 10.0));
    let most = (most / up).ceil() * up;
    let (x, y) = (|at: f64| LEFT + at / until * WIDTH, |value: f64| top + HEIGHT - value / most * HEIGHT);
    let _ = writeln!(out, "<text x=\"{LEFT}\" y=\"{}\">{name}</text>", top - 8.0);
    let mut value = 0.0;
    while value <= most + up / 2.0 {
        let at = y(value);
        let _ = writeln!(
            out,
            "<path d=\"M{LEFT} {at:.1}h{WIDTH}\" stroke=\"#ddd\"/><text x=\"{}\" y=\"{:.1}\" text-anchor=\"end\">{value:.0}</text>",
            LEFT - 6.0,
            at + 4.0
        );
        value += up;
    }
    let mut second = 0.0;
    while second <= until + along / 2.0 {
        let at = x(second);
        let _ = writeln!(
            out,
            "<path d=\"M{at:.1} {top}v{HEIGHT}\" stroke=\"#eee\"/><text x=\"{at:.1}\" y=\"{}\" text-anchor=\"middle\">{second:.0} s</text>",
            top + HEIGHT + 15.0
        );
        second += along;
    }
    for (n, points) in lines.iter().enumerate() {
        let _ = write!(out, "<polyline fill=\"none\" stroke=\"{}\" points=\"", colour(n));
        for (at, value) in points {
            let _ = write!(out, "{:.1},{:.1} ", x(*at), y(*value));
        }
        out.push_str("\"/>\n");
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::link::Point;

    #[test]
    fn steps_are_round() {
        for (most, steps, wanted) in [(191.0, 4.0, 50.0), (1331.0, 4.0, 500.0), (20.0, 10.0, 2.0), (1.0, 4.0, 0.5)] {
            assert!((step(most, steps) - wanted).abs() < 1e-9, "{most}: {}", step(most, steps));
        }
    }

    #[test]
    fn every_flow_is_drawn() {
        let point = |at| Point { at, delivered: vec![1, 2], window: vec![3, 4], queue: 5 };
        let outcome = Outcome { series: vec![point(0.0), point(10.0)], ..Outcome::default() };
        let svg = draw("two", &["one", "other"], &Scenario::standard(0.0, 0), &outcome);
        assert_eq!(svg.matches("<polyline").count(), 5, "two, two and the queue");
        assert!(svg.contains(">one<") && svg.contains(">other<") && svg.contains("20 s"));
    }
}
