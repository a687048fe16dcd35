//! What the node tells about itself: log lines and metrics.
//!
//! ```text
//!  shard thread: ShardCounters (plain numbers, one owner)
//!                      │ copied, only when somebody scrapes
//!  node ─> Source::scrape ─> Scrape ─> Exporter::render ─> text
//! ```
//!
//! Nothing here is shared between cores while requests are served, and nothing here knows a socket or an API. Names are
//! those that Strimzi's and the JMX exporter's dashboards ask for, and kafka_exporter's for consumer lag.

pub mod counters;
pub mod exporter;
mod families;
pub mod histogram;
pub mod logging;
mod process;
mod render;
pub mod scrape;
pub mod source;

pub use counters::{
    ApiCounters, Counted, ListenerCounters, PlainCounters, ShardCounters, TopicCounters, TopicSlot, Traffic,
};
pub use exporter::Exporter;
pub use histogram::Histogram;
pub use scrape::{
    ControllerScrape, GroupOffset, GroupScrape, LagSeconds, ListenerScrape, LogDirScrape, Names, NodeScrape,
    PartitionScrape, QuorumScrape, Scrape, ShardScrape,
};
pub use source::{Health, Source, Startup};
