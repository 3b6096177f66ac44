//! The browser is gone without a word: the native side notices while consent runs out, and lets go of everything.

use std::time::{Duration, Instant};

use super::Case;
use crate::failure::Outcome;
use crate::matrix::table::say;
use crate::pair::Pair;
use crate::peer::{ChannelInit, Command, at};
use crate::stage::{Setup, Stage};
use crate::{ensure, ensure_eq};

const CONNECT: Duration = Duration::from_secs(15);
/// RFC 7675: consent expires after 30 s; a little for the timers.
const CONSENT: Duration = Duration::from_secs(35);
const RELEASE: Duration = Duration::from_secs(5);

pub(super) fn cases() -> Vec<Case> {
    let case =
        |name, about, run| Case { patient: true, limit: 2 * CONSENT, ..Case::new(name, about, Setup::PLAIN, run) };
    vec![
        case("death/page-left", "The page is left for another address.", |stage| Box::pin(death(stage, End::Leave))),
        case("death/window-closed", "The window is closed.", |stage| Box::pin(death(stage, End::Close))),
        case("death/browser-killed", "The browser's processes are killed.", |stage| Box::pin(death(stage, End::Kill))),
    ]
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum End {
    Leave,
    Close,
    Kill,
}

async fn death(stage: &mut Stage, end: End) -> Outcome<String> {
    let (browser, native) = (stage.browser_role(), stage.native_role());
    if end == End::Kill {
        stage.own_browser().await?;
    }
    let pair = stage.seat().await?;
    let handles = pair.connect(&ChannelInit { handle: "d", label: "d", ..ChannelInit::default() }, CONNECT).await?;
    say(pair, &handles, "alive").await?;
    let connected = |pair: &Pair| (pair.view(native).state("connection") == "connected").then_some(());
    pair.until("the native side connected", CONNECT, connected).await?;
    pair.let_die(browser);

    let page = stage.take_page()?;
    let died = Instant::now();
    match end {
        End::Leave => {
            page.navigate("about:blank").await?;
            stage.keep_page(page);
        }
        End::Close => page.close().await?,
        End::Kill => page.browser().kill().await,
    }

    let pair = stage.pair()?;
    let one_of = |states: &'static [&'static str]| {
        move |pair: &Pair| states.contains(&pair.view(native).state("connection")).then_some(())
    };
    let doubt = one_of(&["disconnected", "failed", "closed"]);
    pair.until("the native side says disconnected, failed or closed", CONSENT, doubt).await?;
    let doubted = died.elapsed();
    let over = one_of(&["failed", "closed"]);
    pair.until("the native side says failed or closed", CONSENT.saturating_sub(doubted), over).await?;
    let over = died.elapsed();

    let peer = pair.peer(native);
    peer.ask(Command::new("close")).await?;
    let stats = peer.stats().await?;
    let state_of_channel = at(stats, &format!("/channels/{}/state", handles.at(native)));
    ensure_eq!(*state_of_channel, "closed", "state of the channel after close in {stats}");
    let released = Instant::now();
    while let Some(held) = match stage.process() {
        Some(process) => process.udp_sockets().await.filter(|held| *held > 0),
        None => None,
    } {
        ensure!(released.elapsed() < RELEASE, "{held} UDP sockets are still open 5 s after the connection was closed");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    Ok(format!("in doubt after {:.1} s, over after {:.1} s", doubted.as_secs_f64(), over.as_secs_f64()))
}
