//! All registrations, and what becomes of them. Pure: whoever keeps it on disk and tells the table is `store`.

use std::collections::{BTreeMap, BTreeSet};

use toolforge_model::ToolName;

use crate::{
    Claim, Registration, State,
    limits::{OF_ALL, OF_ONE_TOOL},
    registration::{Failure, Life},
};

/// All registrations, by tool and claim.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Book {
    tools: BTreeMap<ToolName, BTreeMap<Claim, Registration>>,
}

/// Why there is no room.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Full {
    /// The tool has too many.
    #[error("the tool has {OF_ONE_TOOL} registrations, which is the most that one may have")]
    Tool,
    /// All tools together have.
    #[error("there are {OF_ALL} registrations, which is the most that there can be")]
    All,
}

impl Book {
    /// All of them, by tool and claim.
    pub fn all(&self) -> impl Iterator<Item = &Registration> {
        self.tools.values().flat_map(BTreeMap::values)
    }

    /// Those of a tool.
    pub fn of(&self, tool: &ToolName) -> impl Iterator<Item = &Registration> {
        self.tools.get(tool).into_iter().flat_map(BTreeMap::values)
    }

    /// One of them.
    pub fn one(&self, tool: &ToolName, claim: &Claim) -> Option<&Registration> {
        self.tools.get(tool)?.get(claim)
    }

    /// The tools that have any, sorted.
    pub fn tools(&self) -> impl Iterator<Item = &ToolName> {
        self.tools.keys()
    }

    /// How many there are in each state: unchecked, alive, dead.
    pub fn counts(&self) -> [usize; 3] {
        let mut counts = [0; 3];
        for registration in self.all() {
            counts[match registration.life.state {
                State::Unchecked => 0,
                State::Alive => 1,
                State::Dead => 2,
            }] += 1;
        }
        counts
    }

    /// Puts a registration in its place; the answer is whether it is a new one. What a tool says again about the same
    /// server does not make that unknown.
    ///
    /// # Errors
    /// When there is no room; one that is there already can always be replaced.
    pub fn put(&mut self, mut registration: Registration) -> Result<bool, Full> {
        let all = self.all().count();
        let own = self.tools.entry(registration.tool.clone()).or_default();
        if let Some(known) = own.get_mut(&registration.claim) {
            if known.is_same_server(&registration) {
                registration.life = known.life.clone();
            }
            *known = registration;
            return Ok(false);
        }
        let full = if own.len() >= OF_ONE_TOOL {
            Some(Full::Tool)
        } else {
            (all >= OF_ALL).then_some(Full::All)
        };
        if let Some(full) = full {
            self.tools.retain(|_, own| !own.is_empty());
            return Err(full);
        }
        own.insert(registration.claim.clone(), registration);
        Ok(true)
    }

    /// Takes one out.
    pub fn remove(&mut self, tool: &ToolName, claim: &Claim) -> Option<Registration> {
        let own = self.tools.get_mut(tool)?;
        let removed = own.remove(claim);
        if own.is_empty() {
            self.tools.remove(tool);
        }
        removed
    }

    /// Takes out all that these tools have.
    pub(crate) fn remove_all_of(&mut self, tools: &BTreeSet<ToolName>) -> Vec<Registration> {
        let removed = tools.iter().filter_map(|tool| self.tools.remove(tool));
        removed.flat_map(BTreeMap::into_values).collect()
    }

    /// Notes what a check of a server has found; the answer is its registration when its state is another now. What was
    /// found of a server that is not the registered one any more is passed over.
    pub(crate) fn checked(
        &mut self,
        asked: &Registration,
        found: Result<(), Failure>,
        now_seconds: i64,
    ) -> Option<&Registration> {
        let registration = self.tools.get_mut(&asked.tool)?.get_mut(&asked.claim)?;
        if !registration.is_same_server(asked) {
            return None;
        }
        let is_changed = registration.life.checked(found, now_seconds);
        is_changed.then_some(registration)
    }

    /// What has been dead for so many seconds. Where all of several are silent, it is rather the gateway that is cut off, and
    /// nothing expires; the answer is then how many would have.
    pub(crate) fn over(&self, after_seconds: i64, now_seconds: i64) -> Result<Vec<Registration>, usize> {
        let is_over = |life: &Life| {
            life.state == State::Dead && now_seconds.saturating_sub(life.since_seconds) >= after_seconds
        };
        let over: Vec<_> = self
            .all()
            .filter(|registration| is_over(&registration.life))
            .cloned()
            .collect();
        let is_cut_off = self.all().count() > 1
            && self
                .all()
                .all(|registration| registration.life.state == State::Dead && registration.life.is_silent);
        if is_cut_off && !over.is_empty() {
            return Err(over.len());
        }
        Ok(over)
    }

    /// Takes that out.
    pub(crate) fn expire(
        &mut self,
        after_seconds: i64,
        now_seconds: i64,
    ) -> Result<Vec<Registration>, usize> {
        let over = self.over(after_seconds, now_seconds)?;
        for registration in &over {
            self.remove(&registration.tool, &registration.claim);
        }
        Ok(over)
    }

    /// Takes over what the other book knows of the life of the same servers.
    pub(crate) fn keep_lives_of(&mut self, other: &Self) {
        for registration in self.tools.values_mut().flat_map(BTreeMap::values_mut) {
            if let Some(known) = other.one(&registration.tool, &registration.claim)
                && registration.is_same_server(known)
            {
                registration.life = known.life.clone();
            }
        }
    }

    /// The book of these; of two for the same claim the later.
    pub(crate) fn from_all(all: Vec<Registration>) -> Self {
        let mut book = Self::default();
        for registration in all {
            let own = book.tools.entry(registration.tool.clone()).or_default();
            own.insert(registration.claim.clone(), registration);
        }
        book
    }
}

#[cfg(test)]
mod tests {
    use toolforge_model::ToolName;

    use super::{Book, Full, OF_ONE_TOOL};
    use crate::{
        Claim, Registration, State,
        registration::{Failure, Life},
    };

    fn registration(tool: &str, pattern: &str, last: u8) -> Registration {
        Registration {
            tool: tool.parse().unwrap(),
            claim: Claim::pattern(pattern).unwrap(),
            destination: ([10, 0, 0, last], 4000).into(),
            from: [10, 0, 0, last].into(),
            is_canonical: false,
            check_path: None,
            registered_seconds: 0,
            life: Life::new(0),
        }
    }

    fn fail(book: &mut Book, registration: &Registration, is_silent: bool, now: i64) {
        for _ in 0..3 {
            let reason = "nobody is there".into();
            book.checked(registration, Err(Failure { reason, is_silent }), now);
        }
    }

    #[test]
    fn a_tool_has_one_registration_for_a_claim_and_not_too_many() {
        let mut book = Book::default();
        assert_eq!(book.put(registration("a", ".*", 1)), Ok(true));
        assert_eq!(book.put(registration("a", ".*", 2)), Ok(false));
        assert_eq!(book.of(&"a".parse().unwrap()).count(), 1);
        for number in 1..OF_ONE_TOOL {
            book.put(registration("a", &format!("^/{number}"), 1)).unwrap();
        }
        assert_eq!(book.put(registration("a", "^/more", 1)), Err(Full::Tool));
        assert_eq!(
            book.put(registration("a", ".*", 3)),
            Ok(false),
            "what is there can be replaced"
        );
        assert_eq!(book.put(registration("b", ".*", 1)), Ok(true));
        let (tool, claim) = ("b".parse().unwrap(), Claim::pattern(".*").unwrap());
        assert!(book.remove(&tool, &claim).is_some());
        assert!(book.remove(&tool, &claim).is_none());
        assert_eq!(book.tools().map(ToolName::as_str).collect::<Vec<_>>(), ["a"]);
    }

    #[test]
    fn what_is_found_of_another_server_is_passed_over() {
        let mut book = Book::default();
        let (old, new) = (registration("a", ".*", 1), registration("a", ".*", 2));
        book.put(old.clone()).unwrap();
        assert!(book.checked(&old, Ok(()), 5).is_some());
        // The same again keeps what is known; another server is unknown.
        book.put(old.clone()).unwrap();
        assert_eq!(book.counts(), [0, 1, 0]);
        book.put(new.clone()).unwrap();
        assert_eq!(book.counts(), [1, 0, 0]);
        fail(&mut book, &old, false, 6);
        assert_eq!(book.counts(), [1, 0, 0]);
        fail(&mut book, &new, false, 7);
        assert_eq!(book.counts(), [0, 0, 1]);
    }

    #[test]
    fn the_dead_expire_when_their_time_is_over_and_not_before() {
        let mut book = Book::default();
        let (dead, living) = (registration("a", ".*", 1), registration("b", ".*", 2));
        book.put(dead.clone()).unwrap();
        book.put(living.clone()).unwrap();
        fail(&mut book, &dead, false, 100);
        book.checked(&living, Ok(()), 100);
        assert_eq!(book.expire(3600, 3699), Ok(Vec::new()));
        let expired = book.expire(3600, 3700).unwrap();
        assert_eq!(
            expired.iter().map(|gone| gone.tool.as_str()).collect::<Vec<_>>(),
            ["a"]
        );
        assert_eq!(expired[0].life.state, State::Dead);
        assert_eq!(
            book.expire(3600, i64::MAX),
            Ok(Vec::new()),
            "what lives does not expire"
        );
    }

    #[test]
    fn nothing_expires_while_the_gateway_hears_nobody() {
        let mut book = Book::default();
        let (one, two) = (registration("a", ".*", 1), registration("b", ".*", 2));
        book.put(one.clone()).unwrap();
        book.put(two.clone()).unwrap();
        fail(&mut book, &one, true, 100);
        fail(&mut book, &two, true, 100);
        assert_eq!(book.expire(3600, 9000), Err(2));
        // One that refuses shows that the network works.
        fail(&mut book, &two, false, 9001);
        assert_eq!(book.expire(3600, 9001).unwrap().len(), 2);
    }
}
