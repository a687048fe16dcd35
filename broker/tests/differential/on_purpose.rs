//! Where Milena answers otherwise than Kafka on purpose, each with its reason. A line here that no longer shows fails.

/// A difference that may be. `*` stands for anything.
#[derive(Debug)]
pub struct OnPurpose {
    /// Scenario and step.
    pub step: &'static str,
    pub path: &'static str,
    pub kafka: &'static str,
    pub milena: &'static str,
    #[allow(dead_code, reason = "it is for the reader, and in what a failure prints")]
    pub why: &'static str,
}

impl OnPurpose {
    pub fn covers(&self, step: &str, path: &str, kafka: &str, milena: &str) -> bool {
        matches(self.step, step)
            && matches(self.path, path)
            && matches(self.kafka, kafka)
            && matches(self.milena, milena)
    }
}

const ANY: &str = "*";

/// Shortest way to say one: step, path, Kafka's value, Milena's.
const fn differs(
    step: &'static str,
    path: &'static str,
    kafka: &'static str,
    milena: &'static str,
    why: &'static str,
) -> OnPurpose {
    OnPurpose { step, path, kafka, milena, why }
}

const EXPLAINS: &str = "an error says what is wrong, where Kafka says nothing or only what kind of error it is";
const NOT_SERVED: &str = "transactions are not served yet";
const TRIPS: &str = "Kafka trips over this request inside; here it has a plain meaning or a plain error";
const UNSEEN: &str = "compressed records are not looked into when they arrive";
const ELR: &str = "without eligible leader replicas min.insync.replicas is not moved to the cluster's dynamic configs";
const EMPTY: &str = "a topic without partitions is answered as it was asked, harmlessly";
const NO_DOCUMENTATION: &str = "only the configs of topics are documented";
const NO_SUCH_RESOURCES: &str = "configs of groups and client metrics are not kept yet";

/// Where clients look at the result alone, answers may differ as follows.
pub const DIFFERENCES: &[OnPurpose] = &[
    differs(ANY, "*error_message", "None", ANY, EXPLAINS),
    differs(ANY, "*error_message", "\"This most likely occurs because of a request being malformed *", ANY, EXPLAINS),
    differs(ANY, "*error_message", "\"\"", ANY, EXPLAINS),
    differs(
        "api-versions: *",
        "*_features*",
        ANY,
        ANY,
        "only features that are served are shown, and none that is off",
    ),
    differs("frames: a string that is not UTF-8", ANY, ANY, "closed", "texts are UTF-8; Kafka guesses what was meant"),
    differs("producer-ids: a transactional id", ANY, ANY, ANY, NOT_SERVED),
    differs("find-coordinator: a key of type 1", ANY, ANY, ANY, NOT_SERVED),
    differs(
        "metadata: a name that collides",
        "topics[0].error_code",
        "3 *",
        "17 *",
        "what cannot be created is said at once",
    ),
    differs("metadata: by nothing", ANY, ANY, ANY, TRIPS),
    differs("create-topics: *", "*config_source", "3", "5", ELR),
    differs(
        "create-topics: *",
        "*error_message",
        "*have all their log directories cordoned.\"",
        ANY,
        "none can be cordoned",
    ),
    differs("create-topics: cleanup.policy=Some(\"compact,delete\")*", ANY, ANY, ANY, "compaction comes later"),
    differs(
        "create-topics: *",
        "*.value",
        ANY,
        ANY,
        "values are shown in the form in which they are understood, as DescribeConfigs shows them",
    ),
    differs("topic-partitions: an unlawful name, \"\"*", ANY, ANY, ANY, TRIPS),
    differs("produce-*", "*error_message", ANY, ANY, "texts for people, in words of our own"),
    differs(
        "produce-*",
        "*log_start_offset",
        "0",
        "-1",
        "clients read it with UNKNOWN_PRODUCER_ID, which nobody sends",
    ),
    differs("produce-attributes: codec *", "*error_code", "-1 *", "76 *", TRIPS),
    differs(
        "produce-places: * twice",
        "responses[*",
        "absent",
        "there",
        "both batches are appended; Kafka drops the first",
    ),
    differs(
        "produce-places: * twice",
        "responses[*base_offset",
        ANY,
        ANY,
        "both batches are appended; Kafka drops the first",
    ),
    differs("produce-timestamps: packed by *", "*record_errors*", "absent", "[]", UNSEEN),
    differs("produce-timestamps: packed by *", "*record_errors*", "there", "absent", UNSEEN),
    differs("produce-places: no partition", "responses*", ANY, ANY, EMPTY),
    differs("produce-*: inside packed by *", "*error_code", ANY, "0 NONE", UNSEEN),
    differs("produce-*: inside packed by *", "*error_code", "-1 *", ANY, TRIPS),
    differs("produce-*: inside packed by *", "*offset", ANY, ANY, UNSEEN),
    differs(
        "produce-counts: inside plain, offset deltas *",
        ANY,
        ANY,
        ANY,
        "records that do not follow each other are refused; Kafka stores them when they are not compressed",
    ),
    differs(
        "fetch-offsets: a partition twice",
        "responses*",
        ANY,
        ANY,
        "each mention is answered; Kafka takes the last",
    ),
    differs("fetch-offsets: isolation", ANY, ANY, ANY, TRIPS),
    differs(
        "fetch-offsets: replica *",
        "responses*",
        ANY,
        ANY,
        "followers come later; until then everybody is a consumer",
    ),
    differs("fetch-sizes: at most -1 *", "responses*", ANY, ANY, TRIPS),
    differs(
        "fetch-sessions: used on another",
        ANY,
        ANY,
        ANY,
        "a session belongs to its connection; clients open a new one where theirs is not found",
    ),
    differs("list-offsets: *, isolation 2", "topics*", ANY, ANY, TRIPS),
    differs("list-offsets: a topic twice", "topics*", ANY, ANY, "each mention is answered; Kafka gathers them"),
    differs("list-offsets: no partition", "topics*", ANY, ANY, EMPTY),
    differs("offset-commits: no partition", "topics*", ANY, ANY, EMPTY),
    differs("offset-delete: deletes none", "topics*", ANY, ANY, EMPTY),
    differs(
        "delete-topics: by name, and by id",
        "responses*",
        ANY,
        ANY,
        "each mention is answered; Kafka gathers them",
    ),
    differs("describe-configs: *", "*.documentation", "\"some\"", "None", NO_DOCUMENTATION),
    differs("describe-configs: *", "*config_source", "3", "5", ELR),
    differs("describe-configs: *", "*.synonyms*", ANY, ANY, ELR),
    differs("describe-configs: of broker \"\"", "results[0].configs*", ANY, ANY, ELR),
    differs("describe-configs: of type 4, called \"\"", "results[0].configs*", ANY, ANY, ELR),
    differs("describe-configs: of type 16, *", "results*", ANY, ANY, NO_SUCH_RESOURCES),
    differs("describe-configs: of type 32, *", "results*", ANY, ANY, NO_SUCH_RESOURCES),
    differs("alter-other-configs: type *", "responses*", ANY, ANY, NO_SUCH_RESOURCES),
    differs("alter-other-configs: broker *, log.cleaner.threads=0", "responses*", ANY, ANY, TRIPS),
    differs(
        "alter-other-configs: broker *, no.such.key=1",
        "responses*",
        "0 NONE",
        ANY,
        "a key that nobody knows is refused; Kafka keeps it for plugins",
    ),
];

fn matches(pattern: &str, text: &str) -> bool {
    let Some((head, rest)) = pattern.split_once('*') else { return pattern == text };
    text.strip_prefix(head)
        .is_some_and(|left| (0..=left.len()).any(|at| left.is_char_boundary(at) && matches(rest, &left[at..])))
}

#[test]
fn a_star_stands_for_anything() {
    assert!(matches("a*c*", "abbc") && matches("*", "") && matches("a", "a"));
    assert!(!matches("a*c", "ab") && !matches("a", "ab") && !matches("", "a"));
}
