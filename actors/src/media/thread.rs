//! A thread of a worker's own, which yields to everything else that the process does.

use std::{
    panic::{AssertUnwindSafe, catch_unwind},
    sync::mpsc,
    thread,
};
use tokio::sync::oneshot;

/// How much nicer than the rest of the process it is, of 19. (On Linux each thread has a priority of its own.)
const NICENESS: i32 = 10;

type Work = Box<dyn FnOnce() + Send>;

/// The thread. It ends, after what it was given, when this is dropped.
pub(super) struct Thread(mpsc::Sender<Work>);

/// The work panicked: that is its own end, and not the thread's.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the work panicked")]
pub(super) struct Panicked;

impl Thread {
    /// Starts it.
    ///
    /// # Errors
    /// When the system has no more threads.
    pub(super) fn start(number: usize) -> std::io::Result<Self> {
        let (give, take) = mpsc::channel::<Work>();
        thread::Builder::new().name(format!("image-{number}")).spawn(move || {
            if let Err(error) = rustix::process::setpriority_process(None, NICENESS) {
                tracing::warn!(%error, "work on images has the priority of everything else");
            }
            for work in take {
                work();
            }
        })?;
        Ok(Self(give))
    }

    /// Has it do something. What was begun is done also if nobody waits for it any more.
    ///
    /// # Errors
    /// [`Panicked`].
    pub(super) async fn run<T: Send + 'static>(&self, work: impl FnOnce() -> T + Send + 'static) -> Result<T, Panicked> {
        let (tell, told) = oneshot::channel();
        let work: Work = Box::new(move || {
            if let Ok(done) = catch_unwind(AssertUnwindSafe(work)) {
                // Whoever waited may have gone away.
                let _ = tell.send(done);
            }
        });
        self.0.send(work).map_err(|_| Panicked)?;
        told.await.map_err(|_| Panicked)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn work_that_panics_ends_alone_and_all_of_it_is_nice() {
        let thread = Thread::start(0).expect("a thread");
        assert_eq!(thread.run(|| panic!("as it is meant to")).await.map(|()| 0), Err(Panicked));
        let niceness = thread.run(|| rustix::process::getpriority_process(None).expect("a priority")).await.expect("done");
        assert_eq!(niceness, NICENESS.max(rustix::process::getpriority_process(None).expect("a priority")));
    }
}
