//! The broker.

pub mod clock;
pub mod config;
pub mod shutdown;
