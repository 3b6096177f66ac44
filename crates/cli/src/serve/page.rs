//! The page, compiled in.

use axum::Router;
use axum::http::header;
use axum::routing::get;

/// Nothing from elsewhere, and no place inside another page.
const POLICY: &str = "default-src 'self'; connect-src 'self' ws: wss:; frame-ancestors 'none'; base-uri 'none'; \
                      form-action 'none'";

const FILES: &[(&str, &str, &str)] = &[
    ("/", "text/html; charset=utf-8", include_str!("page/index.html")),
    ("/style.css", "text/css; charset=utf-8", include_str!("page/style.css")),
    ("/icon.svg", "image/svg+xml", include_str!("page/icon.svg")),
    ("/main.js", "text/javascript; charset=utf-8", include_str!("page/main.js")),
    ("/link.js", "text/javascript; charset=utf-8", include_str!("page/link.js")),
    ("/plot.js", "text/javascript; charset=utf-8", include_str!("page/plot.js")),
    ("/roundtrip.js", "text/javascript; charset=utf-8", include_str!("page/roundtrip.js")),
    ("/throughput.js", "text/javascript; charset=utf-8", include_str!("page/throughput.js")),
];

/// Routes to the files of the page.
pub(super) fn routes<S: Clone + Send + Sync + 'static>() -> Router<S> {
    FILES.iter().fold(Router::new(), |router, &(path, kind, text)| {
        let headers = [
            (header::CONTENT_TYPE, kind),
            (header::CACHE_CONTROL, "no-cache"),
            (header::CONTENT_SECURITY_POLICY, POLICY),
            (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
        ];
        router.route(path, get(move || async move { (headers, text) }))
    })
}
