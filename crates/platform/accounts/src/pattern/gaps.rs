//! A text with gaps. Used by `pattern.rs` only.

/// What stands before each gap, with which word comes into it, and what stands after the last.
#[derive(Debug)]
pub(super) struct Gaps {
    pieces: Vec<(String, usize)>,
    end: String,
}

impl Gaps {
    /// Cuts words out of a text, of which none is in another.
    pub(super) fn cut(text: &str, words: &[String]) -> Self {
        let mut pieces = Vec::new();
        let mut rest = text;
        let first = |rest: &str| {
            let places = words.iter().enumerate();
            places
                .filter_map(|(word, text)| Some((rest.find(text.as_str())?, word)))
                .min()
        };
        while let Some((at, word)) = first(rest) {
            pieces.push((rest[..at].to_owned(), word));
            rest = &rest[at + words[word].len()..];
        }
        Self {
            pieces,
            end: rest.to_owned(),
        }
    }

    /// The text with other words in the gaps.
    pub(super) fn filled(&self, words: &[String]) -> String {
        let length = self
            .pieces
            .iter()
            .map(|(before, word)| before.len() + words[*word].len());
        let mut text = String::with_capacity(length.sum::<usize>() + self.end.len());
        for (before, word) in &self.pieces {
            text.push_str(before);
            text.push_str(&words[*word]);
        }
        text.push_str(&self.end);
        text
    }
}
