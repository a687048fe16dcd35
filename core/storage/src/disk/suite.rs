//! What every disk does: one suite, run on each.

use std::io::{self, IoSlice};
use std::path::Path;

use super::real::RealDisk;
use super::sim::SimDisk;
use super::{Disk, File};

fn behaves<D: Disk>(disk: &D, root: &Path) {
    let dir = root.join("orders-0");
    disk.create_dir(&dir).unwrap();
    disk.create_dir(&dir).unwrap();
    let path = dir.join("a");
    assert_eq!(disk.open(&path).map(|_| ()).unwrap_err().kind(), io::ErrorKind::NotFound);
    assert_eq!(disk.len(&path).unwrap_err().kind(), io::ErrorKind::NotFound);

    let file = disk.create(&path).unwrap();
    file.write_at(&mut [IoSlice::new(b"hello"), IoSlice::new(b""), IoSlice::new(b" world")], 0).unwrap();
    file.write_at(&mut [IoSlice::new(b"J")], 0).unwrap();
    assert_eq!(disk.read(&path).unwrap(), b"Jello world");
    assert_eq!(disk.create(&path).unwrap().len().unwrap(), 11, "create keeps what is there");

    let mut buffer = [0; 8];
    assert_eq!(file.read_at(&mut buffer, 6).unwrap(), 5, "a read stops at the end");
    assert_eq!(&buffer[..5], b"world");
    assert_eq!(file.read_at(&mut buffer, 11).unwrap(), 0);
    assert_eq!(file.read_at(&mut buffer, 99).unwrap(), 0);
    file.write_at(&mut [IoSlice::new(b"!")], 13).unwrap();
    assert_eq!(disk.read(&path).unwrap(), b"Jello world\0\0!", "a hole reads as zeros");
    file.truncate(5).unwrap();
    assert_eq!(file.len().unwrap(), 5);
    assert_eq!(&*disk.map(&path).unwrap(), b"Jello");
    file.sync().unwrap();
    disk.sync_dir(&dir).unwrap();

    disk.replace(&dir.join("b"), b"one, rather long", true).unwrap();
    disk.replace(&dir.join("b"), b"two", false).unwrap();
    assert_eq!(disk.read(&dir.join("b")).unwrap(), b"two");
    let mut names = disk.list(&dir).unwrap();
    names.sort();
    assert_eq!(names, ["a", "b"], "replace leaves nothing beside");

    disk.rename(&path, &dir.join("b")).unwrap();
    assert_eq!(disk.read(&dir.join("b")).unwrap(), b"Jello");
    assert!(disk.rename(&path, &dir.join("b")).is_err());
    disk.remove(&dir.join("b")).unwrap();
    assert!(disk.remove(&dir.join("b")).is_err());
    assert_eq!(file.read_at(&mut buffer, 0).unwrap(), 5, "an open file outlives its name");

    disk.create(&dir.join("c")).unwrap();
    let moved = root.join("orders-0.x-delete");
    disk.rename(&dir, &moved).unwrap();
    assert_eq!(disk.list(&moved).unwrap(), ["c"]);
    disk.remove_dir(&moved).unwrap();
    assert!(disk.list(&moved).is_err());
}

#[test]
fn files_of_the_system_behave() {
    let folder = tempfile::tempdir().unwrap();
    behaves(&RealDisk::new([1; 16]), folder.path());
}

#[test]
fn the_simulated_disk_behaves() {
    behaves(&SimDisk::new(), Path::new("/data"));
}

#[test]
fn a_crash_keeps_what_was_synced_and_a_prefix_of_the_rest() {
    for seed in 0..200 {
        let disk = SimDisk::new();
        let dir = Path::new("/d");
        disk.create_dir(dir).unwrap();
        let file = disk.create(&dir.join("f")).unwrap();
        file.write_at(&mut [IoSlice::new(b"synced")], 0).unwrap();
        file.sync().unwrap();
        disk.sync_dir(dir).unwrap();
        file.write_at(&mut [IoSlice::new(b"maybe")], 6).unwrap();
        let boot = disk.boot();
        disk.crash(seed);
        let found = disk.read(&dir.join("f")).unwrap();
        assert!(b"syncedmaybe".starts_with(&found[..]) && found.starts_with(b"synced"), "{found:?}");
        assert_ne!(disk.boot(), boot);
    }
}

#[test]
fn a_full_simulated_disk_takes_a_part_and_says_so() {
    let disk = SimDisk::new();
    disk.create_dir(Path::new("/d")).unwrap();
    let file = disk.create(Path::new("/d/f")).unwrap();
    disk.set_space(Some(4));
    let error = file.write_at(&mut [IoSlice::new(b"sixsix")], 0).unwrap_err();
    assert_eq!(error.kind(), io::ErrorKind::StorageFull);
    assert_eq!(file.len().unwrap(), 4);
    file.truncate(0).unwrap();
    file.write_at(&mut [IoSlice::new(b"four")], 0).unwrap();
}
