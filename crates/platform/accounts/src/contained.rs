//! Whether the text of a JSON object has all that another has, without making a tree of either.
//!
//! Pure. Both are as `serde_json` writes trees: without spaces, and with the keys of maps in one order. So what is equal is
//! written alike, and one walk through both, side by side, answers. The same question as `plan.rs` asks of two trees, and always
//! with the same answer; the cache asks it for every object at every look, when nearly always everything is as it should be.

#[cfg(test)]
mod tests;

/// Whether `found` has all of `wanted`: maps may have more keys, but for those that are called `whole`; lists may not have
/// more items.
pub(crate) fn contains(found: &str, wanted: &str, whole: Option<&str>) -> bool {
    // Nearly always, where nobody adds anything.
    if found == wanted {
        return true;
    }
    let mut walk = Walk {
        found: Rest(found.as_bytes()),
        wanted: Rest(wanted.as_bytes()),
        whole: whole.map(str::as_bytes),
    };
    walk.value(false).is_some()
}

/// A way through two texts. A step goes past what is the same in both; there is none where something is missing in the one
/// that was found.
struct Walk<'a> {
    found: Rest<'a>,
    wanted: Rest<'a>,
    /// How maps are called that may have no more keys.
    whole: Option<&'a [u8]>,
}

impl Walk<'_> {
    fn value(&mut self, is_whole: bool) -> Option<()> {
        match self.wanted.first()? {
            b'{' => self.map(is_whole),
            b'[' => self.list(),
            _ => self.scalar(),
        }
    }

    fn map(&mut self, is_whole: bool) -> Option<()> {
        self.both(b"{")?;
        while !self.wanted.eat(b"}") {
            let key = self.wanted.string()?;
            // What is passed over here is not wanted later either: the keys are in one order.
            while !self.found.eat(key) {
                self.pass_over(is_whole)?;
            }
            self.both(b":")?;
            let name = key.get(1..key.len() - 1);
            self.value(name == self.whole)?;
            self.end_item();
        }
        while !self.found.eat(b"}") {
            self.pass_over(is_whole)?;
        }
        Some(())
    }

    /// Goes past a key that is not wanted, with its value, where there may be such.
    fn pass_over(&mut self, is_whole: bool) -> Option<()> {
        if is_whole {
            return None;
        }
        self.found.string()?;
        self.found.eat(b":");
        self.found.value()?;
        self.found.eat(b",");
        Some(())
    }

    fn list(&mut self) -> Option<()> {
        self.both(b"[")?;
        while !self.wanted.eat(b"]") {
            self.value(false)?;
            self.end_item();
        }
        self.found.eat(b"]").then_some(())
    }

    fn scalar(&mut self) -> Option<()> {
        let wanted = self.wanted.scalar()?;
        // A number may be the beginning of another.
        (self.found.eat(wanted) && self.found.is_at_end()).then_some(())
    }

    fn both(&mut self, part: &[u8]) -> Option<()> {
        (self.found.eat(part) && self.wanted.eat(part)).then_some(())
    }

    /// Goes past the commas that follow an item, where it is not the last.
    fn end_item(&mut self) {
        self.found.eat(b",");
        self.wanted.eat(b",");
    }
}

/// What is left of a text.
struct Rest<'a>(&'a [u8]);

impl<'a> Rest<'a> {
    fn first(&self) -> Option<u8> {
        self.0.first().copied()
    }

    /// Whether a value ends here.
    fn is_at_end(&self) -> bool {
        matches!(self.first(), None | Some(b',' | b'}' | b']'))
    }

    /// Goes past this, if it stands here.
    fn eat(&mut self, part: &[u8]) -> bool {
        let rest = self.0.strip_prefix(part);
        self.0 = rest.unwrap_or(self.0);
        rest.is_some()
    }

    fn take(&mut self, length: usize) -> Option<&'a [u8]> {
        let (taken, rest) = self.0.split_at_checked(length)?;
        self.0 = rest;
        Some(taken)
    }

    /// Takes a string, with its quotes.
    fn string(&mut self) -> Option<&'a [u8]> {
        if self.first()? != b'"' {
            return None;
        }
        let mut at = 1;
        loop {
            match self.0.get(at)? {
                b'"' => return self.take(at + 1),
                b'\\' => at += 2,
                _ => at += 1,
            }
        }
    }

    /// Takes a string, a number, or a word.
    fn scalar(&mut self) -> Option<&'a [u8]> {
        if self.first()? == b'"' {
            return self.string();
        }
        let ends = |byte: &u8| matches!(byte, b',' | b'}' | b']');
        let length = self.0.iter().position(ends).unwrap_or(self.0.len());
        self.take(length)
    }

    /// Goes past a value of any kind.
    fn value(&mut self) -> Option<()> {
        let mut depth = 0_usize;
        loop {
            match self.first()? {
                b'{' | b'[' => {
                    self.take(1)?;
                    depth += 1;
                }
                b'}' | b']' => {
                    self.take(1)?;
                    depth = depth.checked_sub(1)?;
                }
                _ => {
                    self.scalar()?;
                }
            }
            if depth == 0 {
                return Some(());
            }
            while self.eat(b",") || self.eat(b":") {}
        }
    }
}
