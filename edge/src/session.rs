//! Who asks: from a request's headers to a principal.

use crate::{dispatch::Edge, route::Auth};
use actors::account::Token;
use http::{HeaderMap, header};
use protocol::{ErrorCode, Principal, Refusal};
use uuid::Uuid;

/// The bearer token of a request.
///
/// # Errors
/// `unauthenticated` when there is something in its place that is no token.
pub(crate) fn bearer(headers: &HeaderMap) -> Result<Option<Token>, Refusal> {
    let Some(value) = headers.get(header::AUTHORIZATION) else { return Ok(None) };
    let token = value.as_bytes().split_at_checked(7).filter(|(scheme, _)| scheme.eq_ignore_ascii_case(b"bearer ")).map(|(_, token)| token);
    token.and_then(|text| Token::parse(text.trim_ascii())).map(Some).ok_or_else(|| ErrorCode::Unauthenticated.into())
}

/// Who asks, if that is known without waiting: the session's account is warm. `None` also where there is no session, or none that is open.
pub(crate) fn known(edge: &Edge, headers: &HeaderMap) -> Option<Principal> {
    let token = bearer(headers).ok()??;
    let node = edge.client.node();
    let account = node.snapshots.get(&token.key(), &node.ownership)?;
    token.principal(&account)
}

/// Who asks, as far as the route needs to know.
///
/// # Errors
/// `unauthenticated`, `forbidden`; what the account's owner refuses when it is out of reach.
pub(crate) async fn principal(
    edge: &Edge,
    auth: Auth,
    headers: &HeaderMap,
    subject: Option<Uuid>,
) -> Result<(Principal, Option<Token>), Refusal> {
    if auth == Auth::Open {
        return Ok((Principal::Anonymous, None));
    }
    let token = bearer(headers)?;
    let principal = match (&token, auth) {
        (None, Auth::Optional) => return Ok((Principal::Anonymous, None)),
        (None, _) => return Err(ErrorCode::Unauthenticated.into()),
        (Some(token), _) => edge.accounts.authenticate(token).await?.ok_or(ErrorCode::Unauthenticated)?,
    };
    let allowed = match auth {
        Auth::Subject => principal.user().map(Uuid::from) == subject,
        Auth::Rank(least) => matches!(principal, Principal::User { role, .. } if role >= least),
        Auth::Open | Auth::Optional | Auth::Token => true,
    };
    if allowed { Ok((principal, token)) } else { Err(ErrorCode::Forbidden.into()) }
}
