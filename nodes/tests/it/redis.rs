//! Redis as the second level: a process that starts is warm by it, it is believed in nothing, and it is not missed.

use crate::{
    http::{Client, Person, get, post, put, text},
    server::{Server, eventually},
    store::{Data, Store},
};
use serde_json::json;
use testbed::redis;
use uuid::Uuid;

const PRODUCTS: &str = "/api/shop/public/products?limit=5";

/// A platform on PostgreSQL and Redis.
struct Platform {
    redis: redis::Server,
    server: Server,
}

fn setting(redis: &redis::Server) -> String {
    format!("redis.url={}", redis.url())
}

impl Platform {
    fn start() -> Self {
        let redis = redis::Server::own();
        let server = Store::Postgres.with(&[&setting(&redis)]);
        let platform = Self { redis, server };
        platform.is_well();
        platform
    }

    /// Waits until Redis is in use.
    fn is_well(&self) {
        eventually("Redis answers", || self.condition()["healthy"] == true);
    }

    fn condition(&self) -> serde_json::Value {
        self.server.gateway().call(&get("/health/ready")).ok(200)["checks"]["redis"].clone()
    }

    /// The next process; `between` may do what it likes with the data of the one before.
    fn again(self, between: impl FnOnce(&redis::Server, &Data)) -> Self {
        let Self { redis, server } = self;
        let data = server.stop();
        between(&redis, &data);
        let server = Server::on(data, &[&setting(&redis)]);
        server.process.wait_for("warm again from the second level");
        let platform = Self { redis, server };
        platform.is_well();
        platform
    }

    fn figure(&self, series: &str) -> u64 {
        let scrape = self.server.client("admin").call(&get("/metrics"));
        let line = scrape.text().lines().find_map(|line| line.strip_prefix(series)?.strip_prefix(' ')?.parse().ok());
        line.unwrap_or(0)
    }

    fn queries(&self, database: &str, operation: &str) -> u64 {
        self.figure(&format!("store_queries_total{{database=\"{database}\",operation=\"{operation}\"}}"))
    }
}

fn profile(person: &Person) -> String {
    format!("/api/user/profile/{}", person.id)
}

fn sell(client: &mut Client, seller: &Person, name: &str) -> String {
    let product = post("/api/shop/products", json!({"name": name, "price": "12.50", "stock": 10})).by(seller);
    text(&client.call(&product).ok(201)["id"])
}

fn names(client: &mut Client, path: &str) -> Vec<String> {
    let page = client.call(&get(path)).ok(200);
    page["items"].as_array().expect("rows").iter().map(|row| text(&row["name"])).collect()
}

#[test]
fn the_next_process_is_warm_without_asking_for_each_thing() {
    let platform = Platform::start();
    let mut client = platform.server.gateway();
    let people: Vec<_> = (0..20).map(|n| client.register(&format!("person{n}"))).collect();
    let product = sell(&mut client, &people[0], "a lamp");
    let said = post("/api/content/posts", json!({"content": "hello"})).by(&people[0]);
    let said = text(&client.call(&said).ok(201)["id"]);
    let others = [format!("/api/shop/public/products/{product}"), format!("/api/content/posts/{said}"), PRODUCTS.to_owned()];
    let paths: Vec<String> = people.iter().map(profile).chain(others).collect();
    let bodies = |client: &mut Client| paths.iter().map(|path| client.call(&get(path)).ok(200)).collect::<Vec<_>>();
    let before = bodies(&mut client);

    let platform = platform.again(|_, _| {});
    assert_eq!(bodies(&mut platform.server.gateway()), before);
    for (database, operation) in [("users", "user"), ("content", "post"), ("shop", "product"), ("shop", "products")] {
        assert_eq!(platform.queries(database, operation), 0, "{operation}");
    }
    let versions = ["users", "content", "shop"].map(|database| platform.queries(database, "versions"));
    assert!(versions[0] <= 20 && versions[1..] == [1, 1], "a lot of them a query: {versions:?}");
    assert_eq!(platform.figure("redis_reads_total{outcome=\"hit\",strategy=\"shop:products\"}"), 1, "the page of the list");

    // Each is as much its owner's as if it had been loaded: it can be written to.
    let mut client = platform.server.gateway();
    client.call(&put(profile(&people[3]), json!({"bio": "still here"})).by(&people[3])).ok(200);
    assert_eq!(client.call(&get(profile(&people[3]))).ok(200)["bio"], "still here");
    let order = post("/api/shop/orders", json!({"productId": product, "quantity": 3})).by(&people[1]);
    client.call(&order).ok(201);
    assert_eq!(client.call(&get(format!("/api/shop/public/products/{product}"))).ok(200)["stock"], 7);
}

#[test]
fn what_changed_meanwhile_is_not_shown_as_it_was() {
    let platform = Platform::start();
    let mut client = platform.server.gateway();
    let ada = client.register("ada");
    sell(&mut client, &ada, "a lamp");
    assert_eq!(names(&mut client, PRODUCTS), ["a lamp"]);
    client.call(&get(profile(&ada))).ok(200);
    let platform = platform.again(|_, data| {
        let databases = data.databases.as_ref().expect("on PostgreSQL");
        databases.sql("users", &[&format!("UPDATE person SET bio = 'by psql' WHERE id = '{}'", ada.id)]);
    });
    assert_eq!(platform.server.gateway().call(&get(profile(&ada))).ok(200)["bio"], "by psql");
}

/// What Redis holds is put back to what it was before the writes, as a restart from an old file, or a replica that was behind, would do.
#[test]
fn old_values_that_come_back_are_not_believed() {
    let platform = Platform::start();
    let mut client = platform.server.gateway();
    let ada = client.register("ada");
    let first = sell(&mut client, &ada, "a lamp");
    assert_eq!(names(&mut client, PRODUCTS), ["a lamp"]);
    client.call(&get(profile(&ada))).ok(200);
    let copies = "for _, name in ipairs(redis.call('KEYS', 'cache:*')) do redis.call('COPY', name, 'old:' .. name) end";
    let platform = platform.again(|redis, _| drop(redis.script(copies, "", &[])));
    let mut client = platform.server.gateway();
    client.call(&put(profile(&ada), json!({"bio": "new"})).by(&ada)).ok(200);
    client.call(&put(format!("/api/shop/products/{first}"), json!({"name": "a brighter lamp"})).by(&ada)).ok(200);
    sell(&mut client, &ada, "a chair");
    let expected = ["a chair", "a brighter lamp"];
    assert_eq!(names(&mut client, PRODUCTS), expected);
    let back = "for _, name in ipairs(redis.call('KEYS', 'old:*')) do redis.call('COPY', name, string.sub(name, 5), 'REPLACE') end";
    platform.redis.script(back, "", &[]);
    // Also while the process lives, whose memory may have dropped anything: a page that it did not ask for yet.
    assert_eq!(names(&mut client, "/api/shop/public/products?limit=6"), expected);
    let platform = platform.again(|redis, _| drop(redis.script(back, "", &[])));
    let mut client = platform.server.gateway();
    assert_eq!(client.call(&get(profile(&ada))).ok(200)["bio"], "new");
    assert_eq!(names(&mut client, PRODUCTS), expected);
    assert!(platform.figure("redis_reads_total{outcome=\"stale\",strategy=\"shop:products\"}") >= 1, "the old page was looked at");
}

#[test]
fn a_redis_that_is_away_is_named_and_not_missed() {
    let mut platform = Platform::start();
    let mut client = platform.server.gateway();
    let ada = client.register("ada");
    platform.redis.kill();
    let gone = |platform: &Platform| platform.condition()["healthy"] == false;
    // Whoever asks for what Redis would have finds out that it is gone.
    eventually("it is noticed", || {
        let any = Uuid::now_v7();
        client.call(&get(format!("/api/shop/public/products?category={any}"))).ok(200);
        gone(&platform)
    });
    let ready = client.call(&get("/health/ready"));
    assert_eq!((ready.status, ready.json()["status"].clone()), (200, json!("degraded")));
    assert_eq!(platform.figure("dependency_up{dependency=\"redis\"}"), 0);
    assert_eq!(platform.figure("dependency_up{dependency=\"database:shop\"}"), 1);
    sell(&mut client, &ada, "a lamp");
    assert_eq!(names(&mut client, PRODUCTS), ["a lamp"]);
    platform.redis.start();
    platform.is_well();
    eventually("readiness says it", || client.call(&get("/health/ready")).json()["status"] == "healthy");
    let said = || platform.server.process.said().join("\n");
    eventually("the log says it", || said().contains("well again"));
    let said = said();
    assert_eq!((said.matches("degraded: ").count(), said.matches("well again").count()), (1, 1), "one line each:\n{said}");
}

#[test]
fn a_process_starts_without_it() {
    let mut redis = redis::Server::own();
    redis.kill();
    let server = Store::Postgres.with(&[&setting(&redis)]);
    let ada = server.gateway().register("ada");
    server.gateway().call(&get(profile(&ada))).ok(200);
    let ready = server.gateway().call(&get("/health/ready"));
    assert_eq!((ready.status, ready.json()["checks"]["redis"]["healthy"].clone()), (200, json!(false)));
    // It comes to it later.
    redis.start();
    eventually("it is found", || server.gateway().call(&get("/health/ready")).json()["checks"]["redis"]["healthy"] == true);
    server.stop();
}

/// Two instances on one server would otherwise be shown each other's lists, which have the same names everywhere.
#[test]
fn two_instances_share_a_server_and_nothing_else() {
    let platform = Platform::start();
    let mut client = platform.server.gateway();
    let ada = client.register("ada");
    sell(&mut client, &ada, "a lamp");
    assert_eq!(names(&mut client, PRODUCTS), ["a lamp"]);
    let other = Store::Postgres.with(&[&setting(&platform.redis)]);
    let mut client = other.gateway();
    let bob = client.register("bob");
    sell(&mut client, &bob, "a chair");
    assert_eq!(names(&mut client, PRODUCTS), ["a chair"]);
}

/// Who guesses is known to whoever else shares Redis; here that is the next process.
#[test]
fn a_restart_gives_nobody_new_guesses() {
    let guess = |platform: &Platform| {
        let login = json!({"email": "ada@example.org", "password": "a wrong password"});
        platform.server.gateway().call(&post("/api/user/login", login)).status
    };
    let platform = Platform::start();
    platform.server.gateway().register("ada");
    let guesses: Vec<_> = (0..12).map(|_| guess(&platform)).collect();
    assert_eq!(guesses, [[401; 10].as_slice(), &[429; 2]].concat());
    let platform = platform.again(|_, _| {});
    assert_eq!(guess(&platform), 429);
    assert_eq!(platform.figure("redis_counts_total{of=\"tries\",outcome=\"shared\"}"), 1);
    let platform = platform.again(|redis, _| drop(redis.run(&["FLUSHALL"])));
    assert_eq!(guess(&platform), 401, "what Redis lost is gone, and nothing else");
}
