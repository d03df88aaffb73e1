//! Server processes that the tool starts itself: pinned to a core, measured, and always stopped by their own id.

mod cpu;

use std::net::TcpListener;
use std::path::Path;
use std::process::{Child, Command};
use std::time::{Duration, Instant};

use anyhow::{Context as _, bail};
use rustix::process::{Pid, Resource, Rlimit, Signal, getrlimit, kill_process, setrlimit};
use rustix::thread::{CpuSet, sched_getaffinity, sched_setaffinity};

pub use cpu::{CpuReading, CpuSpent, core_idle_ns};

/// A started server. Dropping it kills the process; [`Server::stop`] asks first.
#[derive(Debug)]
pub struct Server {
    name: String,
    child: Child,
}

impl Server {
    /// Starts a command, with all of its threads on one core if one is given.
    ///
    /// The child inherits the affinity that this thread has for the moment, so none of its threads ever runs elsewhere.
    pub fn start(name: impl Into<String>, mut command: Command, core: Option<usize>) -> anyhow::Result<Self> {
        let name = name.into();
        let here = sched_getaffinity(None).context("reading this thread's CPU affinity")?;
        if let Some(core) = core {
            pin_this_thread(core)?;
        }
        let started = command.spawn().with_context(|| format!("starting {name}: {command:?}"));
        if core.is_some() {
            sched_setaffinity(None, &here).context("restoring this thread's CPU affinity")?;
        }
        Ok(Self { name, child: started? })
    }

    /// What the server is called in reports.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The process id.
    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    /// The child itself, for its pipes.
    pub fn child_mut(&mut self) -> &mut Child {
        &mut self.child
    }

    /// Fails with the exit status if the process has ended.
    pub fn ensure_running(&mut self) -> anyhow::Result<()> {
        match self.child.try_wait().context("asking for the child's status")? {
            Some(status) => bail!("{} ended early: {status}", self.name),
            None => Ok(()),
        }
    }

    /// Sends SIGTERM and waits; after `grace` it kills, and says so in the error.
    pub async fn stop(mut self, grace: Duration) -> anyhow::Result<()> {
        let pid = i32::try_from(self.child.id()).ok().and_then(Pid::from_raw).context("a child has a positive id")?;
        kill_process(pid, Signal::TERM).with_context(|| format!("sending SIGTERM to {}", self.name))?;
        let asked_at = Instant::now();
        while asked_at.elapsed() < grace {
            if self.child.try_wait()?.is_some() {
                return Ok(());
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        bail!("{} did not end within {grace:?} of SIGTERM and was killed", self.name)
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        if let Ok(None) = self.child.try_wait() {
            // A failure means that it ended meanwhile; either way the child is reaped next.
            let _ = self.child.kill();
            let _ = self.child.wait();
        }
    }
}

/// Lets the calling thread, and the threads that it starts from now on, run on one core only.
pub fn pin_this_thread(core: usize) -> anyhow::Result<()> {
    if core >= CpuSet::MAX_CPU {
        bail!("core {core} is beyond what the kernel numbers");
    }
    let mut set = CpuSet::new();
    set.set(core);
    sched_setaffinity(None, &set).with_context(|| format!("pinning to core {core}: is there such a core?"))
}

/// Raises the soft limit of open files as far as needed and allowed; fails if `files` cannot be had.
pub fn allow_open_files(files: u64) -> anyhow::Result<()> {
    let limit = getrlimit(Resource::Nofile);
    let within = |bound: Option<u64>| bound.is_none_or(|bound| bound >= files);
    if within(limit.current) {
        return Ok(());
    }
    if !within(limit.maximum) {
        bail!("{files} open files are needed, the hard limit is {:?}: raise it with ulimit -Hn", limit.maximum);
    }
    setrlimit(Resource::Nofile, Rlimit { current: Some(files), maximum: limit.maximum }).context("raising the open file limit")
}

/// Ports of the loopback that were free a moment ago, all different. Another process may take one before it is used.
pub fn free_ports(count: usize) -> anyhow::Result<Vec<u16>> {
    let listeners: Result<Vec<TcpListener>, _> = (0..count).map(|_| TcpListener::bind("127.0.0.1:0")).collect();
    listeners.context("looking for free ports")?.iter().map(|listener| Ok(listener.local_addr()?.port())).collect()
}

/// The CPU time that the calling thread has taken so far, by the scheduler's clock; nothing where the kernel does not tell.
pub fn thread_cpu() -> Duration {
    let told = std::fs::read_to_string("/proc/thread-self/schedstat").unwrap_or_default();
    Duration::from_nanos(told.split_whitespace().next().and_then(|nanoseconds| nanoseconds.parse().ok()).unwrap_or(0))
}

/// One line about the machine, for reports: processor model and kernel.
pub fn machine() -> String {
    let read = |path: &str| std::fs::read_to_string(Path::new(path)).unwrap_or_default();
    let processors = read("/proc/cpuinfo");
    let model = processors.lines().find_map(|line| line.strip_prefix("model name")?.split_once(": "));
    let model = model.map_or("unknown processor", |(_, model)| model);
    let cores = std::thread::available_parallelism().map_or(0, usize::from);
    format!("{model}, {cores} cores, Linux {}", read("/proc/sys/kernel/osrelease").trim())
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::process::Stdio;

    #[tokio::test]
    async fn starts_on_a_core_and_stops_on_request() {
        let mut command = Command::new("sleep");
        command.arg("60").stdout(Stdio::null());
        let mut server = Server::start("sleep", command, Some(0)).unwrap();
        server.ensure_running().unwrap();
        let status = std::fs::read_to_string(format!("/proc/{}/status", server.pid())).unwrap();
        let allowed = status.lines().find_map(|line| line.strip_prefix("Cpus_allowed_list:")).unwrap();
        assert_eq!(allowed.trim(), "0");
        server.stop(Duration::from_secs(10)).await.unwrap();
    }

    #[test]
    fn a_dropped_server_is_gone() {
        let mut command = Command::new("sleep");
        command.arg("60");
        let server = Server::start("sleep", command, None).unwrap();
        let process = format!("/proc/{}", server.pid());
        assert!(Path::new(&process).exists());
        drop(server);
        assert!(!Path::new(&process).exists());
    }

    #[test]
    fn free_ports_differ() {
        let mut ports = free_ports(10).unwrap();
        ports.sort_unstable();
        ports.dedup();
        assert_eq!(ports.len(), 10);
    }
}
