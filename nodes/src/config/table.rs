//! The form of the table of settings: one entry makes a typed field, its default, its reader, its printer and its
//! documentation, so that none of them can be forgotten or disagree.

use super::{
    Config,
    value::{Raw, Refusal, Shown},
};

/// What the names of environment variables start with.
pub(super) const ENV_PREFIX: &str = "LETS_CONNECT_";

/// One row of the table of settings.
pub(super) struct Setting {
    /// The section and the name within it, joined by a dot.
    pub(super) key: &'static str,
    /// What the setting is for, in lines.
    pub(super) doc: &'static [&'static str],
    /// Whether its value is never shown.
    pub(super) secret: bool,
    /// Stores a value, or says why it is refused and leaves the configuration as it was.
    pub(super) read: fn(&mut Config, Raw<'_>) -> Result<(), Refusal>,
    /// Describes the values that are accepted.
    pub(super) accepted: fn() -> String,
    /// Shows the value in force.
    pub(super) show: fn(&Config) -> Shown,
}

/// A section of the table of settings.
pub(super) struct Section {
    pub(super) name: &'static str,
    pub(super) doc: &'static [&'static str],
    pub(super) settings: &'static [Setting],
}

impl Setting {
    /// Returns the name within the section.
    pub(super) fn name(&self) -> &'static str {
        self.key.split_once('.').map_or(self.key, |(_, name)| name)
    }

    /// Returns the name of the setting's environment variable.
    pub(super) fn env(&self) -> String {
        format!("{ENV_PREFIX}{}", self.key.replace('.', "_").to_uppercase())
    }
}

/// Declares the sections of the configuration. An entry reads `name: Type = default, limits;`, where only numbers have
/// limits.
macro_rules! sections {
    ($(
        $(#[doc = $section_doc:literal])+
        $section:ident: $Section:ident {
            $(
                $(#[doc = $doc:literal])+
                $name:ident: $Type:ty = $default:expr $(, $limits:expr)?;
            )+
        }
    )+) => {
        /// The configuration of a node.
        #[derive(Debug, Clone, Default, PartialEq, Eq)]
        pub struct Config {
            $(
                $(#[doc = $section_doc])+
                pub $section: $Section,
            )+
        }

        $(
            $(#[doc = $section_doc])+
            #[derive(Debug, Clone, PartialEq, Eq)]
            pub struct $Section {
                $(
                    $(#[doc = $doc])+
                    pub $name: $Type,
                )+
            }

            impl Default for $Section {
                fn default() -> Self {
                    Self { $( $name: $default, )+ }
                }
            }
        )+

        /// Every section and setting there is, in the order in which they are printed and documented.
        pub(super) const SECTIONS: &[Section] = &[$(
            Section {
                name: stringify!($section),
                doc: &[$($section_doc),+],
                settings: &[$(
                    Setting {
                        key: concat!(stringify!($section), ".", stringify!($name)),
                        doc: &[$($doc),+],
                        secret: <$Type as Value>::SECRET,
                        read: |config, raw| {
                            config.$section.$name = <$Type as Value>::read(raw, &sections!(@limits $($limits)?))?;
                            Ok(())
                        },
                        accepted: || <$Type as Value>::accepted(&sections!(@limits $($limits)?)),
                        show: |config| config.$section.$name.show(&sections!(@limits $($limits)?)),
                    }
                ),+],
            }
        ),+];
    };
    (@limits) => { () };
    (@limits $limits:expr) => { $limits };
}

pub(super) use sections;
