//! JUnit's XML, which CI systems read.

use std::fmt::Write as _;

use super::{Played, Report, Status};

impl Report {
    /// One test suite for each pair, one test case for each case.
    pub fn junit(&self) -> String {
        let mut xml = String::from("<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n");
        let failed = self.count(Status::Failed);
        let all = self.results.len();
        let _ = writeln!(
            xml,
            "<testsuites name=\"interop\" tests=\"{all}\" failures=\"{failed}\" time=\"{:.1}\">",
            self.seconds
        );
        for offerer in self.names() {
            for answerer in self.names() {
                let played: Vec<&Played> = self.of(offerer, answerer).collect();
                if !played.is_empty() {
                    suite(&mut xml, offerer, answerer, &played);
                }
            }
        }
        xml.push_str("</testsuites>\n");
        xml
    }
}

fn suite(xml: &mut String, offerer: &str, answerer: &str, played: &[&Played]) {
    let count = |status: &[Status]| played.iter().filter(|played| status.contains(&played.status)).count();
    let (failed, skipped) = (count(&[Status::Failed]), count(&[Status::Known, Status::Unsupported]));
    let seconds: f64 = played.iter().map(|played| played.seconds).sum();
    let _ = writeln!(
        xml,
        "<testsuite name=\"{offerer} with {answerer}\" tests=\"{}\" failures=\"{failed}\" skipped=\"{skipped}\" time=\"{seconds:.1}\">",
        played.len()
    );
    for one in played {
        let _ = write!(
            xml,
            "<testcase classname=\"{offerer}.{answerer}\" name=\"{}\" time=\"{:.1}\">",
            one.case, one.seconds
        );
        let remark = escaped(&one.remark);
        match one.status {
            Status::Passed => {}
            Status::Failed => {
                let _ = write!(xml, "<failure message=\"{remark}\">{}</failure>", escaped(one.about));
            }
            Status::Known => {
                let reason = escaped(one.reason.as_deref().unwrap_or_default());
                let _ = write!(xml, "<skipped message=\"known failure: {reason}\"/>");
            }
            Status::Unsupported => {
                let _ = write!(xml, "<skipped message=\"unsupported: {remark}\"/>");
            }
        }
        for lost in &one.lost {
            let (remark, reason) = (escaped(&lost.remark), escaped(&lost.reason));
            let _ = write!(xml, "<system-out>played again: {remark} ({reason})</system-out>");
        }
        xml.push_str("</testcase>\n");
    }
    xml.push_str("</testsuite>\n");
}

/// For text and attributes of XML and HTML; control characters, which XML cannot hold, become spaces.
pub(super) fn escaped(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&quot;"),
            '\n' | '\t' => out.push(c),
            c if c.is_control() => out.push(' '),
            c => out.push(c),
        }
    }
    out
}

#[cfg(test)]
mod tests {
    #[test]
    fn it_has_a_suite_for_each_pair_and_is_escaped() {
        let xml = super::super::tests::report().junit();
        assert_eq!(xml.matches("<testsuite ").count(), 3, "{xml}");
        assert!(xml.contains("<failure message=\"a &lt;remark&gt; &amp; &quot;more&quot;\">"), "{xml}");
        assert!(xml.contains("<skipped message=\"unsupported: "), "{xml}");
    }
}
