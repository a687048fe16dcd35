//! The loggers of this broker as a resource with configs: each logger is a config, its level the value. KIP-412.

use metadata::{ConfigChange, ConfigOp};
use wire::ErrorCode;
use wire::messages::describe_configs::DescribeConfigsResourceResult;

use super::config_resource::Refused;
use super::context::Context;
use crate::telemetry::logging::{LEVELS, NAMES, ROOT};

/// DescribeConfigs' number for where a level comes from.
const SOURCE: i8 = 6;

/// The levels of all loggers, or of those called `keys`. `name` must be this broker's id.
pub fn describe(
    context: &Context,
    name: &str,
    keys: Option<&[String]>,
) -> Result<Vec<DescribeConfigsResourceResult>, Refused> {
    let node = context.config.node_id;
    let refuse = |why: String| Err((ErrorCode::InvalidRequest, why));
    match name.parse::<i32>() {
        _ if name.is_empty() => return refuse("Broker id must not be empty".to_owned()),
        Err(_) => return refuse(format!("Broker id must be an integer, but it is: {name}")),
        Ok(id) if id != node.0 => return refuse(format!("Unexpected broker id, expected {node} but received {id}")),
        Ok(_) => {}
    }
    let is_wanted = |logger: &&str| keys.is_none_or(|keys| keys.is_empty() || keys.iter().any(|key| key == logger));
    let lines = NAMES.into_iter().filter(is_wanted).map(|logger| DescribeConfigsResourceResult {
        name: logger.into(),
        value: Some(context.loggers.level(logger).into()),
        config_source: SOURCE,
        documentation: Some("".into()),
        ..Default::default()
    });
    Ok(lines.collect())
}

/// Sets levels, or takes back what was set; all of `changes` or none, and none with `validate_only`.
pub fn alter(context: &Context, name: &str, changes: &[ConfigChange], validate_only: bool) -> Result<(), Refused> {
    let node = context.config.node_id;
    let invalid = |why: String| Err((ErrorCode::InvalidRequest, why));
    match name.parse::<i32>() {
        Err(_) => return invalid(format!("Node id must be an integer, but it is: {name}")),
        Ok(id) if id != node.0 => return invalid(format!("Unexpected node id. Expected {node}, but received {id}")),
        Ok(_) => {}
    }
    let mut levels = Vec::with_capacity(changes.len());
    for ConfigChange { name: logger, op, value } in changes {
        let level = match op {
            ConfigOp::Set => {
                let level = value.clone().unwrap_or_default();
                if !LEVELS.contains(&level.as_str()) {
                    let why = format!(
                        "Cannot set the log level of {logger} to {level} as it is not a supported log level. \
                         Valid log levels are {}",
                        LEVELS.join(", ")
                    );
                    return Err((ErrorCode::InvalidConfig, why));
                }
                Some(level)
            }
            ConfigOp::Delete if logger == ROOT => {
                return invalid("Removing the log level of the root logger is not allowed".to_owned());
            }
            ConfigOp::Delete => None,
            ConfigOp::Append | ConfigOp::Subtract => {
                let op = if *op == ConfigOp::Append { "APPEND" } else { "SUBTRACT" };
                return invalid(format!("{op} operation is not allowed for the BROKER_LOGGER resource"));
            }
        };
        if !NAMES.contains(&logger.as_str()) {
            return Err((ErrorCode::InvalidConfig, format!("Logger {logger} does not exist!")));
        }
        levels.push((logger.clone(), level));
    }
    if !validate_only {
        context.loggers.set(&levels);
    }
    Ok(())
}
