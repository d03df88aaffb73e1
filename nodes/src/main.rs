//! `lets-connect`: the whole platform in one binary.

use anyhow::{Context, Result};
use clap::Parser;
use nodes::{
    certs,
    cli::{Cli, Command, MigrateOptions},
    cluster,
    config::{self, Config, Faults, Flags, Loaded, Log, LogFilter},
    demo, doctor, health, node, open_files, operator, storage, telemetry,
    traces::Traces,
    transfer,
};
use std::{
    fmt::Display,
    io::{self, Write},
    process::ExitCode,
};

// Many small snapshots are made and dropped on many threads: measured against the system's allocator in docs/performance.md.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// The exit code for a configuration that is refused (sysexits' EX_CONFIG is not what shells expect; 2 is "usage").
const REFUSED: u8 = 2;

fn main() -> ExitCode {
    // The allocator asks for huge pages, and fills few of them: a process without data took 70 MB with them, and takes 51 without (docs/performance.md).
    // Where the system refuses, it is as it was.
    #[cfg(target_os = "linux")]
    let _ = rustix::thread::disable_transparent_huge_pages(true);
    let (command, flags) = Cli::parse().into_parts();
    match run(command, flags) {
        Ok(code) => code,
        Err(error) => {
            eprintln!("lets-connect: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn run(command: Command, flags: Flags) -> Result<ExitCode> {
    match command {
        Command::Version => print(concat!("lets-connect ", env!("CARGO_PKG_VERSION"), "\n"))?,
        Command::Config { docs: true } => print(config::reference())?,
        Command::Doctor { json } => return doctor(Loaded::from_process(flags), json),
        Command::Certs(options) => print(certs::make(&options.folder, &options.nodes, options.days)?)?,
        command => match Loaded::from_process(flags) {
            Err(faults) => {
                eprintln!("{faults}");
                return Ok(ExitCode::from(REFUSED));
            }
            Ok(loaded) => with_config(command, &loaded)?,
        },
    }
    Ok(ExitCode::SUCCESS)
}

fn with_config(command: Command, loaded: &Loaded) -> Result<()> {
    let config = &loaded.config;
    match command {
        Command::Config { .. } => print(loaded.to_toml())?,
        Command::CheckConfig => print("the configuration is sound\n")?,
        Command::Migrate(how) => migrate(config, &how)?,
        Command::Backup(folder) => {
            let made = storage::back_up(config, &folder)?;
            print(format_args!("{} holds {} of {}\n", folder.display(), size(&made), made.made_at))?;
        }
        Command::Restore(folder) => {
            let made = storage::restore(config, &folder)?;
            print(format_args!("{} holds {} of {}\n", config.node.data_dir.display(), size(&made), made.made_at))?;
        }
        Command::Export(file) => {
            let done = runtime(config)?.block_on(transfer::export(config, &file))?;
            // Where standard output is the document's, nothing else goes there.
            if file.as_os_str() == "-" { eprintln!("{done}") } else { print(format_args!("{done}\n"))? }
        }
        Command::Import(file) => {
            let done = runtime(config)?.block_on(transfer::import(config, &file))?;
            print(format_args!("{done}\n"))?;
        }
        Command::Serve => {
            let runtime = runtime(config)?;
            let traces = runtime.block_on(async { Traces::start(config) })?;
            let telemetry = telemetry::start(&config.log, traces)?;
            open_files::allow(node::open_files(config, config.listeners().len()), node::open_files(config, 1));
            let served = runtime.block_on(async { node::serve(config, &telemetry, asked_to_stop()?).await });
            telemetry.finish();
            served?;
        }
        Command::Demo(options) if options.bulk => {
            anyhow::ensure!(
                !storage::is_on_a_server(config),
                "bulk loading fills the embedded store only: leave --bulk out, and a server fills itself through its API"
            );
            let summary = demo::bulk(&(&options).into(), &config.node.data_dir, &config.account, |step| eprintln!("{step}"))?;
            print(format_args!("{summary}\n"))?;
        }
        Command::Demo(options) => {
            let gateway = format!("http://{}", config.listen.gateway);
            let summary = runtime(config)?.block_on(demo::through_api(&(&options).into(), &gateway, |step| eprintln!("{step}")))?;
            print(format_args!("{summary}\n"))?;
        }
        Command::User(deed) => {
            // What goes wrong is told; what goes well is one sentence.
            telemetry::start(&Log { filter: LogFilter::parse("warn").context("a level is a filter")?, ..config.log.clone() }, None)?;
            let done = runtime(config)?.block_on(operator::carry_out(config, &deed))?;
            print(format_args!("{done}\n"))?;
        }
        Command::Health { ready } => print(runtime(config)?.block_on(health::ask(config, ready))?)?,
        Command::Cluster(question) => print(runtime(config)?.block_on(cluster::ask(config, &question))?)?,
        Command::Certs(_) | Command::Version | Command::Doctor { .. } => {}
    }
    Ok(())
}

fn doctor(loaded: Result<Loaded, Faults>, json: bool) -> Result<ExitCode> {
    let findings = match loaded {
        Err(faults) => doctor::refused(&faults),
        Ok(loaded) => runtime(&loaded.config)?.block_on(doctor::look(&loaded.config)),
    };
    print(if json { doctor::json(&findings) } else { doctor::text(&findings) })?;
    Ok(ExitCode::from(doctor::worst(&findings) as u8))
}

/// How much a backup holds.
fn size(made: &store::sqlite::backup::Manifest) -> String {
    let bytes: u64 = made.databases.values().map(|copied| copied.bytes).sum();
    format!("{} databases, {} kB,", made.databases.len(), bytes.div_ceil(1000))
}

fn migrate(config: &Config, how: &MigrateOptions) -> Result<()> {
    let runtime = runtime(config)?;
    let steps = match how.online {
        true => runtime.block_on(storage::migrate_online(config))?,
        false => runtime.block_on(storage::migrate(config, how.dry_run))?,
    };
    let word = if how.dry_run { "due" } else { "applied" };
    for step in &steps {
        print(format_args!("{word} {} {:04} {}\n", step.database, step.version, step.name))?;
    }
    if steps.is_empty() {
        print("the store is up to date\n")?;
    }
    if let Some(role) = &how.grant {
        runtime.block_on(storage::grant(config, role))?;
        print(format_args!("{role} may run the platform\n"))?;
    }
    Ok(())
}

/// Prints what was asked for. A reader who has seen enough (`lets-connect config | head`) and leaves is no fault, which `print!` makes it.
fn print(text: impl Display) -> Result<()> {
    let mut stdout = io::stdout().lock();
    match write!(stdout, "{text}").and_then(|()| stdout.flush()) {
        Err(error) if error.kind() != io::ErrorKind::BrokenPipe => Err(error).context("standard output cannot be written"),
        _ => Ok(()),
    }
}

fn runtime(config: &Config) -> Result<tokio::runtime::Runtime> {
    let threads = config.node.worker_threads();
    let mut builder = tokio::runtime::Builder::new_multi_thread();
    builder.worker_threads(threads).thread_name("worker").enable_all().build().context("the runtime does not start")
}

/// Resolves at SIGTERM or Ctrl-C.
fn asked_to_stop() -> Result<impl Future<Output = ()>> {
    use tokio::signal::unix::{SignalKind, signal};
    let (mut terminate, mut interrupt) = (signal(SignalKind::terminate())?, signal(SignalKind::interrupt())?);
    Ok(async move {
        tokio::select! {
            _ = terminate.recv() => {}
            _ = interrupt.recv() => {}
        }
    })
}
