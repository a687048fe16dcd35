//! Kafka's APIs, one file each: decode, authorize, ask, encode. No state lives here but what belongs to a connection
//! (fetch sessions). The only map from our errors to Kafka's codes is [`errors`].

pub mod context;
pub mod dispatch;
pub mod errors;
pub mod fetch_session;
pub mod versions;

mod alter_configs;
mod api_versions;
mod broker_loggers;
mod by_shard;
mod config_resource;
mod create_partitions;
mod create_topics;
mod delete_groups;
mod delete_records;
mod delete_topics;
mod describe_cluster;
mod describe_configs;
mod describe_groups;
mod describe_log_dirs;
mod describe_producers;
mod describe_topic_partitions;
mod fetch;
mod find_coordinator;
mod heartbeat;
mod incremental_alter_configs;
mod init_producer_id;
mod join_group;
mod leave_group;
mod list_config_resources;
mod list_groups;
mod list_offsets;
mod metadata;
mod offset_commit;
mod offset_delete;
mod offset_fetch;
mod offset_for_leader_epoch;
mod operations;
mod produce;
mod sync_group;
mod topics;

pub use context::{ApiConfig, Context};
pub use dispatch::Dispatch;
