//! Deliberate defects. Each takes one safeguard away, and the invariants must find that it is gone.

/// A safeguard that is taken away.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Sabotage {
    /// What is in memory is answered whether the lease holds or not.
    NoLeaseCheck,
    /// Commits land whatever the slot's epoch is.
    NoEpochGuard,
    /// A node that was voted out counts as expired: its slots are claimed at once.
    ClaimWithoutWaiting,
    /// A node is declared dead by expiry without comparing its counter.
    NoCounterCompare,
    /// No database is raised to a new owner's epoch, and the guard takes whatever epoch it is given.
    EpochsNotRaised,
    /// A new owner begins to load before the databases are raised to its epoch.
    LoadBeforeRaise,
    /// A lease counts from when the renewal was answered, not from when it was sent.
    LeaseFromAnswer,
    /// A claim takes what is free, without comparing the epoch that it was decided on.
    ClaimIgnoresEpoch,
    /// A release takes the slot from its sender at whatever epoch.
    ReleaseIgnoresEpoch,
    /// Something newer is committed, or published, though an older one is lent.
    NoRecall,
    /// What is about to be replaced is lent.
    LendsWhilePublishing,
    /// A holder counts a loan from when it came, not from when it was asked for.
    LoanFromAnswer,
    /// An answer is kept that was asked for before it was called back.
    KeepsWhatWasRecalled,
    /// A loan may outlast the lease of the node that gave it.
    LendsBeyondLease,
    /// A slot is handed off while something of it is lent, and goes on being lent.
    LoansOutliveTenure,
    /// What was sent ahead of a slot is taken for the truth.
    BelievesWhatWasSent,
    /// What is in memory is answered however long a commit has been under way.
    NeverInDoubt,
    /// What was read from the store is answered at once.
    StoredAtOnce,
    /// A commit of a tenure that has just begun is as any other.
    TrustsYoungTenures,
}

impl Sabotage {
    /// All of them.
    pub const ALL: [Self; 19] = [
        Self::NoLeaseCheck,
        Self::NoEpochGuard,
        Self::ClaimWithoutWaiting,
        Self::NoCounterCompare,
        Self::EpochsNotRaised,
        Self::LoadBeforeRaise,
        Self::LeaseFromAnswer,
        Self::ClaimIgnoresEpoch,
        Self::ReleaseIgnoresEpoch,
        Self::NoRecall,
        Self::LendsWhilePublishing,
        Self::LoanFromAnswer,
        Self::KeepsWhatWasRecalled,
        Self::LendsBeyondLease,
        Self::LoansOutliveTenure,
        Self::BelievesWhatWasSent,
        Self::NeverInDoubt,
        Self::StoredAtOnce,
        Self::TrustsYoungTenures,
    ];

    /// Its name on the command line.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::NoLeaseCheck => "no-lease-check",
            Self::NoEpochGuard => "no-epoch-guard",
            Self::ClaimWithoutWaiting => "claim-without-waiting",
            Self::NoCounterCompare => "no-counter-compare",
            Self::EpochsNotRaised => "epochs-not-raised",
            Self::LoadBeforeRaise => "load-before-raise",
            Self::LeaseFromAnswer => "lease-from-answer",
            Self::ClaimIgnoresEpoch => "claim-ignores-epoch",
            Self::ReleaseIgnoresEpoch => "release-ignores-epoch",
            Self::NoRecall => "no-recall",
            Self::LendsWhilePublishing => "lends-while-publishing",
            Self::LoanFromAnswer => "loan-from-answer",
            Self::KeepsWhatWasRecalled => "keeps-what-was-recalled",
            Self::LendsBeyondLease => "lends-beyond-lease",
            Self::LoansOutliveTenure => "loans-outlive-tenure",
            Self::BelievesWhatWasSent => "believes-what-was-sent",
            Self::NeverInDoubt => "never-in-doubt",
            Self::StoredAtOnce => "stored-at-once",
            Self::TrustsYoungTenures => "trusts-young-tenures",
        }
    }
}
