//! The generated files are those that the schemas make.

#![allow(clippy::unwrap_used)] // A failed step fails the test.

use xtask::codegen;

#[test]
fn checked_in_messages_are_what_the_schemas_generate() {
    let Some(schemas) = codegen::schemas() else {
        println!("skipped: shared folder absent");
        return;
    };
    let files = codegen::generate(&schemas).unwrap();
    assert!(files.len() > 90);
    for (path, text) in files {
        let there = std::fs::read_to_string(codegen::root().join(&path)).unwrap_or_default();
        assert!(there == text, "{path} is stale: run `cargo xtask codegen`");
    }
}
