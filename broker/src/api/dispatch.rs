//! From a frame to the handler named after its API, and back to a frame.

use std::rc::Rc;

use bytes::{Buf, BufMut, Bytes};
use wire::{ApiKey, Reader, Request, Writer};

use super::context::Context;
use super::fetch_session::Sessions;
use super::versions;
use crate::net::{Output, Peer, Service, Verdict};

/// What the requests of one connection share.
pub struct Connection {
    pub peer: Peer,
    /// The client's id in the request at hand.
    pub client_id: wire::Str,
    /// Fetch sessions: state of the connection, see [`super::fetch_session`].
    pub sessions: Sessions,
}

/// Answers the requests of one connection.
pub struct Dispatch {
    context: Rc<Context>,
    connection: Connection,
}

/// The head of a request, as far as needed to know what it is.
struct Head {
    key: ApiKey,
    version: i16,
    correlation_id: i32,
}

impl Dispatch {
    pub fn new(context: Rc<Context>, peer: Peer) -> Self {
        Self { context, connection: Connection { peer, client_id: wire::Str::default(), sessions: Sessions::default() } }
    }

    /// Reads key, version and correlation id: the same eight bytes in every header version.
    fn head(frame: &Bytes) -> Result<(Head, bool), &'static str> {
        let Some(head) = frame.first_chunk::<8>() else { return Err("a request is shorter than its header") };
        let number = i16::from_be_bytes([head[0], head[1]]);
        let version = i16::from_be_bytes([head[2], head[3]]);
        let correlation_id = i32::from_be_bytes([head[4], head[5], head[6], head[7]]);
        let Some(key) = ApiKey::from_code(number).filter(|key| versions::served(*key).is_some()) else {
            return Err("a request has an unknown API key");
        };
        let known = versions::served(key).is_some_and(|served| served.accepts(version));
        if !known && key != ApiKey::ApiVersions {
            return Err("a request has a version that this API does not serve");
        }
        Ok((Head { key, version, correlation_id }, known))
    }
}
