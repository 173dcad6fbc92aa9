//! `toolforge cluster backup`: fetches all objects of the running platform, at one revision, into a file.

use std::{
    fs::File,
    io::Write as _,
    os::unix::fs::OpenOptionsExt as _,
    path::{Path, PathBuf},
    time::Duration,
};

use anyhow::{Context as _, bail};
use futures::AsyncReadExt as _;
use indicatif::{HumanBytes, ProgressBar, ProgressStyle};

use crate::{tool, up::layout::Layout};

/// Read at a time, in bytes.
const PIECE_BYTES: usize = 256 << 10;
/// How often the spinner moves.
const TICK: Duration = Duration::from_millis(100);

pub(super) fn run(file: &Path, layout: &Layout) -> anyhow::Result<()> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()?;
    let draft = Draft::beside(file)?;
    runtime.block_on(async {
        tokio::select! {
            fetched = fetch(&draft, layout) => fetched,
            _ = tokio::signal::ctrl_c() => bail!("interrupted; there is no new backup"),
        }
    })?;
    let found = toolforge_apiserver::inspect_backup(&draft.path)
        .context("what came is no whole backup; try again")?;
    let bytes = std::fs::metadata(&draft.path)?.len();
    draft.publish(file)?;
    anstream::println!(
        "{}: {} objects at revision {}, {}",
        file.display(),
        found.objects,
        found.revision,
        HumanBytes(bytes)
    );
    anstream::println!(
        "Secrets in it need {}; keep a copy of that apart from backups.",
        layout.store_key().display()
    );
    Ok(())
}

async fn fetch(draft: &Draft, layout: &Layout) -> anyhow::Result<()> {
    let client = tool::admin_client(layout).await?;
    let request = http::Request::get("/backup").body(Vec::new())?;
    let stream = client
        .request_stream(request)
        .await
        .context("the API gives no backup; is the platform running?")?;
    let mut stream = std::pin::pin!(stream);
    let mut file = &draft.file;
    let progress = spinner();
    let mut piece = vec![0; PIECE_BYTES];
    loop {
        let length = stream
            .read(&mut piece)
            .await
            .context("the API ended the backup")?;
        if length == 0 {
            break;
        }
        file.write_all(&piece[..length])
            .with_context(|| format!("{} cannot be written", draft.path.display()))?;
        progress.inc(length as u64);
    }
    file.sync_all()?;
    progress.finish_and_clear();
    Ok(())
}

fn spinner() -> ProgressBar {
    let bar = ProgressBar::new_spinner();
    if let Ok(style) = ProgressStyle::with_template("{spinner:.cyan} backing up: {bytes}") {
        bar.set_style(style);
    }
    bar.enable_steady_tick(TICK);
    bar
}

/// A file that takes its name when it is whole, and goes when it never is.
struct Draft {
    path: PathBuf,
    file: File,
}

impl Draft {
    fn beside(file: &Path) -> anyhow::Result<Self> {
        let name = file.file_name().context("the backup needs a file name")?;
        let mut draft = name.to_owned();
        draft.push(format!(".{}.partial", std::process::id()));
        let path = file.with_file_name(draft);
        let file = File::options()
            .write(true)
            .create_new(true)
            .mode(0o600)
            .open(&path)
            .with_context(|| format!("{} cannot be made", path.display()))?;
        Ok(Self { path, file })
    }

    fn publish(&self, file: &Path) -> anyhow::Result<()> {
        std::fs::rename(&self.path, file).with_context(|| format!("{} cannot be written", file.display()))?;
        let folder = file.parent().filter(|folder| !folder.as_os_str().is_empty());
        Ok(File::open(folder.unwrap_or(Path::new(".")))?.sync_all()?)
    }
}

impl Drop for Draft {
    fn drop(&mut self) {
        // Published, it is not there under this name.
        let _ = std::fs::remove_file(&self.path);
    }
}
