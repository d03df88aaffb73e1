use crate::server::{Defects, Server};
use crate::{options, words};
use loadtest::slow::{self, Summary};

async fn dawdled(defects: Defects, within: &str) -> Summary {
    let server = Server::start(defects).await;
    let line = format!(
        "--base {base} --admin {base} --clients 20 --manner silent,head --rate 50 --duration 200ms --p99-ratio-max 100 --closed-within {within}",
        base = server.base()
    );
    slow::measure(&options(&words(&line))).await.unwrap()
}

#[tokio::test]
async fn a_server_with_deadlines_passes() {
    let summary = dawdled(Defects::default(), "20s").await;
    assert!(summary.passed, "{summary}");
    assert_eq!(summary.slow.iter().map(|closed| closed.clients).collect::<Vec<_>>(), [10, 10]);
    assert!(summary.slow.iter().all(|closed| closed.first_s.is_some_and(|first| first > 0.5)), "{summary}");
    assert!(summary.memory_bytes.is_some());
}

#[tokio::test]
async fn a_server_that_waits_for_ever_is_found() {
    let summary = dawdled(Defects { is_patient: true, ..Defects::default() }, "1500ms").await;
    assert!(!summary.passed, "{summary}");
    assert!(summary.slow.iter().all(|closed| closed.left_open == 10), "{summary}");
}
