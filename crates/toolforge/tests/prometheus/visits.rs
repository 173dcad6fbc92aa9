//! Visitors who come again and again, so that rates are not 0.

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    thread::{self, JoinHandle},
    time::Duration,
};

use toolforge_testkit::Visitor;

/// Many within the shortest interval that is scraped at.
const PAUSE: Duration = Duration::from_millis(100);

/// They come until this is dropped.
pub(super) struct Visits {
    enough: Arc<AtomicBool>,
    visitors: Option<JoinHandle<()>>,
}

impl Visits {
    /// Begins to visit these places, whatever comes of it.
    pub(super) fn begin(visitor: Visitor, urls: Vec<String>) -> Self {
        let enough = Arc::new(AtomicBool::new(false));
        let seen = Arc::clone(&enough);
        let visitors = thread::spawn(move || {
            while !seen.load(Ordering::Relaxed) {
                for url in &urls {
                    drop(visitor.get(url));
                }
                thread::sleep(PAUSE);
            }
        });
        Self {
            enough,
            visitors: Some(visitors),
        }
    }
}

impl Drop for Visits {
    fn drop(&mut self) {
        self.enough.store(true, Ordering::Relaxed);
        if let Some(visitors) = self.visitors.take() {
            let _ = visitors.join();
        }
    }
}
