use std::process::Command;

use super::*;

#[test]
fn a_job_runs_as_its_user() {
    let home = tempfile::tempdir().unwrap();
    let id = 52_777;
    std::os::unix::fs::chown(home.path(), Some(id), Some(id)).unwrap();
    let user = GridUser {
        name: "tools.someone".to_owned(),
        id,
        home: home.path().to_owned(),
    };
    let grid = GridEngine::start(&["web"], &[user]);
    let said = home.path().join("said");
    let mut submit = Command::new("setpriv");
    submit
        .args(["--reuid", "52777", "--regid", "52777", "--clear-groups"])
        .arg(grid.bin().join("qsub"))
        .args(["-q", "web", "-b", "y", "-j", "y", "-o"])
        .arg(&said)
        .args(["/usr/bin/id", "-u"]);
    Outcome::of(&mut submit).ok();
    eventually("the job", || match std::fs::read_to_string(&said) {
        Ok(text) if text.trim() == "52777" => Ok(()),
        other => Err(format!("{other:?} {:?}", grid.run("qstat", &["-u", "*"]))),
    });
}
