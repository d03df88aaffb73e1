//! What the machine and this process use, read at most once a second however many ask.

use std::fmt;
use std::fs;
use std::time::{Duration, Instant};

use parking_lot::Mutex;
use sysinfo::{Process, ProcessRefreshKind, ProcessesToUpdate, System};

/// A reading takes about 0.2 ms of /proc; younger ones are given again.
const READ_EVERY: Duration = Duration::from_secs(1);

/// The use of memory and processors.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Reading {
    /// Anonymous resident memory of this process: heap and stacks. Where the system does not tell, all resident memory.
    pub process_heap_bytes: u64,
    /// Resident memory of this process.
    pub process_rss_bytes: u64,
    /// Processor time that this process has taken.
    pub process_cpu: Duration,
    /// When it started, in seconds since 1970.
    pub process_started_s: u64,
    /// Files and sockets that it has open, and may have; 0 where the system does not tell.
    pub process_files: (usize, usize),
    /// Memory in use, 0 to 100, of the machine's or of the container's limit where that is lower. Caches that the system can drop
    /// are not in use.
    pub memory_used_percent: f64,
    /// Processors that this process may use.
    pub cpus: usize,
    /// Load average of the last minute; 0 where there is none.
    pub load_1m: f64,
}

/// The latest reading, shared by all who show it.
pub struct Readings {
    latest: Mutex<Latest>,
}

struct Latest {
    system: System,
    taken: Option<(Instant, Reading)>,
}

impl Readings {
    /// Prepares to read; nothing is read yet.
    pub fn new() -> Self {
        Self { latest: Mutex::new(Latest { system: System::new(), taken: None }) }
    }

    /// Gives a reading that is at most a second old.
    pub fn read(&self) -> Reading {
        let mut latest = self.latest.lock();
        let now = Instant::now();
        match latest.taken {
            Some((at, reading)) if now.saturating_duration_since(at) < READ_EVERY => reading,
            _ => {
                let reading = take(&mut latest.system);
                latest.taken = Some((now, reading));
                reading
            }
        }
    }
}

impl Default for Readings {
    fn default() -> Self {
        Self::new()
    }
}

impl fmt::Debug for Readings {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Readings").field(&self.latest.lock().taken).finish()
    }
}

fn take(system: &mut System) -> Reading {
    system.refresh_memory();
    let process = process(system);
    let process_rss_bytes = process.map_or(0, Process::memory);
    let files = |process: &Process| Some((process.open_files()?, process.open_files_limit()?));
    Reading {
        process_cpu: Duration::from_millis(process.map_or(0, Process::accumulated_cpu_time)),
        process_started_s: process.map_or(0, Process::start_time),
        process_files: process.and_then(files).unwrap_or_default(),
        process_heap_bytes: process_anonymous_bytes().unwrap_or(process_rss_bytes),
        process_rss_bytes,
        memory_used_percent: memory_used_percent(system),
        cpus: std::thread::available_parallelism().map_or(1, usize::from),
        load_1m: System::load_average().one,
    }
}

fn process(system: &mut System) -> Option<&Process> {
    let pid = sysinfo::get_current_pid().ok()?;
    let wanted = ProcessRefreshKind::nothing().with_memory().with_cpu();
    system.refresh_processes_specifics(ProcessesToUpdate::Some(&[pid]), true, wanted);
    system.process(pid)
}

/// Reads `RssAnon` (proc_pid_status(5), Linux 4.5 and later).
fn process_anonymous_bytes() -> Option<u64> {
    let status = fs::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix("RssAnon:"))?;
    let kibibytes: u64 = line.trim().strip_suffix("kB")?.trim().parse().ok()?;
    Some(kibibytes * 1024)
}

fn memory_used_percent(system: &System) -> f64 {
    let machine_bytes = system.total_memory();
    if machine_bytes == 0 {
        return 0.0;
    }
    let (used_bytes, total_bytes) = match system.cgroup_limits() {
        Some(limits) if limits.total_memory < machine_bytes => (limits.rss, limits.total_memory),
        _ => (machine_bytes.saturating_sub(system.available_memory()), machine_bytes),
    };
    (100.0 * used_bytes as f64 / total_bytes.max(1) as f64).clamp(0.0, 100.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_reading_is_plausible_and_kept_for_a_second() {
        let readings = Readings::new();
        let reading = readings.read();
        assert!(reading.process_rss_bytes > 100_000);
        assert!(reading.process_heap_bytes > 0 && reading.process_heap_bytes <= reading.process_rss_bytes);
        assert!(reading.memory_used_percent > 0.0 && reading.memory_used_percent <= 100.0);
        assert!(reading.cpus >= 1);
        let grown = vec![1_u8; 64 << 20];
        assert_eq!(readings.read(), reading, "still the same second");
        readings.latest.lock().taken = None;
        assert!(readings.read().process_rss_bytes > reading.process_rss_bytes + (32 << 20));
        drop(grown);
    }
}
