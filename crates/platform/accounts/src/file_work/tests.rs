use std::sync::mpsc;

use rustix::io::Errno;

use super::*;

/// Work that is stuck, as in a system call on a dead mount, until the other end lets it go.
fn stuck() -> (
    mpsc::Sender<()>,
    impl Fn(&Fence) -> Result<(), ReconcileError> + Send + 'static,
) {
    let (sender, receiver) = mpsc::channel::<()>();
    let work = move |_: &Fence| {
        let _ = receiver.recv();
        Ok(())
    };
    (sender, work)
}

fn is_silent<T>(result: &Result<T, ReconcileError>) -> bool {
    matches!(
        result,
        Err(ReconcileError::FileWork(FileWorkError::Silent(home))) if home == Path::new("/dead")
    )
}

fn impatient() -> FileWork {
    FileWork {
        patience: Duration::from_millis(20),
        ..FileWork::new(Fence::default())
    }
}

#[tokio::test]
async fn a_dead_home_fails_by_itself_and_others_go_on() {
    let files = impatient();
    let (let_go, work) = stuck();
    assert!(is_silent(&files.run(Path::new("/dead"), work).await));
    let again = files.run(Path::new("/dead"), |_| -> Result<(), ReconcileError> {
        panic!("no second thread goes into a dead home")
    });
    assert!(is_silent(&again.await));
    let files = FileWork {
        patience: PATIENCE,
        ..files
    };
    assert_eq!(files.run(Path::new("/other"), |_| Ok(1)).await.unwrap(), 1);
    // The file system is back.
    drop(let_go);
    while files.busy.lock().contains(Path::new("/dead")) {
        tokio::task::yield_now().await;
    }
    assert_eq!(files.run(Path::new("/dead"), |_| Ok(2)).await.unwrap(), 2);
}

#[test]
fn a_dead_home_does_not_hold_up_the_end_of_the_program() {
    let (let_go, work) = stuck();
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap();
    runtime.block_on(async { assert!(is_silent(&impatient().run(Path::new("/dead"), work).await)) });
    // Comes back although the thread does not: the other end is still held here.
    drop(runtime);
    drop(let_go);
}

#[tokio::test]
async fn work_that_panics_gives_its_home_back() {
    let files = FileWork::new(Fence::default());
    let bad = files.run(Path::new("/home"), |_| -> Result<(), ReconcileError> {
        panic!("on purpose")
    });
    assert!(matches!(
        bad.await,
        Err(ReconcileError::FileWork(FileWorkError::Ended))
    ));
    assert_eq!(files.run(Path::new("/home"), |_| Ok(3)).await.unwrap(), 3);
}

#[tokio::test]
async fn who_does_not_lead_any_more_does_nothing() {
    let files = FileWork::new(Fence::until(tokio::time::Instant::now()));
    let late = files.run(Path::new("/home"), |_| -> Result<(), ReconcileError> {
        panic!("nothing is done")
    });
    assert!(matches!(
        late.await,
        Err(ReconcileError::FileWork(FileWorkError::NotLeading(_)))
    ));
}

/// Work whose first attempts end in these errors of the file system; the number of its attempt where it ends well.
fn failing(errors: Vec<Errno>) -> impl Fn(&Fence) -> Result<usize, ReconcileError> + Send + 'static {
    let attempts = Mutex::new(0..);
    move |_| {
        let attempt = attempts.lock().next().unwrap();
        let error = errors.get(attempt).copied();
        error.map_or(Ok(attempt), |errno| {
            Err(FileError::of("open", Path::new("/home"), errno).into())
        })
    }
}

#[tokio::test]
async fn what_went_stale_is_begun_anew_once_and_nothing_else_is() {
    let files = FileWork::new(Fence::default());
    let run = async |errors| files.run(Path::new("/home"), failing(errors)).await;
    assert_eq!(run(vec![Errno::STALE]).await.unwrap(), 1);
    let twice = run(vec![Errno::STALE; 2]).await.unwrap_err();
    assert!(twice.file().is_some_and(FileError::is_stale), "{twice}");
    for errno in [Errno::IO, Errno::PERM] {
        assert!(run(vec![errno]).await.is_err());
    }
}
