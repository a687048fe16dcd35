//! `health`: asks the HTTP side of a running node and tells by exit code. Made for probes: no runtime, short timeouts,
//! one line of output.

use std::io::{self, Read as _, Write as _};
use std::net::{TcpStream, ToSocketAddrs as _};
use std::process::ExitCode;
use std::time::{Duration, Instant};

use crate::config::Endpoint;

const CONNECT_TIMEOUT: Duration = Duration::from_secs(2);
/// From the request to the last byte of the answer.
const ANSWER_TIMEOUT: Duration = Duration::from_secs(3);
/// Health answers are a line; anything longer is not ours.
const ANSWER_BYTES_MAX: usize = 16 << 10;

#[derive(Debug, clap::Args)]
pub struct Args {
    /// What to ask
    probe: Probe,
    /// Where the node serves HTTP: milena.http.listener
    #[arg(long, value_name = "HOST:PORT", default_value = "127.0.0.1:9404", value_parser = parse_endpoint)]
    http: Endpoint,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
enum Probe {
    /// Should the process go on?
    Live,
    /// Should clients be sent here?
    Ready,
    /// Is recovery done?
    Startup,
}

impl Probe {
    fn name(self) -> &'static str {
        match self {
            Self::Live => "live",
            Self::Ready => "ready",
            Self::Startup => "startup",
        }
    }
}

fn parse_endpoint(text: &str) -> Result<Endpoint, String> {
    let mut endpoint = Endpoint::parse(text).ok_or_else(|| "write host:port".to_owned())?;
    if endpoint.host.is_empty() {
        endpoint.host = "127.0.0.1".to_owned();
    }
    Ok(endpoint)
}

/// Prints the answer as one line and turns it into an exit code.
pub fn run(args: &Args) -> ExitCode {
    let name = args.probe.name();
    let (ok, line) = match ask(&args.http, name) {
        Ok((200, body)) => (true, format!("{name}: {body}")),
        Ok((status, body)) => (false, format!("{name}: HTTP {status} {body}")),
        Err(error) => (false, format!("{name}: cannot ask {}: {error}", args.http)),
    };
    super::say(&format!("{line}\n"));
    if ok { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

/// The status and the body's first line.
fn ask(http: &Endpoint, probe: &str) -> io::Result<(u16, String)> {
    let mut stream = connect(http)?;
    let deadline = Instant::now() + ANSWER_TIMEOUT;
    stream.set_write_timeout(Some(ANSWER_TIMEOUT))?;
    let request = format!("GET /health/{probe} HTTP/1.1\r\nHost: {http}\r\nConnection: close\r\n\r\n");
    stream.write_all(request.as_bytes())?;
    let mut answer = Vec::new();
    let mut piece = [0; 2048];
    loop {
        let left = deadline.saturating_duration_since(Instant::now());
        if left.is_zero() {
            return Err(io::Error::new(io::ErrorKind::TimedOut, "the answer took too long"));
        }
        stream.set_read_timeout(Some(left))?;
        match stream.read(&mut piece) {
            Ok(0) => break,
            Ok(read) => answer.extend_from_slice(&piece[..read]),
            // What a socket's timeout is called differs between systems.
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => continue,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
            Err(error) => return Err(error),
        }
        if answer.len() > ANSWER_BYTES_MAX {
            return Err(io::Error::new(io::ErrorKind::InvalidData, "the answer is too long"));
        }
    }
    parse_answer(&String::from_utf8_lossy(&answer))
        .ok_or_else(|| io::Error::new(io::ErrorKind::InvalidData, "the answer is not HTTP"))
}

/// Tries every address of the host, as one of `localhost`'s two may have no listener.
fn connect(http: &Endpoint) -> io::Result<TcpStream> {
    let mut last = io::Error::new(io::ErrorKind::NotFound, "the host has no address");
    for address in (http.host.as_str(), http.port).to_socket_addrs()? {
        match TcpStream::connect_timeout(&address, CONNECT_TIMEOUT) {
            Ok(stream) => return Ok(stream),
            Err(error) => last = error,
        }
    }
    Err(last)
}

fn parse_answer(answer: &str) -> Option<(u16, String)> {
    let (head, body) = answer.split_once("\r\n\r\n")?;
    let status = head.strip_prefix("HTTP/1.")?.split(' ').nth(1)?;
    Some((status.parse().ok()?, body.lines().next().unwrap_or_default().to_owned()))
}

#[cfg(test)]
mod tests {
    use std::net::TcpListener;

    use super::*;

    /// Answers one connection with `answer` and tells where.
    fn answering(answer: &'static str) -> Endpoint {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        std::thread::spawn(move || {
            let (mut stream, _) = listener.accept().unwrap();
            let mut request = [0; 512];
            let read = stream.read(&mut request).unwrap();
            assert!(request[..read].starts_with(b"GET /health/ready HTTP/1.1\r\n"));
            stream.write_all(answer.as_bytes()).unwrap();
        });
        Endpoint { host: "127.0.0.1".to_owned(), port }
    }

    #[test]
    fn the_status_and_the_first_line_of_the_body_are_read() {
        let ok = answering("HTTP/1.1 200 OK\r\ncontent-length: 16\r\n\r\n{\"status\":\"ok\"}\n");
        assert_eq!(ask(&ok, "ready").unwrap(), (200, "{\"status\":\"ok\"}".to_owned()));
        let failing = answering("HTTP/1.1 503 Service Unavailable\r\n\r\n{}");
        assert_eq!(ask(&failing, "ready").unwrap(), (503, "{}".to_owned()));
    }

    #[test]
    fn a_closed_port_and_another_protocol_are_errors() {
        let other = answering("220 mail.example.org ESMTP\r\n");
        assert_eq!(ask(&other, "ready").unwrap_err().to_string(), "the answer is not HTTP");
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        drop(listener);
        let closed = Endpoint { host: "127.0.0.1".to_owned(), port };
        assert_eq!(ask(&closed, "ready").unwrap_err().kind(), io::ErrorKind::ConnectionRefused);
    }

    #[test]
    fn an_address_without_a_host_is_this_machine() {
        assert_eq!(parse_endpoint(":1").unwrap().to_string(), "127.0.0.1:1");
        assert!(parse_endpoint("nonsense").is_err());
    }
}
