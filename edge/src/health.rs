//! The bodies of `/health` and `/health/ready`.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Instant;

use actors::dependency::Condition;
use http::StatusCode;
use schemars::JsonSchema;
use serde::Serialize;
use time::OffsetDateTime;
use time::format_description::BorrowedFormatItem;
use time::macros::format_description;

use crate::system::Readings;

const RFC_3339_MILLIS: &[BorrowedFormatItem<'_>] =
    format_description!("[year]-[month]-[day]T[hour]:[minute]:[second].[subsecond digits:3]Z");

/// How far a node is in its life.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stage {
    /// Not ready yet.
    Starting,
    /// Ready.
    Serving,
    /// About to stop.
    Draining,
    /// Declared dead by the other nodes: what it owned is theirs.
    VotedOut,
}

impl Stage {
    /// All of them, as a life goes.
    pub const ALL: [Self; 4] = [Self::Starting, Self::Serving, Self::Draining, Self::VotedOut];

    /// What it is called among the figures.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Starting => "starting",
            Self::Serving => "serving",
            Self::Draining => "draining",
            Self::VotedOut => "voted_out",
        }
    }

    /// The one with this number.
    pub(crate) fn of(number: u8) -> Self {
        Self::ALL.into_iter().find(|stage| *stage as u8 == number).unwrap_or(Self::Starting)
    }
}

/// What a health body says in one word.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Status {
    /// All is well.
    Healthy,
    /// It serves, and some dependency is not well.
    Degraded,
    /// It does not serve yet.
    Starting,
    /// It serves no more.
    Draining,
    /// It cannot serve.
    Unhealthy,
}

impl Status {
    /// Gives the status of the response: 200 or 503.
    pub fn code(self) -> StatusCode {
        match self {
            Self::Healthy | Self::Degraded => StatusCode::OK,
            Self::Starting | Self::Draining | Self::Unhealthy => StatusCode::SERVICE_UNAVAILABLE,
        }
    }
}

/// What a check of one dependency found.
#[derive(Clone, Debug, PartialEq, Serialize, JsonSchema)]
pub struct Check {
    /// Whether it answered, and well.
    pub healthy: bool,
    /// What it said; for strangers to read.
    pub message: String,
    /// How long that took, in milliseconds.
    pub latency: f64,
}

impl Check {
    /// What the node's last look found.
    pub fn of(condition: &Condition) -> Self {
        let latency = (condition.latency.as_secs_f64() * 1e6).round() / 1e3;
        Self { healthy: condition.healthy, message: condition.message.clone(), latency }
    }
}

/// The body of `/health`.
#[derive(Clone, Debug, Serialize, JsonSchema)]
pub struct Liveness {
    /// Healthy, or unhealthy if the process should be restarted.
    pub status: Status,
    /// The service's name.
    pub service: String,
    /// Now: RFC 3339, UTC.
    pub timestamp: String,
    /// Seconds since the start.
    pub uptime: f64,
}

/// The body of `/health/ready`.
#[derive(Clone, Debug, Serialize, JsonSchema)]
pub struct Readiness {
    /// Whether requests should be sent here.
    pub status: Status,
    /// The service's name.
    pub service: String,
    /// Now: RFC 3339, UTC.
    pub timestamp: String,
    /// Seconds since the start.
    pub uptime: f64,
    /// What was found of each dependency.
    pub checks: BTreeMap<String, Check>,
    /// Where it runs.
    pub system: Machine,
}

/// The machine, as far as a health body tells.
#[derive(Clone, Debug, Serialize, JsonSchema)]
pub struct Machine {
    /// The operating system.
    pub platform: &'static str,
    /// The processor's architecture.
    pub arch: &'static str,
    /// Processors that the process may use.
    pub cpus: usize,
    /// Memory.
    pub memory: Memory,
}

/// Memory, as far as a health body tells.
#[derive(Clone, Debug, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Memory {
    /// Memory in use, 0 to 100, of the machine's or of the container's limit if that is lower.
    pub usage_percent: f64,
}

/// Makes the health bodies of a process.
#[derive(Clone, Debug)]
pub struct Health {
    began: Instant,
    readings: Arc<Readings>,
}

impl Health {
    /// Begins to count the uptime.
    pub fn new(readings: Arc<Readings>) -> Self {
        Self { began: Instant::now(), readings }
    }

    /// Says whether the process is alive: not, if something that cannot be restarted within it has failed.
    pub fn liveness(&self, service: &str, is_alive: bool) -> Liveness {
        Liveness {
            status: if is_alive { Status::Healthy } else { Status::Unhealthy },
            service: service.to_owned(),
            timestamp: timestamp(),
            uptime: self.uptime_seconds(),
        }
    }

    /// Says whether requests should be sent here. A dependency that is not well degrades a serving node and does not take it away:
    /// every node depends on the same ones, and what is in memory is served without them.
    pub fn readiness(&self, service: &str, stage: Stage, checks: BTreeMap<String, Check>) -> Readiness {
        let status = match stage {
            Stage::Starting => Status::Starting,
            Stage::Draining => Status::Draining,
            Stage::VotedOut => Status::Unhealthy,
            Stage::Serving if checks.values().all(|check| check.healthy) => Status::Healthy,
            Stage::Serving => Status::Degraded,
        };
        let reading = self.readings.read();
        Readiness {
            status,
            service: service.to_owned(),
            timestamp: timestamp(),
            uptime: self.uptime_seconds(),
            checks,
            system: Machine {
                platform: std::env::consts::OS,
                arch: std::env::consts::ARCH,
                cpus: reading.cpus,
                memory: Memory { usage_percent: (reading.memory_used_percent * 10.0).round() / 10.0 },
            },
        }
    }

    pub(crate) fn uptime_seconds(&self) -> f64 {
        (self.began.elapsed().as_secs_f64() * 1e3).round() / 1e3
    }
}

fn timestamp() -> String {
    OffsetDateTime::now_utc().format(RFC_3339_MILLIS).expect("the format has no part that can fail")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check_of(healthy: bool) -> Check {
        Check { healthy, message: "said so".into(), latency: 1.5 }
    }

    fn readiness(stage: Stage, healthy: &[bool]) -> Readiness {
        let checks = healthy.iter().enumerate().map(|(index, healthy)| (format!("dependency{index}"), check_of(*healthy)));
        Health::new(Arc::default()).readiness("user-service", stage, checks.collect())
    }

    #[test]
    fn readiness_is_lost_by_the_stage_alone() {
        let status_and_code = |stage, healthy: &[bool]| {
            let status = readiness(stage, healthy).status;
            (status, status.code().as_u16())
        };
        assert_eq!(status_and_code(Stage::Serving, &[true, true]), (Status::Healthy, 200));
        assert_eq!(status_and_code(Stage::Serving, &[true, false]), (Status::Degraded, 200));
        assert_eq!(status_and_code(Stage::Starting, &[true]), (Status::Starting, 503));
        assert_eq!(status_and_code(Stage::Draining, &[true]), (Status::Draining, 503));
        assert_eq!(status_and_code(Stage::VotedOut, &[true]), (Status::Unhealthy, 503));
    }

    #[test]
    fn the_bodies_have_the_shapes_that_probes_and_dashboards_read() {
        let ready = serde_json::to_value(readiness(Stage::Serving, &[true, false])).expect("JSON");
        assert_eq!(ready["status"], "degraded");
        assert_eq!(ready["service"], "user-service");
        assert_eq!(ready["checks"]["dependency1"], serde_json::json!({"healthy": false, "message": "said so", "latency": 1.5}));
        assert_eq!(ready["system"]["platform"], std::env::consts::OS);
        assert_eq!(ready["system"]["arch"], std::env::consts::ARCH);
        assert!(ready["system"]["cpus"].as_u64() >= Some(1));
        assert!(ready["system"]["memory"]["usagePercent"].as_f64() > Some(0.0));
        assert!(ready["uptime"].as_f64() >= Some(0.0));
        let timestamp = ready["timestamp"].as_str().expect("text");
        let parsed = OffsetDateTime::parse(timestamp, &time::format_description::well_known::Rfc3339);
        let age = OffsetDateTime::now_utc() - parsed.expect("RFC 3339");
        assert!(age >= time::Duration::ZERO && age < time::Duration::minutes(1));
        let health = Health::new(Arc::default());
        let alive = serde_json::to_value(health.liveness("shop-service", true)).expect("JSON");
        assert_eq!((&alive["status"], &alive["service"]), (&"healthy".into(), &"shop-service".into()));
        assert_eq!(health.liveness("shop-service", false).status.code(), 503);
    }
}
