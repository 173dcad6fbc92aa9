//! What a cell of Grid Engine is made of: its files, as text.

use std::path::Path;

use super::GridUser;

/// What every program of the cell is run with.
pub(super) fn environment(folder: &Path, unpacked: &Path, ports: [u16; 2]) -> Vec<(&'static str, String)> {
    let own = |name: &str| folder.join(name).display().to_string();
    let library = |name: &str| unpacked.join("lib").join(name).display().to_string();
    let [master, machine] = ports;
    vec![
        ("SGE_ROOT", own("root")),
        ("SGE_CELL", "default".to_owned()),
        ("SGE_ARCH", "lx-amd64".to_owned()),
        ("SGE_QMASTER_PORT", master.to_string()),
        ("SGE_EXECD_PORT", machine.to_string()),
        ("LD_LIBRARY_PATH", library("gridengine")),
        // Users and names of hosts that are in no file of the machine.
        ("LD_PRELOAD", library("lx-amd64/libnss_wrapper.so")),
        ("NSS_WRAPPER_PASSWD", own("passwd")),
        ("NSS_WRAPPER_GROUP", own("group")),
        ("NSS_WRAPPER_HOSTS", own("hosts")),
    ]
}

/// Writes what is there before the first program runs.
pub(super) fn write(folder: &Path, unpacked: &Path, users: &[GridUser]) {
    let write = |name: &str, text: String| std::fs::write(folder.join(name), text).unwrap();
    for name in [
        "root/default/common",
        "root/util",
        "spool/qmaster/job_scripts",
        "spool/execd",
    ] {
        std::fs::create_dir_all(folder.join(name)).unwrap();
    }
    let shared = unpacked.join("share/gridengine");
    for name in ["util/arch", "util/arch_variables"] {
        std::fs::copy(shared.join(name), folder.join("root").join(name)).unwrap();
    }
    std::fs::copy(
        unpacked.join("lib/gridengine/libspoolc.so"),
        folder.join("libspoolc.so"),
    )
    .unwrap();
    let mut passwd = vec!["root:x:0:0:root:/root:/bin/sh\n".to_owned()];
    let mut group = vec!["root:x:0:\n".to_owned()];
    for GridUser { name, id, home } in users {
        passwd.push(format!("{name}:x:{id}:{id}::{}:/bin/sh\n", home.display()));
        group.push(format!("{name}:x:{id}:\n"));
    }
    write("passwd", passwd.concat());
    write("group", group.concat());
    let machine = rustix::system::uname().nodename().to_string_lossy().into_owned();
    write("hosts", format!("127.0.0.1 localhost {machine}\n"));
    write("root/default/common/act_qmaster", "localhost\n".to_owned());
    write("root/default/common/bootstrap", bootstrap(folder, unpacked));
    let defaults = std::fs::read_to_string(shared.join("default-configuration")).unwrap();
    write("configuration", configuration(&defaults, folder));
}

/// The programs that lay the cell's files out, with their arguments.
pub(super) fn spooling(folder: &Path, unpacked: &Path) -> [(&'static str, Vec<String>); 5] {
    let shared = unpacked.join("share/gridengine/util/resources");
    let words = |words: [&str; 2]| words.map(ToOwned::to_owned).to_vec();
    let init = ["classic", &library(folder), &spools(folder), "init"].map(ToOwned::to_owned);
    [
        ("spoolinit", init.to_vec()),
        (
            "spooldefaults.bin",
            words([
                "configuration",
                &folder.join("configuration").display().to_string(),
            ]),
        ),
        (
            "spooldefaults.bin",
            words(["complexes", &shared.join("centry").display().to_string()]),
        ),
        (
            "spooldefaults.bin",
            words(["usersets", &shared.join("usersets").display().to_string()]),
        ),
        ("spooldefaults.bin", words(["managers", "root"])),
    ]
}

/// The spooling library, seen from the only folder in which it is looked for.
fn library(folder: &Path) -> String {
    format!("../../..{}/libspoolc", folder.display())
}

fn spools(folder: &Path) -> String {
    let folder = folder.display();
    format!("{folder}/root/default/common;{folder}/spool/qmaster")
}

fn bootstrap(folder: &Path, unpacked: &Path) -> String {
    format!(
        "Version: 6.2\n\
         admin_user none\n\
         default_domain none\n\
         ignore_fqdn false\n\
         spooling_method classic\n\
         spooling_lib {library}\n\
         spooling_params {spools}\n\
         binary_path {programs}/lib/gridengine\n\
         qmaster_spool_dir {folder}/spool/qmaster\n\
         security_mode none\n\
         listener_threads 2\n\
         worker_threads 2\n\
         scheduler_threads 1\n",
        library = library(folder),
        spools = spools(folder),
        programs = unpacked.display(),
        folder = folder.display(),
    )
}

/// The package's configuration for a machine that reports quickly, writes no mail, and gives jobs nothing of its own
/// environment.
fn configuration(defaults: &str, folder: &Path) -> String {
    let spool = folder.join("spool/execd").display().to_string();
    with(
        defaults,
        &[
            ("execd_spool_dir", &spool),
            ("mailer", "/bin/true"),
            ("load_report_time", "00:00:01"),
            ("execd_params", "INHERIT_ENV=false"),
            (
                "reporting_params",
                "accounting=false reporting=false flush_time=00:00:15 joblog=false sharelog=00:00:00",
            ),
        ],
    )
}

/// A queue on the one machine, out of the package's template: however busy the machine is, jobs run.
pub(super) fn queue(template: &str, name: &str) -> String {
    with(
        template,
        &[
            ("qname", name),
            ("hostlist", "localhost"),
            ("load_thresholds", "NONE"),
            ("pe_list", "NONE"),
            ("qtype", "BATCH"),
            ("slots", "10"),
        ],
    )
}

/// A scheduler that looks at once when a job comes or goes.
pub(super) fn scheduler(defaults: &str) -> String {
    with(
        defaults,
        &[
            ("schedule_interval", "0:0:1"),
            ("flush_submit_sec", "1"),
            ("flush_finish_sec", "1"),
        ],
    )
}

/// Text of lines `KEY VALUE` with other values for these keys.
fn with(text: &str, values: &[(&str, &str)]) -> String {
    let line = |line: &str| {
        let key = line.split_whitespace().next().unwrap_or_default();
        match values.iter().find(|(known, _)| *known == key) {
            Some((key, value)) => format!("{key} {value}\n"),
            None => format!("{line}\n"),
        }
    };
    text.lines().map(line).collect::<Vec<_>>().concat()
}
