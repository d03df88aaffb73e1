//! Nodes of a cluster, each a process of its own, on one PostgreSQL: whichever is asked answers for all of them, also after one of them is gone.

use crate::{
    http::{Client, Person, delete, get, items, post, put, text},
    server::{Process, Server, binary, eventually, server_of},
};
use rustix::process::Signal;
use serde_json::{Value, json};
use std::{
    sync::atomic::{AtomicBool, Ordering},
    thread,
};
use tempfile::TempDir;
use testbed::postgres::Databases;

/// The nodes of a test, and what they share.
pub struct Cluster {
    pub nodes: Vec<Server>,
    certificates: TempDir,
    databases: Databases,
    settings: Vec<String>,
}

impl Cluster {
    /// Starts so many nodes, all at once, and waits until each owns its share.
    fn start(count: usize) -> Self {
        Self::with(count, &[])
    }

    pub fn with(count: usize, settings: &[&str]) -> Self {
        let names: Vec<_> = (1..=count.max(2) + 1).map(|number| format!("node-{number}")).collect();
        let certificates = TempDir::new().expect("a folder");
        let made = binary().arg("certs").arg(certificates.path()).args(&names).status().expect("it starts");
        assert!(made.success());
        let settings = settings.iter().map(|setting| (*setting).to_owned()).collect();
        let mut cluster = Self { nodes: Vec::new(), certificates, databases: Databases::none(), settings };
        let starting: Vec<_> = (1..=count).map(|number| cluster.spawn(number)).collect();
        cluster.nodes = starting.into_iter().map(|(process, folder)| Server::started(process, folder)).collect();
        cluster.settle();
        cluster
    }

    /// A node's process, which is about to join.
    fn spawn(&self, number: usize) -> (Process, TempDir) {
        self.spawn_as(number, &[])
    }

    fn spawn_as(&self, number: usize, more: &[&str]) -> (Process, TempDir) {
        let folder = TempDir::new().expect("a folder");
        let name = format!("node-{number}");
        let own = [
            format!("postgres.url={}?sslmode=disable", self.databases.url()),
            // Of several nodes, and a server that other tests use, too.
            "postgres.connections_max=4".to_owned(),
            "cluster.listen=127.0.0.1:0".to_owned(),
            format!("cluster.name={name}"),
            format!("cluster.credentials={}", self.certificates.path().join(name).display()),
            "cluster.drain_wait_ms=0".to_owned(),
        ];
        let settings: Vec<&str> = own.iter().chain(&self.settings).map(String::as_str).chain(more.iter().copied()).collect();
        (Process::spawn(server_of(folder.path(), &settings)), folder)
    }

    pub fn join(&mut self, number: usize) {
        let (process, folder) = self.spawn(number);
        self.nodes.push(Server::started(process, folder));
        self.settle();
    }

    /// Waits until every node knows that each owns its share.
    fn settle(&self) {
        let count = self.nodes.len();
        let is_settled = |node: &Server| {
            let status = status(node);
            let own = members(&status).iter().find(|member| member["boot"] == status["boot"]);
            members(&status).len() == count
                && status["slots"]["moving"] == 0
                && own.is_some_and(|own| own["slots"] == status["slots"]["owned"] && own["status"] == "up")
        };
        eventually("each node owns its share, and all know", || self.nodes.iter().all(is_settled));
    }

    /// A client of each node.
    pub fn edges(&self) -> Vec<Client> {
        self.nodes.iter().map(Server::gateway).collect()
    }
}

fn status(node: &Server) -> Value {
    node.client("admin").call(&get("/cluster")).ok(200)
}

fn members(status: &Value) -> &Vec<Value> {
    status["members"].as_array().expect("members")
}

/// Whether an entity's owner is on this node.
pub fn owns(node: &Server, kind: &str, id: &str) -> bool {
    node.client("admin").call(&get(format!("/inspect/{kind}/{id}"))).ok(200)["here"] == true
}

/// A counter of a node, with these labels.
pub fn count(node: &Server, name: &str, labels: &str) -> u64 {
    let metrics = node.client("admin").call(&get("/metrics")).text();
    let line = metrics.lines().find(|line| line.starts_with(name) && line.contains(labels));
    let value = line.and_then(|line| line.rsplit(' ').next()).unwrap_or_else(|| panic!("no {name} of {labels}"));
    value.parse::<f64>().expect("a number") as u64
}

fn follow(edge: &mut Client, who: &Person, whom: &Person) {
    edge.call(&put(format!("/api/user/users/{}/follow", whom.id), json!({})).by(who)).ok(200);
}

fn publish(edge: &mut Client, by: &Person, words: &str) -> String {
    let body = json!({ "content": words, "visibility": "public" });
    text(&edge.call(&post("/api/content/posts", body).by(by)).ok(201)["id"])
}

fn feed(edge: &mut Client, of: &Person) -> Vec<String> {
    let page = edge.call(&get(format!("/api/content/feed/{}?limit=100", of.id)).by(of)).ok(200);
    items(&page).iter().map(|item| text(&item["id"])).collect()
}

/// Each step goes through another node than the one before, and is seen at once.
fn journey(edges: &mut [Client], round: &str) {
    let count = edges.len();
    let people: Vec<_> = (0..9).map(|number| edges[number % count].register(&format!("{round}{number}"))).collect();
    for (number, person) in people.iter().enumerate() {
        // Signed in at one node, known to all.
        for edge in &mut *edges {
            assert_eq!(text(&edge.call(&get("/api/user/me").by(person)).ok(200)["id"]), person.id);
        }
        follow(&mut edges[(number + 1) % count], person, &people[(number + 1) % people.len()]);
    }
    for (number, person) in people.iter().enumerate() {
        let written = publish(&mut edges[number % count], person, &format!("words of {round}{number}"));
        let follower = &people[(number + people.len() - 1) % people.len()];
        for edge in &mut *edges {
            assert!(feed(edge, follower).contains(&written), "what was acknowledged is in every feed that it belongs into");
            assert_eq!(text(&edge.call(&get(format!("/api/content/posts/{written}"))).ok(200)["id"]), written);
        }
        edges[(number + 1) % count].call(&delete(format!("/api/content/posts/{written}")).by(person)).ok(204);
        for edge in &mut *edges {
            assert!(!feed(edge, follower).contains(&written), "what was deleted is in none");
        }
    }
    let (seller, buyer) = (&people[0], &people[1]);
    for stock in 1..4 {
        let product = json!({ "name": format!("{round} lamp {stock}"), "price": 10, "stock": stock });
        let id = text(&edges[0].call(&post("/api/shop/products", product).by(seller)).ok(201)["id"]);
        for left in (0..stock).rev() {
            let order = json!({ "productId": id, "quantity": 1 });
            edges[left % count].call(&post("/api/shop/orders", order).by(buyer)).ok(201);
            for edge in &mut *edges {
                assert_eq!(edge.call(&get(format!("/api/shop/public/products/{id}"))).ok(200)["stock"], left);
            }
        }
        let orders = edges[1 % count].call(&get(format!("/api/shop/orders/buyer/{}?limit=100", buyer.id)).by(buyer)).ok(200);
        assert_eq!(items(&orders).iter().filter(|order| order["productId"] == id.as_str()).count(), stock);
    }
    // Signed out at one node, and nobody at all.
    edges[0].call(&post("/api/user/logout", json!({})).by(&people[8]));
    for edge in &mut *edges {
        assert_eq!(edge.call(&get("/api/user/me").by(&people[8])).status, 401);
    }
}

#[test]
fn whichever_node_is_asked_answers_for_all_of_them() {
    let mut cluster = Cluster::start(3);
    journey(&mut cluster.edges(), "three");
    cluster.join(4);
    journey(&mut cluster.edges(), "four");
}

/// An edge owns nothing, and asks for everything; an owner has no listener for clients.
#[test]
fn a_node_does_what_its_roles_say() {
    let mut cluster = Cluster::start(0);
    let starting = ["node.roles=entity", "node.roles=edge", "node.roles=edge,media"];
    let starting: Vec<_> = starting.iter().zip(1..).map(|(role, number)| cluster.spawn_as(number, &[role])).collect();
    cluster.nodes = starting.into_iter().map(|(process, folder)| Server::started(process, folder)).collect();
    let owner = cluster.nodes.remove(0);
    // Edges may hear of it first: the owner serves what it was given once its leases are written.
    eventually("the owner owns everything, and all know", || {
        let is_known = |edge| members(&status(edge)).iter().any(|member| member["slots"] == 4096);
        cluster.nodes.iter().all(is_known) && status(&owner)["slots"]["owned"] == 4096
    });
    assert!(owner.listeners().eq(["admin"]), "nobody but operators speaks to it");
    journey(&mut cluster.edges(), "edges");
    // Without an owner the store is read, and writes are refused as what may be tried again.
    let person = cluster.nodes[0].gateway().register("ada");
    owner.process.signal(Signal::KILL);
    owner.process.ended();
    for edge in &mut cluster.edges() {
        assert_eq!(text(&edge.call(&get("/api/user/me").by(&person)).ok(200)["id"]), person.id);
        let refused = edge.call(&put(format!("/api/user/profile/{}", person.id), json!({ "firstName": "Ada" })).by(&person));
        assert_eq!((refused.status, refused.header("retry-after").is_some()), (503, true), "{refused}");
    }
}

#[test]
fn what_a_killed_node_owned_is_anothers_and_nothing_is_lost() {
    let mut cluster = Cluster::start(3);
    let mut edges = cluster.edges();
    let people: Vec<_> = (0..24).map(|number| edges[number % 3].register(&format!("person{number}"))).collect();
    let rename = |edge: &mut Client, person: &Person, name: &str| {
        let change = put(format!("/api/user/profile/{}", person.id), json!({ "firstName": name })).by(person);
        edge.call(&change)
    };
    for person in &people {
        rename(&mut edges[0], person, "Before").ok(200);
    }
    let killed = cluster.nodes.pop().expect("three nodes");
    killed.process.signal(Signal::KILL);
    killed.process.ended();
    // Reads do not wait for a new owner …
    for person in &people {
        for edge in &mut edges[..2] {
            assert_eq!(edge.call(&get(format!("/api/user/profile/{}", person.id))).ok(200)["firstName"], "Before");
        }
    }
    // … and writes do, within their deadline.
    for person in &people {
        rename(&mut edges[1], person, "After").ok(200);
        for edge in &mut edges[..2] {
            assert_eq!(edge.call(&get(format!("/api/user/profile/{}", person.id))).ok(200)["firstName"], "After");
        }
    }
    cluster.settle();
    journey(&mut edges[..2], "two");
}

#[test]
fn a_node_that_is_stopped_hands_over_and_nobody_waits() {
    let mut cluster = Cluster::start(2);
    let mut edges = cluster.edges();
    let people: Vec<_> = (0..12).map(|number| edges[number % 2].register(&format!("person{number}"))).collect();
    let leaving = cluster.nodes.pop().expect("two nodes");
    let (staying, is_over) = (&cluster.nodes[0], AtomicBool::new(false));
    // Many at once, so that something is under way at every moment of its leaving.
    let (status, said) = thread::scope(|scope| {
        for writer in people.chunks(2) {
            let is_over = &is_over;
            scope.spawn(move || {
                let mut edge = staying.gateway();
                for round in 0.. {
                    for person in writer {
                        let change = put(format!("/api/user/profile/{}", person.id), json!({ "firstName": format!("Round{round}") }));
                        edge.call(&change.by(person)).ok(200);
                    }
                    if is_over.load(Ordering::Acquire) {
                        break;
                    }
                }
            });
        }
        leaving.process.signal(Signal::TERM);
        let ended = leaving.process.ended();
        is_over.store(true, Ordering::Release);
        ended
    });
    assert!(status.success() && said.contains("left the cluster"), "{said}");
    cluster.settle();
    journey(&mut edges[..1], "alone");
}

#[test]
fn what_is_warm_goes_ahead_of_its_slot() {
    let mut cluster = Cluster::start(2);
    let mut edges = cluster.edges();
    let people: Vec<_> = (0..40).map(|number| edges[number % 2].register(&format!("person{number}"))).collect();
    for person in &people {
        publish(&mut edges[0], person, "hello");
    }
    let profile = |person: &Person| get(format!("/api/user/profile/{}", person.id));
    let leaving = cluster.nodes.pop().expect("two nodes");
    let owned = people.iter().filter(|person| owns(&leaving, "user", &person.id)).count();
    assert!(owned > 0, "of forty people some are its own");
    for person in &people {
        edges[0].call(&profile(person)).ok(200);
    }
    let kinds = ["user", "account", "timeline"];
    let loads = |node: &Server| kinds.map(|kind| count(node, "cache_loads_total", &format!(r#"strategy="{kind}""#)));
    let (before, warmed) = (loads(&cluster.nodes[0]), r#"source="hand_off""#);
    leaving.process.signal(Signal::TERM);
    leaving.process.ended();
    cluster.settle();
    eventually("what was sent ahead is warm", || {
        count(&cluster.nodes[0], "cache_warmed_total", warmed) >= u64::try_from(kinds.len() * owned).expect("few")
    });
    for person in &people {
        edges[0].call(&profile(person)).ok(200);
        publish(&mut edges[0], person, "hello again");
    }
    assert_eq!(loads(&cluster.nodes[0]), before, "nothing of what the other one had is loaded again");
    // What was sent is not taken for more than it is.
    for person in &people {
        let change = put(format!("/api/user/profile/{}", person.id), json!({ "firstName": "After" })).by(person);
        edges[0].call(&change).ok(200);
        assert_eq!(edges[0].call(&profile(person)).ok(200)["firstName"], "After");
    }
}

#[test]
fn what_is_hot_is_lent_to_other_nodes_and_called_back_before_it_changes() {
    let cluster = Cluster::start(3);
    let mut edges = cluster.edges();
    let star = edges[0].register("star");
    let owner = cluster.nodes.iter().position(|node| owns(node, "user", &star.id)).expect("somebody owns it");
    let profile = get(format!("/api/user/profile/{}", star.id));
    let hits = |node: &Server| count(node, "cache_loan_hits_total", r#"strategy="user""#);
    for round in 0..10 {
        for (number, (node, edge)) in cluster.nodes.iter().zip(&mut edges).enumerate() {
            let before = hits(node);
            let reads = 120;
            (0..reads).for_each(|_| drop(edge.call(&profile).ok(200)));
            let lent = hits(node) - before;
            assert_eq!(lent > reads / 2, number != owner, "{lent} of {reads} reads at node {number} were of what was lent to it");
        }
        let shown = cluster.nodes[owner].client("admin").call(&get(format!("/inspect/user/{}", star.id))).ok(200);
        assert!(shown["lent_to"].as_u64() > Some(0), "{shown}");
        let name = format!("Round {round}");
        let change = put(format!("/api/user/profile/{}", star.id), json!({ "firstName": name })).by(&star);
        edges[round % 3].call(&change).ok(200);
        for edge in &mut edges {
            assert_eq!(edge.call(&profile).ok(200)["firstName"], name.as_str());
        }
    }
}

#[test]
fn a_node_that_hung_answers_nothing_old_and_ends() {
    let mut cluster = Cluster::start(3);
    let mut edges = cluster.edges();
    let people: Vec<_> = (0..12).map(|number| edges[number % 2].register(&format!("person{number}"))).collect();
    let hung = cluster.nodes.pop().expect("three nodes");
    // What it answers from its memory is warm.
    for person in &people {
        edges[2].call(&get(format!("/api/user/profile/{}", person.id))).ok(200);
    }
    hung.process.signal(Signal::STOP);
    eventually("the others see that it is gone", || members(&status(&cluster.nodes[0])).len() == 2);
    cluster.settle();
    for person in &people {
        edges[0].call(&put(format!("/api/user/profile/{}", person.id), json!({ "firstName": "Meanwhile" })).by(person)).ok(200);
    }
    hung.process.signal(Signal::CONT);
    for person in &people {
        // It may have ended, or say that it cannot tell, also beside what it has; what it shows as the truth is not from before.
        if let Ok(answer) = edges[2].try_call(&get(format!("/api/user/profile/{}", person.id)))
            && answer.status == 200
            && answer.header("age").is_none()
        {
            assert_eq!(answer.json()["firstName"], "Meanwhile");
        }
    }
    let (status, said) = hung.process.ended();
    assert_eq!(status.code(), Some(1), "{said}");
    assert!(said.contains("declared this one dead"), "{said}");
}

#[test]
fn a_ban_is_everywhere_when_it_is_answered() {
    let cluster = Cluster::start(3);
    let mut edges = cluster.edges();
    let (admin, bad, other) = (edges[0].register("boss"), edges[1].register("bad"), edges[2].register("other"));
    // As somebody with psql would; the owner hears of it.
    cluster.databases.sql("users", &[&format!("UPDATE person SET role = 'admin' WHERE id = '{}'", admin.id)]);
    for edge in &mut edges {
        eventually("the new role is known", || edge.call(&get("/api/user/me").by(&admin)).ok(200)["role"] == "admin");
    }
    // Each tells an admin of all of them, and of itself: their slots are all that there are.
    let seen: Vec<_> = edges.iter_mut().map(|edge| edge.call(&get("/api/overview").by(&admin)).ok(200)).collect();
    for overview in &seen {
        let members = members(&overview["cluster"]);
        let slots: u64 = members.iter().filter_map(|member| member["slots"].as_u64()).sum();
        let unlinked: Vec<_> = members.iter().filter(|member| member["link"].is_null()).map(|member| &member["boot"]).collect();
        assert_eq!((members.len(), slots, unlinked), (3, 4096, vec![&overview["node"]["boot"]]), "{overview}");
    }
    assert_eq!(seen.iter().filter_map(|overview| overview["slots"]["owned"].as_u64()).sum::<u64>(), 4096);
    let written = publish(&mut edges[1], &bad, "look at me");
    follow(&mut edges[0], &other, &bad);
    for round in 0..3 {
        edges[round % 3]
            .call(&put(format!("/api/user/users/{}/active", bad.id), json!({ "isActive": false, "reason": "test" })).by(&admin))
            .ok(200);
        for edge in &mut edges {
            assert_eq!(edge.call(&get(format!("/api/user/profile/{}", bad.id))).status, 404);
            assert!(!feed(edge, &other).contains(&written));
            assert_eq!(edge.call(&get("/api/user/me").by(&bad)).status, 401, "their sessions ended");
        }
        edges[round % 3]
            .call(&put(format!("/api/user/users/{}/active", bad.id), json!({ "isActive": true, "reason": "test" })).by(&admin))
            .ok(200);
        for edge in &mut edges {
            edge.call(&get(format!("/api/user/profile/{}", bad.id))).ok(200);
            assert!(feed(edge, &other).contains(&written));
        }
    }
}

/// On this machine only people are counted: so whoever is not recognised is not limited at all.
#[test]
fn a_person_is_counted_also_by_nodes_that_do_not_own_them() {
    let cluster = Cluster::with(2, &["rate.read_per_s=1", "rate.read_burst=5"]);
    let mut edges = cluster.edges();
    let person = edges[0].register("ada");
    for edge in &mut edges {
        let refused = (0..20).find_map(|_| Some(edge.call(&get("/api/user/me").by(&person))).filter(|answer| answer.status == 429));
        assert!(refused.is_some_and(|refused| refused.header("retry-after").is_some()));
    }
}

/// The author's posts are pulled by readers as soon as two follow: on every node, and none is missed while that becomes known.
#[test]
fn no_post_is_missed_while_an_author_becomes_one_whose_posts_are_pulled() {
    let cluster = Cluster::with(3, &["feed.pull_threshold_followers=2"]);
    let mut edges = cluster.edges();
    let author = edges[0].register("author");
    let readers: Vec<_> = (0..6).map(|number| edges[number % 3].register(&format!("reader{number}"))).collect();
    let mut written = Vec::new();
    for (number, reader) in readers.iter().enumerate() {
        follow(&mut edges[number % 3], reader, &author);
        for _ in 0..2 {
            written.insert(0, publish(&mut edges[(number + 1) % 3], &author, "news"));
            for edge in &mut edges {
                for reader in &readers[..=number] {
                    assert_eq!(feed(edge, reader), written, "each once, newest first");
                }
            }
        }
    }
}

#[test]
fn a_process_alone_and_nodes_keep_out_of_each_others_way() {
    let cluster = Cluster::start(2);
    let folder = TempDir::new().expect("a folder");
    let url = format!("postgres.url={}?sslmode=disable", cluster.databases.url());
    let (ended, said) = Process::spawn(server_of(folder.path(), &[&url])).ended();
    assert!(!ended.success() && said.contains("in use by the nodes of a cluster (node-"), "{said}");

    let Cluster { nodes, certificates, databases, settings } = cluster;
    for node in nodes {
        node.process.signal(Signal::KILL);
        node.process.ended();
    }
    // Those were killed: nobody renews their rows.
    let alone = Server::spawn(server_of(folder.path(), &[&url]), folder);
    let ada = alone.gateway().register("ada");
    let cluster = Cluster { nodes: Vec::new(), certificates, databases, settings };
    let (process, _folder) = cluster.spawn(3);
    let (ended, said) = process.ended();
    assert!(!ended.success() && said.contains("in use by another process"), "{said}");
    alone.stop();
    // And back again: what the process alone wrote is there.
    let mut cluster = cluster;
    let starting = [1, 2].map(|number| cluster.spawn(number));
    cluster.nodes = starting.into_iter().map(|(process, folder)| Server::started(process, folder)).collect();
    cluster.settle();
    for edge in &mut cluster.edges() {
        assert_eq!(text(&edge.call(&get("/api/user/me").by(&ada)).ok(200)["id"]), ada.id);
    }
}

#[test]
fn a_node_with_another_clusters_certificate_joins_nothing() {
    let cluster = Cluster::start(1);
    let stranger =
        Cluster { certificates: TempDir::new().expect("a folder"), nodes: Vec::new(), databases: Databases::none(), settings: Vec::new() };
    let made = binary().arg("certs").arg(stranger.certificates.path()).arg("node-2").status().expect("it starts");
    assert!(made.success());
    let folder = TempDir::new().expect("a folder");
    let settings = [
        format!("postgres.url={}?sslmode=disable", cluster.databases.url()),
        "cluster.listen=127.0.0.1:0".to_owned(),
        "cluster.name=node-2".to_owned(),
        format!("cluster.credentials={}", stranger.certificates.path().join("node-2").display()),
    ];
    let settings: Vec<_> = settings.iter().map(String::as_str).collect();
    let process = Process::spawn(server_of(folder.path(), &settings));
    process.wait_for("joining the cluster");
    // It knows the databases, and so it is seen; but nobody talks to it, and it owns nothing.
    eventually("the stranger is seen", || members(&status(&cluster.nodes[0])).iter().any(|member| member["name"] == "node-2"));
    process.wait_for("a node cannot be linked to");
    let seen = status(&cluster.nodes[0]);
    let stranger = members(&seen).iter().find(|member| member["name"] == "node-2").expect("seen").clone();
    assert_eq!((stranger["slots"].as_u64(), stranger["link"].is_null()), (Some(0), true), "{stranger}");
    // Nor does it keep anybody out who may come.
    let (joins, folder) = cluster.spawn(3);
    let joined = Server::started(joins, folder);
    assert!(members(&status(&joined)).iter().any(|member| member["name"] == "node-3" && member["status"] == "up"));
    cluster.nodes[0].gateway().register("ada");
}

#[test]
fn an_operator_has_a_node_leave_and_no_page_can() {
    let mut cluster = Cluster::start(2);
    let mut edges = cluster.edges();
    let people: Vec<_> = (0..12).map(|number| edges[number % 2].register(&format!("person{number}"))).collect();
    let leaving = cluster.nodes.pop().expect("two nodes");
    let mut admin = leaving.client("admin");
    assert_eq!(admin.call(&post("/cluster/drain", json!({})).header("origin", "http://127.0.0.1:8010")).status, 403);
    assert_eq!(admin.call(&get("/cluster/drain")).status, 405);
    assert_eq!(edges[1].call(&post("/cluster/drain", json!({}))).status, 404, "only the admin listener has it");
    let place = format!("listen.admin={}", leaving.addr("admin"));
    let output = binary().args(["cluster", "drain", "--set", &place]).stdout(std::process::Stdio::piped()).output().expect("it starts");
    let shown = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success() && shown.contains("is gone after"), "{shown}");
    let (ended, said) = leaving.process.ended();
    assert_eq!(ended.code(), Some(0), "{said}");
    for person in &people {
        let change = put(format!("/api/user/profile/{}", person.id), json!({ "firstName": "After" })).by(person);
        edges[0].call(&change).ok(200);
    }
    assert_eq!(status(&cluster.nodes[0])["slots"]["owned"], 4096);
}

#[test]
fn the_command_line_shows_the_cluster() {
    let cluster = Cluster::start(2);
    let person = cluster.nodes[0].gateway().register("ada");
    let ask = |arguments: &[&str]| {
        let mut command = binary();
        let admin = format!("listen.admin={}", cluster.nodes[0].addr("admin"));
        let output = command.arg("cluster").args(arguments).args(["--set", &admin]).stdout(std::process::Stdio::piped()).output();
        let output = output.expect("it starts");
        (
            output.status.success(),
            String::from_utf8_lossy(&output.stdout).into_owned(),
            String::from_utf8_lossy(&output.stderr).into_owned(),
        )
    };
    let (ok, shown, said) = ask(&["status"]);
    assert!(ok && shown.contains("node-1") && shown.contains("node-2") && shown.contains("self"), "{shown}{said}");
    let (_, shown, _) = ask(&["slots"]);
    assert!(shown.contains("    0  nobody"), "{shown}");
    assert!(ask(&["tree"]).1.contains("owners/user"));
    let (_, shown, _) = ask(&["inspect", "user", &person.id]);
    assert!(shown.contains("slot ") && shown.contains("owner"), "{shown}");
    let (ok, shown, _) = ask(&["status", "--json"]);
    assert!(ok && serde_json::from_str::<Value>(&shown).is_ok_and(|status| members(&status).len() == 2), "{shown}");
    let (ok, _, said) = ask(&["inspect", "nonsense", &person.id]);
    assert!(!ok && said.contains("no such kind"), "{said}");
    let unheard = binary().args(["cluster", "status", "--set", "listen.admin=127.0.0.1:1"]).output().expect("it starts");
    assert!(!unheard.status.success() && String::from_utf8_lossy(&unheard.stderr).contains("no server answers"));
}

/// Whoever spreads over the nodes has one limit, and one count of guesses.
#[test]
fn limits_are_those_of_the_whole_cluster() {
    let redis = testbed::redis::Server::own();
    let url = format!("redis.url={}", redis.url());
    let settings = [url.as_str(), "http.trusted_proxies=127.0.0.1", "rate.read_per_s=1", "rate.read_burst=1000"];
    let cluster = Cluster::with(2, &settings);
    eventually("each node has Redis", || {
        cluster.edges().iter_mut().all(|node| node.call(&get("/health/ready")).ok(200)["checks"]["redis"]["healthy"] == true)
    });
    let [mut here, mut there] = cluster.edges().try_into().ok().expect("two");
    let read = |client: &mut Client| client.call(&get("/api/shop/public/products").header("x-forwarded-for", "203.0.113.1")).status;
    let all = (0..5000).take_while(|_| read(&mut here) == 200).count();
    assert!(all >= 1000, "{all}");
    let mut elsewhere = 0;
    eventually("the other node knows", || {
        elsewhere += 1;
        read(&mut there) == 429
    });
    // An eighth, of which nobody tells, and what comes until it hears.
    assert!(elsewhere < 900, "{elsewhere}");

    here.register("ada");
    let login = json!({"email": "ada@example.org", "password": "a wrong password"});
    let guess = post("/api/user/login", login).header("x-forwarded-for", "203.0.113.2");
    let guesses: Vec<_> = (0..12).map(|n| if n % 2 == 0 { here.call(&guess).status } else { there.call(&guess).status }).collect();
    assert_eq!(guesses, [[401; 10].as_slice(), &[429; 2]].concat());
}

/// Nobody knows yet whether it was stored, and whoever reads the store may see it: then time would go back for who comes here next.
#[test]
fn what_a_commit_may_have_replaced_is_shown_for_a_moment_only() {
    let cluster = Cluster::with(2, &["postgres.statement_timeout_ms=60000"]);
    let mut edges = cluster.edges();
    let ada = edges[0].register("ada");
    let owner = &cluster.nodes[usize::from(!owns(&cluster.nodes[0], "user", &ada.id))];
    let profile = get(format!("/api/user/profile/{}", ada.id));
    edges.iter_mut().for_each(|edge| drop(edge.call(&profile).ok(200)));
    // The commit waits for it, and whoever reads the store does not.
    let held = cluster.databases.hold("users", "SELECT 1 FROM slot_epoch FOR UPDATE");
    let change = put(format!("/api/user/profile/{}", ada.id), json!({"bio": "after"})).by(&ada);
    thread::scope(|scope| {
        let changed = scope.spawn(|| owner.gateway().call(&change).ok(200));
        let loads = || count(owner, "cache_loads_total", r#"strategy="user""#);
        let before = loads();
        let mut bios = Vec::new();
        eventually("what is shown is the store's", || {
            bios.extend(edges.iter_mut().map(|edge| edge.call(&profile).ok(200)["bio"].clone()));
            loads() > before
        });
        assert!(bios.iter().all(serde_json::Value::is_null), "nothing is stored yet: {bios:?}");
        drop(held);
        changed.join().expect("it was changed");
    });
    edges.iter_mut().for_each(|edge| assert_eq!(text(&edge.call(&profile).ok(200)["bio"]), "after"));
}
