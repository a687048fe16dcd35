//! The cluster's metadata: records are the truth, an immutable [`Image`] is what they add up to, a [`Delta`] leads from
//! one image to the next, and the [`configs`] say which settings exist and what is in effect.
//!
//! ```text
//!  command ──▶ Controller ──▶ records ──▶ (the log, elsewhere) ──▶ Delta::replay ──▶ Image
//!                  ▲                                                                  │
//!                  └──────────────────────────── reads ──────────────────────────────┘
//! ```
//!
//! Nothing here knows a file, a socket, a thread or the time: what happens now comes in as an argument.

pub mod configs;
mod controller;
mod delta;
mod error;
mod ids;
mod image;
mod persistent;
mod record;
mod resource;
pub mod topic_name;

pub use controller::{
    ConfigChange, ConfigOp, Controller, CreatedTopic, Decision, FINALIZED_FEATURES, Moment, MorePartitions, NewConfigs,
    NewTopic, PRODUCER_ID_BLOCK, Registration, TopicRef,
};
pub use delta::{Changes, Delta, PartitionStep, Step};
pub use error::CommandError;
pub use ids::{DirectoryId, IncarnationId};
pub use image::{BrokerImage, Image, PartitionImage, ReplayError, TopicImage};
pub use record::*;
pub use resource::ConfigResource;
