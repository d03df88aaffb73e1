//! What streams count.

use super::{drive::Reason, event::Event};
use prometheus::{IntCounter, IntCounterVec, IntGaugeVec, Opts, Registry};

/// The ways of being connected.
pub(super) const TRANSPORTS: [&str; 2] = ["sse", "websocket"];

pub(super) struct Metrics {
    streams: IntGaugeVec,
    events: IntCounterVec,
    ended: IntCounterVec,
    looks: IntCounter,
}

impl Metrics {
    pub(super) fn register(registry: &Registry) -> prometheus::Result<Self> {
        let streams =
            IntGaugeVec::new(Opts::new("live_streams", "Live streams that are open, by how they are connected."), &["transport"])?;
        TRANSPORTS.iter().for_each(|transport| streams.with_label_values(&[transport]).set(0));
        let events = IntCounterVec::new(Opts::new("live_events_total", "Events that were given to live streams' clients."), &["event"])?;
        Event::NAMES.iter().for_each(|event| events.with_label_values(&[event]).inc_by(0));
        let help = "Live streams that ended: the client left (`left`), took nothing or gave no sign of life (`slow`), said what nobody understands \
                    (`garbage`), did not sign in (`unauthenticated`) or was refused (`refused`); its session ended (`session_ended`); the node stops (`restart`).";
        let ended = IntCounterVec::new(Opts::new("live_streams_ended_total", help), &["reason"])?;
        Reason::ALL.iter().for_each(|reason| ended.with_label_values(&[reason.name()]).inc_by(0));
        let looks = IntCounter::new("live_looks_total", "Looks of live streams at what moved; what moves during one is in the next one.")?;
        for collector in [
            Box::new(streams.clone()) as Box<dyn prometheus::core::Collector>,
            Box::new(events.clone()),
            Box::new(ended.clone()),
            Box::new(looks.clone()),
        ] {
            registry.register(collector)?;
        }
        Ok(Self { streams, events, ended, looks })
    }

    /// A stream begins.
    pub(super) fn begun(&self, transport: &str) {
        self.streams.with_label_values(&[transport]).inc();
    }

    /// It ends.
    pub(super) fn ended(&self, transport: &str, reason: Reason) {
        self.streams.with_label_values(&[transport]).dec();
        self.ended.with_label_values(&[reason.name()]).inc();
    }

    pub(super) fn looked(&self) {
        self.looks.inc();
    }

    pub(super) fn sent(&self, events: &[Event]) {
        events.iter().for_each(|event| self.events.with_label_values(&[event.name()]).inc());
    }
}
