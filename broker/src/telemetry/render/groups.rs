//! Groups and how far behind they are, under kafka_exporter's names, in records and in seconds.

use std::collections::BTreeMap;

use crate::telemetry::exporter::View;
use crate::telemetry::families::{Families, Family};
use crate::telemetry::scrape::{GroupOffset, GroupScrape};

type Read = fn(&GroupOffset) -> Option<f64>;

pub fn groups(out: &mut Families, view: &View<'_>) {
    let groups = &view.scrape.groups;
    counts(out, groups);
    let families: [(&str, &str, Read); 3] = [
        ("kafka_consumergroup_current_offset", "The committed offset.", |o| Some(o.committed as f64)),
        ("kafka_consumergroup_lag", "Records from the committed offset to the high watermark.", |o| {
            o.lag.map(|lag| lag as f64)
        }),
        ("kafka_consumergroup_lag_seconds", "Age of the first record not yet committed; 0 when all are.", |o| {
            o.lag_seconds
        }),
    ];
    for (name, help, read) in families {
        let mut family = Family::gauge(name, help);
        for group in groups {
            for offset in &group.offsets {
                let Some(value) = read(offset) else { continue };
                let partition = offset.partition.to_string();
                family.add(
                    &[("consumergroup", &group.group), ("topic", &offset.topic), ("partition", &partition)],
                    value,
                );
            }
        }
        out.push(family);
    }
    sums(out, groups);
}

fn counts(out: &mut Families, groups: &[GroupScrape]) {
    let mut members = Family::gauge("kafka_consumergroup_members", "Members of a group.");
    let mut by_kind: BTreeMap<(&str, &str), u64> = BTreeMap::new();
    for group in groups {
        members.add_whole(&[("consumergroup", &group.group)], group.members);
        *by_kind.entry((group.protocol, group.state)).or_default() += 1;
    }
    out.push(members);
    let mut kinds = Family::gauge(
        "kafka_server_group_coordinator_metrics_group_count",
        "Groups coordinated here, by protocol and state.",
    );
    for ((protocol, state), count) in by_kind {
        kinds.add_whole(&[("protocol", protocol), ("state", &state.to_lowercase())], count);
    }
    out.push(kinds);
    let offsets: usize = groups.iter().map(|group| group.offsets.len()).sum();
    let name = |part: &str| format!("kafka_coordinator_group_groupmetadatamanager_{part}");
    out.gauge(&name("numgroups"), "Groups coordinated here.", groups.len() as f64);
    out.gauge(&name("numoffsets"), "Committed offsets kept here.", offsets as f64);
    for (part, state) in [
        ("numgroupspreparingrebalance", "PreparingRebalance"),
        ("numgroupscompletingrebalance", "CompletingRebalance"),
        ("numgroupsstable", "Stable"),
        ("numgroupsdead", "Dead"),
        ("numgroupsempty", "Empty"),
    ] {
        let count = groups.iter().filter(|group| group.state == state).count();
        out.gauge(&name(part), "Groups in that state.", count as f64);
    }
}

/// A group's lag and offsets over all partitions of a topic.
fn sums(out: &mut Families, groups: &[GroupScrape]) {
    let mut lags = Family::gauge("kafka_consumergroup_lag_sum", "Lag over all partitions of a topic.");
    let mut offsets = Family::gauge("kafka_consumergroup_current_offset_sum", "Committed offsets over all partitions.");
    for group in groups {
        let mut topics: BTreeMap<&str, (i64, Option<i64>)> = BTreeMap::new();
        for offset in &group.offsets {
            let (committed, lag) = topics.entry(&offset.topic).or_default();
            *committed = committed.saturating_add(offset.committed);
            if let Some(more) = offset.lag {
                *lag = Some(lag.unwrap_or(0).saturating_add(more));
            }
        }
        for (topic, (committed, lag)) in topics {
            let labels = [("consumergroup", &*group.group), ("topic", topic)];
            offsets.add(&labels, committed as f64);
            if let Some(lag) = lag {
                lags.add(&labels, lag as f64);
            }
        }
    }
    out.push(lags);
    out.push(offsets);
}
