//! Kafka's message schemas as plain values.

use std::path::Path;

use anyhow::{Context as _, anyhow, bail};
use serde_json::Value;

/// A closed range of versions; open upward ranges end at `i16::MAX`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Versions {
    pub low: i16,
    pub high: i16,
}

impl Versions {
    fn parse(text: &str) -> anyhow::Result<Option<Self>> {
        let text = text.trim();
        if text == "none" {
            return Ok(None);
        }
        let (low, high) = match (text.strip_suffix('+'), text.split_once('-')) {
            (Some(low), _) => (low, i16::MAX.to_string()),
            (None, Some((low, high))) => (low, high.to_owned()),
            (None, None) => (text, text.to_owned()),
        };
        let number = |text: &str| text.parse().with_context(|| format!("'{text}' is not a version"));
        Ok(Some(Self { low: number(low)?, high: number(&high)? }))
    }

    pub fn intersect(self, other: Self) -> Option<Self> {
        let both = Self { low: self.low.max(other.low), high: self.high.min(other.high) };
        (both.low <= both.high).then_some(both)
    }

    pub fn covers(self, other: Self) -> bool {
        self.low <= other.low && self.high >= other.high
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    Request,
    Response,
    Header,
    Data,
    Key,
    Value,
}

/// The type of a field.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Type {
    Bool,
    Int8,
    Int16,
    Uint16,
    Int32,
    Int64,
    Float64,
    Uuid,
    String,
    Bytes,
    Records,
    Struct(String),
    Array(Box<Self>),
}

impl Type {
    fn parse(text: &str) -> anyhow::Result<Self> {
        Ok(match text {
            "bool" => Self::Bool,
            "int8" => Self::Int8,
            "int16" => Self::Int16,
            "uint16" => Self::Uint16,
            "int32" => Self::Int32,
            "int64" => Self::Int64,
            "float64" => Self::Float64,
            "uuid" => Self::Uuid,
            "string" => Self::String,
            "bytes" => Self::Bytes,
            "records" => Self::Records,
            other => match other.strip_prefix("[]") {
                Some(element) => Self::Array(Box::new(Self::parse(element)?)),
                None if other.starts_with(char::is_uppercase) => Self::Struct(other.to_owned()),
                None => bail!("unknown type '{other}'"),
            },
        })
    }

    /// The struct that this type is or holds.
    pub fn struct_name(&self) -> Option<&str> {
        match self {
            Self::Struct(name) => Some(name),
            Self::Array(element) => element.struct_name(),
            _ => None,
        }
    }
}

#[derive(Clone, Debug)]
pub struct Field {
    pub name: String,
    pub ty: Type,
    pub versions: Versions,
    pub nullable: Option<Versions>,
    pub tagged: Option<Versions>,
    pub tag: u32,
    /// As text: a number, `true`, `null`, or a string's content.
    pub default: Option<String>,
    pub ignorable: bool,
    /// The schema says that this field never takes the flexible form.
    pub never_flexible: bool,
    pub fields: Vec<Self>,
}

#[derive(Clone, Debug)]
pub struct Message {
    pub api_key: Option<i16>,
    pub kind: Kind,
    pub name: String,
    pub valid: Option<Versions>,
    pub flexible: Option<Versions>,
    pub fields: Vec<Field>,
    pub common: Vec<(String, Vec<Field>)>,
}

/// Every schema of `folder`, by file name.
pub fn load(folder: &Path) -> anyhow::Result<Vec<Message>> {
    let mut paths: Vec<_> =
        std::fs::read_dir(folder)?.collect::<Result<Vec<_>, _>>()?.iter().map(|e| e.path()).collect();
    paths.retain(|path| path.extension().is_some_and(|extension| extension == "json"));
    paths.sort();
    paths.iter().map(|path| message(path).with_context(|| path.display().to_string())).collect()
}

fn message(path: &Path) -> anyhow::Result<Message> {
    let text = std::fs::read_to_string(path)?;
    let text: String = text.lines().filter(|line| !line.trim_start().starts_with("//")).collect::<Vec<_>>().join("\n");
    let json: Value = serde_json::from_str(&text)?;
    let string = |key: &str| json[key].as_str().ok_or_else(|| anyhow!("{key} is missing"));
    let kind = match string("type")? {
        "request" => Kind::Request,
        "response" => Kind::Response,
        "header" => Kind::Header,
        "coordinator-key" => Kind::Key,
        "coordinator-value" => Kind::Value,
        _ => Kind::Data,
    };
    let mut common = Vec::new();
    for shared in json["commonStructs"].as_array().into_iter().flatten() {
        let name = shared["name"].as_str().ok_or_else(|| anyhow!("a common struct has no name"))?;
        common.push((name.to_owned(), fields(&shared["fields"])?));
    }
    Ok(Message {
        api_key: json["apiKey"].as_i64().map(|key| key as i16),
        kind,
        name: string("name")?.to_owned(),
        valid: Versions::parse(string("validVersions")?)?,
        flexible: json["flexibleVersions"].as_str().map(Versions::parse).transpose()?.flatten(),
        fields: fields(&json["fields"])?,
        common,
    })
}

fn fields(json: &Value) -> anyhow::Result<Vec<Field>> {
    json.as_array().into_iter().flatten().map(|json| field(json).with_context(|| json["name"].to_string())).collect()
}

fn field(json: &Value) -> anyhow::Result<Field> {
    let versions = |key: &str| json[key].as_str().map(Versions::parse).transpose().map(Option::flatten);
    let tagged = versions("taggedVersions")?;
    let default = match &json["default"] {
        // JSON's own null is no default: Kafka means null only where it says "null".
        Value::Null => None,
        Value::String(text) => Some(text.clone()),
        other => Some(other.to_string()),
    };
    Ok(Field {
        name: json["name"].as_str().ok_or_else(|| anyhow!("a field has no name"))?.to_owned(),
        ty: Type::parse(json["type"].as_str().ok_or_else(|| anyhow!("a field has no type"))?)?,
        versions: versions("versions")?.or(tagged).ok_or_else(|| anyhow!("a field has no versions"))?,
        nullable: versions("nullableVersions")?,
        tagged,
        tag: json["tag"].as_u64().unwrap_or(0) as u32,
        default,
        ignorable: json["ignorable"].as_bool().unwrap_or(false),
        never_flexible: json["flexibleVersions"].as_str() == Some("none"),
        fields: fields(&json["fields"])?,
    })
}

/// `TopicId` and `topicId` to `topic_id`; Rust's keywords get a trailing underscore.
pub fn snake(name: &str) -> String {
    let mut snake = String::new();
    let mut chars = name.chars().peekable();
    let mut before = '_';
    while let Some(c) = chars.next() {
        let starts_word = c.is_uppercase()
            && before != '_'
            && (before.is_lowercase()
                || before.is_ascii_digit()
                || chars.peek().is_some_and(|next| next.is_lowercase()));
        if starts_word {
            snake.push('_');
        }
        snake.extend(c.to_lowercase());
        before = c;
    }
    if matches!(snake.as_str(), "type" | "match" | "ref" | "use" | "where") { format!("{snake}_") } else { snake }
}
