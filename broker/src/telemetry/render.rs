//! Which metric is called how. One function per part of the node; each writes its families in full.

mod groups;
mod logs;
mod node;
mod requests;

pub use groups::groups;
pub use logs::{partitions, topics};
pub use node::{controller, node};
pub use requests::requests;
