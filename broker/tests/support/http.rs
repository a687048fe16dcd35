//! What the HTTP side of a broker says.

use std::collections::BTreeMap;
use std::io::{Read as _, Write as _};
use std::net::{SocketAddr, TcpStream};

use super::PATIENCE;

/// Status and body.
pub fn get(address: SocketAddr, path: &str) -> std::io::Result<(u16, String)> {
    let mut stream = TcpStream::connect_timeout(&address, PATIENCE)?;
    stream.set_read_timeout(Some(PATIENCE))?;
    stream.write_all(format!("GET {path} HTTP/1.0\r\nHost: x\r\n\r\n").as_bytes())?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer)?;
    let (head, body) = answer.split_once("\r\n\r\n").expect("a head and a body");
    let status = head.split(' ').nth(1).and_then(|status| status.parse().ok()).expect("a status");
    Ok((status, body.to_owned()))
}

/// One scrape.
pub struct Metrics {
    /// Type by family.
    pub families: BTreeMap<String, String>,
    /// Value by series: its name and labels as written.
    pub series: BTreeMap<String, f64>,
}

impl Metrics {
    pub fn scrape(address: SocketAddr) -> Self {
        let (status, text) = get(address, "/metrics").expect("a scrape");
        assert_eq!(status, 200, "{text}");
        let (mut families, mut series) = (BTreeMap::new(), BTreeMap::new());
        for line in text.lines() {
            if let Some(heading) = line.strip_prefix("# TYPE ") {
                let (name, kind) = heading.split_once(' ').expect("a name and a type");
                assert_eq!(families.insert(name.to_owned(), kind.to_owned()), None, "{name} has one heading");
            } else if !line.starts_with('#') {
                let (name, value) = line.rsplit_once(' ').expect("a series and a value");
                let value = value.parse().expect("a number");
                assert_eq!(series.insert(name.to_owned(), value), None, "{name} is there once");
            }
        }
        Self { families, series }
    }

    /// The value of a series, which must be there.
    pub fn value(&self, series: &str) -> f64 {
        self.get(series).unwrap_or_else(|| panic!("{series} is missing"))
    }

    pub fn get(&self, series: &str) -> Option<f64> {
        self.series.get(series).copied()
    }

    /// The sum of all series of one name.
    pub fn sum(&self, name: &str) -> f64 {
        let mut of_name = self.series.iter().filter(|(series, _)| series.split('{').next() == Some(name)).peekable();
        assert!(of_name.peek().is_some(), "{name} is missing");
        of_name.map(|(_, value)| value).sum()
    }
}
