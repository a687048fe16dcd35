//! Kafka's RequestMetrics: requests, errors and times, by API.

use crate::telemetry::histogram::Histogram;

/// One shard's APIs, by key. An API takes memory from its first request on.
#[derive(Debug, Default)]
pub struct Apis {
    by_key: Vec<Option<Box<ApiCounters>>>,
}

/// One API's counters.
#[derive(Clone, Debug, Default)]
pub struct ApiCounters {
    /// Requests by version.
    versions: Vec<u64>,
    /// Error codes answered, 0 for none, in the order they were first seen.
    errors: Vec<(i16, u64)>,
    /// From the whole frame received to the answer handed to the socket.
    pub total_time: Histogram,
    /// Of that: what the connection's own shard worked on it.
    pub local_time: Histogram,
    /// Of that: what it waited, for another shard, a disk, other replicas, other members, or more bytes.
    pub remote_time: Histogram,
}

/// More than any API has; bounds on what a wrong caller could make grow.
const VERSIONS_MAX: usize = 64;
const API_KEYS_MAX: usize = 1024;

impl Apis {
    /// One answered request: how long it took, and how much of that was work.
    pub fn request(&mut self, api_key: i16, version: i16, total_us: u64, local_us: u64) {
        let Some(api) = self.api_mut(api_key) else { return };
        let version = usize::try_from(version).unwrap_or(0).min(VERSIONS_MAX);
        if api.versions.len() <= version {
            api.versions.resize(version + 1, 0);
        }
        api.versions[version] += 1;
        api.total_time.record(total_us);
        api.local_time.record(local_us);
        api.remote_time.record(total_us.saturating_sub(local_us));
    }

    /// An answer, or a part of one, with this error code; 0 is none.
    pub fn error(&mut self, api_key: i16, code: i16) {
        let Some(api) = self.api_mut(api_key) else { return };
        match api.errors.iter_mut().find(|(seen, _)| *seen == code) {
            Some((_, count)) => *count += 1,
            None => api.errors.push((code, 1)),
        }
    }

    /// APIs that were asked for, by key.
    pub fn iter(&self) -> impl Iterator<Item = (i16, &ApiCounters)> {
        self.by_key.iter().enumerate().filter_map(|(key, api)| Some((key as i16, api.as_deref()?)))
    }

    /// Allocates once per API, at its first request.
    fn api_mut(&mut self, api_key: i16) -> Option<&mut ApiCounters> {
        let key = usize::try_from(api_key).ok().filter(|key| *key < API_KEYS_MAX)?;
        if self.by_key.len() <= key {
            self.by_key.resize_with(key + 1, || None);
        }
        Some(self.by_key[key].get_or_insert_default())
    }
}

impl ApiCounters {
    /// Requests by version, those without a request left out.
    pub fn versions(&self) -> impl Iterator<Item = (usize, u64)> {
        self.versions.iter().copied().enumerate().filter(|(_, count)| *count > 0)
    }

    pub fn errors(&self) -> &[(i16, u64)] {
        &self.errors
    }

    /// Adds what another shard counted for the same API.
    pub fn merge(&mut self, other: &Self) {
        if self.versions.len() < other.versions.len() {
            self.versions.resize(other.versions.len(), 0);
        }
        for (mine, theirs) in self.versions.iter_mut().zip(&other.versions) {
            *mine += theirs;
        }
        for (code, count) in &other.errors {
            match self.errors.iter_mut().find(|(seen, _)| seen == code) {
                Some((_, mine)) => *mine += count,
                None => self.errors.push((*code, *count)),
            }
        }
        self.total_time.merge(&other.total_time);
        self.local_time.merge(&other.local_time);
        self.remote_time.merge(&other.remote_time);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn requests_are_counted_by_api_version_and_error() {
        let mut apis = Apis::default();
        apis.request(1, 17, 250, 250);
        apis.request(1, 17, 350, 50);
        apis.request(1, 4, 100, 100);
        for code in [0, 6, 0, 6] {
            apis.error(1, code);
        }
        apis.request(-1, 0, 1, 1);
        apis.request(i16::MAX, 0, 1, 1);
        let (key, fetch) = apis.iter().next().unwrap();
        assert_eq!((key, apis.iter().count()), (1, 1));
        assert_eq!(fetch.versions().collect::<Vec<_>>(), [(4, 1), (17, 2)]);
        assert_eq!(fetch.errors(), [(0, 2), (6, 2)]);
        let times = [&fetch.total_time, &fetch.local_time, &fetch.remote_time];
        assert_eq!(times.map(|time| (time.count(), time.sum_us())), [(3, 700), (3, 400), (3, 300)]);

        let mut sum = fetch.clone();
        sum.merge(fetch);
        assert_eq!(sum.versions().collect::<Vec<_>>(), [(4, 2), (17, 4)]);
        assert_eq!(sum.errors(), [(0, 4), (6, 4)]);
        assert_eq!(sum.remote_time.sum_us(), 600);
    }
}
