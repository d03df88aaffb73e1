//! Where a database is, and how the way to it is secured.

use super::OpenError;
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::CryptoProvider;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::{ClientConfig, DigitallySignedStruct, RootCertStore, SignatureScheme};
use std::path::Path;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;
use tokio_postgres::config::{Host, SslMode};
use tokio_postgres_rustls::MakeRustlsConnect;

/// What a URL without a database's name is taken to name.
const NAME: &str = "lets_connect";

/// What our connections call themselves. What the operator's URL calls them follows it.
const OURS: &str = "lets-connect";

/// A database on a server.
#[derive(Clone)]
pub(super) struct Target {
    /// The database's name in metrics, health and logs.
    pub(super) database: &'static str,
    config: tokio_postgres::Config,
    /// `None` where the URL says `sslmode=disable`.
    tls: Option<MakeRustlsConnect>,
}

/// How much of TLS a URL asks for: libpq's words.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Mode {
    Disable,
    Prefer,
    Require,
    VerifyFull,
}

impl Target {
    /// Reads a URL. Of a URL for all databases (`shared`) the name is what their names begin with: `…/app` has `app_users`.
    pub(super) fn parse(database: &'static str, url: &str, shared: bool, ca_file: Option<&Path>) -> Result<Self, OpenError> {
        let fault = |reason: String| OpenError::Url { database, reason };
        if !url.starts_with("postgres://") && !url.starts_with("postgresql://") {
            return Err(fault("it must begin with postgres://".to_owned()));
        }
        let (url, mode) = take_mode(url).map_err(fault)?;
        let mut config: tokio_postgres::Config =
            url.parse().map_err(|error: tokio_postgres::Error| fault(super::fault::describe(&error)))?;
        if config.get_hosts().is_empty() && config.get_hostaddrs().is_empty() {
            return Err(fault("it names no host".to_owned()));
        }
        if shared {
            let name = config.get_dbname().unwrap_or(NAME).to_owned();
            config.dbname(format!("{name}_{database}"));
        } else if config.get_dbname().is_none() {
            config.dbname(format!("{NAME}_{database}"));
        }
        // Triggers know by this beginning who writes (migrations/*/0008_foreign_triggers).
        let name = config.get_application_name().map_or_else(|| OURS.to_owned(), |name| format!("{OURS} {name}"));
        config.application_name(name);
        config.ssl_mode(match mode {
            Mode::Disable => SslMode::Disable,
            Mode::Prefer => SslMode::Prefer,
            Mode::Require | Mode::VerifyFull => SslMode::Require,
        });
        let tls = if mode == Mode::Disable { None } else { Some(tls(mode, ca_file).map_err(fault)?) };
        Ok(Self { database, config, tls })
    }

    /// Sets what every connection keeps.
    pub(super) fn configure(&mut self, connect_max: Duration, statement_max: Option<Duration>) {
        // A connection whose other end vanished without a word is noticed by the system within a minute.
        self.config.connect_timeout(connect_max).keepalives(true).keepalives_idle(Duration::from_secs(30));
        self.config.keepalives_interval(Duration::from_secs(10)).keepalives_retries(3).tcp_user_timeout(Duration::from_secs(30));
        // What the server's defaults may say otherwise and the write protocol relies on: a lock that waits sees the row as it then is.
        self.add_option("default_transaction_isolation=read\\ committed");
        self.limit_statements(statement_max);
    }

    fn limit_statements(&mut self, max: Option<Duration>) {
        self.add_option(&format!("statement_timeout={}", max.map_or(0, |max| max.as_millis())));
    }

    /// Has the server end a connection that leaves a transaction open and says nothing for so long: its locks hold up others.
    pub(super) fn limit_idle_transactions(&mut self, max: Duration) {
        self.add_option(&format!("idle_in_transaction_session_timeout={}", max.as_millis()));
    }

    /// Sets an option of the session. The last one of a name counts.
    fn add_option(&mut self, option: &str) {
        let before = self.config.get_options().map(|options| format!("{options} ")).unwrap_or_default();
        self.config.options(format!("{before}-c {option}"));
    }

    /// The same server's database of that name, for statements that take as long as they take.
    pub(super) fn elsewhere(&self, name: &str) -> Self {
        let mut other = self.clone();
        other.config.dbname(name);
        other.limit_statements(None);
        other
    }

    /// The database's name on its server.
    pub(super) fn name(&self) -> &str {
        self.config.get_dbname().unwrap_or_default()
    }

    /// Whom the server is asked to let in.
    pub(super) fn role(&self) -> &str {
        self.config.get_user().unwrap_or("the system's user")
    }

    /// The server as an operator knows it, without secrets.
    pub(super) fn server(&self) -> String {
        let ports = self.config.get_ports();
        let port = |place: usize| ports.get(place).or(ports.first()).copied().unwrap_or(5432);
        let hosts = self.config.get_hosts().iter().enumerate().map(|(place, host)| match host {
            Host::Tcp(name) => format!("{name}:{}", port(place)),
            #[cfg(unix)]
            Host::Unix(path) => path.display().to_string(),
        });
        hosts.collect::<Vec<_>>().join(",")
    }

    /// Whether that is on this machine: what goes there is on no wire.
    pub(super) fn is_local(&self) -> bool {
        self.config.get_hosts().iter().all(|host| match host {
            Host::Tcp(name) => name == "localhost" || name.parse().is_ok_and(|address: std::net::IpAddr| address.is_loopback()),
            #[cfg(unix)]
            Host::Unix(_) => true,
        })
    }

    /// Whether both are the same database.
    pub(super) fn is(&self, other: &Self) -> bool {
        self.server() == other.server() && self.name() == other.name()
    }

    /// Connects. The connection's driver runs as a task of this runtime until the client is dropped or the server goes.
    pub(super) async fn connect(&self) -> Result<tokio_postgres::Client, tokio_postgres::Error> {
        let database = self.database;
        match &self.tls {
            Some(tls) => {
                let (client, connection) = self.config.connect(tls.clone()).await?;
                tokio::spawn(async move { ended(database, Last::new(connection).await) });
                Ok(client)
            }
            None => {
                let (client, connection) = self.config.connect(tokio_postgres::NoTls).await?;
                tokio::spawn(async move { ended(database, Last::new(connection).await) });
                Ok(client)
            }
        }
    }
}

/// A future that runs when everything else that is ready has run: what they all ask a connection then goes in one packet. It takes its turn at once
/// where nothing else is ready.
struct Last<F> {
    future: F,
    has_waited: bool,
}

impl<F> Last<F> {
    fn new(future: F) -> Self {
        Self { future, has_waited: false }
    }
}

impl<F: Future + Unpin> Future for Last<F> {
    type Output = F::Output;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<F::Output> {
        self.has_waited = !self.has_waited;
        if self.has_waited {
            // A task that wakes itself goes to the end of the queue.
            context.waker().wake_by_ref();
            return Poll::Pending;
        }
        Pin::new(&mut self.future).poll(context)
    }
}

/// Whoever used the connection is told by the failure of what they asked; this is for those who look for the cause.
fn ended(database: &'static str, end: Result<(), tokio_postgres::Error>) {
    if let Err(error) = end {
        tracing::debug!(database, error = super::fault::describe(&error), "a connection ended");
    }
}

/// Takes the TLS mode out of a URL, because the library does not know all of libpq's.
fn take_mode(url: &str) -> Result<(String, Mode), String> {
    let Some((place, query)) = url.split_once('?') else { return Ok((url.to_owned(), Mode::Prefer)) };
    let (mut mode, mut rest) = (Mode::Prefer, Vec::new());
    for pair in query.split('&').filter(|pair| !pair.is_empty()) {
        match pair.split_once('=') {
            Some(("sslmode", word)) => {
                mode = match word {
                    "disable" => Mode::Disable,
                    "prefer" => Mode::Prefer,
                    "require" => Mode::Require,
                    "verify-full" => Mode::VerifyFull,
                    other => return Err(format!("sslmode={other} is none of disable, prefer, require and verify-full")),
                }
            }
            _ => rest.push(pair),
        }
    }
    let mark = if rest.is_empty() { "" } else { "?" };
    Ok((format!("{place}{mark}{}", rest.join("&")), mode))
}

fn tls(mode: Mode, ca_file: Option<&Path>) -> Result<MakeRustlsConnect, String> {
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let builder = ClientConfig::builder_with_provider(provider.clone())
        .with_safe_default_protocol_versions()
        .map_err(|error| format!("TLS cannot be set up: {error}"))?;
    let config = if mode == Mode::VerifyFull {
        builder.with_root_certificates(roots(ca_file)?).with_no_client_auth()
    } else {
        builder.dangerous().with_custom_certificate_verifier(Arc::new(Unverified(provider))).with_no_client_auth()
    };
    Ok(MakeRustlsConnect::new(config))
}

/// Whom a server's certificate must come from: those of the file, or those that this machine trusts.
fn roots(ca_file: Option<&Path>) -> Result<RootCertStore, String> {
    let mut roots = RootCertStore::empty();
    let certificates: Vec<CertificateDer<'static>> = match ca_file {
        Some(file) => {
            let read = CertificateDer::pem_file_iter(file).and_then(Iterator::collect::<Result<_, _>>);
            read.map_err(|error| format!("the certificates in {} cannot be read: {error}", file.display()))?
        }
        None => rustls_native_certs::load_native_certs().certs,
    };
    roots.add_parsable_certificates(certificates);
    if roots.is_empty() {
        return Err(match ca_file {
            Some(file) => format!("{} holds no certificate", file.display()),
            None => "sslmode=verify-full finds no certificates that this machine trusts: name a file in postgres.ca_file".to_owned(),
        });
    }
    Ok(roots)
}

/// What `prefer` and `require` mean by libpq's definition: the way is encrypted, and whoever is at its end is believed.
#[derive(Debug)]
struct Unverified(Arc<CryptoProvider>);

impl ServerCertVerifier for Unverified {
    fn verify_server_cert(
        &self,
        _: &CertificateDer<'_>,
        _: &[CertificateDer<'_>],
        _: &ServerName<'_>,
        _: &[u8],
        _: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        rustls::crypto::verify_tls12_signature(message, certificate, signed, &self.0.signature_verification_algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        rustls::crypto::verify_tls13_signature(message, certificate, signed, &self.0.signature_verification_algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.0.signature_verification_algorithms.supported_schemes()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(url: &str, shared: bool) -> Result<Target, String> {
        Target::parse("users", url, shared, None).map_err(|error| error.to_string())
    }

    #[test]
    fn a_shared_url_names_what_the_databases_names_begin_with() {
        let name = |url, shared| parse(url, shared).expect("a URL").name().to_owned();
        assert_eq!(name("postgres://app:pw@db.example:6000/app", true), "app_users");
        assert_eq!(name("postgres://app@db.example", true), "lets_connect_users");
        assert_eq!(name("postgresql://app@db.example/", true), "lets_connect_users");
        assert_eq!(name("postgres://app@db.example/people", false), "people");
        assert_eq!(name("postgres://app@db.example", false), "lets_connect_users");
    }

    #[test]
    fn a_server_is_named_without_secrets() {
        let target =
            parse("postgres://app:secret@db.example:6000,b.example:6001/app?sslmode=require&connect_timeout=3", true).expect("a URL");
        assert_eq!((target.server().as_str(), target.role()), ("db.example:6000,b.example:6001", "app"));
        assert_eq!(parse("postgres://app@db.example", true).expect("a URL").server(), "db.example:5432");
    }

    #[test]
    fn every_mode_of_tls_is_known_and_no_other() {
        for (mode, encrypts) in [("disable", false), ("prefer", true), ("require", true)] {
            let target = parse(&format!("postgres://a@b/c?sslmode={mode}"), true).expect("a URL");
            assert_eq!(target.tls.is_some(), encrypts, "{mode}");
        }
        assert!(parse("postgres://a@b/c", true).expect("a URL").tls.is_some(), "what the server offers is taken");
        for mode in ["allow", "verify-ca", "VERIFY-FULL", ""] {
            let refused = parse(&format!("postgres://a:secret@b/c?sslmode={mode}"), true).map(drop).expect_err("refused");
            assert!(refused.contains("verify-full") && !refused.contains("secret"), "{refused}");
        }
    }

    #[test]
    fn what_is_no_url_of_a_server_is_refused() {
        for url in ["", "host=db user=app", "mysql://a@b/c", "postgres://a:secret@b:port/c", "postgres:///app"] {
            let refused = parse(url, true).map(drop).expect_err(url);
            assert!(!refused.contains("secret"), "{refused}");
        }
    }
}
