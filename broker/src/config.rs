//! The node's configuration: Kafka's property names, parsed and validated once into plain structs.
//!
//! ```text
//!  file, --set ─> Properties ─> Reader ─> Config { sections…, statics, warnings }
//! ```
//!
//! Nothing else in the broker knows a property name, and nothing here opens a socket or a log. A key that nobody reads
//! becomes a [`Warning`], as unknown keys are not fatal in Kafka; a value out of range is an [`Error`].

mod cluster;
mod error;
mod groups;
mod listeners;
mod logs;
mod names;
mod network;
mod properties;
mod reader;

use std::collections::BTreeMap;
use std::fmt;
use std::path::Path;

pub use cluster::{Controller, Node, Replication};
pub use error::{Error, Warning};
pub use groups::{Groups, Offsets, Producers, Transactions};
pub use listeners::{Endpoint, Listener, Listeners};
pub use logs::{Logs, Topics};
pub use names::MILENA;
pub use network::{Fetch, Network, Threads};
pub use properties::{Entry, Place, Properties, SyntaxError};

use names::Unread;
use reader::Reader;

/// What the machine says about itself, so that parsing stays a function of its arguments.
#[derive(Clone, Copy, Debug)]
pub struct Machine {
    /// The name to advertise for a listener on every address. Asked only when there is one: resolving it may wait for
    /// a name server.
    pub hostname: fn() -> String,
    /// How many cores this process may use.
    pub cores: usize,
}

/// `milena.log.format`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum LogFormat {
    #[default]
    Text,
    Json,
}

/// A whole, valid configuration.
#[derive(Clone, PartialEq)]
pub struct Config {
    pub node: Node,
    pub listeners: Listeners,
    pub network: Network,
    pub threads: Threads,
    pub fetch: Fetch,
    pub logs: Logs,
    pub topics: Topics,
    pub groups: Groups,
    pub offsets: Offsets,
    pub transactions: Transactions,
    pub producers: Producers,
    pub controller: Controller,
    pub replication: Replication,
    /// `milena.http.listener`: where metrics and health are served; `None` (an empty value) serves neither.
    pub http: Option<Endpoint>,
    pub log_format: LogFormat,
    /// Every key of Kafka's that was written, with its text: what DescribeConfigs calls static broker configs, topic
    /// defaults among them. May hold secrets.
    pub statics: BTreeMap<String, String>,
    /// To be logged once at start.
    pub warnings: Vec<Warning>,
}

impl Machine {
    /// Asks the operating system.
    pub fn detect() -> Self {
        Self { hostname, cores: std::thread::available_parallelism().map_or(1, std::num::NonZero::get) }
    }
}

/// A host name that the system does not tell, or that does not resolve, becomes `localhost`.
fn hostname() -> String {
    let told = std::env::var("HOSTNAME").or_else(|_| std::fs::read_to_string("/proc/sys/kernel/hostname"));
    let name = told.unwrap_or_default().trim().to_owned();
    let resolves = !name.is_empty() && std::net::ToSocketAddrs::to_socket_addrs(&(name.as_str(), 0)).is_ok();
    if resolves { name } else { "localhost".to_owned() }
}

impl Config {
    /// Reads the file at `path`, sets `overrides` over it in their order, and validates the whole.
    pub fn load(path: &Path, overrides: &[(String, String)]) -> Result<Self, Error> {
        let bytes = std::fs::read(path).map_err(|cause| Error::Read { path: path.to_owned(), cause })?;
        let text = String::from_utf8(bytes).map_err(|_| Error::Syntax {
            path: path.to_owned(),
            cause: SyntaxError { line: 1, what: "the file is not UTF-8 text" },
        })?;
        let mut properties =
            Properties::parse(&text).map_err(|cause| Error::Syntax { path: path.to_owned(), cause })?;
        for (key, value) in overrides {
            properties.set(key, value, Place::CommandLine);
        }
        Self::parse(&properties, &Machine::detect())
    }

    /// Validates `properties`. The first thing found wrong is the error; everything odd is in [`Config::warnings`].
    pub fn parse(properties: &Properties, machine: &Machine) -> Result<Self, Error> {
        let mut reader = Reader::new(properties);
        let mut warnings = Vec::new();
        let node = Node::read(&mut reader)?;
        let listeners = Listeners::read(&mut reader, machine.hostname, &mut warnings)?;
        let controller = Controller::read(&mut reader, &node, &listeners, &mut warnings)?;
        let mut config = Self {
            node,
            listeners,
            controller,
            network: Network::read(&mut reader)?,
            threads: Threads::read(&mut reader, machine.cores)?,
            fetch: Fetch::read(&mut reader)?,
            logs: Logs::read(&mut reader)?,
            topics: Topics::read(&mut reader)?,
            groups: Groups::read(&mut reader)?,
            offsets: Offsets::read(&mut reader)?,
            transactions: Transactions::read(&mut reader)?,
            producers: Producers::read(&mut reader)?,
            replication: Replication::read(&mut reader)?,
            http: read_http(&mut reader)?,
            log_format: read_log_format(&mut reader)?,
            statics: BTreeMap::new(),
            warnings,
        };
        config.sort_out(properties, &reader);
        Ok(config)
    }

    /// Keeps what was written and tells of every key that changes nothing.
    fn sort_out(&mut self, properties: &Properties, reader: &Reader<'_>) {
        for (key, lost, held) in properties.repeated() {
            self.warnings.push(Warning::Repeated { key: key.clone(), lost: *lost, held: *held });
        }
        let idle: Vec<String> =
            names::IDLE.iter().filter(|key| properties.get(key).is_some()).map(|key| (*key).to_owned()).collect();
        if !idle.is_empty() {
            self.warnings.push(Warning::Idle { keys: idle });
        }
        for (key, entry) in properties.iter() {
            let owned = key.to_owned();
            let unread = (!reader.has_taken(key)).then(|| names::classify(key));
            if matches!(unread, None | Some(Unread::Kafka)) && !key.starts_with("milena.") {
                self.statics.insert(owned.clone(), entry.value.clone());
            }
            self.warnings.extend(unread.map(|unread| match unread {
                Unread::Kafka => Warning::WithoutMeaning { key: owned },
                Unread::Removed(why) => Warning::Removed { key: owned, why },
                Unread::Unknown { nearest, close } => {
                    Warning::Unknown { key: owned, place: entry.place, nearest, close }
                }
            }));
        }
    }
}

/// Leaves the values of `statics` out: passwords may be among them.
impl fmt::Debug for Config {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Config")
            .field("node", &self.node)
            .field("listeners", &self.listeners)
            .field("network", &self.network)
            .field("threads", &self.threads)
            .field("logs", &self.logs)
            .field("topics", &self.topics)
            .field("http", &self.http)
            .field("statics", &self.statics.keys())
            .finish_non_exhaustive()
    }
}

fn read_http(reader: &mut Reader<'_>) -> Result<Option<Endpoint>, Error> {
    const KEY: &str = "milena.http.listener";
    match reader.entry(KEY) {
        None => Ok(Some(Endpoint { host: "0.0.0.0".to_owned(), port: 9404 })),
        Some(entry) if entry.value.is_empty() => Ok(None),
        Some(entry) => match Endpoint::parse(&entry.value) {
            Some(endpoint) => Ok(Some(endpoint)),
            None => Err(reader.refuse(KEY, "host:port, or empty for no HTTP")),
        },
    }
}

fn read_log_format(reader: &mut Reader<'_>) -> Result<LogFormat, Error> {
    const KEY: &str = "milena.log.format";
    match reader.text(KEY) {
        None | Some("text") => Ok(LogFormat::Text),
        Some("json") => Ok(LogFormat::Json),
        Some(_) => Err(reader.refuse(KEY, "text or json")),
    }
}

#[cfg(test)]
mod tests;
