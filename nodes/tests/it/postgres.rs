//! The platform on PostgreSQL: what holds on the embedded store holds there, and who may use the databases.

#[cfg(feature = "sabotage")]
use crate::panic::a_panic_costs_one_request;
use crate::{
    durability::{one_effect_across_a_kill, writes_survive_every_end},
    http::{get, post, put, text},
    readme::walk,
    server::{Process, Server, binary, eventually, server_of},
};
use serde_json::json;
use std::{net::TcpListener, process::Command, thread};
use tempfile::TempDir;
use testbed::postgres::Databases;

/// The least that there is, so that tests wait no longer than they must for a process that was killed.
const LEASE: &str = "postgres.lease_ms=500";

/// Settings of a node on these databases.
fn on(databases: &Databases) -> [String; 2] {
    [format!("postgres.url={}?sslmode=disable", databases.url()), LEASE.to_owned()]
}

/// Does something with the settings of a node on databases of its own, which nobody made yet.
fn with_settings<T>(act: impl FnOnce(&[&str]) -> T) -> T {
    let databases = Databases::none();
    act(&on(&databases).each_ref().map(String::as_str))
}

#[test]
fn the_walk_does_what_it_says() {
    with_settings(|settings| walk(&Server::with(settings)));
}

#[test]
fn acknowledged_writes_survive_every_end() {
    with_settings(writes_survive_every_end);
}

#[test]
fn a_create_with_a_key_has_one_effect_across_a_kill() {
    with_settings(one_effect_across_a_kill);
}

#[cfg(feature = "sabotage")]
#[test]
fn a_panic_costs_the_request_that_caused_it_and_nothing_else() {
    with_settings(a_panic_costs_one_request);
}

#[test]
fn the_command_line_migrates_and_makes_the_first_admin() {
    with_settings(|settings| {
        let run = |arguments: &[&str]| {
            let mut command = binary();
            command.args(arguments).stdout(std::process::Stdio::piped());
            for setting in settings {
                command.args(["--set", setting]);
            }
            let output = command.output().expect("it starts");
            assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
            String::from_utf8_lossy(&output.stdout).into_owned()
        };
        assert!(run(&["migrate"]).contains("applied shop 0001 0001_write_protocol"));
        assert_eq!(run(&["migrate"]), "the store is up to date\n");
        let server = Server::with(settings);
        let ada = server.gateway().register("ada");
        let directory = server.stop();
        assert!(run(&["user", "role", "ada", "admin"]).contains("ada is admin now"));
        let server = Server::on(directory, settings);
        assert_eq!(server.gateway().call(&get("/api/user/me").by(&ada)).ok(200)["role"], "admin");
    });
}

#[test]
fn a_thousand_readers_of_one_cold_person_are_one_query() {
    with_settings(|settings| {
        let server = Server::with(settings);
        let ada = server.gateway().register("ada");
        let server = Server::on(server.stop(), settings);
        let profile = format!("/api/user/profile/{}", ada.id);
        thread::scope(|scope| {
            for _ in 0..20 {
                scope.spawn(|| {
                    let mut client = server.gateway();
                    for _ in 0..50 {
                        client.call(&get(profile.clone())).ok(200);
                    }
                });
            }
        });
        let scrape = server.client("admin").call(&get("/metrics"));
        let queries = scrape
            .text()
            .lines()
            .find(|line| line.starts_with("store_queries_total{") && line.contains("operation=\"user\""))
            .map(str::to_owned);
        assert!(queries.as_ref().is_some_and(|line| line.ends_with(" 1")), "{queries:?}");
        for name in ["store_pool_connections", "store_pool_waiting", "store_pool_wait_seconds_count", "store_pool_timeouts_total"] {
            for database in ["users", "content", "shop"] {
                let series = format!("{name}{{database=\"{database}\"");
                assert!(scrape.text().contains(&series), "{series} is missing");
            }
        }
    });
}

fn ends_with(command: Command, message: &str) {
    let (status, said) = Process::spawn(command).ended();
    assert!(!status.success() && said.contains(message), "{status}: {message:?} is not in\n{said}");
}

#[test]
fn a_second_process_is_refused_and_told_who_holds_the_databases() {
    with_settings(|settings| {
        let first = Server::with(settings);
        let second = TempDir::new().expect("a directory");
        ends_with(server_of(second.path(), settings), &format!("in use by another process, process {} on ", first.process.id()));
        let ada = first.gateway().register("ada");
        let next = Server::on(first.stop(), settings);
        assert_eq!(next.gateway().call(&get("/api/user/me").by(&ada)).ok(200)["id"], ada.id);
    });
}

#[test]
fn a_process_that_lost_its_lease_ends_and_says_so() {
    let databases = Databases::none();
    let settings = on(&databases);
    let server = Server::with(&settings.each_ref().map(String::as_str));
    databases.sql("users", &["UPDATE instance_lease SET holder = gen_random_uuid(), description = 'a thief', counter = counter + 1"]);
    let (status, said) = server.process.ended();
    assert!(!status.success() && said.contains("another process, a thief, took the databases over"), "{status}\n{said}");
}

#[test]
fn a_server_that_restarts_is_waited_for_and_nothing_is_lost() {
    let mut postgres = testbed::postgres::Server::own();
    let url = format!("postgres.url={}/app?sslmode=disable", postgres.url());
    let server = Server::with(&[&url, LEASE, "owner.request_deadline_ms=2000"]);
    let mut client = server.gateway();
    let ada = client.register("ada");
    let write = |content: &str| post("/api/content/posts", json!({"content": content})).by(&ada).key(content);
    client.call(&write("before")).ok(201);
    postgres.stop();
    let ready = || server.gateway().call(&get("/health/ready"));
    eventually("readiness says it", || ready().json()["status"] == "degraded");
    let refused = client.call(&write("between"));
    assert_eq!(refused.status, 503, "{refused}");
    postgres.start();
    eventually("it goes on by itself", || client.call(&write("between")).status == 201);
    eventually("it is ready", || ready().json()["status"] == "healthy");
    let posts = client.call(&get(format!("/api/content/users/{}/posts", ada.id)).by(&ada)).ok(200);
    let contents: Vec<_> = posts["items"].as_array().expect("posts").iter().map(|post| text(&post["content"])).collect();
    assert_eq!(contents, ["between", "before"], "each once");
    client.call(&put(format!("/api/user/profile/{}", ada.id), json!({"bio": "still here"})).by(&ada)).ok(200);
}

#[test]
fn a_server_that_is_away_is_named_and_its_password_is_not() {
    let port = TcpListener::bind("127.0.0.1:0").and_then(|listener| listener.local_addr()).expect("a port").port();
    let directory = TempDir::new().expect("a directory");
    let url = format!("postgres.url=postgres://app:hidden-password@127.0.0.1:{port}/app");
    let (status, said) = Process::spawn(server_of(directory.path(), &[&url])).ended();
    assert!(!status.success() && said.contains(&format!("127.0.0.1:{port}")) && said.contains("is it running"), "{said}");
    assert!(!said.contains("hidden-password"), "{said}");
    let mut shown = binary();
    shown.args(["config", "--set", &url]).stdout(std::process::Stdio::piped());
    let shown = shown.output().expect("it starts");
    assert!(!String::from_utf8_lossy(&shown.stdout).contains("hidden-password"));
}
