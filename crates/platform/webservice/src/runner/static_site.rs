//! Type static: serves the files of `~/public_html`.

use std::{net::Ipv4Addr, path::Path};

use axum::{Router, http::StatusCode, response::IntoResponse, routing::any};
use tokio::{net::TcpListener, signal::unix::SignalKind};
use tokio_util::sync::CancellationToken;
use tower_http::services::ServeDir;

use super::not_there;

/// Serves the folder until it is told to stop: index files, ranges, conditional requests; no directory
/// lists, and no way out of the folder but the links that the tool itself put there.
pub(super) fn serve(folder: &Path, port: u16) -> Result<(), String> {
    if !folder.is_dir() {
        return Err(not_there(folder));
    }
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(|error| error.to_string())?;
    runtime.block_on(async {
        let listener = TcpListener::bind((Ipv4Addr::UNSPECIFIED, port))
            .await
            .map_err(|error| format!("cannot listen on port {port}: {error}"))?;
        let stop = CancellationToken::new();
        let mut terminate =
            tokio::signal::unix::signal(SignalKind::terminate()).map_err(|error| error.to_string())?;
        let stopping = stop.clone();
        tokio::spawn(async move {
            terminate.recv().await;
            stopping.cancel();
        });
        anstream::println!("serving {} on port {port}", folder.display());
        toolforge_serve::serve(listener, None, router(folder), stop)
            .await
            .map_err(|error| error.to_string())
    })
}

fn router(folder: &Path) -> Router {
    let files = ServeDir::new(folder).not_found_service(any(not_found));
    Router::new().fallback_service(files)
}

async fn not_found() -> impl IntoResponse {
    (StatusCode::NOT_FOUND, "This tool has no such page.\n")
}

#[cfg(test)]
mod tests {
    use axum::{body::Body, http::Request, response::Response};
    use tower::ServiceExt as _;

    use super::*;

    async fn ask(folder: &Path, path: &str, header: Option<(&str, &str)>) -> Response {
        let mut request = Request::builder().uri(path);
        if let Some((name, value)) = header {
            request = request.header(name, value);
        }
        router(folder)
            .oneshot(request.body(Body::empty()).unwrap())
            .await
            .unwrap()
    }

    async fn text(answer: Response) -> String {
        let bytes = axum::body::to_bytes(answer.into_body(), 1 << 20).await.unwrap();
        String::from_utf8(bytes.to_vec()).unwrap()
    }

    #[tokio::test]
    async fn files_are_served_as_a_visitor_expects() {
        let home = tempfile::tempdir().unwrap();
        let site = home.path().join("public_html");
        std::fs::create_dir_all(site.join("deep")).unwrap();
        std::fs::write(home.path().join("secret"), "secret").unwrap();
        std::fs::write(site.join("index.html"), "front page").unwrap();
        std::fs::write(site.join("deep/data.json"), "[1, 2]").unwrap();

        assert_eq!(text(ask(&site, "/", None).await).await, "front page");
        let data = ask(&site, "/deep/data.json", None).await;
        assert_eq!(data.headers()["content-type"], "application/json");
        let part = ask(&site, "/deep/data.json", Some(("range", "bytes=1-1"))).await;
        assert_eq!(
            (part.status(), text(part).await.as_str()),
            (StatusCode::PARTIAL_CONTENT, "1")
        );
        for missing in [
            "/nothing",
            "/deep/",
            "/../secret",
            "/%2e%2e/secret",
            "/deep/..%2f..%2fsecret",
        ] {
            let answer = ask(&site, missing, None).await;
            assert_eq!(answer.status(), StatusCode::NOT_FOUND, "{missing}");
            assert_ne!(text(answer).await, "secret", "{missing}");
        }
    }
}
