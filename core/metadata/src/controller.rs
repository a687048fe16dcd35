//! Stand-in.
use crate::configs::DescribedConfig;
use crate::*;
use model::{LeaderEpoch, NodeId, ProducerId, TimestampMs, TopicId};
use std::ops::Range;
#[derive(Debug)]
pub struct Decision<R> {
    pub records: Vec<Record>,
    pub reply: R,
}
#[derive(Clone, Copy, Debug)]
pub struct Moment {
    pub now: TimestampMs,
    pub seed: u64,
}
pub struct Controller {
    image: Image,
}
#[derive(Clone, Debug, Default)]
pub struct NewTopic {
    pub name: String,
    pub partitions: Option<i32>,
    pub replication_factor: Option<i16>,
    pub assignments: Vec<(i32, Vec<NodeId>)>,
    pub configs: Vec<(String, Option<String>)>,
}
#[derive(Clone, Debug)]
pub struct CreatedTopic {
    pub id: TopicId,
    pub name: String,
    pub partitions: i32,
    pub replication_factor: i16,
    pub configs: Vec<DescribedConfig>,
}
#[derive(Clone, Debug)]
pub struct Registration {
    pub id: NodeId,
    pub incarnation: IncarnationId,
    pub endpoints: Vec<Endpoint>,
    pub rack: Option<String>,
    pub directories: Vec<DirectoryId>,
    pub clean_stop: bool,
}
impl Controller {
    pub fn new(image: Image) -> Self {
        Self { image }
    }
    pub fn image(&self) -> &Image {
        &self.image
    }
    pub fn apply(&mut self, records: &[Record]) -> Result<Step, ReplayError> {
        let mut d = Delta::new(&self.image);
        for r in records {
            d.replay(r)?;
        }
        let s = d.finish();
        self.image = s.next.clone();
        Ok(s)
    }
    pub fn bootstrap(&self, id: &str) -> Result<Decision<()>, CommandError> {
        Ok(Decision {
            records: if self.image.cluster_id().is_none() {
                vec![Record::Cluster(ClusterRecord { cluster_id: id.to_owned() })]
            } else {
                vec![]
            },
            reply: (),
        })
    }
    pub fn register_broker(&self, r: Registration) -> Result<Decision<i64>, CommandError> {
        let epoch = self.image.next_broker_epoch();
        let mut records = vec![Record::BrokerRegistered(BrokerRegisteredRecord {
            id: r.id,
            epoch,
            incarnation: r.incarnation,
            endpoints: r.endpoints,
            rack: r.rack,
            directories: r.directories,
            fenced: true,
            shutting_down: false,
        })];
        if !r.clean_stop {
            records.push(Record::LeadersRestarted(LeadersRestartedRecord { broker: r.id }));
        }
        Ok(Decision { records, reply: epoch })
    }
    pub fn unfence_broker(&self, id: NodeId, epoch: i64) -> Result<Decision<()>, CommandError> {
        Ok(Decision {
            records: vec![Record::BrokerChanged(BrokerChangedRecord {
                id,
                epoch,
                fenced: Some(false),
                shutting_down: None,
            })],
            reply: (),
        })
    }
    pub fn create_topics(&self, topics: Vec<NewTopic>, m: Moment) -> Decision<Vec<Result<CreatedTopic, CommandError>>> {
        let mut records = vec![];
        let mut reply = vec![];
        for (i, t) in topics.into_iter().enumerate() {
            if self.image.topic_by_name(&t.name).is_some() {
                reply.push(Err(CommandError::TopicAlreadyExists(format!("Topic '{}' already exists.", t.name))));
                continue;
            }
            let mut b = [0u8; 16];
            b[..8].copy_from_slice(&(m.seed.wrapping_add(i as u64).wrapping_mul(0x9e3779b97f4a7c15)).to_be_bytes());
            b[8..].copy_from_slice(&m.seed.to_be_bytes());
            let id = TopicId::from_random(b);
            records.push(Record::Topic(TopicRecord { id, name: t.name.clone() }));
            let n = t.partitions.filter(|n| *n > 0).unwrap_or(1);
            for index in 0..n {
                records.push(Record::Partition(PartitionRecord {
                    topic: id,
                    index,
                    replicas: vec![self.image.node()],
                    isr: vec![],
                    elr: vec![],
                    directories: vec![],
                    leader: Some(self.image.node()),
                    leader_epoch: LeaderEpoch(0),
                    partition_epoch: 0,
                }));
            }
            for (name, value) in t.configs {
                records.push(Record::Config(ConfigRecord {
                    resource: ConfigResource::Topic(t.name.clone()),
                    name,
                    value,
                }));
            }
            reply.push(Ok(CreatedTopic { id, name: t.name, partitions: n, replication_factor: 1, configs: vec![] }));
        }
        Decision { records, reply }
    }
    pub fn allocate_producer_ids(
        &self,
        broker: NodeId,
        _epoch: i64,
    ) -> Result<Decision<Range<ProducerId>>, CommandError> {
        let start = self.image.next_producer_id();
        let end = ProducerId(start.0 + 1000);
        Ok(Decision { records: vec![Record::ProducerIds(ProducerIdsRecord { broker, next: end })], reply: start..end })
    }
}
