//! Takes typed values out of [`Properties`] and remembers which keys had a taker, so that the rest can be reported.

use std::collections::BTreeSet;
use std::fmt::Display;
use std::ops::RangeInclusive;
use std::str::FromStr;

use super::error::Error;
use super::properties::{Entry, Properties};

/// The number types of Kafka's configuration, and ports and sizes.
pub trait Number: FromStr + PartialOrd + Display + Copy {
    const MIN: Self;
    const MAX: Self;
}

macro_rules! number {
    ($($type:ty),*) => { $(impl Number for $type { const MIN: Self = <$type>::MIN; const MAX: Self = <$type>::MAX; })* };
}
number!(i16, i32, i64, u16, u64, usize, f64);

pub struct Reader<'a> {
    properties: &'a Properties,
    taken: BTreeSet<&'static str>,
}

impl<'a> Reader<'a> {
    pub fn new(properties: &'a Properties) -> Self {
        Self { properties, taken: BTreeSet::new() }
    }

    /// Whether some part of the node has asked for `key`.
    pub fn has_taken(&self, key: &str) -> bool {
        self.taken.contains(key)
    }

    /// The value as written; `None` when the key is absent.
    pub fn entry(&mut self, key: &'static str) -> Option<&'a Entry> {
        self.taken.insert(key);
        self.properties.get(key)
    }

    /// The text of a key; an empty text counts as absent.
    pub fn text(&mut self, key: &'static str) -> Option<&'a str> {
        self.entry(key).map(|entry| entry.value.as_str()).filter(|value| !value.is_empty())
    }

    /// Comma-separated, white space around items dropped. `None` when the key is absent or empty.
    pub fn list(&mut self, key: &'static str) -> Option<Vec<&'a str>> {
        self.text(key).map(|text| text.split(',').map(str::trim).collect())
    }

    /// A number inside `allowed`, both ends included.
    pub fn number<T: Number>(&mut self, key: &'static str, default: T, allowed: RangeInclusive<T>) -> Result<T, Error> {
        Ok(self.optional_number(key, allowed)?.unwrap_or(default))
    }

    /// As [`Reader::number`] for a key without a default.
    pub fn optional_number<T: Number>(
        &mut self,
        key: &'static str,
        allowed: RangeInclusive<T>,
    ) -> Result<Option<T>, Error> {
        let Some(entry) = self.entry(key) else { return Ok(None) };
        match entry.value.parse::<T>() {
            Ok(number) if allowed.contains(&number) => Ok(Some(number)),
            Ok(_) => Err(bad(key, entry, describe(&allowed, false))),
            // Digits that the type cannot hold: its end is worth telling.
            Err(_) => Err(bad(key, entry, describe(&allowed, entry.value.bytes().all(|b| b.is_ascii_digit())))),
        }
    }

    pub fn boolean(&mut self, key: &'static str, default: bool) -> Result<bool, Error> {
        match self.entry(key) {
            None => Ok(default),
            Some(entry) if entry.value.eq_ignore_ascii_case("true") => Ok(true),
            Some(entry) if entry.value.eq_ignore_ascii_case("false") => Ok(false),
            Some(entry) => Err(bad(key, entry, "true or false")),
        }
    }

    /// The refusal of a key's value; `allowed` reads after "must be".
    pub fn refuse(&self, key: &'static str, allowed: impl Into<String>) -> Error {
        match self.properties.get(key) {
            Some(entry) => bad(key, entry, allowed),
            None => Error::Conflict(format!("the default of {key} must be {}", allowed.into())),
        }
    }
}

fn bad(key: &str, entry: &Entry, allowed: impl Into<String>) -> Error {
    Error::Value { key: key.to_owned(), value: entry.value.clone(), place: entry.place, allowed: allowed.into() }
}

fn describe<T: Number>(allowed: &RangeInclusive<T>, both_ends: bool) -> String {
    let (from, to) = (*allowed.start(), *allowed.end());
    if from > T::MIN && to == T::MAX && !both_ends {
        format!("a number of at least {from}")
    } else {
        format!("a number from {from} to {to}")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bad_values_name_key_value_place_and_allowed_range() {
        let properties =
            Properties::parse("num.partitions=0\nnode.id=x\nsize=99999999999\nflag=yes\nratio=1.5").unwrap();
        let mut reader = Reader::new(&properties);
        let told = |error: Error| error.to_string();
        assert_eq!(
            told(reader.number("num.partitions", 1, 1..=i32::MAX).unwrap_err()),
            "num.partitions=0 (line 1): must be a number of at least 1"
        );
        assert_eq!(
            told(reader.number("node.id", 1, 0..=7).unwrap_err()),
            "node.id=x (line 2): must be a number from 0 to 7"
        );
        assert_eq!(
            told(reader.number("size", 1, i32::MIN..=i32::MAX).unwrap_err()),
            "size=99999999999 (line 3): must be a number from -2147483648 to 2147483647"
        );
        assert_eq!(told(reader.boolean("flag", true).unwrap_err()), "flag=yes (line 4): must be true or false");
        assert_eq!(
            told(reader.number("ratio", 0.5, 0.0..=1.0).unwrap_err()),
            "ratio=1.5 (line 5): must be a number from 0 to 1"
        );
    }

    #[test]
    fn an_absent_key_is_its_default_and_counts_as_taken() {
        let properties = Properties::parse("rack=\nroles = broker , controller").unwrap();
        let mut reader = Reader::new(&properties);
        assert_eq!(reader.number("num.partitions", 3, 1..=i32::MAX).unwrap(), 3);
        assert_eq!(reader.text("rack"), None);
        assert_eq!(reader.list("roles"), Some(vec!["broker", "controller"]));
        assert!(reader.has_taken("num.partitions") && reader.has_taken("rack") && !reader.has_taken("node.id"));
    }
}
