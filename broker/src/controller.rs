//! The active controller: runs `metadata::Controller`'s decisions, one after another, and makes them durable.

pub mod active;
pub mod client;

pub use client::{Client, Unavailable};
