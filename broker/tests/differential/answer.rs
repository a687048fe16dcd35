//! An answer as a list of paths and values, read off its `Debug` text: `topics[0].partitions[1].error_code`.

use std::fmt::{Debug, Write as _};

/// What one step was answered: a path and a value a line.
pub type Lines = Vec<(String, String)>;

/// A level of nesting: the path up to it, and the index of its next element where it is a list.
struct Level {
    path: String,
    next: Option<usize>,
}

/// Flattens `value`. Wrappers (`Some`, enum variants) leave no trace, fields without unknown tags neither.
pub fn flatten(value: &impl Debug) -> Lines {
    let mut levels = vec![Level { path: String::new(), next: None }];
    let mut lines = Lines::new();
    for line in format!("{value:#?}").lines() {
        let line = line.trim();
        if matches!(line.trim_end_matches(','), "}" | "]" | ")") {
            levels.pop();
            continue;
        }
        let (name, rest) = split_name(line);
        let level = levels.last_mut().expect("what closes was opened");
        let mut path = level.path.clone();
        if let Some(name) = name {
            if !path.is_empty() {
                path.push('.');
            }
            path.push_str(name);
        } else if let Some(next) = &mut level.next {
            write!(path, "[{next}]").expect("a string takes text");
            *next += 1;
        }
        match rest.chars().last() {
            Some('[') => levels.push(Level { path, next: Some(0) }),
            Some('{' | '(') => levels.push(Level { path, next: None }),
            _ if path.ends_with("unknown_tags") => {}
            _ => lines.push((path, rest.trim_end_matches(',').to_owned())),
        }
    }
    gather_ids(lines)
}

/// The field's name of `name: rest`, if there is one.
fn split_name(line: &str) -> (Option<&str>, &str) {
    match line.split_once(": ") {
        Some((name, rest)) if name.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'_') => {
            (Some(name), rest)
        }
        _ => (None, line),
    }
}

/// Makes one value of the sixteen bytes of an id.
fn gather_ids(lines: Lines) -> Lines {
    let mut gathered = Lines::new();
    for (path, value) in lines {
        let byte = path.strip_suffix(']').and_then(|path| path.rsplit_once('[')).map(|(id, at)| (id.to_owned(), at));
        match (byte, value.parse::<u8>()) {
            (Some((id, at)), Ok(byte)) if id.ends_with("_id") => {
                if at == "0" {
                    gathered.push((id, String::new()));
                }
                let (_, text) = gathered.last_mut().expect("an id begins with its byte 0");
                write!(text, "{byte:02x}").expect("a string takes text");
            }
            _ => gathered.push((path, value)),
        }
    }
    gathered
}

#[test]
fn an_answer_becomes_paths_and_values() {
    use wire::messages::metadata::{MetadataResponse, MetadataResponseTopic};
    let topic = MetadataResponseTopic { name: Some("a: b".into()), topic_id: [7; 16], ..Default::default() };
    let response = MetadataResponse { topics: vec![topic], cluster_id: Some("c".into()), ..Default::default() };
    let lines = flatten(&response);
    let value = |path: &str| lines.iter().find(|(at, _)| at == path).map(|(_, value)| value.as_str());
    assert_eq!(value("cluster_id"), Some("\"c\""));
    assert_eq!(value("brokers"), Some("[]"));
    assert_eq!(value("topics[0].name"), Some("\"a: b\""));
    assert_eq!(value("topics[0].topic_id"), Some("07070707070707070707070707070707"));
    assert!(lines.iter().all(|(path, _)| !path.contains("unknown_tags")), "{lines:?}");
}
