//! How much is used of what shall be used: exact, as a fraction, so that no rounding of floating-point numbers adds a Pod.

use k8s_openapi::api::autoscaling::v2::{HPAScalingRules, HorizontalPodAutoscalerBehavior};
use toolforge_model::Quantity;

/// Billionths in one.
const ONE: i128 = 1_000_000_000;
/// How far use may be from its target before anything is done: Kubernetes' `--horizontal-pod-autoscaler-tolerance`, 10 %.
const TOLERANCE: i128 = ONE / 10;

/// A fraction; the denominator is above 0.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Ratio {
    used: i128,
    wanted: i128,
}

impl Ratio {
    /// `used` of `wanted`, which counts as 1 where it is not above 0.
    pub(crate) fn new(used: i64, wanted: i64) -> Self {
        Self {
            used: used.into(),
            wanted: i128::from(wanted).max(1),
        }
    }

    /// Whether less is used than shall be.
    pub(crate) fn is_below(self) -> bool {
        self.used < self.wanted
    }

    /// Whether more is used than shall be.
    pub(crate) fn is_above(self) -> bool {
        self.used > self.wanted
    }

    /// That many times the ratio, rounded up.
    pub(crate) fn of(self, count: usize) -> i64 {
        let count = i128::try_from(count).unwrap_or(i128::MAX);
        let product = self.used.saturating_mul(count);
        let whole = product / self.wanted + i128::from(product % self.wanted > 0);
        i64::try_from(whole).unwrap_or(i64::MAX)
    }
}

/// How far use may be from its target, in billionths.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Tolerance {
    up: i128,
    down: i128,
}

impl Tolerance {
    /// What a behavior says, and else Kubernetes' value.
    pub(crate) fn of(behavior: Option<&HorizontalPodAutoscalerBehavior>) -> Self {
        let said = |rules: Option<&HPAScalingRules>| {
            let said = rules.and_then(|rules| rules.tolerance.as_ref());
            let said = said.and_then(|said| said.0.parse::<Quantity>().ok());
            said.map_or(TOLERANCE, Quantity::nanos)
        };
        Self {
            up: said(behavior.and_then(|behavior| behavior.scale_up.as_ref())),
            down: said(behavior.and_then(|behavior| behavior.scale_down.as_ref())),
        }
    }

    /// Whether nothing needs to be done.
    pub(crate) fn bears(self, ratio: Ratio) -> bool {
        let used = ratio.used.saturating_mul(ONE);
        let bound = |share: i128| ratio.wanted.saturating_mul(share);
        used >= bound(ONE - self.down) && used <= bound(ONE + self.up)
    }
}
