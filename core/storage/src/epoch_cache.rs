//! Which leader epoch each offset belongs to (KIP-101, 279, 320), and its file `leader-epoch-checkpoint`.
//!
//! ```text
//!  offset   0 ........ 40 ........ 95 ....... end
//!  epoch       0            2           5            epochs 1, 3 and 4 wrote nothing
//! ```

use model::{LeaderEpoch, Offset};

/// Epochs that wrote something, each with its first offset; both grow.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct EpochCache {
    entries: Vec<(LeaderEpoch, Offset)>,
}

/// Where an epoch ended. Both are `None` where the epoch is newer than all that is known.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct EpochEnd {
    /// The largest known epoch that is not above the one asked for; the one asked for itself if it is below all.
    pub epoch: Option<LeaderEpoch>,
    /// The first offset after it.
    pub end_offset: Option<Offset>,
}

impl EpochCache {
    pub fn from_entries(entries: Vec<(LeaderEpoch, Offset)>) -> Self {
        let mut cache = Self::default();
        for (epoch, start) in entries {
            cache.assign(epoch, start);
        }
        cache
    }

    pub fn entries(&self) -> &[(LeaderEpoch, Offset)] {
        &self.entries
    }

    /// The epoch of the last record.
    pub fn latest(&self) -> Option<LeaderEpoch> {
        self.entries.last().map(|(epoch, _)| *epoch)
    }

    /// The epoch of the record at `offset`.
    pub fn of(&self, offset: Offset) -> Option<LeaderEpoch> {
        let after = self.entries.partition_point(|(_, start)| *start <= offset);
        after.checked_sub(1).map(|at| self.entries[at].0)
    }

    /// Notes that `epoch` begins at `start`; true when that is news. What contradicts it goes.
    pub fn assign(&mut self, epoch: LeaderEpoch, start: Offset) -> bool {
        if epoch.0 < 0 || self.latest() == Some(epoch) {
            return false;
        }
        self.entries.retain(|(known, from)| *known < epoch && *from < start);
        self.entries.push((epoch, start));
        true
    }

    /// Kafka's answer to OffsetForLeaderEpoch, where `end` is the log's end.
    pub fn end_of(&self, epoch: LeaderEpoch, end: Offset) -> EpochEnd {
        if self.latest() == Some(epoch) {
            return EpochEnd { epoch: Some(epoch), end_offset: Some(end) };
        }
        let above = self.entries.partition_point(|(known, _)| *known <= epoch);
        match self.entries.get(above) {
            Some((_, next_start)) if epoch != LeaderEpoch::NONE => {
                let floor = above.checked_sub(1).map_or(epoch, |at| self.entries[at].0);
                EpochEnd { epoch: Some(floor), end_offset: Some(*next_start) }
            }
            _ => EpochEnd { epoch: None, end_offset: None },
        }
    }

    /// Forgets what begins at `end` or above; true when something did.
    pub fn truncate_end(&mut self, end: Offset) -> bool {
        let before = self.entries.len();
        self.entries.retain(|(_, start)| *start < end);
        self.entries.len() != before
    }

    /// Forgets what ended before `start`; the epoch that covers `start` now begins there.
    pub fn truncate_start(&mut self, start: Offset) -> bool {
        let covering = self.entries.partition_point(|(_, from)| *from <= start);
        let Some(keep) = covering.checked_sub(1) else { return false };
        let changed = keep > 0 || self.entries[keep].1 != start;
        self.entries.drain(..keep);
        self.entries[0].1 = start;
        changed
    }

    /// The checkpoint file's text.
    pub fn to_text(&self) -> String {
        let mut text = format!("0\n{}\n", self.entries.len());
        for (epoch, start) in &self.entries {
            text.push_str(&format!("{epoch} {start}\n"));
        }
        text
    }

    /// `None` where the text is not a whole checkpoint.
    pub fn from_text(text: &str) -> Option<Self> {
        let mut lines = text.lines();
        if lines.next()?.trim() != "0" {
            return None;
        }
        let count: usize = lines.next()?.trim().parse().ok()?;
        let mut entries = Vec::new();
        for line in lines.by_ref().take(count) {
            let (epoch, start) = line.trim().split_once(' ')?;
            entries.push((LeaderEpoch(epoch.parse().ok()?), Offset(start.parse().ok()?)));
        }
        (entries.len() == count).then(|| Self::from_entries(entries))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn cache() -> EpochCache {
        EpochCache::from_entries(vec![
            (LeaderEpoch(0), Offset(0)),
            (LeaderEpoch(2), Offset(40)),
            (LeaderEpoch(5), Offset(95)),
        ])
    }

    fn end(epoch: i32) -> Option<(i32, i64)> {
        let end = cache().end_of(LeaderEpoch(epoch), Offset(120));
        Some((end.epoch?.0, end.end_offset?.0))
    }

    #[test]
    fn an_epoch_ends_where_the_next_one_begins() {
        assert_eq!(end(0), Some((0, 40)));
        assert_eq!(end(2), Some((2, 95)));
        assert_eq!(end(5), Some((5, 120)), "the latest ends with the log");
    }

    #[test]
    fn an_epoch_that_wrote_nothing_is_answered_by_the_one_before_it() {
        assert_eq!(end(1), Some((0, 40)));
        assert_eq!(end(4), Some((2, 95)));
    }

    #[test]
    fn unknown_epochs_are_undefined_above_and_the_first_start_below() {
        assert_eq!(end(6), None);
        assert_eq!(end(-1), None, "no epoch");
        assert_eq!(end(-2), Some((-2, 0)), "an epoch below all, if an odd one");
        let later = EpochCache::from_entries(vec![(LeaderEpoch(3), Offset(10))]);
        let end = later.end_of(LeaderEpoch(1), Offset(20));
        assert_eq!((end.epoch, end.end_offset), (Some(LeaderEpoch(1)), Some(Offset(10))));
        assert_eq!(EpochCache::default().end_of(LeaderEpoch(0), Offset(0)).epoch, None);
    }

    #[test]
    fn offsets_have_the_epoch_that_covers_them() {
        let of = |offset| cache().of(Offset(offset)).map(|epoch| epoch.0);
        assert_eq!((of(0), of(39), of(40), of(1000)), (Some(0), Some(0), Some(2), Some(5)));
    }

    #[test]
    fn a_new_epoch_overrules_what_contradicts_it() {
        let mut cache = cache();
        assert!(!cache.assign(LeaderEpoch(5), Offset(100)), "known");
        assert!(cache.assign(LeaderEpoch(6), Offset(40)));
        assert_eq!(cache.entries(), [(LeaderEpoch(0), Offset(0)), (LeaderEpoch(6), Offset(40))]);
    }

    #[test]
    fn truncation_drops_epochs_and_moves_the_first() {
        let mut cache = cache();
        assert!(cache.truncate_end(Offset(95)));
        assert!(!cache.truncate_end(Offset(95)));
        assert!(cache.truncate_start(Offset(60)));
        assert_eq!(cache.entries(), [(LeaderEpoch(2), Offset(60))]);
    }

    #[test]
    fn the_file_reads_back() {
        assert_eq!(cache().to_text(), "0\n3\n0 0\n2 40\n5 95\n");
        assert_eq!(EpochCache::from_text(&cache().to_text()), Some(cache()));
        for broken in ["", "1\n0\n", "0\n2\n0 0\n", "0\n1\nx 0\n", "0\n1\n0\n"] {
            assert_eq!(EpochCache::from_text(broken), None, "{broken:?}");
        }
    }
}
