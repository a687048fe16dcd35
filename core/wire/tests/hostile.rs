//! Bytes from nobody's friend: whatever comes, decoding neither panics nor takes more memory than the bytes are worth,
//! and what it does accept can be written again.
//!
//! Every API, version and direction, both headers and every record; random bytes, and mutations of Kafka's own golden
//! messages. The seeds are fixed, so a failure repeats; `fuzz/` searches without end.

#![allow(clippy::unwrap_used)] // A failed step fails the test.

#[path = "hostile/counting.rs"]
mod counting;
#[path = "golden/vectors.rs"]
mod golden;
#[path = "hostile/mutate.rs"]
mod mutate;

use bytes::{Bytes, BytesMut};
use counting::measured;
use mutate::Rng;
use wire::error::CodecError;
use wire::header::{RequestHeader, ResponseHeader};
use wire::messages::{AnyRequest, AnyResponse};
use wire::reader::{AMPLIFICATION, FREE_BYTES};
use wire::{ApiKey, Reader, Writer, records};

/// Mutations of each golden vector.
const MUTATIONS: usize = 40;
/// Random inputs for each message and version.
const RANDOM: usize = 25;

/// What is decoded.
#[derive(Clone, Copy, Debug)]
enum Kind {
    Request(ApiKey),
    Response(ApiKey),
    RequestHeader,
    ResponseHeader,
}

/// Decodes within the bound; `None` for refused bytes, else the message written again.
fn decode(kind: Kind, version: i16, bytes: &Bytes) -> Option<Bytes> {
    enum Any {
        Request(AnyRequest),
        Response(AnyResponse),
        RequestHeader(RequestHeader),
        ResponseHeader(ResponseHeader),
    }
    let (decoded, usage) = measured(|| {
        let mut r = Reader::new(bytes.clone());
        match kind {
            Kind::Request(key) => AnyRequest::decode(key, &mut r, version).map(Any::Request),
            Kind::Response(key) => AnyResponse::decode(key, &mut r, version).map(Any::Response),
            Kind::RequestHeader => RequestHeader::decode(&mut r, version).map(Any::RequestHeader),
            Kind::ResponseHeader => ResponseHeader::decode(&mut r, version).map(Any::ResponseHeader),
        }
    });
    let bound = AMPLIFICATION * bytes.len() + FREE_BYTES;
    assert!(usage.total <= bound, "{kind:?} v{version} took {usage:?} for {} bytes: {}", bytes.len(), start(bytes));
    let decoded = decoded.ok()?;
    let (mut buf, mut splices) = (BytesMut::new(), Vec::new());
    let mut w = Writer::new(&mut buf, &mut splices);
    match decoded {
        Any::Request(message) => message.encode(&mut w, version).unwrap(),
        Any::Response(message) => message.encode(&mut w, version).unwrap(),
        Any::RequestHeader(header) => header.encode(&mut w, version),
        Any::ResponseHeader(header) => header.encode(&mut w, version),
    }
    Some(buf.freeze())
}

/// Decodes; what is accepted must be a fixed point once it has been written.
fn check(kind: Kind, version: i16, bytes: Vec<u8>) -> bool {
    let bytes = Bytes::from(bytes);
    let Some(written) = decode(kind, version, &bytes) else { return false };
    // Bytes behind a message count for its bound, so the copy gets as many.
    let mut copy = written.to_vec();
    copy.resize(copy.len().max(bytes.len()), 0);
    let again = decode(kind, version, &copy.into());
    assert!(again.as_ref() == Some(&written), "{kind:?} v{version} changes when written again: {}", start(&bytes));
    true
}

/// Enough of the input to repeat the failure by hand.
fn start(bytes: &[u8]) -> String {
    let hex: String = bytes.iter().take(400).map(|byte| format!("{byte:02x}")).collect();
    if bytes.len() > 400 { format!("{hex}... ({} bytes)", bytes.len()) } else { hex }
}

/// Random bytes, floods, and long runs of one byte, which many messages take for empty fields.
fn throw_random(seed: u64, mut check: impl FnMut(Vec<u8>) -> bool) -> (usize, usize) {
    let mut rng = Rng::new(seed);
    let (mut tried, mut accepted) = (0, 0);
    for round in 0..RANDOM {
        let mut bytes = match round {
            0 => vec![],
            1..4 => vec![round as u8 - 1; 4_096],
            _ => {
                let bits = 2 + rng.below(9);
                let len = rng.below(1 << bits);
                rng.bytes(len)
            }
        };
        if round % 3 == 2 {
            bytes.truncate(rng.below(32));
            mutate::flood(&mut bytes, &mut rng);
        }
        tried += 1;
        accepted += usize::from(check(bytes));
    }
    (tried, accepted)
}

#[test]
fn random_bytes_are_refused_or_understood_by_every_message() {
    let (mut tried, mut accepted) = (0, 0);
    let mut throw = |kind: Kind, version: i16, seed: u64| {
        let (t, a) = throw_random(seed, |bytes| check(kind, version, bytes));
        (tried, accepted) = (tried + t, accepted + a);
    };
    for key in ApiKey::ALL {
        let versions = key.versions();
        for version in versions.min..=versions.max {
            let seed = (key.code() as u64) << 16 | version as u64;
            throw(Kind::Request(*key), version, seed);
            throw(Kind::Response(*key), version, seed | 1 << 40);
        }
    }
    for version in 1..=2 {
        throw(Kind::RequestHeader, version, 1 << 41 | version as u64);
        throw(Kind::ResponseHeader, version - 1, 1 << 42 | version as u64);
    }
    println!("{accepted} of {tried} inputs were understood");
    assert!(accepted > tried / 50, "only {accepted} of {tried} inputs got as far as a message");
}

#[test]
fn mutations_of_kafkas_messages_are_refused_or_understood() {
    let Some(vectors) = golden::messages() else { return };
    let mut rng = Rng::new(0x6d69_6c65_6e61);
    let (mut tried, mut accepted) = (0, 0);
    for (index, vector) in vectors.iter().enumerate() {
        let kind = if vector.is_request { Kind::Request(vector.key) } else { Kind::Response(vector.key) };
        let other = &vectors[(index + 1) % vectors.len()].bytes;
        for _ in 0..MUTATIONS {
            tried += 1;
            accepted += usize::from(check(kind, vector.version, mutate::mutated(&vector.bytes, other, &mut rng)));
        }
    }
    println!("{accepted} of {tried} mutations were understood");
    assert!(tried > 50_000, "only {tried} mutations were tried");
    assert!(accepted > tried / 50 && accepted < tried, "{accepted} of {tried} mutations were understood");
}

#[test]
fn mutations_of_records_and_headers_are_refused_or_understood() {
    let Some(vectors) = golden::records() else { return };
    let mut rng = Rng::new(0x7265_636f_7264);
    let (mut tried, mut accepted) = (0, 0);
    for (index, vector) in vectors.iter().enumerate() {
        let other = &vectors[(index + 1) % vectors.len()].bytes;
        for _ in 0..4 * MUTATIONS {
            let bytes = mutate::mutated(&vector.bytes, other, &mut rng);
            tried += 1;
            accepted += usize::from(match vector.name.as_str() {
                "RequestHeader" => check(Kind::RequestHeader, vector.version, bytes),
                "ResponseHeader" => check(Kind::ResponseHeader, vector.version, bytes),
                name => check_record(name, vector.version, bytes),
            });
        }
    }
    println!("{accepted} of {tried} mutations were understood");
    assert!(tried > 20_000, "only {tried} mutations were tried");
    assert!(accepted > tried / 50 && accepted < tried, "{accepted} of {tried} mutations were understood");
}

#[test]
fn random_bytes_are_refused_or_understood_by_every_record() {
    let (mut tried, mut accepted) = (0, 0);
    for (index, (name, versions)) in records::ALL.iter().enumerate() {
        for version in versions.clone() {
            let seed = 1 << 43 | (index as u64) << 16 | version as u64;
            let (t, a) = throw_random(seed, |bytes| check_record(name, version, bytes));
            (tried, accepted) = (tried + t, accepted + a);
        }
    }
    println!("{accepted} of {tried} inputs were understood");
    assert!(tried > 1_000 && accepted > tried / 50, "{accepted} of {tried} inputs were understood");
}

/// Reading and writing are one call here: writing may take the input's size once more, in a buffer that doubles.
fn check_record(name: &str, version: i16, bytes: Vec<u8>) -> bool {
    let bytes = Bytes::from(bytes);
    let (mut buf, mut splices) = (BytesMut::with_capacity(2 * bytes.len()), Vec::new());
    let mut r = Reader::new(bytes.clone());
    let (done, usage) = measured(|| records::reencode(name, &mut r, &mut Writer::new(&mut buf, &mut splices), version));
    let bound = AMPLIFICATION * bytes.len() + FREE_BYTES;
    assert!(usage.total <= bound, "{name} v{version} took {usage:?} for {} bytes: {}", bytes.len(), start(&bytes));
    match done {
        Ok(known) => known,
        Err(CodecError::Decode(_)) => false,
        Err(CodecError::Encode(error)) => panic!("{name} v{version}: {error}: {}", start(&bytes)),
    }
}
