//! When which webservice is asked whether it lives: each at its interval, give or take a fifth, so that they do not all
//! come at once; and no more of them at a time than [`CHECKS`].

use std::{collections::HashMap, sync::Arc, time::Duration};

use futures::{StreamExt as _, stream::FuturesUnordered};
use rand::Rng as _;
use tokio::{
    sync::mpsc,
    time::{Instant, sleep_until},
};
use tokio_util::{
    sync::CancellationToken,
    time::{DelayQueue, delay_queue::Key},
};
use toolforge_model::ToolName;

use crate::{
    Claim, Registration,
    ask::ask,
    limits::{CHECKS, FIRST_CHECK},
    store::Store,
};

/// Checks what there is and what comes until `shutdown`.
pub(crate) async fn check_all(
    store: Arc<Store>,
    mut new: mpsc::UnboundedReceiver<Registration>,
    shutdown: CancellationToken,
) {
    let mut round = Round::default();
    let interval = store.rules().check_interval;
    for registration in store.book().all() {
        let share = rand::rng().random_range(0.0..1.0);
        round.begin(registration.clone(), interval.mul_f64(share));
    }
    let mut running = FuturesUnordered::new();
    let mut last_look = Instant::now();
    loop {
        // As often as the dead are asked, they may be over.
        let next_look = last_look + store.rules().check_interval;
        let has_room = running.len() < CHECKS;
        tokio::select! {
            () = shutdown.cancelled() => return,
            () = sleep_until(next_look) => {
                last_look = Instant::now();
                store.expire().await;
            }
            registration = new.recv() => {
                let Some(registration) = registration else { return };
                round.begin(registration, FIRST_CHECK);
            }
            Some(turn) = round.due.next(), if has_room && !round.due.is_empty() => {
                let turn = round.taken(turn.into_inner());
                running.push(check(&store, turn));
            }
            Some((turn, goes_on)) = running.next(), if !running.is_empty() => {
                round.checked(turn, goes_on.then(|| with_jitter(store.rules().check_interval)));
            }
        }
    }
}

/// Who is to be checked when. However often something is registered anew, it is checked once in an interval.
#[derive(Default)]
struct Round {
    due: DelayQueue<Turn>,
    /// Of each claim the number of its last registration, and where that waits; nowhere, while it is being checked.
    known: HashMap<(ToolName, Claim), (u64, Option<Key>)>,
    count: u64,
}

/// A check to be made.
struct Turn {
    registration: Registration,
    number: u64,
}

impl Round {
    /// Checks this from now on, the first time after `delay`, in place of what was registered for the same.
    fn begin(&mut self, registration: Registration, delay: Duration) {
        self.count += 1;
        let number = self.count;
        let place = place(&registration);
        let key = self.due.insert(Turn { registration, number }, delay);
        if let Some((_, Some(before))) = self.known.insert(place, (number, Some(key))) {
            self.due.try_remove(&before);
        }
    }

    fn taken(&mut self, turn: Turn) -> Turn {
        if let Some((_, key)) = self.known.get_mut(&place(&turn.registration)) {
            *key = None;
        }
        turn
    }

    /// Checks it again after this; never, where there is nothing more to check.
    fn checked(&mut self, turn: Turn, again: Option<Duration>) {
        let place = place(&turn.registration);
        let Some((_, key)) = self
            .known
            .get_mut(&place)
            .filter(|(number, _)| *number == turn.number)
        else {
            // It was registered anew meanwhile, and that has its own turn.
            return;
        };
        match again {
            Some(delay) => *key = Some(self.due.insert(turn, delay)),
            None => {
                self.known.remove(&place);
            }
        }
    }
}

fn place(registration: &Registration) -> (ToolName, Claim) {
    (registration.tool.clone(), registration.claim.clone())
}

/// Checks one; the answer is whether it is to be checked again.
async fn check(store: &Arc<Store>, turn: Turn) -> (Turn, bool) {
    let registration = &turn.registration;
    if !store.is_current(registration) {
        return (turn, false);
    }
    // Where it may not lead by now, nobody is asked either.
    if store.judge(registration).is_ok() {
        let path = registration.check_path.as_deref();
        let found = ask(registration.destination, path, store.rules().check_timeout).await;
        store.checked(registration, found).await;
    }
    (turn, true)
}

fn with_jitter(interval: Duration) -> Duration {
    interval.mul_f64(rand::rng().random_range(0.8..1.2))
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use futures::StreamExt as _;

    use super::Round;
    use crate::{Claim, Registration, registration::Life};

    fn registration() -> Registration {
        Registration {
            tool: "a".parse().unwrap(),
            claim: Claim::pattern(".*").unwrap(),
            destination: ([10, 0, 0, 1], 4000).into(),
            from: [10, 0, 0, 1].into(),
            is_canonical: false,
            check_path: None,
            registered_seconds: 0,
            life: Life::new(0),
        }
    }

    #[tokio::test]
    async fn what_is_registered_again_and_again_is_checked_once() {
        let mut round = Round::default();
        for _ in 0..1000 {
            round.begin(registration(), Duration::ZERO);
        }
        assert_eq!(round.due.len(), 1);
        let turn = round.due.next().await.unwrap().into_inner();
        let turn = round.taken(turn);
        // Registered anew while it is checked: the old check does not go on beside the new one.
        round.begin(registration(), Duration::ZERO);
        round.checked(turn, Some(Duration::ZERO));
        assert_eq!(round.due.len(), 1);
        let turn = round.due.next().await.unwrap().into_inner();
        let turn = round.taken(turn);
        round.checked(turn, None);
        assert!(round.due.is_empty() && round.known.is_empty());
    }
}
