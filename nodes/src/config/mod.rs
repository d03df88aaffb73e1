//! The configuration: one typed struct, made from defaults, a TOML file, the environment and the command line, in this
//! order. All its faults are found at once, each with its place.
//!
//! `setting` is the table of all settings (a new one is one entry there), `table` the macro that reads it, `value`,
//! `list`, `newtype` and `server_url` the types of values, `source` what the process was given, `load` how the sources are laid over each other,
//! `rule` what settings demand of each other, `fault` how that is told, `print` what is shown.

mod fault;
mod list;
mod load;
mod newtype;
mod print;
mod rule;
mod server_url;
mod setting;
mod source;
mod table;
#[cfg(test)]
mod tests;
mod value;

use std::collections::BTreeMap;

pub use fault::{Fault, Faults, Place};
pub use newtype::{HostPort, LogFilter, LogFormat, NodeName, Origin, PublicUrl, Role, Secret, Sender};
pub use print::reference;
pub use server_url::{Collector, DatabaseUrl, RedisUrl, SmtpUrl};
pub use setting::{
    Account, Cache, Cluster, Config, Demo, Feed, Gateway, Http, Listen, Log, Mail, Node, Owner, Postgres, Rate, Sqlite, Supervision, Traces,
};
pub use source::Flags;

/// A configuration without faults, and where each value comes from.
#[derive(Debug, Clone)]
pub struct Loaded {
    /// The values in force.
    pub config: Config,
    origins: BTreeMap<&'static str, Place>,
}

impl Loaded {
    /// Loads the configuration of this process: the defaults, then the file that the options or the environment name
    /// (or ./lets-connect.toml), then the environment, then the options.
    ///
    /// # Errors
    ///
    /// Every fault of every source, in order of place. Nothing was changed; to try again after a correction is safe.
    pub fn from_process(flags: Flags) -> Result<Loaded, Faults> {
        let (sources, unreadable) = source::Sources::of_process(flags);
        load::load(&sources, unreadable)
    }

    /// Returns where the value of a setting, named `section.name`, comes from.
    pub fn origin(&self, key: &str) -> &Place {
        self.origins.get(key).unwrap_or(&Place::Default)
    }
}
