//! The account service between a real directory and a real API: what operators and maintainers see.
#![expect(
    clippy::unwrap_used,
    clippy::panic,
    reason = "a test that cannot go on has failed"
)]

/// Makes each case a test against Debian's slapd and one against the embedded server.
macro_rules! on_both {
    ($($case:ident),+ $(,)?) => {
        $crate::on_both!(@ slapd Slapd $($case)+);
        $crate::on_both!(@ embedded Embedded $($case)+);
    };
    (@ $module:ident $which:ident $($case:ident)+) => {
        mod $module {
            $(
                #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
                async fn $case() {
                    if $crate::servers::Which::all().contains(&$crate::servers::Which::$which) {
                        super::$case($crate::servers::Which::$which).await;
                    }
                }
            )+
        }
    };
}
use on_both;

mod accounts;
mod credentials;
mod directory;
mod dry_run;
mod election;
mod held;
mod killed;
mod lifecycle;
mod observer;
mod original;
mod refused;
mod running;
mod scratch;
mod servers;
mod slapd;
