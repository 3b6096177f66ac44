//! Chromium as sender and as receiver: a page in a headless browser, which calls back over HTTP.

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use rustix::process::{Pid, Signal, kill_process_group};
use serde_json::{Value, json};
use tokio::io::{AsyncBufReadExt as _, AsyncReadExt as _, AsyncWriteExt as _, BufReader};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{mpsc, oneshot};
use tokio::time::timeout;

use super::Result;
use super::cases::{Browser, Case, WARM_UP, What};

const PAGE: &str = include_str!("chromium.html");

/// Bytes of a message: what Chromium moves fastest.
pub(super) const SIZE: usize = 65_536;

/// How long the browser may take to start, to connect and to answer.
const PATIENCE: Duration = Duration::from_secs(40);

/// What the page says.
pub(super) enum Said {
    /// Its offer; the answer goes to the other end.
    Offer(String, oneshot::Sender<String>),
    /// Bytes a second, or what went wrong.
    Result(String),
}

/// A browser with our page in it. Dropping it kills the browser.
pub(super) struct Page {
    child: Child,
    folder: PathBuf,
    said: mpsc::UnboundedReceiver<Said>,
}

/// The browser, named by `CHROMIUM` or found on the path.
pub(super) fn find() -> Option<PathBuf> {
    if let Some(given) = std::env::var_os("CHROMIUM") {
        return Some(PathBuf::from(given)).filter(|path| path.is_file());
    }
    let folders: Vec<PathBuf> = std::env::split_paths(&std::env::var_os("PATH")?).collect();
    ["chromium", "chromium-browser", "google-chrome", "google-chrome-stable"]
        .iter()
        .find_map(|name| folders.iter().map(|folder| folder.join(name)).find(|path| path.is_file()))
}

/// Chromium with itself: two peer connections of one page.
pub(crate) fn measure(case: &Case, seconds: f64) -> Result<Option<Value>> {
    let (What::Browser(_), Some(browser)) = (case.what, find()) else { return Ok(None) };
    super::asynchronous::runtime()?.block_on(async {
        let mut page = Page::open(&browser, "alone", seconds).await?;
        page.result(seconds).await.map(Some)
    })
}

impl Browser {
    pub(super) fn mode(self) -> &'static str {
        match self {
            Self::Sends => "sends",
            Self::Receives => "receives",
        }
    }
}

impl Page {
    /// Starts the browser. `mode` is what the page is to do.
    pub(super) async fn open(browser: &Path, mode: &str, seconds: f64) -> Result<Self> {
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        let address = format!(
            "http://{}/?mode={mode}&seconds={seconds}&warm_up={}&size={SIZE}",
            listener.local_addr()?,
            WARM_UP.as_secs_f64()
        );
        let (say, said) = mpsc::unbounded_channel();
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let say = say.clone();
                tokio::spawn(async move { serve(stream, &say).await.unwrap_or_default() });
            }
        });
        let folder = std::env::temp_dir().join(format!("weft-bench-{}", std::process::id()));
        let child = start(browser, &folder, &address)?;
        Ok(Self { child, folder, said })
    }

    /// What the page says next.
    pub(super) async fn said(&mut self, within: Duration) -> Result<Said> {
        timeout(within, self.said.recv()).await.map_err(|_| "the page does not answer")?.ok_or_else(|| "no page".into())
    }

    /// What the page measured.
    pub(super) async fn result(&mut self, seconds: f64) -> Result<Value> {
        let within = PATIENCE + WARM_UP + Duration::from_secs_f64(seconds);
        let Said::Result(result) = self.said(within).await? else { return Err("the page began anew".into()) };
        let bytes: f64 = result.parse().map_err(|_| format!("the page: {result}"))?;
        if bytes <= 0.0 {
            return Err("nothing arrived".into());
        }
        Ok(json!({ "mib_per_second": bytes / 1_048_576.0 }))
    }

    /// The page's offer, and where the answer goes.
    pub(super) async fn offer(&mut self) -> Result<(String, oneshot::Sender<String>)> {
        match self.said(PATIENCE).await? {
            Said::Offer(offer, answer) => Ok((offer, answer)),
            Said::Result(result) => Err(format!("the page: {result}").into()),
        }
    }
}

fn start(browser: &Path, folder: &Path, address: &str) -> Result<Child> {
    use std::os::unix::process::CommandExt as _;

    std::fs::create_dir_all(folder)?;
    let child = Command::new(browser)
        .args([
            "--headless=new",
            "--no-sandbox",
            "--disable-gpu",
            "--disable-background-networking",
            "--disable-component-update",
            "--disable-sync",
            "--no-first-run",
            "--disable-background-timer-throttling",
            "--disable-renderer-backgrounding",
            "--disable-backgrounding-occluded-windows",
            "--disable-features=WebRtcHideLocalIpsWithMdns",
        ])
        .arg(format!("--user-data-dir={}", folder.display()))
        .arg(address)
        .env("TMPDIR", folder)
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .process_group(0)
        .spawn()?;
    Ok(child)
}

impl Drop for Page {
    fn drop(&mut self) {
        if let Some(group) = Pid::from_raw(self.child.id().cast_signed()) {
            // An error means that nothing is left to kill.
            let _ = kill_process_group(group, Signal::KILL);
        }
        let _ = self.child.wait();
        // A dying browser still writes into its folder.
        for _ in 0..20 {
            if std::fs::remove_dir_all(&self.folder).is_ok() {
                break;
            }
            std::thread::sleep(Duration::from_millis(50));
        }
    }
}

/// Answers one request.
async fn serve(stream: TcpStream, say: &mpsc::UnboundedSender<Said>) -> Result<()> {
    let mut stream = BufReader::new(stream);
    let (mut line, mut headers) = (String::new(), HashMap::new());
    stream.read_line(&mut line).await?;
    let path = line.split(' ').nth(1).unwrap_or_default().to_owned();
    loop {
        line.clear();
        if stream.read_line(&mut line).await? <= 2 {
            break;
        }
        if let Some((name, value)) = line.split_once(':') {
            headers.insert(name.to_ascii_lowercase(), value.trim().to_owned());
        }
    }
    let len = headers.get("content-length").and_then(|len| len.parse::<u64>().ok()).unwrap_or(0);
    let mut body = String::new();
    (&mut stream).take(len).read_to_string(&mut body).await?;
    let answer = match path.as_str() {
        "/offer" => {
            let (answer, answered) = oneshot::channel();
            say.send(Said::Offer(body, answer)).map_err(|_| "nobody listens")?;
            answered.await?
        }
        "/result" => {
            say.send(Said::Result(body)).map_err(|_| "nobody listens")?;
            String::new()
        }
        _ => PAGE.to_owned(),
    };
    let head = format!(
        "HTTP/1.1 200 OK\r\nContent-Type: text/html; charset=utf-8\r\nContent-Length: {}\r\nConnection: close\r\n\r\n",
        answer.len()
    );
    stream.write_all(head.as_bytes()).await?;
    stream.write_all(answer.as_bytes()).await?;
    Ok(stream.shutdown().await?)
}
