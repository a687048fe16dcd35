//! The names of every broker key of Kafka 4.4, and of keys that Kafka had before 4.0. Names only: what a key means is said
//! where it is read.

/// Ordered, so that a name is found by halving.
#[rustfmt::skip]
pub const KAFKA: &[&str] = &[
    "add.partitions.to.txn.retry.backoff.max.ms", "add.partitions.to.txn.retry.backoff.ms", "advertised.listeners",
    "alter.config.policy.class.name", "alter.log.dirs.replication.quota.window.num",
    "alter.log.dirs.replication.quota.window.size.seconds", "authorizer.class.name", "auto.create.topics.enable",
    "auto.leader.rebalance.enable", "background.threads", "broker.heartbeat.interval.ms", "broker.id", "broker.rack",
    "broker.session.timeout.ms", "client.quota.callback.class", "compression.gzip.level", "compression.lz4.level",
    "compression.type", "compression.zstd.level", "config.providers", "connection.failed.authentication.delay.ms",
    "connections.max.idle.ms", "connections.max.reauth.ms", "controlled.shutdown.enable", "controller.listener.names",
    "controller.performance.always.log.threshold.ms", "controller.performance.sample.period.ms",
    "controller.quorum.append.linger.ms", "controller.quorum.auto.join.enable", "controller.quorum.bootstrap.servers",
    "controller.quorum.election.backoff.max.ms", "controller.quorum.election.timeout.ms",
    "controller.quorum.fetch.max.bytes", "controller.quorum.fetch.snapshot.max.bytes",
    "controller.quorum.fetch.timeout.ms", "controller.quorum.request.timeout.ms",
    "controller.quorum.retry.backoff.ms", "controller.quorum.voters", "controller.quota.window.num",
    "controller.quota.window.size.seconds", "controller.socket.timeout.ms", "cordoned.log.dirs",
    "create.topic.policy.class.name", "default.replication.factor", "delegation.token.expiry.check.interval.ms",
    "delegation.token.expiry.time.ms", "delegation.token.max.lifetime.ms", "delegation.token.secret.key",
    "delete.records.purgatory.purge.interval.requests", "delete.topic.enable", "early.start.listeners",
    "errors.deadletterqueue.auto.create.topics.enable", "errors.deadletterqueue.topic.name.prefix", "fetch.max.bytes",
    "fetch.purgatory.purge.interval.requests", "follower.fetch.last.tiered.offset.enable",
    "group.consumer.assignment.interval.ms", "group.consumer.assignor.offload.enable", "group.consumer.assignors",
    "group.consumer.heartbeat.interval.ms", "group.consumer.max.assignment.interval.ms",
    "group.consumer.max.heartbeat.interval.ms", "group.consumer.max.session.timeout.ms", "group.consumer.max.size",
    "group.consumer.migration.policy", "group.consumer.min.assignment.interval.ms",
    "group.consumer.min.heartbeat.interval.ms", "group.consumer.min.session.timeout.ms",
    "group.consumer.regex.refresh.interval.ms", "group.consumer.session.timeout.ms",
    "group.coordinator.append.linger.ms", "group.coordinator.background.threads",
    "group.coordinator.cached.buffer.max.bytes", "group.coordinator.rebalance.protocols", "group.coordinator.threads",
    "group.initial.rebalance.delay.ms", "group.max.session.timeout.ms", "group.max.size",
    "group.min.session.timeout.ms", "group.share.assignment.interval.ms", "group.share.assignor.offload.enable",
    "group.share.assignors", "group.share.delivery.count.limit", "group.share.dlq.manager.class.name",
    "group.share.heartbeat.interval.ms", "group.share.initialize.retry.interval.ms",
    "group.share.max.assignment.interval.ms", "group.share.max.delivery.count.limit",
    "group.share.max.heartbeat.interval.ms", "group.share.max.partition.max.record.locks",
    "group.share.max.record.lock.duration.ms", "group.share.max.session.timeout.ms", "group.share.max.share.sessions",
    "group.share.max.size", "group.share.min.assignment.interval.ms", "group.share.min.delivery.count.limit",
    "group.share.min.heartbeat.interval.ms", "group.share.min.partition.max.record.locks",
    "group.share.min.record.lock.duration.ms", "group.share.min.session.timeout.ms",
    "group.share.partition.max.record.locks", "group.share.persister.class.name",
    "group.share.record.lock.duration.ms", "group.share.session.timeout.ms", "group.streams.acceptable.recovery.lag",
    "group.streams.assignment.interval.ms", "group.streams.assignor.offload.enable", "group.streams.assignors",
    "group.streams.heartbeat.interval.ms", "group.streams.initial.rebalance.delay.ms",
    "group.streams.max.assignment.interval.ms", "group.streams.max.heartbeat.interval.ms",
    "group.streams.max.session.timeout.ms", "group.streams.max.size", "group.streams.max.standby.replicas",
    "group.streams.max.warmup.replicas", "group.streams.min.assignment.interval.ms",
    "group.streams.min.heartbeat.interval.ms", "group.streams.min.session.timeout.ms",
    "group.streams.min.task.offset.interval.ms", "group.streams.num.standby.replicas",
    "group.streams.num.warmup.replicas", "group.streams.rack.aware.assignment.tags",
    "group.streams.session.timeout.ms", "group.streams.task.offset.interval.ms",
    "group.streams.topology.description.plugin.class", "initial.broker.registration.timeout.ms",
    "inter.broker.listener.name", "internal.metadata.delete.delay.millis", "internal.metadata.log.segment.bytes",
    "internal.metadata.max.batch.size.in.bytes", "kafka.metrics.polling.interval.secs", "kafka.metrics.reporters",
    "leader.imbalance.check.interval.seconds", "listener.security.protocol.map", "listeners",
    "log.cleaner.backoff.ms", "log.cleaner.dedupe.buffer.size", "log.cleaner.delete.retention.ms",
    "log.cleaner.enable", "log.cleaner.io.buffer.load.factor", "log.cleaner.io.buffer.size",
    "log.cleaner.io.max.bytes.per.second", "log.cleaner.max.compaction.lag.ms", "log.cleaner.min.cleanable.ratio",
    "log.cleaner.min.compaction.lag.ms", "log.cleaner.threads", "log.cleanup.policy", "log.dir",
    "log.dir.failure.timeout.ms", "log.dirs", "log.flush.interval.messages", "log.flush.interval.ms",
    "log.flush.offset.checkpoint.interval.ms", "log.flush.scheduler.interval.ms",
    "log.flush.start.offset.checkpoint.interval.ms", "log.index.interval.bytes", "log.index.size.max.bytes",
    "log.initial.task.delay.ms", "log.local.retention.bytes", "log.local.retention.ms",
    "log.message.timestamp.after.max.ms", "log.message.timestamp.before.max.ms", "log.message.timestamp.type",
    "log.preallocate", "log.remote.copy.lag.bytes", "log.remote.copy.lag.ms", "log.retention.bytes",
    "log.retention.check.interval.ms", "log.retention.hours", "log.retention.minutes", "log.retention.ms",
    "log.roll.hours", "log.roll.jitter.hours", "log.roll.jitter.ms", "log.roll.ms", "log.segment.bytes",
    "log.segment.delete.delay.ms", "max.connection.creation.rate", "max.connections", "max.connections.per.ip",
    "max.connections.per.ip.overrides", "max.decompressed.message.bytes", "max.incremental.fetch.session.cache.slots",
    "max.request.partition.size.limit", "message.max.bytes", "metadata.log.dir",
    "metadata.log.max.record.bytes.between.snapshots", "metadata.log.max.snapshot.interval.ms",
    "metadata.log.segment.bytes", "metadata.log.segment.ms", "metadata.max.idle.interval.ms",
    "metadata.max.retention.bytes", "metadata.max.retention.ms", "metric.reporters", "metrics.num.samples",
    "metrics.recording.level", "metrics.sample.window.ms", "min.insync.replicas", "node.id", "num.io.threads",
    "num.network.threads", "num.partitions", "num.recovery.threads.per.data.dir",
    "num.replica.alter.log.dirs.threads", "num.replica.fetchers", "offset.metadata.max.bytes",
    "offsets.commit.timeout.ms", "offsets.load.buffer.size", "offsets.retention.check.interval.ms",
    "offsets.retention.minutes", "offsets.topic.compression.codec", "offsets.topic.num.partitions",
    "offsets.topic.replication.factor", "offsets.topic.segment.bytes", "principal.builder.class", "process.roles",
    "producer.id.expiration.check.interval.ms", "producer.id.expiration.ms",
    "producer.purgatory.purge.interval.requests", "queued.max.request.bytes", "queued.max.requests",
    "quota.window.num", "quota.window.size.seconds", "remote.fetch.max.wait.ms",
    "remote.list.offsets.request.timeout.ms", "remote.log.index.file.cache.total.size.bytes",
    "remote.log.index.file.cache.ttl.ms", "remote.log.manager.copier.thread.pool.size",
    "remote.log.manager.copy.max.bytes.per.second", "remote.log.manager.copy.quota.window.num",
    "remote.log.manager.copy.quota.window.size.seconds", "remote.log.manager.expiration.thread.pool.size",
    "remote.log.manager.fetch.max.bytes.per.second", "remote.log.manager.fetch.quota.window.num",
    "remote.log.manager.fetch.quota.window.size.seconds", "remote.log.manager.follower.thread.pool.size",
    "remote.log.manager.task.interval.ms", "remote.log.manager.task.retry.backoff.max.ms",
    "remote.log.manager.task.retry.backoff.ms", "remote.log.manager.task.retry.jitter",
    "remote.log.manager.thread.pool.size", "remote.log.metadata.custom.metadata.max.bytes",
    "remote.log.metadata.manager.class.name", "remote.log.metadata.manager.class.path",
    "remote.log.metadata.manager.impl.prefix", "remote.log.metadata.manager.listener.name",
    "remote.log.reader.max.pending.tasks", "remote.log.reader.threads", "remote.log.storage.manager.class.name",
    "remote.log.storage.manager.class.path", "remote.log.storage.manager.impl.prefix",
    "remote.log.storage.system.enable", "replica.fetch.backoff.ms", "replica.fetch.max.bytes",
    "replica.fetch.min.bytes", "replica.fetch.response.max.bytes", "replica.fetch.wait.max.ms",
    "replica.high.watermark.checkpoint.interval.ms", "replica.lag.time.max.ms", "replica.selector.class",
    "replica.socket.receive.buffer.bytes", "replica.socket.timeout.ms", "replication.quota.window.num",
    "replication.quota.window.size.seconds", "request.timeout.ms", "sasl.client.callback.handler.class",
    "sasl.enabled.mechanisms", "sasl.jaas.config", "sasl.kerberos.kinit.cmd", "sasl.kerberos.min.time.before.relogin",
    "sasl.kerberos.principal.to.local.rules", "sasl.kerberos.service.name", "sasl.kerberos.ticket.renew.jitter",
    "sasl.kerberos.ticket.renew.window.factor", "sasl.login.callback.handler.class", "sasl.login.class",
    "sasl.login.connect.timeout.ms", "sasl.login.read.timeout.ms", "sasl.login.refresh.buffer.seconds",
    "sasl.login.refresh.min.period.seconds", "sasl.login.refresh.window.factor", "sasl.login.refresh.window.jitter",
    "sasl.login.retry.backoff.max.ms", "sasl.login.retry.backoff.ms", "sasl.mechanism.controller.protocol",
    "sasl.mechanism.inter.broker.protocol", "sasl.oauthbearer.allow.unverified.audience",
    "sasl.oauthbearer.allow.unverified.issuer", "sasl.oauthbearer.assertion.algorithm",
    "sasl.oauthbearer.assertion.claim.aud", "sasl.oauthbearer.assertion.claim.exp.seconds",
    "sasl.oauthbearer.assertion.claim.iss", "sasl.oauthbearer.assertion.claim.jti.include",
    "sasl.oauthbearer.assertion.claim.nbf.seconds", "sasl.oauthbearer.assertion.claim.sub",
    "sasl.oauthbearer.assertion.file", "sasl.oauthbearer.assertion.private.key.file",
    "sasl.oauthbearer.assertion.private.key.passphrase", "sasl.oauthbearer.assertion.template.file",
    "sasl.oauthbearer.client.credentials.client.id", "sasl.oauthbearer.client.credentials.client.secret",
    "sasl.oauthbearer.clock.skew.seconds", "sasl.oauthbearer.expected.audience", "sasl.oauthbearer.expected.issuer",
    "sasl.oauthbearer.jwks.endpoint.refresh.ms", "sasl.oauthbearer.jwks.endpoint.retry.backoff.max.ms",
    "sasl.oauthbearer.jwks.endpoint.retry.backoff.ms", "sasl.oauthbearer.jwks.endpoint.url",
    "sasl.oauthbearer.jwt.retriever.class", "sasl.oauthbearer.jwt.validator.class", "sasl.oauthbearer.scope",
    "sasl.oauthbearer.scope.claim.name", "sasl.oauthbearer.sub.claim.name", "sasl.oauthbearer.token.endpoint.url",
    "sasl.server.callback.handler.class", "sasl.server.max.receive.size", "security.inter.broker.protocol",
    "security.providers", "server.max.startup.time.ms", "share.coordinator.append.linger.ms",
    "share.coordinator.cached.buffer.max.bytes", "share.coordinator.cold.partition.snapshot.interval.ms",
    "share.coordinator.load.buffer.size", "share.coordinator.snapshot.update.records.per.snapshot",
    "share.coordinator.state.topic.compression.codec", "share.coordinator.state.topic.min.isr",
    "share.coordinator.state.topic.num.partitions", "share.coordinator.state.topic.prune.interval.ms",
    "share.coordinator.state.topic.replication.factor", "share.coordinator.state.topic.segment.bytes",
    "share.coordinator.threads", "share.coordinator.write.timeout.ms",
    "share.fetch.purgatory.purge.interval.requests", "socket.connection.setup.timeout.max.ms",
    "socket.connection.setup.timeout.ms", "socket.listen.backlog.size", "socket.receive.buffer.bytes",
    "socket.request.max.bytes", "socket.send.buffer.bytes", "ssl.allow.dn.changes", "ssl.allow.san.changes",
    "ssl.cipher.suites", "ssl.client.auth", "ssl.enabled.protocols", "ssl.endpoint.identification.algorithm",
    "ssl.engine.factory.class", "ssl.key.password", "ssl.keymanager.algorithm", "ssl.keystore.certificate.chain",
    "ssl.keystore.key", "ssl.keystore.location", "ssl.keystore.password", "ssl.keystore.type",
    "ssl.principal.mapping.rules", "ssl.protocol", "ssl.provider", "ssl.secure.random.implementation",
    "ssl.trustmanager.algorithm", "ssl.truststore.certificates", "ssl.truststore.location", "ssl.truststore.password",
    "ssl.truststore.type", "telemetry.max.bytes", "transaction.abort.timed.out.transaction.cleanup.interval.ms",
    "transaction.max.timeout.ms", "transaction.partition.verification.enable",
    "transaction.remove.expired.transaction.cleanup.interval.ms", "transaction.state.log.load.buffer.size",
    "transaction.state.log.min.isr", "transaction.state.log.num.partitions",
    "transaction.state.log.replication.factor", "transaction.state.log.segment.bytes",
    "transaction.two.phase.commit.enable", "transactional.id.expiration.ms", "unclean.leader.election.enable",
    "unclean.leader.election.interval.ms", "unstable.api.versions.enable", "unstable.feature.versions.enable",
];

/// Keys of Kafka's that are read and checked, and change nothing so far: what they would set is not built yet. A key leaves
/// this list with the change that makes it work.
#[rustfmt::skip]
pub const IDLE: &[&str] = &[
    "broker.heartbeat.interval.ms", "broker.session.timeout.ms", "compression.lz4.level",
    "controller.quorum.election.timeout.ms",
    "controller.quorum.fetch.timeout.ms", "controller.quorum.request.timeout.ms", "inter.broker.listener.name",
    "log.cleaner.delete.retention.ms", "log.cleaner.max.compaction.lag.ms", "log.cleaner.min.cleanable.ratio",
    "log.cleaner.min.compaction.lag.ms", "log.flush.start.offset.checkpoint.interval.ms", "log.initial.task.delay.ms",
    "log.local.retention.bytes", "log.local.retention.ms", "log.remote.copy.lag.bytes",
    "log.remote.copy.lag.ms", "max.connections.per.ip", "max.incremental.fetch.session.cache.slots",
    "metadata.log.max.record.bytes.between.snapshots", "metadata.log.max.snapshot.interval.ms",
    "num.replica.fetchers", "offsets.commit.timeout.ms", "offsets.topic.compression.codec",
    "producer.id.expiration.check.interval.ms", "replica.fetch.backoff.ms", "replica.fetch.max.bytes",
    "replica.fetch.min.bytes", "replica.fetch.response.max.bytes", "replica.fetch.wait.max.ms",
    "replica.high.watermark.checkpoint.interval.ms", "replica.lag.time.max.ms", "replica.socket.timeout.ms",
    "request.timeout.ms", "security.inter.broker.protocol", "socket.listen.backlog.size",
    "socket.receive.buffer.bytes", "socket.send.buffer.bytes",
    "transaction.abort.timed.out.transaction.cleanup.interval.ms", "transaction.max.timeout.ms",
    "transaction.partition.verification.enable", "transaction.remove.expired.transaction.cleanup.interval.ms",
    "transaction.state.log.min.isr", "transaction.state.log.num.partitions",
    "transaction.state.log.replication.factor", "transaction.state.log.segment.bytes",
    "transaction.two.phase.commit.enable", "transactional.id.expiration.ms", "unclean.leader.election.enable",
];

/// Milena's own keys.
pub const MILENA: &[&str] = &["milena.disk.free.bytes.min", "milena.http.listener", "milena.log.format"];

/// Keys of older servers, which many a file still carries.
pub const REMOVED: &[(&str, &str)] = &[
    ("advertised.host.name", "Kafka took it out long ago; advertised.listeners says it"),
    ("advertised.port", "Kafka took it out long ago; advertised.listeners says it"),
    ("broker.id.generation.enable", "ids are written down since Kafka 4.0"),
    ("control.plane.listener.name", "Kafka 4.0 took it out with ZooKeeper"),
    ("host.name", "Kafka took it out long ago; listeners says it"),
    ("inter.broker.protocol.version", "Kafka 4.0 took it out; features replaced it"),
    ("log.message.downconversion.enable", "Kafka 4.0 took it out; old record formats are gone"),
    ("log.message.format.version", "Kafka 4.0 took it out; old record formats are gone"),
    (
        "log.message.timestamp.difference.max.ms",
        "Kafka 4.0 took it out; log.message.timestamp.before.max.ms and log.message.timestamp.after.max.ms replaced it",
    ),
    ("offsets.commit.required.acks", "Kafka 4.0 took it out; commits wait for every in-sync replica"),
    ("password.encoder.secret", "Kafka 4.0 took it out with ZooKeeper"),
    ("port", "Kafka took it out long ago; listeners says it"),
    ("reserved.broker.max.id", "ids are written down since Kafka 4.0"),
    ("zookeeper.connect", "there is no ZooKeeper since Kafka 4.0"),
    ("zookeeper.connection.timeout.ms", "there is no ZooKeeper since Kafka 4.0"),
    ("zookeeper.max.in.flight.requests", "there is no ZooKeeper since Kafka 4.0"),
    ("zookeeper.metadata.migration.enable", "there is no ZooKeeper since Kafka 4.0"),
    ("zookeeper.session.timeout.ms", "there is no ZooKeeper since Kafka 4.0"),
    ("zookeeper.set.acl", "there is no ZooKeeper since Kafka 4.0"),
];

/// Begins a key that belongs to one listener: `listener.name.<name>.<key>`.
const LISTENER_PREFIX: &str = "listener.name.";

/// What a key that nobody read turns out to be.
#[derive(Debug, PartialEq, Eq)]
pub enum Unread {
    Kafka,
    Removed(&'static str),
    /// `close` when it is few letters away from the nearest known key.
    Unknown {
        nearest: &'static str,
        close: bool,
    },
}

/// Classifies `key`.
pub fn classify(key: &str) -> Unread {
    if is_kafkas(key) {
        return Unread::Kafka;
    }
    if let Some((_, why)) = REMOVED.iter().find(|(removed, _)| *removed == key) {
        return Unread::Removed(why);
    }
    let (distance, nearest) = KAFKA
        .iter()
        .chain(MILENA)
        .map(|known| (strsim::damerau_levenshtein(key, known), *known))
        .min()
        .expect("the tables above are not empty");
    // A slip changes a letter or two of a short key, some more of a long one.
    Unread::Unknown { nearest, close: distance <= 2.max(key.len() / 5) }
}

fn is_kafkas(key: &str) -> bool {
    if KAFKA.binary_search(&key).is_ok() {
        return true;
    }
    // listener.name.sasl_ssl.scram-sha-512.sasl.jaas.config: name and mechanism stand before a known key.
    let Some(rest) = key.strip_prefix(LISTENER_PREFIX) else { return false };
    rest.match_indices('.').any(|(dot, _)| KAFKA.binary_search(&&rest[dot + 1..]).is_ok())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_tables_are_ordered() {
        assert!(KAFKA.is_sorted() && IDLE.is_sorted() && MILENA.is_sorted() && REMOVED.is_sorted());
    }

    #[test]
    fn a_mistyped_key_gets_the_nearest_known_one() {
        for (typo, meant) in [
            ("num.partition", "num.partitions"),
            ("log.retention.mss", "log.retention.ms"),
            ("auto.create.topic.enable", "auto.create.topics.enable"),
            ("lsiteners", "listeners"),
            ("advertized.listeners", "advertised.listeners"),
            ("offset.topic.replication.factor", "offsets.topic.replication.factor"),
            ("milena.http.listeners", "milena.http.listener"),
        ] {
            assert_eq!(classify(typo), Unread::Unknown { nearest: meant, close: true }, "{typo}");
        }
        assert!(matches!(classify("confluent.license.topic"), Unread::Unknown { close: false, .. }));
    }

    #[test]
    fn keys_of_one_listener_and_keys_of_the_past_are_no_typos() {
        assert_eq!(classify("ssl.keystore.location"), Unread::Kafka);
        assert_eq!(classify("listener.name.external.max.connections"), Unread::Kafka);
        assert_eq!(classify("listener.name.sasl_ssl.scram-sha-512.sasl.jaas.config"), Unread::Kafka);
        assert!(matches!(classify("zookeeper.connect"), Unread::Removed(_)));
        assert!(matches!(classify("listener.name.external.max.conections"), Unread::Unknown { .. }));
    }

    #[test]
    fn the_table_holds_every_broker_key_of_kafka_4_4() {
        let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../../shared/kafka-protocol/configs-broker.tsv");
        let Ok(text) = std::fs::read_to_string(path) else {
            println!("skipped: shared folder absent");
            return;
        };
        let rows = text.lines().filter(|line| !line.starts_with('#')).skip(1);
        let names: Vec<&str> = rows.filter_map(|row| row.split('\t').next()).collect();
        assert_eq!(names, KAFKA);
    }
}
