//! Listeners: where the node listens, what it advertises, and the security protocol behind each name.
//!
//! Names compare without case and are kept in capitals. Only PLAINTEXT is served so far.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::net::IpAddr;

use super::error::{Error, Warning};
use super::reader::Reader;

/// A host name or address, without brackets, and a port. An empty host stands for every address of the machine.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Endpoint {
    pub host: String,
    pub port: u16,
}

impl Endpoint {
    /// Reads `host:port`, `[v6]:port` or `:port`.
    pub fn parse(text: &str) -> Option<Self> {
        let (host, port) = text.rsplit_once(':')?;
        let host = match host.strip_prefix('[') {
            Some(rest) => rest.strip_suffix(']')?,
            // A bare v6 address would leave its end in the port.
            None if host.contains(':') => return None,
            None => host,
        };
        let legal = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '-' | '_' | ':' | '%');
        (host.chars().all(legal) && !port.starts_with('+')).then_some(())?;
        Some(Self { host: host.to_owned(), port: port.parse().ok()? })
    }

    fn is_unspecified(&self) -> bool {
        self.host.is_empty() || self.host.parse::<IpAddr>().is_ok_and(|address| address.is_unspecified())
    }
}

impl fmt::Display for Endpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.host.contains(':') {
            true => write!(f, "[{}]:{}", self.host, self.port),
            false => write!(f, "{}:{}", self.host, self.port),
        }
    }
}

/// One named listener of the node.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Listener {
    /// In capitals, as in `PLAINTEXT`.
    pub name: String,
    /// What to bind. Port 0 leaves the choice to the kernel.
    pub bind: Endpoint,
    /// What clients are told; `None` when `advertised.listeners` leaves this listener out. Port 0 here means
    /// "the port that was bound".
    pub advertised: Option<Endpoint>,
}

/// Every listener of the node.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Listeners {
    /// Those that speak the client protocol, in the order they were written; never empty.
    pub broker: Vec<Listener>,
    /// Those that `controller.listener.names` names. Not bound yet.
    pub controller: Vec<Listener>,
    /// The name of the listener that brokers use between themselves; one of `broker`.
    pub inter_broker: String,
}

const LISTENERS_SHAPE: &str = "NAME://host:port, several with commas, each name and port once";
const PROTOCOLS: [&str; 4] = ["PLAINTEXT", "SSL", "SASL_PLAINTEXT", "SASL_SSL"];

impl Listeners {
    /// `hostname` is asked for a name to advertise for a listener on every address when nothing else is said.
    pub(super) fn read(
        reader: &mut Reader<'_>,
        hostname: fn() -> String,
        warnings: &mut Vec<Warning>,
    ) -> Result<Self, Error> {
        let bound = match reader.text("listeners") {
            Some(text) => parse_listeners(text).filter(|bound| !bound.is_empty() && ports_differ(bound)),
            None => parse_listeners("PLAINTEXT://:9092"),
        };
        let bound = bound.ok_or_else(|| reader.refuse("listeners", LISTENERS_SHAPE))?;
        if let Some(twice) = repeated_name(&bound) {
            return Err(Error::Conflict(format!("listeners names {twice} twice: each name may stand once")));
        }
        let advertised = read_advertised(reader, &bound)?;
        let controller_names: BTreeSet<String> = reader
            .list("controller.listener.names")
            .map(|names| names.iter().map(|name| name.to_uppercase()).collect())
            .unwrap_or_default();
        if let Some(stray) = controller_names.iter().find(|name| bound.iter().all(|(bound, _)| bound != *name)) {
            return Err(Error::Conflict(format!("controller.listener.names names {stray}, which listeners does not")));
        }
        check_protocols(reader, &bound, &controller_names)?;

        let listener = |(name, bind): &(String, Endpoint)| {
            let advertised = match &advertised {
                Some(advertised) => advertised.get(name).cloned(),
                None if bind.host.is_empty() => Some(Endpoint { host: hostname(), port: bind.port }),
                None => Some(bind.clone()),
            };
            Listener { name: name.clone(), bind: bind.clone(), advertised }
        };
        let (controller, broker): (Vec<Listener>, Vec<Listener>) =
            bound.iter().map(listener).partition(|listener| controller_names.contains(&listener.name));
        if broker.is_empty() {
            return Err(Error::Conflict(
                "listeners holds only controller listeners: at least one must serve clients".to_owned(),
            ));
        }
        if let Some(listener) = broker.iter().find(|l| l.advertised.as_ref().is_some_and(Endpoint::is_unspecified)) {
            return Err(Error::Conflict(format!(
                "listener {} would advertise {}, where no client can connect: set advertised.listeners",
                listener.name, listener.bind
            )));
        }
        let inter_broker = read_inter_broker(reader, &broker)?;
        if let Some(first) = controller.first() {
            warnings.push(Warning::Note(format!(
                "listener {} is accepted but not bound: controllers on other nodes come in a later issue",
                first.name
            )));
        }
        Ok(Self { broker, controller, inter_broker })
    }
}

fn parse_listeners(text: &str) -> Option<Vec<(String, Endpoint)>> {
    text.split(',').map(str::trim).map(parse_listener).collect()
}

fn parse_listener(text: &str) -> Option<(String, Endpoint)> {
    let (name, endpoint) = text.split_once("://")?;
    let legal = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '-' | '.');
    (!name.is_empty() && name.chars().all(legal)).then_some(())?;
    Some((name.to_uppercase(), Endpoint::parse(endpoint)?))
}

fn repeated_name(listeners: &[(String, Endpoint)]) -> Option<&str> {
    let mut seen = BTreeSet::new();
    listeners.iter().map(|(name, _)| name.as_str()).find(|name| !seen.insert(*name))
}

/// A port may stand twice only for one v4 and one v6 address, as in Kafka; port 0 is never the same port.
fn ports_differ(listeners: &[(String, Endpoint)]) -> bool {
    let family = |endpoint: &Endpoint| endpoint.host.parse::<IpAddr>().ok().map(|address| address.is_ipv6());
    listeners.iter().enumerate().all(|(index, (_, one))| {
        listeners[index + 1..].iter().all(|(_, other)| {
            let families_differ = matches!((family(one), family(other)), (Some(a), Some(b)) if a != b);
            one.port != other.port || one.port == 0 || families_differ
        })
    })
}

fn read_advertised(
    reader: &mut Reader<'_>,
    bound: &[(String, Endpoint)],
) -> Result<Option<BTreeMap<String, Endpoint>>, Error> {
    const KEY: &str = "advertised.listeners";
    let Some(text) = reader.text(KEY) else { return Ok(None) };
    let advertised =
        parse_listeners(text).ok_or_else(|| reader.refuse(KEY, "NAME://host:port, several with commas"))?;
    if let Some(twice) = repeated_name(&advertised) {
        return Err(Error::Conflict(format!("{KEY} names {twice} twice: each name may stand once")));
    }
    for (name, endpoint) in &advertised {
        if bound.iter().all(|(bound, _)| bound != name) {
            return Err(Error::Conflict(format!("{KEY} names {name}, which listeners does not")));
        }
        if endpoint.is_unspecified() {
            return Err(reader.refuse(KEY, format!("addresses that clients can connect to, and {name}'s is not one")));
        }
    }
    Ok(Some(advertised.into_iter().collect()))
}

/// Looks up the protocol of every bound listener and refuses what is not served.
fn check_protocols(
    reader: &mut Reader<'_>,
    bound: &[(String, Endpoint)],
    controller_names: &BTreeSet<String>,
) -> Result<(), Error> {
    const KEY: &str = "listener.security.protocol.map";
    let written = reader.list(KEY);
    let mut protocols: BTreeMap<String, &str> = BTreeMap::new();
    for pair in written.iter().flatten() {
        let known = pair.split_once(':').and_then(|(name, protocol)| {
            let protocol = PROTOCOLS.iter().find(|known| known.eq_ignore_ascii_case(protocol.trim()))?;
            Some((name.trim().to_uppercase(), *protocol))
        });
        let (name, protocol) =
            known.ok_or_else(|| reader.refuse(KEY, format!("NAME:PROTOCOL pairs of {}", PROTOCOLS.join(", "))))?;
        protocols.insert(name, protocol);
    }
    if written.is_none() {
        protocols.extend(PROTOCOLS.iter().map(|protocol| ((*protocol).to_owned(), *protocol)));
        // As in Kafka, controller listeners need no entry while nobody wrote the map.
        for name in controller_names {
            protocols.entry(name.clone()).or_insert("PLAINTEXT");
        }
    }
    for (name, _) in bound {
        match protocols.get(name) {
            Some(&"PLAINTEXT") => {}
            Some(protocol) => {
                return Err(Error::Unsupported(format!(
                    "listener {name} asks for {protocol}: only PLAINTEXT is served so far, TLS and SASL come in a later issue"
                )));
            }
            None => {
                return Err(Error::Conflict(format!("listener {name} has no protocol: name it in {KEY}")));
            }
        }
    }
    Ok(())
}

fn read_inter_broker(reader: &mut Reader<'_>, broker: &[Listener]) -> Result<String, Error> {
    const NAME: &str = "inter.broker.listener.name";
    const PROTOCOL: &str = "security.inter.broker.protocol";
    let protocol = reader.text(PROTOCOL);
    if let Some(name) = reader.text(NAME) {
        if protocol.is_some() {
            return Err(Error::Conflict(format!("{NAME} and {PROTOCOL} exclude each other: set one of them")));
        }
        let name = name.to_uppercase();
        let listener = broker.iter().find(|listener| listener.name == name);
        return match listener {
            Some(listener) if listener.advertised.is_some() => Ok(name),
            _ => Err(reader.refuse(NAME, "the name of an advertised listener that is not a controller listener")),
        };
    }
    match protocol {
        Some(other) if !PROTOCOLS.contains(&other) => Err(reader.refuse(PROTOCOL, "PLAINTEXT")),
        Some(other) if other != "PLAINTEXT" => Err(Error::Unsupported(format!(
            "{PROTOCOL}={other}: only PLAINTEXT is served so far, TLS and SASL come in a later issue"
        ))),
        // Kafka insists on a listener called PLAINTEXT here; a node that has only others uses its first.
        _ => Ok(broker.iter().find(|l| l.name == "PLAINTEXT").unwrap_or(&broker[0]).name.clone()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::properties::Properties;

    fn read(text: &str) -> Result<(Listeners, Vec<Warning>), String> {
        let properties = Properties::parse(text).unwrap();
        let mut warnings = Vec::new();
        let listeners = Listeners::read(&mut Reader::new(&properties), || "box".to_owned(), &mut warnings);
        listeners.map(|listeners| (listeners, warnings)).map_err(|error| error.to_string())
    }

    fn endpoint(host: &str, port: u16) -> Endpoint {
        Endpoint { host: host.to_owned(), port }
    }

    #[test]
    fn endpoints_have_a_host_and_a_port() {
        assert_eq!(Endpoint::parse("a.b-c_d:1"), Some(endpoint("a.b-c_d", 1)));
        assert_eq!(Endpoint::parse(":9092"), Some(endpoint("", 9092)));
        assert_eq!(Endpoint::parse("[::1]:9092"), Some(endpoint("::1", 9092)));
        assert_eq!(endpoint("::1", 9092).to_string(), "[::1]:9092");
        for bad in [
            "",
            "host",
            "host:",
            "host:x",
            "host:70000",
            "host:-1",
            "host:+1",
            "::1:9092",
            "[::1:9092",
            "a b:1",
            "a/b:1",
        ] {
            assert_eq!(Endpoint::parse(bad), None, "{bad}");
        }
    }

    #[test]
    fn without_a_word_the_node_listens_everywhere_and_advertises_its_host_name() {
        let (listeners, warnings) = read("").unwrap();
        let plaintext = Listener {
            name: "PLAINTEXT".to_owned(),
            bind: endpoint("", 9092),
            advertised: Some(endpoint("box", 9092)),
        };
        assert_eq!(listeners.broker, [plaintext]);
        assert_eq!((listeners.controller, listeners.inter_broker.as_str()), (vec![], "PLAINTEXT"));
        assert_eq!(warnings, []);
    }

    #[test]
    fn several_listeners_with_names_of_their_own() {
        let (listeners, warnings) = read(
            "listeners=internal://[::1]:9092, EXTERNAL://0.0.0.0:19092, CONTROLLER://:9093\n\
             advertised.listeners=internal://h:9092,EXTERNAL://broker.example.org:443\n\
             listener.security.protocol.map=INTERNAL:plaintext,EXTERNAL:PLAINTEXT,CONTROLLER:PLAINTEXT,SSL:SSL\n\
             controller.listener.names=CONTROLLER\ninter.broker.listener.name=Internal",
        )
        .unwrap();
        assert_eq!(listeners.broker.len(), 2);
        assert_eq!(listeners.broker[0].bind, endpoint("::1", 9092));
        assert_eq!(listeners.broker[1].advertised, Some(endpoint("broker.example.org", 443)));
        assert_eq!(listeners.controller[0].name, "CONTROLLER");
        assert_eq!(listeners.inter_broker, "INTERNAL");
        assert_eq!(warnings.len(), 1);
        assert!(warnings[0].to_string().contains("CONTROLLER is accepted but not bound"));
    }

    #[test]
    fn security_protocols_that_are_not_served_are_refused_only_where_used() {
        assert!(read("listener.security.protocol.map=PLAINTEXT:PLAINTEXT,OTHER:SASL_SSL").is_ok());
        let told = read("listeners=SSL://:9092").unwrap_err();
        assert!(told.starts_with("listener SSL asks for SSL: only PLAINTEXT"), "{told}");
        let told = read("listeners=A://:1\nlistener.security.protocol.map=A:SASL_PLAINTEXT").unwrap_err();
        assert!(told.contains("SASL_PLAINTEXT"), "{told}");
        let told = read("security.inter.broker.protocol=SASL_SSL").unwrap_err();
        assert!(told.contains("only PLAINTEXT is served so far"), "{told}");
    }

    #[test]
    fn what_cannot_work_is_refused() {
        for (text, part) in [
            ("listeners=nonsense", "listeners=nonsense (line 1): must be NAME://host:port"),
            ("listeners=,", "must be NAME://host:port"),
            ("listeners=A B://:1", "must be NAME://host:port"),
            ("listeners=PLAINTEXT://:9092,SSL://:9092", "each name and port once"),
            ("listeners=A://:1,a://:2", "listeners names A twice"),
            ("listeners=A://:1", "listener A has no protocol"),
            ("listeners=PLAINTEXT://0.0.0.0:9092", "where no client can connect"),
            ("listeners=PLAINTEXT://[::]:9092", "where no client can connect"),
            ("advertised.listeners=PLAINTEXT://0.0.0.0:1", "addresses that clients can connect to"),
            ("advertised.listeners=PLAINTEXT://:9092", "addresses that clients can connect to"),
            ("advertised.listeners=OTHER://h:1", "names OTHER, which listeners does not"),
            ("advertised.listeners=PLAINTEXT://h:1,PLAINTEXT://h:2", "names PLAINTEXT twice"),
            ("controller.listener.names=CONTROLLER", "names CONTROLLER, which listeners does not"),
            ("controller.listener.names=PLAINTEXT", "only controller listeners"),
            ("inter.broker.listener.name=NONE", "must be the name of an advertised listener"),
            ("inter.broker.listener.name=PLAINTEXT\nsecurity.inter.broker.protocol=PLAINTEXT", "exclude each other"),
            ("listener.security.protocol.map=PLAINTEXT", "NAME:PROTOCOL pairs"),
            ("listener.security.protocol.map=PLAINTEXT:PLAIN", "NAME:PROTOCOL pairs"),
        ] {
            let told = read(text).expect_err(text);
            assert!(told.contains(part), "{text:?} told {told:?}");
        }
    }

    #[test]
    fn one_port_may_serve_a_v4_and_a_v6_address() {
        let map = "listener.security.protocol.map=A:PLAINTEXT,B:PLAINTEXT";
        assert!(read(&format!("listeners=A://127.0.0.1:1,B://[::1]:1\n{map}")).is_ok());
        assert!(read(&format!("listeners=A://127.0.0.1:0,B://127.0.0.1:0\n{map}")).is_ok());
        assert!(read(&format!("listeners=A://127.0.0.1:1,B://127.0.0.2:1\n{map}")).is_err());
    }
}
