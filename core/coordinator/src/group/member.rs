//! One member of a classic group.

use std::sync::Arc;

use bytes::Bytes;

use crate::message::{JoinRequest, Ticket};
use crate::stored::StoredMember;

/// A member, with the requests it has parked here.
#[derive(Debug, Clone)]
pub(crate) struct Member {
    pub id: Arc<str>,
    pub group_instance_id: Option<String>,
    pub client_id: String,
    pub client_host: String,
    pub rebalance_timeout_ms: i32,
    pub session_timeout_ms: i32,
    /// In order of preference.
    pub protocols: Vec<(String, Bytes)>,
    pub assignment: Bytes,
    /// Changed through [`super::Group`] only, which counts them.
    pub(super) awaiting_join: Option<Ticket>,
    pub awaiting_sync: Option<Ticket>,
    /// Has not been in a generation yet: its parked join does not keep it alive, as nobody may be there any more.
    pub is_new: bool,
}

impl Member {
    pub fn new(id: Arc<str>, request: &JoinRequest) -> Self {
        Self {
            id,
            group_instance_id: request.group_instance_id.clone(),
            client_id: request.client_id.clone(),
            client_host: request.client_host.clone(),
            rebalance_timeout_ms: rebalance_timeout(request.rebalance_timeout_ms, request.session_timeout_ms),
            session_timeout_ms: request.session_timeout_ms,
            protocols: copied(&request.protocols),
            assignment: Bytes::new(),
            awaiting_join: None,
            awaiting_sync: None,
            is_new: true,
        }
    }

    /// A member as the log has it: of its protocols only the selected one is known.
    pub fn stored(stored: &StoredMember, protocol: Option<&str>) -> Self {
        Self {
            id: Arc::from(stored.member_id.as_str()),
            group_instance_id: stored.group_instance_id.clone(),
            client_id: stored.client_id.clone(),
            client_host: stored.client_host.clone(),
            rebalance_timeout_ms: rebalance_timeout(stored.rebalance_timeout_ms, stored.session_timeout_ms),
            session_timeout_ms: stored.session_timeout_ms,
            protocols: protocol.map(|name| (name.to_owned(), stored.subscription.clone())).into_iter().collect(),
            assignment: stored.assignment.clone(),
            awaiting_join: None,
            awaiting_sync: None,
            is_new: false,
        }
    }

    pub fn to_stored(&self, protocol: Option<&str>, assignment: Bytes) -> StoredMember {
        StoredMember {
            member_id: self.id.to_string(),
            group_instance_id: self.group_instance_id.clone(),
            client_id: self.client_id.clone(),
            client_host: self.client_host.clone(),
            rebalance_timeout_ms: self.rebalance_timeout_ms,
            session_timeout_ms: self.session_timeout_ms,
            subscription: self.metadata(protocol),
            assignment,
        }
    }

    pub fn is_static(&self) -> bool {
        self.group_instance_id.is_some()
    }

    pub fn awaits_join(&self) -> bool {
        self.awaiting_join.is_some()
    }

    /// Whether a session that ends now may be forgiven: the member has a request parked here and cannot heartbeat.
    pub fn is_excused(&self) -> bool {
        !self.is_new && (self.awaiting_join.is_some() || self.awaiting_sync.is_some())
    }

    /// What the member said for `protocol`; empty when it does not speak it.
    pub fn metadata(&self, protocol: Option<&str>) -> Bytes {
        let found = protocol.and_then(|name| self.protocols.iter().find(|(n, _)| n == name));
        found.map(|(_, metadata)| metadata.clone()).unwrap_or_default()
    }
}

/// Protocol metadata in buffers of its own.
pub(super) fn copied(protocols: &[(String, Bytes)]) -> Vec<(String, Bytes)> {
    let mut kept: Vec<(String, Bytes)> = Vec::with_capacity(protocols.len());
    for (name, metadata) in protocols {
        // A name counts once: votes and support are counted by name.
        if !kept.iter().any(|(n, _)| n == name) {
            kept.push((name.clone(), Bytes::copy_from_slice(metadata)));
        }
    }
    kept
}

pub(super) fn rebalance_timeout(rebalance_ms: i32, session_ms: i32) -> i32 {
    if rebalance_ms < 0 { session_ms } else { rebalance_ms }
}
