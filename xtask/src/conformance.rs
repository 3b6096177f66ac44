//! `cargo xtask conformance`: the requirement ledger (conformance/ledger/README.md).

mod check;
mod citations;
mod extract;
mod ledger;
mod report;

use std::{fs, path::PathBuf};

use clap::{Args, Subcommand};

use self::ledger::{Ledger, Reason, SectionReason, within};
use crate::{Outcome, Result, shell};

#[derive(Args)]
pub(crate) struct Command {
    #[command(subcommand)]
    action: Option<Action>,
    /// Also write every requirement with its tests or reason, as Markdown.
    #[arg(long, value_name = "FILE")]
    report: Option<PathBuf>,
    /// Print one JSON object instead of the table.
    #[arg(long)]
    json: bool,
    /// Run the impairment matrix instead: data channels over every kind of bad network, with many seeds.
    #[arg(long)]
    soak: bool,
    /// With `--soak`: seeds of each cell.
    #[arg(long, requires = "soak", default_value_t = 20)]
    seeds: u64,
    /// With `--soak`: only this seed.
    #[arg(long, requires = "soak")]
    seed: Option<u64>,
    /// With `--soak`: only cells whose name holds this, such as `loss=30` or `mtu=576`.
    #[arg(long, requires = "soak", value_name = "TEXT")]
    cell: Option<String>,
}

#[derive(Subcommand)]
enum Action {
    /// Make or renew the ledgers of RFCs from their plain text.
    Extract {
        #[arg(long, required = true, num_args = 1.., value_name = "FILE")]
        rfc: Vec<PathBuf>,
    },
    /// List what has neither test nor reason.
    Todo(Pick),
    /// List every requirement with its tests or reason.
    List(Pick),
    /// Give a reason to requirements or to a section with all below it.
    Mark {
        #[command(flatten)]
        target: Target,
        /// Mark what is untriaged and holds these words.
        #[arg(long, value_name = "WORDS")]
        contains: Option<String>,
        #[arg(long)]
        reason: Reason,
        #[arg(long)]
        note: String,
    },
    /// Take reasons back.
    Unmark {
        #[command(flatten)]
        target: Target,
    },
}

#[derive(Args)]
struct Pick {
    /// Such as `rfc9260` or `9260`.
    rfc: String,
    /// Only this section and those below it.
    #[arg(long)]
    section: Option<String>,
}

#[derive(Args)]
struct Target {
    /// Such as `rfc9260` or `9260`.
    #[arg(long)]
    rfc: String,
    #[arg(long)]
    section: Option<String>,
    #[arg(long)]
    id: Vec<String>,
}

impl Command {
    /// The check alone, as `ci` runs it.
    pub(crate) const fn check(json: bool) -> Self {
        Self { action: None, report: None, json, soak: false, seeds: 0, seed: None, cell: None }
    }

    pub(crate) fn run(self) -> Result<Outcome> {
        match self.action {
            None if self.soak => self.run_soak(),
            None => verify(self.report, self.json),
            Some(Action::Extract { rfc }) => renew(&rfc),
            Some(Action::Todo(pick)) => show(&pick, true),
            Some(Action::List(pick)) => show(&pick, false),
            Some(Action::Mark { target, contains, reason, note }) => mark(target, contains.as_deref(), reason, &note),
            Some(Action::Unmark { target }) => unmark(&target),
        }
    }
}

impl Command {
    /// The program prints its own progress and summary.
    fn run_soak(&self) -> Result<Outcome> {
        let mut cargo = shell::cargo();
        cargo.args(["run", "--quiet", "--release", "-p", "weft-conformance", "--bin", "impairment", "--"]);
        cargo.args(["--seeds", &self.seeds.to_string()]);
        if let Some(seed) = self.seed {
            cargo.args(["--seed", &seed.to_string()]);
        }
        if let Some(cell) = &self.cell {
            cargo.args(["--cell", cell]);
        }
        if self.json {
            cargo.arg("--json");
        }
        let ok = cargo.status()?.success();
        Ok(Outcome::new(ok, "the impairment matrix".to_owned()))
    }
}

fn verify(report: Option<PathBuf>, json: bool) -> Result<Outcome> {
    let outcome = check::run()?;
    let open: Vec<String> =
        outcome.rfcs.iter().flat_map(|c| c.open().map(|i| report::describe(c, i)).collect::<Vec<_>>()).collect();
    let ok = open.is_empty() && outcome.faults.is_empty();
    if let Some(file) = report {
        fs::write(file, report::markdown(&outcome))?;
    }
    if json {
        println!("{}", report::json(&outcome, ok));
    } else {
        print!("{}", report::table(&outcome));
        for fault in &outcome.faults {
            println!("error: {fault}");
        }
        if !open.is_empty() {
            println!(
                "error: {} requirements have neither test nor reason; `conformance todo RFC` lists them",
                open.len()
            );
        }
    }
    let tested: usize = outcome.rfcs.iter().map(|c| c.row().tested).sum();
    let total: usize = outcome.rfcs.iter().map(|c| c.row().total).sum();
    Ok(Outcome::new(ok, format!("{} RFCs, {total} requirements, {tested} tested", outcome.rfcs.len())))
}

fn renew(texts: &[PathBuf]) -> Result<Outcome> {
    for path in texts {
        let text = fs::read_to_string(path).map_err(|e| format!("{}: {e}", path.display()))?;
        let rfc = text.lines().find_map(|l| l.strip_prefix("Request for Comments:"));
        let rfc = rfc.and_then(|r| r.split_whitespace().next()).ok_or("not the plain text of an RFC")?;
        let old = Ledger::load(number(rfc)?)?;
        let (ledger, changes) = extract::extract(&text, old).map_err(|e| format!("{}: {e}", path.display()))?;
        let file = ledger.save()?;
        println!("{}: {} kept, {} new", file.display(), changes.kept, changes.added);
        for lost in changes.lost {
            println!("  gone, with its reason: {lost}");
        }
    }
    Ok(Outcome::new(true, format!("{} ledgers written", texts.len())))
}

fn number(rfc: &str) -> Result<u32> {
    let digits = rfc.trim_start_matches("rfc").trim_start_matches("RFC").trim();
    digits.parse().map_err(|_| format!("`{rfc}` is no RFC").into())
}

fn show(pick: &Pick, only_open: bool) -> Result<Outcome> {
    let rfc = number(&pick.rfc)?;
    let outcome = check::run()?;
    let checked = outcome.rfcs.iter().find(|c| c.ledger.rfc == rfc).ok_or("no ledger for this RFC")?;
    let in_section = |i: &usize| {
        let requirement = checked.ledger.requirements.get(*i);
        requirement.is_some_and(|r| pick.section.as_ref().is_none_or(|s| within(&r.section, s)))
    };
    let all: Vec<usize> =
        if only_open { checked.open().collect() } else { (0..checked.ledger.requirements.len()).collect() };
    let shown: Vec<usize> = all.into_iter().filter(in_section).collect();
    for &i in &shown {
        println!("{}", report::describe(checked, i));
    }
    Ok(Outcome::new(true, format!("{} {}", shown.len(), if only_open { "open" } else { "requirements" })))
}

fn mark(target: Target, contains: Option<&str>, reason: Reason, note: &str) -> Result<Outcome> {
    if note.trim().is_empty() {
        return Err("a reason needs a note".into());
    }
    let rfc = number(&target.rfc)?;
    let mut ledger = Ledger::load(rfc)?.ok_or("no ledger for this RFC")?;
    let mut ids = target.id;
    if let Some(words) = contains {
        let outcome = check::run()?;
        let checked = outcome.rfcs.iter().find(|c| c.ledger.rfc == rfc).ok_or("no ledger for this RFC")?;
        let open = checked.open().filter_map(|i| checked.ledger.requirements.get(i));
        let of_section = open.filter(|r| target.section.as_ref().is_none_or(|s| within(&r.section, s)));
        ids.extend(of_section.filter(|r| r.text.contains(words)).map(|r| r.id.clone()));
    } else if let Some(section) = target.section {
        if !ledger.requirements.iter().any(|r| within(&r.section, &section)) {
            return Err(format!("section {section} holds no requirement").into());
        }
        ledger.sections.retain(|s| s.section != section);
        ledger.sections.push(SectionReason { section: section.clone(), reason, note: note.to_owned() });
        ledger.save()?;
        return Ok(Outcome::new(true, format!("section {section}: {reason}")));
    }
    for id in &ids {
        let r = ledger.requirements.iter_mut().find(|r| r.id == *id).ok_or_else(|| format!("no requirement {id}"))?;
        r.reason = Some(reason);
        r.note = Some(note.to_owned());
        println!("{}: {}", r.id, r.text);
    }
    ledger.save()?;
    Ok(Outcome::new(!ids.is_empty(), format!("{} marked {reason}", ids.len())))
}

fn unmark(target: &Target) -> Result<Outcome> {
    let mut ledger = Ledger::load(number(&target.rfc)?)?.ok_or("no ledger for this RFC")?;
    let mut count = ledger.sections.len();
    ledger.sections.retain(|s| target.section.as_ref() != Some(&s.section));
    count -= ledger.sections.len();
    for r in ledger.requirements.iter_mut().filter(|r| target.id.contains(&r.id)) {
        count += usize::from(r.reason.take().is_some());
        r.note = None;
    }
    ledger.save()?;
    Ok(Outcome::new(count > 0, format!("{count} reasons taken back")))
}
