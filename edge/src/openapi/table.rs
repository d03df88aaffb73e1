//! What each route takes, answers and refuses, and for whom it is, beyond what follows from its row.

use super::shown::{Export, ShownBookmark, ShownPost};
use crate::route::{Access, Described, Route, Service, Shape};
use http::StatusCode;
use protocol::{
    ErrorCode, account, audit,
    bookmark::{Bookmark, NewBookmark},
    comment::{Comment, NewComment},
    follow,
    hashtag::Trend,
    order::{NewOrder, Order},
    post::{self, NewPost, NewShare},
    product::{self, NewProduct, Product},
    reaction::{self, NewReaction},
    user::{self, NewSkill, PublicUser, Skill, User},
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
            Service::Gateway => None,
        };
        if let Some(About { takes, answers, refuses, access }) = about {
            (route.takes, route.answers, route.refuses) = (takes, answers, refuses);
            route.access = access.unwrap_or(route.access);
        }
    }
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
        ("PUT" | "DELETE", "/users/:userId/follow") => one::<follow::Standing>().only(Access::NotOwner),
        ("GET", "/users/:userId/followers" | "/users/:userId/following") => page::<PublicUser<'static>>(),
        ("PUT" | "DELETE", "/users/:userId/block") => one::<follow::Block>().only(Access::NotOwner),
        ("GET", "/search" | "/blocks") => page::<PublicUser<'static>>(),
        ("PUT", "/users/:userId/role") => one::<PublicUser<'static>>().takes::<user::SetRole>(),
        ("PUT", "/users/:userId/active") => one::<PublicUser<'static>>().takes::<user::SetActive>(),
        ("GET", "/audit") => page::<audit::Entry>(),
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
        _ => return None,
    })
}
