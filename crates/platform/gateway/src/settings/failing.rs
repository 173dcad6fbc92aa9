//! What is done about endpoints that fail, as the settings file says it.

use std::time::Duration;

use serde::Deserialize;
use toolforge_model::Problems;

use crate::{exchange::FailingRule, retries::RetryRule, standing::PassRule};

/// How often one request may be sent again at most: each time it costs a tool in trouble another one.
const MOST_RETRIES: u32 = 10;
/// The most of anything else: beyond it a limit is none.
const MOST: u32 = 1_000_000;
/// How long an endpoint may be passed over at most, in seconds: an hour.
const LONGEST_SECONDS: u32 = 3600;

/// How often requests are sent again.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub struct RetriesSettings {
    /// One request, at most; 0 sends none again.
    pub per_request: u32,
    /// Those of one tool, at once and by each thread.
    pub burst: u32,
    /// Those of one tool in one second, for long and by each thread.
    pub per_second: u32,
}

impl Default for RetriesSettings {
    fn default() -> Self {
        Self {
            // What breaks more than a few connections is the request.
            per_request: 3,
            // All that were on connections of a server which restarts.
            burst: 100,
            per_second: 20,
        }
    }
}

/// When an endpoint is passed over, and for how long.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub struct PassingOverSettings {
    /// How often in a row it may break off before. One that takes no connection is passed over at once.
    pub failures: u32,
    /// How long at first, in seconds; each time twice as long as before.
    pub shortest_seconds: u32,
    /// How long at most, in seconds.
    pub longest_seconds: u32,
    /// How many of a hundred endpoints of a Service that break off, at most.
    pub most_percent: u32,
}

impl Default for PassingOverSettings {
    fn default() -> Self {
        Self {
            // A single request may be what breaks it.
            failures: 5,
            // A restart of a server takes about that long.
            shortest_seconds: 1,
            longest_seconds: 30,
            // The others are to bear what it does not get.
            most_percent: 50,
        }
    }
}

/// What follows from both.
pub(super) fn resolve(
    retries: &RetriesSettings,
    passing: &PassingOverSettings,
    problems: &mut Problems,
) -> FailingRule {
    let mut check = |field: &str, value: u32, least: u32, most: u32, way_out: &str| {
        if !(least..=most).contains(&value) {
            problems.add(field, format!("{value} is not {least} to {most}; {way_out}"));
        }
        value.clamp(least, most)
    };
    let per_second = "to send nothing again write perRequest: 0";
    let rule = FailingRule {
        retries: RetryRule {
            per_request: check(
                "retries.perRequest",
                retries.per_request,
                0,
                MOST_RETRIES,
                "a request that breaks so many connections is itself what breaks them",
            ),
            burst: check("retries.burst", retries.burst, 1, MOST, per_second),
            pause: Duration::from_secs(1)
                / check("retries.perSecond", retries.per_second, 1, MOST, per_second),
        },
        passing: PassRule {
            failures: check(
                "passingOver.failures",
                passing.failures,
                1,
                MOST,
                "to pass over none that breaks off write mostPercent: 0",
            ),
            shortest: Duration::from_secs(
                check(
                    "passingOver.shortestSeconds",
                    passing.shortest_seconds,
                    1,
                    LONGEST_SECONDS,
                    "write how long a restart of a server takes",
                )
                .into(),
            ),
            longest: Duration::from_secs(
                check(
                    "passingOver.longestSeconds",
                    passing.longest_seconds,
                    1,
                    LONGEST_SECONDS,
                    "write after how long it is worth another try at the latest",
                )
                .into(),
            ),
            most_percent: check(
                "passingOver.mostPercent",
                passing.most_percent,
                0,
                100,
                "write how many of a hundred",
            ),
        },
    };
    if passing.longest_seconds < passing.shortest_seconds {
        let problem = format!(
            "{} is less than shortestSeconds, which is {}; write that or more",
            passing.longest_seconds, passing.shortest_seconds
        );
        problems.add("passingOver.longestSeconds", problem);
    }
    rule
}

impl Default for FailingRule {
    /// As without a settings file.
    fn default() -> Self {
        resolve(
            &RetriesSettings::default(),
            &PassingOverSettings::default(),
            &mut Problems::default(),
        )
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use crate::{GatewaySettings, exchange::FailingRule};

    fn resolved(text: &str) -> Result<FailingRule, String> {
        let rules = GatewaySettings::read(text).unwrap().resolve();
        rules
            .map(|rules| rules.failing)
            .map_err(|error| error.to_string())
    }

    #[test]
    fn what_is_left_out_is_as_it_is_without_a_file() {
        assert_eq!(resolved("").unwrap(), FailingRule::default());
        assert_eq!(
            resolved("retries: {}\npassingOver: {}").unwrap(),
            FailingRule::default()
        );
        let rule = resolved("retries: { perRequest: 0 }\npassingOver: { shortestSeconds: 2 }").unwrap();
        assert_eq!((rule.retries.per_request, rule.retries.burst), (0, 100));
        assert_eq!(rule.retries.pause, Duration::from_millis(50));
        assert_eq!(rule.passing.shortest, Duration::from_secs(2));
        assert_eq!(rule.passing.longest, Duration::from_secs(30));
    }

    #[test]
    fn what_cannot_be_is_told_with_its_field_and_the_way_out() {
        let text = "retries: { perRequest: 11, burst: 0, perSecond: 0 }\n\
                    passingOver: { failures: 0, shortestSeconds: 40, longestSeconds: 4, mostPercent: 101 }";
        let error = resolved(text).unwrap_err();
        for said in [
            "retries.perRequest: 11 is not 0 to 10",
            "retries.burst: 0 is not 1 to 1000000; to send nothing again write perRequest: 0",
            "retries.perSecond: 0 is not 1 to",
            "passingOver.failures: 0 is not 1 to 1000000; to pass over none that breaks off write mostPercent: 0",
            "passingOver.longestSeconds: 4 is less than shortestSeconds, which is 40",
            "passingOver.mostPercent: 101 is not 0 to 100",
        ] {
            assert!(error.contains(said), "{said} is missing in {error}");
        }
    }
}
