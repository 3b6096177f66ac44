//! Chromium as a peer: a driver process, pages in its browser, and the link of each page to the suite.

mod driver;
mod server;

use std::fmt;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use fantoccini::wd::{WebDriverCompatibleCommand, WindowHandle};
use fantoccini::{Client, ClientBuilder};
use hyper_util::client::legacy::connect::HttpConnector;
use serde_json::{Map, Value, json};
use tokio::sync::{Mutex, MutexGuard};
use tokio::time::{Instant, sleep, timeout};
use url::Url;

use crate::failure::{Doing, Failure, Outcome};
use crate::peer::{Direction, Peer, Transcript, at};

pub use driver::{Tools, find_tools};
pub use server::PageServer;

use driver::Driver;

/// How long the browser may take to start, or to carry out one command.
const LIMIT: Duration = Duration::from_secs(30);
/// How long a page's peer may take to say that it is ready.
const READY: Duration = Duration::from_secs(15);

/// What a browser is started with; cases that agree on it share one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Flags {
    /// Hide the machine's addresses behind `.local` names, as a browser does for a page without camera access.
    pub mdns: bool,
}

impl Flags {
    fn arguments(self, profile: &Path) -> Vec<String> {
        let mut arguments: Vec<String> = [
            "--headless=new",
            "--no-sandbox",
            "--disable-gpu",
            "--disable-background-networking",
            "--disable-component-update",
            "--disable-sync",
            "--no-first-run",
            // Pages in the background are pages all the same.
            "--disable-background-timer-throttling",
            "--disable-renderer-backgrounding",
            "--disable-backgrounding-occluded-windows",
        ]
        .map(str::to_owned)
        .into();
        arguments.push(format!("--user-data-dir={}", profile.display()));
        if !self.mdns {
            arguments.push("--disable-features=WebRtcHideLocalIpsWithMdns".to_owned());
        }
        arguments
    }
}

impl fmt::Display for Flags {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(if self.mdns { "mDNS names on" } else { "mDNS names off" })
    }
}

/// One running browser. It is killed when this is dropped.
#[derive(Debug)]
pub struct Browser {
    /// One at a time: a WebDriver session has one current window.
    client: Mutex<Client>,
    /// The window that the session began with: closing the last would end the session.
    first: WindowHandle,
    version: String,
    driver: Mutex<Driver>,
}

impl Browser {
    /// Starts chromedriver and a browser with a fresh profile.
    pub async fn start(tools: &Tools, flags: Flags) -> Outcome<Arc<Self>> {
        let driver = Driver::start(tools, LIMIT).await?;
        let mut capabilities = Map::new();
        capabilities.insert(
            "goog:chromeOptions".to_owned(),
            json!({"args": flags.arguments(driver.profile()), "binary": tools.chromium}),
        );
        capabilities.insert("goog:loggingPrefs".to_owned(), json!({"browser": "ALL"}));
        let address = driver.address();
        let mut builder = ClientBuilder::new(HttpConnector::new());
        let client = timeout(LIMIT, builder.capabilities(capabilities).connect(&address))
            .await
            .doing(format_args!("Chromium did not start within {} s", LIMIT.as_secs()))?
            .doing("Chromium does not start")?;
        let word = |key| client.capabilities().and_then(|caps| caps.get(key)).and_then(Value::as_str).unwrap_or("?");
        let version = word("browserVersion").to_owned();
        let first = client.window().await?;
        Ok(Arc::new(Self { client: Mutex::new(client), first, version, driver: Mutex::new(driver) }))
    }

    /// The browser's version.
    pub fn version(&self) -> &str {
        &self.version
    }

    /// Opens a page with a peer in it.
    pub async fn peer(
        self: &Arc<Self>,
        server: &PageServer,
        name: &str,
        transcript: Transcript,
    ) -> Outcome<(Page, Peer)> {
        let (address, link) = server.invite();
        let page = self.page(&address).await?;
        let link = timeout(READY, link).await.doing("the page did not call back")?.doing("the page's link")?;
        let peer = Peer::new(name, link, transcript, READY).await?;
        Ok((page, peer))
    }

    /// Opens an address in a window of its own.
    pub async fn page(self: &Arc<Self>, address: &str) -> Outcome<Page> {
        let client = self.client.lock().await;
        let window = limited("a new window", client.new_window(false)).await?.handle;
        limited("a switch of windows", client.switch_to_window(window.clone())).await?;
        limited("the page", client.goto(address)).await?;
        drop(client);
        Ok(Page { browser: Arc::clone(self), window })
    }

    /// What the browser has logged since the last time.
    pub async fn log(&self) -> Outcome<Vec<Value>> {
        let client = self.client.lock().await;
        limited("a switch of windows", client.switch_to_window(self.first.clone())).await?;
        let entries = limited("the log", client.issue_cmd(Vendor::post("se/log", json!({"type": "browser"})))).await?;
        Ok(entries.as_array().cloned().unwrap_or_default())
    }

    /// Kills the browser and its driver as a crash would, without a word to any page.
    pub async fn kill(&self) {
        self.driver.lock().await.kill();
    }

    /// Ends the browser.
    pub async fn stop(&self) {
        let client = self.client.lock().await.clone();
        // Killed next in any case.
        let _ = timeout(Duration::from_secs(3), client.close()).await;
        self.driver.lock().await.stop().await;
    }
}

/// One window of a browser.
#[derive(Debug)]
pub struct Page {
    browser: Arc<Browser>,
    window: WindowHandle,
}

impl Page {
    /// The browser that it is in.
    pub fn browser(&self) -> &Arc<Browser> {
        &self.browser
    }

    async fn current(&self) -> Outcome<MutexGuard<'_, Client>> {
        let client = self.browser.client.lock().await;
        limited("a switch of windows", client.switch_to_window(self.window.clone())).await?;
        Ok(client)
    }

    /// Leaves the page for another address.
    pub async fn navigate(&self, address: &str) -> Outcome {
        let client = self.current().await?;
        limited("the address", client.goto(address)).await
    }

    /// Runs a script in the page and gives what it returns.
    pub async fn run(&self, script: &str, arguments: Vec<Value>) -> Outcome<Value> {
        let client = self.current().await?;
        limited("a script", client.execute(script, arguments)).await
    }

    /// Makes the page believe in a screen of this size, in CSS pixels.
    pub async fn screen(&self, width: u32, height: u32, phone: bool) -> Outcome {
        let client = self.current().await?;
        let scale = if phone { 2 } else { 1 };
        let metrics = json!({"width": width, "height": height, "deviceScaleFactor": scale, "mobile": phone});
        let command = json!({"cmd": "Emulation.setDeviceMetricsOverride", "params": metrics});
        limited("the screen's size", client.issue_cmd(Vendor::post("goog/cdp/execute", command))).await.map(drop)
    }

    /// Runs a script every now and then until what it returns counts as true, and gives that.
    pub async fn until(&self, what: &str, limit: Duration, script: &str) -> Outcome<Value> {
        let deadline = Instant::now() + limit;
        loop {
            let value = self.run(script, Vec::new()).await?;
            if !matches!(&value, Value::Null | Value::Bool(false)) {
                return Ok(value);
            }
            if Instant::now() > deadline {
                return Err(Failure::new(format!("expected within {} s: {what}", limit.as_secs())));
            }
            sleep(Duration::from_millis(50)).await;
        }
    }

    /// A picture of the whole page, as PNG.
    pub async fn picture(&self) -> Outcome<Vec<u8>> {
        let client = self.current().await?;
        let params = json!({"format": "png", "captureBeyondViewport": true});
        let command = Vendor::post("goog/cdp/execute", json!({"cmd": "Page.captureScreenshot", "params": params}));
        let picture = limited("a picture", client.issue_cmd(command)).await?;
        BASE64.decode(at(&picture, "/data").as_str().unwrap_or_default()).doing("a picture")
    }

    /// Closes the window.
    pub async fn close(self) -> Outcome {
        let client = self.current().await?;
        limited("closing a window", client.close_window()).await?;
        limited("a switch of windows", client.switch_to_window(self.browser.first.clone())).await
    }
}

/// A WebDriver command within the time limit.
async fn limited<T>(what: &str, command: impl Future<Output = Result<T, fantoccini::error::CmdError>>) -> Outcome<T> {
    timeout(LIMIT, command)
        .await
        .map_err(|_| Failure::new(format!("the browser did not answer {what} within {} s", LIMIT.as_secs())))?
        .doing(what)
}

/// A command of chromedriver's own.
#[derive(Debug)]
struct Vendor {
    path: &'static str,
    body: Value,
}

impl Vendor {
    fn post(path: &'static str, body: Value) -> Self {
        Self { path, body }
    }
}

impl WebDriverCompatibleCommand for Vendor {
    fn endpoint(&self, base: &Url, session: Option<&str>) -> Result<Url, url::ParseError> {
        base.join(&format!("session/{}/{}", session.unwrap_or_default(), self.path))
    }

    fn method_and_body(&self, _: &Url) -> (http::Method, Option<String>) {
        (http::Method::POST, Some(self.body.to_string()))
    }
}

/// Notes the browser's log in a transcript. Whether the browser still answers.
pub async fn note_log(browser: &Browser, transcript: &Transcript) -> bool {
    let entries = browser.log().await;
    match &entries {
        Ok(entries) => entries.iter().for_each(|entry| transcript.add(Direction::Log, &entry.to_string())),
        Err(failure) => transcript.add(Direction::Note, &format!("the browser's log cannot be had: {failure}")),
    }
    entries.is_ok()
}
