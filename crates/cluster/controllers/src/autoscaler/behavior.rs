//! From what the metrics ask for to what is done: stabilization, rates and bounds. Pure.
//!
//! Source: <https://kubernetes.io/docs/concepts/workloads/autoscaling/horizontal-pod-autoscale/#configurable-scaling-behavior>.

use jiff::{SignedDuration, Timestamp};
use k8s_openapi::api::autoscaling::v2::{HPAScalingRules, HorizontalPodAutoscalerBehavior};

/// How long the highest recommendation holds against fewer replicas, where nothing else is said: Kubernetes'
/// `--horizontal-pod-autoscaler-downscale-stabilization`.
const DOWNSCALE_STABILIZATION_SECONDS: i32 = 300;
/// Without a behavior replicas may double at a time, or become this many.
const FIRST_STEP: i64 = 4;
/// As far back as any rule may look: changes and recommendations before are forgotten.
const LONGEST: SignedDuration = SignedDuration::from_hours(1);

/// What was recommended and done before.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct History {
    recommendations: Vec<(Timestamp, i64)>,
    /// Replicas that were added, and those that were taken away (below 0).
    changes: Vec<(Timestamp, i64)>,
}

impl History {
    /// Begins with what there is, so that nothing is taken away before it has been looked at for long enough.
    pub(crate) fn begin(&mut self, replicas: i64, now: Timestamp) {
        if self.recommendations.is_empty() {
            self.recommendations.push((now, replicas));
        }
    }

    /// Remembers a change of the number of replicas.
    pub(crate) fn changed(&mut self, by: i64, now: Timestamp) {
        self.changes.retain(|(at, _)| *at > now - LONGEST);
        self.changes.push((now, by));
    }

    fn recommended(&mut self, replicas: i64, now: Timestamp) {
        self.recommendations.retain(|(at, _)| *at > now - LONGEST);
        self.recommendations.push((now, replicas));
    }

    /// Those of the last seconds.
    fn since(&self, seconds: i32, now: Timestamp) -> impl Iterator<Item = i64> {
        let cutoff = now - SignedDuration::from_secs(seconds.into());
        let all = self.recommendations.iter();
        all.filter(move |(at, _)| *at > cutoff)
            .map(|(_, replicas)| *replicas)
    }

    /// Replicas `seconds` ago, by what was changed since.
    fn before(&self, seconds: i32, replicas: i64, now: Timestamp) -> i64 {
        let cutoff = now - SignedDuration::from_secs(seconds.into());
        let changes = self.changes.iter().filter(|(at, _)| *at > cutoff);
        replicas - changes.map(|(_, by)| by).sum::<i64>()
    }
}

/// Numbers of replicas.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Numbers {
    /// As many as there shall be at the moment.
    pub(crate) current: i64,
    /// As many as the metrics ask for.
    pub(crate) asked: i64,
    /// The least that are allowed.
    pub(crate) least: i64,
    /// The most that are allowed.
    pub(crate) most: i64,
}

/// A reason and its sentence.
pub(crate) type Why = (&'static str, &'static str);

/// What is done, and why not more or less.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Decision {
    /// How many replicas there shall be.
    pub(crate) replicas: i64,
    /// What the past says.
    pub(crate) stabilized: Why,
    /// Whether rates or bounds say otherwise than metrics and past.
    pub(crate) is_limited: bool,
    /// What rates and bounds say.
    pub(crate) limited: Why,
}

const READY: Why = ("ReadyForNewScale", "recommended size matches current size");
const DOWN_STABILIZED: Why = (
    "ScaleDownStabilized",
    "recent recommendations were higher than current one, applying the highest recent recommendation",
);
const UP_STABILIZED: Why = (
    "ScaleUpStabilized",
    "recent recommendations were lower than current one, applying the lowest recent recommendation",
);
const WITHIN: Why = (
    "DesiredWithinRange",
    "the desired count is within the acceptable range",
);
const TOO_FAST_UP: Why = (
    "ScaleUpLimit",
    "the desired replica count is increasing faster than the maximum scale rate",
);
const TOO_FAST_DOWN: Why = (
    "ScaleDownLimit",
    "the desired replica count is decreasing faster than the maximum scale rate",
);
const TOO_MANY: Why = (
    "TooManyReplicas",
    "the desired replica count is more than the maximum replica count",
);
const TOO_FEW: Why = (
    "TooFewReplicas",
    "the desired replica count is less than the minimum replica count",
);

/// Decides, and remembers what was asked for.
pub(crate) fn decide(
    behavior: Option<&HorizontalPodAutoscalerBehavior>,
    numbers: Numbers,
    history: &mut History,
    now: Timestamp,
) -> Decision {
    let up = behavior.and_then(|behavior| behavior.scale_up.as_ref());
    let down = behavior.and_then(|behavior| behavior.scale_down.as_ref());
    let stable = stabilize(behavior, numbers, history, now);
    history.recommended(numbers.asked, now);
    let stabilized = if stable == numbers.asked {
        READY
    } else if behavior.is_some() && numbers.asked >= numbers.current {
        UP_STABILIZED
    } else {
        DOWN_STABILIZED
    };
    let numbers = Numbers {
        asked: stable,
        ..numbers
    };
    let (replicas, limited) = match behavior {
        None => bounded(numbers),
        Some(_) => at_rates(up, down, numbers, history, now),
    };
    Decision {
        replicas,
        stabilized,
        is_limited: replicas != stable,
        limited,
    }
}

/// Not below the highest and not above the lowest of the recent recommendations. Without a behavior it is the highest,
/// whatever there is at the moment.
fn stabilize(
    behavior: Option<&HorizontalPodAutoscalerBehavior>,
    numbers: Numbers,
    history: &History,
    now: Timestamp,
) -> i64 {
    let window = |rules: Option<&HPAScalingRules>| rules.and_then(|rules| rules.stabilization_window_seconds);
    let down = window(behavior.and_then(|behavior| behavior.scale_down.as_ref()));
    let down = down.unwrap_or(DOWNSCALE_STABILIZATION_SECONDS);
    let highest = history.since(down, now).fold(numbers.asked, i64::max);
    let Some(behavior) = behavior else {
        return highest;
    };
    let up = window(behavior.scale_up.as_ref()).unwrap_or(0);
    let lowest = history.since(up, now).fold(numbers.asked, i64::min);
    numbers.current.max(lowest).min(highest)
}

/// Bounds where no behavior is given.
fn bounded(numbers: Numbers) -> (i64, Why) {
    let fastest = (2 * numbers.current).max(FIRST_STEP);
    let (most, why) = if numbers.most > fastest {
        (fastest, TOO_FAST_UP)
    } else {
        (numbers.most, TOO_MANY)
    };
    if numbers.asked < numbers.least {
        (numbers.least, TOO_FEW)
    } else if numbers.asked > most {
        (most, why)
    } else {
        (numbers.asked, WITHIN)
    }
}

/// Bounds, and the rates that a behavior allows.
fn at_rates(
    up: Option<&HPAScalingRules>,
    down: Option<&HPAScalingRules>,
    numbers: Numbers,
    history: &History,
    now: Timestamp,
) -> (i64, Why) {
    let Numbers {
        current,
        asked,
        least,
        most,
    } = numbers;
    if asked > current {
        let fastest = limit(up, current, history, now, true).max(current);
        let (most, why) = if most > fastest {
            (fastest, TOO_FAST_UP)
        } else {
            (most, TOO_MANY)
        };
        if asked > most {
            return (most, why);
        }
    } else if asked < current {
        let fastest = limit(down, current, history, now, false).min(current);
        let (least, why) = if least < fastest {
            (fastest, TOO_FAST_DOWN)
        } else {
            (least, TOO_FEW)
        };
        if asked < least {
            return (least, why);
        }
    }
    (asked, WITHIN)
}

/// As far as the policies let it go.
fn limit(rules: Option<&HPAScalingRules>, current: i64, history: &History, now: Timestamp, up: bool) -> i64 {
    let Some(rules) = rules else {
        return if up { i64::MAX } else { i64::MIN };
    };
    let selected = rules.select_policy.as_deref().unwrap_or("Max");
    if selected == "Disabled" {
        return current;
    }
    let limits = rules.policies.iter().flatten().map(|policy| {
        let start = history.before(policy.period_seconds, current, now);
        let value = i64::from(policy.value);
        match (policy.type_.as_str(), up) {
            ("Percent", true) => (start * (100 + value) + 99) / 100,
            ("Percent", false) => start * (100 - value) / 100,
            (_, true) => start + value,
            (_, false) => start - value,
        }
    });
    let furthest = if (selected == "Min") == up {
        limits.min()
    } else {
        limits.max()
    };
    furthest.unwrap_or(current)
}
