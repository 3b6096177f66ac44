//! `weft serve`: a page for browsers, signalling over a WebSocket, and a native peer for each visitor.

mod channel;
mod page;
mod visitor;

use std::io::Write as _;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use axum::extract::ws::WebSocketUpgrade;
use axum::extract::{Query, State};
use axum::http::{HeaderMap, StatusCode, Uri, header};
use axum::response::{IntoResponse as _, Response};
use axum::routing::get;
use axum::{Json, Router};
use serde_json::{Value, json};
use tokio::sync::Semaphore;
use weft_rtc::Config;

/// The longest signalling message, in bytes.
const MAX_SIGNAL: usize = 64 * 1024;

/// What `weft serve` is asked.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// Where to listen for the page and its signalling.
    #[arg(long, default_value = "127.0.0.1:8080")]
    listen: SocketAddr,
    /// Offer loopback addresses to visitors; by default when listening on one.
    #[arg(long, num_args = 0..=1, default_missing_value = "true")]
    loopback: Option<bool>,
    /// How many visitors are served at the same time.
    #[arg(long, default_value_t = 16)]
    visitors: usize,
}

/// What all visits share.
#[derive(Debug)]
struct Shared {
    places: Arc<Semaphore>,
    visitors: usize,
    visits: AtomicU64,
    config: Config,
}

/// Serves until interrupted.
pub(crate) fn run(args: &Args) -> std::io::Result<()> {
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    runtime.block_on(serve(args))
}

async fn serve(args: &Args) -> std::io::Result<()> {
    let mut config = Config::default();
    config.loopback = args.loopback.unwrap_or_else(|| args.listen.ip().is_loopback());
    let visitors = args.visitors.min(Semaphore::MAX_PERMITS);
    let shared =
        Arc::new(Shared { places: Arc::new(Semaphore::new(visitors)), visitors, visits: AtomicU64::new(0), config });
    let app = Router::new()
        .merge(page::routes())
        .route("/status", get(status))
        .route("/ws", get(signalling))
        .with_state(shared);
    let listener = tokio::net::TcpListener::bind(args.listen).await?;
    println!("listening on http://{}", listener.local_addr()?);
    std::io::stdout().flush()?;
    tokio::select! {
        result = async { axum::serve(listener, app).await } => result,
        result = tokio::signal::ctrl_c() => result,
    }
}

/// How many visitors there are.
async fn status(State(shared): State<Arc<Shared>>) -> Json<Value> {
    let free = shared.places.available_permits();
    Json(json!({"visitors": shared.visitors.saturating_sub(free), "max_visitors": shared.visitors}))
}

async fn signalling(
    State(shared): State<Arc<Shared>>,
    Query(wish): Query<visitor::Wish>,
    headers: HeaderMap,
    upgrade: WebSocketUpgrade,
) -> Response {
    if !is_same_origin(&headers) {
        return (StatusCode::FORBIDDEN, "this page may not signal here").into_response();
    }
    let number = shared.visits.fetch_add(1, Ordering::Relaxed) + 1;
    let place = Arc::clone(&shared.places).try_acquire_owned().ok();
    upgrade.max_message_size(MAX_SIGNAL).on_upgrade(move |socket| async move {
        match place {
            Some(place) => {
                visitor::visit(socket, number, wish, shared.config.clone()).await;
                drop(place);
            }
            // A browser does not show a page why an upgrade was refused, so it is told in words.
            None => visitor::turn_away(socket, "there are too many visitors, try again later").await,
        }
    })
}

/// Whether the page that opens the WebSocket came from here. Browsers let any page open one to anywhere and say whose it
/// is; who is no browser says nothing.
fn is_same_origin(headers: &HeaderMap) -> bool {
    let Some(origin) = headers.get(header::ORIGIN) else { return true };
    let host = headers.get(header::HOST).and_then(|host| host.to_str().ok());
    let origin = origin.to_str().ok().and_then(|origin| origin.parse::<Uri>().ok());
    let authority = origin.as_ref().and_then(Uri::authority);
    authority.is_some_and(|authority| host.is_some_and(|host| host.eq_ignore_ascii_case(authority.as_str())))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn other_pages_may_not_signal() {
        let check = |origin: Option<&'static str>| {
            let mut headers = HeaderMap::new();
            headers.insert(header::HOST, "127.0.0.1:8080".parse().unwrap());
            if let Some(origin) = origin {
                headers.insert(header::ORIGIN, origin.parse().unwrap());
            }
            is_same_origin(&headers)
        };
        assert!(check(None) && check(Some("http://127.0.0.1:8080")));
        for other in ["http://127.0.0.1:8081", "https://evil.example", "null", ""] {
            assert!(!check(Some(other)), "{other}");
        }
    }
}
