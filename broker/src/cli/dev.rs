//! `dev`: a broker for one machine without a file: data in a folder beside, plaintext on loopback, three commands to try.

use std::fmt::Write as _;
use std::path::PathBuf;

use anyhow::{Context as _, bail, ensure};

use super::Running;
use super::signals::Signals;
use crate::config::{Config, Machine, Place, Properties};
use crate::telemetry::logging::{self, Loggers};

#[derive(Debug, clap::Args)]
pub struct Args {
    /// How many brokers
    #[arg(long, value_name = "N", default_value_t = 1)]
    brokers: u16,
    /// Where the data goes; a second start finds it again
    #[arg(long, value_name = "DIR", default_value = "./milena-data")]
    data_dir: PathBuf,
    /// The port for clients
    #[arg(long, default_value_t = 9092)]
    port: u16,
    /// Create a topic unless it exists; may be given several times
    #[arg(long = "topic", value_name = "NAME[:PARTITIONS[:RF]]", value_parser = parse_topic)]
    topics: Vec<Topic>,
    /// Set a property as in server.properties; may be given several times
    #[arg(long = "set", value_name = "KEY=VALUE", value_parser = super::parse_set)]
    set: Vec<(String, String)>,
}

/// The argument of `--topic`.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Topic {
    name: String,
    partitions: Option<i32>,
    replication_factor: Option<i16>,
}

pub fn run<N: Running>(args: &Args, start: impl FnOnce(Config, Loggers) -> anyhow::Result<N>) -> anyhow::Result<()> {
    let config = config(args, &Machine::detect())?;
    let loggers = logging::init(config.log_format, &format!("warn,{}=info", logging::PROGRESS_TARGET))?;
    let signals = Signals::listen()?;
    let told = (config.logs.dirs.clone(), config.http.clone());
    let mut node = start(config, loggers)?;
    if let Err(error) = create_topics(&node, &args.topics) {
        // What was wrong with the topic is the news; a failed stop would only hide it.
        let _ = node.stop();
        return Err(error);
    }
    let http = told.1.map(|http| http.to_string());
    super::say(&greeting(&node.bootstrap(), &told.0, http.as_deref(), &args.topics));
    node.on_failure(signals.ender());
    signals.wait();
    node.stop()?;
    super::say("stopped; the data is kept\n");
    Ok(())
}

/// What a broker alone on a machine needs, under whatever `--set` says.
fn config(args: &Args, machine: &Machine) -> anyhow::Result<Config> {
    if args.brokers != 1 {
        bail!("--brokers {}: several brokers come in a later issue, for now it must be 1", args.brokers);
    }
    let data_dir = args.data_dir.to_str().context("--data-dir must be UTF-8 text")?;
    ensure!(!data_dir.contains(','), "--data-dir {data_dir}: a comma would separate two directories");
    let listener = format!("PLAINTEXT://127.0.0.1:{}", args.port);
    let mut properties = Properties::default();
    for (key, value) in [
        ("node.id", "1"),
        ("listeners", listener.as_str()),
        ("log.dirs", data_dir),
        ("milena.http.listener", "127.0.0.1:9404"),
        ("offsets.topic.replication.factor", "1"),
        // Nobody waits three seconds for a second consumer on a developer's machine.
        ("group.initial.rebalance.delay.ms", "0"),
    ] {
        properties.set(key, value, Place::Preset);
    }
    for (key, value) in &args.set {
        properties.set(key, value, Place::CommandLine);
    }
    Ok(Config::parse(&properties, machine)?)
}

fn create_topics<N: Running>(node: &N, topics: &[Topic]) -> anyhow::Result<()> {
    topics.iter().try_for_each(|topic| {
        node.create_topic(&topic.name, topic.partitions, topic.replication_factor)
            .with_context(|| format!("create topic {}", topic.name))
    })
}

fn greeting(bootstrap: &str, dirs: &[PathBuf], http: Option<&str>, topics: &[Topic]) -> String {
    let dirs: Vec<String> = dirs.iter().map(|dir| dir.display().to_string()).collect();
    let topic = topics.first().map_or("greetings", |topic| topic.name.as_str());
    let mut text = format!("Milena {} is ready.\n\n", env!("CARGO_PKG_VERSION"));
    let _ = writeln!(text, "  bootstrap  {bootstrap}");
    let _ = writeln!(text, "  data       {} (kept: the next start finds it)", dirs.join(", "));
    if let Some(http) = http {
        let _ = writeln!(text, "  metrics    http://{http}/metrics");
    }
    let _ = write!(
        text,
        "\nTry in another terminal:\n\n  \
         echo hello | kcat -b {bootstrap} -t {topic} -P\n  \
         kcat -b {bootstrap} -t {topic} -C -o beginning -e\n  \
         kafka-console-consumer.sh --bootstrap-server {bootstrap} --topic {topic} --from-beginning\n\n\
         Ctrl-C stops it.\n"
    );
    text
}

/// Reads `NAME[:PARTITIONS[:RF]]`; names are checked as Kafka checks them.
fn parse_topic(text: &str) -> Result<Topic, String> {
    let mut parts = text.split(':');
    let name = parts.next().unwrap_or_default();
    let legal = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '_' | '-');
    if name.is_empty() || name.len() > 249 || name == "." || name == ".." || !name.chars().all(legal) {
        return Err("a name is 1 to 249 of a-z, A-Z, 0-9, '.', '_' and '-', and not . or ..".to_owned());
    }
    let partitions = parts.next().map(str::parse::<i32>);
    let replication_factor = parts.next().map(str::parse::<i16>);
    let shape = "write NAME, NAME:PARTITIONS or NAME:PARTITIONS:RF, with numbers of at least 1";
    let (Ok(partitions), Ok(replication_factor)) = (partitions.transpose(), replication_factor.transpose()) else {
        return Err(shape.to_owned());
    };
    if parts.next().is_some() || partitions.is_some_and(|n| n < 1) || replication_factor.is_some_and(|n| n < 1) {
        return Err(shape.to_owned());
    }
    Ok(Topic { name: name.to_owned(), partitions, replication_factor })
}

#[cfg(test)]
mod tests {
    use std::cell::RefCell;

    use super::*;

    fn topic(name: &str, partitions: Option<i32>, replication_factor: Option<i16>) -> Topic {
        Topic { name: name.to_owned(), partitions, replication_factor }
    }

    fn args() -> Args {
        Args { brokers: 1, data_dir: PathBuf::from("./milena-data"), port: 9092, topics: vec![], set: vec![] }
    }

    fn machine() -> Machine {
        Machine { hostname: || panic!("a name nobody needs was asked for"), cores: 2 }
    }

    #[test]
    fn topics_are_a_name_with_two_optional_numbers() {
        assert_eq!(parse_topic("a"), Ok(topic("a", None, None)));
        assert_eq!(parse_topic("a.b_c-d:6"), Ok(topic("a.b_c-d", Some(6), None)));
        assert_eq!(parse_topic("a:6:1"), Ok(topic("a", Some(6), Some(1))));
        for bad in ["", ":1", ".", "..", "a b", "a/b", "a:0", "a:x", "a:1:0", "a:1:1:1", "a:", "a:1:"] {
            assert!(parse_topic(bad).is_err(), "{bad}");
        }
        assert!(parse_topic(&"a".repeat(249)).is_ok());
        assert!(parse_topic(&"a".repeat(250)).is_err());
    }

    #[test]
    fn the_presets_make_a_valid_configuration_without_a_warning() {
        let config = config(&args(), &machine()).unwrap();
        assert_eq!(config.warnings, []);
        let listener = &config.listeners.broker[0];
        assert_eq!(listener.advertised.as_ref().unwrap().to_string(), "127.0.0.1:9092");
        assert_eq!(config.logs.dirs, [PathBuf::from("./milena-data")]);
        assert_eq!((config.offsets.replication_factor, config.groups.initial_rebalance_delay_ms), (1, 0));
        assert_eq!(config.http.unwrap().to_string(), "127.0.0.1:9404");
    }

    #[test]
    fn set_goes_over_the_presets() {
        let set = vec![("num.io.threads".to_owned(), "1".to_owned()), ("node.id".to_owned(), "9".to_owned())];
        let config = config(&Args { port: 0, set, ..args() }, &machine()).unwrap();
        assert_eq!((config.threads.shards, config.node.id.0, config.listeners.broker[0].bind.port), (1, 9, 0));
    }

    #[test]
    fn several_brokers_are_refused_for_now() {
        let told = config(&Args { brokers: 3, ..args() }, &machine()).unwrap_err().to_string();
        assert_eq!(told, "--brokers 3: several brokers come in a later issue, for now it must be 1");
        let commas = Args { data_dir: PathBuf::from("a,b"), ..args() };
        assert!(config(&commas, &machine()).unwrap_err().to_string().contains("a comma"));
    }

    #[test]
    fn the_greeting_has_the_bootstrap_line_and_three_commands_of_the_first_topic() {
        let dirs = [PathBuf::from("./milena-data")];
        let text = greeting("127.0.0.1:9092", &dirs, Some("127.0.0.1:9404"), &[topic("orders", None, None)]);
        assert!(text.contains("bootstrap  127.0.0.1:9092\n"));
        assert!(text.contains("data       ./milena-data (kept"));
        assert!(text.contains("http://127.0.0.1:9404/metrics"));
        assert_eq!(text.matches("orders").count(), 3);
        assert!(!greeting("h:1", &dirs, None, &[]).contains("metrics"));
    }

    struct Fake {
        created: RefCell<Vec<String>>,
    }

    impl Running for Fake {
        fn bootstrap(&self) -> String {
            "h:1".to_owned()
        }

        fn create_topic(&self, name: &str, partitions: Option<i32>, _: Option<i16>) -> anyhow::Result<()> {
            ensure!(partitions != Some(13), "too many partitions");
            self.created.borrow_mut().push(name.to_owned());
            Ok(())
        }

        fn on_failure(&mut self, _: impl FnOnce() + Send + 'static) {}

        fn stop(self) -> anyhow::Result<()> {
            Ok(())
        }
    }

    #[test]
    fn topics_are_created_in_order_and_a_refused_one_is_named() {
        let fake = Fake { created: RefCell::default() };
        let told = create_topics(&fake, &[topic("a", None, None), topic("b", Some(13), None)]).unwrap_err();
        assert_eq!(format!("{told:#}"), "create topic b: too many partitions");
        assert_eq!(*fake.created.borrow(), ["a"]);
    }
}
