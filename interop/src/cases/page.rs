//! The page of `weft serve`, used as a visitor uses it.

use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use super::Case;
use crate::browser::{Browser, Page};
use crate::failure::{Doing, Failure, Outcome};
use crate::native::Server;
use crate::peer::{Direction, Transcript, at};
use crate::stage::{Setup, Stage};
use crate::{ensure, ensure_eq};

const CONNECT: Duration = Duration::from_secs(15);
const ANSWER: Duration = Duration::from_secs(5);
const TRANSFER: Duration = Duration::from_secs(40);
/// RFC 7675: consent expires after 30 s; a little for the timers.
const CONSENT: Duration = Duration::from_secs(35);

pub(super) fn cases() -> Vec<Case> {
    let case = |name, about, run| Case { weft_only: true, ..Case::new(name, about, Setup::PLAIN, run) };
    vec![
        case(
            "page/desktop",
            "On a desktop's screen the page connects, chats, and measures throughput and round trips, without errors.",
            |stage| Box::pin(visit(stage, Look { name: "desktop", width: 1280, height: 900, phone: false })),
        ),
        case("page/phone", "The same on a phone's screen, where nothing is wider than the screen.", |stage| {
            Box::pin(visit(stage, Look { name: "phone", width: 390, height: 844, phone: true }))
        }),
        Case {
            patient: true,
            limit: 2 * CONSENT,
            ..case(
                "page/visitor-killed",
                "When a visitor's browser is killed, the server lets go of the sockets.",
                |stage| Box::pin(vanish(stage)),
            )
        },
    ]
}

#[derive(Debug, Clone, Copy)]
struct Look {
    name: &'static str,
    width: u32,
    height: u32,
    phone: bool,
}

async fn serve(stage: &mut Stage) -> Outcome<Server> {
    let program = stage.weft()?;
    let transcript = stage.transcript("serve");
    Server::start(&program, &["serve", "--listen", "127.0.0.1:0"], transcript).await
}

async fn visit(stage: &mut Stage, look: Look) -> Outcome<String> {
    let server = serve(stage).await?;
    let browser = stage.browser().await?;
    // What earlier pages logged is not this one's.
    browser.log().await?;
    let page = browser.page("about:blank").await?;
    page.screen(look.width, look.height, look.phone).await?;
    page.navigate(server.address()).await?;
    let pictures = stage.env().out.join("browser-screenshots");
    let used = use_page(&page, &browser, look, &pictures).await;
    if used.is_err() {
        let transcript = stage.transcript("page");
        describe(&page, &transcript).await;
    }
    stage.keep_page(page);
    let remark = used?;
    server.interrupt(ANSWER).await?;
    Ok(remark)
}

/// What the page shows, for the person who looks for the reason of a failure.
async fn describe(page: &Page, transcript: &Transcript) {
    match page.run("return document.body.innerText", Vec::new()).await {
        Ok(text) => transcript.add(Direction::Note, &format!("the page shows:\n{}", text.as_str().unwrap_or_default())),
        Err(failure) => transcript.add(Direction::Note, &format!("the page cannot be read: {failure}")),
    }
}

async fn use_page(page: &Page, browser: &Arc<Browser>, look: Look, pictures: &Path) -> Outcome<String> {
    let picture = |when: &str| pictures.join(format!("{}-{when}.png", look.name));
    connected(page).await?;
    let mut setups = vec![text_of(page, "#setup-time").await?];
    keep(page, &picture("connected")).await?;
    chat(page, "Grüße, 世界 👋").await?;
    let download = throughput(page, "download").await?;
    let upload = throughput(page, "upload").await?;
    let median = round_trips(page).await?;
    keep(page, &picture("measured")).await?;

    // The other role, and candidates in the description.
    page.run(
        "document.querySelector('#offerer').value = 'native';
         document.querySelector('#trickle').value = 'no';
         document.querySelector('#reconnect').click();",
        Vec::new(),
    )
    .await?;
    connected(page).await?;
    setups.push(text_of(page, "#setup-time").await?);
    chat(page, "again").await?;

    let widths = page.run("return [document.documentElement.scrollWidth, innerWidth]", Vec::new()).await?;
    ensure!(
        at(&widths, "/0").as_u64() <= at(&widths, "/1").as_u64(),
        "the page is wider than the screen: {widths} CSS pixels"
    );
    let problem = page.run("return document.querySelector('#problem:not([hidden])')?.textContent", Vec::new()).await?;
    ensure!(problem.is_null(), "the page shows a problem: {problem}");
    let errors: Vec<Value> = browser.log().await?.into_iter().filter(|entry| at(entry, "/level") == "SEVERE").collect();
    ensure!(errors.is_empty(), "errors on the console: {}", Value::from(errors));

    page.run("document.querySelector('#disconnect').click()", Vec::new()).await?;
    let closed = "return document.querySelector('#state').dataset.state === 'closed'";
    page.until("the page says that it is disconnected", ANSWER, closed).await?;
    Ok(format!(
        "connected in {}; download {download:.0}, upload {upload:.0} MiB/s; round trip {median}",
        setups.join(" and ")
    ))
}

/// Until the page says that it is connected and can chat; fails at once when it says that it cannot.
async fn connected(page: &Page) -> Outcome {
    let script = "
        const { state } = document.querySelector('#state').dataset;
        const ready = !document.querySelector('#chat-send').disabled && !document.querySelector('#start-rtt').disabled
            && !document.querySelector('#start-download').disabled;
        if (state === 'connected' && ready) return state;
        return ['failed', 'closed', 'unsupported'].includes(state)
            ? `${state}: ${document.querySelector('#problem').textContent}` : null;";
    let state = page.until("the page says that it is connected, and lets its buttons be used", CONNECT, script).await?;
    ensure_eq!(state, "connected", "the page's state");
    Ok(())
}

async fn chat(page: &Page, text: &str) -> Outcome {
    let script = "
        window.answers = () => document.querySelectorAll('#chat-log li[data-from=peer]');
        window.answersBefore = answers().length;
        document.querySelector('#chat-input').value = arguments[0];
        document.querySelector('#chat-send').click();";
    page.run(script, vec![json!(text)]).await?;
    let answer = "return answers().length > answersBefore && answers()[answersBefore].textContent";
    let answer = page.until("an answer in the chat", ANSWER, answer).await?;
    ensure_eq!(answer, text, "the answer in the chat");
    Ok(())
}

/// One throughput test of 8 MiB; MiB/s.
async fn throughput(page: &Page, direction: &str) -> Outcome<f64> {
    let start = "
        document.querySelector('#throughput-amount').value = '8388608';
        document.querySelector(`#start-${arguments[0]}`).click();";
    page.run(start, vec![json!(direction)]).await?;
    let done = format!(
        "const {{ dataset }} = document.querySelector('#throughput-result');
         return dataset.direction === '{direction}' && ['ok', 'bad'].includes(dataset.status) && {{ ...dataset }};"
    );
    let result = page.until(&format!("a result of the {direction}"), TRANSFER, &done).await?;
    ensure_eq!(*at(&result, "/status"), "ok", "how the {direction} ended: {result}");
    ensure_eq!(*at(&result, "/bytes"), "8388608", "bytes of the {direction}");
    ensure_eq!(*at(&result, "/hashMatch"), "true", "hashes of the {direction} are equal");
    let rate: f64 = at(&result, "/mibps").as_str().unwrap_or_default().parse().doing("the rate that the page shows")?;
    ensure!(rate > 0.0 && rate.is_finite(), "the page shows {rate} MiB/s for the {direction}");
    Ok(rate)
}

/// The round-trip test, until 20 were answered; the median as the page shows it.
async fn round_trips(page: &Page) -> Outcome<String> {
    page.run("document.querySelector('#start-rtt').click()", Vec::new()).await?;
    let enough = "return Number(document.querySelector('#rtt-count').dataset.answered) >= 20";
    page.until("20 answered round trips", ANSWER, enough).await?;
    page.run("document.querySelector('#stop-rtt').click()", Vec::new()).await?;
    let done = "return document.querySelector('#rtt-count').dataset.status === 'ok'";
    page.until("a result of the round-trip test", ANSWER, done).await?;
    for id in ["#rtt-last", "#rtt-p50", "#rtt-p95"] {
        let text = text_of(page, id).await?;
        let number = text.split_whitespace().next().and_then(|number| number.parse::<f64>().ok());
        ensure!(number.is_some_and(|ms| ms > 0.0 && ms < 1000.0), "{id} shows {text:?}, no round-trip time");
    }
    text_of(page, "#rtt-p50").await
}

async fn text_of(page: &Page, selector: &str) -> Outcome<String> {
    let text = page.run("return document.querySelector(arguments[0])?.textContent", vec![json!(selector)]).await?;
    text.as_str().map(str::to_owned).ok_or_else(|| Failure::new(format!("the page has no {selector}")))
}

async fn keep(page: &Page, path: &Path) -> Outcome {
    let picture = page.picture().await?;
    if let Some(folder) = path.parent() {
        tokio::fs::create_dir_all(folder).await?;
    }
    tokio::fs::write(path, picture).await.doing(path.display())
}

async fn vanish(stage: &mut Stage) -> Outcome<String> {
    let server = serve(stage).await?;
    let before = server.udp_sockets().await;
    stage.own_browser().await?;
    let browser = stage.browser().await?;
    let page = browser.page(server.address()).await?;
    connected(&page).await?;
    let during = server.udp_sockets().await;
    ensure!(
        before.is_none() || during > before,
        "the server holds {during:?} UDP sockets with a visitor, {before:?} without"
    );
    browser.kill().await;
    let killed = Instant::now();
    while server.udp_sockets().await > before {
        ensure!(
            killed.elapsed() < CONSENT,
            "{:?} UDP sockets still open {} s after the visitor's death, {before:?} before",
            server.udp_sockets().await,
            CONSENT.as_secs()
        );
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    let took = killed.elapsed();
    server.interrupt(ANSWER).await?;
    Ok(format!("released after {:.1} s", took.as_secs_f64()))
}
