//! Milena: metadata.
