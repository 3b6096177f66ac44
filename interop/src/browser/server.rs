//! The server of the peer's page, and the far end of each page's WebSocket.

use std::collections::HashMap;
use std::net::Ipv4Addr;
use std::sync::{Arc, Mutex, PoisonError};

use axum::Router;
use axum::extract::ws::{Message, WebSocket};
use axum::extract::{Path, State, WebSocketUpgrade};
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use futures_util::{SinkExt as _, StreamExt as _};
use serde_json::json;
use tokio::net::TcpListener;
use tokio::sync::{mpsc, oneshot};
use tokio::task::JoinHandle;

use crate::failure::Outcome;
use crate::peer::{Incoming, Link};

const PAGE: &str = include_str!("../../images/shared/page/index.html");
const SCRIPTS: [(&str, &str); 4] = [
    ("channel.js", include_str!("../../images/shared/page/channel.js")),
    ("link.js", include_str!("../../images/shared/page/link.js")),
    ("peer.js", include_str!("../../images/shared/page/peer.js")),
    ("sha256.js", include_str!("../../images/shared/page/sha256.js")),
];
/// Lines that may wait between a page and whoever reads them.
const LINES: usize = 4096;
/// The longest line: a message of the largest size, and its base64.
const LINE: usize = 64 << 20;

type Invited = HashMap<u64, oneshot::Sender<Link>>;

/// Pages that were opened and have not called yet.
#[derive(Debug, Clone, Default)]
struct Guests(Arc<Mutex<(u64, Invited)>>);

/// A web server on loopback for the pages with peers in them. It ends when this is dropped.
#[derive(Debug)]
pub struct PageServer {
    port: u16,
    guests: Guests,
    task: JoinHandle<()>,
}

impl PageServer {
    /// Starts on a free port.
    pub async fn start() -> Outcome<Self> {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await?;
        let port = listener.local_addr()?.port();
        let guests = Guests::default();
        let router = Router::new()
            .route("/", get(|| async { ([(header::CONTENT_TYPE, "text/html; charset=utf-8")], PAGE) }))
            .route("/{script}", get(script))
            .route("/link/{token}", get(link))
            .with_state(guests.clone());
        let task = tokio::spawn(async move {
            // Ends with the listener; nothing can be done about an error then.
            let _ = axum::serve(listener, router).await;
        });
        Ok(Self { port, guests, task })
    }

    /// The address of a page for one more peer, and its lines once it has called.
    pub fn invite(&self) -> (String, oneshot::Receiver<Link>) {
        let (caller, called) = oneshot::channel();
        let mut guests = self.guests.0.lock().unwrap_or_else(PoisonError::into_inner);
        guests.0 += 1;
        let token = guests.0;
        guests.1.insert(token, caller);
        (format!("http://127.0.0.1:{}/#{token}", self.port), called)
    }
}

impl Drop for PageServer {
    fn drop(&mut self) {
        self.task.abort();
    }
}

async fn script(Path(name): Path<String>) -> Response {
    match SCRIPTS.iter().find(|(script, _)| *script == name) {
        Some((_, text)) => ([(header::CONTENT_TYPE, "text/javascript; charset=utf-8")], *text).into_response(),
        None => StatusCode::NOT_FOUND.into_response(),
    }
}

async fn link(Path(token): Path<u64>, State(guests): State<Guests>, upgrade: WebSocketUpgrade) -> Response {
    let guest = guests.0.lock().unwrap_or_else(PoisonError::into_inner).1.remove(&token);
    match guest {
        Some(caller) => {
            upgrade.max_message_size(LINE).max_frame_size(LINE).on_upgrade(move |socket| carry(socket, caller))
        }
        None => StatusCode::NOT_FOUND.into_response(),
    }
}

async fn carry(socket: WebSocket, caller: oneshot::Sender<Link>) {
    let (commands, mut to_write) = mpsc::channel::<String>(LINES);
    let (read, incoming) = mpsc::channel(LINES);
    let (mut sink, mut stream) = socket.split();
    let clock = rustix::time::clock_gettime(rustix::time::ClockId::Monotonic);
    let clock_ms = clock.tv_sec as f64 * 1e3 + clock.tv_nsec as f64 / 1e6;
    if sink.send(Message::text(json!({"clock_ms": clock_ms}).to_string())).await.is_err()
        || caller.send(Link { commands, incoming }).is_err()
    {
        return;
    }
    let write = async {
        while let Some(line) = to_write.recv().await {
            if sink.send(Message::text(line)).await.is_err() {
                break;
            }
        }
        // It may be closed already.
        let _ = sink.close().await;
    };
    let receive = async {
        let mut how = "its page is gone".to_owned();
        while let Some(message) = stream.next().await {
            match message {
                Ok(Message::Text(line)) => {
                    if read.send(Incoming::Line(line.to_string())).await.is_err() {
                        return;
                    }
                }
                Ok(_) => {}
                Err(error) => how = format!("its page is gone: {error}"),
            }
        }
        // Nobody may be listening any more: then nobody needs to know.
        let _ = read.send(Incoming::End(how)).await;
    };
    // Commands may end first; what the page still says counts.
    tokio::join!(write, receive);
}
