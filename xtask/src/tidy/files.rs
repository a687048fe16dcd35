//! What every file looks like.

use super::{Findings, Source, Tree};

/// More lines of product code than this want a noun to leave.
const LINES_MAX: usize = 500;
/// Files that may be longer, each with its reason.
const LONGER: [(&str, usize); 1] = [
    // One match arm per schema type, read side by side; cutting it would hide that.
    ("xtask/src/codegen/emit.rs", 645),
];
/// Characters in a line: the formatter's 120, and some for a comment or a string, which it does not break.
const WIDTH_MAX: usize = 140;
/// Files whose tables, templates or samples need wider lines.
const WIDER: [&str; 5] = [
    "core/metadata/src/configs/broker_table.rs",
    "core/metadata/src/configs/topic_table.rs",
    "core/model/tests/round_trip.rs",
    "xtask/src/codegen.rs",
    "xtask/src/codegen/emit.rs",
];

/// Every Rust file opens by saying what lives in it; a test module beside its code needs no word.
pub fn opening(tree: &Tree) -> Findings {
    let opens = |file: &Source| file.text.starts_with("//! ") || file.path.contains("src/") && file.is_test();
    tree.rust()
        .filter(|file| !opens(file))
        .map(|file| format!("{}:1: must begin with `//! ` and what lives here", file.path))
        .collect()
}

/// Product code of a file is at most [`LINES_MAX`] lines.
pub fn length(tree: &Tree) -> Findings {
    let mut findings = Findings::new();
    for file in tree.rust() {
        let bound = LONGER.iter().find(|(path, _)| *path == file.path).map_or(LINES_MAX, |(_, bound)| *bound);
        let lines = file.lines().iter().filter(|line| !line.in_test).count();
        if lines > bound {
            findings.push(format!("{}: {lines} lines of product code, at most {bound}", file.path));
        }
    }
    findings
}

/// Nothing is left for later in a comment: what is open is an issue.
pub fn words(tree: &Tree) -> Findings {
    // In two parts, so that this file does not find itself.
    let banned = [concat!("TO", "DO"), concat!("FIX", "ME"), concat!("XX", "X:"), concat!("HA", "CK:")];
    let mut findings = Findings::new();
    for file in tree.rust() {
        for (index, line) in file.text.lines().enumerate() {
            for word in banned.iter().filter(|word| line.contains(**word)) {
                findings.push(format!("{}:{}: {word} belongs in an issue", file.path, index + 1));
            }
        }
    }
    findings
}

/// Product code does not unwrap. An invariant says what it is, by `expect` or an assertion.
pub fn unwraps(tree: &Tree) -> Findings {
    let mut findings = Findings::new();
    for file in tree.rust() {
        for line in file.lines().iter().filter(|line| !line.in_test && line.code.contains(".unwrap()")) {
            findings.push(format!("{}:{}: unwrap in product code", file.path, line.number));
        }
    }
    findings
}

/// Lines are at most [`WIDTH_MAX`] characters.
pub fn widths(tree: &Tree) -> Findings {
    let mut findings = Findings::new();
    for file in tree.rust().filter(|file| !WIDER.contains(&file.path.as_str())) {
        for (index, line) in file.text.lines().enumerate() {
            let width = line.chars().count();
            if width > WIDTH_MAX {
                findings.push(format!("{}:{}: {width} characters, at most {WIDTH_MAX}", file.path, index + 1));
            }
        }
    }
    findings
}

/// No file speaks of folders that only the machine of its writer has.
pub fn places(tree: &Tree) -> Findings {
    let banned = [concat!("/wo", "rk/"), concat!("/ro", "ot/"), concat!("/ho", "me/")];
    let mut findings = Findings::new();
    for file in &tree.files {
        for (index, line) in file.text.lines().enumerate() {
            for place in banned.iter().filter(|place| line.contains(**place)) {
                findings.push(format!("{}:{}: {place} is a place on one machine only", file.path, index + 1));
            }
        }
    }
    findings
}

/// Versions of dependencies stand in the root manifest alone.
pub fn manifests(tree: &Tree) -> Findings {
    let mut findings = Findings::new();
    let is_member = |file: &&Source| {
        file.path.ends_with("/Cargo.toml") && !file.path.starts_with("fuzz/") && !file.path.starts_with("examples/")
    };
    for file in tree.files.iter().filter(is_member) {
        for (number, _, line) in dependencies(&file.text) {
            let plain: String = line.chars().filter(|c| !c.is_whitespace()).collect();
            if !plain.contains(".workspace=true") && !plain.contains("{workspace=true") {
                findings.push(format!("{}:{number}: write `workspace = true`", file.path));
            }
        }
    }
    findings
}

/// The dependency lines of a manifest: number, section, line. Each stands on one line.
pub fn dependencies(manifest: &str) -> Vec<(usize, &str, &str)> {
    let mut section = "";
    let mut found = Vec::new();
    for (index, line) in manifest.lines().enumerate() {
        let line = line.trim();
        if let Some(name) = line.strip_prefix('[') {
            section = name.trim_end_matches(']');
        } else if section.ends_with("dependencies") && !line.is_empty() && !line.starts_with('#') {
            found.push((index + 1, section, line));
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tree(path: &str, text: &str) -> Tree {
        Tree { files: vec![Source::new(path, text.to_owned())] }
    }

    #[test]
    fn each_rule_finds_what_breaks_it_and_nothing_else() {
        let good = "//! Says what.\nfn a() {} // b.unwrap()\n#[cfg(test)]\nmod tests {\n    fn b() { c.unwrap() }\n}\n";
        let rules = [opening, length, words, unwraps, widths, places];
        for rule in rules {
            assert_eq!(rule(&tree("a/b.rs", good)), Findings::new());
        }
        assert_eq!(opening(&tree("a.rs", "fn a() {}")).len(), 1);
        assert_eq!(opening(&tree("a.rs", "// Generated by x\n")).len(), 0);
        assert_eq!(length(&tree("a.rs", &"a\n".repeat(501))).len(), 1);
        assert_eq!(words(&tree("a.rs", concat!("// TO", "DO later"))).len(), 1);
        assert_eq!(unwraps(&tree("a.rs", "fn a() { b.unwrap() }")), ["a.rs:1: unwrap in product code"]);
        assert_eq!(widths(&tree("a.rs", &format!("é{}", "x".repeat(139)))).len(), 0);
        assert_eq!(widths(&tree("a.rs", &"x".repeat(141))).len(), 1);
        assert_eq!(places(&tree("a.sh", concat!("cd /ro", "ot/x"))).len(), 1);
    }

    #[test]
    fn a_version_in_a_crates_own_manifest_is_found() {
        let text = "[package]\nversion = \"1\"\n[dependencies]\na.workspace = true\n\
                    b = { workspace = true, features = [] }\nc = \"1\"\n[dev-dependencies]\nd = { path = \"x\" }\n";
        let found = manifests(&tree("a/Cargo.toml", text));
        assert_eq!(found, ["a/Cargo.toml:6: write `workspace = true`", "a/Cargo.toml:8: write `workspace = true`"]);
    }
}
