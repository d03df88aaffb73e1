//! Deliberate defects that the history checker must find. Without the feature `sabotage` every one of them compiles to `false`.

/// A defect that can be switched on by naming it in `LETS_CONNECT_SABOTAGE`.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Defect {
    /// The new snapshot is published some time after the writer was answered.
    PublishAfterReply,
    /// Snapshots of an owner that died are still served.
    IncarnationIgnored,
    /// `Changed` is confirmed without being applied.
    ChangedIgnored,
    /// What the second level has is taken at whatever version it is.
    SecondLevelBelieved,
    /// What is in memory is answered also when the lease has ended.
    LeaseIgnored,
    /// Commits of an owner are not held against the epoch of their slot.
    EpochIgnored,
    /// What is lent to other nodes is not called back.
    RecallIgnored,
    /// An owner actor panics when it handles a write whose body holds the word `sabotage-panic`.
    PanicOnWord,
    /// An owner actor blocks its thread for five seconds when it handles a write whose body holds the word `sabotage-hang`.
    HangOnWord,
}

impl Defect {
    /// The defect's name in the environment.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::PublishAfterReply => "publish-after-reply",
            Self::IncarnationIgnored => "incarnation-ignored",
            Self::ChangedIgnored => "changed-ignored",
            Self::SecondLevelBelieved => "second-level-believed",
            Self::LeaseIgnored => "lease-ignored",
            Self::EpochIgnored => "epoch-ignored",
            Self::RecallIgnored => "recall-ignored",
            Self::PanicOnWord => "panic-on-word",
            Self::HangOnWord => "hang-on-word",
        }
    }
}

/// Whether a defect is switched on.
#[cfg(not(feature = "sabotage"))]
#[must_use]
pub const fn active(_: Defect) -> bool {
    false
}

/// Whether a defect is switched on.
#[cfg(feature = "sabotage")]
#[must_use]
pub fn active(defect: Defect) -> bool {
    static NAMED: std::sync::OnceLock<String> = std::sync::OnceLock::new();
    NAMED.get_or_init(|| std::env::var("LETS_CONNECT_SABOTAGE").unwrap_or_default()).split(',').any(|n| n == defect.name())
}
