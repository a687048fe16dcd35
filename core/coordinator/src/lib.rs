//! Milena: coordinator.
