//! Who is at the other end of a connection, and what its server has found out about it.

use std::{
    any::Any,
    net::SocketAddr,
    sync::{Arc, OnceLock},
};

/// Who is at the other end of a connection. Every request carries it as an extension; a clone costs next to nothing.
#[derive(Debug, Clone)]
pub struct Peer {
    /// The peer's address.
    pub address: SocketAddr,
    /// The certificate that it presented and TLS verified, in DER.
    pub certificate: Option<Arc<[u8]>>,
    learned: Arc<OnceLock<Arc<dyn Any + Send + Sync>>>,
}

impl Peer {
    /// A peer about which nothing has been found out yet.
    pub fn new(address: SocketAddr, certificate: Option<Vec<u8>>) -> Self {
        Self {
            address,
            certificate: certificate.map(Arc::from),
            learned: Arc::default(),
        }
    }

    /// What a server found out about the peer at its first request, for what cannot change while the connection
    /// lasts, such as who is named in its certificate. There is one such value for a connection: `None` when it was
    /// learned as another type.
    pub fn learned<T: Any + Send + Sync>(&self, learn: impl FnOnce() -> T) -> Option<Arc<T>> {
        let value = self.learned.get_or_init(|| Arc::new(learn()));
        Arc::clone(value).downcast().ok()
    }
}

#[cfg(test)]
mod tests {
    use super::Peer;

    #[test]
    fn learns_once_for_all_requests_of_a_connection() {
        let peer = Peer::new(([127, 0, 0, 1], 1).into(), Some(vec![1]));
        let first = peer.learned(|| "first".to_owned()).unwrap();
        let again = peer.clone().learned(|| "second".to_owned()).unwrap();
        assert_eq!((first.as_str(), again.as_str()), ("first", "first"));
        assert_eq!(peer.learned(|| 1_u8), None);
        let another = Peer::new(peer.address, None).learned(|| "second".to_owned());
        assert_eq!(another.unwrap().as_str(), "second");
    }
}
