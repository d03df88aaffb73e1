//! Certificates: what this node shows, whom it believes, and how both are exchanged while it runs.

use crate::member::is_node_name;
use arc_swap::ArcSwap;
use rustls::{
    ClientConfig, RootCertStore, ServerConfig,
    client::{Resumption, WebPkiServerVerifier, danger::ServerCertVerifier},
    crypto::CryptoProvider,
    pki_types::{CertificateDer, PrivateKeyDer, ServerName, UnixTime, pem, pem::PemObject},
    server::{NoServerSessionStorage, WebPkiClientVerifier},
    version::TLS13,
};
use std::{
    fs, io,
    ops::RangeInclusive,
    path::{Path, PathBuf},
    sync::Arc,
    time::Duration,
};
use tokio_rustls::{TlsAcceptor, TlsConnector};

/// A certificate that ends within this is worth a warning: a week is long enough for somebody to see it.
const EXPIRY_NOTICE: Duration = Duration::from_secs(7 * 24 * 60 * 60);
/// What holds longer than this counts as holding so long.
const EXPIRY_MAX: Duration = Duration::from_secs(100 * 365 * 24 * 60 * 60);

/// Where certificates are, in PEM. `lets-connect certs` writes them under these names, and so do cert-manager and `kubectl create secret tls`.
#[derive(Clone, Debug)]
pub struct Files {
    /// The cluster's authority: whom it signed is believed. It may hold several, which is how one authority follows another.
    pub authorities: PathBuf,
    /// This node's certificate, and what leads from it to the authority.
    pub certificate: PathBuf,
    /// Its private key.
    pub key: PathBuf,
}

impl Files {
    /// Whether the node of this name can use them now.
    ///
    /// # Errors
    /// Why not.
    pub fn examine(&self, name: &str) -> Result<(), CredentialsError> {
        Credentials::load(self.clone(), name, crate::Config::WIRES).map(drop)
    }

    /// `ca.crt`, `tls.crt` and `tls.key` in a folder.
    #[must_use]
    pub fn within(folder: &Path) -> Self {
        Self { authorities: folder.join("ca.crt"), certificate: folder.join("tls.crt"), key: folder.join("tls.key") }
    }
}

/// Why certificates cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum CredentialsError {
    /// A file cannot be read.
    #[error("cannot read {}", path.display())]
    Unreadable {
        /// The file.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// A file does not hold what it should.
    #[error("{} does not hold what it should, in PEM", path.display())]
    Malformed {
        /// The file.
        path: PathBuf,
        /// Why.
        source: pem::Error,
    },
    /// The name is not one that a certificate can carry.
    #[error("{0:?} cannot be the name of a node")]
    Name(String),
    /// They do not fit each other, or this node's name, or the time.
    #[error("the certificate cannot be used by this node")]
    Refused(#[source] rustls::Error),
}

/// What a node shows and whom it believes. Links take what is current when they are made.
pub(crate) struct Credentials {
    files: Files,
    name: String,
    wires: RangeInclusive<u16>,
    current: ArcSwap<Tls>,
}

/// One set of certificates, ready for use.
pub(crate) struct Tls {
    pub acceptor: TlsAcceptor,
    pub connector: TlsConnector,
    /// Since 1970: from when on peers do not believe it.
    pub expires: Duration,
    /// What it was made of.
    pems: Pems,
}

/// The contents of the files.
#[derive(Clone, PartialEq, Eq)]
struct Pems {
    authorities: Vec<u8>,
    certificate: Vec<u8>,
    key: Vec<u8>,
}

impl Credentials {
    /// Reads the files. `wires` are the versions of the frame that are offered to peers.
    pub(crate) fn load(files: Files, name: &str, wires: RangeInclusive<u16>) -> Result<Self, CredentialsError> {
        if !is_node_name(name) {
            return Err(CredentialsError::Name(name.to_owned()));
        }
        let tls = Tls::of(Pems::read(&files)?, &files, name, &wires)?;
        tls.warn_of_expiry(name);
        Ok(Self { files, name: name.to_owned(), wires, current: ArcSwap::from_pointee(tls) })
    }

    pub(crate) fn current(&self) -> Arc<Tls> {
        self.current.load_full()
    }

    /// Takes over what changed in the files, for ever. What cannot be used is logged once, and what is in use stays: a file that is being written
    /// fits the others a moment later. They are compared by what they hold, because secrets are exchanged by moving a link, and times say little.
    pub(crate) async fn follow(&self, every: Duration) {
        let mut tried = self.current().pems.clone();
        loop {
            tokio::time::sleep(every).await;
            match Pems::read(&self.files) {
                Ok(pems) if pems == tried => {}
                Ok(pems) => {
                    tried = pems.clone();
                    self.exchange(pems);
                }
                Err(error) => tracing::warn!(error = &error as &dyn std::error::Error, "certificates cannot be read; those in use stay"),
            }
        }
    }

    fn exchange(&self, pems: Pems) {
        match Tls::of(pems, &self.files, &self.name, &self.wires) {
            Ok(tls) => {
                tls.warn_of_expiry(&self.name);
                self.current.store(Arc::new(tls));
                tracing::info!(node = self.name, "new certificates are in use");
            }
            Err(error) => tracing::warn!(error = &error as &dyn std::error::Error, "new certificates cannot be used; those in use stay"),
        }
    }
}

impl Pems {
    fn read(files: &Files) -> Result<Self, CredentialsError> {
        let read = |path: &Path| fs::read(path).map_err(|source| CredentialsError::Unreadable { path: path.to_owned(), source });
        Ok(Self { authorities: read(&files.authorities)?, certificate: read(&files.certificate)?, key: read(&files.key)? })
    }
}

fn malformed(path: &Path) -> impl FnOnce(pem::Error) -> CredentialsError {
    let path = path.to_owned();
    move |source| CredentialsError::Malformed { path, source }
}

impl Tls {
    fn of(pems: Pems, files: &Files, name: &str, wires: &RangeInclusive<u16>) -> Result<Self, CredentialsError> {
        let certificates = |bytes: &[u8], path: &Path| {
            let all: Vec<_> = CertificateDer::pem_slice_iter(bytes).collect::<Result<_, _>>().map_err(malformed(path))?;
            if all.is_empty() { Err(malformed(path)(pem::Error::NoItemsFound)) } else { Ok(all) }
        };
        let mut roots = RootCertStore::empty();
        for authority in certificates(&pems.authorities, &files.authorities)? {
            roots.add(authority).map_err(CredentialsError::Refused)?;
        }
        let chain = certificates(&pems.certificate, &files.certificate)?;
        let key = PrivateKeyDer::from_pem_slice(&pems.key).map_err(malformed(&files.key))?;
        let (acceptor, connector, expires) = configure(Arc::new(roots), &chain, &key, name, wires).map_err(CredentialsError::Refused)?;
        Ok(Self { acceptor, connector, expires, pems })
    }

    fn warn_of_expiry(&self, name: &str) {
        if self.expires < Duration::from_secs(UnixTime::now().as_secs()) + EXPIRY_NOTICE {
            tracing::warn!(node = name, "the node's certificate is valid for less than a week");
        }
    }
}

/// The provider is named, because another library may have brought a second one into the process, and then there is no default.
pub(crate) fn provider() -> Arc<CryptoProvider> {
    Arc::new(rustls::crypto::ring::default_provider())
}

fn configure(
    roots: Arc<RootCertStore>,
    chain: &[CertificateDer<'static>],
    key: &PrivateKeyDer<'static>,
    name: &str,
    wires: &RangeInclusive<u16>,
) -> Result<(TlsAcceptor, TlsConnector, Duration), rustls::Error> {
    let refused = |error: rustls::server::VerifierBuilderError| rustls::Error::General(error.to_string());
    // What peers would not believe is noticed here, before anything depends on it.
    let judge = WebPkiServerVerifier::builder_with_provider(Arc::clone(&roots), provider()).build().map_err(refused)?;
    let own = ServerName::try_from(name.to_owned()).map_err(|error| rustls::Error::General(error.to_string()))?;
    let (first, rest) = chain.split_first().ok_or(rustls::Error::NoCertificatesPresented)?;
    let holds_at = |time| judge.verify_server_cert(first, rest, &own, &[], time);
    let now = UnixTime::now();
    holds_at(now)?;
    let expires = end_of(now.as_secs(), |second| holds_at(UnixTime::since_unix_epoch(Duration::from_secs(second))).is_ok());

    let protocols: Vec<_> = wires.clone().rev().map(protocol_name).collect();
    let peers = WebPkiClientVerifier::builder_with_provider(Arc::clone(&roots), provider()).build().map_err(refused)?;
    let mut server = ServerConfig::builder_with_provider(provider())
        .with_protocol_versions(&[&TLS13])?
        .with_client_cert_verifier(peers)
        .with_single_cert(chain.to_vec(), key.clone_key())?;
    // Each handshake is a whole one, against the certificates of the moment.
    server.send_tls13_tickets = 0;
    server.session_storage = Arc::new(NoServerSessionStorage {});
    server.alpn_protocols.clone_from(&protocols);
    let mut client = ClientConfig::builder_with_provider(provider())
        .with_protocol_versions(&[&TLS13])?
        .with_root_certificates(roots)
        .with_client_auth_cert(chain.to_vec(), key.clone_key())?;
    client.resumption = Resumption::disabled();
    client.alpn_protocols = protocols;
    Ok((TlsAcceptor::from(Arc::new(server)), TlsConnector::from(Arc::new(client)), expires))
}

/// The first second, since 1970, at which something that holds now does not. The verifier is asked, because what counts is the whole chain, its authority
/// included; 32 times, since what does not hold any more does not hold again.
fn end_of(now: u64, holds_at: impl Fn(u64) -> bool) -> Duration {
    let (mut holds, mut ended) = (now, now + EXPIRY_MAX.as_secs());
    while ended - holds > 1 {
        let between = holds + (ended - holds) / 2;
        if holds_at(between) {
            holds = between;
        } else {
            ended = between;
        }
    }
    Duration::from_secs(ended)
}

/// How a version of the frame is called in the handshake, where both ends agree on one before anything else is said (ALPN, RFC 7301).
fn protocol_name(wire: u16) -> Vec<u8> {
    format!("lets-connect/{wire}").into_bytes()
}

/// The version that was agreed on; `None` if the peer named none.
pub(crate) fn wire_of(protocol: Option<&[u8]>) -> Option<u16> {
    std::str::from_utf8(protocol?).ok()?.strip_prefix("lets-connect/")?.parse().ok()
}

/// Whether the certificate is of a node with this name. That it is one of the cluster's is known from the handshake.
pub(crate) fn carries(certificate: &CertificateDer<'_>, name: &str) -> bool {
    let Ok(certificate) = rustls::server::ParsedCertificate::try_from(certificate) else { return false };
    ServerName::try_from(name).is_ok_and(|name| rustls::client::verify_server_name(&certificate, &name).is_ok())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_end_is_the_first_second_at_which_it_does_not_hold() {
        for last in [1_000, 1_001, 1_000 + 90 * 24 * 60 * 60] {
            assert_eq!(end_of(1_000, |second| second <= last), Duration::from_secs(last + 1));
        }
        assert_eq!(end_of(1_000, |_| true), Duration::from_secs(1_000) + EXPIRY_MAX);
    }
}
