//! This process as the operating system sees it, under the `process_*` names of Prometheus' own client libraries,
//! and its disks as Kafka names them. Linux only; elsewhere there is nothing to tell.

use super::families::Families;

/// The kernel counts `/proc` times in this unit for programs, whatever its own timer does.
const TICKS_PER_SECOND: f64 = 100.0;

/// User and system seconds of `/proc/self/stat`. The command's name, in brackets, may hold anything, brackets included.
fn parse_cpu_seconds(stat: &str) -> Option<f64> {
    let mut fields = stat.rsplit_once(')')?.1.split_whitespace();
    // The state is field 3 of proc(5), utime and stime are 14 and 15.
    let user: f64 = fields.nth(14 - 3)?.parse().ok()?;
    let system: f64 = fields.next()?.parse().ok()?;
    Some((user + system) / TICKS_PER_SECOND)
}

/// A line of `/proc/self/status`; sizes there are in KiB.
fn parse_status(status: &str, name: &str) -> Option<f64> {
    let line = status.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(':'))?;
    let mut words = line.split_whitespace();
    let number: f64 = words.next()?.parse().ok()?;
    Some(if words.next() == Some("kB") { number * 1024.0 } else { number })
}

/// The soft limit on descriptors in `/proc/self/limits`.
fn parse_fd_limit(limits: &str) -> Option<f64> {
    let line = limits.lines().find_map(|line| line.strip_prefix("Max open files"))?;
    match line.split_whitespace().next()? {
        "unlimited" => Some(f64::INFINITY),
        number => number.parse().ok(),
    }
}

/// A line of `/proc/self/io`, bytes.
fn parse_io(io: &str, name: &str) -> Option<f64> {
    io.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(':'))?.trim().parse().ok()
}

pub fn render(out: &mut Families<'_>, started_at_seconds: f64) {
    let read = |file: &str| std::fs::read_to_string(format!("/proc/self/{file}")).ok();
    if let Some(seconds) = read("stat").and_then(|stat| parse_cpu_seconds(&stat)) {
        out.counter("process_cpu_seconds_total", "User and system time of this process.", seconds);
    }
    let status = read("status").unwrap_or_default();
    for (name, help, line) in [
        ("process_resident_memory_bytes", "Memory in RAM.", "VmRSS"),
        ("process_virtual_memory_bytes", "Address space.", "VmSize"),
        ("process_threads", "Threads of this process.", "Threads"),
    ] {
        if let Some(value) = parse_status(&status, line) {
            out.gauge(name, help, value);
        }
    }
    if let Ok(descriptors) = std::fs::read_dir("/proc/self/fd") {
        // The one that reads the folder is not there afterwards.
        out.gauge("process_open_fds", "Descriptors in use.", descriptors.count().saturating_sub(1) as f64);
    }
    if let Some(limit) = read("limits").and_then(|limits| parse_fd_limit(&limits)) {
        out.gauge("process_max_fds", "Descriptors allowed.", limit);
    }
    out.gauge("process_start_time_seconds", "When the node started, in seconds since 1970.", started_at_seconds);
    let io = read("io").unwrap_or_default();
    for (name, help, line) in [
        (
            "kafka_server_kafkaserver_linux_disk_read_bytes",
            "Bytes that this process had read from disks.",
            "read_bytes",
        ),
        (
            "kafka_server_kafkaserver_linux_disk_write_bytes",
            "Bytes that this process had written to disks.",
            "write_bytes",
        ),
    ] {
        if let Some(bytes) = parse_io(&io, line) {
            out.counter(name, help, bytes);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cpu_time_is_read_past_a_name_with_brackets() {
        let stat = "42 (a) b) S 1 42 42 0 -1 4194560 1 2 3 4 150 50 0 0 20 0 7 0 999 1048576 256";
        assert_eq!(parse_cpu_seconds(stat), Some(2.0));
        assert_eq!(parse_cpu_seconds("42 (a) S 1"), None);
    }

    #[test]
    fn sizes_of_the_status_are_bytes() {
        let status = "Name:\tVmRSS\nVmSize:\t  2048 kB\nVmRSS:\t    16 kB\nThreads:\t7\n";
        assert_eq!(parse_status(status, "VmRSS"), Some(16384.0));
        assert_eq!(parse_status(status, "Threads"), Some(7.0));
        assert_eq!(parse_status(status, "VmPeak"), None);
    }

    #[test]
    fn bytes_from_and_to_disks_are_told_apart_from_cancelled_ones() {
        let io = "rchar: 9\nwchar: 8\nread_bytes: 4096\nwrite_bytes: 8192\ncancelled_write_bytes: 7\n";
        assert_eq!((parse_io(io, "read_bytes"), parse_io(io, "write_bytes")), (Some(4096.0), Some(8192.0)));
        assert_eq!(parse_io("", "read_bytes"), None);
    }

    #[test]
    fn the_soft_limit_on_descriptors_is_read() {
        let limits = "Limit                     Soft Limit           Hard Limit           Units\n\
                      Max open files            1024                 524288               files\n";
        assert_eq!(parse_fd_limit(limits), Some(1024.0));
        assert_eq!(parse_fd_limit("Max open files unlimited unlimited files"), Some(f64::INFINITY));
        assert_eq!(parse_fd_limit(""), None);
    }
}
