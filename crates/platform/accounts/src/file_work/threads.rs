//! Threads for pieces of work that may never end. Used by `file_work.rs` only.
//!
//! A thread that has done its work waits for the next piece: a look at thousands of homes starts a few threads and not
//! thousands. **Invariant:** a piece of work is given to a thread that does nothing else, or to a new one; it never
//! waits behind another. So one that is stuck holds up nothing, and another takes its place at the next piece.

use std::{
    io,
    panic::{AssertUnwindSafe, catch_unwind},
    sync::{
        Arc, Weak,
        mpsc::{SendError, Sender, channel},
    },
};

use parking_lot::Mutex;

#[cfg(test)]
mod tests;

/// How many wait for work at most; as many as there are turns at once.
const MOST_IDLE: usize = 8;

/// A piece of work. What it owns is dropped with it, also when it panics.
pub(super) type Work = Box<dyn FnOnce() + Send>;

/// Where a thread hears of its next piece of work. It comes with the work, so that the thread can offer itself again, and
/// whoever takes it out of the idle ones and drops it ends the thread.
#[derive(Debug)]
struct Door(Sender<(Work, Door)>);

/// Each thread that waits for work; the last that came is the first that goes.
type Idle = Mutex<Vec<Door>>;

/// The threads. Those that wait end with the last copy of this, those that work when their work is done.
#[derive(Clone, Debug, Default)]
pub(super) struct Threads {
    idle: Arc<Idle>,
}

impl Threads {
    /// Begins a piece of work.
    ///
    /// # Errors
    /// When a new thread is needed, and there is none to be had.
    pub(super) fn run(&self, mut work: Work) -> io::Result<()> {
        while let Some(door) = self.take() {
            let thread = door.0.clone();
            match thread.send((work, door)) {
                Ok(()) => return Ok(()),
                Err(SendError((back, _))) => work = back,
            }
        }
        let idle = Arc::downgrade(&self.idle);
        let thread = std::thread::Builder::new().name("home".to_owned());
        thread.spawn(move || serve(work, &idle)).map(|_| ())
    }

    fn take(&self) -> Option<Door> {
        self.idle.lock().pop()
    }
}

/// The life of a thread: from one piece of work to the next, until nobody has more for it or enough others wait.
fn serve(first: Work, idle: &Weak<Idle>) {
    let (sender, next) = channel();
    let (mut work, mut door) = (first, Door(sender));
    loop {
        // Who waits for the answer of work that panics sees that there is none.
        let _ = catch_unwind(AssertUnwindSafe(work));
        let Some(idle) = idle.upgrade() else { return };
        {
            let mut idle = idle.lock();
            if idle.len() >= MOST_IDLE {
                return;
            }
            idle.push(door);
        }
        drop(idle);
        match next.recv() {
            Ok(more) => (work, door) = more,
            Err(_) => return,
        }
    }
}
