//! A broker in a process of its own, that can be killed.

use std::fs::File;
use std::io::{Read as _, Write as _};
use std::net::{SocketAddr, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use rustix::process::{Resource, Rlimit};
use socket2::{Domain, Socket, Type};

/// A start takes milliseconds; a recovery under load may take longer.
const START: Duration = Duration::from_secs(30);

/// One broker with `serve`, on ports that stay the same over its lives and are nobody else's.
pub struct Process {
    dir: PathBuf,
    port: Port,
    http_port: Port,
    /// Words for a shell, run before the broker in its process.
    limits: String,
    child: Option<Child>,
}

impl Process {
    /// Prepares a broker with its data below `dir`; `settings` are lines of its properties file, over the usual ones.
    pub fn new(dir: &Path, settings: &str) -> Self {
        let (port, http_port) = (Port::reserve(), Port::reserve());
        let text = format!(
            "node.id=1\nprocess.roles=broker,controller\ncontroller.listener.names=CONTROLLER\n\
             listeners=PLAINTEXT://127.0.0.1:{},CONTROLLER://127.0.0.1:0\n\
             controller.quorum.voters=1@127.0.0.1:0\nlog.dirs={}\noffsets.topic.replication.factor=1\n\
             group.initial.rebalance.delay.ms=0\nmilena.http.listener=127.0.0.1:{}\n{settings}\n",
            port.number,
            dir.join("data").display(),
            http_port.number,
        );
        std::fs::write(dir.join("server.properties"), text).expect("write the properties");
        Self { dir: dir.to_owned(), port, http_port, limits: String::new(), child: None }
    }

    /// Makes it another node than 1.
    pub fn node(self, id: i32) -> Self {
        let path = self.dir.join("server.properties");
        let text = std::fs::read_to_string(&path).expect("read the properties");
        let text =
            text.replace("node.id=1\n", &format!("node.id={id}\n")).replace("voters=1@", &format!("voters={id}@"));
        std::fs::write(&path, text).expect("write the properties");
        self
    }

    /// Has a shell run `limits`, such as a `ulimit`, before each start.
    pub fn limited(mut self, limits: &str) -> Self {
        limits.clone_into(&mut self.limits);
        self
    }

    pub fn address(&self) -> SocketAddr {
        ([127, 0, 0, 1], self.port.number).into()
    }

    /// Where it serves HTTP.
    pub fn http(&self) -> SocketAddr {
        ([127, 0, 0, 1], self.http_port.number).into()
    }

    /// Starts it and waits until it accepts connections.
    pub fn start(&mut self) {
        self.spawn();
        self.await_ready();
    }

    /// Starts it, and waits for nothing.
    pub fn spawn(&mut self) {
        let binary = std::env::var("MILENA_BROKER").unwrap_or_else(|_| env!("CARGO_BIN_EXE_milena-broker").to_owned());
        let log = File::options().create(true).append(true).open(self.dir.join("server.log")).expect("open the log");
        let mut command = Command::new(&binary);
        if !self.limits.is_empty() {
            command = Command::new("sh");
            command.arg("-c").arg(format!("{}; exec \"$0\" \"$@\"", self.limits)).arg(&binary);
        }
        let child = command
            .arg("serve")
            .arg("--config")
            .arg(self.dir.join("server.properties"))
            .stdout(log.try_clone().expect("one log for both"))
            .stderr(log)
            .stdin(Stdio::null())
            .spawn()
            .expect("start the broker");
        self.child = Some(child);
    }

    /// Waits until it accepts connections.
    pub fn await_ready(&mut self) {
        let deadline = Instant::now() + START;
        while TcpStream::connect(self.address()).is_err() {
            let ended = self.child.as_mut().and_then(|child| child.try_wait().expect("ask for the process"));
            assert!(ended.is_none() && Instant::now() < deadline, "the broker does not start: {}", self.log());
            std::thread::sleep(Duration::from_millis(2));
        }
    }

    /// kill -9.
    pub fn kill(&mut self) {
        let mut child = self.child.take().expect("it runs");
        child.kill().expect("kill the broker");
        child.wait().expect("wait for its end");
    }

    /// Ends it in order; gives its exit code.
    pub fn stop(&mut self) -> Option<i32> {
        self.signal(rustix::process::Signal::TERM);
        self.ended()
    }

    pub fn signal(&self, signal: rustix::process::Signal) {
        let child = self.child.as_ref().expect("it runs");
        rustix::process::kill_process(rustix::process::Pid::from_child(child), signal).expect("signal it");
    }

    /// Waits until it has ended; gives its exit code.
    pub fn ended(&mut self) -> Option<i32> {
        let mut child = self.child.take().expect("it runs");
        let deadline = Instant::now() + START;
        loop {
            match child.try_wait().expect("ask for the process") {
                Some(status) => return status.code(),
                None if Instant::now() > deadline => {
                    let _ = child.kill();
                    let _ = child.wait();
                    panic!("the broker does not end: {}", self.log());
                }
                None => std::thread::sleep(Duration::from_millis(2)),
            }
        }
    }

    /// Lets it write no file beyond so many bytes from now on, `None` for as it likes. Needs `trap '' XFSZ` before the start.
    pub fn limit_file_bytes(&self, most: Option<u64>) {
        let pid = rustix::process::Pid::from_child(self.child.as_ref().expect("it runs"));
        let limit = Rlimit { current: most, maximum: None };
        rustix::process::prlimit(Some(pid), Resource::Fsize, limit).expect("limit its files");
    }

    pub fn is_running(&mut self) -> bool {
        self.child.as_mut().is_some_and(|child| child.try_wait().expect("ask for the process").is_none())
    }

    /// Memory that its heap and stacks take now, bytes; what is mapped from files, its own code for one, not counted.
    pub fn memory_bytes(&self) -> u64 {
        let pid = self.child.as_ref().expect("it runs").id();
        let status = std::fs::read_to_string(format!("/proc/{pid}/status")).expect("read its status");
        let line = status.lines().find_map(|line| line.strip_prefix("RssAnon:")).expect("a process has memory");
        line.trim().trim_end_matches(" kB").trim().parse::<u64>().expect("a number of kB") * 1024
    }

    /// The sum of a metric over its labels, those with all of `labels` in them.
    pub fn metric(&self, name: &str, labels: &[&str]) -> f64 {
        let mut stream = TcpStream::connect(self.http()).expect("metrics are served");
        let request = "GET /metrics HTTP/1.1\r\nHost: test\r\nConnection: close\r\n\r\n";
        stream.write_all(request.as_bytes()).expect("ask for metrics");
        let mut page = String::new();
        stream.read_to_string(&mut page).expect("read metrics");
        let ours = |line: &&str| {
            line.strip_prefix(name).is_some_and(|rest| rest.starts_with(['{', ' ']))
                && labels.iter().all(|label| line.contains(label))
        };
        let values: Vec<f64> = page
            .lines()
            .filter(ours)
            .map(|line| line.rsplit(' ').next().unwrap_or_default().parse().expect("a metric is a number"))
            .collect();
        assert!(!values.is_empty(), "{name} {labels:?} is among the metrics");
        values.iter().sum()
    }

    /// Lines of its log that hold `text`.
    pub fn log_lines(&self, text: &str) -> usize {
        self.log().lines().filter(|line| line.contains(text)).count()
    }

    /// What it has logged.
    pub fn log(&self) -> String {
        std::fs::read_to_string(self.dir.join("server.log")).unwrap_or_default()
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        if let Some(mut child) = self.child.take() {
            let _ = child.kill();
            let _ = child.wait();
        }
    }
}

/// A port of 127.0.0.1 that nobody else who asks for a free one gets until this is dropped; a broker may listen on it and
/// leave it as often as it likes meanwhile.
///
/// The system never gives it to a client for its own end, either: one that tries a port which may become that meets itself
/// sooner or later, while the broker is down.
struct Port {
    number: u16,
    _held: Socket,
}

impl Port {
    fn reserve() -> Self {
        let range = std::fs::read_to_string("/proc/sys/net/ipv4/ip_local_port_range").unwrap_or_default();
        let lowest = range.split_whitespace().next().and_then(|port| port.parse().ok()).unwrap_or(32_768u16);
        let ports = if lowest > 20_000 { lowest - 10_000..lowest } else { 10_000..lowest.max(20_000) };
        (0..1000).find_map(|_| Self::hold(rand::random_range(ports.clone()))).expect("a port is free")
    }

    /// Binds it so that no other socket may be there, and then lets those join that ask for it by SO_REUSEADDR, as a broker
    /// does: whoever else reserves does not.
    fn hold(number: u16) -> Option<Self> {
        let held = Socket::new(Domain::IPV4, Type::STREAM, None).expect("a socket");
        held.bind(&SocketAddr::from(([127, 0, 0, 1], number)).into()).ok()?;
        held.set_reuse_address(true).expect("share the port");
        Some(Self { number, _held: held })
    }
}
