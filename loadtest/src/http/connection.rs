use tokio::io::AsyncWriteExt as _;
use tokio::net::TcpStream;

use super::incoming::Incoming;
use super::{Edge, Error, Response};

/// One keep-alive connection. An exchange that fails or is dropped half-way leaves it unusable: open another.
#[derive(Debug)]
pub struct Connection {
    stream: TcpStream,
    incoming: Incoming,
}

impl Connection {
    /// Connects, without Nagle's delay.
    pub async fn open(edge: &Edge) -> Result<Self, Error> {
        let stream = TcpStream::connect(edge.address()).await.map_err(Error::Connect)?;
        stream.set_nodelay(true).map_err(Error::Connect)?;
        Ok(Self { stream, incoming: Incoming::default() })
    }

    /// Whether nothing speaks against sending another request: the server may have closed an idle connection.
    pub fn looks_open(&self) -> bool {
        let mut byte = [0; 1];
        let unread = self.stream.try_read(&mut byte);
        matches!(unread, Err(fault) if fault.kind() == std::io::ErrorKind::WouldBlock)
    }

    /// Whether the last answer said that the connection ends with it.
    pub fn is_spent(&self) -> bool {
        self.incoming.is_last()
    }

    /// Sends a request and reads its answer. There is no deadline here: callers bound it.
    pub async fn exchange(&mut self, request: &[u8]) -> Result<Response<'_>, Error> {
        self.send(request).await?;
        self.receive().await?;
        Ok(self.response())
    }

    /// Sends bytes as they are.
    pub async fn send(&mut self, bytes: &[u8]) -> Result<(), Error> {
        self.stream.write_all(bytes).await.map_err(Error::Io)
    }

    /// Reads one whole answer.
    pub async fn receive(&mut self) -> Result<(), Error> {
        self.incoming.receive(&mut self.stream).await
    }

    /// The answer that [`Connection::receive`] read.
    ///
    /// # Panics
    /// If nothing was received: a mistake of the caller, never of the server.
    pub fn response(&self) -> Response<'_> {
        self.incoming.response()
    }
}
