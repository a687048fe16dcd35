//! The syntax of a `.properties` file, as `java.util.Properties` reads it: comments, separators, continued lines, escapes.
//! What the keys mean is not known here. Text is UTF-8 (Java's loader assumes Latin-1; `\uXXXX` works in both).

use std::collections::BTreeMap;
use std::fmt;
use std::iter::Peekable;
use std::str::Chars;

/// Where a value was written.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Place {
    /// The line of the file, counted from 1.
    Line(usize),
    /// `--set` on the command line.
    CommandLine,
    /// Set by a subcommand, not by the user.
    Preset,
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Line(line) => write!(f, "line {line}"),
            Self::CommandLine => f.write_str("--set"),
            Self::Preset => f.write_str("preset"),
        }
    }
}

/// A value as written, outer white space removed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    pub value: String,
    pub place: Place,
}

/// A line that is not `.properties` syntax.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("line {line}: {what}")]
pub struct SyntaxError {
    pub line: usize,
    pub what: &'static str,
}

/// Keys and values as written, ordered by key.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Properties {
    entries: BTreeMap<String, Entry>,
    repeated: Vec<(String, Place, Place)>,
}

impl Properties {
    /// Reads a whole file. Of a key written twice the last value holds, and [`Properties::repeated`] tells of it.
    pub fn parse(text: &str) -> Result<Self, SyntaxError> {
        let mut properties = Self::default();
        // Windows editors put a byte order mark in front.
        for (line, logical) in logical_lines(text.strip_prefix('\u{feff}').unwrap_or(text)) {
            let (key, value) = split(&logical, line)?;
            let place = Place::Line(line);
            if let Some(earlier) = properties.entries.get(&key) {
                properties.repeated.push((key.clone(), earlier.place, place));
            }
            properties.entries.insert(key, Entry { value: value.trim().to_owned(), place });
        }
        Ok(properties)
    }

    /// Sets `key` over whatever was there. The value is taken as it is, without escapes.
    pub fn set(&mut self, key: &str, value: &str, place: Place) {
        let entry = Entry { value: value.trim().to_owned(), place };
        self.entries.insert(key.trim().to_owned(), entry);
    }

    pub fn get(&self, key: &str) -> Option<&Entry> {
        self.entries.get(key)
    }

    pub fn iter(&self) -> impl Iterator<Item = (&str, &Entry)> {
        self.entries.iter().map(|(key, entry)| (key.as_str(), entry))
    }

    /// Keys that the file holds more than once, with the place that lost and the place that won.
    pub fn repeated(&self) -> &[(String, Place, Place)] {
        &self.repeated
    }
}

fn is_blank(c: char) -> bool {
    matches!(c, ' ' | '\t' | '\u{c}')
}

/// Joins continued lines; drops blank lines and comments. Each line comes with the number of its first natural line.
fn logical_lines(text: &str) -> Vec<(usize, String)> {
    let mut lines = Vec::new();
    let mut open: Option<(usize, String)> = None;
    for (index, natural) in natural_lines(text).enumerate() {
        let start = natural.trim_start_matches(is_blank);
        let (number, mut logical) = match open.take() {
            Some(unfinished) => unfinished,
            // A comment ends with its line even when it ends with a backslash.
            None if start.is_empty() || start.starts_with(['#', '!']) => continue,
            None => (index + 1, String::new()),
        };
        let backslashes = start.chars().rev().take_while(|c| *c == '\\').count();
        if backslashes % 2 == 1 {
            logical.push_str(&start[..start.len() - 1]);
            open = Some((number, logical));
        } else {
            logical.push_str(start);
            lines.push((number, logical));
        }
    }
    lines.extend(open.filter(|(_, logical)| !logical.is_empty()));
    lines
}

/// Lines end with `\n`, `\r` or `\r\n`.
fn natural_lines(text: &str) -> impl Iterator<Item = &str> {
    text.split('\n').flat_map(|line| line.strip_suffix('\r').unwrap_or(line).split('\r'))
}

fn split(logical: &str, line: usize) -> Result<(String, String), SyntaxError> {
    let mut chars = logical.chars().peekable();
    let mut key = String::new();
    while let Some(c) = chars.next_if(|c| !is_blank(*c) && !matches!(c, '=' | ':')) {
        push(&mut key, c, &mut chars, line)?;
    }
    while chars.next_if(|c| is_blank(*c)).is_some() {}
    if chars.next_if(|c| matches!(c, '=' | ':')).is_some() {
        while chars.next_if(|c| is_blank(*c)).is_some() {}
    }
    let mut value = String::new();
    while let Some(c) = chars.next() {
        push(&mut value, c, &mut chars, line)?;
    }
    if key.is_empty() {
        return Err(SyntaxError { line, what: "a value without a key" });
    }
    Ok((key, value))
}

/// Appends `c`, or what it stands for when it begins an escape.
fn push(out: &mut String, c: char, rest: &mut Peekable<Chars<'_>>, line: usize) -> Result<(), SyntaxError> {
    if c != '\\' {
        out.push(c);
        return Ok(());
    }
    match rest.next() {
        Some('t') => out.push('\t'),
        Some('n') => out.push('\n'),
        Some('r') => out.push('\r'),
        Some('f') => out.push('\u{c}'),
        Some('u') => out.push(unicode(rest, line)?),
        Some(other) => out.push(other),
        None => {}
    }
    Ok(())
}

/// `\uXXXX`, a pair of them for characters beyond the first plane.
fn unicode(rest: &mut Peekable<Chars<'_>>, line: usize) -> Result<char, SyntaxError> {
    let broken = SyntaxError { line, what: "\\u needs four hexadecimal digits that make a character" };
    let high = four_digits(rest).ok_or(broken.clone())?;
    if !(0xd800..0xdc00).contains(&high) {
        return char::from_u32(high).ok_or(broken);
    }
    if rest.next() != Some('\\') || rest.next() != Some('u') {
        return Err(broken);
    }
    match four_digits(rest) {
        Some(low @ 0xdc00..0xe000) => char::from_u32(0x10000 + ((high - 0xd800) << 10) + (low - 0xdc00)).ok_or(broken),
        _ => Err(broken),
    }
}

fn four_digits(rest: &mut Peekable<Chars<'_>>) -> Option<u32> {
    (0..4).try_fold(0, |number, _| Some(number * 16 + rest.next()?.to_digit(16)?))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn value(text: &str, key: &str) -> String {
        Properties::parse(text).unwrap().get(key).unwrap_or_else(|| panic!("{key} is missing")).value.clone()
    }

    #[test]
    fn equals_colon_and_white_space_separate() {
        for text in ["a=b", "a:b", "a b", "a\tb", "a = b", "a : b", "  a  b", "a\u{c}=b", "a=b  "] {
            assert_eq!(value(text, "a"), "b", "{text:?}");
        }
        assert_eq!(value("a==b", "a"), "=b");
        assert_eq!(value("a = : b", "a"), ": b");
        assert_eq!(value("a", "a"), "");
        assert_eq!(value("a=", "a"), "");
        assert_eq!(value("listeners=PLAINTEXT://:9092", "listeners"), "PLAINTEXT://:9092");
    }

    #[test]
    fn comments_and_blank_lines_are_dropped() {
        let properties = Properties::parse("# a=1\n  ! b=2\n\n \t\n#c \\\nd=4\r\ne=5\rf=6\n").unwrap();
        let found: Vec<_> = properties.iter().map(|(key, entry)| (key, entry.value.as_str(), entry.place)).collect();
        assert_eq!(found, [("d", "4", Place::Line(6)), ("e", "5", Place::Line(7)), ("f", "6", Place::Line(8))]);
    }

    #[test]
    fn an_odd_number_of_backslashes_continues_the_line() {
        let text = "a = one,\\\n    two,\\\r\n\tthree\nb=1\\\\\nc=2\\\\\\\n  3\nd=last\\";
        assert_eq!(value(text, "a"), "one,two,three");
        assert_eq!(value(text, "b"), "1\\");
        assert_eq!(value(text, "c"), "2\\3");
        assert_eq!(value(text, "d"), "last");
        assert_eq!(value("a=1\\\n#2", "a"), "1#2", "a continued line is not a comment");
    }

    #[test]
    fn escapes_stand_for_their_characters() {
        assert_eq!(value(r"a=x\ty\nz\r\f\q\\", "a"), "x\ty\nz\r\u{c}q\\");
        assert_eq!(value(r"a\ b\=c\:d=1", "a b=c:d"), "1");
        assert_eq!(value(r"a=\u00e9\u20AC\ud83d\ude00", "a"), "é€😀");
        assert_eq!(value("a=é", "a"), "é");
    }

    #[test]
    fn broken_escapes_and_missing_keys_name_their_line() {
        for text in
            [r"a=\u12", r"a=\uzzzz", r"a=\ud83d", r"a=\ud83dx\ude00", r"a=\ude00", r"a=\ud83d\u0041", "=b", ": b"]
        {
            let error = Properties::parse(&format!("ok=1\n\n{text}")).unwrap_err();
            assert_eq!(error.line, 3, "{text:?}: {error}");
        }
    }

    #[test]
    fn of_a_repeated_key_the_last_value_holds_and_it_is_told() {
        let mut properties = Properties::parse("a=1\nb=2\na=3").unwrap();
        assert_eq!(properties.get("a").unwrap().value, "3");
        assert_eq!(properties.repeated(), [("a".to_owned(), Place::Line(1), Place::Line(3))]);
        properties.set("a", r" c:\x ", Place::CommandLine);
        assert_eq!(properties.get("a"), Some(&Entry { value: r"c:\x".to_owned(), place: Place::CommandLine }));
        assert_eq!(properties.repeated().len(), 1, "an override is no mistake");
    }

    #[test]
    fn a_byte_order_mark_is_not_part_of_the_first_key() {
        assert_eq!(value("\u{feff}a=1", "a"), "1");
    }
}
