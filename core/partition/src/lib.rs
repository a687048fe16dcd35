//! Milena: partition.
