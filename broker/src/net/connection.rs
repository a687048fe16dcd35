//! One client connection: frames in, answers out, in the order of the requests.
//!
//! ```text
//!  socket -> buf -> frame (shares buf's bytes) ┬> Service::call ──────────────┬> reply -> pending -> socket
//!                                              └> Service::begin … ::finish ──┘
//! ```
//!
//! Requests are taken up and answered in the order of their arrival, one at a time, as Kafka does. Only those that
//! [`Service::overlaps`] allows are set going while earlier ones still wait for their answers. Requests that arrived
//! together are answered together: their answers leave in one write, unless one of them has to wait.
//!
//! What a connection holds, in either direction, it holds at the expense of the [`Budget`]; a silent one holds next to
//! nothing.

use std::collections::VecDeque;
use std::io;
use std::net::SocketAddr;
use std::os::fd::AsFd;
use std::pin::{Pin, pin};
use std::rc::Rc;
use std::sync::Arc;
use std::task::Poll;
use std::time::Duration;

use bytes::{Buf, BufMut as _, Bytes, BytesMut};
use tokio::io::Interest;
use tokio::net::TcpStream;

use super::budget::{Budget, Charge, FREE_BYTES, Unsent};
use super::output::Output;
use crate::telemetry::Traffic;

/// The first read of a silent connection gets so much room.
const FIRST_READ_BYTES: usize = 512;
/// Room for a read grows to this at most by what earlier requests took.
const READ_AHEAD_BYTES_MAX: usize = 1 << 20;
/// Answers are sent once so much of them is held, even while more requests wait.
const SEND_AT_BYTES: usize = 256 << 10;
/// At most so many requests of one connection are under way.
const UNDER_WAY_MAX: usize = 32;
/// What is under way when the broker stops gets so long to be answered.
const LAST_ANSWER: Duration = Duration::from_secs(1);
/// A buffer for large requests is kept for so long in case another one follows.
const KEEP_BUFFER: Duration = Duration::from_secs(1);
/// A client that hung up while its request waits has the request given up after this.
const GRACE_WHEN_GONE: Duration = Duration::from_millis(200);
/// While memory is short, a client that neither sends the rest of its request nor takes its answers has so long.
const PATIENCE_WHEN_SHORT: Duration = Duration::from_secs(5);

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
    /// A request under way.
    type Later;

    /// Whether the request in `frame` may begin while earlier ones wait for their answers.
    fn overlaps(&self, frame: &Bytes) -> bool;

    /// Sets a request going that overlaps. An error says why the connection must close.
    fn begin(&mut self, frame: Bytes) -> impl Future<Output = Result<Self::Later, &'static str>>;

    /// Answers a request that [`Service::begin`] set going, in the order of these. Where the wait for it is given up, it
    /// can be taken up again.
    fn finish(&mut self, later: &mut Self::Later, reply: &mut Output) -> impl Future<Output = Verdict>;

    /// Bytes of memory that `frame` and what is made of it may take until it is answered.
    fn cost(&self, frame: &Bytes) -> usize;

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
    /// Memory was short, and the client held on to its share without moving.
    Stalled,
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
    unsent: Unsent,
    traffic: Rc<Traffic>,
    buf: BytesMut,
    /// Room for the next read into an empty buffer: follows the size of requests already received in full.
    read_ahead: usize,
    pending: Output,
}

/// The requests of a connection that are in hand.
struct Work<'s, S: Service> {
    service: &'s mut S,
    /// Begun and not yet answered, each with its cost in bytes.
    under_way: VecDeque<(S::Later, usize)>,
    /// What all requests in hand cost.
    bytes: usize,
    reply: Output,
}

impl Connection {
    /// Counts what is read and sent in `traffic`.
    pub fn new(stream: TcpStream, limits: Limits, budget: &Budget, traffic: Rc<Traffic>) -> io::Result<Self> {
        stream.set_nodelay(true)?;
        Ok(Self {
            stream,
            limits,
            charge: budget.charge(),
            unsent: budget.unsent(),
            traffic,
            buf: BytesMut::new(),
            read_ahead: FIRST_READ_BYTES,
            pending: Output::default(),
        })
    }

    /// Serves until the client leaves, misbehaves, falls silent, or `stop` completes. Requests under way at the time of
    /// `stop` are answered if they can be soon.
    pub async fn run<S: Service>(mut self, service: &mut S, stop: impl Future<Output = ()>) -> Closed {
        let mut work = Work { service, under_way: VecDeque::new(), bytes: 0, reply: Output::default() };
        tokio::select! {
            biased;
            closed = self.serve(&mut work) => return closed.unwrap_or_else(|closed| closed),
            () = stop => {}
        }
        let _ = tokio::time::timeout(LAST_ANSWER, self.answer_until(&mut work, 0)).await;
        // What is ready leaves, where the client takes it at once.
        let _ = self.try_send();
        Closed::Stopping
    }

    async fn serve<S: Service>(&mut self, work: &mut Work<'_, S>) -> Result<Closed, Closed> {
        loop {
            let next = self.cut_frame();
            let overlaps = matches!(&next, Ok(Some(frame)) if work.service.overlaps(frame));
            self.answer_until(work, if overlaps { UNDER_WAY_MAX - 1 } else { 0 }).await?;
            match next {
                Ok(Some(frame)) if overlaps => {
                    let bytes = work.service.cost(&frame);
                    match work.service.begin(frame).await {
                        Ok(later) => work.under_way.push_back((later, bytes)),
                        Err(reason) => {
                            self.answer_until(work, 0).await?;
                            let _ = self.send_pending().await;
                            return Ok(Closed::BadInput(reason.to_owned()));
                        }
                    }
                    work.bytes += bytes;
                }
                Ok(Some(frame)) => {
                    work.bytes = work.service.cost(&frame);
                    let verdict = {
                        let answer = pin!(work.service.call(frame, &mut work.reply));
                        self.wait(answer, work.bytes).await?
                    };
                    work.bytes = 0;
                    self.keep(verdict, &mut work.reply).await?;
                }
                Ok(None) => {
                    if self.send_and_read().await? == 0 {
                        return Ok(match self.buf.is_empty() {
                            true => Closed::ByPeer,
                            false => Closed::BadInput("the connection ended inside a request".to_owned()),
                        });
                    }
                }
                Err(reason) => {
                    let _ = self.send_pending().await;
                    return Ok(Closed::BadInput(reason));
                }
            }
        }
    }

    /// Answers the oldest requests under way until no more than `keep` are left.
    async fn answer_until<S: Service>(&mut self, work: &mut Work<'_, S>, keep: usize) -> Result<(), Closed> {
        while work.under_way.len() > keep
            && let Some((later, bytes)) = work.under_way.front_mut()
        {
            let verdict = {
                let answer = pin!(work.service.finish(later, &mut work.reply));
                self.wait(answer, work.bytes).await?
            };
            work.bytes -= *bytes;
            work.under_way.pop_front();
            self.keep(verdict, &mut work.reply).await?;
        }
        Ok(())
    }

    /// Waits for an answer, while requests that cost `bytes` are in hand; what is ready does not wait with it.
    async fn wait(
        &mut self,
        mut answer: Pin<&mut impl Future<Output = Verdict>>,
        bytes: usize,
    ) -> Result<Verdict, Closed> {
        let verdict = match std::future::poll_fn(|cx| Poll::Ready(answer.as_mut().poll(cx))).await {
            Poll::Ready(verdict) => verdict,
            Poll::Pending => {
                self.charge.set(self.buf.len() + bytes);
                // The answer takes time.
                self.send_pending().await?;
                self.while_connected(answer).await?
            }
        };
        self.charge.request_done();
        Ok(verdict)
    }

    /// Puts an answer behind those that wait to be sent.
    async fn keep(&mut self, verdict: Verdict, reply: &mut Output) -> Result<(), Closed> {
        match verdict {
            Verdict::Answered => self.pending.append(reply),
            Verdict::Close(reason) => {
                let _ = self.send_pending().await;
                return Err(Closed::BadInput(reason.to_owned()));
            }
        }
        if self.pending.held_bytes() >= SEND_AT_BYTES {
            self.send_pending().await?;
        }
        Ok(())
    }

    /// Waits for an answer, but not for long once the client has hung up: nobody would take it.
    async fn while_connected<T>(&self, mut call: Pin<&mut impl Future<Output = T>>) -> Result<T, Closed> {
        tokio::select! {
            biased;
            answer = &mut call => return Ok(answer),
            () = self.hung_up() => {}
        }
        tokio::time::timeout(GRACE_WHEN_GONE, call).await.map_err(|_| Closed::ByPeer)
    }

    async fn hung_up(&self) {
        loop {
            match self.stream.ready(Interest::READABLE).await {
                // Its next request waits to be read; whether it is still there shows behind that only.
                Ok(ready) if !ready.is_read_closed() => tokio::time::sleep(GRACE_WHEN_GONE).await,
                _ => return,
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
    async fn send_and_read(&mut self) -> Result<usize, Closed> {
        self.send_pending().await?;
        // A client that never pauses must not keep the others waiting.
        tokio::task::coop::consume_budget().await;
        if self.buf.is_empty() && self.charge.is_used_up() {
            self.buf = BytesMut::new();
        }
        self.charge.set(self.held_bytes());
        self.charge.room().await;
        let mut waited = Duration::ZERO;
        loop {
            // A read is tried first: under load the bytes are there already.
            let room = self.reserve();
            match self.stream.try_read_buf(&mut (&mut self.buf).limit(room)) {
                Ok(read) => {
                    self.traffic.received(read);
                    return Ok(read);
                }
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
                Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
                Err(error) => return Err(Closed::Failed(error)),
            }
            self.wait_for_bytes(&mut waited).await?;
        }
    }

    /// Waits until there may be bytes to read, or until it is time to look again: `connections.max.idle.ms` at most,
    /// of which `waited` have passed.
    async fn wait_for_bytes(&mut self, waited: &mut Duration) -> Result<(), Closed> {
        let (empty, large) = (self.buf.is_empty(), self.held_bytes() > FREE_BYTES);
        let left = self.limits.idle.saturating_sub(*waited);
        let wait = match (empty, large) {
            (true, true) => KEEP_BUFFER.min(left),
            (false, true) => PATIENCE_WHEN_SHORT.min(left),
            (_, false) => left,
        };
        if let Ok(ready) = tokio::time::timeout(wait, self.stream.readable()).await {
            return ready.map_err(Closed::Failed);
        }
        *waited += wait;
        match () {
            () if wait == left => Err(Closed::Idle),
            () if empty => {
                self.buf = BytesMut::new();
                self.charge.set(0);
                Ok(())
            }
            () if self.charge.is_used_up() => Err(Closed::Stalled),
            () => Ok(()),
        }
    }

    /// Bytes of requests that this connection keeps memory for.
    fn held_bytes(&self) -> usize {
        if self.buf.capacity() > FREE_BYTES { self.buf.len().max(self.read_ahead) } else { self.buf.len() }
    }

    /// Makes room for the next read, and says how much may be read: by what has arrived, never by what was announced,
    /// and little while memory is short.
    fn reserve(&mut self) -> usize {
        let have = self.buf.len();
        let missing = match self.announced() {
            Ok(Some(length)) => (4 + length).saturating_sub(have),
            _ => usize::MAX,
        };
        let room =
            if have == 0 { self.read_ahead } else { have.max(self.read_ahead).min(missing.max(FIRST_READ_BYTES)) };
        let room = if self.charge.is_short() { room.min(FREE_BYTES) } else { room };
        if self.buf.capacity() - have < room / 4 || self.buf.capacity() == have {
            self.buf.reserve(room);
        }
        room
    }

    /// Sends everything that is pending, as fast as the client takes it.
    async fn send_pending(&mut self) -> Result<(), Closed> {
        let (mut left, mut waited) = (usize::MAX, Duration::ZERO);
        loop {
            match self.try_send() {
                Ok(()) => {
                    self.unsent.set(0);
                    return Ok(());
                }
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
                Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
                Err(error) => return Err(Closed::Failed(error)),
            }
            if self.pending.left_bytes() < left {
                (left, waited) = (self.pending.left_bytes(), Duration::ZERO);
            }
            self.unsent.set(self.pending.memory_bytes());
            if self.unsent.is_far_over() {
                return Err(Closed::Stalled);
            }
            let wait = PATIENCE_WHEN_SHORT.min(self.limits.idle.saturating_sub(waited));
            if let Ok(ready) = tokio::time::timeout(wait, self.stream.writable()).await {
                ready.map_err(Closed::Failed)?;
                continue;
            }
            waited += wait;
            if waited >= self.limits.idle {
                return Err(Closed::Idle);
            }
            if self.unsent.is_over() {
                return Err(Closed::Stalled);
            }
        }
    }

    /// Sends what the socket takes now; `WouldBlock` where that is not everything.
    fn try_send(&mut self) -> io::Result<()> {
        if self.pending.is_empty() {
            return Ok(());
        }
        let (pending, stream, traffic) = (&mut self.pending, &self.stream, &self.traffic);
        stream.try_io(Interest::WRITABLE, || pending.send(stream.as_fd(), traffic))
    }
}

#[cfg(test)]
mod tests {
    use bytes::BufMut;
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    use tokio::net::TcpListener;

    use super::*;

    /// Answers each frame with itself; `slow` waits first, `park` waits for ever, `bad` closes, `huge` answers with more
    /// than a socket takes.
    struct Echo;

    const HUGE_BYTES: usize = 24 << 20;

    impl Service for Echo {
        type Later = ();

        fn overlaps(&self, _: &Bytes) -> bool {
            false
        }

        async fn begin(&mut self, _: Bytes) -> Result<(), &'static str> {
            unreachable!("nothing overlaps")
        }

        async fn finish(&mut self, (): &mut (), _: &mut Output) -> Verdict {
            unreachable!("nothing overlaps")
        }

        fn cost(&self, frame: &Bytes) -> usize {
            frame.len()
        }

        async fn call(&mut self, frame: Bytes, reply: &mut Output) -> Verdict {
            match &frame[..frame.len().min(4)] {
                b"bad" => return Verdict::Close("it was bad"),
                b"slow" => tokio::task::yield_now().await,
                b"park" => std::future::pending().await,
                b"huge" => reply.buf().put_bytes(0, HUGE_BYTES),
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
        pair_on(&Budget::new(1 << 20)).await
    }

    async fn pair_on(budget: &Budget) -> (TcpStream, Connection) {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let client = TcpStream::connect(listener.local_addr().unwrap()).await.unwrap();
        let (stream, _) = listener.accept().await.unwrap();
        (client, Connection::new(stream, limits(), budget, Rc::default()).unwrap())
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

    /// Sets every frame but `alone` going before it answers one; `log` holds what happened.
    #[derive(Default)]
    struct Overlap {
        log: Vec<String>,
        /// Before each answer.
        takes: Duration,
        /// Dropped when the first request begins.
        stop: Option<tokio::sync::oneshot::Sender<()>>,
    }

    impl Service for Overlap {
        fn cost(&self, frame: &Bytes) -> usize {
            frame.len()
        }

        type Later = Bytes;

        fn overlaps(&self, frame: &Bytes) -> bool {
            **frame != *b"alone"
        }

        async fn begin(&mut self, frame: Bytes) -> Result<Bytes, &'static str> {
            if *frame == *b"bad" {
                return Err("it was bad");
            }
            self.log.push(format!("begin {}", String::from_utf8_lossy(&frame)));
            self.stop = None;
            Ok(frame)
        }

        async fn finish(&mut self, frame: &mut Bytes, reply: &mut Output) -> Verdict {
            tokio::time::sleep(self.takes).await;
            self.log.push(format!("finish {}", String::from_utf8_lossy(frame)));
            Echo.call(frame.clone(), reply).await
        }

        async fn call(&mut self, frame: Bytes, reply: &mut Output) -> Verdict {
            self.log.push("alone".to_owned());
            Echo.call(frame, reply).await
        }
    }

    /// Sends `frames` in one piece; gives back the answers, what happened, and how it ended.
    async fn overlap(frames: &[&[u8]]) -> (Vec<u8>, String, Closed) {
        let (mut client, connection) = pair().await;
        client.write_all(&frames.iter().flat_map(|body| frame(body)).collect::<Vec<_>>()).await.unwrap();
        client.shutdown().await.unwrap();
        let mut service = Overlap::default();
        let closed = connection.run(&mut service, std::future::pending()).await;
        let mut answer = Vec::new();
        client.read_to_end(&mut answer).await.unwrap();
        (answer, service.log.join(", "), closed)
    }

    #[tokio::test]
    async fn requests_that_overlap_all_begin_before_the_first_is_answered_and_others_wait_for_them() {
        let (answer, log, closed) = overlap(&[b"a", b"b", b"alone", b"c"]).await;
        assert_eq!(log, "begin a, begin b, finish a, finish b, alone, begin c, finish c");
        assert_eq!(answer, [frame(b"a"), frame(b"b"), frame(b"alone"), frame(b"c")].concat());
        assert!(matches!(closed, Closed::ByPeer));
    }

    #[tokio::test]
    async fn a_refused_request_lets_those_under_way_be_answered() {
        let (answer, log, closed) = overlap(&[b"a", b"bad", b"b"]).await;
        assert_eq!((answer, log.as_str()), (frame(b"a"), "begin a, finish a"));
        assert!(matches!(closed, Closed::BadInput(_)));
    }

    #[tokio::test]
    async fn a_bounded_number_of_requests_is_under_way() {
        let frames = vec![&b"x"[..]; UNDER_WAY_MAX + 1];
        let (answer, log, _) = overlap(&frames).await;
        assert_eq!(answer, frame(b"x").repeat(frames.len()));
        let begun_at_first = log.split(", ").take_while(|entry| entry.starts_with("begin")).count();
        assert_eq!(begun_at_first, UNDER_WAY_MAX);
    }

    #[tokio::test(start_paused = true)]
    async fn what_is_under_way_is_answered_past_the_stop() {
        let (mut client, connection) = pair().await;
        client.write_all(&[frame(b"a"), frame(b"b")].concat()).await.unwrap();
        let (stop, stopped) = tokio::sync::oneshot::channel::<()>();
        let mut service = Overlap { takes: LAST_ANSWER / 2, stop: Some(stop), ..Overlap::default() };
        let closed = connection.run(&mut service, async { drop(stopped.await) }).await;
        let mut answer = Vec::new();
        client.read_to_end(&mut answer).await.unwrap();
        assert_eq!(answer, [frame(b"a"), frame(b"b")].concat());
        assert!(matches!(closed, Closed::Stopping));
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
    async fn stopping_ends_a_connection_that_waits_for_bytes_for_an_answer_or_for_its_client() {
        for sent in [&b""[..], b"park", b"huge"] {
            let (mut client, connection) = pair_on(&Budget::new(HUGE_BYTES)).await;
            if !sent.is_empty() {
                client.write_all(&frame(sent)).await.unwrap();
            }
            let stop = async {
                if sent == b"huge" {
                    client.readable().await.unwrap();
                }
            };
            assert!(matches!(connection.run(&mut Echo, stop).await, Closed::Stopping));
        }
    }

    /// Waits until `budget` has so many bytes charged.
    async fn charged(budget: &Budget, bytes: std::ops::Range<usize>) {
        while !bytes.contains(&budget.used()) {
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
    }

    #[tokio::test]
    async fn a_request_is_charged_until_it_is_answered_and_its_buffer_until_it_is_given_back() {
        const BYTES: usize = 300 << 10;
        let budget = Budget::new(1 << 20);
        let (mut client, connection) = pair_on(&budget).await;
        let body = [&b"slow"[..], &vec![7; BYTES]].concat();
        let talk = async {
            client.write_all(&frame(&body)[..BYTES / 2]).await.unwrap();
            charged(&budget, BYTES / 2 - FREE_BYTES..BYTES).await;
            client.write_all(&frame(&body)[BYTES / 2..]).await.unwrap();
            let mut answer = vec![0; 4 + body.len()];
            client.read_exact(&mut answer).await.unwrap();
            charged(&budget, 0..1).await;
            client.write_all(&frame(&[&b"park"[..], &vec![7; BYTES]].concat())).await.unwrap();
            charged(&budget, BYTES - FREE_BYTES..BYTES + 1).await;
        };
        assert!(matches!(connection.run(&mut Echo, talk).await, Closed::Stopping));
        assert_eq!(budget.used(), 0);
    }

    #[tokio::test(start_paused = true)]
    async fn a_client_that_stands_still_is_closed_while_memory_is_short_and_only_then() {
        for (limit, stalled) in [(HUGE_BYTES / 4, true), (HUGE_BYTES * 2 / 3, true), (2 * HUGE_BYTES, false)] {
            let (mut client, connection) = pair_on(&Budget::new(limit)).await;
            client.write_all(&frame(b"huge")).await.unwrap();
            let closed = connection.run(&mut Echo, std::future::pending()).await;
            assert!(
                matches!((&closed, stalled), (Closed::Stalled, true) | (Closed::Idle, false)),
                "{closed:?}, {limit}"
            );
        }
        for (limit, stalled) in [(10 << 10, true), (100 << 10, false)] {
            let (mut client, connection) = pair_on(&Budget::new(limit)).await;
            client.write_all(&(1i32 << 20).to_be_bytes()).await.unwrap();
            client.write_all(&vec![7; 50 << 10]).await.unwrap();
            let closed = connection.run(&mut Echo, std::future::pending()).await;
            assert!(
                matches!((&closed, stalled), (Closed::Stalled, true) | (Closed::Idle, false)),
                "{closed:?}, {limit}"
            );
        }
    }
}
