//! A deadline that is moved for every request, and costs a timer for few of them.

use std::{
    future::Future as _,
    pin::Pin,
    task::{Context, Poll, ready},
    time::Duration,
};

use tokio::time::{Instant, Sleep, sleep_until};

/// How long something may still take. The timer is set when the first deadline is waited for, and later ones are only
/// compared with when it goes off.
#[derive(Debug)]
pub(crate) struct Patience {
    deadline: Instant,
    timer: Option<Pin<Box<Sleep>>>,
}

impl Patience {
    pub(crate) fn new(span: Duration) -> Self {
        Self {
            deadline: Instant::now() + span,
            timer: None,
        }
    }

    /// Begins anew, with so much time.
    pub(crate) fn begin(&mut self, span: Duration) {
        self.deadline = Instant::now() + span;
        if let Some(timer) = &mut self.timer
            && timer.deadline() > self.deadline
        {
            timer.as_mut().reset(self.deadline);
        }
    }

    /// Ready when the deadline has passed.
    pub(crate) fn poll_over(&mut self, context: &mut Context<'_>) -> Poll<()> {
        let deadline = self.deadline;
        let timer = self.timer.get_or_insert_with(|| Box::pin(sleep_until(deadline)));
        loop {
            ready!(timer.as_mut().poll(context));
            if timer.deadline() >= deadline {
                return Poll::Ready(());
            }
            timer.as_mut().reset(deadline);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::{future::poll_fn, task::Poll, time::Duration};

    use tokio::time::Instant;

    use super::Patience;

    #[tokio::test]
    async fn is_over_at_the_last_deadline_whether_it_was_moved_out_or_in() {
        let span = Duration::from_millis(30);
        let mut patience = Patience::new(span);
        let begun = Instant::now();
        poll_fn(|context| {
            // The timer is set for the first deadline, and the deadline moved afterwards.
            let _ = patience.poll_over(context);
            Poll::Ready(())
        })
        .await;
        patience.begin(2 * span);
        poll_fn(|context| patience.poll_over(context)).await;
        assert!(begun.elapsed() >= 2 * span);
        patience.begin(Duration::from_hours(1));
        patience.begin(span);
        poll_fn(|context| patience.poll_over(context)).await;
        assert!(begun.elapsed() >= 3 * span);
    }
}
