//! Jobs and `CronJobs` as a maintainer uses them: real `kubectl`, real processes.

use serde_json::json;
use toolforge_testkit::Scratch;

const PROGRAM: &str = env!("CARGO_BIN_EXE_toolforge");
const IMAGE: &str = "--image=docker-registry.tools.wmflabs.org/toolforge-static-sssd-web:latest";

#[test]
fn a_job_runs_to_its_end_and_shows_its_log() {
    let scratch = Scratch::new(PROGRAM);
    let _platform = scratch.start(&[]);
    let kubectl = |arguments: &[&str]| scratch.kubectl_as("hello", arguments).ok();
    let complete = |job: &str| {
        kubectl(&["wait", "--for=condition=complete", job, "--timeout=60s"]);
    };

    let command = "echo counted $((6 * 7)) for $HOSTNAME";
    kubectl(&["create", "job", "sum", IMAGE, "--", "sh", "-c", command]);
    complete("job/sum");
    let log = kubectl(&["logs", "job/sum"]);
    assert!(log.contains("counted 42"), "{log}");
    let listed = kubectl(&["get", "job", "sum"]);
    assert!(listed.contains("Complete") && listed.contains("1/1"), "{listed}");
    let described = kubectl(&["describe", "job", "sum"]);
    assert!(
        described.contains("SuccessfulCreate") && described.contains("Completed"),
        "{described}"
    );

    kubectl(&[
        "create",
        "cronjob",
        "tick",
        IMAGE,
        "--schedule=0 0 1 1 *",
        "--",
        "true",
    ]);
    kubectl(&["create", "job", "now", "--from=cronjob/tick"]);
    complete("job/now");

    // kubectl deletes in the background, and the Pods go with their Jobs.
    kubectl(&["delete", "job", "sum", "now"]);
    kubectl(&["wait", "--for=delete", "pod", "-l", "job-name", "--timeout=60s"]);
}

#[test]
fn an_indexed_job_names_the_index_that_failed() {
    let scratch = Scratch::new(PROGRAM);
    let _platform = scratch.start(&[]);
    let kubectl = |arguments: &[&str]| scratch.kubectl_as("hello", arguments).ok();
    let image = IMAGE.trim_start_matches("--image=");
    let container = json!({
        "name": "main", "image": image, "command": ["sh", "-c", "test $JOB_COMPLETION_INDEX -ne 1"],
    });
    let job = json!({
        "apiVersion": "batch/v1", "kind": "Job", "metadata": {"name": "grid"},
        "spec": {
            "completions": 3, "parallelism": 3, "completionMode": "Indexed", "backoffLimitPerIndex": 0,
            "template": {"spec": {"restartPolicy": "Never", "containers": [container]}},
        },
    });
    let file = scratch.path().join("job.json");
    std::fs::write(&file, job.to_string()).expect("the scratch folder can be written");
    kubectl(&["apply", "-f", &file.to_string_lossy()]);
    kubectl(&["wait", "--for=condition=failed", "job/grid", "--timeout=60s"]);
    let told = "jsonpath={.status.completedIndexes} {.status.failedIndexes} {.status.conditions[-1].reason}";
    assert_eq!(
        kubectl(&["get", "job", "grid", "-o", told]),
        "0,2 1 FailedIndexes"
    );
}
