//! Messages of the cluster within sentences.

/// A message of the cluster as a part of a sentence, which brings its own full stop.
pub fn bare(message: &str) -> &str {
    let message = message.trim().trim_end_matches('.');
    if message.is_empty() {
        "the cluster does not say why"
    } else {
        message
    }
}

#[cfg(test)]
mod tests {
    use super::bare;

    #[test]
    fn a_message_loses_its_stop_and_is_never_empty() {
        assert_eq!(bare(" no room. \n"), "no room");
        assert_eq!(bare("..."), "the cluster does not say why");
    }
}
