//! How the databases are is known without asking them.

use crate::harness::{Act, Platform};
use actors::dependency::{self, Condition};
use std::sync::Arc;

fn of(platform: &Platform, database: &str) -> Condition {
    platform.node.dependencies.conditions()[&format!("database:{database}")].clone()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_database_that_says_nothing_is_not_waited_for_for_ever() {
    let platform = Platform::start().await;
    dependency::look(&platform.node).await;
    assert!(of(&platform, "users").healthy && of(&platform, "shop").healthy);

    platform.faults.always("content.ping", Act::Fail);
    let gate = platform.faults.hold("users.ping");
    let (node, looked) = (Arc::clone(&platform.node), std::time::Instant::now());
    dependency::look(&node).await;
    assert!(looked.elapsed().as_secs() < 30, "{:?}", looked.elapsed());
    let users = of(&platform, "users");
    assert_eq!((users.healthy, users.message.as_str()), (false, "no answer within 4 s"));
    assert_eq!(of(&platform, "content").message, "it does not answer");
    assert!(of(&platform, "shop").healthy, "each is looked at by itself");

    drop(gate);
    platform.faults.heal("users.ping");
    platform.faults.heal("content.ping");
    dependency::look(&node).await;
    assert!(of(&platform, "users").healthy && of(&platform, "content").healthy);
}
