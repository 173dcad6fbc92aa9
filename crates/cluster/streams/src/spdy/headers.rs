//! Header blocks: names and values, compressed over the whole connection with a dictionary.
//!
//! A decompressor has a state, so every block has to go through it, also those that nobody is interested in.

use std::sync::OnceLock;

use bytes::{Buf as _, BufMut as _, Bytes};
use flate2::{Compress, Compression, Decompress, FlushCompress, FlushDecompress, Status};

/// Longest block after decompression, in bytes; ours are a few dozen.
const BLOCK_BYTES: usize = 16 << 10;

/// Names and values, names in lower case.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Headers(Vec<(String, String)>);

impl Headers {
    /// The value of a header, by its name in lower case; the first one where there are several.
    pub(crate) fn get(&self, name: &str) -> Option<&str> {
        let (_, value) = self.0.iter().find(|(found, _)| found == name)?;
        // Several values of one name stand in one, with zeroes between them.
        value.split('\0').next()
    }
}

#[cfg(test)]
impl<const N: usize> From<[(&str, &str); N]> for Headers {
    fn from(pairs: [(&str, &str); N]) -> Self {
        let pairs = pairs.map(|(name, value)| (name.to_owned(), value.to_owned()));
        Self(pairs.into())
    }
}

/// Why a block cannot be read. The connection cannot go on: what follows depends on it.
#[derive(Debug, thiserror::Error)]
pub(super) enum HeaderError {
    #[error("a header block cannot be decompressed: {0}")]
    Compression(String),
    #[error("a header block is longer than {BLOCK_BYTES} bytes")]
    TooLong,
    #[error("a header block is cut short")]
    Short,
    #[error("a header is not UTF-8")]
    Text,
}

/// Reads the blocks of a connection in their order.
#[derive(Debug)]
pub(super) struct HeaderDecoder(Decompress);

impl HeaderDecoder {
    pub(super) fn new() -> Self {
        Self(Decompress::new(true))
    }

    pub(super) fn decode(&mut self, block: &[u8]) -> Result<Headers, HeaderError> {
        let plain = self.decompress(block)?;
        parse(Bytes::from(plain))
    }

    fn decompress(&mut self, block: &[u8]) -> Result<Vec<u8>, HeaderError> {
        let mut plain = Vec::with_capacity(BLOCK_BYTES);
        let start = self.0.total_in();
        loop {
            let done = usize::try_from(self.0.total_in() - start).unwrap_or(usize::MAX);
            let rest = block.get(done..).unwrap_or_default();
            let written = plain.len();
            let step = self.0.decompress_vec(rest, &mut plain, FlushDecompress::Sync);
            match step {
                Ok(_) if plain.len() >= BLOCK_BYTES => return Err(HeaderError::TooLong),
                Ok(Status::StreamEnd) => return Ok(plain),
                Ok(_) => {
                    let progressed = usize::try_from(self.0.total_in() - start).unwrap_or_default();
                    if progressed >= block.len() || (progressed == done && plain.len() == written) {
                        return Ok(plain);
                    }
                }
                Err(error) if error.needs_dictionary().is_some() => {
                    let set = self.0.set_dictionary(dictionary());
                    set.map_err(|error| HeaderError::Compression(error.to_string()))?;
                }
                Err(error) => return Err(HeaderError::Compression(error.to_string())),
            }
        }
    }
}

fn parse(mut plain: Bytes) -> Result<Headers, HeaderError> {
    let count = plain.try_get_u32().map_err(|_| HeaderError::Short)?;
    let mut next = || {
        let length = plain.try_get_u32().map_err(|_| HeaderError::Short)?;
        let length = usize::try_from(length).unwrap_or(usize::MAX);
        if length > plain.len() {
            return Err(HeaderError::Short);
        }
        let text = plain.split_to(length);
        std::str::from_utf8(&text)
            .map(str::to_owned)
            .map_err(|_| HeaderError::Text)
    };
    let mut headers = Vec::new();
    for _ in 0..count {
        let (name, value) = (next()?, next()?);
        headers.push((name.to_ascii_lowercase(), value));
    }
    Ok(Headers(headers))
}

/// Writes blocks.
#[derive(Debug)]
pub(super) struct HeaderEncoder(Compress);

impl HeaderEncoder {
    pub(super) fn new() -> std::io::Result<Self> {
        let mut compress = Compress::new(Compression::fast(), true);
        compress
            .set_dictionary(dictionary())
            .map_err(std::io::Error::other)?;
        Ok(Self(compress))
    }

    pub(super) fn encode(&mut self, headers: &Headers) -> std::io::Result<Bytes> {
        let mut plain = Vec::new();
        plain.put_u32(u32::try_from(headers.0.len()).unwrap_or_default());
        for text in headers.0.iter().flat_map(|(name, value)| [name, value]) {
            plain.put_u32(u32::try_from(text.len()).unwrap_or_default());
            plain.put_slice(text.as_bytes());
        }
        // What does not shrink grows by a few bytes, and the first block has a head of its own.
        let mut block = Vec::with_capacity(plain.len() + plain.len() / 8 + 64);
        self.0
            .compress_vec(&plain, &mut block, FlushCompress::Sync)
            .map_err(std::io::Error::other)?;
        Ok(Bytes::from(block))
    }
}

/// The words of the dictionary, each with its length before it, in the specification's order (section 2.6.10.1).
const WORDS: &[&str] = &[
    "options",
    "head",
    "post",
    "put",
    "delete",
    "trace",
    "accept",
    "accept-charset",
    "accept-encoding",
    "accept-language",
    "accept-ranges",
    "age",
    "allow",
    "authorization",
    "cache-control",
    "connection",
    "content-base",
    "content-encoding",
    "content-language",
    "content-length",
    "content-location",
    "content-md5",
    "content-range",
    "content-type",
    "date",
    "etag",
    "expect",
    "expires",
    "from",
    "host",
    "if-match",
    "if-modified-since",
    "if-none-match",
    "if-range",
    "if-unmodified-since",
    "last-modified",
    "location",
    "max-forwards",
    "pragma",
    "proxy-authenticate",
    "proxy-authorization",
    "range",
    "referer",
    "retry-after",
    "server",
    "te",
    "trailer",
    "transfer-encoding",
    "upgrade",
    "user-agent",
    "vary",
    "via",
    "warning",
    "www-authenticate",
    "method",
    "get",
    "status",
    "200 OK",
    "version",
    "HTTP/1.1",
    "url",
    "public",
    "set-cookie",
    "keep-alive",
    "origin",
];
/// What follows them.
const TAIL: &str = "100101201202205206300302303304305306307402405406407408409410411412413414415416417502504505\
203 Non-Authoritative Information204 No Content301 Moved Permanently400 Bad Request401 Unauthorized403 Forbidden\
404 Not Found500 Internal Server Error501 Not Implemented503 Service UnavailableJan Feb Mar Apr May Jun Jul Aug \
Sept Oct Nov Dec 00:00:00 Mon, Tue, Wed, Thu, Fri, Sat, Sun, GMTchunked,text/html,image/png,image/jpg,image/gif,\
application/xml,application/xhtml+xml,text/plain,text/javascript,publicprivatemax-age=gzip,deflate,sdch\
charset=utf-8charset=iso-8859-1,utf-,*,enq=0.";

fn dictionary() -> &'static [u8] {
    static DICTIONARY: OnceLock<Vec<u8>> = OnceLock::new();
    DICTIONARY.get_or_init(|| {
        let mut bytes = Vec::new();
        for word in WORDS {
            bytes.put_u32(u32::try_from(word.len()).unwrap_or_default());
            bytes.put_slice(word.as_bytes());
        }
        bytes.put_slice(TAIL.as_bytes());
        bytes
    })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// The checksum by which every SPDY/3 connection names its dictionary.
    #[test]
    fn the_dictionary_is_that_of_the_specification() {
        let mut compress = Compress::new(Compression::fast(), true);
        assert_eq!(compress.set_dictionary(dictionary()).expect("set"), 0xe3c6_a7c2);
        assert_eq!(dictionary().len(), 1423);
    }

    #[test]
    fn blocks_of_one_connection_follow_each_other() {
        let (mut encoder, mut decoder) = (HeaderEncoder::new().expect("encoder"), HeaderDecoder::new());
        for stream in ["error", "stdin", "stdout"] {
            let headers = Headers::from([("streamtype", stream), ("port", "8080")]);
            let block = encoder.encode(&headers).expect("encoded");
            assert_eq!(decoder.decode(&block).expect("decoded"), headers);
        }
        assert_eq!(Headers::from([("a", "b\0c")]).get("a"), Some("b"));
    }

    #[test]
    fn a_block_that_swells_is_refused() {
        let value = "a".repeat(BLOCK_BYTES * 10);
        let block = HeaderEncoder::new()
            .expect("encoder")
            .encode(&Headers::from([("x", value.as_str())]))
            .expect("encoded");
        assert!(block.len() < 2000, "{}", block.len());
        assert!(matches!(
            HeaderDecoder::new().decode(&block),
            Err(HeaderError::TooLong)
        ));
    }

    proptest! {
        #[test]
        fn no_block_does_harm(bytes in prop::collection::vec(any::<u8>(), 0..500)) {
            let _ = HeaderDecoder::new().decode(&bytes);
            let _ = parse(Bytes::from(bytes));
        }

        #[test]
        fn no_compressed_block_does_harm(plain in prop::collection::vec(any::<u8>(), 0..500)) {
            let mut encoder = HeaderEncoder::new().expect("encoder");
            let mut block = Vec::with_capacity(2000);
            encoder.0.compress_vec(&plain, &mut block, FlushCompress::Sync).expect("compressed");
            let _ = HeaderDecoder::new().decode(&block);
        }

        #[test]
        fn what_is_written_is_read(name in "[a-z-]{1,20}", value in ".{0,200}") {
            let headers = Headers::from([(name.as_str(), value.as_str())]);
            let block = HeaderEncoder::new().expect("encoder").encode(&headers).expect("encoded");
            prop_assert_eq!(HeaderDecoder::new().decode(&block).expect("decoded"), headers);
        }
    }
}
