//! From an accepted socket to a connection on the shard with the fewest.

use std::net::SocketAddr;
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};

use tokio::net::TcpStream;
use tokio::sync::mpsc;

use crate::api::{Context, Dispatch};
use crate::net::connection::Limits;
use crate::net::{Budget, Closed, Connection, Peer};
use crate::replication::Images;
use crate::shard::Local;
use crate::shutdown::Shutdown;

/// Fresh sockets that may wait for one shard; the acceptor waits beyond that.
const SOCKETS_WAITING_MAX: usize = 256;

/// A socket on its way to a shard.
pub struct Accepted {
    stream: std::net::TcpStream,
    address: SocketAddr,
    listener: usize,
    listener_name: Arc<str>,
}

/// Connections in service, by shard, and the way to each shard.
pub struct Connections {
    shards: Vec<(AtomicUsize, mpsc::Sender<Accepted>)>,
    images: Images,
    /// Turned away, by listener.
    refused: Vec<AtomicU64>,
}

impl Connections {
    /// For `shards` shards; each of the receivers goes to one shard's [`Server::run`].
    pub fn new(shards: usize, listeners: usize, images: Images) -> (Self, Vec<mpsc::Receiver<Accepted>>) {
        let (senders, receivers): (Vec<_>, Vec<_>) = (0..shards).map(|_| mpsc::channel(SOCKETS_WAITING_MAX)).unzip();
        let shards = senders.into_iter().map(|sender| (AtomicUsize::new(0), sender)).collect();
        let refused = (0..listeners).map(|_| AtomicU64::new(0)).collect();
        (Self { shards, images, refused }, receivers)
    }

    /// Connections of `listener` that were turned away.
    pub fn refused(&self, listener: usize) -> u64 {
        self.refused[listener].load(Ordering::Relaxed)
    }

    pub fn count(&self) -> usize {
        self.shards.iter().map(|(count, _)| count.load(Ordering::Relaxed)).sum()
    }

    /// Hands a fresh socket to the shard with the fewest connections, when that one takes it; drops it where there are
    /// too many.
    pub async fn hand_on(&self, stream: TcpStream, address: SocketAddr, listener: usize, listener_name: Arc<str>) {
        let max = self.images.current().broker_number("max.connections");
        if self.count() as i64 >= max {
            self.refused[listener].fetch_add(1, Ordering::Relaxed);
            tracing::warn!(%address, max, "a connection was turned away: max.connections is reached");
            return;
        }
        let fewest = self.shards.iter().min_by_key(|(count, _)| count.load(Ordering::Relaxed));
        let (Some((count, sender)), Ok(stream)) = (fewest, stream.into_std()) else { return };
        // Fails where the shard has ended: so does the broker.
        let Ok(place) = sender.reserve().await else { return };
        count.fetch_add(1, Ordering::Relaxed);
        place.send(Accepted { stream, address, listener, listener_name });
    }

    fn closed(&self, shard: usize) {
        self.shards[shard].0.fetch_sub(1, Ordering::Relaxed);
    }
}

/// What a shard needs to serve connections; made on its thread.
pub struct Server {
    pub context: Rc<Context>,
    pub limits: Limits,
    pub budget: Budget,
    pub shutdown: Shutdown,
    pub connections: Arc<Connections>,
}

impl Server {
    /// Serves every socket that comes, each in a task of its own.
    pub async fn run(self, mut sockets: mpsc::Receiver<Accepted>) {
        let server = Rc::new(self);
        while let Some(accepted) = sockets.recv().await {
            tokio::task::spawn_local(serve(server.clone(), accepted));
        }
    }
}

async fn serve(server: Rc<Server>, accepted: Accepted) {
    let Accepted { stream, address, listener, listener_name } = accepted;
    let local: &Local = &server.context.shards;
    let traffic = {
        let mut state = local.state();
        state.counters.listener(listener).opened += 1;
        state.counters.traffic(listener)
    };
    let opened = TcpStream::from_std(stream)
        .and_then(|stream| Connection::new(stream, server.limits.clone(), &server.budget, traffic));
    let closed = match opened {
        Ok(connection) => {
            let mut dispatch = Dispatch::new(server.context.clone(), Peer { address, listener: listener_name });
            connection.run(&mut dispatch, server.shutdown.requested()).await
        }
        Err(error) => Closed::Failed(error),
    };
    let mut state = local.state();
    state.counters.listener(listener).closed += 1;
    match closed {
        Closed::BadInput(reason) => {
            state.counters.plain.frames_refused += 1;
            tracing::warn!(%address, reason, "a connection was closed for what it sent");
        }
        Closed::Stalled => {
            state.counters.listener(listener).expired += 1;
            tracing::warn!(%address, "a connection was closed: memory is short, and it held on to its share");
        }
        Closed::Idle => state.counters.listener(listener).expired += 1,
        Closed::Failed(error) => tracing::debug!(%address, %error, "a connection failed"),
        Closed::ByPeer | Closed::Stopping => {}
    }
    server.connections.closed(local.index());
}
