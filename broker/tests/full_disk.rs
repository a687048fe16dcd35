//! A full disk: below the soft watermark, and really full. Produces are refused with a retriable error, what was
//! acknowledged stays, fetching and deleting go on, and with room again so does everything else, by itself.
//!
//! Needs a disk of its own, a small tmpfs, and so the right to mount one; without it each test says that it is skipped.

#![allow(clippy::unwrap_used, reason = "a test fails by it")]

mod support;

use std::fs::File;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use model::Producer;
use support::process::Process;
use support::{Client, batch_of, wait_until};
use wire::messages::create_topics::{CreatableTopic, CreateTopicsRequest};
use wire::messages::delete_records::{DeleteRecordsPartition, DeleteRecordsRequest, DeleteRecordsTopic};
use wire::messages::delete_topics::{DeleteTopicState, DeleteTopicsRequest};
use wire::messages::find_coordinator::FindCoordinatorRequest;
use wire::messages::offset_commit::{OffsetCommitRequest, OffsetCommitRequestPartition, OffsetCommitRequestTopic};
use wire::messages::offset_fetch::{OffsetFetchRequest, OffsetFetchRequestTopic};

const STORAGE_ERROR: i16 = 56;
const COORDINATOR_NOT_AVAILABLE: i16 = 15;
const RECORD_BYTES: usize = 100 << 10;

/// A small disk; gone when dropped.
struct SmallDisk {
    dir: tempfile::TempDir,
}

impl SmallDisk {
    /// `None`, with a line that says so, where no disk can be mounted.
    fn mount(mib: usize) -> Option<Self> {
        let dir = tempfile::tempdir().unwrap();
        let size = format!("size={mib}m");
        let mut mount = Command::new("mount");
        mount.args(["-t", "tmpfs", "-o", &size, "tmpfs"]).arg(dir.path()).stdout(Stdio::null()).stderr(Stdio::null());
        if mount.status().is_ok_and(|status| status.success()) {
            return Some(Self { dir });
        }
        println!("skipped: mounting a tmpfs needs to be root");
        None
    }

    fn path(&self) -> &Path {
        self.dir.path()
    }

    fn free(&self) -> u64 {
        let stat = rustix::fs::statvfs(self.path()).unwrap();
        stat.f_bavail * stat.f_frsize
    }

    /// Takes room until only `left` bytes are free; the file gives it back when removed.
    fn fill(&self, name: &str, left: u64) -> PathBuf {
        let path = self.path().join(name);
        let room = self.free().saturating_sub(left);
        if room > 0 {
            rustix::fs::fallocate(File::create(&path).unwrap(), rustix::fs::FallocateFlags::empty(), 0, room).unwrap();
        }
        path
    }
}

impl Drop for SmallDisk {
    fn drop(&mut self) {
        let _ = Command::new("umount").arg("-l").arg(self.path()).status();
    }
}

/// A broker with its data on `disk` and its log elsewhere.
fn broker(dir: &Path, disk: &SmallDisk, settings: &str) -> Process {
    Process::new(dir, &format!("log.dirs={}\n{settings}", disk.path().join("data").display()))
}

fn create(client: &mut Client, name: &str) -> i16 {
    let topic = CreatableTopic { name: name.into(), num_partitions: 1, replication_factor: 1, ..Default::default() };
    client.ask(7, &CreateTopicsRequest { topics: vec![topic], timeout_ms: 5_000, ..Default::default() }).topics[0]
        .error_code
}

fn delete(client: &mut Client, name: &str) -> i16 {
    let topic = DeleteTopicState { name: Some(name.into()), ..Default::default() };
    client.ask(6, &DeleteTopicsRequest { topics: vec![topic], timeout_ms: 5_000, ..Default::default() }).responses[0]
        .error_code
}

fn delete_records(client: &mut Client, topic: &str, upto: i64) -> (i16, i64) {
    let partition = DeleteRecordsPartition { offset: upto, ..Default::default() };
    let topic = DeleteRecordsTopic { name: topic.into(), partitions: vec![partition], ..Default::default() };
    let answer = client.ask(2, &DeleteRecordsRequest { topics: vec![topic], timeout_ms: 5_000, ..Default::default() });
    let partition = &answer.topics[0].partitions[0];
    (partition.error_code, partition.low_watermark)
}

fn produce(client: &mut Client, topic: &str, value: &str) -> Result<i64, i16> {
    client.produce(topic, 0, &batch_of(value, Producer::NONE)).unwrap()
}

fn large(number: i64) -> String {
    format!("{number}-{}", "x".repeat(RECORD_BYTES))
}

/// Writes numbered records until one is refused; gives how many were acknowledged.
fn produce_until_full(client: &mut Client, topic: &str) -> i64 {
    for number in 0..10_000 {
        match produce(client, topic, &large(number)) {
            Ok(offset) => assert_eq!(offset, number),
            Err(code) => {
                assert_eq!(code, STORAGE_ERROR);
                return number;
            }
        }
    }
    panic!("the disk takes everything");
}

fn has(client: &mut Client, topic: &str, count: i64) {
    let records = client.read_all(topic, 0).unwrap();
    assert_eq!(records.len() as i64, count, "nothing is lost, and nothing there that was refused");
    for (number, record) in records.iter().enumerate() {
        assert_eq!(record.value.as_deref(), Some(large(number as i64).as_bytes()));
    }
}

/// Commits as a consumer without a group would; waits until the coordinator has read its log.
fn commit(client: &mut Client, offset: i64) -> i16 {
    client.ask(3, &FindCoordinatorRequest { key: "readers".into(), ..Default::default() });
    let request = OffsetCommitRequest {
        group_id: "readers".into(),
        generation_id_or_member_epoch: -1,
        retention_time_ms: -1,
        topics: vec![OffsetCommitRequestTopic {
            name: "t".into(),
            partitions: vec![OffsetCommitRequestPartition {
                committed_offset: offset,
                committed_leader_epoch: -1,
                committed_metadata: Some("".into()),
                ..Default::default()
            }],
            ..Default::default()
        }],
        ..Default::default()
    };
    let mut code = 14;
    wait_until("the coordinator", || {
        code = client.ask(8, &request).topics[0].partitions[0].error_code;
        code != 14
    });
    code
}

fn committed(client: &mut Client) -> i64 {
    let topic = OffsetFetchRequestTopic { name: "t".into(), partition_indexes: vec![0], ..Default::default() };
    let request = OffsetFetchRequest { group_id: "readers".into(), topics: Some(vec![topic]), ..Default::default() };
    let mut offset = -1;
    wait_until("the coordinator", || {
        let answer = client.ask(5, &request);
        offset = answer.topics[0].partitions.first().map_or(-1, |partition| partition.committed_offset);
        answer.error_code == 0
    });
    offset
}

#[test]
fn below_the_soft_watermark_produces_are_refused_and_the_rest_goes_on_until_there_is_room() {
    const FREE_BYTES_MIN: u64 = 8 << 20;
    let Some(disk) = SmallDisk::mount(32) else { return };
    let dir = tempfile::tempdir().unwrap();
    let settings = format!("milena.disk.free.bytes.min={FREE_BYTES_MIN}\nlog.segment.delete.delay.ms=0");
    let mut broker = broker(dir.path(), &disk, &settings);
    broker.start();
    let mut client = Client::connect(broker.address()).unwrap();
    assert_eq!((create(&mut client, "t"), create(&mut client, "u")), (0, 0));
    for number in 0..10 {
        assert_eq!(produce(&mut client, "t", &large(number)), Ok(number));
    }
    assert_eq!(produce(&mut client, "u", "kept"), Ok(0));

    let ballast = disk.fill("ballast", FREE_BYTES_MIN - (1 << 20));
    wait_until("the watermark", || produce(&mut client, "t", "refused") == Err(STORAGE_ERROR));
    let refused = client.read_all("t", 0).unwrap().len() as i64 - 10;
    assert_eq!(client.read_all("u", 0).unwrap().len(), 1);
    assert_eq!(commit(&mut client, 5), 0);
    assert_eq!(committed(&mut client), 5);
    assert_eq!(delete_records(&mut client, "t", 3), (0, 3));
    assert_eq!(create(&mut client, "v"), 0);
    assert_eq!(produce(&mut client, "v", "refused"), Err(STORAGE_ERROR));
    assert_eq!(delete(&mut client, "u"), 0);

    std::fs::remove_file(ballast).unwrap();
    wait_until("room", || produce(&mut client, "v", "well").is_ok());
    assert_eq!(produce(&mut client, "t", "well"), Ok(10 + refused));
    assert_eq!((broker.log_lines("too little room"), broker.log_lines("there is room again")), (1, 1));
    assert_eq!(broker.stop(), Some(0));
}

#[test]
fn a_disk_that_is_really_full_refuses_and_loses_nothing_and_works_again_with_room() {
    let Some(disk) = SmallDisk::mount(16) else { return };
    let dir = tempfile::tempdir().unwrap();
    let mut broker = broker(dir.path(), &disk, "milena.disk.free.bytes.min=0");
    broker.start();
    let mut client = Client::connect(broker.address()).unwrap();
    assert_eq!(create(&mut client, "t"), 0);
    assert_eq!(commit(&mut client, 1), 0);
    let spare = disk.fill("spare", disk.free() - (2 << 20));
    let acknowledged = produce_until_full(&mut client, "t");
    assert!(acknowledged > 50);
    let ballast = disk.fill("ballast", 0);
    assert_eq!(produce(&mut client, "t", &large(acknowledged)), Err(STORAGE_ERROR));
    has(&mut client, "t", acknowledged);
    // What is left of the last page takes a few.
    let mut last = 1;
    while commit(&mut client, last + 1) == 0 {
        last += 1;
        assert!(last < 10_000, "a full disk takes every commit");
    }
    assert_eq!(commit(&mut client, last + 1), COORDINATOR_NOT_AVAILABLE);
    assert_eq!(committed(&mut client), last, "a refused commit is not there");

    for file in [ballast, spare] {
        std::fs::remove_file(file).unwrap();
    }
    assert_eq!(produce(&mut client, "t", &large(acknowledged)), Ok(acknowledged));
    assert_eq!((commit(&mut client, 77), committed(&mut client)), (0, 77));
    assert_eq!(broker.log_lines("offline"), 0, "{}", broker.log());
    assert_eq!(broker.stop(), Some(0));
    broker.start();
    let mut client = Client::connect(broker.address()).unwrap();
    has(&mut client, "t", acknowledged + 1);
    assert_eq!(committed(&mut client), 77);
    assert_eq!(broker.stop(), Some(0));
}

#[test]
fn topics_can_be_deleted_from_a_full_disk_and_that_makes_room() {
    let Some(disk) = SmallDisk::mount(16) else { return };
    let dir = tempfile::tempdir().unwrap();
    let mut broker = broker(dir.path(), &disk, "milena.disk.free.bytes.min=0\nlog.segment.delete.delay.ms=0");
    broker.start();
    let mut client = Client::connect(broker.address()).unwrap();
    assert_eq!((create(&mut client, "t"), create(&mut client, "kept")), (0, 0));
    assert_eq!(produce(&mut client, "kept", &large(0)), Ok(0));
    produce_until_full(&mut client, "t");
    disk.fill("ballast", 0);
    assert_eq!(delete(&mut client, "t"), 0);
    wait_until("room", || produce(&mut client, "kept", &large(1)) == Ok(1));
    has(&mut client, "kept", 2);
    assert_eq!(broker.stop(), Some(0));
}

#[test]
fn a_broker_stopped_or_killed_on_a_full_disk_starts_on_it_and_has_everything() {
    let Some(disk) = SmallDisk::mount(16) else { return };
    let dir = tempfile::tempdir().unwrap();
    let mut broker = broker(dir.path(), &disk, "milena.disk.free.bytes.min=0");
    broker.start();
    let mut client = Client::connect(broker.address()).unwrap();
    assert_eq!(create(&mut client, "t"), 0);
    let acknowledged = produce_until_full(&mut client, "t");
    let ballast = disk.fill("ballast", 0);
    for kill in [true, false, true] {
        if kill {
            broker.kill();
        } else {
            // There is no room for what an orderly stop writes.
            assert_eq!(broker.stop(), Some(1));
            assert!(broker.log().lines().last().unwrap().starts_with("error: "), "{}", broker.log());
        }
        broker.start();
        let mut client = Client::connect(broker.address()).unwrap();
        has(&mut client, "t", acknowledged);
        assert_eq!(produce(&mut client, "t", &large(acknowledged)), Err(STORAGE_ERROR));
    }
    std::fs::remove_file(ballast).unwrap();
    assert_eq!(broker.stop(), Some(0));
    broker.start();
    has(&mut Client::connect(broker.address()).unwrap(), "t", acknowledged);
}
