//! One registered broker.

use model::NodeId;

use crate::ids::{DirectoryId, IncarnationId};
use crate::record::{BrokerRegisteredRecord, Endpoint};

/// A broker as it introduced itself, and its standing.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct BrokerImage {
    pub id: NodeId,
    /// Which registration of this id it is.
    pub epoch: i64,
    pub incarnation: IncarnationId,
    pub endpoints: Vec<Endpoint>,
    pub rack: Option<String>,
    pub directories: Vec<DirectoryId>,
    /// Leads nothing, and is not shown in Metadata.
    pub fenced: bool,
    pub shutting_down: bool,
}

impl BrokerImage {
    pub(crate) fn of(record: &BrokerRegisteredRecord) -> Self {
        Self {
            id: record.id,
            epoch: record.epoch,
            incarnation: record.incarnation,
            endpoints: record.endpoints.clone(),
            rack: record.rack.clone(),
            directories: record.directories.clone(),
            fenced: record.fenced,
            shutting_down: record.shutting_down,
        }
    }

    pub(crate) fn to_record(&self) -> BrokerRegisteredRecord {
        BrokerRegisteredRecord {
            id: self.id,
            epoch: self.epoch,
            incarnation: self.incarnation,
            endpoints: self.endpoints.clone(),
            rack: self.rack.clone(),
            directories: self.directories.clone(),
            fenced: self.fenced,
            shutting_down: self.shutting_down,
        }
    }

    /// Where the broker listens under the listener's name, in any case.
    pub fn endpoint(&self, listener: &str) -> Option<&Endpoint> {
        self.endpoints.iter().find(|endpoint| endpoint.listener.eq_ignore_ascii_case(listener))
    }

    /// Whether it may lead and be in sync.
    pub fn is_active(&self) -> bool {
        !self.fenced && !self.shutting_down
    }
}
