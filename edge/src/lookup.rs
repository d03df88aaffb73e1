//! From a path to its row in the route table.

use crate::{
    dispatch::Edge,
    route::{self, Segment},
};
use http::{HeaderValue, Method};
use uuid::Uuid;

/// The first words of the gateway's own routes.
const OWN: [&str; 2] = ["live", "overview"];

/// A route that a path has: its place, the ids in the path, and the path on the service's own port.
pub(crate) struct Found<'p> {
    pub(crate) index: usize,
    ids: [Uuid; 2],
    ids_len: usize,
    pub(crate) path: &'p str,
}

/// Why a path has no route.
pub(crate) enum Lost {
    /// No route has this path.
    Unknown,
    /// A route would have it, if what stands in an id's place were one.
    BadId,
    /// Routes have it, with these methods.
    Method(HeaderValue),
}

impl Found<'_> {
    /// The ids in the path.
    pub(crate) fn ids(&self) -> &[Uuid] {
        &self.ids[..self.ids_len]
    }
}

impl Edge {
    /// Finds the route of a path. Linear over one service's rows: some twenty comparisons of lengths and words, 0.1 µs.
    pub(crate) fn find<'p>(&self, service: route::Service, method: &Method, path: &'p str) -> Result<Found<'p>, Lost> {
        let wanted = if method == Method::HEAD { &Method::GET } else { method };
        let mut words = [""; 8];
        let mut count = 0;
        for word in path.split('/').skip(1) {
            *words.get_mut(count).ok_or(Lost::Unknown)? = word;
            count += 1;
        }
        let words = &words[..count];
        let (mut others, mut without_id, mut bad_id) = (Vec::new(), Vec::new(), false);
        for (index, route) in self.routes.iter().enumerate() {
            if route.service != service || route.segments.len() != count || !matches(&route.segments, words) {
                continue;
            }
            // A word of another route's (`/posts/search`) is no id of this one, whose methods are none of that path's.
            match ids(&route.segments, words) {
                Some((ids, ids_len)) if route.method == *wanted => return Ok(Found { index, ids, ids_len, path }),
                Some(_) => others.push(index),
                None => {
                    without_id.push(index);
                    bad_id |= route.method == *wanted;
                }
            }
        }
        match (others.is_empty(), without_id.is_empty(), bad_id) {
            (false, ..) => Err(Lost::Method(self.allow(&others))),
            (_, _, true) => Err(Lost::BadId),
            (_, false, _) => Err(Lost::Method(self.allow(&without_id))),
            _ => Err(Lost::Unknown),
        }
    }

    fn allow(&self, routes: &[usize]) -> HeaderValue {
        let mut methods = Vec::new();
        for method in routes.iter().map(|index| self.routes[*index].method.as_str()) {
            if !methods.contains(&method) {
                methods.push(method);
            }
        }
        if methods.contains(&"GET") {
            methods.push("HEAD");
        }
        HeaderValue::try_from(methods.join(", ")).unwrap_or(HeaderValue::from_static("GET"))
    }
}

fn matches(segments: &[Segment], words: &[&str]) -> bool {
    segments.iter().zip(words).all(|(segment, word)| match segment {
        Segment::Text(text) => text == word,
        // A word of another route at this place (`/files/id`) is no id of this one; a wrong id is refused as such later.
        Segment::Id(_) | Segment::Name(_) => !word.is_empty(),
    })
}

fn ids(segments: &[Segment], words: &[&str]) -> Option<([Uuid; 2], usize)> {
    let (mut ids, mut len) = ([Uuid::nil(); 2], 0);
    for (segment, word) in segments.iter().zip(words) {
        if matches!(segment, Segment::Id(_)) {
            *ids.get_mut(len)? = Uuid::try_parse(word).ok()?;
            len += 1;
        }
    }
    Some((ids, len))
}

/// `/api/<prefix>/X` at the gateway is `/X` of the service; `/api/live` and `/api/overview` are the gateway's own.
pub(crate) fn gateway(path: &str) -> Option<(route::Service, &str)> {
    let rest = path.strip_prefix("/api/")?;
    let (prefix, _) = rest.split_once('/').unwrap_or((rest, ""));
    if OWN.contains(&prefix) {
        return Some((route::Service::Gateway, path.strip_prefix(route::Service::Gateway.prefix())?));
    }
    Some((route::Service::of_prefix(prefix)?, &rest[prefix.len()..]))
}
