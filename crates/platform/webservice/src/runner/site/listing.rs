//! What is in a folder, as a page. Pure.

use std::{fmt::Write as _, os::unix::ffi::OsStrExt as _};

use axum::response::Html;

use super::{found::Entry, path::Asked, path::encoded};

/// A page with a line for each.
pub(super) fn page(asked: &Asked, entries: &[Entry]) -> Html<String> {
    let title = escaped(&String::from_utf8_lossy(&asked.names().iter().fold(
        b"/".to_vec(),
        |mut path, name| {
            path.extend_from_slice(name);
            path.push(b'/');
            path
        },
    )));
    let mut page = format!(
        "<!DOCTYPE html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n\
         <meta name=\"viewport\" content=\"width=device-width\">\n<title>Index of {title}</title>\n\
         <style>body {{ font: 1rem/1.5 sans-serif; margin: 2rem }} td {{ padding-right: 2rem }} \
         td + td {{ text-align: right }}</style>\n</head>\n<body>\n<h1>Index of {title}</h1>\n<table>\n"
    );
    if !asked.names().is_empty() {
        page.push_str("<tr><td><a href=\"../\">../</a></td><td></td><td></td></tr>\n");
    }
    for entry in entries {
        let slash = if entry.folder { "/" } else { "" };
        let size = if entry.folder {
            String::new()
        } else {
            size(entry.size_bytes)
        };
        let when = entry
            .modified
            .and_then(|time| jiff::Timestamp::try_from(time).ok())
            .map(|time| time.strftime("%Y-%m-%d %H:%M").to_string())
            .unwrap_or_default();
        // With a dot before it, for a name with a colon would be a scheme.
        let _ = writeln!(
            page,
            "<tr><td><a href=\"./{}{slash}\">{}{slash}</a></td><td>{size}</td><td>{when}</td></tr>",
            encoded(entry.name.as_bytes()),
            escaped(&entry.name.to_string_lossy()),
        );
    }
    page.push_str("</table>\n</body>\n</html>\n");
    Html(page)
}

fn size(bytes: u64) -> String {
    let mut rest = bytes;
    for unit in ["B", "KiB", "MiB", "GiB"] {
        if rest < 10_240 {
            return format!("{rest} {unit}");
        }
        rest /= 1024;
    }
    format!("{rest} TiB")
}

fn escaped(text: &str) -> String {
    text.replace('&', "&amp;")
        .replace('<', "&lt;")
        .replace('>', "&gt;")
        .replace('"', "&quot;")
}
