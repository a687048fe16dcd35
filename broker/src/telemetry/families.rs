//! Metric families on the way to text. Each is encoded as soon as it is complete: with 10,000 partitions all of them
//! together would weigh more than the node does.

use prometheus::TextEncoder;
use prometheus::proto::{
    Bucket, Counter, Gauge, Histogram as ProtoHistogram, LabelPair, Metric, MetricFamily, MetricType, Quantile, Summary,
};

use super::histogram::Histogram;

/// One family under construction.
pub struct Family {
    proto: MetricFamily,
}

/// A label's name and value.
pub type Label<'a> = (&'a str, &'a str);

impl Family {
    /// Something that goes up and down.
    pub fn gauge(name: &str, help: &str) -> Self {
        Self::new(name, help, MetricType::GAUGE)
    }

    /// Something that only grows; its name ends in `_total`.
    pub fn counter(name: &str, help: &str) -> Self {
        Self::new(name, help, MetricType::COUNTER)
    }

    pub fn summary(name: &str, help: &str) -> Self {
        Self::new(name, help, MetricType::SUMMARY)
    }

    pub fn histogram(name: &str, help: &str) -> Self {
        Self::new(name, help, MetricType::HISTOGRAM)
    }

    fn new(name: &str, help: &str, kind: MetricType) -> Self {
        let mut proto = MetricFamily::default();
        proto.set_name(name.to_owned());
        proto.set_help(help.to_owned());
        proto.set_field_type(kind);
        Self { proto }
    }

    /// Adds a sample to a gauge or a counter.
    pub fn add(&mut self, labels: &[Label<'_>], value: f64) {
        let mut metric = metric(labels);
        if self.proto.get_field_type() == MetricType::COUNTER {
            let mut counter = Counter::default();
            counter.set_value(value);
            metric.set_counter(counter);
        } else {
            let mut gauge = Gauge::default();
            gauge.set_value(value);
            metric.set_gauge(gauge);
        }
        self.proto.mut_metric().push(metric);
    }

    /// As [`Family::add`], for the many whole numbers.
    pub fn add_whole(&mut self, labels: &[Label<'_>], value: u64) {
        self.add(labels, value as f64);
    }

    /// Adds a summary in milliseconds: quantiles of `recent`, sum and count of `all`.
    pub fn add_summary_ms(&mut self, labels: &[Label<'_>], quantiles: &[f64], recent: &Histogram, all: &Histogram) {
        let quantile = |of: &f64| {
            let mut quantile = Quantile::default();
            quantile.set_quantile(*of);
            quantile.set_value(recent.quantile_us(*of) / 1e3);
            quantile
        };
        let mut summary = Summary::default();
        summary.set_quantile(quantiles.iter().map(quantile).collect());
        summary.set_sample_count(all.count());
        summary.set_sample_sum(all.sum_us() as f64 / 1e3);
        let mut metric = metric(labels);
        metric.set_summary(summary);
        self.proto.mut_metric().push(metric);
    }

    /// Adds a histogram in seconds, with bounds at the powers of two of a microsecond from 64 us to 67 s.
    pub fn add_histogram_seconds(&mut self, labels: &[Label<'_>], all: &Histogram) {
        let bucket = |(bound_us, below): (u64, u64)| {
            let mut bucket = Bucket::default();
            bucket.set_upper_bound(bound_us as f64 / 1e6);
            bucket.set_cumulative_count(below);
            bucket
        };
        let mut histogram = ProtoHistogram::default();
        histogram.set_bucket(all.below_powers(6, 26).map(bucket).collect());
        histogram.set_sample_count(all.count());
        histogram.set_sample_sum(all.sum_us() as f64 / 1e6);
        let mut metric = metric(labels);
        metric.set_histogram(histogram);
        self.proto.mut_metric().push(metric);
    }
}

fn metric(labels: &[Label<'_>]) -> Metric {
    let pair = |(name, value): &Label<'_>| {
        let mut pair = LabelPair::default();
        pair.set_name((*name).to_owned());
        pair.set_value((*value).to_owned());
        pair
    };
    Metric::from_label(labels.iter().map(pair).collect())
}

/// The text so far.
#[derive(Default)]
pub struct Families {
    text: String,
}

impl Families {
    /// Encodes a family; one without samples leaves no trace.
    pub fn push(&mut self, family: Family) {
        if family.proto.get_metric().is_empty() {
            return;
        }
        TextEncoder::new()
            .encode_utf8(&[family.proto], &mut self.text)
            .expect("a named family with samples, written to memory, can be encoded");
    }

    /// A family of one gauge without labels.
    pub fn gauge(&mut self, name: &str, help: &str, value: f64) {
        let mut family = Family::gauge(name, help);
        family.add(&[], value);
        self.push(family);
    }

    /// A family of one counter without labels.
    pub fn counter(&mut self, name: &str, help: &str, value: f64) {
        let mut family = Family::counter(name, help);
        family.add(&[], value);
        self.push(family);
    }

    pub fn into_text(self) -> String {
        self.text
    }
}
