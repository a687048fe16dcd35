//! Starting in order. Each step that can refuse comes before the first one that changes anything.

use std::cell::Cell;
use std::rc::Rc;
use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::Context as _;
use metadata::{
    Controller, Decision, DirectoryId, Endpoint, Image, IncarnationId, Record, Registration, SecurityProtocol,
};
use model::TopicId;
use storage::RealDisk;
use tokio::sync::Notify;

use super::accept::{Connections, Server};
use super::disks::Watch;
use super::observe::{self, Observer};
use super::{Http, Node, accept};
use crate::admin::http;
use crate::api::{ApiConfig, Context};
use crate::clock::Clock;
use crate::config::Config;
use crate::controller::active::Active;
use crate::data_dir::{self, DataDir};
use crate::disk_pool::DiskThreads;
use crate::log_dir::LogDir;
use crate::net::connection::Limits;
use crate::net::{self, Acceptor, Binding, Budget};
use crate::quorum::{Quorum as _, SingleVoter};
use crate::replication::recovery::{self, Recovered};
use crate::replication::settings::Settings;
use crate::replication::{Images, Publisher, Reconciler};
use crate::shard::{Handle, Shards, Slot, StateConfig};
use crate::shutdown::{self, Shutdown};
use crate::telemetry::logging::Loggers;

/// Threads of the control runtime: it idles most of the time.
const CONTROL_THREADS: usize = 1;
/// Bytes of newest batches that all shards keep in memory.
const TAIL_BYTES_MAX: usize = 32 << 20;
/// What a restart needs is written down this often, so that kill -9 costs little. Kafka's 60 s is taken where it is less.
const CHECKPOINT_MS_MAX: i64 = 5_000;
/// Idle connections may stay for years where no limit is set.
const NO_LIMIT: Duration = Duration::from_secs(u32::MAX as u64);

pub fn start(config: Config, loggers: Loggers) -> anyhow::Result<Node> {
    let started = Instant::now();
    let clock = Clock;
    for warning in &config.warnings {
        tracing::warn!("{warning}");
    }
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(CONTROL_THREADS)
        .thread_name("control")
        .enable_all()
        .build()
        .context("start the control runtime")?;
    let (trigger, shutdown) = shutdown::channel();

    // First: who can connect as a client can ask how far the start is.
    let http_listener = match &config.http {
        Some(at) => Some(runtime.block_on(bind_http(&at.host, at.port))?),
        None => None,
    };
    let bindings = runtime.block_on(bind(&config))?;
    let (data_dirs, cluster_id) = claim(&config)?;
    let real_disk = RealDisk::new(rand::random());
    let failures = Arc::new(Notify::new());
    // A metadata directory of its own holds no partitions.
    let dirs: Arc<[Arc<LogDir>]> = data_dirs
        .iter()
        .take(config.logs.dirs.len())
        .map(|dir| {
            let id = dir.meta.as_ref().map_or(TopicId::ZERO, |meta| meta.directory_id);
            Arc::new(LogDir::new(real_disk.clone(), dir.path.clone(), id, dir.was_clean, failures.clone()))
        })
        .collect();
    let was_clean = data_dirs.iter().all(|dir| dir.was_clean);

    // Metadata: everything committed before, then that this broker is here.
    let (quorum, entries) = SingleVoter::open(real_disk, &config.logs.metadata_dir, was_clean, clock)?;
    let image = Image::empty(config.node.id, Arc::new(config.statics.clone()));
    let mut controller = Controller::new(image);
    let records = entries.iter().map(|entry| Record::decode(entry)).collect::<Result<Vec<_>, _>>();
    controller.apply(&records.context("read the metadata log")?).context("replay the metadata log")?;
    if let Some(found) = controller.image().cluster_id() {
        anyhow::ensure!(
            *found == *cluster_id,
            "log directory {} holds the metadata of cluster {found}, but its meta.properties names cluster {cluster_id}",
            config.logs.metadata_dir.display()
        );
    }
    let mut endpoints = Vec::new();
    for (listener, binding) in config.listeners.broker.iter().zip(&bindings) {
        let (host, port) = match &listener.advertised {
            Some(at) => (at.host.clone(), at.port),
            None => (listener.bind.host.clone(), listener.bind.port),
        };
        endpoints.push(Endpoint {
            listener: listener.name.clone(),
            host,
            port: if port == 0 { binding.address.port() } else { port },
            protocol: SecurityProtocol::Plaintext,
        });
    }
    let bootstrap =
        endpoints.first().map(|at| format!("{}:{}", at.host, at.port)).context("a broker has a listener")?;

    // From here on there is something to recover.
    for dir in &data_dirs {
        dir.mark_dirty().with_context(|| format!("write to log directory {}", dir.path.display()))?;
    }
    runtime.block_on(introduce(&mut controller, &quorum, &config, &cluster_id, endpoints, &dirs, was_clean))?;

    // Shards, and the logs that they own.
    let disk = DiskThreads::start(config.threads.disk)?;
    let shards = Shards::start(config.threads.shards, &state_config(&config, &disk, clock))?;
    let handle = shards.handle();
    let images = Images::new(controller.image().clone(), quorum.end() + -1);
    let (connections, sockets) = Connections::new(handle.count(), bindings.len(), images.clone());
    let connections = Arc::new(connections);
    let budget = Budget::new(config.network.request_budget_bytes);
    let observed = observe::Parts {
        clock,
        shards: handle.clone(),
        images: images.clone(),
        dirs: dirs.clone(),
        budget: budget.clone(),
        connections: connections.clone(),
        disk: disk.pool(),
        quorum: quorum.clone(),
        shutdown: shutdown.clone(),
    };
    let observer = Arc::new(Observer::new(&config, observed));
    // Before recovery: probes want to know how far it is.
    let http = http_listener.map(|listener| Http::start(&runtime, listener, observer.clone())).transpose()?;
    let (failed, failure) = tokio::sync::oneshot::channel();
    let watch = Watch {
        dirs: dirs.clone(),
        metadata_dir: config.logs.metadata_dir.clone(),
        quorum: quorum.clone(),
        shards: handle.clone(),
        disk: disk.pool(),
        free_bytes_min: config.logs.disk_free_bytes_min,
        failures,
        failed,
    };
    runtime.spawn(watch.run(shutdown.clone()));
    let settings = Settings::of(controller.image());
    let threads_per_dir = usize::try_from(controller.image().broker_number("num.recovery.threads.per.data.dir"));
    let recovered = recovery::recover(
        controller.image(),
        config.node.id,
        &dirs,
        settings,
        threads_per_dir.unwrap_or(1).saturating_mul(dirs.len()),
        observer.progress(),
        clock,
    )?;
    runtime.block_on(install(&handle, recovered))?;

    // From here on commands are taken and clients are served.
    let reconciler = Reconciler::new(config.node.id, handle.clone(), dirs.clone(), settings);
    let publisher = Publisher::new(images.clone(), reconciler);
    let (active, client) = Active::new(controller, Arc::new(quorum.clone()), publisher, clock);
    runtime.spawn(active.run());
    let parts = Parts {
        config: &config,
        clock,
        cluster_id: &cluster_id,
        images,
        dirs: dirs.clone(),
        loggers,
        budget,
        shutdown: shutdown.clone(),
    };
    runtime.block_on(serve(&handle, &parts, client.clone(), connections.clone(), sockets, &disk))?;
    let addresses = bindings.iter().map(|binding| binding.address).collect();
    for (index, binding) in bindings.into_iter().enumerate() {
        let (connections, shutdown) = (connections.clone(), shutdown.clone());
        runtime.spawn(async move {
            let hand_on = |stream, address, name| {
                let connections = connections.clone();
                async move { connections.hand_on(stream, address, index, name).await }
            };
            Acceptor::new(binding).run(shutdown.requested(), hand_on).await;
        });
    }
    observer.started();
    tracing::info!(
        node = config.node.id.0,
        cluster = &*cluster_id,
        bootstrap,
        ms = started.elapsed().as_millis() as u64,
        "serving"
    );
    Ok(Node {
        runtime,
        trigger,
        addresses,
        bootstrap,
        controller: client,
        shards,
        disk,
        quorum,
        data_dirs,
        dirs,
        connections,
        http,
        failure,
    })
}

impl Http {
    fn start(
        runtime: &tokio::runtime::Runtime,
        listener: tokio::net::TcpListener,
        observer: Arc<Observer>,
    ) -> anyhow::Result<Self> {
        let address = listener.local_addr().context("listen for HTTP")?;
        let (trigger, shutdown) = shutdown::channel();
        let served = runtime.spawn(http::serve(listener, observer, http::Limits::default(), shutdown));
        Ok(Self { trigger, address, served })
    }
}

async fn bind(config: &Config) -> anyhow::Result<Vec<Binding>> {
    let mut bindings = Vec::new();
    for listener in &config.listeners.broker {
        let binding = Binding::bind(&listener.name, &listener.bind.host, listener.bind.port).await;
        bindings.push(binding.with_context(|| format!("listen on {}://{}", listener.name, listener.bind))?);
    }
    Ok(bindings)
}

async fn bind_http(host: &str, port: u16) -> anyhow::Result<tokio::net::TcpListener> {
    net::listen(host, port).await.with_context(|| format!("listen for HTTP on {host}:{port}"))
}

/// Locks every directory and makes it the cluster's; a cluster of empty directories gets an id.
fn claim(config: &Config) -> anyhow::Result<(Vec<DataDir>, String)> {
    let mut paths = config.logs.dirs.clone();
    if !paths.contains(&config.logs.metadata_dir) {
        paths.push(config.logs.metadata_dir.clone());
    }
    let known = data_dir::look(&paths, config.node.id)?;
    let cluster_id = known.unwrap_or_else(|| TopicId::from_random(rand::random()).to_string());
    // Those first that another process may hold: the others are not touched where one does.
    let mut order: Vec<usize> = (0..paths.len()).collect();
    order.sort_by_key(|at| !data_dir::has_lock(&paths[*at]));
    let mut data_dirs = Vec::with_capacity(paths.len());
    for at in order {
        data_dirs.push((at, DataDir::open(&paths[at], config.node.id)?));
    }
    data_dirs.sort_by_key(|(at, _)| *at);
    let mut data_dirs: Vec<DataDir> = data_dirs.into_iter().map(|(_, dir)| dir).collect();
    for dir in &mut data_dirs {
        dir.claim(config.node.id, &cluster_id, rand::random())?;
    }
    Ok((data_dirs, cluster_id))
}

/// Registers this broker and lets it lead.
async fn introduce(
    controller: &mut Controller,
    quorum: &SingleVoter,
    config: &Config,
    cluster_id: &str,
    endpoints: Vec<Endpoint>,
    dirs: &[Arc<LogDir>],
    clean_stop: bool,
) -> anyhow::Result<()> {
    let refused = |error: metadata::CommandError| anyhow::anyhow!("{}", error.message().to_owned());
    let decision = controller.bootstrap(cluster_id).map_err(refused)?;
    commit(controller, quorum, decision).await?;
    let registration = Registration {
        id: config.node.id,
        incarnation: IncarnationId(rand::random()),
        endpoints,
        rack: config.node.rack.clone(),
        directories: dirs.iter().map(|dir| DirectoryId(dir.id.0)).collect(),
        clean_stop,
    };
    let decision = controller.register_broker(registration).map_err(refused)?;
    let epoch = commit(controller, quorum, decision).await?;
    let decision = controller.unfence_broker(config.node.id, epoch).map_err(refused)?;
    commit(controller, quorum, decision).await
}

async fn commit<R>(controller: &mut Controller, quorum: &SingleVoter, decision: Decision<R>) -> anyhow::Result<R> {
    if !decision.records.is_empty() {
        let entries = decision.records.iter().map(|record| record.encode().into()).collect();
        quorum.propose(entries).await?;
        controller.apply(&decision.records)?;
    }
    Ok(decision.reply)
}

fn state_config(config: &Config, disk: &DiskThreads, clock: Clock) -> StateConfig {
    let groups = &config.groups;
    let offsets = &config.offsets;
    StateConfig {
        clock,
        disk: disk.pool(),
        groups: coordinator::GroupConfig {
            session_timeout_min_ms: groups.session_timeout_ms_min,
            session_timeout_max_ms: groups.session_timeout_ms_max,
            initial_rebalance_delay_ms: groups.initial_rebalance_delay_ms,
            group_size_max: usize::try_from(groups.members_max).unwrap_or(usize::MAX),
            offset_metadata_max: usize::try_from(offsets.metadata_bytes_max).unwrap_or(0),
            offsets_retention_ms: i64::from(offsets.retention_minutes) * 60_000,
            offsets_retention_check_interval_ms: offsets.retention_check_interval_ms,
            ..coordinator::GroupConfig::default()
        },
        tail_bytes_max: TAIL_BYTES_MAX / config.threads.shards.max(1),
        retention_interval_ms: config.logs.retention_check_interval_ms,
        checkpoint_interval_ms: config.logs.recovery_checkpoint_interval_ms.min(CHECKPOINT_MS_MAX),
    }
}

/// Gives each recovered partition to its shard, and tells it of those that could not be opened; then starts the coordinators
/// of the group topic.
async fn install(shards: &Handle, outcome: recovery::Outcome) -> anyhow::Result<()> {
    let mut by_shard: Vec<Vec<Recovered>> = (0..shards.count()).map(|_| Vec::new()).collect();
    let mut groups = Vec::new();
    for one in outcome.opened {
        if *one.topic.name == *crate::coordination::router::GROUP_TOPIC {
            groups.push(one.id);
        }
        by_shard[shards.owner(one.id)].push(one);
    }
    for (shard, batch) in by_shard.into_iter().enumerate() {
        let installed = shards.on(shard, move |state| {
            for Recovered { id, topic, leadership, dir, partition } in batch {
                let counters = state.counters.topics.slot(id.topic, &topic.name);
                let mut slot = Slot::new(topic.name.clone(), partition, dir, counters);
                slot.file_delete_delay_ms = topic.config.file_delete_delay_ms;
                state.install(id, slot);
                state.lead_by(id, leadership);
            }
        });
        installed.await?;
    }
    for (id, why) in outcome.unopened {
        shards.on(shards.owner(id), move |state| state.not_opened(id, why)).await?;
    }
    for id in groups {
        let seed = rand::random();
        shards.spawn(shards.owner(id), move |local| local.load_groups(id, seed)).await?;
    }
    Ok(())
}

/// What the shards' servers have in common.
struct Parts<'a> {
    config: &'a Config,
    clock: Clock,
    cluster_id: &'a str,
    loggers: Loggers,
    images: Images,
    dirs: Arc<[Arc<LogDir>]>,
    budget: Budget,
    shutdown: Shutdown,
}

async fn serve(
    shards: &Handle,
    parts: &Parts<'_>,
    controller: crate::controller::Client,
    connections: Arc<Connections>,
    sockets: Vec<tokio::sync::mpsc::Receiver<accept::Accepted>>,
    disk: &DiskThreads,
) -> anyhow::Result<()> {
    let config = parts.config;
    let api = ApiConfig {
        node_id: config.node.id,
        fetch_bytes_max: usize::try_from(config.fetch.bytes_max).unwrap_or(0),
        session_slots: config.fetch.session_slots / shards.count(),
        request_partitions_max: usize::try_from(config.fetch.request_partitions_max).unwrap_or(0),
        group_partitions: config.offsets.partitions,
        group_replication_factor: config.offsets.replication_factor,
        group_segment_bytes: config.offsets.segment_bytes,
    };
    let idle = config.network.idle_ms_max.map_or(NO_LIMIT, |ms| Duration::from_millis(ms.unsigned_abs()));
    let limits = Limits { request_bytes_max: config.network.request_bytes_max, idle };
    for (shard, sockets) in sockets.into_iter().enumerate() {
        let (api, cluster_id, images, dirs) =
            (api.clone(), parts.cluster_id.to_owned(), parts.images.clone(), parts.dirs.clone());
        let (budget, shutdown, limits) = (parts.budget.clone(), parts.shutdown.clone(), limits.clone());
        let (controller, connections, disk, clock) =
            (controller.clone(), connections.clone(), disk.pool(), parts.clock);
        let loggers = parts.loggers.clone();
        let started = shards.spawn(shard, move |local| {
            let context = Context {
                config: api,
                cluster_id: cluster_id.into(),
                clock,
                images,
                shards: local.clone(),
                controller,
                dirs,
                disk,
                loggers,
                producer_ids: Cell::new((0, 0)),
            };
            let server = Server { context: Rc::new(context), limits, budget, shutdown, connections };
            tokio::task::spawn_local(server.run(sockets));
        });
        started.await?;
    }
    Ok(())
}
