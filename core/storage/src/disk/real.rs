//! The operating system's files.

use std::fs::{self, OpenOptions};
use std::io::{self, IoSlice};
use std::os::fd::{AsFd, BorrowedFd};
use std::os::unix::fs::FileExt as _;
use std::path::Path;
use std::sync::Arc;
use std::time::UNIX_EPOCH;

use model::TimestampMs;
use rustix::io::Errno;

use super::{BootId, Disk, File};
use crate::mapped::Mapped;

const BOOT_ID: &str = "/proc/sys/kernel/random/boot_id";

/// The operating system's files.
#[derive(Clone, Debug)]
pub struct RealDisk {
    boot: Arc<BootId>,
}

impl RealDisk {
    /// Where the system does not tell its boot id, `fallback` (random) is this process's: then no checkpoint of
    /// an earlier process is trusted beyond what was synced.
    pub fn new(fallback: BootId) -> Self {
        Self { boot: Arc::new(fs::read_to_string(BOOT_ID).ok().and_then(|text| parse_boot(&text)).unwrap_or(fallback)) }
    }
}

fn parse_boot(text: &str) -> Option<BootId> {
    let hex: String = text.trim().chars().filter(|c| *c != '-').collect();
    u128::from_str_radix(&hex, 16).ok().filter(|_| hex.len() == 32).map(u128::to_be_bytes)
}

/// One open file; its descriptor is what sendfile takes.
#[derive(Debug)]
pub struct RealFile(fs::File);

impl AsFd for RealFile {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.0.as_fd()
    }
}

impl File for RealFile {
    fn read_at(&self, buffer: &mut [u8], position: u64) -> io::Result<usize> {
        let mut read = 0;
        while read < buffer.len() {
            match self.0.read_at(&mut buffer[read..], position + read as u64) {
                Ok(0) => break,
                Ok(more) => read += more,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
        Ok(read)
    }

    fn write_at(&self, mut slices: &mut [IoSlice<'_>], mut position: u64) -> io::Result<()> {
        IoSlice::advance_slices(&mut slices, 0);
        while !slices.is_empty() {
            match rustix::io::pwritev(&self.0, &slices[..slices.len().min(IOVECS_MAX)], position) {
                Ok(0) => return Err(io::ErrorKind::WriteZero.into()),
                Ok(written) => {
                    position += written as u64;
                    IoSlice::advance_slices(&mut slices, written);
                }
                Err(Errno::INTR) => {}
                Err(error) => return Err(error.into()),
            }
        }
        Ok(())
    }

    fn sync(&self) -> io::Result<()> {
        self.0.sync_data()
    }

    fn reserve(&self, len: u64) -> io::Result<()> {
        match rustix::fs::fallocate(&self.0, rustix::fs::FallocateFlags::KEEP_SIZE, 0, len) {
            Ok(()) | Err(Errno::OPNOTSUPP | Errno::NOSYS) => Ok(()),
            Err(error) => Err(error.into()),
        }
    }

    fn truncate(&self, len: u64) -> io::Result<()> {
        self.0.set_len(len)
    }

    fn len(&self) -> io::Result<u64> {
        Ok(self.0.metadata()?.len())
    }
}

/// The system's limit of slices in one call.
const IOVECS_MAX: usize = 1024;

impl Disk for RealDisk {
    type File = RealFile;
    type Map = Mapped;

    fn open(&self, path: &Path) -> io::Result<RealFile> {
        OpenOptions::new().read(true).write(true).open(path).map(RealFile)
    }

    fn create(&self, path: &Path) -> io::Result<RealFile> {
        OpenOptions::new().read(true).write(true).create(true).truncate(false).open(path).map(RealFile)
    }

    fn read(&self, path: &Path) -> io::Result<Vec<u8>> {
        fs::read(path)
    }

    fn map(&self, path: &Path) -> io::Result<Mapped> {
        Mapped::of(&fs::File::open(path)?)
    }

    fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
        fs::rename(from, to)
    }

    fn remove(&self, path: &Path) -> io::Result<()> {
        fs::remove_file(path)
    }

    fn create_dir(&self, path: &Path) -> io::Result<()> {
        fs::create_dir_all(path)
    }

    fn remove_dir(&self, path: &Path) -> io::Result<()> {
        fs::remove_dir_all(path)
    }

    fn list(&self, dir: &Path) -> io::Result<Vec<String>> {
        let mut names = Vec::new();
        for entry in fs::read_dir(dir)? {
            // A name that is not text is none of ours.
            if let Ok(name) = entry?.file_name().into_string() {
                names.push(name);
            }
        }
        Ok(names)
    }

    fn sync_dir(&self, dir: &Path) -> io::Result<()> {
        fs::File::open(dir)?.sync_all()
    }

    fn len(&self, path: &Path) -> io::Result<u64> {
        Ok(fs::metadata(path)?.len())
    }

    fn modified(&self, path: &Path) -> io::Result<TimestampMs> {
        let since = fs::metadata(path)?.modified()?.duration_since(UNIX_EPOCH).unwrap_or_default();
        Ok(TimestampMs(i64::try_from(since.as_millis()).unwrap_or(i64::MAX)))
    }

    fn boot(&self) -> BootId {
        *self.boot
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn boot_id_is_parsed_or_refused() {
        assert_eq!(parse_boot("00000000-0000-0000-0000-0000000000ff\n").map(|id| id[15]), Some(255));
        assert_eq!(parse_boot("ff"), None);
        assert_eq!(parse_boot("not a boot id at all, but 32 long"), None);
    }

    #[test]
    fn reserved_room_is_the_files_until_it_is_truncated() {
        use std::os::unix::fs::MetadataExt as _;
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("f");
        let file = RealDisk::new([0; 16]).create(&path).unwrap();
        file.reserve(1 << 20).unwrap();
        let taken = || fs::metadata(&path).unwrap().blocks() * 512;
        if taken() == 0 {
            println!("skipped: this file system reserves nothing");
            return;
        }
        assert_eq!((file.len().unwrap(), taken() >= 1 << 20), (0, true));
        file.write_at(&mut [IoSlice::new(b"hello")], 0).unwrap();
        file.truncate(5).unwrap();
        assert_eq!((file.len().unwrap(), taken() < 1 << 20), (5, true));
    }

    #[test]
    fn more_slices_than_one_call_takes_are_all_written() {
        let folder = tempfile::tempdir().unwrap();
        let disk = RealDisk::new([0; 16]);
        let file = disk.create(&folder.path().join("f")).unwrap();
        let bytes: Vec<u8> = (0..3000u32).map(|n| n as u8).collect();
        let mut slices: Vec<IoSlice<'_>> = bytes.chunks(1).map(IoSlice::new).collect();
        file.write_at(&mut slices, 5).unwrap();
        let mut back = vec![0; 3005];
        assert_eq!(file.read_at(&mut back, 0).unwrap(), 3005);
        assert_eq!(&back[5..], &bytes[..]);
    }
}
