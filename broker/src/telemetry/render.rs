//! Which metric is called how. One function per part of the node; each writes its families in full.

mod controller;
mod groups;
mod logs;
mod node;
mod requests;
mod threads;

pub use controller::controller;
pub use groups::groups;
pub use logs::{partitions, topics};
pub use node::node;
pub use requests::requests;
pub use threads::{listeners, shards};
