//! One node, from its configuration to its last answer: stores, tree, edge, and the way down.

use crate::{
    caches, cluster,
    config::{Config, Role},
    demo::{self, DemoOptions},
    mail,
    storage::{self, Storage},
    telemetry::Telemetry,
    traces::{self, Traces},
    tree::{self, Extra},
};
use actors::{
    Client, Limits, Node,
    account::Accounts,
    errand::Means,
    mail::Letters,
    media::{self, Media},
    membership::Events,
    metrics::NodeCollector,
    ownership::Ownership,
    supervisor::Intensity,
};
use anyhow::{Context, Result};
use edge::{
    Edge, Options, Scope,
    attempt::AttemptLimits,
    dispatch::{Counted, Dispatcher, Platform},
    health::Stage,
    live, rate,
    route::Service,
    server::{self, ListenerSpec, Reserved},
    session,
};
use prometheus::Registry;
use std::{future::Future, net::SocketAddr, num::NonZeroU32, path::PathBuf, sync::Arc, time::Duration};

/// Serves until `shutdown`, then drains.
///
/// # Errors
/// When the node cannot start: the message says what to do. Nothing answers before everything is bound.
pub async fn serve(config: &Config, telemetry: &Telemetry, shutdown: impl Future<Output = ()>) -> Result<()> {
    let registry = Registry::new();
    traces::Figures::register(telemetry.traces.as_ref(), &registry)?;
    // Until there is somebody to answer, whoever connects is refused, and goes to another node of a cluster.
    let reserved = Reserved::take(listeners(config)?)?;
    let mut storage = Storage::open(config, &registry).await?;

    let events = config.cluster.listen.map(|_| Events::new());
    let ownership = events.clone().map_or_else(|| Ownership::alone(storage.lease()), Ownership::shared);
    let node = Node::new(storage.stores(), ownership, limits(config));
    NodeCollector::register(&node, &registry)?;
    if events.is_none() {
        node.claim_all().await.context("the store does not answer")?;
    }
    let client = Client::new(node.clone());
    let accounts = Accounts::new(client.clone()).map_err(|error| anyhow::anyhow!("account.argon2_*: {error}"))?;
    let addresses: Vec<_> = reserved.local_addrs().collect();
    let gateway = if config.node.roles.contains(&Role::Edge) { addresses[0] } else { config.listen.gateway };
    let letters = Letters { public_url: config.public_url(gateway) };
    let means = Arc::new(Means { node: node.clone(), accounts: accounts.clone(), mailer: mail::mailer(config)?, letters });
    let limiter = Arc::new(rate::Limiter::new(&rates(config), client.counts()));
    let objects = storage::objects(config, &registry)?;
    if objects.is_folder() && config.cluster.listen.is_some() {
        tracing::warn!("files are kept in a folder: without media.storage_url, all nodes of the cluster need the same one mounted there");
    }
    let media = Media::new(&node, (objects, caches::caches(config)?), media_limits(config), &registry).await?;
    let spool_dir = spool(config)?;
    let extra = Extra { limiter: Some(&limiter), media: media.children(config.node.roles.contains(&Role::Media)) };
    let spec = tree::spec(&node, intensity(config), means, extra);
    let root = tree::start(spec).await.context("the supervision tree does not start")?;

    if let Some(events) = events {
        cluster::join(config, events, &node, &mut storage).await?;
    }

    let platform = Platform { client, accounts, root: root.clone(), limiter, media };
    let bound = reserved.listen()?;
    let edge = Edge::new(platform, options(config, telemetry, gateway, spool_dir), Counted { registry, connections: bound.stats() })?;
    announce(config, &addresses, gateway);
    actors::dependency::look(&node).await;
    edge.enter(Stage::Serving);

    let demo = demo_data(config, &node, gateway);
    let draining = edge.clone();
    let stop = async move {
        tokio::select! {
            () = shutdown => {}
            () = draining.asked_to_stop() => {}
        }
        tracing::info!("asked to stop; draining");
        draining.enter(Stage::Draining);
        draining.client.node().ownership.leave_all();
    };
    let served = tokio::select! {
        drained = bound.serve(Dispatcher(edge.clone()), server_limits(config), stop) => {
            tracing::info!(aborted = drained.aborted, "stopped");
            Ok(())
        }
        // What is in flight is broken off: whoever has the stores now answers for them.
        Err(lost) = storage.lost() => Err(lost),
        Err(lost) = cluster::lost(&node) => {
            edge.enter(Stage::VotedOut);
            Err(lost)
        }
        never = demo => match never {},
    };

    // Nobody asks this node any more: what it owns is handed over, while its owners still finish what they began.
    let served = match served {
        Ok(()) => cluster::leave(&node).await,
        lost => lost,
    };
    // Owners first, so that nobody writes any more; then the stores, which finish what they were given.
    root.stop_and_wait(None, Some(Duration::from_secs(5))).await.ok();
    actors::second_level::keep_last(&node).await;
    storage.close();
    served
}

/// Fills an empty store with demo people while the node serves, if the configuration asks for it. Never ends.
async fn demo_data(config: &Config, node: &Arc<Node>, gateway: SocketAddr) -> std::convert::Infallible {
    if config.demo.users > 0 {
        let options = DemoOptions { users: config.demo.users, seed: config.demo.seed };
        let empty = node.stores.content.public_posts(protocol::Page::first(1)).await.is_ok_and(|page| page.ids.is_empty());
        match empty {
            false => tracing::info!("the store holds posts already; no demo data is made"),
            true => match demo::through_api(&options, &format!("http://{gateway}"), |step| tracing::info!("{step}")).await {
                Ok(summary) => tracing::info!("{summary}"),
                Err(error) => tracing::error!(error = format!("{error:#}"), "demo data are incomplete"),
            },
        }
    }
    std::future::pending().await
}

fn announce(config: &Config, addresses: &[SocketAddr], gateway: SocketAddr) {
    for ((name, _), address) in config.listeners().into_iter().zip(addresses) {
        tracing::info!(listener = name, %address, "listening");
    }
    if config.node.dev {
        tracing::warn!("development mode: what only a developer's own machine may do is allowed");
    }
    tracing::info!(data_dir = %config.node.data_dir.display(), "serving {}", config.public_url(gateway));
}

fn listeners(config: &Config) -> Result<Vec<ListenerSpec>> {
    let http = &config.http;
    let mut tls = match (&config.gateway.tls_cert_file, &config.gateway.tls_key_file) {
        (Some(certificate), Some(key)) => Some(server::tls(certificate, key)?),
        _ => None,
    };
    let spec = |(name, addr): (&str, SocketAddr)| ListenerSpec {
        name: name.to_owned(),
        addr,
        connections_max: http.connections_max,
        tls: if name == "gateway" { tls.take() } else { None },
    };
    Ok(config.listeners().into_iter().map(spec).collect())
}

fn options(config: &Config, telemetry: &Telemetry, gateway: SocketAddr, spool_dir: PathBuf) -> Options {
    let scope = |(name, _): (&str, SocketAddr)| match name {
        "user" => Scope::Own(Service::User),
        "content" => Scope::Own(Service::Content),
        "media" => Scope::Own(Service::Media),
        "shop" => Scope::Own(Service::Shop),
        "admin" => Scope::Admin,
        _ => Scope::Gateway,
    };
    Options {
        scopes: config.listeners().into_iter().map(scope).collect(),
        inflight_max: config.http.requests_in_flight_max,
        refusals_per_core_s: config.http.refusals_per_core_s,
        body_bytes_max: config.http.body_bytes_max,
        request_max: Duration::from_secs(config.http.request_timeout_s),
        admin_token: config.listen.admin_token.as_ref().map(|secret| secret.expose().to_owned()),
        spool_dir,
        uploads_max: config.media.uploads_max,
        public_url: config.public_url(gateway),
        trusted_proxies: config.http.trusted_proxies.clone(),
        cors_origins: config.gateway.cors_origins.iter().map(|origin| origin.as_str().to_owned()).collect(),
        origin: session::origin_of(&config.public_url(gateway)).unwrap_or_default(),
        attempts: AttemptLimits {
            account_failures_max: config.account.failures_per_account_max,
            address_failures_max: config.account.failures_per_address_max,
            window: Duration::from_secs(config.account.failures_window_s),
        },
        traces: telemetry.traces.as_ref().map(Traces::sampling),
        process: Arc::new(telemetry.log.clone()),
        has_demo_account: config.node.dev,
        live: live::Limits {
            streams_max: config.live.streams_max,
            streams_per_person_max: config.live.streams_per_person_max,
            ping_every: Duration::from_secs(config.live.ping_s),
        },
    }
}

fn rates(config: &Config) -> rate::Limits {
    let pace = |count: u32, period: Duration, burst: u32| {
        let every = period.checked_div(count)?;
        Some(rate::Pace { every, burst: NonZeroU32::new(burst)? })
    };
    let (second, minute, rate) = (Duration::from_secs(1), Duration::from_secs(60), &config.rate);
    rate::Limits {
        read: pace(rate.read_per_s, second, rate.read_burst),
        write: pace(rate.write_per_s, second, rate.write_burst),
        search: pace(rate.search_per_s, second, rate.search_burst),
        sign_in: pace(rate.sign_in_per_min, minute, rate.sign_in_burst),
        tracked_max: rate.tracked_max,
    }
}

fn server_limits(config: &Config) -> server::Limits {
    let http = &config.http;
    let defaults = server::Limits::default();
    let request_max = Duration::from_secs(http.request_timeout_s);
    server::Limits {
        handshake_max: Duration::from_secs(http.header_timeout_s),
        head_max: Duration::from_secs(http.header_timeout_s),
        head_bytes_max: http.header_bytes_max,
        idle_max: Duration::from_secs(http.keep_alive_idle_s),
        request_max,
        body: server::BodyLimits {
            bytes_max: http.body_bytes_max,
            rate: server::Rate {
                bytes_per_second_min: u32::try_from(http.body_rate_min_bytes_per_s).unwrap_or(u32::MAX),
                ..defaults.body.rate
            },
            total_max: request_max,
        },
        send: server::Rate { grace: Duration::from_secs(http.unread_timeout_s), ..defaults.send },
        // Alone, nobody could go elsewhere.
        farewell: Duration::from_millis(if config.cluster.listen.is_some() { config.cluster.drain_wait_ms } else { 0 }),
        drain_max: Duration::from_secs(http.drain_timeout_s),
        ..defaults
    }
}

/// Makes the folder where uploads lie until they are kept.
fn spool(config: &Config) -> Result<PathBuf> {
    let folder = config.node.data_dir.join("spool");
    std::fs::create_dir_all(&folder).with_context(|| format!("the folder for uploads, {}, cannot be made", folder.display()))?;
    Ok(folder)
}

/// The bounds of media.
fn media_limits(config: &Config) -> media::Limits {
    let media = &config.media;
    let defaults = images::Limits::default();
    media::Limits {
        image: images::Limits {
            bytes_max: media.upload_bytes_max,
            pixels_max: media.pixels_max,
            memory_bytes_max: media.memory_bytes_max,
            ..defaults
        },
        workers: config.image_workers(),
        memory_bytes_max: media.memory_bytes_max,
        queue_max: media.queue_max,
        serving_bytes_max: media.serving_bytes_max,
        unused_kept: Duration::from_secs(media.unused_kept_s),
    }
}

/// The bounds of the actors.
#[must_use]
pub fn limits(config: &Config) -> Limits {
    Limits {
        cache_bytes_max: if config.cache.enabled { config.cache.bytes_max } else { 0 },
        owner_inflight_max: config.owner.mailbox_in_flight_max,
        key_waiting_max: config.owner.waiting_per_key_max,
        request_deadline: Duration::from_millis(config.owner.request_deadline_ms),
        pull_followers_min: usize::try_from(config.feed.pull_threshold_followers).unwrap_or(usize::MAX),
        inbox_ids_max: u16::try_from(config.feed.inbox_ids_max).unwrap_or(u16::MAX),
        hashing_permits: config.account.hashing_permits(),
        hashing_waiting_max: config.account.hashing_queue_max,
        argon2_memory_kib: config.account.argon2_memory_kib,
        argon2_passes: config.account.argon2_iterations,
        session_lifetime: Duration::from_secs(config.account.session_lifetime_days * 24 * 60 * 60),
        quota: config.media.quota(),
    }
}

/// How often owners may be restarted.
#[must_use]
pub fn intensity(config: &Config) -> Intensity {
    Intensity {
        restarts_max: config.supervision.owner_restarts_max,
        within: Duration::from_secs(config.supervision.owner_restart_window_s),
    }
}

/// Files that the node opens with so many listeners full: a socket a connection, and what it has for itself (the databases' above all).
#[must_use]
pub fn open_files(config: &Config, listeners: usize) -> u64 {
    const OWN: usize = 1024;
    config.http.connections_max.saturating_mul(listeners).saturating_add(OWN) as u64
}
