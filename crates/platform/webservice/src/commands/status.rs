//! `webservice status`. Its first line is as it has always been, for scripts; it never says that something runs
//! that does not.

use futures::FutureExt as _;
use jiff::Timestamp;

use super::{intent::Intent, on_grid};
use crate::{
    cli::StatusArgs,
    error::WebserviceError,
    home_files::HomeFiles,
    look::{look, usage},
    manifest,
    platform::Platform,
    report::{LastError, Measure, Report, State, differences, report},
    scene::Moment,
    session::Session,
    settings::{Backend, Settings},
};

pub(super) async fn run(session: &Session, given: &StatusArgs) -> Result<(), WebserviceError> {
    let arguments = given.output;
    if Intent::of_what_is_there(session, &given.settings).backend()? == Backend::Gridengine {
        return on_grid::status(session, arguments).await;
    }
    let (scene, platform, usage) = futures::try_join!(
        look(session),
        Platform::read(&session.client),
        usage(session).map(Ok)
    )?;
    let moment = Moment::now();
    let mut report = report(
        &session.tool,
        platform.url_of(&session.tool),
        &scene,
        &usage,
        moment,
    );
    if let Some(deployment) = &scene.deployment {
        // One that cannot be read says nothing; `start` tells what is wrong with it.
        let manifest = manifest::read(&HomeFiles::new(&session.home)).unwrap_or_default();
        report.differs_from_manifest = differences(&manifest, &Settings::of(deployment));
    }
    if let Some(format) = arguments.output {
        return format.print(&report);
    }
    anstream::print!("{}", told(&report, moment.now));
    Ok(())
}

/// The report, for people.
pub(super) fn told(report: &Report, now: Timestamp) -> String {
    let kind = report.kind.as_deref().unwrap_or("unknown");
    let backend = report.backend;
    let first = match report.state {
        State::Stopped => return "Your webservice is not running\n".to_owned(),
        State::Failed => format!("Your webservice of type {kind} does not come up on backend {backend}"),
        State::Starting | State::Running => {
            format!("Your webservice of type {kind} is running on backend {backend}")
        }
    };
    let mut lines = vec![first];
    let mut row = |name: &str, value: String| lines.push(format!("  {name:<10} {value}"));
    if let Some(now) = report.now {
        row("now", now.to_owned());
    }
    if let Some(problem) = &report.problem {
        if report.older_version_serves {
            row(
                "beware",
                "the newest version does not come up; what serves is the one before".to_owned(),
            );
        }
        row("why", problem.reason.clone());
        row("next", problem.next.clone());
    }
    if let Some(since) = report.since {
        row("since", when(since, now));
    }
    row(
        "replicas",
        format!(
            "{} ready of {}, {}",
            report.replicas_ready,
            report.replicas_wanted,
            times(report.restarts)
        ),
    );
    row("cpu", measured(report.cpu, &cores));
    row("memory", measured(report.memory, &mebibytes));
    if let Some(error) = &report.last_error {
        row("last error", last_error(error, now));
    }
    for differs in &report.differs_from_manifest {
        let shown = |value: &Option<String>| value.clone().unwrap_or_else(|| "the default".to_owned());
        row(
            "differs",
            format!(
                "{} is {}, and service.manifest says {}",
                differs.setting,
                shown(&differs.running),
                shown(&differs.manifest)
            ),
        );
    }
    row("url", report.url.clone());
    lines.push(String::new());
    lines.join("\n")
}

fn times(restarts: i32) -> String {
    match restarts {
        1 => "1 restart".to_owned(),
        count => format!("{count} restarts"),
    }
}

fn last_error(error: &LastError, now: Timestamp) -> String {
    let at = error
        .at
        .map_or_else(String::new, |at| format!(", {}", when(at, now)));
    format!("{} in {}{at}", error.reason, error.pod)
}

/// A time, and how long ago it was in the largest two units.
fn when(then: Timestamp, now: Timestamp) -> String {
    let stamp = then.strftime("%Y-%m-%d %H:%M:%S UTC");
    let seconds = now.duration_since(then).as_secs().max(0);
    let ago = match seconds {
        0..60 => format!("{seconds} s"),
        60..3600 => format!("{} min", seconds / 60),
        3600..86_400 => format!("{} h {} min", seconds / 3600, seconds % 3600 / 60),
        _ => format!("{} d {} h", seconds / 86_400, seconds % 86_400 / 3600),
    };
    format!("{stamp} ({ago} ago)")
}

fn measured(measure: Measure, shown: &dyn Fn(i64) -> String) -> String {
    let used = measure.used.map_or_else(|| "not measured".to_owned(), shown);
    match measure.limit {
        Some(limit) => format!("{used}, limit {}", shown(limit)),
        None => format!("{used}, no limit"),
    }
}

fn cores(millis: i64) -> String {
    format!("{millis}m")
}

fn mebibytes(bytes: i64) -> String {
    format!("{} MiB", bytes >> 20)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_told_in_units_that_people_use() {
        let now: Timestamp = "2026-01-03T12:00:00Z".parse().unwrap();
        for (then, ago) in [
            ("2026-01-03T11:59:30Z", "30 s"),
            ("2026-01-03T11:30:00Z", "30 min"),
            ("2026-01-03T09:29:00Z", "2 h 31 min"),
            ("2026-01-01T11:00:00Z", "2 d 1 h"),
            ("2026-01-03T12:00:09Z", "0 s"),
        ] {
            let told = when(then.parse().unwrap(), now);
            assert!(told.ends_with(&format!("({ago} ago)")), "{told}");
        }
    }

    #[test]
    fn what_is_not_measured_is_said_to_be_so() {
        let measure = Measure {
            used: None,
            limit: Some(512 << 20),
        };
        assert_eq!(measured(measure, &mebibytes), "not measured, limit 512 MiB");
        assert_eq!(measured(Measure::default(), &cores), "not measured, no limit");
    }
}
