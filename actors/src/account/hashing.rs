//! Passwords are hashed here and nowhere else: argon2id, so many at once, so many waiting, the rest refused.

use crate::node::Limits;
use argon2::{
    Algorithm, Argon2, Params, PasswordHash, PasswordHasher, PasswordVerifier, Version,
    password_hash::{SaltString, rand_core::OsRng},
};
use protocol::{ErrorCode, Refusal};
use std::sync::{
    Arc,
    atomic::{AtomicU64, Ordering},
};
use tokio::sync::Semaphore;

pub(super) struct Hashing {
    argon2: Argon2<'static>,
    /// Passwords that may be hashed at once …
    permits: Arc<Semaphore>,
    /// … and those, waiting ones included, beyond which requests are refused.
    places: Arc<Semaphore>,
    /// Verified when there is no such account, so that the answer takes as long.
    pub(super) nobody: String,
    done: AtomicU64,
}

impl Hashing {
    /// # Errors
    /// When the configured argon2 parameters are out of their ranges.
    pub(super) fn new(limits: &Limits) -> Result<Arc<Self>, argon2::Error> {
        let params = Params::new(limits.argon2_memory_kib, limits.argon2_passes, 1, None)?;
        let argon2 = Argon2::new(Algorithm::Argon2id, Version::V0x13, params);
        let nobody = hash(&argon2, b"nobody has this password").map_err(|_| argon2::Error::SaltTooShort)?;
        Ok(Arc::new(Self {
            permits: Arc::new(Semaphore::new(limits.hashing_permits)),
            places: Arc::new(Semaphore::new(limits.hashing_permits + limits.hashing_waiting_max)),
            argon2,
            nobody,
            done: AtomicU64::new(0),
        }))
    }

    /// Passwords hashed so far.
    pub(super) fn done(&self) -> u64 {
        self.done.load(Ordering::Relaxed)
    }

    /// Hashes a new password, with a salt of its own, in PHC form.
    ///
    /// # Errors
    /// `overloaded`.
    pub(super) async fn hash(self: &Arc<Self>, password: String) -> Result<String, Refusal> {
        self.on_pool(move |hashing| hash(&hashing.argon2, password.as_bytes())).await?.map_err(|_| ErrorCode::Internal.into())
    }

    /// Whether the password is the stored one.
    ///
    /// # Errors
    /// `overloaded`.
    pub(super) async fn verify(self: &Arc<Self>, password: String, stored: String) -> Result<bool, Refusal> {
        self.on_pool(move |hashing| {
            PasswordHash::new(&stored).is_ok_and(|stored| hashing.argon2.verify_password(password.as_bytes(), &stored).is_ok())
        })
        .await
    }

    /// Runs hashing work on the blocking pool, at most so many at once; beyond the waiting places it is refused.
    async fn on_pool<T: Send + 'static>(self: &Arc<Self>, work: impl FnOnce(&Self) -> T + Send + 'static) -> Result<T, Refusal> {
        let hashing = self.clone();
        let place = hashing.places.clone().try_acquire_owned().map_err(|_| ErrorCode::Overloaded)?;
        let permit = hashing.permits.clone().acquire_owned().await.map_err(|_| ErrorCode::Unavailable)?;
        // The work cannot be called back once it was begun: it keeps its place also when the client has hung up.
        let work = move || {
            let _held = (place, permit);
            hashing.done.fetch_add(1, Ordering::Relaxed);
            work(&hashing)
        };
        tokio::task::spawn_blocking(work).await.map_err(|_| ErrorCode::Internal.into())
    }
}

fn hash(argon2: &Argon2<'_>, password: &[u8]) -> Result<String, argon2::password_hash::Error> {
    Ok(argon2.hash_password(password, &SaltString::generate(&mut OsRng))?.to_string())
}
