//! Redis on loopback, one server a test: it starts in some milliseconds.

use crate::{free_port, signal, succeed};
use std::{
    process::{Child, Command, Stdio},
    time::{Duration, Instant},
};

/// How long a server may take to start on a busy machine.
const START_MAX: Duration = Duration::from_secs(30);

/// A server of one's own, without persistence; it ends when it is dropped.
pub struct Server {
    directory: tempfile::TempDir,
    port: u16,
    process: Option<Child>,
}

impl Server {
    /// Starts one.
    pub fn own() -> Self {
        let mut server = Self { directory: tempfile::tempdir().expect("a directory"), port: free_port(), process: None };
        server.start();
        server
    }

    /// Starts it again, on the same port; what it held is lost.
    pub fn start(&mut self) {
        assert!(self.process.is_none(), "it runs");
        let mut command = Command::new("redis-server");
        command.args(["--port", &self.port.to_string(), "--bind", "127.0.0.1", "--save", "", "--enable-debug-command", "local"]);
        command.current_dir(&self.directory).stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
        self.process = Some(command.spawn().expect("redis-server is installed (Debian: apt-get install redis-server)"));
        let began = Instant::now();
        while !self.answers() {
            assert!(began.elapsed() < START_MAX, "redis-server does not start");
            // paced: between two looks at whether it answers.
            std::thread::sleep(Duration::from_millis(10));
        }
    }

    /// Ends it on the spot, with all that it held.
    pub fn kill(&mut self) {
        if let Some(mut process) = self.process.take() {
            let _ = process.kill();
            process.wait().expect("it ends");
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

    /// Where it is.
    pub fn url(&self) -> String {
        format!("redis://127.0.0.1:{}", self.port)
    }

    /// The port that it listens on, on loopback.
    pub fn port(&self) -> u16 {
        self.port
    }

    /// Runs a command, and gives what it prints, each part of the answer on a line of its own.
    #[track_caller]
    pub fn run(&self, arguments: &[&str]) -> String {
        succeed(self.cli().arg("--raw").args(arguments).output().expect("redis-cli starts"), "redis-cli").trim_end().to_owned()
    }

    /// Runs a script with this key and these values.
    #[track_caller]
    pub fn script(&self, script: &str, key: &str, values: &[&str]) -> String {
        self.run(&[&["EVAL", script, "1", key], values].concat())
    }

    fn cli(&self) -> Command {
        let mut command = Command::new("redis-cli");
        command.args(["-h", "127.0.0.1", "-p", &self.port.to_string()]).stdin(Stdio::null());
        command
    }

    fn answers(&self) -> bool {
        self.cli().arg("PING").output().is_ok_and(|output| output.stdout.starts_with(b"PONG"))
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.kill();
    }
}
