//! Makes batches for this crate's tests.

use bytes::{BufMut as _, Bytes, BytesMut};
use model::{Batch, ValidBatch};

#[derive(Clone)]
pub(crate) struct BatchSpec {
    pub base_offset: i64,
    pub count: i32,
    pub timestamp: i64,
    /// Bytes of each record's value.
    pub value: usize,
    pub epoch: i32,
    pub attributes: i16,
    pub producer: (i64, i16, i32),
    pub marker: Option<(bool, i32)>,
}

impl Default for BatchSpec {
    fn default() -> Self {
        Self {
            base_offset: 0,
            count: 1,
            timestamp: 1_000,
            value: 10,
            epoch: 0,
            attributes: 0,
            producer: (-1, -1, -1),
            marker: None,
        }
    }
}

fn put_varint(out: &mut BytesMut, value: i64) {
    let mut zigzag = ((value << 1) ^ (value >> 63)) as u64;
    while zigzag >= 0x80 {
        out.put_u8(zigzag as u8 | 0x80);
        zigzag >>= 7;
    }
    out.put_u8(zigzag as u8);
}

impl BatchSpec {
    pub fn at(base_offset: i64, count: i32) -> Self {
        Self { base_offset, count, ..Self::default() }
    }

    pub fn producer(mut self, id: i64, epoch: i16, sequence: i32) -> Self {
        self.producer = (id, epoch, sequence);
        self
    }

    pub fn transactional(mut self) -> Self {
        self.attributes |= 0x10;
        self
    }

    pub fn marker(mut self, committed: bool, coordinator_epoch: i32) -> Self {
        self.attributes |= 0x30;
        self.marker = Some((committed, coordinator_epoch));
        self
    }

    /// Record `n` has time `timestamp + n`.
    pub fn build(self) -> ValidBatch {
        let mut records = BytesMut::new();
        for n in 0..self.count {
            let mut record = BytesMut::new();
            record.put_u8(0);
            put_varint(&mut record, i64::from(n));
            put_varint(&mut record, i64::from(n));
            match self.marker {
                Some((committed, coordinator_epoch)) => {
                    put_varint(&mut record, 4);
                    record.put_i16(0);
                    record.put_i16(i16::from(committed));
                    put_varint(&mut record, 6);
                    record.put_i16(0);
                    record.put_i32(coordinator_epoch);
                }
                None => {
                    put_varint(&mut record, -1);
                    put_varint(&mut record, self.value as i64);
                    record.put_bytes(b'v', self.value);
                }
            }
            put_varint(&mut record, 0);
            put_varint(&mut records, record.len() as i64);
            records.extend_from_slice(&record);
        }
        let mut covered = BytesMut::new();
        covered.put_i16(self.attributes);
        covered.put_i32(self.count - 1);
        covered.put_i64(self.timestamp);
        covered.put_i64(self.timestamp + i64::from(self.count) - 1);
        covered.put_i64(self.producer.0);
        covered.put_i16(self.producer.1);
        covered.put_i32(self.producer.2);
        covered.put_i32(self.count);
        covered.extend_from_slice(&records);
        let mut bytes = BytesMut::new();
        bytes.put_i64(self.base_offset);
        bytes.put_i32(covered.len() as i32 + 9);
        bytes.put_i32(self.epoch);
        bytes.put_i8(2);
        bytes.put_u32(crc32c::crc32c(&covered));
        bytes.extend_from_slice(&covered);
        Batch::cut(&mut Bytes::from(bytes)).unwrap().validate().unwrap()
    }
}
