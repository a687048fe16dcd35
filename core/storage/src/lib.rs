//! Milena: storage.
