//! Project tasks as functions, so that tests can run them too.

pub mod codegen;
pub mod tidy;
