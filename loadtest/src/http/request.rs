use bytes::Bytes;
use http::Method;

use super::Edge;

/// A request, put together once and sent many times.
#[derive(Clone, Debug)]
pub struct Request {
    method: Method,
    path: String,
    headers: Vec<(String, String)>,
    body: Vec<u8>,
}

impl Request {
    /// Starts a request without a body. `path` is absolute and may carry a query.
    pub fn new(method: Method, path: impl Into<String>) -> Self {
        Self { method, path: path.into(), headers: Vec::new(), body: Vec::new() }
    }

    /// Starts a GET.
    pub fn get(path: impl Into<String>) -> Self {
        Self::new(Method::GET, path)
    }

    /// Adds a header. The caller vouches for name and value: they come from its own code or were checked on entry.
    #[must_use]
    pub fn header(mut self, name: impl Into<String>, value: impl Into<String>) -> Self {
        self.headers.push((name.into(), value.into()));
        self
    }

    /// Adds the session token.
    #[must_use]
    pub fn bearer(self, token: &str) -> Self {
        self.header("authorization", format!("Bearer {token}"))
    }

    /// Sets a JSON body.
    #[must_use]
    pub fn json(self, body: &serde_json::Value) -> Self {
        self.body("application/json", body.to_string().into_bytes())
    }

    /// Sets a body of any type.
    #[must_use]
    pub fn body(mut self, content_type: &str, body: Vec<u8>) -> Self {
        self.body = body;
        self.header("content-type", content_type)
    }

    /// The bytes to send to one edge.
    pub fn encode(&self, edge: &Edge) -> Bytes {
        let mut head = format!("{} {}{} HTTP/1.1\r\nhost: {}\r\n", self.method, edge.prefix(), self.path, edge.authority());
        for (name, value) in &self.headers {
            head.push_str(&format!("{name}: {value}\r\n"));
        }
        let carries_body = !self.body.is_empty() || matches!(self.method, Method::POST | Method::PUT | Method::PATCH);
        if carries_body {
            head.push_str(&format!("content-length: {}\r\n", self.body.len()));
        }
        head.push_str("\r\n");
        let mut bytes = head.into_bytes();
        bytes.extend_from_slice(&self.body);
        Bytes::from(bytes)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn encodes_prefix_headers_and_length() {
        let edge: Edge = "http://127.0.0.1:80/api".parse().unwrap();
        let body = serde_json::json!({"a": 1});
        let request = Request::new(Method::PUT, "/x?y=1").bearer("t").json(&body);
        assert_eq!(
            request.encode(&edge),
            "PUT /api/x?y=1 HTTP/1.1\r\nhost: 127.0.0.1:80\r\nauthorization: Bearer t\r\n\
             content-type: application/json\r\ncontent-length: 7\r\n\r\n{\"a\":1}"
        );
        assert_eq!(Request::get("/").encode(&edge), "GET /api/ HTTP/1.1\r\nhost: 127.0.0.1:80\r\n\r\n");
    }
}
