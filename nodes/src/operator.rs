//! What an operator does to accounts on the store itself, while no server uses it: the first admin, and rescue.
//!
//! It goes the way of every other write: through the owners, with their checks, effects and audit entries. Only the edge is missing.

use crate::{
    cli::{UserDeed, Whose},
    config::Config,
    mail, node, prompt,
    storage::{self, Storage},
    tree::{self, Extra},
};
use actors::{
    Client, Node,
    account::{Accounts, Token},
    errand::Means,
    mail::Letters,
    ownership::Ownership,
};
use anyhow::{Context, Result, anyhow, bail};
use prometheus::Registry;
use protocol::{
    Command, ErrorCode, Key, Kind, Principal, Refusal, Role, UserId,
    account::{self, Device, Registration},
    user::{self, SetActive},
};
use std::{sync::Arc, time::Duration};

/// Carries a deed out. Answers what was done, in a sentence.
///
/// # Errors
/// When a server uses the store, nobody has that name, or the deed is refused. Nothing was changed then, unless the message says so.
pub async fn carry_out(config: &Config, deed: &UserDeed) -> Result<String> {
    let storage = Storage::open_alone(config, &Registry::new()).await.map_err(|error| match storage::is_in_use(&error) {
        true => anyhow!("{error}; accounts can be changed here only while no server runs"),
        false => error,
    })?;
    let node = Node::new(storage.stores(), Ownership::alone(storage.lease()), node::limits(config));
    node.claim_all().await.context("the store does not answer")?;
    let accounts = Accounts::new(Client::new(node.clone())).map_err(|error| anyhow!("account.argon2_*: {error}"))?;
    let letters = Letters { public_url: config.public_url(config.listen.gateway) };
    let means = Arc::new(Means { node: node.clone(), accounts: accounts.clone(), mailer: mail::mailer(config)?, letters });
    let root = tree::start(tree::spec(&node, node::intensity(config), means, Extra::default()))
        .await
        .context("the supervision tree does not start")?;

    let done = Desk { client: Client::new(node), accounts }.attend(deed).await;
    root.stop_and_wait(None, Some(Duration::from_secs(5))).await.ok();
    storage.close();
    done
}

struct Desk {
    client: Client,
    accounts: Accounts,
}

impl Desk {
    async fn attend(&self, deed: &UserDeed) -> Result<String> {
        match deed {
            UserDeed::CreateAdmin { username, email, .. } => self.create_admin(username, email).await,
            UserDeed::ResetPassword(Whose { who, .. }) => {
                let user = self.find(who).await?;
                self.accounts.rescue(user, prompt::new_password()?).await.map_err(said)?;
                Ok(format!("{who} has a new password; all sessions were ended"))
            }
            UserDeed::Ban { whose: Whose { who, .. }, reason } => {
                let change = SetActive { is_active: false, reason: reason.clone() };
                self.write(self.find(who).await?, user::Command::SetActive { change, from: None }).await?;
                Ok(format!("{who} is banned"))
            }
            UserDeed::Unban(Whose { who, .. }) => {
                let change = SetActive { is_active: true, reason: None };
                self.write(self.find(who).await?, user::Command::SetActive { change, from: None }).await?;
                Ok(format!("{who} is not banned"))
            }
            UserDeed::Role { whose: Whose { who, .. }, role } => {
                self.set_role(self.find(who).await?, *role).await?;
                Ok(format!("{who} is {} now", role.name()))
            }
        }
    }

    async fn create_admin(&self, username: &str, email: &str) -> Result<String> {
        // Told before a password is asked for.
        account::username(username).and_then(|()| account::email(email)).map_err(said)?;
        let new = Registration {
            username: username.to_owned(),
            email: email.to_owned(),
            password: prompt::new_password()?,
            first_name: None,
            last_name: None,
            cookie: false,
        };
        let opened = self.accounts.register(&self.call(), new, (Device::default(), false)).await.map_err(|refusal| match refusal.code {
            ErrorCode::UsernameTaken | ErrorCode::EmailTaken => {
                anyhow!("{refusal}: if the account is the admin's, use `lets-connect user role` and `lets-connect user reset-password`")
            }
            _ => said(refusal),
        })?;
        let token = Token::parse(opened.token.as_bytes()).context("the new account has no session")?;
        let id = UserId(token.key().id);
        // Nobody is given the token of its first session, so nobody could use or end it.
        let own = self.client.call(Principal::User { id, role: Role::User });
        self.accounts.logout(&own, &token).await.map_err(said)?;
        self.set_role(id, Role::Admin)
            .await
            .with_context(|| format!("the account was made, but is no admin: repeat with `lets-connect user role {username} admin`"))?;
        Ok(format!("{username} is an admin, and can sign in as {email}"))
    }

    async fn set_role(&self, user: UserId, role: Role) -> Result<()> {
        self.write(user, user::Command::SetRole { role, from: None }).await
    }

    async fn write(&self, user: UserId, command: user::Command) -> Result<()> {
        self.client.write(&self.call(), Key::new(Kind::User, user), Command::User(command)).await.map(drop).map_err(said)
    }

    fn call(&self) -> actors::Call {
        self.client.call(Principal::Platform)
    }

    /// Finds a person by id, address or name.
    async fn find(&self, who: &str) -> Result<UserId> {
        let users = &self.client.node().stores.users;
        let found = match who.parse() {
            Ok(id) => users.user(id).await?.map(|person| person.id),
            Err(_) => users.named(who).await?,
        };
        match found {
            Some(id) => Ok(id),
            None => bail!("nobody has the name, address or id {who}"),
        }
    }
}

/// A refusal in its own words.
fn said(refusal: Refusal) -> anyhow::Error {
    anyhow!("{}", refusal.detail)
}
