//! The outcome, for people and for programs.

use std::fmt::Write as _;

use serde_json::json;

use super::{
    check::{Checked, Outcome, Row},
    ledger::Reason,
};

/// The table of counts.
pub(crate) fn table(outcome: &Outcome) -> String {
    let rows: Vec<Row> = outcome.rfcs.iter().map(Checked::row).collect();
    let mut out = format!("{:<8} {:>5} {:>7}", "RFC", "MUSTs", "tested");
    for reason in Reason::ALL {
        let _ = write!(out, " {:>11}", reason.name());
    }
    let _ = writeln!(out, " {:>5} {:>10}  title", "open", "SHOULDs");
    let mut sum = Row::default();
    for row in &rows {
        line(&mut out, &row.rfc.to_string(), row);
        sum.total += row.total;
        sum.tested += row.tested;
        sum.open += row.open;
        sum.should_total += row.should_total;
        sum.should_tested += row.should_tested;
        for (name, count) in &row.reasons {
            *sum.reasons.entry(name).or_default() += count;
        }
    }
    line(&mut out, "all", &sum);
    out
}

fn line(out: &mut String, name: &str, row: &Row) {
    let _ = write!(out, "{name:<8} {:>5} {:>7}", row.total, row.tested);
    for reason in Reason::ALL {
        let _ = write!(out, " {:>11}", row.reasons.get(reason.name()).unwrap_or(&0));
    }
    let should = format!("{}/{}", row.should_tested, row.should_total);
    let _ = writeln!(out, " {:>5} {should:>10}  {}", row.open, row.title);
}

/// One object: the counts of each RFC, what is open, what is wrong.
pub(crate) fn json(outcome: &Outcome, ok: bool) -> String {
    let rfcs: Vec<_> = outcome
        .rfcs
        .iter()
        .map(|c| {
            let requirements: Vec<_> = (0..c.ledger.requirements.len()).filter_map(|i| entry(c, i)).collect();
            json!({ "counts": c.row(), "requirements": requirements })
        })
        .collect();
    json!({ "ok": ok, "rfcs": rfcs, "faults": outcome.faults }).to_string()
}

fn entry(checked: &Checked, i: usize) -> Option<serde_json::Value> {
    let r = checked.ledger.requirements.get(i)?;
    let reason = checked.ledger.reason(r);
    Some(json!({
        "id": r.id, "section": r.section, "level": r.level, "text": r.text,
        "tests": checked.tests.get(&i).cloned().unwrap_or_default(),
        "reason": reason.map(|r| r.0), "note": reason.map(|r| r.1),
    }))
}

/// Everything as Markdown: the table, then each requirement with its tests or its reason.
pub(crate) fn markdown(outcome: &Outcome) -> String {
    let mut out = format!("# Conformance\n\n```text\n{}```\n", table(outcome));
    for checked in &outcome.rfcs {
        let _ = writeln!(out, "\n## RFC {}: {}\n", checked.ledger.rfc, checked.ledger.title);
        for i in 0..checked.ledger.requirements.len() {
            let _ = writeln!(out, "- {}", describe(checked, i));
        }
    }
    out
}

/// One requirement and what is known of it.
pub(crate) fn describe(checked: &Checked, i: usize) -> String {
    let Some(r) = checked.ledger.requirements.get(i) else { return String::new() };
    let state = match (checked.tests.get(&i), checked.ledger.reason(r)) {
        (Some(tests), _) => format!("tested by {}", tests.join(", ")),
        (None, Some((reason, note))) => format!("{reason}: {note}"),
        (None, None) if r.level.binds() => "open".to_owned(),
        (None, None) => "not tested".to_owned(),
    };
    format!("{} {}: {}\n  -> {state}", r.id, r.level.name(), r.text)
}
