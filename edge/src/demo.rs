//! The demo account of a developer's own machine (`node.dev`): in its name works what former clients' documents show without a session.

use crate::{dispatch::Edge, session};
use actors::refusal_of;
use http::{HeaderMap, header};
use protocol::{
    ErrorCode, Principal, Refusal, Role, UserId,
    account::{Device, Registration},
};

/// Reserved: nobody else registers it.
const USERNAME: &str = "demo";

/// Who asks, where nobody says so. It is made when it is first needed.
///
/// # Errors
/// `unauthenticated` where there is none; `cross_site`: a page of any web site can have its visitor's browser post a form to their own machine.
pub(crate) async fn principal(edge: &Edge, headers: &HeaderMap) -> Result<Principal, Refusal> {
    if !edge.options.has_demo_account {
        return Err(ErrorCode::Unauthenticated.into());
    }
    if headers.contains_key(header::ORIGIN) && !session::same_site(headers, &edge.options) {
        return Err(ErrorCode::CrossSite.into());
    }
    let id = match found(edge).await? {
        Some(id) => id,
        None => made(edge).await?,
    };
    let is_active = edge.client.node().stores.users.is_active(id).await.map_err(|error| refusal_of(&error))?;
    if is_active { Ok(Principal::User { id, role: Role::User }) } else { Err(ErrorCode::Unauthenticated.into()) }
}

async fn found(edge: &Edge) -> Result<Option<UserId>, Refusal> {
    edge.client.node().stores.users.named(USERNAME).await.map_err(|error| refusal_of(&error))
}

async fn made(edge: &Edge) -> Result<UserId, Refusal> {
    let new = Registration {
        username: USERNAME.to_owned(),
        email: format!("{USERNAME}@localhost"),
        // Nobody knows it.
        password: format!("{:032x}", rand::random::<u128>()),
        first_name: None,
        last_name: None,
        cookie: false,
    };
    let call = edge.client.call(Principal::Platform);
    match edge.accounts.register(&call, new, (Device::default(), false)).await {
        // Another request was faster.
        Err(refusal) if refusal.code != ErrorCode::UsernameTaken => Err(refusal),
        _ => found(edge).await?.ok_or_else(|| ErrorCode::Unavailable.into()),
    }
}
