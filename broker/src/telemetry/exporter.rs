//! From a [`Scrape`] to text, with a memory of the last minute: quantiles and rates are taken over that window, as the
//! shards keep only sums.

use std::collections::{BTreeMap, VecDeque};
use std::time::Duration;

use model::TimestampMs;
use parking_lot::Mutex;

use super::counters::{ApiCounters, PlainCounters, TopicCounters};
use super::families::Families;
use super::histogram::Histogram;
use super::scrape::Scrape;
use super::{process, render};

/// Quantiles and rates look back at least so far, once the node has been scraped for so long.
const WINDOW_MS: i64 = 60_000;
/// Scrapes nearer to each other than this share one memory, which bounds how many are kept.
const APART_MS: i64 = 10_000;

/// Renders scrapes. One for the life of the node; shared by whoever asks.
#[derive(Debug, Default)]
pub struct Exporter {
    past: Mutex<VecDeque<Past>>,
}

/// The sums of all shards at one scrape, as far as the next ones compare themselves with them.
#[derive(Clone, Debug, Default)]
struct Past {
    at: TimestampMs,
    times: BTreeMap<i16, Times>,
    flush_time: Histogram,
    /// By shard and listener.
    opened: BTreeMap<(usize, usize), u64>,
    /// By shard.
    busy: Vec<Duration>,
    quorum_end: i64,
    commits: u64,
    commit_time: Duration,
}

/// One API's times.
#[derive(Clone, Debug, Default)]
pub(super) struct Times {
    pub total: Histogram,
    pub local: Histogram,
    pub remote: Histogram,
}

/// A scrape with its shards added up and compared with the past.
pub(super) struct View<'a> {
    pub scrape: &'a Scrape,
    pub apis: BTreeMap<i16, ApiCounters>,
    /// Of `apis`, what the window saw.
    pub recent: BTreeMap<i16, Times>,
    pub topics: BTreeMap<&'a str, TopicCounters>,
    pub all_topics: TopicCounters,
    pub plain: PlainCounters,
    pub flush_time: Histogram,
    pub recent_flush_time: Histogram,
    /// Connections opened per second, by shard and listener.
    pub opened_rate: BTreeMap<(usize, usize), f64>,
    /// The share of the window that each shard's thread spent waiting, 0 to 1.
    pub idle: Vec<f64>,
    /// Metadata records appended per second.
    pub quorum_append_rate: f64,
    /// Milliseconds that a commit of metadata took on average; `None` where the window saw none.
    pub commit_ms: Option<f64>,
}

impl Exporter {
    pub fn new() -> Self {
        Self::default()
    }

    /// Gives `emit` the scrape in Prometheus' text format, version 0.0.4, piece by piece.
    pub fn render(&self, scrape: &Scrape, emit: &mut dyn FnMut(String)) {
        let (apis, now) = add_up(scrape);
        let before = self.remember(&now, scrape);
        let view = View::new(scrape, apis, &now, &before);
        let mut out = Families::new(emit);
        render::node(&mut out, &view);
        render::listeners(&mut out, &view);
        render::shards(&mut out, &view);
        render::requests(&mut out, &view);
        render::topics(&mut out, &view);
        render::partitions(&mut out, &view);
        render::groups(&mut out, &view);
        render::controller(&mut out, &view);
        process::render(&mut out, scrape.node.started_at.0 as f64 / 1e3);
        out.finish();
    }

    /// Keeps `now` for later and gives the past to compare it with: the youngest that is a whole window old, else the
    /// oldest, else the start of the node.
    fn remember(&self, now: &Past, scrape: &Scrape) -> Past {
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
        before.unwrap_or(Past {
            at: scrape.node.started_at,
            quorum_end: scrape.quorum.log_end_offset,
            ..Past::default()
        })
    }
}

fn add_up(scrape: &Scrape) -> (BTreeMap<i16, ApiCounters>, Past) {
    let mut apis: BTreeMap<i16, ApiCounters> = BTreeMap::new();
    let mut now = Past {
        at: scrape.at,
        quorum_end: scrape.quorum.log_end_offset,
        commits: scrape.quorum.commits,
        commit_time: scrape.quorum.commit_time,
        ..Past::default()
    };
    for (index, shard) in scrape.shards.iter().enumerate() {
        for (key, api) in &shard.counters.apis {
            apis.entry(*key).or_default().merge(api);
        }
        for (listener, counters) in shard.counters.listeners.iter().enumerate() {
            now.opened.insert((index, listener), counters.opened);
        }
        now.busy.push(shard.busy);
        now.flush_time.merge(&shard.counters.flush_time);
    }
    let times = |api: &ApiCounters| Times {
        total: api.total_time.clone(),
        local: api.local_time.clone(),
        remote: api.remote_time.clone(),
    };
    now.times = apis.iter().map(|(key, api)| (*key, times(api))).collect();
    (apis, now)
}

impl Times {
    fn since(&self, earlier: &Self) -> Self {
        Self {
            total: self.total.since(&earlier.total),
            local: self.local.since(&earlier.local),
            remote: self.remote.since(&earlier.remote),
        }
    }
}

impl<'a> View<'a> {
    fn new(scrape: &'a Scrape, apis: BTreeMap<i16, ApiCounters>, now: &Past, before: &Past) -> Self {
        let seconds = ((now.at - before.at).max(1)) as f64 / 1e3;
        let recent = |(key, times): (&i16, &Times)| {
            let earlier = before.times.get(key);
            (*key, earlier.map_or_else(|| times.clone(), |earlier| times.since(earlier)))
        };
        let rate = |(place, opened): (&(usize, usize), &u64)| {
            let earlier = before.opened.get(place).copied().unwrap_or(0);
            (*place, opened.saturating_sub(earlier) as f64 / seconds)
        };
        let idle = |(shard, busy): (usize, &Duration)| {
            let earlier = before.busy.get(shard).copied().unwrap_or_default();
            (1.0 - busy.saturating_sub(earlier).as_secs_f64() / seconds).clamp(0.0, 1.0)
        };
        let mut topics: BTreeMap<&str, TopicCounters> = BTreeMap::new();
        let (mut all_topics, mut plain) = (TopicCounters::default(), PlainCounters::default());
        for shard in &scrape.shards {
            all_topics.add(&shard.counters.retired);
            plain.add(&shard.counters.plain);
            for (name, counters) in &shard.counters.topics {
                all_topics.add(counters);
                topics.entry(name).or_default().add(counters);
            }
        }
        let commits = now.commits.saturating_sub(before.commits);
        let commit_ms = now.commit_time.saturating_sub(before.commit_time).as_secs_f64() * 1e3;
        Self {
            scrape,
            recent: now.times.iter().map(recent).collect(),
            opened_rate: now.opened.iter().map(rate).collect(),
            idle: now.busy.iter().enumerate().map(idle).collect(),
            topics,
            all_topics,
            plain,
            flush_time: now.flush_time.clone(),
            recent_flush_time: now.flush_time.since(&before.flush_time),
            quorum_append_rate: (now.quorum_end - before.quorum_end).max(0) as f64 / seconds,
            commit_ms: (commits > 0).then(|| commit_ms / commits as f64),
            apis,
        }
    }

    /// The mean over the shards.
    pub fn idle_mean(&self) -> f64 {
        self.idle.iter().sum::<f64>() / self.idle.len().max(1) as f64
    }
}

#[cfg(test)]
mod tests;
