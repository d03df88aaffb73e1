//! What must hold, looked at after every step.

use crate::domain::Domain;
use crate::scenario::Scenario;
use crate::tables::Tables;
use crate::weather::Micros;
use crate::world::Host;
use cluster::{Boot, Death};
use std::collections::BTreeSet;

/// After the last fault has ended, every slot is served within this time: docs/adr/0009 says what it is made of.
pub const SERVED_WITHIN_MS: u32 = 10_000;

/// And within this time every slot is where it is wished, nodes that started again have their share, and it stays so.
pub const SETTLED_WITHIN_MS: u32 = 12_000;

/// For how long it is seen that it stays so.
const WATCHED_MS: u32 = 2_000;

/// How long after the last fault all slots were served first, and things were unsettled last, in milliseconds.
#[derive(Clone, Copy, PartialEq, Eq, Default, Debug)]
pub struct Recovery {
    /// First served.
    pub served_ms: u64,
    /// Last unsettled.
    pub settled_ms: u64,
}

impl Recovery {
    /// The longer spans of two.
    #[must_use]
    pub fn max(self, other: Self) -> Self {
        Self { served_ms: self.served_ms.max(other.served_ms), settled_ms: self.settled_ms.max(other.settled_ms) }
    }
}

pub(crate) struct Judge {
    last_fault: Micros,
    served_at: Option<Micros>,
    unsettled_at: Micros,
    excused: bool,
    slots: usize,
    judged: BTreeSet<Boot>,
    unlucky: u64,
}

impl Judge {
    pub(crate) fn new(scenario: &Scenario) -> Self {
        let ends = scenario.faults.iter().map(|(at, fault)| at + fault.for_ms() + fault.lingers_ms());
        let last_fault = Micros::from(ends.max().unwrap_or(0)) * 1_000;
        Self {
            last_fault,
            served_at: None,
            unsettled_at: 0,
            excused: false,
            slots: usize::from(scenario.slots),
            judged: BTreeSet::new(),
            unlucky: 0,
        }
    }

    /// When the run ends.
    pub(crate) fn end(&self) -> Micros {
        self.last_fault + Micros::from(SETTLED_WITHIN_MS + WATCHED_MS) * 1_000
    }

    pub(crate) fn recovery(&self) -> Recovery {
        let since = |at: Micros| at.saturating_sub(self.last_fault) / 1_000;
        Recovery { served_ms: since(self.served_at.unwrap_or_default()), settled_ms: since(self.unsettled_at) }
    }

    /// How many nodes died to which nothing was done but that outages swallowed two renewals in a row.
    pub(crate) fn unlucky(&self) -> u64 {
        self.unlucky
    }

    /// Nobody's death is held against the protocol in this run.
    pub(crate) fn excuse_all(&mut self) {
        self.excused = true;
    }

    /// After a process did something: nobody else serves what it serves, and what it remembers is what is stored. In time, every slot is served.
    pub(crate) fn look(&mut self, now: Micros, at: usize, hosts: &[Host], domain: &Domain) -> Result<(), String> {
        let host = &hosts[at];
        if host.lives() {
            for slot in 0..self.slots {
                if host.process.serves(slot, host.clock(now)) {
                    let other =
                        |other: &(usize, &Host)| other.0 != at && other.1.lives() && other.1.process.serves(slot, other.1.clock(now));
                    if let Some((other, _)) = hosts.iter().enumerate().find(other) {
                        return Err(format!("nodes {at} and {other} both serve slot {slot} under leases"));
                    }
                    remembers(now, slot, at, host, domain)?;
                }
            }
        }
        if now >= self.last_fault {
            self.served(now, hosts)?;
        }
        Ok(())
    }

    /// After a commit of a key: whoever serves it from memory has it as it is stored.
    pub(crate) fn stored(&self, now: Micros, key: usize, hosts: &[Host], domain: &Domain) -> Result<(), String> {
        hosts.iter().enumerate().filter(|(_, host)| host.lives()).try_for_each(|(at, host)| remembers(now, key, at, host, domain))
    }

    /// Nobody is dead to whom nothing was done: an outage, delay or loss kills nobody. Those of whom two renewals in a row are lost, while others are heard,
    /// are counted apart: docs/adr/0009 says why.
    pub(crate) fn deaths(&mut self, hosts: &[Host], tables: &Tables) -> Result<(), String> {
        for (boot, death) in tables.deaths() {
            if self.judged.insert(boot) && death != Death::Left && !self.excused {
                let innocent = |(_, host): &(usize, &Host)| host.process.boot() == boot && host.lives() && !host.excused;
                if let Some((at, host)) = hosts.iter().enumerate().find(innocent) {
                    if host.missed_two_renewals() {
                        self.unlucky += 1;
                        continue;
                    }
                    return Err(format!("node {at} is dead ({death:?}), and nothing was done to it"));
                }
            }
        }
        Ok(())
    }

    fn served(&mut self, now: Micros, hosts: &[Host]) -> Result<(), String> {
        let serves = |slot| hosts.iter().any(|host| host.lives() && host.process.serves(slot, host.clock(now)));
        let unserved = (0..self.slots).find(|slot| !serves(*slot));
        let unsettled = hosts.iter().position(|host| host.lives() && !host.exited && !host.process.core.is_settled());
        let within = |limit_ms: u32| now < self.last_fault + Micros::from(limit_ms) * 1_000;
        if let Some(slot) = unserved {
            if self.served_at.is_none() && !within(SERVED_WITHIN_MS) {
                return Err(format!("nobody has served slot {slot} for {SERVED_WITHIN_MS} ms after the last fault"));
            }
        } else {
            self.served_at.get_or_insert(now);
        }
        if unserved.is_some() || unsettled.is_some() {
            self.unsettled_at = now;
            if !within(SETTLED_WITHIN_MS) {
                return Err(format!(
                    "{SETTLED_WITHIN_MS} ms after the last fault, slot {unserved:?} is not served, node {unsettled:?} not settled"
                ));
            }
        }
        Ok(())
    }
}

fn remembers(now: Micros, key: usize, at: usize, host: &Host, domain: &Domain) -> Result<(), String> {
    let Some(remembered) = host.process.remembers(key, host.clock(now)) else { return Ok(()) };
    let stored = domain.row(key);
    if remembered == stored { Ok(()) } else { Err(format!("node {at} serves {remembered:?} of key {key}, and {stored:?} is stored")) }
}
