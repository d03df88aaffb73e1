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

#[tokio::test]
async fn a_ramp_and_steps_offer_what_they_say() {
    let server = Server::start(Defects::default()).await;
    let common =
        format!("browse --base {} --warmup 0s --duration 1s --connections 4 --people 3 --posts 6 --products 4 --quiet", server.base());
    let summary = run::measure(&options(&words(&format!("{common} --ramp 0..200")))).await.unwrap();
    assert_eq!((summary.total.arrivals, summary.series[0].offered), (100, 100), "{summary}");
    let summary = run::measure(&options(&words(&format!("{common} --steps 40,160")))).await.unwrap();
    let steps: Vec<(u64, u64)> = summary.steps.iter().map(|step| (step.arrivals, step.errors)).collect();
    assert_eq!(steps, [(20, 0), (80, 0)], "{summary}");
}

#[tokio::test]
async fn when_all_is_sold_orders_are_declined_and_answered() {
    let server = Server::start(Defects::default()).await;
    // 15 % of 9000 are 1350 orders, of a thousand in stock.
    let line = format!(
        "flash-sale --base {} --rate 9000 --warmup 0s --duration 1s --connections 8 --people 3 --posts 3 --products 3 --quiet",
        server.base()
    );
    let summary = run::measure(&options(&words(&line))).await.unwrap();
    assert!(summary.passed && summary.total.answered == 9000 && summary.total.declined > 100, "{summary}");
    let orders = summary.operations.iter().find(|operation| operation.operation == "order").unwrap();
    assert_eq!(orders.answered - orders.declined, 1000, "a key that is new each time is an order each time: {summary}");

    let line = format!("flash-sale --base {} {SHORT} --people 1", server.base()).replace("--people 3 ", "");
    let fault = run::measure(&options(&words(&line))).await.unwrap_err();
    assert!(format!("{fault:#}").contains("--people 2"), "{fault:#}");
}

#[tokio::test]
async fn the_checker_beside_the_load_has_a_say() {
    let beside = async |defects: Defects| {
        let server = Server::start(defects).await;
        let line =
            format!("mixed --base {} {SHORT} --duration 1s --check --check-keys 6 --quiet", server.base()).replace("--duration 400ms ", "");
        run::measure(&options(&words(&line))).await.unwrap()
    };
    let honest = beside(Defects::default()).await;
    let check = honest.check.as_ref().unwrap();
    assert!(honest.passed && check.passed && check.reads_checked > 50 && check.writes_acknowledged > 10, "{honest}");
    let late = beside(Defects { publishes_late: true, ..Defects::default() }).await;
    assert!(late.thresholds.iter().all(|threshold| threshold.held), "{late}");
    assert!(!late.passed && late.check.as_ref().unwrap().violations > 0, "{late}");
}

#[tokio::test]
async fn what_nobody_accepts_is_unanswered_and_tried_again() {
    let leaving = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let server = Server::start(Defects::default()).await;
    let line = format!("profile --base {} {SHORT} --existing", server.base());
    let parsed: run::Options = options(&words(&line));
    let made = format!("profile --base {} {SHORT}", server.base());
    let population = run::Population::obtain(&options(&words(&made))).await.unwrap();
    let gone = run::Options { bases: vec![format!("http://{}", leaving.local_addr().unwrap()).parse().unwrap()], ..parsed };
    tokio::spawn(async move {
        for _ in 0..4 {
            drop(leaving.accept().await);
        }
    });
    let summary = run::measure_on(&gone, &population).await.unwrap();
    assert_eq!((summary.total.arrivals, summary.total.unanswered, summary.passed), (160, 160, false), "{summary}");
}
