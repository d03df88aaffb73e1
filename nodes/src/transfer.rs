//! `lets-connect export` and `import`: where the document is, how far it is, and what it came to.

use crate::{config::Config, storage};
use anyhow::{Context, Result, ensure};
use std::{
    fs::{self, File, OpenOptions},
    io::{self, BufReader, BufWriter, IsTerminal, Write},
    os::unix::fs::OpenOptionsExt,
    path::{Path, PathBuf},
    time::{Duration, Instant},
};
use store::transfer::{self, Progress, Source, Summary};

/// How often somebody who watches is told how far it is.
const TELL: Duration = Duration::from_millis(200);
/// Bytes that are read or written at a time.
const BUFFER_BYTES: usize = 1 << 20;

/// Writes the configured stores into a file, which is there whole or not at all, or to standard output for `-`.
/// Answers what it came to, in a sentence.
///
/// # Errors
/// When there is such a file, or the stores cannot be exported. Repeating begins anew, with what there is then.
pub async fn export(config: &Config, to: &Path) -> Result<String> {
    let mut meter = Meter::new("exported");
    if to == Path::new("-") {
        let summary = written(config, io::stdout().lock(), &mut meter).await?;
        return Ok(format!("exported {}", told(&summary)));
    }
    ensure!(!to.exists(), "{} is there already: name a file that is not", to.display());
    let unfinished = beside(to, ".unfinished");
    let cannot = || format!("{} cannot be written", unfinished.display());
    // An earlier export that was killed left it: it is of an instant that is gone. A new file is only ever its owner's.
    let _ = fs::remove_file(&unfinished);
    let file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(&unfinished).with_context(cannot)?;
    let exported = async {
        let summary = written(config, BufWriter::with_capacity(BUFFER_BYTES, &file), &mut meter).await?;
        file.sync_all().with_context(cannot)?;
        Ok(summary)
    };
    let summary = match exported.await {
        Ok(summary) => summary,
        Err(error) => {
            let _ = fs::remove_file(&unfinished);
            return Err(error);
        }
    };
    fs::rename(&unfinished, to).with_context(|| format!("{} cannot be made", to.display()))?;
    let folder = to.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    File::open(folder).and_then(|folder| folder.sync_all()).with_context(cannot)?;
    Ok(format!("{} holds {}", to.display(), told(&summary)))
}

async fn written(config: &Config, out: impl Write, meter: &mut Meter) -> Result<Summary> {
    let source: Source = storage::source(config).await?;
    let summary = transfer::export(&source, out, &mut |progress| meter.tell(progress)).await;
    meter.end();
    Ok(summary?)
}

/// Makes an instance of a document in a file, or on standard input for `-`, in the configured stores, which must be empty, or hold a part of it already.
/// Answers what it came to, in a sentence.
///
/// # Errors
/// When the stores are not empty or in use, or the document is not sound or not whole. The same document can be imported again: what is there stays.
pub async fn import(config: &Config, from: &Path) -> Result<String> {
    let (mut target, lease) = storage::target(config).await?;
    let mut meter = Meter::new("imported");
    let mut tell = |progress| meter.tell(progress);
    let summary = if from == Path::new("-") {
        transfer::import(&mut target, io::stdin().lock(), "standard input", &mut tell).await
    } else {
        let name = from.display().to_string();
        let file = File::open(from).with_context(|| format!("{name} cannot be read"))?;
        transfer::import(&mut target, BufReader::with_capacity(BUFFER_BYTES, file), &name, &mut tell).await
    };
    meter.end();
    drop(target);
    if let Some(lease) = lease {
        lease.release();
    }
    let summary = summary?;
    let before = match summary.rows_before {
        0 => String::new(),
        rows => format!("; {rows} of them were there"),
    };
    Ok(format!("imported {}{before}", told(&summary)))
}

fn told(summary: &Summary) -> String {
    format!("{} rows of {}", summary.rows, summary.header.made_at)
}

fn beside(path: &Path, ending: &str) -> PathBuf {
    let mut name = path.file_name().unwrap_or_default().to_owned();
    name.push(ending);
    path.with_file_name(name)
}

/// One line on a terminal that says how far it is.
struct Meter {
    verb: &'static str,
    is_watched: bool,
    began: Instant,
    last: Option<Instant>,
}

impl Meter {
    fn new(verb: &'static str) -> Self {
        Self { verb, is_watched: io::stderr().is_terminal(), began: Instant::now(), last: None }
    }

    fn tell(&mut self, progress: Progress) {
        let is_due = self.last.is_none_or(|last| last.elapsed() >= TELL);
        if !self.is_watched || !is_due {
            return;
        }
        self.last = Some(Instant::now());
        let Progress { database, table, rows } = progress;
        let pace = rows as f64 / self.began.elapsed().as_secs_f64().max(0.001);
        // Back to the line's begin, and what was there before is gone.
        eprint!("\r\x1b[K{} {rows} rows, {pace:.0}/s: {database}.{table}", self.verb);
    }

    fn end(&mut self) {
        if self.last.take().is_some() {
            eprint!("\r\x1b[K");
        }
    }
}
