use std::collections::BTreeSet;
use std::time::Duration;

use weft_interop::cases;
use weft_interop::report::{CaseResult, FailureReport, Report};

fn result(name: &str, failure: Option<&str>) -> CaseResult {
    let failure = failure.map(|message| FailureReport {
        message: message.to_owned(),
        state: String::new(),
        descriptions: vec![("browser offer".to_owned(), "v=0\r\n".to_owned())],
        last_lines: vec![("native".to_owned(), "a line\n".to_owned())],
        folder: None,
    });
    let passed = failure.is_none();
    CaseResult { name: name.to_owned(), about: "It works.", passed, seconds: 1.0, remark: String::new(), failure }
}

fn report(cases: Vec<CaseResult>) -> Report {
    Report::new("Chromium 1".to_owned(), "Weft".to_owned(), Duration::from_secs(2), cases)
}

#[test]
fn one_failure_fails_the_run_and_no_case_is_no_success() {
    assert!(report(vec![result("a", None)]).passed);
    assert!(!report(vec![result("a", None), result("b", Some("why"))]).passed);
    assert!(!report(Vec::new()).passed);
}

#[test]
fn a_failure_is_told_with_everything_known_of_it() {
    let text = report(vec![result("family/one", None), result("family/two", Some("expected this"))]).table();
    for part in ["1 passed, 1 failed", "──── family/two", "It works.", "expected this", "    v=0\n", "    a line"]
    {
        assert!(text.contains(part), "{part} in\n{text}");
    }
    assert!(!text.contains("──── family/one"));
}

#[test]
fn every_case_has_a_name_of_its_own() {
    let cases = cases::browser();
    let names: BTreeSet<&str> = cases.iter().map(|case| case.name.as_str()).collect();
    assert_eq!(names.len(), cases.len());
    assert!(names.iter().all(|name| name.split('/').count() >= 2), "{names:?}");
}
