//! Keeps this broker's replicas equal to the metadata image.

pub mod publisher;
pub mod reconciler;

pub use publisher::{Images, Publisher};
