//! Holds the ledger against the tests.

use std::collections::BTreeMap;

use serde::Serialize;

use super::{
    citations::{self, Citation},
    ledger::{Ledger, Reason},
};
use crate::Result;

/// One RFC with the tests found for it.
pub(crate) struct Checked {
    pub(crate) ledger: Ledger,
    /// The tests of each requirement, by its index in the ledger.
    pub(crate) tests: BTreeMap<usize, Vec<String>>,
}

/// The counts of one RFC. All but the last two count MUST and MUST NOT alone.
#[derive(Default, Serialize)]
pub(crate) struct Row {
    pub(crate) rfc: u32,
    pub(crate) title: String,
    pub(crate) total: usize,
    pub(crate) tested: usize,
    pub(crate) reasons: BTreeMap<&'static str, usize>,
    pub(crate) open: usize,
    pub(crate) should_total: usize,
    pub(crate) should_tested: usize,
}

/// The whole outcome.
pub(crate) struct Outcome {
    pub(crate) rfcs: Vec<Checked>,
    pub(crate) faults: Vec<String>,
}

impl Checked {
    pub(crate) fn row(&self) -> Row {
        let mut row = Row { rfc: self.ledger.rfc, title: self.ledger.title.clone(), ..Row::default() };
        row.reasons = Reason::ALL.iter().map(|r| (r.name(), 0)).collect();
        for (i, r) in self.ledger.requirements.iter().enumerate() {
            let tested = self.tests.contains_key(&i);
            if !r.level.binds() {
                row.should_total += 1;
                row.should_tested += usize::from(tested);
                continue;
            }
            row.total += 1;
            match self.ledger.reason(r) {
                _ if tested => row.tested += 1,
                Some((reason, _)) => *row.reasons.entry(reason.name()).or_default() += 1,
                None => row.open += 1,
            }
        }
        row
    }

    /// Indices of the requirements that have neither test nor reason.
    pub(crate) fn open(&self) -> impl Iterator<Item = usize> {
        self.ledger.requirements.iter().enumerate().filter_map(|(i, r)| {
            let open = r.level.binds() && !self.tests.contains_key(&i) && self.ledger.reason(r).is_none();
            open.then_some(i)
        })
    }
}

/// Reads the ledgers and the sources and matches them.
pub(crate) fn run() -> Result<Outcome> {
    let (found, mut faults) = citations::scan()?;
    let mut rfcs: Vec<Checked> =
        Ledger::load_all()?.into_iter().map(|ledger| Checked { ledger, tests: BTreeMap::new() }).collect();
    for citation in found {
        let Some(rfc) = rfcs.iter_mut().find(|r| r.ledger.rfc == citation.rfc) else {
            faults.push(format!("{}: no ledger for RFC {}", citation.place, citation.rfc));
            continue;
        };
        note(rfc, citation, &mut faults);
    }
    for rfc in &rfcs {
        faults.extend(rfc.ledger.faults());
        for (i, r) in rfc.ledger.requirements.iter().enumerate() {
            if let (Some(tests), Some(reason)) = (rfc.tests.get(&i), r.reason) {
                let test = tests.first().map_or("", String::as_str);
                faults.push(format!("{}: has the reason `{reason}`, but {test} tests it: remove one of them", r.id));
            }
        }
    }
    Ok(Outcome { rfcs, faults })
}

fn note(rfc: &mut Checked, citation: Citation, faults: &mut Vec<String>) {
    match citations::resolve(&citation, &rfc.ledger) {
        Ok(indices) => {
            let Some(test) = citation.test else { return };
            for i in indices {
                let tests = rfc.tests.entry(i).or_default();
                if !tests.contains(&test) {
                    tests.push(test.clone());
                }
            }
        }
        Err(why) => faults.push(format!("{}: {why}", citation.place)),
    }
}
