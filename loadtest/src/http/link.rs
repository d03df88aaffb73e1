use std::time::{Duration, Instant};

use super::{Connection, Edge, Error, Response};

/// After this long without use a connection is looked at before it is used: servers close idle ones.
const IDLE_TRUST: Duration = Duration::from_millis(100);

/// A connection that is opened when needed, replaced when broken, and whose every exchange ends by a deadline.
#[derive(Debug)]
pub struct Link {
    edge: Edge,
    deadline: Duration,
    connection: Option<Connection>,
    used_at: Instant,
}

impl Link {
    /// Prepares a link; nothing is connected yet. `deadline` bounds each exchange, connecting included.
    pub fn new(edge: Edge, deadline: Duration) -> Self {
        Self { edge, deadline, connection: None, used_at: Instant::now() }
    }

    /// The edge at the other end.
    pub fn edge(&self) -> &Edge {
        &self.edge
    }

    /// Opens a connection, unless there is a usable one.
    pub async fn connect(&mut self) -> Result<(), Error> {
        let trusted = self.used_at.elapsed() < IDLE_TRUST;
        let usable = |connection: &Connection| !connection.is_spent() && (trusted || connection.looks_open());
        if !self.connection.as_ref().is_some_and(usable) {
            self.connection = None;
            let opened = tokio::time::timeout(self.deadline, Connection::open(&self.edge)).await;
            self.connection = Some(opened.map_err(|_| Error::TimedOut)??);
            self.used_at = Instant::now();
        }
        Ok(())
    }

    /// Sends a request and reads its answer.
    ///
    /// A GET that meets a connection just closed by the server is sent once more on a new one. No other method is ever
    /// repeated: after [`Error::Closed`], [`Error::Io`] or [`Error::TimedOut`] its outcome is unknown.
    pub async fn exchange(&mut self, request: &[u8]) -> Result<Response<'_>, Error> {
        let reused = self.connection.is_some();
        let mut outcome = self.attempt(request).await;
        if reused && request.starts_with(b"GET ") && matches!(outcome, Err(Error::Closed)) {
            outcome = self.attempt(request).await;
        }
        outcome?;
        Ok(self.connection.as_ref().expect("an attempt that succeeded leaves its connection").response())
    }

    async fn attempt(&mut self, request: &[u8]) -> Result<(), Error> {
        self.connect().await?;
        let mut connection = self.connection.take().expect("just connected");
        let exchange = async {
            connection.send(request).await?;
            connection.receive().await
        };
        let outcome = tokio::time::timeout(self.deadline, exchange).await;
        outcome.map_err(|_| Error::TimedOut)??;
        self.used_at = Instant::now();
        self.connection = Some(connection);
        Ok(())
    }
}
