//! Kafka's tables of API keys and error codes.

use std::fmt::Write as _;
use std::path::Path;

use anyhow::{Context as _, anyhow};

/// One API that a broker listener serves.
#[derive(Clone, Debug)]
pub struct ApiKey {
    pub code: i16,
    /// As in the schemas: `ListOffsets`.
    pub message: String,
    pub min: i16,
    pub max_stable: i16,
    pub max: i16,
    pub flexible_since: Option<i16>,
}

fn rows(schemas: &Path, file: &str) -> anyhow::Result<Vec<Vec<String>>> {
    let text = std::fs::read_to_string(schemas.join(file)).with_context(|| file.to_owned())?;
    Ok(text
        .lines()
        .filter(|line| !line.starts_with('#'))
        .skip(1)
        .map(|line| line.split('\t').map(str::to_owned).collect())
        .collect())
}

/// The APIs of broker listeners, by number.
pub fn api_keys(schemas: &Path) -> anyhow::Result<Vec<ApiKey>> {
    let mut keys = Vec::new();
    for row in rows(schemas, "api-keys.tsv")? {
        let cell = |at: usize| row.get(at).map(String::as_str).ok_or_else(|| anyhow!("a row of api-keys.tsv is short"));
        if cell(3)? == "none" || !cell(10)?.split(',').any(|listener| listener == "broker") {
            continue;
        }
        keys.push(ApiKey {
            code: cell(0)?.parse()?,
            message: cell(2)?.to_owned(),
            min: cell(3)?.parse()?,
            max_stable: cell(4)?.parse()?,
            max: cell(5)?.parse()?,
            flexible_since: cell(6)?.parse().ok(),
        });
    }
    keys.sort_by_key(|key| key.code);
    Ok(keys)
}

/// `UNKNOWN_TOPIC_ID` to `UnknownTopicId`.
fn camel(name: &str) -> String {
    name.split('_')
        .map(|word| {
            let mut chars = word.chars();
            chars.next().map_or_else(String::new, |first| format!("{first}{}", chars.as_str().to_lowercase()))
        })
        .collect()
}

/// The file `error_code.rs`.
pub fn error_codes(schemas: &Path) -> anyhow::Result<String> {
    let (mut variants, mut names, mut codes, mut retriable) = (String::new(), String::new(), String::new(), Vec::new());
    for row in rows(schemas, "errors.tsv")? {
        let [code, name, is_retriable, ..] = row.as_slice() else {
            return Err(anyhow!("a row of errors.tsv is short"));
        };
        let variant = camel(name);
        writeln!(variants, "{variant} = {code},")?;
        writeln!(names, "Self::{variant} => \"{name}\",")?;
        writeln!(codes, "{code} => Self::{variant},")?;
        if is_retriable == "true" {
            retriable.push(format!("Self::{variant}"));
        }
    }
    let retriable = retriable.join(" | ");
    Ok(format!(
        "//! Kafka's error codes.\n\n\
        /// An error code of a response.\n\
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]\n\
        #[repr(i16)]\npub enum ErrorCode {{ {variants} }}\n\n\
        impl ErrorCode {{\n\
        /// The number on the wire.\npub fn code(self) -> i16 {{ self as i16 }}\n\n\
        /// The code of a number; `None` for a number that Kafka 4.4 does not know.\n\
        pub fn from_code(code: i16) -> Option<Self> {{ Some(match code {{ {codes} _ => return None }}) }}\n\n\
        /// Kafka's name, in capitals.\npub fn name(self) -> &'static str {{ match self {{ {names} }} }}\n\n\
        /// Whether a client may try again.\npub fn is_retriable(self) -> bool {{ matches!(self, {retriable}) }}\n}}\n"
    ))
}
