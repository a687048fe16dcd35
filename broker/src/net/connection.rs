//! One client connection: frames in, answers out, in the order of the requests.
//!
//! ```text
//!  socket -> buf -> frame (shares buf's bytes) -> Service::call -> reply -> pending -> socket
//! ```
//!
//! One request is answered at a time, as Kafka does. Requests that arrived together are answered together: their
//! answers leave in one write, unless one of them has to wait.

use std::io;
use std::net::SocketAddr;
use std::os::fd::AsFd;
use std::sync::Arc;
use std::task::Poll;
use std::time::Duration;

use bytes::{Buf, Bytes, BytesMut};
use tokio::io::Interest;
use tokio::net::TcpStream;

use super::budget::{Budget, Charge};
use super::output::Output;

/// The first read of a silent connection gets so much room.
const FIRST_READ_BYTES: usize = 512;
/// Room for a read grows to this at most by what earlier requests took.
const READ_AHEAD_BYTES_MAX: usize = 1 << 20;
/// Answers are sent once so much of them is held, even while more requests wait.
const SEND_AT_BYTES: usize = 256 << 10;

/// Who is at the other end.
#[derive(Clone, Debug)]
pub struct Peer {
    pub address: SocketAddr,
    /// The listener's name in the configuration.
    pub listener: Arc<str>,
}

/// What becomes of a request.
#[derive(Debug, PartialEq, Eq)]
pub enum Verdict {
    /// What was written to the reply, possibly nothing (acks=0), is the answer.
    Answered,
    /// The connection must close, for the reason given.
    Close(&'static str),
}

/// Answers frames of one connection.
pub trait Service {
    /// Answers one `frame` (without its length) by writing one response frame to `reply`.
    fn call(&mut self, frame: Bytes, reply: &mut Output) -> impl Future<Output = Verdict>;
}

/// Why a connection ended.
#[derive(Debug)]
pub enum Closed {
    /// The client closed it between requests.
    ByPeer,
    /// No request for `connections.max.idle.ms`.
    Idle,
    /// The broker is stopping.
    Stopping,
    /// The client sent what no Kafka client sends.
    BadInput(String),
    Failed(io::Error),
}

/// The bounds of one connection.
#[derive(Clone)]
pub struct Limits {
    /// `socket.request.max.bytes`
    pub request_bytes_max: usize,
    /// `connections.max.idle.ms`
    pub idle: Duration,
}

/// A connection being served.
pub struct Connection {
    stream: TcpStream,
    limits: Limits,
    charge: Charge,
    buf: BytesMut,
    /// Room for the next read into an empty buffer: follows the size of requests already received in full.
    read_ahead: usize,
    pending: Output,
}

impl Connection {
    pub fn new(stream: TcpStream, limits: Limits, budget: &Budget) -> io::Result<Self> {
        stream.set_nodelay(true)?;
        Ok(Self {
            stream,
            limits,
            charge: budget.charge(),
            buf: BytesMut::new(),
            read_ahead: FIRST_READ_BYTES,
            pending: Output::default(),
        })
    }

    /// Serves until the client leaves, misbehaves, falls silent, or `stop` completes. A request in hand at the time
    /// of `stop` is answered if it can be at once.
    pub async fn run(mut self, service: &mut impl Service, stop: impl Future<Output = ()>) -> Closed {
        tokio::pin!(stop);
        let mut reply = Output::default();
        loop {
            let frame = match self.cut_frame() {
                Ok(Some(frame)) => frame,
                Ok(None) => {
                    tokio::select! {
                        biased;
                        () = &mut stop => {
                            let _ = self.send_pending().await;
                            return Closed::Stopping;
                        }
                        read = self.send_and_read() => match read {
                            Ok(0) if self.buf.is_empty() => return Closed::ByPeer,
                            Ok(0) => return Closed::BadInput("the connection ended inside a request".to_owned()),
                            Ok(_) => continue,
                            Err(error) if error.kind() == io::ErrorKind::TimedOut => return Closed::Idle,
                            Err(error) => return Closed::Failed(error),
                        }
                    }
                }
                Err(reason) => {
                    let _ = self.send_pending().await;
                    return Closed::BadInput(reason);
                }
            };
            let verdict = {
                let call = service.call(frame, &mut reply);
                tokio::pin!(call);
                let first = std::future::poll_fn(|cx| Poll::Ready(call.as_mut().poll(cx))).await;
                match first {
                    Poll::Ready(verdict) => verdict,
                    Poll::Pending => {
                        // The answer takes time: what is ready must not wait for it.
                        if let Err(error) = self.send_pending().await {
                            return Closed::Failed(error);
                        }
                        tokio::select! {
                            biased;
                            verdict = &mut call => verdict,
                            () = &mut stop => return Closed::Stopping,
                        }
                    }
                }
            };
            match verdict {
                Verdict::Answered => self.pending.append(&mut reply),
                Verdict::Close(reason) => {
                    let _ = self.send_pending().await;
                    return Closed::BadInput(reason.to_owned());
                }
            }
            if self.pending.held_bytes() >= SEND_AT_BYTES
                && let Err(error) = self.send_pending().await
            {
                return Closed::Failed(error);
            }
        }
    }

    /// The next whole frame in the buffer, without its length.
    fn cut_frame(&mut self) -> Result<Option<Bytes>, String> {
        let Some(length) = self.announced()? else { return Ok(None) };
        if self.buf.len() < 4 + length {
            return Ok(None);
        }
        self.buf.advance(4);
        let frame = self.buf.split_to(length).freeze();
        self.read_ahead =
            (4 + length).next_power_of_two().clamp(self.read_ahead / 2, READ_AHEAD_BYTES_MAX).max(FIRST_READ_BYTES);
        Ok(Some(frame))
    }

    /// The length that the frame at the start of the buffer announces, checked.
    fn announced(&self) -> Result<Option<usize>, String> {
        let Some(length) = self.buf.first_chunk::<4>() else { return Ok(None) };
        let length = i32::from_be_bytes(*length);
        match usize::try_from(length) {
            Ok(length) if length <= self.limits.request_bytes_max => Ok(Some(length)),
            Ok(length) => Err(format!(
                "a request of {length} bytes is larger than socket.request.max.bytes={}",
                self.limits.request_bytes_max
            )),
            Err(_) => Err(format!("a request announced {length} bytes")),
        }
    }

    /// Sends what is pending, then waits for bytes and reads them. 0 at the end of the stream.
    async fn send_and_read(&mut self) -> io::Result<usize> {
        self.send_pending().await?;
        self.charge.set(self.buf.len());
        self.charge.room().await;
        loop {
            // A read is tried first: under load the bytes are there already.
            self.reserve();
            match self.stream.try_read_buf(&mut self.buf) {
                Ok(read) => return Ok(read),
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
                Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
                Err(error) => return Err(error),
            }
            match tokio::time::timeout(self.limits.idle, self.stream.readable()).await {
                Ok(ready) => ready?,
                Err(_) => return Err(io::ErrorKind::TimedOut.into()),
            }
        }
    }

    /// Makes room for the next read: by what has arrived, never by what was announced.
    fn reserve(&mut self) {
        let have = self.buf.len();
        let missing = match self.announced() {
            Ok(Some(length)) => (4 + length).saturating_sub(have),
            _ => usize::MAX,
        };
        let room =
            if have == 0 { self.read_ahead } else { have.max(self.read_ahead).min(missing.max(FIRST_READ_BYTES)) };
        if self.buf.capacity() - have < room / 4 || self.buf.capacity() == have {
            self.buf.reserve(room);
        }
    }

    async fn send_pending(&mut self) -> io::Result<()> {
        while !self.pending.is_empty() {
            let pending = &mut self.pending;
            let stream = &self.stream;
            match stream.try_io(Interest::WRITABLE, || pending.send(stream.as_fd())) {
                Ok(()) => return Ok(()),
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => stream.writable().await?,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use bytes::BufMut;
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    use tokio::net::TcpListener;

    use super::*;

    /// Answers each frame with itself; `slow` waits first, `bad` closes.
    struct Echo;

    impl Service for Echo {
        async fn call(&mut self, frame: Bytes, reply: &mut Output) -> Verdict {
            match &frame[..] {
                b"bad" => return Verdict::Close("it was bad"),
                b"slow" => tokio::task::yield_now().await,
                _ => {}
            }
            reply.buf().put_i32(frame.len() as i32);
            reply.buf().put_slice(&frame);
            Verdict::Answered
        }
    }

    fn limits() -> Limits {
        Limits { request_bytes_max: 100 << 20, idle: Duration::from_secs(60) }
    }

    async fn pair() -> (TcpStream, Connection) {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let client = TcpStream::connect(listener.local_addr().unwrap()).await.unwrap();
        let (stream, _) = listener.accept().await.unwrap();
        (client, Connection::new(stream, limits(), &Budget::new(1 << 20)).unwrap())
    }

    fn frame(body: &[u8]) -> Vec<u8> {
        let mut frame = (body.len() as i32).to_be_bytes().to_vec();
        frame.extend_from_slice(body);
        frame
    }

    /// Sends `bytes`, closes the sending half, and gives back what came and how it ended.
    async fn talk(bytes: &[u8]) -> (Vec<u8>, Closed) {
        let (mut client, connection) = pair().await;
        client.write_all(bytes).await.unwrap();
        client.shutdown().await.unwrap();
        let closed = connection.run(&mut Echo, std::future::pending()).await;
        let mut answer = Vec::new();
        let _ = client.read_to_end(&mut answer).await;
        (answer, closed)
    }

    #[tokio::test]
    async fn answers_come_in_the_order_of_requests_even_past_a_slow_one() {
        let asked = [frame(b"one"), frame(b"slow"), frame(b"three")].concat();
        let (answer, closed) = talk(&asked).await;
        assert_eq!(answer, asked);
        assert!(matches!(closed, Closed::ByPeer));
    }

    #[tokio::test]
    async fn a_large_frame_arrives_whole() {
        let asked = frame(&vec![7; 3 << 20]);
        let (mut client, connection) = pair().await;
        let served = async move { connection.run(&mut Echo, std::future::pending()).await };
        let (sent, asked_len) = (asked.clone(), asked.len());
        let client = async move {
            let (mut read, mut write) = client.split();
            let mut answer = vec![0; asked_len];
            let (wrote, got) = tokio::join!(write.write_all(&sent), read.read_exact(&mut answer));
            (wrote.unwrap(), got.unwrap(), answer)
        };
        let (_, (_, _, answer)) = tokio::join!(served, client);
        assert!(answer == asked);
    }

    #[tokio::test]
    async fn negative_long_and_truncated_frames_close_the_connection_after_earlier_answers() {
        for bad in [&(-1i32).to_be_bytes()[..], &(101i32 << 20).to_be_bytes(), &[0, 0, 0, 9, 1, 2]] {
            let (answer, closed) = talk(&[&frame(b"one"), bad].concat()).await;
            assert_eq!(answer, frame(b"one"));
            assert!(matches!(closed, Closed::BadInput(_)), "{closed:?}");
        }
    }

    #[tokio::test]
    async fn a_refused_request_ends_the_connection_but_not_the_answers_before_it() {
        let (answer, closed) = talk(&[frame(b"one"), frame(b"bad"), frame(b"two")].concat()).await;
        assert_eq!(answer, frame(b"one"));
        assert!(matches!(closed, Closed::BadInput(_)));
    }

    #[tokio::test]
    async fn an_announced_length_costs_nothing_until_bytes_arrive() {
        let (mut client, mut connection) = pair().await;
        client.write_all(&(100i32 << 20).to_be_bytes()).await.unwrap();
        assert_eq!(connection.send_and_read().await.unwrap(), 4);
        connection.reserve();
        assert!(connection.buf.capacity() <= 2 * FIRST_READ_BYTES, "{}", connection.buf.capacity());
    }

    #[tokio::test(start_paused = true)]
    async fn a_silent_connection_is_closed_after_its_idle_time() {
        let (_client, connection) = pair().await;
        assert!(matches!(connection.run(&mut Echo, std::future::pending()).await, Closed::Idle));
    }

    #[tokio::test]
    async fn stopping_ends_a_waiting_connection() {
        let (_client, connection) = pair().await;
        assert!(matches!(connection.run(&mut Echo, std::future::ready(())).await, Closed::Stopping));
    }
}
