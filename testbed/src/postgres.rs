//! PostgreSQL: one server for all tests of a machine's user, and one of its own for a test that stops it.
//!
//! Tests run in many processes, one after the other and at the same time. So the shared server belongs to none of them: the first that needs it
//! starts it with a keeper, a shell that ends it when no process has used it for some seconds. Who uses it holds a shared lock on a file, which
//! the system lets go of however a process ends. Its files are in a directory that the keeper removes.

use crate::{free_port, signal, succeed};
use rustix::fs::{FlockOperation, flock};
use std::fs::{self, File, OpenOptions};
use std::io::{BufRead, BufReader, Read, Write};
use std::os::unix::fs::{PermissionsExt, chown};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::OnceLock;
use std::time::{Duration, Instant};
use uuid::Uuid;

/// How long a server may take to start on a busy machine.
const START_MAX: Duration = Duration::from_secs(60);

/// Settings that make tests quick: what a power cut would take is not what they test.
const SETTINGS: [&str; 9] = [
    "fsync=off",
    "full_page_writes=off",
    "synchronous_commit=on",
    "shared_buffers=64MB",
    "max_connections=400",
    "autovacuum=off",
    "max_wal_size=512MB",
    "log_min_messages=fatal",
    "listen_addresses=127.0.0.1",
];

/// A running server.
pub struct Server {
    directory: PathBuf,
    port: u16,
    /// Of a server of one's own: its process.
    own: Option<Child>,
    /// Of the shared one: says that it is in use.
    _use: Option<File>,
}

impl Server {
    /// The shared one; started if need be.
    pub fn shared() -> &'static Self {
        static SHARED: OnceLock<Server> = OnceLock::new();
        SHARED.get_or_init(Self::join)
    }

    /// One of one's own, that may be stopped and started; it ends when it is dropped.
    pub fn own() -> Self {
        let directory = tempfile::Builder::new().prefix("lets-connect-postgres-").tempdir().expect("a directory").keep();
        init(&directory);
        let mut server = Self { directory, port: free_port(), own: None, _use: None };
        server.start();
        server
    }

    /// Starts it again, on the same port with the same data.
    pub fn start(&mut self) {
        assert!(self.own.is_none(), "it runs");
        self.own = Some(serve(&self.directory, self.port).spawn().expect("postgres starts"));
        wait_until_it_answers(self.port);
    }

    /// Stops it at once, as `systemctl restart` would: connections are ended, what was committed stays.
    pub fn stop(&mut self) {
        if let Some(mut process) = self.own.take() {
            signal(&process, "-INT");
            process.wait().expect("it ends");
        }
    }

    /// Kills it on the spot, as a power cut would, but for what is on the disk.
    pub fn kill(&mut self) {
        if let Some(mut process) = self.own.take() {
            // SIGQUIT ends the server's own processes with it; after SIGKILL they would linger.
            signal(&process, "-QUIT");
            process.wait().expect("it ends");
        }
    }

    /// The URL of its administrator without a database's name.
    pub fn url(&self) -> String {
        format!("postgres://postgres@127.0.0.1:{}", self.port)
    }

    /// The port that it listens on, on loopback.
    pub fn port(&self) -> u16 {
        self.port
    }

    /// Has it ask who comes as `role` for a password.
    pub fn demand_password(&self, role: &str) {
        let rules = self.directory.join("pg_hba.conf");
        let known = fs::read_to_string(&rules).expect("readable");
        fs::write(&rules, format!("host all {role} 127.0.0.1/32 scram-sha-256\n{known}")).expect("writable");
        self.sql("postgres", &["SELECT pg_reload_conf()"]);
    }

    /// Has it offer TLS with this certificate and key, both in PEM.
    pub fn offer_tls(&self, certificate: &str, key: &str) {
        for (name, text) in [("server.crt", certificate), ("server.key", key)] {
            let path = self.directory.join(name);
            fs::write(&path, text).expect("writable");
            give_away(&path);
            fs::set_permissions(&path, fs::Permissions::from_mode(0o600)).expect("permissions");
        }
        self.sql("postgres", &["ALTER SYSTEM SET ssl = on", "SELECT pg_reload_conf()"]);
    }

    /// Runs statements in a database, each in a transaction of its own, and gives what they print.
    #[track_caller]
    pub fn sql(&self, database: &str, statements: &[&str]) -> String {
        let mut psql = Command::new(program("psql"));
        psql.args(["--no-psqlrc", "--quiet", "--tuples-only", "--no-align", "--set=ON_ERROR_STOP=1"]);
        psql.arg("--dbname").arg(format!("{}/{database}", self.url()));
        for statement in statements {
            psql.arg("--command").arg(statement);
        }
        succeed(psql.output().expect("psql starts"), "psql")
    }

    fn join() -> Self {
        let place = std::env::temp_dir().join(format!("lets-connect-testbed-{}", rustix::process::getuid().as_raw()));
        fs::create_dir_all(&place).expect("a directory");
        let file = |name: &str| {
            let path = place.join(name);
            OpenOptions::new().create(true).truncate(false).read(true).write(true).open(&path).expect("a file")
        };
        // Who starts the server, or ends it, does so alone.
        let (starting, in_use, mut port) = (file("starting"), file("in-use"), file("port"));
        flock(&starting, FlockOperation::LockExclusive).expect("a lock");
        flock(&in_use, FlockOperation::LockShared).expect("a lock");
        let mut known = String::new();
        port.read_to_string(&mut known).expect("readable");
        let directory = place.join("data");
        let running = known.trim().parse().ok().filter(|port| answers(*port));
        let port = running.unwrap_or_else(|| launch(&place));
        Self { directory, port, own: None, _use: Some(in_use) }
    }
}

fn answers(port: u16) -> bool {
    let ready = Command::new(program("pg_isready")).args(["--quiet", "--host=127.0.0.1", "--port", &port.to_string()]).status();
    ready.expect("pg_isready starts").success()
}

#[track_caller]
fn wait_until_it_answers(port: u16) {
    let began = Instant::now();
    while !answers(port) {
        assert!(began.elapsed() < START_MAX, "postgres does not start");
        // paced: between two looks at whether it answers.
        std::thread::sleep(Duration::from_millis(20));
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        if self.own.is_some() {
            self.stop();
        }
        if self._use.is_none() {
            let _ = fs::remove_dir_all(&self.directory);
        }
    }
}

/// Ends the server once nobody has used it for ten looks, one a second. Who comes while it ends waits for the lock, and starts a new one.
const KEEPER: &str = r#"
place=$1; shift
"$@" & server=$!
exec 9<>"$place/starting"
is_unused() { flock --nonblock --exclusive "$place/in-use" true; }
unused=0
while kill -0 $server 2>/dev/null; do
  sleep 1
  if is_unused; then unused=$((unused + 1)); else unused=0; fi
  if [ $unused -ge 10 ] && flock --nonblock 9; then
    if is_unused; then
      : >"$place/port"
      kill -INT $server
      wait $server
      rm -rf "$place/data"
      exit
    fi
    flock --unlock 9
    unused=0
  fi
done
"#;

/// Starts the shared server with its keeper; gives its port. The caller holds the lock.
fn launch(place: &Path) -> u16 {
    let directory = place.join("data");
    let _ = fs::remove_dir_all(&directory);
    fs::create_dir(&directory).expect("a directory");
    init(&directory);
    let port = free_port();
    let serve = serve(&directory, port);
    let mut keeper = Command::new("setsid");
    keeper.args(["sh", "-c", KEEPER, "keeper"]).arg(place).arg(serve.get_program()).args(serve.get_args());
    keeper.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null()).current_dir("/");
    let mut keeper = keeper.spawn().expect("the keeper starts");
    // It outlives this process; where it does not, somebody has to wait for it.
    std::thread::spawn(move || keeper.wait());
    wait_until_it_answers(port);
    fs::write(place.join("port"), port.to_string()).expect("a file");
    port
}

/// Databases of one test: `…_users`, `…_content`, `…_shop`, `…_media`, on the shared server. They are dropped with this.
pub struct Databases {
    name: String,
    url: String,
}

/// The databases of a platform.
const NAMES: [&str; 4] = ["users", "content", "shop", "media"];

impl Databases {
    /// Databases that do not exist yet: whoever is given their URL makes them.
    pub fn none() -> Self {
        let name = format!("t{}", Uuid::now_v7().simple());
        let url = format!("{}/{name}", Server::shared().url());
        Self { name, url }
    }

    /// Empty ones.
    pub fn empty() -> Self {
        let databases = Self::none();
        databases.create(|_| "template0".to_owned());
        databases
    }

    /// Copies of templates that `migrate` made: it is given a URL as [`Databases::url`]. The first test on a server with this `version` of the
    /// templates makes them.
    pub fn migrated(version: &str, migrate: impl FnOnce(&str)) -> Self {
        let template = format!("template_{version}");
        let server = Server::shared();
        let lock = File::open(server.directory.parent().expect("a place").join("starting")).expect("a file");
        flock(&lock, FlockOperation::LockExclusive).expect("a lock");
        let last = NAMES[NAMES.len() - 1];
        let known = server.sql("postgres", &[&format!("SELECT 1 FROM pg_database WHERE datname = '{template}_{last}'")]);
        if known.trim().is_empty() {
            let made = Self::none();
            migrate(made.url());
            // The last one says that all are there.
            for name in NAMES {
                let rename = format!("ALTER DATABASE \"{}_{name}\" RENAME TO \"{template}_{name}\"", made.name);
                server.sql("postgres", &[&rename]);
            }
        }
        drop(lock);
        let databases = Self::none();
        databases.create(|name| format!("{template}_{name}"));
        databases
    }

    fn create(&self, template: impl Fn(&str) -> String) {
        let create = NAMES.map(|name| format!("CREATE DATABASE \"{}_{name}\" TEMPLATE \"{}\"", self.name, template(name)));
        Server::shared().sql("postgres", &create.each_ref().map(String::as_str));
    }

    /// The URL of all of them: a domain's database is named by what is in the URL, `_` and the domain.
    pub fn url(&self) -> &str {
        &self.url
    }

    /// Runs statements in one of them; see [`Server::sql`].
    #[track_caller]
    pub fn sql(&self, database: &str, statements: &[&str]) -> String {
        Server::shared().sql(&format!("{}_{database}", self.name), statements)
    }

    /// Begins a transaction in one of them, runs a statement, and leaves it open until this is dropped.
    pub fn hold(&self, database: &str, statement: &str) -> Held {
        let url = format!("{}/{}_{database}", Server::shared().url(), self.name);
        let mut psql = Command::new(program("psql"));
        psql.args(["--no-psqlrc", "--quiet", "--tuples-only", "--no-align", "--set=ON_ERROR_STOP=1", "--dbname", &url]);
        let mut process = psql.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::null()).spawn().expect("psql starts");
        let input = process.stdin.as_mut().expect("piped");
        writeln!(input, "BEGIN; {statement};\n\\echo held").and_then(|()| input.flush()).expect("psql reads");
        let mut said = BufReader::new(process.stdout.take().expect("piped")).lines();
        assert!(said.any(|line| line.expect("text") == "held"), "{statement} fails");
        Held(process)
    }

    /// The name of one of them.
    pub fn name(&self, database: &str) -> String {
        format!("{}_{database}", self.name)
    }
}

/// A transaction that is open; see [`Databases::hold`].
pub struct Held(Child);

impl Drop for Held {
    fn drop(&mut self) {
        // It may have ended, which is as well.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

impl Drop for Databases {
    fn drop(&mut self) {
        let drops = NAMES.map(|name| format!("DROP DATABASE IF EXISTS \"{}_{name}\" WITH (FORCE)", self.name));
        Server::shared().sql("postgres", &drops.each_ref().map(String::as_str));
    }
}

/// Where the programs of PostgreSQL are. Debian keeps servers out of the path, one folder a release.
fn program(name: &str) -> PathBuf {
    static FOLDER: OnceLock<PathBuf> = OnceLock::new();
    let folder = FOLDER.get_or_init(|| {
        let releases = fs::read_dir("/usr/lib/postgresql").into_iter().flatten().flatten();
        let debian = releases.filter_map(|release| Some((release.file_name().to_str()?.parse::<u32>().ok()?, release.path().join("bin"))));
        let path = std::env::var_os("PATH").unwrap_or_default();
        let elsewhere = std::env::split_paths(&path).map(|folder| (0, folder)).collect::<Vec<_>>();
        let found = debian.chain(elsewhere).filter(|(_, folder)| folder.join("initdb").exists()).max();
        found.expect("PostgreSQL is installed (Debian: apt-get install postgresql)").1
    });
    folder.join(name)
}

/// A command as a user that PostgreSQL accepts: it refuses root.
fn unprivileged(program: PathBuf) -> Command {
    if !rustix::process::getuid().is_root() {
        return Command::new(program);
    }
    let mut command = Command::new("setpriv");
    command.args(["--reuid=postgres", "--regid=postgres", "--clear-groups", "--"]).arg(program);
    command
}

/// Makes a file the server's.
fn give_away(path: &Path) {
    if rustix::process::getuid().is_root() {
        let of_postgres =
            |flag| succeed(Command::new("id").args([flag, "postgres"]).output().expect("id starts"), "id").trim().parse().ok();
        chown(path, of_postgres("-u"), of_postgres("-g")).expect("a new owner");
    }
}

fn init(directory: &Path) {
    give_away(directory);
    fs::set_permissions(directory, fs::Permissions::from_mode(0o700)).expect("permissions");
    let mut initdb = unprivileged(program("initdb"));
    initdb.args(["--auth=trust", "--no-sync", "--username=postgres", "--encoding=UTF8", "--locale=C.UTF-8", "--pgdata"]).arg(directory);
    succeed(initdb.current_dir("/").output().expect("initdb starts"), "initdb");
}

fn serve(directory: &Path, port: u16) -> Command {
    let mut postgres = unprivileged(program("postgres"));
    postgres.arg("-D").arg(directory).args(["-p", &port.to_string(), "-k"]).arg(directory);
    for setting in SETTINGS {
        postgres.args(["-c", setting]);
    }
    postgres.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null()).current_dir("/");
    postgres
}
