//! People of rank, for tests of what they may do. The first of them is made beside the server, as an operator would.

use crate::{http::Person, server::Server};
use protocol::{Key, Kind, Role, Timestamp, UserId};
use std::path::Path;
use store::{
    Commit, Expect, Guard, UsersWrite,
    sqlite::{Sqlite, SqliteOptions},
};

/// The server again, after a stop in which these people got these roles. Their sessions go on.
pub fn promoted(server: Server, people: &[(&Person, Role)], settings: &[&str]) -> Server {
    let directory = server.stop();
    let runtime = tokio::runtime::Builder::new_current_thread().build().expect("a runtime");
    runtime.block_on(promote(&directory.path().join("data"), people));
    Server::on(directory, settings)
}

async fn promote(data: &Path, people: &[(&Person, Role)]) {
    let sqlite = Sqlite::open(data, &SqliteOptions::default(), &prometheus::Registry::new()).expect("the store opens");
    let users = sqlite.stores().users;
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
    sqlite.close();
}
