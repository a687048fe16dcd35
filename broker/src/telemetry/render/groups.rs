//! Groups and how far behind they are, under kafka_exporter's names, in records and in seconds.

use std::collections::BTreeMap;

use crate::telemetry::exporter::View;
use crate::telemetry::families::Families;
use crate::telemetry::scrape::{GroupOffset, GroupScrape, LagSeconds};

/// The states of a classic group, as Kafka names them.
const STATES: [&str; 5] = ["Empty", "PreparingRebalance", "CompletingRebalance", "Stable", "Dead"];

type Read = fn(&GroupOffset) -> Option<f64>;

pub fn groups(out: &mut Families<'_>, view: &View<'_>) {
    let groups = &view.scrape.groups;
    counts(out, groups);
    coordinator(out, view);
    let families: [(&str, &str, Read); 3] = [
        ("kafka_consumergroup_current_offset", "The committed offset.", |offset| Some(offset.committed as f64)),
        ("kafka_consumergroup_lag", "Records from the committed offset to the high watermark.", |offset| {
            offset.lag.map(|lag| lag as f64)
        }),
        (
            "kafka_consumergroup_lag_seconds",
            "Age of the oldest record that the group has not read; 0 when it has read all.",
            |offset| match offset.lag_seconds {
                LagSeconds::Known(seconds) => Some(seconds),
                LagSeconds::Untold | LagSeconds::Pending => None,
            },
        ),
    ];
    for (name, help, read) in families {
        out.gauges(name, help, |samples| {
            for (group, offset) in groups.iter().flat_map(|group| group.offsets.iter().map(move |one| (group, one))) {
                let Some(value) = read(offset) else { continue };
                let partition = offset.partition.to_string();
                let labels =
                    [("consumergroup", &*group.group), ("topic", &*offset.topic), ("partition", partition.as_str())];
                samples.add(&labels, value);
            }
        });
    }
    let offsets = groups.iter().flat_map(|group| &group.offsets);
    let pending = offsets.filter(|offset| offset.lag_seconds == LagSeconds::Pending).count();
    out.gauge(
        "milena_consumergroup_lag_seconds_pending",
        "Partitions without lag in seconds because there was no time to look it up in this scrape.",
        pending as f64,
    );
    sums(out, groups);
}

fn counts(out: &mut Families<'_>, groups: &[GroupScrape]) {
    out.gauges("kafka_consumergroup_members", "Members of a group.", |samples| {
        groups.iter().for_each(|group| samples.add_whole(&[("consumergroup", &group.group)], group.members));
    });
    let in_state = |state: &str| groups.iter().filter(|group| group.state == state).count() as u64;
    let name = |part: &str| format!("kafka_server_group_coordinator_metrics_{part}");
    out.gauges(&name("group_count"), "Groups coordinated here, by protocol.", |samples| {
        samples.add_whole(&[("protocol", "classic")], groups.len() as u64);
    });
    out.gauges(&name("classic_group_count"), "Groups coordinated here, by state.", |samples| {
        STATES.iter().for_each(|state| samples.add_whole(&[("state", state)], in_state(state)));
    });
    let offsets: usize = groups.iter().map(|group| group.offsets.len()).sum();
    let name = |part: &str| format!("kafka_coordinator_group_groupmetadatamanager_{part}");
    out.gauge(&name("numgroups"), "Groups coordinated here.", groups.len() as f64);
    out.gauge(&name("numoffsets"), "Committed offsets kept here.", offsets as f64);
    for state in STATES {
        let part = format!("numgroups{}", state.to_lowercase());
        out.gauge(&name(&part), "Groups in that state.", in_state(state) as f64);
    }
}

fn coordinator(out: &mut Families<'_>, view: &View<'_>) {
    let name = |part: &str| format!("kafka_server_group_coordinator_metrics_{part}");
    out.gauges(&name("num_partitions"), "Partitions of the group topic led here, by state.", |samples| {
        for (at, state) in ["active", "loading", "failed"].into_iter().enumerate() {
            let count = view.scrape.shards.iter().map(|shard| shard.group_partitions[at]).sum();
            samples.add_whole(&[("state", state)], count);
        }
    });
    let plain = &view.plain;
    for (part, help, value) in [
        ("offset_commit_count", "Offsets committed, by partition.", plain.offset_commits),
        ("offset_expiration_count", "Offsets dropped after their retention time.", plain.offset_expirations),
        ("group_completed_rebalance_count", "Rebalances that came to their end.", plain.completed_rebalances),
    ] {
        out.counter(&name(part), help, value as f64);
    }
    let mean = plain.group_load_us as f64 / plain.group_loads.max(1) as f64;
    out.gauge(
        &name("partition_load_time_avg"),
        "Milliseconds to read a partition of the group topic, since the start.",
        mean / 1e3,
    );
    out.gauge(
        &name("partition_load_time_max"),
        "Milliseconds that the slowest of them took.",
        plain.group_load_us_max as f64 / 1e3,
    );
}

/// A group's lag and offsets over all partitions of a topic.
fn sums(out: &mut Families<'_>, groups: &[GroupScrape]) {
    type Sums<'a> = BTreeMap<&'a str, (i64, Option<i64>)>;
    let topics_of = |group: &GroupScrape, show: &mut dyn FnMut(&str, i64, Option<i64>)| {
        let mut topics: Sums<'_> = BTreeMap::new();
        for offset in &group.offsets {
            let (committed, lag) = topics.entry(&offset.topic).or_default();
            *committed = committed.saturating_add(offset.committed);
            if let Some(more) = offset.lag {
                *lag = Some(lag.unwrap_or(0).saturating_add(more));
            }
        }
        topics.into_iter().for_each(|(topic, (committed, lag))| show(topic, committed, lag));
    };
    out.gauges("kafka_consumergroup_lag_sum", "Lag over all partitions of a topic.", |samples| {
        for group in groups {
            topics_of(group, &mut |topic, _, lag| {
                if let Some(lag) = lag {
                    samples.add(&[("consumergroup", &group.group), ("topic", topic)], lag as f64);
                }
            });
        }
    });
    out.gauges("kafka_consumergroup_current_offset_sum", "Committed offsets over all partitions.", |samples| {
        for group in groups {
            topics_of(group, &mut |topic, committed, _| {
                samples.add(&[("consumergroup", &group.group), ("topic", topic)], committed as f64);
            });
        }
    });
}
