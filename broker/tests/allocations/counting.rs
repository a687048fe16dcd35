//! An allocator that counts how often the threads of shards ask it for memory.

#![allow(unsafe_code)] // GlobalAlloc is an unsafe trait; every call is handed to the system's allocator unchanged.

use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;
use std::sync::atomic::{AtomicI32, AtomicU64, Ordering};

/// More shards than any of these tests starts.
const SHARDS_MAX: usize = 16;

/// The system's ids of the threads that count, 0 where there is none.
static COUNTED: [AtomicI32; SHARDS_MAX] = [const { AtomicI32::new(0) }; SHARDS_MAX];
static ALLOCATIONS: AtomicU64 = AtomicU64::new(0);

thread_local! {
    // Without a destructor, so that it can be asked for as long as the thread allocates.
    static THREAD: Cell<i32> = const { Cell::new(0) };
}

struct Counting;

#[global_allocator]
static COUNTING: Counting = Counting;

/// Counts the threads named `shard-N` from now on.
pub fn watch_shards() {
    let mut ids = Vec::new();
    for task in std::fs::read_dir("/proc/self/task").expect("a process has threads") {
        let task = task.expect("a thread");
        let name = std::fs::read_to_string(task.path().join("comm")).unwrap_or_default();
        if name.starts_with("shard-") {
            ids.push(task.file_name().to_str().and_then(|id| id.parse().ok()).expect("a number"));
        }
    }
    assert!(!ids.is_empty() && ids.len() <= SHARDS_MAX, "{ids:?}");
    for (place, counted) in COUNTED.iter().enumerate() {
        counted.store(ids.get(place).copied().unwrap_or(0), Ordering::Relaxed);
    }
}

/// How often they asked for memory so far; memory that grows or shrinks counts, too.
pub fn allocations() -> u64 {
    ALLOCATIONS.load(Ordering::SeqCst)
}

fn count() {
    if THREAD.get() == 0 {
        THREAD.set(rustix::thread::gettid().as_raw_nonzero().get());
    }
    let thread = THREAD.get();
    if COUNTED.iter().any(|counted| counted.load(Ordering::Relaxed) == thread) {
        ALLOCATIONS.fetch_add(1, Ordering::SeqCst);
    }
}

// SAFETY: memory comes from `System` and goes back to it with the layout it came with; counting touches no memory of ours.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        count();
        // SAFETY: the caller's promise about `layout` is `System`'s.
        unsafe { System.alloc(layout) }
    }

    unsafe fn alloc_zeroed(&self, layout: Layout) -> *mut u8 {
        count();
        // SAFETY: as above.
        unsafe { System.alloc_zeroed(layout) }
    }

    unsafe fn realloc(&self, pointer: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        count();
        // SAFETY: as above; `pointer` came from `System` through this allocator.
        unsafe { System.realloc(pointer, layout, size) }
    }

    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        // SAFETY: as above.
        unsafe { System.dealloc(pointer, layout) }
    }
}
