use crate::server::{Defects, Server};
use crate::{options, words};
use loadtest::check::{self, Summary};

async fn judged(defects: Defects, more: &str) -> Summary {
    let server = Server::start(defects).await;
    let line = format!("--base {} --reads 4000 --keys 9 --readers 6 --writers 3 --deadline 5s {more}", server.base());
    check::judge(&options(&words(&line))).await.unwrap()
}

fn count(summary: &Summary, demand: &str) -> u64 {
    summary.violations_by_rule.iter().find(|(rule, _)| rule.contains(demand)).map_or(0, |(_, count)| *count)
}

#[tokio::test]
async fn an_honest_server_passes() {
    let summary = judged(Defects::default(), "").await;
    assert!(summary.passed && summary.violations == 0, "{summary}");
    assert!(summary.reads_checked >= 4000 && summary.writes_acknowledged > 100 && summary.reads_fresh > 100, "{summary}");
    assert_eq!((summary.writes_unknown, summary.answers_unusable), (0, 0));
}

#[tokio::test]
async fn late_publication_is_found() {
    let summary = judged(Defects { publishes_late: true, ..Defects::default() }, "").await;
    assert!(!summary.passed && count(&summary, "a read begun after") > 0, "{summary}");
    assert!(summary.staleness_us_max > 0.0 && !summary.examples.is_empty());
}

#[tokio::test]
async fn late_but_labelled_is_counted_apart() {
    let summary = judged(Defects { publishes_late: true, labels_stale: true, ..Defects::default() }, "").await;
    assert!(summary.passed && summary.reads_labelled_stale > 0, "{summary}");
}

#[tokio::test]
async fn a_lost_answer_is_no_lost_write() {
    let summary = judged(Defects { drops_answer_of_each: Some(5), ..Defects::default() }, "").await;
    assert!(summary.passed && summary.writes_unknown > 0, "{summary}");
}

#[tokio::test]
async fn a_forgotten_key_is_found() {
    let summary = judged(Defects { forgets: true, ..Defects::default() }, "").await;
    assert!(!summary.passed && count(&summary, "not missing") > 0, "{summary}");
}

#[tokio::test]
async fn two_edges_that_differ_are_found() {
    let (one, other) = (Server::start(Defects::default()).await, Server::start(Defects::default()).await);
    let line = format!("--base {} --base {} --kind product --keys 3 --reads 500", one.base(), other.base());
    let summary = check::judge(&options(&words(&line))).await.unwrap();
    assert!(!summary.passed && summary.violations > 0, "the second edge does not know what the first was told: {summary}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn the_exit_status_tells_and_can_be_turned_round() {
    let honest = Server::start(Defects::default()).await;
    let late = Server::start(Defects { publishes_late: true, ..Defects::default() }).await;
    let exit = async |server: &Server, more: &[&str]| {
        let mut command = tokio::process::Command::new(env!("CARGO_BIN_EXE_loadtest"));
        command.args(["check", "--reads", "600", "--keys", "4", "--base", &server.base()]).args(more);
        command.output().await.unwrap().status.code()
    };
    assert_eq!(exit(&honest, &[]).await, Some(0));
    assert_eq!(exit(&honest, &["--expect-violations"]).await, Some(1));
    assert_eq!(exit(&late, &[]).await, Some(1));
    assert_eq!(exit(&late, &["--expect-violations"]).await, Some(0));
    let nobody = Server::start(Defects::default()).await.base();
    let mut command = tokio::process::Command::new(env!("CARGO_BIN_EXE_loadtest"));
    assert_eq!(command.args(["check", "--base", &nobody]).output().await.unwrap().status.code(), Some(2));
}

#[tokio::test]
async fn an_edge_that_is_not_there_is_skipped_and_counted_apart() {
    let server = Server::start(Defects::default()).await;
    let nobody = Server::start(Defects::default()).await.base();
    let line = format!("--base {} --base {nobody} --reads 4000 --keys 9 --readers 6 --writers 3 --deadline 5s", server.base());
    let summary = check::judge(&options(&words(&line))).await.unwrap();
    assert!(summary.passed && summary.reads_checked >= 4000, "{summary}");
    assert_eq!((summary.reads_refused, summary.reads_unanswered, summary.writes_unknown), (0, 0, 0), "{summary}");
    let [there, gone] = &summary.edges[..] else { panic!("two edges: {summary}") };
    // Whoever found nobody there told the others.
    assert!((1..500).contains(&gone.not_connected) && gone.served == 0 && gone.read_wait_ms_max == 0.0, "{summary}");
    assert!(there.not_connected == 0 && there.served >= 4000 && there.read_wait_ms_max > 0.0, "{summary}");
    assert_eq!(summary.error_share_max, 0.0);
}

#[tokio::test]
async fn a_stall_is_told_from_a_service_that_is_there() {
    let summary = judged(Defects { stalls_at: Some(600), ..Defects::default() }, "").await;
    assert!(summary.passed && summary.edges[0].read_wait_ms_max.max(summary.edges[0].write_wait_ms_max) >= 500.0, "{summary}");
    let longest = summary.seconds.iter().map(|second| second.read_wait_ms_max.max(second.write_wait_ms_max)).fold(0.0, f64::max);
    assert!(longest >= 500.0, "the second in which it ended shows it: {summary}");
}
