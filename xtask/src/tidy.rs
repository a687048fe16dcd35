//! The house rules that no compiler holds: who may import whom, what a file looks like. Reads the tree, changes nothing.
//!
//! Each rule takes the tree and returns what breaks it, one line each, so that a test can ask for none. What a room may not
//! import stands in [`rooms`]; the rest is in [`files`].

mod files;
mod rooms;
mod source;

use std::collections::BTreeSet;
use std::path::Path;
use std::process::Command;

use anyhow::{Context as _, ensure};

pub use files::{length, manifests, opening, places, unwraps, widths, words};
pub use rooms::{circles, crates, imports};
pub use source::Source;

/// What a rule found wrong: `path:line: what`.
pub type Findings = Vec<String>;

/// The text of every file that git tracks or would track; files that are not UTF-8 are left out.
pub struct Tree {
    pub files: Vec<Source>,
}

impl Tree {
    /// Reads the tree at `root`. Fails where git does not run or a file vanishes meanwhile.
    pub fn read(root: &Path) -> anyhow::Result<Self> {
        let listed = Command::new("git")
            .args(["ls-files", "-z", "--cached", "--others", "--exclude-standard"])
            .current_dir(root)
            .output()
            .context("run git ls-files")?;
        ensure!(listed.status.success(), "git ls-files failed: {}", String::from_utf8_lossy(&listed.stderr));
        let mut files = Vec::new();
        for path in String::from_utf8(listed.stdout)?.split_terminator('\0') {
            // A file that is deleted and not yet committed is listed still.
            let Ok(bytes) = std::fs::read(root.join(path)) else { continue };
            if let Ok(text) = String::from_utf8(bytes) {
                files.push(Source::new(path, text));
            }
        }
        let tests: BTreeSet<String> = files.iter().flat_map(Source::test_modules).collect();
        files.iter_mut().for_each(|file| file.under_cfg_test = tests.contains(&file.path));
        Ok(Self { files })
    }

    /// Rust files that people write.
    fn rust(&self) -> impl Iterator<Item = &Source> {
        self.files.iter().filter(|file| file.path.ends_with(".rs") && !file.is_generated())
    }
}

/// Runs every rule.
pub fn check(root: &Path) -> anyhow::Result<Findings> {
    let tree = Tree::read(root)?;
    let rules = [opening, length, words, unwraps, widths, places, manifests, imports, circles, crates];
    Ok(rules.iter().flat_map(|rule| rule(&tree)).collect())
}
