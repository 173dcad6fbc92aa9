//! `toolforge gateway explain URL`: where a URL goes and why.
//!
//! The gateway that runs is asked, since only it knows how endpoints have behaved and what a tool has under way. Where it
//! cannot be asked, its table on disk says the rest, and the answer says that it is the rest.

use std::{
    io::{Read as _, Write as _},
    net::{SocketAddr, TcpStream},
    process::ExitCode,
    time::Duration,
};

use anyhow::{Context as _, bail};
use http::Uri;
use toolforge_gateway::{Explained, Now, status_address};
use toolforge_routing::{EndpointState, Outcome};

use super::{TableArgs, print_columns, print_json, read};
use crate::cli::ListFormat;

/// The request that was asked about is not served.
const NOT_SERVED: u8 = 3;
/// How long a gateway may take to answer.
const PATIENCE: Duration = Duration::from_secs(3);
/// The longest answer of a gateway, in bytes: a tool with hundreds of endpoints has less.
const LONGEST_ANSWER: u64 = 4 * 1024 * 1024;

pub(super) fn run(
    url: &str,
    status: Option<SocketAddr>,
    output: ListFormat,
    table: &TableArgs,
) -> anyhow::Result<ExitCode> {
    let address = Address::read(url)?;
    let (explained, not_asked) = explained(&address, status, table)?;
    match output {
        ListFormat::Json => print_json(&explained)?,
        ListFormat::Table => print(&address, &explained),
    }
    if let Some(why) = not_asked {
        anstream::eprintln!(
            "\nThis is what the table of the gateway on disk says. How endpoints have behaved lately, and how much of its share the tool \
             has under way, only the gateway knows: {why}."
        );
    }
    Ok(match explained.explanation.outcome {
        Outcome::Served | Outcome::Redirected | Outcome::Moved => ExitCode::SUCCESS,
        Outcome::NoEndpoints | Outcome::NotFound => ExitCode::from(NOT_SERVED),
    })
}

/// What the gateway says; or else what its table says, and why the gateway was not asked.
fn explained(
    address: &Address,
    status: Option<SocketAddr>,
    table: &TableArgs,
) -> anyhow::Result<(Explained, Option<String>)> {
    let why = match status.map_or_else(|| anyhow::Ok(status_address(&table.path()?)), |status| Ok(Some(status)))? {
        None => "it has no status listener (`toolforge gateway --status ADDRESS:PORT`, `toolforge up --gateway-status-port PORT`)".to_owned(),
        Some(asked) => match ask(asked, address) {
            Ok(explained) => return Ok((explained, None)),
            Err(error) if status.is_some() => {
                return Err(error.context(format!("--status: the gateway at {asked} cannot be asked")));
            }
            Err(error) => format!("it cannot be asked at {asked} ({error:#})"),
        },
    };
    let explanation = read(table)?.explain(&address.authority, &address.path);
    Ok((
        Explained {
            explanation,
            now: None,
        },
        Some(why),
    ))
}

/// Asks a gateway at its status listener.
fn ask(gateway: SocketAddr, address: &Address) -> anyhow::Result<Explained> {
    let query: String = form_urlencoded::Serializer::new(String::new())
        .append_pair("host", &address.authority)
        .append_pair("path", &address.path)
        .finish();
    let mut stream = TcpStream::connect_timeout(&gateway, PATIENCE)?;
    stream.set_read_timeout(Some(PATIENCE))?;
    // HTTP/1.0, so that the answer ends with the connection.
    write!(stream, "GET /explain?{query} HTTP/1.0\r\nhost: {gateway}\r\n\r\n")?;
    let mut answer = Vec::new();
    stream.take(LONGEST_ANSWER).read_to_end(&mut answer)?;
    let end = answer.windows(4).position(|four| four == b"\r\n\r\n");
    let end = end.context("it answers no HTTP")?;
    let head = String::from_utf8_lossy(&answer[..end]);
    let status = head.split(' ').nth(1).unwrap_or_default();
    match status {
        "200" => serde_json::from_slice(&answer[end + 4..]).context("its answer is not that of a gateway"),
        "404" => bail!("it is a gateway of an older version, or none"),
        other => bail!("it answers {other}"),
    }
}

/// What a URL asks a gateway for.
#[derive(Debug, PartialEq, Eq)]
struct Address {
    authority: String,
    path: String,
    is_plain: bool,
}

impl Address {
    fn read(text: &str) -> anyhow::Result<Self> {
        let whole = if text.contains("://") {
            text.to_owned()
        } else {
            format!("https://{text}")
        };
        let uri: Uri = whole
            .split('#')
            .next()
            .unwrap_or_default()
            .parse()
            .with_context(|| format!("{text} is no URL; one looks like https://TOOL.DOMAIN/PATH"))?;
        let scheme = uri.scheme_str().unwrap_or_default();
        if !matches!(scheme, "http" | "https") {
            bail!("{text}: a gateway serves https and http, not {scheme}");
        }
        Ok(Self {
            authority: uri.authority().map(ToString::to_string).unwrap_or_default(),
            path: uri.path().to_owned(),
            is_plain: scheme == "http",
        })
    }
}

fn print(address: &Address, explained: &Explained) {
    let Explained {
        explanation: explained,
        now,
    } = explained;
    let host = explained.host.as_deref().unwrap_or_default();
    anstream::println!("https://{host}{}", explained.path);
    anstream::println!("{}", outcome_sentence(explained.outcome));
    for sentence in &explained.because {
        anstream::println!("  {sentence}");
    }
    if address.is_plain {
        anstream::println!(
            "  Over plain HTTP the gateway redirects to HTTPS first, for hosts of its domains."
        );
    }
    if let Some(now) = now {
        for sentence in said_now(now) {
            anstream::println!("  {sentence}");
        }
    }
    if !explained.endpoints.is_empty() {
        anstream::println!("\nEndpoints:");
        let rows: Vec<[String; 2]> = explained
            .endpoints
            .iter()
            .map(|endpoint| [format!("  {}", endpoint.address), row(endpoint, now.as_ref())])
            .collect();
        print_columns(&rows);
    }
    if !explained.others.is_empty() {
        anstream::println!("\nOther Ingresses that name this host:");
        for other in &explained.others {
            anstream::println!("  {}/{}: {}", other.namespace, other.ingress, other.why);
        }
    }
}

fn outcome_sentence(outcome: Outcome) -> &'static str {
    match outcome {
        Outcome::Served => "is served.",
        Outcome::Redirected => "is led elsewhere.",
        Outcome::NoEndpoints => "is answered with 503, because nothing takes the request.",
        Outcome::NotFound => "is answered with 404, because nothing claims it.",
        Outcome::Moved => "is answered with 307, to the tool's own host.",
    }
}

fn state(endpoint: &EndpointState) -> &'static str {
    match (endpoint.used, endpoint.terminating, endpoint.ready) {
        (true, true, _) => "takes requests, though it is being stopped, because no other does",
        (true, false, _) => "takes requests",
        (false, true, _) => "is being stopped",
        (false, false, true) => "is ready",
        (false, false, false) => "is not ready",
    }
}

/// The state of an endpoint, and whether the gateway passes it over.
fn row(endpoint: &EndpointState, now: Option<&Now>) -> String {
    let passed_over = now.and_then(|now| {
        let mut passed_over = now.passed_over.iter();
        let passed = passed_over.find(|passed| passed.endpoint == endpoint.address)?;
        let threads = match (passed.threads, now.threads) {
            (some, all) if some < all => format!(" by {some} of {all} threads"),
            _ => String::new(),
        };
        let (left, because) = (passed.seconds_left, &passed.because);
        Some(format!(
            "is passed over{threads} for {left} s, since {because}, as long as another one takes requests"
        ))
    });
    passed_over.unwrap_or_else(|| state(endpoint).to_owned())
}

/// What the gateway says of itself and of the tool.
fn said_now(now: &Now) -> Vec<String> {
    let mut said = Vec::new();
    if now.gateway != "ready" {
        said.push(match now.gateway.as_str() {
            "draining" => "The gateway is draining: it takes no new connections any more.".to_owned(),
            other => format!("The gateway is {other}: it may not know everything yet."),
        });
    }
    if let Some(share) = &now.share {
        let full = if share.requests >= share.most_requests {
            "The tool is at its limit: it"
        } else {
            "The tool"
        };
        said.push(format!(
            "{full} has {} of {} requests under way, {} of {} that wait, and {} of {} upgraded connections.",
            share.requests,
            share.most_requests,
            share.waiting,
            share.most_waiting,
            share.upgraded_connections,
            share.most_upgraded_connections
        ));
    }
    said
}

#[cfg(test)]
mod tests {
    use super::Address;

    #[test]
    fn url_is_read_with_and_without_scheme() {
        for (text, authority, path, is_plain) in [
            ("https://a.example.org/x?y#z", "a.example.org", "/x", false),
            ("http://a.example.org:8080", "a.example.org:8080", "/", true),
            ("a.example.org/deep/er", "a.example.org", "/deep/er", false),
            ("a.example.org:8443", "a.example.org:8443", "/", false),
        ] {
            let expected = Address {
                authority: authority.into(),
                path: path.into(),
                is_plain,
            };
            assert_eq!(Address::read(text).unwrap(), expected, "{text}");
        }
    }

    #[test]
    fn what_is_no_url_is_refused_with_the_way_out() {
        let error = Address::read("https://a b/").unwrap_err();
        assert!(
            format!("{error}").contains("one looks like https://TOOL.DOMAIN/PATH"),
            "{error}"
        );
        assert!(
            Address::read("ftp://a.example.org/")
                .unwrap_err()
                .to_string()
                .contains("not ftp")
        );
    }
}
