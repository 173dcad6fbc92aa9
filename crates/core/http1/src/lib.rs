//! HTTP/1.1 messages as bytes (RFC 9112): heads are read and written, lengths decided, bodies taken out of their framing.
//!
//! Pure: no sockets, no clock. The gateway reads its visitors' requests and its tools' answers with it, and writes both.
//! Every rule of framing is here and nowhere else: two copies of one are how requests are smuggled. Whatever two servers
//! could understand differently is refused, never repaired.

mod body;
mod chunked;
mod encode;
mod framing;
mod head;

pub use body::{Body, Piece};
pub use chunked::ChunkError;
pub use encode::{
    CONTINUE, LAST_CHUNK, RequestFraming, ResponseFraming, chunk_size, encode_request, encode_response,
    encode_trailers,
};
pub use framing::{FramingError, Length};
pub use head::{
    EndOfHead, HEAD_LIMIT_BYTES, HEADERS_LIMIT, HeadError, ReadRequest, ReadResponse, request, response,
};
