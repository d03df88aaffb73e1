use crate::server::{Defects, Server};
use crate::{options, words};
use clap::ValueEnum as _;
use loadtest::run::{self, Scenario};

const SHORT: &str = "--rate 400 --warmup 100ms --duration 400ms --connections 4 --people 3 --posts 6 --products 4 --follows 2";

#[tokio::test]
async fn every_mix_runs_and_counts_what_was_due() {
    let server = Server::start(Defects::default()).await;
    for scenario in Scenario::value_variants() {
        let name = scenario.to_possible_value().unwrap().get_name().to_owned();
        let line = format!("{name} --base {} {SHORT} --threshold errors<0.1%", server.base());
        let summary = run::measure(&options(&words(&line))).await.unwrap();
        assert!(summary.passed, "{name}: {summary}");
        assert_eq!((summary.total.arrivals, summary.total.answered), (160, 160), "{name}: {summary}");
    }
}

#[tokio::test]
async fn an_existing_instance_is_read_as_it_is() {
    let server = Server::start(Defects::default()).await;
    let made = format!("browse --base {} {SHORT}", server.base());
    run::measure(&options(&words(&made))).await.unwrap();
    let found = format!("mixed --existing --base {} {SHORT}", server.base());
    let summary = run::measure(&options(&words(&found))).await.unwrap();
    assert!(summary.passed && summary.total.answered == 160, "{summary}");

    let empty = Server::start(Defects::default()).await;
    let found = format!("browse --existing --base {} {SHORT}", empty.base());
    assert!(run::measure(&options(&words(&found))).await.is_err());
}

#[tokio::test]
async fn a_stall_shows_in_every_request_that_was_due_meanwhile() {
    // Registering, writing and connecting take fewer than 60 requests; then one in the midst stalls for half a second.
    let server = Server::start(Defects { stalls_at: Some(60), ..Defects::default() }).await;
    let line = format!(
        "profile --base {} --rate 100 --warmup 0s --duration 2s --connections 1 --people 2 --posts 2 --products 2 --follows 1 \
         --threshold max<300ms",
        server.base()
    );
    let summary = run::measure(&options(&words(&line))).await.unwrap();
    assert_eq!(summary.total.answered, 200, "{summary}");
    // 50 of the 200 were due during the stall; a closed loop would have sent, and counted, one.
    assert!(summary.total.p90_us > 150_000, "{summary}");
    assert!(summary.total.p50_us < 100_000, "{summary}");
    assert!(!summary.passed && !summary.thresholds[0].held);
}

#[tokio::test]
async fn what_finds_no_room_is_dropped_and_counted() {
    let server = Server::start(Defects { stalls_at: Some(30), ..Defects::default() }).await;
    let line = format!(
        "profile --base {} --rate 1000 --warmup 0s --duration 1s --connections 1 --people 2 --posts 2 --products 2 --follows 1 \
         --backlog-max 10",
        server.base()
    );
    let summary = run::measure(&options(&words(&line))).await.unwrap();
    assert!(summary.total.dropped > 100, "{summary}");
    assert_eq!(summary.total.arrivals, 1000);
    assert!(!summary.passed);
}

#[tokio::test]
async fn the_count_of_requests_is_bounded() {
    let server = Server::start(Defects::default()).await;
    let line = format!(
        "products --base {} --rate 400 --warmup 0s --duration 9s --connections 4 --people 3 --posts 6 --products 4 --requests-max 25",
        server.base()
    );
    let summary = run::measure(&options(&words(&line))).await.unwrap();
    assert_eq!(summary.total.arrivals, 25);
}

#[tokio::test]
async fn a_connection_whose_edge_has_gone_goes_to_another_one() {
    let server = Server::start(Defects::default()).await;
    let leaving = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let line = format!("profile --base {} --base http://{} {SHORT}", server.base(), leaving.local_addr().unwrap());
    // It takes up what is opened before the run, two of four, and is gone.
    tokio::spawn(async move {
        for _ in 0..2 {
            drop(leaving.accept().await);
        }
    });
    let summary = run::measure(&options(&words(&line))).await.unwrap();
    assert_eq!((summary.total.arrivals, summary.total.answered), (160, 160), "{summary}");
}
