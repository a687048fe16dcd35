//! The table of rooms: which part of the broker, and which crate, never imports which. From the design's list of rooms.

use std::collections::{BTreeMap, BTreeSet};

use super::files::dependencies;
use super::source::is_word;
use super::{Findings, Source, Tree};

/// Room of `broker/src` -> what it never names: rooms by `crate::name`, crates by `name::`.
const ROOMS: [(&str, &[&str], &[&str]); 13] = [
    // `api` implements the trait by which `net` asks for answers, and knows `net` by that and the output's regions alone.
    (
        "api",
        &["admin", "cli", "node"],
        &["crate::net::connection", "crate::net::listener", "openraft", "tokio::fs", "std::fs"],
    ),
    ("net", &["shard", "quorum", "controller", "api", "cli", "node"], &["metadata", "storage", "partition"]),
    ("shard", &["api", "net", "admin", "cli", "node"], &["openraft"]),
    ("quorum", &["api", "shard", "controller", "net", "cli", "node"], &[]),
    ("controller", &["api", "net", "shard", "cli", "node"], &["openraft"]),
    ("replication", &["api", "net", "cli", "node"], &["openraft"]),
    ("coordination", &["api", "net", "cli", "node"], &["openraft"]),
    ("admin", &["net", "shard", "cli", "node"], &["openraft"]),
    ("telemetry", &["api", "net", "shard", "admin", "controller", "cli", "node"], &["openraft"]),
    ("config", &["api", "net", "shard", "admin", "controller", "cli", "node"], &["openraft"]),
    ("data_dir", &["api", "net", "shard", "admin", "controller", "cli", "node"], &["openraft"]),
    ("clock", &["api", "net", "shard", "admin", "controller", "cli", "node"], &["openraft"]),
    ("shutdown", &["api", "net", "shard", "admin", "controller", "cli", "node"], &["openraft"]),
];

/// Crate of the core -> what it never depends on.
const CRATES: [(&str, &[&str]); 6] = [
    ("model", &["wire", "storage", "metadata", "partition", "coordinator", "tokio", "socket2"]),
    ("wire", &["model", "storage", "metadata", "partition", "coordinator", "tokio"]),
    ("storage", &["wire", "metadata", "partition", "coordinator", "tokio"]),
    ("metadata", &["wire", "storage", "partition", "coordinator", "tokio", "openraft", "tonic"]),
    ("partition", &["wire", "metadata", "coordinator", "tokio"]),
    ("coordinator", &["storage", "partition", "tokio"]),
];

const BROKER: &str = "broker/src/";

/// No room of the broker names one that it must not know.
pub fn imports(tree: &Tree) -> Findings {
    let mut findings = Findings::new();
    for file in broker(tree) {
        let room = room(file);
        let Some((_, rooms, crates)) = ROOMS.iter().find(|(name, ..)| *name == room) else { continue };
        for line in file.lines().iter().filter(|line| !line.in_test) {
            for named in rooms_named(&line.code).into_iter().filter(|named| rooms.contains(&named.as_str())) {
                findings.push(format!("{}:{}: {room} never imports {named}", file.path, line.number));
            }
            for named in crates.iter().filter(|named| names_crate(&line.code, named)) {
                findings.push(format!("{}:{}: {room} never names {named}", file.path, line.number));
            }
            if climbs_out(file, &line.code) {
                findings.push(format!("{}:{}: write `crate::` to leave a room", file.path, line.number));
            }
        }
    }
    findings
}

/// The broker's rooms import each other in no circle.
pub fn circles(tree: &Tree) -> Findings {
    let mut edges: BTreeMap<&str, BTreeSet<String>> = BTreeMap::new();
    for file in broker(tree).filter(|file| !["main", "lib"].contains(&room(file))) {
        for line in file.lines().iter().filter(|line| !line.in_test) {
            let named = rooms_named(&line.code).into_iter().filter(|named| named != room(file));
            edges.entry(room(file)).or_default().extend(named);
        }
    }
    // Rooms whose imports are all known to be free of circles are taken away; what is left imports itself.
    let mut open: BTreeSet<&str> = edges.keys().copied().collect();
    loop {
        let leaves = |room: &&&str| edges[**room].iter().all(|named| !open.contains(named.as_str()));
        let done: Vec<&str> = open.iter().filter(leaves).copied().collect();
        if done.is_empty() {
            break;
        }
        open.retain(|room| !done.contains(room));
    }
    match open.is_empty() {
        true => vec![],
        false => vec![format!("{BROKER}: a circle of imports among or above {open:?}: {edges:?}")],
    }
}

/// No crate of the core depends on one that it must not know.
pub fn crates(tree: &Tree) -> Findings {
    let mut findings = Findings::new();
    for (name, banned) in CRATES {
        let path = format!("core/{name}/Cargo.toml");
        let Some(file) = tree.files.iter().find(|file| file.path == path) else { continue };
        for (number, section, line) in dependencies(&file.text) {
            let dependency = line.split(['.', ' ', '=']).next().unwrap_or_default();
            if section == "dependencies" && banned.contains(&dependency) {
                findings.push(format!("{path}:{number}: {name} never depends on {dependency}"));
            }
        }
    }
    findings
}

fn broker(tree: &Tree) -> impl Iterator<Item = &Source> {
    tree.rust().filter(|file| file.path.starts_with(BROKER))
}

/// `net` for `broker/src/net.rs` and everything under `broker/src/net/`.
fn room(file: &Source) -> &str {
    let inside = &file.path[BROKER.len()..];
    inside.split('/').next().unwrap_or_default().trim_end_matches(".rs")
}

/// What stands first behind each `crate::`, also in `crate::{a::B, c}`.
fn rooms_named(code: &str) -> Vec<String> {
    let mut named = Vec::new();
    for (at, found) in code.match_indices("crate::") {
        if code[..at].ends_with(is_word) {
            continue;
        }
        let rest = &code[at + found.len()..];
        let Some(group) = rest.strip_prefix('{') else {
            named.push(first_word(rest));
            continue;
        };
        let mut depth = 0;
        let mut part = String::new();
        for c in group.chars() {
            match c {
                '{' => depth += 1,
                '}' if depth == 0 => break,
                '}' => depth -= 1,
                ',' if depth == 0 => named.push(first_word(&std::mem::take(&mut part))),
                c => part.push(c),
            }
        }
        named.push(first_word(&part));
    }
    named.retain(|name| !name.is_empty());
    named
}

fn first_word(text: &str) -> String {
    text.trim_start().chars().take_while(|&c| is_word(c)).collect()
}

/// Whether the code names the crate or path `name`, and not a module of the same name somewhere deeper.
fn names_crate(code: &str, name: &str) -> bool {
    let wanted = format!("{name}::");
    let stands_first = |at: usize| !code[..at].ends_with(|c| is_word(c) || c == ':');
    code.match_indices(&wanted).any(|(at, _)| stands_first(at)) || code.trim() == format!("use {name};")
}

/// Whether a chain of `super::` reaches the root of the crate, where rooms could be named past the table.
fn climbs_out(file: &Source, code: &str) -> bool {
    let depth = file.path[BROKER.len()..].split('/').count();
    let chain = "super::".repeat(depth);
    !["lib.rs", "main.rs"].contains(&&file.path[BROKER.len()..]) && code.contains(&chain)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tree(files: &[(&str, &str)]) -> Tree {
        Tree { files: files.iter().map(|(path, text)| Source::new(path, (*text).to_owned())).collect() }
    }

    #[test]
    fn an_import_against_the_table_is_found_however_it_is_written() {
        for code in ["use crate::api::x;", "use crate::{clock, api::{a, b}};", "fn a(b: crate::api::C) {}"] {
            let found = imports(&tree(&[("broker/src/shard/slot.rs", code)]));
            assert_eq!(found, ["broker/src/shard/slot.rs:1: shard never imports api"], "{code}");
        }
        for code in ["use crate::clock;", "// crate::api", "use mycrate::api;", "let a = \"crate::api\";"] {
            assert_eq!(imports(&tree(&[("broker/src/shard/slot.rs", code)])), Findings::new(), "{code}");
        }
        assert_eq!(imports(&tree(&[("broker/src/net.rs", "use metadata::Image;")])).len(), 1);
        assert_eq!(imports(&tree(&[("broker/src/net.rs", "use wire::messages::metadata::A;")])).len(), 0);
        assert_eq!(imports(&tree(&[("broker/src/api/a.rs", "use super::super::net::B;")])).len(), 1);
        assert_eq!(imports(&tree(&[("broker/src/api/a/b.rs", "use super::super::c::B;")])).len(), 0);
    }

    #[test]
    fn rooms_that_import_each_other_are_found() {
        let there = ("broker/src/a.rs", "use crate::b;");
        assert_eq!(circles(&tree(&[there, ("broker/src/b/c.rs", "use crate::d;"), ("broker/src/d.rs", "")])).len(), 0);
        assert_eq!(circles(&tree(&[there, ("broker/src/b/c.rs", "use crate::a;")])).len(), 1);
    }

    #[test]
    fn a_crate_that_knows_too_much_is_found() {
        let text = "[dependencies]\nwire.workspace = true\n[dev-dependencies]\nmetadata.workspace = true\n";
        let found = crates(&tree(&[("core/storage/Cargo.toml", text)]));
        assert_eq!(found, ["core/storage/Cargo.toml:2: storage never depends on wire"]);
    }
}
