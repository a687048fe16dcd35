//! Messages that carry their own version: keys and values of `__consumer_offsets` and `__transaction_state`, and what
//! group members tell each other. An int16 stands before the message: the version, or, before a key, the record's type.

use bytes::{Bytes, BytesMut};

use crate::Message;
use crate::error::{DecodeError, EncodeError};
use crate::reader::Reader;
use crate::writer::Writer;

/// Keys have one version only; what stands before them names the kind of record.
const KEY_VERSION: i16 = 0;

/// `version`, then `message` in that version, which must be one of its own.
pub fn encode_with_version<M: Message>(message: &M, version: i16) -> Result<Bytes, EncodeError> {
    encode(version, message, version)
}

/// A key, with the type of its record before it.
pub fn encode_key<M: Message>(record_type: i16, key: &M) -> Result<Bytes, EncodeError> {
    encode(record_type, key, KEY_VERSION)
}

fn encode<M: Message>(prefix: i16, message: &M, version: i16) -> Result<Bytes, EncodeError> {
    assert!(M::VERSIONS.contains(&version), "version {version} has no schema: the caller chose it");
    let (mut buf, mut splices) = (BytesMut::with_capacity(64), Vec::new());
    let mut w = Writer::new(&mut buf, &mut splices);
    w.i16(prefix);
    message.encode(&mut w, version)?;
    Ok(buf.freeze())
}

/// Reads a version and the message of that version, which shares `bytes`. What follows the message is passed over, as
/// Kafka does. Fails with [`DecodeError::UnknownVersion`] for a version without schema.
pub fn decode_with_version<M: Message>(bytes: Bytes) -> Result<M, DecodeError> {
    let mut r = Reader::new(bytes);
    let version = r.i16()?;
    if !M::VERSIONS.contains(&version) {
        return Err(DecodeError::UnknownVersion(version));
    }
    M::decode(&mut r, version)
}

/// The type of the record that `key` belongs to. Fails where there are not two bytes.
pub fn record_type(key: &Bytes) -> Result<i16, DecodeError> {
    key.first_chunk().map(|bytes| i16::from_be_bytes(*bytes)).ok_or(DecodeError::Truncated)
}

/// Reads a key behind its record's type, which the caller has looked at.
pub fn decode_key<M: Message>(key: Bytes) -> Result<M, DecodeError> {
    let mut r = Reader::new(key);
    r.i16()?;
    M::decode(&mut r, KEY_VERSION)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::records::offset_commit::{OffsetCommitKey, OffsetCommitValue};

    #[test]
    fn a_key_stands_behind_the_type_of_its_record() {
        let key = OffsetCommitKey { group: "g".into(), topic: "t".into(), partition: 7 };
        let bytes = encode_key(OffsetCommitKey::RECORD_TYPE, &key).unwrap();
        assert_eq!(&bytes[..], b"\0\x01\0\x01g\0\x01t\0\0\0\x07");
        assert_eq!(record_type(&bytes), Ok(1));
        assert_eq!(decode_key(bytes), Ok(key));
        assert_eq!(record_type(&Bytes::from_static(b"\0")), Err(DecodeError::Truncated));
    }

    #[test]
    fn a_value_is_read_in_the_version_before_it() {
        let value = OffsetCommitValue { offset: 5, topic_id: [3; 16], ..Default::default() };
        let bytes = encode_with_version(&value, 4).unwrap();
        assert_eq!(bytes[..2], [0, 4]);
        assert_eq!(decode_with_version(bytes), Ok(value));
    }

    #[test]
    fn a_version_without_schema_is_refused_by_its_number() {
        for version in [-1i16, 5] {
            let bytes = [&version.to_be_bytes()[..], &[0; 64]].concat();
            let read = decode_with_version::<OffsetCommitValue>(bytes.into());
            assert_eq!(read, Err(DecodeError::UnknownVersion(version)));
        }
    }
}
