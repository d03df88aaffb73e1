//! Every setting there is: this table is the single source of the fields of `Config`, the keys of the file, the names
//! of environment variables, the faults, and docs/configuration.md.

use std::{
    net::{Ipv4Addr, SocketAddr},
    path::PathBuf,
    thread,
};

use edge::address::Network;
use protocol::file::Quota;

use super::{
    newtype::{HostPort, LogFilter, LogFormat, NodeName, Origin, PublicUrl, Role, Secret, Sender},
    server_url::{Collector, DatabaseUrl, ObjectsUrl, PurgeUrl, RedisUrl, SmtpUrl},
    table::{Section, Setting, sections},
    value::{Unit, Value, range},
};

const KIB: usize = 1 << 10;
const MIB: u64 = 1 << 20;

sections! {
    /// The process: where it keeps its files and how many threads it has.
    node: Node {
        /// Directory of the databases and of everything else that must survive the process. Created if missing; one
        /// process at a time uses it.
        data_dir: PathBuf = PathBuf::from("./data");
        /// Threads that run requests and actors; 0 is one per core.
        worker_threads: usize = 0, range(0, 1024, Unit::Count);
        /// What it does for its cluster: `edge` answers clients, `entity` owns entities, `media` works on images.
        roles: Vec<Role> = Role::all();
        /// For whoever develops against the platform on their own machine: an upload without a session, as former clients' documents show it, works as it
        /// stands, in the name of the account `demo`, to which nobody can sign in. Refused where any listener is open to other machines.
        dev: bool = false;
    }

    /// Addresses to listen on. Each service also answers below the gateway's `/api/`; its own listener may be off.
    listen: Listen {
        /// The gateway: all services, each under its prefix.
        gateway: SocketAddr = loopback(8000);
        /// The user service alone.
        user: Option<SocketAddr> = Some(loopback(8001));
        /// The content service alone.
        content: Option<SocketAddr> = Some(loopback(8002));
        /// The media service alone.
        media: Option<SocketAddr> = Some(loopback(8005));
        /// The shop service alone.
        shop: Option<SocketAddr> = Some(loopback(8006));
        /// Health, metrics of all services, and the state of the node, for operators.
        admin: SocketAddr = loopback(8010);
        /// Bearer token that the admin listener demands. Without one it listens on loopback only.
        admin_token: Option<Secret> = None;
    }

    /// How the gateway is reached from outside.
    gateway: Gateway {
        /// Origin of the absolute addresses in answers. `auto` is `http://localhost` (with a certificate `https`) and
        /// the gateway's port: `http://localhost:8000` unless configured otherwise.
        public_url: PublicUrl = PublicUrl::Auto;
        /// Certificate chain of the gateway in PEM, the leaf first. Together with `tls_key_file` it turns TLS on.
        tls_cert_file: Option<PathBuf> = None;
        /// Private key of that certificate in PEM.
        tls_key_file: Option<PathBuf> = None;
        /// Origins of other web sites whose scripts may use the API with their visitors' sessions; each by name, for with
        /// sessions there is no "all of them".
        cors_origins: Vec<Origin> = Vec::new();
    }

    /// Limits of HTTP. They hold on every listener.
    http: Http {
        /// Connections open at once; beyond it no more are served.
        connections_max: usize = 10_000, range(1, 1_000_000, Unit::Count);
        /// Time for a request's head to arrive, and for a TLS handshake.
        header_timeout_s: u64 = 5, range(1, 300, Unit::Seconds);
        /// Size of a request's head; a larger one is answered 431.
        header_bytes_max: usize = 16 * KIB, range(8 << 10, 1 << 20, Unit::Bytes);
        /// Size of a request's body, declared or counted; a larger one is answered 413.
        body_bytes_max: u64 = MIB, range(1 << 10, 1 << 30, Unit::Bytes);
        /// Slowest pace at which a body may arrive.
        body_rate_min_bytes_per_s: u64 = 1024, range(1, 1 << 30, Unit::BytesPerSecond);
        /// Time for a whole request, from its first byte to the last of its answer.
        request_timeout_s: u64 = 30, range(1, 3600, Unit::Seconds);
        /// Time that a connection may stay idle between two requests.
        keep_alive_idle_s: u64 = 75, range(1, 3600, Unit::Seconds);
        /// Requests being served at once; a further one is refused: 503 with `Retry-After`.
        requests_in_flight_max: usize = 1024, range(1, 1_000_000, Unit::Count);
        /// Refusals a second for each core, of requests for which there is no room or whose caller is over a limit. Beyond, a refusal waits for its turn, for
        /// a second at most: made at once, each 8000 of them would take an eighth of a core from what there is room for.
        refusals_per_core_s: u32 = 8000, range(1, 1_000_000, Unit::Count);
        /// Time that a client may leave an answer untaken; one that takes less than 1 KiB/s has no more in all.
        unread_timeout_s: u64 = 5, range(1, 300, Unit::Seconds);
        /// Proxies in front of the platform, by address or network: whom they name in `X-Forwarded-For` is taken for the
        /// client. Without any, the client is whoever opened the connection.
        trusted_proxies: Vec<Network> = Vec::new();
        /// Time that requests in flight have to finish when the process is asked to stop.
        drain_timeout_s: u64 = 10, range(0, 600, Unit::Seconds);
    }

    /// How many requests one caller may make: each person, and each address (of IPv6 each /64) that comes without a session. On
    /// the machine itself only persons are counted. A rate of 0 is no limit. Beyond its limit a request is answered 429. Edges that share a
    /// Redis share these limits within a quarter (docs/limits.md); while it is away each edge has them for itself.
    rate: Rate {
        /// Reads.
        read_per_s: u32 = 100, range(0, 1_000_000, Unit::Count);
        /// Reads that may come at once.
        read_burst: u32 = 300, range(1, 1_000_000, Unit::Count);
        /// Requests that change something.
        write_per_s: u32 = 100, range(0, 1_000_000, Unit::Count);
        /// Those that may come at once.
        write_burst: u32 = 300, range(1, 1_000_000, Unit::Count);
        /// Searches.
        search_per_s: u32 = 100, range(0, 1_000_000, Unit::Count);
        /// Searches that may come at once.
        search_burst: u32 = 300, range(1, 1_000_000, Unit::Count);
        /// Registrations, logins and resets of passwords; each hashes a password.
        sign_in_per_min: u32 = 60, range(0, 1_000_000, Unit::Count);
        /// Those that may come at once.
        sign_in_burst: u32 = 30, range(1, 1_000_000, Unit::Count);
        /// Callers that are remembered at once, about 140 bytes each; one who is forgotten may begin anew.
        tracked_max: usize = 100_000, range(1000, 100_000_000, Unit::Count);
    }

    /// The memory of the owner actors, which is the cache.
    cache: Cache {
        /// Whether anything is kept at all. `false` is for measuring what the cache is worth: each read asks the store.
        enabled: bool = true;
        /// Bytes of warm entities and their snapshots, all kinds together; beyond it the least used are dropped.
        bytes_max: u64 = 256 * MIB, range(1 << 20, 1 << 40, Unit::Bytes);
    }

    /// Bounds of the owner actors.
    owner: Owner {
        /// Messages that one owner actor may have accepted and not answered; a further one is refused with 503.
        mailbox_in_flight_max: usize = 8192, range(1, 1_000_000, Unit::Count);
        /// Of these, the messages that may wait for one key to be loaded or committed.
        waiting_per_key_max: usize = 4096, range(1, 1_000_000, Unit::Count);
        /// Time that a request has at its owner actor, retries included. Expired work is refused, not done.
        request_deadline_ms: u64 = 6000, range(100, 600_000, Unit::Milliseconds);
    }

    /// Home feeds.
    feed: Feed {
        /// Followers from which on an author's posts are no longer pushed to each feed but merged when one is read.
        pull_threshold_followers: u64 = 1000, range(0, 1_000_000_000, Unit::Count);
        /// Ids of posts kept warm for one feed; older pages are read from the store.
        inbox_ids_max: usize = 256, range(16, 1024, Unit::Count);
    }

    /// Live updates: streams of what moves, over WebSockets and as server-sent events (docs/live.md).
    live: Live {
        /// Streams that are open at once at this node; a further one is answered 503. Each is a connection, too, or a stream of one.
        streams_max: usize = 5000, range(0, 1_000_000, Unit::Count);
        /// Of these, one person's.
        streams_per_person_max: usize = 16, range(1, 10_000, Unit::Count);
        /// Time between two signs of life of the node. Each looks for what was not heard of, too; and a client of a WebSocket that gives none in between is gone.
        ping_s: u64 = 25, range(1, 3600, Unit::Seconds);
    }

    /// Accounts and sessions.
    account: Account {
        /// Life of a session, from login on.
        session_lifetime_days: u64 = 30, range(1, 3650, Unit::Days);
        /// Memory that hashing one password takes (argon2id). Below the default only for tests.
        argon2_memory_kib: u32 = 19_456, range(8, 4 << 20, Unit::KibiBytes);
        /// Passes over that memory.
        argon2_iterations: u32 = 2, range(1, 100, Unit::Count);
        /// Passwords hashed at once; 0 is one per core.
        hashing_permits: usize = 0, range(0, 1024, Unit::Count);
        /// Passwords that may wait to be hashed; a further one is answered 503.
        hashing_queue_max: usize = 64, range(0, 65_536, Unit::Count);
        /// Wrong passwords or tokens for one account from one address; each further try has to wait, twice as long each
        /// time, and is answered 429. Edges that share a Redis count together while it answers.
        failures_per_account_max: u32 = 10, range(1, 1_000_000, Unit::Count);
        /// The same from one address, whatever the account (loopback is exempt), and for one account from strangers
        /// anywhere: addresses near which it has no open session.
        failures_per_address_max: u32 = 100, range(1, 1_000_000, Unit::Count);
        /// Time without a failure after which they are forgotten; the longest wait, too.
        failures_window_s: u64 = 900, range(1, 86_400, Unit::Seconds);
    }

    /// Uploads, what is made of images, and where their bytes are.
    media: Media {
        /// Size of an uploaded file; a larger one is answered 413.
        upload_bytes_max: u64 = 50 * MIB, range(1 << 10, 1 << 30, Unit::Bytes);
        /// Bytes that one person may have stored, each of their files counting for itself, without its variants; what is beyond is answered 413. 0 is no limit.
        quota_bytes: u64 = 10 * 1024 * MIB, range(0, 1 << 50, Unit::Bytes);
        /// Files that one person may have stored; a further one is answered 413. 0 is no limit.
        quota_files: u64 = 100_000, range(0, 1 << 40, Unit::Count);
        /// Pixels of an image, width times height; one with more is answered 422.
        pixels_max: u64 = 50_000_000, range(1, 268_000_000, Unit::Count);
        /// Uploads that are received at once; a further one is answered 503. Each lies in the data directory until it is kept.
        uploads_max: usize = 64, range(1, 10_000, Unit::Count);
        /// Images that are worked on at once, each on a thread of its own at a lower priority; 0 is one per core, but one core is left to whatever else the
        /// node does for its cluster (`node.roles`), if it has more.
        workers: usize = 0, range(0, 1024, Unit::Count);
        /// Memory that images may take at once, as it is reckoned before they are decoded. One that needs more than all of it is answered 422; others wait.
        memory_bytes_max: u64 = 1024 * MIB, range(16 << 20, 1 << 40, Unit::Bytes);
        /// Images that may wait for their variants in this process. Further ones are taken up when there is room.
        queue_max: usize = 256, range(1, 100_000, Unit::Count);
        /// Bytes of files that are held at once for clients that take them; a further answer is 503.
        serving_bytes_max: u64 = 256 * MIB, range(1 << 20, 1 << 40, Unit::Bytes);
        /// Time for which content is kept that no file has any more. It must be longer than an upload or a job takes.
        unused_kept_s: u64 = 3600, range(1, 31_536_000, Unit::Seconds);
        /// Where the bytes are: a bucket of S3 or of what speaks its language. Without it, the folder `media` of the data directory; nodes of a cluster
        /// need a bucket, or the same folder.
        storage_url: Option<ObjectsUrl> = None;
        /// A cache in front of the platform, such as a content delivery network's: it is sent `PURGE` with the header `Surrogate-Key`, and the token as
        /// `Authorization: Bearer`, when files that it was sent are removed or not for everybody any more.
        cache_purge_url: Option<PurgeUrl> = None;
        /// Time for one call of object storage.
        storage_timeout_ms: u64 = 5000, range(10, 600_000, Unit::Milliseconds);
    }

    /// Mail to people: tokens for forgotten passwords, and notices.
    mail: Mail {
        /// The SMTP server. `off` writes each mail into the folder `mail` of the data directory, for the operator to read.
        smtp_url: Option<SmtpUrl> = None;
        /// Who the mail is from.
        from: Sender = Sender::default();
    }

    /// The embedded store.
    sqlite: Sqlite {
        /// Connections that read, per database. Writes have one of their own.
        readers: usize = 4, range(1, 64, Unit::Count);
        /// Reads that may wait for a connection; a further one is refused with 503.
        read_queue_max: usize = 4096, range(1, 1_000_000, Unit::Count);
        /// Writes that share one transaction, and so one flush to disk.
        write_batch_max: usize = 128, range(1, 10_000, Unit::Count);
        /// Time to wait for a lock that another process holds on a database, a backup for example.
        busy_timeout_ms: u64 = 5000, range(0, 600_000, Unit::Milliseconds);
    }

    /// PostgreSQL, instead of the embedded store: as soon as one URL is set. One process, or one cluster, uses the databases. Databases that are
    /// missing are made where the role may, and brought to this release's schema. Further ones come with the services that need them.
    postgres: Postgres {
        /// Server of all databases: with `postgres://role:password@host:5432/app` they are `app_users`, `app_content`, `app_shop` and
        /// `app_media`.
        /// `?sslmode=` takes `disable`, `prefer`, `require` or `verify-full`, as PostgreSQL's own programs do.
        url: Option<DatabaseUrl> = None;
        /// The users database, where it is elsewhere or has another name.
        users_url: Option<DatabaseUrl> = None;
        /// The content database, likewise.
        content_url: Option<DatabaseUrl> = None;
        /// The shop database, likewise.
        shop_url: Option<DatabaseUrl> = None;
        /// The media database, likewise.
        media_url: Option<DatabaseUrl> = None;
        /// Certificates in PEM that a server's must come from under `sslmode=verify-full`; without it, those that this machine trusts.
        ca_file: Option<PathBuf> = None;
        /// Connections for writes, lists and searches, per database. Each has one user at a time.
        connections_max: u32 = 16, range(1, 1000, Unit::Count);
        /// Connections that look-ups by key share, per database, beside those.
        shared_connections: u32 = 2, range(1, 100, Unit::Count);
        /// Operations that may wait for a connection, and look-ups under way on a shared one; a further one is refused with 503.
        waiting_max: usize = 4096, range(0, 1_000_000, Unit::Count);
        /// Time that an operation waits for a connection.
        checkout_timeout_ms: u64 = 2000, range(10, 60_000, Unit::Milliseconds);
        /// Time for a connection to be made.
        connect_timeout_ms: u64 = 3000, range(10, 60_000, Unit::Milliseconds);
        /// Time that the server works on one statement, its wait for locks included.
        statement_timeout_ms: u64 = 5000, range(10, 600_000, Unit::Milliseconds);
        /// Time that a connection is kept without use.
        idle_timeout_s: u64 = 600, range(1, 86_400, Unit::Seconds);
        /// Age at which a connection is replaced.
        connection_lifetime_s: u64 = 1800, range(1, 86_400, Unit::Seconds);
        /// Time for which this process has the databases to itself, from each renewal on. While none succeeds for longer, nothing is
        /// answered from memory; a process that died without giving it back keeps the next one waiting for a third longer.
        lease_ms: u64 = 3000, range(500, 60_000, Unit::Milliseconds);
    }

    /// Several processes that share PostgreSQL's databases and the work: each is a node (docs/cluster.md). Nodes find each other in the users database.
    cluster: Cluster {
        /// Address on which the other nodes reach this one. `off` is a process that has its databases to itself.
        listen: Option<SocketAddr> = None;
        /// This node's name, as its certificate has it.
        name: Option<NodeName> = None;
        /// Where the others dial, if that is not the address that it listens on.
        address: Option<HostPort> = None;
        /// Folder of its certificate, its key, the authority and the cookie, as `lets-connect certs` makes it.
        credentials: Option<PathBuf> = None;
        /// Time that it goes on taking requests when it is asked to stop, after its readiness is off: for load balancers to hear of it.
        drain_wait_ms: u64 = 5000, range(0, 60_000, Unit::Milliseconds);
    }

    /// Redis, as a second level behind the memory of the owner actors: pages that cost a search, and what was warm when a process stopped; and what
    /// edges count together, for limits. Only beside PostgreSQL. Nothing in it is needed to be right, and it may be emptied, or away, at any time.
    redis: Redis {
        /// The server: `redis://:password@host:6379/0`, or `rediss://` with TLS. What is kept there is as private as the databases.
        url: Option<RedisUrl> = None;
        /// Time to wait for an answer. Five in a row that do not come in time have it left alone for a while.
        timeout_ms: u64 = 50, range(1, 5000, Unit::Milliseconds);
    }

    /// How faults of our own are borne.
    supervision: Supervision {
        /// Restarts of owner actors within the window that are borne; beyond, liveness fails and the node is replaced.
        owner_restarts_max: usize = 10, range(0, 10_000, Unit::Count);
        /// The window in which restarts are counted.
        owner_restart_window_s: u64 = 60, range(1, 86_400, Unit::Seconds);
    }

    /// The log, on standard error.
    log: Log {
        /// What is logged, as `tracing-subscriber` has it: a level, or levels per module, such as `info,edge=debug`.
        /// Modules that no directive covers log from `warn` on.
        filter: LogFilter = info();
        /// `human` is one line for the eye, `json` one object a line with the names of the Elastic Common Schema;
        /// `auto` is human in a terminal and JSON elsewhere.
        format: LogFormat = LogFormat::Auto;
    }

    /// Traces of requests, in OpenTelemetry's form: from the edge through the owner's node to the statement, and back.
    traces: Traces {
        /// What takes them by OTLP, such as an OpenTelemetry Collector, Jaeger or Tempo. `off` takes none.
        url: Option<Collector> = None;
        /// One request in so many is traced; 0 is none.
        one_in: u32 = 100, range(0, 1_000_000, Unit::Count);
        /// Whether the `traceparent` that a trusted proxy (`http.trusted_proxies`) sends decides instead. Only for proxies that trace: most pass on what their
        /// clients send, and then strangers would decide.
        trust_proxies: bool = false;
        /// Spans that wait to be sent; further ones are left out.
        queue_max: usize = 4096, range(512, 1_000_000, Unit::Count);
        /// Time for one sending of up to 512 spans.
        timeout_ms: u64 = 5000, range(10, 60_000, Unit::Milliseconds);
    }

    /// Demo data, made when the server starts on an empty store.
    demo: Demo {
        /// People to make, with follows, posts and products; 0 makes nothing.
        users: u64 = 0, range(0, 1_000_000, Unit::Count);
        /// Seed: the same seed and number of people make the same data.
        seed: u64 = 1, range(0, i64::MAX as u64, Unit::Count);
    }
}

fn loopback(port: u16) -> SocketAddr {
    (Ipv4Addr::LOCALHOST, port).into()
}

fn info() -> LogFilter {
    LogFilter::parse("info").expect("a level is a filter")
}

impl Listen {
    /// Returns each listener's name and address, those that are on, the gateway first.
    pub fn addresses(&self) -> Vec<(&'static str, SocketAddr)> {
        let own = [("user", self.user), ("content", self.content), ("media", self.media), ("shop", self.shop)];
        let own = own.into_iter().filter_map(|(name, address)| Some((name, address?)));
        [("gateway", self.gateway)].into_iter().chain(own).chain([("admin", self.admin)]).collect()
    }
}

impl Node {
    /// Returns how many worker threads to start: the setting, or one per core.
    pub fn worker_threads(&self) -> usize {
        or_cores(self.worker_threads)
    }
}

impl Account {
    /// Returns how many passwords may be hashed at once: the setting, or one per core.
    pub fn hashing_permits(&self) -> usize {
        or_cores(self.hashing_permits)
    }
}

impl Media {
    /// Returns what one person may have stored.
    pub fn quota(&self) -> Quota {
        let max = |setting: u64| if setting == 0 { u64::MAX } else { setting };
        Quota { files_max: max(self.quota_files), bytes_max: max(self.quota_bytes) }
    }
}

/// Images to work on at once, of which whoever waits for the node's other work notices little (docs/images.md).
pub(super) fn image_workers(roles: &[Role], cores: usize) -> usize {
    let works_on_images_alone = roles.iter().all(|role| *role == Role::Media);
    if works_on_images_alone { cores } else { cores.saturating_sub(1).max(1) }
}

fn or_cores(count: usize) -> usize {
    match count {
        // A system that will not say how many cores it has is treated as having one.
        0 => thread::available_parallelism().map_or(1, usize::from),
        count => count,
    }
}

impl Config {
    /// Returns how many images may be worked on at once: the setting, or what the node's roles leave of its cores.
    pub fn image_workers(&self) -> usize {
        match self.media.workers {
            0 => image_workers(&self.node.roles, or_cores(0)),
            count => count,
        }
    }

    /// Returns each listener's name and address, those that this node's roles ask for: without `edge` there is the admin's alone.
    pub fn listeners(&self) -> Vec<(&'static str, SocketAddr)> {
        let is_edge = self.node.roles.contains(&Role::Edge);
        self.listen.addresses().into_iter().filter(|(name, _)| is_edge || *name == "admin").collect()
    }

    /// Returns the origin of absolute addresses, without a slash at its end. `gateway` is where the gateway listens,
    /// which a configured port 0 does not tell.
    pub fn public_url(&self, gateway: SocketAddr) -> String {
        match &self.gateway.public_url {
            PublicUrl::Origin(origin) => origin.clone(),
            PublicUrl::Auto => {
                let scheme = if self.gateway.tls_cert_file.is_some() { "https" } else { "http" };
                format!("{scheme}://localhost:{}", gateway.port())
            }
        }
    }
}
