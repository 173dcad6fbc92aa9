//! The original's protocol: lines over TCP, from a machine whose ident says whose they are (facts 5.3).

use std::net::SocketAddr;

use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::TcpStream,
};

use super::{RegistrarError, within};

/// The whole host of the tool.
const ROUTE: &str = ".*";
/// More than any sentence of the gateway's.
const ANSWER_BYTES: u64 = 4096;

/// A client of the lines.
#[derive(Debug)]
pub(super) struct Client {
    /// HOST:PORT.
    place: String,
}

impl Client {
    pub(super) fn new(place: String) -> Self {
        Self { place }
    }

    pub(super) fn place(&self) -> &str {
        &self.place
    }

    pub(super) async fn register(&self, destination: SocketAddr) -> Result<(), RegistrarError> {
        self.say(&format!("registerCanonical\n{ROUTE}\nhttp://{destination}\n"))
            .await
    }

    pub(super) async fn unregister(&self) -> Result<(), RegistrarError> {
        self.say(&format!("unregister\n{ROUTE}\n")).await
    }

    async fn say(&self, lines: &str) -> Result<(), RegistrarError> {
        let answer = within(&self.place, async {
            let mut connection = TcpStream::connect(&self.place).await?;
            connection.write_all(lines.as_bytes()).await?;
            let mut answer = Vec::new();
            connection.take(ANSWER_BYTES).read_to_end(&mut answer).await?;
            Ok::<_, std::io::Error>(answer)
        })
        .await?;
        match String::from_utf8_lossy(&answer).trim() {
            // That of the original says it twice.
            "ok" | "okok" => Ok(()),
            "" => Err(RegistrarError::Away {
                place: self.place.clone(),
                reason: "it closed the connection without an answer".to_owned(),
            }),
            other => Err(RegistrarError::Refused(other.to_owned())),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A gateway that answers one connection so; what it was told.
    async fn told(answer: &'static str) -> (Result<(), RegistrarError>, String) {
        let listener = tokio::net::TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
        let client = Client::new(listener.local_addr().unwrap().to_string());
        let gateway = tokio::spawn(async move {
            let (mut connection, _) = listener.accept().await.unwrap();
            let mut said = vec![0; 1024];
            let length = connection.read(&mut said).await.unwrap();
            connection.write_all(answer.as_bytes()).await.unwrap();
            String::from_utf8_lossy(&said[..length]).into_owned()
        });
        let outcome = client.register("10.0.0.7:4000".parse().unwrap()).await;
        (outcome, gateway.await.unwrap())
    }

    #[tokio::test]
    async fn lines_are_as_the_original_sends_them() {
        let (outcome, said) = told("ok").await;
        assert_eq!(
            (outcome, said.as_str()),
            (Ok(()), "registerCanonical\n.*\nhttp://10.0.0.7:4000\n")
        );
        let (outcome, _) = told("okok").await;
        assert_eq!(outcome, Ok(()));
        let refusal = "This service available only to tool accounts";
        let (outcome, _) = told(refusal).await;
        assert_eq!(outcome, Err(RegistrarError::Refused(refusal.to_owned())));
    }
}
