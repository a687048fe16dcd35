//! What stands before every request and response.

use crate::error::DecodeError;
use crate::reader::Reader;
use crate::string::Str;
use crate::tags::Tags;
use crate::writer::Writer;

/// A request's header, versions 1 and 2.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct RequestHeader {
    pub api_key: i16,
    pub api_version: i16,
    pub correlation_id: i32,
    pub client_id: Option<Str>,
    pub unknown_tags: Tags,
}

impl RequestHeader {
    /// Reads a header of `header_version` 1 or 2. The client's id never takes the compact form.
    pub fn decode(r: &mut Reader, header_version: i16) -> Result<Self, DecodeError> {
        Ok(Self {
            api_key: r.i16()?,
            api_version: r.i16()?,
            correlation_id: r.i32()?,
            client_id: r.string_opt(false)?,
            unknown_tags: if header_version >= 2 { r.tags(|_, _| Ok(false))? } else { Tags::default() },
        })
    }

    pub fn encode(&self, w: &mut Writer<'_>, header_version: i16) {
        w.i16(self.api_key);
        w.i16(self.api_version);
        w.i32(self.correlation_id);
        match &self.client_id {
            Some(id) => w.string(id, false),
            None => w.null_string(false),
        }
        if header_version >= 2 {
            w.unknown_tags(&self.unknown_tags);
        }
    }
}

/// A response's header, versions 0 and 1.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ResponseHeader {
    pub correlation_id: i32,
    pub unknown_tags: Tags,
}

impl ResponseHeader {
    pub fn decode(r: &mut Reader, header_version: i16) -> Result<Self, DecodeError> {
        Ok(Self {
            correlation_id: r.i32()?,
            unknown_tags: if header_version >= 1 { r.tags(|_, _| Ok(false))? } else { Tags::default() },
        })
    }

    pub fn encode(&self, w: &mut Writer<'_>, header_version: i16) {
        w.i32(self.correlation_id);
        if header_version >= 1 {
            w.unknown_tags(&self.unknown_tags);
        }
    }
}
