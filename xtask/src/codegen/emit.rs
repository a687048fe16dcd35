//! Schemas to Rust text.

mod errors;

mod decode;

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;

use anyhow::{anyhow, bail};

use super::schema::{Field, Kind, Message, Type, Versions, snake};
use super::tables::ApiKey;

/// A struct to be written: its name in Rust, its fields, and the versions in which it can occur.
struct Struct<'a> {
    name: String,
    fields: &'a [Field],
    valid: Versions,
}

/// Requests that come by the thousand each second: they are decoded into the structs, and so the memory, of the one
/// before.
const DECODED_IN_PLACE: [&str; 2] = ["ProduceRequest", "FetchRequest"];

/// What the text of one message depends on.
struct Context<'a> {
    message: &'a Message,
    /// Schema name to Rust name, where both messages of an API use one name for different structs.
    renamed: BTreeMap<String, String>,
    /// Structs with error codes, see [`errors::structs`].
    with_errors: BTreeSet<String>,
}

/// A test on `version`, as far as it says anything within the versions that can occur.
enum When {
    Always,
    Never,
    If(String),
}

fn when(versions: Option<Versions>, valid: Versions) -> When {
    let Some(both) = versions.and_then(|versions| versions.intersect(valid)) else { return When::Never };
    match (both.low > valid.low, both.high < valid.high) {
        (false, false) => When::Always,
        (true, false) => When::If(format!("version >= {}", both.low)),
        (false, true) => When::If(format!("version <= {}", both.high)),
        (true, true) if both.low == both.high => When::If(format!("version == {}", both.low)),
        (true, true) => When::If(format!("({}..={}).contains(&version)", both.low, both.high)),
    }
}

/// The file of one API.
pub fn api(request: &Message, response: &Message, key: &ApiKey) -> anyhow::Result<String> {
    let mut out = format!("//! {} ({}), request and response.\n\n", key.message, key.code);
    out.push_str("use crate::prelude::*;\n\n");
    let names = |message: &Message| -> BTreeSet<String> { struct_names(&message.fields, &message.common) };
    let shared: BTreeSet<String> = names(request).intersection(&names(response)).cloned().collect();
    for message in [request, response] {
        let prefix = if message.kind == Kind::Request { "Request" } else { "Response" };
        let renamed = shared.iter().map(|name| (name.clone(), format!("{prefix}{name}"))).collect();
        write_message(&mut out, message, renamed)?;
    }
    write!(
        out,
        "impl Request for {name}Request {{\nconst KEY: ApiKey = ApiKey::{name};\ntype Response = {name}Response;\n}}\n",
        name = key.message
    )?;
    Ok(out)
}

/// The file of a record's key and value.
pub fn records(messages: &[&Message]) -> anyhow::Result<String> {
    let mut out = String::from("//! ");
    out.push_str(&messages.iter().map(|message| format!("`{}`", message.name)).collect::<Vec<_>>().join(" and "));
    out.push_str(".\n\nuse crate::prelude::*;\n\n");
    for message in messages {
        write_message(&mut out, message, BTreeMap::new())?;
        if let Some(record_type) = message.api_key {
            let what = if message.kind == Kind::Key { "and stands before the key in place of a version" } else { "" };
            writeln!(
                out,
                "impl {} {{\n/// The type of this record, which its key carries {what}.\npub const RECORD_TYPE: i16 = {record_type};\n}}\n",
                message.name
            )?;
        }
    }
    Ok(out)
}

fn struct_names(fields: &[Field], common: &[(String, Vec<Field>)]) -> BTreeSet<String> {
    let mut names = BTreeSet::new();
    for (name, fields) in common {
        names.insert(name.clone());
        names.extend(struct_names(fields, &[]));
    }
    for field in fields {
        names.extend(field.ty.struct_name().map(str::to_owned));
        names.extend(struct_names(&field.fields, &[]));
    }
    names
}

fn write_message(out: &mut String, message: &Message, renamed: BTreeMap<String, String>) -> anyhow::Result<()> {
    let valid = message.valid.ok_or_else(|| anyhow!("{} has no versions", message.name))?;
    let context = Context { message, renamed, with_errors: errors::structs(message) };
    let mut structs = Vec::new();
    structs.push(Struct { name: message.name.clone(), fields: &message.fields, valid });
    collect(&context, &message.fields, valid, &mut structs);
    for (name, fields) in &message.common {
        structs.push(Struct { name: context.rust_name(name), fields, valid });
        collect(&context, fields, valid, &mut structs);
    }
    for (at, one) in structs.iter().enumerate() {
        write_struct(out, &context, one)?;
        if at == 0 {
            let errors = context.errors_method(one.fields);
            writeln!(
                out,
                "impl Message for {name} {{\n\
                const VERSIONS: std::ops::RangeInclusive<i16> = {}..={};\n\
                fn decode(r: &mut Reader, version: i16) -> Result<Self, DecodeError> {{ Self::decode(r, version) }}\n\
                fn encode(&self, w: &mut Writer, version: i16) -> Result<(), EncodeError> {{ self.encode(w, version) }}\n{errors}}}\n",
                valid.low,
                valid.high,
                name = one.name
            )?;
        }
    }
    Ok(())
}

fn collect<'a>(context: &Context<'_>, fields: &'a [Field], valid: Versions, structs: &mut Vec<Struct<'a>>) {
    for field in fields {
        if let (Some(name), false) = (field.ty.struct_name(), field.fields.is_empty()) {
            let valid = field.versions.intersect(valid).unwrap_or(valid);
            structs.push(Struct { name: context.rust_name(name), fields: &field.fields, valid });
            collect(context, &field.fields, valid, structs);
        }
    }
}

impl Context<'_> {
    fn decoded_in_place(&self) -> bool {
        DECODED_IN_PLACE.contains(&self.message.name.as_str())
    }

    fn rust_name(&self, name: &str) -> String {
        self.renamed.get(name).cloned().unwrap_or_else(|| name.to_owned())
    }

    fn base(&self, ty: &Type) -> String {
        match ty {
            Type::Bool => "bool".into(),
            Type::Int8 => "i8".into(),
            Type::Int16 => "i16".into(),
            Type::Uint16 => "u16".into(),
            Type::Int32 => "i32".into(),
            Type::Int64 => "i64".into(),
            Type::Float64 => "f64".into(),
            Type::Uuid => "[u8; 16]".into(),
            Type::String => "Str".into(),
            Type::Bytes => "Bytes".into(),
            Type::Records => "Records".into(),
            Type::Struct(name) => self.rust_name(name),
            Type::Array(element) => format!("Vec<{}>", self.base(element)),
        }
    }

    fn is_option(field: &Field, valid: Versions) -> bool {
        !matches!(when(field.nullable, valid), When::Never)
    }

    fn rust_type(&self, field: &Field, valid: Versions) -> String {
        let base = self.base(&field.ty);
        if Self::is_option(field, valid) { format!("Option<{base}>") } else { base }
    }

    /// The least bytes that a value takes in any version.
    fn min_bytes(&self, ty: &Type, fields: &[Field], valid: Versions) -> usize {
        match ty {
            Type::Bool | Type::Int8 | Type::String | Type::Bytes | Type::Records | Type::Array(_) => 1,
            Type::Int16 | Type::Uint16 => 2,
            Type::Int32 => 4,
            Type::Int64 | Type::Float64 => 8,
            Type::Uuid => 16,
            Type::Struct(name) => {
                let common = self.message.common.iter().find(|(common, _)| common == name).map(|(_, fields)| fields);
                let fields = if fields.is_empty() { common.map_or(&[][..], Vec::as_slice) } else { fields };
                let always = fields.iter().filter(|field| field.tagged.is_none() && field.versions.covers(valid));
                let sum: usize = always
                    .map(|field| match (&field.ty, Self::is_option(field, valid)) {
                        (Type::Struct(_), true) => 1,
                        (ty, _) => self.min_bytes(ty, &field.fields, valid),
                    })
                    .sum();
                sum.max(1)
            }
        }
    }
}

/// A field's default as an expression.
fn default_of(field: &Field, option: bool) -> anyhow::Result<String> {
    let default = field.default.as_deref();
    if option {
        let null = default == Some("null") || (default.is_none() && field.ty == Type::Records);
        if null {
            return Ok("None".into());
        }
    }
    let value = match &field.ty {
        Type::Bool => default.unwrap_or("false").to_owned(),
        Type::Int8 | Type::Int16 | Type::Uint16 | Type::Int32 | Type::Int64 => {
            let text = default.filter(|text| !text.is_empty()).unwrap_or("0");
            match text {
                "9223372036854775807" => "i64::MAX".into(),
                "2147483647" => "i32::MAX".into(),
                other => other.to_owned(),
            }
        }
        Type::Float64 => format!("{}f64", default.filter(|text| !text.is_empty()).unwrap_or("0")),
        Type::Uuid => "[0; 16]".into(),
        Type::String => match default.filter(|text| !text.is_empty()) {
            Some(text) => format!("Str::from_static({text:?})"),
            None => "Str::default()".into(),
        },
        Type::Bytes => "Bytes::new()".into(),
        Type::Records => "Records::default()".into(),
        Type::Struct(_) => "Default::default()".into(),
        Type::Array(_) => "Vec::new()".into(),
    };
    Ok(if option { format!("Some({value})") } else { value })
}

/// Whether `place` holds something other than the field's default, as an expression.
fn is_set(field: &Field, option: bool, place: &str) -> anyhow::Result<String> {
    let default = default_of(field, option)?;
    Ok(match default.as_str() {
        "None" => format!("{place}.is_some()"),
        "false" => place.to_owned(),
        "true" => format!("!{place}"),
        "Str::default()" | "Bytes::new()" | "Vec::new()" | "Records::default()" => format!("!{place}.is_empty()"),
        "Some(Str::default())" | "Some(Bytes::new())" | "Some(Vec::new())" | "Some(Records::default())" => {
            format!("{place}.as_ref().is_none_or(|value| !value.is_empty())")
        }
        "Default::default()" => format!("{place} != {}::default()", field.ty.struct_name().unwrap_or_default()),
        other => format!("{place} != {other}"),
    })
}

/// Whether `derive(Default)` gives this default, too.
fn is_natural(default: &str) -> bool {
    matches!(
        default,
        "None"
            | "false"
            | "0"
            | "0f64"
            | "[0; 16]"
            | "Str::default()"
            | "Bytes::new()"
            | "Records::default()"
            | "Default::default()"
            | "Vec::new()"
    )
}

/// Whether `text` holds `word` by itself.
fn names(text: &str, word: &str) -> bool {
    let inside = |c: char| c.is_alphanumeric() || c == '_';
    text.match_indices(word).any(|(at, _)| {
        !text[..at].ends_with(inside) && !text[..at].ends_with('.') && !text[at + word.len()..].starts_with(inside)
    })
}

fn write_struct(out: &mut String, context: &Context<'_>, one: &Struct<'_>) -> anyhow::Result<()> {
    let valid = one.valid;
    let name = &one.name;
    let flexible = when(context.message.flexible, valid);
    let has_tags = !matches!(flexible, When::Never);

    let mut plain = true;
    for field in one.fields {
        plain &= is_natural(&default_of(field, Context::is_option(field, valid))?);
    }
    let derived = if plain { ", Default" } else { "" };
    writeln!(out, "#[derive(Clone, Debug, PartialEq{derived})]\npub struct {name} {{")?;
    for field in one.fields {
        writeln!(out, "pub {}: {},", snake(&field.name), context.rust_type(field, valid))?;
    }
    if has_tags {
        writeln!(out, "pub unknown_tags: Tags,")?;
    }
    writeln!(out, "}}\n")?;
    if !plain {
        writeln!(out, "impl Default for {name} {{\nfn default() -> Self {{\nSelf {{")?;
        for field in one.fields {
            writeln!(out, "{}: {},", snake(&field.name), default_of(field, Context::is_option(field, valid))?)?;
        }
        if has_tags {
            writeln!(out, "unknown_tags: Tags::default(),")?;
        }
        writeln!(out, "}}\n}}\n}}\n")?;
    }
    writeln!(out, "impl {name} {{")?;
    let flex = match &flexible {
        When::Always => "let flex = true;".to_owned(),
        When::Never => "let flex = false;".to_owned(),
        When::If(test) => format!("let flex = {test};"),
    };
    let encode = (
        "encode(&self, w: &mut Writer, version: i16) -> Result<(), EncodeError>",
        encode_body(context, one, has_tags)?,
    );
    let mut functions = Vec::new();
    if context.decoded_in_place() {
        writeln!(
            out,
            "pub fn decode(r: &mut Reader, version: i16) -> Result<Self, DecodeError> {{\n\
            let mut message = Self::default();\nmessage.decode_into(r, version)?;\nOk(message)\n}}\n\n\
            /// Replaces what is here, and uses its memory. After a failure any part of it may be replaced."
        )?;
        let head = "decode_into(&mut self, r: &mut Reader, version: i16) -> Result<(), DecodeError>";
        functions.push((head, decode::into_body(context, one, has_tags)?));
    } else {
        let head = "decode(r: &mut Reader, version: i16) -> Result<Self, DecodeError>";
        functions.push((head, decode::body(context, one, has_tags)?));
    }
    functions.push(encode);
    for (head, body) in functions {
        let flex = if names(&body, "flex") { flex.as_str() } else { "" };
        let whole = format!("{flex}\n{body}");
        // Every function has one shape, whether it looks at everything it is given or not.
        let whole_but_fields = whole.replace("version: version_field", "");
        let head =
            if names(&whole_but_fields, "version") { head.to_owned() } else { head.replace("version:", "_version:") };
        let head = if names(&body, "r") { head } else { head.replace("r: &mut R", "_r: &mut R") };
        let head = if names(&body, "w") { head } else { head.replace("w: &mut", "_w: &mut") };
        writeln!(out, "pub fn {head} {{\n{whole}\n}}\n")?;
    }
    out.push_str(&errors::function(context, one));
    writeln!(out, "}}\n")?;
    Ok(())
}

fn method(ty: &Type) -> anyhow::Result<&'static str> {
    Ok(match ty {
        Type::Bool => "bool",
        Type::Int8 => "i8",
        Type::Int16 => "i16",
        Type::Uint16 => "u16",
        Type::Int32 => "i32",
        Type::Int64 => "i64",
        Type::Float64 => "f64",
        Type::Uuid => "uuid",
        other => bail!("{other:?} is not a number"),
    })
}

fn encode_body(context: &Context<'_>, one: &Struct<'_>, has_tags: bool) -> anyhow::Result<String> {
    let mut body = String::new();
    let mut tagged = BTreeMap::new();
    for field in one.fields {
        let place = format!("self.{}", snake(&field.name));
        let option = Context::is_option(field, one.valid);
        let is_set = is_set(field, option, &place)?;
        let refuse =
            format!("if {is_set} {{ return Err(EncodeError::field({:?}, {:?}, version)); }}", one.name, field.name);
        let write = write_field(context, one, field, &place)?;
        let present =
            field.tagged.map_or(when(Some(field.versions), one.valid), |tagged| when(Some(tagged), one.valid));
        if field.tagged.is_some() {
            let test = match &present {
                When::Always => is_set,
                When::Never => continue,
                When::If(test) => format!("{test} && {is_set}"),
            };
            if let When::If(within) = &present
                && !field.ignorable
            {
                let set = refuse.strip_prefix("if ").unwrap_or_default();
                let without = match within.strip_prefix("version >= ") {
                    Some(low) => format!("version < {low}"),
                    None => format!("!({within})"),
                };
                writeln!(body, "if {without} && {set}")?;
            }
            tagged.insert(field.tag, (test, write));
            continue;
        }
        match (present, field.ignorable) {
            (When::Always, _) => writeln!(body, "{write}")?,
            (When::Never, true) => {}
            (When::Never, false) => writeln!(body, "{refuse}")?,
            (When::If(test), true) => writeln!(body, "if {test} {{ {write} }}")?,
            (When::If(test), false) => writeln!(body, "if {test} {{ {write} }} else {refuse}")?,
        }
    }
    if has_tags {
        let mut tags = String::new();
        if tagged.is_empty() {
            writeln!(tags, "w.unknown_tags(&self.unknown_tags);")?;
        } else {
            let counts: Vec<_> = tagged.values().map(|(test, _)| format!("usize::from({test})")).collect();
            writeln!(tags, "let known = {};", counts.join(" + "))?;
            writeln!(tags, "let mut unknown = w.begin_tags(known, &self.unknown_tags);")?;
            for (tag, (test, write)) in &tagged {
                writeln!(
                    tags,
                    "if {test} {{ unknown = w.begin_tag({tag}, unknown); let start = w.mark();\n {write}\n w.end_tag(start); }}"
                )?;
            }
            writeln!(tags, "w.end_tags(unknown);")?;
        }
        if matches!(when(context.message.flexible, one.valid), When::Always) {
            body.push_str(&tags);
        } else {
            writeln!(body, "if flex {{ {tags} }}")?;
        }
    }
    body.push_str("Ok(())");
    Ok(body)
}

/// Statements that write the field at `place`.
fn write_field(context: &Context<'_>, one: &Struct<'_>, field: &Field, place: &str) -> anyhow::Result<String> {
    let flex = if field.never_flexible { "false" } else { "flex" };
    let here = field.versions.intersect(one.valid).unwrap_or(one.valid);
    let plain = |value: &str| -> anyhow::Result<String> {
        Ok(match &field.ty {
            Type::String => format!("w.string({value}, {flex});"),
            Type::Bytes => format!("w.bytes({value}, {flex});"),
            Type::Records => format!("w.records({value}, {flex});"),
            Type::Array(element) => {
                let element = match &**element {
                    Type::String => format!("w.string(element, {flex});"),
                    Type::Struct(_) => "element.encode(w, version)?;".to_owned(),
                    Type::Uuid => "w.uuid(element);".to_owned(),
                    number => format!("w.{}(*element);", method(number)?),
                };
                format!("w.array_len({value}.len(), {flex}); for element in {value}.iter() {{ {element} }}")
            }
            Type::Struct(_) => format!("{value}.encode(w, version)?;"),
            Type::Uuid => format!("w.uuid({value});"),
            number => format!("w.{}({value});", method(number)?),
        })
    };
    let by_reference = matches!(field.ty, Type::String | Type::Bytes | Type::Records | Type::Uuid);
    if !Context::is_option(field, one.valid) {
        return plain(&if by_reference { format!("&{place}") } else { place.to_owned() });
    }
    let some = plain("value")?;
    let none = match &field.ty {
        Type::String => format!("w.null_string({flex});"),
        Type::Bytes | Type::Records => format!("w.null_bytes({flex});"),
        Type::Array(_) => format!("w.null_array({flex});"),
        Type::Struct(_) if field.tagged.is_some() => "w.i8(0);".to_owned(),
        Type::Struct(_) => "w.i8(-1);".to_owned(),
        other => bail!("a nullable {other:?}"),
    };
    let (some, mark) = match &field.ty {
        Type::Struct(_) => (some, "w.i8(1);"),
        _ => (some, ""),
    };
    let refuse = format!("return Err(EncodeError::null({:?}, {:?}, version));", one.name, field.name);
    _ = context;
    Ok(match when(field.nullable, here) {
        When::Always => format!("match &{place} {{ Some(value) => {{ {mark} {some} }} None => {{ {none} }} }}"),
        When::Never => format!("match &{place} {{ Some(value) => {{ {some} }} None => {{ {refuse} }} }}"),
        When::If(test) => format!(
            "match &{place} {{ Some(value) => {{ {some} }} None if {test} => {{ {none} }} None => {{ {refuse} }} }}"
        ),
    })
}

/// `messages.rs`: the modules, and any request or response by its key.
pub fn messages_map(modules: &[(String, ApiKey)]) -> String {
    let mut out = String::from("//! Every API of a broker listener: one module each, and any of them by its key.\n\n");
    for (module, _) in modules {
        out.push_str(&format!("pub mod {module};\n"));
    }
    out.push_str("\nuse crate::prelude::*;\n\n");
    for kind in ["Request", "Response"] {
        let (mut variants, mut decodes, mut encodes) = (String::new(), String::new(), String::new());
        for (module, key) in modules {
            let name = &key.message;
            variants.push_str(&format!("{name}(Box<{module}::{name}{kind}>),\n"));
            decodes.push_str(&format!(
                "ApiKey::{name} => Self::{name}(Box::new({module}::{name}{kind}::decode(r, version)?)),\n"
            ));
            encodes.push_str(&format!("Self::{name}(message) => message.encode(w, version),\n"));
        }
        out.push_str(&format!(
            "/// Any {lower}, for tests and tools.\n#[derive(Clone, Debug, PartialEq)]\npub enum Any{kind} {{ {variants} }}\n\n\
            impl Any{kind} {{\n\
            /// Decodes the {lower} of `key`; `version` must be one of its versions.\n\
            pub fn decode(key: ApiKey, r: &mut Reader, version: i16) -> Result<Self, DecodeError> {{\n\
            Ok(match key {{ {decodes} }})\n}}\n\n\
            pub fn encode(&self, w: &mut Writer, version: i16) -> Result<(), EncodeError> {{\n\
            match self {{ {encodes} }}\n}}\n}}\n\n",
            lower = kind.to_lowercase()
        ));
    }
    out
}

/// `records.rs`: the modules, and any record by its schema's name.
pub fn records_map(modules: &BTreeMap<String, Vec<&Message>>) -> String {
    let mut out = String::from(
        "//! The records of `__consumer_offsets` and `__transaction_state`, and what group members tell each other.\n\n",
    );
    let (mut arms, mut all) = (String::new(), String::new());
    for (module, messages) in modules {
        out.push_str(&format!("pub mod {module};\n"));
        for message in messages {
            all.push_str(&format!("({name:?}, {module}::{name}::VERSIONS),\n", name = message.name));
            arms.push_str(&format!(
                "{name:?} => {module}::{name}::decode(r, version)?.encode(w, version)?,\n",
                name = message.name
            ));
        }
    }
    out.push_str(&format!(
        "\nuse crate::prelude::*;\nuse crate::error::CodecError;\n\n\
        /// Every name that [`reencode`] knows, with its versions.\n\
        pub const ALL: &[(&str, std::ops::RangeInclusive<i16>)] = &[{all}];\n\n\
        /// Decodes the record that the schemas call `name` and encodes it again; `false` for a name not known here.\n\
        pub fn reencode(name: &str, r: &mut Reader, w: &mut Writer, version: i16) -> Result<bool, CodecError> {{\n\
        match name {{ {arms} _ => return Ok(false) }}\nOk(true)\n}}\n"
    ));
    out
}

/// `api_key.rs`.
pub fn api_key_table(keys: &[ApiKey]) -> String {
    let (mut variants, mut codes, mut names, mut ranges, mut flexible) =
        (String::new(), String::new(), String::new(), String::new(), String::new());
    for key in keys {
        let name = &key.message;
        variants.push_str(&format!("{name} = {},\n", key.code));
        codes.push_str(&format!("{} => Self::{name},\n", key.code));
        names.push_str(&format!("Self::{name} => \"{name}\",\n"));
        ranges.push_str(&format!(
            "Self::{name} => Versions {{ min: {}, max_stable: {}, max: {} }},\n",
            key.min, key.max_stable, key.max
        ));
        flexible.push_str(&format!("Self::{name} => {},\n", key.flexible_since.unwrap_or(i16::MAX)));
    }
    let all = keys.iter().map(|key| format!("Self::{}", key.message)).collect::<Vec<_>>().join(", ");
    format!(
        "//! The APIs of a broker listener and their versions.\n\n\
        /// The number of an API.\n\
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]\n#[repr(i16)]\npub enum ApiKey {{ {variants} }}\n\n\
        /// The versions of an API, each end included.\n\
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]\n\
        pub struct Versions {{\npub min: i16,\n/// The highest that Kafka advertises.\npub max_stable: i16,\n/// The highest with a schema.\npub max: i16,\n}}\n\n\
        impl ApiKey {{\n/// All of them, by number.\npub const ALL: &'static [Self] = &[{all}];\n\n\
        pub fn from_code(code: i16) -> Option<Self> {{ Some(match code {{ {codes} _ => return None }}) }}\n\n\
        pub fn code(self) -> i16 {{ self as i16 }}\n\n\
        pub fn name(self) -> &'static str {{ match self {{ {names} }} }}\n\n\
        pub fn versions(self) -> Versions {{ match self {{ {ranges} }} }}\n\n\
        /// The first version with compact types and tags; above every version where there is none. KIP-482.\n\
        pub fn flexible_since(self) -> i16 {{ match self {{ {flexible} }} }}\n\n\
        pub fn is_flexible(self, version: i16) -> bool {{ version >= self.flexible_since() }}\n\n\
        pub fn request_header_version(self, version: i16) -> i16 {{ if self.is_flexible(version) {{ 2 }} else {{ 1 }} }}\n\n\
        /// ApiVersions answers with header version 0 always: a client cannot know yet what this broker speaks. KIP-511.\n\
        pub fn response_header_version(self, version: i16) -> i16 {{ if self.is_flexible(version) && self != Self::ApiVersions {{ 1 }} else {{ 0 }} }}\n\
        }}\n"
    )
}
