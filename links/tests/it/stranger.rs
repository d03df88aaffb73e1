//! Whoever else connects to the port, with a certificate or without.

use crate::authority::Identity;
use rustls::{
    ClientConfig, RootCertStore,
    pki_types::{CertificateDer, PrivateKeyDer, ServerName, pem::PemObject},
};
use std::{net::SocketAddr, sync::Arc, time::Duration};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
};
use tokio_rustls::{TlsConnector, client::TlsStream};
use uuid::Uuid;

/// Longer than a node waits for anybody.
const CLOSED_WITHIN: Duration = Duration::from_secs(10);

/// Runs what strangers do.
pub fn block_on<T>(task: impl Future<Output = T>) -> T {
    tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime").block_on(task)
}

/// Connects with a certificate that may not do, to a node that shows one of `authority`.
pub async fn connect(
    to: SocketAddr,
    authority: &str,
    name: &'static str,
    identity: Option<&Identity>,
) -> std::io::Result<TlsStream<TcpStream>> {
    let mut roots = RootCertStore::empty();
    roots.add(CertificateDer::from_pem_slice(authority.as_bytes()).expect("a certificate")).expect("an authority");
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let builder = ClientConfig::builder_with_provider(provider).with_safe_default_protocol_versions().expect("versions");
    let builder = builder.with_root_certificates(roots);
    let mut config = match identity {
        None => builder.with_no_client_auth(),
        Some(Identity { certificate, key }) => {
            let chain = vec![CertificateDer::from_pem_slice(certificate.as_bytes()).expect("a certificate")];
            builder.with_client_auth_cert(chain, PrivateKeyDer::from_pem_slice(key.as_bytes()).expect("a key")).expect("a pair")
        }
    };
    config.alpn_protocols = vec![b"lets-connect/1".to_vec()];
    let tcp = TcpStream::connect(to).await?;
    TlsConnector::from(Arc::new(config)).connect(ServerName::try_from(name).expect("a name"), tcp).await
}

/// What a node that dials says first: ractor_cluster's NameMessage.
pub fn name_frame(name: &str, boot: Uuid) -> Vec<u8> {
    let field = |tag: u8, bytes: &[u8]| [&[tag, u8::try_from(bytes.len()).expect("short")], bytes].concat();
    let announced = format!("{name}@{boot}");
    let message = field(0x0a, &field(0x0a, &[field(0x0a, announced.as_bytes()), field(0x1a, b"x:1")].concat()));
    [&(message.len() as u64).to_be_bytes()[..], &message].concat()
}

/// Says something, and tells what the node says to it before it closes the stream, which it has to.
pub async fn answer_to(stream: std::io::Result<TlsStream<TcpStream>>, said: &[u8]) -> Vec<u8> {
    let mut answer = Vec::new();
    if let Ok(mut stream) = stream
        && stream.write_all(said).await.is_ok()
    {
        let end = tokio::time::timeout(CLOSED_WITHIN, stream.read_to_end(&mut answer)).await;
        assert!(end.is_ok(), "the stream is still open");
    }
    answer
}
