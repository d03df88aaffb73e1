//! The history checker beside the load: on a thread of its own, so that neither is late because the other is busy.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;

use anyhow::Context as _;
use tokio::sync::oneshot;

use crate::check;

/// A checker whose keys are made, and that waits for the load to begin.
pub struct Checker {
    begins: Option<oneshot::Sender<()>>,
    ends: Arc<AtomicBool>,
    thread: JoinHandle<anyhow::Result<check::Summary>>,
}

impl Checker {
    /// Makes its keys.
    ///
    /// # Errors
    /// If they cannot be made.
    pub async fn prepare(options: check::Options) -> anyhow::Result<Self> {
        let (prepared, is_prepared) = oneshot::channel();
        let (begins, may_begin) = oneshot::channel();
        let ends = Arc::new(AtomicBool::new(false));
        let stopped = Arc::clone(&ends);
        let thread = std::thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
            runtime.block_on(check::judge_beside(&options, prepared, may_begin, stopped))
        });
        let checker = Self { begins: Some(begins), ends, thread };
        if is_prepared.await.is_err() {
            // It ended before: its own error says why.
            checker.end().await.context("the history checker")?;
            anyhow::bail!("the history checker ended before it began");
        }
        Ok(checker)
    }

    /// Lets it begin.
    pub fn begin(&mut self) {
        // Nobody hears it if it has ended, and then its result says why.
        self.begins.take().map(|begins| begins.send(()));
    }

    /// Has it end, if it has not, and returns what it found.
    ///
    /// # Errors
    /// If it could not do its work.
    pub async fn end(self) -> anyhow::Result<check::Summary> {
        self.ends.store(true, Ordering::Relaxed);
        let joined = tokio::task::spawn_blocking(move || self.thread.join()).await?;
        joined.map_err(|_| anyhow::anyhow!("the checker's thread panicked"))?
    }
}
