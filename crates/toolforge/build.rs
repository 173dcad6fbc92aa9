//! Asks the linker for a smaller program, where the linker and the C library of this machine can do it.
//!
//! - Packed relocations: a program that may be loaded anywhere carries a list of the pointers that have to be put right, and
//!   its start reads all of it: megabytes that stay mapped. Packed (`DT_RELR`) it is a fiftieth of that.
//! - Equal functions once: each component brings its own copies of how a Pod is read from JSON, and of much else that is
//!   generic. lld finds those that are the same code, and keeps one. Only in optimised programs: in others whoever debugs
//!   would stop in functions of another name.

use std::{
    io::Write as _,
    path::Path,
    process::{Command, Stdio},
};

/// The first glibc that reads packed relocations.
const FIRST: (u32, u32) = (2, 36);
const PACKED: &str = "-Wl,-z,pack-relative-relocs";
const FOLDED: &str = "-Wl,--icf=all";

fn main() {
    println!("cargo::rerun-if-changed=build.rs");
    if of("HOST") != of("TARGET") {
        return;
    }
    if of("CARGO_CFG_TARGET_ENV") == "gnu" && glibc().is_some_and(|version| version >= FIRST) {
        println!("cargo::rustc-link-arg-bins={PACKED}");
    }
    if of("PROFILE") == "release" && linker_takes(FOLDED) {
        println!("cargo::rustc-link-arg-bins={FOLDED}");
    }
}

fn of(name: &str) -> String {
    std::env::var(name).unwrap_or_default()
}

/// The version of this machine's C library, where it is glibc.
fn glibc() -> Option<(u32, u32)> {
    let told = Command::new("getconf").arg("GNU_LIBC_VERSION").output().ok()?;
    let text = String::from_utf8(told.stdout).ok()?;
    let (major, minor) = text.trim().strip_prefix("glibc ")?.split_once('.')?;
    Some((major.parse().ok()?, minor.parse().ok()?))
}

/// Whether the linker that will be used knows an option: it is asked to link a program that does nothing.
fn linker_takes(option: &str) -> bool {
    let mut compiler = Command::new(of("RUSTC"));
    compiler.args(["--crate-type=bin", "--edition=2024", "-", "-C"]);
    compiler.arg(format!("link-arg={option}"));
    compiler.arg("-o").arg(Path::new(&of("OUT_DIR")).join("linked"));
    let linker = of("RUSTC_LINKER");
    if !linker.is_empty() {
        compiler.arg("-C").arg(format!("linker={linker}"));
    }
    let flags = of("CARGO_ENCODED_RUSTFLAGS");
    compiler.args(flags.split('\x1f').filter(|flag| !flag.is_empty()));
    compiler
        .stdin(Stdio::piped())
        .stdout(Stdio::null())
        .stderr(Stdio::null());
    let Ok(mut running) = compiler.spawn() else {
        return false;
    };
    let written = running
        .stdin
        .take()
        .is_some_and(|mut program| program.write_all(b"fn main() {}").is_ok());
    written && running.wait().is_ok_and(|end| end.success())
}
