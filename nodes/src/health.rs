//! What `lets-connect health` says: whether the server of this configuration is well. What keeps containers asks by it, where an image has no other program.

use crate::{
    config::Config,
    http::{Request, Server},
};
use anyhow::{Context, Result};
use hyper::Method;
use serde_json::Value;
use std::time::Duration;

/// How long the server may take to say it. Who asks by a command gives that 5 s, the image (deploy/image/Containerfile) among them, and is to hear why it failed.
const ANSWER_MAX: Duration = Duration::from_secs(4);

/// Asks the admin listener whether the server lives or, for `ready`, whether it is to be sent requests; answers its status, such as `healthy` or `degraded`.
///
/// # Errors
/// When it says no, or nobody answers there within 4 s.
pub async fn ask(config: &Config, ready: bool) -> Result<String> {
    let server = Server::at(&format!("http://{}", config.listen.admin), 1)?;
    let path = if ready { "/health/ready" } else { "/health" };
    let request = Request::new(Method::GET, path.to_owned());
    let answer = tokio::time::timeout(ANSWER_MAX, server.once(&request)).await;
    let answer = answer.with_context(|| format!("no answer at {} within {} s", config.listen.admin, ANSWER_MAX.as_secs()))??;
    let answer: Value = serde_json::from_slice(&answer).context("the server's answer cannot be read")?;
    Ok(format!("{}\n", answer["status"].as_str().unwrap_or("unknown")))
}
