//! From a [`Scrape`] to text, with a memory of the last minute: quantiles and rates are taken over that window, as the
//! shards keep only sums.

use std::collections::{BTreeMap, VecDeque};
use std::time::Duration;

use model::TimestampMs;
use parking_lot::Mutex;

use super::counters::{ApiCounters, TopicCounters};
use super::families::Families;
use super::histogram::Histogram;
use super::scrape::Scrape;
use super::{process, render};

/// Quantiles and rates look back at least so far, once the node has been scraped for so long.
const WINDOW_MS: i64 = 60_000;
/// Scrapes nearer to each other than this share one memory, which bounds how many are kept.
const APART_MS: i64 = 2_000;

/// Renders scrapes. One for the life of the node; shared by whoever asks.
#[derive(Debug, Default)]
pub struct Exporter {
    past: Mutex<VecDeque<Past>>,
}

/// What is remembered of an earlier scrape.
#[derive(Clone, Debug, Default)]
struct Past {
    at: TimestampMs,
    total_time: BTreeMap<i16, Histogram>,
    /// By shard and listener.
    opened: BTreeMap<(usize, usize), u64>,
    busy: Duration,
}

/// A scrape with its shards added up and compared with the past.
pub(super) struct View<'a> {
    pub scrape: &'a Scrape,
    pub apis: BTreeMap<i16, ApiCounters>,
    /// Of `apis`, what the window saw.
    pub recent_time: BTreeMap<i16, Histogram>,
    pub topics: BTreeMap<&'a str, TopicCounters>,
    pub all_topics: TopicCounters,
    /// Connections opened per second, by shard and listener.
    pub opened_rate: BTreeMap<(usize, usize), f64>,
    /// The share of the window that the shards' threads spent waiting, 0 to 1.
    pub idle: f64,
}

impl Exporter {
    pub fn new() -> Self {
        Self::default()
    }

    /// The scrape in Prometheus' text format, version 0.0.4.
    pub fn render(&self, scrape: &Scrape) -> String {
        let (apis, now) = add_up(scrape);
        let before = self.remember(&now, scrape.node.started_at);
        let view = View::new(scrape, apis, &now, &before);
        let mut out = Families::default();
        render::node(&mut out, &view);
        render::requests(&mut out, &view);
        render::topics(&mut out, &view);
        render::partitions(&mut out, &view);
        render::groups(&mut out, &view);
        render::controller(&mut out, &view);
        process::render(&mut out, scrape.node.started_at.0 as f64 / 1e3);
        out.into_text()
    }

    /// Keeps `now` for later and gives the past to compare it with: the youngest that is a whole window old, else the
    /// oldest, else the start of the node.
    fn remember(&self, now: &Past, started_at: TimestampMs) -> Past {
        let mut past = self.past.lock();
        // A clock that was set back would make every age negative.
        past.retain(|earlier| earlier.at <= now.at);
        while past.get(1).is_some_and(|second| now.at - second.at >= WINDOW_MS) {
            past.pop_front();
        }
        let before = past.front().cloned();
        if past.back().is_none_or(|last| now.at - last.at >= APART_MS) {
            past.push_back(now.clone());
        }
        before.unwrap_or(Past { at: started_at, ..Past::default() })
    }
}

fn add_up(scrape: &Scrape) -> (BTreeMap<i16, ApiCounters>, Past) {
    let mut apis: BTreeMap<i16, ApiCounters> = BTreeMap::new();
    let mut now = Past { at: scrape.at, ..Past::default() };
    for (index, shard) in scrape.shards.iter().enumerate() {
        for (key, api) in shard.counters.apis() {
            apis.entry(key).or_default().merge(api);
        }
        for (listener, counters) in shard.counters.listeners().iter().enumerate() {
            now.opened.insert((index, listener), counters.connections_opened);
        }
        now.busy += shard.busy;
    }
    now.total_time = apis.iter().map(|(key, api)| (*key, api.total_time.clone())).collect();
    (apis, now)
}

impl<'a> View<'a> {
    fn new(scrape: &'a Scrape, apis: BTreeMap<i16, ApiCounters>, now: &Past, before: &Past) -> Self {
        let seconds = ((now.at - before.at).max(1)) as f64 / 1e3;
        let recent = |(key, total): (&i16, &Histogram)| match before.total_time.get(key) {
            Some(earlier) => (*key, total.since(earlier)),
            None => (*key, total.clone()),
        };
        let rate = |(place, opened): (&(usize, usize), &u64)| {
            let earlier = before.opened.get(place).copied().unwrap_or(0);
            (*place, opened.saturating_sub(earlier) as f64 / seconds)
        };
        let mut topics: BTreeMap<&str, TopicCounters> = BTreeMap::new();
        let mut all_topics = TopicCounters::default();
        for shard in &scrape.shards {
            all_topics.add(shard.counters.retired());
            for (name, counters) in shard.counters.topics() {
                all_topics.add(counters);
                topics.entry(name).or_default().add(counters);
            }
        }
        let busy = now.busy.saturating_sub(before.busy).as_secs_f64();
        let threads = scrape.shards.len().max(1) as f64;
        Self {
            scrape,
            recent_time: now.total_time.iter().map(recent).collect(),
            opened_rate: now.opened.iter().map(rate).collect(),
            topics,
            all_topics,
            idle: (1.0 - busy / (seconds * threads)).clamp(0.0, 1.0),
            apis,
        }
    }
}

#[cfg(test)]
mod tests;
