//! Keeps this broker's replicas equal to the metadata image.

pub mod images;
pub mod publisher;
pub mod reconciler;
pub mod recovery;
pub mod settings;

pub use images::{Images, Published};
pub use publisher::Publisher;
pub use reconciler::Reconciler;
