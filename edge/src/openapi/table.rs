//! What each route takes, answers and refuses, and for whom it is, beyond what follows from its row.

use super::shown::{Export, PersonsFiles, ShownBookmark, ShownCart, ShownCase, ShownFile, ShownPost, ShownWish, WholeCase};
use crate::{
    overview::Overview,
    route::{Access, Described, Route, Service, Shape},
};
use http::StatusCode;
use protocol::{
    ErrorCode, account, audit,
    bookmark::{Bookmark, NewBookmark},
    cart, checkout,
    comment::{Comment, NewComment},
    file, follow,
    hashtag::Trend,
    moderation::{Flagged, NewAppeal, NewDecision, NewFlag, PublicCase},
    order::{self, NewOrder, Order},
    post::{self, NewPost, NewShare},
    product::{self, NewProduct, Product},
    reaction::{self, NewReaction},
    review::{self, NewReview, Review},
    user::{self, NewSkill, PublicUser, Skill, User},
    wishlist,
};
use schemars::JsonSchema;

/// A row of the table, as it is built.
#[derive(Default)]
struct About {
    takes: Option<Described>,
    answers: Vec<(StatusCode, Shape)>,
    refuses: &'static [ErrorCode],
    access: Option<Access>,
}

/// Answers one thing.
fn one<T: JsonSchema>() -> About {
    About::default().or::<T>(StatusCode::OK)
}

/// Creates one thing.
fn created<T: JsonSchema>() -> About {
    About::default().or::<T>(StatusCode::CREATED)
}

/// Answers a page of a list.
fn page<T: JsonSchema>() -> About {
    About { answers: vec![(StatusCode::OK, Shape::Page(|generator| generator.subschema_for::<T>()))], ..About::default() }
}

/// Answers that it is done.
fn nothing() -> About {
    About { answers: vec![(StatusCode::NO_CONTENT, Shape::Nothing)], ..About::default() }
}

/// Answers that it will be done.
fn accepted() -> About {
    About { answers: vec![(StatusCode::ACCEPTED, Shape::Nothing)], ..About::default() }
}

impl About {
    fn or<T: JsonSchema>(mut self, status: StatusCode) -> Self {
        self.answers.push((status, Shape::One(|generator| generator.subschema_for::<T>())));
        self
    }

    fn takes<T: JsonSchema>(self) -> Self {
        Self { takes: Some(|generator| generator.subschema_for::<T>()), ..self }
    }

    fn refuses(self, refuses: &'static [ErrorCode]) -> Self {
        Self { refuses, ..self }
    }

    fn only(self, access: Access) -> Self {
        Self { access: Some(access), ..self }
    }
}

/// Adds to the rows what this table says of them.
pub(crate) fn describe(routes: &mut [Route]) {
    for route in routes {
        let about = match route.service {
            Service::User => of_user(route.method.as_str(), route.path),
            Service::Content => of_content(route.method.as_str(), route.path),
            Service::Shop => of_shop(route.method.as_str(), route.path),
            Service::Media => of_media(route.method.as_str(), route.path),
            Service::Gateway => of_gateway(route.path),
        };
        if let Some(About { takes, answers, refuses, access }) = about {
            (route.takes, route.answers, route.refuses) = (takes, answers, refuses);
            route.access = access.unwrap_or(route.access);
        }
    }
}

/// The gateway's own. The events of live updates are in docs/live.md.
fn of_gateway(path: &str) -> Option<About> {
    use ErrorCode as E;
    let opens = |status, shape| About { answers: vec![(status, shape)], ..About::default() };
    Some(match path {
        "/live" => opens(StatusCode::SWITCHING_PROTOCOLS, Shape::Nothing).refuses(&[E::InvalidHeader, E::CrossSite, E::LimitReached]),
        "/live/events" => opens(StatusCode::OK, Shape::Events).refuses(&[E::LimitReached, E::NotFound]),
        "/overview" => one::<Overview>(),
        _ => return None,
    })
}

fn of_user(method: &str, path: &str) -> Option<About> {
    use ErrorCode as E;
    Some(match (method, path) {
        ("POST", "/register") => {
            created::<account::SignedIn>().takes::<account::Registration>().refuses(&[E::UsernameTaken, E::EmailTaken, E::CrossSite])
        }
        ("POST", "/login") => one::<account::SignedIn>().takes::<account::Login>().refuses(&[E::CrossSite]),
        ("GET", "/sessions") => page::<account::SessionView>(),
        ("DELETE", "/sessions") => nothing(),
        ("DELETE", "/sessions/:id") => nothing().only(Access::Owner),
        ("PUT", "/password") => nothing().takes::<account::PasswordChange>().refuses(&[E::BadCredentials]),
        ("POST", "/password/forgot") => accepted().takes::<account::Forgotten>(),
        ("POST", "/password/reset") => nothing().takes::<account::PasswordReset>().refuses(&[E::BadToken]),
        ("POST", "/logout") => nothing(),
        ("GET", "/me") => one::<User>(),
        ("DELETE", "/me") => nothing().takes::<account::Confirmation>().refuses(&[E::BadCredentials]),
        ("GET", "/me/export") => one::<Export>(),
        ("GET", "/profile/:userId") => one::<PublicUser<'static>>(),
        ("PUT", "/profile/:userId") => one::<User>().takes::<user::Update>(),
        ("GET", "/users/:userId/skills") => page::<Skill>(),
        ("POST", "/users/:userId/skills") => created::<Skill>().takes::<NewSkill>(),
        ("DELETE", "/skills/:id") => nothing().only(Access::Owner),
        ("POST", "/skills/:id/endorse") => created::<Skill>().or::<Skill>(StatusCode::OK).only(Access::NotOwner),
        ("DELETE", "/skills/:id/endorse") => one::<Skill>().only(Access::NotOwner),
        ("GET", "/skills/:id/endorsements") => page::<PublicUser<'static>>(),
        ("GET", "/users/:userId/follow") => one::<follow::Standing>(),
        ("PUT" | "DELETE", "/users/:userId/follow") => one::<follow::Standing>().only(Access::NotOwner),
        ("GET", "/users/:userId/followers" | "/users/:userId/following") => page::<PublicUser<'static>>(),
        ("PUT" | "DELETE", "/users/:userId/block") => one::<follow::Block>().only(Access::NotOwner),
        ("GET", "/search" | "/blocks") => page::<PublicUser<'static>>(),
        ("PUT", "/users/:userId/role") => one::<PublicUser<'static>>().takes::<user::SetRole>(),
        ("PUT", "/users/:userId/active") => one::<PublicUser<'static>>().takes::<user::SetActive>(),
        ("GET", "/audit") => page::<audit::Entry>(),
        ("POST", "/moderation/flags") => created::<Flagged>().or::<Flagged>(StatusCode::OK).takes::<NewFlag>().refuses(&[E::NotFound]),
        ("GET", "/moderation/queue" | "/moderation/mine") => page::<ShownCase>(),
        ("GET", "/moderation/cases/:id") => one::<WholeCase>().only(Access::OwnerOrModerator),
        ("POST", "/moderation/cases/:id/decision") => one::<PublicCase<'static>>().takes::<NewDecision>().refuses(&[E::PreconditionFailed]),
        ("POST", "/moderation/cases/:id/appeal") => created::<PublicCase<'static>>().takes::<NewAppeal>().only(Access::Owner),
        _ => return None,
    })
}

fn of_content(method: &str, path: &str) -> Option<About> {
    use ErrorCode as E;
    Some(match (method, path) {
        ("POST", "/posts") => created::<ShownPost>().takes::<NewPost>().refuses(&[E::NotFound, E::ShareTooWide]),
        ("POST", "/posts/:id/share") => created::<ShownPost>().takes::<NewShare>().refuses(&[E::ShareTooWide]),
        ("GET", "/posts/:id") => one::<ShownPost>(),
        ("PUT", "/posts/:id") => one::<ShownPost>().takes::<post::Update>().refuses(&[E::ShareTooWide]).only(Access::Owner),
        ("DELETE", "/posts/:id") => nothing().only(Access::OwnerOrModerator),
        ("GET", "/feed/:userId" | "/public/posts" | "/users/:userId/posts" | "/posts/search") => page::<ShownPost>(),
        ("GET", "/hashtags/:tag/posts") => page::<ShownPost>().refuses(&[E::InvalidField]),
        ("GET", "/hashtags/trending") => page::<Trend>(),
        ("GET", "/bookmarks") => page::<ShownBookmark>(),
        ("POST", "/bookmarks") => created::<Bookmark>().or::<Bookmark>(StatusCode::OK).takes::<NewBookmark>().refuses(&[E::NotFound]),
        ("DELETE", "/bookmarks/:id") => nothing().only(Access::Owner),
        ("GET", "/posts/:id/comments") => page::<Comment>(),
        ("POST", "/posts/:id/comments") => created::<Comment>().takes::<NewComment>(),
        ("DELETE", "/comments/:id") => nothing().only(Access::OwnerOrModerator),
        ("PUT", "/posts/:id/reaction") => one::<reaction::Summary>().takes::<NewReaction>(),
        ("DELETE", "/posts/:id/reaction") | ("GET", "/posts/:id/reactions") => one::<reaction::Summary>(),
        _ => return None,
    })
}

fn of_shop(method: &str, path: &str) -> Option<About> {
    use ErrorCode as E;
    Some(match (method, path) {
        ("GET", "/public/products" | "/products/seller/:sellerId") => page::<Product>(),
        ("GET", "/public/products/:id") => one::<Product>(),
        ("POST", "/products") => created::<Product>().takes::<NewProduct>(),
        ("PUT", "/products/:id") => one::<Product>().takes::<product::Update>().only(Access::Owner),
        ("DELETE", "/products/:id") => nothing().only(Access::OwnerOrModerator),
        ("POST", "/orders") => created::<Order>().takes::<NewOrder>().refuses(&[E::OutOfStock, E::NotForSale, E::NotFound]),
        ("GET", "/orders/buyer/:id" | "/orders/seller/:id") => page::<Order>(),
        ("GET", "/orders/:id") => one::<Order>().only(Access::Owner),
        ("PUT", "/orders/:id/status") => one::<Order>().takes::<order::Change>().refuses(&[E::WrongStatus]).only(Access::Owner),
        ("GET", "/cart") => one::<ShownCart>(),
        ("POST", "/cart") => {
            let made = created::<cart::Item>().or::<cart::Item>(StatusCode::OK);
            made.takes::<cart::NewItem>().refuses(&[E::NotForSale, E::NotFound])
        }
        ("DELETE", "/cart" | "/wishlist/:productId") => nothing(),
        ("PUT", "/cart/:itemId") => one::<cart::Item>().takes::<cart::Quantity>().only(Access::Owner),
        ("DELETE", "/cart/:itemId") => nothing().only(Access::Owner),
        ("POST", "/cart/checkout") => {
            let made = created::<checkout::Answer<'static>>().takes::<checkout::Request>();
            made.refuses(&[E::OutOfStock, E::NotForSale, E::PriceRaised])
        }
        ("GET", "/products/:id/reviews") => page::<Review>(),
        ("POST", "/products/:id/reviews") => created::<Review>().takes::<NewReview>().only(Access::NotOwner),
        ("PUT", "/reviews/:id") => one::<Review>().takes::<review::Update>().only(Access::Owner),
        ("DELETE", "/reviews/:id") => nothing().only(Access::OwnerOrModerator),
        ("POST" | "DELETE", "/reviews/:id/helpful") => one::<review::Vote>().only(Access::NotOwner),
        ("GET", "/wishlist") => page::<ShownWish>(),
        ("POST", "/wishlist") => {
            created::<wishlist::Item>().or::<wishlist::Item>(StatusCode::OK).takes::<wishlist::Wish>().refuses(&[E::NotFound])
        }
        _ => return None,
    })
}

fn of_media(method: &str, path: &str) -> Option<About> {
    use ErrorCode as E;
    Some(match (method, path) {
        ("POST", "/upload") => {
            created::<ShownFile>().or::<ShownFile>(StatusCode::ACCEPTED).refuses(&[E::BadImage, E::QuotaExceeded, E::Forbidden])
        }
        ("GET", "/public/files") => page::<ShownFile>(),
        ("GET", "/files/:id") => one::<PersonsFiles>(),
        ("GET", "/files/id/:id") => one::<ShownFile>(),
        ("PATCH", "/files/:id") => one::<ShownFile>().takes::<file::Update>().only(Access::Owner),
        ("DELETE", "/files/:id") => nothing().only(Access::OwnerOrModerator),
        ("GET", "/media/:hash/:variant") => {
            let answers = [StatusCode::OK, StatusCode::PARTIAL_CONTENT].map(|status| (status, Shape::Bytes)).into();
            About { answers, ..About::default() }.refuses(&[E::NotFound, E::BadImage, E::BadRange])
        }
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use crate::route;

    /// What a route answers is said nowhere else.
    #[test]
    fn every_route_has_a_row_here() {
        let routes = route::table();
        let missing: Vec<_> = routes.iter().filter(|route| route.answers.is_empty()).collect();
        assert!(missing.is_empty(), "no row for {:?}", missing.iter().map(|route| (&route.method, route.path)).collect::<Vec<_>>());
    }
}
