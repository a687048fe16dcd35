//! Counts of durations in buckets that grow with the duration: four to an octave, so a reading is within an eighth.
//! Adding one is two shifts and an add; nothing is allocated.

/// Everything from 2^26 microseconds (67 s) up to 2^27 shares the last octave, longer durations the last bucket.
const OCTAVE_LAST: u32 = 26;
const BUCKETS: usize = 4 * OCTAVE_LAST as usize;

/// Durations in microseconds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Histogram {
    counts: [u64; BUCKETS],
    sum_us: u64,
}

impl Default for Histogram {
    fn default() -> Self {
        Self { counts: [0; BUCKETS], sum_us: 0 }
    }
}

impl Histogram {
    pub fn record(&mut self, micros: u64) {
        self.counts[bucket(micros)] += 1;
        self.sum_us = self.sum_us.saturating_add(micros);
    }

    pub fn count(&self) -> u64 {
        self.counts.iter().sum()
    }

    /// The sum of all durations, in microseconds.
    pub fn sum_us(&self) -> u64 {
        self.sum_us
    }

    pub fn merge(&mut self, other: &Self) {
        for (mine, theirs) in self.counts.iter_mut().zip(&other.counts) {
            *mine += theirs;
        }
        self.sum_us = self.sum_us.saturating_add(other.sum_us);
    }

    /// What was recorded since `earlier` was this histogram.
    pub fn since(&self, earlier: &Self) -> Self {
        let mut difference = self.clone();
        for (count, before) in difference.counts.iter_mut().zip(&earlier.counts) {
            *count = count.saturating_sub(*before);
        }
        difference.sum_us = self.sum_us.saturating_sub(earlier.sum_us);
        difference
    }

    /// The duration in microseconds that a share `quantile` (0 to 1) of all stayed below; 0 when there are none.
    pub fn quantile_us(&self, quantile: f64) -> f64 {
        let count = self.count();
        if count == 0 {
            return 0.0;
        }
        let rank = ((quantile * count as f64).ceil() as u64).clamp(1, count);
        let mut seen = 0;
        for (index, in_bucket) in self.counts.iter().enumerate() {
            seen += in_bucket;
            if seen >= rank {
                let (from, to) = (lowest(index), lowest(index + 1));
                // Below four microseconds a bucket holds one whole number.
                return if to - from <= 1 { from as f64 } else { (from + to) as f64 / 2.0 };
            }
        }
        lowest(BUCKETS) as f64
    }

    /// For each power of two from `2^from` to `2^to` microseconds: that bound, and how many were below it.
    pub fn below_powers(&self, from: u32, to: u32) -> impl Iterator<Item = (u64, u64)> {
        (from..=to).map(|power| {
            let bound = 1_u64 << power;
            (bound, self.counts[..bucket(bound)].iter().sum())
        })
    }
}

/// Buckets 0 to 3 hold 0 to 3; then each octave is cut in four.
fn bucket(micros: u64) -> usize {
    if micros < 4 {
        return micros as usize;
    }
    let octave = micros.ilog2();
    if octave > OCTAVE_LAST {
        return BUCKETS - 1;
    }
    let quarter = (micros >> (octave - 2)) & 3;
    (octave as usize - 1) * 4 + quarter as usize
}

/// The smallest duration of a bucket.
fn lowest(bucket: usize) -> u64 {
    if bucket < 4 {
        return bucket as u64;
    }
    let (octave, quarter) = (bucket / 4 + 1, bucket as u64 % 4);
    (4 + quarter) << (octave - 2)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn buckets_follow_one_another_and_hold_their_lowest() {
        for index in 0..BUCKETS {
            assert_eq!(bucket(lowest(index)), index);
            assert_eq!(bucket(lowest(index + 1) - 1), index);
        }
        assert_eq!(bucket(u64::MAX), BUCKETS - 1);
    }

    #[test]
    fn a_quantile_is_within_an_eighth() {
        let mut histogram = Histogram::default();
        (1..=10_000).for_each(|micros| histogram.record(micros));
        for (quantile, exact) in [(0.5, 5000.0), (0.95, 9500.0), (0.99, 9900.0), (0.999, 9990.0)] {
            let read = histogram.quantile_us(quantile);
            assert!((read - exact).abs() <= exact / 8.0, "{quantile}: {read}");
        }
        assert_eq!((histogram.count(), histogram.sum_us()), (10_000, 50_005_000));
        assert_eq!(Histogram::default().quantile_us(0.99), 0.0);
    }

    #[test]
    fn merging_and_taking_apart_are_inverse() {
        let (mut early, mut late) = (Histogram::default(), Histogram::default());
        early.record(7);
        late.record(900);
        late.record(u64::MAX / 2);
        let mut both = early.clone();
        both.merge(&late);
        assert_eq!(both.since(&early), late);
        let below: Vec<_> = both.below_powers(3, 10).collect();
        assert_eq!((below[0], below[6], below[7]), ((8, 1), (512, 1), (1024, 2)));
    }
}
