//! Two lists of answers, and what differs between them.

use std::collections::{BTreeMap, BTreeSet};

use super::on_purpose::{DIFFERENCES, OnPurpose};
use super::side::Heard;

/// Where something differs: step, path, Kafka's value and Milena's.
type Difference = (String, String, String, String);

/// One side's answer: value by path.
struct Told<'a>(BTreeMap<&'a str, &'a str>);

impl<'a> Told<'a> {
    fn new(heard: &'a Heard) -> Self {
        Self(heard.lines.iter().map(|(path, value)| (path.as_str(), value.as_str())).collect())
    }

    /// The shortest beginning of `path` below which there is nothing: an element that this list does not have.
    fn first_missing<'p>(&self, path: &'p str) -> &'p str {
        let ends = path.char_indices().filter(|(_, c)| *c == ']').map(|(at, _)| &path[..=at]);
        ends.chain([path]).find(|prefix| !self.0.keys().any(|known| known.starts_with(prefix))).unwrap_or(path)
    }
}

/// What was found so far.
#[derive(Default)]
pub struct Verdict {
    /// Each with the versions in which it shows.
    found: BTreeMap<Difference, BTreeSet<i16>>,
}

impl Verdict {
    pub fn compare(&mut self, kafka: &[Heard], milena: &[Heard]) {
        for index in 0..kafka.len().max(milena.len()) {
            match (kafka.get(index), milena.get(index)) {
                (Some(theirs), Some(ours)) if theirs.step == ours.step && theirs.version == ours.version => {
                    self.compare_lines(theirs, ours);
                }
                (theirs, ours) => {
                    let step = |heard: Option<&Heard>| heard.map_or("nothing".to_owned(), |heard| heard.step.clone());
                    let (theirs, ours) = (step(theirs), step(ours));
                    self.found.entry((theirs.clone(), "the step itself".to_owned(), theirs, ours)).or_default();
                    return;
                }
            }
        }
    }

    /// A scenario met what it cannot go on from.
    pub fn broke_off(&mut self, scenario: &str, on_kafka: bool, on_milena: bool) {
        let told = |broke: bool| if broke { "broke off".to_owned() } else { "went through".to_owned() };
        let key = (scenario.to_owned(), "the scenario itself".to_owned(), told(on_kafka), told(on_milena));
        self.found.entry(key).or_default();
    }

    fn compare_lines(&mut self, kafka: &Heard, milena: &Heard) {
        let (theirs, ours) = (Told::new(kafka), Told::new(milena));
        let paths: BTreeSet<&str> = theirs.0.keys().chain(ours.0.keys()).copied().collect();
        for path in paths {
            let (at, theirs, ours) = match (theirs.0.get(path), ours.0.get(path)) {
                (Some(theirs), Some(ours)) if theirs == ours => continue,
                (Some(theirs), Some(ours)) => (path, *theirs, *ours),
                (theirs, None) => (ours.first_missing(path), theirs.map_or("", |value| value), "absent"),
                (None, ours) => (theirs.first_missing(path), "absent", ours.map_or("", |value| value)),
            };
            let there =
                |value: &str| if at == path || value == "absent" { value.to_owned() } else { "there".to_owned() };
            let key = (kafka.step.clone(), at.to_owned(), there(theirs), there(ours));
            self.found.entry(key).or_default().insert(kafka.version);
        }
    }

    /// Fails on every difference that is not listed, and where `whole`, on every one that is listed and did not show.
    pub fn finish(self, run: &str, whole: bool) {
        let mut unused: BTreeSet<usize> = (0..DIFFERENCES.len()).collect();
        let mut report = Vec::new();
        for ((step, path, kafka, milena), versions) in &self.found {
            let listed = |on_purpose: &OnPurpose| on_purpose.covers(step, path, kafka, milena);
            let covering: Vec<usize> = (0..DIFFERENCES.len()).filter(|index| listed(&DIFFERENCES[*index])).collect();
            if covering.is_empty() {
                let versions: Vec<String> = versions.iter().map(i16::to_string).collect();
                let text =
                    format!("{step}, {path} (v{})\n    Kafka:  {kafka}\n    Milena: {milena}", versions.join(","));
                report.push(text.replace(run, "RUN"));
            }
            unused.retain(|index| !covering.contains(index));
        }
        if whole {
            let stale = |index: &usize| format!("listed as different on purpose, but alike: {:?}", DIFFERENCES[*index]);
            report.extend(unused.iter().map(stale));
        }
        assert!(report.is_empty(), "{} differences:\n{}", report.len(), report.join("\n"));
    }
}
