//! Listening sockets: bound once at start, accepting until told to stop.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;

use socket2::{Domain, Protocol, Socket, Type};
use tokio::net::{TcpListener, TcpStream, lookup_host};

/// Connections that the kernel may hold before we accept them.
const BACKLOG: i32 = 1024;

/// A bound listener and the name clients' listener has in the configuration.
pub struct Binding {
    pub name: Arc<str>,
    pub address: SocketAddr,
    socket: TcpListener,
}

impl Binding {
    /// Binds `host:port`. An empty host is every address; port 0 asks the kernel for one.
    ///
    /// Fails as the operating system says: in use, not permitted, no such address.
    pub async fn bind(name: &str, host: &str, port: u16) -> io::Result<Self> {
        let host = if host.is_empty() { "0.0.0.0" } else { host };
        let address = lookup_host((host, port))
            .await?
            .next()
            .ok_or_else(|| io::Error::new(io::ErrorKind::AddrNotAvailable, format!("{host} has no address")))?;
        let socket = Socket::new(Domain::for_address(address), Type::STREAM, Some(Protocol::TCP))?;
        socket.set_reuse_address(true)?;
        socket.set_nonblocking(true)?;
        socket.bind(&address.into())?;
        socket.listen(BACKLOG)?;
        let socket = TcpListener::from_std(socket.into())?;
        Ok(Self { name: name.into(), address: socket.local_addr()?, socket })
    }
}

/// Accepts on one binding and hands each connection on.
pub struct Acceptor {
    binding: Binding,
}

impl Acceptor {
    pub fn new(binding: Binding) -> Self {
        Self { binding }
    }

    /// Accepts until `stop` completes, no faster than `hand_on` takes them. Running out of descriptors slows accepting
    /// down; it never ends it.
    pub async fn run<F: Future<Output = ()>>(
        self,
        stop: impl Future<Output = ()>,
        hand_on: impl Fn(TcpStream, SocketAddr, Arc<str>) -> F,
    ) {
        let accept = async {
            loop {
                match self.binding.socket.accept().await {
                    Ok((stream, peer)) => hand_on(stream, peer, self.binding.name.clone()).await,
                    Err(error) => {
                        tracing::warn!(listener = %self.binding.name, %error, "cannot accept a connection");
                        tokio::time::sleep(std::time::Duration::from_millis(50)).await;
                    }
                }
            }
        };
        tokio::select! {
            biased;
            () = stop => {}
            () = accept => {}
        }
    }
}
