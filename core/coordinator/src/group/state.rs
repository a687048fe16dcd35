//! The five states of a classic group and the moves between them.

use std::fmt;

/// ```text
///            join                    all joined, or the join phase timed out
///  Empty ─────────► PreparingRebalance ─────────────────► CompletingRebalance
///    ▲                 ▲    │    ▲                            │       │
///    │   nobody left   │    │    └── join, leave, timeout ────┘       │ the leader's assignment is in the log
///    └─────────────────┼────┘                                         ▼
///                      └──────────── join, leave, timeout ───────── Stable
///
///  Dead: the group is gone; this coordinator answers for it only while it tells waiting members so.
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum GroupState {
    /// No members; perhaps offsets.
    Empty,
    /// Members are asked, by their heartbeats, to join again.
    PreparingRebalance,
    /// Everybody has a generation; the leader's assignment is awaited.
    CompletingRebalance,
    Stable,
    Dead,
}

impl GroupState {
    /// The name that Kafka's tools show and filter by.
    pub fn name(self) -> &'static str {
        match self {
            Self::Empty => "Empty",
            Self::PreparingRebalance => "PreparingRebalance",
            Self::CompletingRebalance => "CompletingRebalance",
            Self::Stable => "Stable",
            Self::Dead => "Dead",
        }
    }

    pub(crate) fn may_become(self, next: Self) -> bool {
        use GroupState::*;
        match next {
            Empty => self == PreparingRebalance,
            PreparingRebalance => matches!(self, Empty | CompletingRebalance | Stable),
            CompletingRebalance => self == PreparingRebalance,
            Stable => self == CompletingRebalance,
            Dead => true,
        }
    }
}

impl fmt::Display for GroupState {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}
