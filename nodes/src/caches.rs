//! Caches in front of the platform, told over HTTP what they are to forget.

use crate::config::Config;
use actors::media::Caches;
use anyhow::{Context, Result};
use futures_util::{FutureExt, future::BoxFuture};
use reqwest::{Client, Method, Url, header::AUTHORIZATION};
use std::{sync::Arc, time::Duration};

/// How long one request may take.
const ANSWER_MAX: Duration = Duration::from_secs(5);

/// The caches that the configuration names.
///
/// # Errors
/// When their address makes no client: it was checked when it was read.
pub fn caches(config: &Config) -> Result<Option<Arc<dyn Caches>>> {
    let Some(address) = &config.media.cache_purge_url else { return Ok(None) };
    // The client takes the process's provider of cryptography. That there is one already is well.
    let _ = rustls::crypto::ring::default_provider().install_default();
    let client =
        Client::builder().timeout(ANSWER_MAX).redirect(reqwest::redirect::Policy::none()).build().context("media.cache_purge_url")?;
    let method = Method::from_bytes(b"PURGE").context("media.cache_purge_url")?;
    let url = address.url().parse().context("media.cache_purge_url")?;
    let token = address.expose_token().map(|token| format!("Bearer {token}"));
    Ok(Some(Arc::new(ByKey { client, method, url, token })))
}

/// Whatever takes `PURGE` with the header `Surrogate-Key`: Varnish with `vmod_xkey` (deploy/cdn/varnish.vcl), or what an operator puts before another API.
struct ByKey {
    client: Client,
    method: Method,
    url: Url,
    token: Option<String>,
}

impl Caches for ByKey {
    fn forget(&self, keys: Vec<String>) -> BoxFuture<'_, Result<(), String>> {
        let request = self.client.request(self.method.clone(), self.url.clone()).header("surrogate-key", keys.join(" "));
        let request = self.token.iter().fold(request, |request, token| request.header(AUTHORIZATION, token));
        async move {
            // The address says nothing that whoever reads logs may not know: the token is not in it.
            let answer = request.send().await.map_err(|error| error.to_string())?;
            if answer.status().is_success() { Ok(()) } else { Err(format!("it answered {}", answer.status())) }
        }
        .boxed()
    }
}
