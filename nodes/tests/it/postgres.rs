//! What is PostgreSQL's alone: who may use the databases, and a server that is away. What must hold on every store is tested on both, where it is
//! about (`on_both_stores`).

use crate::{
    http::{get, post, put, text},
    server::{Process, Server, binary, eventually, server_of},
    store::{Data, LEASE, Store},
};
use serde_json::json;
use std::{net::TcpListener, process::Command, thread};
use tempfile::TempDir;

#[test]
fn the_command_line_migrates_and_makes_the_first_admin() {
    let run = |data: &Data, arguments: &[&str]| {
        let mut command = binary();
        command.args(arguments).stdout(std::process::Stdio::piped());
        data.point(&mut command);
        let output = command.output().expect("it starts");
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8_lossy(&output.stdout).into_owned()
    };
    // A platform that is there already is migrated as one that is not.
    let data = Store::Postgres.empty();
    assert!(run(&data, &["migrate", "--online"]).contains("applied users 0001 0001_write_protocol"));
    let data = Store::Postgres.empty();
    assert!(run(&data, &["migrate"]).contains("applied shop 0001 0001_write_protocol"));
    assert_eq!(run(&data, &["migrate", "--online"]), "the store is up to date\n");
    let server = Server::on(data, &[]);
    let ada = server.gateway().register("ada");
    let data = server.stop();
    assert!(run(&data, &["user", "role", "ada", "admin"]).contains("ada is admin now"));
    let server = Server::on(data, &[]);
    assert_eq!(server.gateway().call(&get("/api/user/me").by(&ada)).ok(200)["role"], "admin");
}

#[test]
fn a_thousand_readers_of_one_cold_person_are_one_query() {
    let server = Store::Postgres.start();
    let ada = server.gateway().register("ada");
    let server = Server::on(server.stop(), &[]);
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
}

fn ends_with(command: Command, message: &str) {
    let (status, said) = Process::spawn(command).ended();
    assert!(!status.success() && said.contains(message), "{status}: {message:?} is not in\n{said}");
}

#[test]
fn a_second_process_is_refused_and_told_who_holds_the_databases() {
    let first = Store::Postgres.start();
    let elsewhere = TempDir::new().expect("a directory");
    let mut second = server_of(elsewhere.path(), &[]);
    first.data.point(&mut second);
    ends_with(second, &format!("in use by another process, process {} on ", first.process.id()));
    let ada = first.gateway().register("ada");
    let next = Server::on(first.stop(), &[]);
    assert_eq!(next.gateway().call(&get("/api/user/me").by(&ada)).ok(200)["id"], ada.id);
}

#[test]
fn a_process_that_lost_its_lease_ends_and_says_so() {
    let server = Store::Postgres.start();
    let databases = server.data.databases.as_ref().expect("on PostgreSQL");
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
    let profile = || get(format!("/api/user/profile/{}", ada.id));
    client.call(&profile()).ok(200);
    postgres.stop();
    let ready = || server.gateway().call(&get("/health/ready"));
    eventually("readiness says it", || ready().json()["status"] == "degraded");
    let refused = client.call(&write("between"));
    assert_eq!(refused.status, 503, "{refused}");
    // Once the lease has ended, memory may be behind: what everybody may see is shown, and said to be stale, to who did not ask for the truth.
    let mut stale = client.call(&profile());
    eventually("memory is labelled", || {
        stale = client.call(&profile());
        stale.header("cache-status").is_some()
    });
    assert_eq!((stale.status, text(&stale.json()["username"])), (200, "ada".to_owned()));
    assert_eq!(client.call(&get("/health")).status, 200, "to restart the process would help nobody");
    let (status, age) = (stale.header("cache-status").expect("a label"), stale.header("age").expect("an age"));
    assert_eq!(status, format!("lets-connect; hit; ttl=-{age}; detail=database-away"));
    for path in ["/api/user/me".to_owned(), "/api/shop/public/products".to_owned()] {
        let refused = client.call(&get(path).by(&ada));
        assert_eq!((refused.status, refused.header("retry-after").is_some()), (503, true), "{refused}");
    }
    let refused = client.call(&profile().header("cache-control", "no-cache"));
    assert_eq!(refused.status, 503, "{refused}");
    postgres.start();
    eventually("it goes on by itself", || client.call(&write("between")).status == 201);
    eventually("it is ready", || ready().json()["status"] == "healthy");
    let posts = client.call(&get(format!("/api/content/users/{}/posts", ada.id)).by(&ada)).ok(200);
    let contents: Vec<_> = posts["items"].as_array().expect("posts").iter().map(|post| text(&post["content"])).collect();
    assert_eq!(contents, ["between", "before"], "each once");
    client.call(&put(format!("/api/user/profile/{}", ada.id), json!({"bio": "still here"})).by(&ada)).ok(200);
}

/// One connection, and a write that waits for a lock has it.
#[test]
fn a_pool_that_is_exhausted_is_named_and_the_process_stays_ready() {
    let server =
        Store::Postgres.with(&["postgres.connections_max=1", "postgres.checkout_timeout_ms=200", "postgres.statement_timeout_ms=60000"]);
    let ada = server.gateway().register("ada");
    let databases = server.data.databases.as_ref().expect("on PostgreSQL");
    let held = databases.hold("users", "SELECT 1 FROM slot_epoch FOR UPDATE");
    let change = put(format!("/api/user/profile/{}", ada.id), json!({"bio": "waiting"})).by(&ada);
    thread::scope(|scope| {
        scope.spawn(|| server.gateway().call(&change));
        let ready = || server.gateway().call(&get("/health/ready"));
        let users = || ready().json()["checks"]["database:users"].clone();
        eventually("it is named", || users()["message"] == "all of its connections are in use");
        let answer = ready();
        assert_eq!((answer.status, text(&answer.json()["status"])), (200, "degraded".to_owned()));
        let up = |database: &str| format!("dependency_up{{dependency=\"database:{database}\"}} ");
        let scrape = server.client("admin").call(&get("/metrics")).text();
        assert!(scrape.contains(&format!("{}0\n", up("users"))) && scrape.contains(&format!("{}1\n", up("shop"))), "{scrape}");
        // What is in memory does not wait for a connection.
        server.gateway().call(&get(format!("/api/user/profile/{}", ada.id))).ok(200);
        drop(held);
        eventually("it is well again", || users()["healthy"] == true);
    });
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

/// In production the schema is one role's, and rows are all that the platform's may change.
#[test]
fn a_role_that_may_only_write_rows_runs_the_platform() {
    let databases = testbed::postgres::Databases::empty();
    let server = testbed::postgres::Server::shared();
    let role = format!("{}_app", databases.name("users"));
    server.sql("postgres", &[&format!("CREATE ROLE \"{role}\" LOGIN")]);
    let of = |role: &str| format!("postgres.url={}?sslmode=disable", databases.url().replace("postgres@", &format!("{role}@")));
    let run = |arguments: &[&str], url: &str| {
        let output = binary().args(arguments).args(["--set", url]).stdout(std::process::Stdio::piped()).output().expect("it starts");
        (output.status.success(), String::from_utf8_lossy(&[output.stdout, output.stderr].concat()).into_owned())
    };
    let (owner, app) = (of("postgres"), of(&role));

    // What is due is said, and not done; and this role may not do it.
    let (done, said) = run(&["migrate", "--dry-run"], &owner);
    assert!(done && said.contains("due shop 0001 0001_write_protocol"), "{said}");
    let (done, said) = run(&["migrate"], &app);
    assert!(!done && said.contains(&format!("run `lets-connect migrate --grant {role}`")), "{said}");

    let (done, said) = run(&["migrate", "--grant", &role], &owner);
    assert!(done && said.ends_with(&format!("{role} may run the platform\n")), "{said}");
    // What marks databases as being imported is a table.
    let document = tempfile::tempdir().expect("a folder");
    let document = document.path().join("document");
    let (done, said) = run(&["export", document.to_str().expect("text")], &app);
    assert!(done, "{said}");
    let (done, said) = run(&["import", document.to_str().expect("text"), "--set", LEASE], &app);
    assert!(!done && said.contains("the role that owns the databases"), "{said}");
    let node = Server::with(&[&app, LEASE]);
    let mut client = node.gateway();
    let ada = client.register("ada");
    let id = text(&client.call(&post("/api/shop/products", json!({"name": "lamp", "price": 1, "stock": 5})).by(&ada)).ok(201)["id"]);
    client.call(&put(format!("/api/shop/products/{id}"), json!({"stock": 4})).by(&ada)).ok(200);
    client.call(&post("/api/content/posts", json!({"content": "hello"})).by(&ada)).ok(201);
    drop(node);
    for statement in [
        "CREATE TABLE mine (id integer)",
        "DROP TABLE product",
        "ALTER TABLE product ADD COLUMN mine integer",
        "TRUNCATE product",
        "DELETE FROM schema_migration",
        // What these do they do with the owner's rights.
        "CREATE TEMP TABLE bait (id uuid); CREATE TRIGGER bait AFTER INSERT ON bait FOR EACH ROW EXECUTE FUNCTION foreign_part()",
    ] {
        let refused = databases.sql(
            "shop",
            &[
                "BEGIN",
                &format!("SET LOCAL ROLE \"{role}\""),
                &format!("DO $$ BEGIN EXECUTE '{statement}'; RAISE 'done'; EXCEPTION WHEN insufficient_privilege THEN NULL; END $$"),
                "ROLLBACK",
            ],
        );
        assert_eq!(refused.trim(), "", "{statement}");
    }
}
