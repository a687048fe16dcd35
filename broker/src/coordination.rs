//! Where groups are coordinated, and how to ask there.

pub mod groups;
pub mod router;
