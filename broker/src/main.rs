//! Milena broker.
fn main() {}
