//! One side is gone without a word.

use std::time::Duration;

use super::Case;
use crate::failure::Outcome;
use crate::matrix::table::{Setup, Table, say};
use crate::pair::{Pair, Role};

pub(super) const CASES: &[Case] = &[
    Case::new("death/of-answerer", ABOUT, |table| Box::pin(death(table, Role::Answerer))),
    Case::new("death/of-offerer", ABOUT, |table| Box::pin(death(table, Role::Offerer))),
];

const ABOUT: &str = "One side's container is killed: the other says so while consent runs out (RFC 7675: 30 s).";
/// Consent, and a little for the timers.
const CONSENT: Duration = Duration::from_secs(40);

async fn death(table: &mut Table<'_>, victim: Role) -> Outcome<String> {
    let survivor = victim.other();
    let (pair, handles) = table.connected(Setup::default()).await?;
    say(pair, &handles, "alive").await?;
    let died = table.kill(victim).await?;
    let pair = table.pair()?;
    let notices = |pair: &Pair| {
        let connection = ["disconnected", "failed", "closed"].contains(&pair.view(survivor).state("connection"));
        let channel = pair.view(survivor).channel(handles.at(survivor))?.is_closed();
        (connection || channel).then_some(())
    };
    pair.until(&format!("the {survivor:?} notices that the other is dead"), CONSENT, notices).await?;
    Ok(format!("noticed after {:.1} s", died.elapsed().as_secs_f64()))
}
