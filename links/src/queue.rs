//! What waits for a peer's socket, in bytes.
//!
//! ractor_cluster's queues have no bound and cannot be asked how long they are: of a million messages to a peer that was stopped, 544 MB were waiting
//! after 0.6 s. So everything that is given to it is noted here, and what it writes to the socket is read along: it leaves in the order in which it
//! came, within a few frames of each other, which is all that a bound needs.

use parking_lot::Mutex;
use std::collections::VecDeque;

/// What a frame costs on its way beside its bytes: messages of four actors and a channel.
const FRAME_OVERHEAD_BYTES: usize = 256;

/// Frames that were sent and have not left.
#[derive(Default)]
pub(crate) struct Queue {
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    frames: VecDeque<usize>,
    bytes: usize,
}

impl Queue {
    /// Notes a frame that is sent next, unless the queue would be over `bytes_max`; one frame always fits.
    pub(crate) fn admit(&self, frame_bytes: usize, bytes_max: usize) -> bool {
        let mut state = self.state.lock();
        let fits = state.frames.is_empty() || state.bytes + frame_bytes + FRAME_OVERHEAD_BYTES <= bytes_max;
        if fits {
            state.push(frame_bytes);
        }
        fits
    }

    /// Notes a frame that is sent whatever is waiting.
    pub(crate) fn push(&self, frame_bytes: usize) {
        self.state.lock().push(frame_bytes);
    }

    /// What waits.
    pub(crate) fn bytes(&self) -> usize {
        self.state.lock().bytes
    }

    fn left(&self, frames: usize) {
        let mut state = self.state.lock();
        for _ in 0..frames {
            let Some(bytes) = state.frames.pop_front() else { return };
            state.bytes -= bytes;
        }
    }
}

impl State {
    fn push(&mut self, frame_bytes: usize) {
        let bytes = frame_bytes + FRAME_OVERHEAD_BYTES;
        self.frames.push_back(bytes);
        self.bytes += bytes;
    }
}

/// Reads along what ractor_cluster writes: `length, as u64 big endian · NetworkMessage`.
#[derive(Default)]
pub(crate) struct Meter {
    /// The length's bytes so far.
    head: Vec<u8>,
    /// Of the frame, what is still to come; only while `head` is complete.
    rest: u64,
    /// Whether it is one of ours: `None` until its first byte.
    ours: Option<bool>,
}

/// The first byte of a NetworkMessage that carries a message between actors, which is to say one of ours: field 2, length-delimited.
const NODE_MESSAGE: u8 = 0x12;
const HEAD_BYTES: usize = 8;

impl Meter {
    /// Takes what was written, and notes in `queue` the frames of ours that ended in it.
    pub(crate) fn wrote(&mut self, mut bytes: &[u8], queue: &Queue) {
        let mut ended = 0;
        while let Some(&first) = bytes.first() {
            if self.head.len() < HEAD_BYTES {
                self.head.push(first);
                bytes = &bytes[1..];
                if let Ok(length) = self.head.as_slice().try_into() {
                    (self.rest, self.ours) = (u64::from_be_bytes(length), None);
                }
            } else {
                self.ours.get_or_insert(first == NODE_MESSAGE);
                let taken = usize::try_from(self.rest).unwrap_or(usize::MAX).min(bytes.len());
                self.rest -= taken as u64;
                bytes = &bytes[taken..];
            }
            if self.rest == 0 && self.head.len() == HEAD_BYTES {
                ended += usize::from(self.ours == Some(true));
                self.head.clear();
            }
        }
        if ended > 0 {
            queue.left(ended);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn frame(first: u8, length: usize) -> Vec<u8> {
        let mut bytes = (length as u64).to_be_bytes().to_vec();
        bytes.resize(HEAD_BYTES + length, 0);
        if length > 0 {
            bytes[HEAD_BYTES] = first;
        }
        bytes
    }

    /// However the stream is cut, each frame of ours leaves the queue with its last byte, and no other does.
    #[test]
    fn frames_leave_with_their_last_byte() {
        let ours = [frame(NODE_MESSAGE, 1), frame(NODE_MESSAGE, 300), frame(NODE_MESSAGE, 70_000)];
        let stream = [ours[0].clone(), frame(0x1a, 40), ours[1].clone(), frame(0, 0), frame(0x0a, 9), ours[2].clone()].concat();
        for piece in [1, 2, 7, 8, 9, 4096, stream.len()] {
            let (queue, mut meter) = (Queue::default(), Meter::default());
            for frame in &ours {
                queue.push(frame.len());
            }
            let (last, before) = stream.split_last().expect("bytes");
            for bytes in before.chunks(piece) {
                meter.wrote(bytes, &queue);
            }
            assert_eq!(queue.bytes(), ours[2].len() + FRAME_OVERHEAD_BYTES, "pieces of {piece}");
            meter.wrote(&[*last], &queue);
            assert_eq!(queue.bytes(), 0, "pieces of {piece}");
        }
    }

    #[test]
    fn a_full_queue_admits_nothing_and_an_empty_one_anything() {
        let queue = Queue::default();
        assert!(queue.admit(5000, 1000), "one frame always fits");
        assert!(!queue.admit(1, 1000));
        queue.left(1);
        assert!(queue.admit(100, 1000) && queue.admit(100, 1000) && !queue.admit(100, 1000));
        queue.push(100);
        assert_eq!(queue.bytes(), 3 * (100 + FRAME_OVERHEAD_BYTES));
    }
}
