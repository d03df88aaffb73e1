//! A process that is killed loses nothing that it acknowledged.

use super::*;
use crate::make::*;
use protocol::{Key, Kind, PostId, UserId};
use std::io::{BufRead, BufReader, Write};
use std::process::{Command, Stdio};
use tokio::task::JoinSet;

/// Names the directory to the process that is going to be killed, and is what makes it one.
const VICTIM: &str = "LETS_CONNECT_TEST_CRASH_DIR";

/// The process that is killed: it writes for ever, and says what was acknowledged.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn victim() {
    let Some(dir) = std::env::var_os(VICTIM) else { return };
    let sqlite = open(Path::new(&dir));
    let content = sqlite.stores().content;
    let author = UserId::new();
    println!("\nauthor {author}");
    let mut commits = JoinSet::new();
    loop {
        while commits.len() < 16 {
            let (content, post) = (content.clone(), post(author));
            commits.spawn(async move { content.commit(creating(&post)).await.map(|_| post.id) });
        }
        let id = commits.join_next().await.expect("one").expect("no panic").expect("committed");
        // One write a line: a reader at the other end sees whole lines only.
        if std::io::stdout().lock().write_all(format!("ack {id}\n").as_bytes()).is_err() {
            return;
        }
    }
}

#[tokio::test]
async fn a_killed_process_keeps_what_it_acknowledged() {
    let dir = tempfile::tempdir().expect("a directory");
    let mut child = Command::new(std::env::current_exe().expect("this binary"))
        .args(["--exact", "sqlite::crash::victim", "--nocapture"])
        .env(VICTIM, dir.path())
        .stdout(Stdio::piped())
        .spawn()
        .expect("a child");
    let lines = BufReader::new(child.stdout.take().expect("its output")).lines().map_while(Result::ok);
    let (mut author, mut acknowledged) = (None, Vec::<PostId>::new());
    for line in lines {
        if let Some(id) = line.strip_prefix("author ") {
            author = Some(id.parse::<UserId>().expect("an id"));
        }
        if let Some(id) = line.strip_prefix("ack ").and_then(|id| id.parse().ok()) {
            acknowledged.push(id);
        }
        if acknowledged.len() == 200 {
            // SIGKILL; what it still said before it died is read on.
            child.kill().expect("killed");
        }
    }
    assert!(!child.wait().expect("its end").success());
    assert!(acknowledged.len() >= 200);

    // The lock died with the process.
    let sqlite = open(dir.path());
    let content = sqlite.stores().content;
    for id in &acknowledged {
        assert!(content.post(*id).await.expect("a read").is_some(), "{id} was acknowledged");
    }
    let author = author.expect("an author");
    let version = content.key_version(Key::new(Kind::Timeline, author)).await.expect("a version");
    let rows = walk(100, async |page| {
        let ids = content.timeline(author, page).await.expect("a page");
        (ids.ids, ids.next)
    });
    assert_eq!(rows.await.len() as u64, version, "every commit is there whole or not at all");
}
