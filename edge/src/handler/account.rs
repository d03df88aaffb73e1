//! The user service: accounts, sessions, passwords.

use super::{Answered, first};
use crate::{
    address,
    attempt::{Act, Attempt},
    exchange::{Exchange, read_json},
    rate::Class,
    respond::{self, Caching},
    route::{Auth, Route, Service::User},
    session,
};
use actors::account::{Opened, Token};
use bytes::{BufMut, Bytes, BytesMut};
use http::{HeaderValue, Method, Response, StatusCode, header};
use protocol::{
    ErrorCode, Key, Kind, Query, Refusal, SessionId,
    account::{Confirmation, Device, Forgotten, Login, PasswordChange, PasswordReset, Registration, USER_AGENT_CHARS_MAX},
};
use std::sync::Arc;

/// The service's routes.
pub fn routes() -> Vec<Route> {
    vec![
        Route::new((User, Method::POST, "/register"), Auth::Open, "Create an account and its first session.", register)
            .class(Class::SignIn),
        Route::new((User, Method::POST, "/login"), Auth::Open, "Open a session.", login).class(Class::SignIn),
        Route::new((User, Method::POST, "/logout"), Auth::Token, "End this session.", logout).bodiless(),
        Route::new((User, Method::GET, "/me"), Auth::Token, "One's own account.", me),
        Route::new((User, Method::DELETE, "/me"), Auth::Token, "Leave for good: everything of one's own is erased.", leave).json(),
        Route::new((User, Method::GET, "/me/export"), Auth::Token, "Everything that is one's own, as one document.", export)
            .class(Class::Search),
        Route::new((User, Method::GET, "/sessions"), Auth::Token, "One's open sessions.", sessions),
        Route::new((User, Method::DELETE, "/sessions"), Auth::Token, "End all of one's sessions but this one.", end_other_sessions),
        Route::new((User, Method::DELETE, "/sessions/:id"), Auth::Token, "End one of one's sessions.", end_session),
        Route::new((User, Method::PUT, "/password"), Auth::Token, "Set a new password; other sessions end.", change_password),
        Route::new((User, Method::POST, "/password/forgot"), Auth::Open, "Have a token for a new password mailed.", forgot)
            .class(Class::SignIn),
        Route::new((User, Method::POST, "/password/reset"), Auth::Open, "Set a new password with that token.", reset_password)
            .class(Class::SignIn),
    ]
}

/// The answer to whoever opened a session: with a token, or with a cookie in its place.
fn opened(exchange: &Exchange, opened: &Opened, (status, by_cookie): (StatusCode, bool)) -> Answered {
    let mut body = BytesMut::with_capacity(opened.user.len() + 128);
    body.put_u8(b'{');
    if !by_cookie {
        // A token is base64url: nothing in it needs escaping.
        body.put_slice(b"\"token\":\"");
        body.put_slice(opened.token.as_bytes());
        body.put_slice(b"\",");
    }
    body.put_slice(b"\"user\":");
    body.put_slice(&opened.user);
    body.put_u8(b'}');
    let mut response = respond::json(status, body.freeze());
    if by_cookie {
        let cookie = session::keep(opened, &exchange.edge.options).ok_or(ErrorCode::Internal)?;
        response.headers_mut().append(header::SET_COOKIE, cookie);
    }
    Ok(response)
}

/// Where the client is, for the session's owner to know it again.
fn device(exchange: &Exchange) -> Device {
    let user_agent = exchange.headers.get(header::USER_AGENT).map(|name| {
        let name = String::from_utf8_lossy(name.as_bytes());
        name.chars().filter(|c| !c.is_control()).take(USER_AGENT_CHARS_MAX).collect()
    });
    Device { user_agent, network: Some(address::neighbourhood(exchange.address).to_string()) }
}

/// A cookie is given only to the platform's own pages: another site's must not sign its visitors in as somebody else.
fn check_cookie(exchange: &Exchange, wanted: bool) -> Result<(), Refusal> {
    if !wanted || session::same_site(&exchange.headers, &exchange.edge.options) { Ok(()) } else { Err(ErrorCode::CrossSite.into()) }
}

/// Begins a try that may be a guess. Whoever is near one of the account's open sessions is no stranger to it.
async fn attempt<'e>(exchange: &'e Exchange, act: Act, email: &str) -> Result<Attempt<'e>, Refusal> {
    let (attempts, address) = (&exchange.edge.attempts, exchange.address);
    match attempts.begin(act, email, (address, false)).await {
        Err(wait) if wait.strangers_only => {
            let network = address::neighbourhood(address).to_string();
            let at_home = exchange.edge.accounts.is_near(email, &network).await?;
            if at_home { Ok(attempts.begin(act, email, (address, true)).await?) } else { Err(wait.into()) }
        }
        begun => Ok(begun?),
    }
}

/// Begins to check the password of somebody who has a session.
async fn confirmation(exchange: &Exchange) -> Result<Attempt<'_>, Refusal> {
    let user = exchange.user()?.to_string();
    Ok(exchange.edge.attempts.begin(Act::Confirm, &user, (exchange.address, false)).await?)
}

async fn register(exchange: Arc<Exchange>, body: Bytes) -> Answered {
    // The key is checked and says that the client may repeat itself; nothing is recorded under it, since the answer holds a token.
    let repeated = exchange.create(&[])?.idempotency.is_some();
    let new: Registration = read_json(&body)?;
    let by_cookie = new.cookie;
    check_cookie(&exchange, by_cookie)?;
    let attempt = attempt(&exchange, Act::Register, "").await?;
    let answer = exchange.edge.accounts.register(&exchange.call(), new, (device(&exchange), repeated)).await;
    opened(&exchange, &attempt.judged(answer).await?, (StatusCode::CREATED, by_cookie))
}

async fn login(exchange: Arc<Exchange>, body: Bytes) -> Answered {
    let login: Login = read_json(&body)?;
    let by_cookie = login.cookie;
    check_cookie(&exchange, by_cookie)?;
    let attempt = attempt(&exchange, Act::Login, &login.email).await?;
    let answer = exchange.edge.accounts.login(&exchange.call(), login, device(&exchange)).await;
    opened(&exchange, &attempt.judged(answer).await?, (StatusCode::OK, by_cookie))
}

fn token(exchange: &Exchange) -> Result<&Token, Refusal> {
    exchange.token.as_ref().ok_or_else(|| ErrorCode::Unauthenticated.into())
}

async fn logout(exchange: Arc<Exchange>, _: Bytes) -> Answered {
    exchange.edge.accounts.logout(&exchange.call(), token(&exchange)?).await?;
    Ok(signed_out(&exchange))
}

/// The answer to somebody who has no session any more.
fn signed_out(exchange: &Exchange) -> Response<Bytes> {
    let mut response = respond::json(StatusCode::NO_CONTENT, Bytes::new());
    if let Some(cookie) = session::forget(&exchange.headers, &exchange.edge.options) {
        response.headers_mut().append(header::SET_COOKIE, cookie);
    }
    response
}

async fn leave(exchange: Arc<Exchange>, body: Bytes) -> Answered {
    let Confirmation { password } = read_json(&body)?;
    let attempt = confirmation(&exchange).await?;
    let answer = exchange.edge.accounts.leave(&exchange.call(), exchange.user()?, (password, Some(exchange.address))).await;
    attempt.judged(answer).await?;
    Ok(signed_out(&exchange))
}

async fn export(exchange: Arc<Exchange>, _: Bytes) -> Answered {
    let document = exchange.edge.accounts.export(&exchange.call(), exchange.user()?).await?;
    let mut response = respond::json(StatusCode::OK, document);
    let name = HeaderValue::from_static("attachment; filename=\"lets-connect-export.json\"");
    response.headers_mut().insert(header::CONTENT_DISPOSITION, name);
    Ok(response)
}

async fn me(exchange: Arc<Exchange>, _: Bytes) -> Answered {
    let me = exchange.client().query(&exchange.call(), Key::new(Kind::User, exchange.user()?), Query::Me).await?;
    Ok(respond::view(&exchange.headers, &me, Caching::Private))
}

async fn sessions(exchange: Arc<Exchange>, _: Bytes) -> Answered {
    let items = exchange.edge.accounts.sessions(exchange.user()?, exchange.token.as_ref()).await?;
    let body = serde_json::json!({ "items": items, "nextCursor": null });
    Ok(respond::json(StatusCode::OK, body.to_string().into()))
}

async fn end_session(exchange: Arc<Exchange>, _: Bytes) -> Answered {
    exchange.edge.accounts.end_session(&exchange.call(), exchange.user()?, SessionId(first(&exchange))).await?;
    Ok(respond::json(StatusCode::NO_CONTENT, Bytes::new()))
}

async fn end_other_sessions(exchange: Arc<Exchange>, _: Bytes) -> Answered {
    exchange.edge.accounts.end_other_sessions(&exchange.call(), token(&exchange)?).await?;
    Ok(respond::json(StatusCode::NO_CONTENT, Bytes::new()))
}

async fn change_password(exchange: Arc<Exchange>, body: Bytes) -> Answered {
    let change: PasswordChange = read_json(&body)?;
    let attempt = confirmation(&exchange).await?;
    let answer = exchange.edge.accounts.change_password(&exchange.call(), token(&exchange)?, change).await;
    attempt.judged(answer).await?;
    Ok(respond::json(StatusCode::NO_CONTENT, Bytes::new()))
}

async fn forgot(exchange: Arc<Exchange>, body: Bytes) -> Answered {
    let Forgotten { email } = read_json(&body)?;
    protocol::account::email(email.trim())?;
    let attempt = attempt(&exchange, Act::Forgot, &email).await?;
    attempt.judged(exchange.edge.accounts.forgot(email)).await?;
    Ok(respond::json(StatusCode::ACCEPTED, Bytes::new()))
}

async fn reset_password(exchange: Arc<Exchange>, body: Bytes) -> Answered {
    let reset: PasswordReset = read_json(&body)?;
    // Whose token it is said to be is what guesses would have in common.
    let name = Token::parse(reset.token.as_bytes()).map_or_else(String::new, |token| token.key().id.to_string());
    let attempt = exchange.edge.attempts.begin(Act::Reset, &name, (exchange.address, false)).await?;
    let answer = exchange.edge.accounts.reset_password(reset).await;
    attempt.judged(answer).await?;
    Ok(respond::json(StatusCode::NO_CONTENT, Bytes::new()))
}
