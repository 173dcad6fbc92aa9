//! `cargo xtask gen`: writes the generated files anew. The published definitions come from the Python package index; only facts
//! drawn from them are kept. What the types of `k8s-openapi` say of themselves is asked by a test that has them.

use std::{fs, process::Command};

use anyhow::Context as _;

use crate::{gen_patch_facts, gen_wire, process};

/// The package that carries Kubernetes' own definitions, list types and merge keys included.
const DEFINITIONS: &str = "kubernetes-validate==1.37.*";
/// The table that patches go by.
const PATCH_FACTS: &str = "crates/cluster/patch/src/facts.txt";
/// Holds the table of structures against the types, or writes it.
const SHAPES_TEST: &str = "the_table_of_shapes_is_what_the_types_say";

pub(crate) fn run() -> anyhow::Result<()> {
    let work = tempfile::tempdir()?;
    let download = [
        "-m",
        "pip",
        "download",
        "--quiet",
        "--no-deps",
        "--dest",
        ".",
        DEFINITIONS,
    ];
    process::run(Command::new("python3").args(download).current_dir(work.path()))?;
    let wheel = fs::read_dir(work.path())?
        .filter_map(Result::ok)
        .map(|entry| entry.path())
        .find(|path| path.extension().is_some_and(|extension| extension == "whl"))
        .context("pip downloaded no wheel")?;
    process::run(
        Command::new("python3")
            .args(["-m", "zipfile", "-e"])
            .arg(wheel)
            .arg("unpacked")
            .current_dir(work.path()),
    )?;
    let document = work
        .path()
        .join("unpacked/kubernetes_validate/kubernetes-json-schema/v1.37.0-local/_definitions.json");
    let definitions = serde_json::from_str(&fs::read_to_string(&document).context("the definitions moved")?)?;
    let target = process::root().join(PATCH_FACTS);
    fs::write(&target, gen_patch_facts::render(&definitions)?)?;
    println!("wrote {}", target.display());
    gen_wire::run()?;
    process::run(
        process::cargo()
            .args(["test", "--package", "toolforge-kinds", "--lib", SHAPES_TEST])
            .env("TOOLFORGE_WRITE_SHAPES", "1"),
    )
}
