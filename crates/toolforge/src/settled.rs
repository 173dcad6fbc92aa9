//! Gives back the code that only the start of the program needed.
//!
//! Whatever code was run once stays mapped, with its neighbours, and counts as memory of the process. Most of what a start runs is
//! not run again. When the process has settled its code is unmapped once; the kernel maps again what is needed, from memory
//! where the file still is, sixteen pages at a time.

use std::{fs, io, ops::Range, time::Duration};

use tokio_util::sync::CancellationToken;

/// When a start is over: it takes tenths of a second, and longer only with thousands of accounts to make.
const SETTLED: Duration = Duration::from_secs(5);

/// Waits until the process has settled, and gives its code back then.
pub(crate) async fn give_back(stop: CancellationToken) {
    if stop
        .run_until_cancelled(tokio::time::sleep(SETTLED))
        .await
        .is_some()
        && let Err(problem) = give_back_now()
    {
        tracing::debug!(%problem, "the code of the start stays mapped");
    }
}

fn give_back_now() -> io::Result<()> {
    for range in own_code()? {
        unmap(range)?;
    }
    Ok(())
}

/// Where the code of this program is mapped.
fn own_code() -> io::Result<Vec<Range<usize>>> {
    let program = fs::read_link("/proc/self/exe")?;
    let mappings = fs::read_to_string("/proc/self/smaps")?;
    Ok(code_of(&program.to_string_lossy(), &mappings))
}

/// The mappings of a program that can be run, cannot be written, and are as the file has them: a page that a debugger has
/// changed is no longer of the file.
fn code_of(program: &str, mappings: &str) -> Vec<Range<usize>> {
    let mut found = Vec::new();
    let mut range = None;
    for line in mappings.lines() {
        if let Some(mapping) = mapping(line) {
            range = Some(mapping)
                .filter(|(_, access, file)| *access == "r-xp" && *file == program)
                .map(|(range, ..)| range);
        } else if line.strip_prefix("Anonymous:").map(str::trim) == Some("0 kB") {
            found.extend(range.take());
        }
    }
    found
}

/// The first line of a mapping: where it is, how it may be used, and of which file.
fn mapping(line: &str) -> Option<(Range<usize>, &str, &str)> {
    let (range, rest) = line.split_once(' ')?;
    let (from, to) = range.split_once('-')?;
    let address = |text| usize::from_str_radix(text, 16).ok();
    let (access, rest) = rest.split_once(' ')?;
    // Place in the file, device and inode come before the name, which may have spaces.
    let file = rest.splitn(4, ' ').nth(3)?.trim_start();
    Some((address(from)?..address(to)?, access, file))
}

#[expect(unsafe_code, reason = "there is no safe word for unmapping memory")]
fn unmap(range: Range<usize>) -> io::Result<()> {
    let address = std::ptr::without_provenance_mut(range.start);
    // SAFETY: the range is a private mapping of a file that cannot be written, and has not been: what is read there afterwards is
    // what was there before. The file of a program that runs does not change.
    match unsafe { libc::madvise(address, range.len(), libc::MADV_DONTNEED) } {
        0 => Ok(()),
        _ => Err(io::Error::last_os_error()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn code_is_found_that_is_as_the_file_has_it() {
        let mappings = "\
1000-2000 r--p 00000000 fe:00 7                          /opt/tool forge
Anonymous:             0 kB
2000-a000 r-xp 00001000 fe:00 7                          /opt/tool forge
Rss:                  16 kB
Anonymous:             0 kB
a000-b000 r-xp 00009000 fe:00 7                          /opt/tool forge
Anonymous:             4 kB
b000-c000 r-xp 00000000 fe:00 8                          /lib/libc.so.6
Anonymous:             0 kB
c000-d000 rw-p 00000000 00:00 0 
Anonymous:             0 kB
";
        let found = code_of("/opt/tool forge", mappings);
        assert_eq!((found.len(), found.first()), (1, Some(&(0x2000..0xa000))));
        assert!(code_of("/opt/other", mappings).is_empty());
    }

    /// Kilobytes of code that are mapped.
    fn mapped() -> u64 {
        let code = own_code().unwrap();
        let mappings = fs::read_to_string("/proc/self/smaps").unwrap();
        let mut within = false;
        let mut sizes = Vec::new();
        for line in mappings.lines() {
            if let Some((range, ..)) = mapping(line) {
                within = code.contains(&range);
            } else if let Some(size) = line.strip_prefix("Rss:").filter(|_| within) {
                sizes.push(size.trim().trim_end_matches(" kB").parse::<u64>().unwrap());
            }
        }
        sizes.into_iter().sum()
    }

    #[test]
    fn a_program_goes_on_with_less_code_mapped() {
        let before = mapped();
        give_back_now().unwrap();
        let after = mapped();
        assert!((1..before).contains(&after), "{before} and then {after} kB");
    }
}
