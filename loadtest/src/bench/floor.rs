//! `loadtest floor`: hyper alone, answering every request with one constant body: the least that an HTTP server in this
//! stack can cost.

use std::convert::Infallible;
use std::net::SocketAddr;

use anyhow::Context as _;
use bytes::Bytes;
use clap::Args;
use http::{HeaderMap, HeaderName, HeaderValue, Response, header};
use http_body_util::Full;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use tokio::net::TcpListener;

/// Options of `loadtest floor`.
#[derive(Args, Clone, Debug)]
pub struct Options {
    /// Address to listen on; port 0 takes a free one
    #[arg(long, default_value = "127.0.0.1:0")]
    pub listen: SocketAddr,
    /// Size of the constant body
    #[arg(long, default_value_t = 512, value_parser = clap::value_parser!(u32).range(0..=8_000_000))]
    pub body_bytes: u32,
    /// Header of each answer, `name: value`; repeat it. `date` and `content-length` come by themselves
    #[arg(long = "header", value_name = "HEADER", default_value = "content-type: application/json", value_parser = parse_header)]
    pub headers: Vec<(HeaderName, HeaderValue)>,
}

/// Reads `name: value`.
///
/// # Errors
/// If it is no header, or one that hyper writes itself.
pub fn parse_header(text: &str) -> Result<(HeaderName, HeaderValue), String> {
    let (name, value) = text.split_once(':').ok_or("a header has the form name: value")?;
    let name: HeaderName = name.trim().parse().map_err(|_| format!("{name:?} is no header name"))?;
    let value = HeaderValue::from_str(value.trim()).map_err(|_| format!("{value:?} is no header value"))?;
    Ok((name, value))
}

/// Whether hyper itself answers for a header, or it belongs to the one connection that it was seen on.
pub fn is_automatic(name: &str) -> bool {
    matches!(name, "date" | "content-length" | "connection" | "transfer-encoding" | "keep-alive")
}

/// Serves until the process is ended. The first line on standard output is the address.
///
/// # Errors
/// If the address cannot be had.
pub fn run(options: &Options) -> anyhow::Result<()> {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build()?;
    let (body, headers) = (body(options.body_bytes), headers(options));
    let listen = options.listen;
    let served = runtime.spawn(async move {
        let listener = TcpListener::bind(listen).await.with_context(|| format!("listening on {listen}"))?;
        println!("{}", listener.local_addr()?);
        serve(listener, body, headers).await
    });
    runtime.block_on(served)?
}

/// Answers every request on every connection with the same body and headers.
///
/// # Errors
/// If the listener fails.
pub async fn serve(listener: TcpListener, body: Bytes, headers: HeaderMap) -> anyhow::Result<()> {
    loop {
        let (stream, _) = listener.accept().await?;
        stream.set_nodelay(true)?;
        let (body, headers) = (body.clone(), headers.clone());
        tokio::spawn(async move {
            let service = service_fn(|_request| {
                let mut response = Response::new(Full::new(body.clone()));
                *response.headers_mut() = headers.clone();
                async { Ok::<_, Infallible>(response) }
            });
            // A client that goes away is no event here.
            let _ = hyper::server::conn::http1::Builder::new().serve_connection(TokioIo::new(stream), service).await;
        });
    }
}

fn body(bytes: u32) -> Bytes {
    let text = br#"{"lorem":"ipsum dolor sit amet"} "#;
    Bytes::from_iter(text.iter().copied().cycle().take(bytes as usize))
}

fn headers(options: &Options) -> HeaderMap {
    let kept = options.headers.iter().filter(|(name, _)| !is_automatic(name.as_str()));
    let mut headers: HeaderMap = kept.cloned().collect();
    headers.remove(header::CONTENT_LENGTH);
    headers
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::api::Api;
    use crate::http::{Edge, Request};
    use std::time::Duration;

    #[tokio::test]
    async fn answers_with_the_wished_size_and_headers() {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let edge = Edge::from(listener.local_addr().unwrap());
        let options = Options {
            listen: ([127, 0, 0, 1], 0).into(),
            body_bytes: 100,
            headers: ["etag: \"7\"", "content-length: 5", "vary: a", "vary: b"].map(|text| parse_header(text).unwrap()).to_vec(),
        };
        let served = tokio::spawn(serve(listener, body(options.body_bytes), headers(&options)));
        let mut api = Api::new(&edge, Duration::from_secs(5));
        for _ in 0..2 {
            let answer = api.call(&Request::get("/any")).await.unwrap();
            assert_eq!((answer.status, answer.body.len()), (200, 100));
            assert_eq!(answer.header("etag"), Some("\"7\""));
            assert_eq!(answer.headers.iter().filter(|(name, _)| name == "vary").count(), 2);
        }
        served.abort();
    }

    #[test]
    fn refuses_what_is_no_header() {
        for bad in ["", "no colon", "na me: x", "name: a\nb"] {
            assert!(parse_header(bad).is_err(), "{bad:?}");
        }
    }
}
