use crate::server::{Defects, Server};
use crate::{options, words};
use loadtest::race::{self, Summary};

async fn raced(defects: Defects) -> Summary {
    let server = Server::start(defects).await;
    let line = format!("--base {} --buyers 40 --stock 5", server.base());
    race::race(&options(&words(&line))).await.unwrap()
}

#[tokio::test]
async fn an_honest_shop_passes() {
    let summary = raced(Defects::default()).await;
    assert!(summary.passed, "{summary}");
    assert_eq!((summary.statuses[&201], summary.statuses[&409]), (5, 35));
}

#[tokio::test]
async fn overselling_is_found() {
    let summary = raced(Defects { oversells: true, ..Defects::default() }).await;
    assert!(!summary.passed && summary.statuses[&201] == 40, "{summary}");
}

#[tokio::test]
async fn an_order_that_is_not_listed_is_found() {
    let summary = raced(Defects { hides_orders: true, ..Defects::default() }).await;
    assert!(!summary.passed && summary.faults == 5, "{summary}");
}

#[tokio::test]
async fn buyers_who_persist_find_the_edge_that_is_there() {
    let server = Server::start(Defects::default()).await;
    let nobody = Server::start(Defects::default()).await.base();
    let line = format!("--base {} --base {nobody} --buyers 40 --stock 5 --deadline 5s", server.base());
    let summary = race::race(&options(&words(&format!("{line} --persist")))).await.unwrap();
    assert!(summary.passed && (summary.statuses[&201], summary.statuses[&409]) == (5, 35), "{summary}");
    assert!(race::race(&options(&words(&line))).await.is_err(), "half of them have nobody to ask");
}
