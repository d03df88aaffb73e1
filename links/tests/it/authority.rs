//! Certificates for tests.

use rcgen::{BasicConstraints, CertificateParams, DnType, IsCa, Issuer, KeyPair, KeyUsagePurpose};
use std::{fs, path::Path};
use time::{Duration, OffsetDateTime};

/// Who signs a cluster's certificates.
pub struct Authority {
    pub pem: String,
    issuer: Issuer<'static, KeyPair>,
}

/// A certificate with its key, in PEM.
pub struct Identity {
    pub certificate: String,
    pub key: String,
}

impl Authority {
    pub fn new() -> Self {
        let mut params = CertificateParams::default();
        params.distinguished_name.push(DnType::CommonName, "test authority");
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        params.key_usages = vec![KeyUsagePurpose::KeyCertSign];
        let key = KeyPair::generate().expect("a key");
        let pem = params.self_signed(&key).expect("a certificate").pem();
        Self { pem, issuer: Issuer::new(params, key) }
    }

    /// For a node of this name, valid since yesterday until so many days from now.
    pub fn identity(&self, name: &str, days: i64) -> Identity {
        let mut params = CertificateParams::new([name.to_owned()]).expect("a name");
        let now = OffsetDateTime::now_utc();
        (params.not_before, params.not_after) = (now - Duration::days(2), now + Duration::days(days));
        let key = KeyPair::generate().expect("a key");
        let certificate = params.signed_by(&key, &self.issuer).expect("a certificate").pem();
        Identity { certificate, key: key.serialize_pem() }
    }

    /// Writes what a node of this name needs into a folder.
    pub fn equip(&self, folder: &Path, name: &str) {
        write(folder, &self.pem, &self.identity(name, 30));
    }
}

/// Writes a node's files. Each is whole at any time, as a renewed secret is.
pub fn write(folder: &Path, authorities: &str, identity: &Identity) {
    fs::create_dir_all(folder).expect("a folder");
    for (name, text) in [("ca.crt", authorities), ("tls.crt", &identity.certificate), ("tls.key", &identity.key)] {
        let new = folder.join(format!("{name}.new"));
        fs::write(&new, text).expect("a file");
        fs::rename(new, folder.join(name)).expect("a file");
    }
}
