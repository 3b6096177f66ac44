//! One page that holds everything: nothing is fetched.

use std::fmt::Write as _;

use base64::Engine as _;

use super::junit::escaped;
use super::terminal::cell;
use super::{Failed, Played, Report, Status};

const STYLE: &str = "\
:root{color-scheme:light dark;--good:#1a7f37;--bad:#cf222e;--mild:#9a6700;--none:#6e7781;--line:#8884}\
body{font:15px/1.45 system-ui,sans-serif;margin:2rem auto;max-width:76rem;padding:0 1rem}\
h1{font-size:1.5rem}h2{font-size:1.15rem;margin-top:2.2rem;border-bottom:1px solid var(--line)}\
.wide{overflow-x:auto}table{border-collapse:collapse}th,td{border:1px solid var(--line);padding:.25rem .6rem;text-align:left;vertical-align:top}\
td a{color:inherit;text-decoration:none}.passed{color:var(--good)}.failed{color:var(--bad);font-weight:600}\
.known{color:var(--mild)}.unsupported{color:var(--none)}pre{overflow-x:auto;font-size:12px;max-height:30rem;border:1px solid var(--line);padding:.5rem}\
summary{cursor:pointer}td.n{text-align:right;font-variant-numeric:tabular-nums}";

impl Report {
    /// The page.
    pub fn html(&self) -> String {
        let mut html = String::from("<!doctype html><html lang=en><meta charset=utf-8>");
        html.push_str("<meta name=viewport content=\"width=device-width,initial-scale=1\"><title>WebRTC data channels: interop</title>");
        let _ = write!(html, "<style>{STYLE}</style><h1>WebRTC data channels: who works with whom</h1>");
        let [passed, failed, known, unsupported] =
            [Status::Passed, Status::Failed, Status::Known, Status::Unsupported].map(|status| self.count(status));
        let _ = write!(
            html,
            "<p>{} · <code>cargo xtask interop {}</code> · {:.0} s</p><p><span class=passed>{passed} passed</span>, \
             <span class=failed>{failed} failed</span>, <span class=known>{known} known failures</span>, \
             <span class=unsupported>{unsupported} unsupported</span></p>",
            self.date,
            escaped(&self.command),
            self.seconds
        );
        self.matrix_table(&mut html);
        html.push_str("<h2>Versions</h2><table>");
        for (name, version) in &self.versions {
            let _ = write!(html, "<tr><th>{name}<td>{}", escaped(version));
        }
        html.push_str("</table>");
        for offerer in self.names() {
            for answerer in self.names() {
                let played: Vec<&Played> = self.of(offerer, answerer).collect();
                if !played.is_empty() {
                    pair(&mut html, offerer, answerer, &played);
                }
            }
        }
        html
    }

    fn matrix_table(&self, html: &mut String) {
        html.push_str("<div class=wide><table><tr><th>offers ↓ answers →");
        for name in self.names() {
            let _ = write!(html, "<th>{name}");
        }
        for offerer in self.names() {
            let _ = write!(html, "<tr><th>{offerer}");
            for answerer in self.names() {
                let worst = self.of(offerer, answerer).map(|played| played.status).max_by_key(|status| rank(*status));
                let class = worst.map_or("", class);
                let text = cell(self.of(offerer, answerer));
                let _ = write!(html, "<td class={class:?}><a href=\"#{offerer}-{answerer}\">{text}</a>");
            }
        }
        html.push_str("</table></div><p>Passed of played; u: unsupported, k: known failures, F: failures.</p>");
    }
}

fn rank(status: Status) -> usize {
    match status {
        Status::Unsupported => 0,
        Status::Passed => 1,
        Status::Known => 2,
        Status::Failed => 3,
    }
}

fn class(status: Status) -> &'static str {
    match status {
        Status::Passed => "passed",
        Status::Failed => "failed",
        Status::Known => "known",
        Status::Unsupported => "unsupported",
    }
}

fn pair(html: &mut String, offerer: &str, answerer: &str, played: &[&Played]) {
    let _ = write!(
        html,
        "<h2 id=\"{offerer}-{answerer}\">{offerer} offers, {answerer} answers</h2><div class=wide><table>"
    );
    html.push_str("<tr><th>case<th>result<th>seconds<th>remark");
    for one in played {
        let status = one.status;
        let _ = write!(
            html,
            "<tr><td title=\"{}\">{}<td class={}>{}<td class=n>{:.1}<td>{}",
            escaped(one.about),
            one.case,
            class(status),
            status.word(),
            one.seconds,
            escaped(&one.remark)
        );
        if let Some(reason) = &one.reason {
            let _ = write!(html, "<br>Known: {}", escaped(reason));
        }
        if let Some(failed) = &one.failure {
            details(html, one, failed);
        }
        for lost in &one.lost {
            let _ = write!(html, "<br>Played again: {} ({})", escaped(&lost.remark), escaped(&lost.reason));
            details(html, one, &lost.failure);
        }
    }
    html.push_str("</table></div>");
}

fn details(html: &mut String, one: &Played, failed: &Failed) {
    let mut fold = |title: &str, text: &str| {
        let _ = write!(html, "<details><summary>{}</summary><pre>{}</pre></details>", escaped(title), escaped(text));
    };
    fold("must hold", one.about);
    fold("where both sides stood", &failed.state);
    for (who, sdp) in &failed.descriptions {
        fold(&format!("SDP, {who}"), sdp);
    }
    for (who, lines) in &failed.transcripts {
        fold(&format!("log, {who} (> told, < said, | logged, # remark)"), lines);
    }
    match &failed.capture {
        Some(bytes) => {
            let name = format!("{}-{}-{}.pcap", one.offerer, one.answerer, one.case.replace('/', "-"));
            let data = base64::engine::general_purpose::STANDARD.encode(bytes);
            let size = bytes.len() / 1024;
            let _ = write!(
                html,
                "<a download=\"{name}\" href=\"data:application/vnd.tcpdump.pcap;base64,{data}\">packet capture ({size} KiB)</a>"
            );
        }
        None => html.push_str("<p>no packet capture: tcpdump is missing, or may not"),
    }
}

#[cfg(test)]
mod tests {
    #[test]
    fn the_page_holds_logs_descriptions_and_capture_and_fetches_nothing() {
        let html = super::super::tests::report().html();
        for part in ["id=\"weft-pion\"", "SDP, weft: offer", "&lt;/script&gt;", "base64,1MM=", "aiortc 2"] {
            assert!(html.contains(part), "no {part:?} in {html}");
        }
        for fetched in ["http://", "https://", "src=", "<link", "<script"] {
            assert!(!html.contains(fetched), "{fetched:?} in the page");
        }
    }
}
