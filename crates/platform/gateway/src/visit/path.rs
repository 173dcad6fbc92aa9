//! Paths that tools are better not asked for: those that lead out of what they serve. Pure.

use http::StatusCode;

use super::{Refusal, refusal};

const BAD: Refusal = refusal(
    StatusCode::BAD_REQUEST,
    "The path of the request leads above its root, or has a percent sign that encodes nothing.",
);

/// Lets through what every server understands alike. As with nginx a path may not lead above the root once it is decoded,
/// nor have a NUL or a percent sign without two digits: many a small tool opens files by what it is asked for.
pub(super) fn check(path: &str) -> Result<(), Refusal> {
    let bytes = path.as_bytes();
    if !bytes.contains(&b'%') && !path.contains("/..") {
        return Ok(());
    }
    let decoded = decoded(bytes).ok_or(BAD)?;
    let mut depth = 0_usize;
    for segment in decoded.split(|byte| *byte == b'/') {
        match segment {
            b"" | b"." => {}
            b".." => depth = depth.checked_sub(1).ok_or(BAD)?,
            _ => depth += 1,
        }
    }
    Ok(())
}

fn decoded(path: &[u8]) -> Option<Vec<u8>> {
    let mut decoded = Vec::with_capacity(path.len());
    let mut bytes = path.iter();
    while let Some(&byte) = bytes.next() {
        let byte = if byte == b'%' {
            digit(*bytes.next()?)? << 4 | digit(*bytes.next()?)?
        } else {
            byte
        };
        if byte == 0 {
            return None;
        }
        decoded.push(byte);
    }
    Some(decoded)
}

fn digit(byte: u8) -> Option<u8> {
    // Below 16, so it fits.
    char::from(byte)
        .to_digit(16)
        .and_then(|digit| u8::try_from(digit).ok())
}

#[cfg(test)]
mod tests {
    use super::check;

    #[test]
    fn paths_stay_below_the_root() {
        for (path, expected) in [
            ("/", true),
            ("/a/../b", true),
            ("/a/b/../../c", true),
            ("/a%2Fb/../../c", true),
            ("/..a/a../...", true),
            ("/%41%c3%a9", true),
            ("//a//..", true),
            ("/..", false),
            ("/../a", false),
            ("/a/../..", false),
            ("/a//../..", false),
            ("/%2e%2e/a", false),
            ("/.%2E", false),
            ("/..%2fa", false),
            ("/%2f..", false),
            ("/%00", false),
            ("/%", false),
            ("/100%/a", false),
            ("/%4", false),
            ("/%zz", false),
            ("/%+1", false),
        ] {
            assert_eq!(check(path).is_ok(), expected, "{path}");
        }
    }
}
