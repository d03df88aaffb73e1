//! Object storage: a folder, or a bucket of S3. What the files of the media database are made of.
//!
//! An object is written once, under a name that nothing else will ever have, and is not changed: `<hash>-<folder>/<part>`. So whoever writes one that is
//! there already has nothing to do, and whoever reads one needs no version. Folders come and go with the rows of `media_content`.
//!
//! Every call ends within its time. A fault is one of the storage's; what is not there is not one.

mod metric;

// Named for its feature alone: see the root Cargo.toml.
use reqwest as _;

use bytes::Bytes;
use futures_util::{StreamExt, TryStreamExt};
use metric::Metrics;
use object_store::aws::{AmazonS3Builder, S3ConditionalPut};
use object_store::local::LocalFileSystem;
use object_store::path::Path;
use object_store::{BackoffConfig, ClientOptions, ObjectStore, ObjectStoreExt, PutMode, PutOptions, PutPayload, RetryConfig};
use protocol::file::ContentHash;
use std::future::Future;
use std::ops::Range;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, Instant};
use tokio::io::AsyncReadExt;
use tracing::{Instrument, debug_span};
use uuid::Uuid;

/// Bytes of a part of a large object on its way in. S3 takes at least 5 MiB, and at most 10,000 parts.
const PART_BYTES: usize = 8 << 20;
/// A name that is looked for to see whether the storage answers, and never there.
const PROBE: &str = "probe";

/// Where objects are.
#[derive(Clone)]
pub enum Place {
    /// In this folder, which is made where there is none.
    Folder(PathBuf),
    /// In a bucket.
    S3(Bucket),
}

/// A bucket of S3, or of what speaks its language.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct Bucket {
    /// Its name.
    pub name: String,
    /// The server's address; `None` for Amazon's own.
    pub endpoint: Option<String>,
    /// The region that requests are signed for.
    pub region: String,
    /// Who asks.
    pub access_key_id: String,
    /// What requests are signed with. It is not to be printed.
    pub secret_access_key: String,
}

/// Why there is no object storage.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum OpenError {
    /// The folder cannot be made.
    #[error("the media folder {folder} cannot be used", folder = folder.display())]
    Folder {
        /// Which.
        folder: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// What was given does not make a place.
    #[error("the object storage cannot be used: {0}")]
    Place(String),
    /// The metrics are registered already: the registry serves another storage.
    #[error("the object storage's metrics cannot be registered")]
    Metrics(#[source] prometheus::Error),
}

/// The storage did not do what it was asked, or not in time. A repetition may help.
#[derive(Debug, Clone, thiserror::Error)]
#[error("object storage is unavailable: {reason}")]
pub struct Unavailable {
    /// What it said: for logs, never for clients.
    pub reason: String,
}

impl From<object_store::Error> for Unavailable {
    fn from(error: object_store::Error) -> Self {
        Self { reason: error.to_string() }
    }
}

impl From<std::io::Error> for Unavailable {
    fn from(error: std::io::Error) -> Self {
        Self { reason: error.to_string() }
    }
}

/// The name of an object.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Name<'n> {
    /// The content that it is of.
    pub hash: ContentHash,
    /// Where that is kept.
    pub folder: Uuid,
    /// Which of its objects it is: letters, digits and dots.
    pub part: &'n str,
}

impl Name<'_> {
    fn path(&self) -> Path {
        folder_path(self.hash, self.folder).join(self.part)
    }
}

/// No folder has another one above it: one that goes is in nobody's way.
fn folder_path(hash: ContentHash, folder: Uuid) -> Path {
    Path::from(format!("{hash}-{}", folder.simple()))
}

/// Object storage. Cheap to clone.
#[derive(Clone)]
pub struct Objects {
    store: Arc<dyn ObjectStore>,
    /// How long one call may take. A large object comes and goes in several.
    answer_max: Duration,
    metrics: Arc<Metrics>,
    is_folder: bool,
}

/// What is asked of the storage: the values of the label `operation`.
#[derive(Clone, Copy)]
enum Operation {
    Put,
    Get,
    Look,
    Remove,
}

impl Operation {
    const fn name(self) -> &'static str {
        metric::OPERATIONS[self as usize]
    }
}

impl Objects {
    /// Makes ready what is at `place`; whether it answers shows when it is asked.
    ///
    /// # Errors
    /// See [`OpenError`].
    pub fn open(place: &Place, answer_max: Duration, registry: &prometheus::Registry) -> Result<Self, OpenError> {
        let store: Arc<dyn ObjectStore> = match place {
            Place::Folder(folder) => {
                let fault = |source| OpenError::Folder { folder: folder.clone(), source };
                std::fs::create_dir_all(folder).map_err(fault)?;
                let files = LocalFileSystem::new_with_prefix(folder).map_err(|error| OpenError::Place(error.to_string()))?;
                // As durable as the rows that name the objects.
                Arc::new(files.with_fsync(true).with_automatic_cleanup(true))
            }
            Place::S3(bucket) => Arc::new(s3(bucket, answer_max)?),
        };
        let metrics = Arc::new(Metrics::register(registry).map_err(OpenError::Metrics)?);
        Ok(Self { store, answer_max, metrics, is_folder: matches!(place, Place::Folder(_)) })
    }

    /// Writes an object. One that is there already stays as it is.
    ///
    /// # Errors
    /// [`Unavailable`]: it may be there or not, but never in part.
    pub async fn put(&self, name: Name<'_>, bytes: Bytes) -> Result<(), Unavailable> {
        let (path, options) = (name.path(), PutOptions { mode: PutMode::Create, ..PutOptions::default() });
        self.asked(Operation::Put, async {
            match self.store.put_opts(&path, PutPayload::from_bytes(bytes), options).await {
                Ok(_) | Err(object_store::Error::AlreadyExists { .. }) => Ok(()),
                Err(error) => Err(error.into()),
            }
        })
        .await
    }

    /// Writes an object of all that is left of a file, part by part.
    ///
    /// # Errors
    /// As [`Objects::put`]; also when the file cannot be read.
    pub async fn put_file(&self, name: Name<'_>, file: &mut tokio::fs::File) -> Result<(), Unavailable> {
        let mut part = read_part(file).await?;
        if part.len() < PART_BYTES {
            return self.put(name, part).await;
        }
        let path = name.path();
        let mut upload = self.asked(Operation::Put, async { Ok(self.store.put_multipart(&path).await?) }).await?;
        let put = async {
            while !part.is_empty() {
                let next = read_part(file).await?;
                let last = std::mem::replace(&mut part, next);
                self.asked(Operation::Put, async { Ok(upload.put_part(PutPayload::from_bytes(last)).await?) }).await?;
            }
            self.asked(Operation::Put, async { upload.complete().await.map(drop).map_err(Unavailable::from) }).await
        };
        let done = put.await;
        if done.is_err() {
            // What was begun costs room until it is given up. Where even that fails, the bucket's own rule for unfinished uploads ends it.
            let _ = tokio::time::timeout(self.answer_max, upload.abort()).await;
        }
        done
    }

    /// The bytes of an object, or some of them; `None` if there is no such object.
    ///
    /// # Errors
    /// [`Unavailable`]; also when it has fewer bytes than were asked for.
    pub async fn get(&self, name: Name<'_>, range: Option<Range<u64>>) -> Result<Option<Bytes>, Unavailable> {
        let path = name.path();
        self.asked(Operation::Get, async {
            let found = match range {
                Some(range) => self.store.get_range(&path, range).await,
                None => match self.store.get(&path).await {
                    Ok(found) => found.bytes().await,
                    Err(error) => Err(error),
                },
            };
            absent(found)
        })
        .await
    }

    /// How many bytes an object has; `None` if there is no such object.
    ///
    /// # Errors
    /// [`Unavailable`].
    pub async fn size(&self, name: Name<'_>) -> Result<Option<u64>, Unavailable> {
        let path = name.path();
        self.asked(Operation::Look, async { absent(self.store.head(&path).await.map(|found| found.size)) }).await
    }

    /// Removes all objects of a folder. Safe to repeat.
    ///
    /// # Errors
    /// [`Unavailable`]: some may be gone.
    pub async fn remove_folder(&self, hash: ContentHash, folder: Uuid) -> Result<(), Unavailable> {
        let path = folder_path(hash, folder);
        self.asked(Operation::Remove, async {
            let found: Vec<_> = self.store.list(Some(&path)).map_ok(|object| object.location).try_collect().await?;
            let gone = self.store.delete_stream(futures_util::stream::iter(found.into_iter().map(Ok)).boxed());
            gone.filter_map(async |gone| absent(gone).err().map(Err)).try_collect().await
        })
        .await
    }

    /// Answers when the storage does, and the bucket is there. For readiness.
    ///
    /// # Errors
    /// [`Unavailable`].
    pub async fn ping(&self) -> Result<(), Unavailable> {
        // Asked for one object, a bucket that is not there says the same as one that lacks it.
        let path = Path::from(PROBE);
        self.asked(Operation::Look, async { self.store.list(Some(&path)).try_next().await.map(drop).map_err(Unavailable::from) }).await
    }

    /// Whether it is a folder of this machine.
    #[must_use]
    pub const fn is_folder(&self) -> bool {
        self.is_folder
    }

    async fn asked<T>(&self, operation: Operation, work: impl Future<Output = Result<T, Unavailable>>) -> Result<T, Unavailable> {
        let began = Instant::now();
        let span = debug_span!("objects", otel.kind = "client", otel.name = %format_args!("{} object", operation.name()));
        let done = tokio::time::timeout(self.answer_max, work).instrument(span).await.unwrap_or_else(|_| {
            let reason = format!("no answer within {} s", self.answer_max.as_secs());
            Err(Unavailable { reason })
        });
        self.metrics.observe(operation, began.elapsed(), done.is_ok());
        done
    }
}

fn absent<T>(found: object_store::Result<T>) -> Result<Option<T>, Unavailable> {
    match found {
        Ok(found) => Ok(Some(found)),
        Err(object_store::Error::NotFound { .. }) => Ok(None),
        Err(error) => Err(error.into()),
    }
}

/// The next part of a file; less than a whole one at its end only.
async fn read_part(file: &mut tokio::fs::File) -> std::io::Result<Bytes> {
    let mut part = Vec::new();
    file.take(PART_BYTES as u64).read_to_end(&mut part).await?;
    Ok(part.into())
}

fn s3(bucket: &Bucket, answer_max: Duration) -> Result<object_store::aws::AmazonS3, OpenError> {
    // The client takes the process's provider of cryptography. That there is one already is well.
    let _ = rustls::crypto::ring::default_provider().install_default();
    let retry = RetryConfig { backoff: BackoffConfig::default(), max_retries: 2, retry_timeout: answer_max };
    let client = ClientOptions::new().with_timeout(answer_max).with_connect_timeout(answer_max.min(Duration::from_secs(3)));
    let mut builder = AmazonS3Builder::new()
        .with_bucket_name(&bucket.name)
        .with_region(&bucket.region)
        .with_access_key_id(&bucket.access_key_id)
        .with_secret_access_key(&bucket.secret_access_key)
        .with_conditional_put(S3ConditionalPut::ETagMatch)
        .with_retry(retry)
        .with_client_options(client);
    if let Some(endpoint) = &bucket.endpoint {
        // Without TLS where the operator says so: the secret itself is never sent, and what is between the two may be the operator's own network.
        builder = builder.with_endpoint(endpoint).with_allow_http(endpoint.starts_with("http://"));
    }
    builder.build().map_err(|error| OpenError::Place(error.to_string()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn name(part: &str) -> Name<'_> {
        Name { hash: ContentHash([7; 32]), folder: Uuid::from_u128(1), part }
    }

    fn objects() -> (tempfile::TempDir, Objects) {
        let dir = tempfile::tempdir().expect("a directory");
        let place = Place::Folder(dir.path().join("media"));
        let objects = Objects::open(&place, Duration::from_secs(10), &prometheus::Registry::new()).expect("opened");
        (dir, objects)
    }

    #[tokio::test]
    async fn an_object_is_written_once_and_read_in_parts() {
        let (_dir, objects) = objects();
        objects.ping().await.expect("it answers");
        assert_eq!(objects.get(name("original.bin"), None).await.expect("a read"), None);
        objects.put(name("original.bin"), Bytes::from_static(b"hello")).await.expect("put");
        objects.put(name("original.bin"), Bytes::from_static(b"other")).await.expect("it is there already");
        assert_eq!(objects.get(name("original.bin"), None).await.expect("a read").as_deref(), Some(&b"hello"[..]));
        assert_eq!(objects.get(name("original.bin"), Some(1..3)).await.expect("a read").as_deref(), Some(&b"el"[..]));
        assert_eq!(objects.size(name("original.bin")).await.expect("a read"), Some(5));
        assert_eq!(objects.size(name("small.webp")).await.expect("a read"), None);
    }

    #[tokio::test]
    async fn a_large_file_becomes_one_object_and_goes_with_its_folder() {
        let (dir, objects) = objects();
        let path = dir.path().join("large");
        let bytes: Vec<u8> = (0..PART_BYTES * 2 + 5).map(|place| (place / 251) as u8).collect();
        std::fs::write(&path, &bytes).expect("a file");
        let mut file = tokio::fs::File::open(&path).await.expect("a file");
        objects.put_file(name("original.mp4"), &mut file).await.expect("put");
        assert_eq!(objects.get(name("original.mp4"), None).await.expect("a read").as_deref(), Some(&bytes[..]));
        let other = Name { folder: Uuid::from_u128(2), ..name("original.mp4") };
        objects.put(other, Bytes::from_static(b"stays")).await.expect("put");
        for _ in 0..2 {
            objects.remove_folder(ContentHash([7; 32]), Uuid::from_u128(1)).await.expect("removed");
        }
        assert_eq!(objects.size(name("original.mp4")).await.expect("a read"), None);
        assert_eq!(objects.size(other).await.expect("a read"), Some(5));
    }

    #[tokio::test]
    async fn storage_that_does_not_answer_is_unavailable_in_time() {
        let listener = std::net::TcpListener::bind("127.0.0.1:0").expect("a port");
        let endpoint = format!("http://{}", listener.local_addr().expect("an address"));
        let bucket = Bucket { name: "media".to_owned(), endpoint: Some(endpoint), region: "us-east-1".to_owned(), ..Bucket::default() };
        let objects = Objects::open(&Place::S3(bucket), Duration::from_millis(200), &prometheus::Registry::new()).expect("opened");
        let began = Instant::now();
        objects.put(name("original.bin"), Bytes::from_static(b"x")).await.expect_err("nobody answers");
        objects.ping().await.expect_err("nobody answers");
        assert!(began.elapsed() < Duration::from_secs(5), "{:?}", began.elapsed());
    }
}
