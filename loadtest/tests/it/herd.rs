use crate::server::{Defects, Server};
use crate::{options, words};
use loadtest::{api::Api, herd};
use std::time::Duration;

async fn passed(defects: Defects, path: Option<&str>) -> bool {
    let server = Server::start(defects).await;
    let base = server.base();
    let mut api = Api::new(&base.parse().unwrap(), Duration::from_secs(5));
    let cold = format!("/api/user/profile/{}", api.register("somebody").await.unwrap().id);
    let path = path.unwrap_or(&cold);
    herd::run(&options(&words(&format!("--base {base} --admin {base} --readers 50 --path {path}")))).await.unwrap()
}

#[tokio::test]
async fn one_query_for_all_passes() {
    assert!(passed(Defects::default(), None).await);
}

#[tokio::test]
async fn a_query_for_each_is_found() {
    assert!(!passed(Defects { never_warm: true, ..Defects::default() }, None).await);
}

#[tokio::test]
async fn a_herd_that_is_refused_does_not_pass() {
    assert!(!passed(Defects::default(), Some("/api/user/profile/nobody")).await);
}
