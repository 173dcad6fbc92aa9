//! A folder as a web site: type static, and what is no PHP in type php.
//!
//! What a path means is decided in `path` (pure) and `found` (looks at the disk); files are answered by
//! tower-http, with conditional requests and ranges.

mod file;
mod found;
mod listing;
mod path;

use std::{path::PathBuf, sync::Arc};

use axum::{
    Router,
    body::Body,
    extract::{Request, State},
    http::{Extensions, HeaderMap, HeaderValue, Method, StatusCode, Uri, Version, header},
    response::{IntoResponse as _, Response},
};
use clap::Parser;
use tower_http::compression::{
    CompressionLayer,
    predicate::{NotForContentType, Predicate as _, SizeAbove},
};

use super::{php::Gate, place::Place, work::Work};
use found::Found;
pub(super) use found::Script;
use path::Asked;

/// In the extensions of an answer: it is not to be compressed here.
#[derive(Debug, Clone, Copy)]
pub(super) struct AsItIs;

/// What is not compressed: it would hardly become smaller.
const SMALL_BYTES: u64 = 256;

/// What a static site can be told after `--`.
#[derive(Debug, Clone, Default, PartialEq, Eq, Parser)]
#[command(
    name = "webservice static start --",
    no_binary_name = true,
    disable_help_flag = true
)]
pub(crate) struct SiteArgs {
    /// Show what is in folders without an index file: all folders, or this one and those below
    #[arg(
        long = "directory-lists",
        value_name = "FOLDER",
        num_args = 0..=1,
        require_equals = true,
        default_missing_value = "/"
    )]
    lists: Vec<String>,
    /// Follow symbolic links that lead into this folder, which lies outside of the tool's home
    #[arg(long = "links-to", value_name = "FOLDER")]
    links: Vec<PathBuf>,
}

impl SiteArgs {
    /// Reads them; an error says what is wrong in a line.
    pub(crate) fn read(extra: &[String]) -> Result<Self, String> {
        Self::try_parse_from(extra).map_err(|error| {
            let text = error.to_string();
            let line = text.lines().next().unwrap_or_default();
            format!(
                "{}; a static site can be told --directory-lists, --directory-lists=/FOLDER and --links-to FOLDER after the --",
                line.trim_start_matches("error: ")
            )
        })
    }
}

/// A site.
#[derive(Debug)]
pub(super) struct Site {
    /// The folder that is served, without links in its path.
    root: PathBuf,
    /// Folders that links may lead into, without links in their paths; the root is the first.
    inside: Vec<PathBuf>,
    /// Folders that may be listed, as paths of the site.
    lists: Vec<String>,
    /// What a folder is shown by.
    index: &'static [&'static str],
    /// Who runs scripts.
    scripts: Option<Gate>,
}

/// Type static.
pub(super) fn of_files(place: &Place) -> Result<Work, String> {
    let arguments = SiteArgs::read(&place.extra)?;
    let site = Site::new(place, arguments, None)?;
    Ok(Work::Site(site.router(), None))
}

impl Site {
    /// The site in `~/public_html`.
    pub(super) fn new(place: &Place, arguments: SiteArgs, scripts: Option<Gate>) -> Result<Self, String> {
        let folder = place.home.join("public_html");
        let real = |folder: &PathBuf| {
            folder
                .canonicalize()
                .map_err(|error| format!("{} cannot be served: {error}", folder.display()))
        };
        let root = real(&folder)?;
        let mut inside = vec![root.clone(), real(&place.home)?];
        for folder in &arguments.links {
            inside.push(real(folder)?);
        }
        let index: &[&str] = if scripts.is_some() {
            &["index.php", "index.html", "index.htm"]
        } else {
            &["index.html", "index.htm"]
        };
        Ok(Self {
            root,
            inside,
            lists: arguments.lists,
            index,
            scripts,
        })
    }

    /// Answers for it, compressed where the visitor wants that and it is worth it.
    pub(super) fn router(self) -> Router {
        let left = |_: StatusCode, _: Version, _: &HeaderMap, extensions: &Extensions| {
            extensions.get::<AsItIs>().is_none()
        };
        let worth = SizeAbove::new(SMALL_BYTES)
            .and(left)
            .and(NotForContentType::IMAGES)
            .and(NotForContentType::SSE)
            .and(NotForContentType::const_new("video/"))
            .and(NotForContentType::const_new("audio/"))
            .and(NotForContentType::const_new("font/"))
            .and(NotForContentType::const_new("application/zip"))
            .and(NotForContentType::const_new("application/gzip"))
            .and(NotForContentType::const_new("application/octet-stream"));
        Router::new()
            .fallback(answer)
            .with_state(Arc::new(self))
            .layer(CompressionLayer::new().compress_when(worth))
            .layer(axum::middleware::map_response(weaken))
    }
}

/// What was compressed on the way is another representation than that of the file's strong validator
/// (RFC 9110 8.8.3.3).
async fn weaken(mut answer: Response) -> Response {
    let headers = answer.headers_mut();
    if headers.contains_key(header::CONTENT_ENCODING)
        && !headers.contains_key(header::CONTENT_LENGTH)
        && let Some(tag) = headers.get(header::ETAG)
        && !tag.as_bytes().starts_with(b"W/")
        && let Ok(weak) = HeaderValue::from_bytes(&[b"W/", tag.as_bytes()].concat())
    {
        headers.insert(header::ETAG, weak);
    }
    answer
}

async fn answer(State(site): State<Arc<Site>>, request: Request) -> Response {
    let Some(asked) = Asked::read(request.uri().path()) else {
        return missing(&site, request).await;
    };
    let found = {
        let (site, asked) = (Arc::clone(&site), asked.clone());
        // Disks may be slow, and network file systems more so.
        tokio::task::spawn_blocking(move || site.find(&asked)).await
    };
    let found = found.unwrap_or(Found::Missing);
    if let (Found::Script(script), Some(gate)) = (&found, &site.scripts) {
        return gate.answer(&site.root, script, request).await;
    }
    if !matches!(*request.method(), Method::GET | Method::HEAD) && found != Found::Missing {
        let allow = [(header::ALLOW, "GET, HEAD")];
        return (
            StatusCode::METHOD_NOT_ALLOWED,
            allow,
            "Only GET and HEAD work here.\n",
        )
            .into_response();
    }
    match found {
        Found::File(file) => file::answer(&file, request).await,
        Found::Folder => to_folder(&asked, request.uri()),
        Found::List(entries) => listing::page(&asked, &entries).into_response(),
        Found::Missing | Found::Script(_) => missing(&site, request).await,
    }
}

/// The same with a slash, without which links of the page would lead elsewhere.
fn to_folder(asked: &Asked, uri: &Uri) -> Response {
    let mut target = asked.folder_path();
    if let Some(query) = uri.query() {
        target.push('?');
        target.push_str(query);
    }
    (StatusCode::MOVED_PERMANENTLY, [(header::LOCATION, target)]).into_response()
}

/// The tool's own page for it, or a sentence.
async fn missing(site: &Arc<Site>, request: Request) -> Response {
    let page = {
        let site = Arc::clone(site);
        tokio::task::spawn_blocking(move || Asked::read("/404.html").map(|asked| site.find(&asked))).await
    };
    let mut answer = if let Ok(Some(Found::File(page))) = page {
        // Of that page, whatever was asked of the other.
        let mut plain = Request::new(Body::empty());
        *plain.method_mut() = if request.method() == Method::HEAD {
            Method::HEAD
        } else {
            Method::GET
        };
        let mut answer = file::answer(&page, plain).await;
        for name in [header::ETAG, header::LAST_MODIFIED, header::ACCEPT_RANGES] {
            answer.headers_mut().remove(name);
        }
        answer
    } else {
        "This tool has no such page.\n".into_response()
    };
    *answer.status_mut() = StatusCode::NOT_FOUND;
    answer
}

#[cfg(test)]
mod tests;
