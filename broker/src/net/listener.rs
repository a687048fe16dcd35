//! Listening sockets: bound once at start, accepting until told to stop.

use std::io;
use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr};
use std::sync::Arc;

use rustix::io::Errno;
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
    /// Binds `host:port`, as [`listen`] does.
    pub async fn bind(name: &str, host: &str, port: u16) -> io::Result<Self> {
        let socket = listen(host, port).await?;
        Ok(Self { name: name.into(), address: socket.local_addr()?, socket })
    }
}

/// Listens on `host:port`. An empty host is every address, of IPv6 and of IPv4; port 0 asks the kernel for one.
///
/// Fails as the operating system says: in use, not permitted, no such address.
pub async fn listen(host: &str, port: u16) -> io::Result<TcpListener> {
    if host.is_empty() {
        return match open((Ipv6Addr::UNSPECIFIED, port).into()) {
            Err(error) if is_without_ipv6(&error) => open((Ipv4Addr::UNSPECIFIED, port).into()),
            other => other,
        };
    }
    let address = lookup_host((host, port))
        .await?
        .next()
        .ok_or_else(|| io::Error::new(io::ErrorKind::AddrNotAvailable, format!("{host} has no address")))?;
    open(address)
}

fn open(address: SocketAddr) -> io::Result<TcpListener> {
    let socket = Socket::new(Domain::for_address(address), Type::STREAM, Some(Protocol::TCP))?;
    if address.is_ipv6() {
        socket.set_only_v6(false)?;
    }
    socket.set_reuse_address(true)?;
    socket.set_nonblocking(true)?;
    socket.bind(&address.into())?;
    socket.listen(BACKLOG)?;
    TcpListener::from_std(socket.into())
}

/// Whether the kernel was built without IPv6, or has it switched off.
fn is_without_ipv6(error: &io::Error) -> bool {
    error.raw_os_error() == Some(Errno::AFNOSUPPORT.raw_os_error()) || error.kind() == io::ErrorKind::AddrNotAvailable
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
                    Ok((stream, peer)) => {
                        // A client that came over IPv4 has such an address, whatever the socket is.
                        let peer = SocketAddr::new(peer.ip().to_canonical(), peer.port());
                        hand_on(stream, peer, self.binding.name.clone()).await;
                    }
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

#[cfg(test)]
mod tests {
    use std::net::IpAddr;

    use tokio::sync::mpsc;

    use super::*;

    #[tokio::test]
    async fn a_listener_without_a_host_takes_ipv6_and_ipv4_each_by_its_own_address() {
        let binding = Binding::bind("PLAINTEXT", "", 0).await.unwrap();
        let port = binding.address.port();
        let (seen, mut peers) = mpsc::unbounded_channel();
        tokio::spawn(Acceptor::new(binding).run(std::future::pending(), move |_, peer: SocketAddr, _| {
            seen.send(peer.ip()).unwrap();
            std::future::ready(())
        }));
        let mut loopbacks: Vec<IpAddr> = vec![Ipv4Addr::LOCALHOST.into()];
        if open((Ipv6Addr::LOCALHOST, 0).into()).is_ok() {
            loopbacks.push(Ipv6Addr::LOCALHOST.into());
        }
        for ip in loopbacks {
            let _client = TcpStream::connect((ip, port)).await.unwrap();
            assert_eq!(peers.recv().await, Some(ip));
        }
    }

    #[test]
    fn a_machine_without_ipv6_is_told_from_a_port_in_use() {
        let says = |errno: Errno| is_without_ipv6(&errno.into());
        assert!(says(Errno::AFNOSUPPORT) && says(Errno::ADDRNOTAVAIL));
        assert!(!says(Errno::ADDRINUSE) && !says(Errno::ACCESS));
    }
}
