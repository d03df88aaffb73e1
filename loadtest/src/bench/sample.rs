use serde::Serialize;

use super::closed_loop::Measured;

/// What one round made of one target: its slices together.
#[derive(Clone, Copy, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Sample {
    /// Requests answered.
    pub requests: u64,
    /// Requests answered per second.
    pub requests_per_second: f64,
    /// CPU time of the server's process, user and kernel, per request in µs.
    pub server_cpu_us: f64,
    /// How busy the server's process kept its core, 0 to 1.
    pub server_busy: f64,
    /// How busy the load generator kept its own, 0 to 1.
    pub client_busy: f64,
    /// The share of the two cores' time that something else took, 0 to 1.
    pub foreign_share: f64,
    /// Slices in which that was too much, time and again.
    pub slices_disturbed: u32,
    /// Some of the server's CPU time comes from the clock of 10 ms ticks.
    pub coarse: bool,
}

impl Sample {
    /// Puts a round's slices, added up, in figures.
    pub fn new(measured: Measured, slices_disturbed: u32) -> Self {
        let (requests, elapsed_ns) = (measured.requests as f64, measured.elapsed_ns as f64);
        Self {
            requests: measured.requests,
            requests_per_second: requests / elapsed_ns * 1e9,
            server_cpu_us: measured.server_ns as f64 / 1e3 / requests,
            server_busy: measured.server_ns as f64 / elapsed_ns,
            client_busy: measured.client_ns as f64 / elapsed_ns,
            foreign_share: measured.foreign_share(),
            slices_disturbed,
            coarse: measured.coarse,
        }
    }
}

impl std::fmt::Display for Sample {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(
            f,
            "{:>7.2} µs/request {:>8.0}/s  server {:>3.0} %  client {:>3.0} %  others {:>4.1} %",
            self.server_cpu_us,
            self.requests_per_second,
            self.server_busy * 100.0,
            self.client_busy * 100.0,
            self.foreign_share * 100.0
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn slices_add_up() {
        let slice =
            Measured { requests: 100, elapsed_ns: 1_000_000, server_ns: 500_000, client_ns: 250_000, foreign_ns: 40_000, coarse: false };
        let mut both = slice;
        both += Measured { server_ns: 700_000, foreign_ns: 0, coarse: true, ..slice };
        let sample = Sample::new(both, 1);
        assert_eq!((sample.requests, sample.requests_per_second, sample.server_cpu_us), (200, 100_000.0, 6.0));
        assert_eq!((sample.server_busy, sample.client_busy, sample.foreign_share), (0.6, 0.25, 0.01));
        assert!(sample.coarse);
    }
}
