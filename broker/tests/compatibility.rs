//! Holds `docs/compatibility.md` and the table of own keys in `docs/operations.md` against what the broker says of itself: the
//! APIs that a running one advertises, the tables of configs, and what reading each key tells.
//!
//! `WRITE_DOCS=1 cargo test -p milena-broker --test compatibility` renews the tables; their notes stay.

#![allow(clippy::unwrap_used, reason = "a test fails by it")]

mod support;

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Mutex;

use broker::config::{Config, MILENA, Machine, Properties, Warning};
use metadata::configs::{BROKER_CONFIGS, BrokerConfig, ConfigDef, ConfigType, Rule, TOPIC_CONFIGS, broker_config};
use support::Client;
use support::in_process::Broker;
use wire::messages::api_versions::ApiVersionsRequest;
use wire::messages::create_topics::{CreatableTopic, CreatableTopicConfig, CreateTopicsRequest};
use wire::messages::incremental_alter_configs::{
    AlterConfigsResource, AlterableConfig, IncrementalAlterConfigsRequest,
};
use wire::{ApiKey, ErrorCode, Request};

/// What a config does, in the page's words.
const WORKS: &str = "works";
const IDLE: &str = "no effect yet";
const WITHOUT_MEANING: &str = "no meaning";

fn page(name: &str) -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../docs").join(name)
}

/// Held while a page is read or written: tests run side by side.
static PAGES: Mutex<()> = Mutex::new(());

/// The rows of the table under `heading`, its head and rule left out, cells as they are written.
fn written_rows(text: &str, name: &str, heading: &str) -> Vec<Vec<String>> {
    let section = text.split_once(&format!("\n{heading}\n")).unwrap_or_else(|| panic!("{name} has no {heading:?}")).1;
    let table = section.lines().skip_while(|line| !line.starts_with('|')).take_while(|line| line.starts_with('|'));
    let cells = |line: &str| line.trim_matches('|').split('|').map(|cell| cell.trim().to_owned()).collect();
    table.skip(2).map(cells).collect()
}

fn plain(cell: &str) -> String {
    cell.replace('`', "")
}

/// The same without backquotes.
fn rows(name: &str, heading: &str) -> Vec<Vec<String>> {
    let _reading = PAGES.lock();
    let text = std::fs::read_to_string(page(name)).unwrap();
    written_rows(&text, name, heading).iter().map(|row| row.iter().map(|cell| plain(cell)).collect()).collect()
}

/// Compares the first columns of a table with what they must be. Where it is asked for, writes them instead and keeps the other
/// columns of each row, found by its first cell.
fn hold(name: &str, heading: &str, expected: &[Vec<String>]) {
    let _writing = PAGES.lock();
    let path = page(name);
    let text = std::fs::read_to_string(&path).unwrap();
    let found = written_rows(&text, name, heading);
    let columns = expected[0].len();
    if std::env::var_os("WRITE_DOCS").is_some() {
        let (before, section) = text.split_once(&format!("\n{heading}\n")).unwrap();
        let start = section.find("\n|").unwrap() + 1;
        let head: String = section[start..].lines().take(2).map(|line| format!("{line}\n")).collect();
        let old: usize = section[start..].lines().take_while(|line| line.starts_with('|')).map(|l| l.len() + 1).sum();
        let kept: BTreeMap<String, &[String]> =
            found.iter().map(|row| (plain(&row[0]), row.get(columns..).unwrap_or_default())).collect();
        let width = head.lines().next().unwrap().matches('|').count() - 1;
        let line = |row: &Vec<String>| {
            let mut cells = row.clone();
            if !cells[0].bytes().all(|b| b.is_ascii_digit()) {
                cells[0] = format!("`{}`", cells[0]);
            }
            cells.extend(kept.get(&row[0]).into_iter().flat_map(|notes| notes.iter().cloned()));
            cells.resize(width, String::new());
            format!("| {} |\n", cells.join(" | "))
        };
        let table: String = expected.iter().map(line).collect();
        let after = &section[start + old..];
        std::fs::write(&path, format!("{before}\n{heading}\n{}{head}{table}{after}", &section[..start])).unwrap();
        return;
    }
    let told: Vec<Vec<String>> =
        found.iter().map(|row| row.iter().take(columns).map(|cell| plain(cell)).collect()).collect();
    for (told, expected) in told.iter().zip(expected) {
        assert_eq!(told, expected, "{name}, {heading}: renew it with WRITE_DOCS=1");
    }
    assert_eq!(told.len(), expected.len(), "{name}, {heading}: renew it with WRITE_DOCS=1");
}

/// What the broker advertises: key, name, versions.
fn advertised(client: &mut Client) -> Vec<(ApiKey, Vec<String>)> {
    let answer = client.ask(0, &ApiVersionsRequest::default());
    let told = answer.api_keys.iter().map(|api| {
        let key = ApiKey::from_code(api.api_key).unwrap();
        let versions = match (api.min_version, api.max_version) {
            (min, max) if min == max => min.to_string(),
            (min, max) => format!("{min}–{max}"),
        };
        (key, vec![key.code().to_string(), key.name().to_owned(), versions])
    });
    told.collect()
}

#[test]
fn the_page_has_the_apis_that_a_running_broker_advertises_and_no_others() {
    let broker = Broker::start(&[]);
    let served = advertised(&mut broker.client());
    let expected: Vec<Vec<String>> = served.iter().map(|(_, row)| row.clone()).collect();
    hold("compatibility.md", "### Served", &expected);
    let served: Vec<ApiKey> = served.into_iter().map(|(key, _)| key).collect();
    let others = (0..i16::MAX).filter_map(ApiKey::from_code).filter(|key| !served.contains(key));
    let expected: Vec<_> = others.map(|key| vec![key.code().to_string(), key.name().to_owned()]).collect();
    hold("compatibility.md", "### Not served", &expected);
}

#[test]
fn an_api_that_the_page_calls_not_served_ends_its_connection_and_no_other() {
    let broker = Broker::start(&[]);
    let mut bystander = broker.client();
    for row in rows("compatibility.md", "### Not served") {
        let key: i16 = row[0].parse().unwrap();
        let mut client = broker.client();
        let frame = [key.to_be_bytes().as_slice(), &[0, 0, 0, 0, 0, 1, 0xff, 0xff]].concat();
        client.send_frame(&frame).unwrap();
        assert!(client.receive().is_err(), "{}", row[1]);
    }
    assert_eq!(bystander.ask(0, &ApiVersionsRequest::default()).error_code, ErrorCode::None.code());
}

/// Sends an empty request in every version that is served; each must be answered, by an error or not.
fn answers<R: Request + Default>(broker: &Broker, told: &mut BTreeMap<i16, (i16, i16)>) {
    let (min, max) = told.remove(&R::KEY.code()).unwrap_or_else(|| panic!("{} is not advertised", R::KEY.name()));
    for version in min.max(*R::VERSIONS.start())..=max {
        let answer = broker.client().call(version, &R::default());
        assert!(answer.is_ok(), "{} {version}: {:?}", R::KEY.name(), answer.err());
    }
}

macro_rules! every_api_answers {
    ($broker:expr, $told:expr, $($module:ident::$request:ident),*) => {
        $(answers::<wire::messages::$module::$request>($broker, $told);)*
    };
}

#[test]
fn every_api_that_is_advertised_answers_in_every_version_served() {
    let broker = Broker::start(&[]);
    let answer = broker.client().ask(0, &ApiVersionsRequest::default());
    let told = &mut answer.api_keys.iter().map(|api| (api.api_key, (api.min_version, api.max_version))).collect();
    every_api_answers!(
        &broker,
        told,
        fetch::FetchRequest,
        list_offsets::ListOffsetsRequest,
        metadata::MetadataRequest,
        offset_commit::OffsetCommitRequest,
        offset_fetch::OffsetFetchRequest,
        find_coordinator::FindCoordinatorRequest,
        join_group::JoinGroupRequest,
        heartbeat::HeartbeatRequest,
        leave_group::LeaveGroupRequest,
        sync_group::SyncGroupRequest,
        describe_groups::DescribeGroupsRequest,
        list_groups::ListGroupsRequest,
        api_versions::ApiVersionsRequest,
        create_topics::CreateTopicsRequest,
        delete_topics::DeleteTopicsRequest,
        delete_records::DeleteRecordsRequest,
        init_producer_id::InitProducerIdRequest,
        offset_for_leader_epoch::OffsetForLeaderEpochRequest,
        describe_configs::DescribeConfigsRequest,
        alter_configs::AlterConfigsRequest,
        describe_log_dirs::DescribeLogDirsRequest,
        create_partitions::CreatePartitionsRequest,
        delete_groups::DeleteGroupsRequest,
        incremental_alter_configs::IncrementalAlterConfigsRequest,
        offset_delete::OffsetDeleteRequest,
        describe_cluster::DescribeClusterRequest,
        describe_producers::DescribeProducersRequest,
        list_config_resources::ListConfigResourcesRequest,
        describe_topic_partitions::DescribeTopicPartitionsRequest
    );
    // An empty Produce asks for acks=0, which nothing answers.
    let mut client = broker.client();
    for version in 3..=told.remove(&ApiKey::Produce.code()).unwrap().1 {
        let request = wire::messages::produce::ProduceRequest { acks: 1, ..Default::default() };
        assert_eq!(client.ask(version, &request).responses, []);
    }
    assert!(told.is_empty(), "advertised and not asked: {told:?}");
}

fn type_of(kind: ConfigType) -> &'static str {
    match kind {
        ConfigType::Boolean => "boolean",
        ConfigType::String => "string",
        ConfigType::Int => "int",
        ConfigType::Short => "short",
        ConfigType::Long => "long",
        ConfigType::Double => "double",
        ConfigType::List => "list",
        ConfigType::Class => "class",
        ConfigType::Password => "password",
    }
}

fn default_of(def: &ConfigDef) -> String {
    match def.default {
        None => "–".to_owned(),
        Some("") => "empty".to_owned(),
        Some(text) => text.to_owned(),
    }
}

fn allowed(rule: Rule) -> String {
    match rule {
        Rule::Any => "any".to_owned(),
        Rule::AtLeast(min) => format!("{min} or more"),
        Rule::Between(min, max) => format!("{min} to {max}"),
        Rule::DoubleBetween(min, max) => format!("{min} to {max}"),
        Rule::OneOf(names) | Rule::OneOfIgnoringCase(names) => names.join(", "),
        Rule::EachOneOf(names) => format!("some of {}", names.join(", ")),
        Rule::NonEmpty => "not empty".to_owned(),
        Rule::GzipLevel => "-1, 1 to 9".to_owned(),
        Rule::ThrottledReplicas => "*, or partition:broker pairs".to_owned(),
    }
}

#[test]
fn the_page_has_every_topic_config_with_its_type_default_and_range() {
    let expected: Vec<_> = TOPIC_CONFIGS
        .iter()
        .map(|row| {
            vec![row.def.name.to_owned(), type_of(row.def.kind).to_owned(), default_of(&row.def), allowed(row.def.rule)]
        })
        .collect();
    hold("compatibility.md", "### Topic configs", &expected);
}

/// Asks for a topic with one config; gives the error code.
fn create(client: &mut Client, config: &str, value: &str) -> i16 {
    let config = CreatableTopicConfig { name: config.into(), value: Some(value.into()), ..Default::default() };
    let topic = CreatableTopic {
        name: "t".into(),
        num_partitions: 1,
        replication_factor: 1,
        configs: vec![config],
        ..Default::default()
    };
    let request = CreateTopicsRequest { topics: vec![topic], validate_only: true, ..Default::default() };
    client.ask(7, &request).topics[0].error_code
}

#[test]
fn a_topic_config_takes_what_the_page_says_and_refuses_what_it_says() {
    const STATE: usize = 4;
    let broker = Broker::start(&[]);
    let mut client = broker.client();
    for row in rows("compatibility.md", "### Topic configs") {
        let (name, state) = (&row[0], &row[STATE]);
        if let Some(default) = Some(row[2].as_str()).filter(|default| *default != "–") {
            let default = if default == "empty" { "" } else { default };
            assert_eq!(create(&mut client, name, default), ErrorCode::None.code(), "the default of {name}");
        }
        let (state, refused) = state.split_once(", refuses ").unwrap_or((state, ""));
        assert!([WORKS, IDLE].contains(&state), "{name}: {state:?} is no state");
        for value in refused.split_terminator(" and ") {
            assert_eq!(create(&mut client, name, value), ErrorCode::InvalidConfig.code(), "{name}={value}");
        }
    }
    assert_eq!(create(&mut client, "retention.moons", "1"), ErrorCode::InvalidConfig.code());
}

/// A value that a broker key takes, so that what is told of it is about the key.
fn sample(row: &BrokerConfig) -> &str {
    match row.def.name {
        "advertised.listeners" => "PLAINTEXT://localhost:9092",
        "broker.id" | "node.id" => "1",
        "controller.listener.names" => "",
        "controller.quorum.bootstrap.servers" => "localhost:9093",
        "controller.quorum.voters" => "1@localhost:9093",
        "inter.broker.listener.name" => "PLAINTEXT",
        "process.roles" => "broker,controller",
        _ => row.def.default.unwrap_or("1"),
    }
}

/// What reading `key=value` tells about the key.
fn state_of(row: &BrokerConfig) -> &'static str {
    let node = if row.def.name == "broker.id" { "" } else { "node.id=1\n" };
    let text = format!("{node}{}={}", row.def.name, sample(row));
    let machine = Machine { hostname: || "localhost".to_owned(), cores: 1 };
    let config = Config::parse(&Properties::parse(&text).unwrap(), &machine).unwrap_or_else(|error| panic!("{error}"));
    let about = |warning: &Warning| match warning {
        Warning::WithoutMeaning { .. } => Some(WITHOUT_MEANING),
        Warning::Idle { .. } => Some(IDLE),
        Warning::Removed { .. } | Warning::Unknown { .. } => panic!("{warning}"),
        Warning::Repeated { .. } | Warning::Note(_) => None,
    };
    config.warnings.iter().find_map(about).unwrap_or(WORKS)
}

/// Whether a running broker would take a value of the config for all brokers.
fn takes_at_run_time(client: &mut Client, row: &BrokerConfig) -> bool {
    const BROKER: i8 = 4;
    const SET: i8 = 0;
    let config = AlterableConfig {
        name: row.def.name.into(),
        config_operation: SET,
        value: Some(sample(row).into()),
        ..Default::default()
    };
    let resource = AlterConfigsResource { resource_type: BROKER, configs: vec![config], ..Default::default() };
    let request =
        IncrementalAlterConfigsRequest { resources: vec![resource], validate_only: true, ..Default::default() };
    let answer = client.ask(1, &request);
    assert!([ErrorCode::None.code(), ErrorCode::InvalidRequest.code()].contains(&answer.responses[0].error_code));
    answer.responses[0].error_code == ErrorCode::None.code()
}

#[test]
fn the_page_has_every_broker_config_with_what_reading_it_tells() {
    let broker = Broker::start(&[]);
    let mut client = broker.client();
    let expected: Vec<_> = BROKER_CONFIGS
        .iter()
        .map(|row| {
            let name = row.def.name.to_owned();
            let at_run_time = if takes_at_run_time(&mut client, row) { "yes" } else { "no" };
            vec![name, default_of(&row.def), at_run_time.to_owned(), state_of(row).to_owned()]
        })
        .collect();
    hold("compatibility.md", "### Broker configs", &expected);
}

#[test]
fn the_page_on_operations_has_every_key_of_our_own() {
    let expected: Vec<_> = MILENA.iter().map(|key| vec![(*key).to_owned()]).collect();
    assert!(MILENA.iter().all(|key| broker_config(key).is_none()), "own keys are not Kafka's");
    hold("operations.md", "### Keys of our own", &expected);
}
