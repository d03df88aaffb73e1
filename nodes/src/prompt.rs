//! Asks an operator for a password: at a terminal without showing it, else from the first line of standard input. Never from the command line, which
//! every user of the machine can read.

use anyhow::{Context, Result, bail};
use rustix::termios::{LocalModes, OptionalActions, tcgetattr, tcsetattr};
use std::io::{self, BufRead, IsTerminal, Read, Write};

/// The longest line read: any password that is accepted is shorter.
const LINE_BYTES_MAX: u64 = 4096;

/// Asks for a new password.
///
/// # Errors
/// When there is none, it is not sound, or it was not typed the same way twice.
pub fn new_password() -> Result<String> {
    let stdin = io::stdin();
    if !stdin.is_terminal() {
        let password = line(&mut stdin.lock())?;
        return sound(password);
    }
    let first = sound(hidden("New password: ")?)?;
    if hidden("Again: ")? == first { Ok(first) } else { bail!("the two are not the same; nothing was changed") }
}

fn sound(password: String) -> Result<String> {
    match protocol::account::password(&password) {
        Ok(()) => Ok(password),
        Err(refusal) => bail!("{}", refusal.detail),
    }
}

/// Reads a line at the terminal, which shows nothing of it meanwhile.
fn hidden(prompt: &str) -> Result<String> {
    let stdin = io::stdin();
    let shown = tcgetattr(&stdin).context("the terminal cannot be asked for its modes")?;
    let mut quiet = shown.clone();
    quiet.local_modes.remove(LocalModes::ECHO);
    eprint!("{prompt}");
    io::stderr().flush().ok();
    tcsetattr(&stdin, OptionalActions::Flush, &quiet).context("the terminal cannot be kept from showing the password")?;
    let line = line(&mut stdin.lock());
    tcsetattr(&stdin, OptionalActions::Flush, &shown).context("the terminal does not show what is typed any more: type `reset`")?;
    eprintln!();
    line
}

fn line(input: &mut impl BufRead) -> Result<String> {
    let mut line = String::new();
    input.take(LINE_BYTES_MAX).read_line(&mut line).context("no password can be read")?;
    if line.is_empty() {
        bail!("no password came by standard input; it takes one line, or a terminal");
    }
    // One line break belongs to the line; anything else may be the password's.
    let line = line.strip_suffix('\n').map_or(line.as_str(), |line| line.strip_suffix('\r').unwrap_or(line));
    Ok(line.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_password_is_a_line_without_its_break() {
        let read = |text: &str| line(&mut text.as_bytes()).ok();
        assert_eq!(read("a password \n").as_deref(), Some("a password "));
        assert_eq!(read("a password\r\nmore").as_deref(), Some("a password"));
        assert_eq!(read("a password").as_deref(), Some("a password"));
        assert_eq!(read(""), None);
        assert!(sound("short".to_owned()).is_err() && sound("long enough".to_owned()).is_ok());
    }
}
