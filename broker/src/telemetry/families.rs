//! Metric families on the way to text. Samples are encoded a few at a time and text leaves piece by piece: with 10,000
//! partitions all of it together would weigh more than the node does.

use prometheus::TextEncoder;
use prometheus::proto::{
    Bucket, Counter, Gauge, Histogram as ProtoHistogram, LabelPair, Metric, MetricFamily, MetricType, Quantile, Summary,
};

use super::histogram::Histogram;

/// Samples held before they are encoded.
const SAMPLES_MAX: usize = 512;
/// Text held before it leaves.
const PIECE_BYTES: usize = 64 << 10;
/// What dashboards for the JMX exporter ask for: its percentiles, with two decimals at least.
const QUANTILES: [f64; 6] = [0.5, 0.75, 0.95, 0.98, 0.99, 0.999];

/// A label's name and value.
pub type Label<'a> = (&'a str, &'a str);

/// Where families are written to.
pub struct Families<'a> {
    text: String,
    emit: &'a mut dyn FnMut(String),
}

impl<'a> Families<'a> {
    /// `emit` is given the text, piece by piece.
    pub fn new(emit: &'a mut dyn FnMut(String)) -> Self {
        Self { text: String::new(), emit }
    }

    /// Something that goes up and down. A family that `fill` adds nothing to leaves no trace.
    pub fn gauges(&mut self, name: &str, help: &str, fill: impl FnOnce(&mut Samples<'_, 'a>)) {
        self.family(MetricType::GAUGE, name, help, fill);
    }

    /// Something that only grows.
    pub fn counters(&mut self, name: &str, help: &str, fill: impl FnOnce(&mut Samples<'_, 'a>)) {
        self.family(MetricType::COUNTER, name, help, fill);
    }

    pub fn summaries(&mut self, name: &str, help: &str, fill: impl FnOnce(&mut Samples<'_, 'a>)) {
        self.family(MetricType::SUMMARY, name, help, fill);
    }

    pub fn histograms(&mut self, name: &str, help: &str, fill: impl FnOnce(&mut Samples<'_, 'a>)) {
        self.family(MetricType::HISTOGRAM, name, help, fill);
    }

    /// A family of one gauge without labels.
    pub fn gauge(&mut self, name: &str, help: &str, value: f64) {
        self.gauges(name, help, |samples| samples.add(&[], value));
    }

    /// A family of one counter without labels.
    pub fn counter(&mut self, name: &str, help: &str, value: f64) {
        self.counters(name, help, |samples| samples.add(&[], value));
    }

    /// Lets the rest of the text leave.
    pub fn finish(self) {
        (self.emit)(self.text);
    }

    fn family(&mut self, kind: MetricType, name: &str, help: &str, fill: impl FnOnce(&mut Samples<'_, 'a>)) {
        let mut proto = MetricFamily::default();
        proto.set_name(name.to_owned());
        proto.set_help(help.to_owned());
        proto.set_field_type(kind);
        let mut samples = Samples { families: self, proto, begun: false };
        fill(&mut samples);
        samples.encode();
    }
}

/// The samples of one family.
pub struct Samples<'f, 'a> {
    families: &'f mut Families<'a>,
    proto: MetricFamily,
    /// Some of them are text already, under the family's heading.
    begun: bool,
}

impl Samples<'_, '_> {
    /// Adds a sample to a family of gauges or counters.
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
        self.push(metric);
    }

    /// As [`Samples::add`], for the many whole numbers.
    pub fn add_whole(&mut self, labels: &[Label<'_>], value: u64) {
        self.add(labels, value as f64);
    }

    /// Adds a summary in milliseconds: quantiles of `recent`, sum and count of `all`.
    pub fn add_summary_ms(&mut self, labels: &[Label<'_>], recent: &Histogram, all: &Histogram) {
        let quantile = |of: &f64| {
            let mut quantile = Quantile::default();
            quantile.set_quantile(*of);
            quantile.set_value(recent.quantile_us(*of) / 1e3);
            quantile
        };
        let mut summary = Summary::default();
        summary.set_quantile(QUANTILES.iter().map(quantile).collect());
        summary.set_sample_count(all.count());
        summary.set_sample_sum(all.sum_us() as f64 / 1e3);
        let mut metric = metric(labels);
        metric.set_summary(summary);
        self.push(metric);
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
        self.push(metric);
    }

    fn push(&mut self, metric: Metric) {
        self.proto.mut_metric().push(metric);
        if self.proto.get_metric().len() >= SAMPLES_MAX {
            self.encode();
        }
    }

    /// Turns the samples at hand to text, with the heading where they are the first.
    fn encode(&mut self) {
        if self.proto.get_metric().is_empty() {
            return;
        }
        let mut encoded = String::new();
        TextEncoder::new()
            .encode_utf8(std::slice::from_ref(&self.proto), &mut encoded)
            .expect("a named family with samples, written to memory, can be encoded");
        self.proto.mut_metric().clear();
        let text = &mut self.families.text;
        if std::mem::replace(&mut self.begun, true) {
            // The heading is two lines, HELP and TYPE.
            encoded.split_inclusive('\n').skip(2).for_each(|line| text.push_str(line));
        } else if self.proto.get_field_type() == MetricType::SUMMARY {
            // As the JMX exporter writes it; labels are compared as text. A quote within a label's value is escaped.
            text.push_str(&encoded.replace("quantile=\"0.5\"", "quantile=\"0.50\""));
        } else {
            text.push_str(&encoded);
        }
        if text.len() >= PIECE_BYTES {
            (self.families.emit)(std::mem::take(text));
        }
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_large_family_leaves_in_pieces_under_one_heading() {
        let mut pieces = Vec::new();
        let mut emit = |piece| pieces.push(piece);
        let mut families = Families::new(&mut emit);
        families.gauges("empty", "Nothing.", |_| {});
        families.gauges("many", "A lot.", |samples| {
            for index in 0..5_000u64 {
                samples.add_whole(&[("index", &index.to_string())], index);
            }
        });
        families.finish();
        assert!(pieces.len() > 1 && pieces.iter().all(|piece| piece.len() < 2 * PIECE_BYTES), "{}", pieces.len());
        let text = pieces.concat();
        let mut lines = text.lines();
        assert_eq!((lines.next(), lines.next()), (Some("# HELP many A lot."), Some("# TYPE many gauge")));
        let expected: Vec<String> = (0..5_000).map(|index| format!("many{{index=\"{index}\"}} {index}")).collect();
        assert_eq!(lines.collect::<Vec<_>>(), expected);
    }
}
