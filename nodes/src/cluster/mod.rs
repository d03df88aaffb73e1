//! A node's way into its cluster, and out of it; and what operators are shown of it.

mod ask;

pub use ask::ask;

use crate::{
    config::{Cluster, Config, Role},
    storage::Storage,
};
use actors::{
    Node,
    membership::{Events, Outlook, Seat},
    remote::{Door, LinkPeers, Remote, follow},
};
use anyhow::{Context, Result, anyhow, ensure};
use cluster::{Boot, Exit, Identity, Roles, Status};
use links::{Cookie, Files, Limits, Links};
use protocol::SLOTS;
use std::{fs, path::Path, sync::Arc, time::Duration};
use uuid::Uuid;

/// Between two tries to read what a node must know before it answers.
const PAUSE: Duration = Duration::from_millis(250);
/// How long a node that leaves may take: it hands over for 20 s at most, and then tries for another 5 to say that it left.
const LEAVING_MAX: Duration = Duration::from_secs(30);

/// Joins: links to the others, has a row in the table of members, and knows what every node must know. What it owns comes to it after that.
///
/// # Errors
/// When the links cannot be started, or the others declared this node dead before it was one of them.
pub async fn join(config: &Config, events: Events, node: &Arc<Node>, storage: &mut Storage) -> Result<()> {
    let Some(membership) = storage.membership() else { return Ok(()) };
    let membership = Arc::new(membership);
    let boot = Uuid::now_v7();
    let links = links(&config.cluster, boot, node).await?;
    let address = address(&config.cluster, &links);
    tracing::info!(%boot, address, "joining the cluster");
    let identity = Identity { boot: Boot(boot), roles: roles(&config.node.roles), address: address.into(), slots: SLOTS };
    let peers = Arc::new(LinkPeers(links.clone()));
    let seat = Seat::take(identity, events, Arc::clone(&node.ownership), Arc::clone(&membership), peers);
    let seat = seat.context("the thread of the cluster's membership does not start")?;
    // What keeps processes that are alone away is the row, of whatever status: whoever never gets further than that must not keep other nodes waiting.
    until(&seat, |_| true).await?;
    tokio::task::block_in_place(|| storage.joined());
    until(&seat, |status| matches!(status, Status::Up | Status::Leaving)).await?;
    node.join(Remote::new(links, seat, membership));
    while let Err(error) = node.learn().await {
        tracing::warn!(%error, "what every node must know cannot be read; trying again");
        tokio::time::sleep(PAUSE).await;
    }
    tracing::info!(%boot, "joined the cluster");
    Ok(())
}

/// Waits until this node is a member of such a status.
async fn until(seat: &Seat, is_such: impl Fn(Status) -> bool) -> Result<()> {
    let mut outlooks = seat.outlooks();
    let is_there = |outlook: &Outlook| outlook.member(seat.boot()).is_some_and(|member| is_such(member.status));
    tokio::select! {
        _ = outlooks.wait_for(|outlook| is_there(outlook)) => Ok(()),
        exit = seat.ended() => Err(ended(exit)),
    }
}

async fn links(config: &Cluster, boot: Uuid, node: &Arc<Node>) -> Result<Links> {
    let (listen, name, folder) = (config.listen, config.name.as_ref(), config.credentials.as_deref());
    let (Some(listen), Some(name), Some(folder)) = (listen, name, folder) else {
        return Err(anyhow!("cluster.listen, cluster.name and cluster.credentials belong together"));
    };
    let config = links::Config {
        boot,
        name: name.as_str().to_owned(),
        listen,
        files: Files::within(folder),
        cookie: cookie(&folder.join("cookie"))?,
        limits: Limits::default(),
        wires: links::Config::WIRES,
    };
    let events = node.ownership.events().context("this node owns its slots alone")?;
    let (links, told) = Links::start(config, Door(Arc::clone(node)), None).await?;
    tokio::spawn(follow(told, events));
    Ok(links)
}

/// Whether a node of this name can show the others what is in this folder.
///
/// # Errors
/// Why not.
pub fn examine(name: &str, folder: &Path) -> Result<()> {
    Files::within(folder).examine(name)?;
    cookie(&folder.join("cookie")).map(drop)
}

fn cookie(file: &Path) -> Result<Cookie> {
    let text = fs::read_to_string(file).with_context(|| format!("the cluster's cookie, {}, cannot be read", file.display()))?;
    Cookie::parse(&text).with_context(|| format!("the cluster's cookie, {}, cannot be used", file.display()))
}

fn address(config: &Cluster, links: &Links) -> String {
    let name = config.name.as_ref().map_or("", |name| name.as_str());
    match &config.address {
        Some(address) => format!("{name}@{}", address.as_str()),
        // Everywhere is nowhere in particular: its own name is what the others can look up.
        None if links.listens_on().ip().is_unspecified() => format!("{name}@{name}:{}", links.listens_on().port()),
        None => format!("{name}@{}", links.listens_on()),
    }
}

fn roles(roles: &[Role]) -> Roles {
    let does = |role| roles.contains(&role);
    Roles { edge: does(Role::Edge), entity: does(Role::Entity), media: does(Role::Media) }
}

/// Waits until the node's part in the cluster is over without its asking.
///
/// # Errors
/// Always, once that happened; never, where there is no cluster.
pub async fn lost(node: &Node) -> Result<std::convert::Infallible> {
    match node.remote() {
        Some(remote) => Err(ended(remote.seat().ended().await)),
        None => std::future::pending().await,
    }
}

fn ended(exit: Exit) -> anyhow::Error {
    match exit {
        Exit::Dead => anyhow!("the other nodes declared this one dead, and what it owned is theirs: it ends, and is to be started again"),
        Exit::Left => anyhow!("this node has left the cluster"),
    }
}

/// Hands over all that the node owns, and leaves.
///
/// # Errors
/// When the others declared it dead meanwhile, or it was not done in time: what it owned is theirs then all the same, a few seconds later.
pub async fn leave(node: &Node) -> Result<()> {
    let Some(remote) = node.remote() else { return Ok(()) };
    remote.seat().events().drain();
    let exit = tokio::time::timeout(LEAVING_MAX, remote.seat().ended()).await.context("the cluster was not left in time")?;
    if exit == Exit::Left {
        // Whoever has not heard yet still asks here, and is told that nothing was done.
        let outlook = remote.outlook();
        let others = outlook.members.iter().filter(|member| member.status == Status::Up && member.boot != remote.seat().boot());
        let others: Vec<_> = others.map(|member| member.boot.0).collect();
        remote.links().part(&others).await;
    }
    remote.links().stop().await;
    ensure!(exit == Exit::Left, ended(exit));
    tracing::info!("left the cluster");
    Ok(())
}
