//! The deadlines and bounds of links, in one place.

use std::time::Duration;

/// Bounds what one other node, or a stranger, can cost.
#[derive(Clone, Debug)]
pub struct Limits {
    /// From accept, or from dialling, until the TLS handshake is done; beyond it the stream is closed.
    pub handshake_max: Duration,
    /// Handshakes under way. One more ends the oldest of the address that has most of them, so that whoever floods is in their own way.
    pub handshakes_max: usize,
    /// From the handshake until the peer proved its name and knows the cookie; beyond it the stream is closed.
    pub greeting_max: Duration,
    /// Size of a frame before that; a larger one ends the stream.
    pub greeting_frame_bytes_max: u64,
    /// Streams that passed the handshake, in both directions; one more is closed.
    pub streams_max: usize,
    /// Between two arrivals on a stream. Each end sends something at least every five seconds, so what comes after a longer silence is from before a
    /// pause of somebody's: nobody knows how old it is, and the stream is closed instead of read.
    pub silence_max: Duration,
    /// How long a peer's socket may take nothing of what is written to it; beyond it the stream is closed.
    pub write_stall_max: Duration,
    /// Calls under way through one link, where one counts as several if its frame is large ([`CALL_WEIGHT_BYTES`]). One more is refused at once:
    /// beyond some hundreds only latency grows.
    pub calls_max: usize,
    /// Bytes of frames that wait for the socket of one link. A call beyond it is refused at once.
    pub queued_bytes_max: usize,
    /// As before, for answers: one beyond it is replaced by a refusal. More, because the peer asked for them.
    pub queued_answer_bytes_max: usize,
    /// Probes of one peer that have not been answered; one more is not sent.
    pub probes_max: usize,
    /// For how long an answer to a probe or an announcement is waited for.
    pub probe_max: Duration,
    /// How long the link to a node that left in good order stays for the calls that are under way, and how long a node that leaves waits for the others
    /// to end its links: a few times as long as a node may take to learn of it.
    pub parting_max: Duration,
    /// How often the files of certificates are looked at.
    pub reload_every: Duration,
}

/// A call counts once, and once more for each of these in its frame: so 512 calls hold 16 MiB at most.
pub const CALL_WEIGHT_BYTES: usize = 32 * 1024;

impl Default for Limits {
    fn default() -> Self {
        Self {
            handshake_max: Duration::from_secs(3),
            handshakes_max: 256,
            greeting_max: Duration::from_secs(3),
            greeting_frame_bytes_max: 1024,
            streams_max: 256,
            silence_max: Duration::from_secs(8),
            write_stall_max: Duration::from_secs(3),
            calls_max: 512,
            queued_bytes_max: 4 << 20,
            queued_answer_bytes_max: 16 << 20,
            probes_max: 8,
            probe_max: Duration::from_secs(2),
            parting_max: Duration::from_secs(2),
            reload_every: Duration::from_secs(10),
        }
    }
}
