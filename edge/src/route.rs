//! The route table: from it come the dispatcher, the metrics' labels, and the checks that every route has a policy and a limit.

use crate::{dispatch::Edge, exchange::Exchange, handler, openapi, rate::Class, server::ResponseBody};
use actors::Client;
use bytes::Bytes;
use futures_util::future::BoxFuture;
use http::{HeaderMap, Method, Response, StatusCode};
use hyper::upgrade::OnUpgrade;
use protocol::{ErrorCode, Principal, Refusal, Role};
use schemars::{Schema, SchemaGenerator};
use std::{future::Future, sync::Arc};
use uuid::Uuid;

/// A service of the platform, as the gateway's prefixes and the listeners name it.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
#[allow(missing_docs)]
pub enum Service {
    Gateway,
    User,
    Content,
    Shop,
    Media,
}

impl Service {
    /// Every service that exists.
    pub const ALL: [Self; 5] = [Self::Gateway, Self::User, Self::Content, Self::Shop, Self::Media];

    /// The name in metrics and health bodies.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Gateway => "gateway",
            Self::User => "user-service",
            Self::Content => "content-service",
            Self::Shop => "shop-service",
            Self::Media => "media-service",
        }
    }

    /// Where the gateway has it.
    #[must_use]
    pub const fn prefix(self) -> &'static str {
        match self {
            Self::Gateway => "/api",
            Self::User => "/api/user",
            Self::Content => "/api/content",
            Self::Shop => "/api/shop",
            Self::Media => "/api/media",
        }
    }

    /// The service behind `/api/<prefix>` at the gateway.
    #[must_use]
    pub fn of_prefix(prefix: &str) -> Option<Self> {
        match prefix {
            "user" | "users" => Some(Self::User),
            "content" => Some(Self::Content),
            "shop" => Some(Self::Shop),
            "media" => Some(Self::Media),
            _ => None,
        }
    }
}

/// Who may call a route. A route cannot be declared without one; what else only the thing's owner may do is decided by the owner actor.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Auth {
    /// Anyone; a token is not even looked at.
    Open,
    /// Anyone; a token, if sent, must be valid and decides what is seen.
    Optional,
    /// Whoever has a valid session.
    Token,
    /// Whoever has a valid session whose subject is the id in the path.
    Subject,
    /// Whoever has a valid session and this rank or a higher one.
    Rank(Role),
}

/// For whom a route is, as its owner actor decides it: what the authorisation matrix is tested against and the description says. It follows from
/// [`Auth`] where the owner decides nothing more.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Access {
    /// Open to all.
    Anyone,
    /// Open to all; who asks decides what is seen.
    Viewer,
    /// Whoever is signed in.
    Person,
    /// The person whom the path names.
    Subject,
    /// Whose the thing is.
    Owner,
    /// Anyone signed in but whose the thing is: nobody vouches for themselves.
    NotOwner,
    /// Whose the thing is, and moderators.
    OwnerOrModerator,
    /// Moderators and admins.
    Moderator,
    /// Admins.
    Admin,
}

impl Access {
    const fn of(auth: Auth) -> Self {
        match auth {
            Auth::Open => Self::Anyone,
            Auth::Optional => Self::Viewer,
            Auth::Token => Self::Person,
            Auth::Subject => Self::Subject,
            Auth::Rank(Role::User) => Self::Person,
            Auth::Rank(Role::Moderator) => Self::Moderator,
            Auth::Rank(Role::Admin) => Self::Admin,
        }
    }

    /// The name in the description.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Anyone => "anyone",
            Self::Viewer => "viewer",
            Self::Person => "person",
            Self::Subject => "subject",
            Self::Owner => "owner",
            Self::NotOwner => "not-owner",
            Self::OwnerOrModerator => "owner-or-moderator",
            Self::Moderator => "moderator",
            Self::Admin => "admin",
        }
    }
}

/// Describes a type.
pub type Described = fn(&mut SchemaGenerator) -> Schema;

/// The form of an answer's body.
#[derive(Clone, Copy, Debug)]
pub enum Shape {
    /// None.
    Nothing,
    /// One thing.
    One(Described),
    /// A page of a list of such things.
    Page(Described),
    /// Bytes of whatever type.
    Bytes,
    /// Server-sent events, without an end.
    Events,
}

/// Whether a route takes a body.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Input {
    /// No body is read.
    None,
    /// JSON of at most so many bytes; `None` is the configured limit.
    Json(Option<u64>),
    /// A form with a file (`multipart/form-data`), which the handler takes as it comes.
    Multipart,
}

/// What a fast path is given: no copy is made of the request.
pub struct Glance<'r> {
    /// The edge.
    pub edge: &'r Edge,
    /// The door to what is in memory.
    pub client: &'r Client,
    /// The request's headers.
    pub headers: &'r HeaderMap,
    /// The query string, or nothing.
    pub query: &'r str,
    /// The ids in the path.
    pub ids: &'r [Uuid],
    /// Who asks, if the route looks at sessions and the account is warm. A wrong token is the handler's to refuse.
    pub principal: Option<Principal>,
}

/// Answers from memory, without waiting; `None` leaves it to the handler. It must give the answer that the handler would.
pub type Fast = fn(&Glance<'_>) -> Option<Response<Bytes>>;

/// Answers a request.
pub type Handler = Arc<dyn Fn(Arc<Exchange>, Bytes) -> BoxFuture<'static, Result<Response<Bytes>, Refusal>> + Send + Sync>;

/// Answers a request with something that goes on behind its answer: a stream, or another protocol on the connection, if it can be had. Only what comes before
/// that is work, and has its permit and its time.
pub type Opens = fn(Arc<Exchange>, Option<OnUpgrade>) -> BoxFuture<'static, Result<Response<ResponseBody>, Refusal>>;

/// A segment of a path.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Segment {
    /// This text.
    Text(&'static str),
    /// A UUID, by this name: `id`, or one that ends with `Id`.
    Id(&'static str),
    /// Any text, by this name.
    Name(&'static str),
}

/// A row of the route table.
pub struct Route {
    /// Whose.
    pub service: Service,
    /// The method. GET answers HEAD, too.
    pub method: Method,
    /// The path on the service's own port, as documented: `/profile/:userId`.
    pub path: &'static str,
    /// The path, cut.
    pub segments: Vec<Segment>,
    /// Who may call it.
    pub auth: Auth,
    /// Whether it works without a session where there is a demo account.
    pub is_for_demo: bool,
    /// What it takes.
    pub input: Input,
    /// What limits how often one caller may ask.
    pub class: Class,
    /// The parameters of its query string.
    pub params: &'static [&'static str],
    /// The fast path, for GETs that memory can answer.
    pub fast: Option<Fast>,
    /// The handler.
    pub handler: Handler,
    /// What answers in its place, where the answer goes on.
    pub opens: Option<Opens>,
    /// What it does, in one line.
    pub summary: &'static str,
    /// For whom it is.
    pub access: Access,
    /// What its body is.
    pub takes: Option<Described>,
    /// What it answers when it does what it was asked, by status.
    pub answers: Vec<(StatusCode, Shape)>,
    /// Codes with which it refuses, beyond those that follow from its form.
    pub refuses: &'static [ErrorCode],
}

impl Route {
    /// Declares a route; it needs a policy from the first.
    pub fn new<F>(
        (service, method, path): (Service, Method, &'static str),
        auth: Auth,
        summary: &'static str,
        handler: impl Fn(Arc<Exchange>, Bytes) -> F + Send + Sync + 'static,
    ) -> Self
    where
        F: Future<Output = Result<Response<Bytes>, Refusal>> + Send + 'static,
    {
        let segments = path.split('/').skip(1).filter(|s| !s.is_empty()).map(segment).collect();
        let input =
            if method == Method::POST || method == Method::PUT || method == Method::PATCH { Input::Json(None) } else { Input::None };
        let handler: Handler = Arc::new(move |exchange, body| Box::pin(handler(exchange, body)));
        let class = if method == Method::GET { Class::Read } else { Class::Write };
        Self {
            service,
            method,
            path,
            segments,
            auth,
            is_for_demo: false,
            input,
            class,
            params: &[],
            fast: None,
            handler,
            opens: None,
            summary,
            access: Access::of(auth),
            takes: None,
            answers: Vec::new(),
            refuses: &[],
        }
    }

    /// Declares a route whose answer goes on.
    pub fn opening(declared: (Service, Method, &'static str), auth: Auth, summary: &'static str, opens: Opens) -> Self {
        let never = |_, _| async { Err(ErrorCode::Internal.into()) };
        Self { opens: Some(opens), ..Self::new(declared, auth, summary, never) }
    }

    /// Whether it creates something, repeatably under an `Idempotency-Key`.
    #[must_use]
    pub fn is_idempotent_create(&self) -> bool {
        self.method == Method::POST && self.answers.iter().any(|(status, _)| *status == StatusCode::CREATED) && self.input != Input::None
    }

    /// With these query parameters.
    #[must_use]
    pub fn params(self, params: &'static [&'static str]) -> Self {
        Self { params, ..self }
    }

    /// Limited as this class is, where that does not follow from the method.
    #[must_use]
    pub fn class(self, class: Class) -> Self {
        Self { class, ..self }
    }

    /// With a fast path.
    #[must_use]
    pub fn fast(self, fast: Fast) -> Self {
        Self { fast: Some(fast), ..self }
    }

    /// With a JSON body, though its method seldom has one.
    #[must_use]
    pub fn json(self) -> Self {
        Self { input: Input::Json(None), ..self }
    }

    /// With a form that holds a file.
    #[must_use]
    pub fn multipart(self) -> Self {
        Self { input: Input::Multipart, ..self }
    }

    /// Without a session in the name of the demo account, where there is one.
    #[must_use]
    pub fn for_demo(self) -> Self {
        Self { is_for_demo: true, ..self }
    }

    /// Without a body, though its method could have one.
    #[must_use]
    pub fn bodiless(self) -> Self {
        Self { input: Input::None, ..self }
    }
}

fn segment(text: &'static str) -> Segment {
    match text.strip_prefix(':') {
        None => Segment::Text(text),
        Some(name) if name == "id" || name.ends_with("Id") => Segment::Id(name),
        Some(name) => Segment::Name(name),
    }
}

/// Every route of the platform's services. Routes of all services (health, metrics) are the dispatcher's own.
#[must_use]
pub fn table() -> Vec<Route> {
    let mut routes = handler::account::routes();
    routes.extend(handler::user::routes());
    routes.extend(handler::people::routes());
    routes.extend(handler::rank::routes());
    routes.extend(handler::moderation::routes());
    routes.extend(handler::content::routes());
    routes.extend(handler::shop::routes());
    routes.extend(handler::media::routes());
    routes.extend(handler::live::routes());
    routes.extend(handler::overview::routes());
    openapi::describe(&mut routes);
    routes
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::HashSet;

    #[test]
    fn no_route_is_declared_twice_and_subjects_have_an_id() {
        let mut seen = HashSet::new();
        for route in table() {
            assert!(
                seen.insert((
                    route.service,
                    route.method.clone(),
                    route
                        .segments
                        .iter()
                        .map(|s| match s {
                            Segment::Text(text) => *text,
                            Segment::Id(_) | Segment::Name(_) => ":",
                        })
                        .collect::<Vec<_>>()
                )),
                "{} {} twice",
                route.method,
                route.path
            );
            let first_id = route.segments.iter().any(|s| matches!(s, Segment::Id(_)));
            assert!(route.auth != Auth::Subject || first_id, "{} has no subject", route.path);
            assert!(route.fast.is_none() || route.method == Method::GET, "{} cannot be fast", route.path);
            assert!(!route.summary.is_empty());
        }
    }

    #[test]
    fn what_changes_something_needs_a_session() {
        let open: Vec<_> = table()
            .into_iter()
            .filter(|r| r.method != Method::GET && !matches!(r.auth, Auth::Token | Auth::Subject | Auth::Rank(_)))
            .collect();
        let paths: Vec<_> = open.iter().map(|r| r.path).collect();
        assert_eq!(paths, ["/register", "/login", "/password/forgot", "/password/reset"]);
    }
}
