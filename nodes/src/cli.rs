//! The command line.

use clap::{Args, Parser, Subcommand};

use crate::config::Flags;
use protocol::Role;
use std::path::PathBuf;

const AFTER_HELP: &str = "\
Examples:
  lets-connect                                     serve on 127.0.0.1:8000 with everything in ./data
  lets-connect --set demo.users=1000               the same, with demo people if the store is empty
  lets-connect --data-dir /tmp/b --listen-port-base 9000
                                                   a second one beside it
  lets-connect config                              print the configuration and where it comes from

Settings come from defaults, a TOML file, LETS_CONNECT_* variables and the options above, the last the strongest.
`lets-connect config --docs` prints the reference of every setting.";

/// A social platform back end whose caches never lie: people, posts, feeds and a shop in one process.
#[derive(Debug, Parser)]
#[command(name = "lets-connect", version, about, after_help = AFTER_HELP, max_term_width = 120)]
#[command(disable_help_subcommand = true)]
pub struct Cli {
    // Not clap's `global`: of an option given both before and after a command's name it would drop the former.
    #[command(flatten)]
    flags: Flags,

    #[command(subcommand)]
    command: Option<Subcommands>,
}

impl Cli {
    /// Returns what to do, and the options that configure the node, wherever on the line they stood.
    pub fn into_parts(self) -> (Command, Flags) {
        let (command, own) = match self.command {
            None => (Command::Serve, Flags::default()),
            Some(Subcommands::Serve(flags)) => (Command::Serve, flags),
            Some(Subcommands::Migrate { how, flags }) => (Command::Migrate(how), flags),
            Some(Subcommands::Backup { folder, flags }) => (Command::Backup(folder), flags),
            Some(Subcommands::Restore { folder, flags }) => (Command::Restore(folder), flags),
            Some(Subcommands::Export { file, flags }) => (Command::Export(file), flags),
            Some(Subcommands::Import { file, flags }) => (Command::Import(file), flags),
            Some(Subcommands::Doctor { json, flags }) => (Command::Doctor { json }, flags),
            Some(Subcommands::Health { ready, flags }) => (Command::Health { ready }, flags),
            Some(Subcommands::Config { docs, flags }) => (Command::Config { docs }, flags),
            Some(Subcommands::CheckConfig(flags)) => (Command::CheckConfig, flags),
            Some(Subcommands::Demo { demo, flags }) => (Command::Demo(demo), flags),
            Some(Subcommands::User { deed }) => {
                let flags = deed.flags().clone();
                (Command::User(deed), flags)
            }
            Some(Subcommands::Cluster { question }) => {
                let flags = question.how().flags.clone();
                (Command::Cluster(question), flags)
            }
            Some(Subcommands::Certs(certs)) => (Command::Certs(certs), Flags::default()),
            Some(Subcommands::Version) => (Command::Version, Flags::default()),
        };
        (command, self.flags.then(own))
    }
}

/// What the binary is asked to do.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Command {
    /// Serve until asked to stop.
    Serve,
    /// Apply the migrations that are due, and exit.
    Migrate(MigrateOptions),
    /// Copy the embedded store into this folder, also while a server uses it.
    Backup(PathBuf),
    /// Make the data directory of the copy in this folder.
    Restore(PathBuf),
    /// Write the whole instance into this file, or `-`.
    Export(PathBuf),
    /// Make an instance of the document in this file, or `-`.
    Import(PathBuf),
    /// Look at everything that a server of this configuration depends on.
    Doctor {
        /// For programs.
        json: bool,
    },
    /// Say whether the running server of this configuration is well.
    Health {
        /// Whether it is to be sent requests, instead of whether it lives.
        ready: bool,
    },
    /// Print the configuration in force.
    Config {
        /// Print the reference of all settings instead; reads no configuration.
        docs: bool,
    },
    /// Say whether the configuration is sound.
    CheckConfig,
    /// Make demo data.
    Demo(DemoOptions),
    /// Change an account on the store itself, while no server uses it.
    User(UserDeed),
    /// Show what a running node knows of its cluster.
    Cluster(ClusterQuestion),
    /// Make certificates for a cluster's nodes; reads no configuration.
    Certs(CertsOptions),
    /// Print the name and version; reads no configuration.
    Version,
}

/// How the store is brought up.
#[derive(Debug, Clone, Default, PartialEq, Eq, Args)]
#[allow(missing_docs)]
pub struct MigrateOptions {
    /// Only say what is due, and change nothing
    #[arg(long, conflicts_with = "grant")]
    pub dry_run: bool,

    /// On PostgreSQL, while the platform goes on writing: build indexes without keeping anybody from it, and wait for no lock that others wait behind
    #[arg(long, conflicts_with = "dry_run")]
    pub online: bool,

    /// On PostgreSQL: give this role what a running platform needs, which is to read and write rows, and not to change the schema
    #[arg(long, value_name = "ROLE")]
    pub grant: Option<String>,
}

/// What an operator does to an account.
// clap takes no documentation of what it flattens.
#[derive(Debug, Clone, PartialEq, Eq, Subcommand)]
#[allow(missing_docs)]
pub enum UserDeed {
    /// Makes an account that is an admin; its password is asked for, or is the first line of standard input
    CreateAdmin {
        /// Name of the account
        #[arg(long, value_name = "NAME")]
        username: String,

        /// Address to sign in with
        #[arg(long, value_name = "ADDRESS")]
        email: String,

        #[command(flatten)]
        flags: Flags,
    },

    /// Sets a new password, asked for or read likewise, and ends all sessions
    ResetPassword(Whose),

    /// Bans a person: their sessions end, and nobody sees them or what they made
    Ban {
        #[command(flatten)]
        whose: Whose,

        /// Why, for the audit log
        #[arg(long, value_name = "TEXT")]
        reason: Option<String>,
    },

    /// Ends a ban
    Unban(Whose),

    /// Makes a person a user, moderator or admin
    Role {
        #[command(flatten)]
        whose: Whose,

        /// The new role
        #[arg(value_name = "user|moderator|admin", value_parser = role)]
        role: Role,
    },
}

/// Whose account it is.
#[derive(Debug, Clone, PartialEq, Eq, Args)]
#[allow(missing_docs)]
pub struct Whose {
    /// Username, email address or id
    #[arg(value_name = "WHO")]
    pub who: String,

    #[command(flatten)]
    pub flags: Flags,
}

impl UserDeed {
    fn flags(&self) -> &Flags {
        match self {
            Self::CreateAdmin { flags, .. } => flags,
            Self::ResetPassword(whose) | Self::Unban(whose) | Self::Ban { whose, .. } | Self::Role { whose, .. } => &whose.flags,
        }
    }
}

fn role(text: &str) -> Result<Role, String> {
    text.parse().map_err(|_| "a role is user, moderator or admin".to_owned())
}

/// What demo data to make.
#[derive(Debug, Clone, PartialEq, Eq, Args)]
pub struct DemoOptions {
    /// People to make
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u64).range(1..=1_000_000), default_value_t = 1000)]
    pub users: u64,

    /// The same seed and number of people make the same data
    #[arg(long, value_name = "S", default_value_t = 1)]
    pub seed: u64,

    /// Writes into the data directory directly, which no server may be using; meant for 10,000 people and more
    #[arg(long)]
    pub bulk: bool,
}

/// What is asked of a running node.
#[derive(Debug, Clone, PartialEq, Eq, Subcommand)]
#[allow(missing_docs)]
pub enum ClusterQuestion {
    /// The nodes: how they are, what they own, and the links to them
    Status(How),

    /// How many slots each node owns
    Slots(How),

    /// The node's supervision tree
    Tree(How),

    /// Have the node hand over all that it owns, leave, and end; done when it is gone
    Drain(How),

    /// Where an entity's owner is
    Inspect {
        /// Its kind, such as user, post or product
        #[arg(value_name = "KIND")]
        kind: String,

        /// Its id
        #[arg(value_name = "ID")]
        id: uuid::Uuid,

        #[command(flatten)]
        how: How,
    },
}

/// How the answer is shown, and whom the configuration has answer.
#[derive(Debug, Clone, Default, PartialEq, Eq, Args)]
#[allow(missing_docs)]
pub struct How {
    /// As JSON
    #[arg(long)]
    pub json: bool,

    #[command(flatten)]
    pub flags: Flags,
}

impl ClusterQuestion {
    /// How it is answered.
    pub fn how(&self) -> &How {
        match self {
            Self::Status(how) | Self::Slots(how) | Self::Tree(how) | Self::Drain(how) | Self::Inspect { how, .. } => how,
        }
    }
}

/// What certificates to make.
#[derive(Debug, Clone, PartialEq, Eq, Args)]
pub struct CertsOptions {
    /// Where they are kept; a new folder gets an authority, whose key signs all others
    #[arg(value_name = "FOLDER")]
    pub folder: PathBuf,

    /// Names of the nodes; one that has a certificate gets another one
    #[arg(value_name = "NODE", required = true)]
    pub nodes: Vec<String>,

    /// Days for which they are valid; running nodes take new ones without a restart
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=3650), default_value_t = 365)]
    pub days: u32,
}

#[derive(Debug, Subcommand)]
enum Subcommands {
    /// Serves until asked to stop (the default)
    Serve(Flags),

    /// Brings the store up to this version, and exits
    Migrate {
        #[command(flatten)]
        how: MigrateOptions,

        #[command(flatten)]
        flags: Flags,
    },

    /// Copies the data directory's databases into a new folder, as they are at one instant; a server may be running
    Backup {
        /// The folder to make
        #[arg(value_name = "FOLDER")]
        folder: PathBuf,

        #[command(flatten)]
        flags: Flags,
    },

    /// Makes the data directory, which must be empty or not there, of a backup
    Restore {
        /// The backup
        #[arg(value_name = "FOLDER")]
        folder: PathBuf,

        #[command(flatten)]
        flags: Flags,
    },

    /// Writes the whole instance, as it is at one instant, into a document that `import` reads into either store; a server may be running
    Export {
        /// The file to make, which must not be there; `-` is standard output
        #[arg(value_name = "FILE")]
        file: PathBuf,

        #[command(flatten)]
        flags: Flags,
    },

    /// Makes an instance of an export in databases that are empty, or goes on doing so where it was interrupted
    Import {
        /// The document; `-` is standard input
        #[arg(value_name = "FILE")]
        file: PathBuf,

        #[command(flatten)]
        flags: Flags,
    },

    /// Looks at everything that a server of this configuration depends on, and says what to do; changes nothing, and a server may be running
    ///
    /// Exits with 0 where all is well, with 1 where there are warnings, and with 2 where there are faults, with which a server does not serve.
    Doctor {
        /// Prints the findings as JSON, for programs
        #[arg(long)]
        json: bool,

        #[command(flatten)]
        flags: Flags,
    },

    /// Asks the running server of this configuration whether it lives, and exits with 0 if it does: for what keeps containers
    Health {
        /// Asks whether it is to be sent requests, which it is not while it starts, drains, or was voted out of its cluster
        #[arg(long)]
        ready: bool,

        #[command(flatten)]
        flags: Flags,
    },

    /// Prints the configuration in force and where each value comes from, without secrets
    Config {
        /// Prints the reference of every setting instead, as Markdown
        #[arg(long)]
        docs: bool,

        #[command(flatten)]
        flags: Flags,
    },

    /// Checks the configuration and tells all faults at once
    CheckConfig(Flags),

    /// Fills a running server with people, follows, posts and products, through its public API
    Demo {
        #[command(flatten)]
        demo: DemoOptions,

        #[command(flatten)]
        flags: Flags,
    },

    /// Makes the first admin, and rescues accounts: on the store itself, while no server uses it
    User {
        #[command(subcommand)]
        deed: UserDeed,
    },

    /// Shows what the running node of this configuration knows of its cluster
    Cluster {
        #[command(subcommand)]
        question: ClusterQuestion,
    },

    /// Makes or renews certificates for the nodes of a cluster, in folders that become Kubernetes secrets
    Certs(CertsOptions),

    /// Prints the version
    Version,
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    use super::*;

    fn parts(arguments: &[&str]) -> (Command, Flags) {
        let line = ["lets-connect"].iter().chain(arguments);
        Cli::try_parse_from(line).expect("a sound command line").into_parts()
    }

    #[test]
    fn the_definition_is_consistent() {
        Cli::command().debug_assert();
    }

    #[test]
    fn without_arguments_it_serves() {
        assert_eq!(parts(&[]), (Command::Serve, Flags::default()));
        assert_eq!(parts(&["serve"]), (Command::Serve, Flags::default()));
    }

    #[test]
    fn each_command_has_its_name() {
        assert_eq!(parts(&["migrate"]).0, Command::Migrate(MigrateOptions::default()));
        let how = MigrateOptions { dry_run: true, ..MigrateOptions::default() };
        assert_eq!(parts(&["migrate", "--dry-run"]).0, Command::Migrate(how));
        let how = MigrateOptions { online: true, ..MigrateOptions::default() };
        assert_eq!(parts(&["migrate", "--online"]).0, Command::Migrate(how));
        let how = MigrateOptions { grant: Some("app".to_owned()), ..MigrateOptions::default() };
        assert_eq!(parts(&["migrate", "--grant", "app"]).0, Command::Migrate(how));
        assert_eq!(parts(&["export", "-"]).0, Command::Export("-".into()));
        assert_eq!(parts(&["import", "file"]).0, Command::Import("file".into()));
        assert_eq!(parts(&["doctor", "--json"]).0, Command::Doctor { json: true });
        assert_eq!(parts(&["health"]).0, Command::Health { ready: false });
        assert_eq!(parts(&["health", "--ready"]).0, Command::Health { ready: true });
        assert_eq!(parts(&["config"]).0, Command::Config { docs: false });
        assert_eq!(parts(&["config", "--docs"]).0, Command::Config { docs: true });
        assert_eq!(parts(&["check-config"]).0, Command::CheckConfig);
        assert_eq!(parts(&["version"]).0, Command::Version);
        let how = How { json: true, ..How::default() };
        assert_eq!(parts(&["cluster", "status", "--json"]).0, Command::Cluster(ClusterQuestion::Status(how)));
        let id = "00000000-0000-0000-0000-000000000001";
        let (command, flags) = parts(&["cluster", "inspect", "user", id, "--set", "a.b=1"]);
        assert!(matches!(command, Command::Cluster(ClusterQuestion::Inspect { kind, .. }) if kind == "user"));
        assert_eq!(flags.set, ["a.b=1"]);
        let certs = CertsOptions { folder: "c".into(), nodes: vec!["node-1".to_owned(), "node-2".to_owned()], days: 30 };
        assert_eq!(parts(&["certs", "c", "node-1", "node-2", "--days", "30"]).0, Command::Certs(certs));
        let demo = DemoOptions { users: 9, seed: 3, bulk: true };
        assert_eq!(parts(&["demo", "--users", "9", "--seed", "3", "--bulk"]).0, Command::Demo(demo));
    }

    #[test]
    fn options_hold_before_and_after_the_command_and_the_later_wins() {
        let (_, flags) =
            parts(&["--set", "a.b=1", "--data-dir", "x", "--config", "f", "--dev", "serve", "--set", "a.b=2", "--data-dir", "y"]);
        let expected = Flags {
            config: Some("f".into()),
            set: vec!["a.b=1".into(), "a.b=2".into()],
            data_dir: Some("y".into()),
            dev: true,
            listen_port_base: None,
        };
        assert_eq!(flags, expected);
    }

    #[test]
    fn an_account_is_named_and_never_a_password() {
        let (command, flags) = parts(&["--set", "a.b=1", "user", "role", "ada", "moderator", "--data-dir", "x"]);
        assert_eq!((flags.set, flags.data_dir.as_deref()), (vec!["a.b=1".to_owned()], Some("x")));
        assert!(matches!(command, Command::User(UserDeed::Role { whose, role: Role::Moderator }) if whose.who == "ada"));
        for line in [&["user"][..], &["user", "role", "ada", "king"], &["user", "reset-password", "ada", "a password"]] {
            assert!(Cli::try_parse_from(["lets-connect"].iter().chain(line)).is_err(), "{line:?}");
        }
    }

    #[test]
    fn nonsense_is_refused() {
        for line in [&["sever"][..], &["--port", "1"], &["--listen-port-base", "65530"], &["demo", "--users", "0"], &["certs", "c"]] {
            let line = ["lets-connect"].iter().chain(line);
            assert!(Cli::try_parse_from(line).is_err());
        }
    }

    #[test]
    fn help_names_every_command_and_option() {
        let help = Cli::command().render_long_help().to_string();
        for word in [
            "serve",
            "migrate",
            "backup",
            "restore",
            "doctor",
            "export",
            "import",
            "config",
            "check-config",
            "demo",
            "user",
            "certs",
            "cluster",
            "version",
            "--set",
            "--data-dir",
            "--config",
        ] {
            assert!(help.contains(word), "{word} is missing in\n{help}");
        }
    }
}
