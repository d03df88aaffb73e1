//! What speaks the language of S3, on loopback, one server a test: SeaweedFS, which checks signatures and honours conditions. It starts in some seconds.

use crate::{free_port, signal};
use std::{
    fs::{self, File},
    io::{Read, Write},
    net::TcpStream,
    path::Path,
    process::{Child, Command, Stdio},
    time::{Duration, Instant},
};

/// How long a server may take to start on a busy machine.
const START_MAX: Duration = Duration::from_secs(60);
/// The program: on the path, or where this project's `./test` put it.
const PROGRAM: &str = r#"PATH="$PATH:${XDG_CACHE_HOME:-$HOME/.cache}/lets-connect/seaweedfs/bin"; exec weed "$@""#;
/// The parts of the server, each of which has two ports.
const PARTS: [&str; 4] = ["master", "volume", "filer", "s3"];
/// Who may do everything there.
const IDENTITIES: &str = r#"{"identities": [{
    "name": "tests", "actions": ["Admin"], "credentials": [{"accessKey": "key", "secretKey": "secret"}]
}]}"#;

/// A server of one's own; it ends when it is dropped, with what it holds.
pub struct Server {
    directory: tempfile::TempDir,
    /// By part: for HTTP, and for the others.
    ports: [[u16; 2]; PARTS.len()],
    process: Option<Child>,
}

impl Server {
    /// Starts one.
    pub fn own() -> Self {
        let mut server = Self::new();
        server.start();
        server
    }

    /// One that is not started yet, on ports that are its own.
    pub fn new() -> Self {
        let directory = tempfile::tempdir().expect("a directory");
        fs::write(directory.path().join("identities.json"), IDENTITIES).expect("writable");
        fs::create_dir(directory.path().join("data")).expect("a directory");
        Self { directory, ports: PARTS.map(|_| [free_port(), free_port()]), process: None }
    }

    /// Starts it.
    pub fn start(&mut self) {
        assert!(self.process.is_none(), "it runs");
        let file = |name: &str| self.directory.path().join(name);
        let option = |name: &str, value: &Path| format!("-{name}={}", value.display());
        let mut command = Command::new("sh");
        command.args(["-c", PROGRAM, "weed", "-logtostderr", "server", "-ip=127.0.0.1", "-ip.bind=127.0.0.1", "-master.telemetry=false"]);
        // Small files that are made when they are needed: a test keeps little.
        command.args(["-master.volumeSizeLimitMB=64", "-master.volumePreallocate=false", "-volume.max=100"]);
        command.args(["-filer", "-s3", "-s3.autoCreateBucket=false", "-s3.iam=false", "-s3.port.iceberg=0", "-s3.port.lance=0"]);
        command.arg(option("dir", &file("data"))).arg(option("s3.config", &file("identities.json")));
        command.arg(option("filer.localSocket", &file("filer.sock"))).arg(option("s3.localSocket", &file("s3.sock")));
        for (part, [http, grpc]) in PARTS.iter().zip(self.ports) {
            command.args([format!("-{part}.port={http}"), format!("-{part}.port.grpc={grpc}")]);
        }
        let log = File::create(file("log")).expect("writable");
        command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(log);
        self.process = Some(command.spawn().expect("a shell"));
        let began = Instant::now();
        while !self.answers() {
            let ended = self.process.as_mut().and_then(|process| process.try_wait().ok()).flatten();
            if ended.is_some() || began.elapsed() > START_MAX {
                let log = fs::read_to_string(self.directory.path().join("log")).unwrap_or_default();
                panic!("SeaweedFS does not start (./test installs it, or put its program `weed` on the path): {log}");
            }
            // paced: between two looks at whether it answers.
            std::thread::sleep(Duration::from_millis(50));
        }
    }

    /// Stops it where it is: it takes connections, and says nothing until [`Server::go_on`].
    pub fn hang(&self) {
        signal(self.process.as_ref().expect("it runs"), "-STOP");
    }

    /// Has it go on.
    pub fn go_on(&self) {
        signal(self.process.as_ref().expect("it runs"), "-CONT");
    }

    /// Makes a bucket, and gives it as the setting `media.storage_url` takes it.
    pub fn bucket(&self, name: &str) -> String {
        let [.., [filer, _], _] = self.ports;
        let made = ask(filer, "POST", &format!("/buckets/{name}/")).expect("an answer");
        assert!(made.contains(" 201 "), "{made}");
        self.bucket_by("secret", name)
    }

    /// A bucket, there or not, for somebody who signs with this secret.
    pub fn bucket_by(&self, secret: &str, name: &str) -> String {
        let [.., [s3, _]] = self.ports;
        format!("http://key:{secret}@127.0.0.1:{s3}/{name}")
    }

    /// What is in a bucket's folder as the server itself lists it, around S3: a JSON object whose `Entries` have `FullPath` and `Mode`; empty if there is no
    /// such folder. `folder` is `bucket/path`.
    pub fn listing(&self, folder: &str) -> String {
        let [.., [filer, _], _] = self.ports;
        let answer = ask(filer, "GET", &format!("/buckets/{folder}/?limit=1000")).expect("an answer");
        answer.split_once("\r\n\r\n").map_or_else(String::new, |(_, body)| body.to_owned())
    }

    /// It refuses whoever signs nothing, once all of its parts are there.
    fn answers(&self) -> bool {
        let [[master, _], .., [s3, _]] = self.ports;
        // A volume that can be assigned says that the master knows the server of volumes.
        ask(s3, "GET", "/").is_ok_and(|answer| answer.contains(" 403 "))
            && ask(master, "GET", "/dir/assign").is_ok_and(|answer| answer.contains("\"fid\""))
    }
}

fn ask(port: u16, method: &str, path: &str) -> std::io::Result<String> {
    let mut stream = TcpStream::connect(("127.0.0.1", port))?;
    stream.set_read_timeout(Some(Duration::from_secs(5)))?;
    write!(stream, "{method} {path} HTTP/1.0\r\nAccept: application/json\r\nContent-Length: 0\r\n\r\n")?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer)?;
    Ok(answer)
}

impl Default for Server {
    fn default() -> Self {
        Self::new()
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        if let Some(mut process) = self.process.take() {
            let _ = process.kill();
            let _ = process.wait();
        }
    }
}
