//! What the two brokers are asked, by family of APIs.

use super::side::Side;

mod admin;
mod cluster;
mod configs;
mod fetch;
mod group_admin;
mod groups;
mod offsets;
mod produce;
mod topics;

/// A scenario asks one side; it must ask both sides the same.
type Scenario = fn(&mut Side);

pub const ALL: &[(&str, Scenario)] = &[
    ("api-versions", cluster::api_versions),
    ("cluster", cluster::describe),
    ("frames", cluster::frames),
    ("producer-ids", cluster::producer_ids),
    ("metadata", topics::metadata),
    ("create-topics", topics::create),
    ("topic-partitions", topics::pages),
    ("log-dirs", topics::log_dirs),
    ("find-coordinator", groups::find_coordinator),
    ("produce-acks", produce::acks),
    ("produce-places", produce::places),
    ("produce-bytes", produce::bytes),
    ("produce-counts", produce::counts),
    ("produce-attributes", produce::attributes),
    ("produce-timestamps", produce::timestamps),
    ("produce-codecs", produce::codecs),
    ("produce-sizes", produce::sizes),
    ("produce-sequences", produce::sequences),
    ("fetch-offsets", fetch::offsets),
    ("fetch-sizes", fetch::sizes),
    ("fetch-deleted", fetch::after_deletion),
    ("fetch-sessions", fetch::sessions),
    ("list-offsets", offsets::by_time),
    ("leader-epochs", offsets::by_epoch),
    ("producers", offsets::producers),
    ("join-one", groups::one_member),
    ("join-rules", groups::join_rules),
    ("join-two", groups::two_members),
    ("join-static", groups::static_members),
    ("leave-rules", groups::leave_rules),
    ("member-expiry", groups::expiry),
    ("offset-commits", group_admin::commits),
    ("offset-fetches", group_admin::fetches),
    ("offset-delete", group_admin::offset_delete),
    ("describe-list-groups", group_admin::describe_and_list),
    ("delete-groups", group_admin::deletion),
    ("delete-topics", admin::delete_topics),
    ("delete-records", admin::delete_records),
    ("create-partitions", admin::create_partitions),
    ("describe-configs", configs::describe),
    ("alter-some-configs", configs::alter_some),
    ("alter-all-configs", configs::alter_all),
    ("alter-other-configs", configs::alter_others),
    ("list-config-resources", configs::list),
];
