//! Reads the figures of the gateways.

use std::time::Duration;

use reqwest::{Client, Url};

use super::{Sample, TrafficFile};
use crate::board::{config::FiguresUrl, follow::Shared, world::Place};

/// How often the gateways are asked. Counters do not tell when they change; a minute is what Prometheus takes.
const INTERVAL: Duration = Duration::from_mins(1);
/// A gateway that needs longer is left out this time.
const PATIENCE: Duration = Duration::from_secs(5);
/// Figures of 20,000 namespaces with all classes of status take less.
const LARGEST_BYTES: usize = 64 << 20;
/// The counter of requests by namespace and class of status.
const REQUESTS: &str = "toolforge_gateway_requests_total{";

/// Asks all gateways again and again, until it is dropped, and keeps what they told. Behind a name there may be several.
pub(crate) async fn follow(gateways: Vec<FiguresUrl>, file: Option<TrafficFile>, shared: Shared) {
    if gateways.is_empty() {
        return;
    }
    let client = match Client::builder().timeout(PATIENCE).no_proxy().build() {
        Ok(client) => client,
        Err(error) => {
            tracing::warn!(error = %error, "the gateways cannot be asked for their figures");
            return;
        }
    };
    let mut turns = tokio::time::interval(INTERVAL);
    turns.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    loop {
        turns.tick().await;
        for gateway in &gateways {
            for (instance, address) in instances(gateway.url()).await {
                match ask(&client, address).await {
                    Ok(samples) => {
                        let now = jiff::Timestamp::now().as_second();
                        shared.change(Place::Figures, |world| {
                            world.traffic.take(&instance, samples, now);
                        });
                    }
                    Err(error) => tracing::warn!(gateway = instance, error, "its figures cannot be read"),
                }
            }
        }
        if let Some(file) = &file {
            file.save(&shared).await;
        }
    }
}

/// Every gateway behind a URL, by its address.
async fn instances(url: &Url) -> Vec<(String, Url)> {
    let (Some(host), Some(port)) = (url.host_str(), url.port_or_known_default()) else {
        return Vec::new();
    };
    let Ok(addresses) = tokio::net::lookup_host((host, port)).await else {
        tracing::warn!(host, "no gateway is found under this name");
        return Vec::new();
    };
    addresses
        .filter_map(|address| {
            let mut url = url.clone();
            url.set_ip_host(address.ip()).ok()?;
            Some((address.to_string(), url))
        })
        .collect()
}

async fn ask(client: &Client, url: Url) -> Result<Vec<Sample>, String> {
    let text = |error: reqwest::Error| toolforge_model::Chain(&error).to_string();
    let mut answer = client
        .get(url)
        .send()
        .await
        .and_then(reqwest::Response::error_for_status)
        .map_err(text)?;
    let mut bytes = Vec::new();
    while let Some(part) = answer.chunk().await.map_err(text)? {
        bytes.extend_from_slice(&part);
        if bytes.len() > LARGEST_BYTES {
            return Err(format!("more than {LARGEST_BYTES} bytes"));
        }
    }
    Ok(samples(&String::from_utf8_lossy(&bytes)))
}

/// The requests in a text of figures; lines that mean something else, or nothing, are passed over.
fn samples(text: &str) -> Vec<Sample> {
    text.lines().filter_map(sample).collect()
}

fn sample(line: &str) -> Option<Sample> {
    let (labels, value) = line.strip_prefix(REQUESTS)?.split_once('}')?;
    let label = |name: &str| {
        labels.split(',').find_map(|label| {
            let (key, value) = label.split_once('=')?;
            (key == name).then(|| value.trim_matches('"').to_owned())
        })
    };
    Some(Sample {
        namespace: label("namespace")?,
        code: label("code")?,
        value: value.split_whitespace().next()?.parse().ok()?,
    })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn requests_are_found_among_other_figures() {
        let text = "# TYPE toolforge_gateway_requests counter\n\
                    toolforge_gateway_requests_total{namespace=\"tool-a\",code=\"2xx\"} 12\n\
                    toolforge_gateway_requests_total{code=\"5xx\",namespace=\"\"} 3 1700000000\n\
                    toolforge_gateway_connections 5\n\
                    toolforge_gateway_requests_total{namespace=\"tool-a\"} 7\n# EOF\n";
        let found = samples(text);
        let found: Vec<_> = found
            .iter()
            .map(|sample| (sample.namespace.as_str(), sample.code.as_str(), sample.value))
            .collect();
        assert_eq!(found, [("tool-a", "2xx", 12), ("", "5xx", 3)]);
    }

    proptest! {
        #[test]
        fn any_text_is_borne(rest in "\\PC{0,60}") {
            let _ = samples(&format!("{REQUESTS}{rest}"));
        }
    }
}
