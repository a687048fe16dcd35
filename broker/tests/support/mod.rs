//! What the integration tests share: a plain client that speaks the wire format, and brokers to talk to.
#![allow(dead_code, reason = "each test file uses its own part")]
#![allow(clippy::unwrap_used, reason = "a helper of tests fails as a test does")]

pub mod admin;
pub mod http;
pub mod in_process;
pub mod process;

use std::io::{self, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::time::{Duration, Instant};

use bytes::{Bytes, BytesMut};
use model::{Batch, BatchBuilder, Producer, Record, TimestampMs};
use wire::header::{RequestHeader, ResponseHeader};
use wire::messages::fetch::{FetchPartition, FetchRequest, FetchTopic};
use wire::messages::produce::{PartitionProduceData, ProduceRequest, TopicProduceData};
use wire::{Message, Reader, Records, Request, Writer};

/// Nothing that these tests ask for takes longer.
pub(crate) const PATIENCE: Duration = Duration::from_secs(20);

/// The last version that names topics, not their ids.
const PRODUCE_VERSION: i16 = 12;

/// A blocking connection.
pub struct Client {
    stream: TcpStream,
    /// Of the last request sent, and of the last answer read.
    sent: i32,
    answered: i32,
}

impl Client {
    pub fn connect(address: SocketAddr) -> io::Result<Self> {
        let stream = TcpStream::connect_timeout(&address, PATIENCE)?;
        stream.set_read_timeout(Some(PATIENCE))?;
        stream.set_nodelay(true)?;
        Ok(Self { stream, sent: 0, answered: 0 })
    }

    /// Sends `request` and reads its answer, which must come.
    pub fn ask<R: Request>(&mut self, version: i16, request: &R) -> R::Response {
        self.call(version, request).expect("an answer, not the connection's end")
    }

    /// Sends `request` and reads its answer.
    pub fn call<R: Request>(&mut self, version: i16, request: &R) -> io::Result<R::Response> {
        self.send(version, request)?;
        self.answer::<R>(version)
    }

    /// Reads the answer to the oldest request sent that has none yet.
    pub fn answer<R: Request>(&mut self, version: i16) -> io::Result<R::Response> {
        let frame = self.receive()?;
        self.answered += 1;
        let mut reader = Reader::new(frame);
        let bad = |error: wire::DecodeError| io::Error::new(io::ErrorKind::InvalidData, error.to_string());
        let header = ResponseHeader::decode(&mut reader, R::KEY.response_header_version(version)).map_err(bad)?;
        assert_eq!(header.correlation_id, self.answered, "answers come in the order of their requests");
        let response = R::Response::decode(&mut reader, version).map_err(bad)?;
        reader.finish().map_err(bad)?;
        Ok(response)
    }

    pub fn send<R: Request>(&mut self, version: i16, request: &R) -> io::Result<()> {
        self.sent += 1;
        let (mut buf, mut splices) = (BytesMut::new(), Vec::new());
        let mut writer = Writer::new(&mut buf, &mut splices);
        let header = RequestHeader {
            api_key: R::KEY.code(),
            api_version: version,
            correlation_id: self.sent,
            client_id: Some("test".into()),
            ..RequestHeader::default()
        };
        header.encode(&mut writer, R::KEY.request_header_version(version));
        request.encode(&mut writer, version).expect("the test's request fits its version");
        self.send_frame(&buf)
    }

    /// Sends a request that is never answered.
    pub fn tell<R: Request>(&mut self, version: i16, request: &R) -> io::Result<()> {
        self.send(version, request)?;
        self.answered += 1;
        Ok(())
    }

    /// Sends bytes as one frame, whatever they are.
    pub fn send_frame(&mut self, frame: &[u8]) -> io::Result<()> {
        let mut bytes = (frame.len() as i32).to_be_bytes().to_vec();
        bytes.extend_from_slice(frame);
        self.stream.write_all(&bytes)
    }

    /// Sends bytes as they are.
    pub fn send_raw(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.stream.write_all(bytes)
    }

    /// Says that nothing more comes from this side.
    pub fn finish(&mut self) -> io::Result<()> {
        match self.stream.shutdown(std::net::Shutdown::Write) {
            // The other side was faster.
            Err(error) if error.kind() == io::ErrorKind::NotConnected => Ok(()),
            other => other,
        }
    }

    pub fn receive(&mut self) -> io::Result<Bytes> {
        let mut length = [0; 4];
        self.stream.read_exact(&mut length)?;
        let mut frame = vec![0; i32::from_be_bytes(length) as usize];
        self.stream.read_exact(&mut frame)?;
        Ok(frame.into())
    }

    /// Appends `batch` with acks=all; gives its base offset, or the error code.
    pub fn produce(&mut self, topic: &str, partition: i32, batch: &Batch) -> io::Result<Result<i64, i16>> {
        self.send_batch(topic, partition, batch)?;
        self.produced()
    }

    /// Sends `batch` to be appended with acks=all; [`Client::produced`] reads what became of it.
    pub fn send_batch(&mut self, topic: &str, partition: i32, batch: &Batch) -> io::Result<()> {
        let request = ProduceRequest {
            acks: -1,
            timeout_ms: 10_000,
            topic_data: vec![TopicProduceData {
                name: topic.into(),
                partition_data: vec![PartitionProduceData {
                    index: partition,
                    records: Some(Records::Bytes(bytes_of(batch))),
                    ..Default::default()
                }],
                ..Default::default()
            }],
            ..Default::default()
        };
        self.send(PRODUCE_VERSION, &request)
    }

    /// The base offset of the oldest batch sent that has no answer yet, or the error code.
    pub fn produced(&mut self) -> io::Result<Result<i64, i16>> {
        let response = self.answer::<ProduceRequest>(PRODUCE_VERSION)?;
        let answer = &response.responses[0].partition_responses[0];
        Ok(if answer.error_code == 0 { Ok(answer.base_offset) } else { Err(answer.error_code) })
    }

    /// Records from `from` on, at least one batch where there is any; `Err` is the error code.
    pub fn fetch(&mut self, topic: &str, partition: i32, from: i64) -> io::Result<Result<Vec<Record>, i16>> {
        let records = |batches: Vec<Batch>| {
            let records = batches.iter().flat_map(|batch| batch.records(1 << 24).expect("a served batch can be read"));
            let records = records.map(|record| record.expect("a served record can be read"));
            records.filter(|record| record.offset.0 >= from).collect()
        };
        Ok(self.batches(topic, partition, from)?.map(records))
    }

    /// Whole batches from the one that holds `from` on, at least one where there is any; `Err` is the error code.
    pub fn batches(&mut self, topic: &str, partition: i32, from: i64) -> io::Result<Result<Vec<Batch>, i16>> {
        let request = FetchRequest {
            max_wait_ms: 100,
            min_bytes: 1,
            max_bytes: 1 << 20,
            session_epoch: -1,
            topics: vec![FetchTopic {
                topic: topic.into(),
                partitions: vec![FetchPartition {
                    partition,
                    current_leader_epoch: -1,
                    fetch_offset: from,
                    last_fetched_epoch: -1,
                    log_start_offset: -1,
                    partition_max_bytes: 1 << 20,
                    ..Default::default()
                }],
                ..Default::default()
            }],
            ..Default::default()
        };
        let mut response = self.call(12, &request)?;
        if response.error_code != 0 {
            return Ok(Err(response.error_code));
        }
        let data = response.responses.remove(0).partitions.remove(0);
        if data.error_code != 0 {
            return Ok(Err(data.error_code));
        }
        let mut bytes = data.records.and_then(Records::into_bytes).unwrap_or_default();
        let mut batches = Vec::new();
        while let Ok(batch) = Batch::cut(&mut bytes) {
            batch.check_crc().expect("what is served is whole");
            batches.push(batch);
        }
        Ok(Ok(batches))
    }

    /// All records of a partition from its start to the end that it has now.
    pub fn read_all(&mut self, topic: &str, partition: i32) -> io::Result<Vec<Record>> {
        let mut records: Vec<Record> = Vec::new();
        loop {
            let from = records.last().map_or(0, |record| record.offset.0 + 1);
            let more = self.fetch(topic, partition, from)?.expect("the partition can be read");
            if more.is_empty() {
                return Ok(records);
            }
            records.extend(more);
        }
    }
}

/// What the clock says.
pub fn now() -> TimestampMs {
    let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).expect("a clock after 1970");
    TimestampMs(now.as_millis() as i64)
}

/// Waits until `holds`, which `what` names.
pub fn wait_until(what: &str, mut holds: impl FnMut() -> bool) {
    let deadline = Instant::now() + PATIENCE;
    while !holds() {
        assert!(Instant::now() < deadline, "waited for {what}");
        std::thread::sleep(Duration::from_millis(5));
    }
}

/// A batch of one record.
pub fn batch_of(value: &str, producer: Producer) -> Batch {
    batch_of_all(&[value], producer)
}

/// A batch of a record for each of `values`.
pub fn batch_of_all(values: &[impl AsRef<str>], producer: Producer) -> Batch {
    let mut builder = BatchBuilder::new().producer(producer);
    for value in values {
        builder.append(now(), None, Some(value.as_ref().as_bytes()), &[]);
    }
    builder.finish().into_inner()
}

pub fn bytes_of(batch: &Batch) -> Bytes {
    let mut bytes = BytesMut::with_capacity(batch.size_bytes());
    bytes.extend_from_slice(batch.header());
    bytes.extend_from_slice(batch.records_bytes());
    bytes.freeze()
}
