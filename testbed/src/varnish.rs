//! Varnish on loopback, one a test: a cache in front of a server of the test's. It compiles its configuration when it starts, which takes a second.

use crate::free_port;
use std::{
    fs::{self, File},
    net::{SocketAddr, TcpStream},
    process::{Child, Command, Stdio},
    time::{Duration, Instant},
};

/// How long it may take to start on a busy machine.
const START_MAX: Duration = Duration::from_secs(60);

/// A cache of one's own; it ends when it is dropped.
pub struct Cache {
    directory: tempfile::TempDir,
    address: SocketAddr,
    process: Option<Child>,
}

impl Cache {
    /// One that is not started yet, on an address that is its own.
    pub fn new() -> Self {
        let address = ([127, 0, 0, 1], free_port()).into();
        Self { directory: tempfile::tempdir().expect("a directory"), address, process: None }
    }

    /// Starts it with this configuration, in VCL.
    pub fn start(&mut self, configuration: &str) {
        assert!(self.process.is_none(), "it runs");
        let file = |name: &str| self.directory.path().join(name);
        fs::write(file("default.vcl"), configuration).expect("writable");
        let mut command = Command::new("varnishd");
        // The foreground process ends its worker with itself. It needs no other user: there is nothing here to keep from it.
        command.args(["-F", "-j", "none", "-s", "malloc,64m", "-a", &self.address.to_string()]);
        command.arg("-n").arg(file("work")).arg("-f").arg(file("default.vcl"));
        command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(File::create(file("log")).expect("writable"));
        self.process = Some(command.spawn().expect("varnishd is installed (Debian: apt-get install varnish varnish-modules)"));
        let began = Instant::now();
        while TcpStream::connect(self.address).is_err() {
            assert!(began.elapsed() < START_MAX, "Varnish does not start: {}", fs::read_to_string(file("log")).unwrap_or_default());
            // paced: between two looks at whether it answers.
            std::thread::sleep(Duration::from_millis(20));
        }
    }

    /// Ends it, with all that it held.
    pub fn stop(&mut self) {
        if let Some(mut process) = self.process.take() {
            crate::signal(&process, "-TERM");
            process.wait().expect("it ends");
        }
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.address
    }
}

impl Default for Cache {
    fn default() -> Self {
        Self::new()
    }
}

impl Drop for Cache {
    fn drop(&mut self) {
        self.stop();
    }
}
