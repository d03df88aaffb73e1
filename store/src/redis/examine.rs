//! What an operator would want to know of Redis.

use redis::{Client, InfoDict};
use std::time::{Duration, Instant};
use tokio::time::timeout;

/// Redis, as it was found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Examined {
    /// Its release.
    pub version: String,
    /// How long it took for one answer.
    pub answer: Duration,
    /// What it does when its memory is full, where it has a bound.
    pub policy: Option<String>,
}

/// Looks at the server, for so long at most.
///
/// # Errors
/// What happened, without the URL.
pub async fn examine(url: &str, patience: Duration) -> Result<Examined, String> {
    let look = async {
        let client = Client::open(url)?;
        let mut connection = client.get_multiplexed_async_connection().await?;
        let asked = Instant::now();
        let () = redis::cmd("PING").query_async(&mut connection).await?;
        let answer = asked.elapsed();
        let facts: InfoDict = redis::cmd("INFO").query_async(&mut connection).await?;
        let bound = facts.get::<u64>("maxmemory").filter(|bytes| *bytes > 0);
        let policy = bound.and_then(|_| facts.get("maxmemory_policy"));
        Ok(Examined { version: facts.get("redis_version").unwrap_or_default(), answer, policy })
    };
    match timeout(patience, look).await {
        Ok(Ok(examined)) => Ok(examined),
        // What the library says of an error may repeat what it was given.
        Ok(Err(error)) => {
            let error: redis::RedisError = error;
            Err(error.category().to_owned())
        }
        Err(_) => Err(format!("no answer within {patience:?}")),
    }
}
