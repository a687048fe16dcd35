//! An allocator that counts what a thread asks of it, so that a test can hold decoding to its bound.
//!
//! `core/model/tests/hostile.rs` uses this file too.

#![allow(unsafe_code)] // GlobalAlloc is an unsafe trait; every call is handed to the system's allocator unchanged.

use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;

/// What a piece of work asked for, in bytes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Usage {
    /// All that was ever asked for; a vector that grows counts each of its sizes.
    pub total: usize,
    /// The most that was held at one time.
    pub peak: usize,
}

thread_local! {
    // Neither has a destructor, so both can be used for as long as the thread allocates.
    static HELD: Cell<isize> = const { Cell::new(0) };
    static USAGE: Cell<Usage> = const { Cell::new(Usage { total: 0, peak: 0 }) };
}

struct Counting;

#[global_allocator]
static COUNTING: Counting = Counting;

/// Runs `work` and says what this thread asked for meanwhile.
pub fn measured<T>(work: impl FnOnce() -> T) -> (T, Usage) {
    HELD.set(0);
    USAGE.set(Usage::default());
    let result = work();
    (result, USAGE.get())
}

fn take(bytes: usize) {
    let held = HELD.get() + bytes as isize;
    HELD.set(held);
    let usage = USAGE.get();
    USAGE.set(Usage { total: usage.total + bytes, peak: usage.peak.max(held.max(0) as usize) });
}

fn give(bytes: usize) {
    HELD.set(HELD.get() - bytes as isize);
}

// SAFETY: memory comes from `System` and goes back to it with the layout it came with; counting touches no memory of ours.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        take(layout.size());
        // SAFETY: the caller's promise about `layout` is `System`'s.
        unsafe { System.alloc(layout) }
    }

    unsafe fn alloc_zeroed(&self, layout: Layout) -> *mut u8 {
        take(layout.size());
        // SAFETY: as above.
        unsafe { System.alloc_zeroed(layout) }
    }

    unsafe fn realloc(&self, pointer: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        take(size);
        give(layout.size());
        // SAFETY: as above; `pointer` came from `System` through this allocator.
        unsafe { System.realloc(pointer, layout, size) }
    }

    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        give(layout.size());
        // SAFETY: as above.
        unsafe { System.dealloc(pointer, layout) }
    }
}
