use crate::server::{Defects, Server};
use serde_json::Value;

/// Measures the test's own server, in this process, beside a floor that the tool starts.
#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn a_target_is_measured_beside_its_floor() {
    let server = Server::start(Defects::default()).await;
    let mut api = loadtest::api::Api::new(&server.base().parse().unwrap(), std::time::Duration::from_secs(5));
    let id = api.register("somebody").await.unwrap().id;
    let body_bytes = api.get(&format!("/api/user/profile/{id}"), None).await.unwrap().body.len();
    let files = tempfile::tempdir().unwrap();
    let (targets, json) = (files.path().join("targets.toml"), files.path().join("result.json"));
    let list = format!(
        r#"
        [[process]]
        name = "test"
        pid = {pid}
        base = "{base}"
        [[target]]
        name = "profile"
        process = "test"
        paths = ["/api/user/profile/{id}"]
        compare_to = "floor"
        [[target]]
        name = "list"
        process = "test"
        paths = ["/api/content/public/posts"]
        compare_to = "profile"
        "#,
        pid = std::process::id(),
        base = server.base(),
    );
    std::fs::write(&targets, list).unwrap();
    let mut command = tokio::process::Command::new(env!("CARGO_BIN_EXE_loadtest"));
    command.args(["bench", "--rounds", "2", "--duration", "100ms", "--slice", "100ms", "--warmup", "20ms", "--connections", "4"]);
    let output = command.arg("--targets").arg(&targets).arg("--json").arg(&json).output().await.unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));

    let result: Value = serde_json::from_slice(&std::fs::read(&json).unwrap()).unwrap();
    let rows = result["targets"].as_array().unwrap();
    let named = |name: &str| rows.iter().find(|row| row["name"] == name).unwrap();
    let floor = named(&format!("hyper, {body_bytes} bytes"));
    assert_eq!(floor["bodyBytes"], named("profile")["bodyBytes"]);
    for row in rows {
        assert_eq!(row["samples"].as_array().unwrap().len(), 2);
        assert!(row["serverCpuUs"]["median"].as_f64().unwrap() > 0.0, "{row}");
    }
    assert!(floor["share"].is_null());
    // The test's server is hyper with more to do, so it cannot serve more per core than hyper alone.
    let share = named("profile")["share"]["median"].as_f64().unwrap();
    assert!(share > 0.0 && share < 1.0, "{share}");
    assert_eq!(named("list")["comparedTo"], "profile");
    assert!(String::from_utf8_lossy(&output.stdout).contains("| profile "));
}
