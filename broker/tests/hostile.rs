//! What bad frames get: their own connection closed, one log line, one count; and nothing of what they announce.

#![allow(clippy::unwrap_used, reason = "a test fails by it")]

mod support;

use std::io::ErrorKind;

use support::in_process::Broker;
use support::process::Process;
use support::{Client, wait_until};
use wire::messages::api_versions::{ApiVersionsRequest, ApiVersionsResponse};
use wire::{ApiKey, Reader};

const CLOSED: &str = "a connection was closed for what it sent";
const REFUSED: &str = "milena_frames_refused_total";
/// `socket.request.max.bytes`, when nothing else is said.
const REQUEST_BYTES_MAX: i32 = 104_857_600;

fn versions(client: &mut Client) -> ApiVersionsResponse {
    let request = ApiVersionsRequest {
        client_software_name: "test".into(),
        client_software_version: "1".into(),
        ..Default::default()
    };
    client.ask(3, &request)
}

/// A header of version 1 without a client id, and `body`.
fn request(key: i16, version: i16, body: &[u8]) -> Vec<u8> {
    let header = [&key.to_be_bytes()[..], &version.to_be_bytes(), &7i32.to_be_bytes(), &[0xff, 0xff]].concat();
    [&header, body].concat()
}

fn framed(frame: &[u8]) -> Vec<u8> {
    [&(frame.len() as i32).to_be_bytes()[..], frame].concat()
}

/// Bytes that no Kafka client sends, by what is wrong with them.
fn bad_frames() -> Vec<(&'static str, Vec<u8>)> {
    let metadata = ApiKey::Metadata.code();
    vec![
        ("too long", (REQUEST_BYTES_MAX + 1).to_be_bytes().to_vec()),
        ("of the longest length there is", i32::MAX.to_be_bytes().to_vec()),
        ("of length -1", (-1i32).to_be_bytes().to_vec()),
        ("of the shortest length there is", i32::MIN.to_be_bytes().to_vec()),
        ("cut short", framed(&request(metadata, 1, &[0xff; 4]))[..12].to_vec()),
        ("with half a length", vec![0, 0]),
        ("empty", framed(&[])),
        ("shorter than a header", framed(&[0, 3, 0, 1, 0, 0])),
        ("with a client id that is not there", framed(&[0, 3, 0, 1, 0, 0, 0, 1, 0, 99])),
        ("of an unknown key", framed(&request(999, 0, &[]))),
        ("of a negative key", framed(&request(-1, 0, &[]))),
        ("of a key that only controllers serve", framed(&request(52, 0, &[]))),
        ("of a version above", framed(&request(metadata, 99, &[0xff; 4]))),
        ("of a negative version", framed(&request(metadata, -1, &[0xff; 4]))),
        ("of a version that is advertised and not served", framed(&request(ApiKey::Produce.code(), 2, &[0; 10]))),
        ("with a count beyond its bytes", framed(&request(metadata, 1, &i32::MAX.to_be_bytes()))),
        ("with a negative count", framed(&request(metadata, 1, &(-2i32).to_be_bytes()))),
        ("of another protocol", b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n".to_vec()),
        ("of TLS", b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03".to_vec()),
    ]
}

#[test]
fn a_bad_frame_closes_its_connection_and_only_that_one_with_one_line_and_one_count() {
    let dir = tempfile::tempdir().unwrap();
    let mut broker = Process::new(dir.path(), "");
    broker.start();
    let mut bystander = Client::connect(broker.address()).unwrap();
    let mut refused = 0;
    for (what, bytes) in bad_frames() {
        let mut client = Client::connect(broker.address()).unwrap();
        versions(&mut client);
        client.send_raw(&bytes).unwrap();
        client.finish().unwrap();
        let ended = client.receive().expect_err("no answer").kind();
        assert!(matches!(ended, ErrorKind::UnexpectedEof | ErrorKind::ConnectionReset), "a frame {what}: {ended}");
        versions(&mut bystander);
        refused += 1;
        wait_until("the line", || broker.log_lines(CLOSED) >= refused);
        assert_eq!(broker.log_lines(CLOSED), refused, "a frame {what}: {}", broker.log());
        assert_eq!(broker.metric(REFUSED, &[]), refused as f64, "a frame {what}");
    }
    assert_eq!(broker.stop(), Some(0));
}

#[test]
fn api_versions_of_an_unknown_version_is_answered_35_with_the_ranges_in_version_0_and_the_client_goes_on() {
    let broker = Broker::start(&[]);
    let mut client = broker.client();
    let known = versions(&mut client).api_keys;
    for version in [6, 99, i16::MAX, -1] {
        let header_2_tags = if version < 0 { &[][..] } else { &[0] };
        client.send_frame(&request(ApiKey::ApiVersions.code(), version, header_2_tags)).unwrap();
        let mut reader = Reader::new(client.receive().unwrap());
        assert_eq!(reader.i32().unwrap(), 7, "the header of version 0 is a correlation id");
        let answer = ApiVersionsResponse::decode(&mut reader, 0).unwrap();
        reader.finish().unwrap();
        assert_eq!(answer.error_code, 35, "version {version}");
        assert_eq!(answer.api_keys, known, "version {version}");
    }
}

#[test]
fn hostile_counts_are_refused_before_anything_is_allocated() {
    let dir = tempfile::tempdir().unwrap();
    let mut broker = Process::new(dir.path(), "");
    broker.start();
    versions(&mut Client::connect(broker.address()).unwrap());
    let before = broker.memory_bytes();
    // A million of what is largest, of which nothing follows; and a hundred thousand, of which half follows.
    let million = 1_000_000i32.to_be_bytes();
    let half = [&100_000i32.to_be_bytes()[..], &[0; 50_000]].concat();
    let metadata = |count: &[u8]| request(ApiKey::Metadata.code(), 1, count);
    let fetch = |count: &[u8]| {
        let fixed = [&[0xff; 4][..], &[0; 4], &[0; 4], &[0; 4], &[0]].concat();
        request(ApiKey::Fetch.code(), 4, &[&fixed, count].concat())
    };
    for round in 0..100 {
        for frame in [metadata(&million), metadata(&half), fetch(&million), fetch(&half)] {
            let mut client = Client::connect(broker.address()).unwrap();
            client.send_frame(&frame).unwrap();
            assert!(client.receive().is_err(), "round {round}");
        }
    }
    let grown = broker.memory_bytes().saturating_sub(before);
    assert!(grown < 8 << 20, "{grown} bytes more");
}
