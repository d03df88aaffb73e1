//! What carries mail: an SMTP server or, without one, files that the operator reads.

use actors::mail::{Mail, MailError, Mailer};
use anyhow::{Context, Result};
use futures_util::{FutureExt, future::BoxFuture};
use lettre::{
    AsyncSmtpTransport, AsyncTransport, Message, Tokio1Executor,
    message::{
        Body, Mailbox,
        header::{ContentTransferEncoding, ContentType},
    },
};
use std::{
    fs::{self, DirBuilder, OpenOptions},
    io::{self, Write},
    os::unix::fs::{DirBuilderExt, OpenOptionsExt},
    path::{Path, PathBuf},
    sync::Arc,
    time::Duration,
};
use uuid::Uuid;

use crate::config::Config;

/// How long each step of a conversation with the SMTP server may take.
const SMTP_STEP_MAX: Duration = Duration::from_secs(30);
/// A whole conversation.
const SMTP_MAX: Duration = Duration::from_secs(60);
/// The longest line of a mail's text.
const LINE_BYTES_MAX: usize = 998;
/// Mails kept as files; one more removes the oldest.
const FILES_MAX: usize = 1000;

/// What carries mail by this configuration.
///
/// # Errors
/// When the settings make no mailer: they were checked when they were read.
pub fn mailer(config: &Config) -> Result<Arc<dyn Mailer>> {
    let from: Mailbox = config.mail.from.as_str().parse().context("mail.from")?;
    Ok(match &config.mail.smtp_url {
        Some(url) => {
            let transport = AsyncSmtpTransport::<Tokio1Executor>::from_url(url.expose()).context("mail.smtp_url")?;
            Arc::new(Smtp { from, transport: transport.timeout(Some(SMTP_STEP_MAX)).build() })
        }
        None => Arc::new(Files { from, dir: config.node.data_dir.join("mail") }),
    })
}

/// Whether the configured SMTP server answers, and lets us in; `None` without one.
///
/// # Errors
/// When it does not within `patience`: what happened, without the URL.
pub async fn reach(config: &Config, patience: Duration) -> Option<Result<(), String>> {
    let url = config.mail.smtp_url.as_ref()?;
    let look = async {
        let transport = AsyncSmtpTransport::<Tokio1Executor>::from_url(url.expose()).map_err(|error| error.to_string())?;
        let transport: AsyncSmtpTransport<Tokio1Executor> = transport.timeout(Some(patience)).build();
        match transport.test_connection().await {
            Ok(true) => Ok(()),
            Ok(false) => Err("it answers, and does not accept mail".to_owned()),
            Err(error) => Err(error.status().map_or_else(|| error.to_string(), |code| format!("it answered {code}"))),
        }
    };
    let reached = tokio::time::timeout(patience, look).await;
    Some(reached.unwrap_or_else(|_| Err(format!("no answer within {patience:?}"))))
}

fn message(from: &Mailbox, mail: Mail) -> Result<Message, MailError> {
    // What is refused here names neither the address nor the text.
    let refused = |what: &str| MailError::Refused(format!("{what} makes no mail"));
    let to = mail.to.parse().map_err(|_| refused("the person's address"))?;
    let builder = Message::builder().from(from.clone()).to(Mailbox::new(None, to)).subject(mail.subject).header(ContentType::TEXT_PLAIN);
    // As it is, in lines of up to 998 characters (RFC 5322, 2.1.1): encoded, a link is cut into lines, which whoever reads a file would have to join.
    if !mail.text.is_ascii() || mail.text.lines().any(|line| line.len() > LINE_BYTES_MAX) {
        return Err(refused("the text"));
    }
    let lines: String = mail.text.lines().flat_map(|line| [line, "\r\n"]).collect();
    let body = Body::dangerous_pre_encoded(lines.into_bytes(), ContentTransferEncoding::SevenBit);
    builder.body(body).map_err(|_| refused("the text"))
}

struct Smtp {
    from: Mailbox,
    transport: AsyncSmtpTransport<Tokio1Executor>,
}

impl Mailer for Smtp {
    fn send(&self, mail: Mail) -> BoxFuture<'_, Result<(), MailError>> {
        async move {
            let message = message(&self.from, mail)?;
            let sent = tokio::time::timeout(SMTP_MAX, self.transport.send(message)).await;
            match sent {
                Err(_) => Err(MailError::Unavailable(format!("the SMTP server took over {SMTP_MAX:?}"))),
                Ok(Ok(_)) => Ok(()),
                // What the server says may repeat the address; its code says enough.
                Ok(Err(error)) => match error.status() {
                    Some(code) if error.is_permanent() => Err(MailError::Refused(format!("the SMTP server answered {code}"))),
                    Some(code) => Err(MailError::Unavailable(format!("the SMTP server answered {code}"))),
                    None => Err(MailError::Unavailable(error.to_string())),
                },
            }
        }
        .boxed()
    }
}

/// Mail as files in a directory of the operator's alone, for a platform that has no mail server, or not yet. Mail holds tokens, so it is not logged.
struct Files {
    from: Mailbox,
    dir: PathBuf,
}

impl Mailer for Files {
    fn send(&self, mail: Mail) -> BoxFuture<'_, Result<(), MailError>> {
        async move {
            let bytes = message(&self.from, mail)?.formatted();
            let dir = self.dir.clone();
            let written = tokio::task::spawn_blocking(move || keep(&dir, &bytes)).await;
            let path = written.map_err(io::Error::other).flatten().map_err(|error| MailError::Unavailable(error.to_string()))?;
            tracing::info!(path = %path.display(), "a mail was written to a file, since mail.smtp_url is off");
            Ok(())
        }
        .boxed()
    }
}

/// Writes a mail under a name that sorts by time, whole or not at all.
fn keep(dir: &Path, bytes: &[u8]) -> io::Result<PathBuf> {
    DirBuilder::new().recursive(true).mode(0o700).create(dir)?;
    let name = Uuid::now_v7();
    let (draft, path) = (dir.join(format!("{name}.draft")), dir.join(format!("{name}.eml")));
    let mut file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(&draft)?;
    file.write_all(bytes)?;
    file.sync_all()?;
    fs::rename(&draft, &path)?;
    let mut names: Vec<_> = fs::read_dir(dir)?.filter_map(|entry| Some(entry.ok()?.path())).collect();
    names.sort();
    for oldest in names.iter().take(names.len().saturating_sub(FILES_MAX)) {
        fs::remove_file(oldest)?;
    }
    Ok(path)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::PermissionsExt;

    #[test]
    fn mail_in_files_is_the_operators_alone_and_bounded() {
        let home = tempfile::tempdir().expect("a directory");
        let dir = home.path().join("mail");
        let first = keep(&dir, b"first").expect("written");
        let mode = |path: &Path| fs::metadata(path).expect("it is there").permissions().mode() & 0o777;
        assert_eq!((mode(&dir), mode(&first)), (0o700, 0o600));
        for n in 1..FILES_MAX {
            fs::write(dir.join(format!("{}.eml", Uuid::now_v7())), [n as u8]).expect("written");
        }
        assert!(first.exists());
        let last = keep(&dir, b"last").expect("written");
        assert!(!first.exists() && last.exists());
        assert_eq!(fs::read_dir(&dir).expect("a directory").count(), FILES_MAX);
    }

    #[test]
    fn a_link_stays_in_one_line() {
        let from: Mailbox = "Let's Connect <no-reply@localhost>".parse().expect("a sender");
        let link = format!("https://connect.example/reset-password#token={}", "x".repeat(64));
        let mail = |text: &str| Mail { to: "ada@example.org".to_owned(), subject: "x".to_owned(), text: text.to_owned() };
        let sent =
            message(&from, mail(&format!("hello\n\n{link}\n"))).map(|m| String::from_utf8(m.formatted()).expect("text")).expect("a mail");
        assert!(sent.ends_with(&format!("\r\n\r\nhello\r\n\r\n{link}\r\n")), "{sent}");
        assert!(message(&from, mail(&"x".repeat(999))).is_err() && message(&from, mail("ä")).is_err());
    }

    #[test]
    fn a_mail_cannot_bring_headers_of_its_own() {
        let from: Mailbox = "Let's Connect <no-reply@localhost>".parse().expect("a sender");
        let mail = |to: &str, subject: &str| Mail { to: to.to_owned(), subject: subject.to_owned(), text: "hello".to_owned() };
        assert!(matches!(message(&from, mail("a@b\r\nBcc: c@d", "x")), Err(MailError::Refused(_))));
        let sent = message(&from, mail("ada@example.org", "x\r\nBcc: c@d")).map(|m| String::from_utf8(m.formatted()).expect("text"));
        assert!(!sent.expect("a mail").contains("\r\nBcc:"));
    }
}
