//! What a case plays on: browsers, the native side, and everything that has to be cleared away after it.

use std::collections::HashMap;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::Mutex;

use crate::browser::{Browser, Flags, Page, PageServer, Tools, note_log};
use crate::engine::Engine;
use crate::failure::{Failure, Outcome};
use crate::native::Process;
use crate::pair::{Pair, Role};
use crate::peer::{Command, Peer, Transcript};

/// How long a peer may take to end in an orderly way.
const QUIT: Duration = Duration::from_secs(5);

/// Who sits in the native seat.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Native {
    /// The `weft` command at this path.
    Weft(PathBuf),
    /// A second page: what fails then is the suite's fault or the browser's, not Weft's.
    Chromium,
}

/// What all cases of a run share.
#[derive(Debug)]
pub struct Env {
    /// The programs.
    pub tools: Tools,
    /// The pages' server.
    pub server: PageServer,
    /// Who is tested.
    pub native: Native,
    /// The Godot engine of the cases that have one.
    pub engine: Option<Engine>,
    /// Where the folders of pictures and transcripts go.
    pub out: PathBuf,
    browsers: Mutex<HashMap<Flags, Arc<Browser>>>,
}

impl Env {
    /// Starts what every case needs.
    pub async fn start(tools: Tools, native: Native, engine: Option<Engine>, out: PathBuf) -> Outcome<Self> {
        Ok(Self { tools, server: PageServer::start().await?, native, engine, out, browsers: Mutex::default() })
    }

    /// The browser with these flags, which is started when it is not there yet.
    pub async fn browser(&self, flags: Flags) -> Outcome<Arc<Browser>> {
        let mut browsers = self.browsers.lock().await;
        if let Some(browser) = browsers.get(&flags) {
            return Ok(Arc::clone(browser));
        }
        let browser = Browser::start(&self.tools, flags).await?;
        browsers.insert(flags, Arc::clone(&browser));
        Ok(browser)
    }

    /// Ends the browser with these flags, which answers no more; the next case gets a new one.
    async fn forget(&self, flags: Flags) {
        if let Some(browser) = self.browsers.lock().await.remove(&flags) {
            browser.stop().await;
        }
    }

    /// Ends all browsers.
    pub async fn stop(&self) {
        for (_, browser) in self.browsers.lock().await.drain() {
            browser.stop().await;
        }
    }
}

/// How a case is set up.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Setup {
    /// Whether the browser makes the offer.
    pub browser_offers: bool,
    /// Whether candidates travel apart from the descriptions.
    pub trickle: bool,
    /// The browser's flags.
    pub flags: Flags,
    /// After how many records the native side changes its DTLS keys; as it likes when `None`.
    pub records_per_key: Option<u32>,
}

impl Setup {
    /// The plain one: the browser offers, candidates trickle, addresses are hidden.
    pub const PLAIN: Self =
        Self { browser_offers: true, trickle: true, flags: Flags { mdns: true }, records_per_key: None };

    /// The same with the native side offering.
    #[must_use]
    pub const fn native_offers(self) -> Self {
        Self { browser_offers: false, ..self }
    }
}

/// One case's stage.
#[derive(Debug)]
pub struct Stage {
    env: Arc<Env>,
    setup: Setup,
    browser: Option<Arc<Browser>>,
    own_browser: bool,
    pages: Vec<Page>,
    page: Option<Page>,
    process: Option<Process>,
    pair: Option<Pair>,
    transcripts: Vec<Transcript>,
}

impl Stage {
    /// An empty one.
    pub fn new(env: Arc<Env>, setup: Setup) -> Self {
        Self {
            env,
            setup,
            browser: None,
            own_browser: false,
            pages: Vec::new(),
            page: None,
            process: None,
            pair: None,
            transcripts: Vec::new(),
        }
    }

    /// What all cases share.
    pub fn env(&self) -> &Env {
        &self.env
    }

    /// How the case is set up.
    pub fn setup(&self) -> Setup {
        self.setup
    }

    /// The browser's seat.
    pub fn browser_role(&self) -> Role {
        if self.setup.browser_offers { Role::Offerer } else { Role::Answerer }
    }

    /// The native side's seat.
    pub fn native_role(&self) -> Role {
        self.browser_role().other()
    }

    /// Gives the case a browser of its own, which it may kill.
    pub async fn own_browser(&mut self) -> Outcome {
        self.browser = Some(Browser::start(&self.env.tools, self.setup.flags).await?);
        self.own_browser = true;
        Ok(())
    }

    /// The browser of this case.
    pub async fn browser(&mut self) -> Outcome<Arc<Browser>> {
        if let Some(browser) = &self.browser {
            return Ok(Arc::clone(browser));
        }
        let browser = self.env.browser(self.setup.flags).await?;
        self.browser = Some(Arc::clone(&browser));
        Ok(browser)
    }

    /// The `weft` command.
    pub fn weft(&self) -> Outcome<PathBuf> {
        match &self.env.native {
            Native::Weft(program) => Ok(program.clone()),
            Native::Chromium => Err(Failure::new("only the weft command has this")),
        }
    }

    /// A transcript that is shown when the case fails.
    pub fn transcript(&mut self, name: &str) -> Transcript {
        let transcript = Transcript::new(name);
        self.transcripts.push(transcript.clone());
        transcript
    }

    /// Seats a page of the browser and the native side, both configured.
    pub async fn seat(&mut self) -> Outcome<&mut Pair> {
        let (page, mut browser) = self.page_peer("browser", true).await?;
        self.page = Some(page);
        let mut native = match self.env.native.clone() {
            Native::Weft(program) => {
                let transcript = self.transcript("native");
                let (process, peer) = Process::peer(&program, &["peer"], "native", transcript).await?;
                self.process = Some(process);
                peer
            }
            Native::Chromium => {
                // In the shared browser: the case may kill its own.
                let (page, peer) = self.page_peer("native", false).await?;
                self.pages.push(page);
                peer
            }
        };
        let configure = Command::new("configure").with("trickle", self.setup.trickle);
        browser.ask(configure.clone()).await?;
        let configure = match self.setup.records_per_key {
            Some(records) => configure.with("dtls_records_per_key", records),
            None => configure,
        };
        native.ask(configure).await?;
        let pair = match self.browser_role() {
            Role::Offerer => Pair::new(browser, native),
            Role::Answerer => Pair::new(native, browser),
        };
        Ok(self.pair.insert(pair))
    }

    /// Seats a page of the browser and a Godot engine.
    pub async fn seat_engine(&mut self) -> Outcome<&mut Pair> {
        let engine = self.env.engine.clone().ok_or_else(|| Failure::new("no --godot was given"))?;
        let (page, mut browser) = self.page_peer("browser", true).await?;
        self.page = Some(page);
        let transcript = self.transcript("engine");
        let (process, native) = engine.start("engine", transcript).await?;
        self.process = Some(process);
        browser.ask(Command::new("configure").with("trickle", self.setup.trickle)).await?;
        let pair = match self.browser_role() {
            Role::Offerer => Pair::new(browser, native),
            Role::Answerer => Pair::new(native, browser),
        };
        Ok(self.pair.insert(pair))
    }

    async fn page_peer(&mut self, name: &str, in_own_browser: bool) -> Outcome<(Page, Peer)> {
        let browser = if in_own_browser { self.browser().await? } else { self.env.browser(self.setup.flags).await? };
        let transcript = self.transcript(name);
        browser.peer(&self.env.server, name, transcript).await
    }

    /// The pair that was seated.
    pub fn pair(&mut self) -> Outcome<&mut Pair> {
        self.pair.as_mut().ok_or_else(|| Failure::new("the case has seated no pair"))
    }

    /// The browser's page, to do to it what a user would. It may be taken to be closed.
    pub fn take_page(&mut self) -> Outcome<Page> {
        self.page.take().ok_or_else(|| Failure::new("the case has no page"))
    }

    /// Puts a page under the stage's care.
    pub fn keep_page(&mut self, page: Page) {
        self.pages.push(page);
    }

    /// The native side's process; none when a page sits there.
    pub fn process(&self) -> Option<&Process> {
        self.process.as_ref()
    }

    /// Ends both peers in an orderly way, which is part of every case.
    pub async fn finish(&mut self) -> Outcome {
        if let Some(pair) = &mut self.pair {
            pair.quit(QUIT).await?;
        }
        if let Some(process) = self.process.take() {
            process.finish(QUIT).await?;
        }
        Ok(())
    }

    /// Clears everything away, whatever came of the case.
    pub async fn clear(&mut self, failed: bool) {
        if failed
            && let Some(browser) = &self.browser
            && !self.transcripts.is_empty()
        {
            let console = Transcript::new("console");
            let answers = note_log(browser, &console).await;
            if !answers && !self.own_browser {
                self.env.forget(self.setup.flags).await;
            }
            self.transcripts.push(console);
        }
        self.pair = None;
        self.process = None;
        for page in self.pages.drain(..).chain(self.page.take()) {
            // The browser may be gone, or the page.
            let _ = page.close().await;
        }
        if let Some(browser) = self.browser.take()
            && self.own_browser
        {
            browser.stop().await;
        }
    }

    /// Where both sides stand, for a person.
    pub fn describe(&self) -> String {
        self.pair.as_ref().map(|pair| format!("{:#}", pair.describe())).unwrap_or_default()
    }

    /// The descriptions that were exchanged, by who made them.
    pub fn descriptions(&self) -> Vec<(String, String)> {
        let Some(pair) = &self.pair else { return Vec::new() };
        let seats = [("browser", self.browser_role()), ("native", self.native_role())];
        seats
            .into_iter()
            .flat_map(|(name, role)| {
                let descriptions = pair.view(role).descriptions.iter();
                descriptions.map(move |made| (format!("{name} {}", made.kind), made.sdp.clone()))
            })
            .collect()
    }

    /// Everything that was said.
    pub fn transcripts(&self) -> &[Transcript] {
        &self.transcripts
    }
}
