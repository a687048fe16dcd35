//! The tree keeps the rules of the house.

#![allow(clippy::unwrap_used)] // A failed step fails the test.

use xtask::{codegen, tidy};

#[test]
fn the_tree_is_tidy() {
    let findings = tidy::check(&codegen::root()).unwrap();
    assert!(findings.is_empty(), "{} findings:\n{}", findings.len(), findings.join("\n"));
}

#[test]
fn the_tree_was_read() {
    let tree = tidy::Tree::read(&codegen::root()).unwrap();
    let rust = tree.files.iter().filter(|file| file.path.ends_with(".rs")).count();
    assert!(rust > 100, "only {rust} Rust files were found");
}
