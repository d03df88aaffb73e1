//! The instance lease: one process at a time has these databases to itself.
//!
//! A row of the users database names the holder and counts its renewals. Whoever wants it watches the counter by their own clock: one that stood
//! still for longer than the lease's length belongs to a holder who has noticed by their own clock that the lease ended, and who answers nothing
//! from memory any more. So no clock is shared. What such a holder may still have under way is fenced by the epochs that the next one raises.
//!
//! Renewals have a connection and a thread of their own: a full pool or busy workers must not cost the lease.

use super::fault::describe;
use super::target::Target;
use super::{OpenError, Urls, migration};
use crate::Lease;
use crate::lease::now_ms;
use std::thread::JoinHandle;
use std::time::Duration;
use tokio::sync::{oneshot, watch};
use tokio::time::{sleep, timeout};
use tokio_postgres::error::SqlState;
use tokio_postgres::{Client, Error};
use uuid::Uuid;

const READ: &str = "SELECT holder, description, counter, length_ms FROM instance_lease";
const TAKE: &str =
    "UPDATE instance_lease SET holder = $1, description = $2, length_ms = $3, counter = counter + 1 WHERE counter = $4 RETURNING 1";
const RENEW: &str = "UPDATE instance_lease SET counter = counter + 1 WHERE holder = $1 RETURNING 1";
/// The counter moves here too: whoever watches it must not take this for a holder that is gone.
const RELEASE: &str = "UPDATE instance_lease SET holder = NULL, counter = counter + 1 WHERE holder = $1 RETURNING 1";

/// How often somebody who watches looks, and how soon a renewal that failed is tried again.
const LOOK: Duration = Duration::from_millis(100);

/// Why the lease could not be taken.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum LeaseError {
    /// Another process holds it.
    #[error("the databases are in use by another process, {holder}: stop that one, or give this one databases of its own")]
    InUse {
        /// As it described itself.
        holder: String,
    },
    /// The users database cannot be asked.
    #[error(transparent)]
    Open(#[from] OpenError),
    /// The users database was never migrated.
    #[error("the users database has no schema yet: run `lets-connect migrate`")]
    NoSchema,
    /// The users database did not answer.
    #[error("the users database cannot be asked for the instance lease: {reason}")]
    Sql {
        /// What happened.
        reason: String,
    },
    /// Its thread could not be started.
    #[error("the thread that renews the instance lease cannot be started")]
    Thread(#[source] std::io::Error),
}

impl From<Error> for LeaseError {
    fn from(error: Error) -> Self {
        match error.code() {
            Some(code) if *code == SqlState::UNDEFINED_TABLE => Self::NoSchema,
            _ => Self::Sql { reason: describe(&error) },
        }
    }
}

/// That another process took the lease, after it had ended here.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Lost {
    /// Who holds it now, as they described themselves.
    pub holder: String,
}

/// The lease, held and renewed. Dropping it gives it back.
pub struct InstanceLease {
    lease: Lease,
    lost: watch::Receiver<Option<Lost>>,
    stop: Option<oneshot::Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

impl InstanceLease {
    /// Takes the lease for `length`, and renews it three times in each. Where another process holds it, or held it and died, that is watched for a
    /// third longer than its own length.
    ///
    /// # Errors
    /// See [`LeaseError`].
    pub async fn take(urls: &Urls, length: Duration, description: &str) -> Result<Self, LeaseError> {
        let [mut target, ..] = urls.targets()?;
        target.configure(length, Some(length));
        let client = migration::connect(&target).await?;
        let holder = Holder { id: Uuid::now_v7(), length };
        let began_ms = holder.take(&client, description).await?;

        let (lease, (stop, stopped), (tell, lost)) = (Lease::ended(), oneshot::channel(), watch::channel(None));
        lease.renew(began_ms, length);
        let renewal = Renewal { target, holder, lease: lease.clone(), tell };
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().map_err(LeaseError::Thread)?;
        // The first connection's driver is a task of the caller's runtime; the thread makes one of its own.
        drop(client);
        let thread = std::thread::Builder::new().name("instance-lease".to_owned());
        let thread = thread.spawn(move || runtime.block_on(renewal.run(stopped))).map_err(LeaseError::Thread)?;
        Ok(Self { lease, lost, stop: Some(stop), thread: Some(thread) })
    }

    /// What says whether it holds now.
    #[must_use]
    pub fn lease(&self) -> Lease {
        self.lease.clone()
    }

    /// Resolves when another process has taken it. It may end before that, when the database is away, and hold again.
    pub async fn lost(&self) -> Lost {
        let mut lost = self.lost.clone();
        loop {
            if let Some(lost) = &*lost.borrow_and_update() {
                return lost.clone();
            }
            if lost.changed().await.is_err() {
                std::future::pending::<()>().await;
            }
        }
    }

    /// Gives it back, so that the next process need not wait. Blocks for as long as the database takes to answer, and for no longer than its length.
    pub fn release(mut self) {
        self.end();
    }

    fn end(&mut self) {
        drop(self.stop.take());
        if let Some(thread) = self.thread.take()
            && thread.join().is_err()
        {
            tracing::error!("the thread that renews the instance lease panicked");
        }
    }
}

impl Drop for InstanceLease {
    fn drop(&mut self) {
        self.end();
    }
}

/// The row, as it was read.
struct Seen {
    holder: Option<Uuid>,
    description: String,
    counter: i64,
    length: Duration,
}

async fn read(client: &Client) -> Result<Seen, Error> {
    let row = client.query_one(READ, &[]).await?;
    Ok(Seen {
        holder: row.try_get(0)?,
        description: row.try_get(1)?,
        counter: row.try_get(2)?,
        length: Duration::from_millis(row.try_get::<_, i64>(3)?.unsigned_abs()),
    })
}

/// This process, as the row knows it.
struct Holder {
    id: Uuid,
    length: Duration,
}

impl Holder {
    /// Takes the lease; answers from when on it counts.
    async fn take(&self, client: &Client, description: &str) -> Result<u64, LeaseError> {
        let first = read(client).await?;
        if first.holder.is_some() {
            self.outwait(client, &first).await?;
        }
        let began_ms = now_ms();
        let length_ms = i64::try_from(self.length.as_millis()).unwrap_or(i64::MAX);
        if client.query_opt(TAKE, &[&self.id, &description, &length_ms, &first.counter]).await?.is_some() {
            return Ok(began_ms);
        }
        // Somebody else was faster, or the holder came to life.
        Err(LeaseError::InUse { holder: read(client).await?.description })
    }

    /// Waits until the holder has certainly noticed that its lease ended, or shows that it lives.
    async fn outwait(&self, client: &Client, first: &Seen) -> Result<(), LeaseError> {
        let wait = first.length + first.length / 3;
        let began = tokio::time::Instant::now();
        let mut told = false;
        while began.elapsed() < wait {
            sleep(LOOK.min(wait)).await;
            let seen = read(client).await?;
            if seen.counter != first.counter {
                return Err(LeaseError::InUse { holder: seen.description });
            }
            if !std::mem::replace(&mut told, true) {
                tracing::info!(
                    holder = first.description,
                    wait_ms = wait.as_millis() as u64,
                    "waiting to see whether the last holder lives"
                );
            }
        }
        Ok(())
    }
}

/// What the thread does.
struct Renewal {
    target: Target,
    holder: Holder,
    lease: Lease,
    tell: watch::Sender<Option<Lost>>,
}

/// What a renewal came to.
enum Renewed {
    Held,
    Lost(Lost),
}

impl Renewal {
    async fn run(self, mut stopped: oneshot::Receiver<()>) {
        let (mut client, mut held) = (None, true);
        let mut pause = Duration::ZERO;
        loop {
            // A sender that was dropped says the same as one that spoke.
            if timeout(pause, &mut stopped).await.is_ok() {
                break;
            }
            let began_ms = now_ms();
            pause = match timeout(self.holder.length, self.renew(&mut client)).await {
                Ok(Ok(Renewed::Held)) => {
                    self.lease.renew(began_ms, self.holder.length);
                    if !std::mem::replace(&mut held, true) {
                        tracing::info!("the instance lease holds again");
                    }
                    self.holder.length / 3
                }
                Ok(Ok(Renewed::Lost(lost))) => {
                    self.lease.end();
                    self.tell.send_replace(Some(lost));
                    return;
                }
                Ok(Err(error)) => {
                    client = None;
                    self.complain(&mut held, &describe(&error));
                    LOOK
                }
                Err(_) => {
                    client = None;
                    self.complain(&mut held, "no answer");
                    LOOK
                }
            };
        }
        self.lease.end();
        let release = async {
            let client = match client {
                Some(client) => client,
                None => self.target.connect().await?,
            };
            client.query_opt(RELEASE, &[&self.holder.id]).await.map(drop)
        };
        match timeout(self.holder.length, release).await {
            Ok(Ok(())) => {}
            Ok(Err(error)) => tracing::warn!(error = describe(&error), "the instance lease was not given back; it ends by itself"),
            Err(_) => tracing::warn!("the instance lease was not given back in time; it ends by itself"),
        }
    }

    async fn renew(&self, client: &mut Option<Client>) -> Result<Renewed, Error> {
        let client = match client {
            Some(client) => client,
            None => client.insert(self.target.connect().await?),
        };
        if client.query_opt(RENEW, &[&self.holder.id]).await?.is_some() {
            return Ok(Renewed::Held);
        }
        Ok(Renewed::Lost(Lost { holder: read(client).await?.description }))
    }

    /// Says once that the lease ended: until it holds again, nothing is answered from memory.
    fn complain(&self, held: &mut bool, reason: &str) {
        if *held && !self.lease.holds() {
            *held = false;
            tracing::warn!(
                reason,
                "the instance lease cannot be renewed and has ended: nothing is answered from memory until it holds again"
            );
        }
    }
}
