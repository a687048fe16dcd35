//! Milena: wire.
