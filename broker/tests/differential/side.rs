//! One of the two brokers: asks it, and keeps what it answered.

use std::fmt::Debug;
use std::marker::PhantomData;
use std::net::SocketAddr;

use bytes::BytesMut;
use wire::messages::api_versions::ApiVersionsRequest;
use wire::messages::create_topics::{CreatableTopic, CreatableTopicConfig, CreateTopicsRequest};
use wire::messages::list_offsets::{ListOffsetsPartition, ListOffsetsRequest, ListOffsetsTopic};
use wire::messages::metadata::{MetadataRequest, MetadataRequestTopic};
use wire::{ApiKey, Message, Request, Writer};

use super::answer::{Lines, flatten};
use super::labels::Labels;
use super::support::Client;

/// The versions that both brokers serve: lowest and highest.
pub type Served = std::collections::BTreeMap<i16, (i16, i16)>;

/// What one step was answered.
pub struct Heard {
    /// Scenario, step and version.
    pub step: String,
    pub version: i16,
    pub lines: Lines,
}

/// A broker under comparison, with a connection to it.
pub struct Side {
    address: SocketAddr,
    served: Served,
    /// Before the name of everything that a scenario creates.
    run: String,
    scenario: &'static str,
    now_ms: i64,
    client: Client,
    labels: Labels,
    heard: Vec<Heard>,
}

/// A request that waits for its answer on a connection of its own.
pub struct Parked<R> {
    client: Client,
    step: String,
    version: i16,
    request: PhantomData<R>,
}

/// What an answer must be able to do to be compared.
pub trait Answer: Message + Debug + Default {}
impl<T: Message + Debug + Default> Answer for T {}

impl Side {
    pub fn new(address: SocketAddr, served: &Served, now_ms: i64, run: &str, scenario: &'static str) -> Self {
        Self {
            address,
            served: served.clone(),
            run: run.to_owned(),
            scenario,
            now_ms,
            client: connect(address),
            labels: Labels::new(),
            heard: Vec::new(),
        }
    }

    /// `name` as this scenario and run alone use it.
    pub fn name(&self, name: &str) -> String {
        format!("{}-{}-{name}", self.run, self.scenario)
    }

    /// How many answers are kept so far.
    pub fn kept(&self) -> usize {
        self.heard.len()
    }

    /// When the run began, in milliseconds: the same on both sides.
    pub fn now_ms(&self) -> i64 {
        self.now_ms
    }

    /// How the names begin that this scenario and run alone use.
    pub fn run(&self) -> String {
        self.name("")
    }

    pub fn served(&self) -> Served {
        self.served.clone()
    }

    pub fn max_version(&self, key: ApiKey) -> i16 {
        self.served.get(&key.code()).expect("both serve it").1
    }

    /// Sends `request` in one version, where that can carry it, and keeps the answer. A connection that ends is one, too.
    pub fn ask<R: Request<Response: Answer>>(&mut self, step: &str, version: i16, request: &R) -> R::Response {
        self.ask_tidied(step, version, request, |_| {})
    }

    /// The same, with the answer put into an order or shortened first.
    pub fn ask_tidied<R: Request<Response: Answer>>(
        &mut self,
        step: &str,
        version: i16,
        request: &R,
        tidy: impl Fn(&mut R::Response),
    ) -> R::Response {
        if !can_carry(request, version) {
            return R::Response::default();
        }
        let answer = self.client.call(version, request);
        self.hear(step, version, answer, tidy)
    }

    /// Sends a request in each version that both brokers serve and that can carry it.
    pub fn every<R: Request<Response: Answer>>(&mut self, step: &str, request: impl Fn(i16) -> R) {
        self.every_tidied(step, request, |_| {});
    }

    pub fn every_tidied<R: Request<Response: Answer>>(
        &mut self,
        step: &str,
        request: impl Fn(i16) -> R,
        tidy: impl Fn(&mut R::Response),
    ) {
        for version in self.versions::<R>() {
            self.ask_tidied(step, version, &request(version), &tidy);
        }
    }

    /// The versions that both serve.
    pub fn versions<R: Request>(&self) -> std::ops::RangeInclusive<i16> {
        let (min, max) = *self.served.get(&R::KEY.code()).expect("both serve it");
        min.max(*R::VERSIONS.start())..=max
    }

    /// Sends `request` in the newest version of both without keeping the answer: what comes next is compared.
    pub fn prepare<R: Request>(&mut self, request: &R) -> R::Response {
        let version = self.max_version(R::KEY);
        self.client.ask(version, request)
    }

    /// Sends `request` on a connection of its own and does not wait.
    pub fn park<R: Request>(&mut self, step: &str, version: i16, request: &R) -> Parked<R> {
        let mut client = connect(self.address);
        client.send(version, request).expect("a request can be sent");
        Parked { client, step: step.to_owned(), version, request: PhantomData }
    }

    /// Waits for the answer to a parked request and keeps it.
    pub fn unpark<R: Request<Response: Answer>>(&mut self, parked: Parked<R>) -> R::Response {
        self.unpark_tidied(parked, |_| {})
    }

    pub fn unpark_tidied<R: Request<Response: Answer>>(
        &mut self,
        mut parked: Parked<R>,
        tidy: impl Fn(&mut R::Response),
    ) -> R::Response {
        let answer = parked.client.answer::<R>(parked.version);
        self.hear(&parked.step, parked.version, answer, tidy)
    }

    /// Sends a request that has no answer; what is kept is whether the connection goes on.
    pub fn tell<R: Request>(&mut self, step: &str, version: i16, request: &R) {
        let ping = ApiVersionsRequest::default();
        let sent = self.client.tell(version, request);
        let alive = sent.is_ok() && self.client.call(0, &ping).is_ok();
        self.note(step, version, if alive { "open" } else { "closed" });
    }

    /// Sends a frame as it is; what is kept is whether it is answered, and how the answer begins.
    pub fn frame(&mut self, step: &str, frame: &[u8]) {
        let answered = self.client.send_frame(frame).and_then(|()| self.client.receive());
        let head = |frame: bytes::Bytes| format!("answered {:?}", &frame[..frame.len().min(6)]);
        self.note(step, -1, &answered.map_or("closed".to_owned(), head));
        self.client = connect(self.address);
    }

    /// Keeps a word instead of an answer; a closed connection is opened anew.
    pub fn note(&mut self, step: &str, version: i16, word: &str) {
        if word == "closed" {
            self.client = connect(self.address);
        }
        self.keep(step, version, vec![("connection".to_owned(), word.to_owned())]);
    }

    fn hear<T: Answer>(&mut self, step: &str, version: i16, answer: std::io::Result<T>, tidy: impl Fn(&mut T)) -> T {
        match answer {
            Ok(mut answer) => {
                tidy(&mut answer);
                let lines = self.labels.normalise(flatten(&answer));
                self.keep(step, version, lines);
                answer
            }
            Err(error) => {
                let closed = matches!(
                    error.kind(),
                    std::io::ErrorKind::UnexpectedEof
                        | std::io::ErrorKind::ConnectionReset
                        | std::io::ErrorKind::BrokenPipe
                );
                let word = if closed { "closed".to_owned() } else { format!("failed: {error}") };
                self.client = connect(self.address);
                self.note(step, version, &word);
                T::default()
            }
        }
    }

    fn keep(&mut self, step: &str, version: i16, lines: Lines) {
        self.heard.push(Heard { step: format!("{}: {step}", self.scenario), version, lines });
    }

    pub fn into_heard(self) -> Vec<Heard> {
        self.heard
    }

    /// Creates a topic of this scenario; gives its full name and its id.
    pub fn topic(&mut self, name: &str, partitions: i32, configs: &[(&str, &str)]) -> (String, [u8; 16]) {
        let name = self.name(name);
        let config = |(name, value): &(&str, &str)| CreatableTopicConfig {
            name: (*name).into(),
            value: Some((*value).into()),
            ..Default::default()
        };
        let topic = CreatableTopic {
            name: name.as_str().into(),
            num_partitions: partitions,
            replication_factor: 1,
            configs: configs.iter().map(config).collect(),
            ..Default::default()
        };
        let request = CreateTopicsRequest { topics: vec![topic], timeout_ms: 10_000, ..Default::default() };
        let created = self.prepare(&request).topics.remove(0);
        assert_eq!(created.error_code, 0, "{name}: {:?}", created.error_message);
        self.labels.name_topic(created.topic_id, &name);
        // Kafka answers before this broker leads the topic's partitions.
        let partition = |index| ListOffsetsPartition { partition_index: index, timestamp: -1, ..Default::default() };
        let partitions = (0..partitions).map(partition).collect();
        let wanted = ListOffsetsTopic { name: name.as_str().into(), partitions, ..Default::default() };
        let request = ListOffsetsRequest { replica_id: -1, topics: vec![wanted], ..Default::default() };
        let is_led = |side: &mut Self| {
            side.prepare(&request).topics[0].partitions.iter().all(|partition| partition.error_code == 0)
        };
        self.until("a topic has its leaders", is_led);
        (name, created.topic_id)
    }

    pub fn topic_id(&mut self, name: &str) -> [u8; 16] {
        let wanted = MetadataRequestTopic { name: Some(name.into()), ..Default::default() };
        self.prepare(&MetadataRequest { topics: Some(vec![wanted]), ..Default::default() }).topics.remove(0).topic_id
    }

    /// Asks again and again until `holds`.
    pub fn until(&mut self, what: &str, mut holds: impl FnMut(&mut Self) -> bool) {
        let deadline = std::time::Instant::now() + std::time::Duration::from_secs(20);
        while !holds(self) {
            assert!(std::time::Instant::now() < deadline, "{what}: never, at {}", self.address);
            std::thread::sleep(std::time::Duration::from_millis(5));
        }
    }
}

fn connect(address: SocketAddr) -> Client {
    Client::connect(address).expect("the broker accepts a connection")
}

fn can_carry<R: Request>(request: &R, version: i16) -> bool {
    let (mut buf, mut splices) = (BytesMut::new(), Vec::new());
    request.encode(&mut Writer::new(&mut buf, &mut splices), version).is_ok()
}
