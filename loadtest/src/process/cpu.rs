use std::collections::HashMap;
use std::fs;

use anyhow::Context as _;

/// The CPU time of a process at one moment, from two clocks of the kernel.
///
/// The scheduler's per-thread clock counts nanoseconds but forgets threads that ended; the process's own clock keeps
/// them but ticks a hundred times a second.
#[derive(Clone, Debug)]
pub struct CpuReading {
    thread_ns: HashMap<u32, u64>,
    process_ticks: u64,
}

/// CPU time spent between two readings.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct CpuSpent {
    /// Nanoseconds in user and kernel mode together.
    pub cpu_ns: u64,
    /// True if a thread ended in between, so that the figure comes from the clock of 10 ms ticks.
    pub coarse: bool,
}

/// `USER_HZ`: what the kernel counts process times in, the same on every architecture that Linux documents.
const TICK_NS: u64 = 10_000_000;

impl CpuReading {
    /// Reads both clocks of a process.
    pub fn take(pid: u32) -> anyhow::Result<Self> {
        let stat = fs::read_to_string(format!("/proc/{pid}/stat")).with_context(|| format!("is process {pid} alive?"))?;
        let process_ticks = ticks(&stat).with_context(|| format!("unexpected form of /proc/{pid}/stat"))?;
        let mut thread_ns = HashMap::new();
        for entry in fs::read_dir(format!("/proc/{pid}/task"))? {
            let entry = entry?;
            let Some(thread) = entry.file_name().to_str().and_then(|name| name.parse().ok()) else { continue };
            // A thread that ends between listing and reading is what `coarse` is for.
            if let Ok(text) = fs::read_to_string(entry.path().join("schedstat")) {
                let on_cpu = text.split_ascii_whitespace().next().and_then(|field| field.parse().ok());
                thread_ns.insert(thread, on_cpu.with_context(|| format!("unexpected form of schedstat of {pid}"))?);
            }
        }
        Ok(Self { thread_ns, process_ticks })
    }

    /// What the process spent since an earlier reading.
    pub fn since(&self, earlier: &Self) -> CpuSpent {
        let coarse = earlier.thread_ns.keys().any(|thread| !self.thread_ns.contains_key(thread));
        if coarse || self.thread_ns.is_empty() {
            return CpuSpent { cpu_ns: (self.process_ticks - earlier.process_ticks) * TICK_NS, coarse: true };
        }
        let spent = self.thread_ns.iter().map(|(thread, ns)| ns - earlier.thread_ns.get(thread).unwrap_or(&0));
        CpuSpent { cpu_ns: spent.sum(), coarse: false }
    }
}

/// How long a core has been idle since the machine started, in steps of 10 ms.
///
/// # Errors
/// If there is no such core.
pub fn core_idle_ns(core: usize) -> anyhow::Result<u64> {
    let stat = fs::read_to_string("/proc/stat").context("reading /proc/stat")?;
    let ticks = idle_ticks(&stat, core).with_context(|| format!("/proc/stat says nothing of core {core}"))?;
    Ok(ticks * TICK_NS)
}

/// idle + iowait: the fourth and fifth figure of the core's line.
fn idle_ticks(stat: &str, core: usize) -> Option<u64> {
    let name = format!("cpu{core}");
    let mut fields = stat.lines().find_map(|line| line.strip_prefix(&name)?.strip_prefix(' '))?.split_ascii_whitespace().skip(3);
    let idle: u64 = fields.next()?.parse().ok()?;
    let waiting: u64 = fields.next()?.parse().ok()?;
    Some(idle + waiting)
}

/// utime + stime: fields 14 and 15, counted after the command's name, which may itself hold spaces and brackets.
fn ticks(stat: &str) -> Option<u64> {
    let (_, fields) = stat.rsplit_once(')')?;
    let mut fields = fields.split_ascii_whitespace().skip(11);
    let user: u64 = fields.next()?.parse().ok()?;
    let system: u64 = fields.next()?.parse().ok()?;
    Some(user + system)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::{Duration, Instant};

    #[test]
    fn reads_ticks_past_a_strange_name() {
        let stat = "7 (a) b (c)) S 1 7 7 0 -1 4194304 100 0 0 0 12 30 0 0 20 0 1 0 5 0 0";
        assert_eq!(ticks(stat), Some(42));
        assert_eq!(ticks("7 (x) S 1"), None);
    }

    #[test]
    fn reads_how_long_a_core_was_idle() {
        let stat = "cpu  1 2 3 40 5 6 7 8 0 0\ncpu1 1 2 3 400 50 6 7 8 0 0\ncpu10 1 2 3 9 9 6 7 8 0 0\n";
        assert_eq!((idle_ticks(stat, 1), idle_ticks(stat, 10), idle_ticks(stat, 0)), (Some(450), Some(18), None));
        assert!(core_idle_ns(0).is_ok() && core_idle_ns(100_000).is_err());
    }

    #[test]
    fn work_costs_cpu_and_an_ended_thread_is_noticed() {
        let me = std::process::id();
        let before = CpuReading::take(me).unwrap();
        let worked = Instant::now();
        while worked.elapsed() < Duration::from_millis(30) {
            std::hint::black_box(0);
        }
        let after = CpuReading::take(me).unwrap();
        assert!(after.since(&before).cpu_ns > 5_000_000, "{:?}", after.since(&before));

        let mut without = after.clone();
        let gone = *without.thread_ns.keys().next().unwrap();
        without.thread_ns.remove(&gone);
        assert!(without.since(&before).coarse);
    }
}
