//! Certificates of a cluster's nodes: a private authority, and what each node needs, in folders that become Kubernetes secrets.
//!
//! ```text
//! <folder>/authority/ca.key    signs certificates; stays with the operator
//!                    ca.crt    whom nodes believe
//!                    cookie    what all nodes of the cluster know
//! <folder>/<node>/   ca.crt, tls.crt, tls.key, cookie    what that node mounts, under the names that Kubernetes and cert-manager use
//! ```

use anyhow::{Context, Result, ensure};
use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use rand::RngCore;
use rcgen::{
    BasicConstraints, CertificateParams, DistinguishedName, DnType, ExtendedKeyUsagePurpose, IsCa, Issuer, KeyPair, KeyUsagePurpose,
    SanType,
};
use std::{
    fmt,
    fs::{self, DirBuilder, File, OpenOptions},
    io::Write,
    os::unix::fs::{DirBuilderExt, OpenOptionsExt},
    path::{Path, PathBuf},
};
use time::{Duration, OffsetDateTime, macros::format_description};

/// An authority lasts for longer than anybody should keep its key.
const AUTHORITY_DAYS: i64 = 3650;
/// Clocks of nodes differ: a certificate is valid from a while before it was made.
const BACKDATED: Duration = Duration::hours(1);
/// Of the cookie, before it is written as text.
const COOKIE_BYTES: usize = 32;

const AUTHORITY: &str = "authority";
/// Everybody may read a certificate, and only the owner a secret.
const PUBLIC: u32 = 0o644;
const SECRET: u32 = 0o600;
const SECRET_FOLDER: u32 = 0o700;

/// What was made.
#[derive(Debug)]
pub struct Made {
    folder: PathBuf,
    is_new: bool,
    nodes: Vec<String>,
    expires: OffsetDateTime,
}

impl fmt::Display for Made {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { folder, is_new, nodes, expires } = self;
        if *is_new {
            writeln!(f, "{} is a new authority: keep its key to yourself", folder.join(AUTHORITY).display())?;
        }
        let day = expires.format(format_description!("[year]-[month]-[day]")).map_err(|_| fmt::Error)?;
        nodes.iter().try_for_each(|node| writeln!(f, "{} is valid until {day}", folder.join(node).display()))
    }
}

/// Makes certificates for nodes of these names, valid for so many days, and the authority before them if the folder has none. A node that has a
/// certificate gets another one with another key; the files are exchanged one by one, each whole at any time, so a running node may read them.
///
/// # Errors
/// When a name cannot be a node's, or a file cannot be read or written: what was made until then stays, and a repetition makes the rest.
pub fn make(folder: &Path, nodes: &[String], days: u32) -> Result<Made> {
    for node in nodes {
        ensure!(
            is_host_name(node) && node != AUTHORITY,
            "{node:?} cannot be the name of a node: it takes small letters, digits, hyphens and dots"
        );
    }
    let authority = folder.join(AUTHORITY);
    let is_new = !authority.try_exists().with_context(|| format!("{} cannot be looked at", authority.display()))?;
    if is_new {
        found(&authority)?;
    }
    let (certificate, cookie) = (read(&authority.join("ca.crt"))?, read(&authority.join("cookie"))?);
    let key = KeyPair::from_pem(&read(&authority.join("ca.key"))?).context("the authority's key is none")?;
    let issuer = Issuer::from_ca_cert_pem(&certificate, key).context("the authority's certificate is none")?;
    let expires = OffsetDateTime::now_utc() + Duration::days(days.into());
    for node in nodes {
        let place = folder.join(node);
        make_folder(&place)?;
        let key = KeyPair::generate().context("a key cannot be made")?;
        let signed = of_a_node(node, expires)?.signed_by(&key, &issuer).with_context(|| format!("{node} cannot be signed"))?;
        write(&place.join("ca.crt"), &certificate, PUBLIC)?;
        write(&place.join("tls.key"), &key.serialize_pem(), SECRET)?;
        write(&place.join("tls.crt"), &signed.pem(), PUBLIC)?;
        write(&place.join("cookie"), &cookie, SECRET)?;
    }
    Ok(Made { folder: folder.to_owned(), is_new, nodes: nodes.to_vec(), expires })
}

/// Makes an authority, whole or not at all.
fn found(authority: &Path) -> Result<()> {
    let unfinished = authority.with_extension("new");
    make_folder(&unfinished)?;
    let key = KeyPair::generate().context("a key cannot be made")?;
    let now = OffsetDateTime::now_utc();
    let mut params = named("Let's Connect cluster");
    params.not_before = now - BACKDATED;
    params.not_after = now + Duration::days(AUTHORITY_DAYS);
    // It signs nodes, and no other authorities.
    params.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
    params.key_usages = vec![KeyUsagePurpose::KeyCertSign];
    let certificate = params.self_signed(&key).context("the authority cannot be signed")?;
    let mut cookie = [0; COOKIE_BYTES];
    rand::rng().fill_bytes(&mut cookie);
    write(&unfinished.join("ca.key"), &key.serialize_pem(), SECRET)?;
    write(&unfinished.join("ca.crt"), &certificate.pem(), PUBLIC)?;
    write(&unfinished.join("cookie"), &format!("{}\n", URL_SAFE_NO_PAD.encode(cookie)), SECRET)?;
    fs::rename(&unfinished, authority).with_context(|| format!("{} cannot be made", authority.display()))
}

fn of_a_node(name: &str, expires: OffsetDateTime) -> Result<CertificateParams> {
    let mut params = named(name);
    params.subject_alt_names = vec![SanType::DnsName(name.try_into().with_context(|| format!("{name} cannot be named"))?)];
    params.not_before = OffsetDateTime::now_utc() - BACKDATED;
    params.not_after = expires;
    params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
    // Each node dials and is dialled.
    params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth, ExtendedKeyUsagePurpose::ClientAuth];
    params.use_authority_key_identifier_extension = true;
    Ok(params)
}

fn named(name: &str) -> CertificateParams {
    let mut params = CertificateParams::default();
    params.distinguished_name = DistinguishedName::new();
    params.distinguished_name.push(DnType::CommonName, name);
    params
}

/// Names as they are in DNS (RFC 1123, section 2.1), and not addresses, which look like them.
fn is_host_name(name: &str) -> bool {
    let is_label = |label: &str| {
        let sound = label.bytes().all(|b| matches!(b, b'a'..=b'z' | b'0'..=b'9' | b'-'));
        sound && (1..=63).contains(&label.len()) && !label.starts_with('-') && !label.ends_with('-')
    };
    let is_number = |label: &str| label.bytes().all(|b| b.is_ascii_digit());
    name.len() <= 253 && name.split('.').all(is_label) && !name.rsplit('.').next().is_none_or(is_number)
}

fn make_folder(path: &Path) -> Result<()> {
    DirBuilder::new().recursive(true).mode(SECRET_FOLDER).create(path).with_context(|| format!("{} cannot be made", path.display()))
}

fn read(path: &Path) -> Result<String> {
    fs::read_to_string(path).with_context(|| format!("{} cannot be read", path.display()))
}

/// Puts a file in the place of another one, if there is one.
fn write(path: &Path, text: &str, mode: u32) -> Result<()> {
    let new = path.with_extension("new");
    let written = || {
        // One that an interrupted run left might be open to others.
        let _ = fs::remove_file(&new);
        let mut file: File = OpenOptions::new().write(true).create_new(true).mode(mode).open(&new)?;
        file.write_all(text.as_bytes())?;
        file.sync_all()?;
        fs::rename(&new, path)
    };
    written().with_context(|| format!("{} cannot be written", path.display()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_those_of_hosts() {
        for name in ["node-1", "lets-connect-0.nodes.prod.svc.cluster.local", "a", "1a", "3.eu"] {
            assert!(is_host_name(name), "{name}");
        }
        let long = "a".repeat(64);
        for name in ["", "Node", "node_1", "-a", "a-", "a..b", ".", "10.0.0.1", "7", "../up", "a/b", "*.svc", &long] {
            assert!(!is_host_name(name), "{name}");
        }
    }
}
