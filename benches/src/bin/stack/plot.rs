//! Plots: throughput and CPU by message size, and how round trips spread.

use std::fmt::Write as _;
use std::fs;
use std::path::Path;

use serde_json::Value;

use super::Result;
use super::report::All;

const WIDTH: f64 = 640.0;
const HEIGHT: f64 = 320.0;
const LEFT: f64 = 80.0;
const TOP: f64 = 40.0;
const COLOURS: [&str; 11] = ["#0b6", "#06c", "#c50", "#a0a", "#888", "#b90", "#0aa", "#d37", "#350", "#009", "#5d0"];
const SIZES: [&str; 3] = ["100B", "1200B", "64KiB"];

/// A line of a plot.
struct Line {
    name: String,
    points: Vec<(f64, f64)>,
}

/// Writes `throughput.svg`, `cpu.svg` and `latency.svg`, each only if there is something to draw.
pub(crate) fn write(folder: &Path, all: &All<'_>) -> Result<()> {
    fs::create_dir_all(folder)?;
    let by_size = |key: &str| -> Vec<Line> {
        let lines = all.iter().map(|(stack, of)| Line {
            name: (*stack).to_owned(),
            points: SIZES
                .iter()
                .enumerate()
                .filter_map(|(n, size)| Some((n as f64, of.get(size)?.get(key)?.as_f64()?)))
                .collect(),
        });
        lines.filter(|line| !line.points.is_empty()).collect()
    };
    let names = SIZES.map(str::to_owned);
    let put = |file: &str, title: &str, lines: &[Line], marks: &[String]| {
        // Without a point there is no scale.
        if lines.iter().all(|line| line.points.is_empty()) {
            return Ok(());
        }
        fs::write(folder.join(file), draw(title, lines, marks))
    };
    put("throughput.svg", "MiB/s by message size", &by_size("mib_per_second"), &names)?;
    put("cpu.svg", "CPU-s/GiB by message size", &by_size("cpu_seconds_per_gib"), &names)?;
    let mut spread = Vec::new();
    for (stack, of) in all {
        let Some(value) = of.get("round-trip") else { continue };
        let (name, bare) = match *stack {
            "bare-udp" => ("bare UDP, blocking", None),
            "weft" => ("weft", Some("bare UDP, tokio")),
            "weft-apart" => ("weft-apart", Some("bare UDP, apart")),
            other => (other, None),
        };
        spread.extend(percentiles(name, value));
        spread.extend(bare.and_then(|name| percentiles(name, value.get("bare")?)));
    }
    let names: Vec<String> = [0, 25, 50, 75, 99].iter().map(|n| format!("{n} %")).collect();
    put("latency.svg", "round trip of 100 B, µs, by percentile", &spread, &names)?;
    Ok(())
}

fn percentiles(name: &str, value: &Value) -> Option<Line> {
    let points = value.get("percentiles")?.as_array()?;
    // The last percentile is one sample, and would flatten all others.
    let points = points.iter().take(100).enumerate();
    Some(Line {
        name: name.to_owned(),
        points: points.filter_map(|(n, at)| Some((n as f64 / 24.75, at.as_f64()?))).collect(),
    })
}

/// Lines over marks on a logarithmic scale; `marks` name x = 0, 1, 2, …
fn draw(title: &str, lines: &[Line], marks: &[String]) -> String {
    let values = || lines.iter().flat_map(|line| &line.points).map(|point| point.1.max(1e-3));
    let low = 10_f64.powf(values().fold(f64::MAX, f64::min).log10().floor());
    let high = 10_f64.powf(values().fold(f64::MIN_POSITIVE, f64::max).log10().ceil()).max(low * 10.0);
    let last = marks.len().saturating_sub(1).max(1) as f64;
    let x = |at: f64| LEFT + at / last * WIDTH;
    let y = |value: f64| TOP + HEIGHT - (value.max(low) / low).log10() / (high / low).log10() * HEIGHT;
    let mut out = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"{}\" height=\"{}\" font-family=\"sans-serif\" font-size=\"12\">\n\
         <rect width=\"100%\" height=\"100%\" fill=\"#fff\"/>\n<text x=\"10\" y=\"20\" font-size=\"14\">{title}</text>\n",
        LEFT + WIDTH + 180.0,
        TOP + HEIGHT + 40.0
    );
    let mut grid = low;
    while grid <= high * 1.001 {
        let at = y(grid);
        let _ = writeln!(
            out,
            "<line x1=\"{LEFT}\" x2=\"{}\" y1=\"{at:.1}\" y2=\"{at:.1}\" stroke=\"#ddd\"/>\
             <text x=\"{}\" y=\"{:.1}\" text-anchor=\"end\">{grid}</text>",
            LEFT + WIDTH,
            LEFT - 6.0,
            at + 4.0
        );
        grid *= 10.0;
    }
    for (n, mark) in marks.iter().enumerate() {
        let _ = writeln!(
            out,
            "<text x=\"{:.1}\" y=\"{}\" text-anchor=\"middle\">{mark}</text>",
            x(n as f64),
            TOP + HEIGHT + 20.0
        );
    }
    for (n, line) in lines.iter().enumerate() {
        let colour = COLOURS.get(n % COLOURS.len()).copied().unwrap_or("#000");
        let points: Vec<String> = line.points.iter().map(|p| format!("{:.1},{:.1}", x(p.0), y(p.1))).collect();
        let _ = writeln!(
            out,
            "<polyline fill=\"none\" stroke=\"{colour}\" stroke-width=\"2\" points=\"{}\"/>\
             <text x=\"{}\" y=\"{}\" fill=\"{colour}\">{}</text>",
            points.join(" "),
            LEFT + WIDTH + 12.0,
            TOP + 16.0 * (n as f64 + 1.0),
            line.name
        );
    }
    out.push_str("</svg>\n");
    out
}
