//! Enums whose variants are words, in rows, queries and views alike.

/// Declares one.
macro_rules! words {
    ($(#[$doc:meta])* $name:ident { $($(#[$vdoc:meta])* $variant:ident = $text:literal),* $(,)? }) => {
        $(#[$doc])*
        #[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Debug, serde::Serialize, serde::Deserialize)]
        #[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
        #[serde(rename_all = "lowercase")]
        #[allow(missing_docs)]
        pub enum $name { $($(#[$vdoc])* $variant),* }

        impl $name {
            /// The word in rows, queries and views.
            #[must_use]
            pub const fn name(self) -> &'static str {
                match self { $(Self::$variant => $text),* }
            }
        }

        impl std::str::FromStr for $name {
            type Err = $crate::principal::UnknownName;
            fn from_str(text: &str) -> Result<Self, $crate::principal::UnknownName> {
                match text { $($text => Ok(Self::$variant),)* _ => Err($crate::principal::UnknownName) }
            }
        }
    };
}
pub(crate) use words;
