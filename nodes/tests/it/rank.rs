//! People of rank, for tests of what they may do. The first of them is made beside the server, as an operator would.

use crate::{http::Person, server::Server, store::Data};
use prometheus::Registry;
use protocol::{Key, Kind, Role, Timestamp, UserId};
use store::{
    Commit, Expect, Guard, Users, UsersWrite,
    postgres::{Postgres, PostgresOptions, Urls},
    sqlite::{Sqlite, SqliteOptions},
};

/// The server again, after a stop in which these people got these roles. Their sessions go on.
pub fn promoted(server: Server, people: &[(&Person, Role)], settings: &[&str]) -> Server {
    let data = server.stop();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
    runtime.block_on(open_and_promote(&data, people));
    Server::on(data, settings)
}

async fn open_and_promote(data: &Data, people: &[(&Person, Role)]) {
    let registry = Registry::new();
    if let Some(databases) = &data.databases {
        let urls = Urls { all: Some(format!("{}?sslmode=disable", databases.url())), ..Urls::default() };
        let postgres = Postgres::open(&urls, &PostgresOptions::default(), &registry).await.expect("the store opens");
        promote(&*postgres.stores().users, people).await;
    } else {
        let sqlite = Sqlite::open(&data.path().join("data"), &SqliteOptions::default(), &registry).expect("the store opens");
        promote(&*sqlite.stores().users, people).await;
        sqlite.close();
    }
}

async fn promote(users: &dyn Users, people: &[(&Person, Role)]) {
    let epochs = users.epochs().await.expect("epochs");
    for (person, role) in people {
        let id: UserId = person.id.parse().expect("an id");
        let mut user = users.user(id).await.expect("the store answers").expect("a person");
        (user.role, user.version) = (*role, user.version + 1);
        let key = Key::new(Kind::User, id);
        let epoch = epochs.iter().find(|(slot, _)| *slot == key.slot()).map_or_else(Default::default, |(_, epoch)| *epoch);
        let (guard, now) = (Guard { slot: key.slot(), epoch }, Timestamp::now());
        let write = UsersWrite::Save(Box::new(user));
        let commit = Commit { guard, key, expect: Expect::Row, record: None, touches: Vec::new(), write, now };
        users.commit(commit).await.expect("promoted");
    }
}
