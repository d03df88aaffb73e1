//! What `lets-connect cluster` shows: it asks the admin listener of a running node.

use crate::{
    cli::ClusterQuestion,
    config::Config,
    http::{Request, Server},
};
use anyhow::{Context, Result, ensure};
use hyper::{Method, header::HeaderValue};
use serde_json::Value;
use std::{
    fmt::Write,
    time::{Duration, Instant},
};

/// How long a node may take to be gone, which is as long as it is to be given: docs/cluster.md.
const LEAVING_MAX: Duration = Duration::from_secs(60);
/// How often it is asked whether it is still there.
const LOOK_EVERY: Duration = Duration::from_millis(200);

/// Asks the node of this configuration, and answers what to print: text, or what the node said.
///
/// # Errors
/// When no node answers there, it refuses the token, or it is in no cluster.
pub async fn ask(config: &Config, question: &ClusterQuestion) -> Result<String> {
    let server = Server::at(&format!("http://{}", config.listen.admin), 1)?;
    let path = match question {
        ClusterQuestion::Status(_) | ClusterQuestion::Slots(_) => "/cluster".to_owned(),
        ClusterQuestion::Tree(_) => "/tree".to_owned(),
        ClusterQuestion::Drain(_) => "/cluster/drain".to_owned(),
        ClusterQuestion::Inspect { kind, id, .. } => format!("/inspect/{kind}/{id}"),
    };
    let token = config.listen.admin_token.as_ref().map(|token| HeaderValue::try_from(format!("Bearer {}", token.expose())));
    let token = token.transpose().context("listen.admin_token cannot be sent")?;
    let method = if matches!(question, ClusterQuestion::Drain(_)) { Method::POST } else { Method::GET };
    let request = asked(method, path, token.as_ref());
    let answer = server.once(&request).await.with_context(|| match question {
        ClusterQuestion::Tree(_) => "the node does not show its tree",
        ClusterQuestion::Inspect { .. } => "the node knows no such kind of entity, or that is no id",
        _ => "the node shows no cluster: is cluster.listen set for it, and has it joined?",
    })?;
    let answer: Value = serde_json::from_slice(&answer).context("the node's answer cannot be read")?;
    if matches!(question, ClusterQuestion::Drain(_)) {
        let began = Instant::now();
        gone(&server, &asked(Method::GET, "/cluster".to_owned(), token.as_ref())).await?;
        let slots = number(&answer["slots"], "owned");
        if !question.how().json {
            return Ok(format!("it had {slots} slots, and is gone after {:.1} s\n", began.elapsed().as_secs_f64()));
        }
    }
    Ok(match question {
        _ if question.how().json => format!("{answer:#}\n"),
        ClusterQuestion::Status(_) => status(&answer),
        ClusterQuestion::Slots(_) => slots(&answer),
        ClusterQuestion::Tree(_) => tree(&answer, 0),
        ClusterQuestion::Drain(_) => String::new(),
        ClusterQuestion::Inspect { .. } => inspect(&answer),
    })
}

fn asked(method: Method, path: String, token: Option<&HeaderValue>) -> Request<'_> {
    let request = Request::new(method, path);
    match token {
        Some(token) => request.by(token),
        None => request,
    }
}

/// Waits until nobody answers any more.
async fn gone(server: &Server, request: &Request<'_>) -> Result<()> {
    let deadline = Instant::now() + LEAVING_MAX;
    while server.once(request).await.is_ok() {
        ensure!(Instant::now() < deadline, "it was asked to leave {} s ago, and still answers: its log says why", LEAVING_MAX.as_secs());
        tokio::time::sleep(LOOK_EVERY).await;
    }
    Ok(())
}

fn text<'a>(value: &'a Value, key: &str) -> &'a str {
    value[key].as_str().unwrap_or("-")
}

fn number(value: &Value, key: &str) -> u64 {
    value[key].as_u64().unwrap_or_default()
}

fn members(answer: &Value) -> impl Iterator<Item = &Value> {
    answer["members"].as_array().into_iter().flatten()
}

fn status(answer: &Value) -> String {
    let own = text(answer, "boot");
    let leased = if answer["leased"] == true { "serves from memory" } else { "serves nothing from memory: its lease ended" };
    let mut out = format!("view {}, this node {leased}\n\n", number(answer, "view"));
    let wide = members(answer).map(|member| text(member, "name").len()).max().unwrap_or_default().max(4);
    let _ = writeln!(
        out,
        "{:wide$}  {:8} {:>5}  {:18} {:>6} {:>6} {:>9}  address",
        "node", "status", "slots", "roles", "link", "calls", "queued"
    );
    for member in members(answer) {
        let roles: Vec<_> = member["roles"].as_array().into_iter().flatten().filter_map(Value::as_str).collect();
        let link = &member["link"];
        let (age, calls, queued) = match (link.is_null(), text(member, "boot") == own) {
            (_, true) => ("self".to_owned(), String::new(), String::new()),
            (true, false) => ("none".to_owned(), String::new(), String::new()),
            (false, false) => {
                (format!("{} s", number(link, "age_s")), number(link, "calls").to_string(), format!("{} B", number(link, "queued_bytes")))
            }
        };
        let (name, state, slots) = (text(member, "name"), text(member, "status"), number(member, "slots"));
        let (roles, address) = (roles.join(","), text(member, "address"));
        let _ = writeln!(out, "{name:wide$}  {state:8} {slots:>5}  {roles:18} {age:>6} {calls:>6} {queued:>9}  {address}");
    }
    let (unowned, moving) = (number(&answer["slots"], "unowned"), number(&answer["slots"], "moving"));
    if moving > 0 {
        let _ = writeln!(out, "\n{moving} slots are on their way to another node");
    }
    if unowned > 0 {
        let _ = writeln!(out, "\n{unowned} slots have no owner that is known here: writes to them wait");
    }
    out
}

fn slots(answer: &Value) -> String {
    let mut out = String::new();
    for member in members(answer) {
        let _ = writeln!(out, "{:>5}  {}  {}", number(member, "slots"), text(member, "name"), text(member, "boot"));
    }
    let _ = writeln!(out, "{:>5}  nobody", number(&answer["slots"], "unowned"));
    out
}

fn tree(report: &Value, depth: usize) -> String {
    let state = if report["alive"] == true { "" } else { "  DEAD" };
    let restarts = match number(report, "restarts") {
        0 => String::new(),
        restarts => format!("  restarts {restarts}"),
    };
    let mut out = format!("{:depth$}{}{restarts}{state}\n", "", text(report, "name"), depth = depth * 2);
    for child in report["children"].as_array().into_iter().flatten() {
        out += &tree(child, depth + 1);
    }
    out
}

fn inspect(answer: &Value) -> String {
    let owner = answer["owner"].as_str().unwrap_or(if answer["here"] == true { "this process" } else { "nobody is known" });
    let mut out =
        format!("slot   {}\nowner  {owner}{}\n", number(answer, "slot"), if answer["here"] == true { " (this node)" } else { "" });
    if let Some(epoch) = answer["epoch"].as_u64() {
        let _ = writeln!(out, "epoch  {epoch}");
    }
    let warm = answer["warm"].as_u64().map_or("no".to_owned(), |version| format!("yes, at version {version}"));
    let borrowed = answer["borrowed_ms"].as_u64().map_or(String::new(), |left| format!(", lent by its owner for another {left} ms"));
    let _ = writeln!(out, "warm   {warm}{borrowed}");
    match number(answer, "lent_to") {
        0 => {}
        nodes => drop(writeln!(out, "lent   to {nodes} other nodes")),
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn a_cluster_is_shown_as_a_table() {
        let link = json!({ "age_s": 12, "wire": 1, "calls": 3, "queued_bytes": 0 });
        let member = |name: &str, boot: &str, slots: u64, link: &Value| json!({ "name": name, "boot": boot, "status": "up", "roles": ["edge", "entity"], "address": "n@h:1", "slots": slots, "link": link });
        let answer = json!({
            "boot": "a", "view": 7, "leased": true,
            "members": [member("node-1", "a", 2048, &Value::Null), member("node-2", "b", 2000, &link)],
            "slots": { "owned": 2048, "unowned": 48, "moving": 48 },
        });
        let shown = status(&answer);
        assert!(shown.contains("view 7") && shown.contains("node-1") && shown.contains("self"), "{shown}");
        assert!(shown.contains("12 s") && shown.contains("48 slots have no owner"), "{shown}");
        let shown = slots(&answer);
        assert_eq!(shown.lines().count(), 3, "{shown}");
    }

    #[test]
    fn what_is_lent_is_shown_where_it_is_and_where_it_came_from() {
        let owner = inspect(&json!({ "slot": 7, "owner": "a", "here": true, "epoch": 3, "warm": 9, "lent_to": 2 }));
        assert_eq!(owner, "slot   7\nowner  a (this node)\nepoch  3\nwarm   yes, at version 9\nlent   to 2 other nodes\n");
        let holder = inspect(&json!({ "slot": 7, "owner": "a", "here": false, "warm": 9, "borrowed_ms": 650, "lent_to": 0 }));
        assert_eq!(holder, "slot   7\nowner  a\nwarm   yes, at version 9, lent by its owner for another 650 ms\n");
    }

    #[test]
    fn a_tree_is_indented_and_says_what_is_dead() {
        let report =
            json!({ "name": "node", "alive": true, "restarts": 0, "children": [{ "name": "outbox", "alive": false, "restarts": 2 }] });
        assert_eq!(tree(&report, 0), "node\n  outbox  restarts 2  DEAD\n");
    }
}
